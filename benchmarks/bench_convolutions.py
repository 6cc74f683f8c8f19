"""The convolutions of convlib on one image: parameters, products and time side by side.

    python benchmarks/bench_convolutions.py [--threads N] [--csv FILE]

All take images of 64 channels to 64 channels by windows of 3x3, if nothing else is said, and
allocate their output. What it prints is the table in the docs.
"""

import argparse
import csv
from functools import partial
from typing import NamedTuple

import numpy as np

import convlib as cl
from convlib._native import cpu
from protocol import compare

SIZE, CHANNELS = 56, 64


class Convolution(NamedTuple):
    """A named call, and the weights and products for each output pixel that it takes."""

    name: str
    call: object
    n_weights: int


def random(*shape):
    """Return random values in float32."""
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def convolutions():
    """Return the calls, in the order of the docs."""
    images = random(1, SIZE, SIZE, CHANNELS)
    half = random(1, SIZE // 2, SIZE // 2, CHANNELS)
    square = random(3, 3, CHANNELS, CHANNELS)
    one = random(1, 1, CHANNELS, CHANNELS)
    each = random(3, 3, CHANNELS, 1)
    line = random(3, CHANNELS, 1)
    offsets = random(1, SIZE, SIZE, 18)
    same = {"padding": "same"}
    calls = [
        ("vanilla 3x3", partial(cl.conv, images, square, **same), square.size),
        ("group, 4 groups", partial(cl.conv, images, square[:, :, :16], groups=4, **same),
         square.size // 4),
        ("transposed, stride 2", partial(cl.conv_transpose, half, square, stride=2, **same),
         square.size),
        ("1x1", partial(cl.conv, images, one), one.size),
        ("dilated 3x3, dilation 2", partial(cl.conv, images, square, dilation=2, **same),
         square.size),
        ("vanilla 5x5", partial(cl.conv, images, random(5, 5, CHANNELS, CHANNELS), **same),
         25 * CHANNELS**2),
        ("depthwise 3x3", partial(cl.depthwise_conv, images, each, **same), each.size),
        ("depthwise separable 3x3", partial(cl.separable_conv, images, each, one, **same),
         each.size + one.size),
        ("deformable 3x3", partial(cl.deform_conv, images, square, offsets, **same), square.size),
        ("spatially separable, depthwise", partial(
            cl.spatially_separable_conv, images, [line, line], **same), 2 * line.size),
    ]
    return [Convolution(*call) for call in calls]


def rows(n_threads):
    """Return (name, parameters, millions of products, ms, GFLOP/s) for each convolution."""
    calls = convolutions()
    times = compare({call.name: partial(call.call, n_threads=n_threads) for call in calls})
    table = []
    for call in calls:
        pixels = SIZE**2 if "transposed" not in call.name else (SIZE // 2)**2
        macs = call.n_weights * pixels
        table.append((call.name, f"{call.n_weights:,}", f"{macs / 1e6:.1f}",
                      f"{1e3 * times[call.name]:.3f}",
                      f"{2e-9 * macs / times[call.name]:.0f}"))
    return table


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    parser.add_argument("--csv", help="file to write the table to")
    arguments = parser.parse_args()
    header = "convolution", "weights", "10^6 products", "ms", "GFLOP/s"
    table = rows(arguments.threads)
    print(f"tier {cpu.tier()}, {arguments.threads} threads, {SIZE}x{SIZE} pixels")
    for row in (header, *table):
        print("{:32s} {:>8s} {:>14s} {:>8s} {:>8s}".format(*row))
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows((header, *table))


if __name__ == "__main__":
    main()
