/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/answers.h"

#include "base/file.h"
#include "base/memory.h"
#include "eval/predictor.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t FILE_LIMIT = (size_t)1 << 31;

void fv_answers_clear(fv_answers *a)
{
    a->count = 0;
    a->failed = false;
}

void fv_answers_deinit(fv_answers *a)
{
    fv_free(a->rows);
    fv_free(a->text);
    *a = (fv_answers){ 0 };
}

static void append(fv_answers *a, const fv_answers_row *row)
{
    if (a->count == a->room) {
        const size_t room = 2 * a->room + 256;
        fv_answers_row *grown = fv_alloc(room * sizeof(*grown));
        a->failed = a->failed || !grown;
        if (!grown) return;
        if (a->count) memcpy(grown, a->rows, a->count * sizeof(*grown));
        fv_free(a->rows);
        a->rows = grown;
        a->room = room;
    }
    a->rows[a->count++] = *row;
}

void fv_answers_add(fv_answers *a, const char *name, const fv_answer *answer)
{
    fv_answers_row row = { .name = name, .label = answer->label, .best = -1 };
    if (answer->logits)
        fv_best_classes(answer->logits, answer->classes, 1, &row.best, &row.probability);
    append(a, &row);
}

/* ---- Writing ---- */

enum { NUMBERS = 64 /* bytes of a line, besides the name */ };

static size_t write_line(char *to, const fv_answers_row *row)
{
    size_t bytes = 0;
    for (const char *c = row->name; *c; c++)
        to[bytes++] = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
    const int more = snprintf(to + bytes, NUMBERS, "\t%d\t%d\t%.6f\n", row->label, row->best,
                              (double)row->probability);
    return bytes + (size_t)more;
}

fv_status fv_answers_save(const fv_answers *a, const char *path, fv_error *err)
{
    size_t room = 1, bytes = 0;
    for (size_t i = 0; i < a->count; i++) room += strlen(a->rows[i].name) + NUMBERS;
    char *text = a->failed ? NULL : fv_alloc(room);
    if (!text) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    for (size_t i = 0; i < a->count; i++) bytes += write_line(text + bytes, &a->rows[i]);
    const fv_status status = fv_file_write(path, text, bytes, err);
    fv_free(text);
    return status;
}

/* ---- Reading ---- */

/* Cuts the last field, which follows a tab, off a line. NULL: there is none. */
static char *cut_field(char *line)
{
    char *tab = strrchr(line, '\t');
    if (!tab) return NULL;
    *tab = '\0';
    return tab + 1;
}

static bool read_class(const char *text, int lowest, int *out)
{
    char *end;
    if (!text) return false;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < lowest || value >= FV_ANSWERS_CLASSES) return false;
    *out = (int)value;
    return true;
}

static bool read_probability(const char *text, float *out)
{
    char *end;
    if (!text) return false;
    *out = strtof(text, &end);
    if (isnan(*out)) *out = 0.0f; /* of logits that are no numbers */
    return end != text && !*end && *out >= 0.0f && *out <= 1.0f;
}

static bool read_line(char *line, fv_answers_row *row)
{
    const char *probability = cut_field(line);
    const char *best = probability ? cut_field(line) : NULL;
    const char *label = best ? cut_field(line) : NULL;
    row->name = line;
    return read_probability(probability, &row->probability) && read_class(best, -1, &row->best) &&
           read_class(label, 0, &row->label) && line[0];
}

static fv_status read_lines(fv_answers *a, const char *path, size_t bytes, fv_error *err)
{
    char *line = a->text, *const end = a->text + bytes;
    for (int64_t number = 1; line < end; number++) {
        fv_answers_row row;
        char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop) *stop = '\0';
        if (!stop || strlen(line) != (size_t)(stop - line) || !read_line(line, &row))
            return fv_fail(err, FV_ERR_FORMAT,
                           "%s:%" PRId64 ": must be a picture, its label, a class and a "
                           "probability, separated by tabs",
                           path, number);
        append(a, &row);
        line = stop + 1;
    }
    return a->failed ? fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path) : FV_OK;
}

fv_status fv_answers_load(fv_answers *out, const char *path, fv_error *err)
{
    fv_answers a = { 0 };
    size_t bytes;
    FV_TRY(fv_file_read(path, FILE_LIMIT, &a.text, &bytes, err));
    const fv_status status = read_lines(&a, path, bytes, err);
    if (status == FV_OK)
        *out = a;
    else
        fv_answers_deinit(&a);
    return status;
}
