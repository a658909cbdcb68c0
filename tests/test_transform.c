/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "pipeline_testing.h"

#include "base/compiler.h"
#include "data/resize_impl.h"

#include <math.h>
#include <stdlib.h>

static fv_status apply(run *r, const uint8_t *bytes, size_t size, uint64_t sample)
{
    fv_random random = fv_random_stream(5, FV_RANDOM_AUGMENT, 0, sample);
    return fv_pipeline_run(r->pipeline, r->scratch, bytes, size, &random, r->out, &testing_err);
}

/* A file, and its pixels. */
typedef struct source {
    uint8_t *bytes;
    size_t size;
    fv_picture picture;
} source;

static void open_source(source *s, int width, int height)
{
    *s = (source){ 0 };
    testing_picture(&s->picture, width, height, "source");
    testing_jpeg(&s->picture, true, &s->bytes, &s->size);
    assert_ok(fv_decode(&s->picture, s->bytes, s->size, NULL, &testing_err));
}

static void close_source(source *s)
{
    fv_free(s->bytes);
    fv_picture_deinit(&s->picture);
}

/* out is the picture's part at (x, y), as NormalizeImage makes it with these numbers. */
static void check_part(const run *r, const fv_picture *p, int x0, int y0)
{
    static const float mean[3] = { 0.485f, 0.456f, 0.406f }, std[3] = { 0.229f, 0.224f, 0.225f };
    for (int y = 0; y < r->height; y++) {
        for (int x = 0; x < r->width; x++) {
            for (int c = 0; c < 3; c++) {
                const float v = p->data[((y0 + y) * p->width + x0 + x) * 3 + c];
                const float wanted = (v * (float)(1.0 / 255.0) - mean[c]) / std[c];
                const float got = r->out[(y * r->width + x) * 3 + c];
                if (got != wanted)
                    fail_msg("(%d, %d, %d): %g, not %g", x, y, c, (double)got, (double)wanted);
            }
        }
    }
}

/* ---- What each operation does ---- */

static void test_crop(void **state)
{
    (void)state;
    run *r = malloc(sizeof(*r));
    source s;
    open_source(&s, 41, 30);
    open_run(r,
             "- DecodeImage: {to_rgb: True, to_np: False, channel_first: False}\n"
             "- CropImage: {size: [20, 11]}\n"
             "- NormalizeImage: {scale: 1.0/255.0, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224,"
             " 0.225], order: ''}\n"
             "- ToCHWImage:\n");
    assert_int_equal(r->width, 20);
    assert_int_equal(r->height, 11);
    assert_true(fv_pipeline_is_fixed(r->pipeline));
    assert_ok(apply(r, s.bytes, s.size, 0));
    check_part(r, &s.picture, (41 - 20) / 2, (30 - 11) / 2);
    close_run(r);

    open_run(r, "- DecodeImage:\n- CropImage: {size: [20, 11], rounding: torchvision}\n"
                "- NormalizeImage:\n");
    assert_ok(apply(r, s.bytes, s.size, 0));
    check_part(r, &s.picture, 10, 10); /* 10.5 and 9.5, half to even */
    close_run(r);
    close_source(&s);

    open_source(&s, 41, 10);
    open_run(r, "- DecodeImage:\n- CropImage: {size: 20}\n- NormalizeImage:\n");
    assert_int_equal(apply(r, s.bytes, s.size, 0), FV_ERR_SHAPE);
    assert_string_equal(testing_err.message,
                        "CropImage: a picture of 41 x 10 pixels is smaller than the crop 20 x 20:"
                        " resize it first");
    close_run(r);
    close_source(&s);
    free(r);
}

/* size and resize_short, both backends, both roundings: as fv_resize() of the size that the
 * reference says, then cut. */
