/* The stencil whose reduction is a fused multiply-add: sums over taps of weight and neighbour, one
 * lane for each output channel.
 *
 * Neighbours are found by their addresses: each row of taps has a list of pixels, and the tap k of
 * the output i is the pixel i * stride + k of the list. Borders, dilation and memory layout are
 * thus the business of whoever writes the lists.
 *
 * Channels come in groups of neighbours, and an output sees all inputs of its group: the vector of
 * pixels is permuted inside the groups, once for each of their members, so that every lane is of
 * use. Groups of one channel are the depthwise case.
 *
 * Sums run over rows, then members, then taps, in order, whatever the tile: an output has the same
 * bits in every tile. Included once per REAL, after activations.h.
 */

#ifndef CONVLIB_STENCIL_FMA_H
#define CONVLIB_STENCIL_FMA_H

/* Large tiles need the registers of AVX-512; the other tiers have two that overlap. */
#if VEC_BYTES == 64
#define LARGE_TILES 1
#else
#define LARGE_TILES 0
#endif

/* Most taps of a row whose weights stay in registers. */
#define MOST_TAPS 7

/* The lane whose value a lane sees as the member `q` of its group. */
#define MEMBER(group, q, lane) (((lane) / (group) * (group) + (q)) & (LANES_HERE - 1))

#define LIST_2(group, q, lane) MEMBER(group, q, lane), MEMBER(group, q, lane + 1)
#define LIST_4(group, q, lane) LIST_2(group, q, lane), LIST_2(group, q, lane + 2)
#define LIST_8(group, q, lane) LIST_4(group, q, lane), LIST_4(group, q, lane + 4)
#define LIST_16(group, q, lane) LIST_8(group, q, lane), LIST_8(group, q, lane + 8)

#if defined(__clang__)
#define PERMUTED(x, ...) __builtin_shufflevector(x, x, __VA_ARGS__)
#else
#define PERMUTED(x, ...) __builtin_shuffle(x, (IVEC){__VA_ARGS__})
#endif

#endif

/* Constant permutations need the number of lanes as a literal. */
#undef LANES_HERE
#undef LIST
#if VEC_BYTES == 64 && REAL_BYTES == 4
#define LANES_HERE 16
#define LIST(group, q) LIST_16(group, q, 0)
#elif VEC_BYTES / REAL_BYTES == 8
#define LANES_HERE 8
#define LIST(group, q) LIST_8(group, q, 0)
#elif VEC_BYTES / REAL_BYTES == 4
#define LANES_HERE 4
#define LIST(group, q) LIST_4(group, q, 0)
#else
#define LANES_HERE 2
#define LIST(group, q) LIST_2(group, q, 0)
#endif

#define CASE(group, q)                                                                            \
    case 8 * group + q:                                                                           \
        return PERMUTED(NAME(load)(pixel + channel), LIST(group, q));

/* The member `q` of the group of each of some neighbouring channels. */
INLINE VEC NAME(member)(const int group, const int q, const REAL *pixel, ptrdiff_t channel)
{
    if (group >= LANES_HERE && group > 1) /* the vector lies inside one group */
        return NAME(splat)(pixel[channel / group * group + q]);
    switch (8 * group + q) {
        CASE(2, 0)
        CASE(2, 1)
        CASE(4, 0)
        CASE(4, 1)
        CASE(4, 2)
        CASE(4, 3)
        CASE(8, 0)
        CASE(8, 1)
        CASE(8, 2)
        CASE(8, 3)
        CASE(8, 4)
        CASE(8, 5)
        CASE(8, 6)
        CASE(8, 7)
    default:
        return NAME(load)(pixel + channel);
    }
}

#undef CASE

/* Adds a few taps of one row. Pixels are read once each, weights stay in registers. */
INLINE void NAME(add_taps)(const int group, const int q, const int n_taps, const int stride,
                           const int n_pixels, const REAL *const *pixels, ptrdiff_t channel,
                           const REAL *weights, VEC *sum)
{
    VEC weight[MOST_TAPS];
    UNROLL
    for (int k = 0; k < n_taps; k++)
        weight[k] = NAME(load)(weights + k * LANES);
    UNROLL
    for (int column = 0; column < (n_pixels - 1) * stride + n_taps; column++) {
        VEC x = NAME(member)(group, q, pixels[column], channel);
        UNROLL
        for (int k = 0; k < n_taps; k++) {
            const int i = column - k;
            if (i >= 0 && i % stride == 0 && i / stride < n_pixels)
                sum[i / stride] += x * weight[k];
        }
    }
}

