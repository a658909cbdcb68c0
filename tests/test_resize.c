/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "picture_testing.h"

#include "base/compiler.h"
#include "data/resize_impl.h"

#include <math.h>
#include <stdlib.h>

enum { W = 53, H = 41 };

/* Noise that Python can make too: the high byte of i * 2654435761 modulo 2^32. */
static void make_noise(fv_picture *p)
{
    assert_ok(fv_picture_reserve(p, W, H, &testing_err));
    for (uint32_t i = 0; i < W * H * 3; i++) p->data[i] = (uint8_t)(i * 2654435761u >> 24);
}

static uint32_t crc_of(const fv_picture *p)
{
    return testing_crc32(p->data, (size_t)p->width * (size_t)p->height * 3);
}

typedef struct fixture {
    fv_resizer resizer;
    fv_picture in, out;
} fixture;

static void open_fixture(fixture *f)
{
    *f = (fixture){ 0 };
    make_noise(&f->in);
}

static void close_fixture(fixture *f)
{
    fv_picture_deinit(&f->in);
    fv_picture_deinit(&f->out);
    fv_resizer_deinit(&f->resizer);
}

static const fv_rect whole = { 0, 0, W, H };

/* Of a part of the fixture's picture. */
static fv_status resize(fixture *f, fv_rect rect, int width, int height, fv_profile profile,
                        fv_filter filter)
{
    const fv_resize_job job = { .in = &f->in,
                                .rect = rect,
                                .width = width,
                                .height = height,
                                .profile = profile,
                                .filter = filter,
                                .out = &f->out };
    return fv_resize(&f->resizer, &job, &testing_err);
}

/* CRC-32 of what Pillow 13.0.0 (horizontally, then vertically) and OpenCV 5.0.0 (without IPP) make
 * of the noise; compare_resize.py compares many more. */
static void test_references(void **state)
{
    (void)state;
    static const int sizes[3][2] = { { 31, 17 }, { 97, 60 }, { 20, 70 } };
    static const struct {
        fv_profile profile;
        fv_filter filter;
        uint32_t crc[3];
    } table[] = {
        { FV_PILLOW, FV_NEAREST, { 0x5963b9e8, 0x5672626f, 0x2f463988 } },
        { FV_PILLOW, FV_BILINEAR, { 0x66970a92, 0xbb912be4, 0x4bb1e327 } },
        { FV_PILLOW, FV_BICUBIC, { 0xa9d6b295, 0x914ebe87, 0x8063fa1e } },
        { FV_PILLOW, FV_BOX, { 0x7b1aac54, 0x5672626f, 0xd4b16a3a } },
        { FV_PILLOW, FV_HAMMING, { 0x9299bb1c, 0xdd52b1f3, 0xdc076275 } },
        { FV_PILLOW, FV_LANCZOS, { 0x342a7e2e, 0xe8547667, 0x5a5088e4 } },
        { FV_OPENCV, FV_NEAREST, { 0x219e5391, 0xb4da99a3, 0xdeb1e880 } },
        { FV_OPENCV, FV_BILINEAR, { 0x4435d6c1, 0x0bdf6944, 0xc5f2b501 } },
        { FV_OPENCV, FV_BICUBIC, { 0x6bd9bc5c, 0x32267ffc, 0x92e6857d } },
        { FV_OPENCV, FV_AREA, { 0x32722932, 0x1a76c3be, 0x99aebcfd } },
    };
    fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        for (int k = 0; k < 3; k++) {
            assert_ok(
                resize(&f, whole, sizes[k][0], sizes[k][1], table[i].profile, table[i].filter));
            assert_int_equal(f.out.width, sizes[k][0]);
            if (crc_of(&f.out) != table[i].crc[k]) {
                fail_msg("%s %s to %d x %d: 0x%08x", fv_profile_name(table[i].profile),
                         fv_filter_name(table[i].filter), sizes[k][0], sizes[k][1], crc_of(&f.out));
            }
        }
    }
    /* Halving both sides, and whole blocks. */
    assert_ok(resize(&f, (fv_rect){ 0, 0, 52, 40 }, 26, 20, FV_OPENCV, FV_BILINEAR));
    assert_int_equal(crc_of(&f.out), 0xc0079c4a);
    assert_ok(resize(&f, (fv_rect){ 0, 0, 52, 39 }, 13, 13, FV_OPENCV, FV_AREA));
    assert_int_equal(crc_of(&f.out), 0xa0de5f0d);
    close_fixture(&f);
}

