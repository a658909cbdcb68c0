/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures are written past HDF5, at the place where the array will be: how long it becomes is
 * known at the end only, and a disk that fills up is something the library does not get over (it
 * keeps the file and tries again when the process ends). When it is called at last to describe
 * what is there, the room it needs has been set aside. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/packed_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static fv_status cannot_write(const fv_pack_writer *w, int why, fv_error *err)
{
    return fv_fail(err, FV_ERR_IO, "%.400s: cannot write: %s", w->path, strerror(why));
}

/* ---- Creating ---- */

hid_t fv_pack_access(void)
{
    H5open(); /* first, since it would switch the printing on again */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_alignment(access, FV_PACK_LEAST, FV_PACK_BEGIN);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERS_MINOR == 10 && H5_VERS_RELEASE >= 7)
    H5Pset_file_locking(access, false, true); /* some network disks know no locks */
#endif
    return access;
}

/* An empty HDF5 file, open for our own writing. */
static fv_status create_file(fv_pack_writer *w, fv_error *err)
{
    FV_TRY(fv_file_temporary(w->path, w->temporary, sizeof(w->temporary), err));
    w->fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd < 0) return cannot_write(w, errno, err);
    const hid_t access = fv_pack_access(), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(creation, 0);
    const hid_t file = H5Fcreate(w->temporary, H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
    if (file >= 0 && H5Fclose(file) >= 0) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%.400s: cannot write: the disk is full, or memory is out",
                   w->path);
}

static fv_status make_index(fv_pack_writer *w, const fv_dataset *dataset, fv_error *err)
{
    const size_t count = (size_t)fv_dataset_count(dataset);
    size_t names = 0;
    for (size_t i = 0; i < count; i++) names += strlen(fv_dataset_name(dataset, (int64_t)i)) + 1;
    w->offsets = fv_alloc((count + 1) * sizeof(*w->offsets));
    w->labels = fv_alloc(count * sizeof(*w->labels));
    w->checks = fv_alloc(count * sizeof(*w->checks));
    w->names = fv_alloc(names);
    if (w->offsets && w->labels && w->checks && w->names) return FV_OK;
    return fv_fail(err, FV_ERR_NOMEM, "%.400s: out of memory for the index of %zu pictures",
                   w->path, count);
}

fv_status fv_pack_writer_create(fv_pack_writer **out, const fv_dataset *dataset, const char *path,
                                fv_error *err)
{
    if (strlen(path) >= sizeof((*out)->path))
        return fv_fail(err, FV_ERR_IO, "%.200s...: cannot write: the path is too long", path);
    fv_pack_writer *w = fv_alloc(sizeof(*w));
    if (!w) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    memcpy(w->path, path, strlen(path) + 1);
    w->fd = -1;
    fv_crc32_init(&w->crc32);
    fv_status status = make_index(w, dataset, err);
    if (status == FV_OK) status = create_file(w, err);
    if (status != FV_OK) {
        fv_pack_writer_destroy(w);
        return status;
    }
    *out = w;
    return FV_OK;
}

void fv_pack_writer_destroy(fv_pack_writer *w)
{
    if (!w) return;
    if (w->fd >= 0) {
        close(w->fd);
        fv_file_discard(w->temporary);
    }
    fv_free(w->offsets);
    fv_free(w->labels);
    fv_free(w->checks);
    fv_free(w->names);
    fv_free(w);
}

/* ---- Pictures ---- */

fv_status fv_pack_writer_add(fv_pack_writer *w, const char *name, int label, const void *bytes,
                             size_t size, fv_error *err)
{
    const char *from = bytes;
    const int64_t begin = FV_PACK_BEGIN + w->offsets[w->count];
    for (size_t done = 0; done < size;) {
        const ssize_t n = pwrite(w->fd, from + done, size - done, (off_t)begin + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cannot_write(w, errno, err);
        done += (size_t)n;
    }
    while (*name == '/') name++; /* within the file it is relative */
    const size_t length = strlen(name) + 1;
    memcpy(w->names + w->names_bytes, name, length);
    w->names_bytes += length;
    w->labels[w->count] = label;
    w->checks[w->count] = fv_crc32_add(&w->crc32, 0, bytes, size);
    w->count++;
    w->offsets[w->count] = w->offsets[w->count - 1] + (int64_t)size;
    return FV_OK;
}

/* ---- Completing ---- */

/* An array whose place is taken at once; `data` may be NULL: it is there already. */
static bool put_array(hid_t file, const char *name, hid_t stored, hid_t given, size_t count,
                      const void *data, haddr_t *place)
{
    const hsize_t dims = count;
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, 0);
    H5Pset_layout(creation, H5D_CONTIGUOUS);
    H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    const hid_t space = H5Screate_simple(1, &dims, NULL);
    const hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    bool fine = set >= 0;
    if (fine && data) fine = H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (fine && place) *place = H5Dget_offset(set);
    if (set >= 0) fine = H5Dclose(set) >= 0 && fine;
    H5Sclose(space);
    H5Pclose(creation);
    return fine;
}

