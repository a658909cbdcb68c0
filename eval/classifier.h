/* SPDX-License-Identifier: Apache-2.0 */
/* eval/classifier.h - a model with its weights, for inference. */
#ifndef FV_EVAL_CLASSIFIER_H
#define FV_EVAL_CLASSIFIER_H

#include "autograd/program.h"
#include "eval/stored.h"

typedef struct fv_classifier fv_classifier;

typedef struct fv_classifier_options {
    const fv_model *model;
    int classes;       /* >= 1 */
    int height, width; /* of the images it will see, pixels */
} fv_classifier_options;

/* The builder of its program; ctx is an fv_classifier_options. In FV_TRAIN mode it captures the
 * plain loss too, the sum of the cross entropies of all outputs: for benchmarks and summaries. */
void fv_classifier_build(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out);

/* All parameters exist afterwards, with initial values. */
fv_status fv_classifier_create(fv_classifier **out, const fv_classifier_options *options,
                               fv_error *err);
void fv_classifier_destroy(fv_classifier *classifier); /* accepts NULL */

/* Strict: every tensor of the model is in the file and no other, or an error says which not. */
fv_status fv_classifier_load(fv_classifier *classifier, const fv_stored *stored, fv_error *err);

/* Borrowed. */
fv_program *fv_classifier_program(fv_classifier *classifier);
fv_params *fv_classifier_params(fv_classifier *classifier);

#endif /* FV_EVAL_CLASSIFIER_H */
