/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "eval/labels.h"

#include <stdio.h>
#include <string.h>

static char path[128];

static void write_file(const char *text, size_t bytes)
{
    snprintf(path, sizeof(path), "%s/labels.txt", testing_folder());
    assert_ok(fv_file_write(path, text, bytes, &testing_err));
}

static void expect_error(const char *text, size_t bytes, const char *message)
{
    char whole[512];
    fv_labels labels;
    fv_error err;
    write_file(text, bytes);
    snprintf(whole, sizeof(whole), "%s%s", path, message);
    assert_int_equal(fv_labels_load(&labels, path, 3, &err), FV_ERR_FORMAT);
    assert_string_equal(err.message, whole);
}

static void test_load(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf"
                               "2 great white shark, man-eater\r\n\n0\ttench\n";
    fv_labels labels;
    write_file(text, sizeof(text) - 1);
    assert_ok(fv_labels_load(&labels, path, 3, &testing_err));
    assert_string_equal(fv_labels_name(&labels, 0), "tench");
    assert_null(fv_labels_name(&labels, 1));
    assert_string_equal(fv_labels_name(&labels, 2), "great white shark, man-eater");
    assert_null(fv_labels_name(&labels, 3));
    assert_null(fv_labels_name(&labels, -1));
    fv_labels_deinit(&labels);
    assert_null(fv_labels_name(&labels, 0));
}

static void test_messages(void **state)
{
    (void)state;
    expect_error("0 a\ntench 1\n", 12, ":2: \"tench 1\" does not begin with a class number");
    expect_error("-1 a\n", 5, ":1: \"-1 a\" does not begin with a class number");
    expect_error("1a b\n", 5, ":1: \"1a b\" does not begin with a class number");
    expect_error("0 a\n3 b\n", 8, ":2: class 3 b, but the model has 3 classes");
    expect_error("99999999999999999999 b", 22,
                 ":1: class 99999999999999999999, but the model has 3 classes");
    expect_error("0 a\n0 b\n", 8, ":2: class 0 was already named \"a\"");
    expect_error("0 a\0b", 5, ": not a text file: it has a zero byte");
}

static void test_split(void **state)
{
    (void)state;
    fv_labels labels;
    assert_ok(fv_labels_split(&labels, "a\n\nc d\ne\nf", 4, &testing_err));
    assert_int_equal(labels.count, 4);
    assert_string_equal(fv_labels_name(&labels, 0), "a");
    assert_null(fv_labels_name(&labels, 1));
    assert_string_equal(fv_labels_name(&labels, 2), "c d");
    assert_string_equal(fv_labels_name(&labels, 3), "e");
    fv_labels_deinit(&labels);
    assert_ok(fv_labels_split(&labels, "", 2, &testing_err));
    assert_null(fv_labels_name(&labels, 0));
    fv_labels_deinit(&labels);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    fv_labels labels;
    fv_error err;
    write_file("0 a\n", 4);
    for (size_t n = 1; n <= 2; n++) {
        fv_alloc_fail_at(n);
        assert_int_equal(fv_labels_load(&labels, path, 3, &err), FV_ERR_NOMEM);
        fv_alloc_fail_at(n);
        assert_int_equal(fv_labels_split(&labels, "a", 1, &err), FV_ERR_NOMEM);
        fv_alloc_fail_at(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
