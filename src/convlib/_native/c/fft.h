/* Fourier transforms of tiles whose lanes are channels: a vector holds one pixel of LANES channels,
 * and every lane is a signal of its own.
 *
 * A line of n complex vectors (n is 1, or a multiple of 4 above 8 without primes but 2, 3 and 5) is
 * transformed by Stockham's algorithm: passes of radix 5, 3, 8 or 4, each of which reads all values
 * from one place and writes them to another, so that they come out in order. One pass at a time
 * keeps its butterfly in registers.
 *
 * The values are real. Two signals x and y go through one transform as z = x + iy, and
 * X(k) = (Z(k) + conj Z(-k)) / 2, Y(k) = (Z(k) - conj Z(-k)) / 2i take them apart; the halves are
 * left to whoever scales. Of a real signal the frequencies k <= n / 2 of one axis are kept, the
 * others are their conjugates. Included once per REAL, after epilogue.h.
 */

/* x = DFT(x) for 4 values that stand `step` apart. */
INLINE void NAME(butterfly_4)(VEC *re, VEC *im, const int step)
{
    VEC sum_re = re[0] + re[2 * step], sum_im = im[0] + im[2 * step];
    VEC difference_re = re[0] - re[2 * step], difference_im = im[0] - im[2 * step];
    VEC odd_sum_re = re[step] + re[3 * step], odd_sum_im = im[step] + im[3 * step];
    VEC odd_re = re[step] - re[3 * step], odd_im = im[step] - im[3 * step];
    re[0] = sum_re + odd_sum_re;
    im[0] = sum_im + odd_sum_im;
    re[2 * step] = sum_re - odd_sum_re;
    im[2 * step] = sum_im - odd_sum_im;
    re[step] = difference_re + odd_im; /* - i (a + ib) = b - ia */
    im[step] = difference_im - odd_re;
    re[3 * step] = difference_re - odd_im;
    im[3 * step] = difference_im + odd_re;
}

INLINE void NAME(butterfly_3)(VEC *re, VEC *im)
{
    const REAL sine = (REAL)0.86602540378443864676; /* of a third of a circle */
    VEC sum_re = re[1] + re[2], sum_im = im[1] + im[2];
    VEC turned_re = (im[1] - im[2]) * sine, turned_im = (re[2] - re[1]) * sine;
    VEC mean_re = re[0] - sum_re * (REAL)0.5, mean_im = im[0] - sum_im * (REAL)0.5;
    re[0] += sum_re;
    im[0] += sum_im;
    re[1] = mean_re + turned_re;
    im[1] = mean_im + turned_im;
    re[2] = mean_re - turned_re;
    im[2] = mean_im - turned_im;
}

INLINE void NAME(butterfly_5)(VEC *re, VEC *im)
{
    /* Cosines and sines of one and two fifths of a circle. */
    const REAL cosine = (REAL)0.30901699437494742410, cosine_2 = (REAL)-0.80901699437494742410;
    const REAL sine = (REAL)0.95105651629515357212, sine_2 = (REAL)0.58778525229247312917;
    VEC outer_re = re[1] + re[4], outer_im = im[1] + im[4];
    VEC inner_re = re[2] + re[3], inner_im = im[2] + im[3];
    VEC across_re = im[1] - im[4], across_im = re[4] - re[1]; /* differences, times -i */
    VEC between_re = im[2] - im[3], between_im = re[3] - re[2];
    VEC even_re = re[0] + outer_re * cosine + inner_re * cosine_2;
    VEC even_im = im[0] + outer_im * cosine + inner_im * cosine_2;
    VEC even_2_re = re[0] + outer_re * cosine_2 + inner_re * cosine;
    VEC even_2_im = im[0] + outer_im * cosine_2 + inner_im * cosine;
    VEC odd_re = across_re * sine + between_re * sine_2;
    VEC odd_im = across_im * sine + between_im * sine_2;
    VEC odd_2_re = across_re * sine_2 - between_re * sine;
    VEC odd_2_im = across_im * sine_2 - between_im * sine;
    re[0] += outer_re + inner_re;
    im[0] += outer_im + inner_im;
    re[1] = even_re + odd_re;
    im[1] = even_im + odd_im;
    re[2] = even_2_re + odd_2_re;
    im[2] = even_2_im + odd_2_im;
    re[3] = even_2_re - odd_2_re;
    im[3] = even_2_im - odd_2_im;
    re[4] = even_re - odd_re;
    im[4] = even_im - odd_im;
}

