"""Estimators: the only place that imports scikit-learn.

conv_features   ConvFeatures, one convolution layer as a transformer
deform_conv_features   DeformConvFeatures, the same with taps that offsets move
_transformer    what all of them share: blocks of images, memory, names
_settings       parameters, checked together
_forms          a table: name -> form of convolution
_kernels        a table: name -> how to draw or learn kernels
_images         X as images, the shape rules
_layer          convolution, activation and pooling, block by block
_deform         the deformable convolution of a layer
_transpose      the transposed one
graph_conv_classifier   GraphConvClassifier, networks of graph convolutions
_graph_nodes    the ways to bring a graph, resolved to one
_graph_layers   layers on graphs, forward and backward
_graph_network  several of them
_training       losses, optimisers and the loop; knows neither graphs nor images
_progress       scikit-learn's callbacks, where it has them
"""

from convlib.estimators.conv_features import ConvFeatures
from convlib.estimators.deform_conv_features import DeformConvFeatures
from convlib.estimators.graph_conv_classifier import GraphConvClassifier

__all__ = ["ConvFeatures", "DeformConvFeatures", "GraphConvClassifier"]
