"""Transposed convolution as a product for each phase of its outputs.

With a stride s, neighbouring outputs see different taps of the kernel, and outputs s apart the
same ones: they are a phase. Outputs are counted from the first pixel of the padding on; s of them
in turn, one of each phase, are a cell. Cell q and tap t meet at the input pixel q - t * d // s, and
there the tap adds to phase t * d % s. So each phase is a dense convolution with some of the taps,
whose stride is one. No zero is put between pixels, and every output is written once.

A task is a block of cells of one image and group, and some panels of some phases. The input under
the block is copied once into a padded band for all of them; it stays in place where each cell sees
one pixel.
"""
from cython.parallel cimport parallel, prange

from .band cimport BLOCK, COUNT, fill_band, n_blocks
from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .planes cimport turn
from .product cimport can_stream, multiply_panels, n_lanes, stream_fence
from .scratch cimport aligned, cut
from .types cimport intp_t, real

# Columns of `axes`, after those of band.pxd.
cdef enum:
    STRIDE = 4
    PAD = 5      # outputs before the first
    BACK = 6     # pixels between a cell and the first that it sees
    FIRST = 7    # cell
    CELLS = 8

# Columns of `phases`, after the place in a cell along each axis.
cdef enum:
    TAPS = 3     # of the phase
    BEFORE = 4   # taps of all phases before it

cdef enum:
    COLUMNS = 64    # of a kernel that are turned in one task

cdef struct sizes_t:
    intp_t group      # input channels of a group
    intp_t pitch      # values between neighbouring pixels of a band
    intp_t block      # cells of a task
    intp_t band       # values
    intp_t n_parts    # into which the panels of all phases are cut

cdef struct cells_t:
    # What a task covers.
    intp_t image
    intp_t[3] first   # cell
    intp_t[3] size    # cells


