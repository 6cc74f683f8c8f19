"""conv against its peers, as ratios to the best of them: above 1, convlib is faster.

    python benchmarks/bench_conv.py [3x3 'dw 3x3 14x14x512' ...] [--threads 2] [--json FILE]
    python benchmarks/bench_conv.py --check-auto

Names are those of classes and layers in shapes.py; none means all. Peers and convlib are timed in
turn in one process, with the protocol of protocol.py. convlib runs with a plain kernel, prepared
within each call, and with a packed one; both return a new array, as the peers do. Where that array
is large, the packed kernel runs once more with `out=`.

--check-auto times every algorithm that accepts a layer instead, and tells where the one that
'auto' takes is more than 1.25 times slower than the fastest.
"""

import argparse
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import convlib as cl
import peers
import report
from convlib._native import cpu
from machine import peak_flops, processor, read_bytes
from protocol import compare
from shapes import CLASSES

LARGE_BYTES = 16 * 2**20     # outputs that leave the caches
TOLERANCE = 1e-3             # between convlib and peers; a wrong call is far off
SLACK = 1.25                 # of 'auto' against the fastest algorithm
HOPELESS = 20                # predicted to be so many times slower: not timed
LONG_SECONDS = 2             # predicted for a call: not timed


def main():
    """Measure and print."""
    arguments = parse()
    # convlib is called as users call it: small layers then stay on one thread.
    with threadpool_limits(arguments.threads):
        if arguments.check_auto:
            check_auto(arguments)
        else:
            compare_with_peers(arguments)


def compare_with_peers(arguments):
    """Print how fast convlib and the peers are."""
    machine = {
        "processor": processor(), "tier": cpu.tier(), "date": date.today().isoformat(),
        "versions": {"convlib": cl.__version__, "numpy": np.__version__}
        | peers.versions(arguments.peers),
        "peak": {}, "read": {str(arguments.threads): read_bytes(arguments.threads)},
    }
    missing = set(peers.PEERS) - set(arguments.peers)
    print(f"{machine['processor']}, tier {machine['tier']}, {arguments.threads} threads, "
          f"{arguments.dtype}")
    print(*(f"{module} {version}" for module, version in machine["versions"].items()), sep=", ")
    print(f"without: {', '.join(sorted(missing)) or 'nothing'}\n")
    print(report.HEADER if not arguments.markdown else "", flush=True)
    rows = []
    for kind, layer in selected(arguments):
        rows.append(bench(kind, layer, arguments))
        measure_peak(machine, arguments)
        if not arguments.markdown:
            print(report.line(rows[-1], machine), flush=True)
        if arguments.json:
            report.merge(arguments.json, machine, rows[-1:])
    print(report.markdown(rows, machine) if arguments.markdown else report.summary(rows))


def measure_peak(machine, arguments):
    """Measure again, as other work on the machine may have slowed the peak."""
    name = f"{arguments.dtype} {arguments.threads}"
    peak = peak_flops(arguments.dtype, arguments.threads)
    machine["peak"][name] = max(peak, machine["peak"].get(name, 0))


