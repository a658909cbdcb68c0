/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/hdf5.h"

#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* libhdf5 1.10 loses a few hundred bytes for every damaged table that it reads; the leak checker of
 * the address sanitizer asks for this by name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5"; }

/* "<folder of this test>/name", valid until the call after next. */
static const char *in_folder(const char *name)
{
    static char paths[2][256];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", testing_folder(), name);
    return paths[turn];
}

/* Fails unless the call fails with this status and message, in which %s stands for the path. */
#define assert_fails(call, wanted_status, format, path) \
    do { \
        char expected[1024]; \
        snprintf(expected, sizeof(expected), format, path); \
        assert_int_equal(call, wanted_status); \
        assert_string_equal(testing_err.message, expected); \
    } while (0)

enum { SMALL = 6, LARGE = 300 * 1100 };

static float small[SMALL], large[LARGE];

/* A file with some of everything: tensors of all shapes, text, numbers. */
static fv_status write_all(const char *path, const char *text)
{
    static const float one = 0.5f, none = 0.0f;
    fv_h5_writer *w = NULL;
    testing_fill("small", small, SMALL);
    testing_fill("large", large, LARGE);
    small[0] = NAN;
    small[1] = -0.0f;
    FV_TRY(fv_h5_create(&w, path, &testing_err));
    fv_status status =
        fv_h5_write_floats(w, "model", "z.weight", 2, (int64_t[]){ 2, 3 }, small, &testing_err);
    if (status == FV_OK)
        status = fv_h5_write_floats(w, "optimizer", "velocity/z.weight", 1, (int64_t[]){ 6 }, small,
                                    &testing_err);
    if (status == FV_OK)
        status = fv_h5_write_floats(w, "model", "a 100%", 2, (int64_t[]){ 300, 1100 }, large,
                                    &testing_err);
    if (status == FV_OK) status = fv_h5_write_floats(w, "model", ".", 0, NULL, &one, &testing_err);
    if (status == FV_OK)
        status =
            fv_h5_write_floats(w, "model", "empty", 2, (int64_t[]){ 4, 0 }, &none, &testing_err);
    if (status == FV_OK) status = fv_h5_write_text(w, "classes", text, &testing_err);
    if (status == FV_OK) status = fv_h5_write_text(w, "empty", "", &testing_err);
    if (status == FV_OK) status = fv_h5_write_long(w, "step", INT64_MIN, &testing_err);
    if (status == FV_OK) status = fv_h5_write_double(w, "best", 0.1, &testing_err);
    if (status == FV_OK) return fv_h5_commit(w, &testing_err);
    fv_h5_discard(w);
    return status;
}

/* Reads all that write_all() wrote; FV_OK only if every bit of it is as written. */
static fv_status read_all(const char *path, const char *text)
{
    static float values[LARGE];
    fv_h5_reader *r = NULL;
    char **names = NULL, *got = NULL;
    int count = 0;
    int64_t step = 0;
    double best = 0;
    FV_TRY(fv_h5_open(&r, path, &testing_err));
    fv_status status = fv_h5_read_floats(r, "model", "z.weight", SMALL, values, &testing_err);
    bool same = memcmp(values, small, sizeof(small)) == 0;
    if (status == FV_OK)
        status =
            fv_h5_read_floats(r, "optimizer", "velocity/z.weight", SMALL, values, &testing_err);
    same = same && memcmp(values, small, sizeof(small)) == 0;
    if (status == FV_OK)
        status = fv_h5_read_floats(r, "model", "a 100%", LARGE, values, &testing_err);
    same = same && memcmp(values, large, sizeof(large)) == 0;
    if (status == FV_OK) status = fv_h5_read_floats(r, "model", ".", 1, values, &testing_err);
    same = same && values[0] == 0.5f;
    if (status == FV_OK) status = fv_h5_read_floats(r, "model", "empty", 0, values, &testing_err);
    if (status == FV_OK) status = fv_h5_read_text(r, "classes", &got, &testing_err);
    same = same && got && strcmp(got, text) == 0;
    if (status == FV_OK) status = fv_h5_read_long(r, "step", &step, &testing_err);
    if (status == FV_OK) status = fv_h5_read_double(r, "best", &best, &testing_err);
    same = same && step == INT64_MIN && best == 0.1;
    if (status == FV_OK) status = fv_h5_list(r, "model", &names, &count, &testing_err);
    same = same && count == 4 && strcmp(names[0], "z.weight") == 0 &&
           strcmp(names[1], "a 100%") == 0 && strcmp(names[2], ".") == 0 &&
           strcmp(names[3], "empty") == 0;
    fv_h5_names_free(names, count);
    fv_free(got);
    fv_h5_close(r);
    if (status == FV_OK && !same) fail_msg("%s: read without an error, but not as written", path);
    return status;
}

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

