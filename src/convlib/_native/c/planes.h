/* Weighted sums over neighbours in padded planes, for few channels: lanes are pixels.
 *
 * A plane is one channel whose rows lie one after another, so that the value under a tap of a whole
 * vector of outputs is one load, and a weight is one number for all of them. A tile is a few rows
 * high, a few vectors wide and a few output channels deep; where the rows of outputs are as far
 * apart as the rows of taps, a row that was loaded serves every row of the tile. Sums start with
 * the bias and run over planes, rows and columns of taps in order, whatever the tile: an output
 * has the same bits in every one. Included once per REAL, after activations.h.
 */

/* Tiles of one output channel to PLANES_OUT of them: rows that share their input, and vectors;
 * and those of tiles of one row. As many sums as registers hold beside their operands. */
#if VEC_BYTES == 64
#define PLANES_OUT 8
#define SHARED_1 4, 4
#define SHARED_2 4, 2
#define SHARED_3 2, 3
#define SHARED_4 2, 3
#define SINGLE_1 1, 8
#define SINGLE_2 1, 6
#define SINGLE_3 1, 4
#define SINGLE_4 1, 4
#define SINGLE_5 1, 3
#define SINGLE_6 1, 3
#define SINGLE_7 1, 3
#define SINGLE_8 1, 3
#else
#define PLANES_OUT 4
#define SHARED_1 4, 2
#define SHARED_2 2, 2
#define SHARED_3 2, 2
#define SHARED_4 1, 3
#define SINGLE_1 1, 8
#define SINGLE_2 1, 4
#define SINGLE_3 1, 3
#define SINGLE_4 1, 3
#endif

/* Add one row of input to the rows first .. last of a tile, each by its own row of taps. */
INLINE void NAME(plane_row)(const int first, const int last, const int n_vectors, const int n_out,
                            const ptrdiff_t n_columns, const ptrdiff_t *columns, const REAL *x,
                            const REAL *weights, VEC sum[][8][8])
{
    const ptrdiff_t row = n_columns * n_out;
    for (ptrdiff_t k = 0; k < n_columns; k++) {
        VEC value[8];
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            value[j] = NAME(load)(x + columns[k] + j * LANES);
        UNROLL
        for (int i = first; i <= last; i++) {
            UNROLL
            for (int o = 0; o < n_out; o++) {
                VEC weight = NAME(splat)(weights[k * n_out + o - i * row]);
                UNROLL
                for (int j = 0; j < n_vectors; j++)
                    sum[i][j][o] += value[j] * weight;
            }
        }
    }
}

/* One row of input for a tile of n_rows rows: r is its place among the rows under the tile. */
INLINE void NAME(plane_rows)(const int n_rows, const int n_vectors, const int n_out,
                             const ptrdiff_t r, const ptrdiff_t tap_rows,
                             const ptrdiff_t n_columns, const ptrdiff_t *columns, const REAL *x,
                             const REAL *weights, VEC sum[][8][8])
{
#define ROW(first, last)                                                                          \
    case 4 * (first) + (last):                                                                    \
        if ((last) < n_rows)                                                                      \
            NAME(plane_row)(first, last, n_vectors, n_out, n_columns, columns, x, weights, sum);  \
        break;
    /* The outputs to which this row of input is under some tap. */
    const ptrdiff_t first = r < tap_rows ? 0 : r - tap_rows + 1;
    const ptrdiff_t last = r < n_rows ? r : n_rows - 1;
    switch (4 * first + last) {
        ROW(0, 0)
        ROW(0, 1)
        ROW(0, 2)
        ROW(0, 3)
        ROW(1, 1)
        ROW(1, 2)
        ROW(1, 3)
        ROW(2, 2)
        ROW(2, 3)
        ROW(3, 3)
    }
#undef ROW
}

/* Move a tile to its place: past the caches, or no further than the row is wide. */
NOINLINE static void NAME(plane_store)(ptrdiff_t n_rows, ptrdiff_t n_vectors, ptrdiff_t n_out,
                                       const REAL *tile, const plane_output *form,
                                       ptrdiff_t width, REAL *out)
{
    const ptrdiff_t n = width < n_vectors * LANES ? width : n_vectors * LANES;
    for (ptrdiff_t i = 0; i < n_rows; i++)
        for (ptrdiff_t o = 0; o < n_out; o++) {
            REAL *p = out + i * form->row_step + o * form->channel_step;
            ptrdiff_t j = 0;
            if (form->stream && (uintptr_t)p % 16 == 0)
                for (; j + LANES <= n; j += LANES)
                    NAME(stream)(p + j, NAME(load)(tile + j));
            memcpy(p + j, tile + j, (size_t)(n - j) * sizeof(REAL));
            tile += n_vectors * LANES;
        }
}

