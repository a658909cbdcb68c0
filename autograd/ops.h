/* SPDX-License-Identifier: Apache-2.0 */
/* autograd/ops.h - the operators, as functions from tensors to a tensor. */
#ifndef FV_AUTOGRAD_OPS_H
#define FV_AUTOGRAD_OPS_H

#include "autograd/graph.h"
#include "kernels/kernels.h" /* fv_activation */

/* y = f(x). FV_LINEAR returns x itself. */
fv_tensor *fv_activate(fv_graph *g, fv_tensor *x, fv_activation f);

/* y = a + b, same shapes. */
fv_tensor *fv_add(fv_graph *g, fv_tensor *a, fv_tensor *b);

/* y = factor * x. */
fv_tensor *fv_scale(fv_graph *g, fv_tensor *x, float factor);

/* A dense copy of x; what fv_concat() falls back to. */
fv_tensor *fv_copy(fv_graph *g, fv_tensor *x);

typedef struct fv_batch_norm_attr {
    float epsilon;  /* added to the variance */
    float momentum; /* share of the old running statistics that is kept, in [0, 1] */
} fv_batch_norm_attr;

/* y = scale * (x - mean) / sqrt(var + epsilon) + shift, per channel. In FV_TRAIN mode mean
 * and var (biased) are those of the batch, and the running ones are updated, the variance
 * by the unbiased one; unless the running statistics are frozen: then, and in FV_EVAL mode, the
 * running ones are used. Ioffe, Szegedy, ICML 2015, arXiv:1502.03167. */
fv_tensor *fv_batch_norm(fv_graph *g, fv_tensor *x, fv_tensor *scale, fv_tensor *shift,
                         fv_tensor *running_mean, fv_tensor *running_var, fv_batch_norm_attr attr);

typedef struct fv_window_attr {
    int kernel_h, kernel_w;     /* of pooling; a convolution's are its weight's */
    int stride_h, stride_w;     /* >= 1 */
    int pad_h, pad_w;           /* on both sides */
    int dilation_h, dilation_w; /* >= 1 */
    int groups;                 /* >= 1; of convolutions */
    bool ceil_mode;             /* of pooling: keep ragged windows at the end */
    bool count_padding;         /* of average pooling: padding counts in the divisor */
} fv_window_attr;

/* weight is a parameter [out, in/groups, kh, kw]; bias is [out] or NULL. Output size:
 * floor((in + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1. */
fv_tensor *fv_conv2d(fv_graph *g, fv_tensor *x, fv_tensor *weight, fv_tensor *bias,
                     fv_window_attr attr);

/* A square window, for pooling. */
static inline fv_window_attr fv_window_of(int kernel, int stride, int pad)
{
    return (fv_window_attr){ .kernel_h = kernel,
                             .kernel_w = kernel,
                             .stride_h = stride,
                             .stride_w = stride,
                             .pad_h = pad,
                             .pad_w = pad,
                             .dilation_h = 1,
                             .dilation_w = 1,
                             .groups = 1 };
}

/* Padding never wins; the first of equal values does. At most 255 taps. */
fv_tensor *fv_max_pool(fv_graph *g, fv_tensor *x, fv_window_attr attr);
fv_tensor *fv_avg_pool(fv_graph *g, fv_tensor *x, fv_window_attr attr);

/* y[n,0,0,c] = mean of x[n,:,:,c]. */
fv_tensor *fv_global_avg_pool(fv_graph *g, fv_tensor *x);

/* y[n,0,0,:] = x[n] * weight + bias, where x[n] is the whole image flattened in the order (c, h,
 * w) of PaddlePaddle's flatten; weight is a parameter [c*h*w, out]; bias is [out] or NULL. By
 * OpenBLAS. */
fv_tensor *fv_matmul(fv_graph *g, fv_tensor *x, fv_tensor *weight, fv_tensor *bias);

/* Each element is kept with probability 1 - p. FV_UPSCALE_IN_TRAIN: the kept ones are divided by
 * 1 - p while training, nothing happens in evaluation. FV_DOWNSCALE_IN_INFER: nothing is divided
 * while training, all are multiplied by 1 - p in evaluation. Which are kept is a function of
 * (the run's seed, step, the node, the element): see fv_plan_set_step(). */
typedef enum fv_dropout_mode { FV_UPSCALE_IN_TRAIN, FV_DOWNSCALE_IN_INFER } fv_dropout_mode;
fv_tensor *fv_dropout(fv_graph *g, fv_tensor *x, float p, fv_dropout_mode mode);

/* A scalar: the mean over the batch of -sum_c t[n,c] * log softmax(x)[n,c].
 * targets is [n,1,1,1]: class numbers (exact in float), t = (1 - smoothing) * onehot + smoothing /
 * K; or [n,1,1,K]: probabilities, t = (1 - smoothing) * targets + smoothing / K. */
fv_tensor *fv_cross_entropy(fv_graph *g, fv_tensor *logits, fv_tensor *targets, float smoothing);

/* The same less the entropy of the targets, sum_c t log t: KL(t|softmax(x)) where they are
 * probabilities. Targets never get a gradient. */
fv_tensor *fv_kl_divergence(fv_graph *g, fv_tensor *logits, fv_tensor *targets);

/* ---- What one network can learn from another; all logits are [n,1,1,K] ---- */

/* Probabilities: softmax(x[n] / temperature). */
fv_tensor *fv_softmax(fv_graph *g, fv_tensor *x, float temperature);

/* A scalar: the mean over the batch of (KL(p|q) + KL(q|p)) / 2, of probabilities, with 1e-12 added
 * inside the logarithms. Both get a gradient. */
fv_tensor *fv_jeffreys(fv_graph *g, fv_tensor *p, fv_tensor *q);

/* A scalar: 1 less the mean, over rows or columns, of the correlation of a and b. Both get a
 * gradient. */
fv_tensor *fv_correlation(fv_graph *g, fv_tensor *a, fv_tensor *b, bool columns);

typedef struct fv_decoupled_attr {
    float temperature;
    float alpha; /* of the right class against the rest */
    float beta;  /* of the rest among itself */
} fv_decoupled_attr;

/* A scalar: T^2 times the mean of KL(softmax(teacher / T)|softmax(logits / T)) in two parts, of
 * different weights. labels: class numbers [n,1,1,1]; NULL: the teacher's first choice. K >= 2. The
 * teacher gets no gradient. */
fv_tensor *fv_decoupled_kl(fv_graph *g, fv_tensor *logits, fv_tensor *teacher, fv_tensor *labels,
                           fv_decoupled_attr attr);

/* Targets [n,1,1,K] for fv_cross_entropy(): softmax(teacher / temperature), weighted by 1 -
 * exp(-CE(logits) / CE(teacher)) of each picture. `labels` as above. No gradients. */
fv_tensor *fv_weighted_soft(fv_graph *g, fv_tensor *logits, fv_tensor *teacher, fv_tensor *labels,
                            float temperature);

/* Targets [n,1,1,K] for fv_cross_entropy(): those of a batch, [n,1,1,1] class numbers or [n,1,1,K]
 * probabilities, smoothed, and weighted by class, so that the loss is the weighted mean. */
typedef struct fv_class_weighted_attr {
    int classes;          /* K */
    float smoothing;      /* as of fv_cross_entropy() */
    const float *weights; /* [K]; borrowed as long as the graph lives */
} fv_class_weighted_attr;
fv_tensor *fv_class_weighted(fv_graph *g, fv_tensor *targets, fv_class_weighted_attr attr);

#endif /* FV_AUTOGRAD_OPS_H */
