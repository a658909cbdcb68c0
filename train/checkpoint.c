/* SPDX-License-Identifier: Apache-2.0 */
#include "train/checkpoint.h"

#include "base/compiler.h"
#include "base/crc32.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/hdf5.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* Version 1 had neither averages nor accumulation nor early stopping. */
enum { FORMAT_VERSION = 2, PATH_BYTES = 4096 };

static const char MODEL[] = "model", RAW[] = "raw", AVERAGE[] = "average",
                  OPTIMIZER[] = "optimizer", GRADIENT[] = "gradient";

/* The attributes, written and read through the same tables. */
typedef struct attribute {
    const char *name;
    size_t offset;
    int since; /* version */
} attribute;

#define OF_PROGRESS(m, since) \
    { \
#m, offsetof(fv_progress, m), since \
    }
static const attribute progress_longs[] = {
    OF_PROGRESS(step, 1),          OF_PROGRESS(epoch, 1),   OF_PROGRESS(batch, 1),
    OF_PROGRESS(images, 1),        OF_PROGRESS(correct, 1), OF_PROGRESS(best_epoch, 1),
    OF_PROGRESS(best_averaged, 2), OF_PROGRESS(stale, 2),
};
static const attribute progress_doubles[] = {
    OF_PROGRESS(loss_sum, 1),
    OF_PROGRESS(best_top1, 1),
    OF_PROGRESS(seconds, 1),
    OF_PROGRESS(record, 2),
};

/* ---- The tensors of a file ---- */

/* Which groups there are, and what they hold. */
typedef struct layout {
    const fv_run_state *state;
    const char *raw, *average; /* groups; average: NULL if not there, or not wanted */
    bool gradients;
    int part; /* > 0: only so many parameters, of `average` if there is one, else of `raw` */
} layout;

typedef struct entry {
    const char *group, *name;
    int rank;
    int64_t dims[4];
    size_t count;
    float *data;
    fv_optimizer_slot slot; /* may hold the name */
} entry;

static void set_param(entry *e, const char *group, const fv_param *p, float *data)
{
    *e = (entry){
        .group = group, .name = p->name, .rank = p->rank, .count = p->count, .data = data
    };
    for (int k = 0; k < p->rank; k++) e->dims[k] = p->dims[k];
}

static void set_slot(entry *e, const fv_optimizer *optimizer, int i)
{
    *e = (entry){ .group = OPTIMIZER, .rank = 1, .slot = fv_optimizer_slot_at(optimizer, i) };
    e->name = e->slot.name;
    e->count = e->slot.count;
    e->dims[0] = (int64_t)e->count;
    e->data = e->slot.data;
}

static bool part_entry_at(const layout *l, int i, entry *e)
{
    const fv_run_state *s = l->state;
    if (i >= l->part) return false;
    const fv_param *p = fv_params_at(s->params, i);
    set_param(e, MODEL, p, l->average ? fv_average_at(s->average, i) : p->value);
    return true;
}

/* Entry i, which is empty (count 0) for a parameter without a gradient; false: no more. */
static bool entry_at(const layout *l, int i, entry *e)
{
    if (l->part) return part_entry_at(l, i, e);
    const fv_run_state *s = l->state;
    const int params = fv_params_count(s->params), slots = fv_optimizer_slot_count(s->optimizer);
    if (i < params) {
        const fv_param *p = fv_params_at(s->params, i);
        set_param(e, l->raw, p, p->value);
        return true;
    }
    i -= params;
    if (l->average && i < params) {
        set_param(e, l->average, fv_params_at(s->params, i), fv_average_at(s->average, i));
        return true;
    }
    if (l->average) i -= params;
    if (i < slots) {
        set_slot(e, s->optimizer, i);
        return true;
    }
    i -= slots;
    if (!l->gradients || i >= params) return false;
    const fv_param *p = fv_params_at(s->params, i);
    set_param(e, GRADIENT, p, p->grad);
    if (!p->trained || p->frozen) e->count = 0;
    return true;
}

