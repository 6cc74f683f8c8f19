"""Tests of `convlib.tiling`: halos are exact, tiles leave no seams, and kills cost one tile."""

import signal
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from sklearn.tree import DecisionTreeClassifier

import convlib as cl
from convlib import filters, tiling
from convlib._tiling.plan import Plan
from convlib._validation import PADDING_MODES
from reference import same_bits

RNG = np.random.default_rng(0)


# Halos


def reach(function, size, stride=1, factor=1):
    """Return the pixels before and after its own that an output sees, along each axis.

    All pixels at one place of an axis are changed together, and it is seen which outputs change.
    """
    image = RNG.normal(size=size)
    whole, found = function(image), []
    for axis, n in enumerate(size):
        before, after = [0], [0]
        for place in range(n):
            changed = image.copy()
            line = np.moveaxis(changed, axis, 0)[place]
            line += 100 + 100 * RNG.random(line.shape)
            out = function(changed)
            others = tuple(k for k in range(out.ndim) if k != axis)
            for output in np.flatnonzero((abs(out - whole) > 1e-9).any(axis=others)):
                own = output * stride // factor
                before.append(own - place)
                after.append(place - own)
        found.append((max(before), max(after)))
    return tuple(found)


OF_FILTERS = [
    ("convolve", (RNG.normal(size=(4, 7)),), {}), ("correlate", (RNG.normal(size=(6, 9)),), {}),
    ("correlate", (np.ones((4, 1)),), {}), ("difference_of_gaussians", (), {"truncate": 2.0}),
    ("farid", (), {}), ("gabor", (0.3, 0.4), {"sigma_x": 1.0, "sigma_y": 2.0}),
    ("gabor", (0.3,), {"part": "imaginary"}), ("gaussian", ((0.5, 1.3),), {}),
    ("gaussian", (), {"size": (3, 5)}), ("gaussian", (1.0,), {"order": (0, 1), "truncate": 2.0}),
    ("gradient_direction", ("farid",), {}), ("gradient_magnitude", (), {"truncate": 2.0}),
    ("hessian", (), {"truncate": 2.0}), ("hessian_eigenvalues", (), {"truncate": 2.5}),
    ("kirsch", (), {}), ("laplace", (), {}), ("laplace_of_gaussian", ((0.7, 1.2),), {}),
    ("maximum", ((4, 2),), {}), ("mean", ((2, 5),), {}), ("median", (3,), {}),
    ("minimum", (), {"footprint": [[0, 1, 1], [0, 1, 0]]}), ("percentile", (30, (5, 4)), {}),
    ("prewitt", (), {"axis": 0}), ("roberts", (), {}), ("robinson", (), {}), ("scharr", (), {}),
    ("sharpen", (), {}), ("sobel", (), {}), ("structure_tensor", (0.5,), {}),
    ("unsharp_mask", (0.6,), {}),
]


def test_every_filter_is_here():
    assert {name for name, *_ in OF_FILTERS} == set(filters.__all__)


@pytest.mark.parametrize(("name", "operands", "settings"), OF_FILTERS)
def test_halos_of_filters_are_exact(name, operands, settings):
    function = getattr(filters, name)

    def run(image):
        out = function(image, *operands, **settings)
        return np.moveaxis(out, 0, -1) if out.ndim > image.ndim else out

    expected = tiling.halo(function, *operands, **settings)
    assert reach(run, (21, 23)) == expected
    assert tiling.halo(function, *operands, **settings, shape=(3, 21, 23), axes=(1, 2)) == expected


def of_one(function, *operands, **settings):
    """Return an operator as a function of one image without channels."""
    return lambda image: function(image[np.newaxis, ..., np.newaxis], *operands, **settings)[0]


KERNEL = RNG.normal(size=(3, 4, 1, 2))
WINDOWS = [
    {}, {"padding": "same"}, {"padding": ((5, 1), (0, 2)), "dilation": (2, 1)},
    {"stride": (2, 3), "padding": "same"}, {"stride": 2, "padding": 1},
]


