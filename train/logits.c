/* SPDX-License-Identifier: Apache-2.0 */
#include "train/logits.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char MAGIC[8] = "fvlogit1";

/* At the start of the file; all in this machine's byte order, which `order` shows. */
typedef struct header {
    char magic[8];
    uint32_t order; /* 1 */
    uint32_t key;
    int64_t pictures, classes;
} header;

struct fv_logits {
    char path[4096];
    int file;
    header head;
    unsigned char *row; /* checksum, then the floats */
    bool broken;
};

static size_t row_bytes(const fv_logits *l)
{
    return sizeof(uint32_t) + (size_t)l->head.classes * sizeof(float);
}

static off_t row_at(const fv_logits *l, int64_t sample)
{
    return (off_t)sizeof(header) + (off_t)sample * (off_t)row_bytes(l);
}

/* Never 0, which a hole in the file holds. Rows in the wrong place are wrong. */
static uint32_t sum_of(const fv_logits *l, int64_t sample)
{
    const fv_hash place = fv_hash_bytes(&sample, sizeof(sample), l->head.key);
    const fv_hash sum = fv_hash_bytes(l->row + sizeof(uint32_t), row_bytes(l) - sizeof(uint32_t),
                                      (uint32_t)place.low);
    return (uint32_t)sum.low ? (uint32_t)sum.low : 1;
}

/* ---- Opening ---- */

static fv_status start_anew(fv_logits *l, fv_error *err)
{
    if (ftruncate(l->file, 0) == 0 &&
        pwrite(l->file, &l->head, sizeof(l->head), 0) == (ssize_t)sizeof(l->head))
        return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: cannot be written: %s", l->path, strerror(errno));
}

static fv_status check_header(fv_logits *l, fv_error *err)
{
    header found = { .order = 0 };
    const ssize_t bytes = pread(l->file, &found, sizeof(found), 0);
    if (bytes < 0)
        return fv_fail(err, FV_ERR_IO, "%s: cannot be read: %s", l->path, strerror(errno));
    if (bytes == 0) return start_anew(l, err);
    if (bytes < (ssize_t)sizeof(MAGIC) || memcmp(found.magic, MAGIC, sizeof(MAGIC)) != 0)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: not a file of logits: Arch.teacher_cache must name a folder of its own",
                       l->path);
    if (bytes == (ssize_t)sizeof(found) && memcmp(&found, &l->head, sizeof(found)) == 0)
        return FV_OK;
    fv_log(FV_LOG_NOTICE, "%s: of other weights, pictures or transforms, so it starts anew",
           l->path);
    return start_anew(l, err);
}

static fv_status open_file(fv_logits *l, const char *path, fv_error *err)
{
    const int length = snprintf(l->path, sizeof(l->path), "%s", path);
    if (length < 0 || (size_t)length >= sizeof(l->path))
        return fv_fail(err, FV_ERR_CONFIG, "Arch.teacher_cache: the path is too long");
    l->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (l->file < 0)
        return fv_fail(err, FV_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    l->row = fv_alloc(row_bytes(l));
    if (!l->row) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    return check_header(l, err);
}

fv_status fv_logits_open(fv_logits **out, const char *path, uint32_t key, int64_t pictures,
                         int classes, fv_error *err)
{
    fv_logits *l = fv_alloc(sizeof(*l));
    if (!l) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    l->file = -1;
    l->head = (header){ .order = 1, .key = key, .pictures = pictures, .classes = classes };
    memcpy(l->head.magic, MAGIC, sizeof(MAGIC));
    const fv_status status = open_file(l, path, err);
    if (status == FV_OK)
        *out = l;
    else
        fv_logits_close(l);
    return status;
}

void fv_logits_close(fv_logits *logits)
{
    if (!logits) return;
    if (logits->file >= 0) close(logits->file);
    fv_free(logits->row);
    fv_free(logits);
}

/* ---- Rows ---- */

static bool read_row(fv_logits *l, int64_t sample)
{
    uint32_t sum;
    const ssize_t bytes = pread(l->file, l->row, row_bytes(l), row_at(l, sample));
    if (bytes != (ssize_t)row_bytes(l)) return false;
    memcpy(&sum, l->row, sizeof(sum));
    return sum == sum_of(l, sample);
}

bool fv_logits_find(fv_logits *logits, const int64_t *samples, int count, float *rows)
{
    const size_t classes = (size_t)logits->head.classes;
    for (int i = 0; i < count; i++) {
        if (!read_row(logits, samples[i])) return false;
        memcpy(rows + (size_t)i * classes, logits->row + sizeof(uint32_t), classes * sizeof(float));
    }
    return true;
}

void fv_logits_keep(fv_logits *logits, int64_t sample, const float *row)
{
    if (logits->broken) return;
    memcpy(logits->row + sizeof(uint32_t), row, (size_t)logits->head.classes * sizeof(float));
    const uint32_t sum = sum_of(logits, sample);
    memcpy(logits->row, &sum, sizeof(sum));
    const ssize_t bytes =
        pwrite(logits->file, logits->row, row_bytes(logits), row_at(logits, sample));
    if (bytes == (ssize_t)row_bytes(logits)) return;
    logits->broken = true;
    fv_log(FV_LOG_WARNING, "%s: cannot be written, no more answers are kept: %s", logits->path,
           bytes < 0 ? strerror(errno) : "the disk is full");
}
