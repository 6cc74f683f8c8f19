/* Values between pixels, for deformable convolution and its gradients.
 *
 * A point is where one tap of one output looks. `locate` turns the offsets of many points into the
 * addresses of the four pixels around each and their bilinear weights, a vector of points at a
 * time; all else then works on whole pixels, lanes over channels. Pixels that are not there have
 * an address too, so that nothing asks again whether a point lies in the image.
 *
 * Coordinates are computed in double for both REALs: the sum of a pixel's number and an offset
 * keeps the offset's digits. Included once per REAL, after vec_real.h.
 */
#ifndef CONVLIB_DEFORM_H
#define CONVLIB_DEFORM_H

/* Of one axis of a vector of points: the pixel at or before each, and what it and the next weigh. */
typedef struct {
    ivec_f64 first, has_first, has_next, is_unknown;
    vec_f64 first_weight, next_weight;
} axis_points;

INLINE vec_f64 points_blend(ivec_f64 mask, vec_f64 a, vec_f64 b)
{
    return (vec_f64)((mask & (ivec_f64)a) | (~mask & (ivec_f64)b));
}

/* Points far outside come nearer, and NaN gets a place outside, before they become integers. */
INLINE axis_points axis_points_of(vec_f64 x, double size)
{
    const vec_f64 zero = {0};
    const vec_f64 rounder = 6755399441055744.0 - zero; /* adding it leaves an integer in low bits */
    axis_points axis;
    axis.is_unknown = x != x;
    vec_f64 place = points_blend(x < -2.0, zero - 2.0, x);
    place = points_blend(place > size + 1.0, zero + (size + 1.0), place);
    place = points_blend(axis.is_unknown, zero - 2.0, place);
    vec_f64 shifted = place + rounder;
    vec_f64 floor = shifted - rounder;
    ivec_f64 is_above = floor > place; /* all bits set: -1 */
    axis.first = (ivec_f64)shifted - (ivec_f64)rounder + is_above;
    floor = points_blend(is_above, floor - 1.0, floor);
    axis.has_first = (floor >= 0.0) & (floor < size);
    axis.has_next = (floor >= -1.0) & (floor < size - 1.0);
    axis.next_weight = points_blend(axis.is_unknown, x, place - floor);
    axis.first_weight = 1.0 - axis.next_weight;
    return axis;
}

#endif

typedef REAL NAME(few) __attribute__((vector_size(VEC_BYTES / 8 * sizeof(REAL))));

INLINE vec_f64 NAME(load_few)(const REAL *p)
{
    NAME(few) v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vec_f64);
}

INLINE void NAME(store_few)(REAL *p, vec_f64 x)
{
    NAME(few) v = __builtin_convertvector(x, NAME(few));
    memcpy(p, &v, sizeof v);
}

/* Take pairs apart. */
INLINE void NAME(load_pairs)(const REAL *p, vec_f64 *first, vec_f64 *second)
{
    REAL parts[2 * LANES_F64];
    IVEC even, odd;
    UNROLL
    for (int i = 0; i < LANES; i++) {
        even[i] = sizeof(REAL) == 4 ? 2 * i % LANES + 2 * i / LANES : 2 * i;
        odd[i] = 2 * i + 1;
    }
    VEC a = NAME(load)(p);
    if (sizeof(REAL) == 4) { /* one vector holds them all */
        NAME(store)(parts, NAME(shuffle)(a, a, even));
    } else {
        VEC b = NAME(load)(p + 2 * LANES_F64 - LANES);
        NAME(store)(parts, NAME(shuffle)(a, b, even));
        NAME(store)(parts + 2 * LANES_F64 - LANES, NAME(shuffle)(a, b, odd));
    }
    *first = NAME(load_few)(parts);
    *second = NAME(load_few)(parts + LANES_F64);
}

INLINE void NAME(locate_vector)(const sampled_image *image, vec_f64 y, vec_f64 x, vec_f64 mask,
                                ptrdiff_t step, int64_t *corners, REAL *weights, REAL *fractions)
{
    const axis_points down = axis_points_of(y, image->height);
    const axis_points across = axis_points_of(x, image->width);
    const ivec_f64 is_unknown = down.is_unknown | across.is_unknown;
    const ivec_f64 first = down.first * image->row_step + across.first * image->pixel_step
                           + image->pixels;
    UNROLL
    for (int k = 0; k < 4; k++) { /* the pixel, the next in its row, and the two below them */
        ivec_f64 has = (k / 2 ? down.has_next : down.has_first)
                       & (k % 2 ? across.has_next : across.has_first);
        vec_f64 weight = (k / 2 ? down.next_weight : down.first_weight)
                         * (k % 2 ? across.next_weight : across.first_weight);
        weight = points_blend(has, weight, (vec_f64){0});
        if (!image->keeps_weightless)
            has &= weight != 0.0;
        ivec_f64 address = first + (k / 2 * image->row_step + k % 2 * image->pixel_step);
        address = (has & address) | (~has & (image->outside - (ivec_f64){0}));
        memcpy(corners + k * step, &address, sizeof address);
        weight = points_blend(is_unknown, y + x, weight);
        NAME(store_few)(weights + k * step, weight * mask);
    }
    if (fractions) {
        NAME(store_few)(fractions, down.next_weight);
        NAME(store_few)(fractions + step, across.next_weight);
    }
}

