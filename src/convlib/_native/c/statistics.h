/* Statistics of a stream of rows, one per lane, that can be interrupted after any row.
 *
 * All is kept in double precision, row after row; a caller passes no more rows than stay in
 * cache. Lanes know nothing of each other; they come in whole groups of STATISTIC_LANES, for which
 * a compiler needs no rest loop with an arithmetic of its own. Included once per REAL.
 */

#define EACH_ROW for (ptrdiff_t row = 0; row < n_rows; row++, x += step)
#define EACH_LANE                                                                                 \
    for (ptrdiff_t group = 0; group < n_lanes; group += STATISTIC_LANES)                          \
        for (ptrdiff_t j = group; j < group + STATISTIC_LANES; j++)

/* Welford: the mean, and the sum of squares about it. */
static void NAME(accumulate_moments)(ptrdiff_t n_rows, ptrdiff_t step, ptrdiff_t n_lanes,
                                     const REAL *restrict x, double count, double *restrict mean,
                                     double *restrict squares)
{
    EACH_ROW
    {
        const double share = 1 / (count + (double)(row + 1));
        EACH_LANE
        {
            const double distance = x[j] - mean[j];
            mean[j] += distance * share;
            squares[j] += distance * (x[j] - mean[j]);
        }
    }
}

INLINE vec_f64 NAME(load_as_double)(const REAL *p)
{
    typedef REAL narrow __attribute__((vector_size(VEC_BYTES / sizeof(double) * sizeof(REAL))));
    narrow v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vec_f64);
}

/* Vectors of doubles for the values of a vector of REAL, and for four of them. */
#define WIDE ((int)(sizeof(double) / sizeof(REAL)))

INLINE void NAME(add_wide)(const VEC *values, vec_f64 *total)
{
    typedef REAL narrow __attribute__((vector_size(VEC_BYTES / sizeof(double) * sizeof(REAL))));
    UNROLL
    for (int j = 0; j < 4; j++) {
        const union {
            VEC whole;
            narrow parts[WIDE];
        } value = {values[j]};
        UNROLL
        for (int k = 0; k < WIDE; k++)
            total[j * WIDE + k] += __builtin_convertvector(value.parts[k], vec_f64);
    }
}

/* Eight rows are summed as REAL, these sums in double precision: conversions take longer than all
 * else. Row `count` continues the eight that began in an earlier call, whose sum is `pending`. */
enum { NAME(summed_rows) = 8 };

INLINE void NAME(accumulate_sums)(ptrdiff_t n_rows, ptrdiff_t step, ptrdiff_t n_lanes,
                                  const REAL *x, ptrdiff_t count, double *sums, double *pending)
{
    for (ptrdiff_t lane = 0; lane < n_lanes; lane += 4 * LANES) {
        vec_f64 total[4 * WIDE];
        VEC part[4];
        REAL lanes[4 * VEC_BYTES / sizeof(REAL)];
        ptrdiff_t row = 0;
        memcpy(total, sums + lane, sizeof total);
        while (row < n_rows) {
            const ptrdiff_t place = (count + row) % NAME(summed_rows);
            const REAL *here = x + row * step + lane;
            if (place == 0 && row + NAME(summed_rows) <= n_rows) {
                UNROLL
                for (int j = 0; j < 4; j++)
                    part[j] = NAME(load)(here + j * LANES);
                UNROLL
                for (int i = 1; i < NAME(summed_rows); i++) {
                    UNROLL
                    for (int j = 0; j < 4; j++)
                        part[j] += NAME(load)(here + i * step + j * LANES);
                }
                NAME(add_wide)(part, total);
                row += NAME(summed_rows);
                continue;
            }
            for (int j = 0; j < 4 * LANES; j++)
                lanes[j] = place == 0 ? here[j] : (REAL)pending[lane + j] + here[j];
            if (place == NAME(summed_rows) - 1) {
                UNROLL
                for (int j = 0; j < 4; j++)
                    part[j] = NAME(load)(lanes + j * LANES);
                NAME(add_wide)(part, total);
            }
            for (int j = 0; j < 4 * LANES; j++)
                pending[lane + j] = place == NAME(summed_rows) - 1 ? 0 : lanes[j];
            row++;
        }
        memcpy(sums + lane, total, sizeof total);
    }
}

