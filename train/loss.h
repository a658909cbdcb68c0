/* SPDX-License-Identifier: Apache-2.0 */
/* train/loss.h - what is minimised: the lists Loss.Train and Loss.Eval.
 *
 *     - CELoss: {weight: 1.0, epsilon: 0.1}
 *
 * CELoss is the softmax cross entropy of a model's one output, with label smoothing epsilon;
 * MixCELoss is an old name for it, from recipes that mix pictures.
 * GoogLeNetLoss is that of three outputs, weighted 1, 0.3 and 0.3. Several losses are summed with
 * their weights; the weight of a single one is ignored, as PaddleClas does, with a notice.
 */
#ifndef FV_TRAIN_LOSS_H
#define FV_TRAIN_LOSS_H

#include "autograd/program.h"
#include "base/config.h"

enum { FV_MAX_LOSSES = 8 };

typedef struct fv_loss_kind fv_loss_kind;

typedef struct fv_loss_term {
    const fv_loss_kind *kind;
    float weight, epsilon;
} fv_loss_term;

typedef struct fv_loss {
    int count;
    fv_loss_term terms[FV_MAX_LOSSES];
} fv_loss;

/* Fails for an empty list, for more than FV_MAX_LOSSES, and for a loss that is not known, listing
 * those that are. An absent list (NULL) is one CELoss. */
fv_status fv_loss_read(fv_loss *out, fv_config_node *list, fv_error *err);

/* The scalar to differentiate. `targets` is [n, 1, 1, 1], class numbers, or [n, 1, 1, classes],
 * probabilities. A model whose number of
 * outputs does not fit is a graph error. */
fv_tensor *fv_loss_build(fv_graph *g, const fv_loss *loss, fv_tensor *const outputs[],
                         int output_count, fv_tensor *targets);

#endif /* FV_TRAIN_LOSS_H */
