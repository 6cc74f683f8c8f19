"""Layers as the graph of an ONNX model, channels first.

Pads are written as numbers, so that the graph says what is computed for the sizes of the network.
Where flat values come from maps, rows of the next weights are put in ONNX's order.
"""

import numpy as np

from convlib._layers import chain
from convlib._layers.convolutions import Steps
from convlib._onnx.package import onnx
from convlib.ops.shuffle import channel_shuffle
from convlib.shapes import padding_pairs, transpose_output_size

OPSET, OPSET_DEFORM = 17, 19
IR_VERSIONS = {OPSET: 8, OPSET_DEFORM: 9}
ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "abs": "Abs",
               "leaky_relu": "LeakyRelu"}


class Writer:
    """Nodes and tensors of a model that is being written."""

    def __init__(self, dtype):
        self.nodes, self.tensors, self.dtype = [], [], np.dtype(dtype)
        self.opset = OPSET
        self.order = None    # where our flat values are among those of the model

    def tensor(self, values, dtype=None):
        """Add a tensor and return its name."""
        name = f"t{len(self.tensors)}"
        values = np.array(values, dtype or self.dtype, order="C")    # numbers stay without axes
        self.tensors.append(onnx().numpy_helper.from_array(values, name))
        return name

    def node(self, operator, *inputs, **settings):
        """Add a node and return the name of its output."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(onnx().helper.make_node(operator, inputs, [name], name, **settings))
        return name

    def chain(self, layers, arrays, value, shape):
        """Add layers one after the other and return the last output."""
        for number, layer, before in chain.steps(layers, shape):
            own = chain.arrays_of(number, arrays)
            if isinstance(layer, Steps):
                value = self.chain(layer._steps(len(before) - 1), own, value, before)
            else:
                write = getattr(self, f"write_{type(layer).__name__}", None)
                if write is None:
                    raise ValueError(f"{type(layer).__name__} has no counterpart in ONNX")
                value = write(layer, own, value, before)
        return value

    def activated(self, value, activation):
        """Add the node of an activation."""
        if activation is None:
            return value
        if activation == "square":
            return self.node("Mul", value, value)
        if activation == "relu6":
            return self.node("Clip", value, self.tensor(0.0), self.tensor(6.0))
        alpha = {"alpha": 0.01} if activation == "leaky_relu" else {}
        return self.node(ACTIVATIONS[activation], value, **alpha)

    def window(self, layer, rank, in_size, size):
        """Return the settings of windows, pads as numbers."""
        window = layer._window(rank)
        pads = padding_pairs(
            in_size, size, stride=window["stride"], padding=window["padding"],
            dilation=window["dilation"])
        return {"kernel_shape": size, "strides": window["stride"], "dilations": window["dilation"],
                "pads": in_a_row(pads)}

    def convolution(self, layer, arrays, value, shape, groups):
        """Add a convolution and its activation."""
        if layer.padding_mode != "constant":
            raise ValueError(f"padding_mode {layer.padding_mode!r} has no counterpart in ONNX's "
                             "Conv; only 'constant'")
        size = layer._size(shape)
        kernel = arrays["kernel"].reshape(
            *size, shape[-1] // groups, layer._output_shape(shape)[-1])
        inputs = [value, self.tensor(np.moveaxis(kernel, (-1, -2), (0, 1)))]
        if layer.bias:
            inputs.append(self.tensor(arrays["bias"]))
        settings = self.window(layer, len(size), shape[:-1], size)
        return self.activated(
            self.node("Conv", *inputs, group=groups, **settings), layer.activation)

    def write_Conv(self, layer, arrays, value, shape):  # noqa: N802
        return self.convolution(layer, arrays, value, shape, layer.groups)

    def write_DepthwiseConv(self, layer, arrays, value, shape):  # noqa: N802
        return self.convolution(layer, arrays, value, shape, shape[-1])

    def write_TransposedConv(self, layer, arrays, value, shape):  # noqa: N802
        size = layer._size(shape)
        window = layer._window(len(size))
        out_size = layer._outputs(shape)
        settings = self.window(layer, len(size), out_size, size)
        half = len(size)
        pads = tuple(zip(settings["pads"][:half], settings["pads"][half:]))
        without = transpose_output_size(shape[:-1], size, **window | {"padding": pads})
        inputs = [value, self.tensor(np.moveaxis(arrays["kernel"], (-1, -2), (0, 1)))]
        if layer.bias:
            inputs.append(self.tensor(arrays["bias"]))
        more = [whole - part for whole, part in zip(out_size, without)]
        return self.activated(
            self.node("ConvTranspose", *inputs, group=layer.groups, output_padding=more,
                      **settings), layer.activation)

    def write_DeformConv(self, layer, arrays, value, shape):  # noqa: N802
        self.opset = OPSET_DEFORM
        size = layer._size(shape)
        settings = self.window(layer, 2, shape[:-1], size)

        def points(name):
            kernel = np.moveaxis(arrays[f"{name}_kernel"], (-1, -2), (0, 1))
            return self.node("Conv", value, self.tensor(kernel),
                             self.tensor(arrays[f"{name}_bias"]), **settings)

        inputs = [value, self.tensor(np.moveaxis(arrays["kernel"], (-1, -2), (0, 1))),
                  points("offset"), self.tensor(arrays["bias"]) if layer.bias else ""]
        if layer.modulated:
            inputs.append(self.node("Sigmoid", points("mask")))
        while not inputs[-1]:
            inputs.pop()
        return self.activated(
            self.node("DeformConv", *inputs, group=layer.groups,
                      offset_group=layer.offset_groups, **settings), layer.activation)

    def pooling(self, operator, layer, value, shape, **more):
        """Add a pooling of windows."""
        window = layer._settings(len(shape) - 1)
        pads = padding_pairs(shape[:-1], window["size"], stride=window["stride"],
                             padding=window["padding"], dilation=window["dilation"])
        if operator == "AveragePool" and max(window["dilation"]) > 1:
            self.opset = OPSET_DEFORM    # the first with dilations of AveragePool
            more["dilations"] = window["dilation"]
        return self.node(
            operator, value, kernel_shape=window["size"], strides=window["stride"],
            ceil_mode=int(window["ceil_mode"]),
            pads=in_a_row(pads), **more)

    def write_MaxPool(self, layer, arrays, value, shape):  # noqa: N802
        return self.pooling("MaxPool", layer, value, shape,
                            dilations=layer._settings(len(shape) - 1)["dilation"])

    def write_AveragePool(self, layer, arrays, value, shape):  # noqa: N802
        return self.pooling("AveragePool", layer, value, shape,
                            count_include_pad=int(layer.count_include_pad))

    def write_GlobalPool(self, layer, arrays, value, shape):  # noqa: N802
        operators = {"mean": "GlobalAveragePool", "max": "GlobalMaxPool"}
        if layer.kind not in operators:
            raise ValueError(f"GlobalPool({layer.kind!r}) has no counterpart in ONNX; only "
                             "'mean' and 'max'")
        return self.node("Flatten", self.node(operators[layer.kind], value))

    def write_Flatten(self, layer, arrays, value, shape):  # noqa: N802
        if len(shape) == 1:
            return value
        *size, channels = shape
        order = np.arange(np.prod(shape)).reshape(channels, *size)
        self.order = np.moveaxis(order, 0, -1).ravel()
        return self.node("Flatten", value)

    def write_Dense(self, layer, arrays, value, shape):  # noqa: N802
        weight = arrays["weight"]
        if self.order is not None:
            weight, self.order = weight[np.argsort(self.order)], None
        inputs = [value, self.tensor(weight)]
        if layer.bias:
            inputs.append(self.tensor(arrays["bias"]))
        return self.activated(self.node("Gemm", *inputs), layer.activation)

    def write_BatchNorm(self, layer, arrays, value, shape):  # noqa: N802
        order = slice(None) if self.order is None else np.argsort(self.order)
        statistics = [self.tensor(arrays[name][order]) for name in
                      ("scale", "shift", "running_mean", "running_variance")]
        return self.node("BatchNormalization", value, *statistics, epsilon=float(layer.epsilon))

    def write_Activation(self, layer, arrays, value, shape):  # noqa: N802
        return self.activated(value, layer.activation)

    def write_Softmax(self, layer, arrays, value, shape):  # noqa: N802
        return self.node("Softmax", value, axis=1)

    def write_Dropout(self, layer, arrays, value, shape):  # noqa: N802
        return value

    def write_ChannelShuffle(self, layer, arrays, value, shape):  # noqa: N802
        if self.order is not None:
            value = self.in_our_order(value)
        numbers = np.arange(shape[-1], dtype=np.float32).reshape(1, 1, -1)
        places = channel_shuffle(numbers, layer.groups).ravel()
        return self.node("Gather", value, self.tensor(places, np.int64), axis=1)

    def in_our_order(self, value):
        """Return flat values in the order of the layers."""
        if self.order is None:
            return value
        order, self.order = self.order, None
        return self.node("Gather", value, self.tensor(order, np.int64), axis=1)

    def ends(self, layer, arrays, value, shape):
        """Add the chains of a block and return the last outputs, in the order of the layers."""
        before, ends = self.order, []
        for name, path in layer._paths().items():
            self.order = before
            end = self.chain(path, chain.arrays_of(name, arrays), value, shape)
            ends.append(self.in_our_order(end))
        return ends

    def write_Branches(self, layer, arrays, value, shape):  # noqa: N802
        return self.node("Concat", *self.ends(layer, arrays, value, shape), axis=1)

    def write_Residual(self, layer, arrays, value, shape):  # noqa: N802
        ends = self.ends(layer, arrays, value, shape)
        return self.activated(self.node("Add", *ends), layer.activation)


def in_a_row(pads):
    """Return pads as ONNX has them: those before on all axes, then those behind."""
    return [first for first, _ in pads] + [last for _, last in pads]


def model_of(network):
    """Return an onnx.ModelProto of a `Network`."""
    writer, helper = Writer(network.dtype), onnx().helper
    kind = helper.np_dtype_to_tensor_dtype(network.dtype)
    end = writer.chain(network.layers, network.arrays, "images", network.input_shape)
    end = writer.node("Identity", writer.in_our_order(end))
    sizes = [["n", shape[-1], *shape[:-1]] for shape in (network.input_shape, network.shapes[-1])]
    graph = helper.make_graph(
        writer.nodes, "convlib",
        [helper.make_tensor_value_info("images", kind, sizes[0])],
        [helper.make_tensor_value_info(end, kind, sizes[1])], writer.tensors)
    opsets = [helper.make_opsetid("", writer.opset)]
    return helper.make_model(
        graph, producer_name="convlib", opset_imports=opsets, ir_version=IR_VERSIONS[writer.opset])
