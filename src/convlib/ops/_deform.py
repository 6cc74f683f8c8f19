"""Deformable convolution and its gradients below the public functions: layouts and runs."""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from convlib._conv import panels
from convlib._native import cpu, deform, deform_grad
from convlib._problem import ConvProblem, five_axes
from convlib._terms import (
    ACTIVATION_CODES,
    CALL_SECONDS,
    COPIED_BYTES,
    STREAM_BYTES,
    by_dtype,
    even,
    padded,
    scratch_bytes,
)
from convlib._threads import thread_count

CONV = by_dtype(deform.conv)
AT_POINTS = by_dtype(deform_grad.at_points)
IMAGES = by_dtype(deform_grad.images)
KERNEL = by_dtype(deform_grad.kernel)
PACK = by_dtype(deform_grad.pack)

COLUMNS_BYTES = 256 * 1024    # of the columns of a block, which stay in the second-level cache
BLOCK_PIXELS = 512
RUN_POINTS = 1024             # that are found at once
PART_PIXELS = 128             # outputs over which the kernel's gradient is summed at once
PART_CHANNELS = 32            # of a task of the kernel's gradient
CHUNK_BYTES = 16 * 2**20      # of images that are copied together, where they must be
ADDRESS = np.dtype(np.intp).itemsize

# Predicted speeds of one thread.
PRODUCT_SECONDS = 3e-10       # of a vector of products
POINT_SECONDS = 4e-9          # to find a point
SAMPLED_BYTES = 6e9           # values at points, bytes a second


class DeformProblem(NamedTuple):
    """What is computed for one image."""

    conv: ConvProblem       # with the same settings
    offset_groups: int

    @property
    def n_taps(self):
        """Taps of the kernel."""
        return prod(self.conv.kernel_size)

    @property
    def n_points(self):
        """Points of an output."""
        return self.n_taps * self.offset_groups

    @property
    def n_pixels(self):
        """Outputs of an image, by channel."""
        return prod(self.conv.output_size)

    @property
    def taps(self):
        """Taps down, taps across and offset groups, for C."""
        return np.array([*self.conv.kernel_size[1:], self.offset_groups], dtype=np.intp)

    def geometry(self):
        """Return the settings of each axis, for C."""
        return self.conv.geometry((0, 0, 0))

    def seconds(self):
        """Return the predicted seconds for one image on one thread."""
        product = panels.work(self.conv, True)["product"]
        sampled = self.n_pixels * self.n_taps * self.conv.in_channels * self.conv.itemsize
        return (product * PRODUCT_SECONDS + self.n_pixels * self.n_points * POINT_SECONDS
                + sampled / SAMPLED_BYTES)


class Layout(NamedTuple):
    """Blocks of outputs, and the room for their columns and points."""

    block: int      # outputs of a task
    run: int        # of them, most whose points are found at once
    step: int       # room for these points
    pitch: int      # values between neighbouring columns


