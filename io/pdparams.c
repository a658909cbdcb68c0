/* SPDX-License-Identifier: Apache-2.0 */
/* PaddlePaddle's .pdparams: a pickle, nothing around it, of a dict from names to NumPy arrays. With
 * protocols 2 and 3 the elements are a text, one character for each byte; from 4 on they are bytes.
 * The file stays in memory while it is open, and the arrays point into it. */
#include "base/file.h"
#include "io/pickle.h"
#include "io/tensors_impl.h"

#include <stdio.h>
#include <string.h>

/* What an array may be made of. */
enum { RECONSTRUCT, FROM_BUFFER, NDARRAY, DTYPE, ENCODE, NO_BYTES, TUPLE };

static const fv_pickle_global globals[] = {
    { "numpy.core.multiarray", "_reconstruct", RECONSTRUCT },
    { "numpy._core.multiarray", "_reconstruct", RECONSTRUCT },
    { "numpy.core.numeric", "_frombuffer", FROM_BUFFER },
    { "numpy._core.numeric", "_frombuffer", FROM_BUFFER },
    { "numpy", "ndarray", NDARRAY },
    { "numpy", "dtype", DTYPE },
    { "_codecs", "encode", ENCODE },
    { "__builtin__", "bytes", NO_BYTES },
    { "builtins", "tuple", TUPLE },
    { "__builtin__", "tuple", TUPLE },
    { "collections", "OrderedDict", FV_PICKLE_MAKES_DICT },
    { NULL, NULL, 0 },
};

/* Where the elements of an array are. */
typedef struct array {
    const unsigned char *data;
    size_t size;        /* bytes in the file */
    bool as_characters; /* each byte is a character of UTF-8 */
    bool big_endian, fortran;
} array;

enum { BUFFER_BYTES = 64 << 10 };
static const size_t MAX_BYTES = (size_t)4 << 30;

static fv_status bad(const fv_tensors *file, const char *name, const char *what, fv_error *err)
{
    return fv_fail(err, FV_ERR_FORMAT, "%s: tensor \"%.150s\": %s", file->path, name, what);
}

/* ---- Reading the elements ---- */

/* The byte that the character at *at stands for, which is passed; -1: it stands for none. */
static int take_character(const unsigned char **at, const unsigned char *end)
{
    const unsigned char *p = *at;
    if (p < end && *p < 0x80) {
        *at = p + 1;
        return *p;
    }
    if (end - p < 2 || (p[0] != 0xc2 && p[0] != 0xc3) || (p[1] & 0xc0) != 0x80) return -1;
    *at = p + 2;
    return (p[0] & 3) << 6 | (p[1] & 0x3f);
}

/* How many bytes the characters stand for; SIZE_MAX: one of them for none. */
static size_t count_characters(const array *a)
{
    size_t count = 0;
    for (const unsigned char *at = a->data, *end = a->data + a->size; at < end; count++)
        if (take_character(&at, end) < 0) return SIZE_MAX;
    return count;
}

/* In the order of the file. */
static void read_elements(const fv_tensor_entry *entry, float *out)
{
    const array *a = entry->detail;
    const unsigned char *at = a->data, *const end = a->data + a->size;
    const size_t size = fv_element_bytes(entry->type), per_buffer = BUFFER_BYTES / size;
    unsigned char buffer[BUFFER_BYTES];
    if (!a->as_characters) {
        fv_elements_convert(entry->type, a->big_endian, a->data, entry->info.count, out);
        return;
    }
    for (size_t done = 0; done < entry->info.count;) {
        const size_t left = entry->info.count - done, n = left < per_buffer ? left : per_buffer;
        for (size_t i = 0; i < n * size; i++) buffer[i] = (unsigned char)take_character(&at, end);
        fv_elements_convert(entry->type, a->big_endian, buffer, n, out + done);
        done += n;
    }
}

