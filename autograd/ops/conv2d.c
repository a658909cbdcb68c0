/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution, with all that fusion hangs on it:
 *
 *   y = conv(x) + bias;   z = act(batch_norm(y) + residual)
 *
 * In evaluation batch norm is folded into weights and bias, and one pass writes z. In training y is
 * written once, its moments taken while each chunk is still in cache, and a second pass makes z.
 * Backward needs x, y and the four vectors of batch norm; z only where an activation follows a
 * residual.
 *
 * A 1x1 convolution of stride 1 does not look at the picture: it runs on all pixels of the batch as
 * one column.
 */
#include "autograd/ops/conv2d.h"

#include "autograd/ops/conv_impl.h"

static int out_size(int in, int kernel, int stride, int pad, int dilation)
{
    const int span = in + 2 * pad - dilation * (kernel - 1) - 1;
    return span < 0 ? 0 : span / stride + 1;
}

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    const fv_window_attr *w = &((const fv_conv2d_attr *)attr)->window;
    const fv_shape x = in[FV_IN_X].shape;
    const fv_param *weight = in[FV_IN_WEIGHT].param;
    if (!weight || weight->rank != 4)
        return fv_fail(err, FV_ERR_SHAPE, "the weight is no parameter [out, in/groups, kh, kw]");
    const int *d = weight->dims;
    if (w->groups < 1 || x.c % w->groups || d[0] % w->groups || d[1] != x.c / w->groups)
        return fv_fail(err, FV_ERR_SHAPE, "weight %dx%dx%dx%d in %d groups for %d channels", d[0],
                       d[1], d[2], d[3], w->groups, x.c);
    *out = (fv_shape){ x.n, out_size(x.h, d[2], w->stride_h, w->pad_h, w->dilation_h),
                       out_size(x.w, d[3], w->stride_w, w->pad_w, w->dilation_w), d[0] };
    if (out->h < 1 || out->w < 1)
        return fv_fail(err, FV_ERR_SHAPE, "a %dx%d window does not fit a picture of %dx%d", d[2],
                       d[3], x.h, x.w);
    if (in[FV_IN_BIAS].shape.c && in[FV_IN_BIAS].shape.c != d[0])
        return fv_fail(err, FV_ERR_SHAPE, "%d biases for %d channels", in[FV_IN_BIAS].shape.c,
                       d[0]);
    return FV_OK;
}

static fv_conv conv_of(const fv_op_args *a)
{
    const fv_window_attr *w = &((const fv_conv2d_attr *)a->attr)->window;
    const fv_shape x = a->in[FV_IN_X].shape, y = a->out.shape;
    const int *d = a->params[FV_IN_WEIGHT]->dims;
    fv_conv c = { { x.n, x.h, x.w, y.h, y.w, d[2], d[3], w->stride_h, w->stride_w, w->pad_h,
                    w->pad_w, w->dilation_h, w->dilation_w },
                  x.c,
                  y.c,
                  w->groups };
    if (d[2] * d[3] == 1 && w->stride_h * w->stride_w == 1 && w->pad_h + w->pad_w == 0) {
        c.window.n = c.window.in_w = c.window.out_w = 1;
        c.window.in_h = c.window.out_h = fv_shape_pixels(x);
    }
    return c;
}

static const fv_conv_route *route_of(const fv_op_args *a, const fv_conv *c)
{
    if (fv_is_depthwise(c)) return &fv_conv_depthwise;
    return fv_winograd_pays(a, c) ? &fv_conv_winograd : &fv_conv_dense;
}

static bool has(const fv_op_args *a, int input) { return a->in[input].shape.c > 0; }

static const fv_conv_fusion *fusion_of(const fv_op_args *a, const fv_conv *c)
{
    static const fv_conv_fusion *const fusions[] = { &fv_conv_fused_pointwise,
                                                     &fv_conv_fused_depthwise };
    if (!a->wants_grad[FV_IN_X] || !a->wants_grad[FV_IN_WEIGHT] || has(a, FV_IN_BIAS)) return NULL;
    for (size_t i = 0; i < FV_ARRAY_LEN(fusions); i++)
        if (fusions[i]->fits(a, c)) return fusions[i];
    return NULL;
}

