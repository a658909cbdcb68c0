/* SPDX-License-Identifier: Apache-2.0 */
#include "io/events.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/protobuf.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Field numbers of tensorflow's event.proto, summary.proto and histogram.proto. */
enum { EVENT_WALL_TIME = 1, EVENT_STEP, EVENT_FILE_VERSION, EVENT_SUMMARY = 5, EVENT_SESSION = 7 };
enum { SESSION_STATUS = 1, SESSION_START = 1 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SCALAR = 2, VALUE_HISTOGRAM = 5 };
enum { HISTO_MIN = 1, HISTO_MAX, HISTO_COUNT, HISTO_SUM, HISTO_SQUARES, HISTO_LIMITS, HISTO_SIZES };

static const char PREFIX[] = "events.out.tfevents.", SUFFIX[] = ".fovea";

struct fv_events {
    char path[4096];
    int fd;
    fv_message event, summary, value, histogram; /* kept for their memory */
};

/* ---- Records ---- */

uint32_t fv_crc32c(const void *data, size_t bytes)
{
    static const uint32_t table[16] = { /* what four bits make of the remainder */
                                        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75
    };
    const uint8_t *p = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static void put(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> (8 * i));
}

static void put_checksum(uint8_t *to, const void *data, size_t bytes)
{
    const uint32_t crc = fv_crc32c(data, bytes);
    put(to, (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8), 4);
}

static fv_status append(fv_events *e, const uint8_t *bytes, size_t size, fv_error *err)
{
    const off_t end = lseek(e->fd, 0, SEEK_END);
    ssize_t written;
    do written = write(e->fd, bytes, size);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)size) return FV_OK;
    const int why = written < 0 ? errno : ENOSPC;
    /* Readers stop at a torn record, so that it must not stay; if it does, they stop. */
    if (written > 0 && end >= 0 && ftruncate(e->fd, end) != 0) {
    }
    return fv_fail(err, FV_ERR_IO, "%s: cannot write: %s", e->path, strerror(why));
}

/* Writes e->event, framed. */
static fv_status write_event(fv_events *e, fv_error *err)
{
    const size_t bytes = e->event.bytes, size = 12 + bytes + 4;
    uint8_t *record = e->event.failed ? NULL : fv_alloc(size);
    if (!record) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for an event", e->path);
    put(record, bytes, 8);
    put_checksum(record + 8, record, 8);
    memcpy(record + 12, e->event.data, bytes);
    put_checksum(record + 12 + bytes, record + 12, bytes);
    const fv_status status = append(e, record, size, err);
    fv_free(record);
    return status;
}

/* ---- Events ---- */

static void begin_event(fv_events *e, int64_t step)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    fv_message_clear(&e->event);
    fv_message_double(&e->event, EVENT_WALL_TIME, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    fv_message_integer(&e->event, EVENT_STEP, step);
    fv_message_clear(&e->summary);
}

static void begin_value(fv_events *e, const char *tag)
{
    fv_message_clear(&e->value);
    fv_message_bytes(&e->value, VALUE_TAG, tag, strlen(tag));
}

static fv_status write_summary(fv_events *e, fv_error *err)
{
    if (e->summary.bytes == 0 && !e->summary.failed) return FV_OK;
    fv_message_nested(&e->event, EVENT_SUMMARY, &e->summary);
    return write_event(e, err);
}

fv_status fv_events_scalars(fv_events *e, int64_t step, const fv_scalar *scalars, int count,
                            fv_error *err)
{
    begin_event(e, step);
    for (int i = 0; i < count; i++) {
        if (isnan(scalars[i].value)) continue;
        begin_value(e, scalars[i].tag);
        fv_message_float(&e->value, VALUE_SCALAR, (float)scalars[i].value);
        fv_message_nested(&e->summary, SUMMARY_VALUE, &e->value);
    }
    return write_summary(e, err);
}

typedef struct histogram {
    double min, max, count, sum, squares, limits[FV_EVENTS_BUCKETS], sizes[FV_EVENTS_BUCKETS];
} histogram;

static void measure(histogram *h, const float *values, size_t count)
{
    *h = (histogram){ .min = (double)INFINITY, .max = (double)-INFINITY };
    for (size_t i = 0; i < count; i++) {
        const double x = (double)values[i];
        if (!isfinite(x)) continue;
        h->min = fmin(h->min, x);
        h->max = fmax(h->max, x);
        h->sum += x;
        h->squares += x * x;
        h->count++;
    }
    const double width = (h->max - h->min) / FV_EVENTS_BUCKETS;
    for (int b = 0; b < FV_EVENTS_BUCKETS; b++) h->limits[b] = h->min + width * (b + 1);
    for (size_t i = 0; i < count; i++) {
        const double x = (double)values[i];
        if (!isfinite(x)) continue;
        const int b = width > 0.0 ? (int)((x - h->min) / width) : 0;
        h->sizes[b < FV_EVENTS_BUCKETS ? b : FV_EVENTS_BUCKETS - 1]++;
    }
}

