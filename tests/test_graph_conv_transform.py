"""GraphConvTransform, GraphPool and Graph: three ways of bringing a graph."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import convlib as cl
import reference_graph as reference
from convlib.graph import Graph
from convlib.graph._propagation import CONVOLUTIONS

RNG = np.random.default_rng(0)
N_NODES = 30
FEATURES = RNG.standard_normal((N_NODES, 5))
NUMBERS = np.arange(N_NODES)[:, np.newaxis]
LABELS = np.arange(N_NODES) % 3


def random_matrix(n_nodes=N_NODES, seed=0, symmetric=True):
    rng = np.random.default_rng(seed)
    matrix = (rng.random((n_nodes, n_nodes)) < 0.15) * rng.random((n_nodes, n_nodes))
    matrix = matrix + matrix.T if symmetric else matrix
    matrix[3] = matrix[:, 3] = 0
    return matrix


MATRIX = random_matrix()
ADJACENCY = sp.csr_array(MATRIX)
GRAPH = Graph(ADJACENCY, FEATURES)


def expected_hops(conv, matrix, features, n_hops, aggregation="mean"):
    """Return the features after 0 .. n_hops hops, by dense products."""
    ones = (matrix != 0).astype(float)
    if conv in ("sgc", "gcn", "sign"):
        step = reference.normalized(matrix, "symmetric", "fill")
        return [np.linalg.matrix_power(step, k) @ features for k in range(n_hops + 1)]
    if conv == "sage":
        hops = [features]
        for _ in range(n_hops):
            if aggregation == "max":
                hops.append(reference.extremes(matrix, hops[-1], np.max))
            else:
                normalization = "row" if aggregation == "mean" else "none"
                hops.append(reference.normalized(ones, normalization, "keep") @ hops[-1])
        return hops
    if conv == "gin":
        step = ones + np.eye(len(matrix))
        return [np.linalg.matrix_power(step, k) @ features for k in range(n_hops + 1)]
    if conv == "appnp":
        step, hops = reference.normalized(matrix, "symmetric", "fill"), [features]
        for _ in range(n_hops):
            hops.append(0.9 * step @ hops[-1] + 0.1 * features)
        return hops
    if conv == "ssgc":
        powers = expected_hops("sgc", matrix, features, n_hops)
        return [features] + [0.05 * features + 0.95 * np.mean(powers[1:k + 1], axis=0)
                             for k in range(1, n_hops + 1)]
    laplacian = -reference.normalized(matrix, "symmetric", "remove")
    hops = [features, laplacian @ features]
    for _ in range(n_hops - 1):
        hops.append(2 * laplacian @ hops[-1] - hops[-2])
    return hops[:n_hops + 1]


@pytest.mark.parametrize("concat", [False, True])
@pytest.mark.parametrize("n_hops", [1, 2, 3])
@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_convolutions_without_weights(conv, n_hops, concat):
    hops = expected_hops(conv, MATRIX, FEATURES, n_hops)
    expected = np.concatenate(hops, axis=1) if concat else hops[-1]
    for dtype, tolerance in ((np.float32, 1e-4), (np.float64, 1e-12)):
        features = FEATURES.astype(dtype)
        transform = cl.GraphConvTransform(conv, n_hops, concat=concat)
        result = transform.fit_transform(features, adjacency=ADJACENCY)
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * 10)
        graph = Graph(ADJACENCY, features)
        by_number = clone(transform).set_params(graph=graph).fit_transform(NUMBERS[::-2])
        np.testing.assert_array_equal(by_number, result[::-2])
        for order in ("rcm", RNG.permutation(N_NODES)):
            moved = clone(transform).set_params(graph=graph.reorder(order))
            np.testing.assert_array_equal(moved.fit_transform(NUMBERS), result)
            np.testing.assert_array_equal(moved.fit(features).transform(features), result)
    assert len(transform.get_feature_names_out()) == result.shape[1]


@pytest.mark.parametrize("aggregation", ["sum", "max", "mean"])
def test_aggregations_of_sage(aggregation):
    hops = expected_hops("sage", MATRIX, FEATURES, 2, aggregation)
    transform = cl.GraphConvTransform("sage", aggregation=aggregation)
    result = transform.fit_transform(FEATURES, adjacency=ADJACENCY)
    np.testing.assert_allclose(result, np.concatenate(hops, axis=1), atol=1e-12)


def rectified(values):
    return np.maximum(values, 0)


def expected_with_weights(conv, hops_of, weights, concat):
    if conv in ("gcn", "sage", "gin"):
        here, layers = FEATURES, []
        for entry in weights:
            if conv == "gcn":
                here = rectified(hops_of(here)[1] @ entry)
            elif conv == "sage":
                here = rectified(hops_of(here)[1] @ entry[0] + here @ entry[1])
            else:
                here = rectified(rectified(hops_of(here)[1] @ entry[0]) @ entry[1])
            layers.append(here)
        return np.concatenate(layers, axis=1) if concat else here
    hops = hops_of(FEATURES)
    if len(weights) == 1:
        return rectified(hops[-1] @ weights[0])
    terms = [hop @ weight for hop, weight in zip(hops, weights, strict=True)]
    return rectified(np.concatenate(terms, axis=1) if concat else sum(terms))


@pytest.mark.parametrize(("conv", "concat"), [
    (conv, concat) for conv in CONVOLUTIONS for concat in (None, False, True)
    if (conv, concat) != ("sign", False)    # its terms stand side by side
])
def test_random_weights(conv, concat):
    transform = cl.GraphConvTransform(
        conv, weights="random", n_components=7, concat=concat, activation="relu",
        random_state=0)
    result = transform.fit_transform(FEATURES, adjacency=ADJACENCY)
    sides = conv == "sign" if concat is None else concat
    expected = expected_with_weights(
        conv, lambda features: expected_hops(conv, MATRIX, features, 2), transform.weights_, sides)
    np.testing.assert_allclose(result, expected, atol=1e-10, rtol=1e-10)
    assert len(transform.get_feature_names_out()) == result.shape[1]
    # The same weights given, and nodes by number.
    given = clone(transform).set_params(weights=transform.weights_, random_state=None)
    np.testing.assert_array_equal(given.fit_transform(FEATURES, adjacency=ADJACENCY), result)
    given.set_params(graph=GRAPH)
    np.testing.assert_array_equal(given.fit(NUMBERS).transform(NUMBERS[4:9]), result[4:9])
    assert given.fit(NUMBERS[:3]).transform(NUMBERS).tobytes() == result.tobytes()


def test_one_matrix_of_weights_stands_for_itself():
    weight = RNG.standard_normal((5, 3))
    transform = cl.GraphConvTransform("sgc", weights=weight)
    result = transform.fit_transform(FEATURES, adjacency=ADJACENCY)
    plain = cl.GraphConvTransform("sgc").fit_transform(FEATURES, adjacency=ADJACENCY)
    np.testing.assert_allclose(result, plain @ weight, atol=1e-12)


def test_signals_on_one_graph():
    signals = RNG.standard_normal((7, N_NODES, 5)).astype(np.float32)
    for parameters in ({}, {"weights": "random", "n_components": 3}, {"conv": "cheb"}):
        transform = cl.GraphConvTransform(**parameters, graph=GRAPH, output="maps", random_state=0)
        maps = transform.fit_transform(signals)
        flat = clone(transform).set_params(output="flat", working_memory=1e-3).fit(signals)
        assert maps.shape[:2] == (7, N_NODES)
        np.testing.assert_array_equal(flat.transform(signals), maps.reshape(7, -1))
        assert len(flat.get_feature_names_out()) == maps[0].size
        one = clone(transform).fit_transform(signals[3])
        np.testing.assert_array_equal(one, maps[3])
        with pytest.raises(ValueError, match="signals of 150 values"):
            flat.transform(signals[:, :, :4])


# 1. Numbers of nodes of a Graph.


def test_nodes_by_number_in_cross_validation():
    labels = (FEATURES[:, 0] > 0).astype(int)
    model = make_pipeline(cl.GraphConvTransform("sign", graph=GRAPH), LogisticRegression())
    scores = cross_val_score(model, NUMBERS, labels, cv=3)
    assert scores.shape == (3,)
    features = cl.GraphConvTransform("sign").fit_transform(FEATURES, adjacency=ADJACENCY)
    np.testing.assert_array_equal(
        scores, cross_val_score(LogisticRegression(), features, labels, cv=3))
    search = GridSearchCV(model, {"graphconvtransform__n_hops": [0, 1, 2]}, cv=3)
    search.fit(NUMBERS, labels)
    assert search.best_score_ >= scores.mean()
    # Frames and lists of numbers are numbers.
    assert model.fit(pd.DataFrame({"node": NUMBERS[:, 0]}), labels).score(
        pd.DataFrame({"node": NUMBERS[:, 0]}), labels) > 0.5
    assert cl.GraphConvTransform(graph=GRAPH).fit_transform(range(4)).shape == (4, 5)


def test_folds_share_what_was_propagated(monkeypatch):
    from convlib.graph import _graph
    calls = []
    original = _graph.propagated

    def counted(*args):
        calls.append(args)
        return original(*args)

    monkeypatch.setattr(_graph, "propagated", counted)
    graph = Graph(ADJACENCY, FEATURES)
    model = make_pipeline(cl.GraphConvTransform(graph=graph), LogisticRegression())
    cross_val_score(model, NUMBERS, LABELS, cv=5)
    assert len(calls) == 1
    cross_val_score(clone(model).set_params(graphconvtransform__n_hops=3), NUMBERS, LABELS, cv=5)
    assert len(calls) == 2
    graph.clear_cache()
    model.fit(NUMBERS, LABELS)
    assert len(calls) == 3


# 2. The adjacency as metadata.


def routed(transform):
    return transform.set_fit_request(adjacency=True).set_transform_request(adjacency=True)


def test_adjacency_by_metadata_routing():
    other = sp.csr_array(random_matrix(12, seed=5))
    features = RNG.standard_normal((12, 5))
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(routed(cl.GraphConvTransform("sage")), LogisticRegression())
        model.fit(FEATURES, LABELS, adjacency=ADJACENCY)
        by_hand = cl.GraphConvTransform("sage").fit(FEATURES, adjacency=ADJACENCY)
        classifier = LogisticRegression().fit(
            by_hand.transform(FEATURES, adjacency=ADJACENCY), LABELS)
        expected = classifier.predict_proba(by_hand.transform(features, adjacency=other))
        np.testing.assert_array_equal(model.predict_proba(features, adjacency=other), expected)
        np.testing.assert_array_equal(
            model.predict(features, adjacency=other), classifier.classes_[expected.argmax(1)])
        transform = make_pipeline(routed(cl.GraphConvTransform("sage")))
        np.testing.assert_array_equal(
            transform.fit_transform(FEATURES, adjacency=ADJACENCY),
            transform.fit(FEATURES, adjacency=ADJACENCY).transform(FEATURES, adjacency=ADJACENCY))


def test_cross_validation_slices_a_matrix_but_not_a_graph():
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(routed(cl.GraphConvTransform("sgc")), LogisticRegression())
        with pytest.raises(ValueError, match=r"(?s)slices the rows.*Graph in its place"):
            cross_val_score(model, FEATURES, LABELS, cv=3, params={"adjacency": ADJACENCY},
                            error_score="raise")
        scores = cross_val_score(model, NUMBERS, LABELS, cv=3, params={"adjacency": GRAPH},
                                 error_score="raise")
        by_parameter = make_pipeline(cl.GraphConvTransform("sgc", graph=GRAPH),
                                     LogisticRegression())
        np.testing.assert_array_equal(scores, cross_val_score(by_parameter, NUMBERS, LABELS, cv=3))
        search = GridSearchCV(model, {"graphconvtransform__n_hops": [1, 2]}, cv=3,
                              error_score="raise")
        search.fit(NUMBERS, LABELS, adjacency=GRAPH)
        assert len(search.best_estimator_.predict(NUMBERS, adjacency=GRAPH)) == N_NODES


def test_a_missing_adjacency_says_so():
    transform = cl.GraphConvTransform().fit(FEATURES, adjacency=ADJACENCY)
    with pytest.raises(ValueError, match="adjacency must be given"):
        transform.transform(FEATURES)
    with pytest.raises(ValueError, match="adjacency must be given"):
        cl.GraphConvTransform().fit(FEATURES)


# 3. Neighbours among the rows.


@parametrize_with_checks([
    cl.GraphConvTransform(graph="knn", n_neighbors=3),
    cl.GraphConvTransform("appnp", graph="radius", radius=2.0),
    cl.GraphConvTransform("gcn", graph="knn", weights="random", activation="relu"),
])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def dense_step(X, fitted, k, loops, normalization):
    """Return the matrices by which rows take from themselves and from fitted rows."""
    distances = ((X[:, np.newaxis] - fitted) ** 2).sum(-1)
    near = np.argsort(distances, axis=1, kind="stable")[:, :k]
    step = np.zeros((len(X), len(fitted)))
    np.put_along_axis(step, near, 1, axis=1)
    equal = (X[:, np.newaxis] == fitted).all(-1)
    own = np.zeros(len(X))
    if loops == "remove":
        step[equal] = 0
    if loops == "fill":
        own[(equal & (step > 0)).sum(1) == 0] = 1
    if loops == "add":
        own[:] = 1
    sums = step.sum(1) + own
    return step, own, sums


@pytest.mark.parametrize("self_loops", ["fill", "add", "keep", "remove"])
@pytest.mark.parametrize("normalization", ["symmetric", "row", "none"])
def test_neighbours_by_dense_products(normalization, self_loops):
    fitted, new = FEATURES[:20], FEATURES[15:]

    def shares(sums):
        power = {"symmetric": -0.5, "row": -1, "none": 0}[normalization]
        return np.where(sums > 0, np.maximum(sums, 1e-9) ** power, 0 if power else 1)

    def hop(rows, others, messages, sums_fitted, own_messages):
        step, own, sums = dense_step(rows, others, 4, self_loops, normalization)
        left = shares(sums)
        right = shares(sums_fitted) if normalization == "symmetric" else np.ones(len(others))
        mine = left if normalization == "symmetric" else np.ones(len(rows))
        return left[:, np.newaxis] * (
            step @ (right[:, np.newaxis] * messages)
            + (own * mine)[:, np.newaxis] * own_messages)

    sums = dense_step(fitted, fitted, 4, self_loops, normalization)[2]
    first = hop(fitted, fitted, fitted, sums, fitted)
    second = hop(fitted, fitted, first, sums, first)
    new_first = hop(new, fitted, fitted, sums, new)
    new_second = hop(new, fitted, first, sums, new_first)
    transform = cl.GraphConvTransform(
        "sgc", graph="knn", n_neighbors=4, normalization=normalization, self_loops=self_loops)
    np.testing.assert_allclose(transform.fit_transform(fitted), second, atol=1e-12)
    np.testing.assert_allclose(transform.transform(new), new_second, atol=1e-12)


@pytest.mark.parametrize("graph", ["knn", "radius"])
@pytest.mark.parametrize("weights", [None, "random"])
@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_fit_transform_equals_fit_then_transform(conv, weights, graph):
    X = np.concatenate([FEATURES, FEATURES[:3]]).astype(np.float32)   # some rows come twice
    transform = cl.GraphConvTransform(conv, 3, graph=graph, n_neighbors=4, radius=2.5,
                                      weights=weights, n_components=4, random_state=0)
    at_once = transform.fit_transform(X)
    np.testing.assert_array_equal(transform.transform(X), at_once)
    np.testing.assert_array_equal(transform.transform(X[5:11]), at_once[5:11])
    np.testing.assert_array_equal(
        clone(transform).set_params(working_memory=1e-6).fit(X).transform(np.tile(X, (4, 1)))[:33],
        at_once)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(transform)).transform(X), at_once)
    np.testing.assert_array_equal(clone(transform).set_params(n_threads=3).fit_transform(X),
                                  at_once)


def test_neighbours_in_a_pipeline():
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(cl.GraphConvTransform("sign", graph="knn"), RidgeClassifier())
    search = GridSearchCV(model, {"graphconvtransform__n_hops": [0, 1]}, cv=3)
    search.fit(X[:600], y[:600])
    assert search.score(X[600:], y[600:]) > 0.9
    assert cross_val_score(search.best_estimator_, X[:600], y[:600], cv=3).mean() > 0.9


# Lists of graphs.


def some_graphs(n_graphs=12, dtype=np.float64):
    rng = np.random.default_rng(1)
    return [Graph(sp.csr_array(random_matrix(n, seed=n)), rng.standard_normal((n, 4)).astype(dtype))
            for n in rng.integers(5, 20, n_graphs)]


def test_graphs_as_samples():
    graphs, labels = some_graphs(), np.arange(12) % 2
    model = make_pipeline(cl.GraphConvTransform("gin", concat=True),
                          cl.GraphPool(("sum", "mean", "max")), RidgeClassifier())
    assert cross_val_score(model, graphs, labels, cv=3).shape == (3,)
    GridSearchCV(model, {"graphconvtransform__n_hops": [1, 2]}, cv=3).fit(graphs, labels)
    pooled = model[:-1].fit_transform(graphs)
    for row, graph in zip(pooled, graphs, strict=True):
        hops = np.concatenate(expected_hops(
            "gin", graph.adjacency.toarray(), graph.features, 2), axis=1)
        expected = np.concatenate([hops.sum(0), hops.mean(0), hops.max(0)])
        np.testing.assert_allclose(row, expected, rtol=1e-10, atol=1e-10)
    names = cl.GraphPool(("sum", "max")).fit(graphs).get_feature_names_out()
    assert list(names) == [f"x{i}_{kind}" for kind in ("sum", "max") for i in range(4)]


def test_graph_pool_refuses():
    graphs = some_graphs(3)
    with pytest.raises(TypeError, match="sequence of at least one"):
        cl.GraphPool().fit(FEATURES)
    with pytest.raises(TypeError, match="sequence of at least one"):
        cl.GraphPool().fit([])
    with pytest.raises(ValueError, match="pool must be one of"):
        cl.GraphPool("median").fit(graphs)
    with pytest.raises(ValueError, match="each once"):
        cl.GraphPool(("sum", "sum")).fit(graphs)
    with pytest.raises(ValueError, match=r"X\[0\] must have features"):
        cl.GraphPool().fit([Graph(ADJACENCY)])
    with pytest.raises(ValueError, match=r"X\[0\] must have 4 features"):
        cl.GraphPool().fit(graphs).transform([GRAPH])
    empty = Graph(sp.csr_array((0, 0)), np.empty((0, 4)))
    np.testing.assert_array_equal(cl.GraphPool("max").fit_transform([empty]), np.zeros((1, 4)))


# What is refused.


@pytest.mark.parametrize(("parameters", "error", "match"), [
    ({"conv": "gat"}, ValueError, "conv must be one of"),
    ({"n_hops": -1}, ValueError, "n_hops must be"),
    ({"n_hops": 1.5}, TypeError, "n_hops"),
    ({"conv": "ssgc", "n_hops": 0}, ValueError, "n_hops"),
    ({"alpha": 0.1}, ValueError, "alpha goes with"),
    ({"conv": "appnp", "alpha": 2}, ValueError, "alpha must be"),
    ({"aggregation": "max"}, ValueError, "aggregation goes with 'sage'"),
    ({"conv": "sage", "aggregation": "median"}, ValueError, "aggregation must be one of"),
    ({"conv": "sage", "normalization": "symmetric"}, ValueError, "normalization is 'row'"),
    ({"conv": "cheb", "normalization": "none"}, ValueError, "normalization must not be"),
    ({"conv": "cheb", "self_loops": "fill"}, ValueError, "self_loops are removed"),
    ({"normalization": "both"}, ValueError, "normalization must be one of"),
    ({"self_loops": True}, (TypeError, ValueError), "self_loops must be"),
    ({"direction": "up"}, ValueError, "direction must be one of"),
    ({"activation": "softplus"}, ValueError, "activation must be one of"),
    ({"weights": "normal"}, ValueError, "weights must be"),
    ({"weights": [np.ones((4, 2))]}, ValueError, r"weights\[0\] must be an array of shape \(5, "),
    ({"conv": "gcn", "weights": [np.ones((5, 2))]}, ValueError, "sequence of 2"),
    ({"conv": "sage", "weights": [np.ones((5, 2))] * 2}, ValueError, "pair of matrices"),
    ({"weights": "random", "n_components": 0}, ValueError, "n_components"),
    ({"output": "both"}, ValueError, "output must be one of"),
    ({"graph": ADJACENCY}, TypeError, "Graph makes one"),
    ({"graph": "delaunay"}, ValueError, "graph must be one of"),
    ({"graph": "knn", "direction": "both"}, ValueError, "needs direction='rows'"),
    ({"graph": "knn", "normalization": "column"}, ValueError, "no normalization='column'"),
    ({"working_memory": -1}, ValueError, "working_memory"),
])
def test_refused_parameters(parameters, error, match):
    adjacency = None if "graph" in parameters else ADJACENCY
    with pytest.raises(error, match=match):
        cl.GraphConvTransform(**parameters).fit(FEATURES, adjacency=adjacency)


def test_refused_input():
    by_number = cl.GraphConvTransform(graph=GRAPH)
    with pytest.raises(ValueError, match=r"numbers of nodes in 0 \.\. 29; got -1"):
        by_number.fit([[-1]])
    with pytest.raises(ValueError, match=r"got 0 \.\. 30"):
        by_number.fit([[0], [30]])
    with pytest.raises(ValueError, match="all 30 nodes of the graph, or numbers"):
        by_number.fit(FEATURES[:4])
    with pytest.raises(ValueError, match="graph must have features"):
        cl.GraphConvTransform(graph=Graph(ADJACENCY)).fit(NUMBERS)
    with pytest.raises(ValueError, match="adjacency must be None where graph is given"):
        by_number.fit(NUMBERS, adjacency=ADJACENCY)
    with pytest.raises(ValueError, match="adjacency must be None where graph='knn'"):
        cl.GraphConvTransform(graph="knn").fit(FEATURES, adjacency=ADJACENCY)
    with pytest.raises(ValueError, match="graph and adjacency must be None"):
        by_number.fit([GRAPH])
    with pytest.raises(TypeError, match="adjacency must be a Graph, or a scipy"):
        cl.GraphConvTransform().fit(FEATURES, adjacency=MATRIX)
    with pytest.raises(ValueError, match="all 30 nodes"):
        cl.GraphConvTransform().fit(FEATURES[:4], adjacency=ADJACENCY)
    fitted = cl.GraphConvTransform().fit(FEATURES, adjacency=ADJACENCY)
    with pytest.raises(ValueError, match="4 features"):
        fitted.transform(FEATURES[:, :4], adjacency=ADJACENCY)
    with pytest.raises(ValueError, match="must have 5 features"):
        fitted.transform(some_graphs(1))
    weights = sp.csr_array(MATRIX)
    weights.data[0] = np.nan
    with pytest.raises(ValueError, match="finite weights"):
        fitted.transform(FEATURES, adjacency=weights)


def test_a_refused_fit_leaves_what_was_there():
    transform = cl.GraphConvTransform(graph="knn").fit(FEATURES)
    before = transform.transform(FEATURES)
    with pytest.raises(ValueError, match="n_hops"):
        transform.set_params(n_hops=-1).fit(FEATURES[:10])
    np.testing.assert_array_equal(transform.transform(FEATURES), before)


def test_memory_is_estimated():
    transform = cl.GraphConvTransform("sgc").fit(FEATURES, adjacency=ADJACENCY)
    assert transform.estimate_memory((1000, 5)) == 1000 * 5 * 4 * (1 + 2 + 1)
    signals = cl.GraphConvTransform("sgc", graph=GRAPH, working_memory=0.01).fit(
        np.ones((3, N_NODES, 5)))
    assert signals.estimate_memory((1000, N_NODES, 5)) < 1.1 * 1000 * N_NODES * 5 * 4


# Graph by itself.


def test_graph_is_one_object():
    for name in ("__len__", "shape", "__array__", "__getitem__"):
        assert not hasattr(GRAPH, name)
    assert copy.deepcopy(GRAPH) is GRAPH
    assert copy.copy(GRAPH) is GRAPH
    assert clone(cl.GraphConvTransform(graph=GRAPH)).graph is GRAPH
    with pytest.raises(AttributeError, match="does not change"):
        GRAPH.features = FEATURES
    with pytest.raises(AttributeError, match="does not change"):
        GRAPH.more = 1
    for array in (GRAPH.features, GRAPH.adjacency.data, GRAPH.adjacency.indices):
        assert not array.flags.writeable


def test_graph_owns_its_arrays():
    matrix, features = sp.csr_array(MATRIX), FEATURES.copy()
    graph = Graph(matrix, features)
    matrix.data[:], matrix.indices[:], features[:] = np.nan, 10**6, np.nan
    np.testing.assert_array_equal(graph.adjacency.toarray(), MATRIX)
    np.testing.assert_array_equal(graph.features, FEATURES)


def test_equality_and_pickles_leave_the_cache_out():
    graph, other = Graph(ADJACENCY, FEATURES), Graph(sp.coo_array(MATRIX), FEATURES)
    size = len(pickle.dumps(graph))
    cl.GraphConvTransform(graph=graph).fit_transform(NUMBERS)
    assert graph._results
    assert len(pickle.dumps(graph)) == size
    assert graph == other
    assert hash(graph) == hash(other)
    again = pickle.loads(pickle.dumps(graph.reorder()))
    assert again == graph
    assert not again._results
    assert not again.features.flags.writeable
    assert graph != Graph(ADJACENCY, FEATURES + 1)
    assert graph != Graph(ADJACENCY)
    assert graph != Graph(2 * ADJACENCY, FEATURES)
    assert graph != "graph"


def test_precomputed_features_are_state():
    for method in CONVOLUTIONS:
        graph = GRAPH.precompute(method, n_hops=2)
        expected = cl.GraphConvTransform(method, graph=GRAPH).fit_transform(NUMBERS)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(graph)).features, expected)
    with pytest.raises(ValueError, match="features must be given"):
        Graph(ADJACENCY).precompute()


def test_functions_take_a_graph():
    for order in (None, "rcm"):
        graph = GRAPH if order is None else GRAPH.reorder(order)
        np.testing.assert_array_equal(
            cl.graph.propagate(FEATURES, graph, 3), cl.graph.propagate(FEATURES, ADJACENCY, 3))
        np.testing.assert_array_equal(
            cl.graph.aggregate(FEATURES, graph, "max"),
            cl.graph.aggregate(FEATURES, ADJACENCY, "max"))
    assert cl.graph.normalize_adjacency(GRAPH).dtype == np.float64


def test_float64_graphs_and_float32_features():
    graph = Graph(sp.csr_array(MATRIX * 1e300), FEATURES.astype(np.float32))
    with pytest.raises(ValueError, match="beyond the range of float32"):
        cl.GraphConvTransform(graph=graph).fit_transform(NUMBERS)


@pytest.mark.parametrize("order", [np.zeros(N_NODES, int), np.arange(4), "degree", [0.5] * 30])
def test_refused_orders(order):
    with pytest.raises(ValueError, match="order must be"):
        GRAPH.reorder(order)


def test_refused_graphs():
    with pytest.raises(ValueError, match="a row for each of the 30 nodes"):
        Graph(ADJACENCY, FEATURES[:4])
    with pytest.raises(ValueError, match="features must be an array of shape"):
        Graph(ADJACENCY, FEATURES[np.newaxis])
    with pytest.raises(TypeError, match="sparse"):
        Graph(MATRIX)
    with pytest.raises(ValueError, match="square"):
        Graph(ADJACENCY[:4])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_unweighted_sums_keep_the_dtype(alpha, dtype):
    ones = sp.csr_array((MATRIX != 0).astype(np.int8))
    features = FEATURES.astype(dtype)
    result = cl.graph.propagate(features, ones, alpha=alpha, normalization="none",
                                self_loops="keep")
    assert result.dtype == dtype
    np.testing.assert_allclose(
        result, (1 - alpha) * (ones @ FEATURES) + alpha * FEATURES, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("given", "computed"), [
    ("uint8", "float32"), ("float16", "float32"), ("int32", "float64"), ("float32", "float32"),
])
def test_rows_are_computed_in_the_dtype_that_operators_take(given, computed):
    X = np.round(10 * FEATURES).clip(0).astype(given)
    result = cl.GraphConvTransform(graph="knn").fit_transform(X)
    assert result.dtype == computed
    expected = cl.GraphConvTransform(graph="knn").fit_transform(X.astype(computed))
    np.testing.assert_array_equal(result, expected)
