"""The transposed convolution as a layer."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

from convlib import _validation as check
from convlib import grad
from convlib._layers.convolutions import Windowed
from convlib._layers.layer import Field
from convlib.ops.transpose import conv_transpose
from convlib.shapes import transpose_output_size


@dataclass(frozen=True)
class TransposedConv(Windowed):
    """A transposed convolution, which makes maps larger: `convlib.conv_transpose`.

    Parameters
    ----------
    out_channels : int
        Channels of the outputs.
    kernel_size : int or tuple of int, default=3
        Taps along each axis.
    stride : int or tuple of int, default=2
        By which the maps get larger.
    padding, output_padding, dilation, groups
        As in `convlib.conv_transpose`; padding is 'same' unless said otherwise.
    activation : str, default=None
        As in `convlib.conv`.
    bias : bool, default=True
        Whether a number is added to each map.

    See Also
    --------
    Conv : Which it transposes.

    Examples
    --------
    >>> from convlib.layers import TransposedConv
    >>> TransposedConv(8, 4).output_shape((7, 7, 16))
    (14, 14, 8)
    """

    out_channels: int
    kernel_size: int | tuple = 3
    stride: int | tuple = 2
    padding: object = "same"
    output_padding: int | tuple = 0
    dilation: int | tuple = 1
    groups: int = 1
    activation: str | None = None
    bias: bool = True

    def _outputs(self, input_shape):
        size = self._size(input_shape)
        check.choice("activation", self.activation, (None, *check.ACTIVATIONS))
        check.flag("bias", self.bias)
        return transpose_output_size(
            input_shape[:-1], size, output_padding=self.output_padding,
            **self._window(len(size)))

    def _output_shape(self, input_shape):
        n_outputs = check.integer("out_channels", self.out_channels, 1)
        check.channel_groups(input_shape[-1], n_outputs, self.groups)
        return *self._outputs(input_shape), n_outputs

    def _array_shapes(self, input_shape):
        kernel = (*self._size(input_shape), self.out_channels // self.groups, input_shape[-1])
        return self._with_bias(kernel, self.out_channels)

    def _initial_arrays(self, input_shape, rng, dtype):
        *size, n_outputs, channels = self._array_shapes(input_shape)["kernel"]
        phases = prod(check.axis_ints("stride", self.stride, len(size), 1))
        taps = max(1, prod(size) // phases)    # that an output sees
        return self._drawn(input_shape, rng, dtype, taps * channels // self.groups,
                           taps * n_outputs)

    def _n_macs(self, input_shape):
        kernel = self._array_shapes(input_shape)["kernel"]
        return prod(kernel) * prod(input_shape[:-1])

    def _field(self, field, input_shape):
        size = self._size(input_shape)
        window = self._window(len(size))
        sizes, steps = [], []
        for axis, (k, d, s) in enumerate(zip(size, window["dilation"], window["stride"])):
            seen = ceil(Fraction(d * (k - 1) + 1, s))
            sizes.append(ceil(field.size[axis] + (seen - 1) * field.stride[axis]))
            steps.append(Fraction(field.stride[axis]) / s)
        return Field(tuple(sizes), tuple(steps))

    def _settings(self, rank):
        return self._window(rank) | {"groups": self.groups}

    def _forward(self, arrays, images, call):
        outputs, slopes = self._activated(lambda activation: conv_transpose(
            images, arrays["kernel"], arrays.get("bias"), activation=activation,
            output_padding=self.output_padding, n_threads=call.n_threads,
            **self._settings(images.ndim - 2)), call)
        return outputs, (images, slopes)

    def _backward(self, arrays, cache, grads, call):
        images, slopes = cache
        kernel, settings = arrays["kernel"], self._settings(images.ndim - 2)
        grads = self._by_sums(grads, slopes, call)
        by_arrays = {"kernel": grad.conv_transpose_kernel(
            grads, images, kernel.shape[:-2], n_threads=call.n_threads, **settings)}
        if self.bias:
            by_arrays["bias"] = grad.conv_transpose_bias(grads, n_threads=call.n_threads)
        if not call.wants_images:
            return None, by_arrays
        return grad.conv_transpose_images(
            grads, kernel, output_padding=self.output_padding, n_threads=call.n_threads,
            **settings), by_arrays
