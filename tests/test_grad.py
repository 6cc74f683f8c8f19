"""Tests of gradients: the slow reference, differences, torch, adjoints, and bit by bit."""

import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convlib as cl
import reference
import reference_grad
from convlib import grad
from convlib._native import cpu
from convlib._validation import ACTIVATIONS, PADDING_MODES
from convlib.ops._grad_conv import _problem
from convlib.ops._kernel_sums import lay_out
from convlib.ops.pool import GLOBAL_KINDS
from reference import same_bits, sample, tolerance

pytestmark = pytest.mark.kernels

DTYPES = ["float32", "float64"]
THREADS = [1, 2, 3, 8]

# name: shape of one image, size of a window, output channels, settings
CASES = {
    "one value": ((1, 1), (1,), 1, {}),
    "signal": ((13, 3), (4,), 7, {"stride": 3}),
    "signal, all settings": ((61, 4), (5,), 20, {"padding": ((2, 7),), "stride": 3, "dilation": 4,
                                                 "groups": 2}),
    "long signal": ((700, 3), (9,), 33, {"padding": 4}),
    "image": ((7, 5, 3), (3, 2), 5, {}),
    "vectors": ((9, 8, 16), (3, 3), 32, {"padding": 1}),
    "half a panel": ((9, 8, 10), (3, 3), 16, {"padding": 1}),
    "more than a panel": ((9, 8, 11), (3, 3), 70, {"padding": "same", "stride": (2, 3)}),
    "several blocks of rows": ((50, 61, 5), (3, 3), 20, {"padding": 1}),
    "several blocks of a row": ((4, 600, 3), (2, 3), 16, {"stride": (1, 2)}),
    "blocks of images": ((5, 5, 6), (3, 3), 17, {}),
    "several blocks of channels": ((6, 7, 700), (2, 2), 34, {}),
    "pointwise": ((15, 18, 20), (1, 1), 64, {}),
    "pointwise, stride": ((15, 18, 20), (1, 1), 33, {"stride": (3, 2)}),
    "pointwise, groups": ((15, 18, 20), (1, 1), 60, {"groups": 2}),
    "pointwise, crowded pixels": ((5, 6, 512), (1, 1), 256, {}),
    "crowded gradients": ((5, 6, 3), (3, 3), 512, {"padding": 1}),
    "pointwise, padding": ((5, 6, 20), (1, 1), 32, {"padding": 2}),
    "window as large as the image": ((4, 5, 2), (4, 5), 3, {}),
    "large dilation": ((15, 16, 3), (3, 4), 18, {"dilation": (7, 5), "padding": (1, 2)}),
    "dilation above the image": ((6, 5, 2), (2, 3), 4, {"dilation": 9, "padding": 11}),
    "stride above window": ((17, 19, 2), (2, 3), 4, {"stride": (5, 4)}),
    "groups": ((11, 12, 12), (3, 2), 96, {"groups": 3, "stride": 2, "padding": 1}),
    "groups of a part of a vector": ((11, 12, 12), (3, 2), 60, {"groups": 3, "padding": 1}),
    "small groups": ((11, 12, 12), (3, 3), 20, {"groups": 4, "padding": 1}),
    "small groups, many channels": ((9, 10, 300), (2, 2), 200, {"groups": 100, "stride": 2}),
    "depthwise": ((13, 11, 40), (3, 3), 40, {"groups": 40, "padding": 1}),
    "depthwise, vectors": ((13, 11, 64), (3, 3), 64, {"groups": 64, "stride": 2}),
    "depthwise, multiplier": ((8, 9, 5), (3, 3), 15, {"groups": 5, "dilation": 2, "padding": 2}),
    "depthwise, one tap": ((8, 9, 6), (1, 1), 6, {"groups": 6}),
    "depthwise signal": ((300, 6), (7,), 6, {"groups": 6, "padding": 3}),
    "volume": ((3, 4, 5, 2), (2, 3, 1), 6, {"padding": ((1, 4), (0, 2), (6, 0)),
                                            "stride": (2, 1, 3)}),
    "blocks of planes": ((20, 6, 7, 3), (3, 3, 3), 18, {"padding": 1}),
    "depthwise volume": ((5, 6, 7, 20), (2, 2, 2), 20, {"groups": 20}),
}
MODES = ("signal, all settings", "large dilation", "dilation above the image", "small groups",
         "depthwise", "volume", "pointwise, padding")
N_IMAGES = 5
MEMORY = {
    "Fortran": np.asfortranarray,
    "negative strides": lambda x: np.ascontiguousarray(x[::-1, ::-1, ..., ::-1])[
        ::-1, ::-1, ..., ::-1],
    "channels first": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -1, 1)), 1, -1),
    "some of the channels": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "wider rows": lambda x: np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 2), (0, 0)])[..., 1:-2, :],
}


