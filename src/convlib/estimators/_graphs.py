"""The ways in which a graph comes to an estimator, and what gathers on each.

1. `graph=Graph(...)`, or a Graph in place of the adjacency: X holds numbers of its nodes, or the
   features of all of them.
2. `adjacency=` as metadata: X holds the features of all nodes.
3. `graph='knn'` or 'radius': rows of X gather from the rows seen in fit that lie near them.
Beside them X may be a list of Graph.
"""

from dataclasses import dataclass, replace
from itertools import count
from math import prod

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_array, validate_data

from convlib import _validation as check
from convlib.estimators._images import refuse_dtype, refuse_masked
from convlib.graph._adjacency import Adjacency, adjacency_of, features_array
from convlib.graph._gather import Operator, apply, shares
from convlib.graph._graph import Graph, operator_of

NEIGHBOURS = ("knn", "radius")
PAIRS_AT_ONCE = 1 << 16


def check_graph_parameter(graph):
    """Refuse what is neither None, a Graph nor the name of a way to find neighbours."""
    if graph is None or isinstance(graph, Graph):
        return
    if isinstance(graph, str):
        check.choice("graph", graph, NEIGHBOURS)
        return
    hint = ""
    if sp.issparse(graph):
        hint = "; convlib.graph.Graph makes one of a sparse matrix"
    raise TypeError(f"graph must be a Graph, 'knn', 'radius' or None; got "
                    f"{type(graph).__name__}{hint}")


def are_graphs(X):
    """Return whether X is a sequence of Graph."""
    is_sequence = isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.ndim == 1)
    return is_sequence and len(X) > 0 and all(isinstance(graph, Graph) for graph in X)


def checked_graphs(X, n_features=None):
    """Return a list of Graph whose nodes have the same number of features."""
    graphs = list(X)
    for number, graph in enumerate(graphs):
        if graph.features is None:
            raise ValueError(f"X[{number}] must have features")
        wanted = graphs[0].n_features if n_features is None else n_features
        if graph.n_features != wanted:
            raise ValueError(f"X[{number}] must have {wanted} features as the graphs of fit have; "
                             f"got {graph.n_features}")
    return graphs


@dataclass(frozen=True)
class Nodes:
    """Nodes of a graph as a call asks for them."""

    graph: object              # Graph, or a sparse matrix
    features: np.ndarray | None = None    # of all nodes; None: those of the graph
    rows: np.ndarray | None = None        # which of them; None: all

    @property
    def all_features(self):
        """The features of all nodes, whoever has them."""
        return self.graph.features if self.features is None else self.features

    @property
    def n_features(self):
        """Number of features of a node."""
        return self.all_features.shape[-1]

    @property
    def dtype(self):
        """Of the features."""
        return self.all_features.dtype

    @property
    def n_nodes(self):
        """Number of nodes of the graph."""
        return self.graph.n_nodes if isinstance(self.graph, Graph) else self.graph.shape[0]

    def operator(self, how):
        """Return the `Operator` of the graph, taken as convlib.graph._graph.handling says."""
        if isinstance(self.graph, Graph):
            return self.graph._operator(self.dtype, how)
        taken = adjacency_of("adjacency", self.graph, self.dtype, weighted=how[-1])
        return operator_of(taken, self.dtype, how)


def refuse_adjacency(graph, adjacency):
    """Refuse an adjacency where neighbours are looked for."""
    if adjacency is not None:
        raise ValueError(f"adjacency must be None where graph={graph!r}")


def rows_of(estimator, X, reset):
    """Return rows that look for neighbours, checked, in the dtype in which they are computed."""
    X = validate_data(estimator, X, dtype="numeric", reset=reset)
    refuse_dtype("X", X)
    return np.ascontiguousarray(X, check.result_dtype(X.dtype))


