/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/hdf5.h"
#include "io/weights.h"
#include "train/checkpoint.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

typedef struct state {
    fv_config *config;
    fv_kernels kernels;
    fv_params *params;
    fv_optimizer *optimizer;
    fv_average *average; /* or NULL */
    fv_checkpoint_options options;
} state;

static const fv_run_identity identity = { .arch = "MobileNetV2",
                                          .class_num = 2,
                                          .seed = 42,
                                          .batch_size = 8,
                                          .update_freq = 1,
                                          .samples = 100,
                                          .class_names = "cat\ndog",
                                          .preprocess = "decode(pillow)",
                                          .config = "Global: {seed: 42}\n" };

static const fv_progress progress = { .step = 17,
                                      .epoch = 1,
                                      .batch = 4,
                                      .loss_sum = 1.0 / 3.0,
                                      .images = 32,
                                      .correct = 20,
                                      .best_top1 = 0.7,
                                      .best_epoch = 1,
                                      .best_averaged = 1,
                                      .record = 0.625,
                                      .stale = 2,
                                      .seconds = 12.25 };

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    return path;
}

static void open_state(state *s, const char *optimizer, const char *fill)
{
    static const int conv[] = { 3, 2, 3, 3 }, vector[] = { 3 };
    const fv_init init = { .kind = FV_INIT_NORMAL, .a = 1.0f };
    fv_param *p;
    *s = (state){ 0 };
    fv_kernels_init(&s->kernels, FV_CPU_SCALAR);
    assert_ok(fv_config_parse(&s->config, "test", optimizer, &testing_err));
    assert_ok(fv_params_create(&s->params, 1, &testing_err));
    assert_ok(
        fv_params_get(s->params, "a.weight", FV_CONV_WEIGHT, 4, conv, init, &p, &testing_err));
    assert_ok(fv_params_get(s->params, "a/b._mean", FV_BN_MEAN, 1, vector, init, &p, &testing_err));
    assert_ok(fv_optimizer_create(&s->optimizer, fv_config_root(s->config), s->params, &s->kernels,
                                  &testing_err));
    if (!fill) return;
    for (int i = 0; i < fv_params_count(s->params); i++) {
        p = fv_params_at(s->params, i);
        testing_fill(fill, p->value, p->count);
    }
    for (int i = 0; i < fv_optimizer_slot_count(s->optimizer); i++)
        testing_fill("velocity", fv_optimizer_slot_at(s->optimizer, i).data,
                     fv_optimizer_slot_at(s->optimizer, i).count);
}

static void close_state(state *s)
{
    fv_average_destroy(s->average);
    fv_optimizer_destroy(s->optimizer);
    fv_params_destroy(s->params);
    fv_config_destroy(s->config);
}

static const char MOMENTUM[] = "{name: Momentum, momentum: 0.9}";

static fv_run_state learned(const state *s)
{
    return (fv_run_state){ s->params, s->optimizer, s->average };
}

static fv_status save(const state *s, const char *path)
{
    const fv_run_state all = learned(s);
    return fv_checkpoint_save(path, &identity, &progress, &all, s->options, &testing_err);
}

static fv_status load(const state *s, const char *path)
{
    const fv_run_state all = learned(s);
    return fv_checkpoint_load(path, &all, &testing_err);
}

static void test_everything_comes_back(void **unused)
{
    (void)unused;
    state a, b;
    open_state(&a, MOMENTUM, "values");
    open_state(&b, MOMENTUM, NULL);
    assert_int_not_equal(fv_params_checksum(a.params), fv_params_checksum(b.params));
    assert_ok(save(&a, path_of("all.h5")));

    fv_checkpoint_head head;
    assert_ok(fv_checkpoint_peek(&head, path_of("all.h5"), &testing_err));
    assert_memory_equal(&head.progress, &progress, sizeof(progress));
    assert_string_equal(head.arch, "MobileNetV2");
    assert_string_equal(head.config, "Global: {seed: 42}\n");
    assert_int_equal(head.class_num, 2);
    assert_int_equal(head.seed, 42);
    assert_int_equal(head.batch_size, 8);
    assert_int_equal(head.samples, 100);
    fv_checkpoint_head_deinit(&head);

    const uint64_t version = fv_params_version(b.params);
    assert_ok(load(&b, path_of("all.h5")));
    assert_true(fv_params_version(b.params) != version);
    assert_int_equal(fv_params_checksum(a.params), fv_params_checksum(b.params));
    const fv_optimizer_slot va = fv_optimizer_slot_at(a.optimizer, 0);
    const fv_optimizer_slot vb = fv_optimizer_slot_at(b.optimizer, 0);
    assert_int_equal(va.count, 54);
    assert_memory_equal(va.data, vb.data, va.count * sizeof(float));
    close_state(&a);
    close_state(&b);
}

