/* SPDX-License-Identifier: Apache-2.0 */
/* Overrides and dumps. */
#include "testing_config.h"

#include "base/compiler.h"

static const char sample[] = "Global: {epochs: 10, image: [3, 224, 224], none: }\n"
                             "Loss: &loss\n"
                             "  Train: {weight: 1.0}\n"
                             "Other: *loss\n"
                             "Ops:\n"
                             "  - Decode: {rgb: True}\n"
                             "  - Crop: {size: 224}\n"
                             "Empty: []\n";

static void set(fv_config *config, const char *assignment)
{
    assert_ok(fv_config_set(config, assignment, &testing_err));
}

static void expect_set(const char *assignment, const char *path, const char *text)
{
    fv_config *config = config_parse(sample);
    set(config, assignment);
    const char *got = config_text(config, path);
    assert_string_equal(got ? got : "(nothing)", text);
    fv_config_destroy(config);
}

static void test_values(void **state)
{
    (void)state;
    expect_set("Global.epochs=20", "Global.epochs", "20");
    expect_set("Global.epochs= 20", "Global.epochs", "20");
    expect_set("Global.epochs=", "Global.epochs", "(nothing)");
    expect_set("Global.epochs=None", "Global.epochs", "(nothing)");
    expect_set("Global.epochs=\"null\"", "Global.epochs", "null");
    expect_set("Global.epochs=a=b", "Global.epochs", "a=b");
    expect_set("Global.epochs=*.bn: #1 {x}", "Global.epochs", "*.bn: #1 {x}");
    expect_set("Global.epochs=\xf0\x9f\x98\x80\xe3\x81\x82\xc3\xa9", "Global.epochs",
               "\xf0\x9f\x98\x80\xe3\x81\x82\xc3\xa9");
    expect_set("Global.epochs='a''b'", "Global.epochs", "a'b");
    expect_set("Global.epochs=[1, [2, {a: 5}]]", "Global.epochs.1.1.a", "5");
    expect_set("Global.epochs={\"a\": [1]}", "Global.epochs.a.0", "1");
    expect_set("Global.image.1=160", "Global.image.1", "160");
    expect_set("Global={a: 1}", "Global.a", "1");
    expect_set("Ops.1.Crop.size=[1, 2]", "Ops.1.Crop.size.1", "2");
    expect_set("Ops.0={Resize: {size: 5}}", "Ops.0.Resize.size", "5");
}

/* What is not there is made: the tables know what may be. */
static void test_new_keys(void **state)
{
    (void)state;
    expect_set("Global.output_dir=./x", "Global.output_dir", "./x");
    expect_set("EMA.decay=0.99", "EMA.decay", "0.99");
    expect_set("A.B.C.D=1", "A.B.C.D", "1");
    expect_set("Global.none.deep.x=1", "Global.none.deep.x", "1");
    fv_config *config = config_parse("");
    set(config, "Global.epochs=1");
    set(config, "Global.seed=2");
    set(config, "Global.epochs=3");
    assert_string_equal(config_text(config, "Global.epochs"), "3");
    assert_string_equal(config_text(config, "Global.seed"), "2");
    assert_int_equal(fv_config_count(fv_config_child(fv_config_root(config), "Global")), 2);
    fv_config_destroy(config);
}

static void test_aliases_follow(void **state)
{
    (void)state;
    expect_set("Loss.Train.weight=2", "Other.Train.weight", "2");
    expect_set("Other.Train.weight=2", "Loss.Train.weight", "2");
    expect_set("Other.Train.more={a: [1]}", "Loss.Train.more.a.0", "1");
    expect_set("Other.Eval.x=4", "Loss.Eval.x", "4");
    fv_config *config = config_parse(sample);
    set(config, "Other.Train.more={a: [1, 2]}");
    set(config, "Loss.Train.more.a.1=7"); /* what was set is shared, too */
    assert_string_equal(config_text(config, "Other.Train.more.a.1"), "7");
    set(config, "Other={own: 1}"); /* another map, not another content of the same */
    assert_string_equal(config_text(config, "Loss.Train.more.a.1"), "7");
    set(config, "Loss.Train.more.a.1=8");
    assert_string_equal(config_text(config, "Other.own"), "1");
    fv_config_destroy(config);

    config = config_parse("a: &a {x: 1, l: [1]}\nb: {<<: *a}\n");
    set(config, "a.x=2"); /* a merge takes over values, the lists in it are the same lists */
    set(config, "a.l.0=2");
    assert_string_equal(config_text(config, "b.x"), "1");
    assert_string_equal(config_text(config, "b.l.0"), "2");
    fv_config_destroy(config);
}

