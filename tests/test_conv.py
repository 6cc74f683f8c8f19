"""Tests of conv: every algorithm, tier and dtype against the slow reference, and bit by bit."""

import platform
from functools import lru_cache

import numpy as np
import pytest

import convlib as cl
import reference
from conftest import runnable_tiers
from convlib._algorithms import NAMES
from convlib._native import cpu
from convlib._validation import ACTIVATIONS, PADDING_MODES
from reference import same_bits, sample

pytestmark = pytest.mark.kernels

DTYPES = ["float32", "float64"]
THREADS = [1, 2, 5]

# name: shape of one image, shape of the kernel, settings
CASES = {
    "one pixel": ((1, 1, 3), (1, 1, 3, 5), {}),
    "one value": ((1, 1), (1, 1, 1), {}),
    "padding around one pixel": ((1, 1, 2), (3, 3, 2, 4), {"padding": "same"}),
    "image of padding alone": ((1, 2, 1), (1, 2, 1, 3), {"padding": ((3, 2), (5, 4))}),
    "kernel as large as the image": ((5, 7, 3), (5, 7, 3, 4), {}),
    "kernel as large as the padded image": ((4, 3, 2), (7, 5, 2, 3), {"padding": ((1, 2), (1, 1))}),
    "primes": ((13, 11, 7), (5, 3, 7, 17), {"padding": 1}),
    "even kernel, same": ((9, 10, 3), (4, 2, 3, 8), {"padding": "same"}),
    "same with stride": ((11, 8, 2), (3, 5, 2, 6), {"padding": "same", "stride": (3, 2)}),
    "stride above kernel": ((17, 19, 2), (2, 3, 2, 5), {"stride": (5, 4)}),
    "stride above image": ((4, 5, 2), (3, 2, 2, 3), {"stride": 9, "padding": 1}),
    "1x1 with stride": ((9, 8, 5), (1, 1, 5, 9), {"stride": (2, 3)}),
    "1x1 with padding": ((4, 5, 3), (1, 1, 3, 4), {"padding": ((0, 1), (2, 0))}),
    "1x1 in groups": ((5, 6, 6), (1, 1, 2, 9), {"groups": 3}),
    "one channel": ((14, 15, 1), (3, 3, 1, 1), {"padding": 1}),
    "dilation": ((15, 16, 2), (3, 4, 2, 3), {"dilation": (4, 3), "padding": (2, 3)}),
    "dilation and stride with a divisor": ((20, 21, 2), (3, 3, 2, 3),
                                           {"dilation": (4, 6), "stride": (2, 4)}),
    "dilation above a block": ((60, 58, 256), (3, 3, 256, 2), {"dilation": (25, 24)}),
    "many blocks": ((45, 43, 300), (3, 3, 300, 2), {"stride": 2, "padding": 1}),
    "depthwise": ((7, 8, 6), (3, 3, 1, 6), {"groups": 6, "padding": "same"}),
    "depthwise, two of each": ((7, 8, 5), (3, 3, 1, 10), {"groups": 5}),
    "depthwise, more than a vector": ((9, 17, 37), (3, 3, 1, 37), {"groups": 37, "padding": 1}),
    "depthwise, many channels": ((6, 5, 300), (3, 2, 1, 300), {"groups": 300, "padding": "same"}),
    "depthwise, rows of several tiles": ((5, 47, 16), (3, 5, 1, 16), {"groups": 16, "padding": 2}),
    "depthwise, stride 2": ((17, 31, 21), (3, 3, 1, 21), {"groups": 21, "padding": 1, "stride": 2}),
    "depthwise, 7x7 stride 2": ((19, 45, 20), (7, 7, 1, 20),
                                {"groups": 20, "padding": 3, "stride": 2}),
    "depthwise, 5x5 stride 2": ((14, 29, 33), (5, 5, 1, 33),
                                {"groups": 33, "padding": "same", "stride": 2}),
    "depthwise, 7x7": ((9, 23, 18), (7, 7, 1, 18), {"groups": 18, "padding": 3}),
    "depthwise, stride 3, dilation 2": ((16, 40, 17), (2, 3, 1, 17),
                                        {"groups": 17, "stride": 3, "dilation": 2, "padding": 2}),
    "depthwise, stride 4, dilation 6": ((24, 60, 17), (2, 4, 1, 17),
                                        {"groups": 17, "stride": 4, "dilation": 6, "padding": 9}),
    "depthwise, dilation 3": ((16, 50, 18), (3, 3, 1, 18),
                              {"groups": 18, "dilation": 3, "padding": "same"}),
    "depthwise, 1x1": ((5, 40, 18), (1, 1, 1, 18), {"groups": 18}),
    "depthwise, 1x1 with stride": ((5, 40, 18), (1, 1, 1, 18), {"groups": 18, "stride": 3}),
    "depthwise, 9x11": ((15, 16, 19), (9, 11, 1, 19), {"groups": 19, "padding": 5}),
    "depthwise, three of each": ((7, 20, 25), (3, 3, 1, 75), {"groups": 25, "padding": 1}),
    "depthwise, twenty of each": ((6, 9, 2), (3, 2, 1, 40), {"groups": 2, "padding": 1}),
    "depthwise, few channels": ((9, 60, 3), (3, 3, 1, 3), {"groups": 3, "padding": 1}),
    "depthwise, few channels, stride": ((9, 61, 3), (3, 5, 1, 3),
                                        {"groups": 3, "padding": 2, "stride": 2}),
    "depthwise, few channels, stride 5": ((9, 61, 3), (2, 3, 1, 6),
                                          {"groups": 3, "stride": 5, "dilation": (1, 3)}),
    "depthwise, few channels, stride above reach": ((9, 61, 5), (2, 2, 1, 5),
                                                    {"groups": 5, "stride": 7}),
    "depthwise signal": ((300, 17), (9, 1, 17), {"groups": 17, "padding": 4}),
    "depthwise volume": ((6, 7, 20, 4), (3, 3, 3, 1, 4), {"groups": 4, "padding": 1}),
    "depthwise volume, all settings": ((9, 8, 17, 21), (2, 3, 2, 1, 21),
                                       {"padding": ((1, 2), (0, 3), (2, 0)), "stride": (2, 1, 3),
                                        "dilation": (3, 2, 1), "groups": 21}),
    "pairs": ((7, 33, 36), (3, 3, 2, 36), {"groups": 18, "padding": 1}),
    "pairs, 5x5": ((7, 33, 34), (5, 5, 2, 34), {"groups": 17, "padding": 2}),
    "pairs, few": ((6, 37, 4), (3, 3, 2, 4), {"groups": 2, "padding": 1, "stride": 2}),
    "pairs, twice": ((6, 17, 18), (3, 3, 2, 36), {"groups": 9, "padding": 1}),
    "fours": ((8, 17, 36), (3, 3, 4, 36), {"groups": 9, "padding": 1}),
    "fours, stride 2": ((9, 33, 44), (3, 3, 4, 44), {"groups": 11, "padding": 1, "stride": 2}),
    "fours, dilation 2": ((9, 40, 20), (3, 2, 4, 20), {"groups": 5, "padding": 1, "dilation": 2}),
    "fours, 1x1": ((6, 17, 32), (1, 1, 4, 32), {"groups": 8}),
    "fours, three times": ((6, 17, 12), (2, 3, 4, 36), {"groups": 3}),
    "eights": ((8, 17, 24), (3, 3, 8, 24), {"groups": 3, "padding": 1}),
    "eights, stride 2": ((9, 33, 24), (3, 3, 8, 24), {"groups": 3, "padding": 1, "stride": 2}),
    "eights, one group": ((8, 17, 8), (3, 3, 8, 8), {"padding": 1}),
    "eights, 1x1": ((6, 17, 48), (1, 1, 8, 48), {"groups": 6}),
    "eights, signal": ((99, 16), (4, 8, 32), {"groups": 2, "padding": 2}),
    "groups": ((8, 7, 12), (3, 2, 4, 9), {"groups": 3, "padding": 1}),
    "groups above a vector": ((3, 4, 40), (1, 2, 20, 66), {"groups": 2}),
    "pixels 4 KiB apart": ((3, 4, 1024), (2, 2, 1024, 3), {}),
    "pixels 4 KiB apart, 1x1": ((3, 4, 1024), (1, 1, 1024, 3), {}),
    "channels below a vector": ((4, 5, 15), (2, 2, 15, 31), {}),
    "channels above a vector": ((4, 5, 17), (2, 2, 17, 33), {}),
    "huge kernel": ((23, 25, 1), (21, 19, 1, 2), {"padding": 4}),
    "kernel above half the image": ((40, 37, 2), (31, 25, 2, 3), {"padding": (15, 12)}),
    "long kernel": ((3, 190, 2), (1, 75, 2, 2), {"padding": (0, 20), "dilation": 2}),
    "tall kernel": ((60, 5, 17), (23, 1, 17, 18), {"padding": (11, 1)}),
    "tiles that few pixels fill": ((29, 31, 20), (6, 5, 20, 35), {"padding": 2}),
    "dilation in tiles": ((44, 40, 32), (5, 4, 16, 40), {"dilation": (3, 2), "padding": (9, 2),
                                                         "groups": 2}),
    "dilation above the image": ((5, 7, 16), (2, 2, 16, 16), {"dilation": (9, 11), "padding": 8}),
    "signal of many taps": ((700, 1), (301, 1, 2), {"padding": 100}),
    "signal": ((50, 3), (7, 3, 10), {"padding": 3}),
    "signal, all settings": ((61, 4), (5, 2, 6), {"padding": ((2, 7),), "stride": 3,
                                                  "dilation": 4, "groups": 2}),
    "one channel, all settings": ((40, 83, 1), (4, 3, 1, 1), {
        "padding": ((3, 2), (1, 4)), "stride": (2, 3), "dilation": (3, 2)}),
    "one channel, a wide row": ((9, 300, 1), (5, 5, 1, 1), {"padding": "same"}),
    "one channel, three columns": ((11, 70, 1), (2, 3, 1, 1), {"dilation": (1, 3)}),
    "one channel to seven": ((9, 70, 1), (3, 3, 1, 7), {"padding": 1}),
    "five channels to eight": ((10, 39, 5), (3, 4, 5, 8), {"padding": 2}),
    "eight channels to three": ((13, 52, 8), (1, 7, 8, 3), {"padding": (0, 3)}),
    "three channels, each its own": ((9, 66, 3), (5, 3, 1, 3), {"groups": 3, "padding": "same"}),
    "groups of three to five": ((9, 34, 6), (3, 3, 3, 10), {"groups": 2, "stride": (1, 2)}),
    "eleven outputs": ((7, 33, 2), (3, 3, 2, 11), {"padding": 1}),
    "sixteen channels": ((5, 40, 16), (3, 3, 16, 16), {}),
    "signal, one channel": ((999, 1), (9, 1, 1), {"padding": 4}),
    "signal, one channel, all settings": ((999, 1), (5, 1, 2), {
        "padding": ((2, 7),), "stride": 3, "dilation": 2}),
    "volume, one channel": ((9, 10, 41, 1), (5, 4, 3, 1, 1), {"padding": (2, 1, 1)}),
    "volume": ((5, 6, 7, 3), (3, 2, 3, 3, 8), {"padding": 1}),
    "volume, all settings": ((9, 8, 7, 4), (2, 3, 2, 2, 6),
                             {"padding": ((1, 2), (0, 3), (2, 0)), "stride": (2, 1, 3),
                              "dilation": (3, 2, 1), "groups": 2}),
}
SMALL_CASES = ["one pixel", "1x1 in groups", "groups", "signal, all settings",
               "volume, all settings", "depthwise, more than a vector", "depthwise, many channels",
               "depthwise, few channels, stride", "depthwise, three of each", "pairs, few",
               "fours", "eights, stride 2"]


