/* Reductions over neighbours in flat streams of values, for pooling.
 *
 * A stream is a run of rows or pixels with their channels side by side, so that one channel or a
 * thousand are the same to these loops. Neighbours are given as addresses and combined in index
 * order. A sum or a maximum of two values has the same bits alone as in a vector, so the last
 * values of a stream are computed one by one. Included once per REAL, after activations.h.
 */

/* The first of equal values, and NaN before everything. */
#define LARGER(a, b) ((b) != (b) ? (b) : (b) > (a) ? (b) : (a))
#define COMBINE(a, b) (reduction == REDUCE_MAX ? LARGER(a, b) : (a) + (b))

/* Compilers turn the loop into one maximum, which is `a` where one of the two is NaN. */
INLINE VEC NAME(combine)(const int reduction, VEC a, VEC b)
{
    VEC larger;
    if (reduction == REDUCE_SUM)
        return a + b;
    for (int i = 0; i < LANES; i++)
        larger[i] = b[i] > a[i] ? b[i] : a[i];
    return NAME(blend)(b == b, larger, b);
}

/* Sums divided while they are in registers: by powers of two, and by one, as a product. */
typedef struct {
    REAL divisor, inverse;
    int is_exact;
} NAME(quotient);

INLINE NAME(quotient) NAME(quotient_of)(int64_t divisor)
{
    NAME(quotient) by = {(REAL)divisor, 1 / (REAL)divisor, (divisor & (divisor - 1)) == 0};
    return by;
}

INLINE VEC NAME(divided)(const int reduction, VEC total, NAME(quotient) by)
{
    if (reduction == REDUCE_MAX)
        return total;
    return by.is_exact ? total * NAME(splat)(by.inverse) : total / NAME(splat)(by.divisor);
}

INLINE void NAME(reduce_vectors)(const int reduction, const int n_vectors, ptrdiff_t n_rows,
                                 const REAL *const *rows, ptrdiff_t i, NAME(quotient) by,
                                 REAL *out)
{
    VEC total[4];
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        total[j] = NAME(load)(rows[0] + i + j * LANES);
    for (ptrdiff_t row = 1; row < n_rows; row++) {
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            total[j] = NAME(combine)(reduction, total[j], NAME(load)(rows[row] + i + j * LANES));
    }
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        NAME(store)(out + i + j * LANES, NAME(divided)(reduction, total[j], by));
}

INLINE void NAME(reduce_rows)(const int reduction, const ptrdiff_t n_rows,
                              const REAL *const *rows, ptrdiff_t n, NAME(quotient) by, REAL *out)
{
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        NAME(reduce_vectors)(reduction, 4, n_rows, rows, i, by, out);
    for (; i + LANES <= n; i += LANES)
        NAME(reduce_vectors)(reduction, 1, n_rows, rows, i, by, out);
    for (; i < n; i++) {
        REAL total = rows[0][i];
        for (ptrdiff_t row = 1; row < n_rows; row++)
            total = COMBINE(total, rows[row][i]);
        if (reduction == REDUCE_SUM)
            total = by.is_exact ? total * by.inverse : total / by.divisor;
        out[i] = total;
    }
}

/* Values are written in order and each only after all that lie before it or at its place were
 * read: `out` may be any of the rows, if the others lie at higher addresses. */
#define REDUCE_ROWS(reduction)                                                                    \
    if (n_rows == 2)                                                                              \
        NAME(reduce_rows)(reduction, 2, rows, n, by, out);                                        \
    else if (n_rows == 3)                                                                         \
        NAME(reduce_rows)(reduction, 3, rows, n, by, out);                                        \
    else                                                                                          \
        NAME(reduce_rows)(reduction, n_rows, rows, n, by, out);

static void NAME(reduce)(int reduction, ptrdiff_t n_rows, const REAL *const *rows, ptrdiff_t n,
                         int64_t divisor, REAL *out)
{
    const NAME(quotient) by = NAME(quotient_of)(divisor);
    if (reduction == REDUCE_MAX) {
        REDUCE_ROWS(REDUCE_MAX)
    } else {
        REDUCE_ROWS(REDUCE_SUM)
    }
}

