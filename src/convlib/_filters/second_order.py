"""Second derivatives, and matrices of derivatives around each pixel."""

from itertools import combinations_with_replacement

import numpy as np

from convlib import _taps
from convlib import _validation as check
from convlib._filters._axes import along_axis
from convlib._filters._image import axis_numbers, filter_image
from convlib._filters._linear import stencil, sum_of_terms
from convlib._filters.smoothing import gaussian_taps
from convlib._lazy import takes_dask

__all__ = [
    "difference_of_gaussians", "hessian", "hessian_eigenvalues", "laplace",
    "laplace_of_gaussian", "structure_tensor",
]

EIGENVALUE_BLOCK = 2**12    # of matrices, whose eigenvalues are taken at once


@takes_dask("filtered")
def laplace(
    image, *, normalize=None, channel_axis=None, axes=None, padding_mode="symmetric",
    constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Add up the second differences along all axes: the neighbours less the pixel itself.

    In two axes that is four neighbours, and -4 in the centre.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    normalize : {None, 'scipy', 'skimage', 'opencv'}, default=None
        None, 'scipy' and 'opencv' are the textbook's kernel; 'skimage' turns its sign.
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
    laplace_of_gaussian : The same for the smoothed image.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.laplace(np.array([0.0, 0, 1, 0, 0]))
    array([ 0.,  1., -2.,  1.,  0.])
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    normalize = check.choice("normalize", normalize, (None, "scipy", "skimage", "opencv"))
    sign = -1.0 if normalize == "skimage" else 1.0
    result = view.target()
    if result.size and view.rank == 2:
        stencil(view, sign * _taps.laplace(2)[np.newaxis], result[np.newaxis])
    elif result.size:
        _sum_over_axes(view, [sign * _taps.second_difference()] * view.rank, result)
    return view.close(result)


@takes_dask("filtered")
def laplace_of_gaussian(
    image, sigma=1.0, *, truncate=4.0, normalize=None, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Add up the second derivatives of the image smoothed with a Gaussian.

    They are taken of the Gaussian itself. In two axes the kernel is a sum of two products of
    vectors, which run together.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    sigma : float or sequence of float, default=1.0
        Standard deviation in pixels, along each axis that is filtered; above 0.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
    normalize : {None, 'scipy'}, default=None
        None makes the kernel sum to zero; 'scipy' leaves what cutting off its tails adds to it.
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
    difference_of_gaussians : Much the same.
    laplace : The kernel of few neighbours.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.laplace_of_gaussian(np.arange(32.0) ** 2, 2.0)[16].round(1)
    np.float64(2.0)
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    sigma = axis_numbers("sigma", sigma, view.rank)
    truncate = check.positive_number("truncate", truncate)
    normalize = check.choice("normalize", normalize, (None, "scipy"))
    result = view.target()
    if result.size:
        sum_of_terms(view, laplace_of_gaussian_terms(sigma, truncate, normalize), result)
    return view.close(result)


def laplace_of_gaussian_terms(sigma, truncate, normalize=None):
    """Return the kernel as a sum of products of vectors, one an axis."""
    smooth = [gaussian_taps(one, 0, truncate) for one in sigma]
    second = [gaussian_taps(one, 2, truncate, normalize != "scipy") for one in sigma]
    axes = range(len(sigma))
    return [tuple(second[other] if other == axis else smooth[other] for other in axes)
            for axis in axes]


@takes_dask("filtered")
def difference_of_gaussians(
    image, low_sigma=1.0, high_sigma=None, *, truncate=4.0, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Take the image smoothed a little less the image smoothed more: a band of scales.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    low_sigma : float or sequence of float, default=1.0
        Standard deviation of the first Gaussian, along each axis that is filtered.
    high_sigma : float or sequence of float, default=None
        That of the Gaussian which is subtracted, at least as large. None means 1.6 times the
        other, which is close to the Laplacian of a Gaussian.
    truncate : float, default=4.0
        Radius of the kernels in standard deviations.
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
        If `high_sigma` is below `low_sigma`, or a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    laplace_of_gaussian : What this is close to.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.difference_of_gaussians(np.ones(5), 1.0).round(6)
    array([0., 0., 0., 0., 0.])
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    terms = band_terms(low_sigma, high_sigma, view.rank, truncate)
    result = view.target()
    if result.size:
        sum_of_terms(view, terms, result)
    return view.close(result)


def band_terms(low_sigma, high_sigma, rank, truncate):
    """Return the checked difference of two Gaussians as a sum of products of vectors."""
    low = axis_numbers("low_sigma", low_sigma, rank)
    high = tuple(1.6 * one for one in low) if high_sigma is None else \
        axis_numbers("high_sigma", high_sigma, rank)
    if any(wide < narrow for narrow, wide in zip(low, high)):
        raise ValueError(check.refusal("high_sigma", f"at least low_sigma={low}", high))
    truncate = check.positive_number("truncate", truncate)
    wide = [gaussian_taps(one, 0, truncate) for one in high]
    narrow = [
        _widened(gaussian_taps(one, 0, truncate), len(taps)) for one, taps in zip(low, wide)
    ]
    return [tuple(narrow), (-wide[0], *wide[1:])]


@takes_dask("filtered")
def hessian(
    image, sigma=1.0, *, truncate=4.0, normalize=None, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Return the second derivatives of the smoothed image, one array for each pair of axes.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    sigma : float or sequence of float, default=1.0
        Standard deviation in pixels, along each axis that is filtered; above 0.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
    normalize : {None, 'scipy'}, default=None
        As in `laplace_of_gaussian`.
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
        As in `correlate`, with an axis of the pairs in front.

    Returns
    -------
    out : ndarray
        Of the image's shape with an axis of the pairs in front: (0, 0), (0, 1), (1, 1) of two axes,
        and so on, the upper triangle of the matrix, row by row.

    Raises
    ------
    ValueError
        If a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    hessian_eigenvalues : The curvatures along the principal directions.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> y, x = np.mgrid[:24.0, :24.0]
    >>> filters.hessian(x * y, 2.0)[:, 12, 12].round(2) + 0.0
    array([0., 1., 0.])
    """
    view = _matrix_view(image, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    result = view.target(view.rank * (view.rank + 1) // 2)
    if result.size:
        _second_derivatives(view, sigma, truncate, normalize, result)
    return view.close(result, len(result))


@takes_dask("filtered")
def hessian_eigenvalues(
    image, sigma=1.0, *, truncate=4.0, normalize=None, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Return the curvatures of the smoothed image along its principal directions.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    sigma : float or sequence of float, default=1.0
        Standard deviation in pixels, along each axis that is filtered; above 0.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations.
    normalize : {None, 'scipy'}, default=None
        As in `laplace_of_gaussian`.
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
        As in `correlate`, with an axis of the eigenvalues in front.

    Returns
    -------
    out : ndarray
        Of the image's shape with an axis of the eigenvalues in front, the largest first.

    Raises
    ------
    ValueError
        If a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    hessian : The matrices themselves.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> y, x = np.mgrid[:24.0, :24.0]
    >>> filters.hessian_eigenvalues(x * y, 2.0)[:, 12, 12].round(2)
    array([ 1., -1.])
    """
    view = _matrix_view(image, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    }, eigenvalues=True)
    result = view.target(view.rank)
    if result.size:
        parts = np.empty((view.rank * (view.rank + 1) // 2, *view.values.shape), result.dtype)
        _second_derivatives(view, sigma, truncate, normalize, parts)
        eigenvalues(parts, result)
    return view.close(result, len(result))


@takes_dask("filtered")
def structure_tensor(
    image, sigma=1.0, *, operator="sobel", truncate=4.0, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Return the products of first derivatives, smoothed: the structure tensor of each pixel.

    Its eigenvectors tell in which direction the neighbourhood changes, its eigenvalues how much:
    two large ones are a corner.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    sigma : float or sequence of float, default=1.0
        Standard deviation in pixels of the smoothing, along each axis that is filtered.
    operator : {'farid', 'prewitt', 'scharr', 'sobel'}, default='sobel'
        The kernels of the derivatives, unnormalised.
    truncate : float, default=4.0
        Radius of the smoothing kernel in standard deviations.
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
        As in `correlate`, with an axis of the pairs in front.

    Returns
    -------
    out : ndarray
        Of the image's shape with an axis of the pairs in front: (0, 0), (0, 1), (1, 1) of two axes,
        and so on, the upper triangle of the matrix, row by row.

    Raises
    ------
    ValueError
        If a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    hessian : Second derivatives.

    References
    ----------
    .. [1] W. Foerstner and E. Guelch, "A fast operator for detection and precise location of
       distinct points, corners and centres of circular features", 1987.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> rising = np.arange(8.0) * np.ones((8, 1))
    >>> filters.structure_tensor(rising, 0.5)[:, 4, 4].round(6) + 0.0
    array([ 0.,  0., 64.])
    """
    view = _matrix_view(image, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    sigma = axis_numbers("sigma", sigma, view.rank)
    operator = check.choice("operator", operator, tuple(sorted(_taps.DERIVATIVES)))
    truncate = check.positive_number("truncate", truncate)
    result = view.target(view.rank * (view.rank + 1) // 2)
    if result.size:
        smoothing, derivative = _taps.DERIVATIVES[operator]
        slopes = np.empty((view.rank, *view.values.shape), result.dtype)
        for axis, slope in enumerate(slopes):
            sum_of_terms(view, [tuple(
                derivative if other == axis else smoothing for other in range(view.rank))], slope)
        taps = tuple(gaussian_taps(one, 0, truncate) for one in sigma)
        # Beyond the border lie the products of what lies there: for a constant those of zero.
        for part, (one, other) in zip(result, _pairs(view.rank)):
            products = view._replace(values=slopes[one] * slopes[other], constant=0.0)
            sum_of_terms(products, [taps], part)
    return view.close(result, len(result))


def _matrix_view(image, settings, eigenvalues=False):
    """Return the view of an image whose result has an axis in front."""
    view = filter_image(image, **(settings | {"out": None}))
    n = view.rank if eigenvalues else view.rank * (view.rank + 1) // 2
    return filter_image(image, n_parts=n, **settings)


def _pairs(rank):
    """Return the pairs of axes of the upper triangle of a matrix, row by row."""
    return list(combinations_with_replacement(range(rank), 2))


def _second_derivatives(view, sigma, truncate, normalize, out):
    """Write the derivatives for each pair of axes."""
    sigma = axis_numbers("sigma", sigma, view.rank)
    truncate = check.positive_number("truncate", truncate)
    normalize = check.choice("normalize", normalize, (None, "scipy"))
    for part, pair in zip(out, _pairs(view.rank)):
        sum_of_terms(view, [tuple(
            gaussian_taps(one, pair.count(axis), truncate, normalize != "scipy")
            for axis, one in enumerate(sigma))], part)


@np.errstate(divide="ignore", invalid="ignore")    # of what is not finite, NaN is the answer
def eigenvalues(parts, out):
    """Write the eigenvalues of symmetric matrices, the largest first."""
    rank = len(out)
    if rank == 1:
        out[...] = parts
    elif rank == 2:
        half, difference = (parts[0] + parts[2]) / 2, (parts[0] - parts[2]) / 2
        radius = np.sqrt(difference * difference + parts[1] * parts[1])
        np.add(half, radius, out=out[0])
        np.subtract(half, radius, out=out[1])
    elif rank == 3 and out.dtype == np.float32:
        flat, values = parts.reshape(6, -1), np.empty((3, out[0].size), out.dtype)
        for first in range(0, flat.shape[1], EIGENVALUE_BLOCK):
            block = slice(first, first + EIGENVALUE_BLOCK)
            values[:, block] = _of_three_axes(flat[:, block].astype(np.float64))
        out[...] = values.reshape(out.shape)
    else:
        matrices = np.empty((*parts.shape[1:], rank, rank), out.dtype)
        for part, (one, other) in zip(parts, _pairs(rank)):
            matrices[..., one, other] = matrices[..., other, one] = part
        values = np.linalg.eigvalsh(np.nan_to_num(matrices))
        values[~np.isfinite(matrices).all(axis=(-2, -1))] = np.nan
        out[...] = np.moveaxis(values[..., ::-1], -1, 0)


def _of_three_axes(parts):
    """Return the eigenvalues of 3 x 3 matrices, the largest first, as roots of the cubic [1]_.

    Where two are equal half of the digits are lost: in float64 that is still all of float32.

    .. [1] O. K. Smith, "Eigenvalues of a symmetric 3 x 3 matrix", Communications of the ACM, 1961.
    """
    a, d, e, b, f, c = parts
    mean = (a + b + c) / 3
    a, b, c = a - mean, b - mean, c - mean
    width = np.sqrt((a * a + b * b + c * c + 2 * (d * d + e * e + f * f)) / 6)
    half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2
    cosine = half / width**3
    cosine[width == 0] = 0
    angle = np.arccos(np.clip(cosine, -1, 1)) / 3
    largest = mean + 2 * width * np.cos(angle)
    smallest = mean + 2 * width * np.cos(angle + 2 * np.pi / 3)
    return largest, 3 * mean - largest - smallest, smallest


def _sum_over_axes(view, taps, out):
    """Write the sum of one pass along each axis alone."""
    along_axis(view, taps[0], 0, out)
    part = np.empty_like(out)
    for axis in range(1, view.rank):
        along_axis(view, taps[axis], axis, part)
        out += part


def _widened(taps, size):
    """Return taps with zeros on both sides."""
    return np.pad(taps, (size - len(taps)) // 2)
