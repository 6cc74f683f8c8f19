"""GraphConvTransform: features of nodes, convolved along the edges of a graph."""

from dataclasses import replace
from functools import partial

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._terms import numbered
from convlib.estimators._graphs import (
    FittedNeighbours,
    Nodes,
    Told,
    are_graphs,
    check_graph_parameter,
    checked_graphs,
    nodes_of,
    refuse_adjacency,
    rows_of,
)
from convlib.estimators._progress import CallbackSupportMixin, in_one_step, shown
from convlib.estimators._settings import all_or_nothing, memory_bytes
from convlib.graph._graph import digest_of, settled
from convlib.graph._layers import activated, gin, product, sage, transform
from convlib.graph._propagation import CONVOLUTIONS, propagated

__all__ = ["GraphConvTransform"]


class GraphConvTransform(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Features of nodes after graph convolutions without training, or with random weights.

    The graph comes in one of three ways:

    1. ``graph=Graph(adjacency, features)``, with X the numbers of nodes in one column of integers.
       Folds of a cross-validation share what was propagated once. The features of test nodes, not
       their labels, take part in those of training nodes: this is transductive learning.
       X may also hold the features of all nodes, (n_nodes, n_features), or signals on the graph,
       (n_signals, n_nodes, n_features).
    2. ``graph=None`` and `adjacency` handed over with each X, which holds the features of all
       nodes; in a Pipeline by metadata routing. Cross-validation would slice a matrix: a `Graph`
       in its place is not sliced, and X holds the numbers of nodes then.
    3. ``graph='knn'`` or ``'radius'``: each row of X gathers from the rows of fit that are near
       it, at fit too.

    X may also be a list of `Graph` with features; the result is one of graphs with new features,
    which `GraphPool` turns into one row each.

    Parameters
    ----------
    conv : {'sgc', 'gcn', 'sign', 'ssgc', 'appnp', 'sage', 'gin', 'cheb'}, default='sgc'
        The convolution. With A the normalized adjacency: 'sgc' multiplies with it hop by hop [1]_;
        'gcn' likewise, with an activation after each hop [2]_; 'sign' puts the features after each
        hop side by side [3]_; 'ssgc' is the mean of all hops [4]_; 'appnp' mixes in the features
        at each hop [5]_; 'sage' aggregates neighbours by `aggregation` [6]_; 'gin' adds neighbours
        to the node [7]_; 'cheb' takes Chebyshev polynomials of the Laplacian [8]_.
    n_hops : int, default=2
        How far features travel; the number of layers.
    graph : Graph, {'knn', 'radius'} or None, default=None
        The way in which the graph comes, see above.
    alpha : float, default=None
        Share of the features themselves in 'appnp' (None: 0.1) and 'ssgc' (None: 0.05).
    normalization : {'symmetric', 'row', 'column', 'none'}, default=None
        As in `convlib.graph.normalize_adjacency`; None is what the convolution takes: 'symmetric',
        but 'row' for a mean of 'sage', 'none' for other aggregations and 'gin'.
    self_loops : {'fill', 'add', 'keep', 'remove'}, default=None
        As there; None is 'fill', but 'keep' for 'sage' and 'gin', 'remove' for 'cheb'.
    direction : {'rows', 'columns', 'both'}, default='rows'
        As there.
    signed : bool, default=False
        As there.
    concat : bool, default=None
        Whether the features after 0, 1, ... hops stand side by side, or only the last are
        returned. None is True for 'sign', and for 'sage' and 'cheb' without weights.
    aggregation : {'mean', 'max', 'sum'}, default='mean'
        Of 'sage'.
    weights : None, 'random' or sequence of array-like, default=None
        None convolves without weights. 'random' draws normal ones. 'sgc', 'ssgc' and 'appnp' have
        one matrix (n_features, n_components); 'sign' and 'cheb' one for each of 0 .. n_hops, whose
        products stand side by side or, of 'cheb' without `concat`, are added; so have others with
        `concat`. 'gcn', 'sage' and 'gin' have one entry for each hop: a matrix, a pair for
        neighbours and the node itself, and a pair of two layers.
    n_components : int, default=64
        Columns of random weights.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh'}, \
default=None
        After each hop of 'gcn', 'sage' and 'gin', and between the layers of the latter; of the
        result otherwise.
    n_neighbors : int, default=10
        With ``graph='knn'``; no more than there are rows in fit.
    radius : float, default=1.0
        With ``graph='radius'``.
    metric : str or callable, default='euclidean'
        Of distances between rows, as in `sklearn.neighbors.NearestNeighbors`.
    output : {'flat', 'maps'}, default='flat'
        Signals (n_signals, n_nodes, n_features) become rows of features, or keep their axes.
    working_memory : float, default=None
        MiB for the features of some signals, or some rows, at a time. None is scikit-learn's
        setting of that name.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    random_state : int, RandomState instance or None, default=None
        For drawing weights.
    verbose : int, default=0
        Whether `transform` tells on the standard error how many hops are done, or graphs of a
        list, signals, or rows that look for neighbours.

    Attributes
    ----------
    weights_ : list or None
        The weights, in the form that `weights` takes.
    n_node_features_ : int
        Number of features of a node before the convolution.
    n_features_in_ : int
        Number of columns of X; of values of a signal.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it has any.

    See Also
    --------
    convlib.graph.propagate : The operator behind most of them.
    GraphPool : One row of features for each graph.

    References
    ----------
    .. [1] F. Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019.
    .. [2] T. N. Kipf and M. Welling, "Semi-Supervised Classification with Graph Convolutional
       Networks", ICLR 2017.
    .. [3] F. Frasca et al., "SIGN: Scalable Inception Graph Neural Networks", 2020.
    .. [4] H. Zhu and P. Koniusz, "Simple Spectral Graph Convolution", ICLR 2021.
    .. [5] J. Gasteiger, A. Bojchevski and S. Günnemann, "Predict then Propagate: Graph Neural
       Networks meet Personalized PageRank", ICLR 2019.
    .. [6] W. Hamilton, R. Ying and J. Leskovec, "Inductive Representation Learning on Large
       Graphs", NeurIPS 2017.
    .. [7] K. Xu, W. Hu, J. Leskovec and S. Jegelka, "How Powerful are Graph Neural Networks?",
       ICLR 2019.
    .. [8] M. Defferrard, X. Bresson and P. Vandergheynst, "Convolutional Neural Networks on Graphs
       with Fast Localized Spectral Filtering", NeurIPS 2016.

    Examples
    --------
    A graph whose nodes are the samples; X is their numbers:

    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> path = sp.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> graph = cl.graph.Graph(path, [[1.0], [2.0], [6.0]])
    >>> transform = cl.GraphConvTransform("sgc", n_hops=1, normalization="row", graph=graph)
    >>> transform.fit_transform([[0], [2]])
    array([[1.5],
           [4. ]])

    A graph that comes with the features of its nodes:

    >>> transform = cl.GraphConvTransform("gin", n_hops=1)
    >>> transform.fit_transform(np.array([[1.0], [2.0], [6.0]]), adjacency=path)
    array([[3.],
           [9.],
           [8.]])

    No graph: neighbours are found among the rows.

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> transform = cl.GraphConvTransform("sign", n_hops=2, graph="knn").fit(X[:1000])
    >>> transform.transform(X[1000:]).shape
    (797, 192)
    """

    def __init__(
        self, conv="sgc", n_hops=2, *, graph=None, alpha=None, normalization=None,
        self_loops=None, direction="rows", signed=False, concat=None, aggregation="mean",
        weights=None, n_components=64, activation=None, n_neighbors=10, radius=1.0,
        metric="euclidean", output="flat", working_memory=None, n_threads=None,
        random_state=None, verbose=0,
    ):
        self.conv = conv
        self.n_hops = n_hops
        self.graph = graph
        self.alpha = alpha
        self.normalization = normalization
        self.self_loops = self_loops
        self.direction = direction
        self.signed = signed
        self.concat = concat
        self.aggregation = aggregation
        self.weights = weights
        self.n_components = n_components
        self.activation = activation
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.metric = metric
        self.output = output
        self.working_memory = working_memory
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    @in_one_step
    def fit(self, X, y=None, *, adjacency=None):
        """Check the graph, draw weights, remember rows to gather from.

        Parameters
        ----------
        X : array-like of shape (n_nodes, n_features), (n_nodes, 1) or \
(n_signals, n_nodes, n_features)
            Features of all nodes, numbers of nodes, or signals, see above; or a list of Graph.
        y : None
            Ignored.
        adjacency : sparse matrix or array, or Graph, default=None
            The graph of X, where `graph` is None.

        Returns
        -------
        self : estimator
            The fitted transformer.
        """
        self._fit(X, adjacency)
        return self

    @in_one_step
    def fit_transform(self, X, y=None, *, adjacency=None):
        """Fit, and return the features of X.

        Parameters
        ----------
        X : array-like of shape (n_nodes, n_features), (n_nodes, 1) or \
(n_signals, n_nodes, n_features)
            As in `fit`.
        y : None
            Ignored.
        adjacency : sparse matrix or array, or Graph, default=None
            As in `fit`.

        Returns
        -------
        features : ndarray of shape (n_rows, n_features_out)
            As `transform` returns it.
        """
        return self._fit(X, adjacency, returns=True)

    @takes_dask("nodes")
    def transform(self, X, *, adjacency=None):
        """Return the features after the convolution.

        Parameters
        ----------
        X : array-like of shape (n_nodes, n_features), (n_nodes, 1) or \
(n_signals, n_nodes, n_features)
            As in `fit`.
        adjacency : sparse matrix or array, or Graph, default=None
            The graph of X, where `graph` is None; another one than that of fit, if need be.

        Returns
        -------
        features : ndarray of shape (n_rows, n_features_out)
            A row for each node that X asks for, or for each signal; (n_signals, n_nodes,
            n_features_out) with ``output='maps'``; a list of Graph for one of Graph.
        """
        check_is_fitted(self)
        return self._transformed(self._input(X, adjacency, reset=False))

    def set_output(self, *, transform=None):
        """Choose the container of the features.

        Parameters
        ----------
        transform : {'default', 'pandas', 'polars', None}, default=None
            As in scikit-learn. Signals with ``output='maps'`` stay arrays.

        Returns
        -------
        self : estimator
            This transformer.
        """
        return self if self.output == "maps" else super().set_output(transform=transform)

    def get_feature_names_out(self, input_features=None):
        """Return a name for each feature, such as 'x3_hop2', or 'k07' where there are weights.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features of a node; None is `feature_names_in_` where X has them, or
            x0, x1, ...

        Returns
        -------
        names : ndarray of shape (n_features_out,), dtype object
            In the order of the columns of `transform`.
        """
        check_is_fitted(self)
        if self.weights_ is not None:
            names = numbered("k", self._n_outputs)
        else:
            n_features = self.n_node_features_
            if self.n_features_in_ == n_features:
                own = _check_feature_names_in(self, input_features)
            else:
                own = [f"x{i}" for i in range(n_features)]
            n_hops = self._settings.n_hops
            shown = range(n_hops + 1) if self._settings.concat else [n_hops]
            names = [f"{name}_hop{hop}" for hop in shown for name in own]
        if self._n_nodes is not None:
            names = [f"n{node}_{name}" for node in range(self._n_nodes) for name in names]
        return np.array(names, dtype=object)

    def estimate_memory(self, shape, dtype="float32"):
        """Return the bytes that `transform` allocates for features of that shape.

        Parameters
        ----------
        shape : tuple of int
            Of features: (n_nodes, n_features), or (n_signals, n_nodes, n_features).
        dtype : dtype, default='float32'
            Of the features.

        Returns
        -------
        n_bytes : int
            The result, and the features of two hops; not X, nor the graph.
        """
        check_is_fitted(self)
        shape = check.batch_shape("shape", shape)
        n_bytes = check.computed_dtype("dtype", dtype).itemsize
        rows, width = int(np.prod(shape[:-1], dtype=object)), shape[-1]
        result = rows * self._n_outputs * n_bytes
        at_once = rows
        if len(shape) == 3:
            at_once = min(shape[0], self._at_once(shape[1] * width * n_bytes)) * shape[1]
        elif self._neighbours is not None:
            at_once = min(rows, self._rows_at_once(width * n_bytes)) + len(self._neighbours)
        return result + (2 * width + self._n_outputs) * at_once * n_bytes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags

    def _fit(self, X, adjacency, returns=False):
        """Fit, all or nothing; return the features of X if they are asked for."""
        with all_or_nothing(self):
            self._settle()
            here = self._input(X, adjacency, reset=True)
            self.n_node_features_ = _n_features(here)
            self._n_nodes = None
            if isinstance(here, Nodes) and here.all_features.ndim == 3 and self.output == "flat":
                self._n_nodes = here.n_nodes
            self._learn()
            if isinstance(here, np.ndarray):
                return self._remember_rows(here)
            return self._transformed(here) if returns else None

    def _settle(self):
        """Check the parameters."""
        check_graph_parameter(self.graph)
        conv = check.choice("conv", self.conv, tuple(CONVOLUTIONS))
        concat = self.concat
        if concat is None and self.weights is not None:
            concat = conv == "sign"
        activation = check.choice("activation", self.activation, (None, *check.ACTIVATIONS))
        self._settings, self._how = settled(
            conv, self.n_hops, self.alpha, self.normalization, self.self_loops, self.direction,
            self.signed, concat, self.aggregation, activation)
        check.integer("n_components", self.n_components, 1)
        check.integer("n_neighbors", self.n_neighbors, 1)
        check.positive_number("radius", self.radius)
        check.choice("output", self.output, ("flat", "maps"))
        check.threads(self.n_threads)
        check.verbosity(self.verbose)
        self._budget()
        if isinstance(self.graph, str):
            direction, normalization = self._how[:2]
            if direction != "rows" or normalization == "column":
                raise ValueError(
                    f"graph={self.graph!r} needs direction='rows' and no normalization='column': "
                    f"rows gather from those of fit; got {direction!r} and {normalization!r}")

    def _input(self, X, adjacency, reset):
        """Return X checked: `Nodes`, a list of Graph, or rows that look for neighbours."""
        if isinstance(self.graph, str):
            refuse_adjacency(self.graph, adjacency)
            return rows_of(self, X, reset)
        if are_graphs(X):
            if self.graph is not None or adjacency is not None:
                raise ValueError("graph and adjacency must be None where X is a list of Graph")
            graphs = checked_graphs(X, None if reset else self.n_node_features_)
            if reset:
                vars(self).pop("feature_names_in_", None)    # of an earlier fit
                self.n_features_in_ = graphs[0].n_features
            return graphs
        nodes = nodes_of(self, X, self.graph, adjacency, reset)
        if not reset and nodes.n_features != self.n_node_features_:
            raise ValueError(f"X must hold nodes of {self.n_node_features_} features, as in fit; "
                             f"got {nodes.n_features}")
        return nodes

    def _learn(self):
        """Draw or check the weights."""
        settings, n_features = self._settings, self.n_node_features_
        self._neighbours = self._messages = None
        self.weights_ = None
        if isinstance(self.weights, str):
            check.choice("weights", self.weights, ("random",))
            random_state = check_random_state(self.random_state)
            self.weights_ = _drawn(settings, n_features, self.n_components, random_state)
        elif self.weights is not None:
            self.weights_ = _given(settings, n_features, self.weights)
        n_terms = settings.n_hops + 1 if settings.concat else 1
        if self.weights_ is None:
            self._n_outputs = n_terms * n_features
        elif not CONVOLUTIONS[settings.conv].is_layered:
            n_terms = len(self.weights_) if settings.concat else 1
            self._n_outputs = n_terms * self.weights_[0].shape[1]
        elif settings.n_hops == 0:
            self._n_outputs = n_features
        else:
            widths = [_width(layer) for layer in self.weights_]
            self._n_outputs = sum(widths) if settings.concat else widths[-1]

    def _remember_rows(self, X):
        """Convolve the rows of fit, whose messages later ones will gather; return the result."""
        self._neighbours = FittedNeighbours(
            X, self.graph, self._how, self.n_neighbors, self.radius, self.metric)
        operator = self._neighbours.rows(X)
        self._messages = operator.messages
        return self._convolved(operator, X)

    def _transformed(self, here):
        """Return the features of what `_input` returned."""
        if isinstance(here, list):
            with shown(self, len(here), "graphs") as progress:
                return [graph.with_features(self._of_nodes(Nodes(graph), shows=False))
                        for graph in progress.over(here)]
        if isinstance(here, Nodes):
            return self._of_nodes(here)
        out = np.empty((len(here), self._n_outputs), here.dtype)
        step = self._rows_at_once(here.shape[1] * here.itemsize)
        with shown(self, len(here), "rows") as progress:
            for first in range(0, len(here), step):
                rows = here[first:first + step]
                operator = self._neighbours.rows(rows, self._messages)
                out[first:first + step] = self._convolved(operator, rows)
                progress.advance(len(rows))
        return out

    def _of_nodes(self, nodes, shows=True):
        """Return features of the nodes of a graph, or of those asked for."""
        if nodes.features is not None and nodes.features.ndim == 3:
            return self._of_signals(nodes)
        with shown(self, self._settings.n_hops, "hops", shows) as progress:
            features = self._after_hops(nodes, partial(Told, advance=progress.advance))
            progress.advance(progress.total - progress.done)    # of hops that were remembered
        return features

    def _after_hops(self, nodes, told):
        """Return features of the nodes of a graph; `told` makes an operator tell of its hops."""
        if nodes.features is not None:
            return self._convolved(told(nodes.operator(self._how)), nodes.features)
        graph, n_threads = nodes.graph, check.threads(self.n_threads)
        rows = slice(None) if nodes.rows is None else nodes.rows
        if self.weights_ is None:
            return graph._propagated(
                self._settings, self._how, n_threads=n_threads, told=told)[rows]
        if CONVOLUTIONS[self._settings.conv].is_layered:
            key = (self._settings, self._how, digest_of(_flat(self.weights_)))
            return graph._remembered(key, lambda: self._convolved(
                told(nodes.operator(self._how)), graph.features))[rows]
        # The weights come last: they are needed for the rows asked for alone.
        whole = graph._propagated(self._bare, self._how, n_threads=n_threads, told=told)
        return self._projected(whole[rows])

    def _of_signals(self, nodes):
        """Return features of signals on one graph, some signals at a time."""
        signals = nodes.features
        operator = nodes.operator(self._how)
        out = np.empty((*signals.shape[:-1], self._n_outputs), signals.dtype)
        step = self._at_once(signals[:1].nbytes)
        with shown(self, len(signals), "signals") as progress:
            for first in range(0, len(signals), step):
                part = slice(first, first + step)
                out[part] = self._convolved(operator, signals[part])
                progress.advance(len(out[part]))
        return out if self.output == "maps" else out.reshape(len(out), -1)

    def _convolved(self, operator, features):
        """Return what the convolution makes of the features of all nodes."""
        n_threads = check.threads(self.n_threads)
        if self.weights_ is None:
            return propagated(self._settings, operator, features, n_threads)
        if CONVOLUTIONS[self._settings.conv].is_layered:
            return self._layers(operator, features, n_threads)
        return self._projected(propagated(self._bare, operator, features, n_threads))

    @property
    def _bare(self):
        """The settings of the convolution before its weights, all terms if each has its own."""
        return replace(self._settings, activation=None, concat=len(self.weights_) > 1)

    def _projected(self, features):
        """Return propagated features times the weights, term by term."""
        n_threads, n_features = check.threads(self.n_threads), self.n_node_features_
        terms = [
            product(np.ascontiguousarray(
                features[..., term * n_features:(term + 1) * n_features]),
                weight.astype(features.dtype), n_threads=n_threads)
            for term, weight in enumerate(self.weights_)
        ]
        result = np.concatenate(terms, axis=-1) if self._settings.concat else sum(
            terms[1:], start=terms[0])
        return activated(result, self._settings.activation, n_threads)

    def _layers(self, operator, features, n_threads):
        """Return features after layers with weights, one for each hop."""
        settings, here, layers = self._settings, features, []
        for weights in self.weights_:
            if settings.conv == "gcn":
                weight = weights.astype(here.dtype)
                here = transform(operator, here, weight, None, settings.activation, n_threads)
            elif settings.conv == "sage":
                weight, root = (weight.astype(here.dtype) for weight in weights)
                here = sage(operator, here, weight, root, None, settings.aggregation,
                            settings.activation, n_threads)
            else:
                pairs = [(weight.astype(here.dtype), None) for weight in weights]
                here = gin(operator.looped(1), here, pairs, settings.activation, n_threads)
                here = activated(here, settings.activation, n_threads)
            layers.append(here)
        return np.concatenate(layers, axis=-1) if settings.concat and layers else here

    def _budget(self):
        return memory_bytes(self.working_memory, get_config()["working_memory"])

    def _at_once(self, n_bytes):
        """Return how many signals of so many bytes go at a time, with what is made of them."""
        widened = 2 + self._n_outputs / self.n_node_features_
        return max(1, int(self._budget() / max(1, n_bytes * widened)))

    def _rows_at_once(self, n_bytes):
        """Return how many rows go at a time, at least as many as are copied beside them."""
        return max(len(self._neighbours), self._at_once(n_bytes))


def _n_features(here):
    if isinstance(here, list):
        return here[0].n_features
    return here.n_features if isinstance(here, Nodes) else here.shape[1]


def _term_count(settings):
    """Return how many matrices a convolution has whose weights come last."""
    return settings.n_hops + 1 if settings.concat or settings.conv in ("sign", "cheb") else 1


def _drawn(settings, n_features, n_components, random_state):
    """Return normal weights that keep the scale of rectified features."""
    def draw(n_inputs):
        weight = random_state.standard_normal((n_inputs, n_components))
        return weight * np.sqrt(2 / n_inputs)

    if not CONVOLUTIONS[settings.conv].is_layered:
        return [draw(n_features) for _ in range(_term_count(settings))]
    layers = []
    for hop in range(settings.n_hops):
        width = n_components if hop else n_features
        if settings.conv == "gcn":
            layers.append(draw(width))
        else:
            layers.append((draw(width), draw(width if settings.conv == "sage" else n_components)))
    return layers


def _given(settings, n_features, weights):
    """Return a user's weights, checked."""
    layered = CONVOLUTIONS[settings.conv].is_layered
    n_terms = settings.n_hops if layered else _term_count(settings)
    if n_terms == 1 and np.ndim(weights[0]) == 1:
        weights = [weights]    # one matrix by itself
    entries = check.as_entries(weights)
    if entries is None or len(entries) != n_terms:
        came = type(weights).__name__ if entries is None else len(entries)
        raise ValueError(f"weights must be 'random', or a sequence of {n_terms} for conv="
                         f"{settings.conv!r} and n_hops={settings.n_hops}; got {came}")
    checked, width = [], n_features
    for number, entry in enumerate(entries):
        name = f"weights[{number}]"
        if not layered or settings.conv == "gcn":
            checked.append(_matrix(name, entry, width))
        else:
            pair = check.as_entries(entry)
            if pair is None or len(pair) != 2:
                raise ValueError(f"{name} must be a pair of matrices for conv={settings.conv!r}")
            first = _matrix(f"{name}[0]", pair[0], width)
            if settings.conv == "sage":
                second = _matrix(f"{name}[1]", pair[1], width, first.shape[1])
            else:
                second = _matrix(f"{name}[1]", pair[1], first.shape[1])
            checked.append((first, second))
        if layered:
            width = _width(checked[-1])
        elif checked[-1].shape[1] != checked[0].shape[1]:
            raise ValueError(f"weights must have the same number of columns; got "
                             f"{checked[0].shape[1]} and {checked[-1].shape[1]}")
    return checked


def _matrix(name, value, n_rows, n_columns="n_components"):
    array = check.matrix(name, value, n_rows, n_columns)
    return np.array(array, check.result_dtype(array.dtype))


def _width(layer):
    """Return how many features a layer gives."""
    return (layer if isinstance(layer, np.ndarray) else layer[1]).shape[1]


def _flat(weights):
    """Return the matrices of all layers."""
    return [weight for layer in weights
            for weight in ((layer,) if isinstance(layer, np.ndarray) else layer)]
