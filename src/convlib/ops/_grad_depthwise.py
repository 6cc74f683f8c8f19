"""Gradients of the depthwise convolution by its images, kernel and bias."""

from convlib import _validation as check
from convlib.ops._grad_conv import conv_bias, conv_kernel
from convlib.ops._grad_images import conv_images
from convlib.ops.separable import grouped

__all__ = ["depthwise_conv_bias", "depthwise_conv_images", "depthwise_conv_kernel"]


def depthwise_conv_images(
    grad_output, kernel, image_size, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    n_threads=None, out=None,
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
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

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
    channels = kernel.shape[-2]
    return conv_images(
        grad_output, grouped(kernel), image_size, stride=stride, padding=padding,
        padding_mode=padding_mode, dilation=dilation, groups=channels, n_threads=n_threads,
        out=out)


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
    channels = images.shape[-1]
    grad_output = check.images_array("grad_output", grad_output, images.ndim - 2)
    multiplier = max(1, grad_output.shape[-1] // channels)
    check.same_shape(
        "grad_output", grad_output, (*grad_output.shape[:-1], channels * multiplier))
    kernel = conv_kernel(
        grad_output, images, kernel_size, stride=stride, padding=padding,
        padding_mode=padding_mode, dilation=dilation, groups=channels, n_threads=n_threads)
    return kernel.reshape(*kernel.shape[:-2], channels, multiplier)


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
    return conv_bias(grad_output)
