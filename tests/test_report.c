/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "cli/report.h"
#include "data/encode.h"

#include <stdio.h>
#include <unistd.h>

#define HEADER "kind,epoch,step,loss,top1,top5,lr,images_per_second,data_wait_share,seconds\n"

static const char ROWS[] = HEADER "train,1,10,2.5,0.10,,0.1,50,0.1,1\n"
                                  "eval,1,10,2.25,0.25,0.5,0.1,90,,1\n"
                                  "train,2,20,1.5,0.30,,0.1,70,0.2,2\n"
                                  "eval,2,20,1.25,0.75,1,0.1,90,,2\n";
static const char HOSTILE[] = "<script>alert(\\\"1\\\")</script>";

static char folder[300];

static void put(const char *name, const char *text)
{
    assert_ok(fv_run_write(folder, name, text, &testing_err));
}

/* A run with nothing but its rows, as old ones are. */
static void make_run(const char *name)
{
    snprintf(folder, sizeof(folder), "%s/%s", testing_folder(), name);
    assert_ok(fv_file_make_folder(folder, &testing_err));
    put("metrics.csv", ROWS);
}

static void put_about(const char *root)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "{\"model\": \"Net\", \"epochs\": 2, \"classes\": 3, \"image_root\": \"%s\", "
             "\"class_names\": [\"cat\", \"%s\", 7], \"command\": \"a & b\"}",
             root, HOSTILE);
    put("run.json", text);
}

static void put_picture(void)
{
    fv_picture picture = { 0 };
    uint8_t *bytes;
    size_t size;
    char path[400];
    assert_ok(fv_picture_reserve(&picture, 8, 6, &testing_err));
    memset(picture.data, 100, 8 * 6 * 3);
    assert_ok(fv_encode_png(&picture, &bytes, &size, &testing_err));
    snprintf(path, sizeof(path), "%s/there.png", folder);
    assert_ok(fv_file_write(path, bytes, size, &testing_err));
    fv_free(bytes);
    fv_picture_deinit(&picture);
}

static char *read_page(const char *path)
{
    char *text;
    size_t bytes;
    assert_ok(fv_file_read(path, 1 << 22, &text, &bytes, &testing_err));
    return text;
}

static char *write_page(void)
{
    char path[400];
    fv_run run;
    snprintf(path, sizeof(path), "%s/report.html", folder);
    assert_ok(fv_run_load(&run, folder, &testing_err));
    assert_ok(fv_report_write_run(path, &run, &testing_err));
    fv_run_deinit(&run);
    return read_page(path);
}

static void assert_has(const char *page, const char *text)
{
    if (!strstr(page, text)) fail_msg("the page does not have: %s", text);
}

static void assert_lacks(const char *page, const char *text)
{
    if (strstr(page, text)) fail_msg("the page has: %s", text);
}

static void test_load(void **unused)
{
    (void)unused;
    make_run("load");
    put_about("/nowhere");
    fv_run run;
    assert_ok(fv_run_load(&run, folder, &testing_err));
    assert_true(run.history.count == 4 && run.best == &run.history.rows[3]);
    assert_true(run.last == run.best && run.batches == 10.0);
    assert_string_equal(fv_run_name(&run), "load");
    assert_string_equal(fv_run_text(&run, "model"), "Net");
    assert_null(fv_run_text(&run, "classes"));
    assert_true(fv_run_number(&run, "classes") == 3.0 && fv_run_number(&run, "model") == 0.0);
    assert_string_equal(fv_run_class_name(&run, 0), "cat");
    assert_null(fv_run_class_name(&run, 2));
    assert_null(fv_run_class_name(&run, 3));
    assert_null(fv_run_class_name(&run, -1));
    assert_true(fv_report_speed(&run) == 60.0);
    fv_run_deinit(&run);
}

static void test_page_of_rows_alone(void **unused)
{
    (void)unused;
    make_run("rows");
    char *page = write_page();
    assert_has(page, "the model is right about 75.00&nbsp;% of the pictures to evaluate, after "
                     "epoch 2.");
    assert_has(page, "<b>0:00:02</b>");
    assert_lacks(page, "Machine");
    assert_lacks(page, "Worst mistakes");
    fv_free(page);
    put("metrics.csv", HEADER);
    page = write_page();
    assert_has(page, "the model has not made a step that was logged.");
    fv_free(page);
    put("metrics.csv", HEADER "train,1,1,2.5,,,0.1,50,0.1,1\ntrain,1,2,2.5,,");
    page = write_page();
    assert_has(page, "the model is being trained; nothing has been evaluated.");
    assert_has(page, "not finished");
    fv_free(page);
}

