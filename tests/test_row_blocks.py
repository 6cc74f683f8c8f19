"""Graphs and features that lie on disk, or come from dask: the same bits as in memory."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

import convlib as cl
from convlib.graph import Graph, RowBlocks, aggregate, appnp, propagate
from convlib.graph._gather import column_blocks
from convlib.graph._stored import FileArray, kept
from test_graph import random_features, random_graph

N_NODES = 150
SETTINGS = (
    {}, {"alpha": 0.2}, {"normalization": "row", "self_loops": "remove"},
    {"normalization": "column", "self_loops": "add"}, {"normalization": "none"},
    {"normalization": "none", "self_loops": "keep"}, {"signed": True},
    {"normalization": "column", "signed": True},
)


@pytest.fixture(scope="module", params=[False, True], ids=["weighted", "ones"])
def graph(request):
    matrix = random_graph(N_NODES, 0.08)
    return (matrix != 0).astype(np.int8) if request.param else matrix


def of_matrices(graph, folder):
    # Formats of all kinds, some rows with zeros stored and out of order, and no rows at all.
    spoilt = graph[90:].tocoo()
    spoilt = sp.coo_array((np.append(spoilt.data, [0, 0]).astype(graph.dtype), (
        np.append(spoilt.coords[0], [3, 3]), np.append(spoilt.coords[1], [9, 1]))), spoilt.shape)
    return RowBlocks([graph[:40].tocsc(), graph[40:40], graph[40:41].tolil(),
                      graph[41:90].tobsr((7, 10)), spoilt])


def of_files(graph, folder):
    for number, (first, last) in enumerate([(0, 70), (70, 71), (71, 71), (71, 150)]):
        part = sp.csr_matrix(graph[first:last]) if number else graph[first:last].tocoo()
        sp.save_npz(folder / f"part_{number}.npz", part, compressed=bool(number))
    return RowBlocks.from_folder(folder)


def mapped(folder, **arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return [np.load(folder / f"{name}.npy", mmap_mode="r") for name in arrays]


def of_maps(graph, folder):
    ones = (graph.data == 1).all()
    arrays = mapped(folder, starts=graph.indptr, columns=graph.indices, data=graph.data)
    return RowBlocks.from_csr(*arrays[:2], None if ones else arrays[2], edges_at_once=700)


def of_arrays(graph, folder):
    return RowBlocks.from_csr(graph.indptr.astype(np.int64), graph.indices, graph.data,
                              edges_at_once=150)


MAKERS = (of_matrices, of_files, of_maps, of_arrays)


@pytest.mark.parametrize("make", MAKERS)
def test_blocks_of_rows_give_the_bits_of_the_matrix(make, graph, tmp_path):
    blocks = make(graph, tmp_path)
    assert blocks.n_nodes == N_NODES
    assert blocks.n_blocks > 2
    again = pickle.loads(pickle.dumps(blocks))
    for dtype in ("float32", "float64"):
        features = random_features((2, N_NODES, 21), dtype)
        for settings in SETTINGS:
            expected = propagate(features, graph, 2, **settings)
            result = propagate(features, blocks, 2, **settings)
            assert result.dtype == dtype
            np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(appnp(features, again), appnp(features, graph))
        for kind in ("sum", "mean", "max", "min"):
            np.testing.assert_array_equal(
                aggregate(features, again, kind), aggregate(features, graph, kind))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("tier")
def test_columns_between_blocks_of_the_kernel_keep_their_bits(dtype):
    graph = random_graph(60, 0.2)
    for width in (1, 5, 16, 33, 64, 65, 72, 100, 130, 144, 200):
        features = random_features((60, width), dtype)
        bounds = column_blocks(width, np.dtype(dtype))
        assert bounds[0] == 0
        assert bounds[-1] == width
        expected = propagate(features, graph, 3)
        parts = [propagate(np.ascontiguousarray(features[:, first:last]), graph, 3)
                 for first, last in pairwise(bounds)]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), expected)


@pytest.mark.parametrize("working_memory", [None, 1e-3, 0.2])
@pytest.mark.parametrize("width", [3, 150, 300])
def test_features_on_disk(width, working_memory, graph, tmp_path):
    features = random_features((N_NODES, width), "float32")
    stored, = mapped(tmp_path, features=features)
    blocks = of_files(graph, tmp_path)
    for n_hops, alpha in ((0, 0), (1, 0), (2, 0), (2, 0.3), (3, 0)):
        expected = propagate(features, graph, n_hops, alpha=alpha)
        for adjacency in (graph, Graph(graph), blocks):
            out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.float32, features.shape)
            result = propagate(stored, adjacency, n_hops, alpha=alpha, out=out,
                               working_memory=working_memory)
            assert result is out
            np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    result = aggregate(stored, blocks, "max", working_memory=working_memory)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, aggregate(features, graph, "max"))


def test_hops_of_scaled_features_on_disk(monkeypatch, graph, tmp_path):
    from convlib.graph import _gather
    monkeypatch.setattr(_gather, "SCALED_NODES", 0)
    features = random_features((N_NODES, 40), "float32")
    stored, = mapped(tmp_path, features=features)
    for n_hops in (2, 3):
        np.testing.assert_array_equal(propagate(stored, of_files(graph, tmp_path), n_hops),
                                      propagate(features, graph, n_hops))


class Dataset:
    """What h5py and zarr have: shape, dtype and slices."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, key):
        return self.array[key]

    def __setitem__(self, key, value):
        self.array[key] = value


