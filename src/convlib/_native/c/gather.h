/* Reductions over the neighbours of nodes: whole rows of features, summed in registers.
 *
 * A row is cut into blocks of up to eight vectors, each of which goes over all edges of a node once.
 * The last vector of a row ends with it, and so may overlap the one before; rows shorter than a
 * vector are read beyond their end where that is still inside the array. Included once per REAL.
 */

enum { NAME(block_vectors) = 8 };

#define GATHER_ARGUMENTS                                                                          \
    const neighbours *graph, ptrdiff_t first, ptrdiff_t last, const REAL *weights,                \
        const REAL *scales, const REAL *loops, const REAL *factors, const REAL *rows,             \
        const REAL *added, REAL added_factor, REAL *out
#define GATHER_PASSED(column)                                                                     \
    graph, first, last, weights, scales, loops, factors, rows + (column),                         \
        added == NULL ? NULL : added + (column), added_factor, out + (column)

/* What stands at place k of n vectors of a block. */
#define PLACE(k) ((k) < n - 1 ? (k)*LANES : tail)

/* sum += what comes over one edge, for a block of n vectors. */
INLINE void NAME(add_neighbour)(const int n, const ptrdiff_t tail, const neighbours *graph,
                                ptrdiff_t edge, const REAL *weights, const REAL *scales,
                                const REAL *rows, VEC *sum)
{
    const ptrdiff_t j = graph->columns[edge];
    const REAL *x = rows + j * graph->step;
    REAL weight = weights == NULL ? 1 : weights[edge];
    if (scales != NULL)
        weight *= scales[j];
    UNROLL
    for (int k = 0; k < n; k++)
        sum[k] += weight * NAME(load)(x + PLACE(k));
}

/* Ask for the row that is needed some edges later. */
INLINE void NAME(fetch_ahead)(const int n, const ptrdiff_t tail, const neighbours *graph,
                              ptrdiff_t edge, const REAL *rows)
{
    if (graph->ahead > 0 && edge + graph->ahead < graph->n_edges) {
        const REAL *later = rows + graph->columns[edge + graph->ahead] * graph->step;
        UNROLL
        for (int k = 0; k < n; k++)
            __builtin_prefetch(later + PLACE(k));
    }
}

/* Write a block of n vectors of node i. */
INLINE void NAME(write_node)(const int n, const ptrdiff_t tail, const neighbours *graph, REAL *out,
                             const VEC *values)
{
    UNROLL
    for (int k = 0; k < n; k++)
        if (graph->streams)
            NAME(stream)(out + PLACE(k), values[k]);
        else
            NAME(store)(out + PLACE(k), values[k]);
}

/* Sums, where n is a constant, of a block of n vectors, the last of which begins at `tail`. Narrow
 * blocks add every other neighbour to a second sum: one would wait for each addition. */
INLINE void NAME(gather_sums)(const int n, const ptrdiff_t tail, GATHER_ARGUMENTS)
{
    for (ptrdiff_t i = first; i < last; i++) {
        const REAL factor = factors == NULL ? 1 : factors[i];
        const ptrdiff_t end = graph->starts[i + 1];
        ptrdiff_t edge = graph->starts[i];
        VEC sum[8], odd[4];
        UNROLL
        for (int k = 0; k < n; k++)
            sum[k] = (VEC){0};
        if (loops != NULL && loops[i] != 0) {
            const REAL weight = scales == NULL ? loops[i] : loops[i] * scales[i];
            const REAL *x = rows + i * graph->step;
            UNROLL
            for (int k = 0; k < n; k++)
                sum[k] += weight * NAME(load)(x + PLACE(k));
        }
        if (n <= 4) {
            UNROLL
            for (int k = 0; k < n; k++)
                odd[k] = (VEC){0};
            for (; edge + 1 < end; edge += 2) {
                NAME(fetch_ahead)(n, tail, graph, edge, rows);
                NAME(fetch_ahead)(n, tail, graph, edge + 1, rows);
                NAME(add_neighbour)(n, tail, graph, edge, weights, scales, rows, sum);
                NAME(add_neighbour)(n, tail, graph, edge + 1, weights, scales, rows, odd);
            }
            UNROLL
            for (int k = 0; k < n; k++)
                sum[k] += odd[k];
        }
        for (; edge < end; edge++) {
            NAME(fetch_ahead)(n, tail, graph, edge, rows);
            NAME(add_neighbour)(n, tail, graph, edge, weights, scales, rows, sum);
        }
        UNROLL
        for (int k = 0; k < n; k++) {
            sum[k] = factor * sum[k];
            if (added != NULL)
                sum[k] += added_factor * NAME(load)(added + i * graph->added_step + PLACE(k));
        }
        NAME(write_node)(n, tail, graph, out + i * graph->out_step, sum);
    }
}

/* Maxima of sign * x, times sign; a node without any gets zero. A maximum passes over NaN, which
 * comes before everything: the sums of all values, which are NaN wherever one of them is, tell
 * whether to look again. */
