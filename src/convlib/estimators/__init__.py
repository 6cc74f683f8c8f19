"""Estimators: the only place that imports scikit-learn.

conv_features   ConvFeatures, one convolution layer as a transformer
_transformer    what all of them share: blocks of images, memory, names
_settings       parameters, checked together
_forms          a table: name -> form of convolution
_kernels        a table: name -> how to draw or learn kernels
_images         X as images, the shape rules
_layer          convolution, activation and pooling, block by block
"""

from convlib.estimators.conv_features import ConvFeatures

__all__ = ["ConvFeatures"]
