"""DeformConvFeatures: values, bits, where offsets come from, what it refuses."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

import convlib as cl
import reference
import reference_features
from convlib import ConvFeatures, DeformConvFeatures

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(1, 1, (6, 9, 10, 4)).astype(np.float32)
OFFSETS = RNG.normal(0, 1, (9, 10, 36)).astype(np.float32)


def move(images):
    """Return offsets that depend on the images, each image by itself."""
    means = images.mean(axis=-1, keepdims=True)
    return np.repeat(means, 18, axis=-1)


def move_and_weigh(images):
    return move(images), np.repeat(np.abs(images[..., :1]), 9, axis=-1)


CASES = {
    "default": {},
    "strides": {"stride": (1, 2), "dilation": 2, "pool": "mean", "pool_size": (2, 1)},
    "groups": {"groups": 2, "offset_groups": 4, "n_kernels": 6, "offset_scale": 0.3},
    "modulated": {"modulated": True, "kernel_size": (2, 3), "pool": None, "n_kernels": 3},
    "global": {"pool": "std", "pool_size": "global", "activation": None, "scale": 0.5},
    "kmeans": {"kernels": "kmeans", "n_kernels": 4, "pool": "lp", "pool_size": 3},
    "given": {"kernels": RNG.normal(0, 1, (1, 3, 4, 5)),
              "offset_kernels": RNG.normal(0, 1, (1, 3, 4, 6))},
    "array": {"offsets": OFFSETS, "offset_groups": 2},
    "one offset": {"offsets": OFFSETS[0, 0, :18], "output": "maps"},
    "function": {"offsets": move},
    "function with mask": {"offsets": move_and_weigh, "pool": None, "output": "maps"},
}


@pytest.fixture(params=CASES, name="transformer")
def fixture_transformer(request):
    return DeformConvFeatures(random_state=0, **{"n_kernels": 5} | CASES[request.param])


def axes(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def expected(transformer, images):
    """Return the features by the operators, each tested by itself, and numpy's pooling."""
    images = images.astype(float)
    settings = {"stride": axes(transformer.stride), "padding": transformer.padding,
                "dilation": axes(transformer.dilation)}
    mask, offsets = None, transformer.offsets
    if isinstance(offsets, str):
        kernels = transformer.offset_kernels_.astype(float)
        made = cl.conv(images, kernels, **settings)
        n = 2 * transformer.offset_groups * np.prod(transformer.kernels_.shape[:2])
        offsets = made[..., :n]
        if transformer.modulated:
            mask = 1 / (1 + np.exp(-made[..., n:]))
    elif callable(offsets):
        offsets = transformer.offsets(images)
        offsets, mask = offsets if isinstance(offsets, tuple) else (offsets, None)
    else:
        offsets = np.broadcast_to(offsets, (*images.shape[:3], offsets.shape[-1]))
    scale = 1 if transformer.scale is None else transformer.scale
    maps = cl.deform_conv(
        images, scale * transformer.kernels_.astype(float), offsets, mask, transformer.bias_,
        groups=transformer.groups, activation=transformer.activation, **settings)
    size = transformer.pool_size
    size = size if size == "global" else axes(size)
    out = reference_features.pool(maps, transformer.pool, size, size)
    return out if transformer.output == "maps" else out.reshape(len(out), -1)


def test_values_are_those_of_the_operators(transformer):
    features = transformer.fit_transform(IMAGES)
    wanted = expected(transformer, IMAGES)
    assert features.dtype == np.float32
    assert features.shape == wanted.shape
    # The offsets round too, and what they do to an output goes with the slopes of the image.
    np.testing.assert_allclose(features, wanted, rtol=0, atol=3e-4 * np.abs(wanted).max())
    double = transformer.fit_transform(IMAGES.astype(float))
    assert double.dtype == np.float64
    np.testing.assert_allclose(double, expected(transformer, IMAGES), rtol=0,
                               atol=1e-11 * np.abs(wanted).max())


@pytest.mark.kernels
def test_bits_do_not_depend_on_how_the_work_is_cut(transformer):
    whole = transformer.fit_transform(IMAGES)
    one_by_one = np.concatenate([transformer.transform(image[None]) for image in IMAGES])
    assert reference.same_bits(one_by_one, whole)
    assert reference.same_bits(transformer.transform(np.asfortranarray(IMAGES)), whole)
    for n_threads in (1, 3):
        for working_memory in (1e-6, 0.01, 1):
            transformer.set_params(n_threads=n_threads, working_memory=working_memory)
            assert reference.same_bits(transformer.transform(IMAGES), whole)


