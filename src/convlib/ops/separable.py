"""Convolutions in steps: depthwise, depthwise and then pointwise, one axis after the other."""

from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._conv import depthwise, lowrank
from convlib._conv.factors import factorize
from convlib._lazy import takes_dask
from convlib._native import cpu
from convlib._problem import five_axes
from convlib.ops._steps import fits, run_depthwise_pointwise, run_lowrank, run_passes
from convlib.ops.conv import _plan, conv

__all__ = ["depthwise_conv", "factorize_kernel", "separable_conv", "spatially_separable_conv"]


@takes_dask("images")
def depthwise_conv(
    images, kernel, bias=None, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    activation=None, n_threads=None, out=None,
):
    """Correlate each channel with kernels of its own.

    Output ``c * multiplier + j`` is channel ``c`` under its ``j``-th kernel: `conv` with as many
    groups as there are channels, and with a kernel that says so. The rank of the kernel tells
    signals, images and volumes apart; the shapes below are those of images.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        Channels last, in any memory order. float32 and float64 are kept; float16, bool and
        integers up to 16 bits are computed in float32, wider integers in float64.
    kernel : array-like of shape (kernel_h, kernel_w, channels, multiplier)
        Weights, converted to the dtype of `images`.
    bias : array-like of shape (channels * multiplier,), default=None
        Added to every output pixel.
    stride, padding, padding_mode, dilation, activation
        As in `conv`.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.
    out : ndarray of shape (n_images, out_h, out_w, channels * multiplier), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, channels * multiplier)
        The sizes are those of `shapes.output_size`.

    Raises
    ------
    ValueError, TypeError
        As `conv` does for these arguments.

    See Also
    --------
    separable_conv : With a pointwise convolution behind it.
    conv : Convolution of all channels, or of groups.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> images = np.ones((1, 3, 3, 2)) * [1, 10]
    >>> cl.depthwise_conv(images, np.ones((3, 3, 2, 2)) * [1, 2])
    array([[[[  9.,  18.,  90., 180.]]]])
    """
    kernel = check.depthwise_kernel("kernel", kernel)
    images = check.images_array("images", images, kernel.ndim - 2)
    channels = kernel.shape[-2]
    check.channels_of("images", images, channels, "kernel")
    return conv(
        images, grouped(kernel), bias, stride=stride, padding=padding, padding_mode=padding_mode,
        dilation=dilation, groups=channels, activation=activation, n_threads=n_threads, out=out)


