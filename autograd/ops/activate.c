/* SPDX-License-Identifier: Apache-2.0 */
/* y = f(x), element by element: ReLU max(x, 0), ReLU6 min(max(x, 0), 6). The slope is 0 at both
 * kinks. */
#include "autograd/ops/conv2d.h"
#include "autograd/ops/elementwise.h"

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    (void)err;
    *out = in[0].shape;
    return FV_OK;
}

static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    (void)a;
    needs->backward_reads = FV_READS_OUT;
}

static void forward(const fv_op_args *a)
{
    fv_map map = fv_map_of(a->in[0], a->out, false);
    map.act = *(const fv_activation *)a->attr;
    fv_map_run(a->kernels->activate, map);
}

static void backward(const fv_op_args *a)
{
    if (!a->grad_in[0].data) return;
    fv_map map = fv_map_of(a->grad_out, a->grad_in[0], a->accumulate[0]);
    map.act = *(const fv_activation *)a->attr;
    map.z = a->out.data;
    map.z_stride = a->out.pixel_stride;
    fv_map_run(a->kernels->activate_backward, map);
}

const fv_op fv_op_activate = {
    .name = "activate",
    .attr_size = sizeof(fv_activation),
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_activate(fv_graph *g, fv_tensor *x, fv_activation f)
{
    return f == FV_LINEAR ? x : fv_graph_apply(g, &fv_op_activate, 1, &x, &f);
}
