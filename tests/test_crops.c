/* SPDX-License-Identifier: Apache-2.0 */
/* From file to crop: what Pillow and OpenCV made of the odd files in golden/pictures, as
 * compare_pictures.py --golden wrote it down; and ImageNet's odd files by their names. */
#include "testing.h"

#include "pipeline_testing.h"

#include "base/compiler.h"
#include "data/loader.h"

enum { WIDTH = 24, HEIGHT = 20, BYTES = WIDTH * HEIGHT * 3 };

static const char operations[] =
    "- DecodeImage: {backend: %s}\n"
    "- ResizeImage: {backend: %s, interpolation: %s, rounding: %s, resize_short: %d}\n"
    "- CropImage: {size: [24, 20], rounding: %s}\n"
    "- NormalizeImage: {mean: 0, std: 1}\n";

/* One line of crops.tsv. */
typedef struct golden_case {
    const char *file, *backend, *filter, *rounding;
    int resize_short;
} golden_case;

static void make_crop(const golden_case *c, const uint8_t *file, size_t size, uint8_t *out)
{
    static run r;
    char ops[512];
    snprintf(ops, sizeof(ops), operations, c->backend, c->backend, c->filter, c->rounding,
             c->resize_short, c->rounding);
    open_run(&r, ops);
    assert_int_equal(r.width, WIDTH);
    assert_int_equal(r.height, HEIGHT);
    fv_random random = fv_random_stream(1, FV_RANDOM_TEST, 0, 0);
    assert_ok(fv_pipeline_run(r.pipeline, r.scratch, file, size, &random, r.out, &testing_err));
    fv_pipeline_restore(r.pipeline, r.out, out);
    close_run(&r);
}

/* "golden/crops/420.png" for 420.jpg: the crops of a picture, one below the other. */
static void read_golden(const char *file, fv_picture *column)
{
    char path[128];
    const int stem = (int)(strrchr(file, '.') - file);
    snprintf(path, sizeof(path), "golden/crops/%.*s.png", stem, file);
    assert_ok(fv_decode_file(column, path, NULL, &testing_err));
    assert_int_equal(column->width, WIDTH);
}

static int largest_difference(const uint8_t *a, const uint8_t *b)
{
    int largest = 0;
    for (int i = 0; i < BYTES; i++) largest = fv_max(largest, abs(a[i] - b[i]));
    return largest;
}

static void read_picture(const char *name, char **bytes, size_t *size)
{
    char path[128];
    snprintf(path, sizeof(path), "golden/pictures/%s", name);
    assert_ok(fv_file_read(path, 1 << 20, bytes, size, &testing_err));
}

static void test_golden(void **state)
{
    (void)state;
    char *text = NULL, *file = NULL, name[64] = "";
    size_t size = 0, file_size = 0;
    fv_picture column = { 0 };
    int row = 0, count = 0;
    assert_ok(fv_file_read("golden/crops/crops.tsv", 1 << 16, &text, &size, &testing_err));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line; row++, count++) {
        golden_case c = { .file = strsep(&line, "\t") };
        c.backend = strsep(&line, "\t");
        c.filter = strsep(&line, "\t");
        c.rounding = strsep(&line, "\t");
        c.resize_short = atoi(line);
        if (strcmp(name, c.file) != 0) {
            assert_int_equal(row * HEIGHT, column.height); /* all crops were looked at */
            fv_free(file);
            snprintf(name, sizeof(name), "%s", c.file);
            read_picture(name, &file, &file_size);
            read_golden(name, &column);
            row = 0;
        }
        uint8_t crop[BYTES];
        assert_true((row + 1) * HEIGHT <= column.height);
        make_crop(&c, (const uint8_t *)file, file_size, crop);
        const int difference = largest_difference(crop, column.data + (size_t)row * BYTES);
        if (difference)
            fail_msg("%s %s %s %s %d: differs by %d", c.file, c.backend, c.filter, c.rounding,
                     c.resize_short, difference);
    }
    assert_int_equal(count, 88);
    fv_picture_deinit(&column);
    fv_free(file);
    fv_free(text);
}

/* ---- ImageNet's odd files ---- */

