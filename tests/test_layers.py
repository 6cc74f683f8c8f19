"""Layers: every backward against finite differences and torch, shapes, counts, thread counts."""

import numpy as np
import pytest

from convlib import layers as nn
from convlib._layers import chain
from convlib._layers.layer import Call, is_buffer

MAPS, SIGNAL, VOLUME, FLAT = (5, 6, 4), (9, 4), (4, 3, 5, 2), (7,)
CASES = [
    (nn.Conv(3), MAPS),
    (nn.Conv(6, (2, 3), stride=(1, 2), padding=1, groups=2, activation="relu"), MAPS),
    (nn.Conv(3, 3, padding="valid", padding_mode="constant", activation="abs"), MAPS),
    (nn.Conv(3, 3, padding_mode="reflect", activation="square", bias=False), MAPS),
    (nn.Conv(5, 3, dilation=2, activation="tanh"), SIGNAL),
    (nn.Conv(3, 2, stride=2, activation="leaky_relu"), VOLUME),
    (nn.DepthwiseConv(3, 2, activation="sigmoid"), MAPS),
    (nn.DepthwiseConv(2, stride=2, padding_mode="wrap", bias=False), SIGNAL),
    (nn.SeparableConv(5, 3, 2, depthwise_activation="tanh", activation="relu"), MAPS),
    (nn.SeparableConv(5, stride=2, bias=False), SIGNAL),
    (nn.SpatiallySeparableConv(3, 2, activation="tanh"), MAPS),
    (nn.SpatiallySeparableConv((3, 2, 3), padding=((1, 1), (0, 1), (1, 1)), stride=2), VOLUME),
    (nn.TransposedConv(3), MAPS),
    (nn.TransposedConv(6, 4, 3, padding=1, output_padding=2, groups=2, activation="tanh"), MAPS),
    (nn.TransposedConv(2, 3, 2, activation="square", bias=False), SIGNAL),
    (nn.DeformConv(3), MAPS),
    (nn.DeformConv(4, 2, stride=2, groups=2, offset_groups=2, modulated=True, activation="tanh"),
     MAPS),
    (nn.MaxPool(), MAPS),
    (nn.MaxPool(3, stride=2, padding=1), SIGNAL),
    (nn.AveragePool(2, ceil_mode=True), MAPS),
    (nn.AveragePool(3, 1, padding=1, count_include_pad=False), VOLUME),
    *((nn.GlobalPool(kind), MAPS) for kind in ("mean", "max", "min", "std")),
    (nn.ChannelShuffle(2), MAPS),
    (nn.BatchNorm(), MAPS),
    (nn.BatchNorm(momentum=0.5, epsilon=1e-3), FLAT),
    (nn.Dropout(0.4), MAPS),
    (nn.Dropout(0.4, whole_maps=True), SIGNAL),
    *((nn.Activation(name), MAPS) for name in (None, "relu", "abs", "square", "tanh")),
    (nn.Activation("sigmoid"), FLAT),
    (nn.Dense(4, activation="relu"), FLAT),
    (nn.Dense(4, activation="square", bias=False), FLAT),
    (nn.Flatten(), MAPS),
    (nn.Softmax(), MAPS),
    (nn.Softmax(), FLAT),
    (nn.Branches([nn.Conv(2, 1)], [nn.Conv(3, (1, 3)), nn.Conv(2, (3, 1), activation="tanh")], []),
     MAPS),
    (nn.Residual([nn.Conv(4), nn.BatchNorm()], activation="tanh"), MAPS),
    (nn.Residual([nn.Conv(6, stride=2)], [nn.Conv(6, 1, stride=2)]), MAPS),
]
IDS = [f"{number}-{type(layer).__name__}" for number, (layer, _) in enumerate(CASES)]
RESULT = {"atol": 2e-7, "rtol": 1e-6}


