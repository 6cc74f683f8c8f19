"""Deformable convolution: check the call, allocate, run."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._problem import ConvProblem, three
from convlib.ops import _deform
from convlib.shapes import output_size, padding_pairs

__all__ = ["deform_conv"]


@takes_dask("images")
def deform_conv(
    images, kernel, offsets, mask=None, bias=None, *, stride=1, padding=0, dilation=1, groups=1,
    activation=None, n_threads=None, out=None,
):
    """Correlate images with kernels whose taps look where offsets send them.

    A tap that `conv` lays on pixel ``(y, x)`` reads the image at ``(y + dy, x + dx)`` instead,
    between pixels by bilinear interpolation and times the mask, if there is one. Offsets are an
    array with a pair for every tap of every output, so that each window has a shape of its own;
    as a rule they come from a convolution of the same images. Pixels outside the image are
    zero: a point less than one pixel outside still sees the border.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, in_channels)
        Channels last, in any memory order. float32 and float64 are kept; float16, bool and
        integers up to 16 bits are computed in float32, wider integers in float64.
    kernel : array-like of shape (kernel_h, kernel_w, in_channels // groups, out_channels)
        Weights, converted to the dtype of `images`.
    offsets : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w * 2)
        Pixels to add to the position of each tap, each pair (down, across), converted to the
        dtype of `images`. The number of offset groups follows from the shape: the channels are
        shared out among them in order. They may have any size; far outside, taps see zeros.
    mask : array-like of shape (n_images, out_h, out_w, offset_groups * kernel_h * kernel_w), \
default=None
        Factors of what the taps see, converted to the dtype of `images`. None is all ones.
    bias : array-like of shape (out_channels,), default=None
        Added to every output pixel.
    stride : int or tuple of int, default=1
        Pixels between neighbouring windows, along each axis.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        Pixels added before and after each axis, of zeros. 'valid' adds none; 'same' gives
        ``ceil(size / stride)`` outputs, and when the total is odd, the extra pixel comes last.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring kernel taps, before the offsets.
    groups : int, default=1
        Independent convolutions into which the channels are split, apart from offset groups.
    activation : {None, 'relu', 'relu6', 'leaky_relu', 'abs', 'square', 'sigmoid', 'tanh'}, \
default=None
        Function applied to every output; the slope of 'leaky_relu' is 0.01.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray of shape (n_images, out_h, out_w, out_channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, out_channels)
        ``out_h = (height + top + bottom - dilation_h * (kernel_h - 1) - 1) // stride_h + 1``.
        Outputs one of whose offsets or factors is NaN are NaN, and a NaN of the images reaches
        only the outputs that see its pixel.

    Raises
    ------
    ValueError
        If shapes, channels and groups do not agree, or the dilated kernel is larger than the
        padded image.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    conv : The same with taps in their places.

    References
    ----------
    .. [1] J. Dai, H. Qi, Y. Xiong, Y. Li, G. Zhang, H. Hu and Y. Wei, "Deformable Convolutional
       Networks", arXiv:1703.06211.
    .. [2] X. Zhu, H. Hu, S. Lin and J. Dai, "Deformable ConvNets v2: More Deformable, Better
       Results", arXiv:1811.11168 (the mask).

    Examples
    --------
    A kernel of one tap that looks half a pixel to the right:

    >>> import numpy as np
    >>> import convlib as cl
    >>> image = np.array([0.0, 2.0, 4.0, 6.0]).reshape(1, 1, 4, 1)
    >>> offsets = np.tile([0.0, 0.5], (1, 1, 4, 1))
    >>> cl.deform_conv(image, np.ones((1, 1, 1, 1)), offsets)[0, 0, :, 0]
    array([1., 3., 5., 3.])
    """
    kernel = check.image_kernel("kernel", kernel)
    images = check.images_array("images", images, 2)
    settings = settled(stride, padding, dilation, groups, activation)
    problem = problem_of(images.shape[1:], kernel.shape, images.dtype, settings)
    n_threads = check.threads(n_threads)
    shape = (len(images), *problem.output_size[1:], problem.out_channels)
    offsets, mask, offset_groups = check.point_arrays(
        offsets, mask, shape[:3], kernel.shape[0] * kernel.shape[1], problem.in_channels)
    bias = check.bias_vector(bias, problem.out_channels, images.dtype)
    others = [array for array in (images, kernel, bias, offsets, mask) if array is not None]
    out = check.output_array(out, shape, images.dtype, *others)
    kernel = np.ascontiguousarray(kernel, images.dtype)
    if out.size:
        problem = _deform.DeformProblem(problem, offset_groups)
        _deform.run(problem, images, kernel, bias, offsets, mask, out, n_threads)
    return out


class _Settings(NamedTuple):
    """The checked settings of a call, one value per axis."""

    stride: tuple
    padding: tuple | str
    dilation: tuple
    groups: int
    activation: str | None


def settled(stride, padding, dilation, groups, activation=None):
    """Return the checked settings."""
    return _Settings(
        check.axis_ints("stride", stride, 2, 1),
        check.padding_spec(padding, 2),
        check.axis_ints("dilation", dilation, 2, 1),
        check.integer("groups", groups, 1),
        check.choice("activation", activation, (None, *check.ACTIVATIONS)),
    )


@lru_cache(maxsize=1024)
def problem_of(image_shape, kernel_shape, dtype, settings):
    """Return the `ConvProblem` with these settings; they are checked, the shapes are not yet."""
    *size, in_channels = image_shape
    *kernel_size, group_size, out_channels = kernel_shape
    size, kernel_size = tuple(size), tuple(kernel_size)
    check.groups_fit(in_channels, group_size, out_channels, settings.groups)
    window = {"stride": settings.stride, "padding": settings.padding,
              "dilation": settings.dilation}
    outputs = output_size(size, kernel_size, **window)
    pads = padding_pairs(size, kernel_size, **window)
    check.addressable(size, pads, settings.stride, settings.dilation)
    return ConvProblem(
        rank=2, image_size=three(size, 1), in_channels=in_channels,
        kernel_size=three(kernel_size, 1), out_channels=out_channels, groups=settings.groups,
        stride=three(settings.stride, 1), dilation=three(settings.dilation, 1),
        padding=three(pads, (0, 0)), padding_mode="constant", activation=settings.activation,
        output_size=three(outputs, 1), dtype=dtype.name,
    )
