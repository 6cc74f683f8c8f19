"""The adjoint of up-sampling: every pixel gathers from the outputs that took from it.

Along an axis, a pixel has a list of the outputs that see it, with weights. Lists of neighbours are
the same, a factor further on, but near the border, where pixels stand for those beyond it. So there
are few lists, whatever the size.

A task is a part of some rows of pixels. The rows of outputs that see a row are first added up to a
line, which stays in the first-level cache, and then the outputs of the line. Lanes run over the
channels of a pixel; where these do not fill a vector, the line is split into the phases of the
outputs, so that lanes run over pixels. Each value is a sum in one order, in a task of its own.
"""
from cython.parallel cimport parallel, prange
from libc.string cimport memcpy

from .band cimport n_blocks
from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .scratch cimport aligned, cut
from .stencil cimport mix_rows
from .types cimport intp_t, real

# The lists of one axis: list i is starts[i] .. starts[i + 1] - 1.
cdef struct lists_t:
    intp_t n         # of lists
    intp_t size      # pixels
    intp_t factor
    const intp_t* starts
    const intp_t* seen

cdef enum:
    PIECE = 16       # bytes in which pixels of few channels are copied

# `Form` of ops/_grad_upsample.py, in its order.
cdef struct form_t:
    intp_t n_rows, pixels, splits, n_sources, n_taps, line, step


