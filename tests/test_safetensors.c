/* SPDX-License-Identifier: Apache-2.0 */
/* Files of tensors: told apart, read, written. */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "<folder of this test>/name", valid until the call after next. */
static const char *in_folder(const char *name)
{
    static char paths[2][256];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", testing_folder(), name);
    return paths[turn];
}

/* ---- safetensors by hand ---- */

/* Writes a header and `bytes` of data, zeros unless given; the path. */
static const char *write_safetensors(const char *header, const void *data, size_t bytes)
{
    const char *path = in_folder("x.safetensors");
    const uint64_t length = strlen(header);
    unsigned char *image = fv_alloc(8 + length + bytes);
    for (int i = 0; i < 8; i++) image[i] = (unsigned char)(length >> (8 * i));
    memcpy(image + 8, header, length);
    if (data) memcpy(image + 8 + length, data, bytes);
    assert_ok(fv_file_write(path, image, 8 + length + bytes, &testing_err));
    fv_free(image);
    return path;
}

static void check_refused(const char *path, fv_status status, const char *message)
{
    fv_tensors *file = NULL;
    char expected[700];
    snprintf(expected, sizeof(expected), "%s: %s", path, message);
    assert_int_equal(fv_tensors_open(&file, path, &testing_err), status);
    assert_string_equal(testing_err.message, expected);
    assert_null(file);
}

#define T(dtype, shape, offsets) \
    "{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"

static const char not_read_text[] = "neither safetensors nor any other format that is read";
static const char expected_text[] = "tensor \"a\": dtype, shape and two data_offsets are expected";
static const char outside_text[] = "tensor \"a\": its data_offsets are not in the file";
static const struct {
    const char *header;
    size_t bytes; /* of data */
    const char *message;
} hostile_headers[] = {
    { "[]", 0, not_read_text },
    { " {}", 0, not_read_text },
    { "{]", 0, "the header is not valid json near its byte 2" },
    { "{} x", 0, "the header is not valid json near its byte 4" },
    { "{\"a\":3}", 0, "an entry of the header is not a map" },
    { "{\"a\":" T("F32", "1", "0,4") ",\"a\":" T("F32", "1", "0,4") "}", 4,
      "a key occurs twice in the header" },
    { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
      "a key occurs twice in the header" },
    { "{\"\":" T("F32", "1", "0,4") "}", 4,
      "the header holds a name that is empty, too long or not printable" },
    { "{\"\\u001b[2J\":" T("F32", "1", "0,4") "}", 4,
      "the header holds a name that is empty, too long or not printable" },
    { "{\"a\":{}}", 0, expected_text },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4,
      expected_text },
    { "{\"a\":{\"dtype\":\"F32\",\"form\":[1],\"data_offsets\":[0,4]}}", 4,
      "tensor \"a\": it has no shape" },
    { "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, expected_text },
    { "{\"a\":" T("F32", "1", "0,4,8") "}", 8, expected_text },
    { "{\"a\":" T("F8_E4M3", "1", "0,1") "}", 1,
      "tensor \"a\": dtype \"F8_E4M3\" is not read; known are F64 F32 F16 BF16 I64 I32 I16 I8 "
      "U8 "
      "BOOL" },
    { "{\"a\":" T("F32", "-1", "0,4") "}", 4,
      "tensor \"a\": dimension 0 is not a whole number of at least 0" },
    { "{\"a\":" T("F32", "1,1.5", "0,4") "}", 4,
      "tensor \"a\": dimension 1 is not a whole number of at least 0" },
    { "{\"a\":" T("F32", "4294967296,4294967296", "0,4") "}", 4,
      "tensor \"a\": the number of its elements overflows" },
    { "{\"a\":" T("F32", "9223372036854775807", "0,4") "}", 4,
      "tensor \"a\": the number of its elements overflows" },
    { "{\"a\":" T("F32", "9223372036854775808", "0,4") "}", 4,
      "the header is not valid json near its byte 48" },
    { "{\"a\":" T("F32", "1,1,1,1,1,1,1,1,1", "0,4") "}", 4, "tensor \"a\": rank 9 is above 8" },
    { "{\"a\":" T("F32", "1", "0,8") "}", 8,
      "tensor \"a\": its shape needs 4 bytes, its data_offsets give 8" },
    { "{\"a\":" T("F32", "2", "0,8") "}", 7, outside_text },
    { "{\"a\":" T("F32", "1", "4,0") "}", 8, outside_text },
    { "{\"a\":" T("F32", "1", "-4,0") "}", 8, outside_text },
    { "{\"a\":" T("F32", "1", "0,4.0") "}", 8, outside_text },
    { "{\"a\":" T("F32", "1", "4,8") "}", 8,
      "tensor \"a\": it begins at byte 4 of the data, not at 0" },
    { "{\"a\":" T("F32", "1", "0,4") ",\"b\":" T("F32", "1", "0,4") "}", 4,
      "tensor \"b\": it begins at byte 0 of the data, not at 4" },
    { "{\"a\":" T("F32", "2", "0,8") ",\"b\":" T("F32", "1", "4,8") "}", 8,
      "tensor \"b\": it begins at byte 4 of the data, not at 8" },
    { "{\"a\":" T("F32", "1", "0,4") "}", 5,
      "4 bytes of tensors, but 5 bytes of data: the file was cut or something was appended" },
    { "{\"__metadata__\":{\"a\":1}}", 0, "__metadata__ must hold text only" },
    { "{\"__metadata__\":\"a\"}", 0, "an entry of the header is not a map" },
};

