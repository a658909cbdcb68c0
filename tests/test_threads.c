/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/threads.h"
#include "base/threads_impl.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fv_parallel_for --------------------------------------------------------- */

enum { TASKS = 1000, MOST = 5 };

typedef struct work {
    int done[TASKS]; /* not atomic: each belongs to one task */
    float sums[TASKS];
    int per_worker[MOST];
    atomic_bool outside;
    float tiny; /* half of it is a denormal */
    atomic_int unflushed;
} work;

static void task(void *ctx, int i, int worker)
{
    work *w = ctx;
    if (worker < 0 || worker >= fv_threads_count()) {
        atomic_store(&w->outside, true);
        return;
    }
    w->done[i]++;
    w->per_worker[worker]++;
    for (int k = 1; k <= 100; k++) w->sums[i] += 1.0f / (float)(i + k);
    const volatile float tiny = w->tiny;
    if (tiny * 0.5f != 0.0f) atomic_fetch_add(&w->unflushed, 1);
}

static void run(work *w, int threads, int tasks)
{
    *w = (work){ .tiny = 1.2e-38f };
    fv_threads_set(threads);
    assert_int_equal(fv_threads_count(), threads);
    fv_parallel_for(tasks, task, w);
    for (int i = 0; i < TASKS; i++) assert_int_equal(w->done[i], i < tasks);
    assert_false(atomic_load(&w->outside));
    int total = 0;
    for (int i = 0; i < MOST; i++) total += w->per_worker[i];
    assert_int_equal(total, tasks);
}

static void test_every_task_once(void **state)
{
    (void)state;
    static work w, serial;
    static const int tasks[] = { 0, 1, 2, 7, TASKS };
    run(&serial, 1, TASKS);
    for (int threads = 1; threads <= MOST; threads++)
        for (size_t i = 0; i < FV_ARRAY_LEN(tasks); i++) run(&w, threads, tasks[i]);
    assert_memory_equal(w.sums, serial.sums, sizeof(w.sums));
    fv_threads_set(1);
}

static void test_count_has_bounds(void **state)
{
    (void)state;
    fv_threads_set(0);
    assert_int_equal(fv_threads_count(), 1);
    fv_threads_set(-4);
    assert_int_equal(fv_threads_count(), 1);
}

static void test_denormals_are_flushed(void **state)
{
    (void)state;
#if defined(__SSE2__)
    static work w;
    for (int threads = 1; threads <= 3; threads++) {
        run(&w, threads, TASKS);
        assert_int_equal(atomic_load(&w.unflushed), 0);
    }
    fv_threads_set(1);
#else
    skip();
#endif
}

/* A thread of one's own begins with its creator's mode only by chance. */
static void *flush(void *ctx)
{
    work *w = ctx;
    fv_denormals_flush();
    const volatile float tiny = w->tiny;
    if (tiny * 0.5f != 0.0f) atomic_fetch_add(&w->unflushed, 1);
    return NULL;
}

static void test_own_thread(void **state)
{
    (void)state;
#if defined(__SSE2__)
    static work w = { .tiny = 1.2e-38f };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, flush, &w), 0);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&w.unflushed), 0);
#else
    skip();
#endif
}

/* ---- Cgroups ----------------------------------------------------------------- */

static char root[256];

static void new_root(void)
{
    static int number;
    snprintf(root, sizeof(root), "%s/root%d", testing_folder(), number++);
}

static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    *strrchr(path, '/') = '\0';
    assert_ok(fv_file_make_folder(path, &testing_err));
    path[strlen(path)] = '/';
    assert_ok(fv_file_write(path, text, strlen(text), &testing_err));
}

static void expect(double quota, int version)
{
    int found = -1;
    const double q = fv_threads_quota(root, &found);
    if (q != quota || found != version)
        fail_msg("quota %g of version %d, expected %g of %d", q, found, quota, version);
}

