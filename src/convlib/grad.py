"""Gradients of the operators: what backpropagation is made of.

Each function is called ``<operator>_<argument>`` and takes the gradient of a loss by the outputs
of the operator, then the operator's other operands, then its settings.
"""

from convlib.ops._grad_conv import conv_bias, conv_kernel, conv_transpose_bias
from convlib.ops._grad_conv import conv_transpose_kernel

__all__ = ["conv_bias", "conv_kernel", "conv_transpose_bias", "conv_transpose_kernel"]
