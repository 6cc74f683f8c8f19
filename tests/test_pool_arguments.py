"""Tests of what pooling refuses, and of what it says."""

import re

import numpy as np
import pytest

import convlib as cl
from convlib.ops.pool import GLOBAL_KINDS

IMAGES = np.ones((2, 6, 7, 4))
WINDOWED = [cl.max_pool, cl.average_pool, cl.lp_pool]


@pytest.fixture(params=WINDOWED, ids=lambda pool: pool.__name__)
def pool(request):
    return request.param


def refuses(error, message, function, *arguments, **form):
    """Check that a call raises `error` with exactly `message` at its beginning."""
    with pytest.raises(error, match="^" + re.escape(message)):
        function(*arguments, **form)


@pytest.mark.parametrize(("error", "message", "images"), [
    (ValueError, "images must be an array of shape (n_images, *size, channels) with 1 to 3 axes in "
     "size; got", np.ones((3, 4))),
    (ValueError, "images must be an array of shape (n_images, *size, channels) with 1 to 3 axes in "
     "size; got", np.ones((1, 2, 3, 4, 5, 6))),
    (ValueError, "images must be an array of which only the first axis is empty; got",
     np.ones((2, 0, 3, 4))),
    (TypeError, "images must be an array of bool, integers, float16, float32 or float64; got",
     np.ones((2, 3, 4, 1), complex)),
    (TypeError, "images must be an array of bool, integers, float16, float32 or float64; got",
     np.full((2, 3, 4, 1), "a")),
    (TypeError, "images must be an array without a mask; got", np.ma.ones((2, 3, 4, 1))),
])
def test_images(error, message, images):
    for function in WINDOWED:
        refuses(error, message, function, images, 2)
    refuses(error, message, cl.global_pool, images, "max")
    message = message.replace("images ", "pooled ", 1)
    refuses(error, message, cl.max_unpool, images, np.ones((2, 3, 4, 1), int), (3, 4))


@pytest.mark.parametrize(("error", "message", "size", "form"), [
    (TypeError, "size must be an int or a sequence of 2 ints, each at least 1; got 1.5", 1.5, {}),
    (TypeError, "size must be an int or a sequence of 2 ints, each at least 1; got True", True, {}),
    (ValueError, "size must be an int or a sequence of 2 ints, each at least 1; got 0", 0, {}),
    (ValueError, "size must be an int or a sequence of 2 ints, each at least 1; got (1, 2, 3)",
     (1, 2, 3), {}),
    (ValueError, "stride must be an int or a sequence of 2 ints, each at least 1; got 0", 2,
     {"stride": 0}),
    (TypeError, "stride must be an int or a sequence of 2 ints, each at least 1; got 'a'", 2,
     {"stride": "a"}),
    (ValueError, "dilation must be an int or a sequence of 2 ints, each at least 1; got -1", 2,
     {"dilation": -1}),
    (ValueError, "padding must be 'valid', 'same', an int, a tuple of 2 ints or", 2,
     {"padding": "full"}),
    (ValueError, "padding must be 'valid', 'same', an int, a tuple of 2 ints or", 2,
     {"padding": -1}),
    (TypeError, "ceil_mode must be True or False; got 1", 2, {"ceil_mode": 1}),
    (ValueError, "n_threads must be an int, at least 1; got 0", 2, {"n_threads": 0}),
    (TypeError, "n_threads must be an int, at least 1; got 1.5", 2, {"n_threads": 1.5}),
    (ValueError, "no window fits on axis 0: size 6 with padding (0, 0) is 6 pixels", 7, {}),
    (ValueError, "no window fits on axis 1: size 7 with padding (0, 0) is 7 pixels", (2, 4),
     {"dilation": 3}),
    (ValueError, "padding ((0, 0), (0, 0)), stride (1152921504606846976, 1) and dilation (1, 1) "
     "must be below 2 ** 60", 2, {"stride": (2**60, 1)}),
    (ValueError, "out must be of shape (2, 3, 3, 4) and dtype float64; got", 2,
     {"out": np.ones((2, 3, 3, 3))}),
    (ValueError, "out must be of shape (2, 3, 3, 4) and dtype float64; got", 2,
     {"out": np.ones((2, 3, 3, 4), "float32")}),
    (ValueError, "out must be C-contiguous, aligned and writeable", 2,
     {"out": np.ones((2, 3, 3, 4), order="F")}),
    (TypeError, "out must be an ndarray without a mask, or None; got", 2, {"out": [1]}),
])
def test_settings(pool, error, message, size, form):
    refuses(error, message, pool, IMAGES, size, **form)


def test_out_apart_from_images(pool):
    images = np.ones((2, 6, 7, 4))
    message = "out must not share memory with another argument"
    refuses(ValueError, message, pool, images, 1, out=images)


@pytest.mark.parametrize("flag", ["return_indices", "count_include_pad"])
def test_flags(flag):
    function = cl.max_pool if flag == "return_indices" else cl.average_pool
    refuses(TypeError, f"{flag} must be True or False; got 1", function, IMAGES, 2, **{flag: 1})


