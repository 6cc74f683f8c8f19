"""Training a network of 3x3 convolutions against torch: the same layers, data and batches.

    python benchmarks/bench_conv_net.py [--threads N]

A step is forward, backward and Adam on one batch. torch runs channels first and channels last, and
the better of the two counts. Without torch the table holds convlib's images per second alone. For
scale stands a step of scikit-learn's MLPClassifier beside them, one hidden layer of 100 units on
the same pixels, which knows nothing of neighbours.
"""

import argparse
from typing import NamedTuple

import numpy as np
from sklearn.neural_network import MLPClassifier

from convlib._native import cpu
from convlib.estimators import _training as training
from convlib.estimators._conv_net import ConvNetwork
from convlib.layers import Conv, Dense, Flatten, MaxPool
from protocol import compare

try:
    import torch
except ImportError:
    torch = None


class Network(NamedTuple):
    """A named network: the shape of an image, images of a batch, channels of 3x3 convolutions."""

    name: str
    image_shape: tuple
    batch_size: int
    channels: tuple


NETWORKS = (
    Network("digits 8x8", (8, 8, 1), 64, (32, 64)),
    Network("28x28", (28, 28, 1), 64, (16, 32)),
    Network("32x32 colour", (32, 32, 3), 64, (32, 64, 128)),
)
N_CLASSES = 10


def own_step(network, images, codes, n_threads):
    """Return a function that takes one step of convlib."""
    layers = []
    for channels in network.channels:
        layers += [Conv(channels, activation="relu"), MaxPool()]
    model = ConvNetwork((*layers, Flatten(), Dense(N_CLASSES)), network.image_shape,
                        np.random.default_rng(0), "float32", n_threads)
    model.load = lambda batch: images
    model.loss_of = lambda outputs, batch: training.softmax_cross_entropy(outputs, codes)
    optimizer = training.Adam(model.parameters, 1e-3)

    def step():
        _, gradients = model.loss_and_gradients(None, None)
        optimizer.step(gradients)
    return step


def dense_step(network, images, codes):
    """Return a function that takes one step of scikit-learn's MLPClassifier."""
    model = MLPClassifier((100,), batch_size=network.batch_size, random_state=0)
    rows = images.reshape(len(images), -1)

    def step():
        model.partial_fit(rows, codes, classes=range(N_CLASSES))
    return step


def torch_step(network, images, codes, memory_format):
    """Return a function that takes one step of torch."""
    height, width, before = network.image_shape
    layers = []
    for channels in network.channels:
        layers += [torch.nn.Conv2d(before, channels, 3, padding=1), torch.nn.ReLU(),
                   torch.nn.MaxPool2d(2)]
        before, height, width = channels, height // 2, width // 2
    model = torch.nn.Sequential(
        *layers, torch.nn.Flatten(), torch.nn.Linear(before * height * width, N_CLASSES))
    model = model.to(memory_format=memory_format)
    x = torch.from_numpy(np.moveaxis(images, -1, 1).copy()).contiguous(
        memory_format=memory_format)
    y, loss_of = torch.from_numpy(codes), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step():
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()
    return step


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    n_threads = parser.parse_args().threads or cpu.max_threads()
    print(f"tier {cpu.tier()}, {n_threads} threads, images a second, ratio to torch, and images a "
          "second of MLPClassifier")
    for network in NETWORKS:
        rng = np.random.default_rng(0)
        images = rng.standard_normal((network.batch_size, *network.image_shape), dtype=np.float32)
        codes = rng.integers(0, N_CLASSES, network.batch_size)
        steps = {"own": own_step(network, images, codes, n_threads),
                 "dense": dense_step(network, images, codes)}
        if torch is not None:
            torch.set_num_threads(n_threads)
            for order in (torch.contiguous_format, torch.channels_last):
                steps[str(order)] = torch_step(network, images, codes, order)
        times = compare(steps)
        own, dense = times.pop("own"), times.pop("dense")
        ratio = min(times.values()) / own if times else np.nan
        print(f"{network.name:16s}{network.batch_size / own:10,.0f} {ratio:6.2f}"
              f"{network.batch_size / dense:10,.0f}", flush=True)


if __name__ == "__main__":
    main()
