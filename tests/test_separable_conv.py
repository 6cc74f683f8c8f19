"""Tests of depthwise_conv, separable_conv and spatially_separable_conv."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convlib as cl
import reference
from reference import activate, per_axis, same_bits, sample, tolerance

# What a case takes: size, kernel size, channels, multiplier, outputs of the pointwise step.
CASES = {
    "plain": ((9, 10), (3, 3), 16, 1, 8, {"padding": 1}),
    "wide": ((5, 70), (3, 5), 24, 1, 40, {"padding": "same"}),
    "stride": ((13, 12), (3, 3), 20, 1, 7, {"stride": 2, "padding": 1}),
    "stride and dilation": ((17, 19), (3, 2), 33, 1, 5,
                            {"stride": (3, 2), "dilation": (2, 3), "padding": ((3, 1), (0, 2))}),
    "multiplier": ((8, 9), (3, 3), 12, 3, 9, {"padding": (2, 1)}),
    "one channel": ((9, 8), (5, 5), 1, 1, 4, {"padding": 2}),
    "few channels": ((9, 8), (3, 3), 3, 2, 4, {"padding": 1}),
    "few channels, stride": ((9, 8), (2, 3), 2, 2, 3, {"padding": 1, "stride": 2}),
    "many channels": ((4, 5), (3, 3), 150, 1, 70, {"padding": 1}),
    "reflect": ((6, 7), (5, 3), 18, 1, 6, {"padding": 3, "padding_mode": "reflect"}),
    "wrap": ((6, 7), (3, 3), 17, 2, 6, {"padding": (4, 9), "padding_mode": "wrap"}),
    "edge, far": ((2, 3), (3, 3), 16, 1, 6, {"padding": (4, 9), "padding_mode": "edge"}),
    "one pixel": ((1, 1), (3, 3), 16, 1, 6, {"padding": 1}),
    "one tap": ((4, 4), (1, 1), 29, 1, 6, {}),
    "padding alone": ((2, 2), (1, 1), 16, 1, 6, {"padding": 3}),
    "signal": ((50,), (7,), 16, 1, 6, {"padding": "same"}),
    "signal, few": ((33,), (3,), 2, 3, 6, {"padding": (1,), "stride": 2, "dilation": 2}),
    "volume": ((5, 6, 7), (3, 3, 3), 16, 1, 6, {"padding": 1}),
    "volume, stride": ((5, 8, 7), (3, 2, 3), 17, 2, 6,
                       {"padding": (1, 0, 2), "stride": (2, 1, 2), "padding_mode": "symmetric"}),
    "volume, few": ((5, 6, 7), (3, 1, 3), 3, 1, 2, {"padding": 1}),
}
DTYPES = "float32", "float64"


def arrays(name, dtype="float64"):
    """Return images, a depthwise and a pointwise kernel, two biases, and settings."""
    size, kernel_size, channels, multiplier, n_out, keywords = CASES[name]
    shapes = ((2, *size, channels), (*kernel_size, channels, multiplier),
              (*(1,) * len(size), channels * multiplier, n_out), (channels * multiplier,), (n_out,))
    return *(sample(shape, i).astype(dtype) for i, shape in enumerate(shapes)), keywords


def axis_kernels(name, dtype="float64"):
    """Return kernels for one axis after the other; multipliers differ."""
    _, kernel_size, channels, multiplier, _, _ = CASES[name]
    kernels = []
    for axis, taps in enumerate(kernel_size):
        times = multiplier if axis else multiplier % 3 + (multiplier > 1)
        kernels.append(sample((taps, channels, times), axis + 7).astype(dtype))
        channels *= times
    return kernels


def depthwise(images, kernel, bias=None, **keywords):
    """Return the reference, and the sums of the magnitudes of its terms."""
    *kernel_size, channels, multiplier = kernel.shape
    weights = np.zeros((*kernel_size, channels, channels * multiplier))
    for c, j in itertools.product(range(channels), range(multiplier)):
        weights[..., c, c * multiplier + j] = kernel[..., c, j]
    plain = per_axis(images.shape[1:-1], kernel_size, **keywords)
    return reference.conv(images, weights, bias, **plain)


def separable(images, first, second, first_bias, bias, between=None, **keywords):
    maps = activate(depthwise(images, first, first_bias, **keywords), between)
    return maps @ second.reshape(second.shape[-2:]) + bias


def spatial(images, kernels, bias, **keywords):
    rank = len(kernels)
    plain = per_axis(images.shape[1:-1], [len(kernel) for kernel in kernels], **keywords)
    for axis, kernel in enumerate(kernels):
        shape = [1] * rank
        shape[axis] = len(kernel)
        pads = tuple(tuple(plain["pads"][i]) if i == axis else (0, 0) for i in range(rank))
        images = depthwise(
            images, kernel.reshape(*shape, *kernel.shape[1:]), padding=pads,
            padding_mode=plain["padding_mode"],
            stride=[plain["stride"][i] if i == axis else 1 for i in range(rank)],
            dilation=[plain["dilation"][i] if i == axis else 1 for i in range(rank)])
    return images + bias


def assert_close(out, expected, dtype, n_terms, magnitude):
    assert out.dtype == dtype
    assert out.shape == expected.shape
    assert (np.abs(out - expected) <= tolerance(dtype, n_terms, magnitude)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_depthwise_is_the_reference(name, dtype, tier):
    images, kernel, _, bias, _, keywords = arrays(name)
    out = cl.depthwise_conv(images.astype(dtype), kernel, bias, **keywords)
    magnitude = depthwise(np.abs(images), np.abs(kernel), np.abs(bias), **keywords)
    assert_close(out, depthwise(images, kernel, bias, **keywords), dtype,
                 math.prod(kernel.shape[:-2]), magnitude)


@pytest.mark.parametrize("between", [None, "relu", "tanh"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_separable_is_the_reference(name, dtype, between, tier):
    images, *operands, keywords = arrays(name)
    first, second, first_bias, bias = operands
    out = cl.separable_conv(images.astype(dtype), first, second, bias, depthwise_bias=first_bias,
                            depthwise_activation=between, **keywords)
    expected = separable(images, *operands, between, **keywords)
    magnitude = separable(np.abs(images), *map(np.abs, operands), **keywords)
    assert_close(out, expected, dtype, math.prod(first.shape[:-2]) * second.shape[-2], magnitude)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_spatially_separable_is_the_reference(name, dtype, tier):
    images, *_, keywords = arrays(name)
    kernels = axis_kernels(name)
    bias = sample(math.prod(kernels[-1].shape[1:]), 3)
    out = cl.spatially_separable_conv(images.astype(dtype), kernels, bias, **keywords)
    expected = spatial(images, kernels, bias, **keywords)
    magnitude = spatial(np.abs(images), list(map(np.abs, kernels)), np.abs(bias), **keywords)
    assert_close(out, expected, dtype, math.prod(map(len, kernels)), magnitude)


def calls(name, dtype):
    """Return {function: (images, ...) -> result} of the three functions for a case."""
    images, first, second, first_bias, bias, keywords = arrays(name, dtype)
    kernels = axis_kernels(name, dtype)
    return images, {
        "depthwise": lambda x, **more: cl.depthwise_conv(x, first, first_bias, **keywords, **more),
        "separable": lambda x, **more: cl.separable_conv(
            x, first, second, bias, depthwise_bias=first_bias, **keywords, **more),
        "spatial": lambda x, **more: cl.spatially_separable_conv(x, kernels, **keywords, **more),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_same_bits_whatever_the_threads_the_batch_and_the_layout(name, dtype, tier):
    images, functions = calls(name, dtype)
    for function in functions.values():
        expected = function(images, n_threads=1)
        assert same_bits(function(images, n_threads=3), expected)
        for i in range(len(images)):
            assert same_bits(function(images[i:i + 1], n_threads=2), expected[i:i + 1])
        first = np.moveaxis(np.ascontiguousarray(np.moveaxis(images, -1, 1)), 1, -1)
        strided = np.repeat(images, 2, axis=-1)[..., ::2]
        for other in (first, strided, np.asfortranarray(images)):
            assert same_bits(function(other), expected)
        out = np.full_like(expected, np.nan)
        assert function(images, out=out) is out
        assert same_bits(out, expected)


@pytest.mark.parametrize("activation", cl._validation.ACTIVATIONS)
def test_activations(activation):
    images, functions = calls("plain", "float64")
    for function in functions.values():
        expected = activate(function(images), activation)
        np.testing.assert_allclose(function(images, activation=activation), expected, rtol=1e-12,
                                   atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), rank=st.integers(1, 3), channels=st.integers(1, 40),
       multiplier=st.integers(1, 3), seed=st.integers(0, 999),
       padding_mode=st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
def test_equal_to_its_steps(data, rank, channels, multiplier, seed, padding_mode):
    """Each is what calls of conv make, one step after the other."""
    def some(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(rank))

    size, taps, padding = some(4, 9), some(1, 4), some(0, 3)
    window = {"stride": some(1, 3), "dilation": some(1, 2), "padding": padding}
    try:
        cl.shapes.output_size(size, taps, **window)
    except ValueError:
        return
    window["padding_mode"] = padding_mode
    n = channels * multiplier
    images, kernel = sample((1, *size, channels), seed), sample((*taps, channels, multiplier), seed)
    maps = cl.conv(images, kernel.reshape(*taps, 1, n), groups=channels, **window)
    assert np.allclose(cl.depthwise_conv(images, kernel, **window), maps, rtol=0, atol=1e-12)
    second = sample((*(1,) * rank, n, 5), seed)
    assert np.allclose(cl.separable_conv(images, kernel, second, **window),
                       cl.conv(maps, second), rtol=0, atol=1e-10)
    kernels = [sample((k, channels * multiplier**axis, multiplier), seed + axis)
               for axis, k in enumerate(taps)]
    maps = images
    for axis, k in enumerate(kernels):
        alone = {name: tuple(value if i == axis else int(name != "padding")
                             for i, value in enumerate(values))
                 for name, values in window.items() if name != "padding_mode"}
        shape = tuple(len(k) if i == axis else 1 for i in range(rank))
        maps = cl.conv(maps, k.reshape(*shape, 1, -1), groups=k.shape[1],
                       padding_mode=padding_mode, **alone)
    assert np.allclose(cl.spatially_separable_conv(images, kernels, **window), maps, rtol=0,
                       atol=1e-10)


def test_an_outer_product_in_two_steps():
    """Without multipliers it is the convolution with the outer product of the kernels."""
    images, (column, row) = sample((1, 12, 11, 5)), axis_kernels("plain")
    column, row = column[:, :5], row[:, :5]
    whole = column[:, np.newaxis] * row[np.newaxis]
    for mode in ("constant", "reflect", "wrap"):
        keywords = {"padding": 2, "padding_mode": mode}
        np.testing.assert_allclose(
            cl.spatially_separable_conv(images, [column, row], **keywords),
            cl.depthwise_conv(images, whole, **keywords), rtol=0, atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_stays_in_its_windows(value):
    for name in ("plain", "few channels"):
        images, functions = calls(name, "float32")
        images = images[:1].copy()
        images[0, 0, 0] = value
        for function in functions.values():
            out = function(images)
            assert not np.isfinite(out[0, 0, 0]).any()
            assert np.isfinite(out[0, 3:, 3:]).all()


def test_empty_batch_and_integers():
    images, functions = calls("plain", "float32")
    for function in functions.values():
        shape = function(images).shape
        assert function(images[:0]).shape == (0, *shape[1:])
        whole = np.arange(images.size, dtype=np.uint8).reshape(images.shape)
        assert same_bits(function(whole), function(whole.astype("float32")))


def test_memory_is_not_shared_with_out():
    images = np.ones((1, 4, 4, 8))
    kernel, second = np.ones((3, 3, 8, 1)), np.ones((1, 1, 8, 8))
    kernels = [np.ones((3, 8, 1))] * 2
    for function in (lambda out: cl.separable_conv(images, kernel, second, padding=1, out=out),
                     lambda out: cl.spatially_separable_conv(images, kernels, padding=1, out=out),
                     lambda out: cl.depthwise_conv(images, kernel, padding=1, out=out)):
        with pytest.raises(ValueError, match="out must not share memory"):
            function(images)
    assert (images == 1).all()


IMAGES, KERNEL, SECOND = np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 1)), np.ones((1, 1, 2, 3))
LINE = np.ones((3, 2, 1))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: cl.depthwise_conv(IMAGES, np.ones((3, 3))), ValueError,
     r"kernel must be an array of shape \(\*kernel_size, channels, multiplier\)"),
    (lambda: cl.depthwise_conv(IMAGES, np.ones((3, 3, 2, 0))), ValueError, "kernel must be"),
    (lambda: cl.depthwise_conv(IMAGES, np.ones((3, 3, 3, 1))), ValueError,
     "images must be an array of 3 channels, as kernel has them"),
    (lambda: cl.depthwise_conv(IMAGES, KERNEL, stride=0), ValueError, "stride must be"),
    (lambda: cl.depthwise_conv(IMAGES, KERNEL, np.ones(3)), ValueError, "bias must be"),
    (lambda: cl.depthwise_conv(IMAGES[0], KERNEL), ValueError, "images must be"),
    (lambda: cl.depthwise_conv(IMAGES, KERNEL.astype(complex)), TypeError, "kernel must be"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, np.ones((2, 3))), ValueError,
     r"pointwise_kernel must be an array of shape \(1, 1, 2, out_channels\)"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, np.ones((1, 1, 3, 3))), ValueError,
     "pointwise_kernel must be"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, SECOND, np.ones(2)), ValueError, "bias must be"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, SECOND, depthwise_bias=np.ones(3)), ValueError,
     "depthwise_bias must be"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, SECOND, depthwise_activation="gelu"), ValueError,
     "depthwise_activation must be"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, SECOND, activation="gelu"), ValueError,
     "activation must be"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, SECOND, padding=-1), ValueError, "padding must be"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, SECOND, padding_mode="zeros"), ValueError,
     "padding_mode must be"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, SECOND, n_threads=0), ValueError, "n_threads must"),
    (lambda: cl.separable_conv(IMAGES, np.ones((5, 3, 2, 1)), SECOND), ValueError, "5"),
    (lambda: cl.separable_conv(IMAGES, KERNEL, SECOND, out=np.ones(3)), ValueError, "out must be"),
    (lambda: cl.spatially_separable_conv(IMAGES, 3), TypeError, "kernels_1d must be a sequence"),
    (lambda: cl.spatially_separable_conv(IMAGES, []), ValueError, "kernels_1d must be a sequence"),
    (lambda: cl.spatially_separable_conv(IMAGES, [LINE, np.ones((3, 3, 1))]), ValueError,
     r"kernels_1d\[1\] must be of shape \(taps, 2, multiplier\)"),
    (lambda: cl.spatially_separable_conv(IMAGES, [LINE, np.ones(3)]), ValueError,
     r"kernels_1d\[1\] must be an array of shape"),
    (lambda: cl.spatially_separable_conv(IMAGES, [LINE]), ValueError, "images must be"),
    (lambda: cl.spatially_separable_conv(np.ones((1, 4, 4, 3)), [LINE, LINE]), ValueError,
     r"images must be an array of 2 channels, as kernels_1d\[0\] has them"),
    (lambda: cl.spatially_separable_conv(IMAGES, [LINE, LINE], dilation=(1, 1, 1)), ValueError,
     "dilation must be"),
])
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
