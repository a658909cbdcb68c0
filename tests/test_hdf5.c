/* SPDX-License-Identifier: Apache-2.0 */
#include "hdf5_testing.h"

#include "base/file.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_round_trip(void **state)
{
    (void)state;
    const char *path = in_folder("a.h5");
    assert_ok(write_all(path, "caf\xc3\xa9\nb\n"));
    assert_ok(read_all(path, "caf\xc3\xa9\nb\n"));

    fv_h5_reader *r = NULL;
    int rank = 0;
    int64_t dims[8];
    char *text = NULL;
    assert_ok(fv_h5_open(&r, path, &testing_err));
    assert_ok(fv_h5_shape(r, "model", "a 100%", &rank, dims, &testing_err));
    assert_true(rank == 2 && dims[0] == 300 && dims[1] == 1100);
    assert_ok(fv_h5_shape(r, "model", ".", &rank, dims, &testing_err));
    assert_int_equal(rank, 0);
    assert_ok(fv_h5_shape(r, "model", "empty", &rank, dims, &testing_err));
    assert_true(rank == 2 && dims[0] == 4 && dims[1] == 0);
    assert_ok(fv_h5_read_text(r, "empty", &text, &testing_err));
    assert_string_equal(text, "");
    fv_free(text);
    assert_true(fv_h5_has_group(r, "optimizer"));
    assert_false(fv_h5_has_group(r, "optimiser"));
    fv_h5_close(r);
}

static void test_same_contents_same_bytes(void **state)
{
    (void)state;
    char *a = NULL, *b = NULL;
    size_t a_bytes = 0, b_bytes = 0;
    assert_ok(write_all(in_folder("a.h5"), "x"));
    usleep(1100 * 1000); /* HDF5 would store seconds */
    assert_ok(write_all(in_folder("b.h5"), "x"));
    assert_ok(fv_file_read(in_folder("a.h5"), 1 << 26, &a, &a_bytes, &testing_err));
    assert_ok(fv_file_read(in_folder("b.h5"), 1 << 26, &b, &b_bytes, &testing_err));
    assert_int_equal(a_bytes, b_bytes);
    assert_memory_equal(a, b, a_bytes);
    fv_free(a);
    fv_free(b);
}

static void test_long_text(void **state)
{
    (void)state;
    enum { BYTES = 3 << 20 };
    char *text = fv_alloc(BYTES + 1);
    for (int i = 0; i < BYTES; i++) text[i] = (char)('a' + i % 26);
    assert_ok(write_all(in_folder("a.h5"), text));
    assert_ok(read_all(in_folder("a.h5"), text));
    fv_free(text);
}

/* ---- Questions with no answer ---- */

static void test_absent(void **state)
{
    (void)state;
    const char *path = in_folder("a.h5");
    assert_ok(write_all(path, "x"));
    fv_h5_reader *r = NULL;
    float values[7];
    char *text = NULL, **names = NULL;
    int count = 0;
    int64_t number = 0;
    double real = 0;
    assert_ok(fv_h5_open(&r, path, &testing_err));
    assert_fails(fv_h5_read_floats(r, "model", "b", 1, values, &testing_err), FV_ERR_FORMAT,
                 "%s: model/b: there is no such dataset", path);
    assert_fails(fv_h5_read_floats(r, "models", "b", 1, values, &testing_err), FV_ERR_FORMAT,
                 "%s: there is no group \"models\"", path);
    assert_fails(fv_h5_read_floats(r, "model", "z.weight", 7, values, &testing_err), FV_ERR_FORMAT,
                 "%s: model/z.weight: 6 floats, where 7 are expected", path);
    assert_fails(fv_h5_read_floats(r, "text", "classes", 1, values, &testing_err), FV_ERR_FORMAT,
                 "%s: text/classes: not a dataset of float32", path);
    assert_fails(fv_h5_read_text(r, "class", &text, &testing_err), FV_ERR_FORMAT,
                 "%s: text/class: there is no such dataset", path);
    assert_fails(fv_h5_read_long(r, "stop", &number, &testing_err), FV_ERR_FORMAT,
                 "%s: stop: there is no such attribute", path);
    assert_fails(fv_h5_read_long(r, "best", &number, &testing_err), FV_ERR_FORMAT,
                 "%s: best: an attribute of another type than expected", path);
    assert_fails(fv_h5_read_double(r, "step", &real, &testing_err), FV_ERR_FORMAT,
                 "%s: step: an attribute of another type than expected", path);
    assert_fails(fv_h5_list(r, "", &names, &count, &testing_err), FV_ERR_FORMAT,
                 "%s: there is no group \"\"", path);
    fv_h5_close(r);
    fv_h5_close(NULL);
    fv_h5_discard(NULL);
}

