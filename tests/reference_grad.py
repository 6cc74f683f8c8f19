"""Gradients as slow and obvious float64 loops; no code is shared with the library."""

import itertools
import math

import numpy as np

import reference
import reference_pool


def conv_kernel(grads, images, kernel_size, *, stride, pads, padding_mode, dilation, groups=1):
    """Return the gradient of the kernel of `reference.conv`; settings have one entry per axis."""
    grads, images = np.asarray(grads, float), np.asarray(images, float)
    padded = reference.pad(images, pads, padding_mode)
    sizes = reference.positions(padded, kernel_size, stride, dilation)
    assert grads.shape[1:-1] == tuple(sizes)
    group_in, group_out = images.shape[-1] // groups, grads.shape[-1] // groups
    out = np.zeros((*kernel_size, group_in, grads.shape[-1]))
    for position in itertools.product(*map(range, sizes)):
        values = reference.window(padded, position, kernel_size, stride, dilation)
        by_outputs = grads[(slice(None), *position)]
        for g in range(groups):
            ins = slice(g * group_in, (g + 1) * group_in)
            outs = slice(g * group_out, (g + 1) * group_out)
            out[..., outs] += np.tensordot(values[..., ins], by_outputs[:, outs], (0, 0))
    return out


def max_pool(grads, indices, size):
    """Return images with every value added at its place."""
    n_images, channels = len(grads), grads.shape[-1]
    out = np.zeros((n_images, math.prod(size), channels))
    for image, *place, channel in np.ndindex(grads.shape):
        at = (image, *place, channel)
        out[image, indices[at], channel] += grads[at]
    return out.reshape(n_images, *size, channels)


def unpool(grads, indices):
    """Return the values at the places; zero where a later one has the same place."""
    flat = grads.reshape(len(grads), -1, grads.shape[-1])
    out = np.zeros(indices.shape)
    last = {(image, indices[image, *place, channel], channel): tuple(place)
            for image, *place, channel in np.ndindex(indices.shape)}
    for (image, pixel, channel), place in last.items():
        out[image, *place, channel] = flat[image, pixel, channel]
    return out


def average_pool(grads, images, size, count_include_pad=True, **settings):
    """Return what each pixel gets of the means over its windows."""
    out = np.zeros(images.shape)
    for place, inside, padded in reference_pool.Pooling(images, size, **settings).each_window():
        counted = math.prod(map(len, padded if count_include_pad else inside))
        cube = np.ix_(range(len(images)), *inside, range(images.shape[-1]))
        out[cube] += (grads[place] / counted).reshape(len(images), *(1 for _ in inside), -1)
    return out


def lp_pool(grads, images, size, p, **settings):
    """Return what each pixel gets of the norms of its windows."""
    pooling = reference_pool.Pooling(images, size, **settings)
    norms, out = pooling.norm(p), np.zeros(images.shape)
    for place, inside, _ in pooling.each_window():
        cube = np.ix_(range(len(images)), *inside, range(images.shape[-1]))
        pixels = images[cube]
        norm, by_norm = (
            array[place].reshape(len(images), *(1 for _ in inside), -1) for array in (norms, grads))
        with np.errstate(all="ignore"):
            slopes = np.sign(pixels) * np.abs(pixels) ** (p - 1) * norm ** (1 - p)
        slopes[(pixels == 0) | (norm == 0)] = 0
        out[cube] += by_norm * slopes
    return out


def differences(function, x, grads, step=1e-6):
    """Return the gradient of the inner product of `grads` and function(x), by differences."""
    out = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][at] -= step
        moved[1][at] += step
        low, high = (np.vdot(grads, function(values)) for values in moved)
        out[at] = (high - low) / (2 * step)
    return out
