"""Layers of networks on graphs: forward, and backward as convlib.grad has it.

A layer has `parameters`, and `decays`, whether weight decay may hold each of them. `forward(edges,
inputs, rng)` returns outputs; with a generator of random numbers it drops some of the inputs and
keeps what the way back needs. `backward(grads, wants_inputs)` returns the gradients by the
parameters, and that by the inputs, if it is wanted. Without a generator a layer does not change, so
that threads may share it.
"""

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from convlib.graph._adjacency import Adjacency
from convlib.graph._gather import Operator, attend
from convlib.graph._gradients import attention_gradients, bias_sums, transposed, weight_sums
from convlib.graph._layers import activated, head_scores, hops, product
from convlib.ops._grad_activation import activation_inputs

SPARSE_SHARE = 0.1     # of values that are not zero, up to which features are kept sparse


class Edges:
    """A graph for layers: what gathers along its edges, and what gathers back."""

    def __init__(self, operator, n_threads=None):
        self.operator, self.n_threads = operator, n_threads

    def gather(self, rows, **options):
        return self.operator.gather(rows, n_threads=self.n_threads, **options)

    @cached_property
    def _back(self):
        return transposed(self.operator)

    def gather_back(self, rows, **options):
        return self._back.gather(rows, n_threads=self.n_threads, **options)

    @cached_property
    def droppable(self):
        """The weights of all edges one by one, so that some can be left out."""
        return DroppableMatrix(self.operator.matrix(), self.n_threads)


class DroppableMatrix:
    """A sparse matrix some of whose values are left out, and its transpose."""

    def __init__(self, matrix, n_threads=None):
        self.shape, self.dtype, self.n_threads = matrix.shape, matrix.dtype, n_threads
        numbers = np.arange(matrix.nnz)
        turned = sp.csr_array((numbers, matrix.indices, matrix.indptr), matrix.shape).T.tocsr()
        self.values = matrix.data
        self._rows = _structure(matrix)
        self._columns, self._places = _structure(turned), turned.data

    def dropped(self, rate, rng):
        """Return values of which a share is zero, and the others are larger for it."""
        if rng is None or not rate:
            return self.values
        return self.values * dropout_mask(self.values.shape, self.dtype, rate, rng)

    def times(self, values, dense, **options):
        """Return the matrix of such values times a dense one."""
        return self._product(self._rows, values, dense, options)

    def times_back(self, values, dense, **options):
        """Return its transpose times a dense matrix."""
        return self._product(self._columns, values[self._places], dense, options)

    def _product(self, structure, values, dense, options):
        operator = Operator(Adjacency(*structure, values), self.dtype)
        return operator.gather(dense, n_threads=self.n_threads, **options)


def _structure(matrix):
    return matrix.indptr.astype(np.intp), matrix.indices.astype(np.int32)


def dropout_mask(shape, dtype, rate, rng):
    """Return zeros for a share of values, and what makes up for them for the others."""
    mask = rng.random(shape, np.float32)
    np.greater_equal(mask, rate, out=mask)
    mask = mask.astype(dtype, copy=False)
    mask *= dtype.type(1 / (1 - rate))
    return mask


def is_sparse(features):
    """Return whether features have so many zeros that the others alone are looked at."""
    return np.count_nonzero(features) <= SPARSE_SHARE * features.size


class Inputs:
    """What a layer multiplies with matrices: features, some of which are dropped."""

    def __init__(self, features, rate, rng, n_threads):
        self.n_threads = n_threads
        self.is_sparse = isinstance(features, DroppableMatrix)
        self.rate = rate if rng is not None else 0
        self.features, self.mask = features, None
        if self.is_sparse:
            self.values = features.dropped(rate, rng)
        elif self.rate:
            self.mask = dropout_mask(features.shape, features.dtype, rate, rng)
            self.features = features * self.mask

    def times(self, weight, bias=None, activation=None):
        if not self.is_sparse:
            return product(self.features, weight, bias, activation, self.n_threads)
        added = None if bias is None else np.broadcast_to(
            bias, (self.features.shape[0], len(bias)))
        return self.features.times(self.values, weight, added=added, added_share=1.0,
                                   activation=activation)

    def weight_sums(self, grads):
        """Return the gradient by the weight."""
        if self.is_sparse:
            return self.features.times_back(self.values, grads)
        return weight_sums(self.features, grads, self.n_threads)

    def back(self, *pairs):
        """Return the gradient by the features, given gradients and the weights on their way."""
        total = sum(product(grads, np.ascontiguousarray(weight.T), n_threads=self.n_threads)
                    for grads, weight in pairs)
        if self.mask is not None:
            total *= self.mask
        return total