@lru_cache
def conv_case(name, mode="constant"):
    """Return images, gradients, kernel size, settings, the gradient and its largest terms."""
    shape, kernel_size, n_out, form = CASES[name]
    form = form | {"padding_mode": mode}
    window = {key: value for key, value in form.items() if key != "groups"}
    images = sample((N_IMAGES, *shape))
    settings = reference.per_axis(shape[:-1], kernel_size, **window)
    padded = reference.pad(images, settings["pads"], mode)
    outputs = reference.positions(
        padded, kernel_size, settings["stride"], settings["dilation"])
    grads = sample((N_IMAGES, *outputs, n_out), 1)
    settings["groups"] = form.get("groups", 1)
    expected = reference_grad.conv_kernel(grads, images, kernel_size, **settings)
    terms = reference_grad.conv_kernel(np.abs(grads), np.abs(images), kernel_size, **settings)
    return images, grads, kernel_size, form, expected, (terms, N_IMAGES * math.prod(outputs))


def check_conv_kernel(case, dtype):
    """Compare with the reference, and any number of threads with one."""
    images, grads, kernel_size, form, expected, (terms, n_terms) = case
    images, grads = images.astype(dtype), grads.astype(dtype)
    outs = [grad.conv_kernel(grads, images, kernel_size, n_threads=n, **form) for n in THREADS]
    assert outs[0].dtype == dtype
    assert outs[0].shape == expected.shape
    assert (np.abs(outs[0] - expected) <= tolerance(dtype, n_terms, terms)).all()
    assert all(same_bits(out, outs[0]) for out in outs)


# Convolutions


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_conv_kernel_equals_the_reference(tier, name, dtype):
    check_conv_kernel(conv_case(name), dtype)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("name", MODES)
def test_conv_kernel_knows_every_border(name, mode):
    for dtype in DTYPES:
        check_conv_kernel(conv_case(name, mode), dtype)


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("name", CASES)
def test_conv_kernel_does_not_see_the_layout(name, memory):
    images, grads, kernel_size, form, *_ = conv_case(name)
    images, grads = images.astype("float32"), grads.astype("float32")
    expected = grad.conv_kernel(grads, images, kernel_size, **form)
    lie = MEMORY[memory]
    for one, other in ((lie(images), grads), (images, lie(grads)), (lie(images), lie(grads))):
        one.flags.writeable = other.flags.writeable = False
        assert same_bits(grad.conv_kernel(other, one, kernel_size, **form), expected)
        one.flags.writeable = other.flags.writeable = True


@pytest.mark.parametrize("name", ["long signal", "several blocks of rows", "depthwise signal"])
def test_sums_in_parts(monkeypatch, name):
    images, grads, kernel_size, form, expected, (terms, n_terms) = conv_case(name)
    monkeypatch.setattr("convlib.ops._kernel_sums.TASK_MACS", 1e4)
    lay_out.cache_clear()
    outs = [grad.conv_kernel(grads, images, kernel_size, n_threads=n, **form) for n in THREADS]
    lay_out.cache_clear()
    assert (np.abs(outs[0] - expected) <= tolerance("float64", n_terms, terms)).all()
    assert all(same_bits(out, outs[0]) for out in outs)


def test_several_parts_are_made_for_large_batches():
    inside = np.array([63, 64, 63])
    for n_images, few in ((1, True), (64, False)):
        images = np.ones((n_images, 64, 64, 8), np.float32)
        grads = np.ones((n_images, 64, 64, 16), np.float32)
        out = grad.conv_kernel(grads, images, 3, padding=1)
        assert (out == n_images * np.outer(inside, inside)[..., None, None]).all()
        problem = _problem(images.shape[1:], 16, "float32", (3, 1, 1, "constant", 1, 1))
        assert (lay_out(problem, n_images, cpu.tier()).n_parts == 1) == few