@lru_cache
def operands(name):
    """Return three images, kernel, bias and settings of a case, in float64."""
    shape, kernel_shape, options = CASES[name]
    return sample((3, *shape)), sample(kernel_shape, 1), sample(kernel_shape[-1], 2), options


@lru_cache
def solution(name):
    images, kernel, bias, options = operands(name)
    return reference.Solution(images, kernel, bias, **options)


def refusal(algorithm, shape, kernel, **options):
    """Return why an algorithm refuses images of this shape, "" if it does not."""
    try:
        cl.explain_conv(shape, kernel, algorithm=algorithm, **options)
    except ValueError as error:
        if "cannot compute this convolution" not in str(error):
            raise
        return str(error)
    return ""


def skip_refused(algorithm, images, kernel, **options):
    """Skip a combination that the algorithm refuses, with its reason."""
    if reason := refusal(algorithm, images.shape[1:], kernel, dtype=images.dtype, **options):
        pytest.skip(reason)


def each_able(cases):
    """Parametrise a test by the cases, and for each by the algorithms that accept it somewhere."""
    before, pairs = cpu.tier(), {}
    for tier in runnable_tiers():
        cpu.set_tier(tier)
        for case, (shape, kernel_shape, options) in cases.items():
            able = set(cl.explain_conv(shape, kernel_shape, **options).costs)
            # A shape alone has no rank.
            if not refusal("lowrank", shape, sample(kernel_shape, 1), **options):
                able.add("lowrank")
            pairs |= {(case, name): None for name in NAMES if name in able}
    cpu.set_tier(before)
    return pytest.mark.parametrize(("case", "algorithm"), pairs)