def nodes_of(estimator, X, graph, adjacency, reset):
    """Return the `Nodes` that X asks for, of the graph or of the adjacency handed over."""
    if graph is not None and adjacency is not None:
        raise ValueError("adjacency must be None where graph is given; got both")
    graph = adjacency if graph is None else graph
    if graph is None:
        raise ValueError(
            f"adjacency must be given to fit and transform of a {type(estimator).__name__} "
            "without graph: a sparse matrix or a Graph, by itself or as metadata of a Pipeline")
    if not isinstance(graph, Graph):
        _refuse_sliced(graph)
    array = _checked(estimator, X, reset)
    if _are_numbers(array) and isinstance(graph, Graph):
        return Nodes(graph, rows=_rows_of(graph, array[:, 0]))
    nodes = Nodes(graph, features_array("X", array))
    if array.shape[-2] != nodes.n_nodes:
        numbers = ", or numbers of some in one column of integers" if isinstance(
            graph, Graph) else ""
        raise ValueError(
            f"X must hold the features of all {nodes.n_nodes} nodes of the graph{numbers}; got "
            f"{array.dtype} of shape {array.shape}")
    return nodes


def _are_numbers(array):
    return array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind in "iu"


def _refuse_sliced(adjacency):
    shape = getattr(adjacency, "shape", ())
    if sp.issparse(adjacency) and len(set(shape)) > 1:
        raise ValueError(
            f"adjacency must be square, (n_nodes, n_nodes); got shape {shape}. Cross-validation "
            "slices the rows of a matrix; a convlib.graph.Graph in its place stays whole, with X "
            "the numbers of nodes")
    if not sp.issparse(adjacency):
        raise TypeError("adjacency must be a Graph, or a scipy.sparse matrix or array; got "
                        f"{type(adjacency).__name__}")


def _checked(estimator, X, reset):
    """Return X as an array of two or three axes, and set or check n_features_in_."""
    refuse_masked("X", X)
    n_axes = np.ndim(X)
    if n_axes == 1 and np.asarray(X).dtype.kind in "iu":
        X = np.asarray(X)[:, np.newaxis]
    if n_axes != 3:
        array = validate_data(estimator, X, dtype="numeric", reset=reset)
        refuse_dtype("X", array)
        return array
    array = check_array(X, dtype="numeric", allow_nd=True, input_name="X")
    refuse_dtype("X", array)
    n_values = prod(array.shape[1:])
    if reset:
        vars(estimator).pop("feature_names_in_", None)    # of an earlier fit
        estimator.n_features_in_ = n_values
    elif estimator.n_features_in_ != n_values:
        raise ValueError(f"X must hold signals of {estimator.n_features_in_} values, as those of "
                         f"fit have; got shape {array.shape}")
    return array


def _rows_of(graph, numbers):
    """Return numbers of nodes as indices."""
    if graph.features is None:
        raise ValueError("graph must have features where X holds numbers of its nodes")
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < graph.n_nodes):
        raise ValueError(f"X must hold numbers of nodes in 0 .. {graph.n_nodes - 1}; got "
                         f"{numbers.min()} .. {numbers.max()}")
    return numbers.astype(np.intp)


