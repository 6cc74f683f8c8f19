"""ConvFeatures: values, bits, shapes, names, memory."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

import reference
import reference_features
from convlib import ConvFeatures, banks
from convlib.estimators._forms import FORMS
from convlib.estimators._layer import BLOCK_BYTES
from convlib.ops._phases import Product

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(2, 1, (7, 9, 10, 4)).astype(np.float32)
SIGNALS = RNG.normal(0, 1, (5, 23, 2)).astype(np.float32)
VOLUMES = RNG.normal(0, 1, (3, 5, 6, 7, 2)).astype(np.float32)

CASES = {
    "default": (IMAGES, {}),
    "valid": (IMAGES, {"padding": "valid", "n_kernels": 3}),
    "stride": (IMAGES, {"stride": (2, 1), "padding": ((1, 0), (0, 2))}),
    "reflect": (IMAGES, {"padding_mode": "reflect", "padding": 3, "kernel_size": 5}),
    "dilation": (IMAGES, {"dilation": 2, "kernel_size": (3, 2)}),
    "groups": (IMAGES, {"groups": 2, "n_kernels": 6}),
    "pca": (IMAGES, {"kernels": "pca", "n_kernels": 5, "activation": "abs"}),
    "pca groups": (IMAGES, {"kernels": "pca", "n_kernels": 4, "groups": 2}),
    "kmeans": (IMAGES, {"kernels": "kmeans", "n_kernels": 6}),
    "kmeans groups": (IMAGES, {"kernels": "kmeans", "n_kernels": 6, "groups": 2}),
    "kmeans plain": (IMAGES, {"kernels": "kmeans", "n_kernels": 6, "normalize_patches": False}),
    "contrast": (IMAGES, {"normalize_patches": True, "activation": "tanh"}),
    "scale": (IMAGES, {"scale": 0.1, "activation": "sigmoid"}),
    "scaled contrast": (IMAGES, {"scale": -3, "normalize_patches": True}),
    "no pool": (IMAGES, {"pool": None, "n_kernels": 3}),
    "mean": (IMAGES, {"pool": "mean", "pool_size": (3, 2), "pool_stride": 1}),
    "lp": (IMAGES, {"pool": "lp", "pool_size": 3}),
    "global max": (IMAGES, {"pool_size": "global"}),
    "global mean": (IMAGES, {"pool": "mean", "pool_size": "global"}),
    "global min": (IMAGES, {"pool": "min", "pool_size": "global", "activation": None}),
    "global std": (IMAGES, {"pool": "std", "pool_size": "global"}),
    "global ppv": (IMAGES, {"pool": "ppv", "pool_size": "global", "activation": None}),
    "given": (IMAGES, {"kernels": RNG.normal(0, 1, (2, 3, 4, 5))}),
    "signals": (SIGNALS, {"kernel_size": (5,), "pool_size": 3}),
    "signals mean": (SIGNALS, {"kernel_size": (5,), "pool": "mean", "pool_size": "global"}),
    "signals kmeans": (SIGNALS, {"kernel_size": (4,), "kernels": "kmeans", "n_kernels": 4}),
    "volumes": (VOLUMES, {"kernel_size": (3, 3, 3), "n_kernels": 5}),
    "volumes std": (VOLUMES, {"kernel_size": (2, 2, 2), "pool": "std", "pool_size": "global"}),
    "maps": (IMAGES, {"output": "maps", "n_kernels": 3}),
    "dilations": (IMAGES, {"dilations": (1, (2, 1), 3), "n_kernels": 3}),
    "dilations valid": (IMAGES, {"dilations": [1, 2], "padding": "valid", "kernels": "pca",
                                 "n_kernels": 3}),
    "dilations maps": (IMAGES, {"dilations": [2, 1], "output": "maps", "pool_size": "global"}),
    "dilations kmeans": (IMAGES, {"dilations": [1, 2], "kernels": "kmeans", "n_kernels": 5}),
    "depthwise": (IMAGES, {"conv": "depthwise", "n_kernels": 3, "stride": (1, 2)}),
    "depthwise kmeans": (IMAGES, {"conv": "depthwise", "kernels": "kmeans", "n_kernels": 3}),
    "depthwise given": (IMAGES, {"conv": "depthwise", "kernels": RNG.normal(0, 1, (3, 2, 1, 2))}),
    "depthwise dilations": (IMAGES, {"conv": "depthwise", "n_kernels": 2, "dilations": (1, 2),
                                     "padding_mode": "wrap"}),
    "separable": (IMAGES, {"conv": "separable", "n_kernels": 6, "scale": 0.5}),
    "separable strides": (IMAGES, {"conv": "separable", "n_kernels": 6, "stride": (2, 3),
                                   "padding": ((1, 0), (0, 2)), "pool": None}),
    "separable pca": (IMAGES, {"conv": "separable", "kernels": "pca", "n_kernels": 9,
                               "padding_mode": "edge", "dilation": 2, "pool_size": "global"}),
    "separable given": (IMAGES, {"conv": "separable", "kernels": (
        RNG.normal(0, 1, (3, 3, 4, 2)), RNG.normal(0, 1, (1, 1, 8, 5)))}),
    "spatial": (IMAGES, {"conv": "spatial", "n_kernels": 3, "scale": 0.5}),
    "spatial strides": (IMAGES, {"conv": "spatial", "n_kernels": 2, "stride": (2, 3),
                                 "dilation": (1, 2), "padding": ((1, 0), (0, 2)), "pool": None,
                                 "padding_mode": "reflect", "kernel_size": (4, 2)}),
    "spatial kmeans": (IMAGES, {"conv": "spatial", "kernels": "kmeans", "n_kernels": 3}),
    "spatial given": (IMAGES, {"conv": "spatial", "kernels": (
        RNG.normal(0, 1, (3, 1, 2)), RNG.normal(0, 1, (2, 8, 2)))}),
    "spatial rank one": (IMAGES, {"conv": "spatial", "kernels": np.outer(
        [1, 2, 1], [1, 0, -1]).reshape(3, 3, 1, 1)}),
    "spatial volumes": (VOLUMES, {"conv": "spatial", "n_kernels": 2, "kernel_size": (3, 2, 3),
                                  "dilations": (1, 2)}),
    "transposed": (IMAGES, {"conv": "transposed", "n_kernels": 3, "stride": 2}),
    "transposed groups": (IMAGES, {"conv": "transposed", "n_kernels": 4, "groups": 2,
                                   "stride": (2, 1), "kernel_size": (4, 3), "pool": None,
                                   "padding": ((1, 0), (0, 2)), "dilations": (1, (2, 3))}),
    "transposed kmeans": (IMAGES, {"conv": "transposed", "kernels": "kmeans", "n_kernels": 5,
                                   "pool_size": 3, "scale": 0.5}),
    "transposed given": (IMAGES, {"conv": "transposed", "stride": 3, "pool_size": "global",
                                  "kernels": RNG.normal(0, 1, (3, 3, 2, 4))}),
    "transposed signals": (SIGNALS, {"conv": "transposed", "n_kernels": 4, "kernel_size": (5,),
                                     "stride": 3, "padding": 2}),
    "bank": (IMAGES, {"kernels": "sobel", "activation": "abs"}),
    "bank of one channel": (IMAGES[..., :1], {"kernels": "kirsch", "pool": "mean"}),
    "bank agreed": (IMAGES, {"kernels": "dct", "kernel_size": (8, 8), "n_kernels": 64}),
    "bank contrast": (IMAGES, {"kernels": "prewitt", "normalize_patches": True, "scale": 2.0}),
    "bank dilations": (IMAGES, {"kernels": "laplace", "dilations": (1, 2), "stride": 2}),
    "bank depthwise": (IMAGES, {"kernels": "scharr", "conv": "depthwise", "output": "maps"}),
    "bank spatial": (IMAGES, {"kernels": "farid", "conv": "spatial", "pool": "std",
                              "pool_size": "global"}),
    "bank signals": (SIGNALS, {"kernels": "laws", "kernel_size": (5,), "n_kernels": 5}),
    "bank volumes": (VOLUMES, {"kernels": "sobel", "kernel_size": (3, 3, 3)}),
    "one channel given": (IMAGES, {"kernels": RNG.normal(0, 1, (3, 2, 1, 5)), "padding": 2}),
    "separable signals": (SIGNALS, {"conv": "separable", "n_kernels": 4, "kernel_size": (5,)}),
}


@pytest.fixture(params=CASES, name="case")
def fixture_case(request):
    images, parameters = CASES[request.param]
    return images, ConvFeatures(random_state=0, **parameters)


def per_axis(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def one_channel(kernels):
    """Return whether kernels were given that see one channel: an array, or a bank by name."""
    if isinstance(kernels, str):
        return kernels not in ("random", "kmeans", "pca")
    return isinstance(kernels, np.ndarray) and kernels.shape[-2] == 1


def kernels_of_conv(transformer):
    """Return kernels and groups with which one convolution gives the maps."""
    first = transformer.kernels_
    channels = transformer.input_shape_[-1]
    is_shared = channels > 1 and transformer.groups == 1 and one_channel(transformer.kernels)
    if transformer.conv == "standard" and is_shared:
        return first.astype(float).reshape(*first.shape[:-2], 1, -1), channels
    if transformer.conv == "standard":
        return first.astype(float), transformer.groups
    if transformer.conv == "transposed":
        return np.swapaxes(first, -1, -2).astype(float), transformer.groups
    if transformer.conv == "spatial":
        n_maps = channels * np.prod([part.shape[-1] for part in first])
        kernels = np.ones((*map(len, first), 1, n_maps))
        for k in range(n_maps):
            later = 1
            for axis in reversed(range(len(first))):
                part = first[axis].astype(float)
                column = part.reshape(len(part), -1)[:, k // later]
                kernels[..., 0, k] *= np.expand_dims(
                    column, tuple(i for i in range(len(first)) if i != axis))
                later *= part.shape[-1]
        return kernels, channels
    first = first.astype(float)
    *size, channels, multiplier = first.shape
    if transformer.conv == "depthwise":
        return first.reshape(*size, 1, -1), channels
    mix = transformer.pointwise_kernels_.astype(float).reshape(channels, multiplier, -1)
    kernels = np.zeros((*size, channels, mix.shape[-1]))
    for c in range(channels):
        for m in range(multiplier):
            kernels[..., c, :] += first[..., c, m, np.newaxis] * mix[c, m]
    return kernels, 1


def expected(transformer, images):
    """Return the features that the fitted `transformer` should give, in float64."""
    dilations = transformer.dilations or [transformer.dilation]
    parts = [expected_of(transformer, images, dilation) for dilation in dilations]
    if transformer.output == "flat":
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=-1)
    maps = np.concatenate(parts, axis=-1)
    return maps.reshape(len(maps), 1, 1, -1) if transformer.pool_size == "global" else maps


def transposed_maps(transformer, images, dilation):
    """Return the maps of a transposed convolution, each pixel adding its multiple of the kernel."""
    kernels, groups = transformer.kernels_.astype(float), transformer.groups
    rank, scale = kernels.ndim - 2, transformer.scale or 1
    size, stride = kernels.shape[:-2], per_axis(transformer.stride, rank)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, size)]
    whole = [(n - 1) * s + r for n, s, r in zip(images.shape[1:], stride, reach)]
    sizes = [n * s for n, s in zip(images.shape[1:], stride)]
    pads = transformer.padding
    if pads == "same":
        pads = [reference.same_pads(*axis) for axis in zip(sizes, size, stride, dilation)]
    elif isinstance(pads, int):
        pads = [(pads, pads)] * rank
    if transformer.padding != "same":
        sizes = [w - before - after for w, (before, after) in zip(whole, pads)]
    group_in, group_out = images.shape[-1] // groups, kernels.shape[-2]
    room = [max(w, before + n) for w, n, (before, _) in zip(whole, sizes, pads)]
    maps = np.zeros((len(images), *room, group_out * groups))
    for place in np.ndindex(*images.shape[1:-1]):
        for tap in np.ndindex(*size):
            at = tuple(p * s + t * d for p, s, t, d in zip(place, stride, tap, dilation))
            for group in range(groups):
                pixel = scale * images[(slice(None), *place)].astype(float)[
                    :, group * group_in:(group + 1) * group_in]
                weights = kernels[tap][:, group * group_in:(group + 1) * group_in]
                maps[(slice(None), *at, slice(group * group_out, (group + 1) * group_out))] += \
                    pixel @ weights.T
    inside = tuple(slice(before, before + n) for n, (before, _) in zip(sizes, pads))
    return maps[(slice(None), *inside)] + transformer.bias_


def expected_of(transformer, images, dilation):
    """Return the maps, or what is pooled from them, for one dilation."""
    if transformer.conv == "transposed":
        rank = transformer.kernels_.ndim - 2
        maps = transposed_maps(transformer, images, per_axis(dilation, rank))
        return pooled(transformer, reference.activate(maps, transformer.activation), rank)
    kernels, groups = kernels_of_conv(transformer)
    rank = kernels.ndim - 2
    size, stride = kernels.shape[:-2], per_axis(transformer.stride, rank)
    dilation = per_axis(dilation, rank)
    pads = transformer.padding
    if pads == "same":
        pads = [reference.same_pads(*axis) for axis in zip(
            images.shape[1:], size, stride, dilation)]
    elif pads == "valid":
        pads = [(0, 0)] * rank
    elif isinstance(pads, int):
        pads = [(pads, pads)] * rank
    scale = 1 if transformer.scale is None else transformer.scale
    patches = scale * reference_features.windows(
        images, size, stride, pads, transformer.padding_mode, dilation)
    maps = reference_features.responses(
        patches, kernels, transformer.bias_, groups, transformer.epsilon_)
    return pooled(transformer, reference.activate(maps, transformer.activation), rank)


def pooled(transformer, maps, rank):
    """Return what is pooled from maps."""
    pool_size = transformer.pool_size
    if pool_size != "global":
        pool_size = per_axis(pool_size, rank)
    pool_stride = transformer.pool_stride
    pool_stride = pool_size if pool_stride is None else per_axis(pool_stride, rank)
    return reference_features.pool(maps, transformer.pool, pool_size, pool_stride)


@pytest.mark.kernels
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_those_of_the_definition(case, dtype):
    images, transformer = case
    images = images.astype(dtype)
    features = transformer.fit_transform(images)
    wanted = expected(transformer, images)
    assert features.dtype == dtype
    assert features.shape == wanted.shape
    # Weights, sums, deviation and pooling each round; all values are of the order of one.
    kernels, _ = kernels_of_conv(transformer)
    terms = np.prod(kernels.shape[:-1]) + np.prod(images.shape[1:-1])
    scale = np.abs(kernels).sum(axis=tuple(range(kernels.ndim - 1))).max()
    magnitude = max(1, np.abs(wanted).max(), scale * np.abs(images).max())
    if transformer.pool == "ppv":
        assert np.mean(features != wanted.astype(dtype)) < 0.02  # a value may round over zero
    else:
        np.testing.assert_allclose(
            features, wanted, rtol=0, atol=reference.tolerance(dtype, terms, magnitude))


@pytest.mark.kernels
def test_bits_do_not_depend_on_how_the_work_is_cut(case):
    images, transformer = case
    whole = transformer.fit_transform(images)
    one_by_one = np.concatenate([transformer.transform(image[None]) for image in images])
    ragged = np.concatenate([transformer.transform(images[:2]), transformer.transform(images[2:])])
    assert reference.same_bits(one_by_one, whole)
    assert reference.same_bits(ragged, whole)
    for n_threads in (1, 2, 3, 8):
        for working_memory in (1e-6, 0.01, 1):
            transformer.set_params(n_threads=n_threads, working_memory=working_memory)
            assert reference.same_bits(transformer.transform(images), whole)


@pytest.mark.kernels
def test_bits_do_not_depend_on_memory_layout(case):
    images, transformer = case
    whole = transformer.fit_transform(images)
    backwards = np.ascontiguousarray(images[:, ::-1, ..., ::-1])[:, ::-1, ..., ::-1]
    spread = np.zeros((*images.shape[:-1], 2 * images.shape[-1]), images.dtype)
    spread[..., ::2] = images
    read_only = images.copy()
    read_only.flags.writeable = False
    for same in (np.asfortranarray(images), backwards, spread[..., ::2], read_only):
        assert reference.same_bits(transformer.transform(same), whole)
        assert reference.same_bits(clone(transformer).fit_transform(same), whole)


def test_fit_is_reproducible_for_any_number_of_threads(case):
    images, transformer = case
    first = clone(transformer).fit(images)
    for n_threads in (1, 3):
        again = clone(transformer).set_params(n_threads=n_threads).fit(images)
        for operand, same in zip(again._learnt.operands, first._learnt.operands, strict=True):
            np.testing.assert_array_equal(operand, same)
        np.testing.assert_array_equal(again.bias_, first.bias_)


def test_nearest_operands_are_as_near_as_they_can_be():
    kernels = RNG.normal(0, 1, (3, 3, 2, 4))
    depthwise, pointwise = FORMS["separable"].factor(kernels, 2, 1)
    assert depthwise.shape == (3, 3, 2, 2)
    for c in range(2):
        values = np.linalg.svd(kernels[:, :, c].reshape(9, 4), compute_uv=False)
        near = depthwise[:, :, c].reshape(9, 2) @ pointwise[0, 0, 2 * c:2 * c + 2]
        rest = np.linalg.norm(kernels[:, :, c].reshape(9, 4) - near)
        np.testing.assert_allclose(rest, np.sqrt((values[2:]**2).sum()))
    kernels = kernels[..., :1]
    columns, rows = FORMS["spatial"].factor(kernels.reshape(3, 3, 1, 2), 2, 1)
    for c in range(2):
        values = np.linalg.svd(kernels[:, :, c, 0], compute_uv=False)
        rest = np.linalg.norm(kernels[:, :, c, 0] - np.outer(columns[:, c, 0], rows[:, c, 0]))
        np.testing.assert_allclose(rest, np.sqrt((values[1:]**2).sum()))


def test_enough_maps_between_leave_all_kernels_independent():
    kernels = RNG.normal(0, 1, (3, 3, 1, 32))
    depthwise, pointwise = FORMS["separable"].factor(kernels, 1, 1)
    np.testing.assert_allclose(
        depthwise.reshape(9, 9) @ pointwise[0, 0], kernels.reshape(9, 32), atol=1e-12)


def test_triangle_is_the_distance_to_the_centroids():
    transformer = ConvFeatures(
        5, kernels="kmeans", activation="triangle", pool=None, output="maps", padding="valid",
        random_state=0)
    features = transformer.fit_transform(IMAGES)
    patches = reference_features.windows(IMAGES, (3, 3), (1, 1), [(0, 0)] * 2, "constant", (1, 1))
    flat = reference_features.normalize(patches, 3, transformer.epsilon_).reshape(7, 7, 8, 36)
    learnt = transformer._learnt.groups[0]
    whitened = flat @ learnt.whitening - learnt.centre
    distances = np.linalg.norm(whitened[..., None, :] - learnt.centroids, axis=-1)
    wanted = np.maximum(0, distances.mean(axis=-1, keepdims=True) - distances)
    assert wanted.max() > 0.1
    np.testing.assert_allclose(
        features, wanted, rtol=0, atol=reference.tolerance("float32", 36, distances.max() ** 2))
    strips = transformer.set_params(working_memory=1e-6).transform(IMAGES)
    np.testing.assert_array_equal(strips, features)


def test_whitened_patches_are_white():
    transformer = ConvFeatures(4, kernels="kmeans", random_state=0).fit(IMAGES)
    learnt = transformer._learnt.groups[0]
    patches = reference_features.windows(IMAGES, (3, 3), (1, 1), [(0, 0)] * 2, "constant", (1, 1))
    flat = reference_features.normalize(patches, 3, transformer.epsilon_).reshape(-1, 36)
    covariance = np.cov((flat @ learnt.whitening).T)
    off_diagonal = covariance - np.diag(np.diag(covariance))
    assert np.abs(off_diagonal).max() < 0.1
    assert np.all(np.diag(covariance) < 1)


def test_pca_kernels_are_orthonormal_and_ordered_by_variance():
    transformer = ConvFeatures(6, kernels="pca", random_state=0).fit(IMAGES)
    columns = transformer.kernels_.reshape(-1, 6).astype(float)
    np.testing.assert_allclose(columns.T @ columns, np.eye(6), atol=1e-5)
    patches = reference_features.windows(IMAGES, (3, 3), (1, 1), [(0, 0)] * 2, "constant", (1, 1))
    flat = patches.reshape(-1, 36)
    variances = (flat - flat.mean(axis=1, keepdims=True)) @ columns
    assert np.all(np.diff(variances.var(axis=0)) < 0)


def test_learning_looks_at_a_sample_of_the_patches(monkeypatch):
    from convlib.estimators import _kernels

    seen = []
    learner = _kernels.LEARNERS["pca"]
    monkeypatch.setitem(
        _kernels.LEARNERS, "pca", lambda patches, *rest: seen.append(len(patches))
        or learner(patches, *rest))
    ConvFeatures(3, kernels="pca", random_state=0).fit(RNG.normal(size=(50, 64, 64)))
    assert seen == [_kernels.N_PATCHES]


def test_a_constant_image_has_no_contrast():
    transformer = ConvFeatures(4, normalize_patches=True, padding="valid", activation=None,
                               random_state=0).fit(IMAGES)
    constant = np.full((1, 9, 10, 4), 1e4, dtype=np.float32)
    assert np.abs(transformer.transform(constant)).max() < 0.05
    flat = ConvFeatures(4, kernels="kmeans", random_state=0).fit_transform(np.ones((9, 6, 6)))
    assert np.isfinite(flat).all()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "bool", "float16", "int64", "float32"])
def test_integers_are_converted_and_never_rescaled(dtype):
    images = RNG.integers(0, 2 if dtype == "bool" else 200, (4, 6, 6, 1)).astype(dtype)
    wide = "float64" if dtype == "int64" else "float32"
    transformer = ConvFeatures(3, random_state=0).fit(images.astype(wide))
    features = transformer.transform(images)
    assert features.dtype == wide
    np.testing.assert_array_equal(features, transformer.transform(images.astype(wide)))
    np.testing.assert_array_equal(clone(transformer).fit(images).kernels_, transformer.kernels_)


def test_the_dtype_of_the_images_decides_not_that_of_fit():
    transformer = ConvFeatures(3, kernels="kmeans", random_state=0).fit(IMAGES)
    wide = transformer.transform(IMAGES.astype(np.float64))
    assert wide.dtype == np.float64
    again = clone(transformer).fit(IMAGES.astype(np.float64)).transform(IMAGES.astype(np.float64))
    np.testing.assert_array_equal(wide, again)


def test_one_channel_may_be_left_out_and_flat_images_have_image_shape():
    images = IMAGES[..., :1]
    transformer = ConvFeatures(5, random_state=0)
    whole = transformer.fit_transform(images)
    np.testing.assert_array_equal(clone(transformer).fit_transform(images[..., 0]), whole)
    np.testing.assert_array_equal(transformer.transform(images[..., 0]), whole)
    for image_shape in ((9, 10), (9, 10, 1), [9, 10]):
        flat = clone(transformer).set_params(image_shape=image_shape)
        np.testing.assert_array_equal(flat.fit_transform(images.reshape(7, -1)), whole)
        np.testing.assert_array_equal(flat.transform(images), whole)
    colour = clone(transformer).set_params(image_shape=(9, 10, 4))
    np.testing.assert_array_equal(
        colour.fit_transform(IMAGES.reshape(7, -1)), clone(transformer).fit_transform(IMAGES))


def test_signals_are_two_dimensional_or_have_channels():
    transformer = ConvFeatures(5, (3,), random_state=0)
    flat = transformer.fit_transform(SIGNALS[..., 0])
    np.testing.assert_array_equal(clone(transformer).fit_transform(SIGNALS[..., :1]), flat)
    assert transformer.input_shape_ == (23, 1)
    assert transformer.n_features_in_ == 23
    two = clone(transformer).set_params(image_shape=(23, 2))
    np.testing.assert_array_equal(
        two.fit_transform(SIGNALS.reshape(5, -1)), clone(transformer).fit_transform(SIGNALS))


def test_sizes_may_differ_with_global_pooling():
    images = [IMAGES[0], IMAGES[1, :5, :7], IMAGES[2, :9, :3]]
    for parameters in ({}, {"kernels": "kmeans"}, {"pool": "std"}):
        transformer = ConvFeatures(4, pool_size="global", random_state=0, **parameters)
        features = transformer.fit(images).transform(images)
        single = [transformer.transform(image[None])[0] for image in images]
        np.testing.assert_array_equal(features, single)
    assert transformer.fit(IMAGES).transform(IMAGES[:, :4, :4]).shape == (7, 4)
    maps = ConvFeatures(4, output="maps", random_state=0).fit(IMAGES)
    assert maps.transform(IMAGES[:, :4, :6]).shape == (7, 2, 3, 4)


def test_maps_of_global_pooling_have_spatial_axes_of_one():
    transformer = ConvFeatures(4, pool_size="global", output="maps", random_state=0)
    assert transformer.fit_transform(IMAGES).shape == (7, 1, 1, 4)


def test_large_images_are_cut_into_rows(monkeypatch):
    from convlib.estimators._layer import Layer

    blocks = []
    convolve = Layer._convolve

    def spy(self, images, operand, out, first, n_threads):
        blocks.append(out.shape)
        return convolve(self, images, operand, out, first, n_threads)

    monkeypatch.setattr(Layer, "_convolve", spy)
    image = RNG.normal(size=(1, 300, 40, 1)).astype(np.float32)
    transformer = ConvFeatures(8, random_state=0, pool_size=3, pool_stride=2).fit(image)
    whole = transformer.transform(image)
    assert blocks == [(1, 299, 40, 8)]  # the last row is in no pooling window
    blocks.clear()
    transformer.set_params(working_memory=0.1)
    np.testing.assert_array_equal(transformer.transform(image), whole)
    assert len(blocks) > 3
    assert max(np.prod(shape) for shape in blocks) * 4 < 0.1 * 2**20


def test_byte_order_is_not_a_dtype():
    transformer = ConvFeatures(3, random_state=0).fit(IMAGES)
    swapped = transformer.transform(IMAGES.astype(">f4"))
    assert swapped.dtype == np.float32
    np.testing.assert_array_equal(swapped, transformer.transform(IMAGES))


@pytest.mark.parametrize("parameters", [
    {"kernels": "kmeans"}, {"kernels": "kmeans", "pool": None},
    {"kernels": "kmeans", "activation": "triangle", "pool": None}, {"pool_size": "global"},
    {"conv": "separable", "pool": None}, {"conv": "spatial"}, {"dilations": (1, 3)}])
def test_memory_of_one_large_image_is_what_was_estimated(parameters):
    import tracemalloc

    image = RNG.normal(size=(1, 400, 400, 2)).astype(np.float32)
    transformer = ConvFeatures(8, random_state=0, working_memory=2, n_threads=1, **parameters)
    transformer.fit(image[:, :50, :50] if parameters.get("pool_size") else image)
    transformer.transform(image)
    assert transformer._layers[0]._block_rows((1500, 1500, 2), 1, BLOCK_BYTES) > 2
    tracemalloc.start()
    features = transformer.transform(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert features.nbytes <= peak <= transformer.estimate_memory(image.shape) + 2**20


def test_estimate_memory_counts_the_result_and_the_blocks():
    X = RNG.normal(size=(400, 32, 32)).astype(np.float32)
    transformer = ConvFeatures(16, random_state=0).fit(X)
    result = 400 * 16 * 16 * 16 * 4
    estimate = transformer.estimate_memory(X.shape)
    assert result < estimate < result + 2**24
    small = transformer.set_params(working_memory=1).estimate_memory(X.shape)
    assert result < small < result + 2**20
    assert transformer.estimate_memory((400, 32, 32, 1)) == small
    assert transformer.estimate_memory(X.shape, "float64") > 1.9 * result
    (layer,) = transformer._layers
    kernels = layer.kernel_bytes
    assert kernels >= transformer.kernels_.nbytes
    assert small - layer.block_bytes((32, 32, 1), 400, 2**20 - kernels) == \
        result + kernels
    with pytest.raises(ValueError, match="shape must be a sequence of 2 to 5 ints"):
        transformer.estimate_memory((400,))


def test_feature_names_mean_something():
    def names(X, **parameters):
        transformer = ConvFeatures(random_state=0, **parameters).fit(X)
        names = transformer.get_feature_names_out()
        assert len(names) == transformer.transform(X).shape[1]
        assert len(set(names)) == len(names)
        return list(names)

    assert names(IMAGES, n_kernels=11)[11:13] == ["k00_r0c1_max", "k01_r0c1_max"]
    assert names(IMAGES, n_kernels=2, pool=None)[-1] == "k1_r8c9"
    assert names(IMAGES, n_kernels=2, pool="std", pool_size="global") == ["k0_std", "k1_std"]
    assert names(SIGNALS, n_kernels=2, kernel_size=(3,))[2] == "k0_t1_max"
    assert names(VOLUMES, n_kernels=2, kernel_size=(1, 1, 1))[-1] == "k1_z1r2c2_max"
    assert names(IMAGES, n_kernels=2, conv="depthwise", dilations=[1, 2], pool=None)[-1] == \
        "k1_c3_d2_r8c9"
    assert names(IMAGES, n_kernels=2, conv="spatial")[2] == "k0_c1_r0c0_max"
    assert names(IMAGES[..., :1], n_kernels=2, conv="spatial")[0] == "k0_r0c0_max"
    assert names(IMAGES, n_kernels=1, dilations=[(1, 2), 3], pool_size="global") == [
        "k0_d1x2_max", "k0_d3_max"]


def test_every_bank_stands_by_its_name():
    images = IMAGES[:2, :, :, 0]
    for name in banks.bank_names():
        kernels = banks.named_bank(name, dtype="float64")
        transformer = ConvFeatures(kernels=name, activation=None, pool_size="global").fit(images)
        assert reference.same_bits(transformer.kernels_, kernels.astype(np.float32))
        given = clone(transformer).set_params(kernels=kernels)
        assert reference.same_bits(given.fit_transform(images), transformer.transform(images))
        assert not transformer.bias_.any()


def test_a_bank_is_applied_to_each_channel():
    colour = ConvFeatures(kernels="scharr", activation=None, pool=None).fit(IMAGES)
    names = list(colour.get_feature_names_out())
    features = colour.transform(IMAGES)
    assert colour.kernels_.shape == (3, 3, 4, 2)
    assert colour.bias_.shape == (8,)
    for channel in range(4):
        grey = ConvFeatures(kernels="scharr", activation=None, pool=None)
        wanted = grey.fit_transform(IMAGES[..., channel])
        columns = [names.index(name.replace("_", f"_c{channel}_", 1))
                   for name in grey.get_feature_names_out()]
        np.testing.assert_allclose(features[:, columns], wanted, rtol=0, atol=1e-4)


def test_a_second_fit_sees_its_own_channels():
    transformer = ConvFeatures(kernels="sobel", pool_size="global").fit(IMAGES)
    assert len(transformer.get_feature_names_out()) == 8
    transformer.fit(IMAGES[..., :1])
    assert list(transformer.get_feature_names_out()) == ["k0_max", "k1_max"]
    assert transformer.kernels_.shape == (3, 3, 1, 2)


def test_names_belong_to_the_columns():
    transformer = ConvFeatures(3, random_state=0, pool=None).fit(IMAGES)
    flat = transformer.transform(IMAGES)
    maps = transformer.set_params(output="maps").transform(IMAGES)
    column = list(transformer.set_params(output="flat").get_feature_names_out()).index("k2_r4c5")
    np.testing.assert_array_equal(flat[:, column], maps[:, 4, 5, 2])


def test_transform_writes_no_attribute(case):
    images, transformer = case
    transformer.fit(images)
    before = pickle.dumps(transformer)
    transformer.transform(images)
    transformer.transform(images.astype(np.float64))
    assert pickle.dumps(transformer) == before


def test_pickled_transformers_give_the_same_bits(case):
    images, transformer = case
    features = transformer.fit_transform(images)
    loaded = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(loaded.transform(images), features)


def test_transposed_kernels_are_packed_once(monkeypatch):
    images, parameters = CASES["transposed groups"]
    fitted = ConvFeatures(random_state=0, **parameters)
    features = fitted.fit_transform(images)
    monkeypatch.setattr(Product, "pack", None)
    np.testing.assert_array_equal(fitted.transform(images), features)


def test_verbose_tells_how_far_it_is(capsys):
    transformer = ConvFeatures(3, random_state=0, verbose=1, working_memory=1e-3).fit(IMAGES)
    transformer.transform(IMAGES)
    assert capsys.readouterr().err.startswith("ConvFeatures: 7 of 7 images, ")
    ConvFeatures(3, kernels="backprop", random_state=0, verbose=1).fit(IMAGES, np.arange(7) % 2)
    assert capsys.readouterr().err.startswith("ConvFeatures: 30 of 30 epochs, ")


def test_digits_are_told_apart_better_than_by_pixels():
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    X, y = load_digits(return_X_y=True)
    pixels = cross_val_score(RidgeClassifier(), X, y, cv=3).mean()
    features = ConvFeatures(16, image_shape=(8, 8), random_state=0)
    convolved = cross_val_score(make_pipeline(features, RidgeClassifier()), X, y, cv=3).mean()
    assert convolved > pixels + 0.02
