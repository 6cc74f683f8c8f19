"""Pooling by windows: first down the rows of a window, then across its columns.

A task is a block of output pixels of one image. A row of pixels with their channels is one flat
stream. The rows of a window are reduced into a line; neighbours on the line are then the same
stream read from further on, or, with a stride, pixels with lanes over channels. Large windows
are folded: neighbours are combined level by level, and windows are reduced from the few values
that cover them. Each output is combined in an order that only shapes fix.
"""
from cython.parallel cimport parallel, prange
from libc.math cimport INFINITY

from .cpu cimport REDUCE_MAX, REDUCE_SUM, kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .pool_values cimport MAX, MEAN, copy_row, finish
from .scratch cimport aligned, cut
from .stencil cimport pick_pixels, reduce, reduce_and_divide, reduce_windows
from .types cimport intp_t, real
from .windows cimport (
    BLOCK, DILATION, FIRST_IN, SIZE, STEP, STRIDE, TAPS, block_of, block_t, counted,
    equally_counted, start, taps_before,
)

# Ways across the columns of windows, as in `convlib.ops._windows`.
cdef enum:
    STREAM = 0       # the stream read from every tap on, or folded
    PIXELS = 1       # output by output
    WINDOWS = 2      # no line: output by output, over all rows of the window

# Rows of a fold, see fold_table in `convlib.ops._windows`: numbers of levels and of values, then
# the radix and the span below of each level, then the level and the first tap of each value.
cdef enum:
    FIRST_LEVEL = 1

# Integers up to here are floats.
cdef enum:
    MOST_EXACT = 1 << 24


cdef struct sizes_t:
    intp_t rows     # of a task
    intp_t taps     # addresses of what is reduced together
    intp_t line     # values
    intp_t band     # values of the rows of a task that are copied


def table(const intp_t[:, ::1] values):
    """Return an array as a view that `pool` takes without asking for its buffer again."""
    return values


