"""Gradients of pooling: check the call, allocate, run."""

from functools import lru_cache
from math import prod

import numpy as np

from convlib import _validation as check
from convlib._native import pool_grad
from convlib._problem import five_axes
from convlib._terms import CALL_SECONDS, by_dtype
from convlib._threads import thread_count
from convlib.ops._windows import READ_BYTES, geometry
from convlib.ops.pool import GLOBAL_KINDS, _problem, _settings, global_pool, lp_pool, max_pool

__all__ = [
    "average_pool_images",
    "global_pool_images",
    "lp_pool_images",
    "max_pool_images",
    "max_unpool_pooled",
]

MAX_POOL = by_dtype(pool_grad.max_pool)
UNPOOL = by_dtype(pool_grad.unpool)
WINDOWS = by_dtype(pool_grad.windows)
NORM_SLOPES = by_dtype(pool_grad.norm_slopes)
NORM_VALUES = by_dtype(pool_grad.norm_values)
CENTERED = by_dtype(pool_grad.centered)

PLACE_CHANNELS = 16      # of a task that goes by places
POWER_SECONDS = 20e-9    # of a general power


def max_pool_images(grad_output, indices, image_size, *, n_threads=None, out=None):
    """Compute the gradient of `max_pool` by its images.

    Each value goes to the pixel that was the maximum of its window; a pixel that was the
    maximum of several windows gets their sum.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, channels)
        Gradient of a loss by the outputs of `max_pool`: of signals, images or volumes. float32
        and float64 are kept; float16, bool and integers up to 16 bits become float32, wider
        integers float64.
    indices : array-like of shape (n_images, out_h, out_w, channels)
        Places of the maxima, as ``max_pool(..., return_indices=True)`` returns them.
    image_size : int or tuple of int
        Size of the images along each spatial axis, without channels.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, channels)
        The gradient, the same bits for any number of threads.

    Raises
    ------
    ValueError
        If an index lies outside `image_size`, or a shape or a number is wrong.
    TypeError
        If `indices` are not integers, or an argument is of the wrong kind.

    See Also
    --------
    max_unpool_pooled : The gradient of the way back.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> signal = np.array([1.0, 5.0, 2.0, 3.0]).reshape(1, 4, 1)
    >>> maxima, indices = cl.max_pool(signal, 2, stride=1, return_indices=True)
    >>> cl.grad.max_pool_images(np.ones((1, 3, 1)), indices, 4)[0, :, 0]
    array([0., 2., 0., 1.])
    """
    grads = check.batch_array("grad_output", grad_output)
    size = check.axis_ints("image_size", image_size, grads.ndim - 2, 1)
    indices = check.index_array("indices", indices, grads.shape, prod(size), "image_size")
    n_threads = check.threads(n_threads)
    n_images, channels = len(grads), grads.shape[-1]
    out = check.output_array(out, (n_images, *size, channels), grads.dtype, grads, indices)
    if out.size:
        n_threads = _threads(n_threads, 4 * grads.nbytes + out.nbytes)
        n_parts = min(-(-channels // PLACE_CHANNELS), max(1, 4 * n_threads // n_images))
        MAX_POOL[grads.dtype](
            _by_values(grads), _by_values(indices), _by_values(out), n_parts, n_threads)
    return out


def max_unpool_pooled(grad_output, indices, *, n_threads=None, out=None):
    """Compute the gradient of `max_unpool` by its pooled values.

    Each value reads the gradient at its place. Of several values for one pixel only the last in
    row-major order stood there; the others get zero.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, height, width, channels)
        Gradient of a loss by the outputs of `max_unpool`, in the dtypes of `max_pool_images`.
    indices : array-like of shape (n_images, out_h, out_w, channels)
        The places that `max_unpool` was given.
    n_threads : int, default=None
        OpenMP threads, as in `max_pool_images`.
    out : ndarray of shape (n_images, out_h, out_w, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, channels)
        The gradient.

    Raises
    ------
    ValueError
        If an index lies outside the images, or a shape or a number is wrong.
    TypeError
        If `indices` are not integers, or an argument is of the wrong kind.

    See Also
    --------
    max_pool_images : The gradient of `max_pool`.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> places = np.array([1, 3]).reshape(1, 2, 1)
    >>> grad.max_unpool_pooled(np.arange(4.0).reshape(1, 4, 1), places)[0, :, 0]
    array([1., 3.])
    """
    grads = check.batch_array("grad_output", grad_output)
    n_images, *size, channels = grads.shape
    shape = np.shape(indices)
    if len(shape) != grads.ndim or (shape[0], shape[-1]) != (n_images, channels):
        shape = (n_images, *["*"] * len(size), channels)
    indices = check.index_array("indices", indices, shape, prod(size), "grad_output")
    n_threads = check.threads(n_threads)
    out = check.output_array(out, indices.shape, grads.dtype, grads, indices)
    if out.size:
        width = min(channels, PLACE_CHANNELS)
        n_threads = _threads(n_threads, 8 * out.nbytes + grads.nbytes)
        n_threads = min(n_threads, n_images * -(-channels // width))
        UNPOOL[grads.dtype](
            _by_values(grads), _by_values(indices), _by_values(out), width,
            np.empty((n_threads, prod(size) * width), np.uint8))
    return out


def average_pool_images(
    grad_output, image_size, size, *, stride=None, padding=0, dilation=1, ceil_mode=False,
    count_include_pad=True, n_threads=None, out=None,
):
    """Compute the gradient of `average_pool` by its images.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, channels)
        Gradient of a loss by the outputs of `average_pool`, in the dtypes of `max_pool_images`.
    image_size : int or tuple of int
        Size of the images along each spatial axis, without channels.
    size, stride, padding, dilation, ceil_mode, count_include_pad
        As in `average_pool`.
    n_threads : int, default=None
        OpenMP threads, as in `max_pool_images`.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, channels)
        The gradient, the same bits for any number of threads.

    Raises
    ------
    ValueError
        If `grad_output` has not the shape that `average_pool` gives for these settings, or a
        number is wrong.
    TypeError
        If an argument is of the wrong kind, or the array does not hold real numbers.

    See Also
    --------
    global_pool_images : The gradient of one window over the whole image.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.average_pool_images(np.ones((1, 2, 1)), 4, 3, stride=1)[0, :, 0] * 3
    array([1., 2., 2., 1.])
    """
    include = check.flag("count_include_pad", count_include_pad)
    grads = check.batch_array("grad_output", grad_output)
    image_size = check.axis_ints("image_size", image_size, grads.ndim - 2, 1)
    problem = _window_problem(
        image_size, size, stride, padding, dilation, ceil_mode, "mean", 1.0, include, grads.dtype)
    n_threads = check.threads(n_threads)
    shape = (len(grads), *problem.output_size[3 - problem.rank:], grads.shape[-1])
    grads = check.gradient_array("grad_output", grads, shape)
    out = check.output_array(
        out, (len(grads), *image_size, grads.shape[-1]), grads.dtype, grads)
    _add_windows(problem, grads, out, n_threads)
    return out


def lp_pool_images(
    grad_output, images, size, *, p=2, stride=None, padding=0, dilation=1, ceil_mode=False,
    n_threads=None, out=None,
):
    """Compute the gradient of `lp_pool` by its images.

    A pixel x gets ``sign(x) * abs(x) ** (p - 1)`` times the sum of ``grad * norm ** (1 - p)``
    over its windows. Where a pixel or a norm is zero the slope counts as zero.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, out_h, out_w, channels)
        Gradient of a loss by the outputs of `lp_pool`; converted to the dtype of `images`.
    images : array-like of shape (n_images, height, width, channels)
        What was pooled, in the dtypes of `max_pool_images`; the norms are computed again.
    size, p, stride, padding, dilation, ceil_mode
        As in `lp_pool`.
    n_threads : int, default=None
        OpenMP threads, as in `max_pool_images`.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, channels)
        The gradient, the same bits for any number of threads.

    Raises
    ------
    ValueError
        If `grad_output` has not the shape that `lp_pool` gives for these settings, or a number
        is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    average_pool_images : The gradient of means.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.lp_pool_images(np.ones((1, 1, 1)), [[[3.0], [-4.0]]], 2)[0, :, 0]
    array([ 0.6, -0.8])
    """
    images = check.batch_array("images", images)
    p = check.positive_number("p", p)
    problem = _window_problem(
        images.shape[1:-1], size, stride, padding, dilation, ceil_mode, "norm", p, True,
        images.dtype)
    n_threads = check.threads(n_threads)
    shape = (len(images), *problem.output_size[3 - problem.rank:], images.shape[-1])
    grads = check.gradient_array("grad_output", grad_output, shape, images.dtype)
    out = check.output_array(out, images.shape, images.dtype, grads, images)
    if not out.size:
        return out
    dtype = images.dtype.name
    norms = lp_pool(images, size, p=p, stride=stride, padding=padding, dilation=dilation,
                    ceil_mode=ceil_mode, n_threads=n_threads)
    slopes = np.array(grads, order="C")
    general = POWER_SECONDS * READ_BYTES * (p not in (1, 2)) / images.itemsize
    NORM_SLOPES[dtype](slopes.reshape(-1), norms.reshape(-1), p,
                       _threads(n_threads, (3 + general) * slopes.nbytes))
    _add_windows(problem, slopes, out, n_threads)
    NORM_VALUES[dtype](five_axes(images), five_axes(out), p,
                       _threads(n_threads, (3 + general) * out.nbytes))
    return out


def global_pool_images(grad_output, images, kind, keepdims=False, *, n_threads=None, out=None):
    """Compute the gradient of `global_pool` by its images.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, channels)
        Gradient of a loss by the outputs of `global_pool`, or (n_images, 1, 1, channels) with
        `keepdims`; converted to the dtype of `images`.
    images : array-like of shape (n_images, height, width, channels)
        What was pooled, in the dtypes of `max_pool_images`.
    kind : {'max', 'mean', 'min', 'std', 'ppv'}
        The statistic. That of 'max' and 'min' goes to the first pixel that holds it, or the
        first NaN; 'ppv' counts, and has no slope but zero; nor has 'std' where all pixels are
        equal.
    keepdims : bool, default=False
        As in `global_pool`.
    n_threads : int, default=None
        OpenMP threads, as in `max_pool_images`.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from the other arguments.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, channels)
        The gradient, the same bits for any number of threads.

    Raises
    ------
    ValueError
        If `kind` is unknown, or a shape or a number is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    average_pool_images, max_pool_images : The gradients of windows.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.global_pool_images([[1.0]], [[[2.0], [7.0], [3.0]]], "max")[0, :, 0]
    array([0., 1., 0.])
    """
    kind = check.choice("kind", kind, GLOBAL_KINDS)
    keepdims = check.flag("keepdims", keepdims)
    images = check.batch_array("images", images)
    n_images, *size, channels = images.shape
    shape = (n_images, *(1 for _ in size if keepdims), channels)
    grads = check.gradient_array("grad_output", grad_output, shape, images.dtype)
    n_threads = check.threads(n_threads)
    out = check.output_array(out, images.shape, images.dtype, grads, images)
    grads = grads.reshape(n_images, channels)
    if not out.size:
        return out
    if kind in ("max", "min"):
        _to_extremes(grads, images, kind, n_threads, out)
    elif kind == "std":
        _to_deviations(grads, images, n_threads, out)
    else:
        share = grads / prod(size) if kind == "mean" else np.zeros_like(grads)
        out[...] = share.reshape(n_images, *(1 for _ in size), channels)
    return out


def _to_extremes(grads, images, kind, n_threads, out):
    """Write the gradient of maxima or minima; image by image, since minima need a copy."""
    size = images.shape[1:-1]
    place = (1,) * len(size)
    for image, values, target in zip(images, grads, out):
        image = (image if kind == "max" else -image)[np.newaxis]
        _, indices = max_pool(image, size, return_indices=True, n_threads=n_threads)
        max_pool_images(values.reshape(1, *place, -1), indices, size, n_threads=n_threads,
                        out=target[np.newaxis])


def _to_deviations(grads, images, n_threads, out):
    """Write the gradient of standard deviations."""
    wide = grads.astype(float)
    means, deviations = (
        global_pool(images, kind, n_threads=n_threads).astype(float) for kind in ("mean", "std"))
    with np.errstate(all="ignore"):
        slopes = wide / (deviations * prod(images.shape[1:-1]))
    slopes[deviations == 0] = 0
    CENTERED[images.dtype](
        five_axes(images), means, slopes, five_axes(out), _threads(n_threads, 3 * out.nbytes))


def _window_problem(
    image_size, size, stride, padding, dilation, ceil_mode, kind, p, include, dtype,
):
    """Return the checked problem of pooling."""
    ceil_mode = check.flag("ceil_mode", ceil_mode)
    settings = (size, stride, padding, dilation)
    if not check.are_literals(settings):
        settings = _settings(len(image_size), *settings, ceil_mode)[:-1]
    return _remembered(tuple(image_size), dtype.name, settings, ceil_mode, kind, p, include)


@lru_cache(maxsize=1024)
def _remembered(image_size, dtype, settings, ceil_mode, kind, p, include):
    """Return the problem of a call, with settings as `conv` remembers them."""
    settings = _settings(len(image_size), *settings, ceil_mode)
    return _problem(image_size, dtype, settings, kind, p, include)


def _add_windows(problem, grads, out, n_threads):
    """Write to each pixel the sum of what its windows hand to it."""
    if not out.size:
        return
    n_bytes = grads.nbytes * (prod(problem.size[:2]) + problem.size[2]) + out.nbytes
    n_threads = _threads(n_threads, n_bytes)
    axes = geometry(problem, (0, 0, 0), (0, 0, 0), (1, 1, 1), 1)
    line = problem.output_size[2] * grads.shape[-1]
    WINDOWS[problem.dtype](
        five_axes(np.ascontiguousarray(grads)), five_axes(out), axes, problem.kind == "mean",
        np.empty((n_threads, line), grads.dtype))


def _by_values(array):
    """Return an array as (n_images, values, channels)."""
    return array.reshape(len(array), -1, array.shape[-1])


def _threads(n_threads, n_bytes):
    """Return the threads for work of so many bytes."""
    return thread_count(n_threads, CALL_SECONDS + n_bytes / READ_BYTES)
