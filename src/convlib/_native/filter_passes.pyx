"""Filters whose kernels are sums of few products: a pass down the columns, then along the rows.

A task is a block of rows, or a strip of them. Few rows at a time are summed down the columns into
lines, one for each term, which stay in the first-level cache, and from there along the rows. Rows
are read where they are, but near the upper and lower border, where the rows under a block are
copied. What the lines need to the left and right of the image is summed from copied columns.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport uint8_t

from .band cimport n_blocks
from .cpu cimport kernels, microkernels, plane_output, plane_taps
from .filter_rows cimport fill_rows, image_of, image_t, lies_inside, strip_of, strip_t
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .planes cimport planes
from .scratch cimport aligned, cut
from .types cimport intp_t, real

cdef enum:
    N_ROWS = 4     # of outputs, of one pass
    SLACK = 64     # values that a pass may read beyond the last one it needs


cdef struct form_t:
    # What all tasks share.
    plane_taps height
    plane_taps width
    intp_t above       # rows of taps before the centre
    intp_t left        # values under taps before the centre
    intp_t right
    intp_t side        # values between rows of copied columns
    intp_t line        # values between lines
    intp_t n_parts     # of terms that are summed together
    intp_t rows
    intp_t strip
    bint stream


def apply(
    const real[:, :, ::1] images,       # (n_images, height, width * channels), or empty
    const uint8_t[:, :, ::1] images_u8,  # the same as bytes, or empty
    const real[:, ::1] columns,         # (parts, n_together * (1 + taps)): down the columns
    const real[::1] along,              # (1 + terms * taps,): along the rows; empty if that is 1
    real[:, :, ::1] out,
    intp_t channels,
    intp_t n_terms,
    intp_t n_rows,                      # taps down the columns
    intp_t above,                       # taps before the centre
    intp_t left,
    const intp_t[::1] term_offsets,     # (terms,), where their lines lie
    const intp_t[::1] tap_offsets,      # (taps along the rows,), multiples of channels
    int padding_mode,
    double constant,
    intp_t rows,                        # of a task
    intp_t strip,                       # values of a row of a task
    intp_t line,                        # values between lines
    bint stream,                        # whether the outputs are larger than the caches
    const intp_t[::1] sizes,            # (3,), values of pieces of `scratch`: band, side, lines
    unsigned char[:, ::1] scratch,      # (n_threads, bytes)
):
    """Write the filtered images. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = out.shape[0] * ((out.shape[1] + rows - 1) // rows) \
            * ((out.shape[2] + strip - 1) // strip)
        intp_t zero = 0
        intp_t task
        form_t form
        bint is_bytes = images_u8.shape[0] > 0
        image_t image = image_of(
            <const void*> &images_u8[0, 0, 0] if is_bytes else <const void*> &images[0, 0, 0],
            is_bytes, out.shape[1], out.shape[2], channels, padding_mode, constant)
        uint64_t mode = 0

    form.height.planes = form.height.columns = &zero
    form.height.n_planes = form.height.n_columns = 1
    form.height.n_rows = n_rows
    form.width.planes = &term_offsets[0]
    form.width.n_planes = n_terms
    form.width.n_rows = 1
    form.width.row_step = 0
    form.width.columns = &tap_offsets[0]
    form.width.n_columns = tap_offsets.shape[0]
    form.above = above
    form.left = left * channels
    form.right = (tap_offsets.shape[0] - 1 - left) * channels
    form.side = max(form.left, form.right)
    form.line = line
    form.n_parts = columns.shape[0]
    form.rows = rows
    form.strip = strip
    form.stream = stream
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            filter_strip(mk, &form, &image, columns, along, out, sizes, task,
                         aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void filter_strip(
    const microkernels* mk, const form_t* form, const image_t* images, const real[:, ::1] columns,
    const real[::1] along, real[:, :, ::1] out, const intp_t[::1] sizes, intp_t task, char* room,
) noexcept nogil:
    """Write the strip numbered `task`."""
    cdef:
        strip_t part = strip_of(task, out.shape[1], out.shape[2], form.rows, form.strip)
        real* band = <real*> cut(&room, sizes[0] * sizeof(real))
        real* before = <real*> cut(&room, sizes[1] * sizeof(real))
        real* behind = <real*> cut(&room, sizes[1] * sizeof(real))
        real* lines = <real*> cut(&room, sizes[2] * sizeof(real))
        intp_t length = out.shape[2]
        intp_t first = max(<intp_t> 0, part.x - form.left)
        intp_t last = min(length, part.x + part.n + form.right)
        intp_t n_before = first - (part.x - form.left)
        intp_t n_behind = part.x + part.n + form.right - last
        intp_t n_under = part.n_rows + form.height.n_rows - 1
        intp_t y = part.y - form.above
        intp_t i, row, n, step
        const real* source
        real* target
        image_t image = images[0]
        plane_output way

    if image.is_bytes:
        image.values = (<const uint8_t*> image.values) + part.image * image.height * length
    else:
        image.values = (<const real*> image.values) + part.image * image.height * length
    if lies_inside(&image, y, n_under, SLACK):
        source = (<const real*> image.values) + y * length + first
        step = length
    else:
        step = last - first
        fill_rows(mk, &image, y, n_under, first, step, band, step)
        source = band
    fill_rows(mk, &image, y, n_under, part.x - form.left, n_before, before, form.side)
    fill_rows(mk, &image, y, n_under, last, n_behind, behind, form.side)
    way.relu = False
    way.row_step = length
    way.channel_step = 0
    way.stream = form.stream
    for i in range(n_blocks(part.n_rows, N_ROWS)):
        row = i * N_ROWS
        n = min(<intp_t> N_ROWS, part.n_rows - row)
        target = &out[part.image, part.y + row, part.x]
        if along.shape[0] == 0:
            pass_columns(mk, form, columns, n, last - first, source + row * step, step, &way,
                         target)
            continue
        way.row_step = form.line
        way.channel_step = N_ROWS * form.line
        way.stream = False
        pass_columns(mk, form, columns, n, last - first, source + row * step, step, &way,
                     lines + n_before)
        if n_behind > 0:
            pass_columns(mk, form, columns, n, n_behind, behind + row * form.side, form.side,
                         &way, lines + n_before + last - first)
        if n_before > 0:
            pass_columns(mk, form, columns, n, n_before, before + row * form.side, form.side,
                         &way, lines)
        way.row_step = length
        way.channel_step = 0
        way.stream = form.stream
        planes(mk, &form.width, 1, n, part.n, lines, form.line, &along[0], &way, target)


cdef inline void pass_columns(
    const microkernels* mk, const form_t* form, const real[:, ::1] columns, intp_t height,
    intp_t width, const real* x, intp_t step, const plane_output* way, real* out,
) noexcept nogil:
    """Sum down the columns, into some rows of each term."""
    cdef:
        plane_taps taps = form.height
        intp_t n_together = columns.shape[1] // (1 + taps.n_rows)
        intp_t part
    taps.row_step = step
    for part in range(form.n_parts):
        planes(mk, &taps, n_together, height, width, x, step, &columns[part, 0], way,
               out + part * n_together * way.channel_step)
