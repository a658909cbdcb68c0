/* SPDX-License-Identifier: Apache-2.0 */
/* The recipes in configs/ against PaddleClas's table of them. */
#include "testing_config.h"

#include "base/compiler.h"
#include "train/settings.h"

/* Of one process, so batches and rates are those of PaddleClas's four together. */
typedef struct recipe {
    const char *family, *model, *epochs, *batch, *rate, *warmup, *decay, *epsilon;
    int mixup; /* 1: Mixup with alpha 0.2, and no training metric */
    const char *size, *short_side;
} recipe;

#define INCEPTION(model, epochs, mixup) \
    XCEPTION_OF("Inception", model, epochs, "256", "0.045", mixup)
#define XCEPTION(model, epochs, mixup) XCEPTION_OF("Xception", model, epochs, "256", "0.045", mixup)
#define XCEPTION_OF(family, model, epochs, batch, rate, mixup) \
    { \
        family, model, epochs, batch, rate, NULL, "1e-4", "0.1", mixup, "299", "320" \
    }
#define MOBILENET(model, decay) \
    { \
        "MobileNetV2", model, "240", "256", "0.045", NULL, decay, NULL, 0, "224", "256" \
    }
#define RES2NET(model) \
    { \
        "Res2Net", model, "200", "256", "0.1", NULL, "1e-4", "0.1", 1, "224", "256" \
    }
#define DLA(model) \
    { \
        "DLA", model, "120", "256", NULL, NULL, "1e-4", NULL, 0, "224", "256" \
    }
#define SSLD(family, model, epochs, batch, rate, decay) \
    { \
        family, model, epochs, batch, rate, NULL, decay, NULL, 0, "224", "256" \
    }

/* clang-format off */
static const recipe recipes[] = {
    { "Inception", "GoogLeNet", "200", "256", "0.01", "5", "1e-4", NULL, 0, "224", "256" },
    INCEPTION("InceptionV3", "200", 1),
    INCEPTION("InceptionV4", "200", 1),
    XCEPTION("Xception41", "120", 0),
    XCEPTION("Xception41_deeplab", "120", 0),
    XCEPTION("Xception65", "200", 1),
    XCEPTION("Xception65_deeplab", "120", 0),
    XCEPTION_OF("Xception", "Xception71", "200", "128", "0.0225", 1),
    MOBILENET("MobileNetV2_x0_25", "3e-5"),
    MOBILENET("MobileNetV2_x0_5", "3e-5"),
    MOBILENET("MobileNetV2_x0_75", "4e-5"),
    MOBILENET("MobileNetV2", "4e-5"),
    MOBILENET("MobileNetV2_x1_5", "4e-5"),
    MOBILENET("MobileNetV2_x2_0", "4e-5"),
    RES2NET("Res2Net50_26w_4s"),
    RES2NET("Res2Net50_14w_8s"),
    RES2NET("Res2Net50_vd_26w_4s"),
    RES2NET("Res2Net101_vd_26w_4s"),
    RES2NET("Res2Net200_vd_26w_4s"),
    DLA("DLA34"), DLA("DLA46_c"), DLA("DLA46x_c"), DLA("DLA60"), DLA("DLA60x"), DLA("DLA60x_c"),
    DLA("DLA102"), DLA("DLA102x"), DLA("DLA102x2"), DLA("DLA169"),
    SSLD("MobileNetV2", "MobileNetV2_ssld", "30", "3072", "0.0054", "1e-5"),
    SSLD("Res2Net", "Res2Net50_vd_26w_4s_ssld", "60", "1024", "0.004", "4e-5"),
    SSLD("Res2Net", "Res2Net101_vd_26w_4s_ssld", "60", "1024", "0.004", "4e-5"),
    SSLD("Res2Net", "Res2Net200_vd_26w_4s_ssld", "60", "1024", "0.004", "4e-5"),
};
/* clang-format on */

static fv_config *load(const recipe *r)
{
    char path[256];
    fv_config *config = NULL;
    snprintf(path, sizeof(path), "../configs/%s/%s.yaml", r->family, r->model);
    assert_ok(fv_config_load(&config, path, &testing_err));
    return config;
}

/* Both NULL, or the same text. */
static void check(const recipe *r, fv_config *config, const char *path, const char *expected)
{
    const char *got = config_text(config, path);
    if (!got != !expected || (got && strcmp(got, expected) != 0))
        fail_msg("%s: %s is %s, not %s", r->model, path, got ? got : "absent",
                 expected ? expected : "absent");
}

