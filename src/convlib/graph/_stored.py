"""Arrays that lie on disk, and features that are read from there some columns at a time.

Columns of features know nothing of each other, so that all hops of some of them are done before the
next are read. They are cut where the kernel cuts them, which keeps the bits.
"""

import mmap
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import scipy.sparse as sp

from convlib import _validation as check
from convlib.graph._gather import column_blocks

ROW_BYTES = 1 << 24     # of an array on disk, that are mapped at a time
WORKING_MEMORY = 1024   # MiB, as in scikit-learn


@dataclass(frozen=True)
class FileArray:
    """A memory-mapped array, by its file: small in pickles, and mapped only while it is read."""

    filename: str
    dtype: np.dtype
    offset: int
    shape: tuple

    def open(self, mode="r"):
        """Return it mapped anew. Pages that were read leave memory with the result."""
        return np.memmap(self.filename, self.dtype, mode, self.offset, self.shape)


def kept(array):
    """Return the FileArray of a memory-mapped array that is all of its map, or the array."""
    is_whole = isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap)
    if not is_whole or array.filename is None or array.mode == "c" or not array.flags.c_contiguous:
        return array
    return FileArray(str(array.filename), array.dtype, array.offset, array.shape)


def opened(array, mode="r"):
    """Return what `kept` was given, or the same values."""
    return array.open(mode) if isinstance(array, FileArray) else array


def is_stored(value):
    """Return whether features lie on disk: memory-mapped, or of HDF5, Zarr and the like."""
    if len(getattr(value, "shape", ())) != 2:
        return False
    if isinstance(value, np.ndarray):
        return isinstance(value, np.memmap)
    return (isinstance(getattr(value, "dtype", None), np.dtype)
            and hasattr(value, "__getitem__") and not sp.issparse(value))


def features_dtype(name, dtype):
    """Return the dtype in which features are computed that are not looked at as a whole."""
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise TypeError(f"{name} must hold real numbers; got {dtype}")
    return check.result_dtype(dtype)


def stored_output(out, features, dtype):
    """Return `out`, an array in memory or on disk, or a new one, for features on disk."""
    shape = tuple(features.shape)
    if out is None or isinstance(out, np.ndarray):
        inputs = (features,) if isinstance(features, np.ndarray) else ()
        return check.output_array(out, shape, dtype, *inputs)
    if not is_stored(out) or not hasattr(out, "__setitem__"):
        raise TypeError(check.refusal("out", "an array in memory or on disk, or None", out))
    if tuple(out.shape) != shape or out.dtype != dtype:
        raise ValueError(check.refusal("out", f"of shape {shape} and dtype {dtype}", out))
    return out


def memory_bytes(working_memory):
    """Return a user's MiB in bytes."""
    if working_memory is None:
        return WORKING_MEMORY << 20
    return check.positive_number("working_memory", working_memory) * 2**20


def by_columns(function, features, out, dtype, n_arrays, n_bytes):
    """Write what a function makes of features, some columns at a time, to `out`.

    The function takes features (n_blocks, n_nodes, n_columns), which are its own, and returns as
    many. So many arrays of that size are in memory at once.
    """
    features, target = kept(features), kept(out)
    n_nodes, width = features.shape
    for begin, n_blocks, n_columns in _groups(width, dtype, n_nodes, n_bytes / n_arrays):
        part = np.empty((n_blocks, n_nodes, n_columns), dtype)
        columns = slice(begin, begin + n_blocks * n_columns)
        for rows in _rows_at_once(n_nodes, width * dtype.itemsize):
            read = np.asarray(opened(features)[rows, columns])
            part[:, rows] = read.reshape(-1, n_blocks, n_columns).swapaxes(0, 1)
        part = function(part)
        for rows in _rows_at_once(n_nodes, width * dtype.itemsize):
            opened(target, "r+")[rows, columns] = part[:, rows].swapaxes(0, 1).reshape(
                -1, n_blocks * n_columns)
    return out


def _groups(width, dtype, n_nodes, n_bytes):
    """Yield where columns begin, how many blocks of them go at once, and the width of these."""
    begin = 0
    sizes = (last - first for first, last in pairwise(column_blocks(width, dtype)))
    for n_columns, blocks in groupby(sizes):
        count = len(list(blocks))
        most = max(1, int(n_bytes / max(1, n_nodes * n_columns * dtype.itemsize)))
        for first in range(0, count, most):
            n_blocks = min(most, count - first)
            yield begin, n_blocks, n_columns
            begin += n_blocks * n_columns


def _rows_at_once(n_nodes, row_bytes):
    step = max(1, ROW_BYTES // max(1, row_bytes))
    return (slice(first, min(first + step, n_nodes)) for first in range(0, n_nodes, step))
