"""First derivatives: gradients along an axis, their magnitude, and compass masks."""

import numpy as np

from convlib import _taps
from convlib import _validation as check
from convlib._filters._axes import image_axis, two_axes
from convlib._filters._image import axis_numbers, filter_image
from convlib._filters._linear import stencil, sum_of_terms
from convlib._filters.smoothing import gaussian_taps
from convlib._lazy import takes_dask

__all__ = [
    "farid", "gradient_direction", "gradient_magnitude", "kirsch", "prewitt", "roberts",
    "robinson", "scharr", "sobel",
]

OPERATORS = ("farid", "prewitt", "scharr", "sobel")
PRESETS = {
    "farid": (None, "skimage"),
    "prewitt": (None, "scipy", "skimage"),
    "scharr": (None, "skimage", "opencv"),
    "sobel": (None, "scipy", "skimage", "opencv"),
}


@takes_dask("filtered")
def sobel(
    image, axis=None, *, normalize=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Find edges with Sobel's kernels: a difference under a smoothing of 1, 2, 1.

    The derivative is that of the neighbours on both sides, 1, 0, -1; along all other axes the
    weights are 1, 2, 1. Nothing is divided out: a ramp of slope 1 gives 8 in two axes.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    axis : int, default=None
        The axis of the image along which the derivative is taken, one of those that are filtered;
        it is positive where values rise. None means the magnitude of the gradient, the root of
        the sum of squares over all of them.
    normalize : {None, 'scipy', 'skimage', 'opencv'}, default=None
        None and 'scipy' and 'opencv' are the textbook's whole numbers. 'skimage' divides the
        smoothing by its sum, and the magnitude by the root of the number of axes.
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
        If `axis` is not filtered, or a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    gradient_direction : Where the gradient points.
    gradient_magnitude : The gradient of the smoothed image.

    References
    ----------
    .. [1] I. Sobel, "An Isotropic 3x3 Image Gradient Operator", 1990.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.sobel(np.tile([0.0, 0, 1, 1], (3, 1)), axis=1)[1]
    array([0., 4., 4., 0.])
    """
    return _gradient(image, "sobel", axis, normalize, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })


@takes_dask("filtered")
def prewitt(
    image, axis=None, *, normalize=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Find edges with Prewitt's kernels: a difference under a mean of three.

    As `sobel`, with the weights 1, 1, 1.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    axis : int, default=None
        The axis of the image along which the derivative is taken, one of those that are filtered;
        it is positive where values rise. None means the magnitude of the gradient, the root of
        the sum of squares over all of them.
    normalize : {None, 'scipy', 'skimage'}, default=None
        None and 'scipy' are the textbook's whole numbers. 'skimage' divides the smoothing by its
        sum, and the magnitude by the root of the number of axes.
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
        If `axis` is not filtered, or a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    gradient_direction : Where the gradient points.
    gradient_magnitude : The gradient of the smoothed image.

    References
    ----------
    .. [1] J. M. S. Prewitt, "Object Enhancement and Extraction", 1970.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.prewitt(np.tile([0.0, 0, 1, 1], (3, 1)), axis=1)[1]
    array([0., 3., 3., 0.])
    """
    return _gradient(image, "prewitt", axis, normalize, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })


@takes_dask("filtered")
def scharr(
    image, axis=None, *, normalize=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Find edges with Scharr's kernels, whose direction is more exact than Sobel's.

    As `sobel`, with the weights 3, 10, 3.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    axis : int, default=None
        The axis of the image along which the derivative is taken, one of those that are filtered;
        it is positive where values rise. None means the magnitude of the gradient, the root of
        the sum of squares over all of them.
    normalize : {None, 'skimage', 'opencv'}, default=None
        None and 'opencv' are the textbook's whole numbers. 'skimage' divides the smoothing by its
        sum, and the magnitude by the root of the number of axes.
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
        If `axis` is not filtered, or a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    gradient_direction : Where the gradient points.
    gradient_magnitude : The gradient of the smoothed image.

    References
    ----------
    .. [1] H. Scharr, "Optimal Operators in Digital Image Processing", 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.scharr(np.tile([0.0, 0, 1, 1], (3, 1)), axis=1)[1]
    array([ 0., 16., 16.,  0.])
    """
    return _gradient(image, "scharr", axis, normalize, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })


@takes_dask("filtered")
def farid(
    image, axis=None, *, normalize=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Find edges with the kernels of Farid and Simoncelli, of five taps an axis.

    Smoothing and derivative were designed together, so that the gradient turns with the image.
    The smoothing sums to one: a ramp of slope 1 gives about 1.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    axis : int, default=None
        The axis of the image along which the derivative is taken, one of those that are filtered;
        it is positive where values rise. None means the magnitude of the gradient, the root of
        the sum of squares over all of them.
    normalize : {None, 'skimage'}, default=None
        None is the paper's. 'skimage' divides the magnitude by the root of the number of axes.
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
        If `axis` is not filtered, or a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    gradient_direction : Where the gradient points.
    gradient_magnitude : The gradient of the smoothed image.

    References
    ----------
    .. [1] H. Farid and E. P. Simoncelli, "Differentiation of Discrete Multidimensional
       Signals", IEEE Transactions on Image Processing 13, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.farid(np.tile(np.arange(7.0), (7, 1)), axis=1)[3, 3].round(2)
    np.float64(0.99)
    """
    return _gradient(image, "farid", axis, normalize, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })


