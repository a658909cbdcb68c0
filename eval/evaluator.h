/* SPDX-License-Identifier: Apache-2.0 */
/* eval/evaluator.h - one pass over a data set: every image once, none twice.
 *
 * The last, partial batch has a plan of its own. A picture that cannot be read counts as wrong.
 */
#ifndef FV_EVAL_EVALUATOR_H
#define FV_EVAL_EVALUATOR_H

#include "autograd/program.h"
#include "data/source.h"
#include "eval/metrics.h"

#include <signal.h>

/* What came out for one image. */
typedef struct fv_answer {
    int64_t sample;      /* index in the data set */
    int label;           /* the right class */
    const float *logits; /* [classes], valid during the call; NULL: the picture is unreadable */
    int classes;
} fv_answer;

/* Called once per image, in the order of the data set's sampler, from the calling thread. */
typedef void fv_answer_fn(void *ctx, const fv_answer *answer);

typedef struct fv_evaluator_options {
    fv_program *program;               /* built for FV_EVAL; outputs[0] are the logits */
    const fv_source *source;           /* its loader is started anew at epoch 0 */
    fv_answer_fn *each;                /* or NULL */
    void *ctx;                         /* of `each` */
    const volatile sig_atomic_t *stop; /* not 0: give up with FV_ERR_INTERRUPTED; or NULL */
} fv_evaluator_options;

typedef struct fv_evaluation {
    fv_metrics metrics;
    double seconds; /* wall time of the pass, plans included */
} fv_evaluation;

/* Fails if a plan cannot be made, if a label is not below the number of logits, or if the sampler
 * leaves images out. Warns through the log when the result looks like labels in another order
 * than the classes of the weights: confident, and nearly all wrong. */
fv_status fv_evaluate(fv_evaluation *out, const fv_evaluator_options *options, fv_error *err);

#endif /* FV_EVAL_EVALUATOR_H */
