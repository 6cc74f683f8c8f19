"""A table: name -> the maps of one channel at one scale, and how far they see.

All are filters of `convlib.filters`, so a map at a pixel is the same bits in any crop that holds
what the pixel sees.
"""

from collections.abc import Callable
from functools import cached_property
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from convlib import _taps, filters
from convlib._filters.reach import centred
from convlib._filters.second_order import eigenvalues
from convlib.ops.conv import conv
from convlib.ops.separable import factorize_kernel

NARROW = 0.66          # of the Gaussians that are subtracted, ilastik's
OUTER = 0.5            # scale of the smoothing of a structure tensor, ilastik's
BLOCK_VALUES = 2**14   # of a matrix's entries, whose eigenvalues are taken at once

SETS = {
    "basic": ("gaussian", "sobel", "texture"),
    "ilastik": ("gaussian", "laplace_of_gaussian", "gradient_magnitude",
                "difference_of_gaussians", "structure_tensor_eigenvalues", "hessian_eigenvalues"),
}


class Scale:
    """One channel at one scale, and what several maps need of it."""

    def __init__(self, values, sigma, truncate, padding_mode, n_threads):
        self.values, self.sigma, self.truncate = values, sigma, truncate
        self.rest = {"padding_mode": padding_mode, "n_threads": n_threads}
        self.settings = {"truncate": truncate, **self.rest}

    @cached_property
    def smooth(self):
        """The channel smoothed with a Gaussian."""
        return filters.gaussian(self.values, self.sigma, **self.settings)


class Map(NamedTuple):
    """A feature: how many maps it has of a channel at a scale, and how far they see."""

    compute: Callable    # (scale) -> maps
    per_axis: bool       # whether there is one for each axis, else there is one
    reach: Callable      # (sigma, truncate) -> pixels along an axis


def sobel(scale):
    """Return the magnitude of Sobel's gradient of the smoothed channel, in scikit-image's scale."""
    return [filters.sobel(scale.smooth, normalize="skimage", **scale.rest)]


def texture(scale):
    """Return the eigenvalues of the matrix of central differences of differences.

    Differences at the border are one-sided, as `numpy.gradient` takes them.
    """
    smooth, n_threads = scale.smooth, scale.rest["n_threads"]
    padded = extrapolated(smooth)
    inner = (slice(2, -2),) * smooth.ndim
    taps = [-0.5, 0, 0.5]
    parts = []
    for one in range(smooth.ndim):
        slope = filters.correlate(padded, taps, axes=one, n_threads=n_threads)
        for other in range(one, smooth.ndim):
            parts.append(filters.correlate(slope, taps, axes=other, n_threads=n_threads)[inner])
    return eigenvalue_maps(parts)


def extrapolated(values):
    """Return values with two more on each side, so that central differences become one-sided."""
    for axis in range(values.ndim):
        line = np.moveaxis(values, axis, 0)
        n = len(line)
        out = np.empty(tuple(n + 4 if k == axis else m for k, m in enumerate(values.shape)),
                       values.dtype)
        wide = np.moveaxis(out, axis, 0)
        wide[2:-2] = line
        for near, second, third, ends in ((0, 1, 2, (1, 0)), (-1, -2, -3, (-2, -1))):
            a = line[near]
            b = line[second] if n > 1 else a
            c = line[third] if n > 2 else 2 * b - a
            wide[ends[0]] = 2 * a - b
            wide[ends[1]] = 4 * a - 4 * b + c
        values = out
    return values


def structure_tensor(scale):
    """Return the eigenvalues of the smoothed products of derivatives of Gaussians."""
    values, rank = scale.values, scale.values.ndim
    slopes = [
        filters.gaussian(values, scale.sigma, order=[int(k == axis) for k in range(rank)],
                         **scale.settings)
        for axis in range(rank)
    ]
    outer = [OUTER * one for one in scale.sigma]
    return eigenvalue_maps([
        filters.gaussian(slopes[one] * slopes[other], outer, **scale.settings)
        for one, other in combinations_with_replacement(range(rank), 2)
    ])


