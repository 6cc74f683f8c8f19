"""Statistics of whole images, channel by channel, that go on where an earlier call stopped.

The pixels of an image, in row-major order, are dealt out to `phases` in turn: pixel i belongs to
phase i % phases. A row of lanes is one pixel of each phase with its channels. Segments of rows are
dealt out to groups in turn, which threads may share out. Lanes of a group accumulate down its
rows and never meet here, so where an image is cut into calls changes nothing.
"""
from cython.parallel cimport parallel, prange
from libc.math cimport INFINITY, sqrt
from libc.string cimport memcpy, memset

from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .stencil cimport accumulate
from .types cimport float32_t, float64_t, intp_t, real

cdef extern from "microkernels.h":
    int STATISTIC_MAX
    int STATISTIC_MIN
    int STATISTIC_SUM
    int STATISTIC_MOMENTS

cdef enum:
    LANES = 64       # STATISTIC_LANES of microkernels.h
    ROWS = 32        # gathered at once


def add(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, channels)
    float64_t[:, :, :, ::1] state,      # (n_images, n_groups, 2, lanes in whole vectors)
    int statistic,
    intp_t phases,
    intp_t segment_rows,                # a multiple of 8, see statistics.h
    intp_t seen,                        # pixels of each image that `state` stands for
    bint is_dense,                      # whether the pixels of an image are neighbours in memory
    intp_t n_parts,                     # into which the groups, or else the lanes, are cut
    real[:, ::1] gathered,              # (n_threads, 32 * 64)
    float64_t[:, ::1] saved,            # (n_threads, 2 * 64)
):
    """Add the pixels of `images` to `state`, of which only what was added is read or set."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = images.shape[0] * n_parts
        intp_t thread = 0
        intp_t task
        uint64_t mode = 0

    if gathered.shape[0] == 1:
        with nogil:
            mode = flush_denormals()
            for task in range(n_tasks):
                add_part(mk, images, state, statistic, phases, segment_rows, seen, is_dense,
                         task // n_parts, task % n_parts, n_parts, &gathered[0, 0], &saved[0, 0])
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> gathered.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(n_tasks, schedule="dynamic"):
            add_part(mk, images, state, statistic, phases, segment_rows, seen, is_dense,
                     task // n_parts, task % n_parts, n_parts, &gathered[thread, 0],
                     &saved[thread, 0])
        restore_denormals(mode)


cdef void add_part(
    const microkernels* mk, const real[:, :, :, :, :] images, float64_t[:, :, :, ::1] state,
    int statistic, intp_t phases, intp_t segment_rows, intp_t seen, bint is_dense, intp_t image,
    intp_t part, intp_t n_parts, real* gathered, double* saved,
) noexcept nogil:
    """Add an image to some of its groups, or to some vectors of lanes if groups are few."""
    cdef:
        intp_t n_groups = state.shape[1]
        intp_t n_blocks = state.shape[3] // LANES
        intp_t begin = seen
        intp_t end = seen + images.shape[1] * images.shape[2] * images.shape[3]
        intp_t first = 0
        intp_t last = n_blocks
        intp_t segment, stop, row

    if n_parts > n_groups:
        first = part * n_blocks // n_parts
        last = (part + 1) * n_blocks // n_parts
    while begin < end:
        row = begin // phases
        segment = row // segment_rows
        if n_parts > n_groups or segment % n_groups % n_parts == part:
            # To the end of a row that has begun, or of the whole rows of the segment.
            stop = min((segment + 1) * segment_rows * phases, end)
            if begin % phases != 0 or stop - begin < phases:
                stop = min((row + 1) * phases, stop)
            else:
                stop -= stop % phases
            add_rows(mk, images, state, statistic, phases, seen, is_dense, image,
                     segment % n_groups,
                     segment // n_groups * segment_rows + row % segment_rows, begin, stop, first,
                     last, gathered, saved)
        else:
            stop = (segment + 1) * segment_rows * phases
        begin = stop


cdef inline void add_rows(
    const microkernels* mk, const real[:, :, :, :, :] images, float64_t[:, :, :, ::1] state,
    int statistic, intp_t phases, intp_t seen, bint is_dense, intp_t image, intp_t group,
    intp_t count, intp_t begin, intp_t end, intp_t first, intp_t last, real* gathered,
    double* saved,
) noexcept nogil:
    """Add whole rows, or a part of one, to some vectors of lanes that `count` rows have made."""
    cdef:
        intp_t channels = images.shape[4]
        intp_t n_lanes = phases * channels
        intp_t n_rows = (end - begin) // phases
        intp_t place = begin - seen
        intp_t n_values = images.shape[1] * images.shape[2] * images.shape[3] * channels
        intp_t n_direct = 0
        intp_t block

    if is_dense and n_rows > 0:
        # Rows are read where they stand, and what follows them goes to lanes that nobody reads.
        n_direct = (n_values - place * channels - last * LANES + n_lanes) // n_lanes
        n_direct = max(0, min(n_direct, n_rows))
    if n_direct > 0:
        if count == 0:
            begin_lanes(statistic, state, image, group, first * LANES, last * LANES)
        accumulate(mk, statistic, n_direct, n_lanes, (last - first) * LANES,
                   &images[image, 0, 0, 0, 0] + place * channels + first * LANES, count,
                   &state[image, group, 0, first * LANES], &state[image, group, 1, first * LANES])
    if n_direct < n_rows or n_rows == 0:
        for block in range(first, last):
            add_gathered(mk, images, state, statistic, phases, seen, image, group,
                         count + n_direct, begin + n_direct * phases, end, block * LANES,
                         min(n_lanes - block * LANES, LANES), gathered, saved)


cdef inline void begin_lanes(
    int statistic, float64_t[:, :, :, ::1] state, intp_t image, intp_t group, intp_t first,
    intp_t last,
) noexcept nogil:
    """Write the state of lanes that have seen nothing."""
    cdef:
        intp_t lane
        double start = 0
    if statistic == STATISTIC_MAX or statistic == STATISTIC_MIN:
        start = -INFINITY if statistic == STATISTIC_MAX else INFINITY
    for lane in range(first, last):
        state[image, group, 0, lane] = start
        state[image, group, 1, lane] = 0


cdef inline void add_gathered(
    const microkernels* mk, const real[:, :, :, :, :] images, float64_t[:, :, :, ::1] state,
    int statistic, intp_t phases, intp_t seen, intp_t image, intp_t group, intp_t count,
    intp_t begin, intp_t end, intp_t lane, intp_t width, real* gathered, double* saved,
) noexcept nogil:
    """Add pixels from wherever they stand, whole rows or a part of one, to 64 lanes."""
    cdef:
        intp_t channels = images.shape[4]
        intp_t n_rows = max(1, (end - begin) // phases)
        intp_t row = begin // phases
        intp_t a = min(max(begin % phases * channels - lane, 0), width)
        intp_t b = min((end - row * phases) * channels - lane, width)
        intp_t n, j
        double* first = &state[image, group, 0, lane]
        double* second = &state[image, group, 1, lane]

    if a >= b:
        return
    memcpy(saved, first, LANES * sizeof(double))
    memcpy(saved + LANES, second, LANES * sizeof(double))
    memset(gathered, 0, min(n_rows, ROWS) * LANES * sizeof(real))
    if count == 0:
        begin_lanes(statistic, state, image, group, lane, lane + LANES)
    while n_rows > 0:
        n = min(n_rows, ROWS)
        for j in range(n):
            gather(images, image, (row + j) * phases - seen, lane + a, lane + b,
                   gathered + j * LANES + a)
        accumulate(mk, statistic, n, LANES, LANES, gathered, count, first, second)
        row += n
        count += n
        n_rows -= n
    for j in range(LANES):
        if not a <= j < b:
            first[j] = saved[j]
            second[j] = saved[LANES + j]


cdef inline void gather(
    const real[:, :, :, :, :] images, intp_t image, intp_t origin, intp_t lane, intp_t last,
    real* values,
) noexcept nogil:
    """Copy some lanes of the row whose first pixel is `origin`, from wherever they stand."""
    cdef:
        intp_t channels = images.shape[4]
        intp_t position = origin + lane // channels
        intp_t channel = lane % channels
        intp_t x = position % images.shape[3]
        intp_t y = position // images.shape[3] % images.shape[2]
        intp_t z = position // images.shape[3] // images.shape[2]
        # One channel: along the row. Several: along the channels of each pixel.
        bint is_plane = channels == 1
        intp_t stride = images.strides[3] if is_plane else images.strides[4]
        intp_t i, n
        const char* value

    while lane < last:
        value = <const char*> &images[image, z, y, x, channel]
        n = min(last - lane, images.shape[3] - x if is_plane else channels - channel)
        for i in range(n):
            values[i] = (<const real*> (value + i * stride))[0]
        values += n
        lane += n
        channel = 0
        x += n if is_plane else 1
        if x == images.shape[3]:
            x = 0
            y += 1
            if y == images.shape[2]:
                y = 0
                z += 1


def finish(
    float64_t[:, :, :, ::1] state,      # as in `add`; used up
    int statistic,
    intp_t phases,
    intp_t segment_rows,
    intp_t seen,
    real[:, ::1] out,                   # (n_images, channels)
    int n_threads,
):
    """Write the statistics of all pixels that were added; arguments are trusted."""
    cdef intp_t image
    if n_threads == 1:
        with nogil:
            for image in range(out.shape[0]):
                finish_image(state, statistic, phases, segment_rows, seen, image, out)
        return
    for image in prange(out.shape[0], nogil=True, num_threads=n_threads):
        finish_image(state, statistic, phases, segment_rows, seen, image, out)


cdef void finish_image(
    float64_t[:, :, :, ::1] state, int statistic, intp_t phases, intp_t segment_rows, intp_t seen,
    intp_t image, real[:, ::1] out,
) noexcept nogil:
    """Merge all groups and phases into the first, in order, and write what comes of it."""
    cdef:
        intp_t channels = out.shape[1]
        intp_t n_groups = state.shape[1]
        intp_t n_ahead = seen % phases     # phases with one row more than the others
        intp_t group, phase, n, n_more, n_less
        intp_t n_merged = 0
        double* first = &state[image, 0, 0, 0]
        double* second = &state[image, 0, 1, 0]

    for group in range(n_groups):
        n_more = rows_of(group, n_groups, segment_rows, seen // phases + 1)
        n_less = rows_of(group, n_groups, segment_rows, seen // phases)
        if n_more == 0:
            break
        for phase in range(phases):
            n = n_more if phase < n_ahead else n_less
            if n > 0:
                merge(statistic, channels, n_merged, n,
                      &state[image, group, 0, phase * channels],
                      &state[image, group, 1, phase * channels], first, second)
            n_merged += n
    write(statistic, channels, seen, first, second, &out[image, 0])


cdef inline intp_t rows_of(
    intp_t group, intp_t n_groups, intp_t segment_rows, intp_t n_rows,
) noexcept nogil:
    """Return how many of n_rows rows went to a group."""
    cdef intp_t turn = segment_rows * n_groups
    return n_rows // turn * segment_rows \
        + min(max(n_rows % turn - group * segment_rows, 0), segment_rows)


cdef inline void merge(
    int statistic, intp_t channels, intp_t n_a, intp_t n_b, const double* first_b,
    const double* second_b, double* first, double* second,
) noexcept nogil:
    """Merge the state of n_b pixels into that of n_a; of none, it is already there."""
    cdef:
        intp_t c
        double distance, share
    if n_a == 0:
        return
    if statistic == STATISTIC_MAX:
        for c in range(channels):
            if first_b[c] > first[c] or first_b[c] != first_b[c]:
                first[c] = first_b[c]
    elif statistic == STATISTIC_MIN:
        for c in range(channels):
            if first_b[c] < first[c] or first_b[c] != first_b[c]:
                first[c] = first_b[c]
    elif statistic == STATISTIC_SUM:
        for c in range(channels):
            first[c] += first_b[c]
            second[c] += second_b[c]
    elif statistic == STATISTIC_MOMENTS:
        # Chan, Golub and LeVeque: means and sums of squares about them.
        share = <double> n_b / (n_a + n_b)
        for c in range(channels):
            distance = first_b[c] - first[c]
            first[c] += distance * share
            second[c] += second_b[c] + distance * distance * (n_a * share)
    else:
        for c in range(channels):
            first[c] += first_b[c]


cdef inline void write(
    int statistic, intp_t channels, intp_t n_pixels, const double* first, const double* second,
    real* out,
) noexcept nogil:
    """Write the statistics of channels from their state."""
    cdef:
        intp_t c
        # Its product with a sum is off by less than float32 can tell.
        double share = 1.0 / n_pixels
    if statistic == STATISTIC_MAX or statistic == STATISTIC_MIN:
        for c in range(channels):
            out[c] = <real> first[c]
    elif statistic == STATISTIC_MOMENTS:
        for c in range(channels):
            out[c] = <real> sqrt(second[c] / n_pixels)
    elif statistic == STATISTIC_SUM and real is float32_t:
        for c in range(channels):
            out[c] = <real> ((first[c] + second[c]) * share)
    elif statistic == STATISTIC_SUM:
        for c in range(channels):
            out[c] = <real> ((first[c] + second[c]) / n_pixels)
    else:
        for c in range(channels):
            out[c] = <real> (first[c] / n_pixels)
