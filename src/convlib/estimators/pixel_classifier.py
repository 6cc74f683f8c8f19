"""PixelClassifier: a classifier of pixels, from few labelled ones, by tiles."""

from functools import partial

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._tiling.boxes import tiles
from convlib.estimators._pixel_images import boxes_around
from convlib.estimators._settings import memory_bytes
from convlib.estimators._tiles import PixelsCall
from convlib.estimators.pixel_features import PixelFeatures

__all__ = ["PixelClassifier"]

VALUE_BYTES = 8     # of a probability
COPIES = 4          # of the probabilities that an estimator may have at a time


def _has(name):
    """Return a check whether the estimator has a method."""
    def has(self):
        estimator = getattr(self, "estimator_", self.estimator)
        getattr(RandomForestClassifier if estimator is None else estimator, name)
        return True
    return has


class PixelClassifier(MetaEstimatorMixin, BaseEstimator):
    """Segmentation of images by a classifier of pixels, trained on few labelled ones.

    `fit` computes features at the labelled pixels only, in crops around them; `predict` goes
    through an image tile by tile. Each crop has the surroundings that its features depend on, so
    tiles have no seams: their size does not change the features, bit by bit.

    Parameters
    ----------
    estimator : classifier, default=None
        What learns from rows of features and predicts labels. None is
        ``RandomForestClassifier()``.
    features : PixelFeatures, default=None
        The features of pixels. None is ``PixelFeatures()``.
    working_memory : float, default=None
        MiB that `fit` and `predict` may take for a tile, its features and its predictions, as far
        as tiles can be small enough. None is scikit-learn's setting of that name.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    features_ : PixelFeatures
        The fitted features.
    classes_ : ndarray of shape (n_classes,)
        The labels, without 0.

    See Also
    --------
    PixelFeatures : The features, as a transformer.

    Notes
    -----
    Images are samples for `sklearn.model_selection`: pass lists of images and of label images to
    ``GridSearchCV``, and each fold has whole images; an int `cv` means folds in order. `score` is
    the share of labelled pixels that are predicted right. Parameters of parts are reached as
    ``features__sigma_max`` and ``estimator__n_estimators`` where the parts are given.

    Predictions do not depend on tiles as long as the classifier predicts a row without regard to
    the others, as trees do; those that multiply matrices may round differently.

    References
    ----------
    .. [1] C. Sommer, C. Straehle, U. Koethe and F. Hamprecht, "ilastik: Interactive learning and
       segmentation toolkit", ISBI 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import PixelClassifier, PixelFeatures
    >>> rng = np.random.default_rng(0)
    >>> image = rng.normal(size=(64, 64))
    >>> image[:, 32:] *= 3                          # smooth on the left, rough on the right
    >>> labels = np.zeros((64, 64), int)            # 0 where nobody has drawn
    >>> labels[8:12, 5:25], labels[50:54, 40:60] = 1, 2
    >>> model = PixelClassifier(features=PixelFeatures("ilastik", sigmas=[2, 4]))
    >>> segmented = model.fit(image, labels).predict(image)
    >>> segmented.shape, bool((segmented[:, :24] == 1).mean() > 0.8)
    ((64, 64), True)
    """

    def __init__(self, estimator=None, features=None, *, working_memory=None):
        self.estimator = estimator
        self.features = features
        self.working_memory = working_memory

    def fit(self, X, y):
        """Train the classifier on the labelled pixels.

        Parameters
        ----------
        X : array-like of shape (*size) or with channels along `channel_axis`, or a list of them
            An image, or images of any sizes.
        y : array-like of int of shape (*size), or a list of them
            Label images of the same sizes: 0 where a pixel is not labelled, else its class.

        Returns
        -------
        self : estimator
            The fitted estimator.
        """
        self._budget()
        features = PixelFeatures() if self.features is None else clone(self.features)
        if not isinstance(features, PixelFeatures):
            raise TypeError(check.refusal("features", "a PixelFeatures or None", self.features))
        features.fit(X)
        rows, labels = self._labelled_rows(features, X, y)
        estimator = RandomForestClassifier() if self.estimator is None else clone(self.estimator)
        self.estimator_, self.features_ = estimator.fit(rows, labels), features
        self.classes_ = self.estimator_.classes_
        return self

    @takes_dask("pixels")
    def predict(self, X):
        """Return label images.

        Parameters
        ----------
        X : array-like of shape (*size) or with channels along `channel_axis`, or a list of them
            An image, or images of any sizes, with the axes and channels seen in `fit`.

        Returns
        -------
        labels : ndarray of shape (*size), or a list of them
            The class of each pixel; a list where X is one.
        """
        check_is_fitted(self)
        return self._by_tiles(X, self.estimator_.predict, (), self.classes_.dtype)

    @available_if(_has("predict_proba"))
    @takes_dask("pixels")
    def predict_proba(self, X):
        """Return the probability of each class at each pixel.

        Parameters
        ----------
        X : array-like of shape (*size) or with channels along `channel_axis`, or a list of them
            An image, or images of any sizes, with the axes and channels seen in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (*size, n_classes), or a list of them
            In the order of `classes_`; a list where X is one.
        """
        check_is_fitted(self)
        return self._by_tiles(X, self.estimator_.predict_proba, (len(self.classes_),), None)

    def score(self, X, y):
        """Return the share of labelled pixels that are predicted right.

        Parameters
        ----------
        X : array-like of shape (*size) or with channels along `channel_axis`, or a list of them
            An image, or images of any sizes.
        y : array-like of int of shape (*size), or a list of them
            Label images of the same sizes, 0 where a pixel does not count.

        Returns
        -------
        score : float
            Features are computed at the labelled pixels only.
        """
        check_is_fitted(self)
        rows, labels = self._labelled_rows(self.features_, X, y)
        return float(np.mean(self.estimator_.predict(rows) == labels))

    @property
    def halo(self):
        """Pixels before and after a pixel, along each axis, that its prediction depends on."""
        check_is_fitted(self)
        return self.features_.halo

    def _tiled_call(self, method="predict"):
        """Return the call that is made of tiles of large images."""
        check_is_fitted(self)
        predict = getattr(self.estimator_, method)
        return PixelsCall(self.features_, predict, len(self.classes_))

    def _budget(self):
        """Return the bytes that one tile may take."""
        return memory_bytes(self.working_memory, get_config()["working_memory"])

    def _labelled_rows(self, features, X, y):
        """Return the features and the labels of all labelled pixels, in the pixels' order."""
        images, is_list = features._images(X)
        labels = _label_images(y, images, is_list)
        places = [np.argwhere(one) for one in labels]
        counts = [len(one) for one in places]
        if not sum(counts):
            raise ValueError("y must label some pixels; got label images of 0 only")
        dtype = np.result_type(*(features._dtype_of(image) for image in images))
        rows, last = np.empty((sum(counts), features._n_features), dtype), 0
        budget = self._budget()
        for image, where, count in zip(images, places, counts):
            first, last = last, last + count
            own = rows[first:last]
            if not count:
                continue
            for index, box in boxes_around(where, features.halo, partial(
                features._crop_bytes, image.size, itemsize=dtype.itemsize), budget,
            ):
                own[index] = features._rows_at(image, box, where[index], dtype)
        found = [one[tuple(where.T)] for one, where in zip(labels, places)]
        return rows, np.concatenate(found)

    def _by_tiles(self, X, predict, shape, dtype):
        """Return what `predict` makes of the features of all pixels, values of `shape` each."""
        images, is_list = self.features_._images(X)
        results = [self._of_image(image, predict, shape, dtype) for image in images]
        return results if is_list else results[0]

    def _of_image(self, image, predict, shape, dtype):
        """Return the predictions of one image."""
        features = self.features_
        own = features._dtype_of(image)
        n_bytes = features._n_features * own.itemsize \
            + COPIES * len(self.classes_) * VALUE_BYTES
        out = None
        for box in tiles(image.size, features._tile(image, self._budget(), n_bytes)):
            size = tuple(one.stop - one.start for one in box)
            rows = np.empty((*size, features._n_features), own)
            features._fill(image, box, rows, own)
            part = predict(rows.reshape(-1, features._n_features))
            if out is None:
                out = np.empty((*image.size, *shape), dtype or part.dtype)
            out[box] = part.reshape(*size, *shape)
        return out


def _label_images(y, images, is_list):
    """Return the label images of images, of the same sizes."""
    if is_list != isinstance(y, (list, tuple)):
        kinds = ("a list of label images, since X is a list", "one label image, since X is one")
        raise TypeError(f"y must be {kinds[0] if is_list else kinds[1]}; got {type(y).__name__}")
    entries = list(y) if is_list else [y]
    if len(entries) != len(images):
        raise ValueError(f"y must hold one label image for each of the {len(images)} images; got "
                         f"{len(entries)}")
    labels = []
    for image, entry in zip(images, entries):
        name = "y" + image.name[1:]
        array = check.numeric_array(name, entry)
        if array.dtype.kind not in "iub":
            raise TypeError(f"{name} must hold integers, 0 where a pixel is not labelled; got "
                            f"{array.dtype}")
        if array.shape != image.size:
            raise ValueError(f"{name} must be of the size {image.size} of its image; got shape "
                             f"{array.shape}")
        if array.dtype.kind == "i" and array.size and array.min() < 0:
            raise ValueError(f"{name} must not hold negative labels; got {array.min()}")
        labels.append(array)
    return labels
