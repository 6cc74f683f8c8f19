"""What filters promise: sums of kernels, masks, NaN, directions; and what they refuse."""

import numpy as np
import pytest

from convlib import _taps, filters
from convlib._filters import second_order

pytestmark = pytest.mark.kernels


def noise(shape, dtype="float64"):
    """Return reproducible noise."""
    return np.random.default_rng(0).random(shape).astype(dtype)


POINT = np.zeros((41, 41))
POINT[20, 20] = 1
GRADIENTS = (filters.sobel, filters.prewitt, filters.scharr, filters.farid)
ZERO_SUM = {
    **{f"{function.__name__} {axis}": (lambda x, f=function, axis=axis: f(x, axis))
       for function in GRADIENTS for axis in (0, 1)},
    **{f"kirsch {way}": (lambda x, way=way: filters.kirsch(x, way)) for way in _taps.COMPASS},
    **{f"robinson {way}": (lambda x, way=way: filters.robinson(x, way)) for way in _taps.COMPASS},
    "roberts down": lambda x: filters.roberts(x, "down"),
    "roberts up": lambda x: filters.roberts(x, "up"),
    "laplace": filters.laplace,
    "laplace_of_gaussian": lambda x: filters.laplace_of_gaussian(x, 1.3, truncate=3),
    "difference_of_gaussians": filters.difference_of_gaussians,
    **{f"gaussian {order}": (lambda x, order=order: filters.gaussian(x, 1.1, order=order,
                                                                     truncate=3))
       for order in (1, 2, 3, 4, (0, 2), (1, 0))},
}
UNIT_SUM = {
    "mean": filters.mean, "mean 4": lambda x: filters.mean(x, 4), "gaussian": filters.gaussian,
    "binomial": lambda x: filters.gaussian(x, size=5), "sharpen": filters.sharpen,
    "unsharp_mask": filters.unsharp_mask,
}


@pytest.mark.parametrize("function", ZERO_SUM.values(), ids=ZERO_SUM)
def test_derivatives_sum_to_zero(function):
    kernel = function(POINT)
    assert np.abs(kernel).max() > 1e-3
    assert abs(kernel.sum()) < 1e-12 * np.abs(kernel).sum()
    assert np.abs(function(np.full((9, 9), 3.0))).max() < 1e-12


@pytest.mark.parametrize("function", UNIT_SUM.values(), ids=UNIT_SUM)
def test_low_passes_and_sharpening_sum_to_one(function):
    np.testing.assert_allclose(function(POINT).sum(), 1, rtol=1e-12)
    image = noise((30, 31))
    np.testing.assert_allclose(
        function(np.tile(image, (3, 3)))[30:60, 31:62].mean(), image.mean(), rtol=1e-12)


