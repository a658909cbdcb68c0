/* SPDX-License-Identifier: Apache-2.0 */
#include "testing_config.h"

#include "base/compiler.h"
#include "base/log.h"

#include <stdbool.h>

/* ---- Tables ------------------------------------------------------------------ */

enum { NONE, LINEAR, COSINE };
static const char *const schedules[] = { "none", "linear", "cosine", NULL };

typedef struct options {
    bool nesterov;
    int epochs;
    int64_t seed;
    float momentum;
    double scale;
    const char *name;
    int schedule;
    fv_floats mean;
    fv_config_node *ops;
} options;

static const fv_field fields[] = {
    FV_FIELD_BOOL(options, nesterov, true),
    FV_FIELD_INT(options, epochs, 120, 1, 1000),
    FV_FIELD_LONG(options, seed, 42, 0, 9e18),
    FV_FIELD_FLOAT(options, momentum, 0.9, 0, 1e300),
    FV_FIELD_DOUBLE(options, scale, 1.5, -1e300, 1e300),
    FV_FIELD_STRING(options, name, "plain"),
    FV_FIELD_ENUM(options, schedule, "cosine", schedules),
    FV_FIELD_FLOATS(options, mean, -10, 10),
    FV_FIELD_NODE(options, ops),
    FV_FIELD_IGNORED("use_visualdl", "the curves are in metrics.csv"),
    FV_FIELD_END,
};

static void expect_read_error(const char *text, const char *message)
{
    options o;
    fv_config *config = config_parse(text);
    fv_config_node *map = fv_config_child(fv_config_root(config), "Opt");
    config_expect_error(fv_config_read(map, fields, &o, &testing_err), message);
    fv_config_destroy(config);
}

static void test_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "Opt:", "Opt: {}",
                                         "Opt: {epochs: , seed: ~, name: None, mean: , ops: }" };
    for (size_t i = 0; i < FV_ARRAY_LEN(texts); i++) {
        options o;
        memset(&o, 0xff, sizeof(o));
        fv_config *config = config_parse(texts[i]);
        fv_config_node *map = fv_config_child(fv_config_root(config), "Opt");
        assert_ok(fv_config_read(map, fields, &o, &testing_err));
        assert_true(o.nesterov);
        assert_int_equal(o.epochs, 120);
        assert_int_equal(o.seed, 42);
        assert_true(o.momentum == 0.9f);
        assert_true(o.scale == 1.5);
        assert_string_equal(o.name, "plain");
        assert_int_equal(o.schedule, COSINE);
        assert_int_equal(o.mean.count, 0);
        assert_null(o.ops);
        fv_config_destroy(config);
    }
}

static void test_values(void **state)
{
    (void)state;
    options o;
    fv_config *config = config_parse("Opt:\n"
                                     "  nesterov: off\n"
                                     "  epochs: 1_000\n"
                                     "  seed: 1234567890123456789\n"
                                     "  momentum: 1e-4\n"
                                     "  scale: \"1.0/255.0\"\n"
                                     "  name: 2020\n"
                                     "  schedule: linear\n"
                                     "  mean: [0.485, 1, '1e-1', -2 * 0.5]\n"
                                     "  ops: [a]\n");
    fv_config_node *map = fv_config_child(fv_config_root(config), "Opt");
    assert_ok(fv_config_read(map, fields, &o, &testing_err));
    assert_false(o.nesterov);
    assert_int_equal(o.epochs, 1000);
    assert_true(o.seed == 1234567890123456789);
    assert_true(o.momentum == 1e-4f);
    assert_true(o.scale == 1.0 / 255.0);
    assert_string_equal(o.name, "2020");
    assert_int_equal(o.schedule, LINEAR);
    assert_int_equal(o.mean.count, 4);
    assert_true(o.mean.values[0] == 0.485 && o.mean.values[1] == 1.0);
    assert_true(o.mean.values[2] == 0.1 && o.mean.values[3] == -1.0);
    assert_int_equal(fv_config_count(o.ops), 1);
    assert_ok(fv_config_finish(config, &testing_err));
    fv_config_destroy(config);
}

