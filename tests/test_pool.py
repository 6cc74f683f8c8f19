"""Tests of pooling: every tier and dtype against the slow reference, and bit by bit."""

import math
from functools import lru_cache

import numpy as np
import pytest

import convlib as cl
import reference_pool
from convlib.ops._windows import fold, fold_table, run
from convlib.ops.pool import GLOBAL_KINDS, GlobalState, _checked, window_problem
from reference import same_bits, sample, tolerance

pytestmark = pytest.mark.kernels

DTYPES = ["float32", "float64"]
THREADS = [1, 2, 3, 8]

# name: shape of one image, window, settings
CASES = {
    "one pixel": ((1, 1, 3), 1, {}),
    "one value": ((1, 1), 1, {}),
    "padding around one pixel": ((1, 1, 2), 3, {"padding": "same", "stride": 1}),
    "window as large as the image": ((5, 7, 3), (5, 7), {}),
    "primes": ((13, 11, 7), (5, 3), {"padding": 1, "stride": (2, 1)}),
    "even window, same": ((9, 10, 3), (4, 2), {"padding": "same", "stride": 1}),
    "same with stride": ((11, 8, 2), (3, 5), {"padding": "same", "stride": (3, 2)}),
    "stride above window": ((17, 19, 2), (2, 3), {"stride": (5, 4)}),
    "stride above image": ((4, 5, 2), (3, 2), {"stride": 9, "padding": 1}),
    "one channel": ((14, 15, 1), 3, {"padding": 1, "stride": 1}),
    "one channel, strides": ((21, 23, 1), 3, {"padding": 1, "stride": (2, 3)}),
    "one channel, large window": ((30, 31, 1), (13, 17), {"padding": (6, 8), "stride": 1}),
    "large dilation": ((15, 16, 2), (3, 4), {"dilation": (7, 5), "stride": 1, "padding": (1, 2)}),
    "dilation and stride with a divisor": ((20, 21, 5), 3, {"dilation": (4, 6), "stride": (2, 4)}),
    "channels below a vector": ((9, 8, 15), 3, {"stride": 2, "padding": 1}),
    "channels of a vector": ((9, 8, 16), 3, {"stride": 2, "padding": 1}),
    "channels above a vector": ((9, 8, 17), 3, {"stride": 2, "padding": 1}),
    "channels above a vector, stride 1": ((9, 8, 17), 3, {"stride": 1, "padding": 1}),
    "channels of four vectors and more": ((7, 6, 81), 2, {}),
    "large window": ((24, 22, 20), (11, 9), {"stride": 1, "padding": (5, 4)}),
    "large window, small stride": ((27, 55, 18), (19, 37), {"stride": (2, 3), "padding": (3, 18)}),
    "large window, large stride": ((25, 26, 18), (12, 13), {"stride": (12, 7)}),
    "power of two": ((20, 21, 3), 16, {"stride": 1}),
    "pads that differ": ((8, 9, 4), (4, 5), {"padding": ((3, 0), (1, 4)), "stride": (3, 1)}),
    "ceil_mode": ((8, 9, 3), 3, {"stride": 2, "ceil_mode": True}),
    "ceil_mode, padding": ((10, 7, 18), 4, {"stride": 3, "padding": (2, 1), "ceil_mode": True}),
    "several blocks": ((70, 61, 50), 3, {"stride": 2, "padding": 1}),
    "signal": ((50, 3), 7, {"padding": 3, "stride": 1}),
    "signal, all settings": ((61, 4), 5, {"padding": ((2, 7),), "stride": 3, "dilation": 4}),
    "long window of a signal": ((200, 1), 101, {"padding": 50, "stride": 1}),
    "volume": ((5, 6, 7, 3), 2, {}),
    "volume, overlapping": ((5, 6, 7, 3), (3, 2, 3), {"padding": 1, "stride": 1}),
    "volume, all settings": ((9, 8, 7, 17), (2, 3, 2),
                             {"padding": ((1, 1), (0, 3), (1, 0)), "stride": (2, 1, 3),
                              "dilation": (3, 2, 1), "ceil_mode": True}),
}
SHAPES = {
    "one value": (1, 1), "one pixel": (1, 1, 3), "primes": (13, 11, 7), "signal": (50, 3),
    "one channel": (37, 41, 1), "many rows of lanes": (50, 130, 5), "volume": (5, 6, 7, 3),
    "a vector of channels": (5, 4, 64), "channels above a vector": (5, 4, 65),
    "many channels": (3, 3, 700), "several segments": (130, 127, 3),
    "several segments of two vectors": (70, 40, 100),
}
MEMORY = {
    "Fortran": lambda x: np.asfortranarray(x),
    "negative strides": lambda x: np.ascontiguousarray(x[::-1, ::-1, :, ::-1])[::-1, ::-1, :, ::-1],
    "channels first": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -1, 1)), 1, -1),
    "some of the channels": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "a part of the image": lambda x: np.pad(x, ((0, 0), (1, 2), (3, 1), (0, 0)))[:, 1:-2, 3:-1],
    "transposed images": lambda x: x.swapaxes(1, 2).copy().swapaxes(1, 2),
}