/* Rows of so many `columns` of taps are unrolled; 0: any number. */
INLINE void NAME(plane_tile)(const int n_rows, const int n_vectors, const int n_out,
                             const int columns, const plane_taps *taps, const REAL *x,
                             const REAL *weights, const plane_output *form, ptrdiff_t width,
                             REAL *out)
{
    const ptrdiff_t n_columns = columns ? columns : taps->n_columns;
    VEC sum[4][8][8];
    UNROLL
    for (int i = 0; i < n_rows; i++) {
        UNROLL
        for (int o = 0; o < n_out; o++) {
            UNROLL
            for (int j = 0; j < n_vectors; j++)
                sum[i][j][o] = NAME(splat)(weights[o]);
        }
    }
    weights += n_out;
    for (ptrdiff_t plane = 0; plane < taps->n_planes; plane++) {
        const REAL *row = x + taps->planes[plane];
        for (ptrdiff_t r = 0; r < taps->n_rows + n_rows - 1; r++)
            NAME(plane_rows)(n_rows, n_vectors, n_out, n_rows == 1 ? 0 : r, taps->n_rows,
                             n_columns, taps->columns, row + r * taps->row_step,
                             weights + r * n_columns * n_out, sum);
        weights += taps->n_rows * n_columns * n_out;
    }
    if (form->relu) {
        UNROLL
        for (int i = 0; i < n_rows; i++) {
            UNROLL
            for (int o = 0; o < n_out; o++) {
                UNROLL
                for (int j = 0; j < n_vectors; j++)
                    sum[i][j][o] = NAME(relu)(sum[i][j][o]);
            }
        }
    }
    /* Outputs that are not simply stored are put aside first. */
    REAL aside[n_rows * n_out * n_vectors * (VEC_BYTES / sizeof(REAL))];
    const int is_plain = width >= n_vectors * LANES && !form->stream;
    const ptrdiff_t row_step = is_plain ? form->row_step : n_out * n_vectors * LANES;
    const ptrdiff_t channel_step = is_plain ? form->channel_step : n_vectors * LANES;
    REAL *p = is_plain ? out : aside;
    UNROLL
    for (int i = 0; i < n_rows; i++) {
        UNROLL
        for (int o = 0; o < n_out; o++) {
            UNROLL
            for (int j = 0; j < n_vectors; j++)
                NAME(store)(p + i * row_step + o * channel_step + j * LANES, sum[i][j][o]);
        }
    }
    if (!is_plain)
        NAME(plane_store)(n_rows, n_vectors, n_out, aside, form, width, out);
}

/* A strip of n_vectors columns, `height` rows in tiles of n_rows. A function of its own for each
 * shape: compilers that see several at once no longer keep the sums in registers. */
typedef void NAME(plane_strip)(const plane_taps *taps, ptrdiff_t height, ptrdiff_t width,
                               const REAL *x, ptrdiff_t x_step, const REAL *weights,
                               const plane_output *form, REAL *out);

#define STRIP(name, n_rows, n_vectors, n_out, columns)                                            \
    NOINLINE static void NAME(name)(const plane_taps *taps, ptrdiff_t height, ptrdiff_t width,    \
                                    const REAL *x, ptrdiff_t x_step, const REAL *weights,         \
                                    const plane_output *form, REAL *out)                          \
    {                                                                                             \
        for (ptrdiff_t i = 0; i < height; i += n_rows)                                            \
            NAME(plane_tile)(n_rows, n_vectors, n_out, columns, taps, x + i * x_step, weights,    \
                             form, width, out + i * form->row_step);                              \
    }
