/* SPDX-License-Identifier: Apache-2.0 */
/* The lists: what goes into them, whether that is all of ImageNet, and writing them. */
#include "base/compiler.h"
#include "base/file.h"
#include "base/log.h"
#include "data/dataset_impl.h"
#include "data/imagenet_classes.h"
#include "data/imagenet_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 30 /* bytes of a list: what can be read again */ };

static const char *const part_names[FV_IMAGENET_PARTS] = { "train", "val" };

/* Of the set of 2012, and of ImageNetV2 */
static const int64_t pictures_due[FV_IMAGENET_PARTS] = { 1281167, 50000 };
enum { V2_PICTURES = 10000 };

/* Classes of ILSVRC2012_val_00000001.JPEG and those that follow. */
static const int first_labels[] = { 65, 970, 230, 809, 516, 57 };

/* What becomes of the samples of a part. */
typedef struct tally {
    int64_t *per_class; /* [classes] */
    int64_t missing;    /* labels without a picture */
    char first_missing[PATH_MAX];
} tally;

/* ---- Samples ---- */

static int64_t sample_count(const fv_imagenet_sample_set *s)
{
    return s->dataset ? fv_dataset_count(s->dataset) : s->labels.count;
}

static const char *sample_name(const fv_imagenet_sample_set *s, int64_t i)
{
    return s->dataset ? fv_dataset_name(s->dataset, i) : s->labels.items[i].name;
}

static uint32_t sample_wnid(const fv_imagenet_sample_set *s, int64_t i)
{
    return s->dataset ? s->wnids[fv_dataset_label(s->dataset, i)] : s->labels.items[i].wnid;
}

/* A path whose folders or name say another class than its label. */
static fv_status check_path(const fv_imagenet_sample_set *s, const char *name, uint32_t wnid,
                            fv_error *err)
{
    uint32_t said;
    if (s->place.layout != FV_LAYOUT_LIST || !fv_wnid_find(name, &said) || said == wnid) {
        return FV_OK;
    }
    return fv_fail(err, FV_ERR_FORMAT,
                   "%.200s: %.150s has label %d, which is n%08u: the list does not number the "
                   "classes in the order of their WNIDs",
                   s->place.path, name, fv_imagenet_class(wnid), wnid);
}

/* Labels that went wrong on their way are told by the pictures whose class everybody knows. */
static fv_status check_first(const fv_imagenet_job *job, const char *path, int label, fv_error *err)
{
    int number = 0;
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (!job->report->standard || sscanf(name, "ILSVRC2012_val_%8d.", &number) != 1 || number < 1 ||
        number > (int)FV_ARRAY_LEN(first_labels) || label == first_labels[number - 1]) {
        return FV_OK;
    }
    return fv_fail(err, FV_ERR_FORMAT,
                   "%.200s: its class is %d (n%08u), but here it has %d (n%08u): the labels are "
                   "wrong",
                   name, first_labels[number - 1], fv_imagenet_wnid(first_labels[number - 1]),
                   label, fv_imagenet_wnid(label));
}

static fv_status add_line(fv_imagenet_sample_set *s, const char *path, int label, fv_error *err)
{
    char line[PATH_MAX + 16];
    if (strpbrk(path, "\r\n")) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: a name with a line break in it", path);
    }
    const size_t length = (size_t)snprintf(line, sizeof(line), "%s %d\n", path, label);
    if (s->bytes + length > FILE_LIMIT) {
        return fv_fail(err, FV_ERR_FORMAT, "%.300s: a list of more than 1 GiB", s->place.path);
    }
    void *text = s->text;
    const fv_status status = fv_dataset_grow(&text, 1, s->bytes, s->bytes + length, &s->room, err);
    s->text = text;
    if (status != FV_OK) return status;
    memcpy(s->text + s->bytes, line, length);
    s->bytes += length;
    return FV_OK;
}

/* Folders tell what they hold; other labels have to be looked after. */
static bool is_missing(const fv_imagenet_job *job, const fv_imagenet_sample_set *s,
                       const char *path, tally *t)
{
    char full[PATH_MAX];
    if (s->place.layout != FV_LAYOUT_LIST && s->place.layout != FV_LAYOUT_FLAT) return false;
    if (fv_path_join(full, sizeof(full), job->o->folder, path) && fv_file_exists(full)) {
        return false;
    }
    if (t->missing++ == 0) snprintf(t->first_missing, sizeof(t->first_missing), "%s", path);
    return true;
}

static fv_status add_sample(fv_imagenet_job *job, fv_imagenet_sample_set *s, int64_t i, tally *t,
                            fv_error *err)
{
    char path[PATH_MAX];
    const char *name = sample_name(s, i);
    const uint32_t wnid = sample_wnid(s, i);
    const char *prefix = s->place.layout == FV_LAYOUT_LIST ? "" : s->place.prefix;
    if (!fv_path_join(path, sizeof(path), prefix, name)) {
        return fv_fail(err, FV_ERR_IO, "%.300s: the path is too long", name);
    }
    if (is_missing(job, s, path, t)) return FV_OK;
    const int label = fv_imagenet_number(job, wnid);
    FV_TRY(check_path(s, name, wnid, err));
    FV_TRY(check_first(job, path, label, err));
    t->per_class[label]++;
    return add_line(s, path, label, err);
}

