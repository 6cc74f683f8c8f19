"""Gradients of deformable convolution.

All but the kernel's need the gradients of the sampled columns: the product of the outputs'
gradients and the transposed kernel, made for a block of outputs at a time. From there

- those of offsets and masks are inner products over the channels of a point: tasks are blocks of
  outputs;
- those of the images go where the values came from. Points may meet in a pixel, so a task is an
  image and a block of its channels, and adds the outputs up in their order.

The kernel's are products of sampled columns and the outputs' gradients. A task is a tap and a
block of input channels, and adds up all blocks of outputs of all images in their order.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport intptr_t
from libc.string cimport memcpy, memset

from .cpu cimport kernels, microkernels, sampled_image
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .points cimport (
    OFFSET_GROUPS,
    TAPS_ACROSS,
    TAPS_DOWN,
    cut_points,
    locate_run,
    place_taps,
    points_t,
    run_length,
    sample_points,
    sampled,
)
from .product cimport multiply_panel, multiply_panels, n_lanes
from .scratch cimport aligned, cut
from .types cimport float32_t, intp_t, real

# Columns of `units`: the products that make the gradients of the columns of a block of channels.
cdef enum:
    GRAD_CHANNEL = 0    # first channel of the outputs' gradients
    COLUMN = 1          # where the results begin, in a pixel's column
    N_TAPS = 2          # taps, each with as many results as a unit has channels; 0 for no unit
    TAP = 3             # first tap
    CHANNEL = 4         # first channel, of the convolution group


def pack(
    const real[:, :, ::1] kernel,       # (taps, in_channels // groups, out_channels)
    real[:, ::1] panels,                # (blocks of channels * units, panels of a unit)
    const intp_t[:, :, ::1] units,      # (blocks of channels, units, 5)
    intp_t unit_channels,               # of a unit
    int n_threads,
):
    """Write the panels of the transposed kernel, as panels.pyx lays them out, without bias."""
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_columns = units[0, 0, N_TAPS] * unit_channels
        intp_t n_panels = (n_columns + 2 * lanes - 1) // (2 * lanes)
        intp_t task

    for task in prange(panels.shape[0] * n_panels, nogil=True, num_threads=n_threads,
                       schedule="dynamic"):
        pack_panel(kernel, panels, units, unit_channels, task // n_panels,
                   task % n_panels * 2 * lanes, n_columns, lanes)


def at_points(
    const real[:, :, :, :] images,      # (n_images, height, width, in_channels), dense in the last
    const real[:, :, :, ::1] grad,      # (n_images, out_height, out_width, out_channels)
    const real[:, ::1] panels,          # (units, panels of a unit), see panels.pyx
    const intp_t[:, :, ::1] units,      # (1, units, 5)
    intp_t unit_channels,               # of a unit
    const real[:, :, ::1] offsets,      # (n_images, out_pixels, points of an output * 2)
    const real[:, :, ::1] mask,         # (n_images, out_pixels, points of an output), or no images
    real[:, :, ::1] grad_offsets,       # as offsets, or no images
    real[:, :, ::1] grad_mask,          # as mask, or no images
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[::1] taps,             # (3,): taps down, taps across, offset groups
    intp_t block,                       # outputs of a task
    intp_t run,                         # of them, most whose points are found at once
    intp_t step,                        # room for the points of a run
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the gradients of offsets, of masks, or of both. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_pixels = grad.shape[1] * grad.shape[2]
        intp_t n_blocks = (n_pixels + block - 1) // block
        intp_t task
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(grad.shape[0] * n_blocks, schedule="dynamic"):
            differentiate_points(
                mk, images, grad, panels, units, unit_channels, offsets, mask, grad_offsets,
                grad_mask, geometry, taps, block, run, step, task // n_blocks,
                task % n_blocks * block,
                min((task % n_blocks + 1) * block, n_pixels), aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


def images(
    const real[:, :, :, ::1] grad,      # (n_images, out_height, out_width, out_channels)
    const real[:, ::1] panels,          # (blocks of channels * units, panels of a unit)
    const intp_t[:, :, ::1] units,      # (blocks of channels, units, 5)
    intp_t unit_channels,               # of a unit
    const real[:, :, ::1] offsets,      # (n_images, out_pixels, points of an output * 2)
    const real[:, :, ::1] mask,         # (n_images, out_pixels, points of an output), or no images
    real[:, :, :, ::1] grad_images,     # (n_images, height, width, in_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[::1] taps,             # (3,): taps down, taps across, offset groups
    intp_t n_channels,                  # of a block
    intp_t block,                       # outputs whose columns are made at once
    intp_t run,                         # of them, most whose points are found at once
    intp_t step,                        # room for the points of a run
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the gradients of the images. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t task
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(grad.shape[0] * units.shape[0], schedule="dynamic"):
            scatter_channels(
                mk, grad, panels, units, unit_channels, offsets, mask, grad_images, geometry, taps,
                n_channels, block, run, step, task // units.shape[0], task % units.shape[0],
                aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


def kernel(
    const real[:, :, :, :] images,      # (n_images, height, width, in_channels), dense in the last
    const real[:, :, :, ::1] grad,      # (n_images, out_height, out_width, out_channels)
    const real[:, :, ::1] offsets,      # (n_images, out_pixels, points of an output * 2)
    const real[:, :, ::1] mask,         # (n_images, out_pixels, points of an output), or no images
    real[:, :, ::1] grad_kernel,        # (taps, in_channels // groups, out_channels), added to
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[::1] taps,             # (3,): taps down, taps across, offset groups
    intp_t n_channels,                  # of a block, at most those of an offset group
    intp_t block,                       # outputs that are summed at once
    intp_t step,                        # as many, in whole vectors
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Add the gradients of the kernel to `grad_kernel`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_taps = grad_kernel.shape[0]
        intp_t n_blocks = (images.shape[3] // taps[OFFSET_GROUPS] + n_channels - 1) // n_channels
        intp_t task
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_taps * taps[OFFSET_GROUPS] * n_blocks, schedule="dynamic"):
            sum_tap(mk, images, grad, offsets, mask, grad_kernel, geometry, taps, n_channels, block,
                    step, task // n_blocks, task % n_blocks * n_channels,
                    aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef inline void pack_panel(
    const real[:, :, ::1] kernel, real[:, ::1] panels, const intp_t[:, :, ::1] units,
    intp_t unit_channels, intp_t unit, intp_t first, intp_t n_columns, intp_t lanes,
) noexcept nogil:
    """Write the panel of a unit that begins with the column `first`; what has no weights is 0."""
    cdef:
        intp_t width = lanes if n_columns - first <= lanes else 2 * lanes
        intp_t depth = panels.shape[1] // lanes_padded(n_columns, lanes) - 1
        const intp_t* form = &units[unit // units.shape[1], unit % units.shape[1], 0]
        real* panel = &panels[unit, 0] + (1 + depth) * first
        intp_t column, tap, channel, k
        const real* weights

    memset(panel, 0, (1 + depth) * width * sizeof(real))
    for column in range(first, min(first + width, n_columns)):
        tap = form[TAP] + column // unit_channels
        channel = form[CHANNEL] + column % unit_channels
        if form[N_TAPS] > 0 and channel < kernel.shape[1]:
            weights = &kernel[tap, channel, form[GRAD_CHANNEL]]
            for k in range(depth):
                panel[(1 + k) * width + column - first] = weights[k]


cdef void differentiate_points(
    const microkernels* mk, const real[:, :, :, :] images, const real[:, :, :, ::1] grad,
    const real[:, ::1] panels, const intp_t[:, :, ::1] units, intp_t unit_channels,
    const real[:, :, ::1] offsets, const real[:, :, ::1] mask, real[:, :, ::1] grad_offsets,
    real[:, :, ::1] grad_mask, const intp_t[:, ::1] geometry, const intp_t[::1] taps,
    intp_t block, intp_t run, intp_t step, intp_t image, intp_t begin, intp_t end, char* room,
) noexcept nogil:
    """Write what belongs to the points of the outputs `begin` to `end` of an image."""
    cdef:
        intp_t channels = images.shape[3]
        intp_t groups = taps[OFFSET_GROUPS]
        intp_t group_size = channels // groups
        intp_t n_points = offsets.shape[2] // 2
        intp_t n_taps = n_points // groups
        intp_t width = grad.shape[2]
        intp_t pixel = begin
        intp_t length, together, i, group, point
        points_t points = cut_points[real](&room, n_points, n_points, run, step, NULL)
        real* sums = <real*> cut(&room, 4 * step * sizeof(real))
        real* outside = <real*> cut(&room, channels * sizeof(real))
        real* columns = <real*> cut(&room, block * n_taps * channels * sizeof(real))
        sampled_image source = sampled(
            <intptr_t> &images[image, 0, 0, 0], images.shape[1], images.shape[2],
            images.strides[1], images.strides[2], outside, True)

    memset(outside, 0, channels * sizeof(real))
    place_taps(&points, geometry, taps)
    grad_of_columns(mk, grad, panels, units, unit_channels, 0, image, begin, end,
                    n_taps * channels, columns, room)
    while pixel < end:
        length = run_length(&points, pixel, end, width)
        locate_run(mk, &points, &source, geometry, pixel, length, width, &offsets[image, 0, 0],
                   <const real*> NULL, True)
        # Points of one offset group stand one after the other, and so do their columns.
        together = length if groups == 1 else 1
        for i in range(length // together):
            for group in range(groups):
                point = group * n_taps
                corner_products(mk, &points, i * n_points + point, together * n_taps,
                                group * group_size, group_size, columns + group * group_size,
                                channels, sums)
                finish_points(&points, i * n_points + point, together * n_taps, sums,
                              &mask[image, pixel + i, point] if mask.shape[0] else NULL,
                              &grad_offsets[image, pixel + i, 2 * point]
                              if grad_offsets.shape[0] else NULL,
                              &grad_mask[image, pixel + i, point] if grad_mask.shape[0] else NULL)
            columns += together * n_taps * channels
        pixel += length


cdef inline void finish_points(
    const points_t* points, intp_t first, intp_t n, const real* sums, const real* mask,
    real* grad_offsets, real* grad_mask,
) noexcept nogil:
    """Turn inner products with the pixels around n points into the gradients of these points.

    Between its four pixels a value is bilinear; on their edges the pixels after the point count.
    """
    cdef:
        const real* down = <const real*> points.fractions + first
        const real* across = <const real*> points.fractions + points.step + first
        real y, x, factor
        intp_t i

    for i in range(n):
        y = down[i]
        x = across[i]
        if grad_offsets != NULL:
            factor = mask[i] if mask != NULL else 1
            grad_offsets[2 * i] = factor * mixed(x, sums[2] - sums[0], sums[3] - sums[1])
            grad_offsets[2 * i + 1] = factor * mixed(y, sums[1] - sums[0], sums[3] - sums[2])
            if y != y or x != x:
                grad_offsets[2 * i] = y + x
                grad_offsets[2 * i + 1] = y + x
        if grad_mask != NULL:
            grad_mask[i] = mixed(y, mixed(x, sums[0], sums[1]), mixed(x, sums[2], sums[3]))
        sums += 4


cdef inline real mixed(real fraction, real first, real second) noexcept nogil:
    """Return a value between two; one that weighs nothing is not looked at."""
    if fraction == 0:
        return first
    return (1 - fraction) * first + fraction * second


cdef void scatter_channels(
    const microkernels* mk, const real[:, :, :, ::1] grad, const real[:, ::1] panels,
    const intp_t[:, :, ::1] units, intp_t unit_channels, const real[:, :, ::1] offsets,
    const real[:, :, ::1] mask, real[:, :, :, ::1] grad_images,
    const intp_t[:, ::1] geometry, const intp_t[::1] taps,
    intp_t n_channels, intp_t block, intp_t run, intp_t step, intp_t image, intp_t part, char* room,
) noexcept nogil:
    """Write a block of channels of the gradient of one image."""
    cdef:
        intp_t channels = grad_images.shape[3]
        intp_t group_size = channels // taps[OFFSET_GROUPS]
        intp_t n_taps = offsets.shape[2] // 2 // taps[OFFSET_GROUPS]
        intp_t first = part * n_channels
        intp_t last = min(first + n_channels, channels)
        intp_t first_group = first // group_size
        intp_t n_groups = (last - 1) // group_size + 1 - first_group
        intp_t width = grad.shape[2]
        intp_t n_pixels = grad.shape[1] * width
        intp_t pixel, begin, end, length, together, i, group, low, high
        points_t points = cut_points[real](
            &room, offsets.shape[2] // 2, n_groups * n_taps, run, step, NULL)
        real* outside = <real*> cut(&room, channels * sizeof(real))
        real* columns = <real*> cut(&room, block * n_taps * n_channels * sizeof(real))
        real* column
        sampled_image target = sampled(
            <intptr_t> &grad_images[image, 0, 0, 0], grad_images.shape[1], grad_images.shape[2],
            grad_images.strides[1], grad_images.strides[2], outside, False)

    for i in range(grad_images.shape[1] * grad_images.shape[2]):
        memset(&grad_images[image, 0, 0, 0] + i * channels + first, 0,
               (last - first) * sizeof(real))
    memset(outside, 0, channels * sizeof(real))
    points.first = first_group * n_taps
    place_taps(&points, geometry, taps)
    begin = 0
    while begin < n_pixels:
        end = min(begin + block, n_pixels)
        grad_of_columns(mk, grad, panels, units, unit_channels, part, image, begin, end,
                        n_taps * n_channels, columns, room)
        column = columns
        pixel = begin
        while pixel < end:
            length = run_length(&points, pixel, end, width)
            locate_run(mk, &points, &target, geometry, pixel, length, width, &offsets[image, 0, 0],
                       &mask[image, 0, 0] if mask.shape[0] else NULL, False)
            together = length if n_groups == 1 else 1
            for i in range(length // together):
                for group in range(n_groups):
                    low = max(first, (first_group + group) * group_size)
                    high = min(last, (first_group + group + 1) * group_size)
                    scatter(mk, &points, (i * n_groups + group) * n_taps, together * n_taps, low,
                            high - low, column + low - first, n_channels)
                column += together * n_taps * n_channels
            pixel += length
        begin = end


cdef inline void grad_of_columns(
    const microkernels* mk, const real[:, :, :, ::1] grad, const real[:, ::1] panels,
    const intp_t[:, :, ::1] units, intp_t unit_channels, intp_t part, intp_t image, intp_t begin,
    intp_t end, intp_t pitch, real* columns, char* room,
) noexcept nogil:
    """Write the gradients of the columns of a block of channels, for some outputs."""
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t width = lanes_padded(units[0, 0, N_TAPS] * unit_channels, lanes)
        intp_t depth = panels.shape[1] // width - 1
        intp_t* places = <intp_t*> cut(&room, depth * sizeof(intp_t))
        const real** rows = <const real**> cut(&room, (end - begin) * sizeof(intp_t))
        real** out_rows = <real**> cut(&room, (end - begin) * sizeof(intp_t))
        real* spare = <real*> room
        const real* first = &grad[image, 0, 0, 0]
        intp_t unit, n, i

    for i in range(depth):
        places[i] = i
    for unit in range(units.shape[1]):
        n = units[part, unit, N_TAPS] * unit_channels
        if n == 0:
            break
        for i in range(end - begin):
            rows[i] = first + (begin + i) * grad.shape[3] + units[part, unit, GRAD_CHANNEL]
            out_rows[i] = columns + i * pitch + units[part, unit, COLUMN]
        multiply_panels(
            mk, end - begin, rows, depth, places, &panels[part * units.shape[1] + unit, 0],
            <const real*> NULL, 0, n, 0, (n + 2 * lanes - 1) // (2 * lanes), 0, False, out_rows,
            spare)


cdef inline intp_t lanes_padded(intp_t n, intp_t lanes) noexcept nogil:
    """Return the values of as many whole vectors as n values need."""
    return (n + lanes - 1) // lanes * lanes


cdef void sum_tap(
    const microkernels* mk, const real[:, :, :, :] images, const real[:, :, :, ::1] grad,
    const real[:, :, ::1] offsets, const real[:, :, ::1] mask, real[:, :, ::1] grad_kernel,
    const intp_t[:, ::1] geometry, const intp_t[::1] taps, intp_t n_channels, intp_t block,
    intp_t step, intp_t point, intp_t first, char* room,
) noexcept nogil:
    """Add to a block of channels of one tap: those from `first` on of the point's offset group."""
    cdef:
        intp_t channels = images.shape[3]
        intp_t group_size = channels // taps[OFFSET_GROUPS]
        intp_t n_taps = taps[TAPS_DOWN] * taps[TAPS_ACROSS]
        intp_t n = min(n_channels, group_size - first)
        intp_t channel = point // n_taps * group_size + first
        intp_t group_in = grad_kernel.shape[1]
        intp_t group_out = grad.shape[3] // (channels // group_in)
        intp_t row = lanes_padded(group_out, n_lanes[real](mk, NULL))
        intp_t width = grad.shape[2]
        intp_t n_pixels = grad.shape[1] * width
        intp_t image, begin, end, pixel, length, c
        points_t points = cut_points[real](&room, offsets.shape[2] // 2, 1, block, step, NULL)
        real* outside = <real*> cut(&room, channels * sizeof(real))
        real* columns = <real*> cut(&room, block * n_channels * sizeof(real))
        real* sums = <real*> cut(&room, n_channels * row * sizeof(real))
        real* column
        sampled_image source

    memset(outside, 0, channels * sizeof(real))
    memset(sums, 0, n * row * sizeof(real))
    for c in range(n):
        memcpy(sums + c * row, &grad_kernel[point % n_taps, (channel + c) % group_in,
                                            (channel + c) // group_in * group_out],
               group_out * sizeof(real))
    points.first = point
    place_taps(&points, geometry, taps)
    for image in range(grad.shape[0]):
        source = sampled(
            <intptr_t> &images[image, 0, 0, 0], images.shape[1], images.shape[2],
            images.strides[1], images.strides[2], outside, False)
        begin = 0
        while begin < n_pixels:
            end = min(begin + block, n_pixels)
            column = columns
            pixel = begin
            while pixel < end:
                length = run_length(&points, pixel, end, width)
                locate_run(mk, &points, &source, geometry, pixel, length, width,
                           &offsets[image, 0, 0], &mask[image, 0, 0] if mask.shape[0] else NULL,
                           False)
                sample_points(mk, &points, 0, length, channel, n, column, n)
                column += length * n
                pixel += length
            add_products(mk, columns, n, channel, group_in, &grad[image, 0, 0, 0] +
                         begin * grad.shape[3], end - begin, grad.shape[3], group_out, sums, room)
            begin = end
    for c in range(n):
        memcpy(&grad_kernel[point % n_taps, (channel + c) % group_in,
                            (channel + c) // group_in * group_out],
               sums + c * row, group_out * sizeof(real))


cdef inline void add_products(
    const microkernels* mk, const real* columns, intp_t n, intp_t channel, intp_t group_in,
    const real* grad, intp_t n_pixels, intp_t out_channels, intp_t group_out, real* sums,
    char* room,
) noexcept nogil:
    """Add the sums over some outputs of columns times gradients, for n neighbouring channels.

    The channels of each convolution group see the gradients of their own group, which are copied
    where they do not fill whole vectors.
    """
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t row = lanes_padded(group_out, lanes)
        intp_t begin = 0
        intp_t end, i, width, first, step = out_channels
        intp_t* places = <intp_t*> cut(&room, n_pixels * sizeof(intp_t))
        const real** rows = <const real**> cut(&room, n * sizeof(intp_t))
        real** out_rows = <real**> cut(&room, n * sizeof(intp_t))
        real* packed = <real*> room
        const real* weights

    for i in range(n_pixels):
        places[i] = i * n
    for i in range(n):
        rows[i] = columns + i
        out_rows[i] = sums + i * row
    while begin < n:
        end = min(n, ((channel + begin) // group_in + 1) * group_in - channel)
        weights = grad + (channel + begin) // group_in * group_out
        if row > group_out:
            for i in range(n_pixels):
                memcpy(packed + i * row, weights + i * out_channels, group_out * sizeof(real))
                memset(packed + i * row + group_out, 0, (row - group_out) * sizeof(real))
            weights = packed
            step = row
        first = 0
        while first < row:
            width = min(2 * lanes, row - first)
            multiply_panel(mk, end - begin, rows + begin, n_pixels, places, <const real*> NULL,
                           weights + first, step, width // lanes, width, 0, False,
                           out_rows + begin, first, <real*> NULL)
            first += width
        begin = end


cdef inline void corner_products(
    const microkernels* mk, const points_t* points, intp_t first, intp_t n, intp_t channel,
    intp_t n_channels, const real* values, intp_t values_step, real* sums,
) noexcept nogil:
    if real is float32_t:
        mk.corner_products_f32(n, n_channels, points.corners + first, points.step, channel, values,
                               values_step, sums)
    else:
        mk.corner_products_f64(n, n_channels, points.corners + first, points.step, channel, values,
                               values_step, sums)


cdef inline void scatter(
    const microkernels* mk, const points_t* points, intp_t first, intp_t n, intp_t channel,
    intp_t n_channels, const real* values, intp_t values_step,
) noexcept nogil:
    if real is float32_t:
        mk.scatter_f32(n, n_channels, points.corners + first, <real*> points.weights + first,
                       points.step, channel, values, values_step)
    else:
        mk.scatter_f64(n, n_channels, points.corners + first, <real*> points.weights + first,
                       points.step, channel, values, values_step)
