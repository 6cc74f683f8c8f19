"""Tests of the benchmark layers, and of the prices of what algorithms do on them."""

import numpy as np
import pytest

import convlib as cl
from convlib._algorithms import NAMES, by_name
from convlib._speeds import SECONDS
from shapes import CLASSES, LAYERS


def problem_of(layer, dtype):
    """Return the problem that a layer poses."""
    plain = cl.pack_kernel(np.zeros(layer.kernel_shape), layer.image_shape, algorithm="direct",
                           dtype=dtype, **layer.settings)
    return plain._plan(layer.image_shape)[0]


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
    accepted = [problem for layer in LAYERS
                if not by_name(name).refuse(problem := problem_of(layer, dtype))]
    assert accepted
    for problem in accepted:
        for packed in (False, True):
            amounts = by_name(name).work(problem, packed)
            assert set(amounts) <= set(SECONDS[name])
            assert min(amounts.values()) >= 0
            assert by_name(name).cost(problem, packed) > 0
