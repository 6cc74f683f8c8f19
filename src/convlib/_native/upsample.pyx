"""Up-sampling: weighted sums of neighbours along each axis.

With a factor f, an axis has f phases: outputs f apart lie at the same distance from the pixels
around them, and weigh them alike. So there are few weights, whatever the size, and they are made
where they are needed. A task is a run of output rows, or of parts of rows where these are long.
The rows of the image around an output row are first mixed to a line, which stays in the
first-level cache and has the pixels beyond the border too, and then its pixels. Lanes run over
the channels of a pixel; where these do not fill a vector, each phase is mixed on a line of its own,
with lanes over pixels, and the lines are merged.
"""
from cython.parallel cimport parallel, prange
from libc.math cimport fabs
from libc.string cimport memcpy

from .band cimport n_blocks
from .border cimport EDGE, fill_row
from .cpu cimport kernels, microkernels
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport STREAM_ALIGNMENT, n_lanes, stream_fence
from .scratch cimport aligned, cut
from .stencil cimport mix_rows, stream_rows
from .types cimport float32_t, intp_t, real

cdef enum:  # as `KINDS` of ops/upsample.py
    NEAREST = 0
    BILINEAR = 1
    BICUBIC = 2

cdef enum:
    TAPS = 4     # at most, along an axis
    ROWS = 16    # at most, around a row: TAPS of each of TAPS planes

cdef double SHARPNESS = -0.75    # of cubic interpolation, as torch and OpenCV have it

# `Form` of ops/upsample.py, in its order.
cdef struct form_t:
    intp_t kind, z_factor, y_factor, x_factor, n_rows, pixels, phases, merges, reach, line, row

# What a task covers of a row.
cdef struct part_t:
    intp_t pixel, n_pixels    # of the image
    intp_t phase, n_phases    # of the outputs in each of them
    intp_t begin, end         # pixels that are seen, inside the image

# The pixels around an output, along one axis.
cdef struct around_t:
    intp_t shift              # of the first, from the pixel in which the output lies
    intp_t n
    double[TAPS] weights

# The rows of the image around a row of outputs.
cdef struct rows_t:
    intp_t n
    intp_t image
    intp_t[ROWS] z
    intp_t[ROWS] y
    double[ROWS] weights


