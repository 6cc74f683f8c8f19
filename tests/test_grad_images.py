"""Tests of the gradients by images: adjoint identities, finite differences, torch, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convlib as cl
from convlib import grad
from convlib._validation import PADDING_MODES
from convlib.ops import _grad_images
from reference import same_bits, sample
from test_transpose import calls

pytestmark = pytest.mark.kernels


@given(calls(), st.sampled_from(PADDING_MODES))
@settings(deadline=None)
def test_conv_images_is_the_adjoint(call, mode):
    x, kernel, form = call
    form = form | {"padding_mode": mode}
    out = cl.conv(x, kernel, **form)
    y = sample(out.shape, 5)
    back = grad.conv_images(y, kernel, x.shape[1:-1], **form)
    assert back.shape == x.shape
    assert back.dtype == y.dtype
    assert (out * y).sum() == pytest.approx((x * back).sum(), rel=1e-10, abs=1e-9)


@given(calls())
@settings(deadline=None)
def test_conv_transpose_images_is_the_adjoint(call):
    x, kernel, form = call
    y = sample(cl.conv(x, kernel, **form).shape, 5)
    form = form | {"output_shape": x.shape[1:-1]}
    out = cl.conv_transpose(y, kernel, **form)
    back = grad.conv_transpose_images(x, kernel, **form)
    assert back.shape == y.shape
    assert (out * x).sum() == pytest.approx((y * back).sum(), rel=1e-10, abs=1e-9)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_finite_differences(mode):
    form = {"stride": (2, 1), "padding": ((3, 7), (5, 2)), "padding_mode": mode,
            "dilation": (1, 2), "groups": 2}
    x, kernel = sample((1, 3, 4, 4)), sample((3, 2, 2, 6), 1)
    weights = sample(cl.conv(x, kernel, **form).shape, 2)

    def loss(images):
        return (np.tanh(cl.conv(images, kernel, **form)) * weights).sum()

    slope = 1 - np.tanh(cl.conv(x, kernel, **form))**2
    found = grad.conv_images(weights * slope, kernel, x.shape[1:-1], **form)
    steps = 1e-5 * np.eye(x.size).reshape(x.size, *x.shape)
    expected = [(loss(x + step) - loss(x - step)) / 2e-5 for step in steps]
    assert np.allclose(found.ravel(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", [
    {"padding": 1}, {"stride": 2, "padding": 1}, {"stride": 3, "dilation": 2}, {"groups": 2}])
def test_equals_autograd(options):
    torch = pytest.importorskip("torch")
    x, kernel = sample((2, 9, 8, 4)), sample((3, 3, 4 // options.get("groups", 1), 6), 1)
    pixels = torch.from_numpy(np.moveaxis(x, -1, 1).copy()).requires_grad_()
    weights = torch.from_numpy(np.moveaxis(kernel, (-1, -2), (0, 1)).copy())
    with torch.enable_grad():
        out = torch.nn.functional.conv2d(pixels, weights, **options)
        y = sample(np.moveaxis(out.detach().numpy(), 1, -1).shape, 2)
        out.backward(torch.from_numpy(np.moveaxis(y, -1, 1).copy()))
    found = grad.conv_images(y, kernel, x.shape[1:-1], **options)
    assert np.allclose(found, np.moveaxis(pixels.grad.numpy(), 1, -1), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_and_batches_do_not_change_bits(tier, mode, dtype, monkeypatch):
    monkeypatch.setattr(_grad_images, "PADDED_BYTES", 2 * 14 * 12 * 5 * 8)    # two images
    kernel, form = sample((3, 3, 5, 7), 1), {"stride": 2, "padding": 2, "padding_mode": mode}
    y = sample((3, 6, 5, 7)).astype(dtype)
    whole = grad.conv_images(y, kernel, (10, 8), n_threads=1, **form)
    assert whole.dtype == dtype
    out = np.empty_like(whole)
    assert grad.conv_images(y, kernel, (10, 8), n_threads=3, out=out, **form) is out
    assert same_bits(out, whole)
    parts = [grad.conv_images(part[None], kernel, (10, 8), **form) for part in y]
    assert same_bits(np.concatenate(parts), whole)


@pytest.mark.parametrize(("function", "arguments", "message"), [
    (grad.conv_images, (np.ones((2, 5, 1)), np.ones((3, 1, 1)), 5),
     r"grad_output must be an array of shape \(2, 3, 1\)"),
    (grad.conv_images, (np.ones((2, 3, 2)), np.ones((3, 1, 1)), 5), r"\(2, 3, 1\)"),
    (grad.conv_images, (np.ones((2, 3, 1)), np.ones((3, 1, 1)), (5, 1)), "image_size must be"),
    (grad.conv_images, (np.ones((3, 1)), np.ones((3, 1, 1)), 5), "grad_output must be an"),
    (grad.conv_transpose_images, (np.ones((2, 2, 1)), np.ones((3, 1, 1))), "no window fits"),
    (grad.conv_transpose_images, (np.ones((2, 5, 3)), np.ones((3, 1, 1))), "must have 1 channels"),
])
def test_bad_input(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


def test_grad_output_must_have_the_size_of_the_settings():
    with pytest.raises(ValueError, match=r"grad_output must be an array of shape \(1, 7, 1\)"):
        grad.conv_transpose_images(np.ones((1, 8, 1)), np.ones((3, 1, 1)), stride=2)
