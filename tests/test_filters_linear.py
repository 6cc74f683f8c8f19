"""Weighted sums of neighbours: every engine against plain loops, over borders and shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference_filters as reference
from convlib import filters
from convlib._filters._bytes import MOST_PIXELS, divider

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
KERNELS = {
    "rank 1": reference.outer([1, 2, 3, 4, 5], [2, -1, 3]),
    "small": np.random.default_rng(1).standard_normal((3, 3)),
    "even": np.random.default_rng(2).standard_normal((4, 2)),
    "full rank": np.random.default_rng(3).standard_normal((7, 8)),
    "rank 2": reference.outer(np.hanning(13), np.arange(11)) + reference.outer(
        np.arange(13), np.ones(11)),
    "column": np.arange(1.0, 10)[:, np.newaxis],
    "row": np.arange(1.0, 40)[np.newaxis],
    "zeros": np.zeros((3, 5)),
}

pytestmark = pytest.mark.kernels


def image_of(shape, dtype, seed=0):
    """Return noise, of a size that integers can hold."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def assert_close(result, expected, kernel_sum=1.0):
    """Compare within the rounding of sums of some tens of terms."""
    scale = max(np.abs(expected).max(initial=0), 1.0) * max(kernel_sum, 1.0)
    tolerance = 32 * scale * np.finfo(result.dtype).eps
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kernel_on_every_tier(kernel, dtype, tier):
    image = image_of((37, 45), dtype)
    for mode in MODES:
        result = filters.correlate(image, kernel, padding_mode=mode, constant_values=1.5)
        assert result.dtype == dtype
        assert_close(result, reference.correlate(image, kernel, mode, 1.5), np.abs(kernel).sum())


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 200), (200, 1), (5, 4200), (130, 70)])
@pytest.mark.parametrize("mode", MODES)
def test_images_of_every_shape(shape, mode):
    image = image_of(shape, "float32")
    for kernel in KERNELS.values():
        result = filters.correlate(image, kernel, padding_mode=mode, constant_values=-2)
        assert_close(result, reference.correlate(image, kernel, mode, -2), np.abs(kernel).sum())


