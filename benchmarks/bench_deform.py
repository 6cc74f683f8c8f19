"""Deformable convolution against torchvision, and against convlib's own convolution.

    python benchmarks/bench_deform.py [--threads N]

Ratios above 1: convlib is faster than torchvision, forward and backward (all gradients of one
call). The cost is that of deform_conv over conv with taps in their places, as the same product
('igemm') and as fast as conv can. Without torchvision the table holds convlib's times alone.
"""

import argparse
from typing import NamedTuple

import numpy as np

import convlib as cl
from convlib import grad
from convlib._native import cpu
from protocol import compare

try:
    import torch
    from torchvision.ops import deform_conv2d
except ImportError:
    torch = None


class Layer(NamedTuple):
    """A named call with kernels of 3x3 and padding 1."""

    name: str
    shape: tuple            # of the images
    out_channels: int
    has_mask: bool = True
    offset_groups: int = 1
    groups: int = 1


LAYERS = (
    Layer("64ch v1", (1, 56, 56, 64), 64, has_mask=False),
    Layer("64ch", (1, 56, 56, 64), 64),
    Layer("64ch 4 offset groups", (1, 56, 56, 64), 64, offset_groups=4),
    Layer("64ch 4 groups", (1, 56, 56, 64), 64, groups=4),
    Layer("128ch", (1, 28, 28, 128), 128),
    Layer("256ch v1", (1, 28, 28, 256), 256, has_mask=False),
    Layer("256ch", (1, 28, 28, 256), 256),
    Layer("512ch", (1, 14, 14, 512), 512),
    Layer("batch 32ch", (8, 64, 64, 32), 32),
    Layer("batch 16ch", (8, 64, 64, 16), 16),
    Layer("rgb", (4, 112, 112, 3), 32),
    Layer("depthwise 64ch", (1, 56, 56, 64), 64, groups=64),
)


class Arrays(NamedTuple):
    """The operands of a layer, and a gradient of its outputs."""

    images: np.ndarray
    kernel: np.ndarray
    offsets: np.ndarray
    mask: np.ndarray | None
    flow: np.ndarray


def arrays_of(layer):
    """Return random `Arrays`; offsets have a standard deviation of two pixels."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    *size, channels = layer.shape
    points = 9 * layer.offset_groups
    return Arrays(
        normal(*layer.shape), normal(3, 3, channels // layer.groups, layer.out_channels),
        2 * normal(*size, 2 * points), rng.random((*size, points), dtype=np.float32)
        if layer.has_mask else None, normal(*size, layer.out_channels))


def own_functions(layer, arrays, n_threads):
    """Return {name: function}."""
    images, kernel, offsets, mask, flow = arrays
    form = {"padding": 1, "groups": layer.groups, "n_threads": n_threads}

    def backward():
        grad.deform_conv_images(flow, images.shape[1:3], kernel, offsets, mask, **form)
        grad.deform_conv_kernel(flow, images, 3, offsets, mask, **form)
        grad.deform_conv_offsets(flow, images, kernel, offsets, mask,
                                 return_mask=mask is not None, **form)

    return {
        "forward": lambda: cl.deform_conv(images, kernel, offsets, mask, **form),
        "backward": backward,
        "igemm": lambda: cl.conv(images, kernel, algorithm="igemm", **form),
        "conv": lambda: cl.conv(images, kernel, **form),
    }


def torchvision_functions(layer, arrays):
    """Return {name: function}."""
    first = [None if array is None else
             torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1)))
             for array in (arrays.images, arrays.offsets, arrays.mask, arrays.flow)]
    *operands, flow = first
    weight = torch.from_numpy(np.ascontiguousarray(arrays.kernel.transpose(3, 2, 0, 1)))

    def forward():
        with torch.inference_mode():
            deform_conv2d(*operands[:2], weight, padding=1, mask=operands[2])

    inputs = [array.detach().requires_grad_() for array in (*operands, weight) if array is not None]
    images, offsets, *mask, leaf = inputs
    out = deform_conv2d(images, offsets, leaf, padding=1, mask=mask[0] if mask else None)
    return {"torchvision forward": forward,
            "torchvision backward":
                lambda: torch.autograd.grad(out, inputs, flow, retain_graph=True)}


def bench(layer, n_threads):
    """Return {name: seconds}."""
    arrays = arrays_of(layer)
    functions = own_functions(layer, arrays, n_threads)
    if torch is not None:
        functions |= torchvision_functions(layer, arrays)
    return compare(functions)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--layers", default="", help="part of the names of the layers to run")
    options = parser.parse_args()
    n_threads = options.threads or cpu.max_threads()
    if torch is not None:
        torch.set_num_threads(n_threads)
    print(f"tier {cpu.tier()}, {n_threads} threads; ms, ratio to torchvision, cost over conv")
    print(f"{'':22s}{'forward':>9s}{'ratio':>7s}{'backward':>10s}{'ratio':>7s}"
          f"{'over igemm':>12s}{'over conv':>11s}")
    for layer in LAYERS:
        if options.layers not in layer.name:
            continue
        times = bench(layer, n_threads)
        ratios = [times.get(f"torchvision {name}", np.nan) / times[name]
                  for name in ("forward", "backward")]
        print(f"{layer.name:22s}{1e3 * times['forward']:9.3f}{ratios[0]:7.1f}"
              f"{1e3 * times['backward']:10.3f}{ratios[1]:7.1f}"
              f"{times['forward'] / times['igemm']:12.2f}"
              f"{times['forward'] / times['conv']:11.2f}")


if __name__ == "__main__":
    main()
