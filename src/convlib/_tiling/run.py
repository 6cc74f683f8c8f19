"""Run a plan tile by tile: read ahead, compute, write."""

import mmap
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import repeat
from math import prod

import numpy as np

from convlib._tiling.boxes import read, tile_size, tiles
from convlib._tiling.journal import Journal
from convlib._tiling.progress import Progress


def run(plan, source, sink, tile, resume, verbose):
    """Write the result of a plan to the sink."""
    journal, done = None, {}
    if resume is not None:
        journal = Journal(resume, job_of(plan, source), tile)
        tile, done = journal.tile, journal.checksums
    boxes = tiles(plan.outputs, tile)
    try:
        if journal is not None:
            journal.check(sink, lambda number: plan.place(boxes[number]))
        todo = [(number, box) for number, box in enumerate(boxes) if number not in done]
        progress = Progress(plan.name, len(boxes), len(boxes) - len(todo),
                            sum(map(n_outputs, todo)), verbose)
        for (number, box), (crop, regions) in zip(todo, crops(plan, source, todo)):
            place = plan.place(box)
            sink[place] = plan.compute(crop, box, regions)
            if journal is not None:
                journal.add(number, sink, place)
            forget_pages(source)
            forget_pages(sink)
            progress.add(n_outputs((number, box)))
    finally:
        if journal is not None:
            journal.close()


def n_outputs(numbered_box):
    """Return the outputs of a box along the axes that are cut."""
    return prod(own.stop - own.start for own in numbered_box[1])


def crops(plan, source, todo):
    """Yield the crop of each box and its regions, while the next one is read already."""
    is_copied = isinstance(source, np.memmap)    # else it is read where it is computed with

    def crop_of(box):
        regions = plan.regions(box)
        return read(source, plan.axes, regions, is_copied), regions

    with ThreadPoolExecutor(1, "convlib-read") as reader:
        ahead = None
        for _, box in todo:
            now, ahead = ahead, reader.submit(crop_of, box)
            if now is not None:
                yield now.result()
        if ahead is not None:
            yield ahead.result()


def tile_of(plan, source, sink, budget, wanted):
    """Return the outputs of a tile along each axis: of whole grids, and of whole chunks."""
    grid = tuple(axis.grid for axis in plan.axes)
    if wanted is not None:
        return tuple(min(-(-n // own) * own, axis.outputs)
                     for n, own, axis in zip(wanted, grid, plan.axes))
    chunks = getattr(sink, "shards", None) or getattr(sink, "chunks", None) or repeat(1)
    chunks = dict(enumerate(chunks)) if chunks is not None else {}
    return tile_size(plan.outputs, [axis.window.halo for axis in plan.axes], None, budget, grid)


def job_of(plan, source):
    """Return what tells a job from others, for a journal.

    What the function computes is told by a checksum of a few outputs of random pixels.
    """
    box = tuple(slice(0, min(axis.grid, axis.outputs)) for axis in plan.axes)
    regions = plan.regions(box)
    shape = list(source.shape)
    for axis, region in zip(plan.axes, regions):
        shape[axis.source] = sum(part.stop - part.start for part in region.parts)
    pixels = np.random.default_rng(0).random(shape)
    if np.dtype(source.dtype).kind in "iub":
        pixels = pixels * 100
    values = plan.compute(pixels.astype(source.dtype), box, regions)
    return {
        "function": plan.name, "source": [list(source.shape), np.dtype(source.dtype).name],
        "result": [list(plan.shape), plan.dtype.name],
        "values": sha256(np.ascontiguousarray(values)).hexdigest()[:16],
    }


def forget_pages(array):
    """Let go of the pages of a file in memory: the system still has them, as long as it likes."""
    if isinstance(array, np.memmap) and array.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        array._mmap.madvise(mmap.MADV_DONTNEED)
