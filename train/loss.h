/* SPDX-License-Identifier: Apache-2.0 */
/* train/loss.h - what is minimised: the lists Loss.Train and Loss.Eval.
 *
 *     - CELoss: {weight: 1.0, epsilon: 0.1}
 *
 * CELoss is the softmax cross entropy of a model's one output, with label smoothing epsilon;
 * MixCELoss is an old name for it, from recipes that mix pictures.
 * GoogLeNetLoss is that of three outputs, weighted 1, 0.3 and 0.3.
 *
 *     - DistillationDMLLoss: {weight: 1.0, model_name_pairs: [["Student", "Teacher"]]}
 *
 * The others are of a DistillationModel: the first of each pair learns from the second, of which
 * only the main output counts; DMLLoss and DISTLoss teach both, unless one is frozen. Several
 * losses, and several pairs, are summed with their weights; the weight of a single loss is ignored,
 * as PaddleClas does, with a notice.
 */
#ifndef FV_TRAIN_LOSS_H
#define FV_TRAIN_LOSS_H

#include "autograd/program.h"
#include "models/arch.h"

enum { FV_MAX_LOSSES = 8, FV_MAX_PAIRS = 8 };

typedef struct fv_loss_kind fv_loss_kind;

/* Indices of the models of a DistillationModel. */
typedef struct fv_loss_pair {
    int learner, teacher; /* teacher -1: the labels are */
} fv_loss_pair;

typedef struct fv_loss_term {
    const fv_loss_kind *kind;
    float weight, epsilon, temperature, alpha, beta, gamma;
    fv_config_node *balance;    /* the key class_weights, or NULL */
    const float *class_weights; /* what it comes to, see train/class_weights.h; NULL: all 1 */
    bool over_classes;          /* summed over the classes where others take the mean */
    bool teachers_choice;       /* takes for the right class what the teacher chooses */
    int pair_count;             /* 0: of a loss of one model */
    fv_loss_pair pairs[FV_MAX_PAIRS];
} fv_loss_term;

typedef struct fv_loss {
    int count;
    fv_loss_term terms[FV_MAX_LOSSES];
} fv_loss;

/* Fails for an empty list, for more than FV_MAX_LOSSES, for a loss that is not known, listing
 * those that are, and for one that does not fit `arch` or names models that it has not. An absent
 * list (NULL) is one CELoss. */
fv_status fv_loss_read(fv_loss *out, fv_config_node *list, const fv_arch *arch, fv_error *err);

/* Loss.Eval: each loss must be known by its name and its keys, nothing else; evaluations report the
 * plain cross entropy of one model. */
fv_status fv_loss_check(fv_config_node *list, fv_error *err);

/* Whether a picture without a label has no loss. */
bool fv_loss_needs_labels(const fv_loss *loss);

/* What a model gives. */
typedef struct fv_loss_model {
    fv_tensor *const *outputs; /* the main one first */
    int count;
} fv_loss_model;

/* The scalar to differentiate. `models` is one, or those of the DistillationModel in their order.
 * `targets` is [n, 1, 1, 1], class numbers, or [n, 1, 1, classes], probabilities. A model whose
 * number of outputs does not fit is a graph error, and so are probabilities for a loss that wants
 * class numbers. */
fv_tensor *fv_loss_build(fv_graph *g, const fv_loss *loss, const fv_loss_model *models,
                         fv_tensor *targets);

#endif /* FV_TRAIN_LOSS_H */
