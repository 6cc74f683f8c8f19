"""What the outputs of operators look at, and the grid on which their arithmetic repeats."""

from math import lcm
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._native import cpu
from convlib._tiling.windows import Window, common_grid, pixelwise, plain
from convlib.ops._phases import Product, axis_phases, choose_way, kernel_rank_of
from convlib.ops.conv import PackedKernel, conv, explain_conv, pack_kernel
from convlib.ops.patches import im2col
from convlib.ops.pool import average_pool, lp_pool, max_pool
from convlib.ops.separable import (
    along,
    axis_steps,
    depthwise_conv,
    grouped,
    separable_conv,
    spatially_separable_conv,
    step_settings,
)
from convlib.ops.shuffle import channel_shuffle
from convlib.ops.transpose import conv_transpose, transpose_problem
from convlib.ops.upsample import KINDS, upsample
from convlib.shapes import output_size, padding_pairs


class Geometry(NamedTuple):
    """The windows of one operator, as the user gave their settings."""

    size: object        # taps
    stride: object
    padding: object
    dilation: object

    def pads(self, image_size, rank):
        """Return the (before, after) of each axis; `image_size` is None where it is not known."""
        size, stride, padding, dilation = check.window_settings(
            rank, self.size, self.stride, self.padding, self.dilation)
        if padding != "same":
            return padding
        if image_size is None and max(stride) > 1:
            raise ValueError("shape must be given where padding is 'same' and there is a stride, "
                             "since the padding then depends on it")
        return padding_pairs(tuple(image_size or (1,) * rank), size, stride=stride,
                             padding=padding, dilation=dilation)

    def windows(self, image_size, rank):
        """Return the `Window` of each axis, as `pads` does."""
        size, stride, _, dilation = check.window_settings(
            rank, self.size, self.stride, self.padding, self.dilation)
        return tuple(
            plain(before, (taps - 1) * gap - before, step)
            for taps, step, (before, _), gap in zip(
                size, stride, self.pads(image_size, rank), dilation))

    def output_size(self, image_size, ceil_mode=False):
        """Return the number of outputs along each axis."""
        return output_size(tuple(image_size), self.size, stride=self.stride,
                           padding=self.padding, dilation=self.dilation, ceil_mode=ceil_mode)


def packed_geometry(packed):
    """Return the `Geometry` of a packed kernel."""
    settings = packed._settings
    return Geometry(packed.kernel.shape[:-2], settings.stride, settings.padding,
                    settings.dilation)


# Each of these takes the arguments of a function by name.


def _conv(arguments):
    """Return the `Geometry` of a convolution."""
    kernel = arguments["kernel"]
    if isinstance(kernel, PackedKernel):
        return packed_geometry(kernel)
    return _own(check.kernel_array("kernel", kernel).shape[:-2], arguments)


def _depthwise(arguments):
    return _own(check.depthwise_kernel("kernel", arguments["kernel"]).shape[:-2], arguments)


def _separable(arguments):
    kernel = check.depthwise_kernel("depthwise_kernel", arguments["depthwise_kernel"])
    return _own(kernel.shape[:-2], arguments)


def _spatially_separable(arguments):
    return _own(tuple(map(len, check.axis_kernels("kernels_1d", arguments["kernels_1d"]))),
                arguments)


def _pool(arguments):
    stride = arguments["stride"]
    return _own(arguments["size"], arguments | {
        "stride": arguments["size"] if stride is None else stride})


def _patches(arguments):
    return _own(arguments["size"], arguments)


def _own(size, arguments):
    return Geometry(size, *(arguments[name] for name in ("stride", "padding", "dilation")))


GEOMETRIES = {
    conv: _conv, depthwise_conv: _depthwise, separable_conv: _separable,
    spatially_separable_conv: _spatially_separable, max_pool: _pool, average_pool: _pool,
    lp_pool: _pool, im2col: _patches,
}
CONVOLUTIONS = (conv, depthwise_conv, separable_conv, spatially_separable_conv)
OTHERS = (conv_transpose, upsample, channel_shuffle)


def rank_of(function, arguments, shape):
    """Return the number of spatial axes of the images that an operator is called with."""
    if function is conv_transpose:
        return transposed_kernel(arguments).ndim - 2
    size = GEOMETRIES[function](arguments).size if function in GEOMETRIES else \
        arguments.get("factor")
    entries = None if size is None else check.as_entries(size)
    if entries is not None:
        return len(entries)
    if shape is None:
        raise ValueError("shape must be given where no argument tells the number of axes")
    return len(shape) - 2


def operator_windows(function, arguments, image_size, rank):
    """Return the `Window` of each spatial axis."""
    if function is conv_transpose:
        return _transposed(arguments, image_size, rank)
    if function is upsample:
        factor = check.axis_ints("factor", arguments["factor"], rank, 1)
        reach = KINDS.index(check.choice("kind", arguments["kind"], KINDS))
        return tuple(plain(reach, reach, factor=times) if times > 1 else plain(0, 0)
                     for times in factor)
    if function is channel_shuffle:
        return pixelwise(rank)
    return GEOMETRIES[function](arguments).windows(image_size, rank)


def transposed_kernel(arguments):
    """Return the checked kernel of a transposed convolution."""
    return check.transposed_kernel_array("kernel", arguments["kernel"])


