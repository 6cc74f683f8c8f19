"""Tests of what conv, pack_kernel and explain_conv refuse, and of what they say."""

import numpy as np
import pytest
import scipy.sparse

import convlib as cl
from convlib._algorithms import NAMES

IMAGES = np.ones((2, 6, 7, 4))
KERNEL = np.ones((3, 2, 4, 8))
OUT_SHAPE = (2, 4, 6, 8)

NOT_NUMBERS = {
    "str": np.full((2, 2), "a"),
    "bytes": np.full((2, 2), b"a"),
    "object": np.full((2, 2), 1.0, dtype=object),
    "complex": np.ones((2, 2), complex),
    "datetime": np.zeros((2, 2), "datetime64[s]"),
    "timedelta": np.zeros((2, 2), "timedelta64[s]"),
    "structured": np.zeros((2, 2), [("a", "f4")]),
    "long double": np.ones((2, 2), np.longdouble),
    "masked": np.ma.ones((2, 2)),
    "sparse": scipy.sparse.csr_array(np.eye(3)),
    "text": "images",
    "dict": {1: 2},
    "function": len,
}
if np.dtype(np.longdouble).itemsize == 8:
    del NOT_NUMBERS["long double"]

NOT_INTS = [True, np.True_, 1.0, 1.5, np.float64(2), "1", b"1", {1: 1}, {1}, len, (1, True),
            (1, 1.0), [1.5, 1], (1, None)]


def refuses(error, message, images=IMAGES, kernel=KERNEL, bias=None, shape=OUT_SHAPE, **form):
    """Check that conv raises `error` with `message`, and leaves `out` alone if none is given."""
    out = form.pop("out", None)
    dtype = images.dtype if isinstance(images, np.ndarray) else "f8"
    dtype = dtype if dtype in ("f4", "f8") else "f8"
    room = np.full(shape, -7, dtype) if out is None else out
    before = room.copy() if isinstance(room, np.ndarray) else None
    with pytest.raises(error, match=message) as caught:
        cl.conv(images, kernel, bias, out=room, **form)
    assert type(caught.value) is error
    if before is not None:
        assert np.array_equal(room, before)


# Arrays


@pytest.mark.parametrize("kind", NOT_NUMBERS)
@pytest.mark.parametrize("name", ["images", "kernel", "bias"])
def test_arrays_hold_real_numbers(name, kind):
    refuses(TypeError, f"{name} must be an array ", **{name: NOT_NUMBERS[kind]})


@pytest.mark.parametrize("name", ["images", "kernel"])
def test_images_and_kernel_are_needed(name):
    refuses(TypeError, f"{name} must be an array ", **{name: None})


@pytest.mark.parametrize("name", ["images", "kernel", "bias"])
def test_ragged_lists(name):
    refuses(ValueError, f"{name} must be an array of numbers", **{name: [[1], [1, 2]]})


@pytest.mark.parametrize("name", ["kernel", "bias"])
@pytest.mark.parametrize("kind", ["object", "complex", "masked", "sparse"])
def test_packing_needs_real_numbers_too(name, kind):
    form = {"kernel": KERNEL, "image_shape": (6, 7, 4)} | {name: NOT_NUMBERS[kind]}
    with pytest.raises(TypeError, match=f"{name} must be an array"):
        cl.pack_kernel(**form)


@pytest.mark.parametrize(
    ("images", "message"),
    [(IMAGES[0], r"shape \(n_images, height, width, channels\).*np.newaxis"),
     (IMAGES[None], r"shape \(n_images, height, width, channels\) for a kernel of rank 2"),
     (np.float64(3), "images must be an array of shape"),
     (IMAGES[:, :0], "only the first axis is empty"), (IMAGES[..., :0], "only the first axis"),
     (IMAGES[..., :3], "images must have 4 channels, since kernel has 4 .*; got 3"),
     (IMAGES[:, :2], "no window fits on axis 0: size 2"),
     (IMAGES[:, :, :1], "no window fits on axis 1: size 1")])
