/* SPDX-License-Identifier: Apache-2.0 */
/* train/journal.h - what a run leaves behind to be read: metrics.csv, metrics.jsonl, train.log,
 * and what TensorBoard reads, in the folder tensorboard/.
 *
 * The first two hold the same rows, one per step that is logged and one per evaluation; a run that
 * goes on cuts off the rows it is about to write again. So do the event files (io/events.h), in
 * their own way. train.log holds what the program said, line by line, of all runs in the folder.
 */
#ifndef FV_TRAIN_JOURNAL_H
#define FV_TRAIN_JOURNAL_H

#include "autograd/params.h"

typedef enum fv_row_kind {
    FV_ROW_TRAIN,
    FV_ROW_EVAL,
    FV_ROW_EVAL_AVERAGE /* of the averaged weights */
} fv_row_kind;

enum { FV_ROW_KINDS = FV_ROW_EVAL_AVERAGE + 1 };
const char *fv_row_kind_name(fv_row_kind kind); /* "train", "eval", "eval_ema": as in the files */

typedef struct fv_row {
    fv_row_kind kind;
    int64_t epoch;            /* from 1 */
    int64_t step;             /* optimiser steps done */
    double loss, top1;        /* training: over the epoch so far, top1 NAN where pictures are mixed;
                          evaluation: over all images */
    double top5;              /* of evaluations */
    double lr;                /* of the last step */
    double images_per_second; /* since the last row */
    double data_wait_share;   /* of the time since the last row, in [0, 1]; of training */
    double seconds;           /* of training since its very start */
} fv_row;

typedef struct fv_journal fv_journal;

/* Creates the folder if need be, opens train.log for appending, and leaves the metrics alone
 * until fv_journal_begin(). */
fv_status fv_journal_open(fv_journal **out, const char *folder, fv_error *err);
void fv_journal_close(fv_journal *journal); /* accepts NULL */

/* Starts the metrics anew, and removes the event files of the run before; or, to go on after `step`
 * steps, keeps the rows up to there: those of training, and with `evaluated` that of the evaluation
 * which followed that step. What is after them is cut off, a line torn by a crash too. */
fv_status fv_journal_begin(fv_journal *journal, bool resume, int64_t step, bool evaluated,
                           fv_error *err);

/* From now on rows go to an event file too, that of a run which goes on after `step` steps. */
fv_status fv_journal_open_events(fv_journal *journal, int64_t step, fv_error *err);

/* Appends to the files of metrics, to each whole or not at all. A failure (a full disk) is told
 * once in the log and remembered; training does not stop for it. */
void fv_journal_row(fv_journal *journal, const fv_row *row);

/* Histograms of all parameters, if there is an event file. */
void fv_journal_weights(fv_journal *journal, const fv_params *params, int64_t step);

/* Appends a line to train.log, with date and time. It does not log, so that a sink of base/log.h
 * may call it. */
void fv_journal_line(fv_journal *journal, const char *line);

bool fv_journal_failed(const fv_journal *journal); /* a row or a line is missing */

#endif /* FV_TRAIN_JOURNAL_H */
