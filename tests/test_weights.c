/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/hdf5.h"
#include "io/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

static void test_hostile_headers(void **state)
{
    static const char not_read[] = "neither safetensors nor any other format that is read";
    static const char expected[] = "tensor \"a\": dtype, shape and two data_offsets are expected";
    static const char outside[] = "tensor \"a\": its data_offsets are not in the file";
    static const struct {
        const char *header;
        size_t bytes; /* of data */
        const char *message;
    } cases[] = {
        { "[]", 0, not_read },
        { " {}", 0, not_read },
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
        { "{\"a\":{}}", 0, expected },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, expected },
        { "{\"a\":{\"dtype\":\"F32\",\"form\":[1],\"data_offsets\":[0,4]}}", 4,
          "tensor \"a\": it has no shape" },
        { "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, expected },
        { "{\"a\":" T("F32", "1", "0,4,8") "}", 8, expected },
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
        { "{\"a\":" T("F32", "1,1,1,1,1,1,1,1,1", "0,4") "}", 4,
          "tensor \"a\": rank 9 is above 8" },
        { "{\"a\":" T("F32", "1", "0,8") "}", 8,
          "tensor \"a\": its shape needs 4 bytes, its data_offsets give 8" },
        { "{\"a\":" T("F32", "2", "0,8") "}", 7, outside },
        { "{\"a\":" T("F32", "1", "4,0") "}", 8, outside },
        { "{\"a\":" T("F32", "1", "-4,0") "}", 8, outside },
        { "{\"a\":" T("F32", "1", "0,4.0") "}", 8, outside },
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
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(cases); i++)
        check_refused(write_safetensors(cases[i].header, NULL, cases[i].bytes), FV_ERR_FORMAT,
                      cases[i].message);
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
          "a zip archive, such as a PyTorch .pth file, which is not read yet: save the weights as "
          "safetensors" },
        { "\x80\2}q\0", 5,
          "a python pickle, such as a PaddlePaddle .pdparams or an old PyTorch .pth file, which is "
          "not "
          "read yet: save the weights as safetensors" },
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
    static const char header[] =
        "{\"f64\":" T("F64", "", "0,8") ",\"f32\":" T("F32", "1", "8,12") ",\"f16\":" T("F16", "2,2", "12,20") ",\"bf16\":" T("BF16", "1", "20,22") ",\"i64\":" T(
            "I64", "1",
            "22,30") ",\"none\":" T("I16", "0",
                                    "30,30") ",\"i32\":" T("I32", "1",
                                                           "30,34") ",\"i16\":" T("I16", "1",
                                                                                  "34,36") ",\"i8\""
                                                                                           ":" T(
                                                                                               "I"
                                                                                               "8",
                                                                                               "1",
                                                                                               "3"
                                                                                               "6"
                                                                                               ","
                                                                                               "3"
                                                                                               "7") ",\"u8\":" T("U8",
                                                                                                                 "1",
                                                                                                                 "37,38") ",\"bool\":" T("BOOL",
                                                                                                                                         "1",
                                                                                                                                         "38,39") ",\"__metadata__\":{\"format\":\"pt\",\"classes\":\"caf\\u00e9\"}}  ";
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

/* ---- Loading into parameters ---- */

static void add(fv_params *params, const char *name, fv_role role, int rank, const int *dims)
{
    fv_param *p = NULL;
    const fv_init init = { FV_INIT_UNIFORM, 0.5f };
    assert_ok(fv_params_get(params, name, role, rank, dims, init, &p, &testing_err));
}

/* A small network of `classes` classes. */
static fv_params *network(int classes)
{
    fv_params *params = NULL;
    assert_ok(fv_params_create(&params, 7, &testing_err));
    add(params, "conv1.weight", FV_CONV_WEIGHT, 4, (int[]){ 4, 3, 3, 3 });
    add(params, "bn.mean", FV_BN_MEAN, 1, (int[]){ 4 });
    add(params, "out.weight", FV_LINEAR_WEIGHT, 2, (int[]){ 4, classes });
    add(params, "out.bias", FV_BIAS, 1, (int[]){ classes });
    return params;
}

