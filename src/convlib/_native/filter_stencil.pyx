"""Filters of small kernels over two axes: their sums side by side, or combined while in cache.

A task is a strip of rows. The kernels are summed together, a few rows at a time, from the image
where it is; what the outputs near a border see is copied first. Sums that are combined wait in
lines, which stay in the first-level cache.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport uint8_t

from .band cimport n_blocks
from .cpu cimport REDUCE_MAX, kernels, microkernels, plane_output, plane_taps
from .filter_rows cimport fill_rows, image_of, image_t, lies_inside, strip_of, strip_t
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .planes cimport planes
from .scratch cimport aligned, cut
from .stencil cimport reduce
from .types cimport float32_t, intp_t, real

cdef enum:
    N_ROWS = 4     # of outputs, computed together
    SLACK = 64     # values that may be read beyond the last one needed
    MOST_KERNELS = 8

cdef enum:
    SIDE_BY_SIDE = 0    # each sum is a result
    MAGNITUDE = 1       # the root of the sum of squares, times a factor
    LARGEST = 2


cdef struct form_t:
    # What all tasks share.
    plane_taps taps
    intp_t above       # rows of taps before the centre
    intp_t left        # values under taps before the centre
    intp_t right
    intp_t line        # values between lines
    intp_t n_kernels
    int combination
    double factor
    intp_t rows
    intp_t strip
    bint stream


def apply(
    const real[:, :, ::1] images,       # (n_images, height, width * channels), or empty
    const uint8_t[:, :, ::1] images_u8,  # the same as bytes, or empty
    const real[:, ::1] bank,            # (parts, n_together * (1 + taps)), of kernels side by side
    real[:, :, :, ::1] out,             # (results, n_images, height, width * channels)
    intp_t channels,
    intp_t n_kernels,
    intp_t n_rows,                      # of taps
    intp_t above,                       # rows of taps before the centre
    intp_t left,                        # columns of taps before it
    const intp_t[::1] tap_offsets,      # (columns of taps,), multiples of channels
    int combination,                    # see above
    double factor,
    int padding_mode,
    double constant,
    intp_t rows,                        # of a task
    intp_t strip,                       # values of a row of a task
    intp_t line,                        # values between lines
    bint stream,                        # whether the outputs are larger than the caches
    const intp_t[::1] sizes,            # (2,), values of pieces of `scratch`: band, lines
    unsigned char[:, ::1] scratch,      # (n_threads, bytes)
):
    """Write the filtered images. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = out.shape[1] * ((out.shape[2] + rows - 1) // rows) \
            * ((out.shape[3] + strip - 1) // strip)
        intp_t zero = 0
        intp_t task
        form_t form
        bint is_bytes = images_u8.shape[0] > 0
        image_t image = image_of(
            <const void*> &images_u8[0, 0, 0] if is_bytes else <const void*> &images[0, 0, 0],
            is_bytes, out.shape[2], out.shape[3], channels, padding_mode, constant)
        uint64_t mode = 0

    form.taps.planes = &zero
    form.taps.n_planes = 1
    form.taps.n_rows = n_rows
    form.taps.columns = &tap_offsets[0]
    form.taps.n_columns = tap_offsets.shape[0]
    form.above = above
    form.left = left * channels
    form.right = (tap_offsets.shape[0] - 1 - left) * channels
    form.line = line
    form.n_kernels = n_kernels
    form.combination = combination
    form.factor = factor
    form.rows = rows
    form.strip = strip
    form.stream = stream
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            filter_strip(mk, &form, &image, bank, out, sizes, task,
                         aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void filter_strip(
    const microkernels* mk, const form_t* form, const image_t* images, const real[:, ::1] bank,
    real[:, :, :, ::1] out, const intp_t[::1] sizes, intp_t task, char* room,
) noexcept nogil:
    """Write the strip numbered `task`."""
    cdef:
        strip_t part = strip_of(task, out.shape[2], out.shape[3], form.rows, form.strip)
        real* band = <real*> cut(&room, sizes[0] * sizeof(real))
        real* lines = <real*> cut(&room, sizes[1] * sizeof(real))
        intp_t length = out.shape[3]
        intp_t begin = part.x
        intp_t end = part.x + part.n
        intp_t y = part.y - form.above
        intp_t n_under = part.n_rows + form.taps.n_rows - 1
        intp_t sides = form.left + form.right
        intp_t i, k, row, n, n_left, n_right
        intp_t[2] edges
        real* right
        const real* source
        image_t image = images[0]

    if image.is_bytes:
        image.values = (<const uint8_t*> image.values) + part.image * image.height * length
    else:
        image.values = (<const real*> image.values) + part.image * image.height * length
    # Outputs between the edges are computed from the image itself, others from copies.
    edges[0] = edges[1] = end
    if lies_inside(&image, y, n_under, SLACK):
        edges[0] = min(end, max(begin, form.left))
        edges[1] = max(edges[0], min(end, length - form.right))
    n_left = edges[0] - begin
    n_right = end - edges[1]
    right = band + n_under * (n_left + sides) + SLACK
    if n_left > 0:
        fill_rows(mk, &image, y, n_under, begin - form.left, n_left + sides, band, n_left + sides)
    if n_right > 0:
        fill_rows(mk, &image, y, n_under, edges[1] - form.left, n_right + sides, right,
                  n_right + sides)
    source = (<const real*> image.values) + y * length + edges[0] - form.left
    for i in range(n_blocks(part.n_rows, N_ROWS)):
        row = i * N_ROWS
        n = min(<intp_t> N_ROWS, part.n_rows - row)
        if n_left > 0:
            add_up(mk, form, &part, bank, n, row, 0, n_left, band, n_left + sides, out, lines)
        if edges[1] > edges[0]:
            add_up(mk, form, &part, bank, n, row, n_left, edges[1] - edges[0], source, length, out,
                   lines)
        if n_right > 0:
            add_up(mk, form, &part, bank, n, row, edges[1] - begin, n_right, right,
                   n_right + sides, out, lines)
        if form.combination != SIDE_BY_SIDE:
            for k in range(n):
                combine(mk, form, part.n, lines + k * form.line,
                        &out[0, part.image, part.y + row + k, part.x])


cdef inline void add_up(
    const microkernels* mk, const form_t* form, const strip_t* part, const real[:, ::1] bank,
    intp_t n_rows, intp_t row, intp_t x, intp_t n, const real* source, intp_t step,
    real[:, :, :, ::1] out, real* lines,
) noexcept nogil:
    """Compute n outputs of some rows, x values from where the strip begins, to results or lines.

    `source` is what lies under the first tap of the first output of the strip's first row.
    """
    cdef:
        plane_taps taps = form.taps
        plane_output way
        intp_t n_together = bank.shape[1] // (1 + taps.n_rows * taps.n_columns)
        intp_t i, first
        real* target
    taps.row_step = step
    way.relu = False
    if form.combination == SIDE_BY_SIDE:
        target = &out[0, part.image, part.y + row, part.x + x]
        way.row_step = out.shape[3]
        way.channel_step = out.shape[1] * out.shape[2] * out.shape[3]
        way.stream = form.stream
    else:
        target = lines + x
        way.row_step = form.line
        way.channel_step = N_ROWS * form.line
        way.stream = False
    for i in range(bank.shape[0]):
        first = i * n_together
        planes(mk, &taps, n_together, n_rows, n, source + row * step, step, &bank[i, 0], &way,
               target + first * way.channel_step)


cdef inline void combine(
    const microkernels* mk, const form_t* form, intp_t n, const real* lines, real* out,
) noexcept nogil:
    """Write what becomes of the sums of a row."""
    cdef:
        intp_t step = N_ROWS * form.line
        const real* rows[MOST_KERNELS]
        intp_t i
    if form.combination == LARGEST:
        for i in range(form.n_kernels):
            rows[i] = lines + i * step
        reduce[real](mk, REDUCE_MAX, form.n_kernels, <const real**> rows, n, out)
    elif real is float32_t:
        mk.magnitude_f32(form.n_kernels, lines, step, <float32_t> form.factor, form.stream, n, out)
    else:
        mk.magnitude_f64(form.n_kernels, lines, step, form.factor, form.stream, n, out)
