"""How things are timed: peers and convlib in one process, rest between them, lower quartile.

Thread pools spin for a while after a call and slow whoever comes next, so each function first
sleeps, then warms up, then is timed in a burst; rounds rotate over the functions. A function that
takes seconds is left out of later rounds.
"""

import time

import numpy as np

REST_SECONDS = 0.03
LIMIT_SECONDS = 3.0     # of one function, over all rounds


def compare(functions, rounds=9):
    """Return {name: seconds} for {name: function}, the lower quartile over all bursts."""
    times = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            if sum(times[name]) > LIMIT_SECONDS:
                continue
            time.sleep(REST_SECONDS)
            first = _timed(function)
            _timed(function)
            for _ in range(int(np.clip(0.02 / max(first, 1e-9), 2, 8))):
                times[name].append(_timed(function))
    return {name: float(np.quantile(values, 0.25)) for name, values in times.items()}


def _timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
