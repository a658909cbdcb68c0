/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/same_classes.h"

#include "base/file.h"
#include "base/log.h"
#include "data/imagenet_classes.h"
#include "eval/labels.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- Two names ---- */

/* "n01440764 tench" to its WNID and "tench"; false, and all of it words: there is no WNID. */
static bool cut_name(const char *name, uint32_t *wnid, const char **words)
{
    *words = name;
    if (!fv_wnid_read(name, wnid) || (name[9] && !isspace((unsigned char)name[9]))) return false;
    *words = name + 9 + strspn(name + 9, " \t");
    return true;
}

static bool is_number(const char *text) { return *text && !text[strspn(text, "0123456789")]; }

/* Whether two names of class `label` may be of the same class. */
static bool may_be_same(const char *weights, const char *data, int label)
{
    uint32_t a, b;
    const char *a_words, *b_words;
    if (strcmp(weights, data) == 0) return true;
    const bool a_wnid = cut_name(weights, &a, &a_words), b_wnid = cut_name(data, &b, &b_words);
    if (a_wnid && b_wnid) return a == b;
    if (is_number(data)) return atol(data) == label; /* a folder that is the number of its class */
    if (!*a_words || !*b_words) return true;         /* a WNID and words */
    return strcmp(a_words, b_words) == 0;
}

/* ---- Weights with names ---- */

static const char advice[] =
    "use the same folders, or a list with the numbers of the weights (fovea prepare-imagenet makes "
    "one for ImageNet); --any-classes evaluates nevertheless";

static fv_status compare_names(const fv_same_classes_options *o, const fv_labels *weights,
                               const fv_labels *names, fv_error *err)
{
    for (int i = 0; i < o->classes; i++) {
        const char *data = fv_dataset_class_name(o->dataset, i);
        if (!data) data = fv_labels_name(names, i);
        const char *known = fv_labels_name(weights, i);
        if (!data || !known || may_be_same(known, data, i)) continue;
        return fv_fail(err, FV_ERR_CONFIG, "%s: class %d is \"%.60s\", but \"%.60s\" in %.100s: %s",
                       o->where, i, data, known, o->stored->path, advice);
    }
    return FV_OK;
}

static fv_status compare_paths(const fv_same_classes_options *o, const fv_labels *weights,
                               fv_error *err)
{
    for (int64_t i = 0; i < fv_dataset_count(o->dataset); i++) {
        uint32_t said, known;
        const char *words, *path = fv_dataset_name(o->dataset, i);
        const int label = fv_dataset_label(o->dataset, i);
        const char *name = fv_labels_name(weights, label);
        if (!name || !cut_name(name, &known, &words) || !fv_wnid_find(path, &said) || said == known)
            continue;
        return fv_fail(err, FV_ERR_CONFIG,
                       "%s: %.100s has label %d, but class %d is \"%.60s\" in %.100s: %s", o->where,
                       path, label, label, name, o->stored->path, advice);
    }
    return FV_OK;
}

static fv_status compare(const fv_same_classes_options *o, fv_error *err)
{
    fv_labels weights = { .text = NULL }, names = { .text = NULL };
    FV_TRY(fv_labels_split(&weights, o->stored->class_names, o->classes, err));
    fv_status status = FV_OK;
    if (o->names && !fv_dataset_class_name(o->dataset, 0) && fv_file_exists(o->names))
        status = fv_labels_load(&names, o->names, o->classes, err);
    if (status == FV_OK) status = compare_names(o, &weights, &names, err);
    if (status == FV_OK) status = compare_paths(o, &weights, err);
    fv_labels_deinit(&weights);
    fv_labels_deinit(&names);
    return status;
}

/* ---- Weights without ---- */

static void guess(const fv_same_classes_options *o)
{
    for (int64_t i = 0; i < fv_dataset_count(o->dataset); i++) {
        uint32_t wnid;
        const char *path = fv_dataset_name(o->dataset, i);
        const int label = fv_dataset_label(o->dataset, i);
        const int known = fv_wnid_find(path, &wnid) ? fv_imagenet_class(wnid) : -1;
        if (known < 0 || known == label) continue;
        fv_log(FV_LOG_WARNING,
               "%s: %s has label %d, but n%08u is class %d of ImageNet: weights for ImageNet will "
               "be wrong about it; fovea prepare-imagenet makes right lists",
               o->where, path, label, wnid, known);
        return;
    }
}

fv_status fv_same_classes(const fv_same_classes_options *options, fv_error *err)
{
    if (options->stored->class_names) return compare(options, err);
    if (options->classes == FV_IMAGENET_CLASSES) guess(options);
    return FV_OK;
}
