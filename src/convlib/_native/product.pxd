# Tiles of gathered rows times packed panels: what every product-based feeder ends in.
from .cpu cimport microkernels
from .types cimport float32_t, intp_t, real


cdef inline intp_t n_lanes(const microkernels* mk, const real* unused) noexcept nogil:
    return mk.lanes_f32 if real is float32_t else mk.lanes_f64


cdef inline void product(
    const microkernels* mk, intp_t n_rows, intp_t n_vectors, intp_t depth, const real** rows,
    const intp_t* offsets, const real* panel, int activation, real** out, intp_t out_offset,
) noexcept nogil:
    if real is float32_t:
        mk.product_f32(n_rows, n_vectors, depth, rows, offsets, panel, activation, out, out_offset)
    else:
        mk.product_f64(n_rows, n_vectors, depth, rows, offsets, panel, activation, out, out_offset)


cdef inline void activate(
    const microkernels* mk, int activation, intp_t n, real* x
) noexcept nogil:
    if activation == 0:
        return
    if real is float32_t:
        mk.activate_f32(activation, n, x)
    else:
        mk.activate_f64(activation, n, x)


cdef inline void multiply_panels(
    const microkernels* mk,
    intp_t n_pixels,
    const real** rows,       # n_pixels addresses
    intp_t depth,
    const intp_t* offsets,   # depth
    const real* panels,      # of one group, see panels.pyx
    intp_t n_channels,       # of one group
    intp_t first_panel,
    intp_t last_panel,
    int activation,
    real** out,              # n_pixels addresses, of the group's first channel
    real* spare,             # (max_rows, 2 * lanes), for a panel that is not full
) noexcept nogil:
    """Write the channels of some panels of one group for a block of pixels."""
    cdef:
        intp_t lanes = n_lanes(mk, panels)
        intp_t panel, first, n_columns
    for panel in range(first_panel, last_panel):
        first = panel * 2 * lanes
        n_columns = min(n_channels - first, 2 * lanes)
        multiply_panel(
            mk, n_pixels, rows, depth, offsets, panels + (1 + depth) * first,
            1 if n_columns <= lanes else 2, n_columns, activation, out, first, spare,
        )


cdef inline void multiply_panel(
    const microkernels* mk,
    intp_t n_pixels,
    const real** rows,       # n_pixels addresses
    intp_t depth,
    const intp_t* offsets,   # depth
    const real* panel,       # (1 + depth, n_vectors * lanes)
    intp_t n_vectors,
    intp_t n_columns,        # outputs wanted of the panel, at most n_vectors * lanes
    int activation,
    real** out,              # n_pixels addresses
    intp_t out_offset,
    real* spare,             # (max_rows, 2 * lanes), for a panel that is not full
) noexcept nogil:
    """Split the pixels evenly into tiles. A panel that is not full is computed whole, aside."""
    cdef:
        real* spare_rows[16]
        intp_t width = n_vectors * n_lanes(mk, panel)
        intp_t n_tiles = (n_pixels + mk.max_rows - 1) // mk.max_rows
        intp_t tile, first, n_rows, i, j
        bint is_full = n_columns == width

    if not is_full:
        for i in range(mk.max_rows):
            spare_rows[i] = spare + i * width
    for tile in range(n_tiles):
        first = tile * n_pixels // n_tiles
        n_rows = (tile + 1) * n_pixels // n_tiles - first
        if is_full:
            product(mk, n_rows, n_vectors, depth, rows + first, offsets, panel, activation,
                    out + first, out_offset)
        else:
            product(mk, n_rows, n_vectors, depth, rows + first, offsets, panel, activation,
                    spare_rows, 0)
            for i in range(n_rows):
                for j in range(n_columns):
                    out[first + i][out_offset + j] = spare_rows[i][j]