/* ---- Hostile files ---- */

/* Writes the bytes of the file, changed, and expects an error, or else all as it was. */
static int still_reads;

static void try_bytes(const char *bytes, size_t count)
{
    const char *path = in_folder("hostile.h5");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
    const fv_status status = read_all(path, "some text");
    if (status == FV_OK)
        still_reads++;
    else if (status != FV_ERR_FORMAT)
        fail_msg("unexpected: %s", testing_err.message);
    if (status != FV_OK) assert_non_null(strstr(testing_err.message, "hostile.h5: "));
}

static void test_truncated(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t count = 0;
    assert_ok(write_all(in_folder("a.h5"), "some text"));
    assert_ok(fv_file_read(in_folder("a.h5"), 1 << 26, &bytes, &count, &testing_err));
    still_reads = 0;
    for (size_t n = 0; n < count; n += n < 8192 ? 37 : 50021) try_bytes(bytes, n);
    try_bytes(bytes, count - 1);
    assert_int_equal(still_reads, 0);
    fv_free(bytes);
}

/* Every changed byte is noticed, or lies where nothing is stored. */
static void test_flipped(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t count = 0, tables = 0;
    assert_ok(write_all(in_folder("a.h5"), "some text"));
    assert_ok(fv_file_read(in_folder("a.h5"), 1 << 26, &bytes, &count, &testing_err));
    still_reads = 0;
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash("flip"));
    for (size_t at = 0; at < count; at += at < 8192 ? 5 : 20011, tables++) {
        const int bit = fv_random_int(&r, 0, 7);
        bytes[at] = (char)(bytes[at] ^ (1 << bit));
        try_bytes(bytes, count);
        bytes[at] = (char)(bytes[at] ^ (1 << bit));
    }
    print_message("# %d of %zu changed bytes were not part of anything\n", still_reads, tables);
    fv_free(bytes);
}

/* A file that our own writer would not write, with a group "model" to fill. */
static hid_t begin_foreign(const char *path, hid_t *group)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    *group = H5Gcreate2(file, "model", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(*group >= 0);
    return file;
}