static void test_not_hdf5(void **state)
{
    (void)state;
    fv_h5_reader *r = NULL;
    const char *path = in_folder("no.h5");
    assert_fails(fv_h5_open(&r, path, &testing_err), FV_ERR_IO,
                 "%s: cannot open: No such file or directory", path);
    assert_fails(fv_h5_open(&r, testing_folder(), &testing_err), FV_ERR_IO,
                 "%s: not a regular file", testing_folder());
    assert_ok(fv_file_write(path, "\x89HDF\r\n\x1a", 7, &testing_err));
    assert_fails(fv_h5_open(&r, path, &testing_err), FV_ERR_FORMAT, "%s: not an hdf5 file", path);
    assert_ok(fv_file_write(path, "\x89HDF\r\n\x1a\n\0and so on", 18, &testing_err));
    assert_fails(
        fv_h5_open(&r, path, &testing_err), FV_ERR_FORMAT,
        "%s: an hdf5 file of format 0, which has no checksums: write it anew with h5repack --low=2",
        path);
    assert_ok(fv_file_write(path, "\x89HDF\r\n\x1a\n\3and so on", 18, &testing_err));
    assert_fails(fv_h5_open(&r, path, &testing_err), FV_ERR_FORMAT,
                 "%s: the hdf5 file is truncated or damaged: use another copy", path);
    assert_null(r);
}

/* ---- Writers that cannot ---- */

static void test_refused_names(void **state)
{
    (void)state;
    const char *path = in_folder("refused.h5");
    char name[600], wanted[800];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    fv_h5_writer *w = NULL;
    assert_ok(fv_h5_create(&w, path, &testing_err));
    assert_ok(fv_h5_write_long(w, "twice", 1, &testing_err));
    assert_fails(fv_h5_write_long(w, "twice", 1, &testing_err), FV_ERR_IO,
                 "%s: cannot add \"twice\": it is there already, or memory is out", path);
    assert_fails(fv_h5_write_text(w, "", "x", &testing_err), FV_ERR_FORMAT,
                 "%s: cannot store the name \"\": it is empty or too long", path);
    snprintf(wanted, sizeof(wanted),
             "%%s: cannot store the name \"%.100s\": it is empty or too long", name);
    assert_fails(fv_h5_write_text(w, name, "x", &testing_err), FV_ERR_FORMAT, wanted, path);
    assert_fails(fv_h5_write_floats(w, "g", "a", 9, (int64_t[9]){ 0 }, small, &testing_err),
                 FV_ERR_SHAPE, "%s: cannot store \"a\": rank 9 is above 8", path);
    fv_h5_discard(w);
    assert_false(fv_file_exists(path));
}

static void test_folder_missing(void **state)
{
    (void)state;
    fv_h5_writer *w = NULL;
    const char *path = in_folder("absent/a.h5");
    assert_fails(fv_h5_create(&w, path, &testing_err), FV_ERR_IO,
                 "%s: cannot write to its folder: No such file or directory", path);
    assert_fails(fv_h5_create(&w, testing_folder(), &testing_err), FV_ERR_IO,
                 "%s: cannot write: it is a folder", testing_folder());
    assert_null(w);
}

static void test_disk_full(void **state)
{
    (void)state;
    const char *path = in_folder("limited.h5");
    assert_ok(write_all(path, "old"));
    struct rlimit before, limit = { .rlim_cur = 4096 };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const fv_status old_there = write_all(path, "new");
    char message[512];
    snprintf(message, sizeof(message), "%s", testing_err.message);
    const char *fresh = in_folder("fresh.h5");
    const fv_status none_there = write_all(fresh, "new");
    setrlimit(RLIMIT_FSIZE, &before);
    assert_fails(none_there, FV_ERR_IO, "%s: cannot write: File too large; nothing was written",
                 fresh);
    snprintf(testing_err.message, sizeof(testing_err.message), "%s", message);
    assert_fails(old_there, FV_ERR_IO,
                 "%s: cannot write: File too large; the old file is as it was", path);
    assert_ok(read_all(path, "old"));
    assert_false(fv_file_exists(fresh));
}

/* A real full disk, where the test may mount one. */
static void test_tmpfs_full(void **state)
{
    (void)state;
    const char *folder = in_folder("disk");
    char path[300];
    mkdir(folder, 0700);
    if (mount("none", folder, "tmpfs", 0, "size=2m") != 0) {
        print_message("# skipped: a small disk cannot be mounted without root\n");
        skip();
    }
    snprintf(path, sizeof(path), "%s/a.h5", folder);
    const fv_status first = write_all(path, "old"), second = write_all(path, "new");
    const fv_status old = read_all(path, "old");
    char message[512];
    snprintf(message, sizeof(message),
             "%s: cannot write: No space left on device; the old file is as it was", path);
    char got[512];
    snprintf(got, sizeof(got), "%s", testing_err.message);
    umount(folder);
    assert_int_equal(first, FV_OK);
    assert_int_equal(second, FV_ERR_IO);
    assert_int_equal(old, FV_OK);
    assert_string_equal(got, message);
}

static void test_no_memory(void **state)
{
    (void)state;
    const char *path = in_folder("memory.h5");
    fv_status status = FV_ERR_NOMEM;
    size_t n = 0;
    while (status != FV_OK) {
        fv_alloc_fail_at(++n);
        status = write_all(path, "x");
        fv_alloc_fail_at(0);
        if (status != FV_OK) assert_int_equal(status, FV_ERR_NOMEM);
    }
    assert_true(n > 1);
    status = FV_ERR_NOMEM;
    for (n = 0; status != FV_OK;) {
        fv_alloc_fail_at(++n);
        status = read_all(path, "x");
        fv_alloc_fail_at(0);
        if (status != FV_OK) assert_int_equal(status, FV_ERR_NOMEM);
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_same_contents_same_bytes),
        cmocka_unit_test(test_long_text),      cmocka_unit_test(test_absent),
        cmocka_unit_test(test_not_hdf5),       cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_folder_missing), cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_tmpfs_full),     cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