/* What Python would make of these, where a number or a list of numbers is wanted. */
static void test_expressions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {
        { "1 + 2 * 3", 7 },    { "(1 + 2) * 3", 9 }, { "-(3. / 4.) + 1", 0.25 },
        { "2 - 3 - 4", -5 },   { "8 / 2 / 2", 2 },   { "((((0.5))))", 0.5 },
        { "1e-3 * 10", 0.01 }, { "1-1", 0 },         { "3 * -2", -6 },
        { "'( 1/4 )'", 0.25 }, { "+(2)", 2 },        { "1_000 - 0x10", 984 },
    };
    static const char *const bad[] = { "1 +",
                                       "(1",
                                       "1)",
                                       "()",
                                       "2 ** 3",
                                       "5 // 2",
                                       "7 % 2",
                                       "a + 1",
                                       "1 2",
                                       "(1, 2)",
                                       "__import__('os')",
                                       "1 if 1 else 2",
                                       "((((((((((((((((((1))))))))))))))))))" };
    for (size_t i = 0; i < FV_ARRAY_LEN(good) + FV_ARRAY_LEN(bad); i++) {
        options o;
        char text[160];
        const bool is_good = i < FV_ARRAY_LEN(good);
        const char *expression = is_good ? good[i].text : bad[i - FV_ARRAY_LEN(good)];
        snprintf(text, sizeof(text), expression[0] == '\'' ? "scale: %s\n" : "scale: \"%s\"\n",
                 expression);
        fv_config *config = config_parse(text);
        const fv_status status = fv_config_read(fv_config_root(config), fields, &o, &testing_err);
        assert_int_equal(status, is_good ? FV_OK : FV_ERR_CONFIG);
        if (is_good && o.scale != good[i].value) fail_msg("%s is %g", expression, o.scale);
        fv_config_destroy(config);
    }
}

static void test_lists_in_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int count;
        double first, last;
    } good[] = {
        { "(3./4., 4./3.)", 2, 0.75, 4.0 / 3.0 },
        { "'[0.5, 1/4, ]'", 2, 0.5, 0.25 },
        { "\"[ (1+1)/4 ]\"", 1, 0.5, 0.5 },
        { "(0.5)", 1, 0.5, 0.5 },
        { "'[]'", 0, 0, 0 },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(good); i++) {
        options o;
        char text[80];
        snprintf(text, sizeof(text), "mean: %s\n", good[i].text);
        fv_config *config = config_parse(text);
        assert_ok(fv_config_read(fv_config_root(config), fields, &o, &testing_err));
        assert_int_equal(o.mean.count, good[i].count);
        if (good[i].count == 0) {
            fv_config_destroy(config);
            continue;
        }
        assert_true(o.mean.values[0] == good[i].first);
        assert_true(o.mean.values[good[i].count - 1] == good[i].last);
        fv_config_destroy(config);
    }
    static const char *const bad[] = { "'[0.5'", "'[0.5, a]'", "'[0.5)'", "'[0.5] x'",
                                       "'[0.5,,1]'" };
    for (size_t i = 0; i < FV_ARRAY_LEN(bad); i++) {
        options o;
        char text[80];
        snprintf(text, sizeof(text), "mean: %s\n", bad[i]);
        fv_config *config = config_parse(text);
        assert_int_equal(fv_config_read(fv_config_root(config), fields, &o, &testing_err),
                         FV_ERR_CONFIG);
        fv_config_destroy(config);
    }
}

static void test_one_number_is_a_list(void **state)
{
    (void)state;
    options o;
    fv_config *config = config_parse("mean: 1/2\n");
    assert_ok(fv_config_read(fv_config_root(config), fields, &o, &testing_err));
    assert_int_equal(o.mean.count, 1);
    assert_true(o.mean.values[0] == 0.5);
    fv_config_destroy(config);
}

