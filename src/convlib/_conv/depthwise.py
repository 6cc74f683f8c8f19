"""depthwise: every output sees one channel; a stencil with lanes over channels."""

from convlib._conv import stencil
from convlib._speeds import predict
from convlib._threads import thread_count

prepare = stencil.prepare
layout = stencil.layout


def refuse(problem):
    """Accept groups of one channel."""
    if problem.group_size > 1:
        return f"outputs see {problem.group_size} channels each, not one"
    return stencil.refuse(problem)


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    return stencil.work(problem)


def grid(problem):
    """Every output is a sum of its own, in one order."""
    return (1,) * problem.rank


def run(problem, layout, prepared, images, out, first, n_threads):
    """Write the outputs from `first` on to `out`."""
    seconds = len(images) * predict("depthwise", work(problem, True))
    stencil.run(problem, layout, prepared, images, out, first, thread_count(n_threads, seconds))