def computes_pixels_alone(algorithm, images, kernel, **options):
    """Tell whether each output is a sum of its own products, and not of a whole tile's."""
    form = options | {"algorithm": algorithm, "dtype": images.dtype}
    problem, way, *_ = cl.pack_kernel(kernel, images.shape[1:], **form)._plan(images.shape[1:])
    return way.grid(problem) is not None and set(way.grid(problem)) == {1}


def skip_mixing(algorithm, images, kernel, **options):
    if not computes_pixels_alone(algorithm, images, kernel, **options):
        pytest.skip(f"{algorithm}: rounds by the largest value of a tile")


def cast(arrays, dtype):
    return [array.astype(dtype) for array in arrays]


# Against the reference


@pytest.mark.parametrize("dtype", DTYPES)
@each_able(CASES)
def test_equals_the_reference_for_any_threads(tier, case, algorithm, dtype):
    images, kernel, bias = cast(operands(case)[:3], dtype)
    options = operands(case)[3]
    skip_refused(algorithm, images, kernel, **options)
    form = options | {"algorithm": algorithm}
    outs = [cl.conv(images, kernel, bias, n_threads=n, **form) for n in THREADS]
    solution(case).check(outs[0], dtype, algorithm)
    assert all(same_bits(out, outs[0]) for out in outs)


