"""Maxima with their places, and the way back.

A task of `max_pool` is a run of outputs of one row. Where pixels fill vectors, each window is
searched as it stands. Else each of its taps is one stream of candidates, at neighbouring outputs,
for all the outputs whose tap lies inside the image. Taps come in row-major order, so that of
equal maxima the first stays.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t

from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .stencil cimport argmax, argmax_windows, pick_pixels
from .types cimport intp_t, real
from .windows cimport (
    BLOCK, DILATION, SIZE, STRIDE, TAPS, block_of, block_t, start, taps_before,
)


def max_pool(
    const real[:, :, :, :, :] images,      # (n_images, depth, height, width, channels)
    real[:, :, :, :, ::1] out,             # (n_images, out_depth, out_height, out_width, channels)
    int64_t[:, :, :, :, ::1] indices,      # the same, flat over depth, height and width
    const intp_t[:, ::1] axes,             # (3, 11), see windows.pxd; blocks are one row high
    bint by_windows,                       # whether windows are searched as they stand
    bint in_place,                         # whether candidates of a stream are
    const int64_t[::1] columns,            # (values of a task,), pixels from its first output on
    real[:, ::1] lines,                    # (n_threads, values of a task)
    intp_t[:, ::1] addresses,              # (n_threads, rows of a window), by windows
    int64_t[:, ::1] places,                # (n_threads, rows and taps of a window), by windows
):
    """Write the maxima of `images` to `out` and their places to `indices`; both are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_y = out.shape[2]
        intp_t n_x = (out.shape[3] + axes[2, BLOCK] - 1) // axes[2, BLOCK]
        intp_t n_tasks = out.shape[0] * out.shape[1] * n_y * n_x
        intp_t thread = 0
        intp_t task
        block_t block
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> lines.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(n_tasks, schedule="dynamic"):
            block = block_of(task, n_y, n_x, axes, out.shape[1], n_y, out.shape[3],
                             images.shape[4])
            if by_windows:
                pool_windows(mk, &block, images, axes, <const real**> &addresses[thread, 0],
                             &places[thread, 0],
                             &out[block.image, block.z, block.y, block.x, 0],
                             &indices[block.image, block.z, block.y, block.x, 0])
            else:
                pool_streams(mk, &block, images, axes, in_place, &columns[0], &lines[thread, 0],
                             &out[block.image, block.z, block.y, block.x, 0],
                             &indices[block.image, block.z, block.y, block.x, 0])
        restore_denormals(mode)


cdef void pool_windows(
    const microkernels* mk, const block_t* block, const real[:, :, :, :, :] images,
    const intp_t[:, ::1] axes, const real** rows, int64_t* places, real* out, int64_t* indices,
) noexcept nogil:
    """Pool a run of outputs of one row, window by window."""
    cdef:
        intp_t channels = block.channels
        intp_t dilation = axes[2, DILATION]
        intp_t n_rows = 0
        intp_t x = 0
        intp_t i, j, y, z, begin, first, last, n
        int64_t* index = places + axes[0, TAPS] * axes[1, TAPS]

    for i in range(axes[0, TAPS]):
        z = start(axes, 0, block.z) + i * axes[0, DILATION]
        for j in range(axes[1, TAPS]):
            y = block.y0 + j * axes[1, DILATION]
            if 0 <= z < axes[0, SIZE] and 0 <= y < axes[1, SIZE]:
                rows[n_rows] = &images[block.image, z, y, 0, 0]
                places[n_rows] = (z * axes[1, SIZE] + y) * axes[2, SIZE]
                n_rows += 1
    while x < block.n_x:
        # Windows with the same taps in the image go together.
        begin = start(axes, 2, block.x + x)
        first = taps_before(-begin, dilation, axes[2, TAPS])
        last = taps_before(axes[2, SIZE] - begin, dilation, axes[2, TAPS])
        begin += first * dilation
        n = 1
        if last - first == axes[2, TAPS]:
            n += (axes[2, SIZE] - 1 - begin - (last - 1) * dilation) // axes[2, STRIDE]
            n = min(n, block.n_x - x)
        for i in range(n_rows):
            for j in range(last - first):
                index[i * (last - first) + j] = places[i] + begin + j * dilation
        argmax_windows(mk, n_rows, last - first, dilation * channels, n,
                       axes[2, STRIDE] * channels, channels, rows, begin * channels, index,
                       axes[2, STRIDE], out + x * channels, indices + x * channels)
        x += n


