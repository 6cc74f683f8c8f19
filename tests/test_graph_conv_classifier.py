"""GraphConvClassifier: its gradients, the three ways to bring a graph, scikit-learn's habits."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import convlib as cl
from convlib.estimators._graph_layers import DroppableMatrix, Edges
from convlib.estimators._graph_network import CONVOLUTIONS, GraphNetwork
from convlib.graph import Graph
from convlib.graph._adjacency import adjacency_of
from convlib.graph._gather import normalized
from test_graph import random_graph

QUICK = {"max_iter": 60, "learning_rate": 0.05, "random_state": 0}
CONVS = tuple(CONVOLUTIONS)


@parametrize_with_checks([
    cl.GraphConvClassifier("sage", graph="radius", **QUICK),
    cl.GraphConvClassifier("gat", graph="knn", **QUICK),
    cl.GraphConvClassifier(graph="knn", solver="sgd", early_stopping=True,
                           validation_fraction=0.5, **QUICK),
])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


# The network


def network_and_batch(conv, sparse, dropout, activation="tanh"):
    rng = np.random.RandomState(0)
    # Neither side is symmetric, and there are isolated nodes and loops.
    graph = adjacency_of("adjacency", random_graph(13, 0.3), np.float64)
    normalization, self_loops, weighted = CONVOLUTIONS[conv]
    operator = normalized(graph if weighted else graph.without_weights(), np.float64,
                          normalization, self_loops)
    features = rng.standard_normal((13, 6)) * (rng.random_sample((13, 6)) < 0.4)
    network = GraphNetwork(
        conv, 6, 3, hidden_units=4, n_layers=2, n_heads=2, n_hops=3, alpha=0.2, dropout=dropout,
        activation=activation, has_loops=True, n_threads=None, rng=rng, dtype=np.dtype(float))
    for array in network.parameters:
        array += 0.1 * rng.standard_normal(array.shape)
    taken = DroppableMatrix(sp.csr_array(features)) if sparse else features
    return network, (Edges(operator), taken, np.array([0, 2, 5, 9]), np.array([0, 2, 1, 1]))


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("conv", CONVS)
def test_gradients_of_the_network(conv, sparse, dropout):
    network, batch = network_and_batch(conv, sparse, dropout)

    def loss_and_gradients():
        # The same numbers each time, so that the same inputs and edges are left out.
        return network.loss_and_gradients(batch, np.random.default_rng(1))

    _, gradients = loss_and_gradients()
    for array, gradient in zip(network.parameters, gradients, strict=True):
        expected = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            value = array[place]
            array[place] = value + 1e-6
            upper, _ = loss_and_gradients()
            array[place] = value - 1e-6
            lower, _ = loss_and_gradients()
            array[place] = value
            expected[place] = (upper - lower) / 2e-6
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, expected, atol=1e-8)
        assert conv == "gat" or np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("conv", CONVS)
def test_sparse_and_dense_features_agree(conv):
    dense, sparse = (network_and_batch(conv, flag, 0.0) for flag in (False, True))
    np.testing.assert_allclose(
        dense[0].scores(*dense[1][:2]), sparse[0].scores(*sparse[1][:2]), rtol=1e-10)


def test_dropout_keeps_the_mean():
    matrix = DroppableMatrix(sp.csr_array(np.full((40, 50), 3.0)))
    values = matrix.dropped(0.25, np.random.default_rng(0))
    assert set(np.unique(values)) == {0, 4}
    assert np.mean(values == 0) == pytest.approx(0.25, abs=0.03)
    assert matrix.dropped(0.25, None) is matrix.values


def test_decay_holds_the_weights_of_the_first_layer():
    network, _ = network_and_batch("sage", False, 0.0)
    assert network.decays(0.5) == [0.5, 0.5, 0, 0, 0, 0]


# Ways to bring the graph


def communities(n_nodes=120, n_features=30, seed=0):
    """Return a graph of three communities, weak features, and the communities."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n_nodes)
    near = np.where(labels[:, None] == labels, 0.15, 0.01)
    edges = np.triu(rng.random((n_nodes, n_nodes)) < near, 1)
    features = rng.random((n_nodes, n_features)) < 0.2
    features[np.arange(n_nodes), 10 * labels + rng.integers(0, 10, n_nodes)] = True
    return sp.csr_array(edges | edges.T, dtype=float), features.astype(np.float32), labels


