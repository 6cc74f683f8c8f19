"""Windows of images as rows of a matrix, and the adjoint that adds them back."""

from math import prod
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._native import patches
from convlib._problem import five_axes, three
from convlib._terms import COPIED_BYTES, MODE_CODES
from convlib._threads import thread_count
from convlib.shapes import output_size, padding_pairs

__all__ = ["col2im", "im2col"]

BLOCK_BYTES = 256 * 1024    # of columns in a task


@takes_dask("images")
def im2col(
    images, size, *, stride=1, padding=0, padding_mode="constant", dilation=1, n_threads=None,
    out=None,
):
    """Write every window of images, signals or volumes as one row of values.

    The values of a window are ordered by tap, and within a tap by channel, as a kernel is:
    ``im2col(images, size) @ kernel.reshape(-1, out_channels)`` is ``conv(images, kernel)``.
    `conv` itself never makes these rows, which hold each pixel once per tap: use them for what
    is no convolution, such as learning from patches.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        Channels last, in any memory order, with 1 to 3 spatial axes. float32 and float64 are
        kept; float16, bool and integers up to 16 bits become float32, wider integers float64.
    size : int or tuple of int
        Taps of a window along each axis.
    stride : int or tuple of int, default=1
        Pixels between neighbouring windows, along each axis.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        Pixels added before and after each axis. 'valid' adds none; 'same' gives
        ``ceil(size / stride)`` windows, and when the total is odd, the extra pixel comes last.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='constant'
        What those pixels hold, as in `numpy.pad`; 'constant' is zero.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring taps.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray of shape (n_images, out_h, out_w, prod(size) * channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `images`.

    Returns
    -------
    columns : ndarray of shape (n_images, out_h, out_w, prod(size) * channels)
        The windows, as many along each axis as `convlib.shapes.output_size` tells.

    Raises
    ------
    ValueError
        If no window fits, a number or a shape is wrong, or the result has more bytes than an
        address can tell.
    TypeError
        If an argument is of the wrong kind, or `images` does not hold real numbers.

    See Also
    --------
    col2im : Its adjoint.
    conv : The product of windows and kernels, without the rows in between.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.im2col(np.array([[[1.0], [2.0], [3.0], [4.0]]]), 3)
    array([[[1., 2., 3.],
            [2., 3., 4.]]])
    """
    images = check.batch_array("images", images)
    windows = _windows(images.shape[1:-1], size, stride, padding, padding_mode, dilation)
    n_threads = check.threads(n_threads)
    shape = (len(images), *windows.output_size, windows.n_taps * images.shape[-1])
    out = check.output_array(out, shape, images.dtype, images)
    _run(patches.im2col, windows, five_axes(images), five_axes(out), out, n_threads)
    return out


@takes_dask("images")
def col2im(
    columns, image_size, size, *, stride=1, padding=0, padding_mode="constant", dilation=1,
    n_threads=None,
):
    """Add the rows that `im2col` makes of images back to the pixels they come from.

    This is the adjoint of `im2col` with the same settings, not its inverse: a pixel gets the
    sum over all windows that hold it, and what stands in the padding goes to the pixel that
    `padding_mode` copies there.

    Parameters
    ----------
    columns : array-like of shape (n_images, out_h, out_w, prod(size) * channels)
        Values of the windows, by tap and then by channel, in any memory order. Dtypes are
        treated as in `im2col`.
    image_size : int or tuple of int
        Size of the images along each spatial axis, without channels.
    size : int or tuple of int
        Taps of a window along each axis.
    stride, padding, padding_mode, dilation, n_threads
        As in `im2col`.

    Returns
    -------
    images : ndarray of shape (n_images, height, width, channels)
        The sums, the same for any number of threads.

    Raises
    ------
    ValueError
        If `columns` has another shape than `im2col` gives for these settings, no window fits,
        or a number is wrong.
    TypeError
        If an argument is of the wrong kind, or `columns` does not hold real numbers.

    See Also
    --------
    im2col : Write the windows of images as rows.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.col2im(np.ones((1, 2, 3)), 4, 3)[0, :, 0]
    array([1., 2., 2., 1.])
    """
    columns = check.batch_array("columns", columns, "prod(size) * channels")
    image_size = check.axis_ints("image_size", image_size, columns.ndim - 2, 1)
    windows = _windows(image_size, size, stride, padding, padding_mode, dilation)
    channels = check.column_channels(columns, windows.output_size, windows.n_taps)
    n_threads = check.threads(n_threads)
    shape = (len(columns), *image_size, channels)
    images = check.output_array(None, shape, columns.dtype)
    _run(patches.col2im, windows, five_axes(columns), five_axes(images), columns, n_threads)
    return images


class _Windows(NamedTuple):
    """The checked settings of a call."""

    output_size: tuple
    n_taps: int
    geometry: np.ndarray    # stride, dilation, padding before and taps of each axis, for C
    mode: int


def _windows(image_size, size, stride, padding, padding_mode, dilation):
    rank = len(image_size)
    size = check.axis_ints("size", size, rank, 1)
    form = {
        "stride": check.axis_ints("stride", stride, rank, 1),
        "padding": check.padding_spec(padding, rank),
        "dilation": check.axis_ints("dilation", dilation, rank, 1),
    }
    mode = check.choice("padding_mode", padding_mode, check.PADDING_MODES)
    outputs = output_size(image_size, size, **form)
    pads = padding_pairs(image_size, size, **form)
    check.addressable(image_size, pads, form["stride"], form["dilation"])
    before = tuple(pair[0] for pair in pads)
    axes = three(form["stride"], 1), three(form["dilation"], 1), three(before, 0), three(size, 1)
    geometry = np.array(axes, dtype=np.intp).T.copy()
    return _Windows(outputs, prod(size), geometry, MODE_CODES[mode])


def _run(kernel, windows, source, target, columns, n_threads):
    """Run a kernel in tasks of about BLOCK_BYTES; `columns` is one of the other two."""
    if not target.size:
        return
    n_bytes = columns.size * columns.itemsize
    block = max(1, BLOCK_BYTES // (columns.shape[-1] * columns.itemsize))
    n_tasks = prod(target.shape[:3]) * -(-target.shape[3] // block)
    n_threads = thread_count(n_threads, n_bytes / COPIED_BYTES, n_tasks)
    kernel(source, target, windows.geometry, windows.mode, block, n_threads)