class Layer:
    """What all layers share: inputs that are dropped, an activation."""

    def __init__(self, n_inputs, n_outputs, activation, dropout, n_threads):
        self.n_inputs, self.n_outputs = n_inputs, n_outputs
        self.activation, self.dropout, self.n_threads = activation, dropout, n_threads
        self.kept = None

    def taken(self, features, rng):
        return Inputs(features, self.dropout, rng, self.n_threads)

    def before_activation(self, grads, outputs):
        return activation_inputs(grads, self.activation, outputs=outputs,
                                 n_threads=self.n_threads)

    def keep(self, rng, *arrays):
        """Keep what the way back needs, if it will be gone."""
        if rng is not None:
            self.kept = arrays

    def forget(self):
        """Drop what was kept."""
        self.kept = None


class Linear(Layer):
    """A layer without a graph."""

    decays = (True, False)

    def __init__(self, *sizes_and_settings, rng, dtype):
        super().__init__(*sizes_and_settings)
        self.parameters = [glorot(rng, (self.n_inputs, self.n_outputs), dtype),
                           np.zeros(self.n_outputs, dtype)]

    def forward(self, edges, features, rng):
        inputs = self.taken(features, rng)
        outputs = inputs.times(*self.parameters, self.activation)
        self.keep(rng, inputs, outputs)
        return outputs

    def backward(self, grads, wants_inputs):
        inputs, outputs = self.kept
        grads = self.before_activation(grads, outputs)
        return ([inputs.weight_sums(grads), bias_sums(grads, self.n_threads)],
                inputs.back((grads, self.parameters[0])) if wants_inputs else None)


class GCN(Linear):
    """activation(A @ features @ weight + bias)."""

    def forward(self, edges, features, rng):
        weight, bias = self.parameters
        inputs = self.taken(features, rng)
        hidden = inputs.times(weight)
        outputs = edges.gather(hidden, added=np.broadcast_to(bias, hidden.shape),
                               added_share=1.0, activation=self.activation)
        self.keep(rng, edges, inputs, outputs)
        return outputs

    def backward(self, grads, wants_inputs):
        edges, inputs, outputs = self.kept
        grads = self.before_activation(grads, outputs)
        gathered = edges.gather_back(grads)
        return ([inputs.weight_sums(gathered), bias_sums(grads, self.n_threads)],
                inputs.back((gathered, self.parameters[0])) if wants_inputs else None)


class SAGE(Layer):
    """activation(A @ features @ weight + features @ root_weight + bias)."""

    decays = (True, True, False)

    def __init__(self, *sizes_and_settings, rng, dtype):
        super().__init__(*sizes_and_settings)
        shape = self.n_inputs, self.n_outputs
        self.parameters = [glorot(rng, shape, dtype), glorot(rng, shape, dtype),
                           np.zeros(self.n_outputs, dtype)]

    def forward(self, edges, features, rng):
        weight, root_weight, bias = self.parameters
        inputs = self.taken(features, rng)
        outputs = edges.gather(
            inputs.times(weight), added=inputs.times(root_weight, bias), added_share=1.0,
            activation=self.activation)
        self.keep(rng, edges, inputs, outputs)
        return outputs

    def backward(self, grads, wants_inputs):
        edges, inputs, outputs = self.kept
        grads = self.before_activation(grads, outputs)
        gathered = edges.gather_back(grads)
        weight, root_weight, _ = self.parameters
        return ([inputs.weight_sums(gathered), inputs.weight_sums(grads),
                 bias_sums(grads, self.n_threads)],
                inputs.back((gathered, weight), (grads, root_weight)) if wants_inputs else None)


