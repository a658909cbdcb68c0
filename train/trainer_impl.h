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
    fv_schedule *schedule;
    fv_program *program;
    fv_network network;    /* what the program captures */
    fv_teachers *teachers; /* or NULL */
    int student_count;     /* parameters of the model that is evaluated; the others come after */
    fv_run_identity identity;
    char *config;   /* of the identity */
    float *targets; /* [batch_size][classes] of mixed pictures; NULL: pictures are not mixed */
    fv_progress progress;
    int64_t batches; /* per epoch */
    double rate;     /* of the last step */
    fv_stopwatch row, session;
    double evaluation_seconds; /* of the last one */
    char latest[FV_TRAINER_PATH], best[FV_TRAINER_PATH];
    bool latest_missing; /* the last write failed */
    bool other_missing;  /* a best_model.h5 or epoch_<n>.h5 could not be written */
};

/* An event of this kind with everything filled in that is known at any time. */
fv_train_event fv_trainer_event(const fv_trainer *t, fv_train_event_kind kind);
void fv_trainer_tell(const fv_trainer *t, const fv_train_event *event);

/* ---- keeper.c: which files are written when ---- */

/* latest.h5. FV_ERR_NUMERIC stops a run; other failures are told, remembered, and FV_OK. */
fv_status fv_trainer_save_latest(fv_trainer *t, fv_error *err);
/* The same for best_model.h5; *saved says whether it was written. */
fv_status fv_trainer_save_best(fv_trainer *t, bool *saved, fv_error *err);
/* epoch_<n>.h5, if they are wanted; removes those that are too many. */
fv_status fv_trainer_save_epoch(fv_trainer *t, fv_error *err);
/* FV_ERR_IO if a file that should be there is not. */
fv_status fv_trainer_check_files(const fv_trainer *t, fv_error *err);

#endif /* FV_TRAIN_TRAINER_IMPL_H */
