/* SPDX-License-Identifier: Apache-2.0 */
#include "base/roofline.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/threads.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    CHAINS = 12, /* independent ones, enough to hide the latency of a multiply-add */
    STEPS = 1 << 16,
    TASKS_PER_THREAD = 32,
    SUMS = 8,
    WORDS = 1 << 25,
    WORDS_PER_TASK = 1 << 17,
    READING_TASKS = WORDS / WORDS_PER_TASK,
    LEAST_RUNS = 3
};

static const double run_seconds = 0.15; /* of either measurement, at least */

typedef float chains_fn(int steps);

typedef struct probe {
    chains_fn *chains;
    uint64_t *memory; /* [WORDS] */
    double *seconds;  /* per task */
    float *sink;      /* per task: so that no loop is thought useless */
} probe;

#if defined(__x86_64__)
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

static chains_fn *choose_chains(unsigned cpu, int *lanes)
{
    *lanes = 1;
#if defined(__x86_64__)
    if (cpu & FV_CPU_AVX512) {
        *lanes = 16;
        return chains_avx512;
    }
    if (cpu & FV_CPU_AVX2) {
        *lanes = 8;
        return chains_avx2;
    }
#else
    (void)cpu;
#endif
    return chains_scalar;
}

/* ---- Tasks ---- */

static void compute(void *ctx, int task, int worker)
{
    const probe *p = ctx;
    const double start = fv_clock_seconds();
    (void)worker;
    p->sink[task] = p->chains(STEPS);
    p->seconds[task] = fv_clock_seconds() - start;
}

static void write_words(void *ctx, int task, int worker)
{
    const probe *p = ctx;
    (void)worker;
    uint64_t *words = p->memory + (size_t)task * WORDS_PER_TASK;
    for (size_t i = 0; i < WORDS_PER_TASK; i++) words[i] = i;
}

static void read_words(void *ctx, int task, int worker)
{
    const probe *p = ctx;
    const double start = fv_clock_seconds();
    (void)worker;
    const uint64_t *words = p->memory + (size_t)task * WORDS_PER_TASK;
    uint64_t sums[SUMS] = { 0 };
    for (size_t i = 0; i < WORDS_PER_TASK; i += SUMS)
        for (size_t k = 0; k < SUMS; k++) sums[k] += words[i + k];
    for (size_t k = 1; k < SUMS; k++) sums[0] += sums[k];
    p->sink[task] = (float)sums[0];
    p->seconds[task] = fv_clock_seconds() - start;
}

static int by_value(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* What a task takes while all threads are at work: the median, which a thread that loses its
 * processor for a while does not move, as it would the time of all tasks. Of several runs the
 * least. */
static double task_seconds(int tasks, fv_task_fn *fn, probe *p)
{
    const double begin = fv_clock_seconds();
    double least = 0.0;
    for (int run = 0; run < LEAST_RUNS || fv_clock_seconds() - begin < run_seconds; run++) {
        fv_parallel_for(tasks, fn, p);
        qsort(p->seconds, (size_t)tasks, sizeof(*p->seconds), by_value);
        const double median = p->seconds[tasks / 2];
        if (run == 0 || median < least) least = median;
    }
    return least;
}

fv_status fv_roofline_measure(fv_roofline *out, unsigned cpu, fv_error *err)
{
    const int threads = fv_threads_count(), computing = TASKS_PER_THREAD * threads;
    const size_t tasks = (size_t)fv_max(computing, READING_TASKS);
    int lanes;
    probe p = { .chains = choose_chains(cpu, &lanes),
                .memory = fv_alloc(WORDS * sizeof(*p.memory)),
                .seconds = fv_alloc(tasks * sizeof(*p.seconds)),
                .sink = fv_alloc(tasks * sizeof(*p.sink)) };
    const bool ok = p.memory && p.seconds && p.sink;
    if (ok) {
        const double flops = 2.0 * STEPS * CHAINS * lanes;
        const double bytes = (double)WORDS_PER_TASK * sizeof(*p.memory);
        /* Pages that were never written would all be the same one. */
        fv_parallel_for(READING_TASKS, write_words, &p);
        out->flops = threads * flops / task_seconds(computing, compute, &p);
        out->bytes = threads * bytes / task_seconds(READING_TASKS, read_words, &p);
    }
    fv_free(p.memory);
    fv_free(p.seconds);
    fv_free(p.sink);
    return ok ? FV_OK
              : fv_fail(err, FV_ERR_NOMEM,
                        "roofline: no memory: %zu MiB are needed for a moment to measure it",
                        WORDS * sizeof(*p.memory) >> 20);
}

double fv_roofline_seconds(const fv_roofline *roofline, double flops, double bytes)
{
    const double computing = flops / roofline->flops, moving = bytes / roofline->bytes;
    return computing > moving ? computing : moving;
}
