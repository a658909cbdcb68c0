/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/dataset.h"
#include "data/encode.h"
#include "data/synth.h"
#include "data/synth_impl.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const fv_synth_options small = { .classes = 24, .train = 48, .val = 24, .seed = 7 };

static char *path_of(const char *folder, const char *name)
{
    static char path[PATH_MAX];
    assert_true(fv_path_join(path, sizeof path, folder, name));
    return path;
}

static char *folder_of(const char *name)
{
    static char folders[4][PATH_MAX];
    static int next;
    char *folder = folders[next++ % 4];
    assert_true(fv_path_join(folder, PATH_MAX, testing_folder(), name));
    return folder;
}

static int render(const char *folder, const fv_synth_options *options)
{
    int drawn = -1;
    assert_ok(fv_synth_render(folder, options, NULL, NULL, &drawn, &testing_err));
    return drawn;
}

static void assert_fails(const char *folder, const fv_synth_options *options, fv_status status,
                         const char *message)
{
    fv_error err = { .message = "" };
    assert_int_equal(fv_synth_render(folder, options, NULL, NULL, NULL, &err), status);
    assert_string_equal(err.message, message);
}

static fv_dataset *open_list(const char *folder, const char *list)
{
    char list_path[PATH_MAX], labels[PATH_MAX];
    assert_true(fv_path_join(list_path, sizeof list_path, folder, list));
    assert_true(fv_path_join(labels, sizeof labels, folder, "label_list.txt"));
    const fv_dataset_options options = { .image_root = folder,
                                         .list_path = list_path,
                                         .delimiter = " ",
                                         .classes = small.classes,
                                         .label_list = labels };
    fv_dataset *set = NULL;
    assert_ok(fv_dataset_open(&set, &options, &testing_err));
    return set;
}

static void check_split(const char *folder, const char *list, int count)
{
    fv_dataset *set = open_list(folder, list);
    assert_int_equal(fv_dataset_count(set), count);
    fv_picture picture = { 0 };
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        const int label = fv_dataset_label(set, i);
        assert_int_equal(label, i % small.classes);
        assert_string_equal(fv_dataset_class_name(set, label), fv_synth_class_name(label));
        assert_ok(fv_dataset_path(set, i, path, sizeof path, &testing_err));
        assert_ok(fv_decode_file(&picture, path, &(fv_decode_options){ 0 }, &testing_err));
        const int longer = fv_max(picture.width, picture.height);
        const int shorter = fv_min(picture.width, picture.height);
        assert_in_range(longer, 64, 160);
        assert_in_range(shorter, longer * 3 / 4, longer);
    }
    fv_picture_deinit(&picture);
    fv_dataset_close(set);
}

static void test_lists_name_pictures_that_decode(void **state)
{
    (void)state;
    const char *folder = folder_of("lists");
    assert_int_equal(render(folder, &small), small.train + small.val);
    check_split(folder, "train_list.txt", small.train);
    check_split(folder, "val_list.txt", small.val);
}

static void assert_same_files(const char *a, const char *b, const char *name)
{
    char *x = NULL, *y = NULL;
    size_t nx = 0, ny = 0;
    assert_ok(fv_file_read(path_of(a, name), 1 << 20, &x, &nx, &testing_err));
    assert_ok(fv_file_read(path_of(b, name), 1 << 20, &y, &ny, &testing_err));
    assert_int_equal(nx, ny);
    assert_memory_equal(x, y, nx);
    fv_free(x);
    fv_free(y);
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    const char *one = folder_of("one"), *three = folder_of("three");
    fv_threads_set(1);
    render(one, &small);
    fv_threads_set(3);
    render(three, &small);
    fv_threads_set(1);
    fv_dataset *set = open_list(one, "train_list.txt");
    for (int i = 0; i < small.train; i++) assert_same_files(one, three, fv_dataset_name(set, i));
    fv_dataset_close(set);
    assert_same_files(one, three, "train_list.txt");
}

static void test_only_what_is_missing_is_drawn(void **state)
{
    (void)state;
    const char *whole = folder_of("whole"), *mended = folder_of("mended");
    render(whole, &small);
    render(mended, &small);
    assert_int_equal(render(mended, &small), 0);
    assert_int_equal(unlink(path_of(mended, "train/000003_triangle.jpg")), 0);
    assert_int_equal(unlink(path_of(mended, "train_list.txt")), 0);
    assert_int_equal(render(mended, &small), 1);
    assert_same_files(whole, mended, "train/000003_triangle.jpg");
    assert_same_files(whole, mended, "train_list.txt");
}

static void count_up(void *ctx, int done, int total)
{
    int *last = ctx;
    assert_true(done > *last);
    assert_int_equal(total, small.train + small.val);
    *last = done;
}

static void test_progress_reaches_the_end(void **state)
{
    (void)state;
    int last = 0;
    assert_ok(fv_synth_render(folder_of("progress"), &small, count_up, &last, NULL, &testing_err));
    assert_int_equal(last, small.train + small.val);
}

