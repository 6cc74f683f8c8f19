/* Statistics of dilated convolutions of a series, which are never stored.
 *
 * Lanes are neighbouring points of time, so that the values under a tap are one load and a weight
 * is one number for all of them; statistics are kept lane by lane and brought together at the end.
 * Points beyond the last one are computed like others and left out of the statistics.
 * Included once per REAL, after vec_real.h.
 */

typedef __typeof__(((IVEC){0})[0]) NAME(count);

/* Which of the lanes of a vector are among the `left` points that are still to come. */
INLINE IVEC NAME(lanes_left)(ptrdiff_t left)
{
    VEC number;
    UNROLL
    for (int i = 0; i < LANES; i++)
        number[i] = (REAL)i;
    return number < NAME(splat)((REAL)(left < LANES ? left : LANES));
}

/* Lanes brought together by halves, in memory: neighbouring values become vectors again. */
#define FOLD(lanes, i, folded)                                                                    \
    UNROLL                                                                                        \
    for (int half = (int)LANES / 2; half > 0; half /= 2) {                                        \
        UNROLL                                                                                    \
        for (int i = 0; i < half; i++)                                                            \
            lanes[i] = folded;                                                                    \
    }

INLINE int64_t NAME(total_of)(IVEC counts)
{
    NAME(count) lanes[VEC_BYTES / sizeof(REAL)];
    memcpy(lanes, &counts, sizeof counts);
    FOLD(lanes, i, lanes[i] + lanes[i + half])
    return lanes[0];
}

INLINE REAL NAME(largest_of)(VEC values)
{
    REAL lanes[VEC_BYTES / sizeof(REAL)];
    NAME(store)(lanes, values);
    FOLD(lanes, i, lanes[i + half] > lanes[i] ? lanes[i + half] : lanes[i])
    return lanes[0];
}
#undef FOLD

/* Vectors that are compared and counted. Comparisons of longer ones give masks of bits, which take
 * as long as the comparison to become numbers again. */
#define COUNTED_BYTES (VEC_BYTES < 32 ? VEC_BYTES : 32)
#define COUNTED ((ptrdiff_t)(COUNTED_BYTES / sizeof(REAL)))
typedef REAL NAME(counted) __attribute__((vector_size(COUNTED_BYTES)));
typedef NAME(count) NAME(counts) __attribute__((vector_size(COUNTED_BYTES)));

