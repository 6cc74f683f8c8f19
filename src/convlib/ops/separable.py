"""Spatially separable kernels: sums of products of one-dimensional ones."""

import numpy as np

from convlib import _validation as check
from convlib._conv.factors import factorize

__all__ = ["factorize_kernel"]


def factorize_kernel(kernel, tol=None):
    """Write a kernel as a sum of outer products of 1-D kernels.

    A convolution with a k x k kernel of n terms is n pairs of convolutions with k taps each, down
    the columns and along the rows. Means, Gaussians and Sobel's kernels have one term, the
    Laplacian of Gaussian and isotropic Gabor kernels two, most learnt kernels k. `conv` finds
    such kernels by itself: see its algorithm 'lowrank'.

    Parameters
    ----------
    kernel : array-like of shape (*kernel_size,)
        One kernel of two axes or more, without channels.
    tol : float, default=None
        The most that may be left over: the sum of the magnitudes of the residual, relative to
        that of the kernel. None is 4 times the rounding unit of the kernel's dtype, float32 or
        float64; whole numbers count as float64.

    Returns
    -------
    terms : list of tuple of ndarray of shape (kernel_size[axis],)
        Each term has one vector per axis; the sum of their outer products is the kernel. A
        kernel of zeros has no terms.

    Raises
    ------
    ValueError
        If the kernel has fewer than two axes, is empty or not finite, or `tol` is negative.
    TypeError
        If the kernel does not hold real numbers.

    See Also
    --------
    conv : Convolution, which uses such terms where they are few.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> [(column, row)] = cl.factorize_kernel([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    >>> column, row
    (array([0.5, 1. , 0.5]), array([ 2.,  0., -2.]))
    >>> len(cl.factorize_kernel([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))
    2
    """
    kernel = check.plain_kernel("kernel", kernel)
    if tol is None:
        tol = 4 * np.finfo(kernel.dtype).eps
    tol = check.non_negative("tol", tol)
    return [tuple(vector.astype(kernel.dtype) for vector in term)
            for term in factorize(kernel, tol)]