@lru_cache
def solution(name):
    """Return three images, the window, the settings and the reference of a case."""
    shape, size, form = CASES[name]
    images = sample((3, *shape))
    return images, size, form, reference_pool.Pooling(images, size, **form)


def poolings(size, form):
    """Return functions of images and keywords, by name, for every way to pool."""
    same = {"size": size} | form
    return {
        "max": lambda x, **more: cl.max_pool(x, **same, **more),
        "maxima": lambda x, **more: cl.max_pool(x, return_indices=True, **same, **more)[0],
        "indices": lambda x, **more: cl.max_pool(x, return_indices=True, **same, **more)[1],
        "mean": lambda x, **more: cl.average_pool(x, **same, **more),
        "mean of pixels": lambda x, **more: cl.average_pool(
            x, count_include_pad=False, **same, **more),
        "norm": lambda x, **more: cl.lp_pool(x, **same, **more),
        "norm 3": lambda x, **more: cl.lp_pool(x, p=3, **same, **more),
    }


def assert_within(out, expected, allowed, dtype):
    assert out.dtype == dtype
    assert out.shape == expected.shape
    assert (np.abs(out - expected) <= allowed).all()


# Against the reference


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_max_pool_equals_the_reference(tier, case, dtype):
    images, size, form, pooling = solution(case)
    maxima, indices = pooling.max()
    for n in THREADS:
        out = cl.max_pool(images.astype(dtype), size, n_threads=n, **form)
        assert same_bits(out, maxima.astype(dtype))
        both = cl.max_pool(images.astype(dtype), size, return_indices=True, n_threads=n, **form)
        assert same_bits(both[0], maxima.astype(dtype))
        assert same_bits(both[1], indices)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_average_pool_equals_the_reference(tier, case, include, dtype):
    images, size, form, pooling = solution(case)
    form = form | {"count_include_pad": include}
    outs = [cl.average_pool(images.astype(dtype), size, n_threads=n, **form) for n in THREADS]
    magnitude = reference_pool.Pooling(np.abs(images), size, **CASES[case][2]).mean(include)
    n_terms = np.prod(size) ** (1 if isinstance(size, tuple) else images.ndim - 2)
    allowed = tolerance(dtype, n_terms, magnitude)
    assert_within(outs[0], pooling.mean(include), allowed, dtype)
    assert all(same_bits(out, outs[0]) for out in outs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [1, 2, 3, 0.5, 2.5])
