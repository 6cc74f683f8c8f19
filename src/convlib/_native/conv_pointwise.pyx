"""1x1 convolution: a product whose rows are the pixels where they stand, in any memory layout.

A task is a run of output pixels and a part of the panels.
"""
from cython.parallel cimport parallel, prange

from .cpu cimport kernels, microkernels
from .geometry cimport FIRST, STRIDE
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport multiply_panels, n_lanes
from .types cimport intp_t, real


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] panels,          # (groups, panels of a group), see panels.pyx
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    int activation,
    intp_t block,                       # output pixels of a task
    intp_t n_parts,                     # into which the panels of a group are cut
    intp_t[::1] offsets,                # (in_channels of a group,), room for channel offsets
    intp_t[:, ::1] addresses,           # (n_threads, 2 * block)
    real[:, ::1] spare,                 # (n_threads, max_rows * 2 * lanes)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t groups = panels.shape[0]
        intp_t n_pixels = out.shape[0] * out.shape[1] * out.shape[2] * out.shape[3]
        intp_t n_blocks = (n_pixels + block - 1) // block
        intp_t group_out = out.shape[4] // groups
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_panels = (group_out + 2 * lanes - 1) // (2 * lanes)
        intp_t task, group, part, first, n, c
        intp_t thread = 0
        uint64_t mode = 0

    for c in range(offsets.shape[0]):
        offsets[c] = c * (images.strides[4] // <intp_t> sizeof(real))
    with nogil, parallel(num_threads=<int> addresses.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(n_blocks * groups * n_parts, schedule="dynamic"):
            part = task % n_parts
            group = task // n_parts % groups
            first = task // (n_parts * groups) * block
            n = min(block, n_pixels - first)
            gather(images, out, geometry, first, n, group * offsets.shape[0], group * group_out,
                   <const real**> &addresses[thread, 0], <real**> &addresses[thread, block])
            multiply_panels(
                mk, n, <const real**> &addresses[thread, 0], offsets.shape[0], &offsets[0],
                &panels[group, 0], group_out, part * n_panels // n_parts,
                (part + 1) * n_panels // n_parts, activation,
                <real**> &addresses[thread, block], &spare[thread, 0],
            )
        restore_denormals(mode)


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
