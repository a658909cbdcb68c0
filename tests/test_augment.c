/* SPDX-License-Identifier: Apache-2.0 */
/* What is drawn, and with which chances; test_pixels.c has what is done to pixels. */
#include "testing.h"

#include "augment_testing.h"

/* ---- All of them ---- */

static const struct {
    const char *before, *after, *line;
} all[] = {
    { "- ColorJitter: {brightness: 0.4, contrast: [0.5, 1.2], saturation: 0.4, hue: 0.1}\n", "",
      "color_jitter(1,0.6:1.4,0.5:1.2,0.6:1.4,-0.1:0.1)" },
    { "- RandomGrayscale: {p: 0.5}\n", "", "random_grayscale(0.5)" },
    { "- PCALighting:\n", "", "pca_lighting(0.1)" },
    { "- RandomRotation: {degrees: 30, interpolation: bilinear, fill: [1, 2, 3]}\n", "",
      "random_rotation(0.5,-30:30,bilinear,fill 1:2:3)" },
    { "- AutoAugment:\n", "", "auto_augment(imagenet,fill 128:128:128)" },
    { "- RandAugment: {num_layers: 3, magnitude: 7}\n", "", "rand_augment(3,7,fill 128:128:128)" },
    { "- TimmAutoAugment:\n", "", "timm(1,rand-m9-n2-mstd0.5-inc1,bicubic,fill 124:116:104)" },
    { "- TimmAutoAugment: {config_str: rand-n3-w0-m4, prob: 0.9, interpolation: random,"
      " img_size: 224, mean: 0.5}\n",
      "", "timm(0.9,rand-m4-n3-mstd0-inc0-w0,random,fill 128:128:128)" },
    { "", "- RandomErasing: {mode: pixel, use_log_aspect: True, sh: 1.0/3.0}\n",
      "random_erasing(0.5,area 0.02:0.333333,aspect 0.3:3.33333,log,pixel,mean 0:0:0)" },
    { "", "- Cutout: {n_holes: 2, length: 9, fill_value: [1, 2, 3]}\n", "cutout(2,9,fill 1:2:3)" },
    { "", "- GridMask: {d1: 8, d2: 20, rotate: 90, ramp_epochs: 0, prob: 0.8}\n",
      "grid_mask(0.8 over 0,8:20,rotate 90,ratio 0.5,mode 0)" },
    { "", "- HideAndSeek:\n", "hide_and_seek" },
};

/* The stream alone decides; scratches hold nothing over; the line tells the options. */
static void test_streams_decide(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(all); i++) {
        run *r = open_ops(all[i].before, all[i].after),
            *again = open_ops(all[i].before, all[i].after);
        assert_false(fv_pipeline_is_fixed(r->pipeline));
        char *line = fv_pipeline_describe(r->pipeline);
        if (!strstr(line, all[i].line)) fail_msg("%s: not in %s", all[i].line, line);
        fv_free(line);
        uint32_t crcs[24];
        int different = 0;
        for (uint64_t n = 0; n < 24; n++) {
            apply(r, n);
            crcs[n] = testing_crc32((const uint8_t *)r->out, sizeof(*r->out) * FLOATS);
            different += n > 0 && crcs[n] != crcs[n - 1];
        }
        assert_true(different > 5);
        for (uint64_t n = 24; n-- > 0;) {
            apply(again, n);
            assert_int_equal(testing_crc32((const uint8_t *)again->out, sizeof(*r->out) * FLOATS),
                             crcs[n]);
        }
        close_ops(r);
        close_ops(again);
    }
}

/* Before a crop and after a flip, operations see the pixels that will be seen. */
static void test_within_a_pipeline(void **state)
{
    (void)state;
    run *r = open_ops("- RandFlipImage:\n- ResizeImage: {size: 48, backend: pil}\n"
                      "- CropImage: {size: 41}\n- RandomGrayscale: {p: 1}\n",
                      "");
    run *other = open_ops("- RandomGrayscale: {p: 1}\n- RandFlipImage:\n", "");
    fv_picture gray = { 0 };
    testing_resize(&plain, SIDE, SIDE, FV_PILLOW, FV_BILINEAR, &gray);
    fv_pixels_grayscale(&gray);
    int mirrored = 0;
    for (uint64_t n = 0; n < 20; n++) {
        apply(r, n);
        for (int i = 0; i < FLOATS; i += 3)
            assert_true(r->out[i] == r->out[i + 1] && r->out[i] == r->out[i + 2]);
        apply(other, n);
        if (equals(other, &gray)) continue;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                assert_true(other->out[(y * SIDE + x) * 3] ==
                            (float)gray.data[(y * SIDE + SIDE - 1 - x) * 3]);
        mirrored++;
    }
    assert_true(mirrored > 3 && mirrored < 17);
    fv_picture_deinit(&gray);
    close_ops(r);
    close_ops(other);
}

