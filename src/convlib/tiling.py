"""Images beyond memory, tile by tile, with the bits of the whole."""

import numpy as np

from convlib import _validation as check
from convlib._tiling.calls import call_of
from convlib._tiling.run import run, tile_of

__all__ = ["grid", "halo", "map_tiles", "output_dtype", "output_shape"]


def map_tiles(
    function, source, sink=None, *operands, working_memory=1024, tile=None, resume=None,
    verbose=0, **settings,
):
    """Call a function or an estimator on an image that need not fit into memory.

    The image is read, computed and written tile by tile, each with as much around it as its outputs
    look at; while one tile is computed, the next one is read. The result is that of one call on
    the whole image, bit by bit: borders are where the image ends, a convolution runs by the
    algorithm that the whole would have, and tiles begin where its arithmetic repeats.

    Parameters
    ----------
    function : function or estimator
        An operator of convlib, such as `convlib.conv`, `convlib.max_pool` or
        `convlib.conv_transpose`; a filter of `convlib.filters`; a fitted `convlib.ConvFeatures`
        with ``output='maps'``, `convlib.ImageFilter`, `convlib.PixelFeatures` or
        `convlib.PixelClassifier`; or a method of these: `transform`, `predict`, `predict_proba`.
    source : array-like with shape, dtype and slices
        Where pixels are read: a NumPy array or memmap, an array of zarr or h5py, or what else is
        sliced like one. Filters and estimators of pixels take one image, as they always do.
        All others take images (n_images, *size, channels), one image (*size, channels), or one of
        one channel (*size).
    sink : array-like with shape, dtype and slices, default=None
        Where the result is written, of the shape and dtype that `output_shape` and
        `output_dtype` tell, or of a dtype of the same kind. None makes an ndarray.
    *operands : array-like
        What the function takes behind the images, such as the kernel.
    working_memory : float, default=1024
        MiB that tiles may take, as far as they can be small enough. Source, sink and their own
        caches are not counted.
    tile : int or sequence of int, default=None
        Outputs of a tile along each axis that is cut, the batch being one of them where there is
        one; rounded up to the `grid`. None follows from `working_memory`, and from the chunks of
        the sink where it has some.
    resume : path, default=None
        A file that notes which tiles are finished. Where it exists already, the job goes on from
        there: finished tiles are not computed again, half-written ones are. The sink must hold
        what was written before. The file stays; delete it to begin anew.
    verbose : int, default=0
        Whether to show on the standard error how much is done, how fast, and how long the rest
        takes.
    **settings
        Further arguments of the function, but for `out`.

    Returns
    -------
    sink : ndarray, or `sink`
        Of an operator (n_images, *out_size, channels) without the first axis where the source has
        none; of a filter as it returns it; of `PixelFeatures` and `PixelClassifier` (*size,
        n_features), (*size) or (*size, n_classes).

    Raises
    ------
    ValueError
        If a shape or a value does not go with the function, `sink` has another shape, or `resume`
        is the journal of another job, or of a sink that does not hold its tiles any more.
    TypeError
        If `function` is none of these, or an argument is of the wrong kind.

    See Also
    --------
    halo : What tiles see beyond their own pixels.
    grid : Where tiles begin.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> from convlib import filters, tiling
    >>> image = np.random.default_rng(0).random((500, 400), dtype=np.float32)
    >>> edges = tiling.map_tiles(filters.sobel, image, tile=128)
    >>> bool((edges == filters.sobel(image)).all())
    True
    >>> tiling.map_tiles(cl.conv, image, None, np.ones((5, 5, 1, 8)), stride=2).shape
    (248, 198, 8)
    """
    check_source(source)
    call = call_of(function, operands, settings)
    plan = call.plan(tuple(source.shape), np.dtype(source.dtype))
    budget = check.positive_number("working_memory", working_memory) * 2**20
    if not isinstance(verbose, bool):
        check.integer("verbose", verbose, 0)
    if sink is None and resume is not None:
        raise ValueError("resume needs a sink: without one the result is gone with the process")
    if sink is None:
        sink = np.empty(plan.shape, plan.dtype)
    check_sink(sink, source, plan)
    if tile is None:
        tile = tile_of(plan, source, sink, budget)
    else:
        tile = check.axis_ints("tile", tile, len(plan.axes), 1)
        tile = tuple(min(-(-n // own) * own, most)
                     for n, own, most in zip(tile, plan.grid, plan.outputs))
    run(plan, source, sink, tile, resume, verbose)
    return sink


def check_source(source):
    """Refuse what is not sliced like an array of numbers."""
    allowed = "an array of numbers, or what has shape, dtype and slices like one"
    if not all(hasattr(source, word) for word in ("shape", "dtype", "__getitem__")) \
            or isinstance(source, np.ma.MaskedArray):
        raise TypeError(check.refusal("source", allowed, source))
    if np.dtype(source.dtype).kind not in "fiub" or np.dtype(source.dtype).itemsize > 8:
        raise TypeError(f"source must be {allowed}; got {source.dtype}")
    if not source.shape or min(source.shape) < 1:
        raise ValueError(f"source must not have an empty axis; got shape {tuple(source.shape)}")


def check_sink(sink, source, plan):
    """Refuse what cannot take the result of a plan."""
    if not all(hasattr(sink, word) for word in ("shape", "dtype", "__setitem__")):
        raise TypeError(check.refusal(
            "sink", "what has shape, dtype and slices that can be assigned to", sink))
    if tuple(sink.shape) != tuple(plan.shape):
        raise ValueError(f"sink must have shape {tuple(plan.shape)}; got {tuple(sink.shape)}")
    if not np.can_cast(plan.dtype, sink.dtype, "same_kind"):
        raise ValueError(f"sink must have dtype {plan.dtype} or one of the same kind; got "
                         f"{sink.dtype}")
    if sink is source or (isinstance(sink, np.ndarray) and isinstance(source, np.ndarray)
                          and np.may_share_memory(sink, source)):
        raise ValueError("sink must not share memory with source, which neighbouring tiles read")


def output_shape(function, *operands, shape, dtype="float32", **settings):
    """Return the shape of the result of `map_tiles`.

    Parameters
    ----------
    function : function or estimator
        As in `map_tiles`.
    *operands : array-like
        As in `map_tiles`.
    shape : tuple of int
        Shape of the source.
    dtype : dtype, default='float32'
        Of the source.
    **settings
        As in `map_tiles`.

    Returns
    -------
    shape : tuple of int
        Of the result.

    Raises
    ------
    ValueError, TypeError
        As in `map_tiles`.

    See Also
    --------
    output_dtype : The dtype.

    Examples
    --------
    >>> from convlib import filters, tiling
    >>> tiling.output_shape(filters.hessian, shape=(40_000, 40_000))
    (3, 40000, 40000)
    """
    return _plan(function, operands, shape, dtype, settings).shape


def output_dtype(function, *operands, shape, dtype="float32", **settings):
    """Return the dtype of the result of `map_tiles`.

    Parameters
    ----------
    function : function or estimator
        As in `map_tiles`.
    *operands : array-like
        As in `map_tiles`.
    shape : tuple of int
        Shape of the source.
    dtype : dtype, default='float32'
        Of the source.
    **settings
        As in `map_tiles`.

    Returns
    -------
    dtype : dtype
        Of the result.

    Raises
    ------
    ValueError, TypeError
        As in `map_tiles`.

    See Also
    --------
    output_shape : The shape.

    Examples
    --------
    >>> from convlib import filters, tiling
    >>> tiling.output_dtype(filters.mean, shape=(40_000, 40_000), dtype="uint8")
    dtype('uint8')
    """
    return _plan(function, operands, shape, dtype, settings).dtype


def _plan(function, operands, shape, dtype, settings):
    """Return the plan of a call for a source of some shape and dtype."""
    shape = check.array_shape("shape", shape)
    return call_of(function, operands, settings).plan(shape, np.dtype(dtype))


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
