/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of pictures: the bytes of the whole, whatever the file's kind. */
#include "testing.h"

#include "picture_testing.h"

#include "base/compiler.h"

#include <stdlib.h>

#include <jpeglib.h>

enum { PARTS = 60 };

/* How a file is coded. */
typedef struct kind {
    const char *name;
    int components, across, down; /* sampling of the first component; the others have 1 x 1 */
    bool progressive, arithmetic;
    unsigned restart; /* blocks between two markers; 0: none */
    bool coarse;      /* progressive, and ends after the first scan */
} kind;

static const kind kinds[] = {
    { "444", 3, 1, 1, false, false, 0, false },
    { "422", 3, 2, 1, false, false, 0, false },
    { "440", 3, 1, 2, false, false, 0, false },
    { "420", 3, 2, 2, false, false, 0, false },
    { "411", 3, 4, 1, false, false, 0, false },
    { "410", 3, 4, 2, false, false, 0, false },
    { "2 x 4", 3, 2, 4, false, false, 0, false },
    { "1 x 4", 3, 1, 4, false, false, 0, false },
    { "420 restarting", 3, 2, 2, false, false, 3, false },
    { "420 progressive", 3, 2, 2, true, false, 0, false },
    { "422 progressive", 3, 2, 1, true, false, 0, false },
    { "420 coarse", 3, 2, 2, true, false, 0, true },
    { "444 coarse", 3, 1, 1, true, false, 0, true },
    { "420 arithmetic", 3, 2, 2, false, true, 0, false },
    { "grey", 1, 1, 1, false, false, 0, false },
    { "grey 2 x 2", 1, 2, 2, false, false, 0, false },
    { "cmyk", 4, 1, 1, false, false, 0, false },
    { "cmyk 420", 4, 2, 2, false, false, 0, false },
};

/* A JPEG of the kind; free() its bytes. */
static void encode(const kind *k, const fv_picture *p, uint8_t **bytes, size_t *size)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned long length = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    *bytes = NULL;
    jpeg_mem_dest(&c, bytes, &length);
    c.image_width = (JDIMENSION)p->width;
    c.image_height = (JDIMENSION)p->height;
    c.input_components = k->components;
    c.in_color_space = k->components == 1 ? JCS_GRAYSCALE : k->components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 85, TRUE);
    c.comp_info[0].h_samp_factor = k->across;
    c.comp_info[0].v_samp_factor = k->down;
    c.restart_interval = k->restart;
    c.arith_code = k->arithmetic;
    if (k->progressive) jpeg_simple_progression(&c);
    if (k->coarse) c.num_scans = 1;
    jpeg_start_compress(&c, TRUE);
    uint8_t *line = malloc((size_t)p->width * 4);
    assert_non_null(line);
    while (c.next_scanline < c.image_height) {
        const uint8_t *in = p->data + (size_t)c.next_scanline * (size_t)p->width * 3;
        for (int x = 0; x < p->width; x++)
            for (int i = 0; i < k->components; i++)
                line[x * k->components + i] = i < 3 ? in[x * 3 + i] : (uint8_t)(x * 7);
        jpeg_write_scanlines(&c, &line, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    free(line);
    *size = length;
}

static fv_rect draw_part(fv_random *r, int width, int height)
{
    fv_rect part;
    part.width = fv_random_int(r, 1, width);
    part.height = fv_random_int(r, 1, height);
    part.x = fv_random_int(r, 0, width - part.width);
    part.y = fv_random_int(r, 0, height - part.height);
    if (fv_random_int(r, 0, 3) == 0) part.width = width - part.x;
    if (fv_random_int(r, 0, 3) == 0) part.height = height - part.y;
    return part;
}

static void assert_part(const fv_picture *whole, const fv_picture *part, fv_rect at,
                        const char *name)
{
    const size_t row = (size_t)at.width * 3;
    assert_int_equal(part->width, at.width);
    assert_int_equal(part->height, at.height);
    for (int y = 0; y < at.height; y++) {
        const uint8_t *wanted =
            whole->data + ((size_t)(at.y + y) * (size_t)whole->width + (size_t)at.x) * 3;
        if (memcmp(part->data + (size_t)y * row, wanted, row) != 0)
            fail_msg("%s of %d x %d: %d x %d at (%d, %d): row %d differs", name, whole->width,
                     whole->height, at.width, at.height, at.x, at.y, y);
    }
}

/* Decodes the whole, then parts of it, at all scales. */
static void check_file(const uint8_t *bytes, size_t size, const char *name, int parts)
{
    fv_picture whole = { 0 }, part = { 0 };
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(name));
    for (int shrink = 1; shrink <= 8; shrink *= 2) {
        const fv_decode_options options = { .shrink = shrink };
        fv_decode_info info;
        assert_ok(fv_decode(&whole, bytes, size, &options, &testing_err));
        assert_ok(fv_decode_read_info(&info, bytes, size, &options, &testing_err));
        assert_int_equal(info.width, whole.width);
        assert_int_equal(info.height, whole.height);
        for (int i = 0; i < parts; i++) {
            const fv_rect asked = draw_part(&r, whole.width, whole.height);
            fv_rect got = asked;
            assert_ok(fv_decode_part(&part, bytes, size, &options, &got, &testing_err));
            assert_true(got.x <= asked.x && got.y <= asked.y);
            assert_true(got.x + got.width >= asked.x + asked.width);
            assert_true(got.y + got.height >= asked.y + asked.height);
            assert_part(&whole, &part, got, name);
        }
    }
    fv_picture_deinit(&whole);
    fv_picture_deinit(&part);
}

