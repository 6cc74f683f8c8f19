"""What ConvNetClassifier and ConvNetRegressor share: layers, trained, and run in blocks."""

import copy
from contextlib import nullcontext
from math import ceil

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from convlib import _validation as check
from convlib._layers import chain, table
from convlib._layers.insight import layer_number
from convlib._layers.network import BLOCK_BYTES
from convlib.estimators import _training as training
from convlib.estimators._conv_network import ConvNetwork
from convlib.estimators._images import as_images, full_shape
from convlib.estimators._net_features import NetFeatures
from convlib.estimators._progress import CallbackSupportMixin, FitSteps, shown
from convlib.estimators._settings import all_or_nothing, finite_factor, memory_bytes
from convlib.layers import Conv, Dense, Flatten, MaxPool

# Their slopes follow from their outputs.
ACTIVATIONS = (None, "relu", "relu6", "leaky_relu", "sigmoid", "tanh")
MOST_BATCH = 200                 # of batch_size="auto", as in scikit-learn


class ConvNet(CallbackSupportMixin, BaseEstimator):
    """A network of convolutions that is trained by backpropagation.

    A subclass has `_targets(y, reset)`, `_n_outputs`, `_loss(outputs, targets, weights)` and
    `_validation_score(outputs, targets, weights)`.
    """

    def __init__(self, hidden_channels=(32, 64), *, layers=None, kernel_size=3, activation="relu",
                 image_shape=None, scale=None, solver="adam", alpha=1e-4, batch_size="auto",
                 learning_rate="constant", learning_rate_init=1e-3, power_t=0.5, max_iter=50,
                 shuffle=True, random_state=None, tol=1e-4, verbose=0, warm_start=False,
                 momentum=0.9, nesterovs_momentum=True, early_stopping=False,
                 validation_fraction=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-8,
                 n_iter_no_change=10, working_memory=None, n_threads=None):
        self.hidden_channels = hidden_channels
        self.layers = layers
        self.kernel_size = kernel_size
        self.activation = activation
        self.image_shape = image_shape
        self.scale = scale
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.working_memory = working_memory
        self.n_threads = n_threads

    def summary(self, input_shape=None):
        """Print a table of the layers: shapes, parameters, multiply-adds, receptive fields.

        Parameters
        ----------
        input_shape : tuple of int, default=None
            Spatial axes and channels. None is that of `fit`, or `image_shape`.
        """
        print(table.as_text(*self._described(input_shape)))

    def as_transformer(self, layer=-2):
        """Return a transformer whose features are the outputs of a layer of the fitted network.

        Its weights are those of now: what the network learns later does not change it, nor does
        its own `fit`, and `clone` keeps it fitted.

        Parameters
        ----------
        layer : int, default=-2
            Number of the layer in `layers_`; -2 is what the last one gets, -1 its outputs.

        Returns
        -------
        transformer : NetFeatures
            A fitted step of a Pipeline. Features are rows; maps have all channels of a pixel, then
            those of the next.
        """
        check_is_fitted(self)
        number = layer_number(layer, len(self.layers_))
        kept = copy.copy(self)
        kept._network, kept._optimizer = copy.deepcopy(self._network), None
        kept.coefs_ = kept._network.arrays
        return NetFeatures(kept, number)

    def _kernel_pictures(self):
        """Return the kernels of the first convolution, and None for their names."""
        for name, array in self.coefs_.items():
            if name.endswith("kernel"):
                return array, None
        raise TypeError("estimator must have a convolution; got layers without kernels")

    def _html_repr(self):
        """Return the picture of the estimator with the table of its layers below."""
        html = super()._html_repr()
        try:
            layers, shape = self._described(None)
            return f"{html}<details><summary>Layers</summary>{table.as_html(layers, shape)}" \
                   "</details>"
        except (TypeError, ValueError):
            return html    # what X will be like is not known, or parameters are wrong

    def _described(self, input_shape):
        """Return the layers and the shape that goes in."""
        if hasattr(self, "_network"):
            return self._network.layers, input_shape or self.input_shape_
        shape = input_shape or self.image_shape
        if shape is None:
            raise ValueError("input_shape must be given, or image_shape, before fit")
        shape = full_shape(shape, self._rank())
        return self._hidden_layers(), shape

    def _rank(self):
        entries = check.as_entries(self.kernel_size)
        rank = 2 if entries is None else len(entries)
        check.axis_ints("kernel_size", self.kernel_size, min(max(rank, 1), 3), 1)
        return rank

    def _hidden_layers(self):
        """Return the layers before the last one."""
        if self.layers is not None:
            layers = chain.check_layers("layers", self.layers)
            if not layers:
                raise ValueError("layers must hold at least one layer; got none")
            return layers
        activation = check.choice("activation", self.activation, ACTIVATIONS)
        channels = check.as_entries(self.hidden_channels)
        channels = (self.hidden_channels,) if channels is None else channels
        layers = []
        for number, n_channels in enumerate(channels):
            n_channels = check.integer(f"hidden_channels[{number}]", n_channels, 1)
            layers += [Conv(n_channels, self.kernel_size, activation=activation),
                       MaxPool(ceil_mode=True)]
        return tuple(layers)

    def _all_layers(self, input_shape):
        """Return the layers with the last one, which gives as many outputs as are wanted."""
        layers = self._hidden_layers()
        flat = () if len(chain.shapes_through(layers, input_shape)[-1]) == 1 else (Flatten(),)
        return (*layers, *flat, Dense(self._n_outputs))

    def _check_settings(self):
        check.choice("solver", self.solver, ("adam", "sgd"))
        check.non_negative("alpha", self.alpha)
        if self.batch_size != "auto":
            check.integer("batch_size", self.batch_size, 1)
        check.choice("learning_rate", self.learning_rate, training.SCHEDULES)
        check.positive_number("learning_rate_init", self.learning_rate_init)
        check.finite_number("power_t", self.power_t)
        check.integer("max_iter", self.max_iter, 1)
        check.non_negative("tol", self.tol)
        check.verbosity(self.verbose)
        check.integer("n_iter_no_change", self.n_iter_no_change, 1)
        for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
            check.flag(name, getattr(self, name))
        for name in ("momentum", "beta_1", "beta_2"):
            check.share(name, getattr(self, name))
        check.positive_number("epsilon", self.epsilon)
        share = check.real_number("validation_fraction", self.validation_fraction, "a number")
        if not 0 < share < 1:
            raise ValueError(f"validation_fraction must be between 0 and 1; got {share}")
        memory_bytes(self.working_memory, get_config()["working_memory"])
        check.threads(self.n_threads)

    def _fit(self, X, y, sample_weight, incremental):
        with all_or_nothing(self):
            return self._learn(X, y, sample_weight, incremental)

    def _learn(self, X, y, sample_weight, incremental):
        self._check_settings()
        rank = self._rank()
        goes_on = hasattr(self, "_network") and (incremental or self.warm_start)
        images = as_images(self, X, rank, self.image_shape, reset=not goes_on)
        y = self._targets(y, len(images), reset=not goes_on)
        weights = self._weights(sample_weight, y, images)
        random_state = check_random_state(self.random_state)
        if not goes_on:
            self.input_shape_ = images.shape
            self._network = ConvNetwork(
                self._all_layers(images.shape), images.shape, training.generator(random_state),
                images.dtype, None)
            self.loss_curve_, self.validation_scores_ = [], None
            self.n_iter_, self._optimizer, self._rng = 0, None, None
        elif images.shape != self.input_shape_:
            raise ValueError(f"X must hold images of shape {self.input_shape_}, as before; got "
                             f"{images.shape}")
        network = self._network
        network.unsettle()
        network.n_threads = check.threads(self.n_threads)
        if self._optimizer is None or not incremental:
            self._optimizer = self._new_optimizer(network)
        if self._rng is None or not incremental:
            self._rng = training.generator(random_state)
        taught, validate = np.arange(len(images)), None
        if self.early_stopping and not incremental:
            taught, aside = self._split(y, random_state)
            validate = self._validation(images, y, weights, aside)
        load = self._loader(images)
        network.load = lambda batch: load(taught[batch])

        def loss_of(outputs, batch):
            rows = taught[batch]
            return self._loss(outputs, y[rows], None if weights is None else weights[rows])

        network.loss_of = loss_of
        most = MOST_BATCH if self.batch_size == "auto" else self.batch_size
        # As many batches, all of about one size: the statistics of a small one at the end of each
        # epoch would be noise that BatchNorm keeps.
        size = ceil(len(taught) / ceil(len(taught) / most))
        n_epochs = 1 if incremental else self.max_iter
        steps = nullcontext() if incremental else FitSteps(self, n_epochs, X, y, name="epoch")
        with steps as epochs:
            try:
                history = training.train(
                    network, self._optimizer,
                    training.minibatches(len(taught), size, self.shuffle), max_epochs=n_epochs,
                    rng=self._rng, validate=validate,
                    patience=None if incremental else self.n_iter_no_change, tol=self.tol,
                    schedule=self.learning_rate, power=self.power_t, progress=epochs,
                    verbose=int(self.verbose))
            finally:
                network.settle()
            self.loss_curve_ = [*self.loss_curve_, *history.losses]
            self.loss_, self.n_iter_ = self.loss_curve_[-1], self.n_iter_ + history.n_epochs
            self.best_iter_ = self.n_iter_
            if validate is not None:
                self.validation_scores_ = history.scores
                self.best_iter_ += history.best_epoch + 1 - history.n_epochs
            self.coefs_ = network.arrays
            self.layers_ = list(network.layers)
        return self

    def _weights(self, sample_weight, y, images):
        """Return what each sample counts, or None."""
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, np.empty((len(images), 0)), dtype=np.float64)

    def _new_optimizer(self, network):
        decays = network.decays(self.alpha)
        if self.solver == "adam":
            return training.Adam(network.parameters, self.learning_rate_init, self.beta_1,
                                 self.beta_2, self.epsilon, l2=decays)
        return training.SGD(network.parameters, self.learning_rate_init, self.momentum,
                            self.nesterovs_momentum and self.momentum > 0, l2=decays)

    def _factor(self):
        return 1.0 if self.scale is None else finite_factor("scale", self.scale)

    def _loader(self, images):
        """Return the function that gives images by their numbers, scaled."""
        factor, dtype = self._factor(), self._network.dtype

        def load(rows):
            batch = images.rows(rows, dtype)
            return batch if factor == 1 else batch * dtype.type(factor)
        return load

    def _validation(self, images, y, weights, aside):
        """Return the function that measures the network on images that were set aside."""
        shares = None if weights is None or not weights[aside].any() else weights[aside]

        def validate():
            outputs = self._run(images, aside)
            loss, _ = self._loss(outputs, y[aside], shares)
            return self._validation_score(outputs, y[aside], shares), loss
        return validate

    def _run(self, images, rows=None, n_layers=None, progress=None):
        """Return the outputs for images, of those with the numbers `rows`."""
        rows = np.arange(len(images)) if rows is None else rows
        network, n_threads = self._network, check.threads(self.n_threads)
        budget = min(BLOCK_BYTES, memory_bytes(
            self.working_memory, get_config()["working_memory"]))
        step, load = network.block_images(budget), self._loader(images)
        shape = network.shapes[-1 if n_layers is None else n_layers]
        out = np.empty((len(rows), *shape), network.dtype)
        for first in range(0, len(rows), step):
            block = rows[first:first + step]
            out[first:first + step] = network.block_outputs(load(block), n_threads, n_layers)
            if progress is not None:
                progress.advance(len(block))
        return out

    def _outputs(self, X, n_layers=None):
        """Return the outputs of the network for X."""
        check_is_fitted(self)
        images = as_images(self, X, self._rank(), self.image_shape, reset=False)
        if images.shape != self.input_shape_:
            raise ValueError(f"X must hold images like those of fit, of shape "
                             f"{self.input_shape_}; got {images.shape}")
        with shown(self, len(images), "images") as progress:
            return self._run(images, n_layers=n_layers, progress=progress)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
