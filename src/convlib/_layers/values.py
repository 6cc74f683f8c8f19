"""Layers that treat each value, or each channel, by itself."""

from dataclasses import dataclass
from math import prod

import numpy as np

from convlib import _validation as check
from convlib import grad
from convlib._layers.layer import Layer
from convlib.ops._statistics import pixel_sums
from convlib.ops.conv import conv
from convlib.ops.shuffle import channel_shuffle

SIGNLESS = ("abs", "square")    # whose slopes do not follow from their outputs


def activate(values, activation, n_threads=None):
    """Return the activations, computed by the kernels of 1x1 convolution."""
    if activation is None or not values.size:
        return values
    channels = values.shape[-1]
    signals = np.ascontiguousarray(values).reshape(len(values), -1, channels)
    one = np.ones((1, 1, channels), values.dtype)
    return conv(signals, one, groups=channels, activation=activation,
                n_threads=n_threads).reshape(values.shape)


def activated(run, activation, call):
    """Return the outputs of `run(activation)` and what tells their slopes."""
    if call.keeps and activation in SIGNLESS:
        sums = run(None)
        return activate(sums, activation, call.n_threads), ("inputs", sums)
    outputs = run(activation)
    return outputs, ("outputs", outputs)


def activation_back(grads, activation, slopes, call):
    """Return the gradient by the inputs; `slopes` are 'inputs' or 'outputs', and these."""
    if activation is None:
        return grads
    if call.rectifies:
        return np.maximum(grads, 0)
    name, values = slopes
    return grad.activation_inputs(
        grads, activation, n_threads=call.n_threads, out=call.out(values.shape, values.dtype),
        **{name: values})


@dataclass(frozen=True)
class Activation(Layer):
    """A function of each value. Most layers can do it on their own, which is faster.

    Parameters
    ----------
    activation : str, default='relu'
        As in `convlib.conv`.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import Activation
    >>> Activation("relu6").forward({}, np.array([[-1.0, 5.0, 9.0]]))[0]
    array([[0., 5., 6.]])
    """

    activation: str | None = "relu"

    def _output_shape(self, input_shape):
        check.choice("activation", self.activation, (None, *check.ACTIVATIONS))
        return input_shape

    def _forward(self, arrays, images, call):
        outputs = activate(images, self.activation, call.n_threads)
        if self.activation in SIGNLESS:
            return outputs, ("inputs", images)
        return outputs, ("outputs", outputs)

    def _backward(self, arrays, cache, grads, call):
        return activation_back(grads, self.activation, cache, call), {}


