/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "picture_testing.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "data/dataset.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a list with this text, in the test's folder. */
static fv_status open_list(fv_dataset **out, const char *text, size_t size, const char *delimiter,
                           int classes)
{
    testing_write("list.txt", text, size);
    const fv_dataset_options options = { .image_root = "root",
                                         .list_path = testing_path("list.txt"),
                                         .delimiter = delimiter,
                                         .classes = classes };
    return fv_dataset_open(out, &options, &testing_err);
}

static void check_sample(const fv_dataset *d, int64_t i, const char *name, int label)
{
    assert_string_equal(fv_dataset_name(d, i), name);
    assert_int_equal(fv_dataset_label(d, i), label);
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text, *delimiter, *first, *second;
    } table[] = {
        { "a.jpg 3\nb.jpg 1\n", NULL, "a.jpg", "b.jpg" },
        { "a.jpg 3\r\nb.jpg 1", " ", "a.jpg", "b.jpg" },
        { "\xef\xbb\xbf\n  a.jpg   3 \n\n \t\nb.jpg\t1\n", " ", "a.jpg", "b.jpg" },
        { "one two  three.jpg \t 3\nb c.jpg 1\n", " ", "one two  three.jpg", "b c.jpg" },
        { "a b.jpg\t3\nb.jpg\t1\n", "\t", "a b.jpg", "b.jpg" },
        { "a,b.jpg,3\nb.jpg, 1\n", ",", "a,b.jpg", "b.jpg" },
        { "a.jpg::3\nb.jpg::1\n", "::", "a.jpg", "b.jpg" },
        { "\"one  two.jpg\" 3\n\"b\"\"c.jpg\" \"1\"\n", " ", "one  two.jpg", "b\"c.jpg" },
        { "\"a, b.jpg\",3\n\"b.jpg,1\n", ",", "a, b.jpg", "\"b.jpg" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        fv_dataset *d = NULL;
        assert_ok(open_list(&d, table[i].text, strlen(table[i].text), table[i].delimiter, 0));
        assert_int_equal(fv_dataset_count(d), 2);
        assert_int_equal(fv_dataset_classes(d), 4);
        check_sample(d, 0, table[i].first, 3);
        check_sample(d, 1, table[i].second, 1);
        assert_null(fv_dataset_class_name(d, 0));
        fv_dataset_close(d);
    }
}

static void open_partly(fv_dataset **out, const char *text, const char *delimiter)
{
    testing_write("list.txt", text, strlen(text));
    const fv_dataset_options options = { .image_root = "root",
                                         .list_path = testing_path("list.txt"),
                                         .delimiter = delimiter,
                                         .classes = 10,
                                         .unlabelled = true };
    assert_ok(fv_dataset_open(out, &options, &testing_err));
}

/* Where labels may be missing, what is no number belongs to the path. */
static void test_unlabelled(void **state)
{
    (void)state;
    static const struct {
        const char *text, *delimiter, *name;
        int label;
    } table[] = {
        { "a.jpg\n", " ", "a.jpg", FV_UNLABELLED },
        { "a.jpg 3\n", " ", "a.jpg", 3 },
        { "a.jpg -1\n", " ", "a.jpg", FV_UNLABELLED },
        { "my own picture.jpg\n", " ", "my own picture.jpg", FV_UNLABELLED },
        { "my own picture.jpg 9\n", " ", "my own picture.jpg", 9 },
        { "\"my picture.jpg\"\n", " ", "my picture.jpg", FV_UNLABELLED },
        { "\"my picture.jpg\" \"4\"\n", " ", "my picture.jpg", 4 },
        { "a.jpg 1x\n", " ", "a.jpg 1x", FV_UNLABELLED },
        { "a,b.jpg\n", ",", "a,b.jpg", FV_UNLABELLED },
        { "a.jpg,\n", ",", "a.jpg", FV_UNLABELLED },
        { "a.jpg, 5\n", ",", "a.jpg", 5 },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        fv_dataset *d = NULL;
        open_partly(&d, table[i].text, table[i].delimiter);
        check_sample(d, 0, table[i].name, table[i].label);
        assert_int_equal(fv_dataset_unlabelled(d), table[i].label == FV_UNLABELLED);
        fv_dataset_close(d);
    }
    fv_dataset *d = NULL;
    testing_write("list.txt", "a.jpg 10\n", 9);
    const fv_dataset_options options = { .list_path = testing_path("list.txt"),
                                         .classes = 10,
                                         .unlabelled = true };
    char wanted[1024];
    assert_int_equal(fv_dataset_open(&d, &options, &testing_err), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s:1: label 10: must be from 0 to 9",
             testing_path("list.txt"));
    assert_string_equal(testing_err.message, wanted);
}

