"""Fixtures shared by all tests."""

import os

import pytest

from convlib._native import cpu


def runnable_tiers():
    """Return the tiers that were built and that this machine runs, lowest first.

    Where CONVLIB_TIER asks for one, it is the only one.
    """
    before = cpu.tier()
    if os.environ.get("CONVLIB_TIER"):
        return [before]
    able = []
    for name in cpu.tiers():
        try:
            cpu.set_tier(name)
        except ValueError:
            continue
        able.append(name)
    cpu.set_tier(before)
    return able


@pytest.fixture(params=runnable_tiers())
def tier(request):
    """Run the test on one instruction set, and make sure that it is the one in use."""
    before = cpu.tier()
    cpu.set_tier(request.param)
    assert cpu.tier() == request.param
    yield request.param
    cpu.set_tier(before)


def pytest_collection_modifyitems(items):
    """Mark the tests that run on every tier by themselves."""
    for item in items:
        if "tier" in item.fixturenames:
            item.add_marker("every_tier")
