"""What convlib is compared with: other libraries that compute the same layer. All are optional.

`build` returns the calls of every library that is installed and able. Weights are prepared ahead
where a library has a way to do so; a call takes the images as that library likes them best.
"""

from functools import partial
from importlib import import_module
from importlib.util import find_spec
from math import prod
from typing import NamedTuple

import numpy as np

import onnx_model


class Call(NamedTuple):
    """A peer ready to run; `fetch` turns what `run` returns into a channels-last array."""

    run: object
    fetch: object
    kept: object = None     # memory that the peer uses and does not own


def torch_call(layer, images, kernel, n_threads, channels_last=False):
    """Return the functional convolution of torch in one of its memory formats."""
    import torch

    torch.set_num_threads(n_threads)
    torch.set_grad_enabled(False)
    rank = len(layer.size)
    order = torch.contiguous_format
    if channels_last:
        if rank == 1:
            return None
        order = torch.channels_last if rank == 2 else torch.channels_last_3d
    weights, batch = (torch.from_numpy(array).contiguous(memory_format=order)
                      for array in channels_first(images, kernel))
    function = getattr(torch.nn.functional, f"conv{rank}d")
    return Call(partial(function, batch, weights, **layer.settings),
                lambda out: np.moveaxis(out.numpy(), 1, -1))


def onnxruntime_call(layer, images, kernel, n_threads):
    """Return a session of onnxruntime with bound input and output."""
    import onnxruntime

    if images.dtype != np.float32:
        return None
    weights, batch = channels_first(images, kernel)
    model = onnx_model.convolution(
        batch.shape, weights, strides=along(layer, layer.stride), group=layer.groups,
        pads=2 * along(layer, layer.padding), dilations=along(layer, layer.dilation))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("images", onnxruntime.OrtValue.ortvalue_from_numpy(batch))
    binding.bind_output("out", "cpu")
    return Call(partial(session.run_with_iobinding, binding),
                lambda _: np.moveaxis(binding.get_outputs()[0].numpy(), 1, -1))


def openvino_call(layer, images, kernel, n_threads, channels_last=False):
    """Return a compiled model of OpenVINO that takes and gives one of two layouts."""
    import openvino
    from openvino import opset13 as ops

    if images.dtype != np.float32:
        return None
    weights, batch = channels_first(images, kernel)
    rank = len(layer.size)
    if channels_last:
        batch = images
    x = source = ops.parameter(batch.shape, np.float32)
    if channels_last:
        x = ops.transpose(x, [0, rank + 1, *range(1, rank + 1)])
    pads = along(layer, layer.padding)
    settings = (along(layer, layer.stride), pads, pads, along(layer, layer.dilation))
    function = ops.convolution
    if layer.groups > 1:
        weights = weights.reshape(layer.groups, -1, *weights.shape[1:])
        function = ops.group_convolution
    x = function(x, ops.constant(weights), *settings)
    if channels_last:
        x = ops.transpose(x, [0, *range(2, rank + 2), 1])
    request = openvino.Core().compile_model(openvino.Model([x], [source]), "CPU", {
        "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": n_threads,
    }).create_infer_request()
    request.set_input_tensor(openvino.Tensor(batch, shared_memory=True))

    def fetch(_):
        out = request.get_output_tensor().data
        return out if channels_last else np.moveaxis(out, 1, -1)

    return Call(request.infer, fetch, (weights, batch))


def cv2_call(layer, images, kernel, n_threads):
    """Return cv2.filter2D for a single filter that keeps the size of the images."""
    import cv2

    if len(layer.size) != 2 or not is_single_filter(layer):
        return None
    cv2.setNumThreads(n_threads)
    weights, planes = kernel[..., 0, 0], images[..., 0]
    return Call(lambda: [cv2.filter2D(plane, -1, weights, borderType=cv2.BORDER_CONSTANT)
                         for plane in planes],
                lambda out: np.array(out)[..., None])


def ndimage_call(layer, images, kernel, n_threads):
    """Return scipy.ndimage.correlate, on one thread, for a single filter that keeps the size."""
    from scipy import ndimage

    if not is_single_filter(layer):
        return None
    weights, planes = kernel[..., 0, 0], images[..., 0]
    return Call(lambda: [ndimage.correlate(plane, weights, mode="constant") for plane in planes],
                lambda out: np.array(out)[..., None])


# name: module, the function that builds its call
PEERS = {
    "torch": ("torch", torch_call),
    "torch channels_last": ("torch", partial(torch_call, channels_last=True)),
    "onnxruntime": ("onnxruntime", onnxruntime_call),
    "openvino": ("openvino", openvino_call),
    "openvino NHWC": ("openvino", partial(openvino_call, channels_last=True)),
    "cv2": ("cv2", cv2_call),
    "ndimage": ("scipy", ndimage_call),
}

INSTALLED = tuple(name for name, (module, _) in PEERS.items() if find_spec(module))


def build(names, layer, images, kernel, n_threads):
    """Return {name: Call} of the peers that are able to compute `layer`."""
    calls = {name: PEERS[name][1](layer, images, kernel, n_threads) for name in names}
    return {name: call for name, call in calls.items() if call}


def versions(names):
    """Return {module: version} of some peers."""
    modules = dict.fromkeys(PEERS[name][0] for name in names)
    return {module: import_module(module).__version__.split("-")[0] for module in modules}


def channels_first(images, kernel):
    """Return weights and images in the order of the frameworks."""
    return (np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1))),
            np.ascontiguousarray(np.moveaxis(images, -1, 1)))


def along(layer, setting):
    """Return a setting as one number per axis."""
    return list(setting) if isinstance(setting, tuple) else [setting] * len(layer.size)


def is_single_filter(layer):
    """Whether one filter of odd size maps one channel to one of the same size."""
    plain = (layer.in_channels, layer.out_channels, layer.stride, layer.dilation) == (1, 1, 1, 1)
    half = [(taps - 1) / 2 for taps in layer.kernel_size]
    return plain and along(layer, layer.padding) == half and prod(layer.kernel_size) > 1
