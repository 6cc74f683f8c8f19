"""What a convolution costs, as `convlib explain` tells it."""

import statistics
import time

import numpy as np

from convlib import shapes
from convlib._threads import thread_count
from convlib.ops.conv import conv, explain_conv

MOST_SECONDS = 20.0    # predicted, of what is measured
MEASURED = 0.5         # seconds of repetition


def explanation(image, kernel, settings, dtype, measures):
    """Return pairs about the convolution of one image, and about each way to compute it."""
    *size, n_channels = image
    *taps, n_kernels = kernel
    size, taps, groups = tuple(size), tuple(taps), settings["groups"]
    if n_channels % groups:
        raise ValueError(f"--groups must divide the {n_channels} channels of the image; got "
                         f"{groups}")
    full = (*taps, n_channels // groups, n_kernels)
    plan = explain_conv(image, full, dtype=dtype, **settings)
    window = {key: settings[key] for key in ("stride", "padding", "dilation")}
    output = shapes.output_size(size, taps, **window)
    ends = (n_channels, n_kernels)
    n_macs = shapes.n_macs(size, taps, *ends, groups=groups, **window)
    n_parameters = shapes.n_parameters(taps, *ends, groups=groups)
    field, _, _ = shapes.receptive_field([(taps, settings["stride"], settings["dilation"])])
    predicted = plan.costs[plan.algorithm]
    lines = [
        ("image", sizes(image)), ("kernel", sizes(full)), ("output", sizes((*output, n_kernels))),
        ("receptive field", sizes(field)), ("parameters", f"{n_parameters:,}"),
        ("multiply-adds", f"{n_macs:,}"), ("algorithm", plan.algorithm),
        ("predicted", f"{clock(predicted)}, one thread"),
    ]
    if measures and predicted > MOST_SECONDS:
        lines.append(("measured", f"not, as it is predicted to take over {MOST_SECONDS:.0f} s"))
    elif measures:
        n_threads = thread_count(None, np.inf)
        alone = measure(image, full, settings, dtype, 1)
        lines.append(("measured", f"{clock(alone)}, one thread"))
        if n_threads > 1:
            together = measure(image, full, settings, dtype, n_threads)
            lines.append(("", f"{clock(together)}, {n_threads} threads"))
    others = sorted(plan.costs.items(), key=lambda item: item[1])
    ways = [(name, clock(cost)) for name, cost in others]
    return lines, ways + [(name, f"not: {reason}") for name, reason in plan.refusals.items()]


def sizes(values):
    """Return sizes as the command takes them."""
    return "x".join(map(str, values))


def measure(image, kernel, settings, dtype, n_threads):
    """Return the median of the seconds that `conv` takes for one image."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((1, *image)).astype(dtype)
    weights = rng.standard_normal(kernel).astype(dtype)
    taken, end = [], None
    while end is None or (time.perf_counter() < end and len(taken) < 100):
        begin = time.perf_counter()
        conv(images, weights, **settings, n_threads=n_threads)
        taken.append(time.perf_counter() - begin)
        if end is None:    # the first one warms caches
            end, taken = begin + MEASURED, taken if taken[0] > MEASURED else []
    return statistics.median(taken)


def clock(seconds):
    """Return a time in a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
