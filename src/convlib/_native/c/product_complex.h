/* The product of rows of spectra and a panel, in registers. The panel holds the spectra of the
 * weights as they are; they are conjugated on the way: x * conj(w), the spectrum of a correlation.
 *
 * Complex values lie as a vector of real parts, then one of imaginary parts. A row holds one
 * frequency of all channels of a tile, a panel the same frequency of one vector of outputs.
 * Included once per REAL, after vec_real.h.
 */

INLINE void NAME(complex_tile)(const int n_rows, ptrdiff_t depth, const REAL *rows,
                               ptrdiff_t row_step, const REAL *panel, REAL *out,
                               ptrdiff_t out_step)
{
    /* Two bases and few multiples of the step fit the addressing of instructions. */
    const REAL *late_rows = n_rows > 7 ? rows + 7 * row_step : rows;
    VEC re[MAX_COMPLEX_ROWS], im[MAX_COMPLEX_ROWS];
    UNROLL
    for (int i = 0; i < n_rows; i++)
        re[i] = im[i] = (VEC){0};
    for (ptrdiff_t c = 0; c < depth; c += LANES) {
        const ptrdiff_t n = depth - c < LANES ? depth - c : LANES;
        for (ptrdiff_t k = 0; k < n; k++) {
            VEC weight_re = NAME(load)(panel), weight_im = NAME(load)(panel + LANES);
            panel += 2 * LANES;
            UNROLL
            for (int i = 0; i < n_rows; i++) {
                const REAL *x = i < 7 ? rows + i * row_step : late_rows + (i - 7) * row_step;
                VEC x_re = NAME(splat)(x[k]), x_im = NAME(splat)(x[k + LANES]);
                re[i] += x_re * weight_re;
                im[i] += x_im * weight_re;
                re[i] += x_im * weight_im;
                im[i] -= x_re * weight_im;
            }
        }
        rows += 2 * LANES;
        late_rows += 2 * LANES;
    }
    UNROLL
    for (int i = 0; i < n_rows; i++) {
        NAME(store)(out + i * out_step, re[i]);
        NAME(store)(out + i * out_step + LANES, im[i]);
    }
}

#define CASE(n)                                                                                   \
    case n:                                                                                       \
        NAME(complex_tile)(n, depth, rows, row_step, panel, out, out_step);                       \
        break;

static void NAME(product_complex)(ptrdiff_t n_rows, ptrdiff_t depth, const REAL *rows,
                                  ptrdiff_t row_step, const REAL *panel, REAL *out,
                                  ptrdiff_t out_step)
{
    switch (n_rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#if MAX_COMPLEX_ROWS > 4
        CASE(5)
#endif
#if MAX_COMPLEX_ROWS > 5
        CASE(6)
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
        CASE(13)
        CASE(14)
#endif
    }
}

#undef CASE