static void test_kinds(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 160, 128 }, { 149, 117 }, { 35, 301 }, { 17, 3 }, { 1, 70 } };
    fv_picture p = { 0 };
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++) {
        for (size_t k = 0; k < FV_ARRAY_LEN(sizes); k++) {
            uint8_t *bytes;
            size_t size;
            testing_picture(&p, sizes[k][0], sizes[k][1], kinds[i].name);
            encode(&kinds[i], &p, &bytes, &size);
            check_file(bytes, size, kinds[i].name, PARTS);
            free(bytes);
        }
    }
    fv_picture_deinit(&p);
}

static void test_real_files(void **state)
{
    (void)state;
    const char *folder = testing_shared("assets/imagenet_mini_upright");
    if (!folder) skip();
    char list[512], path[640];
    snprintf(list, sizeof(list), "%s/val_list.txt", folder);
    char *text = NULL;
    size_t length = 0;
    assert_ok(fv_file_read(list, 1 << 20, &text, &length, &testing_err));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        char *bytes = NULL;
        size_t size = 0;
        snprintf(path, sizeof(path), "%s/%s", folder, strsep(&line, " \t"));
        assert_ok(fv_file_read(path, 1 << 24, &bytes, &size, &testing_err));
        check_file((const uint8_t *)bytes, size, path, 12);
        fv_free(bytes);
    }
    fv_free(text);
}

/* What is cut off at the end is missed, wherever the part lies. */
static void test_truncated(void **state)
{
    (void)state;
    fv_picture p = { 0 }, out = { 0 };
    testing_picture(&p, 149, 117, "truncated");
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++) {
        uint8_t *bytes;
        size_t size;
        encode(&kinds[i], &p, &bytes, &size);
        fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(kinds[i].name));
        for (size_t cut = 1; cut < size; cut += cut < 40 ? 1 : 97) {
            fv_error whole = { 0 }, error = { 0 };
            uint8_t *copy = malloc(size - cut);
            assert_non_null(copy);
            memcpy(copy, bytes, size - cut);
            fv_rect part = draw_part(&r, p.width, p.height);
            assert_int_not_equal(fv_decode(&out, copy, size - cut, NULL, &whole), FV_OK);
            assert_int_not_equal(fv_decode_part(&out, copy, size - cut, NULL, &part, &error),
                                 FV_OK);
            assert_string_equal(error.message, whole.message);
            free(copy);
        }
        free(bytes);
    }
    fv_picture_deinit(&p);
    fv_picture_deinit(&out);
}

