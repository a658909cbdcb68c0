/* SPDX-License-Identifier: Apache-2.0 */
/* train/history.h - the rows that a run has written, read back. */
#ifndef FV_TRAIN_HISTORY_H
#define FV_TRAIN_HISTORY_H

#include "train/journal.h"

#include <stddef.h>

typedef struct fv_history {
    fv_row *rows; /* owned; numbers that a row does not have are NAN */
    size_t count;
    bool torn; /* the last line had no end and was left out: the run was cut off, or is writing */
} fv_history;

/* Reads metrics.csv of the folder of a run. Messages name the file and the line: no header, a
 * column that is missing, a number that is none, steps that go backwards. */
fv_status fv_history_load(fv_history *out, const char *folder, fv_error *err);
void fv_history_deinit(fv_history *history); /* accepts an all-zero struct */

#endif /* FV_TRAIN_HISTORY_H */
