"""Memory as the operating system counts it: budgets hold, and calls leave nothing behind.

Each test is a process of its own, whose memory nothing else has used.
"""

import json
import os
import subprocess
import sys
import textwrap

import pytest

MIB = 2**20
# What a budget does not count: stacks and heaps of two threads, and the modules that a first call
# imports are in memory before.
BESIDE = 4 * MIB

pytestmark = pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK),
                                reason="the kernel does not tell peaks of memory")

MEASURE = """
    import gc, json, sys
    import numpy as np
    import convlib as cl

    def status(name):
        with open("/proc/self/status") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))

    def peak(call):
        # Bytes of the highest level during a call, beyond those before it.
        gc.collect()
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = status("VmRSS")
        out = call()
        return status("VmHWM") - before, getattr(out, "nbytes", 0)
"""


def run(script):
    """Run a script in a new process and return what it printed, as JSON."""
    script = textwrap.dedent(MEASURE) + textwrap.dedent(script)
    # Large arrays go back to the system when they are freed, so that nothing is used again.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "2"}
    result = subprocess.run([sys.executable, "-c", script], env=environment, text=True,
                            capture_output=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_transform_stays_within_its_budget():
    budget = 16
    found = run(f"""
        rng = np.random.default_rng(0)
        images = rng.random((150, 80, 80, 3), dtype=np.float32)
        gray = images[..., 0]
        series = rng.random((1500, 300), dtype=np.float32)
        budget = {{"working_memory": {budget}}}
        seed = {{"random_state": 0}}
        net = cl.ConvNetClassifier((16,), max_iter=1, **seed, **budget)
        cases = [
            (cl.ConvFeatures(32, **seed, **budget), images),
            (cl.ConvFeatures(32, pool_size="global", **seed, **budget), images),
            (cl.ConvFeatures(8, kernels="kmeans", **seed, **budget), images),
            (cl.DeformConvFeatures(8, **seed, **budget), images),
            (cl.ImageFilter("gaussian", sigma=2.0, **budget), gray),
            (cl.PixelFeatures(sigma_max=4, **budget), list(gray[:10])),
            (cl.RocketFeatures(500, **seed, **budget), series),
            (cl.MiniRocketFeatures(1000, **seed, **budget), series),
            (cl.HydraFeatures(**seed, **budget), series),
            (net, images),
        ]
        found = {{}}
        for number, (estimator, X) in enumerate(cases):
            if estimator is net:
                net.fit(X[:20], np.arange(20) % 2)
                call = net.predict_proba
            else:
                estimator.fit(X[:20])
                call = estimator.transform
            call(X[:3])
            found[f"{{type(estimator).__name__}} {{number}}"] = peak(lambda: call(X))
        print(json.dumps(found))
    """)
    allowed = 1.1 * budget * MIB + BESIDE
    over = {name: (used - result) / MIB for name, (used, result) in found.items()
            if used - result > allowed}
    assert not over
    assert len(found) == 10


def test_calls_leave_nothing_behind():
    found = run("""
        images = np.ones((1, 12, 12, 4), np.float32)
        kernel = np.ones((3, 3, 4, 8), np.float32)
        packed = cl.pack_kernel(kernel, (12, 12, 4))
        features = cl.ConvFeatures(4, random_state=0).fit(images)
        calls = {
            "conv": lambda: cl.conv(images, kernel),
            "packed": lambda: cl.conv(images, packed),
            "pack_kernel": lambda: cl.pack_kernel(kernel, (12, 12, 4)),
            "max_pool": lambda: cl.max_pool(images, 2),
            "gaussian": lambda: cl.filters.gaussian(images[0], 1.0, channel_axis=-1),
            "transform": lambda: features.transform(images),
        }
        found = {}
        for name, call in calls.items():
            grown = []
            for _ in range(3):
                before = status("VmRSS")
                for _ in range(5000):
                    call()
                grown.append(status("VmRSS") - before)
            found[name] = min(grown[1:])    # the first calls fill the heap
        print(json.dumps(found))
    """)
    # Sixteen bytes a call would be 80 kB.
    assert {name: grown for name, grown in found.items() if grown > MIB // 16} == {}
    assert len(found) == 6