INLINE void NAME(gather_extremes)(const int n, const ptrdiff_t tail, GATHER_ARGUMENTS)
{
    const REAL sign = graph->reduction == REDUCE_MAX ? 1 : -1;
    (void)weights, (void)scales, (void)factors, (void)added, (void)added_factor;
    for (ptrdiff_t i = first; i < last; i++) {
        const REAL none = -(REAL)__builtin_inf();
        const int has_loop = loops != NULL && loops[i] != 0;
        const ptrdiff_t begin = graph->starts[i] - has_loop, end = graph->starts[i + 1];
        VEC extreme[8], sums[4] = {{0}};
        UNROLL
        for (int k = 0; k < n; k++)
            extreme[k] = NAME(splat)(begin < end ? none : 0);
        for (ptrdiff_t edge = begin; edge < end; edge++) {
            const ptrdiff_t j = edge < graph->starts[i] ? i : graph->columns[edge];
            NAME(fetch_ahead)(n, tail, graph, edge, rows);
            UNROLL
            for (int k = 0; k < n; k++) {
                VEC value = sign * NAME(load)(rows + j * graph->step + PLACE(k));
                extreme[k] = NAME(larger)(extreme[k], value);
                sums[k % 4] += value;
            }
        }
        sums[0] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        REAL sum = 0;
        UNROLL
        for (int lane = 0; lane < LANES; lane++)
            sum += sums[0][lane];
        if (sum != sum)
            for (ptrdiff_t edge = begin; edge < end; edge++) {
                const ptrdiff_t j = edge < graph->starts[i] ? i : graph->columns[edge];
                UNROLL
                for (int k = 0; k < n; k++) {
                    VEC value = NAME(load)(rows + j * graph->step + PLACE(k));
                    extreme[k] = NAME(blend)(value != value, value, extreme[k]);
                }
            }
        UNROLL
        for (int k = 0; k < n; k++)
            extreme[k] *= sign;
        NAME(write_node)(n, tail, graph, out + i * graph->out_step, extreme);
    }
}

INLINE void NAME(gather_vectors)(const int n, const ptrdiff_t tail, GATHER_ARGUMENTS)
{
    if (graph->reduction == REDUCE_SUM)
        NAME(gather_sums)(n, tail, GATHER_PASSED(0));
    else
        NAME(gather_extremes)(n, tail, GATHER_PASSED(0));
}

static NOINLINE void NAME(gather_block)(const ptrdiff_t n, const ptrdiff_t tail, GATHER_ARGUMENTS)
{
    switch (n) {
#define CASE(n)                                                                                   \
    case n:                                                                                       \
        NAME(gather_vectors)(n, tail, GATHER_PASSED(0));                                          \
        break;
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
#undef CASE
    }
}

/* Rows shorter than a vector: those near the end of the array, and all that is written, take the
 * way over a vector of their own. */
static NOINLINE void NAME(gather_narrow)(GATHER_ARGUMENTS)
{
    const ptrdiff_t width = graph->width;
    const size_t bytes = (size_t)width * sizeof(REAL);
    const REAL sign = graph->reduction == REDUCE_MAX ? 1 : -1;
    for (ptrdiff_t i = first; i < last; i++) {
        const int has_loop = loops != NULL && loops[i] != 0;
        const ptrdiff_t begin = graph->starts[i] - has_loop;
        const int is_sum = graph->reduction == REDUCE_SUM;
        REAL values[VEC_BYTES / sizeof(REAL)] = {0};
        VEC total = NAME(splat)(is_sum || begin == graph->starts[i + 1] ? 0
                                                                        : -(REAL)__builtin_inf());
        for (ptrdiff_t edge = begin; edge < graph->starts[i + 1]; edge++) {
            const int is_loop = edge < graph->starts[i];
            const ptrdiff_t j = is_loop ? i : graph->columns[edge];
            const REAL *x = rows + j * graph->step;
            VEC value;
            if (j * graph->step + LANES > graph->n_values) {
                memcpy(values, x, bytes);
                x = values;
            }
            value = NAME(load)(x);
            if (is_sum) {
                REAL weight = is_loop ? loops[i] : weights == NULL ? 1 : weights[edge];
                if (scales != NULL)
                    weight *= scales[j];
                total += weight * value;
            } else {
                value = sign * value;
                total = NAME(blend)((value > total) | (value != value), value, total);
            }
        }
        if (is_sum)
            total = (factors == NULL ? 1 : factors[i]) * total;
        else
            total = sign * total;
        if (is_sum && added != NULL) {
            memcpy(values, added + i * graph->added_step, bytes);
            total += added_factor * NAME(load)(values);
        }
        NAME(store)(values, total);
        memcpy(out + i * graph->out_step, values, bytes);
    }
}

static void NAME(gather_rows)(GATHER_ARGUMENTS)
{
    const ptrdiff_t n_vectors = (graph->width + LANES - 1) / LANES;
    const ptrdiff_t n_blocks = (n_vectors + NAME(block_vectors) - 1) / NAME(block_vectors);
    if (graph->width < LANES) {
        NAME(gather_narrow)(GATHER_PASSED(0));
        return;
    }
    for (ptrdiff_t block = 0; block < n_blocks; block++) {
        const ptrdiff_t begin = block * n_vectors / n_blocks;
        const ptrdiff_t n = (block + 1) * n_vectors / n_blocks - begin;
        const ptrdiff_t column = begin * LANES, end = graph->width - LANES;
        const ptrdiff_t tail = column + (n - 1) * LANES < end ? (n - 1) * LANES : end - column;
        NAME(gather_block)(n, tail, GATHER_PASSED(column));
    }
}

