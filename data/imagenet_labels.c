/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of the validation pictures, in all the forms that go round. */
#include "base/compiler.h"
#include "data/dataset_impl.h"
#include "data/imagenet_classes.h"
#include "data/imagenet_impl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum form { WNID, ID, NAME_NUMBER, NAME_WNID, TABLE } form;

typedef struct reader {
    fv_val_labels *labels;
    fv_text_lines lines;
    const fv_synsets *synsets;
    form form;
} reader;

static fv_status fail_line(const reader *r, fv_error *err, const char *what, const char *text)
{
    return fv_fail(err, FV_ERR_FORMAT, "%.300s:%ld: %s\"%.60s\"", r->lines.path, r->lines.number,
                   what, text);
}

/* A number of at most 6 digits, or -1. */
static int read_number(const char *text)
{
    const size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits < 7 && !text[digits] ? atoi(text) : -1;
}

/* Where the last word begins; NULL: there is only one. */
static char *last_word(char *line)
{
    char *p = line + strlen(line);
    while (p > line && !isblank((unsigned char)p[-1])) p--;
    return p > line ? p : NULL;
}

/* By the first line, which stays as it is. */
static fv_status find_form(reader *r, char *line, fv_error *err)
{
    uint32_t wnid;
    char *word = last_word(line);
    if (strncmp(line, "ImageId,", 8) == 0) {
        r->form = TABLE;
    } else if (!word && fv_wnid_read(line, &wnid)) {
        r->form = WNID;
    } else if (!word && read_number(line) >= 0) {
        r->form = ID;
    } else if (word && fv_wnid_read(word, &wnid)) {
        r->form = NAME_WNID;
    } else if (word && read_number(word) >= 0) {
        r->form = NAME_NUMBER;
    } else {
        return fail_line(
            r, err, "no label: expected a WNID, a number, or one of them after a name, not ", line);
    }
    return FV_OK;
}

static fv_status add(reader *r, const char *name, uint32_t wnid, fv_error *err)
{
    fv_val_labels *l = r->labels;
    void *items = l->items;
    const size_t count = (size_t)l->count;
    const fv_status status =
        fv_dataset_grow(&items, sizeof(*l->items), count, count + 1, &l->room, err);
    l->items = items;
    if (status != FV_OK) return status;
    const char *slash = strrchr(name, '/');
    if (slash) name = slash + 1;
    if (!*name) return fail_line(r, err, "the name of a folder, not of a picture: ", name);
    char *copy = fv_arena_join(&l->arena, name, "", strchr(name, '.') ? "" : ".JPEG");
    if (!copy) return fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory", r->lines.path);
    l->items[l->count++] = (fv_val_label){ .name = copy, .wnid = wnid };
    return FV_OK;
}

static fv_status add_in_order(reader *r, uint32_t wnid, fv_error *err)
{
    char name[64];
    snprintf(name, sizeof(name), "ILSVRC2012_val_%08lld.JPEG", (long long)r->labels->count + 1);
    return add(r, name, wnid, err);
}

static fv_status read_id(reader *r, const char *line, fv_error *err)
{
    const int id = read_number(line);
    if (id < 0) return fail_line(r, err, "expected a number of the devkit, not ", line);
    const fv_synset *synset = id > 0 ? fv_synsets_by_id(r->synsets, id) : NULL;
    if (!synset) return fail_line(r, err, "no synset of meta.mat has the devkit's number ", line);
    return add_in_order(r, synset->wnid, err);
}

/* Cuts the label off its name. */
static fv_status read_pair(reader *r, char *line, fv_error *err)
{
    uint32_t wnid = 0;
    char *word = last_word(line);
    const int number = word ? read_number(word) : -1;
    const bool right = r->form == NAME_WNID ? word && fv_wnid_read(word, &wnid)
                                            : number >= 0 && number < FV_IMAGENET_CLASSES;
    if (!right) {
        return fail_line(r, err,
                         r->form == NAME_WNID ? "expected a name and a WNID, not "
                                              : "expected a name and a number from 0 to 999, not ",
                         line);
    }
    if (r->form == NAME_NUMBER) wnid = fv_imagenet_wnid(number);
    char *end = word;
    while (end > line && isblank((unsigned char)end[-1])) end--;
    *end = '\0';
    return add(r, line, wnid, err);
}

/* "ILSVRC2012_val_00048981,n03995372 85 1 499 272": every box of a picture has the same WNID. */
static fv_status read_row(reader *r, char *line, fv_error *err)
{
    uint32_t wnid;
    char *comma = strchr(line, ',');
    if (!comma || !fv_wnid_read(comma + 1, &wnid)) {
        return fail_line(r, err, "expected a name, a comma and a WNID, not ", line);
    }
    *comma = '\0';
    return add(r, line, wnid, err);
}

static fv_status read_line(reader *r, char *line, fv_error *err)
{
    uint32_t wnid;
    switch (r->form) {
    case WNID:
        if (!fv_wnid_read(line, &wnid) || line[9]) {
            return fail_line(r, err, "expected a WNID, not ", line);
        }
        return add_in_order(r, wnid, err);
    case ID: return read_id(r, line, err);
    case TABLE: return read_row(r, line, err);
    default: return read_pair(r, line, err);
    }
}

static bool has_ids(const fv_synsets *s) { return s->count && s->items[s->count - 1].id > 0; }

static fv_status read_all(reader *r, fv_error *err)
{
    char *line = fv_text_lines_next(&r->lines);
    if (line) FV_TRY(find_form(r, line, err));
    if (line && r->form == ID && !has_ids(r->synsets)) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "%.300s: numbers of the devkit, which mean nothing without its meta.mat: "
                       "put it beside, or name it with --meta",
                       r->lines.path);
    }
    if (line && r->form == TABLE) line = fv_text_lines_next(&r->lines);
    for (; line; line = fv_text_lines_next(&r->lines)) FV_TRY(read_line(r, line, err));
    if (r->labels->count) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%.300s: no labels in it", r->lines.path);
}

static int compare_names(const void *a, const void *b)
{
    const fv_val_label *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Sorted by name: so all forms give the same list. */
static fv_status sort(fv_val_labels *l, const char *path, fv_error *err)
{
    qsort(l->items, (size_t)l->count, sizeof(*l->items), compare_names);
    for (int64_t i = 1; i < l->count; i++) {
        if (strcmp(l->items[i - 1].name, l->items[i].name) == 0) {
            return fv_fail(err, FV_ERR_FORMAT, "%.300s: two labels for %.100s", path,
                           l->items[i].name);
        }
    }
    return FV_OK;
}

fv_status fv_val_labels_load(fv_val_labels *labels, const char *path, const fv_synsets *synsets,
                             fv_error *err)
{
    reader r = { .labels = labels, .synsets = synsets };
    FV_TRY(fv_text_lines_open(&r.lines, path, err));
    const fv_status status = read_all(&r, err);
    fv_text_lines_close(&r.lines);
    return status == FV_OK ? sort(labels, path, err) : status;
}

void fv_val_labels_deinit(fv_val_labels *labels)
{
    fv_free(labels->items);
    fv_arena_deinit(&labels->arena);
    *labels = (fv_val_labels){ .items = NULL };
}
