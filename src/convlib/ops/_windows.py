"""Pooling by windows below the public functions: the problem, its blocks, the run."""

from dataclasses import dataclass
from functools import lru_cache
from math import gcd, prod
from typing import NamedTuple

import numpy as np

from convlib._native import pool, pool_indices
from convlib._problem import five_axes
from convlib._terms import CALL_SECONDS, by_dtype, even, lanes, scratch_bytes
from convlib._threads import thread_count

# As in _native/pool.pyx.
KINDS = ("max", "mean", "norm_1", "norm_2", "norm")
STREAM, PIXELS, WINDOWS = range(3)
POOL = by_dtype(pool.pool)

MOST_FOLDED = 8            # neighbours combined at one level of a fold
LEVEL_TAPS = 2             # what a level costs besides, in taps
BLOCK_BYTES = 256 * 1024   # rows under a task, which stay in the second-level cache
LINE_VALUES = 64           # what a row costs besides its values
BLOCK_WIDTHS = (4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1)
RUN_VALUES = 2048          # outputs of a task that also finds places
MOST_PLACES = 1024         # taps of a window that is searched as it stands

# Predicted speed of one thread, to decide whether a second one pays.
READ_BYTES = 20e9          # values that go into a sum or a maximum, bytes a second
POWER_SECONDS = 10e-9      # of a general power


@dataclass(frozen=True)
class PoolProblem:
    """What pooling computes for one image; every problem has three spatial axes."""

    rank: int
    image_size: tuple
    size: tuple
    stride: tuple
    dilation: tuple
    padding: tuple
    output_size: tuple
    kind: str
    p: float
    count_include_pad: bool
    dtype: str

    @property
    def itemsize(self):
        """Bytes of a value."""
        return 4 if self.dtype == "float32" else 8

    def reach(self, axis, n):
        """Return the pixels from the first tap of n neighbouring outputs to the last."""
        return (n - 1) * self.stride[axis] + (self.size[axis] - 1) * self.dilation[axis] + 1

    def fold_rows(self):
        """Return the cost and the radices by which the rows of windows are folded."""
        # Levels are made of all rows that lie in a window of the block, not of each stride's alone.
        rows_per_output = self.stride[1] // gcd(self.stride[1], self.dilation[1])
        return fold(self.size[1], self.kind == "max", rows_per_output)

    def fold_columns(self):
        """Return the cost and the radices by which the columns of windows are folded."""
        return fold(self.size[2], self.kind == "max", 1)

    def across(self, channels):
        """Return how neighbours in a row are reduced."""
        _, n_rows, taps = self.size
        stride = self.stride[2]
        if channels < lanes(self.dtype):
            return STREAM
        # Values read and written for one output: all the window, or lines of reduced rows first.
        if not self.fold_rows()[1] and n_rows * taps <= stride * (n_rows + 1) + taps:
            return WINDOWS
        return PIXELS if stride > 1 and stride * self.fold_columns()[0] > taps else STREAM

    def input_rows(self, first, n):
        """Return the bounds of the rows, on the first axis, that n outputs from `first` see."""
        axis = 3 - self.rank
        begin = first * self.stride[axis] - self.padding[axis][0]
        size = self.image_size[axis]
        return min(max(begin, 0), size), min(max(begin + self.reach(axis, n), 0), size)


