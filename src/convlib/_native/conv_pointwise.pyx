"""1x1 convolution: a product whose rows are the pixels where they stand, in any memory layout.

A task is a run of output pixels and a part of the panels.
"""
from cython.parallel cimport parallel, prange

from .cpu cimport kernels, microkernels
from .geometry cimport FIRST, STRIDE
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport can_stream, multiply_panels, n_lanes, stream_fence
from .scratch cimport aligned, cut
from .types cimport intp_t, real


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] panels,          # (groups, panels of a group), see panels.pyx, or ...
    const real[::1] bias,               # ... (1, weights as they are), if there is a bias
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    int activation,
    bint streams,                       # whether `out` is larger than the caches
    intp_t group_size,                  # input channels of a group
    intp_t block,                       # output pixels of a task
    intp_t n_parts,                     # into which the panels of a group are cut
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_pixels = out.shape[0] * out.shape[1] * out.shape[2] * out.shape[3]
        intp_t n_tasks = (n_pixels + block - 1) // block * panels.shape[0] * n_parts
        intp_t task
        uint64_t mode = 0

    streams = streams and can_stream(out, panels.shape[0], activation)
    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            for task in range(n_tasks):
                convolve_block(mk, images, panels, bias, out, geometry, activation, streams,
                               group_size, block, n_parts, task, aligned(&scratch[0, 0]))
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_block(mk, images, panels, bias, out, geometry, activation, streams,
                           group_size, block, n_parts, task, aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void convolve_block(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] panels,
    const real[::1] bias, real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry,
    int activation, bint streams, intp_t group_size, intp_t block, intp_t n_parts, intp_t task,
    char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        intp_t groups = panels.shape[0]
        intp_t group_out = out.shape[4] // groups
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_panels = (group_out + 2 * lanes - 1) // (2 * lanes)
        intp_t part = task % n_parts
        intp_t group = task // n_parts % groups
        intp_t first = task // (n_parts * groups) * block
        intp_t n = min(block, out.shape[0] * out.shape[1] * out.shape[2] * out.shape[3] - first)
        intp_t* offsets = <intp_t*> cut(&room, group_size * sizeof(intp_t))
        const real** rows = <const real**> cut(&room, block * sizeof(intp_t))
        real** out_rows = <real**> cut(&room, block * sizeof(intp_t))
        real* spare = <real*> room
        intp_t c

    for c in range(group_size):
        offsets[c] = c * (images.strides[4] // <intp_t> sizeof(real))
    gather(images, out, geometry, first, n, group * group_size, group * group_out, rows, out_rows)
    multiply_panels(
        mk, n, rows, group_size, offsets, &panels[group, 0],
        &bias[0] if bias.shape[0] else NULL, out.shape[4], group_out,
        part * n_panels // n_parts, (part + 1) * n_panels // n_parts, activation,
        streams, out_rows, spare,
    )
    if streams:
        stream_fence()


cdef inline void gather(
    const real[:, :, :, :, :] images, real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry,
    intp_t first, intp_t n, intp_t channel, intp_t out_channel,
    const real** rows, real** out_rows,
) noexcept nogil:
    """Write the addresses of `n` pixels and of their outputs, row by row."""
    cdef:
        intp_t x = first % out.shape[3]
        intp_t line = first // out.shape[3]
        intp_t step = geometry[2, STRIDE] * images.strides[3]
        intp_t i = 0
        intp_t k, y, z, image, length
        const char* pixel
        real* out_pixel

    while i < n:
        y = line % out.shape[2]
        z = line // out.shape[2] % out.shape[1]
        image = line // (out.shape[2] * out.shape[1])
        length = min(n - i, out.shape[3] - x)
        pixel = <const char*> &images[
            image, (geometry[0, FIRST] + z) * geometry[0, STRIDE],
            (geometry[1, FIRST] + y) * geometry[1, STRIDE],
            (geometry[2, FIRST] + x) * geometry[2, STRIDE], channel]
        out_pixel = &out[image, z, y, x, out_channel]
        for k in range(length):
            rows[i + k] = <const real*> (pixel + k * step)
            out_rows[i + k] = out_pixel + k * out.shape[4]
        i += length
        line += 1
        x = 0
