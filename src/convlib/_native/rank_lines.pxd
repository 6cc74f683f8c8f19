# The rows of pixels under a block of outputs of a rank filter, borders included, for pixels of any
# type: as bytes. An image is (stack, planes, height, row): a plane is one place along all filtered
# axes but the last two, and a row holds pixels with their channels. Or one channel alone, copied.
from libc.string cimport memcpy

from .border cimport border_index
from .cpu cimport rank_kernels
from .types cimport intp_t

# What the arrays `form` hold.
cdef enum:
    CHANNELS = 0
    WIDTH = 1        # pixels
    MODE = 2         # of the padding
    BEFORE_Y = 3     # pixels of the window before an output
    SIZE_Y = 4
    BEFORE_X = 5
    SIZE_X = 6
    BLOCK_Y = 7      # outputs of a task
    BLOCK_X = 8
    STREAM = 9       # whether to store past the caches


cdef struct block_t:
    # The outputs of a task, and the lines under them.
    intp_t image, plane
    intp_t y, n_y, x, n_x       # pixels
    intp_t n_values             # of a row of outputs
    intp_t n_lines              # of each plane
    intp_t n_line_values        # of a line


cdef inline intp_t count_tasks(
    const unsigned char[:, :, :, ::1] out, const intp_t[::1] form,
) noexcept nogil:
    """Return how many blocks cover the outputs."""
    cdef:
        intp_t n_y = (out.shape[2] + form[BLOCK_Y] - 1) // form[BLOCK_Y]
        intp_t n_x = (form[WIDTH] + form[BLOCK_X] - 1) // form[BLOCK_X]
    return out.shape[0] * out.shape[1] * n_y * n_x


cdef inline block_t block_of(
    intp_t task, const unsigned char[:, :, :, ::1] out, const intp_t[::1] form,
) noexcept nogil:
    """Return the block of a number; columns vary fastest."""
    cdef:
        block_t block
        intp_t n_y = (out.shape[2] + form[BLOCK_Y] - 1) // form[BLOCK_Y]
        intp_t n_x = (form[WIDTH] + form[BLOCK_X] - 1) // form[BLOCK_X]
    block.x = task % n_x * form[BLOCK_X]
    block.n_x = min(form[BLOCK_X], form[WIDTH] - block.x)
    task = task // n_x
    block.y = task % n_y * form[BLOCK_Y]
    block.n_y = min(form[BLOCK_Y], out.shape[2] - block.y)
    task = task // n_y
    block.plane = task % out.shape[1]
    block.image = task // out.shape[1]
    block.n_values = block.n_x * form[CHANNELS]
    block.n_lines = block.n_y + form[SIZE_Y] - 1
    block.n_line_values = (block.n_x + form[SIZE_X] - 1) * form[CHANNELS]
    return block


cdef inline void fill_constant(
    const unsigned char[::1] constant, intp_t n_bytes, char* line,
) noexcept nogil:
    """Write what stands outside the image to a line."""
    cdef intp_t i
    for i in range(n_bytes):
        line[i] = constant[i % constant.shape[0]]


cdef inline bint fill_lines(
    const rank_kernels* kernels, const block_t* block,
    const unsigned char[:, :, :, ::1] images, const intp_t[:, ::1] planes,
    const intp_t[::1] form, const char* constant, intp_t line_bytes,
    const char* constant_line, char* band, const char** lines, bint looks, unsigned char* has_nan,
) noexcept nogil:
    """Find or copy the lines under a block; if it looks for NaN, return whether one holds it.

    Lines stay where they are in the image, if they lie in it and are long enough for vectors.
    """
    cdef:
        intp_t pixel_bytes = form[CHANNELS] * kernels.bytes
        intp_t x0 = block.x - form[BEFORE_X]
        intp_t n_pixels = block.n_x + form[SIZE_X] - 1
        bint in_place = x0 >= 0 and x0 + n_pixels <= form[WIDTH] \
            and block.n_values >= kernels.lanes
        bint any_nan = False
        intp_t outer, i, plane, y, number
        const char* row

    for outer in range(planes.shape[1]):
        plane = planes[block.plane, outer]
        for i in range(block.n_lines):
            number = outer * block.n_lines + i
            y = border_index(block.y - form[BEFORE_Y] + i, images.shape[2], form[MODE])
            if plane < 0 or y < 0:
                lines[number] = constant_line
            else:
                row = <const char*> &images[block.image, plane, y, 0]
                if in_place:
                    lines[number] = row + x0 * pixel_bytes
                else:
                    fill_pixels(row, form[WIDTH], x0, n_pixels, form[MODE], pixel_bytes, constant,
                                band)
                    lines[number] = band
                    band += line_bytes
            if looks:
                has_nan[number] = kernels.holds_nan(block.n_line_values, lines[number])
                any_nan |= has_nan[number]
    return any_nan


