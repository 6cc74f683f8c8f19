"""Classify time series of unequal length by features of random and fixed convolutions.

    python examples/time_series.py
    python examples/time_series.py TRAIN.tsv TEST.tsv

Without arguments the series are cylinders, bells and funnels [1]: a plateau, a rise or a fall that
begins and ends somewhere in noise. With two files, as the UCR archive has them, each row is a label
and then a series. Prints how many of the test series are recognised, and the features by which a
small tree tells them apart.

[1] N. Saito, "Local feature extraction and its applications using a library of bases", 1994.
"""

import sys
import time

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, export_text

from convlib import HydraFeatures, MiniRocketFeatures, MultiRocketFeatures, RocketFeatures

TRANSFORMERS = (RocketFeatures(2000, random_state=0), MiniRocketFeatures(random_state=0),
                MultiRocketFeatures(random_state=0), HydraFeatures(random_state=0))


def shapes(n, random_state):
    """Return n cylinders, bells and funnels of unequal length, and which they are."""
    rng = np.random.default_rng(random_state)
    series, labels = [], np.arange(n) % 3
    for label in labels:
        length = rng.integers(90, 140)
        first = rng.integers(16, 32)
        last = first + rng.integers(32, 58)
        inside = np.linspace(0, 1, last - first)
        form = (np.ones_like(inside), inside, 1 - inside)[label]
        points = rng.normal(size=length)
        points[first:last] += (6 + rng.normal()) * form
        series.append(points)
    return series, np.array(["cylinder", "bell", "funnel"])[labels]


def read(path):
    """Return the series and labels of a file of the UCR archive."""
    rows = np.genfromtxt(path, delimiter="\t")
    return rows[:, 1:], rows[:, 0]


def main():
    """Fit each transformer and a ridge classifier, and score them."""
    if len(sys.argv) == 3:
        (X, y), (X_test, y_test) = map(read, sys.argv[1:])
    else:
        (X, y), (X_test, y_test) = shapes(60, 0), shapes(300, 1)
    for transformer in TRANSFORMERS:
        start = time.perf_counter()
        model = make_pipeline(
            transformer, StandardScaler(with_mean=False), RidgeClassifierCV(np.logspace(-3, 3, 10)))
        model.fit(X, y)
        score, seconds = model.score(X_test, y_test), time.perf_counter() - start
        print(f"{type(transformer).__name__}: {score:.1%} of {len(y_test)}, {seconds:.2f} s")

    features = MiniRocketFeatures(840, random_state=0)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(features.fit_transform(X), y)
    print(export_text(tree, feature_names=features.get_feature_names_out()))


if __name__ == "__main__":
    main()
