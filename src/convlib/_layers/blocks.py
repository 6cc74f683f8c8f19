"""Blocks: layers side by side, and layers with a way around them."""

from dataclasses import dataclass

import numpy as np

from convlib import _validation as check
from convlib._layers import chain
from convlib._layers.layer import Field, Layer
from convlib._layers.values import activate, activation_back


@dataclass(frozen=True, init=False)
class Branches(Layer):
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

    def _array_shapes(self, input_shape):
        return self._joined(chain.array_shapes(branch, input_shape) for branch in self.branches)

    def _initial_arrays(self, input_shape, rng, dtype):
        return self._joined([chain.initial_arrays(branch, input_shape, rng, dtype)
                             for branch in self.branches])

    def _packed(self, arrays, input_shape):
        return self._joined(
            chain.packed(branch, chain.arrays_of(number, arrays), input_shape)
            for number, branch in enumerate(self.branches))

    def _n_macs(self, input_shape):
        return sum(chain.n_macs(branch, input_shape) for branch in self.branches)

    def _field(self, field, input_shape):
        return _widest([chain.field(branch, field, input_shape) for branch in self.branches])

    def _parts(self, input_shape):
        return [(str(number), branch, input_shape) for number, branch in enumerate(self.branches)]

    def _forward(self, arrays, images, call):
        results = [chain.forward(branch, chain.arrays_of(number, arrays), images, call)
                   for number, branch in enumerate(self.branches)]
        outputs = [outputs for outputs, _ in results]
        return np.concatenate(outputs, axis=-1), (
            [cache for _, cache in results], [array.shape[-1] for array in outputs])

    def _backward(self, arrays, cache, grads, call):
        caches, channels = cache
        total, by_arrays = None, []
        ends = np.cumsum(channels)
        for number, branch in enumerate(self.branches):
            own = np.ascontiguousarray(grads[..., ends[number] - channels[number]:ends[number]])
            by_images, by_branch = chain.backward(
                branch, chain.arrays_of(number, arrays), caches[number], own, call)
            by_arrays.append(by_branch)
            if call.wants_images:
                total = by_images if total is None else total + by_images
        return total, self._joined(by_arrays)

    def _joined(self, dicts):
        return {f"{number}.{name}": value for number, part in enumerate(dicts)
                for name, value in part.items()}


@dataclass(frozen=True)
class Residual(Layer):
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
        return self.layers, self.shortcut

    def _output_shape(self, input_shape):
        allowed = [name for name in check.ACTIVATIONS if name not in ("abs", "square")]
        check.choice("activation", self.activation, (None, *allowed))
        shapes = [chain.shapes_through(path, input_shape)[-1] for path in self._paths()]
        if shapes[0] != shapes[1]:
            raise ValueError("layers and shortcut must give the same shape; got "
                             f"{shapes[0]} and {shapes[1]}")
        return shapes[0]

    def _array_shapes(self, input_shape):
        return self._joined(chain.array_shapes(path, input_shape) for path in self._paths())

    def _initial_arrays(self, input_shape, rng, dtype):
        return self._joined([chain.initial_arrays(path, input_shape, rng, dtype)
                             for path in self._paths()])

    def _packed(self, arrays, input_shape):
        return self._joined([
            chain.packed(path, chain.arrays_of(name, arrays), input_shape)
            for name, path in zip(("layers", "shortcut"), self._paths())])

    def _n_macs(self, input_shape):
        return sum(chain.n_macs(path, input_shape) for path in self._paths())

    def _field(self, field, input_shape):
        return _widest([chain.field(path, field, input_shape) for path in self._paths()])

    def _parts(self, input_shape):
        return [(name, path, input_shape)
                for name, path in zip(("layers", "shortcut"), self._paths()) if path]

    def _forward(self, arrays, images, call):
        inner, cache = chain.forward(
            self.layers, chain.arrays_of("layers", arrays), images, call)
        around, around_cache = chain.forward(
            self.shortcut, chain.arrays_of("shortcut", arrays), images, call)
        outputs = activate(inner + around, self.activation, call.n_threads)
        return outputs, (cache, around_cache, outputs)

    def _backward(self, arrays, cache, grads, call):
        cache, around_cache, outputs = cache
        grads = activation_back(grads, self.activation, ("outputs", outputs), call)
        inner, by_layers = chain.backward(
            self.layers, chain.arrays_of("layers", arrays), cache, grads, call)
        around, by_shortcut = chain.backward(
            self.shortcut, chain.arrays_of("shortcut", arrays), around_cache, grads, call)
        by_arrays = self._joined([by_layers, by_shortcut])
        return (inner + around if call.wants_images else None), by_arrays

    def _joined(self, dicts):
        return {f"{name}.{key}": value for name, part in zip(("layers", "shortcut"), dicts)
                for key, value in part.items()}


def _widest(fields):
    """Return the field of values that several fields go into."""
    sizes = zip(*(field.size for field in fields))
    strides = zip(*(field.stride for field in fields))
    return Field(tuple(map(max, sizes)), tuple(map(max, strides)))
