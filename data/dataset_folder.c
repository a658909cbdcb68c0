/* SPDX-License-Identifier: Apache-2.0 */
/* One folder per class. Folders are read, files are neither opened nor looked at but where
 * the file system does not tell their kind. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/dataset_impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH = 16 /* of folders below a class; also ends loops of links */ };

typedef enum kind { OTHER, FOLDER, PLAIN } kind;

/* Links are followed. */
static kind find_kind(const char *folder, const struct dirent *entry)
{
    if (entry->d_type == DT_DIR) return FOLDER;
    if (entry->d_type == DT_REG) return PLAIN;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN) return OTHER;
    char path[FV_DATASET_MAX_PATH];
    struct stat s;
    if (!fv_path_join(path, sizeof(path), folder, entry->d_name) || stat(path, &s) != 0) {
        return OTHER;
    }
    return S_ISDIR(s.st_mode) ? FOLDER : S_ISREG(s.st_mode) ? PLAIN : OTHER;
}

static bool is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && fv_dataset_is_picture(dot);
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Adds what lies below root/folder under names that begin with `folder`. */
static fv_status walk(fv_dataset *d, const char *folder, int label, int depth, fv_error *err)
{
    char path[FV_DATASET_MAX_PATH];
    if (!fv_path_join(path, sizeof(path), d->root, folder)) {
        return fv_fail(err, FV_ERR_IO, "%.300s: the path is too long", folder);
    }
    if (depth > DEPTH) {
        return fv_fail(err, FV_ERR_IO, "%.400s: folders are nested more than %d deep", path, DEPTH);
    }
    DIR *dir = opendir(path);
    if (!dir) return fv_fail(err, FV_ERR_IO, "%.400s: %s", path, strerror(errno));
    fv_status status = FV_OK;
    for (struct dirent *entry; status == FV_OK && (entry = readdir(dir));) {
        const kind k = entry->d_name[0] == '.' ? OTHER : find_kind(path, entry);
        if (k == OTHER || (k == PLAIN && !is_picture(entry->d_name))) continue;
        char name[FV_DATASET_MAX_PATH];
        if (!fv_path_join(name, sizeof(name), folder, entry->d_name)) {
            status = fv_fail(err, FV_ERR_IO, "%.300s: the path is too long", folder);
        } else if (k == FOLDER) {
            status = walk(d, name, label, depth + 1, err);
        } else {
            status = fv_dataset_add(d, name, label, err);
        }
    }
    closedir(dir);
    return status;
}

/* Sorts the samples from `first` on by name. */
static fv_status sort_samples(fv_dataset *d, int64_t first, fv_error *err)
{
    const size_t count = (size_t)(d->count - first);
    const char **names = fv_alloc(count * sizeof(*names));
    if (!names) return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    for (size_t i = 0; i < count; i++) names[i] = fv_dataset_name(d, first + (int64_t)i);
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count; i++) {
        d->samples[(size_t)first + i].name = (uint32_t)(names[i] - d->text);
    }
    fv_free(names);
    return FV_OK;
}

/* The names of the sub-folders, sorted, become the classes. */
static fv_status find_classes(fv_dataset *d, fv_error *err)
{
    DIR *dir = opendir(d->root);
    if (!dir) return fv_fail(err, FV_ERR_IO, "%.400s: %s", d->root, strerror(errno));
    fv_status status = FV_OK;
    int count = 0;
    for (struct dirent *entry; status == FV_OK && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || find_kind(d->root, entry) != FOLDER) continue;
        status = fv_dataset_add_class(d, entry->d_name, &count, err);
    }
    closedir(dir);
    if (status != FV_OK) return status;
    if (count) return fv_dataset_number_classes(d, count, err);
    return fv_fail(err, FV_ERR_FORMAT, "%.400s: no folders: one per class is expected", d->root);
}

fv_status fv_dataset_read_folders(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    if (!*d->root)
        return fv_fail(err, FV_ERR_CONFIG, "dataset: neither a list nor a folder is given");
    FV_TRY(find_classes(d, err));
    FV_TRY(fv_dataset_check_classes(d, o->classes, d->root, "folders", err));
    for (int label = 0; label < d->named; label++) {
        const int64_t first = d->count;
        FV_TRY(walk(d, fv_dataset_class_name(d, label), label, 0, err));
        FV_TRY(sort_samples(d, first, err));
        if (d->count == first) {
            fv_log(FV_LOG_WARNING, "%s/%s: no pictures in this class", d->root,
                   fv_dataset_class_name(d, label));
        }
    }
    if (d->count) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%.400s: no pictures (.jpg, .jpeg, .png) below it", d->root);
}
