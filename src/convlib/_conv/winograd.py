"""winograd and winograd2: kernels of three taps by minimal filtering, F(4, 3) and F(2, 3).

Tiles of the image and the kernel are evaluated at points, as polynomials are; there a convolution
is one product per point, over the channels; and the outputs are interpolated. F(4 x 4, 3 x 3)
takes 36 products for 16 outputs where the definition takes 144, F(2 x 2, 3 x 3) 16 for 4 instead
of 36, with less rounding and smaller kernels. A stride of two splits samples and taps into even
and odd ones. Dilated kernels see interleaved images of their own.
"""

from functools import partial
from math import prod
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from convlib._conv import panels
from convlib._native import conv_winograd
from convlib._speeds import predict
from convlib._terms import (
    ACTIVATION_CODES,
    COPIED_BYTES,
    MODE_CODES,
    PREPARED_BYTES,
    aligned,
    lanes,
    padded,
)
from convlib._threads import thread_count

SAMPLES_BYTES = 250e3      # of the transformed tiles of a task, which stay in cache
MOST_TILES = 128           # of a task
TASK_PRODUCTS = 1e6        # of vectors; about 200 us
FEWEST_TILES = 12          # of a task, which fill tiles of the product
FEWEST_PANELS = 4          # of a group, for which tiles are transformed


class Line(NamedTuple):
    """How a line of samples becomes a line of outputs; winograd.h has the arithmetic."""

    code: int       # as in _native/c/microkernels.h
    points: int     # and samples
    outputs: int


ONE, TWO, FOUR, STRIDED = Line(0, 1, 1), Line(1, 4, 2), Line(2, 6, 4), Line(3, 9, 4)


class Layout(NamedTuple):
    """What a task looks like, for C and for scratch."""

    axes: np.ndarray       # (3, 7): outputs, samples, step, 0, and room for tiles, origin, line
    offsets: np.ndarray
    n_points: int
    most_tiles: int        # of a task
    seconds: float


def refuse(problem, is_small=False):
    """Accept kernels of one and three taps along their axes, and of strides one and two."""
    taps = problem.kernel_size
    if set(taps) - {1, 3} or max(taps) == 1:
        return "the kernel has not three taps along an axis, and three or one along the others"
    for axis in range(3):
        stride, dilation = problem.stride[axis], problem.dilation[axis]
        if taps[axis] == 3 and (stride > (1 if is_small else 2) or (stride > 1 and dilation > 1)):
            return "the stride is too large, or goes with a dilation"
    if min(taps) == 3 and (problem.stride[0] > 1 or problem.stride[1] != problem.stride[2]):
        return "the strides of a volume are not one along the depth and equal along the others"
    size = prepared_values(problem, is_small) * problem.itemsize
    if size > PREPARED_BYTES:
        return f"the prepared kernel would take {size} bytes"
    return ""


def lines(problem, is_small):
    """Return the `Line` of each axis. Volumes have short ones along the depth."""
    chosen = [
        ONE if taps == 1 else STRIDED if stride == 2 else TWO if is_small else FOUR
        for taps, stride in zip(problem.kernel_size, problem.stride)
    ]
    if min(problem.kernel_size) == 3:
        chosen[0] = TWO
    return chosen


def n_points(problem, is_small):
    """Return at how many points a tile is evaluated."""
    return prod(line.points for line in lines(problem, is_small))


def prepared_values(problem, is_small):
    """Return the size of the kernel at the points."""
    rows = problem.groups * (1 + problem.group_size)
    return n_points(problem, is_small) * rows * padded(problem.group_out, problem.dtype)


def step(problem, line, axis):
    """Return the distance of the samples of a tile, which is that of its outputs too."""
    return problem.dilation[axis] if line in (TWO, FOUR) else 1


def tiles_from(first, n, outputs, step):
    """Return how many tiles cover outputs first ... first + n - 1, and the output they begin at.

    `step` tiles stand between each other; together they cover `period` outputs.
    """
    period = outputs * step
    origin = first // period * period
    n += first - origin
    return n // period * step + min(n % period, step), origin


def pitch_of(problem):
    """Return the values between tiles: whole vectors, and not 4 KiB, which cache lines share."""
    pitch = padded(problem.group_size, problem.dtype)
    is_shared = pitch * problem.itemsize % 4096 == 0
    return pitch + lanes(problem.dtype) if is_shared else pitch


def work(problem, packed, is_small=False):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    n_tiles = prod(
        tiles_from(0, problem.output_size[axis], line.outputs, step(problem, line, axis))[0]
        for axis, line in enumerate(lines(problem, is_small))
    )
    vectors_in = problem.groups * padded(problem.group_size, problem.dtype) / lanes(problem.dtype)
    vectors_out = problem.groups * padded(problem.group_out, problem.dtype) / lanes(problem.dtype)
    values = n_tiles * n_points(problem, is_small)
    size = prepared_values(problem, is_small) * problem.itemsize
    amounts = {
        "call": 1, "product": values * problem.group_size * vectors_out,
        "samples": values * vectors_in, "outputs": values * vectors_out, **panels.reading(size),
    }
    return amounts if packed else amounts | {"pack": size, "far pack": amounts["weights"]}


