/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tensors_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Opening ---- */

/* The first bytes of a file; `got` of them. */
static fv_status read_head(const char *path, char head[8], ssize_t *got, fv_error *err)
{
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fv_fail(err, FV_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    *got = regular ? pread(fd, head, 8, 0) : -1;
    close(fd);
    return *got >= 0 ? FV_OK : fv_fail(err, FV_ERR_IO, "%s: not a regular file", path);
}

static fv_status open_by_content(fv_tensors *file, fv_error *err)
{
    char head[8] = { 0 };
    ssize_t got = 0;
    FV_TRY(read_head(file->path, head, &got, err));
    if (got == 8 && memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0) return fv_tensors_open_h5(file, err);
    if (memcmp(head, "PK\3\4", 4) == 0)
        return fv_fail(
            err, FV_ERR_FORMAT,
            "%s: a zip archive, such as a PyTorch .pth file, which is not read yet: save "
            "the weights as safetensors",
            file->path);
    if (head[0] == '\x80' && head[1] >= 2 && head[1] <= 5)
        return fv_fail(
            err, FV_ERR_FORMAT,
            "%s: a python pickle, such as a PaddlePaddle .pdparams or an old PyTorch .pth "
            "file, which is not read yet: save the weights as safetensors",
            file->path);
    return fv_safetensors_open(file, err);
}

static int compare_names(const void *a, const void *b)
{
    const fv_tensor_entry *const *x = a, *const *y = b;
    return strcmp((*x)->info.name, (*y)->info.name);
}

static fv_status sort_names(fv_tensors *file, fv_error *err)
{
    file->by_name = fv_arena_alloc(&file->arena, (size_t)file->count * sizeof(*file->by_name));
    if (!file->by_name) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    for (int i = 0; i < file->count; i++) file->by_name[i] = &file->entries[i];
    qsort(file->by_name, (size_t)file->count, sizeof(*file->by_name), compare_names);
    return FV_OK;
}

fv_status fv_tensors_open(fv_tensors **out, const char *path, fv_error *err)
{
    if (strlen(path) >= FV_TENSORS_MAX_PATH)
        return fv_fail(err, FV_ERR_IO, "%.200s...: cannot open: the path is too long", path);
    fv_tensors *file = fv_alloc(sizeof(*file));
    if (!file) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    memcpy(file->path, path, strlen(path) + 1);
    fv_arena_init(&file->arena);
    file->fd = -1;

    fv_status status = open_by_content(file, err);
    if (status == FV_OK) status = sort_names(file, err);
    if (status != FV_OK) {
        fv_tensors_close(file);
        return status;
    }
    *out = file;
    return FV_OK;
}

void fv_tensors_close(fv_tensors *file)
{
    if (!file) return;
    if (file->fd >= 0) close(file->fd);
    fv_h5_close(file->h5);
    fv_arena_deinit(&file->arena);
    fv_free(file);
}

/* ---- What is inside ---- */

char *fv_tensors_text(fv_tensors *file, const char *text)
{
    return fv_arena_join(&file->arena, "", "", text);
}

bool fv_tensor_elements(int rank, const int64_t *dims, size_t *count)
{
    const uint64_t limit = INT64_MAX / 8;
    uint64_t n = 1;
    for (int d = 0; d < rank; d++)
        if (dims[d] == 0) n = 0;
    for (int d = 0; d < rank && n; d++) {
        if ((uint64_t)dims[d] > limit / n) return false;
        n *= (uint64_t)dims[d];
    }
    *count = (size_t)n;
    return n <= SIZE_MAX / 8;
}

int fv_tensors_count(const fv_tensors *file) { return file->count; }

fv_tensor_info fv_tensors_at(const fv_tensors *file, int i)
{
    assert(i >= 0 && i < file->count);
    return file->entries[i].info;
}

int fv_tensors_find(const fv_tensors *file, const char *name)
{
    const fv_tensor_entry key = { .info.name = name }, *wanted = &key;
    const fv_tensor_entry **found =
        bsearch(&wanted, file->by_name, (size_t)file->count, sizeof(*file->by_name), compare_names);
    return found ? (int)(*found - file->entries) : -1;
}

fv_status fv_tensors_read(fv_tensors *file, int i, float *out, fv_error *err)
{
    assert(i >= 0 && i < file->count);
    return file->read(file, &file->entries[i], out, err);
}

const char *fv_tensors_meta(const fv_tensors *file, const char *key)
{
    for (int i = 0; i < file->meta_count; i++)
        if (strcmp(file->meta[i].key, key) == 0) return file->meta[i].value;
    return NULL;
}

int fv_tensors_meta_count(const fv_tensors *file) { return file->meta_count; }

fv_meta fv_tensors_meta_at(const fv_tensors *file, int i)
{
    assert(i >= 0 && i < file->meta_count);
    return file->meta[i];
}

/* ---- Saving ---- */

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

fv_status fv_tensors_save(const char *path, const fv_tensor_values *tensors, int count,
                          const fv_meta *meta, int meta_count, fv_error *err)
{
    if (ends_with(path, ".h5"))
        return fv_tensors_save_h5(path, tensors, count, meta, meta_count, err);
    if (ends_with(path, ".safetensors"))
        return fv_safetensors_save(path, tensors, count, meta, meta_count, err);
    return fv_fail(err, FV_ERR_FORMAT,
                   "%s: cannot write: the extension gives the format, .h5 or .safetensors", path);
}
