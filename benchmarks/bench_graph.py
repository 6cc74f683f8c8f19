"""Graph convolution against torch's and scipy's sparse products, and against PyTorch Geometric.

    python benchmarks/bench_graph.py [10k] [170k] [2M] [--threads N]

Ratios above 1: convlib is faster. The graphs are random with a few nodes of many neighbours, as
citation networks have them; the one of 2 million nodes and 57 million edges, which needs about
6 GB, is only measured when it is named. convlib is given a `Graph`, whose normalization is
remembered, as torch and PyTorch Geometric are given a normalized matrix; 'plain' hands over a scipy
matrix at each call. A peer that is not installed has no column of numbers.
"""

import argparse
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

import convlib as cl
from convlib._native import cpu
from protocol import compare

try:
    import torch
except ImportError:
    torch = None
try:
    from torch_geometric.nn import GATConv, GCNConv
except ImportError:
    GATConv = GCNConv = None


class Shape(NamedTuple):
    """A named random graph."""

    name: str
    n_nodes: int
    n_edges: int


SMALL = Shape("10k", 10_000, 100_000)
MIDDLE = Shape("170k", 170_000, 2_350_000)
LARGE = Shape("2M", 2_000_000, 57_000_000)
SHAPES = {shape.name: shape for shape in (SMALL, MIDDLE, LARGE)}
WIDTHS = (16, 64, 128, 512)


def random_adjacency(shape):
    """Return a symmetric matrix of ones whose degrees follow a power law."""
    rng = np.random.default_rng(0)
    half = shape.n_edges // 2
    hubs = (shape.n_nodes * rng.random(half) ** 3).astype(np.int32)
    places = rng.permutation(shape.n_nodes).astype(np.int32)
    others = rng.integers(0, shape.n_nodes, half, dtype=np.int32)
    rows = np.concatenate([places[hubs], others])
    columns = np.concatenate([others, places[hubs]])
    ones = np.ones(len(rows), np.float32)
    matrix = sp.csr_array((ones, (rows, columns)), shape=(shape.n_nodes,) * 2)
    matrix.data[:] = 1
    return matrix


def torch_csr(matrix):
    """Return a scipy matrix as one of torch, with the narrow indices that it multiplies fastest."""
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int32)),
        torch.from_numpy(matrix.indices.astype(np.int32)),
        torch.from_numpy(matrix.data), size=matrix.shape)


def features_of(shape, width):
    return np.random.default_rng(1).standard_normal((shape.n_nodes, width), dtype=np.float32)


def hops(matrix, features, n_hops):
    for _ in range(n_hops):
        features = matrix @ features
    return features


def propagation(graph, normalized, features, n_hops, n_threads, plain=True):
    """Return {name: function} of hops with the symmetric normalization."""
    out = np.empty_like(features)
    functions = {
        "convlib": lambda: cl.graph.propagate(features, graph, n_hops, n_threads=n_threads,
                                              out=out),
        "scipy": lambda: hops(normalized, features, n_hops),
    }
    if plain:
        adjacency = graph.adjacency
        functions["plain"] = lambda: cl.graph.propagate(
            features, adjacency, n_hops, n_threads=n_threads, out=out)
    if torch is not None:
        matrix, rows = torch_csr(normalized), torch.from_numpy(features)
        functions["torch"] = lambda: hops(matrix, rows, n_hops)
    return functions


def aggregation(graph, features, kind, n_threads):
    """Return {name: function} of unweighted sums, means or maxima."""
    functions = {"convlib": lambda: cl.graph.aggregate(features, graph, kind,
                                                       n_threads=n_threads)}
    if torch is not None:
        matrix, rows = torch_csr(graph.adjacency), torch.from_numpy(features)
        reduction = {"sum": "sum", "mean": "mean", "max": "amax"}[kind]
        functions["torch"] = lambda: torch.sparse.mm(matrix, rows, reduction)
    return functions


