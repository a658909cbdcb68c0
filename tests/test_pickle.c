/* SPDX-License-Identifier: Apache-2.0 */
/* Files of PaddlePaddle and PyTorch, as golden/weights holds them: written by make_weights.py. */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/weights.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const good[] = { "protocol2.pdparams", "protocol3.pdparams",
                                    "protocol4.pdparams", "protocol5.pdparams",
                                    "tuples.pdparams",    "plain.pth",
                                    "nested.pth",         "ema.pth" };

static const char *golden(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "golden/weights/%s", name);
    return path;
}

static fv_tensors *open_golden(const char *name)
{
    fv_tensors *file = NULL;
    assert_ok(fv_tensors_open(&file, golden(name), &testing_err));
    return file;
}

/* "2x3x1x2"; "" for a scalar. */
static const char *shape_text(const fv_tensor_info *info)
{
    static char text[80];
    text[0] = '\0';
    for (int d = 0; d < info->rank; d++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", d ? "x" : "",
                 (int)info->dims[d]);
    return text;
}

/* Element i is i / 2 - 1, or whether that is not 0. */
static void check_ramp(fv_tensors *file, int i, bool truth)
{
    float values[16];
    const fv_tensor_info info = fv_tensors_at(file, i);
    assert_true(info.count <= 16);
    assert_ok(fv_tensors_read(file, i, values, &testing_err));
    for (size_t k = 0; k < info.count; k++) {
        const float x = (float)k / 2.0f - 1.0f;
        assert_true(values[k] == (truth ? (float)(x != 0.0f) : x));
    }
}

typedef struct expected {
    const char *name, *shape;
} expected;

static void check(const char *name, const expected *tensors, int count)
{
    fv_tensors *file = open_golden(name);
    assert_int_equal(fv_tensors_count(file), count);
    for (int k = 0; k < count; k++) {
        const int i = fv_tensors_find(file, tensors[k].name);
        assert_true(i >= 0);
        const fv_tensor_info info = fv_tensors_at(file, i);
        assert_string_equal(shape_text(&info), tensors[k].shape);
        check_ramp(file, i, strcmp(tensors[k].name, "truth") == 0);
    }
    fv_tensors_close(file);
}

static void test_pdparams(void **state)
{
    (void)state;
    static const expected all[] = { { "conv.weight", "2x3x1x2" },
                                    { "fc.weight", "2x3" },
                                    { "half", "3" },
                                    { "scalar", "" },
                                    { "big", "2x3" },
                                    { "brain", "2x2" },
                                    { "empty", "0x3" },
                                    { "truth", "2x2" } };
    for (int i = 0; i < 4; i++) check(good[i], all, 8);
    static const expected tuples[] = { { "fc.weight", "2x3" }, { "half", "3" } };
    check("tuples.pdparams", tuples, 2);
}

static void test_pth(void **state)
{
    (void)state;
    static const expected all[] = {
        { "conv.weight", "2x3x1x2" }, { "fc.weight", "2x3" }, { "half", "3" }, { "scalar", "" },
        { "brain", "2x2" },           { "empty", "0x3" },     { "head", "3" }, { "truth", "2x2" }
    };
    check("plain.pth", all, 8);
    check("nested.pth", all, 8);
    check("ema.pth", all + 2, 1);
}

/* ---- Refusals ---- */

static void check_refused(const char *path, const char *message)
{
    fv_tensors *file = NULL;
    char whole[700];
    snprintf(whole, sizeof(whole), "%s: %s", path, message);
    assert_int_equal(fv_tensors_open(&file, path, &testing_err), FV_ERR_FORMAT);
    assert_string_equal(testing_err.message, whole);
    assert_null(file);
}

static void test_refused_files(void **state)
{
    (void)state;
    check_refused(golden("command.pdparams"),
                  "pickle, byte 35: it asks for posix.system, which weights do not need: save the "
                  "state_dict alone");
    check_refused(golden("args.pth"),
                  "pickle, byte 210: it asks for argparse.Namespace, which weights do not need: "
                  "save the state_dict alone");
    check_refused(golden("old.pth"),
                  "a file of PyTorch from before 1.6, which is not read: torch.load it and "
                  "torch.save it again, or save the weights as safetensors");
    check_refused(golden("packed.pth"), "byteorder is missing, compressed or above 67108864 bytes");
}

