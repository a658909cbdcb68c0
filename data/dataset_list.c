/* SPDX-License-Identifier: Apache-2.0 */
/* List files and label lists. The bytes of the file are kept and cut into strings in place. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/dataset_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Lines ---- */

typedef struct lines {
    fv_line at; /* the line at hand */
    char *next, *end;
    char *text;   /* of it: without blanks at either end, ends with a zero */
    size_t bytes; /* of it */
} lines;

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* The next line that is not blank. False: there is none. */
static bool next_line(lines *l)
{
    while (l->next < l->end) {
        char *begin = l->next, *stop = memchr(begin, '\n', (size_t)(l->end - begin));
        if (!stop) stop = l->end;
        l->next = stop + 1;
        l->at.number++;
        while (begin < stop && is_blank(*begin)) begin++;
        while (stop > begin && is_blank(stop[-1])) stop--;
        *stop = '\0'; /* a zero byte follows the file's last */
        l->text = begin;
        l->bytes = (size_t)(stop - begin);
        if (l->bytes) return true;
    }
    return false;
}

/* "train.txt:7: " before the message. */
static fv_status fail_line(const lines *l, fv_error *err, const char *what, const char *text)
{
    return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: %s%.80s%s", l->at.path, l->at.number, what, text,
                   *text ? "\"" : "");
}

fv_status fv_dataset_read_number(const fv_line *line, const char *text, const char *what, int limit,
                                 int *out, fv_error *err)
{
    char *end = NULL;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (end == text || *end) {
        return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: the %s must be a number, not \"%.80s\"",
                       line->path, line->number, what, text);
    }
    if (errno || value < 0 || value >= limit) {
        return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: %s %.80s: must be from 0 to %d", line->path,
                       line->number, what, text, limit - 1);
    }
    *out = (int)value;
    return FV_OK;
}

fv_status fv_dataset_read_text(const char *path, char **text, size_t *bytes, char **begin,
                               fv_error *err)
{
    FV_TRY(fv_file_read(path, FV_DATASET_MAX_LIST, text, bytes, err));
    *begin = *text + (*bytes >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
    return FV_OK;
}

/* At most so many are not blank. */
static size_t count_lines(const char *text, size_t bytes)
{
    size_t count = 0;
    for (const char *p = text, *end = p + bytes; p < end; count++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (!p++) p = end;
    }
    return count;
}

/* ---- Samples ---- */

/* Where the last delimiter, or run of blanks, begins, with the label behind it; or NULL. */
static char *find_delimiter(const lines *l, const char *delimiter, char **label)
{
    char *at = NULL;
    if (strcmp(delimiter, " ") == 0) {
        for (char *p = l->text; *p; p++) {
            if (is_blank(*p)) at = p;
        }
        if (!at) return NULL;
        *label = at + 1;
        while (at > l->text && is_blank(at[-1])) at--;
        return at;
    }
    for (char *p = strstr(l->text, delimiter); p; p = strstr(p + 1, delimiter)) at = p;
    if (at) *label = at + strlen(delimiter);
    return at;
}

/* An integer, with quotes or without. */
static bool is_number(const char *text)
{
    const bool quoted = *text == '"';
    text += quoted;
    text += *text == '-';
    const char *end = text + strspn(text, "0123456789");
    return end > text && strcmp(end, quoted ? "\"" : "") == 0;
}

/* Where the path ends and the label begins; *label NULL: there is none, and need not be. */
static fv_status cut_line(const lines *l, const fv_dataset_options *o, char **end, char **label,
                          fv_error *err)
{
    const char *delimiter = o->delimiter && *o->delimiter ? o->delimiter : " ";
    *end = find_delimiter(l, delimiter, label);
    if (!*end && !o->unlabelled)
        return fail_line(l, err, "no label: expected a path and a label, not \"", l->text);
    while (*end && is_blank(**label)) ++*label;
    if (o->unlabelled && (!*end || (**label && !is_number(*label)))) {
        *end = l->text + l->bytes;
        *label = NULL;
    }
    while (*end > l->text && is_blank((*end)[-1])) --*end;
    if (o->unlabelled && *label && !**label) *label = NULL;
    return FV_OK;
}

static fv_status read_label_of(fv_sample *sample, const lines *l, char *label,
                               const fv_dataset_options *o, fv_error *err)
{
    const int limit = o->classes ? o->classes : FV_DATASET_MAX_CLASSES;
    sample->label = FV_UNLABELLED;
    if (!label) return FV_OK;
    fv_path_unquote(label);
    if (o->unlabelled && strcmp(label, "-1") == 0) return FV_OK;
    return fv_dataset_read_number(&l->at, label, "label", limit, &sample->label, err);
}

static fv_status read_sample(fv_dataset *d, const lines *l, const fv_dataset_options *o,
                             fv_error *err)
{
    if (strlen(l->text) != l->bytes) return fail_line(l, err, "the line holds a zero byte", "");
    char *label = NULL, *end = NULL;
    FV_TRY(cut_line(l, o, &end, &label, err));
    *end = '\0';
    fv_path_unquote(l->text);
    if (!*l->text) return fail_line(l, err, "no path before the label", "");
    if (end - l->text >= FV_DATASET_MAX_PATH) {
        return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: a path of %td bytes: the limit is %d",
                       l->at.path, l->at.number, end - l->text, FV_DATASET_MAX_PATH - 1);
    }
    fv_sample *sample = &d->samples[d->count];
    FV_TRY(read_label_of(sample, l, label, o, err));
    sample->name = (uint32_t)(l->text - d->text);
    d->count++;
    return FV_OK;
}