static void check_loss(const recipe *r, fv_config *config)
{
    const bool three = strcmp(r->model, "GoogLeNet") == 0;
    check(r, config, three ? "Loss.Train.0.GoogLeNetLoss.weight" : "Loss.Train.0.CELoss.weight",
          "1.0");
    check(r, config, three ? "Loss.Eval.0.GoogLeNetLoss.weight" : "Loss.Eval.0.CELoss.weight",
          "1.0");
    check(r, config, "Loss.Train.0.CELoss.epsilon", r->epsilon);
    check(r, config, "Loss.Eval.0.CELoss.epsilon", NULL); /* reported as it is */
    fv_config_node *metric = fv_config_child(fv_config_root(config), "Metric");
    fv_config_node *train = fv_config_child(metric, "Train"),
                   *eval = fv_config_child(metric, "Eval");
    const char *topk = three ? "GoogLeNetTopkAcc" : "TopkAcc";
    assert_true(!train == (r->mixup != 0)); /* accuracy on mixed labels means nothing */
    if (train) assert_non_null(fv_config_child(fv_config_at(train, 0), topk));
    assert_non_null(fv_config_child(fv_config_at(eval, 0), topk));
}

static void check_optimizer(const recipe *r, fv_config *config)
{
    check(r, config, "Optimizer.name", "Momentum");
    check(r, config, "Optimizer.momentum", "0.9");
    check(r, config, "Optimizer.regularizer.name", "L2");
    check(r, config, "Optimizer.regularizer.coeff", r->decay);
    check(r, config, "Optimizer.lr.name", r->rate ? "Cosine" : "Piecewise");
    check(r, config, "Optimizer.lr.learning_rate", r->rate);
    check(r, config, "Optimizer.lr.warmup_epoch", r->warmup);
    static const char *const values[] = { "0.1", "0.01", "0.001", "0.0001" };
    for (int i = 0; i < 4 && !r->rate; i++) {
        char path[64];
        snprintf(path, sizeof(path), "Optimizer.lr.values.%d", i);
        check(r, config, path, values[i]);
    }
    if (!r->rate) check(r, config, "Optimizer.lr.decay_epochs.2", "90");
}

static void check_data(const recipe *r, fv_config *config)
{
#define TRAIN "DataLoader.Train.dataset."
#define EVAL  "DataLoader.Eval.dataset."
    check(r, config, "DataLoader.Train.sampler.batch_size", r->batch);
    check(r, config, "DataLoader.Train.sampler.shuffle", "True");
    check(r, config, "DataLoader.Eval.sampler.shuffle", "False");
    check(r, config, TRAIN "transform_ops.1.RandCropImage.size", r->size);
    check(r, config, TRAIN "transform_ops.2.RandFlipImage.flip_code", "1");
    check(r, config, TRAIN "batch_transform_ops.0.MixupOperator.alpha", r->mixup ? "0.2" : NULL);
    check(r, config, EVAL "transform_ops.1.ResizeImage.resize_short", r->short_side);
    check(r, config, EVAL "transform_ops.2.CropImage.size", r->size);
    check(r, config, EVAL "transform_ops.3.NormalizeImage.scale", "1.0/255.0");
}

static void test_recipes(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(recipes); i++) {
        const recipe *r = &recipes[i];
        fv_config *config = load(r);
        check(r, config, "Global.epochs", r->epochs);
        check_loss(r, config);
        check_optimizer(r, config);
        check_data(r, config);
        fv_config_destroy(config);
    }
}

/* Whole and strict, with the weights of the _ssld ones given. */
static void test_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(recipes); i++) {
        const recipe *r = &recipes[i];
        fv_config *config = load(r);
        fv_settings s;
        char arch[64];
        const bool ssld = strstr(r->model, "_ssld") != NULL;
        snprintf(arch, sizeof(arch), "%.*s", (int)(strlen(r->model) - (ssld ? 5 : 0)), r->model);
        if (ssld) {
            check(r, config, "Arch.use_ssld", "True");
            assert_int_equal(fv_settings_read(&s, config, &testing_err), FV_ERR_CONFIG);
            assert_non_null(strstr(testing_err.message,
                                   "Arch.pretrained: weights are not downloaded: give the path of "
                                   "a file instead of True"));
            assert_ok(fv_config_set(config, "Arch.pretrained=a.h5", &testing_err));
        }
        assert_ok(fv_settings_read(&s, config, &testing_err));
        assert_ptr_equal(s.arch.model, fv_model_find(arch));
        assert_int_equal(s.class_num, 1000);
        if (ssld) assert_string_equal(s.arch.weights, "a.h5");
        fv_config_destroy(config);
    }
}

static void test_every_model_has_one(void **state)
{
    (void)state;
    for (int i = 0; fv_model_at(i); i++) {
        int found = 0;
        for (size_t k = 0; k < FV_ARRAY_LEN(recipes); k++)
            found += strcmp(recipes[k].model, fv_model_at(i)->name) == 0;
        assert_int_equal(found, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_every_model_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
