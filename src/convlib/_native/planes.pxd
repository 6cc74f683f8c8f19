# Padded planes of single channels, and sums over neighbours in them: lanes are pixels.
from libc.string cimport memcpy, memset

from .band cimport SHIFT, STEP, block_t
from .border cimport border_index
from .cpu cimport microkernels, plane_output, plane_taps
from .geometry cimport input_of
from .types cimport float32_t, intp_t, real


cdef inline void planes(
    const microkernels* mk, const plane_taps* taps, intp_t n_out, intp_t height, intp_t width,
    const real* x, intp_t x_step, const real* weights, const plane_output* form, real* out,
) noexcept nogil:
    if real is float32_t:
        mk.planes_f32(taps, n_out, height, width, x, x_step, weights, form, out)
    else:
        mk.planes_f64(taps, n_out, height, width, x, x_step, weights, form, out)


cdef inline void interleave(
    const microkernels* mk, intp_t n, intp_t n_pixels, const real* lines, intp_t step, int stream,
    real* out,
) noexcept nogil:
    if real is float32_t:
        mk.interleave_f32(n, n_pixels, lines, step, stream, out)
    else:
        mk.interleave_f64(n, n_pixels, lines, step, stream, out)


cdef inline void turn(
    const microkernels* mk, intp_t n, intp_t length, const real* lines, intp_t step, real* out,
    intp_t out_step,
) noexcept nogil:
    if real is float32_t:
        mk.turn_f32(n, length, lines, step, out, out_step)
    else:
        mk.turn_f64(n, length, lines, step, out, out_step)


cdef inline void fill_block(
    const real[:, :, :, :, :] images, const block_t* block, const intp_t[:, ::1] geometry,
    const intp_t[:, ::1] axes, intp_t phase, intp_t plane, int padding_mode, real* band,
) noexcept nogil:
    """Copy the pixels under a block, of all channels; some may lie in the padding.

    A plane is one channel of one depth, channels first. Every SHIFT-th pixel of a row stands
    next to the other, so that outputs with a stride find their operands side by side; runs of
    them are `phase` values apart.
    """
    cdef:
        intp_t n_phases = axes[2, SHIFT]
        intp_t x = input_of(geometry, 2, block.begin[2])
        intp_t i, j, p, c, z, y
        real* line

    for i in range(block.count[0]):
        z = border_index(input_of(geometry, 0, block.begin[0]) + i * axes[0, STEP],
                         images.shape[1], padding_mode)
        for c in range(images.shape[4]):
            line = band
            for j in range(block.count[1]):
                y = border_index(input_of(geometry, 1, block.begin[1]) + j * axes[1, STEP],
                                 images.shape[2], padding_mode)
                if z < 0 or y < 0:
                    memset(line, 0, n_phases * phase * sizeof(real))
                else:
                    for p in range(n_phases):
                        fill_line[real](
                            <const char*> &images[block.image, z, y, 0, c], images.strides[3],
                            images.shape[3], x + p * axes[2, STEP], n_phases * axes[2, STEP],
                            (block.count[2] - p + n_phases - 1) // n_phases, padding_mode,
                            line + p * phase)
                line += n_phases * phase
            band += plane


cdef inline void fill_line(
    const char* row, intp_t pixel_stride, intp_t width, intp_t x0, intp_t step, intp_t count,
    int padding_mode, real* line,
) noexcept nogil:
    """Copy pixels x0, x0 + step, ... of one channel of a row; the stride is in bytes."""
    cdef:
        intp_t i = 0
        intp_t x, k, inside, source
        const char* pixel

    while i < count:
        x = x0 + i * step
        if 0 <= x < width:
            inside = min(count - i, (width - 1 - x) // step + 1)
            pixel = row + x * pixel_stride
            if pixel_stride * step == sizeof(real):
                memcpy(line + i, pixel, inside * sizeof(real))
            else:
                for k in range(inside):
                    line[i + k] = (<const real*> (pixel + k * step * pixel_stride))[0]
            i += inside
        else:
            source = border_index(x, width, padding_mode)
            line[i] = 0 if source < 0 else (<const real*> (row + source * pixel_stride))[0]
            i += 1
