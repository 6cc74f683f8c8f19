"""ConvFeatures: kernels -> convolution -> activation -> pooling -> features, as a transformer."""

from itertools import product
from math import prod

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from convlib import _validation as check
from convlib.estimators import _images
from convlib.estimators._layer import BLOCK_BYTES
from convlib.estimators._settings import checked_settings, memory_bytes

__all__ = ["ConvFeatures"]


class ConvFeatures(TransformerMixin, BaseEstimator):
    """Features of images, signals or volumes from one convolution layer.

    Kernels are drawn at random, learnt without labels, or given; each image is convolved with
    them, activated and pooled, and the maps are returned as features. The result does not
    depend on the number of threads, the batch size or the memory order of X, bit by bit.

    An int `kernel_size` means images, X of shape (n, height, width, channels), (n, height,
    width) for one channel, or flat (n, n_features) with `image_shape`. A tuple of one int means
    signals, X of shape (n, length) or (n, length, channels); one of three ints means volumes.

    Parameters
    ----------
    n_kernels : int, default=32
        Number of kernels; of each channel where `conv` is 'depthwise' or 'spatial'.
    kernel_size : int or tuple of int, default=3
        Taps along each axis; an int is a square.
    kernels : {'random', 'kmeans', 'pca'} or array-like of shape \
(*kernel_size, channels // groups, n_kernels), default='random'
        'random' draws Gaussian kernels of unit norm. 'kmeans' clusters contrast-normalised,
        whitened patches [1]_. 'pca' takes the principal components of patches without their
        means [2]_. Patches are sampled across X. An array fixes `kernel_size` and `n_kernels`,
        which must agree where they are not left at their defaults. For its shape where `conv` is
        not 'standard' see there.
    stride : int or tuple of int, default=1
        Pixels between neighbouring windows.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default='same'
        Pixels added around the images, as in `convlib.conv`.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='constant'
        What those pixels hold.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring kernel taps.
    dilations : sequence of int or of tuple of int, default=None
        Several values of `dilation`, which is left at 1 then: the same kernels at each of them,
        side by side. Kernels are learnt from patches of all of them.
    groups : int, default=1
        Independent convolutions into which the channels are split.
    conv : {'standard', 'depthwise', 'separable', 'spatial'}, default='standard'
        The operator. 'depthwise' convolves each channel with `n_kernels` kernels of its own;
        given ones have shape (*kernel_size, channels, n_kernels), or one channel for all.
        'separable' is a depthwise convolution and a 1x1 convolution of its maps [3]_, whose
        kernels come as a pair (see `convlib.separable_conv`), or are the nearest to those that
        were drawn or learnt. 'spatial' convolves each channel along one axis after the other;
        kernels come as one array per axis (see `convlib.spatially_separable_conv`), or as a
        depthwise kernel of rank one, or are the nearest to those that were drawn or learnt.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh', \
'triangle'}, default='relu'
        Function applied to the maps. 'triangle' [1]_ goes with ``kernels='kmeans'`` only: how
        much nearer than the average a centroid is, or zero.
    pool : {'max', 'mean', 'lp', 'min', 'std', 'ppv', None}, default='max'
        Statistic of each pooling window; 'lp' is the root of the sum of squares, 'ppv' the
        share of positive values. 'min', 'std' and 'ppv' need ``pool_size='global'``, which
        'lp' does not take. None leaves the maps as they are.
    pool_size : int, tuple of int or 'global', default=2
        Pooling window; 'global' is the whole map.
    pool_stride : int or tuple of int, default=None
        Pixels between neighbouring pooling windows; None is `pool_size`.
    output : {'flat', 'maps'}, default='flat'
        'flat' returns a 2-D array, with `dilations` the features of one after those of the
        other; 'maps' returns (n, *size, n_maps), which the next ConvFeatures of a Pipeline takes.
    image_shape : tuple of int, default=None
        (*size) or (*size, channels) of one image, for flat X.
    normalize_patches : bool or 'auto', default='auto'
        Whether kernels see each window without its mean and divided by its standard deviation.
        'auto' means so for 'kmeans' only.
    scale : float, default=None
        Factor for the images, such as 1 / 255. Integers are never rescaled otherwise.
    working_memory : float, default=None
        MiB that blocks of `transform` may take beside X and its result. None is scikit-learn's
        setting of that name.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    random_state : int, RandomState instance or None, default=None
        For drawing kernels, patches and initial centroids.
    verbose : int, default=0
        Whether `transform` prints how far it is.

    Attributes
    ----------
    kernels_ : ndarray of shape (*kernel_size, channels // groups, n_kernels)
        The kernels, whitening folded in, as the operator takes them: of shape (*kernel_size,
        channels, n_kernels) where `conv` is 'depthwise', (*kernel_size, channels, multiplier)
        where it is 'separable', and `kernels_1d_` where it is 'spatial'.
    pointwise_kernels_ : ndarray of shape (1, 1, channels * multiplier, n_kernels)
        Where `conv` is 'separable'.
    kernels_1d_ : tuple of ndarray of shape (size, channels, multiplier)
        One array per axis, where `conv` is 'spatial'.
    bias_ : ndarray of shape (n_maps,)
        Added to each map before the activation.
    epsilon_ : float or None
        What is added to the variance of a window; None where windows are not normalised.
    input_shape_ : tuple of int
        Shape (*size, channels) of the images seen in `fit`.
    n_features_in_ : int
        Number of values of one image.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it has any.

    See Also
    --------
    convlib.conv : The operator.

    References
    ----------
    .. [1] A. Coates, H. Lee and A. Ng, "An Analysis of Single-Layer Networks in Unsupervised
       Feature Learning", AISTATS 2011.
    .. [2] T.-H. Chan et al., "PCANet: A Simple Deep Learning Baseline for Image
       Classification?", IEEE Transactions on Image Processing 24(12), 2015.
    .. [3] F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.

    Examples
    --------
    >>> from convlib import ConvFeatures
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> features = ConvFeatures(16, image_shape=(8, 8), random_state=0)
    >>> features.fit_transform(X).shape
    (1797, 256)
    >>> features.get_feature_names_out()[:2]
    array(['k00_r0c0_max', 'k01_r0c0_max'], dtype=object)
    """

    def __init__(
        self, n_kernels=32, kernel_size=3, *, kernels="random", stride=1, padding="same",
        padding_mode="constant", dilation=1, dilations=None, groups=1, conv="standard",
        activation="relu", pool="max", pool_size=2, pool_stride=None, output="flat",
        image_shape=None, normalize_patches="auto", scale=None, working_memory=None,
        n_threads=None, random_state=None, verbose=0,
    ):
        self.n_kernels = n_kernels
        self.kernel_size = kernel_size
        self.kernels = kernels
        self.stride = stride
        self.padding = padding
        self.padding_mode = padding_mode
        self.dilation = dilation
        self.dilations = dilations
        self.groups = groups
        self.conv = conv
        self.activation = activation
        self.pool = pool
        self.pool_size = pool_size
        self.pool_stride = pool_stride
        self.output = output
        self.image_shape = image_shape
        self.normalize_patches = normalize_patches
        self.scale = scale
        self.working_memory = working_memory
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Draw or learn the kernels.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images; a list of images of different sizes where ``pool_size='global'``.
        y : None
            Ignored.

        Returns
        -------
        self : ConvFeatures
            The fitted transformer.
        """
        before = vars(self).copy()
        try:
            return self._fit(X)
        except BaseException:
            # A refused fit leaves what was there before it.
            vars(self).clear()
            vars(self).update(before)
            raise

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
        features = [self._features(layers, image, dtype) for image in images]
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
        settings = self._settings
        digits = len(str(settings.n_kernels - 1))
        kernels = [f"k{k:0{digits}d}" for k in range(settings.n_kernels)]
        channels = self.input_shape_[-1]
        if settings.form.per_channel and channels > 1:
            kernels = [f"{kernel}_c{c}" for c in range(channels) for kernel in kernels]
        statistic = f"_{settings.pool}" if settings.pool else ""
        names = []
        for layer, dilation in zip(self._layers, settings.dilations):
            size = layer.output_shape(self.input_shape_)[:-1]
            names += [f"{kernel}{self._dilation_name(dilation)}{place}{statistic}"
                      for place in _place_names(size) for kernel in kernels]
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
        self : ConvFeatures
            This transformer.
        """
        return self if self.output == "maps" else super().set_output(transform=transform)

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
        dtype = check.result_dtype(np.dtype(dtype))
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

    def _fit(self, X):
        settings = checked_settings(self.get_params(deep=False))
        check.choice("output", self.output, ("flat", "maps"))
        if not isinstance(self.verbose, bool):
            check.integer("verbose", self.verbose, 0)
        check.threads(self.n_threads)
        images = self._images(X, settings.rank, reset=True)
        self.input_shape_ = images[0].shape
        self.n_features_in_ = prod(self.input_shape_)
        self._learnt = settings.learn(images, check_random_state(self.random_state))
        self._layers = settings.layers(self._learnt, self.input_shape_, images[0].dtype)
        self._budget(self._layers)  # refuses a wrong working_memory
        for image in images:
            self._features_shape(self._layers, image.shape)  # refuses what does not fit
        operands = tuple(operand.astype(images[0].dtype) for operand in self._learnt.operands)
        for name in ("pointwise_kernels_", "kernels_1d_"):
            vars(self).pop(name, None)    # of an earlier fit
        self.kernels_ = operands if self.conv == "spatial" else operands[0]
        if self.conv == "separable":
            self.pointwise_kernels_ = operands[1]
        if self.conv == "spatial":
            self.kernels_1d_ = operands
        self.bias_ = self._learnt.bias.astype(images[0].dtype)
        self.epsilon_ = self._learnt.epsilon
        self._settings = settings
        return self

    def _layers_of(self, dtype):
        """Return the layers for images of `dtype`; those of fit, or ones made for this call."""
        if self._layers[0].dtype == dtype:
            return self._layers
        return self._settings.layers(self._learnt, self.input_shape_, dtype)

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

    def _features(self, layers, images, dtype):
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
            if self.verbose:
                print(f"[ConvFeatures] {last} of {len(images)} images")
        return out

    def _dilation_name(self, dilation):
        """Return the part of a feature's name that tells its dilation."""
        if len(self._layers) == 1:
            return ""
        return "_d" + "x".join(map(str, dilation[:1] if len(set(dilation)) == 1 else dilation))


def _place_names(size):
    """Return the part of a name for each place of a map, in order."""
    if prod(size) == 1:
        return [""]
    letters = {1: "t", 2: "rc", 3: "zrc"}[len(size)]
    return ["_" + "".join(f"{letter}{i}" for letter, i in zip(letters, place))
            for place in product(*map(range, size))]
