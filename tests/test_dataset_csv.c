/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "picture_testing.h"

#include "base/compiler.h"
#include "base/log.h"
#include "data/dataset.h"

static fv_dataset_options options = { .kind = FV_DATASET_CSV, .image_root = "root" };

static fv_status open_table(fv_dataset **out, const char *text)
{
    testing_write("table.csv", text, strlen(text));
    fv_dataset_options o = options;
    o.list_path = testing_path("table.csv");
    return fv_dataset_open(out, &o, &testing_err);
}

static void check(const fv_dataset *d, int64_t i, const char *name, int label)
{
    assert_string_equal(fv_dataset_name(d, i), name);
    assert_int_equal(fv_dataset_label(d, i), label);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        char delimiter;
        const char *first, *second;
    } table[] = {
        { "path,label\na.jpg,3\nb.jpg,1\n", ',', "a.jpg", "b.jpg" },
        { "\xef\xbb\xbflabel,path\r\n3,a.jpg\r\n\r\n1,b.jpg", ',', "a.jpg", "b.jpg" },
        { "x;\"path\";\"label\"\n;\"a;b.jpg\";3\n;b c.jpg;\"1\"\r\n", ';', "a;b.jpg", "b c.jpg" },
        { "path\tlabel\tnote\n\"a\"\"b\nc.jpg\"\t3\t\nb.jpg\t1\tx", '\t', "a\"b\nc.jpg", "b.jpg" },
        { "\npath,label,\n\"a.jpg\",3,\nb\"c\",1,", ',', "a.jpg", "b\"c\"" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        fv_dataset *d = NULL;
        options.delimiter = (const char[]){ table[i].delimiter, '\0' };
        assert_ok(open_table(&d, table[i].text));
        assert_int_equal(fv_dataset_count(d), 2);
        assert_int_equal(fv_dataset_classes(d), 4);
        check(d, 0, table[i].first, 3);
        check(d, 1, table[i].second, 1);
        assert_null(fv_dataset_class_name(d, 1));
        fv_dataset_close(d);
    }
    options.delimiter = NULL;
}

static void test_columns(void **state)
{
    (void)state;
    fv_dataset *d = NULL;
    options.path_column = "image id";
    options.label_column = "breed";
    assert_ok(open_table(&d, "path,\"image id\",breed,label\nx,a.jpg,1,7\n"));
    check(d, 0, "a.jpg", 1);
    fv_dataset_close(d);
    options.path_column = options.label_column = NULL;
}

static char last_line[512];

static void keep_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    snprintf(last_line, sizeof(last_line), "%s", line);
}

static void test_names(void **state)
{
    (void)state;
    static const char table[] =
        "path,label\na.jpg,poodle\nb.jpg,\"chow, black\"\nc.jpg,poodle\nd.jpg,akita\n";
    fv_dataset *d = NULL;
    assert_ok(open_table(&d, table));
    assert_int_equal(fv_dataset_classes(d), 3);
    check(d, 0, "a.jpg", 2);
    check(d, 1, "b.jpg", 1);
    check(d, 2, "c.jpg", 2);
    check(d, 3, "d.jpg", 0);
    assert_string_equal(fv_dataset_class_name(d, 1), "chow, black");
    fv_dataset_close(d);

    options.classes = 4;
    fv_log_sink(keep_line, NULL);
    assert_ok(open_table(&d, table));
    fv_log_sink(NULL, NULL);
    char wanted[600];
    snprintf(wanted, sizeof(wanted),
             "%s: 3 names of classes for 4 classes: if one is missing, all after it have wrong "
             "labels",
             testing_path("table.csv"));
    assert_string_equal(last_line, wanted);
    fv_dataset_close(d);
    options.classes = 2;
    assert_int_equal(open_table(&d, table), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s: 3 names of classes, but only 2 classes",
             testing_path("table.csv"));
    assert_string_equal(testing_err.message, wanted);
    options.classes = 0;
}

