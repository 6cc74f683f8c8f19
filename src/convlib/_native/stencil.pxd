# Reductions over neighbours in flat streams of values: what pooling and up-sampling end in.
from libc.stdint cimport int64_t

from .cpu cimport microkernels, stencil
from .types cimport float32_t, intp_t, real


cdef inline void reduce(
    const microkernels* mk, int reduction, intp_t n_rows, const real** rows, intp_t n, real* out,
) noexcept nogil:
    reduce_and_divide(mk, reduction, n_rows, rows, n, 1, out)


cdef inline void reduce_and_divide(
    const microkernels* mk, int reduction, intp_t n_rows, const real** rows, intp_t n,
    int64_t divisor, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.reduce_f32(reduction, n_rows, rows, n, divisor, out)
    else:
        mk.reduce_f64(reduction, n_rows, rows, n, divisor, out)


cdef inline void reduce_windows(
    const microkernels* mk, int reduction, intp_t n_rows, intp_t n_taps, intp_t tap_step,
    intp_t n_pixels, intp_t pixel_step, intp_t channels, const real** rows, intp_t offset,
    int64_t divisor, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.reduce_windows_f32(
            reduction, n_rows, n_taps, tap_step, n_pixels, pixel_step, channels, rows, offset,
            divisor, out)
    else:
        mk.reduce_windows_f64(
            reduction, n_rows, n_taps, tap_step, n_pixels, pixel_step, channels, rows, offset,
            divisor, out)


cdef inline void pick_pixels(
    const microkernels* mk, intp_t n_pixels, intp_t pixel_step, intp_t channels, const real* x,
    real* out,
) noexcept nogil:
    if real is float32_t:
        mk.pick_pixels_f32(n_pixels, pixel_step, channels, x, out)
    else:
        mk.pick_pixels_f64(n_pixels, pixel_step, channels, x, out)


cdef inline void divide(const microkernels* mk, intp_t n, int64_t divisor, real* x) noexcept nogil:
    if real is float32_t:
        mk.divide_f32(n, divisor, x)
    else:
        mk.divide_f64(n, divisor, x)


cdef inline void square_root(const microkernels* mk, intp_t n, real* x) noexcept nogil:
    if real is float32_t:
        mk.square_root_f32(n, x)
    else:
        mk.square_root_f64(n, x)


cdef inline void argmax(
    const microkernels* mk, intp_t n, const real* x, const int64_t* index, int64_t offset,
    real* best, int64_t* where,
) noexcept nogil:
    if real is float32_t:
        mk.argmax_f32(n, x, index, offset, best, where)
    else:
        mk.argmax_f64(n, x, index, offset, best, where)


cdef inline void argmax_windows(
    const microkernels* mk, intp_t n_rows, intp_t n_taps, intp_t tap_step, intp_t n_pixels,
    intp_t pixel_step, intp_t channels, const real** rows, intp_t offset, const int64_t* index,
    int64_t index_step, real* best, int64_t* where,
) noexcept nogil:
    if real is float32_t:
        mk.argmax_windows_f32(n_rows, n_taps, tap_step, n_pixels, pixel_step, channels, rows,
                              offset, index, index_step, best, where)
    else:
        mk.argmax_windows_f64(n_rows, n_taps, tap_step, n_pixels, pixel_step, channels, rows,
                              offset, index, index_step, best, where)


cdef inline void accumulate(
    const microkernels* mk, int statistic, intp_t n_rows, intp_t step, intp_t n_lanes,
    const real* x, double count, double* first, double* second,
) noexcept nogil:
    if real is float32_t:
        mk.accumulate_f32(statistic, n_rows, step, n_lanes, x, count, first, second)
    else:
        mk.accumulate_f64(statistic, n_rows, step, n_lanes, x, count, first, second)


cdef inline void stencil_fma(
    const microkernels* mk, const stencil* form, intp_t n_pixels, const real*** rows,
    intp_t column, const real* weights, real* out, intp_t out_step,
) noexcept nogil:
    if real is float32_t:
        mk.stencil_fma_f32(form, n_pixels, rows, column, weights, out, out_step)
    else:
        mk.stencil_fma_f64(form, n_pixels, rows, column, weights, out, out_step)


cdef inline void mix_rows(
    const microkernels* mk, intp_t n_rows, const real** rows, const real* weights, intp_t n,
    real* out,
) noexcept nogil:
    if real is float32_t:
        mk.mix_rows_f32(n_rows, rows, weights, n, out)
    else:
        mk.mix_rows_f64(n_rows, rows, weights, n, out)


cdef inline void stream_rows(
    const microkernels* mk, intp_t n_rows, intp_t n, const real* x, real* out, intp_t out_step,
) noexcept nogil:
    if real is float32_t:
        mk.stream_rows_f32(n_rows, n, x, out, out_step)
    else:
        mk.stream_rows_f64(n_rows, n, x, out, out_step)


cdef inline void repeat(
    const microkernels* mk, intp_t group, intp_t n, intp_t times, const real* x, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.repeat_f32(group, n, times, x, out)
    else:
        mk.repeat_f64(group, n, times, x, out)
