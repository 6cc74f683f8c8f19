"""What all layers share: a description that never changes, and arrays that are kept elsewhere.

A layer does not hold its arrays: they are a dict from name to array, which whoever trains the layer
owns. So one description may serve many networks, and a fitted one is safe to share.
"""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from convlib import _validation as check

RECTIFIERS = (None, "relu", "relu6", "leaky_relu", "abs", "square")
BUFFERS = ("running_mean", "running_variance")    # change in training, but not by gradients


class Call(NamedTuple):
    """How arrays are computed with."""

    training: bool = False        # values are dropped, and statistics are those of the batch
    rng: object = None
    n_threads: int | None = None
    wants_images: bool = True     # the gradient by the inputs
    keeps: bool = False           # what `_backward` needs
    rectifies: bool = False       # on the way back to the pixels alone, as a deconvnet does
    room: object = None           # a Room, where steps follow each other

    def out(self, shape, dtype):
        """Return where an operator should write, or None for a new array."""
        return None if self.room is None else self.room.array(shape, dtype)


class Field(NamedTuple):
    """The window of the input that a value of a layer sees, and the steps between windows."""

    size: tuple
    stride: tuple

    def grown(self, reach, strides):
        """Return the field after windows of that reach at those strides."""
        size = [own + (n - 1) * step for own, n, step in zip(self.size, reach, self.stride)]
        return Field(tuple(size), tuple(a * b for a, b in zip(self.stride, strides)))


@dataclass(frozen=True)
class Layer:
    """What all layers share: a description; arrays go in and come out.

    See Also
    --------
    Conv : One of them.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib.layers import Dense
    >>> layer = Dense(2)
    >>> arrays = layer.initial_arrays((3,), np.random.default_rng(0))
    >>> {name: array.shape for name, array in arrays.items()}
    {'weight': (3, 2), 'bias': (2,)}
    """

    def output_shape(self, input_shape):
        """Return the shape of the outputs.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample: spatial axes and channels, or one axis of values.

        Returns
        -------
        output_shape : tuple of int
            In the same order.

        Raises
        ------
        ValueError
            If the layer does not go with such samples.
        """
        return tuple(self._output_shape(checked_shape(input_shape)))

    def array_shapes(self, input_shape):
        """Return the shapes of the arrays of the layer.

        Parameters
        ----------
        input_shape : tuple of int
            As in `output_shape`.

        Returns
        -------
        shapes : dict of str to tuple of int
            By name. Names of arrays within blocks have numbers and dots, as ``0.1.kernel``.
        """
        return self._array_shapes(checked_shape(input_shape))

    def n_parameters(self, input_shape):
        """Return the number of values that are learnt.

        Parameters
        ----------
        input_shape : tuple of int
            As in `output_shape`.

        Returns
        -------
        n_parameters : int
            Of weights and biases; running means and variances do not count.
        """
        shapes = self.array_shapes(input_shape)
        return sum(prod(shape) for name, shape in shapes.items() if not is_buffer(name))

    def n_macs(self, input_shape):
        """Return the number of multiply-adds for one sample.

        Parameters
        ----------
        input_shape : tuple of int
            As in `output_shape`.

        Returns
        -------
        n_macs : int
            Of convolutions and products with matrices; products with padding count.
        """
        return self._n_macs(checked_shape(input_shape))

    def receptive_field(self, input_shape):
        """Return the window of the input that one output value sees.

        Parameters
        ----------
        input_shape : tuple of int
            As in `output_shape`.

        Returns
        -------
        size : tuple of int
            Pixels along each spatial axis. Offsets of `DeformConv` count as zero.
        """
        input_shape = checked_shape(input_shape)
        return self._field(first_field(input_shape), input_shape).size

    def initial_arrays(self, input_shape, rng, dtype=np.float32):
        """Return new arrays, with random weights.

        Weights before a rectifier, or before no activation at all, are normal with a variance of
        2 over the number of values that are added [1]_; before 'sigmoid' and 'tanh', and in a
        `Dense` layer without activation, they are uniform as in [2]_. Biases are zero.

        Parameters
        ----------
        input_shape : tuple of int
            As in `output_shape`.
        rng : numpy.random.Generator
            Where the weights come from.
        dtype : {'float32', 'float64'}, default='float32'
            Of the arrays.

        Returns
        -------
        arrays : dict of str to ndarray
            With the names and shapes of `array_shapes`.

        References
        ----------
        .. [1] K. He et al., "Delving Deep into Rectifiers", ICCV 2015.
        .. [2] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
           neural networks", AISTATS 2010.
        """
        input_shape = checked_shape(input_shape)
        self._output_shape(input_shape)
        return self._initial_arrays(input_shape, rng, np.dtype(dtype))

    def forward(self, arrays, images, *, training=False, rng=None, n_threads=None):
        """Return the outputs, and what `backward` needs.

        Parameters
        ----------
        arrays : dict of str to ndarray
            Of the layer. `BatchNorm` changes its running means in training, nothing else is
            changed.
        images : ndarray of shape (n_samples, *input_shape)
            In the dtype of `arrays`.
        training : bool, default=False
            Whether to drop values, take the statistics of the batch, and keep what `backward`
            needs.
        rng : numpy.random.Generator, default=None
            For `Dropout` in training.
        n_threads : int, default=None
            OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.

        Returns
        -------
        outputs : ndarray of shape (n_samples, *output_shape)
            The same bits for any number of threads and, outside of training, samples.
        cache : object
            None outside of training.
        """
        call = Call(training, rng, n_threads, keeps=training)
        outputs, cache = self._forward(arrays, images, call)
        return outputs, cache if training else None

    def backward(self, arrays, cache, grad_output, *, wants_images=True, n_threads=None):
        """Return the gradients of a loss by the inputs and by the arrays.

        Parameters
        ----------
        arrays : dict of str to ndarray
            As in `forward`.
        cache : object
            What `forward` returned in training.
        grad_output : ndarray of shape (n_samples, *output_shape)
            The gradient by the outputs.
        wants_images : bool, default=True
            Whether the gradient by the inputs is wanted.
        n_threads : int, default=None
            As in `forward`.

        Returns
        -------
        grad_images : ndarray of shape (n_samples, *input_shape) or None
            None if it is not wanted.
        grads : dict of str to ndarray
            The gradient by each array that is learnt.
        """
        call = Call(True, None, n_threads, wants_images)
        return self._backward(arrays, cache, grad_output, call)

    # What a layer without arrays, windows and products need not say.

    def _array_shapes(self, input_shape):
        return {}

    def _initial_arrays(self, input_shape, rng, dtype):
        return {}

    def _packed(self, arrays, input_shape):
        """Return the arrays with kernels packed, for outputs outside of training."""
        return arrays

    def _n_macs(self, input_shape):
        return 0

    def _field(self, field, input_shape):
        return field

    # Layers that are seen one by one in a table; blocks list theirs.

    def _parts(self, input_shape):
        return []


