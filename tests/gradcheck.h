/* SPDX-License-Identifier: Apache-2.0 */
/* tests/gradcheck.h - is an operator right, forward and backward?
 *
 * Forward is compared with a naive reference: a gradient check alone accepts any
 * function whose backward agrees with it, the wrong one included. Backward is compared
 * with central differences, for every input and every parameter. Both are done for each instruction
 * set, on dense tensors, and on tensors that are views of wider ones.
 */
#ifndef FV_TESTS_GRADCHECK_H
#define FV_TESTS_GRADCHECK_H

#include "testing.h"

#include "autograd/ops.h"
#include "autograd/params.h"

enum { GRADCHECK_MAX = 2 };

typedef struct gradcheck {
    const char *what;             /* of the case; NULL ends a table */
    fv_shape in[GRADCHECK_MAX];   /* all zeros: absent */
    bool constant[GRADCHECK_MAX]; /* has no gradient */
    fv_tensor *(*build)(fv_graph *g, fv_tensor *const in[], const void *ctx);
    /* y = f(in), the slow and obvious way; NULL: not comparable */
    void (*reference)(const fv_view in[], const fv_params *params, const void *ctx, fv_view y);
    const void *ctx;
    bool spread;    /* distinct values, far apart: for operators that choose */
    bool labels;    /* in[1] holds class numbers of in[0] */
    float kinks[2]; /* where f has none, inputs are kept away from there */
    int kink_count;
} gradcheck;

/* Runs every case of a table. */
void gradcheck_run(const char *name, const gradcheck *checks);

/* Element of a view. */
static inline float *gradcheck_at(fv_view v, int n, int h, int w, int c)
{
    return &fv_pixel(v, (n * v.shape.h + h) * v.shape.w + w)[c];
}

#endif /* FV_TESTS_GRADCHECK_H */
