"""Tests of the list of algorithms: what each promises of itself, and the choice."""

import itertools
import platform
from copy import copy
from functools import lru_cache, reduce

import numpy as np
import pytest

import convlib as cl
from conftest import runnable_tiers
from convlib import _speeds
from convlib._algorithms import NAMES, by_name
from convlib._conv import fft, igemm, lowrank, planes, pointwise, stencil
from convlib._native import cpu
from convlib._terms import aligned
from convlib._validation import ACTIVATIONS, PADDING_MODES
from reference import Solution, same_bits, sample

pytestmark = pytest.mark.kernels

# One or more problems an algorithm accepts: shape of one image, shape of the kernel, settings.
PROBLEMS = {
    "pointwise": [((13, 17, 8), (1, 1, 8, 20), {}),
                  ((13, 17, 8), (1, 1, 4, 20), {"stride": (2, 3), "groups": 2})],
    "depthwise": [((33, 29, 20), (3, 3, 1, 20), {"padding": 1, "groups": 20}),
                  ((31, 29, 7), (3, 5, 1, 14), {"padding": 2, "stride": (2, 3), "groups": 7}),
                  ((60, 19), (5, 1, 19), {"padding": 3, "dilation": 3, "groups": 19}),
                  ((12, 11, 13, 3), (3, 2, 3, 1, 3), {"padding": 1, "groups": 3})],
    "grouped": [((33, 29, 24), (3, 3, 4, 24), {"padding": 1, "groups": 6}),
                ((31, 29, 4), (3, 5, 2, 4), {"padding": 2, "stride": (2, 3), "groups": 2}),
                ((60, 32), (5, 8, 64), {"padding": 3, "dilation": 2, "groups": 4})],
    "planes": [((19, 45, 3), (3, 4, 3, 6), {"padding": 2}),
               ((33, 45, 1), (5, 3, 1, 1), {"padding": (2, 1)}),
               ((23, 37, 4), (3, 4, 2, 6), {"stride": (2, 3), "dilation": (1, 2), "groups": 2}),
               ((6, 9, 21, 1), (3, 2, 4, 1, 2), {"padding": 1}),
               ((300, 1), (9, 1, 1), {"padding": 4})],
    "lowrank": [((19, 45, 3), (5, 6, 1, 3), {"padding": 2, "groups": 3}),
                ((33, 140, 1), (9, 7, 1, 1), {"padding": (4, 3)}),
                ((23, 39, 1), (5, 5, 1, 5), {"stride": (2, 3), "dilation": (2, 1)}),
                ((6, 9, 21, 1), (3, 5, 5, 1, 1), {"padding": 1})],
    "winograd": [((37, 41, 8), (3, 3, 8, 20), {"padding": 1}),
                 ((37, 41, 20), (3, 3, 10, 40), {"dilation": (2, 3), "groups": 2}),
                 ((37, 41, 16), (3, 3, 16, 33), {"stride": 2, "padding": 1}),
                 ((37, 41, 8), (1, 3, 8, 20), {"stride": (2, 2), "padding": (0, 1)}),
                 ((100, 8), (3, 8, 20), {"padding": 1, "dilation": 4}),
                 ((37, 41, 8), (3, 3, 8, 9), {"stride": (1, 2)}),
                 ((17, 27, 31, 2), (3, 3, 1, 2, 3), {"stride": (2, 1, 2)}),
                 ((11, 12, 13, 5), (3, 3, 3, 5, 6), {"padding": 1}),
                 ((11, 19, 21, 5), (3, 3, 3, 5, 6), {"stride": (1, 2, 2)})],
    "winograd2": [((21, 23, 8), (3, 3, 8, 20), {"padding": 1}),
                  ((37, 41, 20), (3, 3, 10, 40), {"dilation": (2, 3), "groups": 2})],
    "fft": [((85, 40, 40), (5, 5, 40, 50), {"padding": 2}),
            ((40, 61, 32), (4, 3, 16, 34), {"dilation": (2, 1), "groups": 2, "padding": 3,
                                            "padding_mode": "reflect"}),
            ((150, 160, 3), (9, 7, 3, 2), {"padding": 4, "padding_mode": "edge"}),
            ((70, 99, 4), (1, 5, 2, 2), {"dilation": (1, 2), "groups": 2}),
            ((1000, 2), (9, 2, 3), {"padding": 4}), ((300, 32), (9, 32, 20), {"padding": 4}),
            ((7, 40, 33, 32), (1, 5, 6, 32, 20), {"padding": (0, 2, 2), "dilation": (3, 1, 1)}),
            ((15, 40, 33, 2), (1, 5, 6, 2, 3), {"padding": (0, 2, 3), "stride": (2, 1, 1)})],
    "igemm": [((33, 29, 8), (3, 3, 8, 20), {"padding": 1}),
              ((33, 29, 8), (3, 2, 4, 20), {"stride": (2, 1), "dilation": (1, 3), "groups": 2}),
              ((100, 8), (9, 8, 20), {"padding": 4})],
    "direct": [((13, 17, 2), (3, 3, 2, 3), {"padding": 1, "stride": 2})],
}


