"""Channel shuffle: mixes the groups between two group convolutions."""

from convlib import _validation as check

__all__ = ["channel_shuffle"]


def channel_shuffle(images, groups, *, out=None):
    """Deal the channels of each group out to all groups.

    Channel ``g * n + i``, the ``i``-th of the ``n`` channels of group ``g``, becomes channel
    ``i * groups + g``. Between two group convolutions this lets every output see every group.
    Shuffling again with ``channels // groups`` groups takes it back.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        Channels last, in any memory order, with 1 to 3 spatial axes. float32 and float64 are
        kept; float16, bool and integers up to 16 bits become float32, wider integers float64.
    groups : int
        Number of groups; divides the channels.
    out : ndarray of shape (n_images, height, width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `images`.

    Returns
    -------
    out : ndarray of shape (n_images, height, width, channels)
        The same values in another order.

    Raises
    ------
    ValueError
        If `groups` does not divide the channels, or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or `images` does not hold real numbers.

    See Also
    --------
    conv : Group convolution, by its argument `groups`.

    References
    ----------
    .. [1] X. Zhang, X. Zhou, M. Lin and J. Sun, "ShuffleNet: An Extremely Efficient Convolutional
       Neural Network for Mobile Devices", CVPR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.channel_shuffle(np.arange(6.0).reshape(1, 1, 6), 2)
    array([[[0., 3., 1., 4., 2., 5.]]])
    """
    images = check.batch_array("images", images)
    groups = check.dividing_groups(images.shape[-1], groups)
    out = check.output_array(out, images.shape, images.dtype, images)
    *places, channels = images.shape
    source = images.reshape(*places, groups, channels // groups)
    out.reshape(*places, channels // groups, groups)[...] = source.swapaxes(-1, -2)
    return out
