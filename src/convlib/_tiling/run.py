"""Run a plan tile by tile: read ahead, compute, write."""

import mmap
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from math import lcm, prod

import numpy as np

from convlib._progress import Progress
from convlib._tiling.boxes import n_pixels, tile_size, tiles
from convlib._tiling.journal import Journal


def run(plan, source, sink, tile, resume, verbose):
    """Write the result of a plan to the sink, but for the tiles that a journal calls finished."""
    journal, finished = None, {}
    if resume is not None:
        journal = Journal(resume, job_of(plan, source), tile)
        tile, finished = journal.tile, journal.checksums
    boxes = tiles(plan.outputs, tile)
    try:
        if journal is not None:
            journal.check(sink, lambda number: plan.place(boxes[number]))
        todo = [(number, box) for number, box in enumerate(boxes) if number not in finished]
        before = sum(n_pixels(boxes[number]) for number in finished)
        with Progress("map_tiles", prod(plan.outputs), "pixels", verbose, before) as progress:
            for number, box, crop in with_crops(plan, source, todo):
                place = plan.place(box)
                sink[place] = plan.result(crop, box)
                if journal is not None:
                    journal.add(number, sink, place)
                forget_pages(source)
                forget_pages(sink)
                progress.advance(n_pixels(box))
    finally:
        if journal is not None:
            journal.close()


def with_crops(plan, source, todo):
    """Yield numbered boxes with their crops, while the crop of the next one is read already."""
    is_copied = isinstance(source, np.memmap)    # else it is read where it is computed with
    with ThreadPoolExecutor(1, "convlib-read") as reader:
        ahead = None
        for numbered in [*todo, None]:
            now = ahead
            ahead = numbered and (*numbered, reader.submit(
                plan.crop, source, numbered[1], is_copied))
            if now is not None:
                yield *now[:2], now[2].result()


def tile_of(plan, source, sink, budget):
    """Return the outputs of a tile along each axis: within a budget of bytes, of whole grids.

    Where the sink has chunks, tiles are of whole ones as far as memory allows: then no two tiles
    write to one chunk, of which a kill in between could take both.
    """
    def n_bytes(tile):
        return plan.tile_bytes(tile, source.shape, np.dtype(source.dtype).itemsize)

    chunks = getattr(sink, "shards", None) or getattr(sink, "chunks", None)
    chunks = chunks or (1,) * len(plan.shape)
    whole = tuple(min(lcm(own, chunks[axis.result]), axis.outputs)
                  for own, axis in zip(plan.grid, plan.axes))
    stacks = [number for number, axis in enumerate(plan.axes) if axis.is_stack]
    tile = tile_size(plan.outputs, plan.halo, n_bytes, budget, whole, stacks)
    if n_bytes(tile) > budget:
        tile = tile_size(plan.outputs, plan.halo, n_bytes, budget, plan.grid, stacks)
    return tile


def job_of(plan, source):
    """Return what tells a job from others, for a journal.

    What is computed is told by a checksum of some outputs of random pixels.
    """
    pixels = RandomPixels(source)
    box = tuple(slice(0, min(own, n)) for own, n in zip(plan.grid, plan.outputs))
    values = plan.result(plan.crop(pixels, box, False), box)
    return {
        "function": plan.name, "source": [list(source.shape), np.dtype(source.dtype).name],
        "result": [list(plan.shape), plan.dtype.name],
        "values": sha256(np.ascontiguousarray(values)).hexdigest()[:16],
    }


class RandomPixels:
    """An array of one shape and dtype whose slices hold random pixels, the same each time."""

    def __init__(self, like):
        self.shape, self.dtype = like.shape, np.dtype(like.dtype)

    def __getitem__(self, index):
        size = [len(range(*own.indices(n))) for own, n in zip(index, self.shape)]
        pixels = np.random.default_rng(0).random(size)
        return (pixels * 100 if self.dtype.kind in "iub" else pixels).astype(self.dtype)


def forget_pages(array):
    """Let go of the pages of a file in memory: the system still has them, as long as it likes."""
    if isinstance(array, np.memmap) and array.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        array._mmap.madvise(mmap.MADV_DONTNEED)
