"""Dask arrays in, dask arrays out: whatever `_lazy.takes_dask` marks comes here.

Nothing is computed here but results for no images, or for one sample of zeros: they tell the
shape and dtype of what is asked for, and refuse wrong arguments before the work begins. The work
is one task for each chunk, and what all tasks share, such as kernels or a fitted estimator, is an
object of its own, sent once to each worker.

Images that are cut along their spatial axes are computed part by part, each with as much of its
neighbours as its outputs see. Where the image ends, so does its part, and the operator pads it as
it would pad the image; with padding 'wrap' the image goes on at its other side before it is cut.
"""

import multiprocessing
import threading
from functools import partial
from inspect import signature
from itertools import accumulate, count
from math import gcd
from typing import NamedTuple

import dask
import dask.array as da
import numpy as np
from dask.array.overlap import overlap
from dask.system import CPU_COUNT

from convlib._filters._linear import part_of
from convlib._lazy import is_dask, sharing_threads
from convlib._tiling.calls import call_of
from convlib._tiling.operators import GEOMETRIES, OTHERS
from convlib._tiling.tiles import Steps, tile_function
from convlib.ops.conv import PackedKernel

# Further arguments that have an entry for each image.
BESIDE = {"deform_conv": ("offsets", "mask"), "max_unpool": ("indices",)}
VECTOR = 16    # values of the widest: shorter lines may be rounded otherwise when enlarged
# Operators whose images may be cut along their axes.
CUT = (*GEOMETRIES, *OTHERS)


# What is marked


def images(function, *args, **kwargs):
    """Return what an operator makes of a batch of images."""
    arguments = _arguments(function, args, kwargs)
    names = [next(iter(arguments)), *BESIDE.get(function.__name__, ())]
    batches = {name: arguments.pop(name) for name in names if arguments[name] is not None}
    first, *others = batches.values()
    others = [_beside(first, other) for other in others]
    call = partial(_of_images, function, tuple(batches), arguments)
    like = call(*(np.empty((0, *batch.shape[1:]), batch.dtype) for batch in (first, *others)))
    if function in CUT and not isinstance(like, tuple) and max(first.numblocks[1:-1]) > 1:
        return _by_windows(function, arguments, first, like)
    whole_images(names[0], first)
    return by_samples(call, (first, *others), like, function.__name__)


def filtered(function, *args, **kwargs):
    """Return a filtered image."""
    arguments = _arguments(function, args, kwargs)
    name = next(iter(arguments))
    image = arguments.pop(name)
    refuse_unknown(name, image)
    del arguments["out"]
    mask = arguments.get("mask")
    if mask is not None:
        mask = da.broadcast_to(mask, image.shape).rechunk(image.chunks)
        arguments["mask"] = None
    # One pixel shows what the result is like; an image without pixels would not.
    like = function(np.zeros((1,) * image.ndim, image.dtype), **arguments)
    call = call_of(function, (), arguments)
    view = call.view(image.ndim, image.dtype)
    cuts, on_grid = cut_axes({
        axis: (window, image.chunks[axis], image.shape[axis], window.halo, own)
        for axis, window, own in zip(view.axes, call.windows(image.shape),
                                     call.grid(image.shape, image.dtype))})
    apart = [axis for axis in range(image.ndim) if axis not in view.axes]
    chunks = [cuts[axis].outputs if axis in cuts else own if axis in apart else (sum(own),)
              for axis, own in enumerate(image.chunks)]
    run = partial(function, **arguments)
    if cuts:
        run = partial(_part_filtered, run, tuple(image.shape[axis] for axis in view.axes), on_grid)
    arrays = [image] if mask is None else [image, mask]
    return by_parts(partial(inner_part, run), arrays, cuts, apart, chunks, like,
                    view.padding_mode == "wrap", function.__name__)


# Samples


def _of_images(function, names, settings, *batches):
    """Run an operator on a chunk."""
    return function(**dict(zip(names, batches)), **settings)


