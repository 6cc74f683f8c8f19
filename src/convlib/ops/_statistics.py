"""Statistics of images, channel by channel, built up from as many pieces as one likes."""

from math import prod

import numpy as np

from convlib._native import global_pool
from convlib._problem import five_axes
from convlib._threads import thread_count

# As in _native/c/microkernels.h.
CODES = {"max": 0, "min": 1, "mean": 2, "ppv": 3, "std": 4}
LANES = 64
GATHERED_ROWS = 32

MOST_LANES = 256           # unless there are more channels; they allow for some parallel parts
READ_VALUES = 4e9          # values a second, of one thread, to decide whether a second one pays


class GlobalState:
    """The statistic of images of which a part has been seen.

    `add` the rows of the images from the first to the last in any number of pieces, cut along
    the first spatial axis, then ask for the `result`; the bits do not depend on the pieces.

    Parameters
    ----------
    kind : {'max', 'mean', 'min', 'std', 'ppv'}
        The statistic.
    n_images, channels : int
        Of the images.
    """

    def __init__(self, kind, n_images, channels):
        self.kind = kind
        self.channels = channels
        self.seen = 0
        # A power of two, so that the phases can be merged by halves.
        self.phases = 1 << max(1, MOST_LANES // channels).bit_length() - 1
        n_lanes = -(-self.phases * channels // LANES) * LANES
        start = {"max": -np.inf, "min": np.inf}.get(kind, 0.0)
        self.state = np.full((n_images, 2 if kind == "std" else 1, n_lanes), start)

    def add(self, images, n_threads=None):
        """Add the next rows of all images."""
        images = five_axes(images)
        n_pixels = prod(images.shape[1:4])
        n_threads = thread_count(n_threads, images.size / READ_VALUES)
        n_blocks = self.state.shape[2] // LANES
        # Parts of an image read every so many values: only where images are too few.
        n_parts = 1 if len(images) >= 2 * n_threads else min(n_threads, n_blocks)
        n_threads = min(n_threads, max(1, len(images) * n_parts))
        global_pool.add(
            images, self.state, CODES[self.kind], self.phases, self.seen, pixels_are_dense(images),
            n_parts, np.empty((n_threads, GATHERED_ROWS * LANES), images.dtype),
            np.empty((n_threads, 2 * LANES)),
        )
        self.seen += n_pixels

    def result(self, dtype, divides=True):
        """Return the statistic as an array of shape (n_images, channels).

        A mean that is not divided is a sum.
        """
        n_lanes = self.phases * self.channels
        shape = (*self.state.shape[:2], self.phases, self.channels)
        state = self.state[:, :, :n_lanes].reshape(shape)
        # Pixels of each phase: the last ones may have one less, or none.
        counts = (self.seen - 1 - np.arange(self.phases)[:, np.newaxis]) // self.phases + 1
        with np.errstate(all="ignore"):
            while len(counts) > 1:
                half = len(counts) // 2
                if counts[half] > 0:
                    parts = state[:, :, :half], state[:, :, half:]
                    state = self._merge(*parts, counts[:half], counts[half:])
                counts = counts[:half] + counts[half:]
                state = state[:, :, :half]
            if self.kind in ("mean", "ppv"):
                state = state / (self.seen if divides else 1)
            elif self.kind == "std":
                state = np.sqrt(state[:, 1:] / self.seen)
            return state[:, 0, 0].astype(dtype)

    def _merge(self, a, b, n_a, n_b):
        """Return the statistic of sets of n_a pixels and of n_b, which may be none."""
        if self.kind == "max":
            return np.where((b > a) | (b != b), b, a)
        if self.kind == "min":
            return np.where((b < a) | (b != b), b, a)
        if self.kind in ("mean", "ppv"):
            return a + b
        # Chan, Golub and LeVeque: means and sums of squares about them.
        n = np.maximum(n_a + n_b, 1)
        distance = b[:, 0] - a[:, 0]
        mean = a[:, 0] + distance * (n_b / n)
        squares = a[:, 1] + b[:, 1] + distance * distance * (n_a * n_b / n)
        return np.where(n_b > 0, np.stack((mean, squares), axis=1), a)


def pixels_are_dense(images):
    """Whether the pixels of each image are neighbours in memory, in row-major order."""
    step = images.itemsize
    for size, stride in zip(images.shape[:0:-1], images.strides[:0:-1]):
        if size > 1 and stride != step:
            return False
        step *= size
    return True