@pytest.mark.parametrize("case", CASES)
def test_lp_pool_equals_the_reference(tier, case, p, dtype):
    images, size, form, pooling = solution(case)
    outs = [cl.lp_pool(images.astype(dtype), size, p=p, n_threads=n, **form) for n in THREADS]
    expected = pooling.norm(p)
    n_terms = np.prod(size) ** (1 if isinstance(size, tuple) else images.ndim - 2)
    # The root passes on 1 / p of the relative error of the sum; powers and root round too.
    allowed = tolerance(dtype, n_terms, expected) * (1 + 1 / p)
    assert_within(outs[0], expected, allowed, dtype)
    assert all(same_bits(out, outs[0]) for out in outs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", GLOBAL_KINDS)
@pytest.mark.parametrize("case", SHAPES)
def test_global_pool_equals_the_reference(tier, case, kind, dtype):
    images = sample((3, *SHAPES[case]))
    outs = [cl.global_pool(images.astype(dtype), kind, n_threads=n) for n in THREADS]
    expected = reference_pool.statistic(images, kind)
    n_pixels = math.prod(images.shape[1:-1])
    allowed = tolerance(dtype, 1, np.abs(expected))
    allowed += tolerance("float64", n_pixels, np.abs(images).max())
    if kind == "mean":  # up to eight pixels are summed in the dtype
        allowed += tolerance(dtype, 8, np.abs(images).mean(axis=tuple(range(1, images.ndim - 1))))
    assert_within(outs[0], expected, allowed, dtype)
    assert all(same_bits(out, outs[0]) for out in outs)
    kept = cl.global_pool(images.astype(dtype), kind, keepdims=True)
    assert kept.shape == (3, *(1 for _ in SHAPES[case][:-1]), SHAPES[case][-1])
    assert kept.tobytes() == outs[0].tobytes()


@pytest.mark.parametrize("case", ["primes", "one channel", "signal", "volume, overlapping"])
def test_max_unpool_equals_the_reference(case):
    images, size, form, _ = solution(case)
    maxima, indices = cl.max_pool(images, size, return_indices=True, **form)
    expected = reference_pool.unpool(maxima, indices, images.shape[1:-1])
    for n in THREADS:
        assert same_bits(cl.max_unpool(maxima, indices, images.shape[1:-1], n_threads=n), expected)


def test_max_unpool_keeps_the_last_of_several_in_any_memory_order():
    values = np.arange(24.0).reshape(2, 3, 2, 2)
    indices = np.array([[5, 0], [5, 5], [0, 2]]).reshape(1, 3, 2, 1)
    indices = np.broadcast_to(indices, values.shape).astype("int32")
    expected = reference_pool.unpool(values, indices, (2, 3))
    assert expected[0, 1, 2, 0] == 6
    for change in (np.asfortranarray, lambda x: x[::-1].copy()[::-1]):
        assert same_bits(cl.max_unpool(change(values), change(indices), (2, 3)), expected)


@pytest.mark.parametrize("is_max", [True, False])
@pytest.mark.parametrize("times", [1, 3])
def test_folds_cover_each_tap_of_a_window_once(is_max, times):
    for n_taps in [*range(1, 200), 1000, 4097]:
        cost, radices = fold(n_taps, is_max, times)
        (n_levels, n_values), *rows = fold_table(n_taps, is_max, radices).tolist()
        assert rows[:n_levels] == [[n, math.prod(radices[:i])] for i, n in enumerate(radices)]
        assert len(rows) == n_levels + n_values
        assert cost <= n_taps
        assert n_taps < 16 * times or n_values < n_taps
        seen = np.zeros(n_taps, int)
        for level, first in rows[n_levels:]:
            last = first + math.prod(radices[:level])
            assert 0 <= first < last <= n_taps
            seen[first:last] += 1
        assert (seen >= 1).all() if is_max else (seen == 1).all()


# Same bits


@pytest.mark.parametrize("layout", MEMORY)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ["primes", "channels above a vector", "one channel",
                                  "large window", "same with stride"])
def test_memory_order_does_not_matter(tier, case, dtype, layout):
    images, size, form, _ = solution(case)
    images = images.astype(dtype)
    other = MEMORY[layout](images)
    assert np.array_equal(other, images)
    for pool in poolings(size, form).values():
        assert same_bits(pool(other), pool(images))
    for kind in GLOBAL_KINDS:
        assert same_bits(cl.global_pool(other, kind), cl.global_pool(images, kind))


def test_read_only_and_mapped_images(tmp_path):
    images = sample((2, 9, 8, 5)).astype("float32")
    mapped = np.memmap(tmp_path / "images", "float32", "w+", shape=images.shape)
    mapped[:] = images
    mapped.flush()
    mapped = np.memmap(tmp_path / "images", "float32", "r", shape=images.shape)
    images.flags.writeable = False
    for pool in poolings(3, {"stride": 1}).values():
        assert same_bits(pool(mapped), pool(images))
    assert same_bits(cl.global_pool(mapped, "std"), cl.global_pool(images, "std"))


