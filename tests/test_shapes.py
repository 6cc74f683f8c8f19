"""Tests of convlib.shapes: worked examples, brute-force counts, and every refusal."""

import doctest
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from convlib import shapes
from convlib._validation import (
    ACTIVATIONS,
    PADDING_MODES,
    axis_ints,
    channel_groups,
    choice,
    flag,
    integer,
    padding_spec,
)
from convlib.shapes import (
    n_macs,
    n_parameters,
    output_size,
    padding_pairs,
    receptive_field,
    transpose_output_size,
)

SIZES = st.integers(1, 30)
KERNELS = st.integers(1, 6)
STRIDES = st.integers(1, 5)
DILATIONS = st.integers(1, 4)
PADS = st.integers(0, 6)
PAIRS = st.tuples(PADS, PADS)
FEW = st.tuples(st.integers(0, 2), st.integers(0, 2))
NOT_INTS = [True, np.bool_(True), 2.0, np.float64(2), float("nan"), "2", b"2", None, {2: 2}, {2}]


# The slow, obvious way


def count_windows(size, kernel, stride, pair, dilation):
    """Slide a window over the padded axis and count the places where it lies inside."""
    padded = set(range(-pair[0], size + pair[1]))
    taps = [tap * dilation for tap in range(kernel)]
    starts = range(-pair[0], size + pair[1], stride)
    return sum(all(start + tap in padded for tap in taps) for start in starts)


def count_windows_ceil(size, kernel, stride, pair, dilation):
    """As `count_windows`, and the first window that reaches past the end if it starts early."""
    count = 0
    for start in range(-pair[0], size, stride):
        count += 1
        if start + dilation * (kernel - 1) >= size + pair[1] - 1:
            break  # the end is reached: later windows add nothing
    overhang = -pair[0] + dilation * (kernel - 1) + 1 - (size + pair[1])
    return 0 if overhang >= stride else count


