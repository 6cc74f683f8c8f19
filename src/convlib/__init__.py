"""Convolution for scikit-learn, on the CPU, without a deep-learning framework.

Operators on arrays are here, their gradients in `convlib.grad`, the arithmetic of their shapes in
`convlib.shapes`, classic filters in `convlib.filters`, and as kernels in `convlib.banks`, graph
convolutions in `convlib.graph`, layers of networks in `convlib.layers`, their files in
`convlib.io`, pictures in `convlib.displays`, work on images beyond memory in `convlib.tiling`.
Estimators load scikit-learn when they are first asked for.
"""

from importlib import import_module

from convlib import shapes
from convlib._config import show_config
from convlib._native.cpu import version as _version
from convlib.ops.conv import ConvPlan, PackedKernel, conv, explain_conv, pack_kernel
from convlib.ops.deform import deform_conv
from convlib.ops.patches import col2im, im2col
from convlib.ops.pool import average_pool, global_pool, lp_pool, max_pool, max_unpool
from convlib.ops.separable import (
    depthwise_conv,
    factorize_kernel,
    separable_conv,
    spatially_separable_conv,
)
from convlib.ops.shuffle import channel_shuffle, shuffle_kernel
from convlib.ops.transpose import conv_transpose
from convlib.ops.upsample import upsample

__version__ = _version()

_MODULES = ("banks", "displays", "filters", "grad", "graph", "io", "layers", "tiling")
_ESTIMATORS = (
    "ConvFeatures", "ConvNetClassifier", "ConvNetRegressor", "DeformConvFeatures",
    "GraphConvClassifier", "GraphConvTransform", "GraphPool", "HydraFeatures", "ImageFilter",
    "MiniRocketFeatures", "MultiRocketFeatures", "PixelClassifier", "PixelFeatures",
    "RocketFeatures",
)

__all__ = [
    "ConvFeatures",
    "ConvNetClassifier",
    "ConvNetRegressor",
    "ConvPlan",
    "DeformConvFeatures",
    "GraphConvClassifier",
    "GraphConvTransform",
    "GraphPool",
    "HydraFeatures",
    "ImageFilter",
    "MiniRocketFeatures",
    "MultiRocketFeatures",
    "PackedKernel",
    "PixelClassifier",
    "PixelFeatures",
    "RocketFeatures",
    "average_pool",
    "banks",
    "channel_shuffle",
    "col2im",
    "conv",
    "conv_transpose",
    "deform_conv",
    "depthwise_conv",
    "displays",
    "explain_conv",
    "factorize_kernel",
    "filters",
    "global_pool",
    "grad",
    "graph",
    "im2col",
    "io",
    "layers",
    "lp_pool",
    "max_pool",
    "max_unpool",
    "pack_kernel",
    "separable_conv",
    "shapes",
    "show_config",
    "shuffle_kernel",
    "spatially_separable_conv",
    "tiling",
    "upsample",
]


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"convlib.{name}")
    if name in _ESTIMATORS:
        return getattr(import_module("convlib.estimators"), name)
    raise AttributeError(f"module 'convlib' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
