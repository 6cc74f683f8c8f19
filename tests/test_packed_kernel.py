"""Tests of pack_kernel, PackedKernel and explain_conv."""

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import convlib as cl
import reference
from conftest import runnable_tiers
from convlib._algorithms import NAMES
from convlib._native import cpu
from reference import same_bits, sample

pytestmark = pytest.mark.kernels

DTYPES = ["float32", "float64"]
SETTINGS = {"stride": (2, 1), "padding": "same", "padding_mode": "reflect", "dilation": (1, 2),
            "groups": 2, "activation": "leaky_relu"}
GIVEN = SETTINGS | {"algorithm": "igemm", "bias": np.zeros(4)}


def operands(dtype="float64"):
    arrays = sample((5, 9, 8, 4)), sample((3, 2, 2, 6), 1), sample(6, 2)
    return [array.astype(dtype) for array in arrays]


def able(shape, kernel_shape, **settings):
    """Return the names of the algorithms that compute this."""
    refusals = cl.explain_conv(shape, kernel_shape, **settings).refusals
    return [name for name in NAMES if name not in refusals]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_algorithm_packs(tier, dtype):
    images, kernel, bias = operands(dtype)
    solution = reference.Solution(*operands(), **SETTINGS)
    for algorithm in able((9, 8, 4), kernel.shape, **SETTINGS):
        form = SETTINGS | {"algorithm": algorithm, "dtype": dtype}
        packed = cl.pack_kernel(kernel, (9, 8, 4), bias, **form)
        assert packed.algorithm == algorithm
        outs = [cl.conv(images, packed, n_threads=n) for n in (1, 2, 3, 8)]
        solution.check(outs[0], dtype, algorithm)
        assert all(same_bits(out, outs[0]) for out in outs)
        parts = [cl.conv(part, packed) for part in np.split(images, [1, 3])]
        assert same_bits(np.concatenate(parts), outs[0])
        assert same_bits(cl.conv(np.asfortranarray(images), packed), outs[0])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_1x1_packs_in_every_algorithm(tier, rank):
    images, kernel = sample((3, *[4] * rank, 6)), sample((*[1] * rank, 3, 10), 1)
    solution = reference.Solution(images, kernel, groups=2)
    for algorithm in able(images.shape[1:], kernel.shape, groups=2):
        packed = cl.pack_kernel(kernel, images.shape[1:], groups=2, algorithm=algorithm,
                                dtype="float64")
        solution.check(cl.conv(images, packed), "float64", algorithm)


def test_any_other_size_keeps_the_algorithm(tier):
    _, kernel, bias = operands()
    packed = cl.pack_kernel(kernel, (9, 8, 4), bias, dtype="float64", **SETTINGS)
    for size in ((1, 1), (3, 17), (40, 2)):
        images = sample((2, *size, 4))
        out = cl.conv(images, packed)
        reference.Solution(images, kernel, bias, **SETTINGS).check(
            out, "float64", packed.algorithm)
        assert packed.output_shape((*size, 4)) == out.shape[1:]
    assert packed.image_shape == (9, 8, 4)


def test_out_and_empty_batch(tier):
    images, kernel, _ = operands()
    packed = cl.pack_kernel(kernel, images.shape[1:], dtype="float64", **SETTINGS)
    expected = cl.conv(images, packed)
    out = np.full(expected.shape, np.nan)
    assert cl.conv(images, packed, out=out) is out
    assert same_bits(out, expected)
    assert cl.conv(images[:0], packed).shape == (0, *expected.shape[1:])


@pytest.mark.parametrize("given", ["uint8", "float16", "bool"])
def test_small_integers_are_computed_in_float32(given):
    images, kernel, _ = operands("float32")
    images = (images > 0).astype(given)
    packed = cl.pack_kernel(kernel, images.shape[1:], **SETTINGS)
    assert cl.conv(images, packed).dtype == "float32"
    assert same_bits(cl.conv(images, packed), cl.conv(images.astype("float32"), packed))


@pytest.mark.parametrize(
    ("packed_for", "given"),
    [("float32", "float64"), ("float32", "int32"), ("float64", "float32"), ("float64", "uint8")])
def test_images_of_another_dtype_are_refused(packed_for, given):
    images, kernel, _ = operands()
    packed = cl.pack_kernel(kernel, images.shape[1:], dtype=packed_for, **SETTINGS)
    with pytest.raises(TypeError, match=f"images must be of a dtype.* computed in {packed_for}"):
        cl.conv(images.astype(given), packed)