def parse():
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="classes and layers")
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--peers", nargs="*", choices=tuple(peers.PEERS), default=None,
                        help="default: all that are installed")
    parser.add_argument("--kernels", nargs="*", choices=("plain", "packed"),
                        default=("plain", "packed"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--markdown", action="store_true", help="print tables in markdown")
    parser.add_argument("--json", type=Path, help="add the results to those of this file")
    parser.add_argument("--check-auto", action="store_true")
    arguments = parser.parse_args()
    if arguments.peers is None:
        arguments.peers = peers.INSTALLED
    known = {kind.name for kind in CLASSES} | {
        layer.name for kind in CLASSES for layer in kind.layers}
    if unknown := set(arguments.names) - known:
        parser.error(f"no class or layer is called {unknown.pop()!r}")
    return arguments


def selected(arguments):
    """Return (class, layer) pairs whose names were asked for."""
    return [(kind, layer) for kind in CLASSES for layer in kind.layers
            if not arguments.names or {kind.name, layer.name} & set(arguments.names)]


def operands(layer, dtype):
    """Return images and kernel of a layer."""
    rng = np.random.default_rng(0)
    images, kernel = (rng.standard_normal(shape, dtype=dtype)
                      for shape in (layer.images_shape, layer.kernel_shape))
    return images, kernel * np.dtype(dtype).type(layer.scale)


def bench(kind, layer, arguments):
    """Return the measurements of a layer as a row for `report`."""
    images, kernel = operands(layer, arguments.dtype)
    n_threads = arguments.threads
    packed = cl.pack_kernel(kernel, layer.image_shape, dtype=arguments.dtype, **layer.settings)
    plan = cl.explain_conv(layer.image_shape, kernel, dtype=arguments.dtype, **layer.settings)
    calls = peers.build(arguments.peers, layer, images, kernel, n_threads)
    result = cl.conv(images, packed)
    for name, call in calls.items():
        require_close(call.fetch(call.run()), result, f"{name}, {layer.name}")
    own = {}
    if "plain" in arguments.kernels:
        own["plain"] = partial(cl.conv, images, kernel, **layer.settings)
    if "packed" in arguments.kernels:
        own["packed"] = partial(cl.conv, images, packed)
        if result.nbytes > LARGE_BYTES:
            own["out"] = partial(cl.conv, images, packed, out=result)
        if layer.alternative:
            own["alternative"] = alternative(layer.alternative, arguments)
    times = compare({name: call.run for name, call in calls.items()} | own, arguments.rounds)
    return {
        "class": kind.name, "layer": layer.name, "dtype": arguments.dtype, "threads": n_threads,
        "n_images": layer.n_images, "target": kind.target if arguments.dtype == "float32" else 1.0,
        "plain_target": layer.plain_target, "algorithm": packed.algorithm,
        "plain_algorithm": plan.algorithm,
        "flops": 2 * result.size * int(np.prod(layer.kernel_shape[:-1])),
        "bytes": images.nbytes + kernel.nbytes + result.nbytes, "out_bytes": result.nbytes,
        "peers": {name: times[name] for name in calls}, "own": {name: times[name] for name in own},
    }


def alternative(layer, arguments):
    """Return a call of convlib with a packed kernel."""
    images, kernel = operands(layer, arguments.dtype)
    packed = cl.pack_kernel(kernel, layer.image_shape, dtype=arguments.dtype, **layer.settings)
    return partial(cl.conv, images, packed)


def require_close(actual, expected, name):
    """Stop when a peer computes something else."""
    smallest = np.finfo(expected.dtype).tiny      # what is smaller may be flushed to zero
    scale = max(np.abs(expected).max(), smallest / TOLERANCE)
    if actual.shape != expected.shape or np.abs(actual - expected).max() > TOLERANCE * scale:
        raise AssertionError(f"{name}: the results differ")


def check_auto(arguments):
    """Print where 'auto' is slower than it could be."""
    print(f"tier {cpu.tier()}, {arguments.threads} threads, {arguments.dtype}; "
          f"milliseconds, * is the choice of 'auto'")
    n_cases, slow = 0, []
    for _, layer in selected(arguments):
        for kernel in arguments.kernels:
            chosen, times = time_algorithms(layer, kernel == "packed", arguments)
            best = min(times, key=times.get)
            excess = times[chosen] / times[best]
            n_cases += 1
            columns = (f"{name}{'*' * (name == chosen)} {1e3 * seconds:.3f}"
                       for name, seconds in sorted(times.items(), key=lambda item: item[1]))
            mark = f"SLOW {excess:.2f}x  " if excess > SLACK else ""
            print(f"{layer.name:32s} {kernel:7s} {mark}{', '.join(columns)}", flush=True)
            if excess > SLACK:
                slow.append(f"{layer.name}, {kernel}: {chosen} takes {excess:.2f} times as long "
                            f"as {best}")
    print(f"\n'auto' is within {SLACK} of the fastest in {n_cases - len(slow)} of {n_cases}.")
    print(*slow, sep="\n")


def time_algorithms(layer, packed, arguments):
    """Return the choice of 'auto', and {algorithm: seconds} of all that are worth timing."""
    images, kernel = operands(layer, arguments.dtype)
    settings = layer.settings
    plan = cl.explain_conv(
        layer.image_shape, kernel, dtype=arguments.dtype, packed=packed, **settings)
    least = plan.costs[plan.algorithm]
    functions = {}
    for name, cost in plan.costs.items():
        hopeless = cost > HOPELESS * least or layer.n_images * cost > LONG_SECONDS
        if hopeless and name != plan.algorithm:
            continue
        if packed:
            prepared = cl.pack_kernel(
                kernel, layer.image_shape, algorithm=name, dtype=arguments.dtype, **settings)
            functions[name] = partial(cl.conv, images, prepared)
        else:
            functions[name] = partial(
                cl.conv, images, kernel, algorithm=name, **settings)
    return plan.algorithm, compare(functions, arguments.rounds)


if __name__ == "__main__":
    main()
