/* SPDX-License-Identifier: Apache-2.0 */
/* One member of each family at work: batches, dropout, copies, memory that runs out. What the
 * models compute is compared by tests/conformance.c. */
#include "model_testing.h"

#include "base/threads.h"

#include <math.h>

/* The same picture gives the same bits alone and among others; outputs differ from each other. */
static void test_batches(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(members); i++) {
        subject s;
        open_subject(&s, members[i].name, CLASSES);
        const fv_shape five = { 5, members[i].height, members[i].width, 3 };
        const fv_shape one = { 1, five.h, five.w, 3 };
        float *images = random_images(five), all[MAX_LOGITS] = { 0 }, alone[MAX_LOGITS];
        run(&s, FV_EVAL, five, images, all);
        for (int n = 0; n < five.n; n++) {
            memset(alone, 0, sizeof(alone));
            run(&s, FV_EVAL, one, images + (size_t)n * (size_t)(five.h * five.w * 3), alone);
            for (int o = 0; o < members[i].outputs; o++) {
                const float *expected = all + (o * five.n + n) * CLASSES;
                if (memcmp(alone + o * CLASSES, expected, CLASSES * sizeof(float)) != 0)
                    fail_msg("%s: image %d differs alone", members[i].name, n);
                assert_true(isfinite(expected[0]) && expected[0] != 0.0f);
                if (o > 0) assert_true(alone[o * CLASSES] != alone[(o - 1) * CLASSES]);
            }
        }
        assert_true(alone[members[i].outputs * CLASSES] == 0.0f); /* and no more outputs */
        fv_free(images);
        close_subject(&s);
    }
}

/* ---- Dropout ---- */

/* The classifiers become sums of features, and the hidden features of GoogLeNet's heads
 * positive. */
static void set_sums(subject *s)
{
    for (int i = 0; i < fv_params_count(s->params); i++) {
        fv_param *p = fv_params_at(s->params, i);
        const bool hidden = begins(p->name, "_fc_o1.bias") || begins(p->name, "_fc_o2.bias");
        const bool classifier = is_of_head(s->model, p->name) && p->role != FV_BIAS;
        for (size_t k = 0; k < p->count && (hidden || classifier); k++)
            p->value[k] = hidden ? 10.0f : 1.0f;
    }
    fv_params_touch(s->params);
}

/* The share of each output that dropout leaves. */
static void measure_kept(subject *s, fv_mode mode, fv_shape images, const float *data, int outputs,
                         double kept[])
{
    float logits[2][MAX_LOGITS];
    for (int skip = 0; skip < 2; skip++) {
        s->skip_dropout = skip;
        fv_program_destroy(s->program);
        s->program = NULL;
        assert_ok(
            fv_program_create(&s->program, s->params, &s->kernels, build, s, 5, &testing_err));
        run(s, mode, images, data, logits[skip]);
    }
    for (int o = 0; o < outputs; o++) {
        const int at = o * images.n * CLASSES;
        kept[o] = (double)logits[0][at] / (double)logits[1][at];
    }
}

/* Evaluation multiplies by 1 - p; training only drops, which leaves 1 - p on average. */
static void test_dropout(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double kept[3]; /* 1 - p of each output */
    } expected[] = { { "GoogLeNet", { 0.6, 0.3, 0.3 } },
                     { "InceptionV3", { 0.8 } },
                     { "InceptionV4", { 0.8 } },
                     { "Xception41", { 1.0 } },
                     { "Xception41_deeplab", { 0.5 } },
                     { "MobileNetV2_x0_25", { 1.0 } },
                     { "Res2Net50_vd_26w_4s", { 1.0 } },
                     { "Res2Net50_14w_8s", { 1.0 } },
                     { "DLA46x_c", { 1.0 } } };
    for (size_t i = 0; i < FV_ARRAY_LEN(members); i++) {
        subject s;
        const fv_shape images = { 2, members[i].height, members[i].width, 3 };
        float *data = random_images(images);
        assert_string_equal(members[i].name, expected[i].name);
        open_subject(&s, members[i].name, CLASSES);
        assert_ok(capture(&s, images.h, images.w, NULL, NULL));
        set_sums(&s);
        for (int m = 0; m < 2; m++) {
            const fv_mode mode = m == 0 ? FV_EVAL : FV_TRAIN;
            double kept[3] = { 0 };
            measure_kept(&s, mode, images, data, members[i].outputs, kept);
            for (int o = 0; o < members[i].outputs; o++) {
                const double want = expected[i].kept[o];
                if (!(fabs(kept[o] - want) < (mode == FV_EVAL || want == 1.0 ? 1e-4 : 0.06)))
                    fail_msg("%s: output %d in mode %d: %g is kept, not %g", members[i].name, o, m,
                             kept[o], want);
            }
        }
        fv_free(data);
        close_subject(&s);
    }
}

