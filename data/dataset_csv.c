/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of comma-separated values, RFC 4180. The bytes of the file are kept and cut into fields in
 * place. Labels are either numbers or names of classes; the first one decides, so that a slip
 * further down cannot turn all numbers into names. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/dataset_impl.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct table {
    fv_line at; /* where the record at hand begins */
    long next_line;
    char *next, *end;
    char delimiter;
    int columns, path, label; /* how many there are, and which ones count */
    bool named;               /* labels are names */
} table;

/* ---- Fields ---- */

static fv_status bad_quotes(const table *t, const char *what, fv_error *err)
{
    return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: %s: quotes within a quoted field are doubled",
                   t->at.path, t->at.number, what);
}

/* The text between quotes, pulled together in place; `next` is then behind the last. */
static fv_status read_quoted(table *t, char **field, fv_error *err)
{
    char *in = t->next + 1, *out = in;
    *field = in;
    for (; in < t->end; in++) {
        if (*in == '"' && (in + 1 == t->end || in[1] != '"')) break;
        if (*in == '"') in++;
        if (*in == '\n') t->next_line++;
        *out++ = *in;
    }
    if (in == t->end) return bad_quotes(t, "a quoted field does not end", err);
    *out = '\0';
    t->next = in + 1;
    return FV_OK;
}

/* The next field of the record, ended with a zero. *last: the record ends with it. */
static fv_status next_field(table *t, char **field, bool *last, fv_error *err)
{
    const bool quoted = t->next < t->end && *t->next == '"';
    *field = t->next;
    if (quoted) FV_TRY(read_quoted(t, field, err));
    char *p = t->next;
    while (!quoted && p < t->end && *p != t->delimiter && *p != '\n') p++;
    char *stop = p;
    if (quoted && p < t->end && *p == '\r' && (p + 1 == t->end || p[1] == '\n')) p++;
    if (!quoted && (p == t->end || *p == '\n') && stop > *field && stop[-1] == '\r') stop--;
    if (p < t->end && *p != t->delimiter && *p != '\n') {
        return bad_quotes(t, "text after a quoted field", err);
    }
    *last = p == t->end || *p == '\n';
    if (p < t->end && *p == '\n') t->next_line++;
    t->next = p < t->end ? p + 1 : p;
    if (!quoted) *stop = '\0';
    return FV_OK;
}

/* Skips blank lines. False: there are no more records. */
static bool begin_record(table *t)
{
    for (; t->next < t->end && (*t->next == '\n' || *t->next == '\r'); t->next++) {
        if (*t->next == '\n') t->next_line++;
    }
    t->at.number = t->next_line;
    return t->next < t->end;
}

/* ---- The header ---- */

static fv_status no_column(const table *t, const char *key, const char *name, const char *known,
                           fv_error *err)
{
    return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: no column \"%.60s\": there are %s; %s names it",
                   t->at.path, t->at.number, name, known, key);
}

static fv_status read_header(table *t, const fv_dataset_options *o, fv_error *err)
{
    const char *path = o->path_column ? o->path_column : "path";
    const char *label = o->label_column ? o->label_column : "label";
    char known[160] = "";
    t->path = t->label = -1;
    if (!begin_record(t)) {
        return fv_fail(err, FV_ERR_FORMAT, "%s: the table is empty", t->at.path);
    }
    for (bool last = false; !last; t->columns++) {
        char *name;
        FV_TRY(next_field(t, &name, &last, err));
        const size_t used = strlen(known);
        snprintf(known + used, sizeof(known) - used, "%s\"%.40s\"", used ? ", " : "", name);
        int *const which = strcmp(name, path) == 0  ? &t->path
                         : strcmp(name, label) == 0 ? &t->label
                                                    : NULL;
        if (!which) continue;
        if (*which >= 0) {
            return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: two columns \"%.60s\"", t->at.path,
                           t->at.number, name);
        }
        *which = t->columns;
    }
    if (t->path < 0) return no_column(t, "path_column", path, known, err);
    return t->label < 0 ? no_column(t, "label_column", label, known, err) : FV_OK;
}

/* ---- Records ---- */

/* "3.0" is no name either: reading it as a whole number will tell. */
static bool is_number(const char *text)
{
    char *end = NULL;
    strtod(text, &end);
    return strchr("+-.0123456789", *text) && !*end;
}