def enlarge(
    const real[:, :, :, :, :] images,   # (n_images, depth, height, width, channels)
    real[:, :, :, :, ::1] out,          # the same, each axis times its factor
    const intp_t[::1] numbers,          # see form_t
    bint streams,                       # whether `out` is larger than the caches
    unsigned char[:, ::1] scratch,      # (n_threads, bytes of the pieces cut below)
):
    """Write enlarged images to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        const form_t* form = <const form_t*> &numbers[0]
        intp_t n_tasks = n_blocks(out.shape[0] * out.shape[1] * out.shape[2], form.n_rows) \
            * n_parts(images.shape[3], form)
        intp_t task
        uint64_t mode = 0

    if not form.merges:
        streams = streams and <intp_t> &out[0, 0, 0, 0, 0] % STREAM_ALIGNMENT == 0 \
            and out.shape[4] * <intp_t> sizeof(real) % STREAM_ALIGNMENT == 0
    if scratch.shape[0] == 1:  # a team of one would cost a microsecond
        with nogil:
            mode = flush_denormals()
            for task in range(n_tasks):
                enlarge_rows(mk, images, out, form, streams, task, aligned(&scratch[0, 0]))
            restore_denormals(mode)
        return
    with nogil, parallel(num_threads=<int> scratch.shape[0]):
        mode = flush_denormals()
        for task in prange(n_tasks, schedule="dynamic"):
            enlarge_rows(mk, images, out, form, streams, task, aligned(&scratch[thread_id(), 0]))
        restore_denormals(mode)


cdef void enlarge_rows(
    const microkernels* mk, const real[:, :, :, :, :] images, real[:, :, :, :, ::1] out,
    const form_t* form, bint streams, intp_t task, char* room,
) noexcept nogil:
    """Write what the task numbered `task` covers of `out`."""
    cdef:
        intp_t channels = out.shape[4]
        part_t part = part_of(task, images.shape[3], form)
        intp_t row = task // n_parts(images.shape[3], form) * form.n_rows
        intp_t end = min(row + form.n_rows, out.shape[0] * out.shape[1] * out.shape[2])
        intp_t n_values = part.n_pixels * part.n_phases * channels
        intp_t* shifts = <intp_t*> cut(&room, form.phases * sizeof(intp_t))
        intp_t* n_taps = <intp_t*> cut(&room, form.phases * sizeof(intp_t))
        real* weights = <real*> cut(&room, TAPS * form.phases * sizeof(real))
        real* line = <real*> cut(&room, form.line * sizeof(real))
        real* merged = <real*> cut(&room, form.row * sizeof(real) if form.merges else 0)
        real* lines = <real*> cut(
            &room, form.phases * form.line * sizeof(real) if form.merges else 0)
        real* copies = <real*> room    # ROWS lines, if the image is not dense
        intp_t[ROWS] copied            # number of the row in each of them
        const real* pixels = NULL
        real* target
        rows_t rows, mixed
        bint is_same
        intp_t i

    fill_phases(form, &part, shifts, n_taps, weights)
    for i in range(ROWS):
        copied[i] = -1
    mixed.n = 0
    for row in range(row, end):
        rows = rows_around(images, form, row)
        is_same = are_same(&rows, &mixed)
        mixed = rows
        target = &out[0, 0, 0, 0, 0] + row * out.shape[3] * channels \
            + (part.pixel * form.x_factor + part.phase) * channels
        if not is_same:
            pixels = mix(mk, images, form, &part, &rows, copied, copies, line)
        if not form.merges:
            mix_pixels(mk, part.n_pixels, part.n_phases, channels, shifts, n_taps,
                       NULL if form.kind == NEAREST else weights, pixels, streams, target)
            continue
        if is_same and not streams:
            memcpy(target, target - out.shape[3] * channels, n_values * sizeof(real))
            continue
        if not is_same:
            merge(mk, form, &part, channels, shifts, n_taps, weights, pixels, lines,
                  merged if streams else target)
        if streams:
            stream_rows(mk, 1, n_values, merged, target, n_values)
    if streams:
        stream_fence()


cdef inline intp_t n_parts(intp_t width, const form_t* form) noexcept nogil:
    """Return into how many parts a row of outputs is cut."""
    return n_blocks(width, form.pixels) * n_blocks(form.x_factor, form.phases)


cdef inline part_t part_of(intp_t task, intp_t width, const form_t* form) noexcept nogil:
    cdef:
        part_t part
        intp_t n = n_blocks(form.x_factor, form.phases)
    part.phase = task % n * form.phases
    part.n_phases = min(form.phases, form.x_factor - part.phase)
    part.pixel = task // n % n_blocks(width, form.pixels) * form.pixels
    part.n_pixels = min(form.pixels, width - part.pixel)
    part.begin = max(0, part.pixel - form.reach)
    part.end = min(width, part.pixel + part.n_pixels + form.reach)
    return part


cdef inline around_t around(intp_t kind, intp_t factor, intp_t phase) noexcept nogil:
    """Return the pixels around the outputs of a phase, and their weights."""
    cdef:
        around_t pixels
        double place = (phase + 0.5) / factor - 0.5    # from the middle of the pixel it lies in
        intp_t i
    pixels.shift = 0
    pixels.n = 1
    pixels.weights[0] = 1
    if kind == NEAREST or place == 0:
        return pixels
    pixels.shift = -1 if place < 0 else 0
    if kind == BILINEAR:
        pixels.n = 2
        pixels.weights[1] = place - pixels.shift
        pixels.weights[0] = 1 - pixels.weights[1]
        return pixels
    pixels.shift -= 1
    pixels.n = 4
    for i in range(4):
        pixels.weights[i] = cubic(fabs(place - (pixels.shift + i)))
    return pixels


cdef inline double cubic(double distance) noexcept nogil:
    """Return Keys' kernel at a distance below 2."""
    if distance <= 1:
        return ((SHARPNESS + 2) * distance - (SHARPNESS + 3)) * distance * distance + 1
    return SHARPNESS * (((distance - 5) * distance + 8) * distance - 4)


cdef inline void fill_phases(
    const form_t* form, const part_t* part, intp_t* shifts, intp_t* n_taps, real* weights,
) noexcept nogil:
    """Write the pixels around the outputs of a part, phase by phase."""
    cdef:
        intp_t i, k
        around_t pixels
    for i in range(part.n_phases):
        pixels = around(form.kind, form.x_factor, part.phase + i)
        shifts[i] = pixels.shift
        n_taps[i] = pixels.n
        for k in range(pixels.n):
            weights[TAPS * i + k] = <real> pixels.weights[k]


