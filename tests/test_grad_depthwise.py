"""Tests of the gradients of depthwise_conv."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convlib as cl
from convlib import grad
from reference import same_bits, sample
from test_separable_conv import depthwise

MODES = "constant", "edge", "reflect", "symmetric", "wrap"


@st.composite
def calls(draw):
    """Return images, a kernel and settings."""
    rank = draw(st.integers(1, 3))

    def some(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    taps, dilation, padding = some(1, 4), some(1, 3), some(0, 3)
    size = tuple(draw(st.integers(max(1, (k - 1) * d + 1 - 2 * p), 12))
                 for k, d, p in zip(taps, dilation, padding))
    channels, multiplier = draw(st.integers(1, 20)), draw(st.integers(1, 3))
    window = {"stride": some(1, 4), "dilation": dilation, "padding": padding,
              "padding_mode": draw(st.sampled_from(MODES))}
    return sample((2, *size, channels)), sample((*taps, channels, multiplier), 1), window


@settings(max_examples=150, deadline=None)
@given(call=calls())
def test_adjoint_identities(call):
    """<conv(x, k), g> is <x, gradient for x> and <k, gradient for k>, for the reference's conv."""
    images, kernel, window = call
    out = depthwise(images, kernel, **window)
    weights = sample(out.shape, 2)
    inner = (out * weights).sum()
    for_images = grad.depthwise_conv_images(weights, kernel, images.shape[1:-1], **window)
    for_kernel = grad.depthwise_conv_kernel(weights, images, kernel.shape[:-2], **window)
    assert for_images.shape == images.shape
    assert for_kernel.shape == kernel.shape
    np.testing.assert_allclose([(images * for_images).sum(), (kernel * for_kernel).sum()], inner,
                               rtol=0, atol=1e-9)


WINDOWS = [{}, {"padding": 1}, {"padding": 1, "stride": 2}, {"padding": 2, "dilation": 2},
           {"padding": (1, 2), "stride": (3, 2), "dilation": (2, 1)}]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("multiplier", [1, 2])
def test_is_torch_autograd(window, multiplier):
    torch = pytest.importorskip("torch")
    images, kernel = sample((2, 9, 11, 6)), sample((3, 3, 6, multiplier), 1)
    bias = torch.zeros(6 * multiplier, dtype=torch.float64, requires_grad=True)
    x = torch.from_numpy(np.moveaxis(images, -1, 1).copy()).requires_grad_()
    k = torch.from_numpy(kernel.reshape(3, 3, 1, -1).transpose(3, 2, 0, 1).copy()).requires_grad_()
    out = torch.nn.functional.conv2d(x, k, bias, groups=6, **window)
    weights = sample(np.moveaxis(out.detach().numpy(), 1, -1).shape, 2)
    (out * torch.from_numpy(np.moveaxis(weights, -1, 1).copy())).sum().backward()
    close = {"rtol": 0, "atol": 1e-11}
    np.testing.assert_allclose(grad.depthwise_conv_images(weights, kernel, (9, 11), **window),
                               np.moveaxis(x.grad.numpy(), 1, -1), **close)
    ours = grad.depthwise_conv_kernel(weights, images, 3, **window).reshape(3, 3, 1, -1)
    np.testing.assert_allclose(ours, k.grad.numpy().transpose(2, 3, 1, 0), **close)
    np.testing.assert_allclose(grad.depthwise_conv_bias(weights), bias.grad.numpy(), **close)


@pytest.mark.parametrize("mode", MODES)
def test_finite_differences(mode):
    images, kernel = sample((1, 5, 6, 3)), sample((3, 2, 3, 2), 1)
    window = {"padding": (4, 7), "stride": (2, 1), "padding_mode": mode}
    weights = sample(cl.depthwise_conv(images, kernel, **window).shape, 2)

    def loss(x, k):
        return (cl.depthwise_conv(x, k, **window) ** 2 * weights).sum()

    back = 2 * weights * cl.depthwise_conv(images, kernel, **window)
    for array, gradient in (
            (images, grad.depthwise_conv_images(back, kernel, (5, 6), **window)),
            (kernel, grad.depthwise_conv_kernel(back, images, (3, 2), **window))):
        step = sample(array.shape, 3)
        moved = [tuple(other + sign * 1e-5 * step if other is array else other
                       for other in (images, kernel)) for sign in (1, -1)]
        slope = (loss(*moved[0]) - loss(*moved[1])) / 2e-5
        np.testing.assert_allclose((gradient * step).sum(), slope, rtol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_whatever_the_threads_and_the_layout(dtype, tier):
    images, kernel = sample((3, 40, 30, 20)).astype(dtype), sample((3, 3, 20, 1), 1)
    weights = sample((3, 20, 15, 20), 2).astype(dtype)
    window = {"padding": 1, "stride": 2}

    def both(x, g, n_threads):
        return (grad.depthwise_conv_images(g, kernel, (40, 30), n_threads=n_threads, **window),
                grad.depthwise_conv_kernel(g, x, 3, n_threads=n_threads, **window))

    expected = both(images, weights, 1)
    assert all(map(same_bits, both(images, weights, 3), expected))
    assert all(map(same_bits, both(np.asfortranarray(images), np.asfortranarray(weights), 2),
                   expected))
    assert expected[1].dtype == dtype


def test_empty_batch():
    assert grad.depthwise_conv_images(np.ones((0, 2, 3)), np.ones((3, 3, 1)), 4).shape == (0, 4, 3)
    none = grad.depthwise_conv_kernel(np.ones((0, 2, 3)), np.ones((0, 4, 3)), 3)
    assert none.shape == (3, 3, 1)
    assert not none.any()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: grad.depthwise_conv_images(np.ones((1, 3, 2)), np.ones((3, 2, 1)), (4,)),
     "grad_output must be an array of shape"),
    (lambda: grad.depthwise_conv_images(np.ones((1, 2, 3)), np.ones((3, 2, 1)), (4,)),
     "grad_output must be an array of shape"),
    (lambda: grad.depthwise_conv_images(np.ones((1, 2, 2)), np.ones((3, 2, 1)), (4, 4)),
     "image_size must be"),
    (lambda: grad.depthwise_conv_kernel(np.ones((1, 2, 3)), np.ones((1, 4, 2)), 3),
     "grad_output must be an array of shape"),
    (lambda: grad.depthwise_conv_kernel(np.ones((2, 2, 2)), np.ones((1, 4, 2)), 3),
     "grad_output must be of shape"),
    (lambda: grad.depthwise_conv_kernel(np.ones((1, 2, 2)), np.ones((1, 4, 2)), 0),
     "kernel_size must be"),
    (lambda: grad.depthwise_conv_bias(np.ones((2, 2))), "grad_output must be"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
