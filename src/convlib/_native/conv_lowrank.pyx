"""Convolution with kernels that are sums of few products of one-dimensional ones.

Each output channel sees one input channel. A task is a block of output pixels of one image; the
input under it is copied into padded planes. Then each axis has its pass: along the depth for the
whole block, down the columns for a few rows at a time, which stay in the first cache, and from
there along the rows. The first pass makes a plane of each term, and the last one adds them up.
"""
from cython.parallel cimport parallel, prange

from .band cimport COUNT, SHIFT, block_of, block_t, count_blocks, n_blocks
from .cpu cimport kernels, microkernels, plane_output, plane_taps
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .planes cimport fill_block, interleave, planes
from .product cimport ACTIVATION_RELU, activate
from .scratch cimport aligned, cut
from .types cimport intp_t, real

cdef enum:
    N_ROWS = 4    # of outputs, of one pass


cdef struct form_t:
    # What all tasks share: how the passes along each axis read their operands, and the rest.
    plane_taps depth
    plane_taps height
    plane_taps width
    intp_t row         # values of a row of a plane
    intp_t plane       # values of a plane
    intp_t phase       # values between runs of every SHIFT-th pixel of a row
    intp_t line        # values between lines of outputs that wait
    int padding_mode
    int activation
    bint stream


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, :, ::1] first,        # (out_channels, parts, n_terms * (1 + taps)): first pass
    const real[:, :, ::1] second,       # (out_channels, terms, 1 + taps): down the columns, if not
    const real[:, ::1] last,            # (out_channels, 1 + terms * taps): along the rows
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[:, ::1] axes,          # (3, 4): see above
    const intp_t[::1] plane_offsets,    # (taps along depth,)
    const intp_t[::1] column_offsets,   # (taps along width,)
    const intp_t[::1] term_offsets,     # (terms,), where their rows lie
    intp_t n_rows,                      # taps along height
    intp_t row_step,                    # values between the rows of neighbouring taps
    intp_t phase,                       # values between runs of every SHIFT-th pixel of a row
    int padding_mode,
    int activation,
    bint stream,                        # whether the outputs are larger than the caches
    const intp_t[::1] sizes,            # (3,), values of the pieces of `scratch` but the last
    intp_t line,                        # values between lines of outputs that wait
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = count_blocks[real](out, axes)
        intp_t zero = 0
        intp_t task
        form_t form
        uint64_t mode = 0

    form.row = axes[2, SHIFT] * phase
    form.plane = axes[1, COUNT] * form.row
    form.phase = phase
    form.line = line
    form.padding_mode = padding_mode
    form.activation = activation
    form.stream = stream
    fill_taps(&form.depth, &plane_offsets[0], plane_offsets.shape[0], 1, 0, &zero, 1)
    fill_taps(&form.height, &zero, 1, n_rows, row_step, &zero, 1)
    fill_taps(&form.width, &term_offsets[0], term_offsets.shape[0], 1, 0, &column_offsets[0],
              column_offsets.shape[0])
    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            for task in range(n_tasks):
                convolve_block(mk, &form, images, first, second, last, out, geometry, axes, sizes,
                               task, aligned(&scratch[0, 0]))
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_block(mk, &form, images, first, second, last, out, geometry, axes, sizes,
                           task, aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef inline void fill_taps(
    plane_taps* taps, const intp_t* plane_offsets, intp_t n_planes, intp_t n_rows,
    intp_t row_step, const intp_t* columns, intp_t n_columns,
) noexcept nogil:
    taps.planes = plane_offsets
    taps.n_planes = n_planes
    taps.n_rows = n_rows
    taps.row_step = row_step
    taps.columns = columns
    taps.n_columns = n_columns


cdef void convolve_block(
    const microkernels* mk, const form_t* way, const real[:, :, :, :, :] images,
    const real[:, :, ::1] first, const real[:, :, ::1] second, const real[:, ::1] last,
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry, const intp_t[:, ::1] axes,
    const intp_t[::1] sizes, intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        block_t block = block_of[real](task, out, axes)
        real* band = <real*> cut(&room, sizes[0] * sizeof(real))     # the planes under the block
        real* stack = <real*> cut(&room, sizes[1] * sizeof(real))    # a plane of each term
        real* rows = <real*> cut(&room, sizes[2] * sizeof(real))     # some rows of each term
        real* lines = <real*> room
        intp_t channels = out.shape[4]
        intp_t line = way.line
        intp_t x_step = axes[1, SHIFT] * way.row
        intp_t i, row, n, channel
        real* target
        const real* source
        plane_output form

    fill_block(images, &block, geometry, axes, way.phase, way.plane, way.padding_mode, band)
    form.relu = way.activation == ACTIVATION_RELU
    form.channel_step = 0
    form.row_step = out.shape[3] if channels == 1 else channels * line
    form.stream = way.stream and channels == 1 and way.activation <= ACTIVATION_RELU
    for i in range(block.size[0]):
        for channel in range(channels):
            source = band + way.plane * (
                i * axes[0, SHIFT] * images.shape[4] + channel * images.shape[4] // channels)
            target = lines + channel * line
            if channels == 1:
                target = &out[block.image, block.begin[0] + i, block.begin[1], block.begin[2], 0]
            if way.depth.n_planes > 1:
                pass_depth(mk, way, first, channel, block.count[1], source, stack)
                source = stack
            for row in range(n_blocks(block.size[1], N_ROWS)):
                n = min(<intp_t> N_ROWS, block.size[1] - row * N_ROWS)
                pass_height(mk, way, first, second, channel, n,
                            block.count[2] if axes[2, SHIFT] == 1 else way.row,
                            x_step, source + row * N_ROWS * x_step, rows)
                planes(mk, &way.width, 1, n, block.size[2], rows, way.row, &last[channel, 0], &form,
                       target + row * N_ROWS * form.row_step)
            if way.activation > ACTIVATION_RELU:
                for row in range(block.size[1]):
                    activate(mk, way.activation, block.size[2], target + row * form.row_step)
        if channels > 1:
            for row in range(block.size[1]):
                interleave(mk, channels, block.size[2], lines + row * channels * line, line,
                           way.stream,
                           &out[block.image, block.begin[0] + i, block.begin[1] + row,
                                block.begin[2], 0])


cdef inline void pass_depth(
    const microkernels* mk, const form_t* way, const real[:, :, ::1] first, intp_t channel,
    intp_t height, const real* band, real* stack,
) noexcept nogil:
    """Write a plane of each term: a plane is one long row here."""
    cdef:
        intp_t n_terms = first.shape[2] // (1 + way.depth.n_planes)
        intp_t part
        plane_output form

    form.row_step = 0
    form.channel_step = way.plane
    form.relu = form.stream = False
    for part in range(first.shape[1]):
        planes(mk, &way.depth, n_terms, 1, height * way.row, band, 0, &first[channel, part, 0],
               &form, stack + part * n_terms * way.plane)


cdef inline void pass_height(
    const microkernels* mk, const form_t* way, const real[:, :, ::1] first,
    const real[:, :, ::1] second, intp_t channel, intp_t height, intp_t width, intp_t x_step,
    const real* x, real* rows,
) noexcept nogil:
    """Write some rows of each term, from its own plane if there are any."""
    cdef:
        intp_t n_terms = first.shape[2] // (1 + way.height.n_rows)
        intp_t i
        plane_output form

    form.row_step = way.row
    form.channel_step = N_ROWS * way.row
    form.relu = form.stream = False
    if way.depth.n_planes == 1:
        for i in range(first.shape[1]):
            planes(mk, &way.height, n_terms, height, width, x, x_step, &first[channel, i, 0],
                   &form, rows + i * n_terms * form.channel_step)
    else:
        for i in range(second.shape[1]):
            planes(mk, &way.height, 1, height, width, x + i * way.plane, x_step,
                   &second[channel, i, 0], &form, rows + i * form.channel_step)