/* How often values are positive; less than 2^24 rows. */
INLINE void NAME(accumulate_positives)(ptrdiff_t n_rows, ptrdiff_t step, ptrdiff_t n_lanes,
                                       const REAL *x, double *counts)
{
    const VEC one = NAME(splat)(1);
    for (ptrdiff_t lane = 0; lane < n_lanes; lane += 4 * LANES) {
        vec_f64 total[4 * WIDE];
        VEC part[4] = {{0}, {0}, {0}, {0}};
        memcpy(total, counts + lane, sizeof total);
        for (ptrdiff_t row = 0; row < n_rows; row++) {
            UNROLL
            for (int j = 0; j < 4; j++) {
                VEC value = NAME(load)(x + row * step + lane + j * LANES);
                part[j] += (VEC)((value > 0) & (IVEC)one);
            }
        }
        NAME(add_wide)(part, total);
        memcpy(counts + lane, total, sizeof total);
    }
}

/* Compilers turn the loop into one maximum or minimum, which is `a` where one of the two is NaN. */
INLINE VEC NAME(further)(const int sign, VEC a, VEC b)
{
    VEC extreme;
    if (sign > 0)
        for (int i = 0; i < LANES; i++)
            extreme[i] = b[i] > a[i] ? b[i] : a[i];
    else
        for (int i = 0; i < LANES; i++)
            extreme[i] = b[i] < a[i] ? b[i] : a[i];
    return extreme;
}

/* The extremes of some rows need no double precision; NaN comes before everything. */
INLINE void NAME(accumulate_extremes)(const int sign, ptrdiff_t n_rows, ptrdiff_t step,
                                      ptrdiff_t n_lanes, const REAL *x, double *extremes)
{
    for (ptrdiff_t lane = 0; lane < n_lanes; lane += 4 * LANES) {
        VEC extreme[4];
        IVEC is_nan[4];
        UNROLL
        for (int j = 0; j < 4; j++) {
            extreme[j] = NAME(load)(x + lane + j * LANES);
            is_nan[j] = extreme[j] != extreme[j];
        }
        for (ptrdiff_t row = 1; row < n_rows; row++) {
            UNROLL
            for (int j = 0; j < 4; j++) {
                VEC value = NAME(load)(x + row * step + lane + j * LANES);
                is_nan[j] |= value != value;
                extreme[j] = NAME(further)(sign, extreme[j], value);
            }
        }
        UNROLL
        for (int j = 0; j < 4; j++)
            extreme[j] = NAME(blend)(is_nan[j], NAME(splat)((REAL)__builtin_nan("")), extreme[j]);
        REAL values[4 * VEC_BYTES / sizeof(REAL)];
        UNROLL
        for (int j = 0; j < 4; j++)
            NAME(store)(values + j * LANES, extreme[j]);
        UNROLL
        for (int j = 0; j < 4 * WIDE; j++) {
            double *here = extremes + lane + j * LANES_F64;
            vec_f64 value = NAME(load_as_double)(values + j * LANES_F64), before;
            memcpy(&before, here, sizeof before);
            ivec_f64 wins = (sign > 0 ? value > before : value < before) | (value != value);
            before = (vec_f64)((wins & (ivec_f64)value) | (~wins & (ivec_f64)before));
            memcpy(here, &before, sizeof before);
        }
    }
}

static void NAME(accumulate)(int statistic, ptrdiff_t n_rows, ptrdiff_t step, ptrdiff_t n_lanes,
                             const REAL *restrict x, double count, double *restrict first,
                             double *restrict second)
{
    switch (statistic) {
    case STATISTIC_MAX:
        NAME(accumulate_extremes)(1, n_rows, step, n_lanes, x, first);
        break;
    case STATISTIC_MIN:
        NAME(accumulate_extremes)(-1, n_rows, step, n_lanes, x, first);
        break;
    case STATISTIC_SUM:
        NAME(accumulate_sums)(n_rows, step, n_lanes, x, (ptrdiff_t)count, first, second);
        break;
    case STATISTIC_POSITIVE:
        NAME(accumulate_positives)(n_rows, step, n_lanes, x, first);
        break;
    case STATISTIC_MOMENTS:
        NAME(accumulate_moments)(n_rows, step, n_lanes, x, count, first, second);
    }
}

#undef WIDE
#undef EACH_LANE
#undef EACH_ROW
