/* SPDX-License-Identifier: Apache-2.0 */
#include "base/threads.h"

#include "base/compiler.h"

#include <assert.h>
#include <omp.h>
#include <stdatomic.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

/* The OpenMP runtime is not built for ThreadSanitizer, which therefore misses that a region
 * begins after what its creator did and ends before what its creator does. Say so. */
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define ACQUIRE(p) __tsan_acquire(p)
#define RELEASE(p) __tsan_release(p)
#define UNSEEN     __attribute__((no_sanitize("thread")))
#else
#define ACQUIRE(p) ((void)(p))
#define RELEASE(p) ((void)(p))
#define UNSEEN
#endif

enum { MOST_THREADS = 1024 };

static atomic_int thread_count = 1;
static _Thread_local bool is_alone;

void fv_denormals_flush(void)
{
#if defined(__SSE2__)
    const unsigned flush_to_zero = 0x8000u, denormals_are_zero = 0x0040u;
    const unsigned mode = _mm_getcsr(), wanted = mode | flush_to_zero | denormals_are_zero;
    if (mode != wanted) _mm_setcsr(wanted);
#endif
}

UNSEEN void fv_threads_set(int count)
{
    const int threads = fv_max(1, fv_min(count, MOST_THREADS));
    atomic_store(&thread_count, threads);
    fv_denormals_flush();
    if (threads == 1) return;
#pragma omp parallel num_threads(threads)
    fv_denormals_flush();
}

int fv_threads_count(void) { return is_alone ? 1 : atomic_load(&thread_count); }

void fv_threads_alone(bool alone) { is_alone = alone; }

UNSEEN void fv_parallel_for(int tasks, fv_task_fn *fn, void *ctx)
{
    const int threads = fv_threads_count();
    assert(is_alone || !omp_in_parallel());
    if (threads == 1 || tasks <= 1) {
        fv_denormals_flush();
        for (int task = 0; task < tasks; task++) fn(ctx, task, 0);
        return;
    }
    char order = 0;
    RELEASE(&order);
    /* Always the same number of threads, even for fewer tasks: a smaller team would make the
     * runtime end threads that the next region has to start anew. */
#pragma omp parallel num_threads(threads)
    {
        ACQUIRE(&order);
        fv_denormals_flush();
        const int worker = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1) nowait
        for (int task = 0; task < tasks; task++) fn(ctx, task, worker);
        RELEASE(&order);
    }
    ACQUIRE(&order);
}
