/* SPDX-License-Identifier: Apache-2.0 */
/* Res2Net: A New Multi-scale Backbone Architecture.
 * Gao, Cheng, Zhao, Zhang, Yang, Torr, TPAMI 2021, arXiv:1904.01169. The "vd" variants take the
 * stem and the shortcuts of Bag of Tricks for Image Classification (He et al., CVPR 2019,
 * arXiv:1812.01187, figure 2).
 *
 * As PaddleClas has it, which differs from the authors' code: the first block of the first stage,
 * whose stride is 1, is an ordinary one; average pools do not count their padding.
 */
#include "models/res2net.h"
#include "base/compiler.h"
#include "layers/layers.h"

#include <math.h>
#include <stdio.h>

enum { STAGES = 4, MAX_SCALES = 8 };

struct fv_res2net {
    int depths[STAGES];
    int width, scales; /* channels of a split in the first stage; splits */
    bool vd;
    bool numbered; /* the third stage's blocks are named a, b1, b2, ... */
};

const fv_res2net fv_res2net50_26w_4s = { { 3, 4, 6, 3 }, 26, 4, false, false };
const fv_res2net fv_res2net50_14w_8s = { { 3, 4, 6, 3 }, 14, 8, false, false };
const fv_res2net fv_res2net50_vd_26w_4s = { { 3, 4, 6, 3 }, 26, 4, true, false };
const fv_res2net fv_res2net101_vd_26w_4s = { { 3, 4, 23, 3 }, 26, 4, true, true };
const fv_res2net fv_res2net200_vd_26w_4s = { { 3, 12, 48, 3 }, 26, 4, true, true };

static fv_tensor *stem(fv_graph *g, fv_tensor *x, bool vd)
{
    if (vd) {
        x = fv_conv_bn(g, x, "conv1_1", .out = 32, .kernel = 3, .stride = 2, .act = FV_RELU);
        x = fv_conv_bn(g, x, "conv1_2", .out = 32, .kernel = 3, .act = FV_RELU);
        x = fv_conv_bn(g, x, "conv1_3", .out = 64, .kernel = 3, .act = FV_RELU);
    } else {
        x = fv_conv_bn(g, x, "conv1", .out = 64, .kernel = 7, .stride = 2, .act = FV_RELU);
    }
    return fv_max_pool(g, x, fv_window_of(3, 2, 1));
}

/* Figure 2(b): each split but the last has a convolution, which at stride 1 also sees what the
 * split before it made; the last one passes, or is pooled where the block strides. */
static fv_tensor *splits(fv_graph *g, fv_tensor *x, const fv_res2net *m, const char *name,
                         int stride)
{
    fv_tensor *parts[MAX_SCALES];
    const int width = fv_tensor_shape(x).c / m->scales;
    for (int i = 0; i < m->scales; i++) {
        parts[i] = fv_slice(g, x, i * width, width);
        if (i == m->scales - 1) {
            if (stride > 1) parts[i] = fv_avg_pool(g, parts[i], fv_window_of(3, stride, 1));
            break;
        }
        if (i > 0 && stride == 1) parts[i] = fv_add(g, parts[i], parts[i - 1]);
        char conv[64];
        snprintf(conv, sizeof(conv), "%s_branch2b_%d", name, i + 1);
        parts[i] = fv_conv_bn(g, parts[i], conv, .kernel = 3, .stride = stride, .act = FV_RELU);
    }
    return fv_concat(g, m->scales, parts);
}

static fv_tensor *shortcut(fv_graph *g, fv_tensor *x, const fv_res2net *m, int out, int stride)
{
    if (m->vd && stride > 1) {
        fv_window_attr window = fv_window_of(2, 2, 0);
        window.ceil_mode = true;
        x = fv_avg_pool(g, x, window);
        stride = 1;
    }
    return fv_conv_bn(g, x, "short", .out = out, .stride = stride);
}

static fv_tensor *block(fv_graph *g, fv_tensor *x, const fv_res2net *m, int s, int i)
{
    const int stride = s > 0 && i == 0 ? 2 : 1, inner = (m->width * m->scales) << s, out = 256 << s;
    char name[32];
    if (s == 2 && m->numbered && i > 0)
        snprintf(name, sizeof(name), "res%db%d", s + 2, i);
    else
        snprintf(name, sizeof(name), "res%d%c", s + 2, 'a' + i);

    fv_tensor *y = fv_conv_bn(g, x, "conv0", .out = inner, .act = FV_RELU);
    y = splits(g, y, m, name, stride);
    y = fv_conv_bn(g, y, "conv2", .out = out);
    if (i == 0) x = shortcut(g, x, m, out, stride);
    return fv_activate(g, fv_add(g, x, y), FV_RELU);
}

int fv_res2net_build(fv_graph *g, fv_tensor *x, const fv_model *model, const fv_model_options *o,
                     fv_tensor *outputs[])
{
    const fv_res2net *m = model->variant;
    x = stem(g, x, m->vd);
    for (int s = 0; s < STAGES; s++)
        for (int i = 0; i < m->depths[s]; i++) {
            fv_scope_pushf(g, "bb_%d_%d", s, i);
            x = block(g, x, m, s, i);
            fv_scope_pop(g);
        }
    x = fv_global_avg_pool(g, x);
    outputs[0] = fv_linear(g, x, "out", .out = o->classes, .init = FV_INIT_UNIFORM_BOUND,
                           .bound = 1.0f / sqrtf(2048.0f));
    return 1;
}
