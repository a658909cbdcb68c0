/* SPDX-License-Identifier: Apache-2.0 */
/* MobileNetV2: Inverted Residuals and Linear Bottlenecks.
 * Sandler, Howard, Zhu, Zhmoginov, Chen, CVPR 2018, arXiv:1801.04381.
 *
 * As PaddleClas has it, which differs from the paper: widths are truncated and not rounded to
 * multiples of 8, and the first block (t = 1) has an expansion of its own.
 */
#include "base/compiler.h"
#include "layers/layers.h"
#include "models/model.h"

fv_model_fn fv_mobilenet_v2;

/* Table 2: n blocks with expansion t and c output channels; the first has stride s. */
/* clang-format off */
static const struct { int t, c, n, s; } stages[] = {
    { 1,  16, 1, 1 },
    { 6,  24, 2, 2 },
    { 6,  32, 3, 2 },
    { 6,  64, 4, 2 },
    { 6,  96, 3, 1 },
    { 6, 160, 3, 2 },
    { 6, 320, 1, 1 },
};
/* clang-format on */

static int scaled(int channels, float width) { return (int)((float)channels * width); }

/* Table 1 and figure 4(d): expand, filter, project without an activation. */
static fv_tensor *inverted_residual(fv_graph *g, fv_tensor *x, int out, int stride, int expansion,
                                    bool residual)
{
    const int hidden = fv_tensor_shape(x).c * expansion;
    fv_tensor *y = fv_conv_bn(g, x, "_expand_conv", .out = hidden, .act = FV_RELU6);
    y = fv_conv_bn(g, y, "_bottleneck_conv", .kernel = 3, .stride = stride, .groups = FV_DEPTHWISE,
                   .act = FV_RELU6);
    y = fv_conv_bn(g, y, "_linear_conv", .out = out);
    return residual ? fv_add(g, x, y) : y;
}

/* Blocks are named by their stage, "conv2" to "conv8", and their place in it. */
static fv_tensor *stage(fv_graph *g, fv_tensor *x, int s, float width)
{
    fv_scope_pushf(g, "conv%d", s + 2);
    for (int i = 0; i < stages[s].n; i++) {
        if (i == 0)
            fv_scope_push(g, "_first_block");
        else
            fv_scope_pushf(g, "conv%d_%d", s + 2, i + 1);
        x = inverted_residual(g, x, scaled(stages[s].c, width), i == 0 ? stages[s].s : 1,
                              stages[s].t, i > 0);
        fv_scope_pop(g);
    }
    fv_scope_pop(g);
    return x;
}

int fv_mobilenet_v2(fv_graph *g, fv_tensor *x, const fv_model *model, const fv_model_options *o,
                    fv_tensor *outputs[])
{
    const float width = model->width;
    const int head = width > 1.0f ? scaled(1280, width) : 1280;

    x = fv_conv_bn(g, x, "conv1", .out = scaled(32, width), .kernel = 3, .stride = 2,
                   .act = FV_RELU6);
    for (int s = 0; s < (int)FV_ARRAY_LEN(stages); s++) x = stage(g, x, s, width);
    x = fv_conv_bn(g, x, "conv9", .out = head, .act = FV_RELU6);
    x = fv_global_avg_pool(g, x);
    outputs[0] = fv_linear(g, x, "out", .out = o->classes);
    return 1;
}