@takes_dask("images")
def separable_conv(
    images, depthwise_kernel, pointwise_kernel, bias=None, *, depthwise_bias=None, stride=1,
    padding=0, padding_mode="constant", dilation=1, depthwise_activation=None, activation=None,
    n_threads=None, out=None,
):
    """Correlate each channel by itself, then mix the channels of each pixel.

    A depthwise convolution looks at the neighbours and a pointwise one at the channels. It has
    ``kernel_h * kernel_w * channels * multiplier + channels * multiplier * out_channels`` weights
    where `conv` has ``kernel_h * kernel_w * channels * out_channels``. The map between the two is
    made block by block and never stored.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        Channels last, in any memory order. float32 and float64 are kept; float16, bool and
        integers up to 16 bits are computed in float32, wider integers in float64.
    depthwise_kernel : array-like of shape (kernel_h, kernel_w, channels, multiplier)
        Weights of the first step, as `depthwise_conv` takes them.
    pointwise_kernel : array-like of shape (1, 1, channels * multiplier, out_channels)
        Weights of the second step, as `conv` takes them.
    bias : array-like of shape (out_channels,), default=None
        Added to every output pixel.
    depthwise_bias : array-like of shape (channels * multiplier,), default=None
        Added between the steps.
    stride, padding, padding_mode, dilation
        As in `conv`; all of the first step.
    depthwise_activation : str, default=None
        Function applied between the steps; the words are those of `activation`.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh'}, \
default=None
        Function applied to every output; the slope of 'leaky_relu' is 0.01.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.
    out : ndarray of shape (n_images, out_h, out_w, out_channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, out_channels)
        The sizes are those of `shapes.output_size`.

    Raises
    ------
    ValueError, TypeError
        As `conv` does for these arguments.

    See Also
    --------
    depthwise_conv : The first step alone.
    spatially_separable_conv : Steps along the axes.

    References
    ----------
    .. [1] A. Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
       Applications", arXiv:1704.04861.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> images = np.ones((1, 8, 8, 3))
    >>> cl.separable_conv(images, np.ones((3, 3, 3, 1)), np.ones((1, 1, 3, 16))).shape
    (1, 6, 6, 16)
    """
    first = check.depthwise_kernel("depthwise_kernel", depthwise_kernel)
    rank, channels = first.ndim - 2, first.shape[-2]
    between = channels * first.shape[-1]
    second = check.pointwise_kernel("pointwise_kernel", pointwise_kernel, rank, between)
    images = check.images_array("images", images, rank)
    check.channels_of("images", images, channels, "depthwise_kernel")
    depthwise_bias = check.bias_vector(
        depthwise_bias, between, images.dtype, "depthwise_bias")
    bias = check.bias_vector(bias, second.shape[-1], images.dtype)
    settings = (stride, padding, dilation, padding_mode, activation, depthwise_activation)
    if not check.are_literals(settings):
        settings = step_settings(rank, *settings)
    first, second = grouped(first), np.ascontiguousarray(second, images.dtype)
    depthwise, pointwise = _separable_steps(
        images.shape[1:], first.shape, second.shape, images.dtype, settings, cpu.tier())
    out = check.output_array(out, (len(images), *pointwise.shape), images.dtype, images,
                             first, second, depthwise_bias, bias)
    n_threads = check.threads(n_threads)
    if depthwise.way.name == "depthwise" and pointwise.way.name == "pointwise":
        if out.size:
            first = np.ascontiguousarray(first, images.dtype)
            run_depthwise_pointwise(
                depthwise.problem, pointwise.problem,
                depthwise.way.prepare(depthwise.problem, first, depthwise_bias, n_threads),
                pointwise.way.prepare(pointwise.problem, second, bias, n_threads),
                five_axes(images), five_axes(out), depthwise_activation, activation, n_threads)
        return out
    maps = conv(
        images, first, depthwise_bias, stride=stride, padding=padding, dilation=dilation,
        padding_mode=padding_mode, groups=channels, activation=depthwise_activation,
        n_threads=n_threads)
    return conv(maps, second, bias, activation=activation, n_threads=n_threads, out=out)