/* Names that a message has no room for. */
static void test_many_names(void **state)
{
    (void)state;
    static const char *names[41];
    static char texts[40][8];
    for (int i = 0; i < 40; i++) {
        snprintf(texts[i], sizeof(texts[i]), "name%d", 10 + i);
        names[i] = texts[i];
    }
    const fv_field many[] = { FV_FIELD_ENUM(options, schedule, "name10", names), FV_FIELD_END };
    options o;
    fv_config *config = config_parse("schedule: x\n");
    fv_config_node *root = fv_config_root(config);
    assert_int_equal(fv_config_read(root, many, &o, &testing_err), FV_ERR_CONFIG);
    assert_memory_equal(testing_err.message,
                        "a.yaml:1:1: schedule: expected one of name10, name11, ", 54);
    assert_non_null(strstr(testing_err.message, ", name33, name34, ..., got \"x\""));
    fv_config_destroy(config);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {
        { "0", 0 },       { "-0.0", 0 },   { "+5", 5 },        { ".5", 0.5 },
        { "5.", 5 },      { "1E3", 1000 }, { "1e-05", 1e-5 },  { "0x10", 16 },
        { "-0x10", -16 }, { "1/4", 0.25 }, { "2 * 3/4", 1.5 }, { "1_0.2_5", 10.25 },
        { "0.1e+2", 10 }, { "\"3\"", 3 },  { "' 7 '", 7 },     { "1e-400", 0 },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(good); i++) {
        char text[64];
        options o;
        snprintf(text, sizeof(text), "scale: %s", good[i].text);
        fv_config *config = config_parse(text);
        assert_ok(fv_config_read(fv_config_root(config), fields, &o, &testing_err));
        if (o.scale != good[i].value) fail_msg("%s: %.17g", good[i].text, o.scale);
        fv_config_destroy(config);
    }
    static const char *const bad[] = {
        "fast", "1..2", "1e",   "e5",  "017",  "00.5",     "1:30", "1 2",  "0x",   "0xg",
        "1__0", "_1",   "1_",   "--1", "1//2", "1*",       "*1'",  "2**3", "(1",   "1+)",
        ".",    "-",    "True", "1f",  "info", "infinity", "0b1",  "1,5",  "1e5.", "os.exit()",
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(bad); i++) {
        char text[64], message[128];
        snprintf(text, sizeof(text), "Opt: {scale: \"%s\"}", bad[i]);
        snprintf(message, sizeof(message), "a.yaml:1:7: Opt.scale: expected a number, got \"%s\"",
                 bad[i]);
        expect_read_error(text, message);
    }
    static const char *const infinite[] = { ".inf", "-.INF", "inf", ".nan", "NaN", "1e999", "1/0" };
    for (size_t i = 0; i < FV_ARRAY_LEN(infinite); i++) {
        char text[64], message[128];
        snprintf(text, sizeof(text), "Opt: {scale: %s}", infinite[i]);
        snprintf(message, sizeof(message),
                 "a.yaml:1:7: Opt.scale: expected a finite number, got \"%s\"", infinite[i]);
        expect_read_error(text, message);
    }
}

