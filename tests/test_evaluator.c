/* SPDX-License-Identifier: Apache-2.0 */
#include "picture_testing.h"

#include "base/threads.h"
#include "eval/classifier.h"
#include "eval/evaluator.h"
#include "eval/predictor.h"

#include <stdio.h>
#include <string.h>

enum { PICTURES = 9, BATCH = 4, CLASSES = 12 };

static fv_classifier *classifier; /* of CLASSES classes */
static fv_config *config;
static fv_source source; /* PICTURES pictures, picture i with label i */

static fv_classifier *make_classifier(int classes)
{
    const fv_classifier_options options = {
        .model = fv_model_find("MobileNetV2_x0_25"), .classes = classes, .height = 32, .width = 32
    };
    fv_classifier *made;
    assert_ok(fv_classifier_create(&made, &options, &testing_err));
    return made;
}

static void open_source(const char *folder)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "dataset:\n"
             "  name: ImageNetDataset\n"
             "  image_root: %s\n"
             "  cls_label_path: %s/list.txt\n"
             "  transform_ops:\n"
             "  - DecodeImage: {to_rgb: True, channel_first: False}\n"
             "  - ResizeImage: {size: 32}\n"
             "  - NormalizeImage: {scale: 1.0/255.0, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}\n"
             "sampler: {name: DistributedBatchSampler, batch_size: %d}\n"
             "loader: {num_workers: 0}\n",
             folder, folder, BATCH);
    assert_ok(fv_config_parse(&config, "test.yaml", text, &testing_err));
    const fv_source_options options = { .where = "DataLoader.Eval", .threads = 1 };
    assert_ok(fv_source_open(&source, fv_config_root(config), &options, &testing_err));
}

static int setup(void **state)
{
    (void)state;
    char list[256] = "";
    for (int i = 0; i < PICTURES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d.jpg", i);
        testing_write_jpeg(name, 40 + i, 50 - i);
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s %d\n", name, i);
    }
    testing_write("list.txt", list, strlen(list));
    open_source(testing_folder());
    classifier = make_classifier(CLASSES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fv_classifier_destroy(classifier);
    fv_source_close(&source);
    fv_config_destroy(config);
    return 0;
}

/* ---- Evaluation ---- */

static void count_answer(void *ctx, const fv_answer *answer)
{
    int *count = ctx;
    assert_int_equal(answer->sample, *count);
    assert_int_equal(answer->label, *count);
    assert_int_equal(answer->classes, CLASSES);
    assert_non_null(answer->logits);
    (*count)++;
}

static void test_every_image_once(void **state)
{
    (void)state;
    int count = 0;
    fv_evaluation result;
    const fv_evaluator_options options = { .program = fv_classifier_program(classifier),
                                           .source = &source,
                                           .each = count_answer,
                                           .ctx = &count };
    assert_ok(fv_evaluate(&result, &options, &testing_err));
    assert_int_equal(count, PICTURES);
    assert_int_equal(result.metrics.images, PICTURES);
    assert_int_equal(result.metrics.unreadable, 0);
    assert_int_equal(result.metrics.nonfinite, 0);
    assert_true(result.seconds > 0.0);
}

static void test_stops(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 1;
    fv_evaluation result;
    fv_error err;
    const fv_evaluator_options options = { .program = fv_classifier_program(classifier),
                                           .source = &source,
                                           .stop = &stop };
    assert_int_equal(fv_evaluate(&result, &options, &err), FV_ERR_INTERRUPTED);
    assert_string_equal(err.message, "evaluation: interrupted after 4 images");
}

static void test_label_outside(void **state)
{
    (void)state;
    fv_classifier *small = make_classifier(6);
    fv_evaluation result;
    fv_error err;
    const fv_evaluator_options options = { .program = fv_classifier_program(small),
                                           .source = &source };
    assert_int_equal(fv_evaluate(&result, &options, &err), FV_ERR_CONFIG);
    assert_string_equal(err.message, "6.jpg: label 6, but the model has 6 classes");
    fv_classifier_destroy(small);
}

/* ---- Prediction ---- */

typedef struct answers {
    int count;
    int ids[PICTURES][3];
    float scores[PICTURES][3];
} answers;

static void keep_answer(void *ctx, const fv_prediction *p)
{
    answers *a = ctx;
    assert_null(p->error);
    assert_int_equal(p->count, 3);
    memcpy(a->ids[a->count], p->ids, sizeof(a->ids[0]));
    memcpy(a->scores[a->count], p->scores, sizeof(a->scores[0]));
    a->count++;
}

static fv_status predict(fv_program *program, int batch, answers *out, fv_error *err)
{
    fv_pictures pictures;
    fv_pictures_init(&pictures);
    fv_status status = FV_OK;
    for (int i = 0; i < PICTURES && status == FV_OK; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d.jpg", i);
        status = fv_pictures_add(&pictures, testing_path(name), "", err);
    }
    const fv_predictor_options options = { .program = program,
                                           .pipeline = source.pipeline,
                                           .batch_size = batch,
                                           .topk = 3,
                                           .each = keep_answer,
                                           .ctx = out };
    int failed = 0;
    *out = (answers){ .count = 0 };
    if (status == FV_OK) status = fv_predict(&options, &pictures, &failed, err);
    fv_pictures_deinit(&pictures);
    FV_TRY(status);
    assert_int_equal(failed, 0);
    return FV_OK;
}

static void test_prediction_does_not_depend_on_batch_or_threads(void **state)
{
    (void)state;
    static answers one, many;
    assert_ok(predict(fv_classifier_program(classifier), 1, &one, &testing_err));
    for (int threads = 1; threads <= 3; threads++) {
        fv_threads_set(threads);
        fv_classifier *fresh = make_classifier(CLASSES); /* plans are for a number of threads */
        for (int batch = 2; batch <= PICTURES + 1; batch++) {
            assert_ok(predict(fv_classifier_program(fresh), batch, &many, &testing_err));
            assert_memory_equal(&one, &many, sizeof(one));
        }
        fv_classifier_destroy(fresh);
    }
    fv_threads_set(1);
}

static void test_prediction_out_of_memory(void **state)
{
    (void)state;
    static answers got;
    fv_error err;
    fv_status status = FV_ERR_NOMEM;
    size_t n = 1;
    for (; status == FV_ERR_NOMEM && n < 10000; n++) {
        fv_classifier *fresh = make_classifier(CLASSES); /* whose plans are not made yet */
        fv_alloc_fail_at(n);
        status = predict(fv_classifier_program(fresh), BATCH, &got, &err);
        fv_alloc_fail_at(0);
        fv_classifier_destroy(fresh);
        if (n >= 5) n += 20; /* then the graph's, which are many, and tested elsewhere */
    }
    assert_ok(status);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_image_once),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_label_outside),
        cmocka_unit_test(test_prediction_does_not_depend_on_batch_or_threads),
        cmocka_unit_test(test_prediction_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
