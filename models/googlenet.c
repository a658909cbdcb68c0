/* SPDX-License-Identifier: Apache-2.0 */
/* GoogLeNet: Going Deeper with Convolutions.
 * Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich, CVPR 2015,
 * arXiv:1409.4842.
 *
 * As PaddleClas has it, which differs from the paper: no local response normalisation; the
 * convolutions of the stem, the reductions and the auxiliary heads have no activation; max pools
 * between the stages have neither padding nor ceiling, so the maps are 55, 27, 13 and 6 wide; 4096
 * inputs of the heads became 1152; the second head has no activation between its linear layers.
 *
 * The ReLU on each module's concatenation is put on its four parts, which is the same and fuses.
 */
#include "base/compiler.h"
#include "layers/layers.h"
#include "models/model.h"

#include <math.h>

fv_model_fn fv_googlenet;

/* Table 1, in its columns: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection. */
/* clang-format off */
static const struct { const char *name; int n1, n3r, n3, n5r, n5, proj; bool pool_before; } modules[] = {
    { "_ince3a",  64,  96, 128, 16,  32,  32, true  },
    { "_ince3b", 128, 128, 192, 32,  96,  64, false },
    { "_ince4a", 192,  96, 208, 16,  48,  64, true  },
    { "_ince4b", 160, 112, 224, 24,  64,  64, false },
    { "_ince4c", 128, 128, 256, 24,  64,  64, false },
    { "_ince4d", 112, 144, 288, 32,  64,  64, false },
    { "_ince4e", 256, 160, 320, 32, 128, 128, false },
    { "_ince5a", 256, 160, 320, 32, 128, 128, true  },
    { "_ince5b", 384, 192, 384, 48, 128, 128, false },
};
/* clang-format on */
enum { MODULE_4A = 2, MODULE_4D = 5 };

/* Of images whose map at 4a is 11 to 13 wide. */
enum { MIN_SIZE = 189, MAX_SIZE = 236 };

static fv_tensor *conv(fv_graph *g, fv_tensor *x, const char *name, fv_conv_options o)
{
    fv_scope_push(g, name);
    x = fv_conv_with(g, x, "_conv", o);
    fv_scope_pop(g);
    return x;
}

static fv_tensor *max_pool(fv_graph *g, fv_tensor *x, int stride, int pad)
{
    return fv_max_pool(g, x, fv_window_of(3, stride, pad));
}

/* Figure 2(b). */
static fv_tensor *inception(fv_graph *g, fv_tensor *x, int m)
{
    const fv_conv_options n3r = { .out = modules[m].n3r }, n5r = { .out = modules[m].n5r };
    const fv_conv_options n1 = { .out = modules[m].n1, .act = FV_RELU };
    const fv_conv_options n3 = { .out = modules[m].n3, .kernel = 3, .act = FV_RELU };
    const fv_conv_options n5 = { .out = modules[m].n5, .kernel = 5, .act = FV_RELU };
    const fv_conv_options proj = { .out = modules[m].proj, .act = FV_RELU };
    fv_scope_push(g, modules[m].name);
    fv_tensor *parts[4];
    parts[0] = conv(g, x, "_conv1", n1);
    parts[1] = conv(g, conv(g, x, "_conv3r", n3r), "_conv3", n3);
    parts[2] = conv(g, conv(g, x, "_conv5r", n5r), "_conv5", n5);
    parts[3] = conv(g, max_pool(g, x, 1, 1), "_convprj", proj);
    fv_scope_pop(g);
    return fv_concat(g, 4, parts);
}

static fv_tensor *classifier(fv_graph *g, fv_tensor *x, const char *name, int out)
{
    const float inputs = (float)fv_tensor_shape(x).c;
    return fv_linear(g, x, name, .out = out, .init = FV_INIT_UNIFORM_BOUND,
                     .bound = sqrtf(3.0f / inputs));
}

/* Section 5, "auxiliary classifiers", for maps of 11 to 13, which the pool makes 3 x 3. The bound
 * is that of the 2048 inputs of a 4 x 4 map. */
static fv_tensor *auxiliary(fv_graph *g, fv_tensor *x, int head, int classes)
{
    static const char *const names[2][3] = { { "_conv_o1", "_fc_o1", "_out1" },
                                             { "_conv_o2", "_fc_o2", "_out2" } };
    const fv_conv_options reduce = { .out = 128 };
    x = fv_avg_pool(g, x, fv_window_of(5, 3, 0));
    x = conv(g, x, names[head][0], reduce);
    x = fv_linear(g, x, names[head][1], .out = 1024, .init = FV_INIT_UNIFORM_BOUND,
                  .bound = sqrtf(3.0f / 2048));
    if (head == 0) x = fv_activate(g, x, FV_RELU);
    x = fv_dropout(g, x, 0.7f, FV_DOWNSCALE_IN_INFER);
    return classifier(g, x, names[head][2], classes);
}

int fv_googlenet(fv_graph *g, fv_tensor *x, const fv_model *model, const fv_model_options *o,
                 fv_tensor *outputs[])
{
    (void)model;
    const fv_conv_options conv1 = { .out = 64, .kernel = 7, .stride = 2 }, conv2 = { .out = 64 };
    const fv_conv_options conv3 = { .out = 192, .kernel = 3 };
    fv_tensor *aux[2] = { NULL, NULL };
    const fv_shape s = fv_tensor_shape(x);
    if (fv_min(s.h, s.w) < MIN_SIZE || fv_max(s.h, s.w) > MAX_SIZE)
        x = fv_graph_fail(g, "images of %d x %d: the auxiliary heads take %d to %d pixels each way",
                          s.h, s.w, MIN_SIZE, MAX_SIZE);
    x = max_pool(g, conv(g, x, "_conv", conv1), 2, 0);
    x = conv(g, conv(g, x, "_conv_1", conv2), "_conv_2", conv3);
    for (int m = 0; m < (int)FV_ARRAY_LEN(modules); m++) {
        if (modules[m].pool_before) x = max_pool(g, x, 2, 0);
        x = inception(g, x, m);
        if (m == MODULE_4A) aux[0] = x;
        if (m == MODULE_4D) aux[1] = x;
    }
    x = fv_dropout(g, fv_global_avg_pool(g, x), 0.4f, FV_DOWNSCALE_IN_INFER);
    outputs[0] = classifier(g, x, "_fc_out", o->classes);
    outputs[1] = auxiliary(g, aux[0], 0, o->classes);
    outputs[2] = auxiliary(g, aux[1], 1, o->classes);
    return 3;
}
