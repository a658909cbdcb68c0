/* SPDX-License-Identifier: Apache-2.0 */
/* A real model on a few pictures. What matters is compared bit for bit, as checksums of weights. */
#include "trainer_testing.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The uninterrupted run with one thread and no workers. */
static const experiment *plain(void)
{
    static experiment e = { .folder = "plain", .scores = { 0.5, 0.25 } };
    if (e.progress.step == 0) assert_ok(run(&e));
    return &e;
}

/* ---- Tests ---- */

static void test_a_run(void **unused)
{
    (void)unused;
    const experiment *e = plain();
    assert_int_equal(e->progress.epoch, 2);
    assert_int_equal(e->progress.step, 2 * BATCHES);
    assert_int_equal(e->evaluations, 2);
    assert_int_equal(e->bests, 1);
    assert_true(e->progress.best_top1 == 0.5);
    assert_int_equal(e->progress.best_epoch, 1);
    assert_int_equal(e->saves, 3); /* the best one, and the latest twice */
    assert_true(fv_file_exists(inside(e, "latest.h5")));
    assert_true(fv_file_exists(inside(e, "best_model.h5")));
    static char csv[CSV_BYTES];
    read_csv(e, csv);
    int rows = 0;
    for (const char *p = csv; *p; p++) rows += *p == '\n';
    assert_int_equal(rows, 1 + 4 + 2); /* header, steps 2 and 4 of each epoch, evaluations */
}

static void test_it_learns(void **unused)
{
    (void)unused;
    experiment e = { .folder = "learns",
                     .unevaluated = true,
                     .overrides = { "Global.epochs=20", "Optimizer.lr.learning_rate=0.003" } };
    assert_ok(run(&e));
    static char csv[CSV_BYTES];
    read_csv(&e, csv);
    const char *last = strstr(csv, "train,20,80,");
    double loss = 0.0, top1 = 0.0;
    assert_non_null(last);
    assert_int_equal(sscanf(last, "train,20,80,%lf,%lf", &loss, &top1), 2);
    assert_true(top1 > 0.7); /* chance is 0.33 */
    assert_false(fv_file_exists(inside(&e, "best_model.h5")));
}

/* Other targets, other weights; no Top-1; and neither threads, workers nor a stop matter. */
static void test_mixed_pictures(void **unused)
{
    (void)unused;
    static const char mixes[] =
        "DataLoader.Train.dataset.batch_transform_ops=[MixupOperator: {alpha: 0.2}]";
    experiment one = {
        .folder = "mixed1", .unevaluated = true, .mixes = true, .overrides = { mixes }
    };
    assert_ok(run(&one));
    assert_int_not_equal(one.checksum, plain()->checksum);
    static char csv[CSV_BYTES];
    read_csv(&one, csv);
    double loss;
    char after[3] = "";
    assert_int_equal(sscanf(strstr(csv, "train,2,8,"), "train,2,8,%lf%2s", &loss, after), 2);
    assert_string_equal(after, ",,");

    experiment two = { .folder = "mixed2",
                       .unevaluated = true,
                       .mixes = true,
                       .stop_step = 3,
                       .threads = 2,
                       .overrides = { mixes, "DataLoader.Train.loader.num_workers=3" } };
    assert_int_equal(run(&two), FV_ERR_INTERRUPTED);
    char go_on[512];
    snprintf(go_on, sizeof(go_on), "Global.checkpoints=%s", inside(&two, "latest.h5"));
    experiment rest = {
        .folder = "mixed2", .unevaluated = true, .mixes = true, .overrides = { mixes, go_on }
    };
    assert_ok(run(&rest));
    assert_int_equal(rest.checksum, one.checksum);
}

static void test_threads_and_workers_do_not_matter(void **unused)
{
    (void)unused;
    experiment two = { .folder = "two", .scores = { 0.5, 0.25 }, .threads = 2 };
    assert_ok(run(&two));
    assert_int_equal(two.checksum, plain()->checksum);
    assert_same_rows(&two, plain());
    experiment workers = { .folder = "workers",
                           .scores = { 0.5, 0.25 },
                           .threads = 2,
                           .overrides = { "DataLoader.Train.loader.num_workers=3" } };
    assert_ok(run(&workers));
    assert_int_equal(workers.checksum, plain()->checksum);
    experiment seed = { .folder = "seed",
                        .scores = { 0.5, 0.25 },
                        .overrides = { "Global.seed=8" } };
    assert_ok(run(&seed));
    assert_int_not_equal(seed.checksum, plain()->checksum);
}

