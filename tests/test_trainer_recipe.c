/* SPDX-License-Identifier: Apache-2.0 */
/* What a recipe may ask of training: accumulation, averaged weights, an early end. As in
 * test_trainer.c, what matters is compared bit for bit. */
#include "trainer_testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/hdf5.h"
#include "io/weights.h"
#include "train/start.h"

#include <math.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVAL_SECTION \
    "DataLoader.Eval={dataset: {cls_label_path: list, transform_ops: [DecodeImage: {}, " \
    "CropImage: " \
    "{size: 64}, NormalizeImage: {mean: [0, 0, 0], std: [1, 1, 1]}]}, sampler: {batch_size: 6}}"

/* ---- Accumulation ---- */

static fv_params *new_params(void)
{
    fv_params *params = NULL;
    assert_ok(fv_start_params(&params, fv_model_find("MobileNetV2_x0_25"), CLASSES, 64, 64, 7,
                              &testing_err));
    return params;
}

static const char *write_list(int times)
{
    static char path[300];
    char list[1000] = "";
    for (int k = 0; k < times; k++)
        for (int i = 0; i < BATCH; i++)
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "p%02d.jpg %d\n", i,
                     i % CLASSES);
    snprintf(path, sizeof(path), "%s/list%d.txt", testing_folder(), times);
    assert_ok(fv_file_write(path, list, strlen(list), &testing_err));
    return path;
}

/* One batch, `times` in an epoch; nothing is random, and batch norms are constants. */
static fv_params *train_same_batch(const char *folder, int times, const char *update_freq)
{
    char list[400];
    snprintf(list, sizeof(list), "DataLoader.Train.dataset.cls_label_path=%s", write_list(times));
    experiment e = { .folder = folder,
                     .unevaluated = true,
                     .overrides = { list, update_freq, "DataLoader.Train.sampler.shuffle=False",
                                    "DataLoader.Train.dataset.transform_ops=[DecodeImage: {}, "
                                    "CropImage: {size: 64}, NormalizeImage: {mean: [0, 0, 0], "
                                    "std: [1, 1, 1]}]",
                                    "Global.freeze=['*_batch_norm*']",
                                    "Global.freeze_statistics=True", "Global.epochs=3" } };
    assert_ok(run(&e));
    assert_int_equal(e.progress.step, 3);
    fv_params *params = new_params();
    assert_ok(fv_weights_load(inside(&e, "latest.h5"), params, NULL, NULL, &testing_err));
    return params;
}

/* How far the weights are apart, relative to how far the first ones moved. */
static double distance(fv_params *a, fv_params *b)
{
    fv_params *start = new_params();
    double apart = 0.0, moved = 0.0;
    for (int i = 0; i < fv_params_count(a); i++)
        for (size_t k = 0; k < fv_params_at(a, i)->count; k++) {
            const double x = (double)fv_params_at(a, i)->value[k];
            apart += pow(x - (double)fv_params_at(b, i)->value[k], 2.0);
            moved += pow(x - (double)fv_params_at(start, i)->value[k], 2.0);
        }
    fv_params_destroy(start);
    return sqrt(apart / moved);
}

/* The mean gradient of equal batches is that of one, but for rounding. */
static void test_mean_of_batches(void **unused)
{
    (void)unused;
    fv_params *one = train_same_batch("once", 1, "Global.update_freq=1");
    fv_params *two = train_same_batch("twice", 2, "Global.update_freq=2");
    fv_params *four = train_same_batch("four", 4, "Global.update_freq=4");
    assert_true(distance(one, two) < 1e-4);
    assert_true(distance(one, four) < 1e-4);
    fv_params_destroy(one);
    fv_params_destroy(two);
    fv_params_destroy(four);
}

#define ACCUMULATE "Global.update_freq=3", "Global.epochs=4", "Global.print_batch_step=1"

/* Steps of three batches, four epochs: three passes over the data. */
static const experiment *accumulated(void)
{
    static experiment e = { .folder = "acc", .unevaluated = true, .overrides = { ACCUMULATE } };
    if (e.progress.step == 0) {
        assert_ok(run(&e));
        assert_non_null(strstr(told, "Global.update_freq: an epoch ends after 3 of 4 batches, with "
                                     "a whole step; the next one goes on from there\n"));
    }
    return &e;
}

