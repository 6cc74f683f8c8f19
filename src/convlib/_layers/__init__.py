"""Layers of networks, forward and backward on arrays. Public as `convlib.layers`.

layer          Layer, what all of them share, and how arrays are named
chain          layers one after the other
room           memory that the steps of training use again
convolutions   Conv, DepthwiseConv, SeparableConv, SpatiallySeparableConv
transposed     TransposedConv
deformable     DeformConv, whose offsets a second convolution learns
pooling        MaxPool, AveragePool, GlobalPool
values         Activation, Softmax, Dropout, BatchNorm, ChannelShuffle
heads          Flatten, Dense
blocks         Branches, Residual
table          the summary of a network
network        Network: layers with weights that change no more
insight        deconvnet, occlusion_map: what in an image a value comes from
"""