@pytest.mark.parametrize("settings", WINDOWS)
def test_halos_of_operators_are_exact(settings):
    size = (15, 17)
    shape = (1, *size, 1)
    stride = np.broadcast_to(settings.get("stride", 1), 2)
    calls = [
        (cl.conv, (KERNEL,), {"algorithm": "direct"}), (cl.depthwise_conv, (KERNEL,), {}),
        (cl.separable_conv, (KERNEL, RNG.normal(size=(1, 1, 2, 3))), {}),
        (cl.spatially_separable_conv, (RNG.normal(size=(2, 4, 1, 1)),), {}),
        (cl.im2col, ((3, 4),), {}), (cl.lp_pool, ((3, 4),), {"stride": tuple(stride)}),
    ]
    for function, operands, own in calls:
        own = own | settings
        found = [reach(of_one(function, *operands, **own), size, int(step)) for step in stride]
        expected = tiling.halo(function, *operands, **own, shape=shape)
        assert (found[0][0], found[1][1]) == expected, function.__name__


@pytest.mark.parametrize("settings", [
    {}, {"stride": 2, "padding": "same"}, {"stride": (3, 2), "padding": 1, "dilation": (2, 1)},
    {"stride": (2, 1), "output_padding": (1, 0)},
])
def test_halos_of_what_enlarges_are_exact(settings):
    factor = np.broadcast_to(settings.get("stride", 1), 2)
    kernel = RNG.normal(size=(5, 4, 2, 1))
    found = [reach(of_one(cl.conv_transpose, kernel, **settings), (9, 8), factor=int(times))
             for times in factor]
    assert (found[0][0], found[1][1]) == tiling.halo(cl.conv_transpose, kernel, **settings)
    for kind in ("nearest", "bilinear", "bicubic"):
        found = [reach(of_one(cl.upsample, (3, 2), kind), (9, 8), factor=times)
                 for times in (3, 2)]
        assert (found[0][0], found[1][1]) == tiling.halo(cl.upsample, (3, 2), kind)


@pytest.mark.parametrize("settings", [
    {}, {"pool": None, "dilations": [1, 2]}, {"stride": 2, "kernel_size": 5, "pool_size": 3},
    {"conv": "transposed", "stride": 2, "padding": 1, "pool_size": 3, "pool_stride": 2},
    {"conv": "spatial", "kernel_size": (3, 5), "pool": None, "padding": 1},
    {"conv": "separable", "pool_size": (1, 3), "pool_stride": 1},
])
def test_halos_of_conv_features_are_exact(settings):
    size = (17, 18)
    own = cl.ConvFeatures(**{"n_kernels": 6, "output": "maps", "random_state": 0,
                             "activation": "abs"} | settings)
    own.fit(RNG.normal(size=(1, *size, 1)))
    steps = own.stride * np.broadcast_to(own.pool_stride or own.pool_size, 2)
    steps = np.ones(2, int) if own.pool is None else steps
    factor = 1
    if own.conv == "transposed":
        steps, factor = steps // own.stride, own.stride
    found = [reach(lambda image: own.transform(image[np.newaxis])[0], size, int(step), factor)
             for step in steps]
    assert (found[0][0], found[1][1]) == own.halo == tiling.halo(own)


def test_halos_of_other_transformers():
    volume = RNG.normal(size=(2, 9, 12, 13))
    assert cl.ImageFilter("mean", size=(2, 3, 5), rank=3).fit(volume).halo \
        == ((1, 0), (1, 1), (2, 2))
    pixels = cl.PixelFeatures(sigmas=[1]).fit(volume[0, 0])
    model = cl.PixelClassifier(features=pixels).fit(volume[0, 0], np.ones((12, 13), int))
    assert model.halo == pixels.halo == tiling.halo(model) == ((6, 6), (6, 6))


def test_what_has_no_halo_says_so():
    X = RNG.normal(size=(2, 9, 9, 1))
    for own in (cl.ConvFeatures(pool_size="global").fit(X), cl.DeformConvFeatures(4).fit(X)):
        assert not hasattr(own, "halo")
        with pytest.raises(TypeError, match="function must be an operator or a filter"):
            tiling.halo(own)
    for function in (np.sin, cl.deform_conv, cl.global_pool, filters):
        with pytest.raises(TypeError, match="function must be an operator or a filter"):
            tiling.halo(function)
    with pytest.raises(TypeError, match="conv: missing a required argument: 'kernel'"):
        tiling.halo(cl.conv)
    with pytest.raises(ValueError, match="shape must be given where padding is 'same'"):
        tiling.halo(cl.conv, KERNEL, padding="same", stride=2)
    with pytest.raises(ValueError, match="shape must be given where no argument tells"):
        tiling.halo(cl.max_pool, 3)


# Seams

