"""Rank filters against OpenCV and scipy.ndimage, as ratios: above 1, convlib is faster.

    python benchmarks/bench_rank.py [WINDOW ...] [--threads N] [--size 1024] [--rounds N]

A window is 3x3, for example; none means all. OpenCV's time is the better of a fresh output and
`dst=`; convlib allocates its output.
"""

import argparse

import numpy as np
import scipy.ndimage

from convlib import filters
from convlib._native import cpu
from protocol import compare

try:
    import cv2
except ImportError:
    cv2 = None

# Filter, window, shape as parts of --size, dtypes.
CASES = (
    ("median", (3, 3), (1, 1), ("uint8", "uint16", "float32", "float64")),
    ("median", (5, 5), (1, 1), ("uint8", "uint16", "float32", "float64")),
    ("median", (9, 9), (2, 2), ("uint8", "float32")),
    ("median", (31, 31), (2, 2), ("uint8", "float32")),
    ("median", (3, 3, 3), (32, 8, 8), ("uint8", "float32")),
    ("median", (9,), (1 / 256,), ("uint8", "float32")),
    ("median", (101,), (1 / 256,), ("uint8", "float32")),
    ("maximum", (3, 3), (1, 1), ("uint8", "float32")),
    ("maximum", (15, 15), (1, 1), ("uint8", "float32")),
)
LINE = "{:<26} {:>8} {:>9} {:>9} {:>9} {:>7} {:>7}"


def functions(name, window, image, n_threads):
    """Return {name: function} of convlib and its peers."""
    peer = {"median": scipy.ndimage.median_filter, "maximum": scipy.ndimage.maximum_filter}[name]
    found = {
        "own": lambda: getattr(filters, name)(image, window, n_threads=n_threads),
        "scipy": lambda: peer(image, window),
    }
    if cv2 is None or len(window) != 2 or image.dtype == np.float64:
        return found
    out = np.empty_like(image)
    largest = 255 if image.dtype == np.uint8 else 5  # medians of other types stop there
    if name == "maximum":
        ones = np.ones(window, np.uint8)
        found["cv2"] = lambda: cv2.dilate(image, ones)
        found["cv2 dst"] = lambda: cv2.dilate(image, ones, dst=out)
    elif window[0] <= largest:
        found["cv2"] = lambda: cv2.medianBlur(image, window[0])
        found["cv2 dst"] = lambda: cv2.medianBlur(image, window[0], dst=out)
    return found


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("windows", nargs="*")
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if cv2 is not None:
        cv2.setNumThreads(arguments.threads)
    print(f"tier {cpu.tier()}, {arguments.threads} threads; milliseconds")
    print(LINE.format("filter", "dtype", "own", "cv2", "scipy", "x cv2", "x scipy"))
    for name, window, parts, dtypes in CASES:
        taps = "x".join(map(str, window))
        if arguments.windows and taps not in arguments.windows:
            continue
        shape = tuple(max(1, int(arguments.size / part)) for part in parts)
        for dtype in dtypes:
            image = (np.random.default_rng(0).random(shape) * 255).astype(dtype)
            times = compare(functions(name, window, image, arguments.threads), arguments.rounds)
            own, peer = times["own"], min(times.get("cv2", np.inf), times.get("cv2 dst", np.inf))
            cells = (own * 1e3, peer * 1e3, times["scipy"] * 1e3)
            print(LINE.format(f"{name} {taps}", dtype,
                              *(f"{cell:.3f}" for cell in cells), f"{peer / own:.2f}",
                              f"{times['scipy'] / own:.1f}"), flush=True)


if __name__ == "__main__":
    main()
