/* SPDX-License-Identifier: Apache-2.0 */
#include "testing_config.h"

#include "base/compiler.h"
#include "base/file.h"

static void expect_bad(const char *text, const char *message)
{
    fv_config *config = NULL;
    config_expect_error(fv_config_parse(&config, "a.yaml", text, &testing_err), message);
    assert_null(config);
}

/* ---- Trees ------------------------------------------------------------------- */

static void test_tree(void **state)
{
    (void)state;
    fv_config *c = config_parse("# a comment\n"
                                "Global:\n"
                                "  epochs: 10   # another\n"
                                "  name: 'it''s'\n"
                                "  text: |\n"
                                "    two\n"
                                "    lines\n"
                                "List: [0.485, \"a b\", [x], {k: v}]\n"
                                "Ops:\n"
                                "  - DecodeImage: {to_rgb: True}\n"
                                "  - ToCHW:\n");
    assert_string_equal(config_text(c, "Global.epochs"), "10");
    assert_string_equal(config_text(c, "Global.name"), "it's");
    assert_string_equal(config_text(c, "Global.text"), "two\nlines\n");
    assert_string_equal(config_text(c, "List.1"), "a b");
    assert_string_equal(config_text(c, "List.2.0"), "x");
    assert_string_equal(config_text(c, "List.3.k"), "v");
    assert_string_equal(config_text(c, "Ops.0.DecodeImage.to_rgb"), "True");
    assert_null(config_text(c, "Global.none"));
    assert_null(config_text(c, "Global"));

    fv_config_node *ops = fv_config_child(fv_config_root(c), "Ops");
    assert_int_equal(fv_config_node_type(ops), FV_CONFIG_LIST);
    assert_int_equal(fv_config_count(ops), 2);
    assert_string_equal(fv_config_key_at(fv_config_at(ops, 1), 0), "ToCHW");
    assert_int_equal(fv_config_node_type(fv_config_at(fv_config_at(ops, 1), 0)), FV_CONFIG_NULL);
    assert_string_equal(fv_config_node_where(fv_config_at(fv_config_at(ops, 0), 0)),
                        "a.yaml:10:5: Ops.0.DecodeImage");
    assert_string_equal(fv_config_node_where(ops), "a.yaml:9:1: Ops");
    assert_string_equal(fv_config_node_where(fv_config_root(c)), "a.yaml:1:1");
    assert_null(fv_config_at(ops, 2));
    assert_null(fv_config_at(ops, -1));
    assert_null(fv_config_key_at(ops, 0));
    assert_null(fv_config_key_at(ops, 9));
    fv_config_destroy(c);
    fv_config_destroy(NULL);
}

static void test_absent_nodes(void **state)
{
    (void)state;
    assert_int_equal(fv_config_node_type(NULL), FV_CONFIG_NULL);
    assert_null(fv_config_node_text(NULL));
    assert_null(fv_config_child(NULL, "a"));
    assert_null(fv_config_at(NULL, 0));
    assert_int_equal(fv_config_count(NULL), 0);
    config_expect_error(fv_config_fail(NULL, &testing_err, "no %s", "batch"), "no batch");
}

static void test_nulls(void **state)
{
    (void)state;
    fv_config *c = config_parse("a:\nb: ~\nc: null\nd: None\ne: 'None'\nf: \"\"\ng: !!str null\n");
    fv_config_node *root = fv_config_root(c);
    static const char *const nulls[] = { "a", "b", "c", "d" };
    for (size_t i = 0; i < FV_ARRAY_LEN(nulls); i++) assert_null(fv_config_child(root, nulls[i]));
    assert_string_equal(config_text(c, "e"), "None");
    assert_string_equal(config_text(c, "f"), "");
    assert_string_equal(config_text(c, "g"), "null");
    fv_config_destroy(c);

    static const char *const empty[] = { "", "# nothing\n", "---\n", "null", "{}", "\xef\xbb\xbf" };
    for (size_t i = 0; i < FV_ARRAY_LEN(empty); i++) {
        c = config_parse(empty[i]);
        assert_int_equal(fv_config_node_type(fv_config_root(c)), FV_CONFIG_MAP);
        assert_int_equal(fv_config_count(fv_config_root(c)), 0);
        fv_config_destroy(c);
    }
}

