/* Statistics of a stream of rows, one per lane, that can be interrupted after any row.
 *
 * All is computed in double precision, row after row; a caller passes no more rows than stay in
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

/* One row after the other, for lanes whose sums stay in registers meanwhile. */
INLINE void NAME(accumulate_sums)(const int counts, ptrdiff_t n_rows, ptrdiff_t step,
                                  ptrdiff_t n_lanes, const REAL *x, double *sums)
{
    const vec_f64 one = 1.0 - (vec_f64){0};
    for (ptrdiff_t lane = 0; lane < n_lanes; lane += 8 * LANES_F64) {
        vec_f64 total[8];
        UNROLL
        for (int j = 0; j < 8; j++)
            memcpy(&total[j], sums + lane + j * LANES_F64, sizeof total[j]);
        for (ptrdiff_t row = 0; row < n_rows; row++) {
            UNROLL
            for (int j = 0; j < 8; j++) {
                vec_f64 value = NAME(load_as_double)(x + row * step + lane + j * LANES_F64);
                total[j] += counts ? (vec_f64)((value > 0) & (ivec_f64)one) : value;
            }
        }
        UNROLL
        for (int j = 0; j < 8; j++)
            memcpy(sums + lane + j * LANES_F64, &total[j], sizeof total[j]);
    }
}

/* The extremes of some rows need no double precision; NaN comes before everything. */
INLINE void NAME(accumulate_extremes)(const int sign, ptrdiff_t n_rows, ptrdiff_t step,
                                      ptrdiff_t n_lanes, const REAL *x, double *extremes)
{
    for (ptrdiff_t lane = 0; lane < n_lanes; lane += 4 * LANES) {
        VEC extreme[4];
        UNROLL
        for (int j = 0; j < 4; j++)
            extreme[j] = NAME(load)(x + lane + j * LANES);
        for (ptrdiff_t row = 1; row < n_rows; row++) {
            UNROLL
            for (int j = 0; j < 4; j++) {
                VEC value = NAME(load)(x + row * step + lane + j * LANES);
                IVEC wins = sign > 0 ? value > extreme[j] : value < extreme[j];
                extreme[j] = NAME(blend)(wins | (value != value), value, extreme[j]);
            }
        }
        REAL values[4 * VEC_BYTES / sizeof(REAL)];
        UNROLL
        for (int j = 0; j < 4; j++)
            NAME(store)(values + j * LANES, extreme[j]);
        for (int j = 0; j < 4 * LANES; j++) {
            const double value = values[j], before = extremes[lane + j];
            const int wins = sign > 0 ? value > before : value < before;
            extremes[lane + j] = wins || value != value ? value : before;
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
        NAME(accumulate_sums)(0, n_rows, step, n_lanes, x, first);
        break;
    case STATISTIC_POSITIVE:
        NAME(accumulate_sums)(1, n_rows, step, n_lanes, x, first);
        break;
    case STATISTIC_MOMENTS:
        NAME(accumulate_moments)(n_rows, step, n_lanes, x, count, first, second);
    }
}

#undef EACH_LANE
#undef EACH_ROW
