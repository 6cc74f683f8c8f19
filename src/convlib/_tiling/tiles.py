"""Tiles of operators: the outputs of a crop of images, with the bits of the whole.

What is made here for an operator takes images (n_images, *size, channels) and the pads around
them, and returns outputs from the first on.
"""

from convlib import _validation as check
from convlib._tiling.operators import CONVOLUTIONS, GEOMETRIES, packed_steps
from convlib.ops.conv import conv
from convlib.ops.pool import average_pool, lp_pool, max_pool
from convlib.shapes import output_size, padding_pairs

POOLS = (max_pool, average_pool, lp_pool)


def output_axes(function, arguments, size):
    """Return the number of outputs along each axis of images of some size."""
    if function not in GEOMETRIES:
        factor = arguments.get("factor", 1)
        return tuple(n * times for n, times in zip(size, check.axis_ints(
            "factor", factor, len(size), 1)))
    taps, *settings = GEOMETRIES[function](arguments)
    names = ("stride", "padding", "dilation")
    return output_size(size, taps, **dict(zip(names, settings)),
                       ceil_mode=arguments.get("ceil_mode", False))


def tile_function(function, arguments, image_shape, dtype):
    """Return the function of one tile."""
    if function in CONVOLUTIONS:
        steps = packed_steps(function, arguments, image_shape, dtype)
        if steps:
            return Steps(steps, arguments["n_threads"])
    if function in POOLS:
        return Pool(function, arguments, image_shape[:-1])
    return Window(function, arguments)


class Steps:
    """Convolutions one after the other, as they run on the whole image."""

    def __init__(self, steps, n_threads):
        self.steps, self.n_threads = steps, n_threads
        rank = steps[0].kernel.ndim - 2
        self.owners = [_owner(steps, axis) for axis in range(rank)]

    def padded(self, pads):
        """Return the steps, each with the pads of those axes along which it sees neighbours."""
        return [step._padded(tuple(pair if owner == number else (0, 0)
                                   for pair, owner in zip(pads, self.owners)))
                for number, step in enumerate(self.steps)]

    def __call__(self, images, pads):
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


class Window:
    """An operator whose outputs are computed alike wherever they stand."""

    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments

    def __call__(self, images, pads):
        settings = {"padding": tuple(pads)} if "padding" in self.arguments else {}
        return self.function(images, **self.arguments | settings)


class Pool:
    """Pooling: what last windows of `ceil_mode` have beyond the padding never counts."""

    def __init__(self, function, arguments, size):
        self.function, self.arguments = function, arguments
        taps, *settings = GEOMETRIES[function](arguments)
        names = ("stride", "padding", "dilation")
        self.padding = padding_pairs(size, taps, **dict(zip(names, settings)))

    def __call__(self, images, pads):
        own = tuple((before, min(after, most)) for (before, after), (_, most) in zip(
            pads, self.padding))
        return self.function(images, **self.arguments | {
            "padding": own, "ceil_mode": own != tuple(pads)})
