"""Convolution as its definition says: one sum per output. Slow, and accepts everything.

Products are added in double precision, tap by tap, whatever the dtype of the images.
"""
from cython.parallel cimport parallel, prange

from .border cimport border_index
from .cpu cimport kernels, microkernels
from .geometry cimport DILATION, input_of
from .omp cimport flush_denormals, restore_denormals, uint64_t
from .product cimport activate
from .types cimport intp_t, real


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, :, :, :, :] kernel,   # (depth, height, width, in_channels of a group, out)
    const real[::1] bias,               # (out_channels,)
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    int padding_mode,
    intp_t groups,
    int activation,
    int n_threads,
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_rows = out.shape[0] * out.shape[1] * out.shape[2]
        intp_t row, column
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for row in prange(n_rows, schedule="dynamic"):
            for column in range(out.shape[3]):
                write_pixel(images, kernel, bias, out, geometry, padding_mode, groups, row, column)
            activate(mk, activation, out.shape[3] * out.shape[4],
                     &out[row // (out.shape[1] * out.shape[2]),
                          row // out.shape[2] % out.shape[1], row % out.shape[2], 0, 0])
        restore_denormals(mode)


cdef inline void write_pixel(
    const real[:, :, :, :, :] images, const real[:, :, :, :, :] kernel, const real[::1] bias,
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry, int padding_mode, intp_t groups,
    intp_t row, intp_t column,
) noexcept nogil:
    cdef:
        intp_t image = row // (out.shape[1] * out.shape[2])
        intp_t d = row // out.shape[2] % out.shape[1]
        intp_t h = row % out.shape[2]
        intp_t group_size = kernel.shape[3]
        intp_t group_out = out.shape[4] // groups
        intp_t o, i, j, k, c, y, x, z
        double total, pixel
        bint inside

    for o in range(out.shape[4]):
        total = bias[o]
        for i in range(kernel.shape[0]):
            z = source(d, i, images.shape[1], geometry, 0, padding_mode)
            for j in range(kernel.shape[1]):
                y = source(h, j, images.shape[2], geometry, 1, padding_mode)
                for k in range(kernel.shape[2]):
                    x = source(column, k, images.shape[3], geometry, 2, padding_mode)
                    inside = z >= 0 and y >= 0 and x >= 0
                    for c in range(group_size):
                        # A zero outside is multiplied too: an infinite weight makes it NaN.
                        pixel = 0
                        if inside:
                            pixel = images[image, z, y, x, o // group_out * group_size + c]
                        total += pixel * kernel[i, j, k, c, o]
        out[image, d, h, column, o] = <real> total


cdef inline intp_t source(
    intp_t position, intp_t tap, intp_t size, const intp_t[:, ::1] geometry, int axis, int mode,
) noexcept nogil:
    """Return the input coordinate under a tap, -1 for a zero outside."""
    return border_index(
        input_of(geometry, axis, position) + tap * geometry[axis, DILATION], size, mode,
    )
