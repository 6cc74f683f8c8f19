"""Gradients of extremes and of attention over the neighbours of nodes: gathers again.

Tasks are runs of nodes, as in graph.pyx, which only ever write to their own nodes. c/gather_grad.h
tells what is computed.
"""
from cython.parallel cimport parallel, prange
from libc.stdint cimport int32_t

from .cpu cimport REDUCE_SUM, kernels, microkernels, neighbours
from .neighbours cimport graph_of
from .omp cimport flush_denormals, restore_denormals, thread_id, uint64_t
from .types cimport float32_t, intp_t, real


def extreme_places(
    const intp_t[::1] starts,           # (n_nodes + 1,)
    const int32_t[::1] columns,         # (n_edges,)
    const real[::1] loops,              # (n_nodes,), or ()
    const real[:, :] rows,              # (n_nodes, n_features), features are neighbours
    int32_t[:, ::1] places,             # (n_nodes, n_features), written
    int reduction,
    const intp_t[::1] runs,             # (n_runs + 1,), from 0 to n_nodes
    real[:, ::1] room,                  # (n_threads, n_features)
):
    """Write the nodes that maxima or minima come from, -1 for none. All is trusted."""
    cdef:
        const microkernels* mk = kernels()
        neighbours graph = graph_of(starts, columns, rows, rows.shape[1], 0)
        const real* one_loops = &loops[0] if loops.shape[0] else NULL
        intp_t run

    graph.reduction = reduction
    with nogil, parallel(num_threads=<int> room.shape[0]):
        for run in prange(runs.shape[0] - 1, schedule="dynamic"):
            places_run(mk, &graph, runs[run], runs[run + 1], one_loops, &rows[0, 0],
                       &room[thread_id(), 0], &places[0, 0])


cdef inline void places_run(
    const microkernels* mk, const neighbours* graph, intp_t first, intp_t last,
    const real* loops, const real* rows, real* room, int32_t* places,
) noexcept nogil:
    if real is float32_t:
        mk.extreme_places_f32(graph, first, last, loops, rows, room, places)
    else:
        mk.extreme_places_f64(graph, first, last, loops, rows, room, places)


def collect_extremes(
    const intp_t[::1] starts,           # (n_nodes + 1,), of the transposed graph
    const int32_t[::1] columns,         # (n_edges,)
    const real[::1] loops,              # (n_nodes,), or ()
    const int32_t[:, ::1] places,       # (n_nodes, n_features)
    const real[:, :] grads,             # (n_nodes, n_features), features are neighbours
    real[:, ::1] out,                   # (n_nodes, n_features)
    const intp_t[::1] runs,             # (n_runs + 1,), from 0 to n_nodes
    int n_threads,
):
    """Write the sums of the gradients by extremes that come from each node. All is trusted."""
    cdef:
        const microkernels* mk = kernels()
        neighbours graph = graph_of(starts, columns, grads, grads.shape[1], 0)
        const real* one_loops = &loops[0] if loops.shape[0] else NULL
        intp_t run
        uint64_t mode = 0

    with nogil, parallel(num_threads=n_threads):
        mode = flush_denormals()
        for run in prange(runs.shape[0] - 1, schedule="dynamic"):
            collect_run(mk, &graph, runs[run], runs[run + 1], one_loops, &places[0, 0],
                        &grads[0, 0], &out[0, 0])
        restore_denormals(mode)


