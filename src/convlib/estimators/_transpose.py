"""The transposed convolution of a layer, a block of rows at a time."""

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from convlib._native import cpu
from convlib._problem import five_axes
from convlib.ops._phases import Product
from convlib.ops.transpose import transpose_problem


@dataclass(frozen=True)
class TransposeStage:
    """A transposed convolution with settled kernels.

    All phases of the outputs go through one product: its bits do not depend on where a block of
    rows begins, as those of other ways to compute it may.
    """

    kernel: np.ndarray
    bias: np.ndarray
    settings: tuple      # stride, padding, dilation, groups, activation
    image_shape: tuple   # that it was fitted for
    by_tier: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def __getstate__(self):
        """Return the plain kernels: vectors may be shorter where they are loaded."""
        return self.__dict__ | {"by_tier": {}}

    @property
    def nbytes(self):
        """Of the kernels, plain and packed."""
        return self.kernel.nbytes + self.bias.nbytes + self._panels().nbytes

    def _panels(self):
        """Return the packed kernels for the tier in use."""
        tier = cpu.tier()
        if tier not in self.by_tier:
            product = _product(self._problem(self.image_shape), tier)
            self.by_tier[tier] = product.pack(self.kernel, self.bias, None)
        return self.by_tier[tier]

    def _problem(self, image_shape):
        stride, padding, dilation, groups, activation = self.settings
        return transpose_problem(
            tuple(image_shape), self.kernel.shape, self.kernel.dtype,
            (stride, padding, 0, None, dilation, groups, activation))

    def output_shape(self, image_shape):
        """Return the shape of the maps of one image."""
        problem = self._problem(image_shape)
        return (*problem.output_size[3 - problem.rank:], problem.out_channels)

    def _run(self, images, out, first, n_threads):
        """Write rows `first` and on of the maps to `out`."""
        problem = self._problem(images.shape[1:])
        axis = 3 - problem.rank
        before, size = list(problem.before), list(problem.output_size)
        before[axis] += first
        size[axis] = out.shape[1]
        rows = replace(problem, before=tuple(before), output_size=tuple(size))
        _product(rows, cpu.tier()).multiply(
            five_axes(images), self._panels(), five_axes(out), n_threads)


@lru_cache(maxsize=64)
def _product(problem, tier):
    """Return the product of a block of rows; its layout is for the tier in use."""
    return Product(problem)
