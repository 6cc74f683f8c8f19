"""Graph: an adjacency and features that were checked once, and what was computed from them."""

from collections import OrderedDict
from dataclasses import replace
from hashlib import blake2b

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from convlib import _validation as check
from convlib.graph._adjacency import (
    DIRECTIONS,
    NORMALIZATIONS,
    SELF_LOOPS,
    Adjacency,
    adjacency_of,
    features_array,
    rows_fit,
)
from convlib.graph._gather import directed, normalized
from convlib.graph._propagation import CONVOLUTIONS, Settings, propagated

MOST_RESULTS = 8      # propagated features that a graph remembers
MOST_OPERATORS = 4


class Graph:
    """A graph whose nodes may have features: checked once, never changed, never sliced.

    scikit-learn takes it for one object, however many nodes it has: cross-validation hands it on
    whole, and `clone` does not copy it. What estimators propagate on it is computed once and
    remembered in this process, outside of pickles and of equality.

    Parameters
    ----------
    adjacency : sparse matrix or array of shape (n_nodes, n_nodes)
        Row i gathers from the columns j where ``adjacency[i, j]`` is not zero; any format of
        scipy.sparse. Stored zeros are dropped, duplicates are summed. It is copied.
    features : array-like of shape (n_nodes, n_features), default=None
        In float32 or float64; other dtypes are converted as by `convlib.conv`. Copied, unless it
        is read-only.

    Attributes
    ----------
    adjacency : scipy.sparse.csr_array of shape (n_nodes, n_nodes)
        With sorted indices; its arrays are read-only.
    features : ndarray of shape (n_nodes, n_features) or None
        Read-only.
    n_nodes, n_edges : int
        Rows, and stored entries, of the adjacency.
    n_features : int
        Columns of the features; 0 where there are none.

    Raises
    ------
    TypeError, ValueError
        As `normalize_adjacency` does; or if the features have not a row for each node.

    See Also
    --------
    convlib.GraphConvTransform : Takes it as `graph`.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> path = sp.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> graph = cl.graph.Graph(path, np.eye(3))
    >>> graph
    Graph(n_nodes=3, n_edges=4, n_features=3)
    >>> graph.precompute("sgc", n_hops=2, normalization="row").features.round(2)
    array([[0.42, 0.42, 0.17],
           [0.28, 0.44, 0.28],
           [0.17, 0.42, 0.42]])
    """

    __slots__ = ("__weakref__", "_adjacency", "_digest", "_features", "_operators", "_order",
                 "_results")

    def __init__(self, adjacency, features=None):
        taken = adjacency_of("adjacency", adjacency, own_dtype(adjacency))
        arrays = [None if array is None else _frozen(array)
                  for array in (taken.starts, taken.columns, taken.weights)]
        self._set(Adjacency(*arrays), _node_features(features, taken.n_nodes), None)

    def _set(self, adjacency, features, order):
        values = {
            "_adjacency": adjacency, "_features": features, "_order": order, "_digest": None,
            "_operators": OrderedDict(), "_results": OrderedDict(),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _changed(self, **changes):
        """Return a graph that differs in its features or its order."""
        state = {"adjacency": self._adjacency, "features": self._features, "order": self._order}
        graph = object.__new__(Graph)
        graph._set(**state | changes)
        return graph

    @property
    def adjacency(self):
        """The checked matrix."""
        weights = self._adjacency.weights
        if weights is None:
            weights = np.ones(self.n_edges, np.float32)
            weights.flags.writeable = False
        starts, columns = self._adjacency.starts, self._adjacency.columns
        if self.n_edges <= np.iinfo(np.int32).max:
            starts = starts.astype(np.int32)    # else scipy makes both wide, in copies
        return csr_array((weights, columns, starts), shape=(self.n_nodes, self.n_nodes))

    @property
    def features(self):
        """The features of the nodes, or None."""
        return self._features

    @property
    def n_nodes(self):
        """Number of rows of the adjacency."""
        return self._adjacency.n_nodes

    @property
    def n_edges(self):
        """Number of entries of the adjacency that are not zero."""
        return len(self._adjacency.columns)

    @property
    def n_features(self):
        """Number of features of a node."""
        return 0 if self._features is None else self._features.shape[1]

    def with_features(self, features):
        """Return a graph of the same edges with other features.

        Parameters
        ----------
        features : array-like of shape (n_nodes, n_features) or None
            As in the constructor.

        Returns
        -------
        graph : Graph
            It shares the adjacency.
        """
        graph = self._changed(features=_node_features(features, self.n_nodes))
        graph._operators.update(self._operators)
        return graph

    def precompute(self, method="sgc", n_hops=2, *, alpha=None, normalization=None,
                   self_loops=None, direction="rows", signed=False, concat=None,
                   n_threads=None):
        """Return a graph whose features are those of this one after some hops.

        They are part of its state: pickles carry them to other processes.

        Parameters
        ----------
        method : {'sgc', 'gcn', 'sign', 'ssgc', 'appnp', 'sage', 'gin', 'cheb'}, default='sgc'
            As `conv` of `GraphConvTransform`, without weights and activation.
        n_hops : int, default=2
            Number of hops.
        alpha, normalization, self_loops, direction, signed, concat, n_threads
            As in `GraphConvTransform`.

        Returns
        -------
        graph : Graph
            Of the same edges.
        """
        if self._features is None:
            raise ValueError("features must be given to the Graph before they are propagated")
        method = check.choice("method", method, tuple(CONVOLUTIONS))
        settings, how = settled(method, n_hops, alpha, normalization, self_loops, direction,
                                signed, concat)
        return self.with_features(
            self._propagated(settings, how, n_threads=check.threads(n_threads)))

    def reorder(self, order="rcm"):
        """Return the same graph, whose nodes lie in another order in memory.

        Where neighbours lie near each other, the features of a hop are found in the cache. Nodes
        keep their numbers, rows keep the order of their sums: results do not change, bit by bit.

        Parameters
        ----------
        order : 'rcm' or array-like of shape (n_nodes,), default='rcm'
            A permutation: the node that comes first, second, ...; or the one of reverse
            Cuthill-McKee.

        Returns
        -------
        graph : Graph
            With the features of this one.
        """
        if isinstance(order, str):
            check.choice("order", order, ("rcm",))
            order = reverse_cuthill_mckee(_symmetric(self._adjacency), symmetric_mode=True)
        order = check.numeric_array("order", order)
        if order.shape != (self.n_nodes,) or order.dtype.kind not in "iu" \
                or not np.array_equal(np.sort(order), np.arange(self.n_nodes)):
            raise ValueError(f"order must be 'rcm' or a permutation of the {self.n_nodes} nodes")
        return self._changed(order=_frozen(order.astype(np.int32)))

    def _operator(self, dtype, how, in_memory_order=False):
        """Return the `Operator` of the edges, taken as `handling` says."""
        is_moved = in_memory_order and self._order is not None
        key = (np.dtype(dtype), how, is_moved)
        operator = self._operators.get(key)
        if operator is None:
            operator = operator_of(self._adjacency, dtype, how)
            if is_moved:
                operator = _permuted(operator, self._order)
            _remember(self._operators, key, operator, MOST_OPERATORS)
        return operator

    def _propagated(self, settings, how, features=None, n_threads=None, told=None):
        """Return features, or those of the graph, after the hops of `Settings`.

        The latter are read-only, as they are remembered. `told` makes an operator of another, to
        hear of its hops.
        """
        if features is not None:
            return self._after_hops(settings, how, features, n_threads, told)
        return self._remembered(
            (settings, how),
            lambda: self._after_hops(settings, how, self._features, n_threads, told))

    def _remembered(self, key, compute):
        """Return the array that was computed before under that key, or compute it."""
        result = self._results.get(key)
        if result is None:
            result = compute()
            result.flags.writeable = False
            _remember(self._results, key, result, MOST_RESULTS)
        return result

    def _after_hops(self, settings, how, features, n_threads, told=None):
        operator = self._operator(features.dtype, how, in_memory_order=True)
        operator = operator if told is None else told(operator)
        moved = self._in_memory_order(features)
        return self._in_place_order(propagated(settings, operator, moved, n_threads))

    def _in_memory_order(self, values):
        """Return rows of nodes in their order in memory."""
        return values if self._order is None else values[..., self._order, :]

    def _in_place_order(self, values):
        """Return rows in the order of memory by the numbers of the nodes."""
        if self._order is None:
            return values
        out = np.empty_like(values)
        out[..., self._order, :] = values
        return out

    def clear_cache(self):
        """Forget what was propagated before."""
        self._results.clear()
        self._operators.clear()

    def __repr__(self):
        return (f"Graph(n_nodes={self.n_nodes}, n_edges={self.n_edges}, "
                f"n_features={self.n_features})")

    def __setattr__(self, name, value):
        raise AttributeError(f"a Graph does not change; got an assignment of {name!r}")

    def __delattr__(self, name):
        raise AttributeError(f"a Graph does not change; got a deletion of {name!r}")

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __getstate__(self):
        kept = self._adjacency
        return (kept.starts, kept.columns, kept.weights), self._features, self._order

    def __setstate__(self, state):
        arrays, features, order = state
        for array in (*arrays, features, order):
            if array is not None:
                array.flags.writeable = False
        self._set(Adjacency(*arrays), features, order)

    def __eq__(self, other):
        if not isinstance(other, Graph):
            return NotImplemented
        return self is other or self._content() == other._content()

    def __hash__(self):
        return hash(self._content())

    def _content(self):
        """Return a digest of edges, weights and features."""
        if self._digest is None:
            kept = self._adjacency
            arrays = kept.starts, kept.columns, kept.weights, self._features
            object.__setattr__(self, "_digest", digest_of(arrays))
        return self._digest


def digest_of(arrays):
    """Return what tells arrays, some of which may be None, from others."""
    digest = blake2b()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        digest.update(b";")
    return digest.digest()


def own_dtype(adjacency):
    """Return float32 or float64, whichever holds the weights of a user's matrix."""
    if isinstance(adjacency, Graph):
        adjacency = adjacency.adjacency
    dtype = getattr(adjacency, "dtype", None)
    is_real = isinstance(dtype, np.dtype) and dtype.kind in "fiub"
    return check.result_dtype(dtype) if is_real else np.dtype(np.float32)


def settled(conv, n_hops, alpha, normalization, self_loops, direction, signed, concat,
            aggregation="mean", activation=None):
    """Return the `Settings` of a convolution, and how it takes the adjacency."""
    own = CONVOLUTIONS[conv]
    n_hops = check.integer("n_hops", n_hops, 1 if conv == "ssgc" else 0)
    if alpha is None:
        alpha = own.alpha or 0.0
    elif own.alpha is None:
        able = [name for name, other in CONVOLUTIONS.items() if other.alpha is not None]
        raise ValueError(f"alpha goes with {able}, not with {conv!r}; got {alpha!r}")
    else:
        alpha = check.share("alpha", alpha)
    concat = own.concat if concat is None else check.flag("concat", concat)
    if conv == "sage":
        aggregation = check.choice("aggregation", aggregation, ("mean", "max", "sum"))
    elif aggregation != "mean":
        raise ValueError(f"aggregation goes with 'sage', not with {conv!r}; got {aggregation!r}")
    usual = own.normalization if aggregation == "mean" else "none"
    if normalization is None:
        normalization = usual
    elif own.normalization in ("row", "none") and normalization != usual:
        raise ValueError(f"normalization is {usual!r} with {conv!r}; got {normalization!r}")
    if conv == "cheb" and normalization == "none":
        raise ValueError("normalization must not be 'none' with 'cheb'")
    if self_loops is None:
        self_loops = own.self_loops
    elif conv == "cheb" and self_loops != "remove":
        raise ValueError(f"self_loops are removed by 'cheb'; got {self_loops!r}")
    how = handling(normalization, self_loops, direction, signed, own.weighted)
    return Settings(conv, n_hops, alpha, aggregation, concat, activation), how


def handling(normalization, self_loops, direction, signed, weighted=True):
    """Return how an adjacency is taken, checked, as one hashable value."""
    return (
        check.choice("direction", direction, DIRECTIONS),
        check.choice("normalization", normalization, NORMALIZATIONS),
        check.choice("self_loops", self_loops, SELF_LOOPS),
        check.flag("signed", signed), weighted,
    )


def operator_of(adjacency, dtype, how):
    """Return the `Operator` of an `Adjacency` that is taken as `handling` says."""
    direction, normalization, self_loops, signed, weighted = how
    taken = adjacency if weighted else adjacency.without_weights()
    return normalized(directed(taken.of_dtype(dtype), direction), dtype, normalization,
                      self_loops, signed=signed)


def _permuted(operator, order):
    """Return the operator on rows in another order, each with its neighbours as before."""
    adjacency = operator.adjacency
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum(adjacency.degrees[order])]).astype(np.intp)
    edges = np.repeat(adjacency.starts[order] - starts[:-1], adjacency.degrees[order])
    edges += np.arange(len(edges))
    weights = None if adjacency.weights is None else adjacency.weights[edges]
    moved = Adjacency(starts, place[adjacency.columns[edges]], weights)
    arrays = {name: None if getattr(operator, name) is None else getattr(operator, name)[order]
              for name in ("loops", "scales", "factors")}
    return replace(operator, adjacency=moved, **arrays)


def _symmetric(adjacency):
    """Return the pattern of edges in either direction, as reverse Cuthill-McKee takes it."""
    pattern = adjacency.without_weights().matrix(np.int8)
    both = (pattern + pattern.T).tocsr()
    both.indptr, both.indices = both.indptr.astype(np.int32), both.indices.astype(np.int32)
    return both


def _node_features(features, n_nodes):
    """Return a user's features, read-only."""
    if features is None:
        return None
    features = features_array("features", features)
    if features.ndim != 2:
        raise ValueError("features must be an array of shape (n_nodes, n_features); got shape "
                         f"{features.shape}")
    rows_fit("features", features, n_nodes)
    return _frozen(features) if features.flags.writeable else features


def _frozen(array):
    """Return a read-only copy, unless the array is read-only and all there is of it."""
    if array.flags.writeable or array.base is not None:
        array = array.copy()
        array.flags.writeable = False
    return array


def _remember(cache, key, value, most):
    """Put a value into a cache of at most so many; threads may find it gone at once."""
    cache[key] = value
    while len(cache) > most:
        try:
            cache.popitem(last=False)
        except KeyError:
            return

