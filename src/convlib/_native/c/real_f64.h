/* ... and once after this one, for double. */
#undef REAL
#undef VEC
#undef IVEC
#undef LANES
#undef REAL_BYTES
#undef NAME
#define REAL double
#define VEC vec_f64
#define IVEC ivec_f64
#define LANES LANES_F64
#define REAL_BYTES 8
#define NAME(x) x##_f64
