"""Convolution as a product whose rows are windows: the implicit im2col.

A task is a block of output pixels of one image and group, and a part of the panels. The input
under the block is copied once into a padded band, so that padding, memory layout and channel
groups are known to `fill_band` alone. In the band every window is an address plus the same
offsets, and the product gathers it without an im2col.
"""
from cython.parallel cimport parallel, prange

from .band cimport COUNT, SHIFT, block_of, block_t, count_blocks, fill_band
from .cpu cimport kernels, microkernels
from .geometry cimport input_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport can_stream, multiply_panels, n_lanes, stream_fence
from .scratch cimport aligned, cut
from .types cimport intp_t, real

# Columns of `axes`, after those of band.pxd.
cdef enum:
    REACH = 4    # band pixels between neighbouring taps
    TAPS = 5

cdef struct sizes_t:
    intp_t group      # input channels of a group
    intp_t pitch      # values between neighbouring pixels of a band
    intp_t depth      # values of a window
    intp_t block      # output pixels of a task
    intp_t band       # values
    intp_t n_parts    # into which the panels of a group are cut


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] panels,          # (groups, panels of a group), see panels.pyx, or ...
    const real[::1] bias,               # ... (1, weights as they are), if there is a bias
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[:, ::1] axes,          # (3, 6): see above
    int padding_mode,
    int activation,
    bint streams,                       # whether `out` is larger than the caches
    intp_t group_size,                  # these five: see sizes_t
    intp_t pitch,
    intp_t block,
    intp_t band_size,
    intp_t n_parts,
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t depth = axes[0, TAPS] * axes[1, TAPS] * axes[2, TAPS] * group_size
        sizes_t sizes = sizes_t(group_size, pitch, depth, block, band_size, n_parts)
        intp_t n_tasks = count_blocks[real](out, axes) * panels.shape[0] * n_parts
        intp_t task
        char* room
        uint64_t mode = 0

    streams = streams and can_stream(out, panels.shape[0], activation)
    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            room = aligned(&scratch[0, 0])
            fill_offsets(axes, sizes, <intp_t*> room)
            for task in range(n_tasks):
                convolve_block(mk, images, panels, bias, out, geometry, axes, padding_mode,
                               activation, streams, sizes, task, room)
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        room = aligned(&scratch[thread_id(), 0])
        fill_offsets(axes, sizes, <intp_t*> room)
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_block(mk, images, panels, bias, out, geometry, axes, padding_mode, activation,
                           streams, sizes, task, room)
        restore_denormals(mode)


def table(const intp_t[:, ::1] values):
    """Return an array as a view that `conv` takes without asking for its buffer again."""
    return values


cdef void convolve_block(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] panels,
    const real[::1] bias, real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry,
    const intp_t[:, ::1] axes, int padding_mode, int activation, bint streams, sizes_t sizes,
    intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        intp_t groups = panels.shape[0]
        intp_t group_out = out.shape[4] // groups
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_panels = (group_out + 2 * lanes - 1) // (2 * lanes)
        intp_t part = task % sizes.n_parts
        intp_t group = task // sizes.n_parts % groups
        block_t block = block_of[real](task // (sizes.n_parts * groups), out, axes)
        intp_t n_pixels
        intp_t* offsets = <intp_t*> cut(&room, sizes.depth * sizeof(intp_t))
        const real** rows = <const real**> cut(&room, sizes.block * sizeof(intp_t))
        real** out_rows = <real**> cut(&room, sizes.block * sizeof(intp_t))
        real* band = <real*> cut(&room, sizes.band * sizeof(real))
        real* spare = <real*> room

    fill_band(images, block.image, input_of(geometry, 0, block.begin[0]),
              input_of(geometry, 1, block.begin[1]), input_of(geometry, 2, block.begin[2]), axes,
              block.count[1], padding_mode, group * sizes.group, sizes.group, sizes.pitch, band)
    n_pixels = gather(out, axes, &block, group * group_out, sizes.pitch, band, rows, out_rows)
    multiply_panels(
        mk, n_pixels, rows, sizes.depth, offsets, &panels[group, 0],
        &bias[0] if bias.shape[0] else NULL, out.shape[4], group_out,
        part * n_panels // sizes.n_parts, (part + 1) * n_panels // sizes.n_parts, activation,
        streams, out_rows, spare,
    )
    if streams:
        stream_fence()


cdef inline void fill_offsets(
    const intp_t[:, ::1] axes, sizes_t sizes, intp_t* offsets,
) noexcept nogil:
    """Write where the operands of a window lie in the band, in the order of the kernel."""
    cdef intp_t n = 0, i, j, k, c, pixel

    for i in range(axes[0, TAPS]):
        for j in range(axes[1, TAPS]):
            for k in range(axes[2, TAPS]):
                pixel = k * axes[2, REACH] + axes[2, COUNT] * (
                    j * axes[1, REACH] + axes[1, COUNT] * i * axes[0, REACH])
                for c in range(sizes.group):
                    offsets[n] = pixel * sizes.pitch + c
                    n += 1


cdef inline intp_t gather(
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] axes, const block_t* block, intp_t channel,
    intp_t pitch, const real* band, const real** rows, real** out_rows,
) noexcept nogil:
    """Write the addresses of the windows and of their outputs; return how many there are."""
    cdef:
        intp_t line = axes[2, COUNT] * pitch
        intp_t step = axes[2, SHIFT] * pitch
        intp_t n = 0
        intp_t i, j, k
        const real* window
        real* out_pixel

    for i in range(block.size[0]):
        for j in range(block.size[1]):
            window = band + (j * axes[1, SHIFT] + i * axes[0, SHIFT] * axes[1, COUNT]) * line
            out_pixel = &out[block.image, block.begin[0] + i, block.begin[1] + j, block.begin[2],
                             channel]
            for k in range(block.size[2]):
                rows[n + k] = window + k * step
                out_rows[n + k] = out_pixel + k * out.shape[4]
            n += block.size[2]
    return n