ADJACENCY, FEATURES, LABELS = communities()
NUMBERS = np.arange(120)[:, np.newaxis]
TAUGHT = np.arange(0, 120, 4)
REST = np.setdiff1d(np.arange(120), TAUGHT)


@pytest.mark.parametrize("conv", CONVS)
def test_learns_from_a_few_nodes_of_a_graph(conv):
    graph = Graph(ADJACENCY, FEATURES)
    classifier = cl.GraphConvClassifier(conv, graph=graph, random_state=0)
    classifier.fit(NUMBERS[TAUGHT], LABELS[TAUGHT])
    assert classifier.score(NUMBERS[REST], LABELS[REST]) > 0.85
    assert classifier.loss_curve_[-1] < 0.5 * classifier.loss_curve_[0]
    assert classifier.n_iter_ == classifier.best_iter_ == len(classifier.loss_curve_) == 200
    assert classifier.validation_scores_ is None
    shares = classifier.predict_proba(NUMBERS)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert all(array.dtype == np.float32 for array in classifier.coefs_)


def partial_labels():
    labels = np.full(120, -1)
    labels[TAUGHT] = LABELS[TAUGHT]
    return labels


@pytest.mark.parametrize("conv", CONVS)
def test_all_ways_give_the_same_bits(conv):
    graph = Graph(ADJACENCY, FEATURES)
    classifier = cl.GraphConvClassifier(conv, **QUICK)
    expected = clone(classifier).set_params(graph=graph).fit(
        NUMBERS[TAUGHT], LABELS[TAUGHT]).predict_proba(NUMBERS)
    numbers = clone(classifier).set_params(graph=graph).fit(NUMBERS, partial_labels())
    np.testing.assert_array_equal(numbers.predict_proba(NUMBERS), expected)
    whole = clone(classifier).set_params(graph=Graph(ADJACENCY)).fit(FEATURES, partial_labels())
    np.testing.assert_array_equal(whole.predict_proba(FEATURES), expected)
    routed = clone(classifier).fit(FEATURES, partial_labels(), adjacency=ADJACENCY)
    np.testing.assert_array_equal(
        routed.predict_proba(FEATURES, adjacency=ADJACENCY), expected)
    in_place = clone(classifier).fit(NUMBERS[TAUGHT], LABELS[TAUGHT], adjacency=graph)
    np.testing.assert_array_equal(
        in_place.predict_proba(NUMBERS[REST], adjacency=graph), expected[REST])
    assert list(routed.classes_) == [0, 1, 2]
    assert routed.score(FEATURES, partial_labels(), adjacency=ADJACENCY) == pytest.approx(
        np.mean(expected[TAUGHT].argmax(axis=1) == LABELS[TAUGHT]))


def test_new_graph_at_prediction():
    classifier = cl.GraphConvClassifier(random_state=0).fit(FEATURES, LABELS, adjacency=ADJACENCY)
    adjacency, features, labels = communities(300, seed=5)
    assert classifier.score(features, labels, adjacency=adjacency) > 0.75
    assert classifier.predict(features, adjacency=adjacency).shape == (300,)


def test_cross_validation_with_node_numbers():
    classifier = cl.GraphConvClassifier(graph=Graph(ADJACENCY, FEATURES), **QUICK)
    assert cross_val_score(classifier, NUMBERS, LABELS, cv=3).mean() > 0.85
    pipeline = make_pipeline(classifier)
    search = GridSearchCV(pipeline, {"graphconvclassifier__hidden_units": [2, 16]}, cv=3)
    search.fit(NUMBERS, LABELS)
    assert search.best_score_ > 0.85
    assert search.best_estimator_[0].graph is classifier.graph


