"""Filters by order of values: networks, medians and extremes, with lanes over pixels.

A task is a block of outputs. The lines under it are found or copied once; then row by row each
output is selected from lines that begin where its taps do. A network is a program of stages, see
`convlib._filters._networks`: each sorts values of the lines before it into lines of its own, which
neighbouring windows share, and the last leaves the output.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memcpy

from .cpu cimport exchange, kernels, microkernels, rank_kernels
from .omp cimport thread_id
from .product cimport stream_fence
from .rank_lines cimport (
    CHANNELS, STREAM, block_of, block_t, count_tasks, fill_constant, fill_lines,
)
from .scratch cimport aligned, cut
from .types cimport float32_t, intp_t

# How an output is selected.
cdef enum:
    NETWORK = 0
    MEDIAN_3 = 1
    MEDIAN_5 = 2
    LARGEST = 3
    SMALLEST = 4
    LARGEST_OF_BOX = 5    # shared down the rows and across the columns
    SMALLEST_OF_BOX = 6

# Columns of the stages of a program.
cdef enum:
    REACH = 0             # pixels beyond the outputs
    FIRST_SLOT = 1
    FIRST_EXCHANGE = 2
    FIRST_CHOSEN = 3

# Rows of a fold, as in `convlib.ops._windows`.
cdef enum:
    FIRST_LEVEL = 1


cdef struct sizes_t:
    intp_t line_bytes
    intp_t n_lines        # of the image under a block
    intp_t n_levels       # of folded rows, and at least those of columns
    intp_t n_own_lines    # of a program
    intp_t n_addresses    # of what is reduced or selected together
    intp_t network_bytes


cdef struct room_t:
    # A thread's scratch.
    char* constant_line
    char* target
    const char** lines
    const char** addresses
    unsigned char* has_nan
    char* network
    char* own_lines
    char* folded
    char* band


def rank_filter(
    const unsigned char[:, :, :, ::1] images,   # (stack, planes, height, bytes of a row)
    unsigned char[:, :, :, ::1] out,            # the same
    int pixel_type,
    int kind,
    const intp_t[::1] form,                     # see rank_lines.pxd
    const intp_t[:, ::1] planes,                # (planes, n) those in a window, -1 for a constant
    const unsigned char[::1] constant,          # one pixel with its channels
    const intp_t[:, ::1] rows,                  # (n, 2) plane and row of each row of the window
    const intp_t[:, ::1] taps,                  # (n, 2) row and column of each tap
    const int[:, ::1] stages,                   # (n + 1, 4) of the program; the last row is its end
    const int[:, ::1] slots,                    # (n, 2) row or line, and columns from the output
    const unsigned short[:, ::1] exchanges,     # (n, 3)
    const unsigned short[::1] chosen,           # slots that become lines, and last the output
    const intp_t[:, ::1] row_fold,              # of boxes
    const intp_t[:, ::1] column_fold,
    const intp_t[::1] size_list,                # see sizes_t
    unsigned char[:, ::1] scratch,              # (n_threads, bytes of the pieces of room_t)
):
    """Write the filtered `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = count_tasks(out, form)
        sizes_t sizes = sizes_t(size_list[0], size_list[1], size_list[2], size_list[3],
                                size_list[4], size_list[5])
        room_t room
        intp_t task
        int n_threads = <int> scratch.shape[0]

    with nogil, parallel(num_threads=n_threads):
        room = cut_room(&sizes, aligned(&scratch[thread_id(), 0]))
        fill_constant(constant, sizes.line_bytes, room.constant_line)
        for task in prange(n_tasks, schedule="dynamic"):
            filter_block(mk, pixel_type, kind, images, out, form, planes, constant, rows, taps,
                         stages, slots, exchanges, chosen, row_fold, column_fold, &sizes, &room,
                         task)


cdef room_t cut_room(const sizes_t* sizes, char* scratch) noexcept nogil:
    """Cut the scratch; as `scratch_of` in `convlib._filters.rank` counts it."""
    cdef room_t room
    room.constant_line = cut(&scratch, sizes.line_bytes)
    room.target = cut(&scratch, 2 * sizes.line_bytes)
    room.lines = <const char**> cut(
        &scratch, (1 + sizes.n_levels) * sizes.n_lines * sizeof(intp_t))
    room.addresses = <const char**> cut(&scratch, 3 * sizes.n_addresses * sizeof(intp_t))
    room.has_nan = <unsigned char*> cut(&scratch, sizes.n_lines)
    room.network = cut(&scratch, sizes.network_bytes)
    room.own_lines = cut(&scratch, sizes.n_own_lines * sizes.line_bytes)
    room.folded = cut(&scratch, sizes.n_levels * sizes.n_lines * sizes.line_bytes)
    room.band = scratch
    return room


cdef void filter_block(
    const microkernels* mk, int pixel_type, int kind, const unsigned char[:, :, :, ::1] images,
    unsigned char[:, :, :, ::1] out, const intp_t[::1] form, const intp_t[:, ::1] planes,
    const unsigned char[::1] constant, const intp_t[:, ::1] rows, const intp_t[:, ::1] taps,
    const int[:, ::1] stages, const int[:, ::1] slots, const unsigned short[:, ::1] exchanges,
    const unsigned short[::1] chosen, const intp_t[:, ::1] row_fold,
    const intp_t[:, ::1] column_fold, const sizes_t* sizes, room_t* room, intp_t task,
) noexcept nogil:
    """Write the outputs of the task numbered `task`."""
    cdef:
        const rank_kernels* pixels = mk.ranks.pixels[pixel_type]
        block_t block = block_of(task, out, form)
        intp_t step = form[CHANNELS]
        intp_t n = block.n_values
        bint is_short = n < pixels.lanes
        bint has_nan = fill_lines(
            pixels, &block, images, planes, form, <const char*> &constant[0], sizes.line_bytes,
            room.constant_line, room.band, room.lines, kind <= MEDIAN_5, room.has_nan)
        bint is_put = is_short or form[STREAM]
        # Two rows of outputs are found together where they share two rows of the image.
        bint in_pairs = kind == MEDIAN_3 and rows[2, 0] == 0
        intp_t i
        char* row
        char* target

    if kind == LARGEST_OF_BOX or kind == SMALLEST_OF_BOX:
        fold_rows(pixels, kind == SMALLEST_OF_BOX, &block, row_fold, sizes, room)
    for i in range(block.n_y):
        row = <char*> &out[block.image, block.plane, block.y + i,
                           block.x * step * pixels.bytes]
        target = room.target + (i & 1) * sizes.line_bytes if is_put else row
        # Short rows are computed as one vector; what lies beyond them is not used.
        n = max(block.n_values, pixels.lanes)
        if kind == LARGEST_OF_BOX or kind == SMALLEST_OF_BOX:
            extreme_of_box(pixels, kind == SMALLEST_OF_BOX, &block, row_fold, column_fold, step, i,
                           sizes, room, target)
        elif kind == LARGEST or kind == SMALLEST:
            find_taps(pixels, &block, rows, taps, step, i, room)
            pixels.extreme(kind == SMALLEST, taps.shape[0], room.addresses, n, target)
        else:
            find_rows(&block, rows, i, room.lines, room.addresses)
            if kind == MEDIAN_3:
                if not in_pairs or i & 1 == 0:
                    medians_of_3(pixels, &block, 2 if in_pairs and i + 1 < block.n_y else 1, i,
                                 step, n, sizes, room, target,
                                 sizes.line_bytes if is_put else out.shape[3])
            elif kind == MEDIAN_5:
                pixels.median_5(room.addresses, step, n, room.own_lines, sizes.line_bytes, target)
            else:
                run_stages(pixels, rows.shape[0], stages, slots, exchanges, chosen, step, n, sizes,
                           room, target)
            if has_nan and row_has_nan(&block, rows, i, room.has_nan):
                find_taps(pixels, &block, rows, taps, step, i, room)
                pixels.mark_nan(taps.shape[0], room.addresses, n, target)
        if target != row:
            put_row(mk, target, block.n_values * pixels.bytes, form[STREAM], row)
    if form[STREAM]:
        stream_fence()


cdef inline void medians_of_3(
    const rank_kernels* pixels, const block_t* block, intp_t n_rows, intp_t i, intp_t step,
    intp_t n, const sizes_t* sizes, room_t* room, char* target, intp_t target_step,
) noexcept nogil:
    """Write one or two output rows from i on; the rows under the first are in the addresses."""
    cdef char* targets[2]
    targets[0] = target
    targets[1] = target + target_step
    if n_rows == 2:
        room.addresses[3] = room.lines[i + 3]
    pixels.median_3(n_rows, room.addresses, step, n, room.own_lines, sizes.line_bytes, targets)


cdef inline void put_row(
    const microkernels* mk, const char* row, intp_t n_bytes, bint stream, char* out,
) noexcept nogil:
    """Copy a row to where it belongs, past the caches if asked to."""
    if stream and n_bytes % sizeof(float32_t) == 0:
        mk.stream_rows_f32(1, n_bytes // sizeof(float32_t), <const float32_t*> row,
                           <float32_t*> out, n_bytes // sizeof(float32_t))
    else:
        memcpy(out, row, n_bytes)


cdef inline void find_rows(
    const block_t* block, const intp_t[:, ::1] rows, intp_t i, const char** lines,
    const char** addresses,
) noexcept nogil:
    """Write where the rows of the windows of output row i begin."""
    cdef intp_t row
    for row in range(rows.shape[0]):
        addresses[row] = lines[rows[row, 0] * block.n_lines + rows[row, 1] + i]


cdef inline void find_taps(
    const rank_kernels* pixels, const block_t* block, const intp_t[:, ::1] rows,
    const intp_t[:, ::1] taps, intp_t step, intp_t i, room_t* room,
) noexcept nogil:
    """Write where each tap of the windows of output row i begins."""
    cdef intp_t tap, row
    for tap in range(taps.shape[0]):
        row = taps[tap, 0]
        room.addresses[tap] = room.lines[rows[row, 0] * block.n_lines + rows[row, 1] + i] \
            + taps[tap, 1] * step * pixels.bytes


cdef inline bint row_has_nan(
    const block_t* block, const intp_t[:, ::1] rows, intp_t i, const unsigned char* has_nan,
) noexcept nogil:
    """Whether a line under output row i holds a NaN."""
    cdef intp_t row
    for row in range(rows.shape[0]):
        if has_nan[rows[row, 0] * block.n_lines + rows[row, 1] + i]:
            return True
    return False


cdef inline void run_stages(
    const rank_kernels* pixels, intp_t n_rows, const int[:, ::1] stages, const int[:, ::1] slots,
    const unsigned short[:, ::1] exchanges, const unsigned short[::1] chosen, intp_t step,
    intp_t n, const sizes_t* sizes, room_t* room, char* target,
) noexcept nogil:
    """Run a program for a row; the rows of its windows are at the front of the addresses."""
    cdef:
        const char** found = room.addresses
        const char** inputs = found + sizes.n_addresses
        char** outputs = <char**> (inputs + sizes.n_addresses)
        intp_t n_own = 0
        intp_t stage, slot, first, n_slots, n_chosen, source, k
    for stage in range(stages.shape[0] - 1):
        first = stages[stage, FIRST_SLOT]
        n_slots = stages[stage + 1, FIRST_SLOT] - first
        n_chosen = stages[stage + 1, FIRST_CHOSEN] - stages[stage, FIRST_CHOSEN]
        for slot in range(n_slots):
            source = slots[first + slot, 0]
            inputs[slot] = (
                found[source] if source < n_rows
                else room.own_lines + (source - n_rows) * sizes.line_bytes
            ) + slots[first + slot, 1] * step * pixels.bytes
        for k in range(n_chosen):
            outputs[k] = room.own_lines + (n_own + k) * sizes.line_bytes
        if stage == stages.shape[0] - 2:
            outputs[0] = target
        n_own += n_chosen
        pixels.network(
            n_slots, inputs, stages[stage + 1, FIRST_EXCHANGE] - stages[stage, FIRST_EXCHANGE],
            <const exchange*> &exchanges[stages[stage, FIRST_EXCHANGE], 0], n_chosen,
            &chosen[stages[stage, FIRST_CHOSEN]], outputs,
            n + stages[stage, REACH] * step, room.network)


cdef inline void fold_rows(
    const rank_kernels* pixels, bint smallest, const block_t* block,
    const intp_t[:, ::1] row_fold, const sizes_t* sizes, room_t* room,
) noexcept nogil:
    """Write the levels of the lines of a block, and behind the lines' addresses those of each."""
    cdef:
        const char** lines = room.lines
        char* folded = room.folded
        intp_t n_left = block.n_lines
        intp_t level, i, tap, radix, span
    for level in range(row_fold[0, 0]):
        radix = row_fold[FIRST_LEVEL + level, 0]
        span = row_fold[FIRST_LEVEL + level, 1]
        n_left -= (radix - 1) * span
        for i in range(n_left):
            for tap in range(radix):
                room.addresses[tap] = lines[i + tap * span]
            pixels.extreme(smallest, radix, room.addresses,
                           max(block.n_line_values, pixels.lanes), folded)
            lines[block.n_lines + i] = folded
            folded += sizes.line_bytes
        lines += block.n_lines


cdef inline void extreme_of_box(
    const rank_kernels* pixels, bint smallest, const block_t* block,
    const intp_t[:, ::1] row_fold, const intp_t[:, ::1] column_fold, intp_t step, intp_t i,
    const sizes_t* sizes, room_t* room, char* target,
) noexcept nogil:
    """Write output row i: the extremes down the rows of its windows, then across the columns."""
    cdef:
        intp_t n_line = max(block.n_line_values, pixels.lanes)
        intp_t first = FIRST_LEVEL + row_fold[0, 0]
        intp_t n_values = row_fold[0, 1]
        intp_t level, tap, n_left
        const char* line
    for tap in range(n_values):
        level = row_fold[first + tap, 0]
        room.addresses[tap] = room.lines[level * block.n_lines + i + row_fold[first + tap, 1]]
    if column_fold[0, 1] == 1 and column_fold[0, 0] == 0:
        pixels.extreme(smallest, n_values, room.addresses, n_line, target)
        return
    line = room.addresses[0]
    if n_values > 1:
        pixels.extreme(smallest, n_values, room.addresses, n_line, room.own_lines)
        line = room.own_lines
    n_left = n_line
    for level in range(column_fold[0, 0]):
        find_columns(pixels, line, column_fold, FIRST_LEVEL + level, step, level, sizes, room)
        n_left -= (column_fold[FIRST_LEVEL + level, 0] - 1) \
            * column_fold[FIRST_LEVEL + level, 1] * step
        pixels.extreme(smallest, column_fold[FIRST_LEVEL + level, 0], room.addresses,
                       max(n_left, pixels.lanes), room.own_lines + (1 + level) * sizes.line_bytes)
    first = FIRST_LEVEL + column_fold[0, 0]
    for tap in range(column_fold[0, 1]):
        level = column_fold[first + tap, 0]
        room.addresses[tap] = column_fold[first + tap, 1] * step * pixels.bytes + (
            line if level == 0 else room.own_lines + level * sizes.line_bytes)
    pixels.extreme(smallest, column_fold[0, 1], room.addresses,
                   max(block.n_values, pixels.lanes), target)


cdef inline void find_columns(
    const rank_kernels* pixels, const char* line, const intp_t[:, ::1] fold, intp_t row,
    intp_t step, intp_t level, const sizes_t* sizes, room_t* room,
) noexcept nogil:
    """Write where the neighbours begin that are combined to a level."""
    cdef:
        const char* below = line if level == 0 else room.own_lines + level * sizes.line_bytes
        intp_t tap
    for tap in range(fold[row, 0]):
        room.addresses[tap] = below + tap * fold[row, 1] * step * pixels.bytes
