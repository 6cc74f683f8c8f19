"""Fit the prices of src/convlib/_speeds.py: seconds per unit of work of each algorithm.

They are those of the instruction set in use; the environment variable CONVLIB_TIER lowers it.

    python benchmarks/fit_speeds.py MEASUREMENTS.json [--limit SECONDS] [--write]

Every algorithm runs every benchmark layer that it accepts, one image on one thread with a packed
kernel and `out=`; preparing the kernel is timed apart. What the file of measurements holds is not
measured again, so that after a change of `work` a fit takes seconds; after a change of a kernel,
name its algorithm with --again. The prices are non-negative and make the logarithms of predicted
and measured times agree, as a choice by ratios needs it. Last comes where the choice by the new
prices is slower than it could be.
"""

import argparse
import json
import re
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

import convlib as cl
from bench_conv import SLACK, operands
from convlib import _speeds
from convlib._algorithms import ALGORITHMS, NAMES
from convlib._native import cpu
from shapes import LAYERS

BURST_SECONDS = 0.05
LONG_SECONDS = 0.5      # predicted for a call: not measured
N_ROUNDS = 20           # of weights; they settle within a few
OVERHEAD = ""           # a unit of every preparation: its price is fitted, and not used
DTYPES = ("float32", "float64")
SPEEDS = Path(_speeds.__file__)


class Case(NamedTuple):
    """An algorithm on a layer."""

    algorithm: object
    layer: object
    dtype: str
    problem: object

    def key(self, what):
        """Return the name of a measurement in the file."""
        return f"{cpu.tier()}|{self.algorithm.name}|{self.dtype}|{self.layer.name}|{what}"

    def amounts(self):
        """Return the amounts of work to run, and to prepare if that takes any."""
        run, whole = (self.algorithm.work(self.problem, packed) for packed in (True, False))
        prepare = {unit: amount - run.get(unit, 0) for unit, amount in whole.items()}
        if not any(prepare.values()):
            return {"run": run}
        return {"run": run, "prepare": prepare | {OVERHEAD: 1}}

    def measure(self):
        """Return the seconds of one image, and of preparing the kernel."""
        images, kernel = operands(self.layer, self.dtype)
        packed = cl.pack_kernel(kernel, self.layer.image_shape, algorithm=self.algorithm.name,
                                dtype=self.dtype, **self.layer.settings)
        run = partial(cl.conv, images[:1], packed, n_threads=1)
        bias = np.zeros(kernel.shape[-1], self.dtype)
        prepare = partial(self.algorithm.prepare, self.problem, kernel, bias, 1)
        return {"run": seconds(partial(run, out=run())), "prepare": seconds(prepare)}


