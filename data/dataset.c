/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/dataset_impl.h"
#include "data/decode_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

fv_status fv_dataset_grow(void **block, size_t size, size_t used, size_t count, size_t *room,
                          fv_error *err)
{
    if (count <= *room) return FV_OK;
    size_t wanted = *room ? *room * 2 : 64;
    if (wanted < count) wanted = count;
    void *bigger = fv_alloc(wanted * size);
    if (!bigger) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    if (used) memcpy(bigger, *block, used * size);
    fv_free(*block);
    *block = bigger;
    *room = wanted;
    return FV_OK;
}

/* ---- Filling ---- */

/* Appends a name to a block of text; `at` is where it begins. */
static fv_status append_text(char **text, size_t *bytes, size_t *room, const char *name,
                             uint32_t *at, fv_error *err)
{
    const size_t length = strlen(name) + 1;
    if (*bytes + length > UINT32_MAX) {
        return fv_fail(err, FV_ERR_FORMAT, "dataset: the names take more than 4 GiB");
    }
    void *block = *text;
    const fv_status status = fv_dataset_grow(&block, 1, *bytes, *bytes + length, room, err);
    *text = block;
    if (status != FV_OK) return status;
    *at = (uint32_t)*bytes;
    memcpy(*text + *bytes, name, length);
    *bytes += length;
    return FV_OK;
}

fv_status fv_dataset_add(fv_dataset *d, const char *name, int label, fv_error *err)
{
    void *samples = d->samples;
    const size_t count = (size_t)d->count;
    const fv_status status =
        fv_dataset_grow(&samples, sizeof(*d->samples), count, count + 1, &d->room, err);
    d->samples = samples;
    if (status != FV_OK) return status;
    fv_sample *sample = &d->samples[count];
    sample->label = label;
    FV_TRY(append_text(&d->text, &d->text_bytes, &d->text_room, name, &sample->name, err));
    d->count++;
    return FV_OK;
}

