"""Layers with their arrays, as the training loop wants a model."""

from math import prod

import numpy as np

from convlib._layers import chain
from convlib._layers.layer import Call, is_buffer, is_weight


class ConvNetwork:
    """A chain of layers with its arrays, as the training loop wants a model.

    A batch is a list of numbers of images; `load(batch)` returns the images, `loss_of(outputs,
    batch)` the loss and its gradient.
    """

    def __init__(self, layers, input_shape, rng, dtype, n_threads):
        self.layers, self.input_shape, self.n_threads = layers, input_shape, n_threads
        self.shapes = chain.shapes_through(layers, input_shape)
        self.arrays = chain.initial_arrays(layers, input_shape, rng, dtype)
        self.dtype = np.dtype(dtype)
        self.load = self.loss_of = None

    @property
    def names(self):
        """Names of the arrays that are learnt."""
        return [name for name in self.arrays if not is_buffer(name)]

    @property
    def parameters(self):
        """The arrays that are learnt."""
        return [self.arrays[name] for name in self.names]

    @property
    def buffers(self):
        """The arrays that layers themselves change."""
        return [array for name, array in self.arrays.items() if is_buffer(name)]

    def decays(self, alpha):
        """Return the penalty of each parameter: of weights, and of no biases."""
        return [alpha if is_weight(name) else 0.0 for name in self.names]

    def loss_and_gradients(self, batch, rng):
        """Return the mean loss of a batch and its gradients by the parameters."""
        call = Call(True, rng, self.n_threads)
        outputs, caches = chain.forward(self.layers, self.arrays, self.load(batch), call)
        loss, grads = self.loss_of(outputs, batch)
        _, by_arrays = chain.backward(
            self.layers, self.arrays, caches, grads, call._replace(wants_images=False))
        return loss, [by_arrays[name] for name in self.names]

    def outputs(self, images, n_threads, n_layers=None):
        """Return the outputs of the first layers, of all where `n_layers` is None."""
        return chain.forward(
            self.layers[:n_layers], self.arrays, images, Call(False, None, n_threads))[0]

    def block_images(self, budget):
        """Return how many images may go through the layers at a time."""
        most = max(map(prod, self.shapes))
        return max(1, int(budget // (2 * most * self.dtype.itemsize)))

    def __getstate__(self):
        return vars(self) | {"load": None, "loss_of": None}
