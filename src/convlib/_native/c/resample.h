/* Weighted sums of rows, and pixels between pixels: the inner loops of up-sampling.
 *
 * Lanes run over values that are neighbours in memory, the channels of one or of many pixels. A sum
 * begins with its first product and goes on in the order of the rows or taps, whatever vector a
 * value falls into: the last vector overlaps the one before, and what is shorter than a vector is
 * padded. Included once per REAL, after vec_real.h.
 */

INLINE VEC NAME(mixed)(const int n_taps, const REAL *x, ptrdiff_t step, const VEC *weights)
{
    VEC sum = weights[0] * NAME(load)(x);
    UNROLL
    for (int k = 1; k < n_taps; k++)
        sum += weights[k] * NAME(load)(x + k * step);
    return sum;
}

INLINE VEC NAME(mixed_rows)(ptrdiff_t n_rows, const REAL *const *rows, const REAL *weights,
                            ptrdiff_t i)
{
    VEC sum = NAME(splat)(weights[0]) * NAME(load)(rows[0] + i);
    for (ptrdiff_t k = 1; k < n_rows; k++)
        sum += NAME(splat)(weights[k]) * NAME(load)(rows[k] + i);
    return sum;
}

static void NAME(mix_rows)(ptrdiff_t n_rows, const REAL *const *rows, const REAL *weights,
                           ptrdiff_t n, REAL *out)
{
    if (n < LANES) {
        VEC sum = {0};
        for (ptrdiff_t k = 0; k < n_rows; k++) {
            VEC x = {0};
            memcpy(&x, rows[k], (size_t)n * sizeof(REAL));
            sum = k ? sum + NAME(splat)(weights[k]) * x : NAME(splat)(weights[k]) * x;
        }
        memcpy(out, &sum, (size_t)n * sizeof(REAL));
        return;
    }
    if (n_rows == 2) {
        const REAL *a = rows[0], *b = rows[1];
        const VEC u = NAME(splat)(weights[0]), v = NAME(splat)(weights[1]);
        for (ptrdiff_t i = 0; i < n; i += LANES) {
            const ptrdiff_t k = i + LANES <= n ? i : n - LANES;
            NAME(store)(out + k, u * NAME(load)(a + k) + v * NAME(load)(b + k));
        }
        return;
    }
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t k = i + LANES <= n ? i : n - LANES;
        NAME(store)(out + k, NAME(mixed_rows)(n_rows, rows, weights, k));
    }
}

/* One output pixel; zero taps copy. */
INLINE void NAME(mix_pixel)(const int n_taps, const REAL *x, ptrdiff_t channels,
                            const REAL *weights, int stream, REAL *out)
{
    VEC weight[4];
    UNROLL
    for (int k = 0; k < n_taps; k++)
        weight[k] = NAME(splat)(weights[k]);
    if (channels < LANES) { /* the line is longer than its pixels */
        VEC sum = n_taps ? NAME(mixed)(n_taps, x, channels, weight) : NAME(load)(x);
        memcpy(out, &sum, (size_t)channels * sizeof(REAL));
        return;
    }
    for (ptrdiff_t c = 0; c < channels; c += LANES) {
        const ptrdiff_t k = c + LANES <= channels ? c : channels - LANES;
        VEC sum = n_taps ? NAME(mixed)(n_taps, x + k, channels, weight) : NAME(load)(x + k);
        if (stream)
            NAME(stream)(out + k, sum);
        else
            NAME(store)(out + k, sum);
    }
}

/* Each pixel many times over, some vectors at a time. */
INLINE void NAME(copy_vectors)(const int n, const REAL *x, ptrdiff_t times, ptrdiff_t step,
                               int stream, REAL *out)
{
    VEC v[4];
    UNROLL
    for (int j = 0; j < n; j++)
        v[j] = NAME(load)(x + j * LANES);
    for (ptrdiff_t k = 0; k < times; k++, out += step) {
        UNROLL
        for (int j = 0; j < n; j++) {
            if (stream)
                NAME(stream)(out + j * LANES, v[j]);
            else
                NAME(store)(out + j * LANES, v[j]);
        }
    }
}

