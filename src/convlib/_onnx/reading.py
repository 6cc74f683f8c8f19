"""The graph of an ONNX model as layers.

A node is a table of names: nothing in a file is run. Between a value and the last one before it
that all its paths go through (its *dominator*) there is either one operator, or several paths that
an Add or a Concat joins: so the graph is taken apart from its output, and each path is a chain of
layers again. A model that is no such nest of chains is refused.

ONNX has channels first. Rows of weights after a flattening are put in our order; until then it is
kept beside the shape.
"""

from collections import Counter
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from convlib import layers as nn
from convlib._onnx.package import onnx
from convlib.ops.shuffle import channel_shuffle

ACTIVATIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Abs": "abs"}
JOINTS = "Add", "Concat"
LEAK = 0.01
TAKEN = (nn.Conv, nn.DepthwiseConv, nn.TransposedConv, nn.DeformConv, nn.Dense)
MOST_NESTED = 100


class State(NamedTuple):
    """What a value is like: its shape with channels last, and where flat values are in ONNX."""

    shape: tuple
    order: np.ndarray | None = None    # ours[i] is the model's [order[i]]


class Part(NamedTuple):
    """A layer with its arrays."""

    layer: nn.Layer
    arrays: dict


class Reader:
    """A graph that is being taken apart."""

    def __init__(self, graph, tensors, opset):
        self.tensors, self.opset = tensors, opset
        for tensor in graph.initializer:
            tensors.add(tensor.name, tensor)
        nodes = []
        for node in graph.node:
            if not node.output or not node.output[0]:
                raise ValueError(f"a node {node.op_type} of the model has no output")
            if node.op_type == "Constant":
                tensors.add(node.output[0], self._constant(node))
            else:
                nodes.append(node)
        self._refuse_unknown(nodes)
        inputs = [value for value in graph.input if value.name not in tensors]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise ValueError(f"the model must have one input and one output; got {len(inputs)} "
                             f"and {len(graph.output)}")
        self.input, self.output = inputs[0], graph.output[0].name
        self.producers, self.dominators, self.depths = {}, {}, {self.input.name: 0}
        for node in nodes:
            self._place(node)
        if self.output not in self.depths:
            raise ValueError(f"the model's output {self.output!r} is not computed by any node")
        self.used = set()

    def input_shape(self, given):
        """Return the shape of one sample, channels last."""
        sizes = [dim.dim_value for dim in self.input.type.tensor_type.shape.dim]
        if given is None:
            if len(sizes) < 2 or min(sizes[1:]) < 1:
                raise ValueError("input_shape must be given: the model does not tell its own; it "
                                 f"has {sizes}, zero where unknown")
            return (*sizes[2:], sizes[1])
        given = tuple(given)
        if sizes and (len(sizes) != len(given) + 1 or any(
                own not in (0, wanted) for own, wanted in zip(sizes[1:], (given[-1], *given)))):
            raise ValueError(f"input_shape must go with the model's {sizes}, batch and channels "
                             f"first, zero where unknown; got {given}")
        return given

    def network(self, input_shape, dtype):
        """Return the model as a `Network`."""
        parts, _ = self.chain(self.input.name, self.output, State(input_shape), 0)
        return nn.Network([part.layer for part in parts], input_shape, joined(parts), dtype)

    def chain(self, start, end, state, depth):
        """Return the parts from one value to another, and what the last one is like."""
        if depth > MOST_NESTED:
            raise ValueError(f"branches must not be nested more than {MOST_NESTED} deep")
        nodes, value = [], end
        while value != start:
            if self.depths[value] <= self.depths[start]:
                raise ValueError(f"{end!r} does not come from {start!r} by a chain of layers")
            nodes.append(self.producers[value])
            value = self.dominators[value]
        parts = []
        for node in reversed(nodes):
            if node.output[0] in self.used:
                raise ValueError(f"{label(node)} is used on several paths: the model must be "
                                 "chains of layers, residuals and branches")
            self.used.add(node.output[0])
            values = self.values_of(node)
            before = self.dominators[node.output[0]]
            try:
                if node.op_type in JOINTS:
                    part, state = self.joint(node, before, values, state, depth)
                    parts.append(part)
                else:
                    state = getattr(self, f"read_{node.op_type}")(node, parts, state)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{label(node)}: {error}") from error
        return parts, state

    # The graph

    def values_of(self, node):
        """Return the inputs that are not constant, each once."""
        return list(dict.fromkeys(
            name for name in node.input if name and name not in self.tensors))

    def _place(self, node):
        """Keep a node and find the last value before it that all paths go through."""
        values = self.values_of(node)
        if not values:
            raise ValueError(f"{label(node)} has no input that is computed")
        for name in values:
            if name not in self.depths:
                raise ValueError(f"{label(node)} uses {name!r}, which nothing before it makes")
        before = values[0]
        for other in values[1:]:
            while before != other:
                if self.depths[before] < self.depths[other]:
                    before, other = other, before
                before = self.dominators[before]
        extra = [name for name in node.output[1:] if name]
        if extra and node.op_type not in ("Dropout", "MaxPool", "BatchNormalization"):
            raise ValueError(f"{label(node)} must have one output; got also {extra}")
        name = node.output[0]
        if name in self.depths or name in self.tensors:
            raise ValueError(f"two nodes make {name!r}")
        self.producers[name], self.dominators[name] = node, before
        self.depths[name] = self.depths[before] + 1

    def _refuse_unknown(self, nodes):
        """Tell all operators at once that are not supported."""
        known = {name[5:] for name in dir(self) if name.startswith("read_")} | set(JOINTS)
        unknown = Counter(
            node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
            for node in nodes
            if node.op_type not in known or node.domain not in ("", "ai.onnx"))
        if unknown:
            listed = ", ".join(
                f"{name} ({count})" for name, count in sorted(unknown.items(), key=str))
            raise ValueError(f"the model has operators that are not supported: {listed}; "
                             f"supported are {', '.join(sorted(known))}")

    def _constant(self, node):
        for attribute in node.attribute:
            if attribute.name == "value":
                return attribute.t
            if attribute.name in ("value_float", "value_floats", "value_int", "value_ints"):
                value = onnx().helper.get_attribute_value(attribute)
                dtype = np.float32 if "float" in attribute.name else np.int64
                return onnx().numpy_helper.from_array(np.array(value, dtype))
        raise ValueError(f"{label(node)} must hold numbers")

    def constant(self, node, place, what):
        """Return an input that must be constant; None if it is not given."""
        if len(node.input) <= place or not node.input[place]:
            return None
        name = node.input[place]
        if name not in self.tensors:
            raise ValueError(f"{what} must be constant; got {name!r}, which is computed")
        return self.tensors.array(name)

    def needed(self, node, place, what):
        """Return an input that must be constant and given."""
        found = self.constant(node, place, what)
        if found is None:
            raise ValueError(f"{what} must be given")
        return found

    # Paths that are joined

    def joint(self, node, before, values, state, depth):
        """Return the block of an Add or a Concat, and what comes out."""
        if len(values) != len(node.input):
            raise ValueError("takes only inputs that are computed, and each once")
        paths = [self.chain(before, value, state, depth + 1) for value in values]
        states = [state for _, state in paths]
        if any(not same(states[0].order, other.order) for other in states[1:]):
            raise ValueError("joins values in different orders")
        layers = [[part.layer for part in parts] for parts, _ in paths]
        arrays = [joined(parts) for parts, _ in paths]
        if node.op_type == "Add":
            if len(paths) != 2:
                raise ValueError(f"takes two inputs; got {len(paths)}")
            # An empty chain is what goes around.
            first, second = (0, 1) if layers[0] else (1, 0)
            layer = nn.Residual(layers[first], layers[second])
            names = {first: "layers", second: "shortcut"}
        else:
            if self.settings(node).get("axis") not in (1, -len(states[0].shape)):
                raise ValueError("axis must be that of the channels, 1")
            if states[0].order is not None:
                raise ValueError("takes flat values only where they are in the order of channels")
            layer = nn.Branches(*layers)
            names = dict(enumerate(range(len(paths))))
        found = {f"{names[number]}.{name}": array
                 for number, part in enumerate(arrays) for name, array in part.items()}
        return Part(layer, found), State(layer.output_shape(state.shape), states[0].order)

    # One operator each

    def settings(self, node):
        """Return the attributes of a node."""
        found = {}
        for attribute in node.attribute:
            if attribute.type not in (1, 2, 3, 6, 7):    # number, string, numbers
                raise ValueError(f"attribute {attribute.name!r} must be numbers or a string")
            value = onnx().helper.get_attribute_value(attribute)
            found[attribute.name] = value.decode() if isinstance(value, bytes) else value
        return found

    def window(self, node, state, kernel_size=None):
        """Return kernel size, stride, padding and dilation, and the other settings."""
        settings = self.settings(node)
        rank = len(state.shape) - 1
        size = tuple(settings.pop("kernel_shape", kernel_size or ()))
        if kernel_size is not None and size != tuple(kernel_size):
            raise ValueError(f"kernel_shape must be that of the weights, {kernel_size}; got {size}")
        if len(size) != rank or not rank:
            raise ValueError(f"takes samples with {len(size)} spatial axes; got {state.shape}")
        window = {"stride": tuple(settings.pop("strides", (1,) * rank)),
                  "dilation": tuple(settings.pop("dilations", (1,) * rank))}
        auto, pads = settings.pop("auto_pad", "NOTSET"), settings.pop("pads", (0,) * 2 * rank)
        if len(pads) != 2 * rank:
            raise ValueError(f"pads must be {2 * rank} numbers; got {pads}")
        if auto == "NOTSET":
            window["padding"] = tuple(zip(pads[:rank], pads[rank:]))
        elif auto in ("VALID", "SAME_UPPER"):
            window["padding"] = "valid" if auto == "VALID" else "same"
        else:
            raise ValueError(f"auto_pad must be NOTSET, VALID or SAME_UPPER; got {auto!r}")
        return size, window, settings

    def weights(self, node, state):
        """Return the weights and the bias, or None, of a convolution."""
        weight, bias = self.needed(node, 1, "weights"), self.constant(node, 2, "bias")
        if weight.ndim < 3:
            raise ValueError(f"weights must have spatial axes; got shape {weight.shape}")
        if len(state.shape) < 2:
            raise ValueError("takes maps; got flat values, or those of a global pooling")
        return weight, bias

    def read_Conv(self, node, parts, state):  # noqa: N802
        weight, bias = self.weights(node, state)
        size, window, settings = self.window(node, state, weight.shape[2:])
        groups = settings.pop("group", 1)
        kernel = np.moveaxis(weight, (0, 1), (-1, -2))
        if groups > 1 and kernel.shape[-2] == 1 and not kernel.shape[-1] % groups:
            multiplier = kernel.shape[-1] // groups
            layer = nn.DepthwiseConv(size, multiplier, **window, bias=bias is not None)
            kernel = kernel.reshape(*size, groups, multiplier)
            if groups != state.shape[-1]:
                raise ValueError(f"group must divide the channels {state.shape[-1]}; got {groups}")
        else:
            layer = nn.Conv(
                kernel.shape[-1], size, **window, groups=groups, bias=bias is not None)
        return self.add(parts, layer, state, kernel=kernel, bias=bias)

    def read_ConvTranspose(self, node, parts, state):  # noqa: N802
        weight, bias = self.weights(node, state)
        size, window, settings = self.window(node, state, weight.shape[2:])
        if "output_shape" in settings or isinstance(window["padding"], str):
            raise ValueError("must tell pads, not output_shape or auto_pad")
        groups = settings.pop("group", 1)
        layer = nn.TransposedConv(
            weight.shape[1] * groups, size, **window, groups=groups, bias=bias is not None,
            output_padding=tuple(settings.get("output_padding", (0,) * len(size))))
        return self.add(parts, layer, state, kernel=np.moveaxis(weight, (0, 1), (-1, -2)),
                        bias=bias)

    def read_DeformConv(self, node, parts, state):  # noqa: N802
        weight, bias = self.needed(node, 1, "weights"), self.constant(node, 3, "bias")
        if len(node.input) < 3 or not node.input[2]:
            raise ValueError("offsets must be given")
        size, window, settings = self.window(node, state, weight.shape[2:])
        arrays = {"kernel": np.moveaxis(weight, (0, 1), (-1, -2)), "bias": bias}
        modulated = len(node.input) > 4 and bool(node.input[4])
        for name, place in (("offset", 2), ("mask", 4))[:1 + modulated]:
            arrays |= self.points(name, node, node.input[place], state, size, window)
        layer = nn.DeformConv(
            weight.shape[0], size, **window, groups=settings.get("group", 1),
            offset_groups=settings.get("offset_group", 1), modulated=modulated,
            bias=bias is not None)
        return self.add(parts, layer, state, **arrays)

    def points(self, name, node, value, state, size, window):
        """Return the arrays of the convolution that gives offsets or factors."""
        parts, _ = self.chain(node.input[0], value, state, 0)
        activation = "sigmoid" if name == "mask" else None
        wanted = nn.Conv(0, size, **window, activation=activation)
        found = [replace(part.layer, out_channels=0, bias=True) for part in parts
                 if isinstance(part.layer, nn.Conv)]
        if found != [wanted] or len(parts) != 1:
            raise ValueError(f"{name}s must come from one convolution of the same images with the "
                             "same windows" + (", and a sigmoid" if activation else ""))
        (_, arrays), = parts
        bias = arrays.get("bias", np.zeros(arrays["kernel"].shape[-1], np.float32))
        return {f"{name}_kernel": arrays["kernel"], f"{name}_bias": bias}

    def read_BatchNormalization(self, node, parts, state):  # noqa: N802
        settings = self.settings(node)
        scale, shift, mean, variance = (
            self.needed(node, place, "statistics") for place in range(1, 5))
        if settings.get("training_mode", 0) or any(node.output[1:]):
            raise ValueError("must not be in training mode")
        epsilon = float(settings.get("epsilon", 1e-5))
        values = [np.asarray(value, np.float64) for value in (scale, shift, mean, variance)]
        if any(value.shape != state.shape[-1:] for value in values):
            raise ValueError(f"must have {state.shape[-1]} statistics each")
        if state.order is not None:
            values = [value[state.order] for value in values]
        if parts and isinstance(parts[-1].layer, TAKEN) and parts[-1].layer.activation is None:
            factor = values[0] / np.sqrt(values[3] + epsilon)
            parts[-1] = folded(parts[-1], factor, values[1] - values[2] * factor)
            return state
        names = "scale", "shift", "running_mean", "running_variance"
        return self.add(parts, nn.BatchNorm(epsilon=epsilon), state, **dict(zip(names, values)))

    def read_MaxPool(self, node, parts, state):  # noqa: N802
        size, window, settings = self.window(node, state)
        if any(node.output[1:]):
            raise ValueError("must not give indices")
        return self.add(parts, nn.MaxPool(
            size, **window, ceil_mode=bool(settings.get("ceil_mode", 0))), state)

    def read_AveragePool(self, node, parts, state):  # noqa: N802
        size, window, settings = self.window(node, state)
        return self.add(parts, nn.AveragePool(
            size, **window, ceil_mode=bool(settings.get("ceil_mode", 0)),
            count_include_pad=bool(settings.get("count_include_pad", 0))), state)

    def read_GlobalAveragePool(self, node, parts, state):  # noqa: N802
        return self.add(parts, nn.GlobalPool("mean"), state)

    def read_GlobalMaxPool(self, node, parts, state):  # noqa: N802
        return self.add(parts, nn.GlobalPool("max"), state)

    def read_Flatten(self, node, parts, state):  # noqa: N802
        if self.settings(node).get("axis", 1) != 1:
            raise ValueError("axis must be 1")
        return self.flat(parts, state)

    def read_Reshape(self, node, parts, state):  # noqa: N802
        shape = self.constant(node, 1, "shape")
        n_values = prod(state.shape)
        # One sample a row, whatever the number of samples is called.
        if shape is None or shape.shape != (2,) or shape[1] not in (-1, n_values):
            raise ValueError("must make one row of each sample; got shape "
                             f"{None if shape is None else shape.tolist()}")
        return self.flat(parts, state)

    def flat(self, parts, state):
        """Add a `Flatten` where there is something to flatten."""
        if len(state.shape) == 1:
            return state
        *size, channels = state.shape
        self.tensors.refuse_larger("flattened maps", state.shape, np.dtype(np.intp).itemsize)
        order = np.arange(prod(state.shape)).reshape(channels, *size)
        order = np.moveaxis(order, 0, -1).ravel()
        parts.append(Part(nn.Flatten(), {}))
        return State((order.size,), tidy(order))

    def read_Gemm(self, node, parts, state):  # noqa: N802
        settings = self.settings(node)
        weight, bias = self.needed(node, 1, "weights"), self.constant(node, 2, "bias")
        if settings.get("transA", 0) or weight.ndim != 2:
            raise ValueError("takes rows of values and a constant matrix")
        weight = weight.T if settings.get("transB", 0) else weight
        weight = weight * np.float64(settings.get("alpha", 1.0))
        if bias is not None:
            bias = bias * np.float64(settings.get("beta", 1.0))
            bias = np.broadcast_to(bias.reshape(-1) if bias.size > 1 else bias.ravel(),
                                   weight.shape[1])
        return self.dense(parts, state, weight, bias)

    def read_MatMul(self, node, parts, state):  # noqa: N802
        if node.input[0] in self.tensors:
            raise ValueError("the matrix must come second")
        return self.dense(parts, state, self.needed(node, 1, "weights"), None)

    def dense(self, parts, state, weight, bias):
        """Add a `Dense`, its rows in our order."""
        if weight.ndim != 2 or state.shape != weight.shape[:1]:
            raise ValueError(f"a matrix of shape {weight.shape} does not go with rows of shape "
                             f"{state.shape}")
        weight = weight if state.order is None else weight[state.order]
        layer = nn.Dense(weight.shape[1], bias=bias is not None)
        return self.add(parts, layer, State(state.shape), weight=weight, bias=bias)

    def read_Gather(self, node, parts, state):  # noqa: N802
        places = self.needed(node, 1, "indices")
        n_values = state.shape[-1]
        if self.settings(node).get("axis", 0) != 1 or places.shape != (n_values,) or (
                np.sort(places) != np.arange(places.size)).any():
            raise ValueError("must put all channels or all values of a row in another order")
        if len(state.shape) == 1:
            order = np.arange(n_values) if state.order is None else state.order
            return State(state.shape, tidy(np.argsort(places)[order]))
        numbers = np.arange(n_values, dtype=np.float32).reshape(1, 1, -1)
        for groups in range(1, n_values + 1):
            if n_values % groups == 0 and np.array_equal(
                    channel_shuffle(numbers, groups).ravel(), places):
                return self.add(parts, nn.ChannelShuffle(groups), state)
        raise ValueError("channels must be in the order of a channel shuffle")

    def read_Softmax(self, node, parts, state):  # noqa: N802
        axis = self.settings(node).get("axis", 1 if self.opset < 13 else -1)
        n_axes = len(state.shape) + 1
        if axis % n_axes != 1 or (self.opset < 13 and n_axes > 2):
            raise ValueError(f"axis must be that of the channels, 1; got {axis}")
        return self.add(parts, nn.Softmax(), state)

    def read_Identity(self, node, parts, state):  # noqa: N802
        return state

    def read_Dropout(self, node, parts, state):  # noqa: N802
        return state

    def read_Clip(self, node, parts, state):  # noqa: N802
        settings = self.settings(node)
        low, high = (self.constant(node, place, "limits") if len(node.input) > place
                     else settings.get(name) for place, name in ((1, "min"), (2, "max")))
        limits = [None if limit is None else np.asarray(limit).item() for limit in (low, high)]
        if limits not in ([0, 6], [0, None]):
            raise ValueError(f"limits must be 0 and 6, or 0 alone; got {limits}")
        return self.activated(parts, state, "relu6" if limits[1] else "relu")

    def read_LeakyRelu(self, node, parts, state):  # noqa: N802
        alpha = self.settings(node).get("alpha", 0.01)
        if abs(alpha - LEAK) > 1e-6:
            raise ValueError(f"alpha must be {LEAK}; got {alpha:.6g}")
        return self.activated(parts, state, "leaky_relu")

    def read_Mul(self, node, parts, state):  # noqa: N802
        if node.input[0] != node.input[1]:
            raise ValueError("takes values times themselves only")
        return self.activated(parts, state, "square")

    def read_Relu(self, node, parts, state):  # noqa: N802
        return self.activated(parts, state, ACTIVATIONS[node.op_type])

    read_Sigmoid = read_Tanh = read_Abs = read_Relu  # noqa: N815

    # Layers

    def add(self, parts, layer, state, **arrays):
        """Add a layer with those of its arrays that it has."""
        found = {name: array for name, array in arrays.items() if array is not None}
        shapes = layer.array_shapes(state.shape)
        shape = layer.output_shape(state.shape)
        for name, array in found.items():
            if shapes.get(name) != array.shape:
                raise ValueError(f"{name} must have shape {shapes.get(name)}; got {array.shape}")
        parts.append(Part(layer, found))
        return State(shape, state.order if isinstance(layer, (nn.BatchNorm, nn.Activation,
                                                              nn.Softmax)) else None)

    def activated(self, parts, state, activation):
        """Let the layer before do an activation where it can, or add one."""
        if parts and isinstance(parts[-1].layer, (*TAKEN, nn.Residual)):
            layer = parts[-1].layer
            fits = not isinstance(layer, nn.Residual) or activation not in ("abs", "square")
            if layer.activation is None and fits:
                parts[-1] = Part(replace(layer, activation=activation), parts[-1].arrays)
                return state
        return self.add(parts, nn.Activation(activation), state)


