"""Banks for textures: Laws, Leung and Malik, Schmid, maximum response."""

from itertools import product
from math import pi, sqrt

import numpy as np

from convlib import _taps
from convlib import _validation as check
from convlib._banks._arrays import as_bank, axes, countable, odd, outer_sum
from convlib.ops.conv import conv

__all__ = [
    "laws", "leung_malik", "maximum_response", "mr8_responses",
    "schmid",
]

N_ORIENTATIONS = 6
ELONGATION = 3    # of edges and bars, along over across
LEUNG_MALIK = {"small": (1, sqrt(2), 2, 2 * sqrt(2)), "large": (sqrt(2), 2, 2 * sqrt(2), 4)}
MAXIMUM_RESPONSE = (1, 2, 4)
SPOT = 10         # standard deviation of the two round ones of maximum response
SCHMID = ((2, 1), (4, 1), (4, 2), (6, 1), (6, 2), (6, 3), (8, 1), (8, 2), (8, 3), (10, 1),
          (10, 2), (10, 3), (10, 4))    # (sigma, tau)


def laws(size=5, ndim=2, *, dtype="float32"):
    """Return Laws' kernels: products of small vectors for level, edge, spot, wave and ripple.

    The vectors are whole numbers: L5 = 1, 4, 6, 4, 1; E5 = -1, -2, 0, 2, 1; S5 = -1, 0, 2, 0, -1;
    W5 = -1, 2, 0, -2, 1; R5 = 1, -4, 6, -4, 1; and L3 = 1, 2, 1; E3 = -1, 0, 1; S3 = -1, 2, -1.
    Kernels are not divided by anything; all but the product of levels sum to zero.

    Parameters
    ----------
    size : {5, 3}, default=5
        Taps along each axis.
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (5, 5, 1, 25) or (3, 3, 1, 9)
        L5L5, L5E5, L5S5, ..., R5R5: the vector along the first axis is named first. Of as many
        axes as `ndim` says.

    Raises
    ------
    ValueError
        If `size` or `ndim` is none of these.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    dct : Cosines of any size.

    References
    ----------
    .. [1] K. I. Laws, "Rapid Texture Identification", SPIE 238, 1980.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.laws(3)[:, :, 0, 1]
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]], dtype=float32)
    """
    ndim = axes(ndim)
    if check.integer("size", size, 1) not in (3, 5):
        raise ValueError(check.refusal("size", "3 or 5", size))
    vectors = _taps.laws(int(size)).values()
    return as_bank([outer_sum([taps]) for taps in product(vectors, repeat=ndim)], dtype)


def leung_malik(size=49, *, scales="large", dtype="float32"):
    """Return the 48 kernels of Leung and Malik: edges, bars and spots.

    Edges and bars are first and second derivatives of Gaussians three times as long as wide, at
    three scales and six orientations, which divide half a turn evenly. Each kernel has zero mean
    and absolute values that sum to one.

    Parameters
    ----------
    size : int, default=49
        Taps along each axis, odd, at least 3.
    scales : {'large', 'small'}, default='large'
        Standard deviations: 'small' is 1 to 2 * sqrt(2), 'large' sqrt(2) to 4, in steps of
        sqrt(2). Edges and bars have the first three of them.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (size, size, 1, 48)
        18 edges, six of a scale side by side; 18 bars; and for each scale a Gaussian, a Laplacian
        of it, and one of three times its width.

    Raises
    ------
    ValueError
        If `size` or `scales` is none of these.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    maximum_response : Fewer round ones.

    References
    ----------
    .. [1] T. Leung and J. Malik, "Representing and Recognizing the Visual Appearance of Materials
       using Three-dimensional Textons", International Journal of Computer Vision 43(1), 2001.
    .. [2] M. Varma and A. Zisserman, "A Statistical Approach to Texture Classification from
       Single Images", International Journal of Computer Vision 62, 2005 (the form used here).

    Examples
    --------
    >>> from convlib import banks
    >>> banks.leung_malik().shape
    (49, 49, 1, 48)
    """
    size = odd("size", size, 3)
    countable((size, size), 48)
    sigmas = LEUNG_MALIK[check.choice("scales", scales, tuple(LEUNG_MALIK))]
    spots = [spot for sigma in sigmas for spot in (
        _spot(size, sigma), _laplacian(size, sigma), _laplacian(size, 3 * sigma))]
    return as_bank([*_edges_and_bars(size, sigmas[:3]), *spots], dtype)


def schmid(size=49, *, dtype="float32"):
    """Return the 13 round kernels of Schmid: cosines of the radius under a Gaussian.

    They are ``cos(pi * tau * r / sigma) * exp(-(r / sigma) ** 2 / 2)``, with the mean taken away,
    and absolute values that sum to one.

    Parameters
    ----------
    size : int, default=49
        Taps along each axis, odd, at least 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (size, size, 1, 13)
        With (sigma, tau) = (2, 1), (4, 1), (4, 2), (6, 1), (6, 2), (6, 3), (8, 1), (8, 2),
        (8, 3), (10, 1), (10, 2), (10, 3), (10, 4).

    Raises
    ------
    ValueError
        If `size` is too small, too large or even.
    TypeError
        If `size` is no int.

    See Also
    --------
    leung_malik : Kernels with a direction.

    References
    ----------
    .. [1] C. Schmid, "Constructing models for content-based image retrieval", CVPR 2001.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.schmid().shape
    (49, 49, 1, 13)
    """
    size = odd("size", size, 3)
    countable((size, size), len(SCHMID))
    radius = np.hypot(*_places(size))
    return as_bank([
        _scaled(np.cos(pi * tau * radius / sigma) * np.exp(-0.5 * (radius / sigma) ** 2))
        for sigma, tau in SCHMID
    ], dtype)


