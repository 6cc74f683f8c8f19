"""MiniRocketFeatures: 84 fixed kernels at many dilations, and shares of points above thresholds."""

from convlib import _validation as check
from convlib.estimators._series import SeriesTransformer
from convlib.estimators._ternary import PLACES, TernaryKernels, draw, spread

__all__ = ["MiniRocketFeatures"]


class MiniRocketFeatures(SeriesTransformer):
    """Features of time series by 84 fixed kernels at many dilations (MiniRocket).

    Kernels have nine taps, three of which are 2 and the others -1. A feature is the share of
    points where the convolution is above a bias (ppv), and biases are quantiles of the convolution
    of series that are drawn in `fit` [1]_. Half of the convolutions see zeros beyond the ends of a
    series, the others stay inside. Convolutions are never stored. The result does not depend on
    the number of threads, on the batch size or on the order of the series, bit by bit.

    A linear classifier is meant to follow: ``make_pipeline(MiniRocketFeatures(),
    StandardScaler(with_mean=False), RidgeClassifierCV(np.logspace(-3, 3, 10)))``.

    Parameters
    ----------
    n_features : int, default=10000
        Number of features, at least 84; rounded down to a multiple of 84.
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
    dilations_ : ndarray of shape (n_dilations,)
        Points between neighbouring taps.
    biases_ : list of ndarray of shape (84, n_biases)
        What convolutions are compared with, for each dilation.
    channels_ : list of list of ndarray of shape (n_kernel_channels,)
        Channels that are added for each dilation and kernel.
    min_length_ : int
        Points that the longest dilated kernel covers. Shorter series are zero-padded at their end
        first of all.
    n_channels_ : int
        Channels of the series.
    n_features_in_ : int
        Number of values of one series, unless X was a list.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it has any.

    See Also
    --------
    MultiRocketFeatures : Four statistics instead of one, and differences.
    RocketFeatures : Random kernels.

    References
    ----------
    .. [1] A. Dempster, D. Schmidt and G. Webb, "MiniRocket: A Very Fast (Almost) Deterministic
       Transform for Time Series Classification", KDD 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import MiniRocketFeatures
    >>> X = np.random.default_rng(0).normal(size=(20, 100))
    >>> features = MiniRocketFeatures(random_state=0)
    >>> features.fit_transform(X).shape
    (20, 9996)
    >>> features.get_feature_names_out()[:2]
    array(['k00_d1_b00_ppv', 'k00_d1_b01_ppv'], dtype=object)
    """

    def __init__(
        self, n_features=10_000, *, max_dilations=32, normalize=False, working_memory=None,
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
        check.integer("n_features", self.n_features, len(PLACES))
        check.integer("max_dilations", self.max_dilations, 1)

    def _n_steps(self, series):
        return len(spread(series, self.n_features // len(PLACES), self.max_dilations, 0)[0])

    def _draw(self, series, random_state, progress):
        drawn = draw(series, self.normalize, self.n_features // len(PLACES), self.max_dilations,
                     0, random_state, progress)
        self.dilations_, self.biases_ = drawn.dilations, drawn.thresholds
        self.channels_ = drawn.channels
        kernels = TernaryKernels.of([drawn], 1)
        self.min_length_, self._drawn = kernels.shortest, drawn
        return kernels

    def _names(self):
        return self._drawn.names(["ppv"])
