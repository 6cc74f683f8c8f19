"""Convolution of few channels: lanes are pixels.

A task is a block of output pixels of one image. The input under it is copied once into padded
planes, one channel each; the rows of a plane are then read a vector of neighbouring pixels at a
time. Outputs of one channel go where they belong; those of several wait in lines, four rows at a
time, until their channels can be put side by side.
"""
from cython.parallel cimport parallel, prange

from .cpu cimport kernels, microkernels, plane_output, plane_taps
from .geometry cimport input_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .planes cimport fill_planes, interleave, planes
from .product cimport activate
from .scratch cimport aligned, cut
from .types cimport intp_t, real

# Columns of `axes`, one row an axis, and the rows of outputs that wait in lines.
cdef enum:
    BLOCK = 0      # output pixels of a task
    COUNT = 1      # input pixels under them
    STEP = 2       # pixels of the image between these
    SHIFT = 3      # such steps between neighbouring outputs
    RELU = 1
    N_LINES = 4


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
        intp_t n_tasks = out.shape[0] * blocks(out.shape[1], axes[0, BLOCK]) \
            * blocks(out.shape[2], axes[1, BLOCK]) * blocks(out.shape[3], axes[2, BLOCK])
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


cdef inline intp_t blocks(intp_t size, intp_t block) noexcept nogil:
    return (size + block - 1) // block


cdef void convolve_block(
    const microkernels* mk, const form_t* form, const real[:, :, :, :, :] images,
    const real[:, :, ::1] weights, real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry,
    const intp_t[:, ::1] axes, intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        intp_t n_z = blocks(out.shape[1], axes[0, BLOCK])
        intp_t n_y = blocks(out.shape[2], axes[1, BLOCK])
        intp_t n_x = blocks(out.shape[3], axes[2, BLOCK])
        intp_t x = task % n_x * axes[2, BLOCK]
        intp_t y = task // n_x % n_y * axes[1, BLOCK]
        intp_t z = task // (n_x * n_y) % n_z * axes[0, BLOCK]
        intp_t image = task // (n_x * n_y * n_z)
        intp_t depth = min(axes[0, BLOCK], out.shape[1] - z)
        intp_t height = min(axes[1, BLOCK], out.shape[2] - y)
        intp_t width = min(axes[2, BLOCK], out.shape[3] - x)
        intp_t row = axes[2, SHIFT] * form.phase
        intp_t plane = axes[1, COUNT] * row
        real* band = <real*> cut(&room, form.n_values * sizeof(real))
        real* lines = <real*> room
        intp_t i
        real* here

    fill_block(images, image, z, y, x, depth, height, width, geometry, axes, form.phase, plane,
               form.padding_mode, band)
    for i in range(depth):
        here = band + i * axes[0, SHIFT] * images.shape[4] * plane
        if out.shape[4] == 1:
            convolve_plane(mk, form, weights, height, width, here, axes[1, SHIFT] * row,
                           out.shape[3], &out[image, z + i, y, x, 0])
        else:
            convolve_rows(mk, form, weights, height, width, here, axes[1, SHIFT] * row,
                          plane * images.shape[4] // weights.shape[0], out.shape[3],
                          out.shape[4], lines, &out[image, z + i, y, x, 0])


cdef inline void fill_block(
    const real[:, :, :, :, :] images, intp_t image, intp_t z, intp_t y, intp_t x, intp_t depth,
    intp_t height, intp_t width, const intp_t[:, ::1] geometry, const intp_t[:, ::1] axes,
    intp_t phase, intp_t plane, int padding_mode, real* band,
) noexcept nogil:
    """Copy the input under depth x height x width outputs from (z, y, x) on."""
    cdef:
        intp_t start[3]
        intp_t count[3]
        intp_t step[3]
        int axis

    start[0] = input_of(geometry, 0, z)
    start[1] = input_of(geometry, 1, y)
    start[2] = input_of(geometry, 2, x)
    count[0] = axes[0, COUNT] - (axes[0, BLOCK] - depth) * axes[0, SHIFT]
    count[1] = axes[1, COUNT] - (axes[1, BLOCK] - height) * axes[1, SHIFT]
    count[2] = axes[2, COUNT] - (axes[2, BLOCK] - width) * axes[2, SHIFT]
    for axis in range(3):
        step[axis] = axes[axis, STEP]
    fill_planes(images, image, start, count, step, axes[2, SHIFT], phase, plane, padding_mode,
                band)


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
    output.relu = form.activation == RELU
    output.stream = form.stream and form.activation <= RELU
    # Streams that end inside a line of the caches must soon go on.
    n = N_LINES if output.stream else height
    for i in range(blocks(height, n)):
        planes(mk, &form.taps, 1, min(n, height - i * n), width, band + i * n * x_step, x_step,
               &weights[0, 0, 0], &output, out + i * n * out_width)
    if form.activation > RELU:
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
    output.relu = form.activation == RELU
    output.stream = False
    for batch in range(blocks(height, N_LINES)):
        y = batch * N_LINES
        n = min(<intp_t> N_LINES, height - y)
        for group in range(weights.shape[0]):
            for part in range(weights.shape[1]):
                channel = group * group_out + part * n_out
                planes(mk, &form.taps, n_out, n, width, band + group * group_step + y * x_step,
                       x_step, &weights[group, part, 0], &output, lines + channel * form.line)
        for i in range(n):
            line = lines + i * output.row_step
            if form.activation > RELU:
                for channel in range(out_channels):
                    activate(mk, form.activation, width, line + channel * form.line)
            interleave(mk, out_channels, width, line, form.line, form.stream,
                       out + (y + i) * out_width * out_channels)
