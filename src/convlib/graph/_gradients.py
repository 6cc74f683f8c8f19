"""Gradients of graph convolutions below the public functions: gathers along the edges, reversed.

A sum over neighbours is a product with a sparse matrix, and its gradient one with the transposed
matrix, which is a sum over neighbours again. So nothing is scattered, and no two threads ever add
to one number.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._native import graph_grad as native
from convlib._terms import by_dtype
from convlib._threads import thread_count
from convlib.graph._adjacency import features_array
from convlib.graph._gather import (
    READ_BYTES,
    REDUCTIONS,
    SCORE_SECONDS,
    apply,
    attend,
    runs,
    score_room,
)
from convlib.graph._layers import head_columns, head_scores, product
from convlib.ops._grad_conv import conv_kernel
from convlib.ops._statistics import pixel_sums

PLACES, COLLECT = by_dtype(native.extreme_places), by_dtype(native.collect_extremes)
SLOPES, BACK = by_dtype(native.attend_slopes), by_dtype(native.attend_back)


def transposed(operator):
    """Return the adjoint of an Operator: what comes from a node goes to it."""
    return replace(operator, adjacency=operator.adjacency.transposed, scales=operator.factors,
                   factors=operator.scales)


def weight_sums(features, grads, n_threads=None):
    """Return the sums over nodes of the products of features and gradients.

    The gradient of ``features @ weight`` by the weight. It is that of a 1x1 convolution, which
    cuts the nodes into parts by their number alone.
    """
    if features.shape[-1] == 0 or features.size == 0:
        return np.zeros((features.shape[-1], grads.shape[-1]), features.dtype)
    return conv_kernel(as_signals(grads), as_signals(features), 1, n_threads=n_threads)[0]


def gathered_sums(operator, features, grads, n_threads=None):
    """Return the gradient of ``operator @ features @ weight`` by the weight."""
    if features.shape[-1] <= grads.shape[-1]:
        features = apply(operator, features, n_threads=n_threads)
    else:
        grads = apply(transposed(operator), grads, n_threads=n_threads)
    return weight_sums(features, grads, n_threads)


def bias_sums(grads, n_threads=None):
    """Return the sums over nodes of gradients."""
    return pixel_sums(as_signals(grads), n_threads)


def grads_of(grad_output, features, n_outputs=None):
    """Return the checked gradient by outputs of a convolution of features, in their dtype."""
    grads = check.gradient_array(
        "grad_output", grad_output, (*features.shape[:-1], n_outputs), features.dtype)
    return features_array("grad_output", grads)


def weight_back(name, weight, grads, n_features=None):
    """Return a matrix of features by outputs, checked and transposed."""
    inputs = "n_features" if n_features is None else n_features
    array = check.matrix(name, weight, inputs, grads.shape[-1])
    return np.ascontiguousarray(array.T, grads.dtype)


def as_signals(array):
    """Return an array of nodes, or of several signals on them, as several."""
    return array if array.ndim == 3 else array[np.newaxis]


def extreme_features(operator, features, grads, reduction, n_threads=None, out=None):
    """Return the gradient of maxima or minima: it goes to the first neighbour that has them."""
    if out is None:
        out = np.empty(features.shape, features.dtype)
    if out.size == 0:
        return out
    if features.ndim == 3:
        for arrays in zip(features, grads, out, strict=True):
            extreme_features(operator, *arrays[:2], reduction, n_threads, arrays[2])
        return out
    adjacency, back = operator.adjacency, operator.adjacency.transposed
    loops = np.empty(0, features.dtype) if operator.loops is None else operator.loops
    n_edges = len(adjacency.columns) + adjacency.n_nodes
    seconds = 2 * n_edges * features.shape[1] * features.itemsize / READ_BYTES
    places = np.empty(features.shape, np.int32)
    bounds = runs(adjacency, seconds)
    PLACES[features.dtype](
        adjacency.starts, adjacency.columns, loops, features, places, REDUCTIONS[reduction],
        bounds, np.empty((thread_count(n_threads, seconds, len(bounds) - 1), features.shape[1]),
                         features.dtype))
    bounds = runs(back, seconds)
    COLLECT[features.dtype](
        back.starts, back.columns, loops, places, grads, out, bounds,
        thread_count(n_threads, seconds, len(bounds) - 1))
    return out


class Attention(NamedTuple):
    """Gradients of graph attention."""

    hidden: np.ndarray     # by features @ weight, (..., n_nodes, n_heads * n_outputs)
    source: np.ndarray     # (n_heads, n_outputs)
    target: np.ndarray     # (n_heads, n_outputs)


def attention_gradients(adjacency, hidden, vectors, grads, slope, has_loops, n_threads=None):
    """Return the gradients of attention with the vectors of both ends, given those of its heads."""
    scores = head_scores(hidden, vectors, n_threads)
    by_hidden = np.empty(hidden.shape, hidden.dtype)
    by_scores = [np.empty(array.shape, array.dtype) for array in scores]
    arrays = (hidden, *scores, grads, by_hidden, *by_scores)
    for signal in zip(*map(as_signals, arrays), strict=True):
        if hidden.size:
            _attention(adjacency, *signal, slope, has_loops, n_threads)
    heads = len(vectors[0])
    by_vectors = []
    for part, by_score in zip(vectors, by_scores, strict=True):
        by_hidden += product(by_score, np.ascontiguousarray(head_columns(part).T),
                             n_threads=n_threads)
        sums = weight_sums(hidden, by_score, n_threads).reshape(heads, -1, heads)
        by_vectors.append(sums[np.arange(heads), :, np.arange(heads)])
    return Attention(by_hidden, *by_vectors)


def _attention(adjacency, hidden, sources, targets, grads, by_hidden, by_sources, by_targets,
               slope, has_loops, n_threads):
    """Write the gradients of one signal, by what is gathered and by the scores of both ends."""
    n_nodes, heads = sources.shape
    dtype, back = hidden.dtype, adjacency.transposed
    n_edges = len(adjacency.columns) + n_nodes
    seconds = n_edges * (hidden.shape[1] * hidden.itemsize / READ_BYTES + heads * SCORE_SECONDS)
    outputs = attend(adjacency, hidden, sources, targets, slope, has_loops, n_threads)
    in_heads = (n_nodes, heads, -1)
    dots = np.einsum("nhk,nhk->nh", grads.reshape(in_heads), outputs.reshape(in_heads))

    largest, inverses, shares, others = np.empty((4, n_nodes, heads), dtype)
    sloped = outputs        # no longer needed
    bounds = runs(adjacency, seconds)
    SLOPES[dtype](
        adjacency.starts, adjacency.columns, sources, targets, slope, has_loops, hidden, largest,
        inverses, shares, sloped, bounds,
        score_room(adjacency, heads, bounds, dtype, seconds, n_threads))
    np.einsum("nhk,nhk->nh", grads.reshape(in_heads), sloped.reshape(in_heads), out=by_targets)
    by_targets -= dots * shares

    bounds = runs(back, 2 * seconds)
    BACK[dtype](
        back.starts, back.columns, sources, targets, largest, inverses, dots, others, slope,
        has_loops, grads, by_hidden, sloped, bounds,
        score_room(back, 2, bounds, dtype, 2 * seconds, n_threads))
    np.einsum("nhk,nhk->nh", hidden.reshape(in_heads), sloped.reshape(in_heads), out=by_sources)
    by_sources -= others
