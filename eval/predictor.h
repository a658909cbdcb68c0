/* SPDX-License-Identifier: Apache-2.0 */
/* eval/predictor.h - the likeliest classes of pictures.
 *
 * Pictures are read and prepared by all threads, a batch at a time, and then go through the
 * network together. What comes out for one does not depend on the others.
 */
#ifndef FV_EVAL_PREDICTOR_H
#define FV_EVAL_PREDICTOR_H

#include "autograd/program.h"
#include "data/transform.h"
#include "eval/pictures.h"

#include <signal.h>

typedef struct fv_prediction {
    const char *path;
    const char *error;   /* why there is none, beginning with the path; NULL: there is one */
    int count;           /* min(topk, classes) */
    const int *ids;      /* likeliest first; of equal ones the lower id first */
    const float *scores; /* softmax, in [0, 1] */
} fv_prediction;

/* Called once per picture, in order; what it gets is valid during the call. */
typedef void fv_prediction_fn(void *ctx, const fv_prediction *prediction);

typedef struct fv_predictor_options {
    fv_program *program; /* built for FV_EVAL; outputs[0] are the logits */
    const fv_pipeline *pipeline;
    int batch_size, topk;
    fv_prediction_fn *each;
    void *ctx;
    const volatile sig_atomic_t *stop; /* not 0: give up with FV_ERR_INTERRUPTED; or NULL */
} fv_predictor_options;

/* Predicts all pictures; *failed is how many could not be. Fails itself only where it cannot go
 * on. */
fv_status fv_predict(const fv_predictor_options *options, const fv_pictures *pictures, int *failed,
                     fv_error *err);

/* The `k` best of `classes` logits, and their softmax. False, and nothing written, if a logit is
 * not finite. */
bool fv_best_classes(const float *logits, int classes, int k, int *ids, float *scores);

#endif /* FV_EVAL_PREDICTOR_H */
