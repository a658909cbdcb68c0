/* SPDX-License-Identifier: Apache-2.0 */
/* fovea check-data, $FOVEA_BINARY, as a whole. */
#include "testing.h"

#include "odd_pictures.h"
#include "picture_testing.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static char output[1 << 16]; /* of the last command: standard output, then standard error */

static void fovea(int expected, const char *arguments)
{
    char command[2000];
    snprintf(command, sizeof(command),
             "cd '%s' && '%s' check-data %s >out 2>err; s=$?; cat out err; exit $s",
             testing_folder(), getenv("FOVEA_BINARY"), arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof(output) - 1, pipe)] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != expected)
        fail_msg("status %d, not %d:\n%s", WEXITSTATUS(status), expected, output);
}

static void expect(const char *part)
{
    if (!strstr(output, part)) fail_msg("no \"%s\" in:\n%s", part, output);
}

static char *load(const char *name)
{
    char *text;
    size_t size;
    assert_ok(fv_file_read(testing_path(name), 1 << 24, &text, &size, &testing_err));
    return text;
}

static void put(const char *name, const char *text) { testing_write(name, text, strlen(text)); }

/* Two classes with names that must be escaped, in folders. */
static int setup(void **state)
{
    (void)state;
    static const char *const folders[] = { "good/<i>cat", "good/dog",   "val/<i>cat",
                                           "val/dog",     "bad/<i>cat", "bad/dog" };
    for (int i = 0; i < 6; i++) {
        char name[64];
        assert_ok(fv_file_make_folder(testing_path(folders[i]), &testing_err));
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof(name), "%s/%d%d.jpg", folders[i], i, k);
            testing_write_jpeg(name, 64 + k, 48);
        }
    }
    put("bad/dog/text & text.jpg", "hello");
    const odd_file cmyk = odd_jpeg(4, JCS_CMYK);
    testing_write("bad/dog/cmyk.jpg", cmyk.data, cmyk.size);
    free(cmyk.data);
    return 0;
}

static void copy(const char *from, const char *to)
{
    char *bytes;
    size_t size;
    assert_ok(fv_file_read(testing_path(from), 1 << 20, &bytes, &size, &testing_err));
    testing_write(to, bytes, size);
    fv_free(bytes);
}

static void test_good(void **state)
{
    (void)state;
    fovea(0, "good --val val --html good.html");
    expect("pictures                                     6                       6\n");
    expect("    0 <i>cat                                 3                       3\n");
    expect("No problems: these pictures can be trained on.\n");
    char *page = load("good.html");
    assert_non_null(strstr(page, "verdict good"));
    assert_non_null(strstr(page, "&lt;i&gt;cat"));
    assert_null(strstr(page, "<i>cat"));
    assert_null(strstr(page, "<img"));
    fv_free(page);
}

static json_t *find(json_t *json, const char *kind, int count)
{
    json_t *finding = json_object_get(json_object_get(json, "findings"), kind);
    assert_non_null(finding);
    assert_int_equal(json_integer_value(json_object_get(finding, "count")), count);
    json_t *list = json_object_get(finding, "list");
    assert_int_equal(json_array_size(list), count);
    return list;
}

static const char *text(json_t *json, const char *key)
{
    const char *value = json_string_value(json_object_get(json, key));
    if (!value) fail_msg("no string \"%s\"", key);
    return value;
}

static void test_bad(void **state)
{
    (void)state;
    json_error_t error;
    copy("bad/<i>cat/40.jpg", "val/dog/copy.jpg");
    fovea(1, "bad --val val --json bad.json --html bad.html");
    remove(testing_path("val/dog/copy.jpg"));
    expect("       1  unreadable               cannot be read\n"
           "          train dog/text & text.jpg: this is text: only JPEG and PNG are read\n");
    expect("          train <i>cat/40.jpg, label 0 <i>cat = val dog/copy.jpg, label 1 dog\n");
    expect("          val dog/copy.jpg = train <i>cat/40.jpg\n");
    expect("fovea check-data: 4 problems\n");
    json_t *json = json_load_file(testing_path("bad.json"), 0, &error);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "problems")), 4);
    json_t *train = json_object_get(json, "train");
    assert_int_equal(json_integer_value(json_object_get(train, "pictures")), 8);
    assert_int_equal(json_integer_value(json_object_get(train, "readable")), 7);
    assert_int_equal(json_array_size(json_object_get(train, "mean")), 3);
    json_t *one = json_array_get(find(json, "unreadable", 1), 0);
    assert_string_equal(text(one, "file"), "dog/text & text.jpg");
    assert_string_equal(text(one, "error"), "this is text: only JPEG and PNG are read");
    one = json_array_get(find(json, "overlap", 1), 0);
    assert_string_equal(text(one, "file"), "dog/copy.jpg");
    assert_string_equal(text(json_object_get(one, "same_as"), "file"), "<i>cat/40.jpg");
    assert_true(json_is_true(json_object_get(one, "same_file")));
    find(json, "conflicting_labels", 2);
    find(json, "duplicates", 0);
    find(json, "cmyk", 1);
    json_decref(json);

    char *page = load("bad.html");
    assert_non_null(strstr(page, "dog/text &amp; text.jpg"));
    assert_null(strstr(page, "<i>cat"));
    assert_non_null(strstr(page, "src=\"data:image/jpeg;base64,/9j/"));
    assert_null(strstr(page, "http"));
    fv_free(page);
}