cdef inline rows_t rows_around(
    const real[:, :, :, :, :] images, const form_t* form, intp_t number,
) noexcept nogil:
    """Return the rows around a row of outputs. Beyond the border stands the last before it."""
    cdef:
        rows_t rows
        intp_t height = images.shape[2] * form.y_factor
        intp_t depth = images.shape[1] * form.z_factor
        intp_t y = number % height
        intp_t z = number // height % depth
        around_t down = around(form.kind, form.y_factor, y % form.y_factor)
        around_t deep = around(form.kind, form.z_factor, z % form.z_factor)
        intp_t i, j
    rows.n = 0
    rows.image = number // height // depth
    for i in range(deep.n):
        for j in range(down.n):
            rows.z[rows.n] = inside(z // form.z_factor + deep.shift + i, images.shape[1])
            rows.y[rows.n] = inside(y // form.y_factor + down.shift + j, images.shape[2])
            rows.weights[rows.n] = deep.weights[i] * down.weights[j]
            rows.n += 1
    return rows


cdef inline intp_t inside(intp_t i, intp_t size) noexcept nogil:
    return min(max(i, 0), size - 1)


cdef inline bint are_same(const rows_t* a, const rows_t* b) noexcept nogil:
    cdef intp_t i
    if a.n != b.n or a.image != b.image:
        return False
    for i in range(a.n):
        if a.z[i] != b.z[i] or a.y[i] != b.y[i] or a.weights[i] != b.weights[i]:
            return False
    return True


cdef inline const real* mix(
    const microkernels* mk, const real[:, :, :, :, :] images, const form_t* form,
    const part_t* part, const rows_t* rows, intp_t* copied, real* copies, real* line,
) noexcept nogil:
    """Mix some rows to a line, with pixels beyond the border; return its first pixel.

    A single row is left where it is, if it may be read as lines are. Rows that are not dense in
    memory are copied, and stay for the next outputs: those around an output have slots of their
    own, as there are at most TAPS neighbours along each axis.
    """
    cdef:
        intp_t channels = images.shape[4]
        intp_t n_before = form.reach - (part.pixel - part.begin)    # beyond the border
        intp_t n_after = form.reach - (part.end - part.pixel - part.n_pixels)
        intp_t n_values = (part.end - part.begin) * channels
        bint is_dense = (channels == 1 or images.strides[4] == <intp_t> sizeof(real)) and (
            images.shape[3] == 1 or images.strides[3] == channels * <intp_t> sizeof(real))
        real* mixed = line + n_before * channels
        const real* sources[ROWS]
        real weights[ROWS]
        intp_t i, slot, number
        const real* row

    for i in range(rows.n):
        weights[i] = <real> rows.weights[i]
        row = &images[rows.image, rows.z[i], rows.y[i], 0, 0]
        if is_dense:
            sources[i] = row + part.begin * channels
            continue
        number = (rows.image * images.shape[1] + rows.z[i]) * images.shape[2] + rows.y[i]
        slot = rows.z[i] % TAPS * TAPS + rows.y[i] % TAPS
        sources[i] = copies + slot * form.line
        if copied[slot] != number:
            copied[slot] = number
            fill_row(row, images.strides[3], images.strides[4], images.shape[3], part.begin, 1,
                     part.end - part.begin, EDGE, channels, channels, copies + slot * form.line)
    if rows.n == 1 and form.reach == 0 and (form.merges or channels >= n_lanes(mk, line)):
        return sources[0]
    if rows.n == 1:
        memcpy(mixed, sources[0], n_values * sizeof(real))
    else:
        mix_rows(mk, rows.n, sources, weights, n_values, mixed)
    for i in range(n_before):
        memcpy(line + i * channels, mixed, channels * sizeof(real))
    for i in range(n_after):
        memcpy(mixed + n_values + i * channels, mixed + n_values - channels,
               channels * sizeof(real))
    return line + form.reach * channels


cdef inline void merge(
    const microkernels* mk, const form_t* form, const part_t* part, intp_t channels,
    const intp_t* shifts, const intp_t* n_taps, const real* weights, const real* pixels,
    real* lines, real* out,
) noexcept nogil:
    """Write the outputs of a part, each phase on a line first."""
    cdef:
        intp_t n_values = part.n_pixels * channels
        const real* taps[TAPS]
        intp_t i, k

    if form.kind == NEAREST:
        merge_pixels(mk, channels, part.n_phases, part.n_pixels, pixels, 0, out)
        return
    for i in range(part.n_phases):
        for k in range(n_taps[i]):
            taps[k] = pixels + (shifts[i] + k) * channels
        if n_taps[i] == 1:
            memcpy(lines + i * form.line, taps[0], n_values * sizeof(real))
        else:
            mix_rows(mk, n_taps[i], taps, weights + TAPS * i, n_values, lines + i * form.line)
    merge_pixels(mk, channels, part.n_phases, part.n_pixels, lines, form.line, out)


cdef inline void mix_pixels(
    const microkernels* mk, intp_t n_pixels, intp_t n_phases, intp_t channels,
    const intp_t* shifts, const intp_t* n_taps, const real* weights, const real* line,
    bint streams, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.mix_pixels_f32(n_pixels, n_phases, channels, shifts, n_taps, weights, line, streams, out)
    else:
        mk.mix_pixels_f64(n_pixels, n_phases, channels, shifts, n_taps, weights, line, streams, out)


cdef inline void merge_pixels(
    const microkernels* mk, intp_t channels, intp_t n_lines, intp_t n_pixels, const real* lines,
    intp_t step, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.merge_pixels_f32(channels, n_lines, n_pixels, lines, step, out)
    else:
        mk.merge_pixels_f64(channels, n_lines, n_pixels, lines, step, out)
