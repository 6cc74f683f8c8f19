"""Convolution of small channel groups as a stencil: lanes over channels, taps by address.

A task is a block of output rows of one image and some of its channels. For each row of pixels
under the block there are lists of addresses: of the pixels where they stand, of a zero for those
in the padding, or of a copy. The copy is made where pixels are not dense in memory, where several
outputs see one group, or where channels do not fill a vector. `_conv/stencil.py` tells how
the lists lie.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memcpy, memset

from .band cimport BLOCK, COUNT, SHIFT, STEP
from .border cimport border_index, fill_row
from .cpu cimport STENCIL_HALF, STENCIL_PIXELS, kernels, microkernels, stencil
from .geometry cimport input_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport n_lanes
from .stencil cimport stencil_fma
from .types cimport intp_t, real

# Entries of `across`: how lists of columns lie.
cdef enum:
    PHASES = 4      # lines into which a row of pixels is cut
    ORIGIN = 5      # pixels of the image between the beginnings of lines
    LISTS = 6       # lists of a row of pixels
    COLUMNS = 7     # addresses of a list
    OUTPUTS = 8     # output pixels of a vector of lanes, or vectors
    RESIDUES = 9    # output pixels between neighbours of a tile

# Rows of `taps`.
cdef enum:
    REACH = 0       # rows of pixels between neighbouring taps
    NUMBER = 1


def pack(
    const real[:, :, ::1] kernel,   # (rows of taps, taps and channels of a group, out_channels)
    const real[::1] bias,           # (out_channels,)
    intp_t group,
    real[:, ::1] weights,           # (n_vectors, (1 + taps and channels) * lanes)
    intp_t n_channels,              # of all lanes; those of the kernel are repeated
):
    """Write vectors of weights, bias first; the last vector overlaps the one before."""
    cdef:
        intp_t lanes = n_lanes[real](kernels(), NULL)
        intp_t n_taps = kernel.shape[1] // group
        intp_t vector, row, tap, member, lane, first, channel
        real* weight

    with nogil:
        for vector in range(weights.shape[0]):
            weight = &weights[vector, 0]
            first = min(vector * lanes, n_channels - lanes)
            for lane in range(lanes):
                channel = (first + lane) % bias.shape[0]
                weight[lane] = bias[channel]
            for row in range(kernel.shape[0]):
                for member in range(group):
                    for tap in range(n_taps):
                        weight += lanes
                        for lane in range(lanes):
                            channel = (first + lane) % bias.shape[0]
                            weight[lane] = kernel[row, tap * group + member, channel]


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] weights,         # see pack
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[:, ::1] axes,          # (2, 4): block, count, step, shift of depth and height
    const intp_t[:, ::1] taps,          # (3, 2): reach and number; of lists for the width
    const intp_t[::1] across,           # block, count, step, shift; then as above
    const intp_t[::1] begins,           # (lists,): values of a copied row before each list
    intp_t list_step,                   # values of a copied row between neighbours of a list
    int padding_mode,
    int activation,
    intp_t group,
    intp_t repeats,                     # of each group's channels
    intp_t width,                       # channels of all lanes
    intp_t part,                        # channels of a task; the last takes the rest
    bint in_place,                      # read pixels where they stand
    const real[::1] zero,               # a pixel of the padding
    intp_t[:, ::1] addresses,           # (n_threads, addresses of all lists)
    intp_t[:, ::1] rows,                # (n_threads, lists of all rows of taps)
    real[:, ::1] bands,                 # (n_threads, values of copied rows)
    real[:, ::1] lines,                 # (n_threads, values of a line to be repeated)
    real[:, ::1] spare,                 # (n_threads, values of a tile)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_parts = width // part
        intp_t n_y = (out.shape[2] + axes[1, BLOCK] - 1) // axes[1, BLOCK]
        intp_t n_x = (out.shape[3] + across[BLOCK] - 1) // across[BLOCK]
        intp_t n_tasks = out.shape[0] * out.shape[1] * n_y * n_x * n_parts
        intp_t task, first, rest, x, y, z, image, height, n_channels
        intp_t thread = 0
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> addresses.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(n_tasks, schedule="dynamic"):
            first = task % n_parts * part
            n_channels = width - first if task % n_parts == n_parts - 1 else part
            rest = task // n_parts
            x = rest % n_x * across[BLOCK]
            y = rest // n_x % n_y * axes[1, BLOCK]
            z = rest // (n_x * n_y) % out.shape[1]
            image = rest // (n_x * n_y * out.shape[1])
            height = min(axes[1, BLOCK], out.shape[2] - y)
            fill_lists(
                images, image, input_of(geometry, 0, z), input_of(geometry, 1, y),
                input_of(geometry, 2, x), axes, across, begins, list_step,
                axes[1, COUNT] - (axes[1, BLOCK] - height) * axes[1, SHIFT], padding_mode, group,
                repeats, first, n_channels, in_place, &zero[0],
                <const real**> &addresses[thread, 0], &bands[thread, 0], &lines[thread, 0],
            )
            fill_rows(axes, taps, across, height, <const real**> &addresses[thread, 0],
                      <const real***> &rows[thread, 0])
            write_block(
                mk, out, image, z, y, x, height, first, n_channels, group,
                across, taps, activation, <const real***> &rows[thread, 0],
                &weights[first // lanes, 0], &spare[thread, 0],
            )
        restore_denormals(mode)


cdef inline void fill_lists(
    const real[:, :, :, :, :] images, intp_t image, intp_t z0, intp_t y0, intp_t x0,
    const intp_t[:, ::1] axes, const intp_t[::1] across, const intp_t[::1] begins,
    intp_t list_step, intp_t n_rows, int padding_mode, intp_t group, intp_t repeats,
    intp_t first, intp_t n_channels, bint in_place, const real* zero, const real** addresses,
    real* band, real* line,
) noexcept nogil:
    """Write the addresses of the pixels under a block, and copy the pixels if they must be."""
    cdef:
        intp_t i, j, k, z, y, u
        const real* row
        const real** list_ = addresses
        intp_t n_in = min(n_channels, images.shape[4] * repeats) // repeats
        intp_t pitch = n_in * repeats

    for i in range(axes[0, COUNT]):
        z = border_index(z0 + i * axes[0, STEP], images.shape[1], padding_mode)
        for j in range(n_rows):
            y = border_index(y0 + j * axes[1, STEP], images.shape[2], padding_mode)
            row = NULL
            if z >= 0 and y >= 0:
                row = &images[image, z, y, 0, first // repeats]
            if in_place:
                for k in range(across[PHASES]):
                    point_at_pixels(row, images.strides[3], images.shape[3],
                                    x0 + k * across[ORIGIN], across, padding_mode, zero, list_)
                    list_ += across[COLUMNS]
                continue
            for k in range(across[PHASES]):
                copy_line(row, images.strides[3], images.strides[4], images.shape[3],
                          x0 + k * across[ORIGIN], across, padding_mode, group, repeats, n_in,
                          pitch, line, band + k * across[COUNT] * pitch)
            for k in range(across[LISTS]):
                for u in range(across[COLUMNS]):
                    list_[u] = band + begins[k] * pitch + u * list_step * pitch
                list_ += across[COLUMNS]
            band += across[PHASES] * across[COUNT] * pitch
        list_ += (axes[1, COUNT] - n_rows) * across[LISTS] * across[COLUMNS]


cdef inline void point_at_pixels(
    const real* row, intp_t pixel_stride, intp_t width, intp_t x0, const intp_t[::1] across,
    int padding_mode, const real* zero, const real** pixels,
) noexcept nogil:
    """Write the addresses of the pixels of a line; `row` is NULL in the padding."""
    cdef:
        intp_t u, x
    for u in range(across[COLUMNS]):
        x = x0 + u * across[STEP]
        if not 0 <= x < width:
            x = border_index(x, width, padding_mode)
        if row == NULL or x < 0:
            pixels[u] = zero
        else:
            pixels[u] = <const real*> (<const char*> row + x * pixel_stride)


cdef inline void copy_line(
    const real* row, intp_t pixel_stride, intp_t channel_stride, intp_t width, intp_t x0,
    const intp_t[::1] across, int padding_mode, intp_t group, intp_t repeats, intp_t n_in,
    intp_t pitch, real* line, real* copy,
) noexcept nogil:
    """Copy the pixels of a line, each group of channels as often as outputs see it."""
    cdef:
        intp_t i, k
    if row == NULL:
        memset(copy, 0, across[COUNT] * pitch * sizeof(real))
        return
    fill_row(row, pixel_stride, channel_stride, width, x0, across[STEP], across[COUNT],
             padding_mode, n_in, n_in, copy if repeats == 1 else line)
    if repeats > 1:
        for i in range(across[COUNT] * n_in // group):
            for k in range(repeats):
                memcpy(copy, line + i * group, group * sizeof(real))
                copy += group


cdef inline void fill_rows(
    const intp_t[:, ::1] axes, const intp_t[:, ::1] taps, const intp_t[::1] across, intp_t height,
    const real** addresses, const real*** rows,
) noexcept nogil:
    """Write, for each row of outputs and each residue, the list under each row of taps."""
    cdef intp_t y, r, i, j, k, row

    for y in range(height):
        for r in range(across[RESIDUES]):
            for i in range(taps[0, NUMBER]):
                for j in range(taps[1, NUMBER]):
                    row = i * axes[1, COUNT] + y * axes[1, SHIFT] + j * taps[1, REACH]
                    for k in range(taps[2, REACH]):
                        rows[0] = addresses + (row * across[LISTS] + r + k) * across[COLUMNS]
                        rows += 1


cdef inline void write_block(
    const microkernels* mk, real[:, :, :, :, ::1] out, intp_t image, intp_t z, intp_t y, intp_t x,
    intp_t height, intp_t first, intp_t n_channels, intp_t group, const intp_t[::1] across,
    const intp_t[:, ::1] taps, int activation, const real*** rows, const real* weights,
    real* spare,
) noexcept nogil:
    """Write the outputs of a block: columns of tiles, so that their pixels stay in cache."""
    cdef:
        stencil form
        intp_t width = min(across[BLOCK], out.shape[3] - x)
        intp_t n_rows = taps[0, NUMBER] * taps[1, NUMBER] * taps[2, REACH]
        intp_t residues = across[RESIDUES]
        intp_t r, n, begin, end, row, tile_values, row_values
        real* to

    form.group = group
    form.n_rows = n_rows
    form.n_taps = taps[2, NUMBER]
    form.stride = across[SHIFT]
    form.n_channels = n_channels
    form.activation = activation
    row_values = width * out.shape[4]
    for r in range(min(residues, width)):
        n = (width - r + residues * across[OUTPUTS] - 1) // (residues * across[OUTPUTS])
        end = 0
        while end < n:
            begin = end
            end = min(n, begin + STENCIL_PIXELS)
            # The last tile is whole or half, and overlaps the one before.
            begin = max(0, min(begin, end - (
                STENCIL_HALF if end - begin <= STENCIL_HALF else STENCIL_PIXELS)))
            for row in range(height):
                to = &out[image, z, y + row, x + r, first] \
                    + begin * residues * across[OUTPUTS] * out.shape[4]
                if end * across[OUTPUTS] * residues > width and across[OUTPUTS] > 1:
                    stencil_fma(mk, &form, end - begin, rows + (row * residues + r) * n_rows,
                                begin, weights, spare, n_channels)
                    memcpy(to, spare, (row_values - begin * n_channels) * sizeof(real))
                else:
                    stencil_fma(mk, &form, end - begin, rows + (row * residues + r) * n_rows,
                                begin, weights, to, residues * across[OUTPUTS] * out.shape[4])
