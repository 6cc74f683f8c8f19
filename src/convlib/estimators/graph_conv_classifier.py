"""GraphConvClassifier: a network of graph convolutions, trained by backpropagation."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib.estimators import _training as training
from convlib.estimators._graph_layers import DroppableMatrix, Edges, is_sparse
from convlib.estimators._graph_network import CONVOLUTIONS, HIDDEN_UNITS, GraphNetwork
from convlib.estimators._graph_nodes import NearRows
from convlib.estimators._graphs import (
    check_graph_parameter,
    nodes_of,
    refuse_adjacency,
    rows_of,
)
from convlib.estimators._progress import CallbackSupportMixin, FitSteps, with_callbacks
from convlib.graph._graph import handling

__all__ = ["GraphConvClassifier"]

UNLABELLED = -1
# Their slopes follow from their outputs.
ACTIVATIONS = (None, "relu", "relu6", "leaky_relu", "sigmoid", "tanh")


class GraphConvClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Classify the nodes of a graph by a network of graph convolutions.

    A few labelled nodes are enough, since the network sees the features of their neighbours, and
    of the neighbours of these. There are three ways to bring the graph:

    - ``graph=Graph(adjacency, features)``, where X is a column of integers, the numbers of nodes,
      so that cross-validation slices these and not the graph; or X is a float array of the features
      of all nodes;
    - ``graph=None`` and ``fit(X, y, adjacency=A)``, where X are the features of all nodes, and
      later ``predict(X, adjacency=A)`` for this or another graph;
    - ``graph="knn"`` or ``"radius"``, where the rows of X are the nodes and gather from those
      fitted rows that are near them.

    The result does not depend on the number of threads, bit by bit.

    Parameters
    ----------
    conv : {'gcn', 'sage', 'gat', 'appnp'}, default='gcn'
        Layers of `convlib.graph.gcn_conv` [1]_, `sage_conv` (mean) [2]_, `gat_conv` [3]_; or
        layers without a graph, whose outputs are then propagated by `appnp` [4]_.
    graph : Graph, 'knn', 'radius' or None, default=None
        See above.
    hidden_units : int, default=None
        Outputs of a layer but the last. None is 16; 64 for 'appnp'; 8, of each head, for 'gat'.
    n_layers : int, default=2
        Number of layers.
    n_heads : int, default=8
        Of 'gat'; the last layer has one.
    n_hops : int, default=10
        Of 'appnp'.
    alpha : float, default=0.1
        Of 'appnp': share of a node's own predictions in each hop.
    dropout : float, default=0.5
        Share of the inputs of each layer, and of the edges of each hop of 'appnp', that is left
        out while the network learns.
    activation : {'relu', 'relu6', 'leaky_relu', 'sigmoid', 'tanh', None}, default='relu'
        Between the layers.
    solver : {'adam', 'sgd'}, default='adam'
        Optimiser; 'sgd' has a Nesterov momentum of 0.9.
    learning_rate : float, default=0.01
        Size of its steps.
    weight_decay : float, default=0.0005
        L2 penalty of the weights of the first layer. The paper of 'appnp' has 0.005.
    max_iter : int, default=200
        Epochs: steps, since each sees all nodes.
    early_stopping : bool, default=False
        Whether to set nodes aside, stop when the accuracy there, and for the same accuracy the
        loss, no longer gets better, and keep the best network.
    validation_fraction : float, default=0.1
        Share of the labelled nodes that is set aside, of each class, unless `fit` is told which.
    n_iter_no_change : int, default=100
        How many epochs to wait for something better.
    n_neighbors : int, default=10
        Of ``graph="knn"``, a fitted row itself included; at most all rows.
    radius : float, default=1.0
        Of ``graph="radius"``.
    metric : str or callable, default='euclidean'
        Of both, as in scikit-learn's NearestNeighbors.
    random_state : int, RandomState instance or None, default=None
        For the first weights, dropout and the nodes set aside.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit.
    verbose : int, default=0
        Print the loss every so many epochs. scikit-learn's callbacks see each of them where it has
        them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, without the -1 of nodes without a label.
    coefs_ : list of ndarray
        Weights, attention vectors and biases, layer by layer.
    loss_curve_ : list of float
        Loss after each epoch, with the penalty.
    validation_scores_ : list of float or None
        Accuracy on the nodes set aside; None without early stopping.
    n_iter_ : int
        Epochs that were run.
    best_iter_ : int
        The epoch whose weights were kept, from 1 on; the last one without early stopping.
    n_features_in_ : int
        Columns of X: 1 where X are the numbers of nodes.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it has any.

    See Also
    --------
    convlib.graph.gcn_conv : One layer.

    References
    ----------
    .. [1] T. N. Kipf and M. Welling, "Semi-Supervised Classification with Graph Convolutional
       Networks", ICLR 2017.
    .. [2] W. L. Hamilton, R. Ying and J. Leskovec, "Inductive Representation Learning on Large
       Graphs", NeurIPS 2017.
    .. [3] P. Veličković et al., "Graph Attention Networks", ICLR 2018.
    .. [4] J. Gasteiger, A. Bojchevski and S. Günnemann, "Predict then Propagate: Graph Neural
       Networks meet Personalized PageRank", ICLR 2019.

    Examples
    --------
    Two triangles with one labelled node each:

    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> triangles = sp.block_array([[np.ones((3, 3)), None], [None, np.ones((3, 3))]])
    >>> graph = cl.graph.Graph(triangles, np.eye(6))
    >>> classifier = cl.GraphConvClassifier(graph=graph, random_state=0)
    >>> classifier.fit([[0], [3]], ["left", "right"]).predict([[1], [2], [4], [5]])
    array(['left', 'left', 'right', 'right'], dtype='<U5')
    """

    def __init__(self, conv="gcn", *, graph=None, hidden_units=None, n_layers=2, n_heads=8,
                 n_hops=10, alpha=0.1, dropout=0.5, activation="relu", solver="adam",
                 learning_rate=0.01, weight_decay=5e-4, max_iter=200, early_stopping=False,
                 validation_fraction=0.1, n_iter_no_change=100, n_neighbors=10, radius=1.0,
                 metric="euclidean", random_state=None, n_threads=None, verbose=0):
        self.conv = conv
        self.graph = graph
        self.hidden_units = hidden_units
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.n_hops = n_hops
        self.alpha = alpha
        self.dropout = dropout
        self.activation = activation
        self.solver = solver
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.metric = metric
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose

    @with_callbacks
    def fit(self, X, y, *, adjacency=None, validation=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features of all nodes, or a column of integers: numbers of nodes of a Graph.
        y : array-like of shape (n_samples,)
            Classes. Where a graph is given and these are numbers, -1 stands for none.
        adjacency : sparse matrix of shape (n_samples, n_samples) or Graph, default=None
            The graph, where the parameter `graph` is None.
        validation : array-like, default=None
            Positions in X, or a mask, of the nodes that are set aside for early stopping.

        Returns
        -------
        self : GraphConvClassifier
            The fitted classifier.
        """
        settings = self._settings()
        random_state = check_random_state(self.random_state)
        operator, features, rows, near = self._nodes_to_fit(X, adjacency)
        y = column_or_1d(validate_data(self, y=y), warn=True)
        check_consistent_length(rows, y)
        check_classification_targets(y)
        labelled = np.arange(len(y))
        if near is None and y.dtype.kind in "iuf":
            labelled = np.flatnonzero(y != UNLABELLED)
        if len(labelled) == 0:
            raise ValueError("y must have a class for at least one node; got -1 for all of them")
        classes, codes = np.unique(y[labelled], return_inverse=True)
        taught, aside = self._split(labelled, codes, validation, random_state, len(y))
        all_codes = np.zeros(len(y), np.intp)
        all_codes[labelled] = codes

        network = GraphNetwork(
            self.conv, features.shape[1], len(classes), **settings, rng=random_state,
            has_loops=CONVOLUTIONS[self.conv][1] == "remove", dtype=features.dtype)
        as_sparse, n_threads = is_sparse(features), settings["n_threads"]
        call = Edges(operator, n_threads), _form(features, as_sparse, n_threads)
        with FitSteps(self, self.max_iter, X, y, name="epoch") as epochs:
            history = training.train(
                network, self._optimizer(network),
                training.whole((*call, rows[taught], all_codes[taught])),
                max_epochs=self.max_iter, rng=training.generator(random_state),
                validate=None if aside is None else _validation(
                    network, call, rows[aside], all_codes[aside]),
                patience=None if aside is None else self.n_iter_no_change,
                progress=epochs, verbose=self.verbose)
            network.forget()
            self._network, self._near, self._as_sparse = network, near, as_sparse
            self.classes_, self.coefs_ = classes, network.parameters
            self.loss_curve_, self.n_iter_ = history.losses, history.n_epochs
            self.validation_scores_ = history.scores if aside is not None else None
            self.best_iter_ = history.n_epochs if aside is None else history.best_epoch + 1
        return self

    @takes_dask("nodes")
    def decision_function(self, X, *, adjacency=None):
        """Return the scores of the classes before the softmax.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `fit`: features of all nodes, or numbers of nodes of a Graph, or rows.
        adjacency : sparse matrix of shape (n_samples, n_samples) or Graph, default=None
            As in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            For two classes, by how much the score of the second one is larger.
        """
        scores = self._scores(X, adjacency)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    @takes_dask("nodes")
    def predict_proba(self, X, *, adjacency=None):
        """Return the probabilities of the classes.

        Parameters
        ----------
        X, adjacency
            As in `decision_function`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the dtype of the features.
        """
        return training.softmax(self._scores(X, adjacency))

    @takes_dask("nodes")
    def predict(self, X, *, adjacency=None):
        """Return the most probable classes.

        Parameters
        ----------
        X, adjacency
            As in `decision_function`.

        Returns
        -------
        classes : ndarray of shape (n_samples,)
            Of `classes_`.
        """
        scores = self._scores(X, adjacency)
        return self.classes_[scores.argmax(axis=1)]

    def score(self, X, y, sample_weight=None, *, adjacency=None):
        """Return the accuracy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As in `decision_function`.
        y : array-like of shape (n_samples,)
            The right classes. Nodes without one, -1 as in `fit`, do not count.
        sample_weight : array-like of shape (n_samples,), default=None
            What each node counts.
        adjacency : sparse matrix of shape (n_samples, n_samples) or Graph, default=None
            As in `decision_function`.

        Returns
        -------
        score : float
            Share of nodes whose class is right.
        """
        predicted, y = self.predict(X, adjacency=adjacency), column_or_1d(y)
        counted = np.ones(len(y), bool)
        if self._near is None and y.dtype.kind in "iuf":
            counted = y != UNLABELLED
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)[counted]
        return accuracy_score(y[counted], predicted[counted], sample_weight=sample_weight)

    def _scores(self, X, adjacency):
        check_is_fitted(self)
        n_threads = check.threads(self.n_threads)
        operator, features, rows = self._nodes(X, adjacency, self._near, reset=False)
        dtype = self._network.parameters[0].dtype
        if features.dtype != dtype:
            raise TypeError(f"X must be of the dtype {dtype} of the features that were fitted; "
                            f"got {features.dtype}")
        if features.shape[1] != self._network.n_features:
            raise ValueError(f"the graph must have {self._network.n_features} features, as the "
                             f"one that was fitted; got {features.shape[1]}")
        scores = self._network.scores(
            Edges(operator, n_threads), _form(features, self._as_sparse, n_threads))
        return scores[rows]

    def _nodes(self, X, adjacency, near, reset):
        """Return what gathers, the features of all nodes, and which of them X stands for."""
        if near is not None:
            refuse_adjacency(self.graph, adjacency)
            X = rows_of(self, X, reset=False).astype(near.features.dtype, copy=False)
            return (near.operator(X), np.concatenate([near.features, X]),
                    len(near.features) + np.arange(len(X)))
        nodes = nodes_of(self, X, self.graph, adjacency, reset)
        features = nodes.all_features
        if features.ndim != 2:
            raise ValueError("X must have two axes for a classifier of nodes; got shape "
                             f"{features.shape}")
        rows = np.arange(nodes.n_nodes) if nodes.rows is None else nodes.rows
        return nodes.operator(self._how()), features, rows

    def _nodes_to_fit(self, X, adjacency):
        """Return the same for `fit`, and the fitted rows that others are compared with, or None."""
        check_graph_parameter(self.graph)
        if not isinstance(self.graph, str):
            return (*self._nodes(X, adjacency, None, reset=True), None)
        refuse_adjacency(self.graph, adjacency)
        features = rows_of(self, X, reset=True)
        near = NearRows(
            features, self.graph, self._how(), check.integer("n_neighbors", self.n_neighbors, 1),
            check.positive_number("radius", self.radius), self.metric)
        return near.operator(), features, np.arange(len(features)), near

    def _how(self):
        normalization, self_loops, weighted = CONVOLUTIONS[self.conv]
        return handling(normalization, self_loops, "rows", False, weighted)

    def _settings(self):
        """Return the settings of the network, checked as all others are."""
        check.choice("conv", self.conv, tuple(CONVOLUTIONS))
        check.choice("solver", self.solver, ("adam", "sgd"))
        check.positive_number("learning_rate", self.learning_rate)
        check.non_negative("weight_decay", self.weight_decay)
        check.integer("max_iter", self.max_iter, 1)
        check.flag("early_stopping", self.early_stopping)
        check.integer("n_iter_no_change", self.n_iter_no_change, 1)
        check.verbosity(self.verbose)
        dropout = check.real_number("dropout", self.dropout, "a number in 0 .. 1, below 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be a number in 0 .. 1, below 1; got {dropout}")
        hidden_units = self.hidden_units
        if hidden_units is None:
            hidden_units = HIDDEN_UNITS[self.conv]
        return {
            "hidden_units": check.integer("hidden_units", hidden_units, 1),
            "n_layers": check.integer("n_layers", self.n_layers, 1),
            "n_heads": check.integer("n_heads", self.n_heads, 1),
            "n_hops": check.integer("n_hops", self.n_hops, 0),
            "alpha": check.share("alpha", self.alpha),
            "dropout": dropout,
            "activation": check.choice("activation", self.activation, ACTIVATIONS),
            "n_threads": check.threads(self.n_threads),
        }

    def _optimizer(self, network):
        decays = network.decays(self.weight_decay)
        if self.solver == "adam":
            return training.Adam(network.parameters, self.learning_rate, l2=decays)
        return training.SGD(network.parameters, self.learning_rate, 0.9, True, l2=decays)

    def _split(self, labelled, codes, validation, random_state, n_samples):
        """Return the positions in X that teach, and those that are set aside, or None."""
        if validation is not None and not self.early_stopping:
            raise ValueError("validation goes with early_stopping=True")
        if not self.early_stopping:
            return labelled, None
        if validation is None:
            share = check.real_number("validation_fraction", self.validation_fraction,
                                      "a number between 0 and 1")
            if not 0 < share < 1:
                raise ValueError(
                    f"validation_fraction must be a number between 0 and 1; got {share}")
            return train_test_split(
                labelled, test_size=share, stratify=codes, random_state=random_state)
        chosen = np.asarray(validation)
        if chosen.dtype == bool and chosen.shape == (n_samples,):
            chosen = np.flatnonzero(chosen)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not len(chosen) \
                or not (chosen.min() >= 0 and chosen.max() < n_samples):
            raise ValueError(f"validation must be a mask of shape ({n_samples},) or positions in "
                             f"0 .. {n_samples - 1}; got {chosen.dtype} of shape {chosen.shape}")
        aside = np.intersect1d(chosen, labelled)
        taught = np.setdiff1d(labelled, chosen)
        if len(aside) == 0 or len(taught) == 0:
            raise ValueError("validation must leave labelled nodes to learn from, and have some; "
                             f"got {len(aside)} of the {len(labelled)} labelled nodes")
        return taught, aside


def _form(features, as_sparse, n_threads):
    """Return features as the network takes them, which was settled at fit."""
    return DroppableMatrix(sp.csr_array(features), n_threads) if as_sparse else features


def _validation(network, call, rows, codes):
    """Return the function that measures the network on nodes that were set aside."""
    def validate():
        scores = network.scores(*call)[rows]
        loss, _ = training.softmax_cross_entropy(scores, codes)
        return float((scores.argmax(axis=1) == codes).mean()), loss
    return validate
