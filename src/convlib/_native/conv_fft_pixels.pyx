"""Convolution by Fourier transforms of tiles, lanes over pixels: for images of few channels.

As conv_fft, but one task does all. A tile has two halves, which are the real and the imaginary
part of what is transformed: all channels of a group are, then multiplied with the spectra of the
weights, and transformed back. Of kernels that are one pixel high the tiles are lines; a vector of
them takes the place of a tile.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memcpy, memset

from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport n_lanes
from .tile cimport SPACING, count_tiles, fill_tile, half_of, span_of, span_t
from .types cimport float32_t, intp_t, real

cdef struct shape_t:
    intp_t height, length          # of what is transformed
    bint is_line                   # its rows are tiles of their own
    intp_t n_values                # complex, of a spectrum; half a tile has as many real ones
    intp_t lanes
    intp_t group_size, group_out
    intp_t n_down, n_across, n_tiles    # of an image, and of all
    intp_t step                    # values between the spectra of channels


cdef inline shape_t shape_of(
    intp_t height, intp_t length, bint is_line, intp_t lanes, intp_t group_size, intp_t group_out,
) noexcept nogil:
    cdef shape_t shape
    shape.height = height
    shape.length = length
    shape.is_line = is_line
    shape.n_values = height * length
    shape.lanes = lanes
    shape.group_size = group_size
    shape.group_out = group_out
    shape.n_down = shape.n_across = shape.n_tiles = 0
    shape.step = 2 * (shape.n_values + lanes)
    return shape


def room(intp_t height, intp_t length, intp_t group_size, intp_t group_out, intp_t lanes):
    """Return the values of scratch of one thread, for tiles, transforms and spectra."""
    cdef intp_t n_values = height * length
    return (4 * n_values * max(group_size, group_out) + 6 * max(height, length) * lanes
            + 2 * (n_values + lanes) * (group_size + group_out))


def prepare(
    const real[:, :, :, ::1] kernel,   # (height, width, in_channels of a group, out_channels)
    real[:, ::1] spectra,              # (groups, values): vectors of frequencies, out, in channels
    intp_t height,
    intp_t length,
    bint is_line,
    const real[::1] down,              # twiddles of height
    const real[::1] across,            # twiddles of length
    real[:, ::1] rooms,                # (n_threads, room)
):
    """Write the spectra of `kernel`, in a scale that makes the inverse exact."""
    cdef:
        const microkernels* mk = kernels()
        intp_t groups = spectra.shape[0]
        intp_t task
        intp_t thread = 0
        uint64_t mode = 0
        shape_t shape = shape_of(height, length, is_line, n_lanes[real](mk, NULL),
                                 kernel.shape[2], kernel.shape[3] // groups)

    with nogil, parallel(num_threads=<int> rooms.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(shape.group_size * kernel.shape[3], schedule="dynamic"):
            prepare_channel(mk, &shape, kernel, spectra, down, across, task // kernel.shape[3],
                            task % kernel.shape[3], &rooms[thread, 0])
        restore_denormals(mode)


cdef inline void prepare_channel(
    const microkernels* mk, const shape_t* shape, const real[:, :, :, ::1] kernel,
    real[:, ::1] spectra, const real[::1] down, const real[::1] across, intp_t channel,
    intp_t output, real* room,
) noexcept nogil:
    """Write the spectrum of the weights between two channels."""
    cdef:
        intp_t width = 2 * shape.lanes
        intp_t group = output // shape.group_out
        intp_t y, x, f, row
        real scale = <real> (1.0 / (shape.length if shape.is_line else shape.n_values))
        real* tile = room
        real* zeros = tile + shape.n_values
        real* spectrum = zeros + shape.n_values
        real* out

    memset(tile, 0, 2 * shape.n_values * sizeof(real))
    for y in range(shape.height if shape.is_line else kernel.shape[0]):
        row = 0 if shape.is_line else y
        for x in range(kernel.shape[1]):
            tile[y * shape.length + x] = kernel[row, x, channel, output] * scale
    transform(mk, shape, 1, tile, zeros, shape.length, &down[0], &across[0],
              spectrum + 2 * shape.n_values, spectrum)
    out = &spectra[group, (output % shape.group_out * shape.group_size + channel) * width]
    for f in range(shape.n_values // shape.lanes):
        memcpy(out, spectrum + f * width, width * sizeof(real))
        out += shape.group_size * shape.group_out * width


def conv(
    const real[:, :, :, :, :] images,  # (n_images, depth, height, width, in_channels)
    const real[:, ::1] spectra,        # see prepare
    intp_t group_size,                 # input channels of a group
    const real[:, ::1] bias,           # (groups, a row of outputs)
    real[:, :, :, :, ::1] out,         # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] tiling,       # (2, 7), see tile.pxd
    intp_t height,                     # of what is transformed
    intp_t length,
    bint is_line,
    int padding_mode,
    int activation,
    const real[::1] down,              # twiddles of height
    const real[::1] across,            # twiddles of length
    real[:, ::1] rooms,                # (n_threads, room)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t groups = spectra.shape[0]
        intp_t tiles_each, n_tasks, task
        intp_t thread = 0
        uint64_t mode = 0
        shape_t shape = shape_of(height, length, is_line, n_lanes[real](mk, NULL), group_size,
                                 out.shape[4] // groups)

    shape.n_down = count_tiles(tiling, 0)
    shape.n_across = count_tiles(tiling, 1)
    shape.n_tiles = out.shape[0] * out.shape[1] * shape.n_down * shape.n_across
    tiles_each = height if is_line else 1
    n_tasks = (shape.n_tiles + tiles_each - 1) // tiles_each * groups
    with nogil, parallel(num_threads=<int> rooms.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(n_tasks, schedule="dynamic"):
            convolve(mk, &shape, images, spectra, bias, out, tiling, padding_mode, activation,
                     down, across, task // groups * tiles_each, tiles_each, task % groups,
                     &rooms[thread, 0])
        restore_denormals(mode)


cdef inline void convolve(
    const microkernels* mk, const shape_t* shape, const real[:, :, :, :, :] images,
    const real[:, ::1] spectra, const real[:, ::1] bias, real[:, :, :, :, ::1] out,
    const intp_t[:, ::1] tiling, int padding_mode, int activation, const real[::1] down,
    const real[::1] across, intp_t first, intp_t count, intp_t group, real* room,
) noexcept nogil:
    """Compute one group of outputs of `count` tiles."""
    cdef:
        intp_t most = max(shape.group_size, shape.group_out)
        intp_t half = shape.n_values * shape.group_size    # values of the real parts
        intp_t out_half = shape.n_values * shape.group_out
        real* turned = room + 2 * shape.n_values * most
        real* spectra_in = turned + 2 * shape.n_values * most \
            + 6 * max(shape.height, shape.length) * shape.lanes
        real* spectra_out = spectra_in + shape.group_size * shape.step
        intp_t i
        int part

    for i in range(count):
        for part in range(2):
            copy_in(shape, images, out, tiling, padding_mode, group, first + i, part,
                    room + part * half + i * (half // count))
    transform(mk, shape, shape.group_size, room, room + half, shape.length * shape.group_size,
              &down[0], &across[0], turned, spectra_in)
    if real is float32_t:
        mk.product_pixels_f32(
            shape.n_values // shape.lanes, shape.group_size, shape.group_out, spectra_in,
            shape.step, &spectra[group, 0], spectra_out, shape.step)
        mk.inverse_fft_pixels_f32(
            shape.height, shape.length, shape.group_out, shape.is_line, spectra_out, shape.step,
            &down[0], &across[0], turned, &bias[group, 0], activation, shape.height, room,
            room + out_half)
    else:
        mk.product_pixels_f64(
            shape.n_values // shape.lanes, shape.group_size, shape.group_out, spectra_in,
            shape.step, &spectra[group, 0], spectra_out, shape.step)
        mk.inverse_fft_pixels_f64(
            shape.height, shape.length, shape.group_out, shape.is_line, spectra_out, shape.step,
            &down[0], &across[0], turned, &bias[group, 0], activation, shape.height, room,
            room + out_half)
    for i in range(count):
        for part in range(2):
            copy_out(shape, out, tiling, group, first + i, part,
                     room + part * out_half + i * (out_half // count))


cdef inline void transform(
    const microkernels* mk, const shape_t* shape, intp_t channels, const real* first,
    const real* second, intp_t row_step, const real* down, const real* across, real* room,
    real* out,
) noexcept nogil:
    if real is float32_t:
        mk.fft_pixels_f32(shape.height, shape.length, channels, shape.is_line, first, second,
                          row_step, down, across, room, out, shape.step)
    else:
        mk.fft_pixels_f64(shape.height, shape.length, channels, shape.is_line, first, second,
                          row_step, down, across, room, out, shape.step)


cdef inline void copy_in(
    const shape_t* shape, const real[:, :, :, :, :] images, real[:, :, :, :, ::1] out,
    const intp_t[:, ::1] tiling, int padding_mode, intp_t group, intp_t number, int part,
    real* tile,
) noexcept nogil:
    """Copy the pixels under half a tile; what is not in the padded image is zero."""
    cdef:
        intp_t line = shape.length * shape.group_size
        intp_t n_rows = 1 if shape.is_line else shape.height
        intp_t plane = number // (shape.n_across * shape.n_down)
        span_t x, y

    if number < shape.n_tiles:
        x = half_of(tiling, 1, number % shape.n_across, part)
        y = span_of(tiling, 0, number // shape.n_across % shape.n_down)
        if x.n == 0:
            y.n = 0
        fill_tile(images, plane // out.shape[1], plane % out.shape[1], y, x, tiling[0, SPACING],
                  tiling[1, SPACING], padding_mode, group * shape.group_size, shape.group_size,
                  shape.length, shape.group_size, tile)
        tile += y.n * line
        n_rows -= y.n
    memset(tile, 0, n_rows * line * sizeof(real))


cdef inline void copy_out(
    const shape_t* shape, real[:, :, :, :, ::1] out, const intp_t[:, ::1] tiling, intp_t group,
    intp_t number, int part, const real* tile,
) noexcept nogil:
    """Store what `out` holds of half a tile."""
    cdef:
        intp_t plane = number // (shape.n_across * shape.n_down)
        intp_t channels = shape.group_out
        intp_t i, j
        span_t x, y
        const real* row
        real* target

    if number >= shape.n_tiles:
        return
    x = half_of(tiling, 1, number % shape.n_across, part)
    y = span_of(tiling, 0, number // shape.n_across % shape.n_down)
    if x.begin >= x.end:
        return
    for i in range(y.begin, y.end):
        row = tile + (i * shape.length + x.begin) * channels
        target = &out[plane // out.shape[1], plane % out.shape[1],
                      y.target + (i - y.begin) * tiling[0, SPACING], x.target, group * channels]
        if tiling[1, SPACING] == 1 and channels == out.shape[4]:
            memcpy(target, row, (x.end - x.begin) * channels * sizeof(real))
        else:
            for j in range(x.end - x.begin):
                memcpy(target + j * tiling[1, SPACING] * out.shape[4], row + j * channels,
                       channels * sizeof(real))
