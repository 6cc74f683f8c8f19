"""The gradient of a depthwise convolution for its kernel: a sum over pixels, lanes over channels.

Channels fill a vector and have one output each. The outputs of a row whose taps are all inside the
image are summed at once, and the few others tap by tap.

The rows of outputs are cut into parts by their number alone. Each part has sums of its own, which
are then added in the order of the parts, so that no bit depends on the threads.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memset

from .border cimport border_index
from .cpu cimport kernels, microkernels
from .geometry cimport DILATION, STRIDE, input_of
from .omp cimport flush_denormals, restore_denormals, uint64_t
from .types cimport float32_t, intp_t, real


def kernel_gradient(
    const real[:, :, :, :, ::1] images,   # (n_images, depth, height, width, channels)
    const real[:, :, :, :, ::1] grads,    # (n_images, *output size, channels)
    const intp_t[:, ::1] geometry,        # (3, 4): stride, dilation, pad before, first output
    const intp_t[::1] taps,               # (3,)
    int padding_mode,
    real[:, ::1] sums,                    # (n_parts, taps * channels)
    int n_threads,
):
    """Write the sums of each part, and their total to the first."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_parts = sums.shape[0]
        intp_t n_rows = grads.shape[0] * grads.shape[1] * grads.shape[2]
        intp_t part, i
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for part in prange(n_parts, schedule="dynamic"):
            add_rows(mk, images, grads, geometry, taps, padding_mode, part * n_rows // n_parts,
                     (part + 1) * n_rows // n_parts, &sums[part, 0])
        restore_denormals(mode)
    with nogil:
        for part in range(1, n_parts):
            for i in range(sums.shape[1]):
                sums[0, i] += sums[part, i]


cdef void add_rows(
    const microkernels* mk, const real[:, :, :, :, ::1] images, const real[:, :, :, :, ::1] grads,
    const intp_t[:, ::1] geometry, const intp_t[::1] taps, int padding_mode, intp_t first,
    intp_t last, real* sums,
) noexcept nogil:
    """Write the sums over the rows of outputs from `first` to `last`, of all images counted."""
    cdef:
        intp_t channels = grads.shape[4]
        intp_t number, row, plane, image, i, j, y, z

    memset(sums, 0, taps[0] * taps[1] * taps[2] * channels * sizeof(real))
    for number in range(first, last):
        row = number % grads.shape[2]
        plane = number // grads.shape[2] % grads.shape[1]
        image = number // (grads.shape[2] * grads.shape[1])
        for i in range(taps[0]):
            z = border_index(input_of(geometry, 0, plane) + i * geometry[0, DILATION],
                             images.shape[1], padding_mode)
            for j in range(taps[1]):
                y = border_index(input_of(geometry, 1, row) + j * geometry[1, DILATION],
                                 images.shape[2], padding_mode)
                if z < 0 or y < 0:
                    continue
                add_lanes(mk, &images[image, z, y, 0, 0], images.shape[3], channels,
                          &grads[image, plane, row, 0, 0], grads.shape[3], geometry, taps[2],
                          padding_mode, sums + (i * taps[1] + j) * taps[2] * channels)


cdef inline void add_lanes(
    const microkernels* mk, const real* pixels, intp_t width, intp_t channels, const real* grads,
    intp_t n_outputs, const intp_t[:, ::1] geometry, intp_t n_taps, int padding_mode, real* sums,
) noexcept nogil:
    """Add the products of a row of outputs and a row of pixels, lanes over channels."""
    cdef:
        intp_t stride = geometry[2, STRIDE]
        intp_t dilation = geometry[2, DILATION]
        intp_t begin = 0    # outputs whose taps are all inside the image
        intp_t end
        intp_t i, k, x

    while begin < n_outputs and input_of(geometry, 2, begin) < 0:
        begin += 1
    end = begin
    if input_of(geometry, 2, begin) + (n_taps - 1) * dilation < width:
        end += (width - 1 - (n_taps - 1) * dilation - input_of(geometry, 2, begin)) // stride + 1
    end = max(begin, min(end, n_outputs))
    if end > begin:
        lane_sums(mk, n_taps, end - begin, channels,
                  pixels + input_of(geometry, 2, begin) * channels, stride * channels,
                  dilation * channels, grads + begin * channels, channels, sums)
    i = 0
    while i < n_outputs:
        if i == begin and begin < end:
            i = end
            continue
        for k in range(n_taps):
            x = border_index(input_of(geometry, 2, i) + k * dilation, width, padding_mode)
            if x >= 0:
                lane_sums(mk, 1, 1, channels, pixels + x * channels, channels, channels,
                          grads + i * channels, channels, sums + k * channels)
        i += 1


cdef inline void lane_sums(
    const microkernels* mk, intp_t n_taps, intp_t n, intp_t channels, const real* x,
    intp_t x_step, intp_t tap_step, const real* y, intp_t y_step, real* sums,
) noexcept nogil:
    if real is float32_t:
        mk.lane_sums_f32(n_taps, n, channels, x, x_step, tap_step, y, y_step, sums, channels)
    else:
        mk.lane_sums_f64(n_taps, n, channels, x, x_step, tap_step, y, y_step, sums, channels)
