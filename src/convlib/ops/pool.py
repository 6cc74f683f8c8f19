"""Pooling: check the call, allocate, run."""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._native import cpu
from convlib._problem import five_axes, three
from convlib.ops._statistics import CODES, GlobalState
from convlib.ops._windows import Layout, PoolProblem, launch, lay_out, run_indices, unpool
from convlib.shapes import output_size, padding_pairs

__all__ = ["average_pool", "global_pool", "lp_pool", "max_pool", "max_unpool"]

# What estimators can pool by. Strips of rows go through `run`, with a `window_problem`, and
# through a `GlobalState`.
WINDOW_KINDS = ("max", "mean", "lp")
GLOBAL_KINDS = tuple(CODES)


@takes_dask("images")
def max_pool(
    images, size, *, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False,
    n_threads=None, out=None,
):
    """Take the maximum of each window of images, signals or volumes.

    Channels are pooled one by one. Pixels of the padding never win; NaN does. The number of
    axes of `images` tells signals (one spatial axis), images (two) and volumes (three) apart;
    the shapes below are those of images.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        Channels last, in any memory order. float32 and float64 are kept; float16, bool and
        integers up to 16 bits become float32, wider integers float64.
    size : int or tuple of int
        Pixels of a window along each axis.
    stride : int or tuple of int, default=None
        Pixels between neighbouring windows. None means `size`: windows side by side.
    padding : {'valid', 'same'}, int, tuple of int or of (int, int), default=0
        Pixels added before and after each axis. 'valid' adds none; 'same' gives
        ``ceil(size / stride)`` windows, and when the total is odd, the extra pixel comes last.
    dilation : int or tuple of int, default=1
        Pixels between neighbouring taps of a window.
    ceil_mode : bool, default=False
        Whether a last window may reach past the padded image; it must start in the image or
        in the padding before it.
    return_indices : bool, default=False
        Whether to return where the maxima stand, too.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray of shape (n_images, out_h, out_w, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `images`.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, channels)
        The sizes are those of `shapes.output_size`.
    indices : ndarray of shape (n_images, out_h, out_w, channels)
        Places as int64, flat over the spatial axes of one image and channel:
        ``row * width + column``. The first of equal maxima, the first NaN. Only with
        `return_indices`.

    Raises
    ------
    ValueError
        If no window fits, a window would lie in the padding alone, or a shape or a number is
        wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    max_unpool : Put maxima back to where they were.
    global_pool : One window over the whole image.

    References
    ----------
    .. [1] D. Scherer, A. Mueller and S. Behnke, "Evaluation of Pooling Operations in
       Convolutional Architectures for Object Recognition", ICANN 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> image = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> cl.max_pool(image, 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return_indices = check.flag("return_indices", return_indices)
    images, plan = _checked(images, size, stride, padding, dilation, ceil_mode, "max")
    if not return_indices:
        return _pooled(images, plan, n_threads, out)
    n_threads = check.threads(n_threads)
    shape = (len(images), *plan.shape)
    out = check.output_array(out, shape, images.dtype, images)
    check.countable(shape, np.int64)
    indices = np.empty(shape, np.int64)
    if out.size:
        run_indices(plan.problem, images, out, indices, n_threads)
    return out, indices


@takes_dask("images")
def average_pool(
    images, size, *, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=True,
    n_threads=None, out=None,
):
    """Take the mean of each window of images, signals or volumes.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        As in `max_pool`.
    size, stride, padding, dilation, ceil_mode
        As in `max_pool`; pixels of the padding are zero.
    count_include_pad : bool, default=True
        Whether the zeros of the padding count. If not, the sum is divided by the pixels of the
        image in the window. What a last window of `ceil_mode` has beyond the padding never
        counts.
    n_threads : int, default=None
        OpenMP threads, as in `max_pool`.
    out : ndarray of shape (n_images, out_h, out_w, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `images`.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, channels)
        The sizes are those of `shapes.output_size`.

    Raises
    ------
    ValueError
        If no window fits, a window without `count_include_pad` would lie in the padding alone,
        or a shape or a number is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    global_pool : One window over the whole image.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.average_pool(np.arange(6.0).reshape(1, 6, 1), 3)[0, :, 0]
    array([1., 4.])
    """
    include = check.flag("count_include_pad", count_include_pad)
    settings = (size, stride, padding, dilation, ceil_mode)
    images, plan = _checked(images, *settings, "mean", count_include_pad=include)
    return _pooled(images, plan, n_threads, out)


@takes_dask("images")
def lp_pool(
    images, size, *, p=2, stride=None, padding=0, dilation=1, ceil_mode=False, n_threads=None,
    out=None,
):
    """Take the p-norm of each window: ``sum(abs(x) ** p) ** (1 / p)``.

    Between the sum (p = 1) and, for large p, the maximum of the magnitudes. Powers are not
    rescaled: they overflow and vanish as those of the dtype do.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        As in `max_pool`.
    size : int or tuple of int
        Pixels of a window along each axis.
    p : float, default=2
        Exponent, above 0. 1 and 2 are fast.
    stride, padding, dilation, ceil_mode
        As in `max_pool`; pixels of the padding are zero.
    n_threads : int, default=None
        OpenMP threads, as in `max_pool`.
    out : ndarray of shape (n_images, out_h, out_w, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `images`.

    Returns
    -------
    out : ndarray of shape (n_images, out_h, out_w, channels)
        The sizes are those of `shapes.output_size`.

    Raises
    ------
    ValueError
        If no window fits, or a shape or a number is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    average_pool, max_pool : The mean and the maximum.

    References
    ----------
    .. [1] P. Sermanet, S. Chintala and Y. LeCun, "Convolutional Neural Networks Applied to
       House Numbers Digit Classification", ICPR 2012.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.lp_pool(np.array([[[3.0], [-4.0]]]), 2)
    array([[[5.]]])
    """
    p = check.positive_number("p", p)
    kind = {1: "norm_1", 2: "norm_2"}.get(p, "norm")
    images, plan = _checked(images, size, stride, padding, dilation, ceil_mode, kind, p)
    return _pooled(images, plan, n_threads, out)


@takes_dask("images")
def global_pool(images, kind, keepdims=False, *, n_threads=None):
    """Take one statistic of each channel over all pixels of an image.

    Kept in double precision for every dtype; a mean sums up to eight values in the dtype itself
    before they are added to it.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        As in `max_pool`: signals, images or volumes.
    kind : {'max', 'mean', 'min', 'std', 'ppv'}
        'std' divides by the number of pixels; 'ppv' is the share of pixels above zero, and NaN
        is not. The others are NaN where a pixel is.
    keepdims : bool, default=False
        Whether the spatial axes stay, with size one.
    n_threads : int, default=None
        OpenMP threads, as in `max_pool`.

    Returns
    -------
    out : ndarray of shape (n_images, channels)
        Or (n_images, 1, 1, channels) with `keepdims`, of the dtype of `max_pool`'s result.

    Raises
    ------
    ValueError
        If `kind` is unknown, or a shape or a number is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    average_pool, max_pool : Windows.

    References
    ----------
    .. [1] M. Lin, Q. Chen and S. Yan, "Network In Network", arXiv:1312.4400.
    .. [2] A. Dempster, F. Petitjean and G. I. Webb, "ROCKET: exceptionally fast and accurate
       time series classification using random convolutional kernels", 2020 ('ppv').
    .. [3] T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise
       algorithm for computing sample variances", 1979 ('std').

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.global_pool(np.array([[[1.0, -1.0], [3.0, 0.0]]]), "mean")
    array([[ 2. , -0.5]])
    """
    kind = check.choice("kind", kind, GLOBAL_KINDS)
    keepdims = check.flag("keepdims", keepdims)
    images = check.batch_array("images", images)
    n_threads = check.threads(n_threads)
    n_images, *size, channels = images.shape
    state = GlobalState(kind, n_images, channels)
    state.add(images, n_threads)
    out = state.result(images.dtype, n_threads)
    return out.reshape(n_images, *(1 for _ in size), channels) if keepdims else out


@takes_dask("images")
def max_unpool(pooled, indices, output_shape, *, n_threads=None):
    """Put maxima back to where `max_pool` found them; all other pixels are zero.

    Parameters
    ----------
    pooled : array-like of shape (n_images, out_h, out_w, channels)
        Values, in the dtypes of `max_pool`.
    indices : array-like of shape (n_images, out_h, out_w, channels)
        Their places, as `max_pool` returns them. Of several values for one pixel, the last in
        row-major order stays.
    output_shape : int or tuple of int
        Spatial size of the result: (height, width).
    n_threads : int, default=None
        OpenMP threads, as in `max_pool`.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, channels)
        Of the dtype of `max_pool`'s result.

    Raises
    ------
    ValueError
        If an index lies outside `output_shape`, or a shape or a number is wrong.
    TypeError
        If `indices` are not integers, or an argument is of the wrong kind.

    See Also
    --------
    max_pool : With `return_indices`, where both come from.

    References
    ----------
    .. [1] M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks",
       arXiv:1311.2901.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> signal = np.array([1.0, 5.0, 2.0, 3.0]).reshape(1, 4, 1)
    >>> maxima, indices = cl.max_pool(signal, 2, return_indices=True)
    >>> cl.max_unpool(maxima, indices, 4)[0, :, 0]
    array([0., 5., 0., 3.])
    """
    pooled = check.batch_array("pooled", pooled)
    size = check.axis_ints("output_shape", output_shape, pooled.ndim - 2, 1)
    shape = (len(pooled), *size, pooled.shape[-1])
    check.countable(shape, pooled.dtype)
    indices = check.index_array("indices", indices, pooled.shape, prod(size))
    n_threads = check.threads(n_threads)
    out = np.empty(shape, pooled.dtype)
    if out.size:
        unpool(pooled, indices, out, n_threads)
    return out


def window_problem(kind, image_size, size, stride, dtype):
    """Return the problem of pooling without padding; 'lp' is the 2-norm. All is trusted."""
    kind, p = ("norm_2", 2.0) if kind == "lp" else (kind, 1.0)
    ones = (1,) * len(size)
    settings = _Settings(tuple(size), tuple(stride), "valid", ones, False)
    return _problem(tuple(image_size), np.dtype(dtype).name, settings, kind, p, True)


class _Settings(NamedTuple):
    """The checked settings of a call, one value per axis."""

    size: tuple
    stride: tuple
    padding: tuple | str
    dilation: tuple
    ceil_mode: bool


class _Plan(NamedTuple):
    """What is settled for all calls of a kind."""

    problem: PoolProblem
    layout: Layout
    shape: tuple    # of the result for one image


def _settings(rank, size, stride, padding, dilation, ceil_mode):
    size = check.axis_ints("size", size, rank, 1)
    return _Settings(
        size, size if stride is None else check.axis_ints("stride", stride, rank, 1),
        check.padding_spec(padding, rank), check.axis_ints("dilation", dilation, rank, 1),
        ceil_mode,
    )


def _checked(
    images, size, stride, padding, dilation, ceil_mode, kind, p=1.0, count_include_pad=True
):
    """Return the images and the plan of a call."""
    images = check.batch_array("images", images)
    ceil_mode = check.flag("ceil_mode", ceil_mode)
    settings = (size, stride, padding, dilation)
    if not check.are_literals(settings):
        settings = _settings(images.ndim - 2, *settings, ceil_mode)[:-1]
    return images, _plan(
        images.shape[1:], images.dtype, settings, ceil_mode, kind, p, count_include_pad,
        cpu.tier())


@lru_cache(maxsize=1024)
def _plan(image_shape, dtype, settings, ceil_mode, kind, p, count_include_pad, tier):
    """Return the `_Plan` of a call, as that of `conv` does."""
    *image_size, channels = image_shape
    settings = _settings(len(image_size), *settings, ceil_mode)
    problem = _problem(tuple(image_size), dtype.name, settings, kind, p, count_include_pad)
    layout = lay_out(problem, channels, problem.output_size)
    return _Plan(problem, layout, (*problem.output_size[3 - problem.rank:], channels))


def _problem(image_size, dtype, settings, kind, p, count_include_pad):
    """Return the checked problem."""
    size, stride, padding, dilation, ceil_mode = settings
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    outputs = output_size(image_size, size, **window, ceil_mode=ceil_mode)
    pads = padding_pairs(image_size, size, **window)
    check.addressable(image_size, pads, stride, dilation)
    if kind == "max" or not count_include_pad:
        check.windows_see_pixels(image_size, size, stride, pads, dilation, outputs)
    return PoolProblem(
        rank=len(size), image_size=three(image_size, 1), size=three(size, 1),
        stride=three(stride, 1), dilation=three(dilation, 1), padding=three(pads, (0, 0)),
        output_size=three(outputs, 1), kind=kind, p=p, count_include_pad=count_include_pad,
        dtype=dtype,
    )


def _pooled(images, plan, n_threads, out):
    """Return the pooled images."""
    n_threads = check.threads(n_threads)
    out = check.output_array(out, (len(images), *plan.shape), images.dtype, images)
    if out.size:
        launch(plan.layout, five_axes(images), five_axes(out), n_threads)
    return out
