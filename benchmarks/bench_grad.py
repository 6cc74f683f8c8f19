"""Gradients against torch's backward, as ratios: above 1, convlib is faster.

    python benchmarks/bench_grad.py [--threads N]

torch runs channels first and channels last, and the better of the two counts. Rows called "kernel"
are the gradient of the kernel alone, those called "layer" that of images and kernel together, and
of offsets and mask where there are some, against torchvision. Without torch the table holds
convlib's times alone.
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
except ImportError:
    torch = None
try:
    from torchvision.ops import deform_conv2d
except ImportError:
    deform_conv2d = None


class Convolution(NamedTuple):
    """A named layer: n_images, height, width and channels; taps a side, outputs and settings."""

    name: str
    shape: tuple
    size: int
    out_channels: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def settings(self):
        """What conv and its gradient take."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation,
                "groups": self.groups}


class Pooling(NamedTuple):
    """A named call: n_images, height, width and channels; pixels a side, stride and padding."""

    name: str
    shape: tuple
    size: int
    stride: int
    padding: int = 0


CONVOLUTIONS = (
    Convolution("64-64 3x3 56", (4, 56, 56, 64), 3, 64, padding=1),
    Convolution("128-128 3x3 28", (8, 28, 28, 128), 3, 128, padding=1),
    Convolution("256-256 3x3 14", (8, 14, 14, 256), 3, 256, padding=1),
    Convolution("512-512 3x3 7", (16, 7, 7, 512), 3, 512, padding=1),
    Convolution("128-128 3x3s2", (8, 56, 56, 128), 3, 128, stride=2, padding=1),
    Convolution("128-128 3x3d2", (4, 28, 28, 128), 3, 128, padding=2, dilation=2),
    Convolution("64-256 1x1 56", (4, 56, 56, 64), 1, 256),
    Convolution("256-64 1x1 56", (4, 56, 56, 256), 1, 64),
    Convolution("512-512 1x1 14", (8, 14, 14, 512), 1, 512),
    Convolution("3-64 7x7s2", (4, 224, 224, 3), 7, 64, stride=2, padding=3),
    Convolution("3-64 3x3", (4, 112, 112, 3), 3, 64, padding=1),
    Convolution("1-16 3x3 28", (64, 28, 28, 1), 3, 16, padding=1),
    Convolution("16-32 3x3 14", (64, 14, 14, 16), 3, 32, padding=1),
    Convolution("32-32 5x5 28", (4, 28, 28, 32), 5, 32, padding=2),
    Convolution("4 groups of 32", (4, 28, 28, 128), 3, 128, padding=1, groups=4),
    Convolution("32 groups of 4", (4, 28, 28, 128), 3, 128, padding=1, groups=32),
    Convolution("depthwise 64", (4, 56, 56, 64), 3, 64, padding=1, groups=64),
)
WHOLE_LAYERS = tuple(layer for layer in CONVOLUTIONS if layer.name in {
    "64-64 3x3 56", "256-256 3x3 14", "64-256 1x1 56", "512-512 1x1 14", "32 groups of 4",
    "depthwise 64"})
DEFORMABLE = Convolution("deformable 64-64 3x3 28", (1, 28, 28, 64), 3, 64, padding=1)
POOLINGS = (
    Pooling("64ch 2x2s2", (4, 112, 112, 64), 2, 2),
    Pooling("64ch 3x3s2", (4, 112, 112, 64), 3, 2, 1),
    Pooling("64ch 3x3s1", (4, 56, 56, 64), 3, 1, 1),
    Pooling("small 2x2s2", (64, 8, 8, 32), 2, 2),
)
ACTIVATIONS = ("relu", "leaky_relu", "tanh")
ACTIVATED = (8, 56, 56, 64)


def sample(shape, seed=0):
    """Return random values in float32."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def memory_orders(array):
    """Return a channels-last array as torch's tensors, in both of its memory formats."""
    tensor = torch.from_numpy(np.moveaxis(array, -1, 1).copy())
    return [tensor.contiguous(memory_format=order)
            for order in (torch.contiguous_format, torch.channels_last)]