IMAGES = RNG.normal(size=(1, 61, 67, 4)).astype(np.float32)
BYTES = RNG.integers(0, 256, (53, 49), np.uint8)
VOLUME = RNG.normal(size=(12, 17, 19))
CONVOLUTIONS = {
    "igemm": ((3, 3, 4, 5), {}), "planes": ((5, 4, 4, 2), {"dilation": (2, 1)}),
    "winograd": ((3, 3, 4, 5), {"stride": 2}), "winograd2": ((3, 3, 4, 5), {"dilation": 2}),
    "fft": ((9, 7, 4, 3), {}), "direct": ((2, 3, 4, 1), {"stride": (2, 3)}),
    "depthwise": ((3, 3, 1, 4), {"groups": 4}), "grouped": ((3, 3, 2, 4), {"groups": 2}),
    "lowrank": ((7, 7, 1, 4), {"groups": 4}), "pointwise": ((1, 1, 4, 3), {"stride": 2}),
}


def has_no_seams(function, source, *operands, tile, whole=None, **settings):
    """Return whether tiles have the bits of the whole."""
    out = tiling.map_tiles(function, source, None, *operands, tile=tile, **settings)
    if whole is None:
        whole = function(source, *operands, **settings)
    return same_bits(out, np.ascontiguousarray(whole))


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("algorithm", CONVOLUTIONS)
def test_convolutions_have_no_seams(algorithm, mode):
    shape, settings = CONVOLUTIONS[algorithm]
    kernel = np.ones(shape) if algorithm == "lowrank" else RNG.normal(size=shape)
    for padding in ("same", ((5, 2), (12, 0)), 0):
        if algorithm == "pointwise" and padding:
            continue
        assert has_no_seams(
            cl.conv, IMAGES, kernel, tile=(1, 17, 33), algorithm=algorithm, padding=padding,
            padding_mode=mode, activation="relu", **settings), padding


def test_the_algorithm_is_that_of_the_whole():
    image = RNG.normal(size=(300, 280, 1)).astype(np.float32)
    kernel = RNG.normal(size=(21, 19, 1, 1))
    whole = cl.explain_conv(image.shape, kernel, padding="same").algorithm
    part = cl.explain_conv((24, 24, 1), kernel, padding="same").algorithm
    assert whole == "fft" != part
    expected = cl.conv(image[np.newaxis], kernel, padding="same")[0]
    assert has_no_seams(cl.conv, image, kernel, tile=8, padding="same", whole=expected)
    packed = cl.pack_kernel(kernel, image.shape, padding="same", padding_mode="wrap")
    assert has_no_seams(cl.conv, image[np.newaxis], packed, tile=(1, 8, 8))


@pytest.mark.parametrize(("function", "operands", "settings"), [
    (cl.max_pool, (3,), {"stride": 2, "ceil_mode": True, "padding": 1}),
    (cl.average_pool, (4,), {"stride": 3, "ceil_mode": True, "padding": ((1, 2), (2, 1))}),
    (cl.average_pool, (4,), {"stride": 3, "padding": 2, "count_include_pad": False}),
    (cl.average_pool, ((9, 11),), {"stride": 1, "padding": "same"}),
    (cl.lp_pool, (3,), {"p": 3, "padding": 1, "stride": 2, "dilation": 2}),
    (cl.im2col, ((3, 2),), {"padding": "same", "stride": 2, "padding_mode": "reflect"}),
    (cl.upsample, (3, "bicubic"), {}), (cl.upsample, ((2, 1), "bilinear"), {}),
    (cl.channel_shuffle, (2,), {}),
    (cl.depthwise_conv, (RNG.normal(size=(3, 3, 4, 2)),), {"padding_mode": "wrap", "padding": 2}),
    (cl.separable_conv, (RNG.normal(size=(3, 3, 4, 8)), RNG.normal(size=(1, 1, 32, 24))),
     {"padding": 1, "stride": (1, 2)}),
    (cl.spatially_separable_conv, ([RNG.normal(size=(5, 4, 1)), RNG.normal(size=(3, 4, 2))],),
     {"padding": "same", "padding_mode": "symmetric"}),
    (cl.spatially_separable_conv, ([RNG.normal(size=(5, 4, 9)), RNG.normal(size=(3, 36, 2))],),
     {"padding": 1, "stride": (1, 2)}),
    (cl.conv_transpose, (RNG.normal(size=(3, 3, 5, 4)),), {"stride": 2, "padding": "same"}),
    (cl.conv_transpose, (RNG.normal(size=(5, 4, 20, 4)),),
     {"stride": (3, 2), "padding": 1, "output_padding": (1, 0)}),
    (cl.conv_transpose, (RNG.normal(size=(2, 1, 1, 4)),), {"padding": ((1, 0), (0, 1)),
                                                           "groups": 4}),
])
def test_other_operators_have_no_seams(function, operands, settings):
    assert has_no_seams(function, IMAGES, *operands, tile=(1, 17, 23), **settings)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_filters_have_no_seams(mode):
    operands = {"convolve": (KERNEL[..., 0, 0],), "correlate": (RNG.normal(size=(9, 8)),),
                "gabor": (0.2, 0.3), "percentile": (30, 7)}
    volumes = ("gaussian", "hessian_eigenvalues", "laplace", "maximum", "median", "sobel",
               "structure_tensor")
    calls = [(name, image) for name in filters.__all__ for image in (IMAGES[0, ..., 0], BYTES)]
    for name, image in calls + [(name, VOLUME) for name in volumes]:
        assert has_no_seams(
            getattr(filters, name), image, *operands.get(name, ()), padding_mode=mode,
            constant_values=3, tile=(25, 27, 11)[:image.ndim]), name


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_filters_that_run_as_convolutions_have_no_seams(mode):
    image, kernel = RNG.normal(size=(190, 180)).astype(np.float32), RNG.normal(size=(32, 31))
    for constant, own in ((0, kernel), (2, kernel[:20])):
        for function in (filters.correlate, filters.convolve):
            settings = {"padding_mode": mode, "constant_values": constant}
            assert max(tiling.grid(function, own, shape=image.shape, **settings)) > 1
            assert has_no_seams(function, image, own, tile=50, **settings)
    assert has_no_seams(filters.correlate, VOLUME, KERNEL[..., 0], tile=7, padding_mode=mode)