static void test_resize(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        int width, height, x, y;
        fv_profile profile;
        fv_filter filter;
    } table[] = {
        { "resize_short: 32", 60, 32, 20, 6, FV_OPENCV, FV_BILINEAR },          /* 75 * 32 / 40 */
        { "resize_short: 25, size: 9", 47, 25, 13, 2, FV_OPENCV, FV_BILINEAR }, /* 46.875 */
        { "resize_short: 25, backend: pil, rounding: torchvision", 46, 25, 13, 2, FV_PILLOW,
          FV_BILINEAR },
        { "resize_short: 80, interpolation: bicubic", 150, 80, 65, 30, FV_OPENCV, FV_BICUBIC },
        { "size: [50, 33], backend: pil, interpolation: lanczos", 50, 33, 15, 6, FV_PILLOW,
          FV_LANCZOS },
        { "size: 40, interpolation: area", 40, 40, 10, 10, FV_OPENCV, FV_AREA },
    };
    run *r = malloc(sizeof(*r));
    source s;
    open_source(&s, 75, 40);
    fv_picture out = { 0 };
    char ops[512];
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        snprintf(ops, sizeof(ops),
                 "- DecodeImage:\n- ResizeImage: {%s}\n- CropImage: {size: 20}\n"
                 "- NormalizeImage:\n",
                 table[i].options);
        open_run(r, ops);
        assert_ok(apply(r, s.bytes, s.size, 0));
        testing_resize(&s.picture, table[i].width, table[i].height, table[i].profile,
                       table[i].filter, &out);
        check_part(r, &out, table[i].x, table[i].y);
        close_run(r);
    }
    fv_picture_deinit(&out);
    close_source(&s);
    free(r);
}

static void test_channels(void **state)
{
    (void)state;
    run *rgb = malloc(sizeof(*rgb)), *bgr = malloc(sizeof(*bgr));
    source s;
    open_source(&s, 12, 12);
    open_run(rgb, "- DecodeImage:\n- CropImage: {size: 12}\n- NormalizeImage: {mean: 0, std: 1}\n");
    open_run(bgr, "- DecodeImage: {to_rgb: False}\n- CropImage: {size: 12}\n"
                  "- NormalizeImage: {mean: 0, std: [1, 1, 1]}\n");
    assert_ok(apply(rgb, s.bytes, s.size, 0));
    assert_ok(apply(bgr, s.bytes, s.size, 0));
    for (int i = 0; i < 12 * 12 * 3; i += 3) {
        for (int c = 0; c < 3; c++) assert_true(rgb->out[i + c] == bgr->out[i + 2 - c]);
    }
    close_run(rgb);
    close_run(bgr);
    close_source(&s);
    free(rgb);
    free(bgr);
}

/* Half of the pictures are mirrored, exactly. */
static void test_flip(void **state)
{
    (void)state;
    enum { DRAWS = 400 };
    run *r = malloc(sizeof(*r)), *plain = malloc(sizeof(*plain));
    source s;
    open_source(&s, 13, 9);
    for (int code = -1; code <= 1; code++) {
        char ops[256];
        snprintf(ops, sizeof(ops),
                 "- DecodeImage:\n- RandFlipImage: {flip_code: %d}\n"
                 "- CropImage: {size: [10, 8]}\n- NormalizeImage:\n",
                 code);
        open_run(r, ops);
        /* 13 - 10 is odd: the crop of a mirrored picture begins one pixel further. */
        open_run(plain, "- DecodeImage:\n- CropImage: {size: [13, 9]}\n- NormalizeImage:\n");
        assert_false(fv_pipeline_is_fixed(r->pipeline));
        assert_ok(apply(plain, s.bytes, s.size, 0));
        int flipped = 0;
        for (uint64_t i = 0; i < DRAWS; i++) {
            assert_ok(apply(r, s.bytes, s.size, i));
            bool as_is = true, mirrored = true;
            for (int y = 0; y < 8; y++) {
                for (int x = 0; x < 10; x++) {
                    const int u = code != 0 ? 12 - (x + 1) : x + 1, v = code != 1 ? 8 - y : y;
                    const float got = r->out[(y * 10 + x) * 3];
                    as_is = as_is && got == plain->out[(y * 13 + x + 1) * 3];
                    mirrored = mirrored && got == plain->out[(v * 13 + u) * 3];
                }
            }
            assert_true(as_is != mirrored);
            flipped += mirrored;
        }
        assert_in_range(flipped, DRAWS / 2 - 50, DRAWS / 2 + 50); /* 5 deviations */
        close_run(r);
        close_run(plain);
    }
    close_source(&s);
    free(r);
    free(plain);
}

