/* The transforms of Winograd's minimal filtering, on vectors of REAL: one channel a lane.
 *
 * A line of samples and a kernel line of three taps are evaluated at a few points, as if they were
 * polynomials; there the convolution is a product; and the outputs are interpolated from the
 * products (Lavin and Gray, arXiv:1509.09308). Tiles of two and three axes are transformed line by
 * line, one axis after the other. What a line is made of depends on its axis:
 *
 *   LINE_ONE      one tap: one output, nothing to transform
 *   LINE_TWO      three taps, stride 1: 2 outputs of 4 samples at the points 0, 1, -1, infinity
 *   LINE_FOUR     three taps, stride 1: 4 outputs of 6 samples at 0, +-5/8, +-3/2, infinity, which
 *                 lose four times less accuracy than 0, +-1, +-2
 *   LINE_STRIDED  three taps, stride 2: 4 outputs of 9 samples. The even samples meet the taps 0
 *                 and 2, at 0, +-7/10, 3/2 and infinity; the odd ones meet tap 1 as they are
 *
 * The constants that interpolation divides by are with the kernel, whose transform comes once.
 * Included once per REAL, after activations.h.
 */

#ifndef CONVLIB_WINOGRAD_LENGTHS
#define CONVLIB_WINOGRAD_LENGTHS
static const int line_points[] = {1, 4, 6, 9}; /* and as many samples */
static const int line_taps[] = {1, 3, 3, 3};
static const int line_outputs[] = {1, 2, 4, 4};
enum { LINES_MAX = 4 * 9 * 9, OUTPUTS_MAX = 2 * 4 * 4 }; /* of a tile */
#endif

#define A ((REAL)5 / 8)
#define B ((REAL)3 / 2)
#define C ((REAL)7 / 10)

/* The samples x[i * step] at the points, to y[i * y_step]. */
INLINE void NAME(line_of_samples)(int line, const REAL *x, ptrdiff_t step, REAL *y,
                                  ptrdiff_t y_step)
{
#define X(i) NAME(load)(x + (i) * step)
#define Y(i, value) NAME(store)(y + (i) * y_step, value)
    switch (line) {
    case LINE_ONE:
        Y(0, X(0));
        break;
    case LINE_TWO: {
        const VEC x0 = X(0), x1 = X(1), x2 = X(2), x3 = X(3);
        Y(0, x0 - x2);
        Y(1, x2 + x1);
        Y(2, x2 - x1);
        Y(3, x3 - x1);
        break;
    }
    case LINE_FOUR: {
        const VEC x0 = X(0), x1 = X(1), x2 = X(2), x3 = X(3), x4 = X(4), x5 = X(5);
        const VEC even_a = x4 - B * B * x2, odd_a = x3 - B * B * x1;
        const VEC even_b = x4 - A * A * x2, odd_b = x3 - A * A * x1;
        Y(0, x4 - (A * A + B * B) * x2 + A * A * B * B * x0);
        Y(1, even_a + A * odd_a);
        Y(2, even_a - A * odd_a);
        Y(3, even_b + B * odd_b);
        Y(4, even_b - B * odd_b);
        Y(5, x5 - (A * A + B * B) * x3 + A * A * B * B * x1);
        break;
    }
    case LINE_STRIDED: {
        const VEC x0 = X(0), x2 = X(2), x4 = X(4), x6 = X(6), x8 = X(8);
        /* Powers 1, 2 and 3 without the factor (x - B), which all but the point B have. */
        const VEC d1 = x4 - B * x2, d2 = x6 - B * x4;
        Y(0, d2 - C * C * (x2 - B * x0));
        Y(1, d2 + C * d1);
        Y(2, d2 - C * d1);
        Y(3, x6 - C * C * x2);
        Y(4, x8 - B * x6 - C * C * d1);
        Y(5, X(1));
        Y(6, X(3));
        Y(7, X(5));
        Y(8, X(7));
        break;
    }
    }
#undef X
}

/* The taps x[i * step] at the points, over the products of the points' distances. */
INLINE void NAME(line_of_taps)(int line, const REAL *x, ptrdiff_t step, REAL *y, ptrdiff_t y_step)
{
#define X(i) NAME(load)(x + (i) * step)
    switch (line) {
    case LINE_ONE:
        Y(0, X(0));
        break;
    case LINE_TWO: {
        const VEC x0 = X(0), x1 = X(1), x2 = X(2);
        const VEC even = (x0 + x2) * (REAL)0.5, odd = x1 * (REAL)0.5;
        Y(0, x0);
        Y(1, even + odd);
        Y(2, even - odd);
        Y(3, x2);
        break;
    }
    case LINE_FOUR: {
        const VEC x0 = X(0), x1 = X(1), x2 = X(2);
        const REAL over_a = 1 / (2 * A * A * (A * A - B * B));
        const REAL over_b = 1 / (2 * B * B * (B * B - A * A));
        const VEC even_a = (x0 + A * A * x2) * over_a, odd_a = x1 * (A * over_a);
        const VEC even_b = (x0 + B * B * x2) * over_b, odd_b = x1 * (B * over_b);
        Y(0, x0 * (1 / (A * A * B * B)));
        Y(1, even_a + odd_a);
        Y(2, even_a - odd_a);
        Y(3, even_b + odd_b);
        Y(4, even_b - odd_b);
        Y(5, x2);
        break;
    }
    case LINE_STRIDED: {
        const VEC x0 = X(0), x2 = X(2);
        Y(0, x0 * (1 / (C * C * B)));
        Y(1, (x0 + C * x2) * (1 / (2 * C * C * (C - B))));
        Y(2, (x0 - C * x2) * (-1 / (2 * C * C * (C + B))));
        Y(3, (x0 + B * x2) * (1 / (B * (B * B - C * C))));
        Y(4, x2);
        Y(5, X(1));
        Y(6, X(1));
        Y(7, X(1));
        Y(8, X(1));
        break;
    }
    }
#undef X
}

