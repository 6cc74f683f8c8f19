"""Gradients of the graph isomorphism convolution and of the Chebyshev convolution."""

import numpy as np

from convlib import _validation as check
from convlib.graph._adjacency import features_array
from convlib.graph._gradients import bias_sums, grads_of, transposed, weight_sums
from convlib.graph._layers import activated, chebyshev, product, transform
from convlib.graph.convolutions import _activation, _prepared, network
from convlib.ops._grad_activation import SIGNLESS, activation_inputs

__all__ = [
    "cheb_conv_bias",
    "cheb_conv_features",
    "cheb_conv_weights",
    "gin_conv_biases",
    "gin_conv_features",
    "gin_conv_weights",
]


def gin_conv_features(grad_output, features, adjacency, weights, biases=None, *, eps=0.0,
                      self_loops="keep", direction="rows", activation="relu", n_threads=None):
    """Compute the gradient of `gin_conv` by the features.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `gin_conv`; or with an axis of signals
        before.
    features, adjacency, weights, biases, eps, self_loops, direction, activation
        As in `gin_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of the shape of `features`
        In their dtype.

    Raises
    ------
    TypeError, ValueError
        As `gin_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.gin_conv_features(np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), pair, [[[2.0]]])
    array([[2.],
           [2.]])
    """
    back = _back(grad_output, features, adjacency, weights, biases, eps, self_loops, direction,
                 activation, n_threads)
    return back.features()


def gin_conv_weights(grad_output, features, adjacency, weights, biases=None, *, eps=0.0,
                     self_loops="keep", direction="rows", activation="relu", n_threads=None):
    """Compute the gradients of `gin_conv` by the weights of its layers.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `gin_conv`; or with an axis of signals
        before.
    features, adjacency, weights, biases, eps, self_loops, direction, activation
        As in `gin_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : list of ndarray
        Of the shapes of `weights`.

    Raises
    ------
    TypeError, ValueError
        As `gin_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.gin_conv_weights(np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), pair, [[[2.0]]])
    [array([[4.]])]
    """
    back = _back(grad_output, features, adjacency, weights, biases, eps, self_loops, direction,
                 activation, n_threads)
    return back.weights()


def gin_conv_biases(grad_output, features, adjacency, weights, biases=None, *, eps=0.0,
                    self_loops="keep", direction="rows", activation="relu", n_threads=None):
    """Compute the gradients of `gin_conv` by the biases of its layers.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `gin_conv`; or with an axis of signals
        before.
    features, adjacency, weights, biases, eps, self_loops, direction, activation
        As in `gin_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : list of ndarray
        One for each layer, whether it had a bias or not.

    Raises
    ------
    TypeError, ValueError
        As `gin_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.gin_conv_biases(np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), pair, [[[2.0]]])
    [array([1.])]
    """
    back = _back(grad_output, features, adjacency, weights, biases, eps, self_loops, direction,
                 activation, n_threads)
    return back.biases()


class _Back:
    """The way back through the network of `gin_conv`, as far as one asks for it."""

    def __init__(self, operator, features, layers, activation, grads, n_threads):
        self.operator, self.layers, self.n_threads = operator, layers, n_threads
        self.inputs = [operator.gather(features, n_threads=n_threads)]
        slopes = []
        for weight, bias in layers[:-1]:
            values = product(self.inputs[-1], weight, bias,
                             None if activation in SIGNLESS else activation, n_threads)
            if activation in SIGNLESS:
                slopes.append({"inputs": values})
                values = activated(values, activation, n_threads)
            else:
                slopes.append({"outputs": values})
            self.inputs.append(values)
        self.grads = [grads]
        for (weight, _), values in zip(layers[:0:-1], slopes[::-1], strict=True):
            back = product(self.grads[0], np.ascontiguousarray(weight.T), n_threads=n_threads)
            self.grads.insert(0, activation_inputs(
                back, activation, **values, n_threads=n_threads, out=back))

    def features(self):
        weight = np.ascontiguousarray(self.layers[0][0].T)
        return transform(transposed(self.operator), self.grads[0], weight,
                         n_threads=self.n_threads)

    def weights(self):
        return [weight_sums(inputs, grads, self.n_threads)
                for inputs, grads in zip(self.inputs, self.grads, strict=True)]

    def biases(self):
        return [bias_sums(grads, self.n_threads) for grads in self.grads]


def _back(grad_output, features, adjacency, weights, biases, eps, self_loops, direction,
          activation, n_threads):
    activation = _activation(activation)
    n_threads = check.threads(n_threads)
    eps = check.finite_number("eps", eps)
    features, operator = _prepared(features, adjacency, "none", self_loops, direction,
                                   weighted=False)
    layers = network(features, weights, biases)
    grads = grads_of(grad_output, features, layers[-1][0].shape[1])
    return _Back(operator.looped(1 + eps), features, layers, activation, grads,
                 n_threads)


