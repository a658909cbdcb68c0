/* SPDX-License-Identifier: Apache-2.0 */
/* The file is put together in memory and written in one go: the library does not get over a disk
 * that fills up under it (it keeps the open file and tries again when the process ends). Times are
 * not stored, so that equal contents make equal files. */
#include "io/hdf5_impl.h"

#include "base/file.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, GROWTH = 4 << 20 /* bytes by which the image grows */ };

/* The file, in memory of ours. */
typedef struct image {
    char *bytes;
    size_t capacity;
} image;

struct fv_h5_writer {
    char path[PATH_BYTES];
    image image;
    hid_t file;
    hid_t group; /* the one last written to, or negative */
    char group_name[FV_H5_MAX_NAME];
};

/* ---- The image ---- */

/* HDF5 asks for memory through these. H5Fget_file_image() would be simpler, but leaves a wrong
 * checksum in the superblock (1.10.8). */
static void *image_realloc(void *old, size_t bytes, H5FD_file_image_op_t operation, void *udata)
{
    (void)old;
    (void)operation;
    image *m = udata;
    if (bytes <= m->capacity) return m->bytes;
    const size_t capacity = bytes > m->capacity * 2 ? bytes : m->capacity * 2;
    char *larger = fv_alloc(capacity);
    if (!larger) return NULL;
    if (m->bytes) memcpy(larger, m->bytes, m->capacity);
    fv_free(m->bytes);
    m->bytes = larger;
    m->capacity = capacity;
    return larger;
}

static void *image_malloc(size_t bytes, H5FD_file_image_op_t operation, void *udata)
{
    return image_realloc(NULL, bytes, operation, udata);
}

static void *image_memcpy(void *to, const void *from, size_t bytes, H5FD_file_image_op_t operation,
                          void *udata)
{
    (void)operation;
    (void)udata;
    return memcpy(to, from, bytes);
}

/* The bytes outlive the closed file: that is the point. */
static herr_t image_free(void *bytes, H5FD_file_image_op_t operation, void *udata)
{
    (void)bytes;
    (void)operation;
    (void)udata;
    return 0;
}

static void *same_udata(void *udata) { return udata; }

static herr_t keep_udata(void *udata)
{
    (void)udata;
    return 0;
}

/* The end of the file as the superblock gives it (format 3: at byte 28); 0 if that is absurd. */
static size_t image_bytes(const image *m)
{
    enum { END_OF_FILE = 28 };
    uint64_t end = 0;
    for (int i = 0; i < 8 && m->capacity > END_OF_FILE + 8; i++)
        end |= (uint64_t)(unsigned char)m->bytes[END_OF_FILE + i] << (8 * i);
    return end <= m->capacity ? (size_t)end : 0;
}

/* ---- Opening ---- */

static fv_status check_folder(const char *path, fv_error *err)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    if (fv_file_is_folder(path))
        return fv_fail(err, FV_ERR_IO, "%s: cannot write: it is a folder", path);
    if (access(folder, W_OK | X_OK) == 0) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: cannot write to its folder: %s", path, strerror(errno));
}

/* A file in memory with the newest of the formats that HDF5 1.10 reads. Negative: no memory. */
static hid_t create_file(const char *path, image *m)
{
    H5FD_file_image_callbacks_t memory = {
        image_malloc, image_memcpy, image_realloc, image_free, same_udata, keep_udata, m
    };
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, GROWTH, 0);
    H5Pset_file_image_callbacks(access, &memory);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_attr_phase_change(creation, 1024, 0); /* where a checksum protects them */
    H5Pset_obj_track_times(creation, 0);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
    return file;
}

fv_status fv_h5_create(fv_h5_writer **out, const char *path, fv_error *err)
{
    if (strlen(path) >= PATH_BYTES)
        return fv_fail(err, FV_ERR_IO, "%.200s...: cannot write: the path is too long", path);
    FV_TRY(check_folder(path, err));

    fv_h5_quiet();
    fv_h5_writer *w = fv_alloc(sizeof(*w));
    if (!w) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    memcpy(w->path, path, strlen(path) + 1);
    w->group = -1;
    w->file = create_file(path, &w->image);
    if (w->file < 0) {
        fv_free(w->image.bytes);
        fv_free(w);
        return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for an hdf5 file", path);
    }
    *out = w;
    return FV_OK;
}

static void close_group(fv_h5_writer *w)
{
    if (w->group >= 0) H5Gclose(w->group);
    w->group = -1;
}

void fv_h5_discard(fv_h5_writer *w)
{
    if (!w) return;
    close_group(w);
    if (w->file >= 0) H5Fclose(w->file);
    fv_free(w->image.bytes);
    fv_free(w);
}

/* ---- Writing ---- */

/* Opens the group, or creates it. */
static bool enter_group(fv_h5_writer *w, const char *name)
{
    char stored[FV_H5_MAX_NAME];
    if (!fv_h5_escape(name, stored)) return false;
    if (w->group >= 0 && strcmp(w->group_name, stored) == 0) return true;
    close_group(w);
    if (H5Lexists(w->file, stored, H5P_DEFAULT) > 0) {
        w->group = H5Gopen2(w->file, stored, H5P_DEFAULT);
    } else {
        const hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
        H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
        H5Pset_obj_track_times(creation, 0);
        w->group = H5Gcreate2(w->file, stored, H5P_DEFAULT, creation, H5P_DEFAULT);
        H5Pclose(creation);
    }
    memcpy(w->group_name, stored, sizeof(stored));
    return w->group >= 0;
}