def torch_pooling_size(size, kernel, stride, pad, dilation):
    """Follow the rule that torch and ONNX state for ceil_mode, with the same pad twice."""
    out = -(-(size + 2 * pad - dilation * (kernel - 1) - 1) // stride) + 1
    return out - 1 if (out - 1) * stride >= size + pad else out


def count_macs(channels_in, channels_out, groups, out, kernel):
    """Count one multiply-add after the other of a convolution."""
    count = 0
    for _ in product(*map(range, out)):
        for o in range(channels_out):
            group = o // (channels_out // groups)
            for c in range(channels_in):
                if c // (channels_in // groups) == group:
                    for _ in product(*map(range, kernel)):
                        count += 1
    return count


def seen_pixels(output, layers):
    """Return the input pixels that output value `output` of one-axis layers depends on."""
    pixels = {output}
    for kernel, stride, dilation in reversed(layers):
        pixels = {pixel * stride + tap * dilation for pixel in pixels for tap in range(kernel)}
    return pixels


# output_size


def test_output_size_of_a_small_network():
    size = output_size((200, 200), (5, 5), stride=2, padding=1)
    assert size == (99, 99)
    size = output_size(size, 3)
    assert size == (97, 97)
    assert output_size(size, 3, padding=1) == (97, 97)


@pytest.mark.parametrize(
    ("size", "kernel_size", "expected"),
    [((7, 7), 3, (5, 5)), (7, 3, 5), (7, (3,), 5), ((7,), 3, (5,)), (1, 1, 1),
     ([7, 8, 9], (1, 2, 3), (7, 7, 7)), (np.array([7, 8]), np.array([3, 3]), (5, 6)),
     (np.int64(7), np.uint8(3), 5), (np.array(7), 3, 5)])
def test_output_size_answers_in_the_form_of_size(size, kernel_size, expected):
    out = output_size(size, kernel_size)
    assert out == expected
    assert type(out) is type(expected)
    assert all(type(entry) is int for entry in np.atleast_1d(np.array(out, object)))


def test_output_size_takes_formper_axis():
    out = output_size((9, 10), (3, 2), stride=(2, 3), padding=((1, 2), (0, 1)), dilation=(2, 1))
    assert out == (
        output_size(9, 3, stride=2, padding=((1, 2),), dilation=2),
        output_size(10, 2, stride=3, padding=((0, 1),)),
    )
    assert out == (4, 4)


@given(SIZES, KERNELS, STRIDES, PAIRS, DILATIONS)
def test_output_size_counts_the_windows(size, kernel, stride, pair, dilation):
    expected = count_windows(size, kernel, stride, pair, dilation)
    assume(expected)
    out = output_size(size, kernel, stride=stride, padding=(pair,), dilation=dilation)
    assert out == expected


@given(st.integers(0, 3), st.integers(3, 6), STRIDES, FEW, DILATIONS)
def test_output_size_refuses_where_no_window_fits(size, kernel, stride, pair, dilation):
    assume(count_windows(size, kernel, stride, pair, dilation) == 0)
    with pytest.raises(ValueError, match="no window fits on axis 0"):
        output_size(size, kernel, stride=stride, padding=(pair,), dilation=dilation)


@given(SIZES, KERNELS, STRIDES, DILATIONS, st.booleans())
def test_same_gives_size_over_stride(size, kernel, stride, dilation, ceil_mode):
    same = {"stride": stride, "padding": "same", "dilation": dilation, "ceil_mode": ceil_mode}
    assert output_size(size, kernel, **same) == -(-size // stride)


@given(SIZES, KERNELS)
def test_valid_is_no_padding(size, kernel):
    assume(size >= kernel)
    assert output_size(size, kernel, padding="valid") == output_size(size, kernel, padding=0)


@given(SIZES, KERNELS, STRIDES, PAIRS, DILATIONS)
@example(size=1, kernel=2, stride=2, pair=(0, 0), dilation=1)
@example(size=2, kernel=3, stride=1, pair=(0, 0), dilation=1)
@example(size=5, kernel=2, stride=1, pair=(0, 4), dilation=1)
def test_ceil_mode_follows_its_rule(size, kernel, stride, pair, dilation):
    expected = count_windows_ceil(size, kernel, stride, pair, dilation)
    form = {"stride": stride, "padding": (pair,), "dilation": dilation, "ceil_mode": True}
    if expected:
        assert output_size(size, kernel, **form) == expected
    else:
        with pytest.raises(ValueError, match="no window fits"):
            output_size(size, kernel, **form)


@given(SIZES, KERNELS, STRIDES, PADS, DILATIONS)
def test_ceil_mode_agrees_with_torch_where_torch_accepts(size, kernel, stride, pad, dilation):
    assume(pad <= (dilation * (kernel - 1) + 1) // 2)
    expected = torch_pooling_size(size, kernel, stride, pad, dilation)
    assume(expected > 0)
    form = {"stride": stride, "padding": pad, "dilation": dilation, "ceil_mode": np.True_}
    assert output_size(size, kernel, **form) == expected


def test_an_empty_axis_needs_padding():
    assert output_size((0, 4), 3, padding=((1, 2), (0, 0))) == (1, 2)
    with pytest.raises(ValueError, match=r"axis 1: size 0 with padding \(0, 0\)"):
        output_size((4, 0), 3)
    with pytest.raises(ValueError, match=r"size must be at least 1.*'same'; got \(4, 0\)"):
        output_size((4, 0), 3, padding="same")


def test_the_refusal_tells_all_numbers():
    message = (
        r"no window fits on axis 1: size 4 with padding \(1, 2\) is 7 pixels, "
        r"kernel_size 5 with dilation 2 reaches over 9"
    )
    with pytest.raises(ValueError, match=message):
        output_size((20, 4), 5, padding=((0, 0), (1, 2)), dilation=2)


def test_huge_sizes_are_exact():
    assert output_size(2**70, 3, stride=2, padding=1) == 2**69


# Refusals of settings, shared by all functions


@pytest.mark.parametrize("name", ["size", "kernel_size", "stride", "dilation"])
@pytest.mark.parametrize("value", NOT_INTS, ids=repr)
def test_formrefuse_what_is_no_int(name, value):
    for wrong in (value, (3, value)):
        arguments = {"size": (8, 8), "kernel_size": 3} | {name: wrong}
        with pytest.raises(TypeError, match=rf"^{name} must be an int .*; got "):
            output_size(**arguments)


@pytest.mark.parametrize("name", ["kernel_size", "stride", "dilation"])
@pytest.mark.parametrize("value", [0, -1, (1, 0), (1,), (1, 1, 1), (), [1, 2, 3]], ids=repr)
def test_formrefuse_wrong_numbers(name, value):
    arguments = {"size": (8, 8), "kernel_size": 3} | {name: value}
    with pytest.raises(ValueError, match=rf"^{name} must be an int .* 2 ints, each at least 1"):
        output_size(**arguments)


@pytest.mark.parametrize("size", [-1, (), (4, -1), (4, 4, 4, 4)], ids=repr)
def test_size_refuses_wrong_numbers(size):
    message = r"^size must be an int .* 1 to 3 ints, .* at least 0; got "
    with pytest.raises(ValueError, match=message):
        output_size(size, 1)
    with pytest.raises(ValueError, match=message):
        padding_pairs(size, 1)


def test_an_int_size_has_one_axis():
    with pytest.raises(ValueError, match=r"^kernel_size must be .* 1 int, .*; got \(3, 3\)"):
        output_size(8, (3, 3))


def test_refusals_name_the_type_and_stay_short():
    with pytest.raises(TypeError, match=r"got 2\.0 \(float\)"):
        output_size(8, 2.0)
    with pytest.raises(TypeError, match=r"got array.*\(ndarray\)") as caught:
        output_size(8, np.zeros((40, 40)))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [1, 0, "yes", None, np.array([True])], ids=repr)
def test_flags_refuse_what_is_no_bool(value):
    with pytest.raises(TypeError, match=r"^ceil_mode must be True or False; got"):
        output_size(8, 3, ceil_mode=value)
    with pytest.raises(TypeError, match=r"^bias must be True or False; got"):
        n_parameters((3,), 1, 1, bias=value)


# padding_pairs


@given(SIZES, KERNELS, STRIDES, DILATIONS)
def test_padding_pairs_of_same_give_same(size, kernel, stride, dilation):
    form = {"stride": stride, "dilation": dilation}
    before, after = padding_pairs(size, kernel, padding="same", **form)
    out = output_size(size, kernel, padding=((before, after),), **form)
    assert out == -(-size // stride)
    assert after - before in (0, 1)
    if after:  # one pixel less, and a window is lost
        assert count_windows(size, kernel, stride, (before, after - 1), dilation) < out


def test_padding_pairs_answers_in_the_form_of_size():
    assert padding_pairs(8, 4, padding="same") == (1, 2)
    assert padding_pairs((8,), 4, padding="same") == ((1, 2),)
    assert padding_pairs((8, 8), 4, padding=(1, 2)) == ((1, 1), (2, 2))
    assert padding_pairs((8, 8, 8), 4, padding="valid") == ((0, 0),) * 3
    assert padding_pairs((2, 0), 4) == ((0, 0), (0, 0))


def test_padding_pairs_refuses_same_on_an_empty_axis():
    with pytest.raises(ValueError, match=r"size must be at least 1 where padding is 'same'"):
        padding_pairs(0, 3, padding="same")


# transpose_output_size


@settings(deadline=None)
@given(SIZES, KERNELS, STRIDES, PAIRS, DILATIONS)
def test_transpose_output_size_inverts_the_convolution(size, kernel, stride, pair, dilation):
    form = {"stride": stride, "padding": (pair,), "dilation": dilation}
    largest = size * stride + dilation * kernel
    sources = [
        source
        for source in range(1, largest + 1)
        if count_windows(source, kernel, stride, pair, dilation) == size
    ]
    base = (size - 1) * stride - sum(pair) + dilation * (kernel - 1) + 1
    found = []
    for extra in range(stride):
        if base + extra < 1:
            with pytest.raises(ValueError, match=r"padding .* must leave at least 1 pixel"):
                transpose_output_size(size, kernel, output_padding=extra, **form)
        else:
            result = transpose_output_size(size, kernel, output_padding=extra, **form)
            assert output_size(result, kernel, **form) == size
            assert transpose_output_size(size, kernel, output_shape=result, **form) == result
            found.append(result)
    assert found == sources


@settings(deadline=None)
@given(SIZES, KERNELS, STRIDES, DILATIONS)
def test_transpose_output_size_of_same(size, kernel, stride, dilation):
    same = {"stride": stride, "padding": "same", "dilation": dilation}
    assert transpose_output_size(size, kernel, **same) == size * stride
    for source in range(1, (size + 1) * stride + 1):
        if output_size(source, kernel, **same) == size:
            assert transpose_output_size(size, kernel, output_shape=source, **same) == source
        else:
            with pytest.raises(ValueError, match=r"output_shape on axis 0 must be one of"):
                transpose_output_size(size, kernel, output_shape=source, **same)


@given(SIZES, KERNELS, STRIDES, PAIRS, DILATIONS)
def test_output_padding_brings_the_input_size_back(size, kernel, stride, pair, dilation):
    assume(count_windows(size, kernel, stride, pair, dilation))
    form = {"stride": stride, "padding": (pair,), "dilation": dilation}
    out = output_size(size, kernel, **form)
    assert transpose_output_size(out, kernel, output_shape=size, **form) == size


def test_transpose_output_size_per_axis():
    result = transpose_output_size(
        (4, 5), (3, 2), stride=(2, 3), padding=((1, 0), (0, 0)), output_padding=(1, 2)
    )
    assert result == (9, 16)
    assert transpose_output_size((4, 4), 3, stride=2, padding="same", output_shape=7) == (7, 7)
    assert type(transpose_output_size(4, 3)) is int


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_shape": 10}, "output_shape on axis 0 must be one of 7, 8; got 10"),
        ({"output_shape": 6}, "output_shape on axis 0 must be one of 7, 8; got 6"),
        ({"output_shape": 9, "padding": "same"}, "must be one of 7, 8; got 9"),
        ({"output_shape": 6, "padding": "same"}, "must be one of 7, 8; got 6"),
        ({"output_shape": 3, "stride": 20}, "must be one of 61 to 80; got 3"),
        ({"output_shape": 3, "size": 1, "padding": 1}, "must be one of 1, 2; got 3"),
        ({"output_shape": 3, "size": 1, "kernel_size": 2}, "must be one of 1; got 3"),
        ({"output_shape": 0}, "output_shape must be an int .* each at least 1; got 0"),
        ({"output_shape": (7, 8)}, r"output_shape must be an int .*; got \(7, 8\)"),
        ({"output_padding": 2}, r"smaller than stride \(2 on axis 0\), .*; got 2"),
        ({"output_padding": -1}, "output_padding must be an int .* at least 0; got -1"),
        ({"output_padding": 1, "output_shape": 8}, "0 where .* output_shape is given; got 1"),
        ({"output_padding": 1, "padding": "same"}, "0 where padding is 'same' .*; got 1"),
        ({"padding": 6}, r"padding \(6, 6\) must leave at least 1 pixel on axis 0 .* leaves -3"),
        ({"padding": 6, "output_shape": 3}, r"padding \(6, 6\) must leave .*; it leaves -2"),
        ({"size": 0}, "size must be an int .*, each at least 1; got 0"),
        ({"kernel_size": 0, "padding": "same"}, "kernel_size must be an int .*; got 0"),
        ({"dilation": 0, "padding": "same"}, "dilation must be an int .*; got 0"),
    ],
    ids=repr,
)
def test_transpose_output_size_refuses(arguments, message):
    form = {"size": 4, "kernel_size": 3, "stride": 2, "padding": 1} | arguments
    with pytest.raises(ValueError, match=message):
        transpose_output_size(**form)


@pytest.mark.parametrize("name", ["output_padding", "output_shape"])
def test_transpose_output_size_refuses_what_is_no_int(name):
    with pytest.raises(TypeError, match=rf"^{name} must be an int .*; got 1\.0 \(float\)"):
        transpose_output_size(4, 3, stride=2, **{name: 1.0})


# receptive_field

LAYERS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), max_size=4)