static void expect_bad(const char *assignment, const char *message)
{
    fv_config *config = config_parse(sample);
    char *before = fv_config_dump(config);
    config_expect_error(fv_config_set(config, assignment, &testing_err), message);
    char *after = fv_config_dump(config);
    assert_string_equal(before, after);
    fv_free(before);
    fv_free(after);
    fv_config_destroy(config);
}

static void test_bad_overrides(void **state)
{
    (void)state;
    static const char not_printable[] = "-o: an assignment is not printable UTF-8 text";
    expect_bad("Global.epochs", "-o Global.epochs: expected Key.Sub.0.X=value");
    expect_bad("=5", "-o =5: expected Key.Sub.0.X=value");
    expect_bad("", "-o : expected Key.Sub.0.X=value");
    expect_bad("Global..x=5", "-o Global..x: a key is empty");
    expect_bad("Global.=5", "-o Global.: a key is empty");
    expect_bad(".x=5", "-o .x: a key is empty");
    expect_bad("Golbal.epochs=5", "-o Golbal.epochs: no key \"Golbal\", did you mean \"Global\"?");
    expect_bad("Loss.Trian.weight=5",
               "-o Loss.Trian.weight: no key \"Trian\", did you mean \"Train\"?");
    expect_bad("Ops.2.Crop=5", "-o Ops.2.Crop: index 2 of the list Ops is outside [0, 1]");
    expect_bad("Ops.-1=5", "-o Ops.-1: index -1 of the list Ops is outside [0, 1]");
    expect_bad("Ops.99999999999999999999=5", "-o Ops.99999999999999999999: index "
                                             "99999999999999999999 of the list Ops is outside "
                                             "[0, 1]");
    expect_bad("Ops.Crop.size=5",
               "-o Ops.Crop.size: Ops is a list: expected an index in [0, 1], got \"Crop\"");
    expect_bad("Ops.0x=5", "-o Ops.0x: Ops is a list: expected an index in [0, 1], got \"0x\"");
    expect_bad("Empty.0=5", "-o Empty.0: Empty is an empty list");
    expect_bad("Global.epochs.x=5",
               "-o Global.epochs.x: Global.epochs is \"10\", it has no key \"x\"");
    expect_bad("Global.epochs.x.y=5",
               "-o Global.epochs.x.y: Global.epochs is \"10\", it has no key \"x\"");
    expect_bad("Global.epochs=[1, 2",
               "-o Global.epochs: not valid YAML: while parsing a flow sequence, did not find "
               "expected ',' or ']'");
    expect_bad("Global.epochs={a: 1, a: 2}", "-o Global.epochs: key \"a\" is given twice");
    expect_bad("Global.epochs=[*x]", "-o Global.epochs: alias *x: no anchor &x before it");
    expect_bad("Global.epochs='a' b", "-o Global.epochs: not valid YAML: did not find expected "
                                      "<document start>");
    expect_bad("Global.epochs=\xff", not_printable);
    expect_bad("Global.epochs=\xc3", not_printable);
    expect_bad("Global.epochs=\xed\xa0\x80", not_printable);
    expect_bad("Global.epochs=\xc0\x80", not_printable);
    expect_bad("Global.epochs=\xe0\x80\x80", not_printable);
    expect_bad("Global.epochs=\xf4\x90\x80\x80", not_printable);
    expect_bad("Global.epochs=a\nb", not_printable);
    char *deep = config_repeat("a.", 64, "a=1");
    char message[512], *name = config_repeat("a.", 64, "a");
    snprintf(message, sizeof(message), "-o %s: nested deeper than 64 levels", name);
    fv_config *config = config_parse("");
    config_expect_error(fv_config_set(config, deep, &testing_err), message);
    set(config, deep + 2);
    fv_config_destroy(config);
    fv_free(deep);
    fv_free(name);
    char *long_key = config_repeat("k", 257, "=1");
    config = config_parse("");
    assert_int_equal(fv_config_set(config, long_key, &testing_err), FV_ERR_CONFIG);
    assert_non_null(strstr(testing_err.message, ": a key is too long"));
    fv_config_destroy(config);
    fv_free(long_key);
}

