# A thread's scratch, cut into pieces that begin on cache lines; see scratch_bytes in _terms.py.
from .types cimport intp_t

cdef enum:
    LINE_BYTES = 64


cdef inline char* aligned(unsigned char* scratch) noexcept nogil:
    """Return the first cache line in the scratch."""
    return <char*> (<intp_t> (scratch + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES)


cdef inline char* cut(char** scratch, intp_t n_bytes) noexcept nogil:
    """Return the front of what is left of the scratch."""
    cdef char* piece = scratch[0]
    scratch[0] += (n_bytes + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
    return piece
