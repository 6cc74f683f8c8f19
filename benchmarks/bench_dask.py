"""One large raster through a bank of filters, on workers of dask: time, and memory of each.

    python benchmarks/bench_dask.py [--size N] [--chunk N] [--workers N] [--scheduler ADDRESS]

A raster of random bytes is written chunk by chunk to a zarr array in a temporary folder, and read
again by two workers, each a process with one thread, or by those of a cluster that sees the
folder. Each pixel goes through a Gaussian, Sobel's magnitude, a Laplacian of a Gaussian and a
median; means of 20 x 20 pixels of the four maps are written to another zarr array, and some of
them are compared, bit by bit, with what NumPy's arrays give. Memory is the most that a worker
process has had, and that before it began. Needs zarr.
"""

import argparse
import contextlib
import resource
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

import convlib as cl
from convlib import filters
from machine import processor

POOLED = 20
HALO = 40    # more than any of the filters sees, and a multiple of what is pooled


def bank(image):
    """Return the four maps of an image, NumPy's or dask's, as a batch of one."""
    maps = [filters.gaussian(image, 2, dtype="float32"), filters.sobel(image),
            filters.laplace_of_gaussian(image, 2), filters.median(image, 3).astype("float32")]
    stack = da.stack if isinstance(image, da.Array) else np.stack
    return stack(maps, axis=-1)[np.newaxis]


def features(image):
    """Return means over parts of the maps."""
    return cl.average_pool(bank(image), POOLED)


def write_raster(path, size, chunk):
    """Write a raster of random bytes, smooth enough to have edges."""
    rng = da.random.default_rng(0)
    raster = rng.integers(0, 256, (size, size), dtype=np.uint8, chunks=chunk)
    filters.gaussian(raster, 3).to_zarr(str(path))


def usage():
    """Return the most bytes that this process has had, and its seconds of a processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_maxrss * 1024, used.ru_utime + used.ru_stime


def compare(raster, result):
    """Refuse results that differ from NumPy's around some places."""
    rng, size = np.random.default_rng(0), len(raster) // POOLED
    for row, column in rng.integers(HALO, size - 64 - HALO, (5, 2)):
        first = [POOLED * n - HALO for n in (row, column)]
        crop = raster[tuple(slice(n, n + 64 * POOLED + 2 * HALO) for n in first)].compute()
        around = HALO // POOLED
        expected = features(crop)[0, around:-around, around:-around]
        np.testing.assert_array_equal(
            result[0, row:row + 64, column:column + 64].compute(), expected)


def run(client, folder, size, chunk):
    """Run the bank, and print a line."""
    write_raster(folder / "raster", size, chunk)
    client.run(filters.median, np.zeros((3, 3)))    # loads what is needed
    before = client.run(usage)
    raster = da.from_zarr(str(folder / "raster"))
    start = time.perf_counter()
    lazy = features(raster)
    built = time.perf_counter() - start
    lazy.to_zarr(str(folder / "features"))
    seconds = time.perf_counter() - start
    after = client.run(usage)
    compare(raster, da.from_zarr(str(folder / "features")))
    print(f"{size} x {size} pixels of uint8 in chunks of {chunk} x {chunk}, {len(after)} workers")
    print(f"graph built in {built:.2f} s")
    print(f"{seconds:.1f} s, {size**2 / seconds / 1e6:.1f} million pixels a second")
    for worker, (most, cpu) in after.items():
        print(f"worker: at most {most / 2**20:.0f} MiB, {before[worker][0] / 2**20:.0f} before; "
              f"{cpu - before[worker][1]:.1f} s of a processor")


def main():
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--chunk", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scheduler", help="address of a cluster that sees the folder")
    parser.add_argument("--folder", help="where the temporary folder is made")
    arguments = parser.parse_args()
    print(processor())
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.folder))
        address = arguments.scheduler or stack.enter_context(LocalCluster(
            n_workers=arguments.workers, threads_per_worker=1, host="127.0.0.1",
            dashboard_address=":0"))
        client = stack.enter_context(Client(address))
        run(client, Path(folder), arguments.size, arguments.chunk)


if __name__ == "__main__":
    main()