static void test_allowed(void **state)
{
    (void)state;
    fovea(1, "bad");
    expect("fovea check-data: 1 problem; --html FILE draws a page that shows them\n");
    fovea(0, "bad --allow cmyk,unreadable");
    expect("Worth knowing\n       1  unreadable ");
    fovea(2, "bad --allow unredable");
    expect("fovea check-data: --allow: unredable: no such finding, did you mean unreadable?\n");
    fovea(2, "bad --allow ,");
    expect("fovea check-data: --allow: : no such finding; --help lists them\n");
}

static void test_lists(void **state)
{
    (void)state;
    put("list.txt", "<i>cat/00.jpg 0\ndog/10.jpg 1\ndog/12.jpg 3\n");
    put("names.txt", "0 kitten\n1 puppy\n");
    fovea(1, "list.txt --root good --classes 2 --labels names.txt");
    expect("    1 puppy                                  1\n");
    expect("labels_out_of_range      label is not below the number of classes\n"
           "          train dog/12.jpg: label 3\n");
    fovea(1, "list.txt --root good");
    expect("classes_without_training class without a picture to train on\n          2\n");
    put("broken.txt", "<i>cat/00.jpg 0\ndog/10.jpg\ndog/11.jpg one\ndog/12.jpg 1\nx.jpg -1\n");
    fovea(1, "broken.txt --root good --html lines.html");
    expect("       3  bad_lines                line of a list that cannot be used\n"
           "          broken.txt:2: no label: expected a path and a label, not \"dog/10.jpg\"\n"
           "          broken.txt:3: the label must be a number, not \"one\"\n");
    fovea(1, "list.txt");
    expect("fovea check-data: list.txt: no picture can be read: where do their names start from? "
           "--root DIR says it\n");
    put("hopeless.txt", "a b c\n");
    fovea(1, "hopeless.txt");
    expect("fovea check-data: hopeless.txt: no line of the list can be used\n");
    put("table.csv", "path,label\n<i>cat/00.jpg,0\ndog/10.jpg,1\n");
    fovea(0, "table.csv --root good");
}

static void test_config(void **state)
{
    (void)state;
    put("c.yaml", "Global: {epochs: 1}\n"
                  "Arch: {name: MobileNetV2, class_num: 2}\n"
                  "Loss: {Train: [{CELoss: {weight: 1.0}}]}\n"
                  "Optimizer: {name: Momentum, lr: {name: Constant, learning_rate: 0.1}}\n"
                  "DataLoader:\n"
                  "  Train:\n"
                  "    dataset: {image_root: good, transform_ops: [{DecodeImage: {}},"
                  " {ResizeImage: {size: 64}}, {NormalizeImage: {}}]}\n"
                  "    sampler: {batch_size: 4096}\n"
                  "  Eval:\n"
                  "    dataset: {image_root: val, transform_ops: [{DecodeImage: {}},"
                  " {ResizeImage: {size: 64}}, {NormalizeImage: {}}]}\n"
                  "    sampler: {batch_size: 4096}\n");
    fovea(0, "-c c.yaml");
    expect("train  DataLoader.Train\nval    DataLoader.Eval\n");
    fovea(2, "-c c.yaml good");
    expect("fovea check-data: -c: the configuration says where the pictures are: leave out good\n");
    fovea(2, "");
    expect("fovea check-data: which pictures? Name DATA, or a configuration with -c\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),  cmocka_unit_test(test_bad),    cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_lists), cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
