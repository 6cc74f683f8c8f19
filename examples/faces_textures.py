"""Faces against no faces, and brick, grass and gravel: pixels, features, networks.

    python examples/faces_textures.py [--seeds 5]

Prints the accuracy on images that were not learnt from, over several splits. Textures are patches
of 16 x 16 pixels without mean and contrast: of the left halves of three pictures to learn from, of
the right halves to be tested. Needs scikit-image.
"""

import argparse

import numpy as np
from between_halves import faces, textures
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from convlib import ConvFeatures, ConvNetClassifier
from convlib.layers import Activation, BatchNorm, Branches, Conv, GlobalPool, MaxPool


def rows(X):
    """Return images as rows of pixels."""
    return X.reshape(len(X), -1)


def block():
    """Return kernels of three sizes side by side, the larger ones as a column and a row."""
    return Branches(
        [Conv(8, 1, activation="relu")],
        [Conv(8, 1, activation="relu"), Conv(8, 3, activation="relu")],
        [Conv(8, 1, activation="relu"), Conv(8, (5, 1)), Conv(8, (1, 5), activation="relu")],
        [MaxPool(3, stride=1, padding=1), Conv(8, 1, activation="relu")])


def models(seed):
    """Return what is compared."""
    linear = LogisticRegression(max_iter=2000)
    settings = {"batch_size": 32, "max_iter": 60, "learning_rate_init": 0.003,
                "n_iter_no_change": 60, "random_state": seed}
    start = [Conv(16, 5, bias=False), BatchNorm(), Activation("relu"), MaxPool()]
    return {
        "raw pixels, linear": make_pipeline(FunctionTransformer(rows), StandardScaler(), linear),
        "raw pixels, forest": make_pipeline(
            FunctionTransformer(rows), RandomForestClassifier(random_state=seed)),
        "ConvFeatures, linear": make_pipeline(
            ConvFeatures(64, kernel_size=5, kernels="kmeans", pool="mean", pool_size="global",
                         random_state=seed), StandardScaler(), linear),
        "network": ConvNetClassifier(
            layers=[*start, Conv(32, activation="relu"), GlobalPool()], **settings),
        "network of branches": ConvNetClassifier(
            layers=[*start, block(), GlobalPool()], **settings),
    }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    for problem in (faces, textures):
        scores = {}
        for seed in seeds:
            X, X_test, y, y_test = problem(seed)
            for name, model in models(seed).items():
                scores.setdefault(name, []).append(100 * model.fit(X, y).score(X_test, y_test))
        for name, found in scores.items():
            print(f"{problem.__name__:10s}{name:24s}{np.mean(found):6.2f} +- {np.std(found):4.2f}",
                  flush=True)


if __name__ == "__main__":
    main()
