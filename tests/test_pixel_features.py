"""PixelFeatures: against scikit-image and scipy.ndimage, and the same bits by any tiles."""

import pickle
import tracemalloc
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convlib import PixelFeatures, banks
from convlib._tiling.boxes import tiles
from convlib.estimators._pixel_images import boxes_around
from convlib.estimators._pixel_maps import MAPS

RNG = np.random.default_rng(0)
IMAGE = RNG.random((61, 47), np.float32)
VOLUME = RNG.random((23, 20, 26), np.float32)
COLOUR = RNG.random((40, 35, 3), np.float32)
SIGNAL = RNG.random(300, np.float32)
MODES = {"symmetric": "reflect", "reflect": "mirror", "edge": "nearest", "wrap": "wrap",
         "constant": "constant"}
# Gray levels are at most 1, so errors are a few roundings of 1, however small a feature is.
TOLERANCE = 30 * np.finfo(np.float32).eps


@pytest.mark.parametrize(("image", "settings"), [
    (IMAGE, {}), (COLOUR, {"channel_axis": -1}), (VOLUME, {"sigma_max": 2}),
    (IMAGE, {"sigma_min": 1, "sigma_max": 6, "num_sigma": 5}), (IMAGE[:2, :5], {"sigma_max": 2}),
    (IMAGE, {"edges": False}), (IMAGE, {"intensity": False, "texture": False}),
    (np.moveaxis(COLOUR, -1, 0), {"channel_axis": 0}),
    ((255 * IMAGE).astype(np.uint8), {}), (IMAGE.astype(np.float64), {}),
])
def test_basic_features_are_those_of_scikit_image(image, settings):
    feature = pytest.importorskip("skimage.feature")
    expected = feature.multiscale_basic_features(image, **settings)
    scale = 1 / 255 if image.dtype == np.uint8 else None
    own = PixelFeatures(padding_mode="edge", scale=scale, **settings).fit_transform(image)
    assert own.dtype == np.float32
    np.testing.assert_allclose(own, expected.reshape(own.shape), rtol=1e-5, atol=TOLERANCE)


def reference(image, name, sigma, mode):
    """Return the maps of one feature in float64, by scipy.ndimage."""
    image, rank = image.astype(np.float64), image.ndim
    pairs = list(combinations_with_replacement(range(rank), 2))

    def gaussian(values, widths, *axes):
        order = [axes.count(axis) for axis in range(rank)]
        return ndimage.gaussian_filter(values, widths, order, mode=mode, truncate=6.0)

    def eigenvalues(parts):
        matrices = np.empty((*image.shape, rank, rank))
        for (one, other), part in zip(pairs, parts):
            matrices[..., one, other] = matrices[..., other, one] = part
        return np.moveaxis(np.linalg.eigvalsh(matrices)[..., ::-1], -1, 0)

    sigma = np.array(sigma)
    slopes = [gaussian(image, sigma, axis) for axis in range(rank)]
    smooth = gaussian(image, sigma)
    if name == "gaussian":
        return [smooth]
    if name == "sobel":
        parts = [ndimage.sobel(smooth, axis, mode=mode) / 4**(rank - 1) for axis in range(rank)]
        return [np.sqrt(sum(part**2 for part in parts) / rank)]
    if name == "texture":
        slopes = [np.gradient(smooth, axis=axis) for axis in range(rank)]
        return eigenvalues([np.gradient(slopes[one], axis=other) for one, other in pairs])
    if name == "laplace_of_gaussian":
        return [sum(gaussian(image, sigma, axis, axis) for axis in range(rank))]
    if name == "gradient_magnitude":
        return [np.sqrt(sum(slope**2 for slope in slopes))]
    if name == "difference_of_gaussians":
        return [gaussian(image, 0.66 * sigma) - smooth]
    if name == "structure_tensor_eigenvalues":
        return eigenvalues([gaussian(slopes[one] * slopes[other], sigma / 2)
                            for one, other in pairs])
    return eigenvalues([gaussian(image, sigma, one, other) for one, other in pairs])


