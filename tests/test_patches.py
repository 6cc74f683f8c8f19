"""Tests of im2col and col2im: the reference, the product that is conv, and the adjoint."""

from functools import lru_cache

import numpy as np
import pytest
import scipy.sparse
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convlib as cl
import reference
from convlib._validation import PADDING_MODES
from convlib.ops import patches
from reference import same_bits, sample

pytestmark = pytest.mark.kernels

DTYPES = ["float32", "float64"]
THREADS = [1, 2, 3, 8]

# name: shape of one image, size of a window, settings
CASES = {
    "one value": ((1, 1), (1,), {}),
    "signal": ((13, 3), (4,), {"stride": 3}),
    "signal, dilation": ((23, 2), (3,), {"dilation": 5, "padding": ((4, 1),)}),
    "image": ((7, 5, 3), (3, 2), {}),
    "window as large as the image": ((4, 5, 2), (4, 5), {}),
    "same": ((8, 9, 2), (3, 4), {"padding": "same", "stride": (2, 3)}),
    "pads longer than the image": ((3, 2, 2), (2, 3), {"padding": ((8, 5), (3, 9))}),
    "stride above window": ((11, 13, 2), (2, 1), {"stride": (4, 5), "padding": ((6, 7), (0, 12))}),
    "all settings": ((9, 8, 3), (3, 2), {"padding": ((2, 7), (10, 1)), "stride": (3, 2),
                                         "dilation": (2, 4)}),
    "one pixel": ((1, 1, 2), (2, 3), {"padding": 3}),
    "volume": ((3, 4, 5, 2), (2, 3, 1), {"padding": ((1, 4), (0, 2), (6, 0)),
                                         "stride": (1, 2, 2), "dilation": (3, 1, 1)}),
}


@lru_cache
def solved(case, mode):
    """Return images and their columns; other columns, their images, and how these round."""
    shape, size, options = CASES[case]
    form = reference.per_axis(shape[:-1], size, padding_mode=mode, **options)
    images = sample((2, *shape))
    columns = reference.im2col(images, size, **form)
    others = sample(columns.shape, 1)
    sums = reference.col2im(others, images.shape, size, **form)
    magnitude = reference.col2im(np.abs(others), images.shape, size, **form)
    n_terms = reference.col2im(np.ones(columns.shape), images.shape, size, **form).max()
    return images, columns, others, sums, (n_terms, magnitude)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("case", CASES)
