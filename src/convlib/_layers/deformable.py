"""The deformable convolution as a layer: a second convolution learns where taps look."""

from dataclasses import dataclass
from math import prod

import numpy as np

from convlib import _validation as check
from convlib import grad
from convlib._layers.convolutions import Windowed
from convlib._layers.values import activated, activation_back
from convlib.ops.conv import conv
from convlib.ops.deform import deform_conv


@dataclass(frozen=True)
class DeformConv(Windowed):
    """A convolution whose taps look where a second one sends them: `convlib.deform_conv`.

    The second convolution has the same windows and starts with zeros, so that the layer begins as
    a standard one [1]_. With `modulated`, it also gives a factor of 0 to 1 for each tap [2]_; the
    factors start as one half.

    Parameters
    ----------
    out_channels : int
        Number of kernels.
    kernel_size : int or tuple of int, default=3
        Taps along each of two axes.
    stride, padding, dilation, groups
        As in `convlib.deform_conv`; padding is 'same' unless said otherwise.
    offset_groups : int, default=1
        Parts of the channels with offsets of their own.
    modulated : bool, default=False
        Whether taps get a factor.
    activation : str, default=None
        As in `convlib.conv`.
    bias : bool, default=True
        Whether a number is added to each map.

    See Also
    --------
    Conv : Taps that stay in place.

    References
    ----------
    .. [1] J. Dai et al., "Deformable Convolutional Networks", ICCV 2017.
    .. [2] X. Zhu et al., "Deformable ConvNets v2: More Deformable, Better Results", CVPR 2019.

    Examples
    --------
    >>> from convlib.layers import DeformConv
    >>> DeformConv(16).array_shapes((28, 28, 8))["offset_kernel"]
    (3, 3, 8, 18)
    """

    out_channels: int
    kernel_size: int | tuple = 3
    stride: int | tuple = 1
    padding: object = "same"
    dilation: int | tuple = 1
    groups: int = 1
    offset_groups: int = 1
    modulated: bool = False
    activation: str | None = None
    bias: bool = True

    def _output_shape(self, input_shape):
        if len(input_shape) != 3:
            raise ValueError("DeformConv takes images of height, width and channels; got shape "
                             f"{input_shape}")
        n_outputs = check.integer("out_channels", self.out_channels, 1)
        check.channel_groups(input_shape[-1], n_outputs, self.groups)
        check.flag("modulated", self.modulated)
        if input_shape[-1] % check.integer("offset_groups", self.offset_groups, 1):
            raise ValueError(f"offset_groups must divide the {input_shape[-1]} channels; got "
                             f"{self.offset_groups}")
        return *self._outputs(input_shape), n_outputs

    def _n_points(self, input_shape):
        return self.offset_groups * prod(self._size(input_shape))

    def _array_shapes(self, input_shape):
        size, channels = self._size(input_shape), input_shape[-1]
        shapes = self._with_bias((*size, channels // self.groups, self.out_channels),
                                 self.out_channels)
        for name, n_values in (("offset", 2), ("mask", 1))[:1 + self.modulated]:
            n_values *= self._n_points(input_shape)
            shapes[f"{name}_kernel"] = (*size, channels, n_values)
            shapes[f"{name}_bias"] = (n_values,)
        return shapes

    def _n_macs(self, input_shape):
        weights = sum(prod(shape) for name, shape in self._array_shapes(input_shape).items()
                      if name.endswith("kernel"))
        return weights * prod(self._output_shape(input_shape)[:-1])

    def _branches(self):
        return (("offset", None), ("mask", "sigmoid"))[:1 + self.modulated]

    def _forward(self, arrays, images, call):
        window = self._window(2)
        points = [conv(images, arrays[f"{name}_kernel"], arrays[f"{name}_bias"],
                       activation=activation, n_threads=call.n_threads, **window)
                  for name, activation in self._branches()]
        outputs, slopes = activated(lambda activation: deform_conv(
            images, arrays["kernel"], *points, bias=arrays.get("bias"), groups=self.groups,
            activation=activation, n_threads=call.n_threads, **window),
            self.activation, call)
        return outputs, (images, points, slopes)

    def _backward(self, arrays, cache, grads, call):
        images, points, slopes = cache
        kernel, window = arrays["kernel"], self._window(2)
        settings = window | {"groups": self.groups, "n_threads": call.n_threads}
        grads = activation_back(grads, self.activation, slopes, call)
        if call.rectifies:
            return grad.deform_conv_images(
                grads, images.shape[1:-1], kernel, *points, **settings), {}
        by_arrays = {"kernel": grad.deform_conv_kernel(
            grads, images, kernel.shape[:2], *points, **settings)}
        if self.bias:
            by_arrays["bias"] = grad.deform_conv_bias(grads, n_threads=call.n_threads)
        by_points = grad.deform_conv_offsets(
            grads, images, kernel, *points, return_mask=self.modulated, **settings)
        by_images = None
        if call.wants_images:
            by_images = grad.deform_conv_images(
                grads, images.shape[1:-1], kernel, *points, **settings)
        by_points = by_points if self.modulated else (by_points,)
        for (name, activation), values, own in zip(self._branches(), points, by_points):
            if activation is not None:
                own = grad.activation_inputs(
                    own, activation, outputs=values, n_threads=call.n_threads)
            by_arrays[f"{name}_kernel"] = grad.conv_kernel(
                own, images, kernel.shape[:2], n_threads=call.n_threads, **window)
            by_arrays[f"{name}_bias"] = grad.conv_bias(own, n_threads=call.n_threads)
            if call.wants_images:
                by_images += grad.conv_images(
                    own, arrays[f"{name}_kernel"], images.shape[1:-1], n_threads=call.n_threads,
                    **window)
        return by_images, {name: np.asarray(by_arrays[name]) for name in arrays}
