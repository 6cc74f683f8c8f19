# A block of a stencil, which other modules compute as a step of theirs.
from .cpu cimport microkernels
from .types cimport intp_t, real

# `Plan` of _conv/stencil.py, in its order.
cdef struct plan_t:
    intp_t group, repeats, width, part, last
    intp_t z_block, z_count, z_step, z_shift, z_reach, z_taps
    intp_t y_block, y_count, y_step, y_shift, y_reach, y_taps
    intp_t x_block, x_count, x_step, x_shift, x_reach, x_taps
    intp_t phases, origin, lists, columns, tap_lists, outputs, residues
    intp_t n_addresses, n_rows, n_band, n_line

# What a task covers, the first pixel under it, and its channels.
cdef struct block_t:
    intp_t image, z, y, x, depth, height, width
    intp_t z0, y0, x0
    intp_t channel, n_channels

# How outputs lie, in values; those of a pixel are neighbours.
cdef struct steps_t:
    intp_t plane, row, pixel


cdef void compute_block(
    const microkernels* mk, const real[:, :, :, :, :] images, const real[:, ::1] weights,
    const block_t* block, const plan_t* plan, int padding_mode, int activation, bint in_place,
    bint streams, real* out, const steps_t* steps, char* room,
) noexcept nogil
