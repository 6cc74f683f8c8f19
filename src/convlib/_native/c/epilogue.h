/* The last step of a convolution whose sums stand in registers: bias, activation and a store that
 * may be cut short. Included once per REAL, after activations.h. */

/* Write the first n <= LANES values; all of them are computed, so that their bits do not depend on
 * how many are wanted. */
INLINE void NAME(finish)(int activation, VEC bias, VEC sum, ptrdiff_t n, REAL *out)
{
    VEC x = NAME(activate)(activation, sum + bias);
    if (n == LANES)
        NAME(store)(out, x);
    else if (n > 0)
        memcpy(out, &x, (size_t)n * sizeof(REAL));
}
