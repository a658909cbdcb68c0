/* SPDX-License-Identifier: Apache-2.0 */
#include "data/class_table.h"

#include "base/memory.h"

/* sizes[label] = samples of that class. */
static fv_status count(int64_t *sizes, const fv_dataset *dataset, fv_error *err)
{
    for (int64_t i = 0; i < fv_dataset_count(dataset); i++) {
        const int label = fv_dataset_label(dataset, i);
        if (label < 0)
            return fv_fail(err, FV_ERR_CONFIG, "%s: no label: its class is not known",
                           fv_dataset_name(dataset, i));
        sizes[label]++;
    }
    return FV_OK;
}

/* Turns sizes[label] into where in `samples` the next one of that class goes. */
static void set_starts(fv_class_table *t, int64_t *sizes, int classes)
{
    int64_t at = 0;
    for (int label = 0; label < classes; label++) {
        const int64_t size = sizes[label];
        if (size > 0) t->start[t->count++] = at;
        sizes[label] = at;
        at += size;
    }
    t->start[t->count] = at;
}

fv_status fv_class_table_create(fv_class_table **out, const fv_dataset *dataset, fv_error *err)
{
    const int classes = fv_dataset_classes(dataset);
    const int64_t samples = fv_dataset_count(dataset);
    fv_status status = FV_OK;
    fv_class_table *t = fv_alloc(sizeof(*t));
    int64_t *next = fv_alloc((size_t)classes * sizeof(*next));
    if (t) t->start = fv_alloc(((size_t)classes + 1) * sizeof(*t->start));
    if (t) t->samples = fv_alloc((size_t)samples * sizeof(*t->samples));
    if (!t || !next || !t->start || !t->samples)
        status = fv_fail(err, FV_ERR_NOMEM, "classes: out of memory for %lld samples",
                         (long long)samples);
    if (status == FV_OK) status = count(next, dataset, err);
    if (status == FV_OK) {
        set_starts(t, next, classes);
        for (int64_t i = 0; i < samples; i++) t->samples[next[fv_dataset_label(dataset, i)]++] = i;
        *out = t;
    } else {
        fv_class_table_destroy(t);
    }
    fv_free(next);
    return status;
}

void fv_class_table_destroy(fv_class_table *table)
{
    if (!table) return;
    fv_free(table->start);
    fv_free(table->samples);
    fv_free(table);
}

int64_t fv_class_table_size(const fv_class_table *table, int k)
{
    return table->start[k + 1] - table->start[k];
}
