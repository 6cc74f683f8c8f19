"""Kernels that see contrast-normalised windows, without windows.

The inner product of a kernel with a window whose mean is taken away and that is divided by its
standard deviation is, for a kernel that sums to zero, the plain inner product over that
deviation; and the deviation follows from the sums of the window's values and squares.
"""
from cython.parallel cimport parallel, prange
from libc.math cimport sqrt

from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, uint64_t
from .product cimport activate
from .types cimport intp_t, real


def normalize(
    real[:, ::1] maps,              # (n_pixels, n_kernels): inner products in, responses out
    const double[:, ::1] sums,      # (n_pixels, 2 * groups): values, then squares, of each group
    double count,                   # values in a window
    double epsilon,                 # added to the variance
    const real[::1] bias,           # (n_kernels,)
    int activation,
    int n_threads,
):
    """Divide by the deviation of each window, add the bias, activate. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t groups = sums.shape[1] // 2
        intp_t group_out = maps.shape[1] // groups
        intp_t n_blocks = (maps.shape[0] + 63) // 64
        intp_t block, pixel, group
        uint64_t mode = 0

    with nogil, parallel(num_threads=<int> max(1, min(n_threads, n_blocks))):
        mode = flush_denormals()
        for block in prange(n_blocks, schedule="dynamic"):
            for pixel in range(block * 64, min(block * 64 + 64, maps.shape[0])):
                for group in range(groups):
                    divide(maps, sums[pixel, group], sums[pixel, groups + group], count, epsilon,
                           bias, pixel, group * group_out, group_out)
                activate(mk, activation, maps.shape[1], &maps[pixel, 0])
        restore_denormals(mode)


cdef inline void divide(
    real[:, ::1] maps, double total, double squares, double count, double epsilon,
    const real[::1] bias, intp_t pixel, intp_t first, intp_t n,
) noexcept nogil:
    cdef:
        double mean = total / count
        double variance = squares / count - mean * mean
        real inverse = <real> (1 / sqrt(max(variance, 0.0) + epsilon))
        intp_t k
    for k in range(first, first + n):
        maps[pixel, k] = maps[pixel, k] * inverse + bias[k]
