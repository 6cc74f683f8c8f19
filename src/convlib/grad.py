"""Gradients of the operators: what backpropagation is made of.

Each function is called ``<operator>_<argument>`` and takes the gradient of a loss by the outputs
of the operator, then the operator's other operands, then its settings.
"""

from convlib.graph._grad_attention import (
    gat_conv_bias,
    gat_conv_features,
    gat_conv_source_attention,
    gat_conv_target_attention,
    gat_conv_weight,
)
from convlib.graph._grad_layers import (
    gcn_conv_bias,
    gcn_conv_features,
    gcn_conv_weight,
    sage_conv_bias,
    sage_conv_features,
    sage_conv_root_weight,
    sage_conv_weight,
)
from convlib.graph._grad_networks import (
    cheb_conv_bias,
    cheb_conv_features,
    cheb_conv_weights,
    gin_conv_biases,
    gin_conv_features,
    gin_conv_weights,
)
from convlib.graph._grad_propagate import (
    aggregate_features,
    appnp_features,
    propagate_features,
    ssgc_features,
)
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
    "aggregate_features",
    "appnp_features",
    "average_pool_images",
    "channel_shuffle_images",
    "cheb_conv_bias",
    "cheb_conv_features",
    "cheb_conv_weights",
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
    "gat_conv_bias",
    "gat_conv_features",
    "gat_conv_source_attention",
    "gat_conv_target_attention",
    "gat_conv_weight",
    "gcn_conv_bias",
    "gcn_conv_features",
    "gcn_conv_weight",
    "gin_conv_biases",
    "gin_conv_features",
    "gin_conv_weights",
    "global_pool_images",
    "lp_pool_images",
    "max_pool_images",
    "max_unpool_pooled",
    "propagate_features",
    "sage_conv_bias",
    "sage_conv_features",
    "sage_conv_root_weight",
    "sage_conv_weight",
    "ssgc_features",
    "upsample_images",
]