def by_samples(call, arrays, like, name):
    """Return the results of `call` for each chunk of samples.

    `like` is a result, or a tuple of them, for any number of samples; dashboards show the `name`.
    """
    arrays = [array.rechunk(dict.fromkeys(range(1, array.ndim), -1)) for array in arrays]
    if isinstance(like, tuple):
        both = _mapped(call, arrays, np.empty((0,) * arrays[0].ndim, object), name)
        return tuple(_mapped(partial(_nth, k), [both], one, name) for k, one in enumerate(like))
    return _mapped(call, arrays, like, name)


def _nth(number, results):
    """Return one of several results."""
    return results[number]


def _mapped(call, arrays, like, name):
    """Return the array of the results of `call`, chunk by chunk along the first axis."""
    numbers = count(1)
    index = [(0, *(next(numbers) for _ in array.shape[1:])) for array in arrays]
    axes = {next(numbers): size for size in like.shape[1:]}
    return da.blockwise(
        _task, (0, *axes), *(part for pair in zip(arrays, index) for part in pair),
        new_axes=axes, concatenate=False, align_arrays=False, call=_shared(call),
        name=_key(name, call, arrays), **_kind(like, like.ndim))


# Parts of images


class Cut(NamedTuple):
    """How an axis is cut."""

    inputs: tuple     # pixels of each part ...
    outputs: tuple    # ... and what it gives
    depth: tuple      # pixels of the neighbours that a part sees, before and after
    border: tuple     # pixels of the padding
    skip: int         # outputs for those before


class Place(NamedTuple):
    """Where a part lies along an axis that is cut."""

    first: bool    # whether the image begins with it
    last: bool
    skip: int      # outputs for what it sees of the part before it
    n: int         # outputs


def cut_axes(axes, skips=True):
    """Return the `Cut` of each axis that is cut, and whether its parts begin on the grid.

    `axes` has for each: window, chunks, outputs, padding and grid. Parts are no smaller than what
    their neighbours see of them, and than the padding. Either the outputs of a part with its
    neighbours begin with those of its first pixel, of which it `skips` some, or with the first
    whose window lies in it.
    """
    for on_grid in (True, False):
        cuts = {axis: _cut(*one, grid if on_grid else 1, skips)
                for axis, (*one, grid) in axes.items()}
        cuts = {axis: cut for axis, cut in cuts.items() if len(cut.outputs) > 1}
        if all(start % axes[axis][-1] == 0
               for axis, cut in cuts.items() for start in accumulate(cut.outputs[:-1])):
            break
    return cuts, on_grid