@pytest.mark.parametrize("settings", [
    {}, {"pool": None, "dilations": [1, 3]}, {"stride": 2, "kernel_size": 5, "pool_size": 3},
    {"n_kernels": 24, "pool_size": 3, "pool_stride": 2},
    {"kernel_size": (17, 15), "n_kernels": 3, "pool_size": 5, "pool_stride": 2},
    {"conv": "spatial", "kernel_size": (3, 5)},
    {"conv": "separable", "n_kernels": 20, "pool_size": (1, 3), "pool_stride": 1},
    {"kernels": "kmeans", "activation": "triangle", "n_kernels": 5, "kernel_size": 5},
    {"conv": "transposed", "stride": 2, "padding": 1, "pool_size": 3, "pool_stride": 2},
])
def test_conv_features_have_no_seams(settings):
    for mode in ("constant", "reflect", "wrap"):
        if settings.get("conv") == "transposed" and mode != "constant":
            continue
        own = cl.ConvFeatures(**{"n_kernels": 8, "output": "maps", "padding_mode": mode,
                                 "random_state": 0} | settings).fit(IMAGES)
        assert has_no_seams(own, IMAGES, tile=(1, 11, 13), whole=own.transform(IMAGES)), mode


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_other_estimators_have_no_seams(mode):
    own = cl.ImageFilter("hessian", sigma=1.5, padding_mode=mode, output="maps", scale=0.5)
    whole = own.fit(IMAGES).transform(IMAGES)
    assert has_no_seams(own, IMAGES, tile=(1, 20, 30), whole=whole)
    assert has_no_seams(own.transform, IMAGES[0], tile=(20, 30), whole=whole[0])
    size = IMAGES.shape[1:3]
    strokes = np.zeros(size, int)
    strokes[:5, :5] = RNG.integers(0, 3, (5, 5))
    for image, axis in ((IMAGES[0, ..., 0], None), (IMAGES[0], -1)):
        pixels = cl.PixelFeatures(sigmas=[1, 2], channel_axis=axis, padding_mode=mode)
        model = cl.PixelClassifier(DecisionTreeClassifier(), pixels).fit(image, strokes)
        pixels = model.features_
        assert has_no_seams(pixels, image, tile=(20, 33),
                            whole=pixels.transform(image).reshape(*size, -1))
        assert has_no_seams(model, image, tile=(20, 33), whole=model.predict(image))
        assert has_no_seams(model.predict_proba, image, tile=(20, 33),
                            whole=model.predict_proba(image))


# Sources and sinks