@pytest.mark.parametrize("mode", ["symmetric", "reflect", "edge", "constant"])
@pytest.mark.parametrize(("image", "sigma"), [
    (IMAGE, (1.5, 1.5)), (IMAGE, (3.0, 1.0)), (VOLUME, (1.1, 1.5, 1.3)), (SIGNAL, (2.0,)),
])
@pytest.mark.parametrize("name", MAPS)
def test_every_feature_is_that_of_scipy(name, image, sigma, mode):
    own = PixelFeatures([name], sigmas=[sigma], padding_mode=mode, truncate=6.0, dtype="float64")
    features = own.fit_transform(image)
    expected = np.stack(reference(image, name, sigma, MODES[mode]), -1)
    # Second derivatives of truncated Gaussians are balanced here, not in scipy.
    np.testing.assert_allclose(features, expected.reshape(features.shape), rtol=1e-6, atol=1e-6)
    single = clone(own).set_params(dtype="float32").fit_transform(image)
    np.testing.assert_allclose(single, features, rtol=1e-5, atol=TOLERANCE)


def test_wrap_goes_around():
    own = PixelFeatures("ilastik", sigmas=[1.2], padding_mode="wrap")
    turned = np.roll(IMAGE, (7, -5), (0, 1))
    features = own.fit_transform(IMAGE).reshape(*IMAGE.shape, -1)
    others = own.transform(turned).reshape(*IMAGE.shape, -1)
    np.testing.assert_array_equal(others, np.roll(features, (7, -5), (0, 1)))
    smooth = ndimage.gaussian_filter(IMAGE.astype(float), 1.2, mode="wrap")
    np.testing.assert_allclose(features[..., 0], smooth, atol=TOLERANCE)


