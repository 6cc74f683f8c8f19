"""Up-sampling by whole factors: nearest neighbours, linear and cubic interpolation."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from convlib import _validation as check
from convlib._lazy import takes_dask
from convlib._native import upsample as native
from convlib._problem import five_axes, three
from convlib._terms import CALL_SECONDS, STREAM_BYTES, by_dtype, even, lanes, scratch_bytes
from convlib._threads import thread_count

__all__ = ["upsample"]

ENLARGE = by_dtype(native.enlarge)
KINDS = ("nearest", "bilinear", "bicubic")
TASK_BYTES = 256 * 1024   # of outputs
PART_BYTES = 64 * 1024    # of a row of outputs
LINES_BYTES = 16 * 1024   # the same, where lines are merged
MOST_LINES = 16           # that are merged
MOST_TAPS = 4             # along an axis
WRITTEN_BYTES = 4e9       # bytes a second of one thread


@takes_dask("images")
def upsample(images, factor, kind="nearest", *, n_threads=None, out=None):
    """Enlarge images, signals or volumes by a whole factor.

    Pixels are squares, and the outer edges of the large image are those of the small one: output
    ``i`` lies at ``(i + 0.5) / factor - 0.5``. That is `torch.nn.functional.interpolate` with
    ``align_corners=False``. The weights repeat with the factor, so there are few of them.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, channels)
        Channels last, in any memory order, with 1 to 3 spatial axes. float32 and float64 are
        kept; float16, bool and integers up to 16 bits become float32, wider integers float64.
    factor : int or tuple of int
        Outputs for each pixel, along each axis.
    kind : {'nearest', 'bilinear', 'bicubic'}, default='nearest'
        'nearest' repeats pixels. 'bilinear' takes the two nearest along each axis, whatever
        their number: linear for signals, trilinear for volumes. 'bicubic' takes four, with
        Keys' kernel and a = -0.75; it may overshoot. Pixels at the border are repeated.
    n_threads : int, default=None
        OpenMP threads, as in `conv`.
    out : ndarray of shape (n_images, factor * height, factor * width, channels), default=None
        Where to write: C-contiguous, of the result's dtype, apart from `images`.

    Returns
    -------
    out : ndarray of shape (n_images, factor * height, factor * width, channels)
        The large images.

    Raises
    ------
    ValueError
        If `factor` is below 1, `kind` is unknown, or a shape is wrong.
    TypeError
        If an argument is of the wrong kind, or `images` does not hold real numbers.

    See Also
    --------
    average_pool : Make images smaller.

    References
    ----------
    .. [1] R. Keys, "Cubic convolution interpolation for digital image processing", IEEE
       Transactions on Acoustics, Speech and Signal Processing 29, 1981.

    Examples
    --------
    >>> import numpy as np
    >>> import convlib as cl
    >>> cl.upsample(np.array([[[0.0], [4.0]]]), 2, "bilinear")[0, :, 0]
    array([0., 1., 3., 4.])
    """
    images = check.batch_array("images", images)
    factor = check.axis_ints("factor", factor, images.ndim - 2, 1)
    kind = check.choice("kind", kind, KINDS)
    n_threads = check.threads(n_threads)
    size = images.shape[1:-1]
    large = tuple(n * times for n, times in zip(size, factor))
    shape = (len(images), *large, images.shape[-1])
    out = check.output_array(out, shape, images.dtype, images)
    if out.size:
        enlarge(five_axes(images), five_axes(out), three(factor, 1), kind, n_threads)
    return out


class Form(NamedTuple):
    """How rows are cut, and what a task writes of them; C takes it as it is."""

    kind: int
    z_factor: int
    y_factor: int
    x_factor: int
    n_rows: int     # of outputs, in a task
    pixels: int     # of the image, whose outputs a task writes
    phases: int     # of them in each pixel
    merges: int     # whether lanes run over pixels
    reach: int      # pixels that are seen to each side
    line: int       # values of a line, with what is read beyond
    row: int        # values that a task writes of a row

    def scratch(self, itemsize, is_dense):
        """Return the bytes of scratch for one thread."""
        line, lines = self.line * itemsize, self.phases * self.line * itemsize
        merging = (self.row * itemsize, lines) if self.merges else (0, 0)
        return scratch_bytes(8 * self.phases, 8 * self.phases, MOST_TAPS * self.phases * itemsize,
                             line, *merging, 0 if is_dense else MOST_TAPS**2 * line)


def enlarge(images, out, factor, kind, n_threads):
    """Write enlarged images, of three axes, to `out`."""
    dtype = "float32" if images.itemsize == 4 else "float64"
    form, numbers, scratch = form_of(images.shape[3:], factor, kind, dtype, lanes(dtype))
    n_bytes = images.nbytes + out.nbytes
    n_images, depth, height = out.shape[:3]
    n_tasks = -(-n_images * depth * height // form.n_rows) \
        * -(-images.shape[3] // form.pixels) * -(-factor[2] // form.phases)
    n_threads = thread_count(n_threads, CALL_SECONDS + n_bytes / WRITTEN_BYTES, n_tasks)
    ENLARGE[dtype](
        images, out, numbers, n_bytes > STREAM_BYTES,
        np.empty((n_threads, scratch[images.flags.c_contiguous]), np.uint8))


@lru_cache(maxsize=256)
def form_of(line_shape, factor, kind, dtype, width):
    """Return the `Form` for rows of pixels and channels, the same as an array, and the scratch.

    That is the bytes for one thread, for images in any memory order and for those in C order.
    """
    itemsize = np.dtype(dtype).itemsize
    n_pixels, channels = line_shape
    times = factor[2]
    merges = channels < width and times <= MOST_LINES
    part = LINES_BYTES if merges else PART_BYTES
    pixels = even(n_pixels, max(1, part // (times * channels * itemsize)))
    phases = times
    if pixels == 1 and not merges:
        phases = even(times, max(1, part // (channels * itemsize)))
    row = pixels * phases * channels
    reach = KINDS.index(kind) if times > 1 else 0
    form = Form(
        KINDS.index(kind), *factor, max(1, TASK_BYTES // (row * itemsize)), pixels, phases, merges,
        reach, (pixels + 2 * reach) * channels + 2 * width, row)
    return form, np.array(form, np.intp), [form.scratch(itemsize, flag) for flag in (False, True)]
