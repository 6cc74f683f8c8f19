"""A graph and features beyond memory: time, and the most memory that was resident.

    python benchmarks/large_graph.py FOLDER [--nodes N] [--edges N] [--features N] [--hops N]
        [--write-only]

A random graph of 2 million nodes and 60 million edges, a few of whose nodes have many neighbours,
is written to the folder as parts of some rows, and random features of its nodes beside them; what
is there is taken as it is. Another process then propagates the features by two hops into a file,
and some columns are compared with scipy's product. The largest resident memory is that of this
process, pages of mapped files included.
"""

import argparse
import multiprocessing
import re
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import convlib as cl
from convlib._native import cpu

ROWS_AT_ONCE = 1 << 17


def parts_of(n_nodes):
    return [slice(first, min(first + ROWS_AT_ONCE, n_nodes))
            for first in range(0, n_nodes, ROWS_AT_ONCE)]


def write_graph(folder, n_nodes, n_edges):
    """Write rows that gather from many nodes anywhere and from few that all like best."""
    for number, rows in enumerate(parts_of(n_nodes)):
        path = folder / f"part_{number:04}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng(number)
        n_rows = rows.stop - rows.start
        size = n_edges * n_rows // n_nodes
        columns = rng.integers(0, n_nodes, size, dtype=np.int32)
        liked = (n_nodes * rng.random(size // 2) ** 3).astype(np.int64)
        columns[:size // 2] = liked * 999_983 % n_nodes
        ends = rng.integers(0, n_rows, size, dtype=np.int32), columns
        part = sp.csr_array((np.ones(size, np.float32), ends), shape=(n_rows, n_nodes))
        part.data[:] = 1    # edges drawn twice are one
        sp.save_npz(path, part, compressed=False)


def write_features(path, n_nodes, n_features):
    if path.exists():
        return
    out = np.lib.format.open_memmap(path, "w+", np.float32, (n_nodes, n_features))
    for number, rows in enumerate(parts_of(n_nodes)):
        rng = np.random.default_rng([number, 1])
        out[rows] = rng.standard_normal((rows.stop - rows.start, n_features), np.float32)


def propagate(folder, n_hops, results):
    """Propagate in this process, and tell how long it took and how much memory."""
    blocks = cl.graph.RowBlocks.from_folder(folder)
    features = np.load(folder / "features.npy", mmap_mode="r")
    out = np.lib.format.open_memmap(folder / "out.npy", "w+", features.dtype, features.shape)
    before = resident()
    start, worked = time.perf_counter(), time.process_time()
    cl.graph.propagate(features, blocks, n_hops, out=out)
    results.put((time.perf_counter() - start, time.process_time() - worked, before, resident()))


def resident():
    """Return the most that was resident, in GB; what `getrusage` tells counts the parent too."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024 / 1e9


def difference(folder, n_hops, n_columns=2):
    """Return the number of edges, and how far columns are from scipy's, relative to the largest."""
    matrix = sp.vstack([sp.load_npz(path) for path in sorted(folder.glob("*.npz"))], "csr")
    missing = matrix.diagonal() == 0    # edges of nodes to themselves, which are filled in
    shares = (1 / np.sqrt(matrix.sum(axis=1) + missing)).astype(np.float32)[:, np.newaxis]
    columns = np.load(folder / "features.npy", mmap_mode="r")[:, -n_columns:].copy()
    for _ in range(n_hops):
        scaled = shares * columns
        columns = shares * (matrix @ scaled + missing[:, np.newaxis] * scaled)
    found = np.load(folder / "out.npy", mmap_mode="r")[:, -n_columns:]
    return matrix.nnz, np.abs(found - columns).max() / np.abs(columns).max()


def main():
    """Write what is missing, propagate, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, default=2_000_000)
    parser.add_argument("--edges", type=int, default=60_000_000)
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--hops", type=int, default=2)
    parser.add_argument("--write-only", action="store_true")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    write_graph(folder, options.nodes, options.edges)
    write_features(folder / "features.npy", options.nodes, options.features)
    n_bytes = sum(path.stat().st_size for path in folder.iterdir() if path.name != "out.npy")
    print(f"written in {time.perf_counter() - start:.0f} s: {n_bytes / 1e9:.1f} GB", flush=True)
    if options.write_only:
        return
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=propagate, args=(folder, options.hops, results))
    process.start()
    seconds, worked, before, after = results.get()
    process.join()
    print(f"{options.hops} hops of {options.features} features, tier {cpu.tier()}: "
          f"{seconds:.0f} s, {worked:.0f} s of all cores together; "
          f"resident at most {after:.2f} GB, {before:.2f} GB before", flush=True)
    n_edges, distance = difference(folder, options.hops)
    print(f"{n_edges} edges; columns differ from scipy's by {distance:.1e}")


if __name__ == "__main__":
    main()