def test_images_of_the_wrong_shape(images, message):
    refuses(ValueError, message, images=images)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [(KERNEL[0, 0], "kernel must be an array of shape .* 1 to 3 axes"),
     (KERNEL[None, None], "kernel must be an array of shape .* 1 to 3 axes"),
     (KERNEL[0], r"shape \(n_images, width, channels\) for a kernel of rank 1"),
     (KERNEL[:0], "kernel must be an array without an empty axis"),
     (KERNEL[..., :0], "kernel must be an array without an empty axis"),
     (KERNEL[:, :, :3], "images must have 3 channels, since kernel has 3 .*; got 4"),
     (np.ones((7, 2, 4, 8)), "kernel_size 7 with dilation 1 reaches over 7")])
def test_kernels_of_the_wrong_shape(kernel, message):
    refuses(ValueError, message, kernel=kernel)


@pytest.mark.parametrize("bias", [1.0, np.ones(7), np.ones(9), np.ones((8, 1)), np.ones((1, 8))])
def test_bias_has_one_number_per_output(bias):
    refuses(ValueError, r"bias must be an array of shape \(8,\)", bias=bias)
    with pytest.raises(ValueError, match=r"bias must be an array of shape \(8,\)"):
        cl.pack_kernel(KERNEL, (6, 7, 4), bias)


# out


def locked(array):
    array.flags.writeable = False
    return array


def unaligned(shape):
    return np.zeros(shape, [("tag", "u1"), ("value", "f8")])["value"]


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [(np.zeros((2, 4, 6, 7)), ValueError, r"out must be of shape \(2, 4, 6, 8\) and dtype float64"),
     (np.zeros((1, *OUT_SHAPE)), ValueError, "out must be of shape"),
     (np.zeros(OUT_SHAPE, "f4"), ValueError, "dtype float64"),
     (np.zeros(OUT_SHAPE, "i8"), ValueError, "dtype float64"),
     (np.zeros(OUT_SHAPE, np.dtype("f8").newbyteorder("S")), ValueError, "dtype float64"),
     (np.zeros(OUT_SHAPE, order="F"), ValueError, "C-contiguous"),
     (np.zeros((2, 4, 6, 16))[..., ::2], ValueError, "C-contiguous"),
     (np.zeros(OUT_SHAPE)[:, ::-1], ValueError, "C-contiguous"),
     (unaligned(OUT_SHAPE), ValueError, "C-contiguous, aligned"),
     (locked(np.zeros(OUT_SHAPE)), ValueError, "writeable"),
     (np.ma.zeros(OUT_SHAPE), TypeError, "out must be an ndarray without a mask"),
     (np.zeros(OUT_SHAPE).tolist(), TypeError, "out must be an ndarray"),
     ("out", TypeError, "out must be an ndarray"), (3, TypeError, "out must be an ndarray")])
def test_wrong_out(out, error, message):
    refuses(error, message, out=out)


def test_out_lies_apart_from_the_operands():
    memory = np.ones(1000)
    images = memory[:1 * 6 * 6 * 4].reshape(1, 6, 6, 4)
    for start in (0, 100, 143):
        out = memory[start:start + 144].reshape(1, 6, 6, 4)
        refuses(ValueError, "out must not share memory", images=images,
                kernel=np.ones((1, 1, 4, 4)), out=out)
    out = memory[144:288].reshape(1, 6, 6, 4)
    cl.conv(images, np.ones((1, 1, 4, 4)), out=out)
    assert (out == 4).all()
    kernel, bias = memory[280:296].reshape(1, 1, 4, 4), memory[286:290]
    refuses(ValueError, "out must not share", images=images, kernel=kernel, out=out)
    refuses(ValueError, "out must not share", images=images, kernel=np.ones((1, 1, 4, 4)),
            bias=bias, out=out)