static void test_other_data_is_left_alone(void **state)
{
    (void)state;
    char message[PATH_MAX + 200];
    const char *folder = folder_of("taken");
    assert_ok(fv_file_make_folder(folder, &testing_err));
    assert_ok(fv_file_write(path_of(folder, "train_list.txt"), "a.jpg 0\n", 8, &testing_err));
    snprintf(message, sizeof message, "%s: another data set lies here: choose another folder",
             folder);
    assert_fails(folder, &small, FV_ERR_IO, message);
    assert_false(fv_file_is_folder(path_of(folder, "train")));

    folder = folder_of("different");
    fv_synth_options other = small;
    render(folder, &small);
    other.seed = 8;
    snprintf(message, sizeof message,
             "%s: made with other options (fovea synth: version 1, 24 classes, 48 train, 24 val, "
             "seed 7): remove it or choose another folder",
             folder);
    assert_fails(folder, &other, FV_ERR_CONFIG, message);
}

static void test_bad_options(void **state)
{
    (void)state;
    const char *folder = folder_of("bad");
    fv_synth_options o = small;
    o.classes = 25;
    assert_fails(folder, &o, FV_ERR_CONFIG, "synth: 25 classes: give 2 to 24");
    o = small;
    o.val = 0;
    assert_fails(folder, &o, FV_ERR_CONFIG, "synth: 0 pictures: give 1 to 1000000");
    o = small;
    o.train = 1000001;
    assert_fails(folder, &o, FV_ERR_CONFIG, "synth: 1000001 pictures: give 1 to 1000000");
    assert_false(fv_file_is_folder(folder));
    assert_null(fv_synth_class_name(-1));
    assert_null(fv_synth_class_name(FV_SYNTH_MAX_CLASSES));
}

/* Each class must leave its object in the picture: the middle differs from class to class. */
static void test_every_class_has_ink(void **state)
{
    (void)state;
    const fv_synth_look look = { .thickness = 0.5f, .frequency = 0.5f, .phase = 0.3f };
    for (int i = 0; i < FV_SYNTH_MAX_CLASSES; i++) {
        int inside = 0, total = 0;
        for (int row = -25; row < 25; row++)
            for (int column = -25; column < 25; column++, total++) {
                const float x = 0.05f * (float)column, y = 0.05f * (float)row;
                const int ink = fv_synth_classes[i].ink(x, y, &look);
                assert_in_range(ink, 0, 2);
                if (ink && hypotf(x, y) > 1.16f)
                    fail_msg("%s: ink at %g, %g", fv_synth_classes[i].name, (double)x, (double)y);
                inside += ink != 0;
            }
        if (inside < total / 20 || inside > total / 2)
            fail_msg("%s: %d of %d points", fv_synth_classes[i].name, inside, total);
    }
}

static void test_full_memory_is_an_error(void **state)
{
    (void)state;
    fv_synth_options tiny = { .classes = 2, .train = 1, .val = 1, .seed = 1 };
    char name[32];
    for (size_t n = 1; n < 200; n++) {
        snprintf(name, sizeof name, "memory%zu", n);
        fv_error err = { .message = "" };
        fv_alloc_fail_at(n);
        const fv_status status = fv_synth_render(folder_of(name), &tiny, NULL, NULL, NULL, &err);
        fv_alloc_fail_at(0);
        if (status == FV_OK) {
            assert_true(n > 5);
            return;
        }
        assert_int_equal(status, FV_ERR_NOMEM);
        assert_non_null(strstr(err.message, "out of memory"));
    }
    fail_msg("never succeeded");
}

static void test_encoded_picture_decodes(void **state)
{
    (void)state;
    enum { WIDTH = 37, HEIGHT = 23 };
    fv_picture picture = { 0 }, back = { 0 };
    assert_ok(fv_picture_reserve(&picture, WIDTH, HEIGHT, &testing_err));
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) /* slow waves, which survive JPEG */
        picture.data[i] = (uint8_t)(128 + 100 * sin(i / 3 % WIDTH * 0.1 + i % 3));
    for (int subsample = 0; subsample < 2; subsample++) {
        const fv_jpeg_options options = { .quality = 95, .subsample = subsample };
        uint8_t *bytes = NULL;
        size_t size = 0;
        assert_ok(fv_encode_jpeg(&picture, &options, &bytes, &size, &testing_err));
        assert_ok(fv_decode(&back, bytes, size, &(fv_decode_options){ 0 }, &testing_err));
        assert_int_equal(back.width, WIDTH);
        assert_int_equal(back.height, HEIGHT);
        double sum = 0;
        for (int i = 0; i < WIDTH * HEIGHT * 3; i++) sum += abs(back.data[i] - picture.data[i]);
        assert_true(sum / (WIDTH * HEIGHT * 3) < (subsample ? 4 : 2));
        fv_free(bytes);
    }
    fv_error err = { .message = "" };
    uint8_t *bytes = NULL;
    size_t size = 0;
    const fv_picture empty = { 0 };
    assert_int_equal(
        fv_encode_jpeg(&empty, &(fv_jpeg_options){ .quality = 90 }, &bytes, &size, &err),
        FV_ERR_FORMAT);
    assert_string_equal(err.message, "encode jpeg: Empty JPEG image (DNL not supported)");
    fv_picture_deinit(&picture);
    fv_picture_deinit(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_name_pictures_that_decode),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_only_what_is_missing_is_drawn),
        cmocka_unit_test(test_progress_reaches_the_end),
        cmocka_unit_test(test_other_data_is_left_alone),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_every_class_has_ink),
        cmocka_unit_test(test_full_memory_is_an_error),
        cmocka_unit_test(test_encoded_picture_decodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
