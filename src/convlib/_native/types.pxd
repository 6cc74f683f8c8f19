ctypedef float float32_t
ctypedef double float64_t
ctypedef Py_ssize_t intp_t

ctypedef fused real:
    float32_t
    float64_t
