"""Deformable convolution as a product whose rows are sampled columns.

A task is a block of output pixels of one image. The points where their taps look are found once
for all channels of an offset group; the values there are sampled a pixel's channels at a time into
columns, which stay in cache while they are multiplied with all panels of the kernel.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport intptr_t
from libc.string cimport memset

from .cpu cimport kernels, microkernels, sampled_image
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .points cimport (
    OFFSET_GROUPS,
    cut_points,
    locate_run,
    place_taps,
    points_t,
    run_length,
    sample_points,
    sampled,
)
from .product cimport can_stream, multiply_panels, n_lanes, stream_fence
from .scratch cimport aligned, cut
from .types cimport intp_t, real

cdef struct sizes_t:
    intp_t block      # output pixels of a task
    intp_t run        # of them, most whose points are found at once
    intp_t step       # room for the points of a run
    intp_t pitch      # values between neighbouring columns


def conv(
    const real[:, :, :, :] images,      # (n_images, height, width, in_channels), dense in the last
    const real[:, ::1] panels,          # (groups, panels of a group), see panels.pyx, or ...
    const real[::1] bias,               # ... (1, weights as they are), if there is a bias
    const real[:, :, ::1] offsets,      # (n_images, out_pixels, points of an output * 2)
    const real[:, :, ::1] mask,         # (n_images, out_pixels, points of an output), or no images
    real[:, :, :, :, ::1] out,          # (n_images, 1, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[::1] taps,             # (3,): taps down, taps across, offset groups
    int activation,
    bint streams,                       # whether `out` is larger than the caches
    intp_t block,                       # these four: see sizes_t
    intp_t run,
    intp_t step,
    intp_t pitch,
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the deformable convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        sizes_t sizes = sizes_t(block, run, step, pitch)
        intp_t n_pixels = out.shape[2] * out.shape[3]
        intp_t n_blocks = (n_pixels + block - 1) // block
        intp_t n_tasks = out.shape[0] * n_blocks
        intp_t task
        uint64_t mode = 0

    streams = streams and can_stream(out, panels.shape[0], activation)
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_block(mk, images, panels, bias, offsets, mask, out, geometry, taps, activation,
                           streams, sizes, task // n_blocks, task % n_blocks * block,
                           min((task % n_blocks + 1) * block, n_pixels),
                           aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void convolve_block(
    const microkernels* mk, const real[:, :, :, :] images, const real[:, ::1] panels,
    const real[::1] bias, const real[:, :, ::1] offsets, const real[:, :, ::1] mask,
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry, const intp_t[::1] taps,
    int activation, bint streams, sizes_t sizes, intp_t image, intp_t begin, intp_t end, char* room,
) noexcept nogil:
    """Write the outputs `begin` to `end` of an image."""
    cdef:
        intp_t channels = images.shape[3]
        intp_t groups = panels.shape[0]
        intp_t group_in = channels // groups
        intp_t group_out = out.shape[4] // groups
        intp_t n_points = offsets.shape[2] // 2
        intp_t depth = n_points // taps[OFFSET_GROUPS] * group_in
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_panels = (group_out + 2 * lanes - 1) // (2 * lanes)
        intp_t group, i, c
        points_t points = cut_points[real](&room, n_points, n_points, sizes.run, sizes.step, NULL)
        real* outside = <real*> cut(&room, channels * sizeof(real))
        real* columns = <real*> cut(&room, sizes.block * sizes.pitch * sizeof(real))
        intp_t* places = <intp_t*> cut(&room, depth * sizeof(intp_t))
        const real** rows = <const real**> cut(&room, sizes.block * sizeof(intp_t))
        real** out_rows = <real**> cut(&room, sizes.block * sizeof(intp_t))
        real* spare = <real*> room
        sampled_image source = sampled(
            <intptr_t> &images[image, 0, 0, 0], images.shape[1], images.shape[2],
            images.strides[1], images.strides[2], outside, False)

    memset(outside, 0, channels * sizeof(real))
    place_taps(&points, geometry, taps)
    fill_columns(mk, &points, &source, geometry, taps, channels, begin, end, out.shape[3],
                 &offsets[image, 0, 0], &mask[image, 0, 0] if mask.shape[0] else NULL,
                 sizes.pitch, columns)
    for i in range(depth // group_in):
        for c in range(group_in):
            places[i * group_in + c] = i * channels + c
    for group in range(groups):
        for i in range(end - begin):
            rows[i] = columns + i * sizes.pitch + group * group_in
            out_rows[i] = &out[image, 0, 0, 0, 0] + (begin + i) * out.shape[4] + group * group_out
        multiply_panels(
            mk, end - begin, rows, depth, places, &panels[group, 0],
            &bias[0] if bias.shape[0] else NULL, out.shape[4], group_out, 0, n_panels, activation,
            streams, out_rows, spare,
        )
    if streams:
        stream_fence()


cdef inline void fill_columns(
    const microkernels* mk, const points_t* points, const sampled_image* image,
    const intp_t[:, ::1] geometry, const intp_t[::1] taps, intp_t channels, intp_t begin,
    intp_t end, intp_t width, const real* offsets, const real* mask, intp_t pitch, real* columns,
) noexcept nogil:
    """Write the sampled values of the outputs `begin` to `end`, by tap and then by channel."""
    cdef:
        intp_t groups = taps[OFFSET_GROUPS]
        intp_t n_taps = points.all // groups
        intp_t group_size = channels // groups
        intp_t pixel = begin
        intp_t length, i, group

    while pixel < end:
        length = run_length(points, pixel, end, width)
        locate_run(mk, points, image, geometry, pixel, length, width, offsets, mask, False)
        if groups == 1 and pitch == n_taps * channels:  # one tap after the other
            sample_points(mk, points, 0, length * n_taps, 0, channels, columns, channels)
        else:
            for i in range(length):
                for group in range(groups):
                    sample_points(mk, points, (i * groups + group) * n_taps, n_taps,
                                  group * group_size, group_size,
                                  columns + i * pitch + group * group_size, channels)
        columns += length * pitch
        pixel += length
