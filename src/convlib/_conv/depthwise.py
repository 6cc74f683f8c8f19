"""depthwise: every output sees one channel; a stencil with lanes over channels."""

from convlib._conv import stencil

grid = stencil.grid
prepare = stencil.prepare
run = stencil.run


def refuse(problem):
    """Accept groups of one channel."""
    if problem.group_size > 1:
        return f"outputs see {problem.group_size} channels each, not one"
    return stencil.refuse(problem)


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    return stencil.work(problem)


def layout(problem):
    """Return the layout of blocks, lines and lists."""
    return stencil.layout(problem, "depthwise")
