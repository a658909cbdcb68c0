/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of Pillow. compare_pixels.py compares many more pictures with Pillow itself. */
#include "testing.h"

#include "picture_testing.h"

#include "base/compiler.h"
#include "data/pixels.h"

enum { WIDTH = 37, HEIGHT = 29 };

/* CRC-32 of the pixels; printed by compare_pixels.py --golden. */
static const struct {
    const char *name;
    uint32_t crc;
} goldens[] = {
    { "invert", 0x40fa4c54 },
    { "posterize 3", 0x909416b7 },
    { "solarize 100.5", 0xdb3f1cbc },
    { "solarize_add 77", 0xaa0daab3 },
    { "autocontrast", 0xaf668402 },
    { "equalize", 0x01ca91ab },
    { "grayscale", 0xffb5e3d4 },
    { "hue 100", 0xf1cccd6f },
    { "brightness 1.7", 0xd6f44051 },
    { "contrast 0.3", 0xcc01eb7d },
    { "color 2.4", 0x33d84362 },
    { "sharpness 1.9", 0xd0ede790 },
    { "shear x 0.27", 0x2ac9bf2f },
    { "shear y -0.2", 0xbe402674 },
    { "translate x 7.3", 0x2d6fab49 },
    { "translate y -5.6", 0xeb39a57a },
    { "rotate -17.25 nearest", 0x835824a1 },
    { "rotate -17.25 bilinear", 0x9d7b2b0c },
    { "rotate -17.25 bicubic", 0x1ca60d67 },
};

static void make_picture(fv_picture *p)
{
    assert_ok(fv_picture_reserve(p, WIDTH, HEIGHT, &testing_err));
    uint8_t *q = p->data;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++)
                *q++ = (uint8_t)((x * 5 + y * 3 + c * 40 + x * y % 23 * 4) % 211 + 20);
}

static void check(int which, const char *name, fv_picture *p)
{
    assert_string_equal(goldens[which].name, name);
    const uint32_t crc = testing_crc32(p->data, WIDTH * HEIGHT * 3);
    if (crc != goldens[which].crc) fail_msg("%s: %08x, not %08x", name, crc, goldens[which].crc);
    make_picture(p);
}

static void test_in_place(void **state)
{
    (void)state;
    fv_picture p = { 0 };
    make_picture(&p);
    fv_pixels_invert(&p), check(0, "invert", &p);
    fv_pixels_posterize(&p, 3), check(1, "posterize 3", &p);
    fv_pixels_solarize(&p, 100.5), check(2, "solarize 100.5", &p);
    fv_pixels_solarize_add(&p, 77), check(3, "solarize_add 77", &p);
    fv_pixels_autocontrast(&p), check(4, "autocontrast", &p);
    fv_pixels_equalize(&p), check(5, "equalize", &p);
    fv_pixels_grayscale(&p), check(6, "grayscale", &p);
    fv_pixels_hue(&p, 100), check(7, "hue 100", &p);
    fv_pixels_brightness(&p, 1.7f), check(8, "brightness 1.7", &p);
    fv_pixels_contrast(&p, 0.3f), check(9, "contrast 0.3", &p);
    fv_pixels_color(&p, 2.4f), check(10, "color 2.4", &p);
    fv_picture_deinit(&p);
}

static void check_warp(int which, const char *name, const fv_warp *warp)
{
    fv_picture p = { 0 }, out = { 0 };
    make_picture(&p);
    assert_ok(fv_pixels_warp(&p, warp, &out, &testing_err));
    check(which, name, &out);
    fv_picture_deinit(&p);
    fv_picture_deinit(&out);
}

static void test_warps(void **state)
{
    (void)state;
    fv_warp w = { .m = { 1, 0.27, 0, 0, 1, 0 }, .filter = FV_BICUBIC, .fill = { 9, 99, 199 } };
    check_warp(12, "shear x 0.27", &w);
    w = (fv_warp){ .m = { 1, 0, 0, -0.2, 1, 0 }, .filter = FV_NEAREST, .fill = { 9, 99, 199 } };
    check_warp(13, "shear y -0.2", &w);
    w = (fv_warp){ .m = { 1, 0, 7.3, 0, 1, 0 }, .filter = FV_NEAREST, .fill = { 9, 99, 199 } };
    check_warp(14, "translate x 7.3", &w);
    w = (fv_warp){ .m = { 1, 0, 0, 0, 1, -5.6 }, .filter = FV_BILINEAR, .fill = { 9, 99, 199 } };
    check_warp(15, "translate y -5.6", &w);
    fv_warp_rotate(&w, -17.25, WIDTH, HEIGHT);
    w.filter = FV_NEAREST;
    check_warp(16, "rotate -17.25 nearest", &w);
    w.filter = FV_BILINEAR;
    check_warp(17, "rotate -17.25 bilinear", &w);
    w.filter = FV_BICUBIC;
    check_warp(18, "rotate -17.25 bicubic", &w);
}

static void test_sharpness(void **state)
{
    (void)state;
    fv_picture p = { 0 }, out = { 0 };
    make_picture(&p);
    assert_ok(fv_pixels_sharpness(&p, 1.9f, &out, &testing_err));
    check(11, "sharpness 1.9", &out);
    fv_picture_deinit(&out);
    fv_alloc_fail_at(1);
    assert_int_equal(fv_pixels_sharpness(&p, 1.9f, &out, &testing_err), FV_ERR_NOMEM);
    fv_warp w = { .m = { 1, 0, 0, 0, 1, 0 } };
    fv_alloc_fail_at(1);
    assert_int_equal(fv_pixels_warp(&p, &w, &out, &testing_err), FV_ERR_NOMEM);
    fv_alloc_fail_at(0);
    fv_picture_deinit(&p);
}

/* Pictures without a middle, or of one colour: nothing to divide by, nothing out of bounds. */
static void test_extremes(void **state)
{
    (void)state;
    for (int width = 1; width <= 3; width++) {
        for (int height = 1; height <= 3; height++) {
            fv_picture p = { 0 }, out = { 0 }, same = { 0 };
            assert_ok(fv_picture_reserve(&p, width, height, &testing_err));
            assert_ok(fv_picture_reserve(&same, width, height, &testing_err));
            memset(p.data, 77, (size_t)(width * height) * 3);
            memset(same.data, 77, (size_t)(width * height) * 3);
            fv_pixels_autocontrast(&p);
            fv_pixels_equalize(&p);
            fv_pixels_contrast(&p, 3.0f);
            fv_pixels_color(&p, 3.0f);
            fv_pixels_hue(&p, 128);
            fv_pixels_posterize(&p, 8);
            fv_pixels_solarize(&p, 256.0);
            assert_memory_equal(p.data, same.data, (size_t)(width * height) * 3);
            for (int filter = FV_NEAREST; filter <= FV_BICUBIC; filter++) {
                fv_warp w = { .filter = (fv_filter)filter, .fill = { 77, 77, 77 } };
                fv_warp_rotate(&w, 33.0 * filter, width, height);
                assert_ok(fv_pixels_warp(&p, &w, &out, &testing_err));
                assert_memory_equal(out.data, same.data, (size_t)(width * height) * 3);
            }
            assert_ok(fv_pixels_sharpness(&p, 2.0f, &out, &testing_err));
            assert_memory_equal(out.data, same.data, (size_t)(width * height) * 3);
            fv_pixels_posterize(&p, 0);
            assert_int_equal(p.data[0], 0);
            fv_picture_deinit(&p);
            fv_picture_deinit(&out);
            fv_picture_deinit(&same);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_warps),
        cmocka_unit_test(test_sharpness),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
