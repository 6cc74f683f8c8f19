"""Dask arrays in, dask arrays out: whatever `_lazy.takes_dask` marks comes here.

Nothing is computed here but results for no images, or for one sample of zeros: they tell the
shape and dtype of what is asked for, and refuse wrong arguments before the work begins. The work
is one task for each chunk, and what all tasks share, such as kernels or a fitted estimator, is an
object of its own, sent once to each worker.
"""

import multiprocessing
import threading
from functools import partial
from inspect import signature
from itertools import count

import dask
import dask.array as da
import numpy as np
from dask.system import CPU_COUNT

from convlib._lazy import is_dask, sharing_threads

# Further arguments that have an entry for each image.
BESIDE = {"deform_conv": ("offsets", "mask"), "max_unpool": ("indices",)}


def images(function, *args, **kwargs):
    """Return what an operator makes of a batch of images."""
    arguments = _arguments(function, args, kwargs)
    names = [next(iter(arguments)), *BESIDE.get(function.__name__, ())]
    batches = {name: arguments.pop(name) for name in names if arguments[name] is not None}
    first, *others = batches.values()
    whole_images(names[0], first)
    others = [_beside(first, other) for other in others]
    call = partial(_of_images, function, tuple(batches), arguments)
    like = call(*(np.empty((0, *batch.shape[1:]), batch.dtype) for batch in (first, *others)))
    return by_samples(call, (first, *others), like)


# Samples


def _of_images(function, names, settings, *batches):
    """Run an operator on a chunk."""
    return function(**dict(zip(names, batches)), **settings)


def by_samples(call, arrays, like):
    """Return the results of `call` for each chunk of samples.

    `like` is a result, or a tuple of them, for any number of samples.
    """
    arrays = [array.rechunk(dict.fromkeys(range(1, array.ndim), -1)) for array in arrays]
    if isinstance(like, tuple):
        parts = _mapped(call, arrays, np.empty((0,) * arrays[0].ndim, object))
        return tuple(_mapped(partial(_part, k), [parts], one) for k, one in enumerate(like))
    return _mapped(call, arrays, like)


def _part(number, results):
    """Return one of several results."""
    return results[number]


def _mapped(call, arrays, like):
    """Return the array of the results of `call`, chunk by chunk along the first axis."""
    numbers = count(1)
    index = [(0, *(next(numbers) for _ in array.shape[1:])) for array in arrays]
    axes = {next(numbers): size for size in like.shape[1:]}
    return da.blockwise(
        _task, (0, *axes), *(part for pair in zip(arrays, index) for part in pair),
        new_axes=axes, concatenate=False, align_arrays=False,
        dtype=like.dtype, meta=np.empty((0,) * like.ndim, like.dtype),
        name=f"{_name_of(call)}-{dask.base.tokenize(call, *arrays)}", call=_shared(call))


def _task(*blocks, call):
    """Run `call` on chunks, each the only one along its other axes, with its share of threads."""
    with sharing_threads(_tasks_at_once()):
        return call(*map(_only, blocks))


def _only(block):
    while isinstance(block, list):
        block, = block
    return block


def _shared(call):
    """Return `call` as an object that is sent once, not with each task."""
    return dask.delayed(call, pure=True, traverse=False)


def _name_of(call):
    """Return what a dashboard shows for tasks."""
    if isinstance(call, partial):
        return getattr(call.args[0], "__name__", type(call.args[0]).__name__)
    return type(call).__name__


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
    refuse_unknown(name, arguments[name])
    return arguments


def _beside(first, other):
    """Return an array with an entry for each image, in the chunks of the images."""
    chunks = (first.chunks[0], *((size,) for size in other.shape[1:]))
    return other.rechunk(chunks) if is_dask(other) else da.from_array(np.asarray(other), chunks)


def refuse_unknown(name, array):
    """Refuse arrays whose size is not known beyond the samples."""
    if not all(size == size for size in array.shape[1:]):
        raise ValueError(f"{name} must be of known size along all axes but the first; got shape "
                         f"{array.shape}. compute_chunk_sizes() finds it out")


def whole_images(name, array):
    """Refuse images cut along their axes; channels that come one by one are put together."""
    cut = [axis for axis in range(1, array.ndim - 1) if array.numblocks[axis] > 1]
    if cut:
        chunks = ", ".join(f"{axis}: -1" for axis in range(1, array.ndim - 1))
        raise ValueError(f"{name} must hold whole images in each chunk; got {array.numblocks} "
                         f"chunks. {name}.rechunk({{{chunks}}}) puts them together")