static void fill(fv_params *params)
{
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        testing_fill(p->name, p->value, p->count);
        p->value[0] = i % 2 ? -0.0f : NAN; /* bits, not values, are kept */
    }
}

static void assert_same(const fv_params *a, const fv_params *b)
{
    assert_int_equal(fv_params_count(a), fv_params_count(b));
    for (int i = 0; i < fv_params_count(a); i++) {
        const fv_param *p = fv_params_at(a, i), *q = fv_params_find(b, p->name);
        assert_non_null(q);
        assert_int_equal(p->count, q->count);
        assert_memory_equal(p->value, q->value, p->count * sizeof(float));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const names[] = { "a.h5", "a.safetensors" };
    fv_params *saved = network(5);
    fill(saved);
    for (int i = 0; i < 2; i++) {
        fv_params *loaded = network(5);
        fv_load_report report;
        const uint64_t version = fv_params_version(loaded);
        assert_ok(fv_weights_save(in_folder(names[i]), saved, &testing_err));
        assert_ok(fv_weights_load(in_folder(names[i]), loaded, NULL, &report, &testing_err));
        assert_same(saved, loaded);
        assert_true(fv_params_version(loaded) != version);
        assert_int_equal(report.matched, 4);
        assert_int_equal(report.missing + report.unexpected + report.reshaped, 0);
        fv_params_destroy(loaded);
    }
    assert_int_equal(fv_weights_save("a.pth", saved, &testing_err), FV_ERR_FORMAT);
    assert_string_equal(testing_err.message,
                        "a.pth: cannot write: the extension gives the format, .h5 or .safetensors");
    fv_params_destroy(saved);
}

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

static void check_misfit(const char *path, fv_params *params, const fv_load_options *options,
                         const char *message)
{
    char expected[700];
    fv_params *before = network(5);
    const uint64_t version = fv_params_version(params);
    snprintf(expected, sizeof(expected), "%s: the weights do not fit the model: %s", path, message);
    assert_int_equal(fv_weights_load(path, params, options, NULL, &testing_err), FV_ERR_SHAPE);
    assert_string_equal(testing_err.message, expected);
    assert_int_equal(fv_params_version(params), version);
    if (fv_params_count(params) == fv_params_count(before)) assert_same(params, before);
    fv_params_destroy(before);
}

static void test_strict(void **state)
{
    (void)state;
    char path[256];
    fv_params *saved = network(3), *params = network(5);
    snprintf(path, sizeof(path), "%s", in_folder("s.h5"));
    add(saved, "extra.weight", FV_BIAS, 1, (int[]){ 1 });
    assert_ok(fv_weights_save(path, saved, &testing_err));
    check_misfit(path, params, NULL,
                 "2 matched, 1 unexpected (first extra.weight), 2 of another shape (first "
                 "out.weight: 4x3 in "
                 "the file, 4x5 in the model)");
    check_misfit(
        path, params, &(fv_load_options){ .partial = true },
        "2 matched, 2 of another shape (first out.weight: 4x3 in the file, 4x5 in the model)");
    check_misfit(path, params, &(fv_load_options){ .head = "out." },
                 "2 matched, 1 unexpected (first extra.weight)");
    add(params, "late.weight", FV_BIAS, 1, (int[]){ 1 });
    add(params, "later.weight", FV_BIAS, 1, (int[]){ 1 });
    check_misfit(path, params, &(fv_load_options){ .head = "out." },
                 "2 matched, 2 missing (first late.weight), 1 unexpected (first extra.weight)");
    fv_params_destroy(saved);
    fv_params_destroy(params);
}

static void test_partial(void **state)
{
    (void)state;
    const char *path = in_folder("p.safetensors");
    fv_params *saved = network(5), *params = network(5), *fresh = network(5);
    fv_load_report report;
    fill(saved);
    add(saved, "extra", FV_BIAS, 1, (int[]){ 1 });
    add(params, "late", FV_BIAS, 1, (int[]){ 2 });
    add(fresh, "late", FV_BIAS, 1, (int[]){ 2 });
    assert_ok(fv_weights_save(path, saved, &testing_err));
    assert_ok(fv_weights_load(path, params, &(fv_load_options){ .partial = true }, &report,
                              &testing_err));
    assert_int_equal(report.matched, 4);
    assert_int_equal(report.missing, 1);
    assert_int_equal(report.unexpected, 1);
    assert_int_equal(report.reshaped, 0);
    assert_string_equal(report.first_missing, "late");
    assert_string_equal(report.first_unexpected, "extra");
    const fv_param *late = fv_params_find(params, "late"), *same = fv_params_find(fresh, "late");
    assert_memory_equal(late->value, same->value, 2 * sizeof(float));
    fv_params_destroy(saved);
    fv_params_destroy(params);
    fv_params_destroy(fresh);
}

static void test_new_head(void **state)
{
    (void)state;
    const char *path = in_folder("head.h5");
    fv_params *saved = network(3), *params = network(5), *fresh = network(5);
    fv_load_report report;
    fill(saved);
    fill(params);
    assert_ok(fv_weights_save(path, saved, &testing_err));
    assert_ok(
        fv_weights_load(path, params, &(fv_load_options){ .head = "out." }, &report, &testing_err));
    assert_int_equal(report.matched, 2);
    assert_int_equal(report.reshaped, 2);
    assert_string_equal(report.first_reshaped, "out.weight");
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        const fv_params *from = strncmp(p->name, "out.", 4) == 0 ? fresh : saved;
        assert_memory_equal(p->value, fv_params_find(from, p->name)->value,
                            p->count * sizeof(float));
    }
    fv_params_destroy(saved);
    fv_params_destroy(params);
    fv_params_destroy(fresh);
}

