"""Tests of factorize_kernel, and of how conv finds and uses the rank of a kernel."""

import math
import pickle
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convlib as cl
from reference import Solution, same_bits, sample


def outer(term):
    return reduce(np.multiply.outer, term)


def total(terms, shape):
    return sum((outer(term) for term in terms), np.zeros(shape))


def gaussian(taps, sigma):
    x = np.arange(taps) - (taps - 1) / 2
    return np.exp(-(x[:, np.newaxis] ** 2 + x**2) / (2 * sigma**2))


def laplacian_of_gaussian(taps, sigma):
    x = np.arange(taps) - (taps - 1) / 2
    squares = (x[:, np.newaxis] ** 2 + x**2) / (2 * sigma**2)
    return (squares - 1) * np.exp(-squares)


# The terms


@settings(max_examples=60, deadline=None)
@given(shape=st.lists(st.integers(1, 7), min_size=2, max_size=4), seed=st.integers(0, 999),
       tol=st.sampled_from([1e-12, 1e-3, 0.3]), whole=st.booleans())
def test_terms_add_up_to_the_kernel(shape, seed, tol, whole):
    kernel = sample(shape, seed)
    if whole:
        kernel = np.round(2 * kernel)
    terms = cl.factorize_kernel(kernel, tol)
    assert all(tuple(map(len, term)) == tuple(shape) for term in terms)
    residual = np.abs(kernel - total(terms, shape)).sum()
    assert residual <= (tol + 1e-13) * np.abs(kernel).sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rank", [1, 2, 5])
def test_as_many_terms_as_it_takes(rank, dtype):
    kernel = total([(sample(9, i), sample(8, i + 9)) for i in range(rank)], (9, 8)).astype(dtype)
    terms = cl.factorize_kernel(kernel)
    assert len(terms) == rank
    assert all(vector.dtype == dtype for term in terms for vector in term)
    eps = np.finfo(dtype).eps
    assert np.abs(kernel - total(terms, (9, 8))).sum() <= 8 * rank * eps * np.abs(kernel).sum()


@pytest.mark.parametrize(("kernel", "n_terms"), [
    (np.ones((3, 5)), 1), (gaussian(31, 4.0), 1), (np.ones((5, 4, 3)), 1),
    (laplacian_of_gaussian(15, 2.0), 2), (np.eye(6), 6), (np.zeros((4, 4)), 0), ([[0.0]], 0),
    ([[2]], 1), (np.multiply.outer(gaussian(7, 1.0), [1.0, 2, 1]), 1)])
def test_ranks_of_usual_kernels(kernel, n_terms):
    assert len(cl.factorize_kernel(kernel)) == n_terms


def test_whole_numbers_stay_exact():
    sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    assert (total(cl.factorize_kernel(sobel), (3, 3)) == sobel).all()


@pytest.mark.parametrize("kernel", [[1.0, 2.0], 3.0, np.ones((2, 0)), [[np.nan, 1.0]],
                                    [[np.inf, 1.0]]])
def test_what_is_no_kernel(kernel):
    with pytest.raises(ValueError, match="kernel must be an array of two axes or more"):
        cl.factorize_kernel(kernel)


def test_arguments_of_the_wrong_kind():
    with pytest.raises(TypeError, match="kernel"):
        cl.factorize_kernel([["a", "b"], ["c", "d"]])
    with pytest.raises(TypeError, match="tol must be a finite number"):
        cl.factorize_kernel(np.eye(2), tol="none")
    for tol in (-1e-9, math.inf, math.nan):
        with pytest.raises(ValueError, match="tol must be a finite number"):
            cl.factorize_kernel(np.eye(2), tol=tol)


# What conv makes of them


