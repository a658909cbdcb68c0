/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "odd_pictures.h"

#include "data/decode.h"

/* Reads what the header says, decodes, and frees the file. */
static fv_decode_info look(odd_file file, const fv_decode_options *options)
{
    fv_decode_info info;
    fv_picture picture = { 0 };
    assert_ok(fv_decode_read_info(&info, file.data, file.size, options, &testing_err));
    assert_ok(fv_decode(&picture, file.data, file.size, options, &testing_err));
    assert_int_equal(picture.width, info.width);
    assert_int_equal(picture.height, info.height);
    assert_false(picture.damaged);
    fv_picture_deinit(&picture);
    free(file.data);
    return info;
}

static void expect(fv_decode_info info, fv_format format, int channels, int bits)
{
    assert_int_equal(info.format, format);
    assert_int_equal(info.channels, channels);
    assert_int_equal(info.bits, bits);
    assert_int_equal(info.orientation, 1);
    assert_int_equal(info.width, ODD_WIDTH);
    assert_int_equal(info.height, ODD_HEIGHT);
}

static void test_jpeg(void **state)
{
    (void)state;
    expect(look(odd_jpeg(1, JCS_GRAYSCALE), NULL), FV_JPEG, 1, 8);
    expect(look(odd_jpeg(3, JCS_RGB), NULL), FV_JPEG, 3, 8);
    expect(look(odd_jpeg(4, JCS_CMYK), NULL), FV_JPEG, 4, 8);
    const fv_decode_info info = look(odd_jpeg(3, JCS_RGB), NULL);
    assert_false(info.alpha || info.animated);
}

static void test_png(void **state)
{
    (void)state;
    expect(look(odd_png(8, PNG_COLOR_TYPE_RGB, false), NULL), FV_PNG, 3, 8);
    expect(look(odd_png(1, PNG_COLOR_TYPE_GRAY, false), NULL), FV_PNG, 1, 1);
    expect(look(odd_png(1, PNG_COLOR_TYPE_PALETTE, false), NULL), FV_PNG, 3, 8);
    expect(look(odd_png(16, PNG_COLOR_TYPE_RGB_ALPHA, false), NULL), FV_PNG, 3, 16);
    assert_false(look(odd_png(8, PNG_COLOR_TYPE_RGB, false), NULL).alpha);
    assert_true(look(odd_png(8, PNG_COLOR_TYPE_GRAY_ALPHA, false), NULL).alpha);
    assert_false(look(odd_png(8, PNG_COLOR_TYPE_RGB, false), NULL).animated);
    assert_true(look(odd_png(8, PNG_COLOR_TYPE_RGB, true), NULL).animated);
}

/* It is told in any case, and heeded if asked for. */
static void test_orientation(void **state)
{
    (void)state;
    const fv_decode_options heed = { .apply_exif = true };
    for (int orientation = 1; orientation <= 8; orientation++) {
        fv_decode_info info = look(odd_turned(orientation), NULL);
        assert_int_equal(info.orientation, orientation);
        assert_int_equal(info.width, ODD_WIDTH);
        info = look(odd_turned(orientation), &heed);
        assert_int_equal(info.orientation, orientation);
        assert_int_equal(info.width, orientation >= 5 ? ODD_HEIGHT : ODD_WIDTH);
    }
}

/* The end marker comes too early: libjpeg guesses the rest. */
static void test_damaged(void **state)
{
    (void)state;
    const odd_file file = odd_jpeg(3, JCS_RGB);
    const fv_decode_options heed = { .apply_exif = true };
    fv_picture picture = { 0 };
    memcpy(file.data + file.size - 200, "\xff\xd9", 2);
    assert_ok(fv_decode(&picture, file.data, file.size, &heed, &testing_err));
    assert_true(picture.damaged);
    const odd_file whole = odd_jpeg(1, JCS_GRAYSCALE);
    assert_ok(fv_decode(&picture, whole.data, whole.size, &heed, &testing_err));
    assert_false(picture.damaged);
    fv_picture_deinit(&picture);
    free(file.data);
    free(whole.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