def main():
    """Measure what is missing, fit, print and perhaps write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurements", type=Path)
    parser.add_argument("--algorithms", nargs="*", choices=NAMES, default=NAMES)
    parser.add_argument("--again", nargs="*", choices=NAMES, default=())
    parser.add_argument("--limit", type=float, default=np.inf, help="seconds to measure for")
    parser.add_argument("--write", action="store_true", help=f"change {SPEEDS.name}")
    arguments = parser.parse_args()
    cases = list(all_cases(arguments.algorithms))
    measured = gather(cases, arguments)
    prices = {name: dict(units) for name, units in _speeds.prices(cpu.tier()).items()}
    print(f"tier {cpu.tier()}; by the prices that stand there now")
    tell_choices(cases, measured, prices)
    print("predicted over measured seconds")
    for name in arguments.algorithms:
        own = [case for case in cases if case.algorithm.name == name]
        samples = [(case.key(what), amounts, measured[case.key(what)]) for case in own
                   for what, amounts in case.amounts().items() if case.key(what) in measured]
        if samples:
            prices[name] |= fit(samples)
            tell(name, prices[name], samples)
    tell_choices(cases, measured, prices)
    source = table(_speeds.SECONDS | {cpu.tier(): prices})
    print(source)
    if arguments.write:
        SPEEDS.write_text(
            re.sub(r"SECONDS = \{.*?\n\}\n", source, SPEEDS.read_text(), flags=re.S))


def all_cases(names):
    """Yield the cases that take no longer than they are worth."""
    for dtype in DTYPES:
        seen = set()
        for layer in LAYERS:
            packed = cl.pack_kernel(layer.kernel(np.dtype(dtype).type), layer.image_shape,
                                    dtype=dtype, **layer.settings)
            problem, *_ = packed._plan(layer.image_shape)
            if problem in seen:
                continue
            seen.add(problem)
            for algorithm in ALGORITHMS:
                if (algorithm.name in names and not algorithm.refuse(problem)
                        and algorithm.cost(problem, True) < LONG_SECONDS):
                    yield Case(algorithm, layer, dtype, problem)


def gather(cases, arguments):
    """Return {key: seconds} of all cases from the file; measure what it lacks and keep that."""
    path = arguments.measurements
    known = json.loads(path.read_text()) if path.exists() else {}
    known = {key: value for key, value in known.items()
             if key.split("|")[1] not in arguments.again}
    missing = [case for case in cases if case.key("run") not in known]
    end = time.monotonic() + arguments.limit
    for done, case in enumerate(missing):
        if time.monotonic() > end:
            print(f"{len(missing) - done} of {len(cases)} cases are not measured yet")
            break
        known |= {case.key(what): value for what, value in case.measure().items()}
        path.write_text(json.dumps(known, indent=0) + "\n")
    return known


def seconds(function):
    """Return the lower quartile of the times of a burst of calls."""
    function()
    times, end = [], time.perf_counter() + BURST_SECONDS
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.quantile(times, 0.25))


def fit(samples):
    """Return {unit: seconds}, the non-negative prices of least squared logarithms of ratios.

    For weights that are right, (p - t)^2 / (p t) is about log(p / t)^2; those of a round take the
    predictions p from the round before.
    """
    units = list(dict.fromkeys(unit for _, amounts, _ in samples for unit in amounts))
    work = np.array([[amounts.get(unit, 0) for unit in units] for _, amounts, _ in samples], float)
    times = np.array([value for *_, value in samples])
    scales = work.max(axis=0)
    scales[scales == 0] = 1
    predicted = times
    for _ in range(N_ROUNDS):
        weights = 1 / np.sqrt(predicted * times)
        prices, _ = nnls(work / scales * weights[:, np.newaxis], times * weights)
        predicted = np.maximum(work @ (prices / scales), 1e-3 * times)
    prices = dict(zip(units, (prices / scales).tolist()))
    return {unit: price for unit, price in prices.items() if unit != OVERHEAD}


def tell(name, prices, samples):
    """Print how well the prices of an algorithm predict its times."""
    ratios = {key: sum(prices[unit] * amount for unit, amount in amounts.items()
                       if unit != OVERHEAD) / value
              for key, amounts, value in samples if key.endswith("|run")}
    logarithms = np.log([max(ratio, 1e-3) for ratio in ratios.values()])
    order = sorted(ratios, key=ratios.get)
    print(f"{name}: {len(ratios)} runs, spread {np.exp(logarithms.std()):.2f}x")
    for key in dict.fromkeys((*order[:3], *order[-3:])):
        print(f"    {ratios[key]:5.2f}  {' '.join(key.split('|')[2:4])}")


def tell_choices(cases, measured, prices):
    """Print where the cheapest by these prices was measured to be slower than another."""
    layers = {}
    for case in cases:
        if case.key("run") in measured:
            layers.setdefault((case.dtype, case.layer.name), []).append(case)
    for kernel, steps in (("packed", ("run",)), ("plain", ("run", "prepare"))):
        excesses = {}
        for layer, able in layers.items():
            times = {case.algorithm.name: sum(measured.get(case.key(what), 0) for what in steps)
                     for case in able}
            costs = {case.algorithm.name: price(case, kernel, prices) for case in able}
            chosen, best = (min(values, key=values.get) for values in (costs, times))
            excesses[f"{' '.join(layer)}: {chosen}, not {best}"] = times[chosen] / times[best]
        slow = sorted((excess, name) for name, excess in excesses.items() if excess > SLACK)
        print(f"{kernel}: within {SLACK} of the fastest in {len(excesses) - len(slow)} of "
              f"{len(excesses)}")
        for excess, name in reversed(slow):
            print(f"    {excess:5.2f}  {name}")


def price(case, kernel, prices):
    """Return the predicted seconds of a case."""
    amounts = case.algorithm.work(case.problem, kernel == "packed")
    return sum(prices[case.algorithm.name][unit] * amount for unit, amount in amounts.items())


def table(prices):
    """Return the source of `SECONDS`."""
    lines = ["SECONDS = {"]
    for tier in sorted(prices):
        lines += [f'    "{tier}": {{', *algorithm_lines(prices[tier]), "    },"]
    return "\n".join([*lines, "}", ""])


def algorithm_lines(prices):
    """Return the lines of `SECONDS` for an instruction set."""
    lines = []
    for name in NAMES:
        line = f'        "{name}": {{'
        indent = " " * len(line)
        for unit, price in prices[name].items():
            item = f'"{unit}": {number(price)}, '
            if len(line + item) > 99:
                lines.append(line.rstrip())
                line = indent
            line += item
        lines.append(line.removesuffix(", ") + "},")
    return lines


def number(value):
    """Return a price with two digits, the way people write them."""
    return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-") if value else "0.0"


if __name__ == "__main__":
    main()
