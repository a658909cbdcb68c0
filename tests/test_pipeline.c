/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "pipeline_testing.h"

#include "base/compiler.h"

static void test_describe(void **state)
{
    (void)state;
    run *r = malloc(sizeof(*r));
    assert_ok(try_open(
        r, "- DecodeImage: {backend: pil, to_rgb: False}\n"
           "- RandCropImage: {size: [32, 24], use_log_aspect: True}\n"
           "- RandFlipImage:\n- ResizeImage: {size: 20, interpolation: box, backend: pil}\n"
           "- CropImage: {size: 16}\n- NormalizeImage: {mean: 0.5, std: 0.25}\n"
           "- ToCHWImage:\n"));
    char *text = fv_pipeline_describe(r->pipeline);
    assert_string_equal(text,
                        "decode(pillow,bgr) rand_crop(32x24,scale 0.08:1,ratio 0.75:1.33333,log,"
                        "bilinear,opencv) rand_flip(1) resize(20,box,pillow) crop(16) normalize("
                        "0.00392156886,mean 0.5:0.5:0.5,std 0.25:0.25:0.25)");
    fv_free(text);
    close_run(r);

    free(r);
}

/* The same line as from a config, so that the two can be compared. */
static void test_describe_eval(void **state)
{
    (void)state;
    static run r;
    for (int torchvision = 0; torchvision < 2; torchvision++) {
        const fv_pipeline_options options = { .profile = FV_PILLOW,
                                              .filter = FV_BILINEAR,
                                              .torchvision = torchvision,
                                              .resize_short = 256,
                                              .crop = 224,
                                              .mean = { 0.5f, 0.5f, 0.5f },
                                              .std = { 0.5f, 0.5f, 0.5f } };
        fv_pipeline *eval = NULL;
        assert_ok(fv_pipeline_create_eval(&eval, &options, &testing_err));
        assert_true(fv_pipeline_is_fixed(eval));
        const char *rounding = torchvision ? "torchvision" : "paddle";
        char ops[512];
        snprintf(
            ops, sizeof(ops),
            "- DecodeImage: {backend: pil}\n"
            "- ResizeImage: {resize_short: 256, backend: pil, rounding: %s}\n"
            "- CropImage: {size: 224, rounding: %s}\n- NormalizeImage: {mean: 0.5, std: 0.5}\n",
            rounding, rounding);
        assert_ok(try_open(&r, ops));
        char *text = fv_pipeline_describe(eval), *again = fv_pipeline_describe(r.pipeline);
        assert_string_equal(text, again);
        assert_int_equal(strstr(text, "crop(224,torchvision)") != NULL, torchvision);
        fv_free(text);
        fv_free(again);
        fv_pipeline_destroy(eval);
        close_run(&r);
    }
}

