"""What outputs look at along one axis, and how that adds up through several steps."""

from math import gcd
from typing import NamedTuple


class Window(NamedTuple):
    """The input pixels that output j sees: from ``own(j) - before`` to ``own(j) + after``.

    Windows in the padding may have a negative side.
    """

    before: int
    after: int
    stride: int = 1    # input pixels for ...
    factor: int = 1    # ... so many outputs

    def own(self, output):
        """Return the input pixel that an output stands at."""
        return output * self.stride // self.factor

    def first(self, output):
        """Return the first input pixel that an output sees."""
        return self.own(output) - self.before

    def last(self, output):
        """Return the last one."""
        return self.own(output) + self.after

    @property
    def halo(self):
        """The pixels beyond its own, on both sides, that an output sees."""
        return max(0, self.before), max(0, self.after)


def pixelwise(rank):
    """Return the windows of outputs that see their own pixels only."""
    return (Window(0, 0),) * rank


def followed(first, second):
    """Return the window of outputs of one step that sees those of another."""
    stride, factor = first.stride * second.stride, first.factor * second.factor
    whole = Window(0, 0, stride, factor)
    # How both steps round to pixels repeats after so many outputs.
    outputs = range(factor)
    common = gcd(stride, factor)
    return Window(
        max(whole.own(j) - first.first(second.first(j)) for j in outputs),
        max(first.last(second.last(j)) - whole.own(j) for j in outputs),
        stride // common, factor // common)


def united(windows):
    """Return the window that holds some windows with the same stride."""
    return windows[0]._replace(before=max(window.before for window in windows),
                               after=max(window.after for window in windows))


def common_grid(outer, stride):
    """Return of what outputs must be multiples, so that `stride` times them are of `outer`."""
    return outer // gcd(outer, stride)