def maximum_response(size=49, *, dtype="float32"):
    """Return the 38 kernels whose strongest responses are the features MR8.

    Edges and bars are first and second derivatives of Gaussians three times as long as wide, of
    the standard deviations 1, 2 and 4 across, at six orientations, which divide half a turn
    evenly. Each kernel has zero mean and absolute values that sum to one.

    Parameters
    ----------
    size : int, default=49
        Taps along each axis, odd, at least 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (size, size, 1, 38)
        18 edges, six of a scale side by side; 18 bars; a Gaussian of standard deviation 10 and
        the Laplacian of it.

    Raises
    ------
    ValueError
        If `size` is too small, too large or even.
    TypeError
        If `size` is no int.

    See Also
    --------
    mr8_responses : What images answer.

    References
    ----------
    .. [1] M. Varma and A. Zisserman, "A Statistical Approach to Texture Classification from
       Single Images", International Journal of Computer Vision 62, 2005.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.maximum_response().shape
    (49, 49, 1, 38)
    """
    size = odd("size", size, 3)
    countable((size, size), 38)
    spots = _spot(size, SPOT), _laplacian(size, SPOT)
    return as_bank([*_edges_and_bars(size, MAXIMUM_RESPONSE), *spots], dtype)


def mr8_responses(
    image, size=49, *, absolute=True, padding_mode="symmetric", n_threads=None,
):
    """Return the eight features MR8 of each pixel, which turn with the image.

    Of the six orientations of an edge or a bar only the strongest response is kept.

    Parameters
    ----------
    image : array-like of shape (height, width) or (n_images, height, width, 1)
        One image, or several.
    size : int, default=49
        Taps of the kernels along each axis, odd, at least 3.
    absolute : bool, default=True
        Whether the strongest response is that of the largest absolute value, which is what is
        kept. An edge that is turned by half a turn answers the opposite, and orientations make up
        half a turn only: the largest value itself, with False, does not turn with the image.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        What lies around the image, as in `numpy.pad`; 'constant' is zero.
    n_threads : int, default=None
        OpenMP threads. None follows ``OMP_NUM_THREADS``, threadpoolctl and the container's limit.

    Returns
    -------
    responses : ndarray of shape (height, width, 8) or (n_images, height, width, 8)
        Edges and then bars, the smallest scale first, the Gaussian and its Laplacian. In float32
        or float64, whichever `convlib.conv` computes the image in.

    Raises
    ------
    ValueError
        If a number, a name or a shape is wrong.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    maximum_response : The kernels.

    References
    ----------
    .. [1] M. Varma and A. Zisserman, "A Statistical Approach to Texture Classification from
       Single Images", International Journal of Computer Vision 62, 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import banks
    >>> banks.mr8_responses(np.eye(32), 21).shape
    (32, 32, 8)
    """
    images = check.numeric_array("image", image)
    is_one = images.ndim == 2
    if not is_one and (images.ndim != 4 or images.shape[-1] != 1):
        raise ValueError(check.refusal(
            "image", "of shape (height, width) or (n_images, height, width, 1)", images))
    images = images[np.newaxis, ..., np.newaxis] if is_one else images
    images = images.astype(check.result_dtype(images.dtype), copy=False)
    absolute = check.flag("absolute", absolute)
    kernels = maximum_response(size, dtype=images.dtype.name)
    responses = np.empty((*images.shape[:-1], 8), images.dtype)
    for number in range(8):
        first = min(number, 6) * N_ORIENTATIONS + max(0, number - 6)
        last = first + (N_ORIENTATIONS if number < 6 else 1)
        maps = conv(images, kernels[..., first:last], padding="same", padding_mode=padding_mode,
                    n_threads=n_threads)
        if absolute and number < 6:
            np.abs(maps, out=maps)
        maps.max(axis=-1, out=responses[..., number])
    return responses[0] if is_one else responses


def _edges_and_bars(size, sigmas):
    """Return edges at all scales and orientations, and then bars."""
    x, y = _places(size)
    kernels = []
    for order in (1, 2):
        for sigma in sigmas:
            for angle in pi / N_ORIENTATIONS * np.arange(N_ORIENTATIONS):
                along = np.cos(angle) * x - np.sin(angle) * y
                across = np.sin(angle) * x + np.cos(angle) * y
                gaussian = np.exp(-0.5 * ((along / ELONGATION) ** 2 + across**2) / sigma**2)
                slope = -across if order == 1 else across**2 - sigma**2
                kernels.append(_scaled(slope * gaussian))
    return kernels


def _spot(size, sigma):
    """Return a Gaussian without its mean."""
    x, y = _places(size)
    return _scaled(np.exp(-0.5 * (x**2 + y**2) / sigma**2))


def _laplacian(size, sigma):
    """Return the Laplacian of a Gaussian."""
    x, y = _places(size)
    squares = x**2 + y**2
    return _scaled((squares - 2 * sigma**2) * np.exp(-0.5 * squares / sigma**2))


def _places(size):
    """Return coordinates from the centre: x to the right and y upwards."""
    radius = size // 2
    y, x = np.mgrid[radius:-radius - 1:-1, -radius:radius + 1]
    return x.astype(float), y.astype(float)


def _scaled(kernel):
    """Return a kernel without its mean, its absolute values summing to one."""
    kernel = kernel - kernel.mean()
    return kernel / np.abs(kernel).sum()
