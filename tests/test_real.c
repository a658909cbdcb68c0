/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "eval/real.h"

#include <math.h>
#include <stdio.h>

enum { CLASSES = 10 };

static char warning[512];

static void take_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    if (level == FV_LOG_WARNING) snprintf(warning, sizeof(warning), "%s", line);
}

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    return path;
}

static fv_dataset *open_list(const char *text)
{
    fv_dataset *d = NULL;
    assert_ok(fv_file_write(in_folder("list.txt"), text, strlen(text), &testing_err));
    const fv_dataset_options options = { .image_root = "",
                                         .list_path = in_folder("list.txt"),
                                         .classes = CLASSES };
    assert_ok(fv_dataset_open(&d, &options, &testing_err));
    return d;
}

static fv_status load(fv_real **out, const char *json, const fv_dataset *dataset)
{
    assert_ok(fv_file_write(in_folder("real.json"), json, strlen(json), &testing_err));
    return fv_real_load(out, in_folder("real.json"), dataset, CLASSES, &testing_err);
}

/* Answers with class `best`, then those after it in order; best < 0: unreadable. */
static void answer(fv_real *r, int64_t sample, int best)
{
    float logits[CLASSES];
    for (int c = 0; c < CLASSES; c++) logits[c] = (float)-((c - best + CLASSES) % CLASSES);
    const fv_answer a = { .sample = sample,
                          .logits = best < 0 ? NULL : logits,
                          .classes = CLASSES };
    fv_real_add(r, &a);
}

/* Rows by the numbers in the names, whatever the order; the picture without labels is left out, the
 * unreadable one is wrong. */
static void test_by_number(void **state)
{
    (void)state;
    fv_dataset *d = open_list("val/ILSVRC2012_val_00000004.JPEG 4\nILSVRC2012_val_00000001.JPEG 1\n"
                              "n1/ILSVRC2012_val_00000003.JPEG 3\nILSVRC2012_val_00000002.jpg 2\n"
                              "ILSVRC2012_val_00000006.JPEG 6\n");
    fv_real *r = NULL;
    assert_ok(load(&r, "[[1], [7, 2], [], [4, 9, 0], [5], [6]]", d));
    answer(r, 0, 9); /* picture 4: right */
    answer(r, 1, 2); /* picture 1: label 1 comes last */
    answer(r, 2, 3); /* picture 3: no labels */
    answer(r, 3, 6); /* picture 2: 7 comes second */
    answer(r, 4, -1);
    assert_int_equal(fv_real_images(r), 4);
    assert_true(fv_real_top(r, 1) == 0.25);
    assert_true(fv_real_top(r, 5) == 0.5);
    fv_real_destroy(r);
    fv_dataset_close(d);
}

static void test_by_order(void **state)
{
    (void)state;
    fv_dataset *d = open_list("a.jpg 0\nb.jpg 1\n");
    fv_real *r = NULL;
    assert_ok(load(&r, "[[0, 3], [1]]", d));
    answer(r, 0, 3);
    answer(r, 1, 3);
    assert_true(fv_real_top(r, 1) == 0.5);
    fv_real_destroy(r);

    assert_int_equal(load(&r, "[[0]]", d), FV_ERR_CONFIG);
    char wanted[512];
    snprintf(wanted, sizeof(wanted),
             "%s: 1 rows for 2 pictures, none of which is named like ILSVRC2012_val_00000001.JPEG",
             in_folder("real.json"));
    assert_string_equal(testing_err.message, wanted);
    assert_null(r);

    warning[0] = '\0';
    fv_log_sink(take_line, NULL);
    assert_ok(load(&r, "[[5], [6]]", d));
    fv_log_sink(NULL, NULL);
    snprintf(wanted, sizeof(wanted),
             "%s: only 0 of 2 pictures have their label among these: are they for the same "
             "pictures?",
             in_folder("real.json"));
    assert_string_equal(warning, wanted);
    assert_true(fv_real_top(r, 1) == 0.0); /* of no images */
    fv_real_destroy(r);
    fv_dataset_close(d);
}

static void test_mixture(void **state)
{
    (void)state;
    fv_real *r = NULL;
    char wanted[512];
    fv_dataset *d = open_list("a.jpg 0\nILSVRC2012_val_00000002.JPEG 1\n");
    assert_int_equal(load(&r, "[[0], [1]]", d), FV_ERR_CONFIG);
    snprintf(wanted, sizeof(wanted),
             "%s: only 1 of 2 pictures are named like ILSVRC2012_val_00000001.JPEG: which rows are "
             "the others?",
             in_folder("real.json"));
    assert_string_equal(testing_err.message, wanted);
    assert_int_equal(load(&r, "[[0]]", d), FV_ERR_CONFIG);
    snprintf(wanted, sizeof(wanted), "%s: 1 rows, but there is ILSVRC2012_val_00000002.JPEG",
             in_folder("real.json"));
    assert_string_equal(testing_err.message, wanted);
    fv_dataset_close(d);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *json, *what;
    } table[] = {
        { "", ":1: not valid json" },
        { "[[1],\n[2]", ":2: not valid json" },
        { "{}", ": must be a list with a list of class numbers for each picture" },
        { "[]", ": must be a list with a list of class numbers for each picture" },
        { "[[1], 2]", ": row 2 is no list of class numbers" },
        { "[[1], [10]]", ": row 2: a label must be a number from 0 to 9" },
        { "[[-1], [1]]", ": row 1: a label must be a number from 0 to 9" },
        { "[[1], [1.5]]", ": row 2: a label must be a number from 0 to 9" },
        { "[[1], [\"cat\"]]", ": row 2: a label must be a number from 0 to 9" },
        { "[[1], [99999999999]]", ": row 2: a label must be a number from 0 to 9" },
    };
    fv_dataset *d = open_list("a.jpg 0\nb.jpg 1\n");
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        char wanted[512];
        fv_real *r = NULL;
        assert_int_equal(load(&r, table[i].json, d), FV_ERR_FORMAT);
        snprintf(wanted, sizeof(wanted), "%s%s", in_folder("real.json"), table[i].what);
        assert_string_equal(testing_err.message, wanted);
        assert_null(r);
    }
    fv_dataset_close(d);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    fv_dataset *d = open_list("a.jpg 0\nb.jpg 1\n");
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_real *r = NULL;
        fv_alloc_fail_at(n);
        status = load(&r, "[[0], [1]]", d);
        fv_alloc_fail_at(0);
        fv_real_destroy(r);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
        assert_true(n < 20);
    }
    fv_dataset_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_number),     cmocka_unit_test(test_by_order),
        cmocka_unit_test(test_mixture),       cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