fv_status fv_dataset_add_class(fv_dataset *d, const char *name, int *count, fv_error *err)
{
    uint32_t at = 0;
    if (*count == FV_DATASET_MAX_CLASSES) {
        return fv_fail(err, FV_ERR_FORMAT, "dataset: more than %d classes", *count);
    }
    FV_TRY(append_text(&d->class_text, &d->class_bytes, &d->class_room, name, &at, err));
    (*count)++;
    return FV_OK;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

fv_status fv_dataset_number_classes(fv_dataset *d, int count, fv_error *err)
{
    const char **names = fv_alloc((size_t)count * sizeof(*names));
    d->class_names = fv_alloc((size_t)count * sizeof(*d->class_names));
    if (!names || !d->class_names) {
        fv_free(names);
        return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    }
    const char *next = d->class_text;
    for (int i = 0; i < count; i++, next += strlen(next) + 1) names[i] = next;
    qsort(names, (size_t)count, sizeof(*names), compare_names);
    for (int i = 0; i < count; i++) d->class_names[i] = (uint32_t)(names[i] - d->class_text);
    fv_free(names);
    d->named = d->classes = count;
    return FV_OK;
}

fv_status fv_dataset_check_classes(const fv_dataset *d, int classes, const char *where,
                                   const char *what, fv_error *err)
{
    if (classes && d->named > classes) {
        return fv_fail(err, FV_ERR_FORMAT, "%.400s: %d %s, but only %d classes", where, d->named,
                       what, classes);
    }
    if (classes && d->named < classes) {
        fv_log(FV_LOG_WARNING,
               "%s: %d %s for %d classes: if one is missing, all after it"
               " have wrong labels",
               where, d->named, what, classes);
    }
    return FV_OK;
}

bool fv_dataset_is_picture(const char *extension)
{
    static const char *const known[] = { ".jpg", ".jpeg", ".png" };
    for (size_t i = 0; i < FV_ARRAY_LEN(known); i++) {
        if (strcasecmp(extension, known[i]) == 0) return true;
    }
    return false;
}

/* ---- Opening ---- */

void fv_dataset_options_guess(fv_dataset_options *options, const char *const *path)
{
    const char *dot = strrchr(*path, '.');
    if (fv_file_is_folder(*path)) {
        options->kind = FV_DATASET_FILES;
        options->image_root = *path;
    } else if (dot && strcasecmp(dot, ".tar") == 0) {
        options->kind = FV_DATASET_TAR;
        options->shards = path;
        options->shard_count = 1;
    } else {
        options->kind = dot && strcasecmp(dot, ".csv") == 0 ? FV_DATASET_CSV
                      : dot && strcasecmp(dot, ".h5") == 0  ? FV_DATASET_PACKED
                                                            : FV_DATASET_FILES;
        options->list_path = *path;
    }
}

static fv_status read_samples(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    switch (o->kind) {
    case FV_DATASET_FILES:
        return o->list_path ? fv_dataset_read_list(d, o, err) : fv_dataset_read_folders(d, o, err);
    case FV_DATASET_CSV: return fv_dataset_read_table(d, o, err);
    case FV_DATASET_TAR: return fv_dataset_read_shards(d, o, err);
    case FV_DATASET_PACKED: return fv_dataset_read_packed(d, o, err);
    }
    return fv_fail(err, FV_ERR_CONFIG, "dataset: there is no kind %d", (int)o->kind);
}

static fv_status read_all(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    const char *root = o->kind == FV_DATASET_PACKED ? o->list_path : o->image_root;
    if (!root) root = "";
    d->root = fv_alloc(strlen(root) + 1);
    if (!d->root) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    memcpy(d->root, root, strlen(root) + 1);

    FV_TRY(read_samples(d, o, err));
    int largest = 0;
    for (int64_t i = 0; i < d->count; i++) largest = fv_max(largest, d->samples[i].label);
    d->classes = o->classes ? o->classes : fv_max(d->classes, largest + 1);
    if (o->label_list) FV_TRY(fv_dataset_read_labels(d, o, err));
    return o->split.val_fraction > 0.0 ? fv_dataset_split(d, &o->split, err) : FV_OK;
}

fv_status fv_dataset_open(fv_dataset **out, const fv_dataset_options *options, fv_error *err)
{
    *out = NULL;
    fv_dataset *d = fv_alloc(sizeof(*d));
    if (!d) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    const fv_status status = read_all(d, options, err);
    if (status != FV_OK) {
        fv_dataset_close(d);
        return status;
    }
    *out = d;
    return FV_OK;
}

void fv_dataset_deinit(fv_dataset *d)
{
    fv_dataset_close_containers(d);
    fv_free(d->root);
    fv_free(d->samples);
    fv_free(d->text);
    fv_free(d->class_text);
    fv_free(d->class_names);
    *d = (fv_dataset){ .root = NULL };
}

void fv_dataset_close(fv_dataset *dataset)
{
    if (!dataset) return;
    fv_dataset_deinit(dataset);
    fv_free(dataset);
}

/* ---- Asking ---- */

int64_t fv_dataset_count(const fv_dataset *dataset) { return dataset->count; }
int fv_dataset_classes(const fv_dataset *dataset) { return dataset->classes; }

int fv_dataset_label(const fv_dataset *dataset, int64_t i) { return dataset->samples[i].label; }

int64_t fv_dataset_unlabelled(const fv_dataset *dataset)
{
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->count; i++)
        count += dataset->samples[i].label == FV_UNLABELLED;
    return count;
}

const char *fv_dataset_name(const fv_dataset *dataset, int64_t i)
{
    return dataset->text + dataset->samples[i].name;
}

fv_status fv_dataset_path(const fv_dataset *dataset, int64_t i, char *path, size_t size,
                          fv_error *err)
{
    const char *name = fv_dataset_name(dataset, i);
    if (fv_path_join(path, size, dataset->root, name)) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%.200s/%.200s: the path is too long", dataset->root, name);
}

fv_status fv_dataset_read(const fv_dataset *dataset, int64_t i, char **bytes, size_t *size,
                          fv_error *err)
{
    if (dataset->places) return fv_dataset_read_place(dataset, i, bytes, size, err);
    char path[FV_DATASET_MAX_PATH];
    FV_TRY(fv_dataset_path(dataset, i, path, sizeof(path), err));
    return fv_file_read(path, FV_DECODE_MAX_FILE, bytes, size, err);
}

const char *fv_dataset_class_name(const fv_dataset *dataset, int label)
{
    if (label < 0 || label >= dataset->named) return NULL;
    const uint32_t at = dataset->class_names[label];
    return at == UINT32_MAX ? NULL : dataset->class_text + at;
}

size_t fv_dataset_bytes(const fv_dataset *dataset)
{
    const size_t count = (size_t)dataset->count;
    return sizeof(*dataset) + strlen(dataset->root) + 1 +
           (dataset->places ? count * sizeof(*dataset->places) : 0) +
           (dataset->checks ? count * sizeof(*dataset->checks) : 0) +
           dataset->room * sizeof(*dataset->samples) + dataset->text_room + dataset->class_room +
           (size_t)dataset->named * sizeof(*dataset->class_names);
}