/* Back to the bytes that came in, whatever the scale and the order of the channels. */
static void test_restore(void **state)
{
    (void)state;
    static const char *const ops[] = {
        BEFORE "- CropImage: {size: 40}\n- NormalizeImage:\n",
        "- DecodeImage: {backend: pil, to_rgb: False}\n- CropImage: {size: 40}\n"
        "- NormalizeImage: {scale: 0.1, mean: [1, 2, 3], std: [0.1, 0.2, 0.3]}\n"
    };
    uint8_t bytes[FLOATS];
    for (size_t i = 0; i < FV_ARRAY_LEN(ops); i++) {
        run *r = malloc(sizeof(*r));
        open_run(r, ops[i]);
        apply(r, 0);
        fv_pipeline_restore(r->pipeline, r->out, bytes);
        assert_memory_equal(bytes, plain.data, FLOATS);
        r->out[0] = 1e9f, r->out[1] = -1e9f, r->out[2] = (float)NAN;
        fv_pipeline_restore(r->pipeline, r->out, bytes);
        assert_int_equal(bytes[i ? 2 : 0], 255);
        assert_int_equal(bytes[1], 0);
        assert_int_equal(bytes[i ? 0 : 2], 0);
        close_ops(r);
    }
}

/* ---- Colours ---- */

static void test_jitter(void **state)
{
    (void)state;
    fv_picture p = { 0 };
    testing_resize(&plain, SIDE, SIDE, FV_PILLOW, FV_BILINEAR, &p);
    run *r = open_ops("- ColorJitter: {brightness: [1.5, 1.5], contrast: [0.5, 0.5]}\n", "");
    fv_pixels_brightness(&p, 1.5f);
    fv_pixels_contrast(&p, 0.5f);
    int first = 0;
    for (uint64_t n = 0; n < ROUNDS; n++) {
        apply(r, n);
        first += equals(r, &p);
    }
    assert_true(near_share(first, 0.5)); /* in either order */
    close_ops(r);
    r = open_ops("- ColorJitter: {prob: 0.25, hue: [0.5, 0.5]}\n", "");
    testing_resize(&plain, SIDE, SIDE, FV_PILLOW, FV_BILINEAR, &p);
    fv_pixels_hue(&p, 127);
    int turned = 0, same = 0;
    for (uint64_t n = 0; n < ROUNDS; n++) {
        apply(r, n);
        turned += equals(r, &p);
        same += equals(r, &plain);
    }
    assert_true(near_share(turned, 0.25));
    assert_int_equal(turned + same, ROUNDS);
    close_ops(r);
    r = open_ops("- ColorJitter: {brightness: 0, hue: 0}\n", "");
    apply(r, 1);
    assert_true(equals(r, &plain));
    close_ops(r);
    fv_picture_deinit(&p);
}

/* One colour for the whole picture; its deviation is that of the components. */
static void test_lighting(void **state)
{
    (void)state;
    double squares[3] = { 0.0 };
    run *r = open_ops("- PCALighting: {alphastd: 0.2}\n", "");
    for (uint64_t n = 0; n < ROUNDS; n++) {
        apply(r, n);
        for (int c = 0; c < 3; c++) {
            const double first = (double)r->out[c] - plain.data[c];
            for (int i = c; i < FLOATS; i += 3)
                assert_true(fabs((double)r->out[i] - plain.data[i] - first) < 1e-3);
            squares[c] += first * first;
        }
    }
    const double red = 255.0 * 0.2 * hypot(0.5675 * 0.2175, 0.7192 * 0.0188);
    assert_true(fabs(sqrt(squares[0] / ROUNDS) / red - 1.0) < 0.1);
    close_ops(r);
}

static void test_rotation(void **state)
{
    (void)state;
    fv_picture turned = { 0 };
    fv_warp w = { .filter = FV_BICUBIC, .fill = { 5, 6, 7 } };
    fv_warp_rotate(&w, 30.0, SIDE, SIDE);
    assert_ok(fv_pixels_warp(&plain, &w, &turned, &testing_err));
    run *r = open_ops("- RandomRotation: {degrees: [30, 30], interpolation: bicubic,"
                      " fill: [5, 6, 7], prob: 0.75}\n",
                      "");
    int count = 0;
    for (uint64_t n = 0; n < ROUNDS; n++) {
        apply(r, n);
        count += equals(r, &turned);
    }
    assert_true(near_share(count, 0.75));
    close_ops(r);
    fv_picture_deinit(&turned);
}

/* ---- Erasing ---- */

static int zeros(const run *r)
{
    int count = 0;
    for (int i = 0; i < FLOATS; i += 3) {
        const bool zero = r->out[i] == 0.0f;
        assert_true(zero == (r->out[i + 1] == 0.0f) && zero == (r->out[i + 2] == 0.0f));
        count += zero;
    }
    return count;
}

