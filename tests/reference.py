"""What the library computes, as slow and obvious float64 loops.

No code is shared with the library, so that a mistake has to be made twice to go unseen.
"""

import itertools
import math

import numpy as np


def pad(images, pads, mode):
    """Pad the spatial axes of channels-last images."""
    return np.pad(images, [(0, 0), *pads, (0, 0)], mode=mode)


def same_pads(size, kernel_size, stride, dilation):
    """Return the (before, after) pads of one axis for padding='same'."""
    outputs = math.ceil(size / stride)
    needed = (outputs - 1) * stride + dilation * (kernel_size - 1) + 1
    total = max(0, needed - size)
    return total // 2, total - total // 2


def window(padded, position, kernel_size, stride, dilation):
    """Return the (n_images, *kernel_size, channels) values under one window."""
    taps = []
    for p, k, s, d in zip(position, kernel_size, stride, dilation):
        taps.append([p * s + i * d for i in range(k)])
    return padded[np.ix_(range(len(padded)), *taps, range(padded.shape[-1]))]


def positions(padded, kernel_size, stride, dilation):
    """Return the number of windows along each axis."""
    sizes = padded.shape[1:-1]
    return [
        (n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(sizes, kernel_size, stride, dilation)
    ]


def conv(images, kernel, bias=None, *, stride, pads, padding_mode, dilation, groups=1):
    """Return the cross-correlation of channels-last images; settings have one entry per axis."""
    images, kernel = np.asarray(images, float), np.asarray(kernel, float)
    *kernel_size, group_in, n_out = kernel.shape
    group_out = n_out // groups
    padded = pad(images, pads, padding_mode)
    sizes = positions(padded, kernel_size, stride, dilation)
    out = np.zeros((len(images), *sizes, n_out))
    for position in itertools.product(*map(range, sizes)):
        values = window(padded, position, kernel_size, stride, dilation)
        for o in range(n_out):
            first = o // group_out * group_in
            products = values[..., first:first + group_in] * kernel[..., o]
            out[(slice(None), *position, o)] = products.reshape(len(images), -1).sum(axis=1)
    return out if bias is None else out + np.asarray(bias, float)


def activate(x, name):
    """Return the activation called `name` of x."""
    with np.errstate(over="ignore"):
        return {
            None: lambda: x,
            "relu": lambda: np.maximum(x, 0),
            "relu6": lambda: np.minimum(np.maximum(x, 0), 6),
            "leaky_relu": lambda: np.where(x < 0, 0.01 * x, x),
            "abs": lambda: np.abs(x),
            "square": lambda: x * x,
            "sigmoid": lambda: 1 / (1 + np.exp(-x)),
            "tanh": lambda: np.tanh(x),
        }[name]()


def tolerance(dtype, n_terms, magnitude):
    """Return the rounding error to allow a sum of `n_terms` products of that total magnitude.

    A running sum is off by at most n eps sum |x w|; rounding errors of random sign grow like the
    root of n, and 4 standard deviations are left to the unlucky.
    """
    return 4 * np.finfo(dtype).eps * math.sqrt(n_terms + 4) * magnitude
