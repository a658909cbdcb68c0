/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "cli/text.h"

#include <jansson.h>
#include <stdlib.h>

static void expect_print(const char *text, int columns, bool keep_end, const char *expected)
{
    char *printed = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&printed, &bytes);
    assert_non_null(out);
    fv_text_print(out, text, columns, keep_end);
    fclose(out);
    assert_string_equal(printed, expected);
    free(printed);
}

static void test_print(void **state)
{
    (void)state;
    expect_print("abc", 5, false, "abc  ");
    expect_print("abcde", 5, true, "abcde");
    expect_print("abcdef", 5, false, "ab...");
    expect_print("abcdef", 5, true, "...ef");
    expect_print("abcdef", 2, true, "..");
    expect_print("\xc3\xa4\xe5\x9b\xbe\xf0\x9f\x99\x82", 4, false,
                 "\xc3\xa4\xe5\x9b\xbe\xf0\x9f\x99\x82 ");
    expect_print("\xc3\xa4\xc3\xb6\xc3\xbc-\xc3\xa4", 4, true, "...\xc3\xa4");
}

/* Nothing that a terminal obeys comes through. */
static void test_control_characters(void **state)
{
    (void)state;
    expect_print("\x1b[2J\n\x7f", 6, false, "?[2J??");
    expect_print("a\xc2\x9b"
                 "b",
                 3, false, "a?b");                 /* CSI in one byte */
    expect_print("a\xff\xc3", 3, false, "a??");    /* no UTF-8 */
    expect_print("\xed\xa0\x80", 3, false, "???"); /* a surrogate */
    expect_print("\xc0\xaf\xf5", 3, false, "???"); /* too long, too large */
}

static void expect_json(const char *text, const char *expected)
{
    json_t *json = fv_json_text(text);
    assert_non_null(json);
    assert_string_equal(json_string_value(json), expected);
    json_decref(json);
}

static void test_json(void **state)
{
    (void)state;
    expect_json("\xc3\xa4 \"b\"", "\xc3\xa4 \"b\"");
    expect_json("a\xff"
                "b\xc3",
                "a\xef\xbf\xbd"
                "b\xef\xbf\xbd");
    expect_json("\xff\xff\xff", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    expect_json("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
