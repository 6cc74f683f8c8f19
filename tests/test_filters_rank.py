"""Median, extremes and percentiles, against scipy.ndimage and the obvious loop."""

from itertools import product

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convlib import filters
from convlib._filters import _networks, rank
from convlib._native import cpu, rank_filter, rank_order

# What scipy calls the modes of numpy.pad.
MODES = {"symmetric": "reflect", "reflect": "mirror", "edge": "nearest", "wrap": "wrap",
         "constant": "constant"}
DTYPES = rank.PIXEL_TYPES
CONSTANT = 7

# Shape and window. Small images, lines shorter than a vector, windows larger than the image,
# even windows, one to four axes, networks, boxes of doubling and windows of ranks.
CASES = (
    ((40, 70), (3, 3)), ((41, 131), (5, 5)), ((33, 150), (3, 5)), ((20, 30), (9, 9)),
    ((20, 33), (7, 4)), ((11,), (3,)), ((200,), (9,)), ((300,), (64,)), ((9, 10, 11), (3, 3, 3)),
    ((9, 4, 20), (2, 3, 4)), ((7, 5), (15, 15)), ((30, 37), (27, 31)), ((1, 1), (3, 3)),
    ((1, 40), (5, 5)), ((40, 1), (3, 3)), ((3, 4, 3, 5), (2, 3, 1, 3)), ((90, 40), (4, 1)),
    ((20, 40), (1, 6)), ((5, 6), (1, 1)),
)


def image_of(shape, dtype, seed=0):
    """Return an image with many equal values, negative ones too if there are any."""
    values = np.random.default_rng(seed).integers(0, 100, shape)
    dtype = np.dtype(dtype)
    return (values - (50 if dtype.kind in "if" else 0)).astype(dtype)


def pairs(image, size, mode, n_threads=None):
    """Return (ours, scipy's) for each filter."""
    own = {"padding_mode": mode, "constant_values": CONSTANT, "n_threads": n_threads}
    peer = {"mode": MODES[mode], "cval": CONSTANT}
    return {
        "median": (filters.median(image, size, **own),
                   scipy.ndimage.median_filter(image, size, **peer)),
        "maximum": (filters.maximum(image, size, **own),
                    scipy.ndimage.maximum_filter(image, size, **peer)),
        "minimum": (filters.minimum(image, size, **own),
                    scipy.ndimage.minimum_filter(image, size, **peer)),
        "percentile": (filters.percentile(image, 20, size, **own),
                       scipy.ndimage.percentile_filter(image, 20, size, **peer)),
    }


