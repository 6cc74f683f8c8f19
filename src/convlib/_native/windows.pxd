# Where the windows of pooling lie, and the blocks of outputs that are tasks.
from .types cimport intp_t

# Columns of `axes`.
cdef enum:
    SIZE = 0         # pixels of the whole image
    TAPS = 1
    STRIDE = 2
    DILATION = 3
    PAD = 4
    FIRST_IN = 5     # pixel of the image where `images` begins
    FIRST_OUT = 6    # output where `out` begins
    BLOCK = 7        # outputs of a task
    STEP = 8         # pixels between neighbouring rows of a task
    COUNT_FROM = 9   # pixels that a mean counts, padding included if it does
    COUNT_TO = 10

cdef struct block_t:
    intp_t image, z, y, x            # first output
    intp_t n_y, n_x                  # outputs
    intp_t y0, n_rows                # first pixel row, and rows
    intp_t first                     # first pixel column in the image
    intp_t begin                     # where the first window begins, in pixels from there
    intp_t before, inside, after     # values of a line: outside the image, in it, outside
    intp_t channels


cdef inline block_t block_of(
    intp_t task, intp_t n_y, intp_t n_x, const intp_t[:, ::1] axes, intp_t depth, intp_t height,
    intp_t width, intp_t channels,
) noexcept nogil:
    """Return what the task numbered `task` covers."""
    cdef:
        block_t block
        intp_t rest = task // n_x
        intp_t x0, n_pixels
    block.channels = channels
    block.image = rest // n_y // depth
    block.z = rest // n_y % depth
    block.y = rest % n_y * axes[1, BLOCK]
    block.x = task % n_x * axes[2, BLOCK]
    block.n_y = min(axes[1, BLOCK], height - block.y)
    block.n_x = min(axes[2, BLOCK], width - block.x)
    block.y0 = start(axes, 1, block.y)
    block.n_rows = (reach(axes, 1, block.n_y) - 1) // axes[1, STEP] + 1
    x0 = start(axes, 2, block.x)
    n_pixels = reach(axes, 2, block.n_x)
    block.first = min(max(x0, 0), axes[2, SIZE])
    block.begin = x0 - block.first
    block.inside = max(min(x0 + n_pixels, axes[2, SIZE]) - block.first, 0) * channels
    block.before = min(block.first - x0, n_pixels) * channels if block.inside else 0
    block.after = n_pixels * channels - block.before - block.inside
    return block


cdef inline intp_t start(const intp_t[:, ::1] axes, int axis, intp_t output) noexcept nogil:
    """Return the pixel under the first tap of an output; `out` begins with output 0."""
    return (axes[axis, FIRST_OUT] + output) * axes[axis, STRIDE] - axes[axis, PAD]


cdef inline intp_t reach(const intp_t[:, ::1] axes, int axis, intp_t n) noexcept nogil:
    """Return the pixels from the first tap of n neighbouring outputs to the last."""
    return (n - 1) * axes[axis, STRIDE] + (axes[axis, TAPS] - 1) * axes[axis, DILATION] + 1


cdef inline intp_t counted(const intp_t[:, ::1] axes, int axis, intp_t output) noexcept nogil:
    """Return how many taps of an output a mean counts along an axis."""
    cdef intp_t begin = start(axes, axis, output)
    return taps_before(axes[axis, COUNT_TO] - begin, axes[axis, DILATION], axes[axis, TAPS]) \
        - taps_before(axes[axis, COUNT_FROM] - begin, axes[axis, DILATION], axes[axis, TAPS])


cdef inline intp_t equally_counted(
    const intp_t[:, ::1] axes, int axis, intp_t output, intp_t n,
) noexcept nogil:
    """Return how many of n outputs count as many taps as the first; ones at the border 1."""
    cdef:
        intp_t begin = start(axes, axis, output)
        intp_t left = axes[axis, COUNT_TO] - begin - reach(axes, axis, 1)
    if begin < axes[axis, COUNT_FROM] or left < 0:
        return 1
    return min(n, left // axes[axis, STRIDE] + 1)


cdef inline intp_t taps_before(intp_t pixel, intp_t dilation, intp_t n) noexcept nogil:
    """Return how many of n taps, the first at 0, lie before a pixel."""
    return 0 if pixel <= 0 else min((pixel - 1) // dilation + 1, n)
