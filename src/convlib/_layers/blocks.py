"""Blocks: layers side by side, and layers with a way around them."""

from dataclasses import dataclass

import numpy as np

from convlib import _validation as check
from convlib._layers import chain
from convlib._layers.layer import Field, Layer
from convlib._layers.values import activate, activation_back


@dataclass(frozen=True)
class Paths(Layer):
    """Several chains over the same inputs; a subclass has `_paths()`, the chains by name."""

    def _array_shapes(self, input_shape):
        return _joined({name: chain.array_shapes(path, input_shape)
                        for name, path in self._paths().items()})

    def _initial_arrays(self, input_shape, rng, dtype):
        return _joined({name: chain.initial_arrays(path, input_shape, rng, dtype)
                        for name, path in self._paths().items()})

    def _packed(self, arrays, input_shape):
        return _joined({name: chain.packed(path, chain.arrays_of(name, arrays), input_shape)
                        for name, path in self._paths().items()})

    def _n_macs(self, input_shape):
        return sum(chain.n_macs(path, input_shape) for path in self._paths().values())

    def _field(self, field, input_shape):
        fields = [chain.field(path, field, input_shape) for path in self._paths().values()]
        sizes = zip(*(field.size for field in fields))
        strides = zip(*(field.stride for field in fields))
        return Field(tuple(map(max, sizes)), tuple(map(max, strides)))

    def _parts(self, input_shape):
        return [(name, path, input_shape) for name, path in self._paths().items()]

    def _along(self, arrays, images, call):
        """Return the outputs of all chains, and what they have kept."""
        results = [chain.forward(path, chain.arrays_of(name, arrays), images, call)
                   for name, path in self._paths().items()]
        return [outputs for outputs, _ in results], [cache for _, cache in results]

    def _back(self, arrays, caches, grads, call):
        """Return the gradient by the inputs, of all chains together, and those by the arrays."""
        total, by_arrays = None, {}
        for (name, path), cache, own in zip(self._paths().items(), caches, grads):
            by_images, by_arrays[name] = chain.backward(
                path, chain.arrays_of(name, arrays), cache, own, call)
            if call.wants_images:
                total = by_images if total is None else total + by_images
        return total, _joined(by_arrays)


@dataclass(frozen=True, init=False)
class Branches(Paths):
    """Several chains of layers over the same inputs, their channels side by side.

    The block of Inception [1]_: kernels of several sizes, some of them behind a 1x1 convolution
    that leaves fewer channels, or split into a row and a column.

    Parameters
    ----------
    *branches : list of layers
        Each a chain; an empty one passes its inputs on. All must give maps of one size.

    See Also
    --------
    Residual : Adds instead.

    References
    ----------
    .. [1] C. Szegedy et al., "Going Deeper with Convolutions", CVPR 2015.

    Examples
    --------
    >>> from convlib.layers import Branches, Conv, MaxPool
    >>> block = Branches(
    ...     [Conv(16, 1)],
    ...     [Conv(8, 1), Conv(16, (1, 5)), Conv(16, (5, 1))],
    ...     [MaxPool(3, stride=1, padding=1), Conv(8, 1)])
    >>> block.output_shape((14, 14, 64))
    (14, 14, 40)
    """

    branches: tuple

    def __init__(self, *branches):
        chains = tuple(chain.check_layers(f"branches[{number}]", branch)
                       for number, branch in enumerate(branches))
        object.__setattr__(self, "branches", chains)

    def __repr__(self):
        return f"Branches({', '.join(repr(list(branch)) for branch in self.branches)})"

    def _output_shape(self, input_shape):
        if not self.branches:
            raise ValueError("Branches must have at least one branch; got none")
        shapes = [chain.shapes_through(branch, input_shape)[-1] for branch in self.branches]
        if len({shape[:-1] for shape in shapes}) > 1:
            raise ValueError(f"branches must give maps of one size; got {shapes}")
        return *shapes[0][:-1], sum(shape[-1] for shape in shapes)

    def _paths(self):
        return {str(number): branch for number, branch in enumerate(self.branches)}

    def _forward(self, arrays, images, call):
        outputs, caches = self._along(arrays, images, call)
        return np.concatenate(outputs, axis=-1), (caches, [maps.shape[-1] for maps in outputs])

    def _backward(self, arrays, cache, grads, call):
        caches, channels = cache
        parts = np.split(grads, np.cumsum(channels)[:-1], axis=-1)
        return self._back(arrays, caches, map(np.ascontiguousarray, parts), call)


@dataclass(frozen=True)
class Residual(Paths):
    """Layers whose outputs are added to their inputs.

    Parameters
    ----------
    layers : list of layers
        A chain.
    shortcut : list of layers, default=()
        What the inputs go through before they are added: where shapes change, a
        ``Conv(..., 1, stride=...)``.
    activation : str, default=None
        Of the sum, as in `convlib.conv`; 'abs' and 'square' are not offered.

    See Also
    --------
    Branches : Side by side instead.

    References
    ----------
    K. He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.

    Examples
    --------
    >>> from convlib.layers import BatchNorm, Conv, Residual
    >>> block = Residual([Conv(64, activation="relu"), Conv(64)], activation="relu")
    >>> block.n_parameters((8, 8, 64))
    73856
    """

    layers: tuple
    shortcut: tuple = ()
    activation: str | None = None

    def __post_init__(self):
        for name in ("layers", "shortcut"):
            object.__setattr__(self, name, chain.check_layers(name, getattr(self, name)))

    def _paths(self):
        return {"layers": self.layers, "shortcut": self.shortcut}

    def _output_shape(self, input_shape):
        allowed = [name for name in check.ACTIVATIONS if name not in ("abs", "square")]
        check.choice("activation", self.activation, (None, *allowed))
        shapes = [chain.shapes_through(path, input_shape)[-1] for path in self._paths().values()]
        if shapes[0] != shapes[1]:
            raise ValueError("layers and shortcut must give the same shape; got "
                             f"{shapes[0]} and {shapes[1]}")
        return shapes[0]

    def _parts(self, input_shape):
        return [part for part in super()._parts(input_shape) if part[1]]

    def _forward(self, arrays, images, call):
        (inner, around), caches = self._along(arrays, images, call)
        outputs = activate(inner + around, self.activation, call.n_threads)
        return outputs, (caches, outputs)

    def _backward(self, arrays, cache, grads, call):
        caches, outputs = cache
        grads = activation_back(grads, self.activation, ("outputs", outputs), call)
        return self._back(arrays, caches, (grads, grads), call)


def _joined(parts):
    """Return what chains have by name, under the names of the chains."""
    return {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
