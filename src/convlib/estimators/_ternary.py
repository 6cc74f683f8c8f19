"""The kernels of MiniRocket and MultiRocket: nine taps, three of which are 2 and the others -1."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from convlib._native import rocket_ternary as native
from convlib._terms import numbered, scratch_bytes
from convlib.estimators._series import (
    Kernels,
    draw_channels,
    log_uniform,
    normalized_series,
    padded_series,
)

TAPS = 9
PLACES = list(combinations(range(TAPS), 3))    # of the taps that are 2, kernel by kernel
GOLDEN = (np.sqrt(5) + 1) / 2
MOST_CHANNELS = 9    # of a kernel
POSITIVES_BYTES = 40    # of what is kept for a threshold, in c/microkernels.h
BLOCK = 1024         # as in _native/series.pxd


@dataclass(frozen=True)
class Drawn:
    """What is drawn for the series themselves, or for their differences."""

    dilations: np.ndarray
    thresholds: list    # of arrays (84, n_thresholds), one for each dilation
    channels: list      # of lists of 84 arrays

    @property
    def reach(self):
        """Points that the longest kernel covers, beside the first."""
        return int((TAPS - 1) * self.dilations[-1])

    def names(self, statistics, prefix=""):
        """Return names of the features."""
        names = []
        kernels = numbered("k", len(PLACES))
        for dilation, thresholds in zip(self.dilations, self.thresholds):
            biases = numbered("_b", thresholds.shape[1])
            names += [f"{prefix}{kernel}_d{dilation}{bias}_{statistic}" for kernel in kernels
                      for bias in biases for statistic in statistics]
        return names


def draw(series, normalizes, n_features, max_dilations, differences, random_state, progress):
    """Return what is drawn for series, or for their differences, with so many features a kernel.

    Thresholds are quantiles of the convolution of one series, another one for each kernel and
    dilation. `progress` is called after each dilation.
    """
    dilations, counts = spread(series, n_features, max_dilations, differences)
    most = min(series.n_channels, MOST_CHANNELS)
    n = len(dilations) * len(PLACES)
    n_seen = log_uniform(1, most + 1, n, random_state).clip(max=most)
    channels = draw_channels(n_seen, series.n_channels, random_state)
    chosen = random_state.randint(len(series), size=n)
    shares = np.arange(1, len(PLACES) * counts.sum() + 1) * GOLDEN % 1
    shortest = (TAPS - 1) * dilations[-1] + 1 + differences
    thresholds, first = [], 0
    for i, (dilation, count) in enumerate(zip(dilations, counts)):
        own = np.empty((len(PLACES), count))
        for k, places in enumerate(PLACES):
            kernel = i * len(PLACES) + k
            points = padded_series(series.one(chosen[kernel]), shortest)
            points = normalized_series(points) if normalizes else points
            points = np.diff(points, axis=0) if differences else points
            values = convolved(points[:, channels[kernel]].sum(axis=1), dilation, places)
            values.sort()
            own[k] = np.interp(shares[first:first + count] * (len(values) - 1),
                               np.arange(len(values)), values)
            first += count
        thresholds.append(own)
        progress()
    channels = [channels[i:i + len(PLACES)] for i in range(0, n, len(PLACES))]
    return Drawn(dilations, thresholds, channels)


def spread(series, n_features, max_dilations, differences):
    """Return dilations, evenly by ratio, and how many features a kernel has at each of them."""
    length = max(*series.lengths, TAPS + differences) - differences
    n = min(n_features, max_dilations)
    powers = np.linspace(0, np.log2((length - 1) / (TAPS - 1)), n)
    dilations, counts = np.unique((2**powers).astype(np.intp), return_counts=True)
    counts = (counts * (n_features / n)).astype(np.intp)
    for i in range(n_features - counts.sum()):
        counts[i % len(counts)] += 1
    return dilations, counts


def convolved(points, dilation, places):
    """Return the convolution with a kernel, as long as the points are."""
    half = TAPS // 2 * dilation
    padded = np.pad(points, half)
    taps = [padded[i * dilation:i * dilation + len(points)] for i in range(TAPS)]
    return 3 * sum(taps[place] for place in places) - sum(taps)


@dataclass(frozen=True)
class TernaryKernels(Kernels):
    """Kernels of MiniRocket, with one statistic, or of MultiRocket, with four."""

    products: float
    n_statistics: int
    dilations: np.ndarray         # the rows of the table in _native/rocket_ternary.pyx
    channels: np.ndarray          # of each kernel, one after the other
    channel_starts: np.ndarray
    thresholds: np.ndarray

    weights = ("thresholds",)

    @classmethod
    def of(cls, parts, n_statistics):
        """Return the kernels of `Drawn`, of which a second one is for differences."""
        rows, n = [], 0
        for is_second, part in enumerate(parts):
            for i, (dilation, own) in enumerate(zip(part.dilations, part.thresholds)):
                rows.append((dilation, own.shape[1], n, is_second, i % 2))
                n += own.size
        channels = [seen for part in parts for own in part.channels for seen in own]
        return cls(
            shortest=max(part.reach + 1 + i for i, part in enumerate(parts)),
            reach=max(part.reach for part in parts) // 2,
            products=n * (1.2 if n_statistics == 1 else 6) + 8 * sum(map(len, channels)),
            n_statistics=n_statistics, dilations=np.array(rows, np.intp),
            channels=np.concatenate(channels).astype(np.intp, copy=False),
            channel_starts=np.cumsum([0, *map(len, channels)], dtype=np.intp),
            thresholds=np.concatenate([own.ravel() for part in parts for own in part.thresholds]))

    @property
    def n_features(self):
        """Columns of the result."""
        return self.n_statistics * len(self.thresholds)

    @property
    def n_units(self):
        """Parts that a series' work can be cut into: kernels whose first tap is the same."""
        return len(self.dilations) * (TAPS - 2)

    def scratch_bytes(self, form, n_channels):
        """Return the bytes of scratch of a thread."""
        itemsize, most = self.dtype.itemsize, int(self.dilations[:, 1].max())
        line = form.step * itemsize
        pooling = (BLOCK * itemsize, line, POSITIVES_BYTES * most)
        return scratch_bytes(n_channels * line, line, line, line, 8 * max(TAPS, n_channels),
                             *((8 * most,) if self.n_statistics == 1 else pooling))

    def run(self, values, starts, form, out, scratch):
        """Write the features of series."""
        ones = np.ones(values.shape[1], values.dtype)
        native.transform(values, starts, form.array, self.dilations, self.channels,
                         self.channel_starts, self.thresholds, ones, out, scratch)
