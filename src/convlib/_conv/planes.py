"""planes: few channels. Each is a padded plane, and vectors run along its rows."""

from math import gcd, prod
from typing import NamedTuple

import numpy as np

from convlib._native import conv_planes, cpu
from convlib._problem import WHOLE
from convlib._speeds import predict
from convlib._terms import (
    ACTIVATION_CODES,
    MODE_CODES,
    MOST_DILATION,
    PREPARED_BYTES,
    STREAM_BYTES,
    by_dtype,
    even,
    lanes,
    scratch_bytes,
)
from convlib._threads import thread_count

CONV = by_dtype(conv_planes.conv)

MOST_CHANNELS = 16
BAND_BYTES = 128 * 1024    # stays in the second-level cache beside lines and outputs
TASK_MACS = 8e6            # about 100 us
WIDTHS = (8192, 4096, 2048, 1024, 512, 256, 128, 64, 32)
LINE_WIDTH = 512           # pixels of a block whose outputs wait in lines
N_LINES = 4                # rows of them, as in conv_planes.pyx
VECTOR_BYTES = 64          # the widest; rows are read on to the end of a vector


class Axis(NamedTuple):
    """How the pixels under a block of outputs lie along one axis; C takes the first four."""

    block: int    # outputs
    count: int    # pixels that are copied
    step: int     # image pixels between them
    shift: int    # copied pixels between neighbouring outputs
    reach: int    # copied pixels between neighbouring taps


class Planes(NamedTuple):
    """How planes and blocks lie."""

    axes: np.ndarray       # (3, 4): block, count, step, shift
    planes: np.ndarray     # (taps along depth * channels of a group,), where planes begin
    columns: np.ndarray    # (taps along width,), where the taps of a row lie
    row_step: int          # values between the rows of neighbouring taps
    phase: int             # values between runs of every shift-th pixel of a row
    blocks: tuple
    values: int            # of the planes of a task


class Layout(NamedTuple):
    """What is settled for all calls, as C takes it."""

    geometry: object    # of whole images, and ...
    tables: tuple       # ... axes, planes and columns of `Planes`; as views
    planes: Planes
    line: int           # values between lines of outputs that wait
    scratch: int        # bytes for one thread
    seconds: float      # for one image


def refuse(problem):
    """Accept few channels, and bands that have memory."""
    if max(problem.in_channels, problem.out_channels) > MOST_CHANNELS:
        return f"there are more than {MOST_CHANNELS} channels"
    if max(problem.dilation) > MOST_DILATION:
        return f"the dilation is above {MOST_DILATION}"
    if problem.depth * problem.out_channels * 2 * problem.itemsize > PREPARED_BYTES:
        return "the prepared kernel would take more than 64 MB"
    smallest = plane_layout(problem, (1, 1, 1)).values * problem.itemsize
    if smallest > 2**28:
        return f"a single window takes {smallest} bytes"
    return ""


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    amounts = {
        "call": 1,
        "product": problem.n_macs / lanes(problem.dtype),
        "copy": copied_values(problem) * problem.itemsize,
    }
    if problem.out_channels > 1:
        amounts["interleave"] = prod(problem.output_size) * problem.out_channels
    return amounts


