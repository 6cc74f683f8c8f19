/* Statistics of a stream of rows, one per lane, that can be interrupted after any row.
 *
 * All is computed in double precision, row after row, on as many lanes as every call has; lanes
 * know nothing of each other. Included once per REAL.
 */

#define EACH_LANE for (int j = 0; j < STATISTIC_LANES; j++)

/* The extreme values of REALs are REALs; NaN comes before everything. */
INLINE void NAME(accumulate_extremes)(const int statistic, ptrdiff_t n_rows, ptrdiff_t step,
                                      const REAL *x, double *first)
{
    REAL extreme[STATISTIC_LANES];
    EACH_LANE extreme[j] = (REAL)first[j];
    for (ptrdiff_t row = 0; row < n_rows; row++, x += step) {
        if (statistic == STATISTIC_MAX)
            EACH_LANE extreme[j] = x[j] > extreme[j] || x[j] != x[j] ? x[j] : extreme[j];
        else
            EACH_LANE extreme[j] = x[j] < extreme[j] || x[j] != x[j] ? x[j] : extreme[j];
    }
    EACH_LANE first[j] = extreme[j];
}

/* Welford: the mean, and the sum of squares about it. */
static void NAME(accumulate_moments)(ptrdiff_t n_rows, ptrdiff_t step, const REAL *restrict x,
                                     double count, double *restrict mean, double *restrict squares)
{
    for (ptrdiff_t row = 1; row <= n_rows; row++, x += step) {
        const double share = 1 / (count + (double)row);
        EACH_LANE
        {
            const double distance = x[j] - mean[j];
            mean[j] += distance * share;
            squares[j] += distance * (x[j] - mean[j]);
        }
    }
}

static void NAME(accumulate)(int statistic, ptrdiff_t n_rows, ptrdiff_t step,
                             const REAL *restrict x, double count, double *restrict first,
                             double *restrict second)
{
    switch (statistic) {
    case STATISTIC_MAX:
        NAME(accumulate_extremes)(STATISTIC_MAX, n_rows, step, x, first);
        break;
    case STATISTIC_MIN:
        NAME(accumulate_extremes)(STATISTIC_MIN, n_rows, step, x, first);
        break;
    case STATISTIC_SUM:
        for (ptrdiff_t row = 0; row < n_rows; row++)
            EACH_LANE first[j] += x[row * step + j];
        break;
    case STATISTIC_POSITIVE:
        for (ptrdiff_t row = 0; row < n_rows; row++)
            EACH_LANE first[j] += x[row * step + j] > 0;
        break;
    case STATISTIC_MOMENTS:
        NAME(accumulate_moments)(n_rows, step, x, count, first, second);
    }
}

#undef EACH_LANE
