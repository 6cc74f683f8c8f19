"""Filters as they are defined: numpy.pad, then plain loops over taps, in float64."""

import itertools

import numpy as np


def correlate(image, kernel, padding_mode="symmetric", constant=0.0, centre=None):
    """Return the weighted sums of neighbours; the kernel has as many axes as the image."""
    image = np.asarray(image, np.float64)
    kernel = np.asarray(kernel, np.float64)
    centre = [n // 2 for n in kernel.shape] if centre is None else centre
    pads = [(before, n - 1 - before) for before, n in zip(centre, kernel.shape)]
    values = {"constant_values": constant} if padding_mode == "constant" else {}
    padded = np.pad(image, pads, padding_mode, **values)
    total = np.zeros(image.shape)
    for place in itertools.product(*map(range, kernel.shape)):
        window = tuple(slice(k, k + n) for k, n in zip(place, image.shape))
        total += kernel[place] * padded[window]
    return total


def outer(*vectors):
    """Return the product of vectors, one an axis."""
    kernel = np.ones(())
    for vector in vectors:
        kernel = np.multiply.outer(kernel, np.asarray(vector, np.float64))
    return kernel


def mean_of_integers(image, size, padding_mode="symmetric", constant=0):
    """Return the nearest integers to the means over windows, halves upwards, in Python's ints."""
    pads = [(n // 2, n - 1 - n // 2) for n in size]
    values = {"constant_values": constant} if padding_mode == "constant" else {}
    padded = np.pad(image, pads, padding_mode, **values)
    n = int(np.prod(size))
    result = np.empty(image.shape, object)
    for place in np.ndindex(image.shape):
        window = padded[tuple(slice(k, k + m) for k, m in zip(place, size))]
        result[place] = (2 * sum(map(int, window.ravel())) + n) // (2 * n)
    return result.astype(image.dtype)