fv_status fv_dataset_read_list(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    lines l = { .at.path = o->list_path };
    FV_TRY(fv_dataset_read_text(o->list_path, &d->text, &d->text_bytes, &l.next, err));
    l.end = d->text + d->text_bytes;
    d->text_room = d->text_bytes + 1;
    const size_t count = count_lines(d->text, d->text_bytes);
    void *samples = NULL;
    FV_TRY(fv_dataset_grow(&samples, sizeof(*d->samples), 0, count, &d->room, err));
    d->samples = samples;

    bool any = false;
    while (next_line(&l)) {
        fv_error why;
        const fv_status status = read_sample(d, &l, o, &why);
        any = true;
        if (status == FV_OK) continue;
        if (!o->bad_line) return fv_fail(err, status, "%s", why.message);
        o->bad_line(o->bad_line_ctx, why.message);
    }
    if (d->count) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%s: %s", o->list_path,
                   any ? "no line of the list can be used" : "the list is empty");
}

/* ---- Names of classes ---- */

static fv_status read_label(fv_dataset *d, const lines *l, fv_error *err)
{
    if (strlen(l->text) != l->bytes) return fail_line(l, err, "the line holds a zero byte", "");
    char *name = l->text;
    while (*name && !is_blank(*name)) name++;
    if (!*name) return fail_line(l, err, "no name: expected an id and a name, not \"", l->text);
    *name++ = '\0';
    while (is_blank(*name)) name++;
    int id = 0;
    FV_TRY(fv_dataset_read_number(&l->at, l->text, "id", d->classes, &id, err));
    if (d->class_names[id] != UINT32_MAX) return fail_line(l, err, "twice the id \"", l->text);
    d->class_names[id] = (uint32_t)(name - d->class_text);
    return FV_OK;
}

fv_status fv_dataset_read_labels(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    fv_free(d->class_text); /* of the folders, that the list replaces */
    fv_free(d->class_names);
    d->class_text = NULL;
    d->class_names = NULL;
    d->named = 0;
    lines l = { .at.path = o->label_list };
    FV_TRY(fv_dataset_read_text(o->label_list, &d->class_text, &d->class_bytes, &l.next, err));
    l.end = d->class_text + d->class_bytes;
    d->class_room = d->class_bytes + 1;

    /* The list may name more than occur. */
    const size_t count = count_lines(d->class_text, d->class_bytes);
    const int most = count < FV_DATASET_MAX_CLASSES ? (int)count : FV_DATASET_MAX_CLASSES;
    d->classes = o->classes ? o->classes : fv_max(d->classes, most);
    d->class_names = fv_alloc((size_t)d->classes * sizeof(*d->class_names));
    if (!d->class_names) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    d->named = d->classes;
    for (int i = 0; i < d->named; i++) d->class_names[i] = UINT32_MAX;
    while (next_line(&l)) FV_TRY(read_label(d, &l, err));
    return FV_OK;
}
