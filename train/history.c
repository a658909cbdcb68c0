/* SPDX-License-Identifier: Apache-2.0 */
#include "train/history.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t FILE_LIMIT = (size_t)1 << 31;

/* ---- Columns ---- */

enum column {
    KIND,
    EPOCH,
    STEP,
    LOSS,
    TOP1,
    TOP5,
    LR,
    IMAGES_PER_SECOND,
    DATA_WAIT_SHARE,
    SECONDS,
    COLUMNS
};

static const char *const names[COLUMNS] = {
    "kind",
    "epoch",
    "step",
    "loss",
    "top1",
    "top5",
    "lr",
    "images_per_second",
    "data_wait_share",
    "seconds",
};

enum { MAX_FIELDS = 64 };

/* Which column the fields of a line are; -1: one that is not known. */
typedef struct layout {
    int count, columns[MAX_FIELDS];
} layout;

/* The next field of a line, its end made a zero byte. NULL: there is no more. */
static char *next_field(char **at)
{
    char *field = *at;
    if (!field) return NULL;
    char *comma = strchr(field, ',');
    if (comma) *comma = '\0';
    *at = comma ? comma + 1 : NULL;
    return field;
}

static fv_status read_header(layout *l, char *line, const char *path, fv_error *err)
{
    bool seen[COLUMNS] = { false };
    *l = (layout){ 0 };
    for (char *field; (field = next_field(&line)) != NULL;) {
        if (l->count == MAX_FIELDS)
            return fv_fail(err, FV_ERR_FORMAT, "%s:1: more than %d columns", path, MAX_FIELDS);
        int column = COLUMNS - 1;
        while (column >= 0 && strcmp(field, names[column]) != 0) column--;
        if (column >= 0) seen[column] = true;
        l->columns[l->count++] = column;
    }
    for (int c = 0; c < COLUMNS; c++)
        if (!seen[c])
            return fv_fail(err, FV_ERR_FORMAT,
                           "%s:1: no column \"%s\": is this a file of this program?", path,
                           names[c]);
    return FV_OK;
}

/* ---- Rows ---- */

static bool read_count(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    *out = value;
    return end != text && !*end && !errno && value >= 0;
}

/* An empty field is a NAN. */
static bool read_number(const char *text, double *out)
{
    char *end;
    *out = (double)NAN;
    if (!*text) return true;
    *out = strtod(text, &end);
    return end != text && !*end;
}

static bool read_kind(const char *text, fv_row_kind *out)
{
    for (int kind = 0; kind < FV_ROW_KINDS; kind++) {
        *out = (fv_row_kind)kind;
        if (strcmp(text, fv_row_kind_name(*out)) == 0) return true;
    }
    return false;
}

static bool read_field(fv_row *row, int column, const char *text)
{
    switch (column) {
    case KIND: return read_kind(text, &row->kind);
    case EPOCH: return read_count(text, &row->epoch) && row->epoch >= 1;
    case STEP: return read_count(text, &row->step);
    case LOSS: return read_number(text, &row->loss);
    case TOP1: return read_number(text, &row->top1);
    case TOP5: return read_number(text, &row->top5);
    case LR: return read_number(text, &row->lr);
    case IMAGES_PER_SECOND: return read_number(text, &row->images_per_second);
    case DATA_WAIT_SHARE: return read_number(text, &row->data_wait_share);
    case SECONDS: return read_number(text, &row->seconds);
    default: return true;
    }
}

static fv_status read_row(fv_row *row, const layout *l, char *line, const char *where,
                          fv_error *err)
{
    *row = (fv_row){ 0 };
    for (int i = 0; i < l->count; i++) {
        const char *field = next_field(&line);
        if (!field)
            return fv_fail(err, FV_ERR_FORMAT, "%s: %d fields, but the header has %d", where, i,
                           l->count);
        if (!read_field(row, l->columns[i], field))
            return fv_fail(err, FV_ERR_FORMAT, "%s: %s: \"%.40s\" makes no sense", where,
                           names[l->columns[i]], field);
    }
    if (!line) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%s: more fields than the %d of the header", where,
                   l->count);
}

static fv_status check_order(const fv_history *h, const fv_row *row, const char *where,
                             fv_error *err)
{
    if (h->count == 0 || row->step >= h->rows[h->count - 1].step) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%s: step %" PRId64 " comes after step %" PRId64, where,
                   row->step, h->rows[h->count - 1].step);
}

/* ---- The file ---- */

static size_t count_lines(const char *text, size_t bytes)
{
    size_t lines = 0;
    for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
    return lines;
}

static fv_status read_lines(fv_history *h, char *text, size_t bytes, const char *path,
                            fv_error *err)
{
    layout l = { 0 };
    char *line = text, *const end = text + bytes;
    for (int64_t number = 1; line < end; number++) {
        char where[4200];
        char *stop = memchr(line, '\n', (size_t)(end - line));
        h->torn = !stop;
        if (!stop) break;
        *stop = '\0';
        snprintf(where, sizeof(where), "%s:%" PRId64, path, number);
        if (number == 1) {
            FV_TRY(read_header(&l, line, path, err));
        } else {
            fv_row *row = &h->rows[h->count];
            FV_TRY(read_row(row, &l, line, where, err));
            FV_TRY(check_order(h, row, where, err));
            h->count++;
        }
        line = stop + 1;
    }
    if (l.count > 0) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%s: empty: the run has written nothing yet", path);
}

fv_status fv_history_load(fv_history *out, const char *folder, fv_error *err)
{
    fv_history h = { 0 };
    char path[4096], *text;
    size_t bytes;
    if (!fv_path_join(path, sizeof(path), folder, "metrics.csv"))
        return fv_fail(err, FV_ERR_IO, "%.80s...: the path is too long", folder);
    if (!fv_file_exists(path))
        return fv_fail(err, FV_ERR_IO, "%s: no metrics.csv there: is it the output_dir of a run?",
                       folder);
    FV_TRY(fv_file_read(path, FILE_LIMIT, &text, &bytes, err));
    fv_status status = FV_OK;
    h.rows = fv_alloc((count_lines(text, bytes) + 1) * sizeof(*h.rows));
    if (!h.rows) status = fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    if (status == FV_OK) status = read_lines(&h, text, bytes, path, err);
    fv_free(text);
    if (status == FV_OK)
        *out = h;
    else
        fv_history_deinit(&h);
    return status;
}

void fv_history_deinit(fv_history *h)
{
    fv_free(h->rows);
    *h = (fv_history){ 0 };
}
