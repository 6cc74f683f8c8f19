"""Weighted sums of neighbours, and how the engines are told of them.

A kernel that is a sum of few products of one-dimensional ones is a pass along each axis: the last
two axes together (`filter_passes`), the others one by one. Small kernels over two axes are summed
at once (`filter_stencil`). What is left is a convolution.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from math import lcm, prod

import numpy as np

from convlib._conv.factors import factorize
from convlib._filters._image import padded
from convlib._native import cpu, filter_passes, filter_stencil
from convlib._terms import CALL_SECONDS, MODE_CODES, STREAM_BYTES, by_dtype, even, scratch_bytes
from convlib._threads import thread_count
from convlib.ops.conv import conv, explain_conv, pack_kernel

PASSES = by_dtype(filter_passes.apply)
STENCIL = by_dtype(filter_stencil.apply)
COMBINATIONS = {"parts": 0, "magnitude": 1, "largest": 2}

N_ROWS = 4                # of a pass, as in the engines
SLACK = 64                # values that they may read too many
STENCIL_TAPS = 25         # most taps of a kernel that is summed at once
MOST_KERNELS = 8
TASK_PIXELS = 2**16       # outputs of a task
UNDER_BYTES = 2**19       # rows under a few rows of a strip, which should stay in cache
STRIP = 4096              # values of a row of a task ...
COMBINED_STRIP = 1024     # ... and where sums wait to be combined
BYTES_STRIP = 512         # where bytes are copied as numbers, which should stay in cache ...
BYTES_ROWS = 16           # ... these, and the rows of such a task
OUTPUT_SECONDS = 3e-10    # of one thread, for an output ...
PRODUCT_SECONDS = 4e-11   # ... and for each of its products
NO_BYTES = np.empty((0, 0, 0), np.uint8)

WHOLE_SIZE = ContextVar("whole_size", default=None)
ON_GRID = ContextVar("on_grid", default=True)


@contextmanager
def part_of(size, on_grid=True):
    """Let filters run on parts of an image, of `size` along the filtered axes, as on the whole.

    How a convolution runs follows from the size of the image. Where parts do not begin `on_grid`,
    no algorithm that has one is taken.
    """
    tokens = WHOLE_SIZE.set(tuple(size)), ON_GRID.set(on_grid)
    try:
        yield
    finally:
        WHOLE_SIZE.reset(tokens[0])
        ON_GRID.reset(tokens[1])


def weighted_sum(view, kernel, out, *, centre=None):
    """Write the correlation with a kernel of the view's rank, centred at ``size // 2``."""
    if centre is None:
        centre = tuple(n // 2 for n in kernel.shape)
    if not kernel.any():
        kernel, centre = np.zeros((1,) * view.rank), (0,) * view.rank
    terms, is_small = forms(kernel, out.dtype)
    if terms:
        sum_of_terms(view, terms, out, centre=centre)
    elif is_small:
        stencil(view, kernel[np.newaxis], out[np.newaxis], centre=centre)
    else:
        convolution(view, kernel, out, centre)


def forms(kernel, dtype):
    """Return the terms of a kernel that runs as passes, else none, and whether it is small."""
    is_small = kernel.ndim == 2 and kernel.size <= STENCIL_TAPS
    if not kernel.any():
        return [tuple(np.zeros(1) for _ in kernel.shape)], is_small
    terms = factorize(kernel, 4 * np.finfo(dtype).eps)
    runs = len(terms) == 1 or (not is_small and len(terms) * sum(kernel.shape) < kernel.size)
    return terms if runs else [], is_small


def grid_of_sum(view, kernel, centre, size, dtype):
    """Return the grid of a correlation: parts of an image that begin on it have its bits."""
    terms, is_small = forms(kernel, dtype)
    if terms or is_small:
        return (1,) * view.rank
    ahead, pads, mode = border_of(view, kernel, centre)
    size = tuple(n + sum(pair) for n, pair in zip(size, ahead))
    axes = slice(max(0, view.rank - 3), None)
    grid = (1,) * min(3, view.rank)
    for part in kernel.reshape(-1, *kernel.shape[axes]):
        packed = packed_kernel(part, size[axes], pads[axes], mode, dtype)
        plan = packed._plan(packed.image_shape)
        grid = tuple(map(lcm, grid, plan.way.grid(plan.problem)))
    return (1,) * (view.rank - len(grid)) + grid


def sum_of_terms(view, terms, out, *, centre=None):
    """Write the sum over terms of one pass along each axis; a term has a vector for each."""
    terms = [tuple(np.asarray(taps, np.float64) for taps in term) for term in terms]
    if centre is None:
        centre = tuple(len(taps) // 2 for taps in terms[0])
    if view.rank <= 2:
        stack, *size, channels = view.values.shape
        height, width = size if view.rank == 2 else (1, *size)
        columns = [term[0] if view.rank == 2 else np.ones(1) for term in terms]
        flat = (stack, height, width * channels)
        above = centre[0] if view.rank == 2 else 0
        passes(view, view_values(view, out.dtype).reshape(flat), columns,
               [term[-1] for term in terms], out.reshape(flat), channels, (above, centre[-1]))
        return
    for number, term in enumerate(terms):
        part = out if number == 0 else np.empty_like(out)
        all_passes(view, term, part, centre)
        if number:
            out += part


def all_passes(view, term, out, centre):
    """Write the passes of one term: all axes but the last two, one by one, then these."""
    shape = view.values.shape
    values = view_values(view, out.dtype)
    one = [np.ones(1)]
    for axis, taps in enumerate(term[:-2], 1):
        if len(taps) == 1 and taps[0] == 1:
            continue
        flat = (prod(shape[:axis]), shape[axis], prod(shape[axis + 1:]))
        result = np.empty(flat, out.dtype)
        passes(view, values.reshape(flat), [taps], one, result, flat[2], (centre[axis - 1], 0))
        # What stands outside along the other axes went through this pass, too.
        values, view = result, view._replace(constant=float(view.constant * taps.sum()))
    flat = (prod(shape[:-3]), shape[-3], shape[-2] * shape[-1])
    passes(view, values.reshape(flat), [term[-2]], [term[-1]], out.reshape(flat), shape[-1],
           centre[-2:])


def view_values(view, dtype):
    """Return the view's values for an engine that computes in `dtype`: bytes stay bytes."""
    if view.values.dtype == np.uint8:
        return view.values
    return view.values.astype(dtype, copy=False)


def passes(view, values, columns, rows, out, channels, centre):
    """Write sums of products of two vectors each: down the columns, and along the rows.

    `values` and `out` are (n_images, height, width * channels).
    """
    if not out.size:
        return
    dtype = out.dtype
    n_terms, n_rows, n_columns = len(columns), len(columns[0]), len(rows[0])
    length = out.shape[2]
    if n_columns == 1:  # one weight a row goes into the others
        columns = [sum(vector * row[0] for vector, row in zip(columns, rows))]
        n_terms, along = 1, np.empty(0, dtype)
    else:
        along = np.concatenate([[0], *rows]).astype(dtype)
    first = in_parts([np.concatenate([[0], vector]) for vector in columns], dtype)
    sides = (n_columns - 1) * channels
    strip = even(length, max(512, min(STRIP, UNDER_BYTES // ((n_rows + 3) * dtype.itemsize))))
    strip = -(-strip // SLACK) * SLACK
    block = max(8, min(32, TASK_PIXELS // min(strip, length)))
    seconds = out.size * (OUTPUT_SECONDS + n_terms * (n_rows + n_columns) * PRODUCT_SECONDS)
    line = strip + sides + SLACK
    if line % 1024 < SLACK:  # lines a multiple of 4 KB apart get into each other's way
        line += SLACK
    n_under = block + n_rows - 1
    n_lines = len(first) * (first.shape[1] // (1 + n_rows))
    sizes = np.array([
        n_under * (strip + sides) + SLACK, n_under * sides + SLACK, n_lines * N_ROWS * line + SLACK,
    ], np.intp)
    scratch = scratch_bytes(*(n * dtype.itemsize for n in (sizes[0], *sizes[[1, 1]], sizes[2])))
    n_tasks = out.shape[0] * -(-out.shape[1] // block) * -(-length // strip)
    n_threads = thread_count(view.n_threads, CALL_SECONDS + seconds, n_tasks)
    real, raw = (np.empty((0, 0, 0), dtype), values) if values.dtype == np.uint8 \
        else (values, NO_BYTES)
    PASSES[dtype.name](
        real, raw, first, along, out, channels, n_terms, n_rows, *centre,
        np.arange(n_terms, dtype=np.intp) * (N_ROWS * line),
        np.arange(n_columns, dtype=np.intp) * channels,
        MODE_CODES[view.padding_mode], view.constant, block, strip, line,
        out.nbytes > STREAM_BYTES, sizes, np.empty((n_threads, scratch), np.uint8))


def in_parts(vectors, dtype):
    """Return vectors side by side, value by value, in parts of what is summed together."""
    n_together = even(len(vectors), cpu.planes_out())
    n_parts = -(-len(vectors) // n_together)
    bank = np.zeros((n_parts * n_together, len(vectors[0])), dtype)
    bank[:len(vectors)] = vectors
    bank = bank.reshape(n_parts, n_together, -1)
    return np.ascontiguousarray(bank.transpose(0, 2, 1)).reshape(n_parts, -1)


def stencil(view, kernels, out, combination="parts", factor=1.0, centre=None):
    """Write the sums of small kernels, (n, height, width), or what they are combined to.

    `out` is (results, stack, height, width, channels).
    """
    if not out.size:
        return
    dtype = out.dtype
    n_kernels, n_rows, n_columns = kernels.shape
    above, left = (n_rows // 2, n_columns // 2) if centre is None else centre
    stack, height, width, channels = view.values.shape
    flat = (stack, height, width * channels)
    bank = in_parts([np.concatenate([[0], kernel.ravel()]) for kernel in kernels], dtype)
    n_together = bank.shape[1] // (1 + n_rows * n_columns)
    if combination == "parts" and len(bank) * n_together > n_kernels:
        for kernel, part in zip(kernels, out):
            stencil(view, kernel[np.newaxis], part[np.newaxis], centre=(above, left))
        return
    is_bytes = view.values.dtype == np.uint8
    strip = STRIP if combination == "parts" else COMBINED_STRIP
    strip = -(-even(flat[2], BYTES_STRIP if is_bytes else strip) // SLACK) * SLACK
    block = BYTES_ROWS if is_bytes else max(8, min(32, TASK_PIXELS // strip))
    line = strip + SLACK
    sides = (n_columns - 1) * channels
    sizes = np.array([
        (block + n_rows - 1) * (strip + 2 * sides) + 2 * SLACK,
        len(bank) * n_together * N_ROWS * line + SLACK,
    ], np.intp)
    n_tasks = stack * -(-height // block) * -(-flat[2] // strip)
    seconds = view.values.size * (OUTPUT_SECONDS + kernels.size * PRODUCT_SECONDS)
    n_threads = thread_count(view.n_threads, CALL_SECONDS + seconds, n_tasks)
    values = view_values(view, dtype).reshape(flat)
    real, raw = (np.empty((0, 0, 0), dtype), values) if is_bytes else (values, NO_BYTES)
    STENCIL[dtype.name](
        real, raw, bank, out.reshape(len(out), *flat), channels, n_kernels, n_rows, above, left,
        np.arange(n_columns, dtype=np.intp) * channels, COMBINATIONS[combination], factor,
        MODE_CODES[view.padding_mode], view.constant, block, strip, line,
        out[0].nbytes > STREAM_BYTES, sizes,
        np.empty((n_threads, scratch_bytes(*sizes * dtype.itemsize)), np.uint8))


def convolution(view, kernel, out, centre):
    """Write the correlation with a kernel of full rank, channel by channel."""
    values, size = view.cast(out.dtype), WHOLE_SIZE.get()
    ahead, pads, mode = border_of(view, kernel, centre)
    if any(map(any, ahead)):
        values = padded(view, ahead, values)
    if size is not None:
        size = tuple(n + sum(pair) for n, pair in zip(size, ahead))
    for channel in range(values.shape[-1]):
        one = values[..., channel:channel + 1]
        out[..., channel] = _convolved(one, kernel, pads, mode, size, view.n_threads)[..., 0]


def border_of(view, kernel, centre):
    """Return what is padded ahead of a convolution, what it pads itself, and how."""
    pads = tuple((middle, n - 1 - middle) for middle, n in zip(centre, kernel.shape))
    none = ((0, 0),) * view.rank
    if view.rank > 3 or (view.padding_mode == "constant" and view.constant):
        return pads, none, "constant"
    return none, pads, view.padding_mode


def _convolved(values, kernel, pads, mode, size, n_threads):
    """Return the correlation of one channel; axes beyond three are summed over in turn.

    Where `size` is given, it is that of the whole image.
    """
    if kernel.ndim <= 3:
        if size is not None:
            packed = packed_kernel(kernel, size, pads, mode, values.dtype)
            if not ON_GRID.get():
                packed = packed._without_grid()
            return conv(values, packed, n_threads=n_threads)
        return conv(values, kernel[..., np.newaxis, np.newaxis], padding=pads, padding_mode=mode,
                    n_threads=n_threads)
    n = values.shape[1] - len(kernel) + 1
    rest = values.shape[2:]
    total = 0
    for k, part in enumerate(kernel):
        stacked = values[:, k:k + n].reshape(-1, *rest)
        total = total + _convolved(stacked, part, pads[1:], mode, size and size[1:], n_threads)
    return total.reshape(len(values), n, *total.shape[1:])


def packed_kernel(kernel, size, pads, mode, dtype):
    """Return the kernel as `conv` would run it on an image of one channel of that size."""
    kernel = kernel[..., np.newaxis, np.newaxis]
    settings = {"padding": pads, "padding_mode": mode, "dtype": np.dtype(dtype).name}
    name = explain_conv((*size, 1), kernel, **settings).algorithm
    return pack_kernel(kernel, (*size, 1), algorithm=name, **settings)