static const struct {
    const char *ops, *message;
} mistakes[] = {
    { "- DecodImage: {}\n",
      "a.yaml:2:3: ops.0: unknown operation DecodImage, did you mean \"DecodeImage\"?" },
    { "- DecodeImage:\n- AugMix: {}\n",
      "a.yaml:3:3: ops.1: AugMix is PaddleClas's and not supported here" },
    { "- DecodeImage:\n- Cutout: {length: 3}\n",
      "a.yaml:3:3: ops.1: Cutout must come after NormalizeImage" },
    { "- CropImage: {size: 3}\n",
      "a.yaml:2:3: ops.0: DecodeImage must be the first operation, and only that" },
    { "- DecodeImage:\n- DecodeImage:\n",
      "a.yaml:3:3: ops.1: DecodeImage must be the first operation, and only that" },
    { "- DecodeImage:\n- CropImage: {size: 3}\n", "a.yaml:1:1: ops: NormalizeImage is missing" },
    { "- DecodeImage:\n- ResizeImage: {resize_short: 3}\n- NormalizeImage: {}\n",
      "a.yaml:4:3: ops.2.NormalizeImage: the pictures still differ in size here: put "
      "CropImage,"
      " or ResizeImage with size, before" },
    { "- DecodeImage:\n- CropImage: {size: 3}\n- NormalizeImage:\n- RandFlipImage:\n",
      "a.yaml:5:3: ops.3: RandFlipImage must come before NormalizeImage" },
    { "- DecodeImage:\n- CropImage: {size: 3}\n- NormalizeImage: {}\n- NormalizeImage: {}\n",
      "a.yaml:5:3: ops.3.NormalizeImage: must be given once only" },
    { "- DecodeImage\n", "a.yaml:2:3: ops.0: must be one operation, \"- Name: {options}\"" },
    { "- DecodeImage: {channel_first: True}\n",
      "a.yaml:2:17: ops.0.DecodeImage.channel_first: must be False: pictures are rows of pixels"
      " here" },
    { "- DecodeImage: {backend: gd}\n",
      "a.yaml:2:17: ops.0.DecodeImage.backend: expected one of pil, cv2, got \"gd\"" },
    { "- DecodeImage:\n- CropImage: {}\n", "a.yaml:3:3: ops.1.CropImage.size: must be given" },
    { "- DecodeImage:\n- CropImage: {size: 2.5}\n",
      "a.yaml:3:15: ops.1.CropImage.size: must be one whole number or [width, height]" },
    { "- DecodeImage:\n- CropImage: {size: [1, 2, 3]}\n",
      "a.yaml:3:15: ops.1.CropImage.size: must be one whole number or [width, height]" },
    { "- DecodeImage:\n- CropImage: {size: 0}\n",
      "a.yaml:3:15: ops.1.CropImage.size: 0 is outside [1, 16384]" },
    { "- DecodeImage:\n- ResizeImage: {size: 9}\n- CropImage: {size: 10}\n",
      "a.yaml:4:15: ops.2.CropImage.size: 10 x 10 is larger than the picture, 9 x 9 by then" },
    { "- DecodeImage:\n- ResizeImage: {backend: pil}\n",
      "a.yaml:3:3: ops.1.ResizeImage: needs size or resize_short" },
    { "- DecodeImage:\n- ResizeImage: {size: 8, interpolation: box}\n",
      "a.yaml:3:26: ops.1.ResizeImage.interpolation: backend cv2 has no \"box\"" },
    { "- DecodeImage:\n- RandCropImage: {size: 8, scale: [1, 0.5]}\n",
      "a.yaml:3:28: ops.1.RandCropImage.scale: must be [smallest, largest]" },
    { "- DecodeImage:\n- RandFlipImage: {flip_code: 2}\n",
      "a.yaml:3:19: ops.1.RandFlipImage.flip_code: 2 is outside [-1, 1]" },
    { "- DecodeImage:\n- CropImage: {size: 3}\n- NormalizeImage: {mean: [1, 2]}\n",
      "a.yaml:4:20: ops.2.NormalizeImage.mean: must be one number or three, not 2" },
    { "- DecodeImage: {dct_scaling: True}\n- ResizeImage: {size: 3}\n- NormalizeImage:\n",
      "a.yaml:2:17: ops.0.DecodeImage.dct_scaling: is for training: nothing here is random" },
};

static void test_errors(void **state)
{
    (void)state;
    run *r = malloc(sizeof(*r));
    for (size_t i = 0; i < FV_ARRAY_LEN(mistakes); i++) {
        config_expect_error(try_open(r, mistakes[i].ops), mistakes[i].message);
        assert_null(r->pipeline);
        close_run(r);
    }
    fv_pipeline *p = NULL;
    config_expect_error(fv_pipeline_create(&p, NULL, "Train", &testing_err),
                        "Train: transform_ops: missing: a list of operations is needed");
    fv_pipeline_options options = { .profile = FV_PILLOW, .filter = FV_BILINEAR };
    config_expect_error(fv_pipeline_create_eval(&p, &options, &testing_err),
                        "pipeline: crop 0, resize_short 0: a crop of 1 to 16384 pixels is needed,"
                        " and resize_short no larger");
    options.crop = 9;
    options.filter = FV_AREA;
    config_expect_error(fv_pipeline_create_eval(&p, &options, &testing_err),
                        "pipeline: profile pillow has no filter area");
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_describe_eval),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