@lru_cache
def padded_solution(name, mode):
    shape, kernel_shape, options = PADDED[name]
    images, kernel = sample((2, *shape), 3), sample(kernel_shape, 4)
    return images, kernel, reference.Solution(images, kernel, padding_mode=mode, **options)


PADDED = {
    "signal": ((4, 2), (3, 2, 2), {"padding": ((2, 1),)}),
    "longer than the signal": ((3, 1), (2, 1, 2), {"padding": ((11, 17),)}),
    "longer than the image": ((2, 3, 2), (3, 2, 2, 2), {"padding": ((7, 5), (0, 13))}),
    "one pixel": ((1, 1, 2), (2, 2, 2, 1), {"padding": 3}),
    "stride and dilation": ((5, 4, 2), (2, 3, 2, 3),
                            {"padding": ((6, 9), (8, 3)), "stride": (3, 2), "dilation": (2, 4)}),
    "1x1": ((3, 4, 2), (1, 1, 2, 3), {"padding": ((4, 5), (6, 2))}),
    "volume": ((2, 3, 1, 2), (2, 1, 2, 1, 2), {"padding": ((3, 2), (1, 1), (0, 4)), "groups": 2}),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", PADDING_MODES)
@each_able(PADDED)
def test_borders_are_those_of_numpy_pad(tier, case, mode, algorithm, dtype):
    images, kernel, expected = padded_solution(case, mode)
    options = PADDED[case][2] | {"padding_mode": mode}
    images, kernel = cast((images, kernel), dtype)
    skip_refused(algorithm, images, kernel, **options)
    expected.check(cl.conv(images, kernel, algorithm=algorithm, **options), dtype, algorithm)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(tier, activation, algorithm, dtype):
    images, kernel, bias, _ = operands("1x1 in groups")
    form = {"groups": 3, "activation": activation}
    expected = reference.Solution(images, kernel, bias, **form)
    images, kernel, bias = cast((images, kernel, bias), dtype)
    skip_refused(algorithm, images, kernel, **form)
    expected.check(cl.conv(images, kernel, bias, algorithm=algorithm, **form), dtype, algorithm)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_accurate_everywhere(tier, activation, algorithm, dtype):
    near = np.linspace(-1, 1, 1001) ** 3
    x = np.concatenate([near, 30 * near, np.linspace(-30, 30, 999)]).astype(dtype)[None, :, None]
    one = np.ones((1, 1, 1), dtype)
    skip_refused(algorithm, x, one)
    skip_mixing(algorithm, x, one)
    out = cl.conv(x, one, activation=activation, algorithm=algorithm)
    expected = reference.activate(x.astype(float), activation)
    assert (np.abs(out - expected) <= reference.tolerance(dtype, 1, np.abs(expected))).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", NAMES)
def test_sigmoid_and_tanh_end_where_they_should(tier, algorithm, dtype):
    x = np.array([-np.inf, -1e30, -100, 0, 100, 1e30, np.inf], dtype)[:, None, None]
    one = np.ones((1, 1, 1), dtype)
    skip_refused(algorithm, x, one)
    skip_mixing(algorithm, x, one)
    ends = {"sigmoid": [0, 0, 0, 0.5, 1, 1, 1], "tanh": [-1, -1, -1, 0, 1, 1, 1]}
    for activation, expected in ends.items():
        out = cl.conv(x, one, activation=activation, algorithm=algorithm).ravel()
        assert (np.abs(out - expected) <= reference.tolerance(dtype, 1, 1)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize("taps", [1, 3])
def test_any_number_of_outputs_and_pixels(tier, taps, algorithm, dtype):
    images, kernel = cast((sample((1, 44, 5)), sample((taps, 5, 40), 1)), dtype)
    skip_refused(algorithm, images, kernel)
    form = {"algorithm": algorithm, "n_threads": 1}
    whole = cl.conv(images, kernel, **form)
    reference.Solution(images.astype(float), kernel.astype(float)).check(
        whole, dtype, algorithm)
    allowed = reference.slack(images, kernel, algorithm)
    for n in range(1, 41):
        few = cl.conv(images, kernel[..., :n], **form)
        assert (np.abs(few - whole[..., :n]) <= allowed[..., :n]).all()
        short = cl.conv(images[:, :n + taps - 1], kernel, **form)
        assert (np.abs(short - whole[:, :n]) <= allowed[:, :n]).all()


@pytest.mark.parametrize("algorithm", NAMES)
def test_long_signal(tier, algorithm):
    signal, kernel = sample((1, 100_000, 1)), sample((9, 1, 2), 1)
    skip_refused(algorithm, signal, kernel)
    out = cl.conv(signal, kernel, algorithm=algorithm)
    magnitude = correlations(np.abs(signal), np.abs(kernel))
    allowed = 2 * reference.tolerance("float64", 9, magnitude)
    assert (np.abs(out - correlations(signal, kernel)) <= allowed).all()


def correlations(signal, kernel):
    return np.stack([np.correlate(signal[0, :, 0], k[:, 0]) for k in np.moveaxis(kernel, -1, 0)],
                    axis=-1)[None]


@pytest.mark.parametrize("algorithm", NAMES)
def test_empty_batch(tier, algorithm):
    images, kernel = np.ones((0, 5, 6, 2), "float32"), np.ones((1, 1, 2, 3))
    skip_refused(algorithm, images, kernel)
    out = cl.conv(images, kernel, algorithm=algorithm)
    assert out.shape == (0, 5, 6, 3)
    assert out.dtype == "float32"
    assert cl.conv(images, kernel, algorithm=algorithm, out=out) is out


# Same bits, whatever the batch and the memory


@pytest.mark.parametrize("dtype", DTYPES)
@each_able({case: CASES[case] for case in SMALL_CASES})
def test_batches_do_not_change_bits(tier, case, algorithm, dtype):
    shape, kernel_shape, options = CASES[case]
    arrays = sample((7, *shape)), sample(kernel_shape, 1), sample(kernel_shape[-1], 2)
    images, kernel, bias = cast(arrays, dtype)
    skip_refused(algorithm, images, kernel, **options)
    form = options | {"bias": bias, "algorithm": algorithm}
    whole = cl.conv(images, kernel, **form)
    for ends in ([1, 2, 3, 4, 5, 6], [2, 3, 6]):
        parts = [cl.conv(part, kernel, **form) for part in np.split(images, ends)]
        assert same_bits(np.concatenate(parts), whole)


def channels_first(x):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -1, 1)), 1, -1)


