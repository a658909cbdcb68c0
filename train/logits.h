/* SPDX-License-Identifier: Apache-2.0 */
/* train/logits.h - a file of what a model answered, a row for each picture of a data set.
 *
 * The file is of one set of weights and one list of pictures: for others it starts anew, with a
 * notice. A row is believed only if its checksum is right. Trouble with the file never stops a
 * run: it is told once, and the file is no longer used.
 */
#ifndef FV_TRAIN_LOGITS_H
#define FV_TRAIN_LOGITS_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fv_logits fv_logits;

/* Opens or creates `path`. `key` stands for weights, pictures and their preparation. A file that is
 * something else is an error. */
fv_status fv_logits_open(fv_logits **out, const char *path, uint32_t key, int64_t pictures,
                         int classes, fv_error *err);
void fv_logits_close(fv_logits *logits); /* accepts NULL */

/* Rows of the pictures `samples`, [count][classes]. False: not all of them are there; what `rows`
 * holds then is of no use. */
bool fv_logits_find(fv_logits *logits, const int64_t *samples, int count, float *rows);

/* Remembers a row. */
void fv_logits_keep(fv_logits *logits, int64_t sample, const float *row);

#endif /* FV_TRAIN_LOGITS_H */
