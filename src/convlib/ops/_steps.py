"""Convolutions in steps below the public functions: which of them are fused, their blocks, the run.

Steps are problems of `conv`. Where all of them would run as stencils with lanes over channels they
are fused: each thread makes a block of the map between two steps, and the next step reads it from
the cache. Few channels go along the axes as the algorithm 'lowrank' does. What is left runs step
by step.
"""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from convlib._conv import lowrank, panels, stencil
from convlib._native import conv_stencil, cpu, separable
from convlib._problem import WHOLE
from convlib._speeds import predict
from convlib._terms import (
    ACTIVATION_CODES,
    CACHE_LINE,
    MODE_CODES,
    STREAM_BYTES,
    by_dtype,
    even,
    lanes,
    scratch_bytes,
)
from convlib._threads import thread_count

DEPTHWISE_POINTWISE = by_dtype(separable.depthwise_pointwise)
PASSES = by_dtype(separable.passes)

MAP_BYTES = 192 * 1024      # of a block between two steps; it stays in the second-level cache
MOST_MAP_BYTES = 4 * 2**20  # of the least that must be there at once
CROWDED = 512               # pixels of so many bytes, or multiples, share few lines of the cache


class PointwiseLayout(NamedTuple):
    """What is settled for all calls of a depthwise and a pointwise step."""

    numbers: memoryview    # of the stencil, for C
    channels: int          # between the steps
    pitch: int             # values between their pixels
    pixels: int            # of a task
    n_blocks: int          # of an image
    in_place: bool         # whether pixels may be read where they stand
    scratch: tuple         # bytes for one thread: with copied pixels, and in place
    seconds: float         # for one image