static void test_paths(void **state)
{
    (void)state;
    static const char text[] = "a.jpg 0\n/b/c.jpg 1\n";
    fv_dataset *d = NULL;
    char path[64];
    assert_ok(open_list(&d, text, strlen(text), NULL, 2));
    assert_ok(fv_dataset_path(d, 0, path, sizeof(path), &testing_err));
    assert_string_equal(path, "root/a.jpg");
    assert_ok(fv_dataset_path(d, 1, path, sizeof(path), &testing_err));
    assert_string_equal(path, "/b/c.jpg");
    assert_int_equal(fv_dataset_path(d, 0, path, 5, &testing_err), FV_ERR_IO);
    assert_string_equal(testing_err.message, "root/a.jpg: the path is too long");
    fv_dataset_close(d);
}

static void test_list_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } table[] = {
        { "", ": the list is empty" },
        { "\n \n", ": the list is empty" },
        { "a.jpg 0\nb.jpg\n", ":2: no label: expected a path and a label, not \"b.jpg\"" },
        { "a.jpg cat\n", ":1: the label must be a number, not \"cat\"" },
        { "a.jpg 1x\n", ":1: the label must be a number, not \"1x\"" },
        { "a.jpg -1\n", ":1: label -1: must be from 0 to 9" },
        { "\na.jpg 10\n", ":2: label 10: must be from 0 to 9" },
        { "a.jpg 99999999999999999999\n", ":1: label 99999999999999999999: must be from 0 to 9" },
    };
    char wanted[1024];
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        fv_dataset *d = NULL;
        const fv_status status = open_list(&d, table[i].text, strlen(table[i].text), NULL, 10);
        assert_int_equal(status, FV_ERR_FORMAT);
        assert_null(d);
        snprintf(wanted, sizeof(wanted), "%s%s", testing_path("list.txt"), table[i].message);
        assert_string_equal(testing_err.message, wanted);
    }
    fv_dataset *d = NULL;
    assert_int_equal(open_list(&d, "a\0b 0\n", 6, NULL, 10), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s:1: the line holds a zero byte", testing_path("list.txt"));
    assert_string_equal(testing_err.message, wanted);
    for (int quoted = 0; quoted < 2; quoted++) {
        const char *text = quoted ? "\"\" 0\n" : ",0\n";
        assert_int_equal(open_list(&d, text, strlen(text), quoted ? " " : ",", 10), FV_ERR_FORMAT);
        snprintf(wanted, sizeof(wanted), "%s:1: no path before the label",
                 testing_path("list.txt"));
        assert_string_equal(testing_err.message, wanted);
    }

    static char wide[70003];
    memset(wide, 'a', sizeof(wide));
    memcpy(wide + sizeof(wide) - 3, " 0\n", 3);
    assert_int_equal(open_list(&d, wide, sizeof(wide), NULL, 10), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s:1: a path of 70000 bytes: the limit is 4095",
             testing_path("list.txt"));
    assert_string_equal(testing_err.message, wanted);
}

/* The shared lists, as their index says. */
static void test_bad_lists(void **state)
{
    (void)state;
    const char *shared = testing_shared("assets/bad_images");
    if (!shared) skip();
    char root[400], path[512], list[512];
    snprintf(root, sizeof(root), "%s", shared);
    snprintf(path, sizeof(path), "%s/lists/index.tsv", root);
    char *text = NULL;
    size_t size = 0;
    assert_ok(fv_file_read(path, 1 << 20, &text, &size, &testing_err));
    char *rest = text;
    strsep(&rest, "\n");
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        const char *name = strsep(&line, "\t"), *expect = strsep(&line, "\t");
        snprintf(list, sizeof(list), "%s/lists/%s", root, name);
        const fv_dataset_options options = { .image_root = root,
                                             .list_path = list,
                                             .classes = 1000 };
        fv_dataset *d = NULL;
        fv_status status = fv_dataset_open(&d, &options, &testing_err);
        fv_picture p = { 0 };
        /* A file that is absent or a folder shows when it is read. */
        for (int64_t i = 0; status == FV_OK && i < fv_dataset_count(d); i++) {
            assert_ok(fv_dataset_path(d, i, path, sizeof(path), &testing_err));
            status = fv_decode_file(&p, path, NULL, &testing_err);
        }
        if ((status == FV_OK) != (strcmp(expect, "ERROR") != 0))
            fail_msg("%s: not %s", name, expect);
        fv_picture_deinit(&p);
        fv_dataset_close(d);
    }
    fv_free(text);
}

