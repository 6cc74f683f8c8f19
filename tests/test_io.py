"""ONNX files: networks come back as they were, onnxruntime agrees, and bad files are refused."""

from contextlib import suppress

import numpy as np
import pytest

import convlib as cl
from convlib import layers as nn
from convlib.io import load_onnx, save_onnx

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

MAPS = (9, 8, 4)
RNG = np.random.default_rng(0)
CHAINS = [
    ([nn.Conv(6, activation="relu"), nn.MaxPool(), nn.Flatten(), nn.Dense(5, "tanh"),
      nn.Softmax()], MAPS),
    ([nn.Conv(6, (2, 3), (1, 2), padding=((1, 0), (2, 1)), groups=2, activation="relu6"),
      nn.BatchNorm(), nn.Activation("leaky_relu"), nn.AveragePool(3, 1, 1)], MAPS),
    ([nn.Conv(4, 3, dilation=2, stride=2, activation="square", bias=False), nn.GlobalPool(),
      nn.Dense(3, "sigmoid", bias=False)], MAPS),
    ([nn.DepthwiseConv(3, 2, activation="abs"), nn.ChannelShuffle(4), nn.GlobalPool("max")], MAPS),
    ([nn.SeparableConv(5, 3, 2, depthwise_activation="tanh"), nn.BatchNorm(), nn.Dropout(),
      nn.SpatiallySeparableConv(3, activation="relu"), nn.Flatten()], MAPS),
    ([nn.TransposedConv(6, 4, 2, groups=2), nn.BatchNorm(), nn.TransposedConv(3, 3, 2),
      nn.TransposedConv(2, 3, 2, padding=1, output_padding=1, activation="relu")], MAPS),
    ([nn.Residual([nn.Conv(4, activation="relu"), nn.Residual([nn.Conv(4)])], activation="relu"),
      nn.Residual([nn.Conv(6, stride=2)], [nn.Conv(6, 1, stride=2)], activation="tanh")], MAPS),
    ([nn.Branches([nn.Conv(2, 1)], [nn.Conv(3, (1, 3)), nn.Conv(2, (3, 1), activation="tanh")],
                  [nn.MaxPool(3, 1, 1), nn.Branches([nn.Conv(1)], [nn.Conv(2)])], []),
      nn.Flatten(), nn.BatchNorm(), nn.Activation(), nn.Dense(3)], MAPS),
    ([nn.Conv(4, 3, stride=2), nn.AveragePool(2, ceil_mode=True, count_include_pad=False),
      nn.Flatten(), nn.Dense(2)], (17, 3)),
    ([nn.Conv(4, 2), nn.MaxPool(2, dilation=2), nn.GlobalPool()], (6, 5, 7, 2)),
    ([nn.Dense(5, "relu"), nn.Residual([nn.Dense(5)]), nn.Branches([nn.Dense(2)], [])], (7,)),
]
DEFORMABLE = [
    ([nn.DeformConv(5, activation="relu"), nn.GlobalPool()], MAPS),
    ([nn.DeformConv(4, 2, stride=2, groups=2, offset_groups=2, modulated=True, bias=False)], MAPS),
]


def made(layers, shape, dtype="float32"):
    """Return a network with weights that no bias or scale leaves at zero or one."""
    arrays, before = {}, shape
    for number, layer in enumerate(layers):
        for name, array in layer.initial_arrays(before, RNG, np.float64).items():
            noise = 0.3 * RNG.standard_normal(array.shape)
            arrays[f"{number}.{name}"] = array + (
                np.abs(noise) if name.endswith("variance") else noise)
        before = layer.output_shape(before)
    return nn.Network(layers, shape, arrays, dtype)