static int count_entries(const layout *l, const char *group)
{
    entry e;
    int count = 0;
    for (int i = 0; entry_at(l, i, &e); i++) count += e.count > 0 && e.group == group;
    return count;
}

/* ---- Saving ---- */

static size_t state_bytes(const layout *l)
{
    entry e;
    size_t floats = 0;
    for (int i = 0; entry_at(l, i, &e); i++) floats += e.count;
    return floats * sizeof(float);
}

static fv_status check_room(const char *path, size_t bytes, fv_error *err)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    const int length = slash ? (int)(slash - path) : 0;
    snprintf(folder, sizeof(folder), "%.*s%s", length, path, slash ? "/" : ".");
    struct statvfs disk;
    if (statvfs(folder, &disk) != 0) return FV_OK; /* the writer will say what is wrong */
    const double room = (double)disk.f_bavail * (double)disk.f_frsize;
    const double need = 1.02 * (double)bytes + 1e6; /* HDF5's own data, and the texts */
    if (room >= need) return FV_OK;
    return fv_fail(err, FV_ERR_IO, "%s: not written: it needs %.1f MB, %.1f MB of disk are free",
                   path, need / 1e6, room / 1e6);
}

static bool all_finite(const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static fv_status check_finite(const char *path, const layout *l, fv_error *err)
{
    entry e;
    for (int i = 0; entry_at(l, i, &e); i++)
        if (!all_finite(e.data, e.count))
            return fv_fail(err, FV_ERR_NUMERIC, "%s: not written: %s is not finite", path, e.name);
    return FV_OK;
}

static fv_status write_tensors(fv_h5_writer *w, const layout *l, fv_error *err)
{
    entry e;
    for (int i = 0; entry_at(l, i, &e); i++)
        if (e.count) FV_TRY(fv_h5_write_floats(w, e.group, e.name, e.rank, e.dims, e.data, err));
    return FV_OK;
}

static fv_status write_identity(fv_h5_writer *w, const fv_run_identity *id, fv_error *err)
{
    FV_TRY(fv_h5_write_long(w, "format_version", FORMAT_VERSION, err));
    FV_TRY(fv_h5_write_text(w, "arch", id->arch, err));
    FV_TRY(fv_h5_write_text(w, "config", id->config, err));
    if (id->class_names) FV_TRY(fv_h5_write_text(w, "classes", id->class_names, err));
    if (id->preprocess) FV_TRY(fv_h5_write_text(w, "preprocess", id->preprocess, err));
    FV_TRY(fv_h5_write_long(w, "class_num", id->class_num, err));
    FV_TRY(fv_h5_write_long(w, "seed", id->seed, err));
    FV_TRY(fv_h5_write_long(w, "batch_size", id->batch_size, err));
    FV_TRY(fv_h5_write_long(w, "update_freq", id->update_freq, err));
    return fv_h5_write_long(w, "samples", id->samples, err);
}

static fv_status write_progress(fv_h5_writer *w, const fv_progress *p, fv_error *err)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(progress_longs); i++) {
        int64_t value;
        memcpy(&value, (const char *)p + progress_longs[i].offset, sizeof(value));
        FV_TRY(fv_h5_write_long(w, progress_longs[i].name, value, err));
    }
    for (size_t i = 0; i < FV_ARRAY_LEN(progress_doubles); i++) {
        double value;
        memcpy(&value, (const char *)p + progress_doubles[i].offset, sizeof(value));
        FV_TRY(fv_h5_write_double(w, progress_doubles[i].name, value, err));
    }
    return FV_OK;
}

fv_status fv_checkpoint_save(const char *path, const fv_run_identity *identity,
                             const fv_progress *progress, const fv_run_state *state,
                             fv_checkpoint_options options, fv_error *err)
{
    const layout l = { .state = state,
                       .raw = options.averaged ? RAW : MODEL,
                       .average = !state->average  ? NULL
                                : options.averaged ? MODEL
                                                   : AVERAGE,
                       .gradients = options.gradients,
                       .part = options.part };
    FV_TRY(check_finite(path, &l, err));
    FV_TRY(check_room(path, state_bytes(&l), err));
    fv_h5_writer *w = NULL;
    FV_TRY(fv_h5_create(&w, path, err));
    fv_status status = write_identity(w, identity, err);
    if (status == FV_OK) status = write_progress(w, progress, err);
    if (status == FV_OK) status = write_tensors(w, &l, err);
    if (status == FV_OK) return fv_h5_commit(w, err);
    fv_h5_discard(w);
    return status;
}

