/* SPDX-License-Identifier: Apache-2.0 */
/* train/trainer_impl.h - what the parts of the trainer share. For train/ only. */
#ifndef FV_TRAIN_TRAINER_IMPL_H
#define FV_TRAIN_TRAINER_IMPL_H

#include "optim/schedule.h"
#include "train/network.h"
#include "train/teachers.h"
#include "train/trainer.h"

enum { FV_TRAINER_PATH = 4096 };

/* What was measured since the last row of the journal, or in this process. */
typedef struct fv_stopwatch {
    double seconds, waited; /* of steps; of which waiting for data */
    int64_t images, steps;
} fv_stopwatch;

struct fv_trainer {
    fv_trainer_options options;
    const fv_settings *settings; /* those of the options */
    fv_params *params;
    fv_optimizer *optimizer;
    fv_average *average; /* or NULL */
    fv_schedule *schedule;
    fv_program *program;
    fv_loss loss;          /* that of the settings, with weights of classes */
    float *class_weights;  /* or NULL */
    fv_network network;    /* what the program captures */
    fv_teachers *teachers; /* or NULL */
    int student_count;     /* parameters of the model that is evaluated; the others come after */
    fv_run_identity identity;
    char *config;   /* of the identity */
    float *targets; /* [batch_size][classes] of mixed pictures; NULL: not mixed, or not needed */
    bool uncounted; /* pictures are mixed, or some have no label: Top-1 would mean nothing */
    fv_progress progress;
    int64_t stream;  /* batches in one pass over the data */
    int64_t batches; /* per epoch: those of them that make whole steps */
    int update_freq; /* batches per step */
    double rate;     /* of the last step */
    fv_stopwatch row, session;
    double evaluation_seconds; /* after the last epoch that had one */
    char latest[FV_TRAINER_PATH], best[FV_TRAINER_PATH];
    bool latest_missing; /* the last write failed */
    bool other_missing;  /* a best_model.h5 or epoch_<n>.h5 could not be written */
};

/* An event of this kind with everything filled in that is known at any time. */
fv_train_event fv_trainer_event(const fv_trainer *t, fv_train_event_kind kind);
void fv_trainer_tell(const fv_trainer *t, const fv_train_event *event);

/* Whether the gradients hold a part of a step. */
bool fv_trainer_is_midway(const fv_trainer *t);
fv_run_state fv_trainer_state(const fv_trainer *t);

/* ---- refusals.c: batches that cannot be trained on ---- */

/* Labels beyond the classes; and FV_ERR_IO where no picture at all can be read, after saving. */
fv_status fv_trainer_check_batch(fv_trainer *t, const fv_batch *batch, fv_error *err);
/* FV_ERR_NUMERIC. Tells all pictures of the batch in the log, and a few in the message. */
fv_status fv_trainer_fail_nonfinite(const fv_trainer *t, fv_plan *plan, const fv_batch *batch,
                                    double loss, fv_error *err);

/* ---- judge.c: how good it is by now ---- */

void fv_progress_finish_epoch(fv_progress *progress);
bool fv_trainer_judgement_due(const fv_trainer *t); /* after this epoch */
/* Evaluates the weights, and their average if there is one; then the epoch is finished, and the
 * better of the two may become best_model.h5. FV_ERR_INTERRUPTED: while evaluating, and nothing has
 * changed. */
fv_status fv_trainer_judge(fv_trainer *t, fv_error *err);
/* Whether Top-1 has not risen for so long that training is to end. */
bool fv_trainer_gives_up(const fv_trainer *t);

/* ---- keeper.c: which files are written when ---- */

/* latest.h5. FV_ERR_NUMERIC stops a run; other failures are told, remembered, and FV_OK. */
fv_status fv_trainer_save_latest(fv_trainer *t, fv_error *err);
/* The same for best_model.h5, of the averaged weights if progress says that these are best; *saved
 * says whether it was written. */
fv_status fv_trainer_save_best(fv_trainer *t, bool *saved, fv_error *err);
/* epoch_<n>.h5, if they are wanted; removes those that are too many. */
fv_status fv_trainer_save_epoch(fv_trainer *t, fv_error *err);
/* FV_ERR_IO if a file that should be there is not. */
fv_status fv_trainer_check_files(const fv_trainer *t, fv_error *err);

#endif /* FV_TRAIN_TRAINER_IMPL_H */