def test_im2col_equals_the_reference(case, mode, dtype):
    images, columns, *_ = solved(case, mode)
    _, size, options = CASES[case]
    for n in THREADS:
        out = cl.im2col(images.astype(dtype), size, padding_mode=mode, n_threads=n, **options)
        assert same_bits(out, columns.astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("case", CASES)
def test_col2im_equals_the_reference(case, mode, dtype):
    _, _, columns, sums, rounding = solved(case, mode)
    shape, size, options = CASES[case]
    form = options | {"padding_mode": mode}
    outs = [cl.col2im(columns.astype(dtype), shape[:-1], size, n_threads=n, **form)
            for n in THREADS]
    assert outs[0].dtype == dtype
    assert outs[0].shape == sums.shape
    assert (np.abs(outs[0] - sums) <= reference.tolerance(dtype, *rounding)).all()
    assert all(same_bits(out, outs[0]) for out in outs)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("case", CASES)
def test_blocks_do_not_change_bits(monkeypatch, case, mode):
    images, _, columns, *_ = solved(case, mode)
    shape, size, options = CASES[case]
    form = options | {"padding_mode": mode}
    whole = cl.im2col(images, size, **form), cl.col2im(columns, shape[:-1], size, **form)
    for windows in (1, 2, 3):
        monkeypatch.setattr(patches, "BLOCK_BYTES", windows * 8 * columns.shape[-1])
        for n in (1, 3):
            parts = (cl.im2col(images, size, n_threads=n, **form),
                     cl.col2im(columns, shape[:-1], size, n_threads=n, **form))
            assert all(map(same_bits, parts, whole))


def test_long_signals_are_cut_into_blocks():
    signal = sample((1, 100_000, 1))
    columns = cl.im2col(signal, 5, padding=2, padding_mode="wrap", n_threads=2)
    assert columns.nbytes > 8 * patches.BLOCK_BYTES
    expected = np.stack([np.roll(signal[0, :, 0], 2 - tap) for tap in range(5)], axis=-1)
    assert same_bits(columns[0], expected)
    integers = np.rint(columns * 100)
    sums = cl.col2im(integers, 100_000, 5, padding=2, padding_mode="wrap", n_threads=2)
    expected = sum(np.roll(integers[0, :, tap], tap - 2) for tap in range(5))
    assert same_bits(sums[0, :, 0], expected)


def test_batches_do_not_change_bits():
    images = sample((5, 6, 7, 3))
    form = {"size": (3, 2), "padding": 2, "stride": 2}
    columns = cl.im2col(images, **form)
    sums = cl.col2im(columns, (6, 7), **form)
    for n in range(5):
        assert same_bits(cl.im2col(images[n:n + 1], **form), columns[n:n + 1])
        assert same_bits(cl.col2im(columns[n:n + 1], (6, 7), **form), sums[n:n + 1])


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
     lambda x: x[::-1, ::-1, ..., ::-1].copy()[::-1, ::-1, ..., ::-1],
     lambda x: x.astype(x.dtype.newbyteorder("S"))],
    ids=["Fortran order", "strided channels", "axes reversed", "other byte order"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_do_not_change_bits(dtype, change):
    images = sample((2, 6, 7, 3)).astype(dtype)
    form = {"size": (3, 2), "padding": 2, "padding_mode": "reflect"}
    columns = cl.im2col(images, **form)
    assert same_bits(cl.im2col(change(images), **form), columns)
    sums = cl.col2im(columns, (6, 7), **form)
    assert same_bits(cl.col2im(change(columns), (6, 7), **form), sums)


@pytest.mark.parametrize(
    ("dtype", "expected"), [("bool", "float32"), ("uint8", "float32"), ("float16", "float32"),
                            ("int32", "float64"), ("int64", "float64")])
def test_dtypes(dtype, expected):
    images = np.array([[0, 1, 1, 0, 1]]).astype(dtype)[..., None]
    columns = cl.im2col(images, 2)
    assert same_bits(columns, np.array([[[0, 1], [1, 1], [1, 0], [0, 1]]], expected))
    sums = cl.col2im(columns.astype(dtype), 5, 2)
    assert same_bits(sums[0, :, 0], np.array([0, 2, 2, 0, 1], expected))


def test_empty_batch():
    columns = cl.im2col(np.ones((0, 5, 6, 2), "float32"), 3)
    assert columns.shape == (0, 3, 4, 18)
    sums = cl.col2im(columns, (5, 6), 3)
    assert sums.shape == (0, 5, 6, 2)
    assert sums.dtype == "float32"


def test_out():
    images = sample((2, 5, 6, 3))
    expected = cl.im2col(images, 2)
    out = np.full(expected.shape, np.nan)
    assert cl.im2col(images, 2, out=out) is out
    assert same_bits(out, expected)


def test_nan_stays_where_it_is():
    images = np.zeros((1, 5, 1))
    images[0, 2] = np.nan
    columns = cl.im2col(images, 2, padding=1)
    assert np.isnan(columns[0]).tolist() == [[False] * 2, [False] * 2, [False, True],
                                             [True, False], [False] * 2, [False] * 2]
    assert np.isnan(cl.col2im(columns, 5, 2, padding=1)[0, :, 0]).tolist() == [0, 0, 1, 0, 0]


def test_sums_leave_the_callers_subnormals_alone():
    tiny = np.full((3, 40, 2), 1e-310)
    for n in (1, 3):
        cl.col2im(tiny, 41, 2, n_threads=n)
        assert (tiny * 0.5 > 0).all()


# Properties


@st.composite
def calls(draw):
    """Draw the shape of images, the size of windows and settings."""
    rank = draw(st.integers(1, 3))

    def axes(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * rank))

    form = {
        "size": axes(1, 3), "stride": axes(1, 4), "dilation": axes(1, 3),
        "padding": tuple(zip(axes(0, 9), axes(0, 9))),
        "padding_mode": draw(st.sampled_from(PADDING_MODES)),
    }
    size = axes(1, 6 if rank < 3 else 4)
    for n, k, d, pads in zip(size, form["size"], form["dilation"], form["padding"]):
        assume(n + sum(pads) > d * (k - 1))
    return (draw(st.integers(1, 2)), *size, draw(st.integers(1, 3))), form


@given(calls(), st.sampled_from(DTYPES), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_adjoint(call, dtype, seed):
    shape, form = call
    random = np.random.default_rng(seed)
    images = random.integers(-9, 10, shape).astype(dtype)
    columns = cl.im2col(images, **form)
    others = random.integers(-9, 10, columns.shape).astype(dtype)
    back = cl.col2im(others, shape[1:-1], **form)
    assert back.shape == images.shape
    # Sums of small integers are exact in any order.
    assert np.vdot(columns.astype(int), others.astype(int)) == np.vdot(
        images.astype(int), back.astype(int))


@given(calls(), st.integers(1, 5))
@settings(deadline=None)
def test_a_product_with_the_columns_is_conv(call, n_out):
    shape, form = call
    images = sample(shape)
    kernel = sample((*form["size"], shape[-1], n_out), 1)
    product = cl.im2col(images, **form) @ kernel.reshape(-1, n_out)
    options = {name: value for name, value in form.items() if name != "size"}
    allowed = reference.slack(images, kernel, **options)
    assert (np.abs(product - cl.conv(images, kernel, **options)) <= allowed).all()


# Refusals

IMAGES = np.ones((2, 5, 6, 3))
COLUMNS = np.ones((2, 4, 5, 12))
CALLS = {
    "im2col": lambda **form: cl.im2col(**{"images": IMAGES, "size": 2} | form),
    "col2im": lambda **form: cl.col2im(
        **{"columns": COLUMNS, "image_size": (5, 6), "size": 2} | form),
}


@pytest.mark.parametrize(
    "value", [np.ones((2, 2), complex), np.full((2, 2), "a"), np.ma.ones((2, 5, 6, 3)),
              np.ones((2, 2), object), scipy.sparse.csr_array(np.eye(3)), None])
def test_arrays_hold_real_numbers(value):
    with pytest.raises(TypeError, match="images must be an array"):
        cl.im2col(value, 2)
    with pytest.raises(TypeError, match="columns must be an array"):
        cl.col2im(value, (5, 6), 2)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 2, 3, 4, 5, 6), (2, 0, 3), (2, 3, 0)])
