"""Transposed convolution: phases of outputs, each of them a convolution of stride one.

Outputs a stride apart see the same taps. There are two ways to compute such a phase: as a product
beside all others (`_native/conv_transpose.pyx`), or by the algorithms of `conv`, one phase after
the other, which are better for small groups of channels, for many taps and where the stride is one.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import gcd, lcm, prod
from typing import NamedTuple

import numpy as np

from convlib._algorithms import choose
from convlib._conv import igemm, panels, stencil
from convlib._conv.lowrank import worthwhile_rank
from convlib._native import conv_transpose
from convlib._problem import WHOLE, ConvProblem
from convlib._speeds import predict
from convlib._terms import (
    ACTIVATION_CODES,
    COPIED_BYTES,
    STREAM_BYTES,
    by_dtype,
    lanes,
    padded,
    scratch_bytes,
)
from convlib._threads import thread_count

CONV, PACK, SWAP = (by_dtype(getattr(conv_transpose, name)) for name in ("conv", "pack", "swap"))

IN_PLACE_CELLS = 256      # of a task, where pixels stay where they are
MOST_PHASES = 2**16       # beside each other
MANY_PHASES = 512         # one after the other, if they need not be more
BAND_BYTES = 2**28        # of a single window; larger ones are left to `conv`
ROW_SECONDS = 2e-9        # of a product of few channels, to begin and end
COPY_SECONDS = 2.5e-10    # a byte, of phases that are computed aside
ASIDE_BYTES = 8 * 2**20   # of them at once, or one image
IN_STEPS = {"winograd", "winograd2"}    # may write outputs that lie apart


@dataclass(frozen=True)
class TransposeProblem:
    """What `conv_transpose` computes for one image; as `ConvProblem`, with three axes."""

    rank: int
    image_size: tuple
    in_channels: int
    kernel_size: tuple
    out_channels: int
    groups: int
    stride: tuple
    dilation: tuple
    before: tuple         # outputs that the padding of the convolution takes away
    output_size: tuple
    activation: str | None
    dtype: str

    @cached_property
    def group_size(self):
        """Input channels of a group."""
        return self.in_channels // self.groups

    @cached_property
    def group_out(self):
        """Output channels of a group."""
        return self.out_channels // self.groups

    @cached_property
    def itemsize(self):
        """Bytes of a value."""
        return 4 if self.dtype == "float32" else 8

    @property
    def n_taps(self):
        """Taps of the kernel."""
        return prod(self.kernel_size)


class AxisPhase(NamedTuple):
    """The outputs of one axis that see the same taps, a stride apart."""

    first: int       # output
    n: int
    taps: tuple      # last first, as a convolution has them
    start: int       # pixel under the first tap of the first output
    dilation: int    # pixels between neighbouring taps

    @property
    def end(self):
        """Pixel after the last that is seen."""
        return self.start + self.n + (len(self.taps) - 1) * self.dilation

    def pixels(self, size):
        """Return what is seen of `size` pixels, as a slice."""
        return slice(min(max(self.start, 0), size), max(0, min(self.end, size)))


def axis_phases(problem, axis):
    """Return the phases of an axis that have outputs and taps, in order."""
    n_taps, stride = problem.kernel_size[axis], problem.stride[axis]
    dilation, before = problem.dilation[axis], problem.before[axis]
    n_outputs = problem.output_size[axis]
    divisor = gcd(stride, dilation)
    firsts = {(tap * dilation - before) % stride for tap in range(min(n_taps, stride // divisor))}
    phases = []
    for first in sorted(firsts):
        if first >= n_outputs:
            break
        cell, place = divmod(first + before, stride)
        taps = first_taps(n_taps, stride, dilation, place)[::-1]
        start = cell - taps[0] * dilation // stride
        n = -(-(n_outputs - first) // stride)
        phases.append(AxisPhase(first, n, taps, start, dilation // divisor))
    return phases


def first_taps(n_taps, stride, dilation, place):
    """Return the taps that add to a place of a cell."""
    step = stride // gcd(stride, dilation)
    first = next((tap for tap in range(min(step, n_taps)) if tap * dilation % stride == place),
                 n_taps)
    return tuple(range(first, n_taps, step))


# All phases beside each other


class Cells(NamedTuple):
    """How the product is laid out, as C takes it."""

    axes: np.ndarray       # (3, 9), phases and taps: see conv_transpose.pyx
    phases: np.ndarray
    taps: np.ndarray
    order: np.ndarray      # the taps, phase by phase
    in_place: bool         # whether each cell sees one pixel, inside the image
    blocks: tuple
    pitch: int
    values: int            # of a band


def cells_problem(problem):
    """Return the convolution whose windows are what cells see, of any phase."""
    backs = [(taps - 1) * dilation // stride for taps, dilation, stride
             in zip(problem.kernel_size, problem.dilation, problem.stride)]
    firsts = [before // stride for before, stride in zip(problem.before, problem.stride)]
    ends = [(before + n - 1) // stride + 1 for before, n, stride
            in zip(problem.before, problem.output_size, problem.stride)]
    return ConvProblem(
        rank=problem.rank, image_size=problem.image_size, in_channels=problem.in_channels,
        kernel_size=tuple(back + 1 for back in backs), out_channels=problem.out_channels,
        groups=problem.groups, stride=(1, 1, 1), dilation=(1, 1, 1),
        padding=tuple((back - first, 0) for back, first in zip(backs, firsts)),
        padding_mode="constant", activation=problem.activation,
        output_size=tuple(end - first for end, first in zip(ends, firsts)), dtype=problem.dtype)


def refuse_product(problem):
    """Accept what has memory for one band of windows."""
    windows = cells_problem(problem)
    smallest = prod(windows.kernel_size) * igemm.pitch(windows) * problem.itemsize
    if prod(problem.stride) > MOST_PHASES:
        return f"there are {prod(problem.stride)} phases"
    return f"a single window takes {smallest} bytes" if smallest > BAND_BYTES else ""


def product_work(problem):
    """Return the amounts of work for one image, in the units of `igemm`."""
    vectors = padded(problem.group_out, problem.dtype) // lanes(problem.dtype) * problem.groups
    taps = prod(sum(phase.n * len(phase.taps) for phase in axis_phases(problem, axis))
                for axis in range(3))
    values = problem.n_taps * problem.group_size * vectors * lanes(problem.dtype)
    copied = prod(problem.image_size) * problem.in_channels * problem.itemsize
    return {"call": 1, "copy": copied, "product": taps * problem.group_size * vectors,
            "pack": values * problem.itemsize}


def n_rows(problem):
    """Return how often the product begins a row of outputs for one image."""
    panels_of_group = -(-problem.group_out // (2 * lanes(problem.dtype)))
    return prod(problem.output_size) * problem.groups * panels_of_group


def lay_out(problem):
    """Return the `Cells`."""
    windows = cells_problem(problem)
    backs = [n - 1 for n in windows.kernel_size]
    firsts = [back - before for back, (before, _) in zip(backs, windows.padding)]
    in_place = not any(backs) and all(
        first + n <= size
        for first, n, size in zip(firsts, windows.output_size, problem.image_size))
    blocks = igemm.blocking(windows)
    if in_place:
        blocks = [igemm.band_axis(windows, axis, n)
                  for axis, n in enumerate(row_blocks(windows.output_size))]
    places = [[first_taps(*form, place) for place in range(form[1])]
              for form in zip(problem.kernel_size, problem.stride, problem.dilation)]
    phases, order = [], []
    for place in product(*map(range, problem.stride)):
        taps = list(product(*(along[i] for along, i in zip(places, place))))
        phases.append((*place, len(taps), len(order)))
        order += taps
    order = np.array(order, np.intp).reshape(-1, 3)
    axes = [(*blocks[axis][:4], problem.stride[axis], problem.before[axis], backs[axis],
             firsts[axis], windows.output_size[axis]) for axis in range(3)]
    return Cells(
        axes=np.array(axes, np.intp), phases=np.array(phases, np.intp),
        taps=order * problem.dilation // problem.stride,
        order=np.ravel_multi_index(order.T, problem.kernel_size).astype(np.intp),
        in_place=in_place, blocks=tuple(axis.block for axis in blocks),
        pitch=igemm.pitch(windows), values=prod(axis.count for axis in blocks)
        * igemm.pitch(windows))


def row_blocks(size):
    """Return blocks of rows of about `IN_PLACE_CELLS` cells."""
    width = min(size[2], IN_PLACE_CELLS)
    return 1, min(size[1], max(1, IN_PLACE_CELLS // width)), width


class Product:
    """All phases beside each other, as a product."""

    def __init__(self, problem):
        self.problem = problem
        self.cells = lay_out(problem)
        self.work = product_work(problem)
        self.seconds = predict("igemm", self.work) + ROW_SECONDS * n_rows(problem)

    def run(self, images, kernel, bias, out, n_threads):
        """Write the outputs to `out`."""
        self.multiply(images, self.pack(kernel, bias, n_threads), out, n_threads)

    def pack(self, kernel, bias, n_threads):
        """Return the panels of all phases, which do not depend on sizes of images."""
        problem, cells = self.problem, self.cells
        dtype = problem.dtype
        columns = padded(problem.group_out, dtype)
        size = (len(cells.phases) + problem.n_taps * problem.group_size) * columns
        packed = np.empty((problem.groups, size), dtype)
        n_packing = thread_count(n_threads, 2 * packed.nbytes / COPIED_BYTES)
        kernel = kernel.reshape(problem.n_taps, problem.group_out, problem.in_channels)
        PACK[dtype](kernel, bias, cells.phases, cells.order, packed, n_packing)
        return packed

    def multiply(self, images, packed, out, n_threads):
        """Write the products of images and panels to `out`."""
        problem, cells = self.problem, self.cells
        dtype = problem.dtype
        n_threads = thread_count(n_threads, len(images) * self.seconds)
        n_blocks = len(images) * problem.groups * prod(
            -(-n // block) for n, block in zip(cells.axes[:, 8], cells.blocks))
        n_parts = self.n_parts(n_blocks, n_threads)
        address = np.dtype(np.intp).itemsize
        pixels = prod(cells.blocks)
        is_dense = images.strides[4] == problem.itemsize or images.shape[4] == 1
        scratch = scratch_bytes(
            problem.n_taps * problem.group_size * address, pixels * address, pixels * address,
            cells.values * problem.itemsize, panels.spare_size(dtype) * problem.itemsize)
        CONV[dtype](
            images, packed, out, cells.axes, cells.phases, cells.taps,
            ACTIVATION_CODES[problem.activation], out.nbytes > STREAM_BYTES,
            cells.in_place and is_dense, problem.group_size, cells.pitch, pixels, cells.values,
            n_parts, np.empty((min(n_threads, n_blocks * n_parts), scratch), np.uint8))

    def n_parts(self, n_blocks, n_threads):
        """Return into how many parts the panels of all phases are cut, for short tasks."""
        problem = self.problem
        n_panels = -(-problem.group_out // (2 * lanes(problem.dtype))) * len(self.cells.phases)
        macs = prod(self.cells.blocks) * problem.n_taps * problem.group_size * problem.group_out
        several = 8 * n_threads // max(1, n_blocks) if n_threads > 1 else 1
        return min(n_panels, max(1, round(macs / panels.TASK_MACS), several))


# One phase after the other


class Phase(NamedTuple):
    """A phase as a convolution."""

    outputs: tuple     # slices of the spatial axes
    pixels: tuple
    taps: np.ndarray   # numbers of the taps, in the order of the convolution's kernel
    problem: ConvProblem
    way: object        # of `conv` to compute it
    layout: object


def as_conv(problem, along, kernel_rank):
    """Return the `ConvProblem` of a phase, given by its `AxisPhase` along each axis."""
    pixels = [phase.pixels(size) for phase, size in zip(along, problem.image_size)]
    return ConvProblem(
        rank=problem.rank, image_size=tuple(part.stop - part.start for part in pixels),
        in_channels=problem.in_channels, kernel_size=tuple(len(phase.taps) for phase in along),
        out_channels=problem.out_channels, groups=problem.groups, stride=(1, 1, 1),
        dilation=tuple(phase.dilation if len(phase.taps) > 1 else 1 for phase in along),
        padding=tuple((max(0, -phase.start), max(0, phase.end - size))
                      for phase, size in zip(along, problem.image_size)),
        padding_mode="constant", activation=problem.activation,
        output_size=tuple(phase.n for phase in along), dtype=problem.dtype,
        kernel_rank=kernel_rank)


class Phases:
    """One phase after the other, by the algorithms of `conv`: the cheapest, or those of a whole.

    `names` has the algorithms of an image of which this is part, by the first outputs.
    """

    def __init__(self, problem, kernel_rank, names=None):
        self.problem = problem
        self.phases = []
        self.seconds = 0.0
        n_places = prod(min(n, stride) for n, stride in zip(problem.output_size, problem.stride))
        for along in product(*(axis_phases(problem, axis) for axis in range(3))):
            outputs = tuple(slice(phase.first, None, step)
                            for phase, step in zip(along, problem.stride))
            pixels = tuple(phase.pixels(size) for phase, size in zip(along, problem.image_size))
            if any(part.start >= part.stop for part in pixels):
                continue
            taps = np.array(list(product(*(phase.taps for phase in along))), np.intp)
            phase = as_conv(problem, along, kernel_rank)
            way = choose(phase, (names or {}).get(first_outputs(outputs), "auto"), False)
            self.seconds += way.cost(phase, False)
            if not self.fits(way, phase):
                self.seconds += COPY_SECONDS * out_bytes(phase)
            self.phases.append(Phase(
                outputs, pixels, np.ravel_multi_index(taps.T, problem.kernel_size).astype(np.intp),
                phase, way, way.layout(phase)))
        # Outputs of the others see no pixel.
        self.is_whole = len(self.phases) == n_places

    @property
    def names(self):
        """The names of the algorithms, by the first outputs."""
        return {first_outputs(phase.outputs): phase.way.name for phase in self.phases}

    def grid(self):
        """Return the grid of the outputs, for every axis."""
        grids = [(1,) * self.problem.rank]
        grids += [phase.way.grid(phase.problem) for phase in self.phases]
        strides = self.problem.stride[3 - self.problem.rank:]
        return tuple(lcm(*axis) * stride for axis, stride in zip(zip(*grids), strides))

    def fits(self, way, phase):
        """Tell whether outputs of `way` may lie apart, or do not have to."""
        if way.name in ("depthwise", "grouped") and not stencil.is_flat(phase):
            return True
        return max(self.problem.stride) == 1 or way.name in IN_STEPS

    def run(self, images, kernel, bias, out, n_threads):
        """Write the outputs to `out`."""
        problem = self.problem
        kernel = kernel.reshape(problem.n_taps, problem.group_out, problem.in_channels)
        if not self.is_whole:
            out[:] = lone_bias(problem, bias)
        for outputs, pixels, taps, phase, way, layout in self.phases:
            swapped = np.empty((len(taps), problem.group_size, problem.out_channels), problem.dtype)
            n_swapping = thread_count(n_threads, 2 * swapped.nbytes / COPIED_BYTES)
            SWAP[problem.dtype](kernel, taps, swapped, n_swapping)
            prepared = way.prepare(phase, swapped, bias, n_threads)
            seen, target = images[:, *pixels], out[:, *outputs]
            if self.fits(way, phase):
                way.run(phase, layout, prepared, seen, target, WHOLE, n_threads)
                continue
            n = max(1, ASIDE_BYTES // out_bytes(phase))
            for first in range(0, len(images), n):
                part = target[first:first + n]
                aside = np.empty(part.shape, problem.dtype)
                way.run(phase, layout, prepared, seen[first:first + n], aside, WHOLE, n_threads)
                part[:] = aside


def first_outputs(outputs):
    """Return where the slices of a phase begin."""
    return tuple(part.start for part in outputs)


def out_bytes(problem):
    """Return the size of the outputs for one image."""
    return prod(problem.output_size) * problem.out_channels * problem.itemsize


def lone_bias(problem, bias):
    """Return the outputs of pixels that see none."""
    one = ConvProblem(
        rank=1, image_size=(1, 1, 1), in_channels=1, kernel_size=(1, 1, 1),
        out_channels=problem.out_channels, groups=1, stride=(1, 1, 1), dilation=(1, 1, 1),
        padding=((0, 0),) * 3, padding_mode="constant", activation=problem.activation,
        output_size=(1, 1, 1), dtype=problem.dtype)
    way = choose(one, "direct", False)
    out = np.empty((1, 1, 1, 1, problem.out_channels), problem.dtype)
    nothing = np.zeros((1, 1, 1, 1, 1), problem.dtype)
    kernel = np.zeros((1, 1, problem.out_channels), problem.dtype)
    way.run(one, None, way.prepare(one, kernel, bias, 1), nothing, out, WHOLE, 1)
    return out


# The choice


def kernel_rank_of(problem, kernel):
    """Return the rank of the kernel where it counts: see `ConvProblem`."""
    if problem.group_size > 1 or max(problem.stride) > 1 or problem.rank == 3:
        return 0
    shape = (*problem.kernel_size[3 - problem.rank:], 1, problem.out_channels)
    kernel = kernel.reshape(*shape[:-2], problem.group_out, problem.groups)
    kernel = np.flip(np.moveaxis(kernel, -1, -2).reshape(shape), tuple(range(len(shape) - 2)))
    size = problem.image_size[3 - problem.rank:]
    return worthwhile_rank(kernel, np.dtype(problem.dtype), size, "auto")


@lru_cache(maxsize=1024)
def choose_way(problem, kernel_rank, tier):
    """Return the `Product` or the `Phases` of a problem, whichever is predicted to be faster."""
    n_phases = prod(len(axis_phases(problem, axis)) for axis in range(3))
    if n_phases > MANY_PHASES and not refuse_product(problem):
        return Product(problem)
    phases = Phases(problem, kernel_rank)
    if max(problem.stride) == 1 or refuse_product(problem):
        return phases
    beside = Product(problem)
    return beside if beside.seconds <= phases.seconds else phases
