"""Graph convolutions: features of nodes gathered along the edges of a sparse matrix."""

import numpy as np

from convlib import _validation as check
from convlib._lazy import is_dask
from convlib.graph._adjacency import adjacency_of, features_array, rows_fit
from convlib.graph._gather import attend
from convlib.graph._graph import Graph, handling, operator_of, own_dtype
from convlib.graph._layers import (
    activated,
    average,
    chebyshev,
    gin,
    head_scores,
    hops,
    product,
    sage,
    transform,
)
from convlib.graph._row_blocks import RowBlocks, blocked_operator, row_blocks_of
from convlib.graph._stored import (
    by_columns,
    features_dtype,
    is_stored,
    memory_bytes,
    stored_output,
)

KINDS = ("sum", "mean", "max", "min")


def normalize_adjacency(adjacency, normalization="symmetric", *, self_loops="fill",
                        direction="rows", signed=False, dtype=None):
    """Return the matrix that graph convolutions multiply features with.

    Row i of the result holds what node i gathers from each node.

    Parameters
    ----------
    adjacency : Graph, or sparse matrix or array of shape (n_nodes, n_nodes)
        Row i gathers from the columns j where ``adjacency[i, j]`` is not zero; any format of
        scipy.sparse. Stored zeros are dropped, duplicates are summed; it is never changed. A
        `Graph` was checked before, and remembers its normalization.
    normalization : {'symmetric', 'row', 'column', 'none'}, default='symmetric'
        Divide by the sums of rows: by their roots on both sides, or by themselves; or by the sums
        of columns; or not at all. Rows whose sum is zero become zero.
    self_loops : {'fill', 'add', 'keep', 'remove'}, default='fill'
        Give each node an edge to itself, of weight one, where it has none; or in any case, added
        to what it has; or keep or remove those that are there.
    direction : {'rows', 'columns', 'both'}, default='rows'
        Gather along rows; along columns, which is against the edges; or both, where an edge that
        is there in both directions counts once, with the mean of its weights.
    signed : bool, default=False
        Whether sums are those of magnitudes, so that weights may be negative.
    dtype : dtype, default=None
        Of the result: float32 or float64. None keeps a float64 matrix and makes others float32
        where their values fit, as everywhere in convlib.

    Returns
    -------
    matrix : scipy.sparse.csr_array of shape (n_nodes, n_nodes)
        With sorted indices.

    Raises
    ------
    TypeError
        If `adjacency` is not sparse, or does not hold real numbers.
    ValueError
        If it is not square, if its arrays do not fit together, or if it holds NaN, infinity or,
        under the symmetric normalization without `signed`, negative weights.

    References
    ----------
    .. [1] T. N. Kipf and M. Welling, "Semi-Supervised Classification with Graph Convolutional
       Networks", ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> path = sp.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> cl.graph.normalize_adjacency(path, "row").toarray()
    array([[0.5       , 0.5       , 0.        ],
           [0.33333333, 0.33333333, 0.33333333],
           [0.        , 0.5       , 0.5       ]])
    """
    dtype = own_dtype(adjacency) if dtype is None else np.dtype(dtype)
    if dtype not in check.FLOATS:
        raise ValueError(f"dtype must be float32 or float64; got {dtype}")
    operator = _operator(adjacency, dtype, handling(normalization, self_loops, direction, signed))
    return operator.matrix()


