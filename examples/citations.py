"""Classes of nodes from few labels: features propagated on a graph, and networks trained on it.

    python examples/citations.py [cora.npz]

With a file of the Cora citation network (arrays adj_indptr, adj_indices, feat_indptr, feat_indices,
feat_data, shape, labels, train, val, test) it prints the accuracies on the public split. Without,
it joins digits that look alike to a graph of nearest neighbours, of which ten a class are labelled.
"""

import sys
from time import perf_counter

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import kneighbors_graph
from sklearn.pipeline import make_pipeline

import convlib as cl


def citations(path):
    """Return the graph of a file, labels, and nodes to train, to stop early, and to test with."""
    arrays = np.load(path)
    n_nodes, n_features = arrays["shape"]
    ones = np.ones(len(arrays["adj_indices"]), np.float32)
    adjacency = sp.csr_array((ones, arrays["adj_indices"], arrays["adj_indptr"]),
                             shape=(n_nodes, n_nodes))
    features = sp.csr_array((arrays["feat_data"], arrays["feat_indices"], arrays["feat_indptr"]),
                            shape=(n_nodes, n_features)).toarray()
    features /= np.maximum(features.sum(axis=1, keepdims=True), 1)
    graph = cl.graph.Graph(adjacency, features)
    return graph, arrays["labels"], arrays["train"], arrays["val"], arrays["test"]


def alike():
    """Return the same for digits joined to the eight that look most like them."""
    X, labels = load_digits(return_X_y=True)
    near = kneighbors_graph(X, 8)
    graph = cl.graph.Graph(near.maximum(near.T), (X / 16).astype(np.float32))
    order = np.random.default_rng(0).permutation(len(X))
    train = np.concatenate([order[labels[order] == digit][:10] for digit in range(10)])
    rest = np.setdiff1d(order, train)
    return graph, labels, train, rest[:500], rest[500:]


def report(name, model, data, seeds=None, stops_early=False):
    """Print the accuracy on the test nodes, or its mean and spread over seeds."""
    graph, labels, train, validation, test = data
    nodes, parameters = np.arange(graph.n_nodes)[:, np.newaxis], {}
    if stops_early:
        parameters = {"validation": len(train) + np.arange(len(validation))}
        train = np.concatenate([train, validation])
    scores, start = [], perf_counter()
    for seed in [None] if seeds is None else seeds:
        if seed is not None:
            model.set_params(random_state=seed)
        model.fit(nodes[train], labels[train], **parameters)
        scores.append(100 * model.score(nodes[test], labels[test]))
    seconds = (perf_counter() - start) / len(scores)
    spread = "" if seeds is None else f" +- {np.std(scores):.1f} over {len(scores)} seeds"
    print(f"{name:28s}{np.mean(scores):5.1f} %{spread}, {seconds:.1f} s", flush=True)


def main(path=None):
    """Print the table."""
    data = alike() if path is None else citations(path)
    graph, labels, train, *_ = data
    print(f"{graph}, {len(np.unique(labels))} classes, {len(train)} labels")
    for name, conv, n_hops in (("features of nodes alone", "sgc", 0), ("SGC, 2 hops", "sgc", 2),
                               ("SSGC, 16 hops", "ssgc", 16)):
        features = cl.GraphConvTransform(conv, n_hops, graph=graph)
        report(name, make_pipeline(features, LogisticRegression(C=100, max_iter=5000)), data)
    seeds = range(10)
    report("GCN", cl.GraphConvClassifier("gcn", graph=graph), data, seeds)
    appnp = cl.GraphConvClassifier("appnp", graph=graph, weight_decay=5e-3, max_iter=1000,
                                   early_stopping=True)
    report("APPNP", appnp, data, seeds, stops_early=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
