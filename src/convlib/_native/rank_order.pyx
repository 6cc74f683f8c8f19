"""Order statistics of large windows, which slide over ranks, or of bytes over histograms.

A task is a tile of outputs of one channel. All values under it are sorted once; the window then
slides over their ranks, row by row, with a bit for each rank that it holds. Each step costs what
leaves and enters, whatever the type of pixels. The search for the rank goes on from its last place.

Bytes are counted instead, column by column, where windows are boxes: the counts under a row of
outputs move down by what leaves and enters, and a step along the row costs two of them.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from .cpu cimport HISTOGRAM_COUNTS, kernels, microkernels, rank_kernels, sliding_window
from .omp cimport thread_id
from .rank_lines cimport (
    BLOCK_X, BLOCK_Y, CHANNELS, SIZE_X, SIZE_Y, block_of, block_t, copy_strided, copy_values,
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


def rank_bytes(
    const unsigned char[:, :, :, ::1] images,   # (stack, planes, height, bytes of a row)
    unsigned char[:, :, :, ::1] out,            # the same
    bint is_signed,
    intp_t k,                                   # values below the one that is wanted
    const intp_t[::1] form,                     # see rank_lines.pxd
    const intp_t[:, ::1] planes,                # (planes, n) those in a window, -1 for a constant
    const unsigned char[::1] constant,          # one value
    unsigned char[:, ::1] scratch,              # (n_threads, columns, values and row of outputs)
):
    """Write the filtered `images`, of bytes, to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        intp_t n_tasks = count_tasks(out, form) * form[CHANNELS]
        intp_t task
        int n_threads = <int> scratch.shape[0]

    with nogil, parallel(num_threads=n_threads):
        for task in prange(n_tasks, schedule="dynamic"):
            filter_bytes(mk, is_signed, k, images, out, form, planes, <const char*> &constant[0],
                         aligned(&scratch[thread_id(), 0]), task)


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


cdef void filter_bytes(
    const microkernels* mk, bint is_signed, intp_t k, const unsigned char[:, :, :, ::1] images,
    unsigned char[:, :, :, ::1] out, const intp_t[::1] form, const intp_t[:, ::1] planes,
    const char* constant, char* scratch, intp_t task,
) noexcept nogil:
    """Write the outputs of bytes of the task numbered `task`."""
    cdef:
        intp_t step = form[CHANNELS]
        intp_t channel = task % step
        block_t block = block_of(task // step, out, form)
        intp_t n_columns = form[BLOCK_X] + form[SIZE_X] - 1
        intp_t n_plane = (form[BLOCK_Y] + form[SIZE_Y] - 1) * n_columns
        intp_t n_used = block.n_x + form[SIZE_X] - 1
        intp_t n_bytes = n_columns * HISTOGRAM_COUNTS * sizeof(uint16_t)
        uint16_t* columns = <uint16_t*> cut(&scratch, n_bytes)
        uint8_t* values = <uint8_t*> cut(&scratch, planes.shape[1] * n_plane)
        uint8_t* target = <uint8_t*> scratch
        const uint8_t* come
        intp_t line, plane, i

    copy_values(1, &block, images, form, planes, constant, channel, <char*> values)
    if is_signed:
        turn_signs(planes.shape[1] * n_plane, values)
    memset(columns, 0, n_bytes)
    for line in range(form[SIZE_Y] + block.n_y - 1):
        for plane in range(planes.shape[1]):
            come = values + plane * n_plane + line * n_columns
            mk.ranks.count_columns(
                n_used, come - form[SIZE_Y] * n_columns if line >= form[SIZE_Y] else NULL, come,
                columns)
        i = line + 1 - form[SIZE_Y]
        if i < 0:
            continue
        mk.ranks.slide_columns(form[SIZE_X], columns, block.n_x, k, target)
        if is_signed:
            turn_signs(block.n_x, target)
        copy_strided(1, block.n_x, <char*> target, 1,
                     <char*> &out[block.image, block.plane, block.y + i, block.x * step + channel],
                     step)


cdef inline void turn_signs(intp_t n, uint8_t* values) noexcept nogil:
    """Turn signed bytes into others of the same order, and back."""
    cdef intp_t i
    for i in range(n):
        values[i] ^= 128
