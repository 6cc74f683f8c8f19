"""The gradient of a kernel below the public functions: the blocks of its product, the run."""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from convlib._conv.igemm import band_axis
from convlib._conv.stencil import CROWDING
from convlib._native import conv_grad, cpu
from convlib._problem import WHOLE, five_axes
from convlib._terms import (
    CALL_SECONDS,
    COPIED_BYTES,
    MODE_CODES,
    by_dtype,
    even,
    lanes,
    padded,
    scratch_bytes,
)
from convlib._threads import thread_count

KERNEL = by_dtype(conv_grad.kernel)
ADD_PARTS = by_dtype(conv_grad.add_parts)

BLOCK_PIXELS = (256, 128, 64, 32, 16, 8, 4, 2, 1)    # of a block, at most
BAND_BYTES = 256 * 1024     # under a block
PANEL_BYTES = 256 * 1024    # of the gradients of a block
FEW_CHANNELS = 16           # of a band; with fewer, gradients are read too often
TASK_MACS = 4e6             # about 80 us
MOST_TASKS = 64             # beyond these, sums in parts are not worth their memory
LEAST_TASKS = 16
SUM_BYTES = 8 * 2**20       # of all parts
VECTOR_SECONDS = 3.3e-10    # of a product of vectors


class Layout(NamedTuple):
    """What is settled for all calls of a kind, as C takes it."""

    geometry: np.ndarray
    axes: np.ndarray     # (3, 6): the `Axis` of each axis, and its number of taps
    n_images: int        # of a block
    in_block: int        # channels of a task
    out_block: int       # panels of a task
    panel: int           # outputs
    pitch: int           # values between neighbouring pixels of a band
    band: int            # values of the band of an image, 0: images are read in place
    plain: int           # values of a band before its channels are repeated, 0: they are not
    pixels: int          # of a block
    is_lanewise: bool    # whether small groups share vectors
    n_columns: int       # of the sums, in whole vectors
    n_parts: int         # into which the blocks are cut, each with sums of its own
    n_tasks: int
    scratch: tuple       # bytes for one thread, with gradients in place and with panels
    seconds: float


def run(problem, images, grads, out, n_threads):
    """Write the gradient of the kernel of a `ConvProblem`; all is trusted, and nothing empty."""
    layout = lay_out(problem, len(images), cpu.tier())
    n_threads = thread_count(n_threads, layout.seconds)
    if n_threads > 1:
        n_threads = min(n_threads, layout.n_tasks)
    out = out.reshape(-1, problem.out_channels)
    fills_vectors = layout.n_columns == problem.out_channels
    is_direct = layout.n_parts == 1 and fills_vectors
    sums = out[np.newaxis] if is_direct else np.empty(
        (layout.n_parts, len(out), layout.n_columns), out.dtype)
    packs = not (grads.flags.c_contiguous and fills_vectors) or crowds(
        problem.out_channels * problem.itemsize)
    KERNEL[problem.dtype](
        five_axes(images), five_axes(grads), sums, layout.geometry, layout.axes,
        MODE_CODES[problem.padding_mode], problem.groups, layout.n_images, layout.in_block,
        layout.out_block, layout.panel, layout.pitch, layout.band, layout.plain, layout.pixels,
        layout.is_lanewise, packs, np.empty((n_threads, layout.scratch[packs]), np.uint8),
    )
    if not is_direct:
        ADD_PARTS[problem.dtype](
            sums, out, 1 if layout.is_lanewise else problem.groups,
            thread_count(n_threads, sums.nbytes / COPIED_BYTES))


