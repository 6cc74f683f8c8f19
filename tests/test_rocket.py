"""RocketFeatures, MiniRocketFeatures, MultiRocketFeatures and HydraFeatures.

Counts must equal those of the reference, except where a value stands within rounding of what it is
compared with. The tests count these ties, and see to it that they are few.
"""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import reference_rocket as reference
from convlib import HydraFeatures, MiniRocketFeatures, MultiRocketFeatures, RocketFeatures

MOST_TIES = 3e-4    # share of the points compared

SMALL = {
    "rocket": RocketFeatures(60, random_state=0),
    "plain rocket": RocketFeatures(61, normalize=False, random_state=1),
    "mini": MiniRocketFeatures(84 * 9, random_state=0),
    "few": MiniRocketFeatures(84 * 13, max_dilations=2, normalize=True, random_state=1),
    "multi": MultiRocketFeatures(672 * 3, random_state=0),
    "hydra": HydraFeatures(3, 5, random_state=0),
    "lone hydra": HydraFeatures(9, 1, max_channels=3, normalize=True, random_state=1),
}


@parametrize_with_checks([
    RocketFeatures(4), MiniRocketFeatures(84), MultiRocketFeatures(672), HydraFeatures(2, 2),
])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


def series_of(shape, dtype=np.float64):
    """Return series with slow and fast parts."""
    values = np.random.default_rng(0).standard_normal(shape)
    return (np.cumsum(values, axis=1) / 4 + values).astype(dtype)


LENGTHS = 5, 33, 1, 100, 64
CASES = {
    "one": series_of((1, 33)),
    "several": series_of((4, 150)),
    "primes": series_of((3, 131)),
    "channels": series_of((3, 70, 3)),
    "many channels": series_of((2, 40, 12)),
    "short": series_of((3, 4)),
    "points": series_of((5, 1)),
    "unequal": [series_of((1, n))[0] for n in LENGTHS],
    "unequal channels": [series_of((1, n, 2))[0] for n in LENGTHS],
    "long": series_of((1, 2500)),
    "constant": np.concatenate([series_of((2, 50)), np.full((1, 50), 0.1)]),
}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


def cast(X, dtype):
    return [one.astype(dtype) for one in X] if isinstance(X, list) else X.astype(dtype)


def prepared(estimator, X, dtype):
    """Return series as the kernels see them, in float64."""
    prepared = []
    for one in X:
        one = one.astype(dtype).astype(np.float64).reshape(len(one), -1)
        one = reference.lengthened(one, estimator.min_length_)
        if estimator.normalize:
            one = reference.normalized(one).astype(dtype).astype(np.float64)
        prepared.append(one)
    return prepared


def rounding(sizes, dtype):
    """Return how far a sum of some products may be off."""
    return 12 * np.finfo(dtype).eps * sizes


class Ties:
    """How many points stand within rounding of what they are compared with."""

    def __init__(self):
        self.points = self.ties = 0

    def count(self, values, sizes, thresholds, dtype):
        """Return how many of the values may be taken for positive or not."""
        off = rounding(sizes + np.abs(thresholds), dtype)
        ties = int((np.abs(values - thresholds) < off).sum())
        self.points += len(values)
        self.ties += ties
        return ties

    def check(self):
        found = f"{self.ties} ties of {self.points} points"
        print(found)    # pytest -rP shows it
        assert self.ties <= MOST_TIES * self.points, found


@pytest.mark.kernels
@pytest.mark.parametrize("case", [name for name in CASES if name not in ("constant", "points")])
@pytest.mark.parametrize("name", ["rocket", "plain rocket"])
def test_rocket_is_the_reference(name, case, dtype, tier):
    X = cast(CASES[case], dtype)
    estimator = clone(SMALL[name]).fit(X)
    features = estimator.transform(X)
    assert features.dtype == dtype
    ties = Ties()
    for series, row in zip(prepared(estimator, X, dtype), features):
        for k, kernel in enumerate(estimator.kernels_):
            kernel = kernel.astype(dtype).astype(np.float64)
            values, sizes = reference.convolution(
                series[:, estimator.channels_[k]], kernel, estimator.dilations_[k],
                estimator.paddings_[k])
            values += estimator.bias_.astype(dtype)[k]
            n_ties = ties.count(values, sizes + 1, 0, dtype)
            wrong = abs(round(row[2 * k] * len(values)) - (values > 0).sum())
            assert wrong <= n_ties
            assert abs(row[2 * k + 1] - values.max()) <= rounding(sizes + 1, dtype).max()
    ties.check()