def windows(image, footprint, mode):
    """Return the values under the footprint at each pixel, as a last axis."""
    pads = [(n // 2, n - 1 - n // 2) for n in footprint.shape]
    extra = {"constant_values": CONSTANT} if mode == "constant" else {}
    padded = np.pad(image, pads, mode, **extra)
    view = np.lib.stride_tricks.sliding_window_view(padded, footprint.shape)
    return view[..., footprint]


# The border is found by bytes, so that one small and one large dtype stand for the others.
@pytest.mark.parametrize(("dtype", "mode"), [
    *product(("uint8", "float32"), MODES),
    *((dtype, "reflect") for dtype in DTYPES if dtype not in ("uint8", "float32")),
])
@pytest.mark.parametrize(("shape", "size"), CASES)
def test_scipy(dtype, shape, size, mode):
    image = image_of(shape, dtype)
    for name, (ours, peer) in pairs(image, size, mode).items():
        assert ours.dtype == image.dtype
        np.testing.assert_array_equal(ours, peer, name)


@pytest.mark.parametrize(("shape", "size"), CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_tiers(tier, dtype, shape, size):
    image = image_of(shape, dtype, 1)
    for name, (ours, peer) in pairs(image, size, "reflect", 2).items():
        np.testing.assert_array_equal(ours, peer, name)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize(("shape", "size"), [((23, 31), (3, 3)), ((19, 40), (4, 5)), ((50,), (6,)),
                                         ((6, 9, 12), (3, 2, 3)), ((30, 40), (21, 27))])
def test_footprint(shape, size, dtype, mode):
    rng = np.random.default_rng(2)
    footprint = rng.random(size) < 0.5
    footprint[(0,) * len(size)] = True
    image = image_of(shape, dtype, 2)
    values = np.sort(windows(image, footprint, mode), axis=-1)
    n = values.shape[-1]
    own = {"footprint": footprint, "padding_mode": mode, "constant_values": CONSTANT}
    np.testing.assert_array_equal(filters.median(image, **own), values[..., n // 2])
    np.testing.assert_array_equal(filters.maximum(image, **own), values[..., -1])
    np.testing.assert_array_equal(filters.minimum(image, **own), values[..., 0])
    np.testing.assert_array_equal(
        filters.percentile(image, 35, **own), values[..., int(n * 35 / 100)])


@pytest.mark.parametrize("q", [0, 1, 12.5, 50, 66, 99, 100])
@pytest.mark.parametrize("size", [3, 4, 5, 11])
def test_percentile(q, size):
    image = image_of((30, 35), "float32", 3)
    np.testing.assert_array_equal(
        filters.percentile(image, q, size),
        scipy.ndimage.percentile_filter(image, q, size, mode="reflect"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(3, 3), (5, 5), (3, 4), (7, 7), (25, 25), (1, 9)])
def test_nan(size, dtype):
    """Outputs are NaN where their window holds a NaN, and nowhere else."""
    rng = np.random.default_rng(4)
    image = rng.standard_normal((70, 90)).astype(dtype)
    image[rng.random(image.shape) < 0.004] = np.nan
    image[3, 3] = np.inf
    image[4, 5] = -np.inf
    values = windows(image, np.ones(size, bool), "symmetric")
    n = values.shape[-1]
    is_nan = np.isnan(values).any(axis=-1)
    assert is_nan.any()
    assert (size == (25, 25) or not is_nan.all())
    ordered = np.where(is_nan[..., None], np.nan, np.sort(values, axis=-1)).astype(dtype)
    for ours, place in ((filters.median(image, size), n // 2),
                        (filters.percentile(image, 10, size), n // 10),
                        (filters.maximum(image, size), n - 1), (filters.minimum(image, size), 0)):
        np.testing.assert_array_equal(ours, ordered[..., place])


def test_nan_constant():
    image = np.ones((6, 7), np.float32)
    for function in (filters.median, filters.maximum, filters.minimum):
        out = function(image, 3, padding_mode="constant", constant_values=np.nan)
        assert np.isnan(out[0]).all()
        assert np.isnan(out[:, -1]).all()
        assert (out[1:-1, 1:-1] == 1).all()


@pytest.mark.parametrize("size", [3, 5, 7, 23])
@pytest.mark.parametrize("channels", [1, 3, 70])
def test_channels_and_stacks(size, channels):
    image = image_of((2, 30, 40, channels), "uint8", 5)
    for name in ("median", "maximum", "minimum"):
        function = getattr(filters, name)
        out = function(image, size, axes=(1, 2))
        for i, c in product(range(2), range(channels)):
            np.testing.assert_array_equal(out[i, :, :, c], function(image[i, :, :, c], size))
        np.testing.assert_array_equal(
            function(image[0], size, channel_axis=-1), out[0])


@pytest.mark.parametrize("size", [3, 5, 9, 29])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_same_bits(size, dtype):
    """Neither threads nor the layout of the image change a bit."""
    image = image_of((150, 170), dtype, 6)
    if image.dtype.kind == "f":
        image[image == 0] = -0.0
    one = filters.median(image, size, n_threads=1)
    spread = np.zeros((300, 340), dtype)[::2, ::2]
    spread[...] = image
    for other in (filters.median(image, size, n_threads=3),
                  filters.median(np.asfortranarray(image), size),
                  filters.median(spread, size)):
        assert one.tobytes() == other.tobytes()


def test_out_and_dtype():
    image = image_of((20, 30), "uint8", 7)
    out = np.empty_like(image)
    assert filters.median(image, out=out) is out
    np.testing.assert_array_equal(out, filters.median(image))
    wide = filters.maximum(image, 3, dtype="float64")
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide, filters.maximum(image, 3))
    half = filters.median(image.astype(np.float16))
    assert half.dtype == np.float32
    moved = np.empty((20, 30), np.uint8)
    assert filters.minimum(image, (3, 5), axes=(1, 0), out=moved) is moved
    np.testing.assert_array_equal(moved, filters.minimum(image, (5, 3)))


def test_empty():
    for shape in ((0, 5), (5, 0), (0,)):
        assert filters.median(np.empty(shape, np.uint8)).shape == shape
        assert filters.maximum(np.empty(shape, np.float32)).shape == shape


@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 3), (1, 40), (2, 2), (3, 3), (4, 7), (9, 3),
                                               (5, 5), (8, 8), (12, 12), (7, 1), (1, 1)])
def test_networks_select(n_rows, n_columns):
    """Programs, run in plain NumPy, select each rank."""
    size = n_rows * n_columns
    for k in {0, size // 10, size // 2, size - 1}:
        program = _networks.box_program(n_rows, n_columns, k)
        values = np.random.default_rng(k).integers(0, 20, (n_rows, 50 + n_columns - 1))
        lines = list(values)
        for first, end in zip(program.stages, program.stages[1:]):
            n = 50 + first[0]
            slots = [lines[line][shift:shift + n].copy()
                     for line, shift in program.slots[first[1]:end[1]]]
            for low, high, keep in program.exchanges[first[2]:end[2]]:
                a, b = np.minimum(slots[low], slots[high]), np.maximum(slots[low], slots[high])
                slots[low] = slots[low] if keep == _networks.KEEP_HIGH else a
                slots[high] = slots[high] if keep == _networks.KEEP_LOW else b
            lines += [slots[slot] for slot in program.chosen[first[3]:end[3]]]
        view = np.lib.stride_tricks.sliding_window_view(values, (n_rows, n_columns))
        expected = np.sort(view.reshape(50, size), axis=1)[:, k]
        np.testing.assert_array_equal(lines[-1], expected)
        assert len(lines) == n_rows + program.n_lines


# What each way below the chooser is called, and its predicted speeds.
WAYS = {
    "network": (rank_filter.rank_filter, ("SLOT_SECONDS", "VECTOR_SECONDS")),
    "ranks": (rank_order.rank_order, ("MOVE_SECONDS", "RANK_SECONDS", "FOUND_SECONDS")),
    "counts": (rank_order.rank_bytes, ("COUNT_SECONDS", "SUM_SECONDS", "DIGITS_SECONDS")),
}


def plan_of(image, size, k):
    """Return the plan for one image without channels."""
    return rank._plan(image.shape, 1, image.dtype, size, None, k, None, "symmetric", cpu.tier())


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "float32", "float64", "int64"])
@pytest.mark.parametrize("size", [(7, 7), (3, 3, 3), (1, 21), (13, 2)])
def test_all_ways_agree(monkeypatch, size, dtype):
    """Each of them is taken where the others are slow, and gives the same."""
    image = image_of((4, 60, 50)[-len(size):], dtype, 8)
    results = []
    for way, (kernel, _) in WAYS.items():
        if way == "counts" and dtype not in ("uint8", "int8"):
            continue
        with monkeypatch.context() as patch:
            for other, (_, speeds) in WAYS.items():
                for name in speeds if other != way else ():
                    patch.setattr(rank, name, 1.0)
            rank._plan.cache_clear()
            assert plan_of(image, size, np.prod(size) // 2).kernel is kernel
            results.append(filters.median(image, size))
    rank._plan.cache_clear()
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(("shape", "size"), [
    ((80, 150), (17, 19)), ((70, 37), (31, 33)), ((9, 20, 30), (5, 9, 11)), ((3, 5), (255, 257)),
])
def test_bytes_in_large_windows_are_counted(tier, shape, size, dtype):
    """Over many tiles, for all ranks, threads and channels."""
    full = np.random.default_rng(11).integers(0, 256, shape).astype("uint8").view(dtype)
    n = np.prod(size)
    ranks = {q: int(n * q / 100) for q in (0.4, 50, 99)}
    for image in (full, full // 16):
        assert plan_of(image, size, n // 2).kernel is rank_order.rank_bytes
        values = windows(image, np.ones(size, bool), "symmetric")
        values.partition(list(ranks.values()), axis=-1)
        for q, k in ranks.items():
            for n_threads in (1, 2):
                result = filters.percentile(image, q, size, n_threads=n_threads)
                np.testing.assert_array_equal(result, values[..., k])
    result = filters.median(np.stack([full, full[::-1]], axis=-1), size, channel_axis=-1)
    for c, image in enumerate((full, full[::-1])):
        np.testing.assert_array_equal(result[..., c], filters.median(image, size))


def test_windows_with_more_bytes_than_are_counted():
    image = image_of((4, 5), "uint8", 12)
    assert plan_of(image, (256, 256), 2**15).kernel is rank_order.rank_order
    values = windows(image, np.ones((256, 256), bool), "symmetric")
    values.partition(2**15, axis=-1)
    np.testing.assert_array_equal(filters.median(image, 256), values[..., 2**15])


SMALL = hnp.arrays(np.int16, hnp.array_shapes(min_dims=1, max_dims=3, max_side=12),
                   elements=st.integers(-300, 300))


@settings(max_examples=60, deadline=None)
@given(image=SMALL, size=st.integers(1, 6), mode=st.sampled_from(sorted(MODES)))
def test_monotone_maps_commute(image, size, mode):
    def rises(values):
        return 3 * values + 5

    own = {"size": size, "padding_mode": mode}
    np.testing.assert_array_equal(
        filters.median(rises(image), constant_values=rises(4), **own),
        rises(filters.median(image, constant_values=4, **own)))


@settings(max_examples=60, deadline=None)
@given(image=SMALL, size=st.integers(1, 6), mode=st.sampled_from(sorted(MODES)))
def test_extremes_are_dual(image, size, mode):
    own = {"size": size, "padding_mode": mode}
    smallest = filters.minimum(image, constant_values=4, **own)
    largest = filters.maximum(image, constant_values=4, **own)
    np.testing.assert_array_equal(
        -filters.maximum(-image, constant_values=-4, **own), smallest)
    middle = filters.median(image, constant_values=4, **own)
    assert (smallest <= middle).all()
    assert (middle <= largest).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [3, 5])
def test_opencv(size, dtype):
    cv2 = pytest.importorskip("cv2")
    image = image_of((50, 60), dtype, 9)
    np.testing.assert_array_equal(
        filters.median(image, size, padding_mode="edge"), cv2.medianBlur(image, size))
    window = np.ones((size, size), np.uint8)
    np.testing.assert_array_equal(filters.maximum(image, size), cv2.dilate(image, window))
    np.testing.assert_array_equal(filters.minimum(image, size), cv2.erode(image, window))


def test_skimage():
    rank_filters = pytest.importorskip("skimage.filters")
    image = image_of((40, 50), "uint8", 10)
    footprint = np.ones((5, 5), np.uint8)
    np.testing.assert_array_equal(
        filters.median(image, 5, padding_mode="edge"), rank_filters.median(image, footprint))


@pytest.mark.parametrize(("arguments", "message"), [
    ({"size": 0}, "size must be an int"),
    ({"size": (3, 3, 3)}, "size must be an int"),
    ({"footprint": np.zeros((3, 3))}, "at least one True"),
    ({"footprint": np.ones(3)}, "footprint must be an array of bool with 2 axes"),
    ({"size": 4000}, "size must be a window of at most"),
    ({"padding_mode": "mirror"}, "padding_mode must be one of"),
    ({"constant_values": 256}, "constant_values must be a number that uint8 can hold"),
])
def test_refused_values(arguments, message):
    with pytest.raises(ValueError, match=message):
        filters.median(np.zeros((5, 5), np.uint8), **arguments)


def test_refused_types():
    image = np.zeros((5, 5))
    with pytest.raises(TypeError, match="footprint"):
        filters.median(image, footprint=[["a"]])
    with pytest.raises(TypeError, match="size"):
        filters.maximum(image, 2.5)
    with pytest.raises(TypeError, match="q must be a number from 0 to 100"):
        filters.percentile(image, "50")
    for q in (-1, 101, np.nan):
        with pytest.raises(ValueError, match="q must be a number from 0 to 100"):
            filters.percentile(image, q)
