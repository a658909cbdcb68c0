/* SPDX-License-Identifier: Apache-2.0 */
/* cli/run_folder.h - what a training run left in its folder, read back for reports.
 *
 *     metrics.csv    its rows; must be there
 *     run.json       what was trained, on what and with what
 *     config.yaml    the configuration, overrides applied
 *     answers.tsv    what the best model said about each picture to evaluate
 *
 * The last three may be missing, as in runs of older versions; what is there must be whole. Nothing
 * in them is trusted.
 */
#ifndef FV_CLI_RUN_FOLDER_H
#define FV_CLI_RUN_FOLDER_H

#include "eval/answers.h"
#include "train/history.h"

struct json_t;

typedef struct fv_run {
    const char *folder; /* borrowed: as it was given */
    fv_history history;
    struct json_t *about; /* of run.json, an object; or NULL */
    char *config;         /* of config.yaml; or NULL */
    fv_answers answers;   /* no rows: there are none */
    /* What follows from the rows. */
    const fv_row *best; /* evaluation with the highest Top-1, the last of several; or NULL */
    const fv_row *last; /* or NULL */
    double batches;     /* steps of an epoch; 0: no epoch is complete */
} fv_run;

fv_status fv_run_load(fv_run *out, const char *folder, fv_error *err);
void fv_run_deinit(fv_run *run); /* accepts an all-zero struct */

/* Texts and numbers of run.json; NULL and 0 where they are missing or something else. */
const char *fv_run_text(const fv_run *run, const char *key);
double fv_run_number(const fv_run *run, const char *key);
const char *fv_run_class_name(const fv_run *run, int id); /* NULL: not known */

/* The last part of its folder's path: a name for people. */
const char *fv_run_name(const fv_run *run);

/* Writes run.json or another file into the folder of a run. */
fv_status fv_run_write(const char *folder, const char *name, const char *text, fv_error *err);

#endif /* FV_CLI_RUN_FOLDER_H */