#define STRIPS_(name, n_rows, n_vectors, n_out, columns)                                          \
    STRIP(name##_wide, n_rows, n_vectors, n_out, columns)                                         \
    STRIP(name##_pair, n_rows, 2, n_out, columns)                                                 \
    STRIP(name##_one, n_rows, 1, n_out, columns)
#define STRIPS(name, tile, n_out, columns) STRIPS_(name, tile, n_out, columns)

STRIPS(shared_1_3, SHARED_1, 1, 3)
STRIPS(shared_1_5, SHARED_1, 1, 5)
STRIPS(shared_1, SHARED_1, 1, 0)
STRIPS(shared_2_3, SHARED_2, 2, 3)
STRIPS(shared_2, SHARED_2, 2, 0)
STRIPS(shared_3, SHARED_3, 3, 0)
STRIPS(shared_4, SHARED_4, 4, 0)
STRIPS(single_1, SINGLE_1, 1, 0)
STRIPS(single_2, SINGLE_2, 2, 0)
STRIPS(single_3, SINGLE_3, 3, 0)
STRIPS(single_4, SINGLE_4, 4, 0)
#if PLANES_OUT > 4
STRIPS(single_5, SINGLE_5, 5, 0)
STRIPS(single_6, SINGLE_6, 6, 0)
STRIPS(single_7, SINGLE_7, 7, 0)
STRIPS(single_8, SINGLE_8, 8, 0)
#endif

#undef STRIPS
#undef STRIPS_
#undef STRIP

/* Strips of n_vectors, then narrower ones: less than a vector is computed in vain at the end. */
INLINE void NAME(plane_strips)(const int n_vectors, NAME(plane_strip) *wide,
                               NAME(plane_strip) *pair, NAME(plane_strip) *one,
                               const plane_taps *taps, ptrdiff_t height, ptrdiff_t width,
                               const REAL *x, ptrdiff_t x_step, const REAL *weights,
                               const plane_output *form, REAL *out)
{
    if (form->stream) { /* what comes before the first cache line of a row, not past the caches */
        plane_output plain = *form;
        plain.stream = 0;
        ptrdiff_t head = (ptrdiff_t)(-(uintptr_t)out % 64 / sizeof(REAL));
        while (head > 0 && width > 0) {
            ptrdiff_t n = head < LANES ? head : LANES;
            n = n < width ? n : width;
            one(taps, height, n, x, x_step, weights, &plain, out);
            x += n;
            out += n;
            width -= n;
            head -= n;
        }
    }
    while (width > 0) {
        ptrdiff_t n = width > (n_vectors - 1) * LANES ? n_vectors : width > LANES ? 2 : 1;
        NAME(plane_strip) *strip = n == n_vectors ? wide : n == 2 ? pair : one;
        strip(taps, height, width, x, x_step, weights, form, out);
        x += n * LANES;
        out += n * LANES;
        width -= n * LANES;
    }
}

#if VEC_BYTES == 64
/* Rows whose taps are neighbours. A load that is not aligned takes two lines of the cache, so that
 * loads would take twice as long as the sums: of a few vectors that are loaded once, those under
 * further taps are put together in registers. The sums are those of plane_tile. */
INLINE void NAME(along_taps)(const int n_vectors, const ptrdiff_t n_taps, const REAL *x,
                             const REAL *weights, VEC *sum)
{
    VEC window[9];
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        window[j] = NAME(load)(x + j * LANES);
    /* The last one ends where the last tap does, and is moved to its place. */
    IVEC place;
    UNROLL
    for (int i = 0; i < LANES; i++)
        place[i] = (i + LANES + 1 - n_taps) & (LANES - 1);
    window[n_vectors] = NAME(load)(x + (n_vectors - 1) * LANES + n_taps - 1);
    window[n_vectors] = NAME(shuffle)(window[n_vectors], window[n_vectors], place);
    UNROLL
    for (int k = 0; k < LANES; k++) {
        if (k >= n_taps)
            break;
        const VEC weight = NAME(splat)(weights[k]);
        IVEC shifted;
        UNROLL
        for (int i = 0; i < LANES; i++)
            shifted[i] = i + k;
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            sum[j] += NAME(shuffle)(window[j], window[j + 1], shifted) * weight;
    }
}

INLINE void NAME(along_tile)(const int n_vectors, const plane_taps *taps, const REAL *x,
                             const REAL *weights, const plane_output *form, ptrdiff_t width,
                             REAL *out)
{
    VEC sum[8];
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        sum[j] = NAME(splat)(weights[0]);
    weights++;
    for (ptrdiff_t plane = 0; plane < taps->n_planes; plane++) {
        const REAL *row = x + taps->planes[plane] + taps->columns[0];
        for (ptrdiff_t k = 0; k < taps->n_columns; k += LANES) {
            const ptrdiff_t left = taps->n_columns - k;
            NAME(along_taps)(n_vectors, left < LANES ? left : LANES, row + k, weights, sum);
            weights += left < LANES ? left : LANES;
        }
    }
    UNROLL
    for (int j = 0; j < n_vectors; j++)
        sum[j] = form->relu ? NAME(relu)(sum[j]) : sum[j];
    if (width < n_vectors * LANES) {
        REAL aside[8 * LANES];
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            NAME(store)(aside + j * LANES, sum[j]);
        memcpy(out, aside, (size_t)width * sizeof(REAL));
    } else if (form->stream && (uintptr_t)out % 16 == 0) {
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            NAME(stream)(out + j * LANES, sum[j]);
    } else {
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            NAME(store)(out + j * LANES, sum[j]);
    }
}

#define ALONG(name, n_vectors)                                                                    \
    NOINLINE static void NAME(name)(const plane_taps *taps, ptrdiff_t height, ptrdiff_t width,    \
                                    const REAL *x, ptrdiff_t x_step, const REAL *weights,         \
                                    const plane_output *form, REAL *out)                          \
    {                                                                                             \
        for (ptrdiff_t i = 0; i < height; i++)                                                    \
            NAME(along_tile)(n_vectors, taps, x + i * x_step, weights, form, width,               \
                             out + i * form->row_step);                                           \
    }
ALONG(along_wide, 8)
ALONG(along_pair, 2)
ALONG(along_one, 1)
#undef ALONG

INLINE int NAME(is_along)(const plane_taps *taps)
{
    ptrdiff_t k = 1;
    while (k < taps->n_columns && taps->columns[k] == taps->columns[0] + k)
        k++;
    return taps->n_rows == 1 && taps->n_columns > 2 && k == taps->n_columns;
}
#endif

#define RUN_(name, n_rows, n_vectors)                                                             \
    do {                                                                                          \
        ptrdiff_t whole = height / (n_rows) * (n_rows);                                           \
        NAME(plane_strips)(n_vectors, NAME(name##_wide), NAME(name##_pair), NAME(name##_one),     \
                           taps, whole, width, x, x_step, weights, form, out);                    \
        height -= whole;                                                                          \
        x += whole * x_step;                                                                      \
        out += whole * form->row_step;                                                            \
    } while (0)
#define RUN(name, tile) RUN_(name, tile)
#define CASE(n_out)                                                                               \
    case n_out:                                                                                   \
        if (is_shared)                                                                            \
            RUN(shared_##n_out, SHARED_##n_out);                                                  \
        RUN(single_##n_out, SINGLE_##n_out);                                                      \
        break;

static void NAME(planes)(const plane_taps *taps, ptrdiff_t n_out, ptrdiff_t height,
                         ptrdiff_t width, const REAL *x, ptrdiff_t x_step, const REAL *weights,
                         const plane_output *form, REAL *out)
{
    const int is_shared = x_step == taps->row_step && taps->n_rows > 1;

    switch (n_out) {
    case 1:
#if VEC_BYTES == 64
        if (NAME(is_along)(taps)) {
            for (ptrdiff_t i = 0; i < height; i++)
                NAME(plane_strips)(8, NAME(along_wide), NAME(along_pair), NAME(along_one), taps, 1,
                                   width, x + i * x_step, x_step, weights, form,
                                   out + i * form->row_step);
            break;
        }
#endif
        if (is_shared && taps->n_columns == 3)
            RUN(shared_1_3, SHARED_1);
        else if (is_shared && taps->n_columns == 5)
            RUN(shared_1_5, SHARED_1);
        else if (is_shared)
            RUN(shared_1, SHARED_1);
        RUN(single_1, SINGLE_1);
        break;
    case 2:
        if (is_shared && taps->n_columns == 3)
            RUN(shared_2_3, SHARED_2);
        else if (is_shared)
            RUN(shared_2, SHARED_2);
        RUN(single_2, SINGLE_2);
        break;
        CASE(3)
        CASE(4)
#if PLANES_OUT > 4
    case 5:
        RUN(single_5, SINGLE_5);
        break;
    case 6:
        RUN(single_6, SINGLE_6);
        break;
    case 7:
        RUN(single_7, SINGLE_7);
        break;
    case 8:
        RUN(single_8, SINGLE_8);
        break;
#endif
    }
    if (form->stream)
        stream_fence();
}

#undef CASE
#undef RUN
#undef RUN_