static __attribute__((noinline)) void NAME(activate_tile)(int activation, int n, VEC *x)
{
    for (int i = 0; i < n; i++)
        x[i] = NAME(activate)(activation, x[i]);
}

/* One vector of channels of a tile. `taps` and `stride` are constants, zero if any will do. */
INLINE void NAME(fma_tile)(const int group, const int taps, const int stride, const int n_pixels,
                           const stencil *form, const REAL ***rows, ptrdiff_t column,
                           ptrdiff_t channel, const REAL *weights, ptrdiff_t n_wanted, REAL *out,
                           ptrdiff_t out_step)
{
    VEC sum[STENCIL_LARGE];
    UNROLL
    for (int i = 0; i < n_pixels; i++)
        sum[i] = NAME(load)(weights);
    weights += LANES;
    for (ptrdiff_t row = 0; row < form->n_rows; row++) {
        const REAL *const *pixels = rows[row] + column * form->stride;
        UNROLL
        for (int q = 0; q < group; q++) {
            if (taps) {
                NAME(add_taps)(group, q, taps, stride, n_pixels, pixels, channel, weights, sum);
                weights += taps * LANES;
            } else {
                for (ptrdiff_t k = 0; k < form->n_taps; k++) {
                    VEC weight = NAME(load)(weights);
                    weights += LANES;
                    UNROLL
                    for (int i = 0; i < n_pixels; i++)
                        sum[i] += weight * NAME(member)(group, q, pixels[i * form->stride + k],
                                                        channel);
                }
            }
            if (group > 1) /* or gcc keeps the pixels of all members, in more registers than are */
                __asm__ volatile("" ::: "memory");
        }
    }
    if (form->activation > ACTIVATION_RELU) { /* rarer and longer: by way of memory */
        VEC x[STENCIL_LARGE];
        UNROLL
        for (int i = 0; i < n_pixels; i++)
            x[i] = sum[i];
        NAME(activate_tile)(form->activation, n_pixels, x);
        UNROLL
        for (int i = 0; i < n_pixels; i++)
            sum[i] = x[i];
    }
    UNROLL
    for (int i = 0; i < n_pixels; i++)
        if (i < n_wanted)
            NAME(store)(out + i * out_step,
                        form->activation == ACTIVATION_RELU ? NAME(relu)(sum[i]) : sum[i]);
}

/* All channels of a tile; the last vector overlaps the one before. */
INLINE void NAME(fma_channels)(const int group, const int taps, const int stride,
                               const int n_pixels, const stencil *form,
                               const REAL ***rows, ptrdiff_t column,
                               const REAL *weights, ptrdiff_t n_wanted, REAL *out,
                               ptrdiff_t out_step)
{
    const ptrdiff_t step = (1 + form->n_rows * group * form->n_taps) * LANES;
    for (ptrdiff_t c = 0; c < form->n_channels; c += LANES) {
        const ptrdiff_t channel = c + LANES <= form->n_channels ? c : form->n_channels - LANES;
        NAME(fma_tile)(group, taps, stride, n_pixels, form, rows, column, channel, weights,
                       n_wanted, out + channel, out_step);
        weights += step;
    }
}

/* The tiles that are compiled: kernel widths and strides of the layers that are common, and for
 * each group one that takes any. */
#define TILE(group, taps, stride, n_pixels)                                                       \
    static void NAME(fma_##group##_##taps##_##stride##_##n_pixels)(                               \
        const stencil *form, const REAL ***rows, ptrdiff_t column,                    \
        const REAL *weights, ptrdiff_t n_wanted, REAL *out, ptrdiff_t out_step)                   \
    {                                                                                             \
        NAME(fma_channels)(group, taps, stride, n_pixels, form, rows, column, weights, n_wanted,  \
                           out, out_step);                                                        \
    }