/* Averages on either side, and gradients, beside all that. */
static void test_averages_and_gradients(void **unused)
{
    (void)unused;
    for (int averaged = 0; averaged < 2; averaged++) {
        state a, b;
        open_state(&a, MOMENTUM, "values");
        open_state(&b, MOMENTUM, NULL);
        assert_ok(fv_average_create(&a.average, a.params, 0.5, &testing_err));
        assert_ok(fv_average_create(&b.average, b.params, 0.5, &testing_err));
        testing_fill("average", fv_average_at(a.average, 0), 54);
        testing_fill("gradient", fv_params_at(a.params, 0)->grad, 54);
        a.options = (fv_checkpoint_options){ .averaged = averaged, .gradients = true };
        assert_ok(save(&a, path_of("average.h5")));
        assert_ok(load(&b, path_of("average.h5")));
        assert_int_equal(fv_params_checksum(a.params), fv_params_checksum(b.params));
        const size_t bytes = 54 * sizeof(float);
        assert_memory_equal(fv_average_at(a.average, 0), fv_average_at(b.average, 0), bytes);
        assert_memory_equal(fv_params_at(a.params, 0)->grad, fv_params_at(b.params, 0)->grad,
                            bytes);

        assert_ok(fv_weights_load(path_of("average.h5"), b.params, NULL, NULL, &testing_err));
        assert_memory_equal(
            fv_params_at(b.params, 0)->value,
            averaged ? fv_average_at(a.average, 0) : fv_params_at(a.params, 0)->value, bytes);
        fv_average_at(a.average, 0)[7] = NAN;
        assert_int_equal(save(&a, path_of("average.h5")), FV_ERR_NUMERIC);
        close_state(&a);
        close_state(&b);
    }
}

/* A position in the middle of a step needs the gradients, any other has none. */
static void test_gradients_and_position(void **unused)
{
    (void)unused;
    for (int gradients = 0; gradients < 2; gradients++) {
        state a;
        fv_checkpoint_head head;
        fv_run_identity every_second = identity;
        fv_progress odd = progress;
        every_second.update_freq = 2;
        odd.batch = 5;
        open_state(&a, MOMENTUM, "values");
        const fv_run_state all = learned(&a);
        const fv_checkpoint_options options = { .gradients = gradients };
        assert_ok(fv_checkpoint_save(path_of("midway.h5"), &every_second, &odd, &all, options,
                                     &testing_err));
        const fv_status status = fv_checkpoint_peek(&head, path_of("midway.h5"), &testing_err);
        assert_int_equal(status, gradients ? FV_OK : FV_ERR_FORMAT);
        if (status == FV_OK) assert_int_equal(head.update_freq, 2);
        if (status == FV_OK) fv_checkpoint_head_deinit(&head);
        close_state(&a);
    }
}

/* Files of before there were averages can be resumed from. */
static void test_version_1(void **unused)
{
    (void)unused;
    static const char *const longs[] = {
        "class_num", "seed",  "batch_size", "samples", "step",
        "epoch",     "batch", "images",     "correct", "best_epoch"
    };
    static const char *const doubles[] = { "loss_sum", "best_top1", "seconds" };
    fv_h5_writer *w = NULL;
    fv_checkpoint_head head;
    assert_ok(fv_h5_create(&w, path_of("old.h5"), &testing_err));
    assert_ok(fv_h5_write_long(w, "format_version", 1, &testing_err));
    for (size_t i = 0; i < FV_ARRAY_LEN(longs); i++)
        assert_ok(fv_h5_write_long(w, longs[i], 3, &testing_err));
    for (size_t i = 0; i < FV_ARRAY_LEN(doubles); i++)
        assert_ok(fv_h5_write_double(w, doubles[i], 0.5, &testing_err));
    assert_ok(fv_h5_write_text(w, "arch", "DLA34", &testing_err));
    assert_ok(fv_h5_write_text(w, "config", "{}", &testing_err));
    assert_ok(fv_h5_commit(w, &testing_err));
    assert_ok(fv_checkpoint_peek(&head, path_of("old.h5"), &testing_err));
    assert_int_equal(head.progress.step, 3);
    assert_int_equal(head.update_freq, 1);
    assert_true(head.progress.record == -1.0);
    assert_int_equal(head.progress.stale, 0);
    fv_checkpoint_head_deinit(&head);
}