@lru_cache(maxsize=4096)
def fold(n_taps, is_max, times):
    """Return the cheapest way to reduce a window of many taps, shared by neighbouring windows.

    As many neighbours as the first radix says are combined to values of the first level, of these
    as many as the second says to the next, and so on; a window is reduced from the few values that
    cover it. Those of a maximum may overlap. Sums take what is left over from lower levels:
    nothing is ever subtracted, so no rounding, infinity or NaN outlives its window.

    Parameters
    ----------
    n_taps : int
        Of the window.
    is_max : bool
        Whether values may be counted twice.
    times : int
        Values of each level that are made for one output.

    Returns
    -------
    cost : int
        Values read for one output, levels included.
    radices : tuple of int
        None where each tap is best read by itself.
    """
    best = n_taps, ()
    for radix in range(2, min(MOST_FOLDED, n_taps - 1) + 1):
        n_left, n_over = (-(-n_taps // radix), 0) if is_max else divmod(n_taps, radix)
        cost, radices = fold(n_left, is_max, times)
        cost += times * (radix + LEVEL_TAPS) + n_over
        if cost < best[0]:
            best = cost, (radix, *radices)
    return best


def fold_table(n_taps, is_max, radices):
    """Return a fold for C: its levels and values, (radix, span below), (level, first tap)."""
    spans = [prod(radices[:level]) for level in range(len(radices) + 1)]
    values, first = [], 0
    for level in range(len(radices), -1, -1):
        span = spans[level]
        while n_taps - first >= span:
            values.append((level, first))
            first += span
        if is_max:
            if first < n_taps:
                values.append((level, n_taps - span))
            break
    rows = [(len(radices), len(values)), *zip(radices, spans), *values]
    return np.array(rows, dtype=np.intp)


class Layout(NamedTuple):
    """What is settled for all calls that write some outputs of a problem."""

    axes: object       # (3, 11), as C takes it, as a view
    kind: int
    exponent: float
    across: int
    row_fold: object   # see fold_table, as views
    column_fold: object
    n_rows: int        # of a task
    n_taps: int
    line: int          # values
    n_tasks: int       # for one image
    seconds: float     # for one image
    copies: bool       # whether rows are copied however the images lie
    scratch: tuple     # bytes for one thread, with rows in place and with copies


def lay_out(problem, channels, output_size, first_input=(0, 0, 0), first_output=(0, 0, 0)):
    """Return the `Layout` for outputs from `first_output` on, and pixels from `first_input` on."""
    block, row_step = blocks(problem, channels)
    block = tuple(map(min, block, output_size))
    across = problem.across(channels)
    radices = problem.fold_rows()[1], problem.fold_columns()[1] if across == STREAM else ()
    folds = [fold_table(size, problem.kind == "max", each)
             for size, each in zip(problem.size[1:], radices)]
    row_levels, column_levels = map(len, radices)
    n_rows = (problem.reach(1, block[1]) - 1) // row_step + 1
    line = problem.reach(2, block[2]) * channels
    n_taps = max(problem.size[0], *(each[0, 1] for each in folds), MOST_FOLDED)
    line_bytes, row_bytes = line * problem.itemsize, n_rows * line * problem.itemsize
    address = np.dtype(np.intp).itemsize
    pieces = (line_bytes, (1 + row_levels) * n_rows * address, n_taps * address, line_bytes,
              line_bytes, column_levels * line_bytes, row_levels * row_bytes)
    return Layout(
        axes=pool.table(geometry(problem, first_input, first_output, block, row_step)),
        kind=KINDS.index(problem.kind), exponent=float(problem.p),
        across=across, row_fold=pool.table(folds[0]), column_fold=pool.table(folds[1]),
        n_rows=n_rows, n_taps=n_taps, line=line,
        n_tasks=prod(-(-size // n) for size, n in zip(output_size, block)),
        seconds=channels * seconds(problem, output_size),
        copies=problem.kind.startswith("norm"),
        scratch=tuple(scratch_bytes(*pieces, row_bytes if has_band else 0)
                      for has_band in (problem.size[0] > 1, True)),
    )


def run(problem, images, first_input, out, first_output, n_threads):
    """Write rows `first_output` and on of the pooled images to `out`.

    `images` holds the rows from `first_input` on that these outputs see, perhaps more: rows lie
    along the first spatial axis. The bits are those of the whole image pooled at once.
    """
    images, out = five_axes(images), five_axes(out)
    axis = 3 - problem.rank
    firsts = ([0] * axis + [n] + [0] * (2 - axis) for n in (first_input, first_output))
    launch(lay_out(problem, images.shape[4], out.shape[1:4], *firsts), images, out, n_threads)


def launch(layout, images, out, n_threads):
    """Write what a layout was made for to `out`; all arrays have five axes."""
    n_threads = thread_count(n_threads, CALL_SECONDS + len(images) * layout.seconds)
    if n_threads > 1:
        n_threads = min(n_threads, len(images) * layout.n_tasks)
    in_place = not layout.copies and rows_are_dense(images)
    POOL[images.dtype](
        images, out, layout.axes, layout.kind, layout.exponent, layout.across,
        layout.row_fold, layout.column_fold, in_place, layout.n_rows, layout.n_taps, layout.line,
        layout.n_rows * layout.line, np.empty((n_threads, layout.scratch[not in_place]), np.uint8),
    )


def run_indices(problem, images, out, indices, n_threads):
    """Write the maxima of the images to `out` and their places to `indices`."""
    images, out, indices = map(five_axes, (images, out, indices))
    channels = images.shape[4]
    is_dense = rows_are_dense(images)
    n_taps, n_rows = prod(problem.size), prod(problem.size[:2])
    # The tables of a window are short, or not made.
    by_windows = is_dense and channels >= lanes(problem.dtype) and n_taps <= MOST_PLACES
    if not by_windows:
        n_taps = n_rows = 1
    width = min(out.shape[3], max(1, RUN_VALUES // channels))
    n_tasks = prod(out.shape[:3]) * -(-out.shape[3] // width)
    work = prod(problem.size) * out.size * problem.itemsize / READ_BYTES
    n_threads = min(thread_count(n_threads, CALL_SECONDS + 4 * work), n_tasks)
    columns = np.zeros(1, np.int64)
    if not by_windows:
        columns = np.repeat(np.arange(width, dtype=np.int64) * problem.stride[2], channels)
    pool_indices.max_pool(
        images, out, indices, geometry(problem, (0, 0, 0), (0, 0, 0), (1, 1, width), 1),
        by_windows, is_dense and (problem.stride[2] == 1 or width == 1), columns,
        np.empty((n_threads, len(columns)), problem.dtype),
        np.empty((n_threads, n_rows), np.intp), np.empty((n_threads, n_rows + n_taps), np.int64),
    )


def unpool(pooled, indices, out, n_threads):
    """Write zeros to `out`, and the pooled values to their places."""
    n_images, channels = len(out), out.shape[-1]
    n_values = pooled.size + out.size
    n_threads = thread_count(n_threads, CALL_SECONDS + 2 * n_values * out.itemsize / READ_BYTES)
    n_parts = min(channels, max(1, 4 * n_threads // max(1, n_images)), max(1, channels // 16))
    pool_indices.max_unpool(
        pooled.reshape(n_images, -1, channels), indices.reshape(n_images, -1, channels),
        out.reshape(n_images, -1, channels), n_parts, max(1, min(n_threads, n_images * n_parts)),
    )


def geometry(problem, first_in, first_out, block, row_step):
    """Return the settings of each axis, for C."""
    before, after = zip(*problem.padding)
    is_counted = problem.count_include_pad
    bounds = [(-low * is_counted, size + high * is_counted)
              for size, low, high in zip(problem.image_size, before, after)]
    columns = (problem.image_size, problem.size, problem.stride, problem.dilation, before,
               first_in, first_out, block, (1, row_step, 1), *zip(*bounds))
    return np.array(columns, dtype=np.intp).T.copy()


def rows_are_dense(images):
    """Whether the pixels of each row are neighbours in memory."""
    if images.flags.c_contiguous:
        return True
    *_, width, channels = images.shape
    return ((channels == 1 or images.strides[4] == images.itemsize)
            and (width == 1 or images.strides[3] == channels * images.itemsize))


def blocks(problem, channels):
    """Return the outputs of a task along each axis, and the pixels between the rows under it.

    Rows under a task fit in cache, and few are read for two tasks. Tasks are even parts.
    """
    values = BLOCK_BYTES // problem.itemsize // (1 + len(problem.fold_rows()[1]))
    _, out_height, out_width = problem.output_size
    best = None
    for wanted in BLOCK_WIDTHS:
        width = even(out_width, wanted)
        line = problem.reach(2, width) * channels
        height = (values // line - problem.reach(1, 1)) // problem.stride[1] + 1
        height = even(out_height, max(1, height))
        step = row_step(problem, height)
        n_rows = (problem.reach(1, height) - 1) // step + 1
        fits = n_rows * line <= values
        read = n_rows * (line + LINE_VALUES) / (height * width)
        if best is None or (fits, -read) > best[0]:
            best = (fits, -read), (1, height, width), step
    return best[1:]


def row_step(problem, height):
    """Return the distance of the rows of a block, between which no tap looks."""
    stride = problem.stride[1] if height > 1 else 0
    dilation = problem.dilation[1] if problem.size[1] > 1 else 0
    return gcd(stride, dilation) or 1


def seconds(problem, output_size):
    """Return the predicted seconds for one channel of one image on one thread."""
    rows = output_size[0] * output_size[1] * problem.image_size[2]
    outputs = prod(output_size)
    taps = problem.size[0] + problem.fold_rows()[0]
    n_bytes = problem.itemsize * (rows * taps + outputs * problem.fold_columns()[0])
    powers = rows * taps * POWER_SECONDS if problem.kind == "norm" else 0
    return n_bytes / READ_BYTES + powers
