/* SPDX-License-Identifier: Apache-2.0 */
/* Xception: Deep Learning with Depthwise Separable Convolutions.
 * Chollet, CVPR 2017, arXiv:1610.02357, with the depths of Xception-41, 65 and 71.
 *
 * PaddleClas's own variant: a separable convolution is pointwise, then depthwise, each with batch
 * norm and none with an activation; projections are bare convolutions; all shortcuts start before
 * the ReLU.
 */
#include "models/xception.h"
#include "base/compiler.h"
#include "layers/layers.h"

#include <math.h>

enum { MAX_ENTRY = 5 };

struct fv_xception {
    struct {
        int out, stride;
    } entry[MAX_ENTRY];
    int entry_count, middle_count;
};

const fv_xception fv_xception41 = { { { 128, 2 }, { 256, 2 }, { 728, 2 } }, 3, 8 };
const fv_xception fv_xception65 = { { { 128, 2 }, { 256, 2 }, { 728, 2 } }, 3, 16 };
const fv_xception fv_xception71 = { { { 128, 2 }, { 256, 1 }, { 256, 2 }, { 728, 1 }, { 728, 2 } },
                                    5,
                                    16 };

static fv_tensor *relu(fv_graph *g, fv_tensor *x) { return fv_activate(g, x, FV_RELU); }

static fv_tensor *separable(fv_graph *g, fv_tensor *x, const char *name, int out)
{
    fv_scope_push(g, name);
    x = fv_conv_bn(g, x, "_pointwise_conv", .out = out);
    x = fv_conv_bn(g, x, "_depthwise_conv", .kernel = 3, .groups = FV_DEPTHWISE);
    fv_scope_pop(g);
    return x;
}

/* Figure 5: the blocks of the entry and exit flow; `names` are those of the two separable
 * convolutions, `mid` and `out` their channels. */
static fv_tensor *strided_block(fv_graph *g, fv_tensor *x, const char *const names[2], int mid,
                                int out, int stride, bool relu_first)
{
    fv_tensor *shortcut = fv_conv(g, x, "_short", .out = out, .stride = stride);
    fv_tensor *y = relu_first ? relu(g, x) : x;
    y = separable(g, y, names[0], mid);
    y = separable(g, relu(g, y), names[1], out);
    y = fv_max_pool(g, y, fv_window_of(3, stride, 1));
    return fv_add(g, y, shortcut);
}

static fv_tensor *entry_flow(fv_graph *g, fv_tensor *x, const fv_xception *m)
{
    static const char *const names[2] = { "_conv1", "_conv2" };
    fv_scope_push(g, "_entry_flow");
    x = fv_conv_bn(g, x, "_conv1", .out = 32, .kernel = 3, .stride = 2, .act = FV_RELU);
    x = fv_conv_bn(g, x, "_conv2", .out = 64, .kernel = 3, .act = FV_RELU);
    for (int i = 0; i < m->entry_count; i++) {
        fv_scope_pushf(g, "_conv_%d", i);
        x = strided_block(g, x, names, m->entry[i].out, m->entry[i].out, m->entry[i].stride, i > 0);
        fv_scope_pop(g);
    }
    fv_scope_pop(g);
    return x;
}

static fv_tensor *middle_flow(fv_graph *g, fv_tensor *x, const fv_xception *m)
{
    static const char *const names[] = { "_conv_0", "_conv_1", "_conv_2" };
    fv_scope_push(g, "_middle_flow");
    for (int i = 0; i < m->middle_count; i++) {
        fv_scope_pushf(g, "_conv_%d", i);
        fv_tensor *y = x;
        for (int k = 0; k < 3; k++) y = separable(g, relu(g, y), names[k], 728);
        x = fv_add(g, x, y);
        fv_scope_pop(g);
    }
    fv_scope_pop(g);
    return x;
}

int fv_xception_build(fv_graph *g, fv_tensor *x, const fv_model *model, const fv_model_options *o,
                      fv_tensor *outputs[])
{
    static const char *const names[2] = { "_conv_1", "_conv_2" };
    x = entry_flow(g, x, model->variant);
    x = middle_flow(g, x, model->variant);
    fv_scope_push(g, "_exit_flow");
    fv_scope_push(g, "_conv_0");
    x = strided_block(g, x, names, 728, 1024, 2, true);
    fv_scope_pop(g);
    x = relu(g, separable(g, x, "_conv_1", 1536));
    x = relu(g, separable(g, x, "_conv_2", 2048));
    x = fv_global_avg_pool(g, x);
    outputs[0] = fv_linear(g, x, "_out", .out = o->classes, .init = FV_INIT_UNIFORM_BOUND,
                           .bound = 1.0f / sqrtf(2048.0f));
    fv_scope_pop(g);
    return 1;
}
