"""Tests of the list of algorithms: what each promises of itself, and the choice."""

import itertools

import numpy as np
import pytest

import convlib as cl
from convlib._algorithms import NAMES, by_name
from reference import same_bits, sample

pytestmark = pytest.mark.kernels

# One or more problems an algorithm accepts: shape of one image, shape of the kernel, settings.
PROBLEMS = {
    "pointwise": [((13, 17, 8), (1, 1, 8, 20), {}),
                  ((13, 17, 8), (1, 1, 4, 20), {"stride": (2, 3), "groups": 2})],
    "fft": [((33, 29, 40), (5, 5, 40, 50), {"padding": 2}),
            ((40, 61, 32), (4, 3, 16, 34), {"dilation": (2, 1), "groups": 2, "padding": 3,
                                            "padding_mode": "reflect"}),
            ((90, 80, 3), (9, 7, 3, 2), {"padding": 4, "padding_mode": "edge"}),
            ((70, 99, 4), (1, 5, 2, 2), {"dilation": (1, 2), "groups": 2}),
            ((1000, 2), (9, 2, 3), {"padding": 4}), ((300, 32), (9, 32, 20), {"padding": 4})],
    "igemm": [((33, 29, 8), (3, 3, 8, 20), {"padding": 1}),
              ((33, 29, 8), (3, 2, 4, 20), {"stride": (2, 1), "dilation": (1, 3), "groups": 2}),
              ((100, 8), (9, 8, 20), {"padding": 4})],
    "direct": [((13, 17, 2), (3, 3, 2, 3), {"padding": 1, "stride": 2})],
}


def test_every_algorithm_has_problems():
    assert set(PROBLEMS) == set(NAMES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("algorithm", "number"), [
    (name, number) for name in NAMES for number in range(len(PROBLEMS[name]))])
def test_crops_on_the_grid_have_the_same_bits(tier, algorithm, number, dtype):
    shape, kernel_shape, options = PROBLEMS[algorithm][number]
    images, kernel = (sample(x, i).astype(dtype) for i, x in enumerate(((2, *shape), kernel_shape)))
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
        assert (cl.conv(*call, algorithm=algorithm) == 48).all()
    else:
        with pytest.raises(ValueError, match="cannot compute this convolution") as error:
            cl.conv(*call, algorithm=algorithm)
        assert reason in str(error.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("algorithm", NAMES)
def test_work_is_positive_and_priced(algorithm, packed):
    shape, kernel_shape, options = PROBLEMS[algorithm][0]
    plan = cl.explain_conv(shape, kernel_shape, packed=packed, **options)
    assert plan.costs[algorithm] > 0
    assert plan.algorithm == min(plan.costs, key=plan.costs.get)
    assert by_name(plan.algorithm).name == plan.algorithm
