"""Gradients of the operators: what backpropagation is made of.

Each function is called ``<operator>_<argument>`` and takes the gradient of a loss by the outputs
of the operator, then the operator's other operands, then its settings.
"""

from convlib.ops._grad_deform import (
    deform_conv_bias,
    deform_conv_images,
    deform_conv_kernel,
    deform_conv_mask,
    deform_conv_offsets,
)
from convlib.ops._grad_images import conv_images, conv_transpose_images

__all__ = [
    "conv_images",
    "conv_transpose_images",
    "deform_conv_bias",
    "deform_conv_images",
    "deform_conv_kernel",
    "deform_conv_mask",
    "deform_conv_offsets",
]
