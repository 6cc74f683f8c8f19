"""Gradients of the graph operators: finite differences, adjoints, the same bits, bad input."""

import numpy as np
import pytest
import scipy.sparse as sp

import convlib as cl
from convlib import grad
from test_graph import random_features, random_graph

pytestmark = pytest.mark.kernels

SLOPE = 1e-6


def numeric(function, array, outer):
    """Return the gradient of <function(array), outer> by central differences."""
    array = np.array(array, np.float64)
    result = np.zeros(array.shape)
    for place in np.ndindex(array.shape):
        value = array[place]
        losses = []
        for step in (SLOPE, -SLOPE):
            array[place] = value + step
            losses.append(float((function(array) * outer).sum()))
        array[place] = value
        result[place] = (losses[0] - losses[1]) / (2 * SLOPE)
    return result


def assert_gradient(result, function, array, outer):
    expected = numeric(function, array, outer)
    assert result.shape == expected.shape
    scale = max(1, np.abs(expected).max(initial=0))
    assert np.abs(result - expected).max(initial=0) <= 1e-7 * scale


def dense_csr(rows):
    return sp.csr_array(np.array(rows, float))


GRAPHS = {
    "directed": random_graph(11, 0.25),
    "one node": dense_csr([[0.0]]),
    "one loop": dense_csr([[2.0]]),
    "no edges": sp.csr_array((4, 4)),
    "chain": dense_csr([[0, 1, 0], [0, 0, 1], [0, 0, 0]]),
}
SETTINGS = [
    {},
    {"normalization": "row", "self_loops": "add", "direction": "columns"},
    {"normalization": "column", "self_loops": "keep", "direction": "both"},
    {"normalization": "none", "self_loops": "remove"},
]


def operands(graph, width, n_outputs, signals=0):
    """Return features, a gradient of outputs and a weight."""
    size = (signals, graph.shape[0]) if signals else (graph.shape[0],)
    return (random_features((*size, width), "float64", 1),
            random_features((*size, n_outputs), "float64", 2),
            random_features((width, n_outputs), "float64", 3))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min"])
def test_aggregate(kind, weighted, name):
    graph = GRAPHS[name]
    features, outer, _ = operands(graph, 3, 3)
    result = grad.aggregate_features(outer, graph, kind, features=features, weighted=weighted)
    assert_gradient(result, lambda array: cl.graph.aggregate(
        array, graph, kind, weighted=weighted), features, outer)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", GRAPHS)
def test_propagation(name, settings):
    graph = GRAPHS[name]
    features, outer, _ = operands(graph, 2, 2)
    for operator, back, options in (
        (cl.graph.propagate, grad.propagate_features, {"n_hops": 0}),
        (cl.graph.propagate, grad.propagate_features, {"n_hops": 3, "alpha": 0.2}),
        (cl.graph.appnp, grad.appnp_features, {}),
        (cl.graph.ssgc, grad.ssgc_features, {"n_hops": 3}),
    ):
        assert_gradient(back(outer, graph, **options, **settings),
                        lambda array, operator=operator, options=options: operator(
                            array, graph, **options, **settings), features, outer)


@pytest.mark.parametrize("shape", [(2, 4), (4, 2)])
@pytest.mark.parametrize("signals", [0, 2])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", GRAPHS)
def test_gcn(name, settings, signals, shape):
    graph = GRAPHS[name]
    features, outer, weight = operands(graph, *shape, signals)
    bias = np.zeros(shape[1])

    def forward(features=features, weight=weight, bias=bias):
        return cl.graph.gcn_conv(features, graph, weight, bias, **settings)

    assert_gradient(grad.gcn_conv_features(outer, graph, weight, **settings),
                    forward, features, outer)
    assert_gradient(grad.gcn_conv_weight(outer, features, graph, **settings),
                    lambda array: forward(weight=array), weight, outer)
    assert_gradient(grad.gcn_conv_bias(outer), lambda array: forward(bias=array), bias, outer)


def test_through_an_activation():
    graph = GRAPHS["directed"]
    features, outer, weight = operands(graph, 3, 4)
    outputs = cl.graph.gcn_conv(features, graph, weight, activation="tanh")
    back = grad.activation_inputs(outer, "tanh", outputs=outputs)
    assert_gradient(grad.gcn_conv_weight(back, features, graph), lambda array: cl.graph.gcn_conv(
        features, graph, array, activation="tanh"), weight, outer)