@given(LAYERS)
def test_receptive_field_is_what_an_output_depends_on(layers):
    size, stride, offset = receptive_field(layers)
    first, second = seen_pixels(0, layers), seen_pixels(1, layers)
    assert size == max(first) - min(first) + 1
    assert stride == min(second) - min(first) == max(second) - max(first)
    assert offset == (min(first) + max(first)) / 2
    assert (type(size), type(stride), type(offset)) == (int, int, float)


@given(LAYERS, st.integers(1, 5))
def test_receptive_field_of_n_outputs_fills_the_input(layers, n_outputs):
    size, stride, _ = receptive_field(layers)
    length = size + (n_outputs - 1) * stride
    for kernel_size, step, dilation in layers:
        length = output_size(length, kernel_size, stride=step, dilation=dilation)
    assert length == n_outputs


@given(LAYERS, LAYERS)
def test_receptive_field_has_axes_of_its_own(rows, columns):
    n_layers = min(len(rows), len(columns))
    assume(n_layers)
    rows, columns = rows[:n_layers], columns[:n_layers]
    both = [tuple(zip(row, column, strict=True)) for row, column in zip(rows, columns, strict=True)]
    expected = zip(receptive_field(rows), receptive_field(columns), strict=True)
    assert receptive_field(both) == tuple(expected)


