"""Means and weighted means of integers that stay integers: of bytes in a loop of their own."""

from math import prod

import numpy as np

from convlib._filters._linear import sum_of_terms
from convlib._native import filter_bytes
from convlib._terms import CALL_SECONDS, MODE_CODES, even, scratch_bytes
from convlib._threads import thread_count

MOST_PIXELS = 256      # of a mean whose sums, and half of them more, fit 16 bits
MOST_TAPS = 160        # of both passes of a weighted mean, whose error then is below one level
BLOCK = 128            # values of the inner loops, BYTES_BLOCK
TASK_PIXELS = 2**16
STRIP = 2**13
ROWS = 48              # of a task; those under it are copied
TAP_SECONDS = 1.5e-11  # of one thread, for an output
CALL_OUTPUTS = 1e-10   # seconds for an output of its own
EXACT = {"float32": 2**24, "float64": 2**53}


def byte_mean(view, size, out):
    """Write the mean of bytes over windows of one or two axes, if they are small; tell whether."""
    n = prod(size)
    if view.rank > 2 or n > MOST_PIXELS or view.values.dtype != np.uint8:
        return False
    if n == 1:
        out[...] = view.values
        return True
    columns, rows = (np.zeros(taps, np.uint16) for taps in _two(size, 1))
    _apply(view, out, columns, rows, (True, *divider(n)))
    return True


def divider(n):
    """Return half, multiplier and shift: (s + half) * multiplier >> 16 >> shift is s / n rounded.

    That is so for all sums s of n bytes, where n is at most `MOST_PIXELS`. Halves go up.
    """
    shift = n.bit_length() - 1
    if n == 1 << shift:
        return n // 2, 2**15, shift - 1
    multiplier, rest = divmod(1 << (16 + shift), n)
    if n - rest <= 1 << shift:
        return n // 2, multiplier + 1, shift
    return n // 2 + 1, multiplier, shift


def byte_weights(view, taps, out):
    """Write weighted means of bytes, if their taps are few and not negative; tell whether."""
    if view.rank > 2 or view.values.dtype != np.uint8 or sum(map(len, taps)) > MOST_TAPS \
            or any((vector < 0).any() for vector in taps):
        return False
    columns, rows = _two([in_sixteen_bits(vector) for vector in taps], in_sixteen_bits(np.ones(1)))
    _apply(view, out, columns, rows, (False, 0, 0, 0))
    return True


def in_sixteen_bits(taps):
    """Return taps that sum to one as whole numbers that sum to 2^16."""
    weights = np.rint(taps * 2**16).astype(np.int64)
    weights[len(weights) // 2] += 2**16 - weights.sum()
    return np.minimum(weights, 2**16 - 1).astype(np.uint16)


def _two(entries, one):
    """Return the entries of two axes."""
    return (one, entries[0]) if len(entries) == 1 else tuple(entries)


def _apply(view, out, columns, rows, divide):
    """Run the loop for bytes."""
    stack, *size, channels = view.values.shape
    height, width = _two(size, 1)
    flat = (stack, height, width * channels)
    strip = -(-even(flat[2], STRIP) // BLOCK) * BLOCK
    block = max(1, min(ROWS, TASK_PIXELS // strip))
    step = -(-(strip + (len(rows) - 1) * channels) // BLOCK) * BLOCK + BLOCK
    sizes = np.array([step * (block + len(columns)) + BLOCK, 2 * (step + BLOCK), strip + BLOCK],
                     np.intp)
    n_tasks = stack * -(-height // block) * -(-flat[2] // strip)
    seconds = out.size * (CALL_OUTPUTS + (len(columns) + len(rows)) * TAP_SECONDS)
    n_threads = thread_count(view.n_threads, CALL_SECONDS + seconds, n_tasks)
    filter_bytes.apply(
        view.values.reshape(flat), out.reshape(flat), columns, rows, channels, len(columns) // 2,
        len(rows) // 2, *divide, MODE_CODES[view.padding_mode], int(view.constant), block, strip,
        step, sizes, np.empty((n_threads, scratch_bytes(*sizes)), np.uint8))


def integer_mean(view, size, out):
    """Write the mean of integers over windows, exactly: the nearest integer, halves go up."""
    if byte_mean(view, size, out):
        return
    n = prod(size)
    ones = [tuple(np.ones(taps) for taps in size)]
    if view.values.dtype.itemsize <= 4:
        out[...] = (_sums(view, ones, n) + n // 2) // n
        return
    # Sums of long integers are taken in two halves, each of which floats hold exactly.
    low, high = (view._replace(values=part, constant=int(constant)) for part, constant in zip(
        _halves(view.values), _halves(np.asarray(view.constant, view.values.dtype))))
    high, low = _sums(high, ones, n), _sums(low, ones, n)
    out[...] = (high // n).astype(out.dtype) << out.dtype.type(32)
    out += (((high % n << 32) + low + n // 2) // n).astype(out.dtype)


def _sums(view, ones, n):
    """Return the sums over windows as int64."""
    limit = 2**(8 * min(view.values.dtype.itemsize, 4))
    dtype = np.dtype("float32" if n * limit <= EXACT["float32"] else "float64")
    sums = np.empty(view.values.shape, dtype)
    sum_of_terms(view, ones, sums)
    return sums.astype(np.int64)


def _halves(values):
    """Return the lower 32 bits of long integers, and those above as signed as they are."""
    return values & values.dtype.type(2**32 - 1), values >> values.dtype.type(32)
