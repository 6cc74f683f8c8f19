"""Graph convolutions as steps from hop to hop, whatever it is that gathers.

An operator has the methods `gather`, `times`, `looped` and `chain` of `Operator`, the one of a
graph; there is another of rows that gather from others (see convlib.estimators).
"""

import numpy as np

from convlib.ops.conv import conv


def hops(operator, features, n_hops, alpha=0.0, n_threads=None, out=None, consumes=False):
    """Return features after some hops, of which only two are kept at a time.

    With `consumes` the features may be one of the two; then the result is in `out` or in them.
    """
    if out is None:
        out = np.empty(features.shape, features.dtype)
    if n_hops == 0:
        out[...] = features
        return out
    if consumes and not alpha:
        buffers = (out, features)
    else:
        spare = np.empty(features.shape, features.dtype) if n_hops > 1 else None
        buffers = (out, spare) if n_hops % 2 else (spare, out)    # the last hop ends in `out`
    scales, steps = steps_of(operator, n_hops, alpha)
    here = features
    if scales is not None:
        here = np.multiply(features, scales[:, np.newaxis], out=buffers[1])
    for hop, step in enumerate(steps):
        here = step.gather(here, buffers[hop % 2], added=features if alpha else None,
                           added_share=alpha, n_threads=n_threads)
    return here


def steps_of(operator, n_hops, alpha):
    """Return what features are scaled with at first, or None, and the operator of each hop."""
    operator = operator.times(1 - alpha)
    scales, between, last = operator.chain() if n_hops > 1 and not alpha else (None,) * 3
    if scales is None:
        return None, [operator] * n_hops
    return scales, [between] * (n_hops - 1) + [last]


def each_hop(operator, features, n_hops, alpha=0.0, n_threads=None):
    """Yield the features after each hop, each in an array of its own."""
    operator = operator.times(1 - alpha)
    here = features
    for _ in range(n_hops):
        here = operator.gather(here, added=features if alpha else None, added_share=alpha,
                               n_threads=n_threads)
        yield here


def average(operator, features, n_hops, alpha, n_threads=None):
    """Return a share of the features, and for the rest the mean of them after each hop."""
    total = np.zeros_like(features)
    for here in each_hop(operator, features, n_hops, n_threads=n_threads):
        total += here
    return averaged(total, n_hops, features, alpha)


def averaged(total, n_hops, features, alpha):
    """Return a share of the features, and for the rest the mean that a total of hops makes."""
    out = total * features.dtype.type((1 - alpha) / n_hops)
    out += features * features.dtype.type(alpha)
    return out


def chebyshev(operator, features, n_terms, lambda_max, n_threads=None):
    """Yield T_1(L) @ features and so on, up to n_terms with T_0."""
    # L = share * I - scale * A, where the identity is a weight of a node for itself.
    scale, share = 2 / lambda_max, 2 / lambda_max - 1
    before, here = None, features
    for term in range(1, n_terms):
        double = 1 if term == 1 else 2
        there = operator.times(-scale * double).gather(
            here, added=before, added_share=-1.0, n_threads=n_threads)
        if share:
            there += here * here.dtype.type(share * double)
        before, here = here, there
        yield here


def transform(operator, features, weight, bias=None, activation=None, n_threads=None):
    """Return the activated operator @ features @ weight + bias, in the cheaper order."""
    if weight.shape[0] <= weight.shape[1]:
        gathered = operator.gather(features, n_threads=n_threads)
        return product(gathered, weight, bias, activation, n_threads)
    outputs = product(features, weight, n_threads=n_threads)
    added = None if bias is None else np.broadcast_to(bias, outputs.shape)
    return operator.gather(outputs, added=added, added_share=1.0, activation=activation,
                           n_threads=n_threads)


def sage(operator, features, weight, root_weight, bias, kind, activation, n_threads=None):
    """Return the activated sum of transformed neighbours and of the transformed node itself."""
    widens = weight.shape[0] < weight.shape[1]
    if root_weight is None and kind != "max":
        return transform(operator, features, weight, bias, activation, n_threads)
    if kind == "max" or widens:
        gathered = operator.gather(features, reduction="max" if kind == "max" else "sum",
                                   n_threads=n_threads)
        if root_weight is not None:
            gathered = np.concatenate([gathered, features], axis=-1)
            weight = np.concatenate([weight, root_weight])
        return product(gathered, weight, bias, activation, n_threads)
    roots = product(features, root_weight, bias, n_threads=n_threads)
    outputs = product(features, weight, n_threads=n_threads)
    return operator.gather(outputs, added=roots, added_share=1.0, activation=activation,
                           n_threads=n_threads)


def gin(operator, features, layers, activation, n_threads=None):
    """Return sums of neighbours that went through layers of (weight, bias)."""
    here = operator.gather(features, n_threads=n_threads)
    for number, (weight, bias) in enumerate(layers):
        last = number == len(layers) - 1
        here = product(here, weight, bias, None if last else activation, n_threads)
    return here


def head_columns(vectors):
    """Return the matrix that takes the inner product of each head with its vector."""
    heads, n_outputs = vectors.shape
    columns = np.zeros((heads, n_outputs, heads), vectors.dtype)
    columns[np.arange(heads), :, np.arange(heads)] = vectors
    return columns.reshape(heads * n_outputs, heads)


def head_scores(hidden, vectors, n_threads=None):
    """Return what both ends of an edge add to its score, for each head, by one product."""
    columns = np.concatenate([head_columns(part) for part in vectors], axis=1)
    both = product(hidden, columns, n_threads=n_threads)
    return [np.ascontiguousarray(part) for part in np.split(both, 2, axis=-1)]


def product(features, weight, bias=None, activation=None, n_threads=None):
    """Return features @ weight + bias by the kernels of 1x1 convolution, so no BLAS."""
    signals = features if features.ndim == 3 else features[np.newaxis]
    if signals.size == 0 or weight.shape[1] == 0:
        return np.empty((*features.shape[:-1], weight.shape[1]), features.dtype)
    out = conv(signals, weight[np.newaxis], bias, activation=activation, n_threads=n_threads)
    return out if features.ndim == 3 else out[0]


def activated(values, activation, n_threads=None):
    """Return the activations, computed by the kernels of 1x1 convolution."""
    if activation is None:
        return values
    signals = values if values.ndim == 3 else values[np.newaxis]
    one = np.ones((1, 1, values.shape[-1]), values.dtype)
    out = conv(signals, one, groups=values.shape[-1], activation=activation,
               n_threads=n_threads)
    return out if values.ndim == 3 else out[0]
