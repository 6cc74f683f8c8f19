"""Networks on graphs: layers one after the other, as the training loop wants a model."""

import numpy as np

from convlib.estimators._graph_layers import GAT, GCN, SAGE, Linear, Propagation
from convlib.estimators._training import softmax_cross_entropy
from convlib.graph._propagation import CONVOLUTIONS as PROPAGATIONS

# How each takes the adjacency: normalization, self loops and whether weights count.
CONVOLUTIONS = {
    "gcn": PROPAGATIONS["gcn"].handling,
    "sage": PROPAGATIONS["sage"].handling,
    "gat": ("none", "remove", False),
    "appnp": PROPAGATIONS["appnp"].handling,
}
HIDDEN_UNITS = {"gcn": 16, "sage": 16, "gat": 8, "appnp": 64}


class GraphNetwork:
    """Layers of one kind of convolution from features to the scores of classes.

    A batch is `(edges, features, rows, codes)`: the whole graph, and those of its nodes whose
    classes teach.
    """

    def __init__(self, conv, n_features, n_classes, *, hidden_units, n_layers, n_heads, n_hops,
                 alpha, dropout, activation, has_loops, n_threads, rng, dtype):
        self.n_features, self.layers = n_features, []
        width = n_features
        for number in range(n_layers):
            last = number == n_layers - 1
            outputs = n_classes if last else hidden_units
            settings = (width, outputs, None if last else activation, dropout, n_threads)
            options = {"rng": rng, "dtype": dtype}
            width = outputs
            if conv == "gat":
                heads = 1 if last else n_heads
                layer = GAT(*settings, heads=heads, concat=not last, has_loops=has_loops,
                            **options)
                width = outputs * heads
            else:
                layer = {"gcn": GCN, "sage": SAGE, "appnp": Linear}[conv](*settings, **options)
            self.layers.append(layer)
        if conv == "appnp":
            self.layers.append(Propagation(width, n_hops, alpha, dropout, n_threads))

    @property
    def parameters(self):
        """The arrays that are learnt."""
        return [array for layer in self.layers for array in layer.parameters]

    def decays(self, weight_decay):
        """Return the decay of each parameter: weights of the first layer, and no biases."""
        return [weight_decay if decays and number == 0 else 0.0
                for number, layer in enumerate(self.layers) for decays in layer.decays]

    def forget(self):
        """Drop what the way back would need."""
        for layer in self.layers:
            layer.forget()

    def scores(self, edges, features, rng=None):
        """Return the scores of all nodes."""
        for layer in self.layers:
            features = layer.forward(edges, features, rng)
        return features

    def loss_and_gradients(self, batch, rng):
        """Return the mean loss of the nodes that teach and its gradients by the parameters."""
        edges, features, rows, codes = batch
        scores = self.scores(edges, features, rng)
        loss, by_rows = softmax_cross_entropy(scores[rows], codes)
        grads = np.zeros_like(scores)
        grads[rows] = by_rows
        gradients = []
        for number, layer in reversed(list(enumerate(self.layers))):
            own, grads = layer.backward(grads, wants_inputs=number > 0)
            gradients[:0] = own
        return loss, gradients
