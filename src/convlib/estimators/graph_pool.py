"""GraphPool: one row of features for each graph."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from convlib import _validation as check
from convlib.estimators._graphs import are_graphs, checked_graphs
from convlib.estimators._progress import CallbackSupportMixin, in_one_step, shown
from convlib.ops.pool import global_pool

__all__ = ["GraphPool"]

KINDS = ("sum", "mean", "max")


class GraphPool(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Statistics of the features of all nodes, so that whole graphs are samples.

    Parameters
    ----------
    pool : {'sum', 'mean', 'max'} or sequence of them, default='mean'
        The statistics, side by side.
    n_threads : int, default=None
        OpenMP threads, as in `convlib.conv`.
    verbose : int, default=0
        Whether `transform` tells how far it is, in graphs, on the standard error.

    Attributes
    ----------
    n_features_in_ : int
        Number of features of a node.

    See Also
    --------
    GraphConvTransform : Convolves the features of the graphs first.

    References
    ----------
    .. [1] K. Xu, W. Hu, J. Leskovec and S. Jegelka, "How Powerful are Graph Neural Networks?",
       ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> from sklearn.pipeline import make_pipeline
    >>> path = sp.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> graphs = [cl.graph.Graph(path, np.eye(3)), cl.graph.Graph(pair, np.ones((2, 3)))]
    >>> model = make_pipeline(cl.GraphConvTransform("gin", n_hops=1), cl.GraphPool("sum"))
    >>> model.fit_transform(graphs)
    array([[2., 3., 2.],
           [4., 4., 4.]])
    """

    def __init__(self, pool="mean", *, n_threads=None, verbose=0):
        self.pool = pool
        self.n_threads = n_threads
        self.verbose = verbose

    @in_one_step
    def fit(self, X, y=None):
        """Check the graphs.

        Parameters
        ----------
        X : sequence of Graph
            Graphs whose nodes have the same features.
        y : None
            Ignored.

        Returns
        -------
        self : estimator
            The fitted transformer.
        """
        kinds = (self.pool,) if isinstance(self.pool, str) else tuple(self.pool)
        for kind in kinds:
            check.choice("pool", kind, KINDS)
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(f"pool must name statistics, each once; got {self.pool!r}")
        check.threads(self.n_threads)
        check.verbosity(self.verbose)
        self.n_features_in_ = _graphs(X)[0].n_features
        self._kinds = kinds
        return self

    def transform(self, X):
        """Return a row for each graph.

        Parameters
        ----------
        X : sequence of Graph
            Graphs whose nodes have the features of those of `fit`.

        Returns
        -------
        features : ndarray of shape (n_graphs, n_features * n_statistics)
            Zeros for a graph without nodes.
        """
        check_is_fitted(self)
        graphs = _graphs(X, self.n_features_in_)
        dtype = np.result_type(*(graph.features for graph in graphs))
        out = np.zeros((len(graphs), len(self._kinds), self.n_features_in_), dtype)
        with shown(self, len(graphs), "graphs") as progress:
            for graph, row in zip(progress.over(graphs), out):
                if graph.n_nodes:
                    self._pool(graph, row)
        return out.reshape(len(graphs), -1)

    def get_feature_names_out(self, input_features=None):
        """Return a name for each feature, such as 'x3_mean'.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features of a node; None is x0, x1, ...

        Returns
        -------
        names : ndarray of shape (n_features_out,), dtype object
            In the order of the columns of `transform`.
        """
        check_is_fitted(self)
        names = input_features
        if names is None:
            names = [f"x{i}" for i in range(self.n_features_in_)]
        elif len(names) != self.n_features_in_:
            raise ValueError(f"input_features must have {self.n_features_in_} names; got "
                             f"{len(names)}")
        return np.array([f"{name}_{kind}" for kind in self._kinds for name in names], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.no_validation = True    # X holds graphs
        tags.input_tags.two_d_array = False
        return tags

    def _pool(self, graph, out):
        """Write the statistics of a graph to `out`, (n_statistics, n_features)."""
        nodes = np.ascontiguousarray(graph.features)[np.newaxis]
        for number, kind in enumerate(self._kinds):
            pooled = global_pool(nodes, "max" if kind == "max" else "mean",
                                 n_threads=check.threads(self.n_threads))[0]
            out[number] = pooled * graph.n_nodes if kind == "sum" else pooled


def _graphs(X, n_features=None):
    if not are_graphs(X):
        raise TypeError("X must be a sequence of at least one convlib.graph.Graph; got "
                        f"{type(X).__name__}")
    return checked_graphs(X, n_features)
