"""Kernels as sums of products of one-dimensional ones."""

from functools import lru_cache

import numpy as np

MOST_TERMS = 8
MODERATE = 400    # binary exponents of kernels whose sums and squares neither overflow nor vanish


def factorize(kernel, tol):
    """Return tuples of vectors, whose outer products sum to `kernel` but for tol * sum|kernel|.

    A kernel of zeros has no term. The arithmetic is in float64, near one for all kernels: a power
    of two is taken out of very large and very small ones, and all vectors of a term share it.
    """
    kernel = np.asarray(kernel, np.float64)
    exponent = int(np.frexp(np.abs(kernel).max())[1])
    share = exponent // kernel.ndim if kernel.ndim > 1 and abs(exponent) > MODERATE else 0
    kernel = np.ldexp(kernel, -share * kernel.ndim)
    terms = _factorize(kernel, tol * np.abs(kernel).sum())
    return [tuple(np.ldexp(vector, share) for vector in term) for term in terms]


def kernel_factors(kernel):
    """Return a list of terms for each output channel of a kernel (*size, 1, out_channels).

    They are what the kernel is within rounding. It is empty where that takes many terms, or
    where the kernel is not finite.
    """
    return _cached_factors(kernel.tobytes(), kernel.shape, kernel.dtype.str)


def kernel_rank(kernel):
    """Return the most terms of an output channel, 0 where there are many."""
    return max(map(len, kernel_factors(kernel)), default=0)


@lru_cache(maxsize=64)
def _cached_factors(data, shape, dtype):
    kernel = np.frombuffer(data, dtype).reshape(shape)
    if not np.isfinite(kernel).all():
        return ()
    factors = []
    for channel in range(shape[-1]):
        terms = factorize(kernel[..., 0, channel], 4 * np.finfo(dtype).eps)
        if len(terms) > MOST_TERMS:
            return ()
        factors.append(tuple(terms))
    return tuple(factors)


def _factorize(kernel, allowed):
    """Return the terms of a kernel but for a residual whose magnitudes sum to `allowed`."""
    if kernel.ndim == 1:
        return [(kernel,)]
    if np.abs(kernel).sum() <= allowed:
        return []
    matrix = kernel.reshape(len(kernel), -1)
    # With more than two axes, half of what is allowed is left to the parts.
    share = allowed if kernel.ndim == 2 else allowed / 2
    columns, rows = _cross(matrix, share) or _singular(matrix, share)
    terms = []
    for column, row in zip(columns, rows):
        rest = (allowed - share) / (len(columns) * np.abs(column).sum())
        for term in _factorize(row.reshape(kernel.shape[1:]), rest):
            terms.append((column, *term))
    return terms


def _cross(matrix, allowed):
    """Return the one column and row whose product is the matrix, None if there are none.

    They are taken from the matrix, so that whole numbers stay whole numbers where that can be.
    """
    place = np.unravel_index(np.argmax(np.abs(matrix)), matrix.shape)
    column, row = matrix[:, place[1]] / matrix[place], matrix[place[0]]
    if np.abs(matrix - np.outer(column, row)).sum() > allowed:
        return None
    return [column], [row]


def _singular(matrix, allowed):
    """Return the fewest singular vectors that make up the matrix, the values shared by both."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    left, right = left * np.sqrt(values), right * np.sqrt(values)[:, np.newaxis]
    rest = matrix.copy()
    n = 0
    while n < len(values) and np.abs(rest).sum() > allowed:
        rest -= np.outer(left[:, n], right[n])
        n += 1
    return left.T[:n], right[:n]