/* The outputs that the products x[i * step] at the points interpolate. */
INLINE void NAME(line_of_outputs)(int line, const REAL *x, ptrdiff_t step, REAL *y,
                                  ptrdiff_t y_step)
{
#define X(i) NAME(load)(x + (i) * step)
    switch (line) {
    case LINE_ONE:
        Y(0, X(0));
        break;
    case LINE_TWO: {
        const VEC x1 = X(1), x2 = X(2);
        Y(0, X(0) + (x1 + x2));
        Y(1, X(3) + (x1 - x2));
        break;
    }
    case LINE_FOUR: {
        const VEC x1 = X(1), x2 = X(2), x3 = X(3), x4 = X(4);
        const VEC sum_a = x1 + x2, difference_a = x1 - x2;
        const VEC sum_b = x3 + x4, difference_b = x3 - x4;
        Y(0, X(0) + sum_a + sum_b);
        Y(1, A * difference_a + B * difference_b);
        Y(2, A * A * sum_a + B * B * sum_b);
        Y(3, X(5) + A * A * A * difference_a + B * B * B * difference_b);
        break;
    }
    case LINE_STRIDED: {
        const VEC x1 = X(1), x2 = X(2), x3 = X(3);
        const VEC sum = x1 + x2, difference = x1 - x2;
        Y(0, X(0) + sum + x3 + X(5));
        Y(1, C * difference + B * x3 + X(6));
        Y(2, C * C * sum + B * B * x3 + X(7));
        Y(3, X(4) + C * C * C * difference + B * B * B * x3 + X(8));
        break;
    }
    }
#undef X
#undef Y
}

#undef A
#undef B
#undef C

typedef void (*NAME(line_function))(int line, const REAL *x, ptrdiff_t step, REAL *y,
                                    ptrdiff_t y_step);

/* A tile of values x[i * steps[0] + j * steps[1] + k * steps[2]] becomes values at y, y_step apart:
 * n and m tell how many, by kind of line. The last axis goes first. */
INLINE void NAME(transform_tile)(const NAME(line_function) transform, const int *n, const int *m,
                                 const int *lines, const REAL *x, const ptrdiff_t *steps, REAL *y,
                                 ptrdiff_t y_step)
{
    REAL across[LINES_MAX * VEC_BYTES / sizeof(REAL)], down[LINES_MAX * VEC_BYTES / sizeof(REAL)];
    const int n0 = n[lines[0]], n1 = n[lines[1]], m1 = m[lines[1]], m2 = m[lines[2]];
    for (int i = 0; i < n0; i++)
        for (int j = 0; j < n1; j++)
            transform(lines[2], x + i * steps[0] + j * steps[1], steps[2],
                      across + (i * n1 + j) * m2 * LANES, LANES);
    if (lines[0] == LINE_ONE) { /* one plane */
        for (int k = 0; k < m2; k++)
            transform(lines[1], across + k * LANES, m2 * LANES, y + k * y_step, m2 * y_step);
        return;
    }
    for (int i = 0; i < n0; i++)
        for (int k = 0; k < m2; k++)
            transform(lines[1], across + (i * n1 * m2 + k) * LANES, m2 * LANES,
                      down + (i * m1 * m2 + k) * LANES, m2 * LANES);
    for (int j = 0; j < m1 * m2; j++)
        transform(lines[0], down + j * LANES, m1 * m2 * LANES, y + j * y_step, m1 * m2 * y_step);
}

static void NAME(winograd_samples)(const int *lines, ptrdiff_t n_vectors, const REAL *x,
                                   const ptrdiff_t *steps, REAL *y, ptrdiff_t y_step)
{
    for (; n_vectors > 0; n_vectors--, x += LANES, y += LANES)
        NAME(transform_tile)(NAME(line_of_samples), line_points, line_points, lines, x, steps, y,
                             y_step);
}

static void NAME(winograd_taps)(const int *lines, ptrdiff_t n_vectors, const REAL *x,
                                const ptrdiff_t *steps, REAL *y, ptrdiff_t y_step)
{
    for (; n_vectors > 0; n_vectors--, x += LANES, y += LANES)
        NAME(transform_tile)(NAME(line_of_taps), line_taps, line_points, lines, x, steps, y,
                             y_step);
}

static void NAME(winograd_outputs)(const int *lines, const REAL *x, ptrdiff_t step,
                                   const REAL *bias, int activation, REAL *out,
                                   const ptrdiff_t *out_steps)
{
    REAL tile[OUTPUTS_MAX * VEC_BYTES / sizeof(REAL)];
    const REAL *value = tile;
    const ptrdiff_t row = line_points[lines[2]] * step;
    const ptrdiff_t steps[] = {line_points[lines[1]] * row, row, step};
    NAME(transform_tile)(NAME(line_of_outputs), line_points, line_outputs, lines, x, steps, tile,
                         LANES);
    for (int i = 0; i < line_outputs[lines[0]]; i++)
        for (int j = 0; j < line_outputs[lines[1]]; j++)
            for (int k = 0; k < line_outputs[lines[2]]; k++, value += LANES) {
                VEC y = NAME(load)(value) + NAME(load)(bias);
                NAME(store)(out + i * out_steps[0] + j * out_steps[1] + k * out_steps[2],
                            NAME(activate)(activation, y));
            }
}
