"""Convolution of few channels: lanes are pixels.

A task is a block of output pixels of one image. The input under it is copied once into padded
planes, one channel each; the rows of a plane are then read a vector of neighbouring pixels at a
time. Outputs of one channel go where they belong; those of several wait in lines, four rows at a
time, until their channels can be put side by side.
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
    N_LINES = 4    # rows of outputs that wait


cdef struct form_t:
    # What all tasks share.
    plane_taps taps
    intp_t phase         # values between runs of every SHIFT-th pixel of a row
    intp_t n_values      # of the planes under a block
    intp_t line          # values between lines of outputs that wait
    int padding_mode
    int activation
    bint stream


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, :, ::1] weights,      # (groups, parts of a group, n_out * (1 + depth))
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[:, ::1] axes,          # (3, 4): see above
    const intp_t[::1] plane_offsets,    # (taps along depth * in_channels of a group,)
    const intp_t[::1] column_offsets,   # (taps along width,)
    intp_t n_rows,                      # taps along height
    intp_t row_step,                    # values between the rows of neighbouring taps
    intp_t phase,                       # values between runs of every SHIFT-th pixel of a row
    int padding_mode,
    int activation,
    bint stream,                        # whether the outputs are larger than the caches
    intp_t n_values,                    # of the planes under a block
    intp_t line,                        # values between lines of outputs that wait
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of planes and lines)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = count_blocks[real](out, axes)
        intp_t task
        form_t form
        char* room
        uint64_t mode = 0

    form.taps.n_planes = plane_offsets.shape[0]
    form.taps.planes = &plane_offsets[0]
    form.taps.n_rows = n_rows
    form.taps.row_step = row_step
    form.taps.n_columns = column_offsets.shape[0]
    form.taps.columns = &column_offsets[0]
    form.phase = phase
    form.n_values = n_values
    form.line = line
    form.padding_mode = padding_mode
    form.activation = activation
    form.stream = stream
    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            room = aligned(&scratch[0, 0])
            for task in range(n_tasks):
                convolve_block(mk, &form, images, weights, out, geometry, axes, task, room)
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        room = aligned(&scratch[thread_id(), 0])
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_block(mk, &form, images, weights, out, geometry, axes, task, room)
        restore_denormals(mode)


def table(const intp_t[:, ::1] values):
    """Return an array as a view that `conv` takes without asking for its buffer again."""
    return values


def row(const intp_t[::1] values):
    """Return an array of one axis as such a view."""
    return values


cdef void convolve_block(
    const microkernels* mk, const form_t* form, const real[:, :, :, :, :] images,
    const real[:, :, ::1] weights, real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry,
    const intp_t[:, ::1] axes, intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        block_t block = block_of[real](task, out, axes)
        intp_t row = axes[2, SHIFT] * form.phase
        intp_t plane = axes[1, COUNT] * row
        real* band = <real*> cut(&room, form.n_values * sizeof(real))
        real* lines = <real*> room
        intp_t i
        real* here
        real* target

    fill_block(images, &block, geometry, axes, form.phase, plane, form.padding_mode, band)
    for i in range(block.size[0]):
        here = band + i * axes[0, SHIFT] * images.shape[4] * plane
        target = &out[block.image, block.begin[0] + i, block.begin[1], block.begin[2], 0]
        if out.shape[4] == 1:
            convolve_plane(mk, form, weights, block.size[1], block.size[2], here,
                           axes[1, SHIFT] * row, out.shape[3], target)
        else:
            convolve_rows(mk, form, weights, block.size[1], block.size[2], here,
                          axes[1, SHIFT] * row, plane * images.shape[4] // weights.shape[0],
                          out.shape[3], out.shape[4], lines, target)


cdef inline void convolve_plane(
    const microkernels* mk, const form_t* form, const real[:, :, ::1] weights, intp_t height,
    intp_t width, const real* band, intp_t x_step, intp_t out_width, real* out,
) noexcept nogil:
    """Write the only output channel of a block."""
    cdef:
        plane_output output
        intp_t i, n

    output.row_step = out_width
    output.channel_step = 0
    output.relu = form.activation == ACTIVATION_RELU
    output.stream = form.stream and form.activation <= ACTIVATION_RELU
    # Streams that end inside a line of the caches must soon go on.
    n = N_LINES if output.stream else height
    for i in range(n_blocks(height, n)):
        planes(mk, &form.taps, 1, min(n, height - i * n), width, band + i * n * x_step, x_step,
               &weights[0, 0, 0], &output, out + i * n * out_width)
    if form.activation > ACTIVATION_RELU:
        for i in range(height):
            activate(mk, form.activation, width, out + i * out_width)


cdef inline void convolve_rows(
    const microkernels* mk, const form_t* form, const real[:, :, ::1] weights, intp_t height,
    intp_t width, const real* band, intp_t x_step, intp_t group_step, intp_t out_width,
    intp_t out_channels, real* lines, real* out,
) noexcept nogil:
    """Write a block of several output channels. The last part of a group may have some more.

    Those are written where channels of the next group go afterwards, or to spare lines.
    """
    cdef:
        intp_t depth = form.taps.n_planes * form.taps.n_rows * form.taps.n_columns
        intp_t n_out = weights.shape[2] // (1 + depth)
        intp_t group_out = out_channels // weights.shape[0]
        intp_t batch, y, n, group, part, i, channel
        real* line
        plane_output output

    output.row_step = (out_channels + n_out) * form.line
    output.channel_step = form.line
    output.relu = form.activation == ACTIVATION_RELU
    output.stream = False
    for batch in range(n_blocks(height, N_LINES)):
        y = batch * N_LINES
        n = min(<intp_t> N_LINES, height - y)
        for group in range(weights.shape[0]):
            for part in range(weights.shape[1]):
                channel = group * group_out + part * n_out
                planes(mk, &form.taps, n_out, n, width, band + group * group_step + y * x_step,
                       x_step, &weights[group, part, 0], &output, lines + channel * form.line)
        for i in range(n):
            line = lines + i * output.row_step
            if form.activation > ACTIVATION_RELU:
                for channel in range(out_channels):
                    activate(mk, form.activation, width, line + channel * form.line)
            interleave(mk, out_channels, width, line, form.line, form.stream,
                       out + (y + i) * out_width * out_channels)
