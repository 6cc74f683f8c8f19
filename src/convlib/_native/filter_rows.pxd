# The rows under a block of a filter's outputs. An image is rows of pixels whose channels stand side
# by side: to all loops one long row of values, in which neighbours are `channels` apart.
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from .border cimport border_index
from .cpu cimport microkernels
from .types cimport float32_t, float64_t, intp_t, real

ctypedef fused pixel:
    uint8_t
    float32_t
    float64_t


cdef struct image_t:
    # An image of a stack, and what stands outside it.
    const void* values     # of REAL, or of bytes
    bint is_bytes
    intp_t height
    intp_t width           # pixels
    intp_t channels
    int padding_mode
    double constant


cdef struct strip_t:
    # A part of an output image: rows, and a run of values in each.
    intp_t image
    intp_t y
    intp_t n_rows
    intp_t x
    intp_t n


cdef inline image_t image_of(
    const void* values, bint is_bytes, intp_t height, intp_t length, intp_t channels,
    int padding_mode, double constant,
) noexcept nogil:
    """Return the first image of a stack, whose rows are `length` values."""
    cdef image_t image
    image.values = values
    image.is_bytes = is_bytes
    image.height = height
    image.width = length // channels
    image.channels = channels
    image.padding_mode = padding_mode
    image.constant = constant
    return image


cdef inline strip_t strip_of(
    intp_t task, intp_t height, intp_t length, intp_t rows, intp_t strip,
) noexcept nogil:
    """Return the strip of a number; strips of one block of rows follow each other."""
    cdef:
        strip_t part
        intp_t n_x = (length + strip - 1) // strip
        intp_t n_y = (height + rows - 1) // rows
    part.x = task % n_x * strip
    part.n = min(strip, length - part.x)
    task = task // n_x
    part.y = task % n_y * rows
    part.n_rows = min(rows, height - part.y)
    part.image = task // n_y
    return part


cdef inline bint lies_inside(
    const image_t* image, intp_t y, intp_t n_rows, intp_t slack,
) noexcept nogil:
    """Return whether rows can be read where they are, and `slack` values beyond the last."""
    cdef intp_t length = image.width * image.channels
    return not image.is_bytes and y >= 0 and (image.height - y - n_rows) * length >= slack


cdef inline void fill_rows(
    const microkernels* mk, const image_t* image, intp_t y, intp_t n_rows, intp_t x, intp_t n,
    real* band, intp_t step,
) noexcept nogil:
    """Copy n values from x on of some rows; both may lie outside the image."""
    cdef:
        intp_t length = image.width * image.channels
        intp_t i, k, source
        real constant = <real> image.constant
    for i in range(n_rows):
        source = border_index(y + i, image.height, image.padding_mode)
        if source < 0:
            for k in range(n):
                band[k] = constant
        elif image.is_bytes:
            fill_bytes[real](mk, image, (<const uint8_t*> image.values) + source * length, x, n,
                             constant, band)
        else:
            fill_values[real](image, (<const real*> image.values) + source * length, x, n, constant,
                              band)
        band += step


cdef inline void fill_values(
    const image_t* image, const pixel* row, intp_t x, intp_t n, pixel constant, pixel* line,
) noexcept nogil:
    """Copy n values from x on of a row."""
    cdef:
        intp_t length = image.width * image.channels
        intp_t i = 0
        intp_t inside, source
    while i < n:
        if 0 <= x + i < length:
            inside = min(n - i, length - x - i)
            memcpy(line + i, row + x + i, inside * sizeof(pixel))
            i += inside
        else:
            source = outside_value(image, x + i)
            line[i] = constant if source < 0 else row[source]
            i += 1


cdef inline void fill_bytes(
    const microkernels* mk, const image_t* image, const uint8_t* row, intp_t x, intp_t n,
    real constant, real* line,
) noexcept nogil:
    """Do the same for bytes that become numbers."""
    cdef:
        intp_t length = image.width * image.channels
        intp_t i = 0
        intp_t inside, source
    while i < n:
        if 0 <= x + i < length:
            inside = min(n - i, length - x - i)
            if real is float32_t:
                mk.widen_f32(inside, row + x + i, line + i)
            else:
                mk.widen_f64(inside, row + x + i, line + i)
            i += inside
        else:
            source = outside_value(image, x + i)
            line[i] = constant if source < 0 else <real> row[source]
            i += 1


cdef inline intp_t outside_value(const image_t* image, intp_t x) noexcept nogil:
    """Return which value of a row stands for one outside it, -1 for a constant."""
    cdef:
        intp_t channel = x % image.channels
        intp_t source
    if channel < 0:
        channel += image.channels
    source = border_index((x - channel) // image.channels, image.width, image.padding_mode)
    return -1 if source < 0 else source * image.channels + channel