def test_metadata_routing_in_a_pipeline():
    with config_context(enable_metadata_routing=True):
        classifier = cl.GraphConvClassifier(**QUICK)
        for method in ("fit", "predict", "score"):
            getattr(classifier, f"set_{method}_request")(adjacency=True)
        pipeline = make_pipeline(StandardScaler(), classifier)
        pipeline.fit(FEATURES, partial_labels(), adjacency=ADJACENCY)
        assert pipeline.score(FEATURES, LABELS, adjacency=ADJACENCY) > 0.8
        assert pipeline.predict(FEATURES, adjacency=ADJACENCY).shape == (120,)
        # Cross-validation slices the rows, and not a Graph.
        graph = Graph(ADJACENCY, FEATURES)
        scores = cross_val_score(classifier, NUMBERS, LABELS, params={"adjacency": graph}, cv=3)
        assert scores.mean() > 0.8
        search = GridSearchCV(classifier, {"max_iter": [1, 60]}, cv=3)
        assert search.fit(NUMBERS, LABELS, adjacency=graph).best_params_ == {"max_iter": 60}
        with pytest.raises(ValueError, match="Cross-validation slices the rows"):
            cross_val_score(classifier, FEATURES, LABELS, params={"adjacency": ADJACENCY}, cv=3,
                            error_score="raise")


@pytest.mark.parametrize("graph", ["knn", "radius"])
@pytest.mark.parametrize("conv", CONVS)
def test_graph_of_near_rows(conv, graph):
    X, y = load_iris(return_X_y=True)
    classifier = cl.GraphConvClassifier(conv, graph=graph, dropout=0.1, **QUICK)
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier), X, y, cv=3)
    assert scores.mean() > 0.85
    if conv == "gcn":
        search = GridSearchCV(classifier, {"max_iter": [1, 60]}, cv=3).fit(X, y)
        assert search.best_params_ == {"max_iter": 60}
    classifier.fit(X[::2], y[::2])
    expected = classifier.decision_function(X)
    # New rows do not know of each other, and fitted ones are like any other.
    np.testing.assert_array_equal(classifier.decision_function(X[10:11]), expected[10:11])
    np.testing.assert_array_equal(classifier.decision_function(X[::-1]), expected[::-1])
    near = classifier._near
    fitted = classifier._network.scores(Edges(near.operator()), near.features)
    np.testing.assert_array_equal(fitted, expected[::2])


def test_minus_one_is_a_class_without_a_graph():
    X, y = load_iris(return_X_y=True)
    classifier = cl.GraphConvClassifier(graph="knn", **QUICK).fit(X, y - 1)
    assert list(classifier.classes_) == [-1, 0, 1]
    assert classifier.score(X, y - 1) > 0.9


# Reproducibility and habits


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("conv", CONVS)
def test_same_bits_for_one_seed_and_any_number_of_threads(conv, sparse):
    rng = np.random.default_rng(0)
    features = rng.standard_normal((600, 40)).astype(np.float32)
    if sparse:
        features[rng.random(features.shape) < 0.95] = 0
    graph = Graph(random_graph(600, 0.05), features)
    X, y = np.arange(600)[:, np.newaxis], rng.integers(0, 3, 600)
    options = {"graph": graph, "max_iter": 10, "hidden_units": 24}
    expected = cl.GraphConvClassifier(conv, random_state=3, n_threads=1, **options).fit(X, y)
    for n_threads in (None, 2, 5):
        other = cl.GraphConvClassifier(
            conv, random_state=3, n_threads=n_threads, **options).fit(X, y)
        assert other.loss_curve_ == expected.loss_curve_
        for one, two in zip(other.coefs_, expected.coefs_, strict=True):
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(other.predict_proba(X), expected.predict_proba(X))
    other = cl.GraphConvClassifier(conv, random_state=4, **options).fit(X, y)
    assert other.loss_curve_ != expected.loss_curve_


