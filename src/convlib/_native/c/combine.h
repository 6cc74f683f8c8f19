/* What becomes of several sums over the neighbours of a pixel, and bytes as REAL. Included once per
 * REAL, after vec_real.h.
 */

INLINE VEC NAME(magnitude_vector)(ptrdiff_t n_rows, const REAL *x, ptrdiff_t step, REAL factor)
{
    VEC sum = NAME(load)(x), root;
    sum *= sum;
    for (ptrdiff_t r = 1; r < n_rows; r++) {
        VEC other = NAME(load)(x + r * step);
        sum += other * other;
    }
    for (int i = 0; i < LANES; i++)
        root[i] = sizeof(REAL) == 4 ? __builtin_sqrtf((float)sum[i])
                                    : (REAL)__builtin_sqrt((double)sum[i]);
    return root * NAME(splat)(factor);
}

static void NAME(magnitude)(ptrdiff_t n_rows, const REAL *x, ptrdiff_t step, REAL factor,
                            int stream, ptrdiff_t n, REAL *out)
{
    ptrdiff_t i = 0;
    if (stream) { /* up to the first whole vector; what is left is stored as usual */
        ptrdiff_t head = (ptrdiff_t)(-(uintptr_t)out % VEC_BYTES / sizeof(REAL));
        if (head > 0 && n >= 2 * LANES && (uintptr_t)out % sizeof(REAL) == 0) {
            VEC first = NAME(magnitude_vector)(n_rows, x, step, factor);
            memcpy(out, &first, (size_t)head * sizeof(REAL));
            i = head;
        }
        for (; i + LANES <= n; i += LANES)
            NAME(stream)(out + i, NAME(magnitude_vector)(n_rows, x + i, step, factor));
    }
    for (; i + LANES <= n; i += LANES)
        NAME(store)(out + i, NAME(magnitude_vector)(n_rows, x + i, step, factor));
    if (i < n) {
        VEC last = NAME(magnitude_vector)(n_rows, x + i, step, factor);
        memcpy(out + i, &last, (size_t)(n - i) * sizeof(REAL));
    }
}

static void NAME(widen)(ptrdiff_t n, const uint8_t *x, REAL *out)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = (REAL)x[i];
}