def has_plateau(estimator, case):
    """Return whether the zeros at the end of short series are another value after normalising.

    Kernels without a bias have a sum of zero there, but for rounding: all of it are ties.
    """
    return estimator.normalize and case == "unequal"


def parts_of(estimator):
    """Return (dilations, biases, channels) for series and for differences."""
    if isinstance(estimator, MiniRocketFeatures):
        return [(estimator.dilations_, estimator.biases_, estimator.channels_)]
    return list(zip(estimator.dilations_, estimator.biases_, estimator.channels_))


def ternary_outputs(estimator, series):
    """Yield values, sizes and thresholds of each kernel."""
    for part, (dilations, biases, channels) in enumerate(parts_of(estimator)):
        points = np.diff(series, axis=0) if part else series
        for i, dilation in enumerate(dilations):
            for k, kernel in enumerate(reference.ternary_kernels()):
                seen = points[:, channels[i][k]]
                padding = 4 * dilation if (i + k) % 2 == 0 else 0
                kernels = np.repeat(kernel[:, np.newaxis], seen.shape[1], axis=1)
                yield *reference.convolution(seen, kernels, dilation, padding), biases[i][k]


@pytest.mark.kernels
@pytest.mark.parametrize("case", ["one", "several", "channels", "many channels", "unequal", "long"])
@pytest.mark.parametrize("name", ["mini", "few", "multi"])
def test_ternary_kernels_are_the_reference(name, case, dtype, tier):
    X = cast(CASES[case], dtype)
    # Biases come from other series: those of fit would stand exactly at some of their values.
    estimator = clone(SMALL[name]).fit([1.1 * one[::-1] for one in X])
    features = estimator.transform(X)
    assert features.dtype == dtype
    n_statistics = 4 if name == "multi" else 1
    ties = Ties()
    for series, row in zip(prepared(estimator, X, dtype), features):
        column = 0
        for values, sizes, thresholds in ternary_outputs(estimator, series):
            for threshold in thresholds.astype(dtype).astype(np.float64):
                n_ties = ties.count(values, sizes, threshold, dtype)
                got = row[column:column + n_statistics]
                wanted = reference.positive_statistics(values, threshold)
                assert abs(round(got[0] * len(values)) - (values > threshold).sum()) <= n_ties
                if n_ties == 0:
                    np.testing.assert_allclose(
                        got, wanted[:n_statistics], rtol=1e-5,
                        atol=rounding(sizes + abs(threshold), dtype).max())
                column += n_statistics
        assert column == len(row)
    if not has_plateau(estimator, case):
        ties.check()


@pytest.mark.kernels
@pytest.mark.parametrize("case", ["one", "several", "channels", "many channels", "unequal", "long"])
@pytest.mark.parametrize("name", ["hydra", "lone hydra"])
def test_hydra_is_the_reference(name, case, dtype, tier):
    X = cast(CASES[case], dtype)
    estimator = clone(SMALL[name]).fit(X)
    features = estimator.transform(X)
    n_kernels = estimator.n_kernels
    n_contests = n_wrong = 0
    for series, row in zip(prepared(estimator, X, dtype), features):
        for unit, kernels in enumerate(estimator.kernels_):
            points = series if unit < estimator.n_plain_units_ else np.diff(series, axis=0)
            added = points[:, estimator.channels_[unit]].sum(axis=1, keepdims=True)
            dilation = estimator.dilations_[unit]
            maps = np.stack([reference.convolution(added, kernel[:, np.newaxis], dilation,
                                                   4 * dilation)[0] for kernel in kernels])
            gains, counts = reference.contest(maps)
            got = row[2 * unit * n_kernels:][:2 * n_kernels].reshape(n_kernels, 2)
            # Two values that are equal but for rounding may change places.
            ranked = np.sort(maps, axis=0)
            off = rounding(np.abs(added).max(), dtype)
            n_ties = sum((gap <= 2 * off).sum() for gap in (
                ranked[-1] - ranked[-2], ranked[1] - ranked[0]))
            assert np.abs(got[:, 1] - counts).sum() <= 2 * n_ties
            np.testing.assert_allclose(got[:, 0].sum(), maps.max(axis=0).sum(), rtol=1e-4,
                                       atol=len(points) * off)
            if n_ties == 0:
                np.testing.assert_allclose(got[:, 0], gains, rtol=1e-4, atol=len(points) * off)
            n_contests += maps.shape[1]
            n_wrong += n_ties if np.abs(added).min() > 0 else 0
    assert n_wrong <= 1e-2 * n_contests or has_plateau(estimator, case)


# The same bits


