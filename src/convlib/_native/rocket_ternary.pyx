"""MiniRocket and MultiRocket: convolutions with the 84 kernels of nine taps that are 2 or -1.

A kernel is 2 at three of its taps, so a convolution is minus the sum of all nine values, and
thrice the three. Of one channel that sum serves all kernels of a dilation, and with two of the
three values added all kernels that share these: one addition is left for each kernel and point,
done on the way to the statistics. Where channels are added first, each kernel has its own sums.

MiniRocket counts the points above some thresholds. MultiRocket has three more statistics of them,
among them the longest stretch: points are turned so that each lane has a stretch of time of its
own, and neighbours in time follow each other in one lane.
"""
from cython.parallel cimport parallel, prange
from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memset

from .cpu cimport kernels, microkernels, positives
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .planes cimport turn
from .product cimport n_lanes
from .scratch cimport aligned, cut
from .series cimport BLOCK, added_channels, fill_planes, form_of, form_t, take_differences
from .stencil cimport mix_rows
from .types cimport float32_t, intp_t, real

cdef enum:
    TAPS = 9
    MIDDLE = 4     # the tap at the point itself
    FIRST_TAPS = 7    # that can be the first of three
    N_KERNELS = 84

# Columns of the table of dilations, as in estimators/_ternary.py.
cdef enum:
    DILATION
    N_THRESHOLDS        # of each kernel
    FIRST_THRESHOLD     # of the first kernel, and its place among the features
    IS_OF_DIFFERENCES
    PARITY              # kernels k where k + this is odd see no point beyond the ends