def gather(
    const real[:, :, :, :, ::1] grads,  # (n_images, *size times factor, channels)
    real[:, :, :, :, ::1] out,          # (n_images, depth, height, width, channels)
    const intp_t[::1] z_starts,
    const intp_t[::1] z_seen,
    const real[::1] z_weights,
    const intp_t[::1] y_starts,
    const intp_t[::1] y_seen,
    const real[::1] y_weights,
    const intp_t[::1] x_starts,
    const intp_t[::1] x_seen,
    const real[::1] x_weights,
    const intp_t[::1] numbers,          # see form_t
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write weighted sums of `grads`, dense in memory, to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        const form_t* form = <const form_t*> &numbers[0]
        lists_t[3] axes
        const real* weights[3]
        intp_t n_tasks = n_blocks(out.shape[0] * out.shape[1] * out.shape[2], form.n_rows) \
            * n_blocks(out.shape[3], form.pixels)
        intp_t task
        uint64_t mode = 0

    axes[0] = lists_of(z_starts, z_seen, out.shape[1], grads.shape[1])
    axes[1] = lists_of(y_starts, y_seen, out.shape[2], grads.shape[2])
    axes[2] = lists_of(x_starts, x_seen, out.shape[3], grads.shape[3])
    weights[0] = &z_weights[0]
    weights[1] = &y_weights[0]
    weights[2] = &x_weights[0]
    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            for task in range(n_tasks):
                gather_rows(mk, grads, out, axes, weights, form, task, aligned(&scratch[0, 0]))
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            gather_rows(mk, grads, out, axes, weights, form, task,
                        aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef inline lists_t lists_of(
    const intp_t[::1] starts, const intp_t[::1] seen, intp_t size, intp_t large,
) noexcept nogil:
    cdef lists_t lists
    lists.n = starts.shape[0] - 1
    lists.size = size
    lists.factor = large // size
    lists.starts = &starts[0]
    lists.seen = &seen[0]
    return lists


cdef inline intp_t list_of(const lists_t* axis, intp_t pixel) noexcept nogil:
    """Return the number of a pixel's list: those away from the border share the middle one."""
    return min(pixel, max(axis.n // 2, pixel - (axis.size - axis.n)))


cdef inline intp_t shift_of(const lists_t* axis, intp_t pixel) noexcept nogil:
    """Return how much further on than its list says the outputs lie that see a pixel."""
    return (pixel - list_of(axis, pixel)) * axis.factor


cdef void gather_rows(
    const microkernels* mk, const real[:, :, :, :, ::1] grads, real[:, :, :, :, ::1] out,
    const lists_t* axes, const real** weights, const form_t* form, intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        const lists_t* x = &axes[2]
        intp_t channels = out.shape[4]
        intp_t n_parts = n_blocks(out.shape[3], form.pixels)
        intp_t begin = task % n_parts * form.pixels
        intp_t end = min(out.shape[3], begin + form.pixels)
        intp_t row = task // n_parts * form.n_rows
        intp_t last = min(row + form.n_rows, out.shape[0] * out.shape[1] * out.shape[2])
        # The outputs that see these pixels.
        intp_t low = x.seen[x.starts[list_of(x, begin)]] + shift_of(x, begin)
        intp_t high = x.seen[x.starts[list_of(x, end - 1) + 1] - 1] + shift_of(x, end - 1) + 1
        intp_t n_values = (high - low) * channels
        const real** sources = <const real**> cut(&room, form.n_sources * sizeof(intp_t))
        real* factors = <real*> cut(&room, form.n_sources * sizeof(real))
        const real** taps = <const real**> cut(&room, form.n_taps * sizeof(intp_t))
        real* mixed = <real*> cut(&room, form.line * sizeof(real))
        real* lines = <real*> room
        const real* line
        intp_t n

    for row in range(row, last):
        n = find_rows(grads, out, axes, weights, row, low, sources, factors)
        line = mixed
        if n > 1 or factors[0] != 1:
            mix_rows(mk, n, sources, factors, n_values, mixed)
        elif form.splits:
            memcpy(mixed, sources[0], n_values * sizeof(real))
        else:
            line = sources[0]
        if form.splits:
            split(x.factor, channels, low, high, line, form.step, lines)
            add_lines(mk, x, weights[2], begin, end, channels, low, lines, form.step, taps,
                      &out[0, 0, 0, 0, 0] + (row * out.shape[3] + begin) * channels)
        else:
            add_pixels(mk, x, weights[2], begin, end, channels, line - low * channels, taps,
                       &out[0, 0, 0, 0, 0] + (row * out.shape[3] + begin) * channels)


cdef inline intp_t find_rows(
    const real[:, :, :, :, ::1] grads, real[:, :, :, :, ::1] out, const lists_t* axes,
    const real** weights, intp_t number, intp_t low, const real** sources, real* factors,
) noexcept nogil:
    """Write the rows of outputs that see a row, and their weights; return how many there are."""
    cdef:
        intp_t y = number % out.shape[2]
        intp_t z = number // out.shape[2] % out.shape[1]
        intp_t image = number // (out.shape[2] * out.shape[1])
        intp_t down = list_of(&axes[1], y)
        intp_t deep = list_of(&axes[0], z)
        intp_t n = 0
        intp_t i, j
    for i in range(axes[0].starts[deep], axes[0].starts[deep + 1]):
        for j in range(axes[1].starts[down], axes[1].starts[down + 1]):
            sources[n] = &grads[image, axes[0].seen[i] + shift_of(&axes[0], z),
                                axes[1].seen[j] + shift_of(&axes[1], y), low, 0]
            factors[n] = weights[0][i] * weights[1][j]
            n += 1
    return n


cdef inline void add_pixels(
    const microkernels* mk, const lists_t* x, const real* weights, intp_t begin, intp_t end,
    intp_t channels, const real* line, const real** taps, real* out,
) noexcept nogil:
    """Write the pixels from `begin` to `end`, lanes over channels; the line is that of output 0."""
    cdef intp_t pixel, first, n, k, shift
    for pixel in range(begin, end):
        first = x.starts[list_of(x, pixel)]
        n = x.starts[list_of(x, pixel) + 1] - first
        shift = shift_of(x, pixel)
        for k in range(n):
            taps[k] = line + (x.seen[first + k] + shift) * channels
        mix_rows(mk, n, taps, weights + first, channels, out)
        out += channels


cdef inline void add_lines(
    const microkernels* mk, const lists_t* x, const real* weights, intp_t begin, intp_t end,
    intp_t channels, intp_t low, const real* lines, intp_t step, const real** taps, real* out,
) noexcept nogil:
    """Write the pixels from `begin` to `end`, lanes over all that have the same list."""
    cdef:
        intp_t pixel = begin
        intp_t next, first, n, k, seen
    while pixel < end:
        next = pixel + 1
        if list_of(x, pixel) == x.n // 2:
            next = max(next, min(end, x.size - (x.n - 1 - x.n // 2)))
        first = x.starts[list_of(x, pixel)]
        n = x.starts[list_of(x, pixel) + 1] - first
        for k in range(n):
            seen = x.seen[first + k] + shift_of(x, pixel)
            taps[k] = lines + seen % x.factor * step \
                + (seen // x.factor - low // x.factor) * channels
        mix_rows(mk, n, taps, weights + first, (next - pixel) * channels, out)
        out += (next - pixel) * channels
        pixel = next


cdef inline void split(
    intp_t factor, intp_t channels, intp_t low, intp_t high, const real* line, intp_t step,
    real* lines,
) noexcept nogil:
    """Copy the outputs of each phase, which lie a factor apart, to a line of their own.

    In pieces of 16 bytes: what is too much is overwritten by the next, or lies behind the line.
    """
    cdef:
        intp_t cell = low // factor    # where lines begin
        intp_t values = PIECE // <intp_t> sizeof(real)
        intp_t phase, first, i, n, c, _
        const real* pixel
        real* to

    for phase in range(factor):
        first = cell * factor + phase
        to = lines + phase * step
        if first < low:
            first += factor
            to += channels
        n = n_blocks(high - first, factor)
        pixel = line + (first - low) * channels
        if channels == 1:
            for i in range(n):
                to[i] = pixel[i * factor]
            continue
        for _ in range(n):
            c = 0
            while c < channels:
                memcpy(to + c, pixel + c, PIECE)
                c += values
            to += channels
            pixel += factor * channels
