"""The gradient of up-sampling: each pixel gathers from the outputs that see it."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._native import upsample_grad as native
from convlib._problem import five_axes, three
from convlib._terms import CALL_SECONDS, by_dtype, even, lanes, scratch_bytes
from convlib._threads import thread_count
from convlib.ops.upsample import KINDS

__all__ = ["upsample_images"]

GATHER = by_dtype(native.gather)
TASK_BYTES = 256 * 1024    # of gradients
LINE_BYTES = 16 * 1024     # of a row of them
MOST_LINES = 16            # into which a row is split
SPARE_BYTES = 64           # behind a line
READ_BYTES = 8e9           # bytes a second of one thread
SHARPNESS = -0.75          # as in _native/upsample.pyx


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
        gather(five_axes(np.ascontiguousarray(grad_output)), five_axes(out), three(factor, 1),
               kind, n_threads)
    return out


class Form(NamedTuple):
    """How rows are cut; C takes it as it is."""

    n_rows: int      # of pixels, in a task
    pixels: int      # of a row, in a task
    splits: bool     # whether lanes run over pixels
    n_sources: int   # rows of outputs that see a row, at most
    n_taps: int      # outputs of a row that see a pixel, at most
    line: int        # values of the outputs that see the pixels
    step: int        # the same, of a phase


def gather(grads, out, factor, kind, n_threads):
    """Write the gradient for images, of three axes, to `out`."""
    dtype = out.dtype.name
    tables, numbers, scratch = form_of(out.shape[1:], factor, kind, dtype, lanes(dtype))
    seconds = CALL_SECONDS + (grads.nbytes + out.nbytes) / READ_BYTES
    n_rows, pixels = numbers[:2].tolist()
    n_tasks = -(-len(out) * out.shape[1] * out.shape[2] // n_rows) * -(-out.shape[3] // pixels)
    n_threads = thread_count(n_threads, seconds, n_tasks)
    GATHER[dtype](grads, out, *tables, numbers, np.empty((n_threads, scratch), np.uint8))


@lru_cache(maxsize=256)
def form_of(shape, factor, kind, dtype, width):
    """Return the tables of all axes, the `Form` as an array, and the scratch of a thread."""
    itemsize = np.dtype(dtype).itemsize
    *size, channels = shape
    tables, longest = [], []
    for n, times in zip(size, factor):
        reach = KINDS.index(kind) if times > 1 else 0
        starts, seen, weights = seen_by(min(n, 2 * reach + 1), times, kind)
        tables += [starts, seen, weights.astype(dtype)]
        longest.append(int(np.diff(starts).max()))
    times = factor[2]
    pixels = even(size[2], max(1, LINE_BYTES // (times * channels * itemsize)))
    splits = channels < width and times <= MOST_LINES
    spare = SPARE_BYTES // itemsize
    step = (pixels + 2 * reach) * channels + spare
    line = (pixels + 2 * reach) * times * channels + spare
    row_bytes = pixels * times * channels * itemsize * factor[0] * factor[1]
    form = Form(max(1, TASK_BYTES // row_bytes), pixels, splits, longest[0] * longest[1],
                longest[2], line, step)
    scratch = scratch_bytes(
        8 * form.n_sources, itemsize * form.n_sources, 8 * form.n_taps, line * itemsize,
        times * step * itemsize if splits else 0)
    return tables, np.array(form, np.intp), scratch


def cubic(distance):
    """Return Keys' kernel at some distances below 2."""
    near = ((SHARPNESS + 2) * distance - (SHARPNESS + 3)) * distance**2 + 1
    far = SHARPNESS * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, far)


def seen_by(size, factor, kind):
    """Return starts, outputs and weights: for each pixel the outputs that see it, in order.

    From some pixels on, those in the middle only differ by how far on their outputs lie.
    """
    outputs = np.arange(size * factor)
    place = (outputs % factor + 0.5) / factor - 0.5
    near = np.floor(place).astype(np.intp)[:, np.newaxis]
    if kind == "nearest" or factor == 1:
        indices, weights = np.zeros((len(outputs), 1), np.intp), np.ones((len(outputs), 1))
    elif kind == "bilinear":
        indices = near + np.arange(2)
        weights = 1 - np.abs(place[:, np.newaxis] - indices)
    else:
        indices = near + np.arange(-1, 3)
        weights = cubic(np.abs(place[:, np.newaxis] - indices))
    indices = np.clip(indices + outputs[:, np.newaxis] // factor, 0, size - 1)
    # Pixels of the border stand for those beyond it, and an output may see one of them repeatedly.
    places = (indices * len(outputs) + outputs[:, np.newaxis])[weights != 0]
    places, where = np.unique(places, return_inverse=True)
    weights = np.bincount(where.ravel(), weights[weights != 0])
    pixels, seen = np.divmod(places, len(outputs))
    starts = np.concatenate([[0], np.cumsum(np.bincount(pixels, minlength=size))])
    return starts.astype(np.intp), seen.astype(np.intp), weights
