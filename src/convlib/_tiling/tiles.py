"""Tiles of operators: the outputs of a crop of images, with the bits of the whole.

What is made here for an operator takes images (n_images, *size, channels) and the pads around
them, and returns outputs from the first on, at least `counts` along each axis.
"""

from dataclasses import replace

import numpy as np

from convlib import _validation as check
from convlib._native import cpu
from convlib._problem import five_axes, three
from convlib._tiling.operators import (
    CONVOLUTIONS,
    GEOMETRIES,
    packed_steps,
    transpose_problem_of,
    transposed_kernel,
)
from convlib.ops._phases import Phases, Product, choose_way, kernel_rank_of
from convlib.ops.conv import conv
from convlib.ops.transpose import conv_transpose


def output_axes(function, arguments, size):
    """Return the number of outputs along each axis of images of some size."""
    if function in GEOMETRIES:
        geometry = GEOMETRIES[function](arguments)
        return geometry.output_size(size, arguments.get("ceil_mode", False))
    if function is conv_transpose:
        problem = transpose_problem_of(arguments, (*size, transposed_kernel(arguments).shape[-1]))
        return problem.output_size[3 - problem.rank:]
    factor = check.axis_ints("factor", arguments.get("factor", 1), len(size), 1)
    return tuple(n * times for n, times in zip(size, factor))


def tile_function(function, arguments, image_shape, dtype):
    """Return the function of one tile."""
    steps = []
    if function in CONVOLUTIONS:
        steps = packed_steps(function, arguments, image_shape, dtype)
    if function is conv_transpose:
        return Transposed(arguments, image_shape, dtype)
    return Steps(steps, arguments["n_threads"]) if steps else Alike(function, arguments)


class Steps:
    """Convolutions one after the other, as they run on the whole image."""

    def __init__(self, steps, n_threads):
        self.steps, self.n_threads = steps, n_threads
        rank = steps[0].kernel.ndim - 2
        self.owners = [_owner(steps, axis) for axis in range(rank)]

    @property
    def n_steps(self):
        """Maps that there are at a time, with those of the step before."""
        return min(2, len(self.steps))

    def padded(self, pads):
        """Return the steps, each with the pads of those axes along which it sees neighbours."""
        return [step._padded(tuple(pair if owner == number else (0, 0)
                                   for pair, owner in zip(pads, self.owners)))
                for number, step in enumerate(self.steps)]

    def __call__(self, images, pads, counts):
        for step in self.padded(pads):
            images = conv(images, step, n_threads=self.n_threads)
        return images


def _owner(steps, axis):
    """Return the number of the step that sees neighbours along an axis, or pads it."""
    for number, step in enumerate(steps):
        padding = step._settings.padding
        if step.kernel.shape[axis] > 1 or (not isinstance(padding, str) and any(padding[axis])):
            return number
    return 0


class Alike:
    """An operator whose outputs are computed alike wherever they stand."""

    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments

    def __call__(self, images, pads, counts):
        settings = {"padding": tuple(pads)} if "padding" in self.arguments else {}
        return self.function(images, **self.arguments | settings)


class Transposed:
    """A transposed convolution; its outputs begin with the first pixel of the crop."""

    def __init__(self, arguments, image_shape, dtype):
        self.kernel = np.ascontiguousarray(transposed_kernel(arguments), dtype)
        self.n_threads = arguments["n_threads"]
        problem = transpose_problem_of(arguments, image_shape, dtype)
        self.kernel_rank = kernel_rank_of(problem, self.kernel)
        self.way = choose_way(problem, self.kernel_rank, cpu.tier())
        self.bias = check.bias_vector(arguments["bias"], problem.out_channels, self.kernel.dtype)
        self.before = problem.before
        self.settings = arguments | {"padding": 0, "output_shape": None, "output_padding": 0}

    def __call__(self, images, pads, counts):
        problem = transpose_problem_of(self.settings, images.shape[1:], self.kernel.dtype)
        problem = replace(problem, before=self.before, output_size=three(counts, 1))
        way = Product(problem) if isinstance(self.way, Product) else \
            Phases(problem, self.kernel_rank, self.way.names)
        shape = (len(images), *problem.output_size[3 - problem.rank:], problem.out_channels)
        out = np.empty(shape, self.kernel.dtype)
        way.run(five_axes(images.astype(out.dtype, copy=False)), self.kernel, self.bias,
                five_axes(out), self.n_threads)
        return out
