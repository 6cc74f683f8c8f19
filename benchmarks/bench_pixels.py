"""PixelFeatures against scikit-image, as ratios: above 1, convlib is faster.

    python benchmarks/bench_pixels.py [NAME ...] [--threads N] [--rounds N] [--json RESULTS.json]

scikit-image's multiscale_basic_features computes the same features; it runs the scales on as many
threads as it finds processors, or on N.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from skimage.feature import multiscale_basic_features

from convlib import PixelFeatures
from protocol import compare

LINE = "{:<22} {:<15} {:>8} {:>10} {:>10} {:>7} {:>12}"


class Work(NamedTuple):
    """A named image and the scales of its features."""

    name: str
    shape: tuple
    settings: dict


WORKS = (
    Work("gray 256", (256, 256), {}),
    Work("gray 1024", (1024, 1024), {}),
    Work("gray 1024, 4 scales", (1024, 1024), {"sigma_min": 1, "sigma_max": 8}),
    Work("colour 512", (512, 512, 3), {"channel_axis": -1}),
    Work("gray 1024, no texture", (1024, 1024), {"texture": False}),
    Work("volume 64", (64, 64, 64), {"sigma_min": 1, "sigma_max": 4}),
)


def bench(work, n_threads, rounds):
    """Return a row of results."""
    image = np.random.default_rng(0).random(work.shape, np.float32)
    own = PixelFeatures(padding_mode="edge", n_threads=n_threads, **work.settings).fit(image)
    peer = {"workers": n_threads, **work.settings}
    features = own.transform(image)
    expected = multiscale_basic_features(image, **peer).reshape(features.shape)
    error = float(np.abs(features - expected).max())
    seconds = compare({
        "own": lambda: own.transform(image),
        "skimage": lambda: multiscale_basic_features(image, **peer),
    }, rounds)
    return {"name": work.name, "shape": list(work.shape), "features": features.shape[1],
            "seconds": seconds, "ratio": seconds["skimage"] / seconds["own"], "error": error}


def main():
    """Print a table of times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="first letters of names; all if there are none")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    print(LINE.format("image", "shape", "features", "own, ms", "skimage", "ratio", "largest diff"))
    for work in WORKS:
        if arguments.names and not work.name.startswith(tuple(arguments.names)):
            continue
        row = bench(work, arguments.threads, arguments.rounds)
        rows.append(row)
        own, peer = (1e3 * row["seconds"][name] for name in ("own", "skimage"))
        print(LINE.format(row["name"], "x".join(map(str, row["shape"])), row["features"],
                          f"{own:.1f}", f"{peer:.1f}", f"{row['ratio']:.2f}",
                          f"{row['error']:.1e}"))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
