/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a folder ImageNet's parts lie, and in which form. */
#include "base/compiler.h"
#include "base/file.h"
#include "data/imagenet_classes.h"
#include "data/imagenet_impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The usual names, best first. */
static const char *const folders[FV_IMAGENET_PARTS][6] = {
    { "train", "ILSVRC2012_img_train", "ILSVRC/Data/CLS-LOC/train", "Data/CLS-LOC/train" },
    { "val", "validation", "ILSVRC2012_img_val", "ILSVRC/Data/CLS-LOC/val", "Data/CLS-LOC/val" },
};
static const char *const archives[FV_IMAGENET_PARTS] = { "ILSVRC2012_img_train.tar",
                                                         "ILSVRC2012_img_val.tar" };
#define GROUND_TRUTH "ILSVRC2012_validation_ground_truth.txt"
static const char *const label_files[] = { GROUND_TRUTH,
                                           "ILSVRC2012_devkit_t12/data/" GROUND_TRUTH,
                                           "devkit/data/" GROUND_TRUTH,
                                           "data/" GROUND_TRUTH,
                                           "imagenet_2012_validation_synset_labels.txt",
                                           "synset_labels.txt",
                                           "val_map.txt",
                                           "LOC_val_solution.csv",
                                           "val.txt",
                                           "val_list.txt",
                                           NULL };
static const char *const meta_files[] = { "meta.mat",
                                          "ILSVRC2012_devkit_t12/data/meta.mat",
                                          "devkit/data/meta.mat",
                                          "data/meta.mat",
                                          "map_clsloc.txt",
                                          "ILSVRC/devkit/data/map_clsloc.txt",
                                          NULL };
static const char *const word_files[] = { "synset_words.txt", "LOC_synset_mapping.txt", NULL };

static fv_status join(char out[PATH_MAX], const char *folder, const char *name, fv_error *err)
{
    if (fv_path_join(out, PATH_MAX, folder, name)) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%.200s: the path is too long", folder);
}

static fv_status copy(char out[PATH_MAX], const char *path, fv_error *err)
{
    return join(out, "", path, err);
}

/* The first of the names that is a file; "" if none is. */
static fv_status first_file(char out[PATH_MAX], const char *folder, const char *const *names,
                            fv_error *err)
{
    for (; *names; names++) {
        FV_TRY(join(out, folder, *names, err));
        if (fv_file_exists(out)) return FV_OK;
    }
    out[0] = '\0';
    return FV_OK;
}

/* What the user named must be there. */
static fv_status named_file(char out[PATH_MAX], const char *path, const char *option, fv_error *err)
{
    if (!fv_file_exists(path)) {
        return fv_fail(err, FV_ERR_CONFIG, "%s: no file %.300s", option, path);
    }
    return copy(out, path, err);
}

fv_status fv_imagenet_find_labels(char out[PATH_MAX], const fv_imagenet_options *o, fv_error *err)
{
    if (o->labels) return named_file(out, o->labels, "--val-labels", err);
    return first_file(out, o->folder, label_files, err);
}

fv_status fv_imagenet_find_words(char out[PATH_MAX], const fv_imagenet_options *o, fv_error *err)
{
    if (o->words) return named_file(out, o->words, "--words", err);
    return first_file(out, o->folder, word_files, err);
}

fv_status fv_imagenet_find_meta(char out[PATH_MAX], const fv_imagenet_options *o,
                                const char *labels, fv_error *err)
{
    if (o->meta) return named_file(out, o->meta, "--meta", err);
    char beside[PATH_MAX];
    FV_TRY(copy(beside, labels, err));
    char *slash = strrchr(beside, '/');
    if (slash) *slash = '\0';
    FV_TRY(first_file(out, slash ? beside : ".", meta_files, err));
    return out[0] ? FV_OK : first_file(out, o->folder, meta_files, err);
}

/* ---- Parts ---- */

/* How names in the lists begin: relative to the folder if they are below it, else absolute. */
static fv_status find_prefix(fv_imagenet_place *place, const fv_imagenet_options *o, fv_error *err)
{
    size_t length = strlen(o->folder);
    while (length > 1 && o->folder[length - 1] == '/') length--;
    const char *rest = place->path + length;
    if (strncmp(place->path, o->folder, length) == 0 && (*rest == '/' || !*rest)) {
        while (*rest == '/') rest++;
        return copy(place->prefix, rest, err);
    }
    char *absolute = realpath(place->path, NULL);
    if (!absolute) {
        return fv_fail(err, FV_ERR_IO, "%.300s: %s", place->path, strerror(errno));
    }
    const fv_status status = copy(place->prefix, absolute, err);
    free(absolute);
    return status;
}

static bool has_end(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);
    return length > tail && strcasecmp(name + length - tail, end) == 0;
}

