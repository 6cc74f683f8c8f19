# What a ConvProblem tells the kernels of `conv` of each axis: one row an axis.
from .types cimport intp_t

# Columns of `geometry`.
cdef enum:
    STRIDE = 0
    DILATION = 1
    PAD = 2      # before
    FIRST = 3    # output of the whole image at which `out` begins


cdef inline intp_t input_of(const intp_t[:, ::1] geometry, int axis, intp_t output) noexcept nogil:
    """Return the coordinate under the first tap of an output, counted from where `out` begins."""
    return (geometry[axis, FIRST] + output) * geometry[axis, STRIDE] - geometry[axis, PAD]
