"""The gradient of up-sampling: each pixel gathers from the outputs that see it."""

from convlib import _validation as check
from convlib.ops.upsample import KINDS, adjoint_taps, resample

__all__ = ["upsample_images"]


def upsample_images(grad_output, factor, kind="nearest", *, n_threads=None, out=None):
    """Return the gradient of `upsample` for its images.

    Each pixel gathers from the outputs that see it; nothing is scattered.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, factor * height, factor * width, channels)
        Gradient for the result, with 1 to 3 spatial axes.
    factor : int or tuple of int
        As in `upsample`.
    kind : {'nearest', 'bilinear', 'bicubic'}, default='nearest'
        As in `upsample`.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `grad_output`.

    Returns
    -------
    grad_images : ndarray of shape (n_images, height, width, channels)
        Gradient for the images.

    Raises
    ------
    ValueError
        If `factor` does not divide the size of `grad_output`, or as `upsample` does.
    TypeError
        As `upsample` does.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.upsample_images(np.ones((1, 4, 1)), 2)[0, :, 0]
    array([2., 2.])
    """
    grad_output = check.batch_array("grad_output", grad_output)
    factor = check.axis_ints("factor", factor, grad_output.ndim - 2, 1)
    kind = check.choice("kind", kind, KINDS)
    n_threads = check.threads(n_threads)
    large = grad_output.shape[1:-1]
    check.factors_divide("grad_output", large, factor)
    size = tuple(n // times for n, times in zip(large, factor))
    shape = (len(grad_output), *size, grad_output.shape[-1])
    out = check.output_array(out, shape, grad_output.dtype, grad_output)
    if out.size:
        taps = [adjoint_taps(*axis, kind) for axis in zip(size, factor)]
        resample(grad_output, out, taps, n_threads)
    return out
