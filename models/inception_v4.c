/* SPDX-License-Identifier: Apache-2.0 */
/* InceptionV4: Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning.
 * Szegedy, Ioffe, Vanhoucke, Alemi, AAAI 2017, arXiv:1602.07261.
 *
 * As PaddleClas has it: average pools that do not count their padding, dropout 0.2 that scales in
 * inference, and in the stem 7x1 before 1x7.
 */
#include "base/compiler.h"
#include "layers/layers.h"
#include "models/model.h"

#include <math.h>

fv_model_fn fv_inception_v4;

#define unit(g, x, name, ...)   fv_conv_bn(g, x, name, .act = FV_RELU, __VA_ARGS__)
#define unit_1x3(g, x, name, n) unit(g, x, name, .out = n, .kernel_h = 1, .kernel_w = 3)
#define unit_3x1(g, x, name, n) unit(g, x, name, .out = n, .kernel_h = 3, .kernel_w = 1)
#define unit_1x7(g, x, name, n) unit(g, x, name, .out = n, .kernel_h = 1, .kernel_w = 7)
#define unit_7x1(g, x, name, n) unit(g, x, name, .out = n, .kernel_h = 7, .kernel_w = 1)

static fv_tensor *max_pool(fv_graph *g, fv_tensor *x)
{
    return fv_max_pool(g, x, fv_window_of(3, 2, 0));
}
static fv_tensor *avg_pool(fv_graph *g, fv_tensor *x)
{
    return fv_avg_pool(g, x, fv_window_of(3, 1, 1));
}

/* Figure 3. */
static fv_tensor *stem(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[2];
    fv_scope_push(g, "_inception_stem");
    x = unit(g, x, "_conv_1", .out = 32, .kernel = 3, .stride = 2, .pad = -1);
    x = unit(g, x, "_conv_2", .out = 32, .kernel = 3, .pad = -1);
    x = unit(g, x, "_conv_3", .out = 64, .kernel = 3);

    parts[0] = max_pool(g, x);
    parts[1] = unit(g, x, "_conv2", .out = 96, .kernel = 3, .stride = 2, .pad = -1);
    x = fv_concat(g, 2, parts);

    parts[0] = unit(g, x, "_conv1_1", .out = 64);
    parts[0] = unit(g, parts[0], "_conv1_2", .out = 96, .kernel = 3, .pad = -1);
    parts[1] = unit(g, x, "_conv2_1", .out = 64);
    parts[1] = unit_7x1(g, parts[1], "_conv2_2", 64);
    parts[1] = unit_1x7(g, parts[1], "_conv2_3", 64);
    parts[1] = unit(g, parts[1], "_conv2_4", .out = 96, .kernel = 3, .pad = -1);
    x = fv_concat(g, 2, parts);

    parts[0] = unit(g, x, "_conv3", .out = 192, .kernel = 3, .stride = 2, .pad = -1);
    parts[1] = max_pool(g, x);
    fv_scope_pop(g);
    return fv_concat(g, 2, parts);
}

/* Figure 4. */
static fv_tensor *inception_a(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[4];
    parts[0] = unit(g, avg_pool(g, x), "_conv1", .out = 96);
    parts[1] = unit(g, x, "_conv2", .out = 96);
    parts[2] = unit(g, x, "_conv3_1", .out = 64);
    parts[2] = unit(g, parts[2], "_conv3_2", .out = 96, .kernel = 3);
    parts[3] = unit(g, x, "_conv4_1", .out = 64);
    parts[3] = unit(g, parts[3], "_conv4_2", .out = 96, .kernel = 3);
    parts[3] = unit(g, parts[3], "_conv4_3", .out = 96, .kernel = 3);
    return fv_concat(g, 4, parts);
}

/* Figure 7, with k, l, m, n = 192, 224, 256, 384. */
static fv_tensor *reduction_a(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[3];
    parts[0] = max_pool(g, x);
    parts[1] = unit(g, x, "_conv2", .out = 384, .kernel = 3, .stride = 2, .pad = -1);
    parts[2] = unit(g, x, "_conv3_1", .out = 192);
    parts[2] = unit(g, parts[2], "_conv3_2", .out = 224, .kernel = 3);
    parts[2] = unit(g, parts[2], "_conv3_3", .out = 256, .kernel = 3, .stride = 2, .pad = -1);
    return fv_concat(g, 3, parts);
}

