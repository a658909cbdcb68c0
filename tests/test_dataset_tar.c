/* SPDX-License-Identifier: Apache-2.0 */
#include "tar_testing.h"

#include "picture_testing.h"

#include "base/compiler.h"
#include "base/log.h"
#include "base/threads.h"
#include "data/dataset.h"
#include "data/shards.h"

#include <unistd.h>

static fv_dataset_options options = { .kind = FV_DATASET_TAR };

static fv_status open_shards(fv_dataset **out, const char *pattern)
{
    options.image_root = testing_folder();
    options.shards = &pattern;
    options.shard_count = 1;
    return fv_dataset_open(out, &options, &testing_err);
}

static void add(tar_bytes *t, const char *name, const char *content)
{
    tar_add(t, '0', name, content, strlen(content));
}

static void finish(tar_bytes *t, const char *name)
{
    tar_end(t);
    tar_write(t, testing_path(name));
}

static void check(const fv_dataset *d, int64_t i, const char *name, int label, const char *content)
{
    char *bytes = NULL;
    size_t size = 0;
    assert_string_equal(fv_dataset_name(d, i), name);
    assert_int_equal(fv_dataset_label(d, i), label);
    assert_ok(fv_dataset_read(d, i, &bytes, &size, &testing_err));
    assert_int_equal(size, strlen(content));
    assert_string_equal(bytes, content);
    fv_free(bytes);
}

static void expect_error(fv_status status, fv_status wanted, const char *format)
{
    char message[1024];
    snprintf(message, sizeof(message), format, testing_folder());
    assert_string_equal(testing_err.message, message);
    assert_int_equal(status, wanted);
}

static char last_line[512];

static void keep_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    snprintf(last_line, sizeof(last_line), "%s", line);
}

/* ---- Samples ---- */

static void test_samples(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    tar_add(&t, '5', "n01/", NULL, 0);
    add(&t, "n01/a.cls", "3\n");
    add(&t, "n01/a.JPG", "one");
    add(&t, "n01/a.seg.png", "not this one");
    add(&t, "n01/._b.jpg", "nor this");
    add(&t, "n01/b.jpeg", "two");
    add(&t, "n01/b.json", "{\"label\": 5, \"text\": \"b\"}");
    add(&t, "README", "nor that");
    finish(&t, "s-00.tar");
    add(&t, "n01/b.png", "three");
    add(&t, "n01/b.json", "{\"label\": 9}");
    add(&t, "n01/b.cls", " 0 ");
    add(&t, "c.webp", "unknown");
    add(&t, "c.cls", "1");
    finish(&t, "s-01.tar");
    for (int threads = 1; threads <= 4; threads += 3) {
        fv_threads_set(threads);
        fv_dataset *d = NULL;
        fv_log_sink(keep_line, NULL);
        assert_ok(open_shards(&d, "s-{00..01}.tar"));
        fv_log_sink(NULL, NULL);
        assert_int_equal(fv_dataset_count(d), 3);
        assert_int_equal(fv_dataset_classes(d), 6);
        check(d, 0, "s-00.tar/n01/a.JPG", 3, "one");
        check(d, 1, "s-00.tar/n01/b.jpeg", 5, "two");
        check(d, 2, "s-01.tar/n01/b.png", 0, "three");
        char path[512], wanted[600];
        assert_ok(fv_dataset_path(d, 2, path, sizeof(path), &testing_err));
        assert_string_equal(path, testing_path("s-01.tar/n01/b.png"));
        snprintf(wanted, sizeof(wanted), "%s: 1 samples without a .jpg, .jpeg or .png are left out",
                 testing_path("s-00.tar"));
        assert_string_equal(last_line, wanted);
        fv_dataset_close(d);
    }
    fv_threads_set(1);
}