/* By --train or --val. An archive is unpacked into the folder train or val. */
static fv_status take_named(fv_imagenet_place *out, const fv_imagenet_options *o, int part,
                            fv_error *err)
{
    const char *path = o->parts[part];
    if (fv_file_is_folder(path)) {
        FV_TRY(copy(out->path, path, err));
    } else if (!fv_file_exists(path)) {
        return fv_fail(err, FV_ERR_CONFIG, "--%s: no file or folder %.300s",
                       part == FV_IMAGENET_TRAIN ? "train" : "val", path);
    } else if (has_end(path, ".tar")) {
        FV_TRY(copy(out->tar, path, err));
        FV_TRY(join(out->path, o->folder, folders[part][0], err));
    } else {
        out->layout = FV_LAYOUT_LIST;
        return copy(out->path, path, err); /* its names start from the folder */
    }
    return find_prefix(out, o, err);
}

fv_status fv_imagenet_find(fv_imagenet_place *out, const fv_imagenet_options *o, int part,
                           fv_error *err)
{
    *out = (fv_imagenet_place){ .layout = FV_LAYOUT_NONE };
    if (o->parts[part]) return take_named(out, o, part, err);
    FV_TRY(join(out->tar, o->folder, archives[part], err));
    if (!fv_file_exists(out->tar)) out->tar[0] = '\0';
    bool found = false;
    for (int i = 0; !found && folders[part][i]; i++) {
        FV_TRY(join(out->path, o->folder, folders[part][i], err));
        found = fv_file_is_folder(out->path);
    }
    if (!found && out->tar[0]) {
        FV_TRY(join(out->path, o->folder, folders[part][0], err));
    } else if (!found) {
        /* ImageNetV2 comes as a folder of folders by number. */
        FV_TRY(join(out->path, o->folder, "0", err));
        found = part == FV_IMAGENET_VAL && fv_file_is_folder(out->path);
        FV_TRY(copy(out->path, found ? o->folder : "", err));
    }
    return out->path[0] ? find_prefix(out, o, err) : FV_OK;
}

/* ---- What is in a folder ---- */

typedef struct contents {
    int64_t pictures;
    int wnids, numbers, archives;
    int largest;    /* of the numbers */
    char other[64]; /* a folder of another name; "": none */
} contents;

static bool is_number(const char *name, int *value)
{
    const size_t digits = strspn(name, "0123456789");
    if (digits == 0 || digits > 6 || name[digits]) return false;
    *value = atoi(name);
    return true;
}

static fv_status look_at(contents *c, const char *folder, const char *name, fv_error *err)
{
    char path[PATH_MAX];
    uint32_t wnid;
    int number;
    const bool starts = fv_wnid_read(name, &wnid);
    if (has_end(name, ".jpeg") || has_end(name, ".jpg") || has_end(name, ".png")) {
        c->pictures++;
        return FV_OK;
    }
    if (starts && strcasecmp(name + 9, ".tar") == 0) {
        c->archives++;
        return FV_OK;
    }
    FV_TRY(join(path, folder, name, err));
    if (!fv_file_is_folder(path)) return FV_OK;
    if (starts && !name[9]) {
        c->wnids++;
    } else if (is_number(name, &number)) {
        c->numbers++;
        c->largest = fv_max(c->largest, number);
    } else if (!c->other[0]) {
        snprintf(c->other, sizeof(c->other), "%s", name);
    }
    return FV_OK;
}

static fv_status read_folder(contents *c, const char *folder, fv_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir) return fv_fail(err, FV_ERR_IO, "%.300s: %s", folder, strerror(errno));
    fv_status status = FV_OK;
    for (struct dirent *entry; status == FV_OK && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.') status = look_at(c, folder, entry->d_name, err);
    }
    closedir(dir);
    return status;
}

fv_status fv_imagenet_look(fv_imagenet_place *place, int part, fv_error *err)
{
    contents c = { .pictures = 0 };
    FV_TRY(read_folder(&c, place->path, err));
    place->pictures = c.pictures;
    if ((c.wnids || c.numbers) && c.other[0]) {
        return fv_fail(err, FV_ERR_FORMAT,
                       "%.300s: the folder \"%s\" is no class: classes are named n01440764; move "
                       "it elsewhere",
                       place->path, c.other);
    }
    if (c.numbers && (c.wnids || c.largest >= FV_IMAGENET_CLASSES)) {
        return fv_fail(err, FV_ERR_FORMAT,
                       "%.300s: folders numbered up to %d%s: numbers of the devkit do not name "
                       "classes; rename them to WNIDs",
                       place->path, c.largest, c.wnids ? ", and WNIDs" : "");
    }
    if (c.wnids) {
        place->layout = FV_LAYOUT_WNIDS;
    } else if (c.numbers) {
        place->layout = FV_LAYOUT_NUMBERS;
    } else if (c.pictures && part == FV_IMAGENET_VAL) {
        place->layout = FV_LAYOUT_FLAT;
    } else if (c.archives) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "%.300s: archives of classes, to be unpacked: --extract does it",
                       place->path);
    } else {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: no folders named by WNID (n01440764)%s%s%s%s",
                       place->path, part == FV_IMAGENET_VAL ? " and no pictures" : "",
                       c.other[0] ? ", but \"" : "", c.other, c.other[0] ? "\"" : "");
    }
    return FV_OK;
}
