/* SPDX-License-Identifier: Apache-2.0 */
/* eval/tally.h - answers counted by class: what is recognised, and what is taken for what. */
#ifndef FV_EVAL_TALLY_H
#define FV_EVAL_TALLY_H

#include "eval/answers.h"

typedef struct fv_class_tally {
    int64_t pictures; /* with this label, unreadable ones included */
    int64_t right;
    int64_t answered; /* pictures of any label that were taken for this class */
    int confused;     /* the class that its pictures are most often taken for; -1: none is */
    int64_t times;    /* how often; of several classes the first */
} fv_class_tally;

/* Pictures of class `label` taken for class `best`, which is another. */
typedef struct fv_confusion {
    int label, best;
    int64_t times;
} fv_confusion;

typedef struct fv_tally {
    fv_class_tally *classes; /* owned, [class_count] */
    int class_count;
    fv_confusion *confusions; /* owned; most frequent first, then by label and answer */
    size_t confusion_count;
    int64_t pictures, right, unreadable;
} fv_tally;

/* `classes` at least, more if labels or answers are larger. */
fv_status fv_tally_make(fv_tally *out, const fv_answers *answers, int classes, fv_error *err);
void fv_tally_deinit(fv_tally *tally); /* accepts an all-zero struct */

/* Sorts the wrong answers so that the most certain come first; equally certain ones stay in their
 * order. `*out`, freed with fv_free(), are indices of rows; the unreadable are not among them. */
fv_status fv_tally_mistakes(size_t **out, size_t *count, const fv_answers *answers, fv_error *err);

#endif /* FV_EVAL_TALLY_H */
