# Which pixel stands at a coordinate outside the image, as numpy.pad has it for any pad length.
from .types cimport intp_t

cdef enum:
    CONSTANT = 0
    EDGE = 1
    REFLECT = 2
    SYMMETRIC = 3
    WRAP = 4


cdef inline intp_t border_index(intp_t i, intp_t size, int mode) noexcept nogil:
    """Return the index in 0 .. size - 1 that stands for `i`, -1 for a constant."""
    cdef intp_t period
    if 0 <= i < size:
        return i
    if mode == CONSTANT:
        return -1
    if mode == EDGE or size == 1:
        return 0 if i < 0 else size - 1
    if mode == WRAP:
        i = i % size
        return i + size if i < 0 else i
    # Both mirrors repeat: reflect without its edges (abcb), symmetric with them (abccba).
    period = 2 * size - 2 if mode == REFLECT else 2 * size
    i = i % period
    if i < 0:
        i += period
    if i < size:
        return i
    return period - i if mode == REFLECT else period - 1 - i
