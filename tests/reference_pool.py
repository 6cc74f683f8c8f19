"""What pooling computes, as slow and obvious float64 loops; no code is shared with the library."""

import itertools
import math

import numpy as np

import reference


def axis_windows(size, taps, stride, dilation, before, after, ceil_mode):
    """Return the coordinates of the taps of each window along one axis of an image."""
    windows = []
    start = -before
    end = size + after
    while True:
        last = start + dilation * (taps - 1)
        # In ceil_mode one window may overhang, if pixels are left that no window before it sees;
        # but then none starts behind the image.
        overhangs = last >= end and not (ceil_mode and last - stride < end - 1)
        if overhangs or (ceil_mode and start >= size):
            return windows
        windows.append([start + dilation * tap for tap in range(taps)])
        start += stride


class Pooling:
    """The windows of one call: settings have one entry per axis, or are one number for all."""

    def __init__(self, images, size, *, stride=None, padding=0, dilation=1, ceil_mode=False):
        self.images = np.asarray(images, float)
        self.image_size = self.images.shape[1:-1]
        rank = len(self.image_size)

        def each(value):
            return (value,) * rank if isinstance(value, int) else tuple(value)

        size, dilation = each(size), each(dilation)
        stride = size if stride is None else each(stride)
        if padding == "same":
            self.pads = [reference.same_pads(*axis)
                         for axis in zip(self.image_size, size, stride, dilation)]
        else:
            padding = each(0 if padding == "valid" else padding)
            self.pads = [(pad, pad) if isinstance(pad, int) else pad for pad in padding]
        self.axes = [
            axis_windows(n, k, s, d, before, after, ceil_mode)
            for n, k, s, d, (before, after) in
            zip(self.image_size, size, stride, dilation, self.pads)
        ]
        self.shape = (len(self.images), *map(len, self.axes), self.images.shape[-1])

    def each_window(self):
        """Yield the place of each output, its taps in the image and in the padded image."""
        for place in itertools.product(*(range(len(windows)) for windows in self.axes)):
            taps = [windows[i] for windows, i in zip(self.axes, place)]
            inside = [[tap for tap in axis if 0 <= tap < n]
                      for axis, n in zip(taps, self.image_size)]
            padded = [[tap for tap in axis if -before <= tap < n + after]
                      for axis, n, (before, after) in zip(taps, self.image_size, self.pads)]
            yield (slice(None), *place), inside, padded

    def values(self, inside):
        """Return the pixels under a window, as (n_images, taps, channels)."""
        n_images, channels = len(self.images), self.images.shape[-1]
        cube = self.images[np.ix_(range(n_images), *inside, range(channels))]
        return cube.reshape(n_images, -1, channels)

    def max(self):
        """Return the maxima, and their places in the flat image."""
        out, indices = np.empty(self.shape), np.empty(self.shape, np.int64)
        flat = np.arange(math.prod(self.image_size)).reshape(self.image_size)
        for place, inside, _ in self.each_window():
            values = self.values(inside)
            winners = values.argmax(axis=1)  # the first maximum, the first NaN
            out[place] = np.take_along_axis(values, winners[:, np.newaxis], axis=1)[:, 0]
            indices[place] = flat[np.ix_(*inside)].ravel()[winners]
        return out, indices

    def mean(self, count_include_pad=True):
        """Return the means."""
        out = np.empty(self.shape)
        for place, inside, padded in self.each_window():
            counted = padded if count_include_pad else inside
            out[place] = self.values(inside).sum(axis=1) / math.prod(map(len, counted))
        return out

    def norm(self, p):
        """Return the p-norms."""
        out = np.empty(self.shape)
        for place, inside, _ in self.each_window():
            out[place] = (np.abs(self.values(inside)) ** p).sum(axis=1) ** (1 / p)
        return out


def statistic(images, kind):
    """Return one statistic of each channel of each image."""
    pixels = np.asarray(images, float).reshape(len(images), -1, images.shape[-1])
    return {
        "max": lambda: pixels.max(axis=1),
        "min": lambda: pixels.min(axis=1),
        "mean": lambda: pixels.mean(axis=1),
        "std": lambda: pixels.std(axis=1),
        "ppv": lambda: (pixels > 0).mean(axis=1),
    }[kind]()


def unpool(pooled, indices, size):
    """Return zeros with the pooled values at their places, the last of several."""
    n_images, channels = len(pooled), pooled.shape[-1]
    out = np.zeros((n_images, math.prod(size), channels), pooled.dtype)
    for image, *place, channel in np.ndindex(pooled.shape):
        at = (image, *place, channel)
        out[image, indices[at], channel] = pooled[at]
    return out.reshape(n_images, *size, channels)
