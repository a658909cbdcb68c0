/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "odd_pictures.h"
#include "picture_testing.h"

#include "base/compiler.h"
#include "base/threads.h"
#include "data/check.h"

#include <math.h>
#include <unistd.h>

static fv_check check;
static fv_dataset *train, *val;

static int teardown(void **state)
{
    (void)state;
    fv_alloc_fail_at(0);
    fv_threads_set(1);
    fv_check_deinit(&check);
    fv_dataset_close(train);
    fv_dataset_close(val);
    train = val = NULL;
    return 0;
}

static fv_dataset *open_list(const char *name, const char *text)
{
    static char root[512];
    fv_dataset *dataset;
    snprintf(root, sizeof(root), "%s", testing_folder());
    testing_write(name, text, strlen(text));
    const fv_dataset_options o = { .image_root = root, .list_path = testing_path(name) };
    assert_ok(fv_dataset_open(&dataset, &o, &testing_err));
    return dataset;
}

static void write_odd(const char *name, odd_file file)
{
    testing_write(name, file.data, file.size);
    free(file.data);
}

static void run(int classes)
{
    const fv_check_options o = { .parts = { train, val }, .classes = classes };
    assert_ok(fv_check_run(&check, &o, &testing_err));
}

static void expect_found(fv_check_kind kind, int64_t expected)
{
    if (check.found[kind] != expected)
        fail_msg("%s: %d, not %d", fv_check_facts[kind].key, (int)check.found[kind], (int)expected);
}

/* Every kind that is not named here has found nothing. */
static void expect_only(const fv_check_kind *kinds, const int *counts, int count)
{
    for (int kind = 0; kind < FV_CHECK_KINDS; kind++) {
        int expected = 0;
        for (int i = 0; i < count; i++) expected += (int)kinds[i] == kind ? counts[i] : 0;
        expect_found((fv_check_kind)kind, expected);
    }
}

/* ---- One file ---- */

static void expect_oddities(const char *name, odd_file file, uint32_t expected)
{
    fv_inspection found;
    fv_picture scratch = { 0 };
    assert_ok(fv_inspect(&found, &scratch, name, file.data, file.size, &testing_err));
    if (found.oddities != expected) fail_msg("%s: %x, not %x", name, found.oddities, expected);
    assert_int_equal(found.width, ODD_WIDTH);
    assert_int_equal(found.height, ODD_HEIGHT);
    fv_picture_deinit(&scratch);
    free(file.data);
}

static void test_oddities(void **state)
{
    (void)state;
    expect_oddities("a.jpg", odd_jpeg(3, JCS_RGB), 0);
    expect_oddities("a.JPEG", odd_jpeg(3, JCS_RGB), 0);
    expect_oddities("no_extension", odd_jpeg(3, JCS_RGB), 0);
    expect_oddities("a.gif", odd_jpeg(3, JCS_RGB), 0);
    expect_oddities("a.b.PNG", odd_jpeg(3, JCS_RGB), 1u << FV_ODD_EXTENSION);
    expect_oddities("a.jpg", odd_png(8, PNG_COLOR_TYPE_RGB, false), 1u << FV_ODD_EXTENSION);
    expect_oddities("a.png", odd_png(8, PNG_COLOR_TYPE_RGB, false), 0);
    expect_oddities("a.png", odd_png(8, PNG_COLOR_TYPE_PALETTE, false), 0);
    expect_oddities("a.png", odd_png(8, PNG_COLOR_TYPE_RGB, true), 1u << FV_ODD_ANIMATED);
    expect_oddities("a.png", odd_png(16, PNG_COLOR_TYPE_RGB, false), 1u << FV_ODD_BITS);
    expect_oddities("a.png", odd_png(8, PNG_COLOR_TYPE_GRAY_ALPHA, false),
                    1u << FV_ODD_ALPHA | 1u << FV_ODD_GREY);
    expect_oddities("a.jpg", odd_jpeg(1, JCS_GRAYSCALE), 1u << FV_ODD_GREY);
    expect_oddities("a.jpg", odd_jpeg(4, JCS_CMYK), 1u << FV_ODD_CMYK);
    expect_oddities("a.jpg", odd_turned(6), 1u << FV_ODD_TURNED);
    expect_oddities("a.jpg", odd_turned(1), 0);
    odd_file cut = odd_jpeg(3, JCS_RGB);
    memcpy(cut.data + cut.size - 200, "\xff\xd9", 2);
    expect_oddities("a.jpg", cut, 1u << FV_ODD_DAMAGED);
}

