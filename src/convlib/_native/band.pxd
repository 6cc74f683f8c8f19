# The padded input under a block of outputs, copied: where feeders leave memory layout, borders and
# channel groups behind.
from libc.string cimport memset

from .border cimport border_index, fill_row
from .types cimport intp_t, real

# Columns of `axes`, one row an axis.
cdef enum:
    BLOCK = 0    # output pixels of a task
    COUNT = 1    # input pixels of a band
    STEP = 2     # pixels of the image between neighbours in the band
    SHIFT = 3    # pixels of the band between neighbouring outputs


cdef struct block_t:
    # What a task covers.
    intp_t image
    intp_t[3] begin    # first output
    intp_t[3] size     # outputs
    intp_t[3] count    # input pixels under them


cdef inline intp_t n_blocks(intp_t size, intp_t block) noexcept nogil:
    """Return how many blocks cover `size` outputs."""
    return (size + block - 1) // block


cdef inline intp_t count_blocks(
    const real[:, :, :, :, :] out, const intp_t[:, ::1] axes,
) noexcept nogil:
    """Return how many blocks cover all images."""
    return out.shape[0] * n_blocks(out.shape[1], axes[0, BLOCK]) \
        * n_blocks(out.shape[2], axes[1, BLOCK]) * n_blocks(out.shape[3], axes[2, BLOCK])


cdef inline block_t block_of(
    intp_t number, const real[:, :, :, :, :] out, const intp_t[:, ::1] axes,
) noexcept nogil:
    """Return the block of a number; the last axis varies fastest."""
    cdef:
        block_t block
        intp_t axis, n
    for axis in range(2, -1, -1):
        n = n_blocks(out.shape[1 + axis], axes[axis, BLOCK])
        block.begin[axis] = number % n * axes[axis, BLOCK]
        block.size[axis] = min(axes[axis, BLOCK], out.shape[1 + axis] - block.begin[axis])
        block.count[axis] = axes[axis, COUNT] \
            - (axes[axis, BLOCK] - block.size[axis]) * axes[axis, SHIFT]
        number = number // n
    block.image = number
    return block


cdef inline void fill_band(
    const real[:, :, :, :, :] images, intp_t image, intp_t z0, intp_t y0, intp_t x0,
    const intp_t[:, ::1] axes, intp_t n_rows, int padding_mode, intp_t channel, intp_t group_size,
    intp_t pitch, real* band,
) noexcept nogil:
    """Copy a band whose first pixel is (z0, y0, x0) of the image, or lies in its padding.

    Of each plane the first n_rows rows are copied: the others belong to outputs that nobody asks
    for.
    """
    cdef:
        intp_t length = axes[2, COUNT] * pitch
        intp_t i, j, source_z, source_y

    for i in range(axes[0, COUNT]):
        source_z = border_index(z0 + i * axes[0, STEP], images.shape[1], padding_mode)
        for j in range(n_rows):
            source_y = border_index(y0 + j * axes[1, STEP], images.shape[2], padding_mode)
            if source_z < 0 or source_y < 0:
                memset(band, 0, length * sizeof(real))
            else:
                fill_row(&images[image, source_z, source_y, 0, channel], images.strides[3],
                         images.strides[4], images.shape[3], x0, axes[2, STEP], axes[2, COUNT],
                         padding_mode, group_size, pitch, band)
            band += length
        band += (axes[1, COUNT] - n_rows) * length
