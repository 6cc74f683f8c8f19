"""Weighted sums of neighbours, axis by axis: up-sampling and its adjoint, every output once.

Each axis has a list of taps for each of its outputs: which inputs it sees, and their weights. A
task is a run of output rows. Rows of the image are first added to one line, which stays in the
first-level cache, and then its pixels to each output. Channels are added one by one and in one
order, so that no bit depends on vectors, threads or tiers.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memcpy

from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .types cimport intp_t, real

# Taps of one axis: those of the output i are starts[i] .. starts[i + 1] - 1.
cdef struct taps_t:
    const intp_t* starts
    const intp_t* indices


def resample(
    const real[:, :, :, ::1] images,    # (n_images, depth, height, width * channels)
    real[:, :, :, ::1] out,             # (n_images, out_depth, out_height, out_width * channels)
    const intp_t[::1] z_starts,
    const intp_t[::1] z_indices,
    const real[::1] z_weights,
    const intp_t[::1] y_starts,
    const intp_t[::1] y_indices,
    const real[::1] y_weights,
    const intp_t[::1] x_starts,
    const intp_t[::1] x_indices,
    const real[::1] x_weights,
    intp_t channels,
    intp_t n_rows,                      # of a task
    real[:, ::1] lines,                 # (n_threads, width * channels)
):
    """Write weighted sums of `images` to `out`. Arguments are trusted."""
    cdef:
        taps_t z, y, x
        intp_t total = out.shape[0] * out.shape[1] * out.shape[2]
        intp_t n_tasks = (total + n_rows - 1) // n_rows
        intp_t task
        uint64_t mode = 0

    z.starts = &z_starts[0]
    z.indices = &z_indices[0]
    y.starts = &y_starts[0]
    y.indices = &y_indices[0]
    x.starts = &x_starts[0]
    x.indices = &x_indices[0]
    with nogil, parallel(num_threads=<int> lines.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            write_rows(images, out, &z, &z_weights[0], &y, &y_weights[0], &x, &x_weights[0],
                       channels, task * n_rows, min(total, (task + 1) * n_rows),
                       &lines[thread_id(), 0])
        restore_denormals(mode)


cdef void write_rows(
    const real[:, :, :, ::1] images, real[:, :, :, ::1] out, const taps_t* z,
    const real* z_weights, const taps_t* y, const real* y_weights, const taps_t* x,
    const real* x_weights, intp_t channels, intp_t first, intp_t last, real* line,
) noexcept nogil:
    """Write the output rows from `first` to `last`, of all images counted."""
    cdef:
        intp_t number, row, plane, image, i, j
        intp_t length = images.shape[3]
        intp_t width = out.shape[3] // channels
        bint is_first
        const real* source
        const real* copied = NULL

    for number in range(first, last):
        row = number % out.shape[2]
        plane = number // out.shape[2] % out.shape[1]
        image = number // (out.shape[2] * out.shape[1])
        i = z.starts[plane]
        j = y.starts[row]
        source = &images[image, z.indices[i], y.indices[j], 0]
        if z.starts[plane + 1] == i + 1 and y.starts[row + 1] == j + 1 \
                and z_weights[i] == 1 and y_weights[j] == 1:
            if source == copied:  # the row before, once more
                memcpy(&out[image, plane, row, 0], &out[image, plane, row, 0] - out.shape[3],
                       out.shape[3] * sizeof(real))
            else:
                write_row(width, channels, source, x, x_weights, &out[image, plane, row, 0])
            copied = source
            continue
        copied = NULL
        is_first = True
        for i in range(z.starts[plane], z.starts[plane + 1]):
            for j in range(y.starts[row], y.starts[row + 1]):
                source = &images[image, z.indices[i], y.indices[j], 0]
                add(length, z_weights[i] * y_weights[j], source, is_first, line)
                is_first = False
        write_row(width, channels, line, x, x_weights, &out[image, plane, row, 0])


cdef inline void add(
    intp_t n, real weight, const real* values, bint is_first, real* total,
) noexcept nogil:
    """Add weighted values to a line, or begin it."""
    cdef intp_t i
    if is_first and weight == 1:
        memcpy(total, values, n * sizeof(real))
    elif is_first:
        for i in range(n):
            total[i] = weight * values[i]
    else:
        for i in range(n):
            total[i] += weight * values[i]


cdef inline void write_row(
    intp_t width, intp_t channels, const real* line, const taps_t* x, const real* weights,
    real* out,
) noexcept nogil:
    """Write a row of outputs, each from few pixels of the line."""
    cdef:
        intp_t column, k, n, i, c
        const real* a
        const real* b
        real u, v

    for column in range(width):
        k = x.starts[column]
        n = x.starts[column + 1] - k
        a = line + x.indices[k] * channels
        u = weights[k]
        if n == 1 and u == 1:
            if channels == 1:
                out[0] = a[0]
            else:
                memcpy(out, a, channels * sizeof(real))
        elif n == 1:
            for c in range(channels):
                out[c] = u * a[c]
        else:
            b = line + x.indices[k + 1] * channels
            v = weights[k + 1]
            for c in range(channels):
                out[c] = u * a[c] + v * b[c]
        for i in range(k + 2, k + n):
            a = line + x.indices[i] * channels
            u = weights[i]
            for c in range(channels):
                out[c] += u * a[c]
        out += channels
