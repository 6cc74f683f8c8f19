# Tiles of outputs that are computed at once from a square of the padded image. They lie on a
# lattice of the whole image: neither where `out` begins nor how far it goes moves them. With a
# dilation d the image is d interleaved images, and a tile belongs to one of them.
from libc.string cimport memset

from .border cimport border_index, fill_row
from .types cimport intp_t, real

# Columns of `tiling`, one row an axis.
cdef enum:
    WHOLE = 0       # outputs of the whole image
    OUTPUTS = 1     # of a tile
    TAPS = 2
    SPACING = 3     # pixels between taps, and between the pixels of a tile
    PADDED = 4      # pixels before the image
    BEGIN = 5       # output at which `out` begins
    LENGTH = 6      # outputs in `out`

cdef struct span_t:
    intp_t origin   # first output of the tile, counted in the whole image
    intp_t pixel    # pixel of the image under it
    intp_t n        # pixels from there that are needed by outputs of the whole image
    intp_t begin    # outputs that `out` holds
    intp_t end
    intp_t target   # where the first of these is in `out`


cdef inline intp_t count_tiles(const intp_t[:, ::1] tiling, int axis) noexcept nogil:
    """Return the number of tiles along an axis, in `out`."""
    cdef intp_t period = tiling[axis, OUTPUTS] * tiling[axis, SPACING]
    cdef intp_t first = tiling[axis, BEGIN] // period
    cdef intp_t end = tiling[axis, BEGIN] + tiling[axis, LENGTH]
    return ((end + period - 1) // period - first) * tiling[axis, SPACING]


cdef inline span_t span_of(const intp_t[:, ::1] tiling, int axis, intp_t tile) noexcept nogil:
    """Return what the tile numbered `tile` covers along an axis."""
    cdef:
        span_t span
        intp_t spacing = tiling[axis, SPACING]
        intp_t period = tiling[axis, OUTPUTS] * spacing
        intp_t begin = tiling[axis, BEGIN]
        intp_t end = begin + tiling[axis, LENGTH]
    span.origin = (begin // period + tile // spacing) * period + tile % spacing
    span.pixel = span.origin - tiling[axis, PADDED]
    span.n = min(tiling[axis, OUTPUTS], steps(tiling[axis, WHOLE] - span.origin, spacing))
    span.end = min(span.n, steps(end - span.origin, spacing))
    span.begin = min(span.end, steps(begin - span.origin, spacing))
    span.target = span.origin + span.begin * spacing - begin
    span.n += tiling[axis, TAPS] - 1
    return span


cdef inline span_t half_of(
    const intp_t[:, ::1] tiling, int axis, intp_t tile, int half,
) noexcept nogil:
    """Return what one half of a tile covers, where two are computed together."""
    cdef:
        span_t span = span_of(tiling, axis, tile)
        intp_t outputs = tiling[axis, OUTPUTS] // 2
        intp_t start = half * outputs
        intp_t skipped = max(0, start - span.begin)
    span.origin += start * tiling[axis, SPACING]
    span.pixel += start * tiling[axis, SPACING]
    span.n = min(span.n - start, outputs + tiling[axis, TAPS] - 1)
    if span.n < tiling[axis, TAPS]:
        span.n = 0
    span.target += skipped * tiling[axis, SPACING]
    span.begin = max(0, span.begin - start)
    span.end = min(span.end - start, outputs)
    return span


cdef inline intp_t steps(intp_t length, intp_t step) noexcept nogil:
    """Return how many multiples of `step`, from 0 on, are below `length`."""
    return (length + step - 1) // step if length > 0 else 0


cdef inline void fill_tile(
    const real[:, :, :, :, :] images, intp_t image, intp_t z, span_t down, span_t across,
    intp_t down_step, intp_t across_step, int padding_mode, intp_t channel, intp_t n_channels,
    intp_t width, intp_t pitch, real* tile,
) noexcept nogil:
    """Copy the pixels a tile needs to rows of `width` pixels, zeros after the last of them."""
    cdef intp_t i, y

    for i in range(down.n):
        y = border_index(down.pixel + i * down_step, images.shape[2], padding_mode)
        if y < 0:
            memset(tile, 0, across.n * pitch * sizeof(real))
        else:
            fill_row(&images[image, z, y, 0, channel], images.strides[3], images.strides[4],
                     images.shape[3], across.pixel, across_step, across.n, padding_mode,
                     n_channels, pitch, tile)
        memset(tile + across.n * pitch, 0, (width - across.n) * pitch * sizeof(real))
        tile += width * pitch
