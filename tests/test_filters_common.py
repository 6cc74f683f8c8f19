"""What all filters have in common: borders, dtypes, `out`, stacks and channels, by name."""

import numpy as np
import pytest

from convlib import filters

pytestmark = pytest.mark.kernels

KERNEL = np.arange(12.0).reshape(3, 4)
NEEDED = {"correlate": {"kernel": KERNEL}, "convolve": {"kernel": KERNEL},
          "gabor": {"frequency": 0.2}, "percentile": {"q": 30}}
KEEP_INTEGERS = ("median", "maximum", "minimum", "percentile", "mean", "gaussian")
MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
PAD = 30    # more than any kernel reaches


def filter_of(name):
    """Return a filter as a function of an image and the settings that all have."""
    return lambda image, **settings: getattr(filters, name)(
        image, **NEEDED.get(name, {}), **settings)


def noise(shape, dtype="float64"):
    """Return noise that all dtypes can hold."""
    return (100 * np.random.default_rng(0).random(shape)).astype(dtype)


# The tensor is smoothed behind its derivatives, and each of them sees a border.
@pytest.mark.parametrize("name", [name for name in filters.__all__ if name != "structure_tensor"])
@pytest.mark.parametrize("shape", [(13, 21), (3, 2), (1, 1)])
def test_borders_are_those_of_numpy(name, shape):
    """Also of images that are smaller than the kernel."""
    function, image = filter_of(name), noise(shape)
    for mode in MODES:
        outside = {"constant_values": 0.5} if mode == "constant" else {}
        result = function(image, padding_mode=mode, **outside)
        padded = function(np.pad(image, PAD, mode, **outside))[..., PAD:-PAD, PAD:-PAD]
        if name == "gradient_direction":    # pi and -pi are one direction
            result, padded = np.exp(1j * result), np.exp(1j * padded)
        np.testing.assert_allclose(result, padded, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", filters.__all__)
def test_dtypes_and_out(name):
    function = filter_of(name)
    for given, computed in (("bool", "float32"), ("uint8", "float32"), ("int16", "float32"),
                            ("uint32", "float64"), ("int64", "float64"), ("float16", "float32"),
                            ("float32", "float32"), ("float64", "float64")):
        image = noise((9, 8), given)
        result = function(image)
        keeps = image.dtype.kind in "iu" and name in KEEP_INTEGERS
        assert result.dtype == (given if keeps else computed)
        out = np.full(result.shape, 7, result.dtype)
        assert function(image, out=out) is out
        np.testing.assert_array_equal(out, result)
        assert function(image, dtype="float64").dtype == np.float64


@pytest.mark.parametrize("name", filters.__all__)
def test_images_of_a_stack_and_channels_are_filtered_one_by_one(name):
    function, stack = filter_of(name), noise((2, 9, 8, 3), "float32")
    whole = function(stack, axes=(1, 2))
    for i, image in enumerate(stack):
        result = function(image, channel_axis=-1)
        np.testing.assert_array_equal(result, whole[..., i, :, :, :])
        for c in range(3):
            np.testing.assert_array_equal(function(image[..., c]), result[..., c])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", filters.__all__)
def test_what_is_not_finite_goes_no_further_than_the_kernel(name, value):
    function, image = filter_of(name), noise((12, 60))
    expected = function(image)
    image[5, 50] = value
    np.testing.assert_array_equal(function(image)[..., :30], expected[..., :30])