/* ---- Image sizes ---- */

static void test_inception_v3_computes_at_its_sizes(void **state)
{
    (void)state;
    static const int sizes[] = { 299, 224, 128 };
    subject s;
    open_subject(&s, "InceptionV3", CLASSES);
    for (size_t i = 0; i < FV_ARRAY_LEN(sizes); i++) {
        const fv_shape images = { 1, sizes[i], sizes[i], 3 };
        float *data = random_images(images), logits[CLASSES] = { 0 };
        run(&s, FV_EVAL, images, data, logits);
        for (int c = 0; c < CLASSES; c++) assert_true(isfinite(logits[c]) && logits[c] != 0.0f);
        fv_free(data);
    }
    close_subject(&s);
}

/* ---- Memory ---- */

/* Res2Net's last split is a part of a convolution's output and of a concatenation; where the block
 * does not stride it must be copied: one split of every block but the first of stages 2 to 4. */
static size_t expected_copies(const char *name)
{
    size_t floats = 0;
    if (!begins(name, "Res2Net")) return 0;
    static const int depths[][4] = { { 3, 4, 6, 3 }, { 3, 4, 23, 3 }, { 3, 12, 48, 3 } };
    const int width = strstr(name, "14w") ? 14 : 26;
    const int *depth = depths[begins(name, "Res2Net200") ? 2 : begins(name, "Res2Net101")];
    for (int stage = 0; stage < 4; stage++) {
        const int side = 56 >> stage, blocks = depth[stage] - (stage > 0);
        floats += (size_t)(blocks * (width << stage) * side * side);
    }
    return floats * sizeof(float);
}

static void test_concatenations_are_views(void **state)
{
    (void)state;
    const fv_model *model;
    for (int i = 0; (model = fv_model_at(i)); i++) {
        subject s;
        fv_plan *plan;
        const fv_bindings *b;
        open_subject(&s, model->name, CLASSES);
        assert_ok(fv_program_plan(s.program, FV_EVAL, (fv_shape){ 1, 224, 224, 3 }, &plan, &b,
                                  &testing_err));
        assert_int_equal(fv_plan_bytes_copied(plan), expected_copies(model->name));
        close_subject(&s);
    }
}

/* Every allocation of a capture fails once. The parameters made before stay, so each try gets
 * further. */
static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(members); i++) {
        subject s, whole;
        open_subject(&s, members[i].name, CLASSES);
        open_subject(&whole, members[i].name, CLASSES);
        fv_status status = FV_ERR_NOMEM;
        for (size_t n = 1; status != FV_OK; n++) {
            fv_alloc_fail_at(n);
            status = capture(&s, members[i].height, members[i].width, NULL, NULL);
            fv_alloc_fail_at(0);
            if (status != FV_OK) assert_int_equal(status, FV_ERR_NOMEM);
        }
        assert_ok(capture(&whole, members[i].height, members[i].width, NULL, NULL));
        assert_int_equal(fv_params_count(s.params), fv_params_count(whole.params));
        for (int j = 0; j < fv_params_count(s.params); j++) {
            const fv_param *p = fv_params_at(s.params, j), *q = fv_params_at(whole.params, j);
            assert_string_equal(p->name, q->name);
            assert_memory_equal(p->value, q->value, p->count * sizeof(float));
        }
        close_subject(&s);
        close_subject(&whole);
    }
}

int main(void)
{
    fv_threads_choice threads;
    fv_threads_choose(0, &threads);
    fv_threads_set(threads.count);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_inception_v3_computes_at_its_sizes),
        cmocka_unit_test(test_concatenations_are_views),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
