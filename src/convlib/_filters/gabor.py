"""Gabor filters: waves of one frequency and direction under a Gaussian."""

import numpy as np

from convlib import _taps
from convlib import _validation as check
from convlib._filters._axes import two_axes
from convlib._filters._image import filter_image
from convlib._filters._linear import weighted_sum
from convlib._lazy import takes_dask

__all__ = ["gabor"]

MOST_TAPS = 2**24    # of a kernel


@takes_dask("filtered")
def gabor(
    image, frequency, theta=0.0, *, sigma_x=None, sigma_y=None, bandwidth=1.0, n_stds=3.0,
    offset=0.0, part="magnitude", normalize=None, channel_axis=None, axes=None,
    padding_mode="symmetric", constant_values=0, dtype=None, n_threads=None, out=None,
):
    """Filter with a Gabor kernel: how much of one wave there is around each pixel.

    The kernel is ``exp(-(u / sigma_x) ** 2 / 2 - (v / sigma_y) ** 2 / 2) * exp(1j * (2 * pi *
    frequency * u + offset))``, where u runs along `theta` and v across it. Where both deviations
    are equal, its real and imaginary parts are sums of two products of vectors, whatever the
    angle, and run as passes along the axes.

    Parameters
    ----------
    image : array-like
        An image with two axes that are filtered, as in `correlate`.
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
    part : {'magnitude', 'real', 'imaginary'}, default='magnitude'
        Which part of the complex result is returned.
    normalize : {None, 'skimage'}, default=None
        None scales the Gaussian so that its taps sum to one. 'skimage' scales it so that its
        integral is one, and flips the kernel as a convolution does.
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
        If there are not two axes, the kernel has more than 2 ** 24 taps, or a number, a name or a
        shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    correlate : Any kernel.

    References
    ----------
    .. [1] J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and
       orientation optimized by two-dimensional visual cortical filters", 1985.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> wave = np.cos(2 * np.pi * 0.25 * np.arange(32.0)) * np.ones((32, 1))
    >>> filters.gabor(wave, 0.25)[16, 16].round(2)
    np.float64(0.5)
    >>> filters.gabor(wave, 0.25, np.pi / 2)[16, 16].round(2)
    np.float64(0.0)
    """
    view = filter_image(image, **{
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })
    two_axes(view, "gabor")
    part = check.choice("part", part, ("magnitude", "real", "imaginary"))
    normalize = check.choice("normalize", normalize, (None, "skimage"))
    kernel = gabor_kernel(
        frequency, theta, sigma_x, sigma_y, bandwidth, n_stds, offset, normalize=normalize)
    result = view.target()
    if not result.size:
        return view.close(result)
    if part == "imaginary":
        weighted_sum(view, np.ascontiguousarray(kernel.imag), result)
        return view.close(result)
    weighted_sum(view, np.ascontiguousarray(kernel.real), result)
    if part == "magnitude":
        other = np.empty_like(result)
        weighted_sum(view, np.ascontiguousarray(kernel.imag), other)
        result *= result
        other *= other
        result += other
        np.sqrt(result, out=result)
    return view.close(result)


def gabor_kernel(frequency, theta, sigma_x, sigma_y, bandwidth, n_stds, offset, *,
                 balanced=False, normalize=None):
    """Return the checked complex kernel."""
    frequency = check.positive_number("frequency", frequency)
    bandwidth = check.positive_number("bandwidth", bandwidth)
    n_stds = check.positive_number("n_stds", n_stds)
    sigma = _taps.gabor_sigma(frequency, bandwidth)
    sigma_x, sigma_y = (
        sigma if value is None else check.positive_number(name, value)
        for name, value in (("sigma_x", sigma_x), ("sigma_y", sigma_y))
    )
    angles = [check.real_number(name, value, "a finite number") for name, value in (
        ("theta", theta), ("offset", offset))]
    for name, value in zip(("theta", "offset"), angles):
        if not np.isfinite(value):
            raise ValueError(check.refusal(name, "a finite number", value))
    n_taps = (2 * n_stds * max(sigma_x, sigma_y) + 1) ** 2
    if n_taps > MOST_TAPS:
        raise ValueError(f"the kernel must have at most 2 ** 24 taps; got about {n_taps:.3g}, from "
                         f"frequency={frequency}, n_stds={n_stds}, sigma_x={sigma_x:.3g} and "
                         f"sigma_y={sigma_y:.3g}")
    kernel = _taps.gabor(
        frequency, angles[0], sigma_x=sigma_x, sigma_y=sigma_y, n_stds=n_stds, offset=angles[1],
        balanced=balanced, scale="integral" if normalize else "sum")
    return np.flip(kernel) if normalize else kernel
