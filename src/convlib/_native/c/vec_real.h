/* Loads, stores and the few operations that vectors of REAL need. Included once per REAL. */

INLINE VEC NAME(load)(const REAL *p)
{
    VEC v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void NAME(store)(REAL *p, VEC v)
{
    memcpy(p, &v, sizeof v);
}

/* A store past the caches, for outputs that are larger than they are. The address must be a
 * multiple of 16 bytes, which callers see to: arrays of numpy's own begin at one, but those that
 * users give may not. Whole lines are written together only if neighbours follow in order. */
INLINE void NAME(stream)(REAL *p, VEC v)
{
#if defined(__SSE2__)
#if defined(__AVX512F__)
    if ((uintptr_t)p % VEC_BYTES == 0) {
        _mm512_stream_ps((float *)p, (__m512)v);
        return;
    }
#endif
    typedef float quarter __attribute__((vector_size(16)));
    quarter part[VEC_BYTES / 16];
    memcpy(part, &v, sizeof v);
    UNROLL
    for (int i = 0; i < VEC_BYTES / 16; i++)
        _mm_stream_ps((float *)p + 4 * i, part[i]);
#else
    NAME(store)(p, v);
#endif
}

/* Copies rows of n values past the caches, if they begin where a streaming store may. Rows that
 * follow each other without a gap are one. */
static void NAME(stream_rows)(ptrdiff_t n_rows, ptrdiff_t n, const REAL *x, REAL *out,
                              ptrdiff_t out_step)
{
    const ptrdiff_t bytes = n * (ptrdiff_t)sizeof(REAL), step = out_step * (ptrdiff_t)sizeof(REAL);
    const int is_able = ((uintptr_t)out | (uintptr_t)bytes | (uintptr_t)step) % 16 == 0;
    if (n == out_step) {
        n *= n_rows;
        n_rows = 1;
    }
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        ptrdiff_t k = 0;
        for (; is_able && k + LANES <= n; k += LANES)
            NAME(stream)(out + k, NAME(load)(x + k));
        memcpy(out + k, x + k, (size_t)(n - k) * sizeof(REAL));
        x += n;
        out += out_step;
    }
}

INLINE VEC NAME(splat)(REAL x)
{
    return x - (VEC){0}; /* x + 0 would turn -0 into 0 */
}

/* a where the mask is set, else b */
INLINE VEC NAME(blend)(IVEC mask, VEC a, VEC b)
{
    return (VEC)((mask & (IVEC)a) | (~mask & (IVEC)b));
}

/* The larger of two, a where one is NaN. */
INLINE VEC NAME(larger)(VEC a, VEC b)
{
    return NAME(blend)(b > a, b, a);
}

/* Lane i is lane mask[i] of a, or lane mask[i] - LANES of b. */
INLINE VEC NAME(shuffle)(VEC a, VEC b, IVEC mask)
{
#if defined(__clang__)
    VEC x;
    UNROLL
    for (int i = 0; i < LANES; i++)
        x[i] = mask[i] < LANES ? a[mask[i]] : b[mask[i] - LANES];
    return x;
#else
    return __builtin_shuffle(a, b, mask);
#endif
}

/* rows[i][j] becomes rows[j][i]: at each level halves of blocks change places. */
INLINE void NAME(transpose)(VEC *rows)
{
    UNROLL
    for (int step = 1; step < LANES; step *= 2) {
        IVEC low, high;
        UNROLL
        for (int j = 0; j < LANES; j++) {
            low[j] = j & step ? LANES + (j ^ step) : j;
            high[j] = j & step ? LANES + j : j ^ step;
        }
        UNROLL
        for (int i = 0; i < LANES; i++)
            if (!(i & step)) {
                VEC a = rows[i], b = rows[i + step];
                rows[i] = NAME(shuffle)(a, b, low);
                rows[i + step] = NAME(shuffle)(a, b, high);
            }
    }
}