def test_features_in_a_dataset(graph):
    counts = np.random.default_rng(0).integers(0, 9, (N_NODES, 20)).astype(np.uint8)
    out = Dataset(np.zeros(counts.shape, np.float32))
    assert propagate(Dataset(counts), graph, 2, out=out) is out
    np.testing.assert_array_equal(out.array, propagate(counts, graph, 2))
    with pytest.raises(ValueError, match=r"out must be of shape .* and dtype float32"):
        propagate(Dataset(counts), graph, out=Dataset(counts))
    with pytest.raises(TypeError, match="real numbers; got complex128"):
        propagate(Dataset(counts * 1j), graph)


def test_maps_are_kept_by_their_files(tmp_path):
    array, = mapped(tmp_path, array=np.arange(12.0).reshape(4, 3))
    assert isinstance(kept(array), FileArray)
    np.testing.assert_array_equal(kept(array).open(), array)
    assert kept(array[1:]) is not array
    for other in (array[1:], np.asarray(array), array.T,
                  np.load(tmp_path / "array.npy", mmap_mode="c")):
        assert kept(other) is other


# dask


@pytest.mark.parametrize("alpha", [0, 0.2])
@pytest.mark.parametrize("settings", [{}, {"normalization": "column", "self_loops": "fill"}])
def test_dask_arrays_stay_lazy(settings, alpha, graph, tmp_path):
    da = pytest.importorskip("dask.array")
    blocks = of_maps(graph, tmp_path)
    features = random_features((N_NODES, 130), "float32")
    lazy = da.from_array(features, chunks=(64, 50))
    expected = propagate(features, graph, 2, alpha=alpha, **settings)
    for adjacency in (blocks, graph, Graph(graph)):
        result = propagate(lazy, adjacency, 2, alpha=alpha, **settings)
        assert isinstance(result, da.Array)
        assert result.dtype == np.float32
        assert result.shape == features.shape
        np.testing.assert_array_equal(result.compute(scheduler="threads"), expected)
    assert propagate(lazy, blocks, 2).chunks[0] == tuple(
        block.last - block.first for block in blocks._blocks)
    assert propagate(lazy.astype("int64"), graph, 0).dtype == np.float64


def test_dask_tasks_go_to_other_processes(graph, tmp_path):
    da = pytest.importorskip("dask.array")
    features = random_features((N_NODES, 20), "float32")
    lazy = da.from_array(features, chunks=64)
    for make in (of_files, of_arrays):
        result = propagate(lazy, make(graph, tmp_path), 2, alpha=0.1)
        result = pickle.loads(pickle.dumps(result)).compute(scheduler="sync")
        np.testing.assert_array_equal(result, propagate(features, graph, 2, alpha=0.1))


def test_dask_arrays_that_are_refused(graph):
    da = pytest.importorskip("dask.array")
    lazy = da.ones((N_NODES, 4))
    with pytest.raises(ValueError, match="out must be None where features is a dask array"):
        propagate(lazy, graph, out=np.ones((N_NODES, 4)))
    with pytest.raises(ValueError, match="of known size, as a dask array"):
        propagate(lazy[lazy[:, 0] > 0], graph)
    with pytest.raises(ValueError, match="a row for each of the 150 nodes"):
        propagate(lazy[1:], graph)


# What is refused


