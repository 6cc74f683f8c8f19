"""Gradients through activations, value by value."""
from cython.parallel cimport parallel, prange

from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, uint64_t
from .types cimport float32_t, intp_t, real


def gradients(
    const real[::1] grads,     # by the outputs
    const real[::1] values,    # inputs or outputs
    real[::1] out,             # may be one of the others
    int activation,
    bint from_inputs,
    intp_t block,              # values of a task, whole vectors
    int n_threads,
):
    """Write the gradient by the inputs to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t task, first, n
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for task in prange((out.shape[0] + block - 1) // block, schedule="static"):
            first = task * block
            n = min(block, out.shape[0] - first)
            if real is float32_t:
                mk.activation_gradients_f32(
                    activation, from_inputs, n, &grads[first], &values[first], &out[first])
            else:
                mk.activation_gradients_f64(
                    activation, from_inputs, n, &grads[first], &values[first], &out[first])
        restore_denormals(mode)