INLINE void NAME(copy_pixels)(ptrdiff_t n_pixels, ptrdiff_t times, ptrdiff_t channels,
                              const REAL *line, int stream, REAL *out)
{
    for (ptrdiff_t i = 0; i < n_pixels; i++, line += channels, out += times * channels) {
        ptrdiff_t c = 0;
        for (; c + 4 * LANES <= channels; c += 4 * LANES)
            NAME(copy_vectors)(4, line + c, times, channels, stream, out + c);
        while (c < channels) { /* the last vector overlaps the one before */
            c = c + LANES <= channels ? c : channels - LANES;
            NAME(copy_vectors)(1, line + c, times, channels, stream, out + c);
            c += LANES;
        }
    }
}

static void NAME(mix_pixels)(ptrdiff_t n_pixels, ptrdiff_t n_phases, ptrdiff_t channels,
                             const ptrdiff_t *shifts, const ptrdiff_t *n_taps,
                             const REAL *weights, const REAL *line, int stream, REAL *out)
{
    if (!weights && channels >= LANES) {
        if (stream)
            NAME(copy_pixels)(n_pixels, n_phases, channels, line, 1, out);
        else
            NAME(copy_pixels)(n_pixels, n_phases, channels, line, 0, out);
        return;
    }
    for (ptrdiff_t i = 0; i < n_pixels; i++, line += channels)
        for (ptrdiff_t phase = 0; phase < n_phases; phase++, out += channels) {
            const REAL *x = line + shifts[phase] * channels, *w = weights + 4 * phase;
            switch (n_taps[phase]) {
            case 1:
                NAME(mix_pixel)(0, x, channels, w, stream, out);
                break;
            case 2:
                NAME(mix_pixel)(2, x, channels, w, stream, out);
                break;
            default:
                NAME(mix_pixel)(4, x, channels, w, stream, out);
            }
        }
}

typedef REAL NAME(quarter) __attribute__((vector_size(16)));

/* Pixels of few channels are copied in pieces of 16 bytes; what is too much is overwritten by the
 * next. The last pixel of the lines, which has no next, is copied as it is. */
INLINE void NAME(merge_channels)(const ptrdiff_t channels, ptrdiff_t n_lines, ptrdiff_t n_pixels,
                                 const REAL *lines, ptrdiff_t step, REAL *out)
{
    const ptrdiff_t lanes = 16 / (ptrdiff_t)sizeof(REAL);
    for (ptrdiff_t i = 0; i < n_pixels - 1; i++)
        for (ptrdiff_t k = 0; k < n_lines; k++, out += channels)
            for (ptrdiff_t c = 0; c < channels; c += lanes) {
                NAME(quarter) x;
                memcpy(&x, lines + k * step + i * channels + c, sizeof x);
                memcpy(out + c, &x, sizeof x);
            }
    for (ptrdiff_t k = 0; k < n_lines; k++, out += channels)
        memcpy(out, lines + k * step + (n_pixels - 1) * channels, (size_t)channels * sizeof(REAL));
}

static void NAME(merge_pixels)(ptrdiff_t channels, ptrdiff_t n_lines, ptrdiff_t n_pixels,
                               const REAL *lines, ptrdiff_t step, REAL *out)
{
    switch (channels) {
    case 1: /* pieces would be too long for two pixels */
        NAME(interleave)(n_lines, n_pixels, lines, step, 0, out);
        break;
    case 2:
        NAME(merge_channels)(2, n_lines, n_pixels, lines, step, out);
        break;
    case 3:
        NAME(merge_channels)(3, n_lines, n_pixels, lines, step, out);
        break;
    case 4:
        NAME(merge_channels)(4, n_lines, n_pixels, lines, step, out);
        break;
    default:
        NAME(merge_channels)(channels, n_lines, n_pixels, lines, step, out);
    }
}
