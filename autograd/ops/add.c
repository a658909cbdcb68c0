/* SPDX-License-Identifier: Apache-2.0 */
/* y = a + b, same shapes. */
#include "autograd/ops/conv2d.h"
#include "autograd/ops/elementwise.h"

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    const fv_shape a = in[0].shape, b = in[1].shape;
    *out = a;
    if (fv_shape_equal(a, b)) return FV_OK;
    return fv_fail(err, FV_ERR_SHAPE, "%dx%dx%dx%d and %dx%dx%dx%d", a.n, a.h, a.w, a.c, b.n, b.h,
                   b.w, b.c);
}

static void forward(const fv_op_args *a)
{
    fv_map map = fv_map_of(a->in[0], a->out, false);
    map.z = a->in[1].data;
    map.z_stride = a->in[1].pixel_stride;
    fv_map_run(a->kernels->add, map);
}

static void backward(const fv_op_args *a)
{
    fv_pass_gradient(a, 1, 1.0f);
    fv_pass_gradient(a, 0, 1.0f);
}

const fv_op fv_op_add = { .name = "add", .infer = infer, .forward = forward, .backward = backward };

fv_tensor *fv_add(fv_graph *g, fv_tensor *a, fv_tensor *b)
{
    return fv_graph_apply(g, &fv_op_add, 2, (fv_tensor *[]){ a, b }, NULL);
}