static fv_status read_tensor(fv_tensors *file, const fv_tensor_entry *entry, float *out,
                             fv_error *err)
{
    const array *a = entry->detail;
    const fv_tensor_info *info = &entry->info;
    if (!a->fortran || info->rank < 2) {
        read_elements(entry, out);
        return FV_OK;
    }
    float *columns = fv_alloc(info->count * sizeof(float));
    if (!columns) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    read_elements(entry, columns);
    int64_t strides[FV_TENSOR_MAX_RANK] = { 1 };
    for (int d = 1; d < info->rank; d++) strides[d] = strides[d - 1] * info->dims[d - 1];
    fv_elements_gather(columns, info->rank, info->dims, strides, out);
    fv_free(columns);
    return FV_OK;
}

/* ---- Understanding an array ---- */

/* dtype("f4", False, True), with the state (3, "<", ...). */
static bool read_dtype(const fv_pickle_value *dtype, fv_element *type, bool *big_endian)
{
    /* NumPy has no bfloat16: PaddlePaddle stores it as u2, and has no other use for that. */
    static const struct {
        const char *name;
        fv_element type;
    } types[] = {
        { "f8", FV_F64 }, { "f4", FV_F32 },     { "f2", FV_F16 }, { "u2", FV_BF16 },
        { "i8", FV_I64 }, { "i4", FV_I32 },     { "i2", FV_I16 }, { "i1", FV_I8 },
        { "u1", FV_U8 },  { "b1", FV_BOOLEAN },
    };
    if (!fv_pickle_is_object(dtype, DTYPE)) return false;
    const fv_pickle_value *order = fv_pickle_at(fv_pickle_state(dtype), 1);
    *big_endian = fv_pickle_says(order, ">");
    if (!*big_endian && !fv_pickle_says(order, "<") && !fv_pickle_says(order, "|") &&
        !fv_pickle_says(order, "="))
        return false;
    for (size_t i = 0; i < FV_ARRAY_LEN(types); i++)
        if (fv_pickle_says(fv_pickle_at(dtype, 0), types[i].name)) {
            *type = types[i].type;
            return true;
        }
    return false;
}

static bool read_shape(const fv_pickle_value *shape, fv_tensor_info *info)
{
    if (!fv_pickle_is(shape, FV_PICKLE_TUPLE) || shape->count > FV_TENSOR_MAX_RANK) return false;
    info->rank = shape->count;
    for (int d = 0; d < info->rank; d++) {
        const fv_pickle_value *dim = fv_pickle_at(shape, d);
        if (!fv_pickle_is(dim, FV_PICKLE_INT) || dim->integer < 0) return false;
        info->dims[d] = dim->integer;
    }
    return fv_tensor_elements(info->rank, info->dims, &info->count);
}

/* Bytes, encode(text, "latin1"), or bytes() for none at all. */
static bool read_data(const fv_pickle_value *data, array *a)
{
    if (fv_pickle_is_object(data, NO_BYTES)) return !fv_pickle_at(data, 0);
    a->as_characters = fv_pickle_is_object(data, ENCODE);
    if (a->as_characters && !fv_pickle_says(fv_pickle_at(data, 1), "latin1")) return false;
    if (a->as_characters) data = fv_pickle_at(data, 0);
    if (!fv_pickle_is(data, a->as_characters ? FV_PICKLE_TEXT : FV_PICKLE_BYTES)) return false;
    a->data = data->bytes.data;
    a->size = data->bytes.size;
    return true;
}

/* The parts of an array, from wherever its way of being written has them. */
typedef struct parts {
    const fv_pickle_value *shape, *dtype, *data;
    bool fortran;
} parts;

/* _reconstruct(ndarray, (0,), b"b") with the state (1, shape, dtype, fortran, data), or
 * _frombuffer(data, dtype, shape, "C" or "F"). */
