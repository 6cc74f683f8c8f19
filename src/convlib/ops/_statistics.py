"""Statistics of images, channel by channel, built up from as many pieces as one likes."""

from math import prod

import numpy as np

from convlib._native import global_pool
from convlib._problem import five_axes
from convlib._terms import by_dtype
from convlib._threads import thread_count

ADD, FINISH = by_dtype(global_pool.add), by_dtype(global_pool.finish)

# As in _native/c/microkernels.h.
CODES = {"max": 0, "min": 1, "mean": 2, "ppv": 3, "std": 4}
LANES = 64
GATHERED_ROWS = 32

MOST_LANES = 256           # of all groups, unless there are more channels
SEGMENT_VALUES = 8192      # read in one piece, by one thread
LEAST_SEGMENT_ROWS = 16    # a multiple of 8, for statistics.h
READ_VALUES = 10e9         # values a second, of one thread, to decide whether a second one pays


class GlobalState:
    """The statistic of images of which a part has been seen.

    `add` the rows of the images from the first to the last in any number of pieces, cut along
    the first spatial axis, then ask once for the `result`; the bits do not depend on the pieces.

    Parameters
    ----------
    kind : {'max', 'mean', 'min', 'std', 'ppv'}
        The statistic.
    n_images, channels : int
        Of the images.
    """

    def __init__(self, kind, n_images, channels):
        self.code = CODES[kind]
        self.channels = channels
        self.seen = 0
        # Powers of two, whatever the images' size.
        self.phases = floor_power(max(1, LANES // channels))
        n_lanes = -(-self.phases * channels // LANES) * LANES
        n_groups = floor_power(max(1, MOST_LANES // n_lanes))
        self.segment_rows = max(
            LEAST_SEGMENT_ROWS, floor_power(max(1, SEGMENT_VALUES // n_lanes)))
        self.state = np.empty((n_images, n_groups, 2, n_lanes))

    def add(self, images, n_threads=None):
        """Add the next rows of all images."""
        images = five_axes(images)
        n_threads = thread_count(n_threads, images.size / READ_VALUES)
        n_groups, _, n_lanes = self.state.shape[1:]
        # Parts of an image only where images are too few.
        n_parts = 1 if len(images) >= 2 * n_threads else n_threads
        n_parts = min(n_parts, max(n_groups, n_lanes // LANES))
        n_threads = max(1, min(n_threads, len(images) * n_parts))
        ADD[images.dtype](
            images, self.state, self.code, self.phases, self.segment_rows, self.seen,
            pixels_are_dense(images), n_parts,
            np.empty((n_threads, GATHERED_ROWS * LANES), images.dtype),
            np.empty((n_threads, 2 * LANES)),
        )
        self.seen += prod(images.shape[1:4])

    def result(self, dtype, n_threads=None):
        """Return the statistic as an array of shape (n_images, channels)."""
        out = np.empty((len(self.state), self.channels), dtype)
        if out.size:
            n_threads = thread_count(
                n_threads, self.state.size / READ_VALUES, len(self.state))
            FINISH[out.dtype](
                self.state, self.code, self.phases, self.segment_rows, self.seen, out, n_threads)
        return out


def floor_power(n):
    """Return the largest power of two up to n."""
    return 1 << n.bit_length() - 1


def pixels_are_dense(images):
    """Whether the pixels of each image are neighbours in memory, in row-major order."""
    step = images.itemsize
    for size, stride in zip(images.shape[:0:-1], images.strides[:0:-1]):
        if size > 1 and stride != step:
            return False
        step *= size
    return True


def pixel_sums(images, n_threads):
    """Return the sums over images and pixels of each channel.

    Up to eight pixels are summed in the dtype of the images, and then in double precision.
    """
    state = GlobalState("mean", len(images), images.shape[-1])
    if images.size:
        state.add(images, n_threads)
    with np.errstate(all="ignore"):
        sums = state.result(np.float64, n_threads) * state.seen
        return sums.sum(axis=0).astype(images.dtype)
