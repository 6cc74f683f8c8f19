"""PixelClassifier: labelled pixels in, label images out, without seams and without waste."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from convlib import PixelClassifier, PixelFeatures


def picture(shape, seed, channels=None):
    """Return an image that is smooth on the left and rough on the right, and where."""
    rng = np.random.default_rng(seed)
    right = np.broadcast_to(np.arange(shape[-1]) >= shape[-1] // 2, shape)
    image = rng.normal(size=(*shape, channels or 1)) * np.where(right, 3, 1)[..., np.newaxis]
    return (image if channels else image[..., 0]).astype(np.float32), right + 1


def scribbles(truth, seed, share=0.03):
    """Return the truth at some pixels and 0 elsewhere."""
    return np.where(np.random.default_rng(seed).random(truth.shape) < share, truth, 0)


def classifier(**settings):
    """Return a small classifier of textures."""
    return PixelClassifier(
        RandomForestClassifier(8, max_depth=6, random_state=0),
        PixelFeatures("ilastik", sigmas=[1, 2.5], n_threads=1), **settings)


IMAGE, TRUTH = picture((70, 83), 0)
LABELS = scribbles(TRUTH, 0)


def test_textures_are_told_apart():
    model = classifier().fit(IMAGE, LABELS)
    other, truth = picture((64, 90), 1)
    assert np.mean(model.predict(other) == truth) > 0.85
    assert model.score(other, scribbles(truth, 2, 0.2)) > 0.85
    np.testing.assert_array_equal(model.classes_, [1, 2])
    np.testing.assert_array_equal(model.score(other, truth), np.mean(model.predict(other) == truth))


@pytest.mark.parametrize(("shape", "channels"), [
    ((400,), None), ((60, 50), None), ((60, 50), 3), ((14, 16, 20), None), ((14, 16, 20), 2),
])
def test_it_learns_what_the_features_of_labelled_pixels_teach(shape, channels):
    image, truth = picture(shape, 3, channels)
    labels = scribbles(truth, 4, 0.1)
    features = PixelFeatures("ilastik", sigmas=[1], channel_axis=-1 if channels else None,
                             n_threads=1)
    forest = RandomForestClassifier(5, random_state=0)
    model = PixelClassifier(forest, features).fit(image, labels)
    rows = features.fit_transform(image)
    expected = clone(forest).fit(rows[labels.ravel() > 0], labels[labels > 0])
    np.testing.assert_array_equal(model.predict(image).ravel(), expected.predict(rows))
    proba = model.predict_proba(image)
    assert proba.shape == (*shape, 2)
    np.testing.assert_array_equal(proba.reshape(-1, 2), expected.predict_proba(rows))


@pytest.mark.parametrize("mode", ["symmetric", "reflect", "edge", "constant", "wrap"])
def test_tiles_leave_no_trace(mode):
    whole = classifier().set_params(features__padding_mode=mode).fit(IMAGE, LABELS)
    expected, proba = whole.predict(IMAGE), whole.predict_proba(IMAGE)
    fitted = clone(whole).set_params(working_memory=0.4).fit(IMAGE, LABELS)
    image = fitted.features_._images(IMAGE)[0][0]
    assert max(fitted.features_._tile(image, fitted._budget(), 200)) < 40
    for tiled in (fitted, whole.set_params(working_memory=0.4)):
        np.testing.assert_array_equal(tiled.predict(IMAGE), expected)
        np.testing.assert_array_equal(tiled.predict_proba(IMAGE), proba)


class Counted:
    """An image that counts the pixels that are read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.n_read = array, array.shape, array.dtype, 0

    def __getitem__(self, index):
        part = self.array[index]
        self.n_read += part.size
        return part


def test_work_is_that_of_the_labelled_places():
    rng = np.random.default_rng(0)
    image = Counted(rng.random((2000, 3000), np.float32))
    model = classifier()
    labels = np.zeros(image.shape, np.uint8)
    labels[500:505, 900:920] = 1
    labels[1990:2000, 10:14] = 2
    halo = max(map(max, PixelFeatures("ilastik", sigmas=[1, 2.5]).fit(image).halo))
    model.fit(image, labels)
    few = image.n_read
    assert few <= (5 + 2 * halo) * (20 + 2 * halo) + (10 + halo) * (4 + 10 + halo)
    # Twice as many places are twice the work, wherever they are, and one image more is none.
    labels[40:45, 2000:2020], labels[1000:1010, 1000:1004] = 1, 2
    image.n_read = 0
    empty = Counted(np.zeros((500, 500), np.float32))
    model.fit([image, empty], [labels, np.zeros((500, 500), int)])
    assert few < image.n_read < 2.5 * few
    assert empty.n_read == 0
    image.n_read = 0
    model.score(image, labels)
    assert image.n_read < 2.5 * few