static void test_label_key(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    add(&t, "a.json", "{\"label\": 5, \"class id\": \"7\"}");
    add(&t, "a.jpg", "one");
    finish(&t, "keys.tar");
    fv_dataset *d = NULL;
    options.label_key = "class id";
    assert_ok(open_shards(&d, "keys.tar"));
    check(d, 0, "keys.tar/a.jpg", 7, "one");
    fv_dataset_close(d);
    options.label_key = NULL;
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *name, *content, *name2, *content2, *message;
    } table[] = {
        { "a.jpg", "x", "b.cls", "1",
          "%s/bad.tar/a.jpg: no label: a .cls, or a .json with \"label\", must stand beside it" },
        { "a.jpg", "x", "a.json", "{\"text\": 1}",
          "%s/bad.tar/a.jpg: no label: a .cls, or a .json with \"label\", must stand beside it" },
        { "a.jpg", "x", "a.png", "y", "%s/bad.tar: two pictures of one name: a.jpg and a.png" },
        { "a.jpg", "x", "a.cls", "cat",
          "%s/bad.tar/a.cls:1: the label must be a number, not \"cat\"" },
        { "a.jpg", "x", "a.cls", "", "%s/bad.tar/a.cls:1: the label must be a number, not \"\"" },
        { "a.jpg", "x", "a.cls", "1048576",
          "%s/bad.tar/a.cls:1: label 1048576: must be from 0 to 1048575" },
        { "a.jpg", "x", "a.json", "{\"label\": [1]}",
          "%s/bad.tar/a.json:1: the label must be a number, not \"something else\"" },
        { "a.jpg", "x", "a.json", "{\"label\": -1}",
          "%s/bad.tar/a.json:1: label -1: must be from 0 to 1048575" },
        { "a.txt", "x", "b.cls", "1", "%s/bad.tar: no pictures (.jpg, .jpeg, .png) in it" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        tar_bytes t = { .data = NULL };
        add(&t, table[i].name, table[i].content);
        add(&t, table[i].name2, table[i].content2);
        finish(&t, "bad.tar");
        fv_dataset *d = NULL;
        expect_error(open_shards(&d, "bad.tar"), FV_ERR_FORMAT, table[i].message);
        assert_null(d);
    }
    fv_dataset *d = NULL;
    tar_bytes t = { .data = NULL };
    add(&t, "a.jpg", "x");
    add(&t, "a.json", "{\"label\": 1");
    finish(&t, "bad.tar");
    assert_int_equal(open_shards(&d, "bad.tar"), FV_ERR_FORMAT);
    assert_non_null(strstr(testing_err.message, "/bad.tar/a.json:1: not JSON: "));
    expect_error(open_shards(&d, "absent.tar"), FV_ERR_IO,
                 "%s/absent.tar: cannot open: No such file or directory");
}

/* The first shard at fault is named, whichever thread was first. */
static void test_first_error(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        char name[32];
        tar_bytes t = { .data = NULL };
        snprintf(name, sizeof(name), "many-%d.tar", i);
        add(&t, "a.jpg", "x");
        add(&t, "a.cls", i < 3 ? "1" : "x");
        finish(&t, name);
    }
    fv_threads_set(4);
    fv_dataset *d = NULL;
    expect_error(open_shards(&d, "many-{0..7}.tar"), FV_ERR_FORMAT,
                 "%s/many-3.tar/a.cls:1: the label must be a number, not \"x\"");
    fv_threads_set(1);
}

/* More archives than are kept open, and one that loses its end. */
static void test_many(void **state)
{
    (void)state;
    enum { SHARDS = 270 };
    for (int i = 0; i < SHARDS; i++) {
        char name[32], text[32];
        tar_bytes t = { .data = NULL };
        snprintf(name, sizeof(name), "lot-%03d.tar", i);
        snprintf(text, sizeof(text), "picture %d", i);
        add(&t, "a.jpg", text);
        add(&t, "a.cls", "1");
        finish(&t, name);
    }
    fv_dataset *d = NULL;
    assert_ok(open_shards(&d, "lot-*.tar"));
    assert_int_equal(fv_dataset_count(d), SHARDS);
    check(d, 0, "lot-000.tar/a.jpg", 1, "picture 0");
    check(d, SHARDS - 1, "lot-269.tar/a.jpg", 1, "picture 269");
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(truncate(testing_path("lot-002.tar"), 515), 0);
    expect_error(fv_dataset_read(d, 2, &bytes, &size, &testing_err), FV_ERR_IO,
                 "%s/lot-002.tar: cannot read: it has become shorter since it was opened");
    assert_int_equal(unlink(testing_path("lot-269.tar")), 0);
    expect_error(fv_dataset_read(d, 269, &bytes, &size, &testing_err), FV_ERR_IO,
                 "%s/lot-269.tar: cannot read: No such file or directory");
    fv_dataset_close(d);
}

