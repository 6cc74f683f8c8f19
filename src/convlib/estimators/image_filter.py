"""ImageFilter: a classic filter as a transformer, images in, images out."""

import inspect
from math import prod

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from convlib import _validation as check
from convlib import filters
from convlib._filters._image import one_axis
from convlib._filters.memory import work_values
from convlib._lazy import takes_dask
from convlib.estimators import _images
from convlib.estimators._progress import CallbackSupportMixin, in_one_step, shown
from convlib.estimators._settings import finite_factor, memory_bytes
from convlib.estimators._tiles import ImageFilterCall
from convlib.estimators._transformer import place_names

__all__ = ["ImageFilter"]

# What the transformer itself passes to a filter, or what would change the kind of its result.
OWN = ("image", "axis", "size", "sigma", "low_sigma", "channel_axis", "axes", "padding_mode",
       "constant_values", "dtype", "n_threads", "out", "mask", "nan_policy", "return_direction")
SETTINGS = {"size": ("size",), "sigma": ("sigma", "low_sigma"), "axis": ("axis",)}
SEVERAL = ("hessian", "hessian_eigenvalues", "structure_tensor")    # results for each pixel
SCRATCH_BYTES = 2**21    # of any filter, however small the images


class ImageFilter(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """A filter of `convlib.filters` as a step of a Pipeline: images in, images out.

    Each image and each of its channels is filtered by itself, in one call for many images. The
    result is what the function returns for one image, bit by bit, however many there are.

    Parameters
    ----------
    filter : str, default='gaussian'
        A name in `convlib.filters`, such as 'mean', 'gaussian', 'median', 'sharpen', 'sobel',
        'laplace', 'gabor', 'hessian_eigenvalues'.
    size : int or tuple of int, default=None
        Of the window, for filters that have one. None is the filter's default.
    sigma : float or tuple of float, default=None
        Standard deviation in pixels, for filters that have one: `low_sigma` of
        'difference_of_gaussians'. None is the filter's default.
    axis : int, default=None
        Along which axis of an image derivatives are taken, for 'sobel', 'prewitt', 'scharr' and
        'farid': 0 is down the rows of images. None is the magnitude of all.
    rank : {1, 2, 3}, default=2
        Axes that are filtered: of signals, images or volumes.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        What pixels outside the images hold, as in `numpy.pad`.
    constant_values : float, default=0
        What they hold with ``padding_mode='constant'``.
    filter_params : dict, default=None
        Further arguments of the filter, such as ``{'q': 90}`` of 'percentile' or
        ``{'frequency': 0.2, 'theta': 0.5}`` of 'gabor'.
    image_shape : tuple of int, default=None
        (*size) or (*size, channels) of one image, for flat X.
    output : {'flat', 'maps'}, default='flat'
        'flat' returns a 2-D array; 'maps' returns (n, *size, channels), which a ConvFeatures or
        another ImageFilter takes. Filters with several results for each pixel, such as 'hessian',
        have them side by side in channels.
    scale : float, default=None
        Factor for the images, such as 1 / 255. Integers are never rescaled otherwise.
    working_memory : float, default=None
        MiB that `transform` may take beside X and its result, one image at the least. None is
        scikit-learn's setting of that name.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    verbose : int, default=0
        Whether `transform` tells how far it is, in images, on the standard error.

    Attributes
    ----------
    input_shape_ : tuple of int
        Shape (*size, channels) of the images seen in `fit`.
    n_features_in_ : int
        Number of values of one image.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it has any.

    See Also
    --------
    ConvFeatures : Many kernels, activation and pooling.
    PixelFeatures : Many filters, one row per pixel.

    Examples
    --------
    >>> from convlib import ImageFilter
    >>> from sklearn.datasets import load_digits
    >>> X, _ = load_digits(return_X_y=True)
    >>> edges = ImageFilter("sobel", image_shape=(8, 8))
    >>> edges.fit_transform(X).shape
    (1797, 64)
    >>> edges.get_feature_names_out()[:2]
    array(['sobel_r0c0', 'sobel_r0c1'], dtype=object)
    """

    def __init__(
        self, filter="gaussian", *, size=None, sigma=None, axis=None, rank=2,  # noqa: A002
        padding_mode="symmetric", constant_values=0, filter_params=None, image_shape=None,
        output="flat", scale=None, working_memory=None, n_threads=None, verbose=0,
    ):
        self.filter = filter
        self.size = size
        self.sigma = sigma
        self.axis = axis
        self.rank = rank
        self.padding_mode = padding_mode
        self.constant_values = constant_values
        self.filter_params = filter_params
        self.image_shape = image_shape
        self.output = output
        self.scale = scale
        self.working_memory = working_memory
        self.n_threads = n_threads
        self.verbose = verbose

    @in_one_step
    def fit(self, X, y=None):
        """Check the parameters and learn the shape of the images.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images.
        y : None
            Ignored.

        Returns
        -------
        self : estimator
            The fitted transformer.
        """
        rank, _ = self._checked()
        images = _images.as_images(self, X, rank, self.image_shape, reset=True)
        # One pixel shows whether the filter takes its arguments, and how many results it has.
        few = np.zeros((1,) * (rank + 1) + (1,), images.dtype)
        self._n_parts = self._filtered(few).shape[-1]
        self.input_shape_ = images.shape
        self.n_features_in_ = prod(self.input_shape_)
        return self

    @takes_dask("samples")
    def transform(self, X):
        """Filter images.

        Parameters
        ----------
        X : array-like of shape (n_images, *size, channels), (n_images, *size) or \
(n_images, n_features)
            Images of the shape seen in `fit`.

        Returns
        -------
        filtered : ndarray of shape (n_images, n_features) or (n_images, *size, n_maps)
            In float32 or float64, as float images are, float32 for integers of up to 16 bits;
            see `output`.
        """
        check_is_fitted(self)
        rank, scale = self._checked()
        images = _images.as_images(self, X, rank, self.image_shape, reset=False)
        self._check_shape(images.shape)
        n_maps = images.shape[-1] * self._n_parts
        out = np.empty((len(images), *images.shape[:-1], n_maps), images.dtype)
        step = self._block_images(images.shape, images.dtype)
        with shown(self, len(images), "images") as progress:
            for first in range(0, len(images), step):
                batch = images.batch(first, first + step)
                if scale != 1:
                    batch = batch * batch.dtype.type(scale)
                self._filtered(batch, out[first:first + step])
                progress.advance(len(batch))
        return out.reshape(len(out), -1) if self.output == "flat" else out

    @available_if(lambda self: self.output == "flat")
    def get_feature_names_out(self, input_features=None):
        """Return a name for each value, such as 'sobel_c1_r3c4'.

        The parts are the filter, the channel, the number of the result where the filter has
        several, and the row and column; signals have a time 't5', volumes a slice 'z2'.

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
        *size, channels = self.input_shape_
        colours = [f"_c{c}" for c in range(channels)] if channels > 1 else [""]
        results = [f"_{k}" for k in range(self._n_parts)] if self._n_parts > 1 else [""]
        maps = [self.filter + colour + result for colour in colours for result in results]
        return np.array([name + place for place in place_names(size) for name in maps], object)

    def set_output(self, *, transform=None):
        """Choose the container of the result.

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
        """Pixels before and after its own that a result depends on, along each axis."""
        check_is_fitted(self)
        return tuple(window.halo for window in self._tiled_call().windows())

    def estimate_memory(self, shape, dtype="float32"):
        """Return the most bytes that `transform` allocates for X of that shape.

        Parameters
        ----------
        shape : tuple of int
            Shape of X.
        dtype : dtype, default='float32'
            Of X.

        Returns
        -------
        n_bytes : int
            The result and what is computed on the way; not X.
        """
        check_is_fitted(self)
        shape = check.batch_shape("shape", shape)
        rank, _ = self._checked()
        image_shape = _images.sample_shape(shape[1:], rank, self.image_shape)
        self._check_shape(image_shape)
        dtype = check.computed_dtype("dtype", dtype)
        step = min(shape[0], self._block_images(image_shape, dtype))
        result = shape[0] * prod(image_shape) * self._n_parts * dtype.itemsize
        return result + step * self._image_bytes(image_shape, dtype) + SCRATCH_BYTES

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags

    def _tiled_call(self, method="transform"):
        """Return the call that is made of tiles of large images."""
        return ImageFilterCall(self)

    def _checked(self):
        """Check all parameters that need no image; return rank and scale."""
        check.choice("output", self.output, ("flat", "maps"))
        rank = check.integer("rank", self.rank, 1)
        if rank > 3:
            raise ValueError(f"rank must be 1, 2 or 3; got {rank}")
        memory_bytes(self.working_memory, get_config()["working_memory"])
        check.verbosity(self.verbose)
        scale = 1.0 if self.scale is None else finite_factor("scale", self.scale)
        self._arguments(rank)
        return rank, scale

    def _check_shape(self, shape):
        """Refuse images of another shape than those of `fit`."""
        if shape != self.input_shape_:
            raise ValueError(f"X must hold images like those of fit, of shape "
                             f"{self.input_shape_}; got {shape}")

    def _arguments(self, rank):
        """Return the filter's own arguments, for a batch of images."""
        name = check.choice("filter", self.filter, tuple(filters.__all__))
        accepted = inspect.signature(getattr(filters, name)).parameters
        arguments = {}
        for setting, names in SETTINGS.items():
            value = getattr(self, setting)
            if value is None:
                continue
            own = [argument for argument in names if argument in accepted]
            if not own:
                raise ValueError(
                    f"{setting} must be None with filter={name!r}, which has no {setting}; got "
                    f"{value!r}. It goes with {_filters_with(names)}")
            arguments[own[0]] = _batch_axis(value, rank) if setting == "axis" else value
        further = {} if self.filter_params is None else self.filter_params
        if not isinstance(further, dict):
            raise TypeError(check.refusal("filter_params", "a dict or None", further))
        allowed = [argument for argument in accepted if argument not in OWN]
        for argument in further:
            if argument not in allowed:
                raise ValueError(f"filter_params must have keys among {allowed} with "
                                 f"filter={name!r}; got {argument!r}")
        arguments |= further
        missing = [argument for argument, parameter in accepted.items()
                   if parameter.default is inspect.Parameter.empty
                   and argument not in (*arguments, "image")]
        if missing:
            raise ValueError(f"filter_params must hold {missing[0]!r} with filter={name!r}; got "
                             f"{self.filter_params!r}")
        return arguments

    def _filtered(self, batch, out=None):
        """Return a batch (n, *size, channels) filtered, with all results of a pixel in channels."""
        rank = batch.ndim - 2
        function, arguments = getattr(filters, self.filter), self._arguments(rank)
        settings = {
            "axes": tuple(range(1, rank + 1)), "padding_mode": self.padding_mode,
            "constant_values": self.constant_values, "n_threads": self.n_threads,
        }
        if out is not None and self.filter not in SEVERAL:
            return function(batch, **arguments, **settings, out=out)
        result = function(batch, **arguments, **settings)
        if result.ndim > batch.ndim:
            result = np.moveaxis(result, 0, -1).reshape(*batch.shape[:-1], -1)
        if out is not None:
            out[...] = result
        return result

    def _image_bytes(self, shape, dtype):
        """Return the most bytes that one image takes on the way, its copy included."""
        n_values = work_values(self.filter, self._n_parts, len(shape) - 1, dtype)
        return prod(shape) * n_values * dtype.itemsize

    def _block_images(self, shape, dtype):
        """Return how many images go through the filter in one call."""
        n_bytes = memory_bytes(self.working_memory, get_config()["working_memory"])
        return int(max(1, n_bytes // self._image_bytes(shape, dtype)))


def _filters_with(names):
    """Return the names of filters that have one of these arguments."""
    return [name for name in filters.__all__
            if set(names) & set(inspect.signature(getattr(filters, name)).parameters)]


def _batch_axis(axis, rank):
    """Return the axis of a batch that is an axis of its images."""
    return 1 + one_axis("axis", axis, rank,
                        f"None or an axis of the images, from {-rank} to {rank - 1}")