def cheb_conv_features(grad_output, adjacency, weights, *, normalization="symmetric",
                       lambda_max=2.0, direction="rows", signed=False, n_threads=None):
    """Compute the gradient of `cheb_conv` by the features.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `cheb_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    adjacency, weights, normalization, lambda_max, direction, signed
        As in `cheb_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_nodes, n_features)
        In the dtype of `grad_output`.

    Raises
    ------
    TypeError, ValueError
        As `cheb_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.cheb_conv_features(np.array([[1.0], [0.0]]), pair, [[[0.0]], [[1.0]]])
    array([[ 0.],
           [-1.]])
    """
    grads, operator, lambda_max, n_threads = _checked(
        "grad_output", grad_output, adjacency, normalization, lambda_max, direction, signed,
        n_threads)
    weights = check.numeric_array("weights", weights)
    if weights.ndim != 3 or len(weights) == 0 or weights.shape[2] != grads.shape[-1]:
        raise ValueError("weights must be an array of shape (n_terms, n_features, n_outputs="
                         f"{grads.shape[-1]}); got shape {weights.shape}")
    turned = np.ascontiguousarray(weights.transpose(0, 2, 1), grads.dtype)
    terms = chebyshev(transposed(operator), grads, len(turned), lambda_max, n_threads)
    total = product(grads, turned[0], n_threads=n_threads)
    for term, weight in zip(terms, turned[1:], strict=True):
        total += product(term, weight, n_threads=n_threads)
    return total


def cheb_conv_weights(grad_output, features, adjacency, n_terms, *, normalization="symmetric",
                      lambda_max=2.0, direction="rows", signed=False, n_threads=None):
    """Compute the gradient of `cheb_conv` by the matrices of its polynomials.

    The narrower of features and gradients is gathered along the edges.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `cheb_conv`, before the activation
        (`activation_inputs`); or with an axis of signals before.
    features, adjacency
        As in `cheb_conv`.
    n_terms : int
        How many polynomials there are.
    normalization, lambda_max, direction, signed
        As in `cheb_conv`.
    n_threads : int, default=None
        As in `aggregate_features`.

    Returns
    -------
    out : ndarray of shape (n_terms, n_features, n_outputs)
        In the dtype of the features.

    Raises
    ------
    TypeError, ValueError
        As `cheb_conv`; or if `grad_output` does not have the shape of its outputs.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from convlib import grad
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> grad.cheb_conv_weights(np.array([[1.0], [0.0]]), np.array([[1.0], [3.0]]), pair, 2).ravel()
    array([ 1., -3.])
    """
    features, operator, lambda_max, n_threads = _checked(
        "features", features, adjacency, normalization, lambda_max, direction, signed, n_threads)
    n_terms = check.integer("n_terms", n_terms, 1)
    grads = grads_of(grad_output, features)
    gathers_features = features.shape[-1] <= grads.shape[-1]
    start = features if gathers_features else grads
    if not gathers_features:
        operator = transposed(operator)
    out = np.empty((n_terms, features.shape[-1], grads.shape[-1]), features.dtype)
    out[0] = weight_sums(features, grads, n_threads)
    terms = chebyshev(operator, start, n_terms, lambda_max, n_threads)
    for sums, term in zip(out[1:], terms, strict=True):
        pair = (term, grads) if gathers_features else (features, term)
        sums[...] = weight_sums(*pair, n_threads)
    return out


def cheb_conv_bias(grad_output, *, n_threads=None):
    """Compute the gradient of `cheb_conv` by its bias: the sum over nodes.

    Parameters
    ----------
    grad_output : array-like of shape (n_nodes, n_outputs)
        Gradient of a loss by the outputs of `cheb_conv`, before the activation
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
    >>> grad.cheb_conv_bias(np.ones((3, 2)))
    array([3., 3.])
    """
    n_threads = check.threads(n_threads)
    return bias_sums(features_array("grad_output", grad_output), n_threads)


def _checked(name, value, adjacency, normalization, lambda_max, direction, signed, n_threads):
    """Return checked features or gradients, the operator, and the other settings."""
    n_threads = check.threads(n_threads)
    normalization = check.choice("normalization", normalization, ("symmetric", "row", "column"))
    lambda_max = check.positive_number("lambda_max", lambda_max)
    array, operator = _prepared(value, adjacency, normalization, "remove", direction, signed,
                                name=name)
    return array, operator, lambda_max, n_threads
