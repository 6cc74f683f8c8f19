"""Transposed convolution against torch and onnxruntime, as ratios: above 1, convlib is faster.

    python benchmarks/bench_transpose.py [--threads N] [NAME ...]

torch runs channels first and channels last, and the better of the two counts. Kernels are packed
anew in each call of convlib. Peers that are not installed are left out.
"""

import argparse
from typing import NamedTuple

import numpy as np

import convlib as cl
import onnx_model
from convlib._native import cpu
from protocol import compare

try:
    import torch
except ImportError:
    torch = None
try:
    import onnxruntime
except ImportError:
    onnxruntime = None


class Layer(NamedTuple):
    """A named call: n_images, *size and channels; kernel, stride, padding, output padding."""

    name: str
    shape: tuple
    out_channels: int
    taps: int
    stride: int
    padding: int = 0
    output_padding: int = 0
    groups: int = 1

    @property
    def settings(self):
        """The settings that all libraries know by the same names."""
        return {"stride": self.stride, "padding": self.padding,
                "output_padding": self.output_padding, "groups": self.groups}


LAYERS = (
    Layer("28 256-128 4x4s2", (1, 28, 28, 256), 128, 4, 2, 1),
    Layer("8x64 64-32 4x4s2", (8, 64, 64, 64), 32, 4, 2, 1),
    Layer("64 128-64 2x2s2", (1, 64, 64, 128), 64, 2, 2),
    Layer("56 64-64 3x3s2", (1, 56, 56, 64), 64, 3, 2, 1, 1),
    Layer("16 512-256 2x2s2", (1, 16, 16, 512), 256, 2, 2),
    Layer("14 256-256 4x4s2", (1, 14, 14, 256), 256, 4, 2, 1),
    Layer("56 64-64 3x3s1", (1, 56, 56, 64), 64, 3, 1, 1),
    Layer("28 64-64 6x6s2", (1, 28, 28, 64), 64, 6, 2, 2),
    Layer("64 64-3 4x4s2", (1, 64, 64, 64), 3, 4, 2, 1),
    Layer("56 depthwise 4x4s2", (1, 56, 56, 64), 64, 4, 2, 1, 0, 64),
    Layer("32 8 groups 4x4s2", (1, 32, 32, 128), 128, 4, 2, 1, 0, 8),
    Layer("1ch 4x4s2", (1, 256, 256, 1), 1, 4, 2, 1),
    Layer("small 3x3s2", (1, 7, 7, 32), 32, 3, 2, 1, 1),
    Layer("signal 64-32 16s8", (4, 1000, 64), 32, 16, 8, 4),
    Layer("volume 32-16 2s2", (1, 16, 32, 32, 32), 16, 2, 2),
)


def torch_functions(layer, images, kernel):
    """Return {name: function} for the memory formats of torch."""
    rank = images.ndim - 2
    last = {2: torch.channels_last, 3: torch.channels_last_3d}
    orders = [torch.contiguous_format, *(last[rank] for _ in range(rank > 1))]
    function = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    functions = {}
    for order in orders:
        x, weights = (torch.from_numpy(array).contiguous(memory_format=order)
                      for array in channels_first(images, kernel))
        functions[f"torch {order}"] = lambda x=x, weights=weights: function(
            x, weights, **layer.settings)
    return functions


def channels_first(images, kernel):
    """Return images and weights (in, out of a group, *size) in the order of the frameworks."""
    return (np.ascontiguousarray(np.moveaxis(images, -1, 1)),
            np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1))))


def onnxruntime_function(layer, images, kernel, n_threads):
    """Return the run of a session of onnxruntime with bound input and output."""
    rank = images.ndim - 2
    batch, weights = channels_first(images, kernel)
    model = onnx_model.convolution(
        batch.shape, weights, "ConvTranspose", strides=[layer.stride] * rank,
        pads=[layer.padding] * 2 * rank, output_padding=[layer.output_padding] * rank,
        group=layer.groups)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("images", onnxruntime.OrtValue.ortvalue_from_numpy(batch))
    binding.bind_output("out", "cpu")
    return lambda: session.run_with_iobinding(binding)


def bench(layer, n_threads):
    """Return the seconds of convlib and {peer: seconds}."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal(layer.shape, dtype=np.float32)
    rank = len(layer.shape) - 2
    kernel = rng.standard_normal(
        (*[layer.taps] * rank, layer.out_channels // layer.groups, layer.shape[-1]),
        dtype=np.float32)
    functions = {"convlib": lambda: cl.conv_transpose(
        images, kernel, n_threads=n_threads, **layer.settings)}
    if torch is not None:
        functions |= torch_functions(layer, images, kernel)
    if onnxruntime is not None:
        functions["onnxruntime"] = onnxruntime_function(layer, images, kernel, n_threads)
    times = compare(functions)
    return times.pop("convlib"), times


def best(times, word):
    """Return the seconds of the fastest peer whose name holds a word, nan where there is none."""
    return min((seconds for name, seconds in times.items() if word in name), default=np.nan)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=cpu.max_threads())
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if torch is not None:
        torch.set_num_threads(arguments.threads)
        torch.set_grad_enabled(False)
    print(f"tier {cpu.tier()}, {arguments.threads} threads, ms and ratios to torch and onnxruntime")
    for layer in LAYERS:
        if arguments.names and layer.name not in arguments.names:
            continue
        own, peers = bench(layer, arguments.threads)
        ratios = (best(peers, word) / own for word in ("torch", "onnxruntime"))
        print(f"{layer.name:20s}{1e3 * own:9.3f}", *(f"{ratio:6.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
