"""Fitted rows and new ones as one graph, which a network can look at layer by layer.

GraphConvTransform records what fitted rows hand on; a network that learns has to compute it again
and again, forward and backward. So here the rows of fit and those of a call are the nodes of one
graph. Nobody gathers from new rows, which therefore do not know of each other, and a new row that
equals a fitted one gets the same as that.
"""

import numpy as np

from convlib.estimators._graphs import FittedNeighbours, _loops
from convlib.graph._adjacency import Adjacency
from convlib.graph._gather import Operator


class NearRows:
    """Fitted rows, and the graph in which they and others gather from those near them."""

    def __init__(self, features, graph, how, n_neighbors, radius, metric):
        self.features = features
        _, self._normalization, self._self_loops, _, _ = how
        self._neighbours = FittedNeighbours(features, graph, how, n_neighbors, radius, metric)
        self._fitted = self._edges(features)

    def _edges(self, features):
        """Return whether rows equal a neighbour, and where they gather."""
        starts, columns = self._neighbours._found(features)
        return _loops(features, self.features, starts, columns, self._self_loops == "remove")

    def operator(self, features=None):
        """Return what the fitted rows gather, and behind them new ones if there are any."""
        has_loop, starts, columns = self._fitted
        if features is not None:
            more_loops, more_starts, more_columns = self._edges(features)
            has_loop = np.concatenate([has_loop, more_loops])
            starts = np.concatenate([starts, starts[-1] + more_starts[1:]])
            columns = np.concatenate([columns, more_columns])
        sums, loops = np.diff(starts).astype(np.float64), None
        if self._self_loops == "fill":
            loops = (~has_loop).astype(self.features.dtype)
            sums += loops
        shares = np.zeros_like(sums)
        np.power(sums, -0.5 if self._normalization == "symmetric" else -1.0, out=shares,
                 where=sums > 0)
        shares = shares.astype(self.features.dtype)
        return Operator(
            Adjacency(starts.astype(np.intp), columns, None), self.features.dtype, loops,
            scales=shares if self._normalization == "symmetric" else None,
            factors=None if self._normalization == "none" else shares)
