"""Graph operators against dense float64 references, and what they refuse."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import convlib as cl
import reference_graph as reference
from convlib.graph import Graph, _adjacency
from convlib.graph._adjacency import adjacency_of

pytestmark = pytest.mark.kernels

TOLERANCES = {"float32": 3e-5, "float64": 1e-12}
WIDTHS = (1, 3, 8, 15, 16, 17, 33, 64, 100, 128, 130, 300)


def random_graph(n_nodes, density=0.1, seed=0, signed=False):
    """Return a weighted directed graph with self loops and isolated nodes."""
    rng = np.random.default_rng(seed)
    matrix = rng.random((n_nodes, n_nodes)) + 0.1
    matrix[rng.random(matrix.shape) > density] = 0
    if signed:
        matrix *= rng.choice([-1, 1], matrix.shape)
    matrix[n_nodes // 2] = 0
    return sp.csr_array(matrix)


def random_features(shape, dtype, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_close(result, expected, dtype):
    assert result.dtype == dtype
    assert result.shape == expected.shape
    scale = max(1, np.abs(expected).max(initial=0))
    assert np.abs(result - expected).max(initial=0) <= TOLERANCES[np.dtype(dtype).name] * scale


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.usefixtures("tier")
def test_aggregates(n_threads, width, dtype):
    graph = random_graph(41)
    features = random_features((41, width), dtype)
    matrix = reference.dense(graph)
    ones = (matrix != 0).astype(float)
    for weighted, dense in ((True, matrix), (False, ones)):
        for kind, normalization in (("sum", "none"), ("mean", "row")):
            expected = reference.normalized(dense, normalization, "keep") @ features
            result = cl.graph.aggregate(
                features, graph, kind, weighted=weighted, n_threads=n_threads)
            assert_close(result, expected, dtype)
    for kind, function in (("max", np.max), ("min", np.min)):
        result = cl.graph.aggregate(features, graph, kind, n_threads=n_threads)
        np.testing.assert_array_equal(result, reference.extremes(matrix, features, function))


@pytest.mark.parametrize("direction", ["rows", "columns", "both"])
@pytest.mark.parametrize("self_loops", ["fill", "add", "keep", "remove"])
@pytest.mark.parametrize("normalization", ["symmetric", "row", "column", "none"])
@pytest.mark.parametrize("signed", [False, True])
def test_normalizations(signed, normalization, self_loops, direction):
    graph = random_graph(23, 0.2, signed=signed)
    options = {"self_loops": self_loops, "direction": direction, "signed": signed}
    expected = reference.normalized(reference.dense(graph), normalization, **options)
    matrix = cl.graph.normalize_adjacency(graph, normalization, **options)
    assert matrix.has_sorted_indices
    assert_close(matrix.toarray(), expected, "float64")
    for width in (3, 20):
        features = random_features((23, width), "float64")
        result = cl.graph.propagate(features, graph, 2, normalization=normalization, **options)
        assert_close(result, expected @ expected @ features, "float64")


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("make", [sp.csr_array, sp.csr_matrix])
def test_formats_give_the_same_bits(make, layout):
    graph = make(random_graph(30))
    features = random_features((30, 20), "float32")
    expected = cl.graph.propagate(features, random_graph(30), 2)
    np.testing.assert_array_equal(cl.graph.propagate(features, graph.asformat(layout), 2), expected)


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min"])
def test_unsorted_and_duplicate_edges_are_summed_and_stay_as_they_are(kind, index):
    data = np.array([1.0, 2.0, 3.0, -3.0, 0.0, 4.0])
    columns = np.array([2, 0, 1, 1, 2, 0], index)
    starts = np.array([0, 5, 5, 6], index)
    graph = sp.csr_array((data, columns, starts), shape=(3, 3))
    clean = sp.csr_array(np.array([[2.0, 0, 1], [0, 0, 0], [4, 0, 0]]))
    features = random_features((3, 5), "float64")
    np.testing.assert_array_equal(
        cl.graph.aggregate(features, graph, kind), cl.graph.aggregate(features, clean, kind))
    np.testing.assert_array_equal(graph.data, data)
    np.testing.assert_array_equal(graph.indices, columns)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shares_of_plain_sums(dtype):
    """A graph without weights, loops and normalization has no array that tells the dtype."""
    chain = sp.csr_array(np.array([[0, 1], [0, 0]]))
    result = cl.graph.propagate(np.array([[1], [2]], dtype), chain, alpha=0.25,
                                normalization="none", self_loops="remove")
    assert_close(result, np.array([[1.75], [0.5]]), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_hops", [0, 1, 2, 5])
@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_propagation_by_hand(alpha, n_hops, dtype):
    graph = random_graph(37)
    features = random_features((37, 19), dtype)
    matrix = reference.normalized(reference.dense(graph))
    expected = features.astype(float)
    for _ in range(n_hops):
        expected = (1 - alpha) * matrix @ expected + alpha * features
    result = cl.graph.propagate(features, graph, n_hops, alpha=alpha)
    assert_close(result, expected, dtype)
    assert result is not features
    out = np.empty_like(features)
    assert cl.graph.propagate(features, graph, n_hops, alpha=alpha, out=out) is out
    np.testing.assert_array_equal(out, result)
    np.testing.assert_array_equal(cl.graph.appnp(features, graph, n_hops, alpha), result)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_outputs", [3, 40])
def test_gcn(n_outputs, dtype):
    graph = random_graph(31)
    features = random_features((31, 17), dtype)
    weight, bias = random_features((17, n_outputs), dtype, 2), random_features(n_outputs, dtype, 3)
    matrix = reference.normalized(reference.dense(graph))
    expected = matrix @ features.astype(float) @ weight + bias
    assert_close(cl.graph.gcn_conv(features, graph, weight, bias), expected, dtype)
    result = cl.graph.gcn_conv(features, graph, weight, bias, activation="relu")
    assert_close(result, np.maximum(expected, 0), dtype)
    result = cl.graph.gcn_conv(features, graph, weight, bias, activation="sigmoid")
    assert_close(result, 1 / (1 + np.exp(-expected)), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["mean", "max", "sum"])
@pytest.mark.parametrize("has_root", [False, True])
@pytest.mark.parametrize("n_outputs", [9, 25])
def test_sage(n_outputs, has_root, kind, dtype):
    graph = random_graph(31)
    features = random_features((31, 17), dtype)
    weight, root = (random_features((17, n_outputs), dtype, seed) for seed in (2, 3))
    bias = random_features(n_outputs, dtype, 4)
    ones = (reference.dense(graph) != 0).astype(float)
    if kind == "max":
        gathered = reference.extremes(ones, features, np.max)
    else:
        matrix = reference.normalized(ones, "row" if kind == "mean" else "none", "keep")
        gathered = matrix @ features
    expected = gathered @ weight + bias
    if has_root:
        expected = expected + features.astype(float) @ root
    for activation, function in ((None, np.array), ("tanh", np.tanh)):
        result = cl.graph.sage_conv(features, graph, weight, root if has_root else None, bias,
                                    kind=kind, activation=activation)
        assert_close(result, function(expected), dtype)


def test_gin():
    graph = random_graph(29)
    features = random_features((29, 6), "float64")
    weights = [random_features(shape, "float64", 2) for shape in ((6, 10), (10, 4))]
    biases = [random_features(size, "float64", 3) for size in (10, 4)]
    ones = (reference.dense(graph) != 0).astype(float)
    hidden = np.maximum((ones @ features + 1.5 * features) @ weights[0] + biases[0], 0)
    expected = hidden @ weights[1] + biases[1]
    result = cl.graph.gin_conv(features, graph, weights, biases, eps=0.5)
    assert_close(result, expected, "float64")


@pytest.mark.parametrize("lambda_max", [2.0, 1.7])
@pytest.mark.parametrize("n_terms", [1, 2, 4])
def test_chebyshev(n_terms, lambda_max):
    graph = random_graph(29)
    features = random_features((29, 6), "float64")
    weights = random_features((n_terms, 6, 5), "float64", 2)
    matrix = reference.normalized(reference.dense(graph), self_loops="remove")
    scaled = 2 / lambda_max * (np.eye(29) - matrix) - np.eye(29)
    terms = [features, scaled @ features]
    while len(terms) < n_terms:
        terms.append(2 * scaled @ terms[-1] - terms[-2])
    expected = sum(term @ weight for term, weight in zip(terms, weights, strict=False))
    result = cl.graph.cheb_conv(features, graph, weights, lambda_max=lambda_max)
    assert_close(result, expected, "float64")


def test_ssgc():
    graph = random_graph(29)
    features = random_features((29, 6), "float64")
    matrix = reference.normalized(reference.dense(graph))
    expected, here = 0.2 * features, features
    for _ in range(3):
        here = matrix @ here
        expected = expected + 0.8 / 3 * here
    assert_close(cl.graph.ssgc(features, graph, 3, 0.2), expected, "float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("heads", "n_outputs"), [(1, 5), (3, 16), (2, 37)])
@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_attention(n_threads, loops, heads, n_outputs, dtype):
    graph = random_graph(41, 0.5)
    features = random_features((41, 7), dtype)
    weight = random_features((7, heads * n_outputs), dtype, 2)
    sources, targets = (random_features((heads, n_outputs), dtype, seed) for seed in (3, 4))
    expected = reference.attention(
        reference.dense(graph), features, weight, sources, targets, loops=loops)
    result = cl.graph.gat_conv(features, graph, weight, sources, targets, add_self_loops=loops,
                               n_threads=n_threads)
    assert_close(result, expected, dtype)
    mean = cl.graph.gat_conv(features, graph, weight, sources, targets, add_self_loops=loops,
                             concat=False, bias=np.ones(n_outputs))
    assert_close(mean, expected.reshape(41, heads, n_outputs).mean(axis=1) + 1, dtype)


@pytest.mark.parametrize("function", [cl.graph.aggregate, cl.graph.propagate, cl.graph.ssgc])
def test_bits_do_not_depend_on_threads_or_layout(function):
    graph = random_graph(400, 0.05)
    wide = random_features((400, 90), "float32")
    features = wide[:, 7:60]
    expected = function(features.copy(), graph, n_threads=1)
    for n_threads in (1, 2, 5):
        np.testing.assert_array_equal(function(features, graph, n_threads=n_threads), expected)
        np.testing.assert_array_equal(
            function(np.asfortranarray(features), graph, n_threads=n_threads), expected)
    signals = np.stack([features, 2 * features])
    np.testing.assert_array_equal(function(signals, graph)[0], expected)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 30), st.integers(0, 20), st.floats(0, 1), st.integers(0, 2**31))
def test_random_graphs(n_nodes, width, density, seed):
    rng = np.random.default_rng(seed)
    matrix = np.where(rng.random((n_nodes, n_nodes)) < density, rng.random((n_nodes,) * 2), 0)
    features = rng.standard_normal((n_nodes, width))
    result = cl.graph.propagate(features, sp.csr_array(matrix), 2)
    expected = reference.normalized(matrix)
    assert_close(result, expected @ expected @ features, "float64")


@pytest.mark.parametrize("n_threads", [1, 3])
def test_many_runs_fetched_ahead_and_stored_past_the_caches(n_threads):
    n_nodes, n_edges, width = 140_000, 300_000, 64    # features and result beyond the caches
    rng = np.random.default_rng(5)
    ends = rng.integers(0, n_nodes, (2, n_edges))
    graph = sp.csr_array((np.ones(n_edges), ends), shape=(n_nodes, n_nodes))
    features = rng.standard_normal((n_nodes, width), dtype=np.float32)
    out = np.full_like(features, np.nan)
    cl.graph.aggregate(features, graph, n_threads=n_threads, out=out)
    assert_close(out, graph @ features.astype(np.float64), "float32")


def test_adjoint():
    graph = random_graph(60)
    x, y = (random_features((60, 21), "float64", seed) for seed in (1, 2))
    forward = cl.graph.propagate(x, graph, 3, normalization="row")
    backward = cl.graph.propagate(y, graph.T, 3, normalization="column")
    assert np.vdot(forward, y) == pytest.approx(np.vdot(x, backward), rel=1e-12)


def test_nan_reaches_neighbours_alone():
    graph = sp.csr_array(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]]))
    features = np.array([[np.nan, 1], [2, np.nan], [3, 4]])
    for kind in ("sum", "max", "min"):
        result = cl.graph.aggregate(features, graph, kind)
        np.testing.assert_array_equal(result, [[2, np.nan], [3, 4], [0, 0]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_features", [3, 40, 200])
@pytest.mark.parametrize("kind", ["max", "min"])
def test_extremes_of_nan_and_infinite_values(kind, n_features, dtype):
    rng = np.random.default_rng(3)
    features = rng.standard_normal((30, n_features)).astype(dtype)
    features[rng.random(features.shape) < 0.05] = np.inf
    features[rng.random(features.shape) < 0.05] = -np.inf
    features[rng.random(features.shape) < 0.02] = np.nan
    adjacency = sp.random_array((30, 30), density=0.2, rng=rng, format="csr")
    adjacency.data[:] = 1
    extreme = {"max": np.max, "min": np.min}[kind]
    rows = [features[adjacency[[i]].indices] for i in range(30)]
    expected = [extreme(row, axis=0) if len(row) else np.zeros(n_features) for row in rows]
    assert np.isnan(expected).any()
    assert np.isinf(expected).any()
    np.testing.assert_array_equal(cl.graph.aggregate(features, adjacency, kind), expected)


def test_nodes_without_neighbours_get_zeros():
    empty = sp.csr_array((4, 4))
    features = np.full((4, 3), np.inf)
    for kind in ("sum", "mean", "max", "min"):
        np.testing.assert_array_equal(cl.graph.aggregate(features, empty, kind), 0)
    np.testing.assert_array_equal(cl.graph.propagate(features, empty), features)
    assert cl.graph.aggregate(np.ones((0, 3)), sp.csr_array((0, 0))).shape == (0, 3)
    assert cl.graph.gcn_conv(np.ones((0, 3)), sp.csr_array((0, 0)), np.ones((3, 2))).shape == (0, 2)


def broken(indptr, indices, size=3):
    """Return a matrix whose arrays were spoilt after scipy looked at them."""
    graph = sp.csr_array(np.ones((size, size)))
    graph.indptr = np.array(indptr, np.int32)
    graph.indices = np.array(indices, np.int32)
    graph.data = np.ones(len(indices))
    return graph


@pytest.mark.parametrize(("indptr", "indices", "message"), [
    ([0, 1, 2, 3], [0, 1, 3], r"indices in 0 \.\. 2; got 0 \.\. 3"),
    ([0, 1, 2, 3], [0, -1, 2], r"indices in 0 \.\. 2; got -1 \.\. 2"),
    ([0, 2, 1, 3], [0, 1, 2], "never falls"),
    ([1, 2, 2, 3], [0, 1, 2], "begins with 0"),
    ([0, 1, 2, 9], [0, 1, 2], "for its 9 edges; got 3 and 3"),
    ([0, 1, 3], [0, 1, 2], "indptr of length 4; got 3"),
])
def test_broken_arrays_are_refused(indptr, indices, message):
    with pytest.raises(ValueError, match=message):
        cl.graph.aggregate(np.ones((3, 2)), broken(indptr, indices))


@pytest.mark.parametrize("layout", ["csc", "bsr", "coo"])
@pytest.mark.parametrize("place", [-1, 4])
def test_broken_indices_of_other_formats_are_refused(place, layout):
    graph = sp.csr_array(np.ones((4, 4)))
    graph = graph.tobsr((1, 1)) if layout == "bsr" else graph.asformat(layout)
    (graph.coords[0] if layout == "coo" else graph.indices)[2] = place
    for call in (lambda: cl.graph.propagate(np.ones((4, 2)), graph), lambda: Graph(graph)):
        with pytest.raises(ValueError, match=r"indices in 0 \.\. 3"):
            call()


def test_memory_holds_the_result_and_nothing_of_the_size_of_the_edges():
    rng = np.random.default_rng(0)
    ends = rng.integers(0, 2000, (2, 400_000))
    graph = Graph(sp.csr_array((np.ones(400_000, np.float32), ends), shape=(2000, 2000)))
    features = random_features((2000, 32), "float32")
    for call in (cl.graph.propagate, cl.graph.aggregate):
        call(features, graph)    # the normalization is remembered
        tracemalloc.start()
        result = call(features, graph)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < result.nbytes + 50_000


@pytest.mark.parametrize(("adjacency", "error", "message"), [
    (np.ones((3, 3)), TypeError, "adjacency must be a scipy.sparse matrix or array; got ndarray"),
    (sp.csr_array((3, 4)), ValueError, r"must be square, .*got shape \(3, 4\)"),
    (sp.csr_array((4, 4)), ValueError, "a row for each of the 4 nodes"),
    (sp.csr_array(np.diag([1, np.nan, 1])), ValueError, "finite weights"),
    (sp.csr_array(np.diag([1, np.inf, 1])), ValueError, "finite weights"),
    (sp.csr_array(np.diag([1, 1j, 1])), TypeError, "real numbers; got complex128"),
    (None, TypeError, "got NoneType"),
])
def test_other_adjacencies_are_refused(adjacency, error, message):
    with pytest.raises(error, match=message):
        cl.graph.propagate(np.ones((3, 2)), adjacency)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"n_hops": -1}, ValueError, "n_hops must be an int, at least 0; got -1"),
    ({"n_hops": 1.5}, TypeError, "n_hops"),
    ({"alpha": 2}, ValueError, r"alpha must be a number in 0 \.\. 1; got 2"),
    ({"normalization": "sym"}, ValueError, "normalization must be one of 'symmetric'"),
    ({"self_loops": True}, ValueError, "self_loops must be one of 'fill'"),
    ({"direction": "in"}, ValueError, "direction must be one of 'rows'"),
    ({"out": np.ones((3, 3))}, ValueError, r"out must be of shape \(3, 2\)"),
])
def test_bad_settings_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        cl.graph.propagate(np.ones((3, 2)), sp.csr_array(np.eye(3)), **options)


@pytest.mark.parametrize("row", [[3.0, -2], [2, -2], [0, -2]])
def test_negative_weights_are_refused_unless_signed(row):
    graph = sp.csr_array(np.array([[0.0, 1], row]))
    with pytest.raises(ValueError, match="got -2 in row 1; signed=True takes sums of magnitudes"):
        cl.graph.propagate(np.ones((2, 1)), graph)
    assert np.isfinite(cl.graph.propagate(np.ones((2, 1)), graph, signed=True)).all()
    cl.graph.propagate(np.ones((2, 1)), graph, normalization="row")


def test_sums_do_not_depend_on_where_edges_are_cut(monkeypatch):
    graph = adjacency_of("adjacency", random_graph(60, 0.5), np.float64)
    expected = graph.sums()
    monkeypatch.setattr(_adjacency, "EDGES_AT_ONCE", 7)
    np.testing.assert_array_equal(graph.sums(), expected)
    np.testing.assert_allclose(expected, random_graph(60, 0.5).sum(axis=1))


@pytest.mark.parametrize(("weight", "bias", "message"), [
    (np.ones((3, 4)), None, r"weight must be an array of shape \(2, n_outputs\)"),
    (np.ones(2), None, "weight must be an array"),
    (np.ones((2, 4)), np.ones(3), r"bias must be an array of shape \(4,\)"),
])
def test_weights_that_do_not_fit_are_refused(weight, bias, message):
    with pytest.raises(ValueError, match=message):
        cl.graph.gcn_conv(np.ones((3, 2)), sp.csr_array(np.eye(3)), weight, bias)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_hops", [1, 2, 3, 4])
@pytest.mark.parametrize("normalization", ["symmetric", "row", "column", "none"])
def test_hops_of_scaled_features(monkeypatch, normalization, n_hops, dtype):
    from convlib.graph import _gather
    monkeypatch.setattr(_gather, "SCALED_NODES", 0)
    graph, features = random_graph(41), random_features((2, 41, 19), dtype)
    step = reference.normalized(reference.dense(graph), normalization, "fill")
    expected = np.linalg.matrix_power(step, n_hops) @ features
    untouched = features.copy()
    out = np.empty_like(features)
    result = cl.graph.propagate(features, graph, n_hops, normalization=normalization, out=out)
    assert result is out
    assert_close(result, expected, dtype)
    np.testing.assert_array_equal(features, untouched)
