"""Large images, tile by tile: how far outputs look, and where tiles may begin."""

import numpy as np

from convlib import _validation as check
from convlib._tiling.calls import call_of

__all__ = ["grid", "halo"]


def halo(function, *operands, shape=None, **settings):
    """Return how far beyond its own pixel an output looks, along each spatial axis.

    Exactly as far as the windows of the arithmetic reach: a crop with so many pixels around it has
    the values of the whole image inside, one with a pixel less has not. Output ``j`` stands at
    pixel ``j``; with a stride at pixel ``j * stride``, of a step that enlarges by a factor at pixel
    ``j // factor``. It sees the pixels from `before` pixels before that one to `after` behind it;
    what of these lies outside the image is the padding.

    Parameters
    ----------
    function : function or estimator
        An operator of convlib, such as `convlib.conv`, a filter of `convlib.filters`, or a fitted
        transformer with a `halo` of its own.
    *operands : array-like
        What the function takes behind the images, such as the kernel.
    shape : tuple of int, default=None
        Shape of the images. It only matters for padding 'same' with a stride and for
        `output_shape`, and it tells the number of axes where nothing else does. A filter whose
        arguments do not tell it has two.
    **settings
        Further arguments of the function; those that do not change the windows may be left out.

    Returns
    -------
    halo : tuple of (int, int)
        A pair (before, after) for each spatial axis: of a filter for each axis that is filtered, in
        the order of its `axes`. Where windows lie wholly on one side of their pixel, the other
        entry is 0.

    Raises
    ------
    ValueError
        If `shape` is needed, or an argument has a wrong value.
    TypeError
        If the outputs of `function` do not see windows of the image, or an argument is of the wrong
        kind.

    See Also
    --------
    grid : Where tiles may begin.
    convlib.shapes.receptive_field : The windows of stacked layers.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> from convlib import filters, tiling
    >>> tiling.halo(cl.conv, np.ones((3, 4, 1, 1)), padding="same", dilation=2)
    ((2, 2), (3, 3))
    >>> tiling.halo(cl.max_pool, (3, 3), stride=2)
    ((0, 2), (0, 2))
    >>> tiling.halo(filters.gaussian, sigma=(2, 1))
    ((8, 8), (4, 4))
    """
    windows = call_of(function, operands, settings).windows(_shape(shape))
    return tuple(window.halo for window in windows)


def grid(function, *operands, shape, dtype="float32", **settings):
    """Return of what the first outputs of tiles must be multiples, along each spatial axis.

    Some ways to compute a convolution round several neighbouring outputs together. A tile that
    begins on this grid, and ends on it or with the image, has the bits of the whole image if it is
    computed in the same way, as `map_tiles` does; the way follows from the shape of the whole.

    Parameters
    ----------
    function : function or estimator
        As in `halo`.
    *operands : array-like
        As in `halo`.
    shape : tuple of int
        Shape of the whole image or images.
    dtype : dtype, default='float32'
        Of the images.
    **settings
        As in `halo`.

    Returns
    -------
    grid : tuple of int
        One for each spatial axis, in outputs; 1 where tiles may begin anywhere.

    Raises
    ------
    ValueError, TypeError
        As in `halo`.

    See Also
    --------
    halo : What tiles must see.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> from convlib import filters, tiling
    >>> kernel = np.ones((3, 3, 16, 16))
    >>> tiling.grid(cl.conv, kernel, algorithm="winograd", shape=(1000, 1000, 16))
    (4, 4)
    >>> tiling.grid(filters.median, shape=(1000, 1000))
    (1, 1)
    """
    call = call_of(function, operands, settings)
    return tuple(call.grid(_shape(shape), np.dtype(dtype)))


def _shape(shape):
    """Return a checked shape, or None."""
    return None if shape is None else check.array_shape("shape", shape)