/* In training, batch norm needs y, also when its statistics are fixed. */
static bool keeps_y(const fv_op_args *a) { return a->mode == FV_TRAIN && has(a, FV_IN_SCALE); }

/* Saved: the state of batch norm, then y. */
static fv_view saved_y(const fv_op_args *a)
{
    char *y = (char *)a->saved + fv_norm_state_bytes(a->out.shape.c);
    return (fv_view){ (float *)(void *)y, a->out.shape, a->out.shape.c };
}

/* ---- Measure ------------------------------------------------------------------- */

static fv_pack_request pack_request(const fv_op_args *a, const fv_conv *c, fv_pack_kind kind)
{
    fv_pack_request r = { .kind = kind, .conv = *c };
    r.weight = a->params[FV_IN_WEIGHT];
    r.bias = a->params[FV_IN_BIAS];
    if (a->mode == FV_EVAL && has(a, FV_IN_SCALE)) {
        r.scale = a->params[FV_IN_SCALE];
        r.shift = a->params[FV_IN_SHIFT];
        r.mean = a->params[FV_IN_MEAN];
        r.variance = a->params[FV_IN_VAR];
        r.epsilon = ((const fv_conv2d_attr *)a->attr)->norm.bn.epsilon;
    }
    return r;
}

static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    const fv_conv2d_attr *attr = a->attr;
    const fv_conv c = conv_of(a);
    const fv_conv_route *route = route_of(a, &c);

    needs->packs[needs->pack_count++] = pack_request(a, &c, route->forward_pack);
    needs->forward_scratch = fv_align(route->forward_bytes(a->kernels, &c));
    if (keeps_y(a)) {
        needs->saved = fv_norm_state_bytes(c.out_c) + fv_shape_floats(a->out.shape) * sizeof(float);
        needs->forward_scratch += fv_moments_bytes(route->chunks(&c), c.out_c);
    }
    if (!a->differentiated) return;

    needs->backward_reads = FV_READS_IN(FV_IN_X) | FV_READS_IN(FV_IN_WEIGHT);
    needs->keeps_raw = keeps_y(a) && !has(a, FV_IN_RESIDUAL);
    if (keeps_y(a))
        needs->backward_reads |= fv_norm_reads(a, &attr->norm);
    else if (attr->norm.act != FV_LINEAR)
        needs->backward_reads |= FV_READS_OUT;
    if (a->wants_grad[FV_IN_X] && route->backward_pack != route->forward_pack)
        needs->packs[needs->pack_count++] = pack_request(a, &c, route->backward_pack);
    needs->backward_scratch = route->backward_bytes(a->kernels, &c);
    if (!keeps_y(a)) return;
    const fv_conv_fusion *fusion = fusion_of(a, &c);
    if (fusion) needs->makes_inputs = FV_READS_IN(FV_IN_X);
    const size_t norm = fv_align(fv_norm_backward_bytes(a->out.shape));
    const size_t both = norm + (fusion ? fusion->bytes(a->kernels, &c) : 0);
    if (both > needs->backward_scratch) needs->backward_scratch = both;
}

/* ---- Forward ------------------------------------------------------------------- */

static void forward_normalized(const fv_op_args *a, fv_conv_run *run, const fv_conv_route *route)
{
    const fv_conv2d_attr *attr = a->attr;
    const fv_norm_state state = fv_norm_state_at(a->saved, a->out.shape.c);
    const bool fixed = fv_norm_is_fixed(a);
    run->y = saved_y(a);
    if (!fixed) {
        char *after = (char *)a->scratch + fv_align(route->forward_bytes(a->kernels, &run->conv));
        run->moments = fv_moments_at(after, route->chunks(&run->conv), run->conv.out_c);
    }
    route->forward(run);
    if (fixed)
        fv_norm_fixed_state(a, &attr->norm, state);
    else
        fv_norm_batch_state(a, &attr->norm, &run->moments, state);
    fv_norm_forward(a, &attr->norm, run->y, state);
}

