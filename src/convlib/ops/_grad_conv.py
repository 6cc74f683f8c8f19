"""Gradients of convolutions by their kernels and biases: check the call, allocate, run."""

from functools import lru_cache

from convlib import _validation as check
from convlib._problem import ConvProblem, three
from convlib.ops import _depthwise_sums, _kernel_sums
from convlib.ops._statistics import pixel_sums
from convlib.shapes import output_size, padding_pairs

__all__ = ["conv_bias", "conv_kernel", "conv_transpose_bias", "conv_transpose_kernel"]


def conv_kernel(
    grad_output, images, kernel_size, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    groups=1, n_threads=None, out=None,
):
    """Compute the gradient of `conv` by its kernel.

    ``out[i, j, c, o]`` is the sum over images and outputs of ``grad_output[n, p, q, o]`` times
    the pixel that tap (i, j) of that output sees in channel c. The windows are never copied out
    as a whole.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `conv`, before the activation
        (`activation_inputs`); converted to the dtype of `images`.
    images : array-like of shape (n_images, height, width, in_channels)
        What was convolved, in any memory order: signals, images or volumes. float32 and float64
        are kept; float16, bool and integers up to 16 bits become float32, wider integers
        float64.
    kernel_size : int or tuple of int
        Taps of the kernel along each axis.
    stride, padding, padding_mode, dilation, groups
        As in `conv`.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray of shape (kernel_h, kernel_w, in_channels // groups, out_channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (kernel_h, kernel_w, in_channels // groups, out_channels)
        The gradient, the same bits for any number of threads; zero where there are no images.

    Raises
    ------
    ValueError
        If `grad_output` has not the shape that `conv` gives for these settings, or a number or
        a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    conv_bias : The gradient by the bias.
    activation_inputs : The gradient through an activation.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> signal = np.array([1.0, 2.0, 4.0]).reshape(1, 3, 1)
    >>> grad.conv_kernel(np.ones((1, 2, 1)), signal, 2)[:, 0, 0]
    array([3., 6.])
    """
    images = check.batch_array("images", images)
    return _kernel_gradient(
        "grad_output", grad_output, images, kernel_size, stride, padding, padding_mode, dilation,
        groups, n_threads, out)


def conv_bias(grad_output, *, n_threads=None):
    """Compute the gradient of `conv` by its bias: the sum over images and pixels.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `conv`, before the activation
        (`activation_inputs`). float32 and float64 are kept; float16, bool and integers up to 16
        bits become float32, wider integers float64.
    n_threads : int, default=None
        OpenMP threads, as in `conv_kernel`.

    Returns
    -------
    out : ndarray of shape (out_channels,)
        The sums, of eight pixels in the dtype of the result and of these in double precision;
        the same bits for any number of threads.

    Raises
    ------
    ValueError
        If a shape or a number is wrong.
    TypeError
        If an argument is of the wrong kind, or the array does not hold real numbers.

    See Also
    --------
    conv_kernel : The gradient by the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.conv_bias(np.ones((2, 3, 3, 4)))
    array([18., 18., 18., 18.])
    """
    grads = check.batch_array("grad_output", grad_output)
    return pixel_sums(grads, check.threads(n_threads))


