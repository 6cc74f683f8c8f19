# What the values of windows are before they are summed, and what the sums become.
from libc.math cimport fabs, pow, powf

from .cpu cimport microkernels
from .product cimport activate
from .stencil cimport divide, square_root
from .types cimport float32_t, intp_t, real
from .windows cimport block_t, counted, equally_counted

cdef extern from "microkernels.h":
    int ACTIVATION_ABS
    int ACTIVATION_SQUARE

# As in `convlib.ops._windows`.
cdef enum:
    MAX = 0
    MEAN = 1
    NORM_1 = 2
    NORM_2 = 3
    NORM = 4


cdef inline void copy_row(
    const microkernels* mk, const real* row, intp_t pixel_stride, intp_t channel_stride,
    const block_t* block, int kind, double exponent, real* copy,
) noexcept nogil:
    """Copy the pixels of a row, as powers where the kind asks for them; strides are in bytes."""
    cdef:
        intp_t i, c, n_pixels, _
        const char* pixel = <const char*> row
        real* here = copy
    n_pixels = block.inside // block.channels
    if block.channels == 1:
        for i in range(n_pixels):
            copy[i] = (<const real*> (pixel + i * pixel_stride))[0]
    else:
        for _ in range(n_pixels):
            for c in range(block.channels):
                here[c] = (<const real*> (pixel + c * channel_stride))[0]
            pixel += pixel_stride
            here += block.channels
    if kind == NORM_1:
        activate(mk, ACTIVATION_ABS, block.inside, copy)
    elif kind == NORM_2:
        activate(mk, ACTIVATION_SQUARE, block.inside, copy)
    elif kind == NORM:
        raise_values(block.inside, exponent, copy)


cdef inline void raise_values(intp_t n, double exponent, real* x) noexcept nogil:
    """Replace each of n values by a power of its magnitude."""
    cdef intp_t i
    for i in range(n):
        if real is float32_t:
            x[i] = powf(<float32_t> fabs(x[i]), <float32_t> exponent)
        else:
            x[i] = pow(fabs(x[i]), exponent)


cdef inline void finish(
    const microkernels* mk, const block_t* block, const intp_t[:, ::1] axes, int kind,
    double exponent, intp_t count, real* out,
) noexcept nogil:
    """Turn the sums of a row of outputs into means or norms; equal counts go together."""
    cdef:
        intp_t n = block.n_x * block.channels
        intp_t i = 0
        intp_t n_equal
    if kind == NORM_2:
        square_root(mk, n, out)
    elif kind == NORM:
        raise_values(n, 1 / exponent, out)
    elif kind == MEAN:
        while i < block.n_x:
            n_equal = equally_counted(axes, 2, block.x + i, block.n_x - i)
            divide(mk, n_equal * block.channels, count * counted(axes, 2, block.x + i),
                   out + i * block.channels)
            i += n_equal
