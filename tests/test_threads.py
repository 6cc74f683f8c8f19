"""Tests of the number of threads: whose limits count, the GIL, and children of fork."""

import os
import subprocess
import sys
import textwrap
import threading

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import convlib as cl
from convlib import _threads
from convlib._algorithms import NAMES
from convlib._native import cpu
from convlib._threads import SERIAL_SECONDS, thread_count
from test_algorithms import PROBLEMS

pytestmark = pytest.mark.kernels

SECONDS = 1.0    # of work, far more than pays for threads
TIMEOUT = 120    # of a child process that hangs

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
needs_openmp = pytest.mark.skipif(not cpu.openmp(), reason="built without OpenMP")


def run(script, *arguments, **environment):
    """Run a script in a new process and return what it printed; a hang fails."""
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    result = subprocess.run(command, env=os.environ | environment, timeout=TIMEOUT, text=True,
                            capture_output=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


# The number


@needs_openmp
def test_none_follows_openmp_and_the_container():
    assert thread_count(None, SECONDS) == min(cpu.max_threads(), joblib.cpu_count())


@needs_openmp
@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_users_number_wins(n):
    assert thread_count(n, SECONDS) == n
    assert thread_count(n, 0) == n


@needs_openmp
def test_there_are_never_more_than_tasks():
    assert thread_count(1000, SECONDS, 7) == 7
    assert thread_count(5, SECONDS, 7) == 5
    assert thread_count(5, SECONDS, 0) == 1
    assert thread_count(None, SECONDS, 1) == 1


@needs_openmp
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="no list of threads to count")
def test_no_call_starts_a_thread_that_has_nothing_to_do():
    script = """
        import os, sys
        import numpy as np
        import convlib as cl

        one = np.ones((1, 1, 1, 2))
        calls = {
            "pointwise": (one, (1, 1, 2, 2), {}),
            "depthwise": (one, (3, 3, 1, 2), {"groups": 2, "padding": 1}),
            "grouped": (one, (3, 3, 2, 2), {"padding": 1}),
            "planes": (one, (3, 3, 2, 2), {"padding": 1}),
            "lowrank": (one, (5, 5, 1, 2), {"padding": 2, "groups": 2}),
            "winograd": (one, (3, 3, 2, 2), {"padding": 1}),
            "winograd2": (one, (3, 3, 2, 2), {"padding": 1}),
            "fft": (one, (3, 3, 2, 1), {"padding": 1}),
            "igemm": (one, (3, 3, 2, 2), {"padding": 1}),
            "direct": (one, (3, 3, 2, 2), {"padding": 1}),
        }
        print(*calls)
        for name, (images, kernel, options) in calls.items():
            cl.conv(images, np.ones(kernel), algorithm=name, n_threads=99, **options)
        columns = cl.im2col(one, 1, n_threads=99)
        cl.col2im(columns, (1, 1), 1, n_threads=99)
        maxima, indices = cl.max_pool(one, 1, return_indices=True, n_threads=99)
        cl.max_unpool(maxima, indices, (1, 1), n_threads=99)
        cl.global_pool(one, "mean", n_threads=99)
        print(len(os.listdir("/proc/self/task")))
    """
    before = "import os, numpy, convlib; print(len(os.listdir('/proc/self/task')))"
    names, n_threads = run(script).splitlines()
    assert names.split() == list(NAMES)
    # What has two tasks may use two threads.
    assert int(n_threads) - int(run(before)) < 4


def test_little_work_is_serial():
    assert thread_count(None, SERIAL_SECONDS / 2) == 1


@needs_openmp
def test_threadpoolctl_limits():
    with threadpool_limits(1, user_api="openmp"):
        assert thread_count(None, SECONDS) == 1
    with threadpool_limits(2, user_api="openmp"):
        assert thread_count(None, SECONDS) == min(2, joblib.cpu_count())


