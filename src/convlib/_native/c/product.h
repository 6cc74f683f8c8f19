/* The product of gathered rows and a panel of weights, in registers.
 *
 * Each row is an address; the k-th operand of row i is rows[i][offsets[k]], so that windows,
 * pixels and sampled columns are all the same to this loop. The k-th row of weights lies k steps
 * behind the first: in a panel, rows are neighbours, and a kernel as users have it will do too. Sums
 * run over k in order, whatever n_rows is: an output has the same bits in every tile. They begin
 * with the bias; without one they are added to what `out` holds, so that long sums can be made in
 * parts. Included once per REAL, after activations.h.
 */

INLINE void NAME(tile)(const int n_rows, const int n_vectors, ptrdiff_t depth,
                       const REAL *const *rows, const ptrdiff_t *offsets, const REAL *bias,
                       const REAL *weights, ptrdiff_t step, int activation, int streams,
                       REAL *const *out, ptrdiff_t out_offset)
{
    const REAL *row[MAX_ROWS];
    VEC sum[MAX_ROWS][2];
    UNROLL
    for (int i = 0; i < n_rows; i++) {
        row[i] = rows[i];
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            sum[i][j] = bias ? NAME(load)(bias + j * LANES) : (VEC){0};
    }
    UNROLL_BY_4
    for (ptrdiff_t k = 0; k < depth; k++) {
        const ptrdiff_t offset = offsets[k];
        VEC weight[2];
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            weight[j] = NAME(load)(weights + j * LANES);
        weights += step;
        UNROLL
        for (int i = 0; i < n_rows; i++) {
            VEC x = NAME(splat)(row[i][offset]);
            UNROLL
            for (int j = 0; j < n_vectors; j++)
                sum[i][j] += x * weight[j];
        }
    }
    if (!bias) {
        UNROLL
        for (int i = 0; i < n_rows; i++) {
            UNROLL
            for (int j = 0; j < n_vectors; j++)
                sum[i][j] += NAME(load)(out[i] + out_offset + j * LANES);
        }
    }
    UNROLL
    for (int i = 0; i < n_rows; i++) {
        UNROLL
        for (int j = 0; j < n_vectors; j++) {
            VEC x = activation == ACTIVATION_RELU ? NAME(relu)(sum[i][j]) : sum[i][j];
            if (streams)
                NAME(stream)(out[i] + out_offset + j * LANES, x);
            else
                NAME(store)(out[i] + out_offset + j * LANES, x);
        }
    }
    if (activation > ACTIVATION_RELU) /* rarer and longer: on the tile while it is in cache */
        for (int i = 0; i < n_rows; i++)
            for (int j = 0; j < n_vectors; j++) {
                REAL *p = out[i] + out_offset + j * LANES;
                NAME(store)(p, NAME(activate)(activation, NAME(load)(p)));
            }
}

#define TILE(n_rows, n_vectors)                                                                   \
    NAME(tile)(n_rows, n_vectors, depth, rows, offsets, bias, weights, step, activation, streams, \
               out, out_offset)
#define CASE(n)                                                                                   \
    case n:                                                                                       \
        if (n_vectors == 2)                                                                       \
            TILE(n, 2);                                                                           \
        else                                                                                      \
            TILE(n, 1);                                                                           \
        break;

static void NAME(product)(ptrdiff_t n_rows, ptrdiff_t n_vectors, ptrdiff_t depth,
                          const REAL *const *rows, const ptrdiff_t *offsets, const REAL *bias,
                          const REAL *weights, ptrdiff_t step, int activation, int streams,
                          REAL *const *out, ptrdiff_t out_offset)
{
    switch (n_rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
#if MAX_ROWS > 6
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
#endif
    }
}

#undef CASE
#undef TILE
