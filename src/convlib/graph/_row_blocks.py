"""RowBlocks: an adjacency that lies on disk, a block of rows at a time, and what gathers by it."""

import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import scipy.sparse as sp

from convlib import _validation as check
from convlib.graph._adjacency import (
    Adjacency,
    adjacency_of,
    checked_rows,
    compressed,
    sparse_shape,
)
from convlib.graph._gather import Operator, apply, directed, loop_sums, shares, with_loops
from convlib.graph._graph import Graph
from convlib.graph._stored import kept, opened


class RowBlocks:
    """An adjacency in blocks of rows, which lie on disk until they are needed.

    For graphs whose edges do not fit into memory: `propagate`, `appnp` and `aggregate` take it in
    place of a matrix. A block is read, checked and forgotten at each hop; only what normalizes its
    rows is kept. Results have the same bits as those of the whole matrix.

    Parameters
    ----------
    blocks : sequence of path or sparse matrix
        From the first rows to the last: files of `scipy.sparse.save_npz`, or matrices or arrays of
        any format of scipy.sparse, of shape (n_rows, n_nodes) with as many rows as they like.

    Attributes
    ----------
    n_nodes : int
        Rows of all blocks together, and columns of each.
    n_blocks : int
        How many there are.

    Raises
    ------
    TypeError, ValueError
        If a block is neither; or if the blocks together are not square. What a block holds is
        looked at when it is read, as `normalize_adjacency` does.
    OSError
        If a file can not be read.

    See Also
    --------
    convlib.graph.propagate : Takes it as `adjacency`.
    Graph : One that fits into memory.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import convlib as cl
    >>> upper = sp.csr_array(np.array([[0, 1, 0], [1, 0, 1]]))
    >>> lower = sp.csr_array(np.array([[0, 1, 0]]))
    >>> path = cl.graph.RowBlocks([upper, lower])
    >>> path
    RowBlocks(n_nodes=3, n_blocks=2)
    >>> cl.graph.propagate(np.array([[1.0], [2.0], [6.0]]), path, normalization="row")
    array([[1.5],
           [3. ],
           [4. ]])
    """

    def __init__(self, blocks):
        entries = check.as_entries(blocks)
        if not entries:
            raise TypeError("blocks must be a sequence of at least one path or sparse matrix; got "
                            f"{check.shown(blocks)}")
        sources = [source if sp.issparse(source) else _File.of(f"blocks[{number}]", source)
                   for number, source in enumerate(entries)]
        shapes = [sparse_shape("blocks", source) if sp.issparse(source) else source.shape
                  for source in sources]
        bounds = np.cumsum([0, *(n_rows for n_rows, _ in shapes)]).tolist()
        for number, (_, n_columns) in enumerate(shapes):
            if n_columns != bounds[-1]:
                raise ValueError(
                    f"blocks[{number}] must have a column for each of the {bounds[-1]} rows of all "
                    f"blocks; got shape {shapes[number]}")
        self._set(bounds[-1], [
            RowBlock(f"blocks[{number}]", source, first, last, bounds[-1])
            for number, (source, (first, last)) in enumerate(
                zip(sources, pairwise(bounds), strict=True))])

    def _set(self, n_nodes, blocks):
        self.n_nodes = n_nodes
        self._blocks = tuple(block for block in blocks if block.last > block.first)

    @classmethod
    def from_folder(cls, folder):
        """Return the blocks in a folder: all of its files ``*.npz``, in the order of their names.

        Parameters
        ----------
        folder : path
            Where they lie. Names must sort as the rows do, such as ``part_0007.npz``.

        Returns
        -------
        blocks : RowBlocks
            Of these files.
        """
        paths = sorted(Path(folder).glob("*.npz"))
        if not paths:
            raise ValueError(f"folder must have files *.npz; got {str(folder)!r} with none")
        return cls(paths)

    @classmethod
    def from_csr(cls, indptr, indices, data=None, *, edges_at_once=1 << 22):
        """Return the rows of the arrays of a CSR matrix, which may be memory-mapped.

        Parameters
        ----------
        indptr : ndarray of shape (n_nodes + 1,)
            Where the edges of each row begin; the last one is their number.
        indices : ndarray of shape (n_edges,)
            The columns of the edges.
        data : ndarray of shape (n_edges,), default=None
            Their weights; None stands for ones.
        edges_at_once : int, default=4194304
            Up to how many edges a block has, unless one row has more.

        Returns
        -------
        blocks : RowBlocks
            Of whole rows. A `numpy.memmap` is opened again for each block, so that it may be
            handed to other processes and takes no memory in between.
        """
        edges_at_once = check.integer("edges_at_once", edges_at_once, 1)
        arrays = []
        for name, array in (("indptr", indptr), ("indices", indices), ("data", data)):
            if array is not None and (not isinstance(array, np.ndarray) or array.ndim != 1):
                raise TypeError(check.refusal(name, "an ndarray of one axis", array))
            arrays.append(array)
        if len(indptr) == 0 or indptr.dtype.kind not in "iu" or indptr[0] != 0:
            raise ValueError("indptr must be integers that begin with 0; got "
                             f"{indptr.dtype} {check.shown(indptr[:1].tolist())}")
        lengths = [len(array) for array in arrays[1:] if array is not None]
        if indptr[-1] != lengths[0] or len(set(lengths)) > 1:
            raise ValueError("indices and data must have an entry for each of the "
                             f"{indptr[-1]} edges that indptr tells; got {lengths}")
        n_nodes = len(indptr) - 1
        stored = [kept(array) for array in arrays]
        blocks = object.__new__(cls)
        blocks._set(n_nodes, [
            RowBlock("indptr and indices", _CsrRows(*stored, first, last), first, last, n_nodes)
            for first, last in pairwise(_cuts(indptr, edges_at_once))])
        return blocks

    def _without_blocks(self):
        """Return what knows the number of nodes alone."""
        blocks = object.__new__(RowBlocks)
        blocks._set(self.n_nodes, ())
        return blocks

    @property
    def n_blocks(self):
        """Number of blocks that have rows."""
        return len(self._blocks)

    def __repr__(self):
        return f"RowBlocks(n_nodes={self.n_nodes}, n_blocks={self.n_blocks})"


