# Tiles of gathered rows times packed panels: what every product-based feeder ends in.
from .cpu cimport microkernels
from .types cimport float32_t, intp_t, real

cdef extern from "vec.h":
    void stream_fence() noexcept nogil

cdef extern from "microkernels.h":
    int ACTIVATION_RELU
    enum:
        MOST_ROWS

cdef enum:
    STREAM_ALIGNMENT = 16
    PART = 256    # products that are summed at once


cdef inline intp_t n_lanes(const microkernels* mk, const real* unused) noexcept nogil:
    return mk.lanes_f32 if real is float32_t else mk.lanes_f64


cdef inline void product(
    const microkernels* mk, intp_t n_rows, intp_t n_vectors, intp_t depth, const real** rows,
    const intp_t* offsets, const real* bias, const real* weights, intp_t step, int activation,
    bint streams, real** out, intp_t out_offset,
) noexcept nogil:
    if real is float32_t:
        mk.product_f32(n_rows, n_vectors, depth, rows, offsets, bias, weights, step, activation,
                       streams, out, out_offset)
    else:
        mk.product_f64(n_rows, n_vectors, depth, rows, offsets, bias, weights, step, activation,
                       streams, out, out_offset)


cdef inline void product_lanes(
    const microkernels* mk, intp_t n_rows, intp_t depth, const real** rows, const intp_t* offsets,
    intp_t column, const real* weights, intp_t step, bint adds, real** out, intp_t out_offset,
) noexcept nogil:
    if real is float32_t:
        mk.product_lanes_f32(n_rows, depth, rows, offsets, column, weights, step, adds, out,
                             out_offset)
    else:
        mk.product_lanes_f64(n_rows, depth, rows, offsets, column, weights, step, adds, out,
                             out_offset)


cdef inline void activate(
    const microkernels* mk, int activation, intp_t n, real* x
) noexcept nogil:
    if activation == 0:
        return
    if real is float32_t:
        mk.activate_f32(activation, n, x)
    else:
        mk.activate_f64(activation, n, x)


cdef inline bint can_stream(
    real[:, :, :, :, ::1] out, intp_t groups, int activation,
) noexcept nogil:
    """Tell whether every panel's outputs begin where a streaming store may, and need no more."""
    return (<intp_t> &out[0, 0, 0, 0, 0] % STREAM_ALIGNMENT == 0 and activation <= ACTIVATION_RELU
            and out.shape[4] // groups * <intp_t> sizeof(real) % STREAM_ALIGNMENT == 0)


cdef inline void multiply_panels(
    const microkernels* mk,
    intp_t n_pixels,
    const real** rows,       # n_pixels addresses
    intp_t depth,
    const intp_t* offsets,   # depth
    const real* panels,      # of one group, see panels.pyx
    const real* bias,        # of one group, or NULL: it is in the panels
    intp_t step,             # between rows of weights, if they are not packed
    intp_t n_channels,       # of one group
    intp_t first_panel,
    intp_t last_panel,
    int activation,
    bint streams,            # whether the outputs go past the caches
    real** out,              # n_pixels addresses, of the group's first channel
    real* spare,             # (max_rows, 2 * lanes), for a panel that is not full
) noexcept nogil:
    """Write the channels of some panels of one group for a block of pixels."""
    cdef:
        intp_t lanes = n_lanes(mk, panels)
        intp_t panel, first, n_columns, width
        const real* packed
    for panel in range(first_panel, last_panel):
        first = panel * 2 * lanes
        n_columns = min(n_channels - first, 2 * lanes)
        width = lanes if n_columns <= lanes else 2 * lanes
        if bias == NULL:
            packed = panels + (1 + depth) * first
            multiply_panel(mk, n_pixels, rows, depth, offsets, packed, packed + width, width,
                           width // lanes, n_columns, activation, streams, out, first, spare)
        else:
            multiply_panel(mk, n_pixels, rows, depth, offsets, bias + first, panels + first, step,
                           width // lanes, n_columns, activation, streams, out, first, spare)


cdef inline void multiply_panel(
    const microkernels* mk,
    intp_t n_pixels,
    const real** rows,       # n_pixels addresses
    intp_t depth,
    const intp_t* offsets,   # depth
    const real* bias,        # (n_vectors * lanes,)
    const real* weights,     # (depth, n_vectors * lanes), ...
    intp_t step,             # ... between their rows
    intp_t n_vectors,
    intp_t n_columns,        # outputs wanted of the panel, at most n_vectors * lanes
    int activation,
    bint streams,
    real** out,              # n_pixels addresses
    intp_t out_offset,
    real* spare,             # (max_rows, 2 * lanes), for a panel that is not full
) noexcept nogil:
    """Split the pixels evenly into tiles, and long sums into sums of PART products.

    The rounding errors are those of shorter sums, and the weights of a part stay in cache for all
    tiles. A panel that is not full is computed whole, tile by tile, aside.
    """
    cdef:
        real* spare_rows[MOST_ROWS]
        intp_t width = n_vectors * n_lanes(mk, weights)
        intp_t n_tiles = (n_pixels + mk.max_rows - 1) // mk.max_rows
        intp_t tile, first, n_rows, part, i, j

    if n_columns == width:
        for part in range(max(1, (depth + PART - 1) // PART)):
            for tile in range(n_tiles):
                first = tile * n_pixels // n_tiles
                n_rows = (tile + 1) * n_pixels // n_tiles - first
                multiply_part(mk, part, n_rows, n_vectors, depth, rows + first, offsets, bias,
                              weights, step, activation, streams and depth <= PART, out + first,
                              out_offset)
        return
    for i in range(mk.max_rows):
        spare_rows[i] = spare + i * width
    for tile in range(n_tiles):
        first = tile * n_pixels // n_tiles
        n_rows = (tile + 1) * n_pixels // n_tiles - first
        for part in range(max(1, (depth + PART - 1) // PART)):
            multiply_part(mk, part, n_rows, n_vectors, depth, rows + first, offsets, bias, weights,
                          step, activation, False, spare_rows, 0)
        for i in range(n_rows):
            for j in range(n_columns):
                out[first + i][out_offset + j] = spare_rows[i][j]


cdef inline void multiply_part(
    const microkernels* mk, intp_t part, intp_t n_rows, intp_t n_vectors, intp_t depth,
    const real** rows, const intp_t* offsets, const real* bias, const real* weights, intp_t step,
    int activation, bint streams, real** out, intp_t out_offset,
) noexcept nogil:
    """Add the products of one part of a sum: the first brings the bias, the last the activation."""
    cdef:
        intp_t first = part * PART
        bint is_last = depth - first <= PART
    product(mk, n_rows, n_vectors, depth - first if is_last else PART, rows, offsets + first,
            bias if part == 0 else NULL, weights + first * step, step,
            activation if is_last else 0, streams, out, out_offset)
