"""lowrank: kernels that are sums of few products of 1-D kernels, as passes along the axes."""

from math import prod
from typing import NamedTuple

import numpy as np

from convlib._conv.factors import kernel_factors, kernel_rank
from convlib._conv.planes import (
    MOST_CHANNELS,
    VECTOR_BYTES,
    Planes,
    blocking,
    grid,
    n_tasks,
    plane_layout,
)
from convlib._native import conv_lowrank, conv_planes, cpu
from convlib._problem import WHOLE
from convlib._speeds import predict
from convlib._terms import (
    ACTIVATION_CODES,
    MODE_CODES,
    MOST_DILATION,
    STREAM_BYTES,
    by_dtype,
    even,
    lanes,
    scratch_bytes,
)
from convlib._threads import thread_count

CONV = by_dtype(conv_lowrank.conv)

SMALLEST = 5              # taps along two axes of a kernel whose rank is looked for
SAVED_SECONDS = 1e-11     # of a product, where passes are faster
FACTOR_SECONDS = 2e-7     # of finding the factors of a kernel, for each tap ...
CALL_SECONDS = 3e-5       # ... and for each call
N_ROWS = 4                # of a pass, as in conv_lowrank.pyx
LINE_BYTES = 64 * 1024    # outputs that wait until their channels can be put side by side

__all__ = ["grid", "layout", "prepare", "refuse", "run", "work", "worthwhile_rank"]


class Layout(NamedTuple):
    """What is settled for all calls, as C takes it."""

    geometry: object    # of whole images, and ...
    tables: tuple       # ... axes, planes and columns of `Planes`, where terms lie; as views
    planes: Planes
    sizes: object       # values of pieces of the scratch
    line: int           # values between lines of outputs that wait
    scratch: int        # bytes for one thread
    seconds: float      # for one image


def worthwhile_rank(kernel, dtype, image_size, algorithm):
    """Return the rank of a kernel (*size, channels of a group, out_channels), 0 if it may be full.

    It is looked for in kernels for one channel from 5 x 5 taps on, and only where the image is
    so large that finding it is little beside what it may save; `image_size` None is large. Terms
    whose passes take as many products as the kernel itself are too many.
    """
    *size, group_size, out_channels = kernel.shape
    wide = sum(taps >= SMALLEST for taps in size)
    if algorithm not in ("auto", "lowrank") or group_size > 1 or out_channels > MOST_CHANNELS \
            or len(size) < 2 or (wide < 2 and algorithm == "auto"):
        return 0
    if image_size is not None and algorithm == "auto":
        saved = prod(image_size) * prod(size) * SAVED_SECONDS
        if saved < 2 * prod(size) * FACTOR_SECONDS + CALL_SECONDS:
            return 0
    rank = kernel_rank(np.ascontiguousarray(kernel, dtype))
    return 0 if algorithm == "auto" and rank * sum(size) >= prod(size) else rank


def refuse(problem):
    """Accept kernels of known rank, each for one of few channels."""
    if problem.kernel_rank == 0:
        return "the kernel is not known to be a sum of few products of 1-D kernels"
    if max(problem.in_channels, problem.out_channels) > MOST_CHANNELS:
        return f"there are more than {MOST_CHANNELS} channels"
    if max(problem.dilation) > MOST_DILATION:
        return f"the dilation is above {MOST_DILATION}"
    smallest = plane_layout(problem, (1, 1, 1)).values * problem.itemsize
    if smallest * (1 + problem.kernel_rank) > 2**28:
        return f"a single window takes {smallest} bytes"
    return ""


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    outputs = prod(problem.output_size) * problem.out_channels * problem.kernel_rank
    amounts = {
        "call": 1,
        "column": outputs * sum(problem.kernel_size[:2]) / lanes(problem.dtype),
        "row": outputs * problem.kernel_size[2] / lanes(problem.dtype),
        "copy": prod(problem.image_size) * problem.in_channels * problem.itemsize,
    }
    if problem.out_channels > 1:
        amounts["interleave"] = prod(problem.output_size) * problem.out_channels
    return amounts


