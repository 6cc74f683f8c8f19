"""The deformable convolution of a layer: offsets of a block of rows, then the maps of it."""

from dataclasses import dataclass
from math import prod

import numpy as np

from convlib.ops import _deform
from convlib.ops.conv import PackedKernel
from convlib.ops.deform import point_arrays, problem_of, settled


@dataclass(frozen=True)
class Predicted:
    """Offsets, and masks if there are any, from convolutions of the images."""

    offsets: PackedKernel
    mask: PackedKernel | None
    in_rows = True

    @property
    def n_groups_taps(self):
        """Pairs of offsets of an output."""
        return self.offsets.kernel.shape[-1] // 2

    @property
    def nbytes(self):
        """Of the kernels."""
        return self.offsets.nbytes + (0 if self.mask is None else self.mask.nbytes)

    def points(self, images, shape, first, n_threads):
        """Return offsets and masks of rows `first` and on, for maps (n_images, rows, columns)."""
        made = []
        for kernel in (self.offsets, self.mask):
            out = None
            if kernel is not None:
                out = np.empty((*shape, kernel.kernel.shape[-1]), images.dtype)
                kernel._run(images, out, first, n_threads)
            made.append(out)
        return made


@dataclass(frozen=True)
class Fixed:
    """The same offsets for all images."""

    offsets: np.ndarray    # (out_h, out_w, n), or (n,)
    in_rows = True

    @property
    def n_groups_taps(self):
        """Pairs of offsets of an output."""
        return self.offsets.shape[-1] // 2

    @property
    def nbytes(self):
        """Of the offsets."""
        return self.offsets.nbytes

    def points(self, images, shape, first, n_threads):
        """Return the offsets of rows `first` and on, for maps (n_images, rows, columns)."""
        offsets = self.offsets
        if offsets.ndim == 3:
            offsets = offsets[first:first + shape[1]]
        return np.broadcast_to(offsets, (*shape, offsets.shape[-1])), None


@dataclass(frozen=True)
class Called:
    """Offsets, or offsets and masks, from a function of the images; it sees them whole."""

    function: object
    n_groups_taps: int     # as far as memory is concerned
    in_rows = False
    nbytes = 0

    def points(self, images, shape, first, n_threads):
        """Return what the function does for the images, with or without masks."""
        made = self.function(images)
        offsets, mask = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
        return offsets, mask


@dataclass(frozen=True)
class DeformStage:
    """A deformable convolution with settled kernels."""

    kernel: np.ndarray
    bias: np.ndarray
    settings: dict      # stride, padding, dilation, groups, activation
    source: object      # of the offsets, one of the above

    @property
    def nbytes(self):
        """Of the kernels."""
        return self.kernel.nbytes + self.bias.nbytes + self.source.nbytes

    def _problem(self, image_shape):
        return problem_of(image_shape, self.kernel.shape, self.kernel.dtype,
                          settled(**self.settings))

    def output_shape(self, image_shape):
        """Return the shape of the maps of one image."""
        problem = self._problem(tuple(image_shape))
        return (*problem.output_size[1:], problem.out_channels)

    def _run(self, images, out, first, n_threads):
        """Write rows `first` and on of the maps to `out`."""
        problem = self._problem(images.shape[1:])
        offsets, mask = self.source.points(images, out.shape[:3], first, n_threads)
        offsets, mask, groups = point_arrays(
            offsets, mask, out.shape[:3], prod(problem.kernel_size), problem.in_channels)
        problem = _deform.DeformProblem(problem, groups)
        _deform.run(problem, images, self.kernel, self.bias, offsets, mask, out, n_threads, first)
