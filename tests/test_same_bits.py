"""One matrix: the same bits for any threads, batches, layout of the images, process or thread.

``python tests/test_same_bits.py`` writes what is tested as a table of the documentation.
"""

import csv
import hashlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

import convlib as cl
from conftest import runnable_tiers
from convlib import filters, grad, graph
from convlib._algorithms import NAMES
from convlib._native import cpu
from reference import same_bits
from reference import sample as doubles
from test_algorithms import PROBLEMS

TABLE = Path(__file__).parents[1] / "docs" / "same_bits.csv"
N_IMAGES = 5


class Case(NamedTuple):
    """Something that has one result for some images."""

    run: Callable           # (images, n_threads) -> ndarray
    images: np.ndarray
    batched: bool = True    # whether the first axis holds samples that do not know each other


# What there is


def sample(shape):
    """Return random values of float32, the same in every process."""
    return doubles(shape).astype(np.float32)


def convolution(algorithm):
    """Return the case of an algorithm of `conv`."""
    shape, kernel_shape, settings = PROBLEMS[algorithm][0]
    kernel = sample(kernel_shape)
    return Case(
        lambda images, n_threads: cl.conv(images, kernel, algorithm=algorithm,
                                          n_threads=n_threads, **settings),
        sample((N_IMAGES, *shape)))


def operators():
    """Return the cases of the other functions on arrays."""
    images = sample((N_IMAGES, 21, 23, 8))
    square = sample((3, 3, 8, 8))
    each = sample((3, 3, 8, 2))
    mix = sample((1, 1, 16, 8))
    lines = [sample((3, 8, 1)), sample((5, 8, 1))]
    # Offsets stand beside the channels, so that they are cut with their images.
    sampled = np.concatenate([images, 2 * sample((N_IMAGES, 21, 23, 18))], -1)
    near = sparse.random_array((300, 300), density=0.05, rng=0, dtype=np.float32)
    nodes = sample((300, 19))
    same = {"padding": "same"}
    batched = {
        "conv_transpose": lambda x, n: cl.conv_transpose(x, square, stride=2, n_threads=n, **same),
        "depthwise_conv": lambda x, n: cl.depthwise_conv(x, each, n_threads=n, **same),
        "separable_conv": lambda x, n: cl.separable_conv(x, each, mix, n_threads=n, **same),
        "spatially_separable_conv":
            lambda x, n: cl.spatially_separable_conv(x, lines, n_threads=n, **same),
        "max_pool": lambda x, n: cl.max_pool(x, 3, stride=2, n_threads=n),
        "average_pool": lambda x, n: cl.average_pool(x, 3, stride=1, padding=1, n_threads=n),
        "lp_pool": lambda x, n: cl.lp_pool(x, 2, n_threads=n),
        "global_pool": lambda x, n: cl.global_pool(x, "mean", n_threads=n),
        "upsample": lambda x, n: cl.upsample(x, 2, "bilinear", n_threads=n),
        "im2col": lambda x, n: cl.im2col(x, 3, n_threads=n),
        "grad.conv_images": lambda x, n: grad.conv_images(x, square, (21, 23), n_threads=n, **same),
        "filters.gaussian": lambda x, n: filters.gaussian(x, 1.5, axes=(1, 2), n_threads=n),
        "filters.sobel": lambda x, n: filters.sobel(x, axes=(1, 2), n_threads=n),
        "filters.median": lambda x, n: filters.median(x, 5, axes=(1, 2), n_threads=n),
    }
    whole = {
        "grad.conv_kernel": (lambda x, n: grad.conv_kernel(x, x, (3, 3), n_threads=n, **same),
                             images),
        "graph.propagate": (lambda x, n: graph.propagate(x, near, 3, n_threads=n), nodes),
        "graph.gat_conv": (lambda x, n: graph.gat_conv(
            x, near, mix[0, 0, :1].repeat(19, 0), mix[0, 0, :1], mix[0, 0, 1:2], n_threads=n),
            nodes),
    }
    cases = {name: Case(run, images) for name, run in batched.items()}
    cases["deform_conv"] = Case(
        lambda x, n: cl.deform_conv(x[..., :8], square, x[..., 8:], n_threads=n, **same), sampled)
    return cases | {name: Case(run, data, batched=False) for name, (run, data) in whole.items()}


def estimators():
    """Return the cases of fitted estimators."""
    images = sample((N_IMAGES, 16, 15, 2))
    series = sample((N_IMAGES, 120))
    labels = np.arange(N_IMAGES) % 2
    strokes = (np.arange(16 * 15) % 3).reshape(16, 15)
    rows = sample((60, 7))
    seeded = {"random_state": 0}
    network = {"max_iter": 2, "batch_size": 4, **seeded}
    fitted = [
        (cl.ConvFeatures(8, **seeded).fit(images), images),
        (cl.DeformConvFeatures(8, **seeded).fit(images), images),
        (cl.ImageFilter("gaussian", sigma=1.0).fit(images), images),
        (cl.PixelFeatures(sigma_max=2, channel_axis=-1).fit(images[0]), images[0]),
        (cl.PixelClassifier(LogisticRegression(), cl.PixelFeatures(sigma_max=2, channel_axis=-1))
         .fit(images[0], strokes), images[0]),
        (cl.RocketFeatures(20, **seeded).fit(series), series),
        (cl.MiniRocketFeatures(168, **seeded).fit(series), series),
        (cl.MultiRocketFeatures(672, **seeded).fit(series), series),
        (cl.HydraFeatures(4, 2, **seeded).fit(series), series),
        (cl.GraphConvTransform("sgc", graph="knn", n_neighbors=5).fit(rows), rows),
        (cl.GraphConvClassifier("gcn", graph="knn", n_neighbors=5, max_iter=2, **seeded)
         .fit(rows, np.arange(60) % 2), rows),
        (cl.ConvNetClassifier((4,), **network).fit(images, labels), images),
        (cl.ConvNetRegressor((4,), **network).fit(images, labels), images),
    ]
    return {type(estimator).__name__: Case(Fitted(estimator), data, data.shape != images[0].shape)
            for estimator, data in fitted}


