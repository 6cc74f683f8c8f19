"""Mean and weighted sums of bytes, in integers of 16 bits: down the columns, then along the rows.

A task is a strip of rows. The rows under it are copied with their borders. Each output row is
summed down the columns into one line; for a mean the line of the row above is brought up to date.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcpy

from .border cimport border_index
from .cpu cimport BYTES_BLOCK, kernels, microkernels
from .filter_rows cimport fill_values, image_of, image_t, strip_of, strip_t
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .scratch cimport aligned, cut
from .types cimport intp_t


cdef struct form_t:
    # What all tasks share.
    intp_t n_rows      # taps down the columns
    intp_t n_columns   # taps along the rows
    intp_t above       # taps before the centre
    intp_t left        # values under taps before the centre
    intp_t rows
    intp_t strip
    intp_t step        # values between copied rows
    bint is_mean
    uint16_t half
    uint16_t multiplier
    int shift


def apply(
    const uint8_t[:, :, ::1] images,    # (n_images, height, width * channels)
    uint8_t[:, :, ::1] out,
    const uint16_t[::1] columns,        # weights down the columns, in parts of 2^16
    const uint16_t[::1] along,          # along the rows
    intp_t channels,
    intp_t above,                       # taps before the centre, down the columns and ...
    intp_t left,                        # ... along the rows
    bint is_mean,                       # whether weights are equal; the sum is then divided:
    int half,                           # (half + sum) * multiplier >> 16 >> shift
    int multiplier,
    int shift,
    int padding_mode,
    int constant,
    intp_t rows,                        # of a task
    intp_t strip,                       # values of a row of a task
    intp_t step,                        # values between copied rows
    const intp_t[::1] sizes,            # (3,), bytes of pieces of `scratch`: band, line, result
    unsigned char[:, ::1] scratch,      # (n_threads, bytes)
):
    """Write the filtered images. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = out.shape[0] * ((out.shape[1] + rows - 1) // rows) \
            * ((out.shape[2] + strip - 1) // strip)
        intp_t task
        form_t form
        image_t image = image_of(&images[0, 0, 0], True, out.shape[1], out.shape[2], channels,
                                 padding_mode, constant)
        uint64_t mode = 0

    form.n_rows = columns.shape[0]
    form.n_columns = along.shape[0]
    form.above = above
    form.left = left * channels
    form.rows = rows
    form.strip = strip
    form.step = step
    form.is_mean = is_mean
    form.half = half
    form.multiplier = multiplier
    form.shift = shift
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            filter_strip(mk, &form, &image, &columns[0], &along[0], out, sizes, task,
                         aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void filter_strip(
    const microkernels* mk, const form_t* form, const image_t* image, const uint16_t* columns,
    const uint16_t* along, uint8_t[:, :, ::1] out, const intp_t[::1] sizes, intp_t task, char* room,
) noexcept nogil:
    """Write the strip numbered `task`."""
    cdef:
        strip_t part = strip_of(task, out.shape[1], out.shape[2], form.rows, form.strip)
        uint8_t* band = <uint8_t*> cut(&room, sizes[0])
        uint16_t* line = <uint16_t*> cut(&room, sizes[1])
        uint8_t* result = <uint8_t*> room
        intp_t n_under = part.n + (form.n_columns - 1) * image.channels
        intp_t row
        const uint8_t* under
        uint8_t* target
        bint is_whole

    fill_bands(image, &part, form, n_under, band)
    for row in range(part.n_rows):
        under = band + row * form.step
        if not form.is_mean:
            mk.byte_columns(form.n_rows, under, form.step, columns, n_under, line)
        elif row == 0 or form.n_rows <= 3:
            mk.byte_sums(form.n_rows, under, form.step, n_under, line)
        else:
            mk.byte_slide(n_under, under + (form.n_rows - 1) * form.step, under - form.step, line)
        # Whole blocks are written: the last one may be too long for its place.
        is_whole = part.n % BYTES_BLOCK == 0
        target = &out[part.image, part.y + row, part.x]
        if not is_whole:
            target = result
        if form.is_mean:
            mk.short_means(form.n_columns, image.channels, line, part.n, form.half,
                           form.multiplier, form.shift, target)
        else:
            mk.short_rows(form.n_columns, image.channels, line, along, part.n, target)
        if not is_whole:
            memcpy(&out[part.image, part.y + row, part.x], result, part.n)


cdef inline void fill_bands(
    const image_t* image, const strip_t* part, const form_t* form, intp_t n, uint8_t* band,
) noexcept nogil:
    """Copy the rows under a strip, with what is outside the image."""
    cdef:
        intp_t length = image.width * image.channels
        const uint8_t* first = (<const uint8_t*> image.values) + part.image * image.height * length
        uint8_t constant = <uint8_t> image.constant
        intp_t i, k, source
    for i in range(part.n_rows + form.n_rows - 1):
        source = border_index(part.y - form.above + i, image.height, image.padding_mode)
        if source < 0:
            for k in range(n):
                band[k] = constant
        else:
            fill_values[uint8_t](image, first + source * length, part.x - form.left, n, constant,
                                 band)
        band += form.step
