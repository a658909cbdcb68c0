/* SPDX-License-Identifier: Apache-2.0 */
#include "train/checkpoint.h"

#include "base/crc32.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/hdf5.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

enum { FORMAT_VERSION = 1, PATH_BYTES = 4096 };

static const char MODEL[] = "model", OPTIMIZER[] = "optimizer";

/* The attributes, written and read through the same tables. */
typedef struct attribute {
    const char *name;
    size_t offset;
} attribute;

#define OF_PROGRESS(m) \
    { \
#m, offsetof(fv_progress, m) \
    }
static const attribute progress_longs[] = {
    OF_PROGRESS(step),   OF_PROGRESS(epoch),   OF_PROGRESS(batch),
    OF_PROGRESS(images), OF_PROGRESS(correct), OF_PROGRESS(best_epoch),
};
static const attribute progress_doubles[] = {
    OF_PROGRESS(loss_sum),
    OF_PROGRESS(best_top1),
    OF_PROGRESS(seconds),
};

/* ---- Saving ---- */

static size_t state_bytes(const fv_params *params, const fv_optimizer *optimizer)
{
    size_t floats = 0;
    for (int i = 0; i < fv_params_count(params); i++) floats += fv_params_at(params, i)->count;
    for (int i = 0; i < fv_optimizer_slot_count(optimizer); i++)
        floats += fv_optimizer_slot_at(optimizer, i).count;
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

static fv_status check_finite(const char *path, const fv_params *params,
                              const fv_optimizer *optimizer, fv_error *err)
{
    const char *name = NULL;
    for (int i = 0; i < fv_params_count(params) && !name; i++) {
        const fv_param *p = fv_params_at(params, i);
        if (!all_finite(p->value, p->count)) name = p->name;
    }
    if (name) return fv_fail(err, FV_ERR_NUMERIC, "%s: not written: %s is not finite", path, name);
    for (int i = 0; i < fv_optimizer_slot_count(optimizer); i++) {
        const fv_optimizer_slot slot = fv_optimizer_slot_at(optimizer, i);
        if (!all_finite(slot.data, slot.count))
            return fv_fail(err, FV_ERR_NUMERIC, "%s: not written: %s is not finite", path,
                           slot.name);
    }
    return FV_OK;
}

static fv_status write_tensors(fv_h5_writer *w, int part, const fv_params *params,
                               const fv_optimizer *optimizer, fv_error *err)
{
    for (int i = 0; i < (part ? part : fv_params_count(params)); i++) {
        const fv_param *p = fv_params_at(params, i);
        int64_t dims[4];
        for (int k = 0; k < p->rank; k++) dims[k] = p->dims[k];
        FV_TRY(fv_h5_write_floats(w, MODEL, p->name, p->rank, dims, p->value, err));
    }
    for (int i = 0; i < fv_optimizer_slot_count(optimizer) && !part; i++) {
        const fv_optimizer_slot slot = fv_optimizer_slot_at(optimizer, i);
        const int64_t count = (int64_t)slot.count;
        FV_TRY(fv_h5_write_floats(w, OPTIMIZER, slot.name, 1, &count, slot.data, err));
    }
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
                             const fv_progress *progress, const fv_params *params,
                             const fv_optimizer *optimizer, fv_error *err)
{
    FV_TRY(check_finite(path, params, optimizer, err));
    FV_TRY(check_room(path, state_bytes(params, optimizer), err));
    fv_h5_writer *w = NULL;
    FV_TRY(fv_h5_create(&w, path, err));
    fv_status status = write_identity(w, identity, err);
    if (status == FV_OK) status = write_progress(w, progress, err);
    if (status == FV_OK) status = write_tensors(w, identity->part, params, optimizer, err);
    if (status == FV_OK) return fv_h5_commit(w, err);
    fv_h5_discard(w);
    return status;
}

/* ---- Reading ---- */

static fv_status read_progress(fv_h5_reader *r, fv_progress *p, fv_error *err)
{
    for (size_t i = 0; i < FV_ARRAY_LEN(progress_longs); i++) {
        int64_t value;
        FV_TRY(fv_h5_read_long(r, progress_longs[i].name, &value, err));
        memcpy((char *)p + progress_longs[i].offset, &value, sizeof(value));
    }
    for (size_t i = 0; i < FV_ARRAY_LEN(progress_doubles); i++) {
        double value;
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
           isfinite(p->seconds) && h->class_num > 0 && h->batch_size > 0 && h->samples > 0;
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
    if (version != FORMAT_VERSION)
        return fv_fail(err, FV_ERR_FORMAT,
                       "%s: a checkpoint of format %" PRId64 ", this program reads format %d", path,
                       version, FORMAT_VERSION);
    FV_TRY(fv_h5_read_long(r, "class_num", &out->class_num, err));
    FV_TRY(fv_h5_read_long(r, "seed", &out->seed, err));
    FV_TRY(fv_h5_read_long(r, "batch_size", &out->batch_size, err));
    FV_TRY(fv_h5_read_long(r, "samples", &out->samples, err));
    FV_TRY(read_progress(r, &out->progress, err));
    FV_TRY(fv_h5_read_text(r, "arch", &out->arch, err));
    FV_TRY(fv_h5_read_text(r, "config", &out->config, err));
    if (plausible(out)) return FV_OK;
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

static fv_status load_tensors(fv_h5_reader *r, const char *path, fv_params *params,
                              fv_optimizer *optimizer, fv_error *err)
{
    FV_TRY(check_count(r, path, MODEL, fv_params_count(params), err));
    const int slots = fv_optimizer_slot_count(optimizer);
    if (slots > 0) FV_TRY(check_count(r, path, OPTIMIZER, slots, err));
    for (int i = 0; i < fv_params_count(params); i++) {
        const fv_param *p = fv_params_at(params, i);
        FV_TRY(fv_h5_read_floats(r, MODEL, p->name, p->count, p->value, err));
    }
    for (int i = 0; i < slots; i++) {
        const fv_optimizer_slot slot = fv_optimizer_slot_at(optimizer, i);
        FV_TRY(fv_h5_read_floats(r, OPTIMIZER, slot.name, slot.count, slot.data, err));
    }
    return FV_OK;
}

fv_status fv_checkpoint_load(const char *path, fv_params *params, fv_optimizer *optimizer,
                             fv_error *err)
{
    fv_h5_reader *r = NULL;
    FV_TRY(fv_h5_open(&r, path, err));
    const fv_status status = load_tensors(r, path, params, optimizer, err);
    fv_h5_close(r);
    fv_params_touch(params);
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
    return fv_fail(err, FV_ERR_IO, "%s: %s: no such file, with or without %s%s%s", where, path,
                   extensions[0], extensions[1] ? " or " : "", extensions[1] ? extensions[1] : "");
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