static uint32_t oddities_of_size(int width, int height)
{
    fv_inspection found;
    fv_picture picture = { 0 };
    uint8_t *bytes;
    size_t size;
    testing_picture(&picture, width, height, "size");
    testing_jpeg(&picture, true, &bytes, &size);
    assert_ok(fv_inspect(&found, &picture, "a.jpg", bytes, size, &testing_err));
    fv_picture_deinit(&picture);
    fv_free(bytes);
    return found.oddities;
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(oddities_of_size(32, 128), 0);
    assert_int_equal(oddities_of_size(129, 32), 1u << FV_ODD_LONG);
    assert_int_equal(oddities_of_size(31, 64), 1u << FV_ODD_TINY);
    assert_int_equal(oddities_of_size(3, 500), 1u << FV_ODD_TINY | 1u << FV_ODD_LONG);
}

/* Pixels are compared, not files; and the shape of the picture with them. */
static void test_hashes(void **state)
{
    (void)state;
    fv_inspection png, jpeg, other;
    fv_picture picture = { 0 }, scratch = { 0 };
    uint8_t *bytes;
    size_t size;
    const odd_file file = odd_jpeg(3, JCS_RGB);
    assert_ok(fv_inspect(&jpeg, &picture, "a.jpg", file.data, file.size, &testing_err));
    assert_ok(fv_encode_png(&picture, &bytes, &size, &testing_err));
    assert_ok(fv_inspect(&png, &scratch, "a.png", bytes, size, &testing_err));
    assert_int_equal(fv_hash_compare(&png.pixels, &jpeg.pixels), 0);
    assert_int_not_equal(fv_hash_compare(&png.file, &jpeg.file), 0);
    fv_free(bytes);
    picture.width = ODD_HEIGHT;
    picture.height = ODD_WIDTH;
    assert_ok(fv_encode_png(&picture, &bytes, &size, &testing_err));
    assert_ok(fv_inspect(&other, &scratch, "a.png", bytes, size, &testing_err));
    assert_int_not_equal(fv_hash_compare(&png.pixels, &other.pixels), 0);
    assert_memory_equal(png.sum, other.sum, sizeof(png.sum));
    fv_free(bytes);
    free(file.data);
    fv_picture_deinit(&picture);
    fv_picture_deinit(&scratch);
}

/* ---- Data sets ---- */

static void write_pictures(void)
{
    static const char *const names[] = { "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg" };
    for (size_t i = 0; i < FV_ARRAY_LEN(names); i++)
        testing_write_jpeg(names[i], 40 + (int)i, 50 + 2 * (int)i);
}

static void copy(const char *from, const char *to)
{
    char *bytes;
    size_t size;
    assert_ok(fv_file_read(testing_path(from), 1 << 20, &bytes, &size, &testing_err));
    testing_write(to, bytes, size);
    fv_free(bytes);
}

static void test_clean(void **state)
{
    (void)state;
    write_pictures();
    train = open_list("train.txt", "a.jpg 0\nb.jpg 1\nc.jpg 0\n");
    val = open_list("val.txt", "d.jpg 0\ne.jpg 1\n");
    run(2);
    expect_only(NULL, NULL, 0);
    assert_int_equal(check.parts[0].readable, 3);
    assert_int_equal(fv_check_class_count(&check, 0, 0), 2);
    assert_int_equal(fv_check_class_count(&check, 1, 1), 1);
    assert_int_equal(fv_check_class_count(&check, 1, 7), 0);
    fv_spread s;
    assert_ok(fv_census_spread(&check.parts[0], fv_measure_width, &s, &testing_err));
    assert_true(s.least == 40 && s.median == 41 && s.most == 42);
    assert_ok(fv_census_spread(&check.parts[1], fv_measure_height, &s, &testing_err));
    assert_true(s.least == 56 && s.median == 56 && s.most == 58);
}

typedef struct taken {
    int count;
    fv_check_item items[8];
} taken;

static void take(void *ctx, const fv_check_item *item)
{
    taken *t = ctx;
    assert_in_range(t->count, 0, 7);
    t->items[t->count++] = *item;
}

