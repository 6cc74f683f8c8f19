"""What users of a filter pass in: the only module of the filters that looks at it.

An image of any rank becomes one C-contiguous array of (stack, *filtered axes, channels). The
stack is all that comes before the last filtered axis and is not filtered itself; `channels` is
all that comes after it. Nothing below knows of channels or stacks of its own.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from convlib import _validation as check


class FilterImage(NamedTuple):
    """An image as the engines take it, and what the result is to be."""

    values: np.ndarray       # (stack, *size, channels), C-contiguous
    dtype: np.dtype          # of the result
    padding_mode: str
    constant: float          # of the padding, where its mode is "constant"
    n_threads: int | None
    out: np.ndarray | None   # where the user wants the result
    shape: tuple             # of the image
    order: tuple             # its axes, in the order of `values`
    axes: tuple              # those that are filtered

    @property
    def size(self):
        """The filtered axes' lengths."""
        return self.values.shape[1:-1]

    @property
    def rank(self):
        """The number of filtered axes."""
        return len(self.axes)

    def cast(self, dtype=None):
        """Return `values` in a float dtype: by default that in which results are computed."""
        dtype = check.result_dtype(self.dtype) if dtype is None else dtype
        return self.values.astype(dtype, copy=False)

    def target(self, n_parts=None, dtype=None):
        """Return an array for results in the shape of `values`: in `out`, if it is laid out so.

        With `n_parts` there is an axis of so many parts in front. Of another dtype than the
        result's, it is never in `out`.
        """
        front = () if n_parts is None else (n_parts,)
        dtype = self.dtype if dtype is None else dtype
        if self.out is not None and dtype == self.dtype and self.order == tuple(
            range(len(self.shape))
        ):
            return self.out.reshape(front + self.values.shape)
        return np.empty(front + self.values.shape, dtype)

    def close(self, result, n_parts=None):
        """Return a result in the image's shape: `out`, or a view of `result`.

        Floats become the integers that the user asked for, if so: the nearest, never wrapped.
        """
        front = () if n_parts is None else (n_parts,)
        moved = result.reshape(front + tuple(self.shape[axis] for axis in self.order))
        if self.order != tuple(range(len(self.order))):
            back = np.argsort(self.order) + len(front)
            moved = moved.transpose(*range(len(front)), *back)
        if moved.dtype != self.dtype:
            moved = to_dtype(moved, self.dtype)
        if self.out is None:
            return moved
        if not np.may_share_memory(moved, self.out):
            self.out[...] = moved
        return self.out


def filter_image(
    image, *, channel_axis, axes, padding_mode, constant_values, dtype, n_threads, out,
    keeps_integers=False, n_parts=None,
):
    """Return the checked `FilterImage` of a call.

    Filters that keep integers get `values` in the image's own dtype. All others get bytes, which
    become numbers where they are needed, or float32 or float64. Results of several parts
    (`n_parts`) have an axis of them in front.
    """
    array = check.numeric_array("image", image)
    if array.ndim == 0:
        raise ValueError(check.refusal("image", "an array of at least one axis", array))
    axes = filtered_axes(array.ndim, channel_axis, axes)
    integers = keeps_integers and array.dtype.kind in "iu"
    dtype = filter_dtype(array.dtype, dtype, integers)
    padding_mode = check.choice("padding_mode", padding_mode, check.PADDING_MODES)
    number = array.dtype if integers else check.result_dtype(dtype)
    if array.dtype != np.uint8:
        array = array.astype(number, copy=False)
    constant = padding_constant(constant_values, number)
    n_threads = check.threads(n_threads)
    if out is not None:
        shape = array.shape if n_parts is None else (n_parts, *array.shape)
        out = check.output_array(out, shape, dtype, image if isinstance(image, np.ndarray)
                                 else array)
    others = [axis for axis in range(array.ndim) if axis not in axes]
    before = [axis for axis in others if axis < axes[-1]]
    after = [axis for axis in others if axis > axes[-1]]
    order = (*before, *axes, *after)
    moved = array.transpose(order)
    size = moved.shape[len(before):len(before) + len(axes)]
    values = np.ascontiguousarray(moved).reshape(
        prod(moved.shape[:len(before)]), *size, prod(moved.shape[len(before) + len(axes):]))
    return FilterImage(values, dtype, padding_mode, constant, n_threads, out, array.shape, order,
                       axes)