def test_textbook_kernels():
    np.testing.assert_array_equal(
        filters.sharpen(POINT)[19:22, 19:22], [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]])
    np.testing.assert_array_equal(
        filters.laplace(POINT)[19:22, 19:22], [[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    np.testing.assert_array_equal(
        16 * filters.gaussian(POINT, size=3)[19:22, 19:22], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    np.testing.assert_array_equal(
        _taps.kirsch()[0], [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]])
    np.testing.assert_array_equal(
        _taps.kirsch()[2], [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]])
    np.testing.assert_array_equal(
        _taps.robinson()[0], [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    np.testing.assert_array_equal(
        _taps.robinson()[1], [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])


@pytest.mark.parametrize("function", GRADIENTS)
def test_derivatives_are_positive_where_values_rise(function):
    image = np.arange(12.0)[:, np.newaxis] * np.ones(12)
    assert (function(image, 0)[3:9, 3:9] > 0).all()
    assert np.abs(function(image, 1)).max() < 1e-12
    assert (filters.gaussian(image, 1.0, order=(1, 0))[5:7, 5:7] > 0).all()


@pytest.mark.parametrize("function", GRADIENTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_the_magnitude_is_that_of_the_derivatives(function, dtype, tier):
    image = (100 * noise((33, 70))).astype(dtype)
    expected = np.hypot(function(image, 0), function(image, 1))
    np.testing.assert_allclose(function(image), expected, rtol=1e-5, atol=1e-5)
    volume = (100 * noise((6, 7, 8))).astype(dtype)
    expected = np.sqrt(sum(function(volume, axis).astype(float) ** 2 for axis in range(3)))
    np.testing.assert_allclose(function(volume), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("function", [filters.kirsch, filters.robinson])
def test_the_compass_is_the_largest_of_its_masks(function, tier):
    image = noise((20, 75), "float32")
    every = np.stack([function(image, way) for way in _taps.COMPASS])
    np.testing.assert_allclose(function(image), every.max(0), rtol=1e-6)
    strength, numbers = function(image, return_direction=True)
    np.testing.assert_array_equal(strength, every.max(0))
    np.testing.assert_array_equal(numbers, every.argmax(0))


@pytest.mark.parametrize("operator", ["sobel", "prewitt", "scharr", "farid"])
def test_directions(operator):
    image = noise((20, 30))
    function = getattr(filters, operator)
    np.testing.assert_allclose(
        filters.gradient_direction(image, operator),
        np.arctan2(function(image, 0), function(image, 1)))


def test_eigenvalues_of_volumes():
    volume = noise((6, 7, 8))
    parts = filters.hessian(volume, 1.0)
    matrices = np.empty((*volume.shape, 3, 3))
    for part, (i, j) in zip(parts, [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]):
        matrices[..., i, j] = matrices[..., j, i] = part
    expected = np.linalg.eigvalsh(matrices)[..., ::-1]
    np.testing.assert_allclose(
        filters.hessian_eigenvalues(volume, 1.0), np.moveaxis(expected, -1, 0), atol=1e-12)


def test_eigenvalues_of_volumes_in_float32_are_those_of_float64():
    parts = noise((6, 12, 10, 9)) - 0.5
    parts[[1, 2, 4], :4] *= 1e-4    # all but diagonal, two or three nearly equal
    parts[3, 2:4] = parts[0, 2:4]
    parts[5, 3] = parts[0, 3]
    parts[:, 4] = 0
    narrow = parts.astype(np.float32)
    result, wide = np.empty(narrow[:3].shape, np.float32), np.empty(parts[:3].shape)
    second_order.eigenvalues(narrow, result)
    second_order.eigenvalues(narrow.astype(np.float64), wide)
    np.testing.assert_allclose(result, wide, rtol=0, atol=2e-7)
    narrow[2, 7, 7, 7], narrow[0, 8, 8, 8] = np.nan, np.inf
    second_order.eigenvalues(narrow, result)
    assert np.isnan(result[:, 7, 7, 7]).all()
    assert np.isnan(result[:, 8, 8, 8]).all()
    assert np.isnan(result).sum() == 6


@pytest.mark.parametrize("settings", [{}, {"channel_axis": 2}, {"channel_axis": 0}])
@pytest.mark.parametrize("function", [
    filters.hessian, filters.hessian_eigenvalues, filters.structure_tensor])
def test_matrices_are_written_to_out(function, settings):
    image = noise((6, 7, 5))
    expected = function(image, 1.0, **settings)
    assert expected.shape[1:] == image.shape
    out = np.empty(expected.shape)
    assert function(image, 1.0, out=out, **settings) is out
    np.testing.assert_array_equal(out, expected)


# Masks and NaN

SMOOTHING = {
    "mean": lambda x, **settings: filters.mean(x, (3, 5), **settings),
    "gaussian": lambda x, **settings: filters.gaussian(x, 1.5, **settings),
    "binomial": lambda x, **settings: filters.gaussian(x, size=3, **settings),
}


@pytest.mark.parametrize("function", SMOOTHING.values(), ids=SMOOTHING)
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_normalised_convolution(function, mode):
    image = noise((20, 25))
    mask = noise((20, 25)) > 0.3
    settings = {"padding_mode": mode}
    weights = function(mask.astype(float), constant_values=1.0, **settings)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = function(image * mask, **settings) / weights
    expected[weights == 0] = np.nan
    np.testing.assert_allclose(function(image, mask=mask, **settings), expected, rtol=1e-10)
    missing = np.where(mask, image, np.nan)
    np.testing.assert_array_equal(
        function(missing, nan_policy="omit", **settings), function(image, mask=mask, **settings))
    np.testing.assert_array_equal(
        function(missing, mask=mask, **settings), function(image, mask=mask, **settings))


@pytest.mark.parametrize("function", SMOOTHING.values(), ids=SMOOTHING)
def test_where_no_pixel_counts(function):
    image = np.ones((40, 40))
    mask = np.zeros((40, 40), bool)
    mask[:3] = True
    result = function(image, mask=mask)
    np.testing.assert_allclose(result[:3], 1)
    assert np.isnan(result[-3:]).all()
    whole = function(image.astype(np.uint8), mask=mask)
    assert whole.dtype == np.uint8
    assert (whole[:3] == 1).all()
    assert (whole[-3:] == 0).all()


def test_weights_broadcast_over_channels():
    image = noise((12, 13, 3))
    weights = noise((12, 13, 1))
    expected = np.stack([filters.mean(image[..., c], mask=weights[..., 0]) for c in range(3)], -1)
    np.testing.assert_allclose(filters.mean(image, mask=weights, channel_axis=-1), expected)


@pytest.mark.parametrize("function", SMOOTHING.values(), ids=SMOOTHING)
def test_policies_for_nan(function):
    image = noise((30, 30), "float32")
    np.testing.assert_array_equal(function(image, nan_policy="raise"), function(image))
    np.testing.assert_array_equal(function(image, nan_policy="omit"), function(image))
    image[3, 4] = np.nan
    assert np.isnan(function(image)).any()
    assert not np.isnan(function(image, nan_policy="omit")).any()
    with pytest.raises(ValueError, match=r"image must not hold NaN.*got 1"):
        function(image, nan_policy="raise")


def test_a_mask_of_ones_changes_nothing_much():
    image = noise((30, 30))
    np.testing.assert_allclose(
        filters.gaussian(image, mask=np.ones_like(image)), filters.gaussian(image), rtol=1e-12)


# Refusals

IMAGE = np.zeros((5, 6))
REFUSED = [
    (lambda: filters.mean(3.0), ValueError, "image must be an array of at least one axis"),
    (lambda: filters.mean(np.array(["a"])), TypeError, "image must be an array of bool"),
    (lambda: filters.mean(IMAGE, 0), ValueError, "size must be .* at least 1"),
    (lambda: filters.mean(IMAGE, (3, 3, 3)), ValueError, "size must be .* 2 ints"),
    (lambda: filters.mean(IMAGE, 1.5), TypeError, "size must be"),
    (lambda: filters.mean(IMAGE, axes=2), ValueError, "axes must be an axis of the image"),
    (lambda: filters.mean(IMAGE, axes=(0, 0)), ValueError, "axes must be .* each once"),
    (lambda: filters.mean(IMAGE, axes=(0, 1), channel_axis=1), ValueError, "without channel_axis"),
    (lambda: filters.mean(IMAGE, axes=()), ValueError, "axes must be"),
    (lambda: filters.mean(IMAGE, axes="x"), TypeError, "axes must be"),
    (lambda: filters.mean(IMAGE, channel_axis=1.5), TypeError, "channel_axis must be"),
    (lambda: filters.mean(np.zeros(3), channel_axis=0), ValueError, "beside its channels"),
    (lambda: filters.mean(IMAGE, padding_mode="nearest"), ValueError, "padding_mode must be one"),
    (lambda: filters.mean(IMAGE, constant_values="0"), TypeError, "constant_values must be"),
    (lambda: filters.mean(IMAGE.astype("u1"), constant_values=256), ValueError, "constant_values"),
    (lambda: filters.mean(IMAGE.astype("u1"), constant_values=0.5), TypeError, "constant_values"),
    (lambda: filters.mean(IMAGE, dtype="int8"), ValueError, "dtype must be one of"),
    (lambda: filters.sobel(IMAGE.astype("u1"), dtype="uint8"), ValueError, "dtype must be one of"),
    (lambda: filters.mean(IMAGE, n_threads=0), ValueError, "n_threads must be"),
    (lambda: filters.mean(IMAGE, out=IMAGE), ValueError, "out must not share memory"),
    (lambda: filters.mean(IMAGE, out=np.zeros(3)), ValueError, "out must be of shape"),
    (lambda: filters.mean(IMAGE, mask=np.zeros(4)), ValueError, "mask must be an array that"),
    (lambda: filters.mean(IMAGE, mask=-np.ones(6)), ValueError, "mask must be .* negative"),
    (lambda: filters.mean(IMAGE, nan_policy="drop"), ValueError, "nan_policy must be one of"),
    (lambda: filters.gaussian(IMAGE, -1), ValueError, "sigma must be .* at least 0"),
    (lambda: filters.gaussian(IMAGE, (1, 2, 3)), ValueError, "sigma must be a number or 2"),
    (lambda: filters.gaussian(IMAGE, "1"), TypeError, "sigma must be"),
    (lambda: filters.gaussian(IMAGE, 1e9), ValueError, "truncate . sigma must be at most"),
    (lambda: filters.gaussian(IMAGE, truncate=0), ValueError, "truncate must be"),
    (lambda: filters.gaussian(IMAGE, 0, order=1), ValueError, "sigma must be above 0"),
    (lambda: filters.gaussian(IMAGE, order=-1), ValueError, "order must be"),
    (lambda: filters.gaussian(IMAGE, order="x"), TypeError, "order must be"),
    (lambda: filters.gaussian(IMAGE, order=1, size=3), ValueError, "order must be 0 with size"),
    (lambda: filters.gaussian(IMAGE, order=1, mask=IMAGE), ValueError, "mask and nan_policy"),
    (lambda: filters.gaussian(IMAGE, normalize="skimage"), ValueError, "normalize must be one"),
    (lambda: filters.correlate(IMAGE, [1, 2]), ValueError, "kernel must be .* 2 axes"),
    (lambda: filters.correlate(IMAGE, [[np.nan]]), ValueError, "kernel must be .* finite"),
    (lambda: filters.sobel(IMAGE, 2), ValueError, "axis must be None or one of the axes"),
    (lambda: filters.sobel(IMAGE, 0, axes=1), ValueError, "axis must be None or one of the axes"),
    (lambda: filters.sobel(IMAGE, "x"), TypeError, "axis must be"),
    (lambda: filters.prewitt(IMAGE, normalize="opencv"), ValueError, "normalize must be one of"),
    (lambda: filters.roberts(np.zeros((2, 2, 2))), ValueError, "roberts takes two axes"),
    (lambda: filters.kirsch(IMAGE, "X"), ValueError, "direction must be one of"),
    (lambda: filters.kirsch(IMAGE, "E", return_direction=True), ValueError, "return_direction"),
    (lambda: filters.difference_of_gaussians(IMAGE, 2, 1), ValueError, "high_sigma must be"),
    (lambda: filters.unsharp_mask(IMAGE, amount=np.inf), ValueError, "amount must be"),
    (lambda: filters.gabor(IMAGE, 0), ValueError, "frequency must be"),
    (lambda: filters.gabor(IMAGE, 1e-9), ValueError, "at most 2 .. 24 taps"),
    (lambda: filters.gabor(IMAGE, 0.1, np.nan), ValueError, "theta must be"),
    (lambda: filters.hessian(IMAGE, 0), ValueError, "sigma must be above 0"),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()