def gcn(graph, normalized, features, n_outputs, n_threads):
    """Return {name: function} of a layer of Kipf and Welling."""
    weight = np.random.default_rng(2).standard_normal(
        (features.shape[1], n_outputs), dtype=np.float32)
    functions = {"convlib": lambda: cl.graph.gcn_conv(features, graph, weight,
                                                      n_threads=n_threads)}
    if GCNConv is not None:
        layer = GCNConv(features.shape[1], n_outputs, normalize=False)
        functions["geometric"] = inference(layer, features, torch_csr(normalized))
    return functions


def gat(graph, features, n_heads, n_outputs, n_threads):
    """Return {name: function} of a layer of graph attention."""
    rng = np.random.default_rng(2)
    weight = rng.standard_normal((features.shape[1], n_heads * n_outputs), dtype=np.float32)
    first, second = rng.standard_normal((2, n_heads, n_outputs), dtype=np.float32)
    functions = {"convlib": lambda: cl.graph.gat_conv(features, graph, weight, first, second,
                                                      n_threads=n_threads)}
    if GATConv is not None:
        edges = graph.adjacency.tocoo()
        index = torch.from_numpy(np.stack([edges.col, edges.row]).astype(np.int64))
        layer = GATConv(features.shape[1], n_outputs, n_heads)
        functions["geometric"] = inference(layer, features, index)
    return functions


def inference(layer, features, edges):
    """Return a function that runs a layer of PyTorch Geometric without gradients."""
    rows = torch.from_numpy(features)

    def run():
        with torch.inference_mode():
            layer(rows, edges)

    return run


def rows_of(shape, n_threads):
    """Yield a name and {name: seconds} for each row of the table."""
    graph = cl.graph.Graph(random_adjacency(shape))
    normalized = cl.graph.normalize_adjacency(graph)

    def timed(name, functions):
        return f"{name} {shape.name}", compare(functions, rounds=5)

    if shape is LARGE:
        features = features_of(shape, 100)
        yield timed("hop, 100 features,", propagation(
            graph, normalized, features, 1, n_threads, plain=False))
        return
    for width in WIDTHS:
        if shape is SMALL or width < 512:
            yield timed(f"hop, {width} features,", propagation(
                graph, normalized, features_of(shape, width), 1, n_threads))
    width, n_hops = (64, 10) if shape is SMALL else (128, 3)
    features = features_of(shape, width)
    yield timed(f"{n_hops} hops, {width} features,", propagation(
        graph, normalized, features, n_hops, n_threads))
    for kind in ("sum", "mean", "max"):
        yield timed(f"{kind}, {width} features,", aggregation(graph, features, kind, n_threads))
    pairs = ((64, 64), (512, 64)) if shape is SMALL else ((128, 128), (128, 16), (16, 128))
    for width, n_outputs in pairs:
        yield timed(f"gcn {width} to {n_outputs},", gcn(
            graph, normalized, features_of(shape, width), n_outputs, n_threads))
    n_heads = 8 if shape is SMALL else 4
    yield timed(f"gat 64 to {n_heads} x 16,", gat(
        graph, features_of(shape, 64), n_heads, 16, n_threads))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("graphs", nargs="*", default=[SMALL.name, MIDDLE.name],
                        choices=list(SHAPES))
    options = parser.parse_args()
    n_threads = options.threads or cpu.max_threads()
    if torch is not None:
        torch.set_num_threads(n_threads)
    peers = ("plain", "scipy", "torch", "geometric")
    print(f"tier {cpu.tier()}, {n_threads} threads; ms, and what others take in multiples of it")
    print(f"{'':26s}{'convlib':>10s}" + "".join(f"{peer:>11s}" for peer in peers))
    for graph in options.graphs:
        for name, times in rows_of(SHAPES[graph], n_threads):
            cells = (f"{times[peer] / times['convlib']:11.2f}" if peer in times else f"{'':11s}"
                     for peer in peers)
            print(f"{name:26s}{1e3 * times['convlib']:10.3f}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