@pytest.mark.kernels
@pytest.mark.parametrize("case", ["several", "many channels", "unequal channels", "long", "points"])
@pytest.mark.parametrize("name", SMALL)
def test_bits_do_not_depend_on_threads_batches_order_or_layout(name, case, dtype):
    X = cast(CASES[case], dtype)
    estimator = clone(SMALL[name]).fit(X)
    features = estimator.transform(X)
    for n_threads in (1, 2, 3):
        estimator.set_params(n_threads=n_threads)
        np.testing.assert_array_equal(estimator.transform(X), features)
    estimator.set_params(n_threads=None, working_memory=1e-4)
    np.testing.assert_array_equal(estimator.transform(X), features)
    np.testing.assert_array_equal(estimator.transform(X[::-1])[::-1], features)
    for i, one in enumerate(X):
        np.testing.assert_array_equal(estimator.transform([one]), features[i:i + 1])
    if isinstance(X, np.ndarray):
        np.testing.assert_array_equal(estimator.transform(np.asfortranarray(X)), features)
        np.testing.assert_array_equal(estimator.transform(list(X)), features)
    np.testing.assert_array_equal(clone(estimator).fit(X).transform(X), features)


@pytest.mark.parametrize("name", SMALL)
def test_parts_of_a_series_do_not_matter(name):
    estimator = clone(SMALL[name]).fit(CASES["several"])
    kernels = estimator._kernels
    form = kernels.form(150, estimator.normalize)
    outs = []
    for n_parts in (1, 2, 7, kernels.n_units):
        out = np.empty((1, kernels.n_features))
        scratch = np.empty((2, kernels.scratch_bytes(form, 1)), np.uint8)
        kernels.run(CASES["several"][:1].T.copy(), np.array([0, 150]),
                    form._replace(n_parts=n_parts), out, scratch)
        outs.append(out)
    for out in outs[1:]:
        np.testing.assert_array_equal(out, outs[0])


# Series and parameters


def test_constant_channels_become_zero(dtype):
    X = cast(CASES["constant"], dtype)
    estimator = RocketFeatures(20, random_state=0).fit(X)
    bias = estimator.bias_.astype(dtype)
    np.testing.assert_array_equal(estimator.transform(X)[-1, 1::2], bias)
    np.testing.assert_array_equal(estimator.transform(X)[-1, ::2], bias > 0)


@pytest.mark.parametrize("name", SMALL)
def test_short_series_end_with_zeros(name):
    estimator = clone(SMALL[name]).fit(CASES["several"])
    short = CASES["several"][0, :20]
    padded = np.pad(short, (0, estimator.min_length_ - 20))
    np.testing.assert_array_equal(estimator.transform([short]), estimator.transform([padded]))
    assert np.isfinite(estimator.transform([short[:1]])).all()
    assert np.isfinite(clone(estimator).fit_transform(np.ones((3, 1)))).all()


@pytest.mark.parametrize("name", SMALL)
def test_small_integers_are_float32_and_others_float64(name):
    X = np.random.default_rng(0).integers(-9, 9, (3, 40))
    for kind, result in (("int8", "float32"), ("int64", "float64"), ("float16", "float32")):
        features = clone(SMALL[name]).fit_transform(X.astype(kind))
        assert features.dtype == result
        np.testing.assert_array_equal(
            features, clone(SMALL[name]).fit_transform(X.astype(result)))


@pytest.mark.parametrize("name", SMALL)
def test_names_are_unique_and_say_which_kernel(name):
    estimator = clone(SMALL[name]).fit(CASES["channels"])
    names = estimator.get_feature_names_out()
    assert len(set(names)) == len(names) == estimator.transform(CASES["channels"]).shape[1]


def test_names():
    X = CASES["several"]
    names = RocketFeatures(1001, random_state=0).fit(X).get_feature_names_out()
    assert names[0].startswith("k0000_d")
    assert names[-1].startswith("k1000_d")
    assert names[-1].endswith("_max")
    names = MultiRocketFeatures(672, random_state=0).fit(X).get_feature_names_out()
    assert list(names[:4]) == [f"k00_d1_b0_{word}" for word in ("ppv", "mpv", "mipv", "lspv")]
    assert names[-1] == "diff_k83_d1_b0_lspv"
    assert HydraFeatures(2, 3).fit(X).get_feature_names_out()[-1] == "diff_g2_k1_d16_min"


