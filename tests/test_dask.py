"""Tests of dask arrays: lazy, with the bits of NumPy's, wherever chunks begin, whoever computes."""

import os
import pickle
import signal
import subprocess
import sys
from functools import partial
from itertools import product

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster
from sklearn.exceptions import NotFittedError
from sklearn.tree import DecisionTreeClassifier

import convlib as cl
from convlib import filters
from convlib._threads import thread_count

RNG = np.random.default_rng(0)
IMAGES = RNG.random((7, 9, 10, 4), np.float32)
RASTER = RNG.random((2, 45, 52, 4), np.float32)
IMAGE = RNG.random((50, 61), np.float32)
KERNEL = RNG.random((3, 3, 4, 5), np.float32) - np.float32(0.5)
MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@pytest.fixture(autouse=True)
def _one_by_one():
    with dask.config.set(scheduler="synchronous"):
        yield


def untouched(array, chunks):
    """Return a dask array in chunks that fail as soon as one of them is computed."""
    def fail(block):
        raise AssertionError("computed before it was asked for")
    return da.from_array(array, chunks).map_blocks(fail, dtype=array.dtype, meta=array[:0])


def assert_same(call, array, chunks):
    """Compare a call with a dask array, bit by bit, with the same call with NumPy's."""
    call(untouched(array, chunks))    # is lazy
    lazy, whole = call(da.from_array(array, chunks)), call(array)
    if not isinstance(whole, tuple):
        lazy, whole = (lazy,), (whole,)
    for one, expected in zip(lazy, whole, strict=True):
        assert isinstance(one, da.Array)
        assert (one.shape, one.dtype) == (expected.shape, expected.dtype)
        assert type(one._meta) is np.ndarray
        assert one._meta.dtype == expected.dtype
        chunks = dask.compute(*one.to_delayed().ravel())
        assert [chunk.shape for chunk in chunks] == list(product(*one.chunks))
        ends = [np.cumsum(sizes) for sizes in one.chunks]
        for chunk, end in zip(chunks, product(*ends)):
            place = tuple(slice(last - n, last) for last, n in zip(end, chunk.shape))
            np.testing.assert_array_equal(chunk, expected[place])


# Images in chunks


@pytest.mark.parametrize("call", [
    lambda x: cl.conv(x, KERNEL, np.arange(5), padding="same", activation="relu"),
    lambda x: cl.conv(x, cl.pack_kernel(KERNEL, (9, 10, 4), stride=2)),
    lambda x: cl.conv(images=x, kernel=KERNEL),
    lambda x: cl.conv_transpose(x, KERNEL.swapaxes(2, 3), stride=2),
    lambda x: cl.deform_conv(x, KERNEL, RNG.random((7, 7, 8, 18)) * 0, np.ones((7, 7, 8, 9))),
    lambda x: cl.max_pool(x, 2, return_indices=True),
    lambda x: cl.global_pool(x, "std"),
    lambda x: cl.global_pool(x, "mean", True),
    lambda x: cl.max_unpool(*cl.max_pool(x, 2, return_indices=True), (9, 10)),
    lambda x: cl.col2im(cl.im2col(x, 3), (9, 10), 3),
], ids=range(10))
def test_images_in_chunks(call):
    assert_same(call, IMAGES, (3, 9, 10, 2))


def test_dtypes_are_those_of_numpy():
    for dtype in (np.uint8, np.int64, np.float16, np.float64):
        assert_same(lambda x: cl.conv(x, KERNEL), (IMAGES * 9).astype(dtype), (3, 9, 10, 4))


# Images that are cut