# Settings


@pytest.mark.parametrize("value", NOT_INTS, ids=repr)
@pytest.mark.parametrize("name", ["stride", "dilation", "padding"])
def test_settings_are_ints(name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be "):
        cl.conv(IMAGES, KERNEL, **{name: value})
    with pytest.raises((TypeError, ValueError), match=f"{name} must be "):
        cl.pack_kernel(KERNEL, (6, 7, 4), **{name: value})
    with pytest.raises((TypeError, ValueError), match=f"{name} must be "):
        cl.explain_conv((6, 7, 4), KERNEL, **{name: value})


@pytest.mark.parametrize("value", [0, -1, (1, 0), (1, -2), (1, 1, 1), (1,), ()], ids=repr)
@pytest.mark.parametrize("name", ["stride", "dilation"])
def test_steps_are_positive_and_one_per_axis(name, value):
    refuses(ValueError, f"{name} must be an int or a sequence of 2 ints, each at least 1",
            **{name: value})


@pytest.mark.parametrize(
    "value", [-1, (1, -1), (1,), (1, 1, 1), ((1, 1),), ((1, 1), (1,)), ((1, 1), (1, -1)),
              ((1, 1), 1), "full", "SAME", ""], ids=repr)
def test_padding_has_its_forms(value):
    refuses(ValueError, "padding must be 'valid', 'same', an int", padding=value)


@pytest.mark.parametrize("value", ["zeros", "nearest", "", None, 0, 1.5, ["edge"], b"edge"])
def test_padding_modes(value):
    refuses(ValueError, "padding_mode must be one of 'constant', 'edge'", padding_mode=value)


@pytest.mark.parametrize("value", ["RELU", "gelu", 1, True, len, np.array(["relu"])], ids=repr)
def test_activations(value):
    refuses(ValueError, "activation must be one of None, 'relu'", activation=value)


@pytest.mark.parametrize("value", ["fast", "", None, 0, len], ids=repr)
def test_algorithms(value):
    refuses(ValueError, "algorithm must be one of 'auto', ", algorithm=value)


@pytest.mark.parametrize(
    ("groups", "message"),
    [(0, "groups must be an int, at least 1; got 0"), (-2, "groups must be an int, at least 1"),
     (2, "images must have 8 channels.* 4 input channels for each of 2 groups; got 4"),
     (3, "images must have 12 channels.* for each of 3 groups; got 4"),
     (2**70, "groups; got 4")])
def test_groups_go_with_the_channels(groups, message):
    refuses(ValueError, message, groups=groups)


@pytest.mark.parametrize("groups", [True, 1.0, "1", None, (1,), np.array([1])], ids=repr)
def test_groups_is_one_int(groups):
    refuses(TypeError, "groups must be an int", groups=groups)


def test_groups_divide_the_outputs():
    refuses(ValueError, "groups must be an int that divides in_channels=4 and out_channels=9; "
            "got 2", kernel=np.ones((3, 2, 2, 9)), groups=2)


@pytest.mark.parametrize(
    ("n_threads", "error"),
    [(0, ValueError), (-1, ValueError), (1025, ValueError), (10**6, ValueError),
     (2**70, ValueError), (1.5, TypeError), (1.0, TypeError), (True, TypeError), ("2", TypeError),
     ((2,), TypeError)])
def test_n_threads(n_threads, error):
    refuses(error, "n_threads must be ", n_threads=n_threads)
    packed = cl.pack_kernel(KERNEL, (6, 7, 4), dtype="float64")
    with pytest.raises(error, match="n_threads must be "):
        cl.conv(IMAGES, packed, n_threads=n_threads)


def test_ints_of_numpy_are_ints():
    expected = cl.conv(IMAGES, KERNEL, stride=2, padding=1, n_threads=2)
    out = cl.conv(IMAGES, KERNEL, stride=np.int8(2), padding=np.uint64(1), groups=np.int64(1),
                  dilation=np.array([1, 1]), n_threads=np.int32(2))
    assert np.array_equal(out, expected)


EQUALS = [("stride", 1, True), ("stride", 1, 1.0), ("stride", (1, 1), (1, True)),
          ("stride", (2, 1), (2.0, 1)), ("dilation", 1, True), ("dilation", (1, 1), (1.0, 1)),
          ("groups", 1, True), ("groups", 1, 1.0), ("padding", 0, False), ("padding", 0, 0.0),
          ("padding", (0, 1), (False, True)), ("padding", ((0, 0), (1, 0)), ((0, 0), (True, 0))),
          ("padding", ((0, 0), (1, 0)), ((0, 0), (1, 0.0)))]


@pytest.mark.parametrize(("name", "right", "wrong"), EQUALS, ids=repr)
def test_what_only_equals_a_setting_is_refused_in_every_call(name, right, wrong):
    assert right == wrong
    messages = []
    for _ in range(2):
        with pytest.raises((TypeError, ValueError), match=f"{name} must be ") as caught:
            cl.conv(IMAGES, KERNEL, **{name: wrong})
        messages.append((type(caught.value), str(caught.value)))
        cl.conv(IMAGES, KERNEL, **{name: right})
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("name", "value", "forms"),
    [("stride", (2, 2), [2, [2, 2], np.int64(2), np.array([2, 2]), (np.int8(2), 2)]),
     ("padding", ((1, 1), (1, 1)), [1, (1, 1), [[1, 1], [1, 1]], np.ones((2, 2), int)]),
     ("padding_mode", "edge", [np.str_("edge")]), ("activation", "abs", [np.str_("abs")]),
     ("groups", 1, [np.uint8(1)])])
