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
    const real[::1] weights,       # (depth * out_channels,)
    const real[::1] bias,          # (out_channels,)
    real[:, ::1] panels,           # (groups, (1 + depth) * padded_channels)
    int n_threads,
):
    """Write the panels of `weights`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t lanes = n_lanes[real](mk, NULL)
        intp_t n_channels = bias.shape[0] // panels.shape[0]
        intp_t n_panels = (n_channels + 2 * lanes - 1) // (2 * lanes)
        intp_t task

    if n_threads == 1:  # a team of one would cost a microsecond
        with nogil:
            for task in range(panels.shape[0] * n_panels):
                pack_panel(weights, bias, panels, n_channels, task // n_panels, task % n_panels,
                           lanes)
        return
    for task in prange(
        panels.shape[0] * n_panels, nogil=True, num_threads=n_threads, schedule="dynamic"
    ):
        pack_panel(weights, bias, panels, n_channels, task // n_panels, task % n_panels, lanes)


cdef inline void pack_panel(
    const real[::1] weights, const real[::1] bias, real[:, ::1] panels, intp_t n_channels,
    intp_t group, intp_t panel, intp_t lanes,
) noexcept nogil:
    cdef:
        intp_t depth = weights.shape[0] // bias.shape[0]
        intp_t first = panel * 2 * lanes
        intp_t channel = group * n_channels + first
        intp_t n_columns = min(n_channels - first, 2 * lanes)
        intp_t width = lanes if n_columns <= lanes else 2 * lanes
        intp_t k, j
        real* row = &panels[group, 0] + (1 + depth) * first

    for j in range(width):
        row[j] = bias[channel + j] if j < n_columns else 0
    for k in range(depth):
        row += width
        for j in range(n_columns):
            row[j] = weights[k * bias.shape[0] + channel + j]
        for j in range(n_columns, width):
            row[j] = 0
