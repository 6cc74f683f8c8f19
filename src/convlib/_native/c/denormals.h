/* Subnormal numbers cost a hundred cycles each. A kernel region flushes them to zero and then
 * puts the thread's mode back: the caller's arithmetic is untouched. */
#ifndef CONVLIB_DENORMALS_H
#define CONVLIB_DENORMALS_H

#include <stdint.h>

#if defined(__x86_64__) || defined(__SSE__)
#include <xmmintrin.h>

static inline uint64_t flush_denormals(void)
{
    unsigned int saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040u); /* flush results to zero, read operands as zero */
    return saved;
}

static inline void restore_denormals(uint64_t saved)
{
    _mm_setcsr((unsigned int)saved);
}

#elif defined(__aarch64__)

static inline uint64_t flush_denormals(void)
{
    uint64_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(saved | (1ull << 24)));
    return saved;
}

static inline void restore_denormals(uint64_t saved)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(saved));
}

#else

static inline uint64_t flush_denormals(void)
{
    return 0;
}

static inline void restore_denormals(uint64_t saved)
{
    (void)saved;
}

#endif
#endif
