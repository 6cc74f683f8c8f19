"""ImageFilter: the functions of convlib.filters, image by image, as a citizen of scikit-learn."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils.estimator_checks import parametrize_with_checks

from convlib import ConvFeatures, ImageFilter, filters

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(7, 9, 8, 2)).astype(np.float32)
NEEDED = {
    "correlate": {"kernel": RNG.normal(size=(3, 3))},
    "convolve": {"kernel": RNG.normal(size=(5, 5))},
    "percentile": {"q": 80}, "gabor": {"frequency": 0.2},
}
SEVERAL = {"hessian": 3, "hessian_eigenvalues": 2, "structure_tensor": 3}


@parametrize_with_checks([
    ImageFilter(rank=1), ImageFilter("sobel", rank=1), ImageFilter("median", rank=1, size=5),
    ImageFilter("hessian", rank=1), ImageFilter(rank=1, scale=0.5, working_memory=1e-3),
])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def per_image(name, images, **settings):
    """Return the maps that the function makes of each image alone."""
    results = [getattr(filters, name)(image, channel_axis=-1, **settings) for image in images]
    maps = np.stack(results)
    if maps.ndim > images.ndim:
        maps = np.moveaxis(maps, 1, -1).reshape(*images.shape[:-1], -1)
    return maps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", filters.__all__)
def test_every_filter_equals_the_function_image_by_image(name, dtype):
    images = IMAGES.astype(dtype)
    params = NEEDED.get(name)
    expected = per_image(name, images, **(params or {}))
    assert expected.shape[-1] == 2 * SEVERAL.get(name, 1)
    for memory in (None, 2e-3):    # all at once, or one by one
        step = ImageFilter(name, filter_params=params, output="maps", working_memory=memory)
        result = step.fit_transform(images)
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("name", "own", "settings"), [
    ("gaussian", {"sigma": 2.0}, {"sigma": 2.0}),
    ("gaussian", {"sigma": (1, 2)}, {"sigma": (1, 2)}),
    ("gaussian", {"size": 3}, {"size": 3}),
    ("gaussian", {"filter_params": {"order": 1}}, {"order": 1}),
    ("difference_of_gaussians", {"sigma": 1.5, "filter_params": {"high_sigma": 4}},
     {"low_sigma": 1.5, "high_sigma": 4}),
    ("median", {"size": (3, 5)}, {"size": (3, 5)}),
    ("sobel", {"axis": 0}, {"axis": 0}),
    ("sobel", {"axis": -1}, {"axis": 1}),
    ("kirsch", {"filter_params": {"direction": "NE"}}, {"direction": "NE"}),
    ("mean", {"padding_mode": "wrap"}, {"padding_mode": "wrap"}),
    ("mean", {"padding_mode": "constant", "constant_values": 3.0},
     {"padding_mode": "constant", "constant_values": 3.0}),
])
def test_parameters_reach_the_function(name, own, settings):
    step = ImageFilter(name, output="maps", **own)
    np.testing.assert_array_equal(step.fit_transform(IMAGES), per_image(name, IMAGES, **settings))


@pytest.mark.parametrize(("rank", "shape"), [
    (1, (4, 20)), (1, (4, 20, 3)), (2, (4, 6, 5)), (2, (4, 6, 5, 3)), (3, (4, 5, 6, 7)),
    (3, (2, 5, 6, 7, 2)),
])
def test_signals_images_and_volumes(rank, shape):
    X = RNG.normal(size=shape)
    step = ImageFilter("gaussian", rank=rank, output="maps")
    full = X if X.ndim == rank + 2 else X[..., np.newaxis]
    expected = per_image("gaussian", full)
    np.testing.assert_array_equal(step.fit_transform(X), expected)
    flat = ImageFilter("gaussian", rank=rank, image_shape=shape[1:]).fit(X.reshape(len(X), -1))
    rows = flat.transform(X.reshape(len(X), -1))
    np.testing.assert_array_equal(rows, expected.reshape(len(X), -1))
    assert len(flat.get_feature_names_out()) == rows.shape[1] == len(
        set(flat.get_feature_names_out()))


def test_names_tell_channel_result_and_place():
    step = ImageFilter("hessian_eigenvalues").fit(IMAGES)
    names, flat = step.get_feature_names_out(), step.transform(IMAGES)
    assert list(names[:2]) == ["hessian_eigenvalues_c0_0_r0c0", "hessian_eigenvalues_c0_1_r0c0"]
    column = flat[:, list(names).index("hessian_eigenvalues_c1_0_r3c4")]
    expected = [filters.hessian_eigenvalues(image[..., 1])[0, 3, 4] for image in IMAGES]
    np.testing.assert_array_equal(column, expected)
    table = step.set_output(transform="pandas").transform(IMAGES)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == list(names)
    maps = ImageFilter("sobel", output="maps").set_output(transform="pandas").fit(IMAGES)
    assert isinstance(maps.transform(IMAGES), np.ndarray)
    assert not hasattr(maps, "get_feature_names_out")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, bool, np.float16, np.int32])
def test_integers_become_floats_that_are_not_rescaled(dtype):
    images = (IMAGES > 0).astype(dtype) if dtype is bool else (50 + 10 * IMAGES).astype(dtype)
    real = images.astype(np.float64 if dtype is np.int32 else np.float32)
    step = ImageFilter("mean", output="maps")
    np.testing.assert_array_equal(step.fit_transform(images), per_image("mean", real))
    scaled = ImageFilter("mean", output="maps", scale=0.5).fit_transform(images)
    np.testing.assert_array_equal(scaled, per_image("mean", real * real.dtype.type(0.5)))


def test_memory_order_and_threads_leave_the_bits_alone():
    expected = ImageFilter("gaussian").fit_transform(IMAGES)
    for images in (np.asfortranarray(IMAGES), IMAGES.copy()[:, ::-1][:, ::-1],
                   np.moveaxis(np.moveaxis(IMAGES, -1, 1).copy(), 1, -1)):
        for n_threads in (1, 2):
            step = ImageFilter("gaussian", n_threads=n_threads)
            np.testing.assert_array_equal(step.fit_transform(images), expected)


def test_images_are_left_alone():
    before = IMAGES.copy()
    ImageFilter("gaussian", scale=2.0).fit_transform(IMAGES)
    np.testing.assert_array_equal(IMAGES, before)


def test_clone_and_pickle():
    step = ImageFilter("percentile", filter_params={"q": 30}, size=5).fit(IMAGES)
    expected = step.transform(IMAGES)
    np.testing.assert_array_equal(clone(step).fit_transform(IMAGES), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(step)).transform(IMAGES), expected)


def test_beside_conv_features_and_in_a_search():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300], y[:300]
    union = make_union(ConvFeatures(8, image_shape=(8, 8), random_state=0),
                       ImageFilter("sobel", image_shape=(8, 8)))
    assert union.fit_transform(X).shape == (300, 8 * 16 + 64)
    assert len(union.get_feature_names_out()) == 8 * 16 + 64
    chain = make_pipeline(ImageFilter(image_shape=(8, 8), output="maps"), ConvFeatures(4),
                          LogisticRegression(max_iter=2000))
    search = GridSearchCV(chain, {"imagefilter__filter": ["gaussian", "median"],
                                  "imagefilter__size": [3, 5]}, cv=2)
    assert search.fit(X / 16, y).best_score_ > 0.8


@pytest.mark.parametrize(("name", "rank"), [
    *((name, 2) for name in filters.__all__), *((name, 3) for name in SEVERAL), ("sobel", 3),
])
def test_memory_stays_within_the_estimate(name, rank):
    # Large enough for the estimate to be more than what it adds for scratch.
    size = (256, 256) if rank == 2 else (40, 44, 48)
    images = RNG.integers(0, 255, (3, *size, 2)).astype(np.uint8)
    step = ImageFilter(name, rank=rank, filter_params=NEEDED.get(name), output="maps",
                       working_memory=2)
    step.fit(images)
    step.transform(images)
    tracemalloc.start()
    step.transform(images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < step.estimate_memory(images.shape, np.uint8)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"filter": "gausian"}, ValueError, r"filter must be one of 'convolve', .*'unsharp_mask'"),
    ({"filter": "sobel", "size": 3}, ValueError, r"size must be None with filter='sobel'.*'mean'"),
    ({"filter": "mean", "sigma": 3}, ValueError, r"sigma must be None .*goes with .*'gaussian'"),
    ({"filter": "mean", "axis": 0}, ValueError, r"axis must be None .*goes with .*'sobel'"),
    ({"filter": "sobel", "axis": 2}, ValueError, r"axis must be None or an axis of the images"),
    ({"filter": "sobel", "axis": "x"}, TypeError, r"axis must be None or an axis of the images"),
    ({"filter": "percentile"}, ValueError, r"filter_params must hold 'q'"),
    ({"filter_params": {"q": 3}}, ValueError, r"keys among \['truncate'.*got 'q'"),
    ({"filter_params": {"sigma": 3}}, ValueError, r"filter_params must have keys among"),
    ({"filter_params": [3]}, TypeError, r"filter_params must be a dict or None"),
    ({"sigma": -1}, ValueError, r"sigma must be a finite number, at least 0"),
    ({"rank": 4}, ValueError, r"rank must be 1, 2 or 3; got 4"),
    ({"output": "rows"}, ValueError, r"output must be one of 'flat', 'maps'"),
    ({"padding_mode": "same"}, ValueError, r"padding_mode must be one of 'constant'"),
    ({"scale": 0}, ValueError, r"scale must be finite and not zero"),
    ({"working_memory": 0}, ValueError, r"working_memory must be positive"),
    ({"n_threads": 0}, ValueError, r"n_threads must be"),
    ({"filter": "kirsch", "rank": 3}, ValueError, r"a compass takes two axes"),
])
def test_wrong_parameters_are_refused_at_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        ImageFilter(**arguments).fit(IMAGES)


def test_other_shapes_are_refused():
    step = ImageFilter().fit(IMAGES)
    with pytest.raises(ValueError, match=r"X must hold images like those of fit"):
        step.transform(IMAGES.transpose(0, 2, 1, 3))
    with pytest.raises(ValueError, match=r"for flat X say image_shape"):
        ImageFilter().fit(IMAGES.reshape(7, -1))
    bad = IMAGES.copy()
    bad[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"Input X contains NaN"):
        step.transform(bad)
