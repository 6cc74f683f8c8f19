"""Sharpening: what a low pass takes away is added once more."""

import numpy as np

from convlib import _taps
from convlib import _validation as check
from convlib._filters._image import axis_numbers, filter_image
from convlib._filters._linear import stencil, sum_of_terms
from convlib._filters.smoothing import gaussian_taps
from convlib._lazy import takes_dask

__all__ = ["sharpen", "unsharp_mask"]


@takes_dask("filtered")
def sharpen(
    image, *, channel_axis=None, axes=None, padding_mode="symmetric", constant_values=0,
    dtype=None, n_threads=None, out=None,
):
    """Add to each pixel its differences from all neighbours around it.

    In two axes the kernel has 9 in the centre and -1 at the eight neighbours. It sums to one, so
    the mean stays. Values may leave the range of the image: integers become float32 or float64.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    channel_axis : int, default=None
        As in `correlate`.
    axes : int or sequence of int, default=None
        As in `correlate`.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        As in `correlate`.
    constant_values : float, default=0
        As in `correlate`.
    dtype : dtype, default=None
        As in `correlate`.
    n_threads : int, default=None
        As in `correlate`.
    out : ndarray, default=None
        As in `correlate`.

    Returns
    -------
    out : ndarray
        Of the image's shape, float32 or float64.

    Raises
    ------
    ValueError
        If a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    unsharp_mask : By how much, and at which scale, can be chosen.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.sharpen(np.array([0.0, 0, 1, 1]))
    array([ 0., -1.,  2.,  1.])
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    result = view.target()
    if result.size and view.rank == 2:
        stencil(view, _taps.sharpen(2)[np.newaxis], result[np.newaxis])
    elif result.size:
        sum_of_terms(view, [tuple(np.ones(3) for _ in range(view.rank))], result)
        np.subtract(view.cast(result.dtype) * result.dtype.type(3**view.rank + 1), result,
                    out=result)
    return view.close(result)


@takes_dask("filtered")
def unsharp_mask(
    image, sigma=1.0, amount=1.0, *, truncate=4.0, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Add to an image its difference from a smoothed one, times `amount`.

    Values are not clipped: they may leave the range of the image.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    sigma : float or sequence of float, default=1.0
        Standard deviation of the Gaussian, along each axis that is filtered.
    amount : float, default=1.0
        How much of the difference is added; below 0 the image is smoothed.
    truncate : float, default=4.0
        Radius of the Gaussian in standard deviations.
    channel_axis : int, default=None
        As in `correlate`.
    axes : int or sequence of int, default=None
        As in `correlate`.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        As in `correlate`.
    constant_values : float, default=0
        As in `correlate`.
    dtype : dtype, default=None
        As in `correlate`.
    n_threads : int, default=None
        As in `correlate`.
    out : ndarray, default=None
        As in `correlate`.

    Returns
    -------
    out : ndarray
        Of the image's shape, float32 or float64.

    Raises
    ------
    ValueError
        If a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    sharpen : With a fixed, small kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.unsharp_mask(np.array([0.0, 0, 1, 1]), 0.5).round(3)
    array([-0.   , -0.107,  1.107,  1.   ])
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    sigma = axis_numbers("sigma", sigma, view.rank)
    amount = check.real_number("amount", amount, "a finite number")
    if not np.isfinite(amount):
        raise ValueError(check.refusal("amount", "a finite number", amount))
    truncate = check.positive_number("truncate", truncate)
    result = view.target()
    if result.size:
        values = view.cast(result.dtype)
        sum_of_terms(view, [tuple(gaussian_taps(one, 0, truncate) for one in sigma)], result)
        with np.errstate(invalid="ignore"):    # of infinite pixels, NaN is the answer
            np.subtract(values, result, out=result)
        result *= result.dtype.type(amount)
        result += values
    return view.close(result)
