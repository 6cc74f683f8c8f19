# Columns of `geometry`, one row an axis: what a ConvProblem tells the kernels of `conv`.
cdef enum:
    STRIDE = 0
    DILATION = 1
    PAD = 2      # before
    FIRST = 3    # output at which `out` begins
