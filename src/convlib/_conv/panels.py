"""The product of `pointwise` and `igemm`: kernels packed the same way, and what it costs."""

import numpy as np

from convlib._native import cpu
from convlib._native import panels as native
from convlib._terms import COPIED_BYTES, lanes
from convlib._threads import thread_count

TASK_MACS = 16e6       # about 200 us
FLOAT32_MACS = 80e9    # predicted multiply-adds a second of one thread


def product_seconds(problem):
    """Return the predicted time for an image on one thread; each group fills whole vectors."""
    width = lanes(problem.dtype)
    padded = -(-problem.group_out // width) * width * problem.groups
    speed = FLOAT32_MACS if problem.dtype == "float32" else FLOAT32_MACS / 2
    return problem.n_macs // problem.out_channels * padded / speed


def spare_tiles(n_threads, dtype):
    """Return room for one product tile per thread."""
    return np.empty((n_threads, cpu.max_rows() * 2 * lanes(dtype)), dtype)


def panel_bytes(problem):
    """Return the size of the packed kernel."""
    width = lanes(problem.dtype)
    channels = -(-problem.group_out // width) * width
    return problem.groups * (1 + problem.depth) * channels * problem.itemsize


def pack_seconds(problem):
    """Return the predicted time of packing on one thread."""
    return 2 * panel_bytes(problem) / COPIED_BYTES


def prepare(problem, kernel, bias, n_threads):
    """Return the panels of `kernel`, the bias first."""
    shape = (problem.depth, problem.groups, problem.group_out)
    weights = kernel.reshape(shape).transpose(1, 0, 2)
    n_threads = thread_count(n_threads, pack_seconds(problem))
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
