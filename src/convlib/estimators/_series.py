"""What the transformers of time series share: series in, kernels drawn, one pass, features out."""

from dataclasses import dataclass, fields, replace
from math import prod
from typing import NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._terms import CALL_SECONDS
from convlib._threads import thread_count
from convlib.estimators import _images
from convlib.estimators._progress import CallbackSupportMixin, FitSteps, shown, with_callbacks
from convlib.estimators._settings import all_or_nothing, memory_bytes

PART_SECONDS = 150e-6    # of a task
BLOCK_BYTES = 16 * 2**20    # of series that are converted together
BLOCK_SECONDS = 1.0         # of them, by predicted speeds, after which progress is told
DRAWN_VALUES = 2**20    # random numbers at a time
MOST_POINTS = 2**31     # that kernels can count
VECTOR = 16             # values of the widest vector: lines begin and end with whole ones


class SeriesForm(NamedTuple):
    """How series are laid out for the kernels; C takes it as it is."""

    longest: int
    shortest: int
    margin: int
    step: int
    normalizes: int
    n_parts: int

    @property
    def array(self):
        """The same as an array."""
        return np.array(self, np.intp)


class SeriesTransformer(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """A transformer of time series by kernels that are drawn in fit.

    A subclass has `_checked_parameters()`, `_draw(series, random_state, progress)`, which returns
    `Kernels`, `_names()`, and `_n_steps(series)`, how often `_draw` calls `progress`.
    """

    @with_callbacks
    def fit(self, X, y=None):
        """Draw the kernels.

        Parameters
        ----------
        X : array-like of shape (n_series, length) or (n_series, length, channels), or list of \
array-like of shape (length,) or (length, channels)
            Series; of unequal lengths in a list. Dilations go as far as the longest allows.
        y : None
            Ignored.

        Returns
        -------
        self : estimator
            The fitted transformer.
        """
        with all_or_nothing(self):
            return self._fit(X, y)

    @takes_dask("samples")
    def transform(self, X):
        """Return the features of series.

        Parameters
        ----------
        X : array-like of shape (n_series, length) or (n_series, length, channels), or list of \
array-like of shape (length,) or (length, channels)
            Series with the channels seen in `fit`. The columns of a 2-D array are features to
            scikit-learn, and must be as many as in `fit`; otherwise series have any length.

        Returns
        -------
        features : ndarray of shape (n_series, n_features)
            In float32 or float64, whichever `convlib.conv` computes X in.
        """
        check_is_fitted(self)
        series = Series(self, X, reset=False)
        self._check_channels("X", series.n_channels)
        n_threads = check.threads(self.n_threads)
        kernels = self._kernels.of_dtype(series.dtype)
        form = kernels.form(max(series.lengths), self.normalize)
        seconds = kernels.seconds(form.longest)
        form = form._replace(n_parts=int(np.clip(seconds / PART_SECONDS, 1, kernels.n_units)))
        n_threads = thread_count(n_threads, CALL_SECONDS + len(series) * seconds,
                                 len(series) * form.n_parts)
        scratch = np.empty((n_threads, kernels.scratch_bytes(form, series.n_channels)), np.uint8)
        out = check.output_array(None, (len(series), kernels.n_features), series.dtype)
        together = max(1, int(BLOCK_SECONDS * n_threads / seconds))
        with shown(self, len(series), "series") as progress:
            for first, last, values, starts in series.blocks(self._budget(), together):
                kernels.run(values, starts, form, out[first:last], scratch)
                progress.advance(last - first)
        return out

    def get_feature_names_out(self, input_features=None):
        """Return a name for each feature.

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
        return np.array(self._names(), dtype=object)

    def estimate_memory(self, shape, dtype="float32"):
        """Return the bytes that `transform` allocates for X of that shape.

        Parameters
        ----------
        shape : tuple of int
            Shape of X: (n_series, length), or with channels at its end; of a list the length of
            the longest.
        dtype : dtype, default='float32'
            Of X.

        Returns
        -------
        n_bytes : int
            The features, the series that are converted together, kernels, and the room that as
            many threads need as OpenMP has; not X.
        """
        check_is_fitted(self)
        n_series, *sample = check.batch_shape("shape", shape)
        length, n_channels = _images.sample_shape(tuple(sample), 1, None)
        self._check_channels("shape", n_channels)
        kernels = self._kernels.of_dtype(check.computed_dtype("dtype", dtype))
        form = kernels.form(length, self.normalize)
        n_threads = thread_count(check.threads(self.n_threads), np.inf)
        series_bytes = length * n_channels * kernels.dtype.itemsize
        together = min(n_series, at_once(series_bytes, self._budget()))
        return n_series * kernels.n_features * kernels.dtype.itemsize + together * series_bytes \
            + n_threads * kernels.scratch_bytes(form, n_channels) + kernels.n_bytes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags

    def _fit(self, X, y):
        self._checked_parameters()
        check.flag("normalize", self.normalize)
        check.threads(self.n_threads)
        check.verbosity(self.verbose)
        self._budget()    # refuses a wrong working_memory
        series = Series(self, X, reset=True)
        self.n_channels_ = series.n_channels
        with FitSteps(self, self._n_steps(series), X, y, name="dilation",
                      unit="dilations") as steps:
            self._kernels = self._draw(series, check_random_state(self.random_state), steps)
        return self

    def _check_channels(self, name, n_channels):
        """Refuse series of other channels than those of fit."""
        if n_channels != self.n_channels_:
            raise ValueError(f"{name} must hold series of {self.n_channels_} channels, as in fit; "
                             f"got {n_channels}")

    def _n_steps(self, series):
        """Return how many steps of `fit` can be told one by one."""
        return 0

    def _budget(self):
        """Return the bytes that a block of converted series may take."""
        n_bytes = memory_bytes(self.working_memory, get_config()["working_memory"])
        return min(BLOCK_BYTES, n_bytes)


class Series:
    """Checked series, converted to floating point block by block."""

    def __init__(self, estimator, X, reset):
        if (ragged := as_list(X)) is not None:
            self._parts = _images.as_ragged_images(ragged, 1)
            if reset:
                for name in ("n_features_in_", "feature_names_in_"):
                    vars(estimator).pop(name, None)    # of an earlier fit
        else:
            self._parts = [_images.as_images(estimator, X, 1, None, reset)]
            if reset:
                estimator.n_features_in_ = prod(self._parts[0].shape)
        self.n_channels = self._parts[0].shape[-1]
        self.dtype = np.result_type(*(part.dtype for part in self._parts))
        self.lengths = [part.shape[0] for part in self._parts for _ in range(len(part))]

    def __len__(self):
        return len(self.lengths)

    def one(self, number):
        """Return a series as an array (length, channels) of float64."""
        if len(self._parts) == 1:
            return self._parts[0].batch(number, number + 1, np.float64)[0]
        return self._parts[number].batch(0, 1, np.float64)[0]

    def blocks(self, budget, most):
        """Yield first, last, points of series one after another, and where each begins.

        There are at most `most` series in a block.
        """
        together = at_once(max(self.lengths) * self.n_channels * self.dtype.itemsize, budget)
        together = min(together, most)
        for first in range(0, len(self), together):
            last = min(first + together, len(self))
            if len(self._parts) == 1:
                values = self._parts[0].batch(first, last, self.dtype)
                values = values.reshape(-1, self.n_channels)
            else:
                values = np.concatenate(
                    [part.batch(0, 1, self.dtype)[0] for part in self._parts[first:last]])
            starts = np.cumsum([0, *self.lengths[first:last]], dtype=np.intp)
            yield first, last, np.ascontiguousarray(values), starts


@dataclass(frozen=True)
class Kernels:
    """Drawn kernels, in tables that a compiled function takes.

    A subclass has arrays of weights, named in `weights`, `n_features`, `n_units` into which tasks
    can be cut, `products`, for each point of a series, `run(values, starts, form, out, scratch)`
    and `scratch_bytes(form, n_channels)`.
    """

    shortest: int    # points that series are padded to, at their end
    reach: int       # points beyond the ends that are seen, and are zero

    weights = ()
    PRODUCTS = 20e9    # a second and thread, in float32

    @property
    def dtype(self):
        """Type of the weights."""
        return getattr(self, self.weights[0]).dtype

    @property
    def n_bytes(self):
        """Bytes of all tables."""
        values = [getattr(self, field.name) for field in fields(self)]
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))

    def of_dtype(self, dtype):
        """Return the same kernels for series of a dtype."""
        return replace(self, **{name: getattr(self, name).astype(dtype) for name in self.weights})

    def seconds(self, length):
        """Return how long one thread takes for a series."""
        return length * self.products * self.dtype.itemsize / 4 / self.PRODUCTS

    def form(self, length, normalizes):
        """Return the `SeriesForm` for series up to a length, as one task."""
        if length >= MOST_POINTS:
            raise ValueError(f"series must have less than 2 ** 31 points; got {length}")
        longest = max(length, self.shortest)
        margin = whole_vectors(self.reach + VECTOR)
        return SeriesForm(longest, self.shortest, margin, whole_vectors(longest) + 2 * margin,
                          normalizes, 1)


def as_list(X):
    """Return X as a list of series, whose lengths may differ; None if it is one array."""
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = list(X)
    if not isinstance(X, (list, tuple)) or not all(hasattr(one, "__len__") for one in X):
        return None
    are_arrays = bool(X) and all(hasattr(one, "shape") for one in X)
    return X if are_arrays or len({len(one) for one in X}) > 1 else None


def whole_vectors(n):
    """Return n, or as many more as fill whole vectors in any tier."""
    return -(-n // VECTOR) * VECTOR


def at_once(series_bytes, budget):
    """Return how many series are converted together."""
    return max(1, int(budget // series_bytes))


def padded_series(series, length):
    """Return a series with zeros at its end, up to a length."""
    return np.pad(series, ((0, max(0, length - len(series))), (0, 0)))


def normalized_series(series):
    """Return a series whose channels have mean 0 and deviation 1, or are 0 where constant."""
    series = series - series.mean(axis=0)
    deviation = series.std(axis=0)
    return series / np.where(deviation > 0, deviation, 1)


def draw_channels(counts, n_channels, random_state):
    """Return for each count so many different channels, in order."""
    channels = []
    for first in range(0, len(counts), step := max(1, DRAWN_VALUES // n_channels)):
        some = counts[first:first + step]
        order = np.argsort(random_state.random_sample((len(some), n_channels)), axis=1)
        channels += [np.sort(row[:count]) for row, count in zip(order, some)]
    return channels


def log_uniform(low, high, size, random_state):
    """Return whole numbers from low to high, whose logarithms are uniform."""
    drawn = 2 ** random_state.uniform(np.log2(low), np.log2(high), size)
    return np.minimum(drawn, high).astype(np.intp)
