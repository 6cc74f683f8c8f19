"""Boxes of outputs, and the crops of the source that they are made of.

A box is a tuple of slices, one for each axis that is cut. What is computed for a box needs a halo
of pixels around it; where the image ends, padding takes its place.
"""

from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from convlib._tiling.windows import Window

SMALLEST = 32    # pixels along an axis of a box that is not halved to save work


class Axis(NamedTuple):
    """An axis along which outputs are cut into tiles."""

    source: int               # its number in the source
    result: int               # and in the result
    size: int                 # pixels
    outputs: int
    window: Window
    grid: int = 1
    mode: str = "constant"    # of the pixels outside
    padding: object = None    # pixels behind the image, for functions that are told of padding
    reads_on: int = 0         # pixels that may count for the rounding of what a box sees last
    is_stack: bool = False    # whether outputs see no neighbours, and are best computed alone


class Region(NamedTuple):
    """What is read along an axis for some outputs.

    To the function the crop is an image of its own. Its border lies where that of the whole image
    does, or so far away that no output sees it.
    """

    parts: tuple         # slices of the source that lie one behind the other in the crop
    start: int           # position of the first pixel in the image
    pads: tuple          # pixels outside, before and after the crop, that outputs see
    skipped: int         # outputs of the crop before those that are wanted


def region_of(axis, own):
    """Return the `Region` for a slice of the outputs of an axis."""
    stride, factor = axis.window.stride, axis.window.factor
    start, last = axis.window.span(own.start, own.stop - 1)
    if axis.padding is None:    # outputs are where their own pixels are
        start = min(start, axis.window.own(own.start))
        last = max(last, axis.window.own(own.stop - 1))
    # Where the last outputs do not fill the grid, their arithmetic reads on.
    end = last + 1
    read_on = end + -own.stop % axis.grid * stride + axis.reads_on
    if axis.mode == "wrap" and (start < 0 or read_on > axis.size):
        parts = _both_ends(axis, own, start, read_on)
        if len(parts) == 2:
            return _joined_region(axis, own, parts, start)
        low, high = 0, axis.size
    else:
        seen = positions(start, read_on, axis.size, axis.mode)
        low, high = int(seen.min()), int(seen.max()) + 1
        if read_on > axis.size:
            high = axis.size
    if axis.padding is None:
        low -= low % axis.grid
        return Region((slice(low, high),), low, (0, 0), own.start - low * factor // stride)
    # Outputs begin where the crop or its padding does: some on the grid before those wanted.
    steps = max(0, -((low - start) // (stride * axis.grid)))
    start -= steps * axis.grid * stride
    low = max(0, start)
    after = axis.padding if high == axis.size else 0
    return Region((slice(low, high),), low, (low - start, after), steps * axis.grid)


def _both_ends(axis, own, start, end):
    """Return the two ends of an image that meet where it wraps, or all of it if that is not more.

    They lie one behind the other; what is between them is left out.
    """
    whole = (slice(0, axis.size),)
    if start < 0 and end <= axis.size:
        first, second = end, axis.size + start
    elif 0 <= start < axis.size < end:
        period = axis.grid * axis.window.stride
        first, second = end - axis.size, start
        if axis.padding is None:    # pixels have outputs, those before the first that is wanted too
            first += -(first + own.start - start) % period
        else:
            first += -first % period
    else:
        return whole
    return (slice(0, first), slice(second, axis.size)) if first < second else whole


def _joined_region(axis, own, parts, start):
    """Return the region of the two ends of an image."""
    front, stride = parts[0].stop, axis.window.stride
    if axis.padding is None:
        skipped = own.start if start < 0 else front + own.start - start
        return Region(parts, 0, (0, 0), skipped)
    if start < 0:
        return Region(parts, 0, (-start, 0), 0)
    return Region(parts, 0, (0, axis.padding), front // stride)


def positions(start, end, size, mode):
    """Return the pixels of an image at positions that may lie outside, as `numpy.pad` has them.

    There is at least one: the nearest where all of them hold a constant.
    """
    if mode == "constant":
        low = min(max(0, start), size - 1)
        return np.arange(low, max(low + 1, min(end, size)))
    before, after = max(0, -start), max(0, end - size)
    return np.pad(np.arange(size), (before, after), mode)[start + before:end + before]


def read(source, axes, regions, is_copied):
    """Return the crop of a source with these regions of its axes."""
    parts = [(slice(None),)] * len(source.shape)
    for axis, region in zip(axes, regions):
        parts[axis.source] = region.parts
    pieces = [np.asarray(source[index]) for index in product(*parts)]
    if len(pieces) > 1:
        return _joined(pieces, list(map(len, parts)))
    return np.array(pieces[0]) if is_copied else pieces[0]


def _joined(pieces, counts):
    """Return pieces put together, so many along each axis, the last axis first."""
    for axis in range(len(counts) - 1, -1, -1):
        n = counts[axis]
        pieces = [np.concatenate(pieces[first:first + n], axis) if n > 1 else pieces[first]
                  for first in range(0, len(pieces), n)]
    return pieces[0]


def of_box(out, axes, regions, box):
    """Return those of the outputs of a crop that belong to a box."""
    index = [slice(None)] * out.ndim
    for axis, region, own in zip(axes, regions, box):
        index[axis.result] = slice(region.skipped, region.skipped + own.stop - own.start)
    return out[tuple(index)]


def tile_size(size, halo, n_bytes, budget, unit=None, stacks=()):
    """Return the largest tile, halved axis by axis, of which `n_bytes(tile)` is in the budget.

    It is not much smaller than its halo, else nearly all work would be on halos. It is of whole
    units, except that it may be all of an axis. Axes that are stacks are cut before all others.
    """
    tile, unit = list(size), unit or (1,) * len(size)
    smallest = [max(SMALLEST, *pair) // 2 for pair in halo]
    while n_bytes(tile) > budget:
        room = [n / least if n > max(least, own) else 0
                for n, least, own in zip(tile, smallest, unit)]
        room = [float("inf") if axis in stacks and n > unit[axis] else one
                for axis, (n, one) in enumerate(zip(tile, room))]
        axis = int(np.argmax(room))
        if not room[axis]:
            break
        half = -(-tile[axis] // 2)
        tile[axis] = -(-half // unit[axis]) * unit[axis]
    return tuple(map(min, tile, size))


def tiles(size, tile):
    """Return the boxes of all tiles, the last ones along an axis being smaller."""
    starts = (range(0, n, step) for n, step in zip(size, tile))
    return [tuple(slice(start, min(start + step, n)) for start, step, n in zip(place, tile, size))
            for place in product(*starts)]


def n_pixels(box):
    """Return the number of pixels of a box."""
    return prod(own.stop - own.start for own in box)


def n_tiles(size, tile):
    """Return the number of tiles."""
    return prod(-(-n // step) for n, step in zip(size, tile))
