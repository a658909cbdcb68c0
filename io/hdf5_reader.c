/* SPDX-License-Identifier: Apache-2.0 */
/* The file may have been made by anyone. Links to other files are not followed; nothing is
 * allocated for what a dataset claims to hold before the file is seen to store as much; and only
 * the filter that we write is let in, as others may expand a small file without bound or load
 * code. */
#include "io/hdf5_impl.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fv_h5_reader {
    char path[4096];
    hid_t file;
    hsize_t bytes; /* of the file */
};

/* ---- Opening ---- */

/* Rejects what is no HDF5 file, and the formats before HDF5 1.8, whose tables have no checksums. */
static fv_status check_head(const char *path, hsize_t *bytes, fv_error *err)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    char head[9] = { 0 };
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fv_fail(err, FV_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    const ssize_t got = regular ? pread(fd, head, sizeof(head), 0) : 0;
    close(fd);
    if (!regular) return fv_fail(err, FV_ERR_IO, "%s: not a regular file", path);
    if (got < (ssize_t)sizeof(head) || memcmp(head, signature, 8) != 0)
        return fv_fail(err, FV_ERR_FORMAT, "%s: not an hdf5 file", path);
    if (head[8] < 2)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: an hdf5 file of format %d, which has no checksums: write it anew with "
                       "h5repack --low=2",
                       path, head[8]);
    *bytes = (hsize_t)info.st_size;
    return FV_OK;
}

fv_status fv_h5_open(fv_h5_reader **out, const char *path, fv_error *err)
{
    fv_h5_quiet();
    hsize_t bytes = 0;
    FV_TRY(check_head(path, &bytes, err));
    fv_h5_reader *r = fv_alloc(sizeof(*r));
    if (!r) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    snprintf(r->path, sizeof(r->path), "%s", path);
    r->bytes = bytes;

    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERS_MINOR == 10 && H5_VERS_RELEASE >= 7)
    /* Files are replaced, never changed; and some network disks know no locks. */
    H5Pset_file_locking(access, false, true);
#endif
    r->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (r->file < 0) {
        fv_free(r);
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: the hdf5 file is truncated or damaged: use another copy", path);
    }
    *out = r;
    return FV_OK;
}

void fv_h5_close(fv_h5_reader *r)
{
    if (!r) return;
    H5Fclose(r->file);
    fv_free(r);
}

/* ---- Datasets ---- */

/* "x.h5: model/conv1.weight: <what>" */
static fv_status FV_PRINTF(5, 6) bad_entry(const fv_h5_reader *r, const char *group,
                                           const char *name, fv_error *err, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return fv_fail(err, FV_ERR_FORMAT, "%s: %.100s%s%.150s: %s", r->path, group,
                   group[0] ? "/" : "", name, what);
}

static const char DAMAGED[] = "damaged: use another copy of the file";

