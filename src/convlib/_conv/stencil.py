"""What `depthwise` and `grouped` share: lanes over the channels of many groups at once.

Pixels are found through lists of addresses, one list for each row of pixels and each line into
which the row is cut. In a line the taps of an output are neighbours, whatever the dilation, so
that a tile of outputs reads each pixel once. Where the channels do not fill a vector, lanes run
over pixels too, and every tap has a list of its own.
"""

from math import gcd, lcm, prod
from typing import NamedTuple

import numpy as np

from convlib._conv.igemm import band_axis
from convlib._native import conv_stencil
from convlib._terms import ACTIVATION_CODES, MODE_CODES, even, lanes

PIXELS = 14                # of a tile, the most
BLOCK_WIDTH = 16 * PIXELS
BAND_BYTES = 256 * 1024    # of copied pixels; they stay in the second-level cache
PART_BYTES = 512           # of a pixel's channels in a task: tiles stay in the first-level cache
FEWEST, MOST = 15e3, 2e5   # products of vectors in a task, 5 to 60 us


class Layout(NamedTuple):
    """How blocks, lines and lists lie."""

    axes: np.ndarray      # (2, 4): block, count, step, shift of depth and height
    taps: np.ndarray      # (3, 2): reach and number
    across: np.ndarray    # see Across
    begins: np.ndarray    # values before each list, in pixels of a copied row
    list_step: int        # pixels of a copied row between neighbours of a list
    width: int            # channels of all lanes
    part: int             # channels of a task
    last: int             # channels of the last task
    tasks: int            # of one image
    addresses: int
    rows: int
    band: int             # values, if pixels are copied
    line: int             # values of a line before channels are repeated


class Across(NamedTuple):
    """How the pixels under a block lie along the width; C takes it as it is."""

    block: int       # outputs
    count: int       # pixels of a line
    step: int        # image pixels between neighbours in a line
    shift: int       # addresses between those of neighbouring outputs
    phases: int      # lines of a row
    origin: int      # image pixels between the beginnings of lines
    lists: int       # of a row
    columns: int     # addresses of a list
    outputs: int     # of a pixel of lanes
    residues: int    # outputs between neighbours of a tile


def work(problem):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    amounts = {"call": 1, "product": n_vectors(problem) * problem.depth}
    if is_flat(problem) or repeats(problem) > 1:
        pixels = prod(problem.image_size)
        amounts |= {"copy": pixels * problem.in_channels * repeats(problem) * problem.itemsize}
    return amounts


def repeats(problem):
    """Return how many sets of outputs see the same group."""
    return problem.group_out // problem.group_size


def is_flat(problem):
    """Return whether lanes run over pixels too: the channels alone would not fill a vector."""
    return problem.out_channels < lanes(problem.dtype)


def lane_channels(problem):
    """Return the channels over which lanes run; of several pixels, where that is flat."""
    if is_flat(problem):
        return lcm(problem.out_channels, lanes(problem.dtype))
    return problem.out_channels