@pytest.mark.parametrize("conv", CONVS)
def test_pickle_predicts_the_same(conv):
    classifier = cl.GraphConvClassifier(conv, graph=Graph(ADJACENCY, FEATURES), **QUICK)
    classifier.fit(NUMBERS, LABELS)
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(NUMBERS), classifier.predict_proba(NUMBERS))


def test_early_stopping_keeps_the_best():
    classifier = cl.GraphConvClassifier(
        graph=Graph(ADJACENCY, FEATURES), early_stopping=True, n_iter_no_change=5, max_iter=500,
        random_state=0)
    classifier.fit(NUMBERS, partial_labels(), validation=TAUGHT[:10])
    assert classifier.n_iter_ == len(classifier.validation_scores_) < 500
    assert classifier.best_iter_ == classifier.n_iter_ - 5
    best = classifier.validation_scores_[classifier.best_iter_ - 1]
    assert best == max(classifier.validation_scores_)
    aside = TAUGHT[:10]
    assert classifier.score(NUMBERS[aside], LABELS[aside]) == pytest.approx(best)
    mask = np.zeros(120, bool)
    mask[aside] = True
    masked = clone(classifier).fit(NUMBERS, partial_labels(), validation=mask)
    assert masked.loss_curve_ == classifier.loss_curve_
    drawn = clone(classifier).set_params(validation_fraction=0.3).fit(NUMBERS, LABELS)
    assert drawn.n_iter_ < 500


def test_names_of_classes_and_two_of_them():
    names = np.array(["no", "yes"])[LABELS % 2]
    classifier = cl.GraphConvClassifier(graph=Graph(ADJACENCY, FEATURES), solver="sgd",
                                        learning_rate=0.1, random_state=0)
    classifier.fit(NUMBERS, names)
    scores = classifier.decision_function(NUMBERS)
    assert scores.shape == (120,)
    predicted = classifier.predict(NUMBERS)
    np.testing.assert_array_equal(predicted, np.where(scores > 0, "yes", "no"))
    assert classifier.score(NUMBERS, names) > 0.8


def test_verbose_tells_and_callbacks_see_each_epoch(capsys):
    callback = pytest.importorskip("sklearn.callback")
    seen = []

    class Watch:
        def setup(self, estimator, context):
            seen.append("setup")

        def on_fit_task_begin(self, estimator, context, **others):
            pass

        def on_fit_task_end(self, estimator, context, **others):
            seen.append(context.task_name)
            return seen.count("epoch") == 7

        def teardown(self, estimator, context):
            seen.append("teardown")

    assert isinstance(Watch(), callback.FitCallback)
    classifier = cl.GraphConvClassifier(graph=Graph(ADJACENCY, FEATURES), verbose=3)
    classifier.set_callbacks(Watch()).fit(NUMBERS, LABELS)
    assert seen == ["setup", *["epoch"] * 7, "fit", "teardown"]
    assert classifier.n_iter_ == 7
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "epoch 3", "epoch 6"]


def test_float64_and_integers():
    graph = Graph(ADJACENCY, FEATURES.astype(np.float64))
    classifier = cl.GraphConvClassifier(graph=graph, **QUICK).fit(NUMBERS, LABELS)
    assert classifier.predict_proba(NUMBERS).dtype == np.float64
    counted = cl.GraphConvClassifier(**QUICK).fit(
        FEATURES.astype(np.uint8), LABELS, adjacency=ADJACENCY)
    single = cl.GraphConvClassifier(**QUICK).fit(FEATURES, LABELS, adjacency=ADJACENCY)
    assert counted.loss_curve_ == single.loss_curve_


GRAPH = Graph(ADJACENCY, FEATURES)


