"""Adjacency matrices as users give them, and as the kernels take them.

The only place that looks at a user's graph. Everything else trusts an `Adjacency`: indices in
range, rows sorted, no edge twice, no stored zeros, finite weights.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from convlib import _validation as check

NORMALIZATIONS = ("symmetric", "row", "column", "none")
SELF_LOOPS = ("fill", "add", "keep", "remove")
DIRECTIONS = ("rows", "columns", "both")
MOST_NODES = 2**31 - 1
EDGES_AT_ONCE = 1 << 22    # looked at in one piece, so that checks need no array of all edges


@dataclass(frozen=True, eq=False)
class Adjacency:
    """A square sparse matrix: row i gathers from `columns[starts[i]:starts[i + 1]]`.

    Or some of its rows: columns then count from the first of them, and are negative before it.
    """

    starts: np.ndarray            # intp, (n_nodes + 1,)
    columns: np.ndarray           # int32, (n_edges,)
    weights: np.ndarray | None    # float64 or float32, (n_edges,); None: all are one
    _cuts: dict = field(default_factory=dict, init=False, repr=False)

    @property
    def n_nodes(self):
        """Rows, and columns."""
        return len(self.starts) - 1

    @cached_property
    def degrees(self):
        """Number of edges of each row."""
        return np.diff(self.starts)

    @cached_property
    def most(self):
        """The largest number of edges in a row."""
        return int(self.degrees.max(initial=0))

    @cached_property
    def has_loop(self):
        """Whether a row has an edge to itself, for each row."""
        found = np.zeros(self.n_nodes, bool)
        for first, rows in self._pieces():
            found[rows[rows == self.columns[first:first + len(rows)]]] = True
        return found

    @cached_property
    def transposed(self):
        """The matrix whose rows gather where its columns did."""
        data = np.ones(len(self.columns), np.int8) if self.weights is None else self.weights
        turned = self._csr(data).T.tocsr()
        return Adjacency(*_owned(turned.indptr, turned.indices),
                         None if self.weights is None else turned.data)

    def cut(self, n_runs):
        """Return where up to so many runs of rows of about equal work begin and end."""
        if n_runs == 1:
            return np.array([0, self.n_nodes], np.intp)
        bounds = self._cuts.get(n_runs)
        if bounds is None:
            # Rows cost as much as an edge.
            done = self.starts + np.arange(self.n_nodes + 1)
            wanted = np.arange(n_runs + 1) * done[-1] // n_runs
            bounds = np.unique(np.searchsorted(done, wanted)).astype(np.intp)
            self._cuts[n_runs] = bounds
        return bounds

    def refuse_negative(self, first_row=0):
        """Refuse negative weights, whose sums have no root, or cancel."""
        for first, rows in () if self.weights is None else self._pieces():
            negative = self.weights[first:first + len(rows)] < 0
            if negative.any():
                edge = int(np.argmax(negative))
                weight, row = self.weights[first + edge], first_row + rows[edge]
                raise ValueError(
                    "the symmetric normalization needs weights that are not negative; got "
                    f"{weight:g} in row {row}; signed=True takes sums of magnitudes")

    def sums(self, magnitudes=False):
        """Return the sum of the weights of each row, or of their magnitudes, in float64."""
        if self.weights is None:
            return self.degrees.astype(np.float64)
        sums = np.zeros(self.n_nodes)
        for first, rows in self._pieces():
            weights = self.weights[first:first + len(rows)].astype(np.float64)
            # The sum so far comes first, so that it does not matter where rows are cut.
            begin, end = rows[0], rows[-1] + 1
            sums[begin:end] = np.bincount(
                np.concatenate([[0], rows - begin]),
                np.concatenate([sums[begin:begin + 1], abs(weights) if magnitudes else weights]))
        return sums

    def column_sums(self, before, first_row, magnitudes=False):
        """Return the sums of columns `before` and those of these rows together, in float64."""
        for first, rows in self._pieces():
            edges = slice(first, first + len(rows))
            weights = np.ones(len(rows)) if self.weights is None else self.weights[edges].astype(
                np.float64)
            before = np.bincount(
                np.concatenate([np.arange(len(before)), first_row + self.columns[edges]]),
                np.concatenate([before, abs(weights) if magnitudes else weights]))
        return before

    def of_dtype(self, dtype):
        """Return it with weights of another dtype."""
        if self.weights is None or self.weights.dtype == dtype:
            return self
        return Adjacency(self.starts, self.columns, _weights_of("adjacency", self.weights, dtype))

    def without_weights(self):
        """Return the same edges, all of weight one."""
        return self if self.weights is None else Adjacency(self.starts, self.columns, None)

    def without_loops(self):
        """Return the matrix without its diagonal."""
        if not self.has_loop.any():
            return self
        rows = np.repeat(np.arange(self.n_nodes, dtype=np.int32), self.degrees)
        kept = rows != self.columns
        starts = self.starts - np.concatenate([[0], np.cumsum(self.has_loop)])
        weights = None if self.weights is None else self.weights[kept]
        return Adjacency(starts.astype(np.intp), self.columns[kept], weights)

    def loop_weights(self):
        """Return the diagonal in float64."""
        if self.weights is None:
            return self.has_loop.astype(np.float64)
        diagonal = np.zeros(self.n_nodes)
        for first, rows in self._pieces():
            is_loop = rows == self.columns[first:first + len(rows)]
            diagonal[rows[is_loop]] = self.weights[first:first + len(rows)][is_loop]
        return diagonal

    def matrix(self, dtype):
        """Return it as a scipy.sparse.csr_array of `dtype`, which may share the indices."""
        ones = self.weights is None
        return self._csr(np.ones(len(self.columns), dtype) if ones else self.weights.astype(dtype))

    def _csr(self, data):
        return sp.csr_array((data, self.columns, self.starts), shape=(self.n_nodes,) * 2)

    def _pieces(self):
        """Yield the first edge and the rows of all edges, piece by piece."""
        for first in range(0, len(self.columns), EDGES_AT_ONCE):
            last = min(first + EDGES_AT_ONCE, len(self.columns))
            begin = np.searchsorted(self.starts, first, "right") - 1
            end = np.searchsorted(self.starts, last, "left")
            bounds = np.clip(self.starts[begin:end + 1], first, last)
            yield first, np.repeat(np.arange(begin, end), np.diff(bounds))


def adjacency_of(name, value, dtype, *, weighted=True):
    """Return a user's matrix as an Adjacency with weights of `dtype`, if they are not all one."""
    shape = sparse_shape(name, value)
    if shape[0] != shape[1]:
        raise ValueError(f"{name} must be square, (n_nodes, n_nodes); got shape {shape}")
    return Adjacency(*checked_rows(name, compressed(name, value), shape, dtype, weighted))


