"""Estimators as calls that `convlib.tiling` makes of large images, tile by tile."""

from dataclasses import replace
from math import lcm, prod

import numpy as np

from convlib import _validation as check
from convlib import filters
from convlib._filters._linear import part_of
from convlib._filters.memory import work_values
from convlib._tiling.boxes import Axis, of_box
from convlib._tiling.calls import FilterCall, images_shape
from convlib._tiling.operators import Geometry, packed_geometry, steps_grid, transposed_windows
from convlib._tiling.plan import Plan, SideBySide, stack_axis
from convlib._tiling.tiles import Steps
from convlib._tiling.windows import common_grid, followed, plain, united
from convlib.estimators._layer import BLOCK_BYTES
from convlib.estimators._transpose import TransposeStage


class LayersCall:
    """A ConvFeatures, whose features are those of one layer or of several side by side."""

    def __init__(self, estimator):
        self.estimator, self.name = estimator, type(estimator).__name__
        self.rank = estimator._settings.rank

    def windows(self, shape=None):
        """Return the `Window` of each spatial axis; without a shape, of images as in `fit`."""
        image_shape = self.estimator.input_shape_
        if shape is not None:
            image_shape = images_shape(shape, self.rank)[1:]
        windows = [layer_windows(layer, image_shape) for layer in self.estimator._layers]
        return tuple(map(united, zip(*windows)))

    def grid(self, shape, dtype):
        """Return the grid of tiles, for each spatial axis."""
        layers = self.estimator._layers_of(check.result_dtype(np.dtype(dtype)))
        return tuple(lcm(*axis) for axis in zip(*map(layer_grid, layers)))

    def plan(self, shape, dtype):
        """Return the plan for images of a shape and dtype."""
        own = self.estimator
        if own.output != "maps":
            raise ValueError(f"output must be 'maps', since tiles are parts of maps; got "
                             f"{own.output!r}")
        images = images_shape(shape, self.rank)
        if images[-1] != own.input_shape_[-1]:
            raise ValueError(f"source must have the {own.input_shape_[-1]} channels seen in fit, "
                             f"along its last axis; got shape {tuple(shape)}")
        layers = own._layers_of(check.result_dtype(np.dtype(dtype)))
        own._features_shape(layers, images[1:])    # refuses maps of several sizes
        plans = [self._plan(layer, tuple(shape), images) for layer in layers]
        return plans[0] if len(plans) == 1 else SideBySide(plans)

    def _plan(self, layer, shape, images):
        """Return the `Plan` of a layer."""
        rank, has_batch = self.rank, len(shape) == self.rank + 2
        *outputs, n_maps = layer.output_shape(images[1:])
        is_transposed = isinstance(layer.stages[0], TransposeStage)
        mode = "constant" if is_transposed else layer.stages[0]._settings.padding_mode
        axes = [
            Axis(k + has_batch, k + has_batch, *one, mode, padding, reads_on)
            for k, (*one, padding, reads_on) in enumerate(zip(
                images[1:-1], outputs, layer_windows(layer, images[1:]), layer_grid(layer),
                layer_padding(layer, images[1:]), layer_reads_on(layer)))]
        result = (*outputs, n_maps)
        if has_batch:
            axes, result = [stack_axis(images[0]), *axes], (images[0], *result)

        def compute(crop, box, regions):
            check_finite(crop)
            batch = crop.reshape(images_shape(crop.shape, rank)).astype(layer.dtype, copy=False)
            part = tile_layer(layer, [region.pads for region in regions[-rank:]])
            out = np.empty((len(batch), *part.output_shape(batch.shape[1:])), layer.dtype)
            part.run(batch, out, BLOCK_BYTES, self.estimator.n_threads)
            return of_box(out if has_batch else out[0], axes, regions, box)

        def work_bytes(crop, part):
            return (prod(crop) * (3 if layer.contrast else 1) + prod(part)) \
                * layer.dtype.itemsize + 2 * BLOCK_BYTES

        return Plan(self.name, result, layer.dtype, tuple(axes), compute, work_bytes)


