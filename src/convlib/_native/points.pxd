# The points where taps look, found for a run of neighbouring outputs at a time. Deformable
# convolution and its gradients share them; what is done at a point is theirs.
from libc.stdint cimport int64_t, intptr_t

from .cpu cimport microkernels, sampled_image
from .geometry cimport DILATION, STRIDE, input_of
from .scratch cimport cut
from .types cimport float32_t, intp_t, real

# Columns of `taps`.
cdef enum:
    TAPS_DOWN = 0
    TAPS_ACROSS = 1
    OFFSET_GROUPS = 2

cdef struct points_t:
    # Some points of every output: those of neighbouring offset groups, or of one tap of one group.
    intp_t all       # points of an output, as they lie in the offsets
    intp_t first     # of them, ...
    intp_t n         # ... how many
    intp_t run       # most outputs at a time
    intp_t step      # values between the four pixels of a point in the lists below
    double* ys       # of a run, from the first tap of its first output
    double* xs
    int64_t* corners
    void* weights
    void* fractions
    void* offsets    # of chosen points, copied next to each other
    void* mask


cdef inline points_t cut_points(
    char** scratch, intp_t all, intp_t n, intp_t run, intp_t step, const real* unused,
) noexcept nogil:
    """Take room for `n` of all points of an output from the scratch; see points_bytes."""
    cdef points_t points
    points.all = all
    points.first = 0
    points.n = n
    points.run = run
    points.step = step
    points.ys = <double*> cut(scratch, step * sizeof(double))
    points.xs = <double*> cut(scratch, step * sizeof(double))
    points.corners = <int64_t*> cut(scratch, 4 * step * sizeof(int64_t))
    points.weights = cut(scratch, 4 * step * sizeof(real))
    points.fractions = cut(scratch, 2 * step * sizeof(real))
    points.offsets = cut(scratch, 2 * step * sizeof(real))
    points.mask = cut(scratch, step * sizeof(real))
    return points


cdef inline void place_taps(
    points_t* points, const intp_t[:, ::1] geometry, const intp_t[::1] taps,
) noexcept nogil:
    """Write where the taps of a run of outputs lie without offsets."""
    cdef:
        intp_t n_taps = taps[TAPS_DOWN] * taps[TAPS_ACROSS]
        intp_t i, tap

    for i in range(points.step):  # the last vector is whole
        tap = (points.first + i % points.n) % n_taps
        points.ys[i] = tap // taps[TAPS_ACROSS] * geometry[1, DILATION]
        points.xs[i] = <double> (i // points.n) * geometry[2, STRIDE] \
            + tap % taps[TAPS_ACROSS] * geometry[2, DILATION]


cdef inline sampled_image sampled(
    intp_t pixels, intp_t height, intp_t width, intp_t row_step, intp_t pixel_step, void* outside,
    bint keeps_weightless,
) noexcept nogil:
    cdef sampled_image image
    image.pixels = pixels
    image.outside = <intptr_t> outside
    image.row_step = row_step
    image.pixel_step = pixel_step
    image.height = height
    image.width = width
    image.keeps_weightless = keeps_weightless
    return image


cdef inline intp_t run_length(
    const points_t* points, intp_t pixel, intp_t end, intp_t width,
) noexcept nogil:
    """Return how many outputs from `pixel` on are neighbours in a row, and fit the lists."""
    return min(min(end - pixel, width - pixel % width), points.run)


cdef inline void locate_run(
    const microkernels* mk, const points_t* points, const sampled_image* image,
    const intp_t[:, ::1] geometry, intp_t pixel, intp_t length, intp_t width,
    const real* offsets,    # of the image
    const real* mask,       # of the image, or NULL
    bint needs_fractions,
) noexcept nogil:
    """Find the points of `length` outputs of a row, from the output `pixel` of the image on."""
    cdef:
        intp_t n = length * points.n
        const real* some = offsets + 2 * (pixel * points.all + points.first)
        const real* some_mask = NULL
        real* fractions = <real*> points.fractions if needs_fractions else NULL
        double y = input_of(geometry, 1, pixel // width)
        double x = input_of(geometry, 2, pixel % width)

    if mask != NULL:
        some_mask = mask + pixel * points.all + points.first
    if points.n < points.all:
        choose(points, length, 2, some, <real*> points.offsets)
        some = <real*> points.offsets
        if mask != NULL:
            choose(points, length, 1, some_mask, <real*> points.mask)
            some_mask = <real*> points.mask
    if real is float32_t:
        mk.locate_f32(image, n, y, x, points.ys, points.xs, some, some_mask, points.step,
                      points.corners, <real*> points.weights, fractions)
    else:
        mk.locate_f64(image, n, y, x, points.ys, points.xs, some, some_mask, points.step,
                      points.corners, <real*> points.weights, fractions)


cdef inline void choose(
    const points_t* points, intp_t length, intp_t size, const real* values, real* chosen,
) noexcept nogil:
    """Copy the values of the chosen points, `size` for each, of a run of outputs."""
    cdef intp_t _, j
    for _ in range(length):
        for j in range(points.n * size):
            chosen[j] = values[j]
        chosen += points.n * size
        values += points.all * size


cdef inline void sample_points(
    const microkernels* mk, const points_t* points, intp_t first, intp_t n, intp_t channel,
    intp_t n_channels, real* out, intp_t out_step,
) noexcept nogil:
    """Write channels of the values at n points of a run."""
    if real is float32_t:
        mk.sample_f32(n, n_channels, points.corners + first, <real*> points.weights + first,
                      points.step, channel, out, out_step)
    else:
        mk.sample_f64(n, n_channels, points.corners + first, <real*> points.weights + first,
                      points.step, channel, out, out_step)
