"""Graph convolution: operators on features of nodes and a sparse adjacency matrix."""

from convlib.graph._graph import Graph
from convlib.graph._row_blocks import RowBlocks
from convlib.graph.convolutions import (
    aggregate,
    appnp,
    cheb_conv,
    gat_conv,
    gcn_conv,
    gin_conv,
    normalize_adjacency,
    propagate,
    sage_conv,
    ssgc,
)

__all__ = [
    "Graph",
    "RowBlocks",
    "aggregate",
    "appnp",
    "cheb_conv",
    "gat_conv",
    "gcn_conv",
    "gin_conv",
    "normalize_adjacency",
    "propagate",
    "sage_conv",
    "ssgc",
]
