"""How far each filter looks along the axes that it filters, from the taps it computes with."""

import numpy as np

from convlib import _taps
from convlib import _validation as check
from convlib._filters._image import axis_numbers
from convlib._filters.gabor import gabor_kernel
from convlib._filters.linear import filter_kernel
from convlib._filters.rank import window_reach
from convlib._filters.second_order import band_terms
from convlib._filters.smoothing import gaussian_taps, size_taps


def centred(n):
    """Return the pixels before and after the centre of a window of `n`."""
    return n // 2, n - 1 - n // 2


def _of_taps(vectors):
    return tuple(centred(len(taps)) for taps in vectors)


def _of_kernel(kernel, rank):
    return tuple(map(centred, filter_kernel(kernel, rank).shape))


def _gaussians(name, rank, settings):
    """Return the reach of Gaussians, and of their derivatives."""
    sigma = axis_numbers(name, settings[name], rank)
    truncate = check.positive_number("truncate", settings["truncate"])
    return _of_taps(gaussian_taps(one, 0, truncate) for one in sigma)


def _smoothing(rank, settings):
    order = check.axis_ints("order", settings["order"], rank, 0)
    return _of_taps(size_taps(rank, settings["sigma"], settings["size"], settings["truncate"],
                              order, settings["normalize"]))


def _derivative(operator, rank):
    return _of_taps((_taps.DERIVATIVES[operator][0],) * rank)


def _tensor(rank, settings):
    """Return the reach of a derivative whose products are smoothed."""
    slopes = _derivative(settings["operator"], rank)
    return tuple((before + one, after + other) for (before, after), (one, other) in zip(
        slopes, _gaussians("sigma", rank, settings)))


def _gabor(settings):
    """Return the kernel of a Gabor filter, of which no part is larger than another."""
    names = ("frequency", "theta", "sigma_x", "sigma_y", "bandwidth", "n_stds", "offset")
    return gabor_kernel(*(settings[name] for name in names), normalize=settings["normalize"])


def _three(rank, settings):
    """Return the reach of kernels of three taps an axis."""
    return (centred(3),) * rank


def _order(rank, settings):
    return window_reach(rank, settings["size"], settings["footprint"])


# Of (number of filtered axes, all arguments by name): (before, after) for each axis.
REACH = {
    "convolve": lambda rank, settings: tuple(
        pair[::-1] for pair in _of_kernel(settings["kernel"], rank)),
    "correlate": lambda rank, settings: _of_kernel(settings["kernel"], rank),
    "difference_of_gaussians": lambda rank, settings: _of_taps(band_terms(
        settings["low_sigma"], settings["high_sigma"], rank, settings["truncate"])[0]),
    "gabor": lambda rank, settings: tuple(map(centred, _gabor(settings).shape)),
    "gaussian": _smoothing,
    "gradient_direction": lambda rank, settings: _derivative(settings["operator"], rank),
    "mean": lambda rank, settings: tuple(
        map(centred, check.axis_ints("size", settings["size"], rank, 1))),
    "roberts": lambda rank, settings: tuple((0, n - 1) for n in _taps.roberts().shape[1:]),
    "structure_tensor": _tensor,
}
REACH |= dict.fromkeys(("maximum", "median", "minimum", "percentile"), _order)
REACH |= dict.fromkeys(("kirsch", "laplace", "robinson", "sharpen"), _three)
REACH |= dict.fromkeys(
    ("gradient_magnitude", "hessian", "hessian_eigenvalues", "laplace_of_gaussian",
     "unsharp_mask"), lambda rank, settings: _gaussians("sigma", rank, settings))
for _name in ("farid", "prewitt", "scharr", "sobel"):
    REACH[_name] = lambda rank, settings, _name=_name: _derivative(_name, rank)


def full_kernels(name, rank, settings):
    """Return the kernels, and their centres, of filters that may run as convolutions."""
    if name == "gabor":
        kernel = _gabor(settings)
        centre = tuple(n // 2 for n in kernel.shape)
        return [(kernel.real, centre), (kernel.imag, centre)]
    if name not in ("convolve", "correlate"):
        return []
    kernel = filter_kernel(settings["kernel"], rank)
    if name == "correlate":
        return [(kernel, tuple(n // 2 for n in kernel.shape))]
    return [(np.flip(kernel), tuple((n - 1) // 2 for n in kernel.shape))]
