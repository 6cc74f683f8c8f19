"""Docstrings of the public names follow numpydoc, and what documents show runs as shown."""

import doctest
import inspect
import pkgutil
import re
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import convlib

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]
IGNORED = set(SETTINGS["checks"]) - {"all"}

# Users do not call these classes: their attributes are documented, and the functions' examples
# show them.
MADE_BY_FUNCTIONS = {"ConvPlan", "PackedKernel"}


def public_modules():
    """Return convlib and the modules below it that have no underscore."""
    found = pkgutil.walk_packages(convlib.__path__, "convlib.")
    names = [module.name for module in found if "._" not in module.name]
    return [convlib, *map(import_module, names)]


def public_objects():
    """Return what the public modules list, by full name; each once, where it is defined."""
    objects = {}
    for module in public_modules():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not inspect.ismodule(thing):
                objects[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return objects


def public_methods(thing):
    """Return the methods of a class that convlib itself defines."""
    if not inspect.isclass(thing):
        return {}
    names = [name for name in dir(thing) if not name.startswith("_")]
    methods = {name: getattr(thing, name) for name in names}
    return {
        name: method for name, method in methods.items()
        if callable(method) and method.__module__.startswith("convlib.")
    }


def documented_objects():
    """Return the public objects and their methods, by full name."""
    found = {}
    for name, thing in public_objects().items():
        found[name] = thing
        for method_name, method in public_methods(thing).items():
            found[f"{name}.{method_name}"] = method
    return found


OBJECTS = public_objects()
DOCUMENTED = documented_objects()


class RoundedFloats(doctest.OutputChecker):
    """Compare decimal fractions by value, to the digits that rounding leaves alone."""

    FRACTION = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?")

    def check_output(self, want, got, optionflags):
        """Tell whether `got` shows what `want` promises."""
        if super().check_output(want, got, optionflags):
            return True
        if self.frame(want) != self.frame(got):
            return False
        return np.allclose(self.fractions(want), self.fractions(got), rtol=1e-4, atol=1e-6)

    def frame(self, text):
        """Return the text without fractions and space."""
        return "".join(self.FRACTION.sub("#", text).split())

    def fractions(self, text):
        """Return the fractions in the text."""
        return [float(number) for number in self.FRACTION.findall(text)]


def assert_examples_pass(test):
    """Run one parsed doctest; fail with its report."""
    report = []
    runner = doctest.DocTestRunner(
        RoundedFloats(), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("module", public_modules(), ids=lambda module: module.__name__)
def test_public_modules_say_what_they_are_for(module):
    listed = getattr(module, "__all__", None)
    assert module.__doc__ or listed is None
    assert listed is None or len(set(listed)) == len(listed)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_docstring_passes_numpydoc(name):
    errors = dict(validate(name)["errors"])
    for code in IGNORED | {"PR04"}:  # PR04 is checked below
        errors.pop(code, None)
    if OBJECTS.get(name) and OBJECTS[name].__name__ in MADE_BY_FUNCTIONS:
        errors.pop("PR01", None)
    assert not errors


@pytest.mark.parametrize("name", DOCUMENTED)
def test_parameters_have_a_type_or_say_where_it_is(name):
    for parameter in NumpyDocString(inspect.getdoc(DOCUMENTED[name]))["Parameters"]:
        assert parameter.type or parameter.desc[0].startswith("As in `"), parameter.name


@pytest.mark.parametrize("name", OBJECTS)
def test_examples_run(name):
    thing = OBJECTS[name]
    tests = doctest.DocTestFinder(recurse=True).find(thing, name)
    for test in tests:
        assert_examples_pass(test)
    assert any(test.examples for test in tests) or thing.__name__ in MADE_BY_FUNCTIONS


def test_reference_lists_the_public_names():
    listed = set(re.findall(r"^   (\w+)$", (ROOT / "docs/api.rst").read_text(), re.MULTILINE))
    modules = {"filters": convlib.filters, "grad": convlib.grad, "graph": convlib.graph,
               "shapes": convlib.shapes, "banks": convlib.banks,
               "displays": convlib.displays, "io": convlib.io,
               "layers": convlib.layers, "tiling": convlib.tiling}
    names = [name for module in modules.values() for name in module.__all__]
    assert listed == {*convlib.__all__, *names} - set(modules)


def pages():
    """Return the pages of the documentation that are written by hand."""
    return sorted(path for path in (ROOT / "docs").rglob("*.rst")
                  if path.parent.name not in ("generated", "_templates"))


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_examples_of_the_guide_run(path):
    assert_examples_pass(doctest.DocTestParser().get_doctest(
        path.read_text(), {}, path.name, str(path), 0
    ))


@pytest.mark.parametrize("code", re.findall(
    r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
))
def test_examples_of_the_readme_run(code):
    exec(compile(code, "README.md", "exec"), {})


def test_wrong_output_is_noticed():
    parse = doctest.DocTestParser().get_doctest
    assert_examples_pass(parse(">>> [1 / 3, 2]\n[0.333333, 2]\n", {}, "right", None, 0))
    with pytest.raises(AssertionError, match="Expected"):
        assert_examples_pass(parse(">>> [1 / 3, 2]\n[0.334, 2]\n", {}, "wrong", None, 0))