def pool(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, channels)
    real[:, :, :, :, ::1] out,          # (n_images, out_depth, out_height, out_width, channels)
    const intp_t[:, ::1] axes,          # (3, 11), see windows.pxd
    int kind,
    double exponent,                    # of NORM
    int across,
    const intp_t[:, ::1] row_fold,
    const intp_t[:, ::1] column_fold,
    bint in_place,                      # whether rows are read where they stand
    intp_t n_rows,                      # these four: see sizes_t
    intp_t n_taps,
    intp_t line,
    intp_t band,
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the pooled `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        sizes_t sizes = sizes_t(n_rows, n_taps, line, band)
        intp_t n_y = (out.shape[2] + axes[1, BLOCK] - 1) // axes[1, BLOCK]
        intp_t n_x = (out.shape[3] + axes[2, BLOCK] - 1) // axes[2, BLOCK]
        intp_t n_tasks = out.shape[0] * out.shape[1] * n_y * n_x
        intp_t task
        char* room
        uint64_t mode = 0

    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            room = aligned(&scratch[0, 0])
            fill_neutral(kind, line, <real*> room)
            for task in range(n_tasks):
                pool_block(mk, images, out, axes, kind, exponent, across, row_fold, column_fold,
                           in_place, sizes, task, n_y, n_x, room)
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        room = aligned(&scratch[thread_id(), 0])
        fill_neutral(kind, line, <real*> room)
        for task in prange(n_tasks, schedule="dynamic"):
            pool_block(mk, images, out, axes, kind, exponent, across, row_fold, column_fold,
                       in_place, sizes, task, n_y, n_x, room)
        restore_denormals(mode)


cdef inline void fill_neutral(int kind, intp_t n, real* neutral) noexcept nogil:
    """Write a line of what stands outside the image."""
    cdef intp_t i
    for i in range(n):
        neutral[i] = -<real> INFINITY if kind == MAX else 0


cdef void pool_block(
    const microkernels* mk, const real[:, :, :, :, :] images, real[:, :, :, :, ::1] out,
    const intp_t[:, ::1] axes, int kind, double exponent, int across,
    const intp_t[:, ::1] row_fold, const intp_t[:, ::1] column_fold, bint in_place,
    sizes_t sizes, intp_t task, intp_t n_y, intp_t n_x, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        block_t block = block_of(task, n_y, n_x, axes, out.shape[1], out.shape[2], out.shape[3],
                                 images.shape[4])
        const real* neutral = <const real*> cut(&room, sizes.line * sizeof(real))
        intp_t n_levels = row_fold[0, 0]
        const real** rows = <const real**> cut(
            &room, (1 + n_levels) * sizes.rows * sizeof(intp_t))
        const real** taps = <const real**> cut(&room, sizes.taps * sizeof(intp_t))
        real* line = <real*> cut(&room, sizes.line * sizeof(real))
        real* spare = <real*> cut(&room, sizes.line * sizeof(real))
        real* levels = <real*> cut(&room, column_fold[0, 0] * sizes.line * sizeof(real))
        real* folded = <real*> cut(&room, n_levels * sizes.band * sizeof(real))
        real* band = <real*> room
        real* out_row
        # Means are divided in registers where the counts of the row are equal.
        bint divides = kind == MEAN \
            and equally_counted(axes, 2, block.x, block.n_x) == block.n_x and (
                across != STREAM or axes[2, STRIDE] == 1)
        intp_t i, divisor, n_columns

    gather(mk, &block, images, axes, kind, exponent, in_place, neutral, rows, taps, band, line)
    fold_rows(mk, &block, axes, kind, row_fold, rows, taps, folded)
    for i in range(block.n_y):
        out_row = &out[block.image, block.z, block.y + i, block.x, 0]
        n_columns = counted(axes, 0, block.z) * counted(axes, 1, block.y + i)
        divisor = n_columns * counted(axes, 2, block.x) if divides else 1
        if divisor > MOST_EXACT:
            divisor = 1
        pool_row(mk, &block, axes, kind, across, row_fold, column_fold, i, neutral, rows, taps,
                 line, spare, levels, divisor, out_row)
        if divisor == 1:
            finish(mk, &block, axes, kind, exponent, n_columns, out_row)


cdef void gather(
    const microkernels* mk, const block_t* block, const real[:, :, :, :, :] images,
    const intp_t[:, ::1] axes, int kind, double exponent, bint in_place, const real* neutral,
    const real** rows, const real** taps, real* band, real* line,
) noexcept nogil:
    """Write the addresses of the rows of a block, reduced over the planes of the window."""
    cdef:
        int reduction = REDUCE_MAX if kind == MAX else REDUCE_SUM
        intp_t z0 = start(axes, 0, block.z)
        intp_t row, tap, n, y, z
        real* here
        const real* pixel

    for row in range(block.n_rows):
        rows[row] = neutral
        y = block.y0 + row * axes[1, STEP]
        if not (0 <= y < axes[1, SIZE]) or block.inside == 0:
            continue
        here = band + row * block.inside
        n = 0
        for tap in range(axes[0, TAPS]):
            z = z0 + tap * axes[0, DILATION]
            if not 0 <= z < axes[0, SIZE]:
                continue
            pixel = &images[block.image, z - axes[0, FIRST_IN], y - axes[1, FIRST_IN],
                            block.first - axes[2, FIRST_IN], 0]
            taps[n] = pixel
            n += 1
            if not in_place:
                copy_row(mk, pixel, images.strides[3], images.strides[4], block, kind, exponent,
                         here if n == 1 else line)
                taps[0] = here
                taps[1] = line
                if n > 1:
                    reduce(mk, reduction, 2, taps, block.inside, here)
        if n > 1 and in_place:
            reduce(mk, reduction, n, taps, block.inside, here)
        if n > 0:
            rows[row] = taps[0] if n == 1 else here


cdef inline void fold_rows(
    const microkernels* mk, const block_t* block, const intp_t[:, ::1] axes, int kind,
    const intp_t[:, ::1] row_fold, const real** rows, const real** taps, real* folded,
) noexcept nogil:
    """Write the levels of the rows of a block, and behind the rows' addresses those of each."""
    cdef:
        int reduction = REDUCE_MAX if kind == MAX else REDUCE_SUM
        intp_t n_left = block.n_rows
        intp_t level, row, tap, distance
    for level in range(row_fold[0, 0]):
        distance = row_fold[FIRST_LEVEL + level, 1] * axes[1, DILATION] // axes[1, STEP]
        n_left -= (row_fold[FIRST_LEVEL + level, 0] - 1) * distance
        for row in range(n_left):
            for tap in range(row_fold[FIRST_LEVEL + level, 0]):
                taps[tap] = rows[row + tap * distance]
            reduce(mk, reduction, row_fold[FIRST_LEVEL + level, 0], taps, block.inside, folded)
            rows[block.n_rows + row] = folded
            folded += block.inside
        rows += block.n_rows


cdef inline void pool_row(
    const microkernels* mk, const block_t* block, const intp_t[:, ::1] axes, int kind, int across,
    const intp_t[:, ::1] row_fold, const intp_t[:, ::1] column_fold, intp_t i,
    const real* neutral, const real** rows, const real** taps, real* line, real* spare,
    real* levels, intp_t divisor, real* out,
) noexcept nogil:
    """Write row i of a block: reduce its rows into a line, then the line into outputs."""
    cdef:
        int reduction = REDUCE_MAX if kind == MAX else REDUCE_SUM
        intp_t first_value = FIRST_LEVEL + row_fold[0, 0]
        intp_t n_taps = row_fold[0, 1]
        intp_t tap, row
    for tap in range(n_taps):
        row = i * axes[1, STRIDE] + row_fold[first_value + tap, 1] * axes[1, DILATION]
        taps[tap] = rows[row_fold[first_value + tap, 0] * block.n_rows + row // axes[1, STEP]]
    if n_taps == 1 and block.before + block.after == 0:
        pool_line(mk, block, axes, reduction, across, column_fold, taps[0], taps, spare, levels,
                  divisor, out)
        return
    if across == WINDOWS:
        pool_windows(mk, block, axes, reduction, taps, neutral, divisor, out)
        return
    reduce(mk, reduction, n_taps, taps, block.inside, line + block.before)
    reduce(mk, reduction, 1, &neutral, block.before, line)
    reduce(mk, reduction, 1, &neutral, block.after, line + block.before + block.inside)
    pool_line(mk, block, axes, reduction, across, column_fold, line, taps, spare, levels, divisor,
              out)


cdef inline void pool_line(
    const microkernels* mk, const block_t* block, const intp_t[:, ::1] axes, int reduction,
    int across, const intp_t[:, ::1] column_fold, const real* line, const real** taps,
    real* spare, real* levels, intp_t divisor, real* out,
) noexcept nogil:
    """Reduce the columns of each window."""
    cdef:
        intp_t step = axes[2, DILATION] * block.channels
        intp_t pixel_step = axes[2, STRIDE] * block.channels
        real* target = out if axes[2, STRIDE] == 1 else spare

    if across != STREAM:
        reduce_windows(mk, reduction, 1, axes[2, TAPS], step, block.n_x, pixel_step,
                       block.channels, &line, 0, divisor, out)
        return
    pool_stream(mk, reduction, axes[2, TAPS], column_fold, step,
                (block.n_x - 1) * pixel_step + block.channels, line, taps, levels, divisor, target)
    if target != out:
        pick_pixels(mk, block.n_x, pixel_step, block.channels, spare, out)


cdef inline void pool_stream(
    const microkernels* mk, int reduction, intp_t n_taps, const intp_t[:, ::1] fold, intp_t step,
    intp_t n, const real* line, const real** taps, real* levels, intp_t divisor, real* out,
) noexcept nogil:
    """Reduce the values at distances of `step` from each of n values on, as a fold says."""
    cdef:
        intp_t n_line = n + (n_taps - 1) * step
        intp_t n_left = n_line
        intp_t level, tap
        const real* here = line
        real* folded = levels

    for level in range(fold[0, 0]):
        for tap in range(fold[FIRST_LEVEL + level, 0]):
            taps[tap] = here + tap * fold[FIRST_LEVEL + level, 1] * step
        n_left -= (fold[FIRST_LEVEL + level, 0] - 1) * fold[FIRST_LEVEL + level, 1] * step
        reduce(mk, reduction, fold[FIRST_LEVEL + level, 0], taps, n_left, folded)
        here = folded
        folded += n_line
    for tap in range(fold[0, 1]):
        level = fold[FIRST_LEVEL + fold[0, 0] + tap, 0]
        here = line if level == 0 else levels + (level - 1) * n_line
        taps[tap] = here + fold[FIRST_LEVEL + fold[0, 0] + tap, 1] * step
    reduce_and_divide(mk, reduction, fold[0, 1], taps, n, divisor, out)


cdef inline void pool_windows(
    const microkernels* mk, const block_t* block, const intp_t[:, ::1] axes, int reduction,
    const real** rows, const real* neutral, intp_t divisor, real* out,
) noexcept nogil:
    """Write a row of outputs from the rows of its windows, and the taps of each in the image."""
    cdef:
        intp_t channels = block.channels
        intp_t dilation = axes[2, DILATION]
        intp_t n_inside = block.inside // channels
        intp_t x = 0
        intp_t begin, first, last, n
    while x < block.n_x:
        # Where the window begins, in pixels of the rows, and the taps that lie on them.
        begin = block.begin + x * axes[2, STRIDE]
        first = taps_before(-begin, dilation, axes[2, TAPS])
        last = taps_before(n_inside - begin, dilation, axes[2, TAPS])
        n = 1
        if first == 0 and last == axes[2, TAPS]:
            n += (n_inside - begin - (last - 1) * dilation - 1) // axes[2, STRIDE]
            n = min(n, block.n_x - x)
        if first < last:
            reduce_windows(mk, reduction, axes[1, TAPS], last - first, dilation * channels, n,
                           axes[2, STRIDE] * channels, channels, rows,
                           (begin + first * dilation) * channels, divisor, out + x * channels)
        else:
            reduce(mk, reduction, 1, &neutral, channels, out + x * channels)
        x += n