def drawn(layer, shape, dtype=np.float64, n_images=3):
    """Return arrays without zeros, and images."""
    rng = np.random.default_rng(0)
    arrays = layer.initial_arrays(shape, rng, dtype)
    for name, array in arrays.items():
        noise = 0.3 * rng.standard_normal(array.shape)
        array += np.abs(noise) if name.endswith("variance") else noise
    return arrays, rng.standard_normal((n_images, *shape)).astype(dtype)


def copies(arrays):
    return {name: array.copy() for name, array in arrays.items()}


def run(layer, arrays, images, **options):
    """Run forward in training; running means stay as they are."""
    return layer.forward(copies(arrays), images, training=True, rng=np.random.default_rng(1),
                         **options)


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=IDS)
def test_backward_by_finite_differences(layer, shape):
    arrays, images = drawn(layer, shape)
    outputs, cache = run(layer, arrays, images)
    weights = np.random.default_rng(2).standard_normal(outputs.shape)
    by_images, grads = layer.backward(arrays, cache, weights.copy())

    def loss():
        return float((run(layer, arrays, images)[0] * weights).sum())

    learnt = {name: array for name, array in arrays.items() if not is_buffer(name)}
    assert sorted(grads) == sorted(learnt)
    for array, gradient in [(images, by_images), *((learnt[name], grads[name]) for name in grads)]:
        assert gradient.shape == array.shape
        places = list(np.ndindex(array.shape))
        for place in places[::max(1, len(places) // 40)]:
            value = array[place]
            array[place] = value + 1e-6
            upper = loss()
            array[place] = value - 1e-6
            lower = loss()
            array[place] = value
            np.testing.assert_allclose(gradient[place], (upper - lower) / 2e-6, **RESULT)
    without, same = layer.backward(arrays, run(layer, arrays, images)[1], weights.copy(),
                                   wants_images=False)
    assert layer.array_shapes(shape) == {} or without is None
    for name in grads:
        np.testing.assert_array_equal(same[name], grads[name])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("layer", "shape"), CASES, ids=IDS)
def test_shapes_dtypes_and_threads(layer, shape, dtype):
    arrays, images = drawn(layer, shape, dtype, 5)
    assert {name: array.shape for name, array in arrays.items()} == layer.array_shapes(shape)
    results = []
    for n_threads in (1, 2, 5):
        outputs, cache = run(layer, arrays, images, n_threads=n_threads)
        by_images, grads = layer.backward(
            arrays, cache, np.cos(outputs), n_threads=n_threads)
        results.append([outputs, by_images, *grads.values()])
        assert outputs.shape == (5, *layer.output_shape(shape))
    for arrays_of_run in results:
        for array, first in zip(arrays_of_run, results[0], strict=True):
            assert array.dtype == dtype
            np.testing.assert_array_equal(array, first)
    together, cache = layer.forward(arrays, images)
    assert cache is None
    alone = [layer.forward(arrays, images[i:i + 1], n_threads=1)[0] for i in range(5)]
    np.testing.assert_array_equal(np.concatenate(alone), together)
    assert layer.n_parameters(shape) == sum(
        array.size for name, array in arrays.items() if not is_buffer(name))


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=IDS)
def test_outside_of_training_only_noise_and_batches_are_gone(layer, shape):
    if "Dropout" in repr(layer) or "BatchNorm" in repr(layer):
        return
    arrays, images = drawn(layer, shape)
    np.testing.assert_allclose(
        layer.forward(arrays, images)[0], run(layer, arrays, images)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=IDS)
