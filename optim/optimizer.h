/* SPDX-License-Identifier: Apache-2.0 */
/* optim/optimizer.h - from gradients to values.
 *
 * Chosen by name from the config's Optimizer map: SGD, Momentum (use_nesterov as an option), with a
 * regularizer {name: L1 or L2, coeff} or weight_decay. As in PaddlePaddle, the decay is coupled:
 *
 *     d = grad + l2 * w + l1 * sign(w);   v = momentum * v + d
 *     w -= lr * v                         Nesterov: w -= lr * (d + momentum * v)
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
 * but `lr`, which it marks as known (see optim/schedule.h). */
fv_status fv_optimizer_create(fv_optimizer **out, fv_config_node *map, fv_params *params,
                              const fv_kernels *kernels, fv_error *err);
void fv_optimizer_destroy(fv_optimizer *optimizer); /* accepts NULL */

/* One step on all parameters that are trained and not frozen; calls fv_params_touch(). Spread over
 * threads; allocates nothing. */
void fv_optimizer_step(fv_optimizer *optimizer, double rate);

/* The state, for checkpoints: one slot per parameter that has one, with as many floats as the
 * parameter. The name is "velocity/<parameter>". Borrowed; may be written to when resuming. */
typedef struct fv_optimizer_slot {
    char name[256];
    size_t count;
    float *data;
} fv_optimizer_slot;
int fv_optimizer_slot_count(const fv_optimizer *optimizer);
fv_optimizer_slot fv_optimizer_slot_at(const fv_optimizer *optimizer, int i);

const char *fv_optimizer_name(const fv_optimizer *optimizer);

#endif /* FV_OPTIM_OPTIMIZER_H */
