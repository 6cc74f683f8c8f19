"""Filters that pick a value of the window by its order: median, extremes, percentiles."""

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._filters import _networks
from convlib._filters._image import filter_image
from convlib._lazy import takes_dask
from convlib._native import cpu, rank_filter, rank_order
from convlib._terms import CALL_SECONDS, MODE_CODES, STREAM_BYTES, even, scratch_bytes
from convlib._threads import thread_count
from convlib.ops._windows import fold, fold_table

# As in _native/c/rank_kernels.h and _native/rank_filter.pyx.
PIXEL_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32",
               "float64")
NETWORK, MEDIAN_3, MEDIAN_5, LARGEST, SMALLEST, LARGEST_OF_BOX, SMALLEST_OF_BOX = range(7)
NETWORK_VECTORS = 4

LINE_BYTES = 4096          # of a task's rows, which stay in the first-level cache
BLOCK_BYTES = 128 * 1024   # lines under a task, which stay in the second-level cache
BLOCK_ROWS = 64
TILE_VALUES = 24_000       # under a tile whose values are ranked
MOST_NETWORK_TAPS = 640    # of windows whose network is tried
MOST_NETWORK_TAPS_OF_BYTES = 256    # where bytes can be counted
MOST_COUNTED_TAPS = 2**16 - 1       # of windows of bytes that are counted
COLUMN_BYTES = 2 * (16 + 16 * 16)   # of the histogram of a column
COUNTED_BYTES = 384 * 1024          # of a tile and the histograms of its columns, for one thread
MOST_TAPS = 2**22          # of any window, except the boxes of extremes

# Predicted speeds of one thread.
SLOT_SECONDS = 0.45e-9     # a smaller or larger value of one vector, with loads and stores
VECTOR_SECONDS = 4e-9      # a vector of an extreme, or of a median in registers
MOVE_SECONDS = 1.4e-9      # a value that leaves a window of bits, and one that enters
RANK_SECONDS = 12e-9       # a value that is ranked
FOUND_SECONDS = 12e-9      # an output that is found in a window of bits
CLEAR_SECONDS = 15e-9      # an empty histogram of a column
COUNT_SECONDS = 6e-9       # a byte that enters the histogram of a column, or leaves it
SUM_SECONDS = 4e-9         # a column that is summed at the beginning of a row
DIGITS_SECONDS = 18e-9     # an output that is found in a histogram


