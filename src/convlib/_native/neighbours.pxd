# What the kernels know of a graph: shared by graph and graph_grad.
from libc.stdint cimport int32_t

from .cpu cimport neighbours
from .types cimport intp_t, real


cdef inline neighbours graph_of(
    const intp_t[::1] starts, const int32_t[::1] columns, const real[:, :] rows, intp_t width,
    intp_t ahead,
) noexcept nogil:
    """Return what the kernels know of the graph and of the rows they read."""
    cdef neighbours graph
    graph.starts = &starts[0]
    graph.columns = &columns[0] if columns.shape[0] else NULL
    graph.n_edges = columns.shape[0]
    graph.width = width
    graph.step = rows.strides[0] // <intp_t> sizeof(real)
    graph.n_values = (rows.shape[0] - 1) * graph.step + rows.shape[1]
    graph.added_step = 0
    graph.out_step = 0
    graph.ahead = ahead
    graph.reduction = 0
    graph.activation = 0
    graph.streams = 0
    return graph
