"""What ConvFeatures computes, window by window in float64; shares no code with the library."""

import itertools

import numpy as np

import reference


def windows(images, kernel_size, stride, pads, padding_mode, dilation):
    """Return all windows (n_images, *positions, *kernel_size, channels)."""
    padded = reference.pad(np.asarray(images, float), pads, padding_mode)
    sizes = reference.positions(padded, kernel_size, stride, dilation)
    out = np.empty((len(images), *sizes, *kernel_size, images.shape[-1]))
    for position in itertools.product(*map(range, sizes)):
        out[(slice(None), *position)] = reference.window(
            padded, position, kernel_size, stride, dilation)
    return out


def normalize(patches, n_axes, epsilon):
    """Take the mean of each patch away and divide by its deviation; a patch has n_axes axes."""
    axes = tuple(range(-n_axes, 0))
    centred = patches - patches.mean(axis=axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=axes, keepdims=True) + epsilon)


def responses(patches, kernels, bias, groups, epsilon):
    """Return (n_images, *positions, n_kernels) inner products of patches and kernels."""
    n_axes = kernels.ndim - 1
    channels, n_kernels = kernels.shape[-2], kernels.shape[-1] // groups
    parts = []
    for group in range(groups):
        part = patches[..., group * channels:(group + 1) * channels]
        if epsilon is not None:
            part = normalize(part, n_axes, epsilon)
        weights = kernels[..., group * n_kernels:(group + 1) * n_kernels]
        flat = part.reshape(*part.shape[:-n_axes], -1)
        parts.append(flat @ weights.reshape(-1, n_kernels))
    return np.concatenate(parts, axis=-1) + bias


def pool(maps, kind, size, stride):
    """Return the statistic of each pooling window, 'global' or of `size`."""
    spatial = tuple(range(1, maps.ndim - 1))
    statistic = {
        "max": np.max, "min": np.min, "mean": np.mean, "std": np.std,
        "ppv": lambda values, axis: (values > 0).mean(axis=axis),
        "lp": lambda values, axis: np.sqrt((values**2).sum(axis=axis)),
    }
    if kind is None:
        return maps
    if size == "global":
        return statistic[kind](maps, axis=spatial)
    sizes = reference.positions(maps, size, stride, (1,) * len(size))
    out = np.empty((len(maps), *sizes, maps.shape[-1]))
    for position in itertools.product(*map(range, sizes)):
        values = reference.window(maps, position, size, stride, (1,) * len(size))
        out[(slice(None), *position)] = statistic[kind](values, axis=spatial)
    return out
