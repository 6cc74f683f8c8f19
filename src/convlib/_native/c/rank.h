/* Sorting networks with lanes over pixels, and order statistics of sliding windows.
 *
 * Included once per PIXEL, with VEC, LANES, NAME, IS_FLOAT and KEY, the unsigned integer as wide
 * as a pixel. A median of 3 x 3 or 5 x 5 shares what neighbouring windows have in common: columns
 * are sorted once, and pairs of columns merged once. See `convlib._filters._networks` for the
 * networks of all other windows, which are data.
 */

INLINE VEC NAME(load)(const PIXEL *p)
{
    VEC v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void NAME(store)(PIXEL *p, VEC v)
{
    memcpy(p, &v, sizeof v);
}

#if !IS_FLOAT /* rank_types.h has those of floats */
/* Compilers turn these loops into one instruction, if the values lie in arrays. */
INLINE VEC NAME(smaller)(VEC a, VEC b)
{
    PIXEL x[LANES], y[LANES];
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    for (int i = 0; i < (int)LANES; i++)
        x[i] = x[i] < y[i] ? x[i] : y[i];
    memcpy(&a, x, sizeof a);
    return a;
}

INLINE VEC NAME(larger)(VEC a, VEC b)
{
    PIXEL x[LANES], y[LANES];
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    for (int i = 0; i < (int)LANES; i++)
        x[i] = x[i] > y[i] ? x[i] : y[i];
    memcpy(&a, x, sizeof a);
    return a;
}
#endif

/* Of two values the smaller comes to `a`. */
#define EXCHANGE(a, b)                                                                            \
    do {                                                                                          \
        VEC low = NAME(smaller)(a, b);                                                            \
        b = NAME(larger)(a, b);                                                                   \
        a = low;                                                                                  \
    } while (0)

/* Calls `body` at i = 0, LANES ... and last where a vector ends at n. */
#define FOR_VECTORS(i, n)                                                                         \
    for (ptrdiff_t i = 0, ended = 0; !ended;                                                      \
         ended = i + LANES >= (n), i = i + 2 * LANES <= (n) ? i + LANES : (n) - LANES)

INLINE VEC NAME(extreme_of)(const int smallest, VEC a, VEC b)
{
    VEC best = smallest ? NAME(smaller)(b, a) : NAME(larger)(b, a); /* `a` where b is NaN */
#if IS_FLOAT
    const IKEY is_number = b == b;
    best = (VEC)((is_number & (IKEY)best) | (~is_number & (IKEY)b));
#endif
    return best;
}

INLINE void NAME(extreme_vectors)(const int smallest, const int n_vectors, const ptrdiff_t n_rows,
                                  const char *const *rows, ptrdiff_t i, char *out)
{
    VEC best[4];
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        best[j] = NAME(load)((const PIXEL *)rows[0] + i + j * LANES);
    for (ptrdiff_t row = 1; row < n_rows; row++) {
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            best[j] = NAME(extreme_of)(smallest, best[j],
                                       NAME(load)((const PIXEL *)rows[row] + i + j * LANES));
    }
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        NAME(store)((PIXEL *)out + i + j * LANES, best[j]);
}

INLINE void NAME(extreme_rows)(const int smallest, const ptrdiff_t n_rows, const char *const *rows,
                               ptrdiff_t n, char *out)
{
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        NAME(extreme_vectors)(smallest, 4, n_rows, rows, i, out);
    for (; i + LANES <= n; i += LANES)
        NAME(extreme_vectors)(smallest, 1, n_rows, rows, i, out);
    for (; i < n; i++) {
        PIXEL best = ((const PIXEL *)rows[0])[i];
        for (ptrdiff_t row = 1; row < n_rows; row++) {
            const PIXEL x = ((const PIXEL *)rows[row])[i];
            best = x != x || (smallest ? x < best : x > best) ? x : best;
        }
        ((PIXEL *)out)[i] = best;
    }
}

static void NAME(extreme)(int smallest, ptrdiff_t n_rows, const char *const *rows, ptrdiff_t n,
                          char *out)
{
    if (smallest && n_rows == 2)
        NAME(extreme_rows)(1, 2, rows, n, out);
    else if (smallest && n_rows == 3)
        NAME(extreme_rows)(1, 3, rows, n, out);
    else if (smallest)
        NAME(extreme_rows)(1, n_rows, rows, n, out);
    else if (n_rows == 2)
        NAME(extreme_rows)(0, 2, rows, n, out);
    else if (n_rows == 3)
        NAME(extreme_rows)(0, 3, rows, n, out);
    else
        NAME(extreme_rows)(0, n_rows, rows, n, out);
}

INLINE VEC NAME(median_of)(VEC a, VEC b, VEC c)
{
    return NAME(larger)(NAME(smaller)(a, b), NAME(smaller)(NAME(larger)(a, b), c));
}

/* Columns are sorted once, into lines. */
INLINE void NAME(median_3_of_lines)(const char *const *rows, ptrdiff_t step, ptrdiff_t n,
                                    char *room, ptrdiff_t line_bytes, char *out)
{
    PIXEL *lows = (PIXEL *)room;
    PIXEL *middles = (PIXEL *)(room + line_bytes);
    PIXEL *highs = (PIXEL *)(room + 2 * line_bytes);
    const PIXEL *first = (const PIXEL *)rows[0];
    const PIXEL *second = (const PIXEL *)rows[1];
    const PIXEL *third = (const PIXEL *)rows[2];

    FOR_VECTORS(i, n + 2 * step) {
        VEC a = NAME(load)(first + i), b = NAME(load)(second + i), c = NAME(load)(third + i);
        EXCHANGE(a, b);
        EXCHANGE(b, c);
        EXCHANGE(a, b);
        NAME(store)(lows + i, a);
        NAME(store)(middles + i, b);
        NAME(store)(highs + i, c);
    }
    FOR_VECTORS(i, n) {
        const ptrdiff_t j = i + step, k = i + 2 * step;
        VEC low = NAME(larger)(NAME(larger)(NAME(load)(lows + i), NAME(load)(lows + j)),
                               NAME(load)(lows + k));
        VEC middle = NAME(median_of)(NAME(load)(middles + i), NAME(load)(middles + j),
                                     NAME(load)(middles + k));
        VEC high = NAME(smaller)(NAME(smaller)(NAME(load)(highs + i), NAME(load)(highs + j)),
                                 NAME(load)(highs + k));
        NAME(store)((PIXEL *)out + i, NAME(median_of)(low, middle, high));
    }
}

/* Columns are sorted where they are needed: there are few vectors of small pixels, and sorting is
 * cheaper than lines of which most loads take two lines of the cache. Two rows share the two rows
 * between them. */
INLINE void NAME(median_3_of_pair)(const char *const *rows, ptrdiff_t step, ptrdiff_t n,
                                   char *const *out)
{
    FOR_VECTORS(i, n) {
        VEC low[2][3], middle[2][3], high[2][3];
        UNROLL
        for (int k = 0; k < 3; k++) {
            VEC b = NAME(load)((const PIXEL *)rows[1] + i + k * step);
            VEC c = NAME(load)((const PIXEL *)rows[2] + i + k * step);
            EXCHANGE(b, c);
            UNROLL
            for (int r = 0; r < 2; r++) {
                const VEC a = NAME(load)((const PIXEL *)rows[3 * r] + i + k * step);
                const VEC above = NAME(larger)(a, b);
                low[r][k] = NAME(smaller)(a, b);
                middle[r][k] = NAME(smaller)(above, c);
                high[r][k] = NAME(larger)(above, c);
            }
        }
        UNROLL
        for (int r = 0; r < 2; r++)
            NAME(store)((PIXEL *)out[r] + i, NAME(median_of)(
                NAME(larger)(NAME(larger)(low[r][0], low[r][1]), low[r][2]),
                NAME(median_of)(middle[r][0], middle[r][1], middle[r][2]),
                NAME(smaller)(NAME(smaller)(high[r][0], high[r][1]), high[r][2])));
    }
}

static void NAME(median_3)(ptrdiff_t n_out, const char *const *rows, ptrdiff_t step, ptrdiff_t n,
                           char *room, ptrdiff_t line_bytes, char *const *out)
{
    if (n_out == 2 && sizeof(PIXEL) <= 2)
        NAME(median_3_of_pair)(rows, step, n, out);
    else
        for (ptrdiff_t r = 0; r < n_out; r++)
            NAME(median_3_of_lines)(rows + r, step, n, room, line_bytes, out[r]);
}

/* Batcher's merge of two sorted columns of five, v[0] .. v[4] and v[5] .. v[9]: even places, odd
 * places, then neighbours. The values end up in the order 0, 1, 2, 3, 4, 6, 7, 8, 5, 9. */
INLINE void NAME(merge_columns)(VEC *v)
{
    EXCHANGE(v[0], v[5]);
    EXCHANGE(v[4], v[9]);
    EXCHANGE(v[4], v[5]);
    EXCHANGE(v[2], v[7]);
    EXCHANGE(v[2], v[4]);
    EXCHANGE(v[7], v[5]);
    EXCHANGE(v[1], v[6]);
    EXCHANGE(v[3], v[8]);
    EXCHANGE(v[3], v[6]);
    EXCHANGE(v[1], v[2]);
    EXCHANGE(v[3], v[4]);
    EXCHANGE(v[6], v[7]);
    EXCHANGE(v[8], v[5]);
}

INLINE void NAME(sort_column)(VEC *v)
{
    EXCHANGE(v[0], v[1]);
    EXCHANGE(v[3], v[4]);
    EXCHANGE(v[2], v[4]);
    EXCHANGE(v[2], v[3]);
    EXCHANGE(v[1], v[4]);
    EXCHANGE(v[0], v[3]);
    EXCHANGE(v[0], v[2]);
    EXCHANGE(v[1], v[3]);
    EXCHANGE(v[1], v[2]);
}

/* The median of two sorted pairs of columns, v[0] .. v[9] and v[10] .. v[19], and a column
 * v[20] .. v[24]. Of the twenty only the six in the middle can be it, so the compiler leaves out
 * most of their merge. Of two sorted runs the value of rank k is the least of all max(a[i],
 * b[k - i]), with either run reaching beyond the other. */
INLINE VEC NAME(median_of_columns)(VEC *v)
{
    EXCHANGE(v[10], v[0]);
    EXCHANGE(v[18], v[8]);
    EXCHANGE(v[18], v[0]);
    EXCHANGE(v[14], v[4]);
    EXCHANGE(v[14], v[18]);
    EXCHANGE(v[4], v[0]);
    EXCHANGE(v[12], v[2]);
    EXCHANGE(v[16], v[6]);
    EXCHANGE(v[16], v[2]);
    EXCHANGE(v[16], v[18]);
    EXCHANGE(v[2], v[4]);
    EXCHANGE(v[11], v[1]);
    EXCHANGE(v[19], v[9]);
    EXCHANGE(v[19], v[1]);
    EXCHANGE(v[15], v[5]);
    EXCHANGE(v[15], v[19]);
    EXCHANGE(v[5], v[1]);
    EXCHANGE(v[13], v[3]);
    EXCHANGE(v[17], v[7]);
    EXCHANGE(v[17], v[3]);
    EXCHANGE(v[17], v[19]);
    EXCHANGE(v[3], v[5]);
    EXCHANGE(v[17], v[18]);
    EXCHANGE(v[19], v[2]);
    EXCHANGE(v[3], v[4]); /* now v[17], v[18], v[19], v[2], v[3], v[4] ascend */
    VEC median = NAME(larger)(v[17], v[24]);
    median = NAME(smaller)(median, NAME(larger)(v[18], v[23]));
    median = NAME(smaller)(median, NAME(larger)(v[19], v[22]));
    median = NAME(smaller)(median, NAME(larger)(v[2], v[21]));
    median = NAME(smaller)(median, NAME(larger)(v[3], v[20]));
    return NAME(smaller)(median, v[4]);
}

static void NAME(median_5)(const char *const *rows, ptrdiff_t step, ptrdiff_t n, char *room,
                           ptrdiff_t line_bytes, char *out)
{
    static const int order[10] = {0, 1, 2, 3, 4, 6, 7, 8, 5, 9};
    const ptrdiff_t line = line_bytes / (ptrdiff_t)sizeof(PIXEL);
    PIXEL *columns = (PIXEL *)room;
    PIXEL *pairs = columns + 5 * line;
    const PIXEL *taps[5];
    for (int j = 0; j < 5; j++)
        taps[j] = (const PIXEL *)rows[j];

    FOR_VECTORS(i, n + 4 * step) {
        VEC v[5];
        UNROLL
        for (int j = 0; j < 5; j++)
            v[j] = NAME(load)(taps[j] + i);
        NAME(sort_column)(v);
        UNROLL
        for (int j = 0; j < 5; j++)
            NAME(store)(columns + j * line + i, v[j]);
    }
    FOR_VECTORS(i, n + 2 * step) {
        VEC v[10];
        UNROLL
        for (int j = 0; j < 5; j++) {
            v[j] = NAME(load)(columns + j * line + i);
            v[5 + j] = NAME(load)(columns + j * line + i + step);
        }
        NAME(merge_columns)(v);
        UNROLL
        for (int j = 0; j < 10; j++)
            NAME(store)(pairs + j * line + i, v[order[j]]);
    }
    FOR_VECTORS(i, n) {
        VEC v[25];
        UNROLL
        for (int j = 0; j < 10; j++) {
            v[j] = NAME(load)(pairs + j * line + i);
            v[10 + j] = NAME(load)(pairs + j * line + i + 2 * step);
        }
        UNROLL
        for (int j = 0; j < 5; j++)
            v[20 + j] = NAME(load)(columns + j * line + i + 4 * step);
        NAME(store)((PIXEL *)out + i, NAME(median_of_columns)(v));
    }
}

INLINE void NAME(network_vectors)(const int n_vectors, ptrdiff_t n_slots, const char *const *slots,
                                  ptrdiff_t n_exchanges, const exchange *exchanges,
                                  ptrdiff_t n_out, const uint16_t *chosen, char *const *out,
                                  ptrdiff_t i, VEC *v)
{
    for (ptrdiff_t slot = 0; slot < n_slots; slot++) {
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            v[slot * n_vectors + j] = NAME(load)((const PIXEL *)slots[slot] + i + j * LANES);
    }
    for (ptrdiff_t k = 0; k < n_exchanges; k++) {
        VEC *a = v + exchanges[k].low * n_vectors, *b = v + exchanges[k].high * n_vectors;
        VEC low[NETWORK_VECTORS], high[NETWORK_VECTORS];
        UNROLL
        for (int j = 0; j < n_vectors; j++) {
            low[j] = NAME(smaller)(a[j], b[j]);
            high[j] = NAME(larger)(a[j], b[j]);
        }
        if (exchanges[k].keep != KEEP_HIGH) {
            UNROLL
            for (int j = 0; j < n_vectors; j++)
                a[j] = low[j];
        }
        if (exchanges[k].keep != KEEP_LOW) {
            UNROLL
            for (int j = 0; j < n_vectors; j++)
                b[j] = high[j];
        }
    }
    for (ptrdiff_t k = 0; k < n_out; k++) {
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            NAME(store)((PIXEL *)out[k] + i + j * LANES, v[chosen[k] * n_vectors + j]);
    }
}

static void NAME(network)(ptrdiff_t n_slots, const char *const *slots, ptrdiff_t n_exchanges,
                          const exchange *exchanges, ptrdiff_t n_out, const uint16_t *chosen,
                          char *const *out, ptrdiff_t n, char *room)
{
    ptrdiff_t i = 0;
    VEC *v = (VEC *)room;
    for (; i + NETWORK_VECTORS * LANES <= n; i += NETWORK_VECTORS * LANES)
        NAME(network_vectors)(NETWORK_VECTORS, n_slots, slots, n_exchanges, exchanges, n_out,
                              chosen, out, i, v);
    while (i < n) {
        i = i + LANES <= n ? i : n - LANES;
        NAME(network_vectors)(1, n_slots, slots, n_exchanges, exchanges, n_out, chosen, out, i, v);
        i += LANES;
    }
}

static int NAME(holds_nan)(ptrdiff_t n, const char *row)
{
#if IS_FLOAT
    const PIXEL *x = (const PIXEL *)row;
    IKEY found = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        VEC v = NAME(load)(x + i);
        found |= v != v;
    }
    int any = 0;
    for (int j = 0; j < (int)LANES; j++)
        any |= found[j] != 0;
    for (; i < n; i++)
        any |= x[i] != x[i];
    return any;
#else
    (void)n;
    (void)row;
    return 0;
#endif
}