/* Short side to 256, centre 224, of six real pictures: a difference of 0 in every byte. */
static void test_conformance(void **state)
{
    (void)state;
    const char *shared = testing_shared("conformance/preprocess");
    if (!shared) skip();
    char root[400], path[512];
    snprintf(root, sizeof(root), "%s", shared);
    snprintf(path, sizeof(path), "%s/index.tsv", root);
    char *text = NULL, *golden = NULL;
    size_t size = 0;
    assert_ok(fv_file_read(path, 1 << 20, &text, &size, &testing_err));
    fixture f;
    open_fixture(&f);
    char *rest = text;
    strsep(&rest, "\n");
    int count = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line; count++) {
        char *field[12];
        for (int i = 0; i < 12; i++) field[i] = strsep(&line, "\t");
        const bool opencv = strncmp(field[6], "cv", 2) == 0;
        const fv_decode_options decoding = { .apply_exif = opencv };
        snprintf(path, sizeof(path), "%s/%s", root, field[1]);
        assert_ok(fv_decode_file(&f.in, path, &decoding, &testing_err));
        const fv_resize_job job = { .in = &f.in,
                                    .rect = { 0, 0, f.in.width, f.in.height },
                                    .width = atoi(field[7]),
                                    .height = atoi(field[8]),
                                    .filter =
                                        strstr(field[6], "bicubic") ? FV_BICUBIC : FV_BILINEAR,
                                    .profile = opencv ? FV_OPENCV : FV_PILLOW,
                                    .window = { atoi(field[9]), atoi(field[10]), 224, 224 },
                                    .out = &f.out };
        assert_ok(fv_resize(&f.resizer, &job, &testing_err));
        snprintf(path, sizeof(path), "%s/%s", root, field[11]);
        assert_ok(fv_file_read(path, 1 << 20, &golden, &size, &testing_err));
        assert_int_equal(size, 224 * 224 * 3);
        if (memcmp(golden, f.out.data, size) != 0) fail_msg("%s differs", field[11]);
        fv_free(golden);
    }
    assert_int_equal(count, 18);
    fv_free(text);
    close_fixture(&f);
}

typedef void check_fn(fixture *f, fv_random *r, fv_profile profile, fv_filter filter);

static void for_all_filters(const char *name, int rounds, check_fn *check)
{
    static const fv_filter opencv[] = { FV_NEAREST, FV_BILINEAR, FV_BICUBIC, FV_AREA };
    fixture f;
    open_fixture(&f);
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(name));
    for (int i = 0; i < rounds; i++) {
        for (int k = FV_NEAREST; k <= FV_LANCZOS; k++) check(&f, &r, FV_PILLOW, (fv_filter)k);
        for (size_t k = 0; k < FV_ARRAY_LEN(opencv); k++) check(&f, &r, FV_OPENCV, opencv[k]);
    }
    close_fixture(&f);
}

static fv_rect draw_rect(fv_random *r, int width, int height)
{
    fv_rect rect;
    rect.x = fv_random_int(r, 0, width - 1);
    rect.y = fv_random_int(r, 0, height - 1);
    rect.width = fv_random_int(r, 1, width - rect.x);
    rect.height = fv_random_int(r, 1, height - rect.y);
    return rect;
}