/* Of at most FV_H5_CHUNK_FLOATS: the last dimensions whole, then a part of one, then ones. */
static void choose_chunk(int rank, const hsize_t *dims, hsize_t *chunk)
{
    hsize_t room = FV_H5_CHUNK_FLOATS;
    for (int d = rank - 1; d >= 0; d--) {
        assert(dims[d] > 0);
        const hsize_t pieces = (dims[d] + room - 1) / room;
        chunk[d] = (dims[d] + pieces - 1) / pieces;
        room = pieces > 1 ? 1 : room / chunk[d];
    }
}

static bool write_dataset(hid_t group, const char *name, int rank, const hsize_t *dims,
                          hid_t stored, hid_t given, const void *data)
{
    hsize_t count = 1, chunk[FV_H5_MAX_RANK];
    for (int d = 0; d < rank; d++) count *= dims[d];

    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, 0);
    if (rank == 0 || count == 0) {
        H5Pset_layout(creation, H5D_COMPACT);
    } else {
        choose_chunk(rank, dims, chunk);
        H5Pset_chunk(creation, rank, chunk);
        H5Pset_fletcher32(creation);
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    }
    const hid_t space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
    const hid_t set = H5Dcreate2(group, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    bool fine = set >= 0;
    if (fine && count) fine = H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (set >= 0) fine = H5Dclose(set) >= 0 && fine;
    H5Sclose(space);
    H5Pclose(creation);
    return fine;
}

/* Why a dataset or attribute cannot be added, apart from a lack of memory. */
static fv_status check_name(const fv_h5_writer *w, const char *name, char stored[FV_H5_MAX_NAME],
                            fv_error *err)
{
    if (fv_h5_escape(name, stored)) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT,
                   "%s: cannot store the name \"%.100s\": it is empty or too long", w->path, name);
}

static fv_status not_added(const fv_h5_writer *w, const char *name, fv_error *err)
{
    return fv_fail(err, FV_ERR_IO,
                   "%s: cannot add \"%.100s\": it is there already, or memory is out", w->path,
                   name);
}

fv_status fv_h5_write_floats(fv_h5_writer *w, const char *group, const char *name, int rank,
                             const int64_t *dims, const float *data, fv_error *err)
{
    char stored[FV_H5_MAX_NAME];
    hsize_t size[FV_H5_MAX_RANK] = { 0 };
    FV_TRY(check_name(w, name, stored, err));
    if (rank > FV_H5_MAX_RANK)
        return fv_fail(err, FV_ERR_SHAPE, "%s: cannot store \"%.100s\": rank %d is above %d",
                       w->path, name, rank, FV_H5_MAX_RANK);
    for (int d = 0; d < rank; d++) size[d] = (hsize_t)dims[d];
    if (enter_group(w, group) &&
        write_dataset(w->group, stored, rank, size, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, data))
        return FV_OK;
    return not_added(w, name, err);
}

fv_status fv_h5_write_text(fv_h5_writer *w, const char *name, const char *text, fv_error *err)
{
    char stored[FV_H5_MAX_NAME];
    const size_t bytes = strlen(text) + 1;
    const hsize_t one = 1;
    FV_TRY(check_name(w, name, stored, err));
    if (bytes > FV_H5_MAX_TEXT)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: cannot store \"%.100s\": %zu bytes of text, above %d", w->path, name,
                       bytes, FV_H5_MAX_TEXT);
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes);
    H5Tset_cset(type, H5T_CSET_UTF8);
    const bool fine = enter_group(w, FV_H5_TEXT_GROUP) &&
                      write_dataset(w->group, stored, 1, &one, type, type, text);
    H5Tclose(type);
    return fine ? FV_OK : not_added(w, name, err);
}

static fv_status write_attribute(fv_h5_writer *w, const char *name, hid_t stored, hid_t given,
                                 const void *value, fv_error *err)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(w->file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool fine = attribute >= 0 && H5Awrite(attribute, given, value) >= 0;
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    return fine ? FV_OK : not_added(w, name, err);
}

fv_status fv_h5_write_long(fv_h5_writer *w, const char *name, int64_t value, fv_error *err)
{
    return write_attribute(w, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, err);
}

fv_status fv_h5_write_double(fv_h5_writer *w, const char *name, double value, fv_error *err)
{
    return write_attribute(w, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, err);
}

/* ---- Committing ---- */

/* Closes the file, which completes its image. */
static bool finish(fv_h5_writer *w)
{
    close_group(w);
    if (H5Fflush(w->file, H5F_SCOPE_GLOBAL) < 0) return false;
    const bool closed = H5Fclose(w->file) >= 0;
    w->file = -1;
    return closed && image_bytes(&w->image) > 0;
}

fv_status fv_h5_commit(fv_h5_writer *w, fv_error *err)
{
    fv_error why = { 0 };
    fv_status status = finish(w)
                         ? fv_file_write(w->path, w->image.bytes, image_bytes(&w->image), &why)
                         : fv_fail(&why, FV_ERR_NOMEM, "%s: out of memory for the file", w->path);
    if (status != FV_OK)
        fv_fail(err, status, "%.440s; %s", why.message,
                fv_file_exists(w->path) ? "the old file is as it was" : "nothing was written");
    fv_h5_discard(w);
    return status;
}
