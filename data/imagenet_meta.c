/* SPDX-License-Identifier: Apache-2.0 */
/* Synsets of ImageNet: their WNIDs, the devkit's numbers for them, and words. */
#include "base/compiler.h"
#include "data/dataset_impl.h"
#include "data/imagenet_classes.h"
#include "data/imagenet_impl.h"
#include "data/matlab.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ID = 100000, MAX_WORDS = 1024 /* bytes */ };

static fv_status add(fv_synsets *s, uint32_t wnid, int id, const char *words, fv_error *err)
{
    void *items = s->items;
    const size_t count = (size_t)s->count;
    const fv_status status =
        fv_dataset_grow(&items, sizeof(*s->items), count, count + 1, &s->room, err);
    s->items = items;
    if (status != FV_OK) return status;
    char *copy = fv_arena_alloc(&s->arena, strlen(words) + 1);
    if (!copy) return fv_fail(err, FV_ERR_NOMEM, "synsets: out of memory");
    memcpy(copy, words, strlen(words) + 1);
    s->items[s->count++] = (fv_synset){ .wnid = wnid, .id = id, .words = copy };
    return FV_OK;
}

/* ---- meta.mat ---- */

static fv_status load_structure(fv_synsets *s, const fv_matlab *m, int i, const char *path,
                                fv_error *err)
{
    double children, id;
    char text[16], words[MAX_WORDS];
    uint32_t wnid;
    FV_TRY(fv_matlab_number(m, i, "num_children", &children, err));
    if (children != 0.0) return FV_OK; /* no leaf, so none of the classes */
    FV_TRY(fv_matlab_number(m, i, "ILSVRC2012_ID", &id, err));
    FV_TRY(fv_matlab_text(m, i, "WNID", text, sizeof(text), err));
    FV_TRY(fv_matlab_text(m, i, "words", words, sizeof(words), err));
    if (!fv_wnid_read(text, &wnid) || !(id >= 1.0 && id <= MAX_ID) || id != (double)(int)id) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: structure %d: no synset: WNID %s, number %g",
                       path, i + 1, text, id);
    }
    return add(s, wnid, (int)id, words, err);
}

static fv_status load_matlab(fv_synsets *s, const char *path, fv_error *err)
{
    fv_matlab *m = NULL;
    FV_TRY(fv_matlab_open(&m, path, "synsets", err));
    fv_status status = FV_OK;
    for (int i = 0; status == FV_OK && i < fv_matlab_count(m); i++) {
        status = load_structure(s, m, i, path, err);
    }
    fv_matlab_close(m);
    return status;
}

/* ---- Text ---- */

static fv_status load_line(fv_synsets *s, const fv_text_lines *lines, char *line, fv_error *err)
{
    uint32_t wnid;
    if (!fv_wnid_read(line, &wnid) || !isblank((unsigned char)line[9])) {
        return fv_fail(err, FV_ERR_FORMAT,
                       "%.300s:%ld: expected a WNID and words, \"n01440764 tench\", not \"%.60s\"",
                       lines->path, lines->number, line);
    }
    char *words = line + 9 + strspn(line + 9, " \t");
    const size_t digits = strspn(words, "0123456789");
    int id = 0;
    if (digits > 0 && digits < 7 && isblank((unsigned char)words[digits])) {
        id = atoi(words);
        words += digits + strspn(words + digits, " \t");
    }
    return add(s, wnid, id, words, err);
}

static fv_status load_text(fv_synsets *s, const char *path, fv_error *err)
{
    fv_text_lines lines;
    FV_TRY(fv_text_lines_open(&lines, path, err));
    fv_status status = FV_OK;
    for (char *line; status == FV_OK && (line = fv_text_lines_next(&lines));) {
        status = load_line(s, &lines, line, err);
    }
    fv_text_lines_close(&lines);
    return status;
}

/* ---- Both ---- */

static int compare_ids(const void *a, const void *b)
{
    const fv_synset *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->wnid < y->wnid ? -1 : x->wnid > y->wnid;
}

/* One number for two synsets cannot be told apart; the same pair twice (of two files) can. */
static fv_status sort(fv_synsets *s, const char *path, fv_error *err)
{
    qsort(s->items, (size_t)s->count, sizeof(*s->items), compare_ids);
    for (int i = 1; i < s->count; i++) {
        const fv_synset *a = &s->items[i - 1], *b = &s->items[i];
        if (a->id && a->id == b->id && a->wnid != b->wnid) {
            return fv_fail(err, FV_ERR_FORMAT, "%.300s: number %d is n%08u and n%08u", path, a->id,
                           a->wnid, b->wnid);
        }
    }
    return FV_OK;
}

fv_status fv_synsets_load(fv_synsets *synsets, const char *path, fv_error *err)
{
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".mat") == 0) {
        FV_TRY(load_matlab(synsets, path, err));
    } else {
        FV_TRY(load_text(synsets, path, err));
    }
    return sort(synsets, path, err);
}

const fv_synset *fv_synsets_by_id(const fv_synsets *synsets, int id)
{
    int low = 0, high = synsets->count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (synsets->items[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < synsets->count && synsets->items[low].id == id ? &synsets->items[low] : NULL;
}

const char *fv_synsets_words(const fv_synsets *synsets, uint32_t wnid)
{
    for (int i = 0; i < synsets->count; i++) {
        if (synsets->items[i].wnid == wnid && *synsets->items[i].words) {
            return synsets->items[i].words;
        }
    }
    return "";
}

void fv_synsets_deinit(fv_synsets *synsets)
{
    fv_free(synsets->items);
    fv_arena_deinit(&synsets->arena);
    *synsets = (fv_synsets){ .items = NULL };
}
