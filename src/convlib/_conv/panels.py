"""The product of `pointwise` and `igemm`: kernels packed the same way, and what it costs."""

from math import prod

import numpy as np

from convlib._native import cpu
from convlib._native import panels as native
from convlib._terms import COPIED_BYTES, by_dtype, lanes, padded
from convlib._threads import thread_count

PACK = by_dtype(native.pack)

TASK_MACS = 16e6       # about 200 us
NEAR_BYTES = 4e6       # of kernels that stay in any last-level cache; what is more may not, and ...
FAR_BYTES = 16e6       # ... what is more than that comes from memory each time
FEW_PIXELS = 64        # of an image, for which kernels stay as they are

NO_BIAS = {dtype: np.empty(0, dtype) for dtype in ("float32", "float64")}


def work(problem, packed):
    """Return what product and packing of one image cost; each group fills whole vectors."""
    vectors = -(-problem.group_out // lanes(problem.dtype)) * problem.groups
    amounts = {"product": problem.n_macs // problem.out_channels * vectors}
    amounts |= reading(panel_bytes(problem))
    return amounts if packed or stays(problem) else amounts | {"pack": panel_bytes(problem)}


def reading(n_bytes):
    """Return what it costs besides that a prepared kernel is larger than caches are."""
    return {"weights": max(0, n_bytes - NEAR_BYTES), "far weights": max(0, n_bytes - FAR_BYTES)}


def stays(problem):
    """Whether weights are used as they are: for few pixels, packing takes longer than the product.

    Their rows must be whole vectors, and not of several groups.
    """
    return (prod(problem.output_size) <= FEW_PIXELS and problem.groups == 1
            and problem.out_channels % lanes(problem.dtype) == 0)


def spare_size(dtype):
    """Return the values of the largest product tile."""
    return cpu.max_rows() * 2 * lanes(dtype)


def panel_bytes(problem):
    """Return the size of the packed kernel."""
    return problem.groups * panel_size(problem) * problem.itemsize


def panel_size(problem):
    """Return the values of the packed kernel of a group."""
    return (1 + problem.depth) * padded(problem.group_out, problem.dtype)


def prepare(problem, kernel, bias, n_threads):
    """Return the panels of `kernel` with their bias, and no bias; or both as they are."""
    if stays(problem):
        return kernel.reshape(1, -1), bias
    size = panel_size(problem)
    seconds = 2 * size * problem.groups * problem.itemsize / COPIED_BYTES
    panels = np.empty((problem.groups, size), kernel.dtype)
    n_tasks = problem.groups * n_panels(problem)
    PACK[problem.dtype](kernel.ravel(), bias, panels, thread_count(n_threads, seconds, n_tasks))
    return panels, NO_BIAS[problem.dtype]


def n_parts(problem, n_pixels, n_blocks, n_threads):
    """Return into how many parts the panels of a group are cut.

    Tasks of `n_pixels` pixels and one part should be short, and several for each thread.
    """
    short = round(n_pixels * problem.depth * problem.group_out / TASK_MACS)
    several = 4 * n_threads // max(1, n_blocks) if n_threads > 1 else 1
    return min(n_panels(problem), max(1, short, several))


def n_panels(problem):
    """Return the panels of a group."""
    return -(-problem.group_out // (2 * lanes(problem.dtype)))
