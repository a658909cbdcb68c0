/* SPDX-License-Identifier: Apache-2.0 */
/* Files of data/packed.h. HDF5 is asked where the arrays are, and for all but the pictures, which
 * are then read without it: it lets one thread in at a time. The file may have been made by
 * anyone. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/packed_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

typedef struct packed {
    const char *path;
    hid_t file;
    uint64_t bytes; /* of the file */
    int64_t *offsets;
    int32_t *labels;
    uint64_t begin, picture_bytes; /* of the array of pictures */
    int64_t classes;
    uint32_t check; /* of the arrays read so far */
} packed;

static fv_status damaged(const packed *p, const char *what, fv_error *err)
{
    return fv_fail(err, FV_ERR_FORMAT, "%.300s: %s: damaged, use another copy of the file", p->path,
                   what);
}

/* ---- Arrays ---- */

/* Opens what a hard link of this file leads to: nothing of another file. */
static hid_t open_array(const packed *p, const char *name)
{
    H5L_info_t link;
    if (H5Lexists(p->file, name, H5P_DEFAULT) <= 0) return -1;
    if (H5Lget_info(p->file, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) return -1;
    const hid_t set = H5Oopen(p->file, name, H5P_DEFAULT);
    if (set >= 0 && H5Iget_type(set) != H5I_DATASET) {
        H5Oclose(set);
        return -1;
    }
    return set;
}

static bool is_plain(hid_t set)
{
    const hid_t creation = H5Dget_create_plist(set);
    if (creation < 0) return false;
    const bool fine = H5Pget_layout(creation) == H5D_CONTIGUOUS &&
                      H5Pget_external_count(creation) == 0 && H5Pget_nfilters(creation) == 0;
    H5Pclose(creation);
    return fine;
}

/* Of one dimension and the given type, contiguous, wholly within the file. */
static bool measure(const packed *p, hid_t set, hid_t stored, size_t *count, uint64_t *begin)
{
    hsize_t dims = 0;
    const hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    bool fine = type >= 0 && space >= 0 && H5Tequal(type, stored) > 0 && is_plain(set) &&
                H5Sget_simple_extent_type(space) == H5S_SIMPLE &&
                H5Sget_simple_extent_ndims(space) == 1 &&
                H5Sget_simple_extent_dims(space, &dims, NULL) == 1;
    const size_t size = fine ? H5Tget_size(type) : 1;
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    const haddr_t place = H5Dget_offset(set);
    fine = fine && place != HADDR_UNDEF && place <= p->bytes && dims <= (p->bytes - place) / size &&
           H5Dget_storage_size(set) == dims * size;
    *count = (size_t)dims;
    *begin = place;
    return fine;
}

/* All elements, of `size` bytes in memory, in a block that the caller frees. */
static fv_status read_array(packed *p, const char *name, hid_t stored, hid_t wanted, size_t size,
                            void **out, size_t *count, fv_error *err)
{
    uint64_t begin;
    const hid_t set = open_array(p, name);
    if (set < 0) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: not a file of fovea pack: there is no \"%s\"",
                       p->path, name);
    }
    fv_status status = FV_OK;
    void *block = NULL;
    if (!measure(p, set, stored, count, &begin)) {
        status = damaged(p, name, err);
    } else if (!(block = fv_alloc(*count * size))) {
        status = fv_fail(err, FV_ERR_NOMEM, "%.300s: out of memory for \"%s\"", p->path, name);
    } else if (H5Dread(set, wanted, H5S_ALL, H5S_ALL, H5P_DEFAULT, block) < 0) {
        status = damaged(p, name, err);
        fv_free(block);
    }
    H5Dclose(set);
    if (status != FV_OK) return status;
    fv_crc32 crc32;
    fv_crc32_init(&crc32);
    p->check = fv_crc32_add(&crc32, p->check, block, *count * size);
    *out = block;
    return FV_OK;
}

