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

enum { MAX_NAME = 512 };

/* ---- Opening ---- */

enum { HEAD_BYTES = 16 };

/* The first bytes of a file; zeros follow those of a shorter one. */
static fv_status read_head(const char *path, char head[HEAD_BYTES], fv_error *err)
{
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fv_fail(err, FV_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    memset(head, 0, HEAD_BYTES);
    const bool good = regular && pread(fd, head, HEAD_BYTES, 0) >= 0;
    close(fd);
    return good ? FV_OK : fv_fail(err, FV_ERR_IO, "%s: not a regular file", path);
}

static fv_status open_by_content(fv_tensors *file, fv_error *err)
{
    /* A pickle of the number that old files of PyTorch begin with. */
    static const char old_torch[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    char head[HEAD_BYTES];
    FV_TRY(read_head(file->path, head, err));
    if (memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0) return fv_tensors_open_h5(file, err);
    if (memcmp(head, "PK\3\4", 4) == 0) return fv_pth_open(file, err);
    if (memcmp(head, old_torch, sizeof(old_torch) - 1) == 0)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: a file of PyTorch from before 1.6, which is not read: torch.load it "
                       "and torch.save it again, or save the weights as safetensors",
                       file->path);
    if (head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) return fv_pdparams_open(file, err);
    return fv_safetensors_open(file, err);
}

static int compare_names(const void *a, const void *b)
{
    const fv_tensor_entry *const *x = a, *const *y = b;
    return strcmp((*x)->info.name, (*y)->info.name);
}

fv_status fv_tensors_sort(fv_tensors *file, fv_error *err)
{
    file->by_name = fv_arena_alloc(&file->arena, (size_t)file->count * sizeof(*file->by_name));
    if (!file->by_name) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    for (int i = 0; i < file->count; i++) file->by_name[i] = &file->entries[i];
    qsort(file->by_name, (size_t)file->count, sizeof(*file->by_name), compare_names);
    for (int i = 1; i < file->count; i++)
        if (compare_names(&file->by_name[i - 1], &file->by_name[i]) == 0)
            return fv_fail(err, FV_ERR_FORMAT, "%s: tensor \"%.150s\" occurs twice", file->path,
                           file->by_name[i]->info.name);
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
    if (status == FV_OK) status = fv_tensors_sort(file, err);
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
    if (file->held) file->release(file->held);
    fv_arena_deinit(&file->arena);
    fv_free(file);
}

/* ---- What is inside ---- */

char *fv_tensors_text(fv_tensors *file, const char *text)
{
    return fv_arena_join(&file->arena, "", "", text);
}

fv_status fv_tensors_check_name(const fv_tensors *file, const char *name, size_t length,
                                fv_error *err)
{
    size_t i = 0;
    while (i < length && (unsigned char)name[i] >= ' ' && name[i] != '\x7f') i++;
    if (i == length && length > 0 && length < MAX_NAME) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT,
                   "%s: the header holds a name that is empty, too long or not printable",
                   file->path);
}

fv_status fv_tensors_take_name(fv_tensors *file, const fv_pickle_value *text, size_t skip,
                               const char **out, fv_error *err)
{
    if (!fv_pickle_is(text, FV_PICKLE_TEXT) && !fv_pickle_is(text, FV_PICKLE_BYTES))
        return fv_fail(err, FV_ERR_FORMAT, "%s: a key of its dict is no text", file->path);
    const char *name = (const char *)text->bytes.data + skip;
    const size_t length = text->bytes.size - skip;
    FV_TRY(fv_tensors_check_name(file, name, length, err));
    char *copy = fv_arena_alloc(&file->arena, length + 1);
    if (!copy) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    memcpy(copy, name, length);
    *out = copy;
    return FV_OK;
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

const char *fv_tensors_path(const fv_tensors *file) { return file->path; }

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

/* ---- Reading the elements ---- */

static void make(const fv_tensor_entry *e, float *out)
{
    const int64_t width = e->info.dims[0];
    for (size_t i = 0; i < e->info.count; i++) out[i] = (float)e->change.shift;
    for (int64_t i = 0; i < width && e->change.made == FV_MADE_IDENTITY; i++)
        out[i * width + i] = 1.0f;
}

/* As the file has it, rows and columns exchanged. */
static fv_status read_transposed(fv_tensors *file, const fv_tensor_entry *e, float *out,
                                 fv_error *err)
{
    const int64_t strides[2] = { 1, e->info.dims[0] };
    fv_tensor_entry there = *e;
    there.info.dims[0] = e->info.dims[1];
    there.info.dims[1] = e->info.dims[0];
    float *rows = fv_alloc(e->info.count * sizeof(float));
    if (!rows) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    const fv_status status = file->read(file, &there, rows, err);
    if (status == FV_OK) fv_elements_gather(rows, 2, e->info.dims, strides, out);
    fv_free(rows);
    return status;
}

fv_status fv_tensors_read(fv_tensors *file, int i, float *out, fv_error *err)
{
    assert(i >= 0 && i < file->count);
    const fv_tensor_entry *e = &file->entries[i];
    const fv_tensor_change *c = &e->change;
    if (c->made) {
        make(e, out);
        return FV_OK;
    }
    FV_TRY(c->transposed ? read_transposed(file, e, out, err) : file->read(file, e, out, err));
    for (size_t k = 0; k < e->info.count && c->divisor != 0.0; k++)
        out[k] = (float)((double)out[k] / c->divisor);
    for (size_t k = 0; k < e->info.count && c->shift != 0.0; k++)
        out[k] = (float)((double)out[k] + c->shift);
    return FV_OK;
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
    if (ends_with(path, ".pdparams")) return fv_pdparams_save(path, tensors, count, err);
    return fv_fail(
        err, FV_ERR_FORMAT,
        "%s: cannot write: the extension gives the format, .h5, .safetensors or .pdparams", path);
}
