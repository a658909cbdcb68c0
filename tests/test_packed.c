/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "picture_testing.h"

#include "base/compiler.h"
#include "base/crc32.h"
#include "base/log.h"
#include "base/threads.h"
#include "data/packed.h"

#include <dirent.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* As in test_hdf5_hostile.c: libhdf5 loses memory over damaged tables. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5"; }

enum { COUNT = 70, BROKEN = 66 };

static char last_line[512];
static int lines;

static void keep_line(void *ctx, fv_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    lines++;
    snprintf(last_line, sizeof(last_line), "%s", line);
}

static const char *in_folder(const char *name)
{
    static char paths[4][300];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof(paths[0]), "%s/%s", testing_folder(), name);
    return paths[turn];
}

/* COUNT pictures of 10 classes, of which 5 have names. */
static fv_dataset *open_pictures(bool broken)
{
    static const char labels[] = "0 zero\n1 one\n2 two\n3 three\n9 nine\n";
    char text[8192] = "";
    size_t used = 0;
    assert_ok(fv_file_make_folder(in_folder("pictures"), &testing_err));
    for (int i = 0; i < COUNT; i++) {
        char name[64];
        snprintf(name, sizeof(name), "pictures/%d.jpg", i);
        if (!fv_file_exists(in_folder(name))) testing_write_jpeg(name, 20 + i, 30);
        if (i == BROKEN) testing_write(name, "nothing", broken ? 7 : 0);
        if (i == BROKEN && !broken) testing_write_jpeg(name, 20, 30);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %d\n", i == 5 ? "/" : "",
                                 i == 5 ? in_folder(name) + 1 : name, i % 10);
    }
    testing_write("list.txt", text, used);
    testing_write("labels.txt", labels, strlen(labels));
    const fv_dataset_options options = { .image_root = testing_folder(),
                                         .list_path = in_folder("list.txt"),
                                         .label_list = in_folder("labels.txt") };
    fv_dataset *d = NULL;
    assert_ok(fv_dataset_open(&d, &options, &testing_err));
    return d;
}

static fv_status open_packed(fv_dataset **out, const char *name, int classes)
{
    const fv_dataset_options options = { .kind = FV_DATASET_PACKED,
                                         .list_path = in_folder(name),
                                         .classes = classes };
    return fv_dataset_open(out, &options, &testing_err);
}

static uint32_t crc_of(const char *name)
{
    fv_crc32 crc32;
    char *bytes = NULL;
    size_t size = 0;
    fv_crc32_init(&crc32);
    assert_ok(fv_file_read(in_folder(name), 64 << 20, &bytes, &size, &testing_err));
    const uint32_t crc = fv_crc32_add(&crc32, 0, bytes, size);
    assert_int_equal(crc, testing_crc32((const uint8_t *)bytes, size));
    fv_free(bytes);
    return crc;
}

