"""How a call is made of a large image: its outputs, the axes that are cut, and one tile of it."""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np

from convlib._tiling.boxes import Axis, region_of
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

    def regions(self, box):
        """Return the `Region` of each axis for a box of outputs."""
        return tuple(map(region_of, self.axes, box))

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
            crop[axis.source] = last - first + 1 + axis.grid - 1
            part[axis.result] = n
        n_bytes = 2 * prod(crop) * itemsize + prod(part) * self.dtype.itemsize
        return n_bytes + self.work_bytes(tuple(crop), tuple(part))


def stack_axis(n):
    """Return the axis of a batch, in front of all others."""
    return Axis(0, 0, n, n, plain(0, 0), is_stack=True)