@pytest.mark.parametrize("name", ["signal", "small groups", "volume", "more than a panel"])
def test_conv_kernel_equals_differences(name):
    images, grads, kernel_size, form, *_ = conv_case(name)
    kernel = sample((*kernel_size, images.shape[-1] // form.get("groups", 1), grads.shape[-1]), 2)
    expected = reference_grad.differences(lambda k: cl.conv(images, k, **form), kernel, grads, 1.0)
    out = grad.conv_kernel(grads, images, kernel_size, **form)
    assert np.allclose(out, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_conv_kernel_equals_torch(name, dtype):
    torch = pytest.importorskip("torch")
    images, grads, kernel_size, form, _, (terms, n_terms) = conv_case(name)
    out = grad.conv_kernel(grads.astype(dtype), images.astype(dtype), kernel_size, **form)
    rank = len(kernel_size)
    pads = reference.per_axis(images.shape[1:-1], kernel_size, **{
        key: value for key, value in form.items() if key != "groups"})["pads"]
    x = torch.nn.functional.pad(
        torch.from_numpy(np.moveaxis(images.astype(dtype), -1, 1).copy()),
        [int(n) for pad in reversed(list(pads)) for n in pad])
    kernel = torch.zeros(tuple(np.moveaxis(out, (-1, -2), (0, 1)).shape), dtype=x.dtype,
                         requires_grad=True)
    function = getattr(torch.nn.functional, f"conv{rank}d")
    y = function(x, kernel, stride=form.get("stride", 1), dilation=form.get("dilation", 1),
                 groups=form.get("groups", 1))
    y.backward(torch.from_numpy(np.moveaxis(grads.astype(dtype), -1, 1).copy()))
    expected = np.moveaxis(kernel.grad.numpy(), (0, 1), (-1, -2))
    assert (np.abs(out - expected) <= 2 * tolerance(dtype, n_terms, terms)).all()


@st.composite
def convolutions(draw):
    """Draw the shape of images, a kernel's and settings."""
    rank = draw(st.integers(1, 3))

    def axes(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * rank))

    groups = draw(st.integers(1, 4))
    size, kernel_size = axes(1, 9 if rank < 3 else 5), axes(1, 3)
    form = {
        "stride": axes(1, 3), "dilation": axes(1, 3), "padding": tuple(zip(axes(0, 5), axes(0, 5))),
        "padding_mode": draw(st.sampled_from(PADDING_MODES)), "groups": groups,
    }
    for n, k, d, pads in zip(size, kernel_size, form["dilation"], form["padding"]):
        assume(n + sum(pads) > d * (k - 1))
    group_in, group_out = draw(st.integers(1, 5)), draw(st.integers(1, 20))
    images = (draw(st.integers(1, 3)), *size, group_in * groups)
    return images, (*kernel_size, group_in, group_out * groups), form


@given(convolutions(), st.sampled_from(DTYPES), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_conv_kernel_is_the_adjoint(call, dtype, seed):
    shape, kernel_shape, form = call
    random = np.random.default_rng(seed)
    images = random.integers(-9, 10, shape).astype(dtype)
    kernel = random.integers(-9, 10, kernel_shape).astype(dtype)
    outputs = cl.conv(images, kernel, algorithm="direct", **form)
    grads = random.integers(-9, 10, outputs.shape).astype(dtype)
    back = grad.conv_kernel(grads, images, kernel_shape[:-2], **form)
    # Sums of small integers are exact in any order.
    assert np.vdot(outputs.astype(int), grads.astype(int)) == np.vdot(
        kernel.astype(int), back.astype(int))


def test_nan_stays_in_its_channel():
    images, grads = np.ones((2, 8, 8, 20)), np.ones((2, 8, 8, 40))
    images[0, 3, 3, 7] = np.nan
    grads[1, 2, 2, 33] = np.inf
    grads[1, 2, 3, 33] = -np.inf
    wrong = np.isnan(grad.conv_kernel(grads, images, 3, padding=1))
    expected = np.zeros(wrong.shape, bool)
    expected[:, :, 7] = expected[..., 33] = True
    assert (wrong == expected).all()
    by_groups = np.isnan(grad.conv_kernel(grads, images, 3, padding=1, groups=20))
    expected = np.zeros(by_groups.shape, bool)
    expected[..., [14, 15, 33]] = True
    assert (by_groups == expected).all()


def test_no_images():
    out = np.full((3, 2, 8), np.nan)
    assert grad.conv_kernel(np.ones((0, 5, 8)), np.ones((0, 7, 2)), 3, out=out) is out
    assert not out.any()
    assert grad.conv_bias(np.ones((0, 5, 8), "float32")).tolist() == [0] * 8


def test_conv_kernel_computes_in_the_dtype_of_the_images():
    images, grads = sample((2, 9, 3)), sample((2, 7, 4), 1)
    expected = grad.conv_kernel(grads.astype("float32"), images.astype("float32"), 3)
    assert same_bits(grad.conv_kernel(grads, images.astype("float32"), 3), expected)
    whole = np.arange(54).reshape(2, 9, 3)
    for dtype, result in (("uint8", "float32"), ("float16", "float32"), ("int64", "float64")):
        out = grad.conv_kernel(grads, whole.astype(dtype), 3)
        assert same_bits(out, grad.conv_kernel(grads, whole.astype(result), 3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5, 1), (2, 7, 9, 40), (4, 3, 4, 5, 300), (70, 11, 3)])
def test_conv_bias_is_a_sum(tier, shape, dtype):
    grads = sample(shape).astype(dtype)
    expected = grads.sum(axis=tuple(range(grads.ndim - 1)), dtype=float)
    outs = [grad.conv_bias(grads, n_threads=n) for n in THREADS]
    assert outs[0].dtype == dtype
    # Eight pixels at a time are summed in the dtype; here are the magnitudes of all of them.
    magnitude = np.abs(grads).sum(axis=tuple(range(grads.ndim - 1)), dtype=float)
    allowed = tolerance(dtype, 8, 1) * (np.abs(expected) + magnitude / 8) + 1e-13
    assert (np.abs(outs[0] - expected) <= allowed).all()
    outs += [grad.conv_bias(lie(grads)) for lie in MEMORY.values()]
    outs.append(grad.conv_transpose_bias(grads))
    assert all(same_bits(out, outs[0]) for out in outs)


@given(convolutions(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_conv_transpose_kernel_is_the_adjoint(call, seed):
    shape, kernel_shape, form = call
    form = form | {"padding_mode": "constant"}
    random = np.random.default_rng(seed)
    by_outputs = random.integers(-9, 10, shape).astype(float)
    kernel = random.integers(-9, 10, kernel_shape).astype(float)
    back = cl.conv(by_outputs, kernel, algorithm="direct", **form)
    images = random.integers(-9, 10, back.shape).astype(float)
    del form["padding_mode"]
    by_kernel = grad.conv_transpose_kernel(by_outputs, images, kernel_shape[:-2], **form)
    assert by_kernel.shape == kernel.shape
    # <by_outputs, conv_transpose(images, kernel)> == <conv(by_outputs, kernel), images>
    assert np.vdot(back, images) == np.vdot(kernel, by_kernel)


def test_conv_transpose_kernel_equals_torch():
    torch = pytest.importorskip("torch")
    images, kernel = sample((2, 5, 6, 8)), sample((3, 3, 4, 8), 1)
    x, k = (torch.from_numpy(np.moveaxis(images, -1, 1).copy()),
            torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).requires_grad_())
    y = torch.nn.functional.conv_transpose2d(x, k, stride=2, padding=1, output_padding=1, groups=2)
    grads = sample((2, *y.shape[2:], 8), 2)
    y.backward(torch.from_numpy(np.moveaxis(grads, -1, 1).copy()))
    out = grad.conv_transpose_kernel(grads, images, 3, stride=2, padding=1, groups=2)
    assert np.allclose(out, k.grad.numpy().transpose(2, 3, 1, 0), rtol=1e-12, atol=1e-12)


# Pooling

# name: shape of one image, window, settings
POOLINGS = {
    "one pixel": ((1, 1, 3), 1, {}),
    "side by side": ((8, 9, 3), 2, {}),
    "overlapping": ((9, 8, 17), 3, {"stride": 2, "padding": 1}),
    "stride 1": ((9, 8, 5), (4, 3), {"stride": 1, "padding": (2, 1)}),
    "one channel": ((14, 15, 1), 3, {"padding": 1, "stride": (2, 1)}),
    "stride above window": ((17, 19, 2), (2, 3), {"stride": (5, 4)}),
    "same": ((11, 8, 2), (3, 5), {"padding": "same", "stride": (3, 2)}),
    "pads that differ": ((8, 9, 4), (4, 5), {"padding": ((3, 0), (1, 4)), "stride": (3, 1)}),
    "dilation": ((15, 16, 2), (3, 4), {"dilation": (4, 3), "stride": 1, "padding": (1, 2)}),
    "ceil_mode": ((10, 7, 18), 4, {"stride": 3, "padding": (2, 1), "ceil_mode": True}),
    "signal": ((50, 3), 7, {"padding": 3, "stride": 2}),
    "volume": ((5, 6, 7, 3), (3, 2, 3), {"padding": 1, "stride": (1, 2, 2)}),
}


@lru_cache
def pool_case(name):
    """Return images, window, settings and gradients by the outputs."""
    shape, size, form = POOLINGS[name]
    images = sample((3, *shape))
    return images, size, form, sample(cl.max_pool(images, size, **form).shape, 1)


def poolings(name, dtype="float64"):
    """Return functions of images and gradients, and what they return for those of a case."""
    images, size, form, grads = pool_case(name)
    indices = cl.max_pool(images, size, return_indices=True, **form)[1]
    image_size = images.shape[1:-1]
    functions = {
        "max": lambda x, g, **more: grad.max_pool_images(g, indices, image_size, **more),
        "mean": lambda x, g, **more: grad.average_pool_images(g, image_size, size, **form, **more),
        "mean of pixels": lambda x, g, **more: grad.average_pool_images(
            g, image_size, size, count_include_pad=False, **form, **more),
    }
    expected = {
        "max": reference_grad.max_pool(grads, indices, image_size),
        "mean": reference_grad.average_pool(grads, images, size, **form),
        "mean of pixels": reference_grad.average_pool(grads, images, size, False, **form),
    }
    for p in (1, 2, 3, 1.5, 0.5):
        functions[f"norm {p}"] = lambda x, g, p=p, **more: grad.lp_pool_images(
            g, x, size, p=p, **form, **more)
        expected[f"norm {p}"] = reference_grad.lp_pool(grads, images, size, p, **form)
    return functions, expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_equals_the_reference(name, dtype):
    images, _, _, grads = pool_case(name)
    functions, solutions = poolings(name)
    images, grads = images.astype(dtype), grads.astype(dtype)
    for kind, function in functions.items():
        expected = solutions[kind]
        outs = [function(images, grads, n_threads=n) for n in THREADS]
        assert outs[0].dtype == dtype
        assert np.allclose(outs[0], expected, rtol=1e3 * np.finfo(dtype).eps,
                           atol=30 * np.finfo(dtype).eps * np.abs(expected).max()), kind
        outs += [function(lie(images), lie(grads)) for lie in MEMORY.values()]
        out = np.full_like(outs[0], np.nan)
        assert function(images, grads, out=out) is out
        assert all(same_bits(other, outs[0]) for other in [*outs, out]), kind


@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_equals_differences(name):
    images, size, form, grads = pool_case(name)
    images, grads = images[:1] + 0.1 * np.sign(images[:1]), grads[:1]
    indices = cl.max_pool(images, size, return_indices=True, **form)[1]
    pairs = (
        (lambda x: cl.max_pool(x, size, **form),
         grad.max_pool_images(grads, indices, images.shape[1:-1])),
        (lambda x: cl.average_pool(x, size, **form),
         grad.average_pool_images(grads, images.shape[1:-1], size, **form)),
        (lambda x: cl.lp_pool(x, size, p=3, **form),
         grad.lp_pool_images(grads, images, size, p=3, **form)),
    )
    if images.size > 400:
        images = images[..., :1].copy()
        grads = grads[..., :1].copy()
        pairs = tuple((function, by_images[..., :1]) for function, by_images in pairs)
    for function, by_images in pairs:
        expected = reference_grad.differences(function, images, grads)
        assert np.allclose(by_images, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["side by side", "overlapping", "one channel", "stride 1"])
def test_pooling_equals_torch(name):
    torch = pytest.importorskip("torch")
    images, size, form, grads = pool_case(name)
    indices = cl.max_pool(images, size, return_indices=True, **form)[1]
    expected = []
    for function in (torch.nn.functional.max_pool2d, torch.nn.functional.avg_pool2d):
        x = torch.from_numpy(np.moveaxis(images, -1, 1).copy()).requires_grad_()
        function(x, size, form.get("stride"), form.get("padding", 0)).backward(
            torch.from_numpy(np.moveaxis(grads, -1, 1).copy()))
        expected.append(np.moveaxis(x.grad.numpy(), 1, -1))
    assert np.allclose(grad.max_pool_images(grads, indices, images.shape[1:-1]), expected[0])
    out = grad.average_pool_images(grads, images.shape[1:-1], size, **form)
    assert np.allclose(out, expected[1])


def test_norms_of_nothing_have_no_slope():
    images = np.zeros((1, 6, 2))
    images[0, 0, 0] = 2
    for p in (0.5, 1, 1.5, 2, 3):
        out = grad.lp_pool_images(np.ones((1, 3, 2)), images, 2, p=p)
        assert np.isclose(out[0, 0, 0], 1)
        assert np.count_nonzero(out) == 1


def test_nan_reaches_its_windows_only():
    grads = np.ones((1, 4, 1))
    grads[0, 1] = np.nan
    out = grad.average_pool_images(grads, 6, 3, stride=1)
    assert np.isnan(out[0, :, 0]).tolist() == [False, True, True, True, False, False]
    images = np.ones((1, 6, 1))
    images[0, 0] = np.nan
    out = grad.lp_pool_images(np.ones((1, 4, 1)), images, 3, stride=1)
    assert np.isnan(out[0, :, 0]).tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", GLOBAL_KINDS)
@pytest.mark.parametrize("shape", [(2, 7, 3), (3, 5, 4, 2), (2, 3, 4, 2, 3)])
def test_global_pooling_equals_differences(shape, kind, dtype):
    images, grads = sample(shape), sample((shape[0], shape[-1]), 1)
    expected = reference_grad.differences(lambda x: cl.global_pool(x, kind), images, grads)
    images = images.astype(dtype)
    outs = [grad.global_pool_images(grads, lie(images), kind) for lie in MEMORY.values()]
    assert np.allclose(outs[0], expected, rtol=1e-5, atol=1e-6)
    wide = grads.reshape(shape[0], *(1 for _ in shape[1:-1]), shape[-1])
    outs += [grad.global_pool_images(wide, images, kind, keepdims=True, n_threads=n)
             for n in THREADS]
    assert all(same_bits(out, outs[0]) for out in outs)
    assert outs[0].dtype == dtype


def test_global_pooling_of_equal_pixels():
    images = np.full((1, 4, 1), 3.0)
    first = [1, 0, 0, 0]
    for kind, expected in (("max", first), ("min", first), ("std", [0] * 4), ("ppv", [0] * 4),
                           ("mean", [0.25] * 4)):
        assert grad.global_pool_images([[1.0]], images, kind)[0, :, 0].tolist() == expected
    images[0, 2] = np.nan
    for kind in ("max", "min"):
        assert grad.global_pool_images([[1.0]], images, kind)[0, :, 0].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 30, 1), (3, 5, 4, 40), (1, 3, 4, 5, 17)])