static void test_hostile_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(hostile_headers); i++)
        check_refused(write_safetensors(hostile_headers[i].header, NULL, hostile_headers[i].bytes),
                      FV_ERR_FORMAT, hostile_headers[i].message);
}

static void test_not_tensors(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *message;
    } cases[] = {
        { "", 0, "too short for a file of tensors" },
        { "\2\0\0\0\0\0\0", 7, "too short for a file of tensors" },
        { "\3\0\0\0\0\0\0\0{}", 10, "neither safetensors nor any other format that is read" },
        { "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10,
          "neither safetensors nor any other format that is read" },
        { "PK\3\4and more", 12,
          "begins like a zip archive, such as a .pth, but cannot be read: damaged or cut" },
        { "\x80\2}q\0", 5, "pickle, byte 5: it ends too soon" },
        { "\x89HDF\r\n\x1a\n\3", 9, "the hdf5 file is truncated or damaged: use another copy" },
    };
    (void)state;
    const char *path = in_folder("x.bin");
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++) {
        assert_ok(fv_file_write(path, cases[i].bytes, cases[i].count, &testing_err));
        check_refused(path, FV_ERR_FORMAT, cases[i].message);
    }
    check_refused("absent.h5", FV_ERR_IO, "cannot open: No such file or directory");
    check_refused(testing_folder(), FV_ERR_IO, "not a regular file");

    enum { HEADER = (8 << 20) + 1 };
    char *header = fv_alloc(HEADER + 1);
    memset(header, ' ', HEADER);
    memcpy(header, "{}", 2);
    check_refused(write_safetensors(header, NULL, 0), FV_ERR_FORMAT,
                  "a header of 8388609 bytes, above 8388608");
    fv_free(header);
}

/* No cut and no flipped bit crashes it or lets it read outside of the file. */
static void test_damaged(void **state)
{
    (void)state;
    static const float values[3] = { 1, 2, 3 };
    char *bytes = NULL;
    size_t count = 0;
    const char *path =
        write_safetensors("{\"__metadata__\":{\"k\":\"v\"},\"a\":" T(
                              "F32", "2,1", "0,8") ",\"b\":" T("F32", "", "8,12") "}",
                          values, sizeof(values));
    assert_ok(fv_file_read(path, 1 << 20, &bytes, &count, &testing_err));
    int opened = 0;
    for (size_t at = 0; at < 2 * count; at++) { /* cuts, then flips */
        const size_t n = at < count ? at : count;
        if (at >= count) bytes[at - count] = (char)(bytes[at - count] ^ (1 << at % 8));
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(bytes, 1, n, out), n);
        fclose(out);
        if (at >= count) bytes[at - count] = (char)(bytes[at - count] ^ (1 << at % 8));
        fv_tensors *file = NULL;
        if (fv_tensors_open(&file, path, &testing_err) != FV_OK) continue;
        assert_true(at >= count);
        opened++;
        for (int i = 0; i < fv_tensors_count(file); i++) {
            float read[16];
            assert_true(fv_tensors_at(file, i).count <= 3);
            assert_ok(fv_tensors_read(file, i, read, &testing_err));
        }
        fv_tensors_close(file);
    }
    assert_true(opened > 12); /* the names, the metadata and the data have no checksum */
    fv_free(bytes);
}

