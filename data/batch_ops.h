/* SPDX-License-Identifier: Apache-2.0 */
/* data/batch_ops.h - mixing the pictures of a batch, from a config's batch_transform_ops.
 *
 *     - MixupOperator: {alpha: 0.2}
 *
 * is a list of one operation: MixupOperator, CutmixOperator, FmixOperator, or OpSampler, which
 * draws one of several, or none, for each batch. Each picture i is mixed with another one p(i) of
 * its batch, p being a random permutation; what a pixel keeps of itself is the same for all
 * pictures of a batch:
 *
 *     x[i] = m x[i] + (1 - m) x[p(i)]        Mixup   m = lambda ~ Beta(alpha, alpha)
 *                                            Cutmix  m = 0 inside a box, 1 outside
 *                                            Fmix    m = a mask of a few smooth blobs
 *
 * and the target of i is its own label by the mean of m, that of p(i) by the rest.
 */
#ifndef FV_DATA_BATCH_OPS_H
#define FV_DATA_BATCH_OPS_H

#include "base/config.h"
#include "base/random.h"

#include <stddef.h>

typedef struct fv_batch_ops fv_batch_ops;

/* `list` may be NULL: then *out is NULL, and nothing is mixed. */
fv_status fv_batch_ops_create(fv_batch_ops **out, fv_config_node *list, fv_error *err);
void fv_batch_ops_destroy(fv_batch_ops *ops); /* accepts NULL */

/* A batch that is to be mixed. Borrowed, all of it. */
typedef struct fv_mixture {
    int count, height, width;
    float *images;       /* [count, height, width, 3]; mixed in place */
    const float *labels; /* [count] */
    float *partners;     /* [count]: receives the labels of what was mixed in */
    float *shares;       /* [count]: receives the share of a picture's own label, 1 if unmixed */
    void *scratch;       /* fv_batch_ops_scratch() bytes, aligned as fv_alloc() aligns */
} fv_mixture;

size_t fv_batch_ops_scratch(const fv_batch_ops *ops, int count, int height, int width);
void fv_batch_ops_run(const fv_batch_ops *ops, const fv_mixture *m, fv_random *random);

/* targets[n][c] = shares[n] at labels[n], plus 1 - shares[n] at partners[n], else 0. All labels are
 * below `classes`. */
void fv_mix_targets(const float *labels, const float *partners, const float *shares, int count,
                    int classes, float *targets);

#endif /* FV_DATA_BATCH_OPS_H */
