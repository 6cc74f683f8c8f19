"""Words and numbers that the rooms above the compiled kernels share."""

from math import prod

import numpy as np

from convlib._native import cpu
from convlib._validation import ACTIVATIONS, PADDING_MODES

# What the kernels call the settings; as in _native/border.pxd and _native/c/microkernels.h.
MODE_CODES = {mode: code for code, mode in enumerate(PADDING_MODES)}
ACTIVATION_CODES = {None: 0} | {name: code for code, name in enumerate(ACTIVATIONS, 1)}

CACHE_LINE = 64
PREPARED_BYTES = 64 * 2**20  # larger prepared kernels are refused, where there are smaller ones
MOST_DILATION = 4096         # for ways whose tables or bands grow with the dilation
STREAM_BYTES = 16 * 10**6    # outputs larger than this are stored past the caches

# Predicted speeds of one thread.
CALL_SECONDS = 5e-6      # of any call
COPIED_BYTES = 8e9       # bands, panels and patches, bytes a second


def lanes(dtype):
    """Return the values of a vector in the tier in use."""
    return cpu.lanes(dtype == "float64")


def numbered(word, n):
    """Return names such as 'k07' for n things."""
    digits = len(str(n - 1))
    return [f"{word}{i:0{digits}d}" for i in range(n)]


def by_dtype(function):
    """Return the versions of a compiled function by dtype, which saves their search by arrays.

    The keys are dtypes and their names; asking a dtype for its name takes microseconds.
    """
    single, double = function["float32_t"], function["float64_t"]
    return {"float32": single, "float64": double,
            np.dtype("float32"): single, np.dtype("float64"): double}


def scratch_bytes(*sizes):
    """Return the bytes of scratch that `cut` of _native/scratch.pxd takes pieces of `sizes` from.

    One array for all threads and purposes, since small calls feel each allocation.
    """
    return CACHE_LINE + sum(-(-size // CACHE_LINE) * CACHE_LINE for size in sizes)


def padded(size, dtype):
    """Return `size` values, or as many more as fill whole vectors."""
    width = lanes(dtype)
    return -(-size // width) * width


def aligned(shape, dtype):
    """Return an empty array that begins on a cache line."""
    size = prod(shape)
    values = np.empty(size + CACHE_LINE // np.dtype(dtype).itemsize, dtype)
    first = -values.ctypes.data % CACHE_LINE // values.itemsize
    return values[first:first + size].reshape(shape)


def even(size, wanted):
    """Return the length of parts of `size` that are about equal and at most `wanted` long."""
    n = -(-size // wanted)
    return -(-size // n)