#undef REDUCE_ROWS

INLINE void NAME(reduce_window)(const int reduction, const int n_vectors, ptrdiff_t n_rows,
                                ptrdiff_t n_taps, ptrdiff_t tap_step, const REAL *const *rows,
                                ptrdiff_t offset, NAME(quotient) by, REAL *out)
{
    VEC total[4];
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        total[j] = NAME(load)(rows[0] + offset + j * LANES);
    for (ptrdiff_t row = 0; row < n_rows; row++) {
        const REAL *x = rows[row] + offset;
        for (ptrdiff_t tap = row == 0; tap < n_taps; tap++) {
            UNROLL
            for (int j = 0; j < n_vectors; j++) {
                VEC other = NAME(load)(x + tap * tap_step + j * LANES);
                total[j] = NAME(combine)(reduction, total[j], other);
            }
        }
    }
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        NAME(store)(out + j * LANES, NAME(divided)(reduction, total[j], by));
}

INLINE void NAME(reduce_pixels)(const int reduction, const ptrdiff_t n_rows,
                                const ptrdiff_t n_taps, ptrdiff_t tap_step, ptrdiff_t n_pixels,
                                ptrdiff_t pixel_step, ptrdiff_t channels, const REAL *const *rows,
                                ptrdiff_t offset, NAME(quotient) by, REAL *out)
{
    for (ptrdiff_t i = 0; i < n_pixels; i++) {
        ptrdiff_t c = 0;
        for (; c + 4 * LANES <= channels; c += 4 * LANES)
            NAME(reduce_window)(reduction, 4, n_rows, n_taps, tap_step, rows, offset + c, by,
                                out + c);
        while (c < channels) { /* the last vector overlaps the one before */
            c = c + LANES <= channels ? c : channels - LANES;
            NAME(reduce_window)(reduction, 1, n_rows, n_taps, tap_step, rows, offset + c, by,
                                out + c);
            c += LANES;
        }
        offset += pixel_step;
        out += channels;
    }
}

/* The usual windows have loops of known length. */
#define REDUCE_PIXELS(reduction, n_rows, n_taps)                                                  \
    NAME(reduce_pixels)(reduction, n_rows, n_taps, tap_step, n_pixels, pixel_step, channels, rows, \
                        offset, by, out)
#define REDUCE_WINDOWS(reduction)                                                                 \
    if (n_rows == 2 && n_taps == 2)                                                               \
        REDUCE_PIXELS(reduction, 2, 2);                                                           \
    else if (n_rows == 3 && n_taps == 3)                                                          \
        REDUCE_PIXELS(reduction, 3, 3);                                                           \
    else                                                                                          \
        REDUCE_PIXELS(reduction, n_rows, n_taps);

static void NAME(reduce_windows)(int reduction, ptrdiff_t n_rows, ptrdiff_t n_taps,
                                 ptrdiff_t tap_step, ptrdiff_t n_pixels, ptrdiff_t pixel_step,
                                 ptrdiff_t channels, const REAL *const *rows, ptrdiff_t offset,
                                 int64_t divisor, REAL *out)
{
    const NAME(quotient) by = NAME(quotient_of)(divisor);
    if (reduction == REDUCE_MAX) {
        REDUCE_WINDOWS(REDUCE_MAX)
    } else {
        REDUCE_WINDOWS(REDUCE_SUM)
    }
}

#undef REDUCE_WINDOWS
#undef REDUCE_PIXELS

static void NAME(pick_pixels)(ptrdiff_t n_pixels, ptrdiff_t pixel_step, ptrdiff_t channels,
                              const REAL *x, REAL *out)
{
    if (channels == 1) {
        for (ptrdiff_t i = 0; i < n_pixels; i++)
            out[i] = x[i * pixel_step];
        return;
    }
    for (ptrdiff_t i = 0; i < n_pixels; i++)
        for (ptrdiff_t c = 0; c < channels; c++)
            *out++ = x[i * pixel_step + c];
}

