/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "picture_testing.h"

#include "base/compiler.h"

#include <math.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

/* ---- Whole files ---- */

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

/* A JPEG as `tune` wants it: libjpeg's compressor, from the rows of a picture with `components`. */
static bytes make_jpeg(const uint8_t *pixels, int width, int height, int components,
                       J_COLOR_SPACE space, void (*tune)(j_compress_ptr))
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &size);
    c.image_width = (JDIMENSION)width;
    c.image_height = (JDIMENSION)height;
    c.input_components = components;
    c.in_color_space = space;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 100, TRUE);
    if (tune) tune(&c);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        const size_t row = c.next_scanline * (size_t)width * (size_t)components;
        uint8_t copy[4096];
        assert_true((size_t)width * (size_t)components <= sizeof(copy));
        memcpy(copy, pixels + row, (size_t)width * (size_t)components);
        JSAMPROW rows[1] = { copy };
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    const bytes b = { out, size };
    return b;
}

static void png_append(png_structp png, png_bytep data, size_t size)
{
    bytes *b = png_get_io_ptr(png);
    b->data = realloc(b->data, b->size + size);
    assert_non_null(b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void png_flush_nothing(png_structp png) { (void)png; }

static bytes make_png(const uint8_t *rows, size_t row_bytes, int width, int height, int depth,
                      int type, bool interlaced)
{
    static const png_color palette[4] = {
        { 1, 2, 3 }, { 40, 50, 60 }, { 255, 0, 7 }, { 9, 99, 199 }
    };
    bytes b = { 0 };
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &b, png_append, png_flush_nothing);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, depth, type,
                 interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 4);
    png_write_info(png, info);
    const int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < height; y++) png_write_row(png, rows + (size_t)y * row_bytes);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return b;
}

/* ---- The shared collection of damaged and odd files ---- */

static void check_means(const fv_picture *p, const double wanted[3], const char *file)
{
    for (int c = 0; c < 3; c++) {
        double sum = 0.0;
        for (int i = 0; i < p->width * p->height; i++) sum += p->data[i * 3 + c];
        const double mean = sum / ((double)p->width * p->height);
        if (fabs(mean - wanted[c]) > 2.0) {
            fail_msg("%s: mean of channel %d is %.1f, not %.1f", file, c, mean, wanted[c]);
        }
    }
}

/* Pillow takes all CMYK for Adobe's, inverted; this one says that it is not, so it has the colours
 * of its twin. */
static const char not_inverted[] = "cmyk_no_adobe.jpg";

static void check_bad_image(const char *root, char *line)
{
    char *fields[6];
    char *rest = line;
    for (int i = 0; i < 6; i++) fields[i] = strsep(&rest, "\t");
    const char *file = fields[0], *expect = fields[2];
    double means[3] = { atof(fields[3]), atof(fields[4]), atof(fields[5]) };
    if (strcmp(file, not_inverted) == 0) means[0] = 157.4, means[1] = 152.6, means[2] = 144.5;

    char path[512];
    snprintf(path, sizeof(path), "%s/%s", root, file);
    fv_picture p = { 0 };
    fv_error err = { 0 };
    const fv_status status = fv_decode_file(&p, path, NULL, &err);
    if (status != FV_OK) {
        assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
        assert_int_equal(err.message[strlen(path)], ':');
    }
    const bool other_format = strstr(err.message, "only JPEG and PNG are read") != NULL;
    const bool may_fail =
        strncmp(expect, "OK_OR", 5) == 0 || (strcmp(expect, "OK_IF_FORMAT") == 0 && other_format);
    if (strcmp(expect, "ERROR") == 0 && status == FV_OK) fail_msg("%s: was decoded", file);
    if (strcmp(expect, "ERROR") != 0 && !may_fail && status != FV_OK) fail_msg("%s", err.message);
    const bool damaged = strncmp(file, "fuzz/", 5) == 0;
    if (status == FV_OK && fields[3][0] != '-' && !damaged) check_means(&p, means, file);
    fv_picture_deinit(&p);
}

