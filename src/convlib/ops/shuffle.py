"""Channel shuffle: mixes the groups between two group convolutions."""

from convlib import _validation as check
from convlib._lazy import takes_dask

__all__ = ["channel_shuffle", "shuffle_kernel"]


@takes_dask("images")
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
    shuffle_kernel : Leave the channels where they are, and change the next kernel.
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


def shuffle_kernel(kernel, groups):
    """Return the kernel that sees channels before a shuffle as `kernel` sees them behind it.

    ``conv(channel_shuffle(images, groups), kernel)`` is ``conv(images, shuffled)``, for the
    kernel of a dense convolution: the shuffle costs nothing. A kernel of `depthwise_conv` is taken
    too: its outputs, ``multiplier`` for each channel, then come in the order before the shuffle,
    and the shuffle is left to the layer behind it. A group convolution sees neighbouring
    channels only, and the shuffle is there to change who they are: it cannot be saved.

    Parameters
    ----------
    kernel : array-like of shape (*kernel_size, channels, out_channels)
        Weights of a convolution that follows a shuffle; for `depthwise_conv`, of shape
        (*kernel_size, channels, multiplier).
    groups : int
        Of the shuffle; divides the channels.

    Returns
    -------
    shuffled : ndarray of shape (*kernel_size, channels, out_channels)
        The same weights, with the channels in another order.

    Raises
    ------
    ValueError
        If `groups` does not divide the channels of the kernel, or its shape is wrong.
    TypeError
        If an argument is of the wrong kind.

    See Also
    --------
    channel_shuffle : Shuffle the channels of images.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> images, kernel = np.arange(6.0).reshape(1, 1, 6), np.arange(6.0).reshape(1, 6, 1)
    >>> cl.conv(cl.channel_shuffle(images, 2), kernel)
    array([[[50.]]])
    >>> cl.conv(images, cl.shuffle_kernel(kernel, 2))
    array([[[50.]]])
    """
    kernel = check.kernel_array("kernel", kernel)
    *size, channels, n_out = kernel.shape
    groups = check.dividing_groups(channels, groups)
    dealt = kernel.reshape(*size, channels // groups, groups, n_out)
    return dealt.swapaxes(-2, -3).reshape(kernel.shape)
