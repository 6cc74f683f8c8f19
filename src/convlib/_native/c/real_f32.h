/* What the kernels call REAL, for float. A kernel file is included once after this one ... */
#undef REAL
#undef VEC
#undef IVEC
#undef LANES
#undef REAL_BYTES
#undef NAME
#define REAL float
#define VEC vec_f32
#define IVEC ivec_f32
#define LANES LANES_F32
#define REAL_BYTES 4
#define NAME(x) x##_f32