class FittedNeighbours:
    """Rows seen in fit, and what other rows, or they themselves, gather from them.

    A row that equals one of its fitted neighbours has a self loop already: so a fitted row
    gathers the same, whether it comes in fit or later.
    """

    def __init__(self, X, graph, how, n_neighbors, radius, metric):
        self._how = how
        self._scales = None    # of the fitted rows, where they have any
        self._is_knn = graph == "knn"
        self.n_neighbors = min(n_neighbors, len(X))
        self._search = NearestNeighbors(
            n_neighbors=self.n_neighbors, radius=radius, metric=metric).fit(X)
        self._X = X

    def __len__(self):
        return len(self._X)

    def rows(self, X, messages=None):
        """Return what gathers, with the messages of the fitted rows; None: X are those rows."""
        _, normalization, _, _, _ = self._how
        starts, columns, loops = self.edges(X)
        scales, factors = shares(sums_of(starts, loops), normalization, np.float64)
        if scales is not None:
            if messages is None:
                self._scales = scales
            scales = np.concatenate([scales, self._scales]).astype(X.dtype)
        factors = None if factors is None else factors.astype(X.dtype)
        adjacency = Adjacency(starts, columns + np.int32(len(X)), None)
        operator = Operator(adjacency, X.dtype, loops, scales, factors)
        return FromFitted(operator, [] if messages is None else messages, messages is None,
                          count())

    def edges(self, X):
        """Return where rows begin, their fitted neighbours, and the weights of rows themselves."""
        self_loops = self._how[2]
        starts, columns = self._found(X)
        has_loop, starts, columns = _loops(X, self._X, starts, columns, self_loops == "remove")
        loops = None
        if self_loops in ("fill", "add"):
            loops = np.ones(len(X), X.dtype) if self_loops == "add" else (~has_loop).astype(X.dtype)
        return starts, columns, loops

    def _found(self, X):
        """Return the fitted neighbours of each row, in rising order."""
        if self._is_knn:
            columns = self._search.kneighbors(X, return_distance=False)
            columns.sort(axis=1)
            starts = np.arange(len(X) + 1) * columns.shape[1]
            return starts.astype(np.intp), columns.astype(np.int32).ravel()
        found = self._search.radius_neighbors(X, return_distance=False)
        starts = np.concatenate([[0], np.cumsum([len(row) for row in found])])
        columns = np.concatenate([np.sort(row) for row in found])
        return starts.astype(np.intp), columns.astype(np.int32)


def sums_of(starts, loops):
    """Return the number of neighbours of each row, and the weight of itself, in float64."""
    sums = np.diff(starts).astype(np.float64)
    return sums if loops is None else sums + loops


def _loops(X, fitted, starts, columns, removes):
    """Return which rows equal a neighbour, and the neighbours, without such if it removes them."""
    rows = np.repeat(np.arange(len(X)), np.diff(starts))
    equal = np.zeros(len(columns), bool)
    for first in range(0, len(columns), PAIRS_AT_ONCE):
        pairs = slice(first, first + PAIRS_AT_ONCE)
        equal[pairs] = (X[rows[pairs]] == fitted[columns[pairs]]).all(axis=1)
    has_loop = np.zeros(len(X), bool)
    has_loop[rows[equal]] = True
    if removes:
        starts = starts - np.concatenate([[0], np.cumsum(equal)])[starts]
        columns = columns[~equal]
    return has_loop, starts, columns


@dataclass(frozen=True)
class FromFitted:
    """An operator of rows that gather from themselves and from fitted rows.

    What the fitted rows hand on at each step is what they handed on in fit, where it is recorded.
    """

    operator: Operator
    messages: list
    records: bool
    step: count

    def times(self, share):
        """Return the map times a number."""
        return replace(self, operator=self.operator.times(share))

    def looped(self, weight):
        """Return the map in which each row counts itself that much more."""
        return replace(self, operator=self.operator.looped(weight))

    def chain(self):
        """Return nothing: scales of messages stay with the operator."""
        return None, None, None

    def gather(self, features, out=None, **options):
        """Return what rows gather, as convlib.graph._gather.apply does."""
        if self.records:
            self.messages.append(features.copy())
        others = self.messages[next(self.step)].astype(features.dtype, copy=False)
        return apply(self.operator, np.concatenate([features, others]), out, **options)


class Told:
    """An operator that calls `advance` whenever it has gathered."""

    def __init__(self, operator, advance):
        self._operator, self._advance = operator, advance

    def __getattr__(self, name):
        return getattr(self._operator, name)

    def times(self, share):
        """Return the map times a number."""
        return Told(self._operator.times(share), self._advance)

    def looped(self, weight):
        """Return the map in which each row counts itself that much more."""
        return Told(self._operator.looped(weight), self._advance)

    def chain(self):
        """Return the scales of the first hop, and the maps between hops and of the last one."""
        scales, *maps = self._operator.chain()
        return scales, *(None if one is None else Told(one, self._advance) for one in maps)

    def gather(self, *arguments, **options):
        """Return what the operator gathers."""
        gathered = self._operator.gather(*arguments, **options)
        self._advance()
        return gathered
