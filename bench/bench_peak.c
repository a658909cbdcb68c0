/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_peak.h"

#include <stdint.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHAINS = 12, STEPS = 1 << 20, RUNS = 12, READ_BYTES = 1 << 28 };

static volatile float sink; /* so that no loop is thought useless */

#if defined(__x86_64__)
/* Enough independent chains to hide the latency of a multiply-add. */
__attribute__((target("avx512f"))) static float chains_avx512(int steps)
{
    __m512 a[CHAINS];
    const __m512 x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
    for (int c = 0; c < CHAINS; c++) a[c] = _mm512_set1_ps((float)c);
    for (int i = 0; i < steps; i++)
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) a[c] = _mm512_fmadd_ps(a[c], x, y);
    for (int c = 1; c < CHAINS; c++) a[0] = _mm512_add_ps(a[0], a[c]);
    return _mm512_reduce_add_ps(a[0]);
}

__attribute__((target("avx2,fma"))) static float chains_avx2(int steps)
{
    __m256 a[CHAINS];
    const __m256 x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
    for (int c = 0; c < CHAINS; c++) a[c] = _mm256_set1_ps((float)c);
    for (int i = 0; i < steps; i++)
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) a[c] = _mm256_fmadd_ps(a[c], x, y);
    for (int c = 1; c < CHAINS; c++) a[0] = _mm256_add_ps(a[0], a[c]);
    float sums[8];
    _mm256_storeu_ps(sums, a[0]);
    return sums[0] + sums[7];
}
#endif

static float chains_scalar(int steps)
{
    float a[CHAINS];
    for (int c = 0; c < CHAINS; c++) a[c] = (float)c;
    for (int i = 0; i < steps; i++)
        for (int c = 0; c < CHAINS; c++) a[c] = a[c] * 0.999f + 0.001f;
    float sum = 0.0f;
    for (int c = 0; c < CHAINS; c++) sum += a[c];
    return sum;
}

double bench_peak_flops(unsigned cpu)
{
    float (*chains)(int) = chains_scalar;
    int lanes = 1;
#if defined(__x86_64__)
    if (cpu & FV_CPU_AVX2) chains = chains_avx2, lanes = 8;
    if (cpu & FV_CPU_AVX512) chains = chains_avx512, lanes = 16;
#else
    (void)cpu;
#endif
    double best = 0.0;
    for (int run = 0; run < RUNS; run++) {
        const double start = fv_clock_seconds();
        sink = chains(STEPS);
        const double flops = 2.0 * STEPS * CHAINS * lanes / (fv_clock_seconds() - start);
        if (flops > best) best = flops;
    }
    return best;
}

double bench_read_bytes(void)
{
    const size_t words = READ_BYTES / sizeof(uint64_t);
    uint64_t *memory = fv_alloc(READ_BYTES);
    if (!memory) return 0.0;
    for (size_t i = 0; i < words; i++) memory[i] = i;
    double best = 0.0;
    for (int run = 0; run < 4; run++) {
        uint64_t sum = 0;
        const double start = fv_clock_seconds();
        for (size_t i = 0; i < words; i++) sum += memory[i];
        const double rate = (double)READ_BYTES / (fv_clock_seconds() - start);
        sink = (float)sum;
        if (rate > best) best = rate;
    }
    fv_free(memory);
    return best;
}
