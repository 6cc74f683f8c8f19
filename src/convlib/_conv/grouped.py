"""grouped: groups of 2, 4 or 8 channels side by side in a vector; a stencil like `depthwise`.

The vector of pixels is permuted inside its groups, once for each of their channels, so that every
lane works, where a product of one group would leave most of them idle.
"""

from convlib._conv import stencil

SIZES = (2, 4, 8)

grid = stencil.grid
prepare = stencil.prepare
run = stencil.run


def refuse(problem):
    """Accept groups of 2, 4 or 8 channels, with as many outputs or a multiple."""
    if problem.group_size not in SIZES:
        return f"groups have {problem.group_size} channels, not 2, 4 or 8"
    if problem.group_out % problem.group_size:
        return (f"groups have {problem.group_out} outputs, no multiple of their "
                f"{problem.group_size} channels")
    return stencil.refuse(problem)


def work(problem, packed):
    """Return the amounts of work for one image, in the units of `convlib._speeds`."""
    return stencil.work(problem)


def layout(problem):
    """Return the layout of blocks, lines and lists."""
    return stencil.layout(problem, "grouped")