/* Opens what a hard link of the given type leads to; negative if there is no such thing. */
static hid_t open_member(hid_t parent, const char *stored, H5I_type_t type)
{
    H5L_info_t link;
    if (H5Lexists(parent, stored, H5P_DEFAULT) <= 0) return -1;
    if (H5Lget_info(parent, stored, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD)
        return -1;
    const hid_t object = H5Oopen(parent, stored, H5P_DEFAULT);
    if (object >= 0 && H5Iget_type(object) != type) {
        H5Oclose(object);
        return -1;
    }
    return object;
}

static hid_t open_group(const fv_h5_reader *r, const char *group)
{
    char stored[FV_H5_MAX_NAME];
    return fv_h5_escape(group, stored) ? open_member(r->file, stored, H5I_GROUP) : -1;
}

/* An open dataset and what it claims to be. */
typedef struct dataset {
    hid_t set, type;
    int rank;
    hsize_t dims[FV_H5_MAX_RANK];
    hsize_t count;
} dataset;

static void close_dataset(dataset *d)
{
    if (d->type >= 0) H5Tclose(d->type);
    if (d->set >= 0) H5Dclose(d->set);
}

/* The number of elements, unless it overflows. */
static bool count_elements(dataset *d)
{
    hsize_t largest[FV_H5_MAX_RANK];
    const hid_t space = H5Dget_space(d->set);
    if (space < 0) return false;
    d->rank = H5Sget_simple_extent_ndims(space);
    bool fine =
        d->rank >= 0 && d->rank <= FV_H5_MAX_RANK && H5Sget_simple_extent_type(space) != H5S_NULL;
    if (fine && d->rank) fine = H5Sget_simple_extent_dims(space, d->dims, largest) == d->rank;
    H5Sclose(space);
    if (!fine) return false;

    const hsize_t limit = (hsize_t)INT64_MAX / 64; /* so that bytes do not overflow either */
    bool empty = false;
    d->count = 1;
    for (int i = 0; i < d->rank; i++) empty = empty || d->dims[i] == 0;
    for (int i = 0; i < d->rank && !empty; i++) {
        if (d->dims[i] > limit / d->count) return false;
        d->count *= d->dims[i];
    }
    if (empty) d->count = 0;
    return true;
}

/* Whether the elements lie in this file, plain or with Fletcher32, in chunks that we could have
 * written (or, for text, chunks of one element). */
static bool is_plain(const dataset *d)
{
    const hid_t creation = H5Dget_create_plist(d->set);
    if (creation < 0) return false;
    const H5D_layout_t layout = H5Pget_layout(creation);
    bool fine = layout == H5D_COMPACT || layout == H5D_CHUNKED ||
                (layout == H5D_CONTIGUOUS && H5Pget_external_count(creation) == 0);
    if (fine && layout == H5D_CHUNKED) {
        hsize_t chunk[FV_H5_MAX_RANK], elements = 1;
        const size_t size = H5Tget_size(d->type);
        fine = size > 0 && H5Pget_chunk(creation, FV_H5_MAX_RANK, chunk) == d->rank;
        for (int i = 0; fine && i < d->rank; i++) {
            fine = chunk[i] > 0 && chunk[i] <= FV_H5_MAX_TEXT / elements;
            elements *= fine ? chunk[i] : 1;
        }
        fine = fine && elements <= FV_H5_MAX_TEXT / size;
    }
    const int filters = H5Pget_nfilters(creation);
    fine = fine && filters >= 0;
    for (int i = 0; fine && i < filters; i++) {
        unsigned flags = 0;
        size_t values = 0;
        fine = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, 0, NULL, NULL) ==
               H5Z_FILTER_FLETCHER32;
    }
    H5Pclose(creation);
    return fine;
}

/* Close it in any case. */
static fv_status open_dataset(const fv_h5_reader *r, const char *group, const char *name,
                              dataset *d, fv_error *err)
{
    char stored[FV_H5_MAX_NAME];
    *d = (dataset){ .set = -1, .type = -1 };
    const hid_t folder = open_group(r, group);
    if (folder < 0)
        return fv_fail(err, FV_ERR_FORMAT, "%s: there is no group \"%.100s\"", r->path, group);
    d->set = fv_h5_escape(name, stored) ? open_member(folder, stored, H5I_DATASET) : -1;
    H5Gclose(folder);
    if (d->set < 0) return bad_entry(r, group, name, err, "there is no such dataset");
    d->type = H5Dget_type(d->set);
    if (d->type < 0 || !count_elements(d)) return bad_entry(r, group, name, err, "%s", DAMAGED);
    if (!is_plain(d))
        return bad_entry(
            r, group, name, err,
            "stored in another way than fovea does: only plain datasets and Fletcher32");
    return FV_OK;
}

/* Whether the file stores all elements: what is claimed but not stored would read as zeros. */
static bool is_stored(const fv_h5_reader *r, const dataset *d)
{
    const hsize_t stored = H5Dget_storage_size(d->set), size = H5Tget_size(d->type);
    return size > 0 && d->count <= stored / size && stored <= r->bytes;
}

