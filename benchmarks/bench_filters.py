"""Filters against OpenCV and scipy.ndimage, as ratios: above 1, convlib is faster.

    python benchmarks/bench_filters.py [NAME ...] [--sizes 1024 4096] [--dtypes float32 uint8]
                                       [--threads N] [--scipy] [--json RESULTS.json]

Both libraries run with a fresh result and with one that is given, and the better time counts.
scipy.ndimage takes its time and is asked only with --scipy; it runs on one thread.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from convlib import filters
from convlib._native import cpu
from protocol import compare

try:
    import cv2
except ImportError:
    cv2 = None

N_GABORS = 48
GABOR = {"sigma_x": 10 / 3, "sigma_y": 10 / 3, "n_stds": 3.0}    # 21 x 21 taps
LINE = "{:<22} {:>5} {:<8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>7}"


class Filter(NamedTuple):
    """A named filter: what each library calls it, and the ratios to reach."""

    name: str
    own: object         # function of (image, n_threads, out)
    opencv: object      # function of (image, temporaries: a list of arrays or None)
    scipy: object       # function of image
    target: float


def first(temporaries, k=0):
    """Return an array for a result, or None for a fresh one."""
    return None if temporaries is None else temporaries[k]


def opencv_magnitude(image, temporaries):
    """Return the magnitude of Sobel's gradient, in OpenCV's three calls."""
    x = cv2.Sobel(image, cv2.CV_32F, 1, 0, dst=first(temporaries, 0))
    y = cv2.Sobel(image, cv2.CV_32F, 0, 1, dst=first(temporaries, 1))
    return cv2.magnitude(x, y, magnitude=first(temporaries, 2))


def opencv_sharpen(image, temporaries):
    """Return the image sharpened by its eight neighbours."""
    kernel = np.full((3, 3), -1, np.float32)
    kernel[1, 1] = 9
    return cv2.filter2D(image, cv2.CV_32F, kernel, dst=first(temporaries, 0))


def gaussian(sigma, target=1.8):
    """Return a Gaussian; OpenCV's window is as wide as it makes it of sigma by itself."""
    def opencv(image, temporaries):
        same = None if temporaries is None else temporaries[3]
        return cv2.GaussianBlur(image, (0, 0), sigma, dst=same)

    def own(image, n_threads, out):
        truncate = 4.0 if image.dtype == np.float32 else 3.0
        return filters.gaussian(image, sigma, truncate=truncate, n_threads=n_threads, out=out)

    return Filter(f"gaussian {sigma}", own, opencv,
                  lambda image: ndimage.gaussian_filter(image, sigma), target)


def mean(size):
    """Return a mean."""
    return Filter(
        f"mean {size}",
        lambda image, n_threads, out: filters.mean(image, size, n_threads=n_threads, out=out),
        lambda image, temporaries: cv2.blur(
            image, (size, size), dst=None if temporaries is None else temporaries[3]),
        lambda image: ndimage.uniform_filter(image, size), 1.5)


def real_copy(image):
    """Return an image in float32, which scipy.ndimage needs for results below 0."""
    return image.astype(np.float32, copy=False)


FILTERS = (
    gaussian(1.0), gaussian(2.0), gaussian(10.0), mean(3), mean(5), mean(15),
    Filter("gradient magnitude", lambda image, n, out: filters.sobel(image, n_threads=n, out=out),
           opencv_magnitude,
           lambda image: ndimage.generic_gradient_magnitude(real_copy(image), ndimage.sobel), 3.5),
    Filter("laplace", lambda image, n, out: filters.laplace(image, n_threads=n, out=out),
           lambda image, t: cv2.Laplacian(image, cv2.CV_32F, dst=first(t)),
           lambda image: ndimage.laplace(real_copy(image)), 1.5),
    Filter("sharpen", lambda image, n, out: filters.sharpen(image, n_threads=n, out=out),
           opencv_sharpen,
           lambda image: ndimage.correlate(
               real_copy(image), np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1.0]])), 1.5),
)


def is_kept(name):
    """Return whether a filter keeps the dtype of integers."""
    return name.startswith(("gaussian", "mean"))


