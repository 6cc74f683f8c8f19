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
 * and the vectors of a tile of one row. As many sums as registers hold beside their operands. */
#if VEC_BYTES == 64
#define PLANES_OUT 8
#define SHARED_1 4, 4
#define SHARED_2 4, 2
#define SHARED_3 2, 3
#define SHARED_4 2, 3
#define SINGLE_1 8
#define SINGLE_2 6
#define SINGLE_3 4
#define SINGLE_4 4
#else
#define PLANES_OUT 4
#define SHARED_1 4, 2
#define SHARED_2 2, 2
#define SHARED_3 2, 2
#define SHARED_4 1, 3
#define SINGLE_1 8
#define SINGLE_2 4
#define SINGLE_3 3
#define SINGLE_4 3
#endif

/* Add one row of input to the rows first .. last of a tile, each by its own row of taps. */
INLINE void NAME(plane_row)(const int first, const int last, const int n_vectors, const int n_out,
                            const plane_taps *taps, const REAL *x, const REAL *weights,
                            VEC sum[][8][8])
{
    const ptrdiff_t row = taps->n_columns * n_out;
    for (ptrdiff_t k = 0; k < taps->n_columns; k++) {
        VEC value[8];
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            value[j] = NAME(load)(x + taps->columns[k] + j * LANES);
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

#define ROW(first, last)                                                                          \
    case 4 * (first) + (last):                                                                    \
        if ((last) < n_rows)                                                                      \
            NAME(plane_row)(first, last, n_vectors, n_out, taps, row, weight, sum);               \
        break;

INLINE void NAME(plane_tile)(const int n_rows, const int n_vectors, const int n_out,
                             const plane_taps *taps, const REAL *x, const REAL *weights,
                             const plane_output *form, ptrdiff_t width, REAL *out)
{
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
        const REAL *weight = weights;
        for (ptrdiff_t r = 0; r < taps->n_rows + n_rows - 1; r++) {
            if (n_rows == 1) {
                NAME(plane_row)(0, 0, n_vectors, n_out, taps, row, weight, sum);
            } else {
                /* The outputs to which this row of input is under some tap. */
                ptrdiff_t first = r < taps->n_rows ? 0 : r - taps->n_rows + 1;
                ptrdiff_t last = r < n_rows ? r : n_rows - 1;
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
            }
            row += taps->row_step;
            weight += taps->n_columns * n_out;
        }
        weights += taps->n_rows * taps->n_columns * n_out;
    }
    UNROLL
    for (int i = 0; i < n_rows; i++) {
        UNROLL
        for (int o = 0; o < n_out; o++) {
            UNROLL
            for (int j = 0; j < n_vectors; j++) {
                VEC y = form->relu ? NAME(relu)(sum[i][j][o]) : sum[i][j][o];
                REAL *p = out + i * form->row_step + o * form->channel_step + j * LANES;
                ptrdiff_t n = width - j * LANES;
                if (n < LANES) {
                    REAL rest[VEC_BYTES / sizeof(REAL)];
                    NAME(store)(rest, y);
                    if (n > 0)
                        memcpy(p, rest, (size_t)n * sizeof(REAL));
                } else if (form->stream && (uintptr_t)p % 16 == 0) {
                    NAME(stream)(p, y);
                } else {
                    NAME(store)(p, y);
                }
            }
        }
    }
}

#undef ROW

/* The rows of a strip of columns, as many at a time as share their input. */
INLINE void NAME(plane_strip)(const int n_rows, const int n_vectors, const int n_out,
                              const plane_taps *taps, ptrdiff_t height, const REAL *x,
                              ptrdiff_t x_step, const REAL *weights, const plane_output *form,
                              ptrdiff_t width, REAL *out)
{
    ptrdiff_t i = 0;
    if (n_rows > 1)
        for (; i + n_rows <= height; i += n_rows)
            NAME(plane_tile)(n_rows, n_vectors, n_out, taps, x + i * x_step, weights, form, width,
                             out + i * form->row_step);
    for (; i < height; i++)
        NAME(plane_tile)(1, n_vectors, n_out, taps, x + i * x_step, weights, form, width,
                         out + i * form->row_step);
}

/* Strips of n_vectors, then narrower ones: less than a vector is computed in vain. */
INLINE void NAME(plane_strips)(const int n_rows, const int n_vectors, const int n_out,
                               const plane_taps *taps, ptrdiff_t height, ptrdiff_t width,
                               const REAL *x, ptrdiff_t x_step, const REAL *weights,
                               const plane_output *form, REAL *out)
{
    while (width > 0) {
        int n;
        if (n_vectors > 2 && width > (n_vectors - 1) * LANES) {
            n = n_vectors;
            NAME(plane_strip)(n_rows, n_vectors, n_out, taps, height, x, x_step, weights, form,
                              width, out);
        } else if (n_vectors > 1 && width > LANES) {
            n = 2;
            NAME(plane_strip)(n_rows, 2, n_out, taps, height, x, x_step, weights, form, width,
                              out);
        } else {
            n = 1;
            NAME(plane_strip)(n_rows, 1, n_out, taps, height, x, x_step, weights, form, width,
                              out);
        }
        x += n * LANES;
        out += n * LANES;
        width -= n * LANES;
    }
}

#define STRIPS(n_rows, n_vectors, n_out)                                                          \
    NAME(plane_strips)(n_rows, n_vectors, n_out, taps, height, width, x, x_step, weights, form,   \
                       out)
#define SHARED(tile, n_out) STRIPS(tile, n_out)
#define CASE(n_out)                                                                               \
    case n_out:                                                                                   \
        if (x_step == taps->row_step && taps->n_rows > 1)                                         \
            SHARED(SHARED_##n_out, n_out);                                                        \
        else                                                                                      \
            STRIPS(1, SINGLE_##n_out, n_out);                                                     \
        break;

static void NAME(planes)(const plane_taps *taps, ptrdiff_t n_out, ptrdiff_t height,
                         ptrdiff_t width, const REAL *x, ptrdiff_t x_step, const REAL *weights,
                         const plane_output *form, REAL *out)
{
    switch (n_out) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#if PLANES_OUT > 4
    case 5:
        STRIPS(1, 3, 5);
        break;
    case 6:
        STRIPS(1, 3, 6);
        break;
    case 7:
        STRIPS(1, 3, 7);
        break;
    case 8:
        STRIPS(1, 3, 8);
        break;
#endif
    }
    if (form->stream)
        stream_fence();
}

#undef CASE
#undef SHARED
#undef STRIPS
