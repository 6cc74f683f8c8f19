"""The product of `pointwise` and `igemm`: kernels packed the same way, and what it costs."""

import numpy as np

from convlib._native import cpu
from convlib._native import panels as native
from convlib._terms import COPIED_BYTES, lanes
from convlib._threads import thread_count

TASK_MACS = 16e6       # about 200 us


def work(problem, packed):
    """Return what product and packing of one image cost; each group fills whole vectors."""
    vectors = -(-problem.group_out // lanes(problem.dtype)) * problem.groups
    amounts = {"product": problem.n_macs // problem.out_channels * vectors}
    return amounts if packed else amounts | {"pack": panel_bytes(problem)}


def spare_tiles(n_threads, dtype):
    """Return room for one product tile per thread."""
    return np.empty((n_threads, spare_size(dtype)), dtype)


def spare_size(dtype):
    """Return the values of the largest product tile."""
    return cpu.max_rows() * 2 * lanes(dtype)


def panel_bytes(problem):
    """Return the size of the packed kernel."""
    width = lanes(problem.dtype)
    channels = -(-problem.group_out // width) * width
    return problem.groups * (1 + problem.depth) * channels * problem.itemsize


def prepare(problem, kernel, bias, n_threads):
    """Return the panels of `kernel`, the bias first."""
    shape = (problem.depth, problem.groups, problem.group_out)
    weights = kernel.reshape(shape).transpose(1, 0, 2)
    n_threads = thread_count(n_threads, 2 * panel_bytes(problem) / COPIED_BYTES)
    rows = panel_bytes(problem) // problem.groups // problem.itemsize
    panels = np.empty((problem.groups, rows), problem.dtype)
    native.pack(weights, bias.reshape(problem.groups, problem.group_out), panels, n_threads)
    return panels


def n_parts(problem, n_pixels, n_blocks, n_threads):
    """Return into how many parts the panels of a group are cut.

    Tasks of `n_pixels` pixels and one part should be short, and several for each thread.
    """
    n_panels = -(-problem.group_out // (2 * lanes(problem.dtype)))
    short = round(n_pixels * problem.depth * problem.group_out / TASK_MACS)
    several = 4 * n_threads // max(1, n_blocks) if n_threads > 1 else 1
    return min(n_panels, max(1, short, several))
