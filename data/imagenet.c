/* SPDX-License-Identifier: Apache-2.0 */
#include "data/imagenet.h"

#include "base/compiler.h"
#include "base/file.h"
#include "base/log.h"
#include "data/imagenet_classes.h"
#include "data/imagenet_impl.h"

#include <stdlib.h>

static fv_status no_memory(fv_error *err)
{
    return fv_fail(err, FV_ERR_NOMEM, "imagenet: out of memory");
}

/* ---- Opening ---- */

/* WNIDs of the data set's classes: they are names of folders, or numbers. */
static fv_status name_classes(fv_imagenet_sample_set *p, fv_error *err)
{
    const int count = fv_dataset_classes(p->dataset);
    p->wnids = fv_alloc((size_t)count * sizeof(*p->wnids));
    if (!p->wnids) return no_memory(err);
    for (int i = 0; i < count; i++) {
        const char *name = fv_dataset_class_name(p->dataset, i);
        if (p->place.layout == FV_LAYOUT_LIST) {
            p->wnids[i] = fv_imagenet_wnid(i);
        } else if (p->place.layout == FV_LAYOUT_NUMBERS) {
            p->wnids[i] = fv_imagenet_wnid(atoi(name));
        } else if (!fv_wnid_read(name, &p->wnids[i])) {
            return fv_fail(err, FV_ERR_FORMAT, "%.300s/%.100s: not a WNID", p->place.path, name);
        }
    }
    return FV_OK;
}

static fv_status open_dataset(fv_imagenet_sample_set *p, const fv_imagenet_options *o,
                              fv_error *err)
{
    const bool list = p->place.layout == FV_LAYOUT_LIST;
    const fv_dataset_options d = { .image_root = list ? o->folder : p->place.path,
                                   .list_path = list ? p->place.path : NULL,
                                   .classes = list ? FV_IMAGENET_CLASSES : 0 };
    FV_TRY(fv_dataset_open(&p->dataset, &d, err));
    return name_classes(p, err);
}

/* Fails if the labels are there, but packed. */
static fv_status find_packed_devkit(const fv_imagenet_options *o, fv_error *err)
{
    char path[PATH_MAX];
    if (!fv_path_join(path, sizeof(path), o->folder, "ILSVRC2012_devkit_t12.tar.gz") ||
        !fv_file_exists(path)) {
        return FV_OK;
    }
    return fv_fail(err, FV_ERR_CONFIG,
                   "%.300s: has the labels of val, but is packed: unpack it there with tar -xzf",
                   path);
}

static fv_status open_labels(fv_imagenet_job *w, fv_imagenet_sample_set *p, fv_error *err)
{
    char meta[PATH_MAX];
    FV_TRY(fv_imagenet_find_labels(p->labels_path, w->o, err));
    if (!p->labels_path[0]) {
        FV_TRY(find_packed_devkit(w->o, err));
        return fv_fail(err, FV_ERR_CONFIG,
                       "%.300s: pictures in one folder, but no labels for them: put "
                       "ILSVRC2012_validation_ground_truth.txt and meta.mat of the devkit into "
                       "%.300s, or name a file of labels with --val-labels",
                       p->place.path, w->o->folder);
    }
    FV_TRY(fv_imagenet_find_meta(meta, w->o, p->labels_path, err));
    if (meta[0]) FV_TRY(fv_synsets_load(&w->synsets, meta, err));
    return fv_val_labels_load(&p->labels, p->labels_path, &w->synsets, err);
}

static fv_status open_part(fv_imagenet_job *w, fv_imagenet_sample_set *p, fv_error *err)
{
    fv_imagenet_part *report = &w->report->parts[p->part];
    FV_TRY(fv_imagenet_find(&p->place, w->o, p->part, err));
    if (!p->place.path[0]) return FV_OK;
    report->found = true;
    if (p->place.layout == FV_LAYOUT_LIST) return open_dataset(p, w->o, err);
    if (w->o->extract) {
        FV_TRY(fv_imagenet_extract(&p->place, w->o, p->part, &report->unpacked, err));
    } else if (p->place.tar[0] && !fv_file_is_folder(p->place.path)) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "%.300s: an archive, to be unpacked into %.300s: --extract does it",
                       p->place.tar, p->place.path);
    }
    FV_TRY(fv_imagenet_look(&p->place, p->part, err));
    return p->place.layout == FV_LAYOUT_FLAT ? open_labels(w, p, err) : open_dataset(p, w->o, err);
}

