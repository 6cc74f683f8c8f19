"""The gradient of a kernel: a product of images and gradients, summed over pixels, without im2col.

Row (tap, channel) of the result is the sum over pixels of the image, read from that tap on, times
the gradients of the outputs. To the product a pixel is a step of the sum: the addresses of its
rows are those of taps and channels in a small padded band, and neighbouring gradients are its
weights. Pixels come in blocks, whole images where they are small. A task is a part of the blocks,
of the channels and of the outputs; only shapes fix the parts, and their sums are added in order.

Small groups would leave most lanes of the weights empty. They go lane by lane: the band repeats
the channels of a group for its outputs, so that all groups are one row of lanes.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memset

from .band cimport BLOCK, COUNT, SHIFT, fill_band
from .cpu cimport kernels, microkernels
from .geometry cimport input_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport n_lanes, product, product_lanes
from .scratch cimport aligned, cut
from .stencil cimport repeat
from .types cimport intp_t, real

# Columns of `axes`, after those of band.pxd.
cdef enum:
    REACH = 4    # band pixels between neighbouring taps
    TAPS = 5

cdef struct sizes_t:
    intp_t groups       # lane by lane: of the convolution, though all are one product
    intp_t group_in     # channels of a group
    intp_t group_out
    intp_t n_images     # of a block
    intp_t in_block     # channels of a task
    intp_t out_block    # panels of a task
    intp_t panel        # outputs of a panel
    intp_t pitch        # values between neighbouring pixels of a band
    intp_t band         # values of the band of an image, 0: images are read in place
    intp_t plain        # values of a band before its channels are repeated, 0: they are not
    intp_t pixels       # of a block
    bint lanewise
    bint packs          # whether gradients are copied to panels

cdef struct run_t:
    # Neighbouring outputs.
    intp_t image
    intp_t[3] begin
    intp_t n_images
    intp_t[3] size
    intp_t n            # pixels


def kernel(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, :, :, :, :] grads,    # (n_images, out_depth, out_height, out_width, out_channels)
    real[:, :, ::1] sums,               # (n_parts, taps * group_in, groups * whole vectors)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[:, ::1] axes,          # (3, 6): see above
    int padding_mode,
    intp_t groups,                      # from here on: see sizes_t
    intp_t n_images,
    intp_t in_block,
    intp_t out_block,
    intp_t panel,
    intp_t pitch,
    intp_t band_size,
    intp_t plain,
    intp_t pixels,
    bint lanewise,
    bint packs,
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the sums of each part to `sums`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        sizes_t sizes = sizes_t(
            groups, images.shape[4] // groups, grads.shape[4] // groups, n_images, in_block,
            out_block, panel, pitch, band_size, plain, pixels, lanewise, packs)
        intp_t n_products = 1 if lanewise else groups
        intp_t n_tasks = sums.shape[0] * n_products * ceil_div(sizes.group_in, in_block) \
            * ceil_div(ceil_div(grads.shape[4] // n_products, panel), out_block)
        intp_t task
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            sum_part(mk, images, grads, sums, geometry, axes, padding_mode, sizes, task,
                     aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


def add_parts(
    const real[:, :, ::1] sums,         # (n_parts, rows, groups * whole vectors)
    real[:, ::1] out,                   # (rows, out_channels)
    intp_t groups,
    int n_threads,
):
    """Add the parts in order, without what fills the vectors."""
    cdef:
        intp_t group_out = out.shape[1] // groups
        intp_t width = sums.shape[2] // groups
        intp_t task, part, first, j
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for task in prange(out.shape[0] * groups, schedule="static"):
            first = task % groups * width
            for j in range(group_out):
                out[task // groups, task % groups * group_out + j] = \
                    sums[0, task // groups, first + j]
            for part in range(1, sums.shape[0]):
                for j in range(group_out):
                    out[task // groups, task % groups * group_out + j] += \
                        sums[part, task // groups, first + j]
        restore_denormals(mode)


cdef void sum_part(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, :, :, :, :] grads,
    real[:, :, ::1] sums, const intp_t[:, ::1] geometry, const intp_t[:, ::1] axes,
    int padding_mode, sizes_t sizes, intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `sums`."""
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_products = 1 if sizes.lanewise else sizes.groups
        intp_t n_columns = grads.shape[4] // n_products
        intp_t n_panels = ceil_div(n_columns, sizes.panel)
        intp_t n_in = ceil_div(sizes.group_in, sizes.in_block)
        intp_t n_out = ceil_div(n_panels, sizes.out_block)
        intp_t first = task % n_out * sizes.out_block * sizes.panel
        intp_t last = first + sizes.out_block * sizes.panel
        intp_t channel = task // n_out % n_in * sizes.in_block
        intp_t n_channels = min(sizes.in_block, sizes.group_in - channel)
        intp_t group = task // (n_out * n_in) % n_products
        intp_t part = task // (n_out * n_in * n_products)
        intp_t n_blocks = count_blocks(grads, sizes, axes)
        intp_t begin = part * n_blocks // sums.shape[0]
        intp_t end = (part + 1) * n_blocks // sums.shape[0]
        intp_t width = sums.shape[2] // n_products
        intp_t n_rows = axes[0, TAPS] * axes[1, TAPS] * axes[2, TAPS] * n_channels
        intp_t block, column, n, step
        run_t run
        const real** rows = <const real**> cut(&room, n_rows * sizeof(intp_t))
        real** out_rows = <real**> cut(&room, n_rows * sizeof(intp_t))
        intp_t* offsets = <intp_t*> cut(&room, sizes.pixels * sizeof(intp_t))
        real* zeros = <real*> cut(&room, 2 * lanes * sizeof(real))
        real* band = <real*> cut(&room, (sizes.n_images * sizes.band + lanes) * sizeof(real))
        real* plain = <real*> cut(&room, sizes.plain * sizeof(real))
        real* panels = <real*> room
        const real* weights

    last = min(last, width)
    memset(zeros, 0, 2 * lanes * sizeof(real))
    fill_rows(axes, sizes.pitch, n_channels, repeated_width(sizes) if sizes.lanewise else 1,
              band + (first % sizes.group_out if sizes.lanewise else 0), rows)
    fill_out_rows(axes, n_channels, sizes.group_in, sums.shape[2],
                  &sums[part, channel, group * width], out_rows)
    for block in range(begin, end):
        run = run_of(block, grads, sizes, axes)
        if sizes.lanewise:
            fill_repeated_bands(mk, images, &run, geometry, axes, sizes, padding_mode, first,
                                min(last, n_columns), plain, band)
            fill_offsets(&run, axes, sizes, offsets)
        elif sizes.band:
            fill_bands(images, &run, geometry, axes, sizes, padding_mode,
                       group * sizes.group_in + channel, n_channels, band)
            fill_offsets(&run, axes, sizes, offsets)
        else:
            find_pixels(images, &run, geometry, group * sizes.group_in + channel, n_channels,
                        rows, offsets)
        if sizes.packs:
            pack(&run, grads, group * n_columns, n_columns, first, last, sizes.panel, panels)
        column = first
        while column < last:
            n = min(sizes.panel, last - column)
            if sizes.packs:
                weights = panels + (column - first) * run.n
                step = n
            else:
                weights = &grads[run.image, run.begin[0], run.begin[1], run.begin[2],
                                 group * n_columns + column]
                step = grads.shape[4]
            if sizes.lanewise:
                multiply_lanes(mk, n_rows, run.n, rows, offsets, column - first, weights, step,
                               block > begin, out_rows, column)
            else:
                multiply(mk, n_rows, n // lanes, run.n, rows, offsets,
                         zeros if block == begin else NULL, weights, step, out_rows, column)
            column += sizes.panel