cdef inline void collect_run(
    const microkernels* mk, const neighbours* graph, intp_t first, intp_t last,
    const real* loops, const int32_t* places, const real* grads, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.collect_extremes_f32(graph, first, last, loops, places, grads, out)
    else:
        mk.collect_extremes_f64(graph, first, last, loops, places, grads, out)


def attend_slopes(
    const intp_t[::1] starts,           # (n_nodes + 1,)
    const int32_t[::1] columns,         # (n_edges,)
    const real[:, ::1] sources,         # (n_nodes, heads)
    const real[:, ::1] targets,         # (n_nodes, heads)
    double slope,
    bint has_loops,
    const real[:, :] rows,              # (n_nodes, heads * n_features), features are neighbours
    real[:, ::1] largest,               # (n_nodes, heads), written, as the next two
    real[:, ::1] inverses,              # (n_nodes, heads)
    real[:, ::1] shares,                # (n_nodes, heads)
    real[:, ::1] out,                   # of the shape of `rows`, written
    const intp_t[::1] runs,             # (n_runs + 1,), from 0 to n_nodes
    real[:, ::1] room,                  # (n_threads, heads * most neighbours in whole vectors)
):
    """Go over attention from the nodes that attend. All is trusted."""
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
            slopes_run(mk, &graph, runs[run], runs[run + 1], heads, has_loops, <real> slope,
                       &sources[0, 0], &targets[0, 0], &rows[0, 0], &room[thread_id(), 0],
                       room.shape[1] // heads, &largest[0, 0], &inverses[0, 0], &shares[0, 0],
                       &out[0, 0])
        restore_denormals(mode)


cdef inline void slopes_run(
    const microkernels* mk, const neighbours* graph, intp_t first, intp_t last, int heads,
    int has_loops, real slope, const real* sources, const real* targets, const real* rows,
    real* room, intp_t room_step, real* largest, real* inverses, real* shares, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.attend_slopes_f32(graph, first, last, heads, has_loops, slope, sources, targets, rows,
                             room, room_step, largest, inverses, shares, out)
    else:
        mk.attend_slopes_f64(graph, first, last, heads, has_loops, slope, sources, targets, rows,
                             room, room_step, largest, inverses, shares, out)


def attend_back(
    const intp_t[::1] starts,           # (n_nodes + 1,), of the transposed graph
    const int32_t[::1] columns,         # (n_edges,)
    const real[:, ::1] sources,         # (n_nodes, heads), as the next five
    const real[:, ::1] targets,
    const real[:, ::1] largest,
    const real[:, ::1] inverses,
    const real[:, ::1] dots,
    real[:, ::1] shares,                # written
    double slope,
    bint has_loops,
    const real[:, :] grads,             # (n_nodes, heads * n_features), features are neighbours
    real[:, ::1] out,                   # of the shape of `grads`, written
    real[:, ::1] sloped,                # likewise
    const intp_t[::1] runs,             # (n_runs + 1,), from 0 to n_nodes
    real[:, ::1] room,                  # (n_threads, 2 * most neighbours in whole vectors)
):
    """Go over attention from the nodes that are attended to. All is trusted."""
    cdef:
        const microkernels* mk = kernels()
        int heads = <int> sources.shape[1]
        neighbours graph = graph_of(starts, columns, grads, grads.shape[1] // heads, 0)
        intp_t run
        uint64_t mode = 0

    graph.reduction = REDUCE_SUM
    graph.out_step = out.shape[1]
    with nogil, parallel(num_threads=<int> room.shape[0]):
        mode = flush_denormals()
        for run in prange(runs.shape[0] - 1, schedule="dynamic"):
            back_run(mk, &graph, runs[run], runs[run + 1], heads, has_loops, <real> slope,
                     &sources[0, 0], &targets[0, 0], &largest[0, 0], &inverses[0, 0],
                     &dots[0, 0], &grads[0, 0], &room[thread_id(), 0], room.shape[1] // 2,
                     &shares[0, 0], &out[0, 0], &sloped[0, 0])
        restore_denormals(mode)


cdef inline void back_run(
    const microkernels* mk, const neighbours* graph, intp_t first, intp_t last, int heads,
    int has_loops, real slope, const real* sources, const real* targets, const real* largest,
    const real* inverses, const real* dots, const real* grads, real* room, intp_t room_step,
    real* shares, real* out, real* sloped,
) noexcept nogil:
    if real is float32_t:
        mk.attend_back_f32(graph, first, last, heads, has_loops, slope, sources, targets, largest,
                           inverses, dots, grads, room, room_step, shares, out, sloped)
    else:
        mk.attend_back_f64(graph, first, last, heads, has_loops, slope, sources, targets, largest,
                           inverses, dots, grads, room, room_step, shares, out, sloped)
