/* SPDX-License-Identifier: Apache-2.0 */
#include "tar_testing.h"

#include "base/compiler.h"
#include "base/log.h"
#include "data/tar.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    return path;
}

static fv_tar *open_bytes(tar_bytes *t)
{
    fv_tar *tar = NULL;
    tar_write(t, in_folder("a.tar"));
    assert_ok(fv_tar_open(&tar, in_folder("a.tar"), &testing_err));
    return tar;
}

static void expect_entry(fv_tar *tar, fv_tar_kind kind, const char *name, const char *content)
{
    fv_tar_entry e;
    bool more = false;
    char text[64] = "";
    assert_ok(fv_tar_next(tar, &e, &more, &testing_err));
    assert_true(more);
    assert_string_equal(e.name, name);
    assert_int_equal(e.kind, kind);
    assert_int_equal(e.size, strlen(content));
    assert_ok(fv_tar_read(tar, e.offset, text, e.size, &testing_err));
    assert_string_equal(text, content);
}

static void expect_end(fv_tar *tar)
{
    fv_tar_entry e;
    bool more = true;
    assert_ok(fv_tar_next(tar, &e, &more, &testing_err));
    assert_false(more);
    fv_tar_close(tar);
}

/* The first failure of an archive: opening it, or one of its entries. */
static void expect_failure(tar_bytes *t, const char *what)
{
    char wanted[1024];
    snprintf(wanted, sizeof(wanted), "%s: %s", in_folder("a.tar"), what);
    fv_tar *tar = NULL;
    fv_tar_entry e;
    tar_write(t, in_folder("a.tar"));
    fv_status status = fv_tar_open(&tar, in_folder("a.tar"), &testing_err);
    for (bool more = true; status == FV_OK && more;)
        status = fv_tar_next(tar, &e, &more, &testing_err);
    fv_tar_close(tar);
    assert_int_equal(status, FV_ERR_FORMAT);
    assert_string_equal(testing_err.message, wanted);
}

/* ---- What is well-formed ---- */

static void test_kinds(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    tar_add(&t, '5', "d/", "", 0);
    tar_add(&t, '0', "d/a.txt", "hello", 5);
    tar_add(&t, '\0', "old/", "", 0);
    tar_add(&t, '\0', "old/b.txt", "", 0);
    tar_add(&t, '2', "link", "", 0);
    tar_add(&t, '7', "whole", "x", 1);
    tar_end(&t);
    fv_tar *tar = open_bytes(&t);
    expect_entry(tar, FV_TAR_FOLDER, "d/", "");
    expect_entry(tar, FV_TAR_FILE, "d/a.txt", "hello");
    assert_int_equal(fv_tar_position(tar), 1536);
    expect_entry(tar, FV_TAR_FOLDER, "old/", "");
    expect_entry(tar, FV_TAR_FILE, "old/b.txt", "");
    expect_entry(tar, FV_TAR_OTHER, "link", "");
    expect_entry(tar, FV_TAR_FILE, "whole", "x");
    assert_int_equal(fv_tar_bytes(tar), 10 * TAR_BLOCK);
    expect_end(tar);
}

static void long_name(char *name, size_t length)
{
    memset(name, 'n', length);
    name[length] = '\0';
}

/* Prefix, GNU's long name, pax's path and size. */
static void test_extensions(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    char name[301], record[400], full[101];
    long_name(name, 300);
    long_name(full, 100);
    size_t at = tar_add(&t, '0', full, "1", 1); /* a name without a final zero */
    memcpy(t.data + at + 345, "some/prefix", 11);
    tar_sign(t.data + at);
    at = tar_add(&t, '0', "gnu", "2", 1); /* no prefix in GNU's format */
    memcpy(t.data + at + 257, "ustar  ", 8);
    memcpy(t.data + at + 345, "14523532115", 11);
    tar_sign(t.data + at);
    tar_add(&t, 'K', "././@LongLink", name, 301);
    tar_add(&t, 'L', "././@LongLink", name, 301);
    tar_add(&t, '0', "nnnn", "3", 1);
    tar_add(&t, 'g', "pax_global_header", "19 comment=whatever", 19);
    snprintf(record, sizeof(record), "30 mtime=1350244992.023960108\n310 path=%s\n9 size=3\n",
             name);
    tar_add(&t, 'x', "PaxHeaders/nnnn", record, strlen(record));
    at = tar_add(&t, '0', "nnnn", "456", 3);
    memcpy(t.data + at + 124, "00000000000", 11);
    tar_sign(t.data + at);
    tar_add(&t, '0', "last", "5", 1); /* the headers before were for one entry only */
    tar_end(&t);
    fv_tar *tar = open_bytes(&t);
    char prefixed[128];
    snprintf(prefixed, sizeof(prefixed), "some/prefix/%s", full);
    expect_entry(tar, FV_TAR_FILE, prefixed, "1");
    expect_entry(tar, FV_TAR_FILE, "gnu", "2");
    expect_entry(tar, FV_TAR_FILE, name, "3");
    expect_entry(tar, FV_TAR_FILE, name, "456");
    expect_entry(tar, FV_TAR_FILE, "last", "5");
    expect_end(tar);
}