def row_blocks_of(adjacency, dtype, how):
    """Return any adjacency as RowBlocks, and how these are taken."""
    if isinstance(adjacency, RowBlocks):
        return adjacency, how
    if isinstance(adjacency, Graph):
        taken = adjacency._adjacency.of_dtype(dtype)
    else:
        taken = adjacency_of("adjacency", adjacency, dtype)
    taken = directed(taken, how[0])
    return RowBlocks.from_csr(taken.starts, taken.columns, taken.weights), ("rows", *how[1:])


def _cuts(indptr, edges_at_once):
    """Return where blocks of rows of up to so many edges begin and end."""
    bounds, n_nodes = [0], len(indptr) - 1
    while bounds[-1] < n_nodes:
        first = bounds[-1]
        wanted = min(int(indptr[first]) + edges_at_once, int(indptr[-1]))
        # Of the dtype of the others: NumPy would convert, and so copy, all of them.
        last = int(np.searchsorted(indptr, indptr.dtype.type(wanted), "right")) - 1
        bounds.append(min(max(last, first + 1), n_nodes))
    return bounds


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Rows of an adjacency, and where they come from."""

    name: str           # for messages
    source: object      # sparse matrix, _File or _CsrRows
    first: int
    last: int
    n_nodes: int

    @property
    def rows(self):
        """The rows among all."""
        return slice(self.first, self.last)

    def read(self, dtype, weighted=True):
        """Return them as an Adjacency whose columns count from the first row, checked."""
        shape = self.last - self.first, self.n_nodes
        if sp.issparse(self.source):
            arrays = compressed(self.name, self.source)
        else:
            arrays = self.source.read(self.name, shape)
        starts, columns, weights = checked_rows(self.name, arrays, shape, dtype, weighted)
        return Adjacency(starts, columns - np.int32(self.first), weights)


@dataclass(frozen=True)
class _File:
    """A file of scipy.sparse.save_npz."""

    path: str
    shape: tuple

    @classmethod
    def of(cls, name, path):
        if not isinstance(path, (str, Path)):
            raise TypeError(check.refusal(name, "a path or a scipy.sparse matrix", path))
        path = str(Path(path).absolute())
        with _readable(name, path), np.load(path) as arrays:
            shape = tuple(arrays["shape"].tolist())
        if len(shape) != 2:
            raise ValueError(f"{name} must have two axes; got shape {shape}")
        return cls(path, shape)

    def read(self, name, shape):
        with _readable(name, self.path):
            matrix = sp.load_npz(self.path)
        if sparse_shape(name, matrix) != shape:
            raise ValueError(f"{name} must stay of shape {shape}; got {matrix.shape}")
        return compressed(name, matrix)


@contextmanager
def _readable(name, path):
    """Tell which file it was that is not one of scipy.sparse.save_npz."""
    try:
        yield
    except (ValueError, TypeError, KeyError, EOFError, BadZipFile, zlib.error,
            NotImplementedError) as error:
        raise ValueError(f"{name} must be a file of scipy.sparse.save_npz; got {path}: "
                         f"{error}") from error


@dataclass(frozen=True)
class _CsrRows:
    """Rows of the arrays of a CSR matrix."""

    indptr: object      # as `kept` returns it, and so the others
    indices: object
    data: object
    first: int
    last: int

    def read(self, name, shape):
        """Return copies: a file may change after it was checked."""
        starts = np.array(opened(self.indptr)[self.first:self.last + 1])
        begin, end = int(starts[0]), int(starts[-1])
        indices = opened(self.indices)
        if not 0 <= begin <= end <= len(indices):
            raise ValueError(f"{name} must have indptr that rises from 0 to {len(indices)}; got "
                             f"{begin} .. {end} in rows {self.first} .. {self.last}")
        indices = np.array(indices[begin:end])
        data = np.ones(end - begin, np.int8) if self.data is None else np.array(
            opened(self.data)[begin:end])
        return starts - starts[:1], indices, data

    def __reduce__(self):
        """Carry no more than these rows where the arrays are in memory."""
        if any(isinstance(array, np.ndarray) for array in (self.indptr, self.indices, self.data)):
            arrays = self.read("indptr and indices", None)
            data = None if self.data is None else arrays[2]
            return _CsrRows, (*arrays[:2], data, 0, self.last - self.first)
        return _CsrRows, (self.indptr, self.indices, self.data, self.first, self.last)


@dataclass(frozen=True, eq=False)
class BlockedOperator(Operator):
    """The same map of a RowBlocks, whose edges are read at each hop."""

    adjacency: RowBlocks
    self_loops: str = "keep"
    weighted: bool = True

    def gather(self, features, out=None, *, added=None, **options):
        """Return the map of features, as `apply` does, block by block."""
        if out is None:
            out = np.empty(features.shape, features.dtype)
        for block in self.adjacency._blocks:
            apply(self.part(block), features[..., block.first:, :], out[..., block.rows, :],
                  added=None if added is None else added[..., block.rows, :], **options)
        return out

    def part(self, block):
        """Return the operator of a block, for features from its first row on."""
        adjacency = block.read(self.dtype, self.weighted)
        if self.self_loops == "remove":
            adjacency = adjacency.without_loops()
        loops, factors = (None if array is None else array[block.rows]
                          for array in (self.loops, self.factors))
        scales = None if self.scales is None else self.scales[block.first:]
        return Operator(adjacency, self.dtype, loops, scales, factors)


def blocked_operator(blocks, dtype, how):
    """Return the operator of a RowBlocks, taken as convlib.graph._graph.handling says."""
    measures = [measured(block, dtype, how) for block in blocks._blocks]
    columns = None
    for block in blocks._blocks if has_column_sums(how) else ():
        columns = column_sums(columns, block, dtype, how)
    return assembled(blocks, dtype, how, measures, columns)


@dataclass(frozen=True, eq=False)
class Measures:
    """What the rows of a block add to the normalization."""

    loops: np.ndarray | None = None    # their weights for themselves
    added: np.ndarray | None = None    # by these, to the sums of rows, or of columns
    sums: np.ndarray | None = None     # of the rows


def has_column_sums(how):
    """Return whether columns are summed and not rows."""
    return how[1] == "column"


def measured(block, dtype, how):
    """Return the `Measures` of a block."""
    direction, normalization, self_loops, signed, weighted = how
    if direction != "rows":
        raise ValueError("direction must be 'rows' where an adjacency comes in blocks of rows; got "
                         f"{direction!r}")
    if normalization == "none" and self_loops in ("keep", "remove"):
        return Measures()
    adjacency, loops = with_loops(block.read(dtype, weighted), dtype, self_loops)
    if normalization == "none":
        return Measures(loops)
    if normalization == "symmetric" and not signed:
        adjacency.refuse_negative(block.first)
    added = None if loops is None else loop_sums(adjacency, loops, signed)
    return Measures(loops, added, None if has_column_sums(how) else adjacency.sums(signed))


def column_sums(before, block, dtype, how):
    """Return the sums of columns of the rows before a block, and of its rows."""
    _, _, self_loops, signed, weighted = how
    adjacency, _ = with_loops(block.read(dtype, weighted), dtype, self_loops)
    before = np.zeros(block.n_nodes) if before is None else before
    return adjacency.column_sums(before, block.first, signed)


def assembled(blocks, dtype, how, measures, columns):
    """Return the operator that the measures of all blocks make, and the sums of columns."""
    _, normalization, self_loops, _, weighted = how
    dtype = np.dtype(dtype)

    def joined(name):
        parts = [getattr(part, name) for part in measures]
        return None if not parts or parts[0] is None else np.concatenate(parts)

    operator = BlockedOperator(blocks, dtype, joined("loops"), self_loops=self_loops,
                               weighted=weighted)
    if normalization == "none" or not measures:
        return operator
    sums = columns if has_column_sums(how) else joined("sums")
    if operator.loops is not None:
        sums = sums + joined("added")
    scales, factors = shares(sums, normalization, dtype)
    return replace(operator, scales=scales, factors=factors)