/* It is a file of weights as well, with what prediction wants to know. */
static void test_weights_can_be_read(void **unused)
{
    (void)unused;
    state a, b;
    open_state(&a, MOMENTUM, "values");
    open_state(&b, MOMENTUM, NULL);
    assert_ok(save(&a, path_of("weights.h5")));
    fv_load_report report;
    const fv_load_options options = { 0 };
    assert_ok(fv_weights_load(path_of("weights.h5"), b.params, &options, &report, &testing_err));
    assert_int_equal(report.matched, 2);
    assert_int_equal(fv_params_checksum(a.params), fv_params_checksum(b.params));

    fv_tensors *file;
    assert_ok(fv_tensors_open(&file, path_of("weights.h5"), &testing_err));
    assert_string_equal(fv_tensors_meta(file, "classes"), "cat\ndog");
    assert_string_equal(fv_tensors_meta(file, "preprocess"), "decode(pillow)");
    assert_string_equal(fv_tensors_meta(file, "arch"), "MobileNetV2");
    fv_tensors_close(file);
    close_state(&a);
    close_state(&b);
}

static void test_optimizer_without_state(void **unused)
{
    (void)unused;
    state a;
    open_state(&a, "{name: SGD}", "values");
    assert_int_equal(fv_optimizer_slot_count(a.optimizer), 0);
    assert_ok(save(&a, path_of("sgd.h5")));
    assert_ok(load(&a, path_of("sgd.h5")));
    close_state(&a);
}

static void test_other_tensors_are_refused(void **unused)
{
    (void)unused;
    state a, b;
    char message[512];
    open_state(&a, MOMENTUM, "values");
    open_state(&b, MOMENTUM, NULL);
    static const int vector[] = { 3 };
    fv_param *p;
    assert_ok(
        fv_params_get(b.params, "more", FV_BIAS, 1, vector, (fv_init){ 0 }, &p, &testing_err));
    assert_ok(save(&a, path_of("few.h5")));
    assert_int_equal(load(&b, path_of("few.h5")), FV_ERR_FORMAT);
    snprintf(message, sizeof(message), "%s: model holds 2 tensors, this run has 3",
             path_of("few.h5"));
    assert_string_equal(testing_err.message, message);
    close_state(&a);
    close_state(&b);
}

static void test_weights_alone_are_no_checkpoint(void **unused)
{
    (void)unused;
    state a;
    char message[512];
    fv_checkpoint_head head;
    open_state(&a, MOMENTUM, "values");
    assert_ok(fv_weights_save(path_of("plain.h5"), a.params, &testing_err));
    assert_int_equal(fv_checkpoint_peek(&head, path_of("plain.h5"), &testing_err), FV_ERR_FORMAT);
    snprintf(message, sizeof(message),
             "%s: not a checkpoint of a run; to start from its weights use "
             "Global.pretrained_model",
             path_of("plain.h5"));
    assert_string_equal(testing_err.message, message);
    close_state(&a);
}

static void test_impossible_position(void **unused)
{
    (void)unused;
    state a;
    char message[512];
    fv_checkpoint_head head;
    fv_progress wrong = progress;
    wrong.correct = wrong.images + 1;
    open_state(&a, MOMENTUM, "values");
    const fv_run_state all = learned(&a);
    assert_ok(
        fv_checkpoint_save(path_of("odd.h5"), &identity, &wrong, &all, a.options, &testing_err));
    assert_int_equal(fv_checkpoint_peek(&head, path_of("odd.h5"), &testing_err), FV_ERR_FORMAT);
    snprintf(message, sizeof(message), "%s: the position it gives is impossible",
             path_of("odd.h5"));
    assert_string_equal(testing_err.message, message);
    close_state(&a);
}

/* A bad model must not replace a good one. */
static void test_not_finite_is_not_saved(void **unused)
{
    (void)unused;
    state a;
    char message[512];
    fv_checkpoint_head head;
    open_state(&a, MOMENTUM, "values");
    assert_ok(save(&a, path_of("good.h5")));
    fv_params_at(a.params, 1)->value[2] = NAN;
    assert_int_equal(save(&a, path_of("good.h5")), FV_ERR_NUMERIC);
    snprintf(message, sizeof(message), "%s: not written: a/b._mean is not finite",
             path_of("good.h5"));
    assert_string_equal(testing_err.message, message);
    fv_params_at(a.params, 1)->value[2] = 0.0f;
    fv_optimizer_slot_at(a.optimizer, 0).data[53] = INFINITY;
    assert_int_equal(save(&a, path_of("good.h5")), FV_ERR_NUMERIC);
    snprintf(message, sizeof(message), "%s: not written: velocity/a.weight is not finite",
             path_of("good.h5"));
    assert_string_equal(testing_err.message, message);
    assert_ok(fv_checkpoint_peek(&head, path_of("good.h5"), &testing_err));
    fv_checkpoint_head_deinit(&head);
    close_state(&a);
}