def checked_rows(name, arrays, shape, dtype, weighted=True):
    """Return what an Adjacency is made of, from the arrays of a CSR matrix that anyone made."""
    _verify(name, *arrays, shape)
    starts, indices, data = arrays
    data, indices = data[:starts[-1]], indices[:starts[-1]]
    if data.dtype.kind not in "fiub" or data.dtype.itemsize > 8:
        raise TypeError(f"{name} must hold real numbers; got {data.dtype}")
    if not _all(data, np.isfinite):
        raise ValueError(f"{name} must hold finite weights; got NaN or infinity")
    if not _all(data, np.all) or not _is_sorted(starts, indices):
        matrix = sp.csr_array((data.copy(), indices.copy(), starts.copy()), shape=shape)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        data, indices, starts = matrix.data, matrix.indices, matrix.indptr
    starts, indices = _owned(starts, indices)
    if not weighted or _all(data, lambda piece: piece == 1):
        return starts, indices, None
    return starts, indices, _weights_of(name, data, dtype)


def _weights_of(name, data, dtype):
    """Return finite weights of `dtype`."""
    with np.errstate(over="ignore"):
        weights = data.astype(dtype, copy=False)
    if not _all(weights, np.isfinite):
        raise ValueError(f"{name} holds weights beyond the range of {np.dtype(dtype).name}")
    return weights