typedef struct options {
    int epochs;
} options;

static void test_messages_name_the_override(void **state)
{
    (void)state;
    static const fv_field fields[] = { FV_FIELD_INT(options, epochs, 1, 1, 100), FV_FIELD_END };
    options o;
    fv_config *config = config_parse("Global: {epochs: 10}\n");
    fv_config_node *map = fv_config_child(fv_config_root(config), "Global");
    set(config, "Global.epochs=1000");
    config_expect_error(fv_config_read(map, fields, &o, &testing_err),
                        "-o Global.epochs: 1000 is outside [1, 100]");
    set(config, "Global.epochs=[{a: x}]");
    fv_config_node *list = fv_config_child(map, "epochs");
    assert_string_equal(fv_config_node_where(fv_config_child(fv_config_at(list, 0), "a")),
                        "-o Global.epochs.0.a");
    set(config, "Global.epochs=5");
    set(config, "Global.epoch=5");
    config_expect_error(fv_config_read(map, fields, &o, &testing_err),
                        "-o Global.epoch: unknown key, did you mean \"epochs\"?");
    fv_config_destroy(config);
}

static void test_set_out_of_memory(void **state)
{
    (void)state;
    static const char *const assignments[] = { "Global.epochs=[1, {a: b}]", "New.Key.X=1",
                                               "Other.Train.more=text" };
    char *padding = config_repeat("x", 65000, ""); /* so that the arena needs new blocks */
    char *text = fv_alloc(70000);
    sprintf(text, "%sPadding: %s\n", sample, padding);
    for (size_t i = 0; i < FV_ARRAY_LEN(assignments); i++) {
        fv_status status = FV_ERR_NOMEM;
        for (size_t n = 1; status != FV_OK; n++) {
            fv_config *config = config_parse(text);
            assert_int_equal(status, FV_ERR_NOMEM);
            fv_alloc_fail_at(n);
            status = fv_config_set(config, assignments[i], &testing_err);
            fv_alloc_fail_at(0);
            fv_config_destroy(config);
        }
    }
    fv_free(padding);
    fv_free(text);
}

/* ---- Dumps ------------------------------------------------------------------- */

static bool equal(fv_config_node *a, fv_config_node *b)
{
    if (fv_config_node_type(a) != fv_config_node_type(b)) return false;
    if (fv_config_count(a) != fv_config_count(b)) return false;
    const char *ta = fv_config_node_text(a), *tb = fv_config_node_text(b);
    if (ta && strcmp(ta, tb) != 0) return false;
    for (int i = 0; i < fv_config_count(a); i++) {
        const char *ka = fv_config_key_at(a, i), *kb = fv_config_key_at(b, i);
        if (ka && strcmp(ka, kb) != 0) return false;
        if (!equal(fv_config_at(a, i), fv_config_at(b, i))) return false;
    }
    return true;
}

static void expect_round_trip(fv_config *config)
{
    char *dump = fv_config_dump(config);
    assert_non_null(dump);
    fv_config *again = config_parse(dump);
    if (!equal(fv_config_root(config), fv_config_root(again))) fail_msg("not the same:\n%s", dump);
    char *second = fv_config_dump(again);
    assert_string_equal(dump, second);
    fv_free(second);
    fv_free(dump);
    fv_config_destroy(again);
}

static void test_dump(void **state)
{
    (void)state;
    fv_config *config = config_parse(sample);
    set(config, "Loss.Train.name='a: b'");
    set(config, "Global.nested=[[1, 2], [{a: 1, b: 'yes'}, []], {}]");
    char *dump = fv_config_dump(config);
    assert_string_equal(dump, "Global:\n"
                              "  epochs: 10\n"
                              "  image: [3, 224, 224]\n"
                              "  none: null\n"
                              "  nested:\n"
                              "    - [1, 2]\n"
                              "    - - a: 1\n"
                              "        b: \"yes\"\n"
                              "      - []\n"
                              "    - {}\n"
                              "Loss:\n"
                              "  Train:\n"
                              "    weight: 1.0\n"
                              "    name: \"a: b\"\n"
                              "Other:\n"
                              "  Train:\n"
                              "    weight: 1.0\n"
                              "    name: \"a: b\"\n"
                              "Ops:\n"
                              "  - Decode:\n"
                              "      rgb: True\n"
                              "  - Crop:\n"
                              "      size: 224\n"
                              "Empty: []\n");
    fv_free(dump);
    expect_round_trip(config);
    fv_config_destroy(config);

    config = config_parse("");
    dump = fv_config_dump(config);
    assert_string_equal(dump, "{}\n");
    fv_free(dump);
    fv_config_destroy(config);
}