def test_receptive_field_forms():
    assert receptive_field([]) == (1, 1, 0.0)
    assert receptive_field([(3, 1, 1), ((3, 5), 2, 1)]) == ((5, 7), (2, 2), (2.0, 3.0))
    assert receptive_field(np.array([[3, 1, 2], [3, 2, 1]])) == (7, 2, 3.0)
    assert receptive_field([((3,), 1, 1)]) == ((3,), (1,), (1.0,))


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        (3, TypeError, r"layers must be a sequence of \(kernel_size, stride, dilation\); got 3"),
        ("311", TypeError, "layers must be a sequence of"),
        ((3, 1, 1), TypeError, r"layers\[0\] must be \(kernel_size, stride, dilation\); got 3"),
        ([(3, 1, 1), (3, 1)], ValueError, r"layers\[1\] must be .*; got \(3, 1\)"),
        ([(3, 0, 1)], ValueError, r"layers\[0\] stride must be .* at least 1; got 0"),
        ([(3, 1, 1.5)], TypeError, r"layers\[0\] dilation must be an int .*; got 1\.5"),
        ([(3, 1, 1), ((), 1, 1)], ValueError, r"layers\[1\] kernel_size must be .*; got \(\)"),
        ([((3, 3), 1, 1), ((3, 3, 3), 1, 1)], ValueError, r"layers\[0\] kernel_size .* 3 ints"),
        ([((3, 3, 3, 3), 1, 1)], ValueError, "layers must be of 1 to 3 axes"),
    ],
    ids=repr,
)
def test_receptive_field_refuses(layers, error, message):
    with pytest.raises(error, match=message):
        receptive_field(layers)


