"""ROCKET: maxima of random dilated convolutions, and how often they are positive.

Kernels that look at the same points, up to four of them, are a group: the values under a tap are
loaded once for all. A task is one series and a part of the groups; it copies the series between
zeros, and then each group is one pass along it, of which nothing is stored but two numbers a
kernel. Tasks write outputs of their own, so that neither threads nor parts can be told from them.
"""
from cython.parallel cimport parallel, prange

from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .scratch cimport aligned
from .series cimport fill_planes, form_of, form_t
from .types cimport float32_t, intp_t, real

from libc.stdint cimport int64_t

cdef enum:
    GROUP = 4    # most kernels of a group

# Columns of the table of groups, as in estimators/rocket_features.py.
cdef enum:
    N_KERNELS
    N_TAPS
    FIRST_TAP       # in `taps`
    FIRST_KERNEL    # in `numbers`
    FIRST_WEIGHT    # in `panels`
    PADDING
    REACH           # points between the first tap and the last


def transform(
    const real[:, ::1] values,          # (points of all series, channels)
    const intp_t[::1] starts,           # (n_series + 1,), where series begin
    const intp_t[::1] form,             # form_t
    const intp_t[:, ::1] groups,        # (n_groups, 7)
    const intp_t[::1] taps,             # where they lie in planes, from a group's first point on
    const intp_t[::1] numbers,          # of the kernels, group after group
    const real[::1] panels,             # of each group biases, then the weights of each tap
    real[:, ::1] out,                   # (n_series, 2 * n_kernels): share of positives, maximum
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of planes)
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
            run_part(mk, &shape, values, starts, groups, taps, numbers, panels, out, task,
                     <real*> aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void run_part(
    const microkernels* mk, const form_t* form, const real[:, ::1] values,
    const intp_t[::1] starts, const intp_t[:, ::1] groups, const intp_t[::1] taps,
    const intp_t[::1] numbers, const real[::1] panels, real[:, ::1] out, intp_t task, real* planes,
) noexcept nogil:
    cdef:
        intp_t series = task // form.n_parts
        intp_t part = task % form.n_parts
        intp_t n = fill_planes(form, values, starts[series], starts[series + 1], planes)
        intp_t first = groups.shape[0] * part // form.n_parts
        intp_t last = groups.shape[0] * (part + 1) // form.n_parts
        intp_t group, k, number, n_points
        const intp_t* row
        real[GROUP] maxima
        int64_t[GROUP] positive

    for group in range(first, last):
        row = &groups[group, 0]
        n_points = n + 2 * row[PADDING] - row[REACH]
        convolution_extremes(
            mk, row[N_KERNELS], row[N_TAPS], &taps[row[FIRST_TAP]], &panels[row[FIRST_WEIGHT]],
            n_points, planes + form.margin - row[PADDING], maxima, positive)
        for k in range(row[N_KERNELS]):
            number = numbers[row[FIRST_KERNEL] + k]
            out[series, 2 * number] = <real> (<double> positive[k] / n_points)
            out[series, 2 * number + 1] = maxima[k]


cdef inline void convolution_extremes(
    const microkernels* mk, intp_t n_kernels, intp_t n_taps, const intp_t* offsets,
    const real* panel, intp_t n, const real* x, real* maxima, int64_t* n_positive,
) noexcept nogil:
    if real is float32_t:
        mk.convolution_extremes_f32(n_kernels, n_taps, offsets, panel, n, x, maxima, n_positive)
    else:
        mk.convolution_extremes_f64(n_kernels, n_taps, offsets, panel, n, x, maxima, n_positive)