@pytest.mark.parametrize("case", CASES)
def test_a_batch_is_its_images(tier, case):
    images, size, form, _ = solution(case)
    images = images.astype("float32")
    for pool in poolings(size, form).values():
        whole = pool(images)
        assert same_bits(np.concatenate([pool(images[i:i + 1]) for i in range(3)]), whole)
        assert pool(images[:0]).shape == (0, *whole.shape[1:])
    for kind in GLOBAL_KINDS:
        whole = cl.global_pool(images, kind)
        alone = [cl.global_pool(images[i:i + 1], kind) for i in range(3)]
        assert same_bits(np.concatenate(alone), whole)
        assert same_bits(cl.global_pool(images[:0], kind), whole[:0])


@pytest.mark.parametrize("kind", ["max", "mean", "norm_1", "norm_2", "norm"])
@pytest.mark.parametrize("case", CASES)
def test_strips_of_rows_have_the_bits_of_the_whole(tier, case, kind):
    images, size, form, _ = solution(case)
    images = images.astype("float32")
    rank = images.ndim - 2
    settings = [form.get("stride"), form.get("padding", 0), form.get("dilation", 1),
                form.get("ceil_mode", False)]
    problem = _checked(images, size, *settings, kind, p=2.5)[1].problem
    shape = (3, *problem.output_size[3 - rank:], images.shape[-1])
    whole, strips = np.empty(shape, "float32"), np.full(shape, np.nan, "float32")
    run(problem, images, 0, whole, 0, 1)
    rng = np.random.default_rng(0)
    first = 0
    while first < shape[1]:
        last = min(first + int(rng.integers(1, 6)), shape[1])
        begin, end = problem.input_rows(first, last - first)
        out = np.full((3, last - first, *shape[2:]), np.nan, "float32")
        run(problem, images[:, begin:end].copy(), begin, out, first, 2)
        strips[:, first:last] = out
        first = last
    assert same_bits(strips, whole)


