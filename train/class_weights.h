/* SPDX-License-Identifier: Apache-2.0 */
/* train/class_weights.h - how much the classes count in a loss.
 *
 *     - CELoss: {class_weights: balanced}      samples / (classes * samples of the class)
 *     - CELoss: {class_weights: [1, 2.5, 1]}   one number for each class
 *
 * The loss is the mean over the pictures, weighted by their classes, as PyTorch's.
 */
#ifndef FV_TRAIN_CLASS_WEIGHTS_H
#define FV_TRAIN_CLASS_WEIGHTS_H

#include "data/dataset.h"
#include "train/loss.h"

/* Without data: whether it is one of the two forms. */
fv_status fv_class_weights_check(fv_config_node *node, fv_error *err);

/* Finds the weights for each term that wants some, in a block that the terms borrow and the caller
 * frees with fv_free(), after a failure too; NULL if none wants any. "balanced" counts the classes
 * of the dataset that have samples; the others weigh 1. */
fv_status fv_class_weights_create(float **out, fv_loss *loss, const fv_dataset *dataset,
                                  int classes, fv_error *err);

#endif /* FV_TRAIN_CLASS_WEIGHTS_H */
