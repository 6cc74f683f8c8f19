"""Estimators as calls that `convlib.tiling` makes of large images, tile by tile."""

from functools import reduce
from math import lcm

import numpy as np

from convlib import _validation as check
from convlib import filters
from convlib._tiling.calls import FilterCall, images_shape
from convlib._tiling.operators import Geometry, packed_geometry, steps_grid, transposed_windows
from convlib._tiling.windows import common_grid, followed, plain, united
from convlib.estimators._transpose import TransposeStage


class LayersCall:
    """A ConvFeatures, whose features are those of one layer or of several side by side."""

    def __init__(self, estimator):
        self.estimator, self.name = estimator, type(estimator).__name__
        self.rank = estimator._settings.rank

    def image_shape(self, shape):
        """Return the shape of one image of those in `shape`; None is that seen in `fit`."""
        if shape is None:
            return self.estimator.input_shape_
        return images_shape(shape, self.rank)[1:]

    def windows(self, shape=None):
        """Return the `Window` of each spatial axis."""
        image_shape = self.image_shape(shape)
        windows = [layer_windows(layer, image_shape) for layer in self.estimator._layers]
        return tuple(map(united, zip(*windows)))

    def grid(self, shape, dtype):
        """Return the grid of tiles, for each spatial axis."""
        layers = self.estimator._layers_of(check.result_dtype(np.dtype(dtype)))
        return tuple(reduce(lcm, axis) for axis in zip(*map(layer_grid, layers)))


def layer_windows(layer, image_shape):
    """Return the `Window` of each axis of the features of a `Layer`."""
    windows = None
    shapes = [image_shape, *layer.stage_shapes(image_shape)]
    for stage, shape in zip(layer.stages, shapes):
        if isinstance(stage, TransposeStage):
            own = transposed_windows(stage._problem(shape))
        else:
            own = packed_geometry(stage).windows(shape[:-1], len(shape) - 1)
        windows = own if windows is None else tuple(map(followed, windows, own))
    if layer.pool is None:
        return windows
    pool = Geometry(layer.pool_size, layer.pool_stride, 0, 1)
    return tuple(map(followed, windows, pool.windows(None, len(windows))))


def layer_grid(layer):
    """Return the grid of the features of a `Layer`."""
    rank = layer.stages[0].kernel.ndim - 2
    grid = (1,) * rank
    if not isinstance(layer.stages[0], TransposeStage):
        grid = steps_grid(layer.stages, rank)
        if layer.contrast:
            grid = tuple(map(lcm, grid, steps_grid([layer.contrast.boxes], rank)))
    return grid if layer.pool is None else tuple(map(common_grid, grid, layer.pool_stride))


class ImageFilterCall(FilterCall):
    """An ImageFilter: its filter for images (n_images, *size, channels)."""

    def __init__(self, estimator):
        self.estimator = estimator
        self.rank, self.scale = estimator._checked()
        settings = {
            "axes": tuple(range(1, self.rank + 1)), "padding_mode": estimator.padding_mode,
            "constant_values": estimator.constant_values, "n_threads": estimator.n_threads,
        }
        function = getattr(filters, estimator.filter)
        super().__init__(function, (), estimator._arguments(self.rank) | settings)
        self.name = type(estimator).__name__

    def grid(self, shape, dtype):
        return super().grid(images_shape(shape, self.rank), check.result_dtype(np.dtype(dtype)))


class PixelsCall:
    """A PixelFeatures, or a PixelClassifier with some method."""

    def __init__(self, estimator, features):
        self.estimator, self.features, self.name = estimator, features, type(estimator).__name__

    def windows(self, shape=None):
        """Return the `Window` of each axis of an image beside its channels."""
        return tuple(plain(*pair) for pair in self.features.halo)

    def grid(self, shape, dtype):
        """Return the grid of tiles, for each of these axes: tiles may begin anywhere."""
        return (1,) * self.features.n_axes_
