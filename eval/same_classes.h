/* SPDX-License-Identifier: Apache-2.0 */
/* eval/same_classes.h - do the data number the classes as the weights do?
 *
 * If not, the accuracy is near 0.1 % though everything works. What is known about the classes of
 * the data: names of folders, a file of names, and WNIDs in the paths of a list.
 */
#ifndef FV_EVAL_SAME_CLASSES_H
#define FV_EVAL_SAME_CLASSES_H

#include "data/dataset.h"
#include "eval/stored.h"

typedef struct fv_same_classes_options {
    const fv_stored *stored; /* the weights; those of others have no names of classes */
    int classes;             /* of the weights */
    const fv_dataset *dataset;
    const char *names; /* "number name" file for data without names; NULL, or not there: none */
    const char *where; /* "DataLoader.Eval", for messages */
} fv_same_classes_options;

/* Fails at the first class, or picture of a list, that is another one in the weights. Names that
 * are WNIDs on one side and words on the other cannot be compared. Without names in the weights,
 * if there are 1000 classes, WNIDs are compared with ImageNet's; then it only warns. */
fv_status fv_same_classes(const fv_same_classes_options *options, fv_error *err);

#endif /* FV_EVAL_SAME_CLASSES_H */