static taken each(fv_check_kind kind, int64_t limit)
{
    taken t = { 0 };
    fv_check_each(&check, kind, limit, take, &t);
    return t;
}

static void expect_place(const fv_place *place, int part, int64_t picture)
{
    assert_int_equal(place->part, part);
    assert_int_equal(place->picture, picture);
}

static void test_twins(void **state)
{
    (void)state;
    write_pictures();
    copy("a.jpg", "a2.jpg");
    copy("a.jpg", "a3.jpg");
    copy("c.jpg", "c2.jpg");
    train = open_list("train.txt", "a.jpg 0\nb.jpg 1\na2.jpg 1\nc.jpg 1\na.jpg 0\n");
    val = open_list("val.txt", "c2.jpg 1\nd.jpg 0\na3.jpg 0\ne.jpg 1\n");
    run(0);
    const fv_check_kind kinds[] = { FV_CHECK_CONFLICT, FV_CHECK_OVERLAP, FV_CHECK_DUPLICATE };
    expect_only(kinds, (const int[]){ 4, 2, 2 }, 3);

    taken t = each(FV_CHECK_OVERLAP, 8); /* in the order of the first ones: a, then c */
    assert_int_equal(t.count, 2);
    expect_place(&t.items[0].place, 1, 2);
    expect_place(t.items[0].partner, 0, 0);
    expect_place(&t.items[1].place, 1, 0);
    expect_place(t.items[1].partner, 0, 3);

    t = each(FV_CHECK_CONFLICT, 8);
    assert_int_equal(t.count, 4);
    expect_place(&t.items[0].place, 0, 0);
    expect_place(t.items[0].partner, 0, 2); /* the first with another label */
    expect_place(&t.items[1].place, 0, 2);
    expect_place(t.items[1].partner, 0, 0);
    assert_int_equal(t.items[1].label, 1);

    t = each(FV_CHECK_DUPLICATE, 1);
    assert_int_equal(t.count, 1);
    expect_place(&t.items[0].place, 0, 2);
    expect_place(t.items[0].partner, 0, 0);
    assert_int_equal(each(FV_CHECK_DUPLICATE, 0).count, 0);
}

/* Copies in the validation part alone are copies of one that is there. */
static void test_twins_in_val(void **state)
{
    (void)state;
    write_pictures();
    train = open_list("train.txt", "b.jpg 0\na.jpg 0\n");
    val = open_list("val.txt", "a.jpg 0\nc.jpg 0\na.jpg 0\n");
    run(0);
    const fv_check_kind kinds[] = { FV_CHECK_OVERLAP, FV_CHECK_DUPLICATE };
    expect_only(kinds, (const int[]){ 2, 1 }, 2);
    const taken t = each(FV_CHECK_DUPLICATE, 8);
    expect_place(&t.items[0].place, 1, 2);
    expect_place(t.items[0].partner, 1, 0);
}

static void test_unreadable_and_odd(void **state)
{
    (void)state;
    write_pictures();
    testing_write("text.jpg", "hello", 5);
    testing_write("empty.jpg", "", 0);
    write_odd("cmyk.jpg", odd_jpeg(4, JCS_CMYK));
    write_odd("grey.png", odd_jpeg(1, JCS_GRAYSCALE));
    train = open_list("train.txt", "a.jpg 0\ntext.jpg 0\nempty.jpg 0\nnone.jpg 0\ncmyk.jpg 0\n"
                                   "text.jpg 0\ngrey.png 0\n");
    run(0);
    const fv_check_kind kinds[] = { FV_CHECK_UNREADABLE, FV_CHECK_ODD + FV_ODD_CMYK,
                                    FV_CHECK_ODD + FV_ODD_GREY, FV_CHECK_ODD + FV_ODD_EXTENSION };
    expect_only(kinds, (const int[]){ 4, 1, 1, 1 }, 4);
    const fv_census *c = &check.parts[0];
    assert_string_equal(fv_census_reason(c, 0), "");
    assert_string_equal(fv_census_reason(c, 1), "this is text: only JPEG and PNG are read");
    assert_string_equal(fv_census_reason(c, 2), "empty file");
    assert_string_equal(fv_census_reason(c, 3), "cannot open: No such file or directory");
    assert_int_equal(c->pictures[1].bytes, 5);
    assert_int_equal(c->pictures[3].bytes, 0);
    assert_int_equal(c->readable, 3);
    assert_int_equal(fv_check_class_count(&check, 0, 0), 7);
}

