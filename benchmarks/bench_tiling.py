"""Time and peak memory of a raster on disk, tile by tile, against the whole in memory.

Each row runs in a process of its own, so that its peak is its own. The raster is written to a
temporary directory first; `--size` is its side.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import convlib as cl
from convlib import filters, tiling

ROWS = 256    # of the raster, written at once


def kernel():
    """Return eight kernels of 5 x 5 taps."""
    return np.random.default_rng(0).normal(size=(5, 5, 1, 8)).astype(np.float32)


JOBS = {
    "gaussian, sigma 5": (filters.gaussian, (), {"sigma": 5}),
    "median, 7 x 7": (filters.median, (), {"size": 7}),
    "sobel": (filters.sobel, (), {}),
    "conv, 5 x 5 x 8, stride 2": (cl.conv, (kernel(),), {"stride": 2, "padding": "same"}),
}
WAYS = ("whole", "tiles")


def run(folder, job, way, working_memory):
    """Print the seconds and the peak memory of one job, beside the modules."""
    function, operands, settings = JOBS[job]
    source = np.load(folder / "raster.npy", mmap_mode="r")
    form = {"shape": source.shape, "dtype": source.dtype}
    sink = np.lib.format.open_memmap(
        folder / "result.npy", "w+", tiling.output_dtype(function, *operands, **form, **settings),
        tiling.output_shape(function, *operands, **form, **settings))
    before = memory("VmRSS")
    began = time.perf_counter()
    if way == "whole":
        image = np.array(source)
        if function is cl.conv:
            sink[...] = function(image[np.newaxis, ..., np.newaxis], *operands, **settings)[0]
        else:
            sink[...] = function(image, *operands, **settings)
    else:
        tiling.map_tiles(function, source, sink, *operands, working_memory=working_memory,
                         **settings)
    sink.flush()
    seconds = time.perf_counter() - began
    print(f"{seconds:.2f} {memory('VmHWM') - before:.0f}")


def memory(word):
    """Return a line of the process's status in MiB: its memory now, or at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(word)) / 1024


def write_raster(path, size):
    """Write random bytes, a few rows at a time."""
    raster = np.lib.format.open_memmap(path, "w+", np.uint8, (size, size))
    rows = np.random.default_rng(0).integers(0, 256, (ROWS, size), np.uint8)
    for first in range(0, size, ROWS):
        raster[first:first + ROWS] = rows[:size - first]


def main():
    """Run all jobs both ways, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8000)
    parser.add_argument("--working-memory", type=float, default=64.0, help="MiB of the tiles")
    parser.add_argument("--folder", default=None, help="where the files go")
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        run(Path(given.folder), *given.job, given.working_memory)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        write_raster(Path(folder) / "raster.npy", given.size)
        print(f"{given.size} x {given.size} bytes, tiles within {given.working_memory:g} MiB")
        print(f"{'job':28}{'way':8}{'s':>8}{'MiB':>8}")
        for job in JOBS:
            for way in WAYS:
                done = subprocess.run(
                    [sys.executable, __file__, "--folder", folder, "--working-memory",
                     str(given.working_memory), "--job", job, way],
                    check=True, capture_output=True, text=True)
                seconds, peak = done.stdout.split()
                print(f"{job:28}{way:8}{seconds:>8}{peak:>8}", flush=True)


if __name__ == "__main__":
    main()
