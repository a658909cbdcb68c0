/* SPDX-License-Identifier: Apache-2.0 */
/* base/threads_impl.h - how the number of threads is found out; private to base and its tests. */
#ifndef FV_BASE_THREADS_IMPL_H
#define FV_BASE_THREADS_IMPL_H

#include "base/threads.h"

/* CPUs granted by the cgroup of this process, or 0 where there is no limit. `root` is put before
 * /proc and /sys; `version` becomes 1 or 2. Along the path from the cgroup up to the root the
 * smallest quota counts. */
double fv_threads_quota(const char *root, int *version);

/* What fv_threads_choose() decides from. */
typedef struct fv_threads_facts {
    int requested;      /* 0: not given */
    const char *openmp; /* OMP_NUM_THREADS, or NULL */
    double quota;       /* CPUs; 0: none */
    int quota_version;
    int affinity; /* CPUs that this process may run on */
    int online;   /* CPUs of the machine */
} fv_threads_facts;

void fv_threads_decide(const fv_threads_facts *facts, fv_threads_choice *out);

#endif /* FV_BASE_THREADS_IMPL_H */