def test_ranks_and_empty_axes(shape):
    with pytest.raises(ValueError, match=r"images must be .*\(n_images, \*size, channels\)"):
        cl.im2col(np.ones(shape), 1)
    with pytest.raises(ValueError, match=r"columns must be .*\(n_images, \*size, prod\(size\) \*"):
        cl.col2im(np.ones(shape), 1, 1)


@pytest.mark.parametrize("function", CALLS)
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "2", None, (2,), (2, 2, 2), (2, 0), (1, 1.5)],
                         ids=repr)
@pytest.mark.parametrize("name", ["size", "stride", "dilation"])
def test_settings_are_ints_per_axis(function, name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be an int or a sequence of 2"):
        CALLS[function](**{name: value})


@pytest.mark.parametrize("function", CALLS)
@pytest.mark.parametrize(
    ("form", "error", "message"),
    [({"padding": -1}, ValueError, "padding must be"), ({"padding": 1.5}, TypeError, "padding"),
     ({"padding_mode": "nearest"}, ValueError, "padding_mode must be one of"),
     ({"n_threads": 0}, ValueError, "n_threads must be"),
     ({"n_threads": True}, TypeError, "n_threads must be"),
     ({"size": 7}, ValueError, "no window fits on axis 0"),
     ({"stride": 2**70}, ValueError, r"below 2 \*\* 60"),
     ({"padding": 2**62}, ValueError, r"below 2 \*\* 60"),
     ({"padding": 1, "dilation": 2**61, "size": 1}, ValueError, r"below 2 \*\* 60")])
def test_wrong_settings(function, form, error, message):
    with pytest.raises(error, match=message):
        CALLS[function](**form)


@pytest.mark.parametrize("value", [0, -5, 5.0, None, (5,), (5, 0), (5, 6, 3), (5, True)], ids=repr)
def test_image_size_is_ints_per_axis(value):
    with pytest.raises((TypeError, ValueError), match="image_size must be an int or a sequence"):
        cl.col2im(COLUMNS, value, 2)


@pytest.mark.parametrize(
    "columns", [COLUMNS[:, :3], COLUMNS[:, :, :4], COLUMNS[..., :11], np.ones((2, 4, 5, 3))])
def test_columns_are_those_of_im2col(columns):
    message = r"columns must be of shape \(n_images, 4, 5, 4 \* channels\).*got array of shape"
    with pytest.raises(ValueError, match=message):
        cl.col2im(columns, (5, 6), 2)


def test_results_beyond_all_memory():
    with pytest.raises(ValueError, match="the result would have"):
        cl.im2col(IMAGES, 2, padding=2**58)
    with pytest.raises(MemoryError):
        cl.im2col(np.ones((1, 4, 1)), 2, padding=2**56)
    with pytest.raises(MemoryError):
        cl.col2im(np.ones((1, 1, 2)), 2**57, 2, stride=2**57)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_far_apart_is_not_beyond(mode):
    far = 2**58
    images = np.arange(1.0, 6).reshape(1, 5, 1)
    form = {"dilation": far, "padding": ((far, far),), "stride": far, "padding_mode": mode}
    columns = cl.im2col(images, 2, **form)
    places = np.array([0, 0, 0, 0, 0])
    before, after = columns[0, 0, 0], columns[0, 1, 1]
    assert columns.tolist() == [[[before, 1], [1, after]]]
    sums = cl.col2im(np.ones((1, 2, 2)), 5, 2, **form)
    for value in (1, 1, before, after):
        places[int(value) - 1] += value > 0
    assert sums[0, :, 0].tolist() == places.tolist()


@pytest.mark.parametrize(
    ("out", "error"),
    [(np.zeros((2, 4, 5, 11)), ValueError), (np.zeros((2, 4, 5, 12), "f4"), ValueError),
     (np.zeros((2, 4, 5, 24))[..., ::2], ValueError), (np.ma.zeros((2, 4, 5, 12)), TypeError),
     ([0.0], TypeError)])
def test_wrong_out(out, error):
    with pytest.raises(error, match="out must be"):
        cl.im2col(IMAGES, 2, out=out)
    assert not np.any(out)


def test_out_lies_apart_from_the_images():
    memory = np.ones(480)
    images = memory[:180].reshape(IMAGES.shape)
    with pytest.raises(ValueError, match="out must not share memory"):
        cl.im2col(images, 2, out=memory.reshape(COLUMNS.shape))
    assert (memory == 1).all()