/* A window has the bytes of the whole; cutting out first is as if the part were the picture. */
static void check_window(fixture *f, fv_random *r, fv_profile profile, fv_filter filter)
{
    fv_picture part = { 0 }, out = { 0 };
    fv_resize_job job = {
        .in = &f->in, .rect = draw_rect(r, W, H), .filter = filter, .out = &f->out
    };
    job.width = fv_random_int(r, 0, 3) ? fv_random_int(r, 1, 90) : job.rect.width;
    job.height = fv_random_int(r, 0, 3) ? fv_random_int(r, 1, 90) : job.rect.height;
    job.window = draw_rect(r, job.width, job.height);
    job.profile = profile;
    assert_ok(fv_resize(&f->resizer, &job, &testing_err));

    assert_ok(fv_picture_reserve(&part, job.rect.width, job.rect.height, &testing_err));
    for (int y = 0; y < part.height; y++) {
        memcpy(part.data + y * part.width * 3, f->in.data + ((job.rect.y + y) * W + job.rect.x) * 3,
               (size_t)part.width * 3);
    }
    testing_resize(&part, job.width, job.height, profile, filter, &out);
    for (int y = 0; y < job.window.height; y++) {
        const uint8_t *wanted = out.data + ((job.window.y + y) * job.width + job.window.x) * 3;
        assert_memory_equal(f->out.data + y * job.window.width * 3, wanted,
                            (size_t)job.window.width * 3);
    }
    fv_picture_deinit(&part);
    fv_picture_deinit(&out);
}

static void test_windows(void **state)
{
    (void)state;
    for_all_filters("windows", 40, check_window);
}

/* What a job reaches is enough, and no pixel beside it changes anything. */
static void check_reach(fixture *f, fv_random *r, fv_profile profile, fv_filter filter)
{
    fv_picture part = { 0 }, out = { 0 };
    fv_resize_job job = { .in = &f->in,
                          .rect = draw_rect(r, W, H),
                          .width = fv_random_int(r, 1, 90),
                          .height = fv_random_int(r, 1, 90),
                          .profile = profile,
                          .filter = filter,
                          .out = &f->out };
    job.window = draw_rect(r, job.width, job.height);
    assert_ok(fv_resize(&f->resizer, &job, &testing_err));

    const fv_rect reach = fv_resize_reach(&job);
    assert_true(reach.x >= job.rect.x && reach.y >= job.rect.y);
    assert_true(reach.x + reach.width <= job.rect.x + job.rect.width);
    assert_true(reach.y + reach.height <= job.rect.y + job.rect.height);
    job.held = reach; /* and now and then a bit more */
    job.held.x = fv_random_int(r, 0, reach.x);
    job.held.width += reach.x - job.held.x;
    assert_ok(fv_picture_reserve(&part, job.held.width, job.held.height, &testing_err));
    const size_t row = (size_t)part.width * 3;
    for (int y = 0; y < part.height; y++)
        memcpy(part.data + (size_t)y * row, f->in.data + ((job.held.y + y) * W + job.held.x) * 3,
               row);
    job.in = &part;
    job.out = &out;
    assert_ok(fv_resize(&f->resizer, &job, &testing_err));
    assert_memory_equal(out.data, f->out.data, (size_t)out.width * (size_t)out.height * 3);
    fv_picture_deinit(&part);
    fv_picture_deinit(&out);
}

static void test_reach(void **state)
{
    (void)state;
    for_all_filters("reach", 60, check_reach);
}

/* What the processor's vector code makes is what plain code makes. */
static void check_variants(fixture *f, fv_random *r, fv_profile profile, fv_filter filter)
{
    const int width = fv_random_int(r, 1, 90), height = fv_random_int(r, 1, 90);
    const fv_rect rect = draw_rect(r, W, H);
    assert_ok(resize(f, rect, width, height, profile, filter));
    const uint32_t crc = crc_of(&f->out);
    fv_resizer_deinit(&f->resizer); /* which forgets the processor */
    assert_int_equal(setenv("FOVEA_CPU", "scalar", 1), 0);
    const fv_status status = resize(f, rect, width, height, profile, filter);
    assert_int_equal(unsetenv("FOVEA_CPU"), 0);
    fv_resizer_deinit(&f->resizer);
    assert_ok(status);
    assert_int_equal(crc_of(&f->out), crc);
}

static void test_variants(void **state)
{
    (void)state;
    for_all_filters("variants", 40, check_variants);
}

static void check_constant(fixture *f, fv_random *r, fv_profile profile, fv_filter filter)
{
    fv_picture flat = { 0 };
    assert_ok(
        fv_picture_reserve(&flat, fv_random_int(r, 1, 70), fv_random_int(r, 1, 70), &testing_err));
    const uint8_t value = (uint8_t)fv_random_int(r, 0, 255);
    memset(flat.data, value, (size_t)flat.width * (size_t)flat.height * 3);
    testing_resize(&flat, fv_random_int(r, 1, 70), fv_random_int(r, 1, 70), profile, filter,
                   &f->out);
    for (int i = 0; i < f->out.width * f->out.height * 3; i++) {
        assert_int_equal(f->out.data[i], value);
    }
    fv_picture_deinit(&flat);
}