def sparse_shape(name, value):
    """Return the shape of a user's sparse matrix."""
    if not sp.issparse(value):
        came = type(value).__name__
        hint = "; scipy.sparse.csr_array makes one of a dense array" if isinstance(
            value, np.ndarray) else ""
        raise TypeError(f"{name} must be a scipy.sparse matrix or array; got {came}{hint}")
    if value.ndim != 2:
        raise ValueError(f"{name} must have two axes; got shape {value.shape}")
    if max(value.shape) > MOST_NODES:
        raise ValueError(f"{name} must have at most {MOST_NODES} nodes; got {max(value.shape)}")
    return value.shape


def compressed(name, value):
    """Return the three arrays of a sparse matrix of any format as CSR has them, not yet checked."""
    if value.format == "coo":
        for axis, numbers in enumerate((value.row, value.col)):
            size = value.shape[axis]
            if len(numbers) != len(value.data):
                raise ValueError(f"{name} has {len(numbers)} indices for {len(value.data)} values")
            if len(numbers) and not (numbers.min() >= 0 and numbers.max() < size):
                raise ValueError(
                    f"{name} must have indices in 0 .. {size - 1}; got {numbers.min()} .. "
                    f"{numbers.max()} along axis {axis}")
    elif value.format in ("csc", "bsr"):
        block = value.blocksize if value.format == "bsr" else (1, 1)
        shape = tuple(size // part for size, part in zip(value.shape, block, strict=True))
        _verify(name, value.indptr, value.indices, value.data,
                shape[::-1] if value.format == "csc" else shape)
    value = value.tocsr()
    return value.indptr, value.indices, value.data


def _verify(name, starts, indices, data, shape):
    """Refuse arrays of a compressed matrix that do not fit together."""
    n_rows, n_columns = shape
    for array in (starts, indices):
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise ValueError(f"{name} must have one axis of integer indices; got {array.dtype} of "
                             f"shape {array.shape}")
    if len(starts) != n_rows + 1:
        raise ValueError(f"{name} must have indptr of length {n_rows + 1}; got {len(starts)}")
    if starts[0] != 0 or (starts[1:] < starts[:-1]).any():
        raise ValueError(f"{name} must have indptr that begins with 0 and never falls")
    if starts[-1] > min(len(indices), len(data)):
        raise ValueError(f"{name} must have indices and data for its {starts[-1]} edges; got "
                         f"{len(indices)} and {len(data)}")
    used = indices[:starts[-1]]
    if len(used) and not (used.min() >= 0 and used.max() < n_columns):
        raise ValueError(f"{name} must have indices in 0 .. {n_columns - 1}; got {used.min()} .. "
                         f"{used.max()}")


def _owned(starts, indices):
    """Return the indices as the kernels take them."""
    return np.ascontiguousarray(starts, np.intp), np.ascontiguousarray(indices, np.int32)


def _all(values, test):
    """Return whether a test holds everywhere, piece by piece."""
    return all(np.all(test(values[first:first + EDGES_AT_ONCE]))
               for first in range(0, len(values), EDGES_AT_ONCE))


def _is_sorted(starts, indices):
    """Return whether the indices of each row rise."""
    n_edges = int(starts[-1])
    begins = np.asarray(starts[1:-1])
    for first in range(0, n_edges, EDGES_AT_ONCE):
        last = min(first + EDGES_AT_ONCE + 1, n_edges)
        rises = np.diff(indices[first:last]) > 0
        here = begins[np.searchsorted(begins, first + 1):np.searchsorted(begins, last)]
        rises[here - first - 1] = True
        if not rises.all():
            return False
    return True


def features_array(name, value):
    """Return features as an array (n_nodes, n_features) or (n_signals, n_nodes, n_features)."""
    array = value if check.is_plain(value) else check.numeric_array(name, value)
    allowed = "an array of shape (n_nodes, n_features) or (n_signals, n_nodes, n_features)"
    if array.ndim not in (2, 3):
        raise ValueError(f"{name} must be {allowed}; got shape {array.shape}")
    if array.dtype not in check.FLOATS:
        array = array.astype(check.result_dtype(array.dtype))
    return array if array.strides[-1] == array.itemsize else np.ascontiguousarray(array)


def rows_fit(name, features, n_nodes):
    """Refuse features that have not a row for each node."""
    if features.shape[-2] != n_nodes:
        raise ValueError(f"{name} must have a row for each of the {n_nodes} nodes of the adjacency"
                         f"; got shape {features.shape}")