/* The quotient rounded as by a division, which is much slower: for float the product with the
 * inverse in double precision is nearer to it than any other quotient of floats can be (divisors
 * up to 2^26), and powers of two have exact inverses. */
static void NAME(divide)(ptrdiff_t n, int64_t divisor, REAL *x)
{
    const double inverse = 1.0 / (double)divisor;
    if ((divisor & (divisor - 1)) == 0)
        for (ptrdiff_t i = 0; i < n; i++)
            x[i] *= (REAL)inverse;
    else if (sizeof(REAL) == 4)
        for (ptrdiff_t i = 0; i < n; i++)
            x[i] = (REAL)(x[i] * inverse);
    else
        for (ptrdiff_t i = 0; i < n; i++)
            x[i] /= (REAL)divisor;
}

static void NAME(square_root)(ptrdiff_t n, REAL *x)
{
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = sizeof(REAL) == 4 ? __builtin_sqrtf((float)x[i]) : (REAL)__builtin_sqrt(x[i]);
}

static void NAME(argmax)(ptrdiff_t n, const REAL *restrict x, const int64_t *restrict index,
                         int64_t offset, REAL *restrict best, int64_t *restrict where)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const int is_first_nan = (x[i] != x[i]) & (best[i] == best[i]);
        const int wins = (x[i] > best[i]) | is_first_nan | (where[i] < 0);
        best[i] = wins ? x[i] : best[i];
        where[i] = wins ? index[i] + offset : where[i];
    }
}

INLINE void NAME(argmax_window)(const int n_vectors, ptrdiff_t n_rows, ptrdiff_t n_taps,
                                ptrdiff_t tap_step, const REAL *const *rows, ptrdiff_t offset,
                                const int64_t *index, int64_t base, REAL *best, int64_t *where)
{
    VEC largest[4];
    IVEC winner[4];
    IVEC number = {0}; /* of the tap, from the first on */
    UNROLL
    for (int j = 0; j < n_vectors; j++) {
        largest[j] = NAME(load)(rows[0] + offset + j * LANES);
        winner[j] = number;
    }
    for (ptrdiff_t row = 0; row < n_rows; row++)
        for (ptrdiff_t tap = 0; tap < n_taps; tap++) {
            UNROLL
            for (int j = 0; j < n_vectors; j++) {
                VEC x = NAME(load)(rows[row] + offset + tap * tap_step + j * LANES);
                IVEC wins = (x > largest[j]) | ((x != x) & (largest[j] == largest[j]));
                largest[j] = NAME(blend)(wins, x, largest[j]);
                winner[j] = (wins & number) | (~wins & winner[j]);
            }
            number += 1;
        }
    UNROLL
    for (int j = 0; j < n_vectors; j++) {
        NAME(store)(best + j * LANES, largest[j]);
        for (int i = 0; i < LANES; i++)
            where[j * LANES + i] = base + index[winner[j][i]];
    }
}

static void NAME(argmax_windows)(ptrdiff_t n_rows, ptrdiff_t n_taps, ptrdiff_t tap_step,
                                 ptrdiff_t n_pixels, ptrdiff_t pixel_step, ptrdiff_t channels,
                                 const REAL *const *rows, ptrdiff_t offset, const int64_t *index,
                                 int64_t index_step, REAL *best, int64_t *where)
{
    for (ptrdiff_t i = 0; i < n_pixels; i++) {
        ptrdiff_t c = 0;
        for (; c + 4 * LANES <= channels; c += 4 * LANES)
            NAME(argmax_window)(4, n_rows, n_taps, tap_step, rows, offset + c, index,
                                i * index_step, best + c, where + c);
        while (c < channels) { /* the last vector overlaps the one before */
            c = c + LANES <= channels ? c : channels - LANES;
            NAME(argmax_window)(1, n_rows, n_taps, tap_step, rows, offset + c, index,
                                i * index_step, best + c, where + c);
            c += LANES;
        }
        offset += pixel_step;
        best += channels;
        where += channels;
    }
}

#undef COMBINE
#undef LARGER
