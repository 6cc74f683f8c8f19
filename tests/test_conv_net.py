"""ConvNetClassifier and ConvNetRegressor: they learn, keep their bits, and are scikit-learn's."""

import operator
import pickle
from unittest import mock

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import convlib as cl
from convlib import layers as nn
from convlib._layers import room as room_module
from convlib._layers.room import Room
from convlib.estimators import _training as training
from convlib.estimators._conv_network import ConvNetwork

QUICK = {"max_iter": 40, "learning_rate_init": 0.02, "random_state": 0}
SIGNALS = {"hidden_channels": (8,), "kernel_size": (3,)} | QUICK


def expected_failures(estimator):
    """Return the checks that settings rule out: some depend on the number of rows."""
    if not estimator.early_stopping:
        return {}
    reason = "which rows are set aside, and the statistics of batches, depend on the rows"
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks([
    cl.ConvNetClassifier(**SIGNALS),
    cl.ConvNetRegressor(**SIGNALS),
    cl.ConvNetClassifier(**SIGNALS, layers=[nn.Conv(6), nn.BatchNorm(), nn.Activation()],
                         solver="sgd", early_stopping=True, validation_fraction=0.5),
], expected_failed_checks=expected_failures)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


X, Y = load_digits(return_X_y=True)
IMAGES = (X / 16).reshape(-1, 8, 8, 1).astype(np.float32)
BLOCKS = [
    nn.Conv(8, bias=False), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool(),
    nn.Residual([nn.Conv(8, activation="relu"), nn.DepthwiseConv()]),
    nn.Branches([nn.Conv(4, 1)], [nn.Conv(4, activation="relu")]), nn.Dropout(0.2),
    nn.GlobalPool(),
]


def small(**parameters):
    return cl.ConvNetClassifier(**{"hidden_channels": (8, 12), "max_iter": 4, "random_state": 0,
                                   "batch_size": 64} | parameters)


@pytest.mark.parametrize("layers", [
    None, BLOCKS[:6], [nn.DeformConv(8, activation="relu"), nn.MaxPool()],
    [nn.SeparableConv(16, activation="relu"), nn.ChannelShuffle(4), nn.Conv(8, groups=4),
     nn.AveragePool()],
    [nn.Conv(8, stride=2, activation="relu"), nn.TransposedConv(4)],
])
def test_overfits_twenty_samples(layers):
    network = small(layers=layers, max_iter=300, learning_rate_init=0.01, tol=0, alpha=0,
                    n_iter_no_change=300)
    network.fit(IMAGES[:20], Y[:20])
    assert network.loss_ < 0.01
    assert network.score(IMAGES[:20], Y[:20]) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layers", [None, BLOCKS])
def test_same_bits_for_any_number_of_threads_and_blocks(layers, dtype):
    images = IMAGES[:200].astype(dtype)
    first = small(layers=layers, n_threads=1, max_iter=2).fit(images, Y[:200])
    expected = first.predict_proba(images)
    assert expected.dtype == dtype
    for n_threads in (2, 3):
        other = small(layers=layers, n_threads=n_threads, max_iter=2).fit(images, Y[:200])
        assert other.loss_curve_ == first.loss_curve_
        for name, array in other.coefs_.items():
            np.testing.assert_array_equal(array, first.coefs_[name])
        np.testing.assert_array_equal(other.predict_proba(images), expected)
    first.set_params(working_memory=0.05)
    np.testing.assert_array_equal(first.predict_proba(images), expected)
    np.testing.assert_array_equal(first.predict_proba(images[7:8]), expected[7:8])


