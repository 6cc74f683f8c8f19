"""Gradients of aggregation and propagation: sums along reversed edges."""

from convlib import _validation as check
from convlib.graph._adjacency import features_array, rows_fit
from convlib.graph._gather import apply
from convlib.graph._gradients import extreme_features, transposed
from convlib.graph._graph import handling
from convlib.graph._layers import average, hops
from convlib.graph.convolutions import KINDS, _operator, _prepared

__all__ = ["aggregate_features", "appnp_features", "propagate_features", "ssgc_features"]


def aggregate_features(grad_output, adjacency, kind="sum", *, features=None, weighted=True,
                       n_threads=None, out=None):
    """Compute the gradient of `aggregate` by the features.

    Sums and means hand gradients back along their edges. A maximum or minimum hands its gradient
    to the neighbour it came from: the first one in the order of nodes if several have it, and the
    first NaN before all. Nothing is scattered: each node gathers from the nodes that it went to.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_features)
        Gradient of a loss by the outputs of `aggregate`; or (n_signals, n_nodes, n_features).
        float32 and float64 stay what they are, unless `features` are given, whose dtype counts.
    adjacency : sparse matrix or array of shape (n_nodes, n_nodes)
        As in `aggregate`.
    kind : {'sum', 'mean', 'max', 'min'}, default='sum'
        As in `aggregate`.
    features : array-like of the shape of grad_output, default=None
        What was aggregated; needed for maxima and minima alone.
    weighted : bool, default=True
        As in `aggregate`.
    n_threads : int, default=None
        OpenMP threads, as in `conv`; the result does not depend on them.
    out : ndarray, default=None
        Where to write the result: of its shape and dtype, contiguous, apart from the other arrays.

    Returns
    -------
    out : ndarray of the shape of `grad_output`
        Zeros for nodes that nobody gathers from.

    Raises
    ------
    TypeError, ValueError
        As `aggregate`; or if `features` are missing for a maximum or minimum.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> edges = sp.csr_array(np.array([[0, 1, 1], [0, 0, 2], [0, 0, 0]]))
    >>> ones = np.ones((3, 1))
    >>> grad.aggregate_features(ones, edges, "mean").ravel()
    array([0. , 0.5, 1.5])
    >>> grad.aggregate_features(ones, edges, "max", features=[[3.0], [2.0], [2.0]]).ravel()
    array([0., 1., 1.])
    """
    kind = check.choice("kind", kind, KINDS)
    weighted = check.flag("weighted", weighted)
    n_threads = check.threads(n_threads)
    extreme = kind in ("max", "min")
    if extreme and features is None:
        raise ValueError(f"features must be given for kind={kind!r}, which depends on them")
    grads = features_array("grad_output", grad_output)
    if features is not None:
        features = features_array("features", features)
        grads = features_array("grad_output", check.gradient_array(
            "grad_output", grads, features.shape, features.dtype))
    how = handling("row" if kind == "mean" else "none", "keep", "rows", False,
                   weighted and not extreme)
    operator = _operator(adjacency, grads.dtype, how)
    rows_fit("grad_output", grads, operator.adjacency.n_nodes)
    inputs = (grads,) if features is None else (grads, features)
    out = check.output_array(out, grads.shape, grads.dtype, *inputs)
    if extreme:
        return extreme_features(operator, features, grads, kind, n_threads, out)
    return apply(transposed(operator), grads, out, n_threads=n_threads)


def propagate_features(grad_output, adjacency, n_hops=1, *, alpha=0.0, normalization="symmetric",
                       self_loops="fill", direction="rows", signed=False, n_threads=None,
                       out=None):
    """Compute the gradient of `propagate` by the features: propagation along reversed edges.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_features)
        Gradient of a loss by the outputs of `propagate`; or (n_signals, n_nodes, n_features).
        float32 and float64 stay what they are.
    adjacency, n_hops, alpha, normalization, self_loops, direction, signed
        As in `propagate`.
    n_threads, out
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of the shape of `grad_output`
        In its dtype.

    Raises
    ------
    TypeError, ValueError
        As `propagate`.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> path = sp.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> grad.propagate_features(np.ones((3, 1)), path, 2, normalization="row").ravel().round(2)
    array([0.86, 1.28, 0.86])
    """
    n_hops = check.integer("n_hops", n_hops, 0)
    alpha = check.share("alpha", alpha)
    n_threads = check.threads(n_threads)
    grads, operator = _prepared(grad_output, adjacency, normalization, self_loops, direction,
                                signed, name="grad_output")
    out = check.output_array(out, grads.shape, grads.dtype, grads)
    return hops(transposed(operator), grads, n_hops, alpha, n_threads, out)


def appnp_features(grad_output, adjacency, n_hops=10, alpha=0.1, *, normalization="symmetric",
                   self_loops="fill", direction="rows", signed=False, n_threads=None, out=None):
    """Compute the gradient of `appnp` by the features.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_features)
        Gradient of a loss by the outputs of `appnp`; or (n_signals, n_nodes, n_features).
    adjacency, n_hops, alpha, normalization, self_loops, direction, signed
        As in `appnp`.
    n_threads, out
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of the shape of `grad_output`
        In its dtype.

    Raises
    ------
    TypeError, ValueError
        As `appnp`.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.appnp_features(np.array([[1.0], [0.0]]), pair).round(3)
    array([[0.55],
           [0.45]])
    """
    return propagate_features(
        grad_output, adjacency, n_hops, alpha=alpha, normalization=normalization,
        self_loops=self_loops, direction=direction, signed=signed, n_threads=n_threads, out=out)


def ssgc_features(grad_output, adjacency, n_hops=16, alpha=0.05, *, normalization="symmetric",
                  self_loops="fill", direction="rows", signed=False, n_threads=None):
    """Compute the gradient of `ssgc` by the features.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_features)
        Gradient of a loss by the outputs of `ssgc`; or (n_signals, n_nodes, n_features).
    adjacency, n_hops, alpha, normalization, self_loops, direction, signed
        As in `ssgc`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of the shape of `grad_output`
        In its dtype.

    Raises
    ------
    TypeError, ValueError
        As `ssgc`.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.ssgc_features(np.array([[1.0], [0.0]]), pair, n_hops=2).round(3)
    array([[0.525],
           [0.475]])
    """
    n_hops = check.integer("n_hops", n_hops, 1)
    alpha = check.share("alpha", alpha)
    n_threads = check.threads(n_threads)
    grads, operator = _prepared(grad_output, adjacency, normalization, self_loops, direction,
                                signed, name="grad_output")
    return average(transposed(operator), grads, n_hops, alpha, n_threads)
