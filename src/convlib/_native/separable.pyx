"""Convolutions in steps, block by block: what is between two steps stays in cache.

`depthwise_pointwise` computes a block of outputs of a stencil and multiplies its pixels with the
panels. `passes` goes along one axis after the other: a task is a slab of the first axis, whole on
the others, so that nothing is computed twice. Each step writes a map of its own thread, which the
next step reads as an image. The steps are those of conv_stencil and conv_pointwise, to the bit.
"""
from cython.parallel cimport parallel, prange

from .band cimport n_blocks
from .conv_stencil cimport block_t, compute_block, plan_t, steps_t
from .cpu cimport kernels, microkernels
from .geometry cimport input_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport can_stream, multiply_panels, n_lanes, stream_fence
from .scratch cimport aligned, cut
from .types cimport intp_t, real


def depthwise_pointwise(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] weights,         # of the stencil
    const real[:, ::1] panels,          # (1, panels), see panels.pyx, or ...
    const real[::1] bias,               # ... (1, weights as they are), if there is a bias
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] geometry,      # (3, 4), of the stencil
    const intp_t[::1] numbers,          # plan_t of the stencil
    int padding_mode,
    int between,                        # activation of the stencil
    int activation,
    bint in_place,                      # read pixels where they stand
    bint streams,                       # whether `out` is larger than the caches
    intp_t channels,                    # between the steps
    intp_t pitch,                       # values between their pixels
    intp_t n_parts,                     # into which the panels are cut
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the separable convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        const plan_t* plan = <const plan_t*> &numbers[0]
        intp_t n_tasks = n_parts * out.shape[0] * n_blocks(out.shape[1], plan.z_block) \
            * n_blocks(out.shape[2], plan.y_block) * n_blocks(out.shape[3], plan.x_block)
        intp_t task
        uint64_t mode = 0

    streams = streams and can_stream(out, 1, activation)
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_block(mk, images, weights, panels, bias, out, geometry, plan, padding_mode,
                           between, activation, in_place, streams, channels, pitch, n_parts, task,
                           aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void convolve_block(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] weights,
    const real[:, ::1] panels, const real[::1] bias, real[:, :, :, :, ::1] out,
    const intp_t[:, ::1] geometry, const plan_t* plan, int padding_mode, int between,
    int activation, bint in_place, bint streams, intp_t channels, intp_t pitch, intp_t n_parts,
    intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        block_t block = block_of(task // n_parts, out, geometry, plan)
        intp_t most = plan.z_block * plan.y_block * plan.x_block
        intp_t n = block.depth * block.height * block.width
        intp_t n_panels = n_blocks(out.shape[4], 2 * n_lanes[real](mk, NULL))
        intp_t part = task % n_parts
        real* maps = <real*> cut(&room, most * pitch * sizeof(real))
        intp_t* offsets = <intp_t*> cut(&room, channels * sizeof(intp_t))
        const real** rows = <const real**> cut(&room, most * sizeof(intp_t))
        real** out_rows = <real**> cut(&room, most * sizeof(intp_t))
        real* spare = <real*> cut(&room, mk.max_rows * 2 * n_lanes[real](mk, NULL) * sizeof(real))
        intp_t i, line
        steps_t steps

    steps.pixel = pitch
    steps.row = block.width * pitch
    steps.plane = block.height * steps.row
    compute_channels(mk, images, weights, &block, plan, padding_mode, between, in_place, maps,
                     &steps, room)
    for i in range(channels):
        offsets[i] = i
    for i in range(n):
        line = i // block.width
        rows[i] = maps + i * pitch
        out_rows[i] = &out[block.image, block.z + line // block.height,
                           block.y + line % block.height, block.x + i % block.width, 0]
    multiply_panels(
        mk, n, rows, channels, offsets, &panels[0, 0], &bias[0] if bias.shape[0] else NULL,
        out.shape[4], out.shape[4], part * n_panels // n_parts, (part + 1) * n_panels // n_parts,
        activation, streams, out_rows, spare)
    if streams:
        stream_fence()


cdef inline block_t block_of(
    intp_t number, real[:, :, :, :, ::1] out, const intp_t[:, ::1] geometry, const plan_t* plan,
) noexcept nogil:
    """Return the block of a number, for all channels."""
    cdef:
        block_t block
        intp_t n_z = n_blocks(out.shape[1], plan.z_block)
        intp_t n_y = n_blocks(out.shape[2], plan.y_block)
        intp_t n_x = n_blocks(out.shape[3], plan.x_block)
    block.x = number % n_x * plan.x_block
    block.y = number // n_x % n_y * plan.y_block
    block.z = number // (n_x * n_y) % n_z * plan.z_block
    block.image = number // (n_x * n_y * n_z)
    block.depth = min(plan.z_block, out.shape[1] - block.z)
    block.height = min(plan.y_block, out.shape[2] - block.y)
    block.width = min(plan.x_block, out.shape[3] - block.x)
    place(&block, geometry)
    return block


cdef inline void place(block_t* block, const intp_t[:, ::1] geometry) noexcept nogil:
    """Write which pixel stands under the first output of a block."""
    block.z0 = input_of(geometry, 0, block.z)
    block.y0 = input_of(geometry, 1, block.y)
    block.x0 = input_of(geometry, 2, block.x)


cdef inline void compute_channels(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] weights,
    block_t* block, const plan_t* plan, int padding_mode, int activation, bint in_place,
    real* out, const steps_t* steps, char* room,
) noexcept nogil:
    """Write a block, some channels after others."""
    cdef intp_t part
    for part in range(plan.width // plan.part):
        block.channel = part * plan.part
        block.n_channels = plan.last if part == plan.width // plan.part - 1 else plan.part
        compute_block(mk, images, weights, block, plan, padding_mode, activation, in_place, False,
                      out + block.channel, steps, room)


def passes(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    tuple weights,                      # of each step, two or three: (n_vectors, ...)
    tuple maps,                         # between them: (n_threads, slab of an image, channels)
    real[:, :, :, :, :] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, :, ::1] geometry,   # (steps, 3, 4)
    const intp_t[:, ::1] numbers,       # (steps, plan_t)
    const unsigned char[::1] in_place,  # for each step
    int padding_mode,
    int activation,
    intp_t axis,                        # the first of images, along which slabs lie
    intp_t slab,                        # outputs along it in a task
    unsigned char[:, ::1] scratch,      # (n_threads, bytes for a block of any step)
):
    """Write the convolution along one axis after the other to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        const real[:, ::1] first = weights[0]
        const real[:, ::1] second = weights[1]
        const real[:, ::1] third = weights[len(weights) - 1]
        real[:, :, :, :, :] low = maps[0]
        real[:, :, :, :, :] high = maps[len(maps) - 1]
        bint has_third = len(weights) == 3
        intp_t n_slabs = n_blocks(out.shape[1 + axis], slab)
        intp_t n_tasks = out.shape[0] * n_slabs
        intp_t task
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_slab(mk, images, first, second, third, low, high, out, geometry, numbers,
                          &in_place[0], padding_mode, activation, axis, task // n_slabs,
                          task % n_slabs * slab, slab, has_third, thread_id(),
                          aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void convolve_slab(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] first,
    const real[:, ::1] second, const real[:, ::1] third, real[:, :, :, :, :] low,
    real[:, :, :, :, :] high, real[:, :, :, :, :] out, const intp_t[:, :, ::1] geometry,
    const intp_t[:, ::1] numbers, const unsigned char* in_place, int padding_mode, int activation,
    intp_t axis, intp_t image, intp_t begin, intp_t slab, bint has_third, intp_t thread,
    char* room,
) noexcept nogil:
    """Write one slab of an image, step by step."""
    cdef:
        intp_t n = min(slab, out.shape[1 + axis] - begin)
        intp_t[3] start
        intp_t[3] none
        intp_t i

    for i in range(3):
        none[i] = 0
        start[i] = begin if i == axis else 0
    convolve_step(mk, images, image, first, geometry[0], <const plan_t*> &numbers[0, 0],
                  padding_mode, 0, in_place[0], axis, n, start, low, thread, none, room)
    if has_third:
        convolve_step(mk, low, thread, second, geometry[1], <const plan_t*> &numbers[1, 0],
                      padding_mode, 0, in_place[1], axis, n, none, high, thread, none, room)
        convolve_step(mk, high, thread, third, geometry[2], <const plan_t*> &numbers[2, 0],
                      padding_mode, activation, in_place[2], axis, n, none, out, image, start, room)
    else:
        convolve_step(mk, low, thread, second, geometry[1], <const plan_t*> &numbers[1, 0],
                      padding_mode, activation, in_place[1], axis, n, none, out, image, start, room)


cdef void convolve_step(
    const microkernels* mk, const real[:, :, :, :, :] images, intp_t image,
    const real[:, ::1] weights, const intp_t[:, ::1] geometry, const plan_t* plan,
    int padding_mode, int activation, bint in_place, intp_t axis, intp_t n, const intp_t* start,
    real[:, :, :, :, :] out, intp_t out_image, const intp_t* out_start, char* room,
) noexcept nogil:
    """Write the slab of outputs from `start` on, block by block, to `out` from `out_start` on."""
    cdef:
        block_t block
        steps_t steps
        intp_t[3] size
        intp_t i, j, k, z, y, x

    for i in range(3):
        size[i] = n if i == axis else out.shape[1 + i]
    steps.pixel = out.strides[3] // <intp_t> sizeof(real)
    steps.row = out.strides[2] // <intp_t> sizeof(real)
    steps.plane = out.strides[1] // <intp_t> sizeof(real)
    block.image = image
    for i in range(n_blocks(size[0], plan.z_block)):
        for j in range(n_blocks(size[1], plan.y_block)):
            for k in range(n_blocks(size[2], plan.x_block)):
                z = i * plan.z_block
                y = j * plan.y_block
                x = k * plan.x_block
                block.z = start[0] + z
                block.y = start[1] + y
                block.x = start[2] + x
                block.depth = min(plan.z_block, size[0] - z)
                block.height = min(plan.y_block, size[1] - y)
                block.width = min(plan.x_block, size[2] - x)
                place(&block, geometry)
                compute_channels(
                    mk, images, weights, &block, plan, padding_mode, activation, in_place,
                    &out[out_image, out_start[0] + z, out_start[1] + y, out_start[2] + x, 0],
                    &steps, room)