#define PICKLE(text) text, sizeof(text) - 1

static const struct {
    const char *bytes;
    size_t size;
    const char *message;
} hostile[] = {
    { PICKLE("\x80\x02"), "pickle, byte 2: it ends too soon" },
    { PICKLE("\x80\x02."), "pickle, byte 3: it ends with 0 values, not one" },
    { PICKLE("\x80\x02}}."), "pickle, byte 5: it ends with 2 values, not one" },
    { PICKLE("\x80\x02(."), "pickle, byte 4: a mark where a value belongs" },
    { PICKLE("\x80\x02\xff"), "pickle, byte 2: 0xff is no opcode" },
    { PICKLE("\x80\x02(ios\nsystem\n."),
      "pickle, byte 3: opcode INST is not among those that weights need" },
    { PICKLE("\x80\x02}2."), "pickle, byte 3: opcode DUP is not among those that weights need" },
    { PICKLE("\x80\x02\x80\x06."), "pickle, byte 4: protocol 6, not 2 to 5" },
    { PICKLE("\x80\x02\x95\xff\xff\xff\xff\xff\xff\xff\xff."),
      "pickle, byte 11: a frame beyond the end" },
    { PICKLE("\x80\x02X\xff\xff\xff\xff."),
      "pickle, byte 7: 4294967295 bytes are announced, 1 are left" },
    { PICKLE("\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\xff."),
      "pickle, byte 11: 18446744073709551615 bytes are announced, 1 are left" },
    { PICKLE("\x80\x02\x8a\x09\x00"), "pickle, byte 4: an integer of 9 bytes, above 8" },
    { PICKLE("\x80\x02t"), "pickle, byte 3: a mark is missing" },
    { PICKLE("\x80\x02N\x86"), "pickle, byte 4: a value is missing" },
    { PICKLE("\x80\x02(\x85"), "pickle, byte 4: a mark where a value belongs" },
    { PICKLE("\x80\x02Na"), "pickle, byte 4: something is put into what is no list" },
    { PICKLE("\x80\x02]Na}NNNs"), "pickle, byte 10: something is put into what is no dict" },
    { PICKLE("\x80\x02}(Nu"), "pickle, byte 6: a key without a value" },
    { PICKLE("\x80\x02h\x07"), "pickle, byte 4: memo 7 is empty" },
    { PICKLE("\x80\x02}q\x05j\x04\x00\x00\x00"), "pickle, byte 10: memo 4 is empty" },
    { PICKLE("\x80\x02}r\xff\xff\xff\x7f."), "pickle, byte 8: memo 2147483647 is beyond 1048576" },
    { PICKLE("\x80\x02NNR"), "pickle, byte 5: a call of what cannot be called" },
    { PICKLE("\x80\x02NNb"), "pickle, byte 5: a state for what has none" },
    { PICKLE("\x80\x02"
             "cnumpy\nndarray"),
      "pickle, byte 9: a line without an end" },
    { PICKLE("\x80\x02"
             "c__builtin__\neval\n."),
      "pickle, byte 20: it asks for __builtin__.eval, which weights do not need: save the "
      "state_dict alone" },
    { PICKLE("\x80\x02NN\x93"), "pickle, byte 5: the name of a global is no text" },
    { PICKLE("\x80\x02"
             "ccollections\nOrderedDict\nK\x01\x85R."),
      "pickle, byte 31: a dict that begins with arguments is not read" },
    { PICKLE("\x80\x02]."), "a pickle of something else than a dict of arrays" },
    { PICKLE("\x80\x02}NNs."), "a key of its dict is no text" },
    { PICKLE("\x80\x02}X\x00\x00\x00\x00Ns."),
      "the header holds a name that is empty, too long or not printable" },
    { PICKLE("\x80\x02}X\x01\x00\x00\x00"
             "aNs."),
      "tensor \"a\": not an array: only the parameters of a model are read" },
    { PICKLE("\x80\x02}X\x15\x00\x00\x00UnpackBigParamInfor@@Ns."),
      "parameters in several slices are not read: save with protocol 4" },
};

