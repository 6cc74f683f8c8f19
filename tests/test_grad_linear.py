"""Gradients of the operators that are linear: finite differences, and torch.autograd."""

import numpy as np
import pytest

import convlib as cl
from convlib import grad
from reference import sample

pytestmark = pytest.mark.kernels

IMAGES, KERNEL, BIAS = sample((2, 4, 3, 4)), sample((3, 2, 3, 4), 1), sample(6, 2)
TRANSPOSED = {"stride": (2, 3), "padding": ((1, 0), (0, 1)), "dilation": (1, 2), "groups": 2}
MADE = cl.conv_transpose(IMAGES, KERNEL, **TRANSPOSED)
OFFSETS = sample((2, 3, 2, 8), 3)
PLACES = cl.max_pool(IMAGES, 2, stride=1, return_indices=True)[1]

# name: an operand, the operator as a function of it, its gradient as one of that by the outputs
OPERATORS = {
    "conv_transpose_images": (
        IMAGES, lambda x: cl.conv_transpose(x, KERNEL, **TRANSPOSED),
        lambda y: grad.conv_transpose_images(
            y, KERNEL, output_shape=MADE.shape[1:-1], **TRANSPOSED)),
    "conv_transpose_kernel": (
        KERNEL, lambda k: cl.conv_transpose(IMAGES, k, **TRANSPOSED),
        lambda y: grad.conv_transpose_kernel(y, IMAGES, (3, 2), **TRANSPOSED)),
    "conv_transpose_bias": (
        BIAS, lambda b: cl.conv_transpose(IMAGES, KERNEL, b, **TRANSPOSED),
        grad.conv_transpose_bias),
    "conv_bias": (
        BIAS, lambda b: cl.conv(IMAGES, sample((2, 2, 4, 6)), b), grad.conv_bias),
    "depthwise_conv_bias": (
        BIAS[:4], lambda b: cl.depthwise_conv(IMAGES, sample((2, 2, 4, 1)), b),
        grad.depthwise_conv_bias),
    "deform_conv_bias": (
        BIAS, lambda b: cl.deform_conv(IMAGES, sample((2, 2, 4, 6)), OFFSETS, bias=b),
        grad.deform_conv_bias),
    "channel_shuffle_images": (
        IMAGES, lambda x: cl.channel_shuffle(x, 2), lambda y: grad.channel_shuffle_images(y, 2)),
    "max_unpool_pooled": (
        sample(PLACES.shape), lambda x: cl.max_unpool(x, PLACES, (4, 3)),
        lambda y: grad.max_unpool_pooled(y, PLACES)),
    **{f"upsample_images, {kind}": (
        IMAGES, lambda x, kind=kind: cl.upsample(x, (2, 3), kind),
        lambda y, kind=kind: grad.upsample_images(y, (2, 3), kind))
        for kind in ("nearest", "bilinear", "bicubic")},
}


@pytest.mark.parametrize("name", OPERATORS)
def test_finite_differences(name):
    operand, operator, gradient = OPERATORS[name]
    outputs = operator(operand)
    weights = sample(outputs.shape, 4)
    found = gradient(weights * (1 - np.tanh(outputs)**2))
    steps = 1e-5 * np.eye(operand.size).reshape(operand.size, *operand.shape)
    expected = [((np.tanh(operator(operand + step)) - np.tanh(operator(operand - step)))
                 * weights).sum() / 2e-5 for step in steps]
    assert found.shape == operand.shape
    assert np.allclose(found.ravel(), expected, rtol=1e-6, atol=1e-6)


def from_torch(tensor):
    """Return a gradient of torch with channels last."""
    return np.moveaxis(tensor.grad.numpy(), 1, -1)


def to_torch(torch, array):
    """Return an array with channels last as a tensor whose gradient is wanted."""
    return torch.from_numpy(np.moveaxis(array, -1, 1).copy()).requires_grad_()


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic"])
def test_upsample_equals_autograd(kind):
    torch = pytest.importorskip("torch")
    pixels, grads = to_torch(torch, IMAGES), sample((2, 8, 9, 4), 5)
    corners = {} if kind == "nearest" else {"align_corners": False}
    with torch.enable_grad():
        out = torch.nn.functional.interpolate(pixels, scale_factor=(2, 3), mode=kind, **corners)
        out.backward(to_torch(torch, grads))
    assert np.allclose(grad.upsample_images(grads, (2, 3), kind), from_torch(pixels))


def test_conv_transpose_equals_autograd():
    torch = pytest.importorskip("torch")
    pixels, grads = to_torch(torch, IMAGES), sample((2, 8, 6, 6), 5)
    kernel = sample((3, 3, 3, 4))
    weights = torch.from_numpy(np.moveaxis(kernel, (-1, -2), (0, 1)).copy())
    form = {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}
    with torch.enable_grad():
        out = torch.nn.functional.conv_transpose2d(pixels, weights, **form)
        out.backward(to_torch(torch, grads))
    assert np.allclose(grad.conv_transpose_images(grads, kernel, **form), from_torch(pixels))