static fv_status add_samples(fv_imagenet_job *job, fv_imagenet_sample_set *s, tally *t,
                             fv_error *err)
{
    const fv_imagenet_options *o = job->o;
    const int64_t count = sample_count(s);
    for (int64_t i = 0; i < count; i++) {
        FV_TRY(add_sample(job, s, i, t, err));
        if (o->progress && (i % 1000 == 0 || i + 1 == count)) {
            o->progress(o->ctx, "listing pictures", i + 1, count);
        }
        if (o->stop && *o->stop) {
            return fv_fail(err, FV_ERR_INTERRUPTED, "interrupted: nothing was written");
        }
    }
    return FV_OK;
}

/* ---- Is that all? ---- */

static void describe(const fv_imagenet_sample_set *s, char *out, size_t size)
{
    static const char *const forms[] = { [FV_LAYOUT_NONE] = "nothing",
                                         [FV_LAYOUT_WNIDS] = "folders by WNID",
                                         [FV_LAYOUT_NUMBERS] = "folders by number",
                                         [FV_LAYOUT_FLAT] = "one folder, labels of",
                                         [FV_LAYOUT_LIST] = "a list" };
    const bool flat = s->place.layout == FV_LAYOUT_FLAT;
    snprintf(out, size, "%.2000s: %s%s%.2000s", s->place.path, forms[s->place.layout],
             flat ? " " : "", flat ? s->labels_path : "");
}

static void count_pictures(const fv_imagenet_job *job, const fv_imagenet_sample_set *s,
                           const tally *t)
{
    fv_imagenet_part *p = &job->report->parts[s->part];
    for (int c = 0; c < job->classes; c++) {
        const int64_t n = t->per_class[c];
        if (n == 0) continue;
        p->fewest = p->classes == 0 ? n : fv_min(p->fewest, n);
        p->most = fv_max(p->most, n);
        p->pictures += n;
        p->classes++;
    }
    p->pictures_due = s->place.layout == FV_LAYOUT_NUMBERS ? V2_PICTURES : pictures_due[s->part];
    p->classes_due = FV_IMAGENET_CLASSES;
    describe(s, p->source, sizeof(p->source));
}

static void warn_of_classes(const fv_imagenet_job *job, const fv_imagenet_sample_set *s,
                            const tally *t)
{
    const fv_imagenet_part *p = &job->report->parts[s->part];
    if (p->classes == p->classes_due && job->report->standard) return;
    int lacking = 0;
    while (lacking < job->classes && t->per_class[lacking]) lacking++;
    if (lacking < job->classes) {
        fv_log(FV_LOG_WARNING,
               "%s: pictures of %d of %d classes; the first without any is %d, n%08u",
               part_names[s->part], p->classes, job->classes, lacking, job->wnids[lacking]);
    }
}

static void warn(const fv_imagenet_job *job, const fv_imagenet_sample_set *s, const tally *t)
{
    const fv_imagenet_part *p = &job->report->parts[s->part];
    const int64_t unlabelled =
        s->place.layout == FV_LAYOUT_FLAT ? s->place.pictures - p->pictures : 0;
    if (p->pictures != p->pictures_due) {
        fv_log(FV_LOG_WARNING, "%s: %lld picture%s, but the whole set has %lld",
               part_names[s->part], (long long)p->pictures, p->pictures == 1 ? "" : "s",
               (long long)p->pictures_due);
    }
    warn_of_classes(job, s, t);
    if (t->missing) {
        fv_log(FV_LOG_WARNING, "%s: %lld labels without a picture are left out, the first is %s",
               part_names[s->part], (long long)t->missing, t->first_missing);
    }
    if (unlabelled > 0) {
        fv_log(FV_LOG_WARNING, "%s: %lld pictures without a label are left out",
               part_names[s->part], (long long)unlabelled);
    }
}

fv_status fv_imagenet_list(fv_imagenet_job *job, fv_imagenet_sample_set *set, fv_error *err)
{
    tally t = { .per_class = fv_alloc((size_t)job->classes * sizeof(*t.per_class)) };
    if (!t.per_class) return fv_fail(err, FV_ERR_NOMEM, "imagenet: out of memory");
    fv_status status = add_samples(job, set, &t, err);
    if (status == FV_OK && !set->bytes) {
        status = fv_fail(err, FV_ERR_FORMAT, "%.200s: none of the labelled pictures is there (%s)",
                         set->place.path, t.first_missing);
    }
    if (status == FV_OK) {
        count_pictures(job, set, &t);
        warn(job, set, &t);
    }
    fv_free(t.per_class);
    return status;
}

/* ---- Writing ---- */

typedef struct file {
    char *path; /* in the report */
    const char *text;
    size_t bytes;
    bool same; /* it is there already */
} file;