def aggregate(features, adjacency, kind="sum", *, weighted=True, n_threads=None, out=None,
              working_memory=None):
    """Reduce the features of each node's neighbours to one row.

    Parameters
    ----------
    features : array-like of shape (n_nodes, n_features)
        Or (n_signals, n_nodes, n_features): several signals on one graph. float32 and float64 stay
        what they are; other dtypes as in `conv`. What lies on disk, a `numpy.memmap` or anything
        with shape, dtype and slices such as datasets of HDF5 and Zarr, is read some columns at a
        time.
    adjacency : Graph, RowBlocks, or sparse matrix or array of shape (n_nodes, n_nodes)
        As in `normalize_adjacency`; `RowBlocks` are read from disk.
    kind : {'sum', 'mean', 'max', 'min'}, default='sum'
        A mean divides by the sum of the weights. Maxima and minima take no weights; NaN comes
        before everything.
    weighted : bool, default=True
        Whether sums and means multiply with the weights of the edges, or take them as one.
    n_threads : int, default=None
        OpenMP threads, as in `conv`; the result does not depend on them.
    out : ndarray, default=None
        Where to write the result: of its shape and dtype, contiguous, apart from the features. For
        features on disk also an array there.
    working_memory : float, default=None
        MiB for columns of features that lie on disk; up to 512 bytes of each node are taken in any
        case. None is 1024.

    Returns
    -------
    out : ndarray of the shape of `features`
        Zeros for a node without neighbours.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If shapes do not fit, or `adjacency` is not as in `normalize_adjacency`.

    See Also
    --------
    propagate : Several hops of a normalized sum.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> edges = sp.csr_array(np.array([[0, 1, 1], [0, 0, 2], [0, 0, 0]]))
    >>> cl.graph.aggregate(np.array([[1.0], [2.0], [5.0]]), edges, "mean")
    array([[3.5],
           [5. ],
           [0. ]])
    """
    kind = check.choice("kind", kind, KINDS)
    weighted = check.flag("weighted", weighted)
    n_threads = check.threads(n_threads)
    how = handling("row" if kind == "mean" else "none", "keep", "rows", False,
                   weighted and kind in ("sum", "mean"))
    options = {"reduction": "sum" if kind == "mean" else kind, "n_threads": n_threads}

    def gathered(operator, features, out=None):
        return operator.gather(features, out, **options)

    return _large(features, adjacency, how, gathered, 2, out, working_memory)


def propagate(features, adjacency, n_hops=1, *, alpha=0.0, normalization="symmetric",
              self_loops="fill", direction="rows", signed=False, n_threads=None, out=None,
              working_memory=None):
    """Multiply features with the normalized adjacency, hop by hop.

    Each hop is ``h = (1 - alpha) * (A @ h) + alpha * features``, with the matrix A of
    `normalize_adjacency`, which is not made: the normalization is folded into the sums.

    Parameters
    ----------
    features, adjacency
        As in `aggregate`.
    n_hops : int, default=1
        How often; 0 returns a copy.
    alpha : float, default=0.0
        Share of the features themselves in each hop: personalized propagation [2]_.
    normalization, self_loops, direction, signed
        As in `normalize_adjacency`.
    n_threads, out, working_memory
        As in `aggregate`.

    Returns
    -------
    out : ndarray of the shape of `features`
        In their dtype; `out` where it is given; a dask array for one of dask.

    Raises
    ------
    TypeError, ValueError
        As `aggregate` and `normalize_adjacency`; or if `n_hops` is negative, or `alpha` is not in
        0 .. 1.

    References
    ----------
    .. [1] F. Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019.
    .. [2] J. Gasteiger, A. Bojchevski and S. Günnemann, "Predict then Propagate: Graph Neural
       Networks meet Personalized PageRank", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> path = sp.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> cl.graph.propagate(np.eye(3), path, 2, normalization="row").round(2)
    array([[0.42, 0.42, 0.17],
           [0.28, 0.44, 0.28],
           [0.17, 0.42, 0.42]])
    """
    n_hops = check.integer("n_hops", n_hops, 0)
    alpha = check.share("alpha", alpha)
    n_threads = check.threads(n_threads)
    how = handling(normalization, self_loops, direction, signed)
    if is_dask(features):
        from convlib.graph import _dask  # an optional package
        blocks, how = row_blocks_of(adjacency, features_dtype("features", features.dtype), how)
        return _dask.hops(features, blocks, how, n_hops, alpha, n_threads, out)

    def after_hops(operator, features, out=None):
        return hops(operator, features, n_hops, alpha, n_threads, out, consumes=out is None)

    return _large(features, adjacency, how, after_hops, 3 if alpha else 2, out, working_memory)


