"""What ConvFeatures and DeformConvFeatures share: images in, layers run in blocks, features out."""

from itertools import product
from math import prod

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib.estimators import _images
from convlib.estimators._layer import BLOCK_BYTES
from convlib.estimators._progress import CallbackSupportMixin, FitSteps, shown, with_callbacks
from convlib.estimators._settings import all_or_nothing, memory_bytes
from convlib.estimators._tiles import LayersCall


class LayerTransformer(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """A transformer whose features are those of one `Layer`, or of several side by side.

    A subclass has `_checked_settings()`, `_learn(images, random_state, y, progress)`, which sets
    what is learnt, `_make_layers(dtype)` and `_kernel_names()`.
    """

    @with_callbacks
    def fit(self, X, y=None):
        """Draw or learn the kernels.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images; a list of images of different sizes where ``pool_size='global'``.
        y : array-like of shape (n_images,), default=None
            Classes; used by ``kernels='backprop'`` only.

        Returns
        -------
        self : estimator
            The fitted transformer.
        """
        with all_or_nothing(self):
            return self._fit(X, y)

    @takes_dask("samples")
    def transform(self, X):
        """Return the features of images.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images with the channels seen in `fit`, and of the same size where the number of
            features depends on it; a list of images of different sizes where
            ``pool_size='global'``.

        Returns
        -------
        features : ndarray of shape (n_images, n_features) or (n_images, *size, n_kernels)
            In float32 or float64, whichever `convlib.conv` computes X in; see `output`.
        """
        check_is_fitted(self)
        images = self._images(X, self._settings.rank, reset=False)
        self._check_shapes(images)
        dtype = np.result_type(*(image.dtype for image in images))
        layers = self._layers_of(dtype)
        with shown(self, sum(map(len, images)), "images") as progress:
            features = [self._features(layers, image, dtype, progress) for image in images]
        return features[0] if len(features) == 1 else np.concatenate(features)

    @available_if(lambda self: self.output == "flat")
    def get_feature_names_out(self, input_features=None):
        """Return a name for each feature, such as 'k07_c1_d2_r1c3_max'.

        The parts are the kernel, the channel it sees, its dilation, the row and column of the
        map, and the pooling, each only where there is more than one of it; signals have a time
        't5', volumes a slice 'z2'.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must agree with `feature_names_in_` where that is defined; not used otherwise.

        Returns
        -------
        names : ndarray of shape (n_features,), dtype object
            In the order of the columns of `transform`.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        settings, kernels = self._settings, self._kernel_names()
        statistic = f"_{settings.pool}" if settings.pool else ""
        names = []
        for layer, dilation in zip(self._layers, settings.dilations):
            size = layer.output_shape(self.input_shape_)[:-1]
            names += [f"{kernel}{self._dilation_name(dilation)}{place}{statistic}"
                      for place in place_names(size) for kernel in kernels]
        return np.array(names, dtype=object)

    def set_output(self, *, transform=None):
        """Choose the container of the features.

        Parameters
        ----------
        transform : {'default', 'pandas', 'polars', None}, default=None
            As in scikit-learn. Maps are always arrays: with ``output='maps'`` this has no
            effect.

        Returns
        -------
        self : estimator
            This transformer.
        """
        return self if self.output == "maps" else super().set_output(transform=transform)

    @property
    def halo(self):
        """Pixels before and after its own that a value of the maps depends on, along each axis.

        Value ``j`` of a map stands at pixel ``j`` times the strides of convolution and pooling.
        There is no halo where maps are pooled as a whole, and none for deformable convolutions,
        which see as far as their offsets. See `convlib.tiling.halo`.
        """
        return tuple(window.halo for window in self._tiled_call().windows())

    def estimate_memory(self, shape, dtype="float32"):
        """Return the bytes that `transform` allocates for X of that shape.

        Parameters
        ----------
        shape : tuple of int
            Shape of X.
        dtype : dtype, default='float32'
            Of X.

        Returns
        -------
        n_bytes : int
            The result, the blocks it is computed in, and the kernels; not X.
        """
        check_is_fitted(self)
        shape = check.batch_shape("shape", shape)
        image_shape = _images.sample_shape(shape[1:], self._settings.rank, self.image_shape)
        dtype = check.computed_dtype("dtype", dtype)
        layers = self._layers_of(dtype)
        budget = self._budget(layers)
        n_values = sum(prod(layer.output_shape(image_shape)) for layer in layers)
        result = shape[0] * n_values * dtype.itemsize
        step = self._block_images(layers, image_shape, shape[0], budget)
        blocks = max(layer.block_bytes(image_shape, step, budget) for layer in layers)
        if len(layers) > 1:    # their features meet in the result
            blocks += step * max(prod(layer.output_shape(image_shape)) for layer in layers) \
                * dtype.itemsize
        return result + blocks + sum(layer.kernel_bytes for layer in layers)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags

    def _tiled_call(self, method="transform"):
        """Return the call that is made of tiles of large images."""
        check_is_fitted(self)
        if self.pool is not None and self.pool_size == "global":
            raise AttributeError("maps that are pooled as a whole have no halo: pool_size is "
                                 "'global'")
        return LayersCall(self)

    def _fit(self, X, y):
        settings = self._checked_settings()
        check.choice("output", self.output, ("flat", "maps"))
        check.verbosity(self.verbose)
        check.threads(self.n_threads)
        images = self._images(X, settings.rank, reset=True)
        self.input_shape_ = images[0].shape
        self.n_features_in_ = prod(self.input_shape_)
        self._settings = settings
        with FitSteps(self, settings.n_steps, X, y, name="epoch", unit="epochs") as steps:
            self._learn(images, check_random_state(self.random_state), y, steps)
            self._layers = self._make_layers(images[0].dtype)
            self._budget(self._layers)  # refuses a wrong working_memory
            for image in images:
                self._features_shape(self._layers, image.shape)  # refuses what does not fit
        return self

    def _layers_of(self, dtype):
        """Return the layers for images of `dtype`; those of fit, or ones made for this call."""
        return self._layers if self._layers[0].dtype == dtype else self._make_layers(dtype)

    def _images(self, X, rank, reset):
        """Return X as a list of `Images`: one, or one for each image where sizes differ."""
        if not _images.is_ragged(X):
            return [_images.as_images(self, X, rank, self.image_shape, reset)]
        if self.pool_size != "global" or self.pool is None or self.image_shape is not None:
            raise ValueError(
                "X may be a list of images of different sizes only where pool_size='global', "
                "pool is not None and image_shape is None"
            )
        if reset and hasattr(self, "feature_names_in_"):
            del self.feature_names_in_    # of an earlier fit
        return _images.as_ragged_images(X, rank)

    def _check_shapes(self, images):
        """Refuse images that `fit` has not prepared for."""
        is_fixed = self.output == "flat" and (self.pool is None or self.pool_size != "global")
        for image in images:
            first = 0 if is_fixed else -1
            if image.shape[first:] != self.input_shape_[first:]:
                free = "" if is_fixed else " of any size"
                raise ValueError(
                    f"X must hold images{free} like those of fit, of shape "
                    f"{self.input_shape_}; got {image.shape}"
                )

    def _budget(self, layers):
        """Return the bytes that a block of maps may take."""
        n_bytes = memory_bytes(self.working_memory, get_config()["working_memory"])
        n_bytes -= sum(layer.kernel_bytes for layer in layers)
        return int(max(1, min(BLOCK_BYTES, n_bytes)))

    def _features_shape(self, layers, image_shape):
        """Return the shape of the features of one image, flat where layers lie side by side."""
        shapes = [layer.output_shape(image_shape) for layer in layers]
        if self.output == "flat":
            return (sum(map(prod, shapes)),)
        if any(shape[:-1] != shapes[0][:-1] for shape in shapes):
            raise ValueError(
                f"output='maps' needs maps of one size for all dilations={self.dilations}; got "
                f"{[shape[:-1] for shape in shapes]}, where padding='same' gives equal ones"
            )
        ones = (1,) * (len(image_shape) - len(shapes[0]))    # of maps pooled into one value
        return (*ones, *shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def _block_images(self, layers, image_shape, n_images, budget):
        """Return how many images go through all layers at a time."""
        return min(layer.block_images(image_shape, n_images, budget) for layer in layers)

    def _features(self, layers, images, dtype, progress):
        """Return the features of `Images`."""
        n_threads, budget = check.threads(self.n_threads), self._budget(layers)
        shape = self._features_shape(layers, images.shape)
        out = check.output_array(None, (len(images), *shape), np.dtype(dtype))
        step = self._block_images(layers, images.shape, len(images), budget)
        for first in range(0, len(images), step):
            last = min(first + step, len(images))
            batch = images.batch(first, last, dtype)
            end = 0
            for layer in layers:
                begin = end
                own = layer.output_shape(images.shape)
                end += prod(own) if self.output == "flat" else own[-1]
                part = out[first:last, ..., begin:end]
                if len(layers) == 1:
                    layer.run(batch, part.reshape(last - first, *own), budget, n_threads)
                else:
                    features = np.empty((last - first, *own), dtype)
                    layer.run(batch, features, budget, n_threads)
                    part[...] = features.reshape(part.shape)
            progress.advance(last - first)
        return out

    def _dilation_name(self, dilation):
        """Return the part of a feature's name that tells its dilation."""
        if len(self._layers) == 1:
            return ""
        return "_d" + "x".join(map(str, dilation[:1] if len(set(dilation)) == 1 else dilation))


def place_names(size):
    """Return the part of a name for each place of a map, in order."""
    if prod(size) == 1:
        return [""]
    letters = {1: "t", 2: "rc", 3: "zrc"}[len(size)]
    return ["_" + "".join(f"{letter}{i}" for letter, i in zip(letters, place))
            for place in product(*map(range, size))]
