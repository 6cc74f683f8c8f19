"""The ordered list of ways to compute a convolution, the chooser and the explanation."""

from collections.abc import Callable
from dataclasses import dataclass

from convlib._conv import (
    depthwise,
    direct,
    fft,
    grouped,
    igemm,
    lowrank,
    planes,
    pointwise,
    winograd,
)
from convlib._problem import ConvProblem
from convlib._speeds import predict


@dataclass(frozen=True)
class Algorithm:
    """One way to compute a convolution.

    A problem is all a choice may look at: never the batch, the threads or the values.
    """

    name: str
    refuse: Callable     # (problem) -> why it cannot run; "" when it can
    work: Callable       # (problem, packed) -> amounts of work for one image, see `_speeds`
    grid: Callable       # (problem) -> period of the arithmetic per axis; None: no period
    prepare: Callable    # (problem, kernel, bias, n_threads) -> the kernel in the form `run` takes
    layout: Callable     # (problem) -> what `run` settles once for all calls
    run: Callable        # (problem, layout, prepared, images, out, first, n_threads) -> None

    def cost(self, problem, packed):
        """Return the predicted seconds for one image on one thread."""
        return predict(self.name, self.work(problem, packed))


# Order breaks ties. The last accepts every problem: it is the slow, obvious one.
ALGORITHMS = tuple(
    Algorithm(name, way.refuse, way.work, way.grid, way.prepare, way.layout, way.run)
    for name, way in (
        ("pointwise", pointwise),
        ("depthwise", depthwise),
        ("grouped", grouped),
        ("planes", planes),
        ("lowrank", lowrank),
        ("winograd", winograd),
        ("winograd2", winograd.SMALL),
        ("fft", fft),
        ("igemm", igemm),
        ("direct", direct),
    )
)

NAMES = tuple(algorithm.name for algorithm in ALGORITHMS)


@dataclass(frozen=True)
class ConvPlan:
    """What `convlib.explain_conv` returns.

    Attributes
    ----------
    algorithm : str
        The algorithm that a call with these arguments runs.
    refusals : dict of str to str
        Why the others cannot compute this problem, by name.
    costs : dict of str to float
        Predicted seconds for one image on one thread, of those that can.
    """

    algorithm: str
    refusals: dict
    costs: dict


def by_name(name):
    """Return the algorithm called `name`."""
    return ALGORITHMS[NAMES.index(name)]


def choose(problem: ConvProblem, name: str, packed: bool):
    """Return the algorithm called `name`, or for 'auto' the cheapest that accepts `problem`."""
    if name == "auto":
        able = (algorithm for algorithm in ALGORITHMS if not algorithm.refuse(problem))
        return min(able, key=lambda algorithm: algorithm.cost(problem, packed))
    algorithm = by_name(name)
    if reason := algorithm.refuse(problem):
        raise ValueError(f"algorithm={name!r} cannot compute this convolution: {reason}")
    return algorithm


def anywhere(problem):
    """Return the cheapest algorithm for parts of images, whose bits do not depend on the cuts."""
    able = (algorithm for algorithm in ALGORITHMS if not algorithm.refuse(problem)
            and algorithm.grid(problem) == (1,) * problem.rank)
    return min(able, key=lambda algorithm: algorithm.cost(problem, True))


def explain(problem, name, packed):
    """Return the `ConvPlan` of a problem."""
    refusals = {algorithm.name: algorithm.refuse(problem) for algorithm in ALGORITHMS}
    return ConvPlan(
        algorithm=choose(problem, name, packed).name,
        refusals={name: reason for name, reason in refusals.items() if reason},
        costs={name: by_name(name).cost(problem, packed)
               for name, reason in refusals.items() if not reason},
    )