def test_max_unpool_equals_the_reference(shape, dtype):
    grads = sample(shape).astype(dtype)
    places = (shape[0], *(n // 2 for n in shape[1:-1]), shape[-1])
    indices = np.random.default_rng(1).integers(0, math.prod(shape[1:-1]), places)
    expected = reference_grad.unpool(grads, indices).astype(dtype)
    outs = [grad.max_unpool_pooled(grads, indices, n_threads=n) for n in THREADS]
    outs += [grad.max_unpool_pooled(lie(grads), lie(indices)) for lie in MEMORY.values()]
    assert all(same_bits(out, expected) for out in outs)
    pooled = sample(places, 2).astype(dtype)
    unpooled = cl.max_unpool(pooled, indices, shape[1:-1])
    assert np.isclose(np.vdot(unpooled, grads), np.vdot(pooled, outs[0]), rtol=1e-4, atol=1e-4)


def test_scatters_do_not_see_the_layout_of_indices():
    images, size, form, grads = pool_case("overlapping")
    indices = cl.max_pool(images, size, return_indices=True, **form)[1]
    expected = grad.max_pool_images(grads, indices, images.shape[1:-1])
    for lie in MEMORY.values():
        out = grad.max_pool_images(grads, lie(indices).astype(np.int32), images.shape[1:-1])
        assert same_bits(out, expected)


# Activations and channels


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [None, *ACTIVATIONS])
def test_activations_equal_differences(tier, name, dtype):
    inputs = 4 * sample((3, 1001))
    inputs[np.abs(inputs) < 1e-3] = 1  # no kinks
    grads = sample((3, 1001), 1)
    step = 1e-6
    slopes = (reference.activate(inputs + step, name)
              - reference.activate(inputs - step, name)) / (2 * step)
    allowed = 1e-7 + 30 * np.finfo(dtype).eps * np.abs(inputs)
    outputs = reference.activate(inputs, name).astype(dtype)
    outs = [grad.activation_inputs(grads, name, inputs=inputs.astype(dtype), n_threads=n)
            for n in THREADS]
    assert outs[0].dtype == dtype
    assert (np.abs(outs[0] - grads * slopes) <= allowed * np.abs(grads) + 1e-7).all()
    assert all(same_bits(out, outs[0]) for out in outs)
    if name not in ("abs", "square"):
        out = grad.activation_inputs(grads, name, outputs=outputs)
        assert (np.abs(out - grads * slopes) <= allowed * np.abs(grads) + 1e-7).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_do_not_see_place_and_layout(tier, name, dtype):
    inputs, grads = sample((5, 6, 7)).astype(dtype), sample((5, 6, 7), 1).astype(dtype)
    expected = grad.activation_inputs(grads, name, inputs=inputs)
    for lie in MEMORY.values():
        assert same_bits(grad.activation_inputs(lie(grads), name, inputs=lie(inputs)), expected)
    alone = [grad.activation_inputs(g, name, inputs=x) for g, x in zip(grads.ravel(),
                                                                      inputs.ravel())]
    assert same_bits(np.array(alone).reshape(expected.shape), expected)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_write_in_place(name):
    inputs, grads = sample((5, 6, 7)), sample((5, 6, 7), 1)
    expected = grad.activation_inputs(grads, name, inputs=inputs)
    for target in (0, 1):
        arrays = [grads.copy(), inputs.copy()]
        out = grad.activation_inputs(arrays[0], name, inputs=arrays[1], out=arrays[target])
        assert out is arrays[target]
        assert same_bits(out, expected)
    memory = np.concatenate([grads.ravel(), [0.0]])
    out = memory[1:].reshape(grads.shape)
    grad.activation_inputs(memory[:-1].reshape(grads.shape), name, inputs=inputs, out=out)
    assert same_bits(out, expected)


def test_slopes_at_kinks_and_beyond():
    def slope(name, at):
        return float(grad.activation_inputs(1.0, name, inputs=at))

    assert [slope("relu", x) for x in (-1, 0, 1)] == [0, 0, 1]
    assert [slope("relu6", x) for x in (0, 3, 6, 7)] == [0, 1, 0, 0]
    assert [slope("leaky_relu", x) for x in (-1, 0, 1)] == [0.01, 0.01, 1]
    assert [slope("abs", x) for x in (-2, 0, 2)] == [-1, 0, 1]
    assert [slope("square", x) for x in (-2, 0, 2)] == [-4, 0, 4]
    assert slope("sigmoid", 1e5) == slope("tanh", 1e5) == 0 <= slope("sigmoid", -800) < 1e-300
    for name in ("sigmoid", "tanh", "square"):
        assert np.isnan(slope(name, np.nan))
    # The slope is zero, and not a number times infinity.
    assert grad.activation_inputs(np.inf, "relu", inputs=-1.0) == 0


def test_activations_equal_torch():
    torch = pytest.importorskip("torch")
    inputs, grads = 3 * sample(500), sample(500, 1)
    inputs[:3] = -0.0, 0.0, 6.0
    functional = torch.nn.functional
    for name, function in (
        ("relu", functional.relu), ("relu6", functional.relu6), ("abs", torch.abs),
        ("leaky_relu", functional.leaky_relu), ("square", torch.square),
        ("sigmoid", torch.sigmoid), ("tanh", torch.tanh),
    ):
        x = torch.from_numpy(inputs).clone().requires_grad_()
        function(x).backward(torch.from_numpy(grads))
        out = grad.activation_inputs(grads, name, inputs=inputs)
        assert np.allclose(out, x.grad.numpy(), rtol=1e-12, atol=1e-14), name


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 12])
def test_channel_shuffle_images_takes_it_back(groups):
    images = sample((2, 3, 5, 12))
    shuffled = cl.channel_shuffle(images, groups)
    assert same_bits(grad.channel_shuffle_images(shuffled, groups), images)