def appnp(features, adjacency, n_hops=10, alpha=0.1, *, normalization="symmetric",
          self_loops="fill", direction="rows", signed=False, n_threads=None, out=None,
          working_memory=None):
    """Propagate predictions by personalized PageRank: `propagate` with the paper's settings.

    Parameters
    ----------
    features, adjacency, n_hops, alpha, normalization, self_loops, direction, signed
        As in `propagate`.
    n_threads, out, working_memory
        As in `propagate`.

    Returns
    -------
    out : ndarray of the shape of `features`
        In their dtype.

    Raises
    ------
    TypeError, ValueError
        As `propagate`.

    References
    ----------
    .. [1] J. Gasteiger, A. Bojchevski and S. Günnemann, "Predict then Propagate: Graph Neural
       Networks meet Personalized PageRank", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> cl.graph.appnp(np.array([[1.0], [0.0]]), pair).round(3)
    array([[0.55],
           [0.45]])
    """
    return propagate(features, adjacency, n_hops, alpha=alpha, normalization=normalization,
                     self_loops=self_loops, direction=direction, signed=signed,
                     n_threads=n_threads, out=out, working_memory=working_memory)


def ssgc(features, adjacency, n_hops=16, alpha=0.05, *, normalization="symmetric",
         self_loops="fill", direction="rows", signed=False, n_threads=None):
    """Average the features over all hops: simple spectral graph convolution.

    ``alpha * features + (1 - alpha) / n_hops * (A @ features + ... + A^n_hops @ features)``.

    Parameters
    ----------
    features, adjacency, n_hops
        As in `propagate`; `n_hops` is at least 1.
    alpha : float, default=0.05
        Share of the features themselves.
    normalization, self_loops, direction, signed, n_threads
        As in `propagate`.

    Returns
    -------
    out : ndarray of the shape of `features`
        In their dtype.

    Raises
    ------
    TypeError, ValueError
        As `propagate`.

    References
    ----------
    .. [1] H. Zhu and P. Koniusz, "Simple Spectral Graph Convolution", ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> cl.graph.ssgc(np.array([[1.0], [0.0]]), pair, n_hops=2).round(3)
    array([[0.525],
           [0.475]])
    """
    n_hops = check.integer("n_hops", n_hops, 1)
    alpha = check.share("alpha", alpha)
    n_threads = check.threads(n_threads)
    features, operator = _prepared(features, adjacency, normalization, self_loops, direction,
                                   signed)
    return average(operator, features, n_hops, alpha, n_threads)


def gcn_conv(features, adjacency, weight, bias=None, *, normalization="symmetric",
             self_loops="fill", direction="rows", signed=False, activation=None, n_threads=None):
    """Graph convolution of Kipf and Welling: ``activation(A @ features @ weight + bias)``.

    The two products are taken in the cheaper order.

    Parameters
    ----------
    features, adjacency
        As in `aggregate`.
    weight : array-like of shape (n_features, n_outputs)
        Converted to the dtype of the features.
    bias : array-like of shape (n_outputs,), default=None
        Added to each row.
    normalization, self_loops, direction, signed
        As in `normalize_adjacency`.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh'}
        As in `conv`.
    n_threads : int, default=None
        As in `aggregate`.

    Returns
    -------
    out : ndarray of shape (n_nodes, n_outputs)
        Or (n_signals, n_nodes, n_outputs).

    Raises
    ------
    TypeError, ValueError
        As `normalize_adjacency`; or if weight or bias do not fit the features.

    References
    ----------
    .. [1] T. N. Kipf and M. Welling, "Semi-Supervised Classification with Graph Convolutional
       Networks", ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> cl.graph.gcn_conv(np.array([[1.0], [3.0]]), pair, np.array([[1.0, -1.0]]))
    array([[ 2., -2.],
           [ 2., -2.]])
    """
    activation = _activation(activation)
    n_threads = check.threads(n_threads)
    features, operator = _prepared(features, adjacency, normalization, self_loops, direction,
                                   signed)
    weight = _weight("weight", weight, features)
    bias = _bias("bias", bias, weight.shape[1], features.dtype)
    return transform(operator, features, weight, bias, activation, n_threads)


