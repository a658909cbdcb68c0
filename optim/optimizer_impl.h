/* SPDX-License-Identifier: Apache-2.0 */
/* optim/optimizer_impl.h - what the author of an optimizer needs.
 *
 * An optimizer is one file that ends in an fv_optimizer_type, and one line in the table of
 * optimizer_keys.c: a name, the keys it reads, the states it keeps, and how a piece of a parameter
 * is updated.
 */
#ifndef FV_OPTIM_OPTIMIZER_IMPL_H
#define FV_OPTIM_OPTIMIZER_IMPL_H

#include "optim/optimizer.h"

enum { FV_OPTIMIZER_STATES = 2 }; /* at most, per parameter */

typedef enum fv_clip_kind {
    FV_CLIP_VALUE,       /* each number to [min, max] */
    FV_CLIP_NORM,        /* each parameter's gradient to this norm */
    FV_CLIP_GLOBAL_NORM, /* all of them together to this norm */
    FV_CLIP_NONE
} fv_clip_kind;

typedef struct fv_clip {
    fv_clip_kind kind;
    double norm, min, max;
} fv_clip;

/* The keys of all optimizers; each has its own table of those it reads. */
typedef struct fv_optimizer_settings {
    const char *name; /* borrowed while reading */
    double momentum;
    bool use_nesterov;
    double beta1, beta2, epsilon, rho, lars_coeff;
    double weight_decay; /* the same as a regularizer of name L2 */
    double clip_norm;    /* the same as a clip of name ClipGradByNorm; 0: not given */
    fv_config_node *regularizer, *clip, *param_groups, *lr;
    const char *no_weight_decay_name; /* words; borrowed while reading, or NULL */
    bool one_dim_param_no_weight_decay;
    /* Not keys: the coefficients that weight_decay and regularizer come to, and the clipping. */
    float l1, l2;
    fv_clip clipping;
} fv_optimizer_settings;

/* The fields that every table begins with. */
/* clang-format off */
#define FV_OPTIMIZER_COMMON_FIELDS \
    FV_FIELD_STRING(fv_optimizer_settings, name, FV_REQUIRED), \
    FV_FIELD_NODE(fv_optimizer_settings, lr), \
    FV_FIELD_NODE(fv_optimizer_settings, regularizer), \
    FV_FIELD_DOUBLE(fv_optimizer_settings, weight_decay, 0, 0, 10), \
    FV_FIELD_NODE(fv_optimizer_settings, clip), \
    FV_FIELD_DOUBLE(fv_optimizer_settings, clip_norm, 0, 1e-12, 1e12), \
    FV_FIELD_NODE(fv_optimizer_settings, param_groups), \
    FV_FIELD_STRING(fv_optimizer_settings, no_weight_decay_name, NULL), \
    FV_FIELD_BOOL(fv_optimizer_settings, one_dim_param_no_weight_decay, false), \
    FV_FIELD_IGNORED("multi_precision", "all values are float32")
/* clang-format on */

/* A piece of one parameter in one step: `count` floats of each. */
typedef struct fv_optimizer_piece {
    size_t count;
    float *value;
    const float *grad;
    float *state[FV_OPTIMIZER_STATES]; /* NULL unless kept */
    float rate, l1, l2;                /* of this parameter */
    double value_norm, grad_norm;      /* of the whole parameter; 0 unless wanted */
    double step;                       /* its number, from 1 */
} fv_optimizer_piece;

typedef struct fv_optimizer_type {
    const char *name;
    const fv_field *fields;
    const char *states[FV_OPTIMIZER_STATES]; /* names of those it keeps */
    bool counts_steps;                       /* `step` is part of the formula */
    bool wants_norms;
    bool knows_l1;                /* a regularizer of name L1 is possible */
    bool knows_weight_decay_only; /* no regularizer at all: its decay is no part of the gradient */
    void (*update)(const fv_optimizer_settings *settings, const fv_kernels *kernels,
                   const fv_optimizer_piece *piece);
} fv_optimizer_type;

extern const fv_optimizer_type fv_optimizer_sgd, fv_optimizer_momentum, fv_optimizer_adam,
    fv_optimizer_adamw, fv_optimizer_rms_prop, fv_optimizer_lars;

/* ---- Inside ---- */

/* A parameter that is updated. */
typedef struct fv_subject {
    const fv_param *param;
    float *state[FV_OPTIMIZER_STATES];
    float rate, decay;            /* factors of its own */
    int first, end;               /* its segments */
    double value_norm, grad_norm; /* where they are wanted */
    float factor;                 /* of the gradient, in this step */
} fv_subject;

/* A part of one parameter. */
typedef struct fv_segment {
    int subject;
    size_t at, count;
    double value_squares, grad_squares; /* sums */
} fv_segment;

struct fv_optimizer {
    const fv_optimizer_type *type;
    fv_optimizer_settings settings;
    fv_params *params;
    const fv_kernels *kernels;
    float *states; /* of all subjects, one after the other */
    float *steps;  /* behind them: how many are done; stays at 2^24, where beta^t is long 0 */
    fv_subject *subjects;
    int subject_count;
    fv_segment *segments;
    int *task_end; /* task t has the segments [task_end[t - 1], task_end[t]) */
    int task_count;
};

/* With settings that are complete; no parameter has factors of its own. */
fv_status fv_optimizer_create_from(fv_optimizer **out, const fv_optimizer_type *type,
                                   const fv_optimizer_settings *settings, fv_params *params,
                                   const fv_kernels *kernels, fv_error *err);

/* gradients.c: averages and clips the gradients, and finds the norms where they are wanted. */
void fv_optimizer_prepare(fv_optimizer *optimizer, int batches);

/* param_rules.c: which parameters do not decay, and which have factors of their own, as the
 * settings say while their config lives. */
fv_status fv_optimizer_apply_rules(fv_optimizer *optimizer, fv_error *err);

#endif /* FV_OPTIM_OPTIMIZER_IMPL_H */
