"""The gradient of the channel shuffle: the shuffle back."""

from convlib import _validation as check
from convlib.ops.shuffle import channel_shuffle

__all__ = ["channel_shuffle_images"]


def channel_shuffle_images(grad_output, groups, *, out=None):
    """Compute the gradient of `channel_shuffle` by its images: the channels in their old order.

    Parameters
    ----------
    grad_output : array-like of shape (n_images, height, width, channels)
        Gradient of a loss by the outputs of `channel_shuffle`, in any memory order. float32 and
        float64 are kept; float16, bool and integers up to 16 bits become float32, wider
        integers float64.
    groups : int
        As in `channel_shuffle`.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `grad_output`.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, channels)
        The same values in another order.

    Raises
    ------
    ValueError
        If `groups` does not divide the channels, or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or the array does not hold real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from convlib import grad
    >>> grad.channel_shuffle_images(np.array([[[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]]]), 2)
    array([[[0., 1., 2., 3., 4., 5.]]])
    """
    grads = check.batch_array("grad_output", grad_output)
    groups = check.dividing_groups(grads.shape[-1], groups)
    return channel_shuffle(grads, grads.shape[-1] // groups, out=out)
