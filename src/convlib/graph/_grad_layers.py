"""Gradients of the convolutions of Kipf and Welling, and of GraphSAGE."""

from convlib import _validation as check
from convlib.graph._adjacency import features_array
from convlib.graph._gather import apply
from convlib.graph._gradients import (
    bias_sums,
    extreme_features,
    gathered_sums,
    grads_of,
    transposed,
    weight_back,
    weight_sums,
)
from convlib.graph._layers import product, transform
from convlib.graph.convolutions import _prepared

__all__ = [
    "gcn_conv_bias",
    "gcn_conv_features",
    "gcn_conv_weight",
    "sage_conv_bias",
    "sage_conv_features",
    "sage_conv_root_weight",
    "sage_conv_weight",
]

SAGE_KINDS = ("mean", "max", "sum")


def gcn_conv_features(grad_output, adjacency, weight, *, normalization="symmetric",
                      self_loops="fill", direction="rows", signed=False, n_threads=None):
    """Compute the gradient of `gcn_conv` by the features.

    ``A.T @ grad_output @ weight.T``, where the two products are taken in the cheaper order.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `gcn_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    adjacency, weight, normalization, self_loops, direction, signed
        As in `gcn_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_nodes, n_features)
        In the dtype of `grad_output`.

    Raises
    ------
    TypeError, ValueError
        As `gcn_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.gcn_conv_features(np.array([[1.0], [0.0]]), pair, [[2.0], [4.0]])
    array([[1., 2.],
           [1., 2.]])
    """
    n_threads = check.threads(n_threads)
    grads, operator = _prepared(grad_output, adjacency, normalization, self_loops, direction,
                                signed, name="grad_output")
    weight = weight_back("weight", weight, grads)
    return transform(transposed(operator), grads, weight, n_threads=n_threads)


def gcn_conv_weight(grad_output, features, adjacency, *, normalization="symmetric",
                    self_loops="fill", direction="rows", signed=False, n_threads=None):
    """Compute the gradient of `gcn_conv` by the weight.

    ``features.T @ A.T @ grad_output``: the narrower of the two is gathered along the edges. The
    sum over nodes is cut into parts by shapes alone.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `gcn_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    features, adjacency, normalization, self_loops, direction, signed
        As in `gcn_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_features, n_outputs)
        In the dtype of the features.

    Raises
    ------
    TypeError, ValueError
        As `gcn_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.gcn_conv_weight(np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), pair)
    array([[2.]])
    """
    n_threads = check.threads(n_threads)
    features, operator = _prepared(features, adjacency, normalization, self_loops, direction,
                                   signed)
    grads = grads_of(grad_output, features)
    return gathered_sums(operator, features, grads, n_threads)


def gcn_conv_bias(grad_output, *, n_threads=None):
    """Compute the gradient of `gcn_conv` by its bias: the sum over nodes.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `gcn_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_outputs,)
        The sums over nodes and signals, as `conv_bias` makes them.

    Raises
    ------
    TypeError, ValueError
        If `grad_output` is not an array of numbers with two or three axes.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.gcn_conv_bias(np.ones((3, 2)))
    array([3., 3.])
    """
    n_threads = check.threads(n_threads)
    return bias_sums(features_array("grad_output", grad_output), n_threads)


def sage_conv_features(grad_output, adjacency, weight, root_weight=None, *, features=None,
                       kind="mean", self_loops="keep", direction="rows", n_threads=None):
    """Compute the gradient of `sage_conv` by the features.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `sage_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    adjacency, weight, root_weight
        As in `sage_conv`.
    features : array-like of shape (n_nodes, n_features), default=None
        What was convolved; needed for kind='max' alone, where gradients go as in
        `aggregate_features`.
    kind, self_loops, direction
        As in `sage_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_nodes, n_features)
        In the dtype of `grad_output`, or of `features` if they are given.

    Raises
    ------
    TypeError, ValueError
        As `sage_conv`; or if `features` are missing for a maximum, or shapes do not agree.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.sage_conv_features(np.array([[1.0], [0.0]]), pair, [[2.0]], [[10.0]])
    array([[10.],
           [ 2.]])
    """
    kind = check.choice("kind", kind, SAGE_KINDS)
    n_threads = check.threads(n_threads)
    if kind == "max" and features is None:
        raise ValueError("features must be given for kind='max', which depends on them")
    grads = features_array("grad_output", grad_output)
    if features is not None:
        features = features_array("features", features)
        grads = grads_of(grads, features)
    grads, operator = _prepared(grads, adjacency, "row" if kind == "mean" else "none", self_loops,
                                direction, weighted=False, name="grad_output")
    weight = weight_back("weight", weight, grads)
    if kind == "max":
        outputs = extreme_features(operator, features, product(grads, weight, n_threads=n_threads),
                                   "max", n_threads)
    else:
        outputs = transform(transposed(operator), grads, weight, n_threads=n_threads)
    if root_weight is not None:
        root_weight = weight_back("root_weight", root_weight, grads, weight.shape[1])
        outputs += product(grads, root_weight, n_threads=n_threads)
    return outputs


def sage_conv_weight(grad_output, features, adjacency, *, kind="mean", self_loops="keep",
                     direction="rows", n_threads=None):
    """Compute the gradient of `sage_conv` by the weight of the neighbours.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `sage_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    features, adjacency, kind, self_loops, direction
        As in `sage_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_features, n_outputs)
        In the dtype of the features.

    Raises
    ------
    TypeError, ValueError
        As `sage_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.sage_conv_weight(np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), pair)
    array([[3.]])
    """
    kind = check.choice("kind", kind, SAGE_KINDS)
    n_threads = check.threads(n_threads)
    features, operator = _prepared(
        features, adjacency, "row" if kind == "mean" else "none", self_loops, direction,
        weighted=False)
    grads = grads_of(grad_output, features)
    if kind == "max":
        gathered = apply(operator, features, reduction="max", n_threads=n_threads)
        return weight_sums(gathered, grads, n_threads)
    return gathered_sums(operator, features, grads, n_threads)


def sage_conv_root_weight(grad_output, features, *, n_threads=None):
    """Compute the gradient of `sage_conv` by the weight of the node itself.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `sage_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    features : array-like of shape (n_nodes, n_features)
        As in `sage_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_features, n_outputs)
        In the dtype of the features.

    Raises
    ------
    TypeError, ValueError
        As `sage_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.sage_conv_root_weight(np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]))
    array([[1.]])
    """
    n_threads = check.threads(n_threads)
    features = features_array("features", features)
    return weight_sums(features, grads_of(grad_output, features), n_threads)


def sage_conv_bias(grad_output, *, n_threads=None):
    """Compute the gradient of `sage_conv` by its bias: the sum over nodes.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `sage_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_outputs,)
        The sums over nodes and signals, as `conv_bias` makes them.

    Raises
    ------
    TypeError, ValueError
        If `grad_output` is not an array of numbers with two or three axes.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.sage_conv_bias(np.ones((3, 2)))
    array([3., 3.])
    """
    n_threads = check.threads(n_threads)
    return bias_sums(features_array("grad_output", grad_output), n_threads)
