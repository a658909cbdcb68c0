/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "train/history.h"

#include <math.h>
#include <stdio.h>

#define HEADER "kind,epoch,step,loss,top1,top5,lr,images_per_second,data_wait_share,seconds\n"
#define TRAIN  "train,1,3,0.5,,,0.1,100.00,0.1250,1.00\n"

static void write_metrics(const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/metrics.csv", testing_folder());
    assert_ok(fv_file_write(path, text, strlen(text), &testing_err));
}

static void load(fv_history *h, const char *text)
{
    write_metrics(text);
    assert_ok(fv_history_load(h, testing_folder(), &testing_err));
}

static void test_rows_of_the_journal(void **unused)
{
    (void)unused;
    const fv_row rows[] = {
        { .kind = FV_ROW_TRAIN,
          .epoch = 1,
          .step = 7,
          .loss = 1.5,
          .top1 = (double)NAN,
          .lr = 0.25,
          .images_per_second = 10.0,
          .data_wait_share = 0.5,
          .seconds = 3.0 },
        { .kind = FV_ROW_EVAL,
          .epoch = 1,
          .step = 7,
          .loss = (double)INFINITY,
          .top1 = 0.5,
          .top5 = 0.75,
          .lr = 0.25,
          .images_per_second = 20.0,
          .seconds = 3.0 },
    };
    fv_journal *journal;
    assert_ok(fv_journal_open(&journal, testing_folder(), &testing_err));
    assert_ok(fv_journal_begin(journal, false, 0, false, &testing_err));
    for (int i = 0; i < 2; i++) fv_journal_row(journal, &rows[i]);
    fv_journal_close(journal);

    char path[512], *json;
    size_t bytes;
    snprintf(path, sizeof(path), "%s/metrics.jsonl", testing_folder());
    assert_ok(fv_file_read(path, 1000, &json, &bytes, &testing_err));
    assert_non_null(strstr(json, "\"step\": 7, \"loss\": null, \"top1\": 0.5")); /* no "inf" */
    fv_free(json);

    fv_history h;
    assert_ok(fv_history_load(&h, testing_folder(), &testing_err));
    assert_int_equal(h.count, 2);
    assert_false(h.torn);
    const fv_row *a = &h.rows[0], *b = &h.rows[1];
    assert_true(a->kind == FV_ROW_TRAIN && a->epoch == 1 && a->step == 7 && a->loss == 1.5);
    assert_true(isnan(a->top1) && isnan(a->top5) && a->lr == 0.25 && a->data_wait_share == 0.5);
    assert_true(a->images_per_second == 10.0 && a->seconds == 3.0);
    assert_true(b->kind == FV_ROW_EVAL && isinf(b->loss) && b->top1 == 0.5 && b->top5 == 0.75);
    fv_history_deinit(&h);
}

static void test_a_torn_line_is_left_out(void **unused)
{
    (void)unused;
    fv_history h;
    load(&h, HEADER TRAIN "train,1,6,0.");
    assert_true(h.count == 1 && h.torn && isnan(h.rows[0].top1));
    fv_history_deinit(&h);
    load(&h, HEADER);
    assert_true(h.count == 0 && !h.torn);
    fv_history_deinit(&h);
    load(&h, "more,seconds,data_wait_share,images_per_second,lr,top5,top1,loss,step,epoch,kind\n"
             "x,9,,,,,,2,1,1,eval_ema\n");
    assert_true(h.rows[0].kind == FV_ROW_EVAL_AVERAGE && h.rows[0].seconds == 9.0);
    fv_history_deinit(&h);
}

static void assert_refused(const char *text, const char *message)
{
    char expected[700];
    fv_history h = { 0 };
    fv_error err;
    write_metrics(text);
    assert_int_equal(fv_history_load(&h, testing_folder(), &err), FV_ERR_FORMAT);
    snprintf(expected, sizeof(expected), "%s/metrics.csv%s", testing_folder(), message);
    assert_string_equal(err.message, expected);
    assert_null(h.rows);
}

static void test_refusals(void **unused)
{
    (void)unused;
    assert_refused("", ": empty: the run has written nothing yet");
    assert_refused("kind,epo", ": empty: the run has written nothing yet");
    assert_refused("kind,epoch\n", ":1: no column \"step\": is this a file of this program?");
    assert_refused(HEADER "eval,1\n", ":2: 2 fields, but the header has 10");
    assert_refused(HEADER TRAIN "train,1,6,0.5,,,0.1,100.00,0.1250,1.00,\n",
                   ":3: more fields than the 10 of the header");
    assert_refused(HEADER "eval_,1,3,0.5,,,0.1,100.00,0.1250,1.00\n",
                   ":2: kind: \"eval_\" makes no sense");
    assert_refused(HEADER "train,0,3,0.5,,,0.1,100.00,0.1250,1.00\n",
                   ":2: epoch: \"0\" makes no sense");
    assert_refused(HEADER "train,1,99999999999999999999,0.5,,,0.1,100.00,0.1250,1.00\n",
                   ":2: step: \"99999999999999999999\" makes no sense");
    assert_refused(HEADER "train,1,3,0.5x,,,0.1,100.00,0.1250,1.00\n",
                   ":2: loss: \"0.5x\" makes no sense");
    assert_refused(HEADER TRAIN "train,1,2,0.5,,,0.1,100.00,0.1250,1.00\n",
                   ":3: step 2 comes after step 3");

    fv_history h;
    fv_error err;
    assert_int_equal(fv_history_load(&h, "no such folder", &err), FV_ERR_IO);
    assert_string_equal(err.message,
                        "no such folder: no metrics.csv there: is it the output_dir of a run?");
}

static void test_memory(void **unused)
{
    (void)unused;
    fv_history h = { 0 };
    fv_status status = FV_ERR_NOMEM;
    write_metrics(HEADER TRAIN);
    for (size_t n = 1; status != FV_OK; n++) {
        fv_error err;
        fv_alloc_fail_at(n);
        status = fv_history_load(&h, testing_folder(), &err);
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || (status == FV_ERR_NOMEM && !h.rows && n < 100));
    }
    fv_history_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_the_journal),
        cmocka_unit_test(test_a_torn_line_is_left_out),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
