/* SPDX-License-Identifier: Apache-2.0 */
/* train/checkpoint.h - everything needed to go on as if never stopped.
 *
 * One HDF5 file:
 *
 *     /model/<name>       parameters and running statistics
 *     /raw/<name>         those of training, where /model is their moving average; or
 *     /average/<name>     the other way round
 *     /optimizer/<name>   state of the optimiser, "velocity/<parameter>"
 *     /gradient/<name>    sums so far, in the middle of an accumulation
 *     attributes          format_version, arch, classes, preprocess, config, seed, step, ...
 *
 * What is random is a function of (seed, epoch, sample, step), so the position is all of the random
 * state. Such a file is also a file of weights (io/weights.h).
 */
#ifndef FV_TRAIN_CHECKPOINT_H
#define FV_TRAIN_CHECKPOINT_H

#include "autograd/params.h"
#include "optim/average.h"
#include "optim/optimizer.h"

/* How far a run has come. */
typedef struct fv_progress {
    int64_t step;            /* optimiser steps done */
    int64_t epoch;           /* epochs finished, their evaluation included */
    int64_t batch;           /* batches done of the next one */
    double loss_sum;         /* over the images of that epoch: their batch's mean loss */
    int64_t images, correct; /* of that epoch; correct at Top-1 */
    double best_top1;        /* fraction, of best_model.h5; -1: none yet */
    int64_t best_epoch;      /* counted from 1; 0: none yet */
    int64_t best_averaged;   /* 1: that was of the averaged weights */
    double record;           /* for stopping early: the Top-1 to beat; -1: none yet */
    int64_t stale;           /* evaluations since */
    double seconds;          /* of training, in all runs together */
} fv_progress;

/* What a run is: to be the same, or told, when it goes on. Strings are borrowed. */
typedef struct fv_run_identity {
    const char *arch;
    int64_t class_num, seed, batch_size;
    int64_t update_freq;     /* batches per step of the optimiser */
    int64_t samples;         /* of the training data */
    const char *class_names; /* one per line, in order; NULL: not known */
    const char *preprocess;  /* of evaluation, see fv_pipeline_describe(); NULL: none */
    const char *config;      /* resolved, YAML */
} fv_run_identity;

/* What a run has learned. Borrowed. */
typedef struct fv_run_state {
    fv_params *params;
    fv_optimizer *optimizer;
    fv_average *average; /* NULL: none is kept */
} fv_run_state;

/* What to write. */
typedef struct fv_checkpoint_options {
    bool averaged;  /* /model is the average, which there must be then */
    bool gradients; /* it is the middle of an accumulation */
    /* > 0: only /model, and of it only so many parameters, from the first: to be used, but no run
     * can go on with it. */
    int part;
} fv_checkpoint_options;

/* Replaces `path` atomically. Refuses, before a byte is written, when the disk has no room and
 * when a parameter or a state is not finite: a bad model must not replace a good one. */
fv_status fv_checkpoint_save(const char *path, const fv_run_identity *identity,
                             const fv_progress *progress, const fv_run_state *state,
                             fv_checkpoint_options options, fv_error *err);

/* What a file says of itself. */
typedef struct fv_checkpoint_head {
    fv_progress progress;
    int64_t class_num, seed, batch_size, update_freq, samples;
    char *arch, *config; /* owned */
} fv_checkpoint_head;

fv_status fv_checkpoint_peek(fv_checkpoint_head *out, const char *path, fv_error *err);
void fv_checkpoint_head_deinit(fv_checkpoint_head *head); /* accepts an all-zero struct */

/* Loads parameters, state, and gradients if there are; every tensor must be there, and no other. An
 * average that the file lacks begins anew, one too many is left out, both with a notice. Calls
 * fv_params_touch(). On an error some may have been changed. */
fv_status fv_checkpoint_load(const char *path, const fv_run_state *state, fv_error *err);

/* The file that `path` means: itself, or with one of `extensions` (NULL-terminated) appended.
 * Messages begin with `where`, the key it was given by. */
fv_status fv_checkpoint_find(char *out, size_t size, const char *path,
                             const char *const *extensions, const char *where, fv_error *err);

/* CRC-32 (IEEE 802.3) of the names and values of all parameters, in order. */
uint32_t fv_params_checksum(const fv_params *params);

#endif /* FV_TRAIN_CHECKPOINT_H */