def test_lists_in_lists_out():
    images, truths = zip(picture((40, 50), 5), picture((30, 64), 6), picture((40, 50), 7))
    labels = [scribbles(truth, 8, 0.1) for truth in truths]
    labels[1][:] = 0
    model = classifier().fit(list(images), labels)
    predicted, proba = model.predict(list(images)), model.predict_proba(list(images))
    assert isinstance(predicted, list)
    assert isinstance(proba, list)
    for image, one, other in zip(images, predicted, proba):
        np.testing.assert_array_equal(one, model.predict(image))
        np.testing.assert_array_equal(other, model.predict_proba(image))
        assert one.shape == image.shape
        np.testing.assert_array_equal(one, model.classes_[other.argmax(-1)])
    joined = classifier().fit([images[0], images[2]], [labels[0], labels[2]])
    np.testing.assert_array_equal(joined.predict(images[0]), predicted[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_labels_keep_their_dtype_and_names(dtype):
    labels = np.where(LABELS, LABELS * 100 - 50, 0).astype(dtype)
    model = classifier().fit(IMAGE, labels)
    np.testing.assert_array_equal(model.classes_, [50, 150])
    assert model.predict(IMAGE).dtype == dtype
    assert set(np.unique(model.predict(IMAGE))) == {50, 150}


@pytest.mark.parametrize("estimator", [
    None, KNeighborsClassifier(3), make_pipeline(StandardScaler(), LogisticRegression()),
])
def test_any_classifier(estimator):
    features = PixelFeatures("ilastik", sigmas=[2.5], n_threads=1)
    model = PixelClassifier(estimator, features).fit(IMAGE, LABELS)
    assert model.score(IMAGE, TRUTH) > 0.75
    assert model.predict_proba(IMAGE).shape == (*IMAGE.shape, 2)


def test_probabilities_need_an_estimator_that_has_them():
    model = PixelClassifier(LinearSVC(), PixelFeatures(sigmas=[1]))
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model.fit(IMAGE, LABELS), "predict_proba")
    assert hasattr(PixelClassifier(), "predict_proba")


def test_parameters_of_parts():
    model = classifier()
    assert model.get_params()["features__sigma_max"] == 16
    model.set_params(features__sigmas=[3], estimator__n_estimators=3)
    model.fit(IMAGE, LABELS)
    assert len(model.estimator_.estimators_) == 3
    assert model.features_.sigmas_ == [(3, 3)]
    assert model.features_ is not model.features
    other = clone(model)
    assert other.get_params()["estimator__n_estimators"] == 3
    np.testing.assert_array_equal(other.fit(IMAGE, LABELS).predict(IMAGE), model.predict(IMAGE))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(IMAGE), model.predict(IMAGE))


def test_searches_over_lists_of_images():
    images, truths = zip(*(picture((30 + k, 36), k) for k in range(6)))
    labels = [scribbles(truth, 1, 0.2) for truth in truths]
    search = GridSearchCV(classifier(), {
        "features__features": [["gaussian"], ["structure_tensor_eigenvalues"]],
        "estimator__n_estimators": [4]}, cv=3)
    search.fit(list(images), labels)
    assert search.best_params_["features__features"] == ["structure_tensor_eigenvalues"]
    assert search.best_score_ > 0.75
    assert search.predict(list(images))[3].shape == (33, 36)
    scores = cross_val_score(classifier(), list(images), labels, cv=2)
    assert scores.shape == (2,)
    # Folds hold whole images: what scikit-learn stratifies by is not a list of images.
    assert not is_classifier(classifier())


def test_a_refused_fit_leaves_the_model():
    model = classifier().fit(IMAGE, LABELS)
    expected = model.predict(IMAGE)
    with pytest.raises(ValueError, match="negative"):
        model.fit(IMAGE, LABELS - 1)
    np.testing.assert_array_equal(model.predict(IMAGE), expected)


@pytest.mark.parametrize(("X", "y", "error", "message"), [
    (IMAGE, LABELS[1:], ValueError, r"y must be of the size \(70, 83\) of its image; got shape"),
    ([IMAGE, IMAGE], [LABELS, LABELS.T], ValueError, r"y\[1\] must be of the size \(70, 83\)"),
    ([IMAGE, IMAGE], [LABELS], ValueError, r"one label image for each of the 2 images; got 1"),
    ([IMAGE], LABELS, TypeError, r"y must be a list of label images, since X is a list"),
    (IMAGE, [LABELS], TypeError, r"y must be one label image, since X is one"),
    (IMAGE, np.zeros_like(LABELS), ValueError, r"y must label some pixels"),
    (IMAGE, LABELS - 1, ValueError, r"y must not hold negative labels; got -1"),
    (IMAGE, LABELS / 2, TypeError, r"y must hold integers, 0 where .* got float64"),
    (IMAGE * np.nan, LABELS, ValueError, r"X must not hold NaN"),
    (IMAGE[np.newaxis, np.newaxis], LABELS, ValueError, r"X must have 1 to 3 axes"),
])
def test_wrong_images_and_labels_are_refused(X, y, error, message):
    with pytest.raises(error, match=message):
        classifier().fit(X, y)


def test_wrong_parameters_are_refused():
    with pytest.raises(TypeError, match="features must be a PixelFeatures or None"):
        PixelClassifier(features=StandardScaler()).fit(IMAGE, LABELS)
    with pytest.raises(ValueError, match="working_memory must be positive"):
        classifier(working_memory=0).fit(IMAGE, LABELS)
    with pytest.raises(ValueError, match="sigma_max must be at least"):
        classifier().set_params(features__sigmas=None, features__sigma_max=0.1).fit(IMAGE, LABELS)
    with pytest.raises(NotFittedError):
        classifier().predict(IMAGE)
    model = classifier().fit(IMAGE, LABELS)
    with pytest.raises(ValueError, match="X must hold images like those of fit"):
        model.predict(np.ones((4, 5, 6)))