/* A file that may not grow stands for a full disk. */
static void test_full_disk_keeps_the_old_file(void **unused)
{
    (void)unused;
    state a, b;
    open_state(&a, MOMENTUM, "values");
    open_state(&b, MOMENTUM, NULL);
    assert_ok(save(&a, path_of("disk.h5")));
    const uint32_t before = fv_params_checksum(a.params);

    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){ .rlim_cur = 1000, .rlim_max = limit.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    testing_fill("other", fv_params_at(a.params, 0)->value, 54);
    const fv_status status = save(&a, path_of("disk.h5"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, FV_ERR_IO);

    assert_ok(load(&b, path_of("disk.h5")));
    assert_int_equal(fv_params_checksum(b.params), before);
    close_state(&a);
    close_state(&b);
}

static void test_allocations_may_fail(void **unused)
{
    (void)unused;
    state a;
    fv_checkpoint_head head;
    open_state(&a, MOMENTUM, "values");
    assert_ok(save(&a, path_of("memory.h5")));
    for (size_t n = 1; n < 50; n++) {
        fv_alloc_fail_at(n);
        const fv_status saved = save(&a, path_of("memory.h5"));
        fv_alloc_fail_at(n);
        const fv_status peeked = fv_checkpoint_peek(&head, path_of("memory.h5"), &testing_err);
        if (peeked == FV_OK) fv_checkpoint_head_deinit(&head);
        fv_alloc_fail_at(n);
        const fv_status loaded = load(&a, path_of("memory.h5"));
        fv_alloc_fail_at(0);
        if (n == 1) {
            assert_int_equal(saved, FV_ERR_NOMEM);
            assert_int_equal(peeked, FV_ERR_NOMEM);
            assert_int_equal(loaded, FV_ERR_NOMEM);
        }
    }
    assert_ok(save(&a, path_of("memory.h5")));
    close_state(&a);
}

static void test_find(void **unused)
{
    (void)unused;
    static const char *const one[] = { ".h5", NULL }, *const two[] = { ".h5", ".safetensors",
                                                                       NULL };
    char out[512], message[512];
    assert_ok(fv_file_write(path_of("name.h5"), "x", 1, &testing_err));
    assert_ok(fv_checkpoint_find(out, sizeof(out), path_of("name"), one, "key", &testing_err));
    assert_string_equal(out, path_of("name.h5"));
    assert_ok(fv_checkpoint_find(out, sizeof(out), path_of("name.h5"), one, "key", &testing_err));
    assert_string_equal(out, path_of("name.h5"));

    assert_int_equal(
        fv_checkpoint_find(out, sizeof(out), path_of("none"), two, "key", &testing_err), FV_ERR_IO);
    snprintf(message, sizeof(message), "key: %s: no such file, with or without .h5 or .safetensors",
             path_of("none"));
    assert_string_equal(testing_err.message, message);
    assert_int_equal(
        fv_checkpoint_find(out, sizeof(out), "https://x/y.pdparams", one, "key", &testing_err),
        FV_ERR_CONFIG);
    assert_string_equal(testing_err.message,
                        "key: https://x/y.pdparams: files are not downloaded, give a path");
    assert_int_equal(fv_checkpoint_find(out, 5, path_of("name"), one, "key", &testing_err),
                     FV_ERR_IO);
}

/* The CRC-32 of "123456789" is known to be cbf43926. */
static void test_checksum(void **unused)
{
    (void)unused;
    static const int one[] = { 1 };
    fv_params *params;
    fv_param *p;
    assert_ok(fv_params_create(&params, 0, &testing_err));
    assert_int_equal(fv_params_checksum(params), 0);
    assert_ok(fv_params_get(params, "12345", FV_BIAS, 1, one, (fv_init){ 0 }, &p, &testing_err));
    memcpy(p->value, "6789", 4);
    assert_int_equal(fv_params_checksum(params), 0xcbf43926);
    fv_params_destroy(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_comes_back),
        cmocka_unit_test(test_averages_and_gradients),
        cmocka_unit_test(test_gradients_and_position),
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_weights_can_be_read),
        cmocka_unit_test(test_optimizer_without_state),
        cmocka_unit_test(test_other_tensors_are_refused),
        cmocka_unit_test(test_weights_alone_are_no_checkpoint),
        cmocka_unit_test(test_impossible_position),
        cmocka_unit_test(test_not_finite_is_not_saved),
        cmocka_unit_test(test_full_disk_keeps_the_old_file),
        cmocka_unit_test(test_allocations_may_fail),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