@pytest.mark.parametrize("shape", [(2, 4), (4, 2)])
@pytest.mark.parametrize("signals", [0, 2])
@pytest.mark.parametrize("self_loops", ["keep", "fill", "add", "remove"])
@pytest.mark.parametrize("kind", ["mean", "max", "sum"])
@pytest.mark.parametrize("name", GRAPHS)
def test_sage(name, kind, self_loops, signals, shape):
    graph, settings = GRAPHS[name], {"kind": kind, "self_loops": self_loops}
    features, outer, weight = operands(graph, *shape, signals)
    roots, bias = random_features(shape, "float64", 4), np.zeros(shape[1])

    def forward(features=features, weight=weight, roots=roots, bias=bias):
        return cl.graph.sage_conv(features, graph, weight, roots, bias, **settings)

    assert_gradient(
        grad.sage_conv_features(outer, graph, weight, roots, features=features, **settings),
        forward, features, outer)
    assert_gradient(grad.sage_conv_features(outer, graph, weight, features=features, **settings),
                    lambda array: forward(array, roots=None), features, outer)
    assert_gradient(grad.sage_conv_weight(outer, features, graph, **settings),
                    lambda array: forward(weight=array), weight, outer)
    assert_gradient(grad.sage_conv_root_weight(outer, features),
                    lambda array: forward(roots=array), roots, outer)
    assert_gradient(grad.sage_conv_bias(outer), lambda array: forward(bias=array), bias, outer)


@pytest.mark.parametrize("activation", ["tanh", "relu", "square", None])
@pytest.mark.parametrize("signals", [0, 2])
@pytest.mark.parametrize("name", GRAPHS)
def test_gin(name, signals, activation):
    graph = GRAPHS[name]
    settings = {"eps": 0.3, "activation": activation, "self_loops": "fill"}
    features, outer, _ = operands(graph, 2, 3, signals)
    weights = [random_features(shape, "float64", 5) for shape in ((2, 4), (4, 2), (2, 3))]
    biases = [random_features(shape, "float64", 6) for shape in (4, 2, 3)]

    def forward(features=features, weights=weights, biases=biases):
        return cl.graph.gin_conv(features, graph, weights, biases, **settings)

    call = (outer, features, graph, weights, biases)
    assert_gradient(grad.gin_conv_features(*call, **settings), forward, features, outer)
    for function, arrays, key in ((grad.gin_conv_weights, weights, "weights"),
                                  (grad.gin_conv_biases, biases, "biases")):
        results = function(*call, **settings)
        assert len(results) == 3
        for number, result in enumerate(results):
            def changed(array, number=number, arrays=arrays, key=key):
                return forward(**{key: [*arrays[:number], array, *arrays[number + 1:]]})

            assert_gradient(result, changed, arrays[number], outer)


@pytest.mark.parametrize("lambda_max", [2.0, 1.5])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
@pytest.mark.parametrize("signals", [0, 2])
@pytest.mark.parametrize("name", GRAPHS)
def test_cheb(name, signals, shape, lambda_max):
    graph = GRAPHS[name]
    for n_terms, settings in ((1, {}), (4, {"normalization": "row", "direction": "columns"})):
        settings["lambda_max"] = lambda_max
        features, outer, _ = operands(graph, *shape, signals)
        weights = random_features((n_terms, *shape), "float64", 5)
        bias = np.zeros(shape[1])

        def forward(features=features, weights=weights, bias=bias, settings=settings):
            return cl.graph.cheb_conv(features, graph, weights, bias, **settings)

        assert_gradient(grad.cheb_conv_features(outer, graph, weights, **settings),
                        forward, features, outer)
        assert_gradient(grad.cheb_conv_weights(outer, features, graph, n_terms, **settings),
                        lambda array, forward=forward: forward(weights=array), weights, outer)
        assert_gradient(grad.cheb_conv_bias(outer),
                        lambda array, forward=forward: forward(bias=array), bias, outer)


@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("signals", [0, 2])
@pytest.mark.parametrize("name", GRAPHS)
def test_gat(name, signals, heads, loops, concat):
    graph = GRAPHS[name]
    settings = {"concat": concat, "add_self_loops": loops, "negative_slope": 0.3,
                "direction": "columns" if heads == 3 else "rows"}
    features, outer, weight = operands(graph, 2, heads * 2, signals)
    outer = outer if concat else np.ascontiguousarray(outer[..., :2])
    source, target = (random_features((heads, 2), "float64", seed) for seed in (7, 8))
    bias = np.zeros(outer.shape[-1])

    def forward(features=features, weight=weight, source=source, target=target, bias=bias):
        return cl.graph.gat_conv(features, graph, weight, source, target, bias, **settings)

    call = (outer, features, graph, weight, source, target)
    assert_gradient(grad.gat_conv_features(*call, **settings), forward, features, outer)
    assert_gradient(grad.gat_conv_weight(*call, **settings),
                    lambda array: forward(weight=array), weight, outer)
    assert_gradient(grad.gat_conv_source_attention(*call, **settings),
                    lambda array: forward(source=array), source, outer)
    assert_gradient(grad.gat_conv_target_attention(*call, **settings),
                    lambda array: forward(target=array), target, outer)
    assert_gradient(grad.gat_conv_bias(outer), lambda array: forward(bias=array), bias, outer)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 5, 16, 37, 130])
