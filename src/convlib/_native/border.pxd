# Which pixel stands at a coordinate outside the image, as numpy.pad has it for any pad length.
from libc.string cimport memcpy, memset

from .types cimport intp_t, real

cdef enum:
    CONSTANT = 0
    EDGE = 1
    REFLECT = 2
    SYMMETRIC = 3
    WRAP = 4


cdef inline intp_t border_index(intp_t i, intp_t size, int mode) noexcept nogil:
    """Return the index in 0 .. size - 1 that stands for `i`, -1 for a constant."""
    cdef intp_t period
    if 0 <= i < size:
        return i
    if mode == CONSTANT:
        return -1
    if mode == EDGE or size == 1:
        return 0 if i < 0 else size - 1
    if mode == WRAP:
        i = i % size
        return i + size if i < 0 else i
    # Both mirrors repeat: reflect without its edges (abcb), symmetric with them (abccba).
    period = 2 * size - 2 if mode == REFLECT else 2 * size
    i = i % period
    if i < 0:
        i += period
    if i < size:
        return i
    return period - i if mode == REFLECT else period - 1 - i


cdef inline void fill_row(
    const real* row, intp_t pixel_stride, intp_t channel_stride, intp_t width,
    intp_t x0, intp_t step, intp_t count, int padding_mode,
    intp_t group_size, intp_t pitch, real* band,
) noexcept nogil:
    """Copy pixels x0, x0 + step, ... of a row; strides are in bytes."""
    cdef:
        intp_t i = 0
        intp_t x = x0
        intp_t inside, c, source
        bint is_dense = channel_stride == sizeof(real)
        bint is_run = is_dense and step == 1 and pitch == group_size \
            and pixel_stride == pitch * <intp_t> sizeof(real)
        const char* pixel

    while i < count:
        if is_run and 0 <= x < width:
            inside = min(count - i, width - x)
            memcpy(band, <const char*> row + x * pixel_stride, inside * pitch * sizeof(real))
        else:
            inside = 1
            source = border_index(x, width, padding_mode)
            if source < 0:
                inside = count - i  # all that is left, or what lies before the image
                if x < 0:
                    inside = min(inside, (step - 1 - x) // step)
                memset(band, 0, inside * pitch * sizeof(real))
            else:
                pixel = <const char*> row + source * pixel_stride
                if is_dense:
                    for c in range(group_size):
                        band[c] = (<const real*> pixel)[c]
                else:
                    for c in range(group_size):
                        band[c] = (<const real*> (pixel + c * channel_stride))[0]
        band += inside * pitch
        x += inside * step
        i += inside
