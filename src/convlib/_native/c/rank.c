/* Every kernel of rank filters of one tier. Compiled once per tier with its flags, as
 * microkernels.c is, which names the table. */
#include "histogram.h"
#include "microkernels.h"
#include "rank_types.h"

#define PIXEL uint8_t
#define KEY uint8_t
#define IKEY vec_i8
#define VEC vec_u8
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_u8
#define IS_FLOAT 0
#include "rank.h"

#define PIXEL int8_t
#define KEY uint8_t
#define IKEY vec_i8
#define VEC vec_i8
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_i8
#define IS_FLOAT 0
#include "rank.h"

#define PIXEL uint16_t
#define KEY uint16_t
#define IKEY vec_i16
#define VEC vec_u16
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_u16
#define IS_FLOAT 0
#include "rank.h"

#define PIXEL int16_t
#define KEY uint16_t
#define IKEY vec_i16
#define VEC vec_i16
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_i16
#define IS_FLOAT 0
#include "rank.h"

#define PIXEL uint32_t
#define KEY uint32_t
#define IKEY vec_i32
#define VEC vec_u32
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_u32
#define IS_FLOAT 0
#include "rank.h"

#define PIXEL int32_t
#define KEY uint32_t
#define IKEY vec_i32
#define VEC vec_i32
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_i32
#define IS_FLOAT 0
#include "rank.h"

#define PIXEL uint64_t
#define KEY uint64_t
#define IKEY vec_i64
#define VEC vec_u64
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_u64
#define IS_FLOAT 0
#include "rank.h"

#define PIXEL int64_t
#define KEY uint64_t
#define IKEY vec_i64
#define VEC vec_i64
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_i64
#define IS_FLOAT 0
#include "rank.h"

#define PIXEL float
#define KEY uint32_t
#define IKEY vec_i32
#define VEC vec_f32
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_f32
#define IS_FLOAT 1
#include "rank.h"

#define PIXEL double
#define KEY uint64_t
#define IKEY vec_i64
#define VEC vec_f64
#define LANES ((ptrdiff_t)(VEC_BYTES / sizeof(PIXEL)))
#define NAME(x) x##_f64
#define IS_FLOAT 1
#include "rank.h"

/* Moves a window over a row of ranks and finds, at each of n pixels, the one of order k. The
 * window is a set of bits, one for each rank; the search goes on from where it ended. */
static void slide(const sliding_window *window, const uint32_t *ranks, ptrdiff_t n, ptrdiff_t k,
                  uint64_t *bits, ptrdiff_t n_words, uint32_t *out)
{
    ptrdiff_t word = 0, below = 0; /* ranks in the words before `word` */
    memset(bits, 0, (size_t)n_words * sizeof *bits);
    for (ptrdiff_t tap = 0; tap < window->n_taps; tap++) {
        const uint32_t rank = ranks[window->taps[tap]];
        bits[rank >> 6] |= (uint64_t)1 << (rank & 63);
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t count;
        while (below > k)
            below -= __builtin_popcountll(bits[--word]);
        while (below + (count = __builtin_popcountll(bits[word])) <= k) {
            below += count;
            word++;
        }
        uint64_t rest = bits[word];
        for (ptrdiff_t skipped = below; skipped < k; skipped++)
            rest &= rest - 1;
        out[i] = (uint32_t)(64 * word + __builtin_ctzll(rest));
        if (i + 1 == n)
            break; /* what would enter may lie beyond the row */
        for (ptrdiff_t move = 0; move < window->n_moves; move++) {
            const uint32_t gone = ranks[i + window->leaving[move]];
            const uint32_t come = ranks[i + window->entering[move]];
            bits[gone >> 6] ^= (uint64_t)1 << (gone & 63);
            bits[come >> 6] ^= (uint64_t)1 << (come & 63);
            below += ((ptrdiff_t)(come >> 6) < word) - ((ptrdiff_t)(gone >> 6) < word);
        }
    }
}

#define NAME_(x, tier) x##_##tier
#define NAME_OF(x, tier) NAME_(x, tier)

extern const rank_table NAME_OF(rank_table, TIER);
const rank_table NAME_OF(rank_table, TIER) = {
    .pixels = {
        [PIXEL_U8] = &kernels_u8,
        [PIXEL_I8] = &kernels_i8,
        [PIXEL_U16] = &kernels_u16,
        [PIXEL_I16] = &kernels_i16,
        [PIXEL_U32] = &kernels_u32,
        [PIXEL_I32] = &kernels_i32,
        [PIXEL_U64] = &kernels_u64,
        [PIXEL_I64] = &kernels_i64,
        [PIXEL_F32] = &kernels_f32,
        [PIXEL_F64] = &kernels_f64,
    },
    .slide = slide,
    .count_columns = count_columns,
    .slide_columns = slide_columns,
};
