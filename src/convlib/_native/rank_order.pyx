"""Order statistics of large windows: values are replaced by their ranks, windows are sets of bits.

A task is a tile of outputs of one channel. All values under it are sorted once; the window then
slides over their ranks, row by row, with a bit for each rank that it holds. Each step costs what
leaves and enters, whatever the type of pixels. The search for the rank goes on from its last place.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from .border cimport border_index
from .cpu cimport kernels, microkernels, rank_kernels, sliding_window
from .omp cimport thread_id
from .rank_lines cimport (
    BEFORE_X, BEFORE_Y, BLOCK_X, BLOCK_Y, CHANNELS, MODE, SIZE_X, SIZE_Y, WIDTH, block_of, block_t,
    count_tasks,
)
from .scratch cimport aligned, cut
from .types cimport intp_t


cdef struct room_t:
    # A thread's scratch.
    char* values
    uint32_t* places
    uint32_t* ranks
    char* sorting
    uint64_t* bits
    uint32_t* found
    char* target
    const char** addresses
    intp_t n_values         # under a tile, at most


def rank_order(
    const unsigned char[:, :, :, ::1] images,   # (stack, planes, height, bytes of a row)
    unsigned char[:, :, :, ::1] out,            # the same
    int pixel_type,
    intp_t k,                                   # values below the one that is wanted
    const intp_t[::1] form,                     # see rank_lines.pxd
    const intp_t[:, ::1] planes,                # (planes, n) those in a window, -1 for a constant
    const unsigned char[::1] constant,          # one value
    const intp_t[::1] taps,                     # values of a tile from the first tap to each
    const intp_t[::1] leaving,                  # the same, of those that leave the window
    const intp_t[::1] entering,                 # and that enter, from the old place
    intp_t n_values,                            # under a tile
    unsigned char[:, ::1] scratch,              # (n_threads, bytes of the pieces of room_t)
):
    """Write the filtered `images` to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = count_tasks(out, form) * form[CHANNELS]
        sliding_window window = sliding_window(
            taps.shape[0], leaving.shape[0], &taps[0], &leaving[0], &entering[0])
        room_t room
        intp_t task
        int n_threads = <int> scratch.shape[0]

    with nogil, parallel(num_threads=n_threads):
        room = cut_room(mk.ranks.pixels[pixel_type], n_values, taps.shape[0],
                        aligned(&scratch[thread_id(), 0]))
        for task in prange(n_tasks, schedule="dynamic"):
            filter_tile(mk, pixel_type, k, images, out, form, planes, <const char*> &constant[0],
                        &window, &room, task)


