"""Convolution as a product whose rows are windows: the implicit im2col.

A task is a block of output pixels of one image and group, and a part of the panels. The input
under the block is copied once into a padded band, so that padding, memory layout and channel
groups are known to `fill_band` alone. In the band every window is an address plus the same
offsets, and the product gathers it without an im2col.
"""
from cython.parallel cimport parallel, prange

from .band cimport BLOCK, COUNT, SHIFT, fill_band
from .cpu cimport kernels, microkernels
from .geometry cimport input_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport multiply_panels, n_lanes
from .types cimport intp_t, real


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] panels,          # (groups, panels of a group), see panels.pyx
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[:, ::1] axes,          # (3, 4): see above
    const intp_t[:, ::1] taps,          # (3, 2): band pixels between taps, number of taps
    int padding_mode,
    int activation,
    intp_t group_size,                  # input channels of a group
    intp_t pitch,                       # values between neighbouring pixels of a band
    intp_t n_parts,                     # into which the panels of a group are cut
    intp_t[::1] offsets,                # (taps * group_size,), room for those inside a band
    real[:, ::1] bands,                 # (n_threads, values of a band)
    intp_t[:, ::1] addresses,           # (n_threads, 2 * pixels of a block)
    real[:, ::1] spare,                 # (n_threads, max_rows * 2 * lanes)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t groups = panels.shape[0]
        intp_t group_out = out.shape[4] // groups
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_panels = (group_out + 2 * lanes - 1) // (2 * lanes)
        intp_t n_z = blocks(out.shape[1], axes[0, BLOCK])
        intp_t n_y = blocks(out.shape[2], axes[1, BLOCK])
        intp_t n_x = blocks(out.shape[3], axes[2, BLOCK])
        intp_t n_tasks = out.shape[0] * n_z * n_y * n_x * groups * n_parts
        intp_t half = addresses.shape[1] // 2
        intp_t task, rest, part, group, image, z, y, x, n, lacking
        intp_t thread = 0
        uint64_t mode = 0

    fill_offsets(axes, taps, group_size, pitch, offsets)
    with nogil, parallel(num_threads=<int> addresses.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(n_tasks, schedule="dynamic"):
            part = task % n_parts
            group = task // n_parts % groups
            rest = task // (n_parts * groups)
            x = rest % n_x * axes[2, BLOCK]
            y = rest // n_x % n_y * axes[1, BLOCK]
            z = rest // (n_x * n_y) % n_z * axes[0, BLOCK]
            image = rest // (n_x * n_y * n_z)
            lacking = max(0, y + axes[1, BLOCK] - out.shape[2])
            fill_band(images, image, input_of(geometry, 0, z), input_of(geometry, 1, y),
                      input_of(geometry, 2, x), axes, axes[1, COUNT] - lacking * axes[1, SHIFT],
                      padding_mode, group * group_size, group_size, pitch, &bands[thread, 0])
            n = gather(out, axes, image, z, y, x, group * group_out, pitch, &bands[thread, 0],
                       <const real**> &addresses[thread, 0], <real**> &addresses[thread, half])
            multiply_panels(
                mk, n, <const real**> &addresses[thread, 0], offsets.shape[0], &offsets[0],
                &panels[group, 0], group_out, part * n_panels // n_parts,
                (part + 1) * n_panels // n_parts, activation,
                <real**> &addresses[thread, half], &spare[thread, 0],
            )
        restore_denormals(mode)


cdef inline void fill_offsets(
    const intp_t[:, ::1] axes, const intp_t[:, ::1] taps, intp_t group_size, intp_t pitch,
    intp_t[::1] offsets,
) noexcept nogil:
    """Write where the operands of a window lie in the band, in the order of the kernel."""
    cdef intp_t n = 0, i, j, k, c, pixel

    for i in range(taps[0, 1]):
        for j in range(taps[1, 1]):
            for k in range(taps[2, 1]):
                pixel = k * taps[2, 0] + axes[2, COUNT] * (
                    j * taps[1, 0] + axes[1, COUNT] * i * taps[0, 0])
                for c in range(group_size):
                    offsets[n] = pixel * pitch + c
                    n += 1


cdef inline intp_t blocks(intp_t size, intp_t block) noexcept nogil:
    return (size + block - 1) // block


cdef inline intp_t gather(
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] axes, intp_t image, intp_t z, intp_t y,
    intp_t x, intp_t channel, intp_t pitch, const real* band, const real** rows, real** out_rows,
) noexcept nogil:
    """Write the addresses of the windows and of their outputs; return how many there are."""
    cdef:
        intp_t depth = min(axes[0, BLOCK], out.shape[1] - z)
        intp_t height = min(axes[1, BLOCK], out.shape[2] - y)
        intp_t width = min(axes[2, BLOCK], out.shape[3] - x)
        intp_t line = axes[2, COUNT] * pitch
        intp_t step = axes[2, SHIFT] * pitch
        intp_t n = 0
        intp_t i, j, k
        const real* window
        real* out_pixel

    for i in range(depth):
        for j in range(height):
            window = band + (j * axes[1, SHIFT] + i * axes[0, SHIFT] * axes[1, COUNT]) * line
            out_pixel = &out[image, z + i, y + j, x, channel]
            for k in range(width):
                rows[n + k] = window + k * step
                out_rows[n + k] = out_pixel + k * out.shape[4]
            n += width
    return n