INLINE void NAME(butterfly_8)(VEC *re, VEC *im)
{
    const REAL root = (REAL)0.70710678118654752440;
    VEC turned_re[4], turned_im[4], even_re[4], even_im[4];
    NAME(butterfly_4)(re, im, 2);
    NAME(butterfly_4)(re + 1, im + 1, 2);
    /* The odd half turns by the eighth parts of a circle: 1, (1 - i) / sqrt 2, -i, .. */
    turned_re[0] = re[1];
    turned_im[0] = im[1];
    turned_re[1] = (re[3] + im[3]) * root;
    turned_im[1] = (im[3] - re[3]) * root;
    turned_re[2] = im[5];
    turned_im[2] = -re[5];
    turned_re[3] = (im[7] - re[7]) * root;
    turned_im[3] = (re[7] + im[7]) * -root;
    UNROLL
    for (int k = 0; k < 4; k++) {
        even_re[k] = re[2 * k];
        even_im[k] = im[2 * k];
    }
    UNROLL
    for (int k = 0; k < 4; k++) {
        re[k] = even_re[k] + turned_re[k];
        im[k] = even_im[k] + turned_im[k];
        re[k + 4] = even_re[k] - turned_re[k];
        im[k + 4] = even_im[k] - turned_im[k];
    }
}

/* How a butterfly ends. */
#define TURNS 1   /* values turn by twiddles */
#define STREAMS 2 /* values pass by the caches */

/* Complex vectors in memory: real and imaginary parts have addresses of their own. */
typedef struct {
    const REAL *re, *im;
    ptrdiff_t step; /* values between neighbouring vectors */
} NAME(source);

typedef struct {
    REAL *re, *im;
    ptrdiff_t step;
} NAME(target);

INLINE void NAME(butterfly)(const int radix, const int how, const REAL *twiddles, ptrdiff_t turn,
                            NAME(source) x, ptrdiff_t x_step, NAME(target) y, ptrdiff_t y_step)
{
    VEC re[8], im[8];
    UNROLL
    for (int i = 0; i < radix; i++) {
        re[i] = NAME(load)(x.re + i * x_step);
        im[i] = NAME(load)(x.im + i * x_step);
    }
    if (radix == 3)
        NAME(butterfly_3)(re, im);
    else if (radix == 4)
        NAME(butterfly_4)(re, im, 1);
    else if (radix == 5)
        NAME(butterfly_5)(re, im);
    else
        NAME(butterfly_8)(re, im);
    UNROLL
    for (int k = 0; k < radix; k++) {
        VEC out_re = re[k], out_im = im[k];
        if (k > 0 && (how & TURNS)) {
            VEC cosine = NAME(splat)(twiddles[2 * k * turn]);
            VEC sine = NAME(splat)(twiddles[2 * k * turn + 1]);
            out_re = re[k] * cosine - im[k] * sine;
            out_im = re[k] * sine + im[k] * cosine;
        }
        if (how & STREAMS) {
            NAME(stream)(y.re + k * y_step, out_re);
            NAME(stream)(y.im + k * y_step, out_im);
        } else {
            NAME(store)(y.re + k * y_step, out_re);
            NAME(store)(y.im + k * y_step, out_im);
        }
    }
}

/* The last pass has one transform in each of its interleaved places, and no twiddles. */
INLINE void NAME(last_pass)(const int radix, const int how, ptrdiff_t stride, NAME(source) x,
                            NAME(target) y)
{
    for (ptrdiff_t q = 0; q < stride; q++) {
        NAME(source) from = {x.re + q * x.step, x.im + q * x.step, x.step};
        NAME(target) to = {y.re + q * y.step, y.im + q * y.step, y.step};
        NAME(butterfly)(radix, how, NULL, 0, from, stride * x.step, to, stride * y.step);
    }
}

