/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/dataset_impl.h"
#include "data/decode_impl.h"

#include <string.h>

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

static fv_status read_all(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    const char *root = o->image_root ? o->image_root : "";
    d->root = fv_alloc(strlen(root) + 1);
    if (!d->root) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    memcpy(d->root, root, strlen(root) + 1);

    FV_TRY(o->list_path ? fv_dataset_read_list(d, o, err) : fv_dataset_read_folders(d, o, err));
    int largest = 0;
    for (int64_t i = 0; i < d->count; i++) largest = fv_max(largest, d->samples[i].label);
    d->classes = o->classes ? o->classes : fv_max(d->classes, largest + 1);
    return o->label_list ? fv_dataset_read_labels(d, o, err) : FV_OK;
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

void fv_dataset_close(fv_dataset *dataset)
{
    if (!dataset) return;
    fv_free(dataset->root);
    fv_free(dataset->samples);
    fv_free(dataset->text);
    fv_free(dataset->class_text);
    fv_free(dataset->class_names);
    fv_free(dataset);
}

int64_t fv_dataset_count(const fv_dataset *dataset) { return dataset->count; }
int fv_dataset_classes(const fv_dataset *dataset) { return dataset->classes; }

int fv_dataset_label(const fv_dataset *dataset, int64_t i) { return dataset->samples[i].label; }

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
    return sizeof(*dataset) + strlen(dataset->root) + 1 +
           dataset->room * sizeof(*dataset->samples) + dataset->text_room + dataset->class_room +
           (size_t)dataset->named * sizeof(*dataset->class_names);
}
