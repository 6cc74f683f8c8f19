"""conv against torch, as ratios: above 1, convlib is faster.

    python benchmarks/bench_conv.py [--layers N] [--threads N]

torch runs channels first and channels last, and the better of the two counts. convlib runs with
the kernel given plainly (packed in every call) and packed ahead; both allocate their output.
"""

import argparse
from functools import partial

import numpy as np
import torch
from protocol import compare
from shapes import LAYERS

import convlib as cl
from convlib._native import cpu


def torch_functions(layer, images, kernel):
    """Return {name: function} for the two memory formats of torch."""
    rank = len(layer.size)
    weights = torch.from_numpy(np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1))))
    batch = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
    function = getattr(torch.nn.functional, f"conv{rank}d")
    formats = {"torch": torch.contiguous_format}
    if rank == 2:
        formats["torch channels last"] = torch.channels_last
    return {
        name: partial(function, batch.to(memory_format=order), weights.to(memory_format=order),
                      **layer.settings)
        for name, order in formats.items()
    }


def bench(layer):
    """Return a row of the table."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal(layer.images_shape, dtype=np.float32)
    kernel = rng.standard_normal(layer.kernel_shape, dtype=np.float32)
    packed = cl.pack_kernel(kernel, layer.images_shape[1:], **layer.settings)
    peers = torch_functions(layer, images, kernel)
    ours = {"conv": lambda: cl.conv(images, kernel, **layer.settings),
            "packed": lambda: cl.conv(images, packed)}
    with torch.inference_mode():
        times = compare(peers | ours)
    best = min(peers, key=times.get)
    outputs = cl.conv(images, packed).size
    macs = outputs * np.prod(layer.kernel_shape[:-1])
    return (layer.name, packed.algorithm, best, times[best] * 1e3, times["conv"] * 1e3,
            times["packed"] * 1e3, 2e-9 * macs / times["packed"],
            times[best] / times["conv"], times[best] / times["packed"])


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=len(LAYERS))
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, tier {cpu.tier()}, {arguments.threads} threads, float32")
    print(f"{'layer':33s} {'algorithm':9s} {'best peer':19s} {'peer ms':>8s} {'conv ms':>8s} "
          f"{'packed ms':>9s} {'GFLOP/s':>7s} {'conv x':>6s} {'packed x':>8s}")
    rows = []
    for layer in LAYERS[:arguments.layers]:
        rows.append(bench(layer))
        print("{:33s} {:9s} {:19s} {:8.3f} {:8.3f} {:9.3f} {:7.0f} {:6.2f} {:8.2f}".format(
            *rows[-1]), flush=True)
    for column, name in ((7, "conv"), (8, "packed")):
        ratios = [row[column] for row in rows]
        mean = np.exp(np.mean(np.log(ratios)))
        print(f"{name}: geometric mean {mean:.2f}x, worst {min(ratios):.2f}x")


if __name__ == "__main__":
    main()
