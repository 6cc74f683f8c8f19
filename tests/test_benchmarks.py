"""Tests of the benchmark layers, the prices of what algorithms do, the fit and the tables."""

import json
from itertools import product

import numpy as np
import pytest

import convlib as cl
import fit_speeds
import report
from convlib import _speeds
from convlib._algorithms import NAMES, by_name
from shapes import CLASSES, LAYERS


def problem_of(layer, dtype):
    """Return the problem that a layer poses."""
    packed = cl.pack_kernel(layer.kernel(np.dtype(dtype).type), layer.image_shape, dtype=dtype,
                            **layer.settings)
    return packed._plan(layer.image_shape)[0]


def test_names_are_unique():
    names = [kind.name for kind in CLASSES] + [layer.name for layer in LAYERS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_layers_are_valid_problems(layer):
    for asked in (layer, layer.alternative or layer):
        plan = cl.explain_conv(asked.image_shape, asked.kernel_shape, **asked.settings)
        assert plan.costs[plan.algorithm] == min(plan.costs.values()) > 0


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer.alternative],
                         ids=lambda layer: layer.name)
def test_alternatives_read_as_many_pixels(layer):
    sizes = [asked.n_images * np.prod(asked.image_shape) for asked in (layer, layer.alternative)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_every_unit_of_work_has_a_price(name, dtype):
    units = {frozenset(prices[name]) for prices in _speeds.SECONDS.values()}
    assert len(units) == 1      # the same on every instruction set
    accepted = [problem for layer in LAYERS
                if not by_name(name).refuse(problem := problem_of(layer, dtype))]
    assert accepted
    for problem in accepted:
        for packed in (False, True):
            amounts = by_name(name).work(problem, packed)
            assert set(amounts) <= set(*units)
            assert min(amounts.values()) >= 0
            assert by_name(name).cost(problem, packed) > 0


def test_fit_finds_the_prices_that_explain_the_times():
    rng = np.random.default_rng(0)
    prices = {"call": 5e-6, "product": 2e-10, "copy": 0.0}
    samples = []
    for i in range(40):
        amounts = {"call": 1, "product": 10 ** rng.uniform(3, 9), "copy": 10 ** rng.uniform(3, 7)}
        seconds = sum(prices[unit] * amount for unit, amount in amounts.items())
        samples.append((f"{i}|run", amounts, seconds))
        prepare = {"pack": 10 ** rng.uniform(3, 7), fit_speeds.OVERHEAD: 1}
        samples.append((f"{i}|prepare", prepare, 3e-10 * prepare["pack"] + 2e-6))
    found = fit_speeds.fit(samples)
    assert found == pytest.approx(prices | {"pack": 3e-10}, rel=1e-6, abs=1e-14)


def test_table_of_prices_reads_back():
    prices = {tier: {name: {f"unit{i}": 1.2345e-10 * 10**i + 1e-9 * wide for i in range(9)}
                     for name in NAMES} for wide, tier in enumerate(("x86_v3", "x86_v4"))}
    source = fit_speeds.table(prices)
    assert max(map(len, source.splitlines())) <= 99
    space = {}
    exec(source, space)
    assert list(space["SECONDS"]) == list(prices)
    for tier, name in product(prices, NAMES):
        assert space["SECONDS"][tier][name] == pytest.approx(prices[tier][name], rel=0.05)


def test_the_table_of_prices_is_as_the_fit_writes_it():
    assert fit_speeds.table(_speeds.SECONDS) in fit_speeds.SPEEDS.read_text()


def row(layer, peer, packed, **own):
    """Return a measurement as `bench_conv.py` makes it."""
    return {"layer": layer, "dtype": "float32", "threads": 2, "class": "3x3", "n_images": 1,
            "target": 2.0, "plain_target": 1.5, "peers": {"slow": 9.0, "quick": peer},
            "own": {"packed": packed} | own}


def test_ratios_are_to_the_fastest_peer():
    rows = [row("a", 4.0, 1.0, plain=2.0), row("b", 1.0, 1.0, plain=4.0, out=0.5)]
    assert [report.ratio(each, "packed") for each in rows] == [4.0, 1.0]
    assert [report.ratio(each, "out") for each in rows] == [4.0, 2.0]
    assert report.classes(rows) == [
        ("3x3", "2.0", "2", "2.00", "1.00", "2.83", "2.00", "0.71", "0.25", "1")]


def test_results_replace_those_of_the_same_layer(tmp_path):
    path = tmp_path / "results.json"
    for seconds, peak in ((1.0, 7.0), (2.0, 5.0)):
        machine = {"tier": "any", "peak": {"float32 2": peak}, "read": {}}
        report.merge(path, machine, [row("a", 4.0, seconds), row(f"b{peak}", 4.0, 1.0)])
    results = json.loads(path.read_text())
    assert [each["layer"] for each in results["rows"]] == ["a", "b7.0", "b5.0"]
    assert results["rows"][0]["own"]["packed"] == 2.0
    assert results["machine"]["peak"] == {"float32 2": 7.0}


def test_results_of_another_instruction_set_are_refused(tmp_path):
    path = tmp_path / "results.json"
    report.merge(path, {"tier": "any", "peak": {}, "read": {}}, [row("a", 4.0, 1.0)])
    with pytest.raises(ValueError, match="of any, not of other"):
        report.merge_poolings(path, "other", [])
    with pytest.raises(ValueError, match="of any, not of other"):
        report.merge(path, {"tier": "other", "peak": {}, "read": {}}, [])
    assert len(report.read(path)["rows"]) == 1