cdef inline void fill_pixels(
    const char* row, intp_t width, intp_t x0, intp_t n, int mode, intp_t pixel_bytes,
    const char* constant, char* out,
) noexcept nogil:
    """Copy n pixels of a row from x0 on, those that are not there included."""
    cdef:
        intp_t i = 0
        intp_t x, source, inside
    while i < n:
        x = x0 + i
        if 0 <= x < width:
            inside = min(n - i, width - x)
            memcpy(out + i * pixel_bytes, row + x * pixel_bytes, inside * pixel_bytes)
            i += inside
            continue
        source = border_index(x, width, mode)
        copy_pixel(constant if source < 0 else row + source * pixel_bytes, pixel_bytes,
                   out + i * pixel_bytes)
        i += 1


cdef inline void copy_pixel(const char* pixel, intp_t n_bytes, char* out) noexcept nogil:
    """Copy few bytes; the usual numbers of them without a call."""
    if n_bytes == 1:
        out[0] = pixel[0]
    elif n_bytes == 4:
        memcpy(out, pixel, 4)
    else:
        memcpy(out, pixel, n_bytes)


cdef inline void copy_values(
    intp_t n_bytes, const block_t* block, const unsigned char[:, :, :, ::1] images,
    const intp_t[::1] form, const intp_t[:, ::1] planes, const char* constant, intp_t channel,
    char* values,
) noexcept nogil:
    """Copy one channel under a tile, as large as those of whole tiles.

    What lies behind a part of a tile is some value: no window of its outputs looks there.
    """
    cdef:
        intp_t n_columns = form[BLOCK_X] + form[SIZE_X] - 1
        intp_t outer, i, plane, y
        const char* row
    for outer in range(planes.shape[1]):
        plane = planes[block.plane, outer]
        for i in range(form[BLOCK_Y] + form[SIZE_Y] - 1):
            y = border_index(block.y - form[BEFORE_Y] + i, images.shape[2], form[MODE])
            row = NULL
            if plane >= 0 and y >= 0:
                row = <const char*> &images[block.image, plane, y, channel * n_bytes]
            copy_row(n_bytes, row, form, block.x - form[BEFORE_X], n_columns, constant, values)
            values += n_columns * n_bytes


cdef inline void copy_row(
    intp_t n_bytes, const char* row, const intp_t[::1] form, intp_t x0, intp_t n,
    const char* constant, char* out,
) noexcept nogil:
    """Copy one channel of n pixels of a row, or of no row, from x0 on."""
    cdef:
        intp_t step = form[CHANNELS]
        intp_t i = 0
        intp_t x, source, inside
        const char* pixel
    while i < n:
        x = x0 + i
        if row != NULL and 0 <= x < form[WIDTH]:
            inside = min(n - i, form[WIDTH] - x)
            copy_strided(n_bytes, inside, row + x * step * n_bytes, step, out + i * n_bytes, 1)
            i += inside
            continue
        source = border_index(x, form[WIDTH], form[MODE]) if row != NULL else -1
        pixel = constant if source < 0 else row + source * step * n_bytes
        memcpy(out + i * n_bytes, pixel, n_bytes)
        i += 1


cdef inline void copy_strided(
    intp_t n_bytes, intp_t n, const char* values, intp_t step, char* out, intp_t out_step,
) noexcept nogil:
    """Copy n values of n_bytes each; steps are values."""
    cdef intp_t i
    if step == 1 and out_step == 1:
        memcpy(out, values, n * n_bytes)
    elif n_bytes == 1:
        for i in range(n):
            out[i * out_step] = values[i * step]
    elif n_bytes == 4:
        for i in range(n):
            memcpy(out + 4 * i * out_step, values + 4 * i * step, 4)
    else:
        for i in range(n):
            memcpy(out + i * out_step * n_bytes, values + i * step * n_bytes, n_bytes)