class Fitted:
    """What a fitted estimator says of images, with a number of threads."""

    def __init__(self, estimator):
        self.estimator = estimator

    def __call__(self, images, n_threads):
        estimator = copy(self.estimator)
        threads = {name: n_threads for name in estimator.get_params() if "n_threads" in name}
        if threads and n_threads is not None:
            estimator.set_params(**threads)
        for method in ("transform", "predict_proba", "predict"):
            if hasattr(estimator, method):
                return getattr(estimator, method)(images)
        raise AssertionError(f"{estimator} says nothing")


@lru_cache
def all_cases():
    """Return every case by its name."""
    convolutions = {f"conv, {name}": convolution(name) for name in NAMES}
    return convolutions | operators() | estimators()


CASES = ("conv, pointwise", "conv, depthwise", "conv, grouped", "conv, planes", "conv, lowrank",
         "conv, winograd", "conv, winograd2", "conv, fft", "conv, igemm", "conv, direct",
         "conv_transpose", "depthwise_conv", "separable_conv", "spatially_separable_conv",
         "max_pool", "average_pool", "lp_pool", "global_pool", "upsample", "im2col",
         "grad.conv_images", "filters.gaussian", "filters.sobel", "filters.median", "deform_conv",
         "grad.conv_kernel", "graph.propagate", "graph.gat_conv", "ConvFeatures",
         "DeformConvFeatures", "ImageFilter", "PixelFeatures", "PixelClassifier", "RocketFeatures",
         "MiniRocketFeatures", "MultiRocketFeatures", "HydraFeatures", "GraphConvTransform",
         "GraphConvClassifier", "ConvNetClassifier", "ConvNetRegressor")


# How they are run


def by_threads(case):
    """Yield the results of several numbers of threads."""
    for n_threads in (2, 3, 8):
        yield case.run(case.images, n_threads)


def by_batches(case):
    """Yield results put together from those of parts."""
    for stops in ((1, 2, 3, 4), (2,), (1, 4)):
        parts = np.split(case.images, stops)
        yield np.concatenate([case.run(part, 2) for part in parts])


def by_layouts(case):
    """Yield the results of the same values in other places of memory."""
    images = case.images
    read_only = images.copy()
    read_only.flags.writeable = False
    backwards = images[..., ::-1, :].copy()[..., ::-1, :]
    wide = np.repeat(images, 2, axis=-1)[..., ::2]
    for layout in (np.asfortranarray(images), read_only, backwards, wide):
        assert np.array_equal(layout, images)
        yield case.run(layout, 2)


def by_python_threads(case):
    """Yield the results of eight calls at once of the same object."""
    together = threading.Barrier(4)

    def call(_):
        together.wait()
        return case.run(case.images, None)

    with ThreadPoolExecutor(4) as pool:
        yield from pool.map(call, range(8))


WAYS = {"threads": by_threads, "batches": by_batches, "layouts": by_layouts,
        "Python threads": by_python_threads}


def applies(way, name):
    """Tell whether a way of running has a meaning for a case."""
    return way != "batches" or all_cases()[name].batched


def test_the_names_are_those_of_the_cases():
    assert tuple(all_cases()) == CASES


@pytest.mark.kernels
@pytest.mark.parametrize("name", CASES)
def test_the_bits_are_the_same(name, tier):
    case = all_cases()[name]
    expected = case.run(case.images, 1)
    for way, results in WAYS.items():
        if applies(way, name):
            for result in results(case):
                assert same_bits(result, expected), way


def test_memory_mapped_images_have_the_same_bits(tmp_path):
    for name, case in all_cases().items():
        path = tmp_path / "images.npy"
        np.save(path, case.images)
        mapped = np.load(path, mmap_mode="r")
        assert same_bits(case.run(mapped, 2), case.run(case.images, 1)), name


# Other processes


def digests(tier):
    """Return a digest of each case's result on a tier."""
    before = cpu.tier()
    cpu.set_tier(tier)
    try:
        return {name: hashlib.sha256(np.ascontiguousarray(case.run(case.images, None))).hexdigest()
                for name, case in all_cases().items()}
    finally:
        cpu.set_tier(before)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_of_joblib_give_the_same_bits(backend):
    tier = runnable_tiers()[-1]
    # By the name under which other processes find this module.
    elsewhere = import_module("test_same_bits").digests
    found = joblib.Parallel(2, backend=backend)(joblib.delayed(elsewhere)(tier) for _ in range(2))
    assert found == [digests(tier)] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_gives_the_same_bits():
    tier = runnable_tiers()[-1]
    expected = digests(tier)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = int(digests(tier) != expected)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# The table


PROCESSES = ("memory-mapped", "joblib's processes", "joblib's threads", "forked child")


def rows():
    """Return the table of what is tested."""
    marks = [[name, *("yes" if applies(way, name) else "" for way in WAYS), *["yes"] * 4]
             for name in CASES]
    return [["", *WAYS, *PROCESSES], *marks]


def test_the_table_of_the_documentation_is_what_is_tested():
    with open(TABLE, newline="") as file:
        assert list(csv.reader(file)) == rows()


if __name__ == "__main__":
    with open(TABLE, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows())
    sys.exit()
