"""Transposed convolution: check the call, choose between phases, allocate, run."""

from functools import lru_cache

import numpy as np

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._native import cpu
from convlib._problem import five_axes, three
from convlib.ops._phases import TransposeProblem, choose_way, kernel_rank_of
from convlib.shapes import padding_pairs, transpose_output_size

__all__ = ["conv_transpose"]


@takes_dask("images")
def conv_transpose(
    images, kernel, bias=None, *, stride=1, padding=0, output_padding=0, output_shape=None,
    dilation=1, groups=1, activation=None, n_threads=None, out=None,
):
    """Apply the adjoint of a convolution: every pixel adds its multiple of the kernel.

    Pixel ``(p, q)`` of an image adds ``kernel @ images[n, p, q]`` to the outputs from row
    ``p * stride_h`` and column ``q * stride_w`` on, before the padding is cut off. It is what
    `conv` with this kernel and these settings does, transposed: for all ``x`` and ``y`` of
    fitting shapes ``sum(conv(x, k) * y) == sum(x * conv_transpose(y, k))``. With a stride the
    outputs are more than the inputs. The rank of the kernel tells signals (one spatial axis),
    images (two) and volumes (three) apart; the shapes below are those of images.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, in_channels)
        Channels last, in any memory order. float32 and float64 are kept; float16, bool and
        integers up to 16 bits are computed in float32, wider integers in float64.
    kernel : array-like of shape (kernel_h, kernel_w, out_channels // groups, in_channels)
        Weights of the convolution that is transposed, converted to the dtype of `images`.
    bias : array-like of shape (out_channels,), default=None
        Added to every output pixel.
    stride : int or tuple of int, default=1
        That of the convolution that is transposed: outputs between those where neighbouring
        pixels begin.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        That of the convolution that is transposed. So many outputs are cut off before and
        after each axis; 'same' gives `output_shape`, or ``size * stride`` outputs.
    output_padding : int or tuple of int, default=0
        Outputs added at the end, fewer than `stride`; 0 with 'same' or `output_shape`.
    output_shape : int or tuple of int, default=None
        The spatial size of the result: one that the convolution turns into the images' size.
    dilation : int or tuple of int, default=1
        Outputs between neighbouring taps of the kernel.
    groups : int, default=1
        Independent convolutions into which the channels are split.
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
        ``out_h = (height - 1) * stride_h - top - bottom + dilation_h * (kernel_h - 1) +
        output_padding_h + 1``, or that of `output_shape`.

    Raises
    ------
    ValueError
        If shapes and channels do not agree, `output_shape` is impossible (the message lists
        the possible ones), padding leaves no output, or the result has more bytes than an
        address can tell.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    conv : The convolution that is transposed.
    convlib.shapes.transpose_output_size : The size of the result.

    Notes
    -----
    An output sees the taps of its phase, its place modulo the stride. Where the stride does not
    divide the kernel, phases see unequal numbers of taps, and even images come out as
    checkerboards [2]_.

    References
    ----------
    .. [1] M. Zeiler, D. Krishnan, G. Taylor, R. Fergus, "Deconvolutional Networks", CVPR 2010.
    .. [2] A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts",
       Distill, 2016.
    .. [3] W. Shi, J. Caballero, L. Theis, F. Huszar, A. Aitken, C. Ledig, Z. Wang, "Is the
       deconvolution layer the same as a convolutional layer?", arXiv:1609.07009 (phases).

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.conv_transpose(np.ones((1, 2, 2, 1)), np.ones((3, 3, 1, 1)), stride=2)[0, :, :, 0]
    array([[1., 1., 2., 1., 1.],
           [1., 1., 2., 1., 1.],
           [2., 2., 4., 2., 2.],
           [1., 1., 2., 1., 1.],
           [1., 1., 2., 1., 1.]])
    """
    kernel = check.transposed_kernel_array("kernel", kernel)
    rank = kernel.ndim - 2
    settings = (stride, padding, output_padding, output_shape, dilation, groups, activation)
    if not check.are_literals(settings):
        settings = _settings(rank, *settings)
    images = check.images_array("images", images, rank)
    problem = transpose_problem(images.shape[1:], kernel.shape, images.dtype, settings)
    n_threads = check.threads(n_threads)
    bias = check.bias_vector(bias, problem.out_channels, images.dtype)
    shape = (len(images), *problem.output_size[3 - rank:], problem.out_channels)
    out = check.output_array(out, shape, images.dtype, images, kernel, bias)
    kernel = np.ascontiguousarray(kernel, images.dtype)
    if out.size:
        way = choose_way(problem, kernel_rank_of(problem, kernel), cpu.tier())
        way.run(five_axes(images), kernel, bias, five_axes(out), n_threads)
    return out


def _settings(rank, stride, padding, output_padding, output_shape, dilation, groups, activation):
    """Return the checked settings, one value per axis."""
    return (
        check.axis_ints("stride", stride, rank, 1),
        check.padding_spec(padding, rank),
        check.axis_ints("output_padding", output_padding, rank, 0),
        None if output_shape is None else check.axis_ints("output_shape", output_shape, rank, 1),
        check.axis_ints("dilation", dilation, rank, 1),
        check.integer("groups", groups, 1),
        check.choice("activation", activation, (None, *check.ACTIVATIONS)),
    )


@lru_cache(maxsize=1024)
def transpose_problem(image_shape, kernel_shape, dtype, settings):
    """Return the `TransposeProblem` of a call, with settings as `conv` remembers them."""
    *size, in_channels = image_shape
    *kernel_size, group_out, kernel_channels = kernel_shape
    rank = len(size)
    settings = _settings(rank, *settings)
    stride, padding, output_padding, output_shape, dilation, groups, activation = settings
    check.transposed_groups_fit(in_channels, kernel_channels, groups)
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    outputs = transpose_output_size(
        tuple(size), kernel_size, output_padding=output_padding, output_shape=output_shape,
        **window)
    pads = padding_pairs(outputs, kernel_size, **window)
    check.addressable(outputs, pads, stride, dilation)
    return TransposeProblem(
        rank=rank, image_size=three(size, 1), in_channels=in_channels,
        kernel_size=three(kernel_size, 1), out_channels=group_out * groups, groups=groups,
        stride=three(stride, 1), dilation=three(dilation, 1),
        before=three([before for before, _ in pads], 0), output_size=three(outputs, 1),
        activation=activation, dtype=dtype.name)