static bool find_parts(const fv_pickle_value *v, parts *p)
{
    if (fv_pickle_is_object(v, RECONSTRUCT)) {
        const fv_pickle_value *s = fv_pickle_state(v), *order = fv_pickle_at(s, 3);
        *p = (parts){ fv_pickle_at(s, 1), fv_pickle_at(s, 2), fv_pickle_at(s, 4),
                      fv_pickle_is(order, FV_PICKLE_BOOL) && order->integer };
        return true;
    }
    *p = (parts){ fv_pickle_at(v, 2), fv_pickle_at(v, 1), fv_pickle_at(v, 0),
                  fv_pickle_says(fv_pickle_at(v, 3), "F") };
    return fv_pickle_is_object(v, FROM_BUFFER);
}

/* Outside of a state_dict, PaddlePaddle writes tuple((name, array)); older files hold the tuple. */
static const fv_pickle_value *unwrap(const fv_pickle_value *v)
{
    if (fv_pickle_is_object(v, TUPLE)) v = fv_pickle_at(v, 0);
    if (fv_pickle_is(v, FV_PICKLE_TUPLE) && v->count == 2) return fv_pickle_at(v, 1);
    return v;
}

static fv_status read_entry(fv_tensors *file, fv_tensor_entry *entry, const fv_pickle_value *v,
                            fv_error *err)
{
    const char *name = entry->info.name;
    parts p;
    array *a = fv_arena_alloc(&file->arena, sizeof(*a));
    if (!a) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    if (!find_parts(unwrap(v), &p))
        return bad(file, name, "not an array: only the parameters of a model are read", err);
    if (!read_shape(p.shape, &entry->info)) return bad(file, name, "its shape is not valid", err);
    if (!read_dtype(p.dtype, &entry->type, &a->big_endian))
        return bad(file, name,
                   "its dtype is not read; known are f8 f4 f2 u2 (for bfloat16) i8 i4 i2 i1 u1 b1",
                   err);
    if (!read_data(p.data, a)) return bad(file, name, "its elements are missing", err);
    const size_t bytes = a->as_characters ? count_characters(a) : a->size;
    if (bytes == SIZE_MAX) return bad(file, name, "its elements are not bytes in latin1", err);
    if (bytes != entry->info.count * fv_element_bytes(entry->type))
        return bad(file, name, "its shape does not fit the number of its bytes", err);
    a->fortran = p.fortran;
    entry->detail = a;
    return FV_OK;
}

/* ---- Opening ---- */

static fv_status read_entries(fv_tensors *file, const fv_pickle_value *dict, fv_error *err)
{
    if (!fv_pickle_is(dict, FV_PICKLE_DICT))
        return fv_fail(err, FV_ERR_FORMAT, "%s: a pickle of something else than a dict of arrays",
                       file->path);
    if (fv_pickle_get(dict, "UnpackBigParamInfor@@"))
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: parameters in several slices are not read: save with protocol 4",
                       file->path);
    file->entries = fv_arena_alloc(&file->arena, (size_t)dict->count * sizeof(*file->entries));
    if (!file->entries) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    for (int i = 0; i < dict->count; i += 2) {
        if (fv_pickle_says(dict->items[i], "StructuredToParameterName@@")) continue;
        fv_tensor_entry *entry = &file->entries[file->count];
        FV_TRY(fv_tensors_take_name(file, dict->items[i], 0, &entry->info.name, err));
        FV_TRY(read_entry(file, entry, dict->items[i + 1], err));
        file->count++;
    }
    return FV_OK;
}

fv_status fv_pdparams_open(fv_tensors *file, fv_error *err)
{
    char *data = NULL;
    size_t size = 0;
    fv_pickle_value *dict = NULL;
    fv_arena arena; /* of the pickle's values: the entries do without them */
    FV_TRY(fv_file_read(file->path, MAX_BYTES, &data, &size, err));
    file->held = data;
    file->release = fv_free;
    file->read = read_tensor;
    fv_arena_init(&arena);
    fv_status status =
        fv_pickle_read(&dict, &arena, file->path, (const unsigned char *)data, size, globals, err);
    if (status == FV_OK) status = read_entries(file, dict, err);
    fv_arena_deinit(&arena);
    return status;
}
