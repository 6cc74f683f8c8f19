"""Kernels drawn at random, learnt from patches or with labels: tables from name to learner."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from convlib.estimators._backprop import learn_layer

N_PATCHES = 20_000       # sampled for learning
WHITENING_EPSILON = 0.1  # Coates & Ng, in units of the mean variance of a patch value


class Columns(NamedTuple):
    """The kernels of one group of channels, as columns over the values of a patch."""

    weights: np.ndarray             # (patch_size, n_kernels), whitening folded in
    bias: np.ndarray                # (n_kernels,)
    whitening: np.ndarray | None = None    # (patch_size, patch_size)
    centre: np.ndarray | None = None       # (patch_size,), the whitened mean patch
    centroids: np.ndarray | None = None    # (n_kernels, patch_size), whitened


@dataclass(frozen=True)
class Learnt:
    """The kernels of a layer, in float64, and what belongs to them."""

    operands: tuple         # of arrays, what the operator takes
    bias: np.ndarray        # (n_maps,)
    epsilon: float | None   # added to the variance of a window; None: windows stay as they are
    scale: float
    groups: list            # of Columns, what the kernels were put together from

    @property
    def centroid_squares(self):
        """Squared norms (groups, n_kernels of a group) of the centroids."""
        return np.array([(group.centroids**2).sum(axis=1) for group in self.groups])

    def with_whitening(self):
        """Return weights and bias that give each group's whitened window, then its products.

        The weights are (values of a window, maps).
        """
        weights = np.concatenate(
            [part for group in self.groups for part in (group.whitening, group.weights)], axis=1)
        bias = np.concatenate(
            [part for group in self.groups for part in (-group.centre, group.bias)])
        return weights * self.scale, bias


def random_kernels(patches, patch_size, n_kernels, random_state):
    """Return Gaussian kernels of unit norm."""
    weights = random_state.standard_normal((patch_size, n_kernels))
    weights /= np.sqrt((weights**2).sum(axis=0))
    return Columns(weights, np.zeros(n_kernels))


def pca_kernels(patches, patch_size, n_kernels, random_state):
    """Return the leading principal components of patches without their means, as PCANet does."""
    if n_kernels > patch_size:
        raise ValueError(
            f"kernels='pca' gives at most {patch_size} kernels for patches of {patch_size} "
            f"values, got n_kernels={n_kernels}"
        )
    from sklearn.decomposition import PCA

    patches = patches - patches.mean(axis=1, keepdims=True)
    with threadpool_limits(1), np.errstate(invalid="ignore", divide="ignore"):
        pca = PCA(n_kernels, svd_solver="covariance_eigh").fit(patches)
    return Columns(pca.components_.T, np.zeros(n_kernels))


def kmeans_kernels(patches, patch_size, n_kernels, random_state):
    """Return the centroids of whitened patches, folded back onto patches that are not."""
    from sklearn.cluster import MiniBatchKMeans  # half the import time of all estimators
    from sklearn.decomposition import PCA

    # Patches without any variance are no error: they are told apart by nothing.
    with threadpool_limits(1), np.errstate(invalid="ignore", divide="ignore"):
        pca = PCA(svd_solver="covariance_eigh").fit(patches)
        epsilon = WHITENING_EPSILON * pca.explained_variance_.sum() / patch_size
        scale = 1 / np.sqrt(pca.explained_variance_ + (epsilon or 1.0))
        whitening = (pca.components_.T * scale) @ pca.components_
        whitened = (patches - pca.mean_) @ whitening
        learner = MiniBatchKMeans(n_kernels, n_init=3, random_state=random_state)
        centroids = learner.fit(whitened).cluster_centers_
        weights = whitening @ centroids.T
        centre = pca.mean_ @ whitening
    return Columns(weights, -pca.mean_ @ weights, whitening, centre, centroids)


def backprop(settings, images, y, channels, random_state, progress):
    """Return kernels that tell classes apart, as `Learnt`."""
    if y is None:
        raise ValueError("kernels='backprop' requires y to be passed, but the target y is None")
    if len(images) > 1:
        raise ValueError("kernels='backprop' takes images of one size; X holds several")
    kernels, bias = learn_layer(settings, images[0], y, channels, random_state, progress)
    kernels, bias = kernels.astype(np.float64), bias.astype(np.float64)
    return Learnt((kernels,), bias, None, settings.scale, [])


LEARNERS = {"random": random_kernels, "kmeans": kmeans_kernels, "pca": pca_kernels}
WITH_LABELS = {"backprop": backprop}


def takes_labels(kernels):
    """Return whether kernels are learnt with classes."""
    return isinstance(kernels, str) and kernels in WITH_LABELS


def learn(settings, images, channels, random_state, y=None, progress=None):
    """Return the `Learnt` kernels of `LayerSettings` for a list of `Images`."""
    if takes_labels(settings.kernels):
        return WITH_LABELS[settings.kernels](
            settings, images, y, channels, random_state, progress)
    name, form, kernel_size = settings.kernels, settings.form, settings.kernel_size
    groups = channels if form.per_channel else settings.groups
    n_kernels = settings.n_kernels * (channels if form.per_channel else 1)
    patches = epsilon = None
    if settings.normalize or name != "random":
        patches = settings.scale * sample_patches(
            images, kernel_size, settings.dilations, random_state)
        patches = patches.reshape(len(patches), -1, groups, channels // groups)
    needed = max(2, n_kernels // groups if name == "kmeans" else 2)
    if name != "random" and len(patches) < needed:
        raise ValueError(
            f"kernels={name!r} with n_kernels={settings.n_kernels} learns from at least {needed} "
            f"patches of {kernel_size}; X has {len(patches)}, n_samples={sum(map(len, images))}"
        )
    if settings.normalize:
        epsilon = contrast_epsilon(patches)
    columns = []
    for group in range(groups):
        flat = None if patches is None else patches[:, :, group].reshape(len(patches), -1)
        if settings.normalize:
            flat = normalize_contrast(flat, epsilon)
        size = prod(kernel_size) * (channels // groups)
        columns.append(LEARNERS[name](flat, size, n_kernels // groups, random_state))
    weights = np.concatenate([group.weights for group in columns], axis=1)
    bias = np.concatenate([group.bias for group in columns])
    kernels = weights.reshape(*kernel_size, channels // groups, n_kernels)
    operands = form.factor(kernels, channels, settings.groups)
    return Learnt(operands, bias, epsilon, settings.scale, columns)


def given(settings, images, channels, random_state, y=None, progress=None):
    """Return the user's operands as `Learnt`."""
    epsilon = None
    if settings.normalize:
        patches = sample_patches(
            images, settings.kernel_size, settings.dilations, random_state)
        epsilon = contrast_epsilon(settings.scale * patches)
    operands = settings.form.fitted(settings.kernels, channels, settings.groups)
    operands = tuple(operand.astype(np.float64) for operand in operands)
    n_maps = settings.n_kernels * (channels if settings.form.per_channel else 1)
    return Learnt(operands, np.zeros(n_maps), epsilon, settings.scale, [])