def test_steps_of_training_use_memory_again():
    """Every step has the gradients that new memory gives, and takes none after the first."""
    rng = np.random.default_rng(0)
    network = ConvNetwork((*BLOCKS[:6], nn.AveragePool(), nn.Flatten(), nn.Dense(10)), (8, 8, 1),
                          rng, np.dtype(np.float32), 2)
    network.load = lambda batch: IMAGES[batch]
    network.loss_of = lambda outputs, batch: training.softmax_cross_entropy(outputs, Y[batch])
    network.unsettle()
    blocks = None
    for batch in (slice(0, 40), slice(40, 80), slice(80, 110)):
        room, network.room = network.room, Room()
        expected = network.loss_and_gradients(batch, rng)
        network.room = room
        loss, gradients = network.loss_and_gradients(batch, rng)
        assert loss == expected[0]
        for array, other in zip(gradients, expected[1], strict=True):
            np.testing.assert_array_equal(array, other)
        assert blocks is None or all(map(operator.is_, room._blocks, blocks))
        blocks = list(room._blocks)
    assert len(blocks) > 10
    with mock.patch.object(room_module, "MOST_BYTES", 40):
        small_room = Room()
        assert small_room.array((2, 3), np.dtype(np.float32)).shape == (2, 3)
        assert small_room.array((5,), np.dtype(np.float32)) is None
        small_room.begin()
        assert small_room.array((5,), np.dtype(np.float32)).shape == (5,)


def test_learns_digits():
    network = small(hidden_channels=(16, 32), max_iter=12, learning_rate_init=0.005)
    network.fit(IMAGES[:1200], Y[:1200])
    pixels = LogisticRegression(max_iter=1000).fit(X[:1200], Y[:1200])
    assert network.score(IMAGES[1200:], Y[1200:]) > pixels.score(X[1200:], Y[1200:])
    assert network.n_iter_ == len(network.loss_curve_) == 12
    assert network.loss_curve_[-1] < 0.2 * network.loss_curve_[0]
    assert network.coefs_["0.kernel"].shape == (3, 3, 1, 16)
    assert network.input_shape_ == (8, 8, 1)


def test_shapes_of_x_agree():
    flat = small(image_shape=(8, 8), scale=1 / 16).fit(X[:200].astype(np.float32), Y[:200])
    maps = small().fit(IMAGES[:200], Y[:200])
    planes = small().fit(IMAGES[:200, ..., 0], Y[:200])
    expected = maps.predict_proba(IMAGES)
    np.testing.assert_array_equal(planes.predict_proba(IMAGES), expected)
    np.testing.assert_allclose(
        flat.predict_proba(X.astype(np.float32)), expected, rtol=1e-3, atol=1e-6)
    with pytest.raises(ValueError, match="of shape"):
        maps.predict(IMAGES[:, :7])


def test_pickle_keeps_the_bits_and_goes_on():
    network = small(layers=BLOCKS).fit(IMAGES[:200], Y[:200])
    loaded = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(
        loaded.predict_proba(IMAGES), network.predict_proba(IMAGES))
    for one in (network, loaded):
        one.partial_fit(IMAGES[200:400], Y[200:400])
    np.testing.assert_array_equal(
        loaded.predict_proba(IMAGES), network.predict_proba(IMAGES))


def test_partial_fit_is_an_epoch_of_fit():
    whole = small(max_iter=3).fit(IMAGES[:200], Y[:200])
    parts = small()
    for _ in range(3):
        parts.partial_fit(IMAGES[:200], Y[:200], classes=np.arange(10))
    assert parts.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(parts.predict_proba(IMAGES), whole.predict_proba(IMAGES))
    assert parts.n_iter_ == 3
    with pytest.raises(ValueError, match="classes must be given"):
        small().partial_fit(IMAGES[:9], Y[:9])
    with pytest.raises(ValueError, match="those of before"):
        parts.partial_fit(IMAGES[:9], Y[:9], classes=[0, 1])
    with pytest.raises(ValueError, match=r"y must hold the classes"):
        parts.partial_fit(IMAGES[:9], Y[:9] + 5)