@pytest.mark.parametrize(("size", "form", "axis"), [
    (2, {"padding": 2}, 0),
    (2, {"padding": ((0, 0), (0, 2)), "stride": 1}, 1),
    (2, {"padding": ((0, 0), (2, 0))}, 1),
    (1, {"padding": ((0, 1), (0, 0))}, 0),
    (2, {"padding": 7, "dilation": 6, "stride": 8}, 0),
    ((1, 2), {"padding": ((0, 0), (5, 5)), "dilation": (1, 15), "stride": 1}, 1),  # leaps over it
])
def test_windows_in_the_padding_alone(size, form, axis):
    message = f"padding must leave at least one pixel of the image in each window; on axis {axis}"
    refuses(ValueError, message, cl.max_pool, IMAGES, size, **form)
    refuses(ValueError, message, cl.max_pool, IMAGES, size, return_indices=True, **form)
    refuses(ValueError, message, cl.average_pool, IMAGES, size, count_include_pad=False, **form)
    assert np.isfinite(cl.average_pool(IMAGES, size, **form)).all()
    assert (cl.average_pool(IMAGES, size, **form) == 0).any()


def test_every_window_with_a_pixel_is_accepted():
    for size in range(1, 6):
        images = np.arange(1.0, size + 1).reshape(1, size, 1)
        for taps, stride, dilation, before, after, ceil_mode in np.ndindex(4, 4, 8, 8, 8, 2):
            taps, stride, dilation = taps + 1, stride + 1, dilation + 1
            form = {"stride": stride, "dilation": dilation, "padding": ((before, after),),
                    "ceil_mode": bool(ceil_mode)}
            try:
                windows = cl.average_pool(images, taps, **form)
            except ValueError:  # no window fits
                continue
            if windows.all():  # positive pixels: a mean of zero has seen none
                assert cl.max_pool(images, taps, **form).all()
            else:
                with pytest.raises(ValueError, match="must leave at least one pixel"):
                    cl.max_pool(images, taps, **form)


@pytest.mark.parametrize(("error", "p"), [
    (ValueError, 0), (ValueError, -1.0), (ValueError, np.inf), (ValueError, np.nan),
    (TypeError, "2"), (TypeError, True), (TypeError, None), (TypeError, 1j),
])
def test_p(error, p):
    refuses(error, "p must be a finite number above 0; got", cl.lp_pool, IMAGES, 2, p=p)


def test_global_pool():
    allowed = ", ".join(map(repr, GLOBAL_KINDS))
    for kind in ("median", None, 1):
        refuses(ValueError, f"kind must be one of {allowed}; got {kind!r}", cl.global_pool, IMAGES,
                kind)
    refuses(TypeError, "keepdims must be True or False; got 1", cl.global_pool, IMAGES, "max", 1)
    refuses(ValueError, "n_threads must be an int, at least 1; got 0", cl.global_pool, IMAGES,
            "max", n_threads=0)


@pytest.mark.parametrize(("error", "message", "indices", "form"), [
    (TypeError, "indices must be an array of integers; got", np.ones((2, 3, 3, 4)), {}),
    (TypeError, "indices must be an array of integers; got", np.ones((2, 3, 3, 4), bool), {}),
    (ValueError, "indices must be an array of shape (2, 3, 3, 4); got", np.ones((2, 3, 3), int),
     {}),
    (ValueError, "indices must be in 0 .. 41, since output_shape has 42 pixels; got 42 .. 42",
     np.full((2, 3, 3, 4), 42), {}),
    (ValueError, "indices must be in 0 .. 41, since output_shape has 42 pixels; got -1 .. -1",
     np.full((2, 3, 3, 4), -1), {}),
    (ValueError, "indices must be in 0 .. 41, since output_shape has 42 pixels; got",
     np.full((2, 3, 3, 4), 2**64 - 1, "uint64"), {}),
    (ValueError, "output_shape must be an int or a sequence of 2 ints, each at least 1; got (6,)",
     np.ones((2, 3, 3, 4), int), {"output_shape": (6,)}),
    (ValueError, "the result would have shape", np.ones((2, 3, 3, 4), int),
     {"output_shape": 2**40}),
    (ValueError, "n_threads must be an int, at least 1; got 0", np.ones((2, 3, 3, 4), int),
     {"n_threads": 0}),
])
def test_max_unpool(error, message, indices, form):
    form = {"output_shape": (6, 7)} | form
    refuses(error, message, cl.max_unpool, np.ones((2, 3, 3, 4)), indices, **form)


def test_absurd_sizes():
    nobody = np.ones((0, 6, 7, 4))
    assert cl.average_pool(nobody, 2, stride=2**59, padding=2**40).shape == (0, 1, 1, 4)
    refuses(ValueError, "the result would have shape", cl.average_pool, IMAGES, 1, padding=2**58)
    refuses(ValueError, "padding must leave", cl.max_pool, IMAGES, 1, padding=2**58)
