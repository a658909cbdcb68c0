/* SPDX-License-Identifier: Apache-2.0 */
/* eval/real.h - accuracy by the reassessed labels of ImageNet's validation pictures.
 *
 * Beyer, Henaff, Kolesnikov, Zhai, van den Oord, "Are we done with ImageNet?", 2020,
 * arXiv:2006.07159. Each picture has a set of labels: an answer is right if it is in the set;
 * pictures whose set is empty are left out. Top5: one of five answers is.
 */
#ifndef FV_EVAL_REAL_H
#define FV_EVAL_REAL_H

#include "data/dataset.h"
#include "eval/evaluator.h"

typedef struct fv_real fv_real;

/* From real.json: a list of lists of class numbers, row i for ILSVRC2012_val_<i + 1>.JPEG. Pictures
 * with other names are taken in the order of the data set, which then must have as many as there
 * are rows; a mixture is an error. Warns if most labels of the data set are not in their sets. */
fv_status fv_real_load(fv_real **out, const char *path, const fv_dataset *dataset, int classes,
                       fv_error *err);
void fv_real_destroy(fv_real *real); /* accepts NULL */

/* Unreadable pictures count as wrong. */
void fv_real_add(fv_real *real, const fv_answer *answer);

int64_t fv_real_images(const fv_real *real);    /* that were added and have labels */
double fv_real_top(const fv_real *real, int k); /* share of these, in [0, 1]; k <= FV_MAX_TOP */

#endif /* FV_EVAL_REAL_H */