@dataclass(frozen=True)
class Softmax(Layer):
    """Exponentials of the values of a row, or of the channels of a pixel, divided by their sum.

    `convlib.ConvNetClassifier` has its own after the last layer.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import Softmax
    >>> Softmax().forward({}, np.log([[1.0, 3.0]]))[0]
    array([[0.25, 0.75]])
    """

    def _output_shape(self, input_shape):
        return input_shape

    def _forward(self, arrays, images, call):
        shares = np.exp(images - images.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        return shares, shares

    def _backward(self, arrays, cache, grads, call):
        by_images = grads * cache
        by_images -= cache * by_images.sum(axis=-1, keepdims=True)
        return by_images, {}


@dataclass(frozen=True)
class Dropout(Layer):
    """Values that are left out at random while the network learns.

    The others are divided by ``1 - rate``, so that nothing changes on average; afterwards all are
    kept as they are.

    Parameters
    ----------
    rate : float, default=0.5
        Share of the values that are left out, below 1.
    whole_maps : bool, default=False
        Whether all pixels of a channel are kept or left out together.

    References
    ----------
    N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
    JMLR 15, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import Dropout
    >>> values = np.ones((1, 5), np.float32)
    >>> Dropout(0.5).forward({}, values, training=True, rng=np.random.default_rng(0))[0]
    array([[2., 2., 2., 0., 0.]], dtype=float32)
    """

    rate: float = 0.5
    whole_maps: bool = False

    def _output_shape(self, input_shape):
        rate = check.real_number("rate", self.rate, "a number in 0 .. 1, below 1")
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be a number in 0 .. 1, below 1; got {rate}")
        check.flag("whole_maps", self.whole_maps)
        return input_shape

    def _forward(self, arrays, images, call):
        if not call.training or not self.rate:
            return images, None
        if call.rng is None:
            raise ValueError("rng must be a numpy.random.Generator where Dropout learns; got None")
        shape = images.shape
        if self.whole_maps:
            shape = (len(images), *[1] * (images.ndim - 2), images.shape[-1])
        mask = (call.rng.random(shape, np.float32) >= self.rate).astype(images.dtype)
        mask *= images.dtype.type(1 / (1 - self.rate))
        return images * mask, mask

    def _backward(self, arrays, cache, grads, call):
        return (grads if cache is None else grads * cache), {}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Channels with mean zero and variance one over a batch, then scaled and shifted.

    While the network learns, mean and variance are those of the batch, and running means of them
    are kept; afterwards these are taken, so that a sample does not depend on the others.

    Parameters
    ----------
    momentum : float, default=0.1
        What the newest batch counts in the running means.
    epsilon : float, default=1e-5
        Added to variances.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
    Internal Covariate Shift", ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import BatchNorm
    >>> arrays = BatchNorm().initial_arrays((1,), np.random.default_rng(0), np.float64)
    >>> BatchNorm(epsilon=0).forward(arrays, np.array([[3.0], [5.0]]), training=True)[0].ravel()
    array([-1.,  1.])
    """

    momentum: float = 0.1
    epsilon: float = 1e-5

    def _output_shape(self, input_shape):
        check.share("momentum", self.momentum)
        check.non_negative("epsilon", self.epsilon)
        return input_shape

    def _array_shapes(self, input_shape):
        names = "scale", "shift", "running_mean", "running_variance"
        return dict.fromkeys(names, (input_shape[-1],))

    def _initial_arrays(self, input_shape, rng, dtype):
        make = {"scale": np.ones, "running_variance": np.ones}
        return {name: make.get(name, np.zeros)(shape, dtype)
                for name, shape in self._array_shapes(input_shape).items()}

    def _forward(self, arrays, images, call):
        type_ = images.dtype.type
        if not call.training:
            factor = self._factor(arrays)
            outputs = images * factor
            outputs += arrays["shift"] - arrays["running_mean"] * factor
            return outputs, None
        count = prod(images.shape[:-1])
        mean = _sums(images, call) / type_(count)
        normal = images - mean
        variance = _sums(np.square(normal), call) / type_(count)
        inverse = 1 / np.sqrt(variance + type_(self.epsilon))
        normal *= inverse
        # Of all batches, not of this one: without the bias of a variance about its own mean.
        unbiased = variance * type_(count / max(1, count - 1))
        for name, newest in (("running_mean", mean), ("running_variance", unbiased)):
            arrays[name] += type_(self.momentum) * (newest - arrays[name])
        outputs = normal * arrays["scale"]
        outputs += arrays["shift"]
        return outputs, (normal, inverse)

    def _factor(self, arrays):
        """Return what a channel is multiplied with outside of training."""
        variance = arrays["running_variance"]
        return arrays["scale"] / np.sqrt(variance + variance.dtype.type(self.epsilon))

    def _backward(self, arrays, cache, grads, call):
        if cache is None:
            return grads * self._factor(arrays), {}
        normal, inverse = cache
        by_shift, by_scale = _sums(grads, call), _sums(grads * normal, call)
        by_arrays = {"scale": by_scale, "shift": by_shift}
        if not call.wants_images:
            return None, by_arrays
        count = grads.dtype.type(prod(grads.shape[:-1]))
        by_images = normal * (-by_scale / count)
        by_images += grads
        by_images -= by_shift / count
        by_images *= arrays["scale"] * inverse
        return by_images, by_arrays


def _sums(values, call):
    """Return the sums of each channel, the same for any number of threads."""
    signals = values if values.ndim > 2 else values[np.newaxis]
    return pixel_sums(signals, call.n_threads)


@dataclass(frozen=True)
class ChannelShuffle(Layer):
    """Channels of several groups dealt out like cards: `convlib.channel_shuffle`.

    Between two group convolutions it lets each group of the second one see all of the first.

    Parameters
    ----------
    groups : int
        Of the convolution before it.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import ChannelShuffle
    >>> ChannelShuffle(2).forward({}, np.arange(4.0).reshape(1, 1, 4))[0].ravel()
    array([0., 2., 1., 3.])
    """

    groups: int

    def _output_shape(self, input_shape):
        groups = check.integer("groups", self.groups, 1)
        if input_shape[-1] % groups:
            raise ValueError(f"groups must divide the {input_shape[-1]} channels; got {groups}")
        return input_shape

    def _forward(self, arrays, images, call):
        return channel_shuffle(images, self.groups), None

    def _backward(self, arrays, cache, grads, call):
        return grad.channel_shuffle_images(grads, self.groups), {}
