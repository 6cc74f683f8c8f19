"""Up-sampling against torch, as ratios: above 1, convlib is faster.

    python benchmarks/bench_upsample.py [--threads N]

torch runs channels first and channels last, and the better of the two counts. Gradients are
compared with torch.autograd's. Without torch the table holds convlib's times alone.
"""

import argparse

import numpy as np

import convlib as cl
from convlib._native import cpu
from protocol import compare

try:
    import torch
except ImportError:
    torch = None

# n_images, spatial size, channels
SHAPES = ((1, 56, 56, 64), (1, 28, 28, 256), (8, 128, 128, 32), (4, 64, 64, 64), (1, 512, 512, 3),
          (1, 512, 512, 1), (32, 8, 8, 64), (4, 4096, 16), (1, 100_000, 1), (1, 16, 32, 32, 16))
KINDS = "nearest", "bilinear", "bicubic"
MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}    # how torch calls bilinear


def own_functions(images, large, n_threads):
    """Return {name: function} of each kind, forward and backward."""
    forward = {kind: lambda kind=kind: cl.upsample(images, 2, kind, n_threads=n_threads)
               for kind in KINDS}
    return forward | {
        f"{kind} gradient": lambda kind=kind: cl.grad.upsample_images(
            large, 2, kind, n_threads=n_threads)
        for kind in KINDS}


def torch_orders(rank):
    """Return the memory formats of torch for images of some spatial axes."""
    last = {2: [torch.channels_last], 3: [torch.channels_last_3d]}
    return [torch.contiguous_format, *last.get(rank, [])]


def torch_functions(images, large):
    """Return {(name, memory format): function}."""
    functions = {}
    rank = images.ndim - 2
    for order in torch_orders(rank):
        x, y = (torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1)))
                .contiguous(memory_format=order) for array in (images, large))
        for kind in KINDS if rank == 2 else KINDS[:2]:
            mode = MODES[rank] if kind == "bilinear" else kind
            more = {} if kind == "nearest" else {"align_corners": False}

            def forward(x=x, mode=mode, more=more):
                return torch.nn.functional.interpolate(x, scale_factor=2, mode=mode, **more)

            with torch.enable_grad():
                source = x.clone(memory_format=torch.preserve_format).requires_grad_()
                out = forward(source)
            functions[kind, order] = forward
            functions[f"{kind} gradient", order] = lambda out=out, source=source, y=y: \
                torch.autograd.grad(out, source, y, retain_graph=True)
    return functions


def bench(shape, n_threads):
    """Return {name: (seconds, ratio to torch)}."""
    random = np.random.default_rng(0)
    twice = shape[0], *(2 * n for n in shape[1:-1]), shape[-1]
    images, large = (random.standard_normal(size, dtype=np.float32) for size in (shape, twice))
    own = own_functions(images, large, n_threads)
    if torch is None:
        return {name: (seconds, np.nan) for name, seconds in compare(own).items()}
    peers = torch_functions(images, large)
    with torch.no_grad():
        times = compare(peers | own, rounds=5)
    best = {name: min((times[key] for key in peers if key[0] == name), default=np.nan)
            for name in own}
    return {name: (times[name], best[name] / times[name]) for name in own}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    n_threads = parser.parse_args().threads
    if torch is not None:
        torch.set_num_threads(n_threads or cpu.max_threads())
    print(f"tier {cpu.tier()}, {n_threads or cpu.max_threads()} threads, ms and ratio to torch")
    for shape in SHAPES:
        print("x".join(map(str, shape)))
        for name, (seconds, ratio) in bench(shape, n_threads).items():
            print(f"   {name:18s}{1e3 * seconds:9.3f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