/* One pass over `stride` interleaved transforms of length n. Twiddles are exp(-2 pi i j / (n
 * stride)), cosine and sine in turn. */
INLINE void NAME(pass)(const int radix, ptrdiff_t n, ptrdiff_t stride, const REAL *twiddles,
                       NAME(source) x, NAME(target) y)
{
    const ptrdiff_t part = n / radix;
    const ptrdiff_t x_step = part * stride * x.step, y_step = stride * y.step;
    for (ptrdiff_t p = 0; p < part; p++)
        for (ptrdiff_t q = 0; q < stride; q++) {
            ptrdiff_t in = (q + stride * p) * x.step, out = (q + stride * radix * p) * y.step;
            NAME(source) from = {x.re + in, x.im + in, x.step};
            NAME(target) to = {y.re + out, y.im + out, y.step};
            if (p == 0)
                NAME(butterfly)(radix, 0, twiddles, 0, from, x_step, to, y_step);
            else
                NAME(butterfly)(radix, TURNS, twiddles, p * stride, from, x_step, to, y_step);
        }
}

/* y = DFT(x) for n vectors. `room` holds 4 n vectors; y may be x. The inverse times n is this with
 * real and imaginary parts changed over in x and in y. */
static void NAME(fft_line)(ptrdiff_t n, const REAL *twiddles, NAME(source) x, NAME(target) y,
                           int is_streamed, REAL *room)
{
    ptrdiff_t rest = n, stride = 1;
    NAME(target) to = {room, room + LANES, 2 * LANES};
    while (rest > 8) {
        const int radix = rest % 5 == 0 ? 5 : rest % 3 == 0 ? 3 : rest % 8 || rest == 16 ? 4 : 8;
        if (radix == 3)
            NAME(pass)(3, rest, stride, twiddles, x, to);
        else if (radix == 4)
            NAME(pass)(4, rest, stride, twiddles, x, to);
        else if (radix == 5)
            NAME(pass)(5, rest, stride, twiddles, x, to);
        else
            NAME(pass)(8, rest, stride, twiddles, x, to);
        rest /= radix;
        stride *= radix;
        x = (NAME(source)){to.re, to.im, to.step};
        to.re = x.re == room ? room + 2 * n * LANES : room;
        to.im = to.re + LANES;
    }
    if (rest == 8 && is_streamed)
        NAME(last_pass)(8, STREAMS, stride, x, y);
    else if (rest == 8)
        NAME(last_pass)(8, 0, stride, x, y);
    else if (is_streamed)
        NAME(last_pass)(4, STREAMS, stride, x, y);
    else
        NAME(last_pass)(4, 0, stride, x, y);
}

/* The half spectra of two signals from the spectrum z of their sum x + iy. */
INLINE void NAME(take_apart)(ptrdiff_t length, const REAL *z, REAL *out)
{
    for (ptrdiff_t k = 0; k <= length / 2; k++) {
        const REAL *mirror = z + (k == 0 ? 0 : length - k) * 2 * LANES;
        VEC re = NAME(load)(z + k * 2 * LANES), im = NAME(load)(z + k * 2 * LANES + LANES);
        VEC mirror_re = NAME(load)(mirror), mirror_im = NAME(load)(mirror + LANES);
        NAME(store)(out, re + mirror_re);
        NAME(store)(out + LANES, im - mirror_im);
        NAME(store)(out + 2 * LANES, im + mirror_im);
        NAME(store)(out + 3 * LANES, mirror_re - re);
        out += 4 * LANES;
    }
}

/* The spectrum of x + iy from the half spectra of x and y. */
INLINE void NAME(put_together)(ptrdiff_t length, const REAL *in, REAL *z)
{
    for (ptrdiff_t k = 0; k <= length / 2; k++) {
        VEC x_re = NAME(load)(in), x_im = NAME(load)(in + LANES);
        VEC y_re = NAME(load)(in + 2 * LANES), y_im = NAME(load)(in + 3 * LANES);
        NAME(store)(z + k * 2 * LANES, x_re - y_im);
        NAME(store)(z + k * 2 * LANES + LANES, x_im + y_re);
        if (k > 0 && k < length / 2) {
            REAL *mirror = z + (length - k) * 2 * LANES;
            NAME(store)(mirror, x_re + y_im);
            NAME(store)(mirror + LANES, y_re - x_im);
        }
        in += 4 * LANES;
    }
}