static void test_classes(void **state)
{
    (void)state;
    write_pictures();
    train = open_list("train.txt", "a.jpg 0\nb.jpg 2\nc.jpg 5\n");
    val = open_list("val.txt", "d.jpg 0\ne.jpg 9\n");
    run(4);
    const fv_check_kind kinds[] = { FV_CHECK_RANGE, FV_CHECK_EMPTY, FV_CHECK_MISSING };
    expect_only(kinds, (const int[]){ 2, 2, 1 }, 3);
    assert_int_equal(check.classes, 4);
    assert_int_equal(each(FV_CHECK_RANGE, 8).items[1].label, 9);
    assert_int_equal(each(FV_CHECK_EMPTY, 8).items[0].label, 1);
    assert_int_equal(each(FV_CHECK_EMPTY, 8).items[1].label, 3);
    assert_int_equal(each(FV_CHECK_MISSING, 8).items[0].label, 2);
    fv_check_deinit(&check);
    run(0);
    assert_int_equal(check.classes, 10);
    expect_found(FV_CHECK_RANGE, 0);
}

/* A folder more or less, and all labels behind it mean something else. */
static void test_class_names(void **state)
{
    (void)state;
    char root[2][600];
    static const char *const files[] = { "t/cat/1.jpg", "t/dog/1.jpg", "t/emu/1.jpg", "v/cat/2.jpg",
                                         "v/emu/2.jpg" };
    for (size_t i = 0; i < FV_ARRAY_LEN(files); i++) {
        char folder[16];
        snprintf(folder, sizeof(folder), "%.5s", files[i]);
        assert_ok(fv_file_make_folder(testing_path(folder), &testing_err));
        testing_write_jpeg(files[i], 40, 40);
    }
    snprintf(root[0], sizeof(root[0]), "%s", testing_path("t"));
    snprintf(root[1], sizeof(root[1]), "%s", testing_path("v"));
    assert_ok(
        fv_dataset_open(&train, &(fv_dataset_options){ .image_root = root[0] }, &testing_err));
    assert_ok(fv_dataset_open(&val, &(fv_dataset_options){ .image_root = root[1] }, &testing_err));
    run(0);
    const fv_check_kind kinds[] = { FV_CHECK_NAMES, FV_CHECK_MISSING };
    expect_only(kinds, (const int[]){ 1, 1 }, 2);
    assert_int_equal(each(FV_CHECK_NAMES, 8).items[0].label, 1);
    assert_int_equal(each(FV_CHECK_MISSING, 8).items[0].label, 2);
    assert_string_equal(fv_check_class_name(&check, 0, 1), "dog");
    assert_string_equal(fv_check_class_name(&check, 1, 1), "emu");
    assert_string_equal(fv_check_class_name(&check, 1, 2), "emu");
    assert_null(fv_check_class_name(&check, 1, 3));
}

/* Against sums in the plainest way: each picture counts the same, whatever its size. */
static void test_colours(void **state)
{
    (void)state;
    double mean[3] = { 0 }, square[3] = { 0 };
    fv_picture p = { 0 };
    write_pictures();
    train = open_list("train.txt", "a.jpg 0\nb.jpg 0\nnone.jpg 0\ne.jpg 0\n");
    run(0);
    for (int i = 0; i < 4; i++) {
        char path[600];
        assert_ok(fv_dataset_path(train, i, path, sizeof(path), &testing_err));
        if (fv_decode_file(&p, path, NULL, &testing_err) != FV_OK) continue;
        const int pixels = p.width * p.height;
        for (int k = 0; k < 3 * pixels; k++) {
            mean[k % 3] += p.data[k] / 255.0 / pixels / 3;
            square[k % 3] += p.data[k] / 255.0 * p.data[k] / 255.0 / pixels / 3;
        }
    }
    for (int k = 0; k < 3; k++) {
        assert_true(fabs(check.parts[0].mean[k] - mean[k]) < 1e-12);
        assert_true(fabs(check.parts[0].deviation[k] - sqrt(square[k] - mean[k] * mean[k])) < 1e-9);
    }
    fv_picture_deinit(&p);
}

/* ---- Robustness ---- */