@takes_dask("filtered")
def median(
    image, size=3, *, footprint=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Replace each pixel by the median of the window around it.

    Of an even number of values the upper one of the two in the middle, as in scipy.ndimage. Noise
    of single pixels goes, edges stay. An output whose window holds a NaN is NaN.

    Parameters
    ----------
    image : array-like
        Of any number of axes. Integers keep their dtype; float32 and float64 are kept; float16
        and bool become float32.
    size : int or tuple of int, default=3
        Pixels of the window along each filtered axis. An even window reaches one pixel further
        towards lower indices.
    footprint : array-like of bool, default=None
        Which pixels of the window count, with one axis for each filtered one. It takes the place
        of `size`.
    channel_axis : int, default=None
        Axis of channels, which are filtered one by one.
    axes : int or tuple of int, default=None
        Axes to filter; None means all but `channel_axis`. Others are a stack.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        What stands outside the image, as in `numpy.pad`.
    constant_values : float, default=0
        What stands there in mode 'constant'.
    dtype : dtype, default=None
        Of the result: 'float32', 'float64' or that of an integer image. None keeps it.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray of the shape of `image`, default=None
        Where to write: C-contiguous, of the result's dtype, apart from `image`.

    Returns
    -------
    out : ndarray of the shape of `image`
        The filtered image.

    Raises
    ------
    ValueError
        If a number, a shape or an axis is wrong, or a footprint is empty.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    percentile : Any other order.

    Notes
    -----
    Small windows are selected by networks of exchanges that neighbouring windows share; large
    ones slide over the ranks of a tile's values, and boxes of bytes over histograms of columns,
    which takes the same time for any size.

    References
    ----------
    .. [1] A. Adams, "Fast Median Filters using Separable Sorting Networks", 2021.
    .. [2] T. S. Huang, G. J. Yang and G. Y. Tang, "A Fast Two-Dimensional Median Filtering
       Algorithm", 1979.
    .. [3] S. Perreault and P. Hebert, "Median filtering in constant time", IEEE Transactions on
       Image Processing 16, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.median(np.array([1, 1, 9, 1, 2, 2, 2], dtype=np.uint8), 3)
    array([1, 1, 1, 2, 2, 2, 2], dtype=uint8)
    """
    view = _view(image, channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out)
    footprint = _footprint(view.rank, size, footprint)
    return _filtered(view, footprint, footprint.n_taps // 2)


@takes_dask("filtered")
def maximum(
    image, size=3, *, footprint=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Replace each pixel by the largest value of the window around it: grey dilation.

    An output whose window holds a NaN is NaN.

    Parameters
    ----------
    image : array-like
        As in `median`.
    size, footprint
        As in `median`: the window. Boxes cost little more when they are large.
    channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out
        As in `median`.

    Returns
    -------
    out : ndarray of the shape of `image`
        The filtered image.

    See Also
    --------
    minimum : The smallest value.
    convlib.max_pool : With strides, for batches of images.

    References
    ----------
    .. [1] M. van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and
       octagonal kernels", 1992.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.maximum(np.array([0, 0, 5, 0, 0, 0]), 3)
    array([0, 5, 5, 5, 0, 0])
    """
    view = _view(image, channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out)
    return _extreme(view, _footprint(view.rank, size, footprint), False)


@takes_dask("filtered")
def minimum(
    image, size=3, *, footprint=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Replace each pixel by the smallest value of the window around it: grey erosion.

    An output whose window holds a NaN is NaN.

    Parameters
    ----------
    image : array-like
        As in `median`.
    size, footprint
        As in `median`: the window. Boxes cost little more when they are large.
    channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out
        As in `median`.

    Returns
    -------
    out : ndarray of the shape of `image`
        The filtered image.

    See Also
    --------
    maximum : The largest value.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.minimum(np.array([3, 3, 3, 1, 3, 3]), 3)
    array([3, 3, 1, 1, 1, 3])
    """
    view = _view(image, channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out)
    return _extreme(view, _footprint(view.rank, size, footprint), True)


@takes_dask("filtered")
def percentile(
    image, q, size=3, *, footprint=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Replace each pixel by a percentile of the window around it.

    Always a value of the window: the one with ``int(n * q / 100)`` values before it in order, of
    n in the window, as in scipy.ndimage; for q = 100 the largest. An output whose window holds a
    NaN is NaN.

    Parameters
    ----------
    image : array-like
        As in `median`.
    q : float
        From 0, the smallest value, to 100, the largest.
    size, footprint
        As in `median`: the window.
    channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out
        As in `median`.

    Returns
    -------
    out : ndarray of the shape of `image`
        The filtered image.

    Raises
    ------
    ValueError
        If `q` is not from 0 to 100, or for the reasons of `median`.

    See Also
    --------
    median, maximum, minimum : The usual ones.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.percentile(np.array([4.0, 1.0, 3.0, 2.0, 5.0]), 75, 4)
    array([4., 4., 4., 5., 5.])
    """
    q = check.real_number("q", q, "a number from 0 to 100")
    if not 0 <= q <= 100:
        raise ValueError(check.refusal("q", "a number from 0 to 100", q))
    view = _view(image, channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out)
    footprint = _footprint(view.rank, size, footprint)
    n_taps = footprint.n_taps
    rank = n_taps - 1 if q == 100 else int(n_taps * q / 100)
    if rank == 0 or rank == n_taps - 1:
        return _extreme(view, footprint, rank == 0 and n_taps > 1)
    return _filtered(view, footprint, rank)


class _Footprint(NamedTuple):
    """Which pixels of a window count."""

    size: tuple
    taps: tuple | None    # coordinates in the window; None means all

    @property
    def n_taps(self):
        return prod(self.size) if self.taps is None else len(self.taps)


class _Tables(NamedTuple):
    """What a window is below the checks: on planes of rows, as _native/rank_lines.pxd has it."""

    planes: np.ndarray    # (planes of the image, those in a window)
    rows: tuple           # (plane of the window, row) of each row
    taps: tuple           # (row's number, column)
    height: int           # rows and columns of the window
    width: int
    is_box: bool


def _view(image, channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out):
    return filter_image(
        image, channel_axis=channel_axis, axes=axes, padding_mode=padding_mode,
        constant_values=constant_values, dtype=dtype, n_threads=n_threads, out=out,
        keeps_integers=True)


def _footprint(rank, size, footprint):
    """Return the checked `_Footprint` for so many filtered axes."""
    if footprint is None:
        return _Footprint(check.axis_ints("size", size, rank, 1), None)
    array = np.asarray(footprint)
    allowed = f"an array of bool with {rank} axes, one for each filtered axis, and at least " \
        "one True"
    if array.dtype.kind not in "biuf":
        raise TypeError(check.refusal("footprint", allowed, footprint))
    array = array != 0
    if array.ndim != rank or not array.any():
        raise ValueError(check.refusal("footprint", allowed, footprint))
    taps = None if array.all() else tuple(map(tuple, np.argwhere(array).tolist()))
    return _Footprint(array.shape, taps)


def window_reach(rank, size, footprint):
    """Return the pixels before and after its own that an output sees, along each axis."""
    window = _footprint(rank, size, footprint)
    taps = window.taps or ((0,) * rank, tuple(n - 1 for n in window.size))
    return tuple((n // 2 - min(places), max(places) - n // 2)
                 for n, places in zip(window.size, zip(*taps)))


def _extreme(view, footprint, smallest):
    """Return the image filtered by a maximum or a minimum."""
    if footprint.taps is not None or not view.values.size:
        return _filtered(view, footprint, 0, SMALLEST if smallest else LARGEST)
    kind = SMALLEST_OF_BOX if smallest else LARGEST_OF_BOX
    values = view.values
    # One pass for each axis before the last two, as columns of one image; then these together.
    for axis, n in enumerate(footprint.size[:-2], 1):
        if n > 1:
            shape = values.shape
            rows = values.reshape(prod(shape[:axis]), shape[axis], -1, 1)
            values = _run(view, rows, np.empty_like(rows), (n, 1), None, 0, kind).reshape(shape)
    target = view.target(dtype=values.dtype)
    shape = (-1, *values.shape[-3:]) if len(values.shape) > 3 else values.shape
    _run(view, values.reshape(shape), target.reshape(shape), footprint.size[-2:], None, 0, kind)
    return view.close(target)


def _filtered(view, footprint, rank, kind=None):
    """Return the image filtered by the value of a rank."""
    target = view.target(dtype=view.values.dtype)
    _run(view, view.values, target, footprint.size, footprint.taps, rank, kind)
    return view.close(target)


def _run(view, values, target, size, taps, rank, kind):
    """Write `values`, (stack, *filtered axes, channels), filtered to `target`."""
    if not values.size:
        return target
    if kind not in (LARGEST_OF_BOX, SMALLEST_OF_BOX) and prod(size) > MOST_TAPS:
        raise ValueError(f"size must be a window of at most {MOST_TAPS} pixels; got {size}")
    stack, *lengths, channels = values.shape
    size = (1,) * (2 - len(size)) + tuple(size)
    lengths = (1,) * (2 - len(lengths)) + tuple(lengths)
    if taps is not None:
        taps = tuple((0,) * (len(size) - len(tap)) + tap for tap in taps)
    *outer, height, width = lengths
    shape = (stack, prod(outer), height, width * channels * values.itemsize)
    plan = _plan(tuple(lengths), channels, values.dtype, size, taps, rank, kind,
                 view.padding_mode, cpu.tier())
    constant = np.full(channels, view.constant, values.dtype)
    images, out = values.view(np.uint8).reshape(shape), target.view(np.uint8).reshape(shape)
    n_threads = thread_count(view.n_threads, CALL_SECONDS + stack * plan.seconds,
                             stack * plan.n_tasks)
    scratch = np.empty((n_threads, plan.scratch), np.uint8)
    form = plan.form.copy()
    form[-1] = target.nbytes > STREAM_BYTES
    plan.kernel(images, out, *plan.arguments[:2], form, plan.planes, constant.view(np.uint8),
                *plan.arguments[2:], scratch)
    return target


class _Plan(NamedTuple):
    """What is settled for all calls of a kind."""

    kernel: Callable      # of the images and these
    arguments: tuple      # the first two, and those behind the constant
    form: np.ndarray
    planes: np.ndarray
    n_tasks: int          # for one image of the stack
    seconds: float
    scratch: int          # bytes for one thread


@lru_cache(maxsize=256)
def _plan(lengths, channels, dtype, size, taps, rank, kind, mode, tier):
    """Return the `_Plan`: the cheapest of a network and of windows over ranks or histograms."""
    dtype = dtype.name
    tables = _tables(lengths, size, taps, mode)
    n_taps = len(tables.taps)
    if kind is None and tables.is_box and (len(tables.rows), tables.width) == (3, 3) and rank == 4:
        kind = MEDIAN_3
    if kind is None and tables.is_box and (len(tables.rows), tables.width) == (5, 5) and rank == 12:
        kind = MEDIAN_5
    form = [channels, lengths[-1], MODE_CODES[mode], size[-2] // 2, size[-2], size[-1] // 2,
            size[-1], 1, 1, 0]
    if kind is not None:
        return _network_plan(lengths, dtype, tables, rank, kind, form)
    plans = [_ranked_plan(lengths, dtype, tables, rank, form)]
    is_counted = dtype in ("uint8", "int8") and tables.is_box and n_taps <= MOST_COUNTED_TAPS
    if is_counted:
        plans.append(_counted_plan(lengths, dtype, tables, rank, form))
    if n_taps <= (MOST_NETWORK_TAPS_OF_BYTES if is_counted else MOST_NETWORK_TAPS):
        plans.append(_network_plan(lengths, dtype, tables, rank, None, form))
    return min(plans, key=lambda plan: plan.seconds)


def _tables(lengths, size, taps, mode):
    """Return the `_Tables` of a window."""
    *outer, _, _ = lengths
    *outer_size, height, width = size
    is_box = taps is None
    if is_box:
        n_planes = prod(outer_size)
        rows = tuple(product(range(n_planes), range(height)))
        taps = tuple(product(range(len(rows)), range(width)))
        offsets = list(product(*map(range, outer_size)))
    else:
        offsets = sorted({tap[:-2] for tap in taps})
        rows = tuple(sorted({(offsets.index(tap[:-2]), tap[-2]) for tap in taps}))
        taps = tuple((rows.index((offsets.index(tap[:-2]), tap[-2])), tap[-1]) for tap in taps)
    return _Tables(_plane_table(tuple(outer), tuple(outer_size), offsets, mode), rows, taps,
                   height, width, is_box)


def _plane_table(lengths, size, offsets, mode):
    """Return the planes under a window at each plane, -1 for a constant."""
    if not lengths:
        return np.zeros((1, 1), np.intp)
    table = np.zeros((prod(lengths), len(offsets)), np.intp)
    outside = np.zeros(table.shape, bool)
    places = np.indices(lengths).reshape(len(lengths), -1)
    for axis, (length, n) in enumerate(zip(lengths, size, strict=True)):
        pads = (n // 2, n - 1 - n // 2)
        settings = {"constant_values": -1} if mode == "constant" else {}
        index = np.pad(np.arange(length), pads, mode, **settings)
        shifts = np.array([offset[axis] for offset in offsets], np.intp)
        found = index[places[axis][:, np.newaxis] + shifts]
        outside |= found < 0
        table = table * length + found
    table[outside] = -1
    return table


def _network_plan(lengths, dtype, tables, rank, kind, form):
    """Return the `_Plan` of a network, or of an extreme."""
    *outer, height, width = lengths
    channels = form[0]
    itemsize = np.dtype(dtype).itemsize
    lanes = cpu.lanes(False) * 4 // itemsize
    vector = lanes * itemsize
    is_extreme = kind in (LARGEST, SMALLEST, LARGEST_OF_BOX, SMALLEST_OF_BOX)
    folds = [np.zeros((2, 2), np.intp)] * 2
    program = None
    if kind in (LARGEST_OF_BOX, SMALLEST_OF_BOX):
        folds = [fold_table(n, True, fold(n, True, 1)[1]) for n in (tables.height, tables.width)]
        own_lines = 1 + folds[1][0, 0]
        cost = sum(fold(n, True, 1)[0] for n in (tables.height, tables.width))
    elif is_extreme:
        own_lines, cost = 0, len(tables.taps)
    elif kind is not None:
        own_lines, cost = (3, 18) if kind == MEDIAN_3 else (15, 90)
    else:
        kind = NETWORK
        make = _networks.box_program if tables.is_box else _networks.taps_program
        program = make(len(tables.rows), tables.width, rank) if tables.is_box \
            else make(tables.taps, rank)
        own_lines, cost = program.n_lines, program.cost
    n_levels = int(max(folds[0][0, 0], 0))
    block_x, line_bytes = _line(width, channels, itemsize, vector, form[6], own_lines)
    n_planes = tables.planes.shape[1]
    fits = BLOCK_BYTES // line_bytes // max(1, n_planes) - form[4] + 1
    block_y = even(height, min(BLOCK_ROWS, max(fits, min(16, form[4] + 4))))
    n_lines = n_planes * (block_y + form[4] - 1)
    n_addresses = max(len(tables.taps), len(tables.rows), own_lines,
                      0 if program is None else program.most_slots, 8,
                      int(folds[0][0, 1]), int(folds[1][0, 1]))
    network_bytes = 0 if program is None else program.most_slots * NETWORK_VECTORS * vector
    sizes = np.array([line_bytes, n_lines, n_levels, own_lines, n_addresses, network_bytes],
                     np.intp)
    address = np.dtype(np.intp).itemsize
    scratch = scratch_bytes(
        line_bytes, 2 * line_bytes, (1 + n_levels) * n_lines * address, 3 * n_addresses * address,
        n_lines, network_bytes, own_lines * line_bytes, n_levels * n_lines * line_bytes,
        n_lines * line_bytes)
    n_vectors = prod(lengths) * channels / lanes
    each = VECTOR_SECONDS + cost * SLOT_SECONDS * (1 if program is None else 2)
    empty = _networks.Program(np.zeros((2, 4), np.intc), np.zeros((1, 2), np.intc),
                              np.zeros((1, 3), np.uint16), np.zeros(1, np.uint16), 0, 0, 0)
    program = empty if program is None else program
    form = np.array([*form[:7], block_y, block_x, 0], np.intp)
    return _Plan(
        rank_filter.rank_filter,
        (PIXEL_TYPES.index(dtype), kind, np.array(tables.rows, np.intp),
         np.array(tables.taps, np.intp), program.stages, program.slots, program.exchanges,
         program.chosen, *folds, sizes),
        form, tables.planes,
        prod(outer) * -(-height // block_y) * -(-width // block_x), n_vectors * each, scratch)


def _line(width, channels, itemsize, vector, size_x, own_lines):
    """Return the pixels of a task's rows, and the bytes of a line of them in whole vectors."""
    pixel = channels * itemsize
    wanted = max(LINE_BYTES // (1 + own_lines // 16), 8 * vector, 2 * size_x * pixel)
    block = even(width, max(1, wanted // pixel))
    n_bytes = (block + size_x - 1) * pixel
    # Two vectors more, since short rows are read as one; an odd number of cache lines, since
    # lines that lie a multiple of a page apart would compete for places in the cache.
    lines = -(-(n_bytes + 2 * vector) // 64)
    return block, 64 * (lines + 1 - lines % 2)


def _ranked_plan(lengths, dtype, tables, rank, form):
    """Return the `_Plan` of a window that slides over the ranks of a tile's values."""
    *outer, height, width = lengths
    n_planes, itemsize = tables.planes.shape[1], np.dtype(dtype).itemsize
    vector = cpu.lanes(False) * 4
    block_y, block_x = _tile(height, width, form[4], form[6], n_planes)
    n_columns = block_x + form[6] - 1
    n_values = n_planes * (block_y + form[4] - 1) * n_columns
    taps, leaving, entering = _moves(tables, block_y + form[4] - 1, n_columns)
    n_tasks = prod(outer) * -(-height // block_y) * -(-width // block_x) * form[0]
    seconds = n_tasks * (
        n_values * RANK_SECONDS * (2 if itemsize == 8 else 1)
        + block_y * (len(taps) * MOVE_SECONDS + n_values / 1e11)
        + block_y * block_x * (FOUND_SECONDS + len(leaving) * MOVE_SECONDS))
    scratch = scratch_bytes(
        n_values * itemsize + vector, 4 * n_values, 4 * n_values,
        n_values * (16 if itemsize <= 4 else 32), 8 * (n_values // 64 + 1), 4 * n_values,
        n_values * itemsize + vector, len(taps) * np.dtype(np.intp).itemsize)
    form = np.array([*form[:7], block_y, block_x, 0], np.intp)
    return _Plan(rank_order.rank_order,
                 (PIXEL_TYPES.index(dtype), rank, taps, leaving, entering, n_values), form,
                 tables.planes, n_tasks, seconds, scratch)


def _counted_plan(lengths, dtype, tables, rank, form):
    """Return the `_Plan` of a window that slides over histograms of columns, for bytes."""
    *outer, height, width = lengths
    n_planes, size_y, size_x = tables.planes.shape[1], form[4], form[6]
    plans = []
    for wanted_y, wanted_x in product((32, 64, 128), (64, 128, 256)):
        block_y, block_x = even(height, wanted_y), even(width, wanted_x)
        n_columns, n_lines = block_x + size_x - 1, block_y + size_y - 1
        n_tasks = prod(outer) * -(-height // block_y) * -(-width // block_x) * form[0]
        scratch = scratch_bytes(n_columns * COLUMN_BYTES, n_planes * n_lines * n_columns, block_x)
        # A line that enters is all the work of the first ones; the others see one leave, too.
        seconds = n_columns * (CLEAR_SECONDS + COUNT_SECONDS * n_planes * (n_lines + block_y - 1)) \
            + block_y * (size_x * SUM_SECONDS + block_x * DIGITS_SECONDS)
        if scratch <= COUNTED_BYTES or not plans:
            plans.append(_Plan(
                rank_order.rank_bytes, (dtype == "int8", rank),
                np.array([*form[:7], block_y, block_x, 0], np.intp), tables.planes, n_tasks,
                n_tasks * seconds, scratch))
    return min(plans, key=lambda plan: plan.seconds * (1 + 2 / plan.n_tasks))


def _tile(height, width, size_y, size_x, n_planes):
    """Return the outputs of a tile, down and across: few values are ranked twice."""
    best = None
    for wanted in (16384, 4096, 1024, 512, 256, 192, 128, 96, 64, 32, 16):
        block_x = even(width, wanted)
        fits = TILE_VALUES // n_planes // (block_x + size_x - 1) - size_y + 1
        block_y = even(height, max(min(fits, height), min(height, size_y // 2 + 1)))
        n_values = n_planes * (block_y + size_y - 1) * (block_x + size_x - 1)
        # A row begins with all values of the window.
        cost = (n_values + block_y * size_y * size_x * n_planes / 8) / (block_y * block_x)
        cost *= 1 + n_values / (16 * TILE_VALUES)
        if best is None or cost < best[0]:
            best = cost, block_y, block_x
    return best[1:]


def _moves(tables, n_lines, n_columns):
    """Return the places in a tile of the taps, and of what leaves and enters with a step."""
    first = [(plane * n_lines + row) * n_columns for plane, row in tables.rows]
    present = set(tables.taps)
    taps = [first[row] + column for row, column in tables.taps]
    leaving = [first[row] + column for row, column in tables.taps
               if (row, column - 1) not in present]
    entering = [first[row] + column + 1 for row, column in tables.taps
                if (row, column + 1) not in present]
    return tuple(np.array(places, np.intp) for places in (taps, leaving, entering))
