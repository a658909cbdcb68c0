/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "cli/bar.h"
#include "cli/progress.h"
#include "cli/retype.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const fv_train_event step_event = { .kind = FV_TRAIN_STEP,
                                           .epoch = 2,
                                           .epochs = 10,
                                           .batch = 31,
                                           .batches = 124,
                                           .step = 155,
                                           .loss = 1.234567,
                                           .top1 = 0.5625,
                                           .rate = 0.045,
                                           .images_per_second = 245.4,
                                           .wait_share = 0.021,
                                           .eta_seconds = 3723.4 };

static void test_times(void **unused)
{
    (void)unused;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        { 0.0, "0:00:00" },
        { 7.4, "0:00:07" },
        { 3599.6, "1:00:00" },
        { 86399.0, "23:59:59" },
        { 90061.0, "1 day, 1:01:01" },
        { 172800.0, "2 days, 0:00:00" },
        { -1.0, "?" },
        { 1e300, "?" },
    };
    char text[64];
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        fv_progress_time(text, sizeof(text), cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_lines(void **unused)
{
    (void)unused;
    char line[FV_PROGRESS_LINE];
    fv_progress_line(line, sizeof(line), &step_event);
    assert_string_equal(line, "epoch 2/10, step 31/124: loss 1.23457, top1 0.56250, lr 0.04500000, "
                              "245.4 images/s, data wait 2.1 %, eta 1:02:03");
    fv_train_event e = step_event;
    e.top1 = (double)NAN; /* pictures are mixed */
    fv_progress_line(line, sizeof(line), &e);
    assert_string_equal(line, "epoch 2/10, step 31/124: loss 1.23457, lr 0.04500000, "
                              "245.4 images/s, data wait 2.1 %, eta 1:02:03");
    e.kind = FV_TRAIN_EVALUATED;
    e.score =
        (fv_train_score){ .top1 = 0.5, .top5 = 0.75, .loss = 1.5, .images = 100, .seconds = 2 };
    fv_progress_line(line, sizeof(line), &e);
    assert_string_equal(line, "epoch 2/10, evaluation: top1 0.50000, top5 0.75000, loss 1.50000, "
                              "100 images in 2.0 s");
    e.best = true;
    fv_progress_line(line, sizeof(line), &e);
    assert_string_equal(line, "epoch 2/10, evaluation: top1 0.50000, top5 0.75000, loss 1.50000, "
                              "100 images in 2.0 s, the best so far");
}

static void test_bar(void **unused)
{
    (void)unused;
    char bar[FV_PROGRESS_LINE];
    fv_progress_bar(bar, sizeof(bar), &step_event, 200, false);
    assert_string_equal(bar, "epoch 2/10 [#######>----------------------]  31/124 loss  1.235 Top1 "
                             " 56.2% ETA  1:02:03   245 img/s lr 0.045   data wait   2%");
    fv_progress_bar(bar, sizeof(bar), &step_event, 60, false);
    assert_string_equal(bar, "epoch 2/10 [###>-----------]  31/124 loss  1.235 Top1  56.2%");
    fv_progress_bar(bar, sizeof(bar), &step_event, 12, false);
    assert_string_equal(bar, "epoch 2/10");
    fv_progress_bar(bar, sizeof(bar), &step_event, 5, false);
    assert_string_equal(bar, "");
    fv_progress_bar(bar, sizeof(bar), &step_event, 22, true);
    assert_string_equal(bar, "epoch 2/10 [\x1b[32m##>------\x1b[0m]");
}

/* Never wider than asked for, whatever stands in it. */
static void test_bar_fits(void **unused)
{
    (void)unused;
    char bar[FV_PROGRESS_LINE];
    fv_train_event e = step_event;
    e.batches = INT64_MAX / 64;
    e.batch = e.batches;
    e.loss = 1e300;
    e.images_per_second = 1e15;
    e.eta_seconds = 1e11;
    for (int columns = 0; columns < 300; columns++) {
        fv_progress_bar(bar, sizeof(bar), &e, columns, false);
        assert_true((int)strlen(bar) <= columns);
        fv_progress_bar(bar, sizeof(bar), &step_event, columns, false);
        assert_true((int)strlen(bar) <= columns);
    }
}

static void expect_line(int columns, const char *expected)
{
    char line[200];
    fv_bar_line(line, sizeof(line), "reading", 12, 40, 6.0, columns);
    assert_string_equal(line, expected);
}

/* The narrower, the less; what is shown is shown whole. */
static void test_line_of_a_command(void **unused)
{
    (void)unused;
    char line[200];
    expect_line(80, "reading [#########.....................] 12/40 2/s ETA 0:00:14");
    expect_line(60, "reading [#########.....................] 12/40 ETA 0:00:14");
    expect_line(50, "reading [#########.....................] 12/40");
    expect_line(20, "reading 12/40");
    expect_line(9, "reading");
    fv_bar_line(line, sizeof(line), "reading", 0, 1281167, 0.0, 80);
    assert_string_equal(line, "reading [..............................]       0/1281167 0/s ETA ?");
    fv_bar_line(line, sizeof(line), "reading", 7, 7, 0.5, 80);
    assert_string_equal(line, "reading [##############################] 7/7 14/s ETA 0:00:00");
}

static void test_retyping(void **unused)
{
    (void)unused;
    const char *overrides[] = { "Global.checkpoints=old", "Arch.name=a b", "X='y'",
                                "Global.pretrained_model=w" };
    fv_arguments a = { .program = "fovea",
                       .config = "my config.yaml",
                       .overrides = overrides,
                       .override_count = 4,
                       .threads = 3 };
    char text[FV_PROGRESS_LINE];
    fv_retype(text, sizeof(text), &a, "train", NULL, NULL);
    assert_string_equal(text, "fovea train -c 'my config.yaml' -o Global.checkpoints=old -o "
                              "'Arch.name=a b' -o 'X='\\''y'\\''' -o Global.pretrained_model=w "
                              "--threads 3");
    fv_retype(text, sizeof(text), &a, "train", "Global.checkpoints", "out/latest.h5");
    assert_string_equal(text, "fovea train -c 'my config.yaml' -o 'Arch.name=a b' -o "
                              "'X='\\''y'\\''' -o Global.checkpoints=out/latest.h5 --threads 3");
    fv_retype(text, 12, &a, "train", NULL, NULL);
    assert_string_equal(text, "fovea train");
    a = (fv_arguments){ .program = "/my bin/fovea" };
    fv_retype(text, sizeof(text), &a, "eval", NULL, NULL);
    assert_string_equal(text, "'/my bin/fovea' eval");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),    cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bar),      cmocka_unit_test(test_bar_fits),
        cmocka_unit_test(test_retyping), cmocka_unit_test(test_line_of_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
