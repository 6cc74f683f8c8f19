"""Filters along single axes of a view, and the settings that all filters share."""

from math import prod

import numpy as np

from convlib import _validation as check
from convlib._filters._linear import passes, view_values


def along_axis(view, taps, axis, out):
    """Write one pass along the filtered axis of number `axis`; other axes stay as they are."""
    shape = view.values.shape
    taps, one = [np.asarray(taps, np.float64)], [np.ones(1)]
    values, middle = view_values(view, out.dtype), len(taps[0]) // 2
    if axis == view.rank - 1:
        flat = (1, prod(shape[:-2]), shape[-2] * shape[-1])
        passes(view, values.reshape(flat), one, taps, out.reshape(flat), shape[-1], (0, middle))
        return
    flat = (prod(shape[:axis + 1]), shape[axis + 1], prod(shape[axis + 2:]))
    passes(view, values.reshape(flat), taps, one, out.reshape(flat), flat[2], (middle, 0))


def image_axis(view, axis):
    """Return the number among the filtered axes of an axis of the image, None for None."""
    if axis is None:
        return None
    number = check.as_int(axis)
    allowed = f"None or one of the axes {view.axes} that are filtered"
    if number is None:
        raise TypeError(check.refusal("axis", allowed, axis))
    if not -len(view.shape) <= number < len(view.shape) or \
            number % len(view.shape) not in view.axes:
        raise ValueError(check.refusal("axis", allowed, axis))
    return view.axes.index(number % len(view.shape))


def two_axes(view, name):
    """Refuse views that do not have two filtered axes."""
    if view.rank != 2:
        raise ValueError(f"{name} takes two axes: image must have as many beside channel_axis, or "
                         f"axes name two; got axes {view.axes} of shape {view.shape}")
