"""What a call costs before its arithmetic begins: microseconds of tiny convolutions.

    python benchmarks/bench_overhead.py [--rounds N]

convlib runs with the kernel given plainly, packed ahead, and packed with `out`; then the pools.
torch, OpenCV and SciPy run if they are there. All run on one thread. The column "arithmetic" is
what the compiled kernel of convlib takes longer than for a single output; the rest is overhead.
"""

import argparse
import importlib
import time

import numpy as np

import convlib as cl
from convlib._problem import five_axes

SHAPES = (    # of one image, of the kernel
    ((8, 8, 1), (3, 3, 1, 1)),
    ((8, 8, 1), (3, 3, 1, 8)),
    ((8, 8, 8), (1, 1, 8, 8)),
    ((64, 1), (9, 1, 8)),
    ((4, 4, 4, 2), (3, 3, 3, 2, 4)),
)
CALLS = 200


def optional(name):
    """Return a module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


cv2, ndimage, torch = map(optional, ("cv2", "scipy.ndimage", "torch"))


def microseconds(functions, rounds):
    """Return {name: microseconds of a call} for {name: function}, lower quartiles of bursts."""
    times = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            for _ in range(CALLS // 4):
                function()
            start = time.perf_counter()
            for _ in range(CALLS):
                function()
            times[name].append((time.perf_counter() - start) / CALLS * 1e6)
    return {name: float(np.quantile(values, 0.25)) for name, values in times.items()}


def own_functions(images, kernel):
    """Return {name: function} for the forms of a call."""
    packed = cl.pack_kernel(kernel, images.shape[1:])
    out = cl.conv(images, packed)
    return {
        "plain": lambda: cl.conv(images, kernel),
        "packed": lambda: cl.conv(images, packed),
        "packed, out": lambda: cl.conv(images, packed, out=out),
        "max_pool": lambda: cl.max_pool(images, 2),
        "average_pool": lambda: cl.average_pool(images, 2),
    }


def arithmetic(images, kernel):
    """Return functions that run the compiled kernel alone, on all outputs and on one."""
    packed = cl.pack_kernel(kernel, images.shape[1:])
    problem, way, layout, _ = packed._plan(images.shape[1:])
    out = five_axes(cl.conv(images, packed))
    pixel = np.empty((1, 1, 1, 1, out.shape[-1]), out.dtype)
    images = five_axes(images)
    return {
        name: lambda target=target: way.run(
            problem, layout, packed._prepared(), images, target, (0, 0, 0), 1)
        for name, target in (("all outputs", out), ("one output", pixel))
    }


def peer_functions(images, kernel):
    """Return {name: function} of the libraries that are there and can."""
    functions = {}
    if torch is not None:
        conv = getattr(torch.nn.functional, f"conv{images.ndim - 2}d")
        x, weights = (torch.from_numpy(np.ascontiguousarray(np.moveaxis(*a)))
                      for a in ((images, -1, 1), (kernel, (-1, -2), (0, 1))))
        functions["torch"] = lambda: conv(x, weights)
    if images.shape[-1] == kernel.shape[-1] == 1:
        image, taps = images[0, ..., 0], kernel[..., 0, 0]
        if cv2 is not None and image.ndim == 2:
            functions["cv2"] = lambda: cv2.filter2D(image, -1, taps)
        if ndimage is not None:
            functions["scipy"] = lambda: ndimage.correlate(image, taps)
    return functions


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    if torch is not None:
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
    if cv2 is not None:
        cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    for shape, kernel_shape in SHAPES:
        images, kernel = (
            rng.standard_normal(size, dtype=np.float32) for size in ((1, *shape), kernel_shape))
        compiled = arithmetic(images, kernel)
        functions = own_functions(images, kernel) | peer_functions(images, kernel)
        times = microseconds(functions | compiled, rounds)
        times["arithmetic"] = times["all outputs"] - times["one output"]
        print(f"{shape} with {kernel_shape}:",
              ", ".join(f"{name} {times[name]:.1f}" for name in (*functions, "arithmetic")))


if __name__ == "__main__":
    main()
