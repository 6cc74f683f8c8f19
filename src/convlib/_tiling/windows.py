"""What outputs look at along one axis, and how that adds up through several steps."""

from math import gcd
from typing import NamedTuple


class Window(NamedTuple):
    """The input pixels that each output sees.

    Output j stands at the pixel ``own(j) = j * stride // factor``. Outputs whose numbers differ by
    a multiple of the factor are of one phase and see alike: from ``own(j) - before`` to ``own(j) +
    after``, which lie on one side of it in the padding; nothing where there is None.
    """

    phases: tuple      # (before, after) of each
    stride: int = 1    # input pixels for as many outputs as there are phases

    @property
    def factor(self):
        """Outputs for `stride` input pixels."""
        return len(self.phases)

    @property
    def before(self):
        """The most pixels that an output sees before its own."""
        return max(phase[0] for phase in self.phases if phase)

    @property
    def after(self):
        """The most pixels that an output sees behind its own."""
        return max(phase[1] for phase in self.phases if phase)

    @property
    def halo(self):
        """The pixels beyond its own, on both sides, that an output sees."""
        return max(0, self.before), max(0, self.after)

    def own(self, output):
        """Return the input pixel that an output stands at."""
        return output * self.stride // self.factor

    def seen(self, output):
        """Return the first and the last input pixel that an output sees, if any, else None."""
        phase, own = self.phases[output % self.factor], self.own(output)
        return None if phase is None else (own - phase[0], own + phase[1])

    def span(self, first, last):
        """Return the first and the last pixel that the outputs from `first` to `last` may see."""
        return self.own(first) - self.before, self.own(last) + self.after


def plain(before, after, stride=1, factor=1):
    """Return a window that is the same for all phases."""
    return Window(((before, after),) * factor, stride)


def pixelwise(rank):
    """Return the windows of outputs that see their own pixels only."""
    return (plain(0, 0),) * rank


def followed(first, second):
    """Return the window of outputs of one step that sees those of another."""
    stride, n_phases = first.stride * second.stride, first.factor * second.factor
    phases = []
    for output in range(n_phases):
        between = second.seen(output)
        seen = between and [first.seen(one) for one in range(between[0], between[1] + 1)]
        seen = [pixels for pixels in seen or () if pixels]
        own = output * stride // n_phases
        phases.append((own - min(pixels[0] for pixels in seen),
                       max(pixels[1] for pixels in seen) - own) if seen else None)
    return Window(tuple(phases), stride)


def united(windows):
    """Return the window that holds some windows with the same stride and factor."""
    phases = [[phase for phase in each if phase] for each in zip(*(
        window.phases for window in windows))]
    return windows[0]._replace(phases=tuple(
        tuple(map(max, zip(*each))) if each else None for each in phases))


def common_grid(outer, stride):
    """Return of what outputs must be multiples, so that `stride` times them are of `outer`."""
    return outer // gcd(outer, stride)