static void test_erasing(void **state)
{
    (void)state;
    run *r = open_ops("", "- RandomErasing: {EPSILON: 0.5, sl: 0.25, sh: 0.25, r1: 1}\n");
    int erased = 0;
    for (uint64_t n = 0; n < ROUNDS; n++) {
        apply(r, n);
        const int count = zeros(r);
        assert_true(count == 0 || count == SIDE * SIDE / 4);
        erased += count > 0;
    }
    assert_true(near_share(erased, 0.5));
    close_ops(r);
    r = open_ops("", "- RandomErasing: {EPSILON: 1, sl: 1, sh: 1}\n"); /* never smaller */
    apply(r, 0);
    assert_true(equals(r, &plain));
    close_ops(r);

    double sum = 0.0, squares = 0.0;
    int count = 0;
    r = open_ops("", "- RandomErasing: {EPSILON: 1, sl: 0.2, mode: pixel}\n");
    for (uint64_t n = 0; n < 20; n++) {
        apply(r, n);
        for (int i = 0; i < FLOATS; i++) {
            const double x = (double)r->out[i];
            if (r->out[i] == (float)plain.data[i]) continue;
            sum += x, squares += x * x, count++;
        }
    }
    assert_true(count > 5000 && fabs(sum / count) < 0.05 && fabs(squares / count - 1.0) < 0.05);
    close_ops(r);
    r = open_ops("", "- RandomErasing: {EPSILON: 1, mode: rand}\n");
    apply(r, 4);
    float colour[3] = { 0 };
    for (int i = 0; i < FLOATS; i++) {
        if (r->out[i] == (float)plain.data[i]) continue;
        if (colour[i % 3] == 0.0f) colour[i % 3] = r->out[i];
        assert_true(r->out[i] == colour[i % 3]);
    }
    assert_true(colour[0] != 0.0f && colour[0] != colour[1] && colour[1] != colour[2]);
    close_ops(r);
}

static void test_cutout(void **state)
{
    (void)state;
    run *r = open_ops("", "- Cutout: {length: 8}\n");
    int whole = 0;
    for (uint64_t n = 0; n < ROUNDS; n++) {
        apply(r, n);
        const int count = zeros(r);
        assert_true(count >= 16 && count <= 64);
        whole += count == 64;
    }
    assert_true(near_share(whole, 33.0 * 33.0 / 1600.0));
    close_ops(r);
}

/* The two modes are complements; the probability follows the epoch. */
static void test_grid_mask(void **state)
{
    (void)state;
    run *stripes = open_ops("", "- GridMask: {d1: 8, d2: 9, ramp_epochs: 0, rotate: 45}\n");
    run *squares =
        open_ops("", "- GridMask: {d1: 8, d2: 9, ramp_epochs: 0, rotate: 45, mode: 1}\n");
    for (uint64_t n = 0; n < 50; n++) {
        apply(stripes, n);
        apply(squares, n);
        const int count = zeros(stripes);
        assert_int_equal(count + zeros(squares), SIDE * SIDE);
        assert_true(abs(count - SIDE * SIDE * 3 / 4) < 120);
    }
    close_ops(stripes);
    close_ops(squares);
    run *ramp = open_ops("", "- GridMask: {d1: 8, d2: 12, ramp_epochs: 100, prob: 0.8}\n");
    static const double shares[] = { 0.0, 0.4, 0.8, 0.8 };
    static const uint32_t epochs[] = { 0, 50, 100, 1000 };
    for (int i = 0; i < 4; i++) {
        int count = 0;
        for (uint64_t n = 0; n < ROUNDS; n++) {
            apply_in(ramp, epochs[i], n);
            count += zeros(ramp) > 0;
        }
        assert_true(near_share(count, shares[i]));
    }
    close_ops(ramp);
}

/* Whole cells of one of four grids, or none. */
static void test_hide_and_seek(void **state)
{
    (void)state;
    run *r = open_ops("", "- HideAndSeek:\n");
    int untouched = 0;
    for (uint64_t n = 0; n < ROUNDS; n++) {
        apply(r, n);
        const int count = zeros(r);
        const int side16 = count % 64, corner = r->out[0] == 0.0f;
        assert_true(count == SIDE * SIDE || side16 == 0); /* cells are 8, 16, 32 wide, or all */
        if (count == SIDE * SIDE) assert_true(corner);
        untouched += count == 0;
    }
    /* None of the grid sizes, or nothing hidden in 1 (44 and 56), 4 or 9 cells. */
    assert_true(near_share(untouched, (1.0 + 2.0 * 0.5 + 1.0 / 16.0 + 1.0 / 512.0) / 5.0));
    close_ops(r);
}

