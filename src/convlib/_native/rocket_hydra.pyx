"""Hydra: at each point the kernels of a group compete, and it is counted who wins and who loses.

A unit is a group of kernels of nine taps at one dilation. A block of points is convolved with all
of them, which stays in the first-level cache, and each point adds its largest value to the kernel
that has it, and one to the count of the kernel that has the least. Zeros beyond the ends keep as
many points as the series has. Tasks are a series and some of the units.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport int64_t
from libc.string cimport memset

from .cpu cimport kernels, microkernels, plane_output, plane_taps
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .planes cimport planes as convolve
from .product cimport n_lanes
from .scratch cimport aligned, cut
from .series cimport BLOCK, added_channels, fill_planes, form_of, form_t, take_differences
from .types cimport float32_t, intp_t, real

cdef enum:
    TAPS = 9
    MIDDLE = 4    # the tap at the point itself
    PANEL = 4     # kernels that are convolved with together, in any tier


def transform(
    const real[:, ::1] values,          # (points of all series, channels)
    const intp_t[::1] starts,           # (n_series + 1,), where series begin
    const intp_t[::1] form,             # form_t
    const intp_t[::1] dilations,        # (n_units,)
    const intp_t[:, ::1] channels,      # (n_units, channels that are added)
    const real[:, ::1] panels,          # (n_units, 10 * n_kernels): zeros and weights by PANEL
    const real[::1] ones,               # as many as a unit has channels
    intp_t n_kernels,                   # of a unit
    intp_t n_plain,                     # units of the series, before those of differences
    real[:, ::1] out,                   # (n_series, n_units * n_kernels * 2)
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
            run_part(mk, &shape, values, starts, dilations, channels, panels, ones, n_kernels,
                     n_plain, out, task, aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void run_part(
    const microkernels* mk, const form_t* form, const real[:, ::1] values,
    const intp_t[::1] starts, const intp_t[::1] dilations, const intp_t[:, ::1] channels,
    const real[:, ::1] panels, const real[::1] ones, intp_t n_kernels, intp_t n_plain,
    real[:, ::1] out, intp_t task, char* scratch,
) noexcept nogil:
    cdef:
        intp_t n_channels = values.shape[1]
        intp_t series = task // form.n_parts
        intp_t part = task % form.n_parts
        intp_t n_units = dilations.shape[0]
        real* planes = <real*> cut(&scratch, n_channels * form.step * sizeof(real))
        real* added = <real*> cut(&scratch, form.step * sizeof(real))
        const real** rows = <const real**> cut(&scratch, channels.shape[1] * sizeof(real*))
        intp_t n = fill_planes(form, values, starts[series], starts[series + 1], planes)
        bint has_differences = False
        intp_t unit
        const real* x

    for unit in range(n_units * part // form.n_parts, n_units * (part + 1) // form.n_parts):
        if unit >= n_plain and not has_differences:
            n = take_differences(form, n_channels, n, planes)
            has_differences = True
        x = form.margin - MIDDLE * dilations[unit] + added_channels(
            mk, form, channels.shape[1], &channels[unit, 0], &ones[0], planes, rows, added)
        run_unit(mk, n, dilations[unit], x, n_kernels, &panels[unit, 0], scratch,
                 &out[series, 2 * unit * n_kernels])


cdef inline void run_unit(
    const microkernels* mk, intp_t n, intp_t dilation, const real* x, intp_t n_kernels,
    const real* panels, char* scratch, real* out,
) noexcept nogil:
    """Write gain and count of each kernel, from n points whose first tap begins at x."""
    cdef:
        real* maps = <real*> cut(&scratch, n_kernels * BLOCK * sizeof(real))
        real* room = <real*> cut(&scratch, 2 * n_kernels * n_lanes(mk, out) * sizeof(real))
        double* gains = <double*> cut(&scratch, n_kernels * sizeof(double))
        int64_t* counts = <int64_t*> cut(&scratch, n_kernels * sizeof(int64_t))
        intp_t[1] origin = [0]
        intp_t[TAPS] columns
        plane_taps taps
        plane_output form
        intp_t first = 0
        intp_t length, k

    for k in range(TAPS):
        columns[k] = k * dilation
    taps.n_planes, taps.n_rows, taps.n_columns, taps.row_step = 1, 1, TAPS, 0
    taps.planes, taps.columns = origin, columns
    form.row_step, form.channel_step, form.relu, form.stream = 0, BLOCK, False, False
    memset(gains, 0, n_kernels * sizeof(double))
    memset(counts, 0, n_kernels * sizeof(int64_t))
    while first < n:
        length = min(BLOCK, n - first)
        k = 0
        while k < n_kernels:
            convolve(mk, &taps, min(PANEL, n_kernels - k), 1, length, x + first, 0,
                     panels + k * (TAPS + 1), &form, maps + k * BLOCK)
            k += PANEL
        compete(mk, n_kernels, length, maps, BLOCK, room, gains, counts)
        first += BLOCK
    for k in range(n_kernels):
        out[2 * k] = <real> gains[k]
        out[2 * k + 1] = <real> counts[k]


cdef inline void compete(
    const microkernels* mk, intp_t n_kernels, intp_t n, const real* maps, intp_t step, real* room,
    double* gains, int64_t* counts,
) noexcept nogil:
    if real is float32_t:
        mk.compete_f32(n_kernels, n, maps, step, room, gains, counts)
    else:
        mk.compete_f64(n_kernels, n, maps, step, room, gains, counts)
