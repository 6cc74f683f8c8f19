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

    def _output_size(self, in_size, size):
        return transpose_output_size(
            in_size, size, output_padding=self.output_padding, **self._window(len(size)))

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

    def _convolve(self, images, kernel, bias, **settings):
        return conv_transpose(
            images, kernel, bias, output_padding=self.output_padding, **settings)

    _by_kernel = staticmethod(grad.conv_transpose_kernel)

    def _by_images(self, grads, kernel, size, **settings):
        return grad.conv_transpose_images(
            grads, kernel, output_padding=self.output_padding, **settings)
