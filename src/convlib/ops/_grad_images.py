"""Gradients of convolutions by their images: each of the two is the other's adjoint."""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib.ops.conv import conv
from convlib.ops.transpose import _settings as transposed_settings
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
    settings = (image_size, stride, padding, padding_mode, dilation, groups)
    if not check.are_literals(settings):
        settings = check.adjoint_settings("image_size", rank, *settings)
    adjoint = _adjoint(kernel.shape, settings)
    check.same_shape("grad_output", grads, (len(grads), *adjoint.outputs))
    form = adjoint.form | {"n_threads": n_threads}
    if not adjoint.folds:
        return conv_transpose(
            grads, kernel, padding=adjoint.pads, output_shape=adjoint.images[:-1], out=out, **form)
    out = check.output_array(out, (len(grads), *adjoint.images), grads.dtype, grads, kernel)
    *size, in_channels = adjoint.images
    padded_size = tuple(before + n + after for n, (before, after) in zip(size, adjoint.pads))
    image_bytes = prod(padded_size) * in_channels * out.itemsize
    step = max(1, PADDED_BYTES // image_bytes)
    for first in range(0, len(grads), step):
        part = slice(first, first + step)
        padded = conv_transpose(grads[part], kernel, output_shape=padded_size, **form)
        for axis, pair in enumerate(adjoint.pads, 1):
            padded = folded(padded, axis, pair, adjoint.mode)
        out[part] = padded
    return out


class _Adjoint(NamedTuple):
    """What is settled for all gradients of a kind by the images."""

    images: tuple     # shape of one image, and ...
    outputs: tuple    # ... of what comes of it
    pads: tuple
    mode: str
    folds: bool       # whether borders repeat pixels
    form: dict        # of `conv_transpose`


@lru_cache(maxsize=1024)
def _adjoint(kernel_shape, settings):
    """Return the `_Adjoint` of a convolution, with settings as `conv` remembers them."""
    *kernel_size, group_size, out_channels = kernel_shape
    size, stride, padding, mode, dilation, groups = check.adjoint_settings(
        "image_size", len(kernel_size), *settings)
    check.groups_fit(groups * group_size, group_size, out_channels, groups)
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    outputs = output_size(size, tuple(kernel_size), **window)
    pads = tuple(padding_pairs(size, tuple(kernel_size), **window))
    return _Adjoint(
        images=(*size, groups * group_size), outputs=(*outputs, out_channels), pads=pads,
        mode=mode, folds=mode != "constant" and any(map(any, pads)),
        form={"stride": stride, "dilation": dilation, "groups": groups})


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
    settings = (stride, padding, output_padding, output_shape, dilation, groups, None)
    if not check.are_literals(settings):
        settings = transposed_settings(kernel.ndim - 2, *settings)
    outputs = _transposed_size(grads.shape[1:-1], kernel.shape[:-2], settings)
    check.same_shape("grad_output", grads, (len(grads), *outputs, grads.shape[-1]))
    return conv(grads, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups,
                n_threads=n_threads, out=out)


@lru_cache(maxsize=1024)
def _transposed_size(outputs, kernel_size, settings):
    """Return what `conv_transpose` makes of the images that give these outputs, or nearly so."""
    stride, padding, output_padding, output_shape, dilation, *_ = transposed_settings(
        len(kernel_size), *settings)
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    size = output_size(outputs, kernel_size, **window)
    return transpose_output_size(
        size, kernel_size, output_padding=output_padding, output_shape=output_shape, **window)
