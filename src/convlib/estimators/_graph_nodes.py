"""Fitted rows and new ones as one graph, which a network can look at layer by layer.

GraphConvTransform records what fitted rows hand on; a network that learns has to compute it again
and again, forward and backward. So here the rows of fit and those of a call are the nodes of one
graph. Nobody gathers from new rows, which therefore do not know of each other, and a new row that
equals a fitted one gets the same as that.
"""

import numpy as np

from convlib.estimators._graphs import FittedNeighbours, sums_of
from convlib.graph._adjacency import Adjacency
from convlib.graph._gather import Operator, shares


class NearRows:
    """Fitted rows, and the graph in which they and others gather from those near them."""

    def __init__(self, features, graph, how, n_neighbors, radius, metric):
        self.features, self._normalization = features, how[1]
        self._neighbours = FittedNeighbours(features, graph, how, n_neighbors, radius, metric)
        self._fitted = self._neighbours.edges(features)

    def operator(self, features=None):
        """Return what the fitted rows gather, and behind them new ones if there are any."""
        starts, columns, loops = self._fitted
        if features is not None:
            more_starts, more_columns, more_loops = self._neighbours.edges(features)
            starts = np.concatenate([starts, starts[-1] + more_starts[1:]])
            columns = np.concatenate([columns, more_columns])
            loops = None if loops is None else np.concatenate([loops, more_loops])
        dtype = self.features.dtype
        return Operator(Adjacency(starts, columns, None), dtype, loops,
                        *shares(sums_of(starts, loops), self._normalization, dtype))