static void NAME(mark_nan)(ptrdiff_t n_rows, const char *const *rows, ptrdiff_t n, char *out)
{
#if IS_FLOAT
    FOR_VECTORS(i, n) {
        IKEY found = {0};
        for (ptrdiff_t row = 0; row < n_rows; row++) {
            VEC v = NAME(load)((const PIXEL *)rows[row] + i);
            found |= v != v;
        }
        VEC nan = (PIXEL)__builtin_nan("") - (VEC){0};
        VEC old = NAME(load)((const PIXEL *)out + i);
        NAME(store)((PIXEL *)out + i, (VEC)((found & (IKEY)nan) | (~found & (IKEY)old)));
    }
#else
    (void)n_rows;
    (void)rows;
    (void)n;
    (void)out;
#endif
}

/* An unsigned integer that orders as the pixel does, -0 before 0 and NaN at the ends. */
INLINE KEY NAME(key)(PIXEL x)
{
    KEY bits;
    memcpy(&bits, &x, sizeof bits);
    const KEY sign = (KEY)((KEY)1 << (8 * sizeof(KEY) - 1));
#if IS_FLOAT
    return bits & sign ? (KEY)~bits : (KEY)(bits | sign);
#else
    return (PIXEL)-1 < (PIXEL)1 ? (KEY)(bits ^ sign) : bits;
#endif
}

