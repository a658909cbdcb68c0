/* SPDX-License-Identifier: Apache-2.0 */
/* DLA: Deep Layer Aggregation.
 * Yu, Wang, Shelhamer, Darrell, CVPR 2018, arXiv:1707.06484.
 *
 * As PaddleClas has it. What is left out because nothing depends on it: the projection and, unless
 * its tree is a level root, the pooling of a tree of several levels, whose subtrees make their own.
 */
#include "models/dla.h"
#include "base/compiler.h"
#include "layers/layers.h"
#include "models/model.h"

enum { LEVELS = 6, MAX_CHILDREN = 8, TREES_STRIDE = 16 };

struct fv_dla {
    int levels[LEVELS], channels[LEVELS];
    bool bottleneck; /* else basic blocks */
    int cardinality, base_width;
    bool residual_root;
};

/* Table 1. */
/* clang-format off */
const fv_dla fv_dla34    = { { 1, 1, 1, 2, 2, 1 }, { 16, 32,  64, 128, 256,  512 }, false,  1, 64, false };
const fv_dla fv_dla46_c  = { { 1, 1, 1, 2, 2, 1 }, { 16, 32,  64,  64, 128,  256 }, true,   1, 64, false };
const fv_dla fv_dla46x_c = { { 1, 1, 1, 2, 2, 1 }, { 16, 32,  64,  64, 128,  256 }, true,  32,  4, false };
const fv_dla fv_dla60    = { { 1, 1, 1, 2, 3, 1 }, { 16, 32, 128, 256, 512, 1024 }, true,   1, 64, false };
const fv_dla fv_dla60x   = { { 1, 1, 1, 2, 3, 1 }, { 16, 32, 128, 256, 512, 1024 }, true,  32,  4, false };
const fv_dla fv_dla60x_c = { { 1, 1, 1, 2, 3, 1 }, { 16, 32,  64,  64, 128,  256 }, true,  32,  4, false };
const fv_dla fv_dla102   = { { 1, 1, 1, 3, 4, 1 }, { 16, 32, 128, 256, 512, 1024 }, true,   1, 64, true };
const fv_dla fv_dla102x  = { { 1, 1, 1, 3, 4, 1 }, { 16, 32, 128, 256, 512, 1024 }, true,  32,  4, true };
const fv_dla fv_dla102x2 = { { 1, 1, 1, 3, 4, 1 }, { 16, 32, 128, 256, 512, 1024 }, true,  64,  4, true };
const fv_dla fv_dla169   = { { 1, 1, 2, 3, 5, 1 }, { 16, 32, 128, 256, 512, 1024 }, true,   1, 64, true };
/* clang-format on */

/* Convolution and batch norm beside each other. */
static fv_tensor *unit_with(fv_graph *g, fv_tensor *x, const char *conv, const char *bn,
                            fv_conv_options o)
{
    const fv_activation act = o.act;
    o.act = FV_LINEAR;
    o.init = FV_INIT_FAN_OUT;
    return fv_bn(g, fv_conv_with(g, x, conv, o), bn, .act = act);
}

#define unit(g, x, conv, bn, ...) unit_with(g, x, conv, bn, (fv_conv_options){ __VA_ARGS__ })

/* The element-wise sum, then ReLU. */
static fv_tensor *add_relu(fv_graph *g, fv_tensor *x, fv_tensor *residual)
{
    return fv_activate(g, fv_add(g, x, residual), FV_RELU);
}

/* Section 4.1: a basic block, or a bottleneck, split (cardinality) or not. */
static fv_tensor *block(fv_graph *g, fv_tensor *x, const fv_dla *m, const char *name, int out,
                        int stride, fv_tensor *residual)
{
    fv_scope_push(g, name);
    if (m->bottleneck) {
        const int mid = out * m->base_width / 64 * m->cardinality / 2;
        x = unit(g, x, "conv1", "bn1", .out = mid, .act = FV_RELU);
        x = unit(g, x, "conv2", "bn2", .out = mid, .kernel = 3, .stride = stride,
                 .groups = m->cardinality, .act = FV_RELU);
        x = unit(g, x, "conv3", "bn3", .out = out);
    } else {
        x = unit(g, x, "conv1", "bn1", .out = out, .kernel = 3, .stride = stride, .act = FV_RELU);
        x = unit(g, x, "conv2", "bn2", .out = out, .kernel = 3);
    }
    fv_scope_pop(g);
    return add_relu(g, x, residual);
}

