/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: eight bytes with the length of a header, a header in JSON, and the elements, little
 * endian. Every rule of the format is enforced: names occur once, and the tensors fill the file
 * from the end of the header to its last byte without a gap or an overlap, so that one file means
 * one thing to all readers. */
#include "io/tensors_impl.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LENGTH_BYTES = 8,
    MAX_HEADER = 8 << 20, /* bytes: ten times that of any model that we know */
    BUFFER_BYTES = 64 << 10
};

static const struct {
    const char *name;
    fv_element type;
} types[] = {
    { "F64", FV_F64 }, { "F32", FV_F32 },      { "F16", FV_F16 }, { "BF16", FV_BF16 },
    { "I64", FV_I64 }, { "I32", FV_I32 },      { "I16", FV_I16 }, { "I8", FV_I8 },
    { "U8", FV_U8 },   { "BOOL", FV_BOOLEAN },
};

/* ---- Reading the elements ---- */

static bool read_exactly(int fd, void *data, size_t bytes, uint64_t offset)
{
    char *at = data;
    while (bytes > 0) {
        const ssize_t n = pread(fd, at, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        bytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

static fv_status read_tensor(fv_tensors *file, const fv_tensor_entry *entry, float *out,
                             fv_error *err)
{
    unsigned char buffer[BUFFER_BYTES];
    const size_t size = fv_element_bytes(entry->type), per_buffer = BUFFER_BYTES / size;
    for (size_t done = 0; done < entry->info.count;) {
        const size_t left = entry->info.count - done, n = left < per_buffer ? left : per_buffer;
        if (!read_exactly(file->fd, buffer, n * size, entry->offset + done * size))
            return fv_fail(err, FV_ERR_IO, "%s: cannot read tensor \"%.150s\"", file->path,
                           entry->info.name);
        fv_elements_convert(entry->type, false, buffer, n, out + done);
        done += n;
    }
    return FV_OK;
}

/* ---- The header ---- */

static fv_status FV_PRINTF(4, 5)
    bad_tensor(const fv_tensors *file, const char *name, fv_error *err, const char *format, ...)
{
    char what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return fv_fail(err, FV_ERR_FORMAT, "%s: tensor \"%.150s\": %s", file->path, name, what);
}

static fv_status no_memory(const fv_tensors *file, fv_error *err)
{
    return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for the header", file->path);
}

static fv_status read_meta(fv_tensors *file, json_t *map, fv_error *err)
{
    const char *key;
    json_t *value;
    file->meta = fv_arena_alloc(&file->arena, json_object_size(map) * sizeof(*file->meta));
    if (!file->meta) return no_memory(file, err);
    json_object_foreach(map, key, value)
    {
        if (!json_is_string(value))
            return fv_fail(err, FV_ERR_FORMAT, "%s: __metadata__ must hold text only", file->path);
        fv_meta *meta = &file->meta[file->meta_count++];
        meta->key = fv_tensors_text(file, key);
        meta->value = fv_tensors_text(file, json_string_value(value));
        if (!meta->key || !meta->value) return no_memory(file, err);
    }
    return FV_OK;
}

static bool find_type(const char *name, fv_element *type)
{
    for (size_t i = 0; name && i < FV_ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, name) == 0) {
            *type = types[i].type;
            return true;
        }
    return false;
}

static fv_status read_shape(const fv_tensors *file, const char *name, const json_t *shape,
                            fv_tensor_info *info, fv_error *err)
{
    if (!json_is_array(shape)) return bad_tensor(file, name, err, "it has no shape");
    if (json_array_size(shape) > FV_TENSOR_MAX_RANK)
        return bad_tensor(file, name, err, "rank %zu is above %d", json_array_size(shape),
                          FV_TENSOR_MAX_RANK);
    info->rank = (int)json_array_size(shape);
    for (int d = 0; d < info->rank; d++) {
        const json_t *dim = json_array_get(shape, (size_t)d);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return bad_tensor(file, name, err, "dimension %d is not a whole number of at least 0",
                              d);
        info->dims[d] = json_integer_value(dim);
    }
    if (!fv_tensor_elements(info->rank, info->dims, &info->count))
        return bad_tensor(file, name, err, "the number of its elements overflows");
    return FV_OK;
}

/* One entry of the header; `data_bytes` follow the header. The offset stays relative to its end. */
static fv_status read_entry(const fv_tensors *file, const char *name, const json_t *map,
                            uint64_t data_bytes, fv_tensor_entry *entry, fv_error *err)
{
    const json_t *offsets = json_object_get(map, "data_offsets");
    const char *type = json_string_value(json_object_get(map, "dtype"));
    if (json_object_size(map) != 3 || !type || json_array_size(offsets) != 2)
        return bad_tensor(file, name, err, "dtype, shape and two data_offsets are expected");
    if (!find_type(type, &entry->type))
        return bad_tensor(
            file, name, err,
            "dtype \"%.20s\" is not read; known are F64 F32 F16 BF16 I64 I32 I16 I8 U8 "
            "BOOL",
            type);
    FV_TRY(read_shape(file, name, json_object_get(map, "shape"), &entry->info, err));

    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    const json_int_t begin = json_is_integer(first) ? json_integer_value(first) : -1;
    const json_int_t end = json_is_integer(last) ? json_integer_value(last) : -1;
    if (begin < 0 || end < begin || (uint64_t)end > data_bytes)
        return bad_tensor(file, name, err, "its data_offsets are not in the file");
    const uint64_t bytes = (uint64_t)entry->info.count * fv_element_bytes(entry->type);
    if ((uint64_t)(end - begin) != bytes)
        return bad_tensor(file, name, err, "its shape needs %llu bytes, its data_offsets give %llu",
                          (unsigned long long)bytes, (unsigned long long)(end - begin));
    entry->offset = (uint64_t)begin;
    return FV_OK;
}

static uint64_t entry_end(const fv_tensor_entry *e)
{
    return e->offset + (uint64_t)e->info.count * fv_element_bytes(e->type);
}

static int compare_places(const void *a, const void *b)
{
    const fv_tensor_entry *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (entry_end(x) != entry_end(y)) return entry_end(x) < entry_end(y) ? -1 : 1;
    return strcmp(x->info.name, y->info.name);
}

/* Sorts the entries by place, checks that they cover the data, and makes their offsets absolute. */
static fv_status place_entries(fv_tensors *file, uint64_t data_begin, uint64_t data_bytes,
                               fv_error *err)
{
    uint64_t expected = 0;
    qsort(file->entries, (size_t)file->count, sizeof(*file->entries), compare_places);
    for (int i = 0; i < file->count; i++) {
        fv_tensor_entry *e = &file->entries[i];
        if (e->offset != expected)
            return bad_tensor(file, e->info.name, err,
                              "it begins at byte %llu of the data, not at %llu",
                              (unsigned long long)e->offset, (unsigned long long)expected);
        expected = entry_end(e);
        e->offset += data_begin;
    }
    if (expected != data_bytes)
        return fv_fail(
            err, FV_ERR_FORMAT,
            "%s: %llu bytes of tensors, but %llu bytes of data: the file was cut or something "
            "was appended",
            file->path, (unsigned long long)expected, (unsigned long long)data_bytes);
    return FV_OK;
}

static fv_status read_header(fv_tensors *file, json_t *root, uint64_t data_begin,
                             uint64_t data_bytes, fv_error *err)
{
    const char *name;
    json_t *value;
    file->entries = fv_arena_alloc(&file->arena, json_object_size(root) * sizeof(*file->entries));
    if (!file->entries) return no_memory(file, err);
    json_object_foreach(root, name, value)
    {
        if (!json_is_object(value))
            return fv_fail(err, FV_ERR_FORMAT, "%s: an entry of the header is not a map",
                           file->path);
        if (strcmp(name, "__metadata__") == 0) {
            FV_TRY(read_meta(file, value, err));
            continue;
        }
        FV_TRY(fv_tensors_check_name(file, name, strlen(name), err));
        fv_tensor_entry *entry = &file->entries[file->count];
        FV_TRY(read_entry(file, name, value, data_bytes, entry, err));
        entry->info.name = fv_tensors_text(file, name);
        if (!entry->info.name) return no_memory(file, err);
        file->count++;
    }
    return place_entries(file, data_begin, data_bytes, err);
}

static fv_status parse_header(fv_tensors *file, const char *text, size_t length,
                              uint64_t data_bytes, fv_error *err)
{
    json_error_t why;
    if (text[0] != '{')
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: neither safetensors nor any other format that is read", file->path);
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        const enum json_error_code code = json_error_code(&why);
        if (code == json_error_out_of_memory) return no_memory(file, err);
        if (code == json_error_duplicate_key)
            return fv_fail(err, FV_ERR_FORMAT, "%s: a key occurs twice in the header", file->path);
        return fv_fail(err, FV_ERR_FORMAT, "%s: the header is not valid json near its byte %d",
                       file->path, why.position);
    }
    const fv_status status = read_header(file, root, LENGTH_BYTES + length, data_bytes, err);
    json_decref(root);
    return status;
}

/* ---- Opening ---- */

static fv_status open_header(fv_tensors *file, int fd, fv_error *err)
{
    struct stat info;
    unsigned char length_bytes[LENGTH_BYTES];
    uint64_t length = 0;
    if (fstat(fd, &info) != 0 || !read_exactly(fd, length_bytes, LENGTH_BYTES, 0))
        return fv_fail(err, FV_ERR_FORMAT, "%s: too short for a file of tensors", file->path);
    for (int i = 0; i < LENGTH_BYTES; i++) length |= (uint64_t)length_bytes[i] << (8 * i);
    const uint64_t after = (uint64_t)info.st_size - LENGTH_BYTES;
    if (length < 2 || length > after)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: neither safetensors nor any other format that is read", file->path);
    if (length > MAX_HEADER)
        return fv_fail(err, FV_ERR_FORMAT, "%s: a header of %llu bytes, above %d", file->path,
                       (unsigned long long)length, MAX_HEADER);

    char *text = fv_alloc((size_t)length);
    if (!text) return no_memory(file, err);
    fv_status status = FV_OK;
    if (!read_exactly(fd, text, (size_t)length, LENGTH_BYTES))
        status = fv_fail(err, FV_ERR_IO, "%s: cannot read the header", file->path);
    else
        status = parse_header(file, text, (size_t)length, after - length, err);
    fv_free(text);
    return status;
}

fv_status fv_safetensors_open(fv_tensors *file, fv_error *err)
{
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0)
        return fv_fail(err, FV_ERR_IO, "%s: cannot open: %s", file->path, strerror(errno));
    file->read = read_tensor;
    return open_header(file, file->fd, err);
}
