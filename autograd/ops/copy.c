/* SPDX-License-Identifier: Apache-2.0 */
/* y = x, dense: for values that would have to be views of two tensors. */
#include "autograd/ops/elementwise.h"

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    (void)err;
    *out = in[0].shape;
    return FV_OK;
}

static void forward(const fv_op_args *a)
{
    fv_map_run(a->kernels->add, fv_map_of(a->in[0], a->out, false));
}

static void backward(const fv_op_args *a) { fv_pass_gradient(a, 0, 1.0f); }

const fv_op fv_op_copy = {
    .name = "copy", .infer = infer, .forward = forward, .backward = backward
};

fv_tensor *fv_copy(fv_graph *g, fv_tensor *x)
{
    return fv_graph_apply(g, &fv_op_copy, 1, &x, NULL);
}
