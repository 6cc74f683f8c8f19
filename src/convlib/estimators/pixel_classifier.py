"""PixelClassifier: a classifier of pixels, from few labelled ones, by tiles."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._tiling.boxes import n_pixels, tiles
from convlib.estimators._pixel_images import PixelImage, boxes_around
from convlib.estimators._progress import CallbackSupportMixin, FitSteps, shown, with_callbacks
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


class PixelClassifier(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
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
    verbose : int, default=0
        Whether prediction tells how far it is, in pixels, on the standard error, and `fit`, in
        steps: crops around labelled pixels, and one for the classifier. scikit-learn's callbacks
        see them where it has callbacks.

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

    def __init__(self, estimator=None, features=None, *, working_memory=None, verbose=0):
        self.estimator = estimator
        self.features = features
        self.working_memory = working_memory
        self.verbose = verbose

    @with_callbacks
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
        check.verbosity(self.verbose)
        features = PixelFeatures() if self.features is None else clone(self.features)
        if not isinstance(features, PixelFeatures):
            raise TypeError(check.refusal("features", "a PixelFeatures or None", self.features))
        features.fit(X)
        labelled = self._labelled(features, X, y)
        estimator = RandomForestClassifier() if self.estimator is None else clone(self.estimator)
        with FitSteps(self, len(labelled.crops) + 1, X, y, unit="steps") as steps:
            rows = labelled.rows(features, steps)
            self.estimator_, self.features_ = estimator.fit(rows, labelled.labels), features
            steps()
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
        labelled = self._labelled(self.features_, X, y)
        with shown(self, len(labelled.crops), "crops") as progress:
            rows = labelled.rows(self.features_, progress.advance)
        return float(np.mean(self.estimator_.predict(rows) == labelled.labels))

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

    def _labelled(self, features, X, y):
        """Return all labelled pixels, and the crops in which their features are computed."""
        images, is_list = features._images(X)
        labels = _label_images(y, images, is_list)
        places = [np.argwhere(one) for one in labels]
        if not sum(map(len, places)):
            raise ValueError("y must label some pixels; got label images of 0 only")
        dtype = np.result_type(*(features._dtype_of(image) for image in images))
        crops, first, budget = [], 0, self._budget()
        for image, where in zip(images, places):
            if len(where):
                crops += [Crop(image, box, first + index, where[index]) for index, box in
                          boxes_around(where, features.halo, partial(
                              features._crop_bytes, image.size, itemsize=dtype.itemsize), budget)]
            first += len(where)
        found = [one[tuple(where.T)] for one, where in zip(labels, places)]
        return Labelled(crops, np.concatenate(found), dtype)

    def _by_tiles(self, X, predict, shape, dtype):
        """Return what `predict` makes of the features of all pixels, values of `shape` each."""
        images, is_list = self.features_._images(X)
        with shown(self, sum(n_pixels(image.box) for image in images), "pixels") as progress:
            results = [self._of_image(image, predict, shape, dtype, progress) for image in images]
        return results if is_list else results[0]

    def _of_image(self, image, predict, shape, dtype, progress):
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
            progress.advance(n_pixels(box))
        return out


class Crop(NamedTuple):
    """Some labelled pixels of an image."""

    image: PixelImage
    box: tuple            # around them
    index: np.ndarray     # among all labelled pixels
    places: np.ndarray    # (n, axes)


@dataclass(frozen=True)
class Labelled:
    """Labelled pixels in the pixels' order, and the crops they lie in."""

    crops: list
    labels: np.ndarray
    dtype: np.dtype    # of features

    def rows(self, features, advance):
        """Return the features of the pixels; `advance` is called after each crop."""
        rows = np.empty((len(self.labels), features._n_features), self.dtype)
        for crop in self.crops:
            rows[crop.index] = features._rows_at(crop.image, crop.box, crop.places, self.dtype)
            advance()
        return rows


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