@lru_cache(maxsize=256)
def pointwise_layout(first, second, tier):
    """Return the `PointwiseLayout` of two problems, in a tier."""
    channels, itemsize = first.out_channels, first.itemsize
    pitch = pitch_of(first)
    per_pixel = first.depth * channels + channels * second.out_channels
    wanted = max(1, min(MAP_BYTES // (pitch * itemsize), int(panels.TASK_MACS / per_pixel)))
    size = blocks(first, wanted)
    plan = stencil.plan(first, *size)
    pixels = prod(size)
    address = np.dtype(np.intp).itemsize
    pieces = (pixels * pitch * itemsize, channels * address, pixels * address, pixels * address,
              panels.spare_size(first.dtype) * itemsize)
    return PointwiseLayout(
        numbers=conv_stencil.table(np.array(plan, np.intp)), channels=channels, pitch=pitch,
        pixels=pixels, in_place=not stencil.copies(first),
        n_blocks=prod(-(-n // step) for n, step in zip(first.output_size, size)),
        scratch=tuple(scratch_bytes(*pieces) + plan.scratch(itemsize, in_place)
                      for in_place in (False, True)),
        seconds=predict("depthwise", stencil.work(first))
        + predict("pointwise", {"call": 1} | panels.work(second, True)),
    )


def pitch_of(problem):
    """Return the values between the pixels of a map that a step writes."""
    channels = problem.out_channels
    is_crowded = channels * problem.itemsize % CROWDED == 0
    return channels + is_crowded * CACHE_LINE // problem.itemsize


def blocks(problem, wanted):
    """Return the size of blocks of about so many outputs, with few neighbours across."""
    outputs = stencil.lane_channels(problem) // problem.out_channels
    width = stencil.tiles_wide(problem.output_size[2], outputs)
    height = even(problem.output_size[1], max(1, wanted // width))
    depth = even(problem.output_size[0], max(1, wanted // (width * height)))
    return depth, height, width


def run_depthwise_pointwise(
    first, second, weights, prepared, images, out, between, activation, n_threads,
):
    """Write the outputs of two steps to `out`; weights are prepared, arrays have five axes."""
    layout = pointwise_layout(first, second, cpu.tier())
    n_threads = thread_count(n_threads, len(images) * layout.seconds)
    n_parts = 1
    if n_threads > 1:
        n_blocks = len(images) * layout.n_blocks
        n_parts = panels.n_parts(second, 1, n_blocks, n_threads)
        n_threads = min(n_threads, n_blocks * n_parts)
    in_place = layout.in_place and reads_in_place(images)
    DEPTHWISE_POINTWISE[first.dtype](
        images, weights, *prepared, out, first.geometry(WHOLE), layout.numbers,
        MODE_CODES[first.padding_mode], ACTIVATION_CODES[between], ACTIVATION_CODES[activation],
        in_place, out.nbytes > STREAM_BYTES, layout.channels, layout.pitch, n_parts,
        np.empty((n_threads, layout.scratch[in_place]), np.uint8),
    )


def reads_in_place(images):
    """Whether the pixels of images are dense, and not crowded in few lines of the cache."""
    is_dense = images.strides[4] == images.itemsize or images.shape[4] == 1
    return is_dense and images.strides[3] % stencil.CROWDING != 0


class PassesLayout(NamedTuple):
    """What is settled for all calls that go along one axis after the other."""

    axis: int              # along which slabs lie
    slab: int              # outputs of a task along it
    numbers: np.ndarray    # of each stencil, for C
    geometry: np.ndarray
    maps: tuple            # sizes of the maps between the steps, and values between their pixels
    copies: tuple          # whether each stencil copies its pixels
    scratch: int           # bytes for one thread
    seconds: float         # for one image


@lru_cache(maxsize=256)
def passes_layout(problems, tier):
    """Return the `PassesLayout` of problems along one axis after the other, in a tier."""
    axis = 3 - problems[0].rank
    itemsize = problems[0].itemsize
    slab = slab_size(problems)
    plans, maps = [], []
    for problem in problems:
        size = list(problem.output_size)
        size[axis] = slab
        maps.append((*size, problem.out_channels, pitch_of(problem)))
        wanted = stencil.MOST / problem.depth * lanes(problem.dtype) / problem.out_channels
        width = stencil.tiles_wide(size[2], 1)
        height = even(size[1], max(1, int(wanted) // width))
        plans.append(stencil.plan(problem, min(size[0], 1), height, width))
    return PassesLayout(
        axis=axis, slab=slab, numbers=np.array(plans, np.intp),
        geometry=np.array([problem.geometry(WHOLE) for problem in problems]),
        maps=tuple(maps[:-1]),
        copies=tuple(map(stencil.copies, problems)),
        scratch=max(plan.scratch(itemsize, False) for plan in plans),
        seconds=sum(predict("depthwise", stencil.work(problem)) for problem in problems),
    )


def slab_size(problems):
    """Return the outputs of a task along the first axis: maps fit in cache, tasks are short."""
    axis = 3 - problems[0].rank
    length = problems[0].output_size[axis]
    values = [prod(problem.output_size) // length * problem.out_channels for problem in problems]
    products = sum(problem.depth * n for problem, n in zip(problems, values))
    products = products / lanes(problems[0].dtype)
    vectors = min(max(products * length / 8, stencil.FEWEST), stencil.MOST)
    rows = min(MAP_BYTES // (max(values) * problems[0].itemsize), int(vectors / products))
    return even(length, max(1, rows))


def fits(problems):
    """Whether the maps between passes fit in a cache, one slab of them at least."""
    axis = 3 - problems[0].rank
    return all(
        prod(problem.output_size) // problem.output_size[axis] * problem.out_channels
        * problem.itemsize <= MOST_MAP_BYTES for problem in problems[:-1])


def run_passes(problems, weights, images, out, activation, n_threads):
    """Write the outputs of two or three steps to `out`; arrays have five axes."""
    layout = passes_layout(problems, cpu.tier())
    first = problems[0]
    n_threads = thread_count(n_threads, len(images) * layout.seconds)
    if n_threads > 1:
        n_slabs = -(-out.shape[1 + layout.axis] // layout.slab)
        n_threads = min(n_threads, len(images) * n_slabs)
    maps = tuple(
        np.empty((n_threads, *size, pitch), first.dtype)[..., :channels]
        for *size, channels, pitch in layout.maps)
    in_place = np.array(
        [not copies and reads_in_place(source)
         for copies, source in zip(layout.copies, (images, *maps))], np.uint8)
    PASSES[first.dtype](
        images, weights, maps, out, layout.geometry, layout.numbers, in_place,
        MODE_CODES[first.padding_mode], ACTIVATION_CODES[activation], layout.axis, layout.slab,
        np.empty((n_threads, layout.scratch), np.uint8),
    )


def run_lowrank(problem, kernels, bias, images, out, n_threads):
    """Write the convolution with kernels of one term, for few channels; arrays have five axes."""
    factors = []
    for axis, size in enumerate(problem.kernel_size):
        factors.append(np.ones((problem.out_channels, 1, size), problem.dtype))
        source = kernels[axis - 3 + problem.rank] if axis >= 3 - problem.rank else None
        if source is not None:
            flat = source.reshape(size, -1).T
            factors[axis][:, 0] = np.repeat(flat, problem.out_channels // len(flat), axis=0)
    if problem.kernel_size[0] == 1:  # 'lowrank' leaves such a pass out
        factors[1] = factors[0] * factors[1]
    prepared = lowrank.prepare_factors(problem, factors, bias)
    lowrank.run(problem, lowrank_layout(problem, cpu.tier()), prepared, images, out, WHOLE,
                n_threads)


@lru_cache(maxsize=256)
def lowrank_layout(problem, tier):
    """Return the layout of passes over planes, in a tier."""
    return lowrank.layout(problem)