# n_parameters and n_macs


def test_worked_examples():
    assert output_size((7, 7), (3, 3)) == (5, 5)
    assert n_parameters((3, 3), 3, 32) == 864
    assert n_macs((7, 7), (3, 3), 3, 32) == 5 * 5 * 864
    assert n_macs((5, 5), (3, 3), 1, 1) == 81
    assert n_macs((5, 5), (3, 3), 1, 1, kind="spatially_separable") == 45 + 27
    assert n_macs(5, 3, 1, 1) == 9


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_divide_the_parameters(groups):
    assert n_parameters((3, 3), 8, 12, groups=groups) * groups == n_parameters((3, 3), 8, 12)
    assert n_macs((6, 6), 3, 8, 12, groups=groups) * groups == n_macs((6, 6), 3, 8, 12)


@pytest.mark.parametrize(
    ("arguments", "arrays"),
    [
        ({}, [(3, 5, 4, 12)]),
        ({"groups": 2}, [(3, 5, 2, 12)]),
        ({"kind": "depthwise_separable"}, [(3, 5, 4, 1), (4, 12)]),
        ({"kind": "depthwise_separable", "multiplier": 3}, [(3, 5, 4, 3), (4 * 3, 12)]),
        ({"kind": "spatially_separable", "out_channels": 4}, [(3, 4, 1), (5, 4, 1)]),
        (
            {"kind": "spatially_separable", "multiplier": 2, "out_channels": 16},
            [(3, 4, 2), (5, 8, 2)],
        ),
    ],
    ids=repr,
)
def test_n_parameters_is_the_size_of_the_arrays(arguments, arrays):
    arguments = {"kernel_size": (3, 5), "in_channels": 4, "out_channels": 12} | arguments
    expected = sum(int(np.prod(shape)) for shape in arrays)
    assert n_parameters(**arguments) == expected
    assert n_parameters(bias=True, **arguments) == expected + arguments["out_channels"]


