"""What a grid search over a classifier pays for the features in front of it.

    python benchmarks/bench_grid_search.py [--images N] [--size N]

The same grid, of 8 values and 5 folds, with the features in the Pipeline, with the memory of the
Pipeline, which hashes X, with the same where X holds numbers of rows, with features that are
frozen, and with features that were computed before. Then the speed of the hash by itself.
"""

import argparse
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from convlib import ConvFeatures

ALPHAS = np.logspace(-2, 5, 8)


def rows_of(numbers, path):
    """Return images by their numbers, from a file that stays on disk."""
    return np.load(path, mmap_mode="r")[numbers[:, 0]]


def pipeline(features, memory=None):
    """Return the features and a classifier as one estimator."""
    return Pipeline([("features", features), ("classifier", RidgeClassifier())], memory=memory)


def timed_search(estimator, name, X, y):
    """Return the seconds of a search over `name`, and its best score."""
    begin = time.perf_counter()
    search = GridSearchCV(estimator, {name: ALPHAS}, cv=5).fit(X, y)
    return time.perf_counter() - begin, search.best_score_


def searches(X, y, folder):
    """Yield the name of each way, its seconds and its best score."""
    features = ConvFeatures(32, 7, pool_size=16, random_state=0)
    alpha, path = "classifier__alpha", folder / "images.npy"
    np.save(path, X)
    numbers = np.arange(len(X)).reshape(-1, 1)
    yield "in the Pipeline", *timed_search(pipeline(features), alpha, X, y)
    frozen = FrozenEstimator(features.fit(X))
    yield "frozen, in the Pipeline", *timed_search(pipeline(frozen), alpha, X, y)
    cached = pipeline(features, str(folder / "a"))
    for which in ("first search", "second search"):
        yield f"memory=, {which}", *timed_search(cached, alpha, X, y)
    loading = FunctionTransformer(rows_of, kw_args={"path": str(path)}, check_inverse=False)
    cached = pipeline(make_pipeline(loading, features), str(folder / "b"))
    for which in ("first search", "second search"):
        yield f"memory=, row numbers, {which}", *timed_search(cached, alpha, numbers, y)
    begin = time.perf_counter()
    rows = features.fit_transform(X)
    once = time.perf_counter() - begin
    seconds, score = timed_search(RidgeClassifier(), "alpha", rows, y)
    yield "computed before", once + seconds, score
    yield "of which the features", once, score


def hashing(X):
    """Yield the name of each thing that joblib hashes, its bytes and its seconds."""
    numbers = np.arange(len(X)).reshape(-1, 1)
    for name, value in (("X, float32", X), ("X, bytes", X.astype(np.uint8)),
                        ("row numbers", numbers)):
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            joblib.hash(value)
            times.append(time.perf_counter() - begin)
        yield name, value.nbytes, min(times)


def main():
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1797)
    parser.add_argument("--size", type=int, default=64, help="pixels along a side")
    options = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    X, y = X[:options.images].reshape(-1, 8, 8).astype(np.float32), y[:options.images]
    X = np.kron(X, np.ones((options.size // 8, options.size // 8), np.float32))
    print(f"X {X.shape}, {X.nbytes / 1e6:.0f} MB; {len(ALPHAS)} values, 5 folds")
    print(f"{'features':<42}{'seconds':>9}{'best score':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds, score in searches(X, y, Path(folder)):
            print(f"{name:<42}{seconds:>9.2f}{score:>12.4f}")
    print(f"{'joblib.hash of':<42}{'seconds':>9}{'MB/s':>12}")
    for name, n_bytes, seconds in hashing(X):
        print(f"{name:<42}{seconds:>9.4f}{n_bytes / seconds / 1e6:>12.0f}")


if __name__ == "__main__":
    main()
