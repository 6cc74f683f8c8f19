/* The whole contract between the C kernels and the rest of convlib.
 *
 * A kernel knows addresses and lengths. It knows nothing of images, padding or
 * threads, never allocates, and never fails. Every tier fills one table.
 */
#ifndef CONVLIB_MICROKERNELS_H
#define CONVLIB_MICROKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "rank_kernels.h"

enum activation {
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_RELU6,
    ACTIVATION_LEAKY_RELU,
    ACTIVATION_ABS,
    ACTIVATION_SQUARE,
    ACTIVATION_SIGMOID,
    ACTIVATION_TANH
};

enum line { LINE_ONE, LINE_TWO, LINE_FOUR, LINE_STRIDED }; /* winograd.h */

enum reduction { REDUCE_MAX, REDUCE_SUM, REDUCE_MIN };

enum statistic {
    STATISTIC_MAX,
    STATISTIC_MIN,
    STATISTIC_SUM,
    STATISTIC_POSITIVE,
    STATISTIC_MOMENTS
};
enum { STATISTIC_LANES = 64 };

/* What the outputs of a stencil have in common. */
typedef struct {
    ptrdiff_t group;      /* channels in a group: 1, 2, 4 or 8 */
    ptrdiff_t n_rows;     /* of taps */
    ptrdiff_t n_taps;     /* in each row */
    ptrdiff_t stride;     /* pixels of a row's list between neighbouring outputs */
    ptrdiff_t n_channels; /* whole groups, and at least one vector */
    int activation;
} stencil;

enum { STENCIL_SMALL = 4, STENCIL_MIDDLE = 8, STENCIL_LARGE = 14 }; /* pixels of its tiles */

/* The neighbours of node i are columns[starts[i]] up to columns[starts[i + 1] - 1]. */
typedef struct {
    const ptrdiff_t *starts;
    const int32_t *columns;
    ptrdiff_t n_edges;
    ptrdiff_t n_values; /* from the first feature on, that may be read */
    ptrdiff_t width;    /* features */
    ptrdiff_t step, added_step, out_step; /* between the rows of nodes */
    ptrdiff_t ahead;    /* edges by which rows are fetched ahead; 0: not at all */
    int reduction;
    int activation;
    int streams; /* whether to store past the caches */
} neighbours;

/* Where the values under the taps of an output lie, from the value under its first tap on. */
typedef struct {
    ptrdiff_t n_planes, n_rows, n_columns;
    const ptrdiff_t *planes;  /* n_planes */
    ptrdiff_t row_step;       /* between the rows of taps of a plane */
    const ptrdiff_t *columns; /* n_columns, of the taps of a row */
} plane_taps;

/* How outputs lie, and what becomes of them. */
typedef struct {
    ptrdiff_t row_step, channel_step;
    int relu;
    int stream; /* whether to store past the caches */
} plane_output;

/* What is known so far of the points of a series that are above a threshold. */
typedef struct {
    int64_t count;
    int64_t places;  /* the sum of their indices */
    int64_t longest; /* stretch of them */
    int64_t run;     /* the stretch that the last point belongs to, 0 if it is not above */
    double total;    /* by how much they are above, added up */
} positives;

enum { BYTES_BLOCK = 128 }; /* values of the loops of bytes.h, in any tier */

enum { MOST_ROWS = 10 }; /* of a product tile, in any tier */

/* The image that points lie in, for deform.h. */
typedef struct {
    int64_t pixels;                 /* address of the first pixel */
    int64_t outside;                /* address of what stands for a pixel that is not there */
    ptrdiff_t row_step, pixel_step; /* bytes */
    double height, width;
    int keeps_weightless;           /* whether pixels of weight zero are there */
} sampled_image;

