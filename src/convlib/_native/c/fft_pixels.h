/* Fourier transforms of tiles whose lanes are neighbouring values of a row, for images of few
 * channels.
 *
 * Two halves of a tile are the real and the imaginary part of what is transformed, and so are their
 * outputs, since weights are real: nothing is taken apart. The transform down a tile needs no more.
 * For the one along rows, blocks are transposed, so that lanes are frequencies down; a row of
 * `channels` channels makes that many lines. Included once per REAL, after fft.h.
 */

/* Turn `height` rows of one vector into columns, and put them `step` apart, or the way back. */
INLINE void NAME(turn_column)(ptrdiff_t height, const REAL *in, ptrdiff_t in_step,
                              ptrdiff_t in_block, REAL *out, ptrdiff_t out_step,
                              ptrdiff_t out_block)
{
    for (ptrdiff_t y = 0; y < height; y += LANES, in += in_block, out += out_block)
        for (int part = 0; part < 2; part++) {
            VEC rows[VEC_BYTES / sizeof(REAL)];
            UNROLL
            for (int i = 0; i < LANES; i++)
                rows[i] = NAME(load)(in + part * LANES + i * in_step);
            NAME(transpose)(rows);
            UNROLL
            for (int i = 0; i < LANES; i++)
                NAME(store)(out + part * LANES + i * out_step, rows[i]);
        }
}

static void NAME(fft_pixels)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t channels,
                             int is_line, const REAL *first, const REAL *second,
                             ptrdiff_t row_step, const REAL *down, const REAL *across,
                             REAL *room, REAL *out, ptrdiff_t channel_step)
{
    const ptrdiff_t width = 2 * LANES, pitch = 2 * height; /* values of `height` frequencies */
    REAL *column = room + length * channels * pitch;
    REAL *spare = column + height * width;
    for (ptrdiff_t i = 0; i < length * channels; i += LANES) {
        NAME(source) from = {first + i, second + i, row_step};
        NAME(target) to = {column, column + LANES, width};
        if (is_line)
            for (ptrdiff_t y = 0; y < height; y++) {
                NAME(store)(column + y * width, NAME(load)(from.re + y * row_step));
                NAME(store)(column + y * width + LANES, NAME(load)(from.im + y * row_step));
            }
        else
            NAME(fft_line)(height, down, from, to, 0, spare);
        NAME(turn_column)(height, column, width, LANES * width, room + i * pitch, pitch, width);
    }
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t i = 0; i < pitch; i += width) {
            const REAL *line = room + c * pitch + i;
            REAL *spectrum = out + c * channel_step + i;
            NAME(source) from = {line, line + LANES, channels * pitch};
            NAME(target) to = {spectrum, spectrum + LANES, pitch};
            NAME(fft_line)(length, across, from, to, 0, column);
        }
}

static void NAME(inverse_fft_pixels)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t channels,
                                     int is_line, const REAL *in, ptrdiff_t channel_step,
                                     const REAL *down, const REAL *across, REAL *room,
                                     const REAL *bias, int activation, ptrdiff_t n_rows,
                                     REAL *first, REAL *second)
{
    const ptrdiff_t width = 2 * LANES, pitch = 2 * height;
    REAL *column = room + length * channels * pitch;
    REAL *spare = column + height * width;
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t i = 0; i < pitch; i += width) {
            const REAL *spectrum = in + c * channel_step + i;
            REAL *line = room + c * pitch + i;
            NAME(source) from = {spectrum + LANES, spectrum, pitch};
            NAME(target) to = {line + LANES, line, channels * pitch};
            NAME(fft_line)(length, across, from, to, 0, column);
        }
    for (ptrdiff_t i = 0; i < length * channels; i += LANES) {
        NAME(source) from = {column + LANES, column, width};
        NAME(target) to = {column + LANES, column, width};
        NAME(turn_column)(height, room + i * pitch, pitch, width, column, width, LANES * width);
        if (!is_line)
            NAME(fft_line)(height, down, from, to, 0, spare);
        for (ptrdiff_t y = 0; y < n_rows; y++) {
            const ptrdiff_t place = y * length * channels + i;
            const REAL *sum = column + y * width;
            NAME(finish)(activation, NAME(load)(bias + i), NAME(load)(sum), LANES, first + place);
            NAME(finish)(activation, NAME(load)(bias + i), NAME(load)(sum + LANES), LANES,
                         second + place);
        }
    }
}

/* out[o][f] = sum over c of in[c][f] * conj(weights[f][o][c]), all of them vectors. */
static void NAME(product_pixels)(ptrdiff_t n_frequencies, ptrdiff_t in_channels,
                                 ptrdiff_t out_channels, const REAL *in, ptrdiff_t in_step,
                                 const REAL *weights, REAL *out, ptrdiff_t out_step)
{
    for (ptrdiff_t f = 0; f < n_frequencies; f++)
        for (ptrdiff_t o = 0; o < out_channels; o++) {
            const REAL *x = in + f * 2 * LANES;
            REAL *y = out + o * out_step + f * 2 * LANES;
            VEC re = {0}, im = {0};
            for (ptrdiff_t c = 0; c < in_channels; c++) {
                VEC x_re = NAME(load)(x), x_im = NAME(load)(x + LANES);
                VEC weight_re = NAME(load)(weights), weight_im = NAME(load)(weights + LANES);
                re += x_re * weight_re;
                im += x_im * weight_re;
                re += x_im * weight_im;
                im -= x_re * weight_im;
                x += in_step;
                weights += 2 * LANES;
            }
            NAME(store)(y, re);
            NAME(store)(y + LANES, im);
        }
}