static void test_bad_images(void **state)
{
    (void)state;
    const char *shared = testing_shared("assets/bad_images");
    if (!shared) skip();
    char root[400], path[512];
    snprintf(root, sizeof(root), "%s", shared);
    snprintf(path, sizeof(path), "%s/index.tsv", root);
    char *text = NULL;
    size_t size = 0;
    assert_ok(fv_file_read(path, 1 << 20, &text, &size, &testing_err));
    int files = 0;
    char *rest = text;
    strsep(&rest, "\n"); /* the header */
    for (char *line; (line = strsep(&rest, "\n")) && *line; files++) check_bad_image(root, line);
    fv_free(text);
    assert_true(files > 150);
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        const char *file, *message;
    } table[] = {
        { "zero_byte.jpg", "empty file" },
        { "one_byte.jpg", "neither JPEG nor PNG: a single byte" },
        { "zeros.jpg", "neither JPEG nor PNG: it begins with the bytes 00 00" },
        { "text.jpg", "this is text: only JPEG and PNG are read" },
        { "html_error_page.jpg", "this is a web page or XML: only JPEG and PNG are read" },
        { "gif_as.jpg", "this is a GIF file: only JPEG and PNG are read" },
        { "bmp_as.jpg", "this is a BMP file: only JPEG and PNG are read" },
        { "webp_as.jpg", "this is a WebP file: only JPEG and PNG are read" },
        { "tiff_as.jpg", "this is a TIFF file: only JPEG and PNG are read" },
        { "trunc_50pct.jpg", "jpeg: truncated: the file ends before the picture" },
        { "trunc_no_eoi.jpg", "jpeg: truncated: the file ends before the picture" },
        { "claims_65500x65500.jpg", "claims 65500 x 65500 pixels: the limit is 178956970 in all" },
        { "bad_huff_counts.jpg", "jpeg: bogus Huffman table definition" },
        { "twelve_bit.jpg", "jpeg: unsupported JPEG data precision 12" },
        { "png_claims_60000x60000.png",
          "claims 60000 x 60000 pixels: the limit is 178956970 in all" },
        { "png_truncated.png", "png: truncated: the file ends too early" },
        { "png_bad_ihdr_crc.png", "png: IHDR: CRC error" },
    };
    const char *shared = testing_shared("assets/bad_images");
    if (!shared) skip();
    char root[400], path[512], wanted[1024];
    snprintf(root, sizeof(root), "%s", shared);
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        fv_picture p = { 0 };
        fv_error err = { 0 };
        snprintf(path, sizeof(path), "%s/%s", root, table[i].file);
        snprintf(wanted, sizeof(wanted), "%s: %s", path, table[i].message);
        assert_int_not_equal(fv_decode_file(&p, path, NULL, &err), FV_OK);
        assert_string_equal(err.message, wanted);
        fv_picture_deinit(&p);
    }
}

/* CRC-32 of the pixels of real files, from libjpeg-turbo 2.1.5 with its defaults. */
static void test_real_files(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint32_t crc;
    } table[] = {
        { "n01871265_tusker.JPEG", 0x1e5077af },
        { "n02091032_Italian_greyhound.JPEG", 0x04498c8b },
        { "n02100877_Irish_setter.JPEG", 0x2faed5db },
        { "n02815834_beaker.JPEG", 0xf717c571 },
        { "n02951585_can_opener.JPEG", 0x5b24ff92 },
        { "n04429376_throne.JPEG", 0x5e8ce9bd },
    };
    const char *shared = testing_shared("conformance/preprocess");
    if (!shared) skip();
    char root[400], path[512];
    snprintf(root, sizeof(root), "%s", shared);
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        fv_picture p = { 0 };
        snprintf(path, sizeof(path), "%s/%s", root, table[i].file);
        assert_ok(fv_decode_file(&p, path, NULL, &testing_err));
        const size_t size = (size_t)p.width * (size_t)p.height * 3;
        assert_int_equal(testing_crc32(p.data, size), table[i].crc);
        fv_picture_deinit(&p);
    }
}

/* ---- JPEG ---- */

static void expect_error(const uint8_t *data, size_t size, const fv_decode_options *options,
                         const char *message)
{
    fv_picture p = { 0 };
    fv_error err = { 0 };
    assert_int_equal(fv_decode(&p, data, size, options, &err), FV_ERR_FORMAT);
    assert_string_equal(err.message, message);
    fv_picture_deinit(&p);
}