def copied_values(problem):
    """Return the values that are copied; the blocks of volumes overlap so far that it counts."""
    if problem.kernel_size[0] == 1:
        return prod(problem.image_size) * problem.in_channels
    blocks = blocking(problem)
    n_blocks = prod(-(-size // block) for size, block in zip(problem.output_size, blocks))
    return n_blocks * plane_layout(problem, blocks).values


def grid(problem):
    """Every output is a sum of its own, in one order."""
    return (1,) * problem.rank


def parts(problem):
    """Return into how many parts the output channels of a group are cut, and their size."""
    n_out = even(problem.group_out, cpu.planes_out())
    return -(-problem.group_out // n_out), n_out


def prepare(problem, kernel, bias, n_threads):
    """Return bias and weights of each part, in the order of the sums."""
    n_parts, n_out = parts(problem)
    kernel_z, kernel_y, kernel_x = problem.kernel_size
    shape = (kernel_z, kernel_y, kernel_x, problem.group_size, problem.groups, problem.group_out)
    weights = np.zeros((problem.groups, n_parts * n_out, 1 + problem.depth), problem.dtype)
    ordered = kernel.reshape(shape).transpose(4, 5, 0, 3, 1, 2)
    weights[:, :problem.group_out, 0] = bias.reshape(problem.groups, problem.group_out)
    weights[:, :problem.group_out, 1:] = ordered.reshape(problem.groups, problem.group_out, -1)
    weights = weights.reshape(problem.groups, n_parts, n_out, -1).transpose(0, 1, 3, 2)
    return np.ascontiguousarray(weights).reshape(problem.groups, n_parts, -1)


def layout(problem):
    """Return the `Layout`."""
    planes = plane_layout(problem, blocking(problem))
    line = planes.blocks[2] + VECTOR_BYTES // problem.itemsize
    waiting = 0
    if problem.out_channels > 1:
        waiting = N_LINES * (problem.out_channels + parts(problem)[1]) * line
    return Layout(
        geometry=conv_planes.table(problem.geometry(WHOLE)),
        tables=(conv_planes.table(planes.axes), conv_planes.row(planes.planes),
                conv_planes.row(planes.columns)),
        planes=planes,
        line=line,
        scratch=scratch_bytes(planes.values * problem.itemsize, waiting * problem.itemsize),
        seconds=predict("planes", work(problem, True)),
    )


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    planes = layout.planes
    n_threads = thread_count(n_threads, len(images) * layout.seconds)
    if n_threads > 1:
        n_threads = min(n_threads, n_tasks(planes, out))
    geometry = layout.geometry if first == WHOLE else problem.geometry(first)
    CONV[problem.dtype](
        images, prepared, out, geometry, *layout.tables, problem.kernel_size[1], planes.row_step,
        planes.phase, MODE_CODES[problem.padding_mode], ACTIVATION_CODES[problem.activation],
        out.nbytes > STREAM_BYTES, planes.values, layout.line,
        np.empty((n_threads, layout.scratch), np.uint8),
    )


def n_tasks(planes, out):
    """Return the number of blocks of `out`."""
    return len(out) * prod(-(-size // block) for size, block in zip(out.shape[1:4], planes.blocks))


def block_axis(problem, axis, block):
    """Return how the pixels under `block` outputs lie along an axis.

    Only those that some tap of some output reads are copied: they lie a common divisor of stride
    and dilation apart.
    """
    stride, dilation = problem.stride[axis], problem.dilation[axis]
    taps = problem.kernel_size[axis]
    step = gcd(stride if block > 1 else 0, dilation if taps > 1 else 0) or 1
    shift = stride // step if block > 1 else 1
    reach = dilation // step if taps > 1 else 1
    return Axis(block, (block - 1) * shift + (taps - 1) * reach + 1, step, shift, reach)


def phase_values(problem, across):
    """Return the values between runs of every shift-th pixel of a row.

    There is room to read on to the end of a vector. Rows that lie 4 KiB apart would all fall
    into the same few cache lines.
    """
    vector = VECTOR_BYTES // problem.itemsize
    run = -(-across.count // across.shift)
    vectors = -(-run // vector) + 1
    if vectors * across.shift % 16 == 0:
        vectors += 1
    return vectors * vector


def plane_layout(problem, blocks):
    """Return the `Planes` of a task of `blocks` outputs along each axis."""
    depth, down, across = (block_axis(problem, axis, n) for axis, n in enumerate(blocks))
    phase = phase_values(problem, across)
    line = phase * across.shift
    plane = line * down.count
    first = np.arange(problem.kernel_size[0]) * (depth.reach * problem.in_channels * plane)
    starts = first[:, np.newaxis] + np.arange(problem.group_size) * plane
    taps = np.arange(problem.kernel_size[2]) * across.reach
    return Planes(
        axes=np.array([depth[:4], down[:4], across[:4]], dtype=np.intp),
        planes=starts.ravel().astype(np.intp),
        columns=(taps % across.shift * phase + taps // across.shift).astype(np.intp),
        row_step=down.reach * line,
        phase=phase,
        blocks=tuple(blocks),
        values=depth.count * problem.in_channels * plane,
    )


def blocking(problem):
    """Return the outputs of a task along each axis.

    Their planes fit in cache, and few pixels are copied twice. Widths and heights are even parts
    of the output's.
    """
    budget = BAND_BYTES // problem.itemsize
    macs = min(TASK_MACS, max(problem.n_macs / 8, TASK_MACS / 8))
    best = None
    for wanted_depth in (1, 2, 4, 8) if problem.kernel_size[0] > 1 else (1,):
        for wanted in WIDTHS:
            if problem.out_channels > 1 and wanted > LINE_WIDTH:
                continue
            depth = even(problem.output_size[0], wanted_depth)
            width = even(problem.output_size[2], wanted)
            height = block_height(problem, depth, width, budget, macs)
            values = plane_layout(problem, (depth, height, width)).values
            fits = values <= budget
            # What is copied for an output, and a little for each start of a row.
            copied = values / (depth * height * width) / problem.in_channels + 128 / width
            score = (fits, -copied if fits else -values)
            if best is None or score > best[0]:
                best = score, (depth, height, width)
    return best[1]


def block_height(problem, depth, width, budget, macs):
    """Return an even part of the height, for blocks of at most `macs` products that fit."""
    one = plane_layout(problem, (depth, 1, width))
    line = one.values // one.axes[1, 1]
    reach = (problem.kernel_size[1] - 1) * problem.dilation[1]
    rows = (budget // line - 1 - reach) // problem.stride[1] + 1
    rows = min(rows, macs // (problem.depth * problem.out_channels * depth * width))
    return even(problem.output_size[1], int(max(1, rows)))
