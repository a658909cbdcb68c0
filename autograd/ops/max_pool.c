/* SPDX-License-Identifier: Apache-2.0 */
/* y[n,oy,ox,c] = the largest x under the window; padding never wins. Forward notes which tap won,
 * and backward sends the gradient there. */
#include "autograd/ops/pool.h"

static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    if (a->differentiated) needs->saved = fv_shape_floats(a->out.shape);
}

static void forward(const fv_op_args *a)
{
    fv_pool_forward(a, a->kernels->max_pool_forward, a->differentiated ? a->saved : NULL);
}

static void backward(const fv_op_args *a)
{
    fv_pool_backward(a, a->kernels->max_pool_backward, a->saved);
}

const fv_op fv_op_max_pool = {
    .name = "max_pool",
    .attr_size = sizeof(fv_window_attr),
    .infer = fv_pool_infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_max_pool(fv_graph *g, fv_tensor *x, fv_window_attr attr)
{
    return fv_graph_apply(g, &fv_op_max_pool, 1, &x, &attr);
}