/* Rows are activated while they are in cache. */
static void NAME(gather)(GATHER_ARGUMENTS)
{
    const ptrdiff_t most = graph->activation == ACTIVATION_NONE ? last - first
                           : graph->width < 4096                ? 4096 / graph->width
                                                                : 1;
    for (; first < last; first += most) {
        const ptrdiff_t end = first + most < last ? first + most : last;
        NAME(gather_rows)(graph, first, end, weights, scales, loops, factors, rows, added,
                          added_factor, out);
        for (ptrdiff_t i = first; graph->activation != ACTIVATION_NONE && i < end; i++)
            NAME(activate_values)(graph->activation, graph->width, out + i * graph->out_step);
    }
}

/* The largest of n > 0 scores, NaN before everything. */
INLINE REAL NAME(largest)(ptrdiff_t n, const REAL *scores)
{
    REAL most = scores[0];
    for (ptrdiff_t e = 1; e < n; e++)
        most = scores[e] > most || scores[e] != scores[e] ? scores[e] : most;
    return most;
}

/* Exponentials of n scores less `most`, the largest, in place; their sum is returned. `scores` has
 * room for whole vectors. */
INLINE REAL NAME(exponentials)(ptrdiff_t n, REAL *scores, REAL most)
{
    const REAL bound = sizeof(REAL) == 4 ? (REAL)87 : (REAL)708;
    REAL sum = 0;
    for (ptrdiff_t e = n; e % LANES != 0; e++)
        scores[e] = most;
    for (ptrdiff_t e = 0; e < n; e += LANES) {
        VEC x = NAME(load)(scores + e) - most;
        x = NAME(blend)(x < -bound, NAME(splat)(-bound), x);
        NAME(store)(scores + e, 1 + NAME(expm1)(x));
    }
    for (ptrdiff_t e = 0; e < n; e++)
        sum += scores[e];
    return sum;
}

/* Scores of the neighbours of node i, and of itself behind them, before the softmax. */
INLINE void NAME(attention_scores)(const neighbours *graph, ptrdiff_t i, int heads, int has_loops,
                                   REAL slope, const REAL *sources, const REAL *targets,
                                   REAL *room, ptrdiff_t room_step)
{
    const int32_t *columns = graph->columns + graph->starts[i];
    const ptrdiff_t n_edges = graph->starts[i + 1] - graph->starts[i];
    for (ptrdiff_t e = 0; e < n_edges + has_loops; e++) {
        const REAL *source = sources + (e < n_edges ? columns[e] : i) * heads;
        for (int h = 0; h < heads; h++) {
            const REAL score = source[h] + targets[i * heads + h];
            room[h * room_step + e] = score < 0 ? slope * score : score;
        }
    }
}

/* out = factor * the sum of the rows of the neighbours of node i, and of its own, times weights; of
 * the features from `column` on. */
static void NAME(weighted_row)(const neighbours *graph, ptrdiff_t i, ptrdiff_t column,
                               int has_loops, const REAL *weights, REAL factor, const REAL *rows,
                               REAL *out)
{
    neighbours one = *graph;
    const ptrdiff_t n_edges = graph->starts[i + 1] - graph->starts[i];
    const ptrdiff_t starts[] = {0, n_edges};
    one.starts = starts;
    one.columns = graph->columns + graph->starts[i];
    one.n_edges = n_edges;
    one.n_values = graph->n_values - column;
    one.added_step = 0;
    NAME(gather)(&one, 0, 1, weights, NULL, NULL, &factor, rows + column,
                 has_loops ? rows + i * graph->step + column : NULL,
                 has_loops ? factor * weights[n_edges] : 0, out + i * graph->out_step + column);
}

/* The last neighbour of node i, if it attends to itself, is node i. */
static void NAME(attend)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last, int heads,
                         int has_loops, REAL slope, const REAL *sources, const REAL *targets,
                         const REAL *rows, REAL *room, ptrdiff_t room_step, REAL *out)
{
    for (ptrdiff_t i = first; i < last; i++) {
        const ptrdiff_t n = graph->starts[i + 1] - graph->starts[i] + has_loops;
        NAME(attention_scores)(graph, i, heads, has_loops, slope, sources, targets, room,
                               room_step);
        for (int h = 0; h < heads; h++) {
            REAL *weights = room + h * room_step;
            const REAL factor =
                n == 0 ? 0 : 1 / NAME(exponentials)(n, weights, NAME(largest)(n, weights));
            NAME(weighted_row)(graph, i, h * graph->width, has_loops, weights, factor, rows, out);
        }
    }
}

#undef PLACE
#undef GATHER_PASSED
#undef GATHER_ARGUMENTS