def test_fit_is_reproducible_and_pickles(transformer):
    features = transformer.fit_transform(IMAGES)
    again = clone(transformer).set_params(n_threads=3).fit_transform(IMAGES)
    np.testing.assert_array_equal(again, features)
    loaded = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(loaded.transform(IMAGES), features)


def test_offsets_of_zero_leave_taps_in_their_places():
    still = DeformConvFeatures(6, offsets=np.zeros(18), random_state=0).fit(IMAGES)
    plain = ConvFeatures(6, random_state=0).fit(IMAGES)
    np.testing.assert_array_equal(still.kernels_, plain.kernels_)
    np.testing.assert_allclose(still.transform(IMAGES), plain.transform(IMAGES), atol=1e-5)
    assert list(still.get_feature_names_out()) == list(plain.get_feature_names_out())


def test_random_offsets_have_the_size_that_was_asked_for():
    for scale in (0.2, 3.0):
        transformer = DeformConvFeatures(
            2, offset_scale=scale, padding="valid", random_state=0).fit(IMAGES)
        offsets = cl.conv(IMAGES, transformer.offset_kernels_)
        np.testing.assert_allclose(np.sqrt((offsets**2).mean(axis=(0, 1, 2))), scale, rtol=1e-3)


def test_images_of_zeros_have_no_offsets():
    features = DeformConvFeatures(3, random_state=0).fit_transform(np.zeros((2, 6, 6, 1)))
    np.testing.assert_array_equal(features, 0)


def test_memory_of_one_large_image_is_what_was_estimated():
    import tracemalloc

    image = RNG.normal(size=(1, 400, 400, 2)).astype(np.float32)
    for pool in ("max", None):
        transformer = DeformConvFeatures(
            8, random_state=0, working_memory=4, n_threads=1, pool=pool).fit(image)
        transformer.transform(image)
        tracemalloc.start()
        features = transformer.transform(image)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert features.nbytes <= peak <= transformer.estimate_memory(image.shape) + 2**20


def test_banks_are_for_one_channel():
    grey = IMAGES[..., :1]
    fixed = DeformConvFeatures(kernels="kirsch", offsets=np.zeros(18)).fit(grey)
    plain = ConvFeatures(kernels="kirsch").fit(grey)
    np.testing.assert_allclose(fixed.transform(grey), plain.transform(grey), rtol=0, atol=1e-4)


REFUSED = [
    ({"kernel_size": (3,)}, ValueError, "kernel_size must have two axes"),
    ({"offsets": "random"}, ValueError, "offsets must be one of 'conv'"),
    ({"offsets": np.zeros(17)}, ValueError, r"or \(18,\) for 1 offset groups"),
    ({"offsets": np.zeros((8, 10, 18))}, ValueError, r"offsets must have shape \(9, 10, 18\)"),
    ({"offsets": lambda images: np.zeros((1, 2))}, ValueError, "offsets must be an array of shape"),
    ({"offset_kernels": "zero"}, ValueError, "offset_kernels must be one of 'random'"),
    ({"offset_kernels": np.zeros((3, 3, 4, 9))}, ValueError, r"must have shape \(3, 3, 4, 18\)"),
    ({"offset_kernels": np.zeros((3, 3, 4, 18)), "modulated": True}, ValueError, "4, 27"),
    ({"offset_kernels": np.full((3, 3, 4, 18), np.inf)}, ValueError, "must be finite"),
    ({"offset_groups": 3}, ValueError, "offset_groups must divide the 4 channels of X; got 3"),
    ({"offset_groups": 0}, ValueError, "offset_groups must be"),
    ({"offset_scale": 0}, ValueError, "offset_scale must be"),
    ({"modulated": 1}, TypeError, "modulated must be True or False"),
    ({"activation": "swish"}, ValueError, "activation must be one of"),
    ({"activation": "triangle"}, ValueError, "activation must not be 'triangle'"),
    ({"padding": "full"}, ValueError, "padding must be"),
    ({"kernels": "sobel"}, ValueError, "images must have 1 channels"),
    ({"verbose": "yes"}, TypeError, "verbose must be an int"),
]


@pytest.mark.parametrize(("parameters", "error", "message"), REFUSED)
def test_it_names_the_parameter_and_what_is_allowed(parameters, error, message):
    with pytest.raises(error, match=message):
        DeformConvFeatures(**parameters).fit_transform(IMAGES)
