/* SPDX-License-Identifier: Apache-2.0 */
/* train/refusals.c - batches that cannot be trained on. */
#include "base/log.h"
#include "train/trainer_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The labels must be checked here: nothing else stands between a list file and an index. */
static fv_status check_labels(const fv_trainer *t, const fv_batch *batch, fv_error *err)
{
    const bool needed = fv_loss_needs_labels(&t->settings->loss);
    for (int i = 0; i < batch->count; i++) {
        if (!needed && batch->labels[i] == (float)FV_UNLABELLED) continue;
        if (!(batch->labels[i] >= 0.0f && batch->labels[i] < (float)t->options.classes))
            return fv_fail(err, FV_ERR_CONFIG, "%s: label %g, but the model has %d classes",
                           fv_dataset_name(t->options.source->dataset, batch->samples[i]),
                           (double)batch->labels[i], t->options.classes);
    }
    return FV_OK;
}

enum { SURELY_WRONG = 4 }; /* pictures of a batch, none of which can be read: not bad luck */

/* What was learned before is saved: a disk may have gone away. */
static fv_status check_readable(fv_trainer *t, const fv_batch *batch, fv_error *err)
{
    int readable = 0;
    for (int i = 0; i < batch->count; i++) readable += batch->readable[i];
    if (readable > 0 || batch->count < SURELY_WRONG) return FV_OK;
    if (t->progress.step > 0) FV_TRY(fv_trainer_save_latest(t, err));
    return fv_fail(err, FV_ERR_IO,
                   "epoch %" PRId64 ": none of the %d pictures of batch %" PRId64
                   " can be read, as warned above: is DataLoader.Train.dataset.image_root right?",
                   t->progress.epoch + 1, batch->count, t->progress.batch + 1);
}

fv_status fv_trainer_check_batch(fv_trainer *t, const fv_batch *batch, fv_error *err)
{
    FV_TRY(check_readable(t, batch, err));
    return check_labels(t, batch, err);
}

fv_status fv_trainer_fail_nonfinite(const fv_trainer *t, fv_plan *plan, const fv_batch *batch,
                                    double loss, fv_error *err)
{
    enum { NAMED = 3 };
    const fv_dataset *dataset = t->options.source->dataset;
    char names[160] = "";
    for (int i = 0; i < batch->count; i++) {
        const char *name = fv_dataset_name(dataset, batch->samples[i]);
        fv_log(FV_LOG_WARNING, "in the batch whose loss is not finite: %s", name);
        const size_t used = strlen(names);
        if (i < NAMED) snprintf(names + used, sizeof(names) - used, "%s%.48s", i ? ", " : "", name);
    }
    const char *scope = fv_plan_find_nonfinite(plan);
    return fv_fail(err, FV_ERR_NUMERIC,
                   "epoch %" PRId64 ", batch %" PRId64 " (step %" PRId64 "): the loss is %g, first "
                   "not finite in %s; pictures: %s%s; nothing was saved since; lower the learning "
                   "rate or look at the pictures",
                   t->progress.epoch + 1, t->progress.batch + 1, t->progress.step + 1, loss,
                   scope && scope[0] ? scope : "the loss", names,
                   batch->count > NAMED ? ", ..." : "");
}