/* A file that breaks off while it is read must not leave half of it in the parameters. */
static void test_damage_changes_nothing(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t count = 0;
    const char *path = in_folder("d.h5");
    fv_params *saved = network(5), *params = network(5);
    fill(saved);
    assert_ok(fv_weights_save(path, saved, &testing_err));
    assert_ok(fv_file_read(path, 1 << 20, &bytes, &count, &testing_err));
    const float *bias = fv_params_find(saved, "out.bias")->value; /* the last to be read */
    char *at = memmem(bytes, count, bias, 5 * sizeof(float));
    assert_non_null(at);
    at[3] = (char)(at[3] ^ 1);
    assert_ok(fv_file_write(path, bytes, count, &testing_err));
    fv_free(bytes);
    assert_int_equal(fv_weights_load(path, params, NULL, NULL, &testing_err), FV_ERR_FORMAT);
    char expected[400];
    snprintf(expected, sizeof(expected),
             "%s: model/out.bias: damaged: use another copy of the file", path);
    assert_string_equal(testing_err.message, expected);
    fv_params *fresh = network(5);
    assert_same(params, fresh);
    fv_params_destroy(fresh);
    fv_params_destroy(saved);
    fv_params_destroy(params);
}

static void test_no_memory(void **state)
{
    (void)state;
    static const char *const names[] = { "m.h5", "m.safetensors" };
    fv_params *saved = network(5);
    fill(saved);
    for (int i = 0; i < 2; i++) {
        const char *path = in_folder(names[i]);
        fv_status status = FV_ERR_NOMEM;
        for (size_t n = 1; status != FV_OK; n++) {
            fv_alloc_fail_at(n);
            status = fv_weights_save(path, saved, &testing_err);
            fv_alloc_fail_at(0);
            if (status != FV_OK) assert_int_equal(status, FV_ERR_NOMEM);
        }
        fv_params *params = network(5), *fresh = network(5);
        status = FV_ERR_NOMEM;
        for (size_t n = 1; status != FV_OK; n++) {
            fv_alloc_fail_at(n);
            status = fv_weights_load(path, params, NULL, NULL, &testing_err);
            fv_alloc_fail_at(0);
            if (status != FV_OK) {
                assert_int_equal(status, FV_ERR_NOMEM);
                assert_same(params, fresh);
            }
        }
        assert_same(params, saved);
        fv_params_destroy(params);
        fv_params_destroy(fresh);
    }
    fv_params_destroy(saved);
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
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_strict),          cmocka_unit_test(test_partial),
        cmocka_unit_test(test_new_head),        cmocka_unit_test(test_damage_changes_nothing),
        cmocka_unit_test(test_no_memory),       cmocka_unit_test(test_mobilenet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