static void test_numbers(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    static const char sizes[][13] = { "          3 ", "3\0          ",
                                      "\x80\0\0\0\0\0\0\0\0\0\0\x03", "000000000003" };
    for (size_t i = 0; i < FV_ARRAY_LEN(sizes); i++) {
        const size_t at = tar_add(&t, '0', "a", "abc", 3);
        memcpy(t.data + at + 124, sizes[i], 12);
        tar_sign(t.data + at);
    }
    const size_t at = tar_add(&t, '0', "\xe4", "abc", 3); /* summed with signs */
    const unsigned sum = (unsigned)strtoul((char *)t.data + at + 148, NULL, 8);
    snprintf((char *)t.data + at + 148, 8, "%06o", sum - 256);
    tar_end(&t);
    fv_tar *tar = open_bytes(&t);
    for (size_t i = 0; i < FV_ARRAY_LEN(sizes); i++) expect_entry(tar, FV_TAR_FILE, "a", "abc");
    expect_entry(tar, FV_TAR_FILE, "\xe4", "abc");
    expect_end(tar);
}

static void test_inside(void **state)
{
    (void)state;
    tar_bytes inner = { .data = NULL }, outer = { .data = NULL };
    tar_add(&inner, '0', "x.JPEG", "pixels", 6);
    tar_end(&inner);
    tar_add(&outer, '0', "first", "1", 1);
    tar_add(&outer, '0', "n01.tar", inner.data, inner.size);
    tar_add(&outer, '0', "bad.tar", "what is this?", 13);
    tar_add(&outer, '0', "cut.tar", inner.data, TAR_BLOCK);
    tar_end(&outer);
    fv_free(inner.data);
    fv_tar *tar = open_bytes(&outer), *in = NULL;
    fv_tar_entry e;
    bool more;
    expect_entry(tar, FV_TAR_FILE, "first", "1");
    assert_ok(fv_tar_next(tar, &e, &more, &testing_err));
    assert_ok(fv_tar_open_inside(&in, tar, &e, &testing_err));
    expect_entry(in, FV_TAR_FILE, "x.JPEG", "pixels");
    expect_end(in);

    char wanted[512];
    assert_ok(fv_tar_next(tar, &e, &more, &testing_err));
    assert_int_equal(fv_tar_open_inside(&in, tar, &e, &testing_err), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted), "%s/bad.tar: not a tar archive", in_folder("a.tar"));
    assert_string_equal(testing_err.message, wanted);
    assert_null(in);

    /* What follows in the outer archive is not its own. */
    assert_ok(fv_tar_next(tar, &e, &more, &testing_err));
    assert_ok(fv_tar_open_inside(&in, tar, &e, &testing_err));
    assert_int_equal(fv_tar_next(in, &e, &more, &testing_err), FV_ERR_FORMAT);
    snprintf(wanted, sizeof(wanted),
             "%s/cut.tar: byte 0: an entry of 6 bytes, but only 0 are left: the archive was cut",
             in_folder("a.tar"));
    assert_string_equal(testing_err.message, wanted);
    fv_tar_close(in);
    expect_end(tar);
}

static void take_line(void *ctx, fv_log_level level, const char *line)
{
    if (level == FV_LOG_WARNING) snprintf(ctx, 512, "%s", line);
}

