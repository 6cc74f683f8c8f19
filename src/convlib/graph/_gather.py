"""Features gathered along edges: the adjacency with its normalisation, and the call of C."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from convlib._native import graph as native
from convlib._terms import ACTIVATION_CODES, by_dtype, lanes
from convlib._threads import thread_count
from convlib.graph._adjacency import Adjacency

GATHER, ATTEND = by_dtype(native.gather), by_dtype(native.attend)

REDUCTIONS = {"max": 0, "sum": 1, "min": 2}    # as in _native/c/microkernels.h
READ_BYTES = 15e9           # features gathered in a second by one thread
SCORE_SECONDS = 5e-9        # of one edge and head
RUN_SECONDS = 100e-6
MOST_RUNS = 4096
FETCHED_BYTES = 1 << 20     # features beyond it are outside a core's caches: fetched ahead
CACHE_BYTES = 32 * 2**20    # results beyond it are stored past the caches
EDGES_AHEAD = 8
BLOCK_VECTORS = 8           # as in _native/c/gather.h
SCALED_NODES = 1 << 15      # from so many on, scales are not found in the first cache


@dataclass(frozen=True, eq=False)
class Operator:
    """The linear map diag(factors) (A + diag(loops)) diag(scales); None stands for ones, or zeros.

    Its arrays have the dtype of the features.
    """

    adjacency: Adjacency
    dtype: np.dtype
    loops: np.ndarray | None = None
    scales: np.ndarray | None = None
    factors: np.ndarray | None = None

    def times(self, share):
        """Return the map times a number."""
        if share == 1:
            return self
        n_nodes = self.adjacency.n_nodes
        factors = np.ones(n_nodes, self.dtype) if self.factors is None else self.factors
        return replace(self, factors=factors * self.dtype.type(share))

    def looped(self, weight):
        """Return the map of unweighted sums in which each node counts itself that much more."""
        loops = np.full(self.adjacency.n_nodes, weight, self.dtype)
        return replace(self, loops=loops if self.loops is None else loops + self.loops)

    def chain(self):
        """Return scales, and the operators between hops and of the last, for features so scaled.

        What comes from a node is then scaled once a hop and not once an edge. None where that
        saves nothing.
        """
        if self.scales is None or self.adjacency.n_nodes < SCALED_NODES:
            return None, None, None
        both = self.scales if self.factors is None else self.scales * self.factors
        return (self.scales, replace(self, scales=None, factors=both),
                replace(self, scales=None))

    def gather(self, features, out=None, **options):
        """Return the map of features, see `apply`."""
        return apply(self, features, out, **options)

    def matrix(self):
        """Return the map as a scipy.sparse.csr_array."""
        dtype, matrix = self.dtype, self.adjacency.matrix(self.dtype)
        if self.loops is not None:
            matrix = matrix + sp.diags_array(self.loops)
        if self.scales is not None:
            matrix = matrix @ sp.diags_array(self.scales)
        if self.factors is not None:
            matrix = sp.diags_array(self.factors) @ matrix
        matrix = sp.csr_array(matrix, dtype=dtype)
        matrix.sort_indices()
        return matrix


def normalized(adjacency, dtype, normalization, self_loops, *, signed=False):
    """Return the operator of an adjacency under a normalisation."""
    dtype = np.dtype(dtype)
    adjacency, loops = with_loops(adjacency, dtype, self_loops)
    if normalization == "none":
        return Operator(adjacency, dtype, loops)
    if normalization == "symmetric" and not signed:
        adjacency.refuse_negative()
    turned = adjacency.transposed if normalization == "column" else adjacency
    sums = turned.sums(signed) + loop_sums(adjacency, loops, signed)
    return Operator(adjacency, dtype, loops, *shares(sums, normalization, dtype))


def with_loops(adjacency, dtype, self_loops):
    """Return an adjacency and the weights that nodes have for themselves beside it, or None."""
    if self_loops == "remove":
        return adjacency.without_loops(), None
    if self_loops == "fill":
        return adjacency, (~adjacency.has_loop).astype(dtype)
    return adjacency, np.ones(adjacency.n_nodes, dtype) if self_loops == "add" else None


def loop_sums(adjacency, loops, signed):
    """Return what such weights add to the sums of rows, or of columns."""
    if loops is None:
        return 0
    diagonal = adjacency.loop_weights() if signed else 0
    return abs(diagonal + loops) - abs(diagonal)


def shares(sums, normalization, dtype):
    """Return what sums of rows, or of columns, make of scales and factors; zero of no sum."""
    power = -0.5 if normalization == "symmetric" else -1.0
    found = np.power(sums, power, out=np.zeros_like(sums), where=sums != 0).astype(dtype)
    return (None if normalization in ("row", "none") else found,
            None if normalization in ("column", "none") else found)


def directed(adjacency, direction):
    """Return the adjacency whose rows gather along edges of a direction."""
    if direction == "rows":
        return adjacency
    turned = adjacency.transposed
    if direction == "columns":
        return turned
    # Where both directions have an edge its weight is their mean, so that symmetric ones stay.
    dtype = np.float64 if adjacency.weights is None else adjacency.weights.dtype
    one = adjacency.matrix(dtype)
    total = one + turned.matrix(dtype)
    count = adjacency.without_weights().matrix(np.int8) + turned.without_weights().matrix(np.int8)
    # Weights that cancel are dropped by the sum, and so is their count.
    total.sort_indices()
    count = sp.csr_array(count.multiply(total != 0))
    count.sort_indices()
    weights = total.data / count.data
    starts, columns = total.indptr.astype(np.intp), total.indices.astype(np.int32)
    return Adjacency(starts, columns, None if (weights == 1).all() else weights.astype(dtype))


def apply(operator, features, out=None, *, added=None, added_share=0.0, reduction="sum",
          activation=None, n_threads=None):
    """Write the operator times the features, plus a share of `added`, or extremes, to `out`."""
    if features.ndim == 3:
        if out is None:
            out = np.empty(features.shape, features.dtype)
        for number, signal in enumerate(features):
            apply(operator, signal, out[number], reduction=reduction, activation=activation,
                  added=None if added is None else added[number], added_share=added_share,
                  n_threads=n_threads)
        return out
    adjacency = operator.adjacency
    if out is None:
        out = np.empty((adjacency.n_nodes, features.shape[1]), features.dtype)
    if out.size == 0:
        return out
    row_bytes = features.shape[1] * features.itemsize
    seconds = (len(adjacency.columns) + adjacency.n_nodes) * (row_bytes / READ_BYTES + 2e-9)
    bounds = runs(adjacency, seconds)
    nothing = np.empty(0, features.dtype)
    arrays = (nothing if array is None else array for array in (
        adjacency.weights, operator.scales, operator.loops, operator.factors))
    GATHER[features.dtype](
        adjacency.starts, adjacency.columns, *arrays, features,
        features[:0] if added is None else added, added_share, out, REDUCTIONS[reduction],
        ACTIVATION_CODES[activation], bounds,
        EDGES_AHEAD if features.nbytes > FETCHED_BYTES else 0, out.nbytes > CACHE_BYTES,
        thread_count(n_threads, seconds, len(bounds) - 1))
    return out


def column_blocks(width, dtype):
    """Return where the blocks of features begin and end that the kernel sums in registers.

    Features that are cut there and gathered apart keep their bits.
    """
    n_lanes = lanes(dtype.name)
    n_vectors = -(-width // n_lanes)
    n_blocks = -(-n_vectors // BLOCK_VECTORS)
    return [min(width, block * n_vectors // n_blocks * n_lanes) for block in range(n_blocks + 1)]


def attend(adjacency, features, sources, targets, slope, has_loops, n_threads=None):
    """Return sums of neighbours' features weighted by attention."""
    out = np.empty(features.shape, features.dtype)
    if out.size == 0:
        return out
    heads = sources.shape[1]
    n_edges = len(adjacency.columns) + adjacency.n_nodes
    seconds = n_edges * (features.shape[1] * features.itemsize / READ_BYTES
                         + heads * SCORE_SECONDS)
    bounds = runs(adjacency, seconds)
    ATTEND[features.dtype](
        adjacency.starts, adjacency.columns, sources, targets, slope, has_loops, features, out,
        bounds, score_room(adjacency, heads, bounds, features.dtype, seconds, n_threads))
    return out


def score_room(adjacency, n_rows, bounds, dtype, seconds, n_threads=None):
    """Return room for some rows of scores of the neighbours of a node, for each thread."""
    width = lanes(dtype.name)
    most = -(-(adjacency.most + 1) // width) * width
    n_threads = thread_count(n_threads, seconds, len(bounds) - 1)
    return np.empty((n_threads, n_rows * most), dtype)


def runs(adjacency, seconds):
    """Return where runs of rows of about equal work begin and end."""
    return adjacency.cut(int(min(max(1, seconds / RUN_SECONDS), adjacency.n_nodes, MOST_RUNS)))