@pytest.mark.parametrize(("options", "call", "message"), [
    ({}, (FEATURES, LABELS), "adjacency must be given"),
    ({"graph": "near"}, (FEATURES, LABELS), "graph must be one of"),
    ({"graph": ADJACENCY}, (FEATURES, LABELS), "graph must be a Graph"),
    ({"graph": "knn"}, (FEATURES, LABELS, ADJACENCY), "adjacency must be None"),
    ({"graph": GRAPH}, (FEATURES, LABELS, ADJACENCY), "adjacency must be None"),
    ({}, (FEATURES, LABELS, ADJACENCY[:60, :]), "adjacency must be square.*Cross-validation"),
    ({}, (FEATURES, LABELS, ADJACENCY.toarray()), r"adjacency must be a Graph, or a scipy\.sparse"),
    ({}, (FEATURES[:60], LABELS[:60], ADJACENCY), "features of all 120 nodes"),
    ({"graph": GRAPH}, (NUMBERS + 1, LABELS), "numbers of nodes in 0 .. 119; got 1 .. 120"),
    ({"graph": GRAPH}, (NUMBERS - 1, LABELS), "got -1 .. 118"),
    ({"graph": GRAPH}, (NUMBERS[:9] + 0.5, LABELS[:9]), "or numbers of some in one column"),
    ({"graph": Graph(ADJACENCY)}, (NUMBERS[:9], LABELS[:9]), "graph must have features"),
    ({"graph": GRAPH}, (NUMBERS, np.full(120, -1)), "y must have a class for at least one"),
    ({"graph": GRAPH, "conv": "gin"}, (NUMBERS, LABELS), "conv must be"),
    ({"graph": GRAPH, "dropout": 1}, (NUMBERS, LABELS), "dropout must be"),
    ({"graph": GRAPH, "activation": "square"}, (NUMBERS, LABELS), "activation must be"),
    ({"graph": GRAPH, "solver": "lbfgs"}, (NUMBERS, LABELS), "solver must be"),
    ({"graph": GRAPH, "hidden_units": 0}, (NUMBERS, LABELS), "hidden_units must be"),
    ({"graph": GRAPH, "max_iter": 0}, (NUMBERS, LABELS), "max_iter must be"),
    ({"graph": GRAPH, "alpha": 2.0}, (NUMBERS, LABELS), "alpha must be"),
    ({"graph": "knn", "n_neighbors": 0}, (FEATURES, LABELS), "n_neighbors must be"),
    ({"graph": "radius", "radius": -1.0}, (FEATURES, LABELS), "radius must be"),
    ({"graph": GRAPH}, (NUMBERS, LABELS, None, [0]), "validation goes with early_stopping"),
    ({"graph": GRAPH, "early_stopping": True}, (NUMBERS, LABELS, None, [120]), "validation must"),
    ({"graph": GRAPH, "early_stopping": True}, (NUMBERS, LABELS, None, np.arange(120)),
     "validation must leave"),
    ({"graph": GRAPH, "early_stopping": True, "validation_fraction": 1.0}, (NUMBERS, LABELS),
     "validation_fraction must be"),
])
def test_bad_input(options, call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        cl.GraphConvClassifier(**options).fit(
            *call[:2], **dict(zip(("adjacency", "validation"), call[2:], strict=False)))


def test_bad_input_at_prediction():
    classifier = cl.GraphConvClassifier(max_iter=2).fit(FEATURES, LABELS, adjacency=ADJACENCY)
    with pytest.raises(ValueError, match="adjacency must be given"):
        classifier.predict(FEATURES)
    with pytest.raises(ValueError, match="features of all 120 nodes"):
        classifier.predict(FEATURES[:60], adjacency=ADJACENCY)
    with pytest.raises(TypeError, match="must be of the dtype float32"):
        classifier.predict(FEATURES.astype(float), adjacency=ADJACENCY)
    numbers = cl.GraphConvClassifier(max_iter=2).fit(NUMBERS, LABELS, adjacency=GRAPH)
    with pytest.raises(ValueError, match="the graph must have 30 features"):
        numbers.predict(NUMBERS, adjacency=Graph(ADJACENCY, FEATURES[:, :7]))