def test_other_forms_of_a_setting_are_the_same_in_every_call(name, value, forms):
    expected = cl.conv(IMAGES, KERNEL, **{"padding": 1, name: value})
    for form in forms * 2:
        out = cl.conv(IMAGES, KERNEL, **{"padding": 1, name: form})
        assert np.array_equal(out, expected)


def test_the_first_wrong_call_is_not_the_last_word():
    wrong = {"stride": (1, 1, 1)}
    for _ in range(2):
        refuses(ValueError, r"stride must be .* got \(1, 1, 1\)", **wrong)
        refuses(ValueError, "algorithm must be one of", algorithm="quick")


# Sizes


def test_the_window_has_to_fit():
    refuses(ValueError, "no window fits on axis 0.*dilation 3 reaches over 7", dilation=3)
    refuses(ValueError, "no window fits on axis 1.*dilation 9 reaches over 10", dilation=(1, 9),
            padding=1)


@pytest.mark.parametrize("value", [2**60, 2**62, 2**63, 2**64, 2**70], ids=repr)
@pytest.mark.parametrize("algorithm", ["auto", *NAMES])
def test_beyond_an_address(algorithm, value):
    form = {"kernel": np.ones((1, 1, 4, 8)), "algorithm": algorithm}
    refuses(ValueError, r"must be below 2 \*\* 60", stride=value, **form)
    refuses(ValueError, r"must be below 2 \*\* 60", padding=value, **form)
    refuses(ValueError, r"must be below 2 \*\* 60", dilation=value, **form)
    refuses(ValueError, r"must be below 2 \*\* 60", padding=((0, value), (0, 0)), **form)
    refuses(ValueError, r"must be below 2 \*\* 60", stride=value, padding=value, dilation=value,
            **form)


@pytest.mark.parametrize("padding", [2**50, 2**58])
def test_results_of_too_many_bytes(padding):
    with pytest.raises(ValueError, match=r"the result would have shape .* bytes"):
        cl.conv(IMAGES, KERNEL, padding=padding)
    with pytest.raises(ValueError, match="out must be of shape"):
        cl.conv(IMAGES, KERNEL, padding=padding, out=np.zeros(OUT_SHAPE))