typedef struct {
    const char *tier;    /* "baseline", "x86_v3" or "x86_v4" */
    ptrdiff_t max_rows;  /* most rows of one product tile */
    ptrdiff_t max_complex_rows;
    ptrdiff_t lanes_f32; /* values in one vector */
    ptrdiff_t lanes_f64;
    const rank_table *ranks; /* rank_kernels.h */
    ptrdiff_t planes_out; /* most output channels that planes computes together */

    /* product.h: out[i][j] = bias[j] + sum over k of rows[i][offsets[k]] * weights[k * step + j]
     * for n_rows <= max_rows rows and n_vectors (1 or 2) vectors of columns j, then the activation.
     * Results go to out[i] + out_offset; without a bias they are added to what is there. `streams`
     * sends them past the caches, without an activation but relu. */
    void (*product_f32)(ptrdiff_t n_rows, ptrdiff_t n_vectors, ptrdiff_t depth,
                        const float *const *rows, const ptrdiff_t *offsets, const float *bias,
                        const float *weights, ptrdiff_t step, int activation, int streams,
                        float *const *out, ptrdiff_t out_offset);
    void (*product_f64)(ptrdiff_t n_rows, ptrdiff_t n_vectors, ptrdiff_t depth,
                        const double *const *rows, const ptrdiff_t *offsets, const double *bias,
                        const double *weights, ptrdiff_t step, int activation, int streams,
                        double *const *out, ptrdiff_t out_offset);

    /* activations.h: in place on n neighbouring values. */
    void (*activate_f32)(int activation, ptrdiff_t n, float *x);
    void (*activate_f64)(int activation, ptrdiff_t n, double *x);

    /* activation_gradients.h: out = g times the slopes of the activation at n neighbouring values x,
     * inputs or outputs; of abs and square inputs. `out` may be g or x. */
    void (*activation_gradients_f32)(int activation, int from_inputs, ptrdiff_t n, const float *g,
                                     const float *x, float *out);
    void (*activation_gradients_f64)(int activation, int from_inputs, ptrdiff_t n, const double *g,
                                     const double *x, double *out);

    /* product_lanes.h: out[i][out_offset + j] = sum over k of rows[i][offsets[k] + column + j] *
     * weights[k * step + j] for n_rows <= max_rows rows and one vector of columns j, added to what
     * is there if `adds`. */
    void (*product_lanes_f32)(ptrdiff_t n_rows, ptrdiff_t depth, const float *const *rows,
                              const ptrdiff_t *offsets, ptrdiff_t column, const float *weights,
                              ptrdiff_t step, int adds, float *const *out, ptrdiff_t out_offset);
    void (*product_lanes_f64)(ptrdiff_t n_rows, ptrdiff_t depth, const double *const *rows,
                              const ptrdiff_t *offsets, ptrdiff_t column, const double *weights,
                              ptrdiff_t step, int adds, double *const *out, ptrdiff_t out_offset);

    /* winograd.h: lines[3] tell how each axis is transformed. The samples of a tile, n_vectors
     * vectors of channels each, lie `offset` behind the addresses x; their values at point p go to
     * y + p * y_step. The same for the taps of a kernel. */
    void (*winograd_samples_f32)(const int *lines, ptrdiff_t n_vectors, const float *const *x,
                                 ptrdiff_t offset, float *y, ptrdiff_t y_step);
    void (*winograd_samples_f64)(const int *lines, ptrdiff_t n_vectors, const double *const *x,
                                 ptrdiff_t offset, double *y, ptrdiff_t y_step);
    void (*winograd_taps_f32)(const int *lines, ptrdiff_t n_vectors, const float *const *x,
                              ptrdiff_t offset, float *y, ptrdiff_t y_step);
    void (*winograd_taps_f64)(const int *lines, ptrdiff_t n_vectors, const double *const *x,
                              ptrdiff_t offset, double *y, ptrdiff_t y_step);

    /* One vector of outputs of a tile, from the products `offset` behind x[p * x_step]. */
    void (*winograd_outputs_f32)(const int *lines, const float *const *x, ptrdiff_t x_step,
                                 ptrdiff_t offset, const float *bias, int activation, float *out,
                                 const ptrdiff_t *out_steps);
    void (*winograd_outputs_f64)(const int *lines, const double *const *x, ptrdiff_t x_step,
                                 ptrdiff_t offset, const double *bias, int activation, double *out,
                                 const ptrdiff_t *out_steps);

    /* stencil.h: out[i] = rows[0][i] combined with rows[1][i] and so on, in this order; a sum
     * divided by `divisor`, at most 2^24. `out` may be the first of the rows; others may overlap
     * it if they begin at higher addresses. */
    void (*reduce_f32)(int reduction, ptrdiff_t n_rows, const float *const *rows, ptrdiff_t n,
                       int64_t divisor, float *out);
    void (*reduce_f64)(int reduction, ptrdiff_t n_rows, const double *const *rows, ptrdiff_t n,
                       int64_t divisor, double *out);

    /* stencil_fma.h: out[i * out_step + c] = bias[c] + sum over rows j, members q of the group of c
     * and taps k of weights[j][q][k][c] * rows[j][(column + i) * stride + k][that member], then the
     * activation, for n_pixels <= STENCIL_LARGE outputs i. The lists of rows hold addresses of
     * pixels that may be read for as many outputs as the smallest tile that holds n_pixels has.
     * Weights are cut into vectors of channels, of which the last overlaps the one before; each
     * begins with its bias. */
    void (*stencil_fma_f32)(const stencil *form, ptrdiff_t n_pixels,
                            const float ***rows, ptrdiff_t column,
                            const float *weights, float *out, ptrdiff_t out_step);
    void (*stencil_fma_f64)(const stencil *form, ptrdiff_t n_pixels,
                            const double ***rows, ptrdiff_t column,
                            const double *weights, double *out, ptrdiff_t out_step);

    /* vec_real.h: out[i * out_step + k] = x[i * n + k] for k < n. Streaming stores are used where
     * they can be: a fence must follow. */
    void (*stream_rows_f32)(ptrdiff_t n_rows, ptrdiff_t n, const float *x, float *out,
                            ptrdiff_t out_step);
    void (*stream_rows_f64)(ptrdiff_t n_rows, ptrdiff_t n, const double *x, double *out,
                            ptrdiff_t out_step);

    /* out[i][k] = x[i] for n groups of 1, 2, 4 or 8 values and k < times; a vector of values behind
     * `out` may be overwritten. */
    void (*repeat_f32)(ptrdiff_t group, ptrdiff_t n, ptrdiff_t times, const float *x, float *out);
    void (*repeat_f64)(ptrdiff_t group, ptrdiff_t n, ptrdiff_t times, const double *x, double *out);

    /* out[i][c] = the values rows[j][offset + i * pixel_step + k * tap_step + c] combined, in the
     * order of rows j and then taps k, and divided; for at least one vector of channels c. */
    void (*reduce_windows_f32)(int reduction, ptrdiff_t n_rows, ptrdiff_t n_taps,
                               ptrdiff_t tap_step, ptrdiff_t n_pixels, ptrdiff_t pixel_step,
                               ptrdiff_t channels, const float *const *rows, ptrdiff_t offset,
                               int64_t divisor, float *out);
    void (*reduce_windows_f64)(int reduction, ptrdiff_t n_rows, ptrdiff_t n_taps,
                               ptrdiff_t tap_step, ptrdiff_t n_pixels, ptrdiff_t pixel_step,
                               ptrdiff_t channels, const double *const *rows, ptrdiff_t offset,
                               int64_t divisor, double *out);

    /* out[i][c] = x[i * pixel_step + c]. */
    void (*pick_pixels_f32)(ptrdiff_t n_pixels, ptrdiff_t pixel_step, ptrdiff_t channels,
                            const float *x, float *out);
    void (*pick_pixels_f64)(ptrdiff_t n_pixels, ptrdiff_t pixel_step, ptrdiff_t channels,
                            const double *x, double *out);

    /* In place on n neighbouring values. */
    void (*divide_f32)(ptrdiff_t n, int64_t divisor, float *x);
    void (*divide_f64)(ptrdiff_t n, int64_t divisor, double *x);
    void (*square_root_f32)(ptrdiff_t n, float *x);
    void (*square_root_f64)(ptrdiff_t n, double *x);

    /* Where x[i] is larger than best[i], is the first NaN, or where[i] is negative: best[i] = x[i]
     * and where[i] = index[i] + offset. */
    void (*argmax_f32)(ptrdiff_t n, const float *x, const int64_t *index, int64_t offset,
                       float *best, int64_t *where);
    void (*argmax_f64)(ptrdiff_t n, const double *x, const int64_t *index, int64_t offset,
                       double *best, int64_t *where);

    /* The same for whole windows, as reduce_windows takes them: where[i][c] becomes
     * i * index_step + index[j * n_taps + k] of the row j and the tap k that win. */
    void (*argmax_windows_f32)(ptrdiff_t n_rows, ptrdiff_t n_taps, ptrdiff_t tap_step,
                               ptrdiff_t n_pixels, ptrdiff_t pixel_step, ptrdiff_t channels,
                               const float *const *rows, ptrdiff_t offset, const int64_t *index,
                               int64_t index_step, float *best, int64_t *where);
    void (*argmax_windows_f64)(ptrdiff_t n_rows, ptrdiff_t n_taps, ptrdiff_t tap_step,
                               ptrdiff_t n_pixels, ptrdiff_t pixel_step, ptrdiff_t channels,
                               const double *const *rows, ptrdiff_t offset, const int64_t *index,
                               int64_t index_step, double *best, int64_t *where);

    /* planes.h: out[i * row_step + o * channel_step + p] = weights[o] + the sum over planes q, rows
     * k and columns l of taps of x[i * x_step + p + planes[q] + k * taps->row_step + columns[l]] *
     * weights[(1 + (q * n_rows + k) * n_columns + l) * n_out + o], in this order, for `height` rows
     * i of `width` pixels p and n_out <= planes_out channels o. Reads on to the end of the last
     * vector of a row. */
    void (*planes_f32)(const plane_taps *taps, ptrdiff_t n_out, ptrdiff_t height, ptrdiff_t width,
                       const float *x, ptrdiff_t x_step, const float *weights,
                       const plane_output *form, float *out);
    void (*planes_f64)(const plane_taps *taps, ptrdiff_t n_out, ptrdiff_t height, ptrdiff_t width,
                       const double *x, ptrdiff_t x_step, const double *weights,
                       const plane_output *form, double *out);

    /* interleave.h: out[p * n + i] = lines[i * step + p] for n lines of n_pixels pixels. */
    void (*interleave_f32)(ptrdiff_t n, ptrdiff_t n_pixels, const float *lines, ptrdiff_t step,
                           int stream, float *out);
    void (*interleave_f64)(ptrdiff_t n, ptrdiff_t n_pixels, const double *lines, ptrdiff_t step,
                           int stream, double *out);

    /* out[k * out_step + i] = lines[i * step + k] for n lines of `length` values. */
    void (*turn_f32)(ptrdiff_t n, ptrdiff_t length, const float *lines, ptrdiff_t step, float *out,
                     ptrdiff_t out_step);
    void (*turn_f64)(ptrdiff_t n, ptrdiff_t length, const double *lines, ptrdiff_t step,
                     double *out, ptrdiff_t out_step);

    /* lane_sums.h: out[k * out_step + c] += the sum over i of y[i * y_step + c] times
     * x[i * x_step + k * tap_step + c], for n_taps taps k, n pixels i, and at least LANES lanes. */
    void (*lane_sums_f32)(ptrdiff_t n_taps, ptrdiff_t n, ptrdiff_t n_lanes, const float *x,
                          ptrdiff_t x_step, ptrdiff_t tap_step, const float *y,
                          ptrdiff_t y_step, float *out, ptrdiff_t out_step);
    void (*lane_sums_f64)(ptrdiff_t n_taps, ptrdiff_t n, ptrdiff_t n_lanes, const double *x,
                          ptrdiff_t x_step, ptrdiff_t tap_step, const double *y,
                          ptrdiff_t y_step, double *out, ptrdiff_t out_step);

    /* resample.h: out[i] = the sum over rows k of weights[k] * rows[k][i], for n values. */
    void (*mix_rows_f32)(ptrdiff_t n_rows, const float *const *rows, const float *weights,
                         ptrdiff_t n, float *out);
    void (*mix_rows_f64)(ptrdiff_t n_rows, const double *const *rows, const double *weights,
                         ptrdiff_t n, double *out);

    /* For each pixel i of a line and each phase p, in this order, an output pixel: the sum over k of
     * weights[4 * p + k] times the pixel i + shifts[p] + k, for n_taps[p] of 2 or 4; one tap is
     * copied. Without weights all phases are copies. Reads on to a whole vector behind the last pixel. A fence follows what is streamed. */
    void (*mix_pixels_f32)(ptrdiff_t n_pixels, ptrdiff_t n_phases, ptrdiff_t channels,
                           const ptrdiff_t *shifts, const ptrdiff_t *n_taps, const float *weights,
                           const float *line, int stream, float *out);
    void (*mix_pixels_f64)(ptrdiff_t n_pixels, ptrdiff_t n_phases, ptrdiff_t channels,
                           const ptrdiff_t *shifts, const ptrdiff_t *n_taps, const double *weights,
                           const double *line, int stream, double *out);

    /* out[(p * n_lines + k) * channels + c] = lines[k * step + p * channels + c] for n_pixels
     * pixels p. */
    void (*merge_pixels_f32)(ptrdiff_t channels, ptrdiff_t n_lines, ptrdiff_t n_pixels,
                             const float *lines, ptrdiff_t step, float *out);
    void (*merge_pixels_f64)(ptrdiff_t channels, ptrdiff_t n_lines, ptrdiff_t n_pixels,
                             const double *lines, ptrdiff_t step, double *out);

    /* statistics.h: continue the statistics of n_lanes lanes (a multiple of STATISTIC_LANES), which
     * `count` rows have made so far, with the rows at x, x + step and so on, less than 2^24.
     * `second` is the sum of squares of STATISTIC_MOMENTS; a STATISTIC_SUM is first + second. */
    void (*accumulate_f32)(int statistic, ptrdiff_t n_rows, ptrdiff_t step, ptrdiff_t n_lanes,
                           const float *x, double count, double *first, double *second);
    void (*accumulate_f64)(int statistic, ptrdiff_t n_rows, ptrdiff_t step, ptrdiff_t n_lanes,
                           const double *x, double count, double *first, double *second);

    /* product_complex.h: out[i] = sum over k of rows[i][k] * conj(panel[k]) for n_rows <=
     * max_complex_rows rows. Rows hold `lanes` real parts, as many imaginary parts, and so on; rows
     * and results stand row_step and out_step apart. */
    void (*product_complex_f32)(ptrdiff_t n_rows, ptrdiff_t depth, const float *rows,
                                ptrdiff_t row_step, const float *panel, float *out,
                                ptrdiff_t out_step);
    void (*product_complex_f64)(ptrdiff_t n_rows, ptrdiff_t depth, const double *rows,
                                ptrdiff_t row_step, const double *panel, double *out,
                                ptrdiff_t out_step);

    /* fft.h: twice the half spectra of two vectors of signals, x[..] and x[.. + lanes], that are
     * zero below row n_rows of a tile of (height, length) pixels. Frequency (j, k) of the first, k
     * <= length / 2, goes to first[(k * height + j) * step], real parts and then imaginary parts.
     * `down` and `across` are the twiddles of height and length; `room` holds (4 * height *
     * (length / 2 + 1) + 6 * max(height, length)) vectors. Streamed results pass by the caches. */
    void (*fft_channels_f32)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t n_rows, const float *x,
                             ptrdiff_t row_step, ptrdiff_t pixel_step, const float *down,
                             const float *across, float *room, float *first, float *second,
                             ptrdiff_t step, int is_streamed);
    void (*fft_channels_f64)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t n_rows, const double *x,
                             ptrdiff_t row_step, ptrdiff_t pixel_step, const double *down,
                             const double *across, double *room, double *first, double *second,
                             ptrdiff_t step, int is_streamed);

    /* The way back, times height * length. Of the tile the rows clip[0] .. clip[1] - 1 and the
     * columns clip[2] .. clip[3] - 1 are written to `out`, for n_channels <= 2 * lanes channels,
     * with their bias (2 * lanes values) and activation. */
    void (*inverse_fft_channels_f32)(ptrdiff_t height, ptrdiff_t length, const float *first,
                                     const float *second, ptrdiff_t step, const float *down,
                                     const float *across, float *room, const float *bias,
                                     int activation, const ptrdiff_t *clip, ptrdiff_t n_channels,
                                     float *out, ptrdiff_t row_step, ptrdiff_t pixel_step);
    void (*inverse_fft_channels_f64)(ptrdiff_t height, ptrdiff_t length, const double *first,
                                     const double *second, ptrdiff_t step, const double *down,
                                     const double *across, double *room, const double *bias,
                                     int activation, const ptrdiff_t *clip, ptrdiff_t n_channels,
                                     double *out, ptrdiff_t row_step, ptrdiff_t pixel_step);

    /* fft_pixels.h: the spectra of `channels` signals, two tiles being the real and the imaginary
     * part of each. A tile has `height` rows of length * channels values, row_step apart. Frequency
     * (j, k) of channel c goes to lane j % lanes of out[c * channel_step + 2 * (k * height + j / lanes
     * * lanes)], and `lanes` further for the imaginary part. With is_line, rows are signals of
     * their own. `room` holds 2 * height * length * channels values and 6 * max(height, length)
     * vectors. */
    void (*fft_pixels_f32)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t channels, int is_line,
                           const float *first, const float *second, ptrdiff_t row_step,
                           const float *down, const float *across, float *room, float *out,
                           ptrdiff_t channel_step);
    void (*fft_pixels_f64)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t channels, int is_line,
                           const double *first, const double *second, ptrdiff_t row_step,
                           const double *down, const double *across, double *room, double *out,
                           ptrdiff_t channel_step);

    /* out[o][f] = sum over c of in[c][f] * conj(weights[f][o][c]) for complex vectors. */
    void (*product_pixels_f32)(ptrdiff_t n_frequencies, ptrdiff_t in_channels,
                               ptrdiff_t out_channels, const float *in, ptrdiff_t in_step,
                               const float *weights, float *out, ptrdiff_t out_step);
    void (*product_pixels_f64)(ptrdiff_t n_frequencies, ptrdiff_t in_channels,
                               ptrdiff_t out_channels, const double *in, ptrdiff_t in_step,
                               const double *weights, double *out, ptrdiff_t out_step);

    /* The way back, times height * length. The first n_rows rows of the two tiles are written, side
     * by side, with their bias (a row of it) and activation. */
    void (*inverse_fft_pixels_f32)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t channels,
                                   int is_line, const float *in, ptrdiff_t channel_step,
                                   const float *down, const float *across, float *room,
                                   const float *bias, int activation, ptrdiff_t n_rows,
                                   float *first, float *second);
    void (*inverse_fft_pixels_f64)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t channels,
                                   int is_line, const double *in, ptrdiff_t channel_step,
                                   const double *down, const double *across, double *room,
                                   const double *bias, int activation, ptrdiff_t n_rows,
                                   double *first, double *second);

    /* deform.h: n points, the first with its tap at (y + ys[0], x + xs[0]), and n pairs of offsets,
     * down and across. The addresses of the four pixels around each go to corners[k * step + i], in
     * the order of rows; their bilinear weights times the mask, which may be NULL, to weights[k *
     * step + i]; the distances from the first of them, down and across, to fractions[i] and
     * fractions[step + i], which may be NULL. Whole vectors are read of ys and xs and written. A
     * point that is NaN has weights of NaN and no pixels. */
    void (*locate_f32)(const sampled_image *image, ptrdiff_t n, double y, double x,
                       const double *ys, const double *xs, const float *offsets,
                       const float *mask, ptrdiff_t step, int64_t *corners, float *weights,
                       float *fractions);
    void (*locate_f64)(const sampled_image *image, ptrdiff_t n, double y, double x,
                       const double *ys, const double *xs, const double *offsets,
                       const double *mask, ptrdiff_t step, int64_t *corners, double *weights,
                       double *fractions);

    /* out[i * out_step + c] = the weighted sum of the values (offset + c) of the four pixels of the
     * point i, for n points that `locate` has found. */
    void (*sample_f32)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                       const float *weights, ptrdiff_t step, ptrdiff_t offset, float *out,
                       ptrdiff_t out_step);
    void (*sample_f64)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                       const double *weights, ptrdiff_t step, ptrdiff_t offset, double *out,
                       ptrdiff_t out_step);

    /* sums[4 * i + k] = the sum over c of values[i * values_step + c] * the value (offset + c) of
     * the pixel k of the point i. */
    void (*corner_products_f32)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                                ptrdiff_t step, ptrdiff_t offset, const float *values,
                                ptrdiff_t values_step, float *sums);
    void (*corner_products_f64)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                                ptrdiff_t step, ptrdiff_t offset, const double *values,
                                ptrdiff_t values_step, double *sums);

    /* The adjoint of sample: adds values[i * values_step + c] times the weights to the pixels. */
    void (*scatter_f32)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                        const float *weights, ptrdiff_t step, ptrdiff_t offset,
                        const float *values, ptrdiff_t values_step);
    void (*scatter_f64)(ptrdiff_t n, ptrdiff_t channels, const int64_t *corners,
                        const double *weights, ptrdiff_t step, ptrdiff_t offset,
                        const double *values, ptrdiff_t values_step);

    /* gather.h, for the nodes from the first up to the last. With REDUCE_SUM
     *   out_i = factors[i] * (loops[i] * scales[i] * row_i
     *           + the sum over edges e to neighbours j of weights[e] * scales[j] * row_j)
     *           + added_factor * added_i
     * where each of weights, scales, loops, factors may be NULL and is then 1 (loops: 0), and added
     * may be NULL. With REDUCE_MAX and REDUCE_MIN the extremes of the rows of the neighbours, and of
     * the node's own where loops[i] is not 0; zeros if there are none. */
    void (*gather_f32)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                       const float *weights, const float *scales, const float *loops,
                       const float *factors, const float *rows, const float *added,
                       float added_factor, float *out);
    void (*gather_f64)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                       const double *weights, const double *scales, const double *loops,
                       const double *factors, const double *rows, const double *added,
                       double added_factor, double *out);

    /* Sums of the neighbours' rows weighted by softmax over leaky(sources_j + targets_i), for each
     * of the heads, which have `width` features each; a node is its own last neighbour with
     * has_loops. `room` holds room_step values for each head, whole vectors for the most
     * neighbours. */
    void (*attend_f32)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last, int heads,
                       int has_loops, float slope, const float *sources, const float *targets,
                       const float *rows, float *room, ptrdiff_t room_step, float *out);
    void (*attend_f64)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last, int heads,
                       int has_loops, double slope, const double *sources, const double *targets,
                       const double *rows, double *room, ptrdiff_t room_step, double *out);

    /* gather_grad.h, which tells what these are. */
    void (*extreme_places_f32)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                               const float *loops, const float *rows, float *best,
                               int32_t *places);
    void (*extreme_places_f64)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                               const double *loops, const double *rows, double *best,
                               int32_t *places);
    void (*collect_extremes_f32)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                                 const float *loops, const int32_t *places, const float *grads,
                                 float *out);
    void (*collect_extremes_f64)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last,
                                 const double *loops, const int32_t *places, const double *grads,
                                 double *out);
    void (*attend_slopes_f32)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last, int heads,
                              int has_loops, float slope, const float *sources,
                              const float *targets, const float *rows, float *room,
                              ptrdiff_t room_step, float *largest, float *inverses, float *shares,
                              float *out);
    void (*attend_slopes_f64)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last, int heads,
                              int has_loops, double slope, const double *sources,
                              const double *targets, const double *rows, double *room,
                              ptrdiff_t room_step, double *largest, double *inverses,
                              double *shares, double *out);
    void (*attend_back_f32)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last, int heads,
                            int has_loops, float slope, const float *sources, const float *targets,
                            const float *largest, const float *inverses, const float *dots,
                            const float *grads, float *room, ptrdiff_t room_step, float *shares,
                            float *out, float *sloped);
    void (*attend_back_f64)(const neighbours *graph, ptrdiff_t first, ptrdiff_t last, int heads,
                            int has_loops, double slope, const double *sources,
                            const double *targets, const double *largest, const double *inverses,
                            const double *dots, const double *grads, double *room,
                            ptrdiff_t room_step, double *shares, double *out, double *sloped);

    /* combine.h: out[i] = factor * sqrt(sum over r of x[r * step + i] squared), where a vector may
     * be read from the last i on; `stream` stores past the caches. */
    void (*magnitude_f32)(ptrdiff_t n_rows, const float *x, ptrdiff_t step, float factor,
                          int stream, ptrdiff_t n, float *out);
    void (*magnitude_f64)(ptrdiff_t n_rows, const double *x, ptrdiff_t step, double factor,
                          int stream, ptrdiff_t n, double *out);

    /* combine.h: bytes as numbers. */
    void (*widen_f32)(ptrdiff_t n, const uint8_t *x, float *out);
    void (*widen_f64)(ptrdiff_t n, const uint8_t *x, double *out);

    /* rocket.h: of n points i of n_kernels <= 4 convolutions, panel[k] + the sum over taps of
     * panel[n_kernels * (1 + tap) + k] * x[i + offsets[tap]], the maxima and how many are positive.
     * Reads on to the end of the last vector, as the following do; less than 2^31 points. */
    void (*convolution_extremes_f32)(ptrdiff_t n_kernels, ptrdiff_t n_taps,
                                     const ptrdiff_t *offsets, const float *panel, ptrdiff_t n,
                                     const float *x, float *maxima, int64_t *n_positive);
    void (*convolution_extremes_f64)(ptrdiff_t n_kernels, ptrdiff_t n_taps,
                                     const ptrdiff_t *offsets, const double *panel, ptrdiff_t n,
                                     const double *x, double *maxima, int64_t *n_positive);

    /* counts[j] = how many of the n values a[i] + factor * b[i] are above thresholds[j]. */
    void (*count_above_f32)(ptrdiff_t n, const float *a, const float *b, float factor,
                            ptrdiff_t n_thresholds, const float *thresholds, int64_t *counts);
    void (*count_above_f64)(ptrdiff_t n, const double *a, const double *b, double factor,
                            ptrdiff_t n_thresholds, const double *thresholds, int64_t *counts);

    /* Continues `so_far` with the next points of a series, of which point lane * n_steps + i is
     * x[i * lanes + lane] and has the index `first` + lane * n_steps + i. Points of a last block
     * that are not there are -inf. */
    void (*pool_positives_f32)(ptrdiff_t n_steps, int64_t first, const float *x, float threshold,
                               positives *so_far);
    void (*pool_positives_f64)(ptrdiff_t n_steps, int64_t first, const double *x, double threshold,
                               positives *so_far);

    /* Of n points, each with the values rows[k * step + i] of n_kernels kernels: the largest is
     * added to the gains of its kernel, the least counts for its own; the first of equal ones.
     * `room` holds 2 * n_kernels vectors; reads on to a multiple of 4 vectors. */
    void (*compete_f32)(ptrdiff_t n_kernels, ptrdiff_t n, const float *rows, ptrdiff_t step,
                        float *room, double *gains, int64_t *counts);
    void (*compete_f64)(ptrdiff_t n_kernels, ptrdiff_t n, const double *rows, ptrdiff_t step,
                        double *room, double *gains, int64_t *counts);

    /* bytes.h: for i < n, and on to the next multiple of BYTES_BLOCK, in 16 bits:
     * byte_sums: out[i] = sum over r of x[r * step + i];
     * byte_slide: sums[i] += come[i] - gone[i];
     * byte_columns: out[i] = sum over r of weights[r] * x[r * step + i] / 256;
     * short_rows: out[i] = sum over k of weights[k] * x[k * step + i] / 2^24, rounded;
     * short_means: out[i] = (half + sum over k of x[k * step + i]) * multiplier >> 16 >> shift. */
    void (*byte_sums)(ptrdiff_t n_rows, const uint8_t *x, ptrdiff_t step, ptrdiff_t n,
                      uint16_t *out);
    void (*byte_slide)(ptrdiff_t n, const uint8_t *come, const uint8_t *gone, uint16_t *sums);
    void (*byte_columns)(ptrdiff_t n_rows, const uint8_t *x, ptrdiff_t step,
                         const uint16_t *weights, ptrdiff_t n, uint16_t *out);
    void (*short_rows)(ptrdiff_t n_taps, ptrdiff_t step, const uint16_t *x,
                       const uint16_t *weights, ptrdiff_t n, uint8_t *out);
    void (*short_means)(ptrdiff_t n_taps, ptrdiff_t step, const uint16_t *x, ptrdiff_t n,
                        uint16_t half, uint16_t multiplier, int shift, uint8_t *out);
} microkernels;

/* dispatch.c */
const microkernels *active_microkernels(void);
const char *const *built_tiers(void); /* lowest first, ends with NULL */
int select_tier(const char *name);    /* NULL: the best this machine runs; -1: not built or not able */

#endif
