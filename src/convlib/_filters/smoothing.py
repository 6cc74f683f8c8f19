"""Low passes: mean and Gaussian, of all pixels or of those that count."""

import numpy as np

from convlib import _taps
from convlib import _validation as check
from convlib._filters._bytes import byte_weights, integer_mean
from convlib._filters._image import axis_numbers, filter_image, pixel_weights
from convlib._filters._linear import sum_of_terms
from convlib._lazy import takes_dask

__all__ = ["gaussian", "mean"]


@takes_dask("filtered")
def mean(
    image, size=3, *, mask=None, nan_policy="propagate", channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Take the mean of the window around each pixel.

    Parameters
    ----------
    image : array-like
        An image of any rank. Integers keep their dtype: the mean is exact, rounded to the nearest
        integer, and halves go up. float32 and float64 are kept, float16 and bool become float32.
    size : int or sequence of int, default=3
        Pixels of the window, along each axis that is filtered. It is centred at ``size // 2``.
    mask : array-like, default=None
        Which pixels count: True or False, or weights that are not negative, in a shape that
        broadcasts to the image's. Sums are divided by the weights in the window; where there are
        none the result is NaN, in integer images 0.
    nan_policy : {'propagate', 'omit', 'raise'}, default='propagate'
        What NaN does: make those results NaN whose window holds one, count as little as a pixel
        whose mask is False, or raise a ValueError.
    channel_axis : int, default=None
        As in `correlate`.
    axes : int or sequence of int, default=None
        As in `correlate`.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        As in `correlate`; a mask is continued in the same way, and constants count.
    constant_values : float, default=0
        As in `correlate`.
    dtype : dtype, default=None
        The dtype of the result: float32, float64, or that of an integer image. None means what
        follows from the image.
    n_threads : int, default=None
        As in `correlate`.
    out : ndarray, default=None
        As in `correlate`.

    Returns
    -------
    out : ndarray
        Of the image's shape.

    Raises
    ------
    ValueError
        If `size` is below 1, NaN is to raise, or a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    gaussian : A mean that weighs near pixels more.
    convlib.average_pool : Means of windows with a stride.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.mean(np.array([0.0, 0, 3, 0, np.nan]), 3, nan_policy="omit")
    array([0. , 1. , 1. , 1.5, 0. ])
    """
    view = filter_image(
        image, channel_axis=channel_axis, axes=axes, padding_mode=padding_mode,
        constant_values=constant_values, dtype=dtype, n_threads=n_threads, out=out,
        keeps_integers=True)
    size = check.axis_ints("size", size, view.rank, 1)
    weights = pixel_weights(view, image, mask, nan_policy)
    if weights is None and view.dtype.kind in "iu":
        result = view.target()
        if result.size:
            integer_mean(view, size, result)
        return view.close(result)
    return _smoothed(view, [_taps.box(n) for n in size], weights)


@takes_dask("filtered")
def gaussian(
    image, sigma=1.0, *, size=None, truncate=4.0, order=0, normalize=None, mask=None,
    nan_policy="propagate", channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Smooth with a Gaussian, or take a derivative of the smoothed image.

    The kernel is sampled at the pixels, cut off at `truncate` standard deviations, and sums to
    one.

    Parameters
    ----------
    image : array-like
        An image of any rank. Without a derivative integers keep their dtype, within one level of
        the exact result. float32 and float64 are kept, float16 and bool become float32; with a
        derivative integers become float32 or float64, too.
    sigma : float or sequence of float, default=1.0
        Standard deviation in pixels, along each axis that is filtered; 0 leaves an axis alone.
    size : int or sequence of int, default=None
        Taps of binomial kernels instead of sampled ones: 3 is 1/4 (1, 2, 1) along each axis.
        `sigma` and `truncate` then have no effect.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
    order : int or sequence of int, default=0
        Which derivative is taken along each axis. Derivatives are positive where values rise.
    normalize : {None, 'scipy'}, default=None
        None makes kernels of even derivatives sum to zero, as derivatives do; 'scipy' leaves what
        cutting off their tails adds to them, as `scipy.ndimage` does.
    mask : array-like, default=None
        As in `mean`; not with derivatives.
    nan_policy : {'propagate', 'omit', 'raise'}, default='propagate'
        As in `mean`; not 'omit' with derivatives.
    channel_axis : int, default=None
        As in `correlate`.
    axes : int or sequence of int, default=None
        As in `correlate`.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        As in `correlate`.
    constant_values : float, default=0
        As in `correlate`.
    dtype : dtype, default=None
        As in `mean`.
    n_threads : int, default=None
        As in `correlate`.
    out : ndarray, default=None
        As in `correlate`.

    Returns
    -------
    out : ndarray
        Of the image's shape.

    Raises
    ------
    ValueError
        If a number is negative, a derivative has a mask or no Gaussian, NaN is to raise, or a
        name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    mean : All pixels of the window weigh the same.
    difference_of_gaussians : What is between two of these.

    References
    ----------
    .. [1] H. Knutsson and C.-F. Westin, "Normalized and differential convolution", CVPR 1993
       (`mask`, `nan_policy`).

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.gaussian(np.array([0, 0, 16, 0, 0]), size=3)
    array([0, 4, 8, 4, 0])
    >>> filters.gaussian(np.arange(12.0), order=1)[6].round(2)
    np.float64(1.0)
    """
    orders_given = order if check.as_int(order) is not None else check.as_entries(order)
    differentiates = orders_given is None or np.any(np.asarray(orders_given, object) != 0)
    view = filter_image(
        image, channel_axis=channel_axis, axes=axes, padding_mode=padding_mode,
        constant_values=constant_values, dtype=dtype, n_threads=n_threads, out=out,
        keeps_integers=not differentiates)
    normalize = check.choice("normalize", normalize, (None, "scipy"))
    order = check.axis_ints("order", order, view.rank, 0)
    taps = size_taps(view.rank, sigma, size, truncate, order, normalize)
    weights = pixel_weights(view, image, mask, nan_policy)
    if weights is not None and any(order):
        raise ValueError("mask and nan_policy='omit' are for order=0, not for derivatives; got "
                         f"order={order}")
    if weights is None and view.dtype.kind in "iu":
        result = view.target()
        if not result.size or byte_weights(view, taps, result):
            return view.close(result)
    return _smoothed(view, taps, weights)


def size_taps(rank, sigma, size, truncate, order, normalize):
    """Return the checked taps of each axis, binomial where there is a `size`."""
    sigma = axis_numbers("sigma", sigma, rank)
    truncate = check.positive_number("truncate", truncate)
    if size is not None:
        if any(order):
            raise ValueError(f"order must be 0 with size; got {order}")
        return [_taps.binomial(n) for n in check.axis_ints("size", size, rank, 1)]
    return [gaussian_taps(*axis, truncate, normalize != "scipy") for axis in zip(sigma, order)]


def gaussian_taps(sigma, order, truncate, balanced=True):
    """Return the taps of one axis."""
    if order and not sigma:
        raise ValueError(f"sigma must be above 0 along an axis of order {order}; got 0")
    if truncate * sigma > 2**24:
        raise ValueError(f"truncate * sigma must be at most 2 ** 24; got {truncate * sigma}")
    return _taps.gaussian(sigma, order, truncate=truncate, balanced=balanced)


def _smoothed(view, taps, weights):
    """Return the weighted means of all pixels, or of those that count."""
    work = check.result_dtype(view.dtype)
    result = view.target(dtype=work)
    if result.size and weights is None:
        sum_of_terms(view, [tuple(taps)], result)
    elif result.size:
        normalized(view, taps, weights, result)
    return view.close(result)


def normalized(view, taps, weights, out):
    """Write the weighted means over pixels with weights: the rest is divided out again."""
    values = view.cast(out.dtype)
    weights = np.ascontiguousarray(weights, out.dtype)
    counted = np.where(weights > 0, values, 0) * weights
    sum_of_terms(view._replace(values=counted), [tuple(taps)], out)
    total = np.empty_like(out)
    sum_of_terms(view._replace(values=weights, constant=1.0), [tuple(taps)], total)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(out, total, out=out, where=total > 0)
    out[total <= 0] = np.nan