def test_shapes_and_dtypes_are_known_beforehand():
    shape = tiling.output_shape(cl.conv, KERNEL, shape=(40_000, 30_000), stride=2)
    assert shape == (19999, 14999, 2)
    for function, operands, source in (
            (cl.conv, (KERNEL,), BYTES), (filters.median, (), BYTES), (filters.hessian, (), VOLUME),
            (cl.conv, (KERNEL,), BYTES[np.newaxis, ..., np.newaxis])):
        out = tiling.map_tiles(function, source, None, *operands)
        form = {"shape": source.shape, "dtype": source.dtype}
        assert out.shape == tiling.output_shape(function, *operands, **form)
        assert out.dtype == tiling.output_dtype(function, *operands, **form)


@pytest.mark.parametrize("kind", ["memmap", "zarr", "h5py"])
def test_files_are_read_and_written(kind, tmp_path):
    image = RNG.integers(0, 256, (150, 170), np.uint8)
    form = {"shape": (50, 57, 2), "dtype": "float32"}
    settings = {"stride": 3, "padding": "same", "padding_mode": "wrap"}
    if kind == "memmap":
        source = np.memmap(tmp_path / "in", np.uint8, "w+", shape=image.shape)
        sink = np.lib.format.open_memmap(tmp_path / "out", "w+", **form)
    elif kind == "zarr":
        source = zarr.create_array(tmp_path / "in", shape=image.shape, dtype="u1", chunks=(40, 32))
        sink = zarr.create_array(tmp_path / "out", **form, chunks=(16, 20, 2))
    else:
        file = h5py.File(tmp_path / "file", "w")
        source = file.create_dataset("in", image.shape, np.uint8, chunks=(40, 32))
        sink = file.create_dataset("out", **form, chunks=(16, 20, 2))
    source[...] = image
    out = tiling.map_tiles(cl.conv, source, sink, KERNEL, **settings, working_memory=0.05,
                           resume=tmp_path / "journal")
    assert out is sink
    expected = cl.conv(image[np.newaxis, ..., np.newaxis], KERNEL, **settings)[0]
    assert same_bits(np.asarray(sink[...]), expected)
    n_tiles = len((tmp_path / "journal").read_text().splitlines()) - 1
    assert n_tiles > 3


