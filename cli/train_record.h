/* SPDX-License-Identifier: Apache-2.0 */
/* cli/train_record.h - what training leaves behind for reports: run.json, config.yaml, answers.tsv,
 * report.html (cli/run_folder.h, cli/report.h).
 *
 * None of it is needed to train: what cannot be written is told in the log, once for each file.
 */
#ifndef FV_CLI_TRAIN_RECORD_H
#define FV_CLI_TRAIN_RECORD_H

#include "cli/options.h"
#include "eval/answers.h"
#include "train/trainer.h"

typedef struct fv_train_record {
    const char *folder; /* borrowed; NULL: not begun */
    const fv_dataset *dataset;
    fv_answers answers[2]; /* of the last evaluation: of the weights, of their average */
    bool averaged;         /* what is being evaluated */
    double written;        /* when the page was; seconds of fv_clock_seconds() */
} fv_train_record;

/* What a run is; all borrowed. */
typedef struct fv_train_facts {
    const fv_arguments *arguments;
    const fv_settings *settings;
    const fv_source *train, *eval; /* eval: all zeros if nothing is evaluated */
    const fv_trainer *trainer;
    int classes;
    const char *class_names; /* one per line; or NULL */
} fv_train_facts;

/* Writes run.json and config.yaml; a run that starts anew removes the page and the answers of the
 * one before. */
void fv_train_record_begin(fv_train_record *record, const fv_train_facts *facts);
void fv_train_record_deinit(fv_train_record *record); /* accepts an all-zero struct */

/* Sees what the trainer tells. Once a model is the best, what it answered is written; the page is
 * too, but not every minute. */
void fv_train_record_event(fv_train_record *record, const fv_train_event *event);
/* For each answer of an evaluation; an fv_answer_fn, ctx the record. */
void fv_train_record_answer(void *ctx, const fv_answer *answer);

/* Writes the page; `path`, of `size` bytes, says where, or is "" if that failed. */
void fv_train_record_end(fv_train_record *record, char *path, size_t size);

#endif /* FV_CLI_TRAIN_RECORD_H */
