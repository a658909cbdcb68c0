/* SPDX-License-Identifier: Apache-2.0 */
/* base/threads.h - how many threads compute, and the only way to use them.
 *
 * fv_parallel_for() is the library's parallelism. Work is cut into tasks by its size
 * alone, never by the number of threads, and whatever is summed over tasks is summed in
 * their order: so results do not depend on the number of threads. It must not be nested, but
 * for tasks that are alone: see fv_threads_alone().
 * Every thread it uses flushes denormals to zero (and sees them as zero).
 */
#ifndef FV_BASE_THREADS_H
#define FV_BASE_THREADS_H

#include "base/status.h"

#include <stdbool.h>

typedef struct fv_threads_choice {
    int count;        /* >= 1 */
    char reason[128]; /* "cgroup v2 quota: 3.5 CPUs of 64", for the start-up line */
} fv_threads_choice;

/* Decides, in this order: `requested` (from the command line; 0: not given),
 * OMP_NUM_THREADS, the cgroup quota (v2 cpu.max, v1 cfs_quota) or the affinity mask,
 * whichever is smaller, the online CPUs. */
void fv_threads_choose(int requested, fv_threads_choice *out);

/* The number of threads that fv_parallel_for() uses from now on; 1 at start. Also sets
 * the floating-point mode of each of them. */
void fv_threads_set(int count);
int fv_threads_count(void);

/* `worker` is in [0, fv_threads_count()) and names the scratch a task may use. */
typedef void fv_task_fn(void *ctx, int task, int worker);

/* Runs fn(ctx, task, worker) for every task in [0, tasks), in any order, and waits. */
void fv_parallel_for(int tasks, fv_task_fn *fn, void *ctx);

/* From now on the calling thread is (or is no longer) alone: fv_threads_count() is 1 for it, and
 * its fv_parallel_for() runs all tasks itself. So a task can run what would else be spread. */
void fv_threads_alone(bool alone);

/* Denormals are zero from now on in the calling thread; for threads of one's own. */
void fv_denormals_flush(void);

#endif /* FV_BASE_THREADS_H */