fv_status fv_events_histogram(fv_events *e, int64_t step, const char *tag, const float *values,
                              size_t count, fv_error *err)
{
    histogram h;
    measure(&h, values, count);
    if (h.count == 0.0) return FV_OK;
    fv_message *m = &e->histogram;
    fv_message_clear(m);
    fv_message_double(m, HISTO_MIN, h.min);
    fv_message_double(m, HISTO_MAX, h.max);
    fv_message_double(m, HISTO_COUNT, h.count);
    fv_message_double(m, HISTO_SUM, h.sum);
    fv_message_double(m, HISTO_SQUARES, h.squares);
    fv_message_doubles(m, HISTO_LIMITS, h.limits, FV_EVENTS_BUCKETS);
    fv_message_doubles(m, HISTO_SIZES, h.sizes, FV_EVENTS_BUCKETS);
    begin_event(e, step);
    begin_value(e, tag);
    fv_message_nested(&e->value, VALUE_HISTOGRAM, m);
    fv_message_nested(&e->summary, SUMMARY_VALUE, &e->value);
    return write_summary(e, err);
}

/* ---- Files ---- */

static bool is_ours(const char *name)
{
    const size_t length = strlen(name), suffix = sizeof(SUFFIX) - 1;
    return strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0 && length > suffix &&
           strcmp(name + length - suffix, SUFFIX) == 0;
}

/* Calls fn for each event file of ours, until one call fails; counts them. */
typedef fv_status visit_fn(const char *path, fv_error *err);
static fv_status visit(const char *folder, visit_fn *fn, int *count, fv_error *err)
{
    *count = 0;
    DIR *dir = opendir(folder);
    if (!dir && errno == ENOENT) return FV_OK;
    if (!dir) return fv_fail(err, FV_ERR_IO, "%s: cannot be read: %s", folder, strerror(errno));
    fv_status status = FV_OK;
    for (struct dirent *d; status == FV_OK && (d = readdir(dir)) != NULL;) {
        char path[4096];
        if (!is_ours(d->d_name) || !fv_path_join(path, sizeof(path), folder, d->d_name)) continue;
        if (fn) status = fn(path, err);
        ++*count;
    }
    closedir(dir);
    return status;
}

static fv_status remove_file(const char *path, fv_error *err)
{
    if (unlink(path) == 0 || errno == ENOENT) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: cannot be removed: %s", path, strerror(errno));
}

fv_status fv_events_clear(const char *folder, fv_error *err)
{
    int removed;
    return visit(folder, remove_file, &removed, err);
}

/* TensorBoard reads the files of a folder in the order of their names: the time, then the number
 * of files before. */
static fv_status name_file(fv_events *e, const char *folder, fv_error *err)
{
    char host[64] = "", name[160];
    int before;
    FV_TRY(visit(folder, NULL, &before, err));
    gethostname(host, sizeof(host) - 1);
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-') *c = '_';
    snprintf(name, sizeof(name), "%s%010lld.%06d.%s%s", PREFIX, (long long)time(NULL), before, host,
             SUFFIX);
    if (fv_path_join(e->path, sizeof(e->path), folder, name)) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: the path is too long", folder);
}

static fv_status begin_file(fv_events *e, int64_t step, fv_error *err)
{
    static const char version[] = "brain.Event:2";
    fv_message session = { 0 };
    begin_event(e, 0);
    fv_message_bytes(&e->event, EVENT_FILE_VERSION, version, sizeof(version) - 1);
    FV_TRY(write_event(e, err));
    begin_event(e, step);
    fv_message_integer(&session, SESSION_STATUS, SESSION_START);
    fv_message_nested(&e->event, EVENT_SESSION, &session);
    fv_message_deinit(&session);
    return write_event(e, err);
}

fv_status fv_events_open(fv_events **out, const char *folder, int64_t step, fv_error *err)
{
    FV_TRY(fv_file_make_folder(folder, err));
    fv_events *e = fv_alloc(sizeof(*e));
    if (!e) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for events", folder);
    e->fd = -1;
    fv_status status = name_file(e, folder, err);
    if (status == FV_OK) {
        e->fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (e->fd < 0)
            status = fv_fail(err, FV_ERR_IO, "%s: cannot create: %s", e->path, strerror(errno));
    }
    if (status == FV_OK) status = begin_file(e, step, err);
    if (status == FV_OK)
        *out = e;
    else
        fv_events_close(e);
    return status;
}

void fv_events_close(fv_events *e)
{
    if (!e) return;
    if (e->fd >= 0) close(e->fd);
    fv_message_deinit(&e->event);
    fv_message_deinit(&e->summary);
    fv_message_deinit(&e->value);
    fv_message_deinit(&e->histogram);
    fv_free(e);
}