static void test_anchors(void **state)
{
    (void)state;
    fv_config *c = config_parse("a: &a {x: 1, l: &l [1, 2]}\n"
                                "b: *a\n"
                                "c: &a {x: 3}\n" /* from here on another a */
                                "d: [*l, *a]\n"
                                "e: &e 5\n"
                                "f: *e\n");
    assert_string_equal(config_text(c, "b.x"), "1");
    assert_string_equal(config_text(c, "b.l.1"), "2");
    assert_string_equal(config_text(c, "d.0.1"), "2");
    assert_string_equal(config_text(c, "d.1.x"), "3");
    assert_string_equal(config_text(c, "f"), "5");
    /* Where it stands in the file, but the path by which it was reached. */
    fv_config_node *b = fv_config_child(fv_config_root(c), "b");
    assert_string_equal(fv_config_node_where(b), "a.yaml:2:1: b");
    assert_string_equal(fv_config_node_where(fv_config_child(b, "x")), "a.yaml:1:8: b.x");
    fv_config_destroy(c);
}

static void test_merge_keys(void **state)
{
    (void)state;
    fv_config *c = config_parse("a: &a {x: 1, y: 1}\n"
                                "b: &b {y: 2, z: 2}\n"
                                "c: {x: 9, <<: *a}\n"
                                "d: {<<: [*a, *b], z: 9}\n"
                                "e: {\"<<\": 7}\n"
                                "f: {<<: {p: 3}}\n");
    assert_string_equal(config_text(c, "c.x"), "9");
    assert_string_equal(config_text(c, "c.y"), "1");
    assert_string_equal(config_text(c, "d.y"), "1");
    assert_string_equal(config_text(c, "d.z"), "9");
    assert_string_equal(config_text(c, "e.<<"), "7");
    assert_string_equal(config_text(c, "f.p"), "3");
    assert_int_equal(fv_config_count(fv_config_child(fv_config_root(c), "d")), 3);
    fv_config_destroy(c);
    expect_bad("a: {<<: 5}\n", "a.yaml:1:5: a.<<: expected a map or a list of maps, got \"5\"");
    expect_bad("a: {<<: [{b: 1}, 5]}\n",
               "a.yaml:1:18: a.<<.1: expected a map or a list of maps, got \"5\"");
    expect_bad("a: {<<: {b: 1}, <<: {c: 1}}\n",
               "a.yaml:1:17: key \"<<\" is given twice, first in line 1");
    expect_bad("a: &a {<<: *a}\n", "a.yaml:1:12: alias *a: stands inside its own anchor");
}

/* ---- Bad files --------------------------------------------------------------- */

static void test_bad_structure(void **state)
{
    (void)state;
    expect_bad("a: 1\nb: 2\na: 3\n", "a.yaml:3:1: key \"a\" is given twice, first in line 1");
    expect_bad("x:\n  a: 1\n  a: 3\n", "a.yaml:3:3: key \"a\" is given twice, first in line 2");
    expect_bad("- a\n", "a.yaml:1:1: expected a map of settings, got a list");
    expect_bad("just text\n", "a.yaml:1:1: expected a map of settings, got \"just text\"");
    expect_bad("a: 1\n---\nb: 2\n", "a.yaml:2:1: a second document begins here, one is allowed");
    expect_bad("[a, b]: 1\n", "a.yaml:1:1: a key must be a word, not a list, a map or an alias");
    expect_bad("a: &a x\n*a : 1\n",
               "a.yaml:2:1: a key must be a word, not a list, a map or an alias");
    expect_bad("? {a: b}\n: 1\n",
               "a.yaml:1:3: a key must be a word, not a list, a map or an alias");
    expect_bad("'': 1\n", "a.yaml:1:1: a key is empty");
    expect_bad("a: *b\n", "a.yaml:1:4: alias *b: no anchor &b before it");
    expect_bad("a: &a [1, *a]\n", "a.yaml:1:11: alias *a: stands inside its own anchor");
    expect_bad("a: \"x\\0y\"\n", "a.yaml:1:4: a text with a zero byte in it");
    expect_bad("\"x\\0y\": 1\n", "a.yaml:1:1: a key with a zero byte in it");
    expect_bad("a: !!python/object:os.system x\n",
               "a.yaml:1:4: tag \"tag:yaml.org,2002:python/object:os.system\" is not supported");
    expect_bad("a: !mine [1]\n", "a.yaml:1:4: tag \"!mine\" is not supported");
}

