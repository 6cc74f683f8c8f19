"""MultiRocketFeatures: MiniRocket with four statistics, of series and of their differences."""

from convlib import _validation as check
from convlib.estimators._series import SeriesTransformer
from convlib.estimators._ternary import PLACES, TernaryKernels, draw, spread

__all__ = ["MultiRocketFeatures"]

STATISTICS = ("ppv", "mpv", "mipv", "lspv")
PER_KERNEL = 2 * len(STATISTICS) * len(PLACES)    # of series and differences


class MultiRocketFeatures(SeriesTransformer):
    """Features of time series by 84 fixed kernels and four statistics (MultiRocket).

    Kernels and biases are those of `MiniRocketFeatures`. Of the points where a convolution is
    above the bias, features are their share (ppv), the mean of how far they are above (mpv), the
    mean of their indices (mipv; -1 if there are none) and how many there are in the longest
    stretch (lspv) [1]_. The same is done for the differences between neighbouring points.
    Convolutions are never stored. The result does not depend on the number of threads, on the
    batch size or on the order of the series, bit by bit.

    A linear classifier is meant to follow: ``make_pipeline(MultiRocketFeatures(),
    StandardScaler(with_mean=False), RidgeClassifierCV(np.logspace(-3, 3, 10)))``.

    Parameters
    ----------
    n_features : int, default=50000
        Number of features, at least 672; rounded down to a multiple of 672.
    max_dilations : int, default=32
        Most dilations; further features are further biases.
    normalize : bool, default=False
        Whether each channel of each series gets mean 0 and standard deviation 1 first. Constant
        channels become zero.
    working_memory : float, default=None
        MiB that series may take which are converted together, one at the least. None is
        scikit-learn's setting of that name.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    random_state : int, RandomState instance or None, default=None
        For drawing series for the biases, and channels.
    verbose : int, default=0
        Whether `fit` tells how far it is, in dilations, and `transform`, in series, on the standard
        error.

    Attributes
    ----------
    dilations_ : tuple of ndarray of shape (n_dilations,)
        Points between neighbouring taps, for series and for differences.
    biases_ : tuple of list of ndarray of shape (84, n_biases)
        What convolutions are compared with, for each dilation.
    channels_ : tuple of list of list of ndarray of shape (n_kernel_channels,)
        Channels that are added for each dilation and kernel.
    min_length_ : int
        Points that the longest dilated kernel needs. Shorter series are zero-padded at their end
        first of all.
    n_channels_ : int
        Channels of the series.
    n_features_in_ : int
        Number of values of one series, unless X was a list.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it has any.

    See Also
    --------
    MiniRocketFeatures : One statistic, without differences.

    References
    ----------
    .. [1] C. W. Tan, A. Dempster, C. Bergmeir and G. Webb, "MultiRocket: multiple pooling
       operators and transformations for fast and effective time series classification", Data
       Mining and Knowledge Discovery 36, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import MultiRocketFeatures
    >>> X = np.random.default_rng(0).normal(size=(20, 100))
    >>> features = MultiRocketFeatures(1344, random_state=0)
    >>> features.fit_transform(X).shape
    (20, 1344)
    >>> features.get_feature_names_out()[[0, 1, -1]]
    array(['k00_d1_b0_ppv', 'k00_d1_b0_mpv', 'diff_k83_d12_b0_lspv'],
          dtype=object)
    """

    def __init__(
        self, n_features=50_000, *, max_dilations=32, normalize=False, working_memory=None,
        n_threads=None, random_state=None, verbose=0,
    ):
        self.n_features = n_features
        self.max_dilations = max_dilations
        self.normalize = normalize
        self.working_memory = working_memory
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    def _checked_parameters(self):
        check.integer("n_features", self.n_features, PER_KERNEL)
        check.integer("max_dilations", self.max_dilations, 1)

    def _n_steps(self, series):
        return sum(len(spread(series, self.n_features // PER_KERNEL, self.max_dilations,
                              differences)[0]) for differences in (0, 1))

    def _draw(self, series, random_state, progress):
        parts = [draw(series, self.normalize, self.n_features // PER_KERNEL, self.max_dilations,
                      differences, random_state, progress) for differences in (0, 1)]
        self.dilations_ = tuple(part.dilations for part in parts)
        self.biases_ = tuple(part.thresholds for part in parts)
        self.channels_ = tuple(part.channels for part in parts)
        kernels = TernaryKernels.of(parts, len(STATISTICS))
        self.min_length_, self._drawn = kernels.shortest, parts
        return kernels

    def _names(self):
        plain, differences = self._drawn
        return plain.names(STATISTICS) + differences.names(STATISTICS, "diff_")