static fv_status check_floats(const fv_h5_reader *r, const char *group, const char *name,
                              const dataset *d, fv_error *err)
{
    if (H5Tequal(d->type, H5T_IEEE_F32LE) <= 0)
        return bad_entry(r, group, name, err, "not a dataset of float32");
    if (d->count && !is_stored(r, d))
        return bad_entry(r, group, name, err, "claims %llu elements that the file does not hold",
                         (unsigned long long)d->count);
    return FV_OK;
}

fv_status fv_h5_shape(fv_h5_reader *r, const char *group, const char *name, int *rank,
                      int64_t *dims, fv_error *err)
{
    dataset d;
    fv_status status = open_dataset(r, group, name, &d, err);
    if (status == FV_OK) status = check_floats(r, group, name, &d, err);
    if (status == FV_OK) {
        *rank = d.rank;
        for (int i = 0; i < d.rank; i++) dims[i] = (int64_t)d.dims[i];
    }
    close_dataset(&d);
    return status;
}

fv_status fv_h5_read_floats(fv_h5_reader *r, const char *group, const char *name, size_t count,
                            float *data, fv_error *err)
{
    dataset d;
    fv_status status = open_dataset(r, group, name, &d, err);
    if (status == FV_OK) status = check_floats(r, group, name, &d, err);
    if (status == FV_OK && d.count != count)
        status = bad_entry(r, group, name, err, "%llu floats, where %zu are expected",
                           (unsigned long long)d.count, count);
    if (status == FV_OK && count &&
        H5Dread(d.set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = bad_entry(r, group, name, err, "%s", DAMAGED);
    close_dataset(&d);
    return status;
}

/* ---- Text and numbers ---- */

static fv_status read_string(const fv_h5_reader *r, const char *name, const dataset *d, char **text,
                             fv_error *err)
{
    const size_t bytes = H5Tget_size(d->type);
    if (H5Tget_class(d->type) != H5T_STRING || H5Tis_variable_str(d->type) != 0 || d->count != 1)
        return bad_entry(r, FV_H5_TEXT_GROUP, name, err, "not one string of fixed length");
    if (bytes == 0 || bytes > FV_H5_MAX_TEXT || !is_stored(r, d))
        return bad_entry(r, FV_H5_TEXT_GROUP, name, err,
                         "claims a string of %zu bytes that the file does not hold", bytes);
    char *block = fv_alloc(bytes + 1);
    if (!block)
        return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for %zu bytes of text", r->path,
                       bytes);
    if (H5Dread(d->set, d->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, block) < 0) {
        fv_free(block);
        return bad_entry(r, FV_H5_TEXT_GROUP, name, err, "%s", DAMAGED);
    }
    *text = block;
    return FV_OK;
}

fv_status fv_h5_read_text(fv_h5_reader *r, const char *name, char **text, fv_error *err)
{
    dataset d;
    fv_status status = open_dataset(r, FV_H5_TEXT_GROUP, name, &d, err);
    if (status == FV_OK) status = read_string(r, name, &d, text, err);
    close_dataset(&d);
    return status;
}

/* A scalar of exactly the type that the writer stores. */
static fv_status read_attribute(const fv_h5_reader *r, const char *name, hid_t stored, hid_t wanted,
                                void *value, fv_error *err)
{
    if (H5Aexists(r->file, name) <= 0)
        return bad_entry(r, "", name, err, "there is no such attribute");
    const hid_t attribute = H5Aopen(r->file, name, H5P_DEFAULT);
    if (attribute < 0) return bad_entry(r, "", name, err, "%s", DAMAGED);
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    fv_status status = FV_OK;
    if (type < 0 || space < 0 || H5Tequal(type, stored) <= 0 ||
        H5Sget_simple_extent_type(space) != H5S_SCALAR)
        status = bad_entry(r, "", name, err, "an attribute of another type than expected");
    else if (H5Aread(attribute, wanted, value) < 0)
        status = bad_entry(r, "", name, err, "%s", DAMAGED);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    H5Aclose(attribute);
    return status;
}

fv_status fv_h5_read_long(fv_h5_reader *r, const char *name, int64_t *value, fv_error *err)
{
    return read_attribute(r, name, H5T_STD_I64LE, H5T_NATIVE_INT64, value, err);
}

fv_status fv_h5_read_double(fv_h5_reader *r, const char *name, double *value, fv_error *err)
{
    return read_attribute(r, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, value, err);
}

/* ---- Listing ---- */

bool fv_h5_has_group(const fv_h5_reader *r, const char *group)
{
    char stored[FV_H5_MAX_NAME];
    /* Where the answer is "cannot tell", listing the group will say what is wrong. */
    return fv_h5_escape(group, stored) && H5Lexists(r->file, stored, H5P_DEFAULT) != 0;
}

/* Files that others wrote may not have kept the order of creation. */
static H5_index_t best_index(hid_t group)
{
    unsigned order = 0;
    const hid_t creation = H5Gget_create_plist(group);
    if (creation < 0) return H5_INDEX_NAME;
    if (H5Pget_link_creation_order(creation, &order) < 0) order = 0;
    H5Pclose(creation);
    return order & H5P_CRT_ORDER_INDEXED ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
}

/* Name number i of the group, unescaped, as a block of its own. */
static fv_status copy_name(const fv_h5_reader *r, hid_t group, const char *group_name,
                           H5_index_t index, hsize_t i, char **out, fv_error *err)
{
    char name[FV_H5_MAX_NAME];
    const ssize_t length =
        H5Lget_name_by_idx(group, ".", index, H5_ITER_INC, i, name, sizeof(name), H5P_DEFAULT);
    if (length < 0)
        return fv_fail(err, FV_ERR_FORMAT, "%s: group \"%.100s\" is %s", r->path, group_name,
                       DAMAGED);
    if (length >= FV_H5_MAX_NAME || !fv_h5_unescape(name))
        return fv_fail(err, FV_ERR_FORMAT, "%s: group \"%.100s\": entry %llu has a malformed name",
                       r->path, group_name, (unsigned long long)i);
    *out = fv_alloc((size_t)length + 1);
    if (!*out) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for names", r->path);
    memcpy(*out, name, strlen(name) + 1);
    return FV_OK;
}

static fv_status list_group(const fv_h5_reader *r, hid_t group, const char *group_name,
                            char ***names, int *count, fv_error *err)
{
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0)
        return fv_fail(err, FV_ERR_FORMAT, "%s: group \"%.100s\" is %s", r->path, group_name,
                       DAMAGED);
    if (info.nlinks > FV_H5_MAX_ENTRIES)
        return fv_fail(err, FV_ERR_FORMAT, "%s: group \"%.100s\" claims %llu entries, above %d",
                       r->path, group_name, (unsigned long long)info.nlinks, FV_H5_MAX_ENTRIES);
    const int total = (int)info.nlinks;
    char **list = fv_alloc((size_t)total * sizeof(*list));
    if (!list) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory for names", r->path);

    const H5_index_t index = best_index(group);
    fv_status status = FV_OK;
    for (int i = 0; i < total && status == FV_OK; i++)
        status = copy_name(r, group, group_name, index, (hsize_t)i, &list[i], err);
    if (status != FV_OK) {
        fv_h5_names_free(list, total);
        return status;
    }
    *names = list;
    *count = total;
    return FV_OK;
}

fv_status fv_h5_list(fv_h5_reader *r, const char *group, char ***names, int *count, fv_error *err)
{
    const hid_t folder = open_group(r, group);
    if (folder < 0)
        return fv_fail(err, FV_ERR_FORMAT, "%s: there is no group \"%.100s\"", r->path, group);
    const fv_status status = list_group(r, folder, group, names, count, err);
    H5Gclose(folder);
    return status;
}

void fv_h5_names_free(char **names, int count)
{
    if (!names) return;
    for (int i = 0; i < count; i++) fv_free(names[i]);
    fv_free(names);
}