cdef inline void multiply(
    const microkernels* mk, intp_t n_rows, intp_t n_vectors, intp_t depth, const real** rows,
    const intp_t* offsets, const real* bias, const real* weights, intp_t step, real** out,
    intp_t out_offset,
) noexcept nogil:
    """Add the products of a block of pixels, or begin with them; rows are split into even tiles."""
    cdef:
        intp_t n_tiles = ceil_div(n_rows, mk.max_rows)
        intp_t tile, first
    for tile in range(n_tiles):
        first = tile * n_rows // n_tiles
        product(mk, (tile + 1) * n_rows // n_tiles - first, n_vectors, depth, rows + first,
                offsets, bias, weights, step, 0, False, out + first, out_offset)


cdef inline void multiply_lanes(
    const microkernels* mk, intp_t n_rows, intp_t depth, const real** rows, const intp_t* offsets,
    intp_t column, const real* weights, intp_t step, bint adds, real** out, intp_t out_offset,
) noexcept nogil:
    """Do the same lane by lane."""
    cdef:
        intp_t n_tiles = ceil_div(n_rows, mk.max_rows)
        intp_t tile, first
    for tile in range(n_tiles):
        first = tile * n_rows // n_tiles
        product_lanes(mk, (tile + 1) * n_rows // n_tiles - first, depth, rows + first, offsets,
                      column, weights, step, adds, out + first, out_offset)


