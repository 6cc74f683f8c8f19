"""Convolution by Fourier transforms of tiles (overlap-save), lanes over channels.

A tile of pixels gives the outputs whose windows lie inside it: the spectrum of the tile times the
conjugated spectrum of the kernel, transformed back. For each frequency the spectra of a block of
tiles are the rows of a product with the spectra of the weights. Three kinds of tasks follow each
other for a block: tiles and pairs of channel vectors are transformed; frequencies are multiplied;
tiles and pairs of output vectors are transformed back, and what `out` holds of them is stored.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memset

from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport n_lanes
from .tile cimport SPACING, count_tiles, fill_tile, span_of, span_t
from .types cimport float32_t, intp_t, real

# Kernels whose spectra are larger pass by the caches when they are prepared.
cdef intp_t STREAMED_BYTES = 6 * 2**20

cdef struct shape_t:
    intp_t height, length    # of a tile
    intp_t n_frequencies
    intp_t lanes
    intp_t groups, group_size, group_out
    intp_t pairs_in, pairs_out, n_panels    # of a group; a panel is a vector of outputs
    intp_t n_down, n_across                 # tiles of an image
    intp_t n_tiles                          # of a block
    intp_t row_in, row_out                  # values of one tile and frequency
    intp_t step_in, step_out                # values between frequencies


cdef inline shape_t shape_of(
    intp_t height, intp_t length, intp_t groups, intp_t group_size, intp_t group_out,
    intp_t n_tiles, intp_t lanes,
) noexcept nogil:
    cdef shape_t shape
    shape.height = height
    shape.length = length
    shape.n_frequencies = height * (length // 2 + 1)
    shape.lanes = lanes
    shape.groups = groups
    shape.group_size = group_size
    shape.group_out = group_out
    shape.pairs_in = (group_size + 2 * lanes - 1) // (2 * lanes)
    shape.pairs_out = (group_out + 2 * lanes - 1) // (2 * lanes)
    shape.n_panels = (group_out + lanes - 1) // lanes
    shape.n_down = shape.n_across = 0
    shape.n_tiles = n_tiles
    shape.row_in = shape.pairs_in * 4 * lanes
    shape.row_out = shape.pairs_out * 4 * lanes
    # Frequencies a power of two apart would all fall into the same few cache lines.
    shape.step_in = n_tiles * shape.row_in + 2 * lanes
    shape.step_out = n_tiles * shape.row_out + 2 * lanes
    return shape


def room(intp_t height, intp_t length, intp_t lanes):
    """Return the values of scratch of one thread: a tile, and what its transform needs."""
    return (2 * height * length + 4 * height * (length // 2 + 1) + 6 * max(height, length)) * lanes


def spectra_values(
    intp_t height, intp_t length, intp_t groups, intp_t group_size, intp_t group_out,
    intp_t n_tiles, intp_t lanes,
):
    """Return the values of the spectra of a block: of tiles, and of their outputs."""
    cdef shape_t shape = shape_of(height, length, groups, group_size, group_out, n_tiles, lanes)
    return (groups * shape.n_frequencies * shape.step_in,
            groups * shape.n_frequencies * shape.step_out)


def n_tiles(out, const intp_t[:, ::1] tiling):
    """Return the number of tiles of a batch."""
    return out.shape[0] * out.shape[1] * count_tiles(tiling, 0) * count_tiles(tiling, 1)


def prepare(
    const real[:, :, :, ::1] kernel,   # (height, width, in_channels of a group, out_channels)
    real[:, :, ::1] spectra,           # (groups, frequencies, panels x channels x 2 * lanes)
    intp_t height,
    intp_t length,
    const real[::1] down,              # twiddles of height
    const real[::1] across,            # twiddles of length
    real[:, ::1] rooms,                # (n_threads, room)
):
    """Write the spectra of `kernel`, in a scale that makes the inverse exact."""
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t groups = spectra.shape[0]
        shape_t shape = shape_of(height, length, groups, kernel.shape[2],
                                 kernel.shape[3] // groups, 1, lanes)
        intp_t task, rest
        intp_t thread = 0
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> rooms.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(groups * shape.pairs_out * shape.group_size, schedule="dynamic"):
            rest = task // shape.group_size
            prepare_channel(mk, &shape, kernel, spectra, down, across, rest // shape.pairs_out,
                            rest % shape.pairs_out, task % shape.group_size, &rooms[thread, 0])
        restore_denormals(mode)


cdef inline void prepare_channel(
    const microkernels* mk, const shape_t* shape, const real[:, :, :, ::1] kernel,
    real[:, :, ::1] spectra, const real[::1] down, const real[::1] across, intp_t group,
    intp_t pair, intp_t channel, real* room,
) noexcept nogil:
    """Write the spectra of one input channel and two vectors of outputs."""
    cdef:
        intp_t width = 2 * shape.lanes
        intp_t first = pair * width
        intp_t n = min(width, shape.group_out - first)
        intp_t last = min(2 * pair + 1, shape.n_panels - 1)
        # One panel that is left takes the place of both, and the second is written last.
        intp_t shift = shape.lanes if last == 2 * pair else 0
        intp_t i, j, o
        real scale = <real> (0.25 / (shape.height * shape.length))
        intp_t n_values = spectra.shape[0] * spectra.shape[1] * spectra.shape[2]
        bint is_large = n_values * <intp_t> sizeof(real) > STREAMED_BYTES
        real* tile = room
        const real* weights

    memset(tile, 0, kernel.shape[0] * shape.length * width * sizeof(real))
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            weights = &kernel[i, j, channel, group * shape.group_out + first]
            for o in range(n):
                tile[(i * shape.length + j) * width + shift + o] = weights[o] * scale
    room = room + shape.height * shape.length * width
    transform(
        mk, shape, kernel.shape[0], tile, shape.length * width, width, &down[0], &across[0], room,
        &spectra[group, 0, (2 * pair * shape.group_size + channel) * width],
        &spectra[group, 0, (last * shape.group_size + channel) * width], spectra.shape[2],
        is_large,
    )


def conv(
    const real[:, :, :, :, :] images,    # (n_images, depth, height, width, in_channels)
    const real[:, :, ::1] spectra,       # see prepare
    intp_t group_size,                   # input channels of a group
    const real[:, ::1] bias,             # (groups, whole pairs of vectors of outputs)
    real[:, :, :, :, ::1] out,           # (n_images, depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] tiling,         # (2, 7), see tile.pxd
    intp_t height,                       # of a tile
    intp_t length,
    int padding_mode,
    int activation,
    const real[::1] down,                # twiddles of height
    const real[::1] across,              # twiddles of length
    intp_t n_block,                      # tiles of a block
    intp_t chunk,                        # frequencies of a task
    real[::1] spectra_in,                # of a block, see spectra_values
    real[::1] spectra_out,
    real[:, ::1] rooms,                  # (n_threads, room)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t groups = spectra.shape[0]
        shape_t shape = shape_of(height, length, groups, group_size,
                                 out.shape[4] // groups, n_block, lanes)
        intp_t n_tiles, n_chunks, task, rest
        # Of each thread, which begins with a copy.
        intp_t thread = 0
        intp_t block = 0
        intp_t first = 0
        intp_t n = 0
        uint64_t mode = 0

    shape.n_down = count_tiles(tiling, 0)
    shape.n_across = count_tiles(tiling, 1)
    n_tiles = out.shape[0] * out.shape[1] * shape.n_down * shape.n_across
    n_chunks = (shape.n_frequencies + chunk - 1) // chunk
    with nogil, parallel(num_threads=<int> rooms.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for block in range((n_tiles + n_block - 1) // n_block):
            first = block * n_block
            n = min(n_block, n_tiles - first)
            for task in prange(n * groups * shape.pairs_in, schedule="dynamic"):
                rest = task // shape.pairs_in
                transform_channels(
                    mk, &shape, images, out, tiling, padding_mode, down, across, first,
                    rest // groups, rest % groups, task % shape.pairs_in, &spectra_in[0],
                    &rooms[thread, 0])
            for task in prange(groups * n_chunks, schedule="dynamic"):
                multiply(mk, &shape, spectra, task // n_chunks, task % n_chunks * chunk,
                         min(chunk, shape.n_frequencies - task % n_chunks * chunk), n,
                         &spectra_in[0], &spectra_out[0])
            for task in prange(n * groups * shape.pairs_out, schedule="dynamic"):
                rest = task // shape.pairs_out
                invert_channels(
                    mk, &shape, bias, out, tiling, activation, down, across, first, rest // groups,
                    rest % groups, task % shape.pairs_out, &spectra_out[0], &rooms[thread, 0])
        restore_denormals(mode)


cdef inline void transform_channels(
    const microkernels* mk, const shape_t* shape, const real[:, :, :, :, :] images,
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] tiling, int padding_mode,
    const real[::1] down, const real[::1] across, intp_t first, intp_t tile, intp_t group,
    intp_t pair, real* spectra, real* room,
) noexcept nogil:
    """Write the spectra of two vectors of channels of a tile."""
    cdef:
        intp_t number = first + tile
        span_t x = span_of(tiling, 1, number % shape.n_across)
        span_t y = span_of(tiling, 0, number // shape.n_across % shape.n_down)
        intp_t plane = number // (shape.n_across * shape.n_down)
        intp_t width = 2 * shape.lanes
        intp_t channel = group * shape.group_size + pair * width
        intp_t n_channels = min(width, shape.group_size - pair * width)
        intp_t row_step = shape.length * width
        intp_t pixel_step = width
        const real* source = room
        real* target = spectra + group * shape.n_frequencies * shape.step_in

    if x.begin >= x.end or y.begin >= y.end:
        return
    target += tile * shape.row_in + pair * 2 * width
    if n_channels == width and images.strides[4] == sizeof(real) and x.n == shape.length \
            and x.pixel >= 0 and x.pixel + (x.n - 1) * tiling[1, SPACING] < images.shape[3] \
            and y.pixel >= 0 and y.pixel + (y.n - 1) * tiling[0, SPACING] < images.shape[2]:
        source = &images[plane // out.shape[1], plane % out.shape[1], y.pixel, x.pixel, channel]
        row_step = tiling[0, SPACING] * (images.strides[2] // <intp_t> sizeof(real))
        pixel_step = tiling[1, SPACING] * (images.strides[3] // <intp_t> sizeof(real))
    else:
        if n_channels < width:
            memset(room, 0, y.n * row_step * sizeof(real))
        fill_tile(images, plane // out.shape[1], plane % out.shape[1], y, x, tiling[0, SPACING],
                  tiling[1, SPACING], padding_mode, channel, n_channels, shape.length, width, room)
    transform(mk, shape, y.n, source, row_step, pixel_step, &down[0], &across[0],
              room + shape.height * shape.length * width, target, target + width, shape.step_in,
              False)


cdef inline void transform(
    const microkernels* mk, const shape_t* shape, intp_t n_rows, const real* x, intp_t row_step,
    intp_t pixel_step, const real* down, const real* across, real* room, real* first,
    real* second, intp_t step, bint is_streamed,
) noexcept nogil:
    if real is float32_t:
        mk.fft_channels_f32(shape.height, shape.length, n_rows, x, row_step, pixel_step, down,
                            across, room, first, second, step, is_streamed)
    else:
        mk.fft_channels_f64(shape.height, shape.length, n_rows, x, row_step, pixel_step, down,
                            across, room, first, second, step, is_streamed)


cdef inline void multiply(
    const microkernels* mk, const shape_t* shape, const real[:, :, ::1] spectra,
    intp_t group, intp_t begin, intp_t count, intp_t n_tiles, const real* spectra_in,
    real* spectra_out,
) noexcept nogil:
    """Multiply the spectra of a block of tiles with the weights, for some frequencies."""
    cdef:
        intp_t n_parts = (n_tiles + mk.max_complex_rows - 1) // mk.max_complex_rows
        intp_t frequency, panel, part, first, n
        const real* rows
        real* out

    for frequency in range(begin, begin + count):
        rows = spectra_in + (group * shape.n_frequencies + frequency) * shape.step_in
        out = spectra_out + (group * shape.n_frequencies + frequency) * shape.step_out
        for panel in range(shape.n_panels):
            for part in range(n_parts):
                first = part * n_tiles // n_parts
                n = (part + 1) * n_tiles // n_parts - first
                product(mk, n, shape.group_size, rows + first * shape.row_in, shape.row_in,
                        &spectra[group, frequency, panel * shape.group_size * 2 * shape.lanes],
                        out + first * shape.row_out + panel * 2 * shape.lanes, shape.row_out)
        if shape.n_panels % 2:    # the other half of the last pair
            for first in range(n_tiles):
                memset(out + first * shape.row_out + shape.n_panels * 2 * shape.lanes, 0,
                       2 * shape.lanes * sizeof(real))


cdef inline void product(
    const microkernels* mk, intp_t n_rows, intp_t depth, const real* rows, intp_t row_step,
    const real* panel, real* out, intp_t out_step,
) noexcept nogil:
    if real is float32_t:
        mk.product_complex_f32(n_rows, depth, rows, row_step, panel, out, out_step)
    else:
        mk.product_complex_f64(n_rows, depth, rows, row_step, panel, out, out_step)


cdef inline void invert_channels(
    const microkernels* mk, const shape_t* shape, const real[:, ::1] bias,
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] tiling, int activation,
    const real[::1] down, const real[::1] across, intp_t first, intp_t tile, intp_t group,
    intp_t pair, const real* spectra, real* room,
) noexcept nogil:
    """Store what `out` holds of two vectors of outputs of a tile."""
    cdef:
        intp_t number = first + tile
        span_t x = span_of(tiling, 1, number % shape.n_across)
        span_t y = span_of(tiling, 0, number // shape.n_across % shape.n_down)
        intp_t plane = number // (shape.n_across * shape.n_down)
        intp_t width = 2 * shape.lanes
        intp_t n_channels = min(width, shape.group_out - pair * width)
        intp_t row_step = tiling[0, SPACING] * out.shape[3] * out.shape[4]
        intp_t pixel_step = tiling[1, SPACING] * out.shape[4]
        intp_t[4] clip
        const real* source = spectra + group * shape.n_frequencies * shape.step_out
        real* target

    if x.begin >= x.end or y.begin >= y.end:
        return
    clip[0], clip[1], clip[2], clip[3] = y.begin, y.end, x.begin, x.end
    source += tile * shape.row_out + pair * 2 * width
    target = &out[plane // out.shape[1], plane % out.shape[1], y.target, x.target,
                  group * shape.group_out + pair * width]
    if real is float32_t:
        mk.inverse_fft_channels_f32(
            shape.height, shape.length, source, source + width, shape.step_out, &down[0],
            &across[0], room, &bias[group, pair * width], activation, clip, n_channels, target,
            row_step, pixel_step)
    else:
        mk.inverse_fft_channels_f64(
            shape.height, shape.length, source, source + width, shape.step_out, &down[0],
            &across[0], room, &bias[group, pair * width], activation, clip, n_channels, target,
            row_step, pixel_step)
