"""pointwise: a 1x1 convolution is a product of pixels and weights; the pixels stay in place."""

from math import prod
from typing import NamedTuple

import numpy as np

from convlib._conv import panels
from convlib._native import conv_pointwise
from convlib._speeds import predict
from convlib._terms import ACTIVATION_CODES, STREAM_BYTES, by_dtype, scratch_bytes
from convlib._threads import thread_count

CONV = by_dtype(conv_pointwise.conv)

BLOCK = 256    # output pixels of a task


class Layout(NamedTuple):
    """What is the same in all calls; the pixels stay where they are."""

    pixels: int       # of a task
    n_parts: int      # into which the panels are cut, for short tasks
    scratch: int      # bytes for one thread
    seconds: float    # for one image


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
    """Return the `Layout`."""
    pixels = min(BLOCK, prod(problem.output_size))
    address = np.dtype(np.intp).itemsize
    return Layout(
        pixels=pixels,
        n_parts=panels.n_parts(problem, pixels, 1, 1),
        scratch=scratch_bytes(
            problem.group_size * address, pixels * address, pixels * address,
            panels.spare_size(problem.dtype) * problem.itemsize),
        seconds=predict("pointwise", work(problem, True)),
    )


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    n_threads = thread_count(n_threads, len(images) * layout.seconds)
    n_parts = layout.n_parts
    if n_threads > 1:
        n_blocks = -(-prod(out.shape[:4]) // layout.pixels) * problem.groups
        n_parts = panels.n_parts(problem, layout.pixels, n_blocks, n_threads)
        n_threads = min(n_threads, n_blocks * n_parts)
    CONV[problem.dtype](
        images, *prepared, out, problem.geometry(first), ACTIVATION_CODES[problem.activation],
        out.nbytes > STREAM_BYTES, problem.group_size, layout.pixels, n_parts,
        np.empty((n_threads, layout.scratch), np.uint8),
    )
