"""Convolution of small channel groups as a stencil: lanes over channels, taps by address.

A task is a block of output rows of one image and some of its channels. For each row of pixels
under the block there are lists of addresses: of the pixels where they stand, of a zero for those
in the padding, or of a copy. The copy is made where pixels are not dense in memory, or so far apart
that they crowd in few lines of the cache, where several outputs see one group, or where channels
do not fill a vector. `_conv/stencil.py` tells how the lists lie. Outputs that are larger than the
caches are written tile by tile to scratch, and from there past the caches.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memcpy, memset

from .band cimport n_blocks
from .border cimport border_index, fill_row
from .cpu cimport STENCIL_LARGE, STENCIL_MIDDLE, STENCIL_SMALL, kernels, microkernels, stencil
from .geometry cimport input_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport n_lanes, stream_fence
from .scratch cimport aligned, cut
from .stencil cimport repeat, stencil_fma, stream_rows
from .types cimport intp_t, real


def table(const intp_t[::1] values):
    """Return an array as a view that `conv` takes without asking for its buffer again."""
    return values


def pack(
    const real[:, :, ::1] kernel,   # (rows of taps, taps and channels of a group, out_channels)
    const real[::1] bias,           # (out_channels,)
    intp_t group,
    intp_t n_channels,              # of all lanes; those of the kernel are repeated
    real[:, ::1] weights,           # (n_vectors, (1 + taps and channels) * lanes)
):
    """Write vectors of weights, bias first; the last vector overlaps the one before."""
    cdef:
        intp_t lanes = n_lanes[real](kernels(), NULL)
        intp_t n_taps = kernel.shape[1] // group
        intp_t vector, row, tap, member, first
        real* weight

    with nogil:
        for vector in range(weights.shape[0]):
            weight = &weights[vector, 0]
            first = min(vector * lanes, n_channels - lanes)
            pick(&bias[0], bias.shape[0], first, lanes, weight)
            for row in range(kernel.shape[0]):
                for member in range(group):
                    for tap in range(n_taps):
                        weight += lanes
                        pick(&kernel[row, tap * group + member, 0], bias.shape[0], first, lanes,
                             weight)


cdef inline void pick(
    const real* values, intp_t size, intp_t first, intp_t n, real* picked,
) noexcept nogil:
    """Write n of the values, from `first` on, over and over again."""
    cdef intp_t i
    if first + n <= size:
        memcpy(picked, values + first, n * sizeof(real))
        return
    for i in range(n):
        picked[i] = values[(first + i) % size]


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] weights,         # see pack
    real[:, :, :, :, :] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4): stride, dilation, pad before, first output
    const intp_t[::1] numbers,          # see plan_t
    int padding_mode,
    int activation,
    bint in_place,                      # read pixels where they stand
    bint streams,                       # whether `out` is larger than the caches
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        const plan_t* plan = <const plan_t*> &numbers[0]
        intp_t n_tasks = plan.width // plan.part * out.shape[0] \
            * n_blocks(out.shape[1], plan.z_block) * n_blocks(out.shape[2], plan.y_block) \
            * n_blocks(out.shape[3], plan.x_block)
        intp_t task
        uint64_t mode = 0

    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            for task in range(n_tasks):
                convolve_block(mk, images, weights, out, geometry, plan, padding_mode, activation,
                               in_place, streams, task, aligned(&scratch[0, 0]))
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_block(mk, images, weights, out, geometry, plan, padding_mode, activation,
                           in_place, streams, task, aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void convolve_block(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] weights,
    real[:, :, :, :, :] out, const intp_t[:, ::1] geometry, const plan_t* plan,
    int padding_mode, int activation, bint in_place, bint streams, intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        block_t block = block_of(task, out, geometry, plan)
        steps_t steps

    steps.pixel = out.strides[3] // <intp_t> sizeof(real)
    steps.row = out.strides[2] // <intp_t> sizeof(real)
    steps.plane = out.strides[1] // <intp_t> sizeof(real)
    compute_block(mk, images, weights, &block, plan, padding_mode, activation, in_place, streams,
                  &out[block.image, block.z, block.y, block.x, block.channel], &steps, room)


cdef void compute_block(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] weights,
    const block_t* block, const plan_t* plan, int padding_mode, int activation, bint in_place,
    bint streams, real* out, const steps_t* steps, char* room,
) noexcept nogil:
    """Write a block of outputs, the first of them to the address `out`."""
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        const real** addresses = <const real**> cut(&room, plan.n_addresses * sizeof(intp_t))
        const real*** rows = <const real***> cut(&room, plan.n_rows * sizeof(intp_t))
        real* zero = <real*> cut(&room, plan.last * sizeof(real))
        real* spare = <real*> cut(&room, STENCIL_LARGE * plan.last * sizeof(real))
        real* band = <real*> cut(&room, 0 if in_place else plan.n_band * sizeof(real))
        real* line = <real*> room

    memset(zero, 0, plan.last * sizeof(real))
    fill_lists(mk, images, block, plan, padding_mode, in_place, zero, addresses, band, line)
    fill_rows(block, plan, addresses, rows)
    write_block(mk, out, steps, block, plan, activation, streams, rows,
                &weights[block.channel // lanes, 0], spare)
    if streams:
        stream_fence()


cdef inline block_t block_of(
    intp_t task, real[:, :, :, :, :] out, const intp_t[:, ::1] geometry, const plan_t* plan,
) noexcept nogil:
    cdef:
        block_t block
        intp_t n_parts = plan.width // plan.part
        intp_t part = task % n_parts
        intp_t n_z = n_blocks(out.shape[1], plan.z_block)
        intp_t n_y = n_blocks(out.shape[2], plan.y_block)
        intp_t n_x = n_blocks(out.shape[3], plan.x_block)
        intp_t rest = task // n_parts
    block.channel = part * plan.part
    block.n_channels = plan.last if part == n_parts - 1 else plan.part
    block.x = rest % n_x * plan.x_block
    block.y = rest // n_x % n_y * plan.y_block
    block.z = rest // (n_x * n_y) % n_z * plan.z_block
    block.image = rest // (n_x * n_y * n_z)
    block.depth = min(plan.z_block, out.shape[1] - block.z)
    block.height = min(plan.y_block, out.shape[2] - block.y)
    block.width = min(plan.x_block, out.shape[3] - block.x)
    block.z0 = input_of(geometry, 0, block.z)
    block.y0 = input_of(geometry, 1, block.y)
    block.x0 = input_of(geometry, 2, block.x)
    return block


cdef inline void fill_lists(
    const microkernels* mk, const real[:, :, :, :, :] images, const block_t* block,
    const plan_t* plan, int padding_mode, bint in_place, const real* zero,
    const real** addresses, real* band, real* line,
) noexcept nogil:
    """Write the addresses of the pixels under a block, and copy the pixels if they must be."""
    cdef:
        intp_t n_planes = plan.z_count - (plan.z_block - block.depth) * plan.z_shift
        intp_t n_rows = plan.y_count - (plan.y_block - block.height) * plan.y_shift
        intp_t n_in = min(block.n_channels // plan.repeats, images.shape[4])
        intp_t pitch = n_in * plan.repeats
        intp_t i, j, k, z, y
        const real* row

    for i in range(n_planes):
        z = border_index(block.z0 + i * plan.z_step, images.shape[1], padding_mode)
        for j in range(n_rows):
            y = border_index(block.y0 + j * plan.y_step, images.shape[2], padding_mode)
            row = NULL
            if z >= 0 and y >= 0:
                row = &images[block.image, z, y, 0, block.channel // plan.repeats]
            if in_place:
                for k in range(plan.phases):
                    point_at_pixels(
                        row, images.strides[3], images.shape[3], block.x0 + k * plan.origin, plan,
                        padding_mode, zero, addresses + k * plan.columns)
            else:
                for k in range(plan.phases):
                    copy_line(
                        mk, row, images.strides[3], images.strides[4], images.shape[3],
                        block.x0 + k * plan.origin, plan, padding_mode, n_in, line,
                        band + k * plan.x_count * pitch)
                point_at_copies(band, pitch, plan, addresses)
                band += plan.phases * plan.x_count * pitch
            addresses += plan.lists * plan.columns
        addresses += (plan.y_count - n_rows) * plan.lists * plan.columns


cdef inline void point_at_pixels(
    const real* row, intp_t pixel_stride, intp_t width, intp_t x0, const plan_t* plan,
    int padding_mode, const real* zero, const real** pixels,
) noexcept nogil:
    """Write the addresses of the pixels of a line; `row` is NULL in the padding."""
    cdef:
        intp_t u, x
        intp_t step = plan.x_step * pixel_stride
        # The pixels inside the image are those from `begin` to `end`.
        intp_t begin = 0 if x0 >= 0 else min((plan.x_step - 1 - x0) // plan.x_step, plan.columns)
        intp_t end = 0 if x0 >= width else min((width - 1 - x0) // plan.x_step + 1, plan.columns)

    if row == NULL:
        for u in range(plan.columns):
            pixels[u] = zero
        return
    for u in range(begin, end):
        pixels[u] = <const real*> (<const char*> row + (x0 * pixel_stride + u * step))
    u = 0
    while u < plan.columns:
        if u == begin and begin < end:
            u = end
            continue
        x = border_index(x0 + u * plan.x_step, width, padding_mode)
        pixels[u] = zero if x < 0 else <const real*> (<const char*> row + x * pixel_stride)
        u += 1


cdef inline void point_at_copies(
    const real* band, intp_t pitch, const plan_t* plan, const real** pixels,
) noexcept nogil:
    """Write the addresses of copied pixels: a list for each line, or for each tap of a row."""
    cdef intp_t k, u, begin
    for k in range(plan.lists):
        begin = k * plan.x_reach % plan.phases * plan.x_count + k * plan.x_reach // plan.phases
        for u in range(plan.columns):
            pixels[u] = band + (begin + u * plan.outputs) * pitch
        pixels += plan.columns


cdef inline void copy_line(
    const microkernels* mk, const real* row, intp_t pixel_stride, intp_t channel_stride,
    intp_t width, intp_t x0, const plan_t* plan, int padding_mode, intp_t n_in, real* line,
    real* copy,
) noexcept nogil:
    """Copy the pixels of a line, each group of channels as often as outputs see it."""
    if row == NULL:
        memset(copy, 0, plan.x_count * n_in * plan.repeats * sizeof(real))
        return
    fill_row(row, pixel_stride, channel_stride, width, x0, plan.x_step, plan.x_count,
             padding_mode, n_in, n_in, copy if plan.repeats == 1 else line)
    if plan.repeats > 1:
        repeat(mk, plan.group, plan.x_count * n_in // plan.group, plan.repeats, line, copy)


cdef inline void fill_rows(
    const block_t* block, const plan_t* plan, const real** addresses, const real*** rows,
) noexcept nogil:
    """Write, for each row of outputs and each residue, the lists under the rows of taps."""
    cdef intp_t z, y, r, i, j, k, plane, row
    for z in range(block.depth):
        for y in range(block.height):
            for r in range(plan.residues):
                for i in range(plan.z_taps):
                    plane = z * plan.z_shift + i * plan.z_reach
                    for j in range(plan.y_taps):
                        row = plane * plan.y_count + y * plan.y_shift + j * plan.y_reach
                        for k in range(plan.tap_lists):
                            rows[0] = addresses + (row * plan.lists + r + k) * plan.columns
                            rows += 1


cdef inline intp_t tile_size(intp_t n) noexcept nogil:
    """Return the pixels of the smallest tile for n."""
    return STENCIL_SMALL if n <= STENCIL_SMALL else (
        STENCIL_MIDDLE if n <= STENCIL_MIDDLE else STENCIL_LARGE)


cdef inline void write_block(
    const microkernels* mk, real* out, const steps_t* steps, const block_t* block,
    const plan_t* plan, int activation, bint streams, const real*** rows, const real* weights,
    real* spare,
) noexcept nogil:
    """Write the outputs of a block: columns of tiles, so that their pixels stay in cache."""
    cdef:
        stencil form
        intp_t n_rows = plan.z_taps * plan.y_taps * plan.tap_lists
        intp_t step = plan.residues * plan.outputs
        intp_t r, n, begin, end, row
        bint is_cut
        const real*** lists
        real* to

    form.group = plan.group
    form.n_rows = n_rows
    form.n_taps = plan.x_taps
    form.stride = plan.x_shift
    form.n_channels = block.n_channels
    form.activation = activation
    for r in range(min(plan.residues, block.width)):
        n = n_blocks(block.width - r, step)
        end = 0
        while end < n:
            begin = end
            end = min(n, begin + STENCIL_LARGE)
            begin = max(0, end - tile_size(end - begin))  # whole tiles; the last two may overlap
            for row in range(block.depth * block.height):
                lists = rows + (row * plan.residues + r) * n_rows
                to = out + row // block.height * steps.plane + row % block.height * steps.row \
                    + (r + begin * step) * steps.pixel
                is_cut = plan.outputs > 1 and end * step > block.width
                if streams or is_cut:
                    stencil_fma(mk, &form, end - begin, lists, begin, weights, spare,
                                block.n_channels)
                if is_cut:
                    memcpy(to, spare,
                           (block.width - begin * step) * steps.pixel * sizeof(real))
                elif streams:
                    stream_rows(mk, end - begin, block.n_channels, spare, to, step * steps.pixel)
                else:
                    stencil_fma(mk, &form, end - begin, lists, begin, weights, to,
                                step * steps.pixel)