static int compare_lines(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Cuts a text into lines, sorted; freed by the caller. NULL: out of memory. */
static char **sort_lines(char *text, size_t *count)
{
    *count = 0;
    for (const char *p = text; *p; p++) *count += *p == '\n';
    char **lines = fv_alloc((*count + 1) * sizeof(*lines));
    if (!lines) return NULL;
    for (size_t i = 0; i < *count; i++) {
        lines[i] = text;
        text = strchr(text, '\n');
        *text++ = '\0';
    }
    qsort(lines, *count, sizeof(*lines), compare_lines);
    return lines;
}

/* Whether two texts of as many bytes have the same lines, in whatever order. Cuts `a` up. */
static fv_status have_same_lines(char *a, const char *b, size_t bytes, bool *same, fv_error *err)
{
    size_t a_count = 0, b_count = 0;
    char *copy = fv_alloc(bytes + 1), **b_lines = NULL, **a_lines = sort_lines(a, &a_count);
    if (copy) {
        memcpy(copy, b, bytes);
        b_lines = sort_lines(copy, &b_count);
    }
    const bool enough = a_lines && b_lines;
    *same = enough && a_count == b_count;
    for (size_t i = 0; *same && i < a_count; i++) *same = strcmp(a_lines[i], b_lines[i]) == 0;
    fv_free(a_lines);
    fv_free(b_lines);
    fv_free(copy);
    return enough ? FV_OK : fv_fail(err, FV_ERR_NOMEM, "imagenet: out of memory");
}

/* An own list of the same name must not be lost; one in another order, such as PaddleClas's for
 * train, says the same and stays. */
static fv_status check_file(file *f, bool replace, fv_error *err)
{
    char *old = NULL;
    size_t bytes = 0;
    if (!fv_file_exists(f->path)) return FV_OK;
    FV_TRY(fv_file_read(f->path, FILE_LIMIT, &old, &bytes, err));
    fv_status status = FV_OK;
    f->same = bytes == f->bytes && memcmp(old, f->text, bytes) == 0;
    if (!f->same && bytes == f->bytes && bytes > 0 && old[bytes - 1] == '\n' &&
        !memchr(old, '\0', bytes)) {
        status = have_same_lines(old, f->text, bytes, &f->same, err);
    }
    fv_free(old);
    if (status != FV_OK) return status;
    if (f->same || replace) return FV_OK;
    return fv_fail(err, FV_ERR_CONFIG,
                   "%.300s: is there already and says other things: --replace writes it anew, "
                   "--out writes elsewhere",
                   f->path);
}

/* "7 n01514668 cock" per line; freed by the caller. NULL: out of memory. */
static char *join_names(const fv_imagenet_job *job, size_t *bytes)
{
    enum { NUMBERS = 32 /* bytes of a line besides its words */ };
    size_t room = 1, used = 0;
    for (int i = 0; i < job->classes; i++) {
        room += NUMBERS + strlen(fv_synsets_words(&job->synsets, job->wnids[i]));
    }
    char *text = fv_alloc(room);
    for (int i = 0; text && i < job->classes; i++) {
        const char *words = fv_synsets_words(&job->synsets, job->wnids[i]);
        used += (size_t)snprintf(text + used, room - used, "%d n%08u%s%s\n", i, job->wnids[i],
                                 *words ? " " : "", words);
    }
    *bytes = used;
    return text;
}

static fv_status name_file(file *f, char path[PATH_MAX], const char *folder, const char *name,
                           fv_error *err)
{
    if (!fv_path_join(path, PATH_MAX, folder, name)) {
        return fv_fail(err, FV_ERR_IO, "%.300s: the path is too long", folder);
    }
    f->path = path;
    return FV_OK;
}

static fv_status write_files(fv_imagenet_job *job, file *names, fv_error *err)
{
    file files[FV_IMAGENET_PARTS + 1];
    const char *folder = job->o->out ? job->o->out : job->o->folder;
    int count = 0;
    FV_TRY(fv_file_make_folder(folder, err));
    for (int i = 0; i < FV_IMAGENET_PARTS; i++) {
        fv_imagenet_part *part = &job->report->parts[i];
        if (!part->found) continue;
        files[count] = (file){ .text = job->sets[i].text, .bytes = job->sets[i].bytes };
        FV_TRY(name_file(&files[count++], part->list, folder,
                         i == FV_IMAGENET_TRAIN ? "train_list.txt" : "val_list.txt", err));
    }
    files[count] = *names;
    FV_TRY(name_file(&files[count++], job->report->labels, folder, "labels.txt", err));
    for (int i = 0; i < count; i++) FV_TRY(check_file(&files[i], job->o->replace, err));
    for (int i = 0; i < count; i++) {
        if (files[i].same) continue;
        FV_TRY(fv_file_write(files[i].path, files[i].text, files[i].bytes, err));
    }
    return FV_OK;
}

fv_status fv_imagenet_write(fv_imagenet_job *job, fv_error *err)
{
    file names = { .path = NULL };
    char *text = join_names(job, &names.bytes);
    if (!text) return fv_fail(err, FV_ERR_NOMEM, "imagenet: out of memory");
    names.text = text;
    const fv_status status = write_files(job, &names, err);
    fv_free(text);
    return status;
}
