/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "eval/answers.h"

#include <math.h>
#include <stdio.h>

static const char *path_of_answers(void)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/answers.tsv", testing_folder());
    return path;
}

static void write_text(const char *text, size_t bytes)
{
    assert_ok(fv_file_write(path_of_answers(), text, bytes, &testing_err));
}

static void add_answers(fv_answers *a)
{
    const float sure[] = { 0.0f, 0.0f, 20.0f }, even[] = { 1.0f, 1.0f, 1.0f };
    fv_answers_add(a, "a/b c.png", &(fv_answer){ .label = 2, .logits = sure, .classes = 3 });
    fv_answers_add(a, "a\tb\nc", &(fv_answer){ .label = 1, .logits = even, .classes = 3 });
    fv_answers_add(a, "gone", &(fv_answer){ .label = 0, .classes = 3 });
}

static void test_file(void **unused)
{
    (void)unused;
    fv_answers a = { 0 };
    char *text;
    size_t bytes;
    add_answers(&a);
    assert_ok(fv_answers_save(&a, path_of_answers(), &testing_err));
    assert_ok(fv_file_read(path_of_answers(), 1000, &text, &bytes, &testing_err));
    assert_string_equal(text, "a/b c.png\t2\t2\t1.000000\n"
                              "a?b?c\t1\t0\t0.333333\n"
                              "gone\t0\t-1\t0.000000\n");
    fv_free(text);
    fv_answers_clear(&a);
    assert_ok(fv_answers_save(&a, path_of_answers(), &testing_err));
    fv_answers_deinit(&a);
    assert_ok(fv_answers_load(&a, path_of_answers(), &testing_err));
    assert_int_equal(a.count, 0);
    fv_answers_deinit(&a);
}

static void test_many_come_back(void **unused)
{
    (void)unused;
    fv_answers a = { 0 }, b;
    for (int i = 0; i < 1000; i++) add_answers(&a);
    assert_ok(fv_answers_save(&a, path_of_answers(), &testing_err));
    assert_ok(fv_answers_load(&b, path_of_answers(), &testing_err));
    assert_int_equal(b.count, 3000);
    for (size_t i = 0; i < b.count; i++) {
        assert_string_equal(b.rows[i].name, i % 3 == 1 ? "a?b?c" : a.rows[i].name);
        assert_int_equal(b.rows[i].label, a.rows[i].label);
        assert_int_equal(b.rows[i].best, a.rows[i].best);
        assert_true(fabsf(b.rows[i].probability - a.rows[i].probability) < 1e-6f);
    }
    fv_answers_deinit(&b);
    fv_answers_deinit(&a);
}

static void assert_line_refused(const char *text, size_t bytes, int line)
{
    char expected[700];
    fv_answers a = { 0 };
    fv_error err;
    write_text(text, bytes);
    assert_int_equal(fv_answers_load(&a, path_of_answers(), &err), FV_ERR_FORMAT);
    snprintf(expected, sizeof(expected),
             "%s:%d: must be a picture, its label, a class and a probability, separated by tabs",
             path_of_answers(), line);
    assert_string_equal(err.message, expected);
    assert_null(a.rows);
}

static void test_bad_lines(void **unused)
{
    (void)unused;
#define REFUSED(text, line) assert_line_refused(text, sizeof(text) - 1, line)
    REFUSED("a\t1\t1\t0.5\nb\t1\t1\t0.5", 2); /* torn */
    REFUSED("\n", 1);
    REFUSED("a\t1\t1\n", 1);
    REFUSED("\t1\t1\t0.5\n", 1);
    REFUSED("a\t-1\t1\t0.5\n", 1);
    REFUSED("a\t1\t-2\t0.5\n", 1);
    REFUSED("a\t1\t1000000\t0.5\n", 1);
    REFUSED("a\t1\t99999999999999999999\t0.5\n", 1);
    REFUSED("a\t1x\t1\t0.5\n", 1);
    REFUSED("a\t1\t1\t1.5\n", 1);
    REFUSED("a\t1\t1\t\n", 1);
    REFUSED("a\t1\t1\t0.5\0\n", 1);
#undef REFUSED
    fv_answers a = { 0 };
    write_text("a\tb\t1\t2\tnan\n", 12); /* a tab in the name */
    assert_ok(fv_answers_load(&a, path_of_answers(), &testing_err));
    assert_string_equal(a.rows[0].name, "a\tb");
    assert_true(a.rows[0].best == 2 && a.rows[0].probability == 0.0f);
    fv_answers_deinit(&a);
}

static void test_memory(void **unused)
{
    (void)unused;
    fv_answers a = { 0 }, b = { 0 };
    fv_error err;
    fv_alloc_fail_at(1);
    add_answers(&a);
    fv_alloc_fail_at(0);
    assert_int_equal(fv_answers_save(&a, path_of_answers(), &err), FV_ERR_NOMEM);
    fv_answers_deinit(&a);

    write_text("a\t1\t1\t0.5\n", 10);
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_alloc_fail_at(n);
        status = fv_answers_load(&b, path_of_answers(), &err);
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || (status == FV_ERR_NOMEM && !b.rows && n < 100));
    }
    fv_answers_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_many_come_back),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