static void test_no_end_mark(void **state)
{
    (void)state;
    char line[512] = "", wanted[512];
    tar_bytes t = { .data = NULL };
    tar_add(&t, '0', "a", "abc", 3);
    fv_tar *tar = open_bytes(&t);
    expect_entry(tar, FV_TAR_FILE, "a", "abc");
    fv_log_sink(take_line, line);
    expect_end(tar);
    fv_log_sink(NULL, NULL);
    snprintf(wanted, sizeof(wanted), "%s: no end mark: the archive may have been cut",
             in_folder("a.tar"));
    assert_string_equal(line, wanted);
}

/* ---- What is not ---- */

static void test_not_tar(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } table[] = {
        { "", "not a tar archive" },
        { "hello", "not a tar archive" },
        { "\x1f\x8b\x08", "compressed with gzip: decompress it first" },
        { "BZh91", "compressed with bzip2: decompress it first" },
        { "\xfd"
          "7zXZ",
          "compressed with xz: decompress it first" },
        { "\x28\xb5\x2f\xfd", "compressed with zstd: decompress it first" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        tar_bytes t = { .data = NULL };
        const size_t length = strlen(table[i].text);
        memcpy(tar_extend(&t, length), table[i].text, length);
        expect_failure(&t, table[i].what);
    }
    fv_tar *tar = NULL;
    assert_int_equal(fv_tar_open(&tar, "/nowhere/a.tar", &testing_err), FV_ERR_IO);
    assert_string_equal(testing_err.message,
                        "/nowhere/a.tar: cannot open: No such file or directory");
    assert_int_equal(fv_tar_open(&tar, "/tmp", &testing_err), FV_ERR_IO);
    assert_string_equal(testing_err.message, "/tmp: not a regular file");
    assert_null(tar);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        char size[13];
        const char *what;
    } table[] = {
        { "00000001000",
          "byte 512: an entry of 512 bytes, but only 0 are left: the archive was cut" },
        { "77777777777", "byte 512: an entry of 8589934591 bytes, but only 0 are left: the archive "
                         "was cut" },
        { "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
          "byte 512: an entry of 9223372036854775807 bytes, but only 0 are left: the archive was "
          "cut" },
        { "\x80\0\0\0\x80\0\0\0\0\0\0\0", "byte 512: the size of an entry is no number" },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
          "byte 512: the size of an entry is no number" },
        { "-1", "byte 512: the size of an entry is no number" },
        { "12x", "byte 512: the size of an entry is no number" },
        { "8", "byte 512: the size of an entry is no number" },
    };
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        tar_bytes t = { .data = NULL };
        tar_add(&t, '0', "before", "", 0);
        const size_t at = tar_add(&t, '0', "a", "", 0);
        memcpy(t.data + at + 124, table[i].size, 12);
        tar_sign(t.data + at);
        expect_failure(&t, table[i].what);
    }
}

static void test_damage(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    size_t at = tar_add(&t, '0', "first", "", 0);
    at = tar_add(&t, '0', "a", "abc", 3);
    t.data[at]++;
    expect_failure(&t, "byte 512: not a header of tar, or a damaged one: wrong checksum");

    tar_add(&t, '0', "a", "", 0);
    tar_extend(&t, 100);
    expect_failure(&t, "byte 512: the archive ends within a header: it was cut");

    tar_add(&t, '0', "", "", 0);
    expect_failure(&t, "byte 0: an entry without a name");

    tar_add(&t, 'S', "holes", "", 0);
    expect_failure(&t, "byte 0: a sparse file, which is not supported: pack it without --sparse");

    char name[5001];
    long_name(name, 5000);
    tar_add(&t, 'L', "././@LongLink", name, 5000);
    expect_failure(&t, "byte 0: a name of more than 4095 bytes");
    tar_add(&t, 'L', "././@LongLink", name, 4096);
    expect_failure(&t, "byte 0: a name of more than 4095 bytes");
}

