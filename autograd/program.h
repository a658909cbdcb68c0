/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/program.h - one computation, for all the batch shapes and modes that occur.
 *
 * A program owns the graphs and plans of a builder, made on first use and kept, and the slab
 * they share. So the last, partial batch of an epoch has a plan of its own, and training and
 * evaluation share memory.
 */
#ifndef FV_AUTOGRAD_PROGRAM_H
#define FV_AUTOGRAD_PROGRAM_H

#include "autograd/plan.h"

enum { FV_MAX_OUTPUTS = 4 };

/* What a builder captured. */
typedef struct fv_bindings {
    fv_tensor *images;                  /* input [n, h, w, 3] */
    fv_tensor *targets;                 /* input of the loss, or NULL */
    fv_tensor *loss;                    /* a scalar, or NULL */
    fv_tensor *others[FV_MAX_OUTPUTS];  /* further inputs, the builder's own; or NULL */
    fv_tensor *outputs[FV_MAX_OUTPUTS]; /* logits [n, 1, 1, classes], the main ones first */
    int output_count;
} fv_bindings;

/* Captures the computation for `images` into g, whose mode says whether for training. */
typedef void fv_build_fn(fv_graph *g, fv_shape images, void *ctx, fv_bindings *out);

typedef struct fv_program fv_program;

/* `params`, `kernels` and ctx are borrowed. `seed` is that of dropout. */
fv_status fv_program_create(fv_program **out, fv_params *params, const fv_kernels *kernels,
                            fv_build_fn *build, void *ctx, uint64_t seed, fv_error *err);
void fv_program_destroy(fv_program *program); /* accepts NULL */

/* The plan for a batch shape; made now if it is new, which may move the slab: views from
 * fv_plan_value() are void then. *bindings and *plan live as long as the program. */
fv_status fv_program_plan(fv_program *program, fv_mode mode, fv_shape images, fv_plan **plan,
                          const fv_bindings **bindings, fv_error *err);

size_t fv_program_bytes(const fv_program *program); /* of the slab */

#endif /* FV_AUTOGRAD_PROGRAM_H */
