/* SPDX-License-Identifier: Apache-2.0 */
/* layers/layers.h - operators together with the parameters they need.
 *
 * A layer is a function, not an object: it names its parameters under the scope
 * `name`, appends operators to the graph, and returns the result.
 *
 *     x = fv_conv(g, x, "_conv", .out = 32, .kernel = 3, .stride = 2);
 *
 * The options are the fields of the struct of the same name. Those left out are
 * zero, and zero always means the default written next to the field. At least one
 * must be given.
 */
#ifndef FV_LAYERS_LAYERS_H
#define FV_LAYERS_LAYERS_H

#include "autograd/ops.h"

/* Where the initial weights of a layer come from; zero is PaddlePaddle's default. */
typedef enum fv_initializer {
    /* conv: N(0, 2 / (kh*kw*in)), in being all input channels; linear: Xavier uniform, bound
     * sqrt(6 / (in + out)) */
    FV_INIT_DEFAULT,
    FV_INIT_FAN_OUT,      /* conv: N(0, 2 / (kh*kw*out)), out being all output channels */
    FV_INIT_UNIFORM_BOUND /* U(-bound, bound) with the option's `bound` */
} fv_initializer;

typedef struct fv_conv_options {
    int out;                /* output channels; default: as many as the input */
    int kernel;             /* default: 1 */
    int kernel_h, kernel_w; /* where they differ; default: kernel */
    int stride;             /* default: 1 */
    int pad;           /* default: keeps the size at stride 1, (dilated kernel - 1) / 2; -1: none */
    int dilation;      /* default: 1 */
    int groups;        /* default: 1; FV_DEPTHWISE: one filter per channel */
    bool bias;         /* default: none */
    fv_activation act; /* after it, and after batch norm if there is one; default: none */
    fv_initializer init;
    float bound; /* of FV_INIT_UNIFORM_BOUND */
} fv_conv_options;

enum { FV_DEPTHWISE = -1 };

/* Convolution. Parameters: "<name>.weight", "<name>.bias". */
#define fv_conv(g, x, name, ...) fv_conv_with(g, x, name, (fv_conv_options){ __VA_ARGS__ })
fv_tensor *fv_conv_with(fv_graph *g, fv_tensor *x, const char *name, fv_conv_options o);

typedef struct fv_bn_options {
    fv_activation act; /* default: FV_LINEAR */
    float epsilon;     /* default: 1e-5 */
    float momentum;    /* kept share of the running statistics; default: 0.9 */
} fv_bn_options;

/* Batch normalisation, then an activation. Parameters: weight, bias, _mean, _variance. */
#define fv_bn(g, x, name, ...) fv_bn_with(g, x, name, (fv_bn_options){ __VA_ARGS__ })
fv_tensor *fv_bn_with(fv_graph *g, fv_tensor *x, const char *name, fv_bn_options o);

/* Convolution and batch norm with its defaults, under the names that most of PaddleClas's models
 * give them: "<name>._conv" and "<name>._batch_norm". */
#define fv_conv_bn(g, x, name, ...) fv_conv_bn_with(g, x, name, (fv_conv_options){ __VA_ARGS__ })
fv_tensor *fv_conv_bn_with(fv_graph *g, fv_tensor *x, const char *name, fv_conv_options o);

typedef struct fv_linear_options {
    int out;
    fv_initializer init;
    float bound;
} fv_linear_options;

/* y = x * weight + bias; weight is [in, out]. Parameters: weight, bias. */
#define fv_linear(g, x, name, ...) fv_linear_with(g, x, name, (fv_linear_options){ __VA_ARGS__ })
fv_tensor *fv_linear_with(fv_graph *g, fv_tensor *x, const char *name, fv_linear_options o);

#endif /* FV_LAYERS_LAYERS_H */