def test_window_problems_are_those_of_the_functions():
    images = sample((2, 9, 8, 3)).astype("float32")
    for kind, function in (("max", cl.max_pool), ("mean", cl.average_pool), ("lp", cl.lp_pool)):
        problem = window_problem(kind, (9, 8), (3, 2), (2, 1), images.dtype)
        expected = function(images, (3, 2), stride=(2, 1))
        out = np.empty_like(expected)
        run(problem, images, 0, out, 0, None)
        assert same_bits(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", GLOBAL_KINDS)
@pytest.mark.parametrize("case", SHAPES)
def test_strips_of_images_have_the_statistics_of_the_whole(tier, case, kind, dtype):
    images = sample((2, *SHAPES[case])).astype(dtype)
    whole = cl.global_pool(images, kind)
    rng = np.random.default_rng(0)
    for most in (1, 3, 10):
        state = GlobalState(kind, 2, images.shape[-1])
        first = 0
        while first < images.shape[1]:
            last = min(first + int(rng.integers(1, most + 1)), images.shape[1])
            state.add(images[:, first:last], int(rng.integers(1, 4)))
            first = last
        assert same_bits(state.result(images.dtype), whole)


# Values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_special_values_are_those_of_ieee(tier, case, dtype):
    images, size, form, _ = solution(case)
    rng = np.random.default_rng(1)
    images = images.copy()
    for value in (np.nan, np.inf, -np.inf):
        images[rng.random(images.shape) < 0.03] = value
    pooling = reference_pool.Pooling(images, size, **form)
    with np.errstate(invalid="ignore"):
        maxima, indices = pooling.max()
        expected = {"max": maxima, "maxima": maxima, "indices": indices, "mean": pooling.mean(),
                    "norm": pooling.norm(2), "norm 3": pooling.norm(3)}
    for name, pool in poolings(size, form).items():
        if name in expected:
            out = pool(images.astype(dtype))
            rtol, atol = tolerance(dtype, np.prod(images.shape), np.array([1.0, 4.0]))
            np.testing.assert_allclose(out, expected[name], rtol=rtol, atol=atol)


@pytest.mark.parametrize("channels", [1, 3, 33])
@pytest.mark.parametrize("size", [2, 3, 13])
def test_one_nan_reaches_its_windows_alone(tier, size, channels):
    images = sample((1, 31, 30, channels)).astype("float32")
    images[0, 14, 15, channels // 2] = np.nan
    at = {"stride": 1, "padding": "same"}
    seen = np.zeros(images.shape, bool)
    before = (size - 1) // 2
    seen[0, 14 - (size - 1 - before):15 + before, 15 - (size - 1 - before):16 + before,
         channels // 2] = True
    for name, pool in poolings(size, at).items():
        if name == "indices":
            assert (pool(images)[seen] == 14 * 30 + 15).all()
        else:
            assert np.array_equal(np.isnan(pool(images)), seen)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_maximum_and_the_first_nan_win(tier, dtype):
    images = np.full((1, 4, 40, 1), -np.inf, dtype)
    assert (cl.max_pool(images, (2, 4), return_indices=True)[1][0, 0, :, 0]
            == np.arange(0, 40, 4)).all()
    images[0, 1, 1::4] = images[0, 1, 2::4] = 5
    assert (cl.max_pool(images, (2, 4), return_indices=True)[1][0, 0, :, 0]
            == 40 + np.arange(1, 40, 4)).all()
    images[0, 1, 3::4] = np.nan
    images[0, 0, 3::4] = np.nan
    images[0, 1, 0::4] = np.inf
    assert (cl.max_pool(images, (2, 4), return_indices=True)[1][0, 0, :, 0]
            == np.arange(3, 40, 4)).all()


@pytest.mark.parametrize("kind", GLOBAL_KINDS)
def test_nan_in_global_pooling(tier, kind):
    images = np.abs(sample((3, 9, 11, 5))).astype("float32")
    images[1, 4, 5, 2] = np.nan
    out = cl.global_pool(images, kind)
    expected = np.zeros((3, 5), bool)
    expected[1, 2] = kind != "ppv"
    assert np.array_equal(np.isnan(out), expected)
    if kind == "ppv":
        assert out[1, 2] == np.float32(98 / 99)


def test_std_is_precise_beside_a_large_offset():
    images = sample((2, 30, 40, 3)) + 1e8
    expected = (images - 1e8).std(axis=(1, 2))
    # Each value is off by half a unit of the offset, each mean by some more.
    allowed = tolerance("float64", 1200, 1e8)
    assert (np.abs(cl.global_pool(images, "std") - expected) <= allowed).all()
    assert (cl.global_pool(np.full((1, 9, 9, 2), 0.1), "std") < 1e-16).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_mean_of_a_constant_is_that_constant(tier, dtype):
    images = np.ones((1, 40, 41, 3), dtype)
    for size in range(1, 40):
        assert (cl.average_pool(images, (size, 41), stride=1) == 1).all()
        assert (cl.average_pool(images, size, stride=1) == 1).all()


@pytest.mark.parametrize(("given", "computed"), [
    ("bool", "float32"), ("uint8", "float32"), ("int16", "float32"), ("float16", "float32"),
    ("int32", "float64"), ("uint64", "float64"),
])
def test_dtypes(given, computed):
    images = np.random.default_rng(0).integers(0, 2, (2, 6, 6, 3)).astype(given)
    wanted = images.astype(computed)
    for name, pool in poolings(2, {}).items():
        assert same_bits(pool(images), pool(wanted))
        assert name == "indices" or pool(images).dtype == computed
    assert cl.global_pool(images, "mean").dtype == computed


def test_out_is_written_and_returned():
    images = sample((2, 7, 7, 3))
    for name, pool in poolings(3, {"stride": 2}).items():
        if name in ("max", "mean", "norm"):
            out = np.full((2, 3, 3, 3), np.nan)
            assert pool(images, out=out) is out
            assert same_bits(out, pool(images))
    out = np.full((2, 3, 3, 3), np.nan)
    assert cl.max_pool(images, 3, stride=2, return_indices=True, out=out)[0] is out
