"""Low passes, sharpening, first and second derivatives as kernel arrays."""

import numpy as np

from convlib import _taps
from convlib import _validation as check
from convlib._banks._arrays import as_bank, axes, countable, finite, outer_sum
from convlib._filters._image import axis_numbers
from convlib._filters.second_order import band_terms, laplace_of_gaussian_terms
from convlib._filters.smoothing import gaussian_taps, size_taps

__all__ = [
    "difference_of_gaussians_kernel", "farid_kernels", "gaussian_kernel", "kirsch_kernels",
    "laplace_kernel", "laplace_of_gaussian_kernel", "mean_kernel", "prewitt_kernels",
    "roberts_kernels", "robinson_kernels", "scharr_kernels", "sharpen_kernel", "sobel_kernels",
    "unsharp_mask_kernel",
]


def mean_kernel(size=3, ndim=2, *, dtype="float32"):
    """Return the kernel of a mean: equal weights that sum to one.

    Parameters
    ----------
    size : int or sequence of int, default=3
        Taps along each axis.
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernel.

    Returns
    -------
    kernel : ndarray of shape (*size, 1, 1)
        As `convlib.conv` takes it, for one channel.

    Raises
    ------
    ValueError
        If a number is too small or too large.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.mean : The filter.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.mean_kernel(2)[:, :, 0, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]], dtype=float32)
    """
    ndim = axes(ndim)
    size = check.axis_ints("size", size, ndim, 1)
    countable(size)
    return as_bank([outer_sum([[_taps.box(n) for n in size]])], dtype)


def gaussian_kernel(sigma=1.0, ndim=2, *, size=None, truncate=4.0, order=0, dtype="float32"):
    """Return the kernel of a Gaussian, which sums to one, or of its derivative, which to zero.

    Parameters
    ----------
    sigma : float or sequence of float, default=1.0
        Standard deviation in pixels, along each axis.
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    size : int or sequence of int, default=None
        Taps of binomial kernels instead of sampled ones: 3 is 1/4 (1, 2, 1) along each axis.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
    order : int or sequence of int, default=0
        Which derivative is taken along each axis.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernel.

    Returns
    -------
    kernel : ndarray of shape (*size, 1, 1)
        As `convlib.conv` takes it, for one channel.

    Raises
    ------
    ValueError
        If a number is too small or too large, or a derivative has no Gaussian.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.gaussian : The filter.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.gaussian_kernel(size=3)[:, :, 0, 0] * 16
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]], dtype=float32)
    """
    ndim = axes(ndim)
    order = check.axis_ints("order", order, ndim, 0)
    return as_bank([outer_sum([size_taps(ndim, sigma, size, truncate, order, None)])], dtype)


def sharpen_kernel(ndim=2, *, dtype="float32"):
    """Return the kernel that adds to a pixel its differences from all neighbours.

    The neighbours are -1, and the sum is one: 9 in the centre of two axes.

    Parameters
    ----------
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernel.

    Returns
    -------
    kernel : ndarray of shape (3, 3, 1, 1)
        As `convlib.conv` takes it, for one channel; of 3 taps along each of `ndim` axes.

    Raises
    ------
    ValueError
        If `ndim` or `dtype` is none of these.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.sharpen : The filter.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.sharpen_kernel()[:, :, 0, 0]
    array([[-1., -1., -1.],
           [-1.,  9., -1.],
           [-1., -1., -1.]], dtype=float32)
    """
    return as_bank([_taps.sharpen(axes(ndim))], dtype)