# Where large outputs are stored past the caches.
STREAMING = {"pointwise": pointwise, "planes": planes, "lowrank": lowrank, "igemm": igemm}

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_algorithm = pytest.mark.parametrize("algorithm", NAMES)
each_problem = pytest.mark.parametrize(("algorithm", "number"), [
    (name, number) for name in NAMES for number in range(len(PROBLEMS[name]))])


def test_every_algorithm_has_problems():
    assert set(PROBLEMS) == set(NAMES)


def operands(algorithm, number=0, n_images=2):
    """Return images, kernel, bias and settings of a problem, in float64."""
    shape, kernel_shape, options = PROBLEMS[algorithm][number]
    kernel = sample(kernel_shape, 1)
    if algorithm == "lowrank":
        kernel = low_rank_kernel(kernel_shape, 2 if kernel.ndim < 5 else 1)
    return sample((n_images, *shape)), kernel, sample(kernel_shape[-1], 2), options


def low_rank_kernel(shape, rank):
    """Return a kernel whose channels are sums of so many outer products of vectors."""
    kernel = np.zeros(shape)
    for channel, term in itertools.product(range(shape[-1]), range(rank)):
        vectors = [sample(taps, 10 * channel + term + axis) for axis, taps in enumerate(shape[:-2])]
        kernel[..., 0, channel] += reduce(np.multiply.outer, vectors)
    return kernel


def cast(arrays, dtype):
    return [array.astype(dtype) for array in arrays]


@lru_cache
def solution(algorithm, number=0, n_images=2, **settings):
    """Return the solution of a problem, with other settings too if they are given."""
    *arrays, options = operands(algorithm, number, n_images)
    return Solution(*arrays, **options | settings)


@each_dtype
@each_problem
def test_equals_the_reference_whatever_threads_batch_and_memory(tier, algorithm, number, dtype):
    *arrays, options = operands(algorithm, number, 5)
    images, kernel, bias = cast(arrays, dtype)
    form = options | {"bias": bias, "algorithm": algorithm}
    out = cl.conv(images, kernel, n_threads=1, **form)
    solution(algorithm, number, 5).check(out, dtype, algorithm)
    for n_threads in (2, 5):
        assert same_bits(cl.conv(images, kernel, n_threads=n_threads, **form), out)
    parts = [cl.conv(part, kernel, **form) for part in np.split(images, [1, 3])]
    assert same_bits(np.concatenate(parts), out)
    channels_first = np.moveaxis(np.ascontiguousarray(np.moveaxis(images, -1, 1)), 1, -1)
    assert same_bits(cl.conv(channels_first, kernel, **form), out)
    assert same_bits(cl.conv(images[::-1, :, ..., ::-1].copy()[::-1, :, ..., ::-1], kernel, **form),
                     out)
    room = np.full((7, *out.shape[1:]), np.nan, dtype)
    assert same_bits(cl.conv(images, kernel, out=room[1:6], **form), out)
    assert np.isnan(room[[0, 6]]).all()
    assert cl.conv(images[:0], kernel, **form).shape == (0, *out.shape[1:])


@each_dtype
@each_algorithm
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(tier, algorithm, activation, dtype):
    *arrays, options = operands(algorithm)
    form = options | {"activation": activation}
    expected = copy(solution(algorithm))
    expected.activation = activation
    images, kernel, bias = cast(arrays, dtype)
    expected.check(cl.conv(images, kernel, bias, algorithm=algorithm, **form), dtype, algorithm)


