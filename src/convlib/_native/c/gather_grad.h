/* Gradients of reductions over the neighbours of nodes, as gathers again. Included once per REAL.
 *
 * An extreme hands its gradient to the neighbour it came from, the first one of several. These are
 * found once; then each node collects from the nodes that gather from it, whose edges the
 * transposed graph holds.
 *
 * Attention has weights p = softmax(z), where z = leaky(s) and s = sources_j + targets_i. With the
 * gradient g_i by the output out_i = sum of p_ij row_j and l_ij, the slope of leaky at s_ij,
 *   by s_ij = p_ij l_ij (g_i . row_j - g_i . out_i),
 * so that all that is wanted is made of sums of whole rows, weighted with p or with p l:
 *   by target_i = g_i . (sum over j of p_ij l_ij row_j) - (g_i . out_i) sum over j of p_ij l_ij
 *   by source_j = row_j . (sum over i of p_ij l_ij g_i) - sum over i of p_ij l_ij (g_i . out_i)
 *   by row_j    = sum over i of p_ij g_i   (and what comes through the scores).
 * The weights are computed again in each pass, from the largest score and the sum of each node. */

/* Where the extremes of the features of each node come from: places[i * width + k] is a node, or -1.
 * The node itself comes before its neighbours where loops[i] is not 0. `best` has room for a row. */
static void NAME(extreme_places)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                                 const REAL *loops, const REAL *rows, REAL *best, int32_t *places)
{
    const REAL sign = graph->reduction == REDUCE_MAX ? 1 : -1;
    const ptrdiff_t width = graph->width;
    for (ptrdiff_t i = first; i < last; i++) {
        int32_t *place = places + i * width;
        const int has_loop = loops != NULL && loops[i] != 0;
        const ptrdiff_t begin = graph->starts[i] - has_loop;
        for (ptrdiff_t k = 0; k < width; k++)
            place[k] = -1;
        for (ptrdiff_t edge = begin; edge < graph->starts[i + 1]; edge++) {
            const int32_t j = edge < graph->starts[i] ? (int32_t)i : graph->columns[edge];
            const REAL *x = rows + j * graph->step;
            for (ptrdiff_t k = 0; k < width; k++) {
                const REAL value = sign * x[k];
                const int wins = (edge == begin) | (value > best[k])
                                 | ((value != value) & (best[k] == best[k]));
                best[k] = wins ? value : best[k];
                place[k] = wins ? j : place[k];
            }
        }
    }
}

/* Sums of those gradients of the nodes that gather from node j whose extremes came from j. The graph
 * is the transposed one. */
static void NAME(collect_extremes)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                                   const REAL *loops, const int32_t *places, const REAL *grads,
                                   REAL *out)
{
    const ptrdiff_t width = graph->width;
    for (ptrdiff_t j = first; j < last; j++) {
        REAL *sum = out + j * width;
        int sees_itself = loops == NULL || loops[j] == 0;
        for (ptrdiff_t k = 0; k < width; k++)
            sum[k] = 0;
        for (ptrdiff_t edge = graph->starts[j]; edge <= graph->starts[j + 1]; edge++) {
            const int is_last = edge == graph->starts[j + 1];
            if (is_last && sees_itself)
                break;
            const ptrdiff_t i = is_last ? j : graph->columns[edge];
            const int32_t *place = places + i * width;
            const REAL *grad = grads + i * graph->step;
            for (ptrdiff_t k = 0; k < width; k++)
                sum[k] += place[k] == j ? grad[k] : 0;
            sees_itself |= i == j;
        }
    }
}

/* First pass over attention, for nodes i and heads h: the largest score, the inverse of the sum of
 * exponentials, the sum of p l, and in `out` the sum of p l times the rows. */
static void NAME(attend_slopes)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                                int heads, int has_loops, REAL slope, const REAL *sources,
                                const REAL *targets, const REAL *rows, REAL *room,
                                ptrdiff_t room_step, REAL *largest, REAL *inverses, REAL *shares,
                                REAL *out)
{
    for (ptrdiff_t i = first; i < last; i++) {
        const int32_t *columns = graph->columns + graph->starts[i];
        const ptrdiff_t n_edges = graph->starts[i + 1] - graph->starts[i], n = n_edges + has_loops;
        NAME(attention_scores)(graph, i, heads, has_loops, slope, sources, targets, room,
                               room_step);
        for (int h = 0; h < heads; h++) {
            REAL *weights = room + h * room_step;
            const REAL target = targets[i * heads + h];
            const REAL most = n == 0 ? 0 : NAME(largest)(n, weights);
            const REAL inverse = n == 0 ? 0 : 1 / NAME(exponentials)(n, weights, most);
            REAL share = 0;
            for (ptrdiff_t e = 0; e < n; e++) {
                const REAL score = sources[(e < n_edges ? columns[e] : i) * heads + h] + target;
                weights[e] *= score < 0 ? slope : 1;
                share += weights[e];
            }
            largest[i * heads + h] = most;
            inverses[i * heads + h] = inverse;
            shares[i * heads + h] = inverse * share;
            NAME(weighted_row)(graph, i, h * graph->width, has_loops, weights, inverse, rows, out);
        }
    }
}

/* Second pass, for nodes j of the transposed graph: sums over i of p g_i in `out`, of p l g_i in
 * `sloped`, and of p l dots_i in `shares`, where dots_i is g_i . out_i. `room` has room_step values
 * for a head twice. */
static void NAME(attend_back)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last, int heads,
                              int has_loops, REAL slope, const REAL *sources, const REAL *targets,
                              const REAL *largest, const REAL *inverses, const REAL *dots,
                              const REAL *grads, REAL *room, ptrdiff_t room_step, REAL *shares,
                              REAL *out, REAL *sloped)
{
    REAL *weights = room, *slopes = room + room_step;
    for (ptrdiff_t j = first; j < last; j++) {
        const int32_t *columns = graph->columns + graph->starts[j];
        const ptrdiff_t n_edges = graph->starts[j + 1] - graph->starts[j], n = n_edges + has_loops;
        for (int h = 0; h < heads; h++) {
            const REAL source = sources[j * heads + h];
            REAL share = 0;
            for (ptrdiff_t e = 0; e < n; e++) {
                const ptrdiff_t at = (e < n_edges ? columns[e] : j) * heads + h;
                const REAL score = source + targets[at];
                slopes[e] = score < 0 ? slope : 1;
                weights[e] = (score < 0 ? slope * score : score) - largest[at];
            }
            NAME(exponentials)(n, weights, 0);
            for (ptrdiff_t e = 0; e < n; e++) {
                const ptrdiff_t at = (e < n_edges ? columns[e] : j) * heads + h;
                weights[e] *= inverses[at];
                slopes[e] *= weights[e];
                share += slopes[e] * dots[at];
            }
            shares[j * heads + h] = share;
            NAME(weighted_row)(graph, j, h * graph->width, has_loops, weights, 1, grads, out);
            NAME(weighted_row)(graph, j, h * graph->width, has_loops, slopes, 1, grads, sloped);
        }
    }
}
