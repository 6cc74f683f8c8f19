"""How fragile is invariance to translation? Digits that are shifted after learning.

    python examples/shifted_digits.py [--seeds 10]

Digits stand in the middle of 14 x 14 pixels, so that none leaves the picture. Models learn from
digits in the middle only; those of the test are shifted by up to 3 pixels. The accuracy for a
distance is the mean over all shifts whose larger component is that distance. The first table
compares models, the second ways for a network to make its maps smaller.
"""

import argparse
import itertools

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from convlib import ConvFeatures, ConvNetClassifier
from convlib.layers import AveragePool, Conv, GlobalPool, MaxPool

MARGIN = 3    # of zeros around a digit


def linear(*steps):
    """Return logistic regression after some steps."""
    return make_pipeline(*steps, LogisticRegression(max_iter=1000))


def features(seed, **pool):
    """Return 32 kernels learnt by k-means, with their maps."""
    return ConvFeatures(32, kernels="kmeans", random_state=seed, **pool)


def models(seed):
    """Return what the first table compares."""
    return {
        "raw pixels": linear(FunctionTransformer(lambda X: X.reshape(len(X), -1))),
        "ConvFeatures, no pooling": linear(features(seed, pool=None)),
        "ConvFeatures, max of 2x2": linear(features(seed, pool_size=2)),
        "ConvFeatures, max of 7x7": linear(features(seed, pool_size=7)),
        "ConvFeatures, global max": linear(features(seed, pool_size="global")),
        "ConvNetClassifier": network(seed),
    }


def network(seed, *smaller, head=(), stride=1):
    """Return a network of two convolutions, each with a way to make its maps smaller."""
    smaller = list(smaller) or ([MaxPool()] if stride == 1 else [])
    layers = []
    for channels in (16, 32):
        layers += [Conv(channels, stride=stride, activation="relu"), *smaller]
    return ConvNetClassifier(
        layers=[*layers, *head], batch_size=64, max_iter=30, learning_rate_init=0.003,
        n_iter_no_change=30, random_state=seed)


def ways(seed):
    """Return what the second table compares."""
    one = MaxPool(1)    # of a single pixel: nothing happens
    found = {}
    for head, layers in (("all pixels", []), ("global mean", [GlobalPool()]),
                         ("global max", [GlobalPool("max")])):
        found |= {
            f"max pooling, {head}": network(seed, MaxPool(), head=layers),
            f"average pooling, {head}": network(seed, AveragePool(), head=layers),
            f"strides, {head}": network(seed, head=layers, stride=2),
            f"none, {head}": network(seed, one, head=layers),
        }
    return found


def padded(X):
    """Return digits with zeros around them."""
    around = (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)
    return np.pad(X.reshape(-1, 8, 8, 1) / 16, around).astype(np.float32)


def by_distance(model, X, y):
    """Return the accuracy, in percent, for shifts of 0 to MARGIN pixels."""
    scores = [[] for _ in range(MARGIN + 1)]
    for shift in itertools.product(range(-MARGIN, MARGIN + 1), repeat=2):
        there = np.roll(X, shift, axis=(1, 2))
        scores[max(map(abs, shift))].append(100 * model.score(there, y))
    return [np.mean(found) for found in scores]


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    X, y = load_digits(return_X_y=True)
    for table in (models, ways):
        scores = {}
        for seed in seeds:
            X_fit, X_test, y_fit, y_test = train_test_split(
                padded(X), y, test_size=0.5, stratify=y, random_state=seed)
            for name, model in table(seed).items():
                found = by_distance(model.fit(X_fit, y_fit), X_test, y_test)
                scores.setdefault(name, []).append(found)
        print(f"{'shifted by':30s}" + "".join(f"{d:15d}" for d in range(MARGIN + 1)))
        for name, found in scores.items():
            columns = zip(np.mean(found, axis=0), np.std(found, axis=0))
            print(f"{name:30s}" + "".join(f"{m:8.1f} +- {d:3.1f}" for m, d in columns), flush=True)


if __name__ == "__main__":
    main()