@each_dtype
@each_algorithm
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_borders(tier, algorithm, mode, dtype):
    *arrays, options = operands(algorithm)
    form = options | {"padding_mode": mode}
    expected = solution(algorithm, padding_mode=mode)
    images, kernel, bias = cast(arrays, dtype)
    expected.check(cl.conv(images, kernel, bias, algorithm=algorithm, **form), dtype, algorithm)


@each_dtype
@each_problem
def test_rows_from_the_middle_have_the_same_bits(tier, algorithm, number, dtype):
    *arrays, options = operands(algorithm, number)
    images, kernel, bias = cast(arrays, dtype)
    packed = cl.pack_kernel(kernel, images.shape[1:], bias, algorithm=algorithm, dtype=dtype,
                            **options)
    whole = cl.conv(images, packed)
    for first, last in ((0, 1), (1, 6), (3, whole.shape[1]), (5, 6)):
        strip = np.empty((2, last - first, *whole.shape[2:]), dtype)
        packed._run(images, strip, first, 2)
        assert same_bits(strip, np.ascontiguousarray(whole[:, first:last]))


@each_dtype
@pytest.mark.parametrize(("algorithm", "number"), [
    (name, number) for name in STREAMING for number in range(len(PROBLEMS[name]))])
def test_outputs_past_the_caches_have_the_same_bits(tier, algorithm, number, dtype, monkeypatch):
    *arrays, options = operands(algorithm, number)
    images, kernel, bias = cast(arrays, dtype)
    for activation in (None, "relu"):
        form = options | {"bias": bias, "algorithm": algorithm, "activation": activation}
        expected = cl.conv(images, kernel, **form)
        with monkeypatch.context() as patch:
            patch.setattr(STREAMING[algorithm], "STREAM_BYTES", 0)
            for begin in (0, 1):    # streams are for aligned outputs, others must do too
                room = aligned((expected.size + 9,), dtype)
                room[:] = np.nan
                out = room[begin:begin + expected.size].reshape(expected.shape)
                cl.conv(images, kernel, out=out, n_threads=1 + begin, **form)
                assert same_bits(out, expected)
                assert np.isnan(room[:begin]).all()
                assert np.isnan(room[begin + expected.size:]).all()


@each_dtype
@each_algorithm
def test_nan_reaches_every_window_that_sees_it(tier, algorithm, dtype):
    images, kernel, _, options = operands(algorithm)
    images[0, 5, ..., 1] = np.nan
    out = cl.conv(images.astype(dtype), np.ones_like(kernel), algorithm=algorithm, **options)
    seen = Solution(np.isnan(images), np.ones_like(kernel), **options).sums > 0
    assert np.isnan(out[seen]).all()
    assert not np.isnan(out[1]).any()


@pytest.mark.parametrize(("algorithm", "allowed"), [("winograd", 5e-6), ("winograd2", 1e-6),
                                                    ("igemm", 1e-6)])
def test_float32_keeps_its_digits_over_many_channels(tier, algorithm, allowed):
    images, kernel = sample((1, 12, 12, 512)), sample((3, 3, 512, 32), 1)
    expected = cl.conv(images, kernel, padding=1, algorithm="direct")
    out = cl.conv(*cast((images, kernel), "float32"), padding=1, algorithm=algorithm)
    assert np.abs(out - expected).max() <= allowed * np.abs(expected).max()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"),
                    reason="no switch for subnormal numbers")
@each_dtype
@pytest.mark.parametrize("algorithm", ["winograd", "winograd2"])
def test_kernels_at_points_hold_no_subnormal_numbers(tier, algorithm, dtype):
    tiny = np.finfo(dtype).tiny
    kernel = np.copysign(1.5 * tiny, sample((3, 3, 20, 20))).astype(dtype)
    packed = cl.pack_kernel(kernel, (30, 30, 20), algorithm=algorithm, dtype=dtype)
    values = np.abs(packed._prepared()[0])
    assert ((values == 0) | (values >= tiny)).all()
    assert (values > 0).any()
    assert np.mean(values == 0) > 0.1  # more than the rows for a bias, 1 of 21