/* ---- Reading ---- */

static fv_status read_progress(fv_h5_reader *r, fv_progress *p, int64_t version, fv_error *err)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(progress_longs); i++) {
        int64_t value;
        if (progress_longs[i].since > version) continue;
        FV_TRY(fv_h5_read_long(r, progress_longs[i].name, &value, err));
        memcpy((char *)p + progress_longs[i].offset, &value, sizeof(value));
    }
    for (size_t i = 0; i < FV_ARRAY_LEN(progress_doubles); i++) {
        double value;
        if (progress_doubles[i].since > version) continue;
        FV_TRY(fv_h5_read_double(r, progress_doubles[i].name, &value, err));
        memcpy((char *)p + progress_doubles[i].offset, &value, sizeof(value));
    }
    return FV_OK;
}

static bool plausible(const fv_checkpoint_head *h)
{
    const fv_progress *p = &h->progress;
    return p->step >= 0 && p->epoch >= 0 && p->batch >= 0 && p->images >= 0 && p->correct >= 0 &&
           p->correct <= p->images && p->best_epoch >= 0 && isfinite(p->loss_sum) &&
           p->best_top1 >= -1.0 && p->best_top1 <= 1.0 && p->seconds >= 0.0 &&
           isfinite(p->seconds) && p->record >= -1.0 && p->record <= 1.0 && p->stale >= 0 &&
           h->class_num > 0 && h->batch_size > 0 && h->samples > 0 && h->update_freq > 0;
}

static fv_status read_head(fv_checkpoint_head *out, fv_h5_reader *r, const char *path,
                           fv_error *err)
{
    int64_t version;
    fv_error why;
    if (fv_h5_read_long(r, "format_version", &version, &why) != FV_OK)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: not a checkpoint of a run; to start from its weights use "
                       "Global.pretrained_model",
                       path);
    if (version < 1 || version > FORMAT_VERSION)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: a checkpoint of format %" PRId64 ", this program reads formats 1 to %d",
                       path, version, FORMAT_VERSION);
    FV_TRY(fv_h5_read_long(r, "class_num", &out->class_num, err));
    FV_TRY(fv_h5_read_long(r, "seed", &out->seed, err));
    FV_TRY(fv_h5_read_long(r, "batch_size", &out->batch_size, err));
    FV_TRY(fv_h5_read_long(r, "samples", &out->samples, err));
    out->update_freq = 1;
    if (version > 1) FV_TRY(fv_h5_read_long(r, "update_freq", &out->update_freq, err));
    out->progress.record = -1.0;
    FV_TRY(read_progress(r, &out->progress, version, err));
    FV_TRY(fv_h5_read_text(r, "arch", &out->arch, err));
    FV_TRY(fv_h5_read_text(r, "config", &out->config, err));
    const bool midway = out->progress.batch % fv_max(out->update_freq, 1) != 0;
    if (plausible(out) && midway == fv_h5_has_group(r, GRADIENT)) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%s: the position it gives is impossible", path);
}

fv_status fv_checkpoint_peek(fv_checkpoint_head *out, const char *path, fv_error *err)
{
    *out = (fv_checkpoint_head){ 0 };
    fv_h5_reader *r = NULL;
    FV_TRY(fv_h5_open(&r, path, err));
    const fv_status status = read_head(out, r, path, err);
    fv_h5_close(r);
    if (status != FV_OK) fv_checkpoint_head_deinit(out);
    return status;
}

void fv_checkpoint_head_deinit(fv_checkpoint_head *head)
{
    fv_free(head->arch);
    fv_free(head->config);
    *head = (fv_checkpoint_head){ 0 };
}

