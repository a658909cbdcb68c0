/* SPDX-License-Identifier: Apache-2.0 */
/* optim/schedule.h - the learning rate, a pure function of the step.
 *
 * The schedules of PaddleClas 2.6 (ppcls/optimizer/learning_rate.py), each with linear warm-up, by
 * step or by epoch. With S steps per epoch, E epochs, W warm-up epochs, unit factor q = S (1 by
 * epoch), time k = the step (or the epoch), u = k - warm-up length:
 *
 *   Constant   lr; also named ConstLR, and without a name
 *   Cosine     eta_min + (lr - eta_min) * (1 + cos(pi * u / ((E - W) * q))) / 2
 *   Linear     (lr - end_lr) * (1 - min(u, D) / D)^power + end_lr, D = (E - W) * q; also named
 *              Polynomial
 *   Step       lr * gamma^floor(u / I), I = floor(step_size * S) steps, or step_size epochs
 *   Piecewise  values[number of decay_epochs * q <= u]
 *   MultiStepDecay  lr * gamma^(number of milestones * q <= u)
 *
 * With base_batch_size every rate is multiplied by the pictures of a step / base_batch_size.
 */
#ifndef FV_OPTIM_SCHEDULE_H
#define FV_OPTIM_SCHEDULE_H

#include "base/config.h"

#include <stdint.h>

typedef struct fv_schedule fv_schedule;

/* Reads the map Optimizer.lr. epochs and steps_per_epoch come from the run; keys of the same name
 * in the map are accepted and overridden by them, with a notice, as PaddleClas does. `batch` is the
 * number of pictures of a step, 0 if it is not known yet: rates are not scaled then, and nothing is
 * told of it. */
fv_status fv_schedule_create(fv_schedule **out, fv_config_node *lr, int epochs,
                             int64_t steps_per_epoch, int64_t batch, fv_error *err);
void fv_schedule_destroy(fv_schedule *schedule); /* accepts NULL */

/* The rate used by global optimiser step `step`, counted from 0. */
double fv_schedule_rate(const fv_schedule *schedule, int64_t step);

/* "Cosine", for logs. */
const char *fv_schedule_name(const fv_schedule *schedule);

#endif /* FV_OPTIM_SCHEDULE_H */