def conv_functions(layer, n_threads):
    """Return convlib's function and torch's."""
    images, settings = sample(layer.shape), layer.settings
    kernel = sample((layer.size, layer.size, layer.shape[-1] // layer.groups, layer.out_channels))
    grads = sample(cl.conv(images, kernel, **settings).shape, 1)
    functions = {
        "own": lambda: grad.conv_kernel(grads, images, layer.size, n_threads=n_threads, **settings)}
    if torch is None:
        return functions
    both = [[layer.stride] * 2, [layer.padding] * 2, [layer.dilation] * 2]
    weights = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
    for i, (x, y) in enumerate(zip(memory_orders(images), memory_orders(grads))):
        functions[i] = lambda x=x, y=y: torch.ops.aten.convolution_backward(
            y, x, weights, None, *both, False, [0, 0], layer.groups, [False, True, False])
    return functions


def layer_functions(layer, n_threads):
    """Return convlib's function and torch's for the gradients of images and kernel."""
    images, settings = sample(layer.shape), layer.settings
    kernel = sample((layer.size, layer.size, layer.shape[-1] // layer.groups, layer.out_channels))
    grads = sample(cl.conv(images, kernel, **settings).shape, 1)

    def own():
        grad.conv_images(grads, kernel, layer.shape[1:3], n_threads=n_threads, **settings)
        grad.conv_kernel(grads, images, layer.size, n_threads=n_threads, **settings)

    functions = {"own": own}
    if torch is None:
        return functions
    weights = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).requires_grad_()
    for i, (x, y) in enumerate(zip(memory_orders(images), memory_orders(grads))):
        x.requires_grad_()
        out = torch.nn.functional.conv2d(x, weights, **settings)
        functions[i] = lambda out=out, x=x, y=y: torch.autograd.grad(
            out, (x, weights), y, retain_graph=True)
    return functions


def deform_functions(layer, n_threads):
    """Return convlib's function and torchvision's for all gradients of a deformable layer."""
    images = sample(layer.shape)
    window = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    kernel = sample((layer.size, layer.size, layer.shape[-1], layer.out_channels))
    outputs = cl.shapes.output_size(layer.shape[1:3], layer.size, **window)
    n_taps = layer.size**2
    offsets = sample((layer.shape[0], *outputs, 2 * n_taps), 2)
    mask = np.abs(sample((layer.shape[0], *outputs, n_taps), 3))
    grads = sample((layer.shape[0], *outputs, layer.out_channels), 1)
    settings = {**window, "mask": mask, "n_threads": n_threads}

    def own():
        grad.deform_conv_images(grads, layer.shape[1:3], kernel, offsets, **settings)
        grad.deform_conv_kernel(grads, images, layer.size, offsets, **settings)
        grad.deform_conv_offsets(grads, images, kernel, offsets, return_mask=True, **settings)

    functions = {"own": own}
    if deform_conv2d is None:
        return functions
    weights = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).requires_grad_()
    x, places, masks, y = (memory_orders(array)[0] for array in (images, offsets, mask, grads))
    inputs = [x, places, masks, weights]
    for tensor in inputs:
        tensor.requires_grad_()
    out = deform_conv2d(x, places, weights, mask=masks, **window)
    functions[0] = lambda: torch.autograd.grad(out, inputs, y, retain_graph=True)
    return functions


def max_pool_functions(pooling, n_threads):
    """Return convlib's function and torch's."""
    images, settings = sample(pooling.shape), pooling[2:]
    size, stride, padding = settings
    maxima, indices = cl.max_pool(
        images, size, stride=stride, padding=padding, return_indices=True)
    functions = {"own": lambda: grad.max_pool_images(
        maxima, indices, pooling.shape[1:-1], n_threads=n_threads)}
    if torch is None:
        return functions
    for i, x in enumerate(memory_orders(images)):
        y, places = torch.nn.functional.max_pool2d(x, *settings, return_indices=True)
        functions[i] = lambda x=x, y=y, places=places: (
            torch.ops.aten.max_pool2d_with_indices_backward(
                y, x, [size] * 2, [stride] * 2, [padding] * 2, [1, 1], False, places))
    return functions


def average_pool_functions(pooling, n_threads):
    """Return convlib's function and torch's."""
    images, (size, stride, padding) = sample(pooling.shape), pooling[2:]
    means = cl.average_pool(images, size, stride=stride, padding=padding)
    functions = {"own": lambda: grad.average_pool_images(
        means, pooling.shape[1:-1], size, stride=stride, padding=padding, n_threads=n_threads)}
    if torch is None:
        return functions
    for i, (x, y) in enumerate(zip(memory_orders(images), memory_orders(means))):
        functions[i] = lambda x=x, y=y: torch.ops.aten.avg_pool2d_backward(
            y, x, [size] * 2, [stride] * 2, [padding] * 2, False, True, None)
    return functions


def activation_functions(name, n_threads):
    """Return convlib's function and torch's, which takes outputs where it can."""
    outputs, grads = np.tanh(sample(ACTIVATED)), sample(ACTIVATED, 1)
    functions = {"own": lambda: grad.activation_inputs(
        grads, name, outputs=outputs, n_threads=n_threads)}
    if torch is None:
        return functions
    y, by_y, aten = torch.from_numpy(outputs), torch.from_numpy(grads), torch.ops.aten
    functions[0] = {
        "relu": lambda: aten.threshold_backward(by_y, y, 0),
        "leaky_relu": lambda: aten.leaky_relu_backward(by_y, y, 0.01, True),
        "tanh": lambda: aten.tanh_backward(by_y, y),
    }[name]
    return functions


def cases(n_threads):
    """Yield the name of each case with its functions."""
    for layer in CONVOLUTIONS:
        yield f"kernel {layer.name}", conv_functions(layer, n_threads)
    for layer in WHOLE_LAYERS:
        yield f"layer {layer.name}", layer_functions(layer, n_threads)
    yield f"layer {DEFORMABLE.name}", deform_functions(DEFORMABLE, n_threads)
    for pooling in POOLINGS:
        yield f"max {pooling.name}", max_pool_functions(pooling, n_threads)
        yield f"mean {pooling.name}", average_pool_functions(pooling, n_threads)
    for name in ACTIVATIONS:
        yield name, activation_functions(name, n_threads)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    n_threads = parser.parse_args().threads
    if torch is not None:
        torch.set_num_threads(n_threads or cpu.max_threads())
    print(f"tier {cpu.tier()}, {n_threads or cpu.max_threads()} threads, ms and ratio to torch")
    for name, functions in cases(n_threads):
        times = compare(functions)
        own = times.pop("own")
        ratio = min(times.values()) / own if times else np.nan
        print(f"{name:30s}{1e3 * own:9.3f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