def label(node):
    """Return how messages call a node."""
    return f"node {node.name or node.output[0]!r} ({node.op_type})"


def joined(parts):
    """Return the arrays of a chain by their full names."""
    return {f"{number}.{name}": array for number, part in enumerate(parts)
            for name, array in part.arrays.items()}


def tidy(order):
    """Return an order, or None if nothing changes its place."""
    return None if np.array_equal(order, np.arange(order.size)) else order


def same(first, second):
    """Return whether two orders are."""
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)


def folded(part, factor, shift):
    """Return a layer whose outputs are multiplied and shifted, channel by channel."""
    layer, arrays = part
    name = "weight" if isinstance(layer, nn.Dense) else "kernel"
    kernel = np.asarray(arrays[name], np.float64)
    if isinstance(layer, nn.TransposedConv):
        by_group = kernel.reshape(*kernel.shape[:-1], layer.groups, -1)
        kernel = (by_group * factor.reshape(layer.groups, -1).T[..., np.newaxis]).reshape(
            kernel.shape)
    elif isinstance(layer, nn.DepthwiseConv):
        kernel = kernel * factor.reshape(kernel.shape[-2:])
    else:
        kernel = kernel * factor
    bias = arrays.get("bias", 0.0) * factor + shift
    return Part(replace(layer, bias=True), arrays | {name: kernel, "bias": bias})
