"""The product microkernel against the peak of one core, in GFLOP/s.

    python benchmarks/bench_microkernel.py

The kernel is timed through the compiled 1x1 convolution on one thread, with everything around it
prepared: 1,000 pixels times one panel of two vectors, for several numbers of input channels. The
peak is that of fused multiply-adds on registers, measured beside each case; next to it is a
matrix product of the same depth by numpy's BLAS on one thread.
"""

import time

import numpy as np
from threadpoolctl import threadpool_limits

import convlib as cl
from convlib._native import conv_pointwise, cpu
from machine import peak_flops

DEPTHS = (64, 288, 576, 2304)
N_PIXELS = 1000


def best_seconds(function, seconds=0.05):
    """Return the best time of a call within a burst."""
    function()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def bench(depth):
    """Return GFLOP/s of peak, product and BLAS, medians over rounds."""
    rng = np.random.default_rng(0)
    n_out = 2 * cpu.lanes(False)
    images = rng.standard_normal((1, 1, N_PIXELS, depth), dtype=np.float32)
    kernel = rng.standard_normal((1, 1, depth, n_out), dtype=np.float32)
    packed = cl.pack_kernel(kernel, images.shape[1:])
    out = np.empty((1, 1, 1, N_PIXELS, n_out), np.float32)
    problem, _, layout, _ = packed._plan(images.shape[1:])
    arguments = (
        images[:, None], *packed._prepared, out, problem.geometry((0, 0, 0)), 0, False, depth,
        layout.pixels, 1, np.empty((1, layout.scratch), np.uint8))
    square = rng.standard_normal((depth, 512), dtype=np.float32)
    rows = images[0, 0]
    flops, square_flops = 2 * out.size * depth, 2 * N_PIXELS * depth * 512
    rounds = []
    for _ in range(7):
        rounds.append((
            peak_flops() * 1e-9,
            flops / best_seconds(lambda: conv_pointwise.conv(*arguments)) * 1e-9,
            square_flops / best_seconds(lambda: rows @ square) * 1e-9,
        ))
    return np.median(rounds, axis=0)


def main():
    """Print the table."""
    print(f"tier {cpu.tier()}, float32, one thread, GFLOP/s")
    print(f"{'depth':>6s} {'peak':>6s} {'product':>8s} {'of peak':>8s} {'BLAS':>6s}")
    with threadpool_limits(1):
        for depth in DEPTHS:
            top, product, blas = bench(depth)
            print(f"{depth:6d} {top:6.0f} {product:8.0f} {product / top:8.0%} {blas:6.0f}",
                  flush=True)


if __name__ == "__main__":
    main()