@pytest.mark.parametrize("shape", [(40, 700), (3, 90, 4)])
@pytest.mark.parametrize("name", SMALL)
def test_memory_estimate_covers_what_is_allocated(name, shape, dtype):
    import tracemalloc

    X = series_of(shape, dtype)
    estimator = clone(SMALL[name]).set_params(n_threads=2).fit(X)
    estimator.transform(X)
    tracemalloc.start()
    estimator.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    estimate = estimator.estimate_memory(shape, dtype)
    assert 0.2 * estimate < peak < estimate + 100_000


def test_memory_estimate_refuses_other_series():
    estimator = RocketFeatures(4).fit(CASES["channels"])
    with pytest.raises(ValueError, match="shape must hold series of 3 channels, as in fit; got 2"):
        estimator.estimate_memory((5, 70, 2))
    with pytest.raises(TypeError, match="dtype must be a dtype of real numbers"):
        estimator.estimate_memory((5, 70, 3), dtype="S3")


def test_lists_of_lists_and_arrays_of_arrays():
    arrays = [np.arange(3.0), np.arange(5.0)]
    expected = RocketFeatures(4, random_state=0).fit_transform(arrays)
    for X in ([list(one) for one in arrays], tuple(arrays), np.array(arrays, dtype=object)):
        np.testing.assert_array_equal(RocketFeatures(4, random_state=0).fit_transform(X), expected)


def test_features_tell_frequencies_apart():
    rng = np.random.default_rng(0)
    time = np.arange(100)
    y = np.arange(60) % 2
    X = [np.sin(time[:n] / (4 + label) + rng.uniform(0, 6)) + rng.normal(0, 0.5, n)
         for label, n in zip(y, rng.integers(60, 100, 60))]
    for estimator in (RocketFeatures(300, random_state=0), MiniRocketFeatures(840, random_state=0),
                      MultiRocketFeatures(1344, random_state=0), HydraFeatures(random_state=0)):
        model = make_pipeline(estimator, StandardScaler(with_mean=False), RidgeClassifierCV())
        model.fit(X[:40], y[:40])
        assert model.score(X[40:], y[40:]) > 0.9
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_cross_validation_and_set_output():
    X, y = CASES["several"].repeat(5, axis=0), np.arange(20) % 2
    model = make_pipeline(RocketFeatures(20, random_state=0), RidgeClassifierCV())
    assert len(cross_val_score(model, X, y, cv=2)) == 2
    transformer = RocketFeatures(20).set_output(transform="pandas")
    table = transformer.fit_transform(X)
    assert list(table.columns) == list(transformer.get_feature_names_out())


@pytest.mark.parametrize(("estimator", "X", "match"), [
    (RocketFeatures(0), CASES["one"], "n_kernels must be an int, at least 1"),
    (RocketFeatures(normalize=2), CASES["one"], "normalize must be True or False"),
    (RocketFeatures(n_threads=0), CASES["one"], "n_threads"),
    (RocketFeatures(working_memory=-1), CASES["one"], "working_memory must be positive"),
    (MiniRocketFeatures(83), CASES["one"], "n_features must be an int, at least 84"),
    (MiniRocketFeatures(max_dilations=0), CASES["one"], "max_dilations"),
    (MultiRocketFeatures(671), CASES["one"], "n_features must be an int, at least 672"),
    (HydraFeatures(0), CASES["one"], "n_kernels"),
    (HydraFeatures(n_groups=0), CASES["one"], "n_groups"),
    (HydraFeatures(max_channels=0), CASES["one"], "max_channels"),
    (RocketFeatures(4), np.ones((2, 3, 4, 5)), r"X must have shape"),
    (RocketFeatures(4), [np.ones((3, 2)), np.ones((4, 3))], "the same channels"),
    (RocketFeatures(4), [np.array([1.0, np.nan]), np.ones(3)], "NaN"),
    (RocketFeatures(4), [np.ones(0), np.ones(3)], "X must not have an empty axis"),
    (RocketFeatures(4), [np.ones(()), np.ones(3)], "X must have shape"),
])
def test_bad_input_is_refused(estimator, X, match):
    with pytest.raises((ValueError, TypeError), match=match):
        estimator.fit(X)


def test_points_beyond_what_is_counted_are_refused():
    estimator = RocketFeatures(4).fit(CASES["one"])
    with pytest.raises(ValueError, match=r"series must have less than 2 \*\* 31 points"):
        estimator.estimate_memory((1, 2**31))


@pytest.mark.parametrize("name", SMALL)
def test_other_channels_are_refused(name):
    estimator = clone(SMALL[name]).fit(CASES["channels"])
    with pytest.raises(ValueError, match="X must hold series of 3 channels, as in fit; got 12"):
        estimator.transform(CASES["many channels"])