/* Puts an APP1 segment with the orientation behind SOI. */
static bytes with_orientation(bytes jpeg, int orientation, bool big)
{
    static const uint8_t exif_little[] = { 0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0,    0, 'I', 'I',
                                           42,   0,    8, 0,  0,   0,   1,   0,   0x12, 1, 3,   0,
                                           1,    0,    0, 0,  0,   0,   0,   0,   0,    0, 0,   0 };
    static const uint8_t exif_big[] = { 0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,    'M', 'M',
                                        0,    42,   0, 0,  0,   8,   0,   1,   1, 0x12, 0,   3,
                                        0,    0,    0, 1,  0,   0,   0,   0,   0, 0,    0,   0 };
    const size_t extra = sizeof(exif_little);
    bytes b = { malloc(jpeg.size + extra), jpeg.size + extra };
    assert_non_null(b.data);
    memcpy(b.data, jpeg.data, 2);
    memcpy(b.data + 2, big ? exif_big : exif_little, extra);
    b.data[2 + (big ? 29 : 28)] = (uint8_t)orientation;
    memcpy(b.data + 2 + extra, jpeg.data + 2, jpeg.size - 2);
    return b;
}

/* Where the first and the last pixel of the first stored row are shown, as EXIF defines it:
 * corner 0 is top left, 1 top right, 2 bottom left, 3 bottom right. */
static void test_orientation(void **state)
{
    (void)state;
    static const int corners[9][2] = { { 0, 1 }, { 0, 1 }, { 1, 0 }, { 3, 2 }, { 2, 3 },
                                       { 0, 2 }, { 1, 3 }, { 3, 1 }, { 2, 0 } };
    enum { W = 24, H = 16 };
    uint8_t pixels[W * H];
    for (int i = 0; i < W * H; i++) {
        const int x = i % W < W / 2 ? 0 : 1, y = i / W < H / 2 ? 0 : 1;
        pixels[i] = (uint8_t)(40 + 50 * (2 * y + x));
    }
    const bytes plain = make_jpeg(pixels, W, H, 1, JCS_GRAYSCALE, NULL);
    for (int orientation = 0; orientation <= 9; orientation++) {
        const bytes b = with_orientation(plain, orientation, orientation % 2);
        b.data[24 + orientation % 2] = (uint8_t)(orientation % 5); /* the type: of no account */
        const int *shown = corners[orientation <= 8 ? orientation : 0];
        const bool swapped = orientation >= 5 && orientation <= 8;
        fv_picture p = { 0 };
        const fv_decode_options options = { .apply_exif = true };
        assert_ok(fv_decode(&p, b.data, b.size, &options, &testing_err));
        assert_int_equal(p.width, swapped ? H : W);
        assert_int_equal(p.height, swapped ? W : H);
        for (int k = 0; k < 2; k++) {
            const int x = shown[k] % 2 ? p.width - 1 : 0, y = shown[k] / 2 ? p.height - 1 : 0;
            assert_in_range(p.data[(y * p.width + x) * 3], 40 + 50 * k - 3, 40 + 50 * k + 3);
        }
        assert_ok(fv_decode(&p, b.data, b.size, NULL, &testing_err));
        assert_int_equal(p.width, W);
        fv_picture_deinit(&p);
        free(b.data);
    }
    free(plain.data);
}

/* Adobe's inverted CMYK, as libjpeg writes it; and the same without the marker. */
static void test_cmyk(void **state)
{
    (void)state;
    enum { SIDE = 16 };
    uint8_t pixels[SIDE * SIDE * 4];
    for (size_t i = 0; i < sizeof(pixels); i += 4) {
        pixels[i] = 200, pixels[i + 1] = 100, pixels[i + 2] = 50, pixels[i + 3] = 204;
    }
    bytes b = make_jpeg(pixels, SIDE, SIDE, 4, JCS_CMYK, NULL);
    fv_picture p = { 0 };
    /* Light 204 of 255 over inks of 55, 155, 205: 204 - 204 * ink / 255. */
    assert_ok(fv_decode(&p, b.data, b.size, NULL, &testing_err));
    assert_int_equal(p.data[0], 160);
    assert_int_equal(p.data[1], 80);
    assert_int_equal(p.data[2], 40);

    for (size_t i = 0; i + 5 < b.size; i++) { /* no longer Adobe's */
        if (memcmp(b.data + i, "Adobe", 5) == 0) b.data[i] = 'a';
    }
    assert_ok(fv_decode(&p, b.data, b.size, NULL, &testing_err));
    assert_int_equal(p.data[0], 51 - 40);
    assert_int_equal(p.data[1], 51 - 20);
    assert_int_equal(p.data[2], 51 - 10);
    fv_picture_deinit(&p);
    free(b.data);
}

static void progressive(j_compress_ptr c) { jpeg_simple_progression(c); }