cdef void pool_streams(
    const microkernels* mk, const block_t* block, const real[:, :, :, :, :] images,
    const intp_t[:, ::1] axes, bint in_place, const int64_t* columns, real* line, real* out,
    int64_t* indices,
) noexcept nogil:
    """Pool a run of outputs of one row, tap by tap."""
    cdef:
        intp_t channels = block.channels
        intp_t x0 = start(axes, 2, block.x)
        intp_t i, j, k, y, z, first, last, n, offset
        const real* source

    for i in range(block.n_x * channels):
        indices[i] = -1
    for i in range(axes[0, TAPS]):
        z = start(axes, 0, block.z) + i * axes[0, DILATION]
        if not 0 <= z < axes[0, SIZE]:
            continue
        for j in range(axes[1, TAPS]):
            y = block.y0 + j * axes[1, DILATION]
            if not 0 <= y < axes[1, SIZE]:
                continue
            for k in range(axes[2, TAPS]):
                offset = x0 + k * axes[2, DILATION]
                first = outputs_before(-offset, axes[2, STRIDE], block.n_x)
                last = outputs_before(axes[2, SIZE] - offset, axes[2, STRIDE], block.n_x)
                n = (last - first) * channels
                if n <= 0:
                    continue
                source = &images[block.image, z, y, offset + first * axes[2, STRIDE], 0]
                if not in_place:
                    copy_pixels(mk, source, images.strides[3] * axes[2, STRIDE], images.strides[4],
                                last - first, channels, line)
                    source = line
                argmax(mk, n, source, columns + first * channels,
                       (z * axes[1, SIZE] + y) * axes[2, SIZE] + offset,
                       out + first * channels, indices + first * channels)


cdef inline intp_t outputs_before(intp_t pixel, intp_t stride, intp_t n) noexcept nogil:
    """Return how many of n outputs, `stride` pixels apart from 0 on, lie before `pixel`."""
    return 0 if pixel <= 0 else min((pixel - 1) // stride + 1, n)


cdef inline void copy_pixels(
    const microkernels* mk, const real* source, intp_t pixel_stride, intp_t channel_stride,
    intp_t n, intp_t channels, real* copy,
) noexcept nogil:
    """Copy pixels that lie `pixel_stride` bytes apart."""
    cdef:
        intp_t _, c
        const char* pixel = <const char*> source
    if channels == 1 or channel_stride == sizeof(real):
        pick_pixels(mk, n, pixel_stride // <intp_t> sizeof(real), channels, source, copy)
        return
    for _ in range(n):
        for c in range(channels):
            copy[c] = (<const real*> (pixel + c * channel_stride))[0]
        pixel += pixel_stride
        copy += channels


def max_unpool(
    const real[:, :, :] pooled,         # (n_images, values, channels)
    const int64_t[:, :, :] indices,     # (n_images, values, channels), all inside `out`
    real[:, :, ::1] out,                # (n_images, pixels, channels)
    intp_t n_parts,                     # into which the channels are cut
    int n_threads,
):
    """Write zeros to `out`, then each value to its place, the last of several to stay."""
    cdef:
        intp_t channels = out.shape[2]
        intp_t task, image, first, last, i, c

    for task in prange(
        out.shape[0] * n_parts, nogil=True, num_threads=n_threads, schedule="dynamic"
    ):
        image = task // n_parts
        first = task % n_parts * channels // n_parts
        last = (task % n_parts + 1) * channels // n_parts
        for i in range(out.shape[1]):
            for c in range(first, last):
                out[image, i, c] = 0
        for i in range(pooled.shape[1]):
            for c in range(first, last):
                out[image, indices[image, i, c], c] = pooled[image, i, c]
