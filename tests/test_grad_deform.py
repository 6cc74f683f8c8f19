"""Tests of the gradients of deform_conv: the loop reference, differences, adjoints, torchvision."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings

import convlib as cl
import reference
from convlib import grad
from convlib.ops import _deform
from reference import same_bits, sample
from reference_deform import Deform
from test_deform import CASES, DTYPES, THREADS, calls, operands

pytestmark = pytest.mark.kernels


def gradients(flow, images, kernel, offsets, mask, n_threads=None, **form):
    """Return the four gradients by name."""
    form = form | {"n_threads": n_threads}
    return {
        "images": grad.deform_conv_images(flow, images.shape[1:3], kernel, offsets, mask, **form),
        "kernel": grad.deform_conv_kernel(flow, images, kernel.shape[:2], offsets, mask, **form),
        "offsets": grad.deform_conv_offsets(flow, images, kernel, offsets, mask, **form),
        "mask": grad.deform_conv_mask(flow, images, kernel, offsets, **form),
    }


@lru_cache
def solved(case):
    """Return the operands but the bias, settings, a gradient of outputs, and its gradients."""
    (*arrays, _), form = operands(case, 10)
    call = Deform(*arrays, **form)
    flow = sample(call.run().shape, 20)
    magnitudes = Deform(*map(np.abs, arrays[:2]), arrays[2], np.abs(arrays[3]), **form)
    return arrays, form, flow, call.gradients(flow), magnitudes.gradients(np.abs(flow))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_equal_the_reference(case, dtype, tier):
    arrays, form, flow, expected, magnitudes = solved(case)
    arrays = [array.astype(dtype) for array in arrays]
    found = [gradients(flow.astype(dtype), *arrays, n_threads=n, **form) for n in THREADS]
    for name, array in found[0].items():
        assert array.dtype == dtype
        assert array.shape == expected[name].shape
        spread = np.abs(magnitudes[name]).max() + np.abs(expected[name]).max()
        allowed = reference.tolerance(dtype, 4 * arrays[1].size, spread)
        assert np.abs(array - expected[name]).max() <= allowed, name
        assert all(same_bits(other[name], array) for other in found), name


@pytest.mark.parametrize("case", ["plain", "stride and dilation", "groups across offset groups"])
def test_equal_differences(case):
    (images, kernel, offsets, mask), form, flow, *_ = solved(case)
    # Away from the kinks on pixels.
    offsets = np.floor(offsets) + 0.1 + 0.8 * (offsets - np.floor(offsets))
    found = gradients(flow, images, kernel, offsets, mask, **form)
    arrays = {"images": images, "kernel": kernel, "offsets": offsets, "mask": mask}
    rng = np.random.default_rng(3)
    for name, array in arrays.items():
        for _ in range(25):
            place = tuple(rng.integers(array.shape))
            values = []
            for step in (1e-4, -1e-4):
                moved = array.copy()
                moved[place] += step
                out = cl.deform_conv(**(arrays | {name: moved}), **form)
                values.append((out * flow).sum())
            slope = (values[0] - values[1]) / 2e-4
            assert found[name][place] == pytest.approx(slope, rel=1e-6, abs=1e-6), name


@settings(max_examples=40, deadline=None)
@given(calls())
def test_adjoints(call):
    (images, kernel, offsets, mask), form = call
    out = cl.deform_conv(images, kernel, offsets, mask, **form)
    flow = sample(out.shape, 5)
    found = gradients(flow, images, kernel, offsets, mask, **form)
    product = (out * flow).sum()
    for name, array in (("images", images), ("kernel", kernel), ("mask", mask)):
        assert (found[name] * array).sum() == pytest.approx(product, rel=1e-9, abs=1e-8), name


@settings(max_examples=40, deadline=None)
@given(calls())
def test_drawn_calls_equal_the_reference(call):
    arrays, form = call
    reference_call = Deform(*arrays, **form)
    flow = sample(reference_call.run().shape, 5)
    expected = reference_call.gradients(flow)
    for name, array in gradients(flow, *arrays, **form).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-9, atol=1e-9, err_msg=name)


def test_zero_offsets_give_the_gradients_of_conv():
    images, kernel, flow = sample((2, 6, 7, 5)), sample((3, 3, 5, 4), 1), sample((2, 6, 7, 4), 2)
    offsets = np.zeros((2, 6, 7, 18))
    kernels = grad.deform_conv_kernel(flow, images, 3, offsets, padding=1)
    columns = cl.im2col(images, 3, padding=1)
    expected = np.tensordot(columns, flow, ((0, 1, 2), (0, 1, 2))).reshape(kernel.shape)
    np.testing.assert_allclose(kernels, expected, rtol=1e-12, atol=1e-11)
    pixels = grad.deform_conv_images(flow, (6, 7), kernel, offsets, padding=1)
    expected = cl.col2im(flow @ kernel.reshape(-1, 4).T, (6, 7), 3, padding=1)
    np.testing.assert_allclose(pixels, expected, rtol=1e-12, atol=1e-11)


def slope_at(y, x, name="offsets"):
    """Return a gradient by the offsets or the mask of one look at an image of 2 x 3 pixels."""
    image = np.array([[1.0, 2.0, 3.0], [4.0, 50.0, 6.0]])[np.newaxis, :, :, np.newaxis]
    offsets = np.array([y, x], dtype=float).reshape(1, 1, 1, 2)
    function = getattr(grad, f"deform_conv_{name}")
    return function(np.ones((1, 1, 1, 1)), image, np.ones((1, 1, 1, 1)), offsets,
                    stride=(2, 3))[0, 0, 0]


@pytest.mark.parametrize(("y", "x", "down", "across"), [
    (0.5, 0.5, 25.5, 23.5), (0, 0, 3, 1), (0, 1, 48, 1), (1, 0, -4, 46), (1, 2, -6, -6),
    (-0.5, 0, 1, 0.5), (-1, 0, 1, 0), (-1, 1, 2, 0), (0, -1, 0, 1), (2, 0, 0, 0), (0, 3, 0, 0),
    (-1.5, 0, 0, 0), (-1, -1, 0, 0), (np.inf, 0, 0, 0), (0, -1e30, 0, 0),
    (np.nan, 0, np.nan, np.nan), (0, np.nan, np.nan, np.nan),
])
def test_slopes_on_pixels_and_borders(y, x, down, across, tier):
    np.testing.assert_array_equal(slope_at(y, x), [down, across])


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_offset_is_safe(dtype, tier):
    rng = np.random.default_rng(0)
    wild = [np.nan, np.inf, -np.inf, 1e30, -1e30, 2.0**31, 2.0**63, -(2.0**63), 0.0, 1.0, -1.0, 5.5]
    images, kernel = sample((2, 5, 4, 6)).astype(dtype), sample((3, 3, 6, 3), 1)
    offsets = rng.choice(wild, (2, 5, 4, 36)).astype(dtype)
    mask = sample((2, 5, 4, 18), 2)
    flow = sample((2, 5, 4, 3), 3)
    expected = Deform(images, kernel, offsets, mask, padding=1).gradients(flow)
    found = gradients(flow.astype(dtype), images, kernel, offsets, mask, padding=1)
    np.testing.assert_allclose(found["images"], expected["images"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["offsets"], expected["offsets"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["mask"], expected["mask"], rtol=1e-3, atol=1e-4)
    assert np.isnan(found["kernel"]).all()    # every kernel weight meets a NaN


@pytest.mark.parametrize("case", ["plain", "odd channels", "groups across offset groups"])
def test_layouts_and_blocks_do_not_change_bits(case, monkeypatch):
    arrays, form, flow, *_ = solved(case)
    arrays = [array.astype("float32") for array in (flow, *arrays)]
    whole = gradients(*arrays, **form)
    changes = (np.asfortranarray, lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
               lambda x: x[:, ::-1, :, ::-1].copy()[:, ::-1, :, ::-1])
    for block, run, chunk in ((1, 1, 1), (20, 3, 10**9)):
        monkeypatch.setattr(_deform, "BLOCK_PIXELS", block)
        monkeypatch.setattr(_deform, "RUN_POINTS", run)
        monkeypatch.setattr(_deform, "CHUNK_BYTES", chunk)
        for change in changes:
            found = gradients(*map(change, arrays), n_threads=2, **form)
            assert all(same_bits(found[name], whole[name]) for name in whole)


def test_offsets_and_mask_together():
    arrays, form, flow, *_ = solved("offset groups")
    images, kernel, offsets, _ = arrays
    both = grad.deform_conv_offsets(flow, *arrays, return_mask=True, **form)
    assert same_bits(both[0], grad.deform_conv_offsets(flow, *arrays, **form))
    assert same_bits(both[1], grad.deform_conv_mask(flow, images, kernel, offsets, **form))
    with pytest.raises(TypeError, match="return_mask must be True or False"):
        grad.deform_conv_offsets(flow, *arrays, return_mask=1, **form)


def test_bias():
    flow = sample((3, 4, 5, 7))
    expected = flow.sum((0, 1, 2))
    for n in THREADS:
        np.testing.assert_allclose(grad.deform_conv_bias(flow, n_threads=n), expected, rtol=1e-12)
    assert grad.deform_conv_bias(flow.astype("float32")).dtype == np.float32
    assert not grad.deform_conv_bias(flow[:0]).any()


def test_no_images():
    (images, kernel, offsets, mask), form, flow, *_ = solved("plain")
    arrays = flow[:0], images[:0], kernel, offsets[:0], mask[:0]
    found = gradients(*arrays, **form)
    assert found["images"].shape == (0, *images.shape[1:])
    assert found["offsets"].shape == (0, *offsets.shape[1:])
    assert found["mask"].shape == (0, *mask.shape[1:])
    assert found["kernel"].shape == kernel.shape
    assert not found["kernel"].any()


def test_equal_torchvision():
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision.ops")
    for case in ("plain", "offset groups", "groups across offset groups"):
        (images, kernel, offsets, mask), form, flow, *_ = solved(case)
        first = [torch.from_numpy(np.moveaxis(array, -1, 1).copy()).requires_grad_()
                 for array in (images, offsets, mask)]
        weight = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).requires_grad_()
        peer_form = {name: form[name] for name in ("stride", "padding") if name in form}
        out = ops.deform_conv2d(*first[:2], weight, mask=first[2], **peer_form)
        out.backward(torch.from_numpy(np.moveaxis(flow, -1, 1).copy()))
        found = gradients(flow, images, kernel, offsets, mask, **form)
        for name, peer in zip(("images", "offsets", "mask"), first):
            np.testing.assert_allclose(found[name], np.moveaxis(peer.grad.numpy(), 1, -1),
                                       rtol=1e-9, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(found["kernel"], weight.grad.numpy().transpose(2, 3, 1, 0),
                                   rtol=1e-9, atol=1e-9)


# Refusals

IMAGES, KERNEL, OFFSETS = np.ones((2, 5, 6, 4)), np.ones((3, 3, 4, 5)), np.zeros((2, 3, 4, 18))
FLOW = np.ones((2, 3, 4, 5))


@pytest.mark.parametrize(("message", "change"), [
    ("grad_output must be an array of shape (2, 3, 4, 5), as the outputs have with these settings",
     {"flow": FLOW[:, :2]}),
    ("grad_output must be an array of shape (2, 5, 6, 5)", {"padding": 1}),
    ("grad_output must be an array of shape (n_images, height, width, channels)",
     {"flow": FLOW[0]}),
    ("offsets must be an array of shape (2, 3, 4, offset_groups * 18)",
     {"offsets": OFFSETS[..., :10]}),
    ("offsets must be for a number of offset groups that divides the 4 channels",
     {"offsets": np.zeros((2, 3, 4, 54))}),
    ("stride must be an int", {"stride": 0}),
    ("n_threads must be", {"n_threads": 0}),
])
def test_wrong_values_are_refused(message, change):
    call = {"flow": FLOW, "offsets": OFFSETS} | change
    flow, offsets = call.pop("flow"), call.pop("offsets")
    for function, operands_ in (
        (grad.deform_conv_images, ((5, 6), KERNEL, offsets)),
        (grad.deform_conv_kernel, (IMAGES, 3, offsets)),
        (grad.deform_conv_offsets, (IMAGES, KERNEL, offsets)),
        (grad.deform_conv_mask, (IMAGES, KERNEL, offsets)),
    ):
        with pytest.raises(ValueError) as caught:
            function(flow, *operands_, **call)
        assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("message", "function", "arguments"), [
    ("image_size must be", grad.deform_conv_images, (FLOW, 0, KERNEL, OFFSETS)),
    ("grad_output must be an array of shape (2, 5, 4, 5)", grad.deform_conv_images,
     (FLOW, (7, 6), KERNEL, OFFSETS)),
    ("kernel_size must be", grad.deform_conv_kernel, (FLOW, IMAGES, (3, 3, 3), OFFSETS)),
    ("kernel must be an array of shape (kernel_h, kernel_w,", grad.deform_conv_offsets,
     (FLOW, IMAGES, KERNEL[0], OFFSETS)),
    ("images must have 3 channels", grad.deform_conv_offsets,
     (FLOW, IMAGES, KERNEL[:, :, :3], OFFSETS)),
    ("mask must be an array of shape (2, 3, 4, 9)", grad.deform_conv_offsets,
     (FLOW, IMAGES, KERNEL, OFFSETS, OFFSETS)),
    ("grad_output must be an array of shape", grad.deform_conv_bias, (np.ones(3),)),
])
def test_wrong_operands_are_refused(message, function, arguments):
    with pytest.raises(ValueError) as caught:
        function(*arguments)
    assert str(caught.value).startswith(message)
