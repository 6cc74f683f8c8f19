"""Waves as kernel arrays: Gabor kernels, and the cosines of the DCT."""

from itertools import product
from math import pi, prod

from convlib import _taps
from convlib import _validation as check
from convlib._banks._arrays import as_bank, axes, countable, outer_sum, padded
from convlib._filters.gabor import gabor_kernel

__all__ = ["dct", "gabor_bank", "gabor_kernels"]


def gabor_kernels(
    frequency, theta=0.0, *, sigma_x=None, sigma_y=None, bandwidth=1.0, n_stds=3.0, offset=0.0,
    balanced=False, dtype="float32",
):
    """Return a Gabor kernel, a wave under a Gaussian: its real and its imaginary part.

    The Gaussian sums to one.

    Parameters
    ----------
    frequency : float
        Waves a pixel, above 0.
    theta : float, default=0.0
        Direction of the wave in radians: 0 runs along the last axis, pi / 2 along the first.
    sigma_x : float, default=None
        Standard deviation in pixels along the wave. None means what `bandwidth` makes of it.
    sigma_y : float, default=None
        That across the wave.
    bandwidth : float, default=1.0
        Width in octaves of the band of frequencies that passes, above 0.
    n_stds : float, default=3.0
        Radius of the kernel in standard deviations.
    offset : float, default=0.0
        Phase of the wave in the centre, in radians.
    balanced : bool, default=False
        Whether a multiple of the Gaussian is taken away, so that both kernels sum to zero.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (height, width, 1, 2)
        Of odd sizes that follow from the direction.

    Raises
    ------
    ValueError
        If a number is too small or too large.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    gabor_bank : Several frequencies and directions.
    convlib.filters.gabor : The filter.

    References
    ----------
    .. [1] J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and
       orientation optimized by two-dimensional visual cortical filters", 1985.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.gabor_kernels(0.25).shape
    (15, 15, 1, 2)
    """
    kernel = gabor_kernel(frequency, theta, sigma_x, sigma_y, bandwidth, n_stds, offset,
                          balanced=check.flag("balanced", balanced))
    return as_bank([kernel.real, kernel.imag], dtype)


def gabor_bank(
    frequencies=(0.25, 0.125), n_orientations=4, *, bandwidth=1.0, n_stds=3.0, balanced=True,
    dtype="float32",
):
    """Return Gabor kernels of several frequencies and directions, at the size of the largest.

    Parameters
    ----------
    frequencies : sequence of float, default=(0.25, 0.125)
        Waves a pixel, each above 0.
    n_orientations : int, default=4
        Directions, which divide half a turn evenly; the first wave runs along the last axis.
    bandwidth : float, default=1.0
        Width in octaves of the band of frequencies that passes, above 0.
    n_stds : float, default=3.0
        Radius of the kernels in standard deviations.
    balanced : bool, default=True
        Whether kernels sum to zero, and do not see how bright an image is.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (size, size, 1, 2 * n_orientations * n_frequencies)
        Real and imaginary parts side by side, direction by direction, one frequency after the
        other.

    Raises
    ------
    ValueError
        If a number is too small or too large.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    gabor_kernels : One of them, with more to choose.

    References
    ----------
    .. [1] A. K. Jain and F. Farrokhnia, "Unsupervised texture segmentation using Gabor filters",
       1991.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.gabor_bank((0.25,), 6).shape
    (15, 15, 1, 12)
    """
    entries = check.as_entries(frequencies)
    if entries is None:
        raise TypeError(check.refusal("frequencies", "a sequence of numbers above 0", frequencies))
    if not entries:
        raise ValueError(check.refusal("frequencies", "at least one number", frequencies))
    entries = [check.positive_number(f"frequencies[{i}]", one) for i, one in enumerate(entries)]
    n_orientations = check.integer("n_orientations", n_orientations, 1)
    balanced = check.flag("balanced", balanced)
    countable((1,), len(entries) * n_orientations)
    kernels = [
        gabor_kernel(frequency, pi * turn / n_orientations, None, None, bandwidth, n_stds, 0.0,
                     balanced=balanced)
        for frequency in entries for turn in range(n_orientations)
    ]
    size = (max(n for kernel in kernels for n in kernel.shape),) * 2
    countable(size, 2 * len(kernels))
    kernels = [padded(kernel, size) for kernel in kernels]
    return as_bank([part for kernel in kernels for part in (kernel.real, kernel.imag)], dtype)


def dct(size=8, ndim=2, *, dtype="float32"):
    """Return the cosines of the transform DCT-II, which are orthonormal.

    The coefficients of a block of pixels are its inner products with them.

    Parameters
    ----------
    size : int or sequence of int, default=8
        Taps along each axis, and waves.
    ndim : int, default=2
        Number of spatial axes, 1 to 3.
    dtype : {'float32', 'float64'}, default='float32'
        Of the kernels.

    Returns
    -------
    kernels : ndarray of shape (*size, 1, n_kernels)
        As many as taps: kernel ``u * size + v`` has u half waves along the first of two axes, and
        v along the last. The first is constant, all others sum to zero.

    Raises
    ------
    ValueError
        If a number is too small or too large.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    laws : Small kernels for textures.

    References
    ----------
    .. [1] N. Ahmed, T. Natarajan and K. R. Rao, "Discrete Cosine Transform", IEEE Transactions on
       Computers C-23, 1974.

    Examples
    --------
    >>> from convlib import banks
    >>> banks.dct(2)[:, :, 0, 1]
    array([[ 0.5, -0.5],
           [ 0.5, -0.5]], dtype=float32)
    """
    size = check.axis_ints("size", size, axes(ndim), 1)
    countable(size, prod(size))
    vectors = [_taps.cosines(n) for n in size]
    return as_bank([outer_sum([taps]) for taps in product(*vectors)], dtype)