def _cut(window, chunks, n_outputs, border, grid, skips):
    """Return the `Cut` of an axis at its chunks, or near them where there is a stride."""
    size, stride, factor = sum(chunks), window.stride, window.factor    # one of them is 1
    depth = max(0, window.before), max(0, window.after + 1 - stride)
    if skips:    # outputs on the grid
        unit = grid // gcd(grid, factor)
        depth = -(-depth[0] // unit) * unit, depth[1]
        border = depth[0], border[1]
    least = 1 + max(*depth, *border)
    starts = [0]
    for edge in np.cumsum(chunks)[:-1]:
        output = -(-int(edge) * factor // stride)
        if window.own(output - starts[-1]) >= least and output < n_outputs:
            starts.append(output)
    while len(starts) > 1 and size - window.own(starts[-1]) < least:
        starts.pop()
    return Cut(tuple(np.diff([*map(window.own, starts), size]).tolist()),
               tuple(np.diff([*starts, n_outputs]).tolist()), depth, tuple(border),
               depth[0] * factor if skips else 0)


def by_parts(run, arrays, cuts, apart, chunks, like, wraps, name):
    """Return the results of `run(places, *parts)` for images that are cut along some axes.

    `cuts` has the `Cut`, and `places` the `Place`, of these axes; along those `apart`, entries do
    not see each other. The result, or each of a tuple of them, has the axes of the images, in
    `chunks`, and others in front of them.
    """
    arrays = [_overlapping(array, cuts, apart, wraps) for array in arrays]
    some = like if isinstance(like, tuple) else (like,)
    ahead = some[0].shape[:some[0].ndim - len(chunks)]
    chunks = [*((size,) for size in ahead), *chunks]
    call = partial(_at, run, cuts, len(ahead), wraps)
    result = da.map_blocks(
        _task_at, *arrays, call=_shared(call), chunks=chunks, new_axis=list(range(len(ahead))),
        name=_key(name, call, arrays), **_kind(np.empty(0, object) if len(some) > 1 else like,
                                          len(chunks)))
    if like is some[0]:
        return result
    return tuple(da.map_blocks(partial(_nth, k), result, name=_key(name, k, [result]),
                               **_kind(one, len(chunks))) for k, one in enumerate(some))


def _overlapping(array, cuts, apart, wraps):
    """Return an array in chunks that overlap as the parts do."""
    inputs = [cuts[axis].inputs if axis in cuts else own if axis in apart else -1
              for axis, own in enumerate(array.chunks)]
    for axis, cut in cuts.items() if wraps else ():
        before, after = cut.border
        places = np.pad(np.arange(array.shape[axis]), cut.border, mode="wrap")
        array = da.concatenate([
            da.take(array, places[:before], axis), array,
            da.take(array, places[len(places) - after:], axis)], axis)
        first, *others, last = cut.inputs
        inputs[axis] = (before + first, *others, last + after)
    return overlap(array.rechunk(tuple(inputs)), {axis: cut.depth for axis, cut in cuts.items()},
                   dict.fromkeys(cuts, "none"), allow_rechunk=False)


def _at(run, cuts, n_ahead, wraps, block_id, *parts):
    """Run a part of an image, with what it needs to know of its place."""
    places = {}
    for axis, cut in cuts.items():
        number = block_id[n_ahead + axis]
        skip = cut.skip if number > 0 or wraps else 0
        places[axis] = Place(number == 0 and not wraps,
                             number == len(cut.outputs) - 1 and not wraps, skip,
                             cut.outputs[number])
    return run(places, *parts)


def _part_filtered(function, size, on_grid, image, **mask):
    """Filter a part of an image of that size, as the whole is filtered if it is `on_grid`."""
    with part_of(size, on_grid):
        return function(image, **mask)


def inner_part(function, places, image, *mask):
    """Return a part of a result, of what is made of an image with its neighbours around it."""
    result = function(image, **dict(zip(("mask",), mask)))
    if isinstance(result, tuple):
        return tuple(_inner(one, places, image.ndim) for one in result)
    return _inner(result, places, image.ndim)


def _inner(result, places, ndim):
    """Return a result without what belongs to the neighbours."""
    index = [slice(None)] * ndim
    for axis, place in places.items():
        index[axis] = slice(place.skip, place.skip + place.n)
    return result[(..., *index)]


def _by_windows(function, arguments, images, like):
    """Return what an operator makes of images that are cut."""
    shape = (1, *images.shape[1:])
    call = call_of(function, (), arguments)
    windows, grid = call.windows(shape), call.grid(shape, like.dtype)
    # Operators without padding of their own have outputs for all that they see.
    is_padded = function in GEOMETRIES
    pads = GEOMETRIES[function](arguments).pads(shape[1:-1], len(windows)) if is_padded else \
        [(max(VECTOR, *window.halo),) * 2 for window in windows]
    cuts, on_grid = cut_axes(dict(enumerate(
        zip(windows, images.chunks[1:-1], like.shape[1:-1], pads, grid), 1)), skips=not is_padded)
    chunks = [images.chunks[0], *(cuts[axis].outputs if axis in cuts else (like.shape[axis],)
                                  for axis in range(1, images.ndim - 1)), (like.shape[-1],)]
    run = tile_function(function, arguments, shape[1:], like.dtype.name)
    if not on_grid:
        run = _without_grid(run, function, arguments, grid)
    mode = arguments.get("padding_mode")
    if isinstance(arguments.get("kernel"), PackedKernel):
        mode = arguments["kernel"]._settings.padding_mode
    run = partial(_operator_part, run, pads if is_padded else None, like.shape[1:-1])
    return by_parts(run, [images], cuts, [0], chunks, like, mode == "wrap", function.__name__)


def _operator_part(run, pads, outputs, places, images):
    """Return a part of the outputs of an operator, which pads where the image ends."""
    own = [(0, 0)] * len(outputs) if pads is None else list(pads)
    counts = list(outputs)
    for axis, place in places.items():
        before, after = own[axis - 1]
        own[axis - 1] = (before if place.first else 0, after if place.last else 0)
        counts[axis - 1] = place.skip + place.n
    return _inner(run(images, own, counts), places, images.ndim)


def _without_grid(run, function, arguments, grid):
    """Return the function of a part that does not begin on the grid: by what needs none."""
    name = arguments.get("algorithm", "auto")
    if name != "auto" or not isinstance(run, Steps):
        raise ValueError(
            f"images must be in chunks that begin at multiples of {grid} outputs, since "
            f"{function.__name__} computes so many together; rechunk them"
            f"{'' if name == 'auto' else ', or take another algorithm'}")
    return Steps([step._without_grid() for step in run.steps], run.n_threads)


# Tasks


def _task(*blocks, call):
    """Run `call` on chunks, each the only one along its other axes, with its share of threads."""
    with sharing_threads(_tasks_at_once()):
        return call(*map(_only, blocks))


def _task_at(*blocks, call, block_id):
    """Run `call` on chunks at their place, with its share of threads."""
    with sharing_threads(_tasks_at_once()):
        return call(block_id, *blocks)


def _only(block):
    while isinstance(block, list):
        block, = block
    return block


def _kind(like, ndim):
    """Return what dask is told of an array: its dtype, and an empty one."""
    return {"dtype": like.dtype, "meta": np.empty((0,) * ndim, like.dtype)}


def _shared(call):
    """Return `call` as an object that is sent once, not with each task."""
    return dask.delayed(call, pure=True, traverse=False)


def _key(name, call, arrays):
    """Return the key of an array: its name, and what stands for all that it is made of."""
    return f"{name}-{dask.base.tokenize(call, *arrays)}"


def _tasks_at_once():
    """Return how many tasks run in this process, where its scheduler does not say so."""
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and multiprocessing.parent_process() is None:
        return 1    # one by one
    return CPU_COUNT


# Arguments


def _arguments(function, args, kwargs):
    """Return all arguments of a call by name."""
    bound = signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    arguments = bound.arguments
    name = next(iter(arguments))
    if arguments.get("out") is not None:
        raise ValueError(f"out must be None where {name} is a dask array: its result is lazy")
    refuse_unknown(name, arguments[name], first=1)
    return arguments


def _beside(first, other):
    """Return an array with an entry for each image, in the chunks of the images."""
    chunks = (first.chunks[0], *((size,) for size in other.shape[1:]))
    return other.rechunk(chunks) if is_dask(other) else da.from_array(np.asarray(other), chunks)


def refuse_unknown(name, array, first=0):
    """Refuse arrays whose size is not known along the axes from the `first` on."""
    if not all(size == size for size in array.shape[first:]):
        besides = " along all axes but the first" if first else ""
        raise ValueError(f"{name} must be of known size{besides}; got shape {array.shape}. "
                         "compute_chunk_sizes() finds it out")


def whole_images(name, array):
    """Refuse images cut along their axes; channels that come one by one are put together."""
    cut = [axis for axis in range(1, array.ndim - 1) if array.numblocks[axis] > 1]
    if cut:
        chunks = ", ".join(f"{axis}: -1" for axis in range(1, array.ndim - 1))
        raise ValueError(f"{name} must hold whole images in each chunk; got {array.numblocks} "
                         f"chunks. {name}.rechunk({{{chunks}}}) puts them together")
