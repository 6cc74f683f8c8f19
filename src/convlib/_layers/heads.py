"""What comes after the maps: flat values and products with matrices, without BLAS."""

from dataclasses import dataclass
from math import prod

import numpy as np

from convlib import _validation as check
from convlib import grad
from convlib._layers.layer import RECTIFIERS, Layer, random_weights, whole_field
from convlib._layers.values import activated, activation_back
from convlib.ops._statistics import pixel_sums
from convlib.ops.conv import PackedKernel, conv, pack_kernel


def product(values, weight, bias=None, activation=None, n_threads=None):
    """Return values @ weight + bias by the kernels of 1x1 convolution, the rows as pixels."""
    if not len(values):
        return np.empty((0, weight.shape[1]), values.dtype)
    return conv(values[np.newaxis], weight[np.newaxis], bias, activation=activation,
                n_threads=n_threads)[0]


def packed_product(values, weight, n_threads):
    """Return the same for a weight that was packed with its bias and activation."""
    if not len(values):
        return np.empty((0, weight.bias.size), values.dtype)
    return conv(values[np.newaxis], weight, n_threads=n_threads)[0]


@dataclass(frozen=True)
class Flatten(Layer):
    """All values of a sample in one row: pixels in row-major order, each with its channels.

    See Also
    --------
    GlobalPool : Fewer values, whatever the size of the image.

    Examples
    --------
    >>> from convlib.layers import Flatten
    >>> Flatten().output_shape((4, 4, 8))
    (128,)
    """

    def _output_shape(self, input_shape):
        return (prod(input_shape),)

    def _field(self, field, input_shape):
        return whole_field(field, input_shape)

    def _forward(self, arrays, images, call):
        return np.ascontiguousarray(images).reshape(len(images), -1), images.shape

    def _backward(self, arrays, cache, grads, call):
        return grads.reshape(cache), {}


@dataclass(frozen=True)
class Dense(Layer):
    """Values times a matrix that is learnt; they must be flat.

    Parameters
    ----------
    n_units : int
        Number of outputs.
    activation : str, default=None
        As in `convlib.conv`.
    bias : bool, default=True
        Whether a number is added to each output.

    See Also
    --------
    Flatten : What to put before it.

    Examples
    --------
    >>> from convlib.layers import Dense
    >>> Dense(10).n_parameters((128,))
    1290
    """

    n_units: int
    activation: str | None = None
    bias: bool = True

    def _output_shape(self, input_shape):
        if len(input_shape) > 1:
            raise ValueError("Dense takes flat values: put Flatten() or GlobalPool() before it; "
                             f"got shape {input_shape}")
        check.choice("activation", self.activation, (None, *check.ACTIVATIONS))
        check.flag("bias", self.bias)
        return (check.integer("n_units", self.n_units, 1),)

    def _array_shapes(self, input_shape):
        shapes = {"weight": (input_shape[0], self.n_units)}
        return shapes | ({"bias": (self.n_units,)} if self.bias else {})

    def _initial_arrays(self, input_shape, rng, dtype):
        arrays = {name: np.zeros(shape, dtype)
                  for name, shape in self._array_shapes(input_shape).items()}
        shape = arrays["weight"].shape
        arrays["weight"] = random_weights(
            rng, shape, *shape, dtype,
            self.activation is not None and self.activation in RECTIFIERS)
        return arrays

    def _n_macs(self, input_shape):
        return input_shape[0] * self.n_units

    def _packed(self, arrays, input_shape):
        weight = arrays["weight"]
        return {"weight": pack_kernel(
            weight[np.newaxis], (1, *input_shape), arrays.get("bias"), dtype=weight.dtype,
            activation=self.activation)}

    def _forward(self, arrays, images, call):
        weight, bias = arrays["weight"], arrays.get("bias")
        if isinstance(weight, PackedKernel):
            return packed_product(images, weight, call.n_threads), None
        outputs, slopes = activated(
            lambda activation: product(images, weight, bias, activation, call.n_threads),
            self.activation, call)
        return outputs, (images, slopes)

    def _backward(self, arrays, cache, grads, call):
        images, slopes = cache
        grads = activation_back(grads, self.activation, slopes, call)
        by_arrays = {}
        if not call.rectifies:
            by_arrays["weight"] = grad.conv_kernel(
                grads[np.newaxis], images[np.newaxis], 1, n_threads=call.n_threads)[0]
            if self.bias:
                by_arrays["bias"] = pixel_sums(grads[np.newaxis], call.n_threads)
        if not call.wants_images:
            return None, by_arrays
        back = np.ascontiguousarray(arrays["weight"].T)
        return product(grads, back, n_threads=call.n_threads), by_arrays