def conv_transpose_kernel(
    grad_output, images, kernel_size, *, stride=1, padding=0, dilation=1, groups=1,
    n_threads=None, out=None,
):
    """Compute the gradient of `conv_transpose` by its kernel.

    The transposed convolution is the adjoint of `conv`, so that this is `conv_kernel` with the
    two arrays in each other's place.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `conv_transpose`, before the activation; converted
        to the dtype of `images`. Its shape tells `output_padding` and `output_shape`.
    images : array-like of shape (n_images, height, width, in_channels)
        What `conv_transpose` was given, in the dtypes of `conv_kernel`.
    kernel_size : int or tuple of int
        Taps of the kernel along each axis.
    stride, padding, dilation, groups
        As in `conv_transpose`: those of the convolution that it transposes.
    n_threads : int, default=None
        OpenMP threads, as in `conv_kernel`.
    out : ndarray of shape (kernel_h, kernel_w, out_channels // groups, in_channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (kernel_h, kernel_w, out_channels // groups, in_channels)
        The gradient, the same bits for any number of threads; zero where there are no images.

    Raises
    ------
    ValueError
        If `images` has not the shape that `conv` with these settings gives for `grad_output`,
        or a number or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    conv_kernel : The gradient of the convolution that is transposed.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> signal = np.array([1.0, 2.0]).reshape(1, 2, 1)
    >>> grad.conv_transpose_kernel(np.ones((1, 5, 1)), signal, 3, stride=2)[:, 0, 0]
    array([3., 3., 3.])
    """
    images = check.batch_array("images", images)
    grads = check.gradient_array(
        "grad_output", grad_output, (len(images), *[None] * (images.ndim - 1)), images.dtype)
    if 0 in grads.shape[1:]:
        check.batch_array("grad_output", grads)
    return _kernel_gradient(
        "images", images, grads, kernel_size, stride, padding, "constant", dilation, groups,
        n_threads, out)


def conv_transpose_bias(grad_output, *, n_threads=None):
    """Compute the gradient of `conv_transpose` by its bias: the sum over images and pixels.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `conv_transpose`, before the activation.
    n_threads : int, default=None
        OpenMP threads, as in `conv_kernel`.

    Returns
    -------
    out : ndarray of shape (out_channels,)
        The sums, as `conv_bias` makes them.

    See Also
    --------
    conv_transpose_kernel : The gradient by the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.conv_transpose_bias(np.ones((2, 3, 2)))
    array([6., 6.])
    """
    return conv_bias(grad_output, n_threads=n_threads)


def _kernel_gradient(
    name, grads, images, kernel_size, stride, padding, padding_mode, dilation, groups, n_threads,
    out,
):
    """Return the gradient of the kernel of a convolution of `images`, which are checked.

    `name` is what the user calls the other array.
    """
    settings = (kernel_size, stride, padding, padding_mode, dilation, groups)
    if not check.are_literals(settings):
        settings = check.adjoint_settings("kernel_size", images.ndim - 2, *settings)
    n_threads = check.threads(n_threads)
    outputs = _output_size(images.shape[1:-1], settings)
    grads = check.gradient_array(name, grads, (len(images), *outputs, None), images.dtype)
    problem = _problem(images.shape[1:], grads.shape[-1], images.dtype.name, settings)
    shape = (*problem.kernel_size[3 - problem.rank:], problem.group_size, problem.out_channels)
    out = check.output_array(out, shape, images.dtype, images, grads)
    if len(images):
        sums = _depthwise_sums if _depthwise_sums.suits(problem) else _kernel_sums
        sums.run(problem, images, grads, out, n_threads)
    else:
        out[...] = 0
    return out


@lru_cache(maxsize=1024)
def _output_size(size, settings):
    """Return the size of the outputs, with settings as `conv` remembers them."""
    kernel_size, stride, padding, _, dilation, _ = check.adjoint_settings(
        "kernel_size", len(size), *settings)
    return output_size(size, kernel_size, stride=stride, padding=padding, dilation=dilation)


@lru_cache(maxsize=1024)
def _problem(image_shape, out_channels, dtype, settings):
    """Return the problem of the convolution, checked."""
    *size, in_channels = image_shape
    size = tuple(size)
    kernel_size, stride, padding, padding_mode, dilation, groups = check.adjoint_settings(
        "kernel_size", len(size), *settings)
    check.channel_groups(in_channels, out_channels, groups)
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    pads = padding_pairs(size, kernel_size, **window)
    check.addressable(size, pads, stride, dilation)
    check.countable((*kernel_size, in_channels // groups, out_channels), dtype)
    return ConvProblem(
        rank=len(size), image_size=three(size, 1), in_channels=in_channels,
        kernel_size=three(kernel_size, 1), out_channels=out_channels, groups=groups,
        stride=three(stride, 1), dilation=three(dilation, 1), padding=three(pads, (0, 0)),
        padding_mode=padding_mode, activation=None,
        output_size=three(output_size(size, kernel_size, **window), 1), dtype=dtype,
    )