@takes_dask("images")
def spatially_separable_conv(
    images, kernels_1d, bias=None, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    activation=None, n_threads=None, out=None,
):
    """Correlate each channel along one axis after the other.

    A kernel of k x k taps that is an outer product is a column of k taps and then a row of k: 2 k
    products for each output, not k * k. Each kernel sees the outputs of the one before it: with
    the multipliers m0 and m1, channel ``c`` becomes the outputs ``(c * m0 + i) * m1 + j``.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        Channels last, in any memory order. float32 and float64 are kept; float16, bool and
        integers up to 16 bits are computed in float32, wider integers in float64.
    kernels_1d : sequence of array-like of shape (taps, channels, multiplier)
        One for each axis, the first axis first. The channels of the first are those of the
        images, the channels of another ``channels * multiplier`` of the one before it.
    bias : array-like of shape (out_channels,), default=None
        Added to every output pixel.
    stride, padding, padding_mode, dilation
        As in `conv`; each axis in its own step.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh'}, \
default=None
        Function applied to every output; the slope of 'leaky_relu' is 0.01.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.
    out : ndarray of shape (n_images, out_h, out_w, out_channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, out_channels)
        The sizes are those of `shapes.output_size`; `out_channels` is the channels of the
        images times all multipliers.

    Raises
    ------
    ValueError, TypeError
        As `conv` does for these arguments.

    See Also
    --------
    factorize_kernel : Find such kernels in one of more axes.
    separable_conv : The channels are separated from the neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> column, row = np.reshape([1, 2, 1], (3, 1, 1)), np.reshape([1, 0, -1], (3, 1, 1))
    >>> images = np.arange(25.0).reshape(1, 5, 5, 1)
    >>> cl.spatially_separable_conv(images, [column, row])[0, :, :, 0]
    array([[-8., -8., -8.],
           [-8., -8., -8.],
           [-8., -8., -8.]])
    """
    kernels = check.axis_kernels("kernels_1d", kernels_1d)
    rank = len(kernels)
    images = check.images_array("images", images, rank)
    check.channels_of("images", images, kernels[0].shape[1], "kernels_1d[0]")
    bias = check.bias_vector(bias, prod(kernels[-1].shape[1:]), images.dtype)
    settings = (stride, padding, dilation, padding_mode, activation)
    if not check.are_literals(settings):
        settings = step_settings(rank, *settings)[:-1]
    kernels = [np.ascontiguousarray(kernel, images.dtype) for kernel in kernels]
    forms = [along(kernel, axis, rank) for axis, kernel in enumerate(kernels)]
    steps = axis_steps(
        images.shape[1:], tuple(kernel.shape for kernel in forms), images.dtype, settings,
        cpu.tier())
    out = check.output_array(out, (len(images), *steps.shape), images.dtype, images, *kernels,
                             bias)
    n_threads = check.threads(n_threads)
    if not out.size:
        return out
    if steps.are_lowrank:
        run_lowrank(steps.whole, kernels, bias, five_axes(images), five_axes(out), n_threads)
        return out
    biases = [np.zeros(kernel.shape[-1], images.dtype) for kernel in forms[:-1]] + [bias]
    if steps.are_fused:
        weights = tuple(depthwise.prepare(step, kernel, each, n_threads)
                        for step, kernel, each in zip(steps.problems, forms, biases))
        run_passes(steps.problems, weights, five_axes(images), five_axes(out), activation,
                   n_threads)
        return out
    maps = images
    for axis, kernel in enumerate(forms):
        is_last = axis == rank - 1
        maps = conv(
            maps, kernel, biases[axis], **steps.windows[axis], padding_mode=padding_mode,
            groups=kernels[axis].shape[1], activation=activation if is_last else None,
            n_threads=n_threads, out=out if is_last else None)
    return maps


class _AxisSteps(NamedTuple):
    """What is settled for all calls of a kind that go along one axis after the other."""

    problems: tuple    # of the steps, and ...
    windows: tuple     # ... their settings
    whole: object      # the problem of all steps in one
    are_lowrank: bool  # whether they run as products of one term
    are_fused: bool    # whether the maps between them stay in cache
    shape: tuple       # of the result for one image


def step_settings(
    rank, stride, padding, dilation, padding_mode, activation, depthwise_activation=None,
):
    """Return the checked settings, one value per axis."""
    words = None, *check.ACTIVATIONS
    return (
        check.axis_ints("stride", stride, rank, 1),
        check.padding_spec(padding, rank),
        check.axis_ints("dilation", dilation, rank, 1),
        check.choice("padding_mode", padding_mode, check.PADDING_MODES),
        check.choice("activation", activation, words),
        check.choice("depthwise_activation", depthwise_activation, words),
    )


@lru_cache(maxsize=256)
def _separable_steps(image_shape, depthwise_shape, pointwise_shape, dtype, settings, tier):
    """Return the plans of both steps, with settings as `conv` remembers them."""
    rank, channels = len(image_shape) - 1, image_shape[-1]
    *window, padding_mode, activation, between = step_settings(rank, *settings)
    first = _step(image_shape, depthwise_shape, dtype, (*window, padding_mode, channels, between))
    ones = (1,) * rank
    return first, _step(
        first.shape, pointwise_shape, dtype, (ones, "valid", ones, "constant", 1, activation))


