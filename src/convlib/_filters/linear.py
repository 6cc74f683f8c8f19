"""Correlation and convolution of one image with any kernel."""

import numpy as np

from convlib import _validation as check
from convlib._filters._image import filter_image
from convlib._filters._linear import weighted_sum
from convlib._lazy import takes_dask

__all__ = ["convolve", "correlate"]


@takes_dask("filtered")
def correlate(
    image, kernel, *, channel_axis=None, axes=None, padding_mode="symmetric", constant_values=0,
    dtype=None, n_threads=None, out=None,
):
    """Weigh the neighbours of each pixel with a kernel and add them up.

    The kernel is not flipped; `convolve` flips it. It is centred at ``size // 2`` along each
    axis. Kernels that are sums of few products of one-dimensional ones, found by
    `convlib.factorize_kernel`, run as passes along the axes; others as `convlib.conv` runs.

    Parameters
    ----------
    image : array-like
        An image of any rank. float32 and float64 are kept; float16, bool and integers up to 16
        bits become float32, wider integers float64.
    kernel : array-like
        Finite numbers, with one axis for each axis that is filtered.
    channel_axis : int, default=None
        The axis that is not filtered, since it holds channels.
    axes : int or sequence of int, default=None
        The axes that are filtered: images along the other axes are filtered one by one. None
        means all but `channel_axis`. Settings with one entry an axis follow this order.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        What pixels outside the image hold, as in `numpy.pad`, however far outside they lie.
    constant_values : float, default=0
        What they hold with ``padding_mode="constant"``.
    dtype : dtype, default=None
        The dtype of arithmetic and result, float32 or float64. None means what follows from the
        image.
    n_threads : int, default=None
        OpenMP threads. None follows OMP_NUM_THREADS, threadpoolctl and the container's limit,
        and stays on one thread for less than 100 us of work.
    out : ndarray, default=None
        Where to write: of the image's shape and the result's dtype, C-contiguous, apart from
        `image`.

    Returns
    -------
    out : ndarray
        Of the image's shape.

    Raises
    ------
    ValueError
        If the kernel has another rank than there are axes, or a number or a name is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    convolve : The same with a flipped kernel.
    convlib.conv : Many kernels over many channels.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.correlate(np.array([0.0, 0, 1, 0, 0]), [1, 2, 3])
    array([0., 3., 2., 1., 0.])
    """
    return _correlated(image, kernel, False, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })


@takes_dask("filtered")
def convolve(
    image, kernel, *, channel_axis=None, axes=None, padding_mode="symmetric", constant_values=0,
    dtype=None, n_threads=None, out=None,
):
    """Convolve an image with a kernel: a point becomes the kernel.

    This is `correlate` with the kernel flipped along all axes, and its centre with it.

    Parameters
    ----------
    image : array-like
        An image of any rank, as in `correlate`.
    kernel : array-like
        Finite numbers, with one axis for each axis that is filtered.
    channel_axis : int, default=None
        As in `correlate`.
    axes : int or sequence of int, default=None
        As in `correlate`.
    padding_mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}, default='symmetric'
        As in `correlate`.
    constant_values : float, default=0
        As in `correlate`.
    dtype : dtype, default=None
        As in `correlate`.
    n_threads : int, default=None
        As in `correlate`.
    out : ndarray, default=None
        As in `correlate`.

    Returns
    -------
    out : ndarray
        Of the image's shape.

    Raises
    ------
    ValueError
        If the kernel has another rank than there are axes, or a number or a name is wrong.
    TypeError
        If an argument is of the wrong kind, or an array does not hold real numbers.

    See Also
    --------
    correlate : The same without flipping the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import filters
    >>> filters.convolve(np.array([0.0, 0, 1, 0, 0]), [1, 2, 3])
    array([0., 1., 2., 3., 0.])
    """
    return _correlated(image, kernel, True, {
        "channel_axis": channel_axis, "axes": axes, "padding_mode": padding_mode,
        "constant_values": constant_values, "dtype": dtype, "n_threads": n_threads, "out": out,
    })


def _correlated(image, kernel, flipped, settings):
    """Return the weighted sums of neighbours."""
    view = filter_image(image, **settings)
    kernel = filter_kernel(kernel, view.rank)
    centre = None
    if flipped:
        centre = tuple((size - 1) // 2 for size in kernel.shape)
        kernel = np.flip(kernel)
    out = view.target()
    if out.size:
        weighted_sum(view, kernel, out, centre=centre)
    return view.close(out)


def filter_kernel(kernel, rank):
    """Return a kernel of finite numbers with `rank` axes, in float64."""
    array = check.numeric_array("kernel", kernel)
    if array.ndim != rank or array.size == 0 or not np.isfinite(array).all():
        allowed = f"an array of finite numbers with {rank} axes, as many as are filtered, none " \
            "of them empty"
        raise ValueError(check.refusal("kernel", allowed, array))
    return array.astype(np.float64)
