/* The product of rows of vectors and a vector of weights, lane by lane: what convolutions of small
 * groups have in place of a product of matrices. The k-th operand of row i is the vector at
 * rows[i] + offsets[k]; otherwise this is product.h. Included once per REAL, after vec_real.h. */

INLINE void NAME(lanes_tile)(const int n_rows, ptrdiff_t depth, const REAL *const *rows,
                             const ptrdiff_t *offsets, ptrdiff_t column, const REAL *weights,
                             ptrdiff_t step, int adds, REAL *const *out, ptrdiff_t out_offset)
{
    const REAL *row[MAX_ROWS];
    VEC sum[MAX_ROWS];
    UNROLL
    for (int i = 0; i < n_rows; i++) {
        row[i] = rows[i] + column;
        sum[i] = (VEC){0};
    }
    for (ptrdiff_t k = 0; k < depth; k++) {
        const VEC weight = NAME(load)(weights + k * step);
        UNROLL
        for (int i = 0; i < n_rows; i++)
            sum[i] += NAME(load)(row[i] + offsets[k]) * weight;
    }
    UNROLL
    for (int i = 0; i < n_rows; i++) {
        REAL *p = out[i] + out_offset;
        NAME(store)(p, adds ? NAME(load)(p) + sum[i] : sum[i]);
    }
}

#define CASE(n)                                                                                   \
    case n:                                                                                       \
        NAME(lanes_tile)(n, depth, rows, offsets, column, weights, step, adds, out, out_offset);  \
        break;

static void NAME(product_lanes)(ptrdiff_t n_rows, ptrdiff_t depth, const REAL *const *rows,
                                const ptrdiff_t *offsets, ptrdiff_t column, const REAL *weights,
                                ptrdiff_t step, int adds, REAL *const *out, ptrdiff_t out_offset)
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
