"""Weighted sums of neighbours: passes along the axes where the kernel is a sum of few products."""

import numpy as np

from convlib._conv.factors import factorize
from convlib._filters._image import padded

MOST_TERMS = 8


def weighted_sum(view, kernel, out, *, centre=None):
    """Write the correlation with a kernel of the view's rank, centred at ``size // 2``."""
    terms = factorize(kernel, 4 * np.finfo(out.dtype).eps)
    sum_of_terms(view, terms, out, centre=centre)


def sum_of_terms(view, terms, out, *, centre=None):
    """Write the sum over terms of one pass along each axis: taps are vectors, one an axis."""
    values = view.cast(out.dtype)
    out[...] = 0
    for term in terms:
        part = values
        for axis, taps in enumerate(term):
            middle = len(taps) // 2 if centre is None else centre[axis]
            part = one_pass(view, part, axis, np.asarray(taps), middle)
        out += part


def one_pass(view, values, axis, taps, middle):
    pads = [(0, 0)] * view.rank
    pads[axis] = (middle, len(taps) - 1 - middle)
    wide = padded(view, pads, values)
    total = np.zeros_like(values)
    for k, weight in enumerate(taps):
        index = [slice(None)] * values.ndim
        index[1 + axis] = slice(k, k + values.shape[1 + axis])
        total += values.dtype.type(weight) * wide[tuple(index)]
    return total
