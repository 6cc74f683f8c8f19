"""PixelFeatures: filters at several scales, one row of features per pixel."""

from itertools import islice
from math import log2, prod

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._terms import numbered
from convlib._tiling.boxes import n_pixels, tile_size, tiles
from convlib.banks import bank_names, named_bank
from convlib.estimators._pixel_images import pixel_images
from convlib.estimators._pixel_maps import BLOCK_VALUES, MAPS, SETS, Bank, Scale
from convlib.estimators._progress import CallbackSupportMixin, in_one_step, shown
from convlib.estimators._settings import finite_factor, memory_bytes
from convlib.estimators._tiles import PixelsCall

__all__ = ["PixelFeatures"]

TOGETHER = 8           # maps that are written side by side into ...
ROWS_BYTES = 2**19     # ... so many bytes of rows, which stay in cache
# By the number of axes: values for each value of a crop, and of a block of matrices.
CROP_VALUES = {1: 12, 2: 12, 3: 14}
MATRIX_VALUES = {1: 4, 2: 16, 3: 60}


class PixelFeatures(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Features of each pixel, from filters at several scales, for segmentation.

    An image or a list of images goes in, one row per pixel comes out, in the order of the
    pixels. Images may have different sizes. The work is cut into tiles that see exactly what they
    need of their surroundings: the result does not depend on them, bit by bit.

    Parameters
    ----------
    features : {'basic', 'ilastik'} or list of str, default='basic'
        'basic' is the set of scikit-image's ``multiscale_basic_features`` [1]_: 'gaussian',
        'sobel' (the magnitude of the gradient of the smoothed image) and 'texture' (the
        eigenvalues of its matrix of differences of differences). 'ilastik' is the set of ilastik
        [2]_: 'gaussian', 'laplace_of_gaussian', 'gradient_magnitude', 'difference_of_gaussians'
        (of 0.66 sigma and sigma), 'structure_tensor_eigenvalues' (smoothed with sigma / 2) and
        'hessian_eigenvalues'. A list names some of these.
    intensity : bool, default=True
        Whether 'basic' has 'gaussian'.
    edges : bool, default=True
        Whether 'basic' has 'sobel'.
    texture : bool, default=True
        Whether 'basic' has 'texture'.
    sigmas : sequence of float or of tuple of float, default=None
        The scales, in pixels; a tuple has one for each axis, for pixels that are not square, such
        as those of volumes from a microscope. ilastik's are 0.3, 0.7, 1, 1.6, 3.5, 5 and 10.
    sigma_min : float, default=0.5
        The smallest scale where `sigmas` is None.
    sigma_max : float, default=16.0
        The largest one.
    num_sigma : int, default=None
        How many there are, evenly spaced by ratio. None doubles from scale to scale.
    bank : str or array-like of shape (*kernel_size, 1, n_kernels), default=None
        Kernels that each channel is correlated with: further features. A name is one of
        :func:`convlib.banks.bank_names`, such as 'gabor'.
    channel_axis : int, default=None
        The axis that holds channels: -1 for colour images of shape (height, width, 3). With None
        images have none, and three axes are a volume. Axes are never guessed.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        What pixels outside the images hold, as in `numpy.pad`. scikit-image's features are
        those of 'edge'.
    truncate : float, default=4.0
        Radius of Gaussians in standard deviations.
    scale : float, default=None
        Factor for the images, such as 1 / 255. Integers are never rescaled otherwise.
    dtype : {'float32', 'float64', None}, default='float32'
        Of the arithmetic and the features. None is float64 for images of float64 and wide
        integers, else float32.
    working_memory : float, default=None
        MiB that `transform` may take beside X and its result, as far as tiles can be small
        enough. None is scikit-learn's setting of that name.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    verbose : int, default=0
        Whether `transform` tells how far it is, in pixels, on the standard error.

    Attributes
    ----------
    sigmas_ : list of tuple of float
        The scales, with one entry for each axis.
    n_axes_ : int
        Axes of the images beside their channels.
    n_channels_ : int
        Channels of the images.

    See Also
    --------
    PixelClassifier : A classifier of pixels, from few labelled ones.
    ImageFilter : One filter, images in, images out.

    References
    ----------
    .. [1] S. van der Walt et al., "scikit-image: image processing in Python", PeerJ, 2014.
    .. [2] S. Berg et al., "ilastik: interactive machine learning for (bio)image analysis", Nature
       Methods, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import PixelFeatures
    >>> image = np.random.default_rng(0).random((60, 80, 3))
    >>> features = PixelFeatures(sigmas=[1, 2], channel_axis=-1)
    >>> features.fit_transform(image).shape
    (4800, 24)
    >>> features.get_feature_names_out()[:3]
    array(['gaussian_sigma1_c0', 'sobel_sigma1_c0', 'texture0_sigma1_c0'],
          dtype=object)
    >>> features.halo
    ((10, 10), (10, 10))
    """

    def __init__(
        self, features="basic", *, intensity=True, edges=True, texture=True, sigmas=None,
        sigma_min=0.5, sigma_max=16.0, num_sigma=None, bank=None, channel_axis=None,
        padding_mode="symmetric", truncate=4.0, scale=None, dtype="float32", working_memory=None,
        n_threads=None, verbose=0,
    ):
        self.features = features
        self.intensity = intensity
        self.edges = edges
        self.texture = texture
        self.sigmas = sigmas
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max
        self.num_sigma = num_sigma
        self.bank = bank
        self.channel_axis = channel_axis
        self.padding_mode = padding_mode
        self.truncate = truncate
        self.scale = scale
        self.dtype = dtype
        self.working_memory = working_memory
        self.n_threads = n_threads
        self.verbose = verbose

    @in_one_step
    def fit(self, X, y=None):
        """Check the parameters; learn how many axes and channels the images have.

        Parameters
        ----------
        X : array-like of shape (*size) or with channels along `channel_axis`, or a list of them
            An image, or images of any sizes.
        y : None
            Ignored.

        Returns
        -------
        self : estimator
            The fitted transformer.
        """
        images, _ = pixel_images(X, self.channel_axis)
        rank = len(images[0].size)
        maps, bank = self._checked_maps(), self._checked_bank(rank)
        if not maps and bank is None:
            raise ValueError("there must be some features: intensity, edges, texture, a name in "
                             "features, or a bank")
        sigmas = self._checked_sigmas(rank)
        check.choice("padding_mode", self.padding_mode, check.PADDING_MODES)
        check.positive_number("truncate", self.truncate)
        check.choice("dtype", self.dtype, ("float32", "float64", None))
        self._factor()
        self._budget()
        check.threads(self.n_threads)
        check.verbosity(self.verbose)
        self.sigmas_, self._maps, self._bank = sigmas, maps, bank
        self.n_axes_, self.n_channels_ = rank, images[0].n_channels
        return self

    @takes_dask("pixels")
    def transform(self, X):
        """Return the features of all pixels.

        Parameters
        ----------
        X : array-like of shape (*size) or with channels along `channel_axis`, or a list of them
            An image, or images of any sizes, with the axes and channels seen in `fit`.

        Returns
        -------
        features : ndarray of shape (n_pixels, n_features)
            The pixels of an image in row-major order, those of the first image first.
        """
        check_is_fitted(self)
        images, _ = self._images(X)
        dtypes = [self._dtype_of(image) for image in images]
        counts = [prod(image.size) for image in images]
        out = np.empty((sum(counts), self._n_features), np.result_type(*dtypes))
        budget, last = self._budget(), 0
        with shown(self, sum(counts), "pixels") as progress:
            for image, count in zip(images, counts):
                first, last = last, last + count
                rows = out[first:last].reshape(*image.size, self._n_features)
                for box in tiles(image.size, self._tile(image, budget)):
                    self._fill(image, box, rows[box], out.dtype)
                    progress.advance(n_pixels(box))
        return out

    def get_feature_names_out(self, input_features=None):
        """Return a name for each feature, such as 'gaussian_sigma2_c0'.

        The parts are the filter, with a number where it has several results, the scale, and the
        channel of images that have channels. Kernels of the bank are 'bank07_c0'.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of shape (n_features,), dtype object
            In the order of the columns of `transform`.
        """
        check_is_fitted(self)
        names = []
        for sigma in self.sigmas_ if self._maps else ():
            entries = sigma[:1] if len(set(sigma)) == 1 else sigma
            words = "x".join(f"{entry:.6g}" for entry in entries)
            for name in self._maps:
                numbers = range(self.n_axes_) if MAPS[name].per_axis else ("",)
                names += [f"{name}{number}_sigma{words}" for number in numbers]
        if self._bank is not None:
            names += numbered("bank", self._bank.n_kernels)
        if self.channel_axis is not None:
            names = [f"{name}_c{c}" for c in range(self.n_channels_) for name in names]
        return np.array(names, dtype=object)

    @property
    def halo(self):
        """Pixels before and after a pixel, along each axis, that its features depend on.

        A crop with a halo of so many pixels, or up to the image's border where that is nearer,
        has the features of the whole image inside, bit by bit. With ``padding_mode='wrap'`` the
        halo goes on at the other side.
        """
        check_is_fitted(self)
        reach = [((0, 0),) * self.n_axes_]
        for sigma in self.sigmas_:
            reach += [tuple((MAPS[name].reach(one, self.truncate),) * 2 for one in sigma)
                      for name in self._maps]
        if self._bank is not None:
            reach.append(self._bank.reach)
        return tuple(tuple(map(max, zip(*pairs))) for pairs in zip(*reach))

    def estimate_memory(self, shape, dtype="float32"):
        """Return the most bytes that `transform` allocates for an image of that shape.

        Parameters
        ----------
        shape : tuple of int
            Shape of the image.
        dtype : dtype, default='float32'
            Of the image.

        Returns
        -------
        n_bytes : int
            The features of all pixels, and one tile on the way; not the image.
        """
        check_is_fitted(self)
        image = self._images(np.broadcast_to(np.zeros((), dtype), shape))[0][0]
        itemsize = self._dtype_of(image).itemsize
        tile = self._tile(image, self._budget())
        return prod(image.size) * self._n_features * itemsize + self._crop_bytes(
            image.size, tile, itemsize)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _tiled_call(self, method="transform"):
        """Return the call that is made of tiles of large images."""
        check_is_fitted(self)
        return PixelsCall(self)

    def _checked_maps(self):
        """Return the names of the features."""
        flags = {word: check.flag(word, getattr(self, word))
                 for word in ("intensity", "edges", "texture")}
        if isinstance(self.features, str):
            names = SETS[check.choice("features", self.features, tuple(SETS))]
            if self.features == "basic":
                return tuple(name for name, kept in zip(names, flags.values()) if kept)
        else:
            entries = check.as_entries(self.features)
            if entries is None:
                raise TypeError(check.refusal(
                    "features", f"one of {list(SETS)} or a list of names", self.features))
            names = tuple(check.choice(f"features[{k}]", entry, tuple(MAPS))
                          for k, entry in enumerate(entries))
            if len(set(names)) < len(names):
                raise ValueError(f"features must differ; got {list(names)}")
        if not all(flags.values()):
            raise ValueError("intensity, edges and texture must be True unless features='basic'; "
                             f"got features={self.features!r}")
        return names

    def _checked_sigmas(self, rank):
        """Return the scales, each a tuple of one number for each axis."""
        if self.sigmas is None:
            low = check.positive_number("sigma_min", self.sigma_min)
            high = check.positive_number("sigma_max", self.sigma_max)
            if high < low:
                raise ValueError(f"sigma_max must be at least sigma_min={low}; got {high}")
            number = int(log2(high) - log2(low) + 1) if self.num_sigma is None else \
                check.integer("num_sigma", self.num_sigma, 1)
            powers = np.logspace(log2(low), log2(high), number, base=2)
            return [(float(sigma),) * rank for sigma in powers]
        if self.num_sigma is not None:
            raise ValueError(f"num_sigma must be None where sigmas are given; got "
                             f"{self.num_sigma!r}")
        given = check.as_entries(self.sigmas)
        if not given:
            raise ValueError(check.refusal("sigmas", "a sequence of at least one scale, or None",
                                           self.sigmas))
        sigmas = []
        for k, entry in enumerate(given):
            entries = check.as_entries(entry)
            entries = (entry,) * rank if entries is None else entries
            if len(entries) != rank:
                raise ValueError(check.refusal(
                    f"sigmas[{k}]", f"a number or {rank} of them, one an axis", entry))
            sigmas.append(tuple(check.positive_number(f"sigmas[{k}]", one) for one in entries))
        if len(set(sigmas)) < len(sigmas):
            raise ValueError(f"sigmas must differ; got {self.sigmas!r}")
        return sigmas

    def _checked_bank(self, rank):
        """Return the `Bank`, None if there is none."""
        if self.bank is None:
            return None
        if isinstance(self.bank, str):
            name = check.choice("bank", self.bank, bank_names(rank))
            return Bank(named_bank(name, rank, dtype="float64")[..., 0, :])
        kernels = check.numeric_array("bank", self.bank)
        if kernels.ndim != rank + 2 or kernels.shape[-2] != 1 or kernels.size == 0 \
                or not np.isfinite(kernels).all():
            raise ValueError(check.refusal(
                "bank", f"finite numbers of shape (*kernel_size, 1, n_kernels) for images of "
                f"{rank} axes", kernels))
        return Bank(kernels[..., 0, :].astype(np.float64))

    def _factor(self):
        """Return the factor for the images."""
        return 1.0 if self.scale is None else finite_factor("scale", self.scale)

    def _budget(self):
        """Return the bytes that one tile may take."""
        return memory_bytes(self.working_memory, get_config()["working_memory"])

    def _images(self, X):
        """Return the `PixelImage`s of X, like those of `fit`, and whether X is a list."""
        images, is_list = pixel_images(X, self.channel_axis)
        got = (len(images[0].size), images[0].n_channels)
        if got != (self.n_axes_, self.n_channels_):
            raise ValueError(
                f"X must hold images like those of fit, of {self.n_axes_} axes and "
                f"{self.n_channels_} channels; got {got[0]} axes and {got[1]} channels")
        return images, is_list

    def _dtype_of(self, image):
        """Return the dtype of the features of an image."""
        return np.dtype(self.dtype) if self.dtype else check.result_dtype(image.dtype)

    @property
    def _n_features(self):
        maps = sum(self.n_axes_ if MAPS[name].per_axis else 1 for name in self._maps)
        kernels = 0 if self._bank is None else self._bank.n_kernels
        return self.n_channels_ * (len(self.sigmas_) * maps + kernels)

    def _crop_bytes(self, size, tile, itemsize):
        """Return the most bytes that the maps of a tile of an image take on the way to rows."""
        wraps = self.padding_mode == "wrap"
        crop = [m + sum(pair) if wraps else min(n, m + sum(pair))
                for n, m, pair in zip(size, tile, self.halo)]
        block = max(BLOCK_VALUES, prod(crop[1:])) * MATRIX_VALUES[self.n_axes_]
        work = CROP_VALUES[self.n_axes_]
        if self._bank is not None:
            work = max(work, 2 * self._bank.TOGETHER)
        return (prod(crop) * (work + TOGETHER + 2 * self.n_channels_) + block) * itemsize

    def _tile(self, image, budget, pixel_bytes=0):
        """Return the size of tiles within a budget of bytes, with so many more for each pixel."""
        itemsize = self._dtype_of(image).itemsize
        return tile_size(image.size, self.halo, lambda tile: self._crop_bytes(
            image.size, tile, itemsize) + prod(tile) * pixel_bytes, budget)

    def _maps_of(self, image, box, dtype):
        """Yield the maps of the pixels of a box, one by one."""
        wraps = self.padding_mode == "wrap"
        mode = "symmetric" if wraps else self.padding_mode    # of ends that are not seen
        values, inner = image.crop(box, self.halo, wraps, np.dtype(dtype), self._factor())
        for channel in values:
            for sigma in self.sigmas_ if self._maps else ():
                scale = Scale(channel, sigma, self.truncate, mode, self.n_threads)
                for name in self._maps:
                    for feature in MAPS[name].compute(scale):
                        yield feature[inner]
            if self._bank is not None:
                for feature in self._bank.maps(channel, mode, self.n_threads):
                    yield feature[inner]

    def _fill(self, image, box, out, dtype):
        """Write the features of a box to `out`, (*size of the box, n_features)."""
        maps, last = self._maps_of(image, box, dtype), 0
        step = max(1, ROWS_BYTES // out[0].nbytes)
        while together := list(islice(maps, TOGETHER)):
            first, last = last, last + len(together)
            for start in range(0, len(out), step):
                rows = out[start:start + step]
                for column, feature in enumerate(together, first):
                    rows[..., column] = feature[start:start + step]

    def _rows_at(self, image, box, places, dtype):
        """Return the features at some places, (n, axes), of a box."""
        index = tuple(places[:, axis] - own.start for axis, own in enumerate(box))
        out = np.empty((len(places), self._n_features), dtype)
        for column, feature in enumerate(self._maps_of(image, box, dtype)):
            out[:, column] = feature[index]
        return out
