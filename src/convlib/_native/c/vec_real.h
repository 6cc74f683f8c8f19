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

INLINE VEC NAME(splat)(REAL x)
{
    return x - (VEC){0}; /* x + 0 would turn -0 into 0 */
}

/* a where the mask is set, else b */
INLINE VEC NAME(blend)(IVEC mask, VEC a, VEC b)
{
    return (VEC)((mask & (IVEC)a) | (~mask & (IVEC)b));
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
