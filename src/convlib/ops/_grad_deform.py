"""Gradients of deformable convolution: check the call, allocate, run."""

import numpy as np

from convlib import _validation as check
from convlib.ops import _deform
from convlib.ops._statistics import pixel_sums
from convlib.ops.deform import problem_of, settled

__all__ = ["deform_conv_bias", "deform_conv_images", "deform_conv_kernel", "deform_conv_mask",
           "deform_conv_offsets"]


def deform_conv_images(
    grad_output, image_size, kernel, offsets, mask=None, *, stride=1, padding=0, dilation=1,
    groups=1, n_threads=None,
):
    """Compute the gradient of `deform_conv` by its images: the adjoint of sampling them.

    Each pixel gets what the taps that saw it send back, times the weights it had for them, in
    one order for any number of threads.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `deform_conv`, before the activation. float32 and
        float64 are kept; float16, bool and integers up to 16 bits become float32, wider
        integers float64.
    image_size : int or tuple of int
        Height and width of the images.
    kernel : array-like of shape (kernel_h, kernel_w, in_channels // groups, out_channels)
        Weights, converted to the dtype of `grad_output`, as the other arrays are.
    offsets : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w * 2)
        As in `deform_conv`. A point that is NaN sends nothing back.
    mask : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w), \
default=None
        As in `deform_conv`.
    stride, padding, dilation, groups
        As in `deform_conv`.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, in_channels)
        The gradient.

    Raises
    ------
    ValueError
        If an array has not the shape that `deform_conv` takes or gives for these settings, or
        a number is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    deform_conv_kernel, deform_conv_offsets, deform_conv_mask, deform_conv_bias : The others.

    Examples
    --------
    A tap half a pixel to the right sends half to each of two pixels:

    >>> import numpy as np
    >>> from convlib import grad
    >>> offsets = np.array([0.0, 0.5]).reshape(1, 1, 1, 2)
    >>> kernel = np.ones((1, 1, 1, 1))
    >>> flow = grad.deform_conv_images(np.ones((1, 1, 1, 1)), (1, 3), kernel, offsets, stride=3)
    >>> flow[0, 0, :, 0]
    array([0.5, 0.5, 0. ])
    """
    grads = check.images_array("grad_output", grad_output, 2)
    size = check.axis_ints("image_size", image_size, 2, 1)
    kernel = check.image_kernel("kernel", kernel)
    groups = check.integer("groups", groups, 1)
    shape = (*size, kernel.shape[2] * groups)
    problem, offsets, mask = _checked(
        grads, grads, shape, kernel.shape, offsets, mask, (stride, padding, dilation, groups))
    n_threads = check.threads(n_threads)
    kernel = np.ascontiguousarray(kernel, grads.dtype)
    out = check.output_array(None, (len(grads), *shape), grads.dtype)
    if out.size:
        _deform.grad_images(problem, grads, kernel, offsets, mask, out, n_threads)
    return out