static void test_wrong_types(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "epochs: 1.0", "epochs: expected an integer, got \"1.0\"" },
        { "epochs: 1e2", "epochs: expected an integer, got \"1e2\"" },
        { "epochs: 8/2", "epochs: expected an integer, got \"8/2\"" },
        { "epochs: true", "epochs: expected an integer, got \"true\"" },
        { "epochs: [1]", "epochs: expected an integer, got a list" },
        { "epochs: {a: 1}", "epochs: expected an integer, got a map" },
        { "epochs: ''", "epochs: expected an integer, got \"\"" },
        { "epochs: 0", "epochs: 0 is outside [1, 1000]" },
        { "epochs: 1001", "epochs: 1001 is outside [1, 1000]" },
        { "epochs: 99999999999999999999", "epochs: 99999999999999999999 is outside [1, 1000]" },
        { "epochs: 40*40", "epochs: 40*40 is outside [1, 1000]" },
        { "seed: -1", "seed: -1 is outside [0, 9e+18]" },
        { "seed: 9223372036854775808", "seed: 9223372036854775808 is outside [0, 9e+18]" },
        { "seed: 0xffffffffffffffffff", "seed: expected an integer, got \"0xffffffffffffffffff\"" },
        { "momentum: -0.1", "momentum: -0.1 is outside [0, 1e+300]" },
        { "momentum: 1e39", "momentum: 1e39 is too large for a 32-bit number" },
        { "momentum: yes", "momentum: expected a number, got \"yes\"" },
        { "nesterov: 1", "nesterov: expected true or false, got \"1\"" },
        { "nesterov: y", "nesterov: expected true or false, got \"y\"" },
        { "nesterov: []", "nesterov: expected true or false, got a list" },
        { "name: [a]", "name: expected a text, got a list" },
        { "name: {}", "name: expected a text, got a map" },
        { "schedule: cosin", "schedule: expected one of none, linear, cosine, got \"cosin\", did "
                             "you mean \"cosine\"?" },
        { "schedule: step", "schedule: expected one of none, linear, cosine, got \"step\"" },
        { "mean: {}", "mean: expected a list of numbers, got a map" },
        { "mean: x", "mean: expected a number, got \"x\"" },
        { "mean: 11", "mean: 11 is outside [-10, 10]" },
        { "epochs: \"a\\nb\\tc\"", "epochs: expected an integer, got \"a b c\"" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        char text[128], message[256];
        snprintf(text, sizeof(text), "Opt:\n    %s\n", cases[i].text);
        snprintf(message, sizeof(message), "a.yaml:2:5: Opt.%s", cases[i].message);
        expect_read_error(text, message);
    }
    expect_read_error("Opt: {mean: [1, 2, [3]]}",
                      "a.yaml:1:20: Opt.mean.2: expected a number, got a list");
    expect_read_error("Opt: {mean: [1, ~]}",
                      "a.yaml:1:17: Opt.mean.1: expected a number, got nothing");
    expect_read_error("Opt: 5", "a.yaml:1:1: Opt: expected a map of settings, got \"5\"");
    expect_read_error("Opt: [1]", "a.yaml:1:1: Opt: expected a map of settings, got a list");
    char *digits = config_repeat("1", 200, "");
    char message[512], long_number[512];
    snprintf(long_number, sizeof(long_number), "Opt: {scale: %s}", digits);
    snprintf(message, sizeof(message), "a.yaml:1:7: Opt.scale: expected a number, got \"%.60s...\"",
             digits);
    expect_read_error(long_number, message);
    fv_free(digits);
    char *many = config_repeat("1, ", 65, "]}");
    char text[512];
    snprintf(text, sizeof(text), "Opt: {mean: [%s", many);
    fv_free(many);
    expect_read_error(text, "a.yaml:1:7: Opt.mean: 65 numbers, at most 64 are allowed");
}

/* Long texts are cut, between characters. */
static void test_long_text(void **state)
{
    (void)state;
    char *text = config_repeat("\xc3\xa9", 100, "");
    char config[512], message[512];
    snprintf(config, sizeof(config), "Opt: {epochs: x%s}", text);
    snprintf(message, sizeof(message),
             "a.yaml:1:7: Opt.epochs: expected an integer, got \"x%.58s...\"", text);
    expect_read_error(config, message);
    fv_free(text);
}

static void test_unknown_keys(void **state)
{
    (void)state;
    expect_read_error("Opt:\n  momentun: 0.9\n",
                      "a.yaml:2:3: Opt.momentun: unknown key, did you mean \"momentum\"?");
    expect_read_error("Opt: {Epoch: 3}",
                      "a.yaml:1:7: Opt.Epoch: unknown key, did you mean \"epochs\"?");
    expect_read_error("Opt: {weather: 3}", "a.yaml:1:7: Opt.weather: unknown key");

    typedef struct few {
        int size, pad;
    } few;
    static const fv_field few_fields[] = { FV_FIELD_INT(few, size, 1, 0, 9),
                                           FV_FIELD_INT(few, pad, 1, 0, 9), FV_FIELD_END };
    static const fv_field none[] = { FV_FIELD_END };
    few f;
    fv_config *c =
        config_parse("DataLoader: {Train: {dataset: {transform_ops: [A: {}, RandCropImage: "
                     "{sice: 3, weather: 3}]}}}");
    fv_config_node *node = fv_config_root(c);
    static const char *const way[] = { "DataLoader", "Train", "dataset", "transform_ops" };
    for (size_t i = 0; i < FV_ARRAY_LEN(way); i++) node = fv_config_child(node, way[i]);
    node = fv_config_at(fv_config_at(node, 1), 0);
    config_expect_error(
        fv_config_read(node, few_fields, &f, &testing_err),
        "a.yaml:1:71: DataLoader.Train.dataset.transform_ops.1.RandCropImage.sice: unknown "
        "key, did you mean \"size\"?");
    config_expect_error(
        fv_config_read(node, none, &f, &testing_err),
        "a.yaml:1:71: DataLoader.Train.dataset.transform_ops.1.RandCropImage.sice: unknown "
        "key, there are none here");
    fv_config_child(node, "sice"); /* asked for by somebody: no longer unknown */
    config_expect_error(
        fv_config_read(node, few_fields, &f, &testing_err),
        "a.yaml:1:80: DataLoader.Train.dataset.transform_ops.1.RandCropImage.weather: "
        "unknown key, known here: size, pad");
    fv_config_destroy(c);
}

