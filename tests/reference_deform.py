"""Deformable convolution as slow and obvious float64 loops; no code is shared with the library.

The gradients come from the same loops: every sampled value tells which pixels it read, with which
weights.
"""

import math

import numpy as np

import reference


def corners(y, x, height, width):
    """Return (row, column, weight, slope down, slope across) of the pixels around a point.

    Slopes are those of the weights just after the point. Pixels outside the image are left out.
    """
    found = []
    if not (math.isfinite(y) and math.isfinite(x)):
        return found
    top, left = math.floor(y), math.floor(x)
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < height and 0 <= column < width:
                down, across = 1 - abs(y - row), 1 - abs(x - column)
                found.append((row, column, down * across, across if row > top else -across,
                              down if column > left else -down))
    return found


class Deform:
    """One call: `run` returns its outputs, the others the gradients of sum(outputs * grad)."""

    def __init__(self, images, kernel, offsets, mask=None, bias=None, *, groups=1, **settings):
        self.images, self.kernel = np.asarray(images, float), np.asarray(kernel, float)
        self.offsets = np.asarray(offsets, float)
        kernel_h, kernel_w, self.group_in, n_out = kernel.shape
        self.groups, self.group_out = groups, n_out // groups
        self.n_taps = kernel_h * kernel_w
        self.offset_groups = offsets.shape[-1] // (2 * self.n_taps)
        self.offset_group_in = images.shape[-1] // self.offset_groups
        shape = (*offsets.shape[:-1], self.offset_groups * self.n_taps)
        self.mask = np.ones(shape) if mask is None else np.asarray(mask, float)
        self.bias = np.zeros(n_out) if bias is None else np.asarray(bias, float)
        self.form = reference.per_axis(images.shape[1:-1], (kernel_h, kernel_w), **settings)

    def taps(self):
        """Return (image, row, column, tap (i, j), offset group, point, y, x) of every tap."""
        n_images, out_h, out_w, _ = self.offsets.shape
        kernel_h, kernel_w = self.kernel.shape[:2]
        (stride_h, stride_w), (dilation_h, dilation_w) = self.form["stride"], self.form["dilation"]
        (top, _), (left, _) = self.form["pads"]
        for n, p, q in np.ndindex(n_images, out_h, out_w):
            for group in range(self.offset_groups):
                for i, j in np.ndindex(kernel_h, kernel_w):
                    point = group * self.n_taps + i * kernel_w + j
                    dy, dx = self.offsets[n, p, q, 2 * point:2 * point + 2]
                    y = p * stride_h - top + i * dilation_h + dy
                    x = q * stride_w - left + j * dilation_w + dx
                    yield n, p, q, (i, j), group, point, y, x

    def channels(self, group):
        """Return the channels of an offset group, and for each its group of the convolution."""
        for channel in range(group * self.offset_group_in, (group + 1) * self.offset_group_in):
            first = channel // self.group_in * self.group_out
            yield channel, channel % self.group_in, slice(first, first + self.group_out)

    def value(self, n, channel, y, x, slope=2):
        """Return a sampled value, or with slope 3 or 4 its derivative down or across."""
        if math.isnan(y) or math.isnan(x):
            return math.nan
        height, width = self.images.shape[1:-1]
        return sum(self.images[n, corner[0], corner[1], channel] * corner[slope]
                   for corner in corners(y, x, height, width)
                   if slope > 2 or corner[2] != 0)

    def run(self):
        """Return the outputs."""
        out = np.zeros((*self.offsets.shape[:-1], self.kernel.shape[-1])) + self.bias
        for n, p, q, tap, group, point, y, x in self.taps():
            for channel, member, outs in self.channels(group):
                value = self.value(n, channel, y, x) * self.mask[n, p, q, point]
                out[n, p, q, outs] += value * self.kernel[(*tap, member, outs)]
        return out

    def gradients(self, grad):
        """Return the gradients of images, kernel, offsets and mask, by name."""
        grads = {name: np.zeros(getattr(self, name).shape)
                 for name in ("images", "kernel", "offsets", "mask")}
        height, width = self.images.shape[1:-1]
        for n, p, q, tap, group, point, y, x in self.taps():
            factor = self.mask[n, p, q, point]
            for channel, member, outs in self.channels(group):
                flow = self.kernel[(*tap, member, outs)] @ grad[n, p, q, outs]
                value = self.value(n, channel, y, x)
                grads["kernel"][(*tap, member, outs)] += factor * value * grad[n, p, q, outs]
                grads["mask"][n, p, q, point] += value * flow
                for k in (0, 1):
                    slope = self.value(n, channel, y, x, 3 + k)
                    grads["offsets"][n, p, q, 2 * point + k] += factor * slope * flow
                for row, column, weight, *_ in corners(y, x, height, width):
                    if weight != 0:
                        grads["images"][n, row, column, channel] += factor * weight * flow
        return grads
