"""igemm: the implicit im2col. Windows of a small padded band are the rows of a product."""

from math import gcd, prod
from typing import NamedTuple

import numpy as np

from convlib._conv import panels
from convlib._native import conv_igemm
from convlib._problem import WHOLE
from convlib._speeds import predict
from convlib._terms import (
    ACTIVATION_CODES,
    MODE_CODES,
    STREAM_BYTES,
    by_dtype,
    even,
    scratch_bytes,
)
from convlib._threads import thread_count

CONV = by_dtype(conv_igemm.conv)

BAND_BYTES = 256 * 1024    # stays in the second-level cache beside a panel
BLOCK_PIXELS = 1024        # their addresses stay in cache too
BLOCK_WIDTHS = (1024, 512, 256, 128, 64, 32, 16, 8, 1)


class Layout(NamedTuple):
    """How bands and blocks lie, as C takes it."""

    geometry: object    # of whole images, and ...
    axes: object        # ... (3, 6), the `Axis` of each axis, and its number of taps; as views
    blocks: tuple
    pixels: int         # of a block
    pitch: int
    values: int         # of a band
    n_parts: int        # into which the panels are cut, for short tasks
    scratch: int        # bytes for one thread
    seconds: float      # for one image


class Axis(NamedTuple):
    """How a band covers a block of outputs along one axis."""

    block: int    # outputs
    count: int    # band pixels
    step: int     # image pixels between neighbouring band pixels
    shift: int    # band pixels between neighbouring outputs
    reach: int    # band pixels between neighbouring taps


def refuse(problem):
    """Accept everything that has memory for one band of windows."""
    smallest = prod(band_axis(problem, axis, 1).count for axis in range(3)) * pitch(problem)
    if smallest * problem.itemsize > 2**30:
        return f"a single window takes {smallest * problem.itemsize} bytes"
    return ""


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    copied = prod(problem.image_size) * problem.in_channels * problem.itemsize
    return {"call": 1, "copy": copied} | panels.work(problem, packed)


def grid(problem):
    """Every output is a sum of its own, in one order."""
    return (1,) * problem.rank


prepare = panels.prepare


def layout(problem):
    """Return the `Layout` of bands and blocks."""
    axes = blocking(problem)
    pixels = prod(axis.block for axis in axes)
    values = prod(axis.count for axis in axes) * pitch(problem)
    address = np.dtype(np.intp).itemsize
    return Layout(
        geometry=conv_igemm.table(problem.geometry(WHOLE)),
        axes=conv_igemm.table(
            np.array([(*axis, n) for axis, n in zip(axes, problem.kernel_size)], dtype=np.intp)),
        blocks=tuple(axis.block for axis in axes),
        pixels=pixels,
        pitch=pitch(problem),
        values=values,
        n_parts=panels.n_parts(problem, pixels, 1, 1),
        scratch=scratch_bytes(
            problem.depth * address, pixels * address, pixels * address,
            values * problem.itemsize, panels.spare_size(problem.dtype) * problem.itemsize),
        seconds=predict("igemm", work(problem, True)),
    )


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    n_threads = thread_count(n_threads, len(images) * layout.seconds)
    n_parts = layout.n_parts
    if n_threads > 1:
        n_blocks = len(images) * problem.groups
        n_blocks *= prod(-(-size // block) for size, block in zip(out.shape[1:4], layout.blocks))
        n_parts = panels.n_parts(problem, layout.pixels, n_blocks, n_threads)
        n_threads = min(n_threads, n_blocks * n_parts)
    geometry = layout.geometry if first == WHOLE else problem.geometry(first)
    CONV[problem.dtype](
        images, *prepared, out, geometry, layout.axes, MODE_CODES[problem.padding_mode],
        ACTIVATION_CODES[problem.activation], out.nbytes > STREAM_BYTES, problem.group_size,
        layout.pitch, layout.pixels, layout.values, n_parts,
        np.empty((n_threads, layout.scratch), np.uint8),
    )


def pitch(problem):
    """Return the values between neighbouring band pixels.

    Pixels 4 KiB apart would all fall into the same few cache lines.
    """
    size = problem.group_size
    return size + 16 if size * problem.itemsize % 4096 == 0 else size


def band_axis(problem, axis, block):
    """Return how a band covers `block` outputs of an axis.

    Only pixels that some tap of some output reads are copied: they lie a common divisor of
    stride and dilation apart.
    """
    stride, dilation = problem.stride[axis], problem.dilation[axis]
    taps = problem.kernel_size[axis]
    step = gcd(stride if block > 1 else 0, dilation if taps > 1 else 0) or 1
    count = ((block - 1) * stride + (taps - 1) * dilation) // step + 1
    return Axis(block, count, step, stride // step, dilation // step)


def blocking(problem):
    """Return the `Axis` of each axis: bands fit in cache, and few pixels are copied twice.

    Blocks are one plane deep. Their widths and heights are even parts of the output's.
    """
    depth = band_axis(problem, 0, 1)
    values = BAND_BYTES // problem.itemsize // (depth.count * pitch(problem))
    height, width = problem.output_size[1:]
    best = None
    for wanted in BLOCK_WIDTHS:
        across = band_axis(problem, 2, even(width, wanted))
        rows = min(block_height(problem, values // across.count), BLOCK_PIXELS // across.block)
        down = band_axis(problem, 1, even(height, max(1, rows)))
        band, pixels = down.count * across.count, down.block * across.block
        # A block must feed a whole tile of the product first; then its band should fit.
        fits = band <= values
        score = (min(pixels, 8), fits, -band / pixels if fits else -band)
        if best is None or score > best[0]:
            best = score, (depth, down, across)
    return best[1]


def block_height(problem, rows):
    """Return the outputs down a block whose band has at most `rows` rows."""
    reach = (problem.kernel_size[1] - 1) * problem.dilation[1]
    return (rows - 1 - reach) // problem.stride[1] + 1
