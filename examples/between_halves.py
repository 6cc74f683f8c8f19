"""Activation and batch normalisation between the halves of a separable convolution: help or harm?

    python examples/between_halves.py [--seeds 10]

Three problems: scikit-learn's digits, faces against no faces (scikit-image's lfw_subset), and
scikit-image's pictures of brick, grass and gravel. Each seed draws another split and other first
weights. Prints the mean accuracy, its deviation over the seeds, and in how many seeds it was above
that of nothing in between. Needs scikit-image.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from convlib import ConvNetClassifier
from convlib.layers import (
    Activation,
    BatchNorm,
    Conv,
    DepthwiseConv,
    GlobalPool,
    MaxPool,
)

BETWEEN = {
    "neither": [],
    "activation": [Activation("relu")],
    "BatchNorm": [BatchNorm()],
    "both": [BatchNorm(), Activation("relu")],
}
TEXTURES = "brick", "grass", "gravel"
PATCH = 16


def digits(seed):
    """Return images and classes to learn from, then those to be tested with."""
    X, y = load_digits(return_X_y=True)
    return split((X / 16).reshape(-1, 8, 8, 1), y, seed)


def faces(seed):
    """Return 100 faces and 100 pieces of photographs without one, 25 x 25."""
    from skimage import data

    return split(data.lfw_subset()[..., np.newaxis], np.arange(200) < 100, seed)


def textures(seed):
    """Return patches of three pictures: of the left half to learn from, of the right to be tested.

    Each has mean zero and variance one, so that neither brightness nor contrast tells them apart.
    """
    from skimage import data

    rng = np.random.default_rng(seed)
    sides = [], []
    for name in TEXTURES:
        picture = getattr(data, name)() / 255
        for side, half in zip(sides, np.split(picture, 2, axis=1)):
            rows = rng.integers(0, half.shape[0] - PATCH, 200)
            columns = rng.integers(0, half.shape[1] - PATCH, 200)
            side += [half[r:r + PATCH, c:c + PATCH] for r, c in zip(rows, columns)]
    y = np.repeat(np.arange(len(TEXTURES)), 200)
    learnt, tested = (normalised(np.array(side)) for side in sides)
    return learnt, tested, y, y


def split(X, y, seed):
    """Return halves of images and classes."""
    return train_test_split(
        X.astype(np.float32), y, test_size=0.5, stratify=y, random_state=seed)


def normalised(patches):
    """Return patches (n, height, width, 1) with mean zero and variance one each."""
    patches = patches - patches.mean(axis=(1, 2), keepdims=True)
    patches /= patches.std(axis=(1, 2), keepdims=True)
    return patches[..., np.newaxis].astype(np.float32)


def network(between, seed):
    """Return a network of two separable convolutions with `between` within each."""
    layers = [Conv(16, activation="relu"), MaxPool()]
    for channels in (32, 64):
        layers += [DepthwiseConv(3), *between, Conv(channels, 1, activation="relu")]
    return ConvNetClassifier(
        layers=[*layers, GlobalPool()], batch_size=32, max_iter=40, learning_rate_init=0.003,
        n_iter_no_change=40, random_state=seed)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    for problem in (digits, faces, textures):
        scores = {name: [] for name in BETWEEN}
        for seed in seeds:
            X, X_test, y, y_test = problem(seed)
            for name, between in BETWEEN.items():
                fitted = network(between, seed).fit(X, y)
                scores[name].append(100 * fitted.score(X_test, y_test))
        for name, found in scores.items():
            better = np.sum(np.array(found) > scores["neither"])
            print(f"{problem.__name__:10s}{name:12s}{np.mean(found):6.2f} +- {np.std(found):4.2f}"
                  f"   better in {better} of {len(seeds)}", flush=True)


if __name__ == "__main__":
    main()
