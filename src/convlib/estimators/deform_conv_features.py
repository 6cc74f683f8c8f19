"""DeformConvFeatures: like ConvFeatures, by kernels whose taps look where offsets send them."""

from math import prod

import numpy as np

from convlib import _validation as check
from convlib.estimators import _kernels
from convlib.estimators._deform import Called, DeformStage, Fixed, Predicted
from convlib.estimators._layer import Layer
from convlib.estimators._settings import checked_settings
from convlib.estimators._transformer import LayerTransformer
from convlib.ops.conv import pack_kernel

__all__ = ["DeformConvFeatures"]


class DeformConvFeatures(LayerTransformer):
    """Features of images from one layer of deformable convolution.

    The taps of its kernels do not stand in a square: an offset is added to the place of each, for
    each output pixel by itself. As a rule a second convolution of the same images says where they
    look [1]_, so that windows follow what is in the image. The offsets may also be given, such as
    those of a warp that is known, or come from a function.

    Parameters
    ----------
    n_kernels : int, default=32
        Number of kernels.
    kernel_size : int or tuple of int, default=3
        Taps along each axis; an int is a square.
    kernels : {'random', 'kmeans', 'pca'}, name of a bank or array-like of shape \
(kernel_h, kernel_w, channels // groups, n_kernels), default='random'
        As in `ConvFeatures`; learnt from patches without offsets. Banks are for X of one channel.
    offsets : {'conv'}, array-like or callable, default='conv'
        'conv' makes them by a convolution with `offset_kernels`. An array of shape (out_h, out_w,
        offset_groups * kernel_h * kernel_w * 2) holds those of every image, one of shape
        (offset_groups * kernel_h * kernel_w * 2,) those of every output; each pair is (down,
        across). A function gets a batch of images (n_images, height, width, channels) and
        returns offsets for it as `convlib.deform_conv` takes them, or a tuple of offsets and
        mask; what it returns for an image must not depend on the rest of the batch.
    offset_kernels : 'random' or array-like of shape (kernel_h, kernel_w, channels, n_offsets), \
default='random'
        Kernels of the convolution that makes the offsets, with the stride, padding and dilation
        of the layer. Random ones are Gaussian, with offsets of the size `offset_scale`. Given
        ones have ``n_offsets = offset_groups * kernel_h * kernel_w * 2``, and half as many more
        after those where `modulated`.
    offset_scale : float, default=1.0
        Root of the mean square of the offsets that random kernels give for the images of `fit`,
        in pixels.
    offset_groups : int, default=1
        Sets of offsets among which the channels are shared out.
    modulated : bool, default=False
        Whether the convolution makes masks too, one factor in (0, 1) for each tap [2]_.
    stride : int or tuple of int, default=1
        Pixels between neighbouring windows.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default='same'
        Pixels of zeros added around the images.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring kernel taps, before the offsets.
    groups : int, default=1
        Independent convolutions into which the channels are split.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh'}, \
default='relu'
        Function applied to the maps.
    pool : {'max', 'mean', 'lp', 'min', 'std', 'ppv', None}, default='max'
        As in `ConvFeatures`.
    pool_size : int, tuple of int or 'global', default=2
        Pooling window; 'global' is the whole map.
    pool_stride : int or tuple of int, default=None
        Pixels between neighbouring pooling windows; None is `pool_size`.
    output : {'flat', 'maps'}, default='flat'
        'flat' returns a 2-D array; 'maps' returns (n, height, width, n_kernels).
    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of one image, for flat X.
    scale : float, default=None
        Factor for the images, such as 1 / 255; the convolution that makes the offsets and a
        function see the images without it.
    working_memory : float, default=None
        MiB that blocks of `transform` may take beside X and its result. None is scikit-learn's
        setting of that name.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    random_state : int, RandomState instance or None, default=None
        For drawing kernels and patches.
    verbose : int, default=0
        Whether `transform` prints how far it is.

    Attributes
    ----------
    kernels_ : ndarray of shape (kernel_h, kernel_w, channels // groups, n_kernels)
        The kernels.
    bias_ : ndarray of shape (n_kernels,)
        Added to each map before the activation.
    offset_kernels_ : ndarray of shape (kernel_h, kernel_w, channels, n_offsets)
        Kernels of the convolution that makes the offsets, where there is one.
    input_shape_ : tuple of int
        Shape (height, width, channels) of the images seen in `fit`.
    n_features_in_ : int
        Number of values of one image.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it has any.

    See Also
    --------
    ConvFeatures : Taps in their places.
    convlib.deform_conv : The operator.

    References
    ----------
    .. [1] J. Dai et al., "Deformable Convolutional Networks", ICCV 2017.
    .. [2] X. Zhu et al., "Deformable ConvNets v2: More Deformable, Better Results", CVPR 2019.

    Examples
    --------
    >>> from convlib import DeformConvFeatures
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> features = DeformConvFeatures(16, image_shape=(8, 8), random_state=0)
    >>> features.fit_transform(X).shape
    (1797, 256)
    """

    def __init__(
        self, n_kernels=32, kernel_size=3, *, kernels="random", offsets="conv",
        offset_kernels="random", offset_scale=1.0, offset_groups=1, modulated=False, stride=1,
        padding="same", dilation=1, groups=1, activation="relu", pool="max", pool_size=2,
        pool_stride=None, output="flat", image_shape=None, scale=None, working_memory=None,
        n_threads=None, random_state=None, verbose=0,
    ):
        self.n_kernels = n_kernels
        self.kernel_size = kernel_size
        self.kernels = kernels
        self.offsets = offsets
        self.offset_kernels = offset_kernels
        self.offset_scale = offset_scale
        self.offset_groups = offset_groups
        self.modulated = modulated
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.activation = activation
        self.pool = pool
        self.pool_size = pool_size
        self.pool_stride = pool_stride
        self.output = output
        self.image_shape = image_shape
        self.scale = scale
        self.working_memory = working_memory
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    def _tiled_call(self, method="transform"):
        raise AttributeError("deformable convolutions have no halo: they see as far as their "
                             "offsets")

    def _checked_settings(self):
        parameters = self.get_params(deep=False)
        if isinstance(self.activation, str) and self.activation == "triangle":
            raise ValueError("activation must not be 'triangle', which is for taps in their places")
        settings = checked_settings(parameters | {
            "conv": "standard", "dilations": None, "padding_mode": "constant",
            "normalize_patches": False})
        if settings.rank != 2:
            raise ValueError(
                f"kernel_size must have two axes, deformable convolution is for images; got "
                f"{settings.kernel_size}"
            )
        check.integer("offset_groups", self.offset_groups, 1)
        check.positive_number("offset_scale", self.offset_scale)
        check.flag("modulated", self.modulated)
        for name, word in (("offsets", "conv"), ("offset_kernels", "random")):
            if isinstance(getattr(self, name), str):
                check.choice(name, getattr(self, name), (word,))
        return settings

    def _learn(self, images, random_state, y, progress):
        settings, dtype = self._settings, images[0].dtype
        self._learnt = settings.learn(images, random_state)
        self.kernels_ = self._learnt.operands[0].astype(dtype)
        self.bias_ = self._learnt.bias.astype(dtype)
        channels = self.input_shape_[-1]
        if channels % self.offset_groups:
            raise ValueError(
                f"offset_groups must divide the {channels} channels of X; got "
                f"{self.offset_groups}"
            )
        vars(self).pop("offset_kernels_", None)    # of an earlier fit
        n_taps = prod(settings.kernel_size)
        self._n_points = self.offset_groups * n_taps
        self._source = None
        if isinstance(self.offsets, str):
            kernels = self._offset_kernels(images, random_state)
            self._source = kernels
            self.offset_kernels_ = kernels.astype(dtype)
        elif callable(self.offsets):
            self._source = self.offsets
        else:
            self._source = self._given_offsets()

    def _offset_kernels(self, images, random_state):
        """Return the kernels of offsets, and of masks after them, in float64."""
        size, channels = self._settings.kernel_size, self.input_shape_[-1]
        shape = (*size, channels, (3 if self.modulated else 2) * self._n_points)
        if not isinstance(self.offset_kernels, str):
            kernels = check.kernel_array("offset_kernels", self.offset_kernels)
            if kernels.shape != shape:
                raise ValueError(f"offset_kernels must have shape {shape}; got {kernels.shape}")
            if not np.isfinite(kernels).all():
                raise ValueError("offset_kernels must be finite")
            return np.array(kernels, np.float64)
        weights = random_state.standard_normal((prod(shape[:-1]), shape[-1]))
        patches = _kernels.sample_patches(images, size, self._settings.dilations, random_state)
        made = patches.reshape(len(patches), -1) @ weights
        # Images of zeros have no offsets at any scale; masks go through a sigmoid and have one.
        root = np.sqrt((made**2).mean(axis=0))
        weights /= np.where(root > 0, root, 1)
        weights[:, :2 * self._n_points] *= self.offset_scale
        return weights.reshape(shape)

    def _given_offsets(self):
        """Return the user's offsets, for every output or for every image."""
        offsets = check.numeric_array("offsets", self.offsets)
        wanted = 2 * self._n_points
        if offsets.ndim not in (1, 3) or offsets.shape[-1] != wanted:
            raise ValueError(
                f"offsets must be 'conv', a function, or an array of shape (out_h, out_w, "
                f"{wanted}) or ({wanted},) for {self.offset_groups} offset groups of kernels of "
                f"{self._settings.kernel_size}; got shape {offsets.shape}"
            )
        if offsets.ndim == 3:
            maps = self._stage(None, np.float64).output_shape(self.input_shape_)
            if offsets.shape[:2] != maps[:2]:
                raise ValueError(
                    f"offsets must have shape {(*maps[:2], wanted)} for maps of {maps[:2]}; got "
                    f"{offsets.shape}"
                )
        return np.array(offsets, np.float64)

    def _stage(self, source, dtype):
        """Return the convolution of the layer, in `dtype`."""
        settings = self._settings
        own = {"stride": settings.stride, "padding": settings.padding,
               "dilation": settings.dilations[0], "groups": settings.groups,
               "activation": settings.activation}
        kernel = np.ascontiguousarray(self._learnt.operands[0] * settings.scale, dtype)
        return DeformStage(kernel, self._learnt.bias.astype(dtype), own, source)

    def _make_layers(self, dtype):
        settings = self._settings
        if isinstance(self.offsets, str):
            own = {"stride": settings.stride, "padding": settings.padding,
                   "dilation": settings.dilations[0], "dtype": np.dtype(dtype).name}
            kernels = self._source
            offsets = pack_kernel(kernels[..., :2 * self._n_points], self.input_shape_, **own)
            mask = None
            if self.modulated:
                mask = pack_kernel(kernels[..., 2 * self._n_points:], self.input_shape_,
                                   activation="sigmoid", **own)
            source = Predicted(offsets, mask)
        elif callable(self.offsets):
            source = Called(self._source)
        else:
            source = Fixed(self._source.astype(dtype))
        stage = self._stage(source, dtype)
        return [Layer((stage,), None, None, settings.pool, settings.pool_size,
                      settings.pool_stride, settings.n_kernels,
                      (3 if self.modulated else 2) * self._n_points, source.in_rows)]

    def _kernel_names(self):
        return self._settings.kernel_names()
