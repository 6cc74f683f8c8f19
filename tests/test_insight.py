"""Network, deconvnet and occlusion maps: weights that stay, and where responses come from."""

import pickle

import numpy as np
import pytest

import convlib as cl
from convlib import layers as nn

RNG = np.random.default_rng(0)
CHAIN = [nn.Conv(6, activation="relu"), nn.MaxPool(), nn.Conv(4, bias=False), nn.BatchNorm(),
         nn.Activation(), nn.Dropout(0.9)]
BLOCKS = [nn.Residual([nn.Conv(1, activation="relu")], activation="relu"), nn.DeformConv(4),
          nn.Branches([nn.Conv(3, 1)], [nn.SeparableConv(2, activation="relu")]),
          nn.GlobalPool("max"), nn.Dense(3)]


def made(layers, shape, dtype="float64"):
    """Return a network with weights, biases and statistics drawn at random."""
    arrays, before = {}, shape
    for number, layer in enumerate(layers):
        for name, size in layer.array_shapes(before).items():
            values = RNG.standard_normal(size)
            arrays[f"{number}.{name}"] = np.abs(values) if "variance" in name else values
        before = layer.output_shape(before)
    return nn.Network(layers, shape, arrays, dtype)


def test_deconvnet_is_unpooling_and_transposed_convolution():
    """The way back of two convolutions, with the operators of the library one after the other."""
    network, image = made(CHAIN, (8, 8, 1)), RNG.standard_normal((8, 8, 1))
    arrays = network.arrays
    maps = cl.conv(image[np.newaxis], arrays["0.kernel"], arrays["0.bias"], padding="same",
                   activation="relu")
    pooled, indices = cl.max_pool(maps, 2, return_indices=True)
    factor = arrays["3.scale"] / np.sqrt(arrays["3.running_variance"] + 1e-5)
    sums = cl.conv(pooled, arrays["2.kernel"], padding="same")
    outputs = np.maximum(0, (sums - arrays["3.running_mean"]) * factor + arrays["3.shift"])
    channel = int(outputs.max(axis=(0, 1, 2)).argmax())
    alone = np.zeros_like(outputs)
    place = np.unravel_index(outputs[..., channel].argmax(), outputs.shape[:-1])
    alone[(*place, channel)] = outputs[..., channel].max()
    back = cl.conv_transpose(alone * factor, arrays["2.kernel"], padding="same")
    back = np.maximum(cl.max_unpool(back, indices, (8, 8)), 0)
    expected = cl.conv_transpose(back, arrays["0.kernel"], padding="same")[0]
    assert np.abs(expected).max() > 0
    for layer in (4, 5, -1):
        np.testing.assert_allclose(
            nn.deconvnet(network, image, layer, channel), expected, rtol=1e-10, atol=1e-12)
    by_place = nn.deconvnet(network, image, -1, (*map(int, place[1:]), channel))
    np.testing.assert_allclose(by_place, expected, rtol=1e-10, atol=1e-12)


def test_what_comes_back_lies_in_the_receptive_field():
    network, image = made(CHAIN[:3], (16, 16, 1)), RNG.standard_normal((16, 16, 1))
    pattern = nn.deconvnet(network, image, 2, (3, 4, 1))
    rows, columns = np.nonzero(pattern[..., 0])
    assert 4 - 1 <= rows.min() <= rows.max() <= 9 + 1
    assert 6 - 1 <= columns.min() <= columns.max() <= 11 + 1


def test_deconvnet_goes_through_blocks():
    network, image = made(BLOCKS, (8, 8, 1)), RNG.random((8, 8, 1))
    pattern = nn.deconvnet(network, image, unit=2)
    assert pattern.shape == (8, 8, 1)
    assert np.isfinite(pattern).all()
    assert np.abs(pattern).max() > 0


def test_occlusion_map_is_the_mean_loss_of_windows():
    network, image = made(CHAIN, (6, 7, 1)), RNG.standard_normal((6, 7, 1))
    whole = network.outputs(image[np.newaxis])[0]
    expected, counts = np.zeros((6, 7)), np.zeros((6, 7))
    for row in range(0, 5, 2):
        for column in range(0, 5, 2):
            hidden = image.copy()
            hidden[row:row + 2, column:column + 3] = 0.5
            loss = whole[1, 2, 3] - network.outputs(hidden[np.newaxis])[0][1, 2, 3]
            expected[row:row + 2, column:column + 3] += loss
            counts[row:row + 2, column:column + 3] += 1
    found = nn.occlusion_map(
        network, image, unit=(1, 2, 3), size=(2, 3), stride=2, fill=0.5)
    np.testing.assert_allclose(found, expected / counts, rtol=1e-10, atol=1e-12)
    rest = nn.occlusion_map(network, image, unit=(1, 2, 3), size=2, stride=3)
    assert np.isnan(rest[2]).all()


def test_a_network_keeps_its_weights():
    weights = np.ones((3, 3, 1, 2))
    network = nn.Network([nn.Conv(2, bias=False)], (5, 5, 1), {"0.kernel": weights})
    images = RNG.standard_normal((4, 5, 5, 1)).astype(np.float32)
    before = network.outputs(images)
    weights[:] = 7
    np.testing.assert_array_equal(network.outputs(images), before)
    with pytest.raises(ValueError, match="read-only"):
        network.arrays["0.kernel"][:] = 3
    loaded = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(loaded.outputs(images[:1], n_threads=2), before[:1])
    np.testing.assert_array_equal(network.outputs(images, n_layers=0), images)
    assert "total" in network.summary()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layers", [CHAIN, BLOCKS])
def test_packed_kernels_compute_what_plain_ones_do(layers, dtype):
    network = made(layers, (8, 8, 1), dtype)
    images = RNG.standard_normal((5, 8, 8, 1)).astype(dtype)
    plain = images
    for number, layer in enumerate(layers):
        start = f"{number}."
        own = {name[2:]: array for name, array in network.arrays.items() if name.startswith(start)}
        plain, _ = layer.forward(own, plain)
    found = network.outputs(images)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, plain, rtol=1e-3 if dtype == "float32" else 1e-10, atol=1e-4)
    np.testing.assert_array_equal(network.outputs(images[2:3], n_threads=2), found[2:3])


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda n, x: nn.deconvnet(n, x, 9), ValueError, "layer must be"),
    (lambda n, x: nn.deconvnet(n, x, 0, 6), ValueError, "channel from 0 to 5"),
    (lambda n, x: nn.deconvnet(n, x, 0, (0, 8, 0)), ValueError, "a place within"),
    (lambda n, x: nn.deconvnet(n, x[:5]), ValueError, "image must have shape"),
    (lambda n, x: nn.deconvnet("n", x), TypeError, "network must be"),
    (lambda n, x: nn.occlusion_map(n, x, size=9), ValueError, "size must be at most"),
    (lambda n, x: n.outputs(x), ValueError, "images must have shape"),
    (lambda n, x: n.outputs(x[np.newaxis], n_layers=7), ValueError, "n_layers must be at most"),
    (lambda n, x: nn.Network([nn.Conv(2)], (8, 8, 1), {}), ValueError, "the names"),
    (lambda n, x: nn.Network([nn.Dense(2, bias=False)], (3,), {"0.weight": np.ones((2, 3))}),
     ValueError, r"must have shape \(3, 2\)"),
])
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call(made(CHAIN, (8, 8, 1)), RNG.standard_normal((8, 8, 1)))
