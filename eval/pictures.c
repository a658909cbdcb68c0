/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/pictures.h"

#include "base/file.h"
#include "data/dataset.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_FILE_BYTES = 256 << 20,
    MAX_LIST_BYTES = 1 << 30,
    MAX_PATH_BYTES = 4096,
    MAX_PICTURES = 100000000
};

void fv_pictures_init(fv_pictures *pictures)
{
    *pictures = (fv_pictures){ .paths = { .count = 0 }, .ranges = { .count = 0 } };
    fv_arena_init(&pictures->memory);
}

/* Paths [first, first + count of the dataset). */
typedef struct range {
    fv_dataset *dataset; /* owned */
    int first;
} range;

void fv_pictures_deinit(fv_pictures *pictures)
{
    for (int i = 0; i < pictures->ranges.count; i++)
        fv_dataset_close(((range *)pictures->ranges.items[i])->dataset);
    fv_list_deinit(&pictures->ranges);
    fv_list_deinit(&pictures->paths);
    fv_arena_deinit(&pictures->memory);
}

const char *fv_pictures_at(const fv_pictures *pictures, int i) { return pictures->paths.items[i]; }

static fv_status append(fv_pictures *pictures, const char *path, fv_error *err)
{
    if (pictures->paths.count >= MAX_PICTURES)
        return fv_fail(err, FV_ERR_IO, "%s: more than %d pictures", path, MAX_PICTURES);
    char *copy = fv_arena_alloc(&pictures->memory, strlen(path) + 1);
    if (!copy) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    memcpy(copy, path, strlen(path) + 1);
    if (!fv_list_append(&pictures->paths, copy))
        return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    return FV_OK;
}

static bool has_extension(const char *path, const char *const *extensions)
{
    const char *dot = strrchr(path, '.');
    for (; dot && *extensions; extensions++)
        if (strcasecmp(dot, *extensions) == 0) return true;
    return false;
}

/* ---- Folders ---- */

static const char *const picture_extensions[] = { ".jpg", ".jpeg", ".png", NULL };

