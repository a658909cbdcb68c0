/* SPDX-License-Identifier: Apache-2.0 */
/* y = factor * x. */
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
    fv_map map = fv_map_of(a->in[0], a->out, false);
    map.factor = *(const float *)a->attr;
    fv_map_run(a->kernels->add, map);
}

static void backward(const fv_op_args *a) { fv_pass_gradient(a, 0, *(const float *)a->attr); }

const fv_op fv_op_scale = {
    .name = "scale",
    .attr_size = sizeof(float),
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_scale(fv_graph *g, fv_tensor *x, float factor)
{
    return fv_graph_apply(g, &fv_op_scale, 1, &x, &factor);
}
