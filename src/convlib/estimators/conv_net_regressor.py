"""ConvNetRegressor: a network of convolutions for numbers, trained by backpropagation."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from convlib._lazy import takes_dask
from convlib.estimators import _training as training
from convlib.estimators._conv_net import ConvNet
from convlib.estimators._progress import with_callbacks

__all__ = ["ConvNetRegressor"]


class ConvNetRegressor(RegressorMixin, ConvNet):
    """Predict numbers from images by a network of convolutions, trained by backpropagation.

    What scikit-learn's MLPRegressor is for rows, with the same words: half the mean squared error
    is made small. Targets should be scaled to about one. The result does not depend on the number
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
    working_memory : float, default=None
        MiB for the maps of a block of images in `predict`; None is scikit-learn's setting.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.

    Attributes
    ----------
    n_outputs_ : int
        Numbers that are predicted for an image.
    coefs_ : dict of str to ndarray
        Weights, biases and running means by number of the layer and name, as ``0.kernel``.
    layers_ : list of layers
        All of them.
    loss_ : float
        The last of `loss_curve_`.
    loss_curve_ : list of float
        Mean loss of each epoch, with the penalty.
    validation_scores_ : list of float or None
        R squared of the images set aside; None without early stopping.
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
    ConvNetClassifier : For classes.

    Examples
    --------
    Where is the bright pixel?

    >>> import numpy as np
    >>> from convlib import ConvNetRegressor
    >>> places = np.random.default_rng(0).integers(0, 12, 300)
    >>> X = np.eye(12, dtype=np.float32)[places][:, :, np.newaxis]
    >>> network = ConvNetRegressor((8,), kernel_size=(3,), learning_rate_init=0.01, random_state=0)
    >>> network.fit(X, places / 12).score(X, places / 12) > 0.95
    True
    """

    def __init__(
        self, hidden_channels=(32, 64), *, layers=None, kernel_size=3, activation="relu",
        image_shape=None, scale=None, solver="adam", alpha=1e-4, batch_size="auto",
        learning_rate="constant", learning_rate_init=1e-3, power_t=0.5, max_iter=50, shuffle=True,
        random_state=None, tol=1e-4, verbose=0, warm_start=False, momentum=0.9,
        nesterovs_momentum=True, early_stopping=False, validation_fraction=0.1, beta_1=0.9,
        beta_2=0.999, epsilon=1e-8, n_iter_no_change=10, working_memory=None,
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

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images.
        y : array-like of shape (n_images,) or (n_images, n_outputs)
            What to predict.
        sample_weight : array-like of shape (n_images,), default=None
            What each image counts.

        Returns
        -------
        self : ConvNetRegressor
            The fitted regressor.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def partial_fit(self, X, y, sample_weight=None):
        """Go over some images once.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images.
        y : array-like of shape (n_images,) or (n_images, n_outputs)
            What to predict.
        sample_weight : array-like of shape (n_images,), default=None
            What each image counts.

        Returns
        -------
        self : ConvNetRegressor
            The regressor.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    @takes_dask("samples")
    def predict(self, X):
        """Return the predicted numbers.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images of the shape of those of `fit`.

        Returns
        -------
        numbers : ndarray of shape (n_images,) or (n_images, n_outputs)
            As y was in `fit`.
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self._is_flat else outputs

    @property
    def _n_outputs(self):
        return self.n_outputs_

    def _targets(self, y, n_samples, reset):
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        if y.ndim > 1 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_consistent_length(np.empty(n_samples), y)
        is_flat, rows = y.ndim == 1, y.reshape(len(y), -1)
        if reset:
            self._is_flat, self.n_outputs_ = is_flat, rows.shape[1]
        elif rows.shape[1] != self.n_outputs_:
            raise ValueError(f"y must have {self.n_outputs_} numbers for each image, as before; "
                             f"got {rows.shape[1]}")
        return rows

    def _split(self, y, random_state):
        return train_test_split(
            np.arange(len(y)), test_size=self.validation_fraction, random_state=random_state)

    def _loss(self, outputs, targets, weights):
        return training.squared_error(outputs, targets.astype(outputs.dtype), weights)

    def _validation_score(self, outputs, targets, weights):
        if len(targets) < 2:
            return 0.0    # there is no variance; the loss decides
        return float(r2_score(targets, outputs, sample_weight=weights))