def test_gradients_leave_the_callers_subnormals_alone():
    tiny = np.full((1, 40, 2), 1e-310)
    for n in (1, 3):
        grad.conv_kernel(tiny, tiny, 1, n_threads=n)
        grad.average_pool_images(tiny, 40, 1, n_threads=n)
        grad.activation_inputs(tiny, "tanh", inputs=tiny, n_threads=n)
        assert (tiny * 0.5 > 0).all()


# Refusals

IMAGES = np.ones((2, 6, 5, 4))
GRADS = np.ones((2, 4, 3, 8))
CALLS = {
    "conv_kernel": lambda **form: grad.conv_kernel(
        **{"grad_output": GRADS, "images": IMAGES, "kernel_size": 3} | form),
    "conv_bias": lambda **form: grad.conv_bias(**{"grad_output": GRADS} | form),
    "conv_transpose_kernel": lambda **form: grad.conv_transpose_kernel(
        **{"grad_output": IMAGES, "images": GRADS, "kernel_size": 3} | form),
    "max_pool": lambda **form: grad.max_pool_images(
        **{"grad_output": GRADS, "indices": np.zeros(GRADS.shape, int), "image_size": (6, 5)}
        | form),
    "average_pool": lambda **form: grad.average_pool_images(
        **{"grad_output": GRADS, "image_size": (6, 5), "size": 3, "stride": 1} | form),
    "lp_pool": lambda **form: grad.lp_pool_images(
        **{"grad_output": GRADS[..., :4], "images": IMAGES, "size": 3, "stride": 1} | form),
    "global_pool": lambda **form: grad.global_pool_images(
        **{"grad_output": np.ones((2, 4)), "images": IMAGES, "kind": "max"} | form),
    "max_unpool": lambda **form: grad.max_unpool_pooled(
        **{"grad_output": GRADS, "indices": np.zeros((2, 2, 2, 8), int)} | form),
    "activation": lambda **form: grad.activation_inputs(
        **{"grad_output": GRADS, "activation": "relu", "outputs": GRADS} | form),
    "channel_shuffle": lambda **form: grad.channel_shuffle_images(
        **{"grad_output": GRADS, "groups": 2} | form),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_are_right_but_for_what_follows(name):
    CALLS[name]()


@pytest.mark.parametrize("value", [np.ones(2, complex), np.full(2, "a"), np.ma.ones((2, 4, 3, 8)),
                                   np.ones((2, 2), object), None], ids=repr)
@pytest.mark.parametrize("name", CALLS)
def test_gradients_are_real_numbers(name, value):
    with pytest.raises(TypeError, match="grad_output must be an array"):
        CALLS[name](grad_output=value)


@pytest.mark.parametrize("name", [name for name in CALLS if "shuffle" not in name])
def test_wrong_threads(name):
    with pytest.raises(ValueError, match="n_threads must be"):
        CALLS[name](n_threads=0)
    with pytest.raises(TypeError, match="n_threads must be"):
        CALLS[name](n_threads=1.5)


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [("conv_kernel", {"grad_output": GRADS[:1]}, r"grad_output must be of shape \(2, 4, 3, \*\)"),
     ("conv_kernel", {"grad_output": GRADS[:, 1:]}, r"shape \(2, 4, 3, \*\), as the outputs are"),
     ("conv_kernel", {"grad_output": GRADS[0]}, r"shape \(2, 4, 3, \*\), as the outputs are"),
     ("conv_kernel", {"stride": 2}, r"grad_output must be of shape \(2, 2, 2, \*\)"),
     ("conv_kernel", {"kernel_size": 7}, "no window fits on axis 0"),
     ("conv_kernel", {"groups": 3}, "groups must be an int that divides in_channels=4"),
     ("conv_kernel", {"padding_mode": "nearest"}, "padding_mode must be one of"),
     ("conv_kernel", {"padding": -1}, "padding must be"),
     ("conv_kernel", {"grad_output": GRADS[..., :0]}, "out_channels must be an int, at least 1"),
     ("conv_kernel", {"images": IMAGES[0, 0]}, r"images must be an array of shape \(n_images"),
     ("conv_bias", {"grad_output": GRADS[0, 0]}, "grad_output must be an array of shape"),
     ("conv_transpose_kernel", {"images": GRADS[:, 1:]}, r"images must be of shape \(2, 4, 3,"),
     ("conv_transpose_kernel", {"grad_output": IMAGES[:1]}, "grad_output must be of shape"),
     ("conv_transpose_kernel", {"grad_output": IMAGES[..., :0]}, "only the first axis is empty"),
     ("max_pool", {"indices": np.full(GRADS.shape, 30)}, r"indices must be in 0 \.\. 29, since"),
     ("max_pool", {"indices": np.zeros((2, 4, 3), int)}, "indices must be an array of shape"),
     ("max_pool", {"image_size": (6, 0)}, "image_size must be"),
     ("average_pool", {"image_size": (7, 5)}, r"grad_output must be of shape \(2, 5, 3, 8\)"),
     ("average_pool", {"size": 9}, "no window fits"),
     ("lp_pool", {"p": 0}, "p must be"),
     ("lp_pool", {"stride": 2}, r"grad_output must be of shape \(2, 2, 2, 4\)"),
     ("global_pool", {"kind": "sum"}, "kind must be one of"),
     ("global_pool", {"keepdims": True}, r"grad_output must be of shape \(2, 1, 1, 4\)"),
     ("max_unpool", {"indices": np.full((2, 2, 2, 8), -1)}, "indices must be in"),
     ("max_unpool", {"indices": np.zeros((2, 2, 2, 7), int)}, "indices must be an array of shape"),
     ("activation", {"activation": "gelu"}, "activation must be one of"),
     ("activation", {"outputs": None}, "exactly one of outputs and inputs"),
     ("activation", {"inputs": GRADS}, "exactly one of outputs and inputs"),
     ("activation", {"activation": "abs"}, "inputs must be given for activation='abs'"),
     ("activation", {"outputs": GRADS[1:]}, r"grad_output must be of shape \(1, 4, 3, 8\)"),
     ("channel_shuffle", {"groups": 3}, "groups must be an int that divides")])
