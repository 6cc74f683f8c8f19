"""Tests of conv_transpose: against a plain scatter, conv and torch, and bit by bit."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convlib as cl
import reference
import reference_transpose
from convlib._problem import five_axes
from convlib._validation import ACTIVATIONS
from convlib.ops import _phases
from convlib.ops.transpose import transpose_problem
from reference import same_bits, sample

pytestmark = pytest.mark.kernels

DTYPES = ["float32", "float64"]
THREADS = [1, 2, 3]

# name: shape of one image, shape of the kernel, settings
CASES = {
    "one pixel": ((1, 1, 3), (1, 1, 5, 3), {}),
    "strides far above the kernel": ((3, 4, 2), (2, 3, 5, 2), {"stride": (40, 1000), "padding": 1}),
    "many phases": ((2, 3, 2), (30, 25, 3, 2), {"stride": (30, 20)}),
    "one value, stride": ((1, 1), (1, 1, 1), {"stride": 3}),
    "stride 1": ((7, 8, 3), (3, 2, 4, 3), {"padding": ((1, 0), (0, 1))}),
    "stride 1, padding above the kernel": ((9, 8, 2), (2, 1, 3, 2), {"padding": ((3, 2), (0, 4))}),
    "2x2s2": ((9, 7, 20), (2, 2, 33, 20), {"stride": 2}),
    "2x2s2, channels above a vector": ((5, 6, 17), (2, 2, 31, 17), {"stride": 2}),
    "3x3s2": ((6, 5, 8), (3, 3, 16, 8), {"stride": 2, "padding": 1, "output_padding": 1}),
    "4x4s2": ((12, 13, 40), (4, 4, 48, 40), {"stride": 2, "padding": 1}),
    "6x6s2": ((9, 10, 16), (6, 6, 16, 16), {"stride": 2, "padding": 2}),
    "same": ((5, 6, 3), (4, 3, 2, 3), {"stride": (2, 3), "padding": "same"}),
    "same, odd": ((5, 6, 3), (4, 3, 2, 3),
                  {"stride": (2, 3), "padding": "same", "output_shape": (9, 17)}),
    "valid, output shape": ((5, 6, 3), (4, 3, 2, 3), {"stride": 3, "padding": "valid",
                                                      "output_shape": (18, 18)}),
    "stride above kernel": ((4, 5, 3), (2, 3, 4, 3), {"stride": (5, 4), "output_padding": (4, 3)}),
    "strides of one and more": ((6, 7, 4), (3, 3, 5, 4), {"stride": (1, 3), "padding": 1}),
    "dilation": ((6, 7, 3), (3, 4, 2, 3), {"dilation": (2, 3), "padding": (1, 4)}),
    "dilation and stride": ((6, 7, 3), (3, 4, 2, 3), {"dilation": (3, 2), "stride": 2}),
    "dilation and stride with a divisor": ((5, 6, 3), (3, 4, 2, 3),
                                           {"dilation": (4, 6), "stride": (6, 4)}),
    "long sums": ((4, 3, 300), (4, 4, 20, 300), {"stride": 2}),
    "pixels 4 KiB apart": ((3, 4, 1024), (3, 2, 3, 1024), {"stride": 2}),
    "rows of several blocks": ((3, 1500, 2), (3, 4, 2, 2), {"stride": (1, 2)}),
    "groups": ((6, 5, 12), (3, 3, 5, 12), {"groups": 3, "stride": 2}),
    "groups of four": ((6, 17, 16), (4, 4, 4, 16), {"groups": 4, "stride": 2, "padding": 1}),
    "groups above a vector": ((3, 4, 40), (2, 3, 33, 40), {"groups": 2, "stride": 2}),
    "depthwise": ((7, 18, 21), (4, 4, 1, 21), {"groups": 21, "stride": 2, "padding": 1}),
    "depthwise, few channels": ((7, 18, 3), (4, 4, 1, 3), {"groups": 3, "stride": 2}),
    "depthwise, stride 1": ((7, 18, 21), (3, 3, 1, 21), {"groups": 21, "padding": 1}),
    "one channel": ((20, 31, 1), (4, 4, 1, 1), {"stride": 2, "padding": 1}),
    "one channel of low rank": ((64, 65, 1), (7, 7, 1, 1), {"padding": 3}),
    "outputs without pixels": ((3, 2), (2, 1, 2), {"stride": 4, "output_padding": 3}),
    "signal": ((50, 3), (16, 5, 3), {"stride": 8, "padding": ((3, 5),)}),
    "volume": ((3, 4, 5, 3), (2, 3, 2, 4, 3), {"stride": (2, 1, 3), "padding": 1,
                                               "output_padding": (1, 0, 2)}),
    "volume, all settings": ((4, 3, 5, 4), (3, 2, 3, 3, 4), {
        "stride": (2, 3, 1), "dilation": (1, 2, 2), "groups": 2,
        "padding": ((1, 0), (0, 1), (2, 1))}),
}


def reference_settings(image_size, kernel_size, stride=1, padding=0, output_padding=0,
                       output_shape=None, dilation=1, groups=1, activation=None):
    """Return the settings of a call as the reference takes them."""
    rank = len(image_size)
    strides, dilations, extras = (np.broadcast_to(each, rank).tolist()
                                  for each in (stride, dilation, output_padding))
    reaches = [d * (k - 1) + 1 for k, d in zip(kernel_size, dilations)]
    if padding == "same":
        sizes = output_shape or [n * s for n, s in zip(image_size, strides)]
        pads = list(map(reference.same_pads, sizes, kernel_size, strides, dilations))
    else:
        pads = reference.per_axis(image_size, kernel_size, padding=padding)["pads"]
        sizes = output_shape or [
            (n - 1) * s - sum(pair) + reach + extra for n, s, pair, reach, extra
            in zip(image_size, strides, pads, reaches, extras)]
    return {"stride": strides, "before": [pair[0] for pair in pads], "dilation": dilations,
            "output_size": sizes, "groups": groups}


def check(out, images, kernel, bias=None, activation=None, **options):
    """Fail where `out` is not the transposed convolution within rounding."""
    form = reference_settings(images.shape[1:-1], kernel.shape[:-2], **options)
    sums = reference_transpose.conv_transpose(images, kernel, bias, **form)
    magnitude = reference_transpose.conv_transpose(
        np.abs(images), np.abs(kernel), None if bias is None else np.abs(bias), **form)
    spread = 12 * magnitude.max(tuple(range(1, magnitude.ndim)), keepdims=True)  # for winograd
    allowed = reference.tolerance(images.dtype, kernel.size, spread)
    if activation == "square":
        allowed = (2 * np.abs(sums) + allowed) * allowed
    expected = reference.activate(sums, activation)
    assert out.dtype == images.dtype
    assert out.shape == expected.shape
    assert (np.abs(out - expected) <= allowed).all()


def operands(case, dtype):
    shape, kernel_shape, options = CASES[case]
    bias = sample(kernel_shape[-2] * options.get("groups", 1), 2)
    arrays = sample((3, *shape)), sample(kernel_shape, 1), bias
    return *(array.astype(dtype) for array in arrays), options


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_equals_the_scatter_for_any_threads(tier, case, dtype):
    images, kernel, bias, options = operands(case, dtype)
    outs = [cl.conv_transpose(images, kernel, bias, n_threads=n, **options) for n in THREADS]
    check(outs[0], images, kernel, bias, **options)
    assert all(same_bits(out, outs[0]) for out in outs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_both_ways_equal_the_scatter(tier, case, dtype):
    images, kernel, bias, options = operands(case, dtype)
    names = ("stride", "padding", "output_padding", "output_shape", "dilation", "groups",
             "activation")
    usual = (1, 0, 0, None, 1, 1, None)
    settings = tuple(options.get(name, value) for name, value in zip(names, usual))
    problem = transpose_problem(images.shape[1:], kernel.shape, images.dtype, settings)
    for way in (_phases.Product(problem), _phases.Phases(problem, 0)):
        out = np.full((3, *problem.output_size[3 - problem.rank:], problem.out_channels), np.nan,
                      dtype)
        way.run(five_axes(images), kernel, bias, five_axes(out), 2)
        check(out, images, kernel, bias, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_batches_and_layouts_do_not_change_bits(tier, case, dtype):
    images, kernel, bias, options = operands(case, dtype)
    whole = cl.conv_transpose(images, kernel, bias, **options)
    alone = [cl.conv_transpose(one[None], kernel, bias, **options) for one in images]
    assert same_bits(np.concatenate(alone), whole)
    first = np.moveaxis(np.ascontiguousarray(np.moveaxis(images, -1, 1)), 1, -1)
    spread = np.repeat(images, 2, axis=-1)[..., ::2]
    fixed = images.copy()
    fixed.flags.writeable = False
    for same in (first, spread, np.asfortranarray(images), fixed):
        assert same_bits(cl.conv_transpose(same, np.asfortranarray(kernel), bias, **options), whole)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("case", ["3x3s2", "6x6s2", "outputs without pixels", "depthwise"])
def test_activations(tier, activation, case):
    images, kernel, bias, options = operands(case, "float64")
    out = cl.conv_transpose(images, kernel, bias, activation=activation, **options)
    check(out, images, kernel, bias, activation=activation, **options)


@pytest.mark.parametrize("images", [0, 2])
def test_out_is_filled_and_returned(images):
    images, kernel = sample((images, 4, 5, 3)).astype("f4"), sample((3, 3, 2, 3), 1)
    out = np.full((len(images), 9, 11, 2), np.nan, "f4")
    assert cl.conv_transpose(images, kernel, stride=2, out=out) is out
    assert same_bits(out, cl.conv_transpose(images, kernel, stride=2))


def test_integers_are_floats_afterwards():
    out = cl.conv_transpose(np.ones((1, 2, 1), "u1"), [[[1]], [[2]]], stride=2)
    assert same_bits(out, np.array([1, 2, 1, 2], "f4").reshape(1, 4, 1))


@pytest.mark.parametrize("kernel_size", [2, 3, 4])
def test_nan_spreads_to_what_sees_it(tier, kernel_size):
    images, kernel = np.ones((1, 9, 4), "f4"), np.ones((kernel_size, 5, 4), "f4")
    images[0, 4, 2] = np.nan
    bad = np.isnan(cl.conv_transpose(images, kernel, stride=2))[0]
    expected = np.zeros(bad.shape, bool)
    expected[8:8 + kernel_size] = True
    assert np.array_equal(bad, expected)


@st.composite
def calls(draw):
    """Draw images of the size of a convolution's outputs, its kernel, settings and input size."""
    rank = draw(st.integers(1, 3))

    def axes(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * rank))

    groups, group_in, group_out = (draw(st.integers(1, 3)) for _ in range(3))
    form = {"stride": axes(1, 4), "dilation": axes(1, 3), "groups": groups,
            "padding": draw(st.sampled_from(["same", tuple(zip(axes(0, 3), axes(0, 3)))]))}
    size, kernel_size = axes(1, 7), axes(1, 4)
    if form["padding"] != "same":
        for n, k, d, pads in zip(size, kernel_size, form["dilation"], form["padding"]):
            assume(n + sum(pads) > d * (k - 1))
    seed = draw(st.integers(0, 2**32 - 1))
    images = sample((2, *size, groups * group_in), seed)
    kernel = sample((*kernel_size, group_in, groups * group_out), seed + 1)
    return images, kernel, form