# Tiles


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("image", "settings"), [
    (IMAGE, {"sigmas": [0.7, (2.3, 1.2)]}), (VOLUME, {"sigmas": [(1.0, 0.5, 0.8)]}),
    (SIGNAL, {"sigmas": [1, 3]}), (COLOUR, {"sigmas": [1.5], "channel_axis": -1}),
    (IMAGE, {"features": [], "bank": RNG.normal(size=(4, 7, 1, 11))}),
    (IMAGE, {"features": [], "bank": np.ones((7, 9, 1, 3))}),
    (VOLUME, {"features": [], "bank": RNG.normal(size=(3, 4, 5, 1, 2))}),
])
def test_crops_with_halos_have_the_bits_of_the_whole(image, settings, mode):
    own = PixelFeatures(**{"features": list(MAPS), "padding_mode": mode, "truncate": 3.0,
                           "n_threads": 1} | settings).fit(image)
    pixels, _ = own._images(image)
    size = pixels[0].size
    whole = own.transform(image).reshape(*size, -1)
    for box in tiles(size, [max(1, n // 2 - 3) for n in size]):
        part = np.empty((*(one.stop - one.start for one in box), whole.shape[-1]), np.float32)
        own._fill(pixels[0], box, part, np.float32)
        np.testing.assert_array_equal(part, whole[box])


def test_working_memory_and_threads_leave_the_bits_alone():
    image = RNG.random((150, 170), np.float32)
    own = PixelFeatures(sigma_max=4, n_threads=1).fit(image)
    expected = own.transform(image)
    for order in ("C", "F"):
        threads = own.set_params(n_threads=3).transform(image.copy(order))
        np.testing.assert_array_equal(threads, expected)
    own.set_params(n_threads=1, working_memory=0.6)
    assert own._tile(own._images(image)[0][0], own._budget()) != image.shape
    np.testing.assert_array_equal(own.transform(image), expected)


@pytest.mark.parametrize(("image", "settings"), [
    (IMAGE, {"features": [name], "sigmas": [(1.3, 2.4)]}) for name in MAPS
] + [
    (IMAGE, {"sigma_max": 4}), (VOLUME, {"features": "ilastik", "sigmas": [(0.5, 1, 0.7)]}),
    (IMAGE, {"features": (), "bank": RNG.normal(size=(5, 8, 1, 2))}),
    (IMAGE, {"sigmas": [1], "features": ["gaussian"], "bank": np.ones((9, 3, 1, 1))}),
])
def test_halo_is_exact(image, settings):
    own = PixelFeatures(truncate=2.0, **settings).fit(image)
    middle = tuple(n // 2 for n in image.shape)
    changed = image.copy()
    changed[middle] += 100
    before, after = (own.transform(one).reshape(*image.shape, -1) for one in (image, changed))
    differs = (before != after).any(axis=-1)
    for axis, reach in enumerate(own.halo):
        others = tuple(k for k in range(image.ndim) if k != axis)
        found = np.flatnonzero(differs.any(axis=others)) - middle[axis]
        assert (found.max(), -found.min()) == reach


def test_boxes_hold_all_places_and_no_empty_land():
    places = np.array([[3, 3], [5, 900], [6, 901], [950, 2], [951, 950]])
    def n_bytes(box):
        return float(np.prod(box))

    boxes = boxes_around(places, ((10, 10), (10, 10)), n_bytes, 1e9)
    assert sorted(np.concatenate([rows for rows, _ in boxes])) == [0, 1, 2, 3, 4]
    for rows, box in boxes:
        for axis, own in enumerate(box):
            assert (places[rows, axis] >= own.start).all()
            assert (places[rows, axis] < own.stop).all()
    assert len(boxes) == 4
    dense = np.argwhere(np.ones((100, 100)))
    assert len(boxes_around(dense, ((30, 30), (30, 30)), n_bytes, 1e9)) == 1
    assert len(boxes_around(dense, ((30, 30), (30, 30)), n_bytes, 2500)) == 4
    scattered = np.argwhere(RNG.random((2000, 2000)) < 1e-5)
    boxes = boxes_around(scattered, ((5, 5), (5, 5)), n_bytes, 1e9)
    area = sum(np.prod([one.stop - one.start + 10 for one in box]) for _, box in boxes)
    assert area <= len(scattered) * 11**2 * 2


# Images in, rows out


def test_lists_of_images_of_different_sizes():
    images = [IMAGE, IMAGE[:20, :33], IMAGE[5:, 7:]]
    own = PixelFeatures(sigmas=[1, 2]).fit(images)
    expected = np.concatenate([own.transform(image) for image in images])
    np.testing.assert_array_equal(own.transform(images), expected)
    np.testing.assert_array_equal(own.transform([IMAGE]), own.transform(IMAGE))


def test_channels_are_seen_one_by_one():
    own = PixelFeatures(sigmas=[1, (2, 1)], channel_axis=-1).fit(COLOUR)
    features = own.transform(COLOUR)
    names = list(own.get_feature_names_out())
    assert names == [
        f"{word}_sigma{sigma}_c{c}" for c in range(3) for sigma in ("1", "2x1")
        for word in ("gaussian", "sobel", "texture0", "texture1")]
    alone = PixelFeatures(sigmas=[1, (2, 1)]).fit(IMAGE)
    for c in range(3):
        np.testing.assert_array_equal(features[:, 8 * c:8 * c + 8],
                                      alone.transform(COLOUR[..., c]))
    for axis in (0, 1, -2):
        moved = PixelFeatures(sigmas=[1, (2, 1)], channel_axis=axis)
        np.testing.assert_array_equal(moved.fit_transform(np.moveaxis(COLOUR, -1, axis)), features)


def test_names_tell_what_columns_hold():
    bank = RNG.normal(size=(3, 3, 1, 12))
    own = PixelFeatures("ilastik", sigmas=[2, 0.7], bank=bank).fit(IMAGE)
    features, names = own.transform(IMAGE), list(own.get_feature_names_out())
    assert features.shape == (IMAGE.size, len(names))
    assert len(set(names)) == len(names) == 2 * 8 + 12
    smooth = ndimage.gaussian_filter(IMAGE, 0.7).ravel()
    np.testing.assert_allclose(features[:, names.index("gaussian_sigma0.7")], smooth, atol=1e-6)
    curved = reference(IMAGE, "hessian_eigenvalues", (2, 2), "reflect")[1].ravel()
    column = features[:, names.index("hessian_eigenvalues1_sigma2")]
    np.testing.assert_allclose(column, curved, atol=1e-3)
    answer = ndimage.correlate(IMAGE.astype(float), bank[:, :, 0, 11]).ravel()
    np.testing.assert_allclose(features[:, names.index("bank11")], answer, atol=1e-5)
    table = own.set_output(transform="pandas").transform(IMAGE)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == names
    assert len(own.transform([IMAGE, IMAGE])) == 2 * IMAGE.size


@pytest.mark.parametrize("shape", [(3, 3), (4, 7), (9, 9), (1, 12)])
def test_banks_are_correlations(shape):
    bank = np.stack([RNG.normal(size=shape), np.ones(shape), np.zeros(shape)], -1)[:, :, None]
    features = PixelFeatures([], bank=bank).fit_transform(IMAGE)
    for k in range(3):
        expected = ndimage.correlate(IMAGE.astype(float), bank[:, :, 0, k])
        np.testing.assert_allclose(features[:, k], expected.ravel(), atol=2e-5)


@pytest.mark.parametrize("image", [IMAGE, VOLUME])
def test_banks_go_by_name(image):
    for name in ("laws", "sobel", *(["gabor"] if image.ndim == 2 else [])):
        kernels = banks.named_bank(name, image.ndim, dtype="float64")
        np.testing.assert_array_equal(PixelFeatures([], bank=name).fit_transform(image),
                                      PixelFeatures([], bank=kernels).fit_transform(image))
    with pytest.raises(ValueError, match=r"bank must be one of 'dct', .*; got 'sobol'"):
        PixelFeatures(bank="sobol").fit(image)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16, bool, np.int64, np.float64])
def test_dtypes(dtype):
    image = (100 * IMAGE).astype(dtype) if dtype is not bool else IMAGE > 0.5
    own = PixelFeatures(sigmas=[1])
    features = own.fit_transform(image)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, own.transform(image.astype(np.float32)))
    wide = own.set_params(dtype=None).fit_transform(image)
    assert wide.dtype == (np.float64 if np.dtype(dtype).itemsize > 2 else np.float32)
    scaled = own.set_params(dtype="float32", scale=0.25).transform(image)
    np.testing.assert_array_equal(scaled, own.set_params(scale=None).transform(
        image.astype(np.float32) / 4))


class Stored:
    """What a file of chunks looks like: it is read slice by slice."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, 0

    def __getitem__(self, index):
        part = self.array[index]
        self.read = max(self.read, part.size)
        return part


def test_images_are_read_crop_by_crop():
    image = RNG.random((300, 400), np.float32)
    own = PixelFeatures(sigmas=[1], working_memory=0.7, n_threads=1).fit(image)
    stored = Stored(image)
    np.testing.assert_array_equal(own.transform(stored), own.transform(image))
    assert 0 < stored.read < image.size / 4


@pytest.mark.parametrize(("shape", "settings"), [
    ((200, 250), {}), ((200, 250), {"features": "ilastik", "sigma_max": 4, "working_memory": 2}),
    ((90, 100, 3), {"channel_axis": -1}), ((30, 40, 50), {"sigmas": [1, 2]}),
    ((30, 40, 50), {"features": "ilastik", "sigmas": [1], "working_memory": 8}),
    ((5000,), {}), ((200, 250), {"bank": np.ones((9, 9, 1, 20))}),
    ((200, 250), {"bank": RNG.normal(size=(9, 9, 1, 20)), "padding_mode": "wrap"}),
])
def test_memory_stays_within_the_estimate(shape, settings):
    image = (255 * RNG.random(shape)).astype(np.uint8)
    own = PixelFeatures(n_threads=1, **settings).fit(image)
    own.transform(image)
    tracemalloc.start()
    n_bytes = own.transform(image).nbytes
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < own.estimate_memory(shape, np.uint8)
    if "working_memory" in settings:
        assert own.estimate_memory(shape, np.uint8) - n_bytes <= settings["working_memory"] * 2**20


def test_as_a_citizen_of_scikit_learn():
    own = PixelFeatures("ilastik", sigmas=[1, 2], bank=np.ones((3, 3, 1, 1)))
    assert own.fit(IMAGE) is own
    expected = own.transform(IMAGE)
    np.testing.assert_array_equal(clone(own).fit_transform(IMAGE), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(own)).transform(IMAGE), expected)
    chain = make_pipeline(own, StandardScaler()).fit([IMAGE, IMAGE[:9]])
    assert list(chain.get_feature_names_out()) == list(own.get_feature_names_out())
    before = IMAGE.copy()
    own.set_params(scale=3).transform(IMAGE)
    np.testing.assert_array_equal(IMAGE, before)


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"features": "all"}, ValueError, r"features must be one of 'basic', 'ilastik'"),
    ({"features": ["gauss"]}, ValueError, r"features\[0\] must be one of 'gaussian', 'sobel'"),
    ({"features": 3}, TypeError, r"features must be one of .* or a list of names"),
    ({"features": ["sobel", "sobel"]}, ValueError, r"features must differ"),
    ({"features": "ilastik", "edges": False}, ValueError, r"must be True unless features='basic'"),
    ({"intensity": False, "edges": False, "texture": False}, ValueError, r"some features"),
    ({"intensity": 1}, TypeError, r"intensity must be True or False"),
    ({"sigma_min": 0}, ValueError, r"sigma_min must be a finite number above 0"),
    ({"sigma_max": 0.1}, ValueError, r"sigma_max must be at least sigma_min=0.5; got 0.1"),
    ({"num_sigma": 0}, ValueError, r"num_sigma must be an int, at least 1"),
    ({"sigmas": [1], "num_sigma": 3}, ValueError, r"num_sigma must be None where sigmas"),
    ({"sigmas": 2}, ValueError, r"sigmas must be a sequence of at least one scale"),
    ({"sigmas": []}, ValueError, r"sigmas must be a sequence of at least one scale"),
    ({"sigmas": [(1, 2, 3)]}, ValueError, r"sigmas\[0\] must be a number or 2 of them"),
    ({"sigmas": [1, (1, 1)]}, ValueError, r"sigmas must differ"),
    ({"sigmas": ["1"]}, TypeError, r"sigmas\[0\] must be a finite number above 0"),
    ({"bank": np.ones((3, 3))}, ValueError, r"bank must be finite numbers of shape"),
    ({"bank": np.full((3, 3, 1, 1), np.nan)}, ValueError, r"bank must be finite numbers"),
    ({"channel_axis": 2}, ValueError, r"channel_axis must be None or an axis of the images"),
    ({"channel_axis": "last"}, TypeError, r"channel_axis must be None or an axis"),
    ({"padding_mode": "nearest"}, ValueError, r"padding_mode must be one of"),
    ({"truncate": 0}, ValueError, r"truncate must be a finite number above 0"),
    ({"dtype": "float16"}, ValueError, r"dtype must be one of 'float32', 'float64', None"),
    ({"scale": 0}, ValueError, r"scale must be finite and not zero"),
    ({"working_memory": -1}, ValueError, r"working_memory must be positive"),
    ({"n_threads": 0}, ValueError, r"n_threads must be"),
])
def test_wrong_parameters_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        PixelFeatures(**settings).fit(IMAGE)


@pytest.mark.parametrize(("X", "error", "message"), [
    ([], ValueError, r"X must hold at least one image"),
    ([[1, 2], [3, 4]], TypeError, r"X must be an array, of one image, or a list of arrays"),
    ("image", TypeError, r"X must be an array of numbers"),
    (IMAGE + 1j, TypeError, r"X must hold bool, integers or real numbers; got complex"),
    (np.ma.masked_array(IMAGE), TypeError, r"X must be an array without a mask"),
    ([IMAGE, IMAGE[:, :0]], ValueError, r"X\[1\] must have 1 to 3 axes, none of them empty"),
    (np.ones((2, 2, 2, 2)), ValueError, r"X must have 1 to 3 axes"),
    ([IMAGE, VOLUME], ValueError, r"the images of X must have the same number of axes"),
])
def test_wrong_images_are_refused(X, error, message):
    with pytest.raises(error, match=message):
        PixelFeatures().fit(X)


def test_what_fit_has_not_seen_is_refused():
    own = PixelFeatures(sigmas=[1]).fit(IMAGE)
    with pytest.raises(ValueError, match=r"X must hold images like those of fit, of 2 axes and 1"):
        own.transform(VOLUME)
    bad = IMAGE.copy()
    bad[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"X\[1\] must not hold NaN"):
        own.transform([IMAGE, bad])
    with pytest.raises(ValueError, match=r"too large for float32"):
        own.transform(np.full((5, 5), 1e300))