@pytest.mark.usefixtures("tier")
def test_extremes_go_to_the_first_that_has_them(width, dtype):
    graph = random_graph(50, 0.2)
    features = np.random.default_rng(0).integers(0, 3, (50, width)).astype(dtype)
    features[7, 0] = np.nan
    outer = random_features((50, width), dtype)
    for kind, function in (("max", np.argmax), ("min", np.argmin)):
        expected = np.zeros((50, width))
        for i in range(50):
            neighbours = np.flatnonzero(graph.toarray()[i])
            for feature in range(width if len(neighbours) else 0):
                # NumPy's first NaN, or first extreme.
                j = neighbours[function(features[neighbours, feature])]
                expected[j, feature] += outer[i, feature]
        result = grad.aggregate_features(outer, graph, kind, features=features)
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
def test_adjoints(settings):
    graph = random_graph(60, 0.1, signed=True)
    features, outer, _ = operands(graph, 17, 17)
    for operator, back in ((cl.graph.propagate, grad.propagate_features),
                           (cl.graph.ssgc, grad.ssgc_features)):
        options = {"n_hops": 4, "alpha": 0.1, "signed": True, **settings}
        np.testing.assert_allclose(
            np.vdot(operator(features, graph, **options), outer),
            np.vdot(features, back(outer, graph, **options)), rtol=1e-9)