static void test_bad_syntax(void **state)
{
    (void)state;
    expect_bad("a:\n\tb: 1\n", "a.yaml:2:1: indented with a tab, use blanks");
    expect_bad("a:\n  b: 1\n  \tc: 1\n", "a.yaml:3:3: indented with a tab, use blanks");
    expect_bad("a: [1, 2\nb: 3\n", "a.yaml:2:2: not valid YAML: while parsing a flow sequence, did "
                                   "not find expected ',' or ']'");
    expect_bad("a: \"x\n", "a.yaml:2:1: not valid YAML: while scanning a quoted scalar, found "
                           "unexpected end of stream");
    expect_bad("a: b: c\n", "a.yaml:1:5: not valid YAML: mapping values are not allowed in this "
                            "context");
    expect_bad("a:\n  - b\n c\n", "a.yaml:3:2: not valid YAML: while parsing a block mapping, did "
                                  "not find expected key");
    expect_bad("a: 1\nb: \xff\n", "a.yaml:2:4: not valid UTF-8 text: invalid leading UTF-8 octet");
    expect_bad("a: \xc3(\n", "a.yaml:1:5: not valid UTF-8 text: invalid trailing UTF-8 octet");
    expect_bad("a: \x01\n", "a.yaml:1:4: not valid UTF-8 text: control characters are not allowed");
}

static void test_bounds(void **state)
{
    (void)state;
    char *text = config_repeat("{a: ", 1000, "");
    expect_bad(text, "a.yaml:1:261: nested deeper than 64 levels");
    fv_free(text);

    /* Just what is allowed: the root has depth 0. */
    text = config_repeat("{a: ", 65, "1");
    char *closed = config_repeat("}", 65, "");
    char whole[512];
    snprintf(whole, sizeof(whole), "%s%s", text, closed);
    expect_bad(whole, "a.yaml:1:261: nested deeper than 64 levels");
    snprintf(whole, sizeof(whole), "%s%s", text + 4, closed + 1);
    fv_config_destroy(config_parse(whole));
    fv_free(text);
    fv_free(closed);

    text = config_repeat("k", 257, ": 1\n");
    expect_bad(text, "a.yaml:1:1: a key of 257 bytes, at most 256 are allowed");
    fv_config_destroy(config_parse(text + 1));
    fv_free(text);

    text = config_repeat("- &a x\n", 257, "");
    expect_bad(text, "a.yaml:257:3: more than 256 anchors");
    fv_free(text);

    text = config_repeat("#", (4 << 20) + 1, "");
    expect_bad(text, "a.yaml: 4194305 bytes, more than the 4194304 allowed");
    fv_free(text);

    char *keys = fv_alloc((size_t)16 * 1002);
    for (int i = 0; i < 1001; i++) sprintf(keys + strlen(keys), "k%d: 1\n", i);
    expect_bad(keys, "a.yaml:1001:1: more than 1000 keys in one map");
    keys[strlen(keys) - strlen("k1000: 1\n")] = '\0';
    fv_config *config = config_parse(keys);
    assert_int_equal(fv_config_count(fv_config_root(config)), 1000);
    config_expect_error(fv_config_set(config, "more=1", &testing_err),
                        "-o more: more than 1000 keys in one map");
    assert_ok(fv_config_set(config, "k7=1", &testing_err));
    fv_config_destroy(config);
    sprintf(keys + strlen(keys), "<<: {a: 1}\n");
    expect_bad(keys, "a.yaml:1001:1: more than 1000 keys in one map");
    fv_free(keys);
}