@given(calls())
@settings(deadline=None)
def test_is_the_adjoint_of_conv(call):
    x, kernel, form = call
    out = cl.conv(x, kernel, **form)
    y = sample(out.shape, 5)
    back = cl.conv_transpose(y, kernel, output_shape=x.shape[1:-1], **form)
    assert back.shape == x.shape
    allowed = reference.tolerance("f8", out.size * kernel.size, np.abs(out * y).sum() + 100)
    assert abs((out * y).sum() - (x * back).sum()) <= allowed
    check(back, y, kernel, output_shape=x.shape[1:-1], **form)


@given(calls())
@settings(deadline=None, max_examples=40)
def test_linear_in_the_images(call):
    x, kernel, form = call
    y = sample(cl.conv(x, kernel, **form).shape, 5)
    form["output_shape"] = x.shape[1:-1]
    other = y[::-1]
    out = cl.conv_transpose(2 * y - other, kernel, **form)
    parts = [cl.conv_transpose(part, kernel, **form) for part in (y, other)]
    assert np.abs(out - (2 * parts[0] - parts[1])).max() < 1e-10


@pytest.mark.parametrize("case", [name for name in CASES if "same" not in name])
def test_equals_torch(case):
    torch = pytest.importorskip("torch")
    images, kernel, bias, options = operands(case, "float64")
    if "output_shape" in options or isinstance(np.ravel(options.get("padding", 0))[0], str):
        pytest.skip("torch has no such setting")
    rank = images.ndim - 2
    padding = np.array(options.get("padding", 0))
    if padding.ndim == 2:
        pytest.skip("torch has no pairs")
    function = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    expected = function(
        torch.from_numpy(np.moveaxis(images, -1, 1).copy()),
        torch.from_numpy(np.moveaxis(kernel, (-1, -2), (0, 1)).copy()), torch.from_numpy(bias),
        **options)
    out = cl.conv_transpose(images, kernel, bias, **options)
    assert np.allclose(out, np.moveaxis(expected.numpy(), 1, -1), rtol=1e-9, atol=1e-9)