@pytest.mark.parametrize("name", GIVEN)
def test_settings_are_not_given_again(name):
    images, kernel, _ = operands()
    packed = cl.pack_kernel(kernel, images.shape[1:], dtype="float64", **SETTINGS)
    out = np.full((5, *packed.output_shape(images.shape[1:])), -7.0)
    with pytest.raises(ValueError, match=f"{name} was settled by pack_kernel"):
        cl.conv(images, packed, out=out, **{name: GIVEN[name]})
    assert (out == -7).all()


def test_settings_that_are_written_out_as_defaults_change_nothing():
    images, kernel, _ = operands()
    packed = cl.pack_kernel(kernel, images.shape[1:], dtype="float64", **SETTINGS)
    out = cl.conv(images, packed, None, stride=1, padding=0, padding_mode="constant", dilation=1,
                  groups=1, activation=None, algorithm="auto")
    assert same_bits(out, cl.conv(images, packed))


@pytest.mark.parametrize("images", [np.ones((5, 9, 8)), np.ones((5, 9, 8, 3)), "images"])
def test_wrong_images_leave_out_alone(images):
    packed = cl.pack_kernel(operands()[1], (9, 8, 4), dtype="float64", **SETTINGS)
    out = np.full((5, *packed.output_shape((9, 8, 4))), -7.0)
    with pytest.raises((ValueError, TypeError), match="images"):
        cl.conv(images, packed, out=out)
    assert (out == -7).all()


@pytest.mark.parametrize("shape", [(9, 8), 4, "948", (9, 8, 4.0), (9, 8, True), (9, 8, 4, 4), None])
def test_output_shape_refuses(shape):
    packed = cl.pack_kernel(operands()[1], (9, 8, 4), **SETTINGS)
    with pytest.raises((ValueError, TypeError), match="image_shape must be a sequence of 3 ints"):
        packed.output_shape(shape)


def test_operands_stay_the_users():
    images, kernel, bias = operands("float32")
    packed = cl.pack_kernel(kernel, images.shape[1:], bias, **SETTINGS)
    before = cl.conv(images, packed)
    assert kernel.flags.writeable
    assert bias.flags.writeable
    kernel[:] = bias[:] = np.nan
    assert same_bits(cl.conv(images, packed), before)
    assert not packed.kernel.flags.writeable
    assert not packed.bias.flags.writeable


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy,
                                   lambda packed: pickle.loads(pickle.dumps(packed))])
def test_copies_compute_the_same_bits(tier, clone):
    images, kernel, bias = operands()
    for algorithm in able(images.shape[1:], kernel.shape, **SETTINGS):
        packed = cl.pack_kernel(kernel, images.shape[1:], bias, dtype="float64",
                                **SETTINGS | {"algorithm": algorithm})
        again = clone(packed)
        assert again is not packed
        assert again.algorithm == algorithm
        assert again.image_shape == packed.image_shape
        assert same_bits(cl.conv(images, again), cl.conv(images, packed))


def test_loading_works_where_vectors_are_wider():
    tiers = runnable_tiers()
    if len(tiers) == 1:
        pytest.skip("this machine runs one tier")
    # 36 points of two rows of a vector for each group: 64 MB in the shortest vectors, not in wider.
    channels = 64 * 2**20 // (36 * 2 * 16) - 1
    images, kernel = sample((1, 4, 4, channels)), sample((3, 3, 1, channels), 1)
    settings = {"groups": channels, "algorithm": "winograd"}
    before = cpu.tier()
    try:
        cpu.set_tier(tiers[0])
        state = pickle.dumps(cl.pack_kernel(kernel, images.shape[1:], **settings))
        cpu.set_tier(tiers[-1])
        with pytest.raises(ValueError, match="the prepared kernel would take"):
            cl.pack_kernel(kernel, images.shape[1:], **settings)
        packed = pickle.loads(state)
        assert packed.algorithm != "winograd"
        out = cl.conv(images.astype("float32"), packed)
    finally:
        cpu.set_tier(before)
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), (1, 2))
    terms = windows * kernel[:, :, 0].transpose(2, 0, 1)
    allowed = reference.tolerance("float32", 9, np.abs(terms).sum((-1, -2)))
    assert (np.abs(out - terms.sum((-1, -2))) <= allowed).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_kernel_follows_when_the_tier_changes(tier, dtype):
    images, kernel, bias = operands(dtype)
    names = able(images.shape[1:], kernel.shape, **SETTINGS)
    forms = [SETTINGS | {"algorithm": name} for name in names]
    kernels = [cl.pack_kernel(kernel, (9, 8, 4), bias, dtype=dtype, **form) for form in forms]
    for other in runnable_tiers():
        cpu.set_tier(other)  # the fixture puts it back
        for packed, form in zip(kernels, forms):
            assert same_bits(cl.conv(images, packed), cl.conv(images, kernel, bias, **form))