def unsharp_mask_kernel(sigma=1.0, amount=1.0, ndim=2, *, truncate=4.0, dtype="float32"):
    """Return the kernel that adds to a pixel its difference from a Gaussian mean.

    It sums to one.

    Parameters
    ----------
    sigma : float or sequence of float, default=1.0
        Standard deviation of the Gaussian in pixels, along each axis.
    amount : float, default=1.0
        How much of the difference is added.
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernel.

    Returns
    -------
    kernel : ndarray of shape (*size, 1, 1)
        As `convlib.conv` takes it, for one channel.

    Raises
    ------
    ValueError
        If a number is too small or too large.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.unsharp_mask : The filter.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.unsharp_mask_kernel(0.5, ndim=1)[:, 0, 0].round(3)
    array([-0.   , -0.106,  1.213, -0.106, -0.   ], dtype=float32)
    """
    ndim = axes(ndim)
    truncate = check.positive_number("truncate", truncate)
    taps = [gaussian_taps(one, 0, truncate) for one in axis_numbers("sigma", sigma, ndim)]
    point = [np.arange(len(vector)) == len(vector) // 2 for vector in taps]
    amount = finite("amount", amount)
    kernel = (1 + amount) * outer_sum([point]) - amount * outer_sum([taps])
    return as_bank([kernel], dtype)


def roberts_kernels(*, dtype="float32"):
    """Return Roberts' cross: the differences along both diagonals of 2 x 2 pixels.

    Parameters
    ----------
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (2, 2, 1, 2)
        First down to the right, then down to the left. Each sums to zero.

    Raises
    ------
    ValueError
        If `dtype` is none of these.

    See Also
    --------
    convlib.filters.roberts : The filter, whose pixel is the upper left one of the four.

    References
    ----------
    .. [1] L. G. Roberts, "Machine Perception of Three-Dimensional Solids", 1963.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.roberts_kernels()[:, :, 0, 0]
    array([[-1.,  0.],
           [ 0.,  1.]], dtype=float32)
    """
    return as_bank(_taps.roberts(), dtype)


def prewitt_kernels(ndim=2, *, dtype="float32"):
    """Return Prewitt's kernels: a difference along one axis, sums of three along the others.

    Parameters
    ----------
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (3, 3, 1, 2)
        The derivative along each axis, first axis first; of 3 taps along each of `ndim` axes, and
        `ndim` kernels. Each sums to zero, and is positive where values rise.

    Raises
    ------
    ValueError
        If `ndim` or `dtype` is none of these.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.prewitt : The filter.

    References
    ----------
    .. [1] J. M. S. Prewitt, "Object Enhancement and Extraction", 1970.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.prewitt_kernels()[:, :, 0, 1]
    array([[-1.,  0.,  1.],
           [-1.,  0.,  1.],
           [-1.,  0.,  1.]], dtype=float32)
    """
    return _derivatives("prewitt", ndim, dtype)


def sobel_kernels(ndim=2, *, dtype="float32"):
    """Return Sobel's kernels: a difference along one axis, weights 1, 2, 1 along the others.

    Parameters
    ----------
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (3, 3, 1, 2)
        The derivative along each axis, first axis first; of 3 taps along each of `ndim` axes, and
        `ndim` kernels. Each sums to zero, and is positive where values rise.

    Raises
    ------
    ValueError
        If `ndim` or `dtype` is none of these.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.sobel : The filter.

    References
    ----------
    .. [1] I. Sobel, "An Isotropic 3x3 Image Gradient Operator", 1990.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.sobel_kernels()[:, :, 0, 1]
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]], dtype=float32)
    """
    return _derivatives("sobel", ndim, dtype)


def scharr_kernels(ndim=2, *, dtype="float32"):
    """Return Scharr's kernels: a difference along one axis, weights 3, 10, 3 along the others.

    Parameters
    ----------
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (3, 3, 1, 2)
        The derivative along each axis, first axis first; of 3 taps along each of `ndim` axes, and
        `ndim` kernels. Each sums to zero, and is positive where values rise.

    Raises
    ------
    ValueError
        If `ndim` or `dtype` is none of these.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.scharr : The filter.

    References
    ----------
    .. [1] H. Scharr, "Optimal Operators in Digital Image Processing", 2000.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.scharr_kernels()[:, :, 0, 1]
    array([[ -3.,   0.,   3.],
           [-10.,   0.,  10.],
           [ -3.,   0.,   3.]], dtype=float32)
    """
    return _derivatives("scharr", ndim, dtype)


def farid_kernels(ndim=2, *, dtype="float32"):
    """Return the derivatives of Farid and Simoncelli, of five taps an axis.

    Parameters
    ----------
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (5, 5, 1, 2)
        The derivative along each axis, first axis first; of 5 taps along each of `ndim` axes, and
        `ndim` kernels. Each sums to zero, and is positive where values rise.

    Raises
    ------
    ValueError
        If `ndim` or `dtype` is none of these.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.farid : The filter.

    References
    ----------
    .. [1] H. Farid and E. P. Simoncelli, "Differentiation of Discrete Multidimensional
       Signals", IEEE Transactions on Image Processing 13, 2004.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.farid_kernels(1)[:, 0, 0].round(3)
    array([-0.11 , -0.277,  0.   ,  0.277,  0.11 ], dtype=float32)
    """
    return _derivatives("farid", ndim, dtype)


def kirsch_kernels(*, dtype="float32"):
    """Return Kirsch's compass: eight masks of 5 on one side and -3 around.

    Parameters
    ----------
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (3, 3, 1, 8)
        By where values rise: E, NE, N, NW, W, SW, S, SE. Each sums to zero.

    Raises
    ------
    ValueError
        If `dtype` is none of these.

    See Also
    --------
    convlib.filters.kirsch : The filter.

    References
    ----------
    .. [1] R. A. Kirsch, "Computer determination of the constituent structure of biological
       images", 1971.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.kirsch_kernels()[:, :, 0, 2]
    array([[ 5.,  5.,  5.],
           [-3.,  0., -3.],
           [-3., -3., -3.]], dtype=float32)
    """
    return as_bank(_taps.kirsch(), dtype)


def robinson_kernels(*, dtype="float32"):
    """Return Robinson's compass: Sobel's kernel, turned by eighths.

    Parameters
    ----------
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (3, 3, 1, 8)
        By where values rise: E, NE, N, NW, W, SW, S, SE. Each sums to zero.

    Raises
    ------
    ValueError
        If `dtype` is none of these.

    See Also
    --------
    convlib.filters.robinson : The filter.

    References
    ----------
    .. [1] G. S. Robinson, "Edge detection by compass gradient masks", 1977.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.robinson_kernels()[:, :, 0, 1]
    array([[ 0.,  1.,  2.],
           [-1.,  0.,  1.],
           [-2., -1.,  0.]], dtype=float32)
    """
    return as_bank(_taps.robinson(), dtype)


def laplace_kernel(ndim=2, *, dtype="float32"):
    """Return the Laplacian: the two neighbours along each axis less the pixel itself.

    Parameters
    ----------
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernel.

    Returns
    -------
    kernel : ndarray of shape (3, 3, 1, 1)
        Of 3 taps along each of `ndim` axes. It sums to zero.

    Raises
    ------
    ValueError
        If `ndim` or `dtype` is none of these.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.laplace : The filter.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.laplace_kernel()[:, :, 0, 0]
    array([[ 0.,  1.,  0.],
           [ 1., -4.,  1.],
           [ 0.,  1.,  0.]], dtype=float32)
    """
    return as_bank([_taps.laplace(axes(ndim))], dtype)


def laplace_of_gaussian_kernel(sigma=1.0, ndim=2, *, truncate=4.0, dtype="float32"):
    """Return the sum of the second derivatives of a Gaussian.

    Parameters
    ----------
    sigma : float or sequence of float, default=1.0
        Standard deviation in pixels, along each axis; above 0.
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernel.

    Returns
    -------
    kernel : ndarray of shape (*size, 1, 1)
        It sums to zero.

    Raises
    ------
    ValueError
        If a number is too small or too large.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.laplace_of_gaussian : The filter.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", 1980.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.laplace_of_gaussian_kernel(2.0).shape
    (17, 17, 1, 1)
    """
    sigma = axis_numbers("sigma", sigma, axes(ndim))
    truncate = check.positive_number("truncate", truncate)
    return as_bank([outer_sum(laplace_of_gaussian_terms(sigma, truncate))], dtype)


def difference_of_gaussians_kernel(
    low_sigma=1.0, high_sigma=None, ndim=2, *, truncate=4.0, dtype="float32",
):
    """Return a narrow Gaussian less a wide one.

    Parameters
    ----------
    low_sigma : float or sequence of float, default=1.0
        Standard deviation of the narrow one in pixels, along each axis.
    high_sigma : float or sequence of float, default=None
        That of the wide one. None means 1.6 times the other, which is close to the Laplacian of a
        Gaussian.
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernel.

    Returns
    -------
    kernel : ndarray of shape (*size, 1, 1)
        It sums to zero.

    Raises
    ------
    ValueError
        If `high_sigma` is below `low_sigma`, or a number is too small or too large.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    convlib.filters.difference_of_gaussians : The filter.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", 1980.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.difference_of_gaussians_kernel(1.0, 2.0).shape
    (17, 17, 1, 1)
    """
    terms = band_terms(low_sigma, high_sigma, axes(ndim), truncate)
    return as_bank([outer_sum(terms)], dtype)


def _derivatives(name, ndim, dtype):
    """Return the derivative along each axis."""
    ndim = axes(ndim)
    return as_bank([_taps.derivative_kernel(name, ndim, axis) for axis in range(ndim)], dtype)
