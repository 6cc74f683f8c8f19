/* The contract of the kernels of rank filters: one table of them for each type of pixel.
 *
 * Pixels are given as bytes, so that one caller serves all types. Rows are addresses of streams:
 * pixels with their channels side by side, so that neighbours of all channels lie equally far.
 * Whole vectors are read and written, the last overlapping the one before: n is at least a
 * vector's values.
 */
#ifndef CONVLIB_RANK_KERNELS_H
#define CONVLIB_RANK_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum pixel_type {
    PIXEL_U8,
    PIXEL_I8,
    PIXEL_U16,
    PIXEL_I16,
    PIXEL_U32,
    PIXEL_I32,
    PIXEL_U64,
    PIXEL_I64,
    PIXEL_F32,
    PIXEL_F64,
    N_PIXEL_TYPES
};

/* Of two values the smaller is kept as `low`, the larger as `high`; or one of them alone. */
enum { KEEP_BOTH, KEEP_LOW, KEEP_HIGH };
typedef struct {
    uint16_t low, high, keep;
} exchange;

enum { HISTOGRAM_COUNTS = 16 + 16 * 16 }; /* of a column of bytes */
enum { NETWORK_VECTORS = 4 }; /* that a network sorts together: its room is n_slots times these */

typedef struct {
    ptrdiff_t bytes; /* of a pixel */
    ptrdiff_t lanes; /* pixels of a vector */

    /* out[i] = the largest of rows[..][i], or the smallest; NaN if there is one. `out` may be the
     * first of the rows; others may overlap it if they begin at higher addresses. */
    void (*extreme)(int smallest, ptrdiff_t n_rows, const char *const *rows, ptrdiff_t n,
                    char *out);

    /* out[r][i] = the median of rows[r + j][i + k * step] for j, k below 3, in one row or two. Room
     * is for 3 lines of line_bytes, which hold n + 2 * step pixels in whole vectors. */
    void (*median_3)(ptrdiff_t n_out, const char *const *rows, ptrdiff_t step, ptrdiff_t n,
                     char *room, ptrdiff_t line_bytes, char *const *out);

    /* out[i] = the median of rows[j][i + k * step] for j, k below 5. Room is for 15 lines, which
     * hold n + 4 * step pixels. */
    void (*median_5)(const char *const *rows, ptrdiff_t step, ptrdiff_t n, char *room,
                     ptrdiff_t line_bytes, char *out);

    /* Runs a network over the values slots[..][i] and stores slot chosen[j] as out[j][i]. */
    void (*network)(ptrdiff_t n_slots, const char *const *slots, ptrdiff_t n_exchanges,
                    const exchange *exchanges, ptrdiff_t n_out, const uint16_t *chosen,
                    char *const *out, ptrdiff_t n, char *room);

    /* Whether one of n >= 0 values is NaN. */
    int (*holds_nan)(ptrdiff_t n, const char *row);

    /* out[i] = NaN where one of rows[..][i] is. */
    void (*mark_nan)(ptrdiff_t n_rows, const char *const *rows, ptrdiff_t n, char *out);

    /* The places of n < 2^32 values in ascending order, and the rank of each. Room is for 16 n
     * bytes, of 64-bit pixels for 32 n. */
    void (*order)(ptrdiff_t n, const char *values, uint32_t *places, uint32_t *ranks, char *room);

    /* out[i] = values[places[ranks[i]]], for n >= 0 values. */
    void (*look_up)(ptrdiff_t n, const uint32_t *ranks, const uint32_t *places,
                    const char *values, char *out);
} rank_kernels;

/* How a window moves by one pixel: offsets from its first to values that leave it, and of those
 * that enter, seen from the old place. */
typedef struct {
    ptrdiff_t n_taps, n_moves;
    const ptrdiff_t *taps;
    const ptrdiff_t *leaving;
    const ptrdiff_t *entering;
} sliding_window;

typedef struct {
    const rank_kernels *pixels[N_PIXEL_TYPES];

    /* out[i] = of the ranks under the window at i the one with k smaller ones, for n > 0 pixels.
     * `bits` has n_words words, one bit for each rank. */
    void (*slide)(const sliding_window *window, const uint32_t *ranks, ptrdiff_t n, ptrdiff_t k,
                  uint64_t *bits, ptrdiff_t n_words, uint32_t *out);

    /* Adds come[i] to the histogram of column i, and takes gone[i] away where that is given. Columns
     * have HISTOGRAM_COUNTS numbers each, and begin at a multiple of 32 bytes. */
    void (*count_columns)(ptrdiff_t n, const uint8_t *gone, const uint8_t *come, uint16_t *columns);

    /* out[i] = of the values in `size` columns from i on the one with k smaller ones, for n > 0
     * pixels. Windows hold less than 2^16 values. */
    void (*slide_columns)(ptrdiff_t size, const uint16_t *columns, ptrdiff_t n, ptrdiff_t k,
                          uint8_t *out);
} rank_table;

#endif
