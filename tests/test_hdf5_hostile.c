/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 files that are cut, changed, or made by somebody else. */
#include "hdf5_testing.h"

#include <fcntl.h>
#include <hdf5.h>
#include <sys/stat.h>
#include <unistd.h>

/* libhdf5 1.10 loses a few hundred bytes for every damaged table that it reads; the leak checker of
 * the address sanitizer asks for this by name. */
/* NOLINTBEGIN(readability-identifier-naming) */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5"; }
/* NOLINTEND(readability-identifier-naming) */

/* Expects an error, or else all as it was written. */
static int still_reads;

static void try_file(const char *path)
{
    const fv_status status = read_all(path, "some text");
    if (status == FV_OK)
        still_reads++;
    else if (status != FV_ERR_FORMAT)
        fail_msg("unexpected: %s", testing_err.message);
    if (status != FV_OK) assert_non_null(strstr(testing_err.message, "a.h5: "));
}

/* Cuts from the end, so that the file need not be written again. */
static void test_truncated(void **state)
{
    (void)state;
    struct stat info;
    const char *path = in_folder("a.h5");
    assert_ok(write_all(path, "some text"));
    assert_int_equal(stat(path, &info), 0);
    still_reads = 0;
    for (off_t n = info.st_size - 1; n >= 0; n -= n < 8192 ? 37 : 50021) {
        assert_int_equal(truncate(path, n), 0);
        try_file(path);
    }
    assert_int_equal(still_reads, 0);
}

/* Every changed byte is noticed, or lies where nothing is stored. */
static void test_flipped(void **state)
{
    (void)state;
    struct stat info;
    int tried = 0;
    const char *path = in_folder("a.h5");
    assert_ok(write_all(path, "some text"));
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    still_reads = 0;
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash("flip"));
    for (off_t at = 0; at < info.st_size; at += at < 8192 ? 5 : 20011, tried++) {
        unsigned char byte = 0, changed = 0;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        changed = (unsigned char)(byte ^ 1u << fv_random_int(&r, 0, 7));
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        try_file(path);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    assert_in_range(still_reads, 0, tried / 50);
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
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_foreign_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
