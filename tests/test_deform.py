"""Tests of deform_conv: the loop reference, conv as a special case, odd points, the same bits."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convlib as cl
import reference
from convlib.ops import _deform
from reference import same_bits, sample
from reference_deform import Deform

pytestmark = pytest.mark.kernels

DTYPES = ["float32", "float64"]
THREADS = [1, 2, 3, 8]

# name: size of the images, kernel size, channels of a group, outputs of a group, offset groups,
# settings
CASES = {
    "one value": ((1, 1), (1, 1), 1, 1, 1, {}),
    "one tap": ((5, 6), (1, 1), 3, 2, 1, {}),
    "plain": ((6, 7), (3, 3), 4, 5, 1, {"padding": 1}),
    "rgb": ((6, 5), (3, 3), 3, 17, 1, {"padding": "same"}),
    "whole vectors": ((4, 5), (2, 2), 16, 32, 1, {"padding": 1}),
    "odd channels": ((4, 4), (2, 3), 37, 33, 1, {"padding": "same"}),
    "stride and dilation": ((9, 8), (3, 2), 5, 3, 1, {"stride": (2, 3), "dilation": (2, 4),
                                                      "padding": ((2, 1), (3, 0))}),
    "offset groups": ((5, 6), (3, 2), 12, 4, 3, {"padding": 1}),
    "an offset group a channel": ((5, 4), (2, 2), 6, 4, 6, {"padding": 1}),
    "groups": ((5, 6), (3, 3), 3, 2, 1, {"groups": 4, "padding": 1}),
    "depthwise": ((5, 6), (3, 3), 1, 1, 1, {"groups": 18, "padding": 1}),
    "groups across offset groups": ((5, 6), (2, 2), 4, 5, 2, {"groups": 3, "stride": 2}),
    "offset groups across groups": ((5, 6), (2, 2), 6, 5, 4, {"groups": 2, "padding": 1}),
    "long pads": ((2, 3), (2, 2), 2, 3, 1, {"padding": ((5, 4), (0, 7)), "stride": (3, 2)}),
    "kernel as large as the image": ((4, 5), (4, 5), 2, 2, 1, {}),
}


def operands(case, seed=0, spread=2.0):
    """Return images, kernel, offsets, mask and bias of a case as float64, and its settings."""
    size, kernel_size, group_in, group_out, offset_groups, form = CASES[case]
    groups = form.get("groups", 1)
    window = {name: form[name] for name in form if name != "groups"}
    outputs = cl.shapes.output_size(size, kernel_size, **window)
    n_points = offset_groups * kernel_size[0] * kernel_size[1]
    images = sample((2, *size, groups * group_in), seed)
    kernel = sample((*kernel_size, group_in, groups * group_out), seed + 1)
    offsets = spread * sample((2, *outputs, 2 * n_points), seed + 2)
    return (images, kernel, offsets, sample((2, *outputs, n_points), seed + 3),
            sample(groups * group_out, seed + 4)), form


@lru_cache
def solved(case):
    """Return the operands, the settings, the outputs and the magnitude of their terms."""
    arrays, form = operands(case)
    images, kernel, offsets, mask, bias = arrays
    magnitude = Deform(np.abs(images), np.abs(kernel), offsets, np.abs(mask), np.abs(bias), **form)
    return arrays, form, Deform(*arrays, **form).run(), magnitude.run()


def allowed(dtype, kernel, magnitude):
    """Return how far outputs may lie from the reference: each term is four products."""
    return reference.tolerance(dtype, 4 * kernel[..., 0].size, magnitude) + 1e-30


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference(case, dtype, tier):
    (images, kernel, offsets, mask, bias), form, expected, magnitude = solved(case)
    outs = [cl.deform_conv(images.astype(dtype), kernel, offsets.astype(dtype), mask, bias,
                           n_threads=n, **form) for n in THREADS]
    assert outs[0].dtype == dtype
    assert outs[0].shape == expected.shape
    # Offsets in float32 move the points: offsets of this test are float32 numbers times two.
    assert (np.abs(outs[0] - expected) <= allowed(dtype, kernel, magnitude)).all()
    assert all(same_bits(out, outs[0]) for out in outs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ["plain", "offset groups", "groups"])
def test_without_mask_and_bias(case, dtype):
    (images, kernel, offsets, mask, _), form, *_ = solved(case)
    out = cl.deform_conv(images.astype(dtype), kernel, offsets, **form)
    assert same_bits(out, cl.deform_conv(images.astype(dtype), kernel, offsets,
                                         np.ones(mask.shape), **form))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_zero_offsets_are_conv(case, dtype, tier):
    (images, kernel, offsets, _, bias), form, *_ = solved(case)
    images = images.astype(dtype)
    out = cl.deform_conv(images, kernel, 0 * offsets, None, bias, **form)
    assert same_bits(out, cl.conv(images, kernel, bias, algorithm="igemm", **form))


def test_integer_offsets_are_a_shifted_gather(tier):
    images = sample((2, 6, 7, 3))
    kernel = sample((2, 2, 3, 4), 1)
    whole = np.random.default_rng(2).integers(-9, 10, (2, 5, 6, 8))
    shifted = np.pad(images, ((0, 0), (20, 20), (20, 20), (0, 0)))
    expected = np.zeros((2, 5, 6, 4))
    for n, p, q in np.ndindex(2, 5, 6):
        for i, j in np.ndindex(2, 2):
            dy, dx = whole[n, p, q, 4 * i + 2 * j:4 * i + 2 * j + 2]
            expected[n, p, q] += shifted[n, 20 + p + i + dy, 20 + q + j + dx] @ kernel[i, j]
    out = cl.deform_conv(images, kernel, whole)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "relu6", "leaky_relu", "abs", "square", "sigmoid",
                                        "tanh"])
def test_activations(activation):
    (images, kernel, offsets, mask, bias), form, expected, _ = solved("plain")
    out = cl.deform_conv(images, kernel, offsets, mask, bias, activation=activation, **form)
    np.testing.assert_allclose(out, reference.activate(expected, activation), rtol=1e-9, atol=1e-9)


# Points


def look_at(image, y, x):
    """Return what a kernel of one tap sees of a (height, width) image at (y, x), in float64."""
    offsets = np.array([y, x], dtype=float).reshape(1, 1, 1, 2)
    window = image[np.newaxis, :, :, np.newaxis]
    return cl.deform_conv(window, np.ones((1, 1, 1, 1)), offsets, stride=image.shape)[0, 0, 0, 0]


@pytest.mark.parametrize(("y", "x", "value"), [
    (0, 0, 1), (0, 0.5, 1.5), (0.5, 0, 2.5), (0.25, 0.25, 2), (1, 2, 6),
    (-0.5, 0, 0.5), (-0.75, -0.5, 0.125), (1.5, 2, 3), (1.25, 2.5, 2.25),
    (-1, 0, 0), (0, -1, 0), (2, 0, 0), (0, 3, 0), (-1 + 2**-40, 0, 2**-40), (-1.5, 1, 0),
    (2.5, 1, 0), (1e30, 0, 0), (0, -1e30, 0), (np.inf, 0, 0), (-np.inf, np.inf, 0), (1e300, 1, 0),
    (2.0**31, 0, 0), (-(2.0**63), 0, 0), (2.0**64 + 4096, 1, 0), (np.nan, 0, np.nan),
    (0, np.nan, np.nan), (np.nan, np.inf, np.nan), (np.nan, 1e30, np.nan),
])
def test_values_between_and_beyond_pixels(y, x, value, tier):
    image = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(look_at(image, y, x), value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_offset_is_safe(dtype, tier):
    rng = np.random.default_rng(0)
    wild = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, 2.0**31, -(2.0**31), 2.0**63,
                     -(2.0**63), 1e-30, -1e-30, 0.0, -0.0, 1.0, -1.0, 5.0, -7.0])
    images = sample((3, 7, 6, 20)).astype(dtype)
    kernel = sample((3, 3, 20, 9), 1)
    offsets = rng.choice(wild, (3, 7, 6, 36)).astype(dtype)
    mask = rng.choice([1.0, 0.0, -2.0, 0.5], (3, 7, 6, 18))
    expected = Deform(images, kernel, offsets, mask, padding=1).run()
    out = cl.deform_conv(images, kernel, offsets, mask, padding=1)
    assert 0 < np.isnan(expected).mean() < 1
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)


def test_nan_offset_or_factor_makes_its_output_nan():
    (images, kernel, offsets, mask, bias), form, expected, _ = solved("plain")
    for array in (offsets, mask):
        array = array.copy()
        array[1, 2, 3, 4] = np.nan
        pair = (array, mask) if array.shape == offsets.shape else (offsets, array)
        out = cl.deform_conv(images, kernel, *pair, bias, **form)
        where = np.zeros(out.shape, bool)
        where[1, 2, 3] = True
        np.testing.assert_array_equal(np.isnan(out), where)
        np.testing.assert_allclose(out[~where], expected[~where])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_bad_pixels_reach_only_who_sees_them(bad, dtype, tier):
    images = sample((1, 6, 7, 5)).astype(dtype)
    images[0, 3, 4, 1] = images[0, 0, 0, 2] = bad
    kernel = np.ones((1, 1, 5, 3))
    far = np.full((1, 6, 7, 2), 100.0)
    assert not cl.deform_conv(images, kernel, far).any()
    np.testing.assert_array_equal(cl.deform_conv(images, kernel, 0 * far),
                                  cl.conv(images, kernel, algorithm="igemm"))
    half = np.tile([0.0, 0.5], (1, 6, 7, 1))
    seen = ~np.isfinite(cl.deform_conv(images, kernel, half)[0, ..., 0])
    assert np.argwhere(seen).tolist() == [[0, 0], [3, 3], [3, 4]]


def test_offsets_keep_their_digits_far_from_the_origin():
    image = np.zeros((1, 1, 2**20, 1), np.float32)
    image[0, 0, -2:, 0] = 1, 2
    offsets = np.full((1, 1, 2**20, 2), (0, 2.0**-20), np.float32)
    out = cl.deform_conv(image, np.ones((1, 1, 1, 1)), offsets)[0, 0, :, 0]
    np.testing.assert_array_equal(out[-3:], np.float32([2.0**-20, 1 + 2.0**-20, 2 - 2.0**-19]))


# The same bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ["plain", "odd channels", "groups across offset groups"])
def test_batches_and_outputs_do_not_change_bits(case, dtype):
    (images, kernel, offsets, mask, bias), form, *_ = solved(case)
    images = images.astype(dtype)
    whole = cl.deform_conv(images, kernel, offsets, mask, bias, **form)
    for n in range(2):
        some = slice(n, n + 1)
        out = np.full((1, *whole.shape[1:]), 9, dtype)
        assert cl.deform_conv(images[some], kernel, offsets[some], mask[some], bias, out=out,
                              **form) is out
        assert same_bits(out, whole[some])


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
     lambda x: x[:, ::-1, :, ::-1].copy()[:, ::-1, :, ::-1],
     lambda x: np.moveaxis(np.moveaxis(x, -1, 1).copy(), 1, -1),
     lambda x: np.pad(x, ((0, 0), (1, 2), (3, 0), (0, 0)))[:, 1:-2, 3:],
     lambda x: np.lib.stride_tricks.as_strided(x, x.shape, x.strides, writeable=False)],
    ids=["Fortran", "strided", "reversed", "channels first", "cropped", "read-only"])
@pytest.mark.parametrize("case", ["plain", "whole vectors", "offset groups", "one tap"])
def test_layouts_do_not_change_bits(case, change, monkeypatch):
    arrays, form, *_ = solved(case)
    *arrays, bias = (array.astype("float32") for array in arrays)
    whole = cl.deform_conv(*arrays, bias, **form)
    assert same_bits(cl.deform_conv(*map(change, arrays), bias, **form), whole)
    monkeypatch.setattr(_deform, "CHUNK_BYTES", 1)    # an image at a time
    assert same_bits(cl.deform_conv(*map(change, arrays), bias, n_threads=2, **form), whole)


@pytest.mark.parametrize("case", CASES)
def test_blocks_do_not_change_bits(case, monkeypatch):
    arrays, form, *_ = solved(case)
    whole = cl.deform_conv(*arrays, **form)
    for block, run in ((1, 1), (20, 3), (512, 10**6)):
        monkeypatch.setattr(_deform, "BLOCK_PIXELS", block)
        monkeypatch.setattr(_deform, "RUN_POINTS", run)
        _deform.layout.cache_clear()
        for n in (1, 3):
            assert same_bits(cl.deform_conv(*arrays, n_threads=n, **form), whole)
    _deform.layout.cache_clear()


def test_many_blocks(tier):
    images = sample((2, 40, 37, 8)).astype("float32")
    kernel, offsets = sample((3, 3, 8, 12), 1), 3 * sample((2, 40, 37, 18), 2)
    out = cl.deform_conv(images, kernel, offsets, padding=1, n_threads=3)
    for row in (3, 39):    # the reference takes its time
        one = Deform(images, kernel, offsets[:, row:row + 1], padding=((1 - row, 0), (1, 1)))
        np.testing.assert_allclose(out[:, row:row + 1], one.run(), rtol=1e-4, atol=1e-4)


# Dtypes


def test_the_images_decide_the_dtype():
    (images, kernel, offsets, mask, bias), form, *_ = solved("plain")
    whole = np.rint(10 * images)
    expected = cl.deform_conv(
        whole.astype("float32"), kernel, offsets.astype("float32"), mask, bias, **form)
    for dtype in ("int8", "int16", "float16"):
        assert same_bits(cl.deform_conv(whole.astype(dtype), kernel, offsets, mask, bias, **form),
                         expected)
    assert cl.deform_conv(whole.astype("int64"), kernel, offsets, mask, bias, **form).dtype == float
    integers = np.rint(offsets).astype("int16")
    assert same_bits(cl.deform_conv(images, kernel, integers, **form),
                     cl.deform_conv(images, kernel, integers.astype(float), **form))


def test_no_images():
    (images, kernel, offsets, mask, bias), form, expected, _ = solved("plain")
    out = cl.deform_conv(images[:0], kernel, offsets[:0], mask[:0], bias, **form)
    assert out.shape == (0, *expected.shape[1:])


# Properties


@st.composite
def calls(draw):
    """Draw the operands and settings of a small call."""
    def pair(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * 2))

    groups, group_in, group_out = (draw(st.integers(1, 3)) for _ in range(3))
    form = {"stride": pair(1, 3), "dilation": pair(1, 3), "groups": groups,
            "padding": tuple(zip(pair(0, 3), pair(0, 3)))}
    size, kernel_size = pair(1, 6), pair(1, 3)
    for n, k, d, pads in zip(size, kernel_size, form["dilation"], form["padding"]):
        assume(n + sum(pads) > d * (k - 1))
    channels = groups * group_in
    offset_groups = draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
    window = {name: form[name] for name in ("stride", "dilation", "padding")}
    outputs = cl.shapes.output_size(size, kernel_size, **window)
    n_points = offset_groups * kernel_size[0] * kernel_size[1]
    seed = draw(st.integers(0, 2**32 - 9))
    return (sample((2, *size, channels), seed),
            sample((*kernel_size, group_in, groups * group_out), seed + 1),
            draw(st.sampled_from([0.3, 2.0, 20.0])) * sample((2, *outputs, 2 * n_points), seed + 2),
            sample((2, *outputs, n_points), seed + 3)), form


@settings(max_examples=60, deadline=None)
@given(calls())
def test_drawn_calls_equal_the_reference(call):
    arrays, form = call
    expected = Deform(*arrays, **form).run()
    np.testing.assert_allclose(cl.deform_conv(*arrays, **form), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(calls(), st.floats(-3, 3))
def test_is_linear_in_images_kernel_and_mask(call, factor):
    arrays, form = call
    out = cl.deform_conv(*arrays, **form)
    for i in (0, 1, 3):
        others = [sample(array.shape, 77) for array in arrays]
        mixed, other = list(arrays), list(arrays)
        mixed[i], other[i] = arrays[i] + factor * others[i], others[i]
        np.testing.assert_allclose(
            cl.deform_conv(*mixed, **form), out + factor * cl.deform_conv(*other, **form),
            rtol=1e-9, atol=1e-9)


def test_equals_torchvision():
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision.ops")
    for case in ("plain", "stride and dilation", "offset groups", "groups across offset groups"):
        (images, kernel, offsets, mask, bias), form = operands(case, 5)
        pads = form.get("padding", 0)
        if isinstance(pads, tuple):    # torchvision pads both ends alike
            form = form | {"padding": (2, 3)}
            outputs = cl.shapes.output_size(
                images.shape[1:3], kernel.shape[:2], stride=form["stride"],
                dilation=form["dilation"], padding=(2, 3))
            offsets = 2 * sample((2, *outputs, offsets.shape[-1]), 6)
            mask = sample((2, *outputs, mask.shape[-1]), 7)
        first = [torch.from_numpy(np.moveaxis(array, -1, 1).copy())
                 for array in (images, offsets, mask)]
        weight = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        settings_ = {name: form.get(name, default) for name, default in
                     (("stride", 1), ("padding", 0), ("dilation", 1))}
        peer = ops.deform_conv2d(first[0], first[1], weight, torch.from_numpy(bias),
                                 mask=first[2], **settings_).numpy()
        out = cl.deform_conv(images, kernel, offsets, mask, bias, **form)
        np.testing.assert_allclose(out, np.moveaxis(peer, 1, -1), rtol=1e-10, atol=1e-10)


# Refusals

IMAGES, KERNEL, OFFSETS = np.ones((2, 5, 6, 4)), np.ones((3, 3, 4, 5)), np.zeros((2, 3, 4, 18))


@pytest.mark.parametrize(("message", "change"), [
    ("images must be an array of shape (n_images, height, width, channels)",
     {"images": IMAGES[0]}),
    ("images must have 8 channels", {"kernel": np.ones((3, 3, 8, 5))}),
    ("kernel must be an array of shape (kernel_h, kernel_w, in_channels // groups, out_channels)",
     {"kernel": np.ones((3, 4, 5))}),
    ("kernel must be an array without an empty axis", {"kernel": np.ones((3, 3, 4, 0))}),
    ("offsets must be an array of shape (2, 3, 4, offset_groups * 18), since the kernel has 9 taps;"
     " got array of shape (2, 3, 4, 17)", {"offsets": OFFSETS[..., :17]}),
    ("offsets must be an array of shape (2, 3, 4, offset_groups * 18)",
     {"offsets": OFFSETS[:, :2]}),
    ("offsets must be an array of shape (2, 3, 4, offset_groups * 18)", {"offsets": OFFSETS[:1]}),
    ("offsets must be an array of shape (2, 3, 4, offset_groups * 18)", {"offsets": OFFSETS[0]}),
    ("offsets must be an array of shape (2, 3, 4, offset_groups * 18)",
     {"offsets": OFFSETS[..., :0]}),
    ("offsets must be an array of shape (2, 3, 4, offset_groups * 18)", {"offsets": 0.0}),
    ("offsets must be an array of shape (2, 5, 6, offset_groups * 18)", {"padding": 1}),
    ("offsets must be for a number of offset groups that divides the 4 channels of the images; got "
     "3 groups of 9 taps", {"offsets": np.zeros((2, 3, 4, 54))}),
    ("mask must be an array of shape (2, 3, 4, 9), half as many values as offsets",
     {"mask": np.ones((2, 3, 4, 18))}),
    ("mask must be an array of shape (2, 3, 4, 9)", {"mask": np.ones((2, 3, 4))}),
    ("mask must be an array of shape (2, 3, 4, 18)",
     {"offsets": np.zeros((2, 3, 4, 36)), "mask": np.ones((2, 3, 4, 9))}),
    ("bias must be an array of shape (5,)", {"bias": np.ones(4)}),
    ("images must have 8 channels, since kernel has 4 input channels for each of 2 groups",
     {"groups": 2}),
    ("groups must be an int that divides in_channels=4 and out_channels=5",
     {"kernel": np.ones((3, 3, 2, 5)), "groups": 2}),
    ("stride must be an int", {"stride": 0}),
    ("padding must be 'valid', 'same'", {"padding": -1}),
    ("activation must be one of", {"activation": "selu"}),
    ("out must be of shape (2, 3, 4, 5)", {"out": np.ones((2, 3, 4, 4))}),
    ("n_threads must be", {"n_threads": 0}),
])
def test_wrong_values_are_refused(message, change):
    call = {"images": IMAGES, "kernel": KERNEL, "offsets": OFFSETS} | change
    with pytest.raises(ValueError) as caught:
        cl.deform_conv(**call)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("change", [
    {"offsets": OFFSETS.astype(complex)}, {"offsets": None}, {"mask": [["a"]]},
    {"offsets": np.ma.ones(OFFSETS.shape)}, {"stride": 1.5}, {"groups": True}, {"padding": None},
])
def test_wrong_kinds_are_refused(change):
    call = {"images": IMAGES, "kernel": KERNEL, "offsets": OFFSETS} | change
    name = next(iter(change))
    with pytest.raises(TypeError, match=f"^{name} must be"):
        cl.deform_conv(**call)


@pytest.mark.parametrize(("name", "n_channels"), [("images", 5), ("offsets", 6), ("mask", 3)])
def test_out_lies_apart(name, n_channels):
    call = {"images": np.ones((2, 3, 4, 5)), "offsets": np.zeros((2, 3, 4, 6)),
            "mask": np.ones((2, 3, 4, 3))}
    with pytest.raises(ValueError, match="out must not share memory"):
        cl.deform_conv(kernel=np.ones((1, 3, 5, n_channels)), padding=((0, 0), (1, 1)),
                       out=call[name], **call)
