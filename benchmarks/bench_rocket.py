"""Features of time series against aeon's, and long signals against SciPy and torch, as ratios.

    python benchmarks/bench_rocket.py features [NAME ...] [--threads N]
    python benchmarks/bench_rocket.py first [--threads N]
    python benchmarks/bench_rocket.py signals [--threads N] [--dtype float64]

`features` times transform, with aeon's kernels compiled before; `first` times fit and transform in
a process of their own with an empty cache of compiled code, after the imports; `signals` convolves
long signals with one dilated kernel. aeon's Hydra needs torch. Above 1, convlib is faster.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from typing import NamedTuple

import numpy as np

import convlib as cl
from convlib._native import cpu
from protocol import compare

LINE = "{:<14} {:>18} {:>12} {:>12} {:>8} {:>8}"
TARGETS = {"Rocket": 15.0, "MiniRocket": 2.0}
SHAPES = ((100, 512, 1), (64, 128, 1), (20, 2000, 1), (40, 100, 6), (1, 1000, 1))

OWN = {"Rocket": "RocketFeatures", "MiniRocket": "MiniRocketFeatures",
       "MultiRocket": "MultiRocketFeatures", "HydraTransformer": "HydraFeatures"}

FIRST = """
import time
import numpy as np
from {module} import {name}
X = np.random.default_rng(0).standard_normal({shape}).astype(np.float32)
start = time.perf_counter()
{name}({settings}random_state=0).fit(X).transform(X)
print(time.perf_counter() - start)
"""


class Signal(NamedTuple):
    """One channel: points, taps, dilation."""

    length: int
    taps: int
    dilation: int


SIGNALS = (
    Signal(232_523, 5, 1), Signal(232_523, 5, 8), Signal(232_523, 5, 365), Signal(232_523, 31, 1),
    Signal(1_000_000, 9, 64), Signal(10_000, 9, 4),
)


def bench_features(names, n_threads):
    """Print a line for each transformer and shape."""
    from aeon.transformations.collection import convolution_based

    for name, own in OWN.items():
        if names and name not in names:
            continue
        for shape in SHAPES:
            series = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
            peers_series = np.ascontiguousarray(np.moveaxis(series, -1, 1))
            peer = getattr(convolution_based, name)(n_jobs=n_threads, random_state=0)
            transformer = getattr(cl, own)(n_threads=n_threads, random_state=0).fit(series)
            try:
                peer.fit(peers_series).transform(peers_series)
            except Exception as error:    # some refuse single series
                print(f"{name:<14} {shape!s:>18} aeon: {type(error).__name__}: {error}"[:99])
                continue
            times = compare({"peer": partial(peer.transform, peers_series),
                             "own": partial(transformer.transform, series)}, 5)
            show(name, shape, times["peer"], times["own"], TARGETS.get(name, 1.0))


def bench_first(n_threads):
    """Print a line for each transformer: fit and transform, once, in a new process."""
    n_series, length, _ = SHAPES[0]
    for name, own in OWN.items():
        with tempfile.TemporaryDirectory() as cache:
            peer = seconds_of(
                FIRST.format(module="aeon.transformations.collection.convolution_based",
                             name=name, shape=(n_series, 1, length),
                             settings=f"n_jobs={n_threads}, "), NUMBA_CACHE_DIR=cache)
        mine = seconds_of(FIRST.format(module="convlib", name=own, shape=(n_series, length),
                                       settings=f"n_threads={n_threads}, "))
        show(f"{name}", (n_series, length), peer, mine, 1.0)


def seconds_of(code, **environment):
    """Return what code prints in a new process."""
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True,
                            capture_output=True, text=True, env=os.environ | environment)
    return float(result.stdout.split()[-1])


def bench_signals(n_threads, dtype):
    """Print a line for each signal: SciPy's best way and torch beside `conv`."""
    import torch
    from scipy import signal

    torch.set_num_threads(n_threads)
    rng = np.random.default_rng(0)
    for each in SIGNALS:
        x = rng.standard_normal(each.length).astype(dtype)
        kernel = rng.standard_normal(each.taps).astype(dtype)
        spread = np.zeros((each.taps - 1) * each.dilation + 1, dtype)
        spread[::each.dilation] = kernel[::-1]
        batch, weights = x[np.newaxis, :, np.newaxis], kernel[:, np.newaxis, np.newaxis]
        tensor, filters = torch.from_numpy(x)[None, None], torch.from_numpy(kernel)[None, None]
        functions = {
            "numpy": lambda x=x, spread=spread: np.convolve(x, spread, "valid"),
            "oaconvolve": lambda x=x, spread=spread: signal.oaconvolve(x, spread, "valid"),
            "fftconvolve": lambda x=x, spread=spread: signal.fftconvolve(x, spread, "valid"),
            "torch": lambda x=tensor, w=filters, d=each.dilation: torch.nn.functional.conv1d(
                x, w, dilation=d),
            "own": lambda x=batch, w=weights, d=each.dilation: cl.conv(
                x, w, dilation=d, n_threads=n_threads),
        }
        with torch.inference_mode():
            results = {name: np.ravel(function()) for name, function in functions.items()}
            for result in results.values():
                np.testing.assert_allclose(result, results["own"], atol=1e-4)
            times = compare(functions)
        best = min((name for name in functions if name != "own"), key=times.get)
        show(best, tuple(each), times[best], times["own"], 1.5)


def show(name, shape, peer, own, target):
    """Print one line."""
    print(LINE.format(name, "x".join(map(str, shape)), f"{peer * 1e3:.3f}", f"{own * 1e3:.3f}",
                      f"{peer / own:.2f}", target), flush=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("features", "first", "signals"))
    parser.add_argument("names", nargs="*", help="of aeon's transformers; none means all")
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    arguments = parser.parse_args()
    print(f"tier {cpu.tier()}, {arguments.threads} threads")
    print(LINE.format("peer", "shape", "peer, ms", "own, ms", "ratio", "target"))
    if arguments.what == "features":
        bench_features(arguments.names, arguments.threads)
    elif arguments.what == "first":
        bench_first(arguments.threads)
    else:
        bench_signals(arguments.threads, arguments.dtype)


if __name__ == "__main__":
    main()
