"""Gradients of the operators: <operator>_<argument>(grad_output, the other operands, settings)."""

import numpy as np

from convlib import _validation as check
from convlib.ops._depthwise_gradients import images_gradient, kernel_gradient
from convlib.ops.separable import window_settings
from convlib.ops.shuffle import channel_shuffle
from convlib.ops.upsample import KINDS, adjoint_taps, resample
from convlib.shapes import output_size, padding_pairs

__all__ = ["channel_shuffle_images", "depthwise_conv_bias", "depthwise_conv_images",
           "depthwise_conv_kernel", "upsample_images"]


def depthwise_conv_bias(grad_output):
    """Return the gradient of `depthwise_conv` for its bias: a sum over images and pixels.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, channels * multiplier)
        Gradient for the result, with 1 to 3 spatial axes; added in float64.

    Returns
    -------
    grad_bias : ndarray of shape (channels * multiplier,)
        Gradient for the bias.

    Raises
    ------
    ValueError, TypeError
        If `grad_output` is no array of numbers with such a shape.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.depthwise_conv_bias(np.ones((2, 5, 5, 3)))
    array([50., 50., 50.])
    """
    grad_output = check.batch_array("grad_output", grad_output)
    rows = np.ascontiguousarray(grad_output).reshape(-1, grad_output.shape[-1])
    return rows.sum(axis=0, dtype=np.float64).astype(grad_output.dtype)


def depthwise_conv_images(
    grad_output, kernel, image_size, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    n_threads=None,
):
    """Return the gradient of `depthwise_conv` for its images: its adjoint.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, channels * multiplier)
        Gradient for the result.
    kernel : array-like of shape (kernel_h, kernel_w, channels, multiplier)
        As in `depthwise_conv`.
    image_size : tuple of int
        Height and width of the images; a stride does not tell them.
    stride, padding, padding_mode, dilation
        As in `depthwise_conv`.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.

    Returns
    -------
    grad_images : ndarray of shape (n_images, height, width, channels)
        Gradient for the images.

    Raises
    ------
    ValueError, TypeError
        If `grad_output` is not what `depthwise_conv` returns for such arguments, or one of them
        is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.depthwise_conv_images(np.ones((1, 2, 1)), np.ones((3, 1, 1)), (4,))[0, :, 0]
    array([1., 2., 2., 1.])
    """
    kernel = check.depthwise_kernel("kernel", kernel)
    rank = kernel.ndim - 2
    grad_output = check.images_array("grad_output", grad_output, rank)
    size = check.axis_ints("image_size", image_size, rank, 1)
    window = window_settings(rank, stride, padding, dilation)
    padding_mode = check.choice("padding_mode", padding_mode, check.PADDING_MODES)
    n_threads = check.threads(n_threads)
    n_out = kernel.shape[-2] * kernel.shape[-1]
    check.result_shape("grad_output", grad_output,
                       (*output_size(size, kernel.shape[:-2], **window), n_out))
    pads = padding_pairs(size, kernel.shape[:-2], **window)
    kernel = np.ascontiguousarray(kernel, grad_output.dtype)
    return images_gradient(grad_output, kernel, size, window["stride"], pads, padding_mode,
                           window["dilation"], n_threads)


def depthwise_conv_kernel(
    grad_output, images, kernel_size, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    n_threads=None,
):
    """Return the gradient of `depthwise_conv` for its kernel.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, channels * multiplier)
        Gradient for the result, converted to the dtype of `images`.
    images : array-like of shape (n_images, height, width, channels)
        As in `depthwise_conv`.
    kernel_size : int or tuple of int
        Taps along each axis.
    stride, padding, padding_mode, dilation
        As in `depthwise_conv`.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.

    Returns
    -------
    grad_kernel : ndarray of shape (kernel_h, kernel_w, channels, multiplier)
        Gradient for the kernel.

    Raises
    ------
    ValueError, TypeError
        If `grad_output` is not what `depthwise_conv` returns for such arguments, or one of them
        is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> images = np.arange(4.0).reshape(1, 4, 1)
    >>> grad.depthwise_conv_kernel(np.ones((1, 2, 1)), images, 3)[:, 0, 0]
    array([1., 3., 5.])
    """
    images = check.batch_array("images", images)
    rank = images.ndim - 2
    grad_output = check.images_array("grad_output", grad_output, rank).astype(images.dtype)
    size, channels = images.shape[1:-1], images.shape[-1]
    taps = check.axis_ints("kernel_size", kernel_size, rank, 1)
    window = window_settings(rank, stride, padding, dilation)
    padding_mode = check.choice("padding_mode", padding_mode, check.PADDING_MODES)
    n_threads = check.threads(n_threads)
    outputs = output_size(size, taps, **window)
    multiplier = max(1, grad_output.shape[-1] // channels)
    check.result_shape("grad_output", grad_output, (*outputs, channels * multiplier), len(images))
    pads = padding_pairs(size, taps, **window)
    check.addressable(size, pads, window["stride"], window["dilation"])
    return kernel_gradient(images, grad_output, taps, window["stride"], pads, padding_mode,
                           window["dilation"], n_threads)


def channel_shuffle_images(grad_output, groups, *, out=None):
    """Return the gradient of `channel_shuffle` for its images: the shuffle taken back.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, height, width, channels)
        Gradient for the result, with 1 to 3 spatial axes.
    groups : int
        As in `channel_shuffle`.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `grad_output`.

    Returns
    -------
    grad_images : ndarray of shape (n_images, height, width, channels)
        Gradient for the images.

    Raises
    ------
    ValueError, TypeError
        As `channel_shuffle` does.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import channel_shuffle, grad
    >>> images = np.arange(6.0).reshape(1, 1, 6)
    >>> grad.channel_shuffle_images(channel_shuffle(images, 2), 2)
    array([[[0., 1., 2., 3., 4., 5.]]])
    """
    grad_output = check.batch_array("grad_output", grad_output)
    groups = check.dividing_groups(grad_output.shape[-1], groups)
    return channel_shuffle(grad_output, grad_output.shape[-1] // groups, out=out)


def upsample_images(grad_output, factor, kind="nearest", *, n_threads=None, out=None):
    """Return the gradient of `upsample` for its images.

    Each pixel gathers from the outputs that see it; nothing is scattered.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, factor * height, factor * width, channels)
        Gradient for the result, with 1 to 3 spatial axes.
    factor : int or tuple of int
        As in `upsample`.
    kind : {'nearest', 'bilinear', 'bicubic'}, default='nearest'
        As in `upsample`.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `grad_output`.

    Returns
    -------
    grad_images : ndarray of shape (n_images, height, width, channels)
        Gradient for the images.

    Raises
    ------
    ValueError
        If `factor` does not divide the size of `grad_output`, or as `upsample` does.
    TypeError
        As `upsample` does.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.upsample_images(np.ones((1, 4, 1)), 2)[0, :, 0]
    array([2., 2.])
    """
    grad_output = check.batch_array("grad_output", grad_output)
    factor = check.axis_ints("factor", factor, grad_output.ndim - 2, 1)
    kind = check.choice("kind", kind, KINDS)
    n_threads = check.threads(n_threads)
    large = grad_output.shape[1:-1]
    check.factors_divide("grad_output", large, factor)
    size = tuple(n // times for n, times in zip(large, factor))
    shape = (len(grad_output), *size, grad_output.shape[-1])
    out = check.output_array(out, shape, grad_output.dtype, grad_output)
    if out.size:
        taps = [adjoint_taps(*axis, kind) for axis in zip(size, factor)]
        resample(grad_output, out, taps, n_threads)
    return out