@lru_cache(maxsize=1024)
def lay_out(problem, n_images, tier):
    """Return the `Layout` for a number of images, in the tier in use."""
    width, group_in, group_out = lanes(problem.dtype), problem.group_size, problem.group_out
    # Two groups and more to a vector.
    is_lanewise = problem.groups > 1 and 2 * group_out <= width
    in_place = problem.is_pointwise and not is_lanewise and not crowds(
        problem.in_channels * problem.itemsize)
    panel = width if is_lanewise else 2 * width
    n_products = 1 if is_lanewise else problem.groups
    n_panels = -(-problem.out_channels // (n_products * panel))
    # Values of a band for each of its pixels: the least, and all.
    least = group_in * width if is_lanewise else min(group_in, FEW_CHANNELS)
    most = least * n_panels if is_lanewise else group_in
    values = BAND_BYTES // problem.itemsize
    for most_pixels in BLOCK_PIXELS:
        block = block_of(problem, n_images, most_pixels)
        axes = [band_axis(problem, axis, size) for axis, size in enumerate(block[1:])]
        n_pixels = prod(block) if in_place else block[0] * prod(axis.count for axis in axes)
        if in_place or values // n_pixels >= least:
            break
    kept = max(least if is_lanewise else 1, min(most, values // n_pixels))
    in_block = group_in if is_lanewise else even(group_in, kept)
    panel_bytes = prod(block) * panel * problem.itemsize
    out_block = kept // least if is_lanewise else max(1, PANEL_BYTES // panel_bytes)
    out_block = even(n_panels, min(out_block, n_panels))
    n_columns = n_products * padded(problem.out_channels // n_products, problem.dtype)
    n_in = n_products * -(-group_in // in_block)
    n_parts = parts(problem, n_images, block, n_in * -(-n_panels // out_block), n_columns)
    while n_parts * n_in * -(-n_panels // out_block) < LEAST_TASKS and out_block > 1:
        out_block = -(-out_block // 2)
    n_tasks = n_parts * n_in * -(-n_panels // out_block)

    pitch, plain = apart(in_block, problem.itemsize), 0
    if is_lanewise:
        repeats = 2 * group_out if group_in * group_out > 1 else 0
        pitch = in_block * (out_block * panel + repeats) + width // 2
        if repeats:
            plain = (n_pixels // block[0] + 1) * group_in * (out_block * panel // group_out + 2)
    band = 0 if in_place else n_pixels // block[0] * pitch
    n_rows, address = prod(problem.kernel_size) * in_block, np.dtype(np.intp).itemsize
    pieces = (
        n_rows * address, n_rows * address, prod(block) * address, 2 * width * problem.itemsize,
        (block[0] * band + width) * problem.itemsize, plain * problem.itemsize)
    products = n_images * problem.n_macs // problem.out_channels * (n_columns // width)
    return Layout(
        geometry=problem.geometry(WHOLE),
        axes=np.array([(*axis, n) for axis, n in zip(axes, problem.kernel_size)], dtype=np.intp),
        n_images=block[0], in_block=in_block, out_block=out_block, panel=panel, pitch=pitch,
        band=band, plain=plain, pixels=prod(block), is_lanewise=is_lanewise, n_columns=n_columns,
        n_parts=n_parts, n_tasks=n_tasks,
        scratch=(scratch_bytes(*pieces), scratch_bytes(*pieces, panel_bytes * out_block)),
        seconds=CALL_SECONDS + VECTOR_SECONDS * products,
    )


def block_of(problem, n_images, most):
    """Return the images and the outputs along each axis of a block of at most `most` pixels.

    These are neighbours in memory: whole images, planes of one, rows of one, or a part of a row.
    """
    depth, height, width = problem.output_size
    if depth * height * width <= most:
        return even(n_images, most // (depth * height * width)), depth, height, width
    if height * width <= most:
        return 1, even(depth, most // (height * width)), height, width
    if width <= most:
        return 1, 1, even(height, most // width), width
    return 1, 1, 1, even(width, most)


def parts(problem, n_images, block, n_tasks, n_columns):
    """Return into how many parts the blocks are cut, so that there are tasks for some threads."""
    n_blocks = prod(
        -(-size // n) for size, n in zip((n_images, *problem.output_size), block))
    work = n_images * problem.n_macs // problem.out_channels * n_columns / TASK_MACS
    n_bytes = problem.itemsize * problem.depth * n_columns
    return max(1, min(n_blocks, SUM_BYTES // n_bytes, round(min(MOST_TASKS, work) / n_tasks)))


def crowds(n_bytes):
    """Tell whether pixels so far apart share few lines of the first cache; copies spread them."""
    return n_bytes % CROWDING == 0


def apart(n_values, itemsize):
    """Return the distance of pixels in a band: a power of two would crowd few lines of a cache."""
    return n_values + 16 if n_values * itemsize % 512 == 0 else n_values
