"""Hops of dask arrays: a task for each block of rows and of columns, at each hop.

A task reads its rows of the adjacency where it runs, and takes some columns of the features of all
nodes, which are the one thing that travels. Columns are cut where the kernel cuts them, and each
task gathers as the whole matrix would: the bits are the same.
"""

from itertools import pairwise

import dask.array as da
import numpy as np
from dask import delayed

from convlib import _validation as check
from convlib.graph._adjacency import rows_fit
from convlib.graph._gather import apply, column_blocks
from convlib.graph._layers import steps_of
from convlib.graph._row_blocks import assembled, column_sums, has_column_sums, measured
from convlib.graph._stored import features_dtype


def hops(features, blocks, how, n_hops, alpha, n_threads, out):
    """Return the features after some hops, lazily."""
    if out is not None:
        raise ValueError("out must be None where features is a dask array: its result is lazy")
    if features.ndim != 2 or not all(size == size for size in features.shape):
        raise ValueError(check.refusal(
            "features", "of shape (n_nodes, n_features), of known size, as a dask array", features))
    rows_fit("features", features, blocks.n_nodes)
    features = features.astype(features_dtype("features", features.dtype))
    if n_hops == 0 or 0 in features.shape:
        return features
    sources = [delayed(block, traverse=False) for block in blocks._blocks]
    operator = _operator(blocks, sources, features.dtype, how)
    rows = tuple(block.last - block.first for block in blocks._blocks)
    columns = tuple(last - first for first, last in pairwise(column_blocks(
        features.shape[1], features.dtype)))
    whole = features.rechunk(((blocks.n_nodes,), columns)).to_delayed()[0]
    own = features.rechunk((rows, columns)).to_delayed() if alpha else None
    settings = n_hops, alpha
    results = []
    for number, width in enumerate(columns):
        here = delayed(_scaled)(operator, whole[number], *settings)
        for hop in range(n_hops):
            parts = [delayed(_hop)(operator, source, here, own[place, number] if alpha else None,
                                   hop, *settings, n_threads)
                     for place, source in enumerate(sources)]
            here = delayed(np.concatenate)(parts)
        results.append([da.from_delayed(part, (size, width), features.dtype)
                        for part, size in zip(parts, rows, strict=True)])
    return da.block([list(row) for row in zip(*results, strict=True)])


def _operator(blocks, sources, dtype, how):
    """Return, lazily, the operator without its blocks, which each task reads for itself."""
    measures = [delayed(measured)(source, dtype, how) for source in sources]
    columns = None
    for source in sources if has_column_sums(how) else ():
        columns = delayed(column_sums)(columns, source, dtype, how)
    return delayed(assembled)(blocks._without_blocks(), dtype, how, measures, columns)


def _scaled(operator, features, n_hops, alpha):
    """Return what the first hop gathers."""
    scales, _ = steps_of(operator, n_hops, alpha)
    return features if scales is None else features * scales[:, np.newaxis]


def _hop(operator, block, features, own, hop, n_hops, alpha, n_threads):
    """Return some columns of the rows of a block after one more hop.

    Dask runs as many tasks at once as it has threads, so each takes one.
    """
    _, steps = steps_of(operator, n_hops, alpha)
    features = np.ascontiguousarray(features)[block.first:]
    return apply(steps[hop].part(block), features, added=own, added_share=alpha,
                 n_threads=1 if n_threads is None else n_threads)