def test_blocks_that_are_refused(tmp_path):
    square = sp.csr_array(np.eye(4))
    for blocks in (square, [], "part.npz", None):
        with pytest.raises(TypeError, match="blocks must be a sequence of at least one path"):
            RowBlocks(blocks)
    with pytest.raises(TypeError, match=r"blocks\[1\] must be a path or a scipy"):
        RowBlocks([square[:2], np.eye(4)[2:]])
    with pytest.raises(ValueError, match=r"blocks\[0\] must have a column for each of the 6 rows"):
        RowBlocks([square[:2], square])
    with pytest.raises(ValueError, match=r"files \*\.npz"):
        RowBlocks.from_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        RowBlocks([tmp_path / "absent.npz"])
    np.save(tmp_path / "a.npy", np.eye(4))
    np.savez(tmp_path / "b.npz", array=np.eye(4))
    (tmp_path / "c.npz").write_bytes(b"nothing of that kind")
    for name in ("a.npy", "b.npz", "c.npz"):
        with pytest.raises(ValueError, match=r"must be a file of scipy\.sparse\.save_npz"):
            RowBlocks([tmp_path / name])


@pytest.mark.parametrize(("changes", "error", "match"), [
    ({"indptr": [0, 1]}, TypeError, "indptr must be an ndarray"),
    ({"indptr": np.array([1, 2])}, ValueError, "indptr must be integers that begin with 0"),
    ({"indptr": np.array([0, 2])}, ValueError, "an entry for each of the 2 edges"),
    ({"data": np.ones(2)}, ValueError, "an entry for each of the 4 edges"),
    ({"edges_at_once": 0}, ValueError, "edges_at_once must be an int, at least 1"),
])
def test_arrays_that_are_refused(changes, error, match):
    arguments = {"indptr": np.arange(5), "indices": np.arange(4)} | changes
    with pytest.raises(error, match=match):
        RowBlocks.from_csr(**arguments)


@pytest.mark.parametrize(("indptr", "indices", "data", "match"), [
    ([0, 3, 1, 4], [0, 1, 2, 0], None, "indptr"),
    ([0, 1, -7, 4], [0, 1, 2, 0], None, "indptr"),
    ([0, 1, 9, 4], [0, 1, 2, 0], None, "indptr"),
    ([0, 1, 2, 4], [0, 1, 3, 0], None, r"indices in 0 \.\. 2; got 0 \.\. 3"),
    ([0, 1, 2, 4], [0, -1, 2, 0], None, r"indices in 0 \.\. 2; got -1"),
    ([0, 1, 2, 4], [0, 1, 2, 0], [1, np.nan, 1, 1], "finite weights"),
    ([0, 1, 2, 4], [0, 1, 2, 0], [1, 1, 1, -1], "not negative; got -1 in row 2"),
])
@pytest.mark.parametrize("edges_at_once", [1, 100])
def test_broken_blocks_are_refused_before_they_are_used(
        edges_at_once, indptr, indices, data, match):
    blocks = RowBlocks.from_csr(np.array(indptr), np.array(indices), None if data is None else
                                np.array(data), edges_at_once=edges_at_once)
    with pytest.raises(ValueError, match=match):
        propagate(np.ones((3, 2)), blocks)


def test_files_that_change_are_refused(tmp_path):
    path = tmp_path / "part.npz"
    sp.save_npz(path, sp.csr_array(np.eye(4)))
    blocks = RowBlocks([path])
    sp.save_npz(path, sp.csr_array(np.eye(5)))
    with pytest.raises(ValueError, match=r"blocks\[0\] must stay of shape \(4, 4\)"):
        propagate(np.ones((4, 2)), blocks)


def test_what_needs_the_whole_matrix_refuses_blocks():
    blocks = RowBlocks([sp.csr_array(np.eye(4))])
    features = np.ones((4, 2))
    with pytest.raises(ValueError, match="direction must be 'rows'"):
        propagate(features, blocks, direction="columns")
    for call in (lambda: cl.graph.normalize_adjacency(blocks),
                 lambda: cl.graph.gcn_conv(features, blocks, np.eye(2)),
                 lambda: cl.grad.propagate_features(features, blocks)):
        with pytest.raises(TypeError, match="adjacency must be whole"):
            call()
    with pytest.raises(ValueError, match="working_memory must be"):
        propagate(features, blocks, working_memory=0)
    with pytest.raises(TypeError, match="adjacency must be a Graph"):
        cl.GraphConvTransform().fit(features, adjacency=blocks)