static fv_status open_parts(fv_imagenet_job *w, fv_error *err)
{
    char words[PATH_MAX];
    if (!fv_file_is_folder(w->o->folder)) {
        return fv_fail(err, FV_ERR_CONFIG, "%.300s: no such folder", w->o->folder);
    }
    for (int i = 0; i < FV_IMAGENET_PARTS; i++) {
        w->sets[i].part = i;
        FV_TRY(open_part(w, &w->sets[i], err));
    }
    if (!w->report->parts[FV_IMAGENET_TRAIN].found && !w->report->parts[FV_IMAGENET_VAL].found) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "%.300s: nothing of ImageNet in it: no folder train or val, no archive "
                       "ILSVRC2012_img_train.tar or ILSVRC2012_img_val.tar; --train and --val name "
                       "others",
                       w->o->folder);
    }
    FV_TRY(fv_imagenet_find_words(words, w->o, err));
    return words[0] ? fv_synsets_load(&w->synsets, words, err) : FV_OK;
}

/* ---- Classes ---- */

static int compare_wnids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static uint32_t class_wnid(const fv_imagenet_sample_set *p, int64_t i)
{
    return p->dataset ? p->wnids[i] : p->labels.items[i].wnid;
}

static int64_t class_count(const fv_imagenet_sample_set *p)
{
    return p->dataset ? fv_dataset_classes(p->dataset) : p->labels.count;
}

/* All WNIDs of both parts, sorted, each once. */
static fv_status collect_classes(fv_imagenet_job *w, fv_error *err)
{
    int64_t total = 0;
    int count = 0;
    for (int k = 0; k < FV_IMAGENET_PARTS; k++) total += class_count(&w->sets[k]);
    w->wnids = fv_alloc((size_t)total * sizeof(*w->wnids));
    if (!w->wnids) return no_memory(err);
    total = 0;
    for (int k = 0; k < FV_IMAGENET_PARTS; k++) {
        const int64_t more = class_count(&w->sets[k]);
        for (int64_t i = 0; i < more; i++) w->wnids[total++] = class_wnid(&w->sets[k], i);
    }
    qsort(w->wnids, (size_t)total, sizeof(*w->wnids), compare_wnids);
    for (int64_t i = 0; i < total; i++) {
        if (i == 0 || w->wnids[i] != w->wnids[i - 1]) w->wnids[count++] = w->wnids[i];
    }
    w->classes = count;
    return FV_OK;
}

/* ImageNet's numbers where they apply. */
static fv_status number_classes(fv_imagenet_job *w, fv_error *err)
{
    FV_TRY(collect_classes(w, err));
    uint32_t other = 0;
    int others = 0;
    for (int i = w->classes - 1; i >= 0; i--) {
        if (fv_imagenet_class(w->wnids[i]) >= 0) continue;
        other = w->wnids[i];
        others++;
    }
    w->report->standard = !others && !w->o->renumber;
    if (others) {
        fv_log(FV_LOG_WARNING,
               "%d of %d classes are not of ImageNet 2012 (first n%08u): all are numbered in the "
               "order of their WNIDs, which is not the order of weights for ImageNet",
               others, w->classes, other);
    }
    if (w->report->standard) {
        uint32_t *all = fv_alloc(FV_IMAGENET_CLASSES * sizeof(*all));
        if (!all) return no_memory(err);
        for (int i = 0; i < FV_IMAGENET_CLASSES; i++) all[i] = fv_imagenet_wnid(i);
        fv_free(w->wnids);
        w->wnids = all;
        w->classes = FV_IMAGENET_CLASSES;
    }
    w->report->classes = w->classes;
    return FV_OK;
}

int fv_imagenet_number(const fv_imagenet_job *job, uint32_t wnid)
{
    const uint32_t *at =
        bsearch(&wnid, job->wnids, (size_t)job->classes, sizeof(*job->wnids), compare_wnids);
    return (int)(at - job->wnids);
}

/* ---- All of it ---- */

static fv_status do_all(fv_imagenet_job *w, fv_error *err)
{
    FV_TRY(open_parts(w, err));
    FV_TRY(number_classes(w, err));
    for (int i = 0; i < FV_IMAGENET_PARTS; i++) {
        if (w->report->parts[i].found) FV_TRY(fv_imagenet_list(w, &w->sets[i], err));
    }
    return fv_imagenet_write(w, err);
}

fv_status fv_imagenet_prepare(fv_imagenet_report *out, const fv_imagenet_options *options,
                              fv_error *err)
{
    *out = (fv_imagenet_report){ .classes = 0 };
    fv_imagenet_job *w = fv_alloc(sizeof(*w));
    if (!w) return no_memory(err);
    w->o = options;
    w->report = out;
    const fv_status status = do_all(w, err);
    for (int i = 0; i < FV_IMAGENET_PARTS; i++) {
        fv_dataset_close(w->sets[i].dataset);
        fv_free(w->sets[i].wnids);
        fv_val_labels_deinit(&w->sets[i].labels);
        fv_free(w->sets[i].text);
    }
    fv_synsets_deinit(&w->synsets);
    fv_free(w->wnids);
    fv_free(w);
    return status;
}
