"""Gradients of pooling: values go back to the pixels of their windows.

What places tell is scattered, serially inside one image and a block of channels. Sums over
windows are gathered: a task is some rows of pixels. The rows of outputs that see a row are added
up in a line, and each tap of a window adds the line to the pixels it reads. Every pixel is a sum
in an order that only shapes fix.
"""
from cython.parallel cimport parallel, prange
from libc.math cimport fabs, pow
from libc.stdint cimport int64_t
from libc.string cimport memset

from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .types cimport float64_t, intp_t, real
from .windows cimport DILATION, PAD, SIZE, STRIDE, TAPS, counted


def max_pool(
    const real[:, :, :] grads,          # (n_images, values, channels)
    const int64_t[:, :, :] indices,     # (n_images, values, channels), all inside `out`
    real[:, :, ::1] out,                # (n_images, pixels, channels)
    intp_t n_parts,                     # into which the channels are cut
    int n_threads,
):
    """Write zeros to `out`, then add each value at its place. Arguments are trusted."""
    cdef:
        intp_t channels = out.shape[2]
        intp_t task, image, first, last, i, c
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for task in prange(out.shape[0] * n_parts, schedule="dynamic"):
            image = task // n_parts
            first = task % n_parts * channels // n_parts
            last = (task % n_parts + 1) * channels // n_parts
            for i in range(out.shape[1]):
                for c in range(first, last):
                    out[image, i, c] = 0
            for i in range(grads.shape[1]):
                for c in range(first, last):
                    out[image, indices[image, i, c], c] += grads[image, i, c]
        restore_denormals(mode)


def unpool(
    const real[:, :, :] grads,          # (n_images, pixels, channels)
    const int64_t[:, :, :] indices,     # (n_images, values, channels), all inside `grads`
    real[:, :, ::1] out,                # (n_images, values, channels)
    intp_t width,                       # channels of a task
    unsigned char[:, ::1] taken,        # (n_threads, pixels * width)
):
    """Read each value from its place; of several for one pixel only the last stood there."""
    cdef:
        intp_t n_parts = (out.shape[2] + width - 1) // width
        intp_t thread = 0
        intp_t task

    with nogil, parallel(num_threads=<int> taken.shape[0]):
        thread = thread_id()
        for task in prange(out.shape[0] * n_parts, schedule="dynamic"):
            read_places(grads, indices, out, task // n_parts, task % n_parts * width,
                        min(width, out.shape[2] - task % n_parts * width), &taken[thread, 0])


cdef inline void read_places(
    const real[:, :, :] grads, const int64_t[:, :, :] indices, real[:, :, ::1] out, intp_t image,
    intp_t first, intp_t n, unsigned char* taken,
) noexcept nogil:
    """Read the values of n channels, the last ones first."""
    cdef:
        intp_t i, c
        unsigned char* place
    memset(taken, 0, grads.shape[1] * n)
    for i in range(out.shape[1] - 1, -1, -1):
        for c in range(n):
            place = taken + indices[image, i, first + c] * n + c
            out[image, i, first + c] = 0 if place[0] \
                else grads[image, indices[image, i, first + c], first + c]
            place[0] = 1


def windows(
    const real[:, :, :, :, ::1] grads,  # (n_images, out_depth, out_height, out_width, channels)
    real[:, :, :, :, ::1] out,          # (n_images, depth, height, width, channels)
    const intp_t[:, ::1] axes,          # (3, 11), see windows.pxd
    bint divides,                       # whether by the pixels of a window, as means are
    real[:, ::1] lines,                 # (n_threads, out_width * channels)
):
    """Write to each pixel the sum over the windows that hold it. Arguments are trusted."""
    cdef:
        intp_t n_rows = out.shape[0] * out.shape[1] * out.shape[2]
        intp_t row
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> lines.shape[0]):
        mode = flush_denormals()
        for row in prange(n_rows, schedule="dynamic"):
            gather_row(grads, out, axes, divides, row // out.shape[2] // out.shape[1],
                       row // out.shape[2] % out.shape[1], row % out.shape[2],
                       &lines[thread_id(), 0])
        restore_denormals(mode)


cdef void gather_row(
    const real[:, :, :, :, ::1] grads, real[:, :, :, :, ::1] out, const intp_t[:, ::1] axes,
    bint divides, intp_t image, intp_t z, intp_t y, real* line,
) noexcept nogil:
    """Write a row of pixels."""
    cdef:
        intp_t n = grads.shape[3] * grads.shape[4]
        intp_t i, j, k, out_z, out_y
        bint is_seen = False
        const real* source
        real weight

    memset(&out[image, z, y, 0, 0], 0, out.shape[3] * out.shape[4] * sizeof(real))
    for i in range(axes[0, TAPS]):
        out_z = reader(axes, 0, i, z, grads.shape[1])
        if out_z < 0:
            continue
        for j in range(axes[1, TAPS]):
            out_y = reader(axes, 1, j, y, grads.shape[2])
            if out_y < 0:
                continue
            weight = 1
            if divides:
                weight = weight / (counted(axes, 0, out_z) * counted(axes, 1, out_y))
            source = &grads[image, out_z, out_y, 0, 0]
            if is_seen:
                for k in range(n):
                    line[k] += source[k] * weight
            else:
                for k in range(n):
                    line[k] = source[k] * weight
            is_seen = True
    if is_seen:
        if divides:
            divide_line(axes, grads.shape[3], grads.shape[4], line)
        for i in range(axes[2, TAPS]):
            spread_line(axes, i, grads.shape[3], grads.shape[4], line, &out[image, z, y, 0, 0])