def all_gradients(graph, dtype, n_threads, width=24, heads=3):
    """Return what every function gives for one graph."""
    n_nodes = graph.shape[0]
    features, outer = (random_features((n_nodes, width), dtype, seed) for seed in (1, 2))
    weight, roots = (random_features((width, width), dtype, seed) for seed in (3, 4))
    vectors = [random_features((heads, width // heads), dtype, seed) for seed in (5, 6)]
    cheb = random_features((3, width, width), dtype, 7)
    own = {"n_threads": n_threads}
    gat = (outer, features, graph, weight, *vectors)
    gin = (outer, features, graph, [weight, roots])
    return [
        *(grad.aggregate_features(outer, graph, kind, features=features, **own)
          for kind in ("sum", "mean", "max", "min")),
        grad.propagate_features(outer, graph, 2, **own), grad.ssgc_features(outer, graph, **own),
        grad.gcn_conv_features(outer, graph, weight, **own),
        grad.gcn_conv_weight(outer, features, graph, **own), grad.gcn_conv_bias(outer, **own),
        grad.sage_conv_features(outer, graph, weight, roots, **own),
        grad.sage_conv_weight(outer, features, graph, **own),
        grad.sage_conv_root_weight(outer, features, **own),
        grad.gin_conv_features(*gin, **own), *grad.gin_conv_weights(*gin, **own),
        *grad.gin_conv_biases(*gin, **own),
        grad.cheb_conv_features(outer, graph, cheb, **own),
        grad.cheb_conv_weights(outer, features, graph, 3, **own),
        grad.gat_conv_features(*gat, **own), grad.gat_conv_weight(*gat, **own),
        grad.gat_conv_source_attention(*gat, **own), grad.gat_conv_target_attention(*gat, **own),
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("tier")
def test_same_bits_for_any_number_of_threads(dtype):
    graph = random_graph(700, 0.05)
    expected = all_gradients(graph, dtype, 1)
    for n_threads in (2, 3, 8):
        for result, one in zip(all_gradients(graph, dtype, n_threads), expected, strict=True):
            assert result.dtype == dtype
            np.testing.assert_array_equal(result, one)


@pytest.mark.usefixtures("tier")
def test_single_precision_agrees_with_double():
    graph = random_graph(90, 0.1)
    for single, double in zip(all_gradients(graph, "float32", 1),
                              all_gradients(graph, "float64", 1), strict=True):
        assert np.abs(single - double).max() <= 2e-5 * max(1, np.abs(double).max())


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_between_far_scores(heads):
    """Scores of hundreds: one neighbour takes all, and nothing overflows."""
    graph = random_graph(20, 0.4)
    features, outer, weight = operands(graph, 3, heads * 2)
    vectors = [200 * random_features((heads, 2), "float64", seed) for seed in (7, 8)]
    result = grad.gat_conv_features(outer, features, graph, weight, *vectors)
    assert_close = numeric(lambda array: cl.graph.gat_conv(array, graph, weight, *vectors),
                           features, outer)
    np.testing.assert_allclose(result, assert_close, atol=1e-4, rtol=1e-4)


def test_layouts_and_out():
    graph = random_graph(30)
    outer = random_features((30, 12), "float64")
    expected = grad.propagate_features(outer, graph)
    for layout in (np.asfortranarray(outer), np.repeat(outer, 2, 0)[::2]):
        np.testing.assert_array_equal(grad.propagate_features(layout, graph), expected)
        np.testing.assert_array_equal(
            grad.aggregate_features(layout, graph, "max", features=layout),
            grad.aggregate_features(outer, graph, "max", features=outer))
    out = np.empty_like(outer)
    assert grad.propagate_features(outer, graph, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert grad.aggregate_features(outer, graph, "max", features=expected, out=out) is out
    np.testing.assert_array_equal(
        out, grad.aggregate_features(outer, graph, "max", features=expected))


def test_empty_graph_and_no_signals():
    graph = sp.csr_array((0, 0))
    nothing = np.zeros((0, 3))
    assert grad.gcn_conv_features(nothing, graph, np.ones((2, 3))).shape == (0, 2)
    np.testing.assert_array_equal(
        grad.gcn_conv_weight(nothing, np.zeros((0, 2)), graph), np.zeros((2, 3)))
    np.testing.assert_array_equal(
        grad.gat_conv_weight(nothing, np.zeros((0, 2)), graph, np.ones((2, 3)), np.ones((1, 3)),
                             np.ones((1, 3))), np.zeros((2, 3)))
    none = np.zeros((0, 3, 2))
    np.testing.assert_array_equal(
        grad.gcn_conv_weight(none, none, random_graph(3)), np.zeros((2, 2)))


@pytest.mark.parametrize(("call", "message"), [
    (lambda g, x: grad.aggregate_features(x, g, "max"), "features must be given for kind='max'"),
    (lambda g, x: grad.aggregate_features(x, g, "max", features=x[:, :2]), "grad_output must be"),
    (lambda g, x: grad.aggregate_features(x, g, "median"), "kind must be"),
    (lambda g, x: grad.propagate_features(x[:4], g), "grad_output must have a row for each"),
    (lambda g, x: grad.propagate_features(x[0], g), "grad_output must be an array of shape"),
    (lambda g, x: grad.propagate_features(x, g, -1), "n_hops must be"),
    (lambda g, x: grad.appnp_features(x, g, alpha=2), "alpha must be"),
    (lambda g, x: grad.gcn_conv_features(x, g, np.ones((2, 4))), r"weight must be .*, 3\)"),
    (lambda g, x: grad.gcn_conv_weight(x[:, None], x, g), "grad_output must be"),
    (lambda g, x: grad.sage_conv_features(x, g, np.ones((2, 3)), kind="max"), "features must be"),
    (lambda g, x: grad.sage_conv_features(x, g, np.ones((2, 3)), np.ones((3, 3))),
     r"root_weight must be an array of shape \(2, 3\)"),
    (lambda g, x: grad.sage_conv_root_weight(x[:3], x), "grad_output must be"),
    (lambda g, x: grad.gin_conv_features(x, x, g, [np.ones((3, 2))]), "grad_output must be"),
    (lambda g, x: grad.gin_conv_weights(x, x, g, []), "weights must be a sequence"),
    (lambda g, x: grad.gin_conv_biases(x, x, g, [np.eye(3)], eps=np.inf), "eps must be"),
    (lambda g, x: grad.cheb_conv_features(x, g, np.ones((2, 3))), "weights must be"),
    (lambda g, x: grad.cheb_conv_weights(x, x, g, 0), "n_terms must be"),
    (lambda g, x: grad.gat_conv_weight(x, x, g, np.eye(3), np.ones((2, 2)), np.ones((2, 2))),
     "source_attention must be"),
    (lambda g, x: grad.gat_conv_weight(x[:, :2], x, g, np.eye(3), np.ones((1, 3)),
                                       np.ones((1, 3))), "grad_output must be"),
    (lambda g, x: grad.gat_conv_bias(x[0]), "grad_output must be"),
])
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(random_graph(6), np.ones((6, 3)))


def test_dense_adjacency_is_refused():
    with pytest.raises(TypeError, match=r"adjacency must be a scipy\.sparse"):
        grad.propagate_features(np.ones((3, 1)), np.eye(3))
