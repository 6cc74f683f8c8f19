/* Sums over pixels, lane by lane: the inner loop of a depthwise kernel's gradient.
 *
 * Some taps and vectors of channels have their sums in registers while the pixels of a row pass.
 * The last vector overlaps the one before, and only its new lanes are added. Included once per
 * REAL, after vec_real.h.
 */

INLINE void NAME(sum_products)(const int n_taps, const int n_vectors, ptrdiff_t n, const REAL *x,
                               ptrdiff_t x_step, ptrdiff_t tap_step, const REAL *y,
                               ptrdiff_t y_step, VEC *sums)
{
    VEC sum[10];
    UNROLL
    for (int i = 0; i < n_taps * n_vectors; i++)
        sum[i] = (VEC){0};
    for (ptrdiff_t i = 0; i < n; i++, x += x_step, y += y_step) {
        UNROLL
        for (int j = 0; j < n_vectors; j++) {
            const VEC factor = NAME(load)(y + j * LANES);
            UNROLL
            for (int k = 0; k < n_taps; k++)
                sum[k * n_vectors + j] += factor * NAME(load)(x + k * tap_step + j * LANES);
        }
    }
    UNROLL
    for (int i = 0; i < n_taps * n_vectors; i++)
        sums[i] = sum[i];
}

INLINE void NAME(add_tap_sums)(const int n_taps, ptrdiff_t n, ptrdiff_t n_lanes, const REAL *x,
                               ptrdiff_t x_step, ptrdiff_t tap_step, const REAL *y,
                               ptrdiff_t y_step, REAL *out, ptrdiff_t out_step)
{
    VEC sums[10];
    ptrdiff_t c = 0;
    for (; c + 2 * LANES <= n_lanes; c += 2 * LANES) {
        NAME(sum_products)(n_taps, 2, n, x + c, x_step, tap_step, y + c, y_step, sums);
        UNROLL
        for (int i = 0; i < 2 * n_taps; i++) {
            REAL *to = out + i / 2 * out_step + c + i % 2 * LANES;
            NAME(store)(to, NAME(load)(to) + sums[i]);
        }
    }
    while (c < n_lanes) {
        const ptrdiff_t first = c + LANES <= n_lanes ? c : n_lanes - LANES;
        NAME(sum_products)(n_taps, 1, n, x + first, x_step, tap_step, y + first, y_step, sums);
        for (int i = 0; i < n_taps; i++) {
            REAL lanes[LANES];
            memcpy(lanes, &sums[i], sizeof lanes);
            for (ptrdiff_t k = c - first; k < LANES; k++)
                out[i * out_step + first + k] += lanes[k];
        }
        c = first + LANES;
    }
}

static void NAME(lane_sums)(ptrdiff_t n_taps, ptrdiff_t n, ptrdiff_t n_lanes, const REAL *x,
                            ptrdiff_t x_step, ptrdiff_t tap_step, const REAL *y, ptrdiff_t y_step,
                            REAL *out, ptrdiff_t out_step)
{
    while (n_taps > 0) {
        ptrdiff_t some = n_taps <= 5 ? n_taps : 4;
        switch (some) {
        case 1:
            NAME(add_tap_sums)(1, n, n_lanes, x, x_step, tap_step, y, y_step, out, out_step);
            break;
        case 2:
            NAME(add_tap_sums)(2, n, n_lanes, x, x_step, tap_step, y, y_step, out, out_step);
            break;
        case 3:
            NAME(add_tap_sums)(3, n, n_lanes, x, x_step, tap_step, y, y_step, out, out_step);
            break;
        case 4:
            NAME(add_tap_sums)(4, n, n_lanes, x, x_step, tap_step, y, y_step, out, out_step);
            break;
        default:
            NAME(add_tap_sums)(5, n, n_lanes, x, x_step, tap_step, y, y_step, out, out_step);
        }
        n_taps -= some;
        x += some * tap_step;
        out += some * out_step;
    }
}
