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


def per_axis(image_size, kernel_size, *, stride=1, padding=0, padding_mode="constant", dilation=1):
    """Return the settings of a call with one entry per axis, as the functions below take them."""
    rank = len(image_size)
    strides, dilations = np.broadcast_to(stride, rank), np.broadcast_to(dilation, rank)
    if padding == "same":
        pads = list(map(same_pads, image_size, kernel_size, strides, dilations))
    elif isinstance(padding, tuple):
        pads = [pad if isinstance(pad, tuple) else (pad, pad) for pad in padding]
    else:
        pads = [(0, 0) if padding == "valid" else (padding, padding)] * rank
    return {"stride": strides, "pads": pads, "padding_mode": padding_mode, "dilation": dilations}


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
    for tap in itertools.product(*map(range, kernel_size)):
        # The pixel that each window has under this tap.
        under = [slice(i * d, i * d + (n - 1) * s + 1, s)
                 for i, d, n, s in zip(tap, dilation, sizes, stride)]
        values = padded[(slice(None), *under)]
        for g in range(groups):
            ins = slice(g * group_in, (g + 1) * group_in)
            outs = slice(g * group_out, (g + 1) * group_out)
            out[..., outs] += values[..., ins] @ kernel[tap][:, outs]
    return out if bias is None else out + np.asarray(bias, float)


def im2col(images, kernel_size, *, stride, pads, padding_mode, dilation):
    """Return the windows of channels-last images, by tap and then by channel."""
    padded = pad(images, pads, padding_mode)
    sizes = positions(padded, kernel_size, stride, dilation)
    n_values = math.prod(kernel_size) * images.shape[-1]
    columns = np.zeros((len(images), *sizes, n_values), images.dtype)
    for position in itertools.product(*map(range, sizes)):
        values = window(padded, position, kernel_size, stride, dilation)
        columns[(slice(None), *position)] = values.reshape(len(images), -1)
    return columns


def col2im(columns, shape, kernel_size, **settings):
    """Return images of `shape`; the windows of their pixels' numbers tell where values go."""
    numbers = np.arange(1.0, math.prod(shape) + 1).reshape(shape)
    places = im2col(numbers, kernel_size, **settings).astype(int)
    sums = np.zeros(math.prod(shape) + 1)  # number 0 is the padding
    for place, value in zip(places.ravel(), columns.ravel()):
        sums[place] += value
    return sums[1:].reshape(shape)


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


def sample(shape, seed=0):
    """Return normal values that float32 holds exactly, in float64."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32).astype(float)


def same_bits(a, b):
    """Tell whether two arrays are equal in dtype, shape and every bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


class Solution:
    """A convolution by the reference, and how far from it a result may lie."""

    def __init__(self, images, kernel, bias=None, *, groups=1, activation=None, **settings):
        size, kernel_size = images.shape[1:-1], kernel.shape[:-2]
        settings = per_axis(size, kernel_size, **settings) | {"groups": groups}
        self.sums = conv(images, kernel, bias, **settings)
        bias = None if bias is None else np.abs(bias)
        self.magnitude = conv(np.abs(images), np.abs(kernel), bias, **settings)
        self.n_terms = math.prod(kernel.shape[:-1])
        self.activation = activation

    def check(self, out, dtype, algorithm="direct"):
        """Fail where `out`, computed in `dtype` by `algorithm`, is not the solution."""
        allowed = tolerance(dtype, self.n_terms, self.spread(algorithm))
        if self.activation == "square":
            allowed = (2 * np.abs(self.sums) + allowed) * allowed  # |(x + e)^2 - x^2|
        expected = activate(self.sums, self.activation)
        allowed = allowed + tolerance(dtype, 1, np.abs(expected))  # the activation rounds too
        assert out.dtype == dtype
        assert out.shape == expected.shape
        assert (np.abs(out - expected) <= allowed).all()

    def spread(self, algorithm):
        """Return the magnitude of the terms of each output, as `algorithm` adds them.

        One that transforms tiles rounds by the largest values of a tile, which is at most the
        image, and the transforms enlarge them. Factors of a kernel are equal to it but for a
        small part of its sum.
        """
        if algorithm not in ENLARGED:
            return self.magnitude
        axes = tuple(range(1, self.magnitude.ndim))
        return ENLARGED[algorithm] * self.magnitude.max(axes, keepdims=True)


# How much larger than the terms of an output the values are that make it.
#
# The interpolation of F(4, 3) takes differences of values that are several times as large as the
# outputs. On all problems of the tests the largest error was 0.63 of what a factor of 1 allows, so
# 4 leaves as much room as other algorithms have; that of F(2, 3) was 0.09. A Fourier transform of n
# values rounds by about eps * sqrt(log n) of their root mean square; the transform of a tile and
# the kernel's together have the magnitude sqrt(n * taps) where an output has that of its taps.
# Tiles are not many times larger than the kernel: errors were at most 0.08 of what 1 allows, and
# 0.17 for large images and kernels of two taps.
ENLARGED = {"winograd": 4, "winograd2": 1, "fft": 1, "lowrank": 1}


def slack(images, kernel, algorithm="direct", **settings):
    """Return how far two ways of computing a convolution may lie apart."""
    magnitude = Solution(np.abs(images), np.abs(kernel), **settings).spread(algorithm)
    return 2 * tolerance(images.dtype, math.prod(kernel.shape[:-1]), magnitude)