@needs_openmp
@pytest.mark.parametrize("cpus", [1, 3])
def test_the_cores_of_the_process_limit(monkeypatch, cpus):
    monkeypatch.setattr(_threads, "usable_cpus", lambda: cpus)
    with threadpool_limits(2, user_api="openmp"):
        assert thread_count(None, SECONDS) == min(2, cpus)


def test_without_openmp_there_is_one(monkeypatch):
    monkeypatch.setattr(cpu, "openmp", lambda: 0)
    assert thread_count(None, SECONDS) == 1
    assert thread_count(8, SECONDS) == 1


@pytest.mark.parametrize("n", [1, 2, 5])
def test_omp_num_threads(n):
    script = """
        import convlib._threads
        print(convlib._threads.thread_count(None, 1.0), convlib._threads.usable_cpus())
    """
    count, cpus = map(int, run(script, OMP_NUM_THREADS=str(n)).split())
    assert count == (min(n, cpus) if cpu.openmp() else 1)


@needs_openmp
def test_the_callers_openmp_setting_stays():
    images, kernel = np.ones((4, 50, 50, 8)), np.ones((3, 3, 8, 8))
    with threadpool_limits(2, user_api="openmp"):
        cl.conv(images, kernel, n_threads=5)
        assert cpu.max_threads() == 2


# The GIL


@pytest.mark.parametrize("algorithm", NAMES)
def test_kernels_release_the_gil(algorithm):
    """Without a switch interval, another thread runs only while this one gives the GIL away."""
    shape, kernel_shape, options = PROBLEMS[algorithm][0]
    packed = cl.pack_kernel(np.ones(kernel_shape), shape, algorithm=algorithm, **options)
    images = np.ones((4_000_000 // np.prod(shape), *shape), "f4")
    out = cl.conv(images, packed)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        assert any(runs_beside(lambda: cl.conv(images, packed, n_threads=1, out=out))
                   for _ in range(50))
    finally:
        sys.setswitchinterval(before)


def test_runs_beside_tells_when_the_gil_is_kept():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        assert not any(runs_beside(lambda: sum(range(100_000))) for _ in range(20))
    finally:
        sys.setswitchinterval(before)


def runs_beside(call):
    """Tell whether another Python thread got on during `call`."""
    ready, go, progress = threading.Event(), threading.Event(), []

    def other():
        ready.set()
        go.wait()
        progress.append(1)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait()
    go.set()
    call()
    result = bool(progress)
    thread.join()
    return result


# Children of fork

FORK = """
    import multiprocessing, os, sys
    import numpy as np
    import convlib as cl
    from convlib._threads import thread_count

    images, kernel = np.ones((4, 60, 60, 8), "float32"), np.ones((3, 3, 8, 16))
    packed = cl.pack_kernel(kernel, (60, 60, 8))
    expected = cl.conv(images, kernel, n_threads=4)

    def check():
        for n_threads in (None, 1, 4):
            assert thread_count(n_threads, 1.0) == 1
            for weights in (kernel, packed):
                out = cl.conv(images, weights, n_threads=n_threads)
                assert np.array_equal(out, expected)

    def work(number):
        check()
        return number
"""

OS_FORK = """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            check()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0
    assert np.array_equal(cl.conv(images, kernel, n_threads=4), expected)
    print("done")
"""

MULTIPROCESSING = """
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, range(4)) == [0, 1, 2, 3]
    print("done")
"""


@needs_fork
@pytest.mark.parametrize("script", [OS_FORK, MULTIPROCESSING], ids=["os", "multiprocessing"])
def test_a_forked_child_runs_serially(script):
    assert run(textwrap.dedent(FORK) + textwrap.dedent(script)) == "done"


def test_importing_starts_no_thread_and_no_joblib():
    script = """
        import sys, threading
        import convlib
        print(threading.active_count(), "joblib" in sys.modules, "sklearn" in sys.modules)
    """
    assert run(script) == "1 False False"