static bool put_number(hid_t file, const char *name, int64_t value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(file, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool fine = attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &value) >= 0;
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    return fine;
}

/* An array beside the pictures, which counts for the check of the index. */
typedef struct array {
    const char *name;
    hid_t stored, given;
    const void *data;
    size_t count, bytes;
} array;

static bool describe(const fv_pack_writer *w, hid_t file, const array *arrays, int classes)
{
    const size_t bytes = (size_t)w->offsets[w->count];
    const size_t pictures = bytes < FV_PACK_LEAST ? FV_PACK_LEAST : bytes;
    haddr_t place = HADDR_UNDEF;
    bool fine =
        put_array(file, FV_PACK_PICTURES, H5T_STD_U8LE, H5T_NATIVE_UINT8, pictures, NULL, &place) &&
        place == FV_PACK_BEGIN;
    uint32_t check = 0;
    for (const array *a = arrays; a->name && fine; a++) {
        check = fv_crc32_add(&w->crc32, check, a->data, a->bytes);
        if (a->count) fine = put_array(file, a->name, a->stored, a->given, a->count, a->data, NULL);
    }
    return fine && put_number(file, FV_PACK_VERSION, 1) &&
           put_number(file, FV_PACK_CLASSES, classes) &&
           put_number(file, FV_PACK_INDEX_CHECK, check);
}

/* Names of all classes, each with its zero; *bytes is 0 where none is known. */
static fv_status join_classes(const fv_dataset *d, char **out, size_t *bytes, fv_error *err)
{
    size_t length = 0, used = 0;
    bool named = false;
    for (int i = 0; i < fv_dataset_classes(d); i++) {
        const char *name = fv_dataset_class_name(d, i);
        length += name ? strlen(name) + 1 : 1;
        named = named || name;
    }
    *bytes = named ? length : 0;
    *out = fv_alloc(*bytes);
    if (!*out) return fv_fail(err, FV_ERR_NOMEM, "pack: out of memory for the names of classes");
    for (int i = 0; named && i < fv_dataset_classes(d); i++) {
        const char *name = fv_dataset_class_name(d, i);
        if (name) memcpy(*out + used, name, strlen(name));
        used += name ? strlen(name) + 1 : 1;
    }
    return FV_OK;
}

/* Room for all arrays, each of which may begin at a multiple of FV_PACK_BEGIN, and for HDF5's own
 * tables. What is too much is cut off when the file is closed. */
static fv_status set_aside(const fv_pack_writer *w, const array *arrays, fv_error *err)
{
    enum { TABLES = 2 * FV_PACK_BEGIN };
    off_t bytes = FV_PACK_LEAST + TABLES;
    for (const array *a = arrays; a->name; a++) bytes += (off_t)a->bytes + FV_PACK_BEGIN;
    const off_t end = FV_PACK_BEGIN + (off_t)w->offsets[w->count];
    const int why = posix_fallocate(w->fd, end, bytes);
    return why ? cannot_write(w, why, err) : FV_OK;
}

fv_status fv_pack_writer_commit(fv_pack_writer *w, const fv_dataset *dataset, fv_error *err)
{
    const size_t count = (size_t)w->count;
    char *classes = NULL;
    size_t class_bytes = 0;
    FV_TRY(join_classes(dataset, &classes, &class_bytes, err));
    const array arrays[] = {
        { FV_PACK_OFFSETS, H5T_STD_I64LE, H5T_NATIVE_INT64, w->offsets, count + 1,
          (count + 1) * sizeof(*w->offsets) },
        { FV_PACK_LABELS, H5T_STD_I32LE, H5T_NATIVE_INT32, w->labels, count,
          count * sizeof(*w->labels) },
        { FV_PACK_CHECKS, H5T_STD_U32LE, H5T_NATIVE_UINT32, w->checks, count,
          count * sizeof(*w->checks) },
        { FV_PACK_NAMES, H5T_STD_U8LE, H5T_NATIVE_UINT8, w->names, w->names_bytes, w->names_bytes },
        { FV_PACK_CLASSES, H5T_STD_U8LE, H5T_NATIVE_UINT8, classes, class_bytes, class_bytes },
        { .name = NULL },
    };
    fv_status status = set_aside(w, arrays, err);
    if (status == FV_OK) {
        const hid_t access = fv_pack_access();
        const hid_t file = H5Fopen(w->temporary, H5F_ACC_RDWR, access);
        H5Pclose(access);
        bool fine = file >= 0 && describe(w, file, arrays, fv_dataset_classes(dataset));
        if (file >= 0) fine = H5Fclose(file) >= 0 && fine;
        if (!fine) status = fv_fail(err, FV_ERR_IO, "%.400s: hdf5 cannot complete it", w->path);
    }
    fv_free(classes);
    if (status != FV_OK) return status;
    close(w->fd);
    w->fd = -1; /* from here on committing removes it if it fails */
    return fv_file_commit(w->temporary, w->path, err);
}
