"""How far a job is, as lines of text."""

import time

SECONDS = 2.0    # between lines


class Progress:
    """Lines that tell how many tiles are done, how fast, and how long the rest takes.

    With `verbose` 1 there is a line every few seconds, with more one for each tile. The last line
    comes when the last tile is written.
    """

    def __init__(self, name, n_tiles, n_done, n_outputs, verbose):
        self.name, self.n_tiles, self.n_done = name, n_tiles, n_done
        self.left, self.done = n_outputs, 0
        self.verbose = int(verbose)
        self.began = self.told = time.perf_counter()
        if self.verbose and n_done:
            print(f"[{name}] {n_done} of {n_tiles} tiles were finished before", flush=True)

    def add(self, n_outputs):
        """Note that another tile is done."""
        self.n_done += 1
        self.done += n_outputs
        self.left -= n_outputs
        now = time.perf_counter()
        is_due = self.verbose > 1 or now - self.told >= SECONDS or self.n_done == self.n_tiles
        if not (self.verbose and is_due):
            return
        self.told = now
        seconds = max(now - self.began, 1e-9)
        end = f"{clock(self.left * seconds / self.done)} left" if self.left else \
            f"done in {clock(seconds)}"
        print(f"[{self.name}] {self.n_done} of {self.n_tiles} tiles, "
              f"{self.done / seconds / 1e6:.3g} million outputs/s, {end}", flush=True)


def clock(seconds):
    """Return seconds as hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