def test_results_beyond_all_memory():
    with pytest.raises(MemoryError):
        cl.conv(np.ones((1, 4, 1)), np.ones((2, 1, 1)), padding=2**57)


@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize("mode", ["constant", "edge", "wrap"])
def test_far_apart_is_not_beyond(algorithm, mode):
    far = 2**58
    images = np.arange(1.0, 6).reshape(1, 5, 1)
    form = {"dilation": far, "padding": ((far, far),), "stride": far, "padding_mode": mode}
    if reason := cl.explain_conv((5, 1), (2, 1, 1), **form).refusals.get(algorithm):
        pytest.skip(f"{algorithm}: {reason}")
    out = cl.conv(images, np.ones((2, 1, 1)), algorithm=algorithm, **form)
    before = {"constant": 0, "edge": 1, "wrap": 1 + -far % 5}[mode]
    after = {"constant": 0, "edge": 5, "wrap": 1 + far % 5}[mode]
    assert out.ravel().tolist() == [before + 1, 1 + after]


# image_shape, dtype and packed


@pytest.mark.parametrize(
    "shape", [6, None, "674", (6, 7), (2, 6, 7, 4), (6, 7, 4.0), (6, 7, True), (6, None, 4),
              {6, 7, 4}, np.ones(3)], ids=repr)
def test_image_shape_is_ints(shape):
    for call in (lambda: cl.pack_kernel(KERNEL, shape), lambda: cl.explain_conv(shape, KERNEL)):
        with pytest.raises((TypeError, ValueError), match="image_shape must be a sequence of 3"):
            call()


@pytest.mark.parametrize("shape", [(0, 7, 4), (6, -7, 4), (6, 7, 0)])
def test_image_shape_is_positive(shape):
    for call in (lambda: cl.pack_kernel(KERNEL, shape), lambda: cl.explain_conv(shape, KERNEL)):
        with pytest.raises(ValueError, match=r"image_shape must be .* each at least 1"):
            call()


def test_image_shape_agrees_with_the_kernel():
    for shape, message in [((6, 7, 3), "images must have 4 channels"), ((2, 7, 4), "no window")]:
        with pytest.raises(ValueError, match=message):
            cl.pack_kernel(KERNEL, shape)
        with pytest.raises(ValueError, match=message):
            cl.explain_conv(shape, KERNEL)


@pytest.mark.parametrize("dtype", ["float16", "int32", "complex128", int, None, 3, "single x"])
def test_dtype_is_one_of_two(dtype):
    message = "dtype must be one of 'float32', 'float64'"
    with pytest.raises(ValueError, match=message):
        cl.pack_kernel(KERNEL, (6, 7, 4), dtype=dtype)
    with pytest.raises(ValueError, match=message):
        cl.explain_conv((6, 7, 4), KERNEL, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "f4", np.float32, np.dtype("f4")])
def test_dtype_has_the_names_of_numpy(dtype):
    assert cl.pack_kernel(KERNEL, (6, 7, 4), dtype=dtype).kernel.dtype == "float32"


@pytest.mark.parametrize("packed", [1, 0, "yes", None])
def test_packed_is_a_bool(packed):
    with pytest.raises(TypeError, match="packed must be True or False"):
        cl.explain_conv((6, 7, 4), KERNEL, packed=packed)


@pytest.mark.parametrize(
    "kernel", [(3, 2), (3, 2, 4, 0), (3, -2, 4, 8), (1, 2, 3, 4, 5, 6), (3, 2, 4.5, 8),
               (3, 2, True, 8), "kernel", None, KERNEL[0, 0]], ids=str)
def test_kernel_shapes(kernel):
    with pytest.raises((TypeError, ValueError), match="kernel must be "):
        cl.explain_conv((6, 7, 4), kernel)
