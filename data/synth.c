/* SPDX-License-Identifier: Apache-2.0 */
#include "data/synth.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/encode.h"
#include "data/synth_impl.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { ROUND = 64, /* pictures between two calls of the progress callback */ NAME = 64 };

typedef struct split {
    const char *name, *list;
    uint32_t number; /* the "epoch" of its random streams */
} split;

static const split splits[] = { { "train", "train_list.txt", 0 }, { "val", "val_list.txt", 1 } };

typedef struct renderer {
    const char *folder;
    const fv_synth_options *options;
    int first; /* picture of this round's task 0, counted through both splits */
    struct {
        fv_status status;
        fv_error err;
        bool drawn;
    } results[ROUND];
} renderer;

const char *fv_synth_class_name(int label)
{
    return label >= 0 && label < FV_SYNTH_MAX_CLASSES ? fv_synth_classes[label].name : NULL;
}

static fv_status join(char path[PATH_MAX], const char *folder, const char *name, fv_error *err)
{
    if (fv_path_join(path, PATH_MAX, folder, name)) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%.200s: path too long: choose a shorter one", folder);
}

/* ---- Pictures ---- */

static void picture_name(char name[NAME], const fv_synth_options *o, const split *in, int index)
{
    snprintf(name, NAME, "%s/%06d_%s.jpg", in->name, index,
             fv_synth_classes[index % o->classes].name);
}

/* As fv_file_write(), but without its fsync, which takes longer than drawing: a picture that a
 * power cut empties is drawn again. */
static fv_status write_file(const char *path, const uint8_t *bytes, size_t size, fv_error *err)
{
    char temporary[PATH_MAX];
    FV_TRY(fv_file_temporary(path, temporary, sizeof temporary, err));
    FILE *file = fopen(temporary, "wb");
    bool written = file && fwrite(bytes, 1, size, file) == size;
    if (file) written = fclose(file) == 0 && written;
    if (written && rename(temporary, path) == 0) return FV_OK;
    const int why = errno;
    fv_file_discard(temporary);
    return fv_fail(err, FV_ERR_IO, "%s: cannot write: %s", path, strerror(why));
}

static bool is_there(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
}

static fv_status write_picture(const char *path, const fv_picture *image, fv_random *random,
                               fv_error *err)
{
    const fv_jpeg_options jpeg = { .quality = fv_random_int(random, 60, 95),
                                   .subsample = fv_random_u32(random) & 1 };
    uint8_t *bytes = NULL;
    size_t size = 0;
    FV_TRY(fv_encode_jpeg(image, &jpeg, &bytes, &size, err));
    const fv_status status = write_file(path, bytes, size, err);
    fv_free(bytes);
    return status;
}

static fv_status render_one(renderer *r, int picture, bool *drawn, fv_error *err)
{
    const split *in = &splits[picture >= r->options->train];
    const int index = picture - (in->number ? r->options->train : 0);
    char name[NAME], path[PATH_MAX];
    picture_name(name, r->options, in, index);
    FV_TRY(join(path, r->folder, name, err));
    if (is_there(path)) return FV_OK;
    fv_random random =
        fv_random_stream(r->options->seed, FV_RANDOM_SYNTH, in->number, (uint64_t)index);
    fv_picture image = { 0 };
    fv_status status =
        fv_synth_draw(&fv_synth_classes[index % r->options->classes], &random, &image, err);
    if (status == FV_OK) status = write_picture(path, &image, &random, err);
    *drawn = status == FV_OK;
    fv_picture_deinit(&image);
    return status;
}

static void render_task(void *ctx, int task, int worker)
{
    (void)worker;
    renderer *r = ctx;
    r->results[task].drawn = false;
    r->results[task].status =
        render_one(r, r->first + task, &r->results[task].drawn, &r->results[task].err);
}

static fv_status render_all(renderer *r, fv_synth_progress_fn *progress, void *ctx, int *drawn,
                            fv_error *err)
{
    const int total = r->options->train + r->options->val;
    for (r->first = 0; r->first < total; r->first += ROUND) {
        const int count = fv_min(ROUND, total - r->first);
        fv_parallel_for(count, render_task, r);
        for (int i = 0; i < count; i++) {
            if (r->results[i].status != FV_OK)
                return fv_fail(err, r->results[i].status, "%s", r->results[i].err.message);
            *drawn += r->results[i].drawn;
        }
        if (progress) progress(ctx, r->first + count, total);
    }
    return FV_OK;
}

/* ---- Lists ---- */

static fv_status write_text(const char *folder, const char *name, const char *text, fv_error *err)
{
    char path[PATH_MAX];
    FV_TRY(join(path, folder, name, err));
    return fv_file_write(path, text, strlen(text), err);
}

