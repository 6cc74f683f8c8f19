"""Windows as rows of values, and the way back: im2col and its adjoint.

im2col copies; a task is a run of windows. col2im adds; a task is a run of pixels, which gathers
the values of all windows that hold them in an order of its own, so that no two tasks write to one
pixel and no sum depends on the threads. Which pixel a window reads is known to border.pxd alone.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memset

from .border cimport CONSTANT, border_index, fill_row
from .omp cimport flush_denormals, restore_denormals, uint64_t
from .types cimport intp_t, real

# Columns of `geometry`.
cdef enum:
    STRIDE = 0
    DILATION = 1
    PAD = 2
    TAPS = 3


def im2col(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, channels)
    real[:, :, :, :, ::1] columns,      # (n_images, windows by axis ..., taps * channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, taps
    int padding_mode,
    intp_t block,                       # windows of a task
    int n_threads,
):
    """Write the windows of `images` to `columns`. Arguments are trusted."""
    cdef:
        intp_t n_x = (columns.shape[3] + block - 1) // block
        intp_t n_tasks = columns.shape[0] * columns.shape[1] * columns.shape[2] * n_x
        intp_t task, row, x, y, z

    for task in prange(n_tasks, nogil=True, num_threads=n_threads, schedule="dynamic"):
        row = task // n_x
        x = task % n_x * block
        y = row % columns.shape[2]
        z = row // columns.shape[2] % columns.shape[1]
        copy_windows(images, columns, geometry, padding_mode,
                     row // (columns.shape[1] * columns.shape[2]), z, y, x,
                     min(x + block, columns.shape[3]))


def col2im(
    const real[:, :, :, :, :] columns,  # (n_images, windows by axis ..., taps * channels)
    real[:, :, :, :, ::1] images,       # (n_images, depth, height, width, channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, taps
    int padding_mode,
    intp_t block,                       # pixels of a task
    int n_threads,
):
    """Write to every pixel the sum of its values in `columns`. Arguments are trusted."""
    cdef:
        intp_t n_x = (images.shape[3] + block - 1) // block
        intp_t n_tasks = images.shape[0] * images.shape[1] * images.shape[2] * n_x
        intp_t task, row, x, y, z
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            row = task // n_x
            x = task % n_x * block
            y = row % images.shape[2]
            z = row // images.shape[2] % images.shape[1]
            add_windows(columns, images, geometry, padding_mode,
                        row // (images.shape[1] * images.shape[2]), z, y, x,
                        min(x + block, images.shape[3]))
        restore_denormals(mode)


cdef inline void copy_windows(
    const real[:, :, :, :, :] images, real[:, :, :, :, ::1] columns, const intp_t[:, ::1] geometry,
    int mode, intp_t image, intp_t z, intp_t y, intp_t first, intp_t last,
) noexcept nogil:
    """Copy windows `first` to `last` of a row, one line of taps after the other."""
    cdef:
        intp_t channels = images.shape[4]
        intp_t length = geometry[2, TAPS] * channels
        real* target = &columns[image, z, y, first, 0]
        real* line
        intp_t i, j, x, source_z, source_y

    for i in range(geometry[0, TAPS]):
        source_z = border_index(origin(geometry, 0, i) + z * geometry[0, STRIDE],
                                images.shape[1], mode)
        for j in range(geometry[1, TAPS]):
            source_y = border_index(origin(geometry, 1, j) + y * geometry[1, STRIDE],
                                    images.shape[2], mode)
            line = target
            for x in range(first, last):
                if source_z < 0 or source_y < 0:
                    memset(line, 0, length * sizeof(real))
                else:
                    fill_row(&images[image, source_z, source_y, 0, 0], images.strides[3],
                             images.strides[4], images.shape[3],
                             origin(geometry, 2, 0) + x * geometry[2, STRIDE],
                             geometry[2, DILATION], geometry[2, TAPS], mode, channels, channels,
                             line)
                line += columns.shape[4]
            target += length


cdef inline void add_windows(
    const real[:, :, :, :, :] columns, real[:, :, :, :, ::1] images, const intp_t[:, ::1] geometry,
    int mode, intp_t image, intp_t z, intp_t y, intp_t first, intp_t last,
) noexcept nogil:
    """Sum pixels `first` to `last` of a row over the taps, and for a tap over the windows."""
    cdef:
        intp_t channels = images.shape[4]
        real* totals = &images[image, z, y, first, 0]
        intp_t i, j, k, out_z, out_y, tap

    memset(totals, 0, (last - first) * channels * sizeof(real))
    for i in range(geometry[0, TAPS]):
        out_z = next_reader(geometry, 0, i, z, 0, columns.shape[1], images.shape[1], mode)
        while out_z >= 0:
            for j in range(geometry[1, TAPS]):
                out_y = next_reader(geometry, 1, j, y, 0, columns.shape[2], images.shape[2], mode)
                while out_y >= 0:
                    for k in range(geometry[2, TAPS]):
                        tap = (i * geometry[1, TAPS] + j) * geometry[2, TAPS] + k
                        add_tap(<const char*> &columns[image, out_z, out_y, 0, tap * channels],
                                columns.strides[3], columns.strides[4], columns.shape[3],
                                origin(geometry, 2, k), geometry[2, STRIDE], images.shape[3], mode,
                                first, last, channels, totals)
                    out_y = next_reader(geometry, 1, j, y, out_y + 1, columns.shape[2],
                                        images.shape[2], mode)
            out_z = next_reader(geometry, 0, i, z, out_z + 1, columns.shape[1], images.shape[1],
                                mode)


cdef inline intp_t origin(const intp_t[:, ::1] geometry, intp_t axis, intp_t tap) noexcept nogil:
    """Return the coordinate that a tap of the first window reads."""
    return tap * geometry[axis, DILATION] - geometry[axis, PAD]


cdef inline intp_t next_reader(
    const intp_t[:, ::1] geometry, intp_t axis, intp_t tap, intp_t pixel, intp_t window,
    intp_t n_windows, intp_t size, int mode,
) noexcept nogil:
    """Return the first window from `window` on whose tap reads `pixel`, -1 if there is none."""
    cdef:
        intp_t stride = geometry[axis, STRIDE]
        intp_t x

    while window < n_windows:
        x = origin(geometry, axis, tap) + window * stride
        if 0 <= x < size:  # inside the image there is no need to try one after the other
            if x <= pixel and (pixel - x) % stride == 0:
                window += (pixel - x) // stride
                return window if window < n_windows else -1
            window += (size - x + stride - 1) // stride
        elif mode != CONSTANT:
            if border_index(x, size, mode) == pixel:
                return window
            window += 1
        elif x < 0:
            window += (stride - 1 - x) // stride
        else:
            return -1
    return -1


cdef inline void add_tap(
    const char* values, intp_t window_stride, intp_t channel_stride, intp_t n_windows,
    intp_t start, intp_t stride, intp_t width, int mode,
    intp_t first, intp_t last, intp_t channels, real* totals,
) noexcept nogil:
    """Add the values of one tap of a row of windows to pixels `first` to `last`.

    Windows are visited in order; those that cannot read these pixels are left out. Strides of
    `values` are in bytes.
    """
    cdef:
        intp_t[6] ends
        intp_t i, window, x, c
        real* total
        const char* value

    ends[0] = 0
    ends[1] = windows_before(0, start, stride, n_windows) if mode != CONSTANT else 0
    ends[2] = windows_before(first, start, stride, n_windows)
    ends[3] = windows_before(last, start, stride, n_windows)
    ends[4] = windows_before(width, start, stride, n_windows) if mode != CONSTANT else n_windows
    ends[5] = n_windows
    for i in range(0, 6, 2):
        for window in range(ends[i], ends[i + 1]):
            x = border_index(start + window * stride, width, mode)
            if x < first or x >= last:
                continue
            total = totals + (x - first) * channels
            value = values + window * window_stride
            if channel_stride == sizeof(real):
                for c in range(channels):
                    total[c] += (<const real*> value)[c]
            else:
                for c in range(channels):
                    total[c] += (<const real*> (value + c * channel_stride))[0]


cdef inline intp_t windows_before(
    intp_t x, intp_t start, intp_t stride, intp_t n_windows,
) noexcept nogil:
    """Return how many windows read a coordinate below `x`."""
    if x <= start:
        return 0
    return min(n_windows, (x - start + stride - 1) // stride)