#define ENTRY(group, taps, stride, n_pixels) NAME(fma_##group##_##taps##_##stride##_##n_pixels)
#define TILES(group, taps, stride) TILE(group, taps, stride, 4) TILE(group, taps, stride, 8)
#if LARGE_TILES
#define MORE_TILES(group, taps, stride) TILE(group, taps, stride, 14)
#define LARGE(group, taps, stride) ENTRY(group, taps, stride, 14)
#else
#define MORE_TILES(group, taps, stride)
#define LARGE(group, taps, stride) NULL
#endif

#define EACH(group, taps, stride) TILES(group, taps, stride) MORE_TILES(group, taps, stride)
#define EACH_SMALL TILES
#define LIST_OF_TILES                                                                             \
    EACH(1, 1, 1) EACH(1, 3, 1) EACH_SMALL(1, 3, 2) EACH(1, 5, 1) EACH_SMALL(1, 5, 2)             \
    EACH(1, 7, 1) EACH_SMALL(1, 7, 2) EACH(1, 0, 0) EACH(2, 3, 1) EACH_SMALL(2, 3, 2)             \
    EACH(2, 0, 0) EACH(4, 3, 1) EACH_SMALL(4, 3, 2) EACH(4, 0, 0) EACH(8, 3, 1)                   \
    EACH_SMALL(8, 3, 2) EACH(8, 0, 0)

LIST_OF_TILES

#undef EACH
#undef EACH_SMALL
#define EACH(group, taps, stride)                                                                 \
    {group, taps, stride, ENTRY(group, taps, stride, 4), ENTRY(group, taps, stride, 8),           \
     LARGE(group, taps, stride)},
#define EACH_SMALL(group, taps, stride)                                                           \
    {group, taps, stride, ENTRY(group, taps, stride, 4), ENTRY(group, taps, stride, 8), NULL},

typedef void (*NAME(fma_function))(const stencil *, const REAL ***, ptrdiff_t,
                                   const REAL *, ptrdiff_t, REAL *, ptrdiff_t);

static void NAME(stencil_fma)(const stencil *form, ptrdiff_t n_pixels,
                              const REAL ***rows, ptrdiff_t column,
                              const REAL *weights, REAL *out, ptrdiff_t out_step)
{
    static const struct {
        ptrdiff_t group, taps, stride;
        NAME(fma_function) small, middle, large;
    } tiles[] = {LIST_OF_TILES};
    int i = 0;
    while (tiles[i].group != form->group ||
           (tiles[i].taps && (tiles[i].taps != form->n_taps || tiles[i].stride != form->stride)))
        i++;
    if (n_pixels <= STENCIL_SMALL) {
        tiles[i].small(form, rows, column, weights, n_pixels, out, out_step);
    } else if (n_pixels <= STENCIL_MIDDLE) {
        tiles[i].middle(form, rows, column, weights, n_pixels, out, out_step);
    } else if (tiles[i].large) {
        tiles[i].large(form, rows, column, weights, n_pixels, out, out_step);
    } else {
        const ptrdiff_t second = STENCIL_LARGE - STENCIL_MIDDLE;
        tiles[i].middle(form, rows, column, weights, STENCIL_MIDDLE, out, out_step);
        tiles[i].middle(form, rows, column + second, weights, n_pixels - second,
                        out + second * out_step, out_step);
    }
}

#undef EACH
#undef EACH_SMALL
#undef LIST_OF_TILES
#undef LARGE
#undef MORE_TILES
#undef TILES
#undef ENTRY
#undef TILE

INLINE void NAME(repeat_groups)(const int group, ptrdiff_t n, ptrdiff_t times, const REAL *x,
                                REAL *out)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t k = 0; k < times; k++)
            memcpy(out + (i * times + k) * group, x + i * group, (size_t)group * sizeof(REAL));
}

static void NAME(repeat)(ptrdiff_t group, ptrdiff_t n, ptrdiff_t times, const REAL *x, REAL *out)
{
    switch (group) {
    case 2:
        NAME(repeat_groups)(2, n, times, x, out);
        return;
    case 4:
        NAME(repeat_groups)(4, n, times, x, out);
        return;
    case 8:
        NAME(repeat_groups)(8, n, times, x, out);
        return;
    default: /* whole vectors, of which the next value overwrites what is too much */
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t k = 0; k < times; k += LANES)
                NAME(store)(out + i * times + k, NAME(splat)(x[i]));
    }
}
