"""ConvFeatures and DeformConvFeatures as citizens of scikit-learn."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from convlib import ConvFeatures, DeformConvFeatures

IMAGES = np.random.default_rng(0).normal(size=(12, 8, 7, 2))
LABELS = np.arange(12) % 2

ESTIMATORS = [
    ConvFeatures(4, (3,), pool=None),
    ConvFeatures(4, (3,), pool="mean", pool_size="global"),
    ConvFeatures(2, (3,), kernels="kmeans", pool_size=1),
    ConvFeatures(2, (3,), kernels="kmeans", activation="triangle", pool_size=1),
    ConvFeatures(2, (3,), kernels="pca", pool_size="global"),
    ConvFeatures(4, (3,), normalize_patches=True, pool_size=1, scale=0.5),
    ConvFeatures(kernel_size=(3,), kernels="sobel", pool_size=1),
    ConvFeatures(2, (3,), kernels="backprop", pool_size="global"),
]


@parametrize_with_checks(ESTIMATORS)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


# The same checks for images, which scikit-learn's do not make.


def image_estimators():
    return [
        ConvFeatures(3, random_state=0),
        ConvFeatures(3, random_state=0, output="maps"),
        ConvFeatures(3, random_state=0, pool="std", pool_size="global"),
        ConvFeatures(3, random_state=0, kernels="kmeans"),
        ConvFeatures(3, random_state=0, kernels="pca", activation=None),
        ConvFeatures(3, random_state=0, conv="separable", dilations=(1, 2)),
        ConvFeatures(kernels="sobel", pool="mean", dilations=(1, 2)),
        DeformConvFeatures(3, random_state=0),
    ]


@pytest.fixture(params=range(len(image_estimators())), name="estimator")
def fixture_estimator(request):
    return image_estimators()[request.param]


def test_fit_returns_self_and_fits_again_from_scratch(estimator):
    assert estimator.fit(IMAGES) is estimator
    first = estimator.transform(IMAGES)
    np.testing.assert_array_equal(estimator.fit(IMAGES[::-1]).fit(IMAGES).transform(IMAGES), first)
    np.testing.assert_array_equal(clone(estimator).fit_transform(IMAGES), first)
    np.testing.assert_array_equal(clone(estimator).fit_transform(IMAGES, LABELS), first)


def test_init_only_stores(estimator):
    parameters = estimator.get_params()
    other = type(estimator)().set_params(**parameters)
    assert all(other.get_params()[name] is value for name, value in parameters.items())
    assert not [name for name in vars(other) if name.endswith("_")]


def test_unfitted_estimators_say_so(estimator):
    from sklearn.exceptions import NotFittedError

    for call in (lambda: estimator.transform(IMAGES), lambda: estimator.estimate_memory((1, 8, 7))):
        with pytest.raises(NotFittedError):
            call()


def test_order_and_subsets_of_images_do_not_matter(estimator):
    features = estimator.fit_transform(IMAGES)
    order = np.random.default_rng(1).permutation(len(IMAGES))
    np.testing.assert_array_equal(estimator.transform(IMAGES[order]), features[order])
    parts = [estimator.transform(IMAGES[i:i + 5]) for i in (0, 5, 10)]
    np.testing.assert_array_equal(np.concatenate(parts), features)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_preserved(estimator, dtype):
    features = estimator.fit_transform(IMAGES.astype(dtype))
    assert features.dtype == dtype
    assert estimator.kernels_.dtype == dtype


def test_attributes_tell_the_shape(estimator):
    estimator.fit(IMAGES)
    assert estimator.n_features_in_ == 8 * 7 * 2
    assert estimator.input_shape_ == (8, 7, 2)
    parameters = estimator.get_params()
    is_separable, is_bank = parameters.get("conv") == "separable", parameters["kernels"] == "sobel"
    assert estimator.kernels_.shape == (3, 3, 2, 2 if is_separable or is_bank else 3)
    assert estimator.bias_.shape == ((4,) if is_bank else (3,))
    assert not hasattr(estimator, "feature_names_in_")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_inf_are_refused(estimator, value):
    bad = IMAGES.copy()
    bad[2, 3, 4, 1] = value
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        clone(estimator).fit(bad)
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        estimator.fit(IMAGES).transform(bad)


def test_arrays_of_objects_are_converted_and_others_refused(estimator):
    features = estimator.fit_transform(IMAGES)
    np.testing.assert_array_equal(estimator.transform(IMAGES.astype(object)), features)
    np.testing.assert_array_equal(estimator.transform(IMAGES.tolist()), features)
    with pytest.raises(ValueError, match="Complex data not supported"):
        estimator.transform(IMAGES + 1j)
    words = np.full(IMAGES.shape, "word", dtype=object)
    with pytest.raises(ValueError, match="could not convert string to float"):
        estimator.transform(words)


def test_sparse_matrices_are_refused():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        ConvFeatures(image_shape=(8, 8)).fit(sparse.csr_array((3, 64)))


def test_no_samples_are_refused(estimator):
    with pytest.raises(ValueError, match="0 sample"):
        clone(estimator).fit(IMAGES[:0])
    with pytest.raises(ValueError, match="0 sample"):
        estimator.fit(IMAGES).transform(IMAGES[:0])


def test_memory_maps_are_read_and_left_alone(estimator, tmp_path):
    features = estimator.fit_transform(IMAGES)
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    np.testing.assert_array_equal(clone(estimator).fit_transform(mapped), features)


# In company


def test_layers_stack_in_a_pipeline():
    model = make_pipeline(
        ConvFeatures(6, output="maps", random_state=0),
        ConvFeatures(5, kernels="kmeans", random_state=0, output="maps"),
        ConvFeatures(4, pool_size="global", random_state=0),
        LogisticRegression(),
    )
    assert model.fit(IMAGES, LABELS).predict(IMAGES).shape == (12,)
    assert model[:2].transform(IMAGES).shape == (12, 2, 1, 5)


def test_grid_search_turns_every_parameter():
    X, y = (part[::4] for part in load_digits(n_class=3, return_X_y=True))
    model = make_pipeline(
        ConvFeatures(4, image_shape=(8, 8), random_state=0), LogisticRegression(max_iter=2000))
    grid = {
        "convfeatures__kernels": ["random", "kmeans", "pca"],
        "convfeatures__activation": [None, "relu", "square"],
        "convfeatures__pool_size": [2, (4, 2), "global"],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 27
    assert search.best_score_ > 0.9


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib_workers_give_the_same_scores(backend):
    X, y = (part[::4] for part in load_digits(n_class=3, return_X_y=True))
    model = make_pipeline(ConvFeatures(4, image_shape=(8, 8), random_state=0), LogisticRegression())
    alone = cross_val_score(model, X, y, cv=4)
    with joblib.parallel_backend(backend, n_jobs=2):
        together = cross_val_score(model, X, y, cv=4)
    np.testing.assert_array_equal(together, alone)


def test_one_fitted_object_serves_many_threads():
    transformer = ConvFeatures(8, kernels="kmeans", random_state=0).fit(IMAGES)
    features = transformer.transform(IMAGES)
    results = joblib.Parallel(n_jobs=8, backend="threading")(
        joblib.delayed(transformer.transform)(IMAGES) for _ in range(32))
    for result in results:
        np.testing.assert_array_equal(result, features)


@pytest.mark.parametrize(
    ("container", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_set_output_names_the_columns(container, frame):
    transformer = ConvFeatures(3, random_state=0).set_output(transform=container)
    features = transformer.fit_transform(IMAGES)
    assert isinstance(features, frame)
    assert list(features.columns) == list(transformer.get_feature_names_out())
    plain = clone(transformer).set_output(transform="default").fit_transform(IMAGES)
    np.testing.assert_array_equal(features.to_numpy(), plain)
    with config_context(transform_output=container):
        assert isinstance(ConvFeatures(3).fit_transform(IMAGES), frame)


def test_maps_are_arrays_whatever_set_output_says():
    model = make_pipeline(ConvFeatures(3, output="maps", random_state=0),
                          ConvFeatures(2, random_state=0))
    features = model.set_output(transform="pandas").fit_transform(IMAGES)
    assert isinstance(features, pd.DataFrame)
    assert isinstance(model[0].transform(IMAGES), np.ndarray)
    assert not hasattr(model[0], "get_feature_names_out")
    with config_context(transform_output="pandas"):
        assert isinstance(model[0].transform(IMAGES), np.ndarray)


def test_frames_go_in_with_their_names():
    X, _ = load_digits(return_X_y=True, as_frame=True)
    transformer = ConvFeatures(3, image_shape=(8, 8), random_state=0)
    features = transformer.fit_transform(X)
    np.testing.assert_array_equal(transformer.feature_names_in_, X.columns)
    np.testing.assert_array_equal(
        clone(transformer).fit_transform(X.to_numpy()), features)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transformer.transform(X)
    with pytest.raises(ValueError, match="feature names should match"):
        transformer.transform(X[X.columns[::-1]])
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        transformer.get_feature_names_out(X.columns[::-1])
    assert len(transformer.get_feature_names_out(X.columns)) == features.shape[1]


def test_names_of_an_earlier_fit_are_forgotten():
    X, _ = load_digits(return_X_y=True, as_frame=True)
    transformer = ConvFeatures(3, (3,), pool_size="global", random_state=0).fit(X)
    signals = [np.ones((9, 1)), np.ones((7, 1))]
    transformer.fit(signals).transform(signals)
    assert not hasattr(transformer, "feature_names_in_")


def test_names_go_through_a_union():
    union = FeatureUnion([("a", ConvFeatures(2, random_state=0, pool_size="global")),
                          ("b", ConvFeatures(2, random_state=0, pool="mean", pool_size="global"))])
    union.fit(IMAGES)
    assert list(union.get_feature_names_out()) == ["a__k0_max", "a__k1_max", "b__k0_mean",
                                                   "b__k1_mean"]


def test_html_repr_shows_the_parameters():
    html = ConvFeatures(17, kernels="pca")._repr_html_()
    assert "ConvFeatures" in html
    assert "n_kernels" in html


def test_tags_tell_what_goes_in():
    tags = ConvFeatures().__sklearn_tags__()
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.sparse
    assert not tags.input_tags.allow_nan
    assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]


def test_pickle_and_joblib_keep_the_bits(tmp_path):
    transformer = ConvFeatures(3, kernels="kmeans", activation="triangle", random_state=0)
    features = transformer.fit_transform(IMAGES)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(transformer)).transform(IMAGES),
                                  features)
    joblib.dump(transformer, tmp_path / "features.joblib")
    loaded = joblib.load(tmp_path / "features.joblib")
    np.testing.assert_array_equal(loaded.transform(IMAGES), features)