def hessian_eigenvalues(scale):
    """Return the eigenvalues of the second derivatives of Gaussians."""
    return eigenvalue_maps(filters.hessian(scale.values, scale.sigma, **scale.settings))


def eigenvalue_maps(parts):
    """Return the eigenvalues of symmetric matrices, the largest first, block by block."""
    rank = parts[0].ndim
    out = np.empty((rank, *parts[0].shape), parts[0].dtype)
    step = max(1, BLOCK_VALUES // max(1, out[0, 0].size))
    for first in range(0, out.shape[1], step):
        block = slice(first, first + step)
        eigenvalues(np.stack([part[block] for part in parts]), out[:, block])
    return out


def radius(sigma, truncate):
    """Return how far a Gaussian sees."""
    return _taps.gaussian_radius(sigma, truncate)


MAPS = {
    "gaussian": Map(lambda scale: [scale.smooth], False, radius),
    "sobel": Map(sobel, False, lambda sigma, truncate: radius(sigma, truncate) + 1),
    "texture": Map(texture, True, lambda sigma, truncate: radius(sigma, truncate) + 2),
    "laplace_of_gaussian": Map(
        lambda scale: [filters.laplace_of_gaussian(scale.values, scale.sigma, **scale.settings)],
        False, radius),
    "gradient_magnitude": Map(
        lambda scale: [filters.gradient_magnitude(scale.values, scale.sigma, **scale.settings)],
        False, radius),
    "difference_of_gaussians": Map(
        lambda scale: [filters.difference_of_gaussians(
            scale.values, [NARROW * one for one in scale.sigma], scale.sigma, **scale.settings)],
        False, radius),
    "structure_tensor_eigenvalues": Map(
        structure_tensor, True,
        lambda sigma, truncate: radius(sigma, truncate) + radius(OUTER * sigma, truncate)),
    "hessian_eigenvalues": Map(hessian_eigenvalues, True, radius),
}


class Bank:
    """Kernels that each channel is correlated with, as passes along the axes or all at once."""

    TOGETHER = 8     # kernels of one call
    SMALL = 25       # taps of kernels that are never split into passes

    def __init__(self, kernels):
        self.kernels = kernels    # (*kernel_size, n_kernels)
        self.size = kernels.shape[:-1]
        self.n_kernels = kernels.shape[-1]

    @property
    def reach(self):
        """Pixels before and after their own that the kernels see, along each axis."""
        return tuple(map(centred, self.size))

    def maps(self, values, padding_mode, n_threads):
        """Yield the maps of a channel, one for each kernel.

        How a kernel runs follows from the kernel alone: so it is the same in any crop.
        """
        pads = self.reach
        for first in range(0, self.n_kernels, self.TOGETHER):
            part = self.kernels[..., first:first + self.TOGETHER]
            if all(self.is_low_rank(kernel, values.dtype) for kernel in np.moveaxis(part, -1, 0)):
                for kernel in np.moveaxis(part, -1, 0):
                    yield filters.correlate(values, kernel, padding_mode=padding_mode,
                                            n_threads=n_threads)
                continue
            maps = conv(values[np.newaxis, ..., np.newaxis], part[..., np.newaxis, :],
                        padding=pads, padding_mode=padding_mode, algorithm="planes",
                        n_threads=n_threads)[0]
            yield from np.moveaxis(maps, -1, 0)

    def is_low_rank(self, kernel, dtype):
        """Return whether `filters.correlate` runs a kernel as passes."""
        if kernel.size <= self.SMALL or not kernel.any():
            return False
        n_terms = len(factorize_kernel(kernel, 4 * np.finfo(dtype).eps))
        return n_terms == 1 or n_terms * sum(kernel.shape) < kernel.size
