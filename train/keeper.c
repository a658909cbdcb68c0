/* SPDX-License-Identifier: Apache-2.0 */
/* train/keeper.c - the trainer's files. */
#include "base/file.h"
#include "base/log.h"
#include "train/trainer_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Writes a checkpoint, a second time if the first failed (a network file system may recover). A
 * failure but FV_ERR_NUMERIC is told and gives FV_OK with *saved false. */
static fv_status save(fv_trainer *t, const char *path, fv_checkpoint_options options, bool *saved,
                      fv_error *err)
{
    const fv_run_state state = fv_trainer_state(t);
    fv_status status = FV_OK;
    fv_error why;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (attempt > 0) nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
        status = fv_checkpoint_save(path, &t->identity, &t->progress, &state, options, &why);
        if (status == FV_OK || status == FV_ERR_NUMERIC) break;
    }
    *saved = status == FV_OK;
    if (status == FV_ERR_NUMERIC)
        return fv_fail(err, status, "after step %" PRId64 ": %.400s; lower the learning rate",
                       t->progress.step, why.message);
    if (status != FV_OK) {
        fv_log(FV_LOG_WARNING, "CHECKPOINT NOT WRITTEN, training goes on: %s", why.message);
        return FV_OK;
    }
    fv_train_event event = fv_trainer_event(t, FV_TRAIN_SAVED);
    event.path = path;
    fv_trainer_tell(t, &event);
    return FV_OK;
}

static fv_checkpoint_options whole(const fv_trainer *t)
{
    return (fv_checkpoint_options){ .averaged = t->average != NULL,
                                    .gradients = fv_trainer_is_midway(t) };
}

fv_status fv_trainer_save_latest(fv_trainer *t, fv_error *err)
{
    bool saved;
    FV_TRY(save(t, t->latest, whole(t), &saved, err));
    t->latest_missing = !saved;
    return FV_OK;
}

fv_status fv_trainer_save_best(fv_trainer *t, bool *saved, fv_error *err)
{
    const bool alone = t->student_count < fv_params_count(t->params);
    const fv_checkpoint_options options = { .averaged = t->progress.best_averaged != 0,
                                            .part = alone ? t->student_count : 0 };
    FV_TRY(save(t, t->best, options, saved, err));
    if (!*saved) t->other_missing = true;
    return FV_OK;
}

static bool epoch_path(const fv_trainer *t, int64_t epoch, char *path, size_t size)
{
    char name[40];
    snprintf(name, sizeof(name), "epoch_%" PRId64 ".h5", epoch);
    return fv_path_join(path, size, t->settings->global.output_dir, name);
}

fv_status fv_trainer_save_epoch(fv_trainer *t, fv_error *err)
{
    const int keep = t->settings->global.keep_checkpoints;
    const int64_t epoch = t->progress.epoch;
    char path[FV_TRAINER_PATH];
    if (keep == 0 || !epoch_path(t, epoch, path, sizeof(path))) return FV_OK;
    bool saved;
    FV_TRY(save(t, path, whole(t), &saved, err));
    if (!saved) {
        t->other_missing = true;
        return FV_OK; /* and keep the older ones */
    }
    const int64_t old = epoch - (int64_t)keep * t->settings->global.save_interval;
    if (old > 0 && epoch_path(t, old, path, sizeof(path))) unlink(path);
    return FV_OK;
}

fv_status fv_trainer_check_files(const fv_trainer *t, fv_error *err)
{
    if (t->latest_missing)
        return fv_fail(err, FV_ERR_IO,
                       "%s: could not be written at the end; it holds an older state", t->latest);
    if (t->other_missing)
        return fv_fail(err, FV_ERR_IO,
                       "%s: a checkpoint could not be written on the way, see the warnings",
                       t->settings->global.output_dir);
    if (fv_journal_failed(t->options.journal))
        return fv_fail(err, FV_ERR_IO, "%s: the journal could not be written completely",
                       t->settings->global.output_dir);
    return FV_OK;
}
