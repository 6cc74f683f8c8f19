"""ConvFeatures: kernels -> convolution -> activation -> pooling -> features, as a transformer."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from convlib.estimators._forms import FORMS
from convlib.estimators._kernels import takes_labels
from convlib.estimators._settings import checked_settings
from convlib.estimators._transformer import LayerTransformer

__all__ = ["ConvFeatures"]


class ConvFeatures(LayerTransformer):
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
        Number of kernels; of each channel where `conv` is 'depthwise' or 'spatial', or kernels
        of one channel convolve each.
    kernel_size : int or tuple of int, default=3
        Taps along each axis; an int is a square.
    kernels : {'random', 'kmeans', 'pca', 'backprop'}, name of a bank or array-like of shape \
(*kernel_size, channels // groups, n_kernels), default='random'
        'random' draws Gaussian kernels of unit norm. 'kmeans' clusters contrast-normalised,
        whitened patches [1]_. 'pca' takes the principal components of patches without their
        means [2]_. Patches are sampled across X. 'backprop' takes the classes y of `fit` and
        trains the layer with a softmax after it, which is dropped; to tune that, see
        `ConvNetClassifier`. The name of a bank, such as 'sobel', 'gabor' or
        'leung_malik' (see `convlib.banks.bank_names`), or an array fixes `kernel_size` and
        `n_kernels`, which must agree where they are not left at their defaults; the number of
        axes is that of `kernel_size`. Where X has several channels and `groups` is 1, given
        kernels of one channel convolve each of them. For shapes where `conv` is not 'standard'
        see there.
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
    conv : {'standard', 'depthwise', 'separable', 'spatial', 'transposed'}, default='standard'
        The operator. 'depthwise' convolves each channel with `n_kernels` kernels of its own;
        given ones have shape (*kernel_size, channels, n_kernels), or one channel for all.
        'separable' is a depthwise convolution and a 1x1 convolution of its maps [3]_, whose
        kernels come as a pair (see `convlib.separable_conv`), or are the nearest to those that
        were drawn or learnt. 'spatial' convolves each channel along one axis after the other;
        kernels come as one array per axis (see `convlib.spatially_separable_conv`), or as a
        depthwise kernel of rank one, or are the nearest to those that were drawn or learnt.
        'transposed' makes maps larger than the images where there is a `stride` [4]_; kernels
        have shape (*kernel_size, n_kernels // groups, channels).
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
        Whether `transform` tells how far it is, in images, on the standard error, and `fit` with
        ``kernels='backprop'``, in epochs, which scikit-learn's callbacks see where it has them.

    Attributes
    ----------
    kernels_ : ndarray of shape (*kernel_size, channels // groups, n_kernels)
        The kernels, whitening folded in, as the operator takes them: of shape (*kernel_size,
        channels, n_kernels) where `conv` is 'depthwise', (*kernel_size, channels, multiplier)
        where it is 'separable', `kernels_1d_` where it is 'spatial', and of shape
        (*kernel_size, n_kernels // groups, channels) where it is 'transposed'. Where kernels of
        one channel convolve each of several, they are those of a depthwise convolution.
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
    convlib.banks : Classic filters and filter banks as kernels.
    convlib.conv : The operator.

    References
    ----------
    .. [1] A. Coates, H. Lee and A. Ng, "An Analysis of Single-Layer Networks in Unsupervised
       Feature Learning", AISTATS 2011.
    .. [2] T.-H. Chan et al., "PCANet: A Simple Deep Learning Baseline for Image
       Classification?", IEEE Transactions on Image Processing 24(12), 2015.
    .. [3] F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.
    .. [4] M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV
       2014.

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

    def _checked_settings(self):
        return checked_settings(self.get_params(deep=False))

    def _learn(self, images, random_state, y, progress):
        self._settings = self._settings.for_channels(self.input_shape_[-1])
        self._learnt = self._settings.learn(
            images, random_state, self._classes(y, images), progress)
        dtype = images[0].dtype
        operands = tuple(operand.astype(dtype) for operand in self._learnt.operands)
        for name in ("pointwise_kernels_", "kernels_1d_"):
            vars(self).pop(name, None)    # of an earlier fit
        self.kernels_ = operands if self.conv == "spatial" else operands[0]
        if self.conv == "separable":
            self.pointwise_kernels_ = operands[1]
        if self.conv == "spatial":
            self.kernels_1d_ = operands
        self.bias_ = self._learnt.bias.astype(dtype)
        self.epsilon_ = self._learnt.epsilon

    def _classes(self, y, images):
        """Return the classes of images where kernels are learnt with them."""
        if y is None or not takes_labels(self._settings.kernels):
            return None
        y = column_or_1d(y, warn=True)
        check_consistent_length(np.empty(sum(map(len, images))), y)
        check_classification_targets(y)
        return y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = takes_labels(self.kernels)
        return tags

    def _kernel_pictures(self):
        """Return kernels (*size, channels, n_kernels) and their names, to be looked at."""
        form = self._settings.form
        kernels = form.pictures(self._learnt.operands)
        names, channels = self._kernel_names(), self.input_shape_[-1]
        if form is FORMS["separable"]:    # maps are mixtures of what these give
            multiplier = kernels.shape[-1] // channels
            names = [f"c{c}_m{m}" for c in range(channels) for m in range(multiplier)]
        elif form.per_channel:
            parts = np.split(kernels, channels, axis=-1)
            if all(np.array_equal(part, parts[0]) for part in parts):    # they share them
                return parts[0], self._settings.kernel_names()
        return kernels, names

    def _make_layers(self, dtype):
        return self._settings.layers(self._learnt, self.input_shape_, dtype)

    def _kernel_names(self):
        names = self._settings.kernel_names()
        channels = self.input_shape_[-1]
        if not self._settings.form.per_channel or channels == 1:
            return names
        return [f"{name}_c{c}" for c in range(channels) for name in names]
