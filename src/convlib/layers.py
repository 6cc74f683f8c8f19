"""Layers of networks: what they are made of, and how they learn.

A layer is a small description that never changes. It knows the shape of its outputs, how many
values it learns, how many products it takes and how far it sees; given arrays it runs forward, and
backward for the gradients. A network is a list of layers, as `convlib.ConvNetClassifier` takes it;
a `Network` holds weights as well.
"""

from convlib._layers import chain as _chain
from convlib._layers import table as _table
from convlib._layers.blocks import Branches, Residual
from convlib._layers.convolutions import (
    Conv,
    DepthwiseConv,
    SeparableConv,
    SpatiallySeparableConv,
)
from convlib._layers.deformable import DeformConv
from convlib._layers.heads import Dense, Flatten
from convlib._layers.insight import deconvnet, occlusion_map
from convlib._layers.layer import Layer
from convlib._layers.network import Network
from convlib._layers.pooling import AveragePool, GlobalPool, MaxPool
from convlib._layers.transposed import TransposedConv
from convlib._layers.values import Activation, BatchNorm, ChannelShuffle, Dropout, Softmax

__all__ = [
    "Activation",
    "AveragePool",
    "BatchNorm",
    "Branches",
    "ChannelShuffle",
    "Conv",
    "DeformConv",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalPool",
    "Layer",
    "MaxPool",
    "Network",
    "Residual",
    "SeparableConv",
    "Softmax",
    "SpatiallySeparableConv",
    "TransposedConv",
    "deconvnet",
    "occlusion_map",
    "summary",
]


def summary(layers, input_shape):
    """Return a table of a network: shapes, parameters, multiply-adds and receptive fields.

    Parameters
    ----------
    layers : list of layers
        The network.
    input_shape : tuple of int
        Shape of one sample: spatial axes and channels.

    Returns
    -------
    table : str
        A line for each layer. The last column tells how many pixels of the input a value sees;
        the totals are in the last line.

    Raises
    ------
    ValueError
        If a layer does not go with the one before it; the message says which.

    Examples
    --------
    >>> from convlib.layers import Conv, Dense, Flatten, MaxPool, summary
    >>> print(summary([Conv(8), MaxPool(), Flatten(), Dense(10)], (8, 8, 1)))
    layer    output     parameters  multiply-adds     sees
    ------------------------------------------------------
    input    8 x 8 x 1
    Conv     8 x 8 x 8          80          4,608    3 x 3
    MaxPool  4 x 4 x 8           0              0    4 x 4
    Flatten  128                 0              0  10 x 10
    Dense    10              1,290          1,280  10 x 10
    ------------------------------------------------------
    total                    1,370          5,888
    """
    return _table.as_text(_chain.check_layers("layers", layers), input_shape)
