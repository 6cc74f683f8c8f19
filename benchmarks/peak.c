/* What one core can do at best: fused multiply-adds on registers alone, and reading memory.
 * Built and called by machine.py, once with float and once with double as `real`; no part of the
 * library. */
#include <stddef.h>
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define CHAINS 12 /* more than latency times units of any core, fewer than registers */

typedef real vec __attribute__((vector_size(BYTES)));

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Return flops a second, measured over about `n` rounds. */
double peak(long n)
{
    vec x[CHAINS], a = (vec){0} + (real)0.999, b = (vec){0} + (real)0.001, sum = (vec){0};
    for (int i = 0; i < CHAINS; i++)
        x[i] = a * (real)i;
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
    volatile real keep = sum[0];
    (void)keep;
    return 2.0 * CHAINS * (BYTES / sizeof(real)) * (double)n / seconds;
}

/* Return bytes a second while `data`, aligned and of whole groups of vectors, is read once. */
double bandwidth(const real *data, size_t n_bytes)
{
    const vec *x = (const vec *)data;
    vec sum[8] = {{0}};
    double start = now();
    for (size_t i = 0; i < n_bytes / BYTES; i += 8)
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++)
            sum[j] += x[i + j];
    double seconds = now() - start;
    for (int j = 1; j < 8; j++)
        sum[0] += sum[j];
    volatile real keep = sum[0][0];
    (void)keep;
    return n_bytes / seconds;
}
