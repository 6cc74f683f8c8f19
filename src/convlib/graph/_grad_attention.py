"""Gradients of graph attention."""

from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib.graph._adjacency import Adjacency, features_array
from convlib.graph._gradients import attention_gradients, bias_sums, grads_of, weight_sums
from convlib.graph._layers import product
from convlib.graph.convolutions import _prepared, _weight, attention_vectors

__all__ = [
    "gat_conv_bias",
    "gat_conv_features",
    "gat_conv_source_attention",
    "gat_conv_target_attention",
    "gat_conv_weight",
]


def gat_conv_features(grad_output, features, adjacency, weight, source_attention,
                      target_attention, *, negative_slope=0.2, concat=True,
                      add_self_loops=True, direction="rows", n_threads=None):
    """Compute the gradient of `gat_conv` by the features.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_heads * n_outputs)
        Gradient of a loss by the outputs of `gat_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    features, adjacency, weight, source_attention, target_attention
        As in `gat_conv`.
    negative_slope, concat, add_self_loops, direction
        As in `gat_conv`; the slope of a score of zero counts as 1.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of the shape of `features`
        In their dtype.

    Raises
    ------
    TypeError, ValueError
        As `gat_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> operands = np.array([[1.0], [3.0]]), pair, [[1.0]], [[1.0]], [[0.0]]
    >>> grad.gat_conv_features(np.array([[1.0], [0.0]]), *operands).round(3)
    array([[-0.091],
           [ 1.091]])
    """
    call = _checked(grad_output, features, adjacency, weight, source_attention, target_attention,
                    negative_slope, concat, add_self_loops, direction, n_threads)
    weight = np.ascontiguousarray(call.weight.T)
    return product(call.gradients().hidden, weight, n_threads=call.n_threads)


def gat_conv_weight(grad_output, features, adjacency, weight, source_attention,
                    target_attention, *, negative_slope=0.2, concat=True,
                    add_self_loops=True, direction="rows", n_threads=None):
    """Compute the gradient of `gat_conv` by the weight.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_heads * n_outputs)
        Gradient of a loss by the outputs of `gat_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    features, adjacency, weight, source_attention, target_attention
        As in `gat_conv`.
    negative_slope, concat, add_self_loops, direction
        As in `gat_conv`; the slope of a score of zero counts as 1.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_features, n_heads * n_outputs)
        In the dtype of the features.

    Raises
    ------
    TypeError, ValueError
        As `gat_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> operands = np.array([[1.0], [3.0]]), pair, [[1.0]], [[1.0]], [[0.0]]
    >>> grad.gat_conv_weight(np.array([[1.0], [0.0]]), *operands).round(3)
    array([[3.182]])
    """
    call = _checked(grad_output, features, adjacency, weight, source_attention, target_attention,
                    negative_slope, concat, add_self_loops, direction, n_threads)
    return weight_sums(call.features, call.gradients().hidden, call.n_threads)


def gat_conv_source_attention(grad_output, features, adjacency, weight, source_attention,
                              target_attention, *, negative_slope=0.2, concat=True,
                              add_self_loops=True, direction="rows", n_threads=None):
    """Compute the gradient of `gat_conv` by the vectors for the neighbours.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_heads * n_outputs)
        Gradient of a loss by the outputs of `gat_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    features, adjacency, weight, source_attention, target_attention
        As in `gat_conv`.
    negative_slope, concat, add_self_loops, direction
        As in `gat_conv`; the slope of a score of zero counts as 1.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_heads, n_outputs)
        In the dtype of the features.

    Raises
    ------
    TypeError, ValueError
        As `gat_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> operands = np.array([[1.0], [3.0]]), pair, [[1.0]], [[1.0]], [[0.0]]
    >>> grad.gat_conv_source_attention(np.array([[1.0], [0.0]]), *operands).round(3)
    array([[0.42]])
    """
    call = _checked(grad_output, features, adjacency, weight, source_attention, target_attention,
                    negative_slope, concat, add_self_loops, direction, n_threads)
    return call.gradients().source


def gat_conv_target_attention(grad_output, features, adjacency, weight, source_attention,
                              target_attention, *, negative_slope=0.2, concat=True,
                              add_self_loops=True, direction="rows", n_threads=None):
    """Compute the gradient of `gat_conv` by the vectors for the node itself.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_heads * n_outputs)
        Gradient of a loss by the outputs of `gat_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    features, adjacency, weight, source_attention, target_attention
        As in `gat_conv`.
    negative_slope, concat, add_self_loops, direction
        As in `gat_conv`; the slope of a score of zero counts as 1.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_heads, n_outputs)
        In the dtype of the features.

    Raises
    ------
    TypeError, ValueError
        As `gat_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> operands = np.array([[1.0], [3.0]]), pair, [[1.0]], [[1.0]], [[0.0]]
    >>> grad.gat_conv_target_attention(np.array([[1.0], [0.0]]), *operands).round(3)
    array([[0.]])
    """
    call = _checked(grad_output, features, adjacency, weight, source_attention, target_attention,
                    negative_slope, concat, add_self_loops, direction, n_threads)
    return call.gradients().target


def gat_conv_bias(grad_output, *, n_threads=None):
    """Compute the gradient of `gat_conv` by its bias: the sum over nodes.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `gat_conv`, before the activation
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
    >>> grad.gat_conv_bias(np.ones((3, 2)))
    array([3., 3.])
    """
    n_threads = check.threads(n_threads)
    return bias_sums(features_array("grad_output", grad_output), n_threads)


class _Call(NamedTuple):
    """A checked call."""

    adjacency: Adjacency
    features: np.ndarray
    weight: np.ndarray
    vectors: list
    grads: np.ndarray
    slope: float
    has_loops: bool
    n_threads: int | None

    def gradients(self):
        hidden = product(self.features, self.weight, n_threads=self.n_threads)
        return attention_gradients(self.adjacency, hidden, self.vectors, self.grads, self.slope,
                                   self.has_loops, self.n_threads)


def _checked(grad_output, features, adjacency, weight, source_attention, target_attention,
             negative_slope, concat, add_self_loops, direction, n_threads):
    concat = check.flag("concat", concat)
    has_loops = check.flag("add_self_loops", add_self_loops)
    slope = check.real_number("negative_slope", negative_slope, "a number")
    n_threads = check.threads(n_threads)
    features, operator = _prepared(
        features, adjacency, "none", "remove" if has_loops else "keep", direction, weighted=False)
    weight = _weight("weight", weight, features)
    vectors = attention_vectors(source_attention, target_attention, weight)
    heads, n_outputs = vectors[0].shape
    grads = grads_of(grad_output, features, heads * n_outputs if concat else n_outputs)
    return _Call(operator.adjacency, features, weight, vectors,
                 grads if concat else of_heads(grads, heads), slope, has_loops, n_threads)


def of_heads(grads, heads):
    """Return the gradients of the heads, given those of their mean."""
    grads = grads * grads.dtype.type(1 / heads)
    return np.tile(grads, heads)
