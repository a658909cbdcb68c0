/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[512]; /* of the test at hand */

static const char *in_folder(const char *name)
{
    assert_true(fv_path_join(path, sizeof(path), testing_folder(), name));
    return path;
}

static void expect_error(fv_status status, const char *format)
{
    char message[1024];
    snprintf(message, sizeof(message), format, path);
    assert_int_equal(status, FV_ERR_IO);
    assert_string_equal(testing_err.message, message);
}

static int entries(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) count += e->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void expect_content(const char *name, const char *text, size_t bytes)
{
    char *data = NULL;
    size_t got = 0;
    assert_ok(fv_file_read(in_folder(name), 1 << 20, &data, &got, &testing_err));
    assert_int_equal(got, bytes);
    assert_memory_equal(data, text, bytes);
    assert_int_equal(data[bytes], 0);
    fv_free(data);
}

static void test_write_and_read(void **state)
{
    (void)state;
    assert_ok(fv_file_write(in_folder("a"), "one\0two", 7, &testing_err));
    expect_content("a", "one\0two", 7);
    assert_ok(fv_file_write(in_folder("a"), "", 0, &testing_err));
    expect_content("a", "", 0);
    assert_true(fv_file_exists(path));
    assert_false(fv_file_is_folder(path));
}

static void test_read_errors(void **state)
{
    (void)state;
    char *data = NULL;
    size_t bytes = 0;
    const char *name = in_folder("absent");
    expect_error(fv_file_read(name, 10, &data, &bytes, &testing_err),
                 "%s: cannot open: No such file or directory");
    name = in_folder("");
    expect_error(fv_file_read(name, 10, &data, &bytes, &testing_err), "%s: not a regular file");
    name = in_folder("eleven");
    assert_ok(fv_file_write(name, "12345678901", 11, &testing_err));
    expect_error(fv_file_read(name, 10, &data, &bytes, &testing_err),
                 "%s: 11 bytes, more than the 10 allowed");
    assert_ok(fv_file_read(name, 11, &data, &bytes, &testing_err));
    fv_free(data);
    data = NULL;
    fv_alloc_fail_at(1);
    assert_int_equal(fv_file_read(name, 11, &data, &bytes, &testing_err), FV_ERR_NOMEM);
    assert_null(data);
}

/* A pipe without a writer must not hang. */
static void test_read_pipe(void **state)
{
    (void)state;
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    expect_error(fv_file_read(path, 10, &data, &bytes, &testing_err), "%s: not a regular file");
}

static void test_write_errors_leave_nothing(void **state)
{
    (void)state;
    expect_error(fv_file_write(in_folder("absent/a"), "x", 1, &testing_err),
                 "%s: cannot write: No such file or directory");
    assert_ok(fv_file_make_folder(in_folder("dir"), &testing_err));
    expect_error(fv_file_write(path, "x", 1, &testing_err), "%s: cannot write: not a regular file");
    assert_int_equal(entries(path), 0);
}

/* Devices are written to; /dev/null must not become a file. */
static void test_write_device(void **state)
{
    (void)state;
    struct stat info;
    assert_ok(fv_file_write("/dev/null", "x", 1, &testing_err));
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    snprintf(path, sizeof(path), "/dev/full");
    if (stat(path, &info) == 0)
        expect_error(fv_file_write(path, "x", 1, &testing_err),
                     "%s: cannot write: No space left on device");
}

static void test_temporary(void **state)
{
    (void)state;
    char target[600], temporary[700];
    assert_ok(fv_file_make_folder(in_folder("t"), &testing_err));
    snprintf(target, sizeof(target), "%s/x", path);
    assert_ok(fv_file_write(target, "old", 3, &testing_err));

    assert_ok(fv_file_temporary(target, temporary, sizeof(temporary), &testing_err));
    assert_memory_equal(temporary, target, strlen(target));
    assert_ok(fv_file_write(temporary, "new", 3, &testing_err));
    expect_content("t/x", "old", 3);
    fv_file_discard(temporary);
    assert_false(fv_file_exists(temporary));
    expect_content("t/x", "old", 3);

    assert_ok(fv_file_write(temporary, "new", 3, &testing_err));
    assert_ok(fv_file_commit(temporary, target, &testing_err));
    expect_content("t/x", "new", 3);
    assert_int_equal(entries(in_folder("t")), 1);

    snprintf(path, sizeof(path), "%.500s", target);
    expect_error(fv_file_commit(temporary, target, &testing_err),
                 "%s: cannot write: No such file or directory");
    expect_error(fv_file_temporary(target, temporary, strlen(target) + 2, &testing_err),
                 "%s: cannot write: the path is too long");
}

/* What a link leads to stays as it is; the link itself is replaced. */
static void test_write_over_a_link(void **state)
{
    (void)state;
    char other[512];
    assert_ok(fv_file_write(in_folder("other"), "keep", 4, &testing_err));
    snprintf(other, sizeof(other), "%s", path);
    assert_int_equal(symlink(other, in_folder("link")), 0);
    assert_ok(fv_file_write(path, "new", 3, &testing_err));
    expect_content("link", "new", 3);
    expect_content("other", "keep", 4);
}

static void test_make_folder(void **state)
{
    (void)state;
    assert_ok(fv_file_make_folder(in_folder("p/q//r/"), &testing_err));
    assert_true(fv_file_is_folder(path));
    assert_ok(fv_file_make_folder(path, &testing_err));
    assert_ok(fv_file_make_folder("/", &testing_err));
    assert_ok(fv_file_write(in_folder("file"), "", 0, &testing_err));
    char below[600];
    snprintf(below, sizeof(below), "%s/x", path);
    expect_error(fv_file_make_folder(below, &testing_err),
                 "%s: cannot create the folder: File exists");
    assert_int_equal(fv_file_make_folder("", &testing_err), FV_ERR_IO);
    assert_string_equal(testing_err.message, "the name of a folder to create is empty");
}

static void test_path_join(void **state)
{
    (void)state;
    static const struct {
        const char *root, *name, *joined;
    } cases[] = {
        { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "", "b", "b" },
        { "a", "/b", "/b" }, { "/", "b", "/b" },   { "a", "", "a/" },
    };
    char out[8];
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        assert_true(fv_path_join(out, sizeof(out), cases[i].root, cases[i].name));
        assert_string_equal(out, cases[i].joined);
    }
    assert_true(fv_path_join(out, sizeof(out), "abc", "def"));
    assert_false(fv_path_join(out, sizeof(out), "abcd", "def"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),    cmocka_unit_test(test_read_errors),
        cmocka_unit_test(test_read_pipe),         cmocka_unit_test(test_write_errors_leave_nothing),
        cmocka_unit_test(test_write_device),      cmocka_unit_test(test_temporary),
        cmocka_unit_test(test_write_over_a_link), cmocka_unit_test(test_make_folder),
        cmocka_unit_test(test_path_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