SPATIAL = st.integers(1, 2).flatmap(
    lambda rank: st.tuples(
        st.tuples(*[st.integers(1, 6)] * rank),
        st.tuples(*[st.integers(1, 3)] * rank),
        st.tuples(*[st.integers(1, 2)] * rank),
        st.sampled_from(["valid", "same", 1]),
        st.tuples(*[st.integers(1, 2)] * rank),
    )
)


def place(spatial):
    """Return what `SPATIAL` drew as arguments, and the size of the output."""
    size, kernel, stride, padding, dilation = spatial
    form = {"stride": stride, "padding": padding, "dilation": dilation}
    pairs = padding_pairs(size, kernel, **form)
    out = tuple(map(count_windows, size, kernel, stride, pairs, dilation))
    assume(all(out))
    return size, kernel, form, out


@settings(max_examples=50, deadline=None)
@given(SPATIAL, st.integers(1, 2), st.integers(1, 2), st.integers(1, 2))
def test_n_macs_counts_a_grouped_convolution(spatial, groups, ins, outs):
    size, kernel, form, out = place(spatial)
    ins, outs = ins * groups, outs * groups
    expected = count_macs(ins, outs, groups, out, kernel)
    assert n_macs(size, kernel, ins, outs, groups=groups, **form) == expected


@settings(max_examples=50, deadline=None)
@given(SPATIAL, st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
def test_n_macs_counts_a_depthwise_separable_convolution(spatial, ins, outs, multiplier):
    size, kernel, form, out = place(spatial)
    middle = ins * multiplier
    expected = count_macs(ins, middle, ins, out, kernel) + count_macs(middle, outs, 1, out, (1,))
    kind = {"kind": "depthwise_separable", "multiplier": multiplier}
    assert n_macs(size, kernel, ins, outs, **kind, **form) == expected


@settings(max_examples=50, deadline=None)
@given(SPATIAL, st.integers(1, 2), st.integers(1, 2))
def test_n_macs_counts_a_spatially_separable_convolution(spatial, ins, multiplier):
    size, kernel, form, out = place(spatial)
    expected, channels, current = 0, ins, list(size)
    for axis, taps in enumerate(kernel):
        current[axis] = out[axis]
        expected += count_macs(channels, channels * multiplier, channels, current, (taps,))
        channels *= multiplier
    kind = {"kind": "spatially_separable", "multiplier": multiplier}
    assert n_macs(size, kernel, ins, channels, **kind, **form) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": 3}, "groups must be an int that divides in_channels=4 and out_channels=6"),
        ({"groups": 4}, "groups must be an int that divides .*; got 4"),
        ({"groups": 0}, "groups must be an int, at least 1; got 0"),
        ({"in_channels": 0}, "in_channels must be an int, at least 1; got 0"),
        ({"out_channels": -1}, "out_channels must be an int, at least 1; got -1"),
        ({"multiplier": 0}, "multiplier must be an int, at least 1; got 0"),
        ({"multiplier": 2}, "multiplier must be 1 where kind is 'standard'; got 2"),
        ({"kind": "depthwise"}, "kind must be one of 'standard', .*; got 'depthwise'"),
        ({"kind": ["standard"]}, "kind must be one of 'standard', .*; got "),
        (
            {"kind": "depthwise_separable", "groups": 2},
            "groups must be 1 where kind is 'depthwise_separable'; got 2",
        ),
        (
            {"kind": "spatially_separable", "multiplier": 2},
            r"out_channels must be in_channels \* multiplier \*\* 2 = 16 .*; got 6",
        ),
        ({"kernel_size": (3, 0)}, r"kernel_size must be .*; got \(3, 0\)"),
    ],
    ids=repr,
)
def test_counts_refuse(arguments, message):
    arguments = {"kernel_size": (3, 3), "in_channels": 4, "out_channels": 6} | arguments
    with pytest.raises(ValueError, match=message):
        n_parameters(**arguments)
    with pytest.raises(ValueError, match=message):
        n_macs((8, 8), **arguments)


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "groups", "multiplier"])
@pytest.mark.parametrize("value", [*NOT_INTS, (2,)], ids=repr)
def test_counts_refuse_what_is_no_int(name, value):
    arguments = {"kernel_size": (3, 3), "in_channels": 4, "out_channels": 6} | {name: value}
    with pytest.raises(TypeError, match=f"^{name} must be an int, at least 1; got"):
        n_parameters(**arguments)