static void test_flip_then_resize(void **state)
{
    (void)state;
    run *r = malloc(sizeof(*r)), *plain = malloc(sizeof(*plain));
    source s;
    open_source(&s, 13, 9);
    open_run(r, "- DecodeImage:\n- RandFlipImage:\n- ResizeImage: {size: 7}\n- NormalizeImage:\n");
    open_run(plain, "- DecodeImage:\n- ResizeImage: {size: 7}\n- NormalizeImage:\n");
    assert_ok(apply(plain, s.bytes, s.size, 0));
    fv_picture mirror = { 0 }, small = { 0 };
    assert_ok(fv_picture_reserve(&mirror, 13, 9, &testing_err));
    for (int i = 0; i < 13 * 9; i++) {
        memcpy(mirror.data + i * 3, s.picture.data + (i / 13 * 13 + 12 - i % 13) * 3, 3);
    }
    testing_resize(&mirror, 7, 7, FV_OPENCV, FV_BILINEAR, &small);
    int flipped = 0;
    for (uint64_t i = 0; i < 20; i++) {
        assert_ok(apply(r, s.bytes, s.size, i));
        if (memcmp(r->out, plain->out, sizeof(float) * 7 * 7 * 3) == 0) continue;
        check_part(r, &small, 0, 0);
        flipped++;
    }
    assert_in_range(flipped, 1, 19);
    fv_picture_deinit(&mirror);
    fv_picture_deinit(&small);
    close_run(r);
    close_run(plain);
    close_source(&s);
    free(r);
    free(plain);
}

/* ---- Random crops ---- */

/* A ramp from 0 to 1 in x (red) and y (green): the corners of the output tell which part was
 * cut, so that its area, aspect and place can be counted. */
typedef struct cut {
    double x, y, width, height; /* of the part, in [0, 1] of the picture */
} cut;

static cut find_cut(const run *r)
{
    const int n = r->width;
    const float *left = r->out, *right = r->out + (n - 1) * 3, *below = r->out + (n - 1) * n * 3;
    /* The first and last pixel's centres are 1 / n of the part inside. */
    const double dx = (double)(right[0] - left[0]) / (1.0 - 1.0 / n);
    const double dy = (double)(below[1] - left[1]) / (1.0 - 1.0 / n);
    return (cut){ (double)left[0] - dx / (2 * n), (double)left[1] - dy / (2 * n), dx, dy };
}

static void check_crops(const char *ops, double low, double high, double ratio_low,
                        double ratio_high, double mean_area)
{
    enum { SIDE = 256, DRAWS = 600 };
    run *r = malloc(sizeof(*r));
    source s = { 0 };
    assert_ok(fv_picture_reserve(&s.picture, SIDE, SIDE, &testing_err));
    for (int i = 0; i < SIDE * SIDE; i++) {
        s.picture.data[i * 3] = (uint8_t)(i % SIDE);
        s.picture.data[i * 3 + 1] = (uint8_t)(i / SIDE);
        s.picture.data[i * 3 + 2] = 0;
    }
    testing_jpeg(&s.picture, false, &s.bytes, &s.size);
    open_run(r, ops);
    assert_false(fv_pipeline_is_fixed(r->pipeline));
    double areas = 0.0, left = 0.0, right = 0.0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        assert_ok(apply(r, s.bytes, s.size, i));
        const cut c = find_cut(r);
        const double area = c.width * c.height, ratio = c.width / c.height;
        areas += area / DRAWS;
        left += c.x / DRAWS;
        right += (1.0 - c.x - c.width) / DRAWS;
        if (area < low * 0.85 || area > high * 1.08 || ratio < ratio_low * 0.88 ||
            ratio > ratio_high * 1.12) {
            fail_msg("draw %d: area %.3f, ratio %.3f", (int)i, area, ratio);
        }
    }
    /* The place is uniform, so as much is left over on either side. */
    if (fabs(areas - mean_area) > 0.04 || fabs(left - right) > 0.04) {
        fail_msg("mean area %.3f, left %.3f, right %.3f", areas, left, right);
    }
    close_run(r);
    close_source(&s);
    free(r);
}

static void test_random_crops(void **state)
{
    (void)state;
    /* On a square, areas above 3/4 do not fit at every aspect. RandCropImage lowers them to what
     * fits, torchvision tries again. With small areas both are uniform. */
    check_crops("- DecodeImage:\n- RandCropImage: {size: 32, scale: [0.2, 0.6]}\n"
                "- NormalizeImage: {mean: 0, std: 1}\n",
                0.2, 0.6, 0.75, 4.0 / 3.0, 0.4);
    check_crops(
        "- DecodeImage:\n- RandCropImage: {size: 32, scale: [0.2, 0.6], use_log_aspect: True,"
        " ratio: [0.5, 1], interpolation: random}\n"
        "- NormalizeImage: {mean: 0, std: 1}\n",
        0.2, 0.6, 0.5, 1.0, 0.395);
    check_crops("- DecodeImage:\n- RandomResizedCrop: {size: 32, scale: [0.25, 0.7]}\n"
                "- NormalizeImage: {mean: 0, std: 1}\n",
                0.25, 0.7, 0.75, 4.0 / 3.0, 0.475);
}

