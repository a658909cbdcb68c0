/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/compiler.h"
#include "base/memory.h"
#include "io/chart.h"

#include <math.h>
#include <stdio.h>

static fv_html page;

static int teardown(void **state)
{
    (void)state;
    fv_alloc_fail_at(0);
    fv_html_deinit(&page);
    return 0;
}

static int count_of(const char *part)
{
    int count = 0;
    for (const char *p = page.text; (p = strstr(p, part)); p++) count++;
    return count;
}

static void expect_text(const char *text, const char *expected)
{
    fv_html_raw(&page, "");
    fv_html_text(&page, text);
    assert_string_equal(page.text, expected);
    fv_html_deinit(&page);
}

static void test_text_cannot_become_markup(void **state)
{
    (void)state;
    expect_text("", "");
    expect_text("<script>alert('a & \"b\"')</script>",
                "&lt;script&gt;alert(&#39;a &amp; &quot;b&quot;&#39;)&lt;/script&gt;");
    expect_text("a\tb\nc\x1b[2J\x7f", "a\tb\nc\xef\xbf\xbd[2J\xef\xbf\xbd");
    expect_text("\xc3\xa4\xe5\x9b\xbe\xff\xc3", "\xc3\xa4\xe5\x9b\xbe\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_counts(void **state)
{
    (void)state;
    fv_html_count(&page, 0);
    fv_html_raw(&page, " ");
    fv_html_count(&page, 999);
    fv_html_raw(&page, " ");
    fv_html_count(&page, 1281167);
    fv_html_raw(&page, " ");
    fv_html_count(&page, -123456);
    assert_string_equal(page.text, "0 999 1,281,167 -123,456");
}

static void test_image(void **state)
{
    (void)state;
    const uint8_t bytes[] = { 0xff, 0xd8, 0x00, 0x41 };
    static const char *const base64[] = { "", "/w==", "/9g=", "/9gA", "/9gAQQ==" };
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        char expected[200];
        fv_html_image(&page, "image/png", bytes, size, 2, 3, "\"x\"");
        snprintf(expected, sizeof(expected),
                 "<img loading=lazy width=2 height=3 alt=\"&quot;x&quot;\" "
                 "src=\"data:image/png;base64,%s\">",
                 base64[size]);
        assert_string_equal(page.text, expected);
        fv_html_deinit(&page);
    }
}

static void test_page(void **state)
{
    (void)state;
    fv_html_begin(&page, "cats & dogs");
    fv_html_raw(&page, "<p>here</p>");
    assert_ok(fv_html_end(&page, &testing_err));
    assert_int_equal(page.bytes, strlen(page.text));
    assert_int_equal(count_of("<title>cats &amp; dogs</title>"), 1);
    assert_int_equal(count_of("<h1>cats &amp; dogs</h1>"), 1);
    assert_int_equal(count_of("<main>"), count_of("</main>"));
    assert_int_equal(count_of("://"), 0); /* refers to nothing outside */
    assert_string_equal(page.text + page.bytes - 31, "<p>here</p></main>\n</body>\n</html>\n" + 4);
}

static void draw_bars(void)
{
    static const char *const ticks[] = { "<64", "128", "256", "" };
    static const char *const labels[] = { "tiny & <64", "to 128", "to 256" };
    static const char *const names[] = { "train", "<val>" };
    static const double values[] = { 10.0, 0.0, 40.0, 5.0, 0.001, 25.0 };
    fv_chart_bars(&page, &(fv_bars){ .title = "sizes <px>",
                                     .unit = "%",
                                     .ticks = ticks,
                                     .between = true,
                                     .labels = labels,
                                     .names = names,
                                     .values = values,
                                     .count = 3,
                                     .series = 2 });
}

static void test_bars(void **state)
{
    (void)state;
    draw_bars();
    assert_int_equal(count_of("<rect "), 5); /* none for 0 */
    assert_int_equal(count_of("<title>tiny &amp; &lt;64, train: 10 %</title>"), 1);
    assert_int_equal(count_of("height=1.00 "), 1); /* 0.001 is seen */
    assert_int_equal(count_of("height=174.00 "), 1);
    assert_int_equal(count_of("text-anchor=end>40</text>"), 1);
    assert_int_equal(count_of("&lt;val&gt;</span>"), 1);
    assert_int_equal(count_of("sizes <px>"), 0);
    fv_html_deinit(&page);
    fv_chart_bars(&page, &(fv_bars){ .title = "none", .unit = "", .series = 1 });
    assert_int_equal(count_of("<rect "), 0);
}

static void test_curves(void **state)
{
    (void)state;
    const double x[] = { 0, 1, 2, 3, 4 }, y[] = { 2.5, 1.5, NAN, INFINITY, 0.5 };
    const fv_curve curves[] = { { "loss <a>", x, y, 5 }, { "empty", x, y, 0 } };
    fv_chart_curves(&page, &(fv_curves){ "loss", "epoch", curves, 2 });
    assert_int_equal(count_of("\"M46.0 12.0L152.5 99.0M472.0 186.0\""), 1);
    assert_int_equal(count_of("<circle "), 3);
    assert_int_equal(count_of("loss &lt;a&gt;: 1.5 at 1"), 1);
    assert_int_equal(count_of("nan"), 0);
    assert_int_equal(count_of("inf"), 0);
    fv_html_deinit(&page);
    fv_chart_curves(&page, &(fv_curves){ "loss", "epoch", curves + 1, 1 });
    assert_int_equal(count_of("nothing yet"), 1);
}

/* One value, huge values and tiny ones have axes too. */
static void test_axes(void **state)
{
    (void)state;
    const double x[] = { 1.0 };
    static const double ys[] = { 0.0, 7.0, -3.0, 1e-12, 1e12, -1e-300, 1e300 };
    for (size_t i = 0; i < FV_ARRAY_LEN(ys); i++) {
        const fv_curve curve = { "y", x, &ys[i], 1 };
        fv_chart_curves(&page, &(fv_curves){ "y", "x", &curve, 1 });
        assert_int_equal(count_of("nan"), 0);
        assert_int_equal(count_of("inf"), 0);
        assert_in_range(count_of("<line "), 2, 9);
        fv_html_deinit(&page);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_error err;
        fv_alloc_fail_at(n);
        fv_html_begin(&page, "t");
        for (int i = 0; i < 4; i++) draw_bars();
        status = fv_html_end(&page, &err);
        if (status != FV_OK) assert_string_equal(err.message, "page: out of memory");
        fv_html_deinit(&page);
        assert_true(n < 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_text_cannot_become_markup, teardown),
        cmocka_unit_test_teardown(test_counts, teardown),
        cmocka_unit_test_teardown(test_image, teardown),
        cmocka_unit_test_teardown(test_page, teardown),
        cmocka_unit_test_teardown(test_bars, teardown),
        cmocka_unit_test_teardown(test_curves, teardown),
        cmocka_unit_test_teardown(test_axes, teardown),
        cmocka_unit_test_teardown(test_out_of_memory, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