static void count_images(experiment *e, const fv_train_event *event)
{
    static const int64_t images[] = { 6, 6, 6, 4 };
    if (event->batch == 1) e->scores[0] = 0.0;
    e->scores[0] += (double)images[(e->batches - 1) % 4];
    if (event->logged) assert_int_equal(event->batch % 3, 0);
}

static void test_accumulation(void **unused)
{
    (void)unused;
    const experiment *one = accumulated();
    assert_int_equal(one->progress.step, 4);
    assert_int_equal(one->batches, 12);
    experiment two = { .folder = "acc2",
                       .unevaluated = true,
                       .threads = 2,
                       .watch = count_images,
                       .overrides = { ACCUMULATE, "DataLoader.Train.loader.num_workers=2" } };
    assert_ok(run(&two));
    assert_int_equal(two.checksum, one->checksum);
    assert_same_rows(&two, one);
}

static void test_more_than_an_epoch(void **unused)
{
    (void)unused;
    experiment plain = { .folder = "plain", .unevaluated = true };
    assert_ok(run(&plain));
    experiment e = { .folder = "all5",
                     .unevaluated = true,
                     .overrides = { "Global.update_freq=5" } };
    assert_ok(run(&e));
    assert_int_equal(e.checksum, plain.checksum);
    assert_non_null(strstr(told, "Global.update_freq: 5 is more than the 4 batches of an epoch: 1 "
                                 "is used, as PaddleClas does\n"));
}

/* Most of them in the middle of a step. */
static void test_stopped_midway(void **unused)
{
    (void)unused;
    static const int stops[] = { 1, 2, 3, 7, 11 };
    for (size_t k = 0; k < FV_ARRAY_LEN(stops); k++) {
        const int batch = stops[k];
        char from[500];
        experiment first = { .folder = "midway",
                             .unevaluated = true,
                             .stop_batch = batch,
                             .overrides = { ACCUMULATE } };
        assert_int_equal(run(&first), FV_ERR_INTERRUPTED);
        snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(&first, "latest.h5"));
        experiment second = {
            .folder = "midway", .unevaluated = true, .threads = 2, .overrides = { ACCUMULATE, from }
        };
        assert_ok(run(&second));
        assert_int_equal(second.checksum, accumulated()->checksum);
        assert_same_rows(&second, accumulated());
    }
}

/* A process that dies as told, by SIGKILL. */
static void run_killed(experiment *e)
{
    int how;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run(e);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    snprintf(e->path, sizeof(e->path), "%s/%s", testing_folder(), e->folder);
}

static void test_killed_midway(void **unused)
{
    (void)unused;
    for (int batch = 4; batch < 12; batch += 3) {
        char from[500];
        experiment first = { .folder = "killed",
                             .unevaluated = true,
                             .kill_batch = batch,
                             .overrides = { ACCUMULATE, "Global.save_steps=1" } };
        run_killed(&first);
        snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(&first, "latest.h5"));
        experiment second = { .folder = "killed",
                              .unevaluated = true,
                              .overrides = { ACCUMULATE, "Global.save_steps=1", from } };
        assert_ok(run(&second));
        assert_int_equal(second.checksum, accumulated()->checksum);
        assert_same_rows(&second, accumulated());
    }
}

static void test_another_frequency_midway(void **unused)
{
    (void)unused;
    char from[500], message[1000];
    experiment first = {
        .folder = "other", .unevaluated = true, .stop_batch = 2, .overrides = { ACCUMULATE }
    };
    assert_int_equal(run(&first), FV_ERR_INTERRUPTED);
    snprintf(from, sizeof(from), "Global.checkpoints=%s/latest", first.path);
    experiment second = { .folder = "other2",
                          .unevaluated = true,
                          .overrides = { from, "Global.update_freq=2" } };
    assert_int_equal(run(&second), FV_ERR_CONFIG);
    snprintf(message, sizeof(message),
             "Global.checkpoints: %s/latest.h5: it stopped in the middle of an epoch, where "
             "Global.update_freq must stay 3, not 2",
             first.path);
    assert_string_equal(testing_err.message, message);
}

