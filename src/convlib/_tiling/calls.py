"""A call that is to be made of a large image: a function and its arguments, or an estimator."""

import inspect
from math import lcm, prod

import numpy as np

from convlib import _validation as check
from convlib import filters
from convlib._filters._image import filter_image
from convlib._filters._linear import grid_of_sum, part_of
from convlib._filters.memory import work_values
from convlib._filters.reach import REACH, full_kernels
from convlib._tiling.boxes import Axis, of_box
from convlib._tiling.operators import (
    GEOMETRIES,
    OTHERS,
    operator_grid,
    operator_windows,
    rank_of,
    transpose_problem_of,
)
from convlib._tiling.plan import Plan, stack_axis
from convlib._tiling.tiles import output_axes, tile_function
from convlib._tiling.windows import plain
from convlib.ops.conv import PackedKernel
from convlib.ops.transpose import conv_transpose

UNLIKE = "an operator or a filter of convlib whose outputs see a window of the image, or an " \
    "estimator with a halo or a method of it"


METHODS = ("transform", "predict", "predict_proba")


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


    def plan(self, shape, dtype):
        """Return the `Plan` for images of a shape and dtype."""
        function, arguments = self.function, self.arguments
        rank = rank_of(function, arguments, shape)
        images = images_shape(shape, rank)
        n_images, *size, channels = images
        dtype = check.result_dtype(np.dtype(dtype))
        windows = operator_windows(function, arguments, size, rank)
        n_maps = self._n_maps(windows, size, channels, dtype)
        mode, padding = "constant" if function is conv_transpose else "edge", (None,) * rank
        if function in GEOMETRIES:
            mode = arguments.get("padding_mode", "constant")
            padding = [after for _, after in GEOMETRIES[function](arguments).pads(size, rank)]
        if isinstance(arguments.get("kernel"), PackedKernel):
            mode = arguments["kernel"]._settings.padding_mode
        outputs = output_axes(function, arguments, tuple(size))
        grid = operator_grid(function, arguments, images[1:], dtype.name)
        has_batch = len(shape) == rank + 2
        axes = [Axis(k + has_batch, k + has_batch, *one, mode, after)
                for k, (*one, after) in enumerate(zip(size, outputs, windows, grid, padding))]
        result = (*outputs, n_maps)
        if has_batch:
            axes, result = [stack_axis(n_images), *axes], (n_images, *result)
        run = tile_function(function, arguments, images[1:], dtype.name)

        def compute(crop, box, regions):
            batch = crop.reshape(images_shape(crop.shape, rank))
            counts = [region.skipped + own.stop - own.start
                      for region, own in zip(regions[-rank:], box[-rank:])]
            out = run(batch, [region.pads for region in regions[-rank:]], counts)
            return of_box(out if has_batch else out[0], axes, regions, box)

        def work_bytes(crop, part):
            return (prod(crop) + prod(part) * getattr(run, "n_steps", 1)) * dtype.itemsize

        return Plan(self.name, result, dtype, tuple(axes), compute, work_bytes)


    def _n_maps(self, windows, size, channels, dtype):
        """Return the channels of the outputs, from a few pixels; they show what is wrong, too."""
        if self.function is conv_transpose:
            return transpose_problem_of(self.arguments, (*size, channels), dtype).out_channels
        few = [min(n, max(1, window.before + window.after + 1))
               for n, window in zip(size, windows)]
        probe = self.function(np.zeros((1, *few, channels), dtype), **self.arguments)
        if isinstance(probe, tuple):
            raise ValueError(f"{self.name} must return one array; leave out return_indices")
        return probe.shape[-1]


class FilterCall:
    """A call of a filter on one image."""

    def __init__(self, function, operands, settings):
        self.function = function
        self.name = self.filter = function.__name__
        self.arguments = bound(function, operands, settings)

    def windows(self, shape=None):
        """Return the `Window` of each axis that is filtered."""
        reach = REACH[self.filter](self._rank(shape), self.arguments)
        return tuple(plain(*pair) for pair in reach)

    def grid(self, shape, dtype):
        """Return the grid of tiles, for each axis that is filtered."""
        view = self.view(len(shape), dtype)
        size = tuple(shape[axis] for axis in view.axes)
        grid = (1,) * view.rank
        for kernel, centre in full_kernels(self.filter, view.rank, self.arguments):
            own = grid_of_sum(view, kernel, centre, size, check.result_dtype(view.dtype))
            grid = tuple(map(lcm, grid, own))
        return grid

    def plan(self, shape, dtype):
        """Return the `Plan` for an image of a shape and dtype."""
        if self.arguments.get("mask") is not None:
            raise ValueError("mask must be None, since it is not cut into tiles; mark pixels "
                             "with NaN and say nan_policy='omit'")
        function, arguments, ndim = self.function, self.arguments, len(shape)
        probe = function(np.zeros((1,) * ndim, dtype), **arguments)
        if isinstance(probe, tuple):
            raise ValueError(f"{self.name} must return one array; leave out return_direction")
        filtered = self.view(ndim, dtype).axes
        windows = dict(zip(filtered, self.windows(shape)))
        grid = dict(zip(filtered, self.grid(shape, dtype)))
        front = probe.ndim - ndim
        axes = tuple(
            Axis(axis, axis + front, n, n, windows[axis], grid[axis],
                 arguments["padding_mode"]) if axis in windows
            else Axis(axis, axis + front, n, n, plain(0, 0), is_stack=True)
            for axis, n in enumerate(shape))
        size = tuple(shape[axis] for axis in filtered)
        n_parts = probe.shape[0] if front else 1

        def compute(crop, box, regions):
            with part_of(size):
                return of_box(function(crop, **arguments), axes, regions, box)

        def work_bytes(crop, part):
            return prod(crop) * work_values(self.filter, n_parts, len(filtered), probe.dtype) \
                * max(4, probe.dtype.itemsize)

        return Plan(self.name, probe.shape[:front] + tuple(shape), probe.dtype, axes, compute,
                    work_bytes)

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
    if given.arguments.get("out") is not None:
        raise ValueError("out must be None; tiles are written to the sink")
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
    owner, method = function, {}
    if inspect.ismethod(function) and function.__name__ in METHODS:
        owner, method = function.__self__, {"method": function.__name__}
    make = getattr(owner, "_tiled_call", None)
    if make is None or inspect.isclass(owner):
        raise TypeError(check.refusal("function", UNLIKE, function))
    if operands or settings:
        raise TypeError("an estimator takes no further arguments; its settings are its own")
    try:
        return make(**method)
    except AttributeError as error:
        if isinstance(error, ValueError):    # it is not fitted
            raise
        raise TypeError(f"{check.refusal('function', UNLIKE, function)}: {error}") from None
