/* SPDX-License-Identifier: Apache-2.0 */
/* optim/optimizer.h - from gradients to values.
 *
 * Chosen by name from the config's Optimizer map. g is the gradient, averaged over the batches that
 * were accumulated, then clipped; d = g + l2 w + l1 sign(w); the decay comes from a regularizer
 * {name: L1 or L2, coeff} or from weight_decay (L2). As in PaddlePaddle:
 *
 *     SGD       w -= lr d
 *     Momentum  v = momentum v + d
 *               w -= lr v                       use_nesterov: w -= lr (d + momentum v)
 *     Adam      m = beta1 m + (1 - beta1) d;  s = beta2 s + (1 - beta2) d^2
 *               w -= lr (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + epsilon)
 *     AdamW     w *= 1 - lr weight_decay; then Adam with d = g
 *     RMSProp   s = rho s + (1 - rho) d^2;  v = momentum v + lr d / sqrt(s + epsilon);  w -= v
 *     LARS      r = lars_coeff |w| / (|g| + l2 |w| + epsilon) with norms of the whole parameter,
 *               v = momentum v + lr r (g + l2 w);  w -= v
 *               (You, Gitman, Ginsburg, arXiv:1708.03888); r is 1 for what does not decay
 *
 * Parameters whose name holds a word of no_weight_decay_name, and with
 * one_dim_param_no_weight_decay those of one dimension, do not decay. param_groups gives those that
 * match a pattern factors of their own for lr and the decay.
 *
 * The state is part of a checkpoint: it is listed as named tensors.
 */
#ifndef FV_OPTIM_OPTIMIZER_H
#define FV_OPTIM_OPTIMIZER_H

#include "autograd/params.h"
#include "base/config.h"
#include "kernels/kernels.h"

typedef struct fv_optimizer fv_optimizer;

/* `params` and `kernels` are borrowed; parameters must all exist by now. Reads every key of the map
 * but `lr`, which it marks as known (see optim/schedule.h). Patterns of names must match something,
 * unless there are no parameters at all: then the map is only checked. */
fv_status fv_optimizer_create(fv_optimizer **out, fv_config_node *map, fv_params *params,
                              const fv_kernels *kernels, fv_error *err);
void fv_optimizer_destroy(fv_optimizer *optimizer); /* accepts NULL */

/* One step on all parameters that are trained and not frozen, whose gradients are sums over
 * `batches` batches; averages and clips these in place. Calls fv_params_touch(). Spread over
 * threads; allocates nothing. */
void fv_optimizer_step(fv_optimizer *optimizer, double rate, int batches);

/* The state, for checkpoints: slots with as many floats as the parameter they belong to, named
 * "<state>/<parameter>", where <state> is velocity, moment1, moment2 or mean_square; and "steps",
 * the number of steps, where the formula has a t. Borrowed; may be written to when resuming. */
typedef struct fv_optimizer_slot {
    char name[256];
    size_t count;
    float *data;
} fv_optimizer_slot;
int fv_optimizer_slot_count(const fv_optimizer *optimizer);
fv_optimizer_slot fv_optimizer_slot_at(const fv_optimizer *optimizer, int i);

const char *fv_optimizer_name(const fv_optimizer *optimizer);

#endif /* FV_OPTIM_OPTIMIZER_H */
