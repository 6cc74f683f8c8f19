"""How far work is, as one line on the standard error, which ends with the work."""

import shutil
import sys
import time

TERMINAL_SECONDS = 0.1    # between two states of the line
LOG_SECONDS = 10.0        # between two lines where they cannot be rewritten


class Progress:
    """A line such as 'ConvFeatures: 512 of 1,797 images (28%), 6,012 images/s, 0:03 left'.

    It is rewritten on a terminal; elsewhere there is another line now and then. Use it in a `with`
    statement: when the work ends, or fails, so does the line, which then tells the time it took.

    Parameters
    ----------
    title : str
        What is worked on.
    total : int
        How many parts there are.
    unit : str
        What the parts are, in the plural.
    shows : bool or int, default=True
        Whether anything is written.
    done : int, default=0
        Parts that were done before; they do not count in the rate.
    """

    def __init__(self, title, total, unit, shows=True, done=0):
        self.title, self.total, self.unit = title, total, unit
        self.done = self._before = done
        self._stream = sys.stderr if shows else None    # which there is none of without a console
        self._rewrites = self._stream is not None and self._stream.isatty()
        self._width = 0

    def __enter__(self):
        self._begin = self._last = time.monotonic()
        if self._rewrites:
            self._show(self._state(0))
        return self

    def advance(self, parts=1):
        """Tell that so many further parts are done."""
        self.done += parts
        if self._stream is None:
            return
        now = time.monotonic()
        if now - self._last >= (TERMINAL_SECONDS if self._rewrites else LOG_SECONDS):
            self._last = now
            self._show(self._state(now - self._begin))

    def over(self, parts):
        """Yield parts; each is done when the next one is asked for."""
        for part in parts:
            yield part
            self.advance()

    def __exit__(self, kind, error, traceback):
        if self._stream is None:
            return
        seconds = time.monotonic() - self._begin
        end = duration(seconds) + (", stopped" if kind is not None else "")
        self._show(f"{self._counts()}{self._rate(seconds)}, {end}", ends=True)

    def _counts(self):
        share = f" ({100 * self.done // self.total}%)" if 0 < self.done < self.total else ""
        return f"{self.title}: {self.done:,} of {self.total:,} {self.unit}{share}"

    def _rate(self, seconds):
        new = self.done - self._before
        if not new or seconds <= 0:
            return ""
        rate = new / seconds
        return f", {rate:,.0f} {self.unit}/s" if rate >= 10 else f", {rate:.2g} {self.unit}/s"

    def _state(self, seconds):
        new, left = self.done - self._before, self.total - self.done
        time_left = f", {duration(seconds * left / new)} left" if new else ""
        return self._counts() + self._rate(seconds) + time_left

    def _show(self, text, ends=False):
        """Write a state of the line; what was longer before is covered by spaces."""
        if self._rewrites:
            text = text[:shutil.get_terminal_size().columns - 1]
            text, self._width = "\r" + text.ljust(self._width), len(text)
        self._stream.write(text if self._rewrites and not ends else text + "\n")
        self._stream.flush()


def duration(seconds):
    """Return a time such as '0.3 s', '2:05' or '1:02:05'."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