/* The checkpoint of a moment in the middle of an epoch, taken without stopping: as after a kill. */
static void test_killed_in_mid_epoch(void **unused)
{
    (void)unused;
    for (int step = 2; step <= 8; step += 3) { /* files of steps 1, 4 and 7 */
        char save_steps[40], from[500];
        experiment killed = { .folder = "killed", .scores = { 0.5, 0.25 }, .copy_step = step };
        snprintf(save_steps, sizeof(save_steps), "Global.save_steps=%d", step == 2 ? 1 : 3);
        killed.overrides[0] = save_steps;
        if (step == 5) killed.overrides[0] = NULL;
        assert_ok(run(&killed));
        assert_int_equal(killed.checksum, plain()->checksum);

        snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(&killed, "copy"));
        experiment resumed = { .folder = "killed", .threads = 2, .overrides = { from } };
        resumed.scores[0] = step == 2 ? 0.5 : 0.25;
        resumed.scores[1] = 0.25;
        assert_ok(run(&resumed));
        assert_int_equal(resumed.checksum, plain()->checksum);
        assert_int_equal(resumed.progress.best_epoch, 1);
        assert_true(resumed.progress.best_top1 == 0.5);
        assert_same_rows(&resumed, plain());
    }
}

static void test_interrupted(void **unused)
{
    (void)unused;
    static const int steps[] = { 1, BATCHES, BATCHES + 1, 2 * BATCHES };
    for (size_t i = 0; i < FV_ARRAY_LEN(steps); i++) {
        const int step = steps[i];
        char message[500], from[500];
        experiment first = { .folder = "interrupted", .scores = { 0.5, 0.25 }, .stop_step = step };
        assert_int_equal(run(&first), FV_ERR_INTERRUPTED);
        snprintf(message, sizeof(message), "interrupted after step %d: saved as %s/latest.h5", step,
                 first.path);
        assert_string_equal(testing_err.message, message);

        snprintf(from, sizeof(from), "Global.checkpoints=%s/latest", first.path);
        experiment second = { .folder = "interrupted", .overrides = { from } };
        memcpy(second.scores, step > BATCHES ? (double[]){ 0.25 } : (double[]){ 0.5 },
               sizeof(double));
        if (step <= BATCHES) second.scores[1] = 0.25;
        assert_ok(run(&second));
        assert_int_equal(second.checksum, plain()->checksum);
        assert_int_equal(second.evaluations, step > BATCHES ? 1 : 2);
        assert_true(second.progress.best_top1 == 0.5);
        assert_same_rows(&second, plain());
    }
}

static void test_interrupted_while_evaluating(void **unused)
{
    (void)unused;
    char from[500];
    experiment first = { .folder = "evaluating", .scores = { 0.5, 0.25 }, .stop_evaluation = 1 };
    assert_int_equal(run(&first), FV_ERR_INTERRUPTED);
    assert_int_equal(first.progress.batch, BATCHES);
    snprintf(from, sizeof(from), "Global.checkpoints=%s/latest", first.path);
    experiment second = { .folder = "evaluating", .scores = { 0.5, 0.25 }, .overrides = { from } };
    assert_ok(run(&second));
    assert_int_equal(second.checksum, plain()->checksum);
    assert_same_rows(&second, plain());
}

static void test_all_done(void **unused)
{
    (void)unused;
    char from[500];
    snprintf(from, sizeof(from), "Global.checkpoints=%s/latest.h5", plain()->path);
    experiment again = { .folder = "again", .overrides = { from } };
    assert_ok(run(&again));
    assert_int_equal(again.checksum, plain()->checksum);
    assert_non_null(strstr(told, "all 2 epochs are already trained: a larger Global.epochs would "
                                 "go on\n"));
}

