/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "eval/pictures.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static fv_pictures pictures;

static int setup(void **state)
{
    (void)state;
    fv_pictures_init(&pictures);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fv_pictures_deinit(&pictures);
    return 0;
}

/* "<test folder>/<name>"; the last four results stay valid. */
static const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", testing_folder(), name);
    return path;
}

static void put(const char *name, const char *text)
{
    assert_ok(fv_file_write(in_folder(name), text, strlen(text), &testing_err));
}

static void test_a_file_is_taken_as_it_is(void **state)
{
    (void)state;
    assert_ok(fv_pictures_add(&pictures, "no/such/picture", "root", &testing_err));
    assert_int_equal(pictures.paths.count, 1);
    assert_string_equal(fv_pictures_at(&pictures, 0), "no/such/picture");
}

static void test_folder(void **state)
{
    (void)state;
    static const char *const expected[] = { "tree/B.JPG", "tree/a-b/3.png", "tree/a/1.jpeg",
                                            "tree/a/2.jpg", "tree/lost.jpg" };
    mkdir(in_folder("tree"), 0777);
    mkdir(in_folder("tree/a"), 0777);
    mkdir(in_folder("tree/a-b"), 0777);
    mkdir(in_folder("tree/dir.jpg"), 0777);
    put("tree/a/2.jpg", "");
    put("tree/a/1.jpeg", "");
    put("tree/a/notes.txt", "");
    put("tree/a/jpg", "");
    put("tree/a-b/3.png", "");
    put("tree/B.JPG", "");
    assert_int_equal(symlink("nowhere", in_folder("tree/lost.jpg")), 0);
    assert_int_equal(symlink("..", in_folder("tree/a/loop")), 0);

    assert_ok(fv_pictures_add(&pictures, in_folder("tree//"), "", &testing_err));
    assert_int_equal(pictures.paths.count, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(fv_pictures_at(&pictures, i), in_folder(expected[i]));

    assert_ok(fv_pictures_add(&pictures, in_folder("tree/dir.jpg"), "", &testing_err));
    assert_int_equal(pictures.paths.count, 6);
    assert_string_equal(fv_pictures_at(&pictures, 5), in_folder("tree/dir.jpg"));

    fv_error err;
    char message[300];
    mkdir(in_folder("empty"), 0777);
    snprintf(message, sizeof(message), "%s: no pictures (.jpg .jpeg .png) in this folder",
             in_folder("empty"));
    assert_int_equal(fv_pictures_add(&pictures, in_folder("empty"), "", &err), FV_ERR_IO);
    assert_string_equal(err.message, message);
}

static void test_list(void **state)
{
    (void)state;
    static const char *const expected[] = { "root/a.jpg",  "root/b c.jpg", "/abs/d.jpg",
                                            "root/17",     "root/e 5.jpg", "root/f.jpg",
                                            "root/g 7.jpg" };
    put("list.txt",
        "\xef\xbb\xbf"
        "a.jpg 0\r\nb c.jpg \t 17\n\n/abs/d.jpg\n17\ne 5.jpg\n  \nf.jpg 3 \n\"g 7.jpg\" 3\n");
    assert_ok(fv_pictures_add(&pictures, in_folder("list.txt"), "root", &testing_err));
    assert_int_equal(pictures.paths.count, 7);
    for (int i = 0; i < 7; i++) assert_string_equal(fv_pictures_at(&pictures, i), expected[i]);
}

static void expect_content(int i, const char *wanted)
{
    char *bytes = NULL;
    size_t size = 0;
    assert_ok(fv_pictures_read(&pictures, i, &bytes, &size, &testing_err));
    assert_int_equal(size, strlen(wanted));
    assert_string_equal(bytes, wanted);
    fv_free(bytes);
}

/* Pictures of datasets stand between others. */
static void test_dataset(void **state)
{
    (void)state;
    put("one.jpg", "one");
    put("two.jpg", "two");
    put("table.csv", "label,path\n0,two.jpg\n1,none.jpg\n0,one.jpg\n");
    assert_ok(fv_pictures_add(&pictures, in_folder("one.jpg"), "", &testing_err));
    for (int i = 0; i < 2; i++)
        assert_ok(
            fv_pictures_add(&pictures, in_folder("table.csv"), testing_folder(), &testing_err));
    assert_ok(fv_pictures_add(&pictures, in_folder("two.jpg"), "", &testing_err));
    assert_int_equal(pictures.paths.count, 8);
    assert_string_equal(fv_pictures_at(&pictures, 4), in_folder("two.jpg"));
    for (int i = 0; i < 6; i += 3) {
        expect_content(1 + i, "two");
        expect_content(3 + i, "one");
    }
    expect_content(0, "one");
    expect_content(7, "two");
    char *bytes = NULL, wanted[400];
    size_t size = 0;
    assert_int_equal(fv_pictures_read(&pictures, 5, &bytes, &size, &testing_err), FV_ERR_IO);
    snprintf(wanted, sizeof(wanted), "%s: cannot open: No such file or directory",
             in_folder("none.jpg"));
    assert_string_equal(testing_err.message, wanted);
    assert_int_equal(fv_pictures_add(&pictures, in_folder("none.tar"), "", &testing_err),
                     FV_ERR_IO);
}

static void expect_list_error(const char *name, const char *text, const char *why)
{
    char message[400];
    fv_error err;
    put(name, text);
    snprintf(message, sizeof(message), "%s%s", in_folder(name), why);
    assert_int_equal(fv_pictures_add(&pictures, in_folder(name), "", &err), FV_ERR_FORMAT);
    assert_string_equal(err.message, message);
}

static void test_bad_lists(void **state)
{
    (void)state;
    static char endless[5000];
    memset(endless, 'x', sizeof(endless) - 1);
    endless[1] = '\n';
    expect_list_error("empty.txt", " \n\r\n", ": the list is empty");
    expect_list_error("long.txt", endless, ":2: the path is longer than 4095 bytes");

    fv_error err;
    char message[400];
    assert_ok(fv_file_write(in_folder("zero.txt"), "a\0b", 3, &testing_err));
    snprintf(message, sizeof(message), "%s: not a list of pictures: it has a zero byte",
             in_folder("zero.txt"));
    assert_int_equal(fv_pictures_add(&pictures, in_folder("zero.txt"), "", &err), FV_ERR_FORMAT);
    assert_string_equal(err.message, message);
    assert_int_equal(fv_pictures_add(&pictures, in_folder("none.txt"), "", &err), FV_ERR_IO);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    put("short.txt", "a.jpg 0\nb.jpg 1\n");
    for (size_t n = 1; n <= 3; n++) { /* the text, the arena, the list */
        fv_pictures p;
        fv_error err;
        fv_pictures_init(&p);
        fv_alloc_fail_at(n);
        assert_int_equal(fv_pictures_add(&p, in_folder("short.txt"), "", &err), FV_ERR_NOMEM);
        fv_alloc_fail_at(0);
        fv_pictures_deinit(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_is_taken_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dataset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
