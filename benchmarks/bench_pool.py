"""Pooling against torch and OpenCV, as ratios: above 1, convlib is faster.

    python benchmarks/bench_pool.py [NAME ...] [--threads N] [--dtype float64] [--json RESULTS.json]

torch runs channels first and channels last, OpenCV image by image where one of its filters
computes the same (windows at every pixel; means of 2 x 2), and the best of them counts. All
allocate their output. Without peers the table holds convlib's times alone.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

import convlib as cl
import report
from convlib._native import cpu
from protocol import compare

try:
    import torch
except ImportError:
    torch = None
try:
    import cv2
except ImportError:
    cv2 = None


class Pooling(NamedTuple):
    """A named call: n_images, *size and channels; window, stride, padding."""

    name: str
    shape: tuple
    size: int = 0    # 0: the whole image
    stride: int = 1
    padding: int = 0


POOLINGS = (
    Pooling("64ch 2x2s2", (1, 112, 112, 64), 2, 2),
    Pooling("64ch 3x3s2", (1, 112, 112, 64), 3, 2, 1),
    Pooling("64ch 3x3s1", (1, 112, 112, 64), 3, 1, 1),
    Pooling("batch 3x3s1", (8, 56, 56, 64), 3, 1, 1),
    Pooling("batch 2x2s2", (16, 112, 112, 64), 2, 2),
    Pooling("batch 3x3s2", (16, 112, 112, 64), 3, 2, 1),
    Pooling("large batch 3x3s2", (64, 112, 112, 64), 3, 2, 1),
    Pooling("batch 15x15s1", (4, 128, 128, 32), 15, 1, 7),
    Pooling("16ch 15x15s1", (1, 64, 64, 16), 15, 1, 7),
    Pooling("1ch 2x2s2", (1, 1024, 1024, 1), 2, 2),
    Pooling("1ch 3x3s1", (1, 1024, 1024, 1), 3, 1, 1),
    Pooling("1ch 3x3s2", (1, 1024, 1024, 1), 3, 2, 1),
    Pooling("1ch 15x15s1", (1, 1024, 1024, 1), 15, 1, 7),
    Pooling("3ch 2x2s2", (1, 512, 512, 3), 2, 2),
    Pooling("100ch 3x3s2", (4, 57, 57, 100), 3, 2),
    Pooling("small 2x2s2", (64, 8, 8, 32), 2, 2),
    Pooling("signal 4s4", (32, 10000, 1), 4, 4),
    Pooling("signal 9s1", (32, 5000, 8), 9, 1, 4),
    Pooling("volume 2s2", (1, 48, 64, 64, 16), 2, 2),
    Pooling("volume 3s1", (1, 32, 64, 64, 16), 3, 1, 1),
    Pooling("global 7x7", (32, 7, 7, 2048)),
    Pooling("global 28x28", (8, 28, 28, 256)),
    Pooling("global 224x224", (1, 224, 224, 64)),
    Pooling("global 1ch", (1, 1024, 1024, 1)),
    Pooling("global signal", (64, 5000, 1)),
)

# What the tables call memory formats.
PEERS = {"torch.contiguous_format": "torch", "torch.channels_last": "torch channels_last",
         "torch.channels_last_3d": "torch channels_last"}


def own_functions(pooling, images, n_threads):
    """Return {name: function} for the mean and the maximum."""
    if not pooling.size:
        return {kind: lambda kind=kind: cl.global_pool(images, kind, n_threads=n_threads)
                for kind in ("mean", "max", "std")}
    settings = {"stride": pooling.stride, "padding": pooling.padding, "n_threads": n_threads}
    return {
        "mean": lambda: cl.average_pool(images, pooling.size, **settings),
        "max": lambda: cl.max_pool(images, pooling.size, **settings),
        "indices": lambda: cl.max_pool(images, pooling.size, return_indices=True, **settings),
    }


def torch_functions(pooling, images):
    """Return {(name, memory format): function}."""
    rank = images.ndim - 2
    batch = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
    last = {2: torch.channels_last, 3: torch.channels_last_3d}
    formats = [torch.contiguous_format, *(last[rank] for _ in range(rank > 1))]
    functional = torch.nn.functional
    mean, largest = (getattr(functional, f"{name}_pool{rank}d") for name in ("avg", "max"))
    settings = (pooling.size, pooling.stride, pooling.padding)
    axes = tuple(range(2, images.ndim))
    functions = {}
    for order in formats:
        x = batch.to(memory_format=order)
        if not pooling.size:
            functions["mean", order] = lambda x=x: x.mean(axes)
            functions["max", order] = lambda x=x: x.amax(axes)
            functions["std", order] = lambda x=x: x.std(axes)
            continue
        functions["mean", order] = lambda x=x: mean(x, *settings)
        functions["max", order] = lambda x=x: largest(x, *settings)
        functions["indices", order] = lambda x=x: largest(x, *settings, return_indices=True)
    return functions


def cv2_functions(pooling, images):
    """Return {(name, "cv2"): function} where OpenCV computes the same."""
    *size, channels = images.shape[1:]
    window = (pooling.size, pooling.size)
    functions = {}
    if len(size) != 2 or not pooling.size or channels > 4:
        return functions
    if pooling.stride == 1 and 2 * pooling.padding + 1 == pooling.size:
        functions["mean", "cv2"] = lambda: [
            cv2.blur(x, window, borderType=cv2.BORDER_CONSTANT) for x in images]
        functions["max", "cv2"] = lambda: [
            cv2.dilate(x, np.ones(window, np.uint8)) for x in images]
    if pooling.size == pooling.stride == 2:
        half = (size[1] // 2, size[0] // 2)
        functions["mean", "cv2"] = lambda: [
            cv2.resize(x, half, interpolation=cv2.INTER_AREA) for x in images]
    return functions


def bench(pooling, n_threads, dtype, rounds):
    """Return a row for `report` of each kind of pooling."""
    images = np.random.default_rng(0).standard_normal(pooling.shape, dtype=dtype)
    own = own_functions(pooling, images, n_threads)
    peers = {} if torch is None else torch_functions(pooling, images)
    peers |= {} if cv2 is None else cv2_functions(pooling, images)
    if torch is None:
        times = compare(peers | own, rounds)
    else:
        with torch.inference_mode():
            times = compare(peers | own, rounds)
    return [{
        "pooling": f"{pooling.name}, {name}", "dtype": dtype, "threads": n_threads,
        "target": target(pooling, name, dtype), "own": times[name],
        "peers": {PEERS.get(str(key[1]), str(key[1])): times[key]
                  for key in peers if key[0] == name},
    } for name in own]


def target(pooling, name, dtype):
    """Return the ratio to reach."""
    if dtype == "float64" or name not in ("max", "mean"):
        return 1.0
    if pooling.size == 15:
        return 15.0
    return 1.6 if name == "max" else 1.3


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of poolings; none means all")
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="put the results into those of this file")
    arguments = parser.parse_args()
    if torch is not None:
        torch.set_num_threads(arguments.threads)
    if cv2 is not None:
        cv2.setNumThreads(arguments.threads)
    print(f"tier {cpu.tier()}, {arguments.threads} threads, {arguments.dtype}")
    print(report.POOLING_LINE.format(*report.POOLING_COLUMNS))
    for pooling in POOLINGS:
        if arguments.names and pooling.name not in arguments.names:
            continue
        rows = bench(pooling, arguments.threads, arguments.dtype, arguments.rounds)
        for row in rows:
            print(report.POOLING_LINE.format(*report.pooling_cells(row)), flush=True)
        if arguments.json:
            report.merge_poolings(arguments.json, cpu.tier(), rows)


if __name__ == "__main__":
    main()