static void assert_resume_refused(const char *override, const char *format)
{
    char from[500], message[1200];
    experiment first = { .folder = "half", .unevaluated = true, .stop_step = 2 };
    assert_int_equal(run(&first), FV_ERR_INTERRUPTED);
    snprintf(from, sizeof(from), "Global.checkpoints=%s/latest", first.path);
    experiment second = { .folder = "half2", .unevaluated = true, .overrides = { from, override } };
    assert_int_equal(run(&second), FV_ERR_CONFIG);
    snprintf(message, sizeof(message), "Global.checkpoints: %s/latest.h5: %s", first.path, format);
    assert_string_equal(testing_err.message, message);
}

static void test_resuming_something_else(void **unused)
{
    (void)unused;
    assert_resume_refused("Arch.name=MobileNetV2_x0_5",
                          "a checkpoint of MobileNetV2_x0_25, but Arch.name is MobileNetV2_x0_5");
    assert_resume_refused("Global.seed=8", "it stopped in the middle of an epoch, where "
                                           "Global.seed must stay 7, not 8");
    assert_resume_refused("DataLoader.Train.sampler.batch_size=11",
                          "it stopped in the middle of an epoch, where batch_size must stay 6, "
                          "not 11");
}

/* At the end of an epoch a change is told, value by value, and the schedule goes by epochs. */
static void test_resuming_with_changes(void **unused)
{
    (void)unused;
    char from[500];
    snprintf(from, sizeof(from), "Global.checkpoints=%s/latest", plain()->path);
    experiment e = { .folder = "changed",
                     .unevaluated = true,
                     .overrides = { from, "Global.epochs=3",
                                    "DataLoader.Train.sampler.batch_size=11" } };
    assert_ok(run(&e));
    assert_int_equal(e.progress.step, 3 * 2);
    assert_non_null(strstr(told, "batch_size is now 11, was 6\n"));
    assert_non_null(strstr(told, "Global.epochs: \"3\", was \"2\" in the checkpoint\n"));
    assert_null(strstr(told, "learning_rate"));
}

static void test_loss_that_is_not_finite(void **unused)
{
    (void)unused;
    char before[400], after[500];
    struct stat file;
    experiment e = { .folder = "nan",
                     .scores = { 0.5, 0.5 },
                     .overrides = { "Optimizer.lr={name: Piecewise, decay_epochs: [1], values: "
                                    "[0.01, 900.0]}",
                                    "Optimizer.regularizer={name: L2, coeff: 1.0}",
                                    "Global.epochs=40", "Global.eval_during_train=False" } };
    assert_int_equal(run(&e), FV_ERR_NUMERIC);
    assert_int_equal(strncmp(testing_err.message, "epoch ", 6), 0);
    assert_non_null(strstr(testing_err.message, "the loss is "));
    assert_non_null(strstr(testing_err.message, "first not finite in conv"));
    assert_non_null(strstr(testing_err.message, "; pictures: p"));
    assert_non_null(strstr(testing_err.message, ".jpg, ..."));
    assert_non_null(strstr(told, "in the batch whose loss is not finite: p"));
    /* the file is that of an earlier, finite moment */
    snprintf(before, sizeof(before), "%s", inside(&e, "latest.h5"));
    assert_int_equal(stat(before, &file), 0);
    snprintf(after, sizeof(after), "Global.checkpoints=%s", before);
    experiment resumed = { .folder = "nan2",
                           .unevaluated = true,
                           .overrides = { after, "Optimizer.lr={name: ConstLR, learning_rate: "
                                                 "0.0}" } };
    assert_ok(run(&resumed));
}

/* Checkpoints fail in the first epoch and work in the second: told, and made good. */
static void test_disk_full_for_a_while(void **unused)
{
    (void)unused;
    experiment e = { .folder = "full", .unevaluated = true, .shrink_step = 4, .widen_step = 5 };
    assert_ok(run(&e));
    assert_int_equal(e.checksum, plain()->checksum);
    assert_non_null(strstr(told, "CHECKPOINT NOT WRITTEN, training goes on: "));
    assert_int_equal(e.saves, 1);
}

