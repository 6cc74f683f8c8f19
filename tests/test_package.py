"""What an installed convlib brings along, loads, declares and tells about itself."""

import ast
import inspect
import json
import os
import pkgutil
import platform
import subprocess
import sys
from importlib import import_module, metadata, resources

import pytest

import convlib
from convlib import _native
from convlib._native import cpu

# Slow to import, and not needed before someone asks for it.
HEAVY = {"sklearn", "scipy.signal", "joblib", "matplotlib", "pandas", "torch", "dask"}
ESTIMATORS = ["ConvFeatures"]
COMPILED = [
    module.name for module in pkgutil.iter_modules(_native.__path__)
    if not module.name.startswith("_")    # that is Cython's own
    and getattr(import_module(f"convlib._native.{module.name}"), "__file__", "").endswith(".so")
]


def run(code, **environment):
    """Run code in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=os.environ | environment,
    )


def modules_after(code):
    """Return the names of the modules that are loaded after `code`."""
    result = run(f"import json, sys\n{code}\nprint(json.dumps(list(sys.modules)))")
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout))


def stub(module):
    """Return the functions that the .pyi of a compiled module declares: names of parameters."""
    text = (resources.files("convlib._native") / f"{module}.pyi").read_text()
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return {
        function.name: [argument.arg for argument in function.args.args] for function in functions
    }


def defined(module):
    """Return the functions that a compiled module defines: names of parameters."""
    module = import_module(f"convlib._native.{module}")
    functions = {
        name: thing for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    }
    return {name: list(inspect.signature(thing).parameters) for name, thing in functions.items()}


# Loading


def test_import_is_light():
    assert not HEAVY & modules_after("import convlib")


def test_import_of_shapes_is_light():
    assert not HEAVY & modules_after("from convlib import shapes")


@pytest.mark.parametrize("module", ["banks", "filters", "graph", "grad"])
def test_modules_load_when_asked_for_and_are_light(module):
    assert f"convlib.{module}" not in modules_after("import convlib; dir(convlib)")
    loaded = modules_after(f"import convlib; convlib.{module}")
    assert f"convlib.{module}" in loaded
    assert not HEAVY & loaded


def test_displays_load_matplotlib_when_something_is_drawn():
    loaded = modules_after("import convlib; convlib.displays.KernelDisplay")
    assert "convlib.displays" in loaded
    assert "matplotlib" not in loaded


def test_estimators_are_listed_without_being_loaded():
    listing = f"import convlib; assert set({ESTIMATORS!r}) <= set(dir(convlib))"
    assert not HEAVY & modules_after(listing)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_load_when_asked_for(name):
    loaded = modules_after(f"import convlib; convlib.{name}")
    assert "sklearn" in loaded
    assert not {"matplotlib", "sklearn.cluster", "torch"} & loaded


def test_public_names_exist():
    assert set(convlib.__all__) | set(ESTIMATORS) <= set(dir(convlib))
    for name in [*convlib.__all__, *ESTIMATORS]:
        assert getattr(convlib, name) is not None


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="ConvFeature"):
        convlib.ConvFeature  # noqa: B018
    with pytest.raises(ImportError, match="ConvFeature"):
        from convlib import ConvFeature  # noqa: F401


# Types


def test_types_are_marked_as_shipped():
    assert (resources.files("convlib") / "py.typed").is_file()


def test_compiled_modules_were_found():
    assert {"cpu", "conv_igemm"} <= set(COMPILED)


@pytest.mark.parametrize("module", COMPILED)
def test_stub_declares_what_the_module_defines(module):
    assert stub(module) == defined(module)


# The build


def test_version_is_that_of_the_distribution():
    assert cpu.version() == metadata.version("convlib")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="tiers of x86-64")
def test_every_tier_was_built():
    assert cpu.tiers() == ["baseline", "x86_v3", "x86_v4"]


@pytest.mark.kernels
def test_tier_follows_the_environment():
    code = "from convlib._native import cpu; print(cpu.tier())"
    assert run(code, CONVLIB_TIER="baseline").stdout.split() == ["baseline"]
    assert cpu.tier() == os.environ.get("CONVLIB_TIER", cpu.tier())
    assert run(code).stdout.split() == [cpu.tier()]


def test_unknown_tier_is_refused():
    result = run("from convlib._native import cpu", CONVLIB_TIER="x86_v9")
    assert result.returncode != 0
    assert "ValueError: CONVLIB_TIER must be one of ['baseline'" in result.stderr


def test_show_config_tells_what_runs(capsys):
    assert convlib.show_config() is None
    text = capsys.readouterr().out
    for value in (cpu.version(), cpu.compiler(), cpu.tier(), *cpu.tiers()):
        assert value in text
    for word in ("openmp", "threads"):
        assert word in text.lower()
