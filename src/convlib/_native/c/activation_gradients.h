/* Gradients through activations. Included once per REAL, after activations.h. */

/* The gradient at inputs from the gradient g at outputs. x are inputs, or outputs where these tell
 * the slope: of abs and square they do not. Blends, not products with 0 or 1, keep infinities of g
 * away from where the slope is zero. */
INLINE VEC NAME(activation_gradient)(int activation, int from_inputs, VEC g, VEC x)
{
    const VEC zero = {0};
    switch (activation) {
    case ACTIVATION_RELU:
        return NAME(blend)(x <= zero, zero, g);
    case ACTIVATION_RELU6:
        return NAME(blend)((x <= zero) | (x >= 6), zero, g);
    case ACTIVATION_LEAKY_RELU:
        return NAME(blend)(x > zero, g, g * (REAL)0.01);
    case ACTIVATION_ABS:
        return NAME(blend)(x == zero, zero, NAME(blend)(x < zero, -g, g));
    case ACTIVATION_SQUARE:
        return 2 * x * g;
    case ACTIVATION_SIGMOID:
        x = from_inputs ? NAME(sigmoid)(x) : x;
        return x * (1 - x) * g;
    case ACTIVATION_TANH:
        x = from_inputs ? NAME(tanh)(x) : x;
        return (1 - x) * (1 + x) * g;
    default:
        return g;
    }
}

/* The last values go through a whole vector too, as in activate_values. */
static void NAME(activation_gradients)(int activation, int from_inputs, ptrdiff_t n, const REAL *g,
                                       const REAL *x, REAL *out)
{
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        NAME(store)(out + i, NAME(activation_gradient)(activation, from_inputs, NAME(load)(g + i),
                                                       NAME(load)(x + i)));
    if (i < n) {
        REAL rest[2][VEC_BYTES / sizeof(REAL)] = {{0}};
        const size_t size = (size_t)(n - i) * sizeof(REAL);
        memcpy(rest[0], g + i, size);
        memcpy(rest[1], x + i, size);
        NAME(store)(rest[0], NAME(activation_gradient)(activation, from_inputs,
                                                       NAME(load)(rest[0]), NAME(load)(rest[1])));
        memcpy(out + i, rest[0], size);
    }
}