typedef struct {
    KEY key;
    uint32_t place;
} NAME(keyed);

/* Sorts by digits of eleven bits, the least first; digits that all keys share are left out. */
static void NAME(order)(ptrdiff_t n, const char *values, uint32_t *places, uint32_t *ranks,
                        char *room)
{
    NAME(keyed) *from = (NAME(keyed) *)room, *to = from + n;
    for (ptrdiff_t i = 0; i < n; i++) {
        from[i].key = NAME(key)(((const PIXEL *)values)[i]);
        from[i].place = (uint32_t)i;
    }
    for (int shift = 0; shift < (int)(8 * sizeof(KEY)); shift += 11) {
        uint32_t starts[2048] = {0}, start = 0;
        for (ptrdiff_t i = 0; i < n; i++)
            starts[from[i].key >> shift & 2047]++;
        if (n > 0 && starts[from[0].key >> shift & 2047] == n)
            continue;
        for (int digit = 0; digit < 2048; digit++) {
            const uint32_t count = starts[digit];
            starts[digit] = start;
            start += count;
        }
        for (ptrdiff_t i = 0; i < n; i++)
            to[starts[from[i].key >> shift & 2047]++] = from[i];
        NAME(keyed) *sorted = to;
        to = from;
        from = sorted;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        places[i] = from[i].place;
        ranks[from[i].place] = (uint32_t)i;
    }
}

static void NAME(look_up)(ptrdiff_t n, const uint32_t *ranks, const uint32_t *places,
                          const char *values, char *out)
{
    for (ptrdiff_t i = 0; i < n; i++)
        ((PIXEL *)out)[i] = ((const PIXEL *)values)[places[ranks[i]]];
}

#define RANK_KERNELS                                                                              \
    {                                                                                             \
        .bytes = sizeof(PIXEL), .lanes = LANES, .extreme = NAME(extreme),                         \
        .median_3 = NAME(median_3), .median_5 = NAME(median_5), .network = NAME(network),         \
        .holds_nan = NAME(holds_nan), .mark_nan = NAME(mark_nan), .order = NAME(order),           \
        .look_up = NAME(look_up),                                                                 \
    }
static const rank_kernels NAME(kernels) = RANK_KERNELS;

#undef RANK_KERNELS
#undef FOR_VECTORS
#undef EXCHANGE
#undef PIXEL
#undef KEY
#undef IKEY
#undef VEC
#undef LANES
#undef NAME
#undef IS_FLOAT
