/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "eval/same_classes.h"

#include <stdio.h>
#include <stdlib.h>

static char warning[512];

static void take_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    if (level == FV_LOG_WARNING) snprintf(warning, sizeof(warning), "%s", line);
}

static const char *in_folder(const char *name)
{
    static char paths[2][512];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", testing_folder(), name);
    return paths[turn];
}

static void put(const char *name, const char *text)
{
    assert_ok(fv_file_write(in_folder(name), text, strlen(text), &testing_err));
}

/* Opens a list, or, with NULL, the folder "data". */
static fv_dataset *open_data(const char *list, int classes)
{
    fv_dataset *d = NULL;
    char root[256], path[256];
    snprintf(root, sizeof(root), "%s", in_folder("data"));
    snprintf(path, sizeof(path), "%s", in_folder("list.txt"));
    if (list) put("list.txt", list);
    const fv_dataset_options options = { .image_root = root,
                                         .list_path = list ? path : NULL,
                                         .classes = classes };
    assert_ok(fv_dataset_open(&d, &options, &testing_err));
    return d;
}

/* `weights`: names in the weights, or NULL. `names`: a file of names for the data, or NULL. */
static fv_status compare(const fv_dataset *d, int classes, const char *weights, const char *names)
{
    const fv_stored stored = { .path = "best.h5", .class_names = weights };
    const fv_same_classes_options options = { .stored = &stored,
                                              .classes = classes,
                                              .dataset = d,
                                              .names = names,
                                              .where = "DataLoader.Eval" };
    return fv_same_classes(&options, &testing_err);
}

#define ADVICE \
    ": use the same folders, or a list with the numbers of the weights (fovea prepare-imagenet " \
    "makes one for ImageNet); --any-classes evaluates nevertheless"

/* Folders "0", "1", "10", "2", numbered in this order, or folders by WNID, or others. */
static fv_dataset *open_folders(const char *const *names, int count)
{
    char command[512], path[256];
    snprintf(command, sizeof(command), "rm -rf '%s'", in_folder("data"));
    assert_int_equal(system(command), 0);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "data/%s", names[i]);
        assert_ok(fv_file_make_folder(in_folder(path), &testing_err));
        snprintf(path, sizeof(path), "data/%s/x.jpg", names[i]);
        put(path, "x");
    }
    return open_data(NULL, 0);
}

static void test_folders(void **state)
{
    (void)state;
    static const char *const words[] = { "cat", "cow", "dog" };
    fv_dataset *d = open_folders(words, 3);
    assert_ok(compare(d, 3, "cat\ncow\ndog", NULL));
    assert_ok(compare(d, 3, "n00000001\nn00000002 cow\ndog", NULL)); /* only words can differ */
    assert_int_equal(compare(d, 3, "cat\ndog\ncow", NULL), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "DataLoader.Eval: class 1 is \"cow\", but \"dog\" in best.h5" ADVICE);
    fv_dataset_close(d);

    static const char *const wnids[] = { "n00000001", "n00000003" };
    d = open_folders(wnids, 2);
    assert_ok(compare(d, 3, "cat\ncow\ndog", NULL)); /* cannot be compared */
    assert_ok(compare(d, 2, "n00000001 cat\nn00000003 dog", NULL));
    assert_int_equal(compare(d, 3, "n00000001 cat\nn00000002 cow\nn00000003 dog", NULL),
                     FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "DataLoader.Eval: class 1 is \"n00000003\", but "
                                             "\"n00000002 cow\" in best.h5" ADVICE);
    fv_dataset_close(d);
}

static void test_numbered_folders(void **state)
{
    (void)state;
    static const char *const numbers[] = { "0", "1", "2", "10" };
    fv_dataset *d = open_folders(numbers, 3);
    assert_ok(compare(d, 3, "cat\ncow\ndog", NULL));
    fv_dataset_close(d);
    d = open_folders(numbers, 4);
    assert_ok(compare(d, 4, "0\n1\n10\n2", NULL)); /* trained on such folders */
    assert_int_equal(compare(d, 4, "cat\ncow\ndog\nemu", NULL), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "DataLoader.Eval: class 2 is \"10\", but \"dog\" in best.h5" ADVICE);
    fv_dataset_close(d);
}

static void test_lists(void **state)
{
    (void)state;
    fv_dataset *d = open_data("val/n00000001/a.jpg 0\nb.jpg 1\nval/n00000001_b.jpg 1\n", 2);
    assert_ok(compare(d, 2, "cat\ndog", NULL));
    assert_ok(compare(d, 2, "n00000001 cat\nn00000001 dog", NULL));
    assert_int_equal(compare(d, 2, "n00000001 cat\nn00000002 dog", NULL), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "DataLoader.Eval: val/n00000001_b.jpg has label 1, but class 1 is "
                        "\"n00000002 dog\" in best.h5" ADVICE);

    put("names.txt", "0 cat\n1 cow\n");
    assert_ok(compare(d, 2, "cat\ncow", in_folder("names.txt")));
    assert_ok(compare(d, 2, "cat\ndog", in_folder("gone.txt")));
    assert_int_equal(compare(d, 2, "cat\ndog", in_folder("names.txt")), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "DataLoader.Eval: class 1 is \"cow\", but \"dog\" in best.h5" ADVICE);
    put("names.txt", "0 cat\n2 cow\n");
    assert_int_equal(compare(d, 2, "cat\ndog", in_folder("names.txt")), FV_ERR_FORMAT);
    fv_dataset_close(d);
}

/* Weights that say nothing about their classes. */
static void test_without_names(void **state)
{
    (void)state;
    fv_dataset *d = open_data("val/n01440764/a.jpg 0\nn01751748_b.jpg 65\nn00000001.jpg 7\n", 1000);
    fv_log_sink(take_line, NULL);
    warning[0] = '\0';
    assert_ok(compare(d, 1000, NULL, NULL));
    assert_string_equal(warning, "");
    fv_dataset_close(d);
    d = open_data("val/n01440764/a.jpg 0\nn01751748_b.jpg 489\n", 1000);
    assert_ok(compare(d, 500, NULL, NULL));
    assert_string_equal(warning, "");
    assert_ok(compare(d, 1000, NULL, NULL));
    fv_log_sink(NULL, NULL);
    assert_string_equal(warning,
                        "DataLoader.Eval: n01751748_b.jpg has label 489, but n01751748 is class 65 "
                        "of ImageNet: weights for ImageNet will be wrong about it; fovea "
                        "prepare-imagenet makes right lists");
    fv_dataset_close(d);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    fv_dataset *d = open_data("a.jpg 0\n", 2);
    put("names.txt", "0 cat\n1 cow\n");
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_alloc_fail_at(n);
        status = compare(d, 2, "cat\ncow", in_folder("names.txt"));
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
        assert_true(n < 20);
    }
    fv_dataset_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders),       cmocka_unit_test(test_numbered_folders),
        cmocka_unit_test(test_lists),         cmocka_unit_test(test_without_names),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