static void test_bad_records(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } table[] = {
        { "9 path=a\n"
          "99 path=b\n",
          "a pax record of a wrong length" },
        { "0 path=a\n", "a pax record of a wrong length" },
        { "2 path=a\n", "a pax record of a wrong length" },
        { "8 path=a\n", "a pax record of a wrong length" },
        { "99999999999999999999 path=a\n", "a pax record of a wrong length" },
        { "path=a\n", "a pax record of a wrong length" },
        { "-9 path=a\n", "a pax record of a wrong length" },
        { "7 path\n", "a pax record without \"=\"" },
        { "10 size=x\n", "a pax record with a size that is no number" },
        { "30 size=9999999999999999999999\n", "a pax record of a wrong length" },
        { "31 size=9999999999999999999999\n", "a pax record with a size that is no number" },
        { "22 GNU.sparse.major=1\n",
          "a sparse file, which is not supported: pack it without --sparse" },
    };
    char wanted[256];
    for (size_t i = 0; i < FV_ARRAY_LEN(table); i++) {
        tar_bytes t = { .data = NULL };
        tar_add(&t, 'x', "pax", table[i].text, strlen(table[i].text));
        snprintf(wanted, sizeof(wanted), "byte 0: %s", table[i].what);
        expect_failure(&t, wanted);
    }
    tar_bytes t = { .data = NULL };
    tar_add(&t, 'x', "pax", "11 path=a\0b\n", 12);
    expect_failure(&t, "byte 0: a pax record of a wrong length");
    tar_add(&t, 'x', "pax", "12 path=a\0b\n", 12);
    expect_failure(&t, "byte 0: a name with a zero byte in it");
    unsigned char *body = fv_alloc((1 << 20) + 1);
    tar_add(&t, 'x', "pax", body, (1 << 20) + 1);
    fv_free(body);
    expect_failure(&t, "byte 0: a pax header of more than 1 MiB");
}

/* Whatever the bytes, the sanitizers must be content and the end must come. */
static void test_noise(void **state)
{
    (void)state;
    fv_random r = fv_random_stream(1, FV_RANDOM_TEST, 0, 7);
    for (int round = 0; round < 300; round++) {
        tar_bytes t = { .data = NULL };
        tar_add(&t, '0', "a", "abc", 3);
        tar_add(&t, 'x', "pax", "9 size=4\n10 path=b\n", 19);
        tar_add(&t, '0', "b", "abcd", 4);
        tar_add(&t, 'L', "long", "a long name", 12);
        tar_add(&t, '0', "c", "", 0);
        tar_end(&t);
        for (int k = 0; k < 4; k++) {
            const size_t at = (size_t)fv_random_int(&r, 0, (int)t.size - 1);
            t.data[at] = (unsigned char)fv_random_u32(&r);
        }
        for (size_t at = 0; at + TAR_BLOCK <= t.size; at += TAR_BLOCK)
            if (memcmp(t.data + at + 257, "ustar", 5) == 0) tar_sign(t.data + at);
        t.size -= (size_t)fv_random_int(&r, 0, (int)t.size / 2);
        tar_write(&t, in_folder("noise.tar"));
        fv_tar *tar = NULL;
        fv_tar_entry e;
        int entries = 0;
        fv_status status = fv_tar_open(&tar, in_folder("noise.tar"), &testing_err);
        for (bool more = true; status == FV_OK && more; entries++)
            status = fv_tar_next(tar, &e, &more, &testing_err);
        assert_true(entries < 20);
        fv_tar_close(tar);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    tar_bytes t = { .data = NULL };
    tar_add(&t, 'x', "pax", "10 path=b\n", 10);
    tar_add(&t, '0', "a", "abc", 3);
    tar_end(&t);
    tar_write(&t, in_folder("a.tar"));
    fv_status status = FV_ERR_NOMEM;
    for (size_t n = 1; status != FV_OK; n++) {
        fv_tar *tar = NULL;
        fv_tar_entry e;
        bool more;
        fv_alloc_fail_at(n);
        status = fv_tar_open(&tar, in_folder("a.tar"), &testing_err);
        if (status == FV_OK) status = fv_tar_next(tar, &e, &more, &testing_err);
        fv_alloc_fail_at(0);
        fv_tar_close(tar);
        assert_true(status == FV_OK || status == FV_ERR_NOMEM);
        assert_true(n < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),         cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_inside),
        cmocka_unit_test(test_no_end_mark),   cmocka_unit_test(test_not_tar),
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_damage),
        cmocka_unit_test(test_bad_records),   cmocka_unit_test(test_noise),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
