"""What a convolution is, as properties of conv on drawn calls."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convlib as cl
import reference
from convlib._algorithms import NAMES
from convlib._validation import PADDING_MODES
from reference import sample

pytestmark = pytest.mark.kernels


@st.composite
def calls(draw, modes=PADDING_MODES):
    """Draw images, kernel and settings of a small convolution."""
    rank = draw(st.integers(1, 3))

    def axes(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * rank))

    groups, group_in, group_out = (draw(st.integers(1, 3)) for _ in range(3))
    form = {
        "stride": axes(1, 3), "dilation": axes(1, 3), "groups": groups,
        "padding": tuple(zip(axes(0, 4), axes(0, 4))), "padding_mode": draw(st.sampled_from(modes)),
    }
    size, kernel_size = axes(1, 7), axes(1, 3)
    for n, k, d, pads in zip(size, kernel_size, form["dilation"], form["padding"]):
        assume(n + sum(pads) > d * (k - 1))
    seed = draw(st.integers(0, 2**32 - 1))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    images = sample((2, *size, groups * group_in), seed).astype(dtype)
    kernel = sample((*kernel_size, group_in, groups * group_out), seed + 1).astype(dtype)
    able = set(NAMES) - set(cl.explain_conv(images.shape[1:], kernel.shape, **form).refusals)
    form["algorithm"] = draw(st.sampled_from(["auto", *sorted(able)]))
    return images, kernel, form


def assert_close(a, b, images, kernel, form):
    """Compare two ways to a convolution of about these operands."""
    form = form | {"algorithm": algorithm_of(images, kernel, form)}
    allowed = reference.slack(images, kernel, **form)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert (np.abs(a - b) <= allowed).all()


@given(calls())
@settings(deadline=None)
def test_equals_the_reference(call):
    images, kernel, form = call
    options = {name: value for name, value in form.items() if name != "algorithm"}
    reference.Solution(images, kernel, **options).check(
        cl.conv(images, kernel, **form), images.dtype, algorithm_of(images, kernel, form))


def algorithm_of(images, kernel, form):
    """Return the algorithm that computes a call."""
    return cl.explain_conv(images.shape[1:], kernel.shape, dtype=images.dtype, **form).algorithm


@given(calls())
@settings(deadline=None)
def test_linear_in_the_images(call):
    images, kernel, form = call
    other = images[::-1]
    out = cl.conv(2 * images - other, kernel, **form)
    expected = 2 * cl.conv(images, kernel, **form) - cl.conv(other, kernel, **form)
    assert_close(out, expected, 2 * np.abs(images) + np.abs(other), kernel, form)


@given(calls())
@settings(deadline=None)
def test_linear_in_the_kernel(call):
    images, kernel, form = call
    other = np.flip(kernel)
    out = cl.conv(images, 2 * kernel - other, **form)
    expected = 2 * cl.conv(images, kernel, **form) - cl.conv(images, other, **form)
    assert_close(out, expected, images, 2 * np.abs(kernel) + np.abs(other), form)


@given(calls(), st.integers(0, 3))
@settings(deadline=None)
def test_moves_with_the_images(call, steps):
    images, kernel, form = call
    form |= {"padding": 0}
    rank = images.ndim - 2
    images = sample((1, *[16] * rank, images.shape[-1])).astype(images.dtype)
    moved = images[(slice(None), *(slice(steps * stride, None) for stride in form["stride"]))]
    out = cl.conv(images, kernel, **form)[(slice(None), *[slice(steps, None)] * rank)]
    assert_close(cl.conv(moved, kernel, **form), out, moved, kernel, form)


@given(calls())
@settings(deadline=None)
def test_groups_are_convolutions_side_by_side(call):
    images, kernel, form = call
    groups = form["groups"]
    single = form | {"groups": 1}
    parts = zip(np.split(images, groups, -1), np.split(kernel, groups, -1))
    joined = np.concatenate([cl.conv(*part, **single) for part in parts], axis=-1)
    assert_close(cl.conv(images, kernel, **form), joined, images, kernel, form)


@given(calls())
@settings(deadline=None)
def test_dilation_is_a_kernel_with_zeros_between(call):
    images, kernel, form = call
    sizes = [d * (k - 1) + 1 for d, k in zip(form["dilation"], kernel.shape)]
    spread = np.zeros((*sizes, *kernel.shape[-2:]), kernel.dtype)
    spread[tuple(slice(None, None, d) for d in form["dilation"])] = kernel
    plain = form | {"dilation": 1, "algorithm": "auto"}
    out = cl.conv(images, spread, **plain)
    assert_close(cl.conv(images, kernel, **form), out, images, kernel, form)


@given(calls(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_kernel_of_one_one_shifts(call, random):
    images, kernel, form = call
    form |= {"groups": 1, "stride": 1, "algorithm": "auto"}
    tap = tuple(random.randrange(k) for k in kernel.shape[:-2])
    channel = random.randrange(images.shape[-1])
    one = np.zeros((*kernel.shape[:-2], images.shape[-1], 1), images.dtype)
    one[(*tap, channel, 0)] = 1
    out = cl.conv(images, one, **form)
    padded = reference.pad(images, form["padding"], form["padding_mode"])
    starts = [t * d for t, d in zip(tap, form["dilation"])]
    window = tuple(slice(s, s + n) for s, n in zip(starts, out.shape[1:-1]))
    assert_close(out, padded[(slice(None), *window, [channel])], images, one, form)