/* ---- Averaged weights ---- */

enum { MOST_FLOATS = 1 << 20 };
static double averages[MOST_FLOATS]; /* of all parameters, one after the other */

/* The definition, in double. */
static void average_step(experiment *e, const fv_train_event *event)
{
    const fv_params *params = fv_trainer_params(e->trainer);
    double *a = averages;
    (void)event;
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        for (size_t k = 0; k < p->count; k++, a++) *a = 0.75 * *a + 0.25 * (double)p->value[k];
    }
    assert_true(a <= averages + MOST_FLOATS);
}

static void begin_averages(void)
{
    fv_params *params = new_params();
    double *a = averages;
    for (int i = 0; i < fv_params_count(params); i++)
        for (size_t k = 0; k < fv_params_at(params, i)->count; k++)
            *a++ = (double)fv_params_at(params, i)->value[k];
    fv_params_destroy(params);
}

static uint32_t checksum_of(const char *path)
{
    fv_params *params = new_params();
    assert_ok(fv_weights_load(path, params, NULL, NULL, &testing_err));
    const uint32_t checksum = fv_params_checksum(params);
    fv_params_destroy(params);
    return checksum;
}

static void check_averages(const char *path)
{
    fv_params *params = new_params();
    assert_ok(fv_weights_load(path, params, NULL, NULL, &testing_err));
    const double *a = averages;
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        for (size_t k = 0; k < p->count; k++, a++)
            if (!(fabs((double)p->value[k] - *a) <= 1e-6 * fmax(1.0, fabs(*a))))
                fail_msg("%s[%zu] is %.9g instead of %.9g", p->name, k, (double)p->value[k], *a);
    }
    fv_params_destroy(params);
}

/* Evaluations come in pairs: raw, averaged. The averaged weights of the first epoch are best. */
#define AVERAGE \
    "EMA={decay: 0.75}", "Global.update_freq=2", \
        "Optimizer={name: AdamW, weight_decay: 0.05, lr: {name: Cosine, learning_rate: 0.01}}"

static const experiment *averaged(void)
{
    static experiment e = { .folder = "ema",
                            .scores = { 0.25, 0.5, 0.375, 0.25 },
                            .overrides = { "EMA={decay: 0.75}" } };
    if (e.progress.step == 0) {
        begin_averages();
        e.watch = average_step;
        assert_ok(run(&e));
    }
    return &e;
}

static void test_averages(void **unused)
{
    (void)unused;
    const experiment *e = averaged();
    experiment plain = { .folder = "plain2", .scores = { 0.25, 0.5 } };
    assert_ok(run(&plain));
    assert_int_equal(e->checksum, plain.checksum); /* averaging does not change what is trained */
    assert_true(e->answers[0] == plain.answers[0] && e->answers[2] == plain.answers[1]);
    assert_true(e->answers[1] != e->answers[0] && e->answers[3] != e->answers[2]);
    assert_int_equal(e->evaluations, 4);
    assert_int_equal(e->bests, 2);
    assert_int_equal(e->progress.best_averaged, 1);
    assert_int_equal(e->progress.best_epoch, 1);
    check_averages(inside(e, "latest.h5"));

    static char csv[CSV_BYTES];
    read_csv(e, csv);
    assert_non_null(strstr(csv, "\neval,1,4,"));
    assert_non_null(strstr(csv, "\neval_ema,1,4,"));
}

