"""Kernels packed for the product: columns cut into panels of one or two vectors.

A panel holds its bias, then one row per tap and input channel, so that the microkernel reads it
from front to back. The last panel of a group is one vector wide if that is enough; what is left
of it is zero.
"""
from cython.parallel cimport prange

from .cpu cimport kernels, microkernels
from .product cimport n_lanes
from .types cimport intp_t, real


def pack(
    const real[:, :, :] weights,   # (groups, depth, out_channels of a group)
    const real[:, :] bias,         # (groups, out_channels of a group)
    real[:, ::1] panels,           # (groups, (1 + depth) * padded_channels)
    int n_threads,
):
    """Write the panels of `weights`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_channels = weights.shape[2]
        intp_t n_panels = (n_channels + 2 * lanes - 1) // (2 * lanes)
        intp_t task

    for task in prange(
        weights.shape[0] * n_panels, nogil=True, num_threads=n_threads, schedule="dynamic"
    ):
        pack_panel(weights, bias, panels, task // n_panels, task % n_panels, lanes)


cdef inline void pack_panel(
    const real[:, :, :] weights, const real[:, :] bias, real[:, ::1] panels,
    intp_t group, intp_t panel, intp_t lanes,
) noexcept nogil:
    cdef:
        intp_t depth = weights.shape[1]
        intp_t first = panel * 2 * lanes
        intp_t n_columns = min(weights.shape[2] - first, 2 * lanes)
        intp_t width = lanes if n_columns <= lanes else 2 * lanes
        intp_t k, j
        real* row = &panels[group, 0] + (1 + depth) * first

    for j in range(width):
        row[j] = bias[group, first + j] if j < n_columns else 0
    for k in range(depth):
        row += width
        for j in range(n_columns):
            row[j] = weights[group, k, first + j]
        for j in range(n_columns, width):
            row[j] = 0