static int files_in_folder(void)
{
    DIR *dir = opendir(testing_folder());
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

/* What was packed comes back: names, labels, classes, bytes; the same file from any threads. */
static void test_as_they_are(void **state)
{
    (void)state;
    fv_dataset *d = open_pictures(false), *packed = NULL;
    const fv_pack_options options = { .short_side = 0 };
    fv_pack_result r;
    uint32_t crc = 0;
    for (int threads = 1; threads <= 4; threads += 3) {
        fv_threads_set(threads);
        assert_ok(fv_pack(d, in_folder("a.h5"), &options, &r, &testing_err));
        assert_true(threads == 1 || crc == crc_of("a.h5"));
        crc = crc_of("a.h5");
    }
    fv_threads_set(1);
    assert_int_equal(r.pictures, COUNT);
    assert_int_equal(r.unreadable, 0);
    assert_int_equal(r.shrunk, 0);
    assert_int_equal(r.bytes_read, r.bytes_written);
    assert_ok(open_packed(&packed, "a.h5", 0));
    assert_int_equal(fv_dataset_count(packed), COUNT);
    assert_int_equal(fv_dataset_classes(packed), 10);
    assert_string_equal(fv_dataset_class_name(packed, 9), "nine");
    assert_null(fv_dataset_class_name(packed, 4));
    for (int64_t i = 0; i < COUNT; i++) {
        char *a = NULL, *b = NULL;
        size_t a_size = 0, b_size = 0;
        const char *name = fv_dataset_name(d, i);
        assert_string_equal(fv_dataset_name(packed, i), name + (*name == '/'));
        assert_int_equal(fv_dataset_label(packed, i), fv_dataset_label(d, i));
        assert_ok(fv_dataset_read(d, i, &a, &a_size, &testing_err));
        assert_ok(fv_dataset_read(packed, i, &b, &b_size, &testing_err));
        assert_int_equal(a_size, b_size);
        assert_memory_equal(a, b, a_size);
        fv_free(a);
        fv_free(b);
    }
    char path[512];
    assert_ok(fv_dataset_path(packed, 7, path, sizeof(path), &testing_err));
    assert_string_equal(path, in_folder("a.h5/pictures/7.jpg"));
    fv_dataset_close(packed);

    assert_int_equal(open_packed(&packed, "a.h5", 9), FV_ERR_FORMAT);
    char wanted[600];
    snprintf(wanted, sizeof(wanted), "%s: packed with 10 classes, but only 9 are wanted",
             in_folder("a.h5"));
    assert_string_equal(testing_err.message, wanted);
    fv_dataset_close(d);
}

/* A packed file is a source like any other, also for the split. */
static void test_packed_again(void **state)
{
    (void)state;
    const fv_dataset_options part = { .kind = FV_DATASET_PACKED,
                                      .list_path = in_folder("a.h5"),
                                      .split = { 0.2, 1, FV_PART_VAL } };
    fv_dataset *d = NULL, *packed = NULL;
    fv_pack_result r;
    const fv_pack_options options = { .short_side = 0 };
    assert_ok(fv_dataset_open(&d, &part, &testing_err));
    assert_int_equal(fv_dataset_count(d), 10);
    assert_ok(fv_pack(d, in_folder("b.h5"), &options, &r, &testing_err));
    assert_ok(open_packed(&packed, "b.h5", 0));
    assert_int_equal(fv_dataset_count(packed), 10);
    for (int64_t i = 0; i < 10; i++) {
        char *bytes = NULL;
        size_t size = 0;
        assert_string_equal(fv_dataset_name(packed, i), fv_dataset_name(d, i));
        assert_ok(fv_dataset_read(packed, i, &bytes, &size, &testing_err));
        fv_free(bytes);
    }
    fv_dataset_close(packed);
    fv_dataset_close(d);
}

static void test_unreadable(void **state)
{
    (void)state;
    fv_dataset *d = open_pictures(true), *packed = NULL;
    const fv_pack_options options = { .short_side = 0 };
    fv_pack_result r;
    char wanted[600];
    lines = 0;
    fv_log_sink(keep_line, NULL);
    assert_ok(fv_pack(d, in_folder("c.h5"), &options, &r, &testing_err));
    fv_log_sink(NULL, NULL);
    assert_int_equal(r.unreadable, 1);
    assert_int_equal(r.pictures, COUNT - 1);
    assert_int_equal(lines, 1);
    snprintf(wanted, sizeof(wanted),
             "unreadable picture, left out: %s: ", in_folder("pictures/66.jpg"));
    assert_int_equal(strncmp(last_line, wanted, strlen(wanted)), 0);
    assert_ok(open_packed(&packed, "c.h5", 0));
    assert_string_equal(fv_dataset_name(packed, BROKEN), "pictures/67.jpg");
    assert_int_equal(fv_dataset_label(packed, BROKEN), 7);
    fv_dataset_close(packed);
    fv_dataset_close(d);
}

static void test_shrunk(void **state)
{
    (void)state;
    enum { SIDE = 24 };
    fv_dataset *d = open_pictures(false), *packed = NULL;
    const fv_pack_options options = { .short_side = SIDE, .quality = 90 };
    fv_pack_result r;
    assert_ok(fv_pack(d, in_folder("d.h5"), &options, &r, &testing_err));
    assert_ok(open_packed(&packed, "d.h5", 0));
    int shrunk = 0;
    for (int i = 0; i < COUNT; i++) {
        char *bytes = NULL;
        size_t size = 0;
        fv_decode_info info;
        assert_ok(fv_dataset_read(packed, i, &bytes, &size, &testing_err));
        assert_ok(fv_decode_read_info(&info, (uint8_t *)bytes, size, NULL, &testing_err));
        const int width = i == BROKEN ? 20 : 20 + i, height = 30, least = fv_min(width, height);
        const bool larger = least > SIDE;
        shrunk += larger;
        assert_int_equal(info.width, larger ? (width * SIDE + least / 2) / least : width);
        assert_int_equal(info.height, larger ? (height * SIDE + least / 2) / least : height);
        fv_free(bytes);
    }
    assert_int_equal(r.shrunk, shrunk);
    fv_dataset_close(packed);
    fv_dataset_close(d);
}

/* ---- Nothing half ---- */

static volatile sig_atomic_t stop;

static void stop_later(void *ctx, int64_t done, int64_t total)
{
    (void)ctx;
    (void)total;
    if (done >= 64) stop = 1;
}

static void test_stopped(void **state)
{
    (void)state;
    fv_dataset *d = open_pictures(false);
    const fv_pack_options options = { .progress = stop_later, .stop = &stop };
    fv_pack_result r;
    const uint32_t before = crc_of("a.h5");
    const int files = files_in_folder();
    assert_int_equal(fv_pack(d, in_folder("a.h5"), &options, &r, &testing_err), FV_ERR_INTERRUPTED);
    assert_string_equal(testing_err.message, "packing: interrupted");
    assert_int_equal(files_in_folder(), files);
    assert_int_equal(crc_of("a.h5"), before);
    fv_dataset_close(d);
}

/* A disk that fills up while pictures are written, or at last. */
static void test_full(void **state)
{
    (void)state;
    fv_dataset *d = open_pictures(false);
    const fv_pack_options options = { .short_side = 0 };
    fv_pack_result r;
    struct rlimit old, small;
    const int files = files_in_folder();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (int i = 0; i < 2; i++) {
        small = old;
        small.rlim_cur = (1 << 20) + (i ? 200000 : 10000);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const fv_status status = fv_pack(d, in_folder("e.h5"), &options, &r, &testing_err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, FV_ERR_IO);
        char wanted[600];
        snprintf(wanted, sizeof(wanted), "%s: cannot write: File too large", in_folder("e.h5"));
        assert_string_equal(testing_err.message, wanted);
        assert_int_equal(files_in_folder(), files);
    }
    fv_dataset_close(d);
}

static void test_nowhere(void **state)
{
    (void)state;
    fv_dataset *d = open_pictures(false);
    const fv_pack_options options = { .short_side = 0 };
    fv_pack_result r;
    char wanted[600];
    assert_int_equal(fv_pack(d, in_folder("absent/a.h5"), &options, &r, &testing_err), FV_ERR_IO);
    snprintf(wanted, sizeof(wanted), "%s: cannot write: No such file or directory",
             in_folder("absent/a.h5"));
    assert_string_equal(testing_err.message, wanted);
    for (size_t n = 1; n < 12; n++) {
        fv_alloc_fail_at(n);
        const fv_status status = fv_pack(d, in_folder("f.h5"), &options, &r, &testing_err);
        fv_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
        assert_true(status == FV_OK || !fv_file_exists(in_folder("f.h5")));
        unlink(in_folder("f.h5"));
    }
    fv_dataset_close(d);
}

/* ---- Damage ---- */

static void expect_format(const char *name, const char *what)
{
    fv_dataset *d = NULL;
    char wanted[600];
    assert_int_equal(open_packed(&d, name, 0), FV_ERR_FORMAT);
    assert_null(d);
    snprintf(wanted, sizeof(wanted), "%s: %s", in_folder(name), what);
    assert_string_equal(testing_err.message, wanted);
}

static void test_other_files(void **state)
{
    (void)state;
    testing_write("g.h5", "no hdf5", 7);
    expect_format("g.h5", "not a file of fovea pack, or damaged");
    hid_t file = H5Fcreate(in_folder("h.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    expect_format("h.h5", "not a file of fovea pack: there is no \"fovea_pack\"");
    fv_dataset *d = NULL;
    char wanted[600];
    assert_int_equal(open_packed(&d, "absent.h5", 0), FV_ERR_IO);
    snprintf(wanted, sizeof(wanted), "%s: cannot open: No such file or directory",
             in_folder("absent.h5"));
    assert_string_equal(testing_err.message, wanted);
    assert_int_equal(open_packed(&d, "pictures", 0), FV_ERR_IO);
}

/* A picture that has changed is named; the others are as before. */
static void test_damaged_picture(void **state)
{
    (void)state;
    char *bytes = NULL, *picture = NULL;
    size_t size = 0, picture_size = 0;
    fv_dataset *d = NULL;
    char wanted[600];
    assert_ok(fv_file_read(in_folder("a.h5"), 64 << 20, &bytes, &size, &testing_err));
    bytes[(1 << 20) + 5] ^= 1;
    testing_write("i.h5", bytes, size);
    assert_ok(open_packed(&d, "i.h5", 0));
    assert_int_equal(fv_dataset_read(d, 0, &picture, &picture_size, &testing_err), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s: damaged: use another copy of the file",
             in_folder("i.h5/pictures/0.jpg"));
    assert_string_equal(testing_err.message, wanted);
    assert_ok(fv_dataset_read(d, 1, &picture, &picture_size, &testing_err));
    fv_free(picture);
    fv_dataset_close(d);
    fv_free(bytes);
}

/* The index, byte by byte: an error, or of no influence. */
static void test_damaged_index(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    fv_dataset *good = NULL;
    assert_ok(open_packed(&good, "a.h5", 0));
    assert_ok(fv_file_read(in_folder("a.h5"), 64 << 20, &bytes, &size, &testing_err));
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, 7);
    const size_t head = 4096, tail = 8192;
    for (int i = 0; i < 400; i++) {
        const size_t at = i % 2 ? (size_t)fv_random_int(&r, 0, (int)head - 1)
                                : size - 1 - (size_t)fv_random_int(&r, 0, (int)tail);
        const char before = bytes[at];
        bytes[at] = (char)(before ^ (1 << fv_random_int(&r, 0, 7)));
        testing_write("j.h5", bytes, size);
        bytes[at] = before;
        fv_dataset *d = NULL;
        if (open_packed(&d, "j.h5", 0) != FV_OK) continue;
        assert_int_equal(fv_dataset_count(d), COUNT);
        for (int64_t k = 0; k < COUNT; k++) {
            assert_int_equal(fv_dataset_label(d, k), fv_dataset_label(good, k));
            assert_string_equal(fv_dataset_name(d, k), fv_dataset_name(good, k));
        }
        fv_dataset_close(d);
    }
    for (size_t cut = 0; cut < size; cut += size / 50) {
        testing_write("j.h5", bytes, cut);
        fv_dataset *d = NULL;
        assert_int_equal(open_packed(&d, "j.h5", 0), FV_ERR_FORMAT);
    }
    fv_free(bytes);
    fv_dataset_close(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_they_are),     cmocka_unit_test(test_packed_again),
        cmocka_unit_test(test_unreadable),      cmocka_unit_test(test_shrunk),
        cmocka_unit_test(test_stopped),         cmocka_unit_test(test_full),
        cmocka_unit_test(test_nowhere),         cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_damaged_picture), cmocka_unit_test(test_damaged_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
