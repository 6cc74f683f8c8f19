"""What maps respond to: Zeiler and Fergus's way back from a map to the pixels.

    python examples/deconvolution.py

Three layers learn their kernels from two photographs, without labels. The strongest responses of
some maps are sent back alone: what was pooled goes to where it came from, and `conv_transpose`
takes it through the same kernels. Saves deconvolution.png: patches of the photographs, and beside
them what came back.
"""

from typing import NamedTuple

import matplotlib
import numpy as np
from sklearn.datasets import load_sample_images

import convlib as cl
from convlib import filters

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32) / 255
SIGMA = 6                   # of the light that is taken away from photographs
TILE = 40                   # pixels a side of the pieces that they are cut into
N_KERNELS = (16, 48, 96)    # of each layer
SIZE = 5                    # pixels a side of the kernels
POOL = 2
NOISE = 0.3                 # beside the deviation of what a layer learns from
N_MAPS = 6                  # of a layer that are shown
N_BEST = 4                  # responses of a map, all of different pieces


class Layer(NamedTuple):
    """What the way back needs to know of a layer."""

    kernel: np.ndarray
    size: tuple             # of its maps, before they are pooled
    indices: np.ndarray     # where the maxima were


def tiles():
    """Return pieces of the photographs that come with scikit-learn, in grey, without overlap."""
    photographs = np.stack(load_sample_images().images) @ LUMINANCE
    photographs = cl.average_pool(photographs[..., np.newaxis], 2)[..., 0]
    photographs -= filters.gaussian(photographs, SIGMA)
    rows, columns = (range(0, n - TILE + 1, TILE) for n in photographs.shape[1:])
    pieces = [photographs[:, i:i + TILE, j:j + TILE] for i in rows for j in columns]
    return np.concatenate(pieces)[..., np.newaxis]


def fit(images):
    """Return the layers, each learnt from the pooled maps of the one before, and the maps.

    k-means whitens what it learns from, which makes much of the finest detail. Noise in what is
    learnt from keeps that down.
    """
    random = np.random.default_rng(0)
    layers, all_maps = [], []
    for n_kernels in N_KERNELS:
        features = cl.ConvFeatures(
            n_kernels, SIZE, kernels="kmeans", normalize_patches=False, padding="valid",
            pool=None, output="maps", random_state=0)
        noise = NOISE * images.std() * random.standard_normal(images.shape, np.float32)
        maps = features.fit(images + noise).transform(images)
        images, indices = cl.max_pool(maps, POOL, return_indices=True)
        layers.append(Layer(features.kernels_, maps.shape[1:3], indices))
        all_maps.append(maps)
    return layers, all_maps


def send_back(layers, maps, which):
    """Return the pixels for maps of the last of some layers, seen in the images `which`."""
    for i, layer in reversed(list(enumerate(layers))):
        if i < len(layers) - 1:
            maps = cl.max_unpool(maps, layer.indices[which], layer.size)
        maps = cl.conv_transpose(np.maximum(maps, 0), layer.kernel)
    return maps[..., 0]


def strongest(maps, k):
    """Return the images with the strongest responses of map `k`, and where these are."""
    responses = maps[..., k].reshape(len(maps), -1)
    which = np.argsort(-responses.max(axis=1))[:N_BEST]
    return which, np.unravel_index(responses[which].argmax(axis=1), maps.shape[1:3])


def pairs(images, layers, maps, k):
    """Yield the patches to which map `k` responds most, each with what comes back of it."""
    which, (rows, columns) = strongest(maps, k)
    best = np.arange(N_BEST), rows, columns, k
    alone = np.zeros_like(maps[which])
    alone[best] = maps[which][best]
    back = send_back(layers, alone, which)
    step = POOL ** (len(layers) - 1)
    side = TILE - step * (maps.shape[1] - 1)
    for i, row, column in zip(range(N_BEST), rows * step, columns * step):
        window = slice(row, row + side), slice(column, column + side)
        yield images[which[i], ..., 0][window], back[i][window]


def rarest(maps):
    """Return the maps whose strongest response stands out most from the others."""
    return np.argsort(-maps.max(axis=(0, 1, 2)) / maps.mean(axis=(0, 1, 2)))[:N_MAPS]


def draw(axis, picture):
    """Draw a picture, zero in grey."""
    limit = np.percentile(np.abs(picture), 99)
    axis.imshow(picture, cmap="gray", vmin=-limit, vmax=limit)


def main():
    """Fit the layers and save the picture."""
    images = tiles()
    layers, all_maps = fit(images)
    n_columns = 2 * N_BEST
    figure = plt.figure(figsize=(10, 4.1), layout="constrained")
    for depth, part in zip((2, 3), figure.subfigures(1, 2, wspace=0.04)):
        maps = all_maps[depth - 1]
        axes = part.subplots(N_MAPS, n_columns)
        for k, line in zip(rarest(maps), axes):
            for i, pair in enumerate(pairs(images, layers[:depth], maps, k)):
                for axis, picture in zip(line[[i, i + N_BEST]], pair):
                    draw(axis, picture)
        for axis in axes.flat:
            axis.axis("off")
        part.suptitle(f"layer {depth}: patches, and what comes back")
    figure.savefig("deconvolution.png", dpi=100)


if __name__ == "__main__":
    main()