def test_warm_start_goes_on_and_fit_starts_again():
    network = small(warm_start=True, max_iter=3).fit(IMAGES[:200], Y[:200])
    first = list(network.loss_curve_)
    network.fit(IMAGES[:200], Y[:200])
    assert network.loss_curve_[:3] == first
    assert network.loss_curve_[3] < first[0]
    assert network.n_iter_ == 6
    network.set_params(warm_start=False).fit(IMAGES[:200], Y[:200])
    assert network.loss_curve_ == first


def test_early_stopping_keeps_the_best_weights():
    network = small(early_stopping=True, validation_fraction=0.3, max_iter=60,
                    learning_rate_init=0.02, n_iter_no_change=4)
    network.fit(IMAGES[:300], Y[:300])
    assert len(network.validation_scores_) == network.n_iter_ < 60
    best = network.validation_scores_[network.best_iter_ - 1]
    assert best >= max(network.validation_scores_) - network.tol


def test_weights_of_samples_and_classes():
    images, y = IMAGES[:120], (Y[:120] > 7).astype(int)
    settings = {"batch_size": 120, "shuffle": False, "max_iter": 5}
    weights = np.where(y == 1, 3.0, 1.0)
    by_sample = small(**settings).fit(images, y, sample_weight=weights)
    by_class = small(**settings, class_weight={0: 1, 1: 3}).fit(images, y)
    np.testing.assert_allclose(
        by_sample.predict_proba(images), by_class.predict_proba(images), rtol=1e-5)
    plain = small(**settings).fit(images, y)
    balanced = small(**settings, class_weight="balanced").fit(images, y)
    shares = [network.predict_proba(images)[:, 1].mean() for network in (plain, balanced)]
    assert shares[1] > shares[0]


def test_regression_of_several_numbers():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((300, 6, 6, 1)).astype(np.float32)
    targets = np.stack([images.mean(axis=(1, 2, 3)) * 6, images.max(axis=(1, 2, 3)) - 2], axis=1)
    network = cl.ConvNetRegressor((16,), max_iter=80, batch_size=32, learning_rate_init=0.005,
                                  random_state=0).fit(images[:250], targets[:250])
    assert network.predict(images).shape == (300, 2)
    assert network.score(images[:250], targets[:250]) > 0.8
    assert network.n_outputs_ == 2
    assert network.fit(images, targets[:, 0]).predict(images).shape == (300,)


def test_grid_search_chooses_among_layers():
    search = GridSearchCV(small(), {
        "layers": [[nn.Conv(4), nn.GlobalPool()], [nn.Conv(8, activation="relu"), nn.MaxPool()]],
        "solver": ["adam", "sgd"]}, cv=2, error_score="raise").fit(IMAGES[:200], Y[:200])
    assert len(search.cv_results_["params"]) == 4
    assert clone(search.best_estimator_).layers == search.best_params_["layers"]


def test_summary_and_html(capsys):
    network = small(image_shape=(8, 8))
    network.summary()
    before = capsys.readouterr().out
    assert "MaxPool" in before
    assert "8 x 8 x 8" in before
    assert "<table>" in network._repr_html_()
    assert "ConvNetClassifier" in small()._repr_html_()
    network.fit(X[:100], Y[:100]).summary()
    assert "Dense" in capsys.readouterr().out
    with pytest.raises(ValueError, match="input_shape must be given"):
        small().summary()


@pytest.mark.parametrize(("parameters", "message"), [
    ({"layers": []}, "at least one"), ({"layers": ["conv"]}, "must be a layer"),
    ({"layers": [nn.Conv(4, 11, padding=0)]}, r"layers\[0\]"),
    ({"hidden_channels": (0,)}, r"hidden_channels\[0\]"), ({"solver": "lbfgs"}, "solver"),
    ({"activation": "abs"}, "activation"), ({"alpha": -1}, "alpha"),
    ({"batch_size": 0}, "batch_size"), ({"learning_rate": "fast"}, "learning_rate"),
    ({"validation_fraction": 1.5}, "validation_fraction"), ({"max_iter": 0}, "max_iter"),
    ({"scale": 0}, "scale"), ({"working_memory": -1}, "working_memory"),
])
def test_wrong_parameters_are_refused(parameters, message):
    with pytest.raises((TypeError, ValueError), match=message):
        small(**parameters).fit(IMAGES[:40], Y[:40])


