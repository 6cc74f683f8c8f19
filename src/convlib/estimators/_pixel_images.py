"""Images whose pixels are the samples: read crop by crop, and cut into boxes.

A box is a tuple of slices, one for each axis of an image beside its channels. What is computed
for a box needs a halo of pixels around it; where the image ends, so does the crop, and filters
continue it there as they would continue the whole image. So tiles have no seams.
"""

from math import prod

import numpy as np

from convlib import _validation as check
from convlib._filters._image import one_axis
from convlib._tiling.boxes import SMALLEST
from convlib.estimators._images import refuse_dtype, refuse_masked


class PixelImage:
    """One image, read where it is needed: an array, or what can be sliced like one."""

    def __init__(self, name, image, channel_axis):
        refuse_masked(name, image)
        if not all(hasattr(image, word) for word in ("shape", "dtype", "__getitem__")):
            raise TypeError(check.refusal(name, "an array of numbers", image))
        refuse_dtype(name, image)
        self.name, self._image, self.dtype = name, image, np.dtype(image.dtype)
        ndim = len(image.shape)
        self.channel_axis = None
        if channel_axis is not None:
            self.channel_axis = one_axis(
                "channel_axis", channel_axis, ndim,
                f"None or an axis of the images; {name} has {ndim}")
        self.size = tuple(int(n) for axis, n in enumerate(image.shape) if axis != self.channel_axis)
        self.n_channels = 1 if channel_axis is None else int(image.shape[self.channel_axis])
        if not 1 <= len(self.size) <= 3 or prod(image.shape) == 0:
            beside = "" if channel_axis is None else f" beside channel_axis={channel_axis}"
            raise ValueError(f"{name} must have 1 to 3 axes{beside}, none of them empty; got shape "
                             f"{tuple(image.shape)}")

    @property
    def box(self):
        """The box of all pixels."""
        return tuple(slice(0, n) for n in self.size)

    def crop(self, box, halo, wraps, dtype, scale):
        """Return a box with its halo, (channels, *crop), and where the box lies in it.

        If the image `wraps` around, the crop does so, too, and never ends with the image.
        """
        reach = [range(own.start - before, own.stop + after) if wraps else
                 range(max(0, own.start - before), min(n, own.stop + after))
                 for own, (before, after), n in zip(box, halo, self.size)]
        inner = tuple(slice(own.start - one.start, own.stop - one.start)
                      for own, one in zip(box, reach))
        leaves = [one.start < 0 or one.stop > n for one, n in zip(reach, self.size)]
        index = [slice(None) if beyond else slice(one.start, one.stop)
                 for beyond, one in zip(leaves, reach)]
        if self.channel_axis is not None:
            index.insert(self.channel_axis, slice(None))
        values = np.asarray(self._image[tuple(index)])
        axis = self.channel_axis
        values = values[np.newaxis] if axis is None else np.moveaxis(values, axis, 0)
        for number, (beyond, one, n) in enumerate(zip(leaves, reach, self.size), 1):
            if beyond:
                values = values.take(np.arange(one.start, one.stop) % n, number)
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(values, dtype)
        if not np.isfinite(values).all():
            raise ValueError(f"{self.name} must not hold NaN, infinity or values too large for "
                             f"{dtype}")
        return (values if scale == 1 else values * dtype.type(scale)), inner


def pixel_images(X, channel_axis):
    """Return `PixelImage`s of an image or a list of images, and whether it is a list."""
    is_list = isinstance(X, (list, tuple))
    if is_list and not all(hasattr(image, "shape") for image in X):
        raise TypeError("X must be an array, of one image, or a list of arrays; got a list "
                        "of something else")
    images = [PixelImage(f"X[{k}]" if is_list else "X", image, channel_axis)
              for k, image in enumerate(X if is_list else [X])]
    if not images:
        raise ValueError("X must hold at least one image; got an empty list")
    kinds = {(len(image.size), image.n_channels) for image in images}
    if len(kinds) > 1:
        raise ValueError(f"the images of X must have the same number of axes and channels; "
                         f"got {sorted(kinds)}")
    return images, is_list


def boxes_around(places, halo, n_bytes, budget):
    """Return boxes that hold all places (n, axes), as pairs (rows of `places`, box).

    They are halved as long as the parts and their halos are fewer pixels than the whole, or the
    whole is beyond the budget.
    """
    sides = np.array([sum(pair) for pair in halo])
    return _boxes(places, np.arange(len(places)), sides, n_bytes, budget)[1]


def _boxes(places, rows, sides, n_bytes, budget):
    """Return the cost, in pixels, and the boxes of some rows of `places`.

    `sides` are the pixels of the halo on both sides together.
    """
    first, last = places[rows].min(axis=0), places[rows].max(axis=0) + 1
    extent = last - first
    cost = float(np.prod(extent + sides, dtype=float))
    fits = n_bytes(extent.tolist()) <= budget
    whole = [(rows, tuple(slice(int(a), int(b)) for a, b in zip(first, last)))]
    axis = int(np.argmax(extent / (2 + sides)))
    # Where most pixels are wanted, or less than a halo is left, halves only have more halo.
    least = max(SMALLEST, sides[axis] // 2)
    is_dense = 2 * len(rows) >= np.prod(extent, dtype=float)
    if extent[axis] <= least // 2 or (fits and (is_dense or extent[axis] <= least)):
        return cost, whole
    below = places[rows, axis] < first[axis] + extent[axis] // 2
    parts = [_boxes(places, rows[side], sides, n_bytes, budget) for side in (below, ~below)]
    if fits and sum(part[0] for part in parts) >= cost:
        return cost, whole
    return sum(part[0] for part in parts), parts[0][1] + parts[1][1]
