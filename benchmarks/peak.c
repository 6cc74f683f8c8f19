/* The float32 peak of one core: fused multiply-adds on registers alone. Built and called by
 * bench_microkernel.py; no part of the library. */
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define CHAINS 12 /* more than latency times units of any core, fewer than registers */

typedef float vec __attribute__((vector_size(BYTES)));

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Return flops a second, measured over about `n` rounds. */
double peak(long n)
{
    vec x[CHAINS], a = (vec){0} + 0.999f, b = (vec){0} + 0.001f, sum = (vec){0};
    for (int i = 0; i < CHAINS; i++)
        x[i] = a * (float)i;
    double start = now();
    for (long round = 0; round < n; round++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++)
            x[i] = x[i] * a + b;
        __asm__ volatile("");
    }
    double seconds = now() - start;
    for (int i = 0; i < CHAINS; i++)
        sum += x[i];
    volatile float keep = sum[0];
    (void)keep;
    return 2.0 * CHAINS * (BYTES / sizeof(float)) * (double)n / seconds;
}
