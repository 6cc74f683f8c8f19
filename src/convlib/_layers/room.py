"""Memory that the steps of training use again, one after the other."""

from math import prod

import numpy as np

MOST_BYTES = 2**28    # kept from step to step; what a step needs beyond them is new each time


class Room:
    """Arrays that a step of training fills, in the order in which it asks for them.

    All steps ask for the same ones. Memory that is given back to the system after each step comes
    back page by page, which takes as long as the convolutions of a small network.
    """

    def __init__(self):
        self._blocks, self._n_used, self._n_bytes = [], 0, 0

    def begin(self):
        """Begin a step: nobody needs the arrays of the last one."""
        self._n_used = 0

    def array(self, shape, dtype):
        """Return an array with any values; None beyond what is kept."""
        number, n_bytes = self._n_used, prod(shape) * dtype.itemsize
        if number == len(self._blocks):
            self._blocks.append(np.empty(0, np.uint8))
        more = n_bytes - self._blocks[number].nbytes
        if self._n_bytes + more > MOST_BYTES:
            return None
        self._n_used += 1
        if more > 0:
            self._n_bytes += more
            self._blocks[number] = np.empty(n_bytes, np.uint8)
        return self._blocks[number][:n_bytes].view(dtype).reshape(shape)