static void add_foreign(hid_t group, const char *name, hid_t type, int rank, const hsize_t *dims,
                        hid_t plist)
{
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t set = H5Dcreate2(group, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void add_foreign_datasets(hid_t group)
{
    const hsize_t huge[2] = { 1u << 28, 1u << 28 }, overflow[2] = { 1ull << 40, 1ull << 40 };
    const hsize_t chunk[2] = { 1, 1 << 20 }, one = 1, wide[1] = { 1u << 28 };
    const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE), deflated = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t outside = H5Pcreate(H5P_DATASET_CREATE), coarse = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(chunked, 2, chunk);
    H5Pset_chunk(deflated, 2, chunk);
    H5Pset_deflate(deflated, 9);
    H5Pset_external(outside, "/etc/passwd", 0, 4);
    H5Pset_chunk(coarse, 1, wide);
    add_foreign(group, "huge", H5T_IEEE_F32LE, 2, huge, chunked);
    add_foreign(group, "overflow", H5T_IEEE_F32LE, 2, overflow, chunked);
    add_foreign(group, "deflated", H5T_IEEE_F32LE, 2, huge, deflated);
    add_foreign(group, "outside", H5T_IEEE_F32LE, 1, &one, outside);
    add_foreign(group, "large chunk", H5T_IEEE_F32LE, 1, wide, coarse);
    add_foreign(group, "double", H5T_IEEE_F64LE, 1, &one, H5P_DEFAULT);
    add_foreign(group, "integer", H5T_STD_I32LE, 1, &one, H5P_DEFAULT);
    add_foreign(group, "big endian", H5T_IEEE_F32BE, 1, &one, H5P_DEFAULT);
    H5Pclose(chunked);
    H5Pclose(deflated);
    H5Pclose(outside);
    H5Pclose(coarse);
    H5Gclose(H5Gcreate2(group, "folder", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    assert_true(H5Lcreate_soft("/model/double", group, "soft", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_external("a.h5", "/model/z.weight", group, "external", H5P_DEFAULT,
                                   H5P_DEFAULT) >= 0);
}

static void test_foreign(void **state)
{
    static const char only_plain[] =
        "stored in another way than fovea does: only plain datasets and Fletcher32";
    static const struct {
        const char *name, *message;
    } cases[] = {
        { "huge", "claims 72057594037927936 elements that the file does not hold" },
        { "overflow", "damaged: use another copy of the file" },
        { "deflated", only_plain },
        { "outside", only_plain },
        { "large chunk", only_plain },
        { "double", "not a dataset of float32" },
        { "integer", "not a dataset of float32" },
        { "big endian", "not a dataset of float32" },
        { "folder", "there is no such dataset" },
        { "soft", "there is no such dataset" },
        { "external", "there is no such dataset" },
    };
    (void)state;
    assert_ok(write_all(in_folder("a.h5"), "x"));
    const char *path = in_folder("foreign.h5");
    hid_t group = -1;
    const hid_t file = begin_foreign(path, &group);
    add_foreign_datasets(group);
    assert_true(H5Lcreate_external("a.h5", "/model", file, "linked", H5P_DEFAULT, H5P_DEFAULT) >=
                0);
    H5Gclose(group);
    H5Fclose(file);

    fv_h5_reader *r = NULL;
    float value = 0;
    int rank = 0;
    int64_t dims[8];
    char wanted[600];
    assert_ok(fv_h5_open(&r, path, &testing_err));
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        snprintf(wanted, sizeof(wanted), "%s: model/%s: %s", path, cases[i].name, cases[i].message);
        assert_int_equal(fv_h5_read_floats(r, "model", cases[i].name, 1, &value, &testing_err),
                         FV_ERR_FORMAT);
        assert_string_equal(testing_err.message, wanted);
        assert_int_equal(fv_h5_shape(r, "model", cases[i].name, &rank, dims, &testing_err),
                         FV_ERR_FORMAT);
        assert_string_equal(testing_err.message, wanted);
    }
    assert_fails(fv_h5_read_floats(r, "linked", "z.weight", 6, &value, &testing_err), FV_ERR_FORMAT,
                 "%s: there is no group \"linked\"", path);
    fv_h5_close(r);
}

static void test_foreign_text(void **state)
{
    (void)state;
    const char *path = in_folder("text.h5");
    const hsize_t one = 1, two = 2;
    hid_t group = -1;
    const hid_t file = begin_foreign(path, &group);
    const hid_t text = H5Gcreate2(file, "text", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t variable = H5Tcopy(H5T_C_S1), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(variable, H5T_VARIABLE);
    add_foreign(text, "variable", variable, 1, &one, H5P_DEFAULT);
    H5Tclose(variable);
    H5Tset_size(type, 3);
    add_foreign(text, "two", type, 1, &two, H5P_DEFAULT);
    H5Tset_size(type, 1u << 30);
    add_foreign(text, "huge", type, 1, &one, H5P_DEFAULT);
    add_foreign(text, "a%zz", type, 1, &one, H5P_DEFAULT);
    H5Tclose(type);
    H5Gclose(text);
    H5Gclose(group);
    H5Fclose(file);

    fv_h5_reader *r = NULL;
    char *got = NULL, **names = NULL;
    int count = 0;
    assert_ok(fv_h5_open(&r, path, &testing_err));
    assert_fails(fv_h5_read_text(r, "variable", &got, &testing_err), FV_ERR_FORMAT,
                 "%s: text/variable: not one string of fixed length", path);
    assert_fails(fv_h5_read_text(r, "two", &got, &testing_err), FV_ERR_FORMAT,
                 "%s: text/two: not one string of fixed length", path);
    assert_fails(fv_h5_read_text(r, "huge", &got, &testing_err), FV_ERR_FORMAT,
                 "%s: text/huge: claims a string of 1073741824 bytes that the file does not hold",
                 path);
    assert_fails(fv_h5_list(r, "text", &names, &count, &testing_err), FV_ERR_FORMAT,
                 "%s: group \"text\": entry 0 has a malformed name", path);
    assert_null(got);
    assert_null(names);
    fv_h5_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_same_contents_same_bytes),
        cmocka_unit_test(test_long_text),      cmocka_unit_test(test_absent),
        cmocka_unit_test(test_not_hdf5),       cmocka_unit_test(test_refused_names),
        cmocka_unit_test(test_folder_missing), cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_tmpfs_full),     cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_truncated),      cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_foreign),        cmocka_unit_test(test_foreign_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
