/* Statistics of a stream of rows, one per lane, that can be interrupted after any row.
 *
 * All is computed in double precision, row after row, so that memory is read from front to back.
 * Lanes know nothing of each other; they come in whole groups of STATISTIC_LANES, for which a
 * compiler needs no rest loop with an arithmetic of its own. Included once per REAL.
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

static void NAME(accumulate)(int statistic, ptrdiff_t n_rows, ptrdiff_t step, ptrdiff_t n_lanes,
                             const REAL *restrict x, double count, double *restrict first,
                             double *restrict second)
{
    switch (statistic) {
    case STATISTIC_MAX: /* NaN comes before everything */
        EACH_ROW EACH_LANE first[j] = x[j] > first[j] || x[j] != x[j] ? x[j] : first[j];
        break;
    case STATISTIC_MIN:
        EACH_ROW EACH_LANE first[j] = x[j] < first[j] || x[j] != x[j] ? x[j] : first[j];
        break;
    case STATISTIC_SUM:
        EACH_ROW EACH_LANE first[j] += x[j];
        break;
    case STATISTIC_POSITIVE:
        EACH_ROW EACH_LANE first[j] += x[j] > 0;
        break;
    case STATISTIC_MOMENTS:
        NAME(accumulate_moments)(n_rows, step, n_lanes, x, count, first, second);
    }
}

#undef EACH_LANE
#undef EACH_ROW