def test_pages_of_tiff_files_are_read(tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", BYTES, tile=(16, 16))
    with tifffile.imread(tmp_path / "image.tif", aszarr=True) as store:
        out = tiling.map_tiles(filters.median, zarr.open(store, mode="r"), tile=20)
    assert same_bits(out, filters.median(BYTES))


def test_tiles_keep_to_memory_grids_and_chunks(monkeypatch):
    seen = []
    compute = Plan.result
    monkeypatch.setattr(Plan, "result", lambda plan, crop, box: (
        seen.append(box), compute(plan, crop, box))[1])
    sink = zarr.zeros((400, 400, 2), dtype="f4", chunks=(48, 64, 2))
    image = np.zeros((400, 400), np.float32)
    tiling.map_tiles(cl.conv, image, sink, KERNEL[:3, :3], padding=1, algorithm="winograd",
                     working_memory=0.5)
    assert len(seen) > 4
    for box in seen:
        assert box[0].start % 48 == 0
        assert box[1].start % 64 == 0
    seen.clear()
    tiling.map_tiles(filters.mean, np.zeros((5, 40, 40)), axes=(1, 2), working_memory=0.1)
    assert [box[0].start for box in seen] == [0, 1, 2, 3, 4]


def test_memory_is_bounded(tmp_path):
    code = """
        import resource, sys
        import numpy as np
        from convlib import filters, tiling
        block = np.random.default_rng(0).integers(0, 256, (50, 6000), np.uint8)
        with open("in", "wb") as file:
            for _ in range(100):
                file.write(block)
        source = np.memmap("in", np.uint8, "r", shape=(5000, 6000))
        sink = np.memmap("out", np.float32, "w+", shape=(5000, 6000))
        tiling.map_tiles(filters.sobel, block, n_threads=1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tiling.map_tiles(filters.sobel, source, sink, working_memory=16, n_threads=1)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert np.array_equal(sink[2000:2100], filters.sobel(source[1990:2110])[10:-10])
        print((after - before) / 1024)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path,
                            capture_output=True, text=True, check=True)
    assert float(result.stdout) < 20    # MiB; the result has 114


# Kills


JOB = """
    import os, signal
    import numpy as np
    from convlib import filters, tiling
    from convlib._tiling.plan import Plan

    result, boxes = Plan.result, []

    def dies(plan, crop, box):
        boxes.append(box)    # the first one only tells the job
        if len(boxes) == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return result(plan, crop, box)

    Plan.result = dies
    source = np.lib.format.open_memmap("in.npy", "r")
    sink = np.lib.format.open_memmap("out.npy", "r+")
    tiling.map_tiles(filters.median, source, sink, size=9, tile=64, resume="journal")
"""


def test_a_killed_job_goes_on(tmp_path, monkeypatch, capsys):
    image = RNG.integers(0, 256, (640, 512), np.uint8)
    np.save(tmp_path / "in.npy", image)
    np.save(tmp_path / "out.npy", np.zeros_like(image))
    monkeypatch.chdir(tmp_path)
    job = subprocess.run([sys.executable, "-c", textwrap.dedent(JOB)])
    assert job.returncode == -signal.SIGKILL
    journal = tmp_path / "journal"
    finished = len(journal.read_text().splitlines()) - 1
    assert finished == 7
    with journal.open("a") as file:    # the line of a tile that was being written
        file.write(str(finished))
    computed = []
    result = Plan.result
    monkeypatch.setattr(Plan, "result", lambda plan, crop, box: (
        computed.append(box), result(plan, crop, box))[1])
    sink = np.lib.format.open_memmap("out.npy", "r+")
    call = {"size": 9, "resume": "journal"}
    tiling.map_tiles(filters.median, image, sink, **call, verbose=1)
    assert len(computed) == 80 - finished + 1    # and a few pixels that tell the job
    assert same_bits(np.array(sink), filters.median(image, 9))
    assert capsys.readouterr().err.startswith("map_tiles: 327,680 of 327,680 pixels, ")
    computed.clear()
    tiling.map_tiles(filters.median, image, sink, **call)
    assert len(computed) == 1

    with pytest.raises(ValueError, match="resume must be the journal of this job; 'journal' is"):
        tiling.map_tiles(filters.median, image, sink, size=7, resume="journal")
    with pytest.raises(ValueError, match="function median there, mean here"):
        tiling.map_tiles(filters.mean, image, sink, size=9, resume="journal")
    sink[...] = 0
    with pytest.raises(ValueError, match="sink must hold the tiles"):
        tiling.map_tiles(filters.median, image, sink, **call)
    journal.write_text("a shopping list\n")
    with pytest.raises(ValueError, match="resume must be a journal of map_tiles"):
        tiling.map_tiles(filters.median, image, sink, **call)


# Errors


def test_wrong_arguments_are_refused():
    own = cl.ConvFeatures(4).fit(IMAGES)
    for error, match, call, *settings in (
            (TypeError, "source must be an array", (filters.mean, [[1.0]])),
            (TypeError, "source must be an array", (filters.mean, np.zeros(3, complex))),
            (ValueError, "empty axis", (filters.mean, np.zeros((0, 3)))),
            (ValueError, "sink must have shape", (filters.mean, BYTES, BYTES[1:].copy())),
            (ValueError, "sink must have dtype", (filters.sobel, BYTES, BYTES.copy())),
            (ValueError, "share memory", (filters.mean, BYTES, BYTES)),
            (TypeError, "sink must be what", (filters.mean, BYTES, "out.npy")),
            (ValueError, "output must be 'maps'", (own, IMAGES)),
            (TypeError, "mean: got an unexpected", (filters.mean, BYTES), {"sise": 3}),
            (ValueError, "out must be None", (filters.mean, BYTES), {"out": BYTES}),
            (ValueError, "mask must be None", (filters.mean, BYTES), {"mask": BYTES}),
            (ValueError, "leave out return_direction", (filters.kirsch, BYTES),
             {"return_direction": True}),
            (ValueError, "leave out return_indices", (cl.max_pool, IMAGES, None, 2),
             {"return_indices": True}),
            (ValueError, "resume needs a sink", (filters.mean, BYTES), {"resume": "journal"}),
            (ValueError, "images must have 1 channels", (cl.conv, IMAGES, None, KERNEL)),
            (ValueError, "working_memory", (filters.mean, BYTES), {"working_memory": 0}),
            (TypeError, "an estimator takes no", (own, IMAGES, None, 3)),
            (ValueError, "not fitted", (cl.ConvFeatures(4), IMAGES)),
    ):
        with pytest.raises(error, match=match):
            tiling.map_tiles(*call, **dict(*settings))
    broken = np.where(IMAGES > 3, np.nan, IMAGES)
    with pytest.raises(ValueError, match="source must not hold NaN"):
        tiling.map_tiles(cl.ConvFeatures(4, output="maps").fit(IMAGES), broken)
