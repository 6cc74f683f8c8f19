"""Three ways to bring a graph to an estimator, resolved to one: all nodes, and those asked for.

- a `Graph` as the parameter `graph`, or in the place of `adjacency`: X holds numbers of its nodes,
  or features of all of them;
- `adjacency`, a matrix that comes with X, the features of all nodes;
- "knn" or "radius": each row of X gathers from those fitted rows that are near it.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import validate_data

from convlib import _validation as check
from convlib.graph import Graph
from convlib.graph._adjacency import Adjacency
from convlib.graph._graph import handling, operator_of

BUILT = ("knn", "radius")


class Nodes(NamedTuple):
    """All nodes of a graph, and those whose results are wanted."""

    operator: object             # gathers along the edges
    features: np.ndarray         # (n_nodes, n_features)
    rows: np.ndarray | slice     # the nodes that X stands for, in its order


def given_graph(graph, adjacency):
    """Return the Graph that was given, or None where one is built from X."""
    if isinstance(graph, str):
        check.choice("graph", graph, BUILT)
        if adjacency is not None:
            raise ValueError(f"adjacency must not be given with graph={graph!r}, which builds one")
        return None
    if not (graph is None or isinstance(graph, Graph)):
        raise TypeError("graph must be a convlib.graph.Graph, 'knn', 'radius' or None; got "
                        f"{type(graph).__name__}")
    if adjacency is None:
        if graph is None:
            raise ValueError("adjacency must be given where the parameter graph is None")
        return graph
    if graph is not None:
        raise ValueError("adjacency must not be given beside the parameter graph")
    if isinstance(adjacency, Graph):
        return adjacency
    shape = getattr(adjacency, "shape", (0, 0))
    if sp.issparse(adjacency) and len(shape) == 2 and shape[0] != shape[1]:
        raise ValueError(
            f"adjacency must be square; got shape {shape}. Cross-validation slices a matrix that "
            "is passed along with X: pass a convlib.graph.Graph in its place, or as the parameter "
            "graph, with the numbers of nodes as X")
    return Graph(adjacency)


def checked(estimator, X, reset, **options):
    """Return X as scikit-learn checks it, numbers that stay integers if they are."""
    return validate_data(estimator, X, dtype="numeric", reset=reset, **options)


def as_features(X):
    """Return checked X in the dtype in which it is computed."""
    if X.dtype.kind not in "fiub":
        raise TypeError(f"X must hold bool, integers or real numbers; got {X.dtype}")
    return np.ascontiguousarray(X, check.result_dtype(X.dtype))


def nodes_of_graph(graph, X, how):
    """Return the `Nodes` of a Graph that checked X stands for."""
    if X.dtype.kind in "iu" and X.shape[1] == 1 and graph.features is not None:
        rows = X[:, 0]
        if len(rows) and not (rows.min() >= 0 and rows.max() < graph.n_nodes):
            raise ValueError(f"X must hold numbers of nodes in 0 .. {graph.n_nodes - 1}; got "
                             f"{rows.min()} .. {rows.max()}")
        features = graph.features
    else:
        rows, features = slice(None), as_features(X)
        if len(X) != graph.n_nodes:
            hint = "" if graph.features is not None else ", since the graph has no features"
            raise ValueError(
                f"X must hold the features of all {graph.n_nodes} nodes of the graph, or a column "
                f"of integers, the numbers of some nodes; got {X.dtype} of shape {X.shape}{hint}")
    # The operator is remembered by the graph.
    return Nodes(graph._operator(features.dtype, how), features, rows)


class NearRows:
    """Fitted rows from which others gather: each row from those that are near it.

    A fitted row is near itself, and a new row has the same neighbours as a fitted one in its place,
    so that both get the same results. Nobody gathers from new rows: they do not know of each other.
    """

    def __init__(self, kind, features, n_neighbors, radius):
        self.kind, self.features = kind, features
        self.n_neighbors = min(n_neighbors, len(features))
        self.search = NearestNeighbors(n_neighbors=self.n_neighbors, radius=radius)
        self.search.fit(features)
        self.fitted = self.neighbours(features)

    def neighbours(self, features):
        """Return the starts and columns of a graph from rows to fitted rows."""
        if self.kind == "knn":
            columns = self.search.kneighbors(features, return_distance=False)
            starts = np.arange(len(features) + 1) * self.n_neighbors
            columns = np.sort(columns, axis=1).ravel()
        else:
            lists = self.search.radius_neighbors(features, return_distance=False)
            starts = np.concatenate([[0], np.cumsum([len(row) for row in lists])])
            columns = np.concatenate([np.sort(row) for row in lists])
        return starts.astype(np.intp), columns.astype(np.int32)

    def nodes(self, features, how):
        """Return the `Nodes` of the fitted rows, or of new ones beside them."""
        starts, columns = self.fitted
        rows, all_features = slice(None), self.features
        if features is not None:
            more_starts, more_columns = self.neighbours(features)
            starts = np.concatenate([starts, starts[-1] + more_starts[1:]])
            columns = np.concatenate([columns, more_columns])
            rows = slice(len(self.features), None)
            all_features = np.concatenate([self.features, features])
        _, normalization, *_ = how
        how = handling(normalization, "keep", "rows", False, False)
        operator = operator_of(Adjacency(starts, columns, None), all_features.dtype, how)
        return Nodes(operator, all_features, rows)
