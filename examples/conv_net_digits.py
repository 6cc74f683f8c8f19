"""A small network of convolutions on scikit-learn's digits, by 5-fold cross-validation.

    python examples/conv_net_digits.py

Prints the table of its layers, the accuracy, and for scale that of scikit-learn's MLPClassifier.
"""

import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from convlib import ConvNetClassifier
from convlib.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, MaxPool


def block(n_channels):
    """Return a convolution, normalised over batches, with its activation."""
    return [Conv(n_channels, bias=False), BatchNorm(), Activation("relu")]


LAYERS = [
    *block(32), *block(32), MaxPool(), Dropout(0.2), *block(64), *block(64), Dropout(0.3),
    Flatten(), Dense(128, "relu"), Dropout(0.5),
]


def network():
    """Return the network of this example."""
    return ConvNetClassifier(
        layers=LAYERS, image_shape=(8, 8), scale=1 / 16, batch_size=64, max_iter=40,
        learning_rate="invscaling", learning_rate_init=0.003, power_t=0.5,
        n_iter_no_change=50, random_state=0)


def main():
    """Run the comparison."""
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    network().summary()
    models = {
        "ConvNetClassifier": network(),
        "MLPClassifier": make_pipeline(MinMaxScaler(), MLPClassifier(max_iter=400, random_state=0)),
    }
    for name, model in models.items():
        start = time.perf_counter()
        scores = cross_val_score(model, X, y, cv=folds)
        print(f"{name:18s} {100 * scores.mean():.2f} %  ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
