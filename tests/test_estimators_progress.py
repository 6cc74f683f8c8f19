"""What estimators tell of their progress: lines where they are verbose, callbacks in fit."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.pipeline import make_pipeline

import convlib as cl

RNG = np.random.default_rng(0)
IMAGES, CLASSES = RNG.random((6, 8, 8), np.float32), np.arange(6) % 2
SERIES = RNG.random((5, 40), np.float32)
PICTURE = RNG.random((20, 30), np.float32)
STROKES = np.zeros((20, 30), int)
STROKES[2:4, 2:9], STROKES[15:17, 20:28] = 1, 2
PATH = sp.csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
GRAPHS = [cl.graph.Graph(PATH, RNG.random((3, 2))) for _ in range(4)]


def forest():
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=0)


# An estimator, what it is fitted with, what it tells in fit, and in transform or predict.
CASES = {
    "ConvFeatures": (cl.ConvFeatures(2, random_state=0), (IMAGES,), "", "6 of 6 images"),
    "backprop": (cl.ConvFeatures(2, kernels="backprop", random_state=0), (IMAGES, CLASSES),
                 "30 of 30 epochs", "6 of 6 images"),
    "sizes": (cl.ConvFeatures(2, pool_size="global"), ([PICTURE, PICTURE.T],), "",
              "2 of 2 images"),
    "DeformConvFeatures": (cl.DeformConvFeatures(2, random_state=0), (IMAGES,), "",
                           "6 of 6 images"),
    "ImageFilter": (cl.ImageFilter("sobel"), (IMAGES,), "", "6 of 6 images"),
    "PixelFeatures": (cl.PixelFeatures(sigmas=[1]), (PICTURE,), "", "600 of 600 pixels"),
    "PixelClassifier": (cl.PixelClassifier(forest(), cl.PixelFeatures(sigmas=[1])),
                        (PICTURE, STROKES), "of 2 steps", "600 of 600 pixels"),
    "RocketFeatures": (cl.RocketFeatures(20), (SERIES,), "", "5 of 5 series"),
    "MiniRocketFeatures": (cl.MiniRocketFeatures(168), (SERIES,), "2 of 2 dilations",
                           "5 of 5 series"),
    "MultiRocketFeatures": (cl.MultiRocketFeatures(1344), (SERIES,), "of 4 dilations",
                            "5 of 5 series"),
    "HydraFeatures": (cl.HydraFeatures(2, 4), (SERIES,), "", "5 of 5 series"),
    "GraphConvTransform": (cl.GraphConvTransform(), (GRAPHS,), "", "4 of 4 graphs"),
    "hops": (cl.GraphConvTransform(n_hops=3, graph=cl.graph.Graph(PATH, RNG.random((3, 2)))),
             (np.arange(3).reshape(-1, 1),), "", "3 of 3 hops"),
    "GraphPool": (cl.GraphPool(), (GRAPHS,), "", "4 of 4 graphs"),
    "ConvNetClassifier": (cl.ConvNetClassifier((2,), max_iter=2), (IMAGES, CLASSES), "",
                          "6 of 6 images"),
}


@pytest.mark.parametrize("case", CASES)
def test_lines_tell_what_is_done_and_only_if_they_are_asked_for(case, capfd):
    estimator, data, in_fit, after = CASES[case]
    results = []
    for verbose in (0, 1):
        estimator.set_params(verbose=verbose).fit(*data)
        told = capfd.readouterr().err.splitlines()
        assert (in_fit in told[-1]) if in_fit and verbose else told == []
        name = "transform" if hasattr(estimator, "transform") else "predict"
        results.append(getattr(estimator, name)(data[0]))
        told = capfd.readouterr().err.splitlines()
        if verbose:
            assert told[-1].startswith(f"{type(estimator).__name__}: {after}")
        else:
            assert told == []
    if case not in ("sizes", "GraphConvTransform") and getattr(
            estimator, "random_state", 0) is not None:
        np.testing.assert_array_equal(*results)


class Watch:
    """A callback that remembers what it saw."""

    max_propagation_depth = None

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def on_fit_task_begin(self, estimator, context, **others):
        self.seen.append(f"{context.estimator_name} {context.task_name}")

    def on_fit_task_end(self, estimator, context, **others):
        self.seen.append(f"end of {context.task_name}")

    def teardown(self, estimator, context):
        self.seen.append("teardown")


@pytest.mark.parametrize("case", CASES)
def test_callbacks_see_fit_begin_and_end(case):
    pytest.importorskip("sklearn.callback")
    estimator, data, *_ = CASES[case]
    watch = Watch()
    name = type(estimator).__name__
    estimator.set_params(verbose=0).set_callbacks(watch).fit(*data)
    estimator.set_callbacks()
    assert watch.seen[:2] == ["setup", f"{name} fit"]
    assert watch.seen[-2:] == ["end of fit", "teardown"]
    steps = {"backprop": 30, "PixelClassifier": 2, "MiniRocketFeatures": 2,
             "MultiRocketFeatures": 4, "ConvNetClassifier": 2}.get(case, 0)
    assert len(watch.seen) == 4 + 2 * steps


@pytest.mark.parametrize("case", ["ConvFeatures", "PixelClassifier", "ConvNetClassifier"])
def test_callbacks_end_where_fit_fails(case):
    pytest.importorskip("sklearn.callback")
    failing = {
        "ConvFeatures": (cl.ConvFeatures(2, 3, padding="valid"), (IMAGES[:, :2],)),
        "PixelClassifier": (cl.PixelClassifier(cl.ConvFeatures(), cl.PixelFeatures(sigmas=[1])),
                            (PICTURE, STROKES)),
        "ConvNetClassifier": (cl.ConvNetClassifier((2,), solver="sgd", learning_rate_init=1e30),
                              (IMAGES, CLASSES)),
    }
    estimator, data = failing[case]
    watch = Watch()
    with pytest.raises(ValueError), np.errstate(all="ignore"):
        estimator.set_callbacks(watch).fit(*data)
    assert watch.seen[0] == "setup"
    assert watch.seen[-1] == "teardown"
    assert "end of fit" not in watch.seen
    assert not [name for name in vars(estimator) if name.startswith("_callback")]


def test_callbacks_of_a_pipeline_reach_its_steps():
    pytest.importorskip("sklearn.callback")
    watch = Watch()
    model = make_pipeline(cl.ImageFilter("gaussian", output="maps"),
                          cl.ConvFeatures(2, kernels="backprop", random_state=0),
                          cl.ConvNetClassifier((2,), kernel_size=(1,), max_iter=2))
    model.set_callbacks(watch).fit(IMAGES, CLASSES)
    for name in ("ImageFilter fit", "ConvFeatures fit", "ConvFeatures epoch",
                 "ConvNetClassifier epoch"):
        assert name in watch.seen
    assert watch.seen[-1] == "teardown"
