from .types cimport float32_t, float64_t, intp_t


cdef extern from "microkernels.h":
    ctypedef struct microkernels:
        const char* tier
        intp_t max_rows
        intp_t lanes_f32
        intp_t lanes_f64
        void (*product_f32)(
            intp_t n_rows, intp_t n_vectors, intp_t depth, const float32_t** rows,
            const intp_t* offsets, const float32_t* panel, int activation,
            float32_t** out, intp_t out_offset,
        ) noexcept nogil
        void (*product_f64)(
            intp_t n_rows, intp_t n_vectors, intp_t depth, const float64_t** rows,
            const intp_t* offsets, const float64_t* panel, int activation,
            float64_t** out, intp_t out_offset,
        ) noexcept nogil
        void (*activate_f32)(int activation, intp_t n, float32_t* x) noexcept nogil
        void (*activate_f64)(int activation, intp_t n, float64_t* x) noexcept nogil

# The table of the tier in use. Other modules reach it through this one.
cdef const microkernels* kernels() noexcept nogil