def every_third(x):
    wide = np.full((*x.shape[:-1], 3 * x.shape[-1]), np.nan, x.dtype)
    wide[..., 1::3] = x
    return wide[..., 1::3]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x):
    fields = np.zeros(x.shape, [("tag", "u1"), ("value", x.dtype)])
    fields["value"] = x
    return fields["value"]


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "channels first": channels_first,
    "axes reversed": lambda x: x[::-1, ::-1, ..., ::-1].copy()[::-1, ::-1, ..., ::-1],
    "strided channels": every_third,
    "strided images": lambda x: np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3],
    "read-only": read_only,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder("S")),
    "unaligned field": unaligned,
    "broadcast": lambda x: np.broadcast_to(x[None], (2, *x.shape))[1],
}


@pytest.mark.parametrize("dtype", DTYPES)
@each_able({case: CASES[case] for case in SMALL_CASES})
def test_layouts_of_images_do_not_change_bits(tier, case, algorithm, dtype):
    images, kernel, bias = cast(operands(case)[:3], dtype)
    options = operands(case)[3]
    skip_refused(algorithm, images, kernel, **options)
    form = options | {"algorithm": algorithm}
    expected = cl.conv(images, kernel, bias, **form)
    for layout, change in LAYOUTS.items():
        assert np.array_equal(change(images), images)
        assert same_bits(cl.conv(change(images), kernel, bias, **form), expected), layout


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", SMALL_CASES)
def test_layouts_of_kernels_do_not_change_bits(case, layout, dtype):
    """Kernels are copied in one place, before any algorithm sees them."""
    images, kernel, bias = cast(operands(case)[:3], dtype)
    options = operands(case)[3]
    expected = cl.conv(images, kernel, bias, **options)
    kernel = LAYOUTS[layout](kernel)
    assert same_bits(cl.conv(images, kernel, every_third(bias), **options), expected)
    packed = cl.pack_kernel(kernel, images.shape[1:], every_third(bias), dtype=dtype, **options)
    again = cl.pack_kernel(kernel.copy(), images.shape[1:], bias, dtype=dtype, **options)
    assert same_bits(cl.conv(images, packed), cl.conv(images, again))


