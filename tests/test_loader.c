/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "picture_testing.h"

#include "base/compiler.h"
#include "base/log.h"
#include "base/threads.h"
#include "data/loader.h"

#include <stdlib.h>
#include <unistd.h>

enum { COUNT = 23, SIDE = 16, BATCH = 5, BROKEN_A = 4, BROKEN_B = 17 };

/* A folder of COUNT small pictures, two of which are no pictures; a pipeline that draws. */
typedef struct fixture {
    char root[512];
    fv_config *config;
    fv_dataset *dataset;
    fv_pipeline *pipeline;
    fv_batch_ops *batch_ops;
} fixture;

static const char operations[] = "ops:\n"
                                 "- DecodeImage: {}\n"
                                 "- RandCropImage: {size: 16}\n"
                                 "- RandFlipImage: {flip_code: 1}\n"
                                 "- NormalizeImage: {scale: 1.0/255.0, mean: 0.5, std: 0.5}\n"
                                 "batch_ops: [OpSampler: {MixupOperator: {prob: 0.6},"
                                 " FmixOperator: {prob: 0.3}}]\n";

static void open_fixture(fixture *f)
{
    assert_ok(fv_file_make_folder(testing_path("pictures"), &testing_err));
    FILE *list = fopen(testing_path("list.txt"), "w");
    assert_non_null(list);
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof(name), "pictures/%d.jpg", i);
        if (i == BROKEN_A)
            testing_write(name, "", 0);
        else if (i != BROKEN_B)
            testing_write_jpeg(name, 20 + i, 30);
        fprintf(list, "%s %d\n", name, i);
    }
    fclose(list);
    snprintf(f->root, sizeof(f->root), "%s", testing_folder());
    const fv_dataset_options options = { .image_root = f->root,
                                         .list_path = testing_path("list.txt") };
    assert_ok(fv_dataset_open(&f->dataset, &options, &testing_err));
    assert_ok(fv_config_parse(&f->config, "a.yaml", operations, &testing_err));
    assert_ok(fv_pipeline_create(&f->pipeline, fv_config_child(fv_config_root(f->config), "ops"),
                                 "test", &testing_err));
    assert_ok(fv_batch_ops_create(
        &f->batch_ops, fv_config_child(fv_config_root(f->config), "batch_ops"), &testing_err));
}

static void close_fixture(fixture *f)
{
    fv_batch_ops_destroy(f->batch_ops);
    fv_pipeline_destroy(f->pipeline);
    fv_dataset_close(f->dataset);
    fv_config_destroy(f->config);
}

static fv_loader_options options_for(const fixture *f, int workers, bool substitute)
{
    return (fv_loader_options){
        .dataset = f->dataset,
        .pipeline = f->pipeline,
        .sampler = { .count = COUNT, .batch_size = BATCH, .shuffle = true, .seed = 7 },
        .workers = workers,
        .prefetch = 3,
        .substitute = substitute
    };
}

/* All that a batch holds, as one number. */
static uint32_t digest(const fv_batch *b, uint32_t before)
{
    const size_t n = (size_t)b->count, image = (size_t)(b->height * b->width) * 3;
    uint32_t d = before * 31 + (uint32_t)b->number * 7 + b->epoch;
    d = d * 31 + testing_crc32((const uint8_t *)b->images, n * image * sizeof(float));
    d = d * 31 + testing_crc32((const uint8_t *)b->labels, n * sizeof(float));
    if (b->partners) {
        d = d * 31 + testing_crc32((const uint8_t *)b->partners, n * sizeof(float));
        d = d * 31 + testing_crc32((const uint8_t *)b->shares, n * sizeof(float));
    }
    d = d * 31 + testing_crc32((const uint8_t *)b->samples, n * sizeof(int64_t));
    return d * 31 + testing_crc32((const uint8_t *)b->readable, n * sizeof(bool));
}

static uint32_t run_epoch(fv_loader *l, uint32_t epoch, int64_t first)
{
    uint32_t d = 0;
    int64_t number = first;
    fv_loader_start(l, epoch, first);
    for (fv_batch *b; (b = fv_loader_take(l)); number++) {
        assert_int_equal(b->number, number);
        assert_int_equal(b->epoch, epoch);
        assert_int_equal(b->count, number < COUNT / BATCH ? BATCH : COUNT % BATCH);
        d = digest(b, d);
        fv_loader_give_back(l, b);
    }
    assert_int_equal(number, fv_loader_batches(l));
    assert_null(fv_loader_take(l));
    return d;
}