IMAGES, KERNEL = np.ones((2, 4, 5, 6)), np.ones((3, 3, 2, 6))


@pytest.mark.parametrize(("error", "message", "changes"), [
    (ValueError, r"output_shape on axis 0 must be one of 9, 10; got 11",
     {"stride": 2, "output_shape": (11, 11)}),
    (ValueError, "output_padding must be smaller than stride", {"output_padding": 1}),
    (ValueError, "output_padding must be smaller than stride .* 0 where padding is 'same'",
     {"stride": 2, "padding": "same", "output_padding": 1}),
    (ValueError, "padding .* must leave at least 1 pixel on axis 0", {"padding": 3}),
    (ValueError, "images must have 6 channels", {"images": np.ones((1, 4, 5, 2))}),
    (ValueError, "groups must be an int that divides the 6 channels", {"groups": 4}),
    (ValueError, r"out_channels // groups, in_channels", {"kernel": np.ones((3, 6))}),
    (ValueError, r"bias must be an array of shape \(2,\)", {"bias": np.ones(6)}),
    (ValueError, r"out must be of shape \(2, 6, 7, 2\)", {"out": np.ones((2, 6, 7, 3))}),
    (ValueError, "activation must be one of", {"activation": "gelu"}),
    (ValueError, "stride must be an int", {"stride": 0}),
    (TypeError, "output_shape must be an int", {"output_shape": "large"}),
    (TypeError, "output_padding must be an int", {"output_padding": 0.5}),
    (ValueError, r"the result would have shape .* bytes", {"stride": 2**40}),
])
def test_bad_input(error, message, changes):
    arguments = {"images": IMAGES, "kernel": KERNEL} | changes
    with pytest.raises(error, match=message):
        cl.conv_transpose(**arguments)