static void test_types(void **state)
{
    static const unsigned char data[] = {
        0,    0,    0,    0,    0,   0,    0xf8, 0xbf, /* F64 -1.5 */
        0,    0,    0x80, 0x3e,                        /* F32 0.25 */
        0,    0x3c, 1,    0x80, 0,   0xfc, 0,    0x7e, /* F16 1, -2^-24, -infinity, nan */
        0x80, 0xbf,                                    /* BF16 -1 */
        0xfe, 255,  255,  255,  255, 255,  255,  255,  /* I64 -2 */
        0,    0,    0,    0x80,                        /* I32 -2^31 */
        255,  255,                                     /* I16 -1 */
        0x80, 200,  3,                                 /* I8 -128, U8 200, BOOL */
    };
    /* clang-format off */
    static const char header[] =
        "{\"f64\":" T("F64", "", "0,8") ",\"f32\":" T("F32", "1", "8,12")
        ",\"f16\":" T("F16", "2,2", "12,20") ",\"bf16\":" T("BF16", "1", "20,22")
        ",\"i64\":" T("I64", "1", "22,30") ",\"none\":" T("I16", "0", "30,30")
        ",\"i32\":" T("I32", "1", "30,34") ",\"i16\":" T("I16", "1", "34,36")
        ",\"i8\":" T("I8", "1", "36,37") ",\"u8\":" T("U8", "1", "37,38")
        ",\"bool\":" T("BOOL", "1", "38,39")
        ",\"__metadata__\":{\"format\":\"pt\",\"classes\":\"caf\\u00e9\"}}  ";
    /* clang-format on */
    static const struct {
        const char *name;
        float value;
    } wanted[] = { { "f64", -1.5f },  { "f32", 0.25f },    { "bf16", -1.0f },
                   { "i64", -2.0f },  { "i32", -0x1p31f }, { "i16", -1.0f },
                   { "i8", -128.0f }, { "u8", 200.0f },    { "bool", 1.0f } };
    (void)state;
    fv_tensors *file = NULL;
    assert_ok(fv_tensors_open(&file, write_safetensors(header, data, sizeof(data)), &testing_err));
    assert_int_equal(fv_tensors_count(file), 11);
    for (size_t i = 0; i < FV_ARRAY_LEN(wanted); i++) {
        float value = 0;
        const int at = fv_tensors_find(file, wanted[i].name);
        assert_true(at >= 0);
        assert_string_equal(fv_tensors_at(file, at).name, wanted[i].name);
        assert_int_equal(fv_tensors_at(file, at).count, 1);
        assert_ok(fv_tensors_read(file, at, &value, &testing_err));
        assert_true(value == wanted[i].value);
    }
    float half[4];
    const fv_tensor_info info = fv_tensors_at(file, fv_tensors_find(file, "f16"));
    assert_true(info.rank == 2 && info.dims[0] == 2 && info.dims[1] == 2);
    assert_ok(fv_tensors_read(file, fv_tensors_find(file, "f16"), half, &testing_err));
    assert_true(half[0] == 1.0f && half[1] == -0x1p-24f && half[2] == -INFINITY && isnan(half[3]));
    assert_int_equal(fv_tensors_at(file, fv_tensors_find(file, "none")).count, 0);
    assert_int_equal(fv_tensors_find(file, "f"), -1);
    assert_string_equal(fv_tensors_meta(file, "classes"), "caf\xc3\xa9");
    assert_null(fv_tensors_meta(file, "class"));
    assert_int_equal(fv_tensors_meta_count(file), 2);
    assert_string_equal(fv_tensors_meta_at(file, 0).key, "format");
    fv_tensors_close(file);
    fv_tensors_close(NULL);
}

/* ---- Writing ---- */