/* ---- Errors ---- */

static const struct {
    const char *op, *message;
} mistakes[] = {
    { "- ColorJitter: {brightnes: 1}\n",
      "a.yaml:3:17: ops.1.ColorJitter.brightnes: unknown key, did you mean \"brightness\"?" },
    { "- ColorJitter: {hue: 0.6}\n",
      "a.yaml:3:17: ops.1.ColorJitter.hue: 0.6 is outside [-0.5, 0.5]" },
    { "- ColorJitter: {hue: -0.1}\n",
      "a.yaml:3:17: ops.1.ColorJitter.hue: must be one number that is not negative, or [smallest, "
      "largest]" },
    { "- ColorJitter: {contrast: [2, 1]}\n",
      "a.yaml:3:17: ops.1.ColorJitter.contrast: must be one number that is not negative, or "
      "[smallest, largest]" },
    { "- RandomGrayscale: {p: 2}\n", "a.yaml:3:21: ops.1.RandomGrayscale.p: 2 is outside [0, 1]" },
    { "- RandomRotation:\n", "a.yaml:3:3: ops.1.RandomRotation.degrees: must be given" },
    { "- RandomRotation: {degrees: 5, fill: 0.5}\n",
      "a.yaml:3:32: ops.1.RandomRotation.fill: must be whole numbers" },
    { "- RandAugment: {magnitude: 11}\n",
      "a.yaml:3:17: ops.1.RandAugment.magnitude: 11 is outside [0, 10]" },
    { "- AutoAugment: {fillcolor: [1, 2]}\n",
      "a.yaml:3:17: ops.1.AutoAugment.fillcolor: must be one number or three, not 2" },
    { "- TimmAutoAugment: {config_str: original}\n",
      "a.yaml:3:21: ops.1.TimmAutoAugment.config_str: \"original\" is not known: only \"rand-...\" "
      "is" },
    { "- TimmAutoAugment: {config_str: rand-m9-x3}\n",
      "a.yaml:3:21: ops.1.TimmAutoAugment.config_str: \"x3\" in \"rand-m9-x3\": there may be m0 to "
      "m10, n1 to n15, mstd0.5, inc0 or inc1, and w0, each once" },
    { "- TimmAutoAugment: {config_str: rand-m11}\n",
      "a.yaml:3:21: ops.1.TimmAutoAugment.config_str: \"m11\" in \"rand-m11\": there may be m0 to "
      "m10, n1 to n15, mstd0.5, inc0 or inc1, and w0, each once" },
    { "- TimmAutoAugment: {config_str: rand-n2-n3}\n",
      "a.yaml:3:21: ops.1.TimmAutoAugment.config_str: \"n3\" in \"rand-n2-n3\": there may be m0 to "
      "m10, n1 to n15, mstd0.5, inc0 or inc1, and w0, each once" },
    { "- TimmAutoAugment: {config_str: rand-m-}\n",
      "a.yaml:3:21: ops.1.TimmAutoAugment.config_str: \"m\" in \"rand-m-\": there may be m0 to "
      "m10, "
      "n1 to n15, mstd0.5, inc0 or inc1, and w0, each once" },
    { AFTER "- RandomErasing: {mode: any}\n",
      "a.yaml:5:19: ops.3.RandomErasing.mode: expected one of const, rand, pixel, got \"any\"" },
    { AFTER "- RandomErasing: {sl: 0.5}\n",
      "a.yaml:5:19: ops.3.RandomErasing.sl: 0.5 is larger than sh, 0.4" },
    { AFTER "- GridMask: {d1: 300}\n", "a.yaml:5:14: ops.3.GridMask.d1: 300 is not below d2, 224" },
    { AFTER "- HideAndSeek: {p: 1}\n",
      "a.yaml:5:17: ops.3.HideAndSeek.p: unknown key, there are none here" },
    { AFTER "- ColorJitter: {hue: 0.1}\n",
      "a.yaml:5:3: ops.3: ColorJitter must come before NormalizeImage" },
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(mistakes); i++) {
        const bool after = strncmp(mistakes[i].op, AFTER, strlen(AFTER)) == 0;
        char text[512];
        run *r = malloc(sizeof(*r));
        snprintf(text, sizeof(text), "- DecodeImage:\n%s%s",
                 after ? "- CropImage: {size: 8}\n" : "", mistakes[i].op);
        config_expect_error(try_open(r, text), mistakes[i].message);
        fv_config_destroy(r->config);
        free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_decide), cmocka_unit_test(test_within_a_pipeline),
        cmocka_unit_test(test_restore),        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_lighting),       cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_erasing),        cmocka_unit_test(test_cutout),
        cmocka_unit_test(test_grid_mask),      cmocka_unit_test(test_hide_and_seek),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, make_file, free_file);
}
