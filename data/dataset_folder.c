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
#include <strings.h>
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
    return dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 ||
                   strcasecmp(dot, ".png") == 0);
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Appends a name to a block of text; `at` is where it begins. */
static fv_status append_text(char **text, size_t *bytes, size_t *room, const char *name,
                             uint32_t *at, fv_error *err)
{
    const size_t length = strlen(name) + 1;
    if (*bytes + length > UINT32_MAX) {
        return fv_fail(err, FV_ERR_FORMAT, "dataset: the names take more than 4 GiB");
    }
    void *block = *text;
    const fv_status status = fv_dataset_grow(&block, 1, *bytes, *bytes + length, room, err);
    *text = block;
    if (status != FV_OK) return status;
    *at = (uint32_t)*bytes;
    memcpy(*text + *bytes, name, length);
    *bytes += length;
    return FV_OK;
}

static fv_status add_file(fv_dataset *d, const char *name, int label, fv_error *err)
{
    void *samples = d->samples;
    const size_t count = (size_t)d->count;
    const fv_status status =
        fv_dataset_grow(&samples, sizeof(*d->samples), count, count + 1, &d->room, err);
    d->samples = samples;
    if (status != FV_OK) return status;
    d->samples[count].label = label;
    FV_TRY(
        append_text(&d->text, &d->text_bytes, &d->text_room, name, &d->samples[count].name, err));
    d->count++;
    return FV_OK;
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
            status = add_file(d, name, label, err);
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
    uint32_t at = 0;
    int count = 0;
    for (struct dirent *entry; status == FV_OK && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || find_kind(d->root, entry) != FOLDER) continue;
        status =
            append_text(&d->class_text, &d->class_bytes, &d->class_room, entry->d_name, &at, err);
        if (status == FV_OK) count++;
    }
    closedir(dir);
    if (status != FV_OK) return status;
    if (!count) {
        return fv_fail(err, FV_ERR_FORMAT, "%.400s: no folders: one per class is expected",
                       d->root);
    }
    const char **names = fv_alloc((size_t)count * sizeof(*names));
    d->class_names = fv_alloc((size_t)count * sizeof(*d->class_names));
    if (!names || !d->class_names) {
        fv_free(names);
        return fv_fail(err, FV_ERR_NOMEM, "dataset: out of memory");
    }
    const char *next = d->class_text;
    for (int i = 0; i < count; i++, next += strlen(next) + 1) names[i] = next;
    qsort(names, (size_t)count, sizeof(*names), compare_names);
    for (int i = 0; i < count; i++) d->class_names[i] = (uint32_t)(names[i] - d->class_text);
    fv_free(names);
    d->named = d->classes = count;
    return FV_OK;
}

static fv_status check_count(const fv_dataset *d, int classes, fv_error *err)
{
    if (classes && d->named > classes) {
        return fv_fail(err, FV_ERR_FORMAT, "%.400s: %d folders, but only %d classes", d->root,
                       d->named, classes);
    }
    if (classes && d->named < classes) {
        fv_log(FV_LOG_WARNING,
               "%s: %d folders for %d classes: if one is missing, all after it"
               " have wrong labels",
               d->root, d->named, classes);
    }
    return FV_OK;
}

fv_status fv_dataset_read_folders(fv_dataset *d, const fv_dataset_options *o, fv_error *err)
{
    if (!*d->root)
        return fv_fail(err, FV_ERR_CONFIG, "dataset: neither a list nor a folder is given");
    FV_TRY(find_classes(d, err));
    FV_TRY(check_count(d, o->classes, err));
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