def test_n_parameters_wants_the_number_of_axes():
    message = r"^kernel_size must be a sequence of 1 to 3 ints, one per axis, .*; got 3"
    with pytest.raises(TypeError, match=message):
        n_parameters(3, 1, 1)


def test_n_macs_refuses_an_image_without_a_window():
    with pytest.raises(ValueError, match="no window fits on axis 0: size 2"):
        n_macs((2, 5), 3, 1, 1)
    with pytest.raises(ValueError, match=r"^image_size must be an int .*; got -1"):
        n_macs(-1, 3, 1, 1)


def test_docstring_examples_run():
    examples = doctest.testmod(shapes)
    assert examples.attempted >= 6
    assert examples.failed == 0


def test_all_names_exist_and_are_sorted():
    assert sorted(shapes.__all__) == shapes.__all__
    assert all(callable(getattr(shapes, name)) for name in shapes.__all__)


# The checks by themselves


def test_checks_return_plain_values():
    assert axis_ints("stride", np.int8(2), 3, 1) == (2, 2, 2)
    assert axis_ints("stride", np.array([2, 3]), 2, 1) == (2, 3)
    assert type(integer("groups", np.int64(2), 1)) is int
    assert flag("bias", np.True_) is True
    assert type(choice("padding_mode", np.str_("edge"), PADDING_MODES)) is str
    assert choice("activation", None, (None, *ACTIVATIONS)) is None
    assert channel_groups(np.int64(4), 6, 2) == (4, 6, 2)


@pytest.mark.parametrize("value", ["Edge", None, 1, [], {}, np.array(["edge"])], ids=repr)
def test_choice_lists_what_is_allowed(value):
    message = r"^padding_mode must be one of 'constant', 'edge', .*'wrap'; got"
    with pytest.raises(ValueError, match=message):
        choice("padding_mode", value, PADDING_MODES)


@pytest.mark.parametrize(
    ("padding", "rank", "expected"),
    [("valid", 2, "valid"), (np.str_("same"), 2, "same"), (1, 2, ((1, 1), (1, 1))),
     ((1, 2), 2, ((1, 1), (2, 2))), (((1, 2), (3, 4)), 2, ((1, 2), (3, 4))),
     ([[1, 2], (3, 4)], 2, ((1, 2), (3, 4))), (np.array([1, 2]), 2, ((1, 1), (2, 2))),
     (np.array([[1, 2], [3, 4]]), 2, ((1, 2), (3, 4))), (np.int32(0), 3, ((0, 0),) * 3),
     (((1, 2),), 1, ((1, 2),)), ((1,), 1, ((1, 1),))], ids=repr)
def test_padding_forms(padding, rank, expected):
    spec = padding_spec(padding, rank)
    assert spec == expected
    if isinstance(spec, str):
        assert type(spec) is str
    else:
        assert all(type(pad) is int for pair in spec for pad in pair)


@pytest.mark.parametrize("value", NOT_INTS, ids=repr)
def test_padding_refuses_what_is_no_int(value):
    kinds = ValueError if isinstance(value, str) else TypeError
    with pytest.raises(kinds, match=r"^padding must be 'valid', 'same', an int, .*; got"):
        padding_spec(value, 2)
    for wrong in ((value, 1), ((1, value), (1, 1))):
        with pytest.raises(TypeError, match=r"^padding must be 'valid', 'same', an int, .*; got"):
            padding_spec(wrong, 2)


@pytest.mark.parametrize(
    "padding",
    ["full", "", -1, (1,), (1, 2, 3), (1, -1), (), ((1, 2),), ((1, 2), (3,)), ((1, 2), (3, -4))],
    ids=repr,
)
def test_padding_refuses_wrong_numbers(padding):
    with pytest.raises(ValueError, match=r"2 \(before, after\) pairs such as .* none negative"):
        padding_spec(padding, 2)


def test_padding_does_not_mix_ints_and_pairs():
    with pytest.raises(ValueError, match="ints and pairs cannot be mixed"):
        padding_spec((1, (1, 2)), 2)


def test_padding_of_one_axis_is_a_pair_in_a_tuple():
    with pytest.raises(ValueError, match=r"pair such as \(\(0, 1\),\), .*; got \(1, 2\)"):
        padding_spec((1, 2), 1)
