"""Gradients of the operators: what backpropagation is made of.

Each function is called ``<operator>_<argument>`` and takes the gradient of a loss by the outputs
of the operator, then the operator's other operands, then its settings.
"""

from convlib.ops._grad_activation import activation_inputs
from convlib.ops._grad_conv import (
    conv_bias,
    conv_kernel,
    conv_transpose_bias,
    conv_transpose_kernel,
)
from convlib.ops._grad_deform import (
    deform_conv_bias,
    deform_conv_images,
    deform_conv_kernel,
    deform_conv_mask,
    deform_conv_offsets,
)
from convlib.ops._grad_depthwise import (
    depthwise_conv_bias,
    depthwise_conv_images,
    depthwise_conv_kernel,
)
from convlib.ops._grad_images import conv_images, conv_transpose_images
from convlib.ops._grad_pool import (
    average_pool_images,
    global_pool_images,
    lp_pool_images,
    max_pool_images,
    max_unpool_pooled,
)
from convlib.ops._grad_shuffle import channel_shuffle_images
from convlib.ops._grad_upsample import upsample_images

__all__ = [
    "activation_inputs",
    "average_pool_images",
    "channel_shuffle_images",
    "conv_bias",
    "conv_images",
    "conv_kernel",
    "conv_transpose_bias",
    "conv_transpose_images",
    "conv_transpose_kernel",
    "deform_conv_bias",
    "deform_conv_images",
    "deform_conv_kernel",
    "deform_conv_mask",
    "deform_conv_offsets",
    "depthwise_conv_bias",
    "depthwise_conv_images",
    "depthwise_conv_kernel",
    "global_pool_images",
    "lp_pool_images",
    "max_pool_images",
    "max_unpool_pooled",
    "upsample_images",
]
