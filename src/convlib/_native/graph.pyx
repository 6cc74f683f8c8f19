"""Reductions over the neighbours of nodes, along the edges of a sparse matrix.

A task is a run of nodes; runs are of about equal work, so that a few nodes with many neighbours
hold up nobody. Nodes know nothing of each other: the runs leave no trace in the result.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport int32_t

from .cpu cimport REDUCE_SUM, kernels, microkernels, neighbours
from .neighbours cimport graph_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .product cimport stream_fence
from .types cimport float32_t, intp_t, real


def gather(
    const intp_t[::1] starts,           # (n_nodes + 1,)
    const int32_t[::1] columns,         # (n_edges,), negative for what lies before `rows`
    const real[::1] weights,            # (n_edges,), or () for ones
    const real[::1] scales,             # (n_sources,), of what comes from a node, or () for ones
    const real[::1] loops,              # (n_nodes,), weights of a node for itself, or ()
    const real[::1] factors,            # (n_nodes,), of what goes to a node, or () for ones
    const real[:, :] rows,              # (n_sources, n_features), features are neighbours
    const real[:, :] added,             # (n_nodes, n_features), likewise, or (0, n_features)
    double added_factor,
    real[:, ::1] out,                   # (n_nodes, n_features)
    int reduction,
    int activation,
    const intp_t[::1] runs,             # (n_runs + 1,), from 0 to n_nodes
    intp_t ahead,                       # edges by which rows are fetched ahead
    bint streams,                       # whether `out` is larger than the caches
    int n_threads,
):
    """Write the sums, maxima or minima of microkernels.h's gather to `out`. All is trusted."""
    cdef:
        const microkernels* mk = kernels()
        neighbours graph = graph_of(starts, columns, rows, out.shape[1], ahead)
        const real* one_weights = &weights[0] if weights.shape[0] else NULL
        const real* one_scales = &scales[0] if scales.shape[0] else NULL
        const real* one_loops = &loops[0] if loops.shape[0] else NULL
        const real* one_factors = &factors[0] if factors.shape[0] else NULL
        const real* one_added = &added[0, 0] if added.shape[0] else NULL
        intp_t run
        uint64_t mode = 0

    graph.reduction = reduction
    graph.activation = activation
    graph.out_step = out.shape[1]
    if added.shape[0]:
        graph.added_step = added.strides[0] // <intp_t> sizeof(real)
    graph.streams = streams and activation == 0 and <intp_t> &out[0, 0] % 16 == 0 \
        and out.shape[1] * sizeof(real) % 16 == 0
    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for run in prange(runs.shape[0] - 1, schedule="dynamic"):
            gather_run(mk, &graph, runs[run], runs[run + 1], one_weights, one_scales, one_loops,
                       one_factors, &rows[0, 0], one_added, <real> added_factor, &out[0, 0])
        restore_denormals(mode)


cdef inline void gather_run(
    const microkernels* mk, const neighbours* graph, intp_t first, intp_t last,
    const real* weights, const real* scales, const real* loops, const real* factors,
    const real* rows, const real* added, real added_factor, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.gather_f32(graph, first, last, weights, scales, loops, factors, rows, added,
                      added_factor, out)
    else:
        mk.gather_f64(graph, first, last, weights, scales, loops, factors, rows, added,
                      added_factor, out)
    if graph.streams:
        stream_fence()


def attend(
    const intp_t[::1] starts,           # (n_nodes + 1,)
    const int32_t[::1] columns,         # (n_edges,)
    const real[:, ::1] sources,         # (n_nodes, heads)
    const real[:, ::1] targets,         # (n_nodes, heads)
    double slope,                       # of scores below zero
    bint has_loops,
    const real[:, :] rows,              # (n_nodes, heads * n_features), features are neighbours
    real[:, ::1] out,                   # of the shape of `rows`
    const intp_t[::1] runs,             # (n_runs + 1,), from 0 to n_nodes
    real[:, ::1] room,                  # (n_threads, heads * most neighbours in whole vectors)
):
    """Write sums of neighbours weighted by attention to `out`. Arguments are trusted."""
    cdef:
        const microkernels* mk = kernels()
        int heads = <int> sources.shape[1]
        neighbours graph = graph_of(starts, columns, rows, rows.shape[1] // heads, 0)
        intp_t run
        uint64_t mode = 0

    graph.reduction = REDUCE_SUM
    graph.out_step = out.shape[1]
    with nogil, parallel(num_threads=<int> room.shape[0]):
        mode = flush_denormals()
        for run in prange(runs.shape[0] - 1, schedule="dynamic"):
            attend_run(mk, &graph, runs[run], runs[run + 1], heads, has_loops, <real> slope,
                       &sources[0, 0], &targets[0, 0], &rows[0, 0], &room[thread_id(), 0],
                       room.shape[1] // heads, &out[0, 0])
        restore_denormals(mode)


cdef inline void attend_run(
    const microkernels* mk, const neighbours* graph, intp_t first, intp_t last, int heads,
    int has_loops, real slope, const real* sources, const real* targets, const real* rows,
    real* room, intp_t room_step, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.attend_f32(graph, first, last, heads, has_loops, slope, sources, targets, rows, room,
                      room_step, out)
    else:
        mk.attend_f64(graph, first, last, heads, has_loops, slope, sources, targets, rows, room,
                      room_step, out)