static fv_status check_count(fv_h5_reader *r, const char *path, const char *group, int expected,
                             fv_error *err)
{
    char **names = NULL;
    int count = 0;
    FV_TRY(fv_h5_list(r, group, &names, &count, err));
    fv_h5_names_free(names, count);
    if (count == expected) return FV_OK;
    return fv_fail(err, FV_ERR_FORMAT, "%s: %s holds %d tensors, this run has %d", path, group,
                   count, expected);
}

static fv_status check_counts(fv_h5_reader *r, const char *path, const layout *l, fv_error *err)
{
    const char *const groups[] = { l->raw, l->average, OPTIMIZER, l->gradients ? GRADIENT : NULL };
    for (size_t i = 0; i < FV_ARRAY_LEN(groups); i++) {
        const int count = groups[i] ? count_entries(l, groups[i]) : 0;
        if (count > 0) FV_TRY(check_count(r, path, groups[i], count, err));
    }
    return FV_OK;
}

/* Which groups of the file are to be read. */
static layout choose_layout(const fv_h5_reader *r, const char *path, const fv_run_state *state)
{
    const bool raw = fv_h5_has_group(r, RAW), average = fv_h5_has_group(r, AVERAGE);
    layout l = { .state = state, .raw = raw ? RAW : MODEL };
    if (state->average && (raw || average)) l.average = raw ? MODEL : AVERAGE;
    l.gradients = fv_h5_has_group(r, GRADIENT);
    if (state->average && !l.average)
        fv_log(FV_LOG_NOTICE, "%s: no averaged weights: EMA begins with those of the file", path);
    if (!state->average && (raw || average))
        fv_log(FV_LOG_NOTICE, "%s: without EMA its averaged weights are left out", path);
    return l;
}

static fv_status load_tensors(fv_h5_reader *r, const char *path, const fv_run_state *state,
                              fv_error *err)
{
    const layout l = choose_layout(r, path, state);
    entry e;
    FV_TRY(check_counts(r, path, &l, err));
    for (int i = 0; entry_at(&l, i, &e); i++)
        if (e.count) FV_TRY(fv_h5_read_floats(r, e.group, e.name, e.count, e.data, err));
    if (state->average && !l.average) fv_average_restart(state->average);
    return FV_OK;
}

fv_status fv_checkpoint_load(const char *path, const fv_run_state *state, fv_error *err)
{
    fv_h5_reader *r = NULL;
    FV_TRY(fv_h5_open(&r, path, err));
    const fv_status status = load_tensors(r, path, state, err);
    fv_h5_close(r);
    fv_params_touch(state->params);
    return status;
}

/* ---- Names and sums ---- */

fv_status fv_checkpoint_find(char *out, size_t size, const char *path,
                             const char *const *extensions, const char *where, fv_error *err)
{
    if (strstr(path, "://"))
        return fv_fail(err, FV_ERR_CONFIG, "%s: %s: files are not downloaded, give a path", where,
                       path);
    int length = snprintf(out, size, "%s", path);
    if (length >= 0 && (size_t)length < size && fv_file_exists(out)) return FV_OK;
    for (int i = 0; extensions[i]; i++) {
        length = snprintf(out, size, "%s%s", path, extensions[i]);
        if (length >= 0 && (size_t)length < size && fv_file_exists(out)) return FV_OK;
    }
    char all[64] = "";
    for (int i = 0; extensions[i]; i++) {
        const char *between = extensions[i + 1] ? ", " : " or ";
        const size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? between : "", extensions[i]);
    }
    return fv_fail(err, FV_ERR_IO, "%s: %s: no such file, with or without %s", where, path, all);
}

uint32_t fv_params_checksum(const fv_params *params)
{
    fv_crc32 crc32;
    fv_crc32_init(&crc32);
    uint32_t crc = 0;
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        crc = fv_crc32_add(&crc32, crc, p->name, strlen(p->name));
        crc = fv_crc32_add(&crc32, crc, p->value, p->count * sizeof(float));
    }
    return crc;
}
