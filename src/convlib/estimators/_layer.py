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
    """Convolution, activation and pooling with settled kernels."""

    packed: PackedKernel
    contrast: Contrast | None
    triangle: Triangle | None
    pool: str | None
    pool_size: object    # 'global' or one int per axis
    pool_stride: tuple | None
    n_kernels: int

    @property
    def dtype(self):
        """Of the images and the features."""
        return self.packed.kernel.dtype

    @property
    def kernel_bytes(self):
        """Of the kernels, plain and prepared."""
        packed = [self.packed] + ([self.contrast.boxes] if self.contrast else [])
        return sum(kernel.nbytes for kernel in packed)

    def maps_shape(self, image_shape):
        """Return the shape of the maps of one image, before pooling."""
        return (*self.packed.output_shape(image_shape)[:-1], self.n_kernels)

    def output_shape(self, image_shape):
        """Return the shape of the features of one image."""
        *size, n_kernels = self.maps_shape(image_shape)
        if self.pool is None:
            return (*size, n_kernels)
        if self.pool_size == "global":
            return (n_kernels,)
        return (*output_size(tuple(size), self.pool_size, stride=self.pool_stride), n_kernels)

    def block_images(self, image_shape, n_images, budget):
        """Return how many images make a block of `budget` bytes, at least one."""
        return int(np.clip(budget // self._image_bytes(image_shape), 1, max(1, n_images)))

    def block_bytes(self, image_shape, n_images, budget):
        """Return the bytes that `run` allocates for blocks of `n_images` images."""
        n = self.block_images(image_shape, n_images, budget)
        rows = self._block_rows(image_shape, n, budget)
        n_bytes = self._operand_bytes(image_shape)
        if self.pool is not None or self.contrast is not None or self.triangle is not None:
            n_bytes += rows * self._row_bytes(self.maps_shape(image_shape))
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
        maps = out
        if self.triangle is not None:
            maps = np.empty((*out.shape[:-1], self.packed.kernel.shape[-1]), self.dtype)
        self.packed._run(images, maps, first, n_threads)
        if self.contrast is not None:
            self.contrast.normalize(operand, maps, first, n_threads)
        if self.triangle is not None:
            self.triangle.apply(maps, out)

    def _image_bytes(self, image_shape):
        maps = self.maps_shape(image_shape)
        return self._operand_bytes(image_shape) + maps[0] * self._row_bytes(maps)

    def _operand_bytes(self, image_shape):
        values = prod(image_shape)
        return values * (self.dtype.itemsize + (16 if self.contrast else 0))

    def _row_bytes(self, maps):
        """Return the bytes of one row of the maps of one image, with what they are made of."""
        columns = self.n_kernels
        if self.triangle is not None:
            columns += 4 * self.packed.kernel.shape[-1]
        n_bytes = columns * self.dtype.itemsize
        if self.contrast is not None:
            n_bytes += 8 * self.contrast.boxes.kernel.shape[-1]
        return prod(maps[1:-1]) * n_bytes

    def _block_rows(self, image_shape, n_images, budget):
        """Return how many rows of the maps are computed at a time."""
        maps = self.maps_shape(image_shape)
        if self.pool is None and self.contrast is None and self.triangle is None:
            return maps[0]
        # One large image leaves no room beside it: its maps get some all the same, since strips
        # of single rows are slow.
        left = max(budget - n_images * self._operand_bytes(image_shape), budget // 4)
        least = 1 if self.pool is None or self.pool_size == "global" else self.pool_size[0]
        return int(np.clip(left // (n_images * self._row_bytes(maps)), least, maps[0]))


def _block(buffer, shape):
    """Return the front of `buffer` as a C-contiguous array of `shape`."""
    return buffer[:prod(shape)].reshape(shape)


def build_layer(learnt, image_shape, conv_settings, pool, pool_size, pool_stride, dtype):
    """Return the `Layer` of learnt kernels; see `ConvFeatures` for the settings."""
    settings = dict(conv_settings)
    activation = settings.pop("activation")
    groups = settings["groups"]
    weights, bias = learnt.kernels * learnt.scale, learnt.bias
    contrast = triangle = None
    if activation == "triangle":
        activation = None
        weights, bias = learnt.with_whitening()
        triangle = Triangle(learnt.centroid_squares.astype(dtype), learnt.patch_size)
    if learnt.epsilon is not None:
        axes = tuple(range(weights.ndim - 1))
        weights = weights - weights.mean(axis=axes)  # the window's mean drops out
        box = np.ones((*weights.shape[:-1], 2 * groups))
        box *= np.repeat([learnt.scale, learnt.scale**2], groups)
        boxes = pack_kernel(
            box, (*image_shape[:-1], 2 * image_shape[-1]), dtype="float64",
            **settings | {"groups": 2 * groups})
        contrast = Contrast(boxes, learnt.patch_size, learnt.epsilon, bias.astype(dtype),
                            activation)
        bias = activation = None
    packed = pack_kernel(
        weights, image_shape, bias, activation=activation, dtype=dtype, **settings)
    return Layer(packed, contrast, triangle, pool, pool_size, pool_stride,
                 learnt.kernels.shape[-1])