def blocks(problem, channels, n_points):
    """Return the `Layout` for columns of some channels, with some points of each output."""
    conv = problem.conv
    rows = cpu.max_rows()
    pitch = problem.n_taps * channels
    macs = conv.depth * conv.out_channels
    wanted = min(COLUMNS_BYTES // (pitch * conv.itemsize), panels.TASK_MACS // macs, BLOCK_PIXELS)
    wanted = max(1, round(wanted / rows)) * rows    # whole tiles of the product
    block = even(problem.n_pixels, int(wanted))
    run = max(1, min(block, conv.output_size[2], RUN_POINTS // n_points))
    return Layout(block, run, whole_vectors(run * n_points), pitch)


@lru_cache(maxsize=256)
def layout(problem, tier):
    """Return the `Layout` of the convolution itself and the bytes of scratch for one thread."""
    conv = problem.conv
    block, run, step, pitch = blocks(problem, conv.in_channels, problem.n_points)
    if pitch * conv.itemsize % 4096 == 0:
        pitch += 16    # columns 4 KiB apart would all fall into the same few cache lines
    n_bytes = scratch_bytes(
        *points_bytes(step, conv.itemsize), conv.in_channels * conv.itemsize,
        block * pitch * conv.itemsize, conv.depth * ADDRESS, block * ADDRESS, block * ADDRESS,
        panels.spare_size(conv.dtype) * conv.itemsize)
    return Layout(block, run, step, pitch), n_bytes


def whole_vectors(n):
    """Return as many points as fill whole vectors; their coordinates are float64."""
    return padded(n, "float64")


def points_bytes(step, itemsize):
    """Return the pieces that `cut_points` of _native/points.pxd takes from the scratch."""
    return (8 * step, 8 * step, 32 * step, 4 * step * itemsize, 2 * step * itemsize,
            2 * step * itemsize, step * itemsize)


def run(problem, images, kernel, bias, offsets, mask, out, n_threads, first_row=0):
    """Write the deformable convolution of the images to `out`, whose first row is `first_row`."""
    conv = problem.conv
    seconds = CALL_SECONDS + len(images) * problem.seconds()
    n_threads = thread_count(n_threads, seconds)
    prepared = panels.prepare(conv, kernel, bias, n_threads)
    form, n_bytes = layout(problem, cpu.tier())
    n_blocks = -(-problem.n_pixels // form.block)
    scratch = np.empty((min(n_threads, len(images) * n_blocks), n_bytes), np.uint8)
    for part in parts(problem, images, offsets, mask):
        some, some_offsets, some_mask = dense(problem, part, images, offsets, mask)
        CONV[conv.dtype](
            some, *prepared, some_offsets, some_mask, five_axes(out[part]),
            conv.geometry((0, first_row, 0)), problem.taps, ACTIVATION_CODES[conv.activation],
            out.nbytes > STREAM_BYTES, *form, scratch)


def parts(problem, images, *others):
    """Return slices of the batch: one, or where arrays must be copied first, short ones."""
    n_images = len(others[0])
    copied = [array for array in others if array is not None and not is_dense(problem, array)]
    if images is not None and not has_dense_pixels(problem, images):
        copied.append(images)
    if not copied:
        return [slice(0, n_images)]
    largest = max(prod(array.shape[1:]) for array in copied) * problem.conv.itemsize
    length = max(1, CHUNK_BYTES // max(1, largest))
    return [slice(first, min(first + length, n_images)) for first in range(0, n_images, length)]


def has_dense_pixels(problem, images):
    """Whether C may read the images as they are: it asks for neighbouring channels alone."""
    return images.dtype == problem.conv.dtype and (
        images.shape[3] == 1 or images.strides[3] == images.itemsize)


def is_dense(problem, array):
    """Whether C may read offsets, masks and gradients as they are."""
    return array.dtype == problem.conv.dtype and array.flags.c_contiguous


def dense(problem, part, images, offsets, mask):
    """Return a part of the batch as C reads it."""
    dtype = problem.conv.dtype
    offsets = np.ascontiguousarray(offsets[part], dtype)
    offsets = offsets.reshape(len(offsets), problem.n_pixels, 2 * problem.n_points)
    if mask is None:
        mask = np.empty((0, 1, 1), dtype)
    else:
        mask = np.ascontiguousarray(mask[part], dtype)
        mask = mask.reshape(len(mask), problem.n_pixels, problem.n_points)
    if images is not None:
        images = images[part]
        if not has_dense_pixels(problem, images):
            images = np.ascontiguousarray(images, dtype)
    return images, offsets, mask


# Gradients


class Transposed(NamedTuple):
    """The kernel from outputs to columns, packed for the product, a block of channels at a time."""

    panels: np.ndarray      # (blocks * units, panels of a unit)
    units: np.ndarray       # (blocks, units, 5), see _native/deform_grad.pyx
    unit_channels: int


def transpose(problem, kernel, n_channels, n_threads):
    """Return the `Transposed` kernel in blocks of `n_channels`, see `channel_block`.

    Without groups, a block is one product that makes all taps; with groups, each tap of a group is
    a product.
    """
    conv = problem.conv
    n_taps, group_in, group_out = problem.n_taps, conv.group_size, conv.group_out
    n_blocks = -(-conv.in_channels // n_channels)
    if conv.groups == 1:
        unit_channels = n_channels
        units = [[(0, 0, n_taps, 0, block * n_channels)] for block in range(n_blocks)]
    else:
        unit_channels, n_groups = group_in, n_channels // group_in
        units = [[(group * group_out, tap * n_channels + group % n_groups * group_in,
                   int(group < conv.groups), tap, 0)
                  for group in range(block * n_groups, (block + 1) * n_groups)
                  for tap in range(n_taps)] for block in range(n_blocks)]
    units = np.array(units, dtype=np.intp)
    width = padded(int(units[0, 0, 2]) * unit_channels, conv.dtype)
    packed = np.empty((units.shape[0] * units.shape[1], (1 + group_out) * width), conv.dtype)
    PACK[conv.dtype](
        kernel.reshape(n_taps, group_in, conv.out_channels), packed, units, unit_channels,
        thread_count(n_threads, 4 * packed.nbytes / COPIED_BYTES))
    return Transposed(packed, units, unit_channels)


def channel_block(problem, n_blocks):
    """Return the channels of about as many blocks: whole vectors, or whole groups."""
    conv = problem.conv
    if conv.groups == 1:
        return min(conv.in_channels, padded(-(-conv.in_channels // n_blocks), conv.dtype))
    return conv.group_size * even(conv.groups, -(-conv.groups // n_blocks))


def grad_scratch(problem, form, n_channels):
    """Return the bytes for one thread that makes columns of some channels."""
    conv = problem.conv
    return scratch_bytes(
        *points_bytes(form.step, conv.itemsize), 4 * form.step * conv.itemsize,
        conv.in_channels * conv.itemsize,
        form.block * problem.n_taps * n_channels * conv.itemsize, conv.group_out * ADDRESS,
        form.block * ADDRESS, form.block * ADDRESS, panels.spare_size(conv.dtype) * conv.itemsize)


def grad_at_points(problem, grad, images, kernel, offsets, mask, grad_offsets, grad_mask,
                   n_threads):
    """Write the gradients of offsets and masks; None for one that nobody wants."""
    conv = problem.conv
    n_threads = thread_count(n_threads, CALL_SECONDS + len(images) * problem.seconds())
    transposed = transpose(problem, kernel, conv.in_channels, n_threads)
    form = blocks(problem, conv.in_channels, problem.n_points)
    n_tasks = len(images) * -(-problem.n_pixels // form.block)
    scratch = np.empty(
        (min(n_threads, n_tasks), grad_scratch(problem, form, conv.in_channels)), np.uint8)
    nothing = np.empty((0, 1, 1), conv.dtype)
    for part in parts(problem, images, grad, offsets, mask):
        some, some_offsets, some_mask = dense(problem, part, images, offsets, mask)
        outs = (nothing if array is None else array[part].reshape(
            len(some), problem.n_pixels, -1) for array in (grad_offsets, grad_mask))
        AT_POINTS[conv.dtype](
            some, np.ascontiguousarray(grad[part], conv.dtype), *transposed, some_offsets,
            some_mask, *outs, problem.geometry(), problem.taps, form.block, form.run, form.step,
            scratch)


def grad_images(problem, grad, kernel, offsets, mask, out, n_threads):
    """Write the gradients of the images to `out`."""
    conv = problem.conv
    n_threads = thread_count(n_threads, CALL_SECONDS + len(grad) * problem.seconds())
    n_blocks = -(-2 * n_threads // len(grad)) if n_threads > 1 else 1
    n_channels = channel_block(problem, n_blocks)
    transposed = transpose(problem, kernel, n_channels, n_threads)
    group_size = conv.in_channels // problem.offset_groups
    # A block may begin and end within an offset group.
    n_groups = min(problem.offset_groups, (n_channels - 1) // group_size + 2)
    form = blocks(problem, n_channels, n_groups * problem.n_taps)
    scratch = np.empty((min(n_threads, len(grad) * len(transposed.units)),
                        grad_scratch(problem, form, n_channels)), np.uint8)
    for part in parts(problem, None, grad, offsets, mask):
        _, some_offsets, some_mask = dense(problem, part, None, offsets, mask)
        IMAGES[conv.dtype](
            np.ascontiguousarray(grad[part], conv.dtype), *transposed, some_offsets, some_mask,
            out[part], problem.geometry(), problem.taps, n_channels, form.block, form.run,
            form.step, scratch)


def grad_kernel(problem, grad, images, offsets, mask, out, n_threads):
    """Write the gradient of the kernel to `out`."""
    conv = problem.conv
    n_threads = thread_count(n_threads, CALL_SECONDS + len(images) * problem.seconds())
    group_size = conv.in_channels // problem.offset_groups
    n_channels = even(group_size, PART_CHANNELS)
    block = even(problem.n_pixels, PART_PIXELS)
    step = whole_vectors(block)
    columns = padded(conv.group_out, conv.dtype)
    n_bytes = scratch_bytes(
        *points_bytes(step, conv.itemsize), conv.in_channels * conv.itemsize,
        block * n_channels * conv.itemsize, n_channels * columns * conv.itemsize, block * ADDRESS,
        n_channels * ADDRESS, n_channels * ADDRESS, block * columns * conv.itemsize)
    n_tasks = problem.n_points * -(-group_size // n_channels)
    scratch = np.empty((min(n_threads, n_tasks), n_bytes), np.uint8)
    out[...] = 0
    for part in parts(problem, images, grad, offsets, mask):
        some, some_offsets, some_mask = dense(problem, part, images, offsets, mask)
        KERNEL[conv.dtype](
            some, np.ascontiguousarray(grad[part], conv.dtype), some_offsets, some_mask,
            out.reshape(problem.n_taps, conv.group_size, conv.out_channels), problem.geometry(),
            problem.taps, n_channels, block, step, scratch)