static void test_constant(void **state)
{
    (void)state;
    for_all_filters("constant", 20, check_constant);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        fv_profile profile;
        fv_filter filter;
        fv_rect rect;
        int width, height;
        const char *message;
    } table[] = {
        { FV_PILLOW, FV_AREA, { 0, 0, W, H }, 9, 9, "resize: profile pillow has no filter area" },
        { FV_OPENCV,
          FV_LANCZOS,
          { 0, 0, W, H },
          9,
          9,
          "resize: profile opencv has no filter lanczos" },
        { FV_OPENCV,
          FV_BILINEAR,
          { 1, 0, W, H },
          9,
          9,
          "resize: the part 53 x 41 at (1, 0) is empty or not inside 53 x 41" },
        { FV_OPENCV,
          FV_BILINEAR,
          { 3, 0, 0, H },
          9,
          9,
          "resize: the part 0 x 41 at (3, 0) is empty or not inside 53 x 41" },
        { FV_PILLOW,
          FV_BILINEAR,
          { 0, 0, W, H },
          0,
          9,
          "resize: cannot make 0 x 9 pixels: sides are 1 to 16777216" },
        { FV_PILLOW,
          FV_BILINEAR,
          { 0, 0, W, H },
          20000,
          20000,
          "resize: 53 x 41 to 20000 x 20000 pixels: more than 178956970 in all, crop first" },
    };
    fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        assert_int_not_equal(resize(&f, table[i].rect, table[i].width, table[i].height,
                                    table[i].profile, table[i].filter),
                             FV_OK);
        assert_string_equal(testing_err.message, table[i].message);
    }
    close_fixture(&f);
}

static void test_too_little_is_held(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    const fv_resize_job job = { .in = &f.in,
                                .held = { 7, 9, W, H },
                                .rect = { 0, 0, 70, 60 },
                                .width = 35,
                                .height = 30,
                                .filter = FV_BILINEAR,
                                .window = { 4, 8, 10, 10 },
                                .out = &f.out };
    assert_int_equal(fv_resize(&f.resizer, &job, &testing_err), FV_ERR_SHAPE);
    assert_string_equal(testing_err.message, "resize: of a picture 53 x 41 at (7, 9) is held, 28 x "
                                             "28 at (4, 12) is needed");
    close_fixture(&f);
}

/* 5000 x 3 with its short side to 256 has 426667 x 256 pixels; the crop is all that is made. */
static void test_strip(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f);
    fv_picture strip = { 0 };
    testing_noise(&strip, 5000, 3, "strip");
    fv_resize_job job = { .in = &strip,
                          .rect = { 0, 0, 5000, 3 },
                          .width = 426667,
                          .height = 256,
                          .filter = FV_BILINEAR,
                          .window = { 213221, 16, 224, 224 },
                          .out = &f.out };
    for (int profile = FV_PILLOW; profile <= FV_OPENCV; profile++) {
        job.profile = (fv_profile)profile;
        assert_ok(fv_resize(&f.resizer, &job, &testing_err));
    }
    assert_true(f.out.capacity + f.resizer.bytes < 2 << 20);
    fv_picture_deinit(&strip);
    close_fixture(&f);
}

static void check_memory(fixture *f, fv_random *r, fv_profile profile, fv_filter filter)
{
    (void)r;
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_resizer_deinit(&f->resizer);
        fv_picture_deinit(&f->out);
        fv_alloc_fail_at(n);
        status = resize(f, whole, 20, 20, profile, filter);
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
        assert_true(n < 4);
    }
    /* Warm: nothing is allocated any more. */
    const size_t before = fv_alloc_count();
    assert_ok(resize(f, whole, 20, 20, profile, filter));
    assert_int_equal(fv_alloc_count(), before);
}

static void test_memory(void **state)
{
    (void)state;
    for_all_filters("memory", 1, check_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_conformance),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_strip),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_too_little_is_held),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