@pytest.mark.parametrize("ndim", [1, 3, 4])
@pytest.mark.parametrize("mode", MODES)
def test_other_ranks(ndim, mode):
    image = image_of((4, 6, 5, 7)[-ndim:], "float64")
    rng = np.random.default_rng(5)
    for kernel in (rng.standard_normal((3,) * ndim),
                   reference.outer(*(rng.standard_normal(n) for n in (5, 3, 4, 2)[:ndim]))):
        result = filters.correlate(image, kernel, padding_mode=mode, constant_values=0.5)
        assert_close(result, reference.correlate(image, kernel, mode, 0.5), np.abs(kernel).sum())


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_convolution_is_correlation_with_a_flipped_kernel(kernel):
    image = image_of((20, 30), "float64")
    centre = [(n - 1) // 2 for n in kernel.shape]
    expected = reference.correlate(image, np.flip(kernel), "wrap", centre=centre)
    result = filters.convolve(image, kernel, padding_mode="wrap")
    assert_close(result, expected, np.abs(kernel).sum())


def test_a_point_becomes_the_kernel():
    point = np.zeros((9, 9))
    point[4, 4] = 1
    kernel = np.arange(15.0).reshape(3, 5)
    np.testing.assert_array_equal(filters.convolve(point, kernel)[3:6, 2:7], kernel)


# Axes, channels, layouts


@pytest.mark.parametrize("settings", [
    {"axes": (0, 1)}, {"axes": (1, 2)}, {"axes": (-1, 0)}, {"channel_axis": 0},
    {"channel_axis": -1}, {"channel_axis": 1},
])
@pytest.mark.parametrize("kernel", [KERNELS["rank 1"], KERNELS["small"], KERNELS["full rank"]])
def test_axes_are_filtered_and_others_are_not(settings, kernel):
    image = image_of((12, 9, 11), "float64")
    axes = settings.get("axes")
    if axes is None:
        axes = [axis for axis in range(3) if axis != settings["channel_axis"] % 3]
    moved = np.moveaxis(image, axes, (1, 2))
    expected = np.stack([reference.correlate(one, kernel) for one in moved])
    result = filters.correlate(image, kernel, **settings)
    assert_close(result, np.moveaxis(expected, (1, 2), axes), np.abs(kernel).sum())


def all_filters(image, **settings):
    """Return the results of filters that run on all engines."""
    return [
        filters.mean(image, 5, **settings), filters.gaussian(image, 2.0, **settings),
        filters.sobel(image, **settings), filters.kirsch(image, **settings),
        filters.laplace_of_gaussian(image, 1.0, **settings), filters.sharpen(image, **settings),
        filters.correlate(image, KERNELS["full rank"], **settings),
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_bits_depend_on_neither_threads_nor_layout(dtype, tier):
    image = image_of((150, 1100), dtype)
    wanted = all_filters(image, n_threads=1)
    strided = np.zeros((300, 2200), dtype)[::2, ::-2]
    strided[...] = image
    frozen = image.copy()
    frozen.flags.writeable = False
    for other in (image, np.asfortranarray(image), strided, frozen):
        for n_threads in (2, 3):
            for one, expected in zip(all_filters(other, n_threads=n_threads), wanted):
                np.testing.assert_array_equal(one, expected)


def test_stacks_have_the_bits_of_their_images():
    stack = image_of((3, 40, 50), "float32")
    for one, expected in zip(zip(*map(all_filters, stack)), all_filters(stack, axes=(1, 2))):
        np.testing.assert_array_equal(np.stack(one), expected)


@pytest.mark.parametrize("shape", [(2050, 2050), (2049, 2051)])
def test_large_results_are_written_past_the_caches_alike(shape):
    image = image_of(shape, "float32")
    crop = image[:60]
    for one, expected in zip(all_filters(image), all_filters(crop)):
        np.testing.assert_array_equal(one[:40], expected[:40])


@pytest.mark.parametrize("offset", [0, 1, 2, 4])
def test_outputs_may_begin_anywhere(offset):
    image = image_of((2049, 2051), "float32")
    room = np.zeros(image.size + 16, np.float32)
    out = room[offset:offset + image.size].reshape(image.shape)
    for function in (filters.sobel, filters.gaussian, filters.laplace):
        assert function(image, out=out) is out
        np.testing.assert_array_equal(out, function(image))
        assert not room[:offset].any()
        assert not room[offset + image.size:].any()


@pytest.mark.parametrize("settings", [{}, {"channel_axis": 0}, {"axes": (2, 0)}])
def test_out_is_written(settings):
    image = image_of((5, 8, 9), "float32")
    out = np.full_like(image, 7)
    assert filters.gaussian(image, out=out, **settings) is out
    np.testing.assert_array_equal(out, filters.gaussian(image, **settings))


def test_nothing_of_nothing():
    for shape in ((0, 5), (5, 0), (0, 0)):
        image = np.empty(shape, np.float32)
        for result in all_filters(image):
            assert result.shape == shape


# Integers


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (4, 3), (5, 5), (1, 200), (15, 17),
                                  (16, 16), (17, 17), (9, 2)])
