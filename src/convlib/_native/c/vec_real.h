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

INLINE VEC NAME(splat)(REAL x)
{
    return x - (VEC){0}; /* x + 0 would turn -0 into 0 */
}

/* a where the mask is set, else b */
INLINE VEC NAME(blend)(IVEC mask, VEC a, VEC b)
{
    return (VEC)((mask & (IVEC)a) | (~mask & (IVEC)b));
}