def sage_conv(features, adjacency, weight, root_weight=None, bias=None, *, kind="mean",
              self_loops="keep", direction="rows", activation=None, n_threads=None):
    """GraphSAGE: ``activation(aggregate(features) @ weight + features @ root_weight + bias)``.

    Parameters
    ----------
    features, adjacency
        As in `aggregate`; the weights of the edges are ignored.
    weight : array-like of shape (n_features, n_outputs)
        For what comes from the neighbours.
    root_weight : array-like of shape (n_features, n_outputs), default=None
        For the node itself, left out if None.
    bias : array-like of shape (n_outputs,), default=None
        Added to each row.
    kind : {'mean', 'max', 'sum'}, default='mean'
        What becomes of the neighbours.
    self_loops : {'keep', 'fill', 'add', 'remove'}, default='keep'
        As in `normalize_adjacency`.
    direction, activation, n_threads
        As in `gcn_conv`.

    Returns
    -------
    out : ndarray of shape (n_nodes, n_outputs)
        Or (n_signals, n_nodes, n_outputs).

    Raises
    ------
    TypeError, ValueError
        As `gcn_conv`.

    References
    ----------
    .. [1] W. L. Hamilton, R. Ying and J. Leskovec, "Inductive Representation Learning on Large
       Graphs", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> cl.graph.sage_conv(np.array([[1.0], [3.0]]), pair, [[1.0]], [[10.0]])
    array([[13.],
           [31.]])
    """
    kind = check.choice("kind", kind, ("mean", "max", "sum"))
    activation = _activation(activation)
    n_threads = check.threads(n_threads)
    normalization = "row" if kind == "mean" else "none"
    features, operator = _prepared(features, adjacency, normalization, self_loops, direction,
                                   weighted=False)
    weight = _weight("weight", weight, features)
    bias = _bias("bias", bias, weight.shape[1], features.dtype)
    if root_weight is not None:
        root_weight = _weight("root_weight", root_weight, features, weight.shape[1])
    return sage(operator, features, weight, root_weight, bias, kind, activation, n_threads)


def gin_conv(features, adjacency, weights, biases=None, *, eps=0.0, self_loops="keep",
             direction="rows", activation="relu", n_threads=None):
    """Graph isomorphism convolution: a small network of ``(1 + eps) * x_i + sum of neighbours``.

    Parameters
    ----------
    features, adjacency
        As in `aggregate`; the weights of the edges are ignored.
    weights : sequence of array-like
        Of shape (n_features, n_hidden), (n_hidden, ...) and so on: the layers of the network.
    biases : sequence of array-like or None, default=None
        As many, of shape (n_hidden,) and so on.
    eps : float, default=0.0
        What the node itself counts more than a neighbour.
    self_loops, direction
        As in `sage_conv`.
    activation : as in `conv`, default='relu'
        Between the layers; the last is not activated.
    n_threads : int, default=None
        As in `aggregate`.

    Returns
    -------
    out : ndarray of shape (n_nodes, n_outputs)
        Or (n_signals, n_nodes, n_outputs).

    Raises
    ------
    TypeError, ValueError
        As `gcn_conv`.

    References
    ----------
    .. [1] K. Xu, W. Hu, J. Leskovec and S. Jegelka, "How Powerful are Graph Neural Networks?",
       ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> cl.graph.gin_conv(np.array([[1.0], [3.0]]), pair, [[[1.0]], [[2.0]]])
    array([[8.],
           [8.]])
    """
    activation = _activation(activation)
    n_threads = check.threads(n_threads)
    eps = check.finite_number("eps", eps)
    features, operator = _prepared(features, adjacency, "none", self_loops, direction,
                                   weighted=False)
    layers = network(features, weights, biases)
    return gin(operator.looped(1 + eps), features, layers, activation, n_threads)


def network(features, weights, biases):
    """Return the checked layers of a network on features, as pairs of a matrix and a bias."""
    weights = check.as_entries(weights)
    biases = (None,) * len(weights or ()) if biases is None else check.as_entries(biases)
    if not weights or biases is None or len(biases) != len(weights):
        raise ValueError("weights must be a sequence of at least one array, and biases of as many")
    layers, width = [], features
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        weight = _weight(f"weights[{number}]", weight, width)
        layers.append((weight, _bias(f"biases[{number}]", bias, weight.shape[1], features.dtype)))
        width = weight
    return layers


