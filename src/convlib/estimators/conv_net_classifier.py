"""ConvNetClassifier: a network of convolutions with a softmax, trained by backpropagation."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

from convlib._lazy import takes_dask
from convlib.estimators import _training as training
from convlib.estimators._conv_net import ConvNet
from convlib.estimators._progress import with_callbacks

__all__ = ["ConvNetClassifier"]


class ConvNetClassifier(ClassifierMixin, ConvNet):
    """Classify images by a network of convolutions that is trained by backpropagation.

    What scikit-learn's MLPClassifier is for rows, with the same words. float32 images are computed
    in float32, which is about twice as fast as float64. The result does not depend on the number
    of threads, bit by bit.

    Parameters
    ----------
    hidden_channels : sequence of int, default=(32, 64)
        For each a convolution with as many kernels, the activation, and a maximum over windows of
        2 pixels along each axis. Not used where `layers` are given.
    layers : list of layers of convlib.layers, default=None
        What comes before the last layer, which is always a `Dense` one, with `Flatten` before it
        where that is needed.
    kernel_size : int or tuple of int, default=3
        Of `hidden_channels`. An int means images of two spatial axes; a tuple of one, two or three
        numbers tells that X holds signals, images or volumes, where `layers` are given too.
    activation : {'relu', 'relu6', 'leaky_relu', 'sigmoid', 'tanh', None}, default='relu'
        Of `hidden_channels`.
    image_shape : tuple of int, default=None
        Spatial axes and channels of images that come as flat rows.
    scale : float, default=None
        Factor of X, such as ``1 / 255``; None is 1.
    solver : {'adam', 'sgd'}, default='adam'
        Optimiser.
    alpha : float, default=0.0001
        ``alpha / 2`` times the sum of the squares of all weights is added to the mean loss.
    batch_size : int or 'auto', default='auto'
        Images of a step at most; all steps of an epoch take about as many. 'auto' is 200.
    learning_rate : {'constant', 'invscaling', 'adaptive'}, default='constant'
        Whether the size of the steps is divided by ``epoch ** power_t``, or by 5 where training
        would have stopped, as long as it is above 1e-6.
    learning_rate_init : float, default=0.001
        Size of the first steps.
    power_t : float, default=0.5
        Of 'invscaling'.
    max_iter : int, default=50
        Epochs: how often to go over all images.
    shuffle : bool, default=True
        Whether each epoch has an order of its own.
    random_state : int, RandomState instance or None, default=None
        For the first weights, the order, dropout and the images set aside.
    tol : float, default=0.0001
        By how much the loss, or the validation score, must get better to count.
    verbose : int, default=0
        Print the loss every so many epochs, and tell in prediction how many images are done, on the
        standard error. scikit-learn's callbacks see each epoch where it has them.
    warm_start : bool, default=False
        Whether `fit` goes on with the weights of the last one.
    momentum : float, default=0.9
        Of 'sgd'.
    nesterovs_momentum : bool, default=True
        Whether it is Nesterov's.
    early_stopping : bool, default=False
        Whether to set images aside, stop when the score there no longer gets better, and keep
        the best weights. Without it training stops when the loss no longer gets better.
    validation_fraction : float, default=0.1
        Share of the images that is set aside.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of 'adam'.
    n_iter_no_change : int, default=10
        How many epochs to wait for something better.
    class_weight : dict, 'balanced' or None, default=None
        What the images of each class count; 'balanced': all classes the same.
    working_memory : float, default=None
        MiB for the maps of a block of images in `predict`; None is scikit-learn's setting.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    coefs_ : dict of str to ndarray
        Weights, biases and running means by number of the layer and name, as ``0.kernel``.
    layers_ : list of layers
        All of them.
    loss_ : float
        The last of `loss_curve_`.
    loss_curve_ : list of float
        Mean loss of each epoch, with the penalty.
    validation_scores_ : list of float or None
        Accuracy of the images set aside; None without early stopping.
    n_iter_ : int
        Epochs that were run.
    best_iter_ : int
        The epoch whose weights were kept, from 1 on.
    input_shape_ : tuple of int
        Spatial axes and channels of an image.
    n_features_in_ : int
        Number of columns of flat X, or values along the first axis of an image.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it has any.

    See Also
    --------
    ConvNetRegressor : For numbers.
    ConvFeatures : One layer, as features for another classifier.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from convlib import ConvNetClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> network = ConvNetClassifier(
    ...     (16, 32), image_shape=(8, 8), scale=1 / 16, batch_size=32, random_state=0)
    >>> network.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.9
    True
    """

    def __init__(
        self, hidden_channels=(32, 64), *, layers=None, kernel_size=3, activation="relu",
        image_shape=None, scale=None, solver="adam", alpha=1e-4, batch_size="auto",
        learning_rate="constant", learning_rate_init=1e-3, power_t=0.5, max_iter=50, shuffle=True,
        random_state=None, tol=1e-4, verbose=0, warm_start=False, momentum=0.9,
        nesterovs_momentum=True, early_stopping=False, validation_fraction=0.1, beta_1=0.9,
        beta_2=0.999, epsilon=1e-8, n_iter_no_change=10, class_weight=None, working_memory=None,
        n_threads=None,
    ):
        super().__init__(
            hidden_channels, layers=layers, kernel_size=kernel_size, activation=activation,
            image_shape=image_shape, scale=scale, solver=solver, alpha=alpha,
            batch_size=batch_size, learning_rate=learning_rate,
            learning_rate_init=learning_rate_init, power_t=power_t, max_iter=max_iter,
            shuffle=shuffle, random_state=random_state, tol=tol, verbose=verbose,
            warm_start=warm_start, momentum=momentum, nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping, validation_fraction=validation_fraction, beta_1=beta_1,
            beta_2=beta_2, epsilon=epsilon, n_iter_no_change=n_iter_no_change,
            working_memory=working_memory, n_threads=n_threads)
        self.class_weight = class_weight

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images.
        y : array-like of shape (n_images,)
            Their classes.
        sample_weight : array-like of shape (n_images,), default=None
            What each image counts.

        Returns
        -------
        self : ConvNetClassifier
            The fitted classifier.
        """
        self._wanted = None
        return self._fit(X, y, sample_weight, incremental=False)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go over some images once.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images.
        y : array-like of shape (n_images,)
            Their classes.
        classes : array-like of shape (n_classes,), default=None
            All classes there will be; needed in the first call.
        sample_weight : array-like of shape (n_images,), default=None
            What each image counts.

        Returns
        -------
        self : ConvNetClassifier
            The classifier.
        """
        if classes is None and not hasattr(self, "_network"):
            raise ValueError("classes must be given in the first call of partial_fit")
        if classes is not None and hasattr(self, "_network") \
                and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes must be those of before, {self.classes_}; got {classes}")
        self._wanted = None if classes is None else np.unique(classes)
        return self._fit(X, y, sample_weight, incremental=True)

    @takes_dask("samples")
    def decision_function(self, X):
        """Return the scores of the classes before the softmax.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images of the shape of those of `fit`.

        Returns
        -------
        scores : ndarray of shape (n_images, n_classes) or (n_images,)
            For two classes, by how much the score of the second one is larger.
        """
        scores = self._outputs(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    @takes_dask("samples")
    def predict_proba(self, X):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images of the shape of those of `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_images, n_classes)
            In the order of `classes_`.
        """
        return training.softmax(self._outputs(X))

    @takes_dask("samples")
    def predict(self, X):
        """Return the most probable classes.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images of the shape of those of `fit`.

        Returns
        -------
        classes : ndarray of shape (n_images,)
            Of `classes_`.
        """
        # Asked for first, so that an estimator that was not fitted says so.
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]

    @property
    def _n_outputs(self):
        return len(self.classes_)

    def _targets(self, y, n_samples, reset):
        y = column_or_1d(validate_data(self, y=y), warn=True)
        check_consistent_length(np.empty(n_samples), y)
        check_classification_targets(y)
        found = np.unique(y)
        if reset:
            self.classes_ = found if self._wanted is None else self._wanted
        unknown = np.setdiff1d(found, self.classes_)
        if len(unknown):
            raise ValueError(f"y must hold the classes {self.classes_} only; got {unknown}")
        return np.searchsorted(self.classes_, y)

    def _weights(self, sample_weight, y, images):
        weights = super()._weights(sample_weight, y, images)
        if self.class_weight is None:
            return weights
        present = np.unique(y)
        factors = np.ones(len(self.classes_))
        factors[present] = compute_class_weight(
            self.class_weight, classes=self.classes_[present], y=self.classes_[y],
            **({} if weights is None or self.class_weight != "balanced"
               else {"sample_weight": weights}))
        return factors[y] if weights is None else weights * factors[y]

    def _split(self, y, random_state):
        return train_test_split(np.arange(len(y)), test_size=self.validation_fraction, stratify=y,
                                random_state=random_state)

    def _loss(self, outputs, codes, weights):
        return training.softmax_cross_entropy(outputs, codes, weights)

    def _validation_score(self, outputs, codes, weights):
        return float(np.average(outputs.argmax(axis=1) == codes, weights=weights))