/* best_model.h5 holds what was best: here raw weights, with the averages beside them. */
static void test_best_is_raw(void **unused)
{
    (void)unused;
    experiment e = { .folder = "rawbest",
                     .scores = { 0.25, 0.125, 0.75, 0.5 },
                     .overrides = { "EMA={decay: 0.75}" } };
    assert_ok(run(&e));
    assert_int_equal(e.progress.best_averaged, 0);
    assert_int_equal(checksum_of(inside(&e, "best_model.h5")), e.checksum);
    assert_int_not_equal(checksum_of(inside(&e, "latest.h5")), e.checksum);
    const uint32_t latest = checksum_of(inside(&e, "latest.h5"));
    assert_int_equal(latest, checksum_of(inside(averaged(), "latest.h5")));

    char from[500]; /* from either file a run goes on with both kinds of weights */
    snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(&e, "best_model.h5"));
    experiment again = { .folder = "rawbest2",
                         .unevaluated = true,
                         .overrides = { from, "EMA={decay: 0.75}", "Global.epochs=3" } };
    assert_ok(run(&again));
    snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(averaged(), "latest.h5"));
    experiment other = { .folder = "rawbest3",
                         .unevaluated = true,
                         .overrides = { from, "EMA={decay: 0.75}", "Global.epochs=3" } };
    assert_ok(run(&other));
    assert_int_equal(again.checksum, other.checksum);
    const uint32_t last = checksum_of(inside(&again, "latest.h5"));
    assert_int_equal(last, checksum_of(inside(&other, "latest.h5")));
}

/* Everything at once, stopped between batches and during evaluations of either weights. */
static void test_all_states_come_back(void **unused)
{
    (void)unused;
    experiment whole = { .folder = "whole",
                         .scores = { 0.25, 0.5, 0.375, 0.5 },
                         .overrides = { AVERAGE } };
    assert_ok(run(&whole));
    const uint32_t averages_of_whole = checksum_of(inside(&whole, "latest.h5"));
    static const int stops[] = { 1, 4, 5, 7, 9, 10 };
    for (size_t k = 0; k < FV_ARRAY_LEN(stops); k++) {
        const int stop = stops[k];
        char from[500];
        experiment first = { .folder = "parts",
                             .scores = { 0.25, 0.5, 0.375, 0.5 },
                             .stop_batch = stop <= 8 ? stop : 0,
                             .stop_evaluation = stop > 8 ? stop - 6 : 0,
                             .overrides = { AVERAGE } };
        assert_int_equal(run(&first), FV_ERR_INTERRUPTED);
        snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(&first, "latest.h5"));
        experiment second = { .folder = "parts", .threads = 2, .overrides = { AVERAGE, from } };
        const int done = stop > 4 ? 2 : 0;
        for (int i = 0; i < 4 - done; i++) second.scores[i] = whole.scores[i + done];
        assert_ok(run(&second));
        assert_int_equal(second.checksum, whole.checksum);
        assert_int_equal(checksum_of(inside(&second, "latest.h5")), averages_of_whole);
        assert_same_rows(&second, &whole);
        assert_int_equal(second.progress.best_epoch, 2);
        assert_int_equal(second.progress.best_averaged, 1);
    }
}

static void test_changing_the_mind(void **unused)
{
    (void)unused;
    char from[500], message[800];
    snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(averaged(), "latest.h5"));
    experiment without = { .folder = "without",
                           .unevaluated = true,
                           .overrides = { from, "Global.epochs=3" } };
    assert_ok(run(&without));
    snprintf(message, sizeof(message), "%s: without EMA its averaged weights are left out\n",
             inside(averaged(), "latest.h5"));
    assert_non_null(strstr(told, message));
    experiment plain = { .folder = "plain3", .unevaluated = true };
    assert_ok(run(&plain));
    snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(&plain, "latest.h5"));
    experiment resumed = { .folder = "plain3",
                           .unevaluated = true,
                           .overrides = { from, "Global.epochs=3" } };
    assert_ok(run(&resumed));
    assert_int_equal(without.checksum, resumed.checksum);

    snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(&plain, "latest.h5"));
    experiment with = { .folder = "with",
                        .unevaluated = true,
                        .overrides = { from, "EMA={decay: 0.75}", "Global.epochs=4" } };
    assert_ok(run(&with));
    snprintf(message, sizeof(message),
             "%s: no averaged weights: EMA begins with those of the file\n",
             inside(&plain, "latest.h5"));
    assert_non_null(strstr(told, message));
}

/* ---- An early end ---- */

