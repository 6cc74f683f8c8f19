"""How a call is made of a large image: its outputs, the axes that are cut, and one tile of it."""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np

from convlib._tiling.boxes import Axis, read, region_of
from convlib._tiling.windows import plain


class Plan(NamedTuple):
    """What a call makes of a source of one shape and dtype."""

    name: str
    shape: tuple            # of the result
    dtype: np.dtype         # of the result
    axes: tuple             # of `Axis`
    compute: Callable       # (crop, box, regions) -> the result of a box of outputs
    work_bytes: Callable    # (shape of the crop, shape of the result) -> bytes on the way

    @property
    def outputs(self):
        """The outputs along each axis that is cut."""
        return tuple(axis.outputs for axis in self.axes)

    @property
    def grid(self):
        """What the first outputs of tiles are multiples of."""
        return tuple(axis.grid for axis in self.axes)

    @property
    def halo(self):
        """Pixels beyond a tile that it sees, along each axis."""
        return tuple(axis.window.halo for axis in self.axes)

    def crop(self, source, box, is_copied):
        """Return what is read of a source for a box, for `result`."""
        regions = tuple(map(region_of, self.axes, box))
        return read(source, self.axes, regions, is_copied), regions

    def result(self, crop, box):
        """Return the outputs of a box."""
        values, regions = crop
        return self.compute(values, box, regions)

    def place(self, box):
        """Return the index of a box in the result."""
        index = [slice(None)] * len(self.shape)
        for axis, own in zip(self.axes, box):
            index[axis.result] = own
        return tuple(index)

    def tile_bytes(self, tile, source_shape, itemsize):
        """Return the most bytes that a tile takes, with the crop of the next one read ahead."""
        crop, part = list(source_shape), list(self.shape)
        for axis, n in zip(self.axes, tile):
            first, last = axis.window.span(0, n - 1)
            crop[axis.source] = min(last - first + axis.grid + axis.reads_on, axis.size)
            part[axis.result] = n
        n_bytes = 2 * prod(crop) * itemsize + prod(part) * self.dtype.itemsize
        return n_bytes + self.work_bytes(tuple(crop), tuple(part))


class SideBySide:
    """Plans whose results lie side by side along the last axis."""

    def __init__(self, plans):
        first = plans[0]
        self.plans = plans
        self.name, self.dtype, self.axes = first.name, first.dtype, first.axes
        self.shape = (*first.shape[:-1], sum(plan.shape[-1] for plan in plans))
        self.outputs, self.place = first.outputs, first.place
        self.grid = tuple(np.lcm.reduce([plan.grid for plan in plans]).tolist())
        self.halo = tuple(tuple(map(max, zip(*pairs))) for pairs in zip(*(
            plan.halo for plan in plans)))

    def crop(self, source, box, is_copied):
        """Return what is read for each plan."""
        return [plan.crop(source, box, is_copied) for plan in self.plans]

    def result(self, crops, box):
        """Return the outputs of a box."""
        return np.concatenate(
            [plan.result(crop, box) for plan, crop in zip(self.plans, crops)], axis=-1)

    def tile_bytes(self, *form):
        """Return the most bytes that a tile takes."""
        return sum(plan.tile_bytes(*form) for plan in self.plans)


def stack_axis(n):
    """Return the axis of a batch, in front of all others."""
    return Axis(0, 0, n, n, plain(0, 0), is_stack=True)