/* Texts that would be something else, or nothing at all, without quotes. */
static const char *const tricky[] = {
    "'null'",
    "\"None\"",
    "''",
    "'~'",
    "'1'",
    "\"1e-4\"",
    "'true'",
    "' a'",
    "'a '",
    "'- a'",
    "'-'",
    "'a: b'",
    "'a:'",
    "'a #b'",
    "'#b'",
    "'[a'",
    "'a, b'",
    "'{a}'",
    "'*a'",
    "'&a'",
    "'!a'",
    "'|'",
    "'>'",
    "'%a'",
    "'@a'",
    "'`a'",
    "'? a'",
    "'<<'",
    "'='",
    "'---'",
    "'...'",
    "'..'",
    "'a\"b'",
    "'a\\b'",
    "\"a\\nb\\n\"",
    "\"\\t\"",
    "\"\\x01\\x1f\\x7f\"",
    "\"\\u0085\\u00a0\"",
    "\"\\u2028\\u2029\\ufeff\\uffff\"",
    "\"\\U0001F600 \\u00e9\"",
    "\xe6\x96\x87\xe5\xad\x97",
    "C:\\path",
    "-1",
    "+1",
    "-x",
    "--x",
    "(1, 2)",
    "a  b",
    "2020-01-01",
    "'2020-01-01'",
    "a'b",
    "!!str 5",
    "!!str",
    "\"\\u3042:\"",
};

static void test_dump_quotes(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(tricky); i++) {
        char text[512];
        snprintf(text, sizeof(text), "a: %s\nlist:\n  - %s\n  - x\n", tricky[i], tricky[i]);
        fv_config *config = config_parse(text);
        expect_round_trip(config);
        fv_config_destroy(config);
        /* As a key, too: keys are quoted here, and are not empty. */
        if (!strchr("'\"", *tricky[i]) || strcmp(tricky[i], "''") == 0) continue;
        snprintf(text, sizeof(text), "%s: 1\nb:\n- %s: 2\n", tricky[i], tricky[i]);
        config = config_parse(text);
        expect_round_trip(config);
        fv_config_destroy(config);
    }
    fv_config *config = config_parse("a: 'x'\nb: '1'\nc: 1\nd: 'no'\ne: no\nf: './a-b_c.jpg'\n");
    char *dump = fv_config_dump(config);
    assert_string_equal(dump, "a: x\nb: \"1\"\nc: 1\nd: \"no\"\ne: no\nf: \"./a-b_c.jpg\"\n");
    fv_free(dump);
    fv_config_destroy(config);
}

static void test_dump_long_list(void **state)
{
    (void)state;
    char text[1024] = "a: [";
    for (int i = 0; i < 40; i++) sprintf(text + strlen(text), "%d, ", i);
    sprintf(text + strlen(text), "40]\n");
    fv_config *config = config_parse(text);
    char *dump = fv_config_dump(config);
    assert_memory_equal(dump, "a:\n  - 0\n  - 1\n", 15);
    fv_free(dump);
    expect_round_trip(config);
    fv_config_destroy(config);
}

static void test_dump_out_of_memory(void **state)
{
    (void)state;
    fv_config *config = config_parse(sample);
    char *dump = NULL;
    size_t n = 1;
    for (; !dump; n++) {
        fv_alloc_fail_at(n);
        dump = fv_config_dump(config);
    }
    fv_alloc_fail_at(0);
    assert_true(n > 2);
    fv_free(dump);
    fv_config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_aliases_follow),
        cmocka_unit_test(test_bad_overrides),
        cmocka_unit_test(test_messages_name_the_override),
        cmocka_unit_test(test_set_out_of_memory),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_dump_quotes),
        cmocka_unit_test(test_dump_long_list),
        cmocka_unit_test(test_dump_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
