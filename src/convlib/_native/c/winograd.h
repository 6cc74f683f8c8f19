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
enum { TILE_MAX = 4 * 9 * 9, OUTPUTS_MAX = 2 * 4 * 4 };
#endif

#define A ((REAL)5 / 8)
#define B ((REAL)3 / 2)
#define C ((REAL)7 / 10)

/* The samples of a line at its points. */
INLINE void NAME(line_of_samples)(int line, const VEC *x, VEC *y)
{
    switch (line) {
    case LINE_ONE:
        y[0] = x[0];
        break;
    case LINE_TWO: {
        y[0] = x[0] - x[2];
        y[1] = x[2] + x[1];
        y[2] = x[2] - x[1];
        y[3] = x[3] - x[1];
        break;
    }
    case LINE_FOUR: {
        const VEC even_a = x[4] - B * B * x[2], odd_a = x[3] - B * B * x[1];
        const VEC even_b = x[4] - A * A * x[2], odd_b = x[3] - A * A * x[1];
        y[0] = x[4] - (A * A + B * B) * x[2] + A * A * B * B * x[0];
        y[1] = even_a + A * odd_a;
        y[2] = even_a - A * odd_a;
        y[3] = even_b + B * odd_b;
        y[4] = even_b - B * odd_b;
        y[5] = x[5] - (A * A + B * B) * x[3] + A * A * B * B * x[1];
        break;
    }
    case LINE_STRIDED: {
        /* Powers 1, 2 and 3 without the factor (x - B), which all but the point B have. */
        const VEC d1 = x[4] - B * x[2], d2 = x[6] - B * x[4];
        y[0] = d2 - C * C * (x[2] - B * x[0]);
        y[1] = d2 + C * d1;
        y[2] = d2 - C * d1;
        y[3] = x[6] - C * C * x[2];
        y[4] = x[8] - B * x[6] - C * C * d1;
        y[5] = x[1];
        y[6] = x[3];
        y[7] = x[5];
        y[8] = x[7];
        break;
    }
    }
}

/* The taps of a line at its points, over the products of the points' distances. */
INLINE void NAME(line_of_taps)(int line, const VEC *x, VEC *y)
{
    switch (line) {
    case LINE_ONE:
        y[0] = x[0];
        break;
    case LINE_TWO: {
        const VEC even = (x[0] + x[2]) * (REAL)0.5, odd = x[1] * (REAL)0.5;
        y[0] = x[0];
        y[1] = even + odd;
        y[2] = even - odd;
        y[3] = x[2];
        break;
    }
    case LINE_FOUR: {
        const REAL over_a = 1 / (2 * A * A * (A * A - B * B));
        const REAL over_b = 1 / (2 * B * B * (B * B - A * A));
        const VEC even_a = (x[0] + A * A * x[2]) * over_a, odd_a = x[1] * (A * over_a);
        const VEC even_b = (x[0] + B * B * x[2]) * over_b, odd_b = x[1] * (B * over_b);
        y[0] = x[0] * (1 / (A * A * B * B));
        y[1] = even_a + odd_a;
        y[2] = even_a - odd_a;
        y[3] = even_b + odd_b;
        y[4] = even_b - odd_b;
        y[5] = x[2];
        break;
    }
    case LINE_STRIDED: {
        y[0] = x[0] * (1 / (C * C * B));
        y[1] = (x[0] + C * x[2]) * (1 / (2 * C * C * (C - B)));
        y[2] = (x[0] - C * x[2]) * (-1 / (2 * C * C * (C + B)));
        y[3] = (x[0] + B * x[2]) * (1 / (B * (B * B - C * C)));
        y[4] = x[2];
        y[5] = x[1];
        y[6] = x[1];
        y[7] = x[1];
        y[8] = x[1];
        break;
    }
    }
}