@pytest.mark.parametrize("mode", MODES)
def test_mean_of_bytes_is_exact(size, mode):
    image = image_of((23, 150), "uint8")
    result = filters.mean(image, size, padding_mode=mode, constant_values=200)
    assert result.dtype == np.uint8
    sums = reference.correlate(image, np.ones(size), mode, 200).astype(np.int64)
    n = size[0] * size[1]
    np.testing.assert_array_equal(result, (sums + n // 2) // n)


def test_division_of_bytes_is_exact():
    for n in range(2, MOST_PIXELS + 1):
        half, multiplier, shift = divider(n)
        sums = np.arange(255 * n + 1)
        assert sums[-1] + half < 2**16
        assert multiplier < 2**16
        np.testing.assert_array_equal(
            (sums + half) * multiplier >> 16 >> shift, (sums + n // 2) // n)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int16", "uint32", "int32", "int64", "uint64"])
def test_mean_of_integers_is_exact(dtype):
    image = image_of((9, 10), dtype)
    image[0, :2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    for size in ((3, 3), (2, 4)):
        result = filters.mean(image, size)
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, reference.mean_of_integers(image, size))


@pytest.mark.parametrize("shape", [(40, 300), (3, 2), (7,), (4, 5, 6)])
@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0, 9.0])
def test_gaussian_of_bytes_is_within_one_level(shape, sigma, tier):
    image = image_of(shape, "uint8")
    image[image > 128] = 255
    for mode in MODES:
        result = filters.gaussian(image, sigma, padding_mode=mode, constant_values=255)
        assert result.dtype == np.uint8
        expected = filters.gaussian(
            image.astype(float), sigma, padding_mode=mode, constant_values=255)
        assert np.abs(result - expected).max() < 1


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
@pytest.mark.parametrize("sigma", [0, 0.3, 1.0, 8.0, 9.9, 20.0])
def test_constant_bytes_stay(value, sigma, tier):
    image = np.full((30, 200), value, np.uint8)
    np.testing.assert_array_equal(filters.gaussian(image, sigma), image)
    np.testing.assert_array_equal(filters.mean(image, 7), image)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32"])
def test_gaussian_of_integers_keeps_them_in_range(dtype):
    image = image_of((30, 40), dtype)
    result = filters.gaussian(image, 1.0)
    assert result.dtype == dtype
    assert np.abs(result - filters.gaussian(image.astype(float), 1.0)).max() < 1


@pytest.mark.parametrize(("given", "expected"), [
    ("float16", "float32"), ("bool", "float32"), ("uint8", "float32"), ("int32", "float64"),
    ("float64", "float64"),
])
def test_results_that_may_be_negative_are_floats(given, expected):
    image = (np.arange(30).reshape(5, 6) % 3).astype(given)
    for function in (filters.sobel, filters.laplace, filters.sharpen, filters.unsharp_mask):
        assert function(image).dtype == expected
        np.testing.assert_allclose(function(image), function(image.astype(float)), atol=1e-5)


def test_dtype_overrides():
    image = image_of((10, 12), "uint8")
    for function in (filters.mean, filters.gaussian, filters.sobel, filters.laplace):
        for dtype in ("float32", "float64"):
            result = function(image, dtype=dtype)
            assert result.dtype == dtype
            np.testing.assert_allclose(result, function(image.astype(dtype)), rtol=1e-6)


# NaN


def test_nan_stays_in_its_window():
    image = image_of((60, 80), "float32")
    image[20, 30] = np.nan
    for function, radius in ((filters.mean, 1), (lambda x: filters.mean(x, 9), 4),
                             (lambda x: filters.gaussian(x, 2), 8), (filters.sobel, 1),
                             (lambda x: filters.laplace_of_gaussian(x, 1), 4)):
        rows, columns = np.nonzero(np.isnan(function(image)))
        assert {rows.min(), rows.max()} == {20 - radius, 20 + radius}
        assert {columns.min(), columns.max()} == {30 - radius, 30 + radius}


# Properties


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 5), st.integers(1, 5),
       st.sampled_from(MODES), st.sampled_from(["float32", "float64"]), st.integers(0, 99))
def test_any_shapes(height, width, rows, columns, mode, dtype, seed):
    image = image_of((height, width), dtype, seed)
    kernel = np.random.default_rng(seed).standard_normal((rows, columns))
    result = filters.correlate(image, kernel, padding_mode=mode)
    assert_close(result, reference.correlate(image, kernel, mode), np.abs(kernel).sum())


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_filters_are_linear(name):
    one, other = image_of((20, 21), name), image_of((20, 21), name, 1)
    for function in (filters.mean, filters.gaussian, filters.laplace, filters.sharpen):
        np.testing.assert_allclose(function(one + 2 * other), function(one) + 2 * function(other),
                                   atol=1e-4 if name == "float32" else 1e-12)
