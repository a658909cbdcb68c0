/* SPDX-License-Identifier: Apache-2.0 */
/* PyTorch's .pth since 1.6: a zip archive with "<stem>/data.pkl", a pickle in which tensors are
 * views of storages, and "<stem>/data/<key>", the storages. Nothing in it is compressed, so that no
 * member is larger than the file. */
#include "base/log.h"
#include "io/pickle.h"
#include "io/tensors_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>

enum {
    MAX_MEMBERS = 1 << 20,
    MAX_PICKLE = 64 << 20, /* bytes */
    MAX_MEMBER_NAME = 400,
    BUFFER_BYTES = 64 << 10
};

/* Ids of globals: the types of storages are those of elements. */
enum { REBUILD_TENSOR = FV_ELEMENT_COUNT, REBUILD_PARAMETER };

static const fv_pickle_global globals[] = {
    { "collections", "OrderedDict", FV_PICKLE_MAKES_DICT },
    { "torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR },
    { "torch._utils", "_rebuild_tensor", REBUILD_TENSOR },
    { "torch._utils", "_rebuild_parameter", REBUILD_PARAMETER },
    { "torch", "DoubleStorage", FV_F64 },
    { "torch", "FloatStorage", FV_F32 },
    { "torch", "HalfStorage", FV_F16 },
    { "torch", "BFloat16Storage", FV_BF16 },
    { "torch", "LongStorage", FV_I64 },
    { "torch", "IntStorage", FV_I32 },
    { "torch", "ShortStorage", FV_I16 },
    { "torch", "CharStorage", FV_I8 },
    { "torch", "ByteStorage", FV_U8 },
    { "torch", "BoolStorage", FV_BOOLEAN },
    { NULL, NULL, 0 },
};

/* A view of a storage. */
typedef struct view {
    zip_uint64_t member;
    int64_t offset, strides[FV_TENSOR_MAX_RANK], span; /* elements; span: from first to last */
} view;

typedef struct archive {
    fv_tensors *file;
    zip_t *zip;
    char stem[MAX_MEMBER_NAME]; /* with the slash behind it */
    fv_error *err;
} archive;

static fv_status bad(const archive *a, const char *name, const char *what)
{
    return fv_fail(a->err, FV_ERR_FORMAT, "%s: tensor \"%.150s\": %s", a->file->path, name, what);
}

/* ---- Reading the elements ---- */

static bool is_dense(const fv_tensor_info *info, const view *v)
{
    int64_t expected = 1;
    for (int d = info->rank - 1; d >= 0; d--) {
        if (info->dims[d] != 1 && v->strides[d] != expected) return false;
        expected *= info->dims[d];
    }
    return true;
}

static bool read_exactly(zip_file_t *member, unsigned char *out, size_t bytes)
{
    while (bytes > 0) {
        const zip_int64_t n = zip_fread(member, out, bytes);
        if (n <= 0) return false;
        out += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* The span of a view as floats, and where that is the whole member, its checksum. */
static bool read_span(zip_file_t *member, const fv_tensor_entry *entry, float *out)
{
    const view *v = entry->detail;
    const size_t size = fv_element_bytes(entry->type), per_buffer = BUFFER_BYTES / size;
    unsigned char buffer[BUFFER_BYTES];
    if (v->offset && zip_fseek(member, v->offset * (zip_int64_t)size, SEEK_SET) != 0) return false;
    for (int64_t done = 0; done < v->span;) {
        const size_t left = (size_t)(v->span - done), n = left < per_buffer ? left : per_buffer;
        if (!read_exactly(member, buffer, n * size)) return false;
        fv_elements_convert(entry->type, false, buffer, n, out + done);
        done += (int64_t)n;
    }
    return zip_fread(member, buffer, 1) >= 0;
}

static fv_status read_member(fv_tensors *file, const fv_tensor_entry *entry, float *out,
                             fv_error *err)
{
    const view *v = entry->detail;
    zip_file_t *member = zip_fopen_index(file->held, v->member, 0);
    const bool good = member && read_span(member, entry, out);
    if (member) zip_fclose(member);
    if (good) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: cannot read tensor \"%.150s\": damaged or cut", file->path,
                   entry->info.name);
}

static fv_status read_tensor(fv_tensors *file, const fv_tensor_entry *entry, float *out,
                             fv_error *err)
{
    const view *v = entry->detail;
    const fv_tensor_info *info = &entry->info;
    if (info->count == 0) return FV_OK;
    if (is_dense(info, v)) return read_member(file, entry, out, err);
    float *span = fv_alloc((size_t)v->span * sizeof(float));
    if (!span) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    const fv_status status = read_member(file, entry, span, err);
    if (status == FV_OK) fv_elements_gather(span, info->rank, info->dims, v->strides, out);
    fv_free(span);
    return status;
}

/* ---- Understanding a tensor ---- */

/* A member that is stored as it is, of at least `bytes`. */
static bool find_member(const archive *a, const char *name, uint64_t bytes, zip_stat_t *stat)
{
    const zip_uint64_t wanted =
        ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_init(stat);
    if (zip_stat(a->zip, name, 0, stat) != 0 || (stat->valid & wanted) != wanted) return false;
    return stat->comp_method == ZIP_CM_STORE && stat->encryption_method == ZIP_EM_NONE &&
           stat->size >= bytes;
}

/* ("storage", torch.FloatStorage, key, device, elements). */
static fv_status read_storage(const archive *a, fv_tensor_entry *entry, const fv_pickle_value *v,
                              view *out, int64_t *elements)
{
    const fv_pickle_value *id = fv_pickle_is(v, FV_PICKLE_OUTSIDE) ? v->items[0] : NULL;
    const fv_pickle_value *type = fv_pickle_at(id, 1), *key = fv_pickle_at(id, 2),
                          *count = fv_pickle_at(id, 4);
    char name[2 * MAX_MEMBER_NAME];
    zip_stat_t stat;
    if (!fv_pickle_says(fv_pickle_at(id, 0), "storage") || !fv_pickle_is(type, FV_PICKLE_GLOBAL) ||
        type->id < 0 || type->id >= FV_ELEMENT_COUNT || !fv_pickle_is(key, FV_PICKLE_TEXT) ||
        !fv_pickle_is(count, FV_PICKLE_INT) || key->bytes.size > 100)
        return bad(a, entry->info.name, "its storage is not valid");
    entry->type = (fv_element)type->id;
    *elements = count->integer;
    if (*elements < 0 || *elements > INT64_MAX / 8)
        return bad(a, entry->info.name, "its storage is not valid");
    snprintf(name, sizeof(name), "%sdata/%.*s", a->stem, (int)key->bytes.size,
             (const char *)key->bytes.data);
    if (!find_member(a, name, (uint64_t)*elements * fv_element_bytes(entry->type), &stat))
        return bad(a, entry->info.name,
                   "its storage is missing, too small, compressed or encrypted");
    out->member = stat.index;
    return FV_OK;
}

/* A number of a shape or of strides. */
static bool read_size(const fv_pickle_value *list, int i, int64_t *out)
{
    const fv_pickle_value *v = fv_pickle_at(list, i);
    if (!fv_pickle_is(v, FV_PICKLE_INT) || v->integer < 0) return false;
    *out = v->integer;
    return true;
}

/* Shape and strides, and that the view lies within its storage, no element twice. */
static bool read_view(const fv_pickle_value *shape, const fv_pickle_value *strides,
                      int64_t elements, fv_tensor_info *info, view *v)
{
    if (!fv_pickle_is(shape, FV_PICKLE_TUPLE) || !fv_pickle_is(strides, FV_PICKLE_TUPLE) ||
        shape->count != strides->count || shape->count > FV_TENSOR_MAX_RANK)
        return false;
    info->rank = shape->count;
    for (int d = 0; d < info->rank; d++)
        if (!read_size(shape, d, &info->dims[d]) || !read_size(strides, d, &v->strides[d]))
            return false;
    if (!fv_tensor_elements(info->rank, info->dims, &info->count)) return false;
    if (info->count == 0) return true;
    if (info->count > (uint64_t)elements || v->offset >= elements) return false;
    v->span = 1;
    for (int d = 0; d < info->rank; d++) {
        const int64_t steps = info->dims[d] - 1, left = elements - v->offset - v->span;
        if (steps > 0 && v->strides[d] > left / steps) return false;
        v->span += steps * v->strides[d];
    }
    return true;
}

/* _rebuild_tensor_v2(storage, offset, shape, strides, ...), within _rebuild_parameter(...) or
 * not. */
static const fv_pickle_value *tensor_of(const fv_pickle_value *v)
{
    if (fv_pickle_is_object(v, REBUILD_PARAMETER)) v = fv_pickle_at(v, 0);
    return fv_pickle_is_object(v, REBUILD_TENSOR) ? v : NULL;
}

static fv_status read_entry(const archive *a, fv_tensor_entry *entry, const fv_pickle_value *tensor)
{
    int64_t elements = 0;
    view *v = fv_arena_alloc(&a->file->arena, sizeof(*v));
    if (!v) return fv_fail(a->err, FV_ERR_NOMEM, "%s: out of memory", a->file->path);
    FV_TRY(read_storage(a, entry, fv_pickle_at(tensor, 0), v, &elements));
    if (!read_size(tensor, 1, &v->offset) ||
        !read_view(fv_pickle_at(tensor, 2), fv_pickle_at(tensor, 3), elements, &entry->info, v))
        return bad(a, entry->info.name, "its shape or its strides do not fit its storage");
    entry->detail = v;
    return FV_OK;
}

/* ---- Finding the tensors ---- */

static int count_tensors(const fv_pickle_value *dict)
{
    int count = 0;
    for (int i = 0; fv_pickle_is(dict, FV_PICKLE_DICT) && i < dict->count; i += 2)
        count += tensor_of(dict->items[i + 1]) != NULL;
    return count;
}

/* The dict that holds the tensors: the outermost, or the first of these that is within it. */
static fv_status find_state(const archive *a, const fv_pickle_value *top,
                            const fv_pickle_value **out)
{
    static const char *const keys[] = { "state_dict_ema", "model_ema",
                                        "ema_state_dict", "ema",
                                        "state_dict",     "model_state_dict",
                                        "model",          "net" };
    int found = 0;
    *out = count_tensors(top) ? top : NULL;
    for (size_t i = 0; *out != top && i < FV_ARRAY_LEN(keys); i++) {
        const fv_pickle_value *dict = fv_pickle_get(top, keys[i]);
        if (!count_tensors(dict) || found++) continue;
        *out = dict;
        fv_log(FV_LOG_NOTICE, "%s: the weights are those of \"%s\"", a->file->path, keys[i]);
    }
    if (*out) return FV_OK;
    return fv_fail(a->err, FV_ERR_FORMAT,
                   "%s: no state_dict: neither a dict of tensors, nor one with it as "
                   "\"state_dict\", \"model\" or \"ema\"",
                   a->file->path);
}

/* Wrappers put their name before all others: "module.conv1.weight". */
static size_t wrapper_length(const fv_pickle_value *dict, const char *wrapper)
{
    const size_t length = strlen(wrapper);
    for (int i = 0; i < dict->count; i += 2) {
        const fv_pickle_value *key = dict->items[i];
        if (!tensor_of(dict->items[i + 1])) continue;
        if (!fv_pickle_is(key, FV_PICKLE_TEXT) || key->bytes.size <= length ||
            memcmp(key->bytes.data, wrapper, length) != 0)
            return 0;
    }
    return length;
}

static fv_status read_entries(const archive *a, const fv_pickle_value *dict)
{
    fv_tensors *file = a->file;
    size_t skip = wrapper_length(dict, "module.");
    if (!skip) skip = wrapper_length(dict, "_orig_mod.");
    file->entries =
        fv_arena_alloc(&file->arena, (size_t)count_tensors(dict) * sizeof(*file->entries));
    if (!file->entries) return fv_fail(a->err, FV_ERR_NOMEM, "%s: out of memory", file->path);
    for (int i = 0; i < dict->count; i += 2) {
        const fv_pickle_value *tensor = tensor_of(dict->items[i + 1]);
        if (!tensor) continue;
        fv_tensor_entry *entry = &file->entries[file->count];
        FV_TRY(fv_tensors_take_name(file, dict->items[i], skip, &entry->info.name, a->err));
        FV_TRY(read_entry(a, entry, tensor));
        file->count++;
    }
    return FV_OK;
}

/* ---- Opening ---- */

static fv_status find_stem(archive *a)
{
    static const char pickle[] = "data.pkl";
    const zip_int64_t members = zip_get_num_entries(a->zip, 0);
    for (zip_int64_t i = 0; i < members && i < MAX_MEMBERS; i++) {
        const char *name = zip_get_name(a->zip, (zip_uint64_t)i, 0);
        const size_t length = name ? strlen(name) : 0, end = sizeof(pickle) - 1;
        if (length < end || length >= sizeof(a->stem) || strcmp(name + length - end, pickle) != 0)
            continue;
        if (length > end && name[length - end - 1] != '/') continue;
        memcpy(a->stem, name, length - end);
        a->stem[length - end] = '\0';
        return FV_OK;
    }
    return fv_fail(a->err, FV_ERR_FORMAT,
                   "%s: a zip archive without a data.pkl: not a file of PyTorch's weights",
                   a->file->path);
}

/* A small member as a whole, freed by the caller with fv_free(). */
static fv_status read_small(const archive *a, const char *what, unsigned char **out, size_t *size)
{
    char name[2 * MAX_MEMBER_NAME];
    zip_stat_t stat;
    snprintf(name, sizeof(name), "%s%s", a->stem, what);
    if (!find_member(a, name, 0, &stat) || stat.size > MAX_PICKLE)
        return fv_fail(a->err, FV_ERR_FORMAT, "%s: %s is missing, compressed or above %d bytes",
                       a->file->path, what, MAX_PICKLE);
    unsigned char *bytes = fv_alloc((size_t)stat.size + 1);
    if (!bytes) return fv_fail(a->err, FV_ERR_NOMEM, "%s: out of memory", a->file->path);
    zip_file_t *member = zip_fopen_index(a->zip, stat.index, 0);
    unsigned char more;
    const bool good = member && read_exactly(member, bytes, (size_t)stat.size) &&
                      zip_fread(member, &more, 1) == 0;
    if (member) zip_fclose(member);
    *out = bytes;
    *size = (size_t)stat.size;
    if (good) return FV_OK;
    fv_free(bytes);
    return fv_fail(a->err, FV_ERR_IO, "%s: cannot read its %s: damaged or cut", a->file->path,
                   what);
}

static fv_status check_byte_order(const archive *a)
{
    char name[2 * MAX_MEMBER_NAME];
    unsigned char *text = NULL;
    size_t size = 0;
    snprintf(name, sizeof(name), "%sbyteorder", a->stem);
    if (zip_name_locate(a->zip, name, 0) < 0) return FV_OK; /* older files: as on x86 */
    FV_TRY(read_small(a, "byteorder", &text, &size));
    const bool little = strcmp((const char *)text, "little") == 0;
    fv_free(text);
    if (little) return FV_OK;
    return fv_fail(a->err, FV_ERR_FORMAT, "%s: from a big-endian machine, which is not read",
                   a->file->path);
}

static fv_status read_pickle(const archive *a)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    fv_pickle_value *top = NULL;
    const fv_pickle_value *state = NULL;
    fv_arena arena; /* of the pickle's values: the entries do without them */
    FV_TRY(read_small(a, "data.pkl", &bytes, &size));
    fv_arena_init(&arena);
    fv_status status = fv_pickle_read(&top, &arena, a->file->path, bytes, size, globals, a->err);
    if (status == FV_OK) status = find_state(a, top, &state);
    if (status == FV_OK) status = read_entries(a, state);
    fv_arena_deinit(&arena);
    fv_free(bytes);
    return status;
}

static void release(void *zip) { zip_discard(zip); }

fv_status fv_pth_open(fv_tensors *file, fv_error *err)
{
    archive a = { .file = file, .zip = zip_open(file->path, ZIP_RDONLY, NULL), .err = err };
    if (!a.zip)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: begins like a zip archive, such as a .pth, but cannot be read: damaged "
                       "or cut",
                       file->path);
    file->held = a.zip;
    file->release = release;
    file->read = read_tensor;
    file->of_torch = true;
    FV_TRY(find_stem(&a));
    FV_TRY(check_byte_order(&a));
    return read_pickle(&a);
}