typedef struct watch {
    int64_t last, total, stop_at;
    volatile sig_atomic_t stop;
} watch;

static void note(void *ctx, int64_t done, int64_t total)
{
    watch *w = ctx;
    assert_true(done >= w->last && done <= total);
    w->last = done;
    w->total = total;
    if (w->stop_at && done >= w->stop_at) w->stop = 1;
}

/* More pictures than a block has, in three threads and in one. */
static void test_threads(void **state)
{
    (void)state;
    static char list[64 * 1200];
    size_t used = 0;
    write_pictures();
    testing_write("text.jpg", "hello", 5);
    for (int i = 0; i < 1100; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s.jpg %d\n",
                                 i % 7 == 3 ? "text"
                                 : i % 2    ? "a"
                                            : "d",
                                 i % 3);
    train = open_list("train.txt", list);
    val = open_list("val.txt", "b.jpg 0\na.jpg 1\nc.jpg 2\n");
    watch w = { 0 };
    fv_check one;
    const fv_check_options o = {
        .parts = { train, val }, .progress = note, .ctx = &w, .stop = &w.stop
    };
    assert_ok(fv_check_run(&one, &o, &testing_err));
    assert_int_equal(w.last, 1103);
    assert_int_equal(w.total, 1103);
    fv_threads_set(3);
    w.last = 0;
    assert_ok(fv_check_run(&check, &o, &testing_err));
    for (int part = 0; part < 2; part++) {
        const fv_census *a = &one.parts[part], *b = &check.parts[part];
        assert_memory_equal(a->pictures, b->pictures, (size_t)a->count * sizeof(*a->pictures));
        assert_memory_equal(a->mean, b->mean, sizeof(a->mean));
        assert_memory_equal(a->deviation, b->deviation, sizeof(a->deviation));
        assert_int_equal(a->bytes, b->bytes);
    }
    assert_memory_equal(one.found, check.found, sizeof(one.found));
    expect_found(FV_CHECK_UNREADABLE, 157);
    fv_check_deinit(&one);
}

static void test_interruption(void **state)
{
    (void)state;
    static char list[64 * 100];
    size_t used = 0;
    write_pictures();
    for (int i = 0; i < 100; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "a.jpg 0\n");
    train = open_list("train.txt", list);
    watch w = { .stop_at = 50 };
    fv_error err;
    const fv_check_options o = {
        .parts = { train, NULL }, .progress = note, .ctx = &w, .stop = &w.stop
    };
    assert_int_equal(fv_check_run(&check, &o, &err), FV_ERR_INTERRUPTED);
    assert_string_equal(err.message, "interrupted after 50 pictures");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    write_pictures();
    train = open_list("train.txt", "a.jpg 0\na.jpg 1\nnone.jpg 0\n");
    val = open_list("val.txt", "c.jpg 0\n");
    const fv_check_options o = { .parts = { train, val } };
    bool whole = false;
    int failures = 0;
    for (size_t n = 1; !whole; n++) {
        fv_error err;
        fv_alloc_fail_at(n);
        const fv_status status = fv_check_run(&check, &o, &err);
        fv_alloc_fail_at(0);
        if (status == FV_OK) {
            /* One picture's memory is that picture's problem. */
            whole = check.found[FV_CHECK_UNREADABLE] == 1;
        } else {
            assert_int_equal(status, FV_ERR_NOMEM);
            assert_string_equal(err.message, "data: out of memory");
            failures++;
        }
        fv_check_deinit(&check);
        assert_true(n < 100);
    }
    assert_in_range(failures, 10, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_oddities, teardown),
        cmocka_unit_test_teardown(test_sizes, teardown),
        cmocka_unit_test_teardown(test_hashes, teardown),
        cmocka_unit_test_teardown(test_clean, teardown),
        cmocka_unit_test_teardown(test_twins, teardown),
        cmocka_unit_test_teardown(test_twins_in_val, teardown),
        cmocka_unit_test_teardown(test_unreadable_and_odd, teardown),
        cmocka_unit_test_teardown(test_classes, teardown),
        cmocka_unit_test_teardown(test_class_names, teardown),
        cmocka_unit_test_teardown(test_colours, teardown),
        cmocka_unit_test_teardown(test_threads, teardown),
        cmocka_unit_test_teardown(test_interruption, teardown),
        cmocka_unit_test_teardown(test_out_of_memory, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