/* What a root aggregates. */
typedef struct children {
    fv_tensor *parts[MAX_CHILDREN];
    int count;
} children;

static fv_tensor *aggregate(fv_graph *g, const fv_dla *m, children c, int out)
{
    fv_tensor *first = c.parts[0], *x = fv_concat(g, c.count, c.parts);
    fv_scope_push(g, "root");
    x = unit(g, x, "conv", "bn", .out = out);
    fv_scope_pop(g);
    return m->residual_root ? add_relu(g, x, first) : fv_activate(g, x, FV_RELU);
}

/* Trees add maps that a convolution halved, rounding up, to maps that a pool halved, rounding
 * down. */
static fv_tensor *check_size(fv_graph *g, fv_tensor *x, fv_shape images)
{
    const fv_shape s = fv_tensor_shape(x);
    if (s.h % TREES_STRIDE == 0 && s.w % TREES_STRIDE == 0) return x;
    return fv_graph_fail(
        g, "images of %d x %d: height and width must be multiples of %d pixels, or one less",
        images.h, images.w, 2 * TREES_STRIDE);
}

/* Two blocks and their root. */
static fv_tensor *leaf(fv_graph *g, fv_tensor *x, fv_tensor *bottom, const fv_dla *m, int out,
                       int stride, const children *inherited)
{
    fv_tensor *residual = bottom;
    if (fv_tensor_shape(x).c != out) {
        fv_scope_push(g, "project");
        residual = unit(g, bottom, "0", "1", .out = out);
        fv_scope_pop(g);
    }
    fv_tensor *x1 = block(g, x, m, "tree1", out, stride, residual);
    fv_tensor *x2 = block(g, x1, m, "tree2", out, 1, x1);
    children all = { { x2, x1 }, 2 };
    for (int i = 0; i < inherited->count; i++) all.parts[all.count++] = inherited->parts[i];
    return aggregate(g, m, all, out);
}

/* Section 3.2, hierarchical aggregation. Children are handed down the right side to its last
 * root. */
static fv_tensor *tree(fv_graph *g, fv_tensor *x, const fv_dla *m, int levels, int out, int stride,
                       bool level_root, children inherited)
{
    fv_tensor *bottom = x;
    if (stride > 1 && (levels == 1 || level_root))
        bottom = fv_max_pool(g, x, fv_window_of(stride, stride, 0));
    if (level_root) inherited.parts[inherited.count++] = bottom;
    if (levels == 1) return leaf(g, x, bottom, m, out, stride, &inherited);

    fv_scope_push(g, "tree1");
    fv_tensor *x1 = tree(g, x, m, levels - 1, out, stride, false, (children){ .count = 0 });
    fv_scope_pop(g);
    inherited.parts[inherited.count++] = x1;
    fv_scope_push(g, "tree2");
    x1 = tree(g, x1, m, levels - 1, out, 1, false, inherited);
    fv_scope_pop(g);
    return x1;
}

int fv_dla_build(fv_graph *g, fv_tensor *x, const fv_model *model, const fv_model_options *o,
                 fv_tensor *outputs[])
{
    const fv_dla *m = model->variant;
    const fv_shape images = fv_tensor_shape(x);
    x = unit(g, x, "base_layer.0", "base_layer.1", .out = m->channels[0], .kernel = 7,
             .act = FV_RELU);
    for (int l = 0; l < LEVELS; l++) {
        const int stride = l == 0 ? 1 : 2;
        if (l == 2) x = check_size(g, x, images);
        fv_scope_pushf(g, "level%d", l);
        if (l < 2)
            x = unit(g, x, "0", "1", .out = m->channels[l], .kernel = 3, .stride = stride,
                     .act = FV_RELU);
        else
            x = tree(g, x, m, m->levels[l], m->channels[l], stride, l > 2,
                     (children){ .count = 0 });
        fv_scope_pop(g);
    }
    x = fv_global_avg_pool(g, x);
    outputs[0] = fv_conv(g, x, "fc", .out = o->classes, .bias = true, .init = FV_INIT_FAN_OUT);
    return 1;
}
