"""What `depthwise` and `grouped` share: lanes over the channels of many groups at once.

Pixels are found through lists of addresses. A row of pixels is cut into lines in which the taps
of an output are neighbours, whatever the dilation, and each line has a list; so a tile of outputs
reads each pixel once. Where the channels do not fill a vector, lanes run over pixels too: lines
are copied, and each tap of a row has a list.
"""

from math import gcd, isqrt, lcm, prod
from typing import NamedTuple

import numpy as np

from convlib._conv.igemm import band_axis
from convlib._native import conv_stencil
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

CONV = by_dtype(conv_stencil.conv)
PACK = by_dtype(conv_stencil.pack)

TILES = 4, 8, 14           # pixels; as in _native/c/microkernels.h
BLOCK_TILES = 4            # along a row of a block: high blocks read few rows twice
BAND_BYTES = 256 * 1024    # of copied pixels; they stay in the second-level cache
PART_BYTES = 1024          # of a pixel's channels in a task; copied lines should be long
CROWDING = 2048            # bytes between pixels that then share a few lines of the first cache
FEWEST, MOST = 15e3, 2e5   # products of vectors in a task, 5 to 60 us


class Plan(NamedTuple):
    """How blocks, lines and lists lie; C takes it as it is."""

    group: int          # input channels of a group
    repeats: int        # sets of outputs that see the same group
    width: int          # channels of all lanes
    part: int           # channels of a task
    last: int           # channels of the last task, which takes the rest
    z_block: int        # planes of outputs in a task
    z_count: int        # planes of pixels under them
    z_step: int         # planes of the image between those
    z_shift: int        # of those, between neighbouring outputs
    z_reach: int        # and between neighbouring taps
    z_taps: int
    y_block: int        # the same for rows
    y_count: int
    y_step: int
    y_shift: int
    y_reach: int
    y_taps: int
    x_block: int        # outputs of a row in a task
    x_count: int        # pixels of a line
    x_step: int         # pixels of the image between neighbours in a line
    x_shift: int        # addresses of a list between neighbouring outputs
    x_reach: int        # pixels of lines between the beginnings of lists
    x_taps: int         # taps of a list
    phases: int         # lines of a row
    origin: int         # pixels of the image between the beginnings of lines
    lists: int          # of a row
    columns: int        # addresses of a list
    tap_lists: int      # lists of a row of taps
    outputs: int        # output pixels in a pixel of lanes
    residues: int       # outputs between neighbours of a tile
    n_addresses: int    # of all lists
    n_rows: int         # of taps, of all rows of outputs
    n_band: int         # values of copied lines
    n_line: int         # values of a line before channels are repeated

    def scratch(self, itemsize, in_place):
        """Return the bytes of scratch for one thread."""
        copies = (0, 0) if in_place else (self.n_band * itemsize, self.n_line * itemsize)
        return scratch_bytes(8 * self.n_addresses, 8 * self.n_rows, self.last * itemsize,
                             TILES[-1] * self.last * itemsize, *copies)

    def n_tasks(self, size):
        """Return the number of tasks for outputs of this size."""
        block = self.z_block, self.y_block, self.x_block
        blocks = prod(-(-n // step) for n, step in zip(size, block))
        return blocks * (self.width // self.part)


class Layout(NamedTuple):
    """What is the same in all calls."""

    plan: Plan
    numbers: memoryview    # the plan for C
    scratch: tuple         # bytes for one thread: with copied pixels, and in place
    in_place: bool         # whether pixels may be read where they stand
    seconds: float         # for one image


def work(problem):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    values = prod(problem.image_size) * problem.in_channels
    moved = (values + prod(problem.output_size) * problem.out_channels) * problem.itemsize
    amounts = {"call": 1, "product": n_vectors(problem) * problem.depth, "move": moved}
    if copies(problem):
        amounts["copy"] = values * repeats(problem) * problem.itemsize
    return amounts


def grid(problem):
    """Every output is a sum of its own, in one order."""
    return (1,) * problem.rank


def repeats(problem):
    """Return how many sets of outputs see the same group."""
    return problem.group_out // problem.group_size


def is_flat(problem):
    """Return whether lanes run over pixels too: the channels alone would not fill a vector."""
    return problem.out_channels < lanes(problem.dtype)


def copies(problem):
    """Return whether pixels are copied even where they are dense in memory."""
    return is_flat(problem) or repeats(problem) > 1


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


def weights_shape(problem):
    """Return the shape of the packed kernel."""
    size = lanes(problem.dtype)
    return -(-lane_channels(problem) // size), (1 + problem.depth) * size


def refuse(problem):
    """Refuse what has no memory for the weights, or for one tile and its pixels."""
    size = prod(weights_shape(problem)) * problem.itemsize
    if size > PREPARED_BYTES:
        return f"the packed kernel would take {size} bytes"
    if max(problem.dilation) > MOST_DILATION:
        return f"the dilation is above {MOST_DILATION}"
    size = plan(problem, 1, 1, 1).scratch(problem.itemsize, False)
    if size > 2**28:
        return f"a single tile takes {size} bytes"
    return ""


def prepare(problem, kernel, bias, n_threads):
    """Return the weights in vectors, the bias first."""
    rows = prod(problem.kernel_size[:2]) * (problem.kernel_size[2] if is_flat(problem) else 1)
    kernel = kernel.reshape(rows, -1, problem.out_channels)
    weights = np.empty(weights_shape(problem), kernel.dtype)
    PACK[problem.dtype](kernel, bias, problem.group_size, lane_channels(problem), weights)
    return weights


def layout(problem, name):
    """Return the `Layout` for the algorithm called `name`."""
    form = blocking(problem)
    return Layout(
        plan=form,
        numbers=conv_stencil.table(np.array(form, np.intp)),
        scratch=tuple(form.scratch(problem.itemsize, in_place) for in_place in (False, True)),
        in_place=not copies(problem),
        seconds=predict(name, work(problem)),
    )


def blocking(problem):
    """Return the `Plan` whose blocks are even, and neither too long nor too few.

    They are narrow and high, as neighbours across share columns of pixels only; where taps are
    deep, as deep as high.
    """
    outputs = lane_channels(problem) // problem.out_channels
    wanted = min(max(n_vectors(problem) * problem.depth / 8, FEWEST), MOST)
    size = [1, 1, tiles_wide(problem.output_size[2], outputs)]
    form = plan(problem, *size)
    vectors = -(-size[2] // outputs) * -(-form.part // lanes(problem.dtype))
    rows = max(1, int(wanted / (vectors * problem.depth)))
    high = isqrt(rows) if problem.kernel_size[0] > 1 else rows
    size[1] = even(problem.output_size[1], high)
    size[0] = even(problem.output_size[0], max(1, rows // size[1]))
    form = plan(problem, *size)
    while form.n_band * problem.itemsize > BAND_BYTES and max(size) > 1:
        axis = 2 if max(size[:2]) == 1 else 0 if size[0] > size[1] else 1
        size[axis] = -(-size[axis] // 2)
        form = plan(problem, *size)
    return form


def tiles_wide(width, outputs):
    """Return a width of blocks: whole tiles, or all of it."""
    tile = TILES[-1] * outputs
    return min(width, even(-(-width // tile), BLOCK_TILES) * tile)


def plan(problem, depth, height, width):
    """Return the `Plan` of blocks of this size."""
    deep, down = band_axis(problem, 0, depth), band_axis(problem, 1, height)
    line = flat_line(problem, width) if is_flat(problem) else plain_line(problem, width)
    channels, part = lane_channels(problem), part_channels(problem)
    last = channels - (channels // part - 1) * part
    n_rows = deep.count * down.count
    n_taps = problem.kernel_size[0] * problem.kernel_size[1] * line["tap_lists"]
    return Plan(
        problem.group_size, repeats(problem), channels, part, last,
        *deep, problem.kernel_size[0], *down, problem.kernel_size[1], width, **line,
        n_addresses=n_rows * line["lists"] * line["columns"],
        n_rows=depth * height * line["residues"] * n_taps,
        n_band=(n_rows * line["phases"] * line["x_count"] * min(last, problem.out_channels)
                + lanes(problem.dtype)),
        n_line=line["x_count"] * problem.in_channels,
    )


def part_channels(problem):
    """Return the channels of a task: whole vectors, and whole groups with all their outputs."""
    width = lane_channels(problem)
    unit = lcm(lanes(problem.dtype), problem.group_out)
    n_units = width // unit
    if is_flat(problem) or n_units < 2:
        return width
    n_parts = -(-n_units * unit * problem.itemsize // PART_BYTES)
    return max(1, n_units // n_parts) * unit


def plain_line(problem, width):
    """Return the lines of a `Plan` where a pixel has the lanes to itself.

    A row is cut so that taps are neighbours: outputs some residues apart share a line.
    """
    stride, dilation, taps = problem.stride[2], problem.dilation[2], problem.kernel_size[2]
    step = dilation if taps > 1 else stride
    residues = step // gcd(stride, step)
    shift = stride // gcd(stride, step)
    columns = (tile_end(-(-width // residues)) - 1) * shift + taps
    return {"x_count": columns, "x_step": step, "x_shift": shift, "x_reach": 1, "x_taps": taps,
            "phases": residues, "origin": stride, "lists": residues, "columns": columns,
            "tap_lists": 1, "outputs": 1, "residues": residues}


def flat_line(problem, width):
    """Return the lines of a `Plan` where lanes run over pixels.

    There is a line for each residue of the stride, so that neighbours in it are a stride apart.
    """
    stride, dilation, taps = problem.stride[2], problem.dilation[2], problem.kernel_size[2]
    outputs = lane_channels(problem) // problem.out_channels
    columns = tile_end(-(-width // outputs))
    reach = (taps - 1) * dilation
    count = columns * outputs + reach // stride
    return {"x_count": count, "x_step": stride, "x_shift": 1, "x_reach": dilation, "x_taps": 1,
            "phases": min(stride, reach + 1), "origin": 1, "lists": taps, "columns": columns,
            "tap_lists": taps, "outputs": outputs, "residues": 1}


def tile_end(n):
    """Return how many outputs in a line tiles may read the pixels of."""
    return max(n, min(tile for tile in TILES if tile >= min(n, TILES[-1])))


def run(problem, layout, weights, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    n_threads = thread_count(n_threads, len(images) * layout.seconds)
    if n_threads > 1:
        n_threads = min(n_threads, len(images) * layout.plan.n_tasks(out.shape[1:4]))
    is_far = images.nbytes + out.nbytes > STREAM_BYTES
    is_dense = images.strides[4] == problem.itemsize or images.shape[4] == 1
    in_place = is_dense and layout.in_place and not is_better_copied(images, layout.plan, is_far)
    CONV[problem.dtype](
        images, weights, out, problem.geometry(first), layout.numbers,
        MODE_CODES[problem.padding_mode], ACTIVATION_CODES[problem.activation], in_place,
        is_far,
        np.empty((n_threads, layout.scratch[in_place]), np.uint8),
    )


def is_better_copied(images, plan, is_far):
    """Tell whether pixels that might be read where they stand are copied faster.

    Copies read a row in order, as memory likes it, if all of a pixel is copied; of what is in
    the caches, pixels that crowd there are copied.
    """
    return plan.part == plan.width if is_far else images.strides[3] % CROWDING == 0