def transpose_problem_of(arguments, image_shape, dtype="float32"):
    """Return the `TransposeProblem` of the arguments of a transposed convolution."""
    names = ("stride", "padding", "output_padding", "output_shape", "dilation", "groups",
             "activation")
    return transpose_problem(
        tuple(image_shape), transposed_kernel(arguments).shape, np.dtype(dtype),
        tuple(arguments[name] for name in names))


def _transposed(arguments, image_size, rank):
    """Return the windows of a transposed convolution, for images of any size if it is None."""
    if image_size is None:
        if arguments["output_shape"] is not None:
            raise ValueError("shape must be given where output_shape is")
        # So large that there are outputs of each phase.
        pads = check.padding_spec(arguments["padding"], rank)
        cut = 0 if isinstance(pads, str) else max(map(sum, pads))
        image_size = (cut + 2,) * rank
    channels = transposed_kernel(arguments).shape[-1]
    return transposed_windows(transpose_problem_of(arguments, (*image_size, channels)))


def transposed_windows(problem):
    """Return the windows of a `TransposeProblem` that has outputs of each phase."""
    windows = []
    for axis in range(3 - problem.rank, 3):
        phases = [None] * problem.stride[axis]
        for phase in axis_phases(problem, axis):
            # The first output of a phase stands at pixel 0.
            phases[phase.first] = (-phase.start,
                                   phase.start + (len(phase.taps) - 1) * phase.dilation)
        windows.append(Window(tuple(phases)))
    return tuple(windows)


# The grid of convolutions


def packed_steps(function, arguments, image_shape, dtype):
    """Return the `PackedKernel`s, one after the other, by which a whole image is convolved.

    There is none where kernels along the axes run as one kernel of rank one.
    """
    kernel = arguments.get("kernel")
    if isinstance(kernel, PackedKernel):
        check.same_dtype("images", np.empty(0, dtype), kernel.kernel.dtype)
        return [kernel]
    window = {name: arguments[name] for name in ("stride", "padding", "padding_mode", "dilation")}
    if function is conv:
        steps = [(kernel, arguments["bias"], window | {
            name: arguments[name] for name in ("groups", "activation", "algorithm")})]
    elif function is depthwise_conv:
        steps = [_depthwise_step(kernel, arguments["bias"], window, arguments["activation"])]
    elif function is spatially_separable_conv:
        steps = _spatial_steps(arguments, image_shape, dtype)
    else:
        steps = [
            _depthwise_step(arguments["depthwise_kernel"], arguments["depthwise_bias"], window,
                            arguments["depthwise_activation"]),
            (arguments["pointwise_kernel"], arguments["bias"],
             {"activation": arguments["activation"]}),
        ]
    packed = []
    for kernel, bias, settings in steps:
        settings |= {"dtype": dtype}
        name = explain_conv(image_shape, kernel, **settings).algorithm
        packed.append(pack_kernel(kernel, image_shape, bias, **settings | {"algorithm": name}))
        image_shape = packed[-1].output_shape(image_shape)
    return packed


def _depthwise_step(kernel, bias, window, activation):
    kernel = check.depthwise_kernel("kernel", kernel)
    return grouped(kernel), bias, window | {"groups": kernel.shape[-2], "activation": activation}


def _spatial_steps(arguments, image_shape, dtype):
    """Return one step for each axis; none where they run as one."""
    kernels = check.axis_kernels("kernels_1d", arguments["kernels_1d"])
    rank = len(kernels)
    forms = [along(kernel, axis, rank) for axis, kernel in enumerate(kernels)]
    settings = step_settings(rank, *(arguments[name] for name in (
        "stride", "padding", "dilation", "padding_mode", "activation")))[:-1]
    steps = axis_steps(tuple(image_shape), tuple(form.shape for form in forms), np.dtype(dtype),
                       settings, cpu.tier())
    if steps.are_lowrank:
        return []
    lone = [(None, None)] * (rank - 1)
    return [
        (form, bias, window | {"padding_mode": settings[3], "groups": kernel.shape[1],
                               "activation": activation})
        for form, window, kernel, (bias, activation) in zip(
            forms, steps.windows, kernels, [*lone, (arguments["bias"], settings[4])])]


def steps_grid(steps, rank):
    """Return the grid of the last of some convolutions in a row, for every axis."""
    grid = (1,) * rank
    for packed in steps:
        own, stride = packed._plan(packed.image_shape), packed._settings.stride
        before = map(common_grid, grid, stride)
        grid = tuple(map(lcm, before, own.way.grid(own.problem)))
    return grid


def operator_grid(function, arguments, image_shape, dtype):
    """Return the grid of an operator: what the first outputs of tiles must be multiples of."""
    rank = len(image_shape) - 1
    if function in CONVOLUTIONS:
        return steps_grid(packed_steps(function, arguments, image_shape, dtype), rank)
    if function is conv_transpose:
        return _transposed_grid(arguments, image_shape, dtype)
    return (1,) * rank


def _transposed_grid(arguments, image_shape, dtype):
    problem = transpose_problem_of(arguments, image_shape, dtype)
    kernel = np.ascontiguousarray(transposed_kernel(arguments), dtype)
    way = choose_way(problem, kernel_rank_of(problem, kernel), cpu.tier())
    if isinstance(way, Product):
        return (1,) * problem.rank
    if "fft" in way.names.values():
        raise ValueError("conv_transpose runs by Fourier transforms here, of which tiles cannot "
                         "have the same bits; take conv with the flipped kernel, whose tiles can")
    return way.grid()