static void NAME(locate)(const sampled_image *image, ptrdiff_t n, double y, double x,
                         const double *ys, const double *xs, const REAL *offsets,
                         const REAL *mask, ptrdiff_t step, int64_t *corners, REAL *weights,
                         REAL *fractions)
{
    for (ptrdiff_t i = 0; i < n; i += LANES_F64) {
        REAL rest[2 * LANES_F64] = {0}, rest_of_mask[LANES_F64] = {0};
        const REAL *some = offsets + 2 * i, *some_mask = mask ? mask + i : NULL;
        if (n - i < LANES_F64) {
            memcpy(rest, some, (size_t)(n - i) * 2 * sizeof(REAL));
            some = rest;
            if (mask) {
                memcpy(rest_of_mask, some_mask, (size_t)(n - i) * sizeof(REAL));
                some_mask = rest_of_mask;
            }
        }
        vec_f64 dy, dx, tap_y, tap_x, factor = 1.0 - (vec_f64){0};
        NAME(load_pairs)(some, &dy, &dx);
        if (mask)
            factor = NAME(load_few)(some_mask);
        memcpy(&tap_y, ys + i, sizeof tap_y);
        memcpy(&tap_x, xs + i, sizeof tap_x);
        NAME(locate_vector)(image, (y + tap_y) + dy, (x + tap_x) + dx, factor, step, corners + i,
                            weights + i, fractions ? fractions + i : NULL);
    }
}

/* What is left of the channels behind whole vectors goes through short ones, then one by one. The
 * number of channels alone decides which. */
typedef REAL NAME(quarter) __attribute__((vector_size(16)));
#define QUARTER (16 / (ptrdiff_t)sizeof(REAL))

INLINE NAME(quarter) NAME(load_quarter)(const REAL *p)
{
    NAME(quarter) v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void NAME(sample)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                         const REAL *weights, ptrdiff_t step, ptrdiff_t offset, REAL *out,
                         ptrdiff_t out_step)
{
    for (ptrdiff_t i = 0; i < n; i++, out += out_step) {
        const REAL *pixel[4];
        REAL weight[4];
        VEC wide[4];
        UNROLL
        for (int k = 0; k < 4; k++) {
            pixel[k] = (const REAL *)(intptr_t)corners[k * step + i] + offset;
            weight[k] = weights[k * step + i];
            wide[k] = NAME(splat)(weight[k]);
        }
        ptrdiff_t c = 0;
        for (; c + LANES <= channels; c += LANES) {
            VEC sum = wide[0] * NAME(load)(pixel[0] + c);
            UNROLL
            for (int k = 1; k < 4; k++)
                sum += wide[k] * NAME(load)(pixel[k] + c);
            NAME(store)(out + c, sum);
        }
        for (; c + QUARTER <= channels; c += QUARTER) {
            NAME(quarter) sum = weight[0] * NAME(load_quarter)(pixel[0] + c);
            UNROLL
            for (int k = 1; k < 4; k++)
                sum += weight[k] * NAME(load_quarter)(pixel[k] + c);
            memcpy(out + c, &sum, sizeof sum);
        }
        for (; c < channels; c++) {
            REAL sum = weight[0] * pixel[0][c];
            UNROLL
            for (int k = 1; k < 4; k++)
                sum += weight[k] * pixel[k][c];
            out[c] = sum;
        }
    }
}

INLINE REAL NAME(sum_of_lanes)(VEC x)
{
    NAME(quarter) parts[VEC_BYTES / 16];
    memcpy(parts, &x, sizeof x);
    UNROLL
    for (int half = VEC_BYTES / 32; half; half /= 2) {
        UNROLL
        for (int j = 0; j < half; j++)
            parts[j] += parts[j + half];
    }
    REAL sum = parts[0][0] + parts[0][1];
    return QUARTER == 4 ? sum + (parts[0][QUARTER - 2] + parts[0][QUARTER - 1]) : sum;
}

static void NAME(corner_products)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                                  ptrdiff_t step, ptrdiff_t offset, const REAL *values,
                                  ptrdiff_t values_step, REAL *sums)
{
    for (ptrdiff_t i = 0; i < n; i++, values += values_step, sums += 4) {
        const REAL *pixel[4];
        VEC wide[4];
        REAL sum[4];
        UNROLL
        for (int k = 0; k < 4; k++) {
            pixel[k] = (const REAL *)(intptr_t)corners[k * step + i] + offset;
            wide[k] = (VEC){0};
            sum[k] = 0;
        }
        ptrdiff_t c = 0;
        for (; c + LANES <= channels; c += LANES) {
            VEC value = NAME(load)(values + c);
            UNROLL
            for (int k = 0; k < 4; k++)
                wide[k] += value * NAME(load)(pixel[k] + c);
        }
        for (; c < channels; c++) {
            UNROLL
            for (int k = 0; k < 4; k++)
                sum[k] += values[c] * pixel[k][c];
        }
        if (channels >= LANES) {
            UNROLL
            for (int k = 0; k < 4; k++)
                sum[k] += NAME(sum_of_lanes)(wide[k]);
        }
        memcpy(sums, sum, sizeof sum);
    }
}

static void NAME(scatter)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                          const REAL *weights, ptrdiff_t step, ptrdiff_t offset,
                          const REAL *values, ptrdiff_t values_step)
{
    for (ptrdiff_t i = 0; i < n; i++, values += values_step) {
        REAL *pixel[4];
        REAL weight[4];
        UNROLL
        for (int k = 0; k < 4; k++) {
            pixel[k] = (REAL *)(intptr_t)corners[k * step + i] + offset;
            weight[k] = weights[k * step + i];
        }
        ptrdiff_t c = 0;
        for (; c + LANES <= channels; c += LANES) {
            VEC value = NAME(load)(values + c);
            UNROLL
            for (int k = 0; k < 4; k++)
                NAME(store)(pixel[k] + c, NAME(load)(pixel[k] + c) + weight[k] * value);
        }
        for (; c < channels; c++) {
            UNROLL
            for (int k = 0; k < 4; k++)
                pixel[k][c] += weight[k] * values[c];
        }
    }
}

#undef QUARTER