/* The outputs that the products at the points interpolate. */
INLINE void NAME(line_of_outputs)(int line, const VEC *x, VEC *y)
{
    switch (line) {
    case LINE_ONE:
        y[0] = x[0];
        break;
    case LINE_TWO: {
        y[0] = x[0] + (x[1] + x[2]);
        y[1] = x[3] + (x[1] - x[2]);
        break;
    }
    case LINE_FOUR: {
        const VEC sum_a = x[1] + x[2], difference_a = x[1] - x[2];
        const VEC sum_b = x[3] + x[4], difference_b = x[3] - x[4];
        y[0] = x[0] + sum_a + sum_b;
        y[1] = A * difference_a + B * difference_b;
        y[2] = A * A * sum_a + B * B * sum_b;
        y[3] = x[5] + A * A * A * difference_a + B * B * B * difference_b;
        break;
    }
    case LINE_STRIDED: {
        const VEC sum = x[1] + x[2], difference = x[1] - x[2];
        y[0] = x[0] + sum + x[3] + x[5];
        y[1] = C * difference + B * x[3] + x[6];
        y[2] = C * C * sum + B * B * x[3] + x[7];
        y[3] = x[4] + C * C * C * difference + B * B * B * x[3] + x[8];
        break;
    }
    }
}

#undef A
#undef B
#undef C

typedef void (*NAME(line_function))(int line, const VEC *x, VEC *y);
typedef void (*NAME(plane_function))(const int *lines, const REAL *const *x, ptrdiff_t x_step,
                                     ptrdiff_t offset, REAL *y, ptrdiff_t y_step);

/* A plane of lines becomes values at y, y_step apart; n and m tell how many, by kind of line. The
 * value (i, j) lies `offset` behind the address x[(i * n2 + j) * x_step]. */
INLINE void NAME(transform_plane)(const NAME(line_function) transform, const int *n, const int *m,
                                  const int down, const int right, const REAL *const *x,
                                  ptrdiff_t x_step, ptrdiff_t offset, REAL *y, ptrdiff_t y_step)
{
    VEC rows[9 * 9], from[9], to[9];
    const int n1 = n[down], n2 = n[right], m1 = m[down], m2 = m[right];
    UNROLL
    for (int i = 0; i < n1; i++) {
        UNROLL
        for (int j = 0; j < n2; j++)
            from[j] = NAME(load)(x[(i * n2 + j) * x_step] + offset);
        transform(right, from, rows + i * m2);
    }
    UNROLL
    for (int j = 0; j < m2; j++) {
        UNROLL
        for (int i = 0; i < n1; i++)
            from[i] = rows[i * m2 + j];
        transform(down, from, to);
        UNROLL
        for (int i = 0; i < m1; i++)
            NAME(store)(y + (i * m2 + j) * y_step, to[i]);
    }
}

/* Each kind of plane is compiled for itself and stays in registers, as far as there are any. */
#define PLANE(down, right)                                                                        \
    if (lines[1] == down && lines[2] == right) {                                                  \
        NAME(transform_plane)(transform, n, m, down, right, x, x_step, offset, y, y_step);        \
        return;                                                                                   \
    }
INLINE void NAME(transform_any_plane)(const NAME(line_function) transform, const int *n,
                                      const int *m, const int *lines, const REAL *const *x,
                                      ptrdiff_t x_step, ptrdiff_t offset, REAL *y,
                                      ptrdiff_t y_step)
{
    PLANE(LINE_FOUR, LINE_FOUR)
    PLANE(LINE_TWO, LINE_TWO)
    PLANE(LINE_STRIDED, LINE_STRIDED)
    PLANE(LINE_ONE, LINE_ONE)
    PLANE(LINE_ONE, LINE_TWO)
    PLANE(LINE_ONE, LINE_FOUR)
    PLANE(LINE_ONE, LINE_STRIDED)
    PLANE(LINE_TWO, LINE_ONE)
    PLANE(LINE_FOUR, LINE_ONE)
    PLANE(LINE_STRIDED, LINE_ONE)
}
#undef PLANE

static void NAME(plane_of_samples)(const int *lines, const REAL *const *x, ptrdiff_t x_step,
                                   ptrdiff_t offset, REAL *y, ptrdiff_t y_step)
{
    NAME(transform_any_plane)(NAME(line_of_samples), line_points, line_points, lines, x, x_step,
                              offset, y, y_step);
}