static void test_early_stop(void **unused)
{
    (void)unused;
    char from[500];
    experiment e = { .folder = "early",
                     .scores = { 0.25, 0.5, 0.5, 0.51, 0.75 },
                     .overrides = { EVAL_SECTION, "Global.early_stop={patience: 2, delta: 0.02}",
                                    "Global.epochs=6", "Global.save_interval=6" } };
    assert_ok(run(&e));
    assert_int_equal(e.progress.epoch, 4);
    assert_int_equal(e.progress.best_epoch, 4);
    static const char told_why[] =
        "Global.early_stop: after epoch 4 of 6, since Top1 has not risen more than 2.00 points "
        "above 50.00 % in the last 2 evaluations\n";
    assert_non_null(strstr(told, told_why));

    snprintf(from, sizeof(from), "Global.checkpoints=%s/latest", e.path);
    experiment again = { .folder = "early",
                         .overrides = { EVAL_SECTION, from, "Global.epochs=6",
                                        "Global.early_stop={patience: 2, delta: 0.02}" } };
    assert_ok(run(&again)); /* it stays ended */
    assert_int_equal(again.batches, 0);
    assert_non_null(strstr(told, told_why));
    experiment longer = { .folder = "early",
                          .scores = { 0.5 },
                          .overrides = { EVAL_SECTION, from, "Global.epochs=6",
                                         "Global.early_stop={patience: 3, delta: 0.02}" } };
    assert_ok(run(&longer));
    assert_int_equal(longer.progress.epoch, 5);
}

/* ---- Rare classes ---- */

static void test_rare_classes(void **unused)
{
    (void)unused;
    static const char *const keys[] = { "Loss.Train.0.CELoss.class_weights=balanced",
                                        "DataLoader.Train.sampler.balanced=True" };
    uint32_t checksums[2];
    for (int k = 0; k < 2; k++) {
        experiment one = { .folder = "rare", .unevaluated = true, .overrides = { keys[k] } };
        experiment two = { .folder = "rare",
                           .unevaluated = true,
                           .threads = 2,
                           .overrides = { keys[k], "DataLoader.Train.loader.num_workers=2" } };
        assert_ok(run(&one));
        assert_ok(run(&two));
        assert_int_equal(one.checksum, two.checksum);
        assert_non_null(strstr(told, k ? "DataLoader.Train.sampler.balanced: each of 3 classes, of "
                                         "7 to 8 pictures, is drawn equally often\n"
                                       : "class_weights: from 0.9167 for class 0 to 1.048 for "
                                         "class 1\n"));
        checksums[k] = one.checksum;
    }
    assert_int_not_equal(checksums[0], checksums[1]);
    assert_int_not_equal(checksums[0], averaged()->checksum); /* of the plain loss and order */
    assert_int_not_equal(checksums[1], averaged()->checksum);
}

/* Two sizes of pictures, stopped in the first one's last epoch. */
static void test_growing_pictures(void **unused)
{
    (void)unused;
    static const char grow[] = "DataLoader.Train.progressive={sizes: [32, 64], epochs: [1]}";
    char from[500];
    experiment one = { .folder = "grow", .unevaluated = true, .overrides = { grow } };
    assert_ok(run(&one));
    assert_int_not_equal(one.checksum, averaged()->checksum);
    experiment first = {
        .folder = "grow2", .unevaluated = true, .stop_step = 3, .overrides = { grow }
    };
    assert_int_equal(run(&first), FV_ERR_INTERRUPTED);
    snprintf(from, sizeof(from), "Global.checkpoints=%s", inside(&first, "latest.h5"));
    experiment rest = {
        .folder = "grow2", .unevaluated = true, .threads = 2, .overrides = { grow, from }
    };
    assert_ok(run(&rest));
    assert_int_equal(rest.checksum, one.checksum);
    assert_same_rows(&rest, &one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean_of_batches),
        cmocka_unit_test(test_accumulation),
        cmocka_unit_test(test_more_than_an_epoch),
        cmocka_unit_test(test_stopped_midway),
        cmocka_unit_test(test_killed_midway),
        cmocka_unit_test(test_another_frequency_midway),
        cmocka_unit_test(test_averages),
        cmocka_unit_test(test_best_is_raw),
        cmocka_unit_test(test_all_states_come_back),
        cmocka_unit_test(test_changing_the_mind),
        cmocka_unit_test(test_early_stop),
        cmocka_unit_test(test_rare_classes),
        cmocka_unit_test(test_growing_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