/* The best one is lost: training goes on, the old best stays, and the end is a failure. */
static void test_disk_full_for_the_best(void **unused)
{
    (void)unused;
    char message[500];
    experiment e = { .folder = "lost",
                     .scores = { 0.25, 0.5, 0.2 },
                     .shrink_step = 8,
                     .widen_step = 9,
                     .overrides = { "Global.epochs=3" } };
    assert_int_equal(run(&e), FV_ERR_IO);
    snprintf(message, sizeof(message),
             "%s: a checkpoint could not be written on the way, see the warnings", e.path);
    assert_string_equal(testing_err.message, message);
    assert_true(e.progress.best_top1 == 0.25);
    assert_int_equal(e.progress.epoch, 3);
    assert_true(fv_file_exists(inside(&e, "best_model.h5")));
}

static void test_disk_full_at_the_end(void **unused)
{
    (void)unused;
    char message[500];
    experiment e = { .folder = "end", .unevaluated = true, .shrink_step = 8 };
    const fv_status status = run(&e);
    limit_files(false);
    assert_int_equal(status, FV_ERR_IO);
    snprintf(message, sizeof(message),
             "%s/latest.h5: could not be written at the end; it holds an older state", e.path);
    assert_string_equal(testing_err.message, message);
}

static void test_keeping_epochs(void **unused)
{
    (void)unused;
    experiment e = { .folder = "keep",
                     .unevaluated = true,
                     .overrides = { "Global.keep_checkpoints=2", "Global.epochs=3" } };
    assert_ok(run(&e));
    assert_false(fv_file_exists(inside(&e, "epoch_1.h5")));
    assert_true(fv_file_exists(inside(&e, "epoch_2.h5")));
    assert_true(fv_file_exists(inside(&e, "epoch_3.h5")));
}

static void test_pretrained(void **unused)
{
    (void)unused;
    char from[500];
    snprintf(from, sizeof(from), "Global.pretrained_model=%s/latest", plain()->path);
    experiment same = { .folder = "same",
                        .unevaluated = true,
                        .overrides = { from, "Optimizer.lr={name: ConstLR, learning_rate: 0.0}",
                                       "Global.freeze=['*']", "Global.freeze_statistics=True" } };
    assert_ok(run(&same));
    assert_int_equal(same.checksum, plain()->checksum); /* nothing was allowed to move */

    experiment moved = { .folder = "moved",
                         .unevaluated = true,
                         .overrides = { from, "Global.freeze=['*']" } };
    assert_ok(run(&moved));
    assert_int_not_equal(moved.checksum, plain()->checksum); /* but here, the statistics */

    experiment head = { .folder = "head",
                        .unevaluated = true,
                        .overrides = { from, "Arch.class_num=4", "Global.epochs=1" } };
    assert_ok(run(&head));
    assert_non_null(strstr(told, "latest.h5: the head is for another number of classes and starts "
                                 "anew: out.weight and 1 more\n"));

    experiment wrong = { .folder = "wrong",
                         .unevaluated = true,
                         .overrides = { "Global.freeze=['nothing.*']" } };
    assert_int_equal(run(&wrong), FV_ERR_CONFIG);
    assert_non_null(strstr(testing_err.message,
                           "Global.freeze.0: no parameter matches \"nothing.*\": \"fovea info "
                           "MobileNetV2_x0_25\" lists them"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run),
        cmocka_unit_test(test_it_learns),
        cmocka_unit_test(test_mixed_pictures),
        cmocka_unit_test(test_threads_and_workers_do_not_matter),
        cmocka_unit_test(test_killed_in_mid_epoch),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_interrupted_while_evaluating),
        cmocka_unit_test(test_all_done),
        cmocka_unit_test(test_resuming_something_else),
        cmocka_unit_test(test_resuming_with_changes),
        cmocka_unit_test(test_loss_that_is_not_finite),
        cmocka_unit_test(test_disk_full_for_a_while),
        cmocka_unit_test(test_disk_full_for_the_best),
        cmocka_unit_test(test_disk_full_at_the_end),
        cmocka_unit_test(test_keeping_epochs),
        cmocka_unit_test(test_pretrained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