class GAT(Layer):
    """Attention with several heads, side by side or, in the last layer, their mean."""

    decays = (True, True, True, False)
    slope = 0.2

    def __init__(self, *sizes_and_settings, heads, concat, has_loops, rng, dtype):
        super().__init__(*sizes_and_settings)
        self.heads, self.concat, self.has_loops = heads, concat, has_loops
        self.parameters = [
            glorot(rng, (self.n_inputs, heads * self.n_outputs), dtype),
            glorot(rng, (heads, self.n_outputs), dtype),
            glorot(rng, (heads, self.n_outputs), dtype),
            np.zeros(self.n_outputs * (heads if concat else 1), dtype)]

    def forward(self, edges, features, rng):
        weight, source, target, bias = self.parameters
        inputs = self.taken(features, rng)
        hidden = inputs.times(weight)
        scores = head_scores(hidden, (source, target), self.n_threads)
        outputs = attend(edges.operator.adjacency, hidden, *scores, self.slope, self.has_loops,
                         self.n_threads)
        if not self.concat:
            outputs = outputs.reshape(len(outputs), self.heads, -1).mean(axis=1)
        outputs += bias
        outputs = activated(outputs, self.activation, self.n_threads)
        self.keep(rng, edges, inputs, hidden, outputs)
        return outputs

    def backward(self, grads, wants_inputs):
        edges, inputs, hidden, outputs = self.kept
        grads = self.before_activation(grads, outputs)
        by_bias = bias_sums(grads, self.n_threads)
        if not self.concat:
            grads = np.tile(grads * grads.dtype.type(1 / self.heads), self.heads)
        weight, source, target, _ = self.parameters
        back = attention_gradients(
            edges.operator.adjacency, hidden, (source, target), grads, self.slope,
            self.has_loops, self.n_threads)
        return ([inputs.weight_sums(back.hidden), back.source, back.target, by_bias],
                inputs.back((back.hidden, weight)) if wants_inputs else None)


class Propagation(Layer):
    """Personalized PageRank of predictions, which has no parameters.

    While it learns, each hop leaves out other edges. Which ones is drawn again on the way back, so
    that nothing is kept for each edge and hop.
    """

    parameters, decays = (), ()

    def __init__(self, width, n_hops, alpha, dropout, n_threads):
        super().__init__(width, width, None, dropout, n_threads)
        self.n_hops, self.alpha = n_hops, alpha

    def forward(self, edges, features, rng):
        seeds = []
        if rng is not None and self.dropout:
            seeds = rng.integers(2**63, size=self.n_hops).tolist()
        self.keep(rng, edges, seeds)
        if not seeds:
            return hops(edges.operator, features, self.n_hops, self.alpha, self.n_threads)
        matrix, here = edges.droppable, features
        for seed in seeds:
            here = matrix.times(self._values(matrix, seed), here, added=features,
                                added_share=self.alpha)
        return here

    def backward(self, grads, wants_inputs):
        edges, seeds = self.kept
        if not seeds:
            back = transposed(edges.operator)
            return [], hops(back, grads, self.n_hops, self.alpha, self.n_threads)
        # h' = (1 - alpha) A h + alpha x: a share goes to x at each hop, what is left at the end.
        matrix, here = edges.droppable, grads
        total = grads * grads.dtype.type(self.alpha)
        for number, seed in enumerate(seeds[::-1], 1):
            here = matrix.times_back(self._values(matrix, seed), here)
            total += here if number == self.n_hops else here * here.dtype.type(self.alpha)
        return [], total

    def _values(self, matrix, seed):
        values = matrix.dropped(self.dropout, np.random.Generator(np.random.SFC64(seed)))
        return values * values.dtype.type(1 - self.alpha)


def glorot(rng, shape, dtype):
    """Return random weights, uniform and the smaller the more there are to be added."""
    limit = np.sqrt(6 / (shape[0] + shape[1]))
    return rng.uniform(-limit, limit, shape).astype(dtype)