def prepare(problem, kernel, bias, n_threads):
    """Return the weights of the first pass, of the second if there is a depth, and of the last.

    A channel that has fewer terms than others gets terms of zeros. Where there is one tap along
    the depth, its factor is 1.
    """
    n_terms, n_channels = problem.kernel_rank, problem.out_channels
    factors = [
        np.zeros((n_channels, n_terms, size), problem.dtype) for size in problem.kernel_size
    ]
    shape = kernel.shape[:-2]
    axes = range(3 - len(shape), 3)
    for channel, terms in enumerate(kernel_factors(kernel)):
        for number, term in enumerate(terms):
            for axis, vector in zip(axes, term):
                factors[axis][channel, number] = vector
    return prepare_factors(problem, factors, bias)


def prepare_factors(problem, factors, bias):
    """Return what `prepare` does, from the factors (channels, terms, taps) for each axis."""
    n_channels, n_terms, _ = factors[0].shape
    depth, height, width = (np.pad(factor, ((0, 0), (0, 0), (1, 0))) for factor in factors)
    last = np.empty((n_channels, 1 + n_terms * problem.kernel_size[2]), problem.dtype)
    last[:, 0] = bias
    last[:, 1:] = width[:, :, 1:].reshape(n_channels, -1)
    first = depth if problem.kernel_size[0] > 1 else height
    return in_parts(first), height, last


def in_parts(vectors):
    """Return (channels, parts, values): parts of terms that are computed together, tap by tap."""
    n_channels, n_terms, n_values = vectors.shape
    n_together = even(n_terms, cpu.planes_out())
    n_parts = -(-n_terms // n_together)
    parts = np.zeros((n_channels, n_parts * n_together, n_values), vectors.dtype)
    parts[:, :n_terms] = vectors
    parts = parts.reshape(n_channels, n_parts, n_together, n_values).transpose(0, 1, 3, 2)
    return np.ascontiguousarray(parts).reshape(n_channels, n_parts, -1)


def layout(problem):
    """Return the `Layout`."""
    depth, height, width = blocking(problem)
    line = width + VECTOR_BYTES // problem.itemsize
    if problem.out_channels > 1:
        rows = LINE_BYTES // (line * problem.out_channels * problem.itemsize)
        height = min(height, max(N_ROWS, rows))
    planes = plane_layout(problem, (depth, height, width))
    row = planes.phase * planes.axes[2, 3]
    n_together = even(problem.kernel_rank, cpu.planes_out())
    terms = -(-problem.kernel_rank // n_together) * n_together
    # Rows are read on to the end of a vector, beyond the last one too.
    vector = VECTOR_BYTES // problem.itemsize
    has_depth = problem.kernel_size[0] > 1
    sizes = (
        planes.values + vector, terms * row * planes.axes[1, 1] * has_depth + vector,
        terms * N_ROWS * row + vector)
    waiting = height * problem.out_channels * line * (problem.out_channels > 1)
    scratch = scratch_bytes(*(size * problem.itemsize for size in (*sizes, waiting)))
    return Layout(
        geometry=conv_planes.table(problem.geometry(WHOLE)),
        tables=(conv_planes.table(planes.axes), conv_planes.row(planes.planes),
                conv_planes.row(planes.columns),
                conv_planes.row(np.arange(problem.kernel_rank, dtype=np.intp) * (N_ROWS * row))),
        planes=planes,
        sizes=conv_planes.row(np.array(sizes, dtype=np.intp)),
        line=line,
        scratch=scratch,
        seconds=predict("lowrank", work(problem, True)),
    )


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    planes = layout.planes
    n_threads = thread_count(n_threads, len(images) * layout.seconds)
    if n_threads > 1:
        n_threads = min(n_threads, n_tasks(planes, out))
    geometry = layout.geometry if first == WHOLE else problem.geometry(first)
    CONV[problem.dtype](
        images, *prepared, out, geometry, *layout.tables, problem.kernel_size[1],
        planes.row_step, planes.phase, MODE_CODES[problem.padding_mode],
        ACTIVATION_CODES[problem.activation], out.nbytes > STREAM_BYTES, layout.sizes,
        layout.line, np.empty((n_threads, layout.scratch), np.uint8),
    )