@each_dtype
@each_problem
def test_crops_on_the_grid_have_the_same_bits(tier, algorithm, number, dtype):
    images, kernel, _, options = operands(algorithm, number)
    images, kernel = cast((images, kernel), dtype)
    shape = images.shape[1:]
    packed = cl.pack_kernel(kernel, shape, algorithm=algorithm, dtype=dtype, **options)
    problem, way, *_ = packed._plan(shape)
    whole = cl.conv(images, packed)
    grid = way.grid(problem)
    if grid is None:
        assert algorithm == "fft"
        return
    rank = len(grid)
    geometry = [values[3 - rank:] for values in (
        problem.stride, problem.dilation, problem.padding, problem.kernel_size,
        problem.output_size)]
    n_crops = 0
    for ends in itertools.product(*(crops(n, period) for n, period in zip(geometry[-1], grid))):
        window, pads = zip(*map(source, ends, shape, *geometry[:-1]))
        settings = options | {"padding": pads, "algorithm": algorithm, "dtype": dtype}
        piece = cl.pack_kernel(kernel, shape, **settings)
        piece = cl.conv(images[(slice(None), *window)], piece)
        expected = whole[(slice(None), *(slice(*end) for end in ends))]
        assert same_bits(piece, np.ascontiguousarray(expected))
        n_crops += 1
    assert n_crops > 1


def crops(size, period):
    """Return some ranges of outputs that begin and end on the grid, or at the last output."""
    ends = sorted({*range(0, size, period), size})
    middle = len(ends) // 2
    return {(ends[0], ends[middle]), (ends[middle], ends[-1]), (ends[-2], ends[-1]),
            (ends[0], ends[-1])} - {(end, end) for end in ends}


def source(ends, size, stride, dilation, padding, taps):
    """Return the slice of the pixels that a range of outputs sees, and the pads it needs."""
    begin = ends[0] * stride - padding[0]
    end = (ends[1] - 1) * stride - padding[0] + (taps - 1) * dilation + 1
    return slice(max(begin, 0), min(end, size)), (max(-begin, 0), max(end - size, 0))


