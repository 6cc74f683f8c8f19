/* Activations on vectors of REAL; NaN stays NaN. Included once per REAL, after vec_real.h. */

INLINE VEC NAME(relu)(VEC x)
{
    return NAME(blend)(x < (VEC){0}, (VEC){0}, x);
}

/* exp(x) - 1: x = n ln 2 + r with |r| <= ln(2) / 2, a Taylor polynomial in r, and 2^n by its bits.
 * Accurate near zero too, so that tanh needs no branch. |x| is bounded by the caller. */
INLINE VEC NAME(expm1)(VEC x)
{
    const int is_float = sizeof(REAL) == 4;
    /* Adding 1.5 * 2^(mantissa bits) rounds to an integer and leaves it in the low bits. */
    const REAL rounder = is_float ? (REAL)12582912.0 : (REAL)6755399441055744.0;
    const REAL ln2_high = is_float ? (REAL)0.693145751953125 : (REAL)0.6931471803691238;
    const REAL ln2_low = is_float ? (REAL)1.42860682030941723212e-6 : (REAL)1.9082149292705877e-10;
    const int terms = is_float ? 8 : 14;
    static const REAL inverse_factorial[] = {
        1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
        1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0,
        1.0 / 87178291200.0};
    VEC shifted = x * (REAL)1.44269504088896340736 + rounder;
    VEC n = shifted - rounder;
    VEC r = x - n * ln2_high - n * ln2_low;
    VEC p = NAME(splat)(inverse_factorial[terms]);
    UNROLL
    for (int i = terms - 1; i >= 1; i--)
        p = p * r + inverse_factorial[i];
    p = p * r;
    IVEC exponent = (IVEC)shifted - (IVEC)NAME(splat)(rounder);
    VEC power = (VEC)((exponent + (is_float ? 127 : 1023)) << (is_float ? 23 : 52));
    return power * p + (power - 1);
}

INLINE VEC NAME(clamp)(VEC x, REAL bound)
{
    x = NAME(blend)(x > bound, NAME(splat)(bound), x);
    return NAME(blend)(x < -bound, NAME(splat)(-bound), x);
}

INLINE VEC NAME(sigmoid)(VEC x)
{
    VEC e = NAME(expm1)(NAME(clamp)(-x, sizeof(REAL) == 4 ? (REAL)87 : (REAL)708));
    return 1 / (2 + e);
}

INLINE VEC NAME(tanh)(VEC x)
{
    VEC e = NAME(expm1)(2 * NAME(clamp)(x, sizeof(REAL) == 4 ? (REAL)10 : (REAL)20));
    return e / (e + 2);
}

INLINE VEC NAME(activate)(int activation, VEC x)
{
    switch (activation) {
    case ACTIVATION_RELU:
        return NAME(relu)(x);
    case ACTIVATION_RELU6:
        x = NAME(relu)(x);
        return NAME(blend)(x > 6, NAME(splat)(6), x);
    case ACTIVATION_LEAKY_RELU:
        return NAME(blend)(x < (VEC){0}, x * (REAL)0.01, x);
    case ACTIVATION_ABS:
        return NAME(blend)(x < (VEC){0}, -x, x + (VEC){0});
    case ACTIVATION_SQUARE:
        return x * x;
    case ACTIVATION_SIGMOID:
        return NAME(sigmoid)(x);
    case ACTIVATION_TANH:
        return NAME(tanh)(x);
    default:
        return x;
    }
}

/* The last values go through a whole vector too: their bits do not depend on their place. */
static void NAME(activate_values)(int activation, ptrdiff_t n, REAL *x)
{
    REAL rest[VEC_BYTES / sizeof(REAL)] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        NAME(store)(x + i, NAME(activate)(activation, NAME(load)(x + i)));
    if (i < n) {
        memcpy(rest, x + i, (size_t)(n - i) * sizeof(REAL));
        NAME(store)(rest, NAME(activate)(activation, NAME(load)(rest)));
        memcpy(x + i, rest, (size_t)(n - i) * sizeof(REAL));
    }
}