/* The 22 of the training set that hold inks, and the one that is a PNG. */
static const char *const imagenet_inks[] = {
    "n01739381_1309",  "n02077923_14822", "n02447366_23489", "n02492035_15739", "n02747177_10752",
    "n03018349_4028",  "n03062245_4620",  "n03347037_9675",  "n03467068_12171", "n03529860_11437",
    "n03544143_17228", "n03633091_5218",  "n03710637_5125",  "n03961711_5286",  "n04033995_2932",
    "n04258138_17003", "n04264628_27969", "n04336792_7448",  "n04371774_5854",  "n04596742_4225",
    "n07583066_647",   "n13037406_4650"
};
static const char imagenet_png[] = "n02105855_2933";

enum { IMAGENET_ODD = FV_ARRAY_LEN(imagenet_inks) + 1 };

/* Puts a picture of golden/ where ImageNet has this one: "train/n01739381/n01739381_1309.JPEG". */
static void place(const char *name, const char *picture)
{
    char folder[64], path[128], *bytes;
    size_t size;
    snprintf(folder, sizeof(folder), "train/%.9s", name);
    assert_ok(fv_file_make_folder(testing_path(folder), &testing_err));
    snprintf(path, sizeof(path), "%s/%s.JPEG", folder, name);
    read_picture(picture, &bytes, &size);
    testing_write(path, bytes, size);
    fv_free(bytes);
}

static const char *content_of(const char *path)
{
    if (strstr(path, imagenet_png)) return "type2_16bit_adam7.png";
    for (size_t i = 0; i < FV_ARRAY_LEN(imagenet_inks); i++)
        if (strstr(path, imagenet_inks[i])) return i % 2 ? "ycck.jpg" : "cmyk.jpg";
    fail_msg("%s: what is this?", path);
    return NULL;
}

/* The first crop in golden/crops is that of these operations. */
static void check_sample(const run *r, const fv_loader_options *o, const fv_batch *b, int i)
{
    uint8_t crop[BYTES];
    fv_picture column = { 0 };
    const char *name = fv_dataset_name(o->dataset, b->samples[i]);
    assert_true(b->readable[i]);
    assert_int_equal(b->labels[i], (int)b->samples[i]);
    fv_pipeline_restore(r->pipeline, b->images + (size_t)i * BYTES, crop);
    read_golden(content_of(name), &column);
    assert_int_equal(largest_difference(crop, column.data), 0);
    fv_picture_deinit(&column);
}

static void test_imagenet_names(void **state)
{
    (void)state;
    assert_ok(fv_file_make_folder(testing_path("train"), &testing_err));
    for (size_t i = 0; i < FV_ARRAY_LEN(imagenet_inks); i++)
        place(imagenet_inks[i], content_of(imagenet_inks[i]));
    place(imagenet_png, content_of(imagenet_png));

    static run r;
    char ops[512];
    snprintf(ops, sizeof(ops), operations, "pil", "pil", "bilinear", "paddle", 31, "paddle");
    open_run(&r, ops);
    const fv_dataset_options files = { .image_root = testing_path("train") };
    fv_dataset *dataset = NULL;
    assert_ok(fv_dataset_open(&dataset, &files, &testing_err));
    assert_int_equal(fv_dataset_count(dataset), IMAGENET_ODD);
    const fv_loader_options o = { .dataset = dataset,
                                  .pipeline = r.pipeline,
                                  .sampler = { .count = IMAGENET_ODD, .batch_size = 8 },
                                  .workers = 2 };
    fv_loader *loader = NULL;
    assert_ok(fv_loader_open(&loader, &o, &testing_err));
    fv_loader_start(loader, 0, 0);
    int seen = 0;
    for (fv_batch *b; (b = fv_loader_take(loader)); fv_loader_give_back(loader, b))
        for (int i = 0; i < b->count; i++, seen++) check_sample(&r, &o, b, i);
    assert_int_equal(seen, IMAGENET_ODD);
    assert_int_equal(fv_loader_unreadable(loader, NULL), 0);
    fv_loader_close(loader);
    fv_dataset_close(dataset);
    close_run(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_imagenet_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
