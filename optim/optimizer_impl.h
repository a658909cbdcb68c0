/* SPDX-License-Identifier: Apache-2.0 */
/* optim/optimizer_impl.h - what the author of an optimizer needs.
 *
 * An optimizer is one file that ends in an fv_optimizer_type, and one line in the table of
 * optimizer.c: a name, the keys it reads, and how a piece of a parameter is updated.
 */
#ifndef FV_OPTIM_OPTIMIZER_IMPL_H
#define FV_OPTIM_OPTIMIZER_IMPL_H

#include "optim/optimizer.h"

/* The keys of all optimizers; each has its own table of those it reads. */
typedef struct fv_optimizer_settings {
    const char *name; /* borrowed while reading */
    double momentum;
    bool use_nesterov;
    double weight_decay; /* the same as a regularizer of name L2 */
    fv_config_node *regularizer, *lr;
    float l1, l2; /* not keys: the coefficients that weight_decay and regularizer come to */
} fv_optimizer_settings;

/* The fields that every table begins with. */
/* clang-format off */
#define FV_OPTIMIZER_COMMON_FIELDS \
    FV_FIELD_STRING(fv_optimizer_settings, name, FV_REQUIRED), \
    FV_FIELD_NODE(fv_optimizer_settings, lr), \
    FV_FIELD_NODE(fv_optimizer_settings, regularizer), \
    FV_FIELD_DOUBLE(fv_optimizer_settings, weight_decay, 0, 0, 10), \
    FV_FIELD_IGNORED("multi_precision", "all values are float32")
/* clang-format on */

/* A piece of one parameter: `count` floats of values and gradients, and of the velocity if the
 * type keeps one. */
typedef struct fv_optimizer_piece {
    size_t count;
    float *value;
    const float *grad;
    float *velocity; /* NULL unless kept */
} fv_optimizer_piece;

typedef struct fv_optimizer_type {
    const char *name;
    const fv_field *fields;
    bool keeps_velocity;
    void (*update)(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                   const fv_optimizer_piece *piece, float rate);
} fv_optimizer_type;

extern const fv_optimizer_type fv_optimizer_sgd, fv_optimizer_momentum;

/* With settings that are complete, for tests too. */
fv_status fv_optimizer_create_from(fv_optimizer **out, const fv_optimizer_type *type,
                                   const fv_optimizer_settings *settings, fv_params *params,
                                   const fv_kernels *kernels, fv_error *err);

#endif /* FV_OPTIM_OPTIMIZER_IMPL_H */
