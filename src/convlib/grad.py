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

__all__ = ["deform_conv_bias", "deform_conv_images", "deform_conv_kernel", "deform_conv_mask",
           "deform_conv_offsets"]