static fv_status read_number(const packed *p, const char *name, int64_t *out, fv_error *err)
{
    const hid_t attribute = H5Aexists(p->file, name) > 0 ? H5Aopen(p->file, name, H5P_DEFAULT) : -1;
    if (attribute < 0) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: not a file of fovea pack: there is no \"%s\"",
                       p->path, name);
    }
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const bool fine = type >= 0 && space >= 0 && H5Tequal(type, H5T_STD_I64LE) > 0 &&
                      H5Sget_simple_extent_type(space) == H5S_SCALAR &&
                      H5Aread(attribute, H5T_NATIVE_INT64, out) >= 0;
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    H5Aclose(attribute);
    return fine ? FV_OK : damaged(p, name, err);
}

/* ---- The index ---- */

/* Exactly `count` strings of `text`, none of them longer than a path. */
static bool cut_text(const char *text, size_t bytes, size_t count, bool may_be_empty,
                     void (*take)(void *ctx, size_t i, size_t begin), void *ctx)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const char *end = at < bytes ? memchr(text + at, '\0', bytes - at) : NULL;
        const size_t length = end ? (size_t)(end - text) - at : 0;
        if (!end || length >= FV_DATASET_MAX_PATH || (!length && !may_be_empty)) return false;
        take(ctx, i, at);
        at += length + 1;
    }
    return at == bytes;
}

static void take_name(void *ctx, size_t i, size_t begin)
{
    fv_sample *samples = ctx;
    samples[i].name = (uint32_t)begin;
}

static fv_status read_names(fv_dataset *d, packed *p, fv_error *err)
{
    void *text = NULL;
    FV_TRY(read_array(p, FV_PACK_NAMES, H5T_STD_U8LE, H5T_NATIVE_UINT8, 1, &text, &d->text_bytes,
                      err));
    d->text = text;
    d->text_room = d->text_bytes;
    const bool fine =
        d->text_bytes <= UINT32_MAX &&
        cut_text(d->text, d->text_bytes, (size_t)d->count, false, take_name, d->samples);
    return fine ? FV_OK : damaged(p, FV_PACK_NAMES, err);
}

typedef struct class_taker {
    const char *text;
    uint32_t *names;
} class_taker;

static void take_class(void *ctx, size_t i, size_t begin)
{
    const class_taker *t = ctx;
    t->names[i] = t->text[begin] ? (uint32_t)begin : UINT32_MAX;
}

static fv_status read_classes(fv_dataset *d, packed *p, fv_error *err)
{
    void *text = NULL;
    if (H5Lexists(p->file, FV_PACK_CLASSES, H5P_DEFAULT) <= 0) return FV_OK;
    FV_TRY(read_array(p, FV_PACK_CLASSES, H5T_STD_U8LE, H5T_NATIVE_UINT8, 1, &text, &d->class_bytes,
                      err));
    d->class_text = text;
    d->class_room = d->class_bytes;
    d->class_names = fv_alloc((size_t)p->classes * sizeof(*d->class_names));
    if (!d->class_names) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    class_taker taker = { d->class_text, d->class_names };
    d->named = (int)p->classes;
    const bool fine =
        d->class_bytes < UINT32_MAX &&
        cut_text(d->class_text, d->class_bytes, (size_t)p->classes, true, take_class, &taker);
    return fine ? FV_OK : damaged(p, FV_PACK_CLASSES, err);
}

static fv_status read_pictures(packed *p, fv_error *err)
{
    size_t bytes = 0;
    const hid_t set = open_array(p, FV_PACK_PICTURES);
    const bool fine = set >= 0 && measure(p, set, H5T_STD_U8LE, &bytes, &p->begin);
    if (set >= 0) H5Dclose(set);
    p->picture_bytes = bytes;
    return fine ? FV_OK : damaged(p, FV_PACK_PICTURES, err);
}

