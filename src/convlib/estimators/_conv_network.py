"""Layers with their arrays, as the training loop wants a model."""

from convlib._layers import chain
from convlib._layers.layer import Call, is_buffer, is_weight
from convlib._layers.network import Network
from convlib._layers.room import Room


class ConvNetwork(Network):
    """A network whose arrays change: what the training loop calls a model.

    A batch is a list of numbers of images; `load(batch)` returns the images, `loss_of(outputs,
    batch)` the loss and its gradient. While it learns, outputs are those of the arrays as they are;
    `settle` packs them.
    """

    def __init__(self, layers, input_shape, rng, dtype, n_threads):
        arrays = chain.initial_arrays(layers, input_shape, rng, dtype)
        super().__init__(layers, input_shape, arrays, dtype)
        self.arrays = arrays    # not the copies, which cannot be written to
        self.n_threads, self.load, self.loss_of = n_threads, None, None
        self.unsettle()

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

    def unsettle(self):
        """Compute with the arrays as they are at any time."""
        self._packed, self.room = self.arrays, Room()

    def settle(self):
        """Forget what was there for learning, and pack the kernels."""
        self.load = self.loss_of = self.room = None
        self._pack()

    def loss_and_gradients(self, batch, rng):
        """Return the mean loss of a batch and its gradients by the parameters."""
        self.room.begin()
        call = Call(True, rng, self.n_threads, wants_images=False, keeps=True, room=self.room)
        outputs, caches = chain.forward(self.layers, self.arrays, self.load(batch), call)
        loss, grads = self.loss_of(outputs, batch)
        _, by_arrays = chain.backward(self.layers, self.arrays, caches, grads, call)
        return loss, [by_arrays[name] for name in self.names]

    def __getstate__(self):
        return super().__getstate__() | {"load": None, "loss_of": None, "room": None}