def deform_conv_kernel(
    grad_output, images, kernel_size, offsets, mask=None, *, stride=1, padding=0, dilation=1,
    groups=1, n_threads=None,
):
    """Compute the gradient of `deform_conv` by its kernel.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `deform_conv`, before the activation; converted to
        the dtype of `images`, as the other arrays are.
    images : array-like of shape (n_images, height, width, in_channels)
        As in `deform_conv`.
    kernel_size : int or tuple of int
        Taps of the kernel along each axis.
    offsets : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w * 2)
        As in `deform_conv`.
    mask : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w), \
default=None
        As in `deform_conv`.
    stride, padding, dilation, groups
        As in `deform_conv`.
    n_threads : int, default=None
        OpenMP threads, as in `deform_conv_images`.

    Returns
    -------
    out : ndarray of shape (kernel_h, kernel_w, in_channels // groups, out_channels)
        The gradient, the same bits for any number of threads; zero where there are no images.

    Raises
    ------
    ValueError
        If an array has not the shape that `deform_conv` takes or gives for these settings, or
        a number is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    deform_conv_images, deform_conv_offsets, deform_conv_mask, deform_conv_bias : The others.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> image = np.array([0.0, 2.0, 4.0, 6.0]).reshape(1, 1, 4, 1)
    >>> offsets = np.tile([0.0, 0.5], (1, 1, 4, 1))
    >>> grad.deform_conv_kernel(np.ones((1, 1, 4, 1)), image, 1, offsets)[0, 0, 0]
    array([12.])
    """
    images = check.images_array("images", images, 2)
    grads = check.images_array("grad_output", grad_output, 2)
    kernel_size = check.axis_ints("kernel_size", kernel_size, 2, 1)
    groups = check.dividing_groups(images.shape[3], groups)
    shape = (*kernel_size, images.shape[3] // groups, grads.shape[3])
    problem, offsets, mask = _checked(
        grads, images, images.shape[1:], shape, offsets, mask, (stride, padding, dilation, groups))
    n_threads = check.threads(n_threads)
    out = check.output_array(None, shape, images.dtype)
    _deform.grad_kernel(problem, grads, images, offsets, mask, out, n_threads)
    return out


def deform_conv_offsets(
    grad_output, images, kernel, offsets, mask=None, *, stride=1, padding=0, dilation=1, groups=1,
    return_mask=False, n_threads=None,
):
    """Compute the gradient of `deform_conv` by its offsets.

    Between pixels it is the slope of the bilinear surface. On a pixel, where the surface has a
    kink, it is the slope after it, down and to the right.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `deform_conv`, before the activation; converted to
        the dtype of `images`, as the other arrays are.
    images : array-like of shape (n_images, height, width, in_channels)
        As in `deform_conv`.
    kernel : array-like of shape (kernel_h, kernel_w, in_channels // groups, out_channels)
        As in `deform_conv`.
    offsets : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w * 2)
        As in `deform_conv`. The gradient is zero far outside the image, and NaN where the
        offset is.
    mask : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w), \
default=None
        As in `deform_conv`.
    stride, padding, dilation, groups
        As in `deform_conv`.
    return_mask : bool, default=False
        Whether to return the gradient by the mask too, which takes hardly more time.
    n_threads : int, default=None
        OpenMP threads, as in `deform_conv_images`.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w * 2)
        The gradient.
    mask : ndarray of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w)
        What `deform_conv_mask` returns. Only with `return_mask`.

    Raises
    ------
    ValueError
        If an array has not the shape that `deform_conv` takes or gives for these settings, or
        a number is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    deform_conv_images, deform_conv_kernel, deform_conv_mask, deform_conv_bias : The others.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> image = np.array([0.0, 2.0, 4.0, 7.0]).reshape(1, 1, 4, 1)
    >>> offsets = np.tile([0.0, 0.5], (1, 1, 4, 1))
    >>> grad.deform_conv_offsets(np.ones((1, 1, 4, 1)), image, np.ones((1, 1, 1, 1)),
    ...                          offsets)[0, 0, :, 1]
    array([ 2.,  2.,  3., -7.])
    """
    return_mask = check.flag("return_mask", return_mask)
    images = check.images_array("images", images, 2)
    problem, grads, kernel, offsets, mask = _with_kernel(
        grad_output, images, kernel, offsets, mask, (stride, padding, dilation, groups))
    n_threads = check.threads(n_threads)
    out, of_mask = check.output_array(None, offsets.shape, images.dtype), None
    if return_mask:
        shape = (*offsets.shape[:3], problem.n_points)
        of_mask = check.output_array(None, shape, images.dtype)
    if out.size:
        _deform.grad_at_points(
            problem, grads, images, kernel, offsets, mask, out, of_mask, n_threads)
    return (out, of_mask) if return_mask else out


def deform_conv_mask(
    grad_output, images, kernel, offsets, *, stride=1, padding=0, dilation=1, groups=1,
    n_threads=None,
):
    """Compute the gradient of `deform_conv` by its mask, whatever the mask is.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `deform_conv`, before the activation; converted to
        the dtype of `images`, as the other arrays are.
    images : array-like of shape (n_images, height, width, in_channels)
        As in `deform_conv`.
    kernel : array-like of shape (kernel_h, kernel_w, in_channels // groups, out_channels)
        As in `deform_conv`.
    offsets : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w * 2)
        As in `deform_conv`.
    stride, padding, dilation, groups
        As in `deform_conv`.
    n_threads : int, default=None
        OpenMP threads, as in `deform_conv_images`.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w)
        The gradient.

    Raises
    ------
    ValueError
        If an array has not the shape that `deform_conv` takes or gives for these settings, or
        a number is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    deform_conv_images, deform_conv_kernel, deform_conv_offsets, deform_conv_bias : The others.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> image = np.array([0.0, 2.0, 4.0, 6.0]).reshape(1, 1, 4, 1)
    >>> offsets = np.tile([0.0, 0.5], (1, 1, 4, 1))
    >>> grad.deform_conv_mask(np.ones((1, 1, 4, 1)), image, np.ones((1, 1, 1, 1)),
    ...                       offsets)[0, 0, :, 0]
    array([1., 3., 5., 3.])
    """
    images = check.images_array("images", images, 2)
    problem, grads, kernel, offsets, _ = _with_kernel(
        grad_output, images, kernel, offsets, None, (stride, padding, dilation, groups))
    n_threads = check.threads(n_threads)
    out = check.output_array(None, (*offsets.shape[:3], problem.n_points), images.dtype)
    if out.size:
        _deform.grad_at_points(
            problem, grads, images, kernel, offsets, None, None, out, n_threads)
    return out


def deform_conv_bias(grad_output, *, n_threads=None):
    """Compute the gradient of `deform_conv` by its bias: the sum over images and pixels.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, out_channels)
        Gradient of a loss by the outputs of `deform_conv`, before the activation. Dtypes are
        treated as in `deform_conv_images`.
    n_threads : int, default=None
        OpenMP threads, as in `deform_conv_images`.

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
    deform_conv_images, deform_conv_kernel, deform_conv_offsets, deform_conv_mask : The others.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.deform_conv_bias(np.ones((2, 3, 3, 4)))
    array([18., 18., 18., 18.])
    """
    grads = check.images_array("grad_output", grad_output, 2)
    n_threads = check.threads(n_threads)
    return pixel_sums(grads, n_threads)


def _with_kernel(grad_output, images, kernel, offsets, mask, settings):
    """Return the problem and the other arrays of a call that has a kernel and images."""
    grads = check.images_array("grad_output", grad_output, 2)
    kernel = check.image_kernel("kernel", kernel)
    problem, offsets, mask = _checked(
        grads, images, images.shape[1:], kernel.shape, offsets, mask, settings)
    return problem, grads, np.ascontiguousarray(kernel, images.dtype), offsets, mask


def _checked(grads, leader, image_shape, kernel_shape, offsets, mask, settings):
    """Return the problem, offsets and mask; `leader` gives the number of images and the dtype."""
    problem = problem_of(image_shape, kernel_shape, leader.dtype, settled(*settings))
    shape = (len(leader), *problem.output_size[1:], problem.out_channels)
    check.same_shape("grad_output", grads, shape)
    offsets, mask, offset_groups = check.point_arrays(
        offsets, mask, shape[:3], kernel_shape[0] * kernel_shape[1], problem.in_channels)
    return _deform.DeformProblem(problem, offset_groups), offsets, mask
