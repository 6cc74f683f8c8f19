"""Estimators: the only place that imports scikit-learn.

conv_features   ConvFeatures, one convolution layer as a transformer
deform_conv_features   DeformConvFeatures, the same with taps that offsets move
conv_net_classifier   ConvNetClassifier, a network of convolutions
conv_net_regressor   ConvNetRegressor, the same for numbers
_conv_net       what both of them share
_conv_network   layers with their arrays, as a model to train
_net_features   a layer of a fitted network as a transformer
_backprop       kernels of one layer, learnt with labels
graph_conv_transform   GraphConvTransform, features of nodes convolved along edges
graph_pool      GraphPool, a row of features for each graph
_graphs         the ways in which a graph comes
image_filter    ImageFilter, a classic filter as a transformer
pixel_features  PixelFeatures, filters at several scales, one row per pixel
pixel_classifier   PixelClassifier, a classifier of pixels, by tiles
rocket_features   RocketFeatures, random convolutions of time series
mini_rocket_features   MiniRocketFeatures, the same with 84 fixed kernels
multi_rocket_features   MultiRocketFeatures, with four statistics and differences
hydra_features  HydraFeatures, kernels that compete
_series         what these share: series of any length in, features out
_ternary        the kernels of MiniRocket and MultiRocket
_transformer    what all of them share: blocks of images, memory, names
_settings       parameters, checked together
_forms          a table: name -> form of convolution
_kernels        a table: name -> how to draw or learn kernels
_images         X as images, the shape rules
_layer          convolution, activation and pooling, block by block
_deform         the deformable convolution of a layer
_transpose      the transposed one
graph_conv_classifier   GraphConvClassifier, networks of graph convolutions
_graph_nodes    the graph of fitted rows and new ones beside them
_graph_layers   layers on graphs, forward and backward
_graph_network  several of them
_training       losses, optimisers and the loop; knows neither graphs nor images
_progress       the steps of fit, which scikit-learn's callbacks see; lines for the rest
_pixel_images   images whose pixels are samples, and their tiles
_pixel_maps     a table: name -> maps of one scale, and how far they see
"""

from convlib.estimators.conv_features import ConvFeatures
from convlib.estimators.conv_net_classifier import ConvNetClassifier
from convlib.estimators.conv_net_regressor import ConvNetRegressor
from convlib.estimators.deform_conv_features import DeformConvFeatures
from convlib.estimators.graph_conv_classifier import GraphConvClassifier
from convlib.estimators.graph_conv_transform import GraphConvTransform
from convlib.estimators.graph_pool import GraphPool
from convlib.estimators.hydra_features import HydraFeatures
from convlib.estimators.image_filter import ImageFilter
from convlib.estimators.mini_rocket_features import MiniRocketFeatures
from convlib.estimators.multi_rocket_features import MultiRocketFeatures
from convlib.estimators.pixel_classifier import PixelClassifier
from convlib.estimators.pixel_features import PixelFeatures
from convlib.estimators.rocket_features import RocketFeatures

__all__ = [
    "ConvFeatures", "ConvNetClassifier", "ConvNetRegressor", "DeformConvFeatures",
    "GraphConvClassifier", "GraphConvTransform", "GraphPool", "HydraFeatures", "ImageFilter",
    "MiniRocketFeatures", "MultiRocketFeatures", "PixelClassifier", "PixelFeatures",
    "RocketFeatures",
]
