"""The transposed convolution as the scatter that it is, in float64.

Nothing is shared with the library.
"""

import itertools

import numpy as np


def conv_transpose(images, kernel, bias=None, *, stride, before, dilation, output_size, groups=1):
    """Return images of `output_size` to which each pixel added its multiples of the kernel.

    Settings have one entry per axis; `before` are the outputs that padding cuts off.
    """
    images, kernel = np.asarray(images, float), np.asarray(kernel, float)
    *kernel_size, group_out, n_in = kernel.shape
    group_in = n_in // groups
    out = np.zeros((len(images), *output_size, group_out * groups))
    for pixel in itertools.product(*map(range, images.shape[1:-1])):
        for tap in itertools.product(*map(range, kernel_size)):
            place = [p * s + t * d - b
                     for p, s, t, d, b in zip(pixel, stride, tap, dilation, before)]
            if not all(0 <= i < n for i, n in zip(place, output_size)):
                continue
            for g in range(groups):
                ins = slice(g * group_in, (g + 1) * group_in)
                outs = slice(g * group_out, (g + 1) * group_out)
                out[(slice(None), *place, outs)] += (
                    images[(slice(None), *pixel, ins)] @ kernel[(*tap, slice(None), ins)].T)
    return out if bias is None else out + np.asarray(bias, float)
