"""One fitted convolution layer, run block by block.

A block is what stays in cache: some images, or some rows of one image's maps. Maps are pooled
while they are there and never exist as a whole, unless they are the result.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from convlib._native import contrast as native_contrast
from convlib._terms import ACTIVATION_CODES
from convlib._threads import thread_count
from convlib.ops import pool as pooling
from convlib.ops._windows import run
from convlib.ops.conv import PackedKernel, pack_kernel
from convlib.shapes import output_size

BLOCK_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Contrast:
    """How to divide maps by the deviation of each window."""

    boxes: PackedKernel    # sums of values and of squares over windows, in float64
    count: int             # values in a window
    epsilon: float
    bias: np.ndarray
    activation: str | None

    def operand(self, images):
        """Return images and their squares, side by side, in float64."""
        channels = images.shape[-1]
        operand = np.empty((*images.shape[:-1], 2 * channels))
        operand[..., :channels] = images
        np.square(operand[..., :channels], out=operand[..., channels:])
        return operand

    def normalize(self, operand, maps, first, n_threads):
        """Turn inner products into responses to normalised windows, in place."""
        sums = np.empty((*maps.shape[:-1], self.boxes.kernel.shape[-1]))
        self.boxes._run(operand, sums, first, n_threads)
        n_threads = thread_count(n_threads, maps.size * 1e-9)
        native_contrast.normalize(
            maps.reshape(-1, maps.shape[-1]), sums.reshape(-1, sums.shape[-1]), self.count,
            self.epsilon, self.bias, ACTIVATION_CODES[self.activation], n_threads,
        )


@dataclass(frozen=True)
class Triangle:
    """How much nearer than the average each centroid is, from whitened windows.

    The maps of each group hold the whitened window and then its products with the centroids.
    """

    squares: np.ndarray    # (groups, n_kernels // groups), squared norms of the centroids
    patch_size: int

    def apply(self, maps, out):
        """Write the triangle activation of `maps` to `out`."""
        grouped = maps.reshape(*maps.shape[:-1], len(self.squares), -1)
        window, products = np.split(grouped, [self.patch_size], axis=-1)
        distances = np.sum(window * window, axis=-1, keepdims=True) - 2 * products + self.squares
        distances = np.sqrt(np.maximum(distances, 0))
        nearer = distances.mean(axis=-1, keepdims=True) - distances
        np.maximum(nearer, 0, out=out.reshape(nearer.shape))


@dataclass(frozen=True)
class Layer:
    """Convolution, activation and pooling with settled kernels.

    Only the first stage sees neighbours along the first axis, so that a block of rows goes
    through all of them.
    """

    stages: tuple        # of PackedKernels, or one DeformStage or TransposeStage
    contrast: Contrast | None
    triangle: Triangle | None
    pool: str | None
    pool_size: object    # 'global' or one int per axis
    pool_stride: tuple | None
    n_maps: int
    beside: int = 0          # values made beside each pixel of the maps, such as offsets
    in_rows: bool = True     # whether maps may be made some rows at a time

    @property
    def dtype(self):
        """Of the images and the features."""
        return self.stages[0].kernel.dtype

    @property
    def kernel_bytes(self):
        """Of the kernels, plain and prepared."""
        boxes = [self.contrast.boxes] if self.contrast else []
        return sum(kernel.nbytes for kernel in (*self.stages, *boxes))

    def maps_shape(self, image_shape):
        """Return the shape of the maps of one image, before pooling."""
        return (*self.stage_shapes(image_shape)[-1][:-1], self.n_maps)

    def stage_shapes(self, image_shape):
        """Return the shape of what each stage makes of one image."""
        shapes = []
        for stage in self.stages:
            image_shape = stage.output_shape(image_shape)
            shapes.append(image_shape)
        return shapes

    def output_shape(self, image_shape):
        """Return the shape of the features of one image."""
        *size, n_maps = self.maps_shape(image_shape)
        if self.pool is None:
            return (*size, n_maps)
        if self.pool_size == "global":
            return (n_maps,)
        return (*output_size(tuple(size), self.pool_size, stride=self.pool_stride), n_maps)

    def block_images(self, image_shape, n_images, budget):
        """Return how many images make a block of `budget` bytes, at least one."""
        return int(np.clip(budget // self._image_bytes(image_shape), 1, max(1, n_images)))

    def block_bytes(self, image_shape, n_images, budget):
        """Return the bytes that `run` allocates for blocks of `n_images` images."""
        n = self.block_images(image_shape, n_images, budget)
        rows = self._block_rows(image_shape, n, budget)
        n_bytes = self._operand_bytes(image_shape)
        n_bytes += rows * self._row_bytes(image_shape, beside_maps=self._is_direct)
        return n * n_bytes

    def run(self, images, out, budget, n_threads):
        """Write the features of a block of images to `out`, (n_images, *output_shape)."""
        operand = None if self.contrast is None else self.contrast.operand(images)
        rows = self._block_rows(images.shape[1:], len(images), budget)
        if self.pool is None:
            self._run_maps(images, operand, out, rows, n_threads)
        elif self.pool_size == "global":
            self._run_global(images, operand, out, rows, n_threads)
        else:
            self._run_windows(images, operand, out, rows, n_threads)

    def _run_maps(self, images, operand, out, rows, n_threads):
        for first in range(0, out.shape[1], rows):
            part = out[:, first:first + rows]
            target = part if part.flags.c_contiguous else np.empty(part.shape, self.dtype)
            self._convolve(images, operand, target, first, n_threads)
            if target is not part:
                part[...] = target

    def _run_global(self, images, operand, out, rows, n_threads):
        maps = self.maps_shape(images.shape[1:])
        state = pooling.GlobalState(self.pool, len(images), maps[-1])
        buffer = np.empty(len(images) * rows * prod(maps[1:]), self.dtype)
        for first in range(0, maps[0], rows):
            block = _block(buffer, (len(images), min(rows, maps[0] - first), *maps[1:]))
            self._convolve(images, operand, block, first, n_threads)
            state.add(block, n_threads)
        out[...] = state.result(self.dtype)

    def _run_windows(self, images, operand, out, rows, n_threads):
        maps = self.maps_shape(images.shape[1:])
        problem = pooling.window_problem(
            self.pool, maps[:-1], self.pool_size, self.pool_stride, self.dtype)
        size, stride = self.pool_size[0], self.pool_stride[0]
        pooled_rows = max(1, (rows - size) // stride + 1)
        buffer = np.empty(
            len(images) * min(maps[0], (pooled_rows - 1) * stride + size) * prod(maps[1:]),
            self.dtype)
        for first in range(0, out.shape[1], pooled_rows):
            last = min(first + pooled_rows, out.shape[1])
            height = (last - 1 - first) * stride + size
            block = _block(buffer, (len(images), height, *maps[1:]))
            self._convolve(images, operand, block, first * stride, n_threads)
            pooled = out[:, first:last]
            target = pooled if pooled.flags.c_contiguous else np.empty(pooled.shape, self.dtype)
            run(problem, block, first * stride, target, first, n_threads)
            if target is not pooled:
                pooled[...] = target

    def _convolve(self, images, operand, out, first, n_threads):
        """Write rows `first` and on of the activated maps to `out`."""
        *before, last = self.stages
        for stage in before:
            # Later kernels have one row, so that the size of the block is that of the result.
            shape = stage.output_shape(images.shape[1:])
            maps = np.empty((len(out), out.shape[1], *shape[1:]), self.dtype)
            stage._run(images, maps, first, n_threads)
            images, first = maps, 0
        maps = out
        if self.triangle is not None:
            maps = np.empty((*out.shape[:-1], last.kernel.shape[-1]), self.dtype)
        last._run(images, maps, first, n_threads)
        if self.contrast is not None:
            self.contrast.normalize(operand, maps, first, n_threads)
        if self.triangle is not None:
            self.triangle.apply(maps, out)

    @property
    def _is_direct(self):
        """Whether the maps are the result."""
        return self.pool is None and self.contrast is None and self.triangle is None

    def _image_bytes(self, image_shape):
        rows = self.maps_shape(image_shape)[0]
        return self._operand_bytes(image_shape) + rows * self._row_bytes(image_shape)

    def _operand_bytes(self, image_shape):
        values = prod(image_shape)
        return values * (self.dtype.itemsize + (16 if self.contrast else 0))

    def _row_bytes(self, image_shape, beside_maps=False):
        """Return the bytes of one row of the maps of one image, with what they are made of."""
        *before, last = (prod(shape[1:]) for shape in self.stage_shapes(image_shape))
        pixels = prod(self.maps_shape(image_shape)[1:-1])
        values = sum(before) + pixels * self.beside
        if not beside_maps:
            values += pixels * self.n_maps
        if self.triangle is not None:
            values += 4 * last
        n_bytes = values * self.dtype.itemsize
        if self.contrast is not None:
            n_bytes += 8 * pixels * self.contrast.boxes.kernel.shape[-1]
        return n_bytes

    def _block_rows(self, image_shape, n_images, budget):
        """Return how many rows of the maps are computed at a time."""
        n_rows = self.maps_shape(image_shape)[0]
        is_all_result = self._is_direct and len(self.stages) == 1 and not self.beside
        if not self.in_rows or is_all_result:
            return n_rows
        # One large image leaves no room beside it: its maps get some all the same, since strips
        # of single rows are slow.
        left = max(budget - n_images * self._operand_bytes(image_shape), budget // 4)
        least = 1 if self.pool is None or self.pool_size == "global" else self.pool_size[0]
        return int(np.clip(left // (n_images * self._row_bytes(image_shape)), least, n_rows))


def _block(buffer, shape):
    """Return the front of `buffer` as a C-contiguous array of `shape`."""
    return buffer[:prod(shape)].reshape(shape)


def build_layer(form, learnt, image_shape, conv_settings, pool, dtype):
    """Return the `Layer` of learnt kernels; see `ConvFeatures` for the settings.

    `pool` is the statistic, the size and the stride of windows.
    """
    settings = dict(conv_settings)
    activation, bias = settings.pop("activation"), learnt.bias
    stages = form.stages(learnt.operands, image_shape[-1], settings)
    n_maps = len(bias)
    kernel, settings = stages[0].kernel, stages[0].settings
    kernel = kernel * learnt.scale
    window = kernel.shape[:-1]
    contrast = triangle = None
    if activation == "triangle":
        activation = None
        kernel, bias = learnt.with_whitening()
        kernel = kernel.reshape(*window, -1)
        triangle = Triangle(learnt.centroid_squares.astype(dtype), prod(window))
    if learnt.epsilon is not None:
        kernel = kernel - kernel.mean(axis=tuple(range(len(window))))  # windows without mean
        groups = settings["groups"]
        box = np.ones((*window, 2 * groups))
        box *= np.repeat([learnt.scale, learnt.scale**2], groups)
        boxes = pack_kernel(
            box, (*image_shape[:-1], 2 * image_shape[-1]), dtype="float64",
            **settings | {"groups": 2 * groups})
        contrast = Contrast(boxes, prod(window), learnt.epsilon, bias.astype(dtype), activation)
        bias = activation = None
    *before, last = stages[0]._replace(kernel=kernel), *stages[1:]
    prepared = []
    for stage in before:
        prepared.append(stage.prepare(image_shape, None, None, dtype))
        image_shape = prepared[-1].output_shape(image_shape)
    prepared.append(last.prepare(image_shape, bias, activation, dtype))
    return Layer(tuple(prepared), contrast, triangle, *pool, n_maps)