cdef inline intp_t reader(
    const intp_t[:, ::1] axes, int axis, intp_t tap, intp_t pixel, intp_t n,
) noexcept nogil:
    """Return which of n outputs reads a pixel with a tap, -1 if none does."""
    cdef intp_t distance = pixel + axes[axis, PAD] - tap * axes[axis, DILATION]
    if distance < 0 or distance % axes[axis, STRIDE] or distance // axes[axis, STRIDE] >= n:
        return -1
    return distance // axes[axis, STRIDE]


cdef inline void divide_line(
    const intp_t[:, ::1] axes, intp_t width, intp_t channels, real* line,
) noexcept nogil:
    """Divide each output of a line by the pixels that its window counts along the row."""
    cdef:
        intp_t x, c
        real weight
    for x in range(width):
        weight = 1
        weight = weight / counted(axes, 2, x)
        for c in range(channels):
            line[x * channels + c] *= weight


cdef inline void spread_line(
    const intp_t[:, ::1] axes, intp_t tap, intp_t width, intp_t channels, const real* line,
    real* row,
) noexcept nogil:
    """Add the outputs of a line to the pixels that one tap of theirs reads."""
    cdef:
        intp_t stride = axes[2, STRIDE]
        intp_t pixel = tap * axes[2, DILATION] - axes[2, PAD]
        intp_t first = 0 if pixel >= 0 else (stride - 1 - pixel) // stride
        intp_t left = axes[2, SIZE] - pixel
        intp_t last = 0 if left <= 0 else min(width, (left - 1) // stride + 1)
        intp_t x, c

    if first >= last:
        return
    line += first * channels
    row += (pixel + first * stride) * channels
    if stride == 1:
        for x in range((last - first) * channels):
            row[x] += line[x]
        return
    for x in range(last - first):
        for c in range(channels):
            row[x * stride * channels + c] += line[x * channels + c]


def norm_slopes(
    real[::1] grads,            # by the norms; overwritten
    const real[::1] norms,
    double p,
    int n_threads,
):
    """Write what the windows hand to their pixels: grads * norms ** (1 - p), zero where these are.

    Arguments are trusted.
    """
    cdef intp_t i
    cdef uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for i in prange(grads.shape[0], schedule="static"):
            if norms[i] == 0:
                grads[i] = 0
            elif p == 2:
                grads[i] = grads[i] / norms[i]
            elif p != 1:
                grads[i] = <real> (grads[i] * pow(norms[i], 1 - p))
        restore_denormals(mode)


def norm_values(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, channels)
    real[:, :, :, :, ::1] out,          # of the same shape
    double p,
    int n_threads,
):
    """Multiply `out` with the slopes of abs(x) ** p / p, zero where x is. Arguments are trusted."""
    cdef:
        intp_t n_rows = out.shape[0] * out.shape[1] * out.shape[2]
        intp_t row
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for row in prange(n_rows, schedule="static"):
            multiply_row(images, out, p, row // out.shape[2] // out.shape[1],
                         row // out.shape[2] % out.shape[1], row % out.shape[2])
        restore_denormals(mode)


cdef inline void multiply_row(
    const real[:, :, :, :, :] images, real[:, :, :, :, ::1] out, double p, intp_t image, intp_t z,
    intp_t y,
) noexcept nogil:
    cdef:
        intp_t i, c
        real x
        real* target
    for i in range(out.shape[3]):
        target = &out[image, z, y, i, 0]
        for c in range(out.shape[4]):
            x = images[image, z, y, i, c]
            if x == 0:
                target[c] = 0
            elif p == 2:
                target[c] *= x
            elif p == 1:
                target[c] = -target[c] if x < 0 else target[c]
            else:
                target[c] *= <real> (pow(fabs(x), p - 1) * (-1 if x < 0 else 1))


def centered(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, channels)
    const float64_t[:, ::1] centers,    # (n_images, channels)
    const float64_t[:, ::1] slopes,     # (n_images, channels)
    real[:, :, :, :, ::1] out,          # of the shape of the images
    int n_threads,
):
    """Write slopes * (images - centers) to `out`. Arguments are trusted."""
    cdef:
        intp_t n_rows = out.shape[0] * out.shape[1] * out.shape[2]
        intp_t row, image, z, y, x, c
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for row in prange(n_rows, schedule="static"):
            image = row // out.shape[2] // out.shape[1]
            z = row // out.shape[2] % out.shape[1]
            y = row % out.shape[2]
            for x in range(out.shape[3]):
                for c in range(out.shape[4]):
                    out[image, z, y, x, c] = <real> (
                        slopes[image, c] * (images[image, z, y, x, c] - centers[image, c]))
        restore_denormals(mode)
