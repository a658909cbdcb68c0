/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "train/journal.h"

#include <glob.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char folder[256];

static char *content(const char *name)
{
    char path[512], *text = NULL;
    size_t bytes;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_ok(fv_file_read(path, 1 << 20, &text, &bytes, &testing_err));
    return text;
}

static void assert_content(const char *name, const char *expected)
{
    char *text = content(name);
    assert_string_equal(text, expected);
    fv_free(text);
}

static void append_to(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static fv_journal *open_journal(const char *name)
{
    fv_journal *journal;
    snprintf(folder, sizeof(folder), "%s/%s", testing_folder(), name);
    assert_ok(fv_journal_open(&journal, folder, &testing_err));
    return journal;
}

/* Steps 1 to 4 in two epochs, each followed by an evaluation. */
static void write_rows(fv_journal *journal)
{
    for (int step = 1; step <= 4; step++) {
        const fv_row train = { .kind = FV_ROW_TRAIN,
                               .epoch = (step + 1) / 2,
                               .step = step,
                               .loss = 1.0 / step,
                               .top1 = 0.25,
                               .lr = 0.1,
                               .images_per_second = 100.0,
                               .data_wait_share = 0.125,
                               .seconds = step };
        fv_journal_row(journal, &train);
        if (step % 2) continue;
        const fv_row eval = { .kind = FV_ROW_EVAL,
                              .epoch = step / 2,
                              .step = step,
                              .loss = 2.5,
                              .top1 = 0.5,
                              .top5 = 0.75,
                              .lr = 0.1,
                              .images_per_second = 300.0,
                              .seconds = step };
        fv_journal_row(journal, &eval);
    }
}

#define CSV_HEADER "kind,epoch,step,loss,top1,top5,lr,images_per_second,data_wait_share,seconds\n"
#define CSV_1      "train,1,1,1,0.250000,,0.1,100.00,0.1250,1.00\n"
#define CSV_2      "train,1,2,0.5,0.250000,,0.1,100.00,0.1250,2.00\n"
#define CSV_2E     "eval,1,2,2.5,0.500000,0.750000,0.1,300.00,,2.00\n"
#define CSV_3      "train,2,3,0.333333333,0.250000,,0.1,100.00,0.1250,3.00\n"
#define CSV_4      "train,2,4,0.25,0.250000,,0.1,100.00,0.1250,4.00\n"
#define CSV_4E     "eval,2,4,2.5,0.500000,0.750000,0.1,300.00,,4.00\n"
#define JSON_TRAIN(epoch, step, loss, seconds) \
    "{\"kind\": \"train\", \"epoch\": " epoch ", \"step\": " step ", \"loss\": " loss \
    ", \"top1\": 0.250000, \"data_wait_share\": 0.1250, \"lr\": 0.1, " \
    "\"images_per_second\": 100.00, \"seconds\": " seconds "}\n"
#define JSON_EVAL(epoch, step, seconds) \
    "{\"kind\": \"eval\", \"epoch\": " epoch ", \"step\": " step ", \"loss\": 2.5" \
    ", \"top1\": 0.500000, \"top5\": 0.750000, \"lr\": 0.1, " \
    "\"images_per_second\": 300.00, \"seconds\": " seconds "}\n"

static void test_rows(void **unused)
{
    (void)unused;
    fv_journal *journal = open_journal("rows");
    assert_ok(fv_journal_begin(journal, false, 0, false, &testing_err));
    write_rows(journal);
    assert_false(fv_journal_failed(journal));
    fv_journal_close(journal);
    assert_content("metrics.csv", CSV_HEADER CSV_1 CSV_2 CSV_2E CSV_3 CSV_4 CSV_4E);
    assert_content("metrics.jsonl",
                   JSON_TRAIN("1", "1", "1", "1.00") JSON_TRAIN("1", "2", "0.5", "2.00")
                       JSON_EVAL("1", "2", "2.00") JSON_TRAIN("2", "3", "0.333333333", "3.00")
                           JSON_TRAIN("2", "4", "0.25", "4.00") JSON_EVAL("2", "4", "4.00"));
}

/* Pictures are mixed: there is no Top-1. */
static void test_row_without_top1(void **unused)
{
    (void)unused;
    fv_journal *journal = open_journal("mixed");
    assert_ok(fv_journal_begin(journal, false, 0, false, &testing_err));
    const fv_row row = { .kind = FV_ROW_TRAIN,
                         .epoch = 1,
                         .step = 1,
                         .loss = 1.0,
                         .top1 = (double)NAN,
                         .lr = 0.1,
                         .images_per_second = 100.0,
                         .data_wait_share = 0.125,
                         .seconds = 1.0 };
    fv_journal_row(journal, &row);
    fv_journal_close(journal);
    assert_content("metrics.csv", CSV_HEADER "train,1,1,1,,,0.1,100.00,0.1250,1.00\n");
    assert_content("metrics.jsonl",
                   "{\"kind\": \"train\", \"epoch\": 1, \"step\": 1, \"loss\": 1, \"top1\": null, "
                   "\"data_wait_share\": 0.1250, \"lr\": 0.1, \"images_per_second\": 100.00, "
                   "\"seconds\": 1.00}\n");
}

typedef struct cut_case {
    int64_t step;
    bool evaluated;
    const char *csv, *last_json;
} cut_case;

static void test_going_on_cuts_what_is_done_again(void **unused)
{
    (void)unused;
    static const cut_case cases[] = {
        { 0, true, CSV_HEADER, "" },
        { 1, false, CSV_HEADER CSV_1, JSON_TRAIN("1", "1", "1", "1.00") },
        { 2, false, CSV_HEADER CSV_1 CSV_2, JSON_TRAIN("1", "2", "0.5", "2.00") },
        { 2, true, CSV_HEADER CSV_1 CSV_2 CSV_2E, JSON_EVAL("1", "2", "2.00") },
        { 9, true, CSV_HEADER CSV_1 CSV_2 CSV_2E CSV_3 CSV_4 CSV_4E, JSON_EVAL("2", "4", "4.00") },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        fv_journal *journal = open_journal("cut");
        assert_ok(fv_journal_begin(journal, false, 0, false, &testing_err));
        write_rows(journal);
        fv_journal_close(journal);
        append_to("metrics.csv", "train,3,5,0.1,0.2"); /* torn by a crash */
        append_to("metrics.jsonl", "{\"kind\": \"train\", \"epoch\": 3, \"st");

        journal = open_journal("cut");
        assert_ok(fv_journal_begin(journal, true, cases[i].step, cases[i].evaluated, &testing_err));
        assert_content("metrics.csv", cases[i].csv);
        char *json = content("metrics.jsonl");
        const size_t bytes = strlen(json), last = strlen(cases[i].last_json);
        assert_true(bytes >= last);
        assert_string_equal(json + bytes - last, cases[i].last_json);
        assert_true(last > 0 || bytes == 0);
        fv_free(json);
        fv_journal_close(journal);
    }
}

/* A resumed run may have lost its journal, or find something else in its place. */
static void test_going_on_without_rows(void **unused)
{
    (void)unused;
    fv_journal *journal = open_journal("absent");
    assert_ok(fv_journal_begin(journal, true, 7, true, &testing_err));
    fv_journal_close(journal);
    assert_content("metrics.csv", CSV_HEADER);
    assert_content("metrics.jsonl", "");

    journal = open_journal("foreign");
    append_to("metrics.csv", "a,b\n1,2\n");
    append_to("metrics.jsonl", "[1]\n");
    assert_ok(fv_journal_begin(journal, true, 7, true, &testing_err));
    fv_journal_close(journal);
    assert_content("metrics.csv", CSV_HEADER);
    assert_content("metrics.jsonl", "");
}

static void test_lines_are_appended(void **unused)
{
    (void)unused;
    static char text[5000];
    fv_journal *journal = open_journal("log");
    fv_journal_line(journal, "one");
    fv_journal_close(journal);
    journal = open_journal("log");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fv_journal_line(journal, text);
    fv_journal_line(journal, "three");
    fv_journal_close(journal);
    char *log = content("train.log");
    assert_int_equal(log[0], '[');
    const char *second = strchr(log, '\n') + 1;
    assert_memory_equal(second - 5, " one\n", 5);
    const char *third = strchr(second, '\n') + 1;
    assert_string_equal(strchr(third, ']'), "] three\n");
    fv_free(log);
}

static int warnings;
static void count_warnings(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx, (void)line;
    warnings += level == FV_LOG_WARNING;
}

/* A file that may not grow stands for a full disk: rows are whole or missing, told once. */
static void test_full_disk(void **unused)
{
    (void)unused;
    fv_journal *journal = open_journal("full");
    assert_ok(fv_journal_begin(journal, false, 0, false, &testing_err));
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small =
        (struct rlimit){ .rlim_cur = strlen(CSV_HEADER CSV_1) + 10, .rlim_max = limit.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    fv_log_sink(count_warnings, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_rows(journal);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fv_log_sink(NULL, NULL);
    assert_true(fv_journal_failed(journal));
    assert_int_equal(warnings, 1);
    fv_journal_close(journal);
    assert_content("metrics.csv", CSV_HEADER CSV_1);
}

static void test_folder_that_cannot_be(void **unused)
{
    (void)unused;
    fv_journal *journal = NULL;
    char path[300];
    snprintf(path, sizeof(path), "%s/file", testing_folder());
    assert_ok(fv_file_write(path, "x", 1, &testing_err));
    assert_int_equal(fv_journal_open(&journal, path, &testing_err), FV_ERR_IO);
    assert_null(journal);
}

/* How many event files there are; `*bytes` of them all. */
static int event_files(off_t *bytes)
{
    char path[512];
    glob_t found;
    snprintf(path, sizeof(path), "%s/tensorboard/events.out.tfevents.*.fovea", folder);
    const int status = glob(path, 0, NULL, &found);
    assert_true(status == 0 || status == GLOB_NOMATCH);
    const int count = (int)found.gl_pathc;
    *bytes = 0;
    for (int i = 0; i < count; i++) {
        struct stat info;
        assert_int_equal(stat(found.gl_pathv[i], &info), 0);
        *bytes += info.st_size;
    }
    globfree(&found);
    return count;
}

static void test_events(void **unused)
{
    (void)unused;
    enum { BEGIN = 16 + 26 + 16 + 15 }; /* bytes of a file without rows */
    off_t bytes, more;
    fv_params *params;
    fv_param *param;
    const fv_init init = { .kind = FV_INIT_NORMAL, .a = 1.0f };
    assert_ok(fv_params_create(&params, 1, &testing_err));
    assert_ok(fv_params_get(params, "a.b.weight", FV_BIAS, 1, (int[]){ 100 }, init, &param,
                            &testing_err));

    fv_journal *journal = open_journal("events");
    assert_ok(fv_journal_begin(journal, false, 0, false, &testing_err));
    write_rows(journal);
    fv_journal_weights(journal, params, 4); /* not wanted: nothing is written */
    assert_int_equal(event_files(&bytes), 0);
    assert_ok(fv_journal_open_events(journal, 0, &testing_err));
    assert_int_equal(event_files(&bytes), 1);
    assert_int_equal(bytes, BEGIN);
    write_rows(journal);
    event_files(&more);
    fv_journal_weights(journal, params, 4);
    assert_int_equal(event_files(&bytes), 1);
    assert_true(more > BEGIN + 6 * 100 && bytes > more + 2 * 30 * 8);
    fv_journal_close(journal);

    journal = open_journal("events");
    assert_ok(fv_journal_begin(journal, true, 4, true, &testing_err));
    assert_ok(fv_journal_open_events(journal, 4, &testing_err));
    assert_int_equal(event_files(&more), 2);
    assert_int_equal(more, bytes + BEGIN);
    assert_ok(fv_journal_begin(journal, false, 0, false, &testing_err));
    assert_int_equal(event_files(&bytes), 0);
    fv_journal_close(journal);
    fv_params_destroy(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_row_without_top1),
        cmocka_unit_test(test_going_on_cuts_what_is_done_again),
        cmocka_unit_test(test_going_on_without_rows),
        cmocka_unit_test(test_lines_are_appended),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_folder_that_cannot_be),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
