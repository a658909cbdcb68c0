/* SPDX-License-Identifier: Apache-2.0 */
/* train/trainer.h - epochs and steps.
 *
 *     take a batch -> plan of its shape -> forward -> loss -> backward -> optimiser
 *
 * With Global.update_freq, several batches make a step of the optimiser, which their mean gradient
 * drives. After each epoch that is to be evaluated, and the last, comes an evaluation, which is the
 * caller's, and with EMA one of the averaged weights; then best_model.h5 is written if Top-1 is at
 * least the best so far, and latest.h5. Global.early_stop may end it all before the last epoch.
 * What a run computes depends on the config, the seed and the data alone: not on threads,
 * loader workers, or where it was stopped and resumed.
 *
 * A checkpoint that cannot be written (twice) is a loud warning, not the end: the old file is
 * still there, and training goes on; the run then ends with a failure unless a later write
 * made it good.
 */
#ifndef FV_TRAIN_TRAINER_H
#define FV_TRAIN_TRAINER_H

#include "autograd/program.h"
#include "data/source.h"
#include "train/checkpoint.h"
#include "train/journal.h"
#include "train/settings.h"

#include <signal.h>

typedef struct fv_trainer fv_trainer;

/* What an evaluation found; fractions. */
typedef struct fv_train_score {
    double top1, top5, loss;
    int64_t images;
    double seconds;
} fv_train_score;

typedef enum fv_train_event_kind {
    FV_TRAIN_STEP,      /* a batch is done */
    FV_TRAIN_EVALUATE,  /* an evaluation begins */
    FV_TRAIN_EVALUATED, /* it is done: `score`, `best` */
    FV_TRAIN_SAVED      /* a checkpoint was written: `path` */
} fv_train_event_kind;

/* What happened. Valid during the call. */
typedef struct fv_train_event {
    fv_train_event_kind kind;
    int64_t epoch, epochs;   /* epoch: the current one, from 1 */
    int64_t batch, batches;  /* done of this epoch */
    int64_t step;            /* done in all */
    double loss, top1, rate; /* loss and Top-1 over the epoch so far; top1 NAN: mixed labels */
    double images_per_second, wait_share; /* since the last row of the journal */
    double eta_seconds; /* to the end of the run, evaluations included; -1: not known yet */
    bool logged;        /* it ends a step that has a row in the journal */
    fv_train_score score;
    bool best;     /* the best so far, saved as such */
    bool averaged; /* of evaluations: the averaged weights are evaluated */
    const char *path;
} fv_train_event;

typedef void fv_train_event_fn(void *ctx, const fv_train_event *event);

/* Evaluates the weights as they are, through a program whose FV_EVAL plans have logits as
 * outputs[0]. FV_ERR_INTERRUPTED: stopped by the flag that the trainer has too. */
typedef fv_status fv_train_evaluate_fn(void *ctx, fv_program *program, fv_train_score *out,
                                       fv_error *err);

typedef struct fv_trainer_options {
    const fv_settings *settings;
    const fv_kernels *kernels;
    const fv_source *source;           /* DataLoader.Train, open */
    int classes;                       /* >= 1 */
    const char *class_names;           /* one per line, for the checkpoint; or NULL */
    const char *preprocess;            /* of evaluation, for the checkpoint; or NULL */
    fv_journal *journal;               /* open; begun by the trainer */
    fv_train_evaluate_fn *evaluate;    /* or NULL */
    fv_train_event_fn *event;          /* or NULL */
    void *ctx;                         /* of both */
    const volatile sig_atomic_t *stop; /* not 0: finish the step, save, stop; or NULL */
} fv_trainer_options;

/* Everything that can fail before the first step: parameters, weights or checkpoint, optimiser,
 * schedule, and the plans of all batch shapes. All of the options are borrowed. */
fv_status fv_trainer_create(fv_trainer **out, const fv_trainer_options *options, fv_error *err);
void fv_trainer_destroy(fv_trainer *trainer); /* accepts NULL */

/* Trains to the last epoch. FV_ERR_INTERRUPTED: stopped by the flag, latest.h5 is written.
 * FV_ERR_NUMERIC: the loss is not finite; the weights are those before that step, and no file
 * was touched. FV_ERR_IO: trained to the end, but a checkpoint is missing. */
fv_status fv_trainer_run(fv_trainer *trainer, fv_error *err);

const fv_params *fv_trainer_params(const fv_trainer *trainer);
const fv_progress *fv_trainer_progress(const fv_trainer *trainer);
int64_t fv_trainer_batches(const fv_trainer *trainer);    /* per epoch */
size_t fv_trainer_arena_bytes(const fv_trainer *trainer); /* of the plans */

/* output_dir/<name>, for messages; "latest.h5" or "best_model.h5". */
const char *fv_trainer_latest_path(const fv_trainer *trainer);
const char *fv_trainer_best_path(const fv_trainer *trainer);

#endif /* FV_TRAIN_TRAINER_H */