INLINE NAME(counted) NAME(load_counted)(const REAL *p)
{
    NAME(counted) v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Convolutions with a few kernels of the same taps: their maxima, and how many are positive. */
INLINE void NAME(convolution_tile)(const int n_kernels, const int n_vectors, const int is_last,
                                   ptrdiff_t n_taps, const ptrdiff_t *offsets, const REAL *panel,
                                   ptrdiff_t left, const REAL *x, VEC *highest, IVEC *counts)
{
    VEC sum[4][8];
    UNROLL
    for (int k = 0; k < n_kernels; k++) {
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            sum[k][j] = NAME(splat)(panel[k]);
    }
    panel += n_kernels;
    for (ptrdiff_t tap = 0; tap < n_taps; tap++) {
        VEC value[8];
        UNROLL
        for (int j = 0; j < n_vectors; j++)
            value[j] = NAME(load)(x + offsets[tap] + j * LANES);
        UNROLL
        for (int k = 0; k < n_kernels; k++) {
            const VEC weight = NAME(splat)(panel[tap * n_kernels + k]);
            UNROLL
            for (int j = 0; j < n_vectors; j++)
                sum[k][j] += value[j] * weight;
        }
    }
    UNROLL
    for (int k = 0; k < n_kernels; k++) {
        UNROLL
        for (int j = 0; j < n_vectors; j++) {
            if (is_last)
                sum[k][j] = NAME(blend)(NAME(lanes_left)(left), sum[k][j],
                                        NAME(splat)(-(REAL)__builtin_inf()));
            highest[k] = NAME(larger)(highest[k], sum[k][j]);
            counts[k] -= sum[k][j] > 0;
        }
    }
}

/* A function of its own for each number of kernels, so that its sums stay in registers. */
typedef void NAME(convolution_line)(ptrdiff_t n_taps, const ptrdiff_t *offsets, const REAL *panel,
                                    ptrdiff_t n, const REAL *x, REAL *maxima, int64_t *n_positive);

#define LINE(name, n_kernels, n_vectors)                                                          \
    NOINLINE static void NAME(name)(ptrdiff_t n_taps, const ptrdiff_t *offsets,                   \
                                    const REAL *panel, ptrdiff_t n, const REAL *x, REAL *maxima,  \
                                    int64_t *n_positive)                                          \
    {                                                                                             \
        VEC highest[n_kernels];                                                                   \
        IVEC counts[n_kernels];                                                                   \
        UNROLL                                                                                    \
        for (int k = 0; k < n_kernels; k++) {                                                     \
            highest[k] = NAME(splat)(-(REAL)__builtin_inf());                                     \
            counts[k] = (IVEC){0};                                                                \
        }                                                                                         \
        ptrdiff_t i = 0;                                                                          \
        for (; i + n_vectors * LANES <= n; i += n_vectors * LANES)                                \
            NAME(convolution_tile)(n_kernels, n_vectors, 0, n_taps, offsets, panel, 0, x + i,     \
                                   highest, counts);                                              \
        for (; i < n; i += LANES)                                                                 \
            NAME(convolution_tile)(n_kernels, 1, 1, n_taps, offsets, panel, n - i, x + i,         \
                                   highest, counts);                                              \
        for (int k = 0; k < n_kernels; k++) {                                                     \
            maxima[k] = NAME(largest_of)(highest[k]);                                             \
            n_positive[k] = NAME(total_of)(counts[k]);                                             \
        }                                                                                         \
    }

#if VEC_BYTES == 64
LINE(convolution_1, 1, 8)
LINE(convolution_2, 2, 8)
LINE(convolution_3, 3, 4)
LINE(convolution_4, 4, 4)
#else
LINE(convolution_1, 1, 4)
LINE(convolution_2, 2, 4)
LINE(convolution_3, 3, 3)
LINE(convolution_4, 4, 2)
#endif
#undef LINE

static void NAME(convolution_extremes)(ptrdiff_t n_kernels, ptrdiff_t n_taps,
                                       const ptrdiff_t *offsets, const REAL *panel, ptrdiff_t n,
                                       const REAL *x, REAL *maxima, int64_t *n_positive)
{
    NAME(convolution_line) *const lines[] = {
        NAME(convolution_1), NAME(convolution_2), NAME(convolution_3), NAME(convolution_4)};
    lines[n_kernels - 1](n_taps, offsets, panel, n, x, maxima, n_positive);
}

/* Sums of two rows against several thresholds: as many at once as registers hold. */
INLINE void NAME(count_few)(const int n_thresholds, ptrdiff_t n, const REAL *a, const REAL *b,
                            REAL factor, const REAL *thresholds, int64_t *counts)
{
    NAME(counts) count[6];
    UNROLL
    for (int j = 0; j < n_thresholds; j++)
        count[j] = (NAME(counts)){0};
    ptrdiff_t i = 0;
    for (; i + COUNTED <= n; i += COUNTED) {
        const NAME(counted) sum = NAME(load_counted)(a + i) + factor * NAME(load_counted)(b + i);
        UNROLL
        for (int j = 0; j < n_thresholds; j++)
            count[j] -= sum > thresholds[j];
    }
    if (i < n) {
        NAME(counted) sum = NAME(load_counted)(a + i) + factor * NAME(load_counted)(b + i);
        for (int lane = 0; lane < COUNTED; lane++)
            sum[lane] = i + lane < n ? sum[lane] : -(REAL)__builtin_inf();
        UNROLL
        for (int j = 0; j < n_thresholds; j++)
            count[j] -= sum > thresholds[j];
    }
    UNROLL
    for (int j = 0; j < n_thresholds; j++) {
        counts[j] = 0;
        UNROLL
        for (int lane = 0; lane < COUNTED; lane++)
            counts[j] += count[j][lane];
    }
}

static void NAME(count_above)(ptrdiff_t n, const REAL *a, const REAL *b, REAL factor,
                              ptrdiff_t n_thresholds, const REAL *thresholds, int64_t *counts)
{
    for (; n_thresholds >= 6; n_thresholds -= 6) {
        NAME(count_few)(6, n, a, b, factor, thresholds, counts);
        thresholds += 6;
        counts += 6;
    }
#define REST(k)                                                                                   \
    case k:                                                                                       \
        NAME(count_few)(k, n, a, b, factor, thresholds, counts);                                  \
        break;
    switch (n_thresholds) {
        REST(1)
        REST(2)
        REST(3)
        REST(4)
        REST(5)
    }
#undef REST
}

/* Each lane holds a stretch of time of its own, point after point: runs are counted within lanes,
 * and where one lane ends and the next begins they are joined. */
INLINE void NAME(pool_lanes)(ptrdiff_t n_steps, int64_t first, const REAL *x, REAL threshold,
                             positives *so_far)
{
    NAME(counted) total = {0};
    NAME(counts) count = {0}, places = {0}, run = {0}, longest = {0}, leading = {0}, step = {0};
    NAME(counts) is_leading = ~(NAME(counts)){0};
    for (ptrdiff_t i = 0; i < n_steps; i++) {
        const NAME(counted) above = NAME(load_counted)(x + i * LANES) - threshold;
        const NAME(counts) hit = above > 0;
        count -= hit;
        total += (NAME(counted))(hit & (NAME(counts))above);
        places += hit & step;
        step += 1;
        run = (run - hit) & hit;
        const NAME(counts) is_longer = run > longest;
        longest = (is_longer & run) | (~is_longer & longest);
        is_leading &= hit;
        leading -= is_leading;
    }
    for (int lane = 0; lane < COUNTED; lane++) {
        const int64_t joined = so_far->run + leading[lane];
        const int64_t stretch = joined > longest[lane] ? joined : longest[lane];
        so_far->longest = stretch > so_far->longest ? stretch : so_far->longest;
        so_far->run = leading[lane] == n_steps ? joined : run[lane];
        so_far->count += count[lane];
        so_far->places += places[lane] + count[lane] * (first + lane * n_steps);
        so_far->total += (double)total[lane];
    }
}

static void NAME(pool_positives)(ptrdiff_t n_steps, int64_t first, const REAL *x, REAL threshold,
                                 positives *so_far)
{
    for (ptrdiff_t lane = 0; lane < LANES; lane += COUNTED)
        NAME(pool_lanes)(n_steps, first + lane * n_steps, x + lane, threshold, so_far);
}

/* Four vectors of points: each kernel meets the best and the least of them once. */
enum { NAME(contest_vectors) = 4 };

static void NAME(compete)(ptrdiff_t n_kernels, ptrdiff_t n, const REAL *rows, ptrdiff_t step,
                          REAL *room, double *gains, int64_t *counts)
{
    memset(room, 0, (size_t)(2 * n_kernels) * sizeof(VEC));
    for (ptrdiff_t i = 0; i < n; i += NAME(contest_vectors) * LANES) {
        VEC most[NAME(contest_vectors)], least[NAME(contest_vectors)];
        IVEC wants_most[NAME(contest_vectors)], wants_least[NAME(contest_vectors)];
        UNROLL
        for (int j = 0; j < NAME(contest_vectors); j++) {
            most[j] = least[j] = NAME(load)(rows + i + j * LANES);
            wants_most[j] = wants_least[j] = NAME(lanes_left)(n - i - j * LANES);
        }
        for (ptrdiff_t k = 1; k < n_kernels; k++) {
            UNROLL
            for (int j = 0; j < NAME(contest_vectors); j++) {
                const VEC value = NAME(load)(rows + k * step + i + j * LANES);
                most[j] = NAME(larger)(most[j], value);
                least[j] = NAME(blend)(value < least[j], value, least[j]);
            }
        }
        for (ptrdiff_t k = 0; k < n_kernels; k++) {
            REAL *sums = room + 2 * k * LANES;
            VEC gain = NAME(load)(sums);
            IVEC count;
            memcpy(&count, sums + LANES, sizeof count);
            UNROLL
            for (int j = 0; j < NAME(contest_vectors); j++) {
                const VEC value = NAME(load)(rows + k * step + i + j * LANES);
                const IVEC wins = (value == most[j]) & wants_most[j];
                const IVEC loses = (value == least[j]) & wants_least[j];
                wants_most[j] &= ~wins;
                wants_least[j] &= ~loses;
                gain += (VEC)(wins & (IVEC)value);
                count -= loses;
            }
            NAME(store)(sums, gain);
            memcpy(sums + LANES, &count, sizeof count);
        }
    }
    for (ptrdiff_t k = 0; k < n_kernels; k++) {
        IVEC count;
        memcpy(&count, room + (2 * k + 1) * LANES, sizeof count);
        counts[k] += NAME(total_of)(count);
        for (int lane = 0; lane < LANES; lane++)
            gains[k] += (double)room[2 * k * LANES + lane];
    }
}

#undef COUNTED
#undef COUNTED_BYTES