static void test_cgroup_v2(void **state)
{
    (void)state;
    new_root();
    expect(0.0, 0); /* no /proc at all */
    put("proc/self/cgroup", "0::/a/b\n");
    expect(0.0, 0);
    put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    expect(0.0, 0);
    put("sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    expect(2.5, 2); /* of the parent */
    put("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    expect(0.5, 2);
    put("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
    expect(2.5, 2); /* the smallest counts */
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    expect(1.0, 2);
}

/* In a container /proc may name a group of the host, and the mount may be the group itself. */
static void test_cgroup_v2_in_a_container(void **state)
{
    (void)state;
    new_root();
    put("proc/self/cgroup", "0::/host/only\n");
    put("sys/fs/cgroup/cpu.max", "300000 100000\n");
    expect(3.0, 2);
    put("proc/self/cgroup", "0::/\n");
    expect(3.0, 2);
    put("proc/self/cgroup", "0::/../..\n");
    expect(3.0, 2);
}

static void test_cgroup_v1(void **state)
{
    (void)state;
    new_root();
    put("proc/self/cgroup", "12:cpuset:/x\n4:cpu,cpuacct:/a\n1:name=systemd:/y\n0::/\n");
    put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    expect(0.0, 0);
    put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "150000\n");
    expect(1.5, 1);
    put("sys/fs/cgroup/cpu.max", "100000 100000\n"); /* both mounted */
    expect(1.0, 2);

    new_root();
    put("proc/self/cgroup", "4:cpuacct,cpu:/gone\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    expect(2.0, 1);
}

static void test_cgroup_nonsense(void **state)
{
    (void)state;
    static const char *const texts[] = { "",    "\n",          "0 0\n", "-1 100000\n",
                                         "10",  "100000 0\n",  "a b\n", "100000 -5\n",
                                         "max", "nan 100000\n" };
    new_root();
    put("proc/self/cgroup", "0::/\nnonsense\n0:\n7:cpuset\n:::\n");
    for (size_t i = 0; i < FV_ARRAY_LEN(texts); i++) {
        put("sys/fs/cgroup/cpu.max", texts[i]);
        expect(0.0, 0);
    }
    put("sys/fs/cgroup/cpu.max", "inf 100000\n");
    expect(0.0, 0);
}

/* ---- The decision ------------------------------------------------------------ */

static void decides(fv_threads_facts facts, int count, const char *reason)
{
    fv_threads_choice choice;
    fv_threads_decide(&facts, &choice);
    assert_int_equal(choice.count, count);
    assert_string_equal(choice.reason, reason);
}

static void test_decision(void **state)
{
    (void)state;
    const fv_threads_facts machine = { .affinity = 64, .online = 64 };
    fv_threads_facts f = machine;
    decides(f, 64, "online CPUs");
    f.affinity = 4;
    decides(f, 4, "affinity mask: 4 of 64 CPUs");
    f.quota = 2.5;
    f.quota_version = 2;
    decides(f, 3, "cgroup v2 quota: 2.5 CPUs of 64");
    f.quota = 0.1;
    f.quota_version = 1;
    decides(f, 1, "cgroup v1 quota: 0.1 CPUs of 64");
    f.quota = 5.0; /* more than the mask */
    decides(f, 4, "affinity mask: 4 of 64 CPUs");
    f = machine;
    f.quota = 1e30;
    decides(f, 64, "online CPUs");
    f.affinity = 0; /* unknown */
    decides(f, 64, "online CPUs");
}

static void test_decision_by_the_user(void **state)
{
    (void)state;
    fv_threads_facts f = { .openmp = "4,2", .affinity = 8, .online = 64 };
    decides(f, 4, "OMP_NUM_THREADS");
    f.openmp = "12";
    decides(f, 12, "OMP_NUM_THREADS, more than the 8 usable (affinity mask: 8 of 64 CPUs)");
    f.openmp = "0";
    decides(f, 8, "affinity mask: 8 of 64 CPUs");
    f.openmp = "many";
    decides(f, 8, "affinity mask: 8 of 64 CPUs");
    f.openmp = "";
    decides(f, 8, "affinity mask: 8 of 64 CPUs");
    f.openmp = "3";
    f.requested = 2;
    decides(f, 2, "--threads");
    f.requested = 9;
    f.quota = 1.25;
    f.quota_version = 2;
    decides(f, 9, "--threads, more than the 2 usable (cgroup v2 quota: 1.25 CPUs of 64)");
    f.requested = 1000000;
    decides(f, 1024, "--threads, more than the 2 usable (cgroup v2 quota: 1.25 CPUs of 64)");
    f.requested = 0;
    f.openmp = "99999999999999999999";
    decides(f, 1024, "OMP_NUM_THREADS, more than the 2 usable (cgroup v2 quota: 1.25 CPUs of 64)");
}

static void test_choice_on_this_machine(void **state)
{
    (void)state;
    fv_threads_choice choice;
    unsetenv("OMP_NUM_THREADS");
    fv_threads_choose(0, &choice);
    assert_in_range(choice.count, 1, 1024);
    assert_true(choice.reason[0] != '\0');
    setenv("OMP_NUM_THREADS", "1", 1);
    fv_threads_choose(0, &choice);
    assert_int_equal(choice.count, 1);
    assert_string_equal(choice.reason, "OMP_NUM_THREADS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once),
        cmocka_unit_test(test_count_has_bounds),
        cmocka_unit_test(test_denormals_are_flushed),
        cmocka_unit_test(test_own_thread),
        cmocka_unit_test(test_cgroup_v2),
        cmocka_unit_test(test_cgroup_v2_in_a_container),
        cmocka_unit_test(test_cgroup_v1),
        cmocka_unit_test(test_cgroup_nonsense),
        cmocka_unit_test(test_decision),
        cmocka_unit_test(test_decision_by_the_user),
        cmocka_unit_test(test_choice_on_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
