"""What graph convolutions make of features where they have no weights: a table by name."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from convlib.graph._layers import activated, average, averaged, chebyshev, each_hop, hops


@dataclass(frozen=True)
class Convolution:
    """How a convolution takes the adjacency, unless it is told otherwise."""

    normalization: str = "symmetric"
    self_loops: str = "fill"
    weighted: bool = True     # whether weights of edges count
    concat: bool = False      # whether the features of all hops stand side by side
    alpha: float | None = None    # share of the features themselves, where it has one
    is_layered: bool = False  # whether each hop has weights and an activation of its own

    @property
    def handling(self):
        """Normalization, self loops and whether weights count."""
        return self.normalization, self.self_loops, self.weighted


CONVOLUTIONS = {
    "sgc": Convolution(),
    "gcn": Convolution(is_layered=True),
    "sign": Convolution(concat=True),
    "ssgc": Convolution(alpha=0.05),
    "appnp": Convolution(alpha=0.1),
    "sage": Convolution("row", "keep", weighted=False, concat=True, is_layered=True),
    "gin": Convolution("none", "keep", weighted=False, is_layered=True),
    "cheb": Convolution(self_loops="remove", concat=True),
}
LAMBDA_MAX = 2.0    # of the symmetric Laplacian


@dataclass(frozen=True)
class Settings:
    """A convolution without weights, all of its parameters settled."""

    conv: str
    n_hops: int
    alpha: float = 0.0
    aggregation: str = "mean"      # of 'sage'
    concat: bool = False
    activation: str | None = None


def propagated(settings, operator, features, n_threads=None):
    """Return features after the last hop, or those after 0, 1, ... hops side by side."""
    n_features, n_hops = features.shape[-1], settings.n_hops
    activation = None if CONVOLUTIONS[settings.conv].is_layered else settings.activation
    if not settings.concat:
        return activated(_last(settings, operator, features, n_threads), activation, n_threads)
    out = np.empty((*features.shape[:-1], (n_hops + 1) * n_features), features.dtype)
    terms = chain([features], _terms(settings, operator, features, n_threads))
    for hop, term in enumerate(terms):
        out[..., hop * n_features:(hop + 1) * n_features] = term
    return activated(out, activation, n_threads)


def _last(settings, operator, features, n_threads):
    if settings.n_hops == 0:
        return features.copy()
    if settings.conv in ("sgc", "sign", "appnp"):
        return hops(operator, features, settings.n_hops, settings.alpha, n_threads)
    if settings.conv == "ssgc":
        return average(operator, features, settings.n_hops, settings.alpha, n_threads)
    for term in _terms(settings, operator, features, n_threads):
        here = term
    return here


def _terms(settings, operator, features, n_threads):
    """Yield the features after each hop from the first on."""
    conv, n_hops = settings.conv, settings.n_hops
    if conv in ("sgc", "sign", "appnp"):
        yield from each_hop(operator, features, n_hops, settings.alpha, n_threads)
    elif conv == "cheb":
        yield from chebyshev(operator, features, n_hops + 1, LAMBDA_MAX, n_threads)
    elif conv == "ssgc":
        yield from _averages(operator, features, n_hops, settings.alpha, n_threads)
    else:
        operator = operator.looped(1) if conv == "gin" else operator
        reduction = "max" if conv == "sage" and settings.aggregation == "max" else "sum"
        here = features
        for _ in range(n_hops):
            here = operator.gather(here, reduction=reduction, activation=settings.activation,
                                   n_threads=n_threads)
            yield here


def _averages(operator, features, n_hops, alpha, n_threads):
    """Yield what `average` returns for 1, 2, ... hops."""
    total = np.zeros_like(features)
    for hop, here in enumerate(each_hop(operator, features, n_hops, n_threads=n_threads), 1):
        total += here
        yield averaged(total, hop, features, alpha)
