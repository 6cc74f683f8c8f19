"""How many OpenMP threads a call uses. OpenMP is the only pool; nobody's settings change."""

import os
import time
from functools import lru_cache

from convlib._lazy import tasks_at_once
from convlib._native import cpu

# Below this, waking a second thread costs more than it saves.
SERIAL_SECONDS = 100e-6

_forked = False


def _mark_forked():
    global _forked
    _forked = True


# A child of fork has OpenMP's memory of threads, but not the threads: a team would wait for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_forked)


def thread_count(n_threads, seconds, n_tasks=None):
    """Return the number of threads for work of about `seconds` on one, at most one for a task.

    `n_threads` is the user's wish, None for as many as OpenMP, joblib and the container allow; of
    these, tasks of dask that run at the same time have equal shares.
    Where the tasks depend on the threads, `n_tasks` is left out and the caller sees to them.
    """
    if n_threads is None and seconds < SERIAL_SECONDS:
        return 1
    if _forked or not cpu.openmp():
        return 1
    if n_threads is None:
        n_threads = max(1, min(cpu.max_threads(), usable_cpus()) // tasks_at_once())
    return n_threads if n_tasks is None else max(1, min(n_threads, n_tasks))


def usable_cpus():
    """Return the cores of this process, as affinity, container and environment limit them.

    Asking takes joblib 30 to 60 us, so it is asked again when the affinity or the environment has
    changed, and otherwise once a second, for the limits of the container.
    """
    cores = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return _count_cpus(cores, os.environ.get("LOKY_MAX_CPU_COUNT"), int(time.monotonic()))


@lru_cache(maxsize=1)
def _count_cpus(cores, environment, second):
    from joblib import cpu_count  # 60 ms of import that small work never needs

    return cpu_count()