/* ---- Folders ---- */

static void make_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s", testing_path(name));
    *strrchr(path, '/') = '\0';
    assert_ok(fv_file_make_folder(path, &testing_err));
    testing_write(name, "", 0); /* never opened */
}

static char last_line[512];

static void keep_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    snprintf(last_line, sizeof(last_line), "%s", line);
}

static void test_folders(void **state)
{
    (void)state;
    static const char *const files[] = { "set/n02/b.jpg",         "set/n02/a.JPEG",
                                         "set/n02/deep/er/c.Png", "set/n02/notes.txt",
                                         "set/n01/z.jpg",         "set/n01/.hidden.jpg",
                                         "set/N03/k.jpg",         "set/stray.jpg",
                                         "set/.git/what.jpg" };
    for (size_t i = 0; i < FV_ARRAY_LEN(files); i++) make_file(files[i]);
    assert_ok(fv_file_make_folder(testing_path("set/n015"), &testing_err));
    char root[512];
    snprintf(root, sizeof(root), "%s", testing_path("set"));
    fv_log_sink(keep_line, NULL);
    const fv_dataset_options options = { .image_root = root };
    fv_dataset *d = NULL;
    assert_ok(fv_dataset_open(&d, &options, &testing_err));
    fv_log_sink(NULL, NULL);
    assert_int_equal(fv_dataset_count(d), 5);
    assert_int_equal(fv_dataset_classes(d), 4);
    check_sample(d, 0, "N03/k.jpg", 0);
    check_sample(d, 1, "n01/z.jpg", 1);
    check_sample(d, 2, "n02/a.JPEG", 3);
    check_sample(d, 3, "n02/b.jpg", 3);
    check_sample(d, 4, "n02/deep/er/c.Png", 3);
    assert_string_equal(fv_dataset_class_name(d, 2), "n015");
    assert_null(fv_dataset_class_name(d, 4));
    char wanted[600];
    snprintf(wanted, sizeof(wanted), "%s/n015: no pictures in this class", root);
    assert_string_equal(last_line, wanted);
    fv_dataset_close(d);

    const fv_dataset_options three = { .image_root = root, .classes = 3 };
    assert_int_equal(fv_dataset_open(&d, &three, &testing_err), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s: 4 folders, but only 3 classes", root);
    assert_string_equal(testing_err.message, wanted);

    snprintf(root, sizeof(root), "%s", testing_path("set/n01"));
    assert_int_equal(fv_dataset_open(&d, &options, &testing_err), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s: no folders: one per class is expected", root);
    assert_string_equal(testing_err.message, wanted);

    snprintf(root, sizeof(root), "%s", testing_path("absent"));
    assert_int_equal(fv_dataset_open(&d, &options, &testing_err), FV_ERR_IO);
    snprintf(wanted, sizeof(wanted), "%s: No such file or directory", root);
    assert_string_equal(testing_err.message, wanted);

    const fv_dataset_options nothing = { .image_root = "" };
    assert_int_equal(fv_dataset_open(&d, &nothing, &testing_err), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "dataset: neither a list nor a folder is given");
}

/* A folder that links to itself ends in an error. */
static void test_loop(void **state)
{
    (void)state;
    char target[512], root[512];
    assert_ok(fv_file_make_folder(testing_path("loop/class"), &testing_err));
    snprintf(target, sizeof(target), "%s", testing_path("loop/class"));
    assert_int_equal(symlink(target, testing_path("loop/class/again")), 0);
    snprintf(root, sizeof(root), "%s", testing_path("loop"));
    const fv_dataset_options options = { .image_root = root };
    fv_dataset *d = NULL;
    assert_int_equal(fv_dataset_open(&d, &options, &testing_err), FV_ERR_IO);
    assert_non_null(strstr(testing_err.message, ": folders are nested more than 16 deep"));
}

/* ---- Names of classes ---- */

static void test_labels(void **state)
{
    (void)state;
    static const char list[] = "a.jpg 0\nb.jpg 2\n", good[] = "2 tench, Tinca tinca\r\n0\tcock\n";
    static const struct {
        const char *text, *message;
    } bad[] = {
        { "0\n", ":1: no name: expected an id and a name, not \"0\"" },
        { "x y\n", ":1: the id must be a number, not \"x\"" },
        { "0 a\n3 b\n", ":2: id 3: must be from 0 to 2" },
        { "0 a\n0 b\n", ":2: twice the id \"0\"" },
    };
    char labels[512], wanted[1024];
    snprintf(labels, sizeof(labels), "%s", testing_path("labels.txt"));
    testing_write("list.txt", list, strlen(list));
    fv_dataset_options options = { .list_path = testing_path("list.txt"), .label_list = labels };
    fv_dataset *d = NULL;
    testing_write("labels.txt", good, strlen(good));
    options.list_path = testing_path("list.txt");
    assert_ok(fv_dataset_open(&d, &options, &testing_err));
    assert_string_equal(fv_dataset_class_name(d, 0), "cock");
    assert_null(fv_dataset_class_name(d, 1));
    assert_string_equal(fv_dataset_class_name(d, 2), "tench, Tinca tinca");
    fv_dataset_close(d);
    for (size_t i = 0; i < FV_ARRAY_LEN(bad); i++) {
        testing_write("labels.txt", bad[i].text, strlen(bad[i].text));
        options.list_path = testing_path("list.txt");
        assert_int_equal(fv_dataset_open(&d, &options, &testing_err), FV_ERR_FORMAT);
        snprintf(wanted, sizeof(wanted), "%s%s", labels, bad[i].message);
        assert_string_equal(testing_err.message, wanted);
    }
}

/* ---- Size ---- */

static long peak_kib(void)
{
    char *text = NULL;
    size_t size = 0;
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    while (getline(&text, &size, f) > 0) {
        if (strncmp(text, "VmHWM:", 6) == 0) kib = atol(text + 6);
    }
    fclose(f);
    free(text);
    return kib;
}

/* All of ImageNet's training list: below 200 MB and 3 s. */
static void test_imagenet(void **state)
{
    (void)state;
    enum { COUNT = 1281167 };
    FILE *f = fopen(testing_path("list.txt"), "w");
    assert_non_null(f);
    for (int i = 0; i < COUNT; i++) {
        fprintf(f, "train/n%08d/n%08d_%d.JPEG %d\n", i % 1000, i % 1000, i, i % 1000);
    }
    assert_int_equal(fclose(f), 0);
    const fv_dataset_options options = { .image_root = "/data",
                                         .list_path = testing_path("list.txt"),
                                         .classes = 1000 };
    fv_dataset *d = NULL;
    const double begin = fv_clock_seconds();
    const long before = peak_kib();
    assert_ok(fv_dataset_open(&d, &options, &testing_err));
    const double seconds = fv_clock_seconds() - begin;
    const long grown = peak_kib() - before;
    printf("# %d names: %zu bytes, peak grew by %ld KiB, %.2f s\n", COUNT, fv_dataset_bytes(d),
           grown, seconds);
    assert_int_equal(fv_dataset_count(d), COUNT);
    check_sample(d, COUNT - 1, "train/n00000166/n00000166_1281166.JPEG", 166);
    assert_true(fv_dataset_bytes(d) < 70u << 20);
    assert_true(grown < 200 * 1000);
    fv_dataset_close(d);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const char list[] = "a.jpg 0\nb.jpg 2\n", labels[] = "0 a\n";
    char root[512], label_list[512];
    make_file("small/b/1.jpg");
    make_file("small/a/1.jpg");
    snprintf(root, sizeof(root), "%s", testing_path("small"));
    testing_write("list.txt", list, strlen(list));
    testing_write("labels.txt", labels, strlen(labels));
    snprintf(label_list, sizeof(label_list), "%s", testing_path("labels.txt"));
    fv_dataset_options options = { .image_root = root, .label_list = label_list };
    for (int listed = 0; listed < 2; listed++) {
        options.list_path = listed ? testing_path("list.txt") : NULL;
        fv_status status = FV_ERR_NOMEM;
        size_t n = 1;
        for (; status != FV_OK; n++) {
            fv_dataset *d = NULL;
            fv_alloc_fail_at(n);
            status = fv_dataset_open(&d, &options, &testing_err);
            fv_alloc_fail_at(0);
            assert_true(status == FV_OK || status == FV_ERR_NOMEM);
            fv_dataset_close(d);
        }
        assert_true(n > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_imagenet), /* first, for its peak of memory */
        cmocka_unit_test(test_lists),         cmocka_unit_test(test_unlabelled),
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_list_errors),
        cmocka_unit_test(test_bad_lists),     cmocka_unit_test(test_folders),
        cmocka_unit_test(test_loop),          cmocka_unit_test(test_labels),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