/* Two scans for each of 63 coefficients. */
static void many_scans(j_compress_ptr c)
{
    static jpeg_scan_info scans[127];
    int n = 0;
    scans[n++] = (jpeg_scan_info){ .comps_in_scan = 1 };
    for (int k = 1; k < 64; k++) {
        scans[n++] = (jpeg_scan_info){ .comps_in_scan = 1, .Ss = k, .Se = k, .Ah = 0, .Al = 1 };
    }
    for (int k = 1; k < 64; k++) {
        scans[n++] = (jpeg_scan_info){ .comps_in_scan = 1, .Ss = k, .Se = k, .Ah = 1, .Al = 0 };
    }
    c->scan_info = scans;
    c->num_scans = n;
}

static void test_limits(void **state)
{
    (void)state;
    enum { SIDE = 32 };
    uint8_t pixels[SIDE * SIDE * 3] = { 1, 2, 3 };
    bytes b = make_jpeg(pixels, SIDE, SIDE, 1, JCS_GRAYSCALE, many_scans);
    expect_error(b.data, b.size, NULL, "jpeg: more than 100 scans");
    const fv_decode_options small = { .max_pixels = SIDE * SIDE };
    expect_error(b.data, b.size, &small,
                 "jpeg: 32 x 32 pixels in more than 24 scans: that takes too long");
    free(b.data);

    b = make_jpeg(pixels, SIDE, SIDE, 3, JCS_RGB, progressive);
    fv_picture p = { 0 };
    assert_ok(fv_decode(&p, b.data, b.size, &small, &testing_err));
    fv_picture_deinit(&p);
    free(b.data);

    b = make_jpeg(pixels, SIDE, SIDE, 1, JCS_GRAYSCALE, NULL);
    const fv_decode_options few = { .max_pixels = SIDE * SIDE - 1 };
    expect_error(b.data, b.size, &few, "claims 32 x 32 pixels: the limit is 1023 in all");
    uint8_t *sof = memmem(b.data, b.size, "\xff\xc0", 2);
    assert_non_null(sof);
    sof[5] = sof[7] = 0x20; /* 8224 x 8224 */
    char message[128];
    snprintf(message, sizeof(message),
             "jpeg: claims 8224 x 8224 pixels, but has only %zu bytes of data", b.size);
    expect_error(b.data, b.size, NULL, message);
    free(b.data);
}

/* ---- PNG ---- */

static void check_png(bytes b, const uint8_t *wanted, size_t pixels)
{
    fv_picture p = { 0 };
    assert_ok(fv_decode(&p, b.data, b.size, NULL, &testing_err));
    assert_int_equal((size_t)p.width * (size_t)p.height, pixels);
    assert_memory_equal(p.data, wanted, pixels * 3);
    fv_picture_deinit(&p);
    free(b.data);
}

static void test_png_types(void **state)
{
    (void)state;
    static const uint8_t rgb[12] = { 1, 2, 3, 40, 50, 60, 255, 0, 7, 9, 99, 199 };
    static const uint8_t alpha[16] = { 1, 2, 3, 0, 40, 50, 60, 128, 255, 0, 7, 255, 9, 99, 199, 1 };
    static const uint8_t wide[24] = { 1,   255, 2, 255, 3, 255, 40, 200, 50, 0,  60,  0,
                                      255, 255, 0, 99,  7, 128, 9,  1,   99, 99, 199, 0 };
    static const uint8_t indexed[2] = { 0x10, 0xb0 }; /* 2 bits a pixel: 0 1, 2 3 */
    static const uint8_t gray[4] = { 0, 9, 128, 255 };
    static const uint8_t gray_alpha[8] = { 0, 7, 9, 0, 128, 255, 255, 1 };
    static const uint8_t gray_rgb[12] = { 0, 0, 0, 9, 9, 9, 128, 128, 128, 255, 255, 255 };
    static const uint8_t bits[2] = { 0x40, 0x80 };
    static const uint8_t bits_rgb[12] = { 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0 };
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        check_png(make_png(rgb, 6, 2, 2, 8, PNG_COLOR_TYPE_RGB, interlaced), rgb, 4);
        check_png(make_png(alpha, 8, 2, 2, 8, PNG_COLOR_TYPE_RGB_ALPHA, interlaced), rgb, 4);
        check_png(make_png(wide, 12, 2, 2, 16, PNG_COLOR_TYPE_RGB, interlaced), rgb, 4);
        check_png(make_png(indexed, 1, 2, 2, 2, PNG_COLOR_TYPE_PALETTE, interlaced), rgb, 4);
        check_png(make_png(gray, 2, 2, 2, 8, PNG_COLOR_TYPE_GRAY, interlaced), gray_rgb, 4);
        check_png(make_png(gray_alpha, 4, 2, 2, 8, PNG_COLOR_TYPE_GRAY_ALPHA, interlaced), gray_rgb,
                  4);
        check_png(make_png(bits, 1, 2, 2, 1, PNG_COLOR_TYPE_GRAY, interlaced), bits_rgb, 4);
    }
}

