"""pointwise: a 1x1 convolution is a product of pixels and weights; the pixels stay in place."""

from math import prod

import numpy as np

from convlib._conv import panels
from convlib._native import conv_pointwise
from convlib._speeds import predict
from convlib._terms import ACTIVATION_CODES
from convlib._threads import thread_count

BLOCK = 256    # output pixels of a task


def refuse(problem):
    """Accept kernels of one tap without padding."""
    if problem.is_pointwise:
        return ""
    return "the kernel has more than one tap, or the images are padded"


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    return {"call": 1} | panels.work(problem, packed)


def grid(problem):
    """Every pixel is computed alone."""
    return (1,) * problem.rank


prepare = panels.prepare


def layout(problem):
    """Nothing is to be laid out: the pixels stay where they are."""


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    n_threads = thread_count(n_threads, len(images) * predict("pointwise", work(problem, True)))
    n_pixels = prod(out.shape[:4])
    block = min(BLOCK, max(1, n_pixels))
    n_blocks = -(-n_pixels // block)
    n_parts = panels.n_parts(problem, block, n_blocks * problem.groups, n_threads)
    n_threads = min(n_threads, n_blocks * problem.groups * n_parts)
    conv_pointwise.conv(
        images, prepared, out, problem.geometry(first), ACTIVATION_CODES[problem.activation],
        block, n_parts, np.empty(problem.group_size, np.intp),
        np.empty((n_threads, 2 * block), np.intp), panels.spare_tiles(n_threads, problem.dtype),
    )