static void test_alias_bombs(void **state)
{
    (void)state;
    char text[2048] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    char merges[2048] = "a0: &a0 {x0: 1}\n";
    for (int i = 1; i < 10; i++)
        sprintf(text + strlen(text), "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    expect_bad(text, "a.yaml: more than 1000000 values, aliases written out");
    for (int i = 1; i < 22; i++)
        sprintf(merges + strlen(merges), "a%d: &a%d {<<: *a%d, y%d: *a%d, z%d: *a%d}\n", i, i,
                i - 1, i, i - 1, i, i - 1);
    expect_bad(merges, "a.yaml: more than 1000000 values, aliases written out");
}

static void test_deep_aliases(void **state)
{
    (void)state;
    char text[4096] = "a0: &a0 [x]\n";
    for (int i = 1; i < 80; i++) sprintf(text + strlen(text), "a%d: &a%d [*a%d]\n", i, i, i - 1);
    fv_config *config = NULL;
    assert_int_equal(fv_config_parse(&config, "a.yaml", text, &testing_err), FV_ERR_CONFIG);
    assert_non_null(strstr(testing_err.message, ": nested deeper than 64 levels"));
}

static const char sample[] = "a: &a {x: 1, 'y': \"z\\u00e9\", l: [1, 2.5, *b]}\n"
                             "Global:\n"
                             "  epochs: 10 # ten\n"
                             "  <<: {p: ~, q: True}\n"
                             "  text: >-\n"
                             "    folded\n"
                             "    text\n"
                             "Ops:\n"
                             "  - Crop: {size: [1, 2], <<: *a}\n"
                             "  - ? Flip\n"
                             "    : !!str 5\n"
                             "  - |+\n"
                             "    end\n";

static void parse_any(const char *text)
{
    fv_config *config = NULL;
    if (fv_config_parse(&config, "a.yaml", text, &testing_err) == FV_OK) {
        char *dump = fv_config_dump(config);
        assert_non_null(dump);
        fv_free(dump);
    } else {
        assert_memory_equal(testing_err.message, "a.yaml", 6);
        assert_null(strchr(testing_err.message, '\n'));
    }
    fv_config_destroy(config);
}

/* Damaged files are refused or read; what matters is that nothing worse happens. */
static void test_damage(void **state)
{
    (void)state;
    char text[sizeof(sample) + 16];
    snprintf(text, sizeof(text), "b: &b 7\n%s", sample);
    const size_t length = strlen(text);
    fv_config_destroy(config_parse(text));
    for (size_t i = 0; i < length; i++) {
        char damaged[sizeof(text)];
        memcpy(damaged, text, length + 1);
        damaged[i] = '\0';
        parse_any(damaged);
        for (int bit = 0; bit < 8; bit++) {
            memcpy(damaged, text, length + 1);
            damaged[i] = (char)(damaged[i] ^ 1 << bit);
            parse_any(damaged);
        }
        memcpy(damaged, text, length + 1);
        memmove(damaged + i, damaged + i + 1, length - i);
        parse_any(damaged);
    }
}

static void test_load(void **state)
{
    (void)state;
    char path[256], message[512];
    snprintf(path, sizeof(path), "%s/b.yaml", testing_folder());
    fv_config *config = NULL;
    assert_int_equal(fv_config_load(&config, path, &testing_err), FV_ERR_IO);
    snprintf(message, sizeof(message), "%s: cannot open: No such file or directory", path);
    assert_string_equal(testing_err.message, message);

    assert_ok(fv_file_write(path, "a: 1\0b", 6, &testing_err));
    snprintf(message, sizeof(message),
             "%s:1:5: not valid UTF-8 text: control characters are not allowed", path);
    config_expect_error(fv_config_load(&config, path, &testing_err), message);
    assert_ok(fv_file_write(path, "a: 1", 4, &testing_err));
    assert_ok(fv_config_load(&config, path, &testing_err));
    assert_string_equal(config_text(config, "a"), "1");
    fv_config_destroy(config);
}

/* Every allocation fails once; each is reported, and nothing leaks. */
static void test_out_of_memory(void **state)
{
    (void)state;
    fv_status status = FV_ERR_NOMEM;
    char text[sizeof(sample) + 16];
    snprintf(text, sizeof(text), "b: &b 7\n%s", sample);
    int failures = -1;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_config *config = NULL;
        assert_int_equal(status, FV_ERR_NOMEM);
        fv_alloc_fail_at(n);
        status = fv_config_parse(&config, "a.yaml", text, &testing_err);
        if (status != FV_OK) assert_string_equal(testing_err.message, "a.yaml: out of memory");
        fv_config_destroy(config);
        failures++;
    }
    fv_alloc_fail_at(0);
    assert_true(failures >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),          cmocka_unit_test(test_absent_nodes),
        cmocka_unit_test(test_nulls),         cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_merge_keys),    cmocka_unit_test(test_bad_structure),
        cmocka_unit_test(test_bad_syntax),    cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_alias_bombs),   cmocka_unit_test(test_deep_aliases),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_load),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
