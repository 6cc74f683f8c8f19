"""The gradient of a depthwise kernel below the public functions: the parts of its sum, the run."""

from math import prod

import numpy as np

from convlib._native import depthwise_kernel
from convlib._problem import WHOLE, five_axes
from convlib._terms import CALL_SECONDS, MODE_CODES, by_dtype, lanes
from convlib._threads import thread_count

KERNEL = by_dtype(depthwise_kernel.kernel_gradient)

MOST_PARTS = 64        # into which a sum over pixels is cut, by its shape alone
PART_MACS = 2e5        # products in a part, at least
MAC_SECONDS = 5e-11


def suits(problem):
    """Whether each channel has one output, and all of them fill a vector."""
    return (problem.groups == problem.in_channels == problem.out_channels >= lanes(problem.dtype))


def run(problem, images, grads, out, n_threads):
    """Write the gradient of the kernel of a `ConvProblem`; all is trusted, and nothing empty."""
    n_rows = prod(five_axes(grads).shape[:3])
    n_macs = grads.size * prod(problem.kernel_size)
    n_parts = max(1, min(n_rows, MOST_PARTS, int(n_macs / PART_MACS)))
    sums = np.empty((n_parts, out.size), problem.dtype)
    n_threads = min(thread_count(n_threads, CALL_SECONDS + n_macs * MAC_SECONDS), n_parts)
    KERNEL[problem.dtype](
        five_axes(np.ascontiguousarray(images)), five_axes(np.ascontiguousarray(grads)),
        problem.geometry(WHOLE), np.array(problem.kernel_size, np.intp),
        MODE_CODES[problem.padding_mode], sums, n_threads)
    out.reshape(-1)[:] = sums[0]