def conv(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, in_channels)
    const real[:, ::1] panels,          # (groups, panels of a group, phase by phase), see pack
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, out_channels)
    const intp_t[:, ::1] axes,          # (3, 9): see above
    const intp_t[:, ::1] phases,        # (n_phases, 5): see above
    const intp_t[:, ::1] taps,          # (n_taps, 3): pixels between a tap's and the cell's
    int activation,
    bint streams,                       # whether `out` is larger than the caches
    bint in_place,                      # whether cells see one pixel, channels side by side
    intp_t group_size,                  # these five: see sizes_t
    intp_t pitch,
    intp_t block,
    intp_t band_size,
    intp_t n_parts,
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the transposed convolution of `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        sizes_t sizes = sizes_t(group_size, pitch, block, band_size, n_parts)
        intp_t n_tasks = out.shape[0] * panels.shape[0] * n_parts
        intp_t task, axis
        char* room
        uint64_t mode = 0

    for axis in range(3):
        n_tasks *= n_blocks(axes[axis, CELLS], axes[axis, BLOCK])
    streams = streams and can_stream(out, panels.shape[0], activation)
    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            room = aligned(&scratch[0, 0])
            fill_offsets(axes, taps, sizes, <intp_t*> room)
            for task in range(n_tasks):
                convolve_block(mk, images, panels, out, axes, phases, taps, activation, streams,
                               in_place, sizes, task, room)
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        room = aligned(&scratch[thread_id(), 0])
        fill_offsets(axes, taps, sizes, <intp_t*> room)
        for task in prange(n_tasks, schedule="dynamic"):
            convolve_block(mk, images, panels, out, axes, phases, taps, activation, streams,
                           in_place, sizes, task, room)
        restore_denormals(mode)


def pack(
    const real[:, :, ::1] kernel,    # (n_taps, output channels of a group, in_channels)
    const real[::1] bias,            # (out_channels,)
    const intp_t[:, ::1] phases,     # (n_phases, 5): see above
    const intp_t[::1] order,         # (n_taps,): the taps, phase by phase
    real[:, ::1] panels,             # (groups, (n_phases + n_taps * group_size) * padded channels)
    int n_threads,
):
    """Write the panels of each phase as panels.pyx does. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_panels = (kernel.shape[1] + 2 * lanes - 1) // (2 * lanes)
        intp_t task

    for task in prange(panels.shape[0] * phases.shape[0] * n_panels, nogil=True,
                       num_threads=n_threads, schedule="dynamic"):
        pack_panel(mk, kernel, bias, phases, order, panels, task // (phases.shape[0] * n_panels),
                   task // n_panels % phases.shape[0], task % n_panels)


def swap(
    const real[:, :, ::1] kernel,    # (n_taps, output channels of a group, in_channels)
    const intp_t[::1] order,         # (n,): the taps that are wanted
    real[:, :, ::1] swapped,         # (n, input channels of a group, out_channels)
    int n_threads,
):
    """Write the kernel of the convolution that sees some taps. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t groups = kernel.shape[2] // swapped.shape[1]
        intp_t n_parts = (kernel.shape[1] + COLUMNS - 1) // COLUMNS
        intp_t task

    for task in prange(order.shape[0] * groups * n_parts, nogil=True, num_threads=n_threads,
                       schedule="dynamic"):
        swap_columns(mk, kernel, order, swapped, task // (groups * n_parts),
                     task // n_parts % groups, task % n_parts * COLUMNS)


cdef void convolve_block(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] panels,
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] axes, const intp_t[:, ::1] phases,
    const intp_t[:, ::1] taps, int activation, bint streams, bint in_place, sizes_t sizes,
    intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        intp_t groups = panels.shape[0]
        intp_t group_out = out.shape[4] // groups
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_panels = (group_out + 2 * lanes - 1) // (2 * lanes)
        intp_t n_columns = (group_out + lanes - 1) // lanes * lanes
        intp_t part = task % sizes.n_parts
        intp_t group = task // sizes.n_parts % groups
        cells_t cells = cells_of(task // (sizes.n_parts * groups), axes)
        intp_t number = part * phases.shape[0] * n_panels // sizes.n_parts
        intp_t end = (part + 1) * phases.shape[0] * n_panels // sizes.n_parts
        intp_t* offsets = <intp_t*> cut(&room, taps.shape[0] * sizes.group * sizeof(intp_t))
        const real** rows = <const real**> cut(&room, sizes.block * sizeof(intp_t))
        real** out_rows = <real**> cut(&room, sizes.block * sizeof(intp_t))
        real* band = <real*> cut(&room, sizes.band * sizeof(real))
        real* spare = <real*> room
        intp_t[3] steps    # bytes between cells in the band, or in the image
        intp_t phase, first, n, last
        const real* corner = band

    if in_place:
        corner = &images[cells.image, cells.first[0], cells.first[1], cells.first[2],
                         group * sizes.group]
        for n in range(3):
            steps[n] = images.strides[1 + n]
    else:
        fill_band(images, cells.image, cells.first[0] - axes[0, BACK],
                  cells.first[1] - axes[1, BACK], cells.first[2] - axes[2, BACK], axes,
                  cells.size[1] + axes[1, BACK], 0, group * sizes.group, sizes.group, sizes.pitch,
                  band)
        steps[2] = sizes.pitch * sizeof(real)
        steps[1] = steps[2] * axes[2, COUNT]
        steps[0] = steps[1] * axes[1, COUNT]
    while number < end:
        phase = number // n_panels
        first = number % n_panels
        last = min(n_panels, first + end - number)
        n = gather(out, axes, &cells, &phases[phase, 0], group * group_out, corner, steps, rows,
                   out_rows)
        multiply_panels(
            mk, n, rows, phases[phase, TAPS] * sizes.group,
            offsets + phases[phase, BEFORE] * sizes.group,
            &panels[group, 0] + (phase + phases[phase, BEFORE] * sizes.group) * n_columns, NULL,
            0, group_out, first, last, activation, streams, out_rows, spare)
        number += last - first
    if streams:
        stream_fence()


cdef inline cells_t cells_of(intp_t number, const intp_t[:, ::1] axes) noexcept nogil:
    """Return the cells of the block of a number; the last axis varies fastest."""
    cdef:
        cells_t cells
        intp_t axis, n, begin
    for axis in range(2, -1, -1):
        n = n_blocks(axes[axis, CELLS], axes[axis, BLOCK])
        begin = number % n * axes[axis, BLOCK]
        cells.first[axis] = axes[axis, FIRST] + begin
        cells.size[axis] = min(axes[axis, BLOCK], axes[axis, CELLS] - begin)
        number = number // n
    cells.image = number
    return cells


cdef inline void fill_offsets(
    const intp_t[:, ::1] axes, const intp_t[:, ::1] taps, sizes_t sizes, intp_t* offsets,
) noexcept nogil:
    """Write where the operands of a cell lie from its first pixel on, phase by phase."""
    cdef intp_t tap, c, pixel

    for tap in range(taps.shape[0]):
        pixel = axes[2, BACK] - taps[tap, 2] + axes[2, COUNT] * (
            axes[1, BACK] - taps[tap, 1] + axes[1, COUNT] * (axes[0, BACK] - taps[tap, 0]))
        for c in range(sizes.group):
            offsets[c] = pixel * sizes.pitch + c
        offsets += sizes.group


cdef inline intp_t gather(
    real[:, :, :, :, ::1] out, const intp_t[:, ::1] axes, const cells_t* cells,
    const intp_t* phase, intp_t channel, const real* corner, const intp_t* steps,
    const real** rows, real** out_rows,
) noexcept nogil:
    """Write the addresses of the cells and of their outputs in a phase; return their number.

    Cells at the ends may not have all phases.
    """
    cdef:
        intp_t[3] begin
        intp_t[3] end
        intp_t[3] output    # of the first cell of the block, perhaps before the first output
        intp_t pixel_step = axes[2, STRIDE] * out.strides[3] // <intp_t> sizeof(real)
        intp_t n = 0
        intp_t axis, i, j, k
        const char* row
        real* target

    for axis in range(3):
        output[axis] = cells.first[axis] * axes[axis, STRIDE] + phase[axis] - axes[axis, PAD]
        begin[axis] = 1 if output[axis] < 0 else 0
        end[axis] = min(cells.size[axis],
                        n_blocks(out.shape[1 + axis] - output[axis], axes[axis, STRIDE]))
    if begin[2] >= end[2]:
        return 0
    for i in range(begin[0], end[0]):
        for j in range(begin[1], end[1]):
            row = <const char*> corner + i * steps[0] + j * steps[1]
            target = &out[cells.image, output[0] + i * axes[0, STRIDE],
                          output[1] + j * axes[1, STRIDE],
                          output[2] + begin[2] * axes[2, STRIDE], channel]
            for k in range(end[2] - begin[2]):
                rows[n + k] = <const real*> (row + (begin[2] + k) * steps[2])
                out_rows[n + k] = target + k * pixel_step
            n += end[2] - begin[2]
    return n


cdef inline void pack_panel(
    const microkernels* mk, const real[:, :, ::1] kernel, const real[::1] bias,
    const intp_t[:, ::1] phases, const intp_t[::1] order, real[:, ::1] panels, intp_t group,
    intp_t phase, intp_t panel,
) noexcept nogil:
    cdef:
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t group_size = kernel.shape[2] // panels.shape[0]
        intp_t group_out = kernel.shape[1]
        intp_t first = panel * 2 * lanes
        intp_t n_columns = min(group_out - first, 2 * lanes)
        intp_t width = lanes if n_columns <= lanes else 2 * lanes
        intp_t n_taps = phases[phase, TAPS]
        intp_t before = phases[phase, BEFORE]
        intp_t tap, k, j
        real* row = &panels[group, 0] + (phase + before * group_size) * (
            (group_out + lanes - 1) // lanes * lanes) + (1 + n_taps * group_size) * first

    for j in range(width):
        row[j] = bias[group * group_out + first + j] if j < n_columns else 0
    for tap in range(n_taps):
        row += width
        turn(mk, n_columns, group_size,
             &kernel[order[before + tap], first, group * group_size], kernel.shape[2], row, width)
        if n_columns < width:
            for k in range(group_size):
                for j in range(n_columns, width):
                    row[k * width + j] = 0
        row += (group_size - 1) * width


cdef inline void swap_columns(
    const microkernels* mk, const real[:, :, ::1] kernel, const intp_t[::1] order,
    real[:, :, ::1] swapped, intp_t tap, intp_t group, intp_t first,
) noexcept nogil:
    cdef intp_t n = min(<intp_t> COLUMNS, kernel.shape[1] - first)
    turn(mk, n, swapped.shape[1], &kernel[order[tap], first, group * swapped.shape[1]],
         kernel.shape[2], &swapped[tap, 0, group * kernel.shape[1] + first], swapped.shape[2])
