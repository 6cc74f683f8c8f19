"""Convolutions as layers: standard, depthwise, separable in channels, separable in space."""

from dataclasses import dataclass
from math import prod

import numpy as np

from convlib import _validation as check
from convlib import grad
from convlib._layers import chain
from convlib._layers.layer import RECTIFIERS, Layer, random_weights, spatial_rank
from convlib._layers.values import activated, activation_back
from convlib.ops.conv import PackedKernel, conv, pack_kernel
from convlib.ops.separable import depthwise_conv, grouped, separable_conv
from convlib.shapes import output_size


@dataclass(frozen=True)
class Windowed(Layer):
    """What layers with a kernel share: windows, a bias, an activation."""

    def _size(self, input_shape):
        """Return the kernel size, one int an axis."""
        return check.axis_ints("kernel_size", self.kernel_size, spatial_rank(self, input_shape), 1)

    def _window(self, rank):
        return {"stride": check.axis_ints("stride", self.stride, rank, 1),
                "padding": check.padding_spec(self.padding, rank),
                "dilation": check.axis_ints("dilation", self.dilation, rank, 1)}

    def _outputs(self, input_shape):
        """Return the size of the maps."""
        size = self._size(input_shape)
        check.choice("activation", self.activation, (None, *check.ACTIVATIONS))
        check.flag("bias", self.bias)
        return self._output_size(input_shape[:-1], size)

    def _output_size(self, in_size, size):
        return output_size(in_size, size, **self._window(len(size)))

    def _field(self, field, input_shape):
        size = self._size(input_shape)
        window = self._window(len(size))
        reach = [d * (k - 1) + 1 for k, d in zip(size, window["dilation"])]
        return field.grown(reach, window["stride"])

    def _n_macs(self, input_shape):
        kernel = self._array_shapes(input_shape)["kernel"]
        return prod(kernel) * prod(self._output_shape(input_shape)[:-1])

    def _with_bias(self, kernel, channels):
        return {"kernel": kernel, **({"bias": (channels,)} if self.bias else {})}

    def _initial_arrays(self, input_shape, rng, dtype):
        *size, n_inputs, n_outputs = self._array_shapes(input_shape)["kernel"]
        return self._drawn(input_shape, rng, dtype, prod(size) * n_inputs,
                           prod(size) * n_outputs // self.groups)

    def _drawn(self, input_shape, rng, dtype, n_inputs, n_outputs):
        arrays = {name: np.zeros(shape, dtype)
                  for name, shape in self._array_shapes(input_shape).items()}
        arrays["kernel"] = random_weights(
            rng, arrays["kernel"].shape, n_inputs, n_outputs, dtype,
            self.activation in RECTIFIERS)
        return arrays

    # Layers of one kernel: `_convolve`, and what is `_by_kernel` and `_by_images`, tell them apart.

    def _packed_kernel(self, kernel, arrays, input_shape, **settings):
        """Return the arrays of a kernel as `conv` takes it."""
        return {"kernel": pack_kernel(
            kernel, input_shape, arrays.get("bias"), activation=self.activation,
            dtype=kernel.dtype, **self._settings(kernel.ndim - 2), **settings)}

    def _forward(self, arrays, images, call):
        kernel, settings = arrays["kernel"], self._settings(images.ndim - 2)
        if isinstance(kernel, PackedKernel):
            return conv(images, kernel, n_threads=call.n_threads), None
        out = call.out((len(images), *self._output_shape(images.shape[1:])), images.dtype)
        outputs, slopes = activated(lambda activation: self._convolve(
            images, kernel, arrays.get("bias"), activation=activation, n_threads=call.n_threads,
            out=out, **settings), self.activation, call)
        return outputs, (images, slopes)

    def _backward(self, arrays, cache, grads, call):
        images, slopes = cache
        kernel, by_arrays = arrays["kernel"], {}
        settings = self._settings(images.ndim - 2) | {"n_threads": call.n_threads}
        grads = activation_back(grads, self.activation, slopes, call)
        if not call.rectifies:
            by_arrays["kernel"] = self._by_kernel(grads, images, kernel.shape[:-2], **settings)
            if self.bias:
                by_arrays["bias"] = grad.conv_bias(grads, n_threads=call.n_threads)
        if not call.wants_images:
            return None, by_arrays
        return self._by_images(
            grads, kernel, images.shape[1:-1], out=call.out(images.shape, images.dtype),
            **settings), by_arrays


@dataclass(frozen=True)
class Conv(Windowed):
    """A convolution: `convlib.conv` with a kernel that is learnt.

    Parameters
    ----------
    out_channels : int
        Number of kernels.
    kernel_size : int or tuple of int, default=3
        Taps along each axis. One int goes with signals, images and volumes.
    stride, padding, padding_mode, dilation, groups
        As in `convlib.conv`; padding is 'same' unless said otherwise.
    activation : str, default=None
        As in `convlib.conv`.
    bias : bool, default=True
        Whether a number is added to each map; needless before `BatchNorm`.

    See Also
    --------
    DepthwiseConv : For a kernel for each channel.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import Conv
    >>> layer = Conv(16, 3, stride=2, activation="relu")
    >>> layer.output_shape((28, 28, 1)), layer.n_parameters((28, 28, 1))
    ((14, 14, 16), 160)
    >>> arrays = layer.initial_arrays((28, 28, 1), np.random.default_rng(0))
    >>> images = np.ones((2, 28, 28, 1), np.float32)
    >>> outputs, cache = layer.forward(arrays, images, training=True)
    >>> by_images, grads = layer.backward(arrays, cache, outputs)
    >>> by_images.shape, grads["kernel"].shape
    ((2, 28, 28, 1), (3, 3, 1, 16))
    """

    out_channels: int
    kernel_size: int | tuple = 3
    stride: int | tuple = 1
    padding: object = "same"
    padding_mode: str = "constant"
    dilation: int | tuple = 1
    groups: int = 1
    activation: str | None = None
    bias: bool = True

    def _settings(self, rank):
        return self._window(rank) | {"padding_mode": self.padding_mode, "groups": self.groups}

    def _output_shape(self, input_shape):
        n_outputs = check.integer("out_channels", self.out_channels, 1)
        check.choice("padding_mode", self.padding_mode, check.PADDING_MODES)
        check.channel_groups(input_shape[-1], n_outputs, self.groups)
        return *self._outputs(input_shape), n_outputs

    def _array_shapes(self, input_shape):
        kernel = (*self._size(input_shape), input_shape[-1] // self.groups, self.out_channels)
        return self._with_bias(kernel, self.out_channels)

    def _packed(self, arrays, input_shape):
        return self._packed_kernel(arrays["kernel"], arrays, input_shape)

    _convolve = staticmethod(conv)
    _by_kernel = staticmethod(grad.conv_kernel)
    _by_images = staticmethod(grad.conv_images)


@dataclass(frozen=True)
class DepthwiseConv(Windowed):
    """A convolution of each channel by itself: `convlib.depthwise_conv`.

    Parameters
    ----------
    kernel_size : int or tuple of int, default=3
        Taps along each axis.
    multiplier : int, default=1
        Kernels for each channel.
    stride, padding, padding_mode, dilation
        As in `convlib.depthwise_conv`; padding is 'same' unless said otherwise.
    activation : str, default=None
        As in `convlib.conv`.
    bias : bool, default=True
        Whether a number is added to each map.

    See Also
    --------
    SeparableConv : With a 1x1 convolution after it.

    Examples
    --------
    >>> from convlib.layers import DepthwiseConv
    >>> DepthwiseConv(3, multiplier=2).output_shape((8, 8, 4))
    (8, 8, 8)
    """

    kernel_size: int | tuple = 3
    multiplier: int = 1
    stride: int | tuple = 1
    padding: object = "same"
    padding_mode: str = "constant"
    dilation: int | tuple = 1
    activation: str | None = None
    bias: bool = True

    def _settings(self, rank):
        return self._window(rank) | {"padding_mode": self.padding_mode}

    def _output_shape(self, input_shape):
        check.choice("padding_mode", self.padding_mode, check.PADDING_MODES)
        multiplier = check.integer("multiplier", self.multiplier, 1)
        return *self._outputs(input_shape), input_shape[-1] * multiplier

    def _array_shapes(self, input_shape):
        channels = input_shape[-1]
        kernel = (*self._size(input_shape), channels, self.multiplier)
        return self._with_bias(kernel, channels * self.multiplier)

    def _initial_arrays(self, input_shape, rng, dtype):
        taps = prod(self._size(input_shape))
        return self._drawn(input_shape, rng, dtype, taps, taps * self.multiplier)

    def _packed(self, arrays, input_shape):
        return self._packed_kernel(
            grouped(arrays["kernel"]), arrays, input_shape, groups=input_shape[-1])

    _convolve = staticmethod(depthwise_conv)
    _by_kernel = staticmethod(grad.depthwise_conv_kernel)
    _by_images = staticmethod(grad.depthwise_conv_images)


@dataclass(frozen=True)
class Steps(Layer):
    """A layer that is a chain of others."""

    def _output_shape(self, input_shape):
        return chain.shapes_through(self._steps(len(input_shape) - 1), input_shape)[-1]

    def _array_shapes(self, input_shape):
        return chain.array_shapes(self._steps(len(input_shape) - 1), input_shape)

    def _initial_arrays(self, input_shape, rng, dtype):
        return chain.initial_arrays(self._steps(len(input_shape) - 1), input_shape, rng, dtype)

    def _packed(self, arrays, input_shape):
        return chain.packed(self._steps(len(input_shape) - 1), arrays, input_shape)

    def _n_macs(self, input_shape):
        return chain.n_macs(self._steps(len(input_shape) - 1), input_shape)

    def _field(self, field, input_shape):
        return chain.field(self._steps(len(input_shape) - 1), field, input_shape)

    def _forward(self, arrays, images, call):
        return chain.forward(self._steps(images.ndim - 2), arrays, images, call)

    def _backward(self, arrays, cache, grads, call):
        return chain.backward(self._steps(grads.ndim - 2), arrays, cache, grads, call)


@dataclass(frozen=True)
class SeparableConv(Steps):
    """A depthwise convolution, then a 1x1 convolution: `convlib.separable_conv`.

    Parameters
    ----------
    out_channels : int
        Outputs of the 1x1 convolution.
    kernel_size : int or tuple of int, default=3
        Taps of the depthwise convolution along each axis.
    multiplier : int, default=1
        Kernels for each channel.
    stride, padding, padding_mode, dilation
        As in `convlib.separable_conv`; padding is 'same' unless said otherwise.
    depthwise_activation : str, default=None
        Between the two.
    activation : str, default=None
        As in `convlib.conv`.
    bias : bool, default=True
        Whether a number is added to each map at the end, and in between where there is an
        activation.

    See Also
    --------
    SpatiallySeparableConv : Separable in the other sense.

    Examples
    --------
    >>> from convlib.layers import Conv, SeparableConv
    >>> Conv(64).n_macs((8, 8, 64)) // SeparableConv(64).n_macs((8, 8, 64))
    7
    """

    out_channels: int
    kernel_size: int | tuple = 3
    multiplier: int = 1
    stride: int | tuple = 1
    padding: object = "same"
    padding_mode: str = "constant"
    dilation: int | tuple = 1
    depthwise_activation: str | None = None
    activation: str | None = None
    bias: bool = True

    def _steps(self, rank):
        between = self.depthwise_activation
        return (
            DepthwiseConv(self.kernel_size, self.multiplier, self.stride, self.padding,
                          self.padding_mode, self.dilation, between,
                          self.bias and between is not None),
            Conv(self.out_channels, 1, activation=self.activation, bias=self.bias),
        )

    def _packed(self, arrays, input_shape):
        return arrays    # both halves run at once, block by block, on plain kernels

    def _forward(self, arrays, images, call):
        if call.keeps:
            return super()._forward(arrays, images, call)
        depthwise, _ = self._steps(images.ndim - 2)
        return separable_conv(
            images, arrays["0.kernel"], arrays["1.kernel"], arrays.get("1.bias"),
            depthwise_bias=arrays.get("0.bias"), depthwise_activation=self.depthwise_activation,
            activation=self.activation, n_threads=call.n_threads,
            **depthwise._settings(images.ndim - 2)), None


@dataclass(frozen=True)
class SpatiallySeparableConv(Steps):
    """Kernels of one axis each, one after the other: `convlib.spatially_separable_conv`.

    Each channel is convolved by itself; a ``Conv(..., 1)`` may follow.

    Parameters
    ----------
    kernel_size : int or tuple of int, default=3
        Taps along each axis.
    multiplier : int, default=1
        Kernels for each channel along the last axis.
    stride, padding, padding_mode, dilation
        As in `convlib.spatially_separable_conv`; padding is 'same' unless said otherwise.
    activation : str, default=None
        After the last axis.
    bias : bool, default=True
        Whether a number is added to each map at the end.

    See Also
    --------
    SeparableConv : Separable in channels.

    Examples
    --------
    >>> from convlib.layers import SpatiallySeparableConv
    >>> SpatiallySeparableConv(5, bias=False).array_shapes((8, 8, 4))
    {'0.kernel': (5, 1, 4, 1), '1.kernel': (1, 5, 4, 1)}
    """

    kernel_size: int | tuple = 3
    multiplier: int = 1
    stride: int | tuple = 1
    padding: object = "same"
    padding_mode: str = "constant"
    dilation: int | tuple = 1
    activation: str | None = None
    bias: bool = True

    def _steps(self, rank):
        if rank < 1:
            spatial_rank(self, (1,))
        size, strides, dilations = (check.axis_ints(name, getattr(self, name), rank, 1)
                                    for name in ("kernel_size", "stride", "dilation"))
        padding = check.padding_spec(self.padding, rank)

        def only(values, axis, fill):
            return tuple(value if i == axis else fill for i, value in enumerate(values))

        last = rank - 1
        return tuple(
            DepthwiseConv(
                only(size, axis, 1), self.multiplier if axis == last else 1,
                only(strides, axis, 1),
                padding if isinstance(padding, str) else only(padding, axis, (0, 0)),
                self.padding_mode, only(dilations, axis, 1),
                self.activation if axis == last else None, self.bias if axis == last else False)
            for axis in range(rank))
