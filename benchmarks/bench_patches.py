"""im2col against its peers, as ratios: above 1, convlib is faster.

    python benchmarks/bench_patches.py [--threads N]

The peers are torch's unfold on images with channels first, whose patches come in another order,
and a copy of numpy's view of sliding windows. All allocate their output.
"""

import argparse
from functools import partial
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

import convlib as cl
from convlib._native import cpu
from protocol import compare

try:
    import torch
except ImportError:
    torch = None


class Patches(NamedTuple):
    """A named call: images, side of a patch and stride."""

    name: str
    shape: tuple
    size: int
    stride: int = 1


CALLS = (
    Patches("2000x2000, 100x100 s100", (1, 2000, 2000, 1), 100, 100),
    Patches("2000x2000, 100x100 s25", (1, 2000, 2000, 1), 100, 25),
    Patches("224x224x3, 8x8 s8", (16, 224, 224, 3), 8, 8),
    Patches("224x224x3, 3x3", (1, 224, 224, 3), 3),
    Patches("32 of 28x28, 5x5", (32, 28, 28, 1), 5),
    Patches("56x56x64, 3x3", (1, 56, 56, 64), 3),
)


def numpy_patches(images, size, stride):
    """Return the rows of im2col by a view and a copy."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), (1, 2))
    windows = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(*windows.shape[:3], -1)


def bench(call):
    """Return {name: seconds} of convlib and the peers."""
    images = np.random.default_rng(0).standard_normal(call.shape, dtype=np.float32)
    functions = {
        "convlib": partial(cl.im2col, images, call.size, stride=call.stride),
        "numpy": partial(numpy_patches, images, call.size, call.stride),
    }
    if not np.array_equal(functions["convlib"](), functions["numpy"]()):
        raise AssertionError(f"{call.name}: the results differ")
    if torch is not None:
        batch = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
        functions["torch"] = partial(
            torch.nn.functional.unfold, batch, call.size, stride=call.stride)
    return compare(functions)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    n_threads = parser.parse_args().threads
    if torch is not None:
        torch.set_num_threads(n_threads)
    print(f"tier {cpu.tier()}, {n_threads} threads; ms, and ratio to the best peer")
    with threadpool_limits(n_threads):
        for call in CALLS:
            times = bench(call)
            own = times.pop("convlib")
            columns = (f"{name} {1e3 * seconds:8.3f}" for name, seconds in times.items())
            print(f"{call.name:24s} convlib {1e3 * own:8.3f}  {'  '.join(columns)}  "
                  f"{min(times.values()) / own:6.2f}", flush=True)


if __name__ == "__main__":
    main()
