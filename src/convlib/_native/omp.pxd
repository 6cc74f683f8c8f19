# The only place that knows OpenMP. A build without it runs the same loops on one thread.
cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define convlib_thread_id() omp_get_thread_num()
    #define convlib_max_threads() omp_get_max_threads()
    #define convlib_openmp _OPENMP
    #else
    #define convlib_thread_id() 0
    #define convlib_max_threads() 1
    #define convlib_openmp 0
    #endif
    """
    int thread_id "convlib_thread_id"() noexcept nogil
    int omp_max_threads "convlib_max_threads"() noexcept nogil
    int OPENMP_DATE "convlib_openmp"

cdef extern from "denormals.h":
    ctypedef unsigned long long uint64_t
    uint64_t flush_denormals() noexcept nogil
    void restore_denormals(uint64_t saved) noexcept nogil
