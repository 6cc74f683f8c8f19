"""RocketFeatures: random dilated convolutions of time series, and two statistics of each."""

from dataclasses import dataclass

import numpy as np

from convlib import _validation as check
from convlib._native import rocket as native
from convlib._terms import numbered, scratch_bytes
from convlib.estimators._series import (
    Kernels,
    SeriesTransformer,
    draw_channels,
    log_uniform,
)

__all__ = ["RocketFeatures"]

SIZES = (7, 9, 11)    # of kernels
GROUP = 4             # kernels that look at the same points, as in _native/rocket.pyx


class RocketFeatures(SeriesTransformer):
    """Features of time series by random dilated convolutions (ROCKET).

    Kernels have 7, 9 or 11 random weights, whose sum is zero, a random bias, dilation and padding,
    and look at some of the channels [1]_. Each gives the share of positive values of its
    convolution (ppv), and the maximum. Convolutions are never stored. The result does not depend
    on the number of threads, on the batch size or on the order of the series, bit by bit.

    A linear classifier is meant to follow: ``make_pipeline(RocketFeatures(),
    StandardScaler(with_mean=False), RidgeClassifierCV(np.logspace(-3, 3, 10)))``.

    Parameters
    ----------
    n_kernels : int, default=10000
        Number of kernels; there are twice as many features.
    normalize : bool, default=True
        Whether each channel of each series gets mean 0 and standard deviation 1 first, which
        biases are made for. Constant channels become zero.
    working_memory : float, default=None
        MiB that series may take which are converted together, one at the least. None is
        scikit-learn's setting of that name.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    random_state : int, RandomState instance or None, default=None
        For drawing kernels.
    verbose : int, default=0
        Whether `transform` tells how far it is, in series, on the standard error.

    Attributes
    ----------
    kernels_ : list of ndarray of shape (size, n_kernel_channels)
        Weights of each kernel.
    channels_ : list of ndarray of shape (n_kernel_channels,)
        Channels that each kernel looks at.
    bias_ : ndarray of shape (n_kernels,)
        Added to the convolutions.
    dilations_ : ndarray of shape (n_kernels,)
        Points between neighbouring taps.
    paddings_ : ndarray of shape (n_kernels,)
        Zeros before and after each series.
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
    MiniRocketFeatures : Fixed kernels, many times faster.

    References
    ----------
    .. [1] A. Dempster, F. Petitjean and G. Webb, "ROCKET: Exceptionally fast and accurate time
       series classification using random convolutional kernels", Data Mining and Knowledge
       Discovery 34, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import RocketFeatures
    >>> X = np.random.default_rng(0).normal(size=(20, 100))
    >>> features = RocketFeatures(1000, random_state=0)
    >>> features.fit_transform(X).shape
    (20, 2000)
    >>> features.get_feature_names_out()[:2]
    array(['k000_d6_ppv', 'k000_d6_max'], dtype=object)
    """

    def __init__(
        self, n_kernels=10_000, *, normalize=True, working_memory=None, n_threads=None,
        random_state=None, verbose=0,
    ):
        self.n_kernels = n_kernels
        self.normalize = normalize
        self.working_memory = working_memory
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    def _checked_parameters(self):
        check.integer("n_kernels", self.n_kernels, 1)

    def _draw(self, series, random_state, progress):
        n, n_channels = check.integer("n_kernels", self.n_kernels, 1), series.n_channels
        sizes = random_state.choice(SIZES, n)
        length = max(*series.lengths, *SIZES)
        dilations = log_uniform(1, (length - 1) / (sizes - 1), n, random_state)
        most = np.minimum(n_channels, sizes)
        counts = log_uniform(1, most + 1, n, random_state).clip(max=most)
        self.channels_ = draw_channels(counts, n_channels, random_state)
        self.bias_ = random_state.uniform(-1, 1, n)
        self.paddings_ = (sizes - 1) * dilations // 2 * random_state.randint(2, size=n)
        self.dilations_ = dilations
        self.kernels_ = []
        for size, count in zip(sizes, counts):
            weights = random_state.standard_normal((size, count))
            self.kernels_.append(weights - weights.mean(axis=0))
        kernels = RandomKernels.of(self)
        self.min_length_ = kernels.shortest
        return kernels

    def _names(self):
        return [f"{name}_d{dilation}_{statistic}"
                for name, dilation in zip(numbered("k", len(self.kernels_)), self.dilations_)
                for statistic in ("ppv", "max")]


@dataclass(frozen=True)
class RandomKernels(Kernels):
    """Kernels of ROCKET, in groups of up to GROUP that look at the same points."""

    products: int
    groups: np.ndarray     # the rows of the table in _native/rocket.pyx
    channels: np.ndarray   # of each tap
    shifts: np.ndarray     # of each tap, in points
    order: np.ndarray      # numbers of the kernels, group after group
    panels: np.ndarray     # of each group biases, then the weights of each tap

    weights = ("panels",)

    @classmethod
    def of(cls, fitted):
        """Return the kernels of a fitted RocketFeatures."""
        alike = {}
        for k, kernel in enumerate(fitted.kernels_):
            key = (fitted.dilations_[k], len(kernel), fitted.paddings_[k], *fitted.channels_[k])
            alike.setdefault(key, []).append(k)
        groups, channels, shifts, order, panels = [], [], [], [], []
        n_taps = n_weights = 0
        for (dilation, size, padding, *seen), members in sorted(alike.items()):
            taps = size * len(seen)
            for first in range(0, len(members), GROUP):
                group = members[first:first + GROUP]
                groups.append((len(group), taps, n_taps, len(order), n_weights, padding,
                               (size - 1) * dilation))
                weights = np.stack([fitted.kernels_[k].T.ravel() for k in group], axis=-1)
                panels += [fitted.bias_[group], weights.ravel()]
                n_weights += len(group) + weights.size
                order += group
            n_taps += taps
            channels.append(np.repeat(seen, size))
            shifts.append(np.tile(np.arange(size) * dilation, len(seen)))
        table = np.array(groups, np.intp)
        return cls(
            shortest=int(table[:, 6].max()) + 1, reach=int(table[:, 5].max()),
            products=int(table[:, 0] @ table[:, 1]), groups=table,
            channels=np.concatenate(channels), shifts=np.concatenate(shifts),
            order=np.array(order, np.intp), panels=np.concatenate(panels))

    @property
    def n_features(self):
        """Columns of the result."""
        return 2 * len(self.order)

    @property
    def n_units(self):
        """Parts that a series' work can be cut into."""
        return len(self.groups)

    def scratch_bytes(self, form, n_channels):
        """Return the bytes of scratch of a thread."""
        return scratch_bytes(n_channels * form.step * self.dtype.itemsize)

    def run(self, values, starts, form, out, scratch):
        """Write the features of series."""
        taps = (self.channels * form.step + self.shifts).astype(np.intp, copy=False)
        native.transform(values, starts, form.array, self.groups, taps, self.order, self.panels,
                         out, scratch)