/* Same batches for any number of workers and of computing threads, from the start or the middle. */
static void test_same_batches(void **state)
{
    fixture *f = *state;
    enum { PLAIN, SUBSTITUTE, MIX, WAYS };
    for (int way = 0; way < WAYS; way++) {
        uint32_t wanted[2] = { 0 }, wanted_rest = 0;
        for (int workers = 0; workers <= 5; workers++) {
            fv_threads_set(workers == 1 ? 3 : 1);
            fv_loader_options o = options_for(f, workers > 1 ? workers : 0, way != PLAIN);
            if (way == MIX) o.batch_ops = f->batch_ops;
            fv_loader *l = NULL;
            assert_ok(fv_loader_open(&l, &o, &testing_err));
            const uint32_t first = run_epoch(l, 0, 0), second = run_epoch(l, 1, 0);
            const uint32_t rest = run_epoch(l, 1, 2);
            assert_int_equal(run_epoch(l, 0, 0), first);
            if (workers == 0) wanted[0] = first, wanted[1] = second, wanted_rest = rest;
            assert_int_equal(first, wanted[0]);
            assert_int_equal(second, wanted[1]);
            assert_int_equal(rest, wanted_rest);
            assert_int_not_equal(first, second);
            fv_loader_close(l);
        }
    }
    fv_threads_set(1);
}

enum { LINES = 24 };

static char lines[LINES][600];
static int line_count;

static void keep_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    assert_int_equal(level, FV_LOG_WARNING);
    if (line_count < LINES) snprintf(lines[line_count], sizeof(lines[0]), "%s", line);
    line_count++;
}

/* In evaluation: in the order of the list, zeros, marked, named once over all epochs. */
static void test_unreadable(void **state)
{
    fixture *f = *state;
    fv_loader_options o = options_for(f, 2, false);
    o.sampler.shuffle = false;
    fv_loader *l = NULL;
    assert_ok(fv_loader_open(&l, &o, &testing_err));
    line_count = 0;
    fv_log_sink(keep_line, NULL);
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        fv_loader_start(l, epoch, 0);
        for (fv_batch *b; (b = fv_loader_take(l)); fv_loader_give_back(l, b)) {
            for (int i = 0; i < b->count; i++) {
                const int64_t sample = b->number * BATCH + i;
                const bool broken = sample == BROKEN_A || sample == BROKEN_B;
                assert_int_equal(b->samples[i], sample);
                assert_true(b->labels[i] == (float)sample);
                assert_int_equal(b->readable[i], !broken);
                bool zeros = true;
                const float *x = b->images + i * SIDE * SIDE * 3;
                for (int k = 0; k < SIDE * SIDE * 3; k++) zeros = zeros && x[k] == 0.0f;
                assert_int_equal(zeros, broken);
            }
        }
    }
    fv_log_sink(NULL, NULL);
    const int64_t *samples = NULL;
    assert_int_equal(fv_loader_unreadable(l, &samples), 2);
    assert_int_equal(samples[0], BROKEN_A);
    assert_int_equal(samples[1], BROKEN_B);
    char wanted[1200];
    assert_int_equal(line_count, 2);
    snprintf(wanted, sizeof(wanted), "unreadable picture: %s/pictures/%d.jpg: empty file", f->root,
             BROKEN_A);
    assert_string_equal(lines[0], wanted);
    snprintf(wanted, sizeof(wanted), "unreadable picture: %s/pictures/%d.jpg: ", f->root, BROKEN_B);
    assert_int_equal(strncmp(lines[1], wanted, strlen(wanted)), 0);
    fv_loader_close(l);
}

/* In training: the next readable one of the batch stands in, with its label. */
static void test_substitution(void **state)
{
    fixture *f = *state;
    fv_loader_options o = options_for(f, 3, true);
    o.sampler.shuffle = false;
    fv_loader *l = NULL;
    assert_ok(fv_loader_open(&l, &o, &testing_err));
    fv_loader_start(l, 0, 0);
    const size_t image = SIDE * SIDE * 3;
    for (fv_batch *b; (b = fv_loader_take(l)); fv_loader_give_back(l, b)) {
        for (int i = 0; i < b->count; i++) {
            const int64_t sample = b->number * BATCH + i;
            /* BROKEN_A is the last of its batch: the first takes its place. */
            const int64_t wanted = sample == BROKEN_A ? 0
                                 : sample == BROKEN_B ? BROKEN_B + 1
                                                      : sample;
            assert_true(b->readable[i]);
            assert_int_equal(b->samples[i], wanted);
            assert_true(b->labels[i] == (float)wanted);
            const size_t from = (size_t)(wanted - b->number * BATCH);
            assert_memory_equal(b->images + (size_t)i * image, b->images + from * image,
                                image * sizeof(float));
        }
    }
    assert_int_equal(fv_loader_unreadable(l, NULL), 2);
    fv_loader_close(l);
}

