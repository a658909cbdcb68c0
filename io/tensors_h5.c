/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in an HDF5 file, of a checkpoint for example: the group "model", and text as metadata. */
#include "io/hdf5.h"
#include "io/tensors_impl.h"

#include <string.h>

enum { MAX_META = 1000, MAX_META_BYTES = 64 << 20 };

static fv_status no_memory(const fv_tensors *file, fv_error *err)
{
    return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for the list of tensors", file->path);
}

static fv_status read_tensor(fv_tensors *file, const fv_tensor_entry *entry, float *out,
                             fv_error *err)
{
    return fv_h5_read_floats(file->held, FV_TENSORS_GROUP, entry->info.name, entry->info.count, out,
                             err);
}

static fv_status add_entries(fv_tensors *file, char *const *names, int count, fv_error *err)
{
    file->entries = fv_arena_alloc(&file->arena, (size_t)count * sizeof(*file->entries));
    if (!file->entries) return no_memory(file, err);
    for (int i = 0; i < count; i++) {
        fv_tensor_info *info = &file->entries[i].info;
        FV_TRY(fv_h5_shape(file->held, FV_TENSORS_GROUP, names[i], &info->rank, info->dims, err));
        if (!fv_tensor_elements(info->rank, info->dims, &info->count))
            return fv_fail(err, FV_ERR_FORMAT,
                           "%s: tensor \"%.150s\": the number of its elements overflows",
                           file->path, names[i]);
        info->name = fv_tensors_text(file, names[i]);
        if (!info->name) return no_memory(file, err);
        file->count++;
    }
    return FV_OK;
}

static fv_status add_meta(fv_tensors *file, char *const *keys, int count, fv_error *err)
{
    size_t bytes = 0;
    if (count > MAX_META)
        return fv_fail(err, FV_ERR_FORMAT, "%s: %d texts, above %d", file->path, count, MAX_META);
    file->meta = fv_arena_alloc(&file->arena, (size_t)count * sizeof(*file->meta));
    if (!file->meta) return no_memory(file, err);
    for (int i = 0; i < count; i++) {
        char *text = NULL;
        FV_TRY(fv_h5_read_text(file->held, keys[i], &text, err));
        bytes += strlen(text);
        fv_meta *meta = &file->meta[file->meta_count++];
        *meta = (fv_meta){ fv_tensors_text(file, keys[i]), fv_tensors_text(file, text) };
        fv_free(text);
        if (!meta->key || !meta->value) return no_memory(file, err);
        if (bytes > MAX_META_BYTES)
            return fv_fail(err, FV_ERR_FORMAT, "%s: more than %d bytes of text", file->path,
                           MAX_META_BYTES);
    }
    return FV_OK;
}

static void release(void *held) { fv_h5_close(held); }

fv_status fv_tensors_open_h5(fv_tensors *file, fv_error *err)
{
    char **names = NULL;
    int count = 0;
    fv_h5_reader *h5 = NULL;
    FV_TRY(fv_h5_open(&h5, file->path, err));
    file->held = h5;
    file->release = release;
    file->read = read_tensor;
    FV_TRY(fv_h5_list(h5, FV_TENSORS_GROUP, &names, &count, err));
    fv_status status = add_entries(file, names, count, err);
    fv_h5_names_free(names, count);
    if (status != FV_OK || !fv_h5_has_group(h5, "text")) return status;

    FV_TRY(fv_h5_list(h5, "text", &names, &count, err));
    status = add_meta(file, names, count, err);
    fv_h5_names_free(names, count);
    return status;
}

fv_status fv_tensors_save_h5(const char *path, const fv_tensor_values *tensors, int count,
                             const fv_meta *meta, int meta_count, fv_error *err)
{
    fv_h5_writer *w = NULL;
    FV_TRY(fv_h5_create(&w, path, err));
    fv_status status = FV_OK;
    for (int i = 0; i < count && status == FV_OK; i++)
        status = fv_h5_write_floats(w, FV_TENSORS_GROUP, tensors[i].info.name, tensors[i].info.rank,
                                    tensors[i].info.dims, tensors[i].data, err);
    for (int i = 0; i < meta_count && status == FV_OK; i++)
        status = fv_h5_write_text(w, meta[i].key, meta[i].value, err);
    if (status == FV_OK) return fv_h5_commit(w, err);
    fv_h5_discard(w);
    return status;
}
