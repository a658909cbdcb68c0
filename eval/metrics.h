/* SPDX-License-Identifier: Apache-2.0 */
/* eval/metrics.h - how good the answers are, one image at a time.
 *
 * Images are added one by one, in a fixed order, and sums are kept in double: so the result
 * does not depend on batches or threads.
 */
#ifndef FV_EVAL_METRICS_H
#define FV_EVAL_METRICS_H

#include <stdint.h>

enum { FV_MAX_TOP = 5 }; /* the largest k of top-k that is kept */

typedef struct fv_metrics {
    int64_t images;             /* all that were added, the unreadable ones included */
    int64_t unreadable;         /* of those: no answer, counted as wrong */
    int64_t nonfinite;          /* of those: answers with a NaN or an infinity */
    int64_t ranked[FV_MAX_TOP]; /* images whose label came out at rank 0, 1, ... */
    double loss_sum;            /* of -log softmax(logits)[label], readable images */
    double confidence_sum;      /* of max softmax(logits), readable images */
} fv_metrics;

/* How many classes come before `label`: those with a larger logit, and those with an equal one
 * and a lower id. A NaN comes before all numbers, as in PaddlePaddle and PyTorch; if the logit of
 * the label itself is NaN the answer is INT_MAX: it is never right. */
int fv_rank(const float *logits, int classes, int label);

/* Adds one image; `label` is in [0, classes). */
void fv_metrics_add(fv_metrics *m, const float *logits, int classes, int label);
void fv_metrics_add_unreadable(fv_metrics *m);

/* Share of all images whose label is among the first k, in [0, 1]; 0 without images. With fewer
 * than k classes every finite answer is right. k is in [1, FV_MAX_TOP]. */
double fv_metrics_top(const fv_metrics *m, int k);

/* Means over the readable images; 0 without any. */
double fv_metrics_loss(const fv_metrics *m);
double fv_metrics_confidence(const fv_metrics *m);

#endif /* FV_EVAL_METRICS_H */