def is_buffer(name):
    """Return whether an array is none of those that are learnt."""
    return name.rpartition(".")[2] in BUFFERS


def is_weight(name):
    """Return whether an array is multiplied with inputs, so that a penalty should hold it."""
    return name.rpartition(".")[2].endswith(("kernel", "weight"))


def checked_shape(shape):
    """Return the shape of a sample, with one to four axes."""
    entries = check.as_entries(shape)
    if entries is None or not 1 <= len(entries) <= 4:
        raise ValueError(check.refusal(
            "input_shape", "a tuple of 1 to 3 spatial axes and channels, or of one axis", shape))
    return check.axis_ints("input_shape", entries, len(entries), 1)


def spatial_rank(layer, input_shape):
    """Return the number of spatial axes, or refuse samples without any."""
    if len(input_shape) == 1:
        raise ValueError(f"{type(layer).__name__} takes samples with spatial axes and channels; "
                         f"got shape {input_shape}")
    return len(input_shape) - 1


def first_field(input_shape):
    """Return what a pixel sees of itself."""
    rank = max(1, len(input_shape) - 1)
    return Field((1,) * rank, (1,) * rank)


def whole_field(field, input_shape):
    """Return what a value sees that is made of all pixels."""
    if len(input_shape) == 1:
        return field
    size = [own + (n - 1) * step for own, n, step
            in zip(field.size, input_shape[:-1], field.stride)]
    return Field(tuple(size), (1,) * len(size))


def random_weights(rng, shape, n_inputs, n_outputs, dtype, is_rectified=True):
    """Return weights of a layer whose values are sums of `n_inputs`; see `initial_arrays`."""
    if is_rectified:
        weights = rng.standard_normal(shape) * np.sqrt(2 / max(1, n_inputs))
    else:
        limit = np.sqrt(6 / max(1, n_inputs + n_outputs))
        weights = rng.uniform(-limit, limit, shape)
    return weights.astype(dtype)