# Blocks of outputs


cdef inline intp_t ceil_div(intp_t size, intp_t part) noexcept nogil:
    return (size + part - 1) // part


cdef inline intp_t count_blocks(
    const real[:, :, :, :, :] grads, sizes_t sizes, const intp_t[:, ::1] axes,
) noexcept nogil:
    """Return how many blocks cover all gradients."""
    return ceil_div(grads.shape[0], sizes.n_images) \
        * ceil_div(grads.shape[1], axes[0, BLOCK]) \
        * ceil_div(grads.shape[2], axes[1, BLOCK]) * ceil_div(grads.shape[3], axes[2, BLOCK])


cdef inline run_t run_of(
    intp_t block, const real[:, :, :, :, :] grads, sizes_t sizes, const intp_t[:, ::1] axes,
) noexcept nogil:
    """Return what a block covers; the last axis varies fastest."""
    cdef:
        run_t run
        intp_t axis, n
    run.n = 1
    for axis in range(2, -1, -1):
        n = ceil_div(grads.shape[1 + axis], axes[axis, BLOCK])
        run.begin[axis] = block % n * axes[axis, BLOCK]
        run.size[axis] = min(axes[axis, BLOCK], grads.shape[1 + axis] - run.begin[axis])
        run.n *= run.size[axis]
        block = block // n
    run.image = block * sizes.n_images
    run.n_images = min(sizes.n_images, grads.shape[0] - run.image)
    run.n *= run.n_images
    return run


# Where rows and pixels lie


cdef inline void fill_rows(
    const intp_t[:, ::1] axes, intp_t pitch, intp_t n_channels, intp_t channel_step,
    const real* band, const real** rows,
) noexcept nogil:
    """Write where taps and channels lie in the band, for the first of its outputs."""
    cdef intp_t n = 0, i, j, k, c, pixel
    for i in range(axes[0, TAPS]):
        for j in range(axes[1, TAPS]):
            for k in range(axes[2, TAPS]):
                pixel = k * axes[2, REACH] + axes[2, COUNT] * (
                    j * axes[1, REACH] + axes[1, COUNT] * i * axes[0, REACH])
                for c in range(n_channels):
                    rows[n] = band + pixel * pitch + c * channel_step
                    n += 1


cdef inline void fill_out_rows(
    const intp_t[:, ::1] axes, intp_t n_channels, intp_t group_in, intp_t step, real* first,
    real** rows,
) noexcept nogil:
    """Write where the sums of taps and channels go."""
    cdef intp_t tap, c
    for tap in range(axes[0, TAPS] * axes[1, TAPS] * axes[2, TAPS]):
        for c in range(n_channels):
            rows[tap * n_channels + c] = first + (tap * group_in + c) * step


cdef inline void fill_bands(
    const real[:, :, :, :, :] images, const run_t* run, const intp_t[:, ::1] geometry,
    const intp_t[:, ::1] axes, sizes_t sizes, int padding_mode, intp_t channel,
    intp_t n_channels, real* band,
) noexcept nogil:
    """Copy what the outputs of a block see, image by image."""
    cdef intp_t i
    for i in range(run.n_images):
        fill_band(images, run.image + i, input_of(geometry, 0, run.begin[0]),
                  input_of(geometry, 1, run.begin[1]), input_of(geometry, 2, run.begin[2]), axes,
                  axes[1, COUNT] - (axes[1, BLOCK] - run.size[1]) * axes[1, SHIFT], padding_mode,
                  channel, n_channels, sizes.pitch, band + i * sizes.band)


cdef inline intp_t repeated_width(sizes_t sizes) noexcept nogil:
    """Return the values of a pixel for one channel of each group, repeated for its outputs.

    They begin with the first output of a group, perhaps before that of the task.
    """
    return sizes.out_block * sizes.panel + (2 * sizes.group_out if sizes.plain else 0)


