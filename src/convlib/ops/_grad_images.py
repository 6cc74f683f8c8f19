"""Gradients of convolutions by their images: each of the two is the other's adjoint."""

from math import prod

import numpy as np

from convlib import _validation as check
from convlib.ops.conv import conv
from convlib.ops.transpose import conv_transpose
from convlib.shapes import output_size, padding_pairs, transpose_output_size

__all__ = ["conv_images", "conv_transpose_images"]

PADDED_BYTES = 8 * 2**20    # of padded copies at once, or one image


def conv_images(
    grad_output, kernel, image_size, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    groups=1, n_threads=None, out=None,
):
    """Compute the gradient of `conv` by its images.

    It is `conv_transpose` with the same kernel. Borders other than 'constant' are pixels of the
    image: what arrives there is added to the pixels that they repeat.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `conv`, before the activation. float32 and float64
        are kept; float16, bool and integers up to 16 bits become float32, wider integers
        float64.
    kernel : array-like of shape (kernel_h, kernel_w, in_channels // groups, out_channels)
        The kernel of the convolution.
    image_size : int or tuple of int
        Height and width of the images; with a stride, `grad_output` does not tell them.
    stride, padding, padding_mode, dilation, groups
        As in `conv`.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.
    out : ndarray of shape (n_images, *image_size, in_channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, *image_size, in_channels)
        The gradient.

    Raises
    ------
    ValueError
        If `grad_output` has not the shape that `conv` gives for these settings, or a number or
        a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    convlib.conv_transpose : The same, where images are not given but made.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.conv_images(np.ones((1, 3, 1)), np.ones((2, 1, 1)), 4)[0, :, 0]
    array([1., 2., 2., 1.])
    """
    kernel = check.kernel_array("kernel", kernel)
    rank = kernel.ndim - 2
    grads = check.images_array("grad_output", grad_output, rank)
    size = check.axis_ints("image_size", image_size, rank, 1)
    groups = check.integer("groups", groups, 1)
    in_channels = groups * kernel.shape[-2]
    check.groups_fit(in_channels, kernel.shape[-2], kernel.shape[-1], groups)
    mode = check.choice("padding_mode", padding_mode, check.PADDING_MODES)
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    outputs = output_size(size, kernel.shape[:-2], **window)
    check.same_shape("grad_output", grads, (len(grads), *outputs, kernel.shape[-1]))
    pads = padding_pairs(size, kernel.shape[:-2], **window)
    form = {"stride": stride, "dilation": dilation, "groups": groups, "n_threads": n_threads}
    if mode == "constant" or not any(map(any, pads)):
        return conv_transpose(
            grads, kernel, padding=pads, output_shape=size, out=out, **form)
    shape = (len(grads), *size, in_channels)
    out = check.output_array(out, shape, grads.dtype, grads, kernel)
    padded_size = [before + n + after for n, (before, after) in zip(size, pads)]
    image_bytes = prod(padded_size) * in_channels * out.itemsize
    step = max(1, PADDED_BYTES // image_bytes)
    for first in range(0, len(grads), step):
        part = slice(first, first + step)
        padded = conv_transpose(grads[part], kernel, output_shape=padded_size, **form)
        for axis, pair in enumerate(pads, 1):
            padded = folded(padded, axis, pair, mode)
        out[part] = padded
    return out


def folded(padded, axis, pads, mode):
    """Return the adjoint of `numpy.pad` along an axis: borders are added to what they repeat."""
    before, after = pads
    padded = np.moveaxis(padded, axis, 0)
    size = len(padded) - before - after
    sources = np.pad(np.arange(size), pads, mode=mode)
    inner = padded[before:before + size].copy()
    for i in [*range(before), *range(before + size, len(padded))]:
        inner[sources[i]] += padded[i]
    return np.moveaxis(inner, 0, axis)


def conv_transpose_images(
    grad_output, kernel, *, stride=1, padding=0, output_padding=0, output_shape=None, dilation=1,
    groups=1, n_threads=None, out=None,
):
    """Compute the gradient of `conv_transpose` by its images: `conv` with the same kernel.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `conv_transpose`, before the activation. float32 and
        float64 are kept; float16, bool and integers up to 16 bits become float32, wider integers
        float64.
    kernel : array-like of shape (kernel_h, kernel_w, out_channels // groups, in_channels)
        The kernel as `conv_transpose` takes it.
    stride, padding, output_padding, output_shape, dilation, groups
        As in `conv_transpose`.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.
    out : ndarray of shape (n_images, height, width, in_channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, in_channels)
        The gradient.

    Raises
    ------
    ValueError
        If `grad_output` has not the shape that `conv_transpose` gives for these settings, or a
        number or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    convlib.conv : What it is.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.conv_transpose_images(np.ones((1, 4, 1)), np.ones((2, 1, 1)), stride=2)[0, :, 0]
    array([2., 2.])
    """
    kernel = check.transposed_kernel_array("kernel", kernel)
    grads = check.images_array("grad_output", grad_output, kernel.ndim - 2)
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    size = output_size(grads.shape[1:-1], kernel.shape[:-2], **window)
    outputs = transpose_output_size(
        size, kernel.shape[:-2], output_padding=output_padding, output_shape=output_shape,
        **window)
    check.same_shape("grad_output", grads, (len(grads), *outputs, grads.shape[-1]))
    return conv(grads, kernel, groups=groups, n_threads=n_threads, out=out, **window)