def cheb_conv(features, adjacency, weights, bias=None, *, normalization="symmetric",
              lambda_max=2.0, direction="rows", signed=False, activation=None, n_threads=None):
    """Chebyshev convolution: ``sum over k of T_k(L) @ features @ weights[k]``.

    L is the Laplacian, scaled to -1 .. 1: ``2 / lambda_max * (I - A) - I``; self loops are
    removed first.

    Parameters
    ----------
    features, adjacency
        As in `aggregate`.
    weights : array-like of shape (n_terms, n_features, n_outputs)
        One matrix for each polynomial, from T_0 on.
    bias : array-like of shape (n_outputs,), default=None
        Added to each row.
    normalization : {'symmetric', 'row', 'column'}, default='symmetric'
        Of the A in the Laplacian.
    lambda_max : float, default=2.0
        The largest eigenvalue of the Laplacian, or a bound.
    direction, signed, activation, n_threads
        As in `gcn_conv`.

    Returns
    -------
    out : ndarray of shape (n_nodes, n_outputs)
        Or (n_signals, n_nodes, n_outputs).

    Raises
    ------
    TypeError, ValueError
        As `gcn_conv`.

    References
    ----------
    .. [1] M. Defferrard, X. Bresson and P. Vandergheynst, "Convolutional Neural Networks on Graphs
       with Fast Localized Spectral Filtering", NeurIPS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> cl.graph.cheb_conv(np.array([[1.0], [3.0]]), pair, [[[0.0]], [[1.0]]])
    array([[-3.],
           [-1.]])
    """
    activation = _activation(activation)
    n_threads = check.threads(n_threads)
    normalization = check.choice("normalization", normalization, ("symmetric", "row", "column"))
    lambda_max = check.positive_number("lambda_max", lambda_max)
    features, operator = _prepared(features, adjacency, normalization, "remove", direction, signed)
    weights = polynomials(weights, features)
    bias = _bias("bias", bias, weights.shape[2], features.dtype)
    total = product(features, weights[0], bias, n_threads=n_threads)
    terms = chebyshev(operator, features, len(weights), lambda_max, n_threads)
    for term, weight in zip(terms, weights[1:], strict=True):
        total += product(term, weight, n_threads=n_threads)
    return activated(total, activation, n_threads)


def polynomials(weights, features):
    """Return the checked matrices of the polynomials."""
    weights = check.numeric_array("weights", weights)
    if weights.ndim != 3 or len(weights) == 0 or weights.shape[1] != features.shape[-1]:
        raise ValueError("weights must be an array of shape (n_terms, n_features="
                         f"{features.shape[-1]}, n_outputs); got shape {weights.shape}")
    return np.ascontiguousarray(weights, features.dtype)


def gat_conv(features, adjacency, weight, source_attention, target_attention, bias=None, *,
             negative_slope=0.2, concat=True, add_self_loops=True, direction="rows",
             activation=None, n_threads=None):
    """Graph attention: neighbours weighted by softmax of a score of both ends of the edge.

    The score of node i for its neighbour j is leaky(a_source @ h_j + a_target @ h_i), where h is
    ``features @ weight``. No array of all edges is made.

    Parameters
    ----------
    features, adjacency
        As in `aggregate`; the weights of the edges are ignored.
    weight : array-like of shape (n_features, n_heads * n_outputs)
        The heads one after the other.
    source_attention, target_attention : array-like of shape (n_heads, n_outputs)
        The vectors a of each head.
    bias : array-like, default=None
        Of shape (n_heads * n_outputs,), or (n_outputs,) without `concat`.
    negative_slope : float, default=0.2
        Of scores below zero.
    concat : bool, default=True
        Whether heads stand side by side, or their mean is taken.
    add_self_loops : bool, default=True
        Whether self loops are removed and each node gets one; else those that are there stay.
    direction, activation, n_threads
        As in `gcn_conv`.

    Returns
    -------
    out : ndarray of shape (n_nodes, n_heads * n_outputs)
        Or (n_nodes, n_outputs).

    Raises
    ------
    TypeError, ValueError
        As `gcn_conv`.

    References
    ----------
    .. [1] P. Veličković et al., "Graph Attention Networks", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> pair = sp.csr_array(np.array([[0, 1], [1, 0]]))
    >>> cl.graph.gat_conv(np.array([[1.0], [3.0]]), pair, [[1.0]], [[0.0]], [[0.0]])
    array([[2.],
           [2.]])
    """
    activation = _activation(activation)
    concat = check.flag("concat", concat)
    add_self_loops = check.flag("add_self_loops", add_self_loops)
    negative_slope = check.real_number("negative_slope", negative_slope, "a number")
    n_threads = check.threads(n_threads)
    features, operator = _prepared(
        features, adjacency, "none", "remove" if add_self_loops else "keep", direction,
        weighted=False)
    weight = _weight("weight", weight, features)
    attention = attention_vectors(source_attention, target_attention, weight)
    heads, n_outputs = attention[0].shape
    bias = _bias("bias", bias, weight.shape[1] if concat else n_outputs, features.dtype)
    hidden = product(features, weight, n_threads=n_threads)
    signals = (hidden, *head_scores(hidden, attention, n_threads))
    if hidden.ndim == 2:
        signals = (array[np.newaxis] for array in signals)
    outputs = np.stack([
        attend(operator.adjacency, *arrays, negative_slope, add_self_loops, n_threads)
        for arrays in zip(*signals, strict=True)
    ] or [np.empty_like(hidden[:0])])
    outputs = outputs.reshape(hidden.shape)
    if not concat:
        outputs = outputs.reshape(*hidden.shape[:-1], heads, n_outputs).mean(-2)
    if bias is not None:
        outputs += bias
    return activated(outputs, activation, n_threads)


