"""Convolutional features against raw pixels on scikit-learn's digits.

    python examples/digits.py

Prints the accuracy of logistic regression on both, by 5-fold cross-validation, and how many
images a second the features take. Saves digits_features.png, a picture of the kernels and of
some feature maps, where matplotlib is installed.
"""

import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from convlib import ConvFeatures

PICTURE = "digits_features.png"


def features(**parameters):
    """Return the transformer of this example: 64 kernels of 3x3, learnt without labels."""
    return ConvFeatures(
        64, kernels="kmeans", image_shape=(8, 8), random_state=0, **parameters)


def accuracy(X, y, *steps):
    """Return the mean accuracy of logistic regression after `steps`, in percent."""
    model = make_pipeline(MinMaxScaler(), *steps, LogisticRegression(max_iter=5000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return 100 * cross_val_score(model, X, y, cv=folds).mean()


def images_per_second(X):
    """Return the speed of the fitted transformer, the best of several calls."""
    transformer = features().fit(X)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        transformer.transform(X)
        seconds.append(time.perf_counter() - start)
    return len(X) / min(seconds)


def draw(X):
    """Save a picture of the kernels and of the maps of four digits."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    transformer = features(output="maps", pool=None).fit(X)
    digits = X[:4].reshape(4, 8, 8)
    maps = transformer.transform(X[:4])
    figure, axes = plt.subplots(5, 9, figsize=(9, 5.4), layout="constrained")
    limit = np.abs(transformer.kernels_).max()
    for k, axis in enumerate(axes[0, 1:]):
        axis.imshow(transformer.kernels_[:, :, 0, k], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(f"kernel {k}", fontsize=8)
    axes[0, 0].set_title("image", fontsize=8)
    for row, digit, its_maps in zip(axes[1:], digits, maps):
        row[0].imshow(digit, cmap="gray_r")
        for k, axis in enumerate(row[1:]):
            axis.imshow(its_maps[:, :, k], cmap="viridis")
    for axis in axes.flat:
        axis.axis("off")
    figure.suptitle("The first 8 of 64 kernels learnt by k-means, and their maps after ReLU")
    figure.savefig(PICTURE, dpi=120)
    print(f"kernels and feature maps: {PICTURE}")


def main():
    """Run the comparison."""
    X, y = load_digits(return_X_y=True)
    pixels, convolved = accuracy(X, y), accuracy(X, y, features())
    print(f"raw pixels      {pixels:.2f} %")
    print(f"ConvFeatures    {convolved:.2f} %  ({convolved - pixels:+.2f} points)")
    print(f"speed           {images_per_second(X.astype(np.float32)):,.0f} images a second")
    try:
        draw(X)
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
