"""The deformable convolution of a layer: offsets of a block of rows, then the maps of it."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from convlib._validation import point_arrays
from convlib.ops import _deform
from convlib.ops.conv import PackedKernel
from convlib.ops.deform import problem_of, settled


@dataclass(frozen=True)
class Predicted:
    """Offsets, and masks if there are any, from convolutions of the images."""

    offsets: PackedKernel
    mask: PackedKernel | None
    in_rows = True

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
    in_rows = False
    nbytes = 0

    def points(self, images, shape, first, n_threads):
        """Return what the function makes of the images, for all rows."""
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
        shape = out.shape[:3] if self.source.in_rows else (len(out), *problem.output_size[1:])
        offsets, mask, groups = point_arrays(
            offsets, mask, shape, prod(problem.kernel_size), problem.in_channels)
        if not self.source.in_rows:
            rows = slice(first, first + out.shape[1])
            offsets, mask = offsets[:, rows], None if mask is None else mask[:, rows]
        rows = replace(problem, output_size=(1, *out.shape[1:3]))
        problem = _deform.DeformProblem(rows, groups)
        _deform.run(problem, images, self.kernel, self.bias, offsets, mask, out, n_threads, first)