def test_unfitted_networks_say_so():
    with pytest.raises(NotFittedError):
        small().predict(IMAGES)


def test_too_large_steps_are_told():
    with pytest.raises(ValueError, match="too large for these data"), np.errstate(all="ignore"):
        small(learning_rate_init=1e9, solver="sgd", momentum=0, max_iter=50).fit(
            IMAGES[:100], Y[:100])


# A trained network as features


def test_a_layer_as_a_transformer():
    network = small(layers=[nn.Conv(8, activation="relu"), nn.MaxPool(), nn.Flatten(),
                            nn.Dense(16, "relu")], max_iter=20, learning_rate_init=0.005)
    network.fit(IMAGES[:300], Y[:300])
    last = network.as_transformer()
    features = last.transform(IMAGES)
    assert features.shape == (len(IMAGES), 16)
    scores = features @ network.coefs_["4.weight"] + network.coefs_["4.bias"]
    np.testing.assert_allclose(scores, network.decision_function(IMAGES), rtol=1e-4, atol=1e-4)
    maps = network.as_transformer(layer=1)
    assert maps.transform(IMAGES).shape == (len(IMAGES), 4 * 4 * 8)
    assert maps.get_feature_names_out()[8] == "layer1_k0_r0c1"
    # No number is right for a small network that saw 300 images. But of images it has not seen, a
    # linear model of its features tells about as many apart as the network, and more than one of
    # features that hardly learnt.
    rows = slice(300, 900)

    def score(features):
        model = make_pipeline(features, LogisticRegression(max_iter=1000))
        return cross_val_score(model, IMAGES[rows], Y[rows], cv=3).mean()

    early = clone(network).set_params(max_iter=1).fit(IMAGES[:300], Y[:300]).as_transformer()
    assert score(last) > max(score(early), network.score(IMAGES[rows], Y[rows]) - 0.02)
    network.partial_fit(IMAGES[:300], Y[:300])
    np.testing.assert_array_equal(last.transform(IMAGES), features)
    assert clone(last) is last
    loaded = pickle.loads(pickle.dumps(last))
    np.testing.assert_array_equal(loaded.transform(IMAGES), features)
    with pytest.raises(ValueError, match="layer must be"):
        network.as_transformer(7)


def test_kernels_of_one_layer_by_backpropagation():
    learnt, random = (make_pipeline(
        cl.ConvFeatures(8, kernels=kernels, pool_size=4, random_state=0),
        LogisticRegression(max_iter=2000)) for kernels in ("backprop", "random"))
    scores = [model.fit(IMAGES[:900], Y[:900]).score(IMAGES[900:], Y[900:])
              for model in (learnt, random)]
    assert scores[0] > scores[1]
    features = learnt[0]
    assert features.kernels_.shape == (3, 3, 1, 8)
    assert features.kernels_.dtype == np.float32
    other = clone(features).set_params(n_threads=1).fit(IMAGES[:900], Y[:900])
    np.testing.assert_array_equal(other.kernels_, features.kernels_)
    np.testing.assert_array_equal(other.bias_, features.bias_)


@pytest.mark.parametrize(("parameters", "y", "message"), [
    ({}, None, "requires y"), ({"conv": "depthwise"}, Y[:50], "goes with"),
    ({"pool": "std", "pool_size": "global"}, Y[:50], "goes with"),
    ({"dilations": (1, 2)}, Y[:50], "goes with"), ({}, Y[:50] + 0.5, "Unknown label type"),
])
def test_what_backpropagation_of_a_layer_does_not_take(parameters, y, message):
    with pytest.raises(ValueError, match=message):
        cl.ConvFeatures(4, kernels="backprop", **parameters).fit(IMAGES[:50], y)
