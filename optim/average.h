/* SPDX-License-Identifier: Apache-2.0 */
/* optim/average.h - an exponential moving average of the weights.
 *
 *     a += (1 - decay) (w - a)
 *
 * once after each step, of every parameter and every running statistic, as PaddleClas's EMA. It
 * begins with the weights as they are; what does not move keeps its average, to the bit.
 */
#ifndef FV_OPTIM_AVERAGE_H
#define FV_OPTIM_AVERAGE_H

#include "autograd/params.h"

typedef struct fv_average fv_average;

/* `params` is borrowed; all must exist by now. decay is in [0, 1). */
fv_status fv_average_create(fv_average **out, fv_params *params, double decay, fv_error *err);
void fv_average_destroy(fv_average *average); /* accepts NULL */

/* Begins anew with the weights as they are. */
void fv_average_restart(fv_average *average);

/* Spread over threads; allocates nothing. */
void fv_average_update(fv_average *average);

/* Exchanges the averages and the weights, so that what uses the parameters uses the averages, until
 * it is called again. Calls fv_params_touch(). */
void fv_average_swap(fv_average *average);

/* Of parameter i, as many floats as it has. Borrowed; may be written to when resuming. */
float *fv_average_at(const fv_average *average, int i);

#endif /* FV_OPTIM_AVERAGE_H */
