"""Tests of upsample and its gradient."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convlib as cl
import reference_upsample
from convlib import grad
from reference import same_bits, sample

KINDS = "nearest", "bilinear", "bicubic"
CASES = [((2, 5, 6, 3), (2, 2)), ((1, 4, 3, 16), (3, 2)), ((2, 1, 1, 5), (4, 3)),
         ((1, 7, 2, 1), (1, 5)), ((3, 9, 4), (4,)), ((1, 2, 33), (1,)),
         ((2, 3, 4, 2, 7), (2, 1, 3)), ((1, 30, 40, 8), (2, 2))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "factor"), CASES)
def test_is_the_reference(shape, factor, kind, dtype, tier):
    images = sample(shape)
    out = cl.upsample(images.astype(dtype), factor, kind)
    expected = reference_upsample.upsample(images, factor, kind)
    assert out.dtype == dtype
    assert out.shape == expected.shape
    np.testing.assert_allclose(out, expected, rtol=0, atol=64 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "factor"), CASES)
def test_is_torch(shape, factor, kind):
    torch = pytest.importorskip("torch")
    rank = len(factor)
    if kind == "bicubic" and rank != 2:
        pytest.skip("torch has it for images")
    mode = {"bilinear": ("linear", "bilinear", "trilinear")[rank - 1]}.get(kind, kind)
    images = torch.from_numpy(np.moveaxis(sample(shape), -1, 1).copy()).requires_grad_()
    more = {} if kind == "nearest" else {"align_corners": False}
    out = torch.nn.functional.interpolate(images, scale_factor=factor, mode=mode, **more)
    ours = cl.upsample(sample(shape), factor, kind)
    np.testing.assert_allclose(ours, np.moveaxis(out.detach().numpy(), 1, -1), rtol=0, atol=1e-12)
    weights = sample(ours.shape, 1)
    (out * torch.from_numpy(np.moveaxis(weights, -1, 1).copy())).sum().backward()
    np.testing.assert_allclose(grad.upsample_images(weights, factor, kind),
                               np.moveaxis(images.grad.numpy(), 1, -1), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(size=st.lists(st.integers(1, 6), min_size=1, max_size=3), data=st.data(),
       channels=st.integers(1, 20), kind=st.sampled_from(KINDS))
def test_the_gradient_is_the_adjoint(size, data, channels, kind):
    factor = tuple(data.draw(st.integers(1, 4)) for _ in size)
    images = sample((2, *size, channels))
    out = cl.upsample(images, factor, kind)
    weights = sample(out.shape, 1)
    back = grad.upsample_images(weights, factor, kind)
    assert back.shape == images.shape
    assert math.isclose((out * weights).sum(), (images * back).sum(), abs_tol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", [cl.upsample, grad.upsample_images])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_whatever_the_threads_the_batch_and_the_layout(function, kind, dtype, tier):
    images = sample((3, 6, 8, 10)).astype(dtype)
    expected = function(images, 2, kind, n_threads=1)
    assert same_bits(function(images, 2, kind, n_threads=4), expected)
    assert same_bits(function(images[1:2], 2, kind), expected[1:2])
    for other in (np.asfortranarray(images), np.repeat(images, 2, axis=-1)[..., ::2],
                  np.ascontiguousarray(images.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)):
        assert same_bits(function(other, 2, kind), expected)
    out = np.full_like(expected, np.nan)
    assert function(images, 2, kind, out=out) is out
    assert same_bits(out, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_constants_stay_and_integers_become_floats(kind):
    out = cl.upsample(np.full((1, 4, 5, 2), 3, np.uint8), 3, kind)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, 3, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_stays_with_those_who_see_it(kind):
    images = np.zeros((1, 9, 9, 1))
    images[0, 0, 0] = np.nan
    reach = {"nearest": 2, "bilinear": 3, "bicubic": 5}[kind]
    out = np.isnan(cl.upsample(images, 2, kind)[0, :, :, 0])
    assert out[:reach, :reach].all()
    assert out.sum() == reach**2


def test_empty_batch():
    assert cl.upsample(np.ones((0, 2, 3, 4)), 2).shape == (0, 4, 6, 4)
    assert grad.upsample_images(np.ones((0, 2, 4, 4)), 2).shape == (0, 1, 2, 4)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda x: cl.upsample(x, 0), ValueError, "factor must be"),
    (lambda x: cl.upsample(x, 1.5), TypeError, "factor must be"),
    (lambda x: cl.upsample(x, (2, 2, 2)), ValueError, "factor must be"),
    (lambda x: cl.upsample(x, 2, "linear"), ValueError, "kind must be one of"),
    (lambda x: cl.upsample(x[0, 0], 2), ValueError, "images must be"),
    (lambda x: cl.upsample(x.astype(complex), 2), TypeError, "images must be"),
    (lambda x: cl.upsample(x, 2**61), ValueError, "bytes"),
    (lambda x: cl.upsample(x, 2, out=x), ValueError, "out must be of shape"),
    (lambda x: cl.upsample(x, 1, out=x), ValueError, "out must not share memory"),
    (lambda x: cl.upsample(x, 2, n_threads=0), ValueError, "n_threads must be"),
    (lambda x: grad.upsample_images(x, 3), ValueError, "grad_output must have a size"),
])
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((1, 4, 4, 2)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "factor"), [
    ((2, 3, 3000, 1), (1, 3)), ((1, 2, 900, 5), 2), ((1, 2, 3, 2), (3, 5000)),
    ((1, 2, 300, 70), (2, 2)), ((1, 3, 2, 40), (2, 700)), ((1, 3, 20, 3), (2, 17))])
def test_rows_of_many_parts(shape, factor, kind, dtype, tier):
    images = sample(shape).astype(dtype)
    out = cl.upsample(images, factor, kind, n_threads=3)
    factor = factor if isinstance(factor, tuple) else (factor,) * 2
    expected = reference_upsample.upsample(images.astype("f8"), factor, kind)
    np.testing.assert_allclose(out, expected, rtol=0, atol=10_000 * np.finfo(dtype).eps)
    assert same_bits(cl.upsample(np.asfortranarray(images), factor, kind), out)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [3, 16])
def test_images_above_the_caches_are_streamed(kind, channels, tier):
    images = sample((2, 300, 640 * 3 // channels, channels)).astype("f4")
    out = cl.upsample(images, 2, kind)
    assert out.nbytes > 2**24
    rows = slice(100, 106)    # of the image; those of the result that see no others
    inner = cl.upsample(images[:, rows], 2, kind)[:, 4:-4]
    assert same_bits(out[:, 2 * rows.start + 4:2 * rows.stop - 4], inner)
    assert same_bits(cl.upsample(images, 2, kind, n_threads=1), out)


@pytest.mark.parametrize("kind", KINDS)
def test_large_factors_need_no_tables(kind):
    images = sample((1, 2, 1)).astype("f4")
    out = cl.upsample(images, 10**7, kind)
    assert out.shape == (1, 2 * 10**7, 1)
    if kind != "bicubic":
        np.testing.assert_allclose(out[0, [0, -1], 0], images[0, :, 0], rtol=1e-6)
    middle = out[0, 10**7 - 1:10**7 + 1, 0]
    np.testing.assert_allclose(middle, images[0, :, 0] if kind == "nearest" else images.mean(),
                               rtol=1e-5)
