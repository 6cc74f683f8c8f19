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