def check_finite(values):
    """Refuse pixels that are no numbers, as transformers do."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("source must not hold NaN or infinity")


def tile_layer(layer, pads):
    """Return the `Layer` for part of an image, with so many pixels outside."""
    if isinstance(layer.stages[0], TransposeStage):
        return layer
    steps = Steps(layer.stages, None)
    contrast = layer.contrast
    if contrast:
        contrast = replace(contrast, boxes=contrast.boxes._padded(tuple(pads)))
    return replace(layer, stages=tuple(steps.padded(pads)), contrast=contrast)


def layer_padding(layer, image_shape):
    """Return the pixels of the padding behind an image; None where outputs are as pixels."""
    rank = len(image_shape) - 1
    if isinstance(layer.stages[0], TransposeStage):
        return (None,) * rank
    shapes = [image_shape, *layer.stage_shapes(image_shape)]
    pads = [packed_geometry(stage).pads(shape[:-1], rank)
            for stage, shape in zip(layer.stages, shapes)]
    return [pads[owner][axis][1] for axis, owner in enumerate(Steps(layer.stages, None).owners)]


def layer_reads_on(layer):
    """Return the pixels beyond those that pooled windows see, up to where maps are on the grid."""
    rank = layer.stages[0].kernel.ndim - 2
    if layer.pool is None or isinstance(layer.stages[0], TransposeStage):
        return (0,) * rank
    strides = [prod(axis) for axis in zip(*(stage._settings.stride for stage in layer.stages))]
    return tuple((step - size) % grid * stride for size, step, grid, stride in zip(
        layer.pool_size, layer.pool_stride, maps_grid(layer), strides))


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
    grid = maps_grid(layer)
    return grid if layer.pool is None else tuple(map(common_grid, grid, layer.pool_stride))


def maps_grid(layer):
    """Return the grid of the maps before they are pooled."""
    rank = layer.stages[0].kernel.ndim - 2
    grid = (1,) * rank
    if not isinstance(layer.stages[0], TransposeStage):
        grid = steps_grid(layer.stages, rank)
        if layer.contrast:
            grid = tuple(map(lcm, grid, steps_grid([layer.contrast.boxes], rank)))
    return grid


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

    def windows(self, shape=None):
        return super().windows(None if shape is None else images_shape(shape, self.rank))

    def grid(self, shape, dtype):
        return super().grid(images_shape(shape, self.rank), check.result_dtype(np.dtype(dtype)))

    def plan(self, shape, dtype):
        rank, has_batch = self.rank, len(shape) == self.rank + 2
        images, dtype = images_shape(shape, rank), check.result_dtype(np.dtype(dtype))
        size = images[1:-1]
        axes = [
            Axis(k + has_batch, k + has_batch, n, n, window, grid, self.estimator.padding_mode)
            for k, (n, window, grid) in enumerate(zip(
                size, self.windows(shape), self.grid(shape, dtype)))]
        n_parts = self.estimator._filtered(np.zeros((1,) * (rank + 2), dtype)).shape[-1]
        result = (*size, images[-1] * n_parts)
        if has_batch:
            axes, result = [stack_axis(images[0]), *axes], (images[0], *result)

        def compute(crop, box, regions):
            check_finite(crop)
            batch = crop.reshape(images_shape(crop.shape, rank)).astype(dtype, copy=False)
            if self.scale != 1:
                batch = batch * dtype.type(self.scale)
            with part_of(size):
                out = self.estimator._filtered(batch)
            return of_box(out if has_batch else out[0], axes, regions, box)

        def work_bytes(crop, part):
            return prod(crop) * work_values(self.filter, n_parts, rank, dtype) * dtype.itemsize

        return Plan(self.name, result, dtype, tuple(axes), compute, work_bytes)


class PixelsCall:
    """A PixelFeatures, or what a PixelClassifier predicts from its features."""

    def __init__(self, features, predict=None, n_classes=0):
        self.features, self.predict, self.n_classes = features, predict, n_classes
        self.name = "PixelFeatures" if predict is None else f"PixelClassifier.{predict.__name__}"

    def windows(self, shape=None):
        """Return the `Window` of each axis of an image beside its channels."""
        return tuple(plain(*pair) for pair in self.features.halo)

    def grid(self, shape, dtype):
        """Return the grid of tiles, for each of these axes: tiles may begin anywhere."""
        return (1,) * self.features.n_axes_

    def plan(self, shape, dtype):
        """Return the `Plan` for an image of a shape and dtype."""
        features = self.features
        image = features._images(np.broadcast_to(np.zeros((), dtype), shape))[0][0]
        own, n_features = features._dtype_of(image), features._n_features
        source = [axis for axis in range(len(shape)) if axis != image.channel_axis]
        axes = tuple(
            Axis(axis, k, n, n, window, mode=features.padding_mode)
            for k, (axis, n, window) in enumerate(zip(source, image.size, self.windows())))
        probe = self._predicted(np.zeros((1, n_features), own))

        def compute(crop, box, regions):
            size = tuple(one.stop - one.start for one in box)
            inner = tuple(slice(region.skipped, region.skipped + n)
                          for region, n in zip(regions, size))
            rows = np.empty((*size, n_features), own)
            features._fill(features._images(crop)[0][0], inner, rows, own)
            return self._predicted(rows.reshape(-1, n_features)).reshape(*size, *probe.shape[1:])

        def work_bytes(crop, part):
            size = part[:len(axes)]
            rows = prod(size) * (n_features * own.itemsize + 4 * 8 * self.n_classes)
            return features._crop_bytes(image.size, size, own.itemsize) + rows

        return Plan(self.name, (*image.size, *probe.shape[1:]), probe.dtype, axes, compute,
                    work_bytes)

    def _predicted(self, rows):
        return rows if self.predict is None else self.predict(rows)
