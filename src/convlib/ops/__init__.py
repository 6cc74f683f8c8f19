"""Public functions on arrays: check the call, allocate, run.

conv         convolution, packed kernels, the explanation of a choice
pool         pooling by windows and over whole images, and the way back
patches      windows as rows, and their adjoint
shuffle      the order of channels
_windows     pooling by windows, in blocks and in strips
_statistics  statistics of images that come in pieces
"""
