/* SPDX-License-Identifier: Apache-2.0 */
#include "matlab_testing.h"

#include "base/compiler.h"
#include "data/matlab.h"

static const mat_synset synsets[] = {
    { 1, "n02119789", "kit fox, Vulpes macrotis", 0 },
    { 70000, "n02100735", "caf\xe9", 3 },
    { 0.5, "", "", 0 },
};
enum { SYNSETS = 3 };

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    return path;
}

static const char *message(const char *what)
{
    static char text[512];
    snprintf(text, sizeof(text), "%s: %s", in_folder("meta.mat"), what);
    return text;
}

static double number(const fv_matlab *m, int i, const char *field)
{
    double value = -1.0;
    assert_ok(fv_matlab_number(m, i, field, &value, &testing_err));
    return value;
}

static const char *text(const fv_matlab *m, int i, const char *field)
{
    static char value[64];
    assert_ok(fv_matlab_text(m, i, field, value, sizeof(value), &testing_err));
    return value;
}

static void test_fields(void **state)
{
    (void)state;
    for (int packed = 0; packed < 2; packed++) {
        fv_matlab *m = NULL;
        mat_write_meta(in_folder("meta.mat"), synsets, SYNSETS, packed);
        assert_ok(fv_matlab_open(&m, in_folder("meta.mat"), "synsets", &testing_err));
        assert_int_equal(fv_matlab_count(m), SYNSETS);
        assert_float_equal(number(m, 0, "ILSVRC2012_ID"), 1.0, 0.0);
        assert_string_equal(text(m, 0, "WNID"), "n02119789");
        assert_string_equal(text(m, 0, "words"), "kit fox, Vulpes macrotis");
        assert_float_equal(number(m, 1, "ILSVRC2012_ID"), 70000.0, 0.0);
        assert_string_equal(text(m, 1, "words"), "caf\xc3\xa9");
        assert_float_equal(number(m, 1, "num_children"), 3.0, 0.0);
        assert_float_equal(number(m, 2, "ILSVRC2012_ID"), 0.5, 0.0);
        assert_string_equal(text(m, 2, "words"), "");
        fv_matlab_close(m);
    }
}

static void test_wrong_fields(void **state)
{
    (void)state;
    fv_matlab *m = NULL;
    char small[8];
    double value;
    mat_write_meta(in_folder("meta.mat"), synsets, SYNSETS, true);
    assert_ok(fv_matlab_open(&m, in_folder("meta.mat"), "synsets", &testing_err));
    assert_int_equal(fv_matlab_number(m, 0, "id", &value, &testing_err), FV_ERR_FORMAT);
    assert_string_equal(testing_err.message, message("its structures have no field \"id\""));
    assert_int_equal(fv_matlab_number(m, 1, "WNID", &value, &testing_err), FV_ERR_FORMAT);
    assert_string_equal(testing_err.message, message("WNID of structure 2 is not one number"));
    assert_int_equal(fv_matlab_text(m, 0, "num_children", small, sizeof(small), &testing_err),
                     FV_ERR_FORMAT);
    assert_string_equal(testing_err.message, message("num_children of structure 1 is no text"));
    assert_int_equal(fv_matlab_text(m, 0, "words", small, sizeof(small), &testing_err),
                     FV_ERR_FORMAT);
    assert_string_equal(testing_err.message, message("words of structure 1 is too long"));
    fv_matlab_close(m);
}

/* Writes and opens; must fail. */
static void expect_failure(tar_bytes *file, const char *what)
{
    fv_matlab *m = NULL;
    tar_write(file, in_folder("meta.mat"));
    assert_int_equal(fv_matlab_open(&m, in_folder("meta.mat"), "synsets", &testing_err),
                     FV_ERR_FORMAT);
    assert_string_equal(testing_err.message, message(what));
    assert_null(m);
}

static void test_wrong_files(void **state)
{
    (void)state;
    tar_bytes file = { .data = NULL }, variable = { .data = NULL };
    mat_put(&file, "MATLAB 5.0", 10);
    expect_failure(&file, "not a little-endian MATLAB 5 file");

    mat_number(&variable, 1.0);
    mat_file(&file, &variable, 1, true);
    expect_failure(&file, "no variable \"synsets\" in it");

    mat_file(&file, &variable, 1, false);
    file.size -= 8;
    expect_failure(&file, "damaged: it was cut");

    mat_file(&file, &variable, 1, true);
    file.data[128 + 8] ^= 0xff;
    expect_failure(&file, "damaged: what is compressed cannot be unpacked");
    fv_free(variable.data);

    tar_bytes array = { .data = NULL };
    variable = (tar_bytes){ .data = NULL };
    mat_header(&array, 6, 1, 1, "synsets");
    mat_matrix(&variable, &array);
    mat_file(&file, &variable, 1, false);
    expect_failure(&file, "\"synsets\" is no array of structures");
    fv_free(variable.data);

    variable = (tar_bytes){ .data = NULL };
    mat_header(&array, 2, 4000, 4000, "synsets");
    const int32_t length = 4;
    mat_element(&array, 5, &length, 4);
    mat_element(&array, 1, "a\0\0\0b\0\0\0", 8);
    mat_matrix(&variable, &array);
    mat_file(&file, &variable, 1, false);
    expect_failure(&file, "damaged: more structures than bytes");
    fv_free(variable.data);
}

/* 65 MiB of zeros are 64 KiB when packed. */
static void test_bomb(void **state)
{
    (void)state;
    tar_bytes file = { .data = NULL }, variable = { .data = NULL };
    tar_extend(&variable, (size_t)65 << 20);
    mat_file(&file, &variable, 1, true);
    fv_free(variable.data);
    expect_failure(&file, "damaged: a variable of more than 64 MiB");
}

static void read_all(const char *path)
{
    fv_matlab *m = NULL;
    char words[64];
    double value;
    if (fv_matlab_open(&m, path, "synsets", &testing_err) != FV_OK) return;
    for (int i = 0; i < fv_matlab_count(m); i++) {
        (void)fv_matlab_number(m, i, "ILSVRC2012_ID", &value, &testing_err);
        (void)fv_matlab_text(m, i, "words", words, sizeof(words), &testing_err);
    }
    fv_matlab_close(m);
}

/* Whatever the bytes, the sanitizers must be content. */
static void test_noise(void **state)
{
    (void)state;
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, 11);
    mat_write_meta(in_folder("good.mat"), synsets, SYNSETS, false);
    char *good = NULL;
    size_t size = 0;
    assert_ok(fv_file_read(in_folder("good.mat"), 1 << 20, &good, &size, &testing_err));
    for (int round = 0; round < 200; round++) {
        tar_bytes file = { .data = NULL };
        mat_put(&file, good, size);
        for (int k = 0; k < 3; k++) {
            const int at = fv_random_int(&r, 128, (int)size - 1);
            file.data[at] = (unsigned char)fv_random_int(&r, 0, k ? 255 : 20);
        }
        if (round % 4 == 0) file.size = (size_t)fv_random_int(&r, 100, (int)size);
        tar_write(&file, in_folder("noise.mat"));
        read_all(in_folder("noise.mat"));
    }
    fv_free(good);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    mat_write_meta(in_folder("meta.mat"), synsets, SYNSETS, true);
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_matlab *m = NULL;
        fv_alloc_fail_at(n);
        status = fv_matlab_open(&m, in_folder("meta.mat"), "synsets", &testing_err);
        fv_alloc_fail_at(0);
        fv_matlab_close(m);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
        assert_true(n < 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_wrong_fields),
        cmocka_unit_test(test_wrong_files), cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_noise),       cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