static void forward(const fv_op_args *a)
{
    const fv_conv2d_attr *attr = a->attr;
    fv_conv_run run = { .a = a, .conv = conv_of(a), .y = a->out, .scratch = a->scratch };
    const fv_conv_route *route = route_of(a, &run.conv);
    run.epilogue.bias = a->packs[0]->bias;
    if (keeps_y(a)) {
        forward_normalized(a, &run, route);
        return;
    }
    run.epilogue.residual = a->in[FV_IN_RESIDUAL].data;
    run.epilogue.residual_stride = a->in[FV_IN_RESIDUAL].pixel_stride;
    run.epilogue.act = attr->norm.act;
    route->forward(&run);
}

static fv_raw raw(const fv_op_args *a)
{
    const fv_norm_state state = fv_norm_state_at(a->saved, a->out.shape.c);
    const fv_activation act = ((const fv_conv2d_attr *)a->attr)->norm.act;
    return (fv_raw){ saved_y(a), state.scale, state.shift, act };
}

/* ---- Backward ------------------------------------------------------------------ */

static void backward_bias(const fv_op_args *a)
{
    const fv_view dy = a->grad_out;
    const fv_map sums = { .pixels = fv_shape_pixels(dy.shape),
                          .channels = dy.shape.c,
                          .x = dy.data,
                          .x_stride = dy.pixel_stride,
                          .y = a->grad_in[FV_IN_BIAS].data,
                          .y_stride = dy.shape.c,
                          .factor = 1.0f,
                          .accumulate = a->accumulate[FV_IN_BIAS] };
    a->kernels->channel_sums(&sums);
}

/* Batch norm's backward; true if the convolution's came with it. */
static bool backward_normalized(const fv_op_args *a, fv_conv_run *run)
{
    const fv_conv2d_attr *attr = a->attr;
    const fv_conv_fusion *fusion = fusion_of(a, &run->conv);
    fv_norm second;
    fv_norm_backward_sums(a, &attr->norm, saved_y(a), fv_norm_state_at(a->saved, a->out.shape.c),
                          a->scratch, &second);
    if (!fusion) {
        fv_norm_backward_apply(a, &second);
        return false;
    }
    run->scratch = (char *)a->scratch + fv_align(fv_norm_backward_bytes(a->out.shape));
    fusion->backward(run, &second);
    return true;
}

static void backward(const fv_op_args *a)
{
    fv_conv_run run = { .a = a, .conv = conv_of(a), .scratch = a->scratch };
    const fv_conv_route *route = route_of(a, &run.conv);
    if (keeps_y(a)) {
        if (backward_normalized(a, &run)) return;
    } else {
        fv_act_backward(a, ((const fv_conv2d_attr *)a->attr)->norm.act);
    }
    if (a->grad_in[FV_IN_BIAS].data) backward_bias(a);
    if (a->grad_in[FV_IN_WEIGHT].data) route->backward_weights(&run);
    if (a->grad_in[FV_IN_X].data) route->backward_data(&run);
}

static uint64_t macs(const fv_op_input *in, const void *attr, fv_shape out)
{
    (void)attr;
    const int *d = in[FV_IN_WEIGHT].param->dims;
    return (uint64_t)fv_shape_floats(out) * (uint64_t)(d[1] * d[2] * d[3]);
}

const fv_op fv_op_conv2d = {
    .name = "conv2d",
    .attr_size = sizeof(fv_conv2d_attr),
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
    .raw = raw,
    .macs = macs,
};

fv_tensor *fv_conv2d(fv_graph *g, fv_tensor *x, fv_tensor *weight, fv_tensor *bias,
                     fv_window_attr attr)
{
    fv_tensor *in[] = { [FV_IN_X] = x, [FV_IN_WEIGHT] = weight, [FV_IN_BIAS] = bias };
    const fv_conv2d_attr a = { .window = attr };
    return fv_graph_apply(g, &fv_op_conv2d, 3, in, &a);
}
