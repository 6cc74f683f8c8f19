"""Sorting networks that select the value of one rank from a window, as programs of stages.

A network exchanges pairs of values so that the smaller comes first; it runs on whole vectors,
one output a lane. Three things make it short: values that cannot have the rank any more are
forgotten, exchanges whose results nobody reads are left out, and what neighbouring windows have
in common is sorted once, as lines of their own: the columns of a window, and columns merged in
pairs, in fours and so on.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

# As in _native/c/rank_kernels.h.
KEEP_BOTH, KEEP_LOW, KEEP_HIGH = range(3)


class Program(NamedTuple):
    """A network in stages, as `_native/rank_filter.pyx` takes it."""

    stages: np.ndarray      # (n + 1, 4) columns beyond the outputs, first slot, exchange, chosen
    slots: np.ndarray       # (n, 2) row of the window, or behind all rows line; shift in columns
    exchanges: np.ndarray   # (n + 1, 3) slot of the smaller, of the larger, which of them is kept
    chosen: np.ndarray      # (n + 1,) slots that become own lines, the output last; one is spare
    n_lines: int            # own lines, that of the output included
    most_slots: int         # of a stage
    cost: int               # smaller and larger values that are computed for one output


class Stage(NamedTuple):
    """A network over slots, and those of them that others read."""

    reach: int
    slots: list
    exchanges: list
    chosen: list
    below: int = 0   # values that are forgotten since they are below all chosen, or above
    above: int = 0


class Run(NamedTuple):
    """Lines that ascend, and how many values below and above them are forgotten."""

    places: list
    below: int = 0
    above: int = 0


@lru_cache(maxsize=256)
def box_program(n_rows, n_columns, rank):
    """Return the `Program` for the value of a rank in windows of all rows and columns."""
    if n_columns == 1:
        return taps_program(tuple((row, 0) for row in range(n_rows)), rank)
    size = n_rows * n_columns
    width, lines, n_lines = 1, Run(list(range(n_rows))), n_rows
    levels, stages = [], []
    if n_rows > 1:
        exchanges = []
        ascending = sort(list(range(n_rows)), exchanges)
        stages.append(shared_stage(lines, (0,), ascending, exchanges, n_columns - 1, size, rank))
        lines, n_lines = own_lines(stages[-1], n_rows), n_lines + len(stages[-1].chosen)
    levels.append((1, lines))
    while 4 * width <= n_columns:  # else merging would not be shared
        exchanges = []
        n = len(lines.places)
        ascending = merge(list(range(n)), list(range(n, 2 * n)), exchanges)
        stages.append(shared_stage(lines, (0, width), ascending, exchanges,
                                   n_columns - 2 * width, size, rank))
        width *= 2
        lines, n_lines = own_lines(stages[-1], n_lines), n_lines + len(stages[-1].chosen)
        levels.append((width, lines))
    stages.append(last_stage(levels, n_columns, rank))
    return assemble(stages, n_lines - n_rows + 1)


@lru_cache(maxsize=256)
def taps_program(taps, rank):
    """Return the `Program` for the value of a rank among taps, (row, column) pairs."""
    exchanges = []
    output = select([[slot] for slot in range(len(taps))], rank, exchanges)
    return assemble([Stage(0, list(taps), needed(exchanges, [output]), [output])], 1)


def shared_stage(lines, shifts, ascending, exchanges, reach, size, rank):
    """Return the stage that leaves the values of an ascending run that may have the rank."""
    slots = [(line, shift) for shift in shifts for line in lines.places]
    below = lines.below * len(shifts)
    above = lines.above * len(shifts)
    last = len(ascending) - 1
    kept = [slot for place, slot in enumerate(ascending)
            if below + place <= rank and above + last - place < size - rank]
    first = ascending.index(kept[0])
    return Stage(reach, slots, needed(exchanges, kept), kept, below + first,
                 above + last + 1 - first - len(kept))


def own_lines(stage, first):
    """Return the run of lines, numbered from `first` on, that a stage leaves."""
    return Run(list(range(first, first + len(stage.chosen))), stage.below, stage.above)


def last_stage(levels, n_columns, rank):
    """Return the stage that selects the output from the widest levels that cover a window."""
    slots, runs, first, exchanges = [], [], 0, []
    for width, lines in reversed(levels):
        while n_columns - first >= width:
            runs.append(list(range(len(slots), len(slots) + len(lines.places))))
            slots += [(line, first) for line in lines.places]
            rank -= lines.below
            first += width
    output = select(runs, rank, exchanges)
    return Stage(0, slots, needed(exchanges, [output]), [output])


def assemble(stages, n_lines):
    """Return the `Program` of some stages."""
    ends, slots, exchanges, chosen = [], [], [], []
    for stage in stages:
        ends.append((stage.reach, len(slots), len(exchanges), len(chosen)))
        slots += stage.slots
        exchanges += stage.exchanges
        chosen += stage.chosen
    ends.append((0, len(slots), len(exchanges), len(chosen)))
    # The last of each is never read: a stage that has none still begins somewhere.
    return Program(
        np.array(ends, np.intc), np.array(slots, np.intc),
        np.array([*exchanges, (0, 0, 0)], np.uint16), np.array([*chosen, 0], np.uint16), n_lines,
        max(len(stage.slots) for stage in stages),
        sum(1 + (keep == KEEP_BOTH) for _, _, keep in exchanges) + 2 * len(slots),
    )


def sort(slots, exchanges):
    """Append the exchanges that sort some slots, and return these in ascending order."""
    if len(slots) < 2:
        return slots
    half = len(slots) // 2
    return merge(sort(slots[:half], exchanges), sort(slots[half:], exchanges), exchanges)


def merge(first, second, exchanges):
    """Append the exchanges that merge two ascending runs of slots (Batcher), and return the run.

    The values at even places are merged, and those at odd places; neighbours may then stand in the
    wrong order, no others.
    """
    if not first or not second:
        return first or second
    if len(first) == len(second) == 1:
        exchanges.append((first[0], second[0]))
        return [first[0], second[0]]
    even = merge(first[::2], second[::2], exchanges)
    odd = merge(first[1::2], second[1::2], exchanges)
    pairs = list(zip(odd, even[1:], strict=False))
    exchanges += pairs
    run = [even[0], *(slot for pair in pairs for slot in pair)]
    return run + odd[len(pairs):] + even[1 + len(pairs):]


def select(runs, rank, exchanges):
    """Append the exchanges after which one slot holds the value of a rank, and return it."""
    runs, rank = forget(runs, rank)
    while len(runs) > 2:
        runs.sort(key=len)
        *others, second, first = runs
        runs, rank = forget([merge(first, second, exchanges), *others], rank)
    if len(runs) == 1:
        return runs[0][rank]
    return select_of_two(*runs, rank, exchanges)


def select_of_two(first, second, rank, exchanges):
    """Select from two ascending runs: the least of all larger ones of values that share a rank."""
    best = None
    for n in range(max(0, rank + 1 - len(second)), min(rank + 1, len(first)) + 1):
        if n == 0:
            larger = second[rank]
        elif n == rank + 1:
            larger = first[rank]
        else:
            larger = second[rank - n]
            exchanges.append((first[n - 1], larger))
        if best is None:
            best = larger
        else:
            exchanges.append((best, larger))
    return best


def forget(runs, rank):
    """Return the runs without values that too many others are known to be below or above."""
    while True:
        n = sum(map(len, runs))
        kept, below = [], 0
        for run in runs:
            low = max(0, len(run) - (n - rank))
            kept.append(run[low:rank + 1])
            below += low
        runs, rank = [run for run in kept if run], rank - below
        if sum(map(len, runs)) == n:
            return runs, rank


def needed(exchanges, results):
    """Return the exchanges that some results depend on, each with what is kept of it."""
    live, kept = set(results), []
    for low, high in reversed(exchanges):
        if low in live or high in live:
            keep = KEEP_BOTH if low in live and high in live else (
                KEEP_LOW if low in live else KEEP_HIGH)
            kept.append((low, high, keep))
            live |= {low, high}
    return kept[::-1]
