/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "data/encode.h"
#include "data/thumbnail.h"

#include <stdio.h>

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    return path;
}

/* A picture whose left half is red and whose right half is blue. */
static const char *write_picture(int width, int height, bool png)
{
    const fv_jpeg_options options = { .quality = 95 };
    fv_picture picture = { 0 };
    uint8_t *bytes;
    size_t size;
    assert_ok(fv_picture_reserve(&picture, width, height, &testing_err));
    for (int i = 0; i < width * height; i++) {
        uint8_t *pixel = picture.data + 3 * (size_t)i;
        pixel[0] = i % width < width / 2 ? 255 : 0;
        pixel[1] = 0;
        pixel[2] = i % width < width / 2 ? 0 : 255;
    }
    if (png)
        assert_ok(fv_encode_png(&picture, &bytes, &size, &testing_err));
    else
        assert_ok(fv_encode_jpeg(&picture, &options, &bytes, &size, &testing_err));
    assert_ok(fv_file_write(path_of("picture"), bytes, size, &testing_err));
    fv_free(bytes);
    fv_picture_deinit(&picture);
    return path_of("picture");
}

static void assert_made(const char *path, int side, int width, int height)
{
    fv_thumbnail t;
    fv_picture p = { 0 };
    assert_ok(fv_thumbnail_make(&t, path, side, &testing_err));
    assert_int_equal(t.width, width);
    assert_int_equal(t.height, height);
    assert_ok(fv_decode(&p, t.bytes, t.size, NULL, &testing_err));
    assert_int_equal(p.width, width);
    assert_int_equal(p.height, height);
    const uint8_t *row = p.data + (size_t)(height / 2) * (size_t)width * 3;
    assert_true(row[0] > 200 && row[2] < 60);
    assert_true(row[3 * width - 3] < 60 && row[3 * width - 1] > 200);
    fv_picture_deinit(&p);
    fv_thumbnail_deinit(&t);
}

static void test_sizes(void **unused)
{
    (void)unused;
    assert_made(write_picture(40, 20, false), 64, 40, 20); /* never enlarged */
    assert_made(write_picture(300, 200, false), 60, 60, 40);
    assert_made(write_picture(2000, 1001, false), 64, 64, 32); /* decoded small */
    assert_made(write_picture(300, 600, true), 64, 32, 64);
    assert_made(write_picture(900, 2, true), 30, 30, 1);
}

static void test_refusals(void **unused)
{
    (void)unused;
    char expected[700];
    fv_thumbnail t = { 0 };
    fv_error err;
    assert_int_equal(fv_thumbnail_make(&t, path_of("none"), 64, &err), FV_ERR_IO);
    snprintf(expected, sizeof(expected), "%s: cannot open: No such file or directory",
             path_of("none"));
    assert_string_equal(err.message, expected);
    assert_ok(fv_file_write(path_of("text"), "no picture", 10, &testing_err));
    assert_int_equal(fv_thumbnail_make(&t, path_of("text"), 64, &err), FV_ERR_FORMAT);
    snprintf(expected, sizeof(expected), "%s: this is text: only JPEG and PNG are read",
             path_of("text"));
    assert_string_equal(err.message, expected);
    assert_null(t.bytes);
}

static void test_memory(void **unused)
{
    (void)unused;
    const char *path = write_picture(300, 200, false);
    fv_thumbnail t = { 0 };
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_error err;
        fv_alloc_fail_at(n);
        status = fv_thumbnail_make(&t, path, 64, &err);
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || (status == FV_ERR_NOMEM && !t.bytes));
        assert_true(n < 100);
    }
    fv_thumbnail_deinit(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
