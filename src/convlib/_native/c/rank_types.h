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

#endif