static void test_damage(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    add(&t, "a.jpg", "x");
    add(&t, "a.json", "{\"label\": 1}");
    add(&t, "b.png", "y");
    add(&t, "b.cls", "2");
    tar_end(&t);
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, 0);
    for (int i = 0; i < 600; i++) {
        const int at = fv_random_int(&r, 0, (int)t.size - 1);
        const unsigned char before = t.data[at];
        t.data[at] = (unsigned char)fv_random_u32(&r);
        testing_write("damaged.tar", t.data, i % 5 ? t.size : (size_t)at);
        t.data[at] = before;
        fv_dataset *d = NULL;
        char *bytes = NULL;
        size_t size = 0;
        if (open_shards(&d, "damaged.tar") != FV_OK) continue;
        for (int64_t k = 0; k < fv_dataset_count(d); k++)
            if (fv_dataset_read(d, k, &bytes, &size, &testing_err) == FV_OK) fv_free(bytes);
        fv_dataset_close(d);
    }
    fv_free(t.data);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    add(&t, "a.jpg", "x");
    add(&t, "a.json", "{\"label\": 1}");
    finish(&t, "small-0.tar");
    add(&t, "a.jpg", "x");
    add(&t, "a.cls", "2");
    finish(&t, "small-1.tar");
    int failures = 0;
    for (size_t n = 1; n < 40; n++) {
        fv_dataset *d = NULL;
        fv_alloc_fail_at(n);
        const fv_status status = open_shards(&d, "small-{0..1}.tar");
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM || status == FV_ERR_CONFIG);
        if (status == FV_OK) assert_int_equal(fv_dataset_count(d), 2);
        failures += status != FV_OK;
        fv_dataset_close(d);
    }
    assert_true(failures > 12);
}

/* ---- Patterns ---- */

static void expand(const char *root, const char *pattern, fv_status wanted, const char *expected)
{
    fv_list names = { .count = 0 };
    fv_arena memory;
    fv_arena_init(&memory);
    char text[1024] = "";
    const fv_status status = fv_shards_expand(&names, &memory, root, pattern, &testing_err);
    for (int i = 0; i < names.count; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "", (char *)names.items[i]);
    }
    assert_int_equal(status, wanted);
    assert_string_equal(status == FV_OK ? text : testing_err.message, expected);
    fv_list_deinit(&names);
    fv_arena_deinit(&memory);
}

static void test_patterns(void **state)
{
    (void)state;
    expand("", "a.tar", FV_OK, "a.tar");
    expand("x", "a-{08..11}.tar", FV_OK, "a-08.tar a-09.tar a-10.tar a-11.tar");
    expand("x", "a-{9..10}", FV_OK, "a-9 a-10");
    expand("x", "{0..0}{1..2}b", FV_OK, "01b 02b");
    static const char range[] = ": braces hold a range of whole numbers, e.g. {0000..0031}";
    static const char *const bad[] = { "a{1..}", "a{..1}", "a{b..c}",  "a{2..1}",
                                       "a{1..2", "a{1,2}", "a{0..1}{", "a{1..9999999999}" };
    for (size_t i = 0; i < FV_ARRAY_LEN(bad); i++) {
        char wanted[200];
        snprintf(wanted, sizeof(wanted), "%s%s", bad[i], range);
        expand("x", bad[i], FV_ERR_CONFIG, wanted);
    }
    expand("x", "{0..9999999}", FV_ERR_CONFIG, "{0..9999999}: more than 100000 names");

    assert_ok(fv_file_make_folder(testing_path("odd [1]"), &testing_err));
    testing_write("odd [1]/b2.tar", "", 0);
    testing_write("odd [1]/b10.tar", "", 0);
    testing_write("odd [1]/c1.tar", "", 0);
    char root[512], wanted[600];
    snprintf(root, sizeof(root), "%s", testing_path("odd [1]"));
    expand(root, "b*.tar", FV_OK, "b10.tar b2.tar");
    expand(root, "[bc]{1..2}*.tar", FV_OK, "b10.tar c1.tar b2.tar");
    expand(root, "d*", FV_ERR_CONFIG, "d*: no file has such a name");
    snprintf(root, sizeof(root), "%s", testing_path("odd [1]/"));
    expand(root, "c?.tar", FV_OK, "c1.tar");
    snprintf(root, sizeof(root), "%s", testing_path("odd \\[1]/c*"));
    snprintf(wanted, sizeof(wanted), "%s", testing_path("odd [1]/c1.tar"));
    expand("x", root, FV_OK, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),       cmocka_unit_test(test_label_key),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_first_error),
        cmocka_unit_test(test_many),          cmocka_unit_test(test_damage),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
