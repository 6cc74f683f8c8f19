"""Means over neighbours."""

from convlib import _taps
from convlib import _validation as check
from convlib._filters._image import filter_image
from convlib._filters._linear import sum_of_terms

__all__ = ["gaussian", "mean"]


def mean(image, size=3, *, channel_axis=None, axes=None, padding_mode="symmetric",
         constant_values=0, dtype=None, n_threads=None, out=None):
    """Take the mean."""
    view = filter_image(
        image, channel_axis=channel_axis, axes=axes, padding_mode=padding_mode,
        constant_values=constant_values, dtype=dtype, n_threads=n_threads, out=out,
        keeps_integers=True)
    size = check.axis_ints("size", size, view.rank, 1)
    work = check.result_dtype(view.dtype)
    result = view.target(dtype=work)
    if result.size:
        sum_of_terms(view, [tuple(_taps.box(n) for n in size)], result)
    return view.close(result)


gaussian = mean