@pytest.mark.parametrize("exponent", [-1000, 1023])
@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("shape", [(9, 7), (4, 5, 3)])
def test_kernels_at_the_ends_of_the_range(shape, rank, exponent):
    vectors = [[sample(taps, 9 * i + taps) for taps in shape] for i in range(rank)]
    kernel = total(map(tuple, vectors), shape)
    kernel = np.ldexp(kernel / np.abs(kernel).max(), exponent)
    terms = cl.factorize_kernel(kernel)
    assert len(terms) == len(cl.factorize_kernel(np.ldexp(kernel, -exponent))) > 0
    residual = np.ldexp(kernel - total(terms, shape), -exponent)
    assert np.abs(residual).sum() <= 1e-14 * np.ldexp(np.abs(kernel), -exponent).sum()


def test_conv_with_a_kernel_at_the_end_of_the_range():
    image = sample((1, 40, 50, 1))
    kernel = as_kernel(gaussian(9, 2.0), laplacian_of_gaussian(9, 1.4))
    exact = Solution(image, kernel)
    out = cl.conv(np.ldexp(image, -1000), np.ldexp(kernel, 1023), algorithm="lowrank")
    exact.check(np.ldexp(out, -23), "float64", "lowrank")


def as_kernel(*channels):
    return np.stack(channels, axis=-1)[:, :, np.newaxis]


def test_conv_finds_kernels_of_few_terms():
    def chosen(kernel, size=512, **options):
        kernel = as_kernel(*kernel)
        n_in = options.get("groups", 1)
        return cl.explain_conv((size, size, n_in), kernel, **options).algorithm

    assert chosen([gaussian(9, 2.0)]) == "lowrank"
    assert chosen([gaussian(9, 2.0), laplacian_of_gaussian(9, 1.4)]) == "lowrank"
    assert chosen([gaussian(9, 2.0)] * 3, groups=3) == "lowrank"
    assert chosen([gaussian(9, 2.0), np.eye(9)]) != "lowrank"
    assert chosen([sample((9, 9))]) != "lowrank"
    assert chosen([gaussian(3, 1.0)]) != "lowrank"
    assert chosen([gaussian(9, 2.0)], size=16) != "lowrank"
    assert chosen([np.full((9, 9), np.nan)]) != "lowrank"


@pytest.mark.parametrize(("size", "most"), [((5, 5), 2), ((9, 7), 3)])
def test_terms_that_save_no_products_are_not_used(size, most):
    for rank in (most, most + 1):
        terms = [[sample(taps, 9 * i + axis) for axis, taps in enumerate(size)]
                 for i in range(rank)]
        kernel = total(terms, size)[..., np.newaxis, np.newaxis]
        refusals = cl.explain_conv((512, 512, 1), kernel).refusals
        assert ("lowrank" in refusals) == (rank > most)


def test_a_shape_alone_has_no_rank():
    refusals = cl.explain_conv((512, 512, 1), (9, 9, 1, 1)).refusals
    assert "not known" in refusals["lowrank"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_plain_and_packed_calls_use_the_terms(dtype):
    image = sample((1, 130, 150, 1)).astype(dtype)
    kernel = as_kernel(gaussian(11, 2.0), laplacian_of_gaussian(11, 1.5)).astype(dtype)
    form = {"padding": 5, "padding_mode": "reflect"}
    packed = cl.pack_kernel(kernel, (130, 150, 1), dtype=dtype, **form)
    assert packed.algorithm == "lowrank"
    out = cl.conv(image, packed)
    assert same_bits(cl.conv(image, kernel, algorithm="lowrank", **form), out)
    assert same_bits(cl.conv(image, pickle.loads(pickle.dumps(packed))), out)
    solution = Solution(image.astype(float), kernel.astype(float), **form)
    solution.check(out, dtype, "lowrank")


def test_a_full_kernel_is_refused_by_name():
    with pytest.raises(ValueError, match="not known to be a sum of few products"):
        cl.conv(sample((1, 20, 20, 1)), sample((20, 20, 1, 1)), algorithm="lowrank")
