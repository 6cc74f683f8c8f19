# Series of any length as planes: one channel after the other, with zeros on both sides.
from libc.math cimport fabs, sqrt

from .cpu cimport microkernels
from .stencil cimport mix_rows
from .types cimport float32_t, intp_t, real

# `SeriesForm` of estimators/_series.py, in its order.
cdef struct form_t:
    intp_t longest      # points of the longest series, with its padding at the end
    intp_t shortest     # points that shorter series are padded to
    intp_t margin       # zeros on both sides
    intp_t step         # values between planes
    intp_t normalizes   # whether each channel gets mean 0 and deviation 1
    intp_t n_parts      # tasks into which the kernels of one series are cut

cdef enum:
    BLOCK = 1024        # points whose values of some kernels stay in cache


cdef inline form_t form_of(const intp_t[::1] values) noexcept nogil:
    cdef form_t form
    form.longest = values[0]
    form.shortest = values[1]
    form.margin = values[2]
    form.step = values[3]
    form.normalizes = values[4]
    form.n_parts = values[5]
    return form


cdef inline intp_t fill_planes(
    const form_t* form, const real[:, ::1] values, intp_t first, intp_t last, real* planes,
) noexcept nogil:
    """Copy a series, the rows `first` to `last`, to planes; return how many points it has then."""
    cdef:
        intp_t n_channels = values.shape[1]
        intp_t length = last - first
        intp_t n = max(length, form.shortest)
        intp_t c, t
        real* line
        double mean = 0
        double factor = 1

    for c in range(n_channels):
        line = planes + c * form.step
        for t in range(form.margin):
            line[t] = 0
        line += form.margin
        for t in range(length):
            line[t] = values[first + t, c]
        for t in range(length, form.step - form.margin):
            line[t] = 0
        if form.normalizes:
            find_scale(line, n, &mean, &factor)
            for t in range(n):
                line[t] = <real> ((line[t] - mean) * factor)
    return n


cdef inline void find_scale(
    const real* x, intp_t n, double* mean, double* factor,
) noexcept nogil:
    """Find the mean of n values and the inverse of their deviation, 0 where they are equal."""
    cdef:
        double total = 0
        double squares = 0
        double deviation
        intp_t t
    for t in range(n):
        total += x[t]
    mean[0] = total / n
    for t in range(n):
        squares += (x[t] - mean[0]) * (x[t] - mean[0])
    deviation = sqrt(squares / n)
    # Below this share of the mean it is rounding.
    factor[0] = 1 / deviation if deviation > 1e-14 * fabs(mean[0]) else 0


cdef inline intp_t take_differences(
    const form_t* form, intp_t n_channels, intp_t n, real* planes,
) noexcept nogil:
    """Replace n points by the differences between neighbours; return how many there are."""
    cdef:
        intp_t c, t
        real* line
    for c in range(n_channels):
        line = planes + c * form.step + form.margin
        for t in range(n - 1):
            line[t] = line[t + 1] - line[t]
        line[n - 1] = 0
    return n - 1


cdef inline const real* added_channels(
    const microkernels* mk, const form_t* form, intp_t n_channels, const intp_t* channels,
    const real* ones, const real* planes, const real** rows, real* room,
) noexcept nogil:
    """Return a plane that is the sum of some channels; of a single one, that channel's own."""
    cdef intp_t i
    if n_channels == 1:
        return planes + channels[0] * form.step
    for i in range(n_channels):
        rows[i] = planes + channels[i] * form.step
    mix_rows(mk, n_channels, rows, ones, form.step, room)
    return room