static fv_status visit(fv_pictures *pictures, FTS *walk, fv_error *err)
{
    FTSENT *entry;
    while ((entry = fts_read(walk)) != NULL) {
        switch (entry->fts_info) {
        case FTS_F:
        case FTS_NS: /* a link to nothing: reading it will tell */
        case FTS_SLNONE:
            if (has_extension(entry->fts_path, picture_extensions))
                FV_TRY(append(pictures, entry->fts_path, err));
            break;
        case FTS_DNR:
        case FTS_ERR:
            return fv_fail(err, FV_ERR_IO, "%s: %s", entry->fts_path, strerror(entry->fts_errno));
        default: break;
        }
    }
    return FV_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static fv_status add_folder(fv_pictures *pictures, const char *path, fv_error *err)
{
    char folder[MAX_PATH_BYTES];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    if (length >= sizeof(folder))
        return fv_fail(err, FV_ERR_IO, "%.80s...: the path is too long", path);
    memcpy(folder, path, length);
    folder[length] = '\0';

    char *const roots[] = { folder, NULL };
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    if (!walk) return fv_fail(err, FV_ERR_IO, "%s: %s", path, strerror(errno));
    const int first = pictures->paths.count;
    const fv_status status = visit(pictures, walk, err);
    fts_close(walk);
    FV_TRY(status);

    const int count = pictures->paths.count - first;
    if (count == 0 && has_extension(folder, picture_extensions))
        return append(pictures, folder, err); /* meant as a picture: reading it will tell */
    if (count == 0)
        return fv_fail(err, FV_ERR_IO, "%s: no pictures (.jpg .jpeg .png) in this folder", path);
    qsort(pictures->paths.items + first, (size_t)count, sizeof(*pictures->paths.items), by_bytes);
    return FV_OK;
}

/* ---- Lists ---- */

/* Cuts "  17" off the end of "a b.jpg  17"; leaves what would be empty without. */
static void cut_label(char *line)
{
    size_t end = strlen(line);
    while (end && (line[end - 1] == ' ' || line[end - 1] == '\t' || line[end - 1] == '\r'))
        line[--end] = '\0';
    size_t digits = end;
    while (digits && line[digits - 1] >= '0' && line[digits - 1] <= '9') digits--;
    size_t name = digits;
    while (name && (line[name - 1] == ' ' || line[name - 1] == '\t')) name--;
    if (name && name < digits && digits < end) line[name] = '\0';
    fv_path_unquote(line);
}

static fv_status add_lines(fv_pictures *pictures, char *text, const char *list, const char *root,
                           fv_error *err)
{
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
    for (int number = 1; *text; number++) {
        char *line = text, path[MAX_PATH_BYTES];
        const size_t length = strcspn(line, "\n");
        text += length + (line[length] == '\n');
        line[length] = '\0';
        cut_label(line);
        if (!*line) continue;
        if (!fv_path_join(path, sizeof(path), root, line))
            return fv_fail(err, FV_ERR_FORMAT, "%s:%d: the path is longer than %d bytes", list,
                           number, MAX_PATH_BYTES - 1);
        FV_TRY(append(pictures, path, err));
    }
    return FV_OK;
}

fv_status fv_pictures_add_list(fv_pictures *pictures, const char *path, const char *root,
                               fv_error *err)
{
    char *text;
    size_t bytes;
    FV_TRY(fv_file_read(path, MAX_LIST_BYTES, &text, &bytes, err));
    const int first = pictures->paths.count;
    fv_status status = FV_OK;
    if (memchr(text, '\0', bytes))
        status =
            fv_fail(err, FV_ERR_FORMAT, "%s: not a list of pictures: it has a zero byte", path);
    if (status == FV_OK) status = add_lines(pictures, text, path, root, err);
    if (status == FV_OK && pictures->paths.count == first)
        status = fv_fail(err, FV_ERR_FORMAT, "%s: the list is empty", path);
    fv_free(text);
    return status;
}

/* ---- Datasets ---- */

static fv_status add_samples(fv_pictures *pictures, const fv_dataset *dataset, fv_error *err)
{
    char path[MAX_PATH_BYTES];
    for (int64_t i = 0; i < fv_dataset_count(dataset); i++) {
        FV_TRY(fv_dataset_path(dataset, i, path, sizeof(path), err));
        FV_TRY(append(pictures, path, err));
    }
    return FV_OK;
}

static fv_status add_dataset(fv_pictures *pictures, const char *path, const char *root,
                             fv_error *err)
{
    fv_dataset_options options = { .image_root = root };
    fv_dataset_options_guess(&options, &path);
    range *r = fv_arena_alloc(&pictures->memory, sizeof(*r));
    if (!r || !fv_list_append(&pictures->ranges, r))
        return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", path);
    r->first = pictures->paths.count;
    FV_TRY(fv_dataset_open(&r->dataset, &options, err));
    return add_samples(pictures, r->dataset, err);
}

fv_status fv_pictures_read(const fv_pictures *pictures, int i, char **bytes, size_t *size,
                           fv_error *err)
{
    for (int k = 0; k < pictures->ranges.count; k++) {
        const range *r = pictures->ranges.items[k];
        if (i >= r->first && i - r->first < fv_dataset_count(r->dataset))
            return fv_dataset_read(r->dataset, i - r->first, bytes, size, err);
    }
    return fv_file_read(fv_pictures_at(pictures, i), MAX_FILE_BYTES, bytes, size, err);
}

fv_status fv_pictures_add(fv_pictures *pictures, const char *path, const char *root, fv_error *err)
{
    static const char *const lists[] = { ".txt", NULL };
    static const char *const datasets[] = { ".csv", ".tar", ".h5", NULL };
    if (fv_file_is_folder(path)) return add_folder(pictures, path, err);
    if (has_extension(path, datasets)) return add_dataset(pictures, path, root, err);
    if (has_extension(path, lists)) return fv_pictures_add_list(pictures, path, root, err);
    return append(pictures, path, err);
}