/* ---- Damage ---- */

/* Every truncation is an error; no flip may crash. Under the sanitizers this is the proof. */
static void batter(bytes b, size_t step, int flips)
{
    fv_picture p = { 0 };
    fv_error err;
    const fv_decode_options options = { .apply_exif = true, .max_pixels = 1 << 20 };
    assert_ok(fv_decode(&p, b.data, b.size, &options, &testing_err));
    uint8_t *copy = malloc(b.size);
    assert_non_null(copy);
    for (size_t n = 0; n < b.size; n += step) {
        uint8_t *exact = malloc(n ? n : 1); /* of its own, so that reading on is seen */
        assert_non_null(exact);
        memcpy(exact, b.data, n);
        assert_int_not_equal(fv_decode(&p, exact, n, &options, &err), FV_OK);
        free(exact);
    }
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, b.size);
    for (int i = 0; i < flips; i++) {
        memcpy(copy, b.data, b.size);
        const int count = fv_random_int(&r, 1, 4);
        for (int k = 0; k < count; k++) {
            const int at = fv_random_int(&r, 2, (int)b.size - 1);
            copy[at] ^= (uint8_t)(1 << fv_random_int(&r, 0, 7));
        }
        const fv_status status = fv_decode(&p, copy, b.size, &options, &err);
        assert_true(status == FV_OK || err.message[0]);
    }
    free(copy);
    fv_picture_deinit(&p);
    free(b.data);
}

static void arithmetic(j_compress_ptr c) { c->arith_code = TRUE; }

static void test_damage(void **state)
{
    (void)state;
    enum { W = 40, H = 30 };
    fv_picture p = { 0 };
    testing_picture(&p, W, H, "damage");
    bytes b = make_jpeg(p.data, W, H, 3, JCS_RGB, NULL);
    batter(with_orientation(b, 6, true), 3, 1500);
    free(b.data);
    batter(make_jpeg(p.data, W, H, 3, JCS_RGB, progressive), 7, 1500);
    batter(make_jpeg(p.data, W, H, 3, JCS_RGB, arithmetic), 7, 500);
    batter(make_jpeg(p.data, W / 2, H, 4, JCS_CMYK, NULL), 7, 500);
    batter(make_png(p.data, W * 3, W, H, 8, PNG_COLOR_TYPE_RGB, false), 7, 1500);
    batter(make_png(p.data, W / 2, W / 2, H, 8, PNG_COLOR_TYPE_GRAY, true), 7, 500);
    fv_picture_deinit(&p);
}

/* ---- Memory ---- */

static void test_out_of_memory(void **state)
{
    (void)state;
    enum { W = 16, H = 8 };
    fv_picture p = { 0 }, out = { 0 };
    testing_picture(&p, W, H, "memory");
    const bytes cmyk = make_jpeg(p.data, W / 2, H, 4, JCS_CMYK, NULL);
    const bytes turned = with_orientation(cmyk, 3, false);
    const fv_decode_options options = { .apply_exif = true };
    fv_error err = { 0 };
    size_t n = 1;
    for (;; n++) {
        fv_alloc_fail_at(n);
        const fv_status status = fv_decode(&out, turned.data, turned.size, &options, &err);
        fv_alloc_fail_at(0);
        fv_picture_deinit(&out);
        if (status == FV_OK) break;
        assert_int_equal(status, FV_ERR_NOMEM);
    }
    assert_int_equal(n, 3); /* the picture and rows of ink, the turned picture */
    free(turned.data);
    free(cmyk.data);

    assert_int_equal(fv_picture_reserve(&out, 0, 5, &err), FV_ERR_SHAPE);
    assert_string_equal(err.message, "a picture of 0 x 5 pixels is empty");
    fv_picture_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_images),    cmocka_unit_test(test_messages),
        cmocka_unit_test(test_real_files),    cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_cmyk),          cmocka_unit_test(test_limits),
        cmocka_unit_test(test_png_types),     cmocka_unit_test(test_damage),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
