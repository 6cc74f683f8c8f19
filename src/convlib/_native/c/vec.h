/* Vectors of REAL, in the widest registers of the tier. Nothing else names an instruction set. */
#ifndef CONVLIB_VEC_H
#define CONVLIB_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define VEC_BYTES 64
#define MAX_ROWS 10 /* 20 accumulators, 2 panel vectors, 1 pixel; 10 addresses in 16 registers */
#define MAX_COMPLEX_ROWS 14 /* 28 accumulators, 2 panel vectors, 2 values */
#elif defined(__AVX2__)
#define VEC_BYTES 32
#define MAX_ROWS 6
#define MAX_COMPLEX_ROWS 5
#else
#define VEC_BYTES 16
#define MAX_ROWS 6
#define MAX_COMPLEX_ROWS 4
#endif

typedef float vec_f32 __attribute__((vector_size(VEC_BYTES)));
typedef double vec_f64 __attribute__((vector_size(VEC_BYTES)));
typedef int32_t ivec_f32 __attribute__((vector_size(VEC_BYTES)));
typedef int64_t ivec_f64 __attribute__((vector_size(VEC_BYTES)));

#define LANES_F32 ((ptrdiff_t)(VEC_BYTES / sizeof(float)))
#define LANES_F64 ((ptrdiff_t)(VEC_BYTES / sizeof(double)))

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

/* Loops over accumulators must unroll, or the accumulators live in memory. Loops over operands
 * gain a few percent where the counting does not take turns with the arithmetic. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#define UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif

/* What was streamed becomes visible to other threads before anything that is written later. */
INLINE void stream_fence(void)
{
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

#endif
