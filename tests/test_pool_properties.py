"""What pooling is, as properties of drawn calls, and beside torch where it is installed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convlib as cl
import reference_pool
from convlib._native import cpu
from reference import same_bits, sample, tolerance

pytestmark = pytest.mark.kernels

DTYPES = ["float32", "float64"]


@st.composite
def calls(draw):
    """Draw images, a window that fits into them and settings with a pixel in each window."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    window = tuple(draw(st.integers(1, size)) for size in sizes)
    dilation = tuple(draw(st.integers(1, max(1, (size - 1) // max(1, taps - 1))))
                     for size, taps in zip(sizes, window))
    reach = [d * (taps - 1) for taps, d in zip(window, dilation)]
    form = {
        "stride": tuple(draw(st.integers(1, 4)) for _ in sizes), "dilation": dilation,
        "padding": tuple((draw(st.integers(0, most)), draw(st.integers(0, most)))
                         for most in reach),
        "ceil_mode": draw(st.booleans()),
    }
    seed = draw(st.integers(0, 2**32 - 1))
    dtype = draw(st.sampled_from(DTYPES))
    channels = draw(st.integers(1, 2 * cpu.lanes(False) + 1))
    return sample((2, *sizes, channels), seed).astype(dtype), window, form


@given(calls())
@settings(deadline=None)
def test_drawn_calls_equal_the_reference(call):
    images, window, form = call
    values, indices = cl.max_pool(images, window, return_indices=True, **form)
    pooling = reference_pool.Pooling(images, window, **form)
    expected = pooling.max()
    assert np.array_equal(values, expected[0])
    assert np.array_equal(indices, expected[1])
    magnitude = reference_pool.Pooling(np.abs(images), window, **form).mean()
    allowed = tolerance(images.dtype, math.prod(window), magnitude)
    out = cl.average_pool(images, window, **form)
    assert (np.abs(out - pooling.mean()) <= allowed).all()


@given(calls())
@settings(deadline=None)
def test_max_pool_commutes_with_monotone_maps(call):
    images, window, form = call
    values, indices = cl.max_pool(images, window, return_indices=True, **form)

    def rise(x):
        return np.exp2(x) if x.dtype == "float64" else x * 8

    assert same_bits(cl.max_pool(rise(images), window, **form), rise(values))
    assert same_bits(cl.max_pool(images, window, **form), values)
    flat = images.reshape(2, -1, images.shape[-1])
    places = indices.reshape(2, -1, images.shape[-1])
    assert np.array_equal(np.take_along_axis(flat, places, axis=1).ravel(), values.ravel())


@given(calls())
@settings(deadline=None)
def test_average_pool_is_linear(call):
    images, window, form = call
    other = images[::-1] * 3
    both = cl.average_pool(images - other, window, **form)
    apart = (cl.average_pool(x, window, **form) for x in (images, other))
    magnitude = cl.average_pool(np.abs(images) + np.abs(other), window, **form)
    allowed = 3 * tolerance(images.dtype, math.prod(window), magnitude)
    assert (np.abs(both - (next(apart) - next(apart))) <= allowed).all()


@given(calls())
@settings(deadline=None)
def test_unpooling_keeps_the_maxima(call):
    images, window, form = call
    images = np.abs(images) + 1
    values, indices = cl.max_pool(images, window, return_indices=True, **form)
    back = cl.max_unpool(values, indices, images.shape[1:-1])
    assert np.array_equal(cl.max_pool(back, window, **form), values)
    assert np.isin(back[back != 0], values).all()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_against_torch(rank):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    images = sample((2, *(23, 14, 9)[:rank], 5)).astype("float32")
    channels_first = torch.from_numpy(np.moveaxis(images, -1, 1).copy())
    for size, stride, padding, ceil_mode in [(2, 2, 0, False), (3, 2, 1, True), (3, 1, 1, False),
                                             (4, 3, 2, True)]:
        settings = (channels_first, size, stride, padding)
        form = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
        values, indices = getattr(functional, f"max_pool{rank}d")(
            *settings, ceil_mode=ceil_mode, return_indices=True)
        out = cl.max_pool(images, size, return_indices=True, **form)
        assert np.array_equal(out[0], np.moveaxis(values.numpy(), 1, -1))
        assert np.array_equal(out[1], np.moveaxis(indices.numpy(), 1, -1))
        for include in (True, False):
            mean = getattr(functional, f"avg_pool{rank}d")(
                *settings, ceil_mode=ceil_mode, count_include_pad=include)
            out = cl.average_pool(images, size, count_include_pad=include, **form)
            np.testing.assert_allclose(
                out, np.moveaxis(mean.numpy(), 1, -1), atol=tolerance("float32", size**rank, 4))
