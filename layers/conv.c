/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layers.h"

#include "base/compiler.h"

#include <math.h>

static int or_default(int value, int otherwise) { return value ? value : otherwise; }

/* Size-keeping padding at stride 1. */
static int padding(const fv_conv_options *o, int kernel, int dilation)
{
    if (o->pad < 0) return 0;
    return o->pad ? o->pad : dilation * (kernel - 1) / 2;
}

static fv_init conv_init(const fv_conv_options *o, int taps, int in, int out)
{
    switch (o->init) {
    case FV_INIT_FAN_OUT: return (fv_init){ FV_INIT_NORMAL, sqrtf(2.0f / (float)(taps * out)) };
    case FV_INIT_UNIFORM_BOUND: return (fv_init){ FV_INIT_UNIFORM, o->bound };
    case FV_INIT_DEFAULT: break;
    }
    return (fv_init){ FV_INIT_NORMAL, sqrtf(2.0f / (float)(taps * in)) };
}

fv_tensor *fv_conv_with(fv_graph *g, fv_tensor *x, const char *name, fv_conv_options o)
{
    const int in = fv_tensor_shape(x).c;
    const int groups = o.groups == FV_DEPTHWISE ? in : or_default(o.groups, 1);
    const int out = or_default(o.out, in), kernel = or_default(o.kernel, 1);
    const int kh = or_default(o.kernel_h, kernel), kw = or_default(o.kernel_w, kernel);
    const int stride = or_default(o.stride, 1), dilation = or_default(o.dilation, 1);
    const fv_window_attr window = { .stride_h = stride,
                                    .stride_w = stride,
                                    .pad_h = padding(&o, kh, dilation),
                                    .pad_w = padding(&o, kw, dilation),
                                    .dilation_h = dilation,
                                    .dilation_w = dilation,
                                    .groups = groups };
    if (!x) return NULL;

    fv_scope_push(g, name);
    const int dims[] = { out, in / groups, kh, kw };
    fv_tensor *w =
        fv_param_tensor(g, "weight", FV_CONV_WEIGHT, 4, dims, conv_init(&o, kh * kw, in, out));
    fv_tensor *b = o.bias ? fv_param_tensor(g, "bias", FV_BIAS, 1, &out, (fv_init){ 0 }) : NULL;
    x = fv_activate(g, fv_conv2d(g, x, w, b, window), o.act);
    fv_scope_pop(g);
    return x;
}

fv_tensor *fv_bn_with(fv_graph *g, fv_tensor *x, const char *name, fv_bn_options o)
{
    const int c = fv_tensor_shape(x).c;
    const fv_init zeros = { FV_INIT_CONSTANT, 0.0f }, ones = { FV_INIT_CONSTANT, 1.0f };
    const fv_batch_norm_attr attr = { o.epsilon > 0.0f ? o.epsilon : 1e-5f,
                                      o.momentum > 0.0f ? o.momentum : 0.9f };
    if (!x) return NULL;

    fv_scope_push(g, name);
    fv_tensor *scale = fv_param_tensor(g, "weight", FV_BN_WEIGHT, 1, &c, ones);
    fv_tensor *shift = fv_param_tensor(g, "bias", FV_BN_BIAS, 1, &c, zeros);
    fv_tensor *mean = fv_param_tensor(g, "_mean", FV_BN_MEAN, 1, &c, zeros);
    fv_tensor *variance = fv_param_tensor(g, "_variance", FV_BN_VAR, 1, &c, ones);
    x = fv_batch_norm(g, x, scale, shift, mean, variance, attr);
    x = fv_activate(g, x, o.act);
    fv_scope_pop(g);
    return x;
}

fv_tensor *fv_conv_bn_with(fv_graph *g, fv_tensor *x, const char *name, fv_conv_options o)
{
    const fv_activation act = o.act;
    o.act = FV_LINEAR;
    fv_scope_push(g, name);
    x = fv_conv_with(g, x, "_conv", o);
    x = fv_bn(g, x, "_batch_norm", .act = act);
    fv_scope_pop(g);
    return x;
}

fv_tensor *fv_linear_with(fv_graph *g, fv_tensor *x, const char *name, fv_linear_options o)
{
    const fv_shape s = fv_tensor_shape(x);
    const int dims[] = { s.h * s.w * s.c, o.out };
    const float xavier = sqrtf(6.0f / (float)(dims[0] + o.out));
    const fv_init init = { FV_INIT_UNIFORM, o.init == FV_INIT_UNIFORM_BOUND ? o.bound : xavier };
    if (!x) return NULL;

    fv_scope_push(g, name);
    fv_tensor *w = fv_param_tensor(g, "weight", FV_LINEAR_WEIGHT, 2, dims, init);
    fv_tensor *b = fv_param_tensor(g, "bias", FV_BIAS, 1, &o.out, (fv_init){ 0 });
    x = fv_matmul(g, x, w, b);
    fv_scope_pop(g);
    return x;
}