CHUNKS = [(1, (20, 25), (30, 22), 3), (2, (7, 3, 2, 30, 3), (1, 50, 1), 4), (2, 15, 13, 4)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chunks", CHUNKS, ids=["even", "tiny", "many"])
def test_convolutions_of_parts(mode, chunks):
    cases = [
        (1, 1, "same"), (2, 1, "same"), ((1, 3), 2, "valid"), (2, 3, ((0, 2), (3, 1))), (1, 1, 60),
    ]
    for stride, dilation, padding in cases:
        settings = {"stride": stride, "dilation": dilation, "padding": padding,
                    "padding_mode": mode}
        assert_same(lambda x, own=settings: cl.conv(x, KERNEL, algorithm="igemm", **own),
                    RASTER, chunks)


@pytest.mark.parametrize("call", [
    lambda x: cl.depthwise_conv(x, KERNEL[..., :2], padding=1),
    lambda x: cl.separable_conv(x, KERNEL[..., :2], np.ones((1, 1, 8, 3)), padding=(1, 0),
                                depthwise_bias=np.arange(8), padding_mode="edge"),
    lambda x: cl.spatially_separable_conv(x, [KERNEL[:, 0, :, :1], KERNEL[0, :, :, :1]], padding=1),
    lambda x: cl.max_pool(x, 3, stride=2, padding="same"),
    lambda x: cl.average_pool(x, (2, 3), padding=1, count_include_pad=False, ceil_mode=True),
    lambda x: cl.lp_pool(x, 3, stride=4, ceil_mode=True),
    lambda x: cl.im2col(x, 2, padding=1, padding_mode="reflect"),
    lambda x: cl.upsample(x, (2, 3), "bicubic"),
    lambda x: cl.channel_shuffle(x, 2),
], ids=range(9))
def test_other_operators_on_parts(call):
    for chunks in CHUNKS:
        assert_same(call, RASTER, chunks)


def test_signals_and_volumes_are_cut_too():
    assert_same(lambda x: cl.conv(x, np.ones((5, 2, 3)), padding="same"),
                RNG.random((2, 70, 2)), (1, 20, 2))
    assert_same(lambda x: cl.conv(x, np.ones((3, 2, 3, 1, 2)), padding=1, algorithm="igemm"),
                RNG.random((1, 12, 13, 14, 1)), (1, 6, 6, 6, 1))


def test_algorithms_with_a_grid():
    images = RNG.random((1, 64, 64, 16), np.float32)
    kernel = RNG.random((3, 3, 16, 16), np.float32) - np.float32(0.5)
    convolve = partial(cl.conv, kernel=kernel, padding="same")
    assert cl.explain_conv((64, 64, 16), kernel, padding="same").algorithm == "winograd"
    assert_same(convolve, images, (1, 32, 16, 16))    # of which four divides both
    packed = cl.pack_kernel(kernel, (64, 64, 16), padding="same")
    assert_same(lambda x: cl.conv(x, packed), images, (1, 32, 16, 16))
    beside = da.from_array(images, (1, 30, 17, 16))
    np.testing.assert_array_equal(
        convolve(beside).compute(), convolve(images, algorithm="igemm"))
    with pytest.raises(ValueError, match=r"multiples of \(4, 4\) outputs, .* another algorithm"):
        convolve(beside, algorithm="winograd")


@pytest.mark.parametrize(("stride", "dilation", "padding"), [(1, 1, 0), (2, 1, 1), (3, 2, "same")])
def test_transposed_convolutions_of_parts(stride, dilation, padding):
    settings = {"stride": stride, "dilation": dilation, "padding": padding}
    kernel = KERNEL.swapaxes(2, 3)
    grid = cl.tiling.grid(cl.conv_transpose, kernel, **settings, shape=RASTER.shape)
    step = max(grid) * 17
    assert_same(lambda x: cl.conv_transpose(x, kernel, **settings), RASTER, (1, step, step, 4))


# Filters


@pytest.mark.parametrize("name", filters.__all__)
def test_filters(name):
    further = {"correlate": (RNG.random((3, 4)),), "convolve": (RNG.random((4, 3)),),
               "gabor": (0.3,), "percentile": (30,),
               "difference_of_gaussians": (1.0,)}.get(name, ())
    function = getattr(filters, name)
    assert_same(lambda x: function(x, *further), IMAGE, (20, 25))
    assert_same(lambda x: function(x, *further, padding_mode="wrap"),
                (IMAGE * 255).astype(np.uint8), ((1, 30, 19), 61))


@pytest.mark.parametrize("mode", MODES)
def test_borders_of_filters(mode):
    settings = {"padding_mode": mode, "constant_values": 3}
    for chunks in ((20, 25), ((5, 3, 17, 1, 24), (2, 40, 19)), (50, 10)):
        assert_same(lambda x: filters.gaussian(x, (3, 1), **settings), IMAGE, chunks)
        assert_same(lambda x: filters.structure_tensor(x, **settings), IMAGE, chunks)
        assert_same(lambda x: filters.median(x, (4, 40), **settings), IMAGE, chunks)


def test_filters_with_channels_masks_and_several_results():
    stack = IMAGES[..., 0]
    assert_same(lambda x: filters.sobel(x, axes=(1, 2)), stack, (2, 4, 5))
    assert_same(lambda x: filters.mean(x, 3, channel_axis=0), stack, (3, 5, 5))
    assert_same(lambda x: filters.hessian(x, channel_axis=-1), IMAGES[0], (5, 5, 2))
    assert_same(lambda x: filters.kirsch(x, return_direction=True), IMAGE, 20)
    mask = IMAGE > 0.5
    whole = filters.mean(IMAGE, 5, mask=mask)
    for given in (mask, da.from_array(mask, 30)):
        lazy = filters.mean(da.from_array(IMAGE, 20), 5, mask=given)
        np.testing.assert_array_equal(lazy.compute(), whole)


def test_filters_that_run_by_fft_do_so_on_its_grid_and_run_otherwise_beside_it():
    image, kernel = RNG.random((300, 300), np.float32), RNG.random((15, 15))
    settings = {"padding": 7, "padding_mode": "symmetric"}
    plan = cl.explain_conv((300, 300, 1), kernel[..., None, None], **settings)
    assert plan.algorithm == "fft"
    on_grid = cl.tiling.grid(filters.correlate, kernel, shape=image.shape)
    assert max(on_grid) > 1
    assert_same(lambda x: filters.correlate(x, kernel), image, on_grid)
    beside = [filters.correlate(da.from_array(image, chunks), kernel).compute()
              for chunks in (101, (130, 77))]
    np.testing.assert_array_equal(*beside)
    np.testing.assert_allclose(beside[0], filters.correlate(image, kernel), rtol=1e-5)


# Estimators


SERIES = RNG.random((7, 40))
SCORES = ("predict", "predict_proba", "decision_function")


@pytest.mark.parametrize(("estimator", "methods", "X"), [
    (cl.ConvFeatures(random_state=0), ["transform"], IMAGES),
    (cl.ConvFeatures(output="maps", random_state=0), ["transform"], IMAGES),
    (cl.ConvFeatures(image_shape=(5, 8), random_state=0), ["transform"], SERIES),
    (cl.DeformConvFeatures(n_kernels=4, random_state=0), ["transform"], IMAGES),
    (cl.ImageFilter("hessian", output="maps"), ["transform"], IMAGES),
    (cl.RocketFeatures(100, random_state=0), ["transform"], SERIES),
    (cl.MiniRocketFeatures(random_state=0), ["transform"], SERIES),
    (cl.MultiRocketFeatures(random_state=0), ["transform"], SERIES),
    (cl.HydraFeatures(random_state=0), ["transform"], SERIES),
    (cl.GraphConvTransform(graph="knn", n_neighbors=2), ["transform"], SERIES),
    (cl.GraphConvClassifier(graph="knn", max_iter=2, random_state=0), SCORES, SERIES),
    (cl.ConvNetClassifier(max_iter=2, random_state=0), SCORES, IMAGES),
    (cl.ConvNetRegressor(max_iter=2, random_state=0), ["predict"], IMAGES),
], ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "")
def test_estimators_on_samples_in_chunks(estimator, methods, X):
    estimator.fit(X, np.arange(7) % 3)
    for name in methods:
        assert_same(getattr(estimator, name), X, (3, *X.shape[1:]))


def graph():
    adjacency = sp.random_array((30, 30), density=0.2, rng=np.random.default_rng(0), format="csr")
    return cl.graph.Graph(adjacency + adjacency.T, RNG.random((30, 4), np.float32))


def test_graphs():
    own = graph()
    numbers = np.array([[3], [9], [4], [29], [0], [3], [17]])
    features = RNG.random((30, 4))
    signals = RNG.random((5, 30, 4))
    for weights in (None, "random"):
        transform = cl.GraphConvTransform(graph=own, weights=weights, random_state=0)
        for X in (numbers, features):
            assert_same(transform.fit(X).transform, X, (3, *X.shape[1:]))
    assert_same(cl.GraphConvTransform(graph=own).fit(signals).transform, signals, (2, 30, 4))
    classifier = cl.GraphConvClassifier(graph=own, max_iter=2, random_state=0)
    classifier.fit(numbers, np.arange(7) % 3)
    for name in ("predict", "predict_proba", "decision_function"):
        assert_same(getattr(classifier, name), numbers, (3, 1))


@pytest.mark.parametrize("mode", ["symmetric", "wrap"])
@pytest.mark.parametrize("channel_axis", [None, 0, -1])
def test_pixels(mode, channel_axis):
    image = IMAGE if channel_axis is None else np.stack([IMAGE, IMAGE.T.reshape(50, 61)],
                                                        channel_axis)
    labels = np.zeros((50, 61), int)
    labels[:4], labels[20:24] = 1, 2
    features = cl.PixelFeatures(sigmas=[1], channel_axis=channel_axis, padding_mode=mode)
    assert_same(features.fit(image).transform, image, 20)
    model = cl.PixelClassifier(DecisionTreeClassifier(random_state=0), features)
    model.fit(image, labels)
    assert_same(model.predict, image, 20)
    assert_same(model.predict_proba, image, 20)


def test_samples_left_out_and_chunks_without_any():
    features = cl.ConvFeatures(random_state=0).fit(IMAGES)
    X = da.from_array(IMAGES, (2, 9, 10, 4))
    few = features.transform(X[X[:, 0, 0, 0] > np.sort(IMAGES[:, 0, 0, 0])[4]])
    assert np.isnan(few.shape[0])
    expected = features.transform(IMAGES[IMAGES[:, 0, 0, 0] > np.sort(IMAGES[:, 0, 0, 0])[4]])
    np.testing.assert_array_equal(few.compute(), expected)


def test_work_that_was_asked_for_does_not_change_with_the_estimator():
    features = cl.ConvFeatures(random_state=0).fit(IMAGES)
    lazy = features.transform(da.from_array(IMAGES, (3, 9, 10, 4)))
    expected = features.transform(IMAGES)
    features.set_params(random_state=1).fit(IMAGES)
    np.testing.assert_array_equal(lazy.compute(), expected)


# What is refused


def test_refusals():
    lazy = da.from_array(IMAGES, (3, 9, 10, 4))
    cut = lazy.rechunk((3, 4, 5, 4))
    features = cl.ConvFeatures(random_state=0).fit(IMAGES)
    cases = [
        (ValueError, "images must have 3 channels", lambda: cl.conv(lazy, KERNEL[:, :, :3])),
        (ValueError, "out must be None where images is a dask array",
         lambda: cl.conv(lazy, KERNEL, out=np.empty(1))),
        (ValueError, r"images must hold whole images .* images.rechunk\(\{1: -1, 2: -1\}\)",
         lambda: cl.max_pool(cut, 2, return_indices=True)),
        (ValueError, "images must hold whole images", lambda: cl.global_pool(cut, "mean")),
        (ValueError, "X must hold whole images", lambda: features.transform(cut)),
        (ValueError, "X must hold images like those of fit",
         lambda: features.transform(lazy[:, 1:])),
        (NotFittedError, "not fitted", lambda: cl.ConvFeatures().transform(lazy)),
        (ValueError, "of known size along all axes but the first",
         lambda: cl.conv(lazy[:, lazy[0, :, 0, 0] > 0.5], KERNEL)),
        (ValueError, "image must be of known size; got shape",
         lambda: filters.mean(lazy[lazy[:, 0, 0, 0] > 0.5, 0, :, 0])),
        (TypeError, "size", lambda: filters.median(lazy[0, ..., 0], "3")),
    ]
    for error, words, call in cases:
        with pytest.raises(error, match=words):
            call()


def test_features_are_not_put_into_frames():
    features = cl.ConvFeatures(random_state=0).fit(IMAGES).set_output(transform="pandas")
    with pytest.raises(ValueError, match="set_output must be 'default'"):
        features.transform(da.from_array(IMAGES, (3, 9, 10, 4)))


# What it costs


def test_dask_is_not_imported_for_numpy():
    script = """
        import sys, numpy as np, convlib as cl
        from convlib import filters
        cl.conv(np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 1)))
        filters.gaussian(np.ones((4, 4)))
        assert not {"dask", "distributed"} & set(sys.modules)
    """
    lines = "\n".join(line.strip() for line in script.splitlines())
    subprocess.run([sys.executable, "-c", lines], check=True)


def test_what_tasks_share_is_sent_once():
    kernel = RNG.random((5, 5, 4, 200))
    images = da.zeros((64, 9, 10, 4), chunks=(1, 9, 10, 4))
    assert len(pickle.dumps(cl.conv(images, kernel).__dask_graph__())) < 1.2 * kernel.nbytes + 2**16
    packed = cl.pack_kernel(kernel, (9, 10, 4), algorithm="fft")
    assert len(pickle.dumps(packed)) < kernel.nbytes    # packed, it takes more


def test_tasks_share_the_threads():
    def threads(block):
        return np.full(block.shape, thread_count(None, 1.0))

    def used(**scheduler):
        found = cl._dask.by_samples(
            threads, [da.zeros(4, chunks=1)], np.zeros(4, int), "threads")
        return set(found.compute(**scheduler).tolist())

    cl.conv(da.zeros((1, 3, 3, 1)), np.ones((3, 3, 1, 1)))    # loads convlib._dask
    alone = thread_count(None, 1.0)
    assert used(scheduler="synchronous") == {alone}
    assert used(scheduler="threads") == {max(1, alone // CPU_COUNT)}
    assert thread_count(None, 1.0) == alone


# Workers


@pytest.fixture(scope="module")
def client():
    """Two workers, each a process with one thread."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0",
                      host="127.0.0.1") as cluster, Client(cluster) as client:
        yield client


def test_workers(client):
    with dask.config.set(scheduler=client):
        features = cl.ConvFeatures(random_state=0).fit(IMAGES)
        assert_same(features.transform, IMAGES, (3, 9, 10, 4))
        assert_same(lambda x: filters.gaussian(x, 2), IMAGE, 20)
        assert set(client.run(thread_count, None, 1.0).values()) == {1}


def test_a_worker_that_dies_changes_nothing(client, tmp_path):
    marker = str(tmp_path / "killed")

    def kill_one(block, block_id):
        if block_id == (2, 1):
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return block
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    raster = da.from_array(IMAGE, (10, 20)).map_blocks(kill_one, dtype=IMAGE.dtype)
    lazy = filters.median(raster, 5)
    with dask.config.set(scheduler=client):
        np.testing.assert_array_equal(lazy.compute(), filters.median(IMAGE, 5))
    assert os.path.exists(marker)