/* Places and labels, each of which must be possible. */
static fv_status fill_samples(fv_dataset *d, const packed *p, fv_error *err)
{
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t from = p->offsets[i], to = p->offsets[i + 1];
        if (from < 0 || to < from || (uint64_t)to > p->picture_bytes) {
            return damaged(p, FV_PACK_OFFSETS, err);
        }
        if (p->labels[i] < 0 || p->labels[i] >= p->classes) {
            return damaged(p, FV_PACK_LABELS, err);
        }
        const uint64_t bytes = (uint64_t)(to - from);
        d->places[i] = (fv_place){ .offset = p->begin + (uint64_t)from,
                                   .bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX };
        d->samples[i].label = p->labels[i];
    }
    return FV_OK;
}

static fv_status read_arrays(fv_dataset *d, packed *p, fv_error *err)
{
    size_t offsets = 0, labels = 0, checks = 0;
    void *block = NULL;
    FV_TRY(read_array(p, FV_PACK_OFFSETS, H5T_STD_I64LE, H5T_NATIVE_INT64, sizeof(*p->offsets),
                      &block, &offsets, err));
    p->offsets = block;
    FV_TRY(read_array(p, FV_PACK_LABELS, H5T_STD_I32LE, H5T_NATIVE_INT32, sizeof(*p->labels),
                      &block, &labels, err));
    p->labels = block;
    FV_TRY(read_array(p, FV_PACK_CHECKS, H5T_STD_U32LE, H5T_NATIVE_UINT32, sizeof(*d->checks),
                      &block, &checks, err));
    d->checks = block;
    if (!labels || offsets != labels + 1) return damaged(p, FV_PACK_OFFSETS, err);
    if (checks != labels) return damaged(p, FV_PACK_CHECKS, err);
    d->samples = fv_alloc(labels * sizeof(*d->samples));
    d->places = fv_alloc(labels * sizeof(*d->places));
    if (!d->samples || !d->places) {
        return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory for %zu pictures", labels);
    }
    d->room = labels;
    d->count = (int64_t)labels;
    FV_TRY(read_names(d, p, err));
    return read_classes(d, p, err);
}

static fv_status read_index(fv_dataset *d, packed *p, const fv_dataset_options *o, fv_error *err)
{
    int64_t version, check;
    FV_TRY(read_number(p, FV_PACK_VERSION, &version, err));
    if (version != 1) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: packed by a newer fovea, as version %lld",
                       p->path, (long long)version);
    }
    FV_TRY(read_number(p, FV_PACK_CLASSES, &p->classes, err));
    FV_TRY(read_number(p, FV_PACK_INDEX_CHECK, &check, err));
    if (p->classes < 1 || p->classes > FV_DATASET_MAX_CLASSES) {
        return damaged(p, FV_PACK_CLASSES, err);
    }
    FV_TRY(read_pictures(p, err));
    FV_TRY(read_arrays(d, p, err));
    if (check != p->check) return damaged(p, "index", err);
    FV_TRY(fill_samples(d, p, err));
    d->classes = (int)p->classes;
    if (o->classes && d->classes > o->classes) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: packed with %d classes, but only %d are wanted",
                       p->path, d->classes, o->classes);
    }
    return FV_OK;
}

/* ---- The file ---- */

static fv_status open_file(packed *p, fv_error *err)
{
    struct stat info;
    if (stat(p->path, &info) != 0) {
        return fv_fail(err, FV_ERR_IO, "%.300s: cannot open: %s", p->path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return fv_fail(err, FV_ERR_IO, "%.300s: not a regular file", p->path);
    }
    p->bytes = (uint64_t)info.st_size;
    const hid_t access = fv_pack_access();
    p->file = H5Fopen(p->path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (p->file >= 0) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%.300s: not a file of fovea pack, or damaged", p->path);
}

fv_status fv_dataset_read_packed(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    packed p = { .path = o->list_path, .file = -1 };
    fv_status status = open_file(&p, err);
    if (status == FV_OK) status = read_index(d, &p, o, err);
    if (p.file >= 0) H5Fclose(p.file);
    fv_free(p.offsets);
    fv_free(p.labels);
    if (status != FV_OK) return status;
    fv_crc32_init(&d->crc32);
    return fv_dataset_add_container(d, o->list_path, err);
}
