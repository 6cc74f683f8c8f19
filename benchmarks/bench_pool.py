"""Pooling against torch, as ratios: above 1, convlib is faster.

    python benchmarks/bench_pool.py [--threads N]

torch runs channels first and channels last, and the better of the two counts. Both allocate
their output. Without torch the table holds convlib's times alone.
"""

import argparse
from typing import NamedTuple

import numpy as np

import convlib as cl
from convlib._native import cpu
from protocol import compare

try:
    import torch
except ImportError:
    torch = None


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


def bench(pooling, n_threads):
    """Return {name: (seconds, ratio to torch)}."""
    images = np.random.default_rng(0).standard_normal(pooling.shape, dtype=np.float32)
    own = own_functions(pooling, images, n_threads)
    if torch is None:
        return {name: (seconds, np.nan) for name, seconds in compare(own).items()}
    peers = torch_functions(pooling, images)
    with torch.inference_mode():
        times = compare(peers | own)
    best = {name: min(times[key] for key in peers if key[0] == name) for name in own}
    return {name: (times[name], best[name] / times[name]) for name in own}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    n_threads = parser.parse_args().threads
    if torch is not None:
        torch.set_num_threads(n_threads or cpu.max_threads())
    print(f"tier {cpu.tier()}, {n_threads or cpu.max_threads()} threads, ms and ratio to torch")
    for pooling in POOLINGS:
        columns = (f"{name:8s}{1e3 * seconds:9.3f} {ratio:6.2f}"
                   for name, (seconds, ratio) in bench(pooling, n_threads).items())
        print(f"{pooling.name:16s}", *columns, sep="   ")


if __name__ == "__main__":
    main()
