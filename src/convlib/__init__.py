"""Convolution for scikit-learn, on the CPU, without a deep-learning framework."""

from convlib.ops.conv import ConvPlan, PackedKernel, conv, explain_conv, pack_kernel

__all__ = ["ConvPlan", "PackedKernel", "conv", "explain_conv", "pack_kernel"]
