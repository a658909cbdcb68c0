/* SPDX-License-Identifier: Apache-2.0 */
#include "data/twins.h"

#include <stdlib.h>

typedef struct entry {
    fv_hash pixels;
    fv_place place;
} entry;

static int compare_places(const fv_place *a, const fv_place *b)
{
    if (a->part != b->part) return a->part < b->part ? -1 : 1;
    return a->picture == b->picture ? 0 : a->picture < b->picture ? -1 : 1;
}

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const int order = fv_hash_compare(&x->pixels, &y->pixels);
    return order ? order : compare_places(&x->place, &y->place);
}

/* A run of entries with the same pixels. */
typedef struct run {
    const entry *begin;
    int64_t length;
} run;

static int compare_runs(const void *a, const void *b)
{
    const run *x = a, *y = b;
    return compare_places(&x->begin->place, &y->begin->place);
}

static int64_t collect(const fv_census *parts, int count, entry *entries)
{
    int64_t n = 0;
    for (int part = 0; part < count; part++) {
        for (int64_t i = 0; i < parts[part].count; i++) {
            if (!parts[part].pictures[i].readable) continue;
            entries[n++] = (entry){ parts[part].pictures[i].pixels, { part, i } };
        }
    }
    return n;
}

/* The runs of two and more, and how many pictures are in them; only counted if runs is NULL. */
static int64_t find_runs(const entry *entries, int64_t n, run *runs, int64_t *members)
{
    int64_t count = 0;
    *members = 0;
    for (int64_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n; next++)
            if (fv_hash_compare(&entries[i].pixels, &entries[next].pixels) != 0) break;
        if (next - i < 2) continue;
        if (runs) runs[count] = (run){ &entries[i], next - i };
        *members += next - i;
        count++;
    }
    return count;
}

static void fill(fv_twins *out, const run *runs)
{
    int64_t at = 0;
    for (int64_t g = 0; g < out->count; g++) {
        out->first[g] = at;
        for (int64_t k = 0; k < runs[g].length; k++) out->places[at++] = runs[g].begin[k].place;
    }
    out->first[out->count] = at;
}

static fv_status make_groups(fv_twins *out, const entry *entries, int64_t n, fv_error *err)
{
    int64_t members;
    out->count = find_runs(entries, n, NULL, &members);
    run *runs = fv_alloc((size_t)out->count * sizeof(*runs));
    out->first = fv_alloc((size_t)(out->count + 1) * sizeof(*out->first));
    out->places = fv_alloc((size_t)members * sizeof(*out->places));
    fv_status status = FV_OK;
    if (runs && out->first && out->places) {
        find_runs(entries, n, runs, &members);
        qsort(runs, (size_t)out->count, sizeof(*runs), compare_runs);
        fill(out, runs);
    } else {
        status = fv_fail(err, FV_ERR_NOMEM, "data: out of memory");
    }
    fv_free(runs);
    return status;
}

fv_status fv_twins_find(fv_twins *out, const fv_census *parts, int count, fv_error *err)
{
    int64_t room = 0;
    *out = (fv_twins){ 0 };
    for (int part = 0; part < count; part++) room += parts[part].readable;
    entry *entries = fv_alloc((size_t)room * sizeof(*entries));
    if (!entries) return fv_fail(err, FV_ERR_NOMEM, "data: out of memory");
    const int64_t n = collect(parts, count, entries);
    qsort(entries, (size_t)n, sizeof(*entries), compare_entries);
    const fv_status status = make_groups(out, entries, n, err);
    fv_free(entries);
    if (status != FV_OK) fv_twins_deinit(out);
    return status;
}

void fv_twins_deinit(fv_twins *twins)
{
    fv_free(twins->places);
    fv_free(twins->first);
    *twins = (fv_twins){ 0 };
}
