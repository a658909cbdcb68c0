/* SPDX-License-Identifier: Apache-2.0 */
/* InceptionV3: Rethinking the Inception Architecture for Computer Vision.
 * Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, CVPR 2016, arXiv:1512.00567.
 *
 * As PaddleClas has it: no auxiliary head, batch norm with epsilon 1e-5, average pools that count
 * their padding, dropout 0.2 that scales in inference.
 */
#include "base/compiler.h"
#include "layers/layers.h"
#include "models/model.h"

#include <math.h>

fv_model_fn fv_inception_v3;

/* Convolution, batch norm, ReLU; named arguments as in layers.h. */
static fv_tensor *unit_with(fv_graph *g, fv_tensor *x, const char *name, fv_conv_options o)
{
    fv_scope_push(g, name);
    x = fv_conv_with(g, x, "conv", o);
    x = fv_bn(g, x, "bn", .act = FV_RELU);
    fv_scope_pop(g);
    return x;
}

#define unit(g, x, name, ...) unit_with(g, x, name, (fv_conv_options){ __VA_ARGS__ })

static fv_tensor *max_pool(fv_graph *g, fv_tensor *x)
{
    return fv_max_pool(g, x, fv_window_of(3, 2, 0));
}

static fv_tensor *avg_pool(fv_graph *g, fv_tensor *x)
{
    fv_window_attr window = fv_window_of(3, 1, 1);
    window.count_padding = true;
    return fv_avg_pool(g, x, window);
}

/* Table 1, first six rows. */
static fv_tensor *stem(fv_graph *g, fv_tensor *x)
{
    fv_scope_push(g, "inception_stem");
    x = unit(g, x, "conv_1a_3x3", .out = 32, .kernel = 3, .stride = 2, .pad = -1);
    x = unit(g, x, "conv_2a_3x3", .out = 32, .kernel = 3, .pad = -1);
    x = unit(g, x, "conv_2b_3x3", .out = 64, .kernel = 3);
    x = max_pool(g, x);
    x = unit(g, x, "conv_3b_1x1", .out = 80);
    x = unit(g, x, "conv_4a_3x3", .out = 192, .kernel = 3, .pad = -1);
    fv_scope_pop(g);
    return max_pool(g, x);
}

/* Figure 5. */
static fv_tensor *block_a(fv_graph *g, fv_tensor *x, int pool_features)
{
    fv_tensor *parts[4];
    parts[0] = unit(g, x, "branch1x1", .out = 64);
    parts[1] = unit(g, x, "branch5x5_1", .out = 48);
    parts[1] = unit(g, parts[1], "branch5x5_2", .out = 64, .kernel = 5);
    parts[2] = unit(g, x, "branch3x3dbl_1", .out = 64);
    parts[2] = unit(g, parts[2], "branch3x3dbl_2", .out = 96, .kernel = 3);
    parts[2] = unit(g, parts[2], "branch3x3dbl_3", .out = 96, .kernel = 3);
    parts[3] = unit(g, avg_pool(g, x), "branch_pool_conv", .out = pool_features);
    return fv_concat(g, 4, parts);
}

/* Figure 10: from 35 to 17. */
static fv_tensor *block_b(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[3];
    parts[0] = unit(g, x, "branch3x3", .out = 384, .kernel = 3, .stride = 2, .pad = -1);
    parts[1] = unit(g, x, "branch3x3dbl_1", .out = 64);
    parts[1] = unit(g, parts[1], "branch3x3dbl_2", .out = 96, .kernel = 3);
    parts[1] = unit(g, parts[1], "branch3x3dbl_3", .out = 96, .kernel = 3, .stride = 2, .pad = -1);
    parts[2] = max_pool(g, x);
    return fv_concat(g, 3, parts);
}

