"""HydraFeatures: groups of random kernels that compete at each point of a time series."""

from dataclasses import dataclass

import numpy as np

from convlib import _validation as check
from convlib._native import cpu
from convlib._native import rocket_hydra as native
from convlib._terms import numbered, scratch_bytes
from convlib.estimators._series import Kernels, SeriesTransformer

__all__ = ["HydraFeatures"]

TAPS = 9
PANEL = 4       # kernels that are convolved with together, as in _native/rocket_hydra.pyx
BLOCK = 1024    # points, as in _native/series.pxd


class HydraFeatures(SeriesTransformer):
    """Features of time series by kernels that compete in groups (Hydra).

    Kernels have nine random weights, whose sum is zero and whose absolute values add up to one, at
    dilations 1, 2, 4 and so on. At each point, the kernel of a group with the largest value gains
    that value, and the one with the least value is counted: these are the features 'max' and 'min'
    of each kernel [1]_. Half of the groups see the series, the others the differences between
    neighbouring points. The result does not depend on the number of threads, on the batch size or
    on the order of the series, bit by bit.

    Features are counts, and sums of positive values: the paper takes their square roots first.

    Parameters
    ----------
    n_kernels : int, default=8
        Kernels of a group.
    n_groups : int, default=64
        Groups at each dilation. Of an odd number one more sees the series; of one, no group sees
        differences.
    max_channels : int, default=8
        Most channels that are added for a group. It is half of them, but at least two; they are
        drawn one by one, so that some may be drawn twice.
    normalize : bool, default=False
        Whether each channel of each series gets mean 0 and standard deviation 1 first. Constant
        channels become zero.
    working_memory : float, default=None
        MiB that series may take which are converted together, one at the least. None is
        scikit-learn's setting of that name.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    random_state : int, RandomState instance or None, default=None
        For drawing kernels and channels.
    verbose : int, default=0
        Whether `transform` tells how far it is, in series, on the standard error.

    Attributes
    ----------
    kernels_ : ndarray of shape (n_units, n_kernels, 9)
        Weights; a unit is a group at one dilation.
    dilations_ : ndarray of shape (n_units,)
        Points between neighbouring taps.
    channels_ : ndarray of shape (n_units, n_group_channels)
        Channels that are added.
    n_plain_units_ : int
        Units that see the series; those behind them see differences.
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
    MultiRocketFeatures : Often used side by side with these.

    References
    ----------
    .. [1] A. Dempster, D. Schmidt and G. Webb, "Hydra: competing convolutional kernels for fast
       and accurate time series classification", Data Mining and Knowledge Discovery 37, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import HydraFeatures
    >>> X = np.random.default_rng(0).normal(size=(20, 100))
    >>> features = HydraFeatures(random_state=0)
    >>> features.fit_transform(X).shape
    (20, 4096)
    >>> features.get_feature_names_out()[[0, 1, -1]]
    array(['g00_k0_d1_max', 'g00_k0_d1_min', 'diff_g63_k7_d8_min'],
          dtype=object)
    """

    def __init__(
        self, n_kernels=8, n_groups=64, *, max_channels=8, normalize=False, working_memory=None,
        n_threads=None, random_state=None, verbose=0,
    ):
        self.n_kernels = n_kernels
        self.n_groups = n_groups
        self.max_channels = max_channels
        self.normalize = normalize
        self.working_memory = working_memory
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    def _checked_parameters(self):
        check.integer("n_kernels", self.n_kernels, 1)
        check.integer("n_groups", self.n_groups, 1)
        check.integer("max_channels", self.max_channels, 1)

    def _draw(self, series, random_state, progress):
        has_differences = int(self.n_groups > 1)
        length = max(*series.lengths, TAPS + has_differences)
        powers = 2 ** np.arange(int(np.log2((length - 1) / (TAPS - 1))) + 1)
        n_plain = self.n_groups - self.n_groups // 2
        # Series first, then differences; dilation by dilation.
        self.dilations_ = np.concatenate([np.repeat(powers, n_plain),
                                          np.repeat(powers, self.n_groups - n_plain)])
        self.n_plain_units_ = n_plain * len(powers)
        n_units, n_channels = len(self.dilations_), series.n_channels
        weights = random_state.standard_normal((n_units, self.n_kernels, TAPS))
        weights -= weights.mean(axis=-1, keepdims=True)
        self.kernels_ = weights / np.abs(weights).sum(axis=-1, keepdims=True)
        n_added = min(max(n_channels // 2, 2), self.max_channels) if n_channels > 1 else 1
        self.channels_ = random_state.randint(n_channels, size=(n_units, n_added))
        reach = int((TAPS - 1) * powers[-1])
        self.min_length_ = reach + 1 + has_differences
        return CompetingKernels(
            shortest=self.min_length_, reach=reach // 2, n_plain=self.n_plain_units_,
            n_kernels=self.n_kernels, dilations=self.dilations_.astype(np.intp),
            channels=self.channels_.astype(np.intp), panels=panels_of(self.kernels_))

    def _names(self):
        n_plain = self.n_groups - self.n_groups // 2
        groups, kernels = numbered("g", self.n_groups), numbered("k", self.n_kernels)
        names = []
        for unit, dilation in enumerate(self.dilations_):
            behind = unit - self.n_plain_units_
            group = groups[unit % n_plain] if behind < 0 else \
                "diff_" + groups[n_plain + behind % (self.n_groups - n_plain)]
            names += [f"{group}_{kernel}_d{dilation}_{statistic}" for kernel in kernels
                      for statistic in ("max", "min")]
        return names


def panels_of(kernels):
    """Return kernels (n_units, n_kernels, TAPS) as rows of panels: zero biases, then taps."""
    panels = []
    for first in range(0, kernels.shape[1], PANEL):
        some = kernels[:, first:first + PANEL]
        with_bias = np.concatenate([np.zeros((*some.shape[:2], 1)), some], axis=-1)
        panels.append(with_bias.transpose(0, 2, 1).reshape(len(kernels), -1))
    return np.concatenate(panels, axis=1)


@dataclass(frozen=True)
class CompetingKernels(Kernels):
    """Kernels of Hydra, unit by unit."""

    n_plain: int
    n_kernels: int    # of a unit
    dilations: np.ndarray
    channels: np.ndarray
    panels: np.ndarray

    weights = ("panels",)

    @property
    def n_features(self):
        """Columns of the result."""
        return 2 * len(self.dilations) * self.n_kernels

    @property
    def n_units(self):
        """Parts that a series' work can be cut into."""
        return len(self.dilations)

    @property
    def products(self):
        """Work for each point: the contest takes as long as the convolutions."""
        return 2 * self.panels.size

    def scratch_bytes(self, form, n_channels):
        """Return the bytes of scratch of a thread."""
        itemsize, n_kernels = self.dtype.itemsize, self.n_kernels
        line, vector = form.step * itemsize, cpu.lanes(itemsize == 8) * itemsize
        return scratch_bytes(
            n_channels * line, line, 8 * self.channels.shape[1], n_kernels * BLOCK * itemsize,
            2 * n_kernels * vector, 8 * n_kernels, 8 * n_kernels)

    def run(self, values, starts, form, out, scratch):
        """Write the features of series."""
        ones = np.ones(self.channels.shape[1], values.dtype)
        native.transform(values, starts, form.array, self.dilations, self.channels, self.panels,
                         ones, self.n_kernels, self.n_plain, out, scratch)