/* What the writer writes, byte for byte: sorted, aligned, and so readable by anybody. */
static void test_written_bytes(void **state)
{
    (void)state;
    static const float values[] = { 1.0f, -2.0f, 0.5f };
    const fv_tensor_values tensors[] = {
        { { .name = "b\"", .rank = 1, .dims = { 2 }, .count = 2 }, values },
        { { .name = "a", .rank = 0, .count = 1 }, values + 2 },
    };
    const fv_meta meta = { "classes", "caf\xc3\xa9" };
    static const char header[] =
        "{\"__metadata__\":{\"classes\":\"caf\xc3\xa9\"},"
        "\"a\":" T("F32", "", "0,4") ",\"b\\\"\":" T("F32", "2", "4,12") "}";
    char *bytes = NULL;
    size_t count = 0;
    char path[256];
    snprintf(path, sizeof(path), "%s", in_folder("b.safetensors"));
    assert_ok(fv_tensors_save(path, tensors, 2, &meta, 1, &testing_err));
    assert_ok(fv_file_read(path, 1 << 20, &bytes, &count, &testing_err));
    const size_t padded = (strlen(header) + 7) / 8 * 8;
    assert_int_equal(count, 8 + padded + 12);
    assert_int_equal((unsigned char)bytes[0], padded);
    assert_memory_equal(bytes + 1, "\0\0\0\0\0\0\0", 7);
    assert_memory_equal(bytes + 8, header, strlen(header));
    for (size_t i = strlen(header); i < padded; i++) assert_int_equal(bytes[8 + i], ' ');
    assert_memory_equal(bytes + 8 + padded, "\0\0\0\x3f\0\0\x80\x3f\0\0\0\xc0", 12);
    fv_free(bytes);

    fv_tensors *file = NULL;
    assert_ok(fv_tensors_save(in_folder("b.h5"), tensors, 2, &meta, 1, &testing_err));
    assert_ok(fv_tensors_open(&file, in_folder("b.h5"), &testing_err));
    assert_string_equal(fv_tensors_at(file, 0).name, "b\"");
    assert_int_equal(fv_tensors_at(file, 1).rank, 0);
    assert_string_equal(fv_tensors_meta(file, "classes"), "caf\xc3\xa9");
    fv_tensors_close(file);

    const fv_meta latin = { "classes", "caf\xe9" };
    assert_int_equal(fv_tensors_save(path, tensors, 2, &latin, 1, &testing_err), FV_ERR_FORMAT);
    char expected[400];
    snprintf(expected, sizeof(expected),
             "%s: cannot make the header: a name or text is not utf-8, or memory is out", path);
    assert_string_equal(testing_err.message, expected);
}

/* ---- A real file ---- */

static void test_mobilenet(void **state)
{
    (void)state;
    const char *path = testing_shared("assets/mobilenetv2_imagenet_upright.safetensors");
    if (!path) skip();
    fv_tensors *file = NULL;
    assert_ok(fv_tensors_open(&file, path, &testing_err));
    assert_int_equal(fv_tensors_count(file), 267);
    const int at = fv_tensors_find(file, "conv1._conv.weight");
    assert_int_equal(at, 0);
    const fv_tensor_info info = fv_tensors_at(file, at);
    assert_true(info.rank == 4 && info.dims[0] == 32 && info.dims[1] == 3 && info.dims[3] == 3);
    assert_string_equal(fv_tensors_meta(file, "model"), "MobileNetV2");
    size_t total = 0;
    for (int i = 0; i < 267; i++) {
        const size_t count = fv_tensors_at(file, i).count;
        float *values = fv_alloc(count * sizeof(float));
        assert_ok(fv_tensors_read(file, i, values, &testing_err));
        for (size_t k = 0; k < count; k++) assert_true(isfinite(values[k]));
        fv_free(values);
        total += count;
    }
    assert_int_equal(total, 3505960 + 34176); /* trained, and running statistics */
    fv_tensors_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_headers), cmocka_unit_test(test_not_tensors),
        cmocka_unit_test(test_damaged),         cmocka_unit_test(test_types),
        cmocka_unit_test(test_written_bytes),   cmocka_unit_test(test_mobilenet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