def filtered_axes(ndim, channel_axis, axes):
    """Return the axes to filter, none negative."""
    allowed = f"an axis of the image, which has {ndim}"
    if channel_axis is not None:
        channel_axis = one_axis("channel_axis", channel_axis, ndim, allowed)
    if axes is None:
        axes = tuple(axis for axis in range(ndim) if axis != channel_axis)
        if not axes:
            raise ValueError("image must have an axis beside its channels; it has one axis")
        return axes
    entries = (axes,) if check.as_int(axes) is not None else check.as_entries(axes)
    if entries is None:
        raise TypeError(check.refusal("axes", "an int or a sequence of ints", axes))
    found = tuple(one_axis("axes", axis, ndim, allowed) for axis in entries)
    if not found or len(set(found)) < len(found) or channel_axis in found:
        raise ValueError(check.refusal("axes", "some axes of the image, each once, without "
                                       "channel_axis", axes))
    return found


def one_axis(name, value, ndim, allowed):
    """Return the axis `value`, counted from the front."""
    number = check.as_int(value)
    if number is None:
        raise TypeError(check.refusal(name, allowed, value))
    if not -ndim <= number < ndim:
        raise ValueError(check.refusal(name, allowed, value))
    return number % ndim


def filter_dtype(given, wanted, integers):
    """Return the result's dtype: that of the image or what promise 2 makes of it, or `wanted`."""
    default = given if integers else check.result_dtype(given)
    if wanted is None:
        return default
    names = ["float32", "float64"]
    if integers:
        names.append(given.name)
    try:
        name = np.dtype(wanted).name
    except TypeError:
        name = wanted
    return np.dtype(check.choice("dtype", name, names))


def padding_constant(value, dtype):
    """Return the number that the padding holds, one that `dtype` can hold."""
    if type(value) is int and value == 0:
        return 0
    allowed = f"a number that {dtype} can hold"
    if dtype.kind in "iu":
        number = check.as_int(value)
        if number is None and isinstance(value, (float, np.floating)) and value.is_integer():
            number = int(value)
        if number is None:
            raise TypeError(check.refusal("constant_values", allowed, value))
        if not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
            raise ValueError(check.refusal("constant_values", allowed, value))
        return number
    return check.real_number("constant_values", value, allowed)


def to_dtype(values, dtype):
    """Return `values` in `dtype`: floats become the nearest integers in its range; NaN is 0."""
    if dtype.kind not in "iu" or values.dtype.kind != "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    whole = np.nan_to_num(np.rint(values), nan=0.0, posinf=limits.max, neginf=limits.min)
    too_large = whole >= float(limits.max)
    whole[too_large] = limits.min  # its nearest float may be beyond the range
    np.maximum(whole, limits.min, out=whole)
    result = whole.astype(dtype)
    result[too_large] = limits.max
    return result


def padded(view, pads, values=None, constant=None):
    """Return a padded copy of `values` (default: those of the view), ((before, after), ...)."""
    values = view.values if values is None else values
    widths = ((0, 0), *pads, (0, 0))
    if view.padding_mode != "constant":
        return np.pad(values, widths, view.padding_mode)
    constant = view.constant if constant is None else constant
    return np.pad(values, widths, constant_values=constant)


def axis_numbers(name, value, rank):
    """Return `value`, a number for every axis or one per axis, as floats of at least 0."""
    entries = check.as_entries(value)
    if entries is None:
        return (check.non_negative(name, value),) * rank
    if len(entries) != rank:
        raise ValueError(check.refusal(name, f"a number or {rank} of them, one an axis", value))
    return tuple(check.non_negative(name, entry) for entry in entries)


def pixel_weights(view, image, mask, nan_policy):
    """Return the weights of pixels in the shape of `view.values`, None where all count."""
    nan_policy = check.choice("nan_policy", nan_policy, ("propagate", "omit", "raise"))
    missing = None
    if nan_policy != "propagate" and view.values.dtype.kind == "f":
        missing = np.isnan(view.values)
        if not missing.any():
            missing = None
        elif nan_policy == "raise":
            raise ValueError("image must not hold NaN with nan_policy='raise'; got "
                             f"{np.count_nonzero(missing)} of them")
    if mask is None:
        return None if missing is None else ~missing
    weights = check.numeric_array("mask", mask)
    allowed = f"an array that broadcasts to the image's shape {view.shape}, nowhere negative"
    try:
        weights = np.broadcast_to(weights, view.shape)
    except ValueError:
        raise ValueError(check.refusal("mask", allowed, weights)) from None
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(check.refusal("mask", allowed, weights))
    weights = weights.transpose(view.order).reshape(view.values.shape)
    return weights if missing is None else np.where(missing, 0, weights)