cdef inline void fill_repeated_bands(
    const microkernels* mk, const real[:, :, :, :, :] images, const run_t* run,
    const intp_t[:, ::1] geometry, const intp_t[:, ::1] axes, sizes_t sizes, int padding_mode,
    intp_t first, intp_t last, real* plain, real* band,
) noexcept nogil:
    """Copy what outputs `first` to `last` of a block see: each the channels of its group."""
    cdef:
        sizes_t source = sizes
        intp_t group = first // sizes.group_out
        intp_t n_groups = ceil_div(last, sizes.group_out) - group
        intp_t n_channels = n_groups * sizes.group_in
        intp_t n_pixels = axes[0, COUNT] * axes[1, COUNT] * axes[2, COUNT]
        intp_t image, pixel
        run_t one = run[0]

    if sizes.plain == 0:    # one channel for one output
        fill_bands(images, run, geometry, axes, sizes, padding_mode, first, last - first, band)
        return
    source.pitch = n_channels
    one.n_images = 1
    for image in range(run.n_images):
        one.image = run.image + image
        fill_bands(images, &one, geometry, axes, source, padding_mode, group * sizes.group_in,
                   n_channels, plain)
        for pixel in range(n_pixels):
            repeat_channels(mk, sizes, n_groups, plain + pixel * n_channels,
                            plain + n_pixels * n_channels,
                            band + image * sizes.band + pixel * sizes.pitch)


cdef inline void repeat_channels(
    const microkernels* mk, sizes_t sizes, intp_t n_groups, const real* pixel, real* line,
    real* repeated,
) noexcept nogil:
    """Write the channels of a pixel: all first channels of groups, all second ones and so on."""
    cdef:
        intp_t c, i
        const real* source = pixel
    for c in range(sizes.group_in):
        if sizes.group_in > 1:
            for i in range(n_groups):
                line[i] = pixel[i * sizes.group_in + c]
            source = line
        repeat(mk, 1, n_groups, sizes.group_out, source, repeated)
        repeated += repeated_width(sizes)


cdef inline void fill_offsets(
    const run_t* run, const intp_t[:, ::1] axes, sizes_t sizes, intp_t* offsets,
) noexcept nogil:
    """Write where in the bands the outputs of a block lie, from the first on."""
    cdef intp_t n = 0, image, i, j, k, line
    for image in range(run.n_images):
        for i in range(run.size[0]):
            for j in range(run.size[1]):
                line = image * sizes.band + sizes.pitch * axes[2, COUNT] * (
                    j * axes[1, SHIFT] + axes[1, COUNT] * i * axes[0, SHIFT])
                for k in range(run.size[2]):
                    offsets[n] = line + k * axes[2, SHIFT] * sizes.pitch
                    n += 1


cdef inline void find_pixels(
    const real[:, :, :, :, :] images, const run_t* run, const intp_t[:, ::1] geometry,
    intp_t channel, intp_t n_channels, const real** rows, intp_t* offsets,
) noexcept nogil:
    """Write where the channels of the first pixel lie in the images, and the others from there."""
    cdef:
        intp_t n = 0
        intp_t image, i, j, k, c, line
        intp_t item = sizeof(real)
    for c in range(n_channels):
        rows[c] = &images[run.image, input_of(geometry, 0, run.begin[0]),
                          input_of(geometry, 1, run.begin[1]),
                          input_of(geometry, 2, run.begin[2]), channel + c]
    for image in range(run.n_images):
        for i in range(run.size[0]):
            for j in range(run.size[1]):
                line = (image * images.strides[0]
                        + input_of(geometry, 0, i) * images.strides[1]
                        + input_of(geometry, 1, j) * images.strides[2]) // item
                for k in range(run.size[2]):
                    offsets[n] = line + input_of(geometry, 2, k) * images.strides[3] // item
                    n += 1


cdef inline void pack(
    const run_t* run, const real[:, :, :, :, :] grads, intp_t first_out, intp_t group_out,
    intp_t begin, intp_t end, intp_t width, real* panels,
) noexcept nogil:
    """Copy columns `begin` to `end` of a group into panels; those beyond the group are zero."""
    cdef:
        intp_t n = 0
        intp_t image, i, j, c, first, length, full, _
        intp_t pixel_stride = grads.strides[3]
        intp_t channel_stride = grads.strides[4]
        const char* pixel
        real* target
    for image in range(run.image, run.image + run.n_images):
        for i in range(run.begin[0], run.begin[0] + run.size[0]):
            for j in range(run.begin[1], run.begin[1] + run.size[1]):
                pixel = <const char*> &grads[image, i, j, run.begin[2], first_out]
                for _ in range(run.size[2]):
                    first = begin
                    while first < end:
                        length = min(width, end - first)
                        full = min(length, group_out - first)
                        target = panels + (first - begin) * run.n + n * length
                        if channel_stride == sizeof(real):
                            for c in range(full):
                                target[c] = (<const real*> pixel)[first + c]
                        else:
                            for c in range(full):
                                target[c] = (<const real*> (
                                    pixel + (first + c) * channel_stride))[0]
                        for c in range(full, length):
                            target[c] = 0
                        first += length
                    pixel += pixel_stride
                    n += 1