def test_equal_images_along_a_stride_of_zero(tier):
    one, kernel = sample((1, 5, 6, 1)), sample((3, 3, 4, 2), 1)
    spread = np.broadcast_to(one, (3, 5, 6, 4))
    assert same_bits(cl.conv(spread, kernel), cl.conv(spread.copy(), kernel))


@pytest.mark.parametrize("algorithm", NAMES)
def test_memmap(tier, algorithm, tmp_path):
    images, kernel = cast(operands("1x1 in groups")[:2], "float32")
    skip_refused(algorithm, images, kernel, groups=3)
    form = {"groups": 3, "algorithm": algorithm}
    stored = np.memmap(tmp_path / "images", images.dtype, "w+", shape=images.shape)
    stored[:] = images
    stored = np.memmap(tmp_path / "images", images.dtype, "r", shape=images.shape)
    expected = cl.conv(images, kernel, **form)
    out = np.memmap(tmp_path / "out", images.dtype, "w+", shape=expected.shape)
    assert cl.conv(stored, kernel, out=out, **form) is out
    assert same_bits(np.asarray(out), expected)


# Dtypes


@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(name, "float32") for name in ("bool", "int8", "uint8", "int16", "uint16", "float16")]
    + [(name, "float64") for name in ("int32", "uint32", "int64", "uint64")])
def test_images_decide_the_dtype(tier, dtype, expected, algorithm):
    images = np.random.default_rng(0).integers(0, 2, (2, 5, 4, 3)).astype(dtype)
    skip_refused(algorithm, np.empty(images.shape, expected), np.ones((1, 1, 3, 2)))
    for kernel_dtype in ("float64", "float32", "int8", "bool"):
        kernel = np.ones((1, 1, 3, 2), kernel_dtype)
        out = cl.conv(images, kernel, np.ones(2, kernel_dtype), algorithm=algorithm)
        assert same_bits(out, images.sum(-1, expected, keepdims=True).repeat(2, axis=-1) + 1)


def test_integers_are_not_rescaled(tier):
    images = np.array([0, 1, 255], "uint8").reshape(1, 3, 1)
    assert cl.conv(images, np.ones((1, 1, 1)))[0, :, 0].tolist() == [0, 1, 255]
    images = np.array([-(2**40), 2**40 + 1]).reshape(1, 2, 1)
    assert cl.conv(images, np.ones((1, 1, 1)))[0, :, 0].tolist() == [-(2**40), 2**40 + 1]