/* The first 20 are named, the others counted. */
static void test_many_unreadable(void **state)
{
    enum { MANY = 50 };
    fixture *f = *state;
    FILE *list = fopen(testing_path("many.txt"), "w");
    assert_non_null(list);
    for (int i = 0; i < MANY; i++) fprintf(list, "absent/%d.jpg 0\n", i);
    fclose(list);
    fv_dataset *nothing = NULL;
    const fv_dataset_options files = { .image_root = f->root,
                                       .list_path = testing_path("many.txt") };
    assert_ok(fv_dataset_open(&nothing, &files, &testing_err));
    fv_loader_options o = options_for(f, 2, true);
    o.dataset = nothing;
    o.sampler.count = MANY;
    fv_loader *l = NULL;
    assert_ok(fv_loader_open(&l, &o, &testing_err));
    line_count = 0;
    fv_log_sink(keep_line, NULL);
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        fv_loader_start(l, epoch, 0);
        for (fv_batch *b; (b = fv_loader_take(l));) fv_loader_give_back(l, b);
    }
    fv_log_sink(NULL, NULL);
    assert_int_equal(fv_loader_unreadable(l, NULL), MANY);
    assert_int_equal(line_count, 21);
    for (int i = 0; i < 20; i++) assert_int_equal(strncmp(lines[i], "unreadable picture: ", 20), 0);
    assert_string_equal(lines[20],
                        "more than 20 unreadable pictures: the others are counted, not named here");
    fv_loader_close(l);
    fv_dataset_close(nothing);
}

static void test_all_unreadable(void **state)
{
    fixture *f = *state;
    fv_dataset *nothing = NULL;
    testing_write("none.txt", "x.jpg 0\ny.jpg 1\n", 16);
    const fv_dataset_options files = { .image_root = f->root,
                                       .list_path = testing_path("none.txt") };
    assert_ok(fv_dataset_open(&nothing, &files, &testing_err));
    fv_loader_options o = options_for(f, 1, true);
    o.dataset = nothing;
    o.sampler.count = 2;
    fv_loader *l = NULL;
    assert_ok(fv_loader_open(&l, &o, &testing_err));
    fv_loader_start(l, 0, 0);
    fv_batch *b = fv_loader_take(l);
    assert_non_null(b);
    for (int i = 0; i < 2; i++) {
        assert_false(b->readable[i]);
        assert_true(b->images[i * SIDE * SIDE * 3] == 0.0f);
    }
    fv_loader_give_back(l, b);
    fv_loader_close(l);
    fv_dataset_close(nothing);
}

/* At any moment: before a start, in the middle, with a batch out; and many new starts. */
static void test_interruptions(void **state)
{
    fixture *f = *state;
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash("interruptions"));
    for (int i = 0; i < 40; i++) {
        const fv_loader_options o = options_for(f, i % 4, i % 3 == 0);
        fv_loader *l = NULL;
        assert_ok(fv_loader_open(&l, &o, &testing_err));
        assert_null(fv_loader_take(l));
        const int starts = fv_random_int(&r, 0, 3);
        for (int k = 0; k < starts; k++) {
            const int64_t first = fv_random_int(&r, 0, 5);
            fv_loader_start(l, (uint32_t)k, first);
            const int takes = fv_random_int(&r, 0, 3);
            for (int t = 0; t < takes; t++) {
                fv_batch *b = fv_loader_take(l);
                assert_int_equal(b != NULL, first + t < fv_loader_batches(l));
                if (b && t == takes - 1 && k == starts - 1) break; /* stays out */
                if (b) fv_loader_give_back(l, b);
            }
            if (fv_random_int(&r, 0, 1)) usleep((useconds_t)fv_random_int(&r, 0, 2000));
        }
        fv_loader_close(l);
    }
}

static void test_open_errors(void **state)
{
    fixture *f = *state;
    fv_loader *l = NULL;
    fv_loader_options o = options_for(f, 0, false);
    o.sampler.count = 5;
    assert_int_equal(fv_loader_open(&l, &o, &testing_err), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "loader: the sampler counts 5 samples, the dataset 23");
    o = options_for(f, 2000, false);
    assert_int_equal(fv_loader_open(&l, &o, &testing_err), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "loader: batch size 5, 2000 workers (at most 1024), 3"
                                             " batches ahead: not possible");
    o = options_for(f, 0, false);
    o.sampler.batch_size = 24;
    o.sampler.drop_last = true;
    assert_int_equal(fv_loader_open(&l, &o, &testing_err), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "loader: 23 samples make no batch of 24: drop_last drops them all");

    fv_status status = FV_ERR_NOMEM;
    size_t n = 1;
    for (; status != FV_OK; n++) {
        o = options_for(f, 2, false);
        o.batch_ops = f->batch_ops;
        fv_alloc_fail_at(n);
        status = fv_loader_open(&l, &o, &testing_err);
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
    }
    assert_true(n > 20);
    fv_loader_close(l);
}

static int setup(void **state)
{
    static fixture f;
    open_fixture(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    close_fixture(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_batches),    cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_substitution),    cmocka_unit_test(test_all_unreadable),
        cmocka_unit_test(test_many_unreadable), cmocka_unit_test(test_interruptions),
        cmocka_unit_test(test_open_errors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