static void test_finish(void **state)
{
    (void)state;
    fv_config *c = config_parse("Global: {}\nOptimzer: {}\n");
    fv_config_child(fv_config_root(c), "Global");
    config_expect_error(fv_config_finish(c, &testing_err), "a.yaml:2:1: Optimzer: unknown key");
    fv_config_child(fv_config_root(c), "Optimizer");
    config_expect_error(fv_config_finish(c, &testing_err),
                        "a.yaml:2:1: Optimzer: unknown key, did you mean \"Optimizer\"?");
    fv_config_child(fv_config_root(c), "Optimzer");
    assert_ok(fv_config_finish(c, &testing_err));
    fv_config_destroy(c);
}

static void test_required(void **state)
{
    (void)state;
    static const fv_field needs[] = { FV_FIELD_STRING(options, name, FV_REQUIRED), FV_FIELD_END };
    options o;
    fv_config *c = config_parse("Arch: {name: }\n");
    fv_config_node *root = fv_config_root(c);
    config_expect_error(fv_config_read(NULL, needs, &o, &testing_err), "name: must be given");
    config_expect_error(fv_config_read(fv_config_child(root, "Arch"), needs, &o, &testing_err),
                        "a.yaml:1:1: Arch.name: must be given");
    fv_config_destroy(c);
    c = config_parse("");
    config_expect_error(fv_config_read(fv_config_root(c), needs, &o, &testing_err),
                        "a.yaml:1:1: name: must be given");
    fv_config_destroy(c);
}

static void keep_line(void *ctx, fv_log_level level, const char *line)
{
    (void)level;
    char *all = ctx;
    sprintf(all + strlen(all), "%s\n", line);
}

static void test_ignored_is_told_once(void **state)
{
    (void)state;
    char lines[512] = "";
    options o;
    fv_config *c = config_parse("use_visualdl: True\n");
    fv_log_sink(keep_line, lines);
    for (int i = 0; i < 2; i++)
        assert_ok(fv_config_read(fv_config_root(c), fields, &o, &testing_err));
    fv_log_sink(NULL, NULL);
    assert_string_equal(lines,
                        "a.yaml:1:1: use_visualdl: ignored, the curves are in metrics.csv\n");
    fv_config_destroy(c);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {
        "momentum", "lr", "learning_rate", "warmup_epoch", "Cosine", "size", NULL
    };
    static const struct {
        const char *word, *near;
    } cases[] = {
        { "momentun", "momentum" },
        { "MOMENTUM", "momentum" },
        { "momnetum", "momentum" },
        { "warmup", "warmup_epoch" },
        { "learning_rates", "learning_rate" },
        { "rl", "lr" },
        { "cosine", "Cosine" },
        { "sze", "size" },
        { "x", NULL },
        { "weather", NULL },
        { "", NULL },
        { "ab", NULL },
        { "lr_mult", NULL },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        const char *near = fv_config_nearest(cases[i].word, words);
        if (cases[i].near)
            assert_string_equal(near ? near : "(none)", cases[i].near);
        else
            assert_string_equal(near ? near : "(none)", "(none)");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_lists_in_texts),
        cmocka_unit_test(test_one_number_is_a_list),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_ignored_is_told_once),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
