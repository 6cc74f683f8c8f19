"""What the machine can do at best, measured, and what it is."""

import ctypes
import platform
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np

PEAK_ROUNDS = 2_000_000       # about 20 ms
READ_BYTES = 256 * 2**20      # beyond any cache


@lru_cache
def load(dtype):
    """Return the library compiled from peak.c with the machine's own instructions."""
    real = {"float32": "float", "float64": "double"}[dtype]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "peak.so"
        source = Path(__file__).with_name("peak.c")
        subprocess.run(["cc", "-O3", "-march=native", "-ffp-contract=fast", f"-Dreal={real}",
                        "-shared", "-fPIC", source, "-o", library], check=True)
        functions = ctypes.CDLL(str(library))
    functions.peak.restype = functions.bandwidth.restype = ctypes.c_double
    functions.peak.argtypes = [ctypes.c_long]
    functions.bandwidth.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return functions


def peak_flops(dtype="float32", n_threads=1):
    """Return the multiply-adds of some threads, as flops a second, the best of five."""
    peak = load(dtype).peak
    return _best_sum(lambda _: peak(PEAK_ROUNDS), n_threads)


def read_bytes(n_threads=1):
    """Return the bytes a second that some threads read from memory, the best of five."""
    bandwidth = load("float32").bandwidth
    arrays = [np.zeros(READ_BYTES + 64, np.uint8) for _ in range(n_threads)]
    for array in arrays:
        array[:] = 1      # pages of its own, not the shared page of zeros
    starts = [array.ctypes.data + -array.ctypes.data % 64 for array in arrays]
    return _best_sum(lambda thread: bandwidth(starts[thread], READ_BYTES), n_threads)


def _best_sum(function, n_threads):
    with ThreadPoolExecutor(n_threads) as pool:
        return max(sum(pool.map(function, range(n_threads))) for _ in range(5))


def processor():
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