static fv_status read_record(table *t, fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    char *path = NULL, *label = NULL, *field;
    int count = 0;
    for (bool last = false; !last; count++) {
        FV_TRY(next_field(t, &field, &last, err));
        if (count == t->path) path = field;
        if (count == t->label) label = field;
    }
    if (count != t->columns) {
        return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: %d fields, where the header has %d", t->at.path,
                       t->at.number, count, t->columns);
    }
    if (!*path || !*label) {
        return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: the %s is empty", t->at.path, t->at.number,
                       *path ? "label" : "path");
    }
    if (strlen(path) >= FV_DATASET_MAX_PATH) {
        return fv_fail(err, FV_ERR_FORMAT, "%s:%ld: a path of %zu bytes: the limit is %d",
                       t->at.path, t->at.number, strlen(path), FV_DATASET_MAX_PATH - 1);
    }
    fv_sample *sample = &d->samples[d->count];
    if (!d->count) t->named = !is_number(label);
    const int limit = o->classes ? o->classes : FV_DATASET_MAX_CLASSES;
    if (t->named)
        sample->label = (int32_t)(label - d->text);
    else
        FV_TRY(fv_dataset_read_number(&t->at, label, "label", limit, &sample->label, err));
    sample->name = (uint32_t)(path - d->text);
    d->count++;
    return FV_OK;
}

/* ---- Labels that are names ---- */

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The different names become the classes. */
static fv_status find_classes(fv_dataset *d, fv_error *err)
{
    const char **names = fv_alloc((size_t)d->count * sizeof(*names));
    if (!names) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    size_t count = 0;
    for (int64_t i = 0; i < d->count; i++) {
        const char *name = d->text + d->samples[i].label;
        if (!count || strcmp(name, names[count - 1]) != 0) names[count++] = name;
    }
    qsort(names, count, sizeof(*names), by_text);
    int added = 0;
    fv_status status = FV_OK;
    for (size_t i = 0; i < count && status == FV_OK; i++) {
        if (i && strcmp(names[i], names[i - 1]) == 0) continue;
        status = fv_dataset_add_class(d, names[i], &added, err);
    }
    fv_free(names);
    return status == FV_OK ? fv_dataset_number_classes(d, added, err) : status;
}

typedef struct class
{
    const char *name;
    int label;
} class;

static int by_name(const void *a, const void *b)
{
    const class *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* The classes that have a name, sorted by it. */
static fv_status sort_classes(const fv_dataset *d, class **out, size_t *count, fv_error *err)
{
    class *classes = fv_alloc((size_t)d->named * sizeof(*classes));
    if (!classes) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    *count = 0;
    for (int i = 0; i < d->named; i++) {
        const char *name = fv_dataset_class_name(d, i);
        if (name) classes[(*count)++] = (class){ name, i };
    }
    qsort(classes, *count, sizeof(*classes), by_name);
    *out = classes;
    return FV_OK;
}

/* Names to numbers, which read_record() has left to us. */
static fv_status number_labels(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    class *classes = NULL;
    size_t count = 0;
    if (o->label_list)
        FV_TRY(fv_dataset_read_labels(d, o, err));
    else
        FV_TRY(find_classes(d, err));
    if (!o->label_list)
        FV_TRY(fv_dataset_check_classes(d, o->classes, o->list_path, "names of classes", err));
    FV_TRY(sort_classes(d, &classes, &count, err));
    fv_status status = FV_OK;
    for (int64_t i = 0; i < d->count && status == FV_OK; i++) {
        const class wanted = { .name = d->text + d->samples[i].label };
        const class *found = bsearch(&wanted, classes, count, sizeof(*classes), by_name);
        if (found)
            d->samples[i].label = found->label;
        else
            status = fv_fail(err, FV_ERR_FORMAT, "%s: %s: the class \"%.60s\" is not in %s",
                             o->list_path, fv_dataset_name(d, i), wanted.name, o->label_list);
    }
    fv_free(classes);
    return status;
}

/* ---- The file ---- */

fv_status fv_dataset_read_table(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    const char *delimiter = o->delimiter ? o->delimiter : ",";
    table t = { .at.path = o->list_path, .next_line = 1, .delimiter = *delimiter };
    FV_TRY(fv_dataset_read_text(o->list_path, &d->text, &d->text_bytes, &t.next, err));
    t.end = d->text + d->text_bytes;
    d->text_room = d->text_bytes + 1;
    if (memchr(d->text, '\0', d->text_bytes)) {
        return fv_fail(err, FV_ERR_FORMAT, "%s: not a table: it holds a zero byte", o->list_path);
    }
    FV_TRY(read_header(&t, o, err));
    while (begin_record(&t)) {
        void *samples = d->samples;
        const size_t count = (size_t)d->count;
        const fv_status status =
            fv_dataset_grow(&samples, sizeof(*d->samples), count, count + 1, &d->room, err);
        d->samples = samples;
        if (status != FV_OK) return status;
        FV_TRY(read_record(&t, d, o, err));
    }
    if (!d->count) {
        return fv_fail(err, FV_ERR_FORMAT, "%s: the table has no rows", o->list_path);
    }
    return t.named ? number_labels(d, o, err) : FV_OK;
}