@takes_dask("filtered")
def roberts(
    image, diagonal=None, *, normalize=None, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Find edges with Roberts' cross: differences along both diagonals of 2 x 2 pixels.

    The pixel is the upper left one of the four.

    Parameters
    ----------
    image : array-like
        An image with two axes that are filtered, as in `correlate`.
    diagonal : {None, 'down', 'up'}, default=None
        'down' is the lower right pixel minus the upper left one, 'up' the lower left minus the
        upper right. None means the magnitude, the root of the sum of their squares.
    normalize : {None, 'skimage'}, default=None
        'skimage' divides the magnitude by the root of 2.
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
        If there are not two axes, or a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    sobel : Three pixels wide, less noise.

    References
    ----------
    .. [1] L. G. Roberts, "Machine Perception of Three-Dimensional Solids", 1963.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.roberts(np.array([[0.0, 0, 0], [0, 0, 3], [0, 4, 0]]), "down")
    array([[ 0.,  3.,  3.],
           [ 4.,  0., -3.],
           [ 4., -4.,  0.]])
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    two_axes(view, "roberts")
    diagonal = check.choice("diagonal", diagonal, (None, "down", "up"))
    normalize = check.choice("normalize", normalize, (None, "skimage"))
    result = view.target()
    kernels = _taps.roberts()
    if diagonal is None:
        factor = 0.5**0.5 if normalize else 1.0
        stencil(view, kernels, result[np.newaxis], "magnitude", factor, centre=(0, 0))
    else:
        kernel = kernels[("down", "up").index(diagonal), np.newaxis]
        stencil(view, kernel, result[np.newaxis], centre=(0, 0))
    return view.close(result)


@takes_dask("filtered")
def kirsch(
    image, direction=None, *, return_direction=False, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Find edges with Kirsch's compass: the strongest of eight masks.

    The masks have 5, 5, 5 on one side and -3 around: their sum is zero.

    Parameters
    ----------
    image : array-like
        An image with two axes that are filtered, as in `correlate`.
    direction : {None, 'E', 'NE', 'N', 'NW', 'W', 'SW', 'S', 'SE'}, default=None
        The one mask to take, called after where values rise: north is the first row. None means
        the largest of all.
    return_direction : bool, default=False
        Whether to return which mask is the strongest, too: its place in the list above, the
        first of equal ones. Only without `direction`.
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
    directions : ndarray of uint8
        Of the image's shape. Only with `return_direction`.

    Raises
    ------
    ValueError
        If there are not two axes, both directions are asked for, or a number, a name or a shape is
        wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    sobel : The gradient of two masks.

    References
    ----------
    .. [1] R. A. Kirsch, "Computer determination of the constituent structure of biological
       images", Computers and Biomedical Research 4, 1971.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.kirsch(np.tile([0.0, 0, 1, 1], (3, 1)))[1]
    array([ 0., 15.,  9.,  0.])
    """
    return _compass(image, _taps.kirsch(), direction, return_direction, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })


@takes_dask("filtered")
def robinson(
    image, direction=None, *, return_direction=False, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Find edges with Robinson's compass: the strongest of eight turned Sobel kernels.

    Opposite masks differ in their sign, so the strongest one is never negative.

    Parameters
    ----------
    image : array-like
        An image with two axes that are filtered, as in `correlate`.
    direction : {None, 'E', 'NE', 'N', 'NW', 'W', 'SW', 'S', 'SE'}, default=None
        The one mask to take, called after where values rise: north is the first row. None means
        the largest of all.
    return_direction : bool, default=False
        Whether to return which mask is the strongest, too: its place in the list above, the
        first of equal ones. Only without `direction`.
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
    directions : ndarray of uint8
        Of the image's shape. Only with `return_direction`.

    Raises
    ------
    ValueError
        If there are not two axes, both directions are asked for, or a number, a name or a shape is
        wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    sobel : The gradient of two masks.

    References
    ----------
    .. [1] G. S. Robinson, "Edge detection by compass gradient masks", Computer Graphics and
       Image Processing 6, 1977.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.robinson(np.tile([0.0, 0, 1, 1], (3, 1)))[1]
    array([0., 4., 4., 0.])
    """
    return _compass(image, _taps.robinson(), direction, return_direction, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })


@takes_dask("filtered")
def gradient_direction(
    image, operator="sobel", *, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Return the angle of the gradient in the plane of two axes.

    The angle is ``arctan2(down, right)`` in radians: 0 where values rise along the last axis,
    pi / 2 where they rise along the first; 0 where there is no gradient.

    Parameters
    ----------
    image : array-like
        An image with two axes that are filtered, as in `correlate`.
    operator : {'farid', 'prewitt', 'scharr', 'sobel'}, default='sobel'
        The kernels that take the derivatives.
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
        If there are not two axes, or a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    sobel : The derivatives, and the magnitude of the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> rising = np.arange(3.0)[:, np.newaxis] * np.ones(3)
    >>> filters.gradient_direction(rising)[1, 1].round(4)
    np.float64(1.5708)
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    two_axes(view, "gradient_direction")
    operator = check.choice("operator", operator, OPERATORS)
    result = view.target()
    slopes = np.empty((2, *result.shape), result.dtype)
    kernels = [_taps.derivative_kernel(operator, 2, axis) for axis in range(2)]
    stencil(view, np.stack(kernels), slopes)
    np.arctan2(*slopes, out=result)
    return view.close(result)


@takes_dask("filtered")
def gradient_magnitude(
    image, sigma=1.0, *, truncate=4.0, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Return the magnitude of the gradient of the image smoothed with a Gaussian.

    The root of the sum of squares of first derivatives, which are taken of the Gaussian itself.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    sigma : float or sequence of float, default=1.0
        Standard deviation in pixels, along each axis that is filtered; above 0.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
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
    gaussian : One derivative, by `order`.
    sobel : The gradient with a fixed, small kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.gradient_magnitude(np.arange(12.0) * np.ones((12, 1)))[6, 6].round(2)
    np.float64(1.0)
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    sigma = axis_numbers("sigma", sigma, view.rank)
    truncate = check.positive_number("truncate", truncate)
    smooth = [gaussian_taps(one, 0, truncate) for one in sigma]
    slopes = [gaussian_taps(one, 1, truncate) for one in sigma]
    result = view.target()
    if result.size:
        terms = [
            tuple(slopes[other] if other == axis else smooth[other] for other in range(view.rank))
            for axis in range(view.rank)
        ]
        _root_of_squares(view, terms, result, 1.0)
    return view.close(result)


def _gradient(image, operator, axis, normalize, settings):
    """Return a derivative, or the magnitude of all."""
    view = filter_image(image, **settings)
    axis = image_axis(view, axis)
    normalize = check.choice("normalize", normalize, PRESETS[operator])
    result = view.target()
    if not result.size:
        return view.close(result)
    smoothing, derivative = (np.array(taps, float) for taps in _taps.DERIVATIVES[operator])
    if normalize == "skimage" and operator != "farid":
        smoothing /= smoothing.sum()
    terms = [
        tuple(derivative if other == along else smoothing for other in range(view.rank))
        for along in range(view.rank)
    ]
    factor = view.rank**-0.5 if normalize == "skimage" else 1.0
    if axis is not None or view.rank == 1:
        taps = terms[axis or 0]
        if view.rank == 2:
            stencil(view, _taps.outer(*taps)[np.newaxis], result[np.newaxis])
        else:
            sum_of_terms(view, [taps], result)
        if axis is None:
            np.abs(result, out=result)
    elif view.rank == 2:
        kernels = np.stack([_taps.outer(*taps) for taps in terms])
        stencil(view, kernels, result[np.newaxis], "magnitude", factor)
    else:
        _root_of_squares(view, terms, result, factor)
    return view.close(result)


def _root_of_squares(view, terms, out, factor):
    """Write the root of the sum of squares over terms, times a factor."""
    part = np.empty_like(out)
    for number, taps in enumerate(terms):
        sum_of_terms(view, [taps], part)
        part *= part
        if number:
            out += part
        else:
            out[...] = part
    np.sqrt(out, out=out)
    if factor != 1:
        out *= out.dtype.type(factor)


def _compass(image, masks, direction, return_direction, settings):
    """Return the strongest of eight masks, or one of them."""
    view = filter_image(image, **settings)
    two_axes(view, "a compass")
    direction = check.choice("direction", direction, (None, *_taps.COMPASS))
    if check.flag("return_direction", return_direction):
        if direction is not None:
            raise ValueError("return_direction must be False with a direction; got "
                             f"{direction!r}")
        return _strongest(view, masks)
    result = view.target()
    if direction is None:
        stencil(view, masks, result[np.newaxis], "largest")
    else:
        stencil(view, masks[[_taps.COMPASS.index(direction)]], result[np.newaxis])
    return view.close(result)


def _strongest(view, masks):
    """Return the largest sums, and the numbers of their masks."""
    result = view.target()
    numbers = np.zeros(result.shape, np.uint8)
    if result.size:
        stencil(view, masks[:1], result[np.newaxis])
        one = np.empty_like(result)
        for number, mask in enumerate(masks[1:], 1):
            stencil(view, mask[np.newaxis], one[np.newaxis])
            larger = one > result
            numbers[larger] = number
            result[larger] = one[larger]
    directions = view._replace(dtype=numbers.dtype, out=None).close(numbers)
    return view.close(result), directions
