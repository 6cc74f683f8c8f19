"""Pooling as layers."""

from dataclasses import dataclass

from convlib import _validation as check
from convlib import grad
from convlib._layers.layer import Layer, spatial_rank, whole_field
from convlib.ops.pool import average_pool, global_pool, max_pool
from convlib.shapes import output_size

GLOBAL_KINDS = ("mean", "max", "min", "std")


@dataclass(frozen=True)
class Pooling(Layer):
    """What pooling of windows shares."""

    def _settings(self, rank):
        size = check.axis_ints("size", self.size, rank, 1)
        stride = size if self.stride is None else check.axis_ints("stride", self.stride, rank, 1)
        return {"size": size, "stride": stride,
                "padding": check.padding_spec(self.padding, rank),
                "dilation": check.axis_ints("dilation", self.dilation, rank, 1),
                "ceil_mode": check.flag("ceil_mode", self.ceil_mode)}

    def _output_shape(self, input_shape):
        settings = self._settings(spatial_rank(self, input_shape))
        return *output_size(input_shape[:-1], settings.pop("size"), **settings), input_shape[-1]

    def _field(self, field, input_shape):
        settings = self._settings(spatial_rank(self, input_shape))
        reach = [d * (k - 1) + 1 for k, d in zip(settings["size"], settings["dilation"])]
        return field.grown(reach, settings["stride"])


@dataclass(frozen=True)
class MaxPool(Pooling):
    """The largest value of each window and channel: `convlib.max_pool`.

    Parameters
    ----------
    size : int or tuple of int, default=2
        Pixels of a window along each axis.
    stride : int or tuple of int, default=None
        Pixels between windows; None: as large as they are.
    padding, dilation, ceil_mode
        As in `convlib.max_pool`.

    See Also
    --------
    GlobalPool : One window over everything.

    Examples
    --------
    >>> from convlib.layers import MaxPool
    >>> MaxPool(3, stride=2).output_shape((9, 9, 4))
    (4, 4, 4)
    """

    size: int | tuple = 2
    stride: int | tuple | None = None
    padding: object = 0
    dilation: int | tuple = 1
    ceil_mode: bool = False

    def _forward(self, arrays, images, call):
        settings = self._settings(images.ndim - 2)
        if not call.keeps:
            return max_pool(images, n_threads=call.n_threads, **settings), None
        out = call.out((len(images), *self._output_shape(images.shape[1:])), images.dtype)
        outputs, places = max_pool(
            images, return_indices=True, n_threads=call.n_threads, out=out, **settings)
        return outputs, (places, images.shape[1:-1])

    def _backward(self, arrays, cache, grads, call):
        places, size = cache
        out = call.out((len(grads), *size, grads.shape[-1]), grads.dtype)
        return grad.max_pool_images(grads, places, size, n_threads=call.n_threads, out=out), {}


@dataclass(frozen=True)
class AveragePool(Pooling):
    """The mean of each window and channel: `convlib.average_pool`.

    Parameters
    ----------
    size : int or tuple of int, default=2
        Pixels of a window along each axis.
    stride : int or tuple of int, default=None
        Pixels between windows; None: as large as they are.
    padding, dilation, ceil_mode, count_include_pad
        As in `convlib.average_pool`.

    See Also
    --------
    GlobalPool : One window over everything.

    Examples
    --------
    >>> from convlib.layers import AveragePool
    >>> AveragePool(2).output_shape((9, 9, 4))
    (4, 4, 4)
    """

    size: int | tuple = 2
    stride: int | tuple | None = None
    padding: object = 0
    dilation: int | tuple = 1
    ceil_mode: bool = False
    count_include_pad: bool = True

    def _forward(self, arrays, images, call):
        out = call.out((len(images), *self._output_shape(images.shape[1:])), images.dtype)
        outputs = average_pool(
            images, n_threads=call.n_threads, count_include_pad=self.count_include_pad, out=out,
            **self._settings(images.ndim - 2))
        return outputs, images.shape[1:-1]

    def _backward(self, arrays, cache, grads, call):
        return grad.average_pool_images(
            grads, cache, n_threads=call.n_threads, count_include_pad=self.count_include_pad,
            out=call.out((len(grads), *cache, grads.shape[-1]), grads.dtype),
            **self._settings(len(cache))), {}


@dataclass(frozen=True)
class GlobalPool(Layer):
    """One value for each channel, whatever the size of the image: `convlib.global_pool`.

    Parameters
    ----------
    kind : {'mean', 'max', 'min', 'std'}, default='mean'
        The statistic.

    See Also
    --------
    Flatten : Keeps all values.

    Examples
    --------
    >>> from convlib.layers import GlobalPool
    >>> GlobalPool().output_shape((7, 7, 64))
    (64,)
    """

    kind: str = "mean"

    def _output_shape(self, input_shape):
        spatial_rank(self, input_shape)
        check.choice("kind", self.kind, GLOBAL_KINDS)
        return input_shape[-1:]

    def _field(self, field, input_shape):
        return whole_field(field, input_shape)

    def _forward(self, arrays, images, call):
        return global_pool(images, self.kind, n_threads=call.n_threads), images

    def _backward(self, arrays, cache, grads, call):
        return grad.global_pool_images(grads, cache, self.kind, n_threads=call.n_threads), {}
