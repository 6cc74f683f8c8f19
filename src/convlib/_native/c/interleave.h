/* Lines of channels to pixels with their channels side by side.
 *
 * Two lines are zipped by taking one value of each in turn; as many lines as a power of two in so
 * many stages, each of which zips line i with line i + n / 2. Included once per REAL, after
 * vec_real.h.
 */

/* Values of a, b taken in turn: the first half of the result, then the second. */
#define ZIP_LOW_2 0, 2
#define ZIP_HIGH_2 1, 3
#define ZIP_LOW_4 0, 4, 1, 5
#define ZIP_HIGH_4 2, 6, 3, 7
#define ZIP_LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define ZIP_LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#if VEC_BYTES == 64
#define ZIP_LOW_f32 ZIP_LOW_16
#define ZIP_HIGH_f32 ZIP_HIGH_16
#define ZIP_LOW_f64 ZIP_LOW_8
#define ZIP_HIGH_f64 ZIP_HIGH_8
#elif VEC_BYTES == 32
#define ZIP_LOW_f32 ZIP_LOW_8
#define ZIP_HIGH_f32 ZIP_HIGH_8
#define ZIP_LOW_f64 ZIP_LOW_4
#define ZIP_HIGH_f64 ZIP_HIGH_4
#else
#define ZIP_LOW_f32 ZIP_LOW_4
#define ZIP_HIGH_f32 ZIP_HIGH_4
#define ZIP_LOW_f64 ZIP_LOW_2
#define ZIP_HIGH_f64 ZIP_HIGH_2
#endif
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (IVEC){__VA_ARGS__})
#endif

INLINE void NAME(zip_lines)(const int n, const REAL *lines, ptrdiff_t step, int stream, REAL *out)
{
    VEC v[16], zipped[16];
    UNROLL
    for (int i = 0; i < n; i++)
        v[i] = NAME(load)(lines + i * step);
    UNROLL
    for (int stage = 1; stage < n; stage *= 2) {
        UNROLL
        for (int i = 0; i < n / 2; i++) {
            zipped[2 * i] = SHUFFLE(v[i], v[i + n / 2], NAME(ZIP_LOW));
            zipped[2 * i + 1] = SHUFFLE(v[i], v[i + n / 2], NAME(ZIP_HIGH));
        }
        UNROLL
        for (int i = 0; i < n; i++)
            v[i] = zipped[i];
    }
    UNROLL
    for (int i = 0; i < n; i++) {
        if (stream)
            NAME(stream)(out + i * LANES, v[i]);
        else
            NAME(store)(out + i * LANES, v[i]);
    }
}

INLINE void NAME(pick_lines)(const int n, ptrdiff_t n_pixels, const REAL *lines, ptrdiff_t step,
                             REAL *out)
{
    for (ptrdiff_t p = 0; p < n_pixels; p++) {
        UNROLL
        for (int i = 0; i < n; i++)
            out[p * n + i] = lines[i * step + p];
    }
}

INLINE void NAME(interleave_lines)(const int n, ptrdiff_t n_pixels, const REAL *lines,
                                   ptrdiff_t step, int stream, REAL *out)
{
    ptrdiff_t p = 0;
    stream = stream && (uintptr_t)out % 16 == 0;
    for (; p + LANES <= n_pixels; p += LANES)
        NAME(zip_lines)(n, lines + p, step, stream, out + n * p);
    NAME(pick_lines)(n, n_pixels - p, lines + p, step, out + n * p);
}

static void NAME(interleave)(ptrdiff_t n, ptrdiff_t n_pixels, const REAL *lines, ptrdiff_t step,
                             int stream, REAL *out)
{
    switch (n) {
    case 2:
        NAME(interleave_lines)(2, n_pixels, lines, step, stream, out);
        break;
    case 3:
        NAME(pick_lines)(3, n_pixels, lines, step, out);
        break;
    case 4:
        NAME(interleave_lines)(4, n_pixels, lines, step, stream, out);
        break;
    case 8:
        NAME(interleave_lines)(8, n_pixels, lines, step, stream, out);
        break;
    case 16:
        NAME(interleave_lines)(16, n_pixels, lines, step, stream, out);
        break;
    default:
        for (ptrdiff_t p = 0; p < n_pixels; p++)
            for (ptrdiff_t i = 0; i < n; i++)
                out[p * n + i] = lines[i * step + p];
    }
    if (stream)
        stream_fence();
}

/* Squares of a vector's length are turned in registers, and what is left value by value. */
static void NAME(turn)(ptrdiff_t n, ptrdiff_t length, const REAL *lines, ptrdiff_t step, REAL *out,
                       ptrdiff_t out_step)
{
    const ptrdiff_t whole = n / LANES * LANES, end = length / LANES * LANES;
    for (ptrdiff_t i = 0; i < whole; i += LANES)
        for (ptrdiff_t k = 0; k < end; k += LANES) {
            VEC square[LANES];
            UNROLL
            for (int j = 0; j < LANES; j++)
                square[j] = NAME(load)(lines + (i + j) * step + k);
            NAME(transpose)(square);
            UNROLL
            for (int j = 0; j < LANES; j++)
                NAME(store)(out + (k + j) * out_step + i, square[j]);
        }
    for (ptrdiff_t k = 0; k < length; k++)
        for (ptrdiff_t i = k < end ? whole : 0; i < n; i++)
            out[k * out_step + i] = lines[i * step + k];
}