def transform(
    const real[:, ::1] values,          # (points of all series, channels)
    const intp_t[::1] starts,           # (n_series + 1,), where series begin
    const intp_t[::1] form,             # form_t
    const intp_t[:, ::1] dilations,     # (n_dilations, 5), those of differences last
    const intp_t[::1] channels,         # of each kernel, those that are added
    const intp_t[::1] channel_starts,   # (n_dilations * 84 + 1,)
    const real[::1] thresholds,
    const real[::1] ones,               # as many as a kernel can have channels
    real[:, ::1] out,                   # (n_series, n_statistics * n_thresholds)
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write the features of all series. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        form_t shape = form_of(form)
        intp_t n_tasks = out.shape[0] * shape.n_parts
        intp_t task
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            run_part(mk, &shape, values, starts, dilations, channels, channel_starts, thresholds,
                     ones, out, task, aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void run_part(
    const microkernels* mk, const form_t* form, const real[:, ::1] values,
    const intp_t[::1] starts, const intp_t[:, ::1] dilations, const intp_t[::1] channels,
    const intp_t[::1] channel_starts, const real[::1] thresholds, const real[::1] ones,
    real[:, ::1] out, intp_t task, char* scratch,
) noexcept nogil:
    """Run some units: a unit has the kernels of a dilation that have their first tap in common."""
    cdef:
        intp_t n_channels = values.shape[1]
        intp_t series = task // form.n_parts
        intp_t part = task % form.n_parts
        intp_t n_units = dilations.shape[0] * FIRST_TAPS
        real* planes = <real*> cut(&scratch, n_channels * form.step * sizeof(real))
        real* added = <real*> cut(&scratch, form.step * sizeof(real))
        real* nine = <real*> cut(&scratch, form.step * sizeof(real))
        real* pair = <real*> cut(&scratch, form.step * sizeof(real))
        const real** rows = <const real**> cut(&scratch, max(TAPS, n_channels) * sizeof(real*))
        intp_t n = fill_planes(form, values, starts[series], starts[series + 1], planes)
        bint has_differences = False
        bint is_new
        intp_t n_statistics = out.shape[1] // thresholds.shape[0]
        intp_t unit, kernel, number, a, b, c, begin, n_thresholds, first
        const intp_t* row
        const real* x

    for unit in range(n_units * part // form.n_parts, n_units * (part + 1) // form.n_parts):
        row = &dilations[unit // FIRST_TAPS, 0]
        a = unit % FIRST_TAPS
        if row[IS_OF_DIFFERENCES] and not has_differences:
            n = take_differences(form, n_channels, n, planes)
            has_differences = True
        is_new = True
        kernel = first_kernel(a)
        for b in range(a + 1, TAPS - 1):
            for c in range(b + 1, TAPS):
                number = unit // FIRST_TAPS * N_KERNELS + kernel
                if is_new or n_channels > 1:
                    x = form.margin - MIDDLE * row[DILATION] + added_channels(
                        mk, form, channel_starts[number + 1] - channel_starts[number],
                        &channels[channel_starts[number]], &ones[0], planes, rows, added)
                    add_nine(mk, row[DILATION], n, x, rows, nine)
                if c == b + 1 or n_channels > 1:
                    add_pair(mk, n, nine, x + a * row[DILATION], x + b * row[DILATION], rows, pair)
                is_new = False
                begin = MIDDLE * row[DILATION] * ((row[PARITY] + kernel) % 2)
                n_thresholds = row[N_THRESHOLDS]
                first = row[FIRST_THRESHOLD] + kernel * n_thresholds
                run_kernel(mk, n - 2 * begin, pair + begin, x + c * row[DILATION] + begin,
                           n_thresholds, &thresholds[first], n_statistics, rows, scratch,
                           &out[series, n_statistics * first])
                kernel += 1


cdef inline intp_t first_kernel(intp_t a) noexcept nogil:
    """Return the number of the first kernel whose first tap is a."""
    cdef intp_t i, number = 0
    for i in range(a):
        number += (TAPS - 1 - i) * (TAPS - 2 - i) // 2
    return number


cdef inline void add_nine(
    const microkernels* mk, intp_t dilation, intp_t n, const real* x, const real** rows, real* out,
) noexcept nogil:
    """Write minus the sum of all taps of n points; x is the first of them."""
    cdef:
        real[TAPS] weights
        intp_t i
    for i in range(TAPS):
        rows[i] = x + i * dilation
        weights[i] = -1
    mix_rows(mk, TAPS, rows, weights, n, out)


cdef inline void add_pair(
    const microkernels* mk, intp_t n, const real* nine, const real* first, const real* second,
    const real** rows, real* out,
) noexcept nogil:
    """Add thrice two taps."""
    cdef real[3] weights = [1, 3, 3]
    rows[0], rows[1], rows[2] = nine, first, second
    mix_rows(mk, 3, rows, weights, n, out)


cdef inline void run_kernel(
    const microkernels* mk, intp_t n, const real* pair, const real* third, intp_t n_thresholds,
    const real* thresholds, intp_t n_statistics, const real** rows, char* scratch, real* out,
) noexcept nogil:
    """Write the statistics of n points for all thresholds of a kernel."""
    cdef:
        int64_t* counts
        intp_t j
    if n_statistics > 1:
        pool_kernel(mk, n, pair, third, n_thresholds, thresholds, rows, scratch, out)
        return
    counts = <int64_t*> cut(&scratch, n_thresholds * sizeof(int64_t))
    count_above(mk, n, pair, third, n_thresholds, thresholds, counts)
    for j in range(n_thresholds):
        out[j] = <real> (<double> counts[j] / n)


cdef inline void pool_kernel(
    const microkernels* mk, intp_t n, const real* pair, const real* third, intp_t n_thresholds,
    const real* thresholds, const real** rows, char* scratch, real* out,
) noexcept nogil:
    """Write share, mean, mean index and longest stretch of the points above each threshold."""
    cdef:
        intp_t lanes = n_lanes(mk, out)
        real* turned = <real*> cut(&scratch, BLOCK * sizeof(real))
        real* row = <real*> cut(&scratch, (n + lanes) * sizeof(real))
        positives* pooled = <positives*> cut(&scratch, n_thresholds * sizeof(positives))
        real[2] weights = [1, 3]
        intp_t first = 0
        intp_t n_steps, i, j

    rows[0], rows[1] = pair, third
    mix_rows(mk, 2, rows, weights, n, row)
    for i in range(n, n + lanes):
        row[i] = -INFINITY
    memset(pooled, 0, n_thresholds * sizeof(positives))
    while first < n:
        n_steps = (min(BLOCK, n - first) + lanes - 1) // lanes
        turn(mk, lanes, n_steps, row + first, n_steps, turned, lanes)
        for j in range(n_thresholds):
            pool_positives(mk, n_steps, first, turned, thresholds[j], &pooled[j])
        first += BLOCK
    for j in range(n_thresholds):
        write_statistics(&pooled[j], n, out + 4 * j)


cdef inline void write_statistics(const positives* pooled, intp_t n, real* out) noexcept nogil:
    cdef double count = <double> pooled.count
    out[0] = <real> (count / n)
    out[1] = <real> (pooled.total / count) if pooled.count else <real> 0
    out[2] = <real> (pooled.places / count) if pooled.count else <real> -1
    out[3] = <real> pooled.longest


cdef inline void count_above(
    const microkernels* mk, intp_t n, const real* pair, const real* third, intp_t n_thresholds,
    const real* thresholds, int64_t* counts,
) noexcept nogil:
    if real is float32_t:
        mk.count_above_f32(n, pair, third, 3, n_thresholds, thresholds, counts)
    else:
        mk.count_above_f64(n, pair, third, 3, n_thresholds, thresholds, counts)


cdef inline void pool_positives(
    const microkernels* mk, intp_t n_steps, int64_t first, const real* x, real threshold,
    positives* so_far,
) noexcept nogil:
    if real is float32_t:
        mk.pool_positives_f32(n_steps, first, x, threshold, so_far)
    else:
        mk.pool_positives_f64(n_steps, first, x, threshold, so_far)
