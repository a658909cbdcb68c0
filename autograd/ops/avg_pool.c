/* SPDX-License-Identifier: Apache-2.0 */
/* y[n,oy,ox,c] = mean of x under the window: over its pixels inside the picture, or, with
 * count_padding, over all of the window that lies in the padded picture. */
#include "autograd/ops/pool.h"

static void forward(const fv_op_args *a) { fv_pool_forward(a, a->kernels->avg_pool_forward, NULL); }
static void backward(const fv_op_args *a)
{
    fv_pool_backward(a, a->kernels->avg_pool_backward, NULL);
}

const fv_op fv_op_avg_pool = {
    .name = "avg_pool",
    .attr_size = sizeof(fv_window_attr),
    .infer = fv_pool_infer,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_avg_pool(fv_graph *g, fv_tensor *x, fv_window_attr attr)
{
    return fv_graph_apply(g, &fv_op_avg_pool, 1, &x, &attr);
}
