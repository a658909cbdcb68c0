/* SPDX-License-Identifier: Apache-2.0 */
/* cli/progress.h - how a training run looks: one bar on a terminal, plain lines elsewhere. */
#ifndef FV_CLI_PROGRESS_H
#define FV_CLI_PROGRESS_H

#include "train/trainer.h"

enum { FV_PROGRESS_LINE = 4096 }; /* bytes that hold any line */

/* The line of an event for a log file: a step or an evaluation. */
void fv_progress_line(char *out, size_t size, const fv_train_event *event);

/* The bar after a step, at most `columns` wide, without a newline. The narrower, the less it
 * says. */
void fv_progress_bar(char *out, size_t size, const fv_train_event *event, int columns, bool colour);

/* "0:00:07", "3:25:45", "2 days, 1:07:00"; "?" for a negative time. */
void fv_progress_time(char *out, size_t size, double seconds);

#endif /* FV_CLI_PROGRESS_H */