def test_state_is_kernel_and_settings_alone():
    kernel = np.ones((3, 3, 16, 16))
    packed = cl.pack_kernel(kernel, (20, 20, 16), dtype="float64")
    assert len(pickle.dumps(packed)) < kernel.nbytes + 2000


def test_shared_between_threads(tier):
    images, kernel, bias = operands()
    packed = cl.pack_kernel(kernel, images.shape[1:], bias, dtype="float64", **SETTINGS)
    expected = cl.conv(images, packed)
    with ThreadPoolExecutor(4) as pool:
        outs = list(pool.map(lambda n: cl.conv(images, packed, n_threads=n), [1, 2, 3, None] * 8))
    assert all(same_bits(out, expected) for out in outs)


def test_repr_tells_what_it_is():
    packed = cl.pack_kernel(np.ones((3, 3, 1, 2)), (9, 9, 1), algorithm="direct")
    assert repr(packed) == "PackedKernel(shape=(3, 3, 1, 2), dtype=float32, algorithm='direct')"


# explain_conv


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kernel_shape", [(1, 1, 4, 6), (3, 3, 4, 6)])
def test_the_plan_covers_every_algorithm(kernel_shape, packed):
    plan = cl.explain_conv((9, 8, 4), kernel_shape, packed=packed)
    assert set(plan.refusals) | set(plan.costs) == set(NAMES)
    assert not set(plan.refusals) & set(plan.costs)
    assert plan.algorithm == min(plan.costs, key=plan.costs.get)
    assert all(seconds > 0 for seconds in plan.costs.values())
    assert "direct" in plan.costs
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.algorithm = "direct"


def test_the_plan_of_a_kernel_is_that_of_its_shape():
    kernel = np.ones((3, 3, 2, 6))
    for form in (kernel, kernel.tolist(), list(kernel.shape), np.array(kernel.shape)):
        assert cl.explain_conv((9, 8, 4), form, groups=2) == cl.explain_conv(
            (9, 8, 4), kernel.shape, groups=2)


def test_a_packed_kernel_costs_no_preparation():
    plain, packed = (cl.explain_conv((9, 9, 512), (1, 1, 512, 512), packed=packed)
                     for packed in (False, True))
    assert packed.costs["pointwise"] < plain.costs["pointwise"]
    assert packed.algorithm == cl.pack_kernel(np.ones((1, 1, 512, 512)), (9, 9, 512)).algorithm


def test_an_algorithm_that_refuses_tells_why():
    reason = cl.explain_conv((9, 8, 4), (3, 3, 4, 6)).refusals["pointwise"]
    calls = (
        lambda form: cl.conv(np.ones((1, 9, 8, 4)), np.ones((3, 3, 4, 6)), **form),
        lambda form: cl.pack_kernel(np.ones((3, 3, 4, 6)), (9, 8, 4), **form),
        lambda form: cl.explain_conv((9, 8, 4), (3, 3, 4, 6), **form),
    )
    for call in calls:
        with pytest.raises(ValueError, match=f"algorithm='pointwise' cannot.*: {reason}"):
            call({"algorithm": "pointwise"})


def test_bytes_count_what_was_prepared(tier):
    kernel = sample((3, 3, 64, 64))
    plain = kernel.astype("f4").nbytes + 64 * 4
    sizes = {
        name: cl.pack_kernel(kernel, (28, 28, 64), padding=1, algorithm=name).nbytes
        for name in ("direct", "igemm", "winograd2", "winograd")
    }
    assert sizes["direct"] == plain + 64 * 4
    assert plain + kernel.astype("f4").nbytes <= sizes["igemm"] <= 2.1 * plain
    # 16 and 36 points instead of 9 taps
    assert sizes["winograd2"] == pytest.approx(plain * (1 + 16 / 9), rel=0.05)
    assert sizes["winograd"] == pytest.approx(plain * (1 + 36 / 9), rel=0.05)