/* With a list, names and numbers are its own, also those that do not occur. */
static void test_label_list(void **state)
{
    (void)state;
    static const char labels[] = "1 akita\n3 poodle\n0 chow\n2 borzoi\n";
    char list[512], wanted[1100];
    testing_write("labels.txt", labels, strlen(labels));
    snprintf(list, sizeof(list), "%s", testing_path("labels.txt"));
    options.label_list = list;
    fv_dataset *d = NULL;
    for (options.classes = 0; options.classes <= 5; options.classes += 5) {
        assert_ok(open_table(&d, "path,label\na.jpg,poodle\nb.jpg,akita\n"));
        assert_int_equal(fv_dataset_classes(d), options.classes ? 5 : 4);
        check(d, 0, "a.jpg", 3);
        check(d, 1, "b.jpg", 1);
        assert_string_equal(fv_dataset_class_name(d, 2), "borzoi");
        assert_null(fv_dataset_class_name(d, 4));
        fv_dataset_close(d);
    }
    options.classes = 0;
    assert_ok(open_table(&d, "path,label\na.jpg,2\n"));
    assert_int_equal(fv_dataset_classes(d), 4);
    check(d, 0, "a.jpg", 2);
    assert_string_equal(fv_dataset_class_name(d, 0), "chow");
    fv_dataset_close(d);
    assert_int_equal(open_table(&d, "path,label\na.jpg,pug\n"), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s: a.jpg: the class \"pug\" is not in %s",
             testing_path("table.csv"), list);
    assert_string_equal(testing_err.message, wanted);
    options.label_list = NULL;
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } table[] = {
        { "", ": the table is empty" },
        { "\r\n\n", ": the table is empty" },
        { "path,label\n", ": the table has no rows" },
        { "image,\"the label\"\na,1\n",
          ":1: no column \"path\": there are \"image\", \"the label\"; path_column names it" },
        { "path,x\na,1\n", ":1: no column \"label\": there are \"path\", \"x\"; label_column names "
                           "it" },
        { "path,label,path\na,1,b\n", ":1: two columns \"path\"" },
        { "path,label\na.jpg\n", ":2: 1 fields, where the header has 2" },
        { "path,label\na.jpg,1\nb.jpg,1,2\n", ":3: 3 fields, where the header has 2" },
        { "path,label\n\"a\nb\",1\n,1\n", ":4: the path is empty" },
        { "path,label\na.jpg,\n", ":2: the label is empty" },
        { "path,label\na.jpg,1\nb.jpg,cat\n", ":3: the label must be a number, not \"cat\"" },
        { "path,label\na.jpg,3.0\n", ":2: the label must be a number, not \"3.0\"" },
        { "path,label\na.jpg,-1\n", ":2: label -1: must be from 0 to 1048575" },
        { "path,label\n\"a.jpg,1\nb.jpg,2\n",
          ":2: a quoted field does not end: quotes within a quoted field are doubled" },
        { "path,label\n\"a\"b.jpg\",1\n",
          ":2: text after a quoted field: quotes within a quoted field are doubled" },
        { "path,label\n\"a.jpg\"\r,1\n",
          ":2: text after a quoted field: quotes within a quoted field are doubled" },
    };
    char wanted[1024];
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        fv_dataset *d = NULL;
        assert_int_equal(open_table(&d, table[i].text), FV_ERR_FORMAT);
        assert_null(d);
        snprintf(wanted, sizeof(wanted), "%s%s", testing_path("table.csv"), table[i].message);
        assert_string_equal(testing_err.message, wanted);
    }
    fv_dataset *d = NULL;
    testing_write("table.csv", "path,label\na\0b,1\n", 17);
    options.list_path = testing_path("table.csv");
    assert_int_equal(fv_dataset_open(&d, &options, &testing_err), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s: not a table: it holds a zero byte", options.list_path);
    assert_string_equal(testing_err.message, wanted);
    static char wide[5000] = "path,label\n";
    memset(wide + 11, 'a', sizeof(wide) - 12);
    memcpy(wide + sizeof(wide) - 4, ",1\n", 4);
    assert_int_equal(open_table(&d, wide), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s:2: a path of 4985 bytes: the limit is 4095",
             testing_path("table.csv"));
    assert_string_equal(testing_err.message, wanted);
}

/* Whatever the bytes, there is an answer. */
static void test_damage(void **state)
{
    (void)state;
    static const char good[] = "path,label\n\"a \"\"1\"\"\",cat\nb.jpg,dog\n\"c,d\",cat\n";
    static const char bytes[] = "\",\n\r a1\\";
    char text[sizeof(good)];
    for (size_t at = 0; at < sizeof(good) - 1; at++) {
        for (size_t k = 0; k + 1 < sizeof(bytes); k++) {
            memcpy(text, good, sizeof(good));
            text[at] = bytes[k];
            fv_dataset *d = NULL;
            const fv_status status = open_table(&d, text);
            assert_true(status == FV_OK || status == FV_ERR_FORMAT);
            fv_dataset_close(d);
        }
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    fv_status status = FV_ERR_NOMEM;
    size_t n = 1;
    for (; status != FV_OK; n++) {
        fv_dataset *d = NULL;
        testing_write("table.csv", "path,label\na,x\nb,y\n", 19);
        options.list_path = testing_path("table.csv");
        fv_alloc_fail_at(n);
        status = fv_dataset_open(&d, &options, &testing_err);
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
        fv_dataset_close(d);
    }
    assert_true(n > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_columns),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_label_list),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