static void test_whole_page(void **unused)
{
    (void)unused;
    make_run("whole");
    put_picture();
    put_about(folder);
    put("config.yaml", "Global: {epochs: 2} # <b>\n");
    put("answers.tsv",
        "there.png\t0\t1\t0.9\n<i>gone\".png\t0\t1\t0.8\nx\t1\t1\t0.7\ny\t2\t-1\t0\n");
    char *page = write_page();
    assert_has(page, "Net is right about 75.00&nbsp;%");
    assert_has(page, "guessing would be right about 33.3&nbsp;%");
    assert_lacks(page, "<script");
    assert_has(page, "is <b>0 cat</b>, taken for <b>1 &lt;script&gt;alert(&quot;1&quot;)"
                     "&lt;/script&gt;</b> with 90.0&nbsp;%");
    assert_has(page, "width=8 height=6 alt=\"there.png\" src=\"data:image/jpeg;base64,");
    assert_has(page, "<div class=none>not found</div>");
    assert_has(page, "&lt;i&gt;gone&quot;.png");
    assert_lacks(page, "<i>gone");
    assert_has(page, "Global: {epochs: 2} # &lt;b&gt;");
    assert_has(page, "<th>command<td class=path>a &amp; b");
    assert_has(page, "<table class=matrix>");
    assert_lacks(page, "not finished");
    assert_has(page, "</html>");
    fv_free(page);
}

static void test_many_classes_have_a_map(void **unused)
{
    (void)unused;
    make_run("many");
    put("answers.tsv", "a\t0\t1\t0.5\nb\t40\t40\t0.5\nc\t1\t1\t0.5\n");
    char *page = write_page();
    assert_has(page, "<div class=map><img loading=lazy width=41 height=41");
    assert_lacks(page, "<table class=matrix>");
    fv_free(page);
}

static void test_comparison(void **unused)
{
    (void)unused;
    char first[300], path[400];
    fv_run runs[2];
    make_run("one");
    put_about("/nowhere");
    put("config.yaml", "Global: {epochs: 2, seed: 1}\nlist: [{a: 1}, {a: 2}]\n");
    snprintf(first, sizeof(first), "%s", folder);
    make_run("<two>");
    put("metrics.csv", HEADER "train,1,10,2.5,0.10,,0.1,50,0.1,1\n");
    put("config.yaml", "Global: {epochs: 2, more: '&'}\nlist: [{a: 1}, {a: 3}]\n");
    assert_ok(fv_run_load(&runs[0], first, &testing_err));
    assert_ok(fv_run_load(&runs[1], folder, &testing_err));
    snprintf(path, sizeof(path), "%s/comparison.html", folder);
    assert_ok(fv_report_write_comparison(path, runs, 2, &testing_err));
    char *page = read_page(path);
    assert_has(page, "<h1>2 runs compared</h1>");
    assert_has(page, "/one, right about 75.00&nbsp;%");
    assert_has(page, "&lt;two&gt;");
    assert_lacks(page, "<two>");
    assert_has(page, "<td>Global.seed<td>1<td class=soft>not given</tr>");
    assert_has(page, "<td>list.1.a<td>2<td>3</tr>");
    assert_has(page, "<td>Global.more<td class=soft>not given<td>&amp;</tr>");
    assert_lacks(page, "Global.epochs");
    assert_lacks(page, "list.0.a");
    assert_has(page, ">step</text>"); /* one run has no whole epoch */
    fv_free(page);
    for (int i = 0; i < 2; i++) fv_run_deinit(&runs[i]);
}

static void assert_broken(const char *name, const char *text, const char *message)
{
    char expected[500];
    fv_run run = { 0 };
    fv_error err;
    put(name, text);
    assert_int_equal(fv_run_load(&run, folder, &err), FV_ERR_FORMAT);
    snprintf(expected, sizeof(expected), "%s/%s%s", folder, name, message);
    assert_string_equal(err.message, expected);
    assert_null(run.history.rows);
    snprintf(expected, sizeof(expected), "%s/%s", folder, name);
    unlink(expected);
}

static void test_broken_runs(void **unused)
{
    (void)unused;
    make_run("broken");
    assert_broken("run.json", "{\"model\": ", ":1: no JSON: unexpected token near end of file");
    assert_broken("run.json", "[1]", ": must be a JSON object");
    assert_broken("answers.tsv", "a\t1\n",
                  ":1: must be a picture, its label, a class and a probability, separated by tabs");
    assert_broken("metrics.csv", "x\n", ":1: no column \"kind\": is this a file of this program?");
}

static void test_memory(void **unused)
{
    (void)unused;
    char path[400];
    make_run("memory");
    put_picture();
    put_about(folder);
    put("answers.tsv", "there.png\t0\t1\t0.9\n");
    snprintf(path, sizeof(path), "%s/report.html", folder);
    size_t requests = 0;
    for (size_t n = 0; n == 0 || n <= requests; n++) {
        const size_t before = fv_alloc_count();
        fv_run run = { 0 };
        fv_error err;
        fv_alloc_fail_at(n);
        fv_status status = fv_run_load(&run, folder, &err);
        if (status == FV_OK) status = fv_report_write_run(path, &run, &err);
        fv_alloc_fail_at(0);
        fv_run_deinit(&run);
        if (n == 0) requests = fv_alloc_count() - before;
        /* A picture may be missing, nothing else. */
        assert_true(status == FV_OK || (status == FV_ERR_NOMEM && n > 0));
    }
    assert_true(requests > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),       cmocka_unit_test(test_page_of_rows_alone),
        cmocka_unit_test(test_whole_page), cmocka_unit_test(test_many_classes_have_a_map),
        cmocka_unit_test(test_comparison), cmocka_unit_test(test_broken_runs),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
