"""Accuracy of the transformers of time series and a ridge classifier, beside aeon's own.

    python benchmarks/accuracy_rocket.py [DATASET ...] [--seeds 5] [--transformers NAME ...]

The datasets are those that the aeon package carries, with their splits into training and test
series. aeon gets series of unequal length with zeros at their ends, which it asks for; convlib gets
them as a list. aeon's Hydra needs torch. Needs no network.
"""

import argparse

import numpy as np
from aeon import datasets
from aeon.transformations.collection import convolution_based
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import convlib as cl

LINE = "{:<16} {:<12} {:>8} {:>8} {:>8}"
SETS = ("gunpoint", "arrow_head", "italy_power_demand", "osuleaf", "basic_motions",
        "japanese_vowels")
PAIRS = {
    "Rocket": (convolution_based.Rocket, cl.RocketFeatures, {}),
    "MiniRocket": (convolution_based.MiniRocket, cl.MiniRocketFeatures, {}),
    "MultiRocket": (convolution_based.MultiRocket, cl.MultiRocketFeatures, {}),
    "Hydra": (convolution_based.HydraTransformer, cl.HydraFeatures, {"output_type": "numpy"}),
}


def load(name, split):
    """Return series (channels, length) and labels."""
    return getattr(datasets, f"load_{name}")(split=split)


def padded(series, length):
    """Return series of unequal length as an array, with zeros at their ends."""
    return np.stack([np.pad(one, ((0, 0), (0, length - one.shape[1]))) for one in series])


def score(transformer, train, test):
    """Return the accuracy on the test series, in percent."""
    model = make_pipeline(
        transformer, StandardScaler(with_mean=False), RidgeClassifierCV(np.logspace(-3, 3, 10)))
    return 100 * model.fit(*train).score(*test)


def main():
    """Print a table of means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of datasets; none means all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--transformers", nargs="*", default=list(PAIRS))
    arguments = parser.parse_args()
    print(LINE.format("dataset", "features", "aeon", "convlib", "more"))
    differences = {}
    for name in arguments.names or SETS:
        (X, y), (X_test, y_test) = (load(name, split) for split in ("train", "test"))
        own = [[one.T.astype(np.float32) for one in series] for series in (X, X_test)]
        length = max(one.shape[1] for series in (X, X_test) for one in series)
        peers = [padded(series, length).astype(np.float32) for series in (X, X_test)]
        for word in arguments.transformers:
            peer, mine, settings = PAIRS[word]
            seeds = range(arguments.seeds)
            theirs = np.mean([score(peer(random_state=seed, n_jobs=2, **settings),
                                    (peers[0], y), (peers[1], y_test)) for seed in seeds])
            ours = np.mean([score(mine(random_state=seed), (own[0], y), (own[1], y_test))
                            for seed in seeds])
            differences.setdefault(word, []).append(ours - theirs)
            print(LINE.format(name, word, f"{theirs:.2f}", f"{ours:.2f}", f"{ours - theirs:+.2f}"),
                  flush=True)
    for word, values in differences.items():
        print(LINE.format("mean", word, "", "", f"{np.mean(values):+.2f}"))


if __name__ == "__main__":
    main()