static void test_hostile_pickles(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof(path), "%s/hostile.pdparams", testing_folder());
    for (size_t i = 0; i < FV_ARRAY_LEN(hostile); i++) {
        assert_ok(fv_file_write(path, hostile[i].bytes, hostile[i].size, &testing_err));
        check_refused(path, hostile[i].message);
    }
}

/* A copy of a golden file in which `from` stands once and is replaced. */
static const char *patched(const char *name, const void *from, const void *to, size_t size)
{
    static char path[256];
    char *bytes = NULL;
    size_t count = 0;
    assert_ok(fv_file_read(golden(name), 1 << 20, &bytes, &count, &testing_err));
    char *at = memmem(bytes, count, from, size);
    assert_non_null(at);
    memcpy(at, to, size);
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    assert_ok(fv_file_write(path, bytes, count, &testing_err));
    fv_free(bytes);
    return path;
}

static void test_hostile_arrays(void **state)
{
    (void)state;
    check_refused(
        patched("protocol4.pdparams", "(K\x02K\x03K\x01K\x02", "(K\x02K\x03K\x01K\x03", 9),
        "tensor \"conv.weight\": its shape does not fit the number of its bytes");
    check_refused(patched("protocol4.pdparams",
                          "\x8c\x02"
                          "f2",
                          "\x8c\x02"
                          "c8",
                          4),
                  "tensor \"half\": its dtype is not read; known are f8 f4 f2 u2 (for bfloat16) i8 "
                  "i4 i2 i1 u1 b1");
    check_refused(patched("protocol2.pdparams", "latin1", "utf-16", 6),
                  "tensor \"conv.weight\": its elements are missing");
    check_refused(patched("protocol2.pdparams", "\xc2\x80\xc2\xbf", "\xc4\x80\xc2\xbf", 4),
                  "tensor \"conv.weight\": its elements are not bytes in latin1");
}

/* ---- Damage ---- */

/* Opens a file in memory, `fd`, with these bytes, and reads all that it says it has, or is refused:
 * no crash, and no absurd size. */
static void survive(int fd, const char *bytes, size_t count)
{
    char path[64];
    fv_tensors *file = NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(ftruncate(fd, (off_t)count), 0);
    assert_int_equal(pwrite(fd, bytes, count, 0), count);
    if (fv_tensors_open(&file, path, &testing_err) != FV_OK) return;
    for (int i = 0; i < fv_tensors_count(file); i++) {
        const fv_tensor_info info = fv_tensors_at(file, i);
        assert_true(info.count <= 8 * count);
        float *values = fv_alloc(info.count * sizeof(float));
        (void)fv_tensors_read(file, i, values, &testing_err);
        fv_free(values);
    }
    fv_tensors_close(file);
}

static void test_damage(void **state)
{
    (void)state;
    const int fd = memfd_create("damaged", MFD_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < FV_ARRAY_LEN(good); i++) {
        char *bytes = NULL;
        size_t count = 0;
        assert_ok(fv_file_read(golden(good[i]), 1 << 20, &bytes, &count, &testing_err));
        for (size_t k = 0; k < count; k += 7) survive(fd, bytes, k);
        for (size_t k = 0; k < count; k++) {
            const char was = bytes[k];
            bytes[k] = (char)(was ^ (1 << k % 8));
            survive(fd, bytes, count);
            bytes[k] = (char)(was + 1);
            survive(fd, bytes, count);
            bytes[k] = was;
        }
        fv_free(bytes);
    }
    close(fd);
}

static void test_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < FV_ARRAY_LEN(good); i++) {
        fv_status status = FV_ERR_NOMEM;
        for (size_t n = 1; status != FV_OK; n++) {
            fv_tensors *file = NULL;
            fv_alloc_fail_at(n);
            status = fv_tensors_open(&file, golden(good[i]), &testing_err);
            fv_alloc_fail_at(0);
            fv_tensors_close(file);
            if (status != FV_OK) assert_int_equal(status, FV_ERR_NOMEM);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pdparams),       cmocka_unit_test(test_pth),
        cmocka_unit_test(test_refused_files),  cmocka_unit_test(test_hostile_pickles),
        cmocka_unit_test(test_hostile_arrays), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
