"""The line that tells how far work is, on a terminal and in a log."""

import io

import pytest

from convlib import _progress
from convlib._progress import Progress, duration


class Terminal(io.StringIO):
    """A stream whose lines can be rewritten."""

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    return now


def run(clock, parts, seconds, **settings):
    with Progress("work", 1000, "images", **settings) as progress:
        for n in parts:
            clock[0] += seconds
            progress.advance(n)


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(clock, capsys):
    run(clock, [100] * 10, 4.0)
    assert capsys.readouterr().err.splitlines() == [
        "work: 300 of 1,000 images (30%), 25 images/s, 0:28 left",
        "work: 600 of 1,000 images (60%), 25 images/s, 0:16 left",
        "work: 900 of 1,000 images (90%), 25 images/s, 4.0 s left",
        "work: 1,000 of 1,000 images, 25 images/s, 0:40"]


def test_a_terminal_has_one_line_that_ends(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    run(clock, [500, 500], 2.0)
    text = terminal.getvalue()
    assert text.count("\n") == 1
    states = text.rstrip("\n").split("\r")[1:]
    assert [state.rstrip() for state in states] == [
        "work: 0 of 1,000 images", "work: 500 of 1,000 images (50%), 250 images/s, 2.0 s left",
        "work: 1,000 of 1,000 images, 250 images/s, 0.0 s left",
        "work: 1,000 of 1,000 images, 250 images/s, 4.0 s"]
    assert len(states[-1]) >= len(states[-2].rstrip())    # nothing of it is left


def test_what_was_done_before_does_not_count_in_the_rate(clock, capsys):
    run(clock, [10], 20.0, done=900)
    assert capsys.readouterr().err.splitlines() == [
        "work: 910 of 1,000 images (91%), 0.5 images/s, 3:00 left",
        "work: 910 of 1,000 images (91%), 0.5 images/s, 0:20"]


def test_the_line_ends_where_the_work_fails(clock, capsys):
    def fail():
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"), Progress("work", 3, "tiles") as progress:
        progress.advance(fail() or 1)
    assert capsys.readouterr().err == "work: 0 of 3 tiles, 0.0 s, stopped\n"


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_nothing_is_written_unasked_or_nowhere(clock, monkeypatch, stream):
    monkeypatch.setattr("sys.stderr", stream)
    run(clock, [1000], 20.0, shows=stream is None)
    assert stream is None or stream.getvalue() == ""


def test_durations():
    assert [duration(s) for s in (0.04, 9.9, 59.7, 125, 3725)] == [
        "0.0 s", "9.9 s", "1:00", "2:05", "1:02:05"]