def n_vectors(problem):
    """Return the vectors of outputs of one image."""
    width = lane_channels(problem)
    pixels = -(-problem.output_size[2] * problem.out_channels // width)
    return prod(problem.output_size[:2]) * pixels * -(-width // lanes(problem.dtype))


def weight_bytes(problem):
    """Return the size of the packed kernel."""
    vectors = -(-lane_channels(problem) // lanes(problem.dtype))
    return vectors * lanes(problem.dtype) * (1 + problem.depth) * problem.itemsize


def refuse(problem):
    """Refuse what has no memory for the weights, or for one tile and its copied pixels."""
    smallest = plan(problem, 1, 1)
    if weight_bytes(problem) > 2**26:
        return f"the packed kernel would take {weight_bytes(problem)} bytes"
    size = smallest.band * problem.itemsize + 8 * (smallest.addresses + smallest.rows)
    if size > 2**28:
        return f"a single tile takes {size} bytes"
    return ""


def prepare(problem, kernel, bias, n_threads):
    """Return the weights in vectors, the bias first."""
    width, size = lane_channels(problem), lanes(problem.dtype)
    rows = prod(problem.kernel_size[:2]) * (problem.kernel_size[2] if is_flat(problem) else 1)
    kernel = kernel.reshape(rows, -1, problem.out_channels)
    weights = np.empty((-(-width // size), (1 + problem.depth) * size), problem.dtype)
    conv_stencil.pack(kernel, bias, problem.group_size, weights, width)
    return weights


def layout(problem):
    """Return the `Layout` whose blocks are even, and neither too long nor too few."""
    height, width = problem.output_size[1:]
    width = even(width, BLOCK_WIDTH)
    products = max(1, n_vectors(problem) * problem.depth)
    wanted = min(max(products / 8, FEWEST), MOST)
    form = plan(problem, 1, width)
    row = width * -(-form.part // lanes(problem.dtype)) * problem.depth
    form = plan(problem, even(height, max(1, int(wanted / row))), width)
    while form.band * problem.itemsize > BAND_BYTES and max(form.axes[1, 0], width) > 1:
        if form.axes[1, 0] > 1:
            form = plan(problem, -(-form.axes[1, 0] // 2), width)
        else:
            width = -(-width // 2)
            form = plan(problem, 1, width)
    return form


def plan(problem, height, width):
    """Return the `Layout` of blocks of this size."""
    axes = band_axis(problem, 0, 1), band_axis(problem, 1, height)
    across = flat_lines(problem, width) if is_flat(problem) else lines(problem, width)
    taps = problem.kernel_size[2]
    if is_flat(problem):
        reach = [tap * problem.dilation[2] for tap in range(taps)]
        begins = [tap % across.phases * across.count + tap // across.phases for tap in reach]
    else:
        begins = [phase * across.count for phase in range(across.phases)]
    n_rows = axes[0].count * axes[1].count
    n_lists = taps if is_flat(problem) else 1
    width_of_lanes, part = lane_channels(problem), part_channels(problem)
    last = width_of_lanes - (width_of_lanes // part - 1) * part
    pixels = n_rows * across.phases * across.count
    return Layout(
        axes=np.array([axis[:4] for axis in axes], np.intp),
        taps=np.array([(axes[0].reach, problem.kernel_size[0]),
                       (axes[1].reach, problem.kernel_size[1]),
                       (n_lists, 1 if is_flat(problem) else taps)], np.intp),
        across=np.array(across, np.intp),
        begins=np.array(begins, np.intp),
        list_step=across.outputs,
        width=width_of_lanes,
        part=part,
        tasks=prod(-(-size // block) for size, block in zip(problem.output_size, (1, height, width)))
        * (width_of_lanes // part),
        addresses=n_rows * across.lists * across.columns,
        rows=height * across.residues * prod(problem.kernel_size[:2]) * n_lists,
        last=last,
        band=pixels * min(last, problem.out_channels),
        line=across.count * problem.in_channels,
    )


def part_channels(problem):
    """Return the channels of a task: whole vectors and whole groups with all their outputs.

    The last task takes the rest too, which may be less than a vector.
    """
    width = lane_channels(problem)
    unit = lcm(lanes(problem.dtype), problem.group_out)
    n_units = width // unit
    if is_flat(problem) or n_units < 2:
        return width
    n_parts = -(-n_units * unit * problem.itemsize // PART_BYTES)
    return max(1, n_units // n_parts) * unit


def lines(problem, width):
    """Return `Across` where pixels have the lanes to themselves.

    A row is cut so that taps are neighbours: outputs some residues apart share a line.
    """
    stride, dilation = problem.stride[2], problem.dilation[2]
    taps = problem.kernel_size[2]
    step = dilation if taps > 1 else stride
    residues = step // gcd(stride, step)
    shift = stride // gcd(stride, step)
    columns = (tile_end(-(-width // residues)) - 1) * shift + taps
    return Across(width, columns, step, shift, residues, stride, residues, columns, 1, residues)


def flat_lines(problem, width):
    """Return `Across` where lanes run over pixels: a line for each residue of the stride."""
    stride = problem.stride[2]
    outputs = lane_channels(problem) // problem.out_channels
    columns = tile_end(-(-width // outputs))
    reach = (problem.kernel_size[2] - 1) * problem.dilation[2]
    count = columns * outputs + reach // stride
    phases = min(stride, reach + 1)
    return Across(width, count, stride, 1, phases, 1, problem.kernel_size[2], columns, outputs, 1)


def tile_end(n):
    """Return how many outputs in a line tiles may read the pixels of."""
    return max(n, PIXELS // 2 if n <= PIXELS // 2 else PIXELS)


def run(problem, form, weights, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`; `n_threads` is settled."""
    n_threads = min(n_threads, max(1, len(images) * form.tasks))
    group, times = problem.group_size, repeats(problem)
    dense = images.strides[4] == problem.itemsize or images.shape[4] == 1
    in_place = dense and times == 1 and not is_flat(problem)
    dtype = problem.dtype
    conv_stencil.conv(
        images, weights, out, problem.geometry(first), form.axes, form.taps, form.across,
        form.begins, form.list_step, MODE_CODES[problem.padding_mode],
        ACTIVATION_CODES[problem.activation], group, times, form.width, form.part, in_place,
        np.zeros(form.last, dtype),
        np.empty((n_threads, form.addresses), np.intp), np.empty((n_threads, form.rows), np.intp),
        np.empty((n_threads, 1 if in_place else form.band), dtype),
        np.empty((n_threads, form.line if times > 1 else 1), dtype),
        np.empty((n_threads, PIXELS * form.width if is_flat(problem) else 1), dtype),
    )
