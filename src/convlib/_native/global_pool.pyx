"""Statistics of whole images, channel by channel, that go on where an earlier call stopped.

The pixels of an image, in row-major order, are dealt out to `phases` in turn: pixel i belongs to
phase i % phases. A row of lanes is one pixel of each phase with its channels. Lanes accumulate
down the rows and never meet here, so where an image is cut into calls changes nothing.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memcpy, memset

from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .stencil cimport accumulate
from .types cimport float64_t, intp_t, real

cdef enum:
    LANES = 64       # STATISTIC_LANES of microkernels.h
    ROWS = 32        # gathered at once


def add(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, channels)
    float64_t[:, :, ::1] state,         # (n_images, n_statistics, lanes in whole vectors)
    int statistic,
    intp_t phases,
    intp_t seen,                        # pixels of each image that `state` stands for
    bint is_dense,                      # whether the pixels of an image are neighbours in memory
    intp_t n_parts,                     # into which the lanes are cut
    real[:, ::1] gathered,              # (n_threads, 32 * 64)
    float64_t[:, ::1] saved,            # (n_threads, 2 * 64)
):
    """Add the pixels of `images` to `state`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_blocks = state.shape[2] // LANES
        intp_t thread = 0
        intp_t task, part
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> gathered.shape[0]):
        mode = flush_denormals()
        thread = thread_id()
        for task in prange(images.shape[0] * n_parts, schedule="dynamic"):
            part = task % n_parts
            add_image(
                mk, images, state, statistic, phases, seen, is_dense, task // n_parts,
                part * n_blocks // n_parts, (part + 1) * n_blocks // n_parts,
                &gathered[thread, 0], &saved[thread, 0],
            )
        restore_denormals(mode)


cdef void add_image(
    const microkernels* mk, const real[:, :, :, :, :] images, float64_t[:, :, ::1] state,
    int statistic, intp_t phases, intp_t seen, bint is_dense, intp_t image, intp_t first,
    intp_t last, real* gathered, double* saved,
) noexcept nogil:
    """Add an image to some vectors of lanes: its whole rows, and what it has of others."""
    cdef:
        intp_t n_lanes = phases * images.shape[4]
        intp_t n_pixels = images.shape[1] * images.shape[2] * images.shape[3]
        intp_t begin = seen
        intp_t end, n_rows, block

    while begin < seen + n_pixels:
        # Up to the end of a row, or as many whole rows as stay in cache.
        end = (begin // phases + 1) * phases
        if begin % phases == 0:
            end = begin + max(1, 8192 // n_lanes) * phases
        end = min(end, seen + n_pixels)
        if begin % phases == 0 and end - begin >= phases:
            end -= (end - begin) % phases
        n_rows = max(1, (end - begin) // phases)
        block = first
        if is_dense and end - begin == n_rows * phases:
            block = max(first, min(last, n_lanes // LANES))
            accumulate(mk, statistic, n_rows, n_lanes, (block - first) * LANES,
                       &images[image, 0, 0, 0, 0]
                       + (begin - seen) * images.shape[4] + first * LANES, begin // phases,
                       &state[image, 0, first * LANES],
                       &state[image, state.shape[1] - 1, first * LANES])
        for block in range(block, last):
            add_rows(mk, images, state, statistic, phases, seen, image, begin, end, n_rows,
                     block * LANES, min(n_lanes - block * LANES, LANES), gathered, saved)
        begin = end


cdef inline void add_rows(
    const microkernels* mk, const real[:, :, :, :, :] images, float64_t[:, :, ::1] state,
    int statistic, intp_t phases, intp_t seen, intp_t image, intp_t begin, intp_t end,
    intp_t n_rows, intp_t lane, intp_t width, real* gathered, double* saved,
) noexcept nogil:
    """Add pixels from wherever they stand, whole rows or a part of one, to 64 lanes."""
    cdef:
        intp_t channels = images.shape[4]
        intp_t row = begin // phases
        intp_t a = min(max(begin % phases * channels - lane, 0), width)
        intp_t b = min((end - row * phases) * channels - lane, width)
        intp_t n, j
        double* first = &state[image, 0, lane]
        double* second = &state[image, state.shape[1] - 1, lane]

    if a >= b:
        return
    memcpy(saved, first, LANES * sizeof(double))
    memcpy(saved + LANES, second, LANES * sizeof(double))
    memset(gathered, 0, ROWS * LANES * sizeof(real))
    while n_rows > 0:
        n = min(n_rows, ROWS)
        for j in range(n):
            gather(images, image, (row + j) * phases - seen, lane + a, lane + b,
                   gathered + j * LANES + a)
        accumulate(mk, statistic, n, LANES, LANES, gathered, row, first, second)
        row += n
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
