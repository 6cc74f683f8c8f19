/* What the kernels of rank filters call PIXEL: rank.h is included once for each. */
#ifndef CONVLIB_RANK_TYPES_H
#define CONVLIB_RANK_TYPES_H

#include "vec.h"

typedef uint8_t vec_u8 __attribute__((vector_size(VEC_BYTES)));
typedef int8_t vec_i8 __attribute__((vector_size(VEC_BYTES)));
typedef uint16_t vec_u16 __attribute__((vector_size(VEC_BYTES)));
typedef int16_t vec_i16 __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t vec_u32 __attribute__((vector_size(VEC_BYTES)));
typedef int32_t vec_i32 __attribute__((vector_size(VEC_BYTES)));
typedef uint64_t vec_u64 __attribute__((vector_size(VEC_BYTES)));
typedef int64_t vec_i64 __attribute__((vector_size(VEC_BYTES)));

/* The smaller and the larger of two vectors of floats, `b` where one is NaN. Of floats compilers
 * do not see that, so it is said by name. */
#if defined(__AVX512F__)
#define OF_FLOATS(name, type) _mm512_##name##_##type
#elif defined(__AVX__)
#define OF_FLOATS(name, type) _mm256_##name##_##type
#elif defined(__SSE2__)
#define OF_FLOATS(name, type) _mm_##name##_##type
#endif

INLINE vec_f32 smaller_f32(vec_f32 a, vec_f32 b)
{
#ifdef OF_FLOATS
    return OF_FLOATS(min, ps)(a, b);
#else
    const vec_i32 first = a < b;
    return (vec_f32)((first & (vec_i32)a) | (~first & (vec_i32)b));
#endif
}

INLINE vec_f32 larger_f32(vec_f32 a, vec_f32 b)
{
#ifdef OF_FLOATS
    return OF_FLOATS(max, ps)(a, b);
#else
    const vec_i32 first = a > b;
    return (vec_f32)((first & (vec_i32)a) | (~first & (vec_i32)b));
#endif
}

INLINE vec_f64 smaller_f64(vec_f64 a, vec_f64 b)
{
#ifdef OF_FLOATS
    return OF_FLOATS(min, pd)(a, b);
#else
    const vec_i64 first = a < b;
    return (vec_f64)((first & (vec_i64)a) | (~first & (vec_i64)b));
#endif
}

INLINE vec_f64 larger_f64(vec_f64 a, vec_f64 b)
{
#ifdef OF_FLOATS
    return OF_FLOATS(max, pd)(a, b);
#else
    const vec_i64 first = a > b;
    return (vec_f64)((first & (vec_i64)a) | (~first & (vec_i64)b));
#endif
}

#endif
