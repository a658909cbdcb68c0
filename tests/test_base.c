/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/roofline.h"
#include "base/threads.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_alloc(void **state)
{
    (void)state;
    unsigned char *block = fv_alloc(1000);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % FV_ALIGNMENT, 0);
    for (int i = 0; i < 1000; i++) assert_int_equal(block[i], 0);
    fv_free(block);
    fv_free(NULL);
    void *empty = fv_alloc(0);
    assert_non_null(empty);
    fv_free(empty);
    assert_null(fv_alloc(SIZE_MAX));
    const size_t large = ((size_t)17 << 20) + 1; /* where pages are huge */
    block = fv_alloc(large);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % FV_ALIGNMENT, 0);
    for (size_t i = 0; i < large; i += 1024) assert_int_equal(block[i], 0);
    block[large - 1] = 1;
    fv_free(block);
}

static void test_alloc_fails_on_demand(void **state)
{
    (void)state;
    const size_t before = fv_alloc_count();
    fv_alloc_fail_at(2);
    void *a = fv_alloc(1), *b = fv_alloc(1), *c = fv_alloc(1);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    assert_int_equal(fv_alloc_count() - before, 2);
    fv_free(a);
    fv_free(c);
}

static void test_arena(void **state)
{
    (void)state;
    fv_arena arena;
    fv_arena_init(&arena);
    unsigned char *blocks[200];
    for (int i = 0; i < 200; i++) {
        const size_t bytes = (size_t)i * 37 + 1;
        blocks[i] = fv_arena_alloc(&arena, bytes);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % sizeof(max_align_t), 0);
        for (size_t k = 0; k < bytes; k++) assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], i, bytes);
    }
    for (int i = 0; i < 200; i++)
        for (size_t k = 0; k < (size_t)i * 37 + 1; k++) assert_int_equal(blocks[i][k], i);
    assert_non_null(fv_arena_alloc(&arena, 1 << 20));
    assert_null(fv_arena_alloc(&arena, SIZE_MAX));
    assert_null(fv_arena_alloc(&arena, SIZE_MAX - 100));
    assert_string_equal(fv_arena_join(&arena, "a", ".", "b"), "a.b");
    assert_string_equal(fv_arena_join(&arena, "", ".", "b"), "b");
    fv_arena_deinit(&arena);
    fv_arena_deinit(&arena);
}

static void test_list(void **state)
{
    (void)state;
    fv_list list = { 0 };
    int numbers[1000];
    for (int i = 0; i < 1000; i++) assert_true(fv_list_append(&list, &numbers[i]));
    assert_int_equal(list.count, 1000);
    for (int i = 0; i < 1000; i++) assert_ptr_equal(list.items[i], &numbers[i]);
    fv_list_deinit(&list);
    assert_int_equal(list.count, 0);
    fv_alloc_fail_at(1);
    assert_false(fv_list_append(&list, numbers));
    assert_int_equal(list.count, 0);
}

