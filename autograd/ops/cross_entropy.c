/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and cross entropy in one.
 *
 *   forward    L = 1/N * sum_n -sum_c t[n,c] * log p[n,c],  p = softmax(x[n])
 *   backward   dx[n,c] = dL / N * (p[n,c] * sum_c t[n,c] - t[n,c])
 *
 * Targets are class numbers or probabilities; with smoothing e, t = (1 - e) * target + e / K
 * (Szegedy et al., CVPR 2016, arXiv:1512.00567, section 7). In double: K = 1000 exponentials are
 * added. */
#include "autograd/op.h"

#include <math.h>

typedef struct cross_entropy_attr {
    float smoothing;
} cross_entropy_attr;

enum { LOGITS, TARGETS };

static fv_status infer(const fv_op_input *in, const void *attr, fv_shape *out, fv_error *err)
{
    const float e = ((const cross_entropy_attr *)attr)->smoothing;
    const fv_shape x = in[LOGITS].shape, t = in[TARGETS].shape;
    *out = (fv_shape){ 1, 1, 1, 1 };
    if (x.h != 1 || x.w != 1 || t.h != 1 || t.w != 1 || t.n != x.n || (t.c != 1 && t.c != x.c))
        return fv_fail(err, FV_ERR_SHAPE, "targets %dx%dx%dx%d for logits %dx%dx%dx%d", t.n, t.h,
                       t.w, t.c, x.n, x.h, x.w, x.c);
    if (!(e >= 0.0f && e < 1.0f))
        return fv_fail(err, FV_ERR_SHAPE, "smoothing %g is outside [0, 1)", (double)e);
    return FV_OK;
}

/* Saved: p [n][K]. Forward's scratch: the loss of each image, in double. */
static void measure(const fv_op_args *a, fv_op_needs *needs)
{
    needs->saved = fv_shape_floats(a->in[LOGITS].shape) * sizeof(float);
    needs->forward_scratch = (size_t)a->in[LOGITS].shape.n * sizeof(double);
    needs->backward_reads = FV_READS_IN(TARGETS);
}

/* t[n,c], smoothed. */
static double target(const fv_op_args *a, int n, int c)
{
    const double e = (double)((const cross_entropy_attr *)a->attr)->smoothing;
    const fv_view t = a->in[TARGETS];
    const int classes = a->in[LOGITS].shape.c;
    const double hard =
        t.shape.c == 1 && classes > 1 ? (int)fv_pixel(t, n)[0] == c : (double)fv_pixel(t, n)[c];
    return (1.0 - e) * hard + e / (double)classes;
}

static void forward_image(void *ctx, int n, int worker)
{
    (void)worker;
    const fv_op_args *a = ctx;
    const fv_view x = a->in[LOGITS];
    const int classes = x.shape.c;
    const float *logit = fv_pixel(x, n);
    float *p = (float *)a->saved + (size_t)n * (size_t)classes;

    float largest = logit[0];
    for (int c = 1; c < classes; c++) largest = logit[c] > largest ? logit[c] : largest;
    double sum = 0.0;
    for (int c = 0; c < classes; c++) sum += exp((double)(logit[c] - largest));
    const double log_sum = (double)largest + log(sum);
    double loss = 0.0;
    for (int c = 0; c < classes; c++) {
        const double log_p = (double)logit[c] - log_sum, t = target(a, n, c);
        p[c] = (float)exp(log_p);
        if (t != 0.0) loss -= t * log_p;
    }
    /* A NaN that the maximum skipped must not be lost. */
    ((double *)a->scratch)[n] = loss + 0.0 * log_sum;
}

static void forward(const fv_op_args *a)
{
    fv_op_args args = *a;
    const int images = a->in[LOGITS].shape.n;
    fv_parallel_for(images, forward_image, &args);
    double sum = 0.0;
    for (int n = 0; n < images; n++) sum += ((const double *)a->scratch)[n];
    a->out.data[0] = (float)(sum / (double)images);
}

static void backward_image(void *ctx, int n, int worker)
{
    (void)worker;
    const fv_op_args *a = ctx;
    const fv_view dx = a->grad_in[LOGITS];
    const int classes = dx.shape.c;
    const float *p = (const float *)a->saved + (size_t)n * (size_t)classes;
    const double dl = (double)a->grad_out.data[0] / (double)dx.shape.n;
    float *d = fv_pixel(dx, n);
    double total = 0.0;
    for (int c = 0; c < classes; c++) total += target(a, n, c);
    for (int c = 0; c < classes; c++) {
        const float g = (float)(dl * ((double)p[c] * total - target(a, n, c)));
        d[c] = a->accumulate[LOGITS] ? d[c] + g : g;
    }
}

static void backward(const fv_op_args *a)
{
    if (!a->grad_in[LOGITS].data) return;
    fv_op_args args = *a;
    fv_parallel_for(a->in[LOGITS].shape.n, backward_image, &args);
}

const fv_op fv_op_cross_entropy = {
    .name = "cross_entropy",
    .attr_size = sizeof(cross_entropy_attr),
    .infer = infer,
    .measure = measure,
    .forward = forward,
    .backward = backward,
};

fv_tensor *fv_cross_entropy(fv_graph *g, fv_tensor *logits, fv_tensor *targets, float smoothing)
{
    const cross_entropy_attr attr = { smoothing };
    return fv_graph_apply(g, &fv_op_cross_entropy, 2, (fv_tensor *[]){ logits, targets }, &attr);
}