cdef room_t cut_room(
    const rank_kernels* pixels, intp_t n_values, intp_t n_taps, char* scratch,
) noexcept nogil:
    """Cut the scratch; as `tile_scratch` in `convlib._filters.rank` counts it."""
    cdef room_t room
    room.n_values = n_values
    # Vectors may reach beyond the last value.
    room.values = cut(&scratch, (n_values + pixels.lanes) * pixels.bytes)
    room.places = <uint32_t*> cut(&scratch, n_values * sizeof(uint32_t))
    room.ranks = <uint32_t*> cut(&scratch, n_values * sizeof(uint32_t))
    room.sorting = cut(&scratch, n_values * (16 if pixels.bytes <= 4 else 32))
    room.bits = <uint64_t*> cut(&scratch, (n_values // 64 + 1) * sizeof(uint64_t))
    room.found = <uint32_t*> cut(&scratch, n_values * sizeof(uint32_t))
    room.target = cut(&scratch, (n_values + pixels.lanes) * pixels.bytes)
    room.addresses = <const char**> cut(&scratch, n_taps * sizeof(intp_t))
    return room


cdef void filter_tile(
    const microkernels* mk, int pixel_type, intp_t k, const unsigned char[:, :, :, ::1] images,
    unsigned char[:, :, :, ::1] out, const intp_t[::1] form, const intp_t[:, ::1] planes,
    const char* constant, const sliding_window* window, room_t* room, intp_t task,
) noexcept nogil:
    """Write the outputs of the task numbered `task`."""
    cdef:
        const rank_kernels* pixels = mk.ranks.pixels[pixel_type]
        intp_t step = form[CHANNELS]
        intp_t channel = task % step
        block_t block = block_of(task // step, out, form)
        intp_t n_columns = form[BLOCK_X] + form[SIZE_X] - 1
        intp_t n_words = room.n_values // 64 + 1
        intp_t i, tap
        bint has_nan

    copy_values(pixels.bytes, &block, images, form, planes, constant, channel, room.values)
    has_nan = pixels.holds_nan(room.n_values, room.values)
    pixels.order(room.n_values, room.values, room.places, room.ranks, room.sorting)
    for i in range(block.n_y):
        mk.ranks.slide(window, room.ranks + i * n_columns, block.n_x, k, room.bits, n_words,
                       room.found)
        pixels.look_up(block.n_x, room.found, room.places, room.values, room.target)
        if has_nan:
            for tap in range(window.n_taps):
                room.addresses[tap] = room.values \
                    + (window.taps[tap] + i * n_columns) * pixels.bytes
            pixels.mark_nan(window.n_taps, room.addresses, max(block.n_x, pixels.lanes),
                            room.target)
        copy_strided(pixels.bytes, block.n_x, room.target, 1,
                     <char*> &out[block.image, block.plane, block.y + i,
                                  (block.x * step + channel) * pixels.bytes], step)


cdef inline void copy_values(
    intp_t n_bytes, const block_t* block, const unsigned char[:, :, :, ::1] images,
    const intp_t[::1] form, const intp_t[:, ::1] planes, const char* constant, intp_t channel,
    char* values,
) noexcept nogil:
    """Copy one channel under a tile, as large as those of whole tiles.

    What lies behind a part of a tile is some value: no window of its outputs looks there.
    """
    cdef:
        intp_t n_columns = form[BLOCK_X] + form[SIZE_X] - 1
        intp_t outer, i, plane, y
        const char* row
    for outer in range(planes.shape[1]):
        plane = planes[block.plane, outer]
        for i in range(form[BLOCK_Y] + form[SIZE_Y] - 1):
            y = border_index(block.y - form[BEFORE_Y] + i, images.shape[2], form[MODE])
            row = NULL
            if plane >= 0 and y >= 0:
                row = <const char*> &images[block.image, plane, y, channel * n_bytes]
            copy_row(n_bytes, row, form, block.x - form[BEFORE_X], n_columns, constant, values)
            values += n_columns * n_bytes


cdef inline void copy_row(
    intp_t n_bytes, const char* row, const intp_t[::1] form, intp_t x0, intp_t n,
    const char* constant, char* out,
) noexcept nogil:
    """Copy one channel of n pixels of a row, or of no row, from x0 on."""
    cdef:
        intp_t step = form[CHANNELS]
        intp_t i = 0
        intp_t x, source, inside
        const char* pixel
    while i < n:
        x = x0 + i
        if row != NULL and 0 <= x < form[WIDTH]:
            inside = min(n - i, form[WIDTH] - x)
            copy_strided(n_bytes, inside, row + x * step * n_bytes, step, out + i * n_bytes, 1)
            i += inside
            continue
        source = border_index(x, form[WIDTH], form[MODE]) if row != NULL else -1
        pixel = constant if source < 0 else row + source * step * n_bytes
        memcpy(out + i * n_bytes, pixel, n_bytes)
        i += 1


cdef inline void copy_strided(
    intp_t n_bytes, intp_t n, const char* values, intp_t step, char* out, intp_t out_step,
) noexcept nogil:
    """Copy n values of n_bytes each; steps are values."""
    cdef intp_t i
    if step == 1 and out_step == 1:
        memcpy(out, values, n * n_bytes)
    elif n_bytes == 1:
        for i in range(n):
            out[i * out_step] = values[i * step]
    elif n_bytes == 4:
        for i in range(n):
            memcpy(out + 4 * i * out_step, values + 4 * i * step, 4)
    else:
        for i in range(n):
            memcpy(out + i * out_step * n_bytes, values + i * step * n_bytes, n_bytes)