/* Figure 6, with n = 7. */
static fv_tensor *block_c(fv_graph *g, fv_tensor *x, int c)
{
    fv_tensor *parts[4];
    parts[0] = unit(g, x, "branch1x1", .out = 192);
    parts[1] = unit(g, x, "branch7x7_1", .out = c);
    parts[1] = unit(g, parts[1], "branch7x7_2", .out = c, .kernel_h = 1, .kernel_w = 7);
    parts[1] = unit(g, parts[1], "branch7x7_3", .out = 192, .kernel_h = 7, .kernel_w = 1);
    parts[2] = unit(g, x, "branch7x7dbl_1", .out = c);
    parts[2] = unit(g, parts[2], "branch7x7dbl_2", .out = c, .kernel_h = 7, .kernel_w = 1);
    parts[2] = unit(g, parts[2], "branch7x7dbl_3", .out = c, .kernel_h = 1, .kernel_w = 7);
    parts[2] = unit(g, parts[2], "branch7x7dbl_4", .out = c, .kernel_h = 7, .kernel_w = 1);
    parts[2] = unit(g, parts[2], "branch7x7dbl_5", .out = 192, .kernel_h = 1, .kernel_w = 7);
    parts[3] = unit(g, avg_pool(g, x), "branch_pool_conv", .out = 192);
    return fv_concat(g, 4, parts);
}

/* From 17 to 8. */
static fv_tensor *block_d(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[3];
    parts[0] = unit(g, x, "branch3x3_1", .out = 192);
    parts[0] = unit(g, parts[0], "branch3x3_2", .out = 320, .kernel = 3, .stride = 2, .pad = -1);
    parts[1] = unit(g, x, "branch7x7x3_1", .out = 192);
    parts[1] = unit(g, parts[1], "branch7x7x3_2", .out = 192, .kernel_h = 1, .kernel_w = 7);
    parts[1] = unit(g, parts[1], "branch7x7x3_3", .out = 192, .kernel_h = 7, .kernel_w = 1);
    parts[1] = unit(g, parts[1], "branch7x7x3_4", .out = 192, .kernel = 3, .stride = 2, .pad = -1);
    parts[2] = max_pool(g, x);
    return fv_concat(g, 3, parts);
}

/* A pair of 1x3 and 3x1 side by side. */
static fv_tensor *pair(fv_graph *g, fv_tensor *x, const char *wide, const char *tall)
{
    fv_tensor *parts[2];
    parts[0] = unit(g, x, wide, .out = 384, .kernel_h = 1, .kernel_w = 3);
    parts[1] = unit(g, x, tall, .out = 384, .kernel_h = 3, .kernel_w = 1);
    return fv_concat(g, 2, parts);
}

/* Figure 7. */
static fv_tensor *block_e(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[4];
    parts[0] = unit(g, x, "branch1x1", .out = 320);
    parts[1] = unit(g, x, "branch3x3_1", .out = 384);
    parts[1] = pair(g, parts[1], "branch3x3_2a", "branch3x3_2b");
    parts[2] = unit(g, x, "branch3x3dbl_1", .out = 448);
    parts[2] = unit(g, parts[2], "branch3x3dbl_2", .out = 384, .kernel = 3);
    parts[2] = pair(g, parts[2], "branch3x3dbl_3a", "branch3x3dbl_3b");
    parts[3] = unit(g, avg_pool(g, x), "branch_pool_conv", .out = 192);
    return fv_concat(g, 4, parts);
}

int fv_inception_v3(fv_graph *g, fv_tensor *x, const fv_model *model, const fv_model_options *o,
                    fv_tensor *outputs[])
{
    static const struct {
        char kind;
        int width;
    } blocks[] = { { 'A', 32 },  { 'A', 64 },  { 'A', 64 }, { 'B', 0 }, { 'C', 128 }, { 'C', 160 },
                   { 'C', 160 }, { 'C', 192 }, { 'D', 0 },  { 'E', 0 }, { 'E', 0 } };
    (void)model;
    x = stem(g, x);
    for (int i = 0; i < (int)FV_ARRAY_LEN(blocks); i++) {
        fv_scope_pushf(g, "inception_block_list.%d", i);
        switch (blocks[i].kind) {
        case 'A': x = block_a(g, x, blocks[i].width); break;
        case 'B': x = block_b(g, x); break;
        case 'C': x = block_c(g, x, blocks[i].width); break;
        case 'D': x = block_d(g, x); break;
        default: x = block_e(g, x); break;
        }
        fv_scope_pop(g);
    }
    x = fv_dropout(g, fv_global_avg_pool(g, x), 0.2f, FV_DOWNSCALE_IN_INFER);
    outputs[0] = fv_linear(g, x, "fc", .out = o->classes, .init = FV_INIT_UNIFORM_BOUND,
                           .bound = 1.0f / sqrtf(2048.0f));
    return 1;
}