static void test_status(void **state)
{
    (void)state;
    assert_string_equal(fv_status_text(FV_OK), "success");
    assert_string_equal(fv_status_text(FV_ERR_INTERRUPTED), "interrupted");
    assert_string_equal(fv_status_text((fv_status)99), "unknown status");
    fv_error err;
    assert_int_equal(fv_fail(&err, FV_ERR_IO, "%s: %d", "a", 7), FV_ERR_IO);
    assert_int_equal(err.status, FV_ERR_IO);
    assert_string_equal(err.message, "a: 7");
    assert_int_equal(fv_fail(NULL, FV_ERR_SHAPE, "x"), FV_ERR_SHAPE);
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fv_fail(&err, FV_ERR_IO, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

/* ---- Log --------------------------------------------------------------------- */

typedef struct lines {
    int count; /* not atomic: the log calls one at a time */
    fv_log_level level;
    char last[2048];
} lines;

static void keep(void *ctx, fv_log_level level, const char *line)
{
    lines *l = ctx;
    l->count++;
    l->level = level;
    snprintf(l->last, sizeof(l->last), "%s", line);
}

static void *shout(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 1000; i++) fv_log(FV_LOG_INFO, "line %d", i);
    return NULL;
}

static void test_log(void **state)
{
    (void)state;
    lines l = { 0 };
    fv_log(FV_LOG_WARNING, "nobody hears this");
    fv_log_sink(keep, &l);
    fv_log(FV_LOG_NOTICE, "%s and\n%s\x1b[31m", "one", "two");
    assert_int_equal(l.count, 1);
    assert_int_equal(l.level, FV_LOG_NOTICE);
    assert_string_equal(l.last, "one and two [31m");
    char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fv_log(FV_LOG_INFO, "%s", text);
    assert_int_equal(strlen(l.last), 1023);

    pthread_t threads[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, shout, NULL), 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    assert_int_equal(l.count, 3002);
    fv_log_sink(NULL, NULL);
    fv_log(FV_LOG_INFO, "nor this");
    assert_int_equal(l.count, 3002);
}

/* ---- Processor and clock ----------------------------------------------------- */

static void test_cpu(void **state)
{
    (void)state;
    unsetenv("FOVEA_CPU");
    const unsigned all = fv_cpu_detect();
    assert_true(!(all & FV_CPU_AVX512) || (all & FV_CPU_AVX2));
    setenv("FOVEA_CPU", "avx2", 1);
    assert_int_equal(fv_cpu_detect(), all & FV_CPU_AVX2);
    setenv("FOVEA_CPU", "avx512", 1);
    assert_int_equal(fv_cpu_detect(), all);
    setenv("FOVEA_CPU", "scalar", 1);
    assert_int_equal(fv_cpu_detect(), FV_CPU_SCALAR);
    assert_ok(fv_cpu_check(&testing_err));
    setenv("FOVEA_CPU", "avx", 1);
    assert_int_equal(fv_cpu_check(&testing_err), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "FOVEA_CPU is \"avx\" in the environment; it can be scalar, avx2 or "
                        "avx512, or not be set");
    unsetenv("FOVEA_CPU");
    assert_ok(fv_cpu_check(&testing_err));
    assert_string_equal(fv_cpu_name(FV_CPU_SCALAR), "scalar");
    assert_string_equal(fv_cpu_name(FV_CPU_AVX2), "AVX2");
    assert_string_equal(fv_cpu_name(FV_CPU_AVX2 | FV_CPU_AVX512), "AVX-512");
    const char *model = fv_cpu_model();
    assert_true(strlen(model) > 0 && strlen(model) <= 48);
    assert_true(model[0] != ' ' && model[strlen(model) - 1] != ' ');
}

static void test_clock(void **state)
{
    (void)state;
    double last = fv_clock_seconds();
    for (int i = 0; i < 1000; i++) {
        const double now = fv_clock_seconds();
        assert_true(now >= last && now - last < 60.0);
        last = now;
    }
}

static void test_roofline(void **state)
{
    (void)state;
    fv_roofline r;
    for (int threads = 1; threads <= 2; threads++) {
        fv_threads_set(threads);
        assert_ok(fv_roofline_measure(&r, fv_cpu_detect(), &testing_err));
        assert_true(isfinite(r.flops) && r.flops > 1e6);
        assert_true(isfinite(r.bytes) && r.bytes > 1e6);
    }
    fv_threads_set(1);
    assert_ok(fv_roofline_measure(&r, FV_CPU_SCALAR, &testing_err));
    assert_true(isfinite(r.flops) && r.flops > 1e6);
    for (size_t i = 1; i <= 3; i++) {
        fv_alloc_fail_at(i);
        const fv_status status = fv_roofline_measure(&r, FV_CPU_SCALAR, &testing_err);
        fv_alloc_fail_at(0);
        assert_int_equal(status, FV_ERR_NOMEM);
        assert_string_equal(testing_err.message,
                            "roofline: no memory: 256 MiB are needed for a moment to measure it");
    }
    const fv_roofline known = { .flops = 100.0, .bytes = 10.0 };
    assert_true(fv_roofline_seconds(&known, 300.0, 20.0) == 3.0);
    assert_true(fv_roofline_seconds(&known, 300.0, 40.0) == 4.0);
    assert_true(fv_roofline_seconds(&known, 0.0, 0.0) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),    cmocka_unit_test(test_alloc_fails_on_demand),
        cmocka_unit_test(test_arena),    cmocka_unit_test(test_list),
        cmocka_unit_test(test_status),   cmocka_unit_test(test_log),
        cmocka_unit_test(test_cpu),      cmocka_unit_test(test_clock),
        cmocka_unit_test(test_roofline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
