"""Compiled kernels. Private: arguments are trusted, `convlib.ops` checks them.

cpu             which instruction set runs, OpenMP's thread count
panels          kernels packed for the product
product.pxd     tiles of gathered rows times panels, shared by the feeders
conv_pointwise  feeder: pixels are the rows
conv_igemm      feeder: windows of a padded band are the rows
conv_winograd   feeder: transformed tiles are the rows, point by point
conv_planes     feeder: padded planes of single channels, whose rows are vectors
conv_lowrank    feeder: the same planes, a pass along each axis
planes.pxd      these planes, and the sums over their neighbours
conv_stencil    feeder: small groups of channels, taps by address
conv_fft        feeder: spectra of tiles are the rows, weights have spectra too
conv_fft_pixels the same for few channels, without a product of rows
conv_transpose  feeder: pixels that a phase of outputs sees are the rows
conv_direct     plain loops, any problem
conv_grad       feeder: taps and channels are the rows, gradients the weights, pixels are summed
depthwise_kernel  gradient of a depthwise convolution for its kernel
geometry.pxd    what these are told of each axis
band.pxd        the padded input under a block of outputs, copied
tile.pxd        tiles on a lattice of the whole image, and what they need of it
border.pxd      which pixel stands outside the image; copies rows with their padding
deform          feeder: sampled columns are the rows; deform_grad their gradients
points.pxd      the points where taps of these look
contrast        inner products with windows that are normalised
patches         im2col and its adjoint
filter_passes   filters: a pass down the columns, then along the rows
filter_stencil  filters of small kernels, whose sums may be combined
filter_bytes    mean and weighted sums of bytes, in integers
filter_rows.pxd the rows under a block of a filter's outputs
pool            windows: maximum, mean, norm; pool_values.pxd what they do to values
separable       stencils and products in steps, what is between them stays in cache
pool_indices    maxima with their places, and the way back
pool_grad       gradients of pooling
activation_grad gradients through activations
global_pool     statistics of whole images, in as many calls as one likes
upsample        weighted sums along each axis
upsample_grad   their adjoint
graph           sums, extremes and attention over the neighbours of nodes
graph_grad      gradients of extremes and attention
neighbours.pxd  what the kernels know of a graph, for these two
rank_filter     values of windows by order: networks, medians, extremes
rank_order      the same for large windows, which slide over ranks, or over counts of bytes
rank_lines.pxd  the rows under a block of these, for pixels of any type
rocket          time series: maxima and shares of positives of random convolutions
rocket_ternary  the same for 84 fixed kernels, whose sums are shared, with four statistics
rocket_hydra    the same for kernels that compete in groups
series.pxd      series as planes between zeros, for these three
stencil.pxd     reductions over neighbours in a stream, shared by these three
windows.pxd     where windows lie, and the blocks of outputs that are tasks
omp.pxd         OpenMP and subnormal numbers; types.pxd the names of C types
c/              the inner loops, compiled once per instruction set
"""

import os

from convlib._native import cpu

# The best instruction set of this machine; CONVLIB_TIER names a lower one.
cpu.set_tier(os.environ.get("CONVLIB_TIER") or None)