def attention_vectors(source_attention, target_attention, weight):
    """Return the checked vectors of the heads, for both ends of an edge."""
    attention = []
    for name, value in (("source_attention", source_attention),
                        ("target_attention", target_attention)):
        value = check.numeric_array(name, value)
        if value.ndim != 2 or value.size != weight.shape[1] or value.size == 0:
            raise ValueError(f"{name} must be an array of shape (n_heads, n_outputs) with "
                             f"{weight.shape[1]} values, as weight has; got shape {value.shape}")
        attention.append(value.astype(weight.dtype))
    if attention[0].shape != attention[1].shape:
        raise ValueError("source_attention and target_attention must have one shape; got "
                         f"{attention[0].shape} and {attention[1].shape}")
    return attention


def _prepared(features, adjacency, normalization, self_loops, direction, signed=False,
              weighted=True, name="features"):
    """Return checked features and the operator that gathers them."""
    features = features_array(name, features)
    how = handling(normalization, self_loops, direction, signed, weighted)
    operator = _operator(adjacency, features.dtype, how)
    rows_fit(name, features, operator.adjacency.n_nodes)
    return features, operator


def _large(features, adjacency, how, function, n_arrays, out, working_memory):
    """Return what a function of an operator makes of features, that may lie on disk as it may.

    Of those on disk it is given some columns at a time, as an array of its own, and then has so
    many arrays of that size.
    """
    n_bytes = memory_bytes(working_memory)
    if not is_stored(features):
        features = features_array("features", features)
        operator = _operator(adjacency, features.dtype, how, in_blocks=True)
        rows_fit("features", features, operator.adjacency.n_nodes)
        out = check.output_array(out, features.shape, features.dtype, features)
        return function(operator, features, out)
    dtype = features_dtype("features", features.dtype)
    operator = _operator(adjacency, dtype, how, in_blocks=True)
    rows_fit("features", features, operator.adjacency.n_nodes)
    out = stored_output(out, features, dtype)
    return by_columns(lambda part: function(operator, part), features, out, dtype, n_arrays,
                      n_bytes)


def _operator(adjacency, dtype, how, in_blocks=False):
    """Return the operator of a user's adjacency, which may be RowBlocks if it is told so."""
    weighted = how[-1]
    if isinstance(adjacency, RowBlocks):
        if not in_blocks:
            raise TypeError("adjacency must be whole, a Graph or a sparse matrix; got RowBlocks, "
                            "which aggregate, propagate and appnp take")
        return blocked_operator(adjacency, dtype, how)
    if isinstance(adjacency, Graph):
        return adjacency._operator(dtype, how)
    return operator_of(adjacency_of("adjacency", adjacency, dtype, weighted=weighted), dtype, how)


def _activation(activation):
    return check.choice("activation", activation, (None, *check.ACTIVATIONS))


def _weight(name, weight, features, n_outputs=None):
    """Return a matrix from the features to any number of outputs, in their dtype."""
    outputs = "n_outputs" if n_outputs is None else n_outputs
    array = check.matrix(name, weight, features.shape[-1], outputs)
    return np.ascontiguousarray(array, features.dtype)


def _bias(name, bias, n_outputs, dtype):
    if bias is None:
        return None
    array = check.numeric_array(name, bias)
    if array.shape != (n_outputs,):
        raise ValueError(f"{name} must be an array of shape ({n_outputs},); got shape "
                         f"{array.shape}")
    return np.ascontiguousarray(array, dtype)