/* The part of a picture decoded at a half, a quarter or an eighth is nearly that of the whole. */
static void test_dct_scaling(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "- DecodeImage: {dct_scaling: True}\n- RandCropImage: {size: 24, interpolation: area}\n"
        "- RandFlipImage:\n- NormalizeImage: {mean: 0, std: 1}\n",
        "- DecodeImage:\n- RandCropImage: {size: 24, interpolation: area}\n"
        "- RandFlipImage:\n- NormalizeImage: {mean: 0, std: 1}\n",
    };
    run *r[2] = { malloc(sizeof(run)), malloc(sizeof(run)) };
    enum { W = 280, H = 250 };
    source s = { 0 };
    assert_ok(fv_picture_reserve(&s.picture, W, H, &testing_err));
    for (int i = 0; i < W * H * 3; i++) /* smooth */
        s.picture.data[i] = (uint8_t)((i / 3 % W) / 2 + (i / 3 / W) / 3 + i % 3 * 10);
    testing_jpeg(&s.picture, true, &s.bytes, &s.size);
    for (int i = 0; i < 2; i++) open_run(r[i], lines[i]);
    int differing = 0;
    for (uint64_t sample = 0; sample < 60; sample++) {
        double sum = 0.0;
        for (int i = 0; i < 2; i++) assert_ok(apply(r[i], s.bytes, s.size, sample));
        for (int i = 0; i < 24 * 24 * 3; i++) sum += fabs((double)(r[0]->out[i] - r[1]->out[i]));
        assert_true(sum / (24 * 24 * 3) < 0.02);
        differing += sum > 0.0;
    }
    assert_in_range(differing, 40, 60);
    for (int i = 0; i < 2; i++) close_run(r[i]);
    for (int i = 0; i < 2; i++) free(r[i]);
    close_source(&s);
}

/* Elongated and tiny pictures go through; torchvision's falls back on the centre. */
static void test_extremes(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 300, 1 }, { 1, 300 }, { 2, 1 }, { 250, 3 } };
    static const char evaluation[] = "- DecodeImage:\n- ResizeImage: {resize_short: 256}\n"
                                     "- CropImage: {size: 224}\n- NormalizeImage:\n";
    static const char *const ops[] = {
        "- DecodeImage:\n- RandCropImage: {size: 24}\n- RandFlipImage:\n- NormalizeImage:\n",
        "- DecodeImage:\n- RandomResizedCrop: {size: 24}\n- RandFlipImage:\n- NormalizeImage:\n",
        evaluation,
    };
    run *r = malloc(sizeof(*r));
    for (size_t i = 0; i < FV_ARRAY_LEN(sizes); i++) {
        source s;
        open_source(&s, sizes[i][0], sizes[i][1]);
        for (size_t k = 0; k < FV_ARRAY_LEN(ops); k++) {
            open_run(r, ops[k]);
            for (uint64_t n = 0; n < 20; n++) assert_ok(apply(r, s.bytes, s.size, n));
            close_run(r);
        }
        close_source(&s);
    }
    free(r);
}

/* ---- The whole ---- */

/* The same stream, the same floats; nothing is allocated but by the first picture. */
static void test_repeats(void **state)
{
    (void)state;
    run *r = malloc(sizeof(*r));
    source s;
    open_source(&s, 120, 90);
    open_run(r, "- DecodeImage:\n- RandCropImage: {size: 64}\n- RandFlipImage:\n"
                "- ResizeImage: {size: 32, backend: pil}\n- NormalizeImage:\n");
    float first[32 * 32 * 3];
    for (uint64_t i = 0; i < 50; i++) assert_ok(apply(r, s.bytes, s.size, i));
    assert_ok(apply(r, s.bytes, s.size, 3));
    memcpy(first, r->out, sizeof(first));
    const size_t before = fv_alloc_count();
    assert_ok(apply(r, s.bytes, s.size, 4));
    assert_memory_not_equal(r->out, first, sizeof(first));
    assert_ok(apply(r, s.bytes, s.size, 3));
    assert_memory_equal(r->out, first, sizeof(first));
    assert_int_equal(fv_alloc_count(), before);
    close_run(r);
    close_source(&s);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_flip_then_resize),
        cmocka_unit_test(test_random_crops),
        cmocka_unit_test(test_dct_scaling),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