/* What can be decoded as a whole can be in parts, and gives the same bytes, damaged as it is. */
static void test_damaged(void **state)
{
    (void)state;
    fv_picture p = { 0 }, whole = { 0 }, out = { 0 };
    testing_picture(&p, 93, 77, "damaged");
    int read = 0;
    for (size_t i = 0; i < FV_ARRAY_LEN(kinds); i++) {
        uint8_t *bytes;
        size_t size;
        encode(&kinds[i], &p, &bytes, &size);
        fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(kinds[i].name));
        for (int round = 0; round < 150; round++) {
            uint8_t *copy = malloc(size);
            assert_non_null(copy);
            memcpy(copy, bytes, size);
            for (int k = fv_random_int(&r, 1, 4); k > 0; k--)
                copy[fv_random_int(&r, 2, (int)size - 1)] = (uint8_t)fv_random_u32(&r);
            const fv_status status = fv_decode(&whole, copy, size, NULL, &testing_err);
            fv_rect part = status == FV_OK ? draw_part(&r, whole.width, whole.height)
                                           : draw_part(&r, p.width, p.height);
            fv_decode_info info;
            const bool fits = fv_decode_read_info(&info, copy, size, NULL, &testing_err) == FV_OK &&
                              part.x + part.width <= info.width &&
                              part.y + part.height <= info.height;
            if (fits && fv_decode_part(&out, copy, size, NULL, &part, &testing_err) == FV_OK) {
                if (status == FV_OK) assert_part(&whole, &out, part, kinds[i].name);
                read++;
            } else {
                assert_int_not_equal(status, FV_OK);
            }
            free(copy);
        }
        free(bytes);
    }
    assert_true(read > 1000);
    fv_picture_deinit(&p);
    fv_picture_deinit(&whole);
    fv_picture_deinit(&out);
}

/* Formats and turned pictures of which only the whole can be made. */
static void test_whole(void **state)
{
    (void)state;
    fv_picture p = { 0 }, out = { 0 };
    uint8_t *bytes = NULL;
    size_t size = 0;
    testing_picture(&p, 30, 20, "whole");
    assert_ok(fv_encode_png(&p, &bytes, &size, &testing_err));
    fv_decode_info info;
    assert_ok(fv_decode_read_info(&info, bytes, size, NULL, &testing_err));
    assert_int_equal(info.width, 30);
    assert_int_equal(info.height, 20);
    assert_false(info.shrinks);
    fv_rect part = { 3, 4, 5, 6 };
    assert_ok(fv_decode_part(&out, bytes, size, NULL, &part, &testing_err));
    assert_memory_equal(&part, &((fv_rect){ 0, 0, 30, 20 }), sizeof(part));
    assert_part(&p, &out, part, "png");
    fv_free(bytes);

    /* Orientation 6, with EXIF data behind the first two bytes. */
    static const uint8_t exif[] = { 0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,    'M', 'M',
                                    0,    42,   0, 0,  0,   8,   0,   1,   1, 0x12, 0,   3,
                                    0,    0,    0, 1,  0,   6,   0,   0,   0, 0,    0,   0 };
    testing_jpeg(&p, true, &bytes, &size);
    uint8_t *turned = malloc(size + sizeof(exif));
    assert_non_null(turned);
    memcpy(turned, bytes, 2);
    memcpy(turned + 2, exif, sizeof(exif));
    memcpy(turned + 2 + sizeof(exif), bytes + 2, size - 2);
    fv_free(bytes);
    const fv_decode_options options = { .apply_exif = true };
    assert_ok(fv_decode_read_info(&info, turned, size + sizeof(exif), &options, &testing_err));
    assert_int_equal(info.width, 20);
    assert_int_equal(info.height, 30);
    assert_true(info.shrinks);
    part = (fv_rect){ 3, 4, 5, 6 };
    assert_ok(fv_decode_part(&out, turned, size + sizeof(exif), &options, &part, &testing_err));
    assert_memory_equal(&part, &((fv_rect){ 0, 0, 20, 30 }), sizeof(part));
    assert_int_equal(out.width, 20);
    assert_int_equal(out.height, 30);
    free(turned);
    fv_picture_deinit(&p);
    fv_picture_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),     cmocka_unit_test(test_real_files),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
