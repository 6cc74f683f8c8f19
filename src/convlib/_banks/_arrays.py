"""From kernels without channels to the arrays that convolutions take."""

from math import prod

import numpy as np

from convlib import _taps
from convlib import _validation as check

MOST_VALUES = 2**26    # of a bank


def as_bank(kernels, dtype):
    """Return kernels of one size as (*size, 1, n_kernels) of a checked dtype."""
    bank = np.stack(kernels, axis=-1)[..., np.newaxis, :]
    return np.ascontiguousarray(bank, check.float_dtype(dtype))


def outer_sum(terms):
    """Return the kernel that is a sum of products of vectors, one an axis."""
    countable([len(taps) for taps in terms[0]])
    return sum(_taps.outer(*taps) for taps in terms)


def countable(size, n_kernels=1):
    """Refuse kernels so large that they can only be a mistake."""
    if prod(size) * n_kernels > MOST_VALUES:
        raise ValueError(f"a bank must have at most 2 ** 26 values; got {n_kernels} of "
                         f"{' x '.join(map(str, size))}")


def axes(ndim):
    """Return the number of spatial axes as an int."""
    number = check.integer("ndim", ndim, 1)
    if number > 3:
        raise ValueError(check.refusal("ndim", "1, 2 or 3", ndim))
    return number


def odd(name, value, minimum):
    """Return `value`, the odd size of square kernels, as an int."""
    number = check.integer(name, value, minimum)
    if number % 2 == 0:
        raise ValueError(check.refusal(name, f"an odd int, at least {minimum}", value))
    return number


def finite(name, value):
    """Return `value`, a finite number, as a float."""
    number = check.real_number(name, value, "a finite number")
    if not np.isfinite(number):
        raise ValueError(check.refusal(name, "a finite number", value))
    return number


def padded(kernel, size):
    """Return a kernel with zeros around it, of odd sizes both."""
    return np.pad(kernel, [((n - m) // 2,) * 2 for n, m in zip(size, kernel.shape)])
