"""Kernels of one layer learnt by backpropagation: the layer, then a softmax, which is dropped."""

import numpy as np

from convlib.estimators import _training as training
from convlib.estimators._conv_network import ConvNetwork
from convlib.layers import AveragePool, Conv, Dense, Flatten, GlobalPool, MaxPool

N_EPOCHS = 30
BATCH = 64
LEARNING_RATE = 3e-3
L2 = 1e-4
WINDOWS = {"max": MaxPool, "mean": AveragePool}


def learn_layer(settings, images, y, channels, random_state, progress=None):
    """Return the kernels and the bias of `LayerSettings` for `Images` and their classes.

    `progress` is called after each of `N_EPOCHS`.
    """
    classes, codes = np.unique(y, return_inverse=True)
    rng = training.generator(random_state)
    layers = (
        Conv(settings.n_kernels, settings.kernel_size, settings.stride, settings.padding,
             settings.padding_mode, settings.dilations[0], settings.groups, settings.activation),
        *_pooling(settings), Dense(len(classes)))
    network = ConvNetwork(layers, images.shape, rng, images.dtype, None)
    factor = images.dtype.type(settings.scale)
    network.load = lambda batch: images.rows(batch) * factor
    network.loss_of = lambda outputs, batch: training.softmax_cross_entropy(outputs, codes[batch])
    optimizer = training.Adam(network.parameters, LEARNING_RATE, l2=network.decays(L2))
    training.train(network, optimizer, training.minibatches(len(codes), BATCH),
                   max_epochs=N_EPOCHS, rng=rng, progress=progress)
    return network.arrays["0.kernel"], network.arrays["0.bias"]


def _pooling(settings):
    """Return the layers between the maps and the softmax."""
    if settings.pool is None:
        return (Flatten(),)
    if settings.pool_size == "global":
        return (GlobalPool(settings.pool),)
    return WINDOWS[settings.pool](settings.pool_size, settings.pool_stride), Flatten()