def by_onnxruntime(path, images):
    """Return what onnxruntime computes, channels last."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    first = np.moveaxis(images, -1, 1)
    (out,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(first)})
    return np.moveaxis(out, 1, -1)


@pytest.mark.parametrize(("layers", "shape"), [*CHAINS, *DEFORMABLE])
def test_a_saved_network_comes_back(layers, shape, tmp_path):
    before = made(layers, shape)
    save_onnx(before, tmp_path / "model.onnx")
    images = RNG.standard_normal((3, *shape)).astype(np.float32)
    onnx.checker.check_model(onnx.load(tmp_path / "model.onnx"), full_check=True)
    loaded = load_onnx(tmp_path / "model.onnx")
    assert loaded.shapes[0] == shape
    np.testing.assert_allclose(
        loaded.outputs(images), before.outputs(images), rtol=1e-4, atol=1e-5)
    with_batch_norm = [layer for layer in layers if isinstance(layer, nn.BatchNorm)]
    assert with_batch_norm or loaded.shapes[-1] == before.shapes[-1]


@pytest.mark.parametrize(("layers", "shape"), CHAINS)
def test_onnxruntime_computes_the_same(layers, shape, tmp_path):
    before = made(layers, shape)
    save_onnx(before, tmp_path / "model.onnx")
    images = RNG.standard_normal((3, *shape)).astype(np.float32)
    np.testing.assert_allclose(by_onnxruntime(tmp_path / "model.onnx", images),
                               before.outputs(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("layers", "shape"), DEFORMABLE)
def test_deformable_layers_mean_the_same_in_the_definition_of_onnx(layers, shape, tmp_path):
    reference = pytest.importorskip("onnx.reference")
    before = made(layers, shape)
    save_onnx(before, tmp_path / "model.onnx")
    images = RNG.standard_normal((2, *shape)).astype(np.float32)
    run = reference.ReferenceEvaluator(str(tmp_path / "model.onnx"))
    (out,) = run.run(None, {"images": np.moveaxis(images, -1, 1)})
    np.testing.assert_allclose(
        np.moveaxis(out, 1, -1), before.outputs(images), rtol=1e-3, atol=1e-4)


def test_estimators_are_saved(tmp_path):
    images = RNG.standard_normal((40, 6, 6, 1))
    fitted = cl.ConvNetClassifier((4,), max_iter=2, random_state=0).fit(images, np.arange(40) % 3)
    save_onnx(fitted, tmp_path / "model.onnx")
    loaded = load_onnx(tmp_path / "model.onnx", dtype="float64")
    np.testing.assert_allclose(loaded.outputs(images), fitted.decision_function(images), rtol=1e-9)


# Models of others


def model(nodes, tensors, shape=(1, 4, 9, 8), opset=17, n_axes=None):
    """Return a model from 'x' to the output of its last node."""
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in tensors.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def drawn(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def node(operator, inputs, output, **settings):
    return helper.make_node(operator, inputs.split(), [output], **settings)


MIXED = model([
    node("Conv", "x w0", "a", auto_pad="SAME_UPPER", strides=[2, 2]),
    node("BatchNormalization", "a scale shift mean var", "b", epsilon=1e-3),
    node("Relu", "b", "c"),
    node("ConvTranspose", "c w1 bias1", "d", strides=[2, 2], group=3, pads=[1, 0, 0, 1]),
    node("BatchNormalization", "d scale shift mean var", "e"),
    node("Clip", "e low high", "f"),
    node("Conv", "f w2", "g", group=6, pads=[1, 1, 1, 1]),
    node("BatchNormalization", "g scale shift mean var", "h"),
    node("Add", "f h", "i"),
    node("LeakyRelu", "i", "j"),
    node("GlobalMaxPool", "j", "p"), node("Flatten", "p", "q"),
    node("Gemm", "q w3 bias3", "r", alpha=0.5, beta=2.0, transB=1),
    node("Identity", "r", "s"), node("Softmax", "s", "t", axis=1),
], {"w0": drawn(6, 4, 3, 2), "scale": drawn(6), "shift": drawn(6), "mean": drawn(6),
    "var": np.abs(drawn(6)), "w1": drawn(6, 2, 3, 3), "bias1": drawn(6), "w2": drawn(6, 1, 3, 3),
    "w3": drawn(3, 6), "bias3": drawn(3), "low": np.float32(0), "high": np.float32(6)})
FLAT = model([
    node("MaxPool", "x", "a", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    node("Reshape", "a shape", "b"), node("Relu", "b", "c"), node("MatMul", "c w", "d"),
], {"shape": np.array([-1, 4 * 4 * 4]), "w": drawn(64, 5)})


@pytest.mark.parametrize("proto", [MIXED, FLAT], ids=["mixed", "flat"])
def test_models_of_others(proto, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    loaded = load_onnx(path)
    assert not any(isinstance(layer, nn.BatchNorm) for layer in loaded.layers)
    images = drawn(1, 9, 8, 4)
    np.testing.assert_allclose(
        loaded.outputs(images), by_onnxruntime(path, images), rtol=1e-4, atol=1e-5)


def test_weights_beside_the_model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save(FLAT, folder / "model.onnx", save_as_external_data=True, location="weights.bin",
              size_threshold=0)
    (tmp_path / "outside.bin").write_bytes((folder / "weights.bin").read_bytes())
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    images = drawn(1, 9, 8, 4)
    onnx.save(FLAT, folder / "whole.onnx")
    np.testing.assert_array_equal(load_onnx(folder / "model.onnx").outputs(images),
                                  load_onnx(folder / "whole.onnx").outputs(images))

    def changed(**entries):
        proto = onnx.load(folder / "model.onnx", load_external_data=False)
        for tensor in proto.graph.initializer:
            found = {entry.key: entry.value for entry in tensor.external_data} | entries
            del tensor.external_data[:]
            for key, value in found.items():
                tensor.external_data.add(key=key, value=value)
        (folder / "bad.onnx").write_bytes(proto.SerializeToString())
        return folder / "bad.onnx"

    for location in ("../outside.bin", str(tmp_path / "outside.bin"), "link.bin", "none", ""):
        with pytest.raises(ValueError, match="within the model's folder"):
            load_onnx(changed(location=location))
    for entries in ({"offset": "-1"}, {"length": "7"}, {"offset": "99999"}, {"offset": "x"}):
        with pytest.raises(ValueError, match="bytes within"):
            load_onnx(changed(**entries))


def conv_model(**changes):
    """Return a model of one convolution whose weights are changed."""
    proto = model([node("Conv", "x w", "y")], {"w": drawn(6, 4, 3, 3)})
    tensor = proto.graph.initializer[0]
    for name, value in changes.items():
        if name == "dims":
            del tensor.dims[:]
            tensor.dims.extend(value)
        else:
            setattr(tensor, name, value)
    return proto


@pytest.mark.parametrize(("proto", "message"), [
    (conv_model(dims=(2**20, 2**20, 2**20, 3)), "'w' of shape .* more than the"),
    (conv_model(dims=(6, 4, 3, 4)), "there are"), (conv_model(dims=(-6, 4, 3, 3)), "negative"),
    (conv_model(raw_data=b"1234"), "there are"),
    (conv_model(data_type=TensorProto.STRING), "STRING"),
    (conv_model(dims=(6, 36)), "spatial axes"),
    (model([node("Resize", "x", "y"), node("Resize", "y", "z"), node("Einsum", "z", "w")], {}),
     r"not supported: Einsum \(1\), Resize \(2\); supported are Abs"),
    (model([helper.make_node("Relu", ["x"], ["y"], domain="com.microsoft")], {}),
     "com.microsoft.Relu"),
    (model([node("Conv", "x x", "y")], {}), "must be constant"),
    (model([node("Relu", "z", "y")], {}), "nothing before it makes"),
    (model([node("Relu", "x", "y"), node("Relu", "x", "y")], {}), "two nodes make"),
    (model([node("LeakyRelu", "x", "y", alpha=0.2)], {}), "alpha must be"),
    (model([node("Clip", "x low high", "y")], {"low": np.float32(-1), "high": np.float32(1)}),
     "limits"),
    (model([node("Reshape", "x shape", "y")], {"shape": np.array([-1, 4, 72])}), "one row"),
    (model([node("Relu", "x", "a"), node("Tanh", "a", "b"), node("Abs", "a", "c"),
            node("Add", "b c", "d"), node("Add", "d b", "e")], {}), "several paths"),
    (model([node("Add", "x w", "y")], {"w": drawn(4, 1, 1)}), "inputs that are computed"),
    (model([node("Concat", "x x", "y", axis=1)], {}), "each once"),
    (model([node("Relu", "x", "y")], {}, ("n", "c", 9, 8)), "input_shape must be given"),
    (model([node("Flatten", "x", "y")], {}, (1, 4, 2**20, 2**20)), "flattened maps of shape"),
    (model([node("Gather", "x i", "y", axis=1)], {"i": np.array([0])}, (1, 2**60, 1, 1)),
     "another order"),
    (model([node("Clip", "x low", "y")], {"low": np.zeros(0, np.float32)}), "Clip"),
    (model([node("MatMul", "x", "y")], {}, (1, 4)), "weights must be given"),
    (model([node("DeformConv", "x", "y")], {}), "weights must be given"),
    (model([node("DeformConv", "x w", "y")], {"w": drawn(6, 4, 3, 3)}), "offsets must be given"),
    (model([node("Gather", "x", "y", axis=1)], {}), "indices must be given"),
    (model([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", ["y"], [""])], {}),
     "has no output"),
])
def test_what_is_not_read_is_told(proto, message, tmp_path):
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ValueError, match=message):
        load_onnx(tmp_path / "model.onnx")


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x00garbage\xff" * 9)
    with pytest.raises(ValueError, match="must be an ONNX model"):
        load_onnx(path)
    path.write_bytes(MIXED.SerializeToString())
    with pytest.raises(ValueError, match="max_bytes=100"):
        load_onnx(path, max_bytes=100)
    with pytest.raises(FileNotFoundError):
        load_onnx(tmp_path / "none.onnx")


@pytest.mark.parametrize("proto", [MIXED, FLAT], ids=["mixed", "flat"])
def test_damaged_files_are_refused_and_nothing_else(proto, tmp_path):
    """Whatever is cut off or changed, there is a ValueError or a network, and no other error."""
    path, whole, rng = tmp_path / "model.onnx", proto.SerializeToString(), np.random.default_rng(0)
    for number in range(60):
        damaged = bytearray(whole[:rng.integers(len(whole))] if number < 30 else whole)
        if number >= 30:
            for place in rng.integers(len(whole), size=2):
                damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        network = None
        with suppress(ValueError):
            network = load_onnx(path)
        assert network is None or (number >= 30 and isinstance(network, nn.Network))


def test_sizes_the_model_leaves_open(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(model([node("Relu", "x", "y")], {}, ("n", 3, "h", "w")).SerializeToString())
    assert load_onnx(path, input_shape=(5, 6, 3)).shapes[-1] == (5, 6, 3)
    with pytest.raises(ValueError, match="must go with"):
        load_onnx(path, input_shape=(5, 6, 4))


@pytest.mark.parametrize("layer", [
    nn.Conv(3, padding_mode="reflect"), nn.GlobalPool("std"), nn.GlobalPool("min")])
def test_layers_without_a_counterpart(layer, tmp_path):
    with pytest.raises(ValueError, match="no counterpart"):
        save_onnx(made([layer], MAPS), tmp_path / "model.onnx")
