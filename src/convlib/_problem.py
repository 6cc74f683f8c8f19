"""A checked convolution as one frozen value: shapes and settings, no data.

Every problem has three spatial axes; signals and images have leading axes of size one. All that
is chosen below the public functions is a function of this value.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

WHOLE = (0, 0, 0)    # the first output of whole images


@dataclass(frozen=True)
class ConvProblem:
    """What `conv` computes for one image."""

    rank: int
    image_size: tuple
    in_channels: int
    kernel_size: tuple
    out_channels: int
    groups: int
    stride: tuple
    dilation: tuple
    padding: tuple
    padding_mode: str
    activation: str | None
    output_size: tuple
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
    def depth(self):
        """Products in one output value."""
        return prod(self.kernel_size) * self.group_size

    @cached_property
    def n_macs(self):
        """Multiply-adds for one image."""
        return prod(self.output_size) * self.out_channels * self.depth

    @cached_property
    def itemsize(self):
        """Bytes of a value."""
        return 4 if self.dtype == "float32" else 8

    @property
    def is_pointwise(self):
        """Whether each output pixel sees one input pixel, and none outside."""
        return prod(self.kernel_size) == 1 and not any(map(any, self.padding))

    def geometry(self, first):
        """Return stride, dilation, padding before and first output of each axis, for C."""
        return self._geometry if first == WHOLE else self._geometry_from(first)

    def _geometry_from(self, first):
        before = [pair[0] for pair in self.padding]
        return np.array([self.stride, self.dilation, before, first], dtype=np.intp).T.copy()

    @cached_property
    def _geometry(self):
        """Of whole images, which small calls have no time to write down again."""
        geometry = self._geometry_from(WHOLE)
        geometry.flags.writeable = False
        return geometry


def three(values, fill):
    """Return `values` with `fill` for the axes that signals and images lack."""
    return (fill,) * (3 - len(values)) + tuple(values)


def five_axes(images):
    """Return a view of channels-last `images` with three spatial axes."""
    return images[_FIVE_AXES[images.ndim]]


_FIVE_AXES = {ndim: (slice(None), *[np.newaxis] * (5 - ndim)) for ndim in (3, 4, 5)}