def grid(problem, is_small=False):
    """Return the outputs of the tiles that stand between each other."""
    periods = [
        line.outputs * step(problem, line, axis)
        for axis, line in enumerate(lines(problem, is_small))
    ]
    return tuple(periods[3 - problem.rank:])


def prepare(problem, kernel, bias, n_threads, is_small=False):
    """Return the kernel at the points, and the bias of whole panels."""
    size = prepared_values(problem, is_small)
    points = aligned((problem.groups, size // problem.groups), problem.dtype)
    codes = np.array([line.code for line in lines(problem, is_small)], dtype=np.intc)
    n_tasks = problem.groups * panels.n_panels(problem)
    n_threads = thread_count(n_threads, size * problem.itemsize / COPIED_BYTES / 2, n_tasks)
    conv_winograd.transform_kernel(
        kernel.reshape(*problem.kernel_size, problem.group_size, problem.out_channels), codes,
        points, n_points(problem, is_small), n_threads,
    )
    width = 2 * lanes(problem.dtype)
    rows = np.zeros((problem.groups, -(-problem.group_out // width) * width), problem.dtype)
    rows[:, :problem.group_out] = bias.reshape(problem.groups, problem.group_out)
    return points, rows.ravel()


def layout(problem, is_small=False):
    """Return the `Layout` of tiles and scratch."""
    axes = np.zeros((3, 7), np.intp)
    chosen = lines(problem, is_small)
    for axis, line in enumerate(chosen):
        axes[axis] = (line.outputs, line.points, step(problem, line, axis), 0, 0, 0, line.code)
    points = n_points(problem, is_small)
    tile_bytes = points * pitch_of(problem) * problem.itemsize
    name = "winograd2" if is_small else "winograd"
    return Layout(
        axes=axes, offsets=np.arange(problem.group_size, dtype=np.intp), n_points=points,
        most_tiles=max(1, min(MOST_TILES, int(SAMPLES_BYTES // tile_bytes))),
        seconds=predict(name, work(problem, True, is_small)),
    )


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    points, bias = prepared
    axes = layout.axes.copy()
    for axis in range(3):
        outputs, step = int(axes[axis, 0]), int(axes[axis, 2])
        axes[axis, 4:6] = tiles_from(first[axis], out.shape[1 + axis], outputs, step)
    n_threads = thread_count(n_threads, len(images) * layout.seconds)
    n_tiles = len(images) * int(axes[:, 4].prod())
    block, n_parts = blocks(problem, layout, n_tiles, n_threads)
    width, pitch = 2 * lanes(problem.dtype), pitch_of(problem)
    n_threads = min(n_threads, -(-n_tiles // block) * n_parts)
    # A step from point to point may be one vector longer.
    samples = layout.n_points * (block * pitch + width)
    products = layout.n_points * (block * width + width)
    rest = max(layout.n_points * pitch, problem.in_channels) + max(
        panels.spare_size(problem.dtype), int(axes[:, 0].prod()) * width)
    conv_winograd.conv(
        images, points, bias, out, problem.geometry(first), axes,
        MODE_CODES[problem.padding_mode], ACTIVATION_CODES[problem.activation],
        problem.group_size, pitch, block, n_parts, layout.offsets,
        aligned((n_threads, samples + products + rest), problem.dtype),
        np.empty((n_threads, 3 * layout.n_points * block), np.intp),
    )


def blocks(problem, layout, n_tiles, n_threads):
    """Return the tiles of a task, and into how many parts the panels of all groups are cut.

    Each group of a task transforms its tiles: groups are cut freely, panels of a group seldom.
    """
    groups = problem.groups
    n_panels = groups * panels.n_panels(problem)
    n_blocks = -(-n_tiles // layout.most_tiles)
    wanted = 4 * n_threads if n_threads > 1 else 1
    if n_blocks * groups < wanted:
        n_blocks = max(n_blocks, min(-(-wanted // groups), n_tiles // FEWEST_TILES))
    if n_blocks < 8 * n_threads and groups == 1:
        n_blocks = min(n_blocks + -n_blocks % n_threads, n_tiles)
    block = -(-n_tiles // n_blocks)
    products = block * layout.n_points * problem.group_size * n_panels * 2
    long = min(round(products / TASK_PRODUCTS), max(groups, n_panels // FEWEST_PANELS))
    return block, min(n_panels, max(1, long, -(-wanted // n_blocks)))


SMALL = SimpleNamespace(
    refuse=partial(refuse, is_small=True), work=partial(work, is_small=True),
    grid=partial(grid, is_small=True), prepare=partial(prepare, is_small=True),
    layout=partial(layout, is_small=True), run=run,
)