static void NAME(fft_channels)(ptrdiff_t height, ptrdiff_t length, ptrdiff_t n_rows,
                               const REAL *x, ptrdiff_t row_step, ptrdiff_t pixel_step,
                               const REAL *down, const REAL *across, REAL *room, REAL *first,
                               REAL *second, ptrdiff_t step, int is_streamed)
{
    const ptrdiff_t pitch = (length / 2 + 1) * 4 * LANES;
    REAL *line = room + height * pitch;
    REAL *spare = line + 2 * length * LANES;
    for (ptrdiff_t y = 0; y < n_rows; y++) {
        NAME(source) from = {x + y * row_step, x + y * row_step + LANES, pixel_step};
        NAME(target) to = {line, line + LANES, 2 * LANES};
        NAME(fft_line)(length, across, from, to, 0, spare);
        NAME(take_apart)(length, line, room + y * pitch);
    }
    memset(room + n_rows * pitch, 0, (size_t)((height - n_rows) * pitch) * sizeof(REAL));
    for (ptrdiff_t k = 0; k <= length / 2; k++)
        for (int half = 0; half < 2; half++) {
            const REAL *column = room + (2 * k + half) * 2 * LANES;
            REAL *out = (half ? second : first) + k * height * step;
            NAME(source) from = {column, column + LANES, pitch};
            NAME(target) to = {out, out + LANES, step};
            if (height == 1)
                memcpy(out, column, 2 * sizeof(VEC));
            else
                NAME(fft_line)(height, down, from, to, is_streamed, line);
        }
    if (is_streamed)
        stream_fence();
}

static void NAME(inverse_fft_channels)(ptrdiff_t height, ptrdiff_t length, const REAL *first,
                                       const REAL *second, ptrdiff_t step, const REAL *down,
                                       const REAL *across, REAL *room, const REAL *bias,
                                       int activation, const ptrdiff_t *clip,
                                       ptrdiff_t n_channels, REAL *out, ptrdiff_t row_step,
                                       ptrdiff_t pixel_step)
{
    const ptrdiff_t pitch = (length / 2 + 1) * 4 * LANES;
    const VEC first_bias = NAME(load)(bias), second_bias = NAME(load)(bias + LANES);
    const ptrdiff_t n_first = n_channels < LANES ? n_channels : LANES;
    REAL *line = room + height * pitch;
    REAL *spare = line + 2 * length * LANES;
    for (ptrdiff_t k = 0; k <= length / 2; k++)
        for (int half = 0; half < 2; half++) {
            const REAL *in = (half ? second : first) + k * height * step;
            REAL *column = room + (2 * k + half) * 2 * LANES;
            NAME(source) from = {in + LANES, in, step};
            NAME(target) to = {column + LANES, column, pitch};
            if (height == 1)
                memcpy(column, in, 2 * sizeof(VEC));
            else
                NAME(fft_line)(height, down, from, to, 0, line);
        }
    for (ptrdiff_t y = clip[0]; y < clip[1]; y++) {
        NAME(source) from = {line + LANES, line, 2 * LANES};
        NAME(target) to = {line + LANES, line, 2 * LANES};
        NAME(put_together)(length, room + y * pitch, line);
        NAME(fft_line)(length, across, from, to, 0, spare);
        for (ptrdiff_t i = clip[2]; i < clip[3]; i++) {
            REAL *pixel = out + (y - clip[0]) * row_step + (i - clip[2]) * pixel_step;
            const REAL *sum = line + i * 2 * LANES;
            NAME(finish)(activation, first_bias, NAME(load)(sum), n_first, pixel);
            NAME(finish)(activation, second_bias, NAME(load)(sum + LANES), n_channels - n_first,
                         pixel + LANES);
        }
    }
}

#undef TURNS
#undef STREAMS