@lru_cache(maxsize=256)
def axis_steps(image_shape, kernel_shapes, dtype, settings, tier):
    """Return the `_AxisSteps` of kernels along the axes."""
    rank = len(kernel_shapes)
    *window, padding_mode, activation, _ = step_settings(rank, *settings)
    plans, windows, shape = [], [], image_shape
    for axis, kernel_shape in enumerate(kernel_shapes):
        alone = [only(values, axis, 1) for values in window]
        windows.append(dict(zip(("stride", "padding", "dilation"), alone)))
        is_last = axis == rank - 1
        plans.append(_step(shape, kernel_shape, dtype, (
            *alone, padding_mode, shape[-1], activation if is_last else None)))
        shape = plans[-1].shape
    problems = tuple(plan.problem for plan in plans)
    whole = in_one(problems)
    are_depthwise = all(plan.way.name == "depthwise" for plan in plans)
    return _AxisSteps(
        problems, tuple(windows), whole, rank > 1 and not lowrank.refuse(whole),
        rank > 1 and are_depthwise and fits(problems), shape)


def _step(image_shape, kernel_shape, dtype, settings):
    """Return the plan of a step, for the algorithm that 'auto' takes."""
    stride, padding, dilation, padding_mode, groups, activation = settings
    return _plan(image_shape, kernel_shape, dtype,
                 (stride, padding, padding_mode, dilation, groups, activation, "auto"), False, 0,
                 cpu.tier())


def in_one(steps):
    """Return the problem of a kernel that is the outer product of those of some steps."""
    first, last = steps[0], steps[-1]
    settings = {
        name: tuple(getattr(steps[max(0, axis - 3 + len(steps))], name)[axis] for axis in range(3))
        for name in ("kernel_size", "stride", "dilation", "padding")
    }
    return replace(first, out_channels=last.out_channels, output_size=last.output_size,
                   activation=last.activation, kernel_rank=1, **settings)


def grouped(kernel):
    """Return a depthwise kernel in the form that `conv` takes."""
    *size, channels, multiplier = kernel.shape
    return kernel.reshape(*size, 1, channels * multiplier)


def along(kernel, axis, rank):
    """Return a kernel (taps, channels, multiplier) in the form that `conv` takes for an axis."""
    taps, channels, multiplier = kernel.shape
    return kernel.reshape(*only((taps,) * rank, axis, 1), 1, channels * multiplier)


def only(values, axis, fill):
    """Return `values` with `fill` for every axis but one; words are for all of them."""
    if isinstance(values, str):
        return values
    fill = (0, 0) if isinstance(values[axis], tuple) else fill
    return tuple(value if other == axis else fill for other, value in enumerate(values))


def factorize_kernel(kernel, tol=None):
    """Write a kernel as a sum of outer products of 1-D kernels.

    A convolution with a k x k kernel of n terms is n pairs of convolutions with k taps each, down
    the columns and along the rows. Means, Gaussians and Sobel's kernels have one term, the
    Laplacian of Gaussian and isotropic Gabor kernels two, most learnt kernels k. `conv` finds
    such kernels by itself: see its algorithm 'lowrank'.

    Parameters
    ----------
    kernel : array-like of shape (*kernel_size,)
        One kernel of two axes or more, without channels.
    tol : float, default=None
        The most that may be left over: the sum of the magnitudes of the residual, relative to
        that of the kernel. None is 4 times the rounding unit of the kernel's dtype, float32 or
        float64; whole numbers count as float64.

    Returns
    -------
    terms : list of tuple of ndarray of shape (kernel_size[axis],)
        Each term has one vector per axis; the sum of their outer products is the kernel. A
        kernel of zeros has no terms.

    Raises
    ------
    ValueError
        If the kernel has fewer than two axes, is empty or not finite, or `tol` is negative.
    TypeError
        If the kernel does not hold real numbers.

    See Also
    --------
    conv : Convolution, which uses such terms where they are few.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> [(column, row)] = cl.factorize_kernel([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    >>> column, row
    (array([0.5, 1. , 0.5]), array([ 2.,  0., -2.]))
    >>> len(cl.factorize_kernel([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))
    2
    """
    kernel = check.plain_kernel("kernel", kernel)
    if tol is None:
        tol = 4 * np.finfo(kernel.dtype).eps
    tol = check.non_negative("tol", tol)
    return [tuple(vector.astype(kernel.dtype) for vector in term)
            for term in factorize(kernel, tol)]