def test_receptive_field_is_what_changes_an_output(layer, shape):
    """Only pixels within the field of the middle output change it, and the outermost ones do."""
    mixes = "BatchNorm" in repr(layer) or isinstance(layer, nn.DeformConv)
    if len(shape) == 1 or mixes or getattr(layer, "padding_mode", "constant") != "constant":
        return
    arrays, images = drawn(layer, (*[15] * (len(shape) - 1), shape[-1]), n_images=1)
    outputs, _ = layer.forward(arrays, images)
    place = tuple(n // 2 for n in outputs.shape[1:-1]) if outputs.ndim > 2 else ()
    for axis in range(len(shape) - 1):
        seen = []
        for pixel in range(15):
            changed = images.copy()
            changed[(slice(None),) * (axis + 1) + (pixel,)] += 3 * np.random.default_rng(
                pixel).standard_normal(changed[(slice(None),) * (axis + 1) + (pixel,)].shape)
            there = layer.forward(arrays, changed)[0]
            if not np.array_equal(there[(0, *place)], outputs[(0, *place)]):
                seen.append(pixel)
        size = layer.receptive_field(images.shape[1:])[axis]
        assert max(seen) - min(seen) + 1 <= size
        if not isinstance(layer, (nn.TransposedConv, nn.MaxPool, nn.GlobalPool)):
            assert max(seen) - min(seen) + 1 == min(size, 15)


def test_macs_are_products():
    assert nn.Conv(16, 3, groups=2).n_macs((8, 8, 4)) == 64 * 9 * 2 * 16
    assert nn.DepthwiseConv(3, 2).n_macs((8, 8, 4)) == 64 * 9 * 8
    assert nn.SeparableConv(16).n_macs((8, 8, 4)) == 64 * (9 * 4 + 4 * 16)
    assert nn.TransposedConv(16, 4, 2).n_macs((8, 8, 4)) == 64 * 16 * 4 * 16
    assert nn.DeformConv(16).n_macs((8, 8, 4)) == 64 * 9 * 4 * (16 + 18)
    assert nn.Dense(10).n_macs((7,)) == 70
    assert nn.Residual([nn.Conv(4, 1)], [nn.Conv(4, 1)]).n_macs((8, 8, 4)) == 2 * 64 * 16


def test_batch_norm_keeps_running_means():
    layer, rng = nn.BatchNorm(momentum=0.25), np.random.default_rng(0)
    arrays = layer.initial_arrays((4, 4, 2), rng, np.float64)
    images = 3 + 2 * rng.standard_normal((6, 4, 4, 2))
    outputs, _ = layer.forward(arrays, images, training=True)
    np.testing.assert_allclose(outputs.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(outputs.std(axis=(0, 1, 2)), 1, rtol=1e-4)
    np.testing.assert_allclose(arrays["running_mean"], 0.25 * images.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(
        arrays["running_variance"], 0.75 + 0.25 * images.var(axis=(0, 1, 2), ddof=1))


def test_deformable_layers_start_as_standard_ones():
    rng = np.random.default_rng(0)
    layer, images = nn.DeformConv(3), rng.standard_normal((2, *MAPS))
    arrays = layer.initial_arrays(MAPS, rng, np.float64)
    standard = {name: arrays[name] for name in ("kernel", "bias")}
    np.testing.assert_allclose(
        layer.forward(arrays, images)[0], nn.Conv(3).forward(standard, images)[0], rtol=1e-10)


def test_initial_weights():
    rng = np.random.default_rng(0)
    kernel = nn.Conv(256, activation="relu").initial_arrays((8, 8, 64), rng, np.float64)["kernel"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
    arrays = nn.Dense(200, "tanh").initial_arrays((100,), rng)
    assert np.abs(arrays["weight"]).max() == pytest.approx(np.sqrt(6 / 300), rel=0.01)
    assert not arrays["bias"].any()
    assert arrays["weight"].dtype == np.float32


@pytest.mark.parametrize(("layer", "shape", "message"), [
    (nn.Conv(0), MAPS, "out_channels"),
    (nn.Conv(3), FLAT, "spatial axes"),
    (nn.Conv(3, groups=2), MAPS, "groups"),
    (nn.Conv(3, 7, padding=0), MAPS, "no window fits"),
    (nn.Conv(3, activation="softplus"), MAPS, "activation"),
    (nn.DeformConv(3), SIGNAL, "height, width"),
    (nn.DeformConv(3, offset_groups=3), MAPS, "offset_groups"),
    (nn.Dense(3), MAPS, "Flatten"),
    (nn.Dropout(1.0), MAPS, "rate"),
    (nn.GlobalPool("median"), MAPS, "kind"),
    (nn.ChannelShuffle(3), MAPS, "groups must divide"),
    (nn.Branches(), MAPS, "at least one"),
    (nn.Branches([nn.Conv(2)], [nn.MaxPool()]), MAPS, "one size"),
    (nn.Residual([nn.Conv(5)]), MAPS, "same shape"),
])
def test_what_does_not_fit_is_refused(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)


def test_a_chain_says_which_layer_does_not_fit():
    with pytest.raises(ValueError, match=r"layers\[1\], MaxPool, of inputs of shape \(7,\)"):
        nn.summary([nn.Dense(7), nn.MaxPool()], FLAT)
    with pytest.raises(TypeError, match=r"layers\[0\] must be a layer"):
        nn.summary(["conv"], FLAT)
    with pytest.raises(TypeError, match="must be a list of layers"):
        nn.Residual(nn.Conv(3))


def test_layers_are_values():
    assert nn.Conv(3) == nn.Conv(3)
    assert nn.Branches([nn.Conv(3)]) != nn.Branches([nn.Conv(4)])
    assert len({nn.Residual([nn.Conv(3)]), nn.Residual([nn.Conv(3)])}) == 1
    block = nn.Branches([nn.Conv(3, 1)], [])
    assert eval(repr(block), vars(nn)) == block
    with pytest.raises(AttributeError):
        nn.Conv(3).out_channels = 4


def test_summary_lists_the_layers_of_blocks():
    table = nn.summary([nn.Branches([nn.Conv(4)], [nn.Conv(4, 5)]), nn.GlobalPool()], (8, 8, 1))
    lines = table.splitlines()
    assert [line.split("  ")[0] or line.split()[0] for line in lines[3:4]] == ["Branches"]
    assert "5 x 5" in lines[3]
    assert "8 x 8 x 8" in lines[3]
    assert lines[-1].split() == ["total", "144", "8,704"]


class Torch:
    """What torch's functions need: maps with channels first, and arrays of ours."""

    def __init__(self, torch, value, arrays):
        self.torch, self.f, self.x, self.arrays = torch, torch.nn.functional, value, arrays

    def __getitem__(self, name):
        return self.arrays.get(name)

    def conv(self, x, name="", **settings):
        """Convolve with the arrays of a layer within blocks, such as '0.'."""
        return self.f.conv2d(
            x, self[f"{name}kernel"].permute(3, 2, 0, 1), self[f"{name}bias"], **settings)

    def depthwise(self, x, name="", **settings):
        """Convolve each channel by itself."""
        kernel = self[f"{name}kernel"].permute(2, 3, 0, 1).flatten(0, 1).unsqueeze(1)
        return self.f.conv2d(x, kernel, self[f"{name}bias"], groups=x.shape[1], **settings)


OF_TORCH = [
    (nn.Conv(6, 3, stride=2, padding=1, groups=2, dilation=2),
     lambda t: t.conv(t.x, stride=2, padding=1, groups=2, dilation=2)),
    (nn.DepthwiseConv(3, 2, stride=2, padding=1, activation="tanh"),
     lambda t: t.torch.tanh(t.depthwise(t.x, stride=2, padding=1))),
    (nn.SeparableConv(5, depthwise_activation="relu", activation="sigmoid"),
     lambda t: t.torch.sigmoid(t.conv(t.f.relu(t.depthwise(t.x, "0.", padding=1)), "1."))),
    (nn.SpatiallySeparableConv(3, 2),
     lambda t: t.depthwise(t.depthwise(t.x, "0.", padding=(1, 0)), "1.", padding=(0, 1))),
    (nn.TransposedConv(3, 4, 2, padding=1), lambda t: t.f.conv_transpose2d(
        t.x, t["kernel"].permute(3, 2, 0, 1), t["bias"], stride=2, padding=1)),
    (nn.MaxPool(3, 2, padding=1), lambda t: t.f.max_pool2d(t.x, 3, 2, 1)),
    (nn.AveragePool(3, 2, padding=1, count_include_pad=False),
     lambda t: t.f.avg_pool2d(t.x, 3, 2, 1, count_include_pad=False)),
    (nn.GlobalPool(), lambda t: t.x.mean(dim=(2, 3))),
    (nn.GlobalPool("max"), lambda t: t.x.amax(dim=(2, 3))),
    (nn.BatchNorm(), lambda t: t.f.batch_norm(
        t.x, None, None, t["scale"], t["shift"], training=True, eps=1e-5)),
    (nn.ChannelShuffle(2), lambda t: t.f.channel_shuffle(t.x, 2)),
    (nn.Activation("relu6"), lambda t: t.f.relu6(t.x)),
    (nn.Activation("leaky_relu"), lambda t: t.f.leaky_relu(t.x)),
    (nn.Softmax(), lambda t: t.f.softmax(t.x, dim=1)),
    (nn.Residual([nn.Conv(4)], activation="relu"),
     lambda t: t.f.relu(t.x + t.conv(t.x, "layers.0.", padding=1))),
    (nn.Branches([nn.Conv(2, 1)], [nn.Conv(3, (1, 3)), nn.Conv(2, (3, 1))]),
     lambda t: t.torch.cat([t.conv(t.x, "0.0."), t.conv(
         t.conv(t.x, "1.0.", padding=(0, 1)), "1.1.", padding=(1, 0))], dim=1)),
    (nn.Dense(3, "tanh"), lambda t: t.torch.tanh(t.x @ t["weight"] + t["bias"])),
]


@pytest.mark.parametrize(("layer", "theirs"), OF_TORCH)
def test_layers_of_torch_agree(layer, theirs):
    torch = pytest.importorskip("torch")
    arrays, images = drawn(layer, (5,) if isinstance(layer, nn.Dense) else (9, 8, 4))
    leaves = {name: torch.from_numpy(array.copy()).requires_grad_()
              for name, array in arrays.items() if not is_buffer(name)}
    x = torch.from_numpy(images.copy()).requires_grad_()
    expected = theirs(Torch(torch, x.movedim(-1, 1), leaves)).movedim(1, -1)
    outputs, cache = run(layer, arrays, images)
    np.testing.assert_allclose(outputs, expected.detach().numpy(), rtol=1e-9, atol=1e-10)
    weights = np.random.default_rng(2).standard_normal(outputs.shape)
    expected.backward(torch.from_numpy(weights.copy()))
    by_images, grads = layer.backward(arrays, cache, weights)
    np.testing.assert_allclose(by_images, x.grad.numpy(), rtol=1e-8, atol=1e-10)
    assert sorted(grads) == sorted(leaves)
    for name, gradient in grads.items():
        np.testing.assert_allclose(gradient, leaves[name].grad.numpy(), rtol=1e-8, atol=1e-10)


def test_a_chain_goes_back_through_all_layers():
    network = (nn.Conv(4, activation="relu"), nn.MaxPool(), nn.Flatten(), nn.Dense(3))
    rng = np.random.default_rng(0)
    arrays = chain.initial_arrays(network, MAPS, rng, np.float64)
    assert list(arrays) == ["0.kernel", "0.bias", "3.weight", "3.bias"]
    call = Call(True, wants_images=False, keeps=True)
    outputs, caches = chain.forward(network, arrays, rng.standard_normal((2, *MAPS)), call)
    by_images, grads = chain.backward(network, arrays, caches, np.ones_like(outputs), call)
    assert by_images is None
    assert sorted(grads) == sorted(arrays)