/* Figure 5. */
static fv_tensor *inception_b(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[4];
    parts[0] = unit(g, avg_pool(g, x), "_conv1", .out = 128);
    parts[1] = unit(g, x, "_conv2", .out = 384);
    parts[2] = unit(g, x, "_conv3_1", .out = 192);
    parts[2] = unit_1x7(g, parts[2], "_conv3_2", 224);
    parts[2] = unit_7x1(g, parts[2], "_conv3_3", 256);
    parts[3] = unit(g, x, "_conv4_1", .out = 192);
    parts[3] = unit_1x7(g, parts[3], "_conv4_2", 192);
    parts[3] = unit_7x1(g, parts[3], "_conv4_3", 224);
    parts[3] = unit_1x7(g, parts[3], "_conv4_4", 224);
    parts[3] = unit_7x1(g, parts[3], "_conv4_5", 256);
    return fv_concat(g, 4, parts);
}

/* Figure 8. */
static fv_tensor *reduction_b(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[3];
    parts[0] = max_pool(g, x);
    parts[1] = unit(g, x, "_conv2_1", .out = 192);
    parts[1] = unit(g, parts[1], "_conv2_2", .out = 192, .kernel = 3, .stride = 2, .pad = -1);
    parts[2] = unit(g, x, "_conv3_1", .out = 256);
    parts[2] = unit_1x7(g, parts[2], "_conv3_2", 256);
    parts[2] = unit_7x1(g, parts[2], "_conv3_3", 320);
    parts[2] = unit(g, parts[2], "_conv3_4", .out = 320, .kernel = 3, .stride = 2, .pad = -1);
    return fv_concat(g, 3, parts);
}

/* Figure 6. */
static fv_tensor *inception_c(fv_graph *g, fv_tensor *x)
{
    fv_tensor *parts[6];
    parts[0] = unit(g, avg_pool(g, x), "_conv1", .out = 256);
    parts[1] = unit(g, x, "_conv2", .out = 256);
    fv_tensor *y = unit(g, x, "_conv3_0", .out = 384);
    parts[2] = unit_1x3(g, y, "_conv3_1", 256);
    parts[3] = unit_3x1(g, y, "_conv3_2", 256);
    y = unit(g, x, "_conv4_0", .out = 384);
    y = unit_1x3(g, y, "_conv4_00", 448);
    y = unit_3x1(g, y, "_conv4_000", 512);
    parts[4] = unit_1x3(g, y, "_conv4_1", 256);
    parts[5] = unit_3x1(g, y, "_conv4_2", 256);
    return fv_concat(g, 6, parts);
}

typedef fv_tensor *block_fn(fv_graph *g, fv_tensor *x);

static fv_tensor *repeat(fv_graph *g, fv_tensor *x, block_fn *block, const char *name, int count)
{
    for (int i = 1; i <= count; i++) {
        if (count > 1)
            fv_scope_pushf(g, "%s_%d", name, i);
        else
            fv_scope_push(g, name);
        x = block(g, x);
        fv_scope_pop(g);
    }
    return x;
}

/* Figure 9. */
int fv_inception_v4(fv_graph *g, fv_tensor *x, const fv_model *model, const fv_model_options *o,
                    fv_tensor *outputs[])
{
    (void)model;
    x = stem(g, x);
    x = repeat(g, x, inception_a, "_inceptionA", 4);
    x = repeat(g, x, reduction_a, "_reductionA", 1);
    x = repeat(g, x, inception_b, "_inceptionB", 7);
    x = repeat(g, x, reduction_b, "_reductionB", 1);
    x = repeat(g, x, inception_c, "_inceptionC", 3);
    x = fv_dropout(g, fv_global_avg_pool(g, x), 0.2f, FV_DOWNSCALE_IN_INFER);
    outputs[0] = fv_linear(g, x, "out", .out = o->classes, .init = FV_INIT_UNIFORM_BOUND,
                           .bound = 1.0f / sqrtf(1536.0f));
    return 1;
}
