"""Gradients of a depthwise convolution below the public functions."""

from itertools import product
from math import gcd, prod

import numpy as np

from convlib._native import depthwise_kernel
from convlib._problem import five_axes, three
from convlib._terms import CALL_SECONDS, MODE_CODES, by_dtype
from convlib._threads import thread_count
from convlib.ops.conv import conv

KERNEL_GRADIENT = by_dtype(depthwise_kernel.kernel_gradient)
MOST_PARTS = 64        # into which a sum over pixels is cut, by its shape alone
PART_MACS = 2e5        # products in a part, at least
MAC_SECONDS = 2e-10


def images_gradient(grad_output, kernel, size, stride, pads, padding_mode, dilation, n_threads):
    """Return the gradient for images of a size.

    The padded images are cut into phases of the stride. Those of a phase see the same taps, and
    their gradient is a convolution with these taps in reverse. What belongs to the padding is then
    added to the pixels that stood there.
    """
    channels = kernel.shape[-2]
    padded = [before + n + after for n, (before, after) in zip(size, pads)]
    whole = np.zeros((len(grad_output), *padded, channels), grad_output.dtype)
    axes = [axis_phases(*axis) for axis in zip(
        padded, grad_output.shape[1:-1], kernel.shape[:-2], stride, dilation)]
    for phase in product(*axes):
        places, taps, padding, steps = zip(*phase)
        part = np.flip(kernel[taps], tuple(range(len(size)))).swapaxes(-1, -2)
        whole[(slice(None), *places)] = conv(
            grad_output, part, padding=padding, dilation=steps, groups=channels,
            n_threads=n_threads)
    for axis, (n, (before, _)) in enumerate(zip(size, pads), 1):
        whole = unpadded(whole, axis, n, before, padding_mode)
    return np.ascontiguousarray(whole)


def axis_phases(padded, n_outputs, n_taps, stride, dilation):
    """Return, for each phase that sees taps: its places, taps, pads and the steps of the taps."""
    common = gcd(stride, dilation)
    phases = []
    for phase in range(min(stride, padded)):
        seen = [i for i in range(min(n_taps, stride)) if (i * dilation - phase) % stride == 0]
        if not seen:
            continue
        first = seen[0]
        taps = slice(first, None, stride // common)
        reach = (len(range(first, n_taps, stride // common)) - 1) * (dilation // common)
        before = (first * dilation - phase) // stride + reach
        places = -(-(padded - phase) // stride)
        after = places - n_outputs - before + reach
        phases.append((slice(phase, None, stride), taps, (before, after), dilation // common))
    return phases


def unpadded(whole, axis, size, before, padding_mode):
    """Return the images inside a padding, with what belongs to it added: `numpy.pad`'s adjoint."""
    whole = np.moveaxis(whole, axis, 0)
    inside = whole[before:before + size]
    if padding_mode != "constant":
        after = len(whole) - before - size
        numbers = np.pad(np.arange(size), (before, after), padding_mode)
        inside = inside.copy()
        for place in (*range(before), *range(before + size, len(whole))):
            inside[numbers[place]] += whole[place]
    return np.moveaxis(inside, 0, axis)


def kernel_gradient(images, grad_output, kernel_size, stride, pads, padding_mode, dilation,
                    n_threads):
    """Return the gradient for the kernel, of shape (*kernel_size, channels, multiplier)."""
    channels, n_out = images.shape[-1], grad_output.shape[-1]
    dtype = images.dtype.name
    n_rows = prod(five_axes(grad_output).shape[:3])
    n_macs = grad_output.size * prod(kernel_size)
    n_parts = max(1, min(n_rows, MOST_PARTS, int(n_macs / PART_MACS)))
    geometry = np.array([three(stride, 1), three(dilation, 1),
                         three([before for before, _ in pads], 0), (0, 0, 0)], np.intp).T.copy()
    sums = np.empty((n_parts, prod(kernel_size) * n_out), dtype)
    n_threads = min(thread_count(n_threads, CALL_SECONDS + n_macs * MAC_SECONDS), n_parts)
    KERNEL_GRADIENT[dtype](
        five_axes(np.ascontiguousarray(images)), five_axes(np.ascontiguousarray(grad_output)),
        geometry, np.array(three(kernel_size, 1), np.intp), MODE_CODES[padding_mode], sums,
        n_threads)
    return sums[0].reshape(*kernel_size, channels, n_out // channels)

