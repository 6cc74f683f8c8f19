"""Convolutions in steps against torch and against calls of conv, as ratios: above 1, they are fast.

    python benchmarks/bench_separable.py [--threads N] [--dtype float64]

torch runs each step by itself, channels first and channels last, and the better of the two counts.
Without torch the table holds the ratio to convlib's own steps alone.
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


class Layer(NamedTuple):
    """A named call: n_images, *size and channels; taps, stride; outputs, 0 for passes."""

    name: str
    shape: tuple
    taps: int
    stride: int = 1
    outputs: int = 0


LAYERS = (
    Layer("mobile 32 112", (1, 112, 112, 32), 3, 1, 64),
    Layer("mobile 64 112 s2", (1, 112, 112, 64), 3, 2, 128),
    Layer("mobile 128 56", (1, 56, 56, 128), 3, 1, 128),
    Layer("mobile 256 28", (1, 28, 28, 256), 3, 1, 256),
    Layer("mobile 512 14", (1, 14, 14, 512), 3, 1, 512),
    Layer("mobile 1024 7", (1, 7, 7, 1024), 3, 1, 1024),
    Layer("batch 128 56", (8, 56, 56, 128), 3, 1, 128),
    Layer("batch 32 112", (8, 112, 112, 32), 3, 1, 64),
    Layer("xception 728 19", (1, 19, 19, 728), 3, 1, 728),
    Layer("convnext 96 56 7x7", (1, 56, 56, 96), 7, 1, 384),
    Layer("signal 64", (16, 2000, 64), 9, 1, 64),
    Layer("volume 32", (1, 16, 32, 32, 32), 3, 1, 64),
    Layer("passes 64 112 k7", (1, 112, 112, 64), 7),
    Layer("passes 128 56 k5", (4, 56, 56, 128), 5),
    Layer("passes 256 28 k3", (1, 28, 28, 256), 3),
    Layer("passes 64 112 k15", (1, 112, 112, 64), 15),
    Layer("passes 1 1024 k9", (1, 1024, 1024, 1), 9),
    Layer("passes 3 512 k7", (1, 512, 512, 3), 7),
    Layer("passes volume k5", (1, 24, 48, 48, 32), 5),
)


def arrays(layer, dtype):
    """Return images and kernels, in the form that `conv` takes for one step after the other."""
    random = np.random.default_rng(0)
    rank, channels = len(layer.shape) - 2, layer.shape[-1]
    images = random.standard_normal(layer.shape).astype(dtype)
    if layer.outputs:
        shapes = [(*(layer.taps,) * rank, 1, channels),
                  (*(1,) * rank, channels, layer.outputs)]
    else:
        shapes = [(*(1,) * axis, layer.taps, *(1,) * (rank - axis - 1), 1, channels)
                  for axis in range(rank)]
    return images, [random.standard_normal(shape).astype(dtype) for shape in shapes]


def steps(layer, kernels):
    """Return the settings of `conv` for each step."""
    channels = layer.shape[-1]
    return [{"stride": layer.stride if max(kernel.shape[:-2]) > 1 else 1,
             "padding": tuple(taps // 2 for taps in kernel.shape[:-2]),
             "groups": channels if kernel.shape[-2] == 1 else 1} for kernel in kernels]


def fused(layer, images, kernels, n_threads):
    """Return the function of convlib for all steps."""
    channels, settings = layer.shape[-1], {"padding": layer.taps // 2, "n_threads": n_threads}
    if not layer.outputs:
        kernels = [kernel.reshape(layer.taps, channels, 1) for kernel in kernels]
        return lambda: cl.spatially_separable_conv(images, kernels, **settings)
    first = np.moveaxis(kernels[0], -1, -2)
    return lambda: cl.separable_conv(images, first, kernels[1], stride=layer.stride, **settings)


def by_steps(layer, images, kernels, n_threads):
    """Return convlib's calls of conv, one after the other."""
    def run():
        maps = images
        for kernel, settings in zip(kernels, steps(layer, kernels)):
            maps = cl.conv(maps, kernel, n_threads=n_threads, **settings)
        return maps

    return run


def torch_functions(layer, images, kernels):
    """Return {name of the memory format: function}."""
    rank = images.ndim - 2
    last = {2: torch.channels_last, 3: torch.channels_last_3d}
    formats = {"torch": torch.contiguous_format}
    if rank > 1:
        formats["torch channels_last"] = last[rank]
    function = getattr(torch.nn.functional, f"conv{rank}d")
    batch = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
    weights = [torch.from_numpy(np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1))))
               for kernel in kernels]
    settings = steps(layer, kernels)

    def build(order):
        x = batch.contiguous(memory_format=order)
        ordered = [weight.contiguous(memory_format=order) for weight in weights]

        def run():
            maps = x
            for weight, setting in zip(ordered, settings):
                maps = function(maps, weight, **setting)
            return maps
        return run

    return {name: build(order) for name, order in formats.items()}


def bench(layer, dtype, n_threads):
    """Return seconds, the ratio to torch and the ratio to convlib's own steps."""
    images, kernels = arrays(layer, dtype)
    functions = {"fused": fused(layer, images, kernels, n_threads),
                 "steps": by_steps(layer, images, kernels, n_threads)}
    np.testing.assert_allclose(functions["fused"](), functions["steps"](), rtol=1e-3, atol=1e-2)
    peers = {} if torch is None else torch_functions(layer, images, kernels)
    if peers:
        with torch.inference_mode():
            times = compare(peers | functions, rounds=5)
    else:
        times = compare(functions, rounds=5)
    best = min((times[name] for name in peers), default=np.nan)
    return times["fused"], best / times["fused"], times["steps"] / times["fused"]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    options = parser.parse_args()
    n_threads = options.threads
    if torch is not None:
        torch.set_num_threads(n_threads or cpu.max_threads())
    print(f"tier {cpu.tier()}, {n_threads or cpu.max_threads()} threads, {options.dtype}: ms, "
          "ratio to torch, ratio to own steps")
    for layer in LAYERS:
        seconds, peer, own = bench(layer, options.dtype, n_threads)
        print(f"{layer.name:20s}{1e3 * seconds:9.3f}{peer:8.2f}{own:8.2f}", flush=True)


if __name__ == "__main__":
    main()
