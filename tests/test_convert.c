/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "eval/classifier.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", testing_folder(), name);
    return paths[turn];
}

/* Runs "fovea convert in out [--model model]"; the JSON that it wrote, or NULL. */
static fv_status convert(const char *in, const char *out, const char *model, json_t **json)
{
    fv_arguments arguments = { 0 };
    char path[256], *argv[6];
    const char *words[] = { in_folder(in), in_folder(out), "--json", in_folder("result.json"),
                            "--model",     model };
    const int argc = model ? 6 : 4;
    for (int i = 0; i < argc; i++) argv[i] = strdup(words[i]);
    snprintf(path, sizeof(path), "%s", words[3]);
    remove(path);
    assert_ok(fv_arguments_parse(&arguments, &fv_command_convert, argc, argv, &testing_err));
    const fv_status status = fv_command_convert.run(&arguments, &testing_err);
    fv_arguments_deinit(&arguments);
    for (int i = 0; i < argc; i++) free(argv[i]);
    *json = fv_file_exists(path) ? json_load_file(path, 0, NULL) : NULL;
    return status;
}

static void check_json(json_t *json, const char *expected)
{
    assert_non_null(json);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

/* The smallest MobileNetV2 with ten classes. */
static fv_classifier *network(void)
{
    fv_classifier *c = NULL;
    fv_classifier_options o = {
        .model = fv_model_find("MobileNetV2_x0_25"), .classes = 10, .height = 32, .width = 32
    };
    assert_non_null(o.model);
    assert_ok(fv_classifier_create(&c, &o, &testing_err));
    return c;
}

/* Saves `count` parameters of the network, from number `first` on, and one more tensor. */
static void save(const char *name, fv_classifier *c, int first, int count, const char *more,
                 const fv_meta *meta, int meta_count)
{
    static const float value = 1.5f;
    fv_tensor_values *tensors = fv_alloc((size_t)(count + 1) * sizeof(*tensors));
    for (int i = 0; i < count; i++) {
        const fv_param *p = fv_params_at(fv_classifier_params(c), first + i);
        tensors[i] =
            (fv_tensor_values){ { .name = p->name, .rank = p->rank, .count = p->count }, p->value };
        for (int d = 0; d < p->rank; d++) tensors[i].info.dims[d] = p->dims[d];
    }
    if (more) tensors[count++] = (fv_tensor_values){ { .name = more, .count = 1 }, &value };
    assert_ok(fv_tensors_save(in_folder(name), tensors, count, meta, meta_count, &testing_err));
    fv_free(tensors);
}

static void test_there_and_back(void **state)
{
    (void)state;
    const fv_meta meta[] = { { "arch", "MobileNetV2_x0_25" }, { "classes", "a\nb" } };
    fv_classifier *c = network(), *again = network();
    const fv_params *params = fv_classifier_params(c);
    const int count = fv_params_count(params);
    json_t *json = NULL;
    char expected[128];
    save("a.h5", c, 0, count, NULL, meta, 2);
    snprintf(expected, sizeof(expected),
             "{\"model\":\"MobileNetV2_x0_25\",\"matched\":%d,\"missing\":[],\"unexpected\":[],"
             "\"reshaped\":[]}",
             count);
    assert_ok(convert("a.h5", "b.safetensors", NULL, &json));
    check_json(json, expected);
    assert_ok(convert("b.safetensors", "c.h5", NULL, &json));
    check_json(json, expected);

    fv_params *loaded = fv_classifier_params(again);
    for (int i = 0; i < count; i++) {
        fv_param *p = fv_params_at(loaded, i);
        memset(p->value, 0, p->count * sizeof(float));
    }
    assert_ok(fv_weights_load(in_folder("c.h5"), loaded, NULL, NULL, &testing_err));
    for (int i = 0; i < count; i++) {
        const fv_param *p = fv_params_at(params, i), *q = fv_params_at(loaded, i);
        assert_memory_equal(p->value, q->value, p->count * sizeof(float));
    }
    fv_tensors *file = NULL;
    assert_ok(fv_tensors_open(&file, in_folder("c.h5"), &testing_err));
    assert_string_equal(fv_tensors_meta(file, "classes"), "a\nb");
    assert_string_equal(fv_tensors_meta(file, "arch"), "MobileNetV2_x0_25");
    assert_int_equal(fv_tensors_meta_count(file), 2);
    fv_tensors_close(file);

    /* The same bytes, since neither format stores when it was written. */
    char *a = NULL, *b = NULL;
    size_t a_bytes = 0, b_bytes = 0;
    assert_ok(convert("c.h5", "d.safetensors", NULL, &json));
    json_decref(json);
    assert_ok(fv_file_read(in_folder("b.safetensors"), 1 << 26, &a, &a_bytes, &testing_err));
    assert_ok(fv_file_read(in_folder("d.safetensors"), 1 << 26, &b, &b_bytes, &testing_err));
    assert_int_equal(a_bytes, b_bytes);
    assert_memory_equal(a, b, a_bytes);
    fv_free(a);
    fv_free(b);
    fv_classifier_destroy(c);
    fv_classifier_destroy(again);
}

static void test_unexpected(void **state)
{
    (void)state;
    fv_classifier *c = network();
    json_t *json = NULL;
    const int count = fv_params_count(fv_classifier_params(c));
    char expected[160];
    save("e.h5", c, 0, count, "extra", NULL, 0);
    assert_ok(convert("e.h5", "f.safetensors", "MobileNetV2_x0_25", &json));
    snprintf(
        expected, sizeof(expected),
        "{\"model\":\"MobileNetV2_x0_25\",\"matched\":%d,\"missing\":[],\"unexpected\":[\"extra\"],"
        "\"reshaped\":[]}",
        count);
    check_json(json, expected);
    fv_tensors *file = NULL;
    assert_ok(fv_tensors_open(&file, in_folder("f.safetensors"), &testing_err));
    assert_int_equal(fv_tensors_count(file), count);
    assert_string_equal(fv_tensors_meta(file, "arch"), "MobileNetV2_x0_25");
    fv_tensors_close(file);

    assert_ok(convert("e.h5", "g.h5", NULL, &json)); /* no model is known */
    snprintf(expected, sizeof(expected),
             "{\"model\":null,\"matched\":%d,\"missing\":[],\"unexpected\":[],\"reshaped\":[]}",
             count + 1);
    check_json(json, expected);
    fv_classifier_destroy(c);
}

static void test_missing(void **state)
{
    (void)state;
    fv_classifier *c = network();
    json_t *json = NULL;
    char expected[256];
    const fv_params *params = fv_classifier_params(c);
    const int count = fv_params_count(params);
    save("h.h5", c, 1, count - 1, NULL, NULL, 0);
    assert_int_equal(convert("h.h5", "i.h5", "MobileNetV2_x0_25", &json), FV_ERR_SHAPE);
    snprintf(expected, sizeof(expected),
             "%s: not all of MobileNetV2_x0_25: 1 missing, 0 of another shape; nothing was written",
             in_folder("h.h5"));
    assert_string_equal(testing_err.message, expected);
    snprintf(
        expected, sizeof(expected),
        "{\"model\":\"MobileNetV2_x0_25\",\"matched\":%d,\"missing\":[\"%s\"],\"unexpected\":[],"
        "\"reshaped\":[]}",
        count - 1, fv_params_at(params, 0)->name);
    check_json(json, expected);
    assert_false(fv_file_exists(in_folder("i.h5")));

    save("h.h5", c, 1, count - 1, fv_params_at(params, 0)->name, NULL, 0);
    assert_int_equal(convert("h.h5", "i.h5", "MobileNetV2_x0_25", &json), FV_ERR_SHAPE);
    snprintf(expected, sizeof(expected),
             "{\"model\":\"MobileNetV2_x0_25\",\"matched\":%d,\"missing\":[],\"unexpected\":[],"
             "\"reshaped\":[\"%s\"]}",
             count - 1, fv_params_at(params, 0)->name);
    check_json(json, expected);
    assert_false(fv_file_exists(in_folder("i.h5")));
    fv_classifier_destroy(c);
}

static void test_mistakes(void **state)
{
    (void)state;
    fv_classifier *c = network();
    json_t *json = NULL;
    char expected[400];
    save("j.h5", c, 0, fv_params_count(fv_classifier_params(c)), NULL, NULL, 0);
    assert_int_equal(convert("j.h5", "k.pth", NULL, &json), FV_ERR_FORMAT);
    snprintf(expected, sizeof(expected),
             "%s: cannot write: the extension gives the format, .h5, .safetensors or .pdparams",
             in_folder("k.pth"));
    assert_string_equal(testing_err.message, expected);
    assert_null(json);
    assert_int_equal(convert("j.h5", "k.h5", "MobileNetV2_x0_26", &json), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "MobileNetV2_x0_26: unknown model, did you mean MobileNetV2_x0_25?");
    assert_ok(fv_file_write(in_folder("l.pth"), "PK\3\4 and so on", 14, &testing_err));
    assert_int_equal(convert("l.pth", "k.h5", NULL, &json), FV_ERR_FORMAT);
    snprintf(expected, sizeof(expected),
             "%s: begins like a zip archive, such as a .pth, but cannot be read: damaged or cut",
             in_folder("l.pth"));
    assert_string_equal(testing_err.message, expected);
    assert_false(fv_file_exists(in_folder("k.h5")));
    fv_classifier_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_unexpected),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
