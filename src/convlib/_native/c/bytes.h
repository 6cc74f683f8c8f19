/* Weighted sums and means of bytes, in integers of 16 bits: half the width of floats, and exact.
 *
 * A mean adds bytes up, and its last step divides by a product: the quotient is the sum times a
 * multiplier, of which the upper half counts, shifted. A weighted sum keeps values as fixed points
 * with 8 bits behind the point and weights with 16: the upper half of each product is added. What
 * that cuts off is half a unit on average, which the sum begins with. All loops read and write
 * whole blocks of BYTES_BLOCK values: callers have room for them. Included once.
 */

typedef uint16_t vec_u16 __attribute__((vector_size(VEC_BYTES)));
typedef uint8_t half_u8 __attribute__((vector_size(VEC_BYTES / 2)));

#define SHORTS (VEC_BYTES / 2)           /* values of a vector */
#define BLOCK (BYTES_BLOCK / SHORTS)     /* vectors of a block */

/* The upper halves of products of 16 bits. */
INLINE vec_u16 high_product(vec_u16 a, vec_u16 b)
{
#if defined(__AVX512BW__)
    return (vec_u16)_mm512_mulhi_epu16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (vec_u16)_mm256_mulhi_epu16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (vec_u16)_mm_mulhi_epu16((__m128i)a, (__m128i)b);
#else
    vec_u16 high;
    for (int i = 0; i < SHORTS; i++)
        high[i] = (uint16_t)((uint32_t)a[i] * b[i] >> 16);
    return high;
#endif
}

INLINE vec_u16 load_shorts(const uint16_t *p)
{
    vec_u16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store_shorts(uint16_t *p, vec_u16 v)
{
    memcpy(p, &v, sizeof v);
}

INLINE vec_u16 load_bytes(const uint8_t *p)
{
    half_u8 v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vec_u16);
}

INLINE void store_bytes(uint8_t *p, vec_u16 v)
{
    half_u8 low = __builtin_convertvector(v, half_u8);
    memcpy(p, &low, sizeof low);
}

static void byte_sums(ptrdiff_t n_rows, const uint8_t *x, ptrdiff_t step, ptrdiff_t n,
                      uint16_t *out)
{
    for (ptrdiff_t i = 0; i < n; i += BYTES_BLOCK) {
        vec_u16 sum[BLOCK];
        UNROLL
        for (int j = 0; j < BLOCK; j++)
            sum[j] = load_bytes(x + i + j * SHORTS);
        for (ptrdiff_t r = 1; r < n_rows; r++) {
            UNROLL
            for (int j = 0; j < BLOCK; j++)
                sum[j] += load_bytes(x + r * step + i + j * SHORTS);
        }
        UNROLL
        for (int j = 0; j < BLOCK; j++)
            store_shorts(out + i + j * SHORTS, sum[j]);
    }
}

static void byte_slide(ptrdiff_t n, const uint8_t *come, const uint8_t *gone, uint16_t *sums)
{
    for (ptrdiff_t i = 0; i < n; i += SHORTS)
        store_shorts(sums + i, load_shorts(sums + i) + load_bytes(come + i) - load_bytes(gone + i));
}

static void byte_columns(ptrdiff_t n_rows, const uint8_t *x, ptrdiff_t step,
                         const uint16_t *weights, ptrdiff_t n, uint16_t *out)
{
    for (ptrdiff_t i = 0; i < n; i += BYTES_BLOCK) {
        vec_u16 sum[BLOCK];
        UNROLL
        for (int j = 0; j < BLOCK; j++)
            sum[j] = (uint16_t)(n_rows / 2) - (vec_u16){0};
        for (ptrdiff_t r = 0; r < n_rows; r++) {
            vec_u16 weight = weights[r] - (vec_u16){0};
            UNROLL
            for (int j = 0; j < BLOCK; j++)
                sum[j] += high_product(load_bytes(x + r * step + i + j * SHORTS) << 8, weight);
        }
        UNROLL
        for (int j = 0; j < BLOCK; j++)
            store_shorts(out + i + j * SHORTS, sum[j]);
    }
}

static void short_rows(ptrdiff_t n_taps, ptrdiff_t step, const uint16_t *x,
                       const uint16_t *weights, ptrdiff_t n, uint8_t *out)
{
    for (ptrdiff_t i = 0; i < n; i += BYTES_BLOCK) {
        vec_u16 sum[BLOCK];
        UNROLL
        for (int j = 0; j < BLOCK; j++)
            sum[j] = (uint16_t)(n_taps / 2 + 128) - (vec_u16){0};
        for (ptrdiff_t k = 0; k < n_taps; k++) {
            vec_u16 weight = weights[k] - (vec_u16){0};
            UNROLL
            for (int j = 0; j < BLOCK; j++)
                sum[j] += high_product(load_shorts(x + k * step + i + j * SHORTS), weight);
        }
        UNROLL
        for (int j = 0; j < BLOCK; j++)
            store_bytes(out + i + j * SHORTS, sum[j] >> 8);
    }
}

static void short_means(ptrdiff_t n_taps, ptrdiff_t step, const uint16_t *x, ptrdiff_t n,
                        uint16_t half, uint16_t multiplier, int shift, uint8_t *out)
{
    for (ptrdiff_t i = 0; i < n; i += BYTES_BLOCK) {
        vec_u16 sum[BLOCK];
        UNROLL
        for (int j = 0; j < BLOCK; j++)
            sum[j] = half - (vec_u16){0};
        for (ptrdiff_t k = 0; k < n_taps; k++) {
            UNROLL
            for (int j = 0; j < BLOCK; j++)
                sum[j] += load_shorts(x + k * step + i + j * SHORTS);
        }
        UNROLL
        for (int j = 0; j < BLOCK; j++)
            store_bytes(out + i + j * SHORTS,
                        high_product(sum[j], multiplier - (vec_u16){0}) >> shift);
    }
}

#undef SHORTS
#undef BLOCK
