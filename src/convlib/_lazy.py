"""Where dask arrays come in: the mark of public functions and methods that take them.

Whoever passes NumPy arrays pays for a look at the type. The work is done by `_dask`, and for
estimators by `estimators._dask`: they know what is marked and therefore stand above it, so they
are loaded by name when the first dask array comes, and dask with them.
"""

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from importlib import import_module

import numpy as np

_tasks = ContextVar("tasks", default=1)


def is_dask(value):
    """Return whether `value` is a dask array, without importing dask."""
    return type(value).__module__.startswith("dask.array")


def takes_dask(kind):
    """Mark a function, or a method, whose first argument may be a dask array.

    `kind` is the function of `_dask` that then takes over; it gets the marked one and its
    arguments.
    """
    def mark(function):
        names = function.__code__.co_varnames
        is_method = names[0] == "self"
        place = 1 if is_method else 0
        module = "convlib.estimators._dask" if is_method else "convlib._dask"
        name = names[place]

        @wraps(function)
        def call(*args, **kwargs):
            given = args[place] if len(args) > place else kwargs.get(name)
            if type(given) is not np.ndarray and is_dask(given):
                return getattr(import_module(module), kind)(call, *args, **kwargs)
            return function(*args, **kwargs)

        return call
    return mark


def tasks_at_once():
    """Return how many tasks of dask share this process's threads: 1 outside of dask.

    A worker of `distributed` says so itself, whoever calls; other schedulers do not, and there
    `sharing_threads` does.
    """
    distributed = sys.modules.get("distributed")
    if distributed is not None:
        try:
            return distributed.get_worker().state.nthreads
        except ValueError:
            pass
    return _tasks.get()


@contextmanager
def sharing_threads(n_tasks):
    """Let calls in this thread take their share of the threads that `n_tasks` tasks have."""
    before = _tasks.set(n_tasks)
    try:
        yield
    finally:
        _tasks.reset(before)