static void NAME(plane_of_taps)(const int *lines, const REAL *const *x, ptrdiff_t x_step,
                                ptrdiff_t offset, REAL *y, ptrdiff_t y_step)
{
    NAME(transform_any_plane)(NAME(line_of_taps), line_taps, line_points, lines, x, x_step,
                              offset, y, y_step);
}

static void NAME(plane_of_outputs)(const int *lines, const REAL *const *x, ptrdiff_t x_step,
                                   ptrdiff_t offset, REAL *y, ptrdiff_t y_step)
{
    NAME(transform_any_plane)(NAME(line_of_outputs), line_points, line_outputs, lines, x, x_step,
                              offset, y, y_step);
}

/* A tile is a plane, or several, and then its columns are transformed too. A plane of two kinds of
 * lines is rows as planes, and columns. */
INLINE void NAME(transform_tile)(const NAME(plane_function) transform_plane,
                                 const NAME(line_function) transform, const int *n, const int *m,
                                 const int *axes, const REAL *const *x, ptrdiff_t x_step,
                                 ptrdiff_t offset, REAL *y, ptrdiff_t y_step)
{
    const int is_mixed = axes[1] != axes[2] && axes[1] != LINE_ONE && axes[2] != LINE_ONE;
    const int lines[] = {is_mixed ? axes[1] : axes[0], is_mixed ? LINE_ONE : axes[1], axes[2]};
    const int size = n[lines[1]] * n[lines[2]], n_columns = m[lines[1]] * m[lines[2]];
    if (lines[0] == LINE_ONE) {
        transform_plane(lines, x, x_step, offset, y, y_step);
        return;
    }
    VEC planes[TILE_MAX], from[9], to[9] = {{0}}; /* compilers do not see that all are written */
    for (int i = 0; i < n[lines[0]]; i++)
        transform_plane(lines, x + i * size * x_step, x_step, offset,
                        (REAL *)(planes + i * n_columns), LANES);
    for (int j = 0; j < n_columns; j++) {
        for (int i = 0; i < n[lines[0]]; i++)
            from[i] = planes[i * n_columns + j];
        transform(lines[0], from, to);
        for (int i = 0; i < m[lines[0]]; i++)
            NAME(store)(y + (i * n_columns + j) * y_step, to[i]);
    }
}

static void NAME(winograd_samples)(const int *lines, ptrdiff_t n_vectors, const REAL *const *x,
                                   ptrdiff_t offset, REAL *y, ptrdiff_t y_step)
{
    for (ptrdiff_t i = 0; i < n_vectors; i++)
        NAME(transform_tile)(NAME(plane_of_samples), NAME(line_of_samples), line_points,
                             line_points, lines, x, 1, offset + i * LANES, y + i * LANES, y_step);
}

static void NAME(winograd_taps)(const int *lines, ptrdiff_t n_vectors, const REAL *const *x,
                                ptrdiff_t offset, REAL *y, ptrdiff_t y_step)
{
    for (ptrdiff_t i = 0; i < n_vectors; i++)
        NAME(transform_tile)(NAME(plane_of_taps), NAME(line_of_taps), line_taps, line_points,
                             lines, x, 1, offset + i * LANES, y + i * LANES, y_step);
}

static void NAME(winograd_outputs)(const int *lines, const REAL *const *x, ptrdiff_t x_step,
                                   ptrdiff_t offset, const REAL *bias, int activation, REAL *out,
                                   const ptrdiff_t *out_steps)
{
    VEC tile[OUTPUTS_MAX];
    const VEC *value = tile, addend = NAME(load)(bias);
    NAME(transform_tile)(NAME(plane_of_outputs), NAME(line_of_outputs), line_points, line_outputs,
                         lines, x, x_step, offset, (REAL *)tile, LANES);
    for (int i = 0; i < line_outputs[lines[0]]; i++)
        for (int j = 0; j < line_outputs[lines[1]]; j++)
            for (int k = 0; k < line_outputs[lines[2]]; k++) {
                VEC y = *value++ + addend;
                if (activation == ACTIVATION_RELU)
                    y = NAME(relu)(y);
                else if (activation > ACTIVATION_RELU)
                    y = NAME(activate)(activation, y);
                NAME(store)(out + i * out_steps[0] + j * out_steps[1] + k * out_steps[2], y);
            }
}
