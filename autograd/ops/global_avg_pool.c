/* SPDX-License-Identifier: Apache-2.0 */
/* Global average pooling.
 *
 *   forward     y[n,0,0,c]   = 1/(h*w) * sum_{h,w} x[n,h,w,c]
 *   backward    dx[n,h,w,c]  = 1/(h*w) * dy[n,0,0,c]
 *
 * Lin, Chen, Yan: Network In Network, arXiv:1312.4400, section 3.2.
 */
#include "autograd/op.h"

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    (void)attr;
    (void)err; /* every shape is fine */
    *out = (fv_shape){ in[0].shape.n, 1, 1, in[0].shape.c };
    return FV_OK;
}

static fv_map image_map(fv_shape s)
{
    return (fv_map){ .pixels = s.h * s.w, .channels = s.c, .factor = 1.0f / (float)(s.h * s.w) };
}

static void forward_image(void *ctx, int n, int worker)
{
    (void)worker;
    const fv_op_args *a = ctx;
    fv_map map = image_map(a->in[0].shape);
    map.x = fv_image(a->in[0], n);
    map.x_stride = a->in[0].pixel_stride;
    map.y = fv_pixel(a->out, n);
    a->kernels->channel_sums(&map);
}

static void backward_image(void *ctx, int n, int worker)
{
    (void)worker;
    const fv_op_args *a = ctx;
    fv_map map = image_map(a->grad_in[0].shape);
    map.x = fv_pixel(a->grad_out, n);
    map.x_stride = 0; /* the same row for every pixel */
    map.y = fv_image(a->grad_in[0], n);
    map.y_stride = a->grad_in[0].pixel_stride;
    map.accumulate = a->accumulate[0];
    a->kernels->add(&map);
}

static void forward(const fv_op_args *a)
{
    fv_op_args args = *a;
    fv_parallel_for(a->out.shape.n, forward_image, &args);
}

static void backward(const fv_op_args *a)
{
    if (!a->grad_in[0].data) return;
    fv_op_args args = *a;
    fv_parallel_for(a->out.shape.n, backward_image, &args);
}

const fv_op fv_op_global_avg_pool = {
    .name = "global_avg_pool",
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_global_avg_pool(fv_graph *g, fv_tensor *x)
{
    return fv_graph_apply(g, &fv_op_global_avg_pool, 1, &x, NULL);
}