static fv_status write_labels(const char *folder, const fv_synth_options *o, fv_error *err)
{
    char text[FV_SYNTH_MAX_CLASSES * 32];
    int used = 0;
    for (int i = 0; i < o->classes; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%d %s\n", i,
                         fv_synth_classes[i].name);
    return write_text(folder, "label_list.txt", text, err);
}

static fv_status write_list(const char *folder, const fv_synth_options *o, const split *of,
                            fv_error *err)
{
    const int count = of->number ? o->val : o->train;
    const size_t bytes = (size_t)count * (NAME + 8) + 1;
    char *text = fv_alloc(bytes), name[NAME];
    if (!text) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", of->list);
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        picture_name(name, o, of, i);
        used += (size_t)snprintf(text + used, bytes - used, "%s %d\n", name, i % o->classes);
    }
    const fv_status status = write_text(folder, of->list, text, err);
    fv_free(text);
    return status;
}

/* ---- The folder ---- */

static fv_status check_options(const fv_synth_options *o, fv_error *err)
{
    if (o->classes < 2 || o->classes > FV_SYNTH_MAX_CLASSES)
        return fv_fail(err, FV_ERR_CONFIG, "synth: %d classes: give 2 to %d", o->classes,
                       FV_SYNTH_MAX_CLASSES);
    const int least = fv_min(o->train, o->val), most = fv_max(o->train, o->val);
    if (least < 1 || most > FV_SYNTH_MAX_PICTURES)
        return fv_fail(err, FV_ERR_CONFIG, "synth: %d pictures: give 1 to %d",
                       least < 1 ? least : most, FV_SYNTH_MAX_PICTURES);
    return FV_OK;
}

/* Makes the folder ours: it says in synth.txt what it holds, or will hold. */
static fv_status claim(const char *folder, const fv_synth_options *o, fv_error *err)
{
    char mine[128], stamp[PATH_MAX], list[PATH_MAX];
    snprintf(mine, sizeof mine, "fovea synth: version 1, %d classes, %d train, %d val, seed %llu\n",
             o->classes, o->train, o->val, (unsigned long long)o->seed);
    FV_TRY(join(stamp, folder, "synth.txt", err));
    FV_TRY(join(list, folder, splits[0].list, err));
    if (!fv_file_exists(stamp)) {
        if (fv_file_exists(list))
            return fv_fail(err, FV_ERR_IO, "%s: another data set lies here: choose another folder",
                           folder);
        return fv_file_write(stamp, mine, strlen(mine), err);
    }
    char *theirs = NULL;
    size_t bytes = 0;
    FV_TRY(fv_file_read(stamp, 4096, &theirs, &bytes, err));
    const bool same = strcmp(mine, theirs) == 0;
    theirs[strcspn(theirs, "\n")] = '\0';
    const fv_status status = same ? FV_OK
                                  : fv_fail(err, FV_ERR_CONFIG,
                                            "%s: made with other options (%.200s): remove it or "
                                            "choose another folder",
                                            folder, theirs);
    fv_free(theirs);
    return status;
}

static fv_status make_folders(const char *folder, fv_error *err)
{
    char path[PATH_MAX];
    for (int i = 0; i < (int)FV_ARRAY_LEN(splits); i++) {
        FV_TRY(join(path, folder, splits[i].name, err));
        FV_TRY(fv_file_make_folder(path, err));
    }
    return FV_OK;
}

static bool lists_exist(const char *folder)
{
    static const char *const names[] = { "label_list.txt", "val_list.txt", "train_list.txt" };
    char path[PATH_MAX];
    for (int i = 0; i < (int)FV_ARRAY_LEN(names); i++)
        if (!fv_path_join(path, sizeof path, folder, names[i]) || !fv_file_exists(path))
            return false;
    return true;
}

fv_status fv_synth_render(const char *folder, const fv_synth_options *options,
                          fv_synth_progress_fn *progress, void *ctx, int *drawn, fv_error *err)
{
    int count = 0;
    FV_TRY(check_options(options, err));
    FV_TRY(fv_file_make_folder(folder, err));
    FV_TRY(claim(folder, options, err));
    FV_TRY(make_folders(folder, err));
    renderer *r = fv_alloc(sizeof *r);
    if (!r) return fv_fail(err, FV_ERR_NOMEM, "%s: out of memory", folder);
    r->folder = folder;
    r->options = options;
    const fv_status status = render_all(r, progress, ctx, &count, err);
    fv_free(r);
    FV_TRY(status);
    if (drawn) *drawn = count;
    if (count == 0 && lists_exist(folder)) return FV_OK;
    FV_TRY(write_labels(folder, options, err));
    FV_TRY(write_list(folder, options, &splits[1], err));
    return write_list(folder, options, &splits[0], err);
}