def sample_patches(images, kernel_size, dilations, random_state):
    """Return patches (n_patches, *kernel_size, channels) in float64, from all over the images.

    All of them where there are few, else about `N_PATCHES` drawn with replacement, as many of
    each dilation. Images smaller than the dilated kernel are padded with zeros around them.
    """
    share = -(-N_PATCHES // (len(images) * len(dilations)))
    return np.concatenate([_sample(part, kernel_size, dilation, share, random_state)
                           for dilation in dilations for part in images])


def _sample(images, kernel_size, dilation, n_patches, random_state):
    """Return at most `n_patches` patches of images of one size."""
    *size, channels = images.shape
    reach = [d * (k - 1) + 1 for k, d in zip(kernel_size, dilation)]
    missing = [max(0, r - n) for r, n in zip(reach, size)]
    grid = [n + m - r + 1 for n, m, r in zip(size, missing, reach)]
    total = len(images) * prod(grid)
    drawn = np.arange(total) if total <= n_patches else np.sort(
        random_state.randint(0, total, n_patches))
    owners, *corners = np.unravel_index(drawn, (len(images), *grid))
    patches = np.empty((len(drawn), *kernel_size, channels))
    bounds = np.searchsorted(owners, np.arange(len(images) + 1))
    for owner in np.unique(owners):
        chosen = slice(bounds[owner], bounds[owner + 1])
        image = images.batch(owner, owner + 1)[0]
        if any(missing):
            image = np.pad(image, [(m // 2, m - m // 2) for m in missing] + [(0, 0)])
        taps = [
            _along(axis, len(size), corners[axis][chosen], d * np.arange(k))
            for axis, (k, d) in enumerate(zip(kernel_size, dilation))
        ]
        patches[chosen] = image[tuple(taps)]
    return patches


def _along(axis, rank, corner, taps):
    """Return coordinates of one axis, shaped to broadcast with those of the others."""
    shape = [1] * rank
    shape[axis] = len(taps)
    return corner.reshape(-1, *[1] * rank) + taps.reshape(1, *shape)


def contrast_epsilon(patches):
    """Return what to add to variances: small beside those of `patches`, and never zero."""
    variance = patches.reshape(len(patches), -1).var(axis=1).mean()
    return 0.01 * variance if variance > 0 else 1.0


def normalize_contrast(patches, epsilon):
    """Return flat patches without their means, divided by their deviations."""
    flat = patches.reshape(len(patches), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.sqrt((flat**2).mean(axis=1, keepdims=True) + epsilon)