def test_wrong_values(name, form, message):
    with pytest.raises(ValueError, match=message):
        CALLS[name](**form)


@pytest.mark.parametrize("name", ["max_pool", "max_unpool"])
def test_indices_are_integers(name):
    for value in (np.zeros((2, 4, 3, 8)), None):
        with pytest.raises(TypeError, match="indices must be an array"):
            CALLS[name](indices=value)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "conv_bias"])
def test_wrong_out(name):
    right = CALLS[name]()
    for out in (right[..., :-1], right.astype("float32"), np.asfortranarray(right)):
        with pytest.raises(ValueError, match="out must be"):
            CALLS[name](out=out)
    with pytest.raises(TypeError, match="out must be an ndarray"):
        CALLS[name](out=[0.0])


def test_out_lies_apart_from_the_operands():
    memory = np.ones(1000)
    images = memory[:240].reshape(IMAGES.shape)
    for out in (memory[:288].reshape(3, 3, 4, 8), memory[239:527].reshape(3, 3, 4, 8)):
        with pytest.raises(ValueError, match="out must not share memory"):
            grad.conv_kernel(GRADS, images, 3, out=out)
    assert (memory == 1).all()


def test_absurd_sizes():
    with pytest.raises(ValueError, match=r"below 2 \*\* 60"):
        grad.conv_kernel(np.ones((1, 1, 1)), np.ones((1, 4, 1)), 2, padding=2**60,
                         stride=2**61 + 4)
    far = 2**55
    out = grad.conv_kernel(np.ones((1, 2, 1)), np.arange(1.0, 6).reshape(1, 5, 1), 2,
                           dilation=far, padding=((far, far),), stride=far)
    assert out[:, 0, 0].tolist() == [1, 1]
