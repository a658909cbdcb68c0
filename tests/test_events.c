/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/events.h"
#include "io/protobuf.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Checksums ---- */

/* The examples of RFC 3720, appendix B.4. */
static void crc_is_castagnoli(void **state)
{
    (void)state;
    uint8_t bytes[32];
    assert_int_equal(fv_crc32c("", 0), 0);
    assert_int_equal(fv_crc32c("123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(fv_crc32c(bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(fv_crc32c(bytes, sizeof(bytes)), 0x62a8ab43);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    assert_int_equal(fv_crc32c(bytes, sizeof(bytes)), 0x46dd794e);
}

/* ---- Messages ---- */

/* The bytes that Google's own encoder makes of the same fields. */
static void fields_have_their_wire_format(void **state)
{
    (void)state;
    const uint8_t expected[] = {
        0x08, 0x96, 0x01,                                                 /* 1: 150 */
        0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, /* 2: -1 */
        0x1d, 0x00, 0x00, 0x20, 0xc0,                                     /* 3: -2.5f */
        0x21, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf0, 0x3f,             /* 4: 1.0 */
        0x2a, 0x02, 'h',  'i',                                            /* 5: "hi" */
        0x82, 0x01, 0x02, 0x08, 0x00,                                     /* 16: { 1: 0 } */
        0x3a, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40,       /* 7: [2.0] */
    };
    fv_message m = { 0 }, nested = { 0 };
    fv_message_integer(&m, 1, 150);
    fv_message_integer(&m, 2, -1);
    fv_message_float(&m, 3, -2.5f);
    fv_message_double(&m, 4, 1.0);
    fv_message_bytes(&m, 5, "hi", 2);
    fv_message_integer(&nested, 1, 0);
    fv_message_nested(&m, 16, &nested);
    fv_message_doubles(&m, 7, (double[]){ 2.0 }, 1);
    assert_false(m.failed);
    assert_int_equal(m.bytes, sizeof(expected));
    assert_memory_equal(m.data, expected, sizeof(expected));
    fv_message_deinit(&nested);
    fv_message_deinit(&m);
}

static void a_failed_message_stays_failed(void **state)
{
    (void)state;
    fv_message m = { 0 }, outer = { 0 };
    fv_alloc_fail_at(1);
    fv_message_integer(&m, 1, 1);
    fv_alloc_fail_at(0);
    assert_true(m.failed);
    fv_message_integer(&m, 1, 1);
    assert_int_equal(m.bytes, 0);
    fv_message_nested(&outer, 1, &m);
    assert_true(outer.failed);
    fv_message_deinit(&m);
    fv_message_deinit(&outer);
}

/* ---- Files ---- */

static const char *folder_named(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", testing_folder(), name);
    return path;
}

/* The only, or the last, event file. */
static char *read_events(const char *folder, size_t *bytes, int *files)
{
    struct dirent **names;
    char path[1024], *data;
    const int count = scandir(folder, &names, NULL, alphasort);
    assert_true(count > 2);
    snprintf(path, sizeof(path), "%s/%s", folder, names[count - 1]->d_name);
    *files = count - 2;
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
    assert_ok(fv_file_read(path, 1 << 20, &data, bytes, &testing_err));
    return data;
}

static uint64_t number(const char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return value;
}

static void assert_masked(const char *data, size_t bytes, const char *stored)
{
    const uint32_t masked = (uint32_t)number(stored, 4), rotated = masked - 0xa282ead8u;
    assert_int_equal(rotated << 15 | rotated >> 17, fv_crc32c(data, bytes));
}

/* Checks the frame of a record at `at`; returns its data and steps over it. */
static const char *next_record(const char **at, const char *end, size_t *bytes)
{
    const char *record = *at;
    assert_true(end - record >= 16);
    *bytes = (size_t)number(record, 8);
    assert_true(*bytes <= (size_t)(end - record) - 16);
    assert_masked(record, 8, record + 8);
    assert_masked(record + 12, *bytes, record + 12 + *bytes);
    *at = record + 12 + *bytes + 4;
    return record + 12;
}

static void assert_ends_with(const char *data, size_t bytes, const void *expected, size_t size)
{
    assert_true(bytes >= size);
    assert_memory_equal(data + bytes - size, expected, size);
}

static void events_are_framed(void **state)
{
    (void)state;
    const char *folder = folder_named("framed");
    fv_events *events;
    assert_ok(fv_events_open(&events, folder, 0, &testing_err));
    const fv_scalar scalars[] = { { "a/b", 0.5 }, { "none", (double)NAN }, { "c", -2.0 } };
    assert_ok(fv_events_scalars(events, 300, scalars, 3, &testing_err));
    assert_ok(fv_events_scalars(events, 301, scalars + 1, 1, &testing_err)); /* nothing */
    fv_events_close(events);

    size_t bytes, size;
    int files;
    char *data = read_events(folder, &bytes, &files);
    const char *at = data, *record;
    assert_int_equal(files, 1);
    record = next_record(&at, data + bytes, &size);
    assert_ends_with(record, size,
                     "\x10\0\x1a\x0d"
                     "brain.Event:2",
                     17);
    record = next_record(&at, data + bytes, &size);
    assert_ends_with(record, size, "\x10\0\x3a\x02\x08\x01", 6); /* session_log: START */
    record = next_record(&at, data + bytes, &size);
    assert_ends_with(record, size,
                     "\x10\xac\x02\x2a\x16" /* step 300, summary of 22 bytes */
                     "\x0a\x0a\x0a\x03"
                     "a/b\x15\0\0\0\x3f"
                     "\x0a\x08\x0a\x01"
                     "c\x15\0\0\0\xc0",
                     27);
    assert_ptr_equal(at, data + bytes);
    fv_free(data);
}

static double field(const char *histogram, int offset)
{
    double value;
    memcpy(&value, histogram + offset, sizeof(value));
    return value;
}

static void assert_near(double a, double b) { assert_true(fabs(a - b) <= 1e-12); }

static void histograms_count_what_is_finite(void **state)
{
    (void)state;
    const char *folder = folder_named("histogram");
    const float values[] = { -1.0f, NAN, 2.0f, 2.0f, INFINITY, 0.5f };
    fv_events *events;
    assert_ok(fv_events_open(&events, folder, 0, &testing_err));
    assert_ok(fv_events_histogram(events, 7, "w", values, 6, &testing_err));
    assert_ok(fv_events_histogram(events, 8, "w", values + 1, 1, &testing_err)); /* nothing */
    fv_events_close(events);

    size_t bytes, size = 0;
    int files;
    char *data = read_events(folder, &bytes, &files);
    const char *at = data, *record = NULL;
    while (at < data + bytes) record = next_record(&at, data + bytes, &size);
    enum { LIST = 3 + 8 * FV_EVENTS_BUCKETS, HISTOGRAM = 5 * 9 + 2 * LIST };
    const char *h = record + size - HISTOGRAM;
    assert_near(field(h, 1), -1.0);
    assert_near(field(h, 10), 2.0);
    assert_near(field(h, 19), 4.0);
    assert_near(field(h, 28), 3.5);
    assert_near(field(h, 37), 9.25);
    const char *limits = h + 45 + 3, *sizes = limits + LIST;
    for (int b = 0; b < FV_EVENTS_BUCKETS; b++) {
        assert_near(field(limits, 8 * b), -1.0 + 0.1 * (b + 1));
        assert_near(field(sizes, 8 * b), b == 0 || b == 15 ? 1 : b == 29 ? 2 : 0);
    }
    fv_free(data);
}

static void a_run_that_goes_on_has_a_new_file(void **state)
{
    (void)state;
    const char *folder = folder_named("again");
    fv_events *events;
    size_t bytes, size;
    int files;
    for (int session = 0; session < 3; session++) {
        assert_ok(fv_events_open(&events, folder, session * 200, &testing_err));
        fv_events_close(events);
    }
    char *data = read_events(folder, &bytes, &files);
    const char *at = data;
    assert_int_equal(files, 3);
    next_record(&at, data + bytes, &size);
    const char *record = next_record(&at, data + bytes, &size);
    assert_ends_with(record, size, "\x10\x90\x03\x3a\x02\x08\x01", 7); /* step 400 */
    fv_free(data);

    char other[600];
    snprintf(other, sizeof(other), "%s/events.out.tfevents.1.others", folder);
    assert_ok(fv_file_write(other, "", 0, &testing_err));
    assert_ok(fv_events_clear(folder, &testing_err));
    data = read_events(folder, &bytes, &files);
    assert_int_equal(files, 1);
    assert_true(fv_file_exists(other));
    fv_free(data);
    assert_ok(fv_events_clear(folder_named("no such folder"), &testing_err));
}

static void failures_name_the_file(void **state)
{
    (void)state;
    char expected[700], path[600];
    fv_events *events;
    fv_error err;
    snprintf(path, sizeof(path), "%s", folder_named("file"));
    assert_ok(fv_file_write(path, "", 0, &testing_err));
    assert_int_equal(fv_events_clear(path, &err), FV_ERR_IO);
    snprintf(expected, sizeof(expected), "%s: cannot be read: Not a directory", path);
    assert_string_equal(err.message, expected);
    assert_int_not_equal(fv_events_open(&events, path, 0, &err), FV_OK);

    const char *folder = folder_named("memory");
    for (size_t n = 1;; n++) {
        const fv_scalar scalar = { "a", 1.0 };
        const float value = 1.0f;
        fv_status status;
        events = NULL;
        fv_alloc_fail_at(n);
        status = fv_events_open(&events, folder, 0, &err);
        if (status == FV_OK) status = fv_events_scalars(events, 1, &scalar, 1, &err);
        if (status == FV_OK) status = fv_events_histogram(events, 1, "b", &value, 1, &err);
        fv_alloc_fail_at(0);
        fv_events_close(events);
        if (status == FV_OK) break;
        assert_int_equal(status, FV_ERR_NOMEM);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_is_castagnoli),
        cmocka_unit_test(fields_have_their_wire_format),
        cmocka_unit_test(a_failed_message_stays_failed),
        cmocka_unit_test(events_are_framed),
        cmocka_unit_test(histograms_count_what_is_finite),
        cmocka_unit_test(a_run_that_goes_on_has_a_new_file),
        cmocka_unit_test(failures_name_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