def test_lists_are_arrays(tier):
    out = cl.conv([[[1], [2], [3]]], [[[1, 0]], [[1, 2]]], [10, 20])
    assert same_bits(out, np.array([[[13.0, 24.0], [15.0, 26.0]]]))


@pytest.mark.parametrize("algorithm", NAMES)
def test_out_is_filled_and_returned(tier, algorithm):
    images, kernel = sample((2, 6, 5, 3)), sample((1, 1, 3, 4), 1)
    skip_refused(algorithm, images, kernel)
    expected = cl.conv(images, kernel, algorithm=algorithm)
    room = np.full((4, 6, 5, 4), np.nan)
    out = room[1:3]
    assert cl.conv(images, kernel, algorithm=algorithm, out=out) is out
    assert same_bits(out, expected)
    assert np.isnan(room[[0, 3]]).all()


# Numbers that are not ordinary


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("kernel_size", [(1, 1), (3, 2)])
def test_nan_spreads_to_its_windows_and_no_further(tier, kernel_size, mode, algorithm, dtype):
    kernel = np.ones((*kernel_size, 2, 2 * 3), dtype)
    padding = 2 if kernel_size != (1, 1) else 0
    options = {"padding": padding, "padding_mode": mode, "groups": 2}
    images = np.ones((4, 6, 7, 4), dtype)
    skip_refused(algorithm, images, kernel, **options)
    for n, place in enumerate([(0, 0, 0), (3, 4, 1), (5, 6, 3), (5, 0, 2)]):
        images[(n, *place)] = np.nan
    seen = reference.Solution(np.isnan(images).astype(float), kernel, **options).sums > 0
    bad = np.isnan(cl.conv(images, kernel, algorithm=algorithm, **options))
    assert bad[seen].all()
    if computes_pixels_alone(algorithm, images, kernel, **options):
        assert np.array_equal(bad, seen)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_infinity_follows_ieee(tier, kernel_size, algorithm, dtype):
    images, kernel = cast((sample((1, 40, 2)), sample((kernel_size, 2, 3), 1)), dtype)
    options = {"padding": kernel_size // 2 * 2}
    skip_refused(algorithm, images, kernel, **options)
    skip_mixing(algorithm, images, kernel, **options)
    images[0, [0, 20, 39], [0, 1, 1]] = [np.inf, -np.inf, np.inf]
    infinite_kernel = kernel.copy()
    infinite_kernel[0, 0, 1] = np.inf
    for weights in (kernel, infinite_kernel):  # an infinite weight times a zero outside is NaN
        out = cl.conv(images, weights, algorithm=algorithm, **options)
        with np.errstate(invalid="ignore"):
            expected = reference.Solution(images, weights, **options).sums
        assert np.isinf(expected).any()
        for kind in (np.isnan, np.isposinf, np.isneginf):
            assert np.array_equal(kind(out), kind(expected))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"),
                    reason="no switch for subnormal numbers")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", NAMES)
@pytest.mark.parametrize("n_threads", [1, 3])
def test_subnormals_are_flushed_and_the_callers_are_not(tier, n_threads, algorithm, dtype):
    tiny = np.finfo(dtype).tiny / np.dtype(dtype).type(4)
    assert 0 < tiny < np.finfo(dtype).tiny
    images = np.full((3, 40, 1), tiny, dtype)
    skip_refused(algorithm, images, np.ones((1, 1, 2)))
    out = cl.conv(images, np.ones((1, 1, 2)), algorithm=algorithm, n_threads=n_threads)
    assert not out.any()
    assert (images * images.dtype.type(0.5) > 0).all()


@pytest.mark.parametrize(
    ("size", "kernel_shape", "dilation"),
    [((33, 33), (3, 3, 2048, 16), 6), ((20000,), (3, 64, 64), 384), ((8000,), (3, 256, 64), 128)])
def test_blocks_feed_whole_tiles_however_far_apart_the_taps(size, kernel_shape, dilation):
    packed = cl.pack_kernel(np.ones(kernel_shape, "f4"), (*size, kernel_shape[-2]),
                            dilation=dilation, padding="same", algorithm="igemm")
    plan = packed._plan((*size, kernel_shape[-2]))
    assert plan.layout.pixels >= 8
