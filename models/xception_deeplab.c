/* SPDX-License-Identifier: Apache-2.0 */
/* Xception as modified for DeepLabv3+: Encoder-Decoder with Atrous Separable Convolution.
 * Chen, Zhu, Papandreou, Schroff, Adam, ECCV 2018, arXiv:1802.02611, figure 4.
 *
 * Depthwise, then pointwise, each with batch norm of epsilon 1e-3 and momentum 0.99; three
 * separable convolutions per block, the third of which strides. Some names hold slashes: they are
 * TensorFlow's.
 */
#include "base/compiler.h"
#include "layers/layers.h"
#include "models/xception.h"

#include <stdio.h>

static fv_tensor *bn(fv_graph *g, fv_tensor *x, const char *name, fv_activation act)
{
    return fv_bn(g, x, name, .act = act, .epsilon = 1e-3f, .momentum = 0.99f);
}

static fv_tensor *conv_bn(fv_graph *g, fv_tensor *x, const char *name, fv_conv_options o,
                          fv_activation act)
{
    fv_scope_push(g, name);
    x = bn(g, fv_conv_with(g, x, "_conv", o), "_bn", act);
    fv_scope_pop(g);
    return x;
}

typedef struct block_options {
    int out[3];
    int stride;   /* of the third */
    int dilation; /* default: 1 */
    bool inside;  /* ReLU after each batch norm instead of before each separable convolution */
    enum { PROJECT, IDENTITY, NONE } skip;
} block_options;

static fv_tensor *block(fv_graph *g, fv_tensor *x, const char *name, block_options o)
{
    static const char *const names[] = { "_conv1", "_conv2", "_conv3" };
    const fv_activation act = o.inside ? FV_RELU : FV_LINEAR;
    fv_tensor *y = x;
    fv_scope_push(g, name);
    for (int i = 0; i < 3; i++) {
        if (!o.inside) y = fv_activate(g, y, FV_RELU);
        fv_scope_push(g, names[i]);
        y = fv_conv(g, y, "_conv1", .kernel = 3, .stride = i == 2 ? o.stride : 1,
                    .dilation = o.dilation, .groups = FV_DEPTHWISE);
        y = bn(g, y, "_bn1", act);
        y = fv_conv(g, y, "_conv2", .out = o.out[i]);
        y = bn(g, y, "_bn2", act);
        fv_scope_pop(g);
    }
    if (o.skip == PROJECT) {
        const fv_conv_options project = { .out = o.out[2], .stride = o.stride };
        x = conv_bn(g, x, "_short", project, FV_LINEAR);
    }
    fv_scope_pop(g);
    return o.skip == NONE ? y : fv_add(g, x, y);
}

int fv_xception_deeplab_build(fv_graph *g, fv_tensor *x, const fv_model *model,
                              const fv_model_options *o, fv_tensor *outputs[])
{
    static const int entry[] = { 128, 256, 728 };
    const int middle = model->variant == &fv_xception41 ? 8 : 16;
    const char *backbone = model->variant == &fv_xception41 ? "xception_41" : "xception_65";
    const fv_conv_options conv1 = { .out = 32, .kernel = 3, .stride = 2 },
                          conv2 = { .out = 64, .kernel = 3 };
    x = conv_bn(g, x, "_conv1", conv1, FV_RELU);
    x = conv_bn(g, x, "_conv2", conv2, FV_RELU);
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s/entry_flow/block%d", backbone, i + 1);
        x = block(g, x, name,
                  (block_options){ .out = { entry[i], entry[i], entry[i] }, .stride = 2 });
    }
    for (int i = 0; i < middle; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s/middle_flow/block%d", backbone, i + 1);
        x = block(g, x, name,
                  (block_options){ .out = { 728, 728, 728 }, .stride = 1, .skip = IDENTITY });
    }
    x = block(g, x, "_exit_flow_1", (block_options){ .out = { 728, 1024, 1024 }, .stride = 2 });
    x = block(g, x, "_exit_flow_2",
              (block_options){ .out = { 1536, 1536, 2048 },
                               .stride = 1,
                               .dilation = 2,
                               .inside = true,
                               .skip = NONE });
    x = fv_dropout(g, x, 0.5f, FV_DOWNSCALE_IN_INFER);
    outputs[0] = fv_linear(g, fv_global_avg_pool(g, x), "_fc", .out = o->classes);
    return 1;
}
