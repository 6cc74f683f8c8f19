"""Winograd's minimal filtering: tiles and kernels are evaluated at points, where a convolution is
a product.

A task is a block of tiles, over all images, and some panels of some groups. Its tiles are
transformed once for a group, then each panel is multiplied point by point and the outputs are
interpolated from the products. Nothing larger than a block is stored. Along an axis with dilation
d, d neighbouring outputs begin d tiles whose samples lie d apart.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memcpy, memset

from .band cimport COUNT, STEP, fill_band
from .border cimport border_index
from .cpu cimport kernels, microkernels
from .geometry cimport FIRST, PAD, STRIDE
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport multiply_panel, n_lanes
from .types cimport float32_t, intp_t, real

# Columns of `axes` beside those of band.pxd: what `convlib._conv.winograd` decides for each axis.
cdef enum:
    OUTPUTS = 0     # of a tile, STEP apart
    TILES = 4
    ORIGIN = 5      # first output of the first tiles, in the whole image
    LINE = 6        # how a line of samples is transformed, see winograd.h
    # Bounds of fixed arrays, see winograd.h.
    MOST_SAMPLES = 9
    MOST_TAPS = 27
    MOST_COLUMNS = 32

cdef intp_t OUTSIDE = -(<intp_t> 1 << 62)    # where a pixel would lie that no pixel stands for

cdef struct tile_t:
    intp_t image
    intp_t[3] output    # first, in the whole image
    intp_t[3] pixel     # under it

# What is the same for all tasks.
cdef struct sizes_t:
    intp_t group_size
    intp_t pitch
    intp_t block
    intp_t n_parts
    intp_t n_points
    intp_t n_tiles       # of all images
    intp_t n_blocks      # of them
    intp_t sample_step   # values between points
    intp_t product_step
    bint in_place        # whether pixels are read where they stand


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] points,          # (groups, kernels at the points), see transform_kernel
    const real[::1] bias,               # (groups * padded channels of a group,)
    real[:, :, :, :, :] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[:, ::1] axes,          # (3, 7): see above
    int padding_mode,
    int activation,
    intp_t group_size,                  # input channels of a group
    intp_t pitch,                       # values between tiles, whole vectors of channels
    intp_t block,                       # most tiles of a task
    intp_t n_parts,                     # into which the panels of all groups are cut
    const intp_t[::1] offsets,          # (group_size,): 0, 1, 2 ...
    real[:, ::1] scratch,               # (n_threads, samples, products, a patch or pixel, a tile)
    intp_t[:, ::1] addresses,           # (n_threads, 3 * points * block)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t task
        intp_t thread = 0
        uint64_t mode = 0
        sizes_t sizes

    sizes.group_size = group_size
    sizes.pitch = pitch
    sizes.block = block
    sizes.n_parts = n_parts
    sizes.n_points = axes[0, COUNT] * axes[1, COUNT] * axes[2, COUNT]
    sizes.n_tiles = out.shape[0] * axes[0, TILES] * axes[1, TILES] * axes[2, TILES]
    sizes.n_blocks = (sizes.n_tiles + block - 1) // block
    sizes.sample_step = odd_step(block * pitch, lanes)
    sizes.product_step = odd_step(block * 2 * lanes, lanes)
    sizes.in_place = images.strides[4] == sizeof(real) and group_size % lanes == 0
    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            set_rooms(&sizes, 2 * lanes, &scratch[0, 0], &addresses[0, 0])
            for task in range(sizes.n_blocks * n_parts):
                convolve_block(mk, images, points, bias, out, geometry, axes, padding_mode,
                               activation, &offsets[0], &sizes, task, &scratch[0, 0],
                               &addresses[0, 0])
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        set_rooms(&sizes, 2 * lanes, &scratch[thread, 0], &addresses[thread, 0])
        for task in prange(sizes.n_blocks * n_parts, schedule="dynamic"):
            convolve_block(mk, images, points, bias, out, geometry, axes, padding_mode, activation,
                           &offsets[0], &sizes, task, &scratch[thread, 0], &addresses[thread, 0])
        restore_denormals(mode)


cdef inline void set_rooms(
    const sizes_t* sizes, intp_t width, const real* room, intp_t* addresses,
) noexcept nogil:
    """Write where samples and products of a thread lie, which is the same for all its tasks."""
    cdef intp_t n = sizes.n_points * sizes.block
    set_addresses(room, sizes.sample_step, sizes.pitch, sizes.n_points, sizes.block, addresses)
    set_addresses(room + sizes.n_points * sizes.sample_step, sizes.product_step, width,
                  sizes.n_points, sizes.block, addresses + n)


cdef void convolve_block(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] points,
    const real[::1] bias, real[:, :, :, :, :] out, const intp_t[:, ::1] geometry,
    const intp_t[:, ::1] axes, int padding_mode, int activation, const intp_t* offsets,
    const sizes_t* sizes, intp_t task, real* room, intp_t* addresses,
) noexcept nogil:
    """Write the outputs of the task numbered `task`: a block of tiles, a part of the panels."""
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t groups = points.shape[0]
        intp_t group_out = out.shape[4] // groups
        intp_t n_panels = (group_out + 2 * lanes - 1) // (2 * lanes)
        intp_t part = task % sizes.n_parts
        intp_t first = task // sizes.n_parts * sizes.n_tiles // sizes.n_blocks
        intp_t n = (task // sizes.n_parts + 1) * sizes.n_tiles // sizes.n_blocks - first
        intp_t n_points = sizes.n_points
        real* products = room + n_points * sizes.sample_step
        real* patch = products + n_points * sizes.product_step
        real* spare = patch + max(n_points * sizes.pitch, images.shape[4])
        intp_t* product_rows = addresses + n_points * sizes.block
        intp_t* pixels = product_rows + n_points * sizes.block
        intp_t group = -1
        intp_t panel, number

    if sizes.in_place:
        memset(patch, 0, images.shape[4] * sizeof(real))
        find_pixels(images, geometry, axes, padding_mode, first, n, patch, pixels)
    for number in range(part * groups * n_panels // sizes.n_parts,
                        (part + 1) * groups * n_panels // sizes.n_parts):
        if number // n_panels != group:
            group = number // n_panels
            transform_samples(
                mk, images, geometry, axes, padding_mode, first, n, group * sizes.group_size,
                sizes.group_size, sizes.pitch, sizes.in_place, pixels, patch, room,
                sizes.sample_step)
        panel = number % n_panels
        multiply_points(mk, n, n_points, sizes.block, &points[group, 0], panel, group_out,
                        sizes.group_size, offsets, addresses, product_rows, spare)
        write_outputs(mk, out, geometry, axes, first, n, group * group_out + panel * 2 * lanes,
                      min(group_out - panel * 2 * lanes, 2 * lanes), &bias[number * 2 * lanes],
                      activation, product_rows, sizes.block, spare)


def transform_kernel(
    const real[:, :, :, :, ::1] kernel,   # (depth, height, width, in_channels of a group, out)
    const int[::1] lines,                 # (3,)
    real[:, ::1] points,                  # (groups, n_points * (1 + in_channels) * padded channels)
    intp_t n_points,
    int n_threads,
):
    """Write the kernels at the points. At each point they are panels as panels.pyx has them.

    Panels follow each other, and in a panel the points. The first row of each, where other panels
    have their bias, is zero.
    """
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t groups = points.shape[0]
        intp_t n_panels = (kernel.shape[4] // groups + 2 * lanes - 1) // (2 * lanes)
        intp_t task
        uint64_t mode = 0

    if n_threads == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            for task in range(groups * n_panels):
                transform_panel(mk, kernel, &lines[0], points, n_points, task // n_panels,
                                task % n_panels, lanes)
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for task in prange(groups * n_panels, schedule="dynamic"):
            transform_panel(mk, kernel, &lines[0], points, n_points, task // n_panels,
                            task % n_panels, lanes)
        restore_denormals(mode)


cdef inline intp_t odd_step(intp_t n, intp_t lanes) noexcept nogil:
    """Return n or one vector more: odd numbers of vectors spread over all sets of the cache."""
    return n if n // lanes % 2 else n + lanes


cdef inline void set_addresses(
    const real* first, intp_t point_step, intp_t tile_step, intp_t n_points, intp_t n_tiles,
    intp_t* addresses,
) noexcept nogil:
    cdef intp_t point, tile
    for point in range(n_points):
        for tile in range(n_tiles):
            addresses[point * n_tiles + tile] = <intp_t> (
                first + point * point_step + tile * tile_step)


cdef inline tile_t tile_at(
    intp_t number, const intp_t[:, ::1] geometry, const intp_t[:, ::1] axes,
) noexcept nogil:
    """Return where a tile lies; the first axis varies slowest."""
    cdef:
        tile_t tile
        intp_t axis, i, step
    for axis in range(2, -1, -1):
        i = number % axes[axis, TILES]
        number = number // axes[axis, TILES]
        step = axes[axis, STEP]  # so many tiles stand between each other
        tile.output[axis] = axes[axis, ORIGIN] + i // step * step * axes[axis, OUTPUTS] + i % step
        tile.pixel[axis] = tile.output[axis] * geometry[axis, STRIDE] - geometry[axis, PAD]
    tile.image = number
    return tile


cdef inline void find_pixels(
    const real[:, :, :, :, :] images, const intp_t[:, ::1] geometry, const intp_t[:, ::1] axes,
    int padding_mode, intp_t first, intp_t n, const real* outside, intp_t* pixels,
) noexcept nogil:
    """Write the addresses of the pixels of n tiles, or of those that stand for them."""
    cdef:
        intp_t sources[3][MOST_SAMPLES]
        intp_t i, j, k, axis
        tile_t tile
        const char* image
    for i in range(n):
        tile = tile_at(first + i, geometry, axes)
        image = <const char*> &images[tile.image, 0, 0, 0, 0]
        for axis in range(3):
            for k in range(axes[axis, COUNT]):
                j = border_index(tile.pixel[axis] + k * axes[axis, STEP], images.shape[1 + axis],
                                 padding_mode)
                sources[axis][k] = OUTSIDE if j < 0 else j * images.strides[1 + axis]
        for axis in range(axes[0, COUNT]):
            for j in range(axes[1, COUNT]):
                for k in range(axes[2, COUNT]):
                    if (sources[0][axis] == OUTSIDE or sources[1][j] == OUTSIDE
                            or sources[2][k] == OUTSIDE):
                        pixels[0] = <intp_t> outside
                    else:
                        pixels[0] = <intp_t> (
                            image + sources[0][axis] + sources[1][j] + sources[2][k])
                    pixels += 1


cdef inline void transform_samples(
    const microkernels* mk, const real[:, :, :, :, :] images, const intp_t[:, ::1] geometry,
    const intp_t[:, ::1] axes, int padding_mode, intp_t first, intp_t n, intp_t channel,
    intp_t group_size, intp_t pitch, bint in_place, intp_t* pixels, real* patch, real* samples,
    intp_t sample_step,
) noexcept nogil:
    """Write the values of n tiles at the points.

    Whole vectors of channels are read where they stand; otherwise each tile is copied first.
    """
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_vectors = (group_size + lanes - 1) // lanes
        intp_t n_points = axes[0, COUNT] * axes[1, COUNT] * axes[2, COUNT]
        int[3] lines
        intp_t i, axis
        tile_t tile

    for axis in range(3):
        lines[axis] = <int> axes[axis, LINE]
    if not in_place:
        set_addresses(patch, n_vectors * lanes, 0, n_points, 1, pixels)
    for i in range(n):
        if in_place:
            winograd_samples(mk, lines, n_vectors, <const real**> pixels + i * n_points, channel,
                             samples + i * pitch, sample_step)
        else:
            tile = tile_at(first + i, geometry, axes)
            fill_band(images, tile.image, tile.pixel[0], tile.pixel[1], tile.pixel[2], axes,
                      axes[1, COUNT], padding_mode, channel, group_size, n_vectors * lanes, patch)
            winograd_samples(mk, lines, n_vectors, <const real**> pixels, 0, samples + i * pitch,
                             sample_step)


cdef inline void multiply_points(
    const microkernels* mk, intp_t n, intp_t n_points, intp_t block, const real* points,
    intp_t panel, intp_t group_out, intp_t group_size, const intp_t* offsets,
    const intp_t* rows, const intp_t* product_rows, real* spare,
) noexcept nogil:
    """Multiply the samples of n tiles with a panel, point by point."""
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_vectors = 1 if group_out - panel * 2 * lanes <= lanes else 2
        intp_t width = n_vectors * lanes
        intp_t size = (1 + group_size) * width
        intp_t point

    points += n_points * (1 + group_size) * panel * 2 * lanes
    for point in range(n_points):
        multiply_panel(
            mk, n, <const real**> rows + point * block, group_size, offsets,
            points + point * size, points + point * size + width, width, n_vectors, width, 0,
            False, <real**> product_rows + point * block, 0, spare)


cdef inline void write_outputs(
    const microkernels* mk, real[:, :, :, :, :] out, const intp_t[:, ::1] geometry,
    const intp_t[:, ::1] axes, intp_t first, intp_t n, intp_t channel, intp_t n_columns,
    const real* bias, int activation, const intp_t* products, intp_t block, real* spare,
) noexcept nogil:
    """Write the outputs of n tiles and of one panel. What `out` lacks of a tile is computed aside.

    The products of a tile at neighbouring points are `block` addresses apart.
    """
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t[3] out_steps
        intp_t[3] spare_steps
        intp_t[3] begin
        intp_t[3] size
        int[3] lines
        intp_t i, axis, vector, column
        tile_t tile
        bint is_inside
        real* target

    spare_steps[2] = lanes
    spare_steps[1] = axes[2, OUTPUTS] * lanes
    spare_steps[0] = axes[1, OUTPUTS] * spare_steps[1]
    for axis in range(3):
        lines[axis] = <int> axes[axis, LINE]
        size[axis] = out.shape[1 + axis]
        out_steps[axis] = out.strides[1 + axis] // <intp_t> sizeof(real) * axes[axis, STEP]
    for i in range(n):
        tile = tile_at(first + i, geometry, axes)
        is_inside = True
        for axis in range(3):
            begin[axis] = tile.output[axis] - geometry[axis, FIRST]
            is_inside &= begin[axis] >= 0 and (
                begin[axis] + (axes[axis, OUTPUTS] - 1) * axes[axis, STEP] < size[axis])
        # Perhaps outside of `out`, then it is not used.
        target = &out[tile.image, 0, 0, 0, channel] + (
            begin[0] * out.strides[1] + begin[1] * out.strides[2] + begin[2] * out.strides[3]
        ) // <intp_t> sizeof(real)
        for vector in range((n_columns + lanes - 1) // lanes):
            column = vector * lanes
            if is_inside and n_columns - column >= lanes:
                winograd_outputs(mk, lines, <const real**> products + i, block, column,
                                 bias + column, activation, target + column, out_steps)
                continue
            winograd_outputs(mk, lines, <const real**> products + i, block, column, bias + column,
                             activation, spare, spare_steps)
            copy_inside(axes, begin, size, min(n_columns - column, lanes), lanes, spare, out,
                        tile.image, channel + column)


cdef inline void copy_inside(
    const intp_t[:, ::1] axes, const intp_t* begin, const intp_t* size, intp_t n_columns,
    intp_t pitch, const real* tile, real[:, :, :, :, :] out, intp_t image, intp_t channel,
) noexcept nogil:
    """Copy those outputs of a tile that `out` has."""
    cdef intp_t i, j, k, z, y, x
    for i in range(axes[0, OUTPUTS]):
        z = begin[0] + i * axes[0, STEP]
        for j in range(axes[1, OUTPUTS]):
            y = begin[1] + j * axes[1, STEP]
            for k in range(axes[2, OUTPUTS]):
                x = begin[2] + k * axes[2, STEP]
                if 0 <= z < size[0] and 0 <= y < size[1] and 0 <= x < size[2]:
                    memcpy(&out[image, z, y, x, channel], tile, n_columns * sizeof(real))
                tile += pitch


cdef inline void transform_panel(
    const microkernels* mk, const real[:, :, :, :, ::1] kernel, const int* lines,
    real[:, ::1] points, intp_t n_points, intp_t group, intp_t panel, intp_t lanes,
) noexcept nogil:
    cdef:
        intp_t group_size = kernel.shape[3]
        intp_t n_taps = kernel.shape[0] * kernel.shape[1] * kernel.shape[2]
        intp_t group_out = kernel.shape[4] // points.shape[0]
        intp_t n_columns = min(group_out - panel * 2 * lanes, 2 * lanes)
        intp_t n_vectors = 1 if n_columns <= lanes else 2
        intp_t width = n_vectors * lanes
        intp_t point_step = (1 + group_size) * width
        intp_t tap_step = group_size * kernel.shape[4]
        intp_t column = group * group_out + panel * 2 * lanes
        real* target = &points[group, n_points * (1 + group_size) * panel * 2 * lanes]
        const real* source = &kernel[0, 0, 0, 0, column]
        const real* addresses[MOST_TAPS]
        real[MOST_TAPS * MOST_COLUMNS] spare
        intp_t c, tap, point

    for point in range(n_points):
        memset(target + point * point_step, 0, width * sizeof(real))
    for tap in range(n_taps):
        addresses[tap] = source + tap * tap_step
    if n_columns < width:
        memset(spare, 0, sizeof(spare))
        for tap in range(n_taps):
            addresses[tap] = spare + tap * width
    for c in range(group_size):
        target += width
        if n_columns == width:
            winograd_taps(mk, lines, n_vectors, addresses, c * kernel.shape[4], target, point_step)
            continue
        for tap in range(n_taps):
            memcpy(spare + tap * width, source + tap * tap_step + c * kernel.shape[4],
                   n_columns * sizeof(real))
        winograd_taps(mk, lines, n_vectors, addresses, 0, target, point_step)


cdef inline void winograd_samples(
    const microkernels* mk, const int* lines, intp_t n_vectors, const real** x, intp_t offset,
    real* y, intp_t y_step,
) noexcept nogil:
    if real is float32_t:
        mk.winograd_samples_f32(lines, n_vectors, x, offset, y, y_step)
    else:
        mk.winograd_samples_f64(lines, n_vectors, x, offset, y, y_step)


cdef inline void winograd_taps(
    const microkernels* mk, const int* lines, intp_t n_vectors, const real** x, intp_t offset,
    real* y, intp_t y_step,
) noexcept nogil:
    if real is float32_t:
        mk.winograd_taps_f32(lines, n_vectors, x, offset, y, y_step)
    else:
        mk.winograd_taps_f64(lines, n_vectors, x, offset, y, y_step)


cdef inline void winograd_outputs(
    const microkernels* mk, const int* lines, const real** x, intp_t x_step, intp_t offset,
    const real* bias, int activation, real* out, const intp_t* out_steps,
) noexcept nogil:
    if real is float32_t:
        mk.winograd_outputs_f32(lines, x, x_step, offset, bias, activation, out, out_steps)
    else:
        mk.winograd_outputs_f64(lines, x, x_step, offset, bias, activation, out, out_steps)
