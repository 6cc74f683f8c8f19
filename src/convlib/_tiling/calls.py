"""A call that is to be made of a large image: a function and its arguments, or an estimator."""

import inspect
from math import lcm

import numpy as np

from convlib import _validation as check
from convlib import filters
from convlib._filters._image import filter_image
from convlib._filters._linear import grid_of_sum
from convlib._filters.reach import REACH, full_kernels
from convlib._tiling.operators import GEOMETRIES, OTHERS, operator_grid, operator_windows, rank_of
from convlib._tiling.windows import Window

UNLIKE = "an operator or a filter of convlib whose outputs see a window of the image, or an " \
    "estimator with a halo"


class OperatorCall:
    """A call of an operator on images (n_images, *size, channels)."""

    def __init__(self, function, operands, settings):
        self.function, self.name = function, function.__name__
        self.arguments = bound(function, operands, settings)

    def windows(self, shape=None):
        """Return the `Window` of each spatial axis."""
        rank = rank_of(self.function, self.arguments, shape)
        size = None if shape is None else images_shape(shape, rank)[1:-1]
        return operator_windows(self.function, self.arguments, size, rank)

    def grid(self, shape, dtype):
        """Return the grid of tiles, for each spatial axis."""
        rank = rank_of(self.function, self.arguments, shape)
        image_shape = images_shape(shape, rank)[1:]
        return operator_grid(self.function, self.arguments, image_shape,
                             check.result_dtype(np.dtype(dtype)).name)


class FilterCall:
    """A call of a filter on one image."""

    def __init__(self, function, operands, settings):
        self.function = function
        self.name = self.filter = function.__name__
        self.arguments = bound(function, operands, settings)

    def windows(self, shape=None):
        """Return the `Window` of each axis that is filtered."""
        reach = REACH[self.filter](self._rank(shape), self.arguments)
        return tuple(Window(*pair) for pair in reach)

    def grid(self, shape, dtype):
        """Return the grid of tiles, for each axis that is filtered."""
        view = self.view(len(shape), dtype)
        size = tuple(shape[axis] for axis in view.axes)
        grid = (1,) * view.rank
        for kernel, centre in full_kernels(self.filter, view.rank, self.arguments):
            own = grid_of_sum(view, kernel, centre, size, check.result_dtype(view.dtype))
            grid = tuple(map(lcm, grid, own))
        return grid

    def view(self, ndim, dtype):
        """Return what the filter makes of one pixel of an image with `ndim` axes."""
        names = ("channel_axis", "axes", "padding_mode", "constant_values", "dtype", "n_threads")
        return filter_image(np.zeros((1,) * ndim, dtype), out=None,
                            **{name: self.arguments[name] for name in names})

    def _rank(self, shape):
        """Return the number of axes that are filtered."""
        if shape is not None:
            return self.view(len(shape), "float32").rank
        arguments = self.arguments
        if arguments["axes"] is not None:
            return len(check.as_entries(arguments["axes"]) or (0,))
        for name in ("kernel", "footprint"):
            if arguments.get(name) is not None:
                return np.ndim(arguments[name])
        for name in ("size", "sigma", "low_sigma", "high_sigma", "order"):
            entries = check.as_entries(arguments.get(name))
            if entries is not None:
                return len(entries)
        return 2


def bound(function, operands, settings):
    """Return all arguments of a function but the images, by name."""
    first, *_ = signature = inspect.signature(function).parameters
    try:
        given = inspect.signature(function).bind(None, *operands, **settings)
    except TypeError as error:
        raise TypeError(f"{function.__name__}: {error}") from None
    given.apply_defaults()
    return {name: given.arguments[name] for name in signature if name != first}


def images_shape(shape, rank):
    """Return the shape of images (n_images, *size, channels), of which one may be given.

    One image may have channels behind its spatial axes, or none.
    """
    shape = check.array_shape("shape", shape, (rank, rank + 1, rank + 2))
    if len(shape) == rank:
        return (1, *shape, 1)
    return (1, *shape) if len(shape) == rank + 1 else shape


def call_of(function, operands, settings):
    """Return the call of a function, or of an estimator."""
    if function in GEOMETRIES or function in OTHERS:
        return OperatorCall(function, operands, settings)
    name = getattr(function, "__name__", None)
    if name in filters.__all__ and getattr(filters, name) is function:
        return FilterCall(function, operands, settings)
    if not hasattr(function, "halo"):
        raise TypeError(check.refusal("function", UNLIKE, function))
    if operands or settings:
        raise TypeError("an estimator takes no further arguments; its settings are its own")
    return function._tiled_call()