def bench(entry, size, dtype, n_threads, with_scipy, rounds):
    """Return a row of results."""
    rng = np.random.default_rng(0)
    image = rng.random((size, size), np.float32) if dtype == "float32" else \
        rng.integers(0, 256, (size, size), np.uint8)
    out = np.empty_like(image) if is_kept(entry.name) else np.empty(image.shape, np.float32)
    temporaries = [np.empty(image.shape, np.float32) for _ in range(3)] + [np.empty_like(image)]
    functions = {
        "own": lambda: entry.own(image, n_threads, None),
        "own out": lambda: entry.own(image, n_threads, out),
    }
    if cv2 is not None:
        functions["cv2"] = lambda: entry.opencv(image, None)
        functions["cv2 out"] = lambda: entry.opencv(image, temporaries)
    if with_scipy:
        functions["scipy"] = lambda: entry.scipy(image)
    return row_of(entry.name, size, dtype, n_threads, compare(functions, rounds), entry.target)


def bench_gabors(size, n_threads, rounds, stretch):
    """Return a row for a bank of Gabor filters, of two terms each or of full rank."""
    image = np.random.default_rng(0).random((size, size), np.float32)
    angles = np.arange(N_GABORS) * np.pi / N_GABORS
    settings = GABOR | {"sigma_y": GABOR["sigma_x"] * stretch, "part": "real"}
    taps = [gabor_taps(angle, settings) for angle in angles]
    out = np.empty_like(image)
    functions = {"own": lambda: [
        filters.gabor(image, 0.15, angle, n_threads=n_threads, out=out, **settings)
        for angle in angles]}
    if cv2 is not None:
        functions["cv2"] = lambda: [cv2.filter2D(image, -1, kernel, dst=out) for kernel in taps]
    name = f"{N_GABORS} gabors" + ("" if stretch == 1 else ", full rank")
    return row_of(name, size, "float32", n_threads, compare(functions, rounds),
                  6.0 if stretch == 1 else 3.0)


def gabor_taps(angle, settings):
    """Return the taps of a kernel: the filter's answer to a point."""
    point = np.zeros((21, 21), np.float32)
    point[10, 10] = 1
    return np.flip(filters.gabor(point, 0.15, angle, padding_mode="constant", **settings)).copy()


def row_of(name, size, dtype, n_threads, times, target):
    """Return the results of one comparison, the better time of each library."""
    best = {library: min(value for key, value in times.items() if key.split()[0] == library)
            for library in {key.split()[0] for key in times}}
    return {"filter": name, "size": size, "dtype": dtype, "threads": n_threads, "target": target,
            "fresh": times["own"], **best}


def cells(row):
    """Return the cells of a row: times in ms, ratios."""
    times = [f"{1e3 * row[key]:.3f}" if key in row else "-" for key in ("own", "cv2", "scipy")]
    ratios = [f"{row[key] / row['own']:.2f}" if key in row else "-" for key in ("cv2", "scipy")]
    return row["filter"], row["size"], row["dtype"], *times, *ratios, row["target"]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of filters; none means all")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1024, 4096])
    parser.add_argument("--dtypes", nargs="*", default=["float32", "uint8"])
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    parser.add_argument("--scipy", action="store_true", help="measure scipy.ndimage, too")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    if cv2 is not None:
        cv2.setNumThreads(arguments.threads)
    print(f"tier {cpu.tier()}, {arguments.threads} threads")
    print(LINE.format("filter", "size", "dtype", "own ms", "cv2 ms", "scipy ms", "x cv2",
                      "x scipy", "target"))
    rows = []

    def show(row):
        rows.append(row)
        print(LINE.format(*map(str, cells(row))), flush=True)

    for size in arguments.sizes:
        for dtype in arguments.dtypes:
            for entry in FILTERS:
                if not arguments.names or entry.name in arguments.names:
                    show(bench(entry, size, dtype, arguments.threads, arguments.scipy,
                               arguments.rounds))
        if size <= 1024 and (not arguments.names or "gabors" in arguments.names):
            for stretch in (1, 0.5):
                show(bench_gabors(size, arguments.threads, 2, stretch))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
