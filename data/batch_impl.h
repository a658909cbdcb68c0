/* SPDX-License-Identifier: Apache-2.0 */
/* data/batch_impl.h - what the operations on batches share. */
#ifndef FV_DATA_BATCH_IMPL_H
#define FV_DATA_BATCH_IMPL_H

#include "data/batch_ops.h"

/* Options of all operations. */
typedef struct fv_batch_settings {
    double prob; /* in OpSampler */
    double alpha, decay_power, max_soft;
    bool reformulate;
} fv_batch_settings;

/* What a picture keeps of itself, of a whole batch. */
typedef struct fv_blend {
    float share;                  /* of every pixel, unless there is a box or a mask */
    int top, left, bottom, right; /* the box that is not kept; empty: none */
    float *mask;                  /* [height][width], or NULL */
    double mean;                  /* share of the own label */
} fv_blend;

/* Beta(a, b) in [0, 1]; a, b > 0. */
double fv_draw_beta(fv_random *random, double a, double b);

/* Fills `blend`; its mask, if any, lies in `scratch`. */
void fv_fmix_draw(const fv_batch_settings *s, int height, int width, void *scratch,
                  fv_random *random, fv_blend *blend);
size_t fv_fmix_scratch(int height, int width); /* bytes */

#endif /* FV_DATA_BATCH_IMPL_H */