@pytest.mark.parametrize("algorithm", NAMES)
def test_refusals_are_raised_with_their_reason(algorithm):
    shape, kernel_shape = (12, 12, 6), (2, 4, 6, 5)
    reason = cl.explain_conv(shape, kernel_shape).refusals.get(algorithm)
    call = (np.ones((1, *shape)), np.ones(kernel_shape))
    if reason is None:
        assert np.allclose(cl.conv(*call, algorithm=algorithm), 48, rtol=1e-12)
    else:
        with pytest.raises(ValueError, match="cannot compute this convolution") as error:
            cl.conv(*call, algorithm=algorithm)
        assert reason in str(error.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("algorithm", NAMES)
def test_work_is_positive_and_priced(algorithm, packed):
    images, kernel, _, options = operands(algorithm)
    form = options | {"packed": packed}
    plan = cl.explain_conv(images.shape[1:], kernel, algorithm=algorithm, **form)
    assert plan.algorithm == algorithm
    assert plan.costs[algorithm] > 0
    plan = cl.explain_conv(images.shape[1:], kernel, **form)
    assert plan.algorithm == min(plan.costs, key=plan.costs.get)
    assert by_name(plan.algorithm).name == plan.algorithm


def test_costs_go_by_the_prices_of_the_tier(tier, monkeypatch):
    shapes = (56, 56, 64), (5, 5, 64, 64)
    costs = cl.explain_conv(*shapes).costs
    twice = {name: {unit: 2 * price for unit, price in units.items()}
             for name, units in _speeds.prices(tier).items()}
    monkeypatch.setitem(_speeds.SECONDS, tier, twice)
    assert cl.explain_conv(*shapes).costs == {name: 2 * cost for name, cost in costs.items()}


@pytest.mark.parametrize("algorithm", NAMES)
def test_layouts_are_those_of_the_tier(algorithm):
    shape, kernel_shape, options = PROBLEMS[algorithm][0]
    images, kernel = sample((2, *shape)), sample(kernel_shape, 1)
    before = cpu.tier()
    outs = []
    try:
        for name in runnable_tiers() * 2:
            cpu.set_tier(name)
            packed = cl.pack_kernel(kernel, shape, algorithm=algorithm, dtype="float64", **options)
            problem, way, layout, _ = packed._plan(shape)
            assert getattr(layout, "scratch", 0) == getattr(way.layout(problem), "scratch", 0)
            outs.append(cl.conv(images, packed))
    finally:
        cpu.set_tier(before)
    half = len(outs) // 2
    assert all(map(same_bits, outs[:half], outs[half:]))


def test_pads_along_the_depth_of_a_flat_volume():
    images, kernel = sample((1, 1, 20, 20, 16)), sample((1, 5, 5, 16, 16), 1)
    out = cl.conv(images, kernel, padding=(1, 0, 0))
    assert not out[:, [0, 2]].any()
    Solution(images, kernel, padding=(1, 0, 0)).check(out, "float64", "fft")


@each_dtype
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("kind", ["channels", "pixels"])
def test_tiles_of_every_length(tier, kind, rank, dtype, monkeypatch):
    channels = 16 if kind == "channels" else 1
    for length in fft.LENGTHS[kind] if rank == 2 else fft.LINES:
        shape = (*(length + 3,) * rank, channels)    # more than one tile
        images, kernel = cast(
            (sample((1, *shape)), sample((*(5,) * rank, channels, channels), 1)), dtype)
        packed = cl.pack_kernel(kernel, shape, algorithm="igemm", dtype=dtype)
        tile = fft.Tile(kind, 1 if rank == 1 else length, length)
        if not fft.is_small(packed._plan(shape)[0], tile):
            continue
        expected = cl.conv(images, packed)
        monkeypatch.setattr(fft, "choose_tile", lambda problem, tile=tile: tile)
        packed = cl.pack_kernel(kernel, shape, algorithm="fft", dtype=dtype)
        assert packed._prepared().tile == tile
        error = np.abs(cl.conv(images, packed) - expected).max()
        assert error <= 20 * np.finfo(dtype).eps * np.abs(expected).max()


@each_dtype
def test_kernels_of_thousands_of_taps_go_through_long_lines(tier, dtype):
    signal, kernel = sample(30_000), sample(9000, 1)
    images, weights = cast((signal[np.newaxis, :, np.newaxis], kernel[:, None, None]), dtype)
    packed = cl.pack_kernel(weights, images.shape[1:], dtype=dtype)
    assert packed.algorithm == "fft"
    expected = np.correlate(signal, kernel)
    out = cl.conv(images, packed)[0, :, 0]
    levels = 16    # of butterflies, in the longest line; each rounds once
    assert np.abs(out - expected).max() <= levels * np.finfo(dtype).eps * np.abs(expected).max()


@each_dtype
@pytest.mark.parametrize(("algorithm", "number"), [
    (name, number) for name in ("depthwise", "grouped") for number in range(len(PROBLEMS[name]))])
def test_what_is_larger_than_the_caches_has_the_same_bits(
        tier, monkeypatch, algorithm, number, dtype):
    *arrays, options = operands(algorithm, number, 3)
    images, kernel, bias = cast(arrays, dtype)
    out = cl.conv(images, kernel, bias, algorithm=algorithm, **options)
    monkeypatch.setattr(stencil, "STREAM_BYTES", 0)
    room = np.full(out.size + 9, np.nan, dtype)
    for offset in (0, 1, 4):    # where streaming stores may begin, and where not
        target = room[offset:offset + out.size].reshape(out.shape)
        cl.conv(images, kernel, bias, algorithm=algorithm, out=target, n_threads=2, **options)
        assert same_bits(target.copy(), out)
        assert np.isnan(room[offset + out.size:]).all()
        room[:] = np.nan


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("kernel_size", "channels"), [
    ((7, 7), (16, 32)), ((5, 5), (4, 4)), ((3, 3), (32, 32)), ((1, 9), (64, 64)), ((1, 1), (8, 8)),
    ((9, 9), (1, 1))])
def test_a_flat_kernel_is_computed_as_images_are(kernel_size, channels, packed):
    plan = cl.explain_conv((8, 56, 56, channels[0]), (1, *kernel_size, *channels), packed=packed)
    of_images = cl.explain_conv((56, 56, channels[0]), (*kernel_size, *channels), packed=packed)
    assert set(plan.refusals) == set(of_images.refusals)
    # Eight planes may ask for other tiles than one, whose price is not eight times the same.
    assert 0 < plan.costs[plan.algorithm] <= 1.05 * 8 * of_images.costs[of_images.algorithm]


def test_dilations_beyond_reason_are_left_to_igemm():
    plan = cl.explain_conv((8, 8, 16), (3, 3, 16, 16), dilation=10**6, padding="same")
    assert plan.algorithm == "igemm"
    assert "4096" in plan.refusals["planes"]
    assert "4096" in plan.refusals["fft"]
